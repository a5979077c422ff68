//! `/api/v1`: the exchange as JSON over HTTP, and its OpenAPI document.
//!
//! A request here is: the principal that the server's middleware left in the extensions, an [`endpoint`] of
//! [`exchange::operation::TABLE`], a handler in [`routes`], one operation of the exchange. Every refusal is a
//! [`Problem`]. There are no rules here and no SQL; who may do what is the exchange's to say.

mod answer;
mod body;
mod call;
mod endpoint;
mod openapi;
mod problem;
mod repeat;
mod routes;
mod schema;

use std::sync::LazyLock;

use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use axum::{Json, Router};
use exchange::Exchange;

pub use body::field_error;
pub use problem::Problem;

use endpoint::Rules;

/// The most bytes a request's body may have.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// The name of the header that carries the request's id; the server sets it before anything else.
pub const REQUEST_ID: &str = "x-request-id";

/// All routes, without their prefix: the server nests them at `/api/v1`. Whoever calls leaves an [`exchange::Principal`] in
/// the request's extensions; without one the request is nobody's.
pub fn router(exchange: Exchange) -> Router {
    let mut router = Router::new();
    for endpoint in routes::all().0 {
        let rules = Rules::of(&endpoint);
        let handler: MethodRouter<Exchange> = endpoint
            .handler
            .layer(from_fn_with_state((exchange.clone(), rules), repeat::guard));
        router = router.route(endpoint.path, handler);
    }
    router
        .route(
            "/openapi.json",
            axum::routing::get(async || Json(&*DOCUMENT)),
        )
        .fallback(async || Problem::no_such_path())
        .method_not_allowed_fallback(async || Problem::wrong_method())
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn(edge))
        .with_state(exchange)
}

/// Made when it is first asked for, and then kept.
static DOCUMENT: LazyLock<serde_json::Value> = LazyLock::new(|| openapi::document(&routes::all()));

/// The OpenAPI document, for tools that want it without a server.
pub fn openapi() -> &'static serde_json::Value {
    &DOCUMENT
}

/// The outer edge: a problem gets its request id and is logged, once.
async fn edge(request: Request, next: Next) -> Response {
    let id = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .map(str::to_owned);
    let response = next.run(request).await;
    match response.extensions().get::<Problem>() {
        Some(problem) => {
            problem.log(id.as_deref());
            let mut again = problem.clone().with_request_id(id).into_response();
            // What was found on the way (Allow on 405) stays.
            for (name, value) in response.headers() {
                if !again.headers().contains_key(name) {
                    again.headers_mut().insert(name.clone(), value.clone());
                }
            }
            again
        }
        None => response,
    }
}
