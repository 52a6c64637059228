//! What an answer says.

use crate::Problem;
use crate::text::parse_number;

/// As much of an answer as tells everything: `HTTP/1.1 200` and the byte after it, without which
/// 200 could be the beginning of 2000. Every HTTP answer is longer.
pub const BYTES: usize = 13;

/// Accepts the beginning of an answer if it says 200; fewer bytes than [`BYTES`] are an answer that
/// never came to its end.
pub fn judge(beginning: &[u8]) -> Result<(), Problem> {
    if beginning.len() < BYTES {
        return Err(match beginning {
            [] => Problem::Closed,
            _ => Problem::Partial,
        });
    }
    match status(beginning) {
        Some(200) => Ok(()),
        Some(status) => Err(Problem::Status(status)),
        None => Err(Problem::NotHttp),
    }
}

fn status(beginning: &[u8]) -> Option<u16> {
    match beginning.strip_prefix(b"HTTP/1.")? {
        [b'0'..=b'9', b' ', status @ .., b' ' | b'\r'] => parse_number(status),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_200_is_healthy() {
        for healthy in [b"HTTP/1.1 200 ", b"HTTP/1.0 200 ", b"HTTP/1.1 200\r"] {
            assert_eq!(judge(healthy), Ok(()));
        }
        assert_eq!(judge(b"HTTP/1.1 503 "), Err(Problem::Status(503)));
        assert_eq!(judge(b"HTTP/1.1 404 "), Err(Problem::Status(404)));
        assert_eq!(judge(b"HTTP/1.1 204\r"), Err(Problem::Status(204)));
    }

    #[test]
    fn what_is_not_http_is_not_healthy() {
        for other in [
            b"HTTP/1.1 2000",
            b"HTTP/1.1 20x ",
            b"HTTP/1.1  200",
            b"HTTP/2.0 200 ",
            b"HTTP/1.x 200 ",
            b"http/1.1 200 ",
            b"SSH-2.0-OpenS",
            b"\0\0\0\0\0\0\0\0\0\0\0\0\0",
        ] {
            assert_eq!(judge(other), Err(Problem::NotHttp));
        }
    }

    #[test]
    fn an_answer_has_to_be_whole() {
        assert_eq!(judge(b""), Err(Problem::Closed));
        assert_eq!(judge(b"H"), Err(Problem::Partial));
        assert_eq!(judge(b"HTTP/1.1 200"), Err(Problem::Partial));
    }
}
