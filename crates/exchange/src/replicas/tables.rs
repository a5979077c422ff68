//! The tables of a replica follow those of its product: each that can be cloned has one, from the change that adds it on; one
//! that is taken out drains, is still vacuumed, and is erased when its time is over.

use model::time::HOUR;
use model::{
    Cloud, CutId, GrantId, Location, Name, ProductId, ProductName, ReplicaId, ReplicaState,
    ReplicaTableId, TableId,
};
use serde_json::json;

use super::editions::end_earlier;
use super::schedule::usual;
use crate::audit::Object;
use crate::change::Change;
use crate::cuts::{CutRef, same_cut};
use crate::error::Error;
use crate::jobs::{self, Wake, WorkKind};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// How many products one look mends.
const MENDED: i64 = 100;

struct SourceTable {
    id: TableId,
    schema_name: String,
    name: String,
}
from_row!(SourceTable {
    id,
    schema_name,
    name
});

struct Follower {
    id: ReplicaId,
    state: ReplicaState,
    cloud: Cloud,
    region: String,
    keep_hours: Option<i64>,
    cut_id: Option<CutId>,
    cut: Option<Name>,
    edition: Option<i64>,
}
from_row!(Follower {
    id,
    state,
    cloud,
    region,
    keep_hours,
    cut_id,
    cut,
    edition
});

/// The cut that the columns of a replica name, with its name.
pub(super) fn cut_of(
    id: Option<CutId>,
    name: Option<Name>,
    edition: Option<i64>,
) -> Option<CutRef> {
    Some(CutRef {
        id: id?,
        name: name?,
        edition: edition?,
    })
}

/// Where a table lies in the storage of a replica. No schema has a dot in its name, so that the folders of cuts are apart.
fn path_of(product: &ProductName, cut: Option<&CutRef>, table: &SourceTable) -> String {
    match cut {
        None => format!("{product}/{}/{}", table.schema_name, table.name),
        Some(cut) => format!(
            "{product}/{}.{}/{}/{}",
            cut.name, cut.edition, table.schema_name, table.name
        ),
    }
}

impl Exchange {
    /// Makes the tables of a replica that its product has and it has not, and brings back those that were on their way out.
    /// Answers which. One that is being erased at this moment comes back when that is done.
    pub(crate) async fn replica_tables_ensure(
        &self,
        change: &mut Change,
        replica: ReplicaId,
        (product, product_name): (ProductId, &ProductName),
        cut: Option<&CutRef>,
    ) -> Result<Vec<ReplicaTableId>, Error> {
        let at = change.at();
        let tables: Vec<SourceTable> = sql!(
            "select id, schema_name, name from product_table where product_id = $1 and clone_refused_for is null and removed_at is null
                 and (exists (select 1 from cut_table
                     where cut_table.cut_id = $2 and number = $3 and cut_table.table_id = product_table.id) or $2 is null)
             order by schema_name, name"
        )
        .bind(product)
        .bind(cut.map(|cut| cut.id))
        .bind(cut.map(|cut| cut.edition))
        .all(change.tx())
        .await?;
        let mut made = Vec::new();
        for table in tables {
            let path = path_of(product_name, cut, &table);
            let changed = sql!(
                "insert into replica_table (id, replica_id, table_id, path, state, created_at, updated_at)
                  values ($1, $2, $3, $4, 'pending', $5, $5) on conflict (replica_id, table_id) do update set
                      state = 'pending', drain_until = null, reason = null, updated_at = excluded.updated_at
                      where replica_table.state in ('draining', 'deleted')
                  returning id"
            )
            .bind(ReplicaTableId::new(at))
            .bind(replica)
            .bind(table.id)
            .bind(path)
            .bind(at)
            .row(change.tx())
            .await?;
            if let Some(row) = changed {
                made.push(row.get("id")?);
            }
        }
        Ok(made)
    }

