//! Requests to a model's service: within their time, tried again where that helps, and not at all
//! while the service answers nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{HeaderMap, Request, StatusCode, Uri};
use serde::Serialize;
use tokio::time::{sleep, timeout};

use super::budget::Budget;
use super::connection::{Address, Connections};
use crate::blocking::blocking;
use crate::breaker::{Breaker, Circuit, spread};
use crate::config::{Names, ServiceConfig};
use crate::error::{Error, Result};
use crate::tls;

/// A service that is overloaded is left alone for longer than a database that restarts.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(120);

/// How often patient work is tried, and the first wait in between, which doubles.
const TRIES_MAX: u32 = 4;
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// A service that wants to be left alone for longer than this is not waited for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(20);

/// The longest answer: 32 vectors of 16,384 numbers of 20 characters each are 10.5 MB.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The service, or the way to it, is away or overloaded for the moment.
    Away(String),
    /// It does not know who asks, or does not let them.
    Denied(String),
    /// It does not take this very request, and will not later.
    Refused(String),
    /// What it answered is not what was asked for.
    Wrong(String),
    /// The tokens of the day are used up.
    Spent(String),
}

impl Failure {
    /// What it means, in words.
    pub fn message(&self) -> &str {
        let (Self::Away(text)
        | Self::Denied(text)
        | Self::Refused(text)
        | Self::Wrong(text)
        | Self::Spent(text)) = self;
        text
    }

    fn error(&self) -> Error {
        Error::Unavailable(self.message().to_owned())
    }
}

/// How a service is.
#[derive(Debug, Clone)]
pub struct ServiceHealth {
    /// Whether it is asked.
    pub circuit: Circuit,
    /// What went wrong last, if nothing went well since.
    pub problem: Option<String>,
    /// Requests that were answered well.
    pub answered: u64,
    /// Requests that were not.
    pub failed: u64,
    /// Tokens that were sent.
    pub tokens: u64,
    /// Tokens that were sent today (UTC) by all processes with this data folder, as of the last
    /// request.
    pub tokens_today: u64,
}

/// One address of a model's service.
pub(super) struct Service {
    names: &'static Names,
    connections: Connections,
    authorization: Option<HeaderValue>,
    timeout: Duration,
    breaker: Breaker,
    answered: AtomicU64,
    failed: AtomicU64,
    tokens: AtomicU64,
    budget: Arc<Budget>,
    spent_today: AtomicU64,
}

/// Whether an answer may be waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// Somebody waits: one try.
    One,
    /// Nobody waits: several.
    Several,
}

impl Service {
    /// The one at this path of the configured address.
    pub fn new(config: &ServiceConfig, url: &str, path: &str) -> Result<Self> {
        let names = config.names;
        let wrong = |why: &str| Error::invalid(names.url, why.to_owned());
        let whole = match url.ends_with(path) {
            true => url.to_owned(),
            false => format!("{url}{path}"),
        };
        let uri: Uri = whole.parse().map_err(|_| wrong("it is not an address"))?;
        let is_encrypted = uri.scheme_str() == Some("https");
        let host = uri.host().ok_or_else(|| wrong("it names no host"))?;
        let tls = match is_encrypted {
            false => None,
            true => {
                let roots = tls::roots(names.ca_file, config.ca_file.as_deref())?;
                Some(Arc::new(tls::client(roots)?))
            }
        };
        let authorization = config.read_key()?.map(|key| {
            let mut value = HeaderValue::try_from(format!("Bearer {}", key.reveal()))
                .map_err(|_| Error::invalid(names.key, "it holds a character no key has"))?;
            value.set_sensitive(true);
            Ok(value)
        });
        let address = Address {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri
                .port_u16()
                .unwrap_or(if is_encrypted { 443 } else { 80 }),
            tls,
            uri,
        };
        Ok(Self {
            names,
            connections: Connections::new(address),
            authorization: authorization.transpose()?,
            timeout: config.timeout,
            breaker: Breaker::new(PAUSE_MIN, PAUSE_MAX),
            answered: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            tokens: AtomicU64::new(0),
            budget: Arc::new(Budget::new(&config.spent_file, config.daily_tokens)),
            spent_today: AtomicU64::new(0),
        })
    }

