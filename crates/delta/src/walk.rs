//! A log read through, commit by commit, in little memory: of each file only what tells it from others and how large it is is
//! kept. For reckoning over a history; the state itself, with all that the log says, is the business of [`Table::snapshot`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::ops::RangeInclusive;

use futures::future::try_join_all;
use indexmap::IndexMap;
use model::Timestamp;
use serde_json::Value;

use crate::actions::{Action, AddFile, FileKey, Metadata, Protocol};
use crate::budgets::{count, within};
use crate::changes::at_once;
use crate::checkpoint::Checkpoint;
use crate::contain::shown;
use crate::listing::Plan;
use crate::replay::commit_time;
use crate::table::modified;
use crate::vectors::end_of as end_of_vector;
use crate::{History, LogError, Table};

/// The most checkpoints that are passed over when they turn out to be broken.
const TRIED_CHECKPOINTS: usize = 3;

/// Makes numbers of names. They mean something within one [`History`] only; nobody outside can choose two names with one number.
#[derive(Debug, Default)]
pub(crate) struct Names([RandomState; 2]);

impl Names {
    fn of(&self, what: &impl Hash) -> u128 {
        let [high, low] = self.0.each_ref().map(|state| state.hash_one(what));
        (u128::from(high) << 64) | u128::from(low)
    }
}

/// A file of the table, as far as reckoning needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedFile {
    /// Stands for the path as the log gives it and the deletion vector.
    pub id: u128,
    /// Stands for the object: two files may name one.
    pub object: u128,
    /// Bytes.
    pub size: u64,
    /// Milliseconds since the epoch, as the log says.
    pub modified: i64,
    /// Rows that are there; `None` where the statistics do not say.
    pub rows: Option<u64>,
    /// Stands for the partition's values.
    pub partition: u128,
    /// Some of its rows are deleted by a vector.
    pub has_vector: bool,
    /// The object that holds the vector; `None` for none and for one in the log itself.
    pub vector: Option<LoggedVector>,
}

/// The object of a deletion vector, which may serve many files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedVector {
    /// Stands for the object.
    pub object: u128,
    /// Where the file's vector ends in it: the log does not say how large the object is.
    pub end: u64,
}

/// A file of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoggedFeed {
    /// As [`LoggedFile::partition`].
    pub partition: u128,
    /// Bytes.
    pub size: u64,
}

/// What one commit did.
#[derive(Clone, Debug, Default)]
pub struct Logged {
    pub version: u64,
    /// As [`crate::Snapshot::timestamp`].
    pub timestamp: Timestamp,
    /// Modification time of the commit's object.
    pub modified: Timestamp,
    /// What the writer calls what it did.
    pub operation: Option<String>,
    pub protocol: Option<Protocol>,
    pub metadata: Option<Metadata>,
    /// Of a file that one commit names twice, the last word counts.
    pub adds: Vec<LoggedFile>,
    /// [`LoggedFile::id`] of the files that were taken out.
    pub removes: Vec<u128>,
    /// [`LoggedFile::id`] of those files, added or taken out, of which it is said that no row changed.
    pub unchanged: Vec<u128>,
    pub feeds: Vec<LoggedFeed>,
    /// Of the commit's object.
    pub bytes: u64,
    /// A vector is named by an absolute path.
    pub has_absolute: bool,
}

/// The state that a walk begins with.
#[derive(Clone, Debug)]
pub struct Begun {
    pub version: u64,
    /// As [`crate::Snapshot::timestamp`].
    pub timestamp: Timestamp,
    pub protocol: Protocol,
    pub metadata: Metadata,
    pub files: Vec<LoggedFile>,
}

/// What replaying keeps.
#[derive(Default)]
struct State {
    files: HashMap<u128, LoggedFile>,
    protocol: Option<Protocol>,
    metadata: Option<Metadata>,
    at: Option<Timestamp>,
}

impl State {
    fn take(&mut self, logged: Logged) {
        for id in &logged.removes {
            self.files.remove(id);
        }
        self.files
            .extend(logged.adds.into_iter().map(|file| (file.id, file)));
        self.protocol = logged.protocol.or(self.protocol.take());
        self.metadata = logged.metadata.or(self.metadata.take());
        self.at = Some(logged.timestamp);
    }
}

