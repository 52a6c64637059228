//! A service that makes vectors and names lines, as OpenAI's does, puts texts in order, as Jina's
//! does, and can be in any mood.
//!
//! Its model knows words and a few synonyms: a text's vector is the sum of its words' vectors, which
//! are random signs drawn from the word. So texts are near that share meanings, and far else.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

use super::eventually;

/// How it answers.
#[derive(Debug, Clone)]
pub enum Mood {
    /// As it should.
    Well,
    /// With this status, and perhaps a time to come back after, in seconds.
    Status(u16, Option<u64>),
    /// So late.
    Slow(Duration),
    /// A byte at a time, without end.
    Drip,
    /// With something else than vectors.
    Garbage,
    /// With vectors of that many numbers.
    Dimension(usize),
    /// With a vector too few.
    TooFew,
    /// With zeros.
    Zeros,
    /// By closing the connection.
    Close,
    /// With more bytes than anybody wants.
    Flood,
    /// As it should, but for texts with this word, which make it refuse the request.
    Refusing(&'static str),
    /// As it should for the models of these names, else that there is none.
    Only(&'static [&'static str]),
}

/// One request.
#[derive(Debug, Clone)]
pub struct Request {
    pub path: String,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    pub model: String,
    pub texts: Vec<String>,
    /// What they are compared with, where they are.
    pub query: Option<String>,
    pub dimensions: Option<u64>,
    /// Which connection it came by.
    pub connection: usize,
    pub at: Instant,
}

/// A running service; it ends with the process.
pub struct Embedder {
    port: u16,
    is_tls: bool,
    shared: Arc<Shared>,
}

struct Shared {
    dimension: usize,
    mood: Mutex<Mood>,
    requests: Mutex<Vec<Request>>,
}

/// Words that mean the same.
const SYNONYMS: &[&[&str]] = &[
    &["car", "automobile", "vehicle", "汽车"],
    &["broken", "defective", "faulty"],
    &["doctor", "physician"],
    &["dwelling", "house", "home"],
    &["payment", "remuneration"],
];

impl Embedder {
    /// One whose vectors have so many numbers.
    pub fn start(dimension: usize) -> Self {
        Self::listen(dimension, None)
    }

    /// One that speaks TLS as `localhost`; the file with the certificate that vouches for it lies in
    /// the folder. Nothing where there is no openssl.
    pub fn start_tls(dimension: usize, folder: &Path) -> Option<(Self, PathBuf)> {
        let (certificate, key) = certificate(folder)?;
        let tls = tls(&certificate, &key);
        Some((Self::listen(dimension, Some(Arc::new(tls))), certificate))
    }

    fn listen(dimension: usize, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            dimension,
            mood: Mutex::new(Mood::Well),
            requests: Mutex::default(),
        });
        let (serving, is_tls) = (Arc::clone(&shared), tls.is_some());
        std::thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let (shared, tls) = (Arc::clone(&serving), tls.clone());
                let stream = stream.unwrap();
                std::thread::spawn(move || match tls {
                    None => serve(&shared, stream, connection),
                    Some(tls) => {
                        let tls = rustls::ServerConnection::new(tls).unwrap();
                        serve(&shared, rustls::StreamOwned::new(tls, stream), connection);
                    }
                });
            }
        });
        Self {
            port,
            is_tls,
            shared,
        }
    }

    pub fn url(&self) -> String {
        match self.is_tls {
            true => format!("https://localhost:{}/v1", self.port),
            false => format!("http://127.0.0.1:{}/v1", self.port),
        }
    }

    /// The variables that lead to it.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("SAGE_EMBED_URL", self.url()),
            ("SAGE_EMBED_MODEL", "words".to_owned()),
            ("SAGE_EMBED_KEY", KEY.to_owned()),
        ]
    }

    pub fn be(&self, mood: Mood) {
        *self.shared.mood.lock().unwrap() = mood;
    }

    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    /// Every text that it was asked for, as often as it was.
    pub fn texts(&self) -> Vec<String> {
        let requests = self.requests();
        requests
            .into_iter()
            .flat_map(|request| request.texts)
            .collect()
    }

    /// Waits until it was asked.
    #[track_caller]
    pub fn is_asked(&self, more_than: usize) {
        eventually("a request for vectors", || {
            (self.requests().len() > more_than).then_some(())
        });
    }
}

