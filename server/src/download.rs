//! `GET /costs/charges.csv`, `GET /costs/{team}/{month}/statement.csv` and `GET /products/{name}/usage.csv`: the figures of these
//! pages as files, for people; and `GET /erasures/{id}/certificate.json`, the certificate of an erasure. Plain routes, because they answer with a file; `/api/v1` has the same for machines, and takes no session.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use exchange::access::{ShareAnswer, ShareQueryFilter};
use exchange::{Error, Exchange, Period, Principal, billing};
use http::{HeaderValue, StatusCode, header};
use model::{ErasureId, ProductName};
use serde::Deserialize;

use crate::middleware::observe::sentence;
use crate::sign_in::go_to;

pub fn router(exchange: Exchange) -> Router {
    Router::new()
        .route("/costs/charges.csv", get(charges))
        .route("/costs/{team}/{month}/statement.csv", get(statement))
        .route("/products/{name}/usage.csv", get(usage))
        .route("/erasures/{id}/certificate.json", get(certificate))
        .with_state(exchange)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    product: Option<String>,
    #[serde(default)]
    since: Option<String>,
    #[serde(default)]
    until: Option<String>,
}

async fn charges(
    State(exchange): State<Exchange>,
    Extension(principal): Extension<Principal>,
    Query(wanted): Query<Wanted>,
) -> Response {
    let product = wanted.product.filter(|name| !name.is_empty());
    let found = match Period::parse(wanted.since.as_deref(), wanted.until.as_deref()) {
        Ok(period) => {
            let of = product.as_deref();
            exchange.all_charges(&principal, of, &period).await
        }
        Err(error) => Err(error),
    };
    let text = found.and_then(|found| billing::charges_csv(&found).map_err(Error::internal));
    // What gets into a header is a name.
    let name = match product.and_then(|name| name.parse::<ProductName>().ok()) {
        Some(product) => format!("charges-{product}.csv"),
        None => "charges.csv".to_owned(),
    };
    answer(text, &name, "/costs")
}

async fn statement(
    State(exchange): State<Exchange>,
    Extension(principal): Extension<Principal>,
    Path((team, month)): Path<(String, String)>,
) -> Response {
    let found = exchange.statement(&principal, &team, &month).await;
    let text = found.and_then(|found| billing::statement_csv(&found).map_err(Error::internal));
    answer(text, &format!("statement-{team}-{month}.csv"), "/costs")
}

/// Who read a product: what its page's filters leave.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Calls {
    #[serde(default)]
    recipient: String,
    #[serde(default)]
    table: String,
    #[serde(default)]
    answer: String,
    #[serde(default)]
    since: String,
    #[serde(default)]
    until: String,
}

async fn usage(
    State(exchange): State<Exchange>,
    Extension(principal): Extension<Principal>,
    Path(product): Path<String>,
    Query(wanted): Query<Calls>,
) -> Response {
    let some = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let wanted_answer = some(wanted.answer);
    let answered = ShareAnswer::ALL
        .into_iter()
        .find(|known| Some(known.as_str()) == wanted_answer.as_deref());
    if wanted_answer.is_some() && answered.is_none() {
        return sentence(
            StatusCode::BAD_REQUEST,
            "The file could not be made: answer is given or refused, or left out for all calls.",
        );
    }
    let found = match Period::parse(Some(&wanted.since), Some(&wanted.until)) {
        Ok(period) => {
            let filter = ShareQueryFilter {
                product: Some(product.clone()),
                recipient: some(wanted.recipient),
                grant: None,
                table: some(wanted.table),
                answer: answered,
                period,
            };
            exchange.all_share_queries(&principal, &filter).await
        }
        Err(error) => Err(error),
    };
    let text = found.and_then(|found| billing::share_queries_csv(&found).map_err(Error::internal));
    // What gets into a header or an address is a name.
    match product.parse::<ProductName>() {
        Ok(product) => {
            let page = format!("/products/{product}/usage");
            answer(text, &format!("usage-{product}.csv"), &page)
        }
        Err(_) => answer(text, "usage.csv", "/catalog"),
    }
}

async fn certificate(
    State(exchange): State<Exchange>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
) -> Response {
    let found = match id.parse::<ErasureId>() {
        Ok(id) => exchange.erasure_certificate(&principal, id).await,
        Err(_) if principal.is_nobody() => Err(Error::Unauthenticated),
        Err(_) => Err(Error::NotFound("erasure")),
    };
    match found {
        Ok(found) => {
            // Only an id that there is gets here.
            let name = format!("erasure-{id}.json");
            file(&name, JSON, found.certificate)
        }
        Err(error) => refused(error, "/erasures"),
    }
}

/// The file, or why there is none; `page` is where people come from.
fn answer(text: Result<String, Error>, name: &str, page: &str) -> Response {
    match text {
        Ok(text) => file(name, CSV, text),
        Err(error) => refused(error, page),
    }
}

fn refused(error: Error, page: &str) -> Response {
    match error {
        Error::Unauthenticated => {
            let query = serde_urlencoded::to_string([("next", page)]).unwrap_or_default();
            go_to(&format!("/sign-in?{query}"))
        }
        Error::NotFound(_) | Error::Forbidden(_) | Error::Invalid(_) => sentence(
            StatusCode::NOT_FOUND,
            "There is no such file, or you may not see it. Go back and load the page again.",
        ),
        Error::Conflict(_) => sentence(
            StatusCode::CONFLICT,
            "There is no such file yet. Go back and look what it waits for.",
        ),
        error => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a file of figures could not be made"
            );
            sentence(
                StatusCode::SERVICE_UNAVAILABLE,
                "The file could not be made. Please try again soon.",
            )
        }
    }
}

const CSV: &str = "text/csv; charset=utf-8; header=present";
const JSON: &str = "application/json";

/// Team and month are ones that the exchange knows, so they are fit for a file's name.
fn file(name: &str, kind: &'static str, text: String) -> Response {
    let name = format!("attachment; filename=\"{name}\"");
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static("attachment")),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, text).into_response()
}
