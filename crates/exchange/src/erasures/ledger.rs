//! The ledger of objects that are deleted from replicas: a line before, and the same line filled in after. What nobody filled in,
//! because the process died, is looked at again.

use model::time::DAY;
use model::{ErasedObjectId, ReplicaTableId, Timestamp};

use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, sql};

/// So long the lines are kept; certificates keep theirs for ever.
const KEPT: i64 = 400 * DAY;

/// How many open lines one look takes.
const MOST: i64 = 10_000;

/// An object that is about to be deleted.
#[derive(Clone, Debug)]
pub struct ErasedNew {
    /// Relative to the replica table's folder.
    pub key: String,
    pub size: u64,
    pub etag: Option<String>,
    /// `removed`, `orphan`, `history` or `ended`.
    pub why: &'static str,
    /// When it was removed from the replica; of others the store's time of it.
    pub since: Timestamp,
    /// The replica's version that removed it, the source's that it holds, and when that was committed.
    pub removal: Option<(u64, u64, Timestamp)>,
}

/// An object that was deleted.
#[derive(Clone, Debug)]
pub struct ErasedGone {
    pub key: String,
    pub deleted_at: Timestamp,
    /// When the store said that there is no such object; None: it said that there is one.
    pub not_found_at: Option<Timestamp>,
}

impl Exchange {
    /// Objects are about to be deleted from a replica table's folder.
    pub async fn erased_mean(
        &self,
        principal: &Principal,
        id: ReplicaTableId,
        objects: &[ErasedNew],
    ) -> Result<(), Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let now = self.now();
        let mut tx = self.db().begin().await?;
        for object in objects {
            // Meant before, and then not done.
            sql!("delete from erased_object where replica_table_id = $1 and object_key = $2 and not_found_at is null")
                .bind(id)
                .bind(&object.key)
                .execute(&mut tx)
                .await?;
            let (removal, source, at) = match object.removal {
                Some((removal, source, at)) => (Some(removal), Some(source), Some(at)),
                None => (None, None, None),
            };
            sql!("insert into erased_object (id, replica_table_id, object_key, byte_count, etag, why, since_at, removal_version,
                      source_version, source_at, meant_at)
                  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)")
            .bind(ErasedObjectId::new(now))
            .bind(id)
            .bind(&object.key)
            .bind(object.size)
            .bind(object.etag.as_deref())
            .bind(object.why)
            .bind(object.since)
            .bind(removal)
            .bind(source)
            .bind(at)
            .bind(now)
            .execute(&mut tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// They were deleted.
    pub async fn erased_gone(
        &self,
        principal: &Principal,
        id: ReplicaTableId,
        objects: &[ErasedGone],
    ) -> Result<(), Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let mut tx = self.db().begin().await?;
        for object in objects {
            sql!(
                "update erased_object set deleted_at = $1, not_found_at = $2
                  where replica_table_id = $3 and object_key = $4 and not_found_at is null"
            )
            .bind(object.deleted_at)
            .bind(object.not_found_at)
            .bind(id)
            .bind(&object.key)
            .execute(&mut tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Objects of which it is not known whether they were deleted.
    pub async fn erased_open(
        &self,
        principal: &Principal,
        id: ReplicaTableId,
    ) -> Result<Vec<String>, Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let rows = sql!(
            "select object_key from erased_object where replica_table_id = $1 and not_found_at is null
             order by meant_at, id limit $2"
        )
        .bind(id)
        .bind(MOST)
        .rows(self.db())
        .await?;
        rows.iter()
            .map(|row| row.get("object_key").map_err(Error::from))
            .collect()
    }

    /// Forgets lines that are old.
    pub async fn erased_sweep(&self, principal: &Principal) -> Result<(), Error> {
        can(principal, Operation::WorkRun, &Scope::NONE)?;
        sql!("delete from erased_object where meant_at < $1")
            .bind(self.now().plus(-KEPT))
            .execute(self.db())
            .await?;
        Ok(())
    }
}
