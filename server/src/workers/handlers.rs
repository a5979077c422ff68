//! Who does which kind of work, and what is done every so often without being asked.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use exchange::access::NextLook;
use exchange::advice::ADVICE_TICK;
use exchange::catalog::REFRESH_TICK;
use exchange::jobs::{Leased, Wake, WorkKind};
use exchange::notices::Sent;
use exchange::{Exchange, Principal};
use tokio_util::sync::CancellationToken;

use super::sync::Engine;
use super::{Handler, Handlers, Outcome, Tick, WorkFailed};
use crate::adapters::reads::Reads;
use crate::adapters::stores::Lake;

/// What the work on lakes takes: the exchange's record, the stores, and a folder for manifests and receipts.
pub struct Lakehand {
    pub exchange: Exchange,
    pub lake: Lake,
    /// For what is read beside runs.
    pub reads: Reads,
    pub engine: Engine,
    /// This process's own folder, kept over restarts.
    pub folder: PathBuf,
}

impl WorkFailed {
    pub(crate) fn terminal(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            terminal: true,
        }
    }

    pub(crate) fn passing(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            terminal: false,
        }
    }
}

impl From<exchange::ports::Problem> for WorkFailed {
    fn from(problem: exchange::ports::Problem) -> Self {
        Self {
            terminal: problem.escape,
            sentence: problem.sentence,
        }
    }
}

impl From<exchange::ports::Undelivered> for WorkFailed {
    fn from(undelivered: exchange::ports::Undelivered) -> Self {
        Self {
            terminal: undelivered.permanent,
            sentence: undelivered.sentence,
        }
    }
}

#[async_trait]
impl Handler for Lakehand {
    async fn run(&self, work: &Leased, _lost: &CancellationToken) -> Result<Outcome, WorkFailed> {
        let system = Principal::system();
        match work.kind {
            WorkKind::Sync => self.sync(work).await,
            WorkKind::Vacuum => self.vacuum(work).await,
            WorkKind::Verify => self.verify(work).await,
            WorkKind::Replica => self.replica(work).await,
            WorkKind::Grant => {
                let id = work
                    .key
                    .parse()
                    .map_err(|_| WorkFailed::terminal("the work's key is not a grant"))?;
                Ok(match self.exchange.grant_reconcile(&system, id).await? {
                    NextLook::Settled => Outcome::Done,
                    NextLook::In(micros) => Outcome::Later(micros),
                })
            }
            WorkKind::Refresh => {
                let id = work
                    .key
                    .parse()
                    .map_err(|_| WorkFailed::terminal("the work's key is not a product"))?;
                self.exchange
                    .product_refresh_for_system(&system, id)
                    .await?;
                Ok(Outcome::Done)
            }
            WorkKind::AccessLog => self.access_log(work).await,
            WorkKind::Compare => self.compare(work).await,
            WorkKind::Report => {
                self.exchange.billing_report(&system).await?;
                Ok(Outcome::Done)
            }
            WorkKind::Mail => Ok(
                match self.exchange.mail_deliver(&system, &work.key).await?? {
                    Sent::Done => Outcome::Done,
                    Sent::Later(micros) => Outcome::Later(micros),
                },
            ),
            WorkKind::Webhook => {
                self.exchange.webhook_deliver(&system, &work.key).await??;
                Ok(Outcome::Done)
            }
        }
    }
}

/// The same hand for every kind.
pub fn handlers(hand: Arc<Lakehand>) -> Handlers {
    WorkKind::ALL
        .into_iter()
        .map(|kind| (kind, Arc::clone(&hand) as Arc<dyn Handler>))
        .collect()
}

/// Looking at the clock: what is due, what has ended, what a lost wake-up left behind.
pub fn ticks(exchange: &Exchange) -> Vec<Tick> {
    let (due, ended, lost, report, catalog, vacuums, ends, ending, checks, advisor) = (
        exchange.clone(),
        exchange.clone(),
        exchange.clone(),
        exchange.clone(),
        exchange.clone(),
        exchange.clone(),
        exchange.clone(),
        exchange.clone(),
        exchange.clone(),
        exchange.clone(),
    );
    let refresh = Duration::from_micros(REFRESH_TICK.unsigned_abs());
    let advise = Duration::from_micros(ADVICE_TICK.unsigned_abs());
    vec![
        Tick::new("schedules", Duration::from_secs(5), move || {
            let exchange = due.clone();
            async move {
                exchange
                    .schedules_tick(&Principal::system())
                    .await
                    .map(|_| ())
            }
        }),
        Tick::new("checks", Duration::from_secs(60), move || {
            let exchange = checks.clone();
            async move { exchange.checks_tick(&Principal::system()).await }
        }),
        Tick::new("vacuums", Duration::from_secs(10 * 60), move || {
            let exchange = vacuums.clone();
            async move {
                let system = Principal::system();
                exchange.vacuums_tick(&system).await?;
                exchange.deadlines_tick(&system).await?;
                exchange.erasures_tick(&system).await
            }
        }),
        Tick::new("expiry", Duration::from_secs(5), move || {
            let exchange = ended.clone();
            async move {
                exchange
                    .grants_expire(&Principal::system())
                    .await
                    .map(|_| ())
            }
        }),
        Tick::new("resync", Duration::from_secs(30), move || {
            let exchange = lost.clone();
            async move { exchange.grants_resync(&Principal::system()).await }
        }),
        Tick::new("ends", Duration::from_secs(30), move || {
            let exchange = ends.clone();
            async move { exchange.replicas_end_tick(&Principal::system()).await }
        }),
        Tick::new("endings", Duration::from_secs(60), move || {
            let exchange = ending.clone();
            async move { exchange.endings_tick(&Principal::system()).await }
        }),
        Tick::new("refresh", refresh, move || {
            let exchange = catalog.clone();
            async move { exchange.refreshes_tick(&Principal::system()).await }
        }),
        Tick::new("advice", advise, move || {
            let exchange = advisor.clone();
            async move { exchange.advice_tick(&Principal::system()).await }
        }),
        Tick::new("report", Duration::from_secs(15 * 60), move || {
            let exchange = report.clone();
            async move {
                exchange
                    .wake(&Principal::system(), &Wake::new(WorkKind::Report, "report"))
                    .await
            }
        }),
    ]
}
