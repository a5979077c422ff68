//! Reads tables before they are registered and when they are refreshed: contained, within budgets, and not for ever.

use std::time::Duration;

use async_trait::async_trait;
use exchange::ports::{Problem, StorageAccess, TableInspector};
use model::Purpose;
use model::dto::{Column, Inspection};
use object_store::ObjectStore;
use storage::{Cause, Meter, MeterKey, check_relative};

use super::reads::{Folder, Reads};
use super::stores::{Lake, problem_of_log, problem_of_store};

/// A person waits for the answer, and a request ends after a minute.
const LONGEST: Duration = Duration::from_secs(45);

/// [`TableInspector`] over the lake.
#[derive(Clone)]
pub struct Inspector {
    lake: Lake,
    reads: Reads,
    longest: Duration,
}

impl Inspector {
    pub fn new(lake: Lake, reads: Reads) -> Self {
        Self {
            lake,
            reads,
            longest: LONGEST,
        }
    }

    /// Not for longer than a person waits, and with what it reads written down.
    async fn in_time<T>(
        &self,
        what: &str,
        (meter, storage, folder): (&Meter, &StorageAccess, Option<Folder<'_>>),
        work: impl Future<Output = Result<T, delta::LogError>>,
    ) -> Result<T, Problem> {
        let limited = tokio::time::timeout(self.longest, work);
        let reads = &self.reads;
        match reads
            .noting(meter, &storage.location, folder, limited)
            .await
        {
            Ok(done) => done.map_err(problem_of_log),
            Err(_) => Err(Problem {
                sentence: format!(
                    "{what} took longer than {} seconds and was given up. Try again; if the store is slow or the table's log \
                     is long, write a checkpoint first.",
                    self.longest.as_secs()
                ),
                transient: true,
                ..Problem::new("")
            }),
        }
    }
}

fn meter(operation: &'static str) -> Meter {
    Meter::new(MeterKey {
        product: None,
        table: None,
        cause: Cause::Operation(operation),
        purpose: Purpose::Inspect,
    })
}

#[async_trait]
impl TableInspector for Inspector {
    async fn inspect(&self, storage: &StorageAccess, path: &str) -> Result<Inspection, Problem> {
        let meter = meter("table.inspect");
        let at = self.lake.table(storage, path, &meter)?;
        let read = (&meter, storage, Some((storage.id, path)));
        let found = self
            .in_time("Reading the table's log", read, delta::inspect(&at.table))
            .await?;
        Ok(Inspection {
            version: found.version,
            committed_at: found.timestamp,
            columns: found.columns.into_iter().map(column).collect(),
            partition_columns: found.partition_columns,
            schema_text: Some(found.schema_text),
            rows: found.rows,
            files: found.files,
            bytes: found.bytes,
            recent_bytes: found.recent_bytes,
            features: found.features.into_iter().collect(),
            refused_for: found.support.refused_for().map(str::to_owned),
            clone_refused_for: found.support.clone_refused_for().map(str::to_owned),
            change_data_feed: found.change_data_feed,
            lineage: Some(found.lineage),
            alike: Vec::new(),
        })
    }

    async fn latest(&self, storage: &StorageAccess, path: &str) -> Result<u64, Problem> {
        let meter = meter("table.latest");
        let at = self.lake.table(storage, path, &meter)?;
        let found = self
            .in_time(
                "Looking for the table's newest version",
                (&meter, storage, Some((storage.id, path))),
                at.table.latest_version(),
            )
            .await?;
        found.ok_or_else(|| problem_of_log(delta::LogError::NotATable))
    }

    async fn scan(&self, storage: &StorageAccess, prefix: &str) -> Result<Vec<String>, Problem> {
        let meter = meter("storage.scan");
        let store = self.lake.open(storage, &meter)?;
        let prefix = check_relative(prefix).map_err(problem_of_store)?;
        let objects: std::sync::Arc<dyn ObjectStore> = store.objects();
        let found = self
            .in_time(
                "Looking for tables",
                (&meter, storage, None),
                delta::scan(&objects, &prefix),
            )
            .await?;
        Ok(found.into_iter().map(String::from).collect())
    }
}

fn column(column: delta::Column) -> Column {
    Column {
        name: column.name,
        type_text: column.type_text,
        nullable: column.nullable,
        comment: column.comment,
    }
}
