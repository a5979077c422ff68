//! From actions to the state of a table at a version. There is one replay, for checkpoints and commits alike.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;
use model::Timestamp;
use object_store::ObjectMeta;
use serde_json::Value;

use crate::actions::{Action, AddFile, DomainMetadata, FileKey, Metadata, Protocol, RemoveFile};
use crate::budgets::{count, within};
use crate::support::{Support, support, unknown_reader_features};
use crate::{Budgets, LogError};

/// The state of a table at one version.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub version: u64,
    /// When the version was committed: `commitInfo.inCommitTimestamp` when the table has it, else
    /// `commitInfo.timestamp`, else the commit file's modification time. Other readers take the modification time where
    /// in-commit timestamps are off; the writer's word is taken here because files that were copied or restored have
    /// the time of the copy. [`Snapshot::modified`] has the other one.
    pub timestamp: Timestamp,
    /// Modification time of the commit's object, or of the checkpoint's where the commit is gone.
    pub modified: Timestamp,
    pub protocol: Protocol,
    pub metadata: Metadata,
    /// In the order the log last added them.
    pub files: IndexMap<FileKey, Arc<AddFile>>,
    pub tombstones: Vec<Arc<RemoveFile>>,
    /// How far each application has come.
    pub txns: BTreeMap<String, i64>,
    pub domain_metadata: BTreeMap<String, DomainMetadata>,
    /// Of this version's commit, where it is still there.
    pub commit_info: Option<Value>,
    /// The newest commit's object, to notice that the log was written anew; none when only a checkpoint was there.
    pub(crate) head: Option<ObjectMeta>,
    /// Whether the log has V2 checkpoints, or such as were passed over. They are not for the library's eyes.
    pub(crate) passed_over: bool,
}

impl Snapshot {
    /// Bytes of all active files.
    pub fn bytes(&self) -> u64 {
        self.files
            .values()
            .map(|file| file.size)
            .fold(0, u64::saturating_add)
    }

    /// Rows of all active files, without those in deletion vectors; `None` when a file's statistics do not say.
    pub fn rows(&self) -> Option<u64> {
        self.files
            .values()
            .try_fold(0u64, |sum, file| sum.checked_add(file.live_rows()?))
    }

    /// Whether some of the files' rows are deleted by deletion vectors.
    pub fn has_deletion_vectors(&self) -> bool {
        self.files
            .values()
            .any(|file| file.deletion_vector.is_some())
    }

    /// Whether this table can be shared, and whether it can be cloned here.
    pub fn support(&self) -> Support {
        support(self)
    }
}

/// When a commit says it was made; see [`Snapshot::timestamp`].
pub(crate) fn commit_time(info: Option<&Value>, modified: Timestamp) -> Timestamp {
    let said = |name: &str| {
        info.and_then(|info| info.get(name))
            .and_then(Value::as_i64)
            .map(Timestamp::from_millis)
    };
    said("inCommitTimestamp")
        .or_else(|| said("timestamp"))
        .unwrap_or(modified)
}

pub(crate) struct Replay<'a> {
    budgets: &'a Budgets,
    /// Counts actions, so that the order of files does not depend on where the replay began.
    clock: u64,
    files: HashMap<FileKey, (u64, Arc<AddFile>)>,
    tombstones: HashMap<FileKey, (u64, Arc<RemoveFile>)>,
    protocol: Option<Protocol>,
    metadata: Option<Metadata>,
    txns: BTreeMap<String, i64>,
    domains: BTreeMap<String, DomainMetadata>,
    commit_info: Option<Value>,
}

impl<'a> Replay<'a> {
    pub(crate) fn new(budgets: &'a Budgets) -> Self {
        Self {
            budgets,
            clock: 0,
            files: HashMap::new(),
            tombstones: HashMap::new(),
            protocol: None,
            metadata: None,
            txns: BTreeMap::new(),
            domains: BTreeMap::new(),
            commit_info: None,
        }
    }

    /// Goes on from a snapshot.
    pub(crate) fn from_snapshot(snapshot: &Snapshot, budgets: &'a Budgets) -> Self {
        let mut replay = Self::new(budgets);
        for (key, file) in &snapshot.files {
            replay.clock += 1;
            replay
                .files
                .insert(key.clone(), (replay.clock, file.clone()));
        }
        for file in &snapshot.tombstones {
            replay.clock += 1;
            replay
                .tombstones
                .insert(file.file_key(), (replay.clock, file.clone()));
        }
        replay.protocol = Some(snapshot.protocol.clone());
        replay.metadata = Some(snapshot.metadata.clone());
        replay.txns = snapshot.txns.clone();
        replay.domains = snapshot.domain_metadata.clone();
        replay
    }

