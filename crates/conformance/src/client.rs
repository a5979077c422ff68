//! One call and its answer: read within limits, kept as the server wrote it, and noted for the report.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;
use url::Url;

use crate::case::{Checked, Stop, ensure, fail};

/// The most that is read of an answer, in bytes.
const LIMIT: usize = 64 << 20;
/// So long an answer may take as a whole.
const PATIENCE: Duration = Duration::from_secs(30);
/// A server that says 429 is asked so many times again.
const TRIES: usize = 20;
/// The most that is shown of what a server has written, in characters.
const SHOWN: usize = 300;

/// The fields of temporary credentials that nobody else is to see.
const SECRETS: [&str; 4] = ["secretAccessKey", "sessionToken", "sasToken", "oauthToken"];

/// All reader features that a client may name.
pub(crate) const FEATURES: &str = "deletionvectors,columnmapping,timestampntz,typewidening,varianttype,v2checkpoint,vacuumprotocolcheck";
pub(crate) const CAPABILITIES: &str = "delta-sharing-capabilities";
pub(crate) const VERSION: &str = "delta-table-version";

/// What a client takes from a profile of version 1. Secret: no `Debug`.
#[derive(Clone)]
pub struct Profile {
    pub endpoint: Url,
    pub token: String,
}

impl Profile {
    /// Reads a profile file.
    ///
    /// # Errors
    /// When it is no profile with a bearer token.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let profile: Value = serde_json::from_slice(bytes)
            .map_err(|_| "the profile is no JSON, as a profile is".to_owned())?;
        if profile["shareCredentialsVersion"].as_i64() != Some(1) {
            return Err("the profile is not of version 1, which holds a bearer token".to_owned());
        }
        Self::new(
            profile["endpoint"].as_str().unwrap_or_default(),
            profile["bearerToken"].as_str().unwrap_or_default(),
        )
    }

    /// # Errors
    /// When the endpoint is no address, or the token none that can be sent.
    pub fn new(endpoint: &str, token: &str) -> Result<Self, String> {
        let endpoint = Url::parse(endpoint)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| {
                "the profile's endpoint is no address that begins with https://".to_owned()
            })?;
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("the profile has no bearerToken that can be sent".to_owned());
        }
        Ok(Self {
            endpoint,
            token: token.to_owned(),
        })
    }
}

/// Which token a call sends.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    OfProfile,
    None,
    Other(String),
}

/// One call that is to be made.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: Method,
    path: Vec<String>,
    /// Instead of `path`, as it goes over the wire.
    raw: Option<String>,
    query: Vec<(String, String)>,
    headers: Vec<(&'static str, String)>,
    body: Option<String>,
    token: Token,
}

impl Ask {
    pub(crate) fn new(method: Method, path: &[&str]) -> Self {
        Self {
            method,
            path: path.iter().map(|part| (*part).to_owned()).collect(),
            raw: None,
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            token: Token::OfProfile,
        }
    }

    pub(crate) fn get(path: &[&str]) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn post(path: &[&str], body: &Value) -> Self {
        Self::new(Method::POST, path).body(&body.to_string())
    }

    pub(crate) fn raw(mut self, path: &str) -> Self {
        self.raw = Some(path.to_owned());
        self
    }

    pub(crate) fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    pub(crate) fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// The `delta-sharing-capabilities` header.
    pub(crate) fn can(self, value: &str) -> Self {
        self.header(CAPABILITIES, value)
    }

    pub(crate) fn body(mut self, body: &str) -> Self {
        self.body = Some(body.to_owned());
        self
    }

    pub(crate) fn anonymous(mut self) -> Self {
        self.token = Token::None;
        self
    }

    pub(crate) fn token(mut self, token: &str) -> Self {
        self.token = Token::Other(token.to_owned());
        self
    }

    fn shown(&self, url: &Url) -> String {
        match url.query() {
            Some(query) => format!("{} {}?{query}", self.method, url.path()),
            None => format!("{} {}", self.method, url.path()),
        }
    }
}

/// Calls one server, and notes what came.
pub(crate) struct Client {
    http: reqwest::Client,
    profile: Profile,
    seen: Mutex<Vec<String>>,
}

