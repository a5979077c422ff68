//! Naming a copy of a table that lies in a replica's storage already, so that the first sync takes over what is the same. It is named
//! before that sync, or before there is a replica: then it waits for one.

use model::dto::{AdoptedCopy, AdoptionNew};
use model::{Cloud, Location, Name, ProductName, ReplicaTableId, Route, SyncRunId, Timestamp};
use serde_json::json;

use super::crossing::is_beside;
use super::{RunStart, SyncTask};
use crate::audit::Object;
use crate::catalog::{TableRecord, check_path, overlaps};
use crate::change::Change;
use crate::error::{Check, Error};
use crate::jobs::{Wake, WorkKind};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::ports::{Adoptable, Foreseen};
use crate::principal::Principal;
use crate::storages::StorageRecord;
use crate::{Exchange, from_row, sql};

const TOO_LATE: &str = "It came too late: the replica's first copy was made without it. Nothing of it was used; later syncs only move what is new.";

struct AdoptionRow {
    product: ProductName,
    schema_name: Name,
    table_name: Name,
    storage: Name,
    cloud: Cloud,
    region: String,
    adopt_path: String,
    by_ends: bool,
    planned_files: u64,
    planned_bytes: u64,
    to_read_bytes: u64,
    fetch_bytes: u64,
    asked_at: Timestamp,
    done_at: Option<Timestamp>,
    done_run: Option<SyncRunId>,
    taken_files: u64,
    taken_bytes: u64,
    outcome: Option<String>,
}
from_row!(AdoptionRow {
    product,
    schema_name,
    table_name,
    storage,
    cloud,
    region,
    adopt_path,
    by_ends,
    planned_files,
    planned_bytes,
    to_read_bytes,
    fetch_bytes,
    asked_at,
    done_at,
    done_run,
    taken_files,
    taken_bytes,
    outcome
});

/// What the first sync made of a named copy.
#[derive(Clone, Debug, Default)]
pub struct AdoptionOutcome {
    pub taken_files: u64,
    pub taken_bytes: u64,
    /// That turned out to be something else, that somebody changed meanwhile, that the storage did not read or copy.
    pub differing: u64,
    pub changed: u64,
    pub refused: u64,
}

impl AdoptionOutcome {
    fn sentence(&self, level: u64) -> String {
        let mut text = format!(
            "{} objects were taken over within the storage.",
            self.taken_files
        );
        for (count, said) in [
            (self.differing, "turned out to be something else"),
            (self.changed, "were changed by somebody meanwhile"),
            (self.refused, "could not be read or copied in the storage"),
        ] {
            if count > 0 {
                text.push_str(&format!(" {count} {said}, and were fetched."));
            }
        }
        text.push_str(match level {
            3 => " Every row is compared with the source's now.",
            _ => {
                " Every object is checked now. Rows are compared by `entrepot verify --level 3`; no worker stands beside the source, so \
                 that it would be fetched for that."
            }
        });
        text
    }
}

impl Exchange {
    /// The copies that were named for replicas of products that the caller looks after, the newest first.
    pub async fn adoptions(&self, principal: &Principal) -> Result<Vec<AdoptedCopy>, Error> {
        can(principal, Operation::AdoptionList, &Scope::NONE)?;
        let (person, team) = principal.scope();
        let rows: Vec<AdoptionRow> = sql!(
            "select product.name as product, schema_name, product_table.name as table_name, storage.name as storage, cloud, region,
                    adopt_path, by_ends, planned_files, planned_bytes, to_read_bytes, fetch_bytes, asked_at, done_at, done_run,
                    taken_files, taken_bytes, outcome
             from adoption join product_table on product_table.id = adopted_table
                 join product on product.id = product_table.product_id join storage on storage.id = into_storage
             where $1 or product.team_id = $3
                 or product.team_id in (select team_member.team_id from team_member where person_id = $2)
             order by asked_at desc, product.name, schema_name, product_table.name, storage.name limit 1000"
        )
        .bind(principal.sees_all())
        .bind(person)
        .bind(team)
        .all(self.db())
        .await?;
        rows.into_iter().map(shown).collect()
    }

