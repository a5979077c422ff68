//! The source's writer: two tables with the same rows in the same files, one with a change feed and one without. The data files are
//! written here, the commits as JSON by put-if-absent, every tenth with a checkpoint by the library; files that were removed go
//! after a week, as VACUUM does by default.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use delta::{Budgets, Table, Written};
use model::Timestamp;
use model::time::DAY;
use object_store::local::LocalFileSystem;
use serde_json::{Value, json};

use crate::actions::{self, File};
use crate::rows::{self, Changed, ROW_BYTES, Row};

pub(crate) const WITH_FEED: &str = "with-feed";
pub(crate) const WITHOUT_FEED: &str = "without-feed";

const CHECKPOINT_EVERY: u64 = 10;
/// How long removed files stay.
const RETENTION: i64 = 7 * DAY;

pub(crate) struct DataFile {
    pub(crate) partition: u32,
    pub(crate) rows: Vec<Row>,
    path: String,
    size: u64,
}

/// A commit to be made.
pub(crate) struct Change {
    pub(crate) operation: &'static str,
    pub(crate) parameters: Value,
    /// Rows changed, and not only where they lie.
    pub(crate) is_change: bool,
    pub(crate) removes: Vec<u64>,
    /// By partition.
    pub(crate) adds: Vec<(u32, Vec<Row>)>,
    pub(crate) feed: BTreeMap<u32, Vec<Changed>>,
}

/// Bytes that were written.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wrote {
    pub(crate) data: u64,
    pub(crate) feed: u64,
    /// What is not values in the files of the change feed.
    pub(crate) feed_framing: u64,
}

pub(crate) struct Source {
    folder: PathBuf,
    tables: [(&'static str, Table); 2],
    version: u64,
    /// By number, in the order they were written.
    files: BTreeMap<u64, DataFile>,
    next: u64,
    gone: VecDeque<(Timestamp, String)>,
    pub(crate) wrote: Wrote,
}

fn value_of(partition: u32) -> String {
    format!("{partition:03}")
}

impl Source {
    pub(crate) async fn create(folder: &Path, at: Timestamp) -> Result<Self> {
        let table = |name: &'static str| -> Result<(&'static str, Table)> {
            let place = folder.join(name);
            std::fs::create_dir_all(&place)?;
            let objects = LocalFileSystem::new_with_prefix(&place)?;
            Ok((name, Table::new(Arc::new(objects), Budgets::default())))
        };
        let source = Self {
            folder: folder.to_owned(),
            tables: [table(WITH_FEED)?, table(WITHOUT_FEED)?],
            version: 0,
            files: BTreeMap::new(),
            next: 0,
            gone: VecDeque::new(),
            wrote: Wrote::default(),
        };
        for (number, (name, table)) in (1..).zip(&source.tables) {
            let has_feed = *name == WITH_FEED;
            let actions = [
                actions::info("CREATE TABLE", &json!({}), at),
                actions::protocol(has_feed),
                actions::metadata(number, true, has_feed, at),
            ];
            let written = table
                .write_commit(0, actions::body(&actions).into())
                .await?;
            ensure!(written == Written::Ours, "{name} is there already");
        }
        Ok(source)
    }

    pub(crate) fn files(&self) -> &BTreeMap<u64, DataFile> {
        &self.files
    }

    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    /// Bytes of all live files.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.size).sum()
    }

    /// Read where it lies: nothing of it is counted.
    pub(crate) fn table(&self, name: &str) -> Result<&Table> {
        let found = self.tables.iter().find(|(table, _)| *table == name);
        found.map(|(_, table)| table).context("no such table")
    }

    fn put(&self, name: &str, path: &str, bytes: &[u8]) -> Result<()> {
        let file = self.folder.join(name).join(path);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&file, bytes).with_context(|| format!("write {}", file.display()))
    }

    pub(crate) async fn commit(&mut self, at: Timestamp, change: Change) -> Result<()> {
        let mut actions = vec![actions::info(change.operation, &change.parameters, at)];
        for number in change.removes {
            let file = self.files.remove(&number).context("no such file")?;
            let value = value_of(file.partition);
            let told = File {
                path: &file.path,
                partition: Some(&value),
                size: file.size,
            };
            actions.push(told.remove(at, change.is_change));
            self.gone.push_back((at, file.path));
        }
        for (partition, rows) in change.adds {
            let value = value_of(partition);
            let path = format!("p={value}/part-{:07}.parquet", self.next);
            let bytes = rows::file(&rows)?;
            for name in [WITH_FEED, WITHOUT_FEED] {
                self.put(name, &path, &bytes)?;
            }
            let size = bytes.len() as u64;
            self.wrote.data += size;
            let told = File {
                path: &path,
                partition: Some(&value),
                size,
            };
            actions.push(told.add(&rows::stats(&rows), at, change.is_change));
            let file = DataFile {
                partition,
                rows,
                path,
                size,
            };
            self.files.insert(self.next, file);
            self.next += 1;
        }
        let mut feed = Vec::new();
        for (partition, changed) in change.feed {
            let value = value_of(partition);
            let path = format!("_change_data/p={value}/cdc-{:07}.parquet", self.next);
            self.next += 1;
            let bytes = rows::feed(&changed)?;
            self.put(WITH_FEED, &path, &bytes)?;
            let size = bytes.len() as u64;
            let values: u64 = changed
                .iter()
                .map(|changed| ROW_BYTES + 4 + changed.kind.len() as u64)
                .sum();
            self.wrote.feed += size;
            self.wrote.feed_framing += size.saturating_sub(values);
            let told = File {
                path: &path,
                partition: Some(&value),
                size,
            };
            feed.push(told.cdc());
            self.gone.push_back((at, path));
        }
        self.version += 1;
        for (name, table) in &self.tables {
            let feed = if *name == WITH_FEED { &feed[..] } else { &[] };
            let body = actions::body(actions.iter().chain(feed));
            let written = table.write_commit(self.version, body.into()).await?;
            ensure!(
                written == Written::Ours,
                "somebody else wrote version {}",
                self.version
            );
            if self.version.is_multiple_of(CHECKPOINT_EVERY) {
                let snapshot = table.snapshot(Some(self.version)).await?;
                table.write_checkpoint(&snapshot).await?;
            }
        }
        Ok(())
    }

    /// Deletes what was removed, or fed, longer ago than the retention.
    pub(crate) fn vacuum(&mut self, now: Timestamp) -> Result<()> {
        let is_over = |(at, _): &(Timestamp, String)| now.since(*at) > RETENTION;
        while self.gone.front().is_some_and(is_over) {
            let Some((_, path)) = self.gone.pop_front() else {
                break;
            };
            for name in [WITH_FEED, WITHOUT_FEED] {
                let file = self.folder.join(name).join(&path);
                match std::fs::remove_file(&file) {
                    // The feed's files are on one side only.
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        return Err(error).with_context(|| format!("remove {}", file.display()));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}
