//! Tables for the tests, written by our own writer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use delta::write::arrow::array::{Int64Array, StringArray};
use delta::write::arrow::record_batch::RecordBatch;
use delta::write::arrow_schema::{DataType, Field, Schema};
use delta::write::{NewTable, Writer};
use exchange::ports::StorageAccess;
use model::{StorageId, Timestamp};
use storage::{Cause, Meter, MeterKey};

use super::{World, aws};

impl World {
    /// A `file:` storage, to write tables with.
    pub(super) fn access(&self, storage: &str) -> StorageAccess {
        StorageAccess {
            id: StorageId::new(Timestamp::from_micros(0)),
            name: storage.parse().unwrap(),
            location: aws(),
            url: format!("file://{}", self.root(storage).display()),
            endpoint: None,
            credential: None,
            replicas: false,
        }
    }

    /// Makes a table of some files in `aws_eu`.
    pub(super) async fn write(&self, path: &str, files: &[&[RecordBatch]]) {
        self.write_at(&self.access("aws_eu"), path, files).await;
    }

    pub(super) async fn write_at(
        &self,
        access: &StorageAccess,
        path: &str,
        files: &[&[RecordBatch]],
    ) {
        let at = self.lake.table(access, path, &meter()).unwrap();
        let new = NewTable {
            name: None,
            description: None,
            schema: Arc::new(schema()),
            partition_columns: Vec::new(),
            configuration: BTreeMap::new(),
        };
        let mut time = self.exchange.now().plus(-90 * model::time::DAY);
        let mut writer = Writer::create(at.table, 1, time, new).await.unwrap();
        for rows in files {
            time = time.plus(20 * model::time::DAY);
            writer.append(time, rows).await.unwrap();
        }
    }

    /// Appends one more file.
    pub(super) async fn append(&self, path: &str, rows: &[RecordBatch]) {
        let at = self
            .lake
            .table(&self.access("aws_eu"), path, &meter())
            .unwrap();
        let mut writer = Writer::open(at.table, 1).await.unwrap();
        writer.append(self.exchange.now(), rows).await.unwrap();
    }
}

pub(super) fn meter() -> Meter {
    Meter::new(MeterKey {
        product: None,
        table: None,
        cause: Cause::Operation("test"),
        purpose: model::Purpose::Sync,
    })
}

fn schema() -> Schema {
    Schema::new(vec![
        Field::new("visit_id", DataType::Int64, true),
        Field::new("note", DataType::Utf8, true),
    ])
}

/// Rows that compress badly.
pub(super) fn rows(first: i64, count: i64) -> RecordBatch {
    let ids: Vec<i64> = (first..first + count).collect();
    let notes: Vec<String> = ids
        .iter()
        .map(|id| {
            let mixed = (*id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            format!("{:016x}", mixed ^ (mixed >> 29))
        })
        .collect();
    RecordBatch::try_new(
        Arc::new(schema()),
        vec![
            Arc::new(Int64Array::from(ids)),
            Arc::new(StringArray::from(notes)),
        ],
    )
    .unwrap()
}

/// The data files below a table's folder, by size.
pub(super) fn data_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "parquet"))
        .collect();
    files.sort_by_key(|path| path.metadata().unwrap().len());
    files
}
