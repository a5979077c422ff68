//! `/data`: files of stores that cannot sign URLs, by URLs that we sign ourselves.
//!
//! A URL is `<public_url>/data/v1/<ticket>/<file name>?X-Amz-Signature=<HMAC-SHA256>`. The query key is one that clients take
//! for a signed URL; without it some read the URL as a path in an object store. The ticket is sealed: it names the object in
//! its storage, which is nobody's business. The signature covers ticket and file name.
//!
//! Each request looks anew whether the grant is open and the credential counts that the URL was made with, so that an end of
//! either, or a grant that was narrowed, is felt at once even by those who hold a URL. What the client receives is counted, aborted
//! answers included, as a leg from the store to the recipient (`receipt`).

mod range;
mod receipt;
mod ticket;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path as UrlPath, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use exchange::access::EndedAccess;
use exchange::billing::MeterEventNew;
use exchange::{Exchange, Principal};
use futures::stream::StreamExt as _;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, header};
use model::{Method as Counted, Purpose};
use object_store::{GetOptions, GetRange, ObjectMeta};
use rest::REQUEST_ID;
use storage::{Cause, Meter, MeterKey, StorageError};
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::adapters::gate::{Look, still_opens};
use crate::adapters::stores::Lake;
use crate::listen::{Caller, Delivery};
use crate::middleware::observe::RequestId;
use range::Asked;
use receipt::Receipt;
use ticket::Tickets;
pub(crate) use ticket::{Ticket, TicketError};

/// The query key that carries the signature.
pub const SIGNATURE: &str = "X-Amz-Signature";

const NOSNIFF: HeaderName = HeaderName::from_static("x-content-type-options");

/// Makes and serves gateway URLs. Cheap to clone.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    exchange: Exchange,
    lake: Lake,
    tickets: Tickets,
    under_way: TaskTracker,
}

/// Why there is no file in the answer.
struct Refusal {
    status: StatusCode,
    sentence: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// What was asked with is not ours.
    is_forged: bool,
}

/// Marks an answer to a ticket that is not ours: whoever sends many of these is guessing. What has expired, or whose grant or
/// credential has ended, was ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forged;

/// Instead of the answer to one forged ticket too many.
pub(crate) fn too_many(retry_after_seconds: u64) -> Response {
    let sentence = "Too many URLs that are not valid came from this address; wait as long as Retry-After says.";
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, sentence)
        .with(header::RETRY_AFTER, HeaderValue::from(retry_after_seconds))
        .respond(false)
}

impl Refusal {
    fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self {
            status,
            sentence: sentence.into(),
            headers: Vec::new(),
            is_forged: false,
        }
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    fn respond(self, head: bool) -> Response {
        let text = format!("{}\n", self.sentence);
        let length = HeaderValue::from(text.len());
        let body = if head {
            Body::empty()
        } else {
            Body::from(text)
        };
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        headers.insert(header::CONTENT_LENGTH, length);
        headers.extend(self.headers);
        guard(headers);
        if self.is_forged {
            response.extensions_mut().insert(Forged);
        }
        response
    }
}

impl Gateway {
    /// `key` is the installation's own, the same on every process; `exchange` needs only its database and clock.
    /// `under_way` is not empty while somebody is given a file or that is being counted.
    pub fn new(exchange: Exchange, lake: Lake, key: &[u8; 32], under_way: TaskTracker) -> Self {
        Self(Arc::new(Inner {
            exchange,
            lake,
            tickets: Tickets::new(key),
            under_way,
        }))
    }

