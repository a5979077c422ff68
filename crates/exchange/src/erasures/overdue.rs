//! Erasures that wait: what they wait for is woken, and parts whose replica table is no more are ended.

use model::time::HOUR;
use model::{Cloud, ErasureId, ErasureState, Location, ReplicaTableId};
use serde_json::json;

use super::ErasureSeen;
use crate::error::Error;
use crate::jobs::{self, Wake, WorkKind};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// How many one look wakes; the rest is found by the next.
const MOST: i64 = 1_000;

/// So often it is looked whether the retention is over: each look lists the whole folder.
const LOOK: i64 = HOUR;

struct Overdue {
    id: ReplicaTableId,
    cloud: Cloud,
    region: String,
    behind: bool,
}
from_row!(Overdue {
    id,
    cloud,
    region,
    behind
});

/// A part whose replica table is no more.
struct Ended {
    erasure_id: ErasureId,
    replica_table_id: ReplicaTableId,
}
from_row!(Ended {
    erasure_id,
    replica_table_id
});

impl Exchange {
    /// Wakes what erasures wait for: a sync where the replica does not hold the source without the rows yet, else a vacuum. What
    /// waits already is left to its turn, and what was given up is tried again: nobody else may come by who wakes it. Ends the parts
    /// of replica tables that are no more.
    pub async fn erasures_tick(&self, principal: &Principal) -> Result<(), Error> {
        can(principal, Operation::WorkRun, &Scope::NONE)?;
        let (now, database_now) = (self.now(), self.db().now().await?);
        let overdue: Vec<Overdue> = sql!(
            "select distinct replica_table.id, cloud, region,
                    case when upto is null then true else false end as behind
             from erasure_part join replica_table on replica_table.id = replica_table_id
                 join replica on replica.id = replica_table.replica_id join storage on storage.id = replica.storage_id
             where erasure_part.state = 'waiting' and replica_table.state not in ('erasing', 'deleted')
                 and (upto is null or erasure_part.updated_at <= $1)
             order by replica_table.id limit $2"
        )
        .bind(now.plus(-LOOK))
        .bind(MOST)
        .all(self.db())
        .await?;
        for table in overdue {
            let location = Location::new(table.cloud, &table.region).map_err(Error::internal)?;
            let sync = table.behind.then_some(WorkKind::Sync);
            for kind in sync.into_iter().chain([WorkKind::Vacuum]) {
                let wake = Wake::new(kind, table.id).at(Some(location.clone()));
                jobs::look(self.db(), &wake, now, database_now).await?;
            }
        }
        let ended: Vec<Ended> = sql!(
            "select erasure_id, replica_table_id from erasure_part join replica_table on replica_table.id = replica_table_id
             where erasure_part.state = 'waiting' and replica_table.state = 'deleted'
             order by erasure_id, replica_table_id limit $1"
        )
        .bind(MOST)
        .all(self.db())
        .await?;
        for part in ended {
            let seen = ErasureSeen {
                state: ErasureState::NotProvable,
                reasons: vec![
                    "the replica has come to its end, and what the store keeps of its objects was not looked at then"
                        .to_owned(),
                ],
                facts: json!({}),
                versions: None,
            };
            let seed = self.erasure_seed().await?;
            let mut change = self.change(principal).await?;
            self.end_part(&mut change, part.erasure_id, part.replica_table_id, &seen)
                .await?;
            self.erasure_issue(&mut change, part.erasure_id, &seed)
                .await?;
            change.commit().await?;
        }
        Ok(())
    }
}