impl Client {
    pub(crate) fn new(profile: Profile) -> Result<Self, String> {
        // Chosen already by the program that we are part of, or this one.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(PATIENCE)
            .timeout(2 * PATIENCE)
            .user_agent(concat!(
                "delta-sharing-conformance/",
                env!("CARGO_PKG_VERSION")
            ));
        // No proxy reaches what listens on this machine alone.
        if is_here(&profile.endpoint) {
            builder = builder.no_proxy();
        }
        let http = builder
            .build()
            .map_err(|error| format!("no HTTP client can be made: {error}"))?;
        Ok(Self {
            http,
            profile,
            seen: Mutex::default(),
        })
    }

    pub(crate) fn endpoint(&self) -> &Url {
        &self.profile.endpoint
    }

    fn note(&self, line: String) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < 100 {
            seen.push(line);
        }
    }

    /// What was called since, and forgets it.
    pub(crate) fn take_seen(&self) -> Vec<String> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *seen)
    }

    fn url(&self, ask: &Ask) -> Url {
        let mut url = self.profile.endpoint.clone();
        match &ask.raw {
            Some(raw) => {
                let base = url.path().trim_end_matches('/').to_owned();
                url.set_path(&format!("{base}/{raw}"));
            }
            None => {
                if let Ok(mut segments) = url.path_segments_mut() {
                    segments.pop_if_empty().extend(&ask.path);
                }
            }
        }
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&ask.query);
        }
        url
    }

    /// Calls the server; one that is asked too much is asked again when it says.
    pub(crate) async fn send(&self, ask: Ask) -> Checked<Answer> {
        let url = self.url(&ask);
        let what = ask.shown(&url);
        for _ in 0..TRIES {
            let mut request = self.http.request(ask.method.clone(), url.clone());
            request = match &ask.token {
                Token::OfProfile => request.bearer_auth(&self.profile.token),
                Token::None => request,
                Token::Other(token) => request.bearer_auth(token),
            };
            for (name, value) in &ask.headers {
                request = request.header(*name, value.as_str());
            }
            if let Some(body) = &ask.body {
                request = request
                    .header("content-type", "application/json; charset=utf-8")
                    .body(body.clone());
            }
            let answer = self.read(request, &what).await?;
            if answer.status != 429 {
                return Ok(answer);
            }
            let wait = answer.header("retry-after").parse::<u64>().unwrap_or(1);
            tokio::time::sleep(Duration::from_secs(wait.clamp(1, 5))).await;
        }
        fail(
            format!("an answer to {what}"),
            "429 however long it is waited for",
        )
    }

    /// Fetches a signed URL, as clients do: with nothing but the URL.
    pub(crate) async fn fetch(
        &self,
        method: Method,
        url: &str,
        headers: &[(&'static str, &str)],
    ) -> Checked<Answer> {
        let parsed = Url::parse(url);
        let Ok(parsed) = parsed else {
            return fail("a URL", shortened(url));
        };
        let what = format!(
            "{method} {}{} (signed)",
            parsed.host_str().unwrap_or_default(),
            parsed.path()
        );
        let mut request = self.http.request(method, parsed);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.read(request, &what).await
    }

    async fn read(&self, request: reqwest::RequestBuilder, what: &str) -> Checked<Answer> {
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                let error = error.without_url();
                self.note(format!("{what} → no answer"));
                return fail(format!("an answer to {what}"), error.to_string());
            }
        };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let (mut body, mut broke) = (Vec::new(), None);
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    body.extend_from_slice(&chunk);
                    if body.len() > LIMIT {
                        broke = Some(format!("longer than {LIMIT} bytes"));
                        break;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    broke = Some(error.without_url().to_string());
                    break;
                }
            }
        }
        let answer = Answer {
            what: what.to_owned(),
            status,
            headers,
            body,
            broke,
        };
        self.note(format!(
            "{what} → {status} {} ({} bytes{})",
            answer.header("content-type"),
            answer.body.len(),
            if answer.broke.is_some() {
                ", broken off"
            } else {
                ""
            }
        ));
        Ok(answer)
    }
}

