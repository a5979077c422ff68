//! What a worker needs to know to work on one replica table: its two ends, how far it is, and whether it is wanted.

use model::time::HOUR;
use model::{
    Cloud, Commits, CutId, Fetches, Location, Name, Narrowing, ProductId, ProductName, ReplicaId,
    ReplicaState, ReplicaTableId, StorageId, TableId, Timestamp,
};

use super::schedule::usual;
use crate::cuts::{self, CutKey, NarrowTask};
use crate::db::{DbError, FromRow, Row};
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, sql};

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
    forget_hours: Option<i64>,
    erasing: bool,
    /// An erasure waits for a sync, or what is to be forgotten by a deadline is late: versions in between are not to be waited for.
    pub hurries: bool,
    /// Its job is.
    pub(super) is_paused: bool,
    fetches: Option<Fetches>,
    commits: Option<Commits>,
    /// A copy in the target's storage that the first sync is to take over, and whether the ends of files may speak for them.
    pub adopt_path: Option<String>,
    pub adopt_by_ends: Option<bool>,
    /// The cut that the replica is of; None for the whole product.
    pub cut_id: Option<CutId>,
    pub cut: Option<Name>,
    edition: Option<i64>,
    /// What the replica leaves out of the table; None: nothing.
    narrow: Option<NarrowTask>,
}

