//! The origin guard (C-01): whatever changes something and may be carried by a session's cookie must come from our own pages.
//!
//! Two layers. tower-http's follows the scheme of Go 1.25; this one is stricter where browsers always say where a request
//! comes from: without `Sec-Fetch-Site` the `Origin` must be exactly the configured one, and with neither of them a session's
//! cookie is not enough. Forms and server functions send urlencoded, multipart or JSON bodies; what pages can send across
//! sites without asking (`text/plain`) is refused.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, Method, StatusCode, header};

use super::observe::sentence;

/// What the guard compares with.
#[derive(Clone, Debug)]
pub struct Guard {
    /// As browsers send it.
    pub origin: String,
    pub cookie: &'static str,
}

const REFUSED: &str = "This request did not come from this site's own pages, so nothing was done. Load the page again and repeat it there.";

pub async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let is_safe = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if is_safe || is_ours(&guard, request.headers()) {
        return next.run(request).await;
    }
    tracing::warn!("a request from another site was refused");
    sentence(StatusCode::FORBIDDEN, REFUSED)
}

fn is_ours(guard: &Guard, headers: &HeaderMap) -> bool {
    let text = |name| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap_or("\u{fffd}"))
    };
    let comes_from_us = match (
        text(header::HeaderName::from_static("sec-fetch-site")),
        text(header::ORIGIN),
    ) {
        // The browser itself says "same origin": then the page was loaded from where this request goes, which is perhaps
        // another of our names, like localhost.
        (Some("same-origin"), Some(origin)) => origin == guard.origin || is_host(headers, origin),
        (Some(site), None) => matches!(site, "same-origin" | "none"),
        (Some(site), Some(origin)) => site == "none" && origin == guard.origin,
        (None, Some(origin)) => origin == guard.origin,
        (None, None) => !has_cookie(headers, guard.cookie),
    };
    comes_from_us && is_form_or_json(text(header::CONTENT_TYPE))
}

fn is_host(headers: &HeaderMap, origin: &str) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    host.is_some() && host == authority
}

fn is_form_or_json(kind: Option<&str>) -> bool {
    let Some(kind) = kind else { return true };
    let essence = kind
        .split(';')
        .next()
        .unwrap_or("")
        .trim()
        .to_ascii_lowercase();
    matches!(
        essence.as_str(),
        "application/x-www-form-urlencoded" | "multipart/form-data" | "application/json"
    )
}

fn has_cookie(headers: &HeaderMap, name: &str) -> bool {
    headers.get_all(header::COOKIE).iter().any(|value| {
        let text = String::from_utf8_lossy(value.as_bytes());
        text.split(';')
            .filter_map(|pair| pair.split_once('='))
            .any(|(found, _)| found.trim() == name)
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn what_is_ours() {
        let guard = Guard {
            origin: "https://data.example".to_owned(),
            cookie: "__Host-entrepot",
        };
        let cookie = ("cookie", "a=b; __Host-entrepot=x");
        let us = ("origin", "https://data.example");
        let cases: &[(&[(&str, &str)], bool)] = &[
            (&[], true),
            (&[cookie], false),
            (&[cookie, us], true),
            (&[cookie, ("sec-fetch-site", "same-origin")], true),
            (&[cookie, ("sec-fetch-site", "none")], true),
            (&[cookie, us, ("sec-fetch-site", "same-origin")], true),
            (&[cookie, ("sec-fetch-site", "same-site")], false),
            (&[cookie, ("sec-fetch-site", "cross-site")], false),
            (&[cookie, us, ("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[cookie, ("origin", "https://evil")], false),
            (&[cookie, ("origin", "null")], false),
            (&[("origin", "null")], false),
            (&[cookie, ("origin", "http://data.example")], false),
            (&[cookie, ("origin", "https://data.example.evil")], false),
            (&[cookie, ("origin", "https://data.example:8443")], false),
            (
                &[
                    cookie,
                    ("origin", "https://evil"),
                    ("sec-fetch-site", "same-origin"),
                ],
                false,
            ),
            (
                &[
                    cookie,
                    ("host", "localhost:3000"),
                    ("origin", "http://localhost:3000"),
                    ("sec-fetch-site", "same-origin"),
                ],
                true,
            ),
            (
                &[
                    cookie,
                    ("host", "localhost:3000"),
                    ("origin", "http://localhost:3000"),
                ],
                false,
            ),
            (
                &[
                    cookie,
                    ("host", "localhost:3000"),
                    ("origin", "http://localhost:3000"),
                    ("sec-fetch-site", "same-site"),
                ],
                false,
            ),
            (&[cookie, us, ("content-type", "text/plain")], false),
            (
                &[cookie, us, ("content-type", "text/plain; charset=utf-8")],
                false,
            ),
            (
                &[
                    cookie,
                    us,
                    ("content-type", "application/x-www-form-urlencoded"),
                ],
                true,
            ),
            (
                &[
                    cookie,
                    us,
                    ("content-type", "application/json; charset=utf-8"),
                ],
                true,
            ),
        ];
        for (pairs, expected) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in *pairs {
                let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                headers.insert(name, HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(is_ours(&guard, &headers), *expected, "{pairs:?}");
        }
    }
}
