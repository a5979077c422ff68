//! What a worker needs to know to work on one replica table: its two ends, how far it is, and whether it is wanted.

use model::time::HOUR;
use model::{
    Cloud, Fetches, Location, Name, ProductId, ProductName, ReplicaId, ReplicaState,
    ReplicaTableId, StorageId, TableId, Timestamp,
};

use super::schedule::usual;
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// What a worker needs to know to sync, vacuum or check one replica table.
#[derive(Clone, Debug)]
pub struct SyncTask {
    pub replica_table_id: ReplicaTableId,
    pub replica_id: ReplicaId,
    pub replica_state: ReplicaState,
    pub table_state: ReplicaState,
    pub product_id: ProductId,
    pub product: ProductName,
    pub table_id: TableId,
    pub schema: Name,
    pub table_name: Name,
    pub source_storage: StorageId,
    pub source_path: String,
    source_cloud: Cloud,
    source_region: String,
    pub target_storage: StorageId,
    pub target_path: String,
    target_cloud: Cloud,
    target_region: String,
    pub source_version: Option<u64>,
    pub replica_version: Option<u64>,
    /// Of the table as the replica stands.
    pub bytes: Option<u64>,
    /// Since when it is in quarantine.
    pub quarantined_at: Option<Timestamp>,
    suspects: Option<String>,
    retention_hours: Option<i64>,
    fetches: Option<Fetches>,
    /// A copy in the target's storage that the first sync is to take over, and whether the ends of files may speak for them.
    pub adopt_path: Option<String>,
    pub adopt_by_ends: Option<bool>,
}
from_row!(SyncTask {
    replica_table_id,
    replica_id,
    replica_state,
    table_state,
    product_id,
    product,
    table_id,
    schema,
    table_name,
    source_storage,
    source_path,
    source_cloud,
    source_region,
    target_storage,
    target_path,
    target_cloud,
    target_region,
    source_version,
    replica_version,
    bytes,
    quarantined_at,
    suspects,
    retention_hours,
    fetches,
    adopt_path,
    adopt_by_ends
});

impl SyncTask {
    pub fn from_location(&self) -> Result<Location, Error> {
        Location::new(self.source_cloud, &self.source_region).map_err(Error::internal)
    }

    pub fn to_location(&self) -> Result<Location, Error> {
        Location::new(self.target_cloud, &self.target_region).map_err(Error::internal)
    }

    /// Whether who stands `here` stands beside the replica. Who does not say where counts as standing there.
    pub fn is_beside_replica(&self, here: Option<&Location>) -> Result<bool, Error> {
        let to = self.to_location()?;
        Ok(here.is_none_or(|here| *here == to))
    }

    /// Whether it is to follow its source: not while it drains. One whose source cannot be cloned any more tries to, so that
    /// its runs say why it stays behind.
    pub fn wants_sync(&self) -> bool {
        let follows = |state| {
            matches!(
                state,
                ReplicaState::Pending | ReplicaState::Ready | ReplicaState::Diverged
            )
        };
        follows(self.replica_state) && follows(self.table_state)
    }

    /// The partitions whose rows a check found to differ, of a table in quarantine: the next sync is to mend it.
    pub fn suspects(&self) -> Option<Vec<String>> {
        self.quarantined_at?;
        let suspects = self.suspects.as_deref().unwrap_or("[]");
        Some(serde_json::from_str(suspects).unwrap_or_default())
    }

    /// What is fetched of files that the source has rewritten.
    pub fn fetches(&self) -> Fetches {
        self.fetches.unwrap_or(Fetches::Changes)
    }

    /// How long the replica keeps what the source removed; microseconds.
    pub fn retention(&self) -> i64 {
        self.retention_hours.unwrap_or(usual::RETENTION_HOURS) * HOUR
    }
}

impl Exchange {
    /// What there is to know for working on one replica table; None when it is gone, or about to be.
    pub async fn sync_task(
        &self,
        principal: &Principal,
        id: ReplicaTableId,
    ) -> Result<Option<SyncTask>, Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        Ok(sql!(
            "select replica_table.id as replica_table_id, replica_table.replica_id, replica.state as replica_state,
                    replica_table.state as table_state, product.id as product_id, product.name as product, table_id,
                    schema_name as schema, product_table.name as table_name, product_table.storage_id as source_storage,
                    product_table.path as source_path, source.cloud as source_cloud, source.region as source_region,
                    target.id as target_storage, replica_table.path as target_path, target.cloud as target_cloud,
                    target.region as target_region, source_version, replica_version, replica_table.byte_count as bytes,
                    quarantined_at, suspects, retention_hours, fetches, adopt_path, by_ends as adopt_by_ends
             from replica_table join replica on replica.id = replica_table.replica_id
                 join product_table on product_table.id = table_id join product on product.id = replica.product_id
                 join storage as source on source.id = product_table.storage_id
                 join storage as target on target.id = replica.storage_id
                 left join sync_job on sync_job.replica_id = replica.id
                 left join adoption on adopted_table = product_table.id and into_storage = target.id and done_at is null
             where replica_table.id = $1 and replica_table.state not in ('erasing', 'deleted')"
        )
        .bind(id)
        .first(self.db())
        .await?)
    }

    /// The same of a table and a storage where there is no replica yet: as the first sync of one would begin. For planning alone.
    pub(super) async fn task_to_be(
        &self,
        table: TableId,
        storage: StorageId,
    ) -> Result<Option<SyncTask>, Error> {
        // The ids stand in for those of a replica, of which there is none.
        Ok(sql!(
            "select product_table.id as replica_table_id, product.id as replica_id, 'pending' as replica_state,
                    'pending' as table_state, product.id as product_id, product.name as product, product_table.id as table_id,
                    schema_name as schema, product_table.name as table_name, product_table.storage_id as source_storage,
                    product_table.path as source_path, source.cloud as source_cloud, source.region as source_region,
                    target.id as target_storage, product.name || '/' || schema_name || '/' || product_table.name as target_path,
                    target.cloud as target_cloud, target.region as target_region, cast(null as bigint) as source_version,
                    cast(null as bigint) as replica_version, cast(null as bigint) as bytes,
                    cast(null as bigint) as quarantined_at, cast(null as text) as suspects,
                    cast(null as bigint) as retention_hours, cast(null as text) as fetches, cast(null as text) as adopt_path,
                    false as adopt_by_ends
             from product_table join product on product.id = product_table.product_id
                 join storage as source on source.id = product_table.storage_id join storage as target on target.id = $2
             where product_table.id = $1"
        )
        .bind(table)
        .bind(storage)
        .first(self.db())
        .await?)
    }
}
