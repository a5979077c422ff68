//! Reading replicas and their tables; asking for a sync, a vacuum or a check.

use model::dto::{Replica, ReplicaActions, ReplicaTable, SyncJob, TableWork};
use model::{
    Cloud, CutId, Location, Name, ProductId, ProductName, ReplicaId, ReplicaState, ReplicaTableId,
    Role, StorageId, TableId, TeamId, Timestamp,
};
use serde_json::{Value, json};

use super::goes_on::asked_while_paused;
use super::sight::{Sight, visible_replicas};
use crate::audit::Object;
use crate::db::On;
use crate::error::Error;
use crate::jobs::{Wake, WorkKind};
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::policy::{Scope, allows, can, can_see};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// Replicas with the names around them, as [`ReplicaRecord`] reads them.
macro_rules! replica_rows {
    () => {
        "select replica.id, replica.product_id, product.name as product, team_id, replica.cut_id, cut.name as cut, replica.edition,
         case when classification = 'personal' then true else false end as personal,
         replica.storage_id, storage.name as storage, storage.cloud, storage.region, replica.state, drain_until, late_since, reason
         from replica join product on product.id = replica.product_id join storage on storage.id = replica.storage_id
         left join cut on cut.id = replica.cut_id"
    };
}

/// A replica with the names around it.
#[derive(Clone, Debug)]
pub struct ReplicaRecord {
    pub id: ReplicaId,
    pub product_id: ProductId,
    pub product: ProductName,
    pub team_id: TeamId,
    /// The cut that it is of, and which edition of that; None for the whole product.
    pub cut_id: Option<CutId>,
    pub cut: Option<Name>,
    pub edition: Option<i64>,
    pub personal: bool,
    pub storage_id: StorageId,
    pub storage: Name,
    pub cloud: Cloud,
    pub region: String,
    pub state: ReplicaState,
    pub drain_until: Option<Timestamp>,
    /// Since when it is later than its schedule promises.
    pub late_since: Option<Timestamp>,
    pub reason: Option<String>,
}
from_row!(ReplicaRecord {
    id,
    product_id,
    product,
    team_id,
    cut_id,
    cut,
    edition,
    personal,
    storage_id,
    storage,
    cloud,
    region,
    state,
    drain_until,
    late_since,
    reason
});

impl ReplicaRecord {
    /// Whether it is kept like its source.
    pub(super) fn follows(&self) -> bool {
        matches!(
            self.state,
            ReplicaState::Pending | ReplicaState::Ready | ReplicaState::Diverged
        )
    }

    fn is_gone(&self) -> bool {
        matches!(self.state, ReplicaState::Erasing | ReplicaState::Deleted)
    }

    pub fn location(&self) -> Result<Location, Error> {
        Location::new(self.cloud, &self.region).map_err(Error::internal)
    }

    /// What rules look at, save who reads it.
    pub(super) fn owned(&self) -> Scope {
        Scope {
            personal: self.personal,
            ..Scope::owner(self.team_id)
        }
    }
}

/// A replica table with the names around it.
#[derive(Clone, Debug)]
pub struct ReplicaTableRecord {
    pub id: ReplicaTableId,
    pub replica_id: ReplicaId,
    pub table_id: TableId,
    pub schema: Name,
    pub name: Name,
    pub path: String,
    pub state: ReplicaState,
    pub source_version: Option<u64>,
    pub source_committed_at: Option<Timestamp>,
    pub replica_version: Option<u64>,
    pub bytes: Option<u64>,
    pub synced_at: Option<Timestamp>,
    pub verified_at: Option<Timestamp>,
    pub vacuumed_at: Option<Timestamp>,
    pub quarantined_at: Option<Timestamp>,
    /// Of a table that was taken out of the product: when its folder is to be erased.
    pub drain_until: Option<Timestamp>,
    /// Whether the product has the table no more.
    pub is_removed: bool,
    pub reason: Option<String>,
}
from_row!(ReplicaTableRecord {
    id,
    replica_id,
    table_id,
    schema,
    name,
    path,
    state,
    source_version,
    source_committed_at,
    replica_version,
    bytes,
    synced_at,
    verified_at,
    vacuumed_at,
    quarantined_at,
    drain_until,
    is_removed,
    reason
});

impl ReplicaTableRecord {
    /// Whether it is kept in step with its source, as long as its replica is: not while it is on its way out.
    pub fn follows(&self) -> bool {
        matches!(
            self.state,
            ReplicaState::Pending | ReplicaState::Ready | ReplicaState::Diverged
        )
    }

    /// Whether there is something in its folder to vacuum.
    pub fn is_kept(&self) -> bool {
        self.follows() || self.state == ReplicaState::Draining
    }
}

impl ReplicaTableRecord {
    fn shown(self, work: Vec<TableWork>) -> ReplicaTable {
        let record = self;
        ReplicaTable {
            id: record.id,
            schema: record.schema,
            name: record.name,
            path: Some(record.path),
            state: record.state,
            source_version: record.source_version,
            source_committed_at: record.source_committed_at,
            replica_version: record.replica_version,
            bytes: record.bytes,
            synced_at: record.synced_at,
            verified_at: record.verified_at,
            vacuumed_at: record.vacuumed_at,
            quarantined_at: record.quarantined_at,
            reason: record.reason,
            work,
        }
    }
}

