//! From a request to its answer: which route, who asks, within which limits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, LOCATION, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;
use uuid::Uuid;

use super::api::Operation;
use super::body::{self, Unread};
use super::guard::Denial;
use super::health::{self, Probe};
use super::reply::{self, Cause, Reply};
use super::tasks::AbortOnDrop;
use super::{Server, api, caller, hooks, mcp, metrics};
use crate::claude::hooks::EVENT_BYTES_MAX;
use crate::config::LogLevel;

/// The longest that a request may take, its body included. A recall takes milliseconds; what is
/// not done by then is stuck, and the caller has given up.
const REQUEST_DEADLINE: Duration = Duration::from_secs(30);

/// A memory holds 256 KiB at most, which JSON may write six times as long; the rest is room for
/// metadata.
const MEMORY_BODY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Routes that read no body; a few bytes do no harm.
const NO_BODY_BYTES_MAX: usize = 4 * 1024;

/// Carries the name under which the log knows the request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Where a request leads.
enum Route {
    /// What this is, for a person with a browser.
    Root,
    Mcp,
    Hooks,
    Health(Probe),
    Metrics,
    Api(&'static Operation),
    /// There is something, but for these methods.
    WrongMethod(String),
    Unknown,
}

impl Route {
    fn of(method: &Method, path: &str) -> Self {
        let probe = match path {
            "/health" => Some(Probe::Health),
            "/health/liveness" => Some(Probe::Liveness),
            "/health/readiness" => Some(Probe::Readiness),
            "/health/detailed" => Some(Probe::Detailed),
            _ => None,
        };
        let (route, methods) = match (path, probe) {
            ("/", _) => (Self::Root, &READING[..]),
            ("/metrics", _) => (Self::Metrics, &READING[..]),
            ("/hooks/claude-code", _) => (Self::Hooks, &[Method::POST][..]),
            ("/mcp", _) => (Self::Mcp, &[Method::POST, Method::DELETE][..]),
            (_, Some(probe)) => (Self::Health(probe), &READING[..]),
            _ => {
                return match api::route(method, path) {
                    api::Route::Found(operation) => Self::Api(operation),
                    api::Route::WrongMethod(allowed) => Self::WrongMethod(allowed),
                    api::Route::Unknown => Self::Unknown,
                };
            }
        };
        match methods.contains(method) {
            true => route,
            false => {
                let allowed: Vec<_> = methods.iter().map(Method::as_str).collect();
                Self::WrongMethod(allowed.join(", "))
            }
        }
    }

    /// Stands for the route in metrics and logs: one of few words, whatever callers send.
    fn label(&self) -> &'static str {
        match self {
            Self::Root => "/",
            Self::Mcp => "/mcp",
            Self::Hooks => "/hooks/claude-code",
            Self::Health(Probe::Health) => "/health",
            Self::Health(Probe::Liveness) => "/health/liveness",
            Self::Health(Probe::Readiness) => "/health/readiness",
            Self::Health(Probe::Detailed) => "/health/detailed",
            Self::Metrics => "/metrics",
            Self::Api(operation) => operation.path,
            Self::WrongMethod(_) => "(wrong method)",
            Self::Unknown => "(unknown)",
        }
    }

    fn body_bytes_max(&self) -> usize {
        match self {
            Self::Mcp => MEMORY_BODY_BYTES_MAX,
            Self::Hooks => EVENT_BYTES_MAX,
            Self::Api(operation) if operation.has_body() => MEMORY_BODY_BYTES_MAX,
            _ => NO_BODY_BYTES_MAX,
        }
    }

    /// Whether it is asked for all the time, and not worth a line when all is well.
    fn is_polled(&self) -> bool {
        matches!(self, Self::Health(_) | Self::Metrics)
    }

    fn reads_json(&self) -> bool {
        match self {
            Self::Mcp | Self::Hooks => true,
            Self::Api(operation) => operation.has_body(),
            _ => false,
        }
    }
}

const READING: [Method; 2] = [Method::GET, Method::HEAD];

