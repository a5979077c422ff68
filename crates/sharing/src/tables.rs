//! One table: its version, its metadata, its files. Each request here leaves one entry in the access log.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use delta::Snapshot;
use futures::Stream;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use object_store::path::Path as Key;
use serde::Deserialize;

use crate::access_log::Entry;
use crate::capabilities::{CAPABILITIES, Capabilities, FILE_ID_HASH, FileIds, Format};
use crate::error::Failure;
use crate::query::{QueryRequest, no_history};
use crate::request::{Call, TableNames, read_body};
use crate::routes::App;
use crate::slots::Slot;
use crate::{Endpoint, Readable, Reader, Refused, lines};

const TABLE_VERSION: HeaderName = HeaderName::from_static("delta-table-version");

/// Files signed and written in one piece.
const PIECE: usize = 500;

type TablePath = Result<Path<(String, String, String)>, PathRejection>;

/// Authenticates, opens, and notes both in the entry.
async fn open(
    app: &App,
    call: &Call,
    names: &TableNames,
    entry: &mut Entry,
) -> Result<(Readable, Reader), Failure> {
    let reader = call.reader(&*app.gate).await?;
    entry.read_by(&reader);
    if !names.are_names() {
        return Err(names.not_found());
    }
    let opened = app
        .gate
        .open(&reader, &names.share, &names.schema, &names.table)
        .await;
    let readable = opened.map_err(|refused| match refused {
        Refused::NotFound => names.not_found(),
        refused => refused.into(),
    })?;
    entry.opened(&readable);
    Ok((readable, reader))
}

/// The same for reading the table's state, once there is a place for it.
async fn open_state(
    app: &App,
    call: &Call,
    names: &TableNames,
    entry: &mut Entry,
) -> Result<(Readable, Slot), Failure> {
    let (readable, reader) = open(app, call, names, entry).await?;
    let slot = app.slots.take(reader.recipient).await?;
    Ok((readable, slot))
}

/// Writes the entry and makes the response of a request that is answered at once.
async fn close(call: &Call, entry: Entry, result: Result<Response, Failure>) -> Response {
    match result {
        Ok(response) => {
            entry.answered(response.status()).await;
            response
        }
        Err(failure) => {
            entry.refused(&failure).await;
            failure.respond(call)
        }
    }
}

fn no_store(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// E6: also as HEAD of the table itself, as old clients ask.
pub(crate) async fn version(
    State(app): State<App>,
    method: Method,
    call: Call,
    path: TablePath,
) -> Response {
    let names = TableNames::new(path);
    let mut entry = Entry::new(Arc::clone(&app.gate), Endpoint::Version, &call, &names);
    let result = async {
        let (readable, _) = open(&app, &call, &names, &mut entry).await?;
        if call.parameters()?.text("startingTimestamp").is_some() {
            return Err(no_history(&names));
        }
        let latest = readable
            .table
            .latest_version()
            .await?
            .ok_or(delta::LogError::NotATable)?;
        entry.version(latest);
        let mut response = StatusCode::OK.into_response();
        response
            .headers_mut()
            .insert(TABLE_VERSION, HeaderValue::from(latest));
        no_store(response.headers_mut());
        Ok(response)
    };
    let result = result.await;
    let mut response = close(&call, entry, result).await;
    if method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    response
}

/// E7: two lines, never more.
pub(crate) async fn metadata(State(app): State<App>, call: Call, path: TablePath) -> Response {
    let names = TableNames::new(path);
    let mut entry = Entry::new(Arc::clone(&app.gate), Endpoint::Metadata, &call, &names);
    let result = async {
        let (readable, _slot) = open_state(&app, &call, &names, &mut entry).await?;
        let parameters = call.parameters()?;
        let (version, timestamp) = (parameters.number("version")?, parameters.text("timestamp"));
        if version.is_some() && timestamp.is_some() {
            return Err(Failure::invalid(
                "Please only provide one of: version,timestamp",
            ));
        }
        if version.is_some_and(|version| version < 0) {
            return Err(Failure::invalid("version cannot be negative."));
        }
        if version.is_some() || timestamp.is_some() {
            return Err(no_history(&names));
        }
        let client = Capabilities::parse(&call.headers)?;
        let asked_ids = FileIds::parse(&call.headers)?;
        let snapshot = readable.table.snapshot(None).await?;
        entry.version(snapshot.version);
        let format = client.choose(&snapshot)?;
        let head = lines::head(&snapshot.protocol, &snapshot.metadata, format, &client)?;
        let mut response = Body::from(head).into_response();
        // The line that ends a stream belongs to queries: not negotiated here, though it may have been asked for.
        set_headers(
            response.headers_mut(),
            snapshot.version,
            format,
            false,
            FileIds::new(asked_ids, format),
        );
        Ok(response)
    };
    let result = result.await;
    close(&call, entry, result).await
}

fn set_headers(
    headers: &mut HeaderMap,
    version: u64,
    format: Format,
    end_stream_action: bool,
    ids: FileIds,
) {
    let capabilities = match (format, end_stream_action) {
        (Format::Parquet, false) => "responseformat=parquet",
        (Format::Parquet, true) => "responseformat=parquet;includeendstreamaction=true",
        (Format::Delta, false) => "responseformat=delta",
        (Format::Delta, true) => "responseformat=delta;includeendstreamaction=true",
    };
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-ndjson; charset=utf-8"),
    );
    headers.insert(TABLE_VERSION, HeaderValue::from(version));
    headers.insert(CAPABILITIES, HeaderValue::from_static(capabilities));
    if ids.asked {
        headers.insert(
            FILE_ID_HASH,
            HeaderValue::from_static(ids.scheme().as_str()),
        );
    }
    no_store(headers);
}

