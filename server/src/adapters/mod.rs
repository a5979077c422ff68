//! The ports of the other crates, implemented over what this process has.

pub mod clock;
pub mod inspector;
pub mod keyring;
pub mod pending;
pub mod probe;
pub mod stores;

use std::sync::Arc;

use exchange::ports::{AccessTarget, KeyRing, Ports, StoreProbe, TableInspector};

/// Puts the ports together.
pub fn ports(
    inspector: Arc<dyn TableInspector>,
    probe: Arc<dyn StoreProbe>,
    keys: Arc<dyn KeyRing>,
    access: Arc<dyn AccessTarget>,
) -> Ports {
    Ports {
        inspector,
        probe,
        keys,
        access,
    }
}