/// What proves who asks.
pub const KEY: &str = "sk-test-7f3a9c2e5b1d8046";

/// A certificate for `localhost` with its key, made by openssl; its own authority. Nothing where
/// there is no openssl.
fn certificate(folder: &Path) -> Option<(PathBuf, PathBuf)> {
    let (certificate, key) = (folder.join("service.pem"), folder.join("service.key"));
    let wanted = folder.join("service.conf");
    std::fs::write(&wanted, CERTIFICATE).unwrap();
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-config",
        ])
        .arg(&wanted)
        .args([OsStr::new("-keyout"), key.as_os_str()])
        .args([OsStr::new("-out"), certificate.as_os_str()])
        .output();
    made.ok()?.status.success().then_some((certificate, key))
}

const CERTIFICATE: &str = "
[req]
prompt = no
distinguished_name = name
x509_extensions = more
[name]
CN = localhost
[more]
subjectAltName = DNS:localhost
basicConstraints = critical, CA:FALSE
";

fn tls(certificate: &Path, key: &Path) -> rustls::ServerConfig {
    let chain = CertificateDer::pem_file_iter(certificate).unwrap();
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.map(Result::unwrap).collect(), key)
        .unwrap()
}

fn serve(shared: &Shared, stream: impl Read + Write, connection: usize) {
    let mut stream = BufReader::new(stream);
    while let Some((path, headers, body)) = read_request(&mut stream) {
        let question: Value = serde_json::from_slice(&body).unwrap();
        let listed = |field: &str| -> Vec<String> {
            let texts = question[field].as_array().unwrap().iter();
            texts
                .map(|text| text.as_str().unwrap().to_owned())
                .collect()
        };
        let query = question["query"].as_str().map(str::to_owned);
        let (texts, query) = match path.as_str() {
            "/v1/embeddings" => (listed("input"), None),
            "/v1/rerank" => (listed("documents"), query),
            "/v1/chat/completions" => read_lines(&question["messages"][1]["content"]),
            other => panic!("nothing is at {other}"),
        };
        let is_chat = path.ends_with("/completions");
        let model = question["model"].as_str().unwrap().to_owned();
        shared.requests.lock().unwrap().push(Request {
            path,
            headers,
            model: model.clone(),
            texts: texts.clone(),
            query: query.clone(),
            dimensions: question["dimensions"].as_u64(),
            connection,
            at: Instant::now(),
        });
        let mood = shared.mood.lock().unwrap().clone();
        let well = |dimension, count| match &query {
            None => vectors(&texts, &model, dimension, count),
            Some(query) if is_chat => numbers(query, &texts),
            Some(query) => scores(query, &texts, count),
        };
        let writer = stream.get_mut();
        if answer(shared, &mood, writer, &model, &texts, &well).is_none() {
            return;
        }
    }
}

/// Path, headers, body.
type Asked = (String, HashMap<String, String>, Vec<u8>);

fn read_request(reader: &mut impl BufRead) -> Option<Asked> {
    let mut headers = HashMap::new();
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let path = line.strip_prefix("POST ")?.strip_suffix(" HTTP/1.1\r\n")?;
    let path = path.to_owned();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some((path, headers, body))
}

/// An answer with the first `count` vectors.
fn vectors(texts: &[String], model: &str, dimension: usize, count: usize) -> String {
    // Out of order, because a service may.
    let data = texts.iter().take(count).enumerate().rev();
    let data = data.map(|(index, text)| {
        json!({"object": "embedding", "index": index,
               "embedding": embed(text, model, dimension)})
    });
    let data: Vec<Value> = data.collect();
    json!({"object": "list", "data": data, "model": model,
           "usage": {"prompt_tokens": 7, "total_tokens": 7}})
    .to_string()
}

/// An answer with the first `count` scores, best first: how many meanings a text shares with the query.
fn scores(query: &str, texts: &[String], count: usize) -> String {
    let query = embed(query, "order", 256);
    let texts = texts.iter().take(count).enumerate();
    let mut scores: Vec<(f64, usize)> = texts
        .map(|(index, text)| {
            let pairs = query.iter().zip(embed(text, "order", 256));
            (
                pairs.map(|(a, b)| f64::from(*a) * f64::from(b)).sum(),
                index,
            )
        })
        .collect();
    scores.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let results = scores.iter();
    let results = results.map(|(score, index)| json!({"index": index, "relevance_score": score}));
    let results: Vec<Value> = results.collect();
    json!({"results": results, "usage": {"total_tokens": 11}}).to_string()
}

