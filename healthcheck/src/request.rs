//! The request.

use crate::text::Text;

/// `GET /health` of the server at that port of 127.0.0.1. The server checks by which name it is
/// called, and knows itself by this address whatever it is set to.
pub fn get_health(port: u16) -> Text {
    let mut request = Text::new();
    request
        .add("GET /health HTTP/1.1\r\nHost: 127.0.0.1:")
        .add_number(port)
        .add("\r\nConnection: close\r\n\r\n");
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_http() {
        let expected = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1:80\r\nConnection: close\r\n\r\n";
        assert_eq!(get_health(80).as_bytes(), expected);
    }
}
