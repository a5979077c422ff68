//! What the source's commits since the last run say of its files, and what that comes to.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;

use delta::{Action, AddFile, Commit, FileKey, LogError, RemoveFile};
use futures::StreamExt as _;
use model::Timestamp;
use object_store::path::Path;
use serde_json::Value;

use super::{Untailed, whole_unless};
use crate::commits;
use crate::plan::{Pair, PlanError};

/// More bytes of commits are not read: comparing the states costs no more.
const MOST_LOG: u64 = 8 << 20;

/// Reads what the source's commits behind version `from` say, up to `to`.
pub(super) async fn read(pair: &Pair, from: u64, to: u64) -> Result<News, Untailed> {
    let versions = from.saturating_add(1)..=to;
    let most = MOST_LOG.min(pair.source.budgets().total_log_bytes);
    let fits = match pair.source.bytes_of_commits(versions.clone()).await {
        Ok(bytes) => bytes.is_some_and(|bytes| bytes <= most),
        Err(error @ LogError::Storage(_)) => return Err(PlanError::Source(error).into()),
        Err(_) => false,
    };
    whole_unless(
        fits,
        "the source's commits since then are cleaned away, or are large",
    )?;
    let mut reads = pin!(commits::read(&pair.source, versions));
    let mut news = News::default();
    while let Some(commit) = reads.next().await {
        match commit {
            Ok(commit) => news.commit(commit)?,
            Err(error @ LogError::Storage(_)) => return Err(PlanError::Source(error).into()),
            Err(_) => {
                return Err(Untailed::Whole(
                    "one of the source's commits since then cannot be read",
                ));
            }
        }
    }
    Ok(news)
}

/// What a commit says of a file.
enum Word {
    Came(Arc<AddFile>),
    Went(Arc<RemoveFile>),
}

/// What all of them say of it.
struct Said {
    /// The first word was that it came: it was not there before, or something new was said of it.
    came_first: bool,
    last: Word,
    /// Its place among all words.
    at: usize,
}

/// What the source's commits say, one after the other.
#[derive(Default)]
pub(super) struct News {
    files: HashMap<FileKey, Said>,
    words: usize,
    /// Some commit rewrote rows that stayed.
    pub(super) rewrites: bool,
    /// Some commit tells which rows it changed.
    pub(super) tells: bool,
    /// When the last of them was made.
    pub(super) timestamp: Timestamp,
}

/// What they come to.
pub(super) struct Difference {
    /// Both in the order of the log.
    pub(super) adds: Vec<Arc<AddFile>>,
    pub(super) removes: Vec<Arc<AddFile>>,
    /// When these went, in milliseconds, where their tombstones say.
    pub(super) gone: HashMap<FileKey, i64>,
    /// What came and went, if it was not there before.
    pub(super) passing: Vec<Path>,
}

impl News {
    fn commit(&mut self, commit: Commit) -> Result<(), Untailed> {
        self.timestamp = commit.timestamp;
        for action in commit.actions {
            match action {
                Action::Protocol(_) | Action::Metadata(_) | Action::DomainMetadata(_) => {
                    return Err(Untailed::Whole(
                        "the source's protocol, metadata or domains changed",
                    ));
                }
                Action::Add(file) => {
                    // Whether the data file crosses with it, and the object of the vector, is for the states to say.
                    whole_unless(
                        file.deletion_vector.is_none(),
                        "a file came with a deletion vector",
                    )?;
                    self.rewrites |= !file.data_change;
                    self.say(file.file_key(), Word::Came(file));
                }
                Action::Remove(file) => {
                    let vector = file.deletion_vector.as_ref();
                    // The replica calls it by another name.
                    whole_unless(
                        vector.is_none_or(|vector| vector["storageType"] != "p"),
                        "a file went whose deletion vector had an absolute path",
                    )?;
                    self.rewrites |= !file.data_change;
                    self.say(file.file_key(), Word::Went(file));
                }
                Action::Cdc(_) => self.tells = true,
                Action::CommitInfo(_)
                | Action::Txn(_)
                | Action::Sidecar(_)
                | Action::CheckpointMetadata
                | Action::Unknown(_) => {}
            }
        }
        Ok(())
    }

    fn say(&mut self, key: FileKey, last: Word) {
        self.words += 1;
        let is_add = matches!(last, Word::Came(_));
        let known = self.files.get(&key).map(|said| said.came_first);
        let said = Said {
            came_first: known.unwrap_or(is_add),
            last,
            at: self.words,
        };
        self.files.insert(key, said);
    }

    pub(super) fn end(&mut self) -> Result<Difference, Untailed> {
        let mut all: Vec<Said> = std::mem::take(&mut self.files).into_values().collect();
        all.sort_unstable_by_key(|said| said.at);
        let mut difference = Difference {
            adds: Vec::new(),
            removes: Vec::new(),
            gone: HashMap::new(),
            passing: Vec::new(),
        };
        for said in all {
            match (said.last, said.came_first) {
                (Word::Came(file), true) => difference.adds.push(file),
                (Word::Came(_), false) => {
                    return Err(Untailed::Whole("a file went and came back"));
                }
                (Word::Went(file), true) => difference.passing.push(file.key.clone()),
                (Word::Went(file), false) => {
                    if let Some(at) = file.deletion_timestamp {
                        difference.gone.insert(file.file_key(), at);
                    }
                    let file = held(&file).ok_or(Untailed::Whole(
                        "the source does not say of a file that went how large it was",
                    ))?;
                    difference.removes.push(Arc::new(file));
                }
            }
        }
        Ok(difference)
    }
}

/// The file that the replica holds, as far as the source's tombstone tells it and the replica's is to.
fn held(file: &RemoveFile) -> Option<AddFile> {
    let stats = file.raw.get("stats").and_then(Value::as_str);
    Some(AddFile {
        path: file.path.clone(),
        key: file.key.clone(),
        size: file.size?,
        partition_values: file.partition_values()?,
        modification_time: 0,
        data_change: true,
        stats: stats.map(str::to_owned),
        deletion_vector: file.deletion_vector.clone(),
        deletion_vector_key: file.deletion_vector_key.clone(),
        raw: file.raw.clone(),
    })
}
