//! `sage serve` of the executable that is measured, and connections to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Killed when it is dropped: nothing of it is needed any more.
pub struct Server {
    child: Child,
    address: String,
}

impl Server {
    pub fn start(sage: &Path, data: &Path, database_url: Option<&str>) -> Result<Self, String> {
        let mut command = Command::new(sage);
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .env_clear();
        command.env("SAGE_DATA_DIR", data).env("HOME", data);
        command.envs(database_url.map(|url| ("SAGE_DATABASE_URL", url)));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| format!("{}: {error}", sage.display()))?;
        let mut log = BufReader::new(child.stderr.take().ok_or("the server has no log")?).lines();
        let address = loop {
            let line = log.next().ok_or("the server ended")?;
            let line = line.map_err(|error| error.to_string())?;
            if let Some((_, rest)) = line.split_once(" at=") {
                break rest.split(' ').next().unwrap_or_default().to_owned();
            }
        };
        // Somebody has to read it all.
        std::thread::spawn(move || log.for_each(drop));
        Ok(Self { child, address })
    }

    pub fn connect(&self) -> Result<Wire, String> {
        let connect = || {
            let stream = TcpStream::connect(&self.address)?;
            stream.set_nodelay(true)?;
            Ok(Wire(BufReader::new(stream)))
        };
        connect().map_err(|error: std::io::Error| format!("{}: {error}", self.address))
    }

    pub fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        kilobytes.unwrap_or_default() * 1024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection, kept open between requests.
pub struct Wire(BufReader<TcpStream>);

impl Wire {
    /// Sends a request and reads the whole answer, which must be a success.
    pub fn ask(&mut self, method: &str, target: &str, body: &str) -> Result<(), String> {
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut exchange = || -> std::io::Result<(String, Vec<u8>)> {
            self.0.get_mut().write_all(request.as_bytes())?;
            let (mut head, mut length) = (String::new(), 0);
            self.0.read_line(&mut head)?;
            loop {
                let mut line = String::new();
                self.0.read_line(&mut line)?;
                match line.trim_end().split_once(": ") {
                    Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                        length = value.parse().unwrap_or_default();
                    }
                    Some(_) => {}
                    None => break,
                }
            }
            let mut body = vec![0; length];
            self.0.read_exact(&mut body)?;
            Ok((head, body))
        };
        let (head, body) = exchange().map_err(|error| error.to_string())?;
        match head.contains(" 20") {
            true => Ok(()),
            false => Err(format!("{head}{}", String::from_utf8_lossy(&body))),
        }
    }
}