impl Exchange {
    pub(crate) async fn replica_record<'a>(
        &self,
        on: impl Into<On<'a>>,
        id: ReplicaId,
    ) -> Result<Option<ReplicaRecord>, Error> {
        Ok(sql!(replica_rows!(), " where replica.id = $1")
            .bind(id)
            .first(on)
            .await?)
    }

    pub(crate) async fn replica_tables<'a>(
        &self,
        on: impl Into<On<'a>>,
        replica: ReplicaId,
    ) -> Result<Vec<ReplicaTableRecord>, Error> {
        Ok(sql!(
            "select replica_table.id, replica_id, table_id, schema_name as schema, name, replica_table.path, replica_table.state,
                    source_version, source_committed_at, replica_version, replica_table.byte_count as bytes, synced_at,
                    verified_at, vacuumed_at, quarantined_at, drain_until, case when removed_at is null then false else true end as is_removed, reason
             from replica_table join product_table on product_table.id = table_id
             where replica_id = $1 order by schema_name, name"
        )
        .bind(replica)
        .all(on)
        .await?)
    }

    /// The replica that `text` names (its id, `product@storage`, or `product:cut@storage` for the newest of a cut) and what rules about it look at. Not there, too, for
    /// those who may not see it.
    pub(super) async fn replica_for(
        &self,
        principal: &Principal,
        text: &str,
    ) -> Result<(ReplicaRecord, Scope), Error> {
        // Nobody learns what there is and what not.
        can(principal, Operation::ReplicaList, &Scope::NONE)?;
        let replica = self.replica_by_ref(text).await?;
        let scope = self.replica_scope(principal, &replica).await?;
        can_see(principal, Operation::ReplicaRead, &scope, "replica")?;
        Ok((replica, scope))
    }

    async fn replica_by_ref(&self, text: &str) -> Result<ReplicaRecord, Error> {
        let id = if let Some((product, storage)) = text.split_once('@') {
            let (product, cut) = match product.split_once(':') {
                Some((product, cut)) => (product, Some(cut)),
                None => (product, None),
            };
            let row = sql!(
                "select replica.id from replica join product on product.id = replica.product_id
                 join storage on storage.id = replica.storage_id left join cut on cut.id = replica.cut_id
                 where product.name = $1 and storage.name = $2 and replica.state <> 'deleted'
                     and (cut.name = $3 or (replica.cut_id is null and cast($3 as text) is null))
                 order by coalesce(replica.edition, 0) desc limit 1"
            )
            .bind(product)
            .bind(storage)
            .bind(cut)
            .row(self.db())
            .await?;
            row.map(|row| row.get("id")).transpose()?
        } else {
            text.parse::<ReplicaId>().ok()
        };
        let id = id.ok_or(Error::NotFound("replica"))?;
        self.replica_record(self.db(), id)
            .await?
            .ok_or(Error::NotFound("replica"))
    }

    /// What rules about a replica look at: its owner, and any of the caller's teams that consumes it.
    async fn replica_scope(
        &self,
        principal: &Principal,
        replica: &ReplicaRecord,
    ) -> Result<Scope, Error> {
        let rows = sql!(
            "select distinct recipient.team_id from access_grant join recipient on recipient.id = recipient_id
             where product_id = $1 and mode = 'replica' and desired = 'active' and until_at > $4 and cloud = $2 and region = $3
                 and (access_grant.cut_id = $5 or (access_grant.cut_id is null and $5 is null))"
        )
        .bind(replica.product_id)
        .bind(replica.cloud)
        .bind(&replica.region)
        .bind(self.now())
        .bind(replica.cut_id)
        .rows(self.db())
        .await?;
        let mut consumer = None;
        for row in rows {
            let team: TeamId = row.get("team_id")?;
            if principal.is_member(team) {
                consumer = Some(team);
            }
        }
        Ok(Scope {
            consumer,
            ..replica.owned()
        })
    }

    /// As the caller may see it, who may see it.
    async fn replica_dto(
        &self,
        principal: &Principal,
        record: ReplicaRecord,
    ) -> Result<Replica, Error> {
        let sight = Sight::of_replica(principal, &record);
        let (location, follows) = (record.location()?, record.follows());
        let mut tables = Vec::new();
        for table in self.replica_tables(self.db(), record.id).await? {
            if record.state == ReplicaState::Deleted || table.state != ReplicaState::Deleted {
                let work = self.table_work(table.id).await?;
                tables.push(table.shown(work));
            }
        }
        let job = self.job_of(self.db(), record.id).await?;
        let scope = self.replica_scope(principal, &record).await?;
        let may = |operation| allows(principal, operation, &scope);
        let is_quarantined = tables.iter().any(|table| table.quarantined_at.is_some());
        let may = ReplicaActions {
            sync: record.follows() && may(Operation::SyncStart),
            verify: record.follows() && may(Operation::VerifyStart),
            vacuum: !record.is_gone() && may(Operation::VacuumStart),
            schedule: job.is_some() && may(Operation::SyncJobUpdate),
            release: is_quarantined && may(Operation::ReplicaRelease),
        };
        Ok(sight.replica(Replica {
            id: record.id,
            product: record.product,
            cut: record.cut,
            edition: record.edition,
            storage: record.storage,
            location,
            state: record.state,
            drain_until: record.drain_until,
            late_since: record.late_since.filter(|_| follows),
            reason: record.reason,
            tables,
            job: job.map(SyncJob::from),
            may,
        }))
    }

    /// Replicas that the caller may see, not the deleted ones; of one product when `product` is given.
    pub async fn replicas(
        &self,
        principal: &Principal,
        product: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<Replica>, Error> {
        can(principal, Operation::ReplicaList, &Scope::NONE)?;
        self.filter_by(principal, product).await?;
        let after: Option<ReplicaId> = page.parse_after()?;
        let (person, team) = principal.scope();
        let rows: Vec<ReplicaRecord> = sql!(
            replica_rows!(),
            " where ",
            visible_replicas!(),
            " and (replica.id > $6 or $6 is null) and replica.state <> 'deleted'
                 and (product.name = $7 or cast($7 as text) is null)
                 order by replica.id limit $8"
        )
        .bind(principal.sees_all())
        .bind(person)
        .bind(team)
        .bind(principal.has(Role::DataProtection))
        .bind(self.now())
        .bind(after)
        .bind(product)
        .bind(page.fetch())
        .all(self.db())
        .await?;
        let page = page.cut(rows, |row| row.id.to_string());
        let mut items = Vec::with_capacity(page.items.len());
        for record in page.items {
            items.push(self.replica_dto(principal, record).await?);
        }
        Ok(Page {
            items,
            next: page.next,
        })
    }

    pub async fn replica(&self, principal: &Principal, reference: &str) -> Result<Replica, Error> {
        let (record, _) = self.replica_for(principal, reference).await?;
        self.replica_dto(principal, record).await
    }

    /// Asks for a sync of every table now.
    pub async fn sync_start(
        &self,
        principal: &Principal,
        reference: &str,
    ) -> Result<Replica, Error> {
        self.replica_start(
            principal,
            reference,
            Operation::SyncStart,
            WorkKind::Sync,
            |_| Value::Null,
        )
        .await
    }

    /// Asks for a vacuum of every table now.
    pub async fn vacuum_start(
        &self,
        principal: &Principal,
        reference: &str,
    ) -> Result<Replica, Error> {
        self.replica_start(
            principal,
            reference,
            Operation::VacuumStart,
            WorkKind::Vacuum,
            |_| Value::Null,
        )
        .await
    }

    /// Asks for a check of every table now: of its log and counts.
    pub async fn verify_start(
        &self,
        principal: &Principal,
        reference: &str,
    ) -> Result<Replica, Error> {
        self.verify_start_at(principal, reference, 1).await
    }

    /// Asks for a check of every table now. Level 0 and 1: of its log and counts; 2: of every object; 3: of every row, on both
    /// sides, each where it lies.
    pub async fn verify_start_at(
        &self,
        principal: &Principal,
        reference: &str,
        level: u8,
    ) -> Result<Replica, Error> {
        if level > 3 {
            return Err(Error::invalid(
                "level",
                "there are the levels 0, 1, 2 and 3",
            ));
        }
        self.replica_start(
            principal,
            reference,
            Operation::VerifyStart,
            WorkKind::Verify,
            |_| match level {
                0 | 1 => Value::Null,
                level => json!({ "level": level }),
            },
        )
        .await
    }

    /// `with` says what the worker is to know of each table.
    pub(super) async fn replica_start(
        &self,
        principal: &Principal,
        reference: &str,
        operation: Operation,
        kind: WorkKind,
        with: impl Fn(ReplicaTableId) -> Value + Send + Sync,
    ) -> Result<Replica, Error> {
        let (replica, scope) = self.replica_for(principal, reference).await?;
        can(principal, operation, &scope)?;
        if replica.is_gone() || (kind != WorkKind::Vacuum && !replica.follows()) {
            return Err(Error::conflict(
                "this replica is on its way out; ask for access again to bring it back",
            ));
        }
        let location = replica.location()?;
        let job = self.job_of(self.db(), replica.id).await?;
        let is_paused = kind == WorkKind::Sync && job.is_some_and(|job| job.paused);
        let mut change = self.change(principal).await?;
        for table in self.replica_tables(change.tx(), replica.id).await? {
            let takes_part = match kind {
                WorkKind::Vacuum => table.is_kept(),
                _ => table.follows(),
            };
            if takes_part {
                let wake = Wake::new(kind, table.id).at(Some(location.clone()));
                let told = with(table.id);
                change.wake(wake.with(match is_paused {
                    true => asked_while_paused(told),
                    false => told,
                }));
            }
        }
        change.note(operation, Object::new("replica", replica.id), Value::Null);
        change.commit().await?;
        self.replica_dto(principal, replica).await
    }
}