/// Answers one request. `is_local` says whether it came by a way that only this machine has.
pub async fn answer(server: Arc<Server>, is_local: bool, request: Request<Incoming>) -> Reply {
    let started = Instant::now();
    let id = request_id();
    let (head, body) = request.into_parts();
    let route = Route::of(&head.method, head.uri.path());
    let method = head.method.clone();
    let path = head.uri.path().to_owned();

    let (label, is_polled) = (route.label(), route.is_polled());
    let mut reply = match admit(&server, &route, is_local, &head) {
        Ok(is_trusted) => serve(&server, route, is_trusted, head, body, &id).await,
        Err(denial) => deny(&server, denial),
    };

    reply::secure(&mut reply);
    reply::set(&mut reply, REQUEST_ID, &id);
    let elapsed = started.elapsed();
    let status = reply.status();
    server.metrics.request(label, &method, status, elapsed);
    let denial = reply.extensions().get::<Denial>();
    let cause = reply.extensions().get::<Cause>();
    let level = match (is_polled, status) {
        (true, status) if status.is_success() => LogLevel::Debug,
        (_, status) if status.is_server_error() || denial.is_some() => LogLevel::Warn,
        _ => LogLevel::Info,
    };
    // The path only: queries hold what somebody looks for.
    let mut fields = vec![
        ("id", json!(id)),
        ("method", json!(method.as_str())),
        ("path", shorten(&path)),
        ("status", json!(status.as_u16())),
        ("ms", json!((elapsed.as_secs_f64() * 1e6).round() / 1e3)),
    ];
    fields.extend(denial.map(|denial| ("denied", json!(denial.name()))));
    fields.extend(cause.map(|cause| ("error", json!(cause.0))));
    server.log.event(level, "request", &fields);
    reply
}

/// Whether to answer at all, and whether the caller may see more than the status.
fn admit(server: &Server, route: &Route, is_local: bool, head: &Parts) -> Result<bool, Denial> {
    server.guard.check_names(head)?;
    let has_token = server.guard.has_token(&head.headers);
    match route {
        Route::Health(_) => Ok(is_local || has_token),
        _ if has_token => Ok(true),
        _ => Err(Denial::Token),
    }
}

fn deny(server: &Server, denial: Denial) -> Reply {
    server.metrics.denied(denial);
    let status = match denial {
        Denial::NoHost => StatusCode::BAD_REQUEST,
        Denial::Host | Denial::Origin => StatusCode::FORBIDDEN,
        Denial::Token => StatusCode::UNAUTHORIZED,
    };
    let mut reply = reply::error(status, "denied", denial.message());
    reply.extensions_mut().insert(denial);
    if denial == Denial::Token {
        reply::set(&mut reply, WWW_AUTHENTICATE, "Bearer realm=\"sage\"");
    }
    reply
}

/// Everything behind the door: limits, deadline, and a task of its own, so that a panic ends one
/// request and nothing else.
async fn serve(
    server: &Arc<Server>,
    route: Route,
    is_trusted: bool,
    head: Parts,
    body: Incoming,
    id: &str,
) -> Reply {
    match route {
        Route::Unknown => return reply::error(StatusCode::NOT_FOUND, "not_found", NOWHERE),
        Route::WrongMethod(allowed) => {
            let message = format!("this path takes {allowed}");
            let mut reply = reply::error(StatusCode::METHOD_NOT_ALLOWED, "invalid", &message);
            reply::set(&mut reply, ALLOW, &allowed);
            return reply;
        }
        // Never behind others: whoever asks wants to know whether there is a queue.
        Route::Health(probe) => return health::answer(server, probe, is_trusted).await,
        Route::Metrics => return metrics::answer(server).await,
        _ => {}
    }
    let label = route.label();
    let shared = Arc::clone(server);
    let work = tokio::spawn(async move { perform(&shared, route, head, body).await });
    // The caller who goes away takes the work along, unless a route decides otherwise.
    let _abort = AbortOnDrop(work.abort_handle());
    match timeout(REQUEST_DEADLINE, work).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(_)) => {
            let failed = "Sage failed on this request, please report it";
            server.log.event(
                LogLevel::Error,
                "panic",
                &[("id", json!(id)), ("route", json!(label))],
            );
            reply::error(StatusCode::INTERNAL_SERVER_ERROR, "internal", failed)
        }
        Err(_) => {
            let seconds = REQUEST_DEADLINE.as_secs();
            let message = format!(
                "this took longer than {seconds} s; what it had begun may still be carried out"
            );
            reply::error(StatusCode::SERVICE_UNAVAILABLE, "unavailable", &message)
        }
    }
}