    /// Names a copy, or takes that back where the path is empty. The copy is looked at first: what is none of this table, or somebody
    /// else's, is refused, and nothing is written.
    pub async fn adoption_set(
        &self,
        principal: &Principal,
        new: AdoptionNew,
    ) -> Result<Vec<AdoptedCopy>, Error> {
        let product = self
            .product_for(principal, Operation::AdoptionSet, new.product.trim())
            .await?;
        let mut check = Check::new();
        let tables = self.tables_of(self.db(), product.id).await?;
        let table = one_table(&mut check, &tables, new.table.as_deref());
        let storage = self.storage_by_name(new.storage.trim()).await?;
        match &storage {
            None => check.fail("storage", "there is no such storage"),
            Some(storage) if !storage.replicas => {
                check.fail(
                    "storage",
                    "no replicas are made in this storage; name the one that the replica is in",
                );
            }
            Some(_) => {}
        }
        let is_taken_back = new.path.trim().is_empty();
        let path = match is_taken_back {
            true => None,
            false => check_path(&mut check, "path", new.path.trim()),
        };
        check.done()?;
        let (Some(table), Some(storage)) = (table, storage) else {
            return Err(Error::internal("a form without mistakes lacks something"));
        };
        let replica_table = self.replica_table_in(table, &storage).await?;
        let found = match &path {
            Some(path) => {
                let why = self.copy_unnameable(principal, product.team_id, &storage);
                if let Some(why) = why.await? {
                    return Err(Error::invalid("storage", why));
                }
                let made_in = self.replica_storage_at(&storage.location).await?;
                if replica_table.is_none() && made_in.is_some_and(|id| id != storage.id) {
                    return Err(Error::invalid(
                        "storage",
                        format!(
                            "replicas in {} are made in another storage, the first by name; a copy is taken over where the replica is made",
                            storage.location
                        ),
                    ));
                }
                let usage = self.storage_usage(storage.id).await?;
                if usage.paths().any(|used| overlaps(used, path)) {
                    return Err(Error::invalid(
                        "path",
                        "this folder is a replica's or a registered table's, lies in one or holds one; name a folder with a copy that \
                         nobody has registered",
                    ));
                }
                self.adoptable(table, &storage, replica_table, path, new.by_ends)
                    .await?
            }
            None => (Adoptable::default(), 0),
        };
        let mut change = self.change(principal).await?;
        let at = change.at();
        match &path {
            None => {
                sql!("delete from adoption where adopted_table = $1 and into_storage = $2 and done_at is null")
                    .bind(table.id)
                    .bind(storage.id)
                    .execute(change.tx())
                    .await?;
            }
            Some(path) => {
                let (found, fetch) = &found;
                sql!(
                    "insert into adoption (adopted_table, into_storage, adopt_path, by_ends, planned_files, planned_bytes,
                         to_read_bytes, fetch_bytes, asked_at)
                     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                     on conflict (adopted_table, into_storage) do update set adopt_path = excluded.adopt_path,
                         by_ends = excluded.by_ends, planned_files = excluded.planned_files,
                         planned_bytes = excluded.planned_bytes, to_read_bytes = excluded.to_read_bytes,
                         fetch_bytes = excluded.fetch_bytes, asked_at = excluded.asked_at, done_at = null, done_run = null,
                         taken_files = 0, taken_bytes = 0, outcome = null"
                )
                .bind(table.id)
                .bind(storage.id)
                .bind(path)
                .bind(new.by_ends)
                .bind(found.files)
                .bind(found.bytes)
                .bind(found.to_read_bytes)
                .bind(*fetch)
                .bind(at)
                .execute(change.tx())
                .await?;
                if let Some((id, _)) = replica_table {
                    let wake = Wake::new(WorkKind::Sync, id);
                    change.wake(wake.at(Some(storage.location.clone())));
                }
            }
        }
        change.note(
            Operation::AdoptionSet,
            Object::new("product", product.id),
            json!({ "table": table.id, "storage": storage.name, "path": path, "by_ends": new.by_ends }),
        );
        change.commit().await?;
        self.adoptions(principal).await
    }

    /// The table's replica in a storage, and the version that it holds. Not one of a cut: a copy of all is none of a part.
    async fn replica_table_in(
        &self,
        table: &TableRecord,
        storage: &StorageRecord,
    ) -> Result<Option<(ReplicaTableId, Option<u64>)>, Error> {
        let row = sql!(
            "select replica_table.id, replica_version from replica_table join replica on replica.id = replica_id
             where table_id = $1 and storage_id = $2 and replica.cut_id is null and replica.state <> 'deleted'
                 and replica_table.state <> 'deleted'"
        )
        .bind(table.id)
        .bind(storage.id)
        .row(self.db())
        .await?;
        let found = row.map(|row| Ok::<_, Error>((row.get("id")?, row.get("replica_version")?)));
        found.transpose()
    }

    /// What of the folder serves, and what would have to be fetched all the same, as the first sync would plan it.
    async fn adoptable(
        &self,
        table: &TableRecord,
        storage: &StorageRecord,
        replica_table: Option<(ReplicaTableId, Option<u64>)>,
        path: &str,
        by_ends: bool,
    ) -> Result<(Adoptable, u64), Error> {
        if replica_table.is_some_and(|(_, version)| version.is_some()) {
            return Err(Error::conflict(
                "the replica has its first copy already; a copy is adopted by the first sync, and later ones only move what is new",
            ));
        }
        let task = match replica_table {
            Some((id, _)) => self.sync_task(&Principal::system(), id).await?,
            None => self.task_to_be(table.id, storage.id).await?,
        };
        let mut task = task.ok_or(Error::NotFound("replica"))?;
        task.adopt_path = Some(path.to_owned());
        task.adopt_by_ends = Some(by_ends);
        let route = Route {
            from: task.from_location()?,
            to: task.to_location()?,
        };
        let beside = is_beside(&route, &self.worker_places().await?);
        let found = match self.foresee(&task, beside, self.now()).await {
            Ok(found) => found,
            Err(Error::Unavailable(sentence)) => return Err(Error::invalid("path", sentence)),
            Err(error) => return Err(error),
        };
        let (adopted, fetch) = match found {
            Foreseen::Work(found) => (found.adopted.unwrap_or_default(), found.run.bytes),
            Foreseen::Nothing { .. } => (Adoptable::default(), 0),
        };
        if adopted.files == 0 && adopted.perhaps_files == 0 {
            let why = match adopted.why {
                Some(why) => format!("none of its files can be taken: {why}"),
                None => "this is no copy of the table: no file in it has the name and size, or the content, of one of the table's; name the \
                         folder that holds the copied files themselves"
                    .to_owned(),
            };
            return Err(Error::invalid("path", why));
        }
        Ok((adopted, fetch))
    }

    /// The first sync has used a named copy. What it made of it is noted once, and checked as closely as can be without fetching the
    /// source for it.
    pub async fn adoption_done(
        &self,
        principal: &Principal,
        task: &SyncTask,
        run: &RunStart,
        outcome: &AdoptionOutcome,
    ) -> Result<(), Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let (from, to) = (task.from_location()?, task.to_location()?);
        let workers = self.worker_places().await?;
        // Who does not say where they stand count as standing beside what they read.
        let is_near = from == to
            || workers.is_empty()
            || workers
                .iter()
                .any(|worker| worker.at.as_ref().is_none_or(|at| *at == from));
        let level: u64 = if is_near { 3 } else { 2 };
        let mut change = self.change(principal).await?;
        let at = change.at();
        let changed = sql!(
            "update adoption set done_at = $1, done_run = $2, taken_files = $3, taken_bytes = $4, outcome = $5
             where adopted_table = $6 and into_storage = $7 and adopt_path = $8 and done_at is null"
        )
        .bind(at)
        .bind(run.id)
        .bind(outcome.taken_files)
        .bind(outcome.taken_bytes)
        .bind(outcome.sentence(level))
        .bind(task.table_id)
        .bind(task.target_storage)
        // Another may have been named meanwhile, of which this says nothing.
        .bind(task.adopt_path.as_deref())
        .execute(change.tx())
        .await?;
        if changed == 0 {
            return Ok(());
        }
        let wake = Wake::new(WorkKind::Verify, task.replica_table_id);
        change.wake(wake.at(Some(to)).with(json!({ "level": level })));
        change.note(
            Operation::SyncRunWrite,
            Object::new("sync_run", run.id),
            json!({ "adopted_files": outcome.taken_files, "adopted_bytes": outcome.taken_bytes }),
        );
        change.commit().await
    }
}

