//! What is asked of a Delta Sharing server, and of the stores whose URLs it hands out. Both are other people's: their URLs are
//! held against the allow-lists as if somebody had typed them, their errors are told in our words, and all that they send is counted.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use model::Timestamp;
use object_store::client::{HttpError, HttpRequest, HttpRequestBody, HttpResponse};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

use super::NAME;
use crate::StorageError;
use crate::http_service::{Clients, Connector, authority_of};
use crate::limits::Endpoints;
use crate::storage_url::is_plain_segment;

/// So often a request is made that may do better the next time.
const TRIES: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// Bytes of one line of an answer.
const MAX_LINE: usize = 8 << 20;
/// Bytes of an answer with a table's files, and with its metadata alone. More than what is kept of one, for there is also what is passed
/// over: blank lines, and lines of a kind that is not known.
const MAX_ANSWER: u64 = 1 << 30;
const MAX_HEAD: u64 = 32 << 20;
/// Bytes of one page of a list, and pages and names of one list.
const MAX_PAGE: usize = 4 << 20;
const MAX_PAGES: usize = 200;
const MAX_NAMES: usize = 100_000;

const CAPABILITIES: HeaderName = HeaderName::from_static("delta-sharing-capabilities");
/// Ids that depend on the file alone, whatever the format of the answer.
const FILE_ID_HASH: HeaderName = HeaderName::from_static("fileidhash");
const VERSION: HeaderName = HeaderName::from_static("delta-table-version");

/// The features whose tables are read: what is not named here the server refuses, or does without. What we clone and what we do not
/// is for those to say who clone.
const CAPABLE: &str = "responseformat=delta;readerfeatures=deletionvectors,columnmapping,timestampntz,typewidening,\
                       typewidening-preview,v2checkpoint,varianttype,varianttype-preview,variantshredding,\
                       vacuumprotocolcheck;includeendstreamaction=true";

/// A share's server, as one recipient.
pub(crate) struct Client {
    /// For the server itself; for other hosts with another authority.
    pub(crate) connector: Connector,
    pub(crate) clients: Clients,
    pub(crate) endpoints: Endpoints,
    pub(crate) endpoint: Url,
    pub(crate) token: SecretString,
    pub(crate) until: Option<Timestamp>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({})", self.endpoint)
    }
}

/// Lines of an answer, as they come.
pub(super) struct Lines {
    /// Of the table, as the answer says.
    pub(super) version: u64,
    /// Whether the last line is to say that the answer is whole.
    pub(super) says_its_end: bool,
    chunks: BoxStream<'static, Result<Bytes, HttpError>>,
    held: BytesMut,
    /// So much of what is held has no end of a line.
    looked: usize,
    is_over: bool,
    /// So many bytes may still come.
    left: u64,
    what: String,
}

/// What a URL gave.
pub(super) enum Fetched {
    Got(HttpResponse),
    /// It opens nothing any more, or never did.
    Closed,
    Gone,
    /// It is not the object that was wanted.
    Changed,
}

