//! Asks our own servers on this machine.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::{Result, bail};
use ureq::typestate::WithoutBody;
use ureq::{Agent, RequestBuilder};

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Who asks: keeps up to `connections` open for the next questions. Any status is an answer, no redirect is followed, and no
/// proxy of the environment is asked.
pub(crate) fn agent(connections: usize, limit: Duration) -> Agent {
    Agent::config_builder()
        .proxy(None)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_idle_connections(connections)
        .max_idle_connections_per_host(connections)
        .timeout_global(Some(limit))
        .build()
        .new_agent()
}

/// Asks, and reads the answer to its end.
pub(crate) fn call(request: RequestBuilder<WithoutBody>) -> Result<Answer> {
    let mut response = request.call()?;
    Ok(Answer {
        status: response.status().as_u16(),
        body: response.body_mut().read_to_string()?,
    })
}

/// One question on a connection of its own. `token`: sent as bearer.
pub(crate) fn get(
    address: SocketAddr,
    path: &str,
    token: Option<&str>,
    limit: Duration,
) -> Result<Answer> {
    let mut request = agent(0, limit)
        .get(format!("http://{address}{path}"))
        .header("Accept", "application/json");
    if let Some(token) = token {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    call(request)
}

/// The cookie of a new session, as `name=value`.
pub(crate) fn sign_in(address: SocketAddr, name: &str, password: &str) -> Result<String> {
    let answer = agent(0, Duration::from_secs(10))
        .post(format!("http://{address}/sign-in"))
        .send_form([("name", name), ("password", password)])?;
    let header = |name: &str| answer.headers().get(name)?.to_str().ok();
    // Who is refused gets a cookie too, and the form again.
    match (header("location"), header("set-cookie")) {
        (Some("/"), Some(cookie)) => Ok(cookie.split(';').next().unwrap_or_default().to_owned()),
        (location, _) => bail!(
            "{name} could not sign in: {}, to {location:?}",
            answer.status()
        ),
    }
}

/// Whether the server says that it is ready.
pub(crate) fn is_ready(address: SocketAddr) -> bool {
    get(address, "/readyz", None, Duration::from_secs(2)).is_ok_and(|answer| answer.status == 200)
}

/// A port of the loopback interface that nobody listens on at this moment.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::thread;

    use anyhow::Context as _;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    /// Takes one connection and no other; answers `answers` questions on it.
    fn server(
        answer: &'static str,
        answers: usize,
    ) -> Result<(SocketAddr, thread::JoinHandle<Result<()>>)> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let serving = thread::spawn(move || -> Result<()> {
            let (stream, _) = listener.accept()?;
            let mut lines = BufReader::new(&stream).lines();
            for _ in 0..answers {
                while !lines
                    .next()
                    .context("the connection was closed")??
                    .is_empty()
                {}
                (&stream).write_all(answer.as_bytes())?;
            }
            // A connection that is closed with something unread takes the answer with it.
            while lines.next().is_some_and(|line| line.is_ok()) {}
            Ok(())
        });
        Ok((address, serving))
    }

    #[test]
    fn a_connection_is_kept_and_any_status_is_an_answer() -> Result<()> {
        const NO: &str = "HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n";
        let (address, serving) = server(NO, 2)?;
        let agent = agent(1, LIMIT);
        for _ in 0..2 {
            let answer = call(agent.get(format!("http://{address}/")))?;
            assert_eq!((answer.status, answer.body.as_str()), (503, "no"));
        }
        drop(agent);
        serving.join().expect("it did not panic")
    }

    #[test]
    fn a_session_is_the_cookie_of_whoever_was_let_in() -> Result<()> {
        const IN: &str = "HTTP/1.1 303 See Other\r\nLocation: /\r\nSet-Cookie: entrepot=x; Path=/\r\nContent-Length: 0\r\n\r\n";
        const OUT: &str = "HTTP/1.1 303 See Other\r\nLocation: /sign-in\r\nSet-Cookie: entrepot=x; Path=/\r\nContent-Length: 0\r\n\r\n";
        let (address, _serving) = server(IN, 1)?;
        assert_eq!(sign_in(address, "mara", "right")?, "entrepot=x");
        let (address, _serving) = server(OUT, 1)?;
        assert!(sign_in(address, "mara", "wrong").is_err());
        Ok(())
    }
}
