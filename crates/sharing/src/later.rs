//! Queries that are answered later (checklist §1.8): the first answer is an id and the version that it is about, the files come
//! when they are asked for under that id. Meanwhile the table's state is read and the predicates are put to it by a task of the
//! process that was asked. What is kept of a query stands behind [`Queries`]: what was asked, of which version, how far it came.
//! Its files are selected from that version again where they are handed out, so that a process which knows nothing of it, or is
//! new, answers the same; and a query whose process has ended is taken up by whoever is asked about it next.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State as Held};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue};
use model::{QueryId, RecipientId, TableId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::access_log::Entry;
use crate::capabilities::{CAPABILITIES, Capabilities, FILE_ID_HASH, FileIds};
use crate::error::Failure;
use crate::files::Asked;
use crate::query::{QueryRequest, When};
use crate::request::{Call, TableNames, not_found, read_body};
use crate::routes::App;
use crate::states::fingerprint;
use crate::tables::{close, open, open_on, set_headers_of_status};
use crate::{Endpoint, Readable, Reader, Refused, Side, history, lines, narrow, stream};

/// A query with a longer body is not kept, and answered at once: its predicates take more room than what they select.
const LONGEST: usize = 64 << 10;
/// Why a query has failed whose table cannot be read any more where it began.
const ELSEWHERE: &str =
    "the table is read from another place since: send the query again with a new idempotencyKey";
/// How often who works on a query says so.
const RENEWED: Duration = Duration::from_secs(15);

/// Keeps the queries that are answered later. All processes that serve have the same.
#[async_trait]
pub trait Queries: Send + Sync + 'static {
    /// The recipient's query under this key, which begins now if there is none.
    async fn begin(&self, new: QueryNew) -> Result<QueryKept, Refused>;

    /// A query of this recipient on this table, for as long as it is kept.
    async fn find(
        &self,
        recipient: RecipientId,
        table: TableId,
        id: QueryId,
    ) -> Result<Option<QueryKept>, Refused>;

    /// Takes a query to work on, for a minute: which attempt this is. None: somebody else works on it, or it has ended.
    async fn take(&self, id: QueryId) -> Result<Option<u64>, Refused>;

    /// Takes it for another minute. False: somebody else has it.
    async fn renew(&self, id: QueryId, attempt: u64) -> Result<bool, Refused>;

    /// Says how it ended, unless somebody else has it.
    async fn end(&self, id: QueryId, attempt: u64, end: QueryState) -> Result<(), Refused>;
}

/// A query that is to be answered later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryNew {
    pub recipient: RecipientId,
    pub table: TableId,
    pub key: String,
    /// What is asked for, to the letter.
    pub request: String,
    /// Of which version.
    pub version: u64,
}

/// The same as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryKept {
    pub id: QueryId,
    pub request: String,
    pub version: u64,
    pub state: QueryState,
}

/// How far a query has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryState {
    Pending,
    /// Its files can be had; `state` tells the version's state from that of another table in the same place.
    Done {
        state: u64,
    },
    /// `message` is for the caller.
    Failed {
        message: String,
    },
}

/// What is asked for, and where its answer begins.
#[derive(Debug, Deserialize, Serialize)]
struct Stored {
    body: Map<String, Value>,
    capabilities: String,
    file_ids: Option<String>,
    /// Hash of the place that the table is read from: the version is one of there.
    place: String,
    /// Whether that is a replica's.
    #[serde(default)]
    replica: bool,
}

impl Stored {
    fn new(readable: &Readable, call: &Call, body: &[u8]) -> Result<Self, Failure> {
        let mut body: Map<String, Value> = serde_json::from_slice(body)
            .map_err(|_| Failure::malformed("the body must be a JSON object"))?;
        for of_one_call in ["maxFiles", "pageToken", "idempotencyKey", "idempotency_key"] {
            body.remove(of_one_call);
        }
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let capabilities: Vec<String> = call
            .headers
            .get_all(CAPABILITIES)
            .iter()
            .map(text)
            .collect();
        Ok(Self {
            body,
            capabilities: capabilities.join(";"),
            file_ids: call.headers.get(FILE_ID_HASH).map(text),
            place: place(readable),
            replica: readable.replica,
        })
    }

    /// Whether it is the same query, wherever the table was read when each of them came.
    fn asks_the_same(&self, other: &Self) -> bool {
        (&self.body, &self.capabilities, &self.file_ids)
            == (&other.body, &other.capabilities, &other.file_ids)
    }

    /// The table where the query began: on that side, in that place. `opened` is it as it is read now. None: it cannot be read
    /// there any more.
    async fn open(
        &self,
        app: &App,
        names: &TableNames,
        reader: &Reader,
        opened: Option<Readable>,
    ) -> Result<Option<Readable>, Failure> {
        let side = if self.replica {
            Side::Replica
        } else {
            Side::Producer
        };
        let readable = match opened.filter(|opened| opened.side() == side) {
            Some(opened) => opened,
            None => match open_on(app, names, reader, side).await {
                Ok(opened) => opened,
                Err(Refused::Preparing { .. }) => return Ok(None),
                Err(refused) => return Err(refused.into()),
            },
        };
        Ok(Some(readable).filter(|readable| self.place == place(readable)))
    }

