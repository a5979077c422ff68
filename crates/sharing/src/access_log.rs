//! One entry of the access log per request on a table or for a list, whatever becomes of the request: answered, refused, broken
//! off, or left by the client.

use std::any::Any;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use model::{GrantId, QueryId, TableId, Timestamp};
use tokio::task::JoinHandle;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::error::Failure;
use crate::request::{Call, TableNames};
use crate::routes::App;
use crate::{Gate, Readable, Reader, Side};

/// What was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// Of shares, schemas or tables, also one of them as lists show it.
    List,
    Version,
    Metadata,
    Query,
    /// What belongs to a query that is answered later, save its answer.
    AsyncQuery,
    Changes,
    TemporaryCredentials,
}

impl Endpoint {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Version => "version",
            Self::Metadata => "metadata",
            Self::Query => "query",
            Self::AsyncQuery => "async_query",
            Self::Changes => "changes",
            Self::TemporaryCredentials => "temporary_credentials",
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// All of the answer was there for the connection, or all but the last lines, the URLs of which were signed; whether or not the
    /// client took them.
    Answered,
    /// `status` and `error_code` say why not.
    Refused,
    /// Began with 200 and broke off on our side; `error_code` says why.
    Failed,
    /// The client went away before the end.
    Abandoned,
}

impl Outcome {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }
}

/// One request on a table or for a list.
#[derive(Clone)]
pub struct QueryRecord {
    /// None: nobody we know.
    pub reader: Option<Reader>,
    /// Whether the reader was not even let in: its credential is over, or it may not call from there or so often.
    pub at_the_door: bool,
    /// None: refused before the table was opened.
    pub query: Option<QueryId>,
    pub endpoint: Endpoint,
    /// As asked for, in lower case, at most 255 characters each, without control characters; as listed once it was opened. Empty
    /// where a list is not of one.
    pub share: String,
    pub schema: String,
    pub table: String,
    pub table_id: Option<TableId>,
    pub grant: Option<GrantId>,
    pub version: Option<u64>,
    /// URLs signed, and the bytes behind them by the table's log: an estimate of what will be read.
    pub files: u64,
    pub bytes_signed: u64,
    /// Files that were left out because no row of theirs matches the query's predicates.
    pub files_dropped: u64,
    /// Actions of the table's log that were looked at to find the files: those of the state, or of the commits asked for.
    pub actions: u64,
    /// From the call's first line to when its last URLs were signed, or, without any, the answer was there for the connection.
    pub duration: Duration,
    /// From where it was answered; None: refused before the table was opened.
    pub side: Option<Side>,
    /// Since when what was answered from is staler than was promised; None: it is not.
    pub stale_since: Option<Timestamp>,
    /// The HTTP status that was sent.
    pub status: u16,
    pub error_code: Option<&'static str>,
    /// The sentence that the caller was told.
    pub reason: Option<String>,
    pub outcome: Outcome,
    pub peer: Option<IpAddr>,
    /// At most 256 characters, without control characters.
    pub user_agent: String,
    pub request_id: String,
    /// [`Readable::handle`] of the table that was opened.
    pub handle: Option<Arc<dyn Any + Send + Sync>>,
    /// What was refused because the table's log, or a link in its store, points out of the table (C-13).
    pub escape: Option<Escaped>,
    /// Whether it was refused for what only the table's producer can mend.
    pub is_producers: bool,
}

/// A table that points out of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escaped {
    /// The log's version; None: it is no log that points out.
    pub version: Option<u64>,
    /// What was found, for the provider.
    pub sentence: String,
}

impl fmt::Debug for QueryRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryRecord")
            .field("reader", &self.reader)
            .field("query", &self.query)
            .field("endpoint", &self.endpoint)
            .field("share", &self.share)
            .field("schema", &self.schema)
            .field("table", &self.table)
            .field("version", &self.version)
            .field("files", &self.files)
            .field("bytes_signed", &self.bytes_signed)
            .field("files_dropped", &self.files_dropped)
            .field("actions", &self.actions)
            .field("duration", &self.duration)
            .field("side", &self.side)
            .field("status", &self.status)
            .field("error_code", &self.error_code)
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

/// The entry of a request under way. Dropped before it is answered, refused or failed it is written as abandoned.
pub(crate) struct Entry {
    gate: Arc<dyn Gate>,
    record: Option<QueryRecord>,
    began_at: Instant,
    /// Who ends the process waits for it.
    under_way: TaskTrackerToken,
}

impl Entry {
    pub(crate) fn new(app: &App, endpoint: Endpoint, call: &Call, names: &TableNames) -> Self {
        let record = QueryRecord {
            reader: None,
            at_the_door: false,
            query: None,
            endpoint,
            share: plain(&names.share, 255),
            schema: plain(&names.schema, 255),
            table: plain(&names.table, 255),
            table_id: None,
            grant: None,
            version: None,
            files: 0,
            bytes_signed: 0,
            files_dropped: 0,
            actions: 0,
            duration: Duration::ZERO,
            side: None,
            stale_since: None,
            // What the client saw, should it leave before there is an answer: nothing.
            status: 0,
            error_code: None,
            reason: None,
            outcome: Outcome::Abandoned,
            peer: call.peer,
            user_agent: plain(&call.user_agent(), 256),
            request_id: call.request_id.clone(),
            handle: None,
            escape: None,
            is_producers: false,
        };
        Self {
            gate: Arc::clone(&app.gate),
            record: Some(record),
            began_at: Instant::now(),
            under_way: app.under_way.token(),
        }
    }

