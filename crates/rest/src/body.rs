//! The request's body: JSON of at most [`crate::BODY_LIMIT`] bytes that a DTO reads whole. What does not fit is said field by
//! field, in words that name neither types of ours nor what was sent (it may be a secret).

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, Request};
use exchange::{Error, Exchange, FieldError};
use http::{HeaderMap, header};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use crate::problem::Problem;

/// A JSON body. `If-Match: "7"` is the same as `"revision": 7` in it.
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Exchange> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Exchange) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        if !is_json(&parts.headers) {
            return Err(Problem::wrong_media_type());
        }
        let revision = if_match(&parts.headers)?;
        let bytes = read(Request::from_parts(parts, body), state).await?;
        let text = match revision {
            Some(revision) => with_revision(&bytes, revision)?,
            None => bytes,
        };
        parse(&text).map(Self)
    }
}

/// A JSON body that is not read yet: for what is one of several forms.
pub(crate) struct Json(pub Bytes);

impl FromRequest<Exchange> for Json {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Exchange) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::wrong_media_type());
        }
        read(request, state).await.map(Self)
    }
}

/// Reads a body within the limit.
pub(crate) async fn read(request: Request, state: &Exchange) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state)
        .await
        .map_err(|rejection| match rejection {
            BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
                Problem::too_large()
            }
            _ => Problem::invalid("body", "the body ended before it was whole"),
        })
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else {
        return false;
    };
    let kind = kind.to_str().unwrap_or("");
    let essence = kind.split(';').next().unwrap_or("").trim();
    essence.eq_ignore_ascii_case("application/json")
}

/// The revision of If-Match; `*` asks for nothing.
fn if_match(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or("").trim();
    if text == "*" {
        return Ok(None);
    }
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .and_then(|text| text.parse().ok())
        .map(Some)
        .ok_or_else(|| Problem::invalid("If-Match", "send the ETag that was answered, like \"7\""))
}

fn with_revision(bytes: &[u8], revision: i64) -> Result<Bytes, Problem> {
    let mut value: Value = serde_json::from_slice(bytes).map_err(|error| not_json(&error))?;
    if let Value::Object(object) = &mut value {
        match object.get("revision") {
            None => {
                object.insert("revision".to_owned(), Value::from(revision));
            }
            Some(found) if found.as_i64() == Some(revision) => {}
            Some(_) => {
                return Err(Problem::invalid(
                    "If-Match",
                    "says another revision than the body does",
                ));
            }
        }
    }
    Ok(Bytes::from(value.to_string()))
}

pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // serde takes a list for an object whose fields come in order: nobody may mean that.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::invalid("body", "must be an object"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_data() {
            Error::Invalid(vec![field_error(&path, &inner.to_string())]).into()
        } else if serde_json::from_slice::<IgnoredAny>(bytes).is_ok() {
            // Where one of some words is asked for, anything but a text is a slip of the pen to serde_json.
            let path = if path == "." { "" } else { path.as_str() };
            Problem::invalid(&whole(path), "must be one of the words that are known here")
        } else {
            not_json(&inner)
        }
    })?;
    deserializer.end().map_err(|error| not_json(&error))?;
    Ok(value)
}

fn not_json(error: &serde_json::Error) -> Problem {
    let place = format!("line {}, column {}", error.line(), error.column());
    Problem::invalid(
        "body",
        format!("not JSON: it breaks off or errs at {place}"),
    )
}

/// What serde says of the value at `path` (`.`: of all), as a field and a sentence for people.
pub fn field_error(path: &str, said: &str) -> FieldError {
    let said = match said.rfind(" at line ") {
        Some(at) => &said[..at],
        None => said,
    };
    let path = if path == "." { "" } else { path };
    let below = |name: &str| {
        if path.is_empty() || path == name || path.ends_with(&format!(".{name}")) {
            if path.is_empty() { name } else { path }.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    let (field, message) = if let Some(rest) = said.strip_prefix("unknown field `") {
        let (name, rest) = rest.split_once('`').unwrap_or((rest, ""));
        let name: String = name.chars().take(64).collect();
        let known = rest
            .split('`')
            .skip(1)
            .step_by(2)
            .collect::<Vec<_>>()
            .join(", ");
        let message = if known.is_empty() {
            "not known here".to_owned()
        } else {
            format!("not known here; known are {known}")
        };
        (below(&name), message)
    } else if let Some(name) = between(said, "missing field `") {
        (below(name), "missing".to_owned())
    } else if let Some(name) = between(said, "duplicate field `") {
        (below(name), "given twice".to_owned())
    } else if let Some(expected) = after_expected(said) {
        (whole(path), format!("must be {}", for_people(expected)))
    } else if said.starts_with("unknown variant") {
        let known = said
            .split('`')
            .skip(3)
            .step_by(2)
            .collect::<Vec<_>>()
            .join(", ");
        (whole(path), format!("must be one of {known}"))
    } else if said.contains("digit found in string") || said.contains("parse") {
        (whole(path), "must be a whole number".to_owned())
    } else {
        // A sentence of our own, made by a type of the model.
        (whole(path), said.to_owned())
    };
    FieldError { field, message }
}

fn whole(path: &str) -> String {
    if path.is_empty() { "body" } else { path }.to_owned()
}

fn between<'a>(said: &'a str, prefix: &str) -> Option<&'a str> {
    said.strip_prefix(prefix)?.split('`').next()
}

fn after_expected(said: &str) -> Option<&str> {
    if !said.starts_with("invalid ") {
        return None;
    }
    said.rfind(", expected ")
        .map(|at| &said[at + ", expected ".len()..])
}

/// serde's word for a type as people say it.
fn for_people(expected: &str) -> &str {
    match expected {
        "a string" | "string" | "str" => "a text",
        "a boolean" | "bool" => "true or false",
        "a sequence" => "a list",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not negative",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a map" => "an object",
        other if other.starts_with("struct ") || other.starts_with("internally") => "an object",
        other if other.starts_with("a UUID") || other.contains("UUID") => "an identifier",
        _ => "of another type",
    }
}
