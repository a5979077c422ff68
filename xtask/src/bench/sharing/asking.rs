//! Asks over a socket of its own, and reads as fast as the server writes: a client that unpacks what it reads would be measured, too.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// Nothing measured takes longer without a byte: at the most the state of five million files is read meanwhile.
const PATIENCE: Duration = Duration::from_secs(240);
const BUFFER: usize = 256 << 10;

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Question {
    method: &'static str,
    path: String,
    body: Option<String>,
    token: Option<String>,
    gzip: bool,
    keeps: bool,
}

/// What came back. Times in seconds, from before the connection was made.
pub(super) struct Answer {
    pub(super) status: u16,
    /// To the body's first byte, or to the end where there is none.
    pub(super) first: f64,
    pub(super) whole: f64,
    /// Of the body, as they came.
    pub(super) bytes: u64,
    /// Where it was kept, else no more than its beginning.
    pub(super) body: Vec<u8>,
}

impl Question {
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self {
            method: "GET",
            path: path.into(),
            body: None,
            token: None,
            gzip: false,
            keeps: false,
        }
    }

    pub(super) fn post(path: impl Into<String>, body: &Value) -> Self {
        Self {
            method: "POST",
            body: Some(body.to_string()),
            ..Self::get(path)
        }
    }

    pub(super) fn by(self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self
        }
    }

    pub(super) fn gzip(self) -> Self {
        Self { gzip: true, ..self }
    }

    /// The body is wanted, not its size alone.
    pub(super) fn keeping(self) -> Self {
        Self {
            keeps: true,
            ..self
        }
    }

    fn text(&self, address: SocketAddr) -> String {
        let Self {
            method,
            path,
            body,
            token,
            gzip,
            ..
        } = self;
        let mut text =
            format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
        if let Some(token) = token {
            text.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        if *gzip {
            text.push_str("Accept-Encoding: gzip\r\n");
        }
        if let Some(body) = body {
            text.push_str(&format!(
                "Content-Type: application/json\r\nContent-Length: {}\r\n",
                body.len()
            ));
        }
        text.push_str("\r\n");
        text.push_str(body.as_deref().unwrap_or_default());
        text
    }

    /// Asks and reads to the end. Any status is an answer; one that breaks off is none.
    pub(super) fn ask(&self, address: SocketAddr) -> Result<Answer> {
        let begin = Instant::now();
        let mut stream = TcpStream::connect(address).context("connect")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(self.text(address).as_bytes())?;
        let mut reading = Reading {
            keeps: self.keeps,
            ..Reading::default()
        };
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = stream.read(&mut buffer).context("read the answer")?;
            if read == 0 {
                break;
            }
            reading.take(&buffer[..read], begin);
        }
        let whole = begin.elapsed().as_secs_f64();
        reading
            .end(whole)
            .with_context(|| format!("{} {}", self.method, self.path))
    }

    /// The same of an answer that has to be 200.
    pub(super) fn answered(&self, address: SocketAddr) -> Result<Answer> {
        let answer = self.ask(address)?;
        if answer.status != 200 {
            let said: Vec<u8> = answer.body.iter().copied().take(500).collect();
            bail!(
                "{} {} answered {}: {}",
                self.method,
                self.path,
                answer.status,
                String::from_utf8_lossy(&said)
            );
        }
        Ok(answer)
    }
}

/// An answer that is being read.
#[derive(Default)]
struct Reading {
    keeps: bool,
    head: Vec<u8>,
    /// The head has been read.
    is_body: bool,
    first: Option<f64>,
    bytes: u64,
    /// The last few bytes, by which one sees whether it is whole.
    tail: Vec<u8>,
    body: Vec<u8>,
}

