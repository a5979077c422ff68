//! `/healthz`: the process answers. `/readyz`: it can do its work. Neither says which version it is (C-60).

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use exchange::Exchange;
use http::{StatusCode, header};
use model::time::SECOND;
use serde_json::json;

/// A worker that was not heard of for so long is not counted.
const PULSE: i64 = 30 * SECOND;

pub fn router(exchange: Exchange) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok"))
        .route("/readyz", get(ready))
        .with_state(exchange)
}

async fn ready(State(exchange): State<Exchange>) -> Response {
    let is_reached = exchange.db().now().await.is_ok();
    let is_migrated = is_reached && exchange.db().is_migrated().await.unwrap_or(false);
    let workers = if is_migrated {
        exchange.workers_alive(PULSE).await.unwrap_or(0)
    } else {
        0
    };
    let status = if is_reached && is_migrated && workers > 0 {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let found =
        json!({ "database": is_reached, "migrations": is_migrated, "workers": workers > 0 });
    (status, [(header::CACHE_CONTROL, "no-store")], Json(found)).into_response()
}