fn file(names: &Names, add: &AddFile) -> LoggedFile {
    let key: &str = add.key.as_ref();
    let vector = add
        .deletion_vector
        .as_ref()
        .zip(add.deletion_vector_key.as_ref());
    LoggedFile {
        id: id(names, &add.file_key()),
        object: names.of(&key),
        size: add.size,
        modified: add.modification_time,
        rows: add.live_rows(),
        partition: partition(names, &add.partition_values),
        has_vector: add.deletion_vector.is_some(),
        vector: vector.map(|(vector, key)| {
            let key: &str = key.as_ref();
            LoggedVector {
                object: names.of(&key),
                end: end_of_vector(vector),
            }
        }),
    }
}

/// The protocol has no empty partition value: empty text means null.
fn partition(names: &Names, values: &BTreeMap<String, Option<String>>) -> u128 {
    let given = values.iter().filter_map(|(column, value)| {
        let value = value.as_deref().filter(|value| !value.is_empty())?;
        Some((column.as_str(), value))
    });
    names.of(&given.collect::<Vec<_>>())
}

fn is_absolute(vector: Option<&Value>) -> bool {
    vector.is_some_and(|vector| vector["storageType"] == "p")
}

fn id(names: &Names, key: &FileKey) -> u128 {
    names.of(&(key.path.as_str(), key.dv.as_deref()))
}

impl Table {
    /// The state at version `at`, to walk on from.
    ///
    /// # Errors
    /// As [`Table::snapshot`].
    pub async fn begin(&self, history: &History, at: u64) -> Result<Begun, LogError> {
        let mut skip = BTreeSet::new();
        loop {
            let plan = history.listing.plan(Some(at), &skip)?;
            match self.begin_by(history, &plan).await {
                Err(LogError::BrokenCheckpoint { version, .. })
                    if skip.len() < TRIED_CHECKPOINTS && skip.insert(version) => {}
                begun => return begun,
            }
        }
    }

    async fn begin_by(&self, history: &History, plan: &Plan) -> Result<Begun, LogError> {
        let mut state = State::default();
        let mut spent = 0;
        if let Some((version, files)) = &plan.checkpoint {
            state.at = files.iter().map(modified).max();
            let limit = self.budgets().files;
            let mut each = |action: Action| -> Result<(), LogError> {
                match action {
                    Action::Add(add) => {
                        let file = file(&history.names, &add);
                        state.files.insert(file.id, file);
                        within("active files", limit, count(state.files.len()))?;
                    }
                    Action::Protocol(protocol) => state.protocol = Some(protocol),
                    Action::Metadata(metadata) => state.metadata = Some(metadata),
                    _ => {}
                }
                Ok(())
            };
            let checkpoint = Checkpoint {
                version: *version,
                files,
                sidecars: &history.listing.sidecars,
                homes: self.homes(),
            };
            checkpoint
                .read(self.objects(), self.budgets(), &mut spent, &mut each)
                .await?;
        }
        if let (Some(first), Some(last)) = (plan.commits.first(), plan.commits.last()) {
            let limit = self.budgets().files;
            self.walk(history, *first..=*last, &mut |logged| {
                state.take(logged);
                within("active files", limit, count(state.files.len()))
            })
            .await?;
        } else if let Some(meta) = history.listing.commits.get(&plan.version) {
            // The checkpoint has the state, but not when it was committed.
            let info = self.commit_info(plan.version, &mut spent).await?;
            state.at = Some(commit_time(info.as_ref(), modified(meta)));
        }
        let missing = |what: &str| LogError::Broken {
            version: plan.version,
            line: 0,
            what: format!("the log has no {what}"),
        };
        Ok(Begun {
            version: plan.version,
            timestamp: state.at.unwrap_or_default(),
            protocol: state.protocol.ok_or_else(|| missing("protocol"))?,
            metadata: state.metadata.ok_or_else(|| missing("metadata"))?,
            files: state.files.into_values().collect(),
        })
    }