const NOWHERE: &str = "there is nothing here; known are /mcp, /health, /metrics and \
                       /api/openapi.json, which describes the rest";

async fn perform(server: &Arc<Server>, route: Route, head: Parts, body: Incoming) -> Reply {
    if route.reads_json() && head.method != Method::DELETE && !is_json(&head) {
        return reply::error(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "invalid",
            "Content-Type: expected application/json",
        );
    }
    let body_max = route.body_bytes_max();
    let receiving = server.limits.receive();
    let read = body::read(body, body_max, &server.limits.large_bodies).await;
    drop(receiving);
    let read = match read {
        Ok(read) => read,
        Err(unread) => return not_read(unread, body_max),
    };
    // Not before: whoever sends slowly takes no place from anybody.
    let Some(_place) = server.limits.enter() else {
        return busy();
    };
    server.work.notify_one();
    match route {
        Route::Mcp => mcp::answer(server, &head, read.bytes).await,
        Route::Hooks => hooks::answer(server, &head, &read.bytes).await,
        Route::Api(operation) => call(server, operation, &head, &read.bytes).await,
        _ => about(),
    }
}

async fn call(server: &Server, operation: &Operation, head: &Parts, body: &[u8]) -> Reply {
    let answered = async {
        let request = api::Request {
            path: head.uri.path(),
            query: head.uri.query(),
            body,
            hints: caller::hints(server, &head.headers).await?,
            context_tokens: server.context_tokens,
        };
        api::handle(&server.engine, operation, request).await
    };
    match answered.await {
        Ok(answer) => {
            let mut reply = reply::json(answer.status, &answer.body);
            if let Some(location) = answer.location {
                reply::set(&mut reply, LOCATION, &location);
            }
            reply
        }
        Err(error) => reply::failure(&error),
    }
}

fn busy() -> Reply {
    reply::error(
        StatusCode::SERVICE_UNAVAILABLE,
        "unavailable",
        "too many requests at once; the same one works in a moment",
    )
}

fn not_read(unread: Unread, bytes_max: usize) -> Reply {
    let (status, message) = match unread {
        Unread::TooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is longer than {bytes_max} bytes"),
        ),
        Unread::TooSlow => (
            StatusCode::REQUEST_TIMEOUT,
            "the body did not come in time".to_owned(),
        ),
        Unread::Broken => (
            StatusCode::BAD_REQUEST,
            "the body could not be read".to_owned(),
        ),
        Unread::NoPlace => (
            StatusCode::SERVICE_UNAVAILABLE,
            "too many large bodies at once; the same request works in a moment".to_owned(),
        ),
    };
    let kind = match status {
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        _ => "invalid",
    };
    let mut reply = reply::error(status, kind, &message);
    // What is left of the body would be taken for the next request.
    reply::set(&mut reply, CONNECTION, "close");
    reply
}

/// Whether the body calls itself JSON. Pages of other sites cannot send that without asking first,
/// which is never granted.
fn is_json(head: &Parts) -> bool {
    let named = head
        .headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    named.is_some_and(|value| {
        let media_type = value.split(';').next().unwrap_or(value).trim();
        media_type.eq_ignore_ascii_case(reply::JSON)
    })
}

fn about() -> Reply {
    let text = format!(
        "Sage {}: long-term memory for Claude Code.\n\n\
         /mcp               the Model Context Protocol (Streamable HTTP)\n\
         /hooks/claude-code what Claude Code's hooks tell\n\
         /health            how the server is\n\
         /metrics           numbers for Prometheus\n\
         /api/openapi.json  the JSON API, described\n",
        env!("CARGO_PKG_VERSION")
    );
    reply::whole(StatusCode::OK, "text/plain; charset=utf-8", text)
}

/// A name for a request that tells nothing about others.
fn request_id() -> String {
    let mut id = Uuid::new_v4().simple().to_string();
    id.truncate(16);
    id
}

/// A path as far as a log needs it.
fn shorten(path: &str) -> Value {
    Value::from(path.chars().take(200).collect::<String>())
}
