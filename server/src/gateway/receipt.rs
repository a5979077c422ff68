//! What of an answer counts: what the client's machine received of it.
//!
//! Over HTTP/1 that is what its TCP acknowledged ([`Delivery`]). Where no connection can say so (HTTP/2, calls in process) it
//! is what was handed over. The event is written by a task of its own: a client that goes away must not take it along.

use std::io;

use bytes::Bytes;
use exchange::billing::MeterEventNew;
use exchange::{Exchange, Principal};
use futures::stream::{self, BoxStream, Stream, StreamExt as _};
use storage::StorageError;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::listen::Delivery;

/// Bytes handed to the connection at once: where only that is known, an aborted answer counts at most so much, and what the
/// connection holds back, beyond what was received.
const FRAME: usize = 64 << 10;

/// What a client receives of one answer. The event is written once the answer was received or given up; where only what was
/// handed over is known, before the last frame is.
pub(super) struct Receipt {
    exchange: Exchange,
    /// None: nothing to count, or on its way already.
    event: Option<MeterEventNew>,
    delivery: Option<Delivery>,
    promised: u64,
    handed: u64,
    under_way: TaskTrackerToken,
}

impl Receipt {
    /// For an answer of `promised` bytes; without an event nothing is counted.
    pub(super) fn new(
        (exchange, under_way): (Exchange, TaskTrackerToken),
        event: Option<MeterEventNew>,
        delivery: Option<Delivery>,
        promised: u64,
    ) -> Self {
        Self {
            exchange,
            event,
            delivery,
            promised,
            handed: 0,
            under_way,
        }
    }

    async fn hand_over(&mut self, bytes: usize) {
        self.handed = self.handed.saturating_add(bytes as u64);
        if self.handed >= self.promised
            && let Some(task) = self.write()
            && let Err(error) = task.await
        {
            tracing::error!(%error, "bytes of the gateway were not counted");
        }
    }

    /// Writes the event; where that has to wait for the client, nobody else does.
    fn write(&mut self) -> Option<JoinHandle<()>> {
        let mut event = self.event.take()?;
        let (delivery, handed) = (self.delivery.take(), self.handed);
        event.bytes = handed;
        if handed == 0 {
            return None;
        }
        let Ok(runtime) = Handle::try_current() else {
            tracing::error!(
                ?event,
                "bytes of the gateway were not counted: the runtime has ended"
            );
            return None;
        };
        let exchange = self.exchange.clone();
        match delivery {
            None => {
                let under_way = self.under_way.clone();
                Some(runtime.spawn(async move {
                    record(exchange, event).await;
                    drop(under_way);
                }))
            }
            Some(delivery) => {
                delivery.keep(&runtime, |delivery| async move {
                    event.bytes = delivery.received(handed).await;
                    record(exchange, event).await;
                });
                None
            }
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        drop(self.write());
    }
}

async fn record(exchange: Exchange, event: MeterEventNew) {
    if event.bytes == 0 {
        return;
    }
    if let Err(error) = exchange.meter_record(&Principal::system(), &event).await {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            key = event.key,
            bytes = event.bytes,
            "bytes of the gateway were not counted"
        );
    }
}

/// The store's chunks in small frames, each noted as it is handed to the connection.
pub(super) fn frames(
    chunks: BoxStream<'static, Result<Bytes, StorageError>>,
    receipt: Receipt,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let start = (chunks, Bytes::new(), receipt);
    stream::try_unfold(start, |(mut chunks, mut chunk, mut receipt)| async move {
        while chunk.is_empty() {
            chunk = match chunks.next().await {
                None => return Ok(None),
                Some(Ok(chunk)) => chunk,
                Some(Err(error)) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "a file broke off in the gateway"
                    );
                    return Err(io::Error::other("the file could not be read to its end"));
                }
            };
        }
        let frame = chunk.split_to(chunk.len().min(FRAME));
        receipt.hand_over(frame.len()).await;
        Ok(Some((frame, (chunks, chunk, receipt))))
    })
}
