//! Sync runs as people look at them: what was planned, copied, received and deleted, newest first.

use model::SyncRunId;
use model::dto::SyncRun;

use crate::db::{DbError, FromRow, Row};
use crate::error::Error;
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::storages::location;
use crate::{Exchange, sql};

impl FromRow for SyncRun {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.get("id")?,
            kind: row.get("kind")?,
            product: row.get("product")?,
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
            bytes_copied: row.get("bytes_copied")?,
            bytes_full: row.get("bytes_full")?,
            bytes_received: row.get("bytes_received")?,
            files_deleted: row.get("files_deleted")?,
            bytes_deleted: row.get("bytes_deleted")?,
            error: row.get("error")?,
            started_at: row.get("started_at")?,
            finished_at: row.get("finished_at")?,
            busy_micros: row.get("busy_micros")?,
        })
    }
}

/// The runs of products that the caller may see: $1 whether all, $2 the caller, $3 the one team of a token.
macro_rules! visible_runs {
    () => {
        "select sync_run.id, kind, product.name as product, schema_name, product_table.name as table_name,
                storage.name as storage, storage.cloud, storage.region, sync_run.state, attempt, from_version, to_version,
                sync_run.replica_version, files_planned, bytes_planned, files_copied, bytes_copied, bytes_full, bytes_received,
                files_deleted, bytes_deleted, error, started_at, finished_at, busy_micros
         from sync_run join replica_table on replica_table.id = replica_table_id join replica on replica.id = replica_id
             join product on product.id = sync_run.product_id join product_table on product_table.id = table_id
             join storage on storage.id = replica.storage_id
         where (product.state <> 'draft' or $1 or team_id = $3
                or team_id in (select team_member.team_id from team_member where person_id = $2))"
    };
}

impl Exchange {
    /// Runs, newest first; of one product when `product` is given.
    pub async fn sync_runs(
        &self,
        principal: &Principal,
        product: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<SyncRun>, Error> {
        can(principal, Operation::SyncRunList, &Scope::NONE)?;
        let before: Option<SyncRunId> = page.parse_after()?;
        let (person, team) = principal.scope();
        let rows: Vec<SyncRun> = sql!(
            visible_runs!(),
            " and (sync_run.id < $4 or $4 is null) and (product.name = $5 or cast($5 as text) is null)
             order by sync_run.id desc limit $6"
        )
        .bind(principal.sees_all())
        .bind(person)
        .bind(team)
        .bind(before)
        .bind(product)
        .bind(page.fetch())
        .all(self.db())
        .await?;
        Ok(page.cut(rows, |row| row.id.to_string()))
    }

    pub async fn sync_run(&self, principal: &Principal, id: SyncRunId) -> Result<SyncRun, Error> {
        can(principal, Operation::SyncRunRead, &Scope::NONE)?;
        let (person, team) = principal.scope();
        sql!(visible_runs!(), " and sync_run.id = $4")
            .bind(principal.sees_all())
            .bind(person)
            .bind(team)
            .bind(id)
            .first(self.db())
            .await?
            .ok_or(Error::NotFound("sync run"))
    }
}
