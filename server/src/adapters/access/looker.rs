//! The sharing service as one recipient meets it, in this process: the protocol's own router over a gate that lets us in as
//! that recipient.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use bytes::BytesMut;
use exchange::access::{GrantReading, ReaderRecord, SharedTable};
use futures::StreamExt as _;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use model::dto::TableDetail;
use model::{GrantId, Timestamp};
use object_store::path::Path;
use serde::Deserialize;
use sharing::{
    Gate, QueryRecord, READER_FEATURES, Readable, Reader, Refused, ShareInfo, Shared, SignedFile,
};
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::{Seen, broken};
use crate::adapters::gate::{Look, Reading, ShareGate, listed, shares_of};

/// So many files of an answer are taken in; the rest is not read.
const FILES_SEEN: usize = 500;
/// An answer that holds no file in so many bytes is not read further.
const ANSWER: usize = 64 << 20;

/// For one look.
pub(super) struct Looker {
    gate: Arc<VerifyingGate>,
    router: Router,
}

impl Looker {
    pub(super) fn new(
        gate: &Arc<ShareGate>,
        grant: &GrantReading,
        recipient: &ReaderRecord,
    ) -> Self {
        let gate = Arc::new(VerifyingGate {
            gate: Arc::clone(gate),
            reader: Reader {
                recipient: recipient.id,
                name: recipient.name.to_string(),
                token: None,
            },
            // Whether this very grant still opens anything shows only without the others, and so does what a cut gives.
            only: (!grant.wanted || grant.cut_id.is_some()).then_some(grant.id),
            readings: Mutex::default(),
        });
        let options = sharing::Options {
            // The page tokens of this router never leave it.
            page_key: [0; 32],
            max_results: 1_000,
            // What is looked at is what the store has.
            states: sharing::States::new(0),
            queries: None,
            under_way: TaskTracker::new(),
        };
        Self {
            router: sharing::router(gate.clone(), options),
            gate,
        }
    }

    /// The tables that were opened so far.
    pub(super) fn readings(&self) -> Vec<Arc<Reading>> {
        let readings = self.gate.readings.lock();
        readings.unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn call(&self, method: Method, path: &str, body: &'static str) -> Result<Response, Seen> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, "Bearer in-process")
            .header(header::CONTENT_TYPE, "application/json")
            .header("delta-sharing-capabilities", capabilities())
            .body(Body::from(body))
            .map_err(|error| Seen::Broken(error.to_string()))?;
        match self.router.clone().oneshot(request).await {
            Ok(response) => Ok(response),
            Err(never) => match never {},
        }
    }

    /// Schema and name of every table that the share lists; none where there is no such share.
    pub(super) async fn list(&self, share: &str) -> Result<BTreeSet<(String, String)>, Seen> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Page {
            #[serde(default)]
            items: Vec<Item>,
            next_page_token: Option<String>,
        }
        #[derive(Deserialize)]
        struct Item {
            schema: String,
            name: String,
        }

        let mut found = BTreeSet::new();
        let mut token = None::<String>;
        loop {
            let query = token.map_or(String::new(), |token| format!("?pageToken={token}"));
            let path = format!("/shares/{share}/all-tables{query}");
            let response = self.call(Method::GET, &path, "").await?;
            let status = response.status();
            let body = response.into_body().collect().await;
            let body = body
                .map_err(|_| Seen::Broken("the sharing service broke off its list".to_owned()))?
                .to_bytes();
            match status {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND => return Ok(found),
                status => return Err(Seen::Broken(answered(status, &body))),
            }
            let page: Page = serde_json::from_slice(&body)
                .map_err(|_| Seen::Broken("the sharing service's list is not JSON".to_owned()))?;
            found.extend(page.items.into_iter().map(|item| (item.schema, item.name)));
            token = page.next_page_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
    }

    /// The table's version, and the first files of the answer.
    pub(super) async fn query(
        &self,
        share: &str,
        table: &TableDetail,
    ) -> Result<(u64, Vec<FileLine>), Seen> {
        let path = format!(
            "/shares/{share}/schemas/{}/tables/{}/query",
            table.schema, table.name
        );
        let response = self.call(Method::POST, &path, "{}").await?;
        let (parts, body) = response.into_parts();
        let mut chunks = body.into_data_stream();
        let mut answer = Answer::default();
        while let Some(chunk) = chunks.next().await {
            let chunk =
                chunk.map_err(|_| broken(table, "the sharing service broke off its answer"))?;
            if parts.status == StatusCode::OK {
                answer.take(&chunk).map_err(|why| broken(table, &why))?;
            } else {
                answer.rest.extend_from_slice(&chunk);
            }
            if answer.files.len() >= FILES_SEEN || answer.rest.len() > ANSWER {
                break;
            }
        }
        if parts.status != StatusCode::OK {
            return Err(broken(table, &answered(parts.status, &answer.rest)));
        }
        if answer.heads < 2 {
            return Err(broken(table, "the sharing service's answer is not whole"));
        }
        let version = parts
            .headers
            .get("delta-table-version")
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .ok_or_else(|| broken(table, "the sharing service's answer names no version"))?;
        Ok((version, answer.files))
    }

    /// Whether an ended grant still opens something: true would be wrong.
    pub(super) async fn see_closed(&self, grant: &GrantReading) -> Result<bool, Seen> {
        Ok(!self.list(grant.product.as_str()).await?.is_empty())
    }
}

/// Whatever the table needs: the consumer's reader may have it, and no more is looked at here than its files' bytes.
fn capabilities() -> String {
    format!(
        "responseformat=parquet,delta;readerfeatures={READER_FEATURES};includeendstreamaction=true"
    )
}

fn answered(status: StatusCode, body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Body {
        message: String,
    }

    match serde_json::from_slice::<Body>(body) {
        Ok(body) => body.message,
        Err(_) => format!("the sharing service answered {}", status.as_u16()),
    }
}

/// A file as the answer has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileLine {
    pub(super) url: String,
    pub(super) size: u64,
}

