//! Who sees a replica and its runs, and how much of them. The lists say the same in SQL.
//!
//! The owning team, data protection (for personal data), auditors and admins see all of it. A team that reads the replica
//! sees that it is there, how fresh it is and what was moved: no paths, and no words of a store, which name paths. For
//! everybody else there is no replica.

use model::ReplicaState;
use model::dto::{Replica, ReplicaTable, SyncRun, TableWork};

use super::history::RunRecord;
use super::records::ReplicaRecord;
use crate::operation::Operation;
use crate::policy::{Scope, allows};
use crate::principal::Principal;

/// Whose replica of a product in a storage the caller may see, as a condition on rows of all three: $1 whether all, $2 the caller, $3
/// the one team of a token, $4 whether a data-protection officer, $5 now.
macro_rules! visible_replicas {
    () => {
        "($1 or product.team_id = $3 or (classification = 'personal' and $4)
          or product.team_id in (select team_member.team_id from team_member where person_id = $2)
          or exists (select 1 from access_grant join recipient on recipient.id = recipient_id
                     where access_grant.product_id = product.id and mode = 'replica' and desired = 'active' and until_at > $5
                         and recipient.cloud = storage.cloud and recipient.region = storage.region
                         and (access_grant.cut_id = replica.cut_id or (access_grant.cut_id is null and replica.cut_id is null))
                         and (recipient.team_id = $3
                              or recipient.team_id in (select team_member.team_id from team_member where person_id = $2))))"
    };
}
pub(super) use visible_replicas;

/// Stands where a run's error would, for those who read the replica.
const RUN_FAILED: &str = "this run did not go through; the team that owns the product sees why";
/// Stands where the reason of a replica or its table would.
const OUT_OF_ORDER: &str =
    "the last run did not go through; the team that owns the product sees why";

/// How much of a replica somebody sees who may see it at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    Whole,
    /// As a team that reads it.
    Reader,
}

impl Sight {
    pub(super) fn of_replica(principal: &Principal, replica: &ReplicaRecord) -> Self {
        Self::of(principal, Operation::ReplicaRead, &replica.owned())
    }

    pub(super) fn of_run(principal: &Principal, run: &RunRecord) -> Self {
        Self::of(principal, Operation::SyncRunRead, &run.owned())
    }

    /// `owned` names no consumer: who passes all the same passes for another reason than reading.
    fn of(principal: &Principal, operation: Operation, owned: &Scope) -> Self {
        if allows(principal, operation, owned) {
            Self::Whole
        } else {
            Self::Reader
        }
    }

    pub(super) fn replica(self, mut replica: Replica) -> Replica {
        if self == Self::Reader {
            // Why it drains is said by us and names nothing.
            if replica.state == ReplicaState::Diverged {
                veil(&mut replica.reason, OUT_OF_ORDER);
            }
            replica.tables.iter_mut().for_each(veil_table);
        }
        replica
    }

    pub(super) fn run(self, mut run: SyncRun) -> SyncRun {
        if self == Self::Reader {
            veil(&mut run.error, RUN_FAILED);
        }
        run
    }
}

/// Every field is named, so that a new one makes whoever adds it say who may see it.
fn veil_table(table: &mut ReplicaTable) {
    let ReplicaTable {
        path,
        reason,
        work,
        id: _,
        schema: _,
        name: _,
        state: _,
        source_version: _,
        source_committed_at: _,
        replica_version: _,
        bytes: _,
        synced_at: _,
        verified_at: _,
        vacuumed_at: _,
        quarantined_at: _,
    } = table;
    *path = None;
    veil(reason, OUT_OF_ORDER);
    for TableWork {
        error,
        kind: _,
        failures: _,
        parked: _,
    } in work
    {
        veil(error, OUT_OF_ORDER);
    }
}

fn veil(text: &mut Option<String>, instead: &str) {
    if let Some(text) = text {
        instead.clone_into(text);
    }
}