    fn parse(text: &str) -> Result<Self, Failure> {
        serde_json::from_str(text).map_err(|error| Failure::internal(error.to_string()))
    }

    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    fn request(&self) -> Result<QueryRequest, Failure> {
        QueryRequest::parse(Value::Object(self.body.clone()).to_string().as_bytes())
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let file_ids = self.file_ids.as_deref();
        for (name, value) in [
            (CAPABILITIES, Some(self.capabilities.as_str())),
            (FILE_ID_HASH, file_ids),
        ] {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
                headers.insert(name, value);
            }
        }
        headers
    }
}

fn place(readable: &Readable) -> String {
    hex::encode(Sha256::digest(readable.place.as_bytes()))
}

/// Whether this request is one to answer later. Pages and new URLs of an answer that was there at once are there at once.
pub(crate) fn is_for_later(
    app: &App,
    client: &Capabilities,
    (request, body): (&QueryRequest, &[u8]),
) -> bool {
    app.queries.is_some()
        && client.async_query
        && !matches!(request.when, When::Since(_))
        && request.page_token.is_none()
        && request.refresh_token.is_none()
        && body.len() <= LONGEST
}

/// The first answer: the query's id, and that it is not there yet.
pub(crate) async fn begin(
    app: &App,
    call: &Call,
    names: &TableNames,
    (readable, reader): (&Readable, &Reader),
    (request, body): (&QueryRequest, &[u8]),
    entry: &mut Entry,
) -> Result<Response, Failure> {
    let key = request.idempotency_key.as_deref().ok_or_else(|| {
        Failure::invalid(
            "a query with the capability asyncquery needs an idempotencyKey: send one, such as a new UUID, and the same when the query is sent again",
        )
    })?;
    // The whole log is listed for an instant, and commits are read.
    let _slot = match request.when {
        When::At(history::Point::Time(_)) => Some(app.slots.take(reader.recipient).await?),
        _ => None,
    };
    let stored = Stored::new(readable, call, body)?;
    let version = match request.when {
        When::At(point) => {
            let version = history::version_at(&readable.table, point).await?;
            history::check_start(readable, version)?;
            version
        }
        _ => app
            .states
            .newest_version(readable)
            .await?
            .ok_or(delta::LogError::NotATable)?,
    };
    let new = QueryNew {
        recipient: reader.recipient,
        table: readable.table_id,
        key: key.to_owned(),
        request: stored.text(),
        version,
    };
    let kept = queries(app)?.begin(new).await?;
    if !Stored::parse(&kept.request)?.asks_the_same(&stored) {
        return Err(Failure::invalid(
            "another query was sent with this idempotencyKey: send a new one with each query",
        ));
    }
    entry.version(kept.version);
    work_on(app, call, names, reader, &kept);
    Ok(status(&kept))
}

fn queries(app: &App) -> Result<&Arc<dyn Queries>, Failure> {
    app.queries
        .as_ref()
        .ok_or_else(|| not_found("the query id"))
}

/// How far the query has come; its files where they are there.
pub(crate) async fn poll(
    Held(app): Held<App>,
    call: Call,
    path: Result<Path<(String, String, String, String)>, PathRejection>,
    body: Body,
) -> Response {
    let (names, id) = match path {
        Ok(Path((share, schema, table, id))) => {
            (TableNames::new(Ok(Path((share, schema, table)))), id)
        }
        Err(error) => (TableNames::new(Err(error)), String::new()),
    };
    let mut entry = Entry::new(&app, Endpoint::Query, &call, &names);
    let result = async {
        let (readable, reader) = open(&app, &call, &names, &mut entry).await?;
        let unknown = || not_found("the query id");
        let id: QueryId = id.parse().map_err(|_| unknown())?;
        let found = queries(&app)?;
        let found = found.find(reader.recipient, readable.table_id, id).await?;
        let kept = found.ok_or_else(unknown)?;
        let body = read_body(&call.headers, body).await?;
        let asked = match body.trim_ascii() {
            b"" => QueryRequest::default(),
            body => QueryRequest::parse(body)?,
        };
        entry.version(kept.version);
        let stored = Stored::parse(&kept.request)?;
        let Some(readable) = stored.open(&app, &names, &reader, Some(readable)).await? else {
            let state = QueryState::Failed {
                message: ELSEWHERE.to_owned(),
            };
            return Ok(Polled::Status(status(&QueryKept { state, ..kept })));
        };
        entry.opened(&readable);
        let QueryState::Done { state } = kept.state else {
            entry.is_for(Endpoint::AsyncQuery);
            work_on(&app, &call, &names, &reader, &kept);
            return Ok(Polled::Status(status(&kept)));
        };
        let headers = stored.headers();
        let mut client = Capabilities::parse(&headers)?;
        // That belongs to the connection, not to the query.
        client.end_stream_action = Capabilities::parse(&call.headers)?.end_stream_action;
        let mut request = stored.request()?;
        if request.when != When::Latest {
            history::check_history(&names, &readable)?;
        }
        request.expects_end |= asked.expects_end;
        // Said once, on the first page.
        request.include_refresh_token &= asked.page_token.is_none();
        request.max_files = asked.max_files;
        request.page_token = asked.page_token;
        let slot = app.slots.take(reader.recipient).await?;
        let asked = Asked {
            app: &app,
            table: readable.table_id,
            reader: &reader,
            client: &client,
            ids: FileIds::parse(&headers)?,
            request: &request,
            later: Some((kept.id, kept.version, state)),
        };
        let begun = asked.begun()?;
        let (ready, slot) = asked.read(&readable, begun, &mut entry, slot).await?;
        Ok(Polled::Files(Box::new((readable, slot, ready))))
    };
    match result.await {
        Ok(Polled::Files(files)) => {
            let (readable, slot, ready) = *files;
            stream::respond(app, call, entry, (readable, slot), ready).await
        }
        Ok(Polled::Status(status)) => close(&call, entry, Ok(status)).await,
        Err(failure) => close(&call, entry, Err(failure)).await,
    }
}

