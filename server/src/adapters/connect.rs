//! Puts the exchange, the stores, the gate and the gateway together.

use std::sync::Arc;

use async_trait::async_trait;
use exchange::db::Db;
use exchange::ports::{AccessTarget, KeyRing, Observation, Ports};
use exchange::{Exchange, Options};
use model::{Clock, GrantId, Location};

use super::access::SharingTarget;
use super::gate::ShareGate;
use super::inspector::Inspector;
use super::probe::Probe;
use super::stores::Lake;
use crate::gateway::Gateway;

/// What one process is made of.
pub struct Connected {
    pub exchange: Exchange,
    pub gate: Arc<ShareGate>,
    pub gateway: Gateway,
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
    /// Signs gateway URLs; the same on every process of the installation.
    pub gateway_key: [u8; 32],
}

/// The gate and the gateway ask an exchange of their own over the same database, so that the exchange, whose port they are,
/// does not hold itself.
pub fn connect(wiring: Wiring) -> Result<Connected, reqwest::Error> {
    let Wiring {
        db,
        clock,
        keys,
        lake,
        options,
        here,
        gateway_key,
    } = wiring;
    let ports = |access: Arc<dyn AccessTarget>| Ports {
        inspector: Arc::new(Inspector::new(lake.clone())),
        probe: Arc::new(Probe::new(lake.clone())),
        keys: Arc::clone(&keys),
        access,
    };
    let inner = Exchange::new(
        db.clone(),
        Arc::clone(&clock),
        ports(Arc::new(Unasked)),
        options.clone(),
    );
    let gateway = Gateway::new(inner.clone(), lake.clone(), &gateway_key);
    let gate = Arc::new(ShareGate::new(inner, lake.clone(), gateway.clone(), here));
    let access = Arc::new(SharingTarget::new(Arc::clone(&gate))?);
    Ok(Connected {
        exchange: Exchange::new(db, clock, ports(access), options),
        gate,
        gateway,
    })
}

/// The port of the inner exchange: nobody reconciles with that one.
struct Unasked;

#[async_trait]
impl AccessTarget for Unasked {
    async fn observe(&self, _: GrantId) -> Observation {
        Observation::Waits {
            reason: "this part of Entrepôt does not look at grants".to_owned(),
        }
    }
}
