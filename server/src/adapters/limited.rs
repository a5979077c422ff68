//! A gate that lets through so many requests (C-54): of one recipient, and of one address that has no good token. Counted in
//! this process.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sharing::{Gate, Reader, Refused};

use super::front::{Front, InFront};
use crate::middleware::limiter::Limiter;

/// Wrong tokens that an address may send at once, and how soon it may send another.
const REFUSALS: (u32, Duration) = (30, Duration::from_secs(2));

pub struct LimitedGate {
    gate: Arc<dyn Gate>,
    requests: Limiter,
    refusals: Limiter,
}

impl LimitedGate {
    /// `per_second` requests of one recipient, and four times that at once.
    pub fn before(gate: Arc<dyn Gate>, per_second: u32) -> InFront<Self> {
        let refill = Duration::from_secs(1) / per_second.max(1);
        InFront(Self {
            gate,
            requests: Limiter::new(per_second.saturating_mul(4), refill),
            refusals: Limiter::new(REFUSALS.0, REFUSALS.1),
        })
    }
}

fn too_many(retry_after_seconds: u64) -> Refused {
    Refused::TooMany {
        retry_after_seconds,
    }
}

#[async_trait]
impl Front for LimitedGate {
    fn behind(&self) -> &dyn Gate {
        &*self.gate
    }

    async fn authenticate(&self, bearer: &str, peer: Option<IpAddr>) -> Result<Reader, Refused> {
        let address = peer.map_or_else(|| "in process".to_owned(), |peer| peer.to_string());
        self.refusals.check(&address).map_err(too_many)?;
        let found = self.gate.authenticate(bearer, peer).await;
        match &found {
            Ok(reader) => {
                let recipient = reader.recipient.to_string();
                let taken = self.requests.take(&recipient);
                taken.map_err(|seconds| too_many(seconds).to_reader(reader.clone()))?;
            }
            // What has expired or was revoked is no guess.
            Err(Refused::Unknown) => {
                let _ = self.refusals.take(&address);
            }
            Err(_) => {}
        }
        found
    }
}
