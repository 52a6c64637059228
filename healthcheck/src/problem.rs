//! Why the probe fails, and what to do.

use crate::text::Text;

/// How long a connection may take, in milliseconds. The system makes one on loopback at once,
/// whatever the server does, unless too many wait already.
pub const CONNECT_MS: u16 = 150;

/// How long the answer may take after that, in milliseconds: longer than the 500 ms after which the
/// server gives up on its store, and together with the connection well under the second that a
/// container engine waits.
pub const ANSWER_MS: u16 = 700;

/// A reason to call the server unhealthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// `SAGE_PORT` is no port.
    NoPort,
    /// The port is 0, which for the server is any free one.
    AnyPort,
    /// `SAGE_LISTEN` does not say a port.
    NoAddress,
    /// Nobody listens.
    Refused,
    /// No connection in time.
    NoConnection,
    /// The connection ended without an answer.
    Closed,
    /// Not a byte in time.
    NoAnswer,
    /// The answer ended, or time was up, before it said anything.
    Partial,
    /// Not an answer of HTTP/1.
    NotHttp,
    /// An answer other than 200.
    Status(u16),
    /// The system refused a call, with this error number.
    System(u16),
}

/// In the sentences below: where the address that was asked stands.
const ADDRESS: u8 = b'@';

/// And where the number stands that says more.
const NUMBER: u8 = b'#';

impl Problem {
    /// One line for whoever reads the log: what the probe of that port met, and what to do where
    /// that is known.
    pub fn reason(self, port: u16) -> Text {
        let mut text = Text::new();
        text.add("healthcheck: ");
        for byte in self.sentence().bytes() {
            match byte {
                ADDRESS => text.add("127.0.0.1:").add_number(port),
                NUMBER => text.add_number(self.number()),
                byte => text.add_byte(byte),
            };
        }
        text.add("\n");
        text
    }

    fn sentence(self) -> &'static str {
        match self {
            Self::NoPort => "SAGE_PORT is no port; set it to a number from 1 to 65535",
            Self::AnyPort => {
                "port 0 means any, and only the server knows which; set SAGE_PORT to a fixed one"
            }
            Self::NoAddress => {
                "SAGE_LISTEN names no HOST:PORT to ask at; set SAGE_PORT to a port of the server"
            }
            Self::Refused => "nothing listens at @; if the server runs, set SAGE_PORT to its port",
            Self::NoConnection => "no connection to @ in time; too many wait there",
            Self::Closed => "@ closed the connection without an answer",
            Self::NoAnswer => "no answer from @ within # ms; the server hangs or is overloaded",
            Self::Partial => "not even a whole status line from @ in time",
            Self::NotHttp => "no HTTP/1 answer from @; SAGE_PORT may be another program's port",
            Self::Status(_) => {
                "the server at @ answered # to GET /health, not 200; its log says why"
            }
            Self::System(_) => "the system refuses a connection to @: error #",
        }
    }

    fn number(self) -> u16 {
        match self {
            Self::NoAnswer => ANSWER_MS,
            Self::Status(number) | Self::System(number) => number,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_one_whole_line() {
        for problem in [
            Problem::NoPort,
            Problem::AnyPort,
            Problem::NoAddress,
            Problem::Refused,
            Problem::NoConnection,
            Problem::Closed,
            Problem::NoAnswer,
            Problem::Partial,
            Problem::NotHttp,
            Problem::Status(999),
            Problem::System(4_095),
        ] {
            let reason = problem.reason(65_535);
            let line = str::from_utf8(reason.as_bytes()).unwrap();
            assert!(line.starts_with("healthcheck: "), "{line}");
            assert_eq!(line.find('\n'), Some(line.len() - 1), "{line}");
        }
    }

    #[test]
    fn a_reason_has_the_numbers_that_matter() {
        let is = |problem: Problem, line: &str| {
            assert_eq!(str::from_utf8(problem.reason(9_000).as_bytes()), Ok(line));
        };
        is(
            Problem::Status(503),
            "healthcheck: the server at 127.0.0.1:9000 answered 503 to GET /health, not 200; \
             its log says why\n",
        );
        is(
            Problem::NoAnswer,
            "healthcheck: no answer from 127.0.0.1:9000 within 700 ms; \
             the server hangs or is overloaded\n",
        );
        is(
            Problem::System(101),
            "healthcheck: the system refuses a connection to 127.0.0.1:9000: error 101\n",
        );
    }
}
