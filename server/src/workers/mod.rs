//! The worker: leases work, holds the lease while the handler runs, and says how it ended. Handlers come from outside, one per
//! kind of work; what may run twice without harm is theirs to see to.
//!
//! There is nothing to save at the end: told to stop, a worker leases no more and goes. What was under way is leased again by
//! somebody else when its lease runs out (crash-only).

pub(crate) mod access_log;
mod compare;
mod forget;
pub mod handlers;
mod prove;
pub mod sync;
pub(crate) mod tally;
mod upkeep;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use exchange::jobs::{Lane, Leased, WorkKind};
use exchange::{Error, Exchange, Principal};
use futures::future::BoxFuture;
use model::Location;
use model::time::SECOND;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// So long a lease holds without being renewed; microseconds.
pub(crate) const LEASE: i64 = 30 * SECOND;
/// It is renewed when so much of it is over.
const RENEWAL: Duration = Duration::from_secs(10);
/// So much is sent to other people's servers at a time, beside the work on data.
const POST_SEATS: usize = 2;
/// How often a worker says that it lives.
const PULSE: Duration = Duration::from_secs(5);

/// How a piece of work ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done, unless it was wished for again meanwhile.
    Done,
    /// To be looked at again after so many microseconds.
    Later(i64),
}

/// How it ended badly.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct WorkFailed {
    /// For the people who look at the list of work.
    pub sentence: String,
    /// Trying again is no use: park it for a person.
    pub terminal: bool,
}

impl From<Error> for WorkFailed {
    fn from(error: Error) -> Self {
        let terminal = matches!(error, Error::Invalid(_) | Error::Forbidden(_));
        tracing::warn!(error = &error as &dyn std::error::Error, "work failed");
        Self {
            sentence: error.to_string(),
            terminal,
        }
    }
}

/// Does the work of one kind.
#[async_trait]
pub trait Handler: Send + Sync {
    /// `lost` is cancelled when somebody else has taken the lease over: then stop at once.
    async fn run(&self, work: &Leased, lost: &CancellationToken) -> Result<Outcome, WorkFailed>;
}

/// The handlers by kind.
pub type Handlers = HashMap<WorkKind, Arc<dyn Handler>>;

/// Something that a worker does every so often, whether or not there is work. One process at a time is enough, several do no
/// harm.
pub struct Tick {
    pub name: &'static str,
    pub every: Duration,
    pub run: Box<dyn Fn() -> BoxFuture<'static, Result<(), Error>> + Send + Sync>,
}

impl Tick {
    pub fn new<F>(
        name: &'static str,
        every: Duration,
        run: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        Self {
            name,
            every,
            run: Box::new(move || Box::pin(run())),
        }
    }
}

/// What every worker does now and then: forgets ended sessions, old idempotency keys, old lines of the access log, queries that were answered later and what
/// was told long ago, measures the queue, and says where the audit log's chain stands.
pub fn housekeeping(exchange: &Exchange) -> Vec<Tick> {
    const MINUTE: Duration = Duration::from_secs(60);
    let sessions = exchange.clone();
    let keys = exchange.clone();
    let accesses = exchange.clone();
    let queue = exchange.clone();
    let chain = exchange.clone();
    let notices = exchange.clone();
    let later = exchange.clone();
    vec![
        Tick::new("sessions", 10 * MINUTE, move || {
            let exchange = sessions.clone();
            async move { exchange.sessions_sweep().await.map(|_| ()) }
        }),
        Tick::new("idempotency", 10 * MINUTE, move || {
            let exchange = keys.clone();
            async move { exchange.idempotency_sweep().await.map(|_| ()) }
        }),
        // Logs are kept elsewhere than the database: who rewrites the chain there does not rewrite this.
        Tick::new("chain", 60 * MINUTE, move || {
            let exchange = chain.clone();
            async move {
                if let Some((seq, head)) = exchange.audit_head(&Principal::system()).await? {
                    tracing::info!(
                        audit.rows = seq,
                        audit.head = head,
                        "the audit log stands here"
                    );
                }
                Ok(())
            }
        }),
        Tick::new("access log", 60 * MINUTE, move || {
            let exchange = accesses.clone();
            async move {
                let system = Principal::system();
                exchange.live_reads_sweep(&system).await?;
                exchange.access_log_sweep(&system).await?;
                exchange.erased_sweep(&system).await?;
                exchange.share_queries_sweep(&system).await.map(|_| ())
            }
        }),
        Tick::new("queries answered later", 30 * MINUTE, move || {
            let exchange = later.clone();
            async move {
                let system = Principal::system();
                exchange.later_sweep(&system).await.map(|_| ())
            }
        }),
        Tick::new("notices", 60 * MINUTE, move || {
            let exchange = notices.clone();
            async move {
                let system = Principal::system();
                exchange.notices_sweep(&system).await.map(|_| ())
            }
        }),
        Tick::new("queue", Duration::from_secs(15), move || {
            let exchange = queue.clone();
            async move {
                let (waiting, parked) = exchange.work_depth().await?;
                crate::metrics::work(waiting, parked);
                Ok(())
            }
        }),
    ]
}

pub struct Worker {
    pub exchange: Exchange,
    /// Who holds the leases: unique among all processes.
    pub owner: String,
    /// Work that belongs elsewhere is left to others; None takes all.
    pub location: Option<Location>,
    pub handlers: Handlers,
    pub ticks: Vec<Tick>,
    /// How much is done at a time.
    pub parallel: usize,
    /// How long to wait when nothing was due.
    pub poll: Duration,
}

