//! The protocol's paths.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use tokio_util::task::TaskTracker;
use tower_http::compression::{CompressionLayer, CompressionLevel};

use crate::error::{Failure, Kind};
use crate::page::Pager;
use crate::request::{Call, not_found, shortened};
use crate::slots::{Patience, Slots};
use crate::{Gate, Queries, States, later, lend, lists, tables};

/// What the protocol leaves to the server.
#[derive(Clone)]
pub struct Options {
    /// Authenticates page tokens. The same on every process that serves, and across restarts, else lists break off.
    pub page_key: [u8; 32],
    /// The most items on a page of a list, and how many there are if the client does not say; at least 1.
    pub max_results: usize,
    /// Where the states of tables are kept that were read; of one process, all routers may have the same.
    pub states: States,
    /// Where queries are kept that are answered later; without it all are answered at once.
    pub queries: Option<Arc<dyn Queries>>,
    /// Is not empty while a request is under way or its entry is being written: for who ends the process.
    pub under_way: TaskTracker,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("page_key", &"****")
            .field("max_results", &self.max_results)
            .finish_non_exhaustive()
    }
}

/// What every handler holds.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) pager: Pager,
    pub(crate) slots: Arc<Slots>,
    pub(crate) states: States,
    pub(crate) queries: Option<Arc<dyn Queries>>,
    pub(crate) under_way: TaskTracker,
}

/// The protocol's endpoints; mount it under the prefix that profiles name. The caller's address comes from a [`crate::Peer`]
/// extension or from `ConnectInfo<SocketAddr>`; the request's id from `x-request-id`, if there is one.
pub fn router(gate: Arc<dyn Gate>, options: Options) -> Router {
    router_with(gate, options, Patience::default())
}

pub(crate) fn router_with(gate: Arc<dyn Gate>, options: Options, patience: Patience) -> Router {
    let app = App {
        gate,
        pager: Pager::new(options.page_key, options.max_results),
        slots: Arc::new(Slots::new(patience)),
        states: options.states,
        queries: options.queries,
        under_way: options.under_way,
    };
    const TABLE: &str = "/shares/{share}/schemas/{schema}/tables/{table}";
    let of_table = |rest: &str| format!("{TABLE}{rest}");
    let endpoints = [
        ("/shares".to_owned(), get(lists::shares)),
        ("/shares/{share}".to_owned(), get(lists::share)),
        ("/shares/{share}/schemas".to_owned(), get(lists::schemas)),
        (
            "/shares/{share}/all-tables".to_owned(),
            get(lists::all_tables),
        ),
        (
            "/shares/{share}/schemas/{schema}/tables".to_owned(),
            get(lists::tables),
        ),
        (of_table(""), get(lists::table).head(tables::version)),
        (of_table("/version"), get(tables::version)),
        (of_table("/metadata"), get(tables::metadata)),
        (of_table("/query"), post(tables::query)),
        (of_table("/changes"), get(tables::changes)),
        (
            of_table("/temporary-table-credentials"),
            post(lend::temporary_credentials),
        ),
        (of_table("/queries/{query}"), post(later::poll)),
    ];
    let mut router = Router::new();
    for (path, methods) in endpoints {
        // A profile's endpoint ends in a slash, behind which some put another, as the reference server lets them.
        router = router.route(&format!("/{path}"), methods.clone());
        router = router.route(&path, methods);
    }
    router
        .method_not_allowed_fallback(no_method)
        .fallback(no_endpoint)
        // Where it is asked for: the lines of an answer are much alike, and the client waits for the network, not for us.
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .with_state(app)
}

async fn refuse(app: &App, call: &Call, failure: Failure) -> Response {
    call.reader(&*app.gate)
        .await
        .err()
        .unwrap_or(failure)
        .respond(call)
}

async fn no_method(State(app): State<App>, call: Call) -> Response {
    refuse(
        &app,
        &call,
        Failure::new(
            Kind::MethodNotAllowed,
            "this endpoint does not know that method",
        ),
    )
    .await
}

async fn no_endpoint(State(app): State<App>, call: Call, uri: http::Uri) -> Response {
    refuse(
        &app,
        &call,
        not_found(&format!("the endpoint '{}'", shortened(uri.path()))),
    )
    .await
}
