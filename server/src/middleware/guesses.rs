//! Forged tickets of the gateway are limited by address (C-54). A ticket is looked at without the database, so a good one is
//! always served, whatever else came from its address: a cluster's readers share one.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::client;
use super::limiter::Limiter;
use crate::gateway::{Forged, too_many};

/// So many at once, and then one every two seconds, as with wrong tokens.
const BURST: u32 = 30;
const REFILL: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub struct Guesses {
    forged: Arc<Limiter>,
    trusted_proxies: Arc<[IpAddr]>,
}

impl Guesses {
    pub fn new(trusted_proxies: Arc<[IpAddr]>) -> Self {
        Self {
            forged: Arc::new(Limiter::new(BURST, REFILL)),
            trusted_proxies,
        }
    }
}

pub async fn limit(State(state): State<Guesses>, request: Request, next: Next) -> Response {
    let address = client::address(
        request.extensions(),
        request.headers(),
        &state.trusted_proxies,
    )
    .map_or_else(|| "in process".to_owned(), |address| address.to_string());
    let response = next.run(request).await;
    if response.extensions().get::<Forged>().is_none() {
        return response;
    }
    match state.forged.take(&address) {
        Ok(()) => response,
        Err(seconds) => too_many(seconds),
    }
}