/// One answer, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    what: String,
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Why its body came to no end.
    pub(crate) broke: Option<String>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// What is told of it in a report; never a credential.
    pub(crate) fn shown(&self) -> String {
        let text = self.text();
        let text = if SECRETS.iter().any(|name| text.contains(name)) {
            "(a credential)".to_owned()
        } else {
            shortened(&text)
        };
        format!("{} → {}: {text}", self.what, self.status)
    }

    /// It must be 200, and whole.
    pub(crate) fn ok(self) -> Checked<Self> {
        ensure(
            self.status == 200,
            format!("200 to {}", self.what),
            self.shown(),
        )?;
        match &self.broke {
            Some(why) => fail(
                format!("the whole answer to {}", self.what),
                format!("it broke off: {why}"),
            ),
            None => Ok(self),
        }
    }

    pub(crate) fn json(&self) -> Checked<Value> {
        serde_json::from_slice::<Value>(&self.body).or_else(|_| fail("JSON", self.shown()))
    }

    /// One value per line.
    pub(crate) fn lines(&self) -> Checked<Vec<Value>> {
        let text = std::str::from_utf8(&self.body).or_else(|_| fail("UTF-8", self.shown()))?;
        text.lines()
            .filter(|line| !line.is_empty())
            .map(|line| {
                serde_json::from_str::<Value>(line)
                    .or_else(|_| fail("one JSON object per line", shortened(line)))
            })
            .collect()
    }

    /// The version in the header.
    pub(crate) fn version(&self) -> Checked<i64> {
        self.header(VERSION).parse::<i64>().or_else(|_| {
            fail(
                "the header Delta-Table-Version with a number",
                format!("{} with '{}'", self.what, self.header(VERSION)),
            )
        })
    }

    /// It must be this status with the protocol's error; `code` empty: whatever code.
    pub(crate) fn refused(&self, status: u16, code: &str) -> Checked<String> {
        let expected = format!("{status} {code} in the protocol's shape");
        let error = serde_json::from_slice::<Value>(&self.body).unwrap_or_default();
        let (found, message) = (error["errorCode"].as_str(), error["message"].as_str());
        let fits = self.status == status
            && found.is_some_and(|found| code.is_empty() || found == code)
            && message.is_some();
        ensure(fits, expected, self.shown())?;
        Ok(message.unwrap_or_default().to_owned())
    }

    /// It must be a refusal that clients do not repeat: 4xx, but not 429.
    pub(crate) fn refused_for_good(&self) -> Checked {
        ensure(
            (400..500).contains(&self.status) && self.status != 429,
            "a status of 4xx, which clients do not repeat",
            self.shown(),
        )
    }
}

/// A refused precondition is not the case's matter.
pub(crate) fn skipped(stop: Stop) -> Stop {
    match stop {
        Stop::Fail { expected, seen } => Stop::Skip(format!(
            "its precondition was not met: {expected}; seen: {seen}"
        )),
        skip => skip,
    }
}

/// Whether a URL leads to this machine.
pub(crate) fn is_here(url: &Url) -> bool {
    ["localhost", "127.0.0.1", "[::1]"].contains(&url.host_str().unwrap_or_default())
}

/// Text of a server, short enough to be shown, and without the queries of URLs, which let whoever has them read.
pub(crate) fn shortened(text: &str) -> String {
    let (mut out, mut hides) = (String::new(), false);
    for (at, c) in text.chars().enumerate() {
        if at >= SHOWN {
            out.push('…');
            break;
        }
        match c {
            '?' => {
                hides = true;
                out.push_str("?…");
            }
            '"' | ' ' | '\n' if hides => hides = false,
            _ => {}
        }
        if !hides {
            out.push(if c.is_control() { ' ' } else { c });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles() {
        let text = br#"{"shareCredentialsVersion":1,"endpoint":"https://data.example/delta-sharing/","bearerToken":"t"}"#;
        let profile = Profile::parse(text).ok().unwrap();
        assert_eq!(profile.endpoint.path(), "/delta-sharing/");
        for wrong in [
            "{}",
            "x",
            r#"{"shareCredentialsVersion":2,"endpoint":"https://a/","bearerToken":"t"}"#,
            r#"{"shareCredentialsVersion":1,"endpoint":"file:///a","bearerToken":"t"}"#,
            r#"{"shareCredentialsVersion":1,"endpoint":"https://a/","bearerToken":""}"#,
        ] {
            assert!(Profile::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_lets_read_is_not_shown() {
        let line = r#"{"url":"https://store/x?X-Amz-Signature=secret","id":"1"}"#;
        let shown = shortened(line);
        assert!(
            !shown.contains("secret") && shown.contains("\"id\""),
            "{shown}"
        );
    }
}
