//! Sync runs as people look at them: what was planned, copied, received and deleted, newest first.

use model::dto::{RunStep, SyncRun};
use model::{Role, SyncRunId, TeamId};

use super::sight::{Sight, visible_replicas};
use crate::db::{DbError, FromRow, Row};
use crate::error::Error;
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::storages::location;
use crate::{Exchange, from_row, sql};

from_row!(RunStep { state, at });

/// A run, and whose product it is of.
pub(super) struct RunRecord {
    run: SyncRun,
    team_id: TeamId,
    personal: bool,
}

impl RunRecord {
    /// What rules look at, save who reads the replica.
    pub(super) fn owned(&self) -> Scope {
        Scope {
            personal: self.personal,
            ..Scope::owner(self.team_id)
        }
    }

    /// As the caller may see it, who may see it.
    fn shown(self, principal: &Principal) -> SyncRun {
        Sight::of_run(principal, &self).run(self.run)
    }
}

impl FromRow for RunRecord {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        let (received, copied): (u64, u64) = (row.get("bytes_received")?, row.get("bytes_copied")?);
        let how: Option<String> = row.get("how")?;
        let run = SyncRun {
            id: row.get("id")?,
            kind: row.get("kind")?,
            product: row.get("product")?,
            cut: row.get("cut")?,
            schema: row.get("schema_name")?,
            table: row.get("table_name")?,
            to: row.get("storage")?,
            to_location: location(row)?,
            state: row.get("state")?,
            attempt: row.get("attempt")?,
            from_version: row.get("from_version")?,
            to_version: row.get("to_version")?,
            replica_version: row.get("replica_version")?,
            files_planned: row.get("files_planned")?,
            bytes_planned: row.get("bytes_planned")?,
            files_copied: row.get("files_copied")?,
            bytes_copied: copied,
            bytes_full: row.get("bytes_full")?,
            bytes_received: received,
            bytes_unused: received.saturating_sub(copied),
            files_deleted: row.get("files_deleted")?,
            bytes_deleted: row.get("bytes_deleted")?,
            adopted_files: row.get("adopted_files")?,
            adopted_bytes: row.get("adopted_bytes")?,
            error: row.get("error")?,
            started_at: row.get("started_at")?,
            finished_at: row.get("finished_at")?,
            busy_micros: row.get("busy_micros")?,
            how: how.and_then(|how| serde_json::from_str(&how).ok()),
            steps: Vec::new(),
        };
        Ok(Self {
            run,
            team_id: row.get("team_id")?,
            personal: row.get("personal")?,
        })
    }
}

/// The runs of replicas that the caller may see; the parameters to $5 are those of [`visible_replicas`].
macro_rules! visible_runs {
    () => {
        concat!(
            "select sync_run.id, kind, product.name as product, cut.name as cut, schema_name, product_table.name as table_name,
                storage.name as storage, storage.cloud, storage.region, sync_run.state, attempt, from_version, to_version,
                sync_run.replica_version, files_planned, bytes_planned, files_copied, bytes_copied, bytes_full, bytes_received,
                files_deleted, bytes_deleted, coalesce(taken_files, 0) as adopted_files,
                coalesce(taken_bytes, 0) as adopted_bytes, error, started_at, finished_at, busy_micros, how, product.team_id,
                case when classification = 'personal' then true else false end as personal
         from sync_run join replica_table on replica_table.id = replica_table_id join replica on replica.id = replica_id
             join product on product.id = sync_run.product_id join product_table on product_table.id = table_id
             join storage on storage.id = replica.storage_id left join cut on cut.id = replica.cut_id left join adoption on done_run = sync_run.id
         where ",
            visible_replicas!()
        )
    };
}

impl Exchange {
    /// Runs of replicas that the caller may see, newest first; of one product when `product` is given.
    pub async fn sync_runs(
        &self,
        principal: &Principal,
        product: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<SyncRun>, Error> {
        can(principal, Operation::SyncRunList, &Scope::NONE)?;
        self.filter_by(principal, product).await?;
        let before: Option<SyncRunId> = page.parse_after()?;
        let (person, team) = principal.scope();
        let rows: Vec<RunRecord> = sql!(
            visible_runs!(),
            " and (sync_run.id < $6 or $6 is null) and (product.name = $7 or cast($7 as text) is null)
             order by sync_run.id desc limit $8"
        )
        .bind(principal.sees_all())
        .bind(person)
        .bind(team)
        .bind(principal.has(Role::DataProtection))
        .bind(self.now())
        .bind(before)
        .bind(product)
        .bind(page.fetch())
        .all(self.db())
        .await?;
        let page = page.cut(rows, |row| row.run.id.to_string());
        let shown = page.items.into_iter().map(|row| row.shown(principal));
        Ok(Page {
            items: shown.collect(),
            next: page.next,
        })
    }

    /// One run, with the states that it came into.
    pub async fn sync_run(&self, principal: &Principal, id: SyncRunId) -> Result<SyncRun, Error> {
        can(principal, Operation::SyncRunList, &Scope::NONE)?;
        let (person, team) = principal.scope();
        let record: Option<RunRecord> = sql!(visible_runs!(), " and sync_run.id = $6")
            .bind(principal.sees_all())
            .bind(person)
            .bind(team)
            .bind(principal.has(Role::DataProtection))
            .bind(self.now())
            .bind(id)
            .first(self.db())
            .await?;
        let record = record.ok_or(Error::NotFound("sync run"))?;
        let mut run = record.shown(principal);
        run.steps = sql!("select state, at from run_step where run_id = $1 order by seq")
            .bind(id)
            .all(self.db())
            .await?;
        Ok(run)
    }
}
