//! A cut's editions: writing one, and letting the replicas follow.

use model::{CutId, ProductName, ReplicaId, ReplicaState, StorageId};

use super::agreed::Schemas;
use super::{Content, CutRecord, CutRef};
use crate::catalog::ProductRecord;
use crate::change::Change;
use crate::error::Error;
use crate::jobs::{Wake, WorkKind};
use crate::ports::Sealed;
use crate::storages::hold_storages;
use crate::{Exchange, from_row, sql};

/// A replica of an edition that another one follows.
struct Standing {
    id: ReplicaId,
    storage_id: StorageId,
    state: ReplicaState,
    edition: i64,
}
from_row!(Standing {
    id,
    storage_id,
    state,
    edition
});

impl Exchange {
    /// Writes an edition; part of the caller's change.
    pub(super) async fn edition_store(
        &self,
        change: &mut Change,
        (cut, number): (CutId, i64),
        why: &str,
        key: &Sealed,
        (content, agreed): (&Content, &Schemas),
    ) -> Result<(), Error> {
        let at = change.at();
        sql!("insert into cut_edition (cut_id, number, why, key_sealed, key_id, created_at) values ($1, $2, $3, $4, $5, $6)")
            .bind(cut)
            .bind(number)
            .bind(why)
            .bind(key.bytes.clone())
            .bind(&key.key_id)
            .bind(at)
            .execute(change.tx())
            .await?;
        for (table, narrowing) in content {
            let text = serde_json::to_string(narrowing).map_err(Error::internal)?;
            sql!("insert into cut_table (cut_id, number, table_id, narrowing, agreed) values ($1, $2, $3, $4, $5)")
                .bind(cut)
                .bind(number)
                .bind(*table)
                .bind(text)
                .bind(agreed.get(table).map(String::as_str))
                .execute(change.tx())
                .await?;
        }
        Ok(())
    }

    /// Writes the next edition and makes a replica of it wherever there is one of the edition before. That one is read until the new
    /// one stands, unless it holds nothing yet or `at_once` says otherwise.
    pub(super) async fn edition_follow(
        &self,
        change: &mut Change,
        product: &ProductRecord,
        record: &CutRecord,
        (number, why): (i64, &str),
        (content, agreed): (&Content, &Schemas),
        at_once: bool,
    ) -> Result<(), Error> {
        hold_storages(change).await?;
        let key = self.cut_key_new(record.id, number)?;
        self.edition_store(change, (record.id, number), why, &key, (content, agreed))
            .await?;
        let newest = CutRef {
            edition: number,
            ..record.newest()
        };
        // Taken before grants and tables are looked at, as everybody does who works on replicas.
        let standing: Vec<Standing> = sql!(
            "update replica set revision = revision where cut_id = $1 and state in ('pending', 'ready', 'diverged')
             returning id, storage_id, state, edition"
        )
        .bind(record.id)
        .all(change.tx())
        .await?;
        self.replicas_made(change, (product.id, &product.name), &newest, &standing)
            .await?;
        for old in &standing {
            if at_once || old.state != ReplicaState::Ready {
                self.replica_supersede(change, old.id, at_once).await?;
            }
        }
        for grant in
            sql!("select id from access_grant where cut_id = $1 and desired = 'active' order by id")
                .bind(record.id)
                .rows(change.tx())
                .await?
        {
            change.wake(Wake::new(
                WorkKind::Grant,
                grant.get::<model::GrantId>("id")?,
            ));
        }
        Ok(())
    }

    async fn replicas_made(
        &self,
        change: &mut Change,
        (product, name): (model::ProductId, &ProductName),
        newest: &CutRef,
        standing: &[Standing],
    ) -> Result<(), Error> {
        let mut storages: Vec<StorageId> = standing
            .iter()
            .filter(|old| old.edition < newest.edition)
            .map(|old| old.storage_id)
            .collect();
        storages.sort();
        storages.dedup();
        for storage in storages {
            self.replica_ensure(change, (product, name), storage, Some(newest))
                .await?;
        }
        Ok(())
    }
}