/// A sync is done, and what it made of a named copy is noted: one that is named for this replica still was named while the first sync ran,
/// which did not know of it.
pub(super) async fn too_late(change: &mut Change, task: &SyncTask) -> Result<(), Error> {
    if task.cut_id.is_some() {
        return Ok(());
    }
    sql!(
        "update adoption set done_at = $1, outcome = $2
         where adopted_table = $3 and into_storage = $4 and done_at is null
             and exists (select 1 from replica_table where id = $5 and replica_version is not null)"
    )
    .bind(change.at())
    .bind(TOO_LATE)
    .bind(task.table_id)
    .bind(task.target_storage)
    .bind(task.replica_table_id)
    .execute(change.tx())
    .await?;
    Ok(())
}

/// The table that is named, or the only one.
pub(crate) fn one_table<'a>(
    check: &mut Check,
    tables: &'a [TableRecord],
    named: Option<&str>,
) -> Option<&'a TableRecord> {
    let named = named.map(str::trim).filter(|name| !name.is_empty());
    let found = match (named, tables) {
        (None, [only]) => Some(only),
        (None, _) => {
            check.fail(
                "table",
                "the product has several tables; say which one, as schema.name",
            );
            return None;
        }
        (Some(named), _) => tables
            .iter()
            .find(|table| format!("{}.{}", table.schema, table.name) == named),
    };
    if found.is_none() {
        check.fail(
            "table",
            "the product has no such table; write it as schema.name",
        );
    }
    found
}

fn shown(row: AdoptionRow) -> Result<AdoptedCopy, Error> {
    Ok(AdoptedCopy {
        location: Location::new(row.cloud, &row.region).map_err(Error::internal)?,
        product: row.product,
        schema: row.schema_name,
        table: row.table_name,
        storage: row.storage,
        path: row.adopt_path,
        by_ends: row.by_ends,
        files: row.planned_files,
        bytes: row.planned_bytes,
        to_read_bytes: row.to_read_bytes,
        fetch_bytes: row.fetch_bytes,
        asked_at: row.asked_at,
        done_at: row.done_at,
        run: row.done_run,
        taken_files: row.taken_files,
        taken_bytes: row.taken_bytes,
        outcome: row.outcome,
    })
}
