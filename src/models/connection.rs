//! HTTP/1.1 towards a model's service: one address, a few connections that are kept.

use std::sync::{Arc, Mutex, PoisonError};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Connections that are kept: as many as are ever used at once.
const IDLE_MAX: usize = 8;

/// Where the service is.
pub(super) struct Address {
    pub host: String,
    pub port: u16,
    /// Nothing for plain HTTP.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// The target of every request.
    pub uri: Uri,
}

/// Connections to one address.
pub(super) struct Connections {
    address: Address,
    idle: Mutex<Vec<Sender>>,
}

type Sender = SendRequest<Full<Bytes>>;

/// What goes over the wire, encrypted or not: one type, so that there is one copy of hyper.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Why there is no answer: words without secrets.
pub(super) type Lost = String;

impl Connections {
    pub fn new(address: Address) -> Self {
        Self {
            address,
            idle: Mutex::default(),
        }
    }

    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Sends a request and reads the answer's head.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Kept<'_>), Lost> {
        while let Some(mut sender) = self.take() {
            if sender.ready().await.is_err() {
                continue;
            }
            match sender.send_request(request.clone()).await {
                Ok(response) => return Ok((response, Kept(self, sender))),
                // The service closed what it had kept for too long; nobody has seen the request.
                Err(error) if error.is_canceled() || error.is_incomplete_message() => {}
                Err(error) => return Err(words(&error)),
            }
        }
        let mut sender = self.connect().await?;
        match sender.send_request(request).await {
            Ok(response) => Ok((response, Kept(self, sender))),
            Err(error) => Err(words(&error)),
        }
    }

    fn take(&self) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|sender| !sender.is_closed());
        idle.pop()
    }

    async fn connect(&self) -> Result<Sender, Lost> {
        let address = &self.address;
        let stream = TcpStream::connect((address.host.as_str(), address.port));
        let stream = stream.await.map_err(|error| words(&error))?;
        // A request is written whole; waiting for more would only add to it.
        stream.set_nodelay(true).map_err(|error| words(&error))?;
        let wire: Box<dyn Wire> = match &address.tls {
            None => Box::new(stream),
            Some(tls) => {
                let name = ServerName::try_from(address.host.clone());
                let name = name.map_err(|error| words(&error))?;
                let connector = TlsConnector::from(Arc::clone(tls));
                let encrypted = connector.connect(name, stream).await;
                Box::new(encrypted.map_err(|error| words(&error))?)
            }
        };
        let made = handshake(TokioIo::new(wire)).await;
        let (sender, connection) = made.map_err(|error| words(&error))?;
        // It ends when the sender is dropped or the service closes; how is told by the request.
        tokio::spawn(async move { drop(connection.await) });
        Ok(sender)
    }
}

/// A connection whose answer is being read.
pub(super) struct Kept<'a>(&'a Connections, Sender);

impl Kept<'_> {
    /// Reads the rest of the answer, at most this many bytes; then the connection is free for the
    /// next request.
    pub async fn read(self, body: Incoming, bytes_max: usize) -> Result<Bytes, Lost> {
        let read = Limited::new(body, bytes_max).collect().await;
        let read = read.map_err(|error| words(error.as_ref()))?.to_bytes();
        let Self(connections, sender) = self;
        let mut idle = connections
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(sender);
        }
        Ok(read)
    }
}

fn words(error: &dyn std::error::Error) -> Lost {
    let mut text = error.to_string();
    if let Some(source) = error.source() {
        text.push_str(": ");
        text.push_str(&source.to_string());
    }
    text
}
