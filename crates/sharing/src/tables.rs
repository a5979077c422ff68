//! One table: its version, its metadata, its files, its changes. Each request leaves one entry in the access log.

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use delta::Feed;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use model::Timestamp;

use crate::access_log::Entry;
use crate::capabilities::{CAPABILITIES, Capabilities, FILE_ID_HASH, FileIds, Format};
use crate::changes::Asked;
use crate::error::Failure;
use crate::history::{self, Point};
use crate::query::{QueryRequest, When};
use crate::request::{Call, TableNames, read_body};
use crate::routes::App;
use crate::slots::Slot;
use crate::stream;
use crate::{Endpoint, Readable, Reader, Refused, Side, files, later, lines};

const TABLE_VERSION: HeaderName = HeaderName::from_static("delta-table-version");
/// Ours, beside the protocol's: `producer` or `replica`, and an instant where that is staler than was promised.
const READ_FROM: HeaderName = HeaderName::from_static("x-entrepot-read-from");
const STALE_SINCE: HeaderName = HeaderName::from_static("x-entrepot-stale-since");

type TablePath = Result<Path<(String, String, String)>, PathRejection>;

/// Authenticates, opens, and notes both in the entry.
pub(crate) async fn open(
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

/// The same table on the side on which the answer began that a request goes on with; None: it goes on with none.
async fn stay(
    app: &App,
    names: &TableNames,
    reader: &Reader,
    readable: Readable,
    side: Option<Side>,
    entry: &mut Entry,
) -> Result<Readable, Failure> {
    let Some(side) = side.filter(|side| *side != readable.side()) else {
        return Ok(readable);
    };
    let opened = open_on(app, names, reader, side).await?;
    entry.opened(&opened);
    Ok(opened)
}

/// One side of a table.
pub(crate) async fn open_on(
    app: &App,
    names: &TableNames,
    reader: &Reader,
    side: Side,
) -> Result<Readable, Refused> {
    let TableNames {
        share,
        schema,
        table,
    } = names;
    app.gate.open_on(reader, share, schema, table, side).await
}

/// The same for reading the table's state, once there is a place for it.
async fn open_state(
    app: &App,
    call: &Call,
    names: &TableNames,
    entry: &mut Entry,
) -> Result<(Readable, Reader, Slot), Failure> {
    let (readable, reader) = open(app, call, names, entry).await?;
    let slot = app.slots.take(reader.recipient).await?;
    Ok((readable, reader, slot))
}

/// Writes the entry and makes the response of a request that is answered at once.
pub(crate) async fn close(
    call: &Call,
    entry: Entry,
    result: Result<Response, Failure>,
) -> Response {
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
    let mut entry = Entry::new(&app, Endpoint::Version, &call, &names);
    let result = async {
        let (readable, reader) = open(&app, &call, &names, &mut entry).await?;
        let parameters = call.parameters()?;
        let version = match parameters.text("startingTimestamp") {
            Some(text) => {
                history::check_history(&names, &readable)?;
                let since = history::time("startingTimestamp", text)?;
                // The whole log is listed for it, and commits are read.
                let _slot = app.slots.take(reader.recipient).await?;
                let version = history::version_since(&readable.table, since).await?;
                history::check_start(&readable, version)?;
                version
            }
            None => {
                // The first time the whole log may have to be listed.
                let _slot = if app.states.knows(&readable) {
                    None
                } else {
                    Some(app.slots.take(reader.recipient).await?)
                };
                let newest = app.states.newest_version(&readable).await?;
                newest.ok_or(delta::LogError::NotATable)?
            }
        };
        entry.version(version);
        let mut response = StatusCode::OK.into_response();
        response
            .headers_mut()
            .insert(TABLE_VERSION, HeaderValue::from(version));
        say_side(
            response.headers_mut(),
            readable.side(),
            readable.stale_since,
        );
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
    let mut entry = Entry::new(&app, Endpoint::Metadata, &call, &names);
    let result = async {
        let (readable, _, _slot) = open_state(&app, &call, &names, &mut entry).await?;
        let parameters = call.parameters()?;
        let (version, timestamp) = (parameters.number("version")?, parameters.text("timestamp"));
        if version.is_some() && timestamp.is_some() {
            return Err(Failure::invalid(
                "Please only provide one of: version,timestamp",
            ));
        }
        let by_version = version
            .map(|version| history::version("version", version))
            .transpose()?;
        if by_version.is_some() || timestamp.is_some() {
            history::check_history(&names, &readable)?;
        }
        let point = match (by_version, timestamp) {
            (Some(version), _) => Some(Point::Version(version)),
            (None, Some(text)) => Some(Point::Time(history::time("timestamp", text)?)),
            (None, None) => None,
        };
        let client = Capabilities::parse(&call.headers)?;
        let asked_ids = FileIds::parse(&call.headers)?;
        let state = match point {
            Some(point) => history::state_at(&app.states, &readable, point).await?,
            None => app.states.newest(&readable).await?,
        };
        let snapshot = state.outline();
        entry.version(snapshot.version);
        let format = client.choose(snapshot)?;
        let version = point.map(|_| snapshot.version);
        let head = lines::head(&readable, &state, version, format, &client)?;
        let mut response = Body::from(head).into_response();
        // The line that ends a stream belongs to queries: not negotiated here, though it may have been asked for.
        say_side(
            response.headers_mut(),
            readable.side(),
            readable.stale_since,
        );
        set_headers(
            response.headers_mut(),
            snapshot.version,
            format,
            (false, false),
            FileIds::new(asked_ids, format),
        );
        Ok(response)
    };
    let result = result.await;
    close(&call, entry, result).await
}

/// From where it is answered, and since when that is staler than was promised.
pub(crate) fn say_side(headers: &mut HeaderMap, side: Side, stale_since: Option<Timestamp>) {
    headers.insert(READ_FROM, HeaderValue::from_static(side.as_str()));
    if let Some(since) = stale_since
        && let Ok(since) = HeaderValue::from_str(&since.to_string())
    {
        headers.insert(STALE_SINCE, since);
    }
}

/// `(end_stream_action, later)`: whether the line that ends a stream was agreed on, and whether the answer comes later than it
/// was asked for.
pub(crate) fn set_headers(
    headers: &mut HeaderMap,
    version: u64,
    format: Format,
    (end_stream_action, later): (bool, bool),
    ids: FileIds,
) {
    let mut capabilities = format!("responseformat={}", format.as_str());
    if end_stream_action {
        capabilities.push_str(";includeendstreamaction=true");
    }
    if later {
        capabilities.push_str(";asyncquery=true");
    }
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-ndjson; charset=utf-8"),
    );
    headers.insert(TABLE_VERSION, HeaderValue::from(version));
    if let Ok(capabilities) = HeaderValue::try_from(capabilities) {
        headers.insert(CAPABILITIES, capabilities);
    }
    if ids.asked {
        headers.insert(
            FILE_ID_HASH,
            HeaderValue::from_static(ids.scheme().as_str()),
        );
    }
    no_store(headers);
}

/// Of an answer that says no more than how far a query has come.
pub(crate) fn set_headers_of_status(headers: &mut HeaderMap, version: u64) {
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-ndjson; charset=utf-8"),
    );
    headers.insert(TABLE_VERSION, HeaderValue::from(version));
    headers.insert(CAPABILITIES, HeaderValue::from_static("asyncquery=true"));
    no_store(headers);
}

