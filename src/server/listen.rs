//! Where the server listens, and the streams that come in there.

use std::fmt;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream, lookup_host};

use super::neighbour;
use crate::config::Address;
use crate::error::{Error, Result};

/// One open listener.
pub enum Listener {
    /// For whoever can reach the address.
    Tcp(TcpListener),
    /// For whoever may open the file; it is removed when the listener is dropped.
    Unix(UnixListener, SocketFile),
}

/// A stream that came in.
pub enum Stream {
    /// Over the network, or from this machine.
    Tcp(TcpStream),
    /// From this machine.
    Unix(UnixStream),
}

/// Removes the socket from the file system with the listener, unless another one is there by then.
pub struct SocketFile {
    path: PathBuf,
    inode: Option<u64>,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.inode.is_some() && self.inode == inode_of(&self.path) {
            // A file that stays is recognised as a leftover by the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn inode_of(path: &Path) -> Option<u64> {
    std::fs::symlink_metadata(path).ok().map(|file| file.ino())
}

/// Opens every address, or none. `is_guarded` says whether callers need a token, or need none by
/// explicit wish; without it nothing beyond this machine is opened.
pub async fn open(addresses: &[Address], is_guarded: bool) -> Result<Vec<Listener>> {
    let mut listeners = Vec::with_capacity(addresses.len());
    for address in addresses {
        match address {
            Address::Tcp(host, port) => {
                for listener in open_tcp(address, host, *port, is_guarded).await? {
                    listeners.push(Listener::Tcp(listener));
                }
            }
            Address::Unix(path) => listeners.push(open_unix(path).await?),
        }
    }
    Ok(listeners)
}

async fn open_tcp(
    address: &Address,
    host: &str,
    port: u16,
    is_guarded: bool,
) -> Result<Vec<TcpListener>> {
    let resolved = lookup_host((host, port)).await.map_err(|error| {
        Error::Io(format!(
            "{host} is no name that can be listened at: {error}"
        ))
    })?;
    let (mut listeners, mut failed) = (Vec::new(), None);
    for socket in resolved {
        if !socket.ip().is_loopback() && !is_guarded {
            return Err(Error::invalid(
                "SAGE_LISTEN",
                format!(
                    "{address} can be reached from other machines, so a token is needed: set \
                     SAGE_TOKEN_FILE or SAGE_TOKEN, or SAGE_ALLOW_INSECURE_BIND=1 to do without"
                ),
            ));
        }
        match TcpListener::bind(socket).await {
            Ok(listener) => listeners.push(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                return Err(neighbour::explain_taken(socket).await);
            }
            // A name may stand for an address that this machine does without: many containers
            // know localhost as ::1 and have no IPv6.
            Err(error) => failed = Some(format!("cannot listen at {socket}: {error}")),
        }
    }
    match failed {
        Some(error) if listeners.is_empty() => Err(Error::Io(error)),
        _ => Ok(listeners),
    }
}

async fn open_unix(path: &Path) -> Result<Listener> {
    let failed =
        |error: io::Error| Error::Io(format!("cannot listen at unix:{}: {error}", path.display()));
    let there = std::fs::symlink_metadata(path).ok();
    if there
        .as_ref()
        .is_some_and(|file| !file.file_type().is_socket())
    {
        let problem = "the file there is no socket";
        return Err(failed(io::Error::new(
            io::ErrorKind::AlreadyExists,
            problem,
        )));
    }
    if there.is_some() {
        // A socket that nobody answers at was left behind by a crash; anything else is not ours.
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path).map_err(failed)?;
            }
            Ok(_) => {
                let taken = "somebody listens there already";
                return Err(failed(io::Error::new(io::ErrorKind::AddrInUse, taken)));
            }
            Err(error) => return Err(failed(error)),
        }
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    let file = SocketFile {
        path: path.to_owned(),
        inode: inode_of(path),
    };
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).map_err(failed)?;
    Ok(Listener::Unix(listener, file))
}

impl Listener {
    /// Waits for the next stream.
    pub async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // Answers are whole when they are written; waiting to fill a packet only delays.
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Self::Unix(listener, _) => listener
                .accept()
                .await
                .map(|(stream, _)| Stream::Unix(stream)),
        }
    }

    /// Whether only this machine can reach it.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(listener) => listener
                .local_addr()
                .is_ok_and(|address| address.ip().is_loopback()),
            Self::Unix(..) => true,
        }
    }

    /// The start of a URL that leads here; `None` for a socket in the file system.
    pub fn url(&self) -> Option<String> {
        match self {
            Self::Tcp(listener) => {
                let address = listener.local_addr().ok()?;
                let host = match address.ip() {
                    ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
                    std::net::IpAddr::V6(ip) => format!("[{ip}]"),
                    ip => ip.to_string(),
                };
                Some(format!("http://{host}:{}", address.port()))
            }
            Self::Unix(..) => None,
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(listener) => match listener.local_addr() {
                Ok(address) => write!(f, "{address}"),
                Err(_) => f.write_str("an address that is gone"),
            },
            Self::Unix(_, file) => write!(f, "unix:{}", file.path.display()),
        }
    }
}

/// Both kinds of streams behind one type, so that all that serves them is compiled once.
macro_rules! either {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Tcp($stream) => {
                let $stream = Pin::new($stream);
                $call
            }
            Stream::Unix($stream) => {
                let $stream = Pin::new($stream);
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_shutdown(cx))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write_vectored(cx, parts))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
