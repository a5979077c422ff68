//! Meters. What is counted are the bytes of response bodies as they come from the source store, before any decoding:
//! log reads, listings, retries and aborted bodies are in, headers are not. In cloud stores the count is taken in the
//! HTTP service under object_store, in `file:` stores where a chunk of a file is handed out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use model::{ProductId, Purpose, QueryId, SyncRunId, TableId};
use serde::Serialize;

/// For what somebody reads: the key under which the bytes are billed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct MeterKey {
    pub product: Option<ProductId>,
    pub table: Option<TableId>,
    pub cause: Cause,
    pub purpose: Purpose,
}

/// The run, query or operation that moves the bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    Run(SyncRunId),
    Query(QueryId),
    /// An operation of the exchange by its name, for example `storage.doctor`.
    Operation(&'static str),
}

/// A counter that all stores opened with it share; clones count into the same sums.
#[derive(Clone, Debug)]
pub struct Meter(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    key: MeterKey,
    received: AtomicU64,
    noted: AtomicU64,
    sent: AtomicU64,
    requests: AtomicU64,
}

impl Meter {
    pub fn new(key: MeterKey) -> Self {
        Self(Arc::new(Counts {
            key,
            received: AtomicU64::new(0),
            noted: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            requests: AtomicU64::new(0),
        }))
    }

    pub fn key(&self) -> &MeterKey {
        &self.0.key
    }

    /// Bytes of response bodies received so far.
    pub fn received(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }

    /// Of [`Meter::received`] what no earlier call of this has answered: each byte is written down once.
    pub fn received_anew(&self) -> u64 {
        let received = self.received();
        let noted = self.0.noted.fetch_max(received, Ordering::Relaxed);
        received.saturating_sub(noted)
    }

    /// Bytes of request bodies given to the store so far, those of repeated requests included.
    pub fn sent(&self) -> u64 {
        self.0.sent.load(Ordering::Relaxed)
    }

    /// Requests made so far, repeated ones included; in a `file:` store operations on files.
    pub fn requests(&self) -> u64 {
        self.0.requests.load(Ordering::Relaxed)
    }

    pub(crate) fn count_received(&self, bytes: usize) {
        self.0.received.fetch_add(bytes as u64, Ordering::Relaxed);
        metrics::counter!("entrepot_store_received_bytes_total").increment(bytes as u64);
    }

    pub(crate) fn count_sent(&self, bytes: usize) {
        self.0.sent.fetch_add(bytes as u64, Ordering::Relaxed);
        metrics::counter!("entrepot_store_sent_bytes_total").increment(bytes as u64);
    }

    pub(crate) fn count_request(&self) {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("entrepot_store_requests_total").increment(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_written_down_once() {
        let meter = Meter::new(MeterKey {
            product: None,
            table: None,
            cause: Cause::Operation("test"),
            purpose: Purpose::Inspect,
        });
        meter.count_received(5);
        assert_eq!((meter.received_anew(), meter.received_anew()), (5, 0));
        meter.clone().count_received(2);
        assert_eq!((meter.received_anew(), meter.received()), (2, 7));
    }
}