/// The lines and the question that somebody who asks for lines puts into a message.
fn read_lines(message: &Value) -> (Vec<String>, Option<String>) {
    let (question, lines) = message
        .as_str()
        .unwrap()
        .split_once("\n\nLines:\n")
        .unwrap();
    let question = question.strip_prefix("Question:\n").unwrap().to_owned();
    let lines = lines.lines().zip(1..);
    let lines = lines.map(|(line, number)| {
        let line = line.strip_prefix(&format!("{number}: "));
        line.unwrap().to_owned()
    });
    (lines.collect(), Some(question))
}

/// An answer that names the lines with a word of the question, after some thought.
fn numbers(question: &str, lines: &[String]) -> String {
    let words: Vec<&str> = question.split_whitespace().collect();
    let named = lines.iter().zip(1..);
    let named = named.filter(|(line, _)| words.iter().any(|word| line.contains(word)));
    let named: Vec<u32> = named.map(|(_, number)| number).collect();
    let said = format!("<think>not [1, 2]</think>\n{named:?}");
    json!({"choices": [{"index": 0, "message": {"role": "assistant", "content": said}}],
           "usage": {"total_tokens": 13}})
    .to_string()
}

/// `None` when the connection is to end.
fn answer(
    shared: &Shared,
    mood: &Mood,
    writer: &mut impl Write,
    model: &str,
    texts: &[String],
    whole: &dyn Fn(usize, usize) -> String,
) -> Option<()> {
    let well = || whole(shared.dimension, texts.len());
    match mood {
        Mood::Well => write(writer, 200, "", &well()),
        Mood::Status(status, wait) => {
            let wait = wait.map(|wait| format!("Retry-After: {wait}\r\n"));
            // Some services repeat what they were sent.
            let body = format!("{{\"error\": \"bad key {KEY}\"}}");
            write(writer, *status, &wait.unwrap_or_default(), &body)
        }
        Mood::Slow(pause) => {
            std::thread::sleep(*pause);
            write(writer, 200, "", &well())
        }
        Mood::Drip => {
            writer
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                .ok()?;
            while writer.write_all(b" ").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
            None
        }
        Mood::Garbage => write(writer, 200, "", "<html>it works</html>"),
        Mood::Dimension(dimension) => write(writer, 200, "", &whole(*dimension, texts.len())),
        Mood::TooFew => write(writer, 200, "", &whole(shared.dimension, texts.len() - 1)),
        Mood::Zeros => {
            let zeros = vec![0.0; shared.dimension];
            let data: Vec<Value> = texts.iter().map(|_| json!({"embedding": zeros})).collect();
            write(writer, 200, "", &json!({"data": data}).to_string())
        }
        Mood::Close => None,
        Mood::Flood => {
            writer
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")
                .ok()?;
            while writer.write_all(&[b' '; 65_536]).is_ok() {}
            None
        }
        Mood::Refusing(word) => match texts.iter().any(|text| text.contains(word)) {
            true => write(writer, 413, "", "{}"),
            false => write(writer, 200, "", &well()),
        },
        Mood::Only(models) => match models.contains(&model) {
            true => write(writer, 200, "", &well()),
            false => write(writer, 404, "", "{}"),
        },
    }
}

fn write(writer: &mut impl Write, status: u16, headers: &str, body: &str) -> Option<()> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\n\r\n");
    writer.write_all((head + body).as_bytes()).ok()
}

/// The model's vector of a text: each model has its own.
pub fn embed(text: &str, model: &str, dimension: usize) -> Vec<f32> {
    let mut vector = vec![0.0_f32; dimension];
    let words = text.split(|c: char| !c.is_alphanumeric());
    for word in words.filter(|word| !word.is_empty()) {
        let word = word.to_lowercase();
        let mut meanings = SYNONYMS.iter();
        let meaning = meanings.find(|same| same.contains(&word.as_str()));
        let meaning = meaning.map_or(word.as_str(), |same| same[0]);
        let mut state = meaning
            .bytes()
            .chain(model.bytes())
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        for x in &mut vector {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *x += if mixed & (1 << 40) == 0 { 1.0 } else { -1.0 };
        }
    }
    if vector.iter().all(|x| *x == 0.0) {
        vector[0] = 1.0;
    }
    vector
}
