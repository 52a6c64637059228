//! Which port the server has, read from the settings that the server reads as well.

use crate::Problem;
use crate::text::parse_number;

/// Sage's port where nobody named one.
pub const PORT_DEFAULT: u16 = 17_800;

/// The port of `SAGE_PORT`, else that of the first `HOST:PORT` in `SAGE_LISTEN`, else 17800. A
/// setting that is empty counts as not there, as it does for the server.
pub fn choose(sage_port: Option<&[u8]>, sage_listen: Option<&[u8]>) -> Result<u16, Problem> {
    let is_set = |value: &&[u8]| !value.is_empty();
    let port = match (sage_port.filter(is_set), sage_listen.filter(is_set)) {
        (Some(word), _) => parse_number(word).ok_or(Problem::NoPort)?,
        (None, Some(list)) => first_port(list).ok_or(Problem::NoAddress)?,
        (None, None) => PORT_DEFAULT,
    };
    match port {
        0 => Err(Problem::AnyPort),
        port => Ok(port),
    }
}

/// The port of the first address that is not a socket in the file system.
fn first_port(list: &[u8]) -> Option<u16> {
    let address = list
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .find(|address| !address.starts_with(b"unix:"))?;
    let port = address.rsplit(|byte| *byte == b':').next()?;
    (port.len() < address.len()).then_some(())?;
    parse_number(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(sage_port: &str) -> Result<u16, Problem> {
        choose(Some(sage_port.as_bytes()), None)
    }

    fn listen(sage_listen: &str) -> Result<u16, Problem> {
        choose(None, Some(sage_listen.as_bytes()))
    }

    #[test]
    fn without_settings_it_is_sages_own() {
        assert_eq!(choose(None, None), Ok(17_800));
        assert_eq!(choose(Some(b""), Some(b"")), Ok(17_800));
    }

    #[test]
    fn sage_port_is_a_port_or_a_failure() {
        assert_eq!(port("1"), Ok(1));
        assert_eq!(port("9000"), Ok(9_000));
        assert_eq!(port("65535"), Ok(65_535));
        assert_eq!(port("0"), Err(Problem::AnyPort));
        for also in ["+80", "0080", "0000000080"] {
            assert_eq!(port(also), Ok(80), "{also}");
            assert_eq!(also.parse(), Ok(80_u16), "{also}");
        }
        for wrong in [
            "65536",
            "12x",
            "x",
            "-1",
            "+",
            "++1",
            "99999999999",
            " 80",
            "80 ",
            "8 0",
            "1.5",
            "٣",
        ] {
            assert_eq!(port(wrong), Err(Problem::NoPort), "{wrong}");
            assert!(wrong.parse::<u16>().is_err(), "{wrong}");
        }
        assert_eq!(choose(Some(&[b'9'; 4_000]), None), Err(Problem::NoPort));
        assert_eq!(choose(Some(&[0xff]), None), Err(Problem::NoPort));
    }

    #[test]
    fn sage_listen_counts_where_sage_port_does_not() {
        assert_eq!(listen("0.0.0.0:9000"), Ok(9_000));
        assert_eq!(listen("[::1]:9000"), Ok(9_000));
        assert_eq!(listen("unix:/run/a:1, 0.0.0.0:9000,[::]:9001"), Ok(9_000));
        assert_eq!(listen("0.0.0.0:0"), Err(Problem::AnyPort));
        for wrong in ["unix:/run/sage.sock", "0.0.0.0", "9000", "a:b", "a:", ","] {
            assert_eq!(listen(wrong), Err(Problem::NoAddress), "{wrong}");
        }
        assert_eq!(choose(Some(b"9001"), Some(b"0.0.0.0:9000")), Ok(9_001));
        assert_eq!(choose(Some(b""), Some(b"0.0.0.0:9000")), Ok(9_000));
        assert_eq!(choose(Some(b"x"), Some(b"a:9000")), Err(Problem::NoPort));
    }
}
