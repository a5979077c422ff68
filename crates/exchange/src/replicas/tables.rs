//! The tables of a replica follow those of its product: each that can be cloned has one, from the change that adds it on.

use model::{Cloud, Location, ProductId, ProductName, ReplicaId, ReplicaTableId, TableId};
use serde_json::json;

use crate::audit::Object;
use crate::change::Change;
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
    cloud: Cloud,
    region: String,
}
from_row!(Follower { id, cloud, region });

impl Exchange {
    /// Makes the tables of a replica that its product has and it has not. Answers which.
    pub(crate) async fn replica_tables_ensure(
        &self,
        change: &mut Change,
        replica: ReplicaId,
        product: ProductId,
        product_name: &ProductName,
    ) -> Result<Vec<ReplicaTableId>, Error> {
        let at = change.at();
        let tables: Vec<SourceTable> = sql!(
            "select id, schema_name, name from product_table where product_id = $1 and refused_for is null order by schema_name, name"
        )
        .bind(product)
        .all(change.tx())
        .await?;
        let mut made = Vec::new();
        for table in tables {
            let id = ReplicaTableId::new(at);
            let path = format!("{product_name}/{}/{}", table.schema_name, table.name);
            let inserted = sql!(
                "insert into replica_table (id, replica_id, table_id, path, state, created_at, updated_at)
                  values ($1, $2, $3, $4, 'pending', $5, $5) on conflict (replica_id, table_id) do nothing"
            )
            .bind(id)
            .bind(replica)
            .bind(table.id)
            .bind(path)
            .bind(at)
            .execute(change.tx())
            .await?;
            if inserted == 1 {
                made.push(id);
            }
        }
        Ok(made)
    }

    /// Every replica of a product that somebody reads follows its tables as they are now; part of the change that changes
    /// them. One that drains gets what it lacks when a new grant brings it back. Answers whether there was anything to do.
    pub(crate) async fn replicas_follow_tables(
        &self,
        change: &mut Change,
        product: ProductId,
        product_name: &ProductName,
    ) -> Result<bool, Error> {
        let at = change.at();
        let replicas: Vec<Follower> = sql!(
            "select replica.id, cloud, region from replica join storage on storage.id = storage_id
             where product_id = $1 and state in ('pending', 'ready', 'diverged') order by replica.id"
        )
        .bind(product)
        .all(change.tx())
        .await?;
        let mut any = false;
        for replica in replicas {
            let made = self
                .replica_tables_ensure(change, replica.id, product, product_name)
                .await?;
            if made.is_empty() {
                continue;
            }
            any = true;
            // What is there stays readable; the whole is ready again when the new tables are.
            sql!("update replica set state = 'pending', revision = revision + 1, updated_at = $1 where id = $2 and state = 'ready'")
                .bind(at)
                .bind(replica.id)
                .execute(change.tx())
                .await?;
            let location =
                Location::new(replica.cloud, &replica.region).map_err(Error::internal)?;
            for table in &made {
                change.wake(Wake::new(WorkKind::Sync, table).at(Some(location.clone())));
            }
            change.note(
                Operation::ReplicaReconcile,
                Object::new("replica", replica.id),
                json!({ "tables_added": made }),
            );
        }
        Ok(any)
    }

    /// Wakes replicas whose time is over. Finds those that lack a table of their product, however that came about, and lets
    /// them follow: a table that was added while an approval made the replica was seen by neither.
    pub(crate) async fn replicas_resync(&self, principal: &Principal) -> Result<(), Error> {
        can(principal, Operation::ReplicaReconcile, &Scope::NONE)?;
        // Also those that a new grant brought back while somebody who then died was erasing them.
        let over = sql!(
            "select id from replica where (state = 'draining' and drain_until <= $1)
                 or exists (select 1 from replica_table where replica_id = replica.id and replica_table.state = 'erasing')"
        )
            .bind(self.now())
            .rows(self.db())
            .await?;
        for row in over {
            let wake = Wake::new(WorkKind::Replica, row.get::<ReplicaId>("id")?);
            jobs::ensure(self.db(), &wake, self.now()).await?;
        }
        let behind = sql!(
            "select distinct product.id, product.name from replica join product on product.id = replica.product_id
                 join product_table on product_table.product_id = product.id
             where replica.state in ('pending', 'ready', 'diverged') and refused_for is null and not exists (
                 select 1 from replica_table where replica_id = replica.id and table_id = product_table.id)
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