    /// Every replica of a product follows its tables as they are now; part of the change that changes them. One that drains
    /// gets what it lacks when a new grant brings it back. Answers whether there was anything to do.
    pub(crate) async fn replicas_follow_tables(
        &self,
        change: &mut Change,
        product: ProductId,
        product_name: &ProductName,
    ) -> Result<bool, Error> {
        let at = change.at();
        // Taken before their tables are: a sync that is done takes them in this order, too.
        sql!("update replica set revision = revision where product_id = $1 and state <> 'deleted'")
            .bind(product)
            .execute(change.tx())
            .await?;
        let replicas: Vec<Follower> = sql!(
            "select replica.id, state, cloud, region, keep_hours, replica.cut_id, cut.name as cut, replica.edition
             from replica join storage on storage.id = storage_id left join cut on cut.id = replica.cut_id
                 left join sync_job on sync_job.replica_id = replica.id
             where replica.product_id = $1 and state <> 'deleted' order by replica.id"
        )
        .bind(product)
        .all(change.tx())
        .await?;
        let mut any = false;
        for replica in replicas {
            let until = at.plus(replica.keep_hours.unwrap_or(usual::KEEP_HOURS) * HOUR);
            let ended = sql!(
                "update replica_table set state = 'draining', drain_until = $1, updated_at = $2,
                     reason = 'its table was taken out of the product'
                 where replica_id = $3 and state in ('pending', 'ready', 'diverged')
                     and table_id in (select id from product_table where product_id = $4 and removed_at is not null)"
            )
            .bind(until)
            .bind(at)
            .bind(replica.id)
            .bind(product)
            .execute(change.tx())
            .await?;
            let made = if replica.state == ReplicaState::Draining {
                Vec::new()
            } else {
                let cut = cut_of(replica.cut_id, replica.cut, replica.edition);
                self.replica_tables_ensure(
                    change,
                    replica.id,
                    (product, product_name),
                    cut.as_ref(),
                )
                .await?
            };
            if made.is_empty() && ended == 0 {
                continue;
            }
            any = true;
            if made.is_empty() {
                settle(change, replica.id).await?;
            } else {
                unsettle(change, replica.id).await?;
            }
            let location =
                Location::new(replica.cloud, &replica.region).map_err(Error::internal)?;
            for table in &made {
                change.wake(Wake::new(WorkKind::Sync, table).at(Some(location.clone())));
            }
            change.note(
                Operation::ReplicaReconcile,
                Object::new("replica", replica.id),
                json!({ "tables_added": made, "tables_ended": ended }),
            );
        }
        Ok(any)
    }

    /// Wakes replicas whose time is over. Finds those that have not the tables of their product, however that came about, and
    /// lets them follow: a table that was added while an approval made the replica was seen by neither.
    pub(crate) async fn replicas_resync(&self, principal: &Principal) -> Result<(), Error> {
        can(principal, Operation::ReplicaReconcile, &Scope::NONE)?;
        // Also tables whose own time is over, and those that were wanted again while somebody who then died erased them.
        let over = sql!(
            "select id from replica where (state = 'draining' and drain_until <= $1)
                 or exists (select 1 from replica_table where replica_id = replica.id and (replica_table.state = 'erasing'
                     or (replica_table.state = 'draining' and replica_table.drain_until <= $1)))"
        )
            .bind(self.now())
            .rows(self.db())
            .await?;
        for row in over {
            let wake = Wake::new(WorkKind::Replica, row.get::<ReplicaId>("id")?);
            jobs::ensure(self.db(), &wake, self.now()).await?;
        }
        self.replicas_bring_back(principal).await?;
        let behind = sql!(
            "select distinct product.id, product.name from replica join product on product.id = replica.product_id
                 join product_table on product_table.product_id = product.id
             where (removed_at is null and clone_refused_for is null and replica.state in ('pending', 'ready', 'diverged')
                     and (replica.cut_id is null or exists (select 1 from cut_table where cut_table.cut_id = replica.cut_id
                         and number = replica.edition and cut_table.table_id = product_table.id))
                     and not exists (
                     select 1 from replica_table where replica_id = replica.id and table_id = product_table.id
                         and replica_table.state not in ('draining', 'deleted')))
                 or (removed_at is not null and replica.state <> 'deleted' and exists (
                     select 1 from replica_table where replica_id = replica.id and table_id = product_table.id
                         and replica_table.state in ('pending', 'ready', 'diverged')))
             order by product.name limit $1"
        )
        .bind(MENDED)
        .rows(self.db())
        .await?;
        for row in behind {
            let (id, name) = (row.get("id")?, row.get("name")?);
            let mut change = self.change(principal).await?;
            if self.replicas_follow_tables(&mut change, id, &name).await? {
                change.commit().await?;
            }
        }
        Ok(())
    }
}

