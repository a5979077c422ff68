//! Reading the logs of a product's tables again: when somebody asks, when a sync has seen a new version, and every so often.

use model::dto::{Inspection, ProductDetail};
use model::time::{DAY, MINUTE};
use model::{ProductId, ProductState, Timestamp};
use serde_json::json;

use super::tables::{note_inspection, note_problem};
use super::{ProductRecord, TableRecord};
use crate::audit::Object;
use crate::db::Tx;
use crate::error::Error;
use crate::jobs::{self, Wake, WorkKind};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::ports::Problem;
use crate::principal::Principal;
use crate::{Exchange, sql};

/// How often [`Exchange::refreshes_tick`] is to be called; microseconds.
pub const REFRESH_TICK: i64 = MINUTE;

/// A table whose version has not moved is read whole again after this long all the same: it may have been made anew.
const WHOLE_AFTER: i64 = DAY;

impl Exchange {
    /// Reads the logs of all its tables again. What cannot be read is kept as it was read before, with the problem. The
    /// revision stays: nobody's form grows stale by it.
    pub async fn product_refresh(
        &self,
        principal: &Principal,
        name: &str,
    ) -> Result<ProductDetail, Error> {
        let record = self
            .product_for(principal, Operation::ProductRefresh, name)
            .await?;
        if record.state == ProductState::Retired {
            return Err(Error::conflict(
                "the product is retired; its tables are not read any more",
            ));
        }
        let tables = self.tables_of(self.db(), record.id).await?;
        self.read_again(principal, &record, tables).await?;
        self.product_shown(principal, record.name.as_str()).await
    }

    /// The same for a worker that was woken for it, and only where there is something new: a table that stands at the version
    /// that is known is not read. What is no longer in the catalog is left alone.
    pub async fn product_refresh_for_system(
        &self,
        principal: &Principal,
        id: ProductId,
    ) -> Result<(), Error> {
        let Some(record) = self.product_by_id(self.db(), id).await? else {
            return Ok(());
        };
        can(principal, Operation::ProductRefresh, &record.scope())?;
        if !principal.is_system() {
            return Err(Error::NotFound("product"));
        }
        if record.state == ProductState::Retired {
            return Ok(());
        }
        let mut moved = Vec::new();
        for table in self.tables_of(self.db(), id).await? {
            if self.may_have_moved(&table).await? {
                moved.push(table);
            }
        }
        if moved.is_empty() {
            return Ok(());
        }
        self.read_again(principal, &record, moved).await
    }

    async fn may_have_moved(&self, table: &TableRecord) -> Result<bool, Error> {
        let since = self.now().plus(-WHOLE_AFTER);
        let is_known = table.problem.is_none() && table.inspected_at.is_some_and(|at| at > since);
        if !is_known {
            return Ok(true);
        }
        let access = self.storage_access(table.storage_id).await?;
        let latest = self.ports().inspector.latest(&access, &table.path).await;
        // Why it cannot be read is found out by reading.
        Ok(latest.ok() != table.version)
    }

    async fn read_again(
        &self,
        principal: &Principal,
        record: &ProductRecord,
        tables: Vec<TableRecord>,
    ) -> Result<(), Error> {
        let mut questions = Vec::with_capacity(tables.len());
        for table in &tables {
            questions.push((
                self.storage_access(table.storage_id).await?,
                table.path.clone(),
            ));
        }
        let found = self.inspect_all(principal, questions).await;
        let found: Vec<_> = tables.iter().zip(found).collect();
        let is_news = found.iter().any(|(table, found)| differs(table, found));
        if principal.is_system() && !is_news {
            // Seeing the same again is no event: only the time moves.
            let (now, mut tx) = (self.now(), self.db().begin().await?);
            note_all(&mut tx, now, &found).await?;
            tx.commit().await?;
            return Ok(());
        }
        let mut change = self.change(principal).await?;
        let at = change.at();
        note_all(change.tx(), at, &found).await?;
        let usable_changed = found.iter().any(|(table, found)| {
            let usable = found.as_ref().ok().map(usable);
            usable.is_some_and(|usable| usable != (table.is_usable(), table.is_cloneable()))
        });
        if usable_changed && record.state == ProductState::Published {
            // What can be shared and cloned from now on, or no longer.
            self.users_follow(&mut change, record.id, &record.name)
                .await?;
        }
        self.rebuild_terms(&mut change, record.id).await?;
        change.note(
            Operation::ProductRefresh,
            Object::new("product", &record.name),
            found
                .iter()
                .map(|(table, found)| said(table, found))
                .collect(),
        );
        change.commit().await
    }

