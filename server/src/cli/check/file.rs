//! The first bytes of a file: fetched as a client does, by the URL that the server gave, and judged where they do not come.

use http::{HeaderMap, StatusCode, header};
use model::time::MINUTE;
use model::{Clock as _, Timestamp};
use url::Url;

use super::answer::{apart, date, in_between, kind};
use super::report::{Finding, Whom};
use super::way::Way;
use crate::adapters::clock::SystemClock;

/// What a Parquet file begins with, in the clear or encrypted.
const BEGINNINGS: [&[u8; 4]; 2] = [b"PAR1", b"PARE"];

/// The most that is read of an answer that is no file, in bytes.
const LIMIT: usize = 8 * 1024;

/// Headers that only a store sends.
const STORES: [&str; 3] = [
    "x-amz-request-id",
    "x-ms-request-id",
    "x-guploader-uploadid",
];

/// What came of a URL.
struct Fetched {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    /// By how much the store's clock is ahead of the server's, in microseconds.
    ahead: i64,
}

/// `server_ahead`: by how much the server's clock is ahead of this machine's.
pub(super) async fn fetch(
    http: &reqwest::Client,
    url: &str,
    server: &Way,
    server_ahead: i64,
) -> Finding {
    let Some((url, way)) = Url::parse(url)
        .ok()
        .and_then(|url| Way::to(&url).map(|way| (url, way)))
    else {
        return Finding::failed(
            "what the server gave as the file's URL is none",
            Whom::Operator,
            "What your server gives us as a file's URL is none that we can open.",
        );
    };
    let found = match way.name().await {
        Ok((found, _)) => found,
        Err(finding) => return finding,
    };
    if let Err(finding) = way.connect(&found).await {
        return finding;
    }
    // No token: it is the server's business alone.
    let sent = http.get(url).header(header::RANGE, "bytes=0-3").send();
    let mut response = match sent.await {
        Ok(response) => response,
        Err(error) => return way.broke(&error),
    };
    let headers = response.headers().clone();
    let mut fetched = Fetched {
        status: response.status(),
        ahead: ahead(&headers, SystemClock.now()).map_or(0, |ahead| ahead - server_ahead),
        headers,
        body: Vec::new(),
    };
    let enough = if fetched.status.is_success() {
        4
    } else {
        LIMIT
    };
    while fetched.body.len() < enough {
        match response.chunk().await {
            Ok(Some(chunk)) => fetched.body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => return way.broke(&error),
        }
    }
    fetched.body.truncate(LIMIT);
    fetched.judged(&way, way.place() == server.place())
}

/// By how much the clock of whoever sent these headers is ahead of this machine's.
pub(super) fn ahead(headers: &HeaderMap, here: Timestamp) -> Option<i64> {
    Some(date(headers)?.since(here))
}

impl Fetched {
    /// `is_server`: the file comes through the sharing server itself.
    fn judged(&self, way: &Way, is_server: bool) -> Finding {
        let (place, status) = (way.place(), self.status.as_u16());
        if let Some(finding) = in_between(self.status, &self.headers, way) {
            return finding;
        }
        if self.status.is_success() {
            if BEGINNINGS
                .iter()
                .any(|begins| self.body.starts_with(*begins))
            {
                return Finding::ok(format!("the first bytes came from {place}"));
            }
            return Finding::failed(
                format!(
                    "what came from {place} is no Parquet file but {}: something in between answers in its place, \
                     or the file is broken",
                    kind(&self.headers)
                ),
                Whom::Network,
                format!(
                    "What the machine where we read data is given by {place} is not the file but {}. Please let \
                     answers of {place} through as they are.",
                    kind(&self.headers)
                ),
            );
        }
        let code = self.code();
        let said = code
            .as_ref()
            .map_or_else(|| status.to_string(), |code| format!("{status}, {code}"));
        if !is_server && !self.is_of_store() {
            return Finding::failed(
                format!(
                    "something between here and {place} refuses the file ({status}): a proxy, or a filter"
                ),
                Whom::Network,
                format!(
                    "Something on our way to {place} refuses our requests (status {status}). Please allow the machine where \
                     we read data to fetch files from there."
                ),
            );
        }
        let code = code.as_deref().unwrap_or_default();
        if let Some(off) = apart(self.ahead, MINUTE).filter(|_| self.status.is_client_error())
            && self.status != StatusCode::NOT_FOUND
        {
            return Finding::failed(
                format!(
                    "{place} refuses the file ({said}), and its clock and the server's are {off} apart"
                ),
                Whom::Operator,
                format!(
                    "{place} refuses a URL that your server has just signed ({said}). The two clocks are {off} apart, so \
                     it looks ended, or not begun. Please have your server's clock set by a time server."
                ),
            );
        }
        if self.status == StatusCode::NOT_FOUND {
            return Finding::failed(
                format!("the file is not there any more at {place} ({said})"),
                Whom::Producer,
                format!(
                    "A file that the table's newest version lists is gone at {place} ({said}). Was it removed by hand, \
                     or by a cleanup that does not know the table?"
                ),
            );
        }
        if self.status.is_server_error() || self.status == StatusCode::TOO_MANY_REQUESTS {
            return Finding::failed(
                format!("{place} cannot give the file now ({said}): try again"),
                Whom::Producer,
                format!(
                    "{place} does not give us a file now ({said}). Is the store overloaded, or down?"
                ),
            );
        }
        if is_server || is_of_credential(code) {
            return Finding::failed(
                format!("{place} does not take the URL that the server has just made ({said})"),
                Whom::Operator,
                format!(
                    "{place} does not take a URL that your server has just made ({said}). Please try `entrepot doctor` on \
                     the table's storage."
                ),
            );
        }
        Finding::failed(
            format!("{place} refuses the file ({said}): a rule of the bucket, or its firewall"),
            Whom::Producer,
            format!(
                "{place} refuses a URL that the server has just signed for us ({said}). Please see whether a policy of the bucket, \
                 its key, or its firewall lets only some networks in, and let the machine where we read data in."
            ),
        )
    }

