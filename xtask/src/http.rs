//! Just enough HTTP to ask our own server on this machine: one GET per connection.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result};

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// `token`: sent as bearer. The body is as it came: chunk sizes of a chunked answer are not taken out.
pub(crate) fn get(
    address: SocketAddr,
    path: &str,
    token: Option<&str>,
    limit: Duration,
) -> Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    stream.set_nodelay(true)?;
    let authorization = token
        .map(|token| format!("Authorization: Bearer {token}\r\n"))
        .unwrap_or_default();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: application/json\r\n{authorization}Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    parse(&String::from_utf8_lossy(&bytes))
}

fn parse(answer: &str) -> Result<Answer> {
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("the answer has no end of its header")?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|word| word.parse().ok())
        .context("the answer has no status")?;
    Ok(Answer {
        status,
        body: body.to_owned(),
    })
}

/// Whether the server says that it is ready.
pub(crate) fn is_ready(address: SocketAddr) -> bool {
    get(address, "/readyz", None, Duration::from_secs(2)).is_ok_and(|answer| answer.status == 200)
}

/// A port of the loopback interface that nobody listens on at this moment.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("find a free port")?;
    Ok(listener.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_body_are_read() -> Result<()> {
        let answer = parse("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno")?;
        assert_eq!((answer.status, answer.body.as_str()), (503, "no"));
        assert!(parse("HTTP/1.1 200 OK\r\n").is_err());
        assert!(parse("SSH-2.0\r\n\r\n").is_err());
        Ok(())
    }
}
