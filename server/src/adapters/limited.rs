//! A gate that lets through so many requests (C-54): of one recipient, and of one address that has no good token. Counted in
//! this process.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use model::Timestamp;
use object_store::path::Path;
use sharing::{
    Gate, QueryRecord, Readable, Reader, Refused, ShareInfo, Shared, Side, SignedFile, Temporary,
};

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
    pub fn new(gate: Arc<dyn Gate>, per_second: u32) -> Self {
        let refill = Duration::from_secs(1) / per_second.max(1);
        Self {
            gate,
            requests: Limiter::new(per_second.saturating_mul(4), refill),
            refusals: Limiter::new(REFUSALS.0, REFUSALS.1),
        }
    }
}

fn too_many(retry_after_seconds: u64) -> Refused {
    Refused::TooMany {
        retry_after_seconds,
    }
}

#[async_trait]
impl Gate for LimitedGate {
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

    async fn tables(&self, reader: &Reader) -> Result<Vec<Shared>, Refused> {
        self.gate.tables(reader).await
    }

    async fn shares(&self, reader: &Reader) -> Result<Vec<ShareInfo>, Refused> {
        self.gate.shares(reader).await
    }

    async fn open(
        &self,
        reader: &Reader,
        share: &str,
        schema: &str,
        table: &str,
    ) -> Result<Readable, Refused> {
        self.gate.open(reader, share, schema, table).await
    }

    async fn open_on(
        &self,
        reader: &Reader,
        share: &str,
        schema: &str,
        table: &str,
        side: Side,
    ) -> Result<Readable, Refused> {
        self.gate.open_on(reader, share, schema, table, side).await
    }

    async fn allow(&self, table: &Readable, bytes: u64) -> Result<(), Refused> {
        self.gate.allow(table, bytes).await
    }

    async fn give_back(&self, table: &Readable, bytes: u64) {
        self.gate.give_back(table, bytes).await;
    }

    async fn sign(&self, table: &Readable, keys: &[Path]) -> Result<Vec<SignedFile>, Refused> {
        self.gate.sign(table, keys).await
    }

    async fn temporary(&self, table: &Readable) -> Result<Temporary, Refused> {
        self.gate.temporary(table).await
    }

    fn now(&self) -> Timestamp {
        self.gate.now()
    }

    async fn record(&self, record: QueryRecord) {
        self.gate.record(record).await;
    }
}