    /// How it is.
    pub fn health(&self) -> ServiceHealth {
        let (circuit, problem) = self.breaker.circuit(Instant::now());
        ServiceHealth {
            circuit,
            problem: problem.map(|problem| problem.to_string()),
            answered: self.answered.load(Relaxed),
            failed: self.failed.load(Relaxed),
            tokens: self.tokens.load(Relaxed),
            tokens_today: self.spent_today.load(Relaxed),
        }
    }

    /// Has it asked again at once; tells whether it was left alone.
    pub fn reset(&self) -> bool {
        self.breaker.reset()
    }

    /// How its settings are called.
    pub fn names(&self) -> &'static Names {
        self.names
    }

    /// How long it is to be left alone.
    pub fn pause(&self) -> Duration {
        self.breaker.pause(Instant::now())
    }

    /// Sends a request of about `estimate` tokens; `read` makes something of the answer, together with
    /// the tokens that the service counted, or says what is wrong with it.
    pub async fn post<T>(
        &self,
        question: &impl Serialize,
        estimate: usize,
        patience: Patience,
        read: impl Fn(&[u8]) -> std::result::Result<(T, Option<u64>), String>,
    ) -> std::result::Result<T, Failure> {
        let estimate = estimate as u64;
        self.take(estimate).await?;
        let (outcome, tokens) = match self.exchange(question, estimate, patience, read).await {
            Ok((value, tokens)) => (Ok(value), tokens),
            Err(failure) => (Err(failure), 0),
        };
        self.settle(estimate, tokens).await;
        outcome
    }

    /// The value of an answer, and the tokens that the request came to.
    async fn exchange<T>(
        &self,
        question: &impl Serialize,
        estimate: u64,
        patience: Patience,
        read: impl Fn(&[u8]) -> std::result::Result<(T, Option<u64>), String>,
    ) -> std::result::Result<(T, u64), Failure> {
        let body = serde_json::to_vec(question);
        let body = Bytes::from(body.map_err(|error| Failure::Refused(error.to_string()))?);
        let mut tries = 1;
        loop {
            let attempt = self.breaker.enter(Instant::now());
            let attempt = attempt.map_err(|error| Failure::Away(error.to_string()))?;
            let (failure, wish) = match self.try_once(body.clone()).await {
                Ok(bytes) => match read(&bytes) {
                    Ok((value, tokens)) => {
                        attempt.succeeded();
                        self.answered.fetch_add(1, Relaxed);
                        return Ok((value, tokens.unwrap_or(estimate)));
                    }
                    Err(why) => (Failure::Wrong(self.says(&why)), None),
                },
                Err(failed) => failed,
            };
            self.failed.fetch_add(1, Relaxed);
            match &failure {
                // It is there, and others of our requests may be to its liking.
                Failure::Refused(_) => attempt.succeeded(),
                failure => attempt.failed(&failure.error(), Instant::now()),
            }
            let pause = wish.unwrap_or_else(|| spread(RETRY_PAUSE * (1 << tries.min(8))));
            let may_help = matches!(failure, Failure::Away(_)) && pause <= RETRY_AFTER_MAX;
            if patience == Patience::One || !may_help || tries >= TRIES_MAX {
                return Err(failure);
            }
            sleep(pause).await;
            tries += 1;
        }
    }

    /// Takes tokens of the day's budget.
    async fn take(&self, tokens: u64) -> std::result::Result<(), Failure> {
        let budget = Arc::clone(&self.budget);
        let taken = budget_turn(move || budget.take(tokens)).await;
        let variable = self.names.daily_tokens;
        let why = match (taken, self.budget.daily_tokens) {
            (Ok(Some(spent)), _) => {
                self.spent_today.store(spent, Relaxed);
                return Ok(());
            }
            // Without a budget it is only counted.
            (_, None) => return Ok(()),
            (Ok(None), Some(limit)) => {
                format!("the {limit} tokens of {variable} are used up until midnight UTC")
            }
            (Err(error), Some(_)) => format!("{variable} cannot be kept: {error}"),
        };
        Err(Failure::Spent(why))
    }

    /// Puts right what was taken. If that fails, more counts as spent than was, and the next request
    /// says why.
    async fn settle(&self, taken: u64, tokens: u64) {
        self.tokens.fetch_add(tokens, Relaxed);
        let budget = Arc::clone(&self.budget);
        if let Ok(Some(spent)) = budget_turn(move || budget.settle(taken, tokens)).await {
            self.spent_today.store(spent, Relaxed);
        }
    }

    async fn try_once(
        &self,
        body: Bytes,
    ) -> std::result::Result<Bytes, (Failure, Option<Duration>)> {
        let away = |why: &str| (Failure::Away(self.says(why)), None);
        let request = self.request(body);
        let request = request.map_err(|error| away(&error.to_string()))?;
        let asking = async {
            let (response, kept) = self.connections.send(request).await?;
            let (head, body) = response.into_parts();
            let body = kept.read(body, ANSWER_BYTES_MAX).await?;
            Ok((head, body))
        };
        let (head, body) = match timeout(self.timeout, asking).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(why)) => {
                let why: String = why;
                return Err(away(&why));
            }
            Err(_) => {
                let ms = self.timeout.as_millis();
                return Err(away(&format!("it did not answer within {ms} ms")));
            }
        };
        match head.status.is_success() {
            true => Ok(body),
            false => Err(self.denial(head.status, &head.headers)),
        }
    }

    fn request(&self, body: Bytes) -> hyper::http::Result<Request<Full<Bytes>>> {
        let uri = &self.connections.address().uri;
        let host = uri.authority().map_or("", |authority| authority.as_str());
        let target = uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::post(target)
            .header(HOST, host)
            .header(USER_AGENT, concat!("sage/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        request.body(Full::new(body))
    }

    /// What an answer means that is none. Its words are not repeated: a service may quote what it
    /// was sent, the key included.
    fn denial(&self, status: StatusCode, headers: &HeaderMap) -> (Failure, Option<Duration>) {
        let says = self.says(&format!("it answered {}", status.as_u16()));
        let Names {
            url, model, key, ..
        } = self.names;
        let failure = match status.as_u16() {
            401..=403 => Failure::Denied(format!("{says}; check {key}")),
            404 | 405 => Failure::Denied(format!("{says}; check {url} and {model}")),
            408 | 425 | 429 | 500.. => Failure::Away(says),
            300..=399 => Failure::Denied(format!("{says}, which leads elsewhere; check {url}")),
            _ => Failure::Refused(says),
        };
        let seconds = headers.get(RETRY_AFTER).and_then(|wait| wait.to_str().ok());
        let seconds = seconds.and_then(|wait| wait.trim().parse().ok());
        (failure, seconds.map(Duration::from_secs))
    }

    fn says(&self, what: &str) -> String {
        let (service, host) = (self.names.service, &self.connections.address().host);
        format!("the {service} at {host}: {what}")
    }
}

async fn budget_turn(
    turn: impl FnOnce() -> std::io::Result<Option<u64>> + Send + 'static,
) -> Result<Option<u64>> {
    blocking(move || turn().map_err(|error| Error::Io(error.to_string()))).await
}

/// Waits for an answer as long as somebody has patience. What comes later still counts for the
/// breaker and the budget, so the asking goes on beside.
pub(super) async fn in_time<T: Send + 'static>(
    names: &Names,
    patience: Duration,
    asking: impl Future<Output = std::result::Result<T, Failure>> + Send + 'static,
) -> std::result::Result<T, Failure> {
    match timeout(patience, tokio::spawn(asking)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(broken)) => Err(Failure::Away(format!("a request broke off: {broken}"))),
        Err(_) => {
            let (service, ms) = (names.service, patience.as_millis());
            let why = format!("the {service} did not answer within {ms} ms");
            Err(Failure::Away(why))
        }
    }
}