    /// A new commit begins.
    pub(crate) fn begin_commit(&mut self) {
        self.commit_info = None;
    }

    pub(crate) fn apply(&mut self, action: Action) -> Result<(), LogError> {
        self.clock += 1;
        match action {
            Action::Add(file) => {
                let key = file.file_key();
                self.tombstones.remove(&key);
                self.files.insert(key, (self.clock, file));
                within("active files", self.budgets.files, count(self.files.len()))?;
            }
            Action::Remove(file) => {
                let key = file.file_key();
                self.files.remove(&key);
                self.tombstones.insert(key, (self.clock, file));
                within(
                    "tombstones",
                    self.budgets.tombstones,
                    count(self.tombstones.len()),
                )?;
            }
            Action::Protocol(protocol) => self.protocol = Some(protocol),
            Action::Metadata(metadata) => self.metadata = Some(metadata),
            Action::Txn(txn) => {
                self.txns.insert(txn.app_id, txn.version);
                within(
                    "application transactions",
                    self.budgets.entries,
                    count(self.txns.len()),
                )?;
            }
            Action::DomainMetadata(domain) if domain.removed => {
                self.domains.remove(&domain.domain);
            }
            Action::DomainMetadata(domain) => {
                self.domains.insert(domain.domain.clone(), domain);
                within(
                    "metadata domains",
                    self.budgets.entries,
                    count(self.domains.len()),
                )?;
            }
            Action::CommitInfo(info) => self.commit_info = Some(info),
            Action::Cdc(_)
            | Action::Sidecar(_)
            | Action::CheckpointMetadata
            | Action::Unknown(_) => {}
        }
        Ok(())
    }

    /// # Errors
    /// [`LogError::Broken`] without protocol or metadata, [`LogError::UnknownFeature`] when the table cannot be read
    /// without knowing more.
    pub(crate) fn finish(
        self,
        version: u64,
        modified: Timestamp,
        head: Option<ObjectMeta>,
    ) -> Result<Snapshot, LogError> {
        let missing = |what: &str| LogError::Broken {
            version,
            line: 0,
            what: format!("the log has no {what}"),
        };
        let protocol = self.protocol.ok_or_else(|| missing("protocol"))?;
        let names = unknown_reader_features(&protocol);
        if !names.is_empty() {
            return Err(LogError::UnknownFeature { names });
        }
        let metadata = self.metadata.ok_or_else(|| missing("metadata"))?;
        Ok(Snapshot {
            version,
            timestamp: commit_time(self.commit_info.as_ref(), modified),
            modified,
            protocol,
            metadata,
            files: in_order(self.files).collect(),
            tombstones: in_order(self.tombstones).map(|(_, file)| file).collect(),
            txns: self.txns,
            domain_metadata: self.domains,
            commit_info: self.commit_info,
            head,
            passed_over: false,
        })
    }
}