    fn is_of_store(&self) -> bool {
        STORES.iter().any(|name| self.headers.contains_key(*name)) || self.code().is_some()
    }

    /// What a store calls the error. Nothing else of its words is taken: some hold what was signed.
    fn code(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.body);
        let (_, rest) = text.split_once("<Code>")?;
        let (code, _) = rest.split_once("</Code>")?;
        let is_word =
            (1..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_word.then(|| code.to_owned())
    }
}

/// The server's own credential, or how it signs, and not who asks from where.
fn is_of_credential(code: &str) -> bool {
    matches!(
        code,
        "AuthenticationFailed"
            | "ExpiredToken"
            | "InvalidAccessKeyId"
            | "InvalidToken"
            | "RequestTimeTooSkewed"
            | "SignatureDoesNotMatch"
    )
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::super::report::Outcome;
    use super::*;

    fn fetched(status: u16, kind: &'static str, body: &[u8]) -> Fetched {
        Fetched {
            status: StatusCode::from_u16(status).unwrap(),
            headers: [(header::CONTENT_TYPE, HeaderValue::from_static(kind))]
                .into_iter()
                .collect(),
            body: body.to_vec(),
            ahead: 0,
        }
    }

    #[test]
    fn refused_files_name_who_can_help() {
        let way = Way::to(&Url::parse("https://lake.s3.example/x").unwrap()).unwrap();
        let xml = |status: u16, code: &str| {
            let body =
                format!("<Error><Code>{code}</Code><StringToSign>sekret</StringToSign></Error>");
            fetched(status, "application/xml", body.as_bytes())
        };
        let skewed = Fetched {
            ahead: -20 * MINUTE,
            ..xml(403, "AccessDenied")
        };
        let html = |status| fetched(status, "text/html; charset=utf-8", b"<html>no</html>");
        for (came, is_server, whom, says) in [
            (
                xml(403, "AccessDenied"),
                false,
                Whom::Producer,
                "a rule of the bucket",
            ),
            (
                xml(403, "AuthorizationFailure"),
                false,
                Whom::Producer,
                "firewall",
            ),
            (
                xml(403, "SignatureDoesNotMatch"),
                false,
                Whom::Operator,
                "SignatureDoesNotMatch",
            ),
            (
                xml(400, "ExpiredToken"),
                false,
                Whom::Operator,
                "ExpiredToken",
            ),
            (skewed, false, Whom::Operator, "20 min 0 s apart"),
            (
                xml(404, "NoSuchKey"),
                false,
                Whom::Producer,
                "not there any more",
            ),
            (xml(503, "SlowDown"), false, Whom::Producer, "try again"),
            (html(403), false, Whom::Network, "something between here"),
            (html(200), false, Whom::Network, "text/html"),
            (html(407), false, Whom::Network, "password"),
            (html(403), true, Whom::Operator, "does not take the URL"),
            (
                fetched(206, "x/y", b""),
                false,
                Whom::Network,
                "no Parquet file",
            ),
        ] {
            let finding = came.judged(&way, is_server);
            assert_eq!(finding.outcome, Outcome::Failed, "{says}");
            assert!(finding.detail.contains(says), "{says}: {finding:?}");
            assert!(!format!("{finding:?}").contains("sekret"));
            assert_eq!(finding.send.unwrap().0, whom, "{says}");
        }
        for (status, body) in [(206, b"PAR1"), (200, b"PARE")] {
            let finding = fetched(status, "application/octet-stream", body).judged(&way, false);
            assert_eq!(finding.outcome, Outcome::Ok, "{finding:?}");
        }
    }
}