/// E8: the latest version's files.
pub(crate) async fn query(
    State(app): State<App>,
    call: Call,
    path: TablePath,
    body: Body,
) -> Response {
    let names = TableNames::new(path);
    let mut entry = Entry::new(Arc::clone(&app.gate), Endpoint::Query, &call, &names);
    let result = async {
        let (readable, slot) = open_state(&app, &call, &names, &mut entry).await?;
        let client = Capabilities::parse(&call.headers)?;
        let asked_ids = FileIds::parse(&call.headers)?;
        let request = QueryRequest::parse(&read_body(&call.headers, body).await?)?;
        request.check_served(&names)?;
        let snapshot = readable.table.snapshot(None).await?;
        entry.version(snapshot.version);
        let format = client.choose(&snapshot)?;
        let head = lines::head(&snapshot.protocol, &snapshot.metadata, format, &client)?;
        let mut files = Files {
            app,
            readable,
            ids: FileIds::new(asked_ids, format),
            format,
            end: files_for(&snapshot, request.limit),
            next: 0,
            min_expiry: None,
            snapshot,
            _slot: slot,
        };
        // Before the status is sent, so that what fails at once is a proper error.
        let mut piece = head;
        files.write_piece(&mut piece, &mut entry).await?;
        Ok((files, piece, client.end_stream_action, request.expects_end))
    };
    let (files, piece, negotiated, expects_end) = match result.await {
        Ok(ready) => ready,
        Err(failure) => return close(&call, entry, Err(failure)).await,
    };
    entry.began(StatusCode::OK);
    let (version, format, ids) = (files.snapshot.version, files.format, files.ids);
    let stream = write_answer(call, entry, files, piece, negotiated, expects_end);
    let mut response = Body::from_stream(stream).into_response();
    set_headers(response.headers_mut(), version, format, negotiated, ids);
    response
}

/// `piece`, then the rest of the files, then, for a client that knows it, the line that says the answer is complete.
fn write_answer(
    call: Call,
    mut entry: Entry,
    mut files: Files,
    mut piece: Vec<u8>,
    negotiated: bool,
    expects_end: bool,
) -> impl Stream<Item = Result<Bytes, io::Error>> {
    async_stream::stream! {
        let shelf = (!files.is_done()).then(|| Shelf::new(files.app.slots.patience.client));
        while let Some(shelf) = shelf.as_ref().filter(|_| !files.is_done()) {
            shelf.put(files);
            yield Ok(Bytes::from(std::mem::take(&mut piece)));
            let Some(back) = shelf.take() else {
                tracing::debug!("the client took too long");
                yield Err(io::Error::other("the answer was waited for too long"));
                return;
            };
            files = back;
            if let Err(failure) = files.write_piece(&mut piece, &mut entry).await {
                failure.log(&call);
                let message = failure.message(&call);
                entry.failed(&failure).await;
                // H5: said where the client listens for it; else broken off, for an end would look like the whole.
                if negotiated {
                    piece.clear();
                    lines::end_with_error(&mut piece, &message);
                    yield Ok(Bytes::from(piece));
                } else {
                    yield Err(io::Error::other("the answer could not be completed"));
                }
                return;
            }
        }
        // H4: never unprompted; the Python connector takes every line for a file.
        if negotiated || expects_end {
            lines::end(&mut piece, files.min_expiry);
        }
        // What is left is the last piece: however slowly it is taken, the table's state and the place are free.
        drop(files);
        entry.answered(StatusCode::OK).await;
        yield Ok(Bytes::from(piece));
    }
}