    /// Wakes the refresh of published products that are due, only so many at a time that a whole round takes the period: a
    /// hundred products that were registered at once are not read at once, now or ever after.
    pub async fn refreshes_tick(&self, principal: &Principal) -> Result<(), Error> {
        can(principal, Operation::WorkRun, &Scope::NONE)?;
        let every = self.options().refresh_every;
        if every <= 0 {
            return Ok(());
        }
        let now = self.now();
        let row = sql!("select count(*) as count from product where state = 'published'")
            .row(self.db())
            .await?;
        let count: i64 = row.map(|row| row.get("count")).transpose()?.unwrap_or(0);
        let share = (count.saturating_mul(REFRESH_TICK) + every - 1) / every;
        let due = sql!(
            "select id from product where state = 'published' and (refresh_at is null or refresh_at <= $1)
             order by coalesce(refresh_at, 0), id limit $2"
        )
        .bind(now)
        .bind(share.max(1))
        .rows(self.db())
        .await?;
        for row in due {
            let id: ProductId = row.get("id")?;
            let mut tx = self.db().begin().await?;
            // Two processes tick at once: only the one that moves the due date wakes the work.
            let moved = sql!(
                "update product set refresh_at = $1 where id = $2 and (refresh_at is null or refresh_at <= $3)"
            )
            .bind(now.plus(every))
            .bind(id)
            .bind(now)
            .execute(&mut tx)
            .await?;
            if moved == 1 {
                jobs::ensure(&mut tx, &Wake::new(WorkKind::Refresh, id), now).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }
}

type Found<'a> = (&'a TableRecord, Result<Inspection, Problem>);

/// Writes what the logs said, or why they could not be read.
async fn note_all(tx: &mut Tx, at: Timestamp, found: &[Found<'_>]) -> Result<(), Error> {
    for (table, found) in found {
        match found {
            Ok(found) => {
                let (storage, path) = (table.storage_id, &table.path);
                note_inspection(tx, at, table.id, storage, path, found).await?;
            }
            Err(problem) => note_problem(tx, at, table.id, problem).await?,
        }
    }
    Ok(())
}

/// Whether a table can be shared, and whether it can be cloned.
fn usable(found: &Inspection) -> (bool, bool) {
    (
        found.refused_for.is_none(),
        found.not_cloned_for().is_none(),
    )
}

/// For the audit log.
fn said(table: &TableRecord, found: &Result<Inspection, Problem>) -> serde_json::Value {
    let name = format!("{}.{}", table.schema, table.name);
    match found {
        Ok(found) => json!({ "table": name, "version": found.version }),
        Err(problem) => {
            json!({ "table": name, "problem": problem.sentence, "escape": problem.escape })
        }
    }
}

/// Whether a log says something else than when it was last read.
fn differs(table: &TableRecord, found: &Result<Inspection, Problem>) -> bool {
    match found {
        Err(problem) => table.problem.as_deref() != Some(problem.sentence.as_str()),
        Ok(found) => {
            table.problem.is_some()
                || table.version != Some(found.version)
                || table.committed_at != Some(found.committed_at)
                || (table.rows, table.files, table.bytes)
                    != (found.rows, Some(found.files), Some(found.bytes))
                || table.columns != found.columns
                || table.partition_columns != found.partition_columns
                || table.features != found.features
                || table.refused_for != found.refused_for
                || table.clone_refused_for.as_deref() != found.not_cloned_for()
        }
    }
}
