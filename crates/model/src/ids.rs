//! Identifiers: one newtype per table over a time-ordered UUID (version 7), so that they cannot be mixed up.
//!
//! They sort by their instant, to the microsecond, and those that one process makes for the same instant sort as they were
//! made: "newest first" means the same each time it is asked.

use std::fmt;
use std::str::FromStr;
#[cfg(not(target_arch = "wasm32"))]
use std::sync::{
    LazyLock,
    atomic::{AtomicU64, Ordering},
};

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

/// How many identifiers this process has made, begun at a random number, so that two processes rarely count alike.
#[cfg(not(target_arch = "wasm32"))]
static MADE: LazyLock<AtomicU64> =
    LazyLock::new(|| AtomicU64::new(Uuid::new_v4().as_u64_pair().1 >> 23));

/// How many bits of an identifier count.
#[cfg(not(target_arch = "wasm32"))]
const COUNTER_BITS: u8 = 42;

/// RFC 9562, section 6.2: milliseconds; 12 bits that are the fraction of one (method 3), 42 bits of a counter (method 1), and
/// 20 random bits. The counter never goes back, unlike the instant, which does where a test or the demo moves the clock: such
/// identifiers still sort by their instant first.
#[cfg(not(target_arch = "wasm32"))]
fn new_uuid(at: crate::Timestamp) -> Uuid {
    let micros = u64::try_from(at.micros()).unwrap_or(0);
    let nanos = u32::try_from(micros % 1_000_000 * 1_000).unwrap_or(0);
    let fraction = micros % 1_000 * 4_096 / 1_000;
    let counter = MADE.fetch_add(1, Ordering::Relaxed) & (u64::MAX >> (64 - COUNTER_BITS));
    Uuid::new_v7(uuid::Timestamp::from_unix_time(
        micros / 1_000_000,
        nanos,
        u128::from((fraction << COUNTER_BITS) | counter),
        12 + COUNTER_BITS,
    ))
}

ids! {
    /// A person with an account.
    PersonId
    /// What a provider of identities calls a person.
    IdentityId
    /// Somebody's word that rows are to be forgotten.
    ErasureId
    /// A way by which a table is brought to its consumers without the exchange.
    FlowId
    /// One object that was deleted from a replica.
    ErasedObjectId
    /// One assessment of what lies in a storage.
    AssessmentId
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
    /// A cut: what a narrower replica of a product holds.
    CutId
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
    /// What the advisor recommends.
    AdviceId
    /// Something that people and the webhook are told.
    NoticeId
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;
    use crate::Timestamp;

    #[test]
    fn what_is_made_at_one_instant_sorts_as_it_was_made() {
        let at = Timestamp::from_micros(1_781_524_800_123_456);
        let made: Vec<GrantId> = (0..10_000).map(|_| GrantId::new(at)).collect();
        assert!(made.is_sorted_by(|one, next| one < next));
        assert!(made.iter().all(|id| {
            id.0.get_version_num() == 7 && id.0.get_variant() == uuid::Variant::RFC4122
        }));
    }

    #[test]
    fn a_later_instant_sorts_later_whenever_it_was_made() {
        let from = 1_781_524_800_000_000;
        let backwards: Vec<GrantId> = (0..5_000)
            .rev()
            .map(|micros| GrantId::new(Timestamp::from_micros(from + micros)))
            .collect();
        assert!(backwards.is_sorted_by(|later, earlier| later > earlier));
        let (seconds, nanos) = backwards[0].0.get_timestamp().unwrap().to_unix();
        assert_eq!((seconds, nanos), (1_781_524_800, 4_000_000));
    }

    #[test]
    fn several_threads_make_no_two_alike() {
        let at = Timestamp::from_micros(1_781_524_800_123_456);
        let threads: Vec<_> = (0..4)
            .map(|_| {
                std::thread::spawn(move || (0..5_000).map(|_| GrantId::new(at)).collect::<Vec<_>>())
            })
            .collect();
        let mut all = std::collections::BTreeSet::new();
        for thread in threads {
            let made = thread.join().unwrap();
            assert!(made.is_sorted());
            all.extend(made);
        }
        assert_eq!(all.len(), 20_000);
    }
}