impl Client {
    /// The names of one list: of shares, of a share's schemas, of a schema's tables. Such as cannot be parts of a path are left out.
    pub(super) async fn names(
        &self,
        path: &[&str],
        what: &str,
    ) -> Result<Vec<String>, StorageError> {
        let mut names = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut url = self.at(path)?;
            url.query_pairs_mut().append_pair("maxResults", "500");
            if let Some(token) = &token {
                url.query_pairs_mut().append_pair("pageToken", token);
            }
            let answer = self.ask(Method::GET, &url, None, what).await?;
            let mut body = answer.into_body().bytes_stream();
            let mut text = BytesMut::new();
            while let Some(chunk) = body.next().await {
                text.extend_from_slice(&chunk.map_err(|error| broken(error, what))?);
                if text.len() > MAX_PAGE {
                    return Err(other(what, "a page of its list is larger than 4 MiB"));
                }
            }
            let page: Value = serde_json::from_slice(&text)
                .map_err(|_| other(what, "its server's answer is not what the protocol says"))?;
            let items = page.get("items").and_then(Value::as_array);
            let found = items.into_iter().flatten();
            let found = found.filter_map(|item| item.get("name").and_then(Value::as_str));
            names.extend(
                found
                    .filter(|name| is_plain_segment(name))
                    .map(str::to_owned),
            );
            token = page
                .get("nextPageToken")
                .and_then(Value::as_str)
                .filter(|token| !token.is_empty())
                .map(str::to_owned);
            if names.len() > MAX_NAMES {
                break;
            }
            if token.is_none() {
                return Ok(names);
            }
        }
        Err(other(
            what,
            "its list is longer than 100,000 names or 200 pages",
        ))
    }

    /// The lines of a table's metadata.
    pub(super) async fn metadata(&self, table: &[String; 3]) -> Result<Lines, StorageError> {
        self.lines(Method::GET, table, "metadata", None).await
    }

    /// The lines of a table's files.
    pub(super) async fn query(
        &self,
        table: &[String; 3],
        body: &Value,
    ) -> Result<Lines, StorageError> {
        self.lines(Method::POST, table, "query", Some(body)).await
    }

    async fn lines(
        &self,
        method: Method,
        [share, schema, name]: &[String; 3],
        of: &str,
        body: Option<&Value>,
    ) -> Result<Lines, StorageError> {
        let what = format!("the table `{share}/{schema}/{name}` of a share");
        let left = body.map_or(MAX_HEAD, |_| MAX_ANSWER);
        let url = self.at(&["shares", share, "schemas", schema, "tables", name, of])?;
        let answer = self.ask(method, &url, body, &what).await?;
        let version: Option<u64> =
            text_of(answer.headers(), VERSION).and_then(|version| version.parse().ok());
        let version = version
            .filter(|version| i64::try_from(*version).is_ok())
            .ok_or_else(|| other(&what, "its server does not say at which version it is"))?;
        let agreed = text_of(answer.headers(), CAPABILITIES).unwrap_or_default();
        let agreed = agreed.to_ascii_lowercase();
        Ok(Lines {
            version,
            says_its_end: agreed.contains("includeendstreamaction=true"),
            chunks: answer.into_body().bytes_stream(),
            held: BytesMut::new(),
            looked: 0,
            is_over: false,
            left,
            what,
        })
    }

    fn at(&self, parts: &[&str]) -> Result<Url, StorageError> {
        let mut url = self.endpoint.clone();
        match url.path_segments_mut() {
            Ok(mut path) => {
                path.pop_if_empty().extend(parts);
            }
            Err(()) => return Err(other("a share", "its endpoint is not an address")),
        }
        Ok(url)
    }

    /// Asks the server, and again where that may help.
    async fn ask(
        &self,
        method: Method,
        url: &Url,
        body: Option<&Value>,
        what: &str,
    ) -> Result<HttpResponse, StorageError> {
        let mut wait = FIRST_WAIT;
        let mut tries = 0;
        loop {
            tries += 1;
            let failed = match self.once(&method, url, body, what).await {
                Ok(answer) if answer.status() == StatusCode::OK => return Ok(answer),
                Ok(answer) => refused(answer, what).await,
                Err(error) => error,
            };
            if tries == TRIES || !failed.is_transient() {
                return Err(failed);
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
    }

    async fn once(
        &self,
        method: &Method,
        url: &Url,
        body: Option<&Value>,
        what: &str,
    ) -> Result<HttpResponse, StorageError> {
        let bytes = body.map(|body| body.to_string().into_bytes());
        let mut request: HttpRequest = match bytes {
            Some(bytes) => HttpRequest::new(bytes.into()),
            None => HttpRequest::new(HttpRequestBody::empty()),
        };
        *request.method_mut() = method.clone();
        *request.uri_mut() = url
            .as_str()
            .parse()
            .map_err(|_| other(what, "its name makes no address"))?;
        let headers = request.headers_mut();
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", self.token.expose_secret()))
            .map_err(|_| other(what, "the profile's token cannot be sent"))?;
        bearer.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, bearer);
        headers.insert(CAPABILITIES, HeaderValue::from_static(CAPABLE));
        headers.insert(FILE_ID_HASH, HeaderValue::from_static("delta"));
        if body.is_some() {
            let json = HeaderValue::from_static("application/json; charset=utf-8");
            headers.insert(header::CONTENT_TYPE, json);
        }
        let client = self.connector.http_client();
        client
            .execute(request)
            .await
            .map_err(|error| broken(error, what))
    }

    /// Asks a store by a URL that the server has handed out, for a range and on the condition of an etag.
    pub(super) async fn fetch(
        &self,
        url: &str,
        conditions: (Option<&str>, Option<&str>),
        what: &str,
    ) -> Result<Fetched, StorageError> {
        let mut wait = FIRST_WAIT;
        let mut tries = 0;
        loop {
            tries += 1;
            let failed = match self.fetch_once(url, conditions, what).await {
                Ok(answer) => match answer.status().as_u16() {
                    200 | 206 => return Ok(Fetched::Got(answer)),
                    // Stores say of a signature whose time is over that it is wrong, each in its own way.
                    400 | 401 | 403 | 410 => return Ok(Fetched::Closed),
                    404 => return Ok(Fetched::Gone),
                    412 => return Ok(Fetched::Changed),
                    status => of_status(status, what),
                },
                Err(error) => error,
            };
            if tries == TRIES || !failed.is_transient() {
                return Err(failed);
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
    }

    async fn fetch_once(
        &self,
        url: &str,
        (range, if_match): (Option<&str>, Option<&str>),
        what: &str,
    ) -> Result<HttpResponse, StorageError> {
        let no_address = || other(what, "its server hands out what is not an address");
        let parsed = Url::parse(url).map_err(|_| no_address())?;
        self.endpoints.check_handed_out(&parsed)?;
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.method_mut() = Method::GET;
        // As it came: written anew it could be encoded in another way than it was signed.
        let uri: http::Uri = url.parse().map_err(|_| no_address())?;
        let authority = authority_of(&uri).ok_or_else(no_address)?;
        let is_plain = uri.scheme_str() == Some("http");
        // Two readers of one text: they must have read the same.
        if uri.host().map(str::to_ascii_lowercase).as_deref() != parsed.host_str()
            || is_plain != (parsed.scheme() == "http")
            || !authority.ends_with(&format!(":{}", parsed.port_or_known_default().unwrap_or(0)))
        {
            return Err(no_address());
        }
        *request.uri_mut() = uri;
        for (name, value) in [(header::RANGE, range), (header::IF_MATCH, if_match)] {
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                request.headers_mut().insert(name, value);
            }
        }
        let connector = Connector {
            client: self.clients.for_scheme(is_plain),
            authority,
            ..self.connector.clone()
        };
        let client = connector.http_client();
        client
            .execute(request)
            .await
            .map_err(|error| broken(error, what))
    }

    /// When the profile says that its token ends.
    pub(super) fn until(&self) -> Option<Timestamp> {
        self.until
    }
}

impl Lines {
    pub(super) fn what(&self) -> &str {
        &self.what
    }

    /// The next line that is not blank, without its end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
        loop {
            let end = self.held[self.looked..]
                .iter()
                .position(|byte| *byte == b'\n');
            if let Some(end) = end {
                let line = self.held.split_to(self.looked + end + 1).freeze();
                self.looked = 0;
                let line = line.slice(..line.len() - 1);
                if !line.trim_ascii().is_empty() {
                    return Ok(Some(line));
                }
                continue;
            }
            self.looked = self.held.len();
            if self.looked > MAX_LINE {
                return Err(other(
                    &self.what,
                    "a line of its server's answer is longer than 8 MiB",
                ));
            }
            if self.is_over {
                let last = self.held.split().freeze();
                self.looked = 0;
                return Ok((!last.trim_ascii().is_empty()).then_some(last));
            }
            match self.chunks.try_next().await {
                Ok(Some(chunk)) => {
                    let left = self.left.checked_sub(chunk.len() as u64);
                    self.left =
                        left.ok_or_else(|| other(&self.what, "its server's answer does not end"))?;
                    self.held.extend_from_slice(&chunk);
                }
                Ok(None) => self.is_over = true,
                Err(error) => return Err(broken(error, &self.what)),
            }
        }
    }
}