impl Reading {
    fn take(&mut self, read: &[u8], begin: Instant) {
        if self.is_body {
            return self.take_body(read, begin);
        }
        self.head.extend_from_slice(read);
        let end = self.head.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let rest = self.head.split_off(end + 4);
            self.is_body = true;
            if !rest.is_empty() {
                self.take_body(&rest, begin);
            }
        }
    }

    fn take_body(&mut self, read: &[u8], begin: Instant) {
        self.first
            .get_or_insert_with(|| begin.elapsed().as_secs_f64());
        self.bytes += read.len() as u64;
        // Of the others the beginning, which says why where it is a refusal.
        if self.keeps || self.body.is_empty() {
            self.body.extend_from_slice(read);
        }
        self.tail
            .extend_from_slice(&read[read.len().saturating_sub(5)..]);
        let old = self.tail.len().saturating_sub(5);
        self.tail.drain(..old);
    }

    fn end(self, whole: f64) -> Result<Answer> {
        let head = String::from_utf8_lossy(&self.head).to_lowercase();
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .context("no answer of HTTP")?;
        let header = |name: &str| {
            head.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
        };
        let is_chunked = header("transfer-encoding") == Some("chunked");
        let length: Option<u64> = header("content-length").and_then(|length| length.parse().ok());
        if is_chunked && self.tail != b"0\r\n\r\n"
            || length.is_some_and(|length| length != self.bytes)
        {
            bail!("the answer broke off after {} bytes", self.bytes);
        }
        Ok(Answer {
            status,
            first: self.first.unwrap_or(whole),
            whole,
            bytes: self.bytes,
            body: if is_chunked && self.keeps {
                unchunked(&self.body)?
            } else {
                self.body
            },
        })
    }
}

fn unchunked(mut rest: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let end = rest.windows(2).position(|two| two == b"\r\n");
        let (size, behind) = rest.split_at(end.context("a chunk without its size")?);
        let size = usize::from_str_radix(std::str::from_utf8(size)?, 16)?;
        if size == 0 {
            break;
        }
        let chunk = behind.get(2..2 + size).context("a chunk that is cut")?;
        body.extend_from_slice(chunk);
        rest = behind.get(size + 4..).unwrap_or_default();
    }
    Ok(body)
}

impl Answer {
    pub(super) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.body
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
    }

    /// Lines that are files.
    pub(super) fn files(&self) -> usize {
        self.lines()
            .filter(|line| line.starts_with(b"{\"file\""))
            .count()
    }

    /// A field of the line that ends it.
    pub(super) fn of_end(&self, field: &str) -> Option<String> {
        let last: Value = serde_json::from_slice(self.lines().last()?).ok()?;
        Some(last["endStreamAction"][field].as_str()?.to_owned())
    }
}

/// As a share of something.
#[expect(
    clippy::cast_precision_loss,
    reason = "answers are far below 2^52 bytes, and counts are smaller"
)]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parts: &[&str]) -> Result<Answer> {
        let mut reading = Reading {
            keeps: true,
            ..Reading::default()
        };
        let begin = Instant::now();
        for part in parts {
            reading.take(part.as_bytes(), begin);
        }
        reading.end(1.0)
    }

    #[test]
    fn answers_are_read_however_they_are_cut() -> Result<()> {
        let whole = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"a\"\r\n3\r\n:1}\r\n0\r\n\r\n";
        for cut in 1..whole.len() {
            let (one, other) = whole.split_at(cut);
            let answer = read(&[one, other])?;
            assert_eq!(
                (answer.status, answer.body.as_slice()),
                (200, &b"{\"a\":1}"[..])
            );
        }
        assert!(read(&[&whole[..whole.len() - 5]]).is_err(), "cut off");
        let counted = "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(read(&[counted])?.body, b"{}");
        assert!(read(&[&counted[..counted.len() - 1]]).is_err());
        assert!(read(&[]).is_err());
        Ok(())
    }

    #[test]
    fn files_and_the_end_of_an_answer_are_found() -> Result<()> {
        let lines = "{\"protocol\":{}}\n{\"metaData\":{}}\n{\"file\":{}}\n{\"endStreamAction\":{\"nextPageToken\":\"x\"}}\n";
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", lines.len());
        let answer = read(&[&head, lines])?;
        assert_eq!(answer.files(), 1);
        assert_eq!(answer.of_end("nextPageToken").as_deref(), Some("x"));
        assert_eq!(answer.of_end("refreshToken"), None);
        Ok(())
    }
}
