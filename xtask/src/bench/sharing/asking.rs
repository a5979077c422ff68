//! Asks over a socket of its own, and reads as fast as the server writes: a client that unpacks what it reads would be measured, too.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// Nothing measured takes longer without a byte: at the most the state of five million files is read meanwhile.
const PATIENCE: Duration = Duration::from_secs(240);
const BUFFER: usize = 256 << 10;
/// What is kept of the end of a body, in bytes: tokens are not longer.
const END: usize = 8 << 10;

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Question {
    method: &'static str,
    path: String,
    body: Option<String>,
    token: Option<String>,
    gzip: bool,
    keeps: Keeps,
}

/// What is kept of a body: to take up memory takes a client a while, and is measured, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Keeps {
    #[default]
    Beginning,
    All,
    /// So much that the line that ends an answer is in it, as it came: in HTTP's chunks.
    End,
}

/// A connection that is kept from one question to the next, as clients do.
pub(super) struct Line {
    stream: TcpStream,
    address: SocketAddr,
    buffer: Vec<u8>,
}

/// What came back. Times in seconds, on a connection of its own from before that was made.
pub(super) struct Answer {
    pub(super) status: u16,
    /// To the body's first byte, or to the end where there is none.
    pub(super) first: f64,
    pub(super) whole: f64,
    /// Of the body, as they came.
    pub(super) bytes: u64,
    /// Of it what was kept.
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
            keeps: Keeps::Beginning,
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
            keeps: Keeps::All,
            ..self
        }
    }

    /// The line that ends the answer is wanted.
    pub(super) fn keeping_end(self) -> Self {
        Self {
            keeps: Keeps::End,
            ..self
        }
    }

    fn text(&self, address: SocketAddr, is_last: bool) -> String {
        let Self {
            method,
            path,
            body,
            token,
            gzip,
            ..
        } = self;
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n");
        if is_last {
            text.push_str("Connection: close\r\n");
        }
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
        Line::to(address)?.read(self, begin, true)
    }

    /// The same of an answer that has to be 200.
    pub(super) fn answered(&self, address: SocketAddr) -> Result<Answer> {
        self.good(self.ask(address)?)
    }

    fn good(&self, answer: Answer) -> Result<Answer> {
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

impl Line {
    pub(super) fn to(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).context("connect")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            address,
            buffer: vec![0; BUFFER],
        })
    }

    /// As [`Question::answered`], and further questions may follow.
    pub(super) fn answered(&mut self, question: &Question) -> Result<Answer> {
        question.good(self.read(question, Instant::now(), false)?)
    }

    /// `is_last`: the server ends the connection.
    fn read(&mut self, question: &Question, begin: Instant, is_last: bool) -> Result<Answer> {
        let text = question.text(self.address, is_last);
        self.stream.write_all(text.as_bytes())?;
        let mut reading = Reading {
            keeps: question.keeps,
            ..Reading::default()
        };
        while is_last || !reading.is_whole()? {
            let read = self
                .stream
                .read(&mut self.buffer)
                .context("read the answer")?;
            if read == 0 {
                break;
            }
            reading.take(&self.buffer[..read], begin);
        }
        let whole = begin.elapsed().as_secs_f64();
        reading
            .end(whole)
            .with_context(|| format!("{} {}", question.method, question.path))
    }
}

/// By what the end of a body is told.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Framing {
    Chunked,
    Length(u64),
    #[default]
    Connection,
}

impl Framing {
    fn of(head: &[u8]) -> Self {
        let head = String::from_utf8_lossy(head).to_lowercase();
        let header = |name: &str| {
            head.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
        };
        if header("transfer-encoding") == Some("chunked") {
            return Self::Chunked;
        }
        let length = header("content-length").and_then(|length| length.parse().ok());
        length.map_or(Self::Connection, Self::Length)
    }
}

/// An answer that is being read.
#[derive(Default)]
struct Reading {
    keeps: Keeps,
    head: Vec<u8>,
    /// Once the head has been read.
    framing: Framing,
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
            self.framing = Framing::of(&self.head);
            if !rest.is_empty() {
                self.take_body(&rest, begin);
            }
        }
    }

    fn take_body(&mut self, read: &[u8], begin: Instant) {
        self.first
            .get_or_insert_with(|| begin.elapsed().as_secs_f64());
        self.bytes += read.len() as u64;
        match self.keeps {
            Keeps::All => self.body.extend_from_slice(read),
            Keeps::End => {
                let from = read.len().saturating_sub(END);
                self.body.extend_from_slice(&read[from..]);
                let old = self.body.len().saturating_sub(END);
                self.body.drain(..old);
            }
            // It says why where it is a refusal.
            Keeps::Beginning if self.body.is_empty() => self.body.extend_from_slice(read),
            Keeps::Beginning => {}
        }
        self.tail
            .extend_from_slice(&read[read.len().saturating_sub(5)..]);
        let old = self.tail.len().saturating_sub(5);
        self.tail.drain(..old);
    }

    /// Whether the body's end is there; None: that is told by the end of the connection alone.
    fn has_end(&self) -> Option<bool> {
        match self.framing {
            Framing::Chunked => Some(self.tail == b"0\r\n\r\n"),
            Framing::Length(length) => Some(self.bytes >= length),
            Framing::Connection => None,
        }
    }

    /// Whether nothing more comes on a connection that is kept.
    fn is_whole(&self) -> Result<bool> {
        if !self.is_body {
            return Ok(false);
        }
        let has_end = self.has_end();
        has_end.context("an answer whose end is that of its connection")
    }

    fn end(self, whole: f64) -> Result<Answer> {
        let head = String::from_utf8_lossy(&self.head);
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .context("no answer of HTTP")?;
        let is_longer = matches!(self.framing, Framing::Length(length) if self.bytes > length);
        if !self.is_body || is_longer || self.has_end() == Some(false) {
            bail!("the answer broke off after {} bytes", self.bytes);
        }
        let is_chunked = self.framing == Framing::Chunked;
        Ok(Answer {
            status,
            first: self.first.unwrap_or(whole),
            whole,
            bytes: self.bytes,
            body: if is_chunked && self.keeps == Keeps::All {
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
        let mut from_behind = self.body.rsplit(|byte| *byte == b'\n');
        let last = from_behind.find(|line| line.starts_with(b"{\"endStreamAction\""))?;
        let last: Value = serde_json::from_slice(last).ok()?;
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
            keeps: Keeps::All,
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
    fn answers_follow_each_other_on_a_connection_and_their_end_is_kept() -> Result<()> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let long = "x".repeat(3 * END);
        let end = "{\"endStreamAction\":{\"nextPageToken\":\"y\"}}\n";
        let chunk = format!("{long}\n{end}");
        let first = format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{chunk}\r\n0\r\n\r\n",
            chunk.len()
        );
        let second = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        let serving = std::thread::spawn(move || -> Result<()> {
            let (mut stream, _) = listener.accept()?;
            for answer in [first.as_str(), second] {
                let mut asked = [0; 1_024];
                let read = stream.read(&mut asked)?;
                assert!(!String::from_utf8_lossy(&asked[..read]).contains("close"));
                stream.write_all(answer.as_bytes())?;
            }
            Ok(())
        });
        let mut line = Line::to(address)?;
        let page = line.answered(&Question::get("/1").keeping_end())?;
        assert_eq!(page.of_end("nextPageToken").as_deref(), Some("y"));
        assert!(page.body.len() <= END && page.bytes > 3 * END as u64);
        assert_eq!(line.answered(&Question::get("/2"))?.body, b"{}");
        assert!(matches!(serving.join(), Ok(Ok(()))));
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
