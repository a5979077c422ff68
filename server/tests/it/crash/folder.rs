//! The crash test's folder: the source table, what lies below, and a copy of it all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use delta::write::arrow::array::{Int64Array, RecordBatch, StringArray};
use delta::write::arrow_schema::{DataType, Field, Schema};
use delta::write::{NewTable, Writer};
use model::Timestamp;
use model::time::HOUR;
use object_store::local::LocalFileSystem;

/// Relative paths with sizes; the log's commits by name alone, because they hold ids and times.
pub(super) fn files_below(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let entry = entry.unwrap();
            let path = entry.path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            if path.is_dir() {
                folders.push(path);
            } else if name.contains("_delta_log") || name.contains("_entrepot") {
                found.insert(name);
            } else if !name.contains(".entrepot-staging") {
                found.insert(format!("{name} {}", entry.metadata().unwrap().len()));
            }
        }
    }
    found
}

/// The source tables: what stands there before the stage of that name.
pub(super) async fn source(folder: &Path, stage: &str) {
    let root = folder.join("aws_eu/visits");
    std::fs::create_dir_all(&root).unwrap();
    std::fs::create_dir_all(folder.join("az_weu")).unwrap();
    let objects = Arc::new(LocalFileSystem::new_with_prefix(&root).unwrap());
    let table = delta::Table::new(objects, delta::Budgets::default());
    let schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("country", DataType::Utf8, true),
    ]));
    let rows = |from: i64, country: &str| {
        let ids: Vec<i64> = (from..from + 200).collect();
        let countries = vec![country; ids.len()];
        RecordBatch::try_new(
            schema.clone(),
            vec![
                Arc::new(Int64Array::from(ids)),
                Arc::new(StringArray::from(countries)),
            ],
        )
        .unwrap()
    };
    match stage {
        "declare" => {
            let at = Timestamp::parse("2026-06-01T07:00:00Z").unwrap();
            plans(folder, at).await;
            let new = NewTable {
                name: None,
                description: None,
                schema: schema.clone(),
                partition_columns: vec!["country".into()],
                configuration: BTreeMap::new(),
            };
            let mut writer = Writer::create(table, 7, at, new).await.unwrap();
            for (step, country) in ["de", "fr", "it"].iter().enumerate() {
                let step = i64::try_from(step).unwrap();
                writer
                    .append(at.plus(step * HOUR / 10), &[rows(step * 1_000, country)])
                    .await
                    .unwrap();
            }
        }
        "again" => {
            let at = Timestamp::parse("2026-06-02T07:00:00Z").unwrap();
            let mut writer = Writer::open(table, 11).await.unwrap();
            writer.append(at, &[rows(9_000, "es")]).await.unwrap();
            // Copy on write: the files of two countries are written anew without the deleted rows.
            writer
                .delete_where(at.plus(HOUR), |batch| {
                    let ids = batch.column_by_name("id").unwrap();
                    let ids = ids.as_any().downcast_ref::<Int64Array>().unwrap();
                    Ok(ids
                        .iter()
                        .map(|id| id.map(|id| id % 1_000 >= 5 || id >= 2_000))
                        .collect())
                })
                .await
                .unwrap();
        }
        _ => {}
    }
}

/// The table of a product that nobody asks for: a row in a commit.
async fn plans(folder: &Path, at: Timestamp) {
    let root = folder.join("aws_eu/plans");
    std::fs::create_dir_all(&root).unwrap();
    let objects = Arc::new(LocalFileSystem::new_with_prefix(&root).unwrap());
    let table = delta::Table::new(objects, delta::Budgets::default());
    let plan = Field::new("plan", DataType::Utf8, true);
    let schema = Arc::new(Schema::new(vec![plan]));
    let new = NewTable {
        name: None,
        description: None,
        schema: schema.clone(),
        partition_columns: Vec::new(),
        configuration: BTreeMap::new(),
    };
    let mut writer = Writer::create(table, 13, at, new).await.unwrap();
    let rows = RecordBatch::try_new(schema, vec![Arc::new(StringArray::from(vec!["oil"]))]);
    writer.append(at, &[rows.unwrap()]).await.unwrap();
}

/// One more commit at the source, unless there is one after `version` already.
pub(super) async fn commit_after(folder: &Path, version: u64) {
    let objects = Arc::new(LocalFileSystem::new_with_prefix(folder.join("aws_eu/visits")).unwrap());
    let table = delta::Table::new(objects, delta::Budgets::default());
    if table.latest_version().await.unwrap() > Some(version) {
        return;
    }
    let mut writer = Writer::open(table, version).await.unwrap();
    let at = Timestamp::parse("2026-06-03T07:00:00Z").unwrap();
    let rows = RecordBatch::try_new(
        writer.schema().clone(),
        vec![
            Arc::new(Int64Array::from(vec![i64::try_from(version).unwrap()])),
            Arc::new(StringArray::from(vec!["at"])),
        ],
    );
    writer.append(at, &[rows.unwrap()]).await.unwrap();
}

/// Copies a folder; the stage before which it was taken can be played again on it.
pub(super) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}