/// E8: the files of one version, or those that were added or removed since one.
pub(crate) async fn query(
    State(app): State<App>,
    call: Call,
    path: TablePath,
    body: Body,
) -> Response {
    let names = TableNames::new(path);
    let mut entry = Entry::new(&app, Endpoint::Query, &call, &names);
    let result = async {
        let (readable, reader) = open(&app, &call, &names, &mut entry).await?;
        let client = Capabilities::parse(&call.headers)?;
        let asked_ids = FileIds::parse(&call.headers)?;
        let body = read_body(&call.headers, body).await?;
        let request =
            QueryRequest::parse_where(&body, || history::check_history(&names, &readable))?;
        let table = readable.table_id;
        let changes = match request.when {
            When::Since(wanted) => Some(Asked {
                wanted,
                feed: Feed::Files,
                historical_metadata: true,
                historical_protocol: request.historical_protocol,
                max_files: request.max_files,
                page_token: request.page_token.as_deref(),
            }),
            _ => None,
        };
        let files = files::Asked {
            app: &app,
            table,
            reader: &reader,
            client: &client,
            ids: asked_ids,
            request: &request,
            later: None,
        };
        let (begun, side) = match &changes {
            Some(asked) => {
                let page = asked.page(&app, table, &reader, &client, asked_ids)?;
                (None, page.map(|page| page.side))
            }
            None => {
                let begun = files.begun()?;
                (begun, begun.map(|(_, pin)| pin.side))
            }
        };
        let readable = stay(&app, &names, &reader, readable, side, &mut entry).await?;
        if request.when != When::Latest {
            history::check_history(&names, &readable)?;
        }
        let what = (&request, body.as_slice());
        if later::is_for_later(&app, &client, what) {
            entry.is_for(Endpoint::AsyncQuery);
            let who = (&readable, &reader);
            let begun = later::begin(&app, &call, &names, who, what, &mut entry);
            return Ok(Err(begun.await?));
        }
        let slot = app.slots.take(reader.recipient).await?;
        let (ready, slot) = if let Some(asked) = changes {
            let ready = asked.read(&app, &names, &readable, &reader, &client, asked_ids);
            let ready = ready.await?;
            entry.version(ready.version);
            (ready, slot)
        } else {
            files.read(&readable, begun, &mut entry, slot).await?
        };
        Ok(Ok((readable, slot, ready)))
    };
    match result.await {
        Ok(Ok((readable, slot, ready))) => {
            stream::respond(app, call, entry, (readable, slot), ready).await
        }
        Ok(Err(status)) => close(&call, entry, Ok(status)).await,
        Err(failure) => close(&call, entry, Err(failure)).await,
    }
}