enum Polled {
    Status(Response),
    Files(Box<(Readable, crate::slots::Slot, stream::Ready)>),
}

fn status(kept: &QueryKept) -> Response {
    let id = kept.id.to_string();
    let line = match &kept.state {
        QueryState::Failed { message } => lines::query_status(&id, "failed", Some(message)),
        // Also of one that has ended since: it is asked about by its id.
        _ => lines::query_status(&id, "pending", None),
    };
    let mut response = Body::from(line).into_response();
    set_headers_of_status(response.headers_mut(), kept.version);
    response
}

/// Works on a query that nobody works on.
fn work_on(app: &App, call: &Call, names: &TableNames, reader: &Reader, kept: &QueryKept) {
    if kept.state != QueryState::Pending {
        return;
    }
    let Some(queries) = app.queries.clone() else {
        return;
    };
    let (app, call) = (app.clone(), call.clone());
    let (names, reader, kept) = (names.clone(), reader.clone(), kept.clone());
    tokio::spawn(async move {
        let ended = work(&app, &*queries, &call, &names, &reader, &kept).await;
        if let Err(error) = ended {
            tracing::error!(request_id = %call.request_id, query = %kept.id, %error, "a query that is answered later got stuck");
        }
    });
}

async fn work(
    app: &App,
    queries: &dyn Queries,
    call: &Call,
    names: &TableNames,
    reader: &Reader,
    kept: &QueryKept,
) -> Result<(), Refused> {
    let Some(attempt) = queries.take(kept.id).await? else {
        return Ok(());
    };
    let mut entry = Entry::new(app, Endpoint::AsyncQuery, call, names);
    entry.read_by(reader);
    let result = {
        let mut reading = pin!(read(app, names, reader, kept, &mut entry));
        loop {
            tokio::select! {
                result = &mut reading => break Some(result),
                () = tokio::time::sleep(RENEWED) => {
                    if !queries.renew(kept.id, attempt).await? {
                        break None;
                    }
                }
            }
        }
    };
    match result {
        // Somebody else works on it.
        None => Ok(()),
        Some(Ok(state)) => {
            entry.answered(http::StatusCode::OK).await;
            let end = QueryState::Done { state };
            queries.end(kept.id, attempt, end).await
        }
        Some(Err(failure)) => {
            failure.log(call);
            entry.refused(&failure).await;
            // What may be better later is tried again by who asks next, once this attempt's time is over.
            if failure.is_worth_another_try() {
                return Ok(());
            }
            let message = failure.message(call);
            queries
                .end(kept.id, attempt, QueryState::Failed { message })
                .await
        }
    }
}

/// Reads the state, refuses what cannot be answered, and selects, so that what is asked for next is at hand.
async fn read(
    app: &App,
    names: &TableNames,
    reader: &Reader,
    kept: &QueryKept,
    entry: &mut Entry,
) -> Result<u64, Failure> {
    let stored = Stored::parse(&kept.request)?;
    let readable = stored.open(app, names, reader, None).await?;
    let readable = readable.ok_or_else(|| Failure::invalid(ELSEWHERE))?;
    entry.opened(&readable);
    entry.version(kept.version);
    let (client, request) = (Capabilities::parse(&stored.headers())?, stored.request()?);
    if request.when != When::Latest {
        history::check_history(names, &readable)?;
    }
    let slot = app.slots.take(reader.recipient).await?;
    let point = history::Point::Version(kept.version);
    let state = history::files_at(&app.states, &readable, point).await?;
    client.choose(state.outline())?;
    let visible = (&state, narrow::sieve(&readable, &state));
    let selecting = request
        .hints
        .select(&app.states, visible, request.limit, true, slot);
    let (selected, _slot) = selecting.await?;
    entry.dropped(selected.dropped);
    Ok(fingerprint(&state))
}
