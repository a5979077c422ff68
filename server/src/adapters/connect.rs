//! Puts the exchange, the stores, the gate and the gateway together.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use exchange::db::Db;
use exchange::ports::{AccessTarget, KeyRing, Observation, Ports, Post};
use exchange::{Exchange, Options, Principal};
use model::{Clock, GrantId, Location};
use tokio_util::task::TaskTracker;

use super::access::SharingTarget;
use super::assess::LakeAssessor;
use super::foresee::LakeForeseer;
use super::gate::ShareGate;
use super::inspector::Inspector;
use super::later::LaterQueries;
use super::limited::LimitedGate;
use super::probe::Probe;
use super::reads::Reads;
use super::stores::Lake;
use crate::gateway::Gateway;

/// Items on one page of a sharing list.
const MAX_RESULTS: usize = 500;

/// So long a process that ends waits at most until all is written down.
const LAST_LINES: Duration = Duration::from_secs(5);

/// Bytes of tables' states that are kept unless it is said otherwise.
pub const STATES: u64 = 256 << 20;

/// What one process is made of.
pub struct Connected {
    pub exchange: Exchange,
    pub lake: Lake,
    pub gate: Arc<ShareGate>,
    pub gateway: Gateway,
    /// Writes down what workers read of stores beside what their runs move.
    pub reads: Reads,
    /// Signs the page tokens of the sharing protocol's lists; the same on every process.
    page_key: [u8; 32],
    /// Where this process keeps the states of tables that it was asked for.
    states: sharing::States,
    /// What has still to be written down when the process ends: calls, bytes.
    under_way: TaskTracker,
}

impl Connected {
    /// Keeps states of tables of so many bytes.
    #[must_use]
    pub fn keeping_states_of(mut self, bytes: u64) -> Self {
        self.states = sharing::States::new(bytes);
        self
    }

    /// Waits until all that machines asked for and that was read is written down; nothing more is asked for.
    pub async fn written(&self) {
        self.under_way.close();
        let written = tokio::time::timeout(LAST_LINES, self.under_way.wait());
        if written.await.is_err() {
            tracing::error!(
                left = self.under_way.len(),
                "not all could be written down that was asked for and read"
            );
        }
    }

    /// What machines call without a session: the sharing protocol and the gateway.
    pub fn machines(&self) -> Router {
        self.machines_of(self.gate.clone())
    }

    /// The same with so many requests per second of one recipient.
    pub fn machines_within(&self, per_second: u32) -> Router {
        self.machines_behind(self.gate.clone(), per_second)
    }

    /// The same behind a gate that stands before this process's own.
    pub fn machines_behind(&self, gate: Arc<dyn sharing::Gate>, per_second: u32) -> Router {
        self.machines_of(Arc::new(LimitedGate::before(gate, per_second)))
    }

    fn machines_of(&self, gate: Arc<dyn sharing::Gate>) -> Router {
        let options = sharing::Options {
            page_key: self.page_key,
            max_results: MAX_RESULTS,
            states: self.states.clone(),
            queries: Some(Arc::new(LaterQueries::new(self.gate.exchange().clone()))),
            under_way: self.under_way.clone(),
        };
        Router::new()
            .nest("/delta-sharing", sharing::router(gate, options))
            .merge(self.gateway.router())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("the installation's keys cannot be read")]
    Keys(#[from] exchange::Error),
    #[error("no HTTP client can be made")]
    Http(#[from] reqwest::Error),
}

/// What is needed for it.
pub struct Wiring {
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub keys: Arc<dyn KeyRing>,
    pub lake: Lake,
    pub options: Options,
    /// Where this process runs, if known.
    pub here: Option<Location>,
    /// How people and the webhook are told, as far as that is configured.
    pub post: Post,
}

/// The gate and the gateway ask an exchange of their own over the same database, so that the exchange, whose port they are,
/// does not hold itself. The database is migrated.
pub async fn connect(wiring: Wiring) -> Result<Connected, ConnectError> {
    let Wiring {
        db,
        clock,
        keys,
        lake,
        options,
        here,
        post,
    } = wiring;
    let ports = |access: Arc<dyn AccessTarget>, reads: &Reads, book: Option<Exchange>| Ports {
        inspector: Arc::new(Inspector::new(lake.clone(), reads.clone())),
        probe: Arc::new(Probe::new(lake.clone(), reads.clone())),
        keys: Arc::clone(&keys),
        access,
        assessor: Arc::new(LakeAssessor::new(lake.clone(), reads.clone(), book)),
        foreseer: Arc::new(LakeForeseer::new(lake.clone(), reads.clone())),
        post: post.clone(),
    };
    let inner = Exchange::new(
        db.clone(),
        Arc::clone(&clock),
        ports(Arc::new(Unasked), &Reads::unasked(), None),
        options.clone(),
    );
    let system = Principal::system();
    let gateway_key = inner.installation_key(&system, "gateway").await?;
    let page_key = inner.installation_key(&system, "pages").await?;
    // There before anybody asks for an erasure: asking is one change, or none.
    inner
        .installation_key(&system, exchange::erasures::KEY)
        .await?;
    let under_way = TaskTracker::new();
    let gateway = Gateway::new(inner.clone(), lake.clone(), &gateway_key, under_way.clone());
    let reads = Reads::new(&inner, here, under_way.clone());
    let book = Some(inner.clone());
    let gate = ShareGate::new(inner, lake.clone(), gateway.clone(), reads.clone());
    let gate = Arc::new(gate);
    let access = Arc::new(SharingTarget::new(Arc::clone(&gate))?);
    Ok(Connected {
        exchange: Exchange::new(db, clock, ports(access, &reads, book), options),
        lake,
        gate,
        gateway,
        reads,
        page_key,
        states: sharing::States::new(STATES),
        under_way,
    })
}

/// The port of the inner exchange: nobody reconciles, inspects or examines with that one.
struct Unasked;

#[async_trait]
impl AccessTarget for Unasked {
    async fn observe(&self, _: GrantId) -> Observation {
        Observation::Waits {
            reason: "this part of Entrepôt does not look at grants".to_owned(),
        }
    }
}