fn in_order<T>(map: HashMap<FileKey, (u64, T)>) -> impl Iterator<Item = (FileKey, T)> {
    let mut all: Vec<(u64, FileKey, T)> = map
        .into_iter()
        .map(|(key, (at, file))| (at, key, file))
        .collect();
    all.sort_unstable_by_key(|(at, _, _)| *at);
    all.into_iter().map(|(_, key, file)| (key, file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::parse_line;
    use crate::fields::At;

    fn snapshot(lines: &[&str]) -> Result<Snapshot, LogError> {
        let budgets = Budgets {
            files: 3,
            tombstones: 3,
            entries: 2,
            ..Budgets::default()
        };
        let mut replay = Replay::new(&budgets);
        for (line, text) in lines.iter().enumerate() {
            let at = At {
                version: 0,
                line,
                homes: &[],
            };
            for action in parse_line(text.as_bytes(), at)? {
                replay.apply(action)?;
            }
        }
        replay.finish(0, Timestamp::from_millis(1), None)
    }

    const PROTOCOL: &str = r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],"writerFeatures":["deletionVectors"]}}"#;
    const METADATA: &str = r#"{"metaData":{"id":"i","schemaString":"{\"type\":\"struct\",\"fields\":[]}","partitionColumns":[]}}"#;
    const ADD: &str = r#"{"add":{"path":"x","size":5,"stats":"{\"numRecords\":9}"}}"#;
    const ADD_DV: &str = r#"{"add":{"path":"x","size":5,"stats":"{\"numRecords\":9}","deletionVector":{"storageType":"i","pathOrInlineDv":"q","cardinality":2}}}"#;
    const REMOVE: &str = r#"{"remove":{"path":"x","deletionTimestamp":7}}"#;

    #[test]
    fn one_path_with_different_deletion_vectors_is_two_files() {
        for lines in [
            [PROTOCOL, METADATA, ADD, ADD_DV, REMOVE],
            [PROTOCOL, METADATA, ADD, REMOVE, ADD_DV],
        ] {
            let s = snapshot(&lines).unwrap();
            assert_eq!(
                (s.files.len(), s.tombstones.len(), s.rows()),
                (1, 1, Some(7))
            );
            assert_eq!(s.files[0].file_key().dv.as_deref(), Some("iq"));
        }
    }

    #[test]
    fn what_is_added_again_is_no_tombstone() {
        let s = snapshot(&[PROTOCOL, METADATA, ADD, REMOVE, ADD]).unwrap();
        assert_eq!((s.files.len(), s.tombstones.len(), s.bytes()), (1, 0, 5));
    }

    #[test]
    fn the_same_file_written_differently_is_two_for_the_log_and_one_for_the_store() {
        let s = snapshot(&[
            PROTOCOL,
            METADATA,
            r#"{"add":{"path":"a%20b","size":1}}"#,
            r#"{"add":{"path":"a b","size":1}}"#,
        ])
        .unwrap();
        assert_eq!(s.files.len(), 2);
        assert_eq!(s.files[0].key, s.files[1].key);
        assert_eq!(s.rows(), None);
    }

    #[test]
    fn state_has_budgets() {
        let add = |n| format!(r#"{{"add":{{"path":"{n}","size":1}}}}"#);
        let remove = |n| format!(r#"{{"remove":{{"path":"{n}"}}}}"#);
        let txn = |n| format!(r#"{{"txn":{{"appId":"{n}","version":1}}}}"#);
        let domain = |n| {
            format!(r#"{{"domainMetadata":{{"domain":"{n}","configuration":"","removed":false}}}}"#)
        };
        let makers: [&dyn Fn(usize) -> String; 4] = [&add, &remove, &txn, &domain];
        for make in makers {
            let lines: Vec<String> = (0..5).map(make).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            assert!(
                matches!(snapshot(&lines), Err(LogError::Budget { .. })),
                "{}",
                lines[0]
            );
        }
    }

    #[test]
    fn domains_and_transactions() {
        let s = snapshot(&[
            PROTOCOL,
            METADATA,
            r#"{"txn":{"appId":"a","version":4}}"#,
            r#"{"txn":{"appId":"a","version":5}}"#,
            r#"{"domainMetadata":{"domain":"d","configuration":"c","removed":false}}"#,
            r#"{"domainMetadata":{"domain":"e","configuration":"c","removed":false}}"#,
            r#"{"domainMetadata":{"domain":"d","configuration":"c","removed":true}}"#,
            r#"{"commitInfo":{"timestamp":17}}"#,
        ])
        .unwrap();
        assert_eq!(s.txns["a"], 5);
        assert_eq!(s.domain_metadata.keys().collect::<Vec<_>>(), ["e"]);
        assert_eq!(
            (s.timestamp, s.modified),
            (Timestamp::from_millis(17), Timestamp::from_millis(1))
        );
    }

    #[test]
    fn without_protocol_metadata_or_knowledge_there_is_no_table() {
        assert!(matches!(
            snapshot(&[METADATA]),
            Err(LogError::Broken { .. })
        ));
        assert!(matches!(
            snapshot(&[PROTOCOL]),
            Err(LogError::Broken { .. })
        ));
        let future = PROTOCOL.replace("deletionVectors", "hologram");
        match snapshot(&[&future, METADATA]) {
            Err(LogError::UnknownFeature { names }) => assert_eq!(names, ["hologram"]),
            other => panic!("{other:?}"),
        }
    }
}