/// What the server says no with, in our words: its own may hold anything.
async fn refused(answer: HttpResponse, what: &str) -> StorageError {
    let status = answer.status().as_u16();
    let code = code_of(answer).await;
    let said = code.map(|code| format!(", {code}")).unwrap_or_default();
    let why = match status {
        401 => format!(
            "its server does not take the profile's token any more ({status}{said}); ask the provider for a new profile and give it to \
             the storage"
        ),
        403 => format!(
            "its server refuses this recipient ({status}{said}): the access has ended, or calls from here are not let in; ask the provider"
        ),
        404 => format!(
            "its server knows no such thing, or shares it with this recipient no longer ({status}{said}); ask the provider"
        ),
        400 => format!(
            "its server refuses the question ({status}{said}): the table may use a feature that cannot be read here, or be shared without \
             its older versions"
        ),
        status => return of_status(status, what),
    };
    StorageError::NotAllowed {
        what: format!("reading {what}"),
        why,
    }
}

/// A status that says nothing of the thing itself.
fn of_status(status: u16, what: &str) -> StorageError {
    match status {
        429 | 500..=599 => StorageError::Unreachable {
            what: what.to_owned(),
            why: format!("it was answered {status}, also when asked again"),
        },
        300..=399 => other(
            what,
            &format!("it was answered with a redirect ({status}), which is not followed"),
        ),
        status => other(what, &format!("it was answered {status}")),
    }
}