/// A name for this process among all workers.
pub fn owner() -> String {
    // Without the random part two machines could share a name; then their pulses would be one, and nothing worse.
    let tail = exchange::secret::random_text(12).unwrap_or_default();
    format!("{}-{tail}", std::process::id())
}

impl Worker {
    /// Works until `stop`; then leases no more, waits for nothing, and says that it is gone.
    pub async fn run(self, stop: CancellationToken) {
        let worker = Arc::new(self);
        let mut side = JoinSet::new();
        side.spawn(Arc::clone(&worker).pulse());
        for at in 0..worker.ticks.len() {
            side.spawn(Arc::clone(&worker).tick(at));
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = Arc::clone(&worker).lease(Lane::Data, worker.parallel) => {}
            () = Arc::clone(&worker).lease(Lane::Post, POST_SEATS) => {}
        }
        side.shutdown().await;
        if let Err(error) = worker.exchange.worker_gone(&worker.owner).await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "the worker's end was not noted"
            );
        }
    }

    async fn pulse(self: Arc<Self>) {
        let mut interval = tokio::time::interval(PULSE);
        loop {
            interval.tick().await;
            if let Err(error) = self
                .exchange
                .worker_beat_at(&self.owner, self.location.as_ref())
                .await
            {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the worker's pulse was not noted"
                );
            }
        }
    }

    async fn tick(self: Arc<Self>, at: usize) {
        let Some(tick) = self.ticks.get(at) else {
            return;
        };
        let mut interval = tokio::time::interval(tick.every);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            if let Err(error) = (tick.run)().await {
                tracing::warn!(
                    tick = tick.name,
                    error = &error as &dyn std::error::Error,
                    "a periodic task failed"
                );
            }
        }
    }

    /// Leases one piece after the other, as many at a time as there are seats.
    async fn lease(self: Arc<Self>, lane: Lane, seats: usize) {
        let seats = Arc::new(Semaphore::new(seats));
        // Dropped with this future: whoever stops the worker stops its work.
        let mut running = JoinSet::new();
        loop {
            let Ok(seat) = Arc::clone(&seats).acquire_owned().await else {
                return;
            };
            while running.try_join_next().is_some() {}
            match self.next(lane).await {
                Some(work) => {
                    let worker = Arc::clone(&self);
                    running.spawn(async move {
                        worker.perform(work).await;
                        drop(seat);
                    });
                }
                None => {
                    drop(seat);
                    tokio::time::sleep(self.poll).await;
                }
            }
        }
    }

    async fn next(&self, lane: Lane) -> Option<Leased> {
        let leased = self
            .exchange
            .work_lease(
                &Principal::system(),
                &self.owner,
                self.location.as_ref(),
                LEASE,
                lane,
            )
            .await;
        leased.unwrap_or_else(|error| {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "no work could be leased"
            );
            None
        })
    }

    /// Does everything that is due now, one after the other, and comes back: for tests and commands.
    pub async fn drain(&self) -> usize {
        let mut count = 0;
        for lane in [Lane::Data, Lane::Post] {
            while let Some(work) = self.next(lane).await {
                self.perform(work).await;
                count += 1;
            }
        }
        count
    }

    /// Does this one piece of work, if it is there and may be done here; once, however it ends.
    pub async fn perform_one(&self, kind: WorkKind, key: &str) -> Result<bool, Error> {
        let system = Principal::system();
        let (owner, here) = (&self.owner, self.location.as_ref());
        let leased = self
            .exchange
            .work_lease_of(&system, owner, here, LEASE, (kind, key))
            .await?;
        let Some(work) = leased else { return Ok(false) };
        self.perform(work).await;
        Ok(true)
    }

    async fn perform(&self, work: Leased) {
        let ended = match self.handlers.get(&work.kind) {
            None => Err(WorkFailed {
                sentence: format!("no handler for work of kind {}", work.kind.as_str()),
                terminal: true,
            }),
            Some(handler) => {
                let lost = CancellationToken::new();
                tokio::select! {
                    ended = handler.run(&work, &lost) => ended,
                    () = self.hold(&work) => {
                        lost.cancel();
                        tracing::warn!(work.kind = work.kind.as_str(), work.key, "a lease was lost; the work was left to its new holder");
                        return;
                    }
                }
            }
        };
        let told = match &ended {
            Ok(Outcome::Done) => self.exchange.work_done(&work).await,
            Ok(Outcome::Later(delay)) => self.exchange.work_later(&work, *delay).await,
            Err(failed) => {
                tracing::warn!(
                    work.kind = work.kind.as_str(),
                    work.key,
                    work.attempt,
                    terminal = failed.terminal,
                    why = failed.sentence,
                    "work failed"
                );
                self.exchange
                    .work_failed(&work, &failed.sentence, failed.terminal)
                    .await
            }
        };
        if let Err(error) = told {
            // The lease runs out and the work is done again, which it can stand.
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the end of a piece of work was not noted"
            );
        }
    }

    /// Renews the lease until it is lost. A database that does not answer loses it no sooner than the lease itself.
    async fn hold(&self, work: &Leased) {
        let mut sure_until = Instant::now() + lease_time();
        loop {
            tokio::time::sleep(RENEWAL).await;
            let asked = Instant::now();
            match self.exchange.work_renew(work, LEASE).await {
                Ok(true) => sure_until = asked + lease_time(),
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "a lease could not be renewed"
                    );
                    if Instant::now() >= sure_until {
                        return;
                    }
                }
            }
        }
    }
}

fn lease_time() -> Duration {
    Duration::from_micros(LEASE.unsigned_abs())
}