    /// The routes below the root of the server.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/data/v1/{ticket}/{name}", any(serve))
            .route("/data/{*rest}", any(nothing))
            .with_state(self.clone())
    }

    /// The URL that opens the ticket's object until the ticket expires, while its grant is open and its credential counts.
    pub(crate) fn url(&self, ticket: &Ticket) -> Result<String, TicketError> {
        let path = self.0.tickets.seal(ticket)?;
        let signature = self.0.tickets.sign(&path);
        Ok(format!(
            "{}{path}?{SIGNATURE}={signature}",
            self.public_url()
        ))
    }

    fn public_url(&self) -> &str {
        &self.0.exchange.options().public_url
    }

    /// Fetches one of our own URLs in process, as a client would over the network; None: it is somebody else's.
    pub(crate) async fn fetch(&self, url: &str, range: &str) -> Option<Response> {
        let path = url
            .strip_prefix(self.public_url())
            .filter(|path| path.starts_with("/data/"))?;
        let request = Request::get(path)
            .header(header::RANGE, range)
            .body(Body::empty())
            .ok()?;
        match self.router().oneshot(request).await {
            Ok(response) => Some(response),
            Err(never) => match never {},
        }
    }

    async fn answer(
        &self,
        path: Result<UrlPath<(String, String)>, PathRejection>,
        asked: &Parts,
    ) -> Result<Response, Refusal> {
        let Parts {
            method,
            uri,
            headers,
            ..
        } = asked;
        if !matches!(*method, Method::GET | Method::HEAD) {
            let allowed = HeaderValue::from_static("GET, HEAD");
            let sentence = "These URLs are for reading: use GET or HEAD.";
            return Err(
                Refusal::new(StatusCode::METHOD_NOT_ALLOWED, sentence).with(header::ALLOW, allowed)
            );
        }
        let UrlPath((ticket, name)) = path.map_err(|_| invalid())?;
        let ticket = self
            .0
            .tickets
            .open(&ticket, &name, signature(uri).as_deref())
            .ok_or_else(invalid)?;
        let exchange = &self.0.exchange;
        let system = Principal::system();
        let opened = exchange
            .reading_opens(&system, ticket.grant, ticket.look.token())
            .await;
        let Some(opened) = opened.map_err(|error| ours(&error))? else {
            let end = exchange.ended_grant(&system, ticket.grant).await;
            return Err(match (end.map_err(|error| ours(&error))?, ticket.look) {
                (None, Look::Consumer(_)) => not_taken(),
                (end, _) => ended(end),
            });
        };
        let still = still_opens(exchange, &opened, ticket.recipient, ticket.rows).await;
        if !still.map_err(|error| ours(&error))? {
            let sentence = "The access that this URL was made for opens other rows by now. Query the table again for new ones.";
            return Err(Refusal::new(StatusCode::FORBIDDEN, sentence));
        }
        // After the grant and the credential: with one of them over there is no use in asking for new URLs.
        if exchange.now() >= ticket.expires_at {
            let sentence = format!(
                "This URL expired at {}. Query the table again for new ones.",
                ticket.expires_at
            );
            return Err(Refusal::new(StatusCode::FORBIDDEN, sentence));
        }
        let access = exchange
            .storage_access_for_system(&system, ticket.storage)
            .await
            .map_err(|error| ours(&error))?;
        let meter = Meter::new(MeterKey {
            product: Some(ticket.product),
            table: Some(ticket.table),
            cause: Cause::Query(ticket.query),
            purpose: ticket.look.purpose(Purpose::Gateway),
        });
        let store = self.0.lake.open(&access, &meter).map_err(|problem| {
            tracing::warn!(
                problem = problem.sentence,
                "a storage cannot be opened for the gateway"
            );
            let sentence =
                "The provider's storage cannot be opened at present; its owner has to look at it.";
            Refusal::new(StatusCode::BAD_GATEWAY, sentence)
        })?;
        let objects = store.objects();
        let look = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        let found = objects.get_opts(&ticket.key, look).await;
        let meta = found.map_err(|error| of_store(error.into()))?.meta;
        let tag = self.0.tickets.tag(&meta);
        let part = if *method == Method::HEAD {
            Asked::Whole
        } else {
            range::asked(headers, &tag, meta.size)
        };
        let range = match part {
            Asked::Whole => None,
            Asked::Part(range) => Some(range),
            Asked::Beyond => {
                let sentence = format!("The file has {} bytes; the range lies outside.", meta.size);
                let size = HeaderValue::try_from(format!("bytes */{}", meta.size)).ok();
                let size = size.unwrap_or(HeaderValue::from_static("bytes */*"));
                return Err(Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, sentence)
                    .with(header::CONTENT_RANGE, size));
            }
        };
        let status = match range {
            Some(_) => StatusCode::PARTIAL_CONTENT,
            None => StatusCode::OK,
        };
        let bytes = range.clone().unwrap_or(0..meta.size);
        let length = bytes.end - bytes.start;
        let body = if *method == Method::HEAD || length == 0 {
            Body::empty()
        } else {
            // Of the very object that was looked at: if it was replaced meanwhile, this fails.
            let wanted = GetOptions {
                if_match: meta.e_tag.clone(),
                range: Some(GetRange::Bounded(bytes.clone())),
                ..GetOptions::default()
            };
            let opened = objects.get_opts(&ticket.key, wanted).await;
            let chunks = opened
                .map_err(|error| of_store(error.into()))?
                .into_stream();
            let chunks = chunks
                .map(|chunk| chunk.map_err(StorageError::from))
                .boxed();
            let is_read = matches!(ticket.look, Look::Consumer(_));
            let event = is_read.then(|| event(&ticket, store.location()));
            let delivery = event.as_ref().and_then(|_| delivery(asked));
            let receipt = Receipt::new(
                (exchange.clone(), self.0.under_way.token()),
                event,
                delivery,
                length,
            );
            Body::from_stream(receipt::frames(chunks, receipt))
        };
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        describe(headers, &meta, tag);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        if let Some(range) = range {
            let text = format!("bytes {}-{}/{}", range.start, range.end - 1, meta.size);
            if let Ok(text) = HeaderValue::try_from(text) {
                headers.insert(header::CONTENT_RANGE, text);
            }
        }
        guard(headers);
        Ok(response)
    }
}

