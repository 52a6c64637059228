//! Asks the Sage server on this machine whether it is healthy: the `HEALTHCHECK` of its image,
//! which holds no shell and no curl. It is alone in its failures as well: it shares no line with
//! the server it judges.
//!
//! `healthcheck`, without arguments, sends `GET /health` to `http://127.0.0.1:$SAGE_PORT`, and
//! exits with
//!
//! - 0, and says nothing, if the answer is `HTTP/1.x 200`;
//! - 1, and one line of reason on stderr, in every other case. There is no third code: Docker
//!   reserves 2.
//!
//! `SAGE_PORT` is where it asks, whatever else is set. Where that is not set, it asks at the port
//! of the first `HOST:PORT` in `SAGE_LISTEN`, else at 17800: what moves the server moves the probe.
//! It asks at 127.0.0.1 only, so a server that listens at other addresses has to listen there too.
//!
//! It ends within 0.85 s: 150 ms for a connection and 700 ms for the first 13 bytes of an answer,
//! however slowly they trickle in. Sending takes no time: a new connection has room for a request.
//!
//! It takes less than 4 KB, without a library: `sys` holds the system calls and all that is unsafe,
//! the library of this package every decision, and with them the unit tests. `cargo build
//! --release` makes the static program for `gnu` and `musl` targets alike, and the same bytes in
//! every folder.

#![no_std]
#![no_main]
#![no_builtins]

mod sys;

use healthcheck::{Problem, answer, port, problem, request};
use sys::{Environment, Errno, Socket};

/// What the program does, from the system's entry to the exit code.
fn run(environment: &Environment) -> u8 {
    // Whoever reads the reason may be gone, which is no reason to end by a signal.
    sys::block_broken_pipe();
    let port = port::choose(
        environment.get(b"SAGE_PORT"),
        environment.get(b"SAGE_LISTEN"),
    );
    let (port, outcome) = match port {
        Ok(port) => (port, probe(port)),
        Err(problem) => (0, Err(problem)),
    };
    match outcome {
        Ok(()) => 0,
        Err(problem) => {
            // Where nobody reads the reason, the exit code has to do.
            let _ = sys::write_error(problem.reason(port).as_bytes());
            1
        }
    }
}

fn probe(port: u16) -> Result<(), Problem> {
    let socket = Socket::open().map_err(|errno| Problem::System(errno.0))?;
    socket
        .limit(problem::CONNECT_MS, problem::ANSWER_MS)
        .map_err(|errno| Problem::System(errno.0))?;
    socket.connect(port).map_err(|errno| match errno {
        Errno::REFUSED => Problem::Refused,
        Errno::IN_PROGRESS => Problem::NoConnection,
        errno => Problem::System(errno.0),
    })?;
    // Nothing is lost with an error here: receiving meets it as well, and tells it better.
    let _ = socket.send(request::get_health(port).as_bytes());
    let mut beginning = [0; answer::BYTES];
    let count = socket
        .receive(&mut beginning)
        .map_err(|errno| match errno {
            Errno::AGAIN => Problem::NoAnswer,
            Errno::RESET => Problem::Closed,
            errno => Problem::System(errno.0),
        })?;
    answer::judge(beginning.get(..count).unwrap_or_default())
}