impl FromRow for SyncTask {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            replica_table_id: row.get("replica_table_id")?,
            replica_id: row.get("replica_id")?,
            replica_state: row.get("replica_state")?,
            table_state: row.get("table_state")?,
            product_id: row.get("product_id")?,
            product: row.get("product")?,
            table_id: row.get("table_id")?,
            schema: row.get("schema")?,
            table_name: row.get("table_name")?,
            source_storage: row.get("source_storage")?,
            source_path: row.get("source_path")?,
            source_cloud: row.get("source_cloud")?,
            source_region: row.get("source_region")?,
            target_storage: row.get("target_storage")?,
            target_path: row.get("target_path")?,
            target_cloud: row.get("target_cloud")?,
            target_region: row.get("target_region")?,
            source_version: row.get("source_version")?,
            replica_version: row.get("replica_version")?,
            bytes: row.get("bytes")?,
            quarantined_at: row.get("quarantined_at")?,
            suspects: row.get("suspects")?,
            retention_hours: row.get("retention_hours")?,
            forget_hours: row.get("forget_hours")?,
            erasing: row.get("erasing")?,
            hurries: row.get("hurries")?,
            is_paused: row.get("is_paused")?,
            fetches: row.get("fetches")?,
            commits: row.get("commits")?,
            adopt_path: row.get("adopt_path")?,
            adopt_by_ends: row.get("adopt_by_ends")?,
            cut_id: row.get("cut_id")?,
            cut: row.get("cut")?,
            edition: row.get("edition")?,
            narrow: None,
        })
    }
}

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

    /// What one commit of the replica brings.
    pub fn commits(&self) -> Commits {
        self.commits.unwrap_or(Commits::Run)
    }

    /// Rows that only a deletion vector hides are written away at the replica, unless that was done less than so many microseconds
    /// ago. None: they stay as long as the source has them, for then nothing has to cross again when more rows of their files go.
    pub fn purge_after(&self) -> Option<i64> {
        match self.erasing {
            true => Some(0),
            false => self.forget_hours.map(|hours| hours * HOUR / 4),
        }
    }

    /// What the replica leaves out of its source, with the key for what is hashed; None: it is its source, whole.
    ///
    /// # Errors
    /// Why the key does not open: then nothing is to be written.
    pub fn narrowed(&self) -> Result<Option<(&Narrowing, &CutKey)>, &str> {
        match (&self.narrow, self.cut_id) {
            (None, None) => Ok(None),
            // Never the whole table into the folder of a cut.
            (None, Some(_)) => Err("the cut does not have this table"),
            (Some(narrow), _) if narrow.what.is_whole() && narrow.agreed.is_none() => Ok(None),
            (Some(narrow), _) => match &narrow.key {
                Ok(key) => Ok(Some((&narrow.what, key))),
                Err(why) => Err(why.as_str()),
            },
        }
    }

    /// The source's schema as whoever agreed to the cut knew it: columns that are not in it are left out, too.
    pub fn agreed(&self) -> Option<&str> {
        self.narrow.as_ref()?.agreed.as_deref()
    }

    /// How long the replica keeps what the source removed; microseconds. Not longer than half of its deadline for forgetting.
    pub fn retention(&self) -> i64 {
        let hours = self.retention_hours.unwrap_or(usual::RETENTION_HOURS);
        let most = self.forget_hours.map_or(hours, |hours| hours / 2);
        hours.min(most) * HOUR
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
        let task: Option<SyncTask> = sql!(
            "select replica_table.id as replica_table_id, replica_table.replica_id, replica.state as replica_state,
                    replica_table.state as table_state, product.id as product_id, product.name as product, table_id,
                    schema_name as schema, product_table.name as table_name, product_table.storage_id as source_storage,
                    product_table.path as source_path, source.cloud as source_cloud, source.region as source_region,
                    target.id as target_storage, replica_table.path as target_path, target.cloud as target_cloud,
                    target.region as target_region, source_version, replica_version, replica_table.byte_count as bytes,
                    quarantined_at, suspects, retention_hours, forget_hours, fetches, commits, replica.cut_id, cut.name as cut, adopt_path, by_ends as adopt_by_ends,
                    replica.edition,
                    case when exists (select 1 from erasure_part where erasure_part.replica_table_id = replica_table.id
                                          and erasure_part.state = 'waiting')
                         then true else false end as erasing,
                    case when exists (select 1 from erasure_part where erasure_part.replica_table_id = replica_table.id
                                          and erasure_part.state = 'waiting' and upto is null)
                              or (forget_hours is not null
                                  and coalesce(level_at, replica_table.created_at) < $2 - forget_hours * $3 / 2)
                         then true else false end as hurries,
                    case when sync_job.paused then true else false end as is_paused
             from replica_table join replica on replica.id = replica_table.replica_id
                 join product_table on product_table.id = table_id join product on product.id = replica.product_id
                 join storage as source on source.id = product_table.storage_id
                 join storage as target on target.id = replica.storage_id
                 left join cut on cut.id = replica.cut_id left join sync_job on sync_job.replica_id = replica.id
                 left join adoption on adopted_table = product_table.id and into_storage = target.id and done_at is null
                     and replica.cut_id is null
             where replica_table.id = $1 and replica_table.state not in ('erasing', 'deleted')"
        )
        .bind(id)
        .bind(self.now())
        .bind(HOUR)
        .first(self.db())
        .await?;
        let Some(mut task) = task else {
            return Ok(None);
        };
        if let (Some(cut), Some(edition)) = (task.cut_id, task.edition) {
            task.narrow = self.narrow_task(cut, edition, task.table_id).await?;
        }
        Ok(Some(task))
    }

    /// What an edition of a cut does with a table; None where it does not have it.
    async fn narrow_task(
        &self,
        cut: CutId,
        edition: i64,
        table: TableId,
    ) -> Result<Option<NarrowTask>, Error> {
        let row = sql!(
            "select narrowing, agreed from cut_table where cut_id = $1 and number = $2 and table_id = $3"
        )
        .bind(cut)
        .bind(edition)
        .bind(table)
        .row(self.db())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let text: String = row.get("narrowing")?;
        Ok(Some(NarrowTask {
            what: cuts::parsed(&text)?,
            agreed: row.get("agreed")?,
            key: self.cut_key(cut, edition).await?,
        }))
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
                    cast(null as bigint) as retention_hours, cast(null as bigint) as forget_hours, false as erasing, false as hurries, false as is_paused,
                    cast(null as text) as fetches, cast(null as text) as commits, cast(null as text) as adopt_path, false as adopt_by_ends,
                    (select cut.id from cut where 1 = 0) as cut_id,
                    cast(null as text) as cut, cast(null as bigint) as edition
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