/// The protocol's word for an error, if it is a word.
async fn code_of(answer: HttpResponse) -> Option<String> {
    // Cut to a limit where the answer was received.
    let body = answer.into_body().bytes().await.ok()?;
    let body: Value = serde_json::from_slice(&body).ok()?;
    let code = body.get("errorCode").and_then(Value::as_str)?;
    let is_word = code.len() <= 64
        && code
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_word.then(|| code.to_owned())
}

pub(super) fn broken(error: HttpError, what: &str) -> StorageError {
    StorageError::from(object_store::Error::Generic {
        store: NAME,
        source: Box::new(error),
    })
    .about(what)
}

pub(super) fn other(what: &str, why: &str) -> StorageError {
    StorageError::Other {
        what: what.to_owned(),
        why: why.to_owned(),
    }
}

/// A header as text.
pub(super) fn text_of(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    #[tokio::test]
    async fn an_answer_that_does_not_end_is_ended() {
        for sent in ["\n\n\n\n", "{}\n{}\n"] {
            let chunks = stream::repeat_with(move || Ok(Bytes::from_static(sent.as_bytes())));
            let mut lines = Lines {
                version: 1,
                says_its_end: true,
                chunks: chunks.boxed(),
                held: BytesMut::new(),
                looked: 0,
                is_over: false,
                left: 1_000,
                what: "the table".to_owned(),
            };
            let error = loop {
                match lines.next().await {
                    Ok(line) => assert_eq!(line.as_deref(), Some(&b"{}"[..])),
                    Err(error) => break error,
                }
            };
            assert!(error.to_string().contains("does not end"), "{error}");
        }
    }
}
