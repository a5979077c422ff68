//! A table of a few files without partitions, for the targets that are no matter of how a table changes.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use delta::{Budgets, Table, Written};
use model::Timestamp;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde_json::{Value, json};

use crate::actions::{self, File};
use crate::rows::{self, Row};
use crate::year::START;

pub(crate) struct Small {
    table: Table,
    version: u64,
    /// Bytes by number.
    sizes: HashMap<u32, u64>,
}

pub(crate) fn path_of(number: u32) -> String {
    format!("part-{number:07}.parquet")
}

/// Commits are a second apart.
pub(crate) fn time_of(version: u64) -> Timestamp {
    START.plus(version.cast_signed() * model::time::SECOND)
}

/// The first commit's actions.
pub(crate) fn beginning() -> [Value; 3] {
    [
        actions::info("CREATE TABLE", &json!({}), START),
        actions::protocol(false),
        actions::metadata(1, false, false, START),
    ]
}

impl Small {
    pub(crate) async fn create(objects: &Arc<dyn ObjectStore>) -> Result<Self> {
        let table = Table::new(Arc::clone(objects), Budgets::default());
        let body = actions::body(&beginning()).into();
        let written = table.write_commit(0, body).await?;
        ensure!(written == Written::Ours, "there is a table already");
        Ok(Self {
            table,
            version: 0,
            sizes: HashMap::new(),
        })
    }

    /// One commit: new files of so many rows each, and files that go.
    pub(crate) async fn change(
        &mut self,
        adds: Range<u32>,
        count: u64,
        removes: Range<u32>,
    ) -> Result<()> {
        self.version += 1;
        let at = time_of(self.version);
        let mut lines = vec![actions::info("WRITE", &json!({}), at)];
        for number in removes {
            let size = self.sizes.remove(&number).context("no such file")?;
            let path = path_of(number);
            let file = File {
                path: &path,
                partition: None,
                size,
            };
            lines.push(file.remove(at, true));
        }
        for number in adds {
            let first = u64::from(number) * count;
            let row = |id| Row { id, revision: 0 };
            let rows: Vec<Row> = (first..first + count).map(row).collect();
            let bytes = rows::file(&rows)?;
            let (path, size) = (path_of(number), bytes.len() as u64);
            let objects = self.table.objects();
            objects
                .put(&Path::from(path.as_str()), bytes.into())
                .await?;
            let file = File {
                path: &path,
                partition: None,
                size,
            };
            lines.push(file.add(&rows::stats(&rows), at, true));
            self.sizes.insert(number, size);
        }
        let body = actions::body(&lines).into();
        let written = self.table.write_commit(self.version, body).await?;
        ensure!(written == Written::Ours, "somebody else wrote it");
        Ok(())
    }
}