async fn serve(
    State(gateway): State<Gateway>,
    path: Result<UrlPath<(String, String)>, PathRejection>,
    request: Request<Body>,
) -> Response {
    let (asked, _) = request.into_parts();
    match gateway.answer(path, &asked).await {
        Ok(response) => response,
        Err(refusal) => refusal.respond(asked.method == Method::HEAD),
    }
}

/// Follows the answer to the client, where the request came by a connection that can; the request's id marks its head.
fn delivery(asked: &Parts) -> Option<Delivery> {
    let caller: &Caller = asked.extensions.get()?;
    let RequestId(id) = asked.extensions.get()?;
    caller.expect(&format!("{REQUEST_ID}: {id}"))
}

async fn nothing(method: Method) -> Response {
    let sentence = "There is nothing here. Query a table for URLs.";
    Refusal::new(StatusCode::NOT_FOUND, sentence).respond(method == Method::HEAD)
}

/// The one value of the signature's key; None when there is none or more than one.
fn signature(uri: &Uri) -> Option<String> {
    let mut values = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.strip_prefix(SIGNATURE)?.strip_prefix('='));
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value.to_owned()),
        _ => None,
    }
}

/// What was changed, cut off or made by somebody else; which of them is not said.
fn invalid() -> Refusal {
    let sentence =
        "This URL is not valid: it was changed or cut off. Query the table again for new ones.";
    Refusal {
        is_forged: true,
        ..Refusal::new(StatusCode::FORBIDDEN, sentence)
    }
}

/// Who holds the URL was let in once: when that ended, and that the URL ended with it, is theirs to know.
fn ended(end: Option<EndedAccess>) -> Refusal {
    let sentence = match end {
        None => "The access that this URL was made for has ended. Ask for access again.".to_owned(),
        Some(end) => format!(
            "The access that this URL was made for ended at {}: {}. The URL is refused since then; ask for access again.",
            end.at,
            if end.revoked {
                "it was revoked"
            } else {
                "its time was over"
            }
        ),
    };
    Refusal::new(StatusCode::FORBIDDEN, sentence)
}

/// The grant goes on; what has ended is the recipient's own credential.
fn not_taken() -> Refusal {
    let sentence = "The credential that this URL was made with counts no longer: it was revoked, replaced, or its time is over. \
                    Query the table again with the recipient's current one.";
    Refusal::new(StatusCode::FORBIDDEN, sentence)
}

fn ours(error: &exchange::Error) -> Refusal {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "the gateway could not ask the exchange"
    );
    Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "This cannot be checked at the moment; try again.",
    )
    .with(header::RETRY_AFTER, HeaderValue::from_static("5"))
}

/// The store's own words may hold paths: they go to the log.
fn of_store(error: StorageError) -> Refusal {
    tracing::warn!(
        error = &error as &dyn std::error::Error,
        "a file could not be read for the gateway"
    );
    let (status, sentence) = match error {
        StorageError::NotFound { .. } => (
            StatusCode::NOT_FOUND,
            "The file is gone. The table may have changed: query it again.",
        ),
        StorageError::Escape { .. }
        | StorageError::NotAllowed { .. }
        | StorageError::Denied { .. } => (
            StatusCode::FORBIDDEN,
            "The provider's storage denies access to this file.",
        ),
        StorageError::Unreachable { .. } => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The provider's storage does not answer; try again.",
        ),
        StorageError::AlreadyExists { .. } | StorageError::Other { .. } => (
            StatusCode::BAD_GATEWAY,
            "The provider's storage could not serve this file.",
        ),
    };
    Refusal::new(status, sentence)
}

fn describe(headers: &mut HeaderMap, meta: &ObjectMeta, tag: HeaderValue) {
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::ETAG, tag);
    let modified = meta.last_modified.format("%a, %d %b %Y %H:%M:%S GMT");
    if let Ok(modified) = HeaderValue::try_from(modified.to_string()) {
        headers.insert(header::LAST_MODIFIED, modified);
    }
}

/// Data of others on our origin: not kept, not sniffed, not shown.
fn guard(headers: &mut HeaderMap) {
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, no-store"),
    );
    headers.insert(NOSNIFF, HeaderValue::from_static("nosniff"));
    headers.insert(
        header::CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment"),
    );
}

fn event(ticket: &Ticket, from: &model::Location) -> MeterEventNew {
    MeterEventNew {
        key: format!("gateway/{}", Uuid::new_v4()),
        product: Some(ticket.product),
        table: Some(ticket.table),
        grant: Some(ticket.grant),
        recipient: Some(ticket.recipient),
        run: None,
        query: Some(ticket.query),
        from: from.clone(),
        to: ticket.to.clone(),
        bytes: 0,
        busy: 0,
        method: Counted::Measured,
        purpose: Purpose::Gateway,
    }
}