/// How many of the files, in the log's order, hold `limit` rows by their statistics. A file without statistics counts as
/// empty, so that never too few are sent.
fn files_for(snapshot: &Snapshot, limit: Option<u64>) -> usize {
    #[derive(Deserialize)]
    struct Stats {
        #[serde(rename = "numRecords")]
        rows: u64,
    }

    let Some(limit) = limit else {
        return snapshot.files.len();
    };
    let mut rows = 0_u64;
    for (count, file) in snapshot.files.values().enumerate() {
        if rows >= limit {
            return count;
        }
        let stats = file
            .stats
            .as_deref()
            .and_then(|stats| serde_json::from_str::<Stats>(stats).ok());
        rows = rows.saturating_add(stats.map_or(0, |stats| stats.rows));
    }
    snapshot.files.len()
}

/// The files of an answer that are still to be signed and written.
struct Files {
    app: App,
    readable: Readable,
    snapshot: Snapshot,
    format: Format,
    ids: FileIds,
    next: usize,
    end: usize,
    /// The earliest end of a URL so far, in milliseconds.
    min_expiry: Option<i64>,
    /// Given back with the table's state, which takes the memory.
    _slot: Slot,
}

/// Where the files stand while the client takes a piece. If it takes none for too long, they are let go of, and with them
/// their memory and their place.
struct Shelf(Arc<Mutex<Standing>>);

struct Standing {
    files: Option<Files>,
    /// How often they were put here.
    puts: u64,
}

impl Shelf {
    fn new(patience: Duration) -> Self {
        let standing = Arc::new(Mutex::new(Standing {
            files: None,
            puts: 0,
        }));
        let watched = Arc::downgrade(&standing);
        tokio::spawn(async move {
            let mut seen = 0;
            loop {
                tokio::time::sleep(patience).await;
                let Some(standing) = watched.upgrade() else {
                    return;
                };
                let mut standing = standing.lock().unwrap_or_else(PoisonError::into_inner);
                if standing.files.is_some() && standing.puts == seen {
                    standing.files = None;
                    return;
                }
                seen = standing.puts;
            }
        });
        Self(standing)
    }

    fn put(&self, files: Files) {
        let mut standing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        standing.files = Some(files);
        standing.puts += 1;
    }

    /// None: they were let go of.
    fn take(&self) -> Option<Files> {
        let mut standing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        standing.files.take()
    }
}

impl Files {
    fn is_done(&self) -> bool {
        self.next >= self.end
    }

    /// Signs the next files and appends their lines; nothing if none are left.
    async fn write_piece(&mut self, out: &mut Vec<u8>, entry: &mut Entry) -> Result<(), Failure> {
        let until = self.end.min(self.next.saturating_add(PIECE));
        let Some(files) = self
            .snapshot
            .files
            .get_range(self.next..until)
            .filter(|files| !files.is_empty())
        else {
            self.next = self.end;
            return Ok(());
        };
        let keys: Vec<Key> = files.values().map(|file| file.key.clone()).collect();
        let signed = self.app.gate.sign(&self.readable, &keys).await?;
        if signed.len() != keys.len() {
            return Err(Failure::internal(format!(
                "{} keys were given to sign, {} URLs came back",
                keys.len(),
                signed.len()
            )));
        }
        let bytes = files
            .values()
            .fold(0_u64, |sum, file| sum.saturating_add(file.size));
        entry.signed(keys.len() as u64, bytes);
        for (file, signed) in files.values().zip(&signed) {
            lines::file(out, file, signed, self.format, self.ids);
            let expiry = signed.expires_at.millis();
            self.min_expiry = Some(
                self.min_expiry
                    .map_or(expiry, |earliest| earliest.min(expiry)),
            );
        }
        self.next = until;
        Ok(())
    }
}

/// E9 is not served yet.
pub(crate) async fn changes(State(app): State<App>, call: Call, path: TablePath) -> Response {
    refuse(app, call, path, Endpoint::Changes, |names| {
        Failure::invalid(format!(
            "cdf is not enabled on table {}.{}.{}",
            names.share, names.schema, names.table
        ))
    })
    .await
}

/// E11 is not offered: what is read through a key of the store can be neither counted nor taken back.
pub(crate) async fn temporary_credentials(
    State(app): State<App>,
    call: Call,
    path: TablePath,
) -> Response {
    refuse(app, call, path, Endpoint::TemporaryCredentials, |names| {
        Failure::unsupported(format!(
            "Temporary table credentials are not supported on table {}.{}.{}: use the query endpoint",
            names.share, names.schema, names.table
        ))
    })
    .await
}

/// Says no, but to those only who may know that the table exists.
async fn refuse(
    app: App,
    call: Call,
    path: TablePath,
    endpoint: Endpoint,
    why: impl FnOnce(&TableNames) -> Failure,
) -> Response {
    let names = TableNames::new(path);
    let mut entry = Entry::new(Arc::clone(&app.gate), endpoint, &call, &names);
    let failure = match open(&app, &call, &names, &mut entry).await {
        Ok(_) => why(&names),
        Err(failure) => failure,
    };
    close(&call, entry, Err(failure)).await
}