    /// It turned out to be something else.
    pub(crate) fn is_for(&mut self, endpoint: Endpoint) {
        if let Some(record) = &mut self.record {
            record.endpoint = endpoint;
        }
    }

    pub(crate) fn read_by(&mut self, reader: &Reader) {
        if let Some(record) = &mut self.record {
            record.reader = Some(reader.clone());
        }
    }

    pub(crate) fn opened(&mut self, readable: &Readable) {
        if let Some(record) = &mut self.record {
            record.query = Some(readable.query);
            record.share.clone_from(&readable.share);
            record.schema.clone_from(&readable.schema);
            record.table.clone_from(&readable.name);
            record.table_id = Some(readable.table_id);
            record.grant = Some(readable.grant);
            record.handle = Some(Arc::clone(&readable.handle));
            record.side = Some(readable.side());
            record.stale_since = readable.stale_since;
        }
    }

    pub(crate) fn version(&mut self, version: u64) {
        if let Some(record) = &mut self.record {
            record.version = Some(version);
        }
    }

    pub(crate) fn signed(&mut self, files: u64, bytes: u64) {
        if let Some(record) = &mut self.record {
            record.files = record.files.saturating_add(files);
            record.bytes_signed = record.bytes_signed.saturating_add(bytes);
        }
    }

    pub(crate) fn dropped(&mut self, files: u64) {
        if let Some(record) = &mut self.record {
            record.files_dropped = files;
        }
    }

    pub(crate) fn scanned(&mut self, actions: usize) {
        if let Some(record) = &mut self.record {
            record.actions = actions as u64;
        }
    }

    /// The answer has begun.
    pub(crate) fn began(&mut self, status: StatusCode) {
        if let Some(record) = &mut self.record {
            record.status = status.as_u16();
        }
    }

    pub(crate) async fn answered(mut self, status: StatusCode) {
        self.answering(status).written().await;
    }

    /// Begins to write it down: what is left of the answer is about to be handed out, and goes out beside it. What is noted after
    /// this is not written.
    pub(crate) fn answering(&mut self, status: StatusCode) -> Writing {
        self.hand_over(|record| {
            record.status = status.as_u16();
            record.outcome = Outcome::Answered;
        })
    }

    pub(crate) async fn refused(mut self, failure: &Failure) {
        let writing = self.hand_over(|record| {
            record.status = failure.status().as_u16();
            record.error_code = Some(failure.code());
            record.reason = Some(plain(failure.sentence(), 255));
            record.outcome = Outcome::Refused;
            record.escape = failure.escape().cloned();
            record.is_producers = failure.is_producers();
            if let Some(reader) = failure.turned_away() {
                record.reader = Some(reader.clone());
                record.at_the_door = true;
            }
        });
        writing.written().await;
    }

    /// Broke off after the answer had begun.
    pub(crate) async fn failed(mut self, failure: &Failure) {
        if self.record.is_none() {
            // Its last lines alone could not be written, which is a fault of ours.
            tracing::error!(
                code = failure.code(),
                "an answer broke off that the access log has as answered"
            );
        }
        let writing = self.hand_over(|record| {
            record.error_code = Some(failure.code());
            record.reason = Some(plain(failure.sentence(), 255));
            record.outcome = Outcome::Failed;
            record.escape = failure.escape().cloned();
            record.is_producers = failure.is_producers();
        });
        writing.written().await;
    }

    /// Gives the record to a task of its own: a client that goes away drops whatever waits for it, and must not take the
    /// entry along.
    fn hand_over(&mut self, end: impl FnOnce(&mut QueryRecord)) -> Writing {
        let Some(mut record) = self.record.take() else {
            return Writing(None);
        };
        end(&mut record);
        record.duration = self.began_at.elapsed();
        let (gate, under_way) = (Arc::clone(&self.gate), self.under_way.clone());
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => Writing(Some(runtime.spawn(async move {
                gate.record(record).await;
                drop(under_way);
            }))),
            Err(_) => {
                tracing::error!(
                    ?record,
                    "an access could not be recorded: the runtime has ended"
                );
                Writing(None)
            }
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        drop(self.hand_over(|_| {}));
    }
}

/// An entry that is being written, to its end even where nobody waits for it.
#[must_use]
pub(crate) struct Writing(Option<JoinHandle<()>>);

impl Writing {
    pub(crate) async fn written(self) {
        if let Some(task) = self.0
            && let Err(error) = task.await
        {
            tracing::error!(%error, "an access could not be recorded");
        }
    }
}

/// At most `max` characters of `text`, without control characters, so that a log line stays a line (C-39).
fn plain(text: &str, max: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(max).collect()
}