/// The same in either format.
#[derive(Deserialize)]
#[serde(untagged)]
enum AnyFile {
    Parquet {
        url: String,
        size: u64,
    },
    Delta {
        #[serde(rename = "deltaSingleAction")]
        action: Action,
    },
}

#[derive(Deserialize)]
struct Action {
    add: Added,
}

#[derive(Deserialize)]
struct Added {
    path: String,
    size: u64,
}

impl From<AnyFile> for FileLine {
    fn from(file: AnyFile) -> Self {
        match file {
            AnyFile::Parquet { url, size } => Self { url, size },
            AnyFile::Delta { action } => Self {
                url: action.add.path,
                size: action.add.size,
            },
        }
    }
}

/// An answer as it comes in, line by line.
#[derive(Default)]
struct Answer {
    rest: BytesMut,
    /// Lines of protocol and metadata.
    heads: usize,
    files: Vec<FileLine>,
}

impl Answer {
    fn take(&mut self, chunk: &[u8]) -> Result<(), String> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Line {
            protocol: Option<serde::de::IgnoredAny>,
            meta_data: Option<serde::de::IgnoredAny>,
            file: Option<AnyFile>,
            end_stream_action: Option<End>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct End {
            error_message: Option<String>,
        }

        self.rest.extend_from_slice(chunk);
        while let Some(at) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line = self.rest.split_to(at + 1);
            let line: Line = serde_json::from_slice(&line)
                .map_err(|_| "the sharing service's answer is not JSON lines".to_owned())?;
            self.heads += usize::from(line.protocol.is_some() || line.meta_data.is_some());
            self.files.extend(line.file.map(FileLine::from));
            if let Some(why) = line.end_stream_action.and_then(|end| end.error_message) {
                return Err(why);
            }
        }
        Ok(())
    }
}

/// The real gate, entered as a recipient without its token, leaving no trace of a read.
struct VerifyingGate {
    gate: Arc<ShareGate>,
    reader: Reader,
    /// What this grant alone gives; None: what the recipient has.
    only: Option<GrantId>,
    readings: Mutex<Vec<Arc<Reading>>>,
}

impl VerifyingGate {
    async fn granted(&self, reader: &Reader) -> Result<Vec<SharedTable>, Refused> {
        self.gate.granted_by(reader.recipient, self.only).await
    }
}

#[async_trait]
impl Gate for VerifyingGate {
    async fn authenticate(&self, _: &str, _: Option<std::net::IpAddr>) -> Result<Reader, Refused> {
        Ok(self.reader.clone())
    }

    async fn tables(&self, reader: &Reader) -> Result<Vec<Shared>, Refused> {
        Ok(listed(&self.granted(reader).await?))
    }

    async fn shares(&self, reader: &Reader) -> Result<Vec<ShareInfo>, Refused> {
        Ok(shares_of(&self.granted(reader).await?))
    }

    async fn open(
        &self,
        reader: &Reader,
        share: &str,
        schema: &str,
        table: &str,
    ) -> Result<Readable, Refused> {
        let (names, whose) = ((share, schema, table), (reader.recipient, self.only));
        let opened = self
            .gate
            .open_granted(whose, names, Look::Verification, None);
        let (readable, reading) = opened.await?;
        let readings = self.readings.lock();
        readings
            .unwrap_or_else(PoisonError::into_inner)
            .push(reading);
        Ok(readable)
    }

    async fn sign(&self, table: &Readable, keys: &[Path]) -> Result<Vec<SignedFile>, Refused> {
        self.gate.sign(table, keys).await
    }

    fn now(&self) -> Timestamp {
        self.gate.now()
    }

    /// Not a read of the consumer's. What was read of the log is counted when the look is over.
    async fn record(&self, record: QueryRecord) {
        let reading = record
            .handle
            .as_ref()
            .and_then(|handle| handle.downcast_ref::<Reading>());
        if let Some(reading) = reading {
            self.gate.note_escape(&record, reading).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_line_by_line_however_they_come() {
        let text = "{\"protocol\":{}}\n{\"metaData\":{}}\n{\"file\":{\"url\":\"u\",\"size\":3,\"id\":\"x\"}}\n";
        for size in [1, 7, 1_000] {
            let mut answer = Answer::default();
            for chunk in text.as_bytes().chunks(size) {
                answer.take(chunk).unwrap();
            }
            assert_eq!(
                (answer.heads, answer.files.len(), answer.rest.len()),
                (2, 1, 0)
            );
        }
        let delta = b"{\"file\":{\"id\":\"x\",\"deltaSingleAction\":{\"add\":{\"path\":\"u\",\"size\":3}}}}\n";
        let mut answer = Answer::default();
        answer.take(delta).unwrap();
        let (url, size) = ("u".to_owned(), 3);
        assert_eq!(answer.files, [FileLine { url, size }]);
        let mut answer = Answer::default();
        let end = b"{\"endStreamAction\":{\"errorMessage\":\"no\"}}\n";
        assert_eq!(answer.take(end), Err("no".to_owned()));
        assert!(Answer::default().take(b"{\n").is_err());
    }
}
