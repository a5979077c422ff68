//! What an erasure comes to on each replica table, as the worker says that vacuums it, and the certificate once all have come to an
//! end.

use std::collections::BTreeMap;

use model::time::DAY;
use model::{
    Cloud, ErasureId, ErasureState, Location, Name, ProductName, ReplicaTableId, Timestamp,
};
use serde_json::{Map, Value, json};

use super::certificate;
use crate::audit::Object;
use crate::change::Change;
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::replicas::{RunStart, SyncTask};
use crate::{Exchange, from_row, sql};

/// What was deleted so long before the rows are said to be gone is named, too: a day is taken as its end, and the rows may have
/// gone from the replica on it.
const BEFORE: i64 = DAY;

/// An erasure that waits for a replica table.
#[derive(Clone, Debug)]
pub struct ErasureTask {
    pub erasure: ErasureId,
    pub at_once: bool,
    /// What this version of the replica and earlier ones removed is to go; None: the replica does not hold the source without the
    /// rows yet.
    pub upto: Option<u64>,
}

/// What is known of it.
struct TaskRow {
    erasure: ErasureId,
    at_once: bool,
    upto: Option<u64>,
    since_version: Option<u64>,
    source_version: Option<u64>,
    replica_version: Option<u64>,
    synced_since: bool,
}
from_row!(TaskRow {
    erasure,
    at_once,
    upto,
    since_version,
    source_version,
    replica_version,
    synced_since
});

/// What a worker has seen of a replica table.
#[derive(Clone, Debug)]
pub struct ErasureSeen {
    pub state: ErasureState,
    /// What it waits for, or why it is not provable.
    pub reasons: Vec<String>,
    /// What was counted, for the certificate: an object.
    pub facts: Value,
    /// How many versions the store lists of each key; None: it lists none.
    pub versions: Option<BTreeMap<String, u64>>,
}

/// A line of the ledger.
struct ObjectRow {
    object_key: String,
    byte_count: u64,
    etag: Option<String>,
    why: String,
    since_at: Timestamp,
    removal_version: Option<u64>,
    source_version: Option<u64>,
    source_at: Option<Timestamp>,
    deleted_at: Option<Timestamp>,
    not_found_at: Option<Timestamp>,
}
from_row!(ObjectRow {
    object_key,
    byte_count,
    etag,
    why,
    since_at,
    removal_version,
    source_version,
    source_at,
    deleted_at,
    not_found_at
});

/// What stands of a part in the certificate beside what was seen.
struct PlaceRow {
    storage: Name,
    cloud: Cloud,
    region: String,
    schema_name: Name,
    table_name: Name,
    path: String,
    product: ProductName,
    cut: Option<Name>,
    edition: Option<i64>,
}
from_row!(PlaceRow {
    storage,
    cloud,
    region,
    schema_name,
    table_name,
    path,
    product,
    cut,
    edition
});

