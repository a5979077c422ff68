//! Metrics: counted everywhere, shown on a listener of their own and nowhere else (C-60).

use std::sync::OnceLock;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::{Method, StatusCode, header};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Starts counting. None: another recorder was there first.
pub fn install() -> Option<PrometheusHandle> {
    HANDLE
        .get_or_init(|| {
            let builder = PrometheusBuilder::new()
                .set_buckets(&[0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0])
                .ok()?;
            builder.install_recorder().ok()
        })
        .clone()
}

/// `/metrics`, in Prometheus' text format.
pub fn router(handle: PrometheusHandle) -> Router {
    Router::new().route(
        "/metrics",
        get(async move || {
            handle.run_upkeep();
            (
                [(header::CONTENT_TYPE, "text/plain; version=0.0.4")],
                handle.render(),
            )
        }),
    )
}

/// Counts one request under its route, never under its path: a path can be anything.
pub(crate) fn request(method: &Method, route: &str, status: StatusCode, took: Duration) {
    let method = match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    };
    let labels = [
        ("method", method.to_owned()),
        ("route", route.to_owned()),
        ("status", status.as_u16().to_string()),
    ];
    metrics::counter!("http_requests_total", &labels).increment(1);
    metrics::histogram!("http_request_seconds", &labels[..2]).record(took.as_secs_f64());
}

/// Counts one call of the sharing protocol that was turned away at the door.
pub(crate) fn share_refused(endpoint: &'static str) {
    metrics::counter!("share_refused_total", "endpoint" => endpoint).increment(1);
}

/// How much work waits and how much is parked.
pub(crate) fn work(waiting: i64, parked: i64) {
    #[expect(
        clippy::cast_precision_loss,
        reason = "gauges are floats; queues are not that long"
    )]
    {
        metrics::gauge!("work_waiting").set(waiting as f64);
        metrics::gauge!("work_parked").set(parked as f64);
    }
}
