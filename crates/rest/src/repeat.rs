//! What stands before every handler: nobody is turned away before their body is read, unknown query parameters are refused, and a POST with an `Idempotency-Key` is answered
//! once, however often it is sent.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use exchange::idempotency::Begun;
use exchange::{Error, Exchange, Principal};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};

use crate::body;
use crate::call::pairs;
use crate::endpoint::Rules;
use crate::problem::Problem;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

pub(crate) async fn guard(
    State((exchange, rules)): State<(Exchange, Rules)>,
    request: Request,
    next: Next,
) -> Response {
    let is_nobody = request
        .extensions()
        .get::<Principal>()
        .is_none_or(Principal::is_nobody);
    if is_nobody && !rules.is_open {
        return Problem::unauthenticated().into_response();
    }
    if let Err(problem) = check_query(&request, &rules) {
        return problem.into_response();
    }
    let key = request.headers().get(KEY).cloned();
    match key {
        Some(key) if request.method() == Method::POST => {
            match once(&exchange, rules.is_secret, &key, request, next).await {
                Ok(response) => response,
                Err(problem) => problem.into_response(),
            }
        }
        _ => next.run(request).await,
    }
}

fn check_query(request: &Request, rules: &Rules) -> Result<(), Problem> {
    let mut unknown = Vec::new();
    for (name, _) in pairs(request.uri().query().unwrap_or(""))? {
        if !rules.query.contains(&name.as_str()) {
            unknown.push(exchange::FieldError {
                field: name.chars().take(64).collect(),
                message: if rules.query.is_empty() {
                    "not known here; this takes no query".to_owned()
                } else {
                    format!("not known here; known are {}", rules.query.join(", "))
                },
            });
        }
    }
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(unknown).into())
    }
}

async fn once(
    exchange: &Exchange,
    is_secret: bool,
    key: &HeaderValue,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let key = key
        .to_str()
        .ok()
        .filter(|key| (1..=255).contains(&key.len()))
        .ok_or_else(|| Problem::invalid("Idempotency-Key", "1 to 255 visible ASCII characters"))?
        .to_owned();
    let principal = request
        .extensions()
        .get::<Principal>()
        .cloned()
        .unwrap_or_else(Principal::nobody);
    let (parts, body) = request.into_parts();
    let bytes = body::read(Request::from_parts(parts.clone(), body), exchange).await?;
    let line = format!("{} {}\n", parts.method, parts.uri);
    let same = [line.as_bytes(), &bytes].concat();
    match exchange.idempotency_begin(&principal, &key, &same).await? {
        Begun::Fresh => {}
        Begun::Running => {
            return Err(Problem::from(Error::conflict(
                "the same request is being answered at this moment; try again in a moment",
            ))
            .retry_after(1));
        }
        Begun::Different => {
            return Err(Error::conflict(
                "this Idempotency-Key was used for another request; take a new one",
            )
            .into());
        }
        Begun::Done { body: None, .. } if is_secret => {
            return Err(Error::conflict(
                "this was done already, and what it answered is shown only once; look at the list",
            )
            .into());
        }
        Begun::Done { status, body } => return Ok(replay(status, body.unwrap_or_default())),
    }
    let response = next
        .run(Request::from_parts(parts, Body::from(bytes)))
        .await;
    let status = response.status();
    if !status.is_success() {
        // A refusal did nothing: the same key may be tried again once the world has changed.
        exchange.idempotency_drop(&principal, &key).await?;
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.map_err(Error::internal)?;
    let kept = if is_secret {
        None
    } else {
        Some(String::from_utf8_lossy(&bytes))
    };
    exchange
        .idempotency_end(&principal, &key, status.as_u16(), kept.as_deref())
        .await?;
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

fn replay(status: u16, body: String) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = if status == StatusCode::NO_CONTENT {
        status.into_response()
    } else {
        (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
    };
    response
        .headers_mut()
        .insert(REPLAYED, HeaderValue::from_static("true"));
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
