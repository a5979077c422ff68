//! Comparing what a flow of the old way brought with the replica that is to take its place: asked for here, read by a worker beside the
//! replica, kept with its time.

use model::dto::{Compared, Flow};
use model::{FlowId, Location, ProductId, ReplicaTableId, StorageId, TableId, TeamId};
use serde_json::json;

use crate::audit::Object;
use crate::catalog::overlaps;
use crate::error::{Check, Error};
use crate::jobs::{Leased, Wake, WorkKind};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::storages::StorageRecord;
use crate::{Exchange, from_row, sql};

/// What a worker needs to know to compare.
#[derive(Clone, Debug)]
pub struct FlowTask {
    pub id: FlowId,
    pub product_id: ProductId,
    pub table_id: TableId,
    pub copy_storage: StorageId,
    pub copy_path: String,
    pub replica_table_id: ReplicaTableId,
    pub replica_storage: StorageId,
    pub replica_path: String,
    /// As it was last synced.
    pub replica_version: Option<u64>,
    pub source_version: Option<u64>,
}
from_row!(FlowTask {
    id,
    product_id,
    table_id,
    copy_storage,
    copy_path,
    replica_table_id,
    replica_storage,
    replica_path,
    replica_version,
    source_version
});

impl Exchange {
    /// Whether a folder may be an old copy. A comparison reads it and tells of its rows, so that it is no folder of another team; and it
    /// is read beside the replica, so that it lies where the flow goes.
    pub(super) async fn check_copy(
        &self,
        check: &mut Check,
        principal: &Principal,
        team: TeamId,
        to: Option<&Location>,
        (storage, path): (&StorageRecord, &str),
    ) -> Result<(), Error> {
        if let Some(to) = to.filter(|to| **to != storage.location) {
            let sentence = format!(
                "it lies in {}, and the flow goes to {to}; name the storage there that holds the copy",
                storage.location
            );
            check.fail("storage", sentence);
            return Ok(());
        }
        // Who may name a folder where everybody's replicas are is asked once, when it is named; of other storages a team looks into its
        // own.
        let usage = match storage.replicas {
            true => self.storage_usage(storage.id).await?,
            false => self.storage_usable(principal, &[team], storage).await?,
        };
        if usage.of_others(&[team]).any(|used| overlaps(used, path)) {
            check.fail(
                "path",
                "this folder is another team's table or replica, lies in one or holds one; name the folder that the flow loads into",
            );
        }
        Ok(())
    }

    /// Asks for a comparison of what the flow brought with the replica at the place that it goes to.
    pub async fn flow_compare(&self, principal: &Principal, id: FlowId) -> Result<Flow, Error> {
        let record = self.flow_for(principal, Operation::FlowCompare, id).await?;
        let tasks = self.flow_tasks(id).await?;
        if tasks.len() != 1 {
            return Err(Error::conflict(match tasks.len() {
                0 => {
                    "there is nothing to compare: it takes a flow whose old copy lies in a registered storage (say which when you register \
                     it), and a replica of its product at the place that it goes to"
                }
                _ => {
                    "the flow is of several tables, and one folder holds one of them; register it for each table with the folder of its \
                     copy"
                }
            }));
        }
        // Whose the folder is was asked when it was named, and may have changed.
        if let (Some(storage), Some(path)) = (&record.copy_storage, &record.copy_path)
            && let Some(storage) = self.storage_by_name(storage.as_str()).await?
        {
            let mut check = Check::new();
            let place = (&storage, path.as_str());
            self.check_copy(&mut check, principal, record.team_id, None, place)
                .await?;
            if !check.is_clean() {
                return Err(Error::conflict(
                    "the folder of the old copy is another team's table or replica by now, lies in one or holds one, and is not read; take \
                     the flow out and register it with the folder that it loads into",
                ));
            }
        }
        let mut change = self.change(principal).await?;
        let at = change.at();
        sql!("update old_flow set comparing_at = $1 where id = $2")
            .bind(at)
            .bind(id)
            .execute(change.tx())
            .await?;
        let wake = Wake::new(WorkKind::Compare, id);
        change.wake(wake.at(Some(record.to_location.clone())));
        change.note(
            Operation::FlowCompare,
            Object::new("product", record.product_id),
            json!({ "flow": id }),
        );
        change.commit().await?;
        let record = self.flow_for(principal, Operation::FlowCompare, id).await?;
        record.shown(principal)
    }

    /// What there is to know for comparing; None where there is nothing to compare any more.
    pub async fn flow_task(
        &self,
        principal: &Principal,
        id: FlowId,
    ) -> Result<Option<FlowTask>, Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let mut tasks = self.flow_tasks(id).await?;
        Ok(tasks.pop().filter(|_| tasks.is_empty()))
    }

    async fn flow_tasks(&self, id: FlowId) -> Result<Vec<FlowTask>, Error> {
        Ok(sql!(
            "select old_flow.id, old_flow.product_id, replica_table.table_id, copy_storage, copy_path,
                    replica_table.id as replica_table_id, replica.storage_id as replica_storage,
                    replica_table.path as replica_path, replica_version, source_version
             from old_flow join replica on replica.product_id = old_flow.product_id
                 join replica_table on replica_table.replica_id = replica.id
                 join storage on storage.id = replica.storage_id
             where old_flow.id = $1 and replica.cut_id is null and copy_storage is not null and copy_path is not null
                 and replica.state <> 'deleted' and replica_table.state not in ('erasing', 'deleted')
                 and storage.cloud || ':' || storage.region = to_location
                 and (flow_table is null or flow_table = replica_table.table_id)
             order by replica_table.id limit 2"
        )
        .bind(id)
        .all(self.db())
        .await?)
    }

    /// A comparison has failed. Once nobody tries it again by itself, that stands where its answer would.
    pub async fn flow_compare_failed(
        &self,
        principal: &Principal,
        work: &Leased,
        (why, terminal): (&str, bool),
    ) -> Result<(), Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let Ok(id) = work.key.parse() else {
            return Ok(());
        };
        if !terminal && !work.is_last_try() {
            return Ok(());
        }
        let why = why.trim_end_matches('.');
        let sentence =
            format!("It was tried and given up: {why}. Once that is mended, compare again.");
        self.flow_compared(principal, id, Compared::Unknown, &sentence)
            .await
    }

    /// What a comparison has found.
    pub async fn flow_compared(
        &self,
        principal: &Principal,
        id: FlowId,
        compared: Compared,
        sentence: &str,
    ) -> Result<(), Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let mut change = self.change(principal).await?;
        let at = change.at();
        let changed = sql!(
            "update old_flow set compared_at = $1, compared = $2, comparison = $3, comparing_at = null where id = $4"
        )
        .bind(at)
        .bind(compared)
        .bind(sentence)
        .bind(id)
        .execute(change.tx())
        .await?;
        if changed == 0 {
            return Ok(());
        }
        change.note(
            Operation::SyncRunWrite,
            Object::new("flow", id),
            json!({ "compared": compared }),
        );
        change.commit().await
    }
}
