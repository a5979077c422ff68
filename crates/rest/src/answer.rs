//! What a handler gives back: JSON, with the revision of what it shows as ETag.

use axum::response::{IntoResponse, Response};
use exchange::Error;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::Value;

use crate::problem::Problem;

/// A handler's result.
pub(crate) type Result<T> = std::result::Result<Answer<T>, Problem>;

/// A good answer.
pub(crate) struct Answer<T>(StatusCode, T);

/// Nothing to say: 204.
#[derive(Serialize)]
pub(crate) struct Nothing;

pub(crate) fn ok<T: Serialize>(value: T) -> Result<T> {
    Ok(Answer(StatusCode::OK, value))
}

pub(crate) fn created<T: Serialize>(value: T) -> Result<T> {
    Ok(Answer(StatusCode::CREATED, value))
}

pub(crate) fn done() -> Result<Nothing> {
    Ok(Answer(StatusCode::NO_CONTENT, Nothing))
}

/// A CSV file to save. `name` holds nothing that a header may not.
pub(crate) fn csv(name: &str, text: String) -> std::result::Result<Response, Problem> {
    let file = format!("attachment; filename=\"{name}\"");
    let file = HeaderValue::from_str(&file).map_err(Error::internal)?;
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/csv; charset=utf-8; header=present"),
        ),
        (header::CONTENT_DISPOSITION, file),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::VARY, HeaderValue::from_static("accept")),
    ];
    Ok((headers, text).into_response())
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        let Self(status, value) = self;
        if status == StatusCode::NO_CONTENT {
            return (status, [(header::CACHE_CONTROL, "no-store")]).into_response();
        }
        let value = match serde_json::to_value(value) {
            Ok(value) => value,
            Err(error) => return Problem::from(Error::internal(error)).into_response(),
        };
        let tag = value.get("revision").and_then(Value::as_i64);
        let mut response = (
            status,
            [
                (header::CONTENT_TYPE, "application/json"),
                (header::CACHE_CONTROL, "no-store"),
            ],
            value.to_string(),
        )
            .into_response();
        if let Some(tag) = tag
            && let Ok(tag) = HeaderValue::from_str(&format!("\"{tag}\""))
        {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}