/// E9: what has changed from version to version.
pub(crate) async fn changes(
    State(app): State<App>,
    method: Method,
    call: Call,
    path: TablePath,
) -> Response {
    let names = TableNames::new(path);
    let mut entry = Entry::new(&app, Endpoint::Changes, &call, &names);
    let result = async {
        let (readable, reader, slot) = open_state(&app, &call, &names, &mut entry).await?;
        let parameters = call.parameters()?;
        let asked = Asked::of_changes(&parameters)?;
        let client = Capabilities::parse(&call.headers)?;
        let asked_ids = FileIds::parse(&call.headers)?;
        let page = asked.page(&app, readable.table_id, &reader, &client, asked_ids)?;
        let side = page.map(|page| page.side);
        let readable = stay(&app, &names, &reader, readable, side, &mut entry).await?;
        history::check_changes(&names, &readable)?;
        let ready = asked.read(&app, &names, &readable, &reader, &client, asked_ids);
        let ready = ready.await?;
        entry.version(ready.version);
        Ok((readable, slot, ready))
    };
    match result.await {
        Ok((readable, _slot, ready)) if method == Method::HEAD => {
            let head = stream::head_alone(&readable, &ready);
            close(&call, entry, Ok(head)).await
        }
        Ok((readable, slot, ready)) => {
            stream::respond(app, call, entry, (readable, slot), ready).await
        }
        Err(failure) => close(&call, entry, Err(failure)).await,
    }
}