    /// Hands each commit of `range` to `each`, in order. A few are held at a time, however many there are.
    ///
    /// # Errors
    /// [`LogError::Gap`] when a commit is not there (any more), what `each` says, else as [`Table::snapshot`].
    pub async fn walk(
        &self,
        history: &History,
        range: RangeInclusive<u64>,
        each: &mut (dyn FnMut(Logged) -> Result<(), LogError> + Send),
    ) -> Result<(), LogError> {
        if range.is_empty() {
            return Ok(());
        }
        let sizes: Vec<(u64, u64)> = history
            .listing
            .commits
            .range(range.clone())
            .map(|(version, meta)| (*version, meta.size))
            .collect();
        let found = sizes.iter().map(|(version, _)| *version);
        let missing = found
            .zip(*range.start()..)
            .find(|(found, wanted)| found != wanted)
            .map(|(_, wanted)| wanted);
        let last = sizes.last().map(|(version, _)| *version);
        if let Some(missing) = missing {
            return Err(LogError::Gap { missing });
        }
        if last != Some(*range.end()) {
            let missing = last.map_or(*range.start(), |last| last.saturating_add(1));
            return Err(LogError::Gap { missing });
        }
        let (mut rest, mut spent) = (sizes.as_slice(), 0_u64);
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(at_once(rest));
            rest = after;
            let reading: Vec<_> = batch
                .iter()
                .map(|(version, _)| self.logged(history, *version))
                .collect();
            for (logged, read) in try_join_all(reading).await? {
                spent = spent.saturating_add(read);
                within("bytes of the log", self.budgets().total_log_bytes, spent)?;
                each(logged)?;
            }
        }
        Ok(())
    }

    /// One commit, and how many bytes were read for it.
    async fn logged(&self, history: &History, version: u64) -> Result<(Logged, u64), LogError> {
        let names = &history.names;
        // The file where it was added last, none where it was taken out last.
        let mut files: IndexMap<u128, Option<LoggedFile>> = IndexMap::new();
        let mut info = None;
        let mut logged = Logged {
            version,
            ..Logged::default()
        };
        let keep = |action| {
            match action {
                Action::Add(add) => {
                    let file = file(names, &add);
                    if !add.data_change {
                        logged.unchanged.push(file.id);
                    }
                    logged.has_absolute |= is_absolute(add.deletion_vector.as_ref());
                    files.insert(file.id, Some(file));
                }
                Action::Remove(remove) => {
                    let id = id(names, &remove.file_key());
                    if !remove.data_change {
                        logged.unchanged.push(id);
                    }
                    logged.has_absolute |= is_absolute(remove.deletion_vector.as_ref());
                    files.insert(id, None);
                }
                Action::Cdc(cdc) => logged.feeds.push(LoggedFeed {
                    partition: partition(names, &cdc.partition_values),
                    size: cdc.size,
                }),
                Action::Protocol(found) => logged.protocol = Some(found),
                Action::Metadata(found) => logged.metadata = Some(found),
                Action::CommitInfo(found) => info = Some(found),
                _ => {}
            }
            files.len().max(logged.unchanged.len()) + logged.feeds.len()
        };
        let (meta, spent) = self.actions_of(version, keep).await?;
        for (id, file) in files {
            match file {
                Some(file) => logged.adds.push(file),
                None => logged.removes.push(id),
            }
        }
        logged.bytes = meta.size;
        logged.modified = modified(&meta);
        logged.timestamp = commit_time(info.as_ref(), logged.modified);
        let operation = info.as_ref().and_then(|info| info.get("operation"));
        logged.operation = operation.and_then(Value::as_str).map(shown);
        Ok((logged, spent))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use object_store::memory::InMemory;
    use object_store::path::Path;
    use object_store::{ObjectStore, ObjectStoreExt as _};

    use super::*;
    use crate::Budgets;
    use crate::listing::commit_path;

    async fn table(commits: &[&str]) -> Table {
        let store = InMemory::new();
        for (version, text) in commits.iter().enumerate() {
            let path = commit_path(count(version));
            store.put(&path, (*text).to_owned().into()).await.unwrap();
        }
        let store: Arc<dyn ObjectStore> = Arc::new(store);
        Table::new(store, Budgets::default())
    }

    const FIRST: &str = concat!(
        r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#,
        "\n",
        r#"{"metaData":{"id":"t","schemaString":"{}","partitionColumns":[],"configuration":{"delta.enableChangeDataFeed":"true"}}}"#,
        "\n",
        r#"{"add":{"path":"a.parquet","size":10,"modificationTime":1,"dataChange":true,"stats":"{\"numRecords\":3}"}}"#,
        "\n",
        r#"{"commitInfo":{"timestamp":1000,"operation":"WRITE"}}"#,
    );
    const SECOND: &str = concat!(
        r#"{"remove":{"path":"a.parquet","dataChange":true}}"#,
        "\n",
        r#"{"cdc":{"path":"_change_data/c.parquet","size":4,"dataChange":false}}"#,
        "\n",
        r#"{"add":{"path":"b.parquet","size":11,"modificationTime":2,"dataChange":true}}"#,
    );

    #[tokio::test]
    async fn commits_are_told_in_order_and_files_by_number() {
        let table = table(&[FIRST, SECOND]).await;
        let history = table.history().await.unwrap();
        let begun = table.begin(&history, 0).await.unwrap();
        assert_eq!((begun.version, begun.files.len()), (0, 1));
        assert_eq!(begun.timestamp, Timestamp::from_millis(1000));
        assert!(begun.metadata.records_changes());
        assert_eq!((begun.files[0].size, begun.files[0].rows), (10, Some(3)));
        let mut seen = Vec::new();
        let mut each = |logged: Logged| -> Result<(), LogError> {
            seen.push(logged);
            Ok(())
        };
        table.walk(&history, 0..=1, &mut each).await.unwrap();
        let [first, second] = seen.as_slice() else {
            panic!("{seen:?}")
        };
        assert_eq!(first.adds, begun.files);
        assert_eq!(first.operation.as_deref(), Some("WRITE"));
        assert_eq!(second.removes, [begun.files[0].id]);
        let feeds: Vec<u64> = second.feeds.iter().map(|feed| feed.size).collect();
        assert_eq!(feeds, [4]);
        assert!(second.unchanged.is_empty());
        assert_eq!(second.adds[0].size, 11);
        let end = table.begin(&history, 1).await.unwrap();
        assert_eq!(end.files, second.adds);
    }

    #[tokio::test]
    async fn a_log_that_swells_is_given_up_before_it_is_parsed() {
        let store = table(&[FIRST, SECOND]).await.objects().clone();
        let none = || |_: Logged| -> Result<(), LogError> { Ok(()) };
        let long = Budgets {
            line_bytes: 100,
            ..Budgets::default()
        };
        let whole = Budgets {
            total_log_bytes: 400,
            ..Budgets::default()
        };
        let many = Budgets {
            commit_actions: 1,
            ..Budgets::default()
        };
        for (budgets, what) in [
            (long, "bytes of a line"),
            (whole, "bytes of the log"),
            (many, "actions of a commit"),
        ] {
            let table = Table::new(Arc::clone(&store), budgets);
            let history = table.history().await.unwrap();
            match table.walk(&history, 0..=1, &mut none()).await {
                Err(LogError::Budget { what: found, .. }) => assert_eq!(found, what),
                other => panic!("{what}: {other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_commit_that_goes_meanwhile_is_a_gap_and_a_path_that_leads_out_stops_it() {
        let outside = r#"{"add":{"path":"../x","size":1}}"#;
        let table = table(&[FIRST, SECOND, outside]).await;
        let history = table.history().await.unwrap();
        let mut none = |_: Logged| -> Result<(), LogError> { Ok(()) };
        let escaped = table.walk(&history, 0..=2, &mut none).await;
        assert!(
            matches!(escaped, Err(LogError::Escape { version: 2, .. })),
            "{escaped:?}"
        );
        let gone = Path::from("_delta_log/00000000000000000001.json");
        table.objects().delete(&gone).await.unwrap();
        let missing = table.walk(&history, 0..=1, &mut none).await;
        assert!(
            matches!(missing, Err(LogError::Gap { missing: 1 })),
            "{missing:?}"
        );
        let beyond = table.walk(&history, 0..=9, &mut none).await;
        assert!(
            matches!(beyond, Err(LogError::Gap { missing: 3 })),
            "{beyond:?}"
        );
    }
}
