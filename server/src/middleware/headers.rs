//! The headers a browser protects people with, on every response, errors included (control C-52).

use axum::extract::Request;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderName;
use http::HeaderValue;
use http::header;
use leptos::nonce::Nonce;

/// Two years, as the preload lists ask for.
const STRICT_TRANSPORT: HeaderValue = HeaderValue::from_static("max-age=63072000");

/// The same on every response.
const CONSTANT: [(HeaderName, HeaderValue); 4] = [
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    // Not `no-referrer`: forms without JavaScript need their own origin's.
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

/// What the headers depend on.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Whether `public_url` is https. Browsers ignore `Strict-Transport-Security` over plain http, and a
    /// developer's localhost should not be told.
    pub https: bool,
}

/// The response's nonce, as a request extension: the page's renderer puts it on its scripts.
#[derive(Clone)]
pub struct ResponseNonce(pub Nonce);

/// Middleware for `axum::middleware::from_fn_with_state`. Belongs outside everything that can answer.
pub async fn apply(State(policy): State<Policy>, mut request: Request, next: Next) -> Response {
    let nonce = Nonce::new();
    let content_policy = content_security_policy(&nonce);
    request.extensions_mut().insert(ResponseNonce(nonce));
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in CONSTANT {
        headers.insert(name, value);
    }
    if policy.https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT);
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, content_policy);
    response
}

/// `strict-dynamic` lets the one script that bears the nonce import the bundle; `wasm-unsafe-eval` lets that compile
/// WebAssembly. There is no inline style anywhere.
fn content_security_policy(nonce: &Nonce) -> HeaderValue {
    let text = format!(
        "default-src 'self'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; \
         style-src 'self' 'nonce-{nonce}'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; \
         form-action 'self'"
    );
    // A nonce is base64: always a valid header. Were it not, nothing at all may load.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware;
    use axum::routing::get;
    use http::StatusCode;
    use tower::ServiceExt;

    use super::*;

    async fn answer(https: bool, path: &str) -> Response {
        Router::new()
            .route("/", get(|| async { "fine" }))
            .route(
                "/broken",
                get(|| async { StatusCode::INTERNAL_SERVER_ERROR }),
            )
            .layer(middleware::from_fn_with_state(Policy { https }, apply))
            .oneshot(Request::builder().uri(path).body(Body::empty()).unwrap())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn errors_carry_them_too() {
        for path in ["/", "/broken", "/nowhere"] {
            let response = answer(true, path).await;
            for (name, value) in &CONSTANT {
                assert_eq!(response.headers().get(name), Some(value), "{path} {name}");
            }
            assert_eq!(
                response.headers()[header::STRICT_TRANSPORT_SECURITY],
                STRICT_TRANSPORT
            );
            let policy = response.headers()[header::CONTENT_SECURITY_POLICY]
                .to_str()
                .unwrap();
            for part in [
                "default-src 'self'",
                "'strict-dynamic' 'wasm-unsafe-eval'",
                "object-src 'none'",
                "base-uri 'none'",
                "frame-ancestors 'none'",
                "form-action 'self'",
            ] {
                assert!(policy.contains(part), "{part} in {policy}");
            }
            assert!(!policy.contains("unsafe-inline"), "{policy}");
            assert!(!policy.contains("'unsafe-eval'"), "{policy}");
        }
    }

    #[tokio::test]
    async fn each_response_has_its_own_nonce() {
        let mut policies = Vec::new();
        for _ in 0..2 {
            policies
                .push(answer(true, "/").await.headers()[header::CONTENT_SECURITY_POLICY].clone());
        }
        assert_ne!(policies[0], policies[1]);
    }

    #[tokio::test]
    async fn plain_http_promises_no_https() {
        assert!(
            !answer(false, "/")
                .await
                .headers()
                .contains_key(header::STRICT_TRANSPORT_SECURITY)
        );
    }
}
