//! What this process reads of stores for itself: logs that are looked at, listings, checks. Where that crosses from another
//! location to this one, it becomes one meter event per operation, once the operation is over, however it ends.
//!
//! Not here: what a run moves (`workers::sync`), what the gateway hands out (`gateway`), and who pays (the exchange).

use exchange::billing::MeterEventNew;
use exchange::{Exchange, Principal};
use model::dto::CheckOutcome;
use model::{Location, Method, StorageId};
use storage::{Cause, Meter};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use uuid::Uuid;

/// Writes such reads down. Cheap to clone.
#[derive(Clone)]
pub struct Reads(Option<Book>);

#[derive(Clone)]
struct Book {
    exchange: Exchange,
    here: Location,
    /// Is not empty while something is read or written down.
    under_way: TaskTracker,
}

/// A folder of a storage: where it is not said for which table is read, the table that lies there has the bytes.
pub(crate) type Folder<'a> = (StorageId, &'a str);

impl Reads {
    /// `here`: where this process runs. Where that is not known, no route can be told and nothing is written. `under_way` is for who
    /// ends the process.
    pub fn new(exchange: &Exchange, here: Option<Location>, under_way: TaskTracker) -> Self {
        let exchange = exchange.clone();
        Self(here.map(|here| Book {
            exchange,
            here,
            under_way,
        }))
    }

    /// Of an exchange whose ports nobody asks.
    pub(super) fn unasked() -> Self {
        Self(None)
    }

    /// Where this process runs, if known.
    pub(crate) fn here(&self) -> Option<&Location> {
        self.0.as_ref().map(|book| &book.here)
    }

    /// Where what is read at `from` comes to, if that is another place.
    pub(crate) fn to_here(&self, from: &Location) -> Option<&Location> {
        self.here().filter(|here| *here != from)
    }

    /// Lets `work` read at `from` with `meter`, and writes down what came; also when it is given up half-way.
    pub(crate) async fn noting<T>(
        &self,
        meter: &Meter,
        from: &Location,
        folder: Option<Folder<'_>>,
        work: impl Future<Output = T>,
    ) -> T {
        let Some(book) = self.0.as_ref().filter(|book| book.here != *from) else {
            return work.await;
        };
        let mut pending = Pending(Some(Read {
            exchange: book.exchange.clone(),
            key: format!("read/{}", Uuid::new_v4()),
            meter: meter.clone(),
            from: from.clone(),
            to: book.here.clone(),
            folder: folder.map(|(storage, path)| (storage, path.to_owned())),
            _under_way: book.under_way.token(),
        }));
        let done = work.await;
        if let Some(writing) = pending.end() {
            // It goes on when nobody waits for it any more; that it failed stands in the log.
            let _ = writing.await;
        }
        done
    }

    /// What becomes of the bytes that this process reads of a storage there, for people.
    pub(crate) fn said_of(&self, from: &Location) -> (CheckOutcome, String) {
        match self.here() {
            None => (CheckOutcome::Warned, UNKNOWN.to_owned()),
            Some(here) if here == from => (
                CheckOutcome::Ok,
                format!("This process runs in {here}, too: what it reads itself crosses nothing."),
            ),
            Some(here) => (
                CheckOutcome::Ok,
                format!(
                    "What this process reads itself crosses from {from} to {here} and is counted on that route."
                ),
            ),
        }
    }
}

/// Of a process that does not know its place.
pub(crate) const UNKNOWN: &str = "This process does not know where it runs, so what it reads itself (logs, listings, checks) \
    cannot be put on a route and is on no bill. Say where with cloud and region in [location] of its configuration.";

/// One operation's reads, to be written down.
struct Read {
    exchange: Exchange,
    key: String,
    meter: Meter,
    from: Location,
    to: Location,
    folder: Option<(StorageId, String)>,
    _under_way: TaskTrackerToken,
}

impl Read {
    async fn write(self) {
        let bytes = self.meter.received_anew();
        if bytes == 0 {
            return;
        }
        let key = self.meter.key();
        let (mut product, mut table) = (key.product, key.table);
        if let (None, Some((storage, path))) = (product, &self.folder) {
            let system = Principal::system();
            match self.exchange.table_in(&system, *storage, path).await {
                Ok(found) => (product, table) = found.unzip(),
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    key = self.key,
                    "for which table was read is not known"
                ),
            }
        }
        let (run, query) = match key.cause {
            Cause::Run(run) => (Some(run), None),
            Cause::Query(query) => (None, Some(query)),
            Cause::Operation(_) => (None, None),
        };
        let event = MeterEventNew {
            key: self.key,
            product,
            table,
            grant: None,
            recipient: None,
            run,
            query,
            from: self.from,
            to: self.to,
            bytes,
            busy: 0,
            method: Method::Measured,
            purpose: key.purpose,
        };
        record(&self.exchange, &event).await;
    }
}

/// Holds the reads of an operation until they are written down.
struct Pending(Option<Read>);

impl Pending {
    /// Once; in a task of its own, so that whoever loses interest does not lose the bytes.
    fn end(&mut self) -> Option<JoinHandle<()>> {
        let read = self.0.take()?;
        let runtime = Handle::try_current().ok()?;
        Some(runtime.spawn(read.write()))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.end();
    }
}

/// Writes a meter event down. That it could not be is for the log: the bytes have crossed all the same.
pub(crate) async fn record(exchange: &Exchange, event: &MeterEventNew) {
    if let Err(error) = exchange.meter_record(&Principal::system(), event).await {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            key = event.key,
            bytes = event.bytes,
            "bytes were not counted"
        );
    }
}
