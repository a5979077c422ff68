//! The outermost layers: every request gets an id, a span, a line in the log and its place in the metrics; panics and
//! endless requests end as answers.

use std::any::Any;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use rest::{Problem, REQUEST_ID};
use tracing::Instrument as _;

const HEADER: HeaderName = HeaderName::from_static(REQUEST_ID);

/// So long a request may take until its answer begins.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// The id of a request, also in the `x-request-id` header of request and answer.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// Gives the request its id (never the caller's own: it goes into logs), and notes how it went.
pub async fn observe(mut request: Request, next: Next) -> Response {
    let id = uuid::Uuid::from_bytes(random()).simple().to_string();
    let value = HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("none"));
    request.headers_mut().insert(HEADER, value.clone());
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = request.method().clone();
    // Never the query: it may hold what is not for the log.
    let path: String = request.uri().path().chars().take(256).collect();
    let span =
        tracing::info_span!("request", request.id = %id, http.method = %method, http.path = %path);
    let started = Instant::now();
    let mut response = async {
        let response = next.run(request).await;
        let took = started.elapsed();
        let status = response.status();
        tracing::info!(
            http.status = status.as_u16(),
            duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "answered"
        );
        let route = response
            .extensions()
            .get::<Matched>()
            .map_or("other", |matched| matched.0.as_str());
        crate::metrics::request(&method, route, status, took);
        response
    }
    .instrument(span)
    .await;
    response.headers_mut().insert(HEADER, value);
    // What kind of server this is, and which version, is nobody's business.
    response.headers_mut().remove(header::SERVER);
    response
}

/// The route that matched, handed outwards: outside the router it is not known yet when a request comes in.
#[derive(Clone)]
struct Matched(MatchedPath);

impl Matched {
    fn of(request: &Request) -> Option<Self> {
        request.extensions().get().cloned().map(Self)
    }
}

/// Stands at the routes, so that metrics count by route.
pub async fn note_route(request: Request, next: Next) -> Response {
    let matched = Matched::of(&request);
    let mut response = next.run(request).await;
    if let Some(matched) = matched {
        response.extensions_mut().insert(matched);
    }
    response
}

/// Ends what does not end by itself.
pub async fn limit_time(request: Request, next: Next) -> Response {
    within(TIMEOUT, request, next).await
}

async fn within(limit: Duration, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::timed_out().into_response(),
    }
}

/// What a panic becomes. Its text goes to the log, not to the caller.
pub fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let what = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no text");
    tracing::error!(panic = what, "a request panicked");
    Problem::internal().into_response()
}

/// A plain sentence for people, where no page is drawn.
pub fn sentence(status: StatusCode, text: &'static str) -> Response {
    (
        status,
        [
            (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
            (header::CACHE_CONTROL, "no-store"),
        ],
        text,
    )
        .into_response()
}

fn random() -> [u8; 16] {
    let mut bytes = [0_u8; 16];
    // An id that repeats is a nuisance in the log and no more.
    let _ = getrandom::fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::Router;
    use axum::body::{Body, Bytes};
    use axum::middleware::from_fn;
    use axum::routing::post;
    use futures::{StreamExt as _, stream};
    use tower::ServiceExt as _;

    use super::*;

    /// C-54: a body that never ends does not hold a handler for ever.
    #[tokio::test]
    async fn what_does_not_end_is_given_up() {
        const SHORT: Duration = Duration::from_millis(50);
        let routes = Router::new()
            .route("/", post(async |body: Bytes| body))
            .layer(from_fn(|request, next| within(SHORT, request, next)));
        let begun = stream::once(async { Ok::<_, Infallible>(Bytes::from("name=")) });
        for (body, expected) in [
            (Body::from("name=x"), StatusCode::OK),
            (
                Body::from_stream(begun.chain(stream::pending())),
                StatusCode::SERVICE_UNAVAILABLE,
            ),
        ] {
            let request = Request::post("/").body(body).unwrap();
            let answer = routes.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), expected);
        }
        const { assert!(TIMEOUT.as_secs() == 60, "as docs/SECURITY.md says") };
    }
}
