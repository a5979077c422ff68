//! What is written down about a request: the line of the access log, and the bytes that were handed out and read for it.

use std::sync::atomic::Ordering;

use exchange::Principal;
use exchange::access::QueryLogNew;
use exchange::billing::MeterEventNew;
use exchange::catalog::LogEscape;
use model::{Location, Method, Purpose, QueryId};
use sharing::{QueryRecord, Side};

use super::{Reading, ShareGate, micros};
use crate::adapters::reads;
use crate::metrics;

impl ShareGate {
    /// The line of one request, and what of it is counted.
    pub(super) async fn write_down(&self, record: QueryRecord) {
        // Strangers are counted; a line each would let them write as much as they like.
        let Some(reader) = &record.reader else {
            return metrics::share_refused(record.endpoint.as_str());
        };
        let recipient_id = reader.recipient;
        if record.at_the_door {
            metrics::share_refused(record.endpoint.as_str());
            let recipient = recipient_id.to_string();
            if self.lines_at_the_door.take(&recipient).is_err() {
                return;
            }
        }
        let now = self.exchange.now();
        let reading = record
            .handle
            .as_ref()
            .and_then(|handle| handle.downcast_ref::<Reading>());
        if let Some(reading) = reading {
            self.note_escape(&record, reading).await;
        }
        if record.is_producers
            && let Some(grant) = record.grant
        {
            let us = Principal::system();
            if let Err(error) = self.exchange.grant_doubted(&us, grant).await {
                tracing::error!(error = &error as &dyn std::error::Error, %grant, "a grant that fails its reader could not be looked at");
            }
        }
        let line = QueryLogNew {
            id: record.query.unwrap_or_else(|| QueryId::new(now)),
            recipient_id,
            endpoint: record.endpoint.as_str(),
            share: record.share,
            schema: record.schema,
            table: record.table,
            table_id: record.table_id,
            grant_id: record.grant,
            version: record.version,
            files: record.files,
            bytes_signed: record.bytes_signed,
            files_dropped: record.files_dropped,
            actions: record.actions,
            duration: micros(record.duration),
            source: record.side.map(Side::as_str),
            stale_since: record.stale_since,
            outcome: record.outcome.as_str(),
            error_code: record.error_code,
            reason: record.reason,
            status: record.status,
            user_agent: record.user_agent,
            live_bytes: reading
                .filter(|reading| reading.is_live() && !reading.is_limited)
                .map_or(0, |_| record.bytes_signed),
            was_read: reading.is_some_and(|reading| reading.was_read),
        };
        let mut events = Vec::new();
        if let Some(reading) = reading {
            events.extend(signed(reading, record.bytes_signed));
            events.extend(self.own_reads(reading));
        }
        let system = Principal::system();
        let logged = self.exchange.query_logged(&system, &line, &events);
        if let Err(error) = logged.await {
            tracing::error!(error = &error as &dyn std::error::Error, query = %line.id, "an access was not logged");
            // The bytes have crossed all the same. Where it was written in spite of the error these may count twice: against a limit,
            // not on a bill.
            if let Some(grant) = line.grant_id
                && let Err(error) = self
                    .exchange
                    .live_read(&system, grant, line.live_bytes)
                    .await
            {
                tracing::error!(error = &error as &dyn std::error::Error, query = %line.id, "bytes of a day were not counted");
            }
            for event in &events {
                reads::record(&self.exchange, event).await;
            }
        }
    }

    /// Writes down what this process itself has read for a request, where that crossed a border.
    pub(crate) async fn count_own_reads(&self, reading: &Reading) {
        if let Some(event) = self.own_reads(reading) {
            reads::record(&self.exchange, &event).await;
        }
    }

    fn own_reads(&self, reading: &Reading) -> Option<MeterEventNew> {
        let bytes = reading.meter.received() + reading.fetched.load(Ordering::Relaxed);
        let here = self.reads.to_here(reading.at.store.location())?;
        let purpose = reading.meter.key().purpose;
        let key = format!("query/{}/log", reading.query);
        (bytes > 0).then(|| event(reading, key, bytes, here.clone(), Method::Measured, purpose))
    }

    /// A table that points out of itself is an incident (C-13).
    pub(crate) async fn note_escape(&self, record: &QueryRecord, reading: &Reading) {
        if let Some(found) = &record.escape {
            let found = LogEscape {
                storage: reading.storage,
                path: reading.at.folder.to_string(),
                version: found.version,
                sentence: found.sentence.clone(),
            };
            let system = Principal::system();
            self.exchange.log_escaped(&system, &found).await;
        }
    }
}

/// What a store was signed for; what goes through the gateway is measured there.
fn signed(reading: &Reading, bytes: u64) -> Option<MeterEventNew> {
    let by_store = reading.signed_by_store.load(Ordering::Relaxed);
    let key = format!("query/{}", reading.query);
    let to = reading.to.clone();
    (by_store && bytes > 0).then(|| event(reading, key, bytes, to, Method::Signed, Purpose::Query))
}

fn event(
    reading: &Reading,
    key: String,
    bytes: u64,
    to: Location,
    method: Method,
    purpose: Purpose,
) -> MeterEventNew {
    MeterEventNew {
        key,
        product: Some(reading.product),
        table: Some(reading.table),
        grant: Some(reading.grant),
        recipient: Some(reading.recipient),
        run: None,
        query: Some(reading.query),
        from: reading.at.store.location().clone(),
        to,
        bytes,
        busy: 0,
        method,
        purpose,
    }
}
