//! Refusals as RFC 9457 problem documents: what went wrong, with which fields, under which request id. The one mapping
//! from [`exchange::Error`] to HTTP.

use std::error::Error as _;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use exchange::{Error, FieldError};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

/// A refusal on its way to the caller. What only an operator may read stays in `source` and goes to the log.
#[derive(Clone, Debug)]
pub struct Problem(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    status: StatusCode,
    detail: String,
    errors: Vec<FieldError>,
    headers: HeaderMap,
    request_id: Option<String>,
    source: Option<Arc<Error>>,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

impl Problem {
    fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            status,
            detail: detail.into(),
            errors: Vec::new(),
            headers: HeaderMap::new(),
            request_id: None,
            source: None,
        }))
    }

    fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    #[must_use]
    pub fn with_request_id(mut self, id: Option<String>) -> Self {
        self.0.request_id = id.or(self.0.request_id);
        self
    }

    /// One field that is wrong.
    pub fn invalid(field: &str, message: impl ToString) -> Self {
        Error::invalid(field, message).into()
    }

    /// No bearer token, or one that is unknown, ended or revoked: they are not told apart.
    pub fn unauthenticated() -> Self {
        Error::Unauthenticated.into()
    }

    pub fn no_such_path() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "there is nothing at this path; /api/v1/openapi.json lists what there is",
        )
    }

    pub(crate) fn wrong_method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "this path does not take this method; the Allow header lists those it takes",
        )
    }

    pub(crate) fn wrong_media_type() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send the body as application/json",
        )
    }

    pub fn too_large() -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("a request's body may have {} bytes", crate::BODY_LIMIT),
        )
    }

    /// Asked too often; `seconds` until the next try has a chance.
    pub fn too_many(seconds: u64) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too many requests; wait as long as Retry-After says",
        )
        .with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// A bug that was caught on its way out.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "something went wrong on our side; the log has the details",
        )
    }

    /// Did not finish in time.
    pub fn timed_out() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "this took too long and was given up; look at what was done before you try again",
        )
    }

    pub(crate) fn retry_after(self, seconds: u64) -> Self {
        self.with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    pub(crate) fn log(&self, request_id: Option<&str>) {
        if !self.0.status.is_server_error() {
            tracing::debug!(
                http.status = self.0.status.as_u16(),
                request.id = request_id,
                "refused"
            );
            return;
        }
        let mut chain = Vec::new();
        let mut error: Option<&dyn std::error::Error> =
            self.0.source.as_deref().and_then(Error::source);
        while let Some(found) = error {
            chain.push(found.to_string());
            error = found.source();
        }
        tracing::error!(
            http.status = self.0.status.as_u16(),
            request.id = request_id,
            error = chain.join(": "),
            "{}",
            self.0.detail
        );
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = match &error {
            Error::NotFound(_) => StatusCode::NOT_FOUND,
            Error::Unauthenticated => StatusCode::UNAUTHORIZED,
            Error::Forbidden(_) => StatusCode::FORBIDDEN,
            Error::Invalid(_) => StatusCode::BAD_REQUEST,
            Error::Conflict(_) => StatusCode::CONFLICT,
            Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let detail = match &error {
            Error::Unauthenticated => {
                "send a service token: Authorization: Bearer entrepot_st_…".to_owned()
            }
            other => other.to_string(),
        };
        let mut problem = Self::new(status, detail);
        match &error {
            Error::Invalid(fields) => problem.0.errors.clone_from(fields),
            Error::Unauthenticated => {
                problem = problem.with_header(
                    header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Bearer realm=\"entrepot\""),
                );
            }
            Error::Unavailable(_) => problem = problem.retry_after(5),
            _ => {}
        }
        problem.0.source = Some(Arc::new(error));
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = Document {
            kind: "about:blank",
            title: self.0.status.canonical_reason().unwrap_or("Problem"),
            status: self.0.status.as_u16(),
            detail: &self.0.detail,
            errors: &self.0.errors,
            request_id: self.0.request_id.as_deref(),
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = (self.0.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(self.0.headers.clone());
        response.extensions_mut().insert(self);
        response
    }
}