impl Exchange {
    /// The erasures that wait for a replica table. Whoever asks holds a run of it.
    pub async fn erasure_tasks(
        &self,
        principal: &Principal,
        id: ReplicaTableId,
    ) -> Result<Vec<ErasureTask>, Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let rows: Vec<TaskRow> = sql!(
            "select erasure.id as erasure, at_once, upto, since_version, source_version, replica_version,
                    case when exists (select 1 from sync_run where sync_run.replica_table_id = replica_table.id and kind = 'sync'
                                          and sync_run.state = 'done' and started_at >= case
                                              when replica.state in ('pending', 'ready', 'diverged')
                                                  and replica_table.state in ('pending', 'ready', 'diverged') then requested_at
                                              else since_at end)
                              and level_at >= case
                                  when replica.state in ('pending', 'ready', 'diverged')
                                      and replica_table.state in ('pending', 'ready', 'diverged') then requested_at
                                  else since_at end
                         then true else false end as synced_since
             from erasure_part join erasure on erasure.id = erasure_id join replica_table on replica_table.id = replica_table_id
                 join replica on replica.id = replica_table.replica_id
             where replica_table_id = $1 and erasure_part.state = 'waiting' order by erasure.id"
        )
        .bind(id)
        .all(self.db())
        .await?;
        let mut tasks = Vec::new();
        for row in rows {
            // Only a sync that knew of the erasure wrote away what a deletion vector hides; where none comes any more, one since then will
            // do. One that brought a single version and left later ones behind may have brought one from before the rows went. A version alone does not say it: a source that was made anew begins to count anew, and the replica may still stand at
            // a higher one of the table that was there before.
            let is_reached =
                |wanted: u64| row.source_version.is_some_and(|version| version >= wanted);
            let holds_it = row.synced_since && row.since_version.is_none_or(is_reached);
            let mut upto = row.upto;
            if upto.is_none() && holds_it {
                upto = row.replica_version;
                sql!("update erasure_part set upto = $1 where erasure_id = $2 and replica_table_id = $3 and upto is null")
                    .bind(upto)
                    .bind(row.erasure)
                    .bind(id)
                    .execute(self.db())
                    .await?;
            }
            tasks.push(ErasureTask {
                erasure: row.erasure,
                at_once: row.at_once,
                upto,
            });
        }
        Ok(tasks)
    }

    /// What a worker saw of a replica table for an erasure. False: its run is a later attempt's.
    pub async fn erasure_seen(
        &self,
        principal: &Principal,
        task: &SyncTask,
        run: &RunStart,
        erasure: ErasureId,
        seen: &ErasureSeen,
    ) -> Result<bool, Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        if !self.run_holds(principal, run).await? {
            return Ok(false);
        }
        let id = task.replica_table_id;
        if seen.state == ErasureState::Waiting {
            sql!(
                "update erasure_part set reason = $1, updated_at = $2
                  where erasure_id = $3 and replica_table_id = $4 and state = 'waiting'"
            )
            .bind(seen.reasons.join("; "))
            .bind(self.now())
            .bind(erasure)
            .bind(id)
            .execute(self.db())
            .await?;
            return Ok(true);
        }
        let seed = self.erasure_seed().await?;
        let mut change = self.change(principal).await?;
        self.end_part(&mut change, erasure, id, seen).await?;
        self.erasure_issue(&mut change, erasure, &seed).await?;
        change.commit().await?;
        Ok(true)
    }

    /// Why erasures do not get on with a replica table.
    pub async fn erasures_failing(
        &self,
        principal: &Principal,
        id: ReplicaTableId,
        reason: &str,
    ) -> Result<(), Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        sql!("update erasure_part set reason = $1, updated_at = $2 where replica_table_id = $3 and state = 'waiting'")
            .bind(reason)
            .bind(self.now())
            .bind(id)
            .execute(self.db())
            .await?;
        Ok(())
    }

    /// The whole folder of a replica table was emptied: what waits for it has come to an end.
    pub async fn erasures_emptied(
        &self,
        principal: &Principal,
        id: ReplicaTableId,
        seen: &ErasureSeen,
    ) -> Result<(), Error> {
        can(principal, Operation::ReplicaReconcile, &Scope::NONE)?;
        let seed = self.erasure_seed().await?;
        for task in self.erasure_tasks(principal, id).await? {
            let mut change = self.change(principal).await?;
            self.end_part(&mut change, task.erasure, id, seen).await?;
            self.erasure_issue(&mut change, task.erasure, &seed).await?;
            change.commit().await?;
        }
        Ok(())
    }

    /// Ends a part with its statement.
    pub(super) async fn end_part(
        &self,
        change: &mut Change,
        erasure: ErasureId,
        id: ReplicaTableId,
        seen: &ErasureSeen,
    ) -> Result<(), Error> {
        let at = change.at();
        // Parts of one erasure may end at the same time: whoever comes second sees that it is the last.
        sql!("update erasure set state = state where id = $1 and certificate is null")
            .bind(erasure)
            .execute(change.tx())
            .await?;
        let rows: Vec<ObjectRow> = sql!(
            "select object_key, byte_count, etag, why, erased_object.since_at, removal_version, source_version, source_at, deleted_at,
                    not_found_at
             from erased_object join erasure on erasure.id = $1
             where replica_table_id = $2 and not_found_at is not null and meant_at >= erasure.since_at - $3
             order by not_found_at, object_key, erased_object.id"
        )
        .bind(erasure)
        .bind(id)
        .bind(BEFORE)
        .all(change.tx())
        .await?;
        let mut seen = seen.clone();
        let versions = seen.versions.as_ref();
        let listed = rows
            .iter()
            .filter(|row| versions.is_some_and(|all| all.contains_key(&row.object_key)));
        let listed = listed.count();
        if listed > 0 {
            seen.state = ErasureState::NotProvable;
            seen.reasons.push(format!(
                "the store still lists versions of {listed} objects that were deleted"
            ));
        }
        let objects = rows.len();
        let statement = self.statement_of(change, id, &seen, &rows).await?;
        let changed = sql!(
            "update erasure_part set state = $1, reason = $2, object_count = $3, statement = $4, updated_at = $5
             where erasure_id = $6 and replica_table_id = $7 and state = 'waiting'"
        )
        .bind(seen.state)
        .bind(Some(seen.reasons.join("; ")).filter(|reason| !reason.is_empty()))
        .bind(objects)
        .bind(statement.to_string())
        .bind(at)
        .bind(erasure)
        .bind(id)
        .execute(change.tx())
        .await?;
        if changed == 1 {
            change.note(
                Operation::SyncRunWrite,
                Object::new("erasure", erasure),
                json!({ "replica_table": id, "state": seen.state, "objects": objects }),
            );
        } else {
            change.note(
                Operation::SyncRunWrite,
                Object::new("erasure", erasure),
                json!({ "replica_table": id, "seen_again": true }),
            );
        }
        Ok(())
    }

    /// What the certificate says of a part: where, what was seen, and each object that was deleted since the rows are gone.
    async fn statement_of(
        &self,
        change: &mut Change,
        id: ReplicaTableId,
        seen: &ErasureSeen,
        rows: &[ObjectRow],
    ) -> Result<Value, Error> {
        let at = change.at();
        let place: Option<PlaceRow> = sql!(
            "select storage.name as storage, cloud, region, schema_name, product_table.name as table_name, replica_table.path,
                    product.name as product, cut.name as cut, replica.edition
             from replica_table join replica on replica.id = replica_table.replica_id join storage on storage.id = replica.storage_id
                 join product_table on product_table.id = replica_table.table_id join product on product.id = replica.product_id
                 left join cut on cut.id = replica.cut_id
             where replica_table.id = $1"
        )
        .bind(id)
        .first(change.tx())
        .await?;
        let place = place.ok_or(Error::NotFound("replica"))?;
        let objects: Vec<Value> = rows
            .iter()
            .map(|row| {
                let versions = seen.versions.as_ref();
                json!({
                    "path": row.object_key,
                    "size": row.byte_count,
                    "etag": row.etag,
                    "why": row.why,
                    "since": row.since_at,
                    "tombstone_version": row.removal_version,
                    "source_version": row.source_version,
                    "source_committed_at": row.source_at,
                    "deleted_at": row.deleted_at,
                    "head_status": 404,
                    "not_found_at": row.not_found_at,
                    "versions_listed": versions.map(|versions| versions.get(&row.object_key).copied().unwrap_or(0)),
                })
            })
            .collect();
        let location = Location::new(place.cloud, &place.region).map_err(Error::internal)?;
        let mut statement = json!({
            "product": place.product,
            "storage": place.storage,
            "location": location,
            "table": format!("{}.{}", place.schema_name, place.table_name),
            "path": place.path,
            "replica_table": id,
            "verdict": seen.state,
            "reasons": seen.reasons,
            "looked_at": at,
        });
        if let Some(cut) = place.cut {
            statement["cut"] = json!({ "name": cut, "edition": place.edition });
        }
        if let (Some(statement), Value::Object(facts)) = (statement.as_object_mut(), &seen.facts) {
            statement.extend(facts.clone());
        }
        statement["objects"] = objects.into();
        Ok(statement)
    }

    /// Issues the certificate if no part waits any more.
    pub(super) async fn erasure_issue(
        &self,
        change: &mut Change,
        id: ErasureId,
        seed: &[u8; 32],
    ) -> Result<(), Error> {
        let at = change.at();
        let rows = sql!("select state, statement from erasure_part where erasure_id = $1 order by replica_table_id")
            .bind(id)
            .rows(change.tx())
            .await?;
        let mut replicas = Vec::new();
        let mut state = ErasureState::Proven;
        for row in rows {
            match row.get::<ErasureState>("state")? {
                ErasureState::Waiting => return Ok(()),
                ErasureState::NotProvable => state = ErasureState::NotProvable,
                ErasureState::Proven => {}
            }
            let statement: Option<String> = row.get("statement")?;
            let statement = statement.unwrap_or_default();
            replicas.push(serde_json::from_str::<Value>(&statement).map_err(Error::internal)?);
        }
        let row = sql!(
            "select product.name as product, schema_name, product_table.name as table_name, since_version, since_at, at_once,
                    erasure.reason, actor, requested_at, certificate
             from erasure join product on product.id = erasure.product_id
                 left join product_table on product_table.id = erasure.table_id where erasure.id = $1"
        )
        .bind(id)
        .row(change.tx())
        .await?;
        let row = row.ok_or(Error::NotFound("erasure"))?;
        if row.get::<Option<String>>("certificate")?.is_some() {
            return Ok(());
        }
        let schema: Option<String> = row.get("schema_name")?;
        let table: Option<String> = row.get("table_name")?;
        let table = schema
            .zip(table)
            .map(|(schema, table)| format!("{schema}.{table}"));
        let mut document = Map::new();
        for (name, value) in [
            ("format", json!(certificate::FORMAT)),
            ("installation", json!(self.options().public_url)),
            ("erasure", json!(id)),
            ("product", json!(row.get::<String>("product")?)),
            ("table", json!(table)),
            (
                "gone_since_version",
                json!(row.get::<Option<u64>>("since_version")?),
            ),
            ("gone_since", json!(row.get::<Timestamp>("since_at")?)),
            ("at_once", json!(row.get::<bool>("at_once")?)),
            ("reason", json!(row.get::<String>("reason")?)),
            ("requested_by", json!(row.get::<String>("actor")?)),
            ("requested_at", json!(row.get::<Timestamp>("requested_at")?)),
            ("issued_at", json!(at)),
            ("verdict", json!(state)),
            ("replicas", Value::Array(replicas)),
        ] {
            document.insert(name.to_owned(), value);
        }
        let text = certificate::seal(document.into(), seed).map_err(Error::internal)?;
        let checked = certificate::check(&text, None).map_err(Error::internal)?;
        sql!("update erasure set state = $1, issued_at = $2, head = $3, certificate = $4 where id = $5 and certificate is null")
            .bind(state)
            .bind(at)
            .bind(&checked.head)
            .bind(&text)
            .bind(id)
            .execute(change.tx())
            .await?;
        change.note(
            Operation::ErasureCertificate,
            Object::new("erasure", id),
            json!({ "state": state, "head": checked.head, "objects": checked.objects, "replicas": checked.replicas }),
        );
        Ok(())
    }
}