impl Exchange {
    /// A replica on its way out that a grant wants all the same, however that came about, comes back: what is wanted is never
    /// erased.
    async fn replicas_bring_back(&self, principal: &Principal) -> Result<(), Error> {
        let wanted = sql!(
            "select replica.id, product.id as product_id, product.name, storage.id as storage_id, replica.cut_id, cut.name as cut,
                 replica.edition
             from replica join product on product.id = replica.product_id join storage on storage.id = replica.storage_id
                 left join cut on cut.id = replica.cut_id
             where replica.state = 'draining' and product.state <> 'retired'
                 and (replica.cut_id is null or replica.edition = cut.edition) and exists (
                 select 1 from access_grant join recipient on recipient.id = access_grant.recipient_id
                 where access_grant.product_id = product.id and ",
            same_cut!("access_grant", "replica"),
            " and access_grant.mode = 'replica' and access_grant.desired = 'active'
                     and access_grant.until_at > $1 and recipient.cloud = storage.cloud and recipient.region = storage.region)
             order by replica.id limit $2"
        )
        .bind(self.now())
        .bind(MENDED)
        .rows(self.db())
        .await?;
        for row in wanted {
            let (id, product): (ReplicaId, ProductId) = (row.get("id")?, row.get("product_id")?);
            let name: ProductName = row.get("name")?;
            let mut change = self.change(principal).await?;
            let cut = cut_of(row.get("cut_id")?, row.get("cut")?, row.get("edition")?);
            let storage = row.get("storage_id")?;
            self.replica_ensure(&mut change, (product, &name), storage, cut.as_ref())
                .await?;
            // If that grant has ended meanwhile it goes on draining.
            self.replicas_drain_unused(&mut change, product).await?;
            change.note(
                Operation::ReplicaReconcile,
                Object::new("replica", id),
                json!({ "brought_back": true }),
            );
            change.commit().await?;
        }
        Ok(())
    }
}

/// Which readers of a replica are to learn that something has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readers {
    All,
    /// Those who wait for it.
    Waiting,
}

/// Wakes the grants that a product's replicas are read by. In one order whoever wakes them, so that two who do wait for each other
/// once and not crosswise.
pub(super) async fn wake_readers(
    change: &mut Change,
    product: ProductId,
    readers: Readers,
) -> Result<(), Error> {
    let rows = sql!(
        "select id from access_grant where product_id = $1 and mode = 'replica' and desired = 'active' and ($2 or actual <> 'active')
         order by id"
    )
    .bind(product)
    .bind(readers == Readers::All)
    .rows(change.tx())
    .await?;
    for row in rows {
        change.wake(Wake::new(WorkKind::Grant, row.get::<GrantId>("id")?));
    }
    Ok(())
}

/// A replica is ready once all tables that it follows are. One of a cut then takes the place of those of earlier editions.
pub(super) async fn settle(change: &mut Change, id: ReplicaId) -> Result<(), Error> {
    sql!("update replica set state = 'ready', reason = null, revision = revision + 1, updated_at = $1
          where id = $2 and state in ('pending', 'diverged') and not exists (
              select 1 from replica_table where replica_id = $2 and state not in ('ready', 'draining', 'deleted'))")
    .bind(change.at())
    .bind(id)
    .execute(change.tx())
    .await?;
    end_earlier(change, id).await
}

/// Some of its tables are still to come. What is there stays readable.
pub(super) async fn unsettle(change: &mut Change, id: ReplicaId) -> Result<(), Error> {
    sql!("update replica set state = 'pending', revision = revision + 1, updated_at = $1 where id = $2 and state = 'ready'")
        .bind(change.at())
        .bind(id)
        .execute(change.tx())
        .await?;
    Ok(())
}
