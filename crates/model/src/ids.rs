//! Identifiers: one newtype per table over a time-ordered UUID (version 7), so that they cannot be mixed up.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new identifier from the instant `at` and the system's random source.
            #[cfg(not(target_arch = "wasm32"))]
            pub fn new(at: crate::Timestamp) -> Self {
                Self(new_uuid(at))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }
    )*};
}

#[cfg(not(target_arch = "wasm32"))]
fn new_uuid(at: crate::Timestamp) -> Uuid {
    let micros = u64::try_from(at.micros()).unwrap_or(0);
    let nanos = u32::try_from(micros % 1_000_000 * 1_000).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(
        uuid::NoContext,
        micros / 1_000_000,
        nanos,
    ))
}

ids! {
    /// A person with an account.
    PersonId
    /// A domain: groups teams and sets floor rules.
    DomainId
    /// A team: owns products, recipients and everything else.
    TeamId
    /// A service token of a team.
    ServiceTokenId
    /// A storage: a place for tables.
    StorageId
    /// A data product.
    ProductId
    /// One table of a product.
    TableId
    /// The machine identity of a consumer team in one cloud region.
    RecipientId
    /// One sharing credential of a recipient.
    RecipientTokenId
    /// One ask for access.
    RequestId
    /// What an approved request becomes.
    GrantId
    /// The clone of a product in one target storage.
    ReplicaId
    /// The clone of one table of a product.
    ReplicaTableId
    /// The job that keeps a replica fresh.
    SyncJobId
    /// One run of one replica table.
    SyncRunId
    /// One answered share query.
    QueryId
    /// Bytes of a leg.
    MeterEventId
    /// A dated price of a route.
    RateId
    /// Priced meter events of a day.
    ChargeId
    /// A month's bill of one producing team.
    StatementId
    /// One row of the audit log.
    AuditId
    /// One unit of leased work.
    WorkId
    /// One deployment of a declaration.
    DeploymentId
}
