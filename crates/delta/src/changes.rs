//! What changed from version to version: which versions a log still holds, when they were committed, and the files of a
//! range of commits, read several at a time. States are the business of [`Table::snapshot`].

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::RangeInclusive;
use std::sync::Arc;

use futures::future::try_join_all;
use model::Timestamp;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectMeta};
use serde_json::Value;

use crate::actions::{Action, AddFile, CdcFile, Metadata, Protocol, RemoveFile, parse_line};
use crate::budgets::{count, within};
use crate::lines::read_lines;
use crate::listing::{Listing, commit_path};
use crate::replay::commit_time;
use crate::table::modified;
use crate::walk::Names;
use crate::{LogError, Table};

/// So many commits are read at a time, unless they are large.
const AT_ONCE: usize = 16;
/// Bytes of commits, as stored, that are read at a time; one commit alone may be larger.
const BYTES_AT_ONCE: u64 = 16 << 20;
/// More versions are not read for one answer: it could not begin in time.
const MOST_VERSIONS: u64 = 10_000;
/// So many versions before one a listing begins that looks for the checkpoint its state is made of: few writers leave more between two.
const NEAR: u64 = 128;

/// Which files of a commit tell what it changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// Row by row: the commit's own files of changes, where it has some, else those whose rows it added or removed.
    Rows,
    /// File by file: those whose rows it added or removed. Files that were only rewritten do not count.
    Files,
}

/// A file that tells of a change.
#[derive(Clone, Debug, PartialEq)]
pub enum ChangedFile {
    Add(Arc<AddFile>),
    Remove(Arc<RemoveFile>),
    Cdc(Arc<CdcFile>),
}

impl ChangedFile {
    /// As the log gives it.
    pub fn path(&self) -> &str {
        match self {
            Self::Add(file) => &file.path,
            Self::Remove(file) => &file.path,
            Self::Cdc(file) => &file.path,
        }
    }

    /// Contained.
    pub fn key(&self) -> &Path {
        match self {
            Self::Add(file) => &file.key,
            Self::Remove(file) => &file.key,
            Self::Cdc(file) => &file.key,
        }
    }

    /// Bytes; only a removed file may be without.
    pub fn size(&self) -> Option<u64> {
        match self {
            Self::Add(file) => Some(file.size),
            Self::Remove(file) => file.size,
            Self::Cdc(file) => Some(file.size),
        }
    }

    /// Whether some of its rows are deleted by a deletion vector.
    pub fn has_deletion_vector(&self) -> bool {
        self.deletion_vector().is_some()
    }

    /// What says which of its rows are deleted.
    pub fn deletion_vector(&self) -> Option<&Value> {
        match self {
            Self::Add(file) => file.deletion_vector.as_ref(),
            Self::Remove(file) => file.deletion_vector.as_ref(),
            Self::Cdc(_) => None,
        }
    }

    /// The object that holds its deletion vector, contained.
    pub fn deletion_vector_key(&self) -> Option<&Path> {
        match self {
            Self::Add(file) => file.deletion_vector_key.as_ref(),
            Self::Remove(file) => file.deletion_vector_key.as_ref(),
            Self::Cdc(_) => None,
        }
    }
}

/// What readers are told of an added file beside its fields, and of a removed one.
const TOLD: [&str; 3] = ["baseRowId", "defaultRowCommitVersion", "partitionValues"];

impl ChangedFile {
    /// Lets go of what the log says of it and readers are not told: half of what it takes.
    pub fn trim(&mut self) {
        let raw = match self {
            Self::Add(file) => Arc::get_mut(file).map(|file| &mut file.raw),
            Self::Remove(file) => Arc::get_mut(file).map(|file| &mut file.raw),
            Self::Cdc(file) => Arc::get_mut(file).map(|file| &mut file.raw),
        };
        if let Some(Value::Object(fields)) = raw {
            fields.retain(|name, _| TOLD.contains(&name.as_str()));
        }
    }
}

/// What one commit changed.
#[derive(Clone, Debug)]
pub struct Change {
    pub version: u64,
    /// As [`crate::Snapshot::timestamp`].
    pub timestamp: Timestamp,
    /// Where the commit set a new one.
    pub protocol: Option<Protocol>,
    /// Where the commit set new ones.
    pub metadata: Option<Metadata>,
    /// In the order of the log.
    pub files: Vec<ChangedFile>,
}

/// Which versions a log held when it was listed.
#[derive(Debug)]
pub struct History {
    /// The newest version there is any trace of.
    pub latest: u64,
    /// The oldest version whose state can be put together; the newest when none can.
    pub earliest: u64,
    /// First and last versions of the runs of commits without a gap, ascending.
    runs: Vec<(u64, u64)>,
    pub(crate) listing: Listing,
    pub(crate) names: Names,
}

impl History {
    fn of(listing: Listing) -> Result<Self, LogError> {
        let latest = listing.latest().ok_or(LogError::NotATable)?;
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for version in listing.commits.keys().copied() {
            match runs.last_mut() {
                Some((_, last)) if last.checked_add(1) == Some(version) => *last = version,
                _ => runs.push((version, version)),
            }
        }
        Ok(Self {
            latest,
            earliest: listing.earliest(&BTreeSet::new()).unwrap_or(latest),
            runs,
            listing,
            names: Names::default(),
        })
    }

    /// The oldest version from which on the changes up to version `end` can be read: with its state there and every commit
    /// since. `None` when not even those of `end` can.
    pub fn earliest_change(&self, end: u64) -> Option<u64> {
        let (first, last) = self
            .runs
            .iter()
            .rfind(|(first, _)| *first <= end)
            .copied()?;
        if last < end {
            return None;
        }
        // The state is there from the run's beginning on, or from its first checkpoint on.
        match self.listing.plan(Some(first), &BTreeSet::new()) {
            Ok(_) => Some(first),
            Err(_) => self.listing.first_checkpoint(first..=end),
        }
    }

    /// Bytes of the commits of a range, as stored.
    pub fn bytes(&self, range: RangeInclusive<u64>) -> u64 {
        let commits = self.listing.commits.range(range);
        commits.fold(0, |sum, (_, meta)| sum.saturating_add(meta.size))
    }

    /// The same, in this process, for as long as a range has the same commits; `None` when one is not there.
    pub fn mark(&self, range: RangeInclusive<u64>) -> Option<u64> {
        mark_of(&self.listing, range)
    }

    /// The versions of commits that can be told by their time: from the oldest state on, without a gap up to the newest.
    fn timed(&self) -> Vec<u64> {
        match self.earliest_change(self.latest) {
            Some(first) => self
                .listing
                .commits
                .range(first..)
                .map(|(v, _)| *v)
                .collect(),
            None => Vec::new(),
        }
    }
}

/// Where an instant lies among the commits of a log: versions with the times they were committed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instant {
    /// The last one at or before it.
    pub before: Option<(u64, Timestamp)>,
    /// The first one at or after it.
    pub after: Option<(u64, Timestamp)>,
}

impl Table {
    /// Which versions there are, by the names in the log alone.
    ///
    /// # Errors
    /// [`LogError::NotATable`], [`LogError::Storage`], [`LogError::Budget`].
    pub async fn history(&self) -> Result<History, LogError> {
        History::of(self.whole_listing().await?)
    }

    /// As [`History::earliest_change`], of what is there now, but not below `least`, which does not lie behind `end`. Where a checkpoint
    /// lies a little before `least`, or the log begins behind that, it takes no more than a listing from there on.
    ///
    /// # Errors
    /// As [`Table::history`].
    pub async fn earliest_change(&self, least: u64, end: u64) -> Result<Option<u64>, LogError> {
        let from = least.saturating_sub(NEAR);
        let listing = Listing::read(self.objects().as_ref(), Some(from), self.budgets()).await?;
        // Whether older commits may go with those that were listed, and what they begin with.
        let goes_back = from > 0 && listing.commits.contains_key(&from);
        let mut first = History::of(listing)?.earliest_change(end);
        if goes_back && first.is_none_or(|first| first > least) {
            first = self.history().await?.earliest_change(end);
        }
        Ok(first.map(|first| first.max(least)))
    }

    /// As [`History::mark`], of what is there now. Takes no more than a listing from the range's beginning on.
    ///
    /// # Errors
    /// [`LogError::Storage`], [`LogError::Budget`].
    pub async fn mark(&self, range: RangeInclusive<u64>) -> Result<Option<u64>, LogError> {
        let objects = self.objects().as_ref();
        let listing = Listing::read(objects, Some(*range.start()), self.budgets()).await?;
        Ok(mark_of(&listing, range))
    }

    /// Bytes of the commits of a range, as stored; `None` when one is not there. Takes no more than a listing from the range's
    /// beginning on.
    ///
    /// # Errors
    /// [`LogError::Storage`], [`LogError::Budget`].
    pub async fn bytes_of_commits(
        &self,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>, LogError> {
        if range.is_empty() {
            return Ok(Some(0));
        }
        let objects = self.objects().as_ref();
        let listing = Listing::read(objects, Some(*range.start()), self.budgets()).await?;
        let (mut wanted, mut bytes) = (*range.start(), 0_u64);
        for (version, meta) in listing.commits.range(range.clone()) {
            if *version != wanted {
                return Ok(None);
            }
            wanted = wanted.saturating_add(1);
            bytes = bytes.saturating_add(meta.size);
        }
        Ok((wanted > *range.end()).then_some(bytes))
    }

    /// Where `time` lies among the versions of `history`. Looks at a few commits only, by halves, for versions are
    /// committed one after the other; where a writer's clock went wrong meanwhile it is one of the possible answers.
    ///
    /// # Errors
    /// As [`Table::snapshot`].
    pub async fn instant(&self, history: &History, time: Timestamp) -> Result<Instant, LogError> {
        let versions = history.timed();
        let mut seen = BTreeMap::new();
        let after = self
            .first(history, &versions, &mut seen, |at| at >= time)
            .await?;
        let beyond = self
            .first(history, &versions, &mut seen, |at| at > time)
            .await?;
        // Those beside the place that was found have been looked at.
        let at = |index: usize| {
            let version = versions.get(index)?;
            Some((*version, *seen.get(version)?))
        };
        Ok(Instant {
            before: beyond.checked_sub(1).and_then(at),
            after: at(after),
        })
    }

    /// The index of the first of the `versions` whose time is `late` enough; their number when none is.
    async fn first(
        &self,
        history: &History,
        versions: &[u64],
        seen: &mut BTreeMap<u64, Timestamp>,
        late: impl Fn(Timestamp) -> bool + Send,
    ) -> Result<usize, LogError> {
        let (mut low, mut high) = (0, versions.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let version = versions[middle];
            let at = match seen.get(&version) {
                Some(at) => *at,
                None => self.committed(history, version).await?,
            };
            seen.insert(version, at);
            if late(at) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(low)
    }

    async fn committed(&self, history: &History, version: u64) -> Result<Timestamp, LogError> {
        let info = self.commit_info(version, &mut 0).await?;
        let written = history.listing.commits.get(&version).map(modified);
        Ok(commit_time(info.as_ref(), written.unwrap_or_default()))
    }

    /// What the commits of `range` changed, in order. All of it is held at once; the budget for the files of a version
    /// holds for the whole range.
    ///
    /// # Errors
    /// [`LogError::Gap`] when a commit is not there, else as [`Table::snapshot`].
    pub async fn changes(
        &self,
        history: &History,
        range: RangeInclusive<u64>,
        feed: Feed,
    ) -> Result<Vec<Change>, LogError> {
        let versions = range.end().saturating_sub(*range.start()).saturating_add(1);
        within("versions asked for", MOST_VERSIONS, versions)?;
        if let Some(missing) = range
            .clone()
            .find(|v| !history.listing.commits.contains_key(v))
        {
            return Err(LogError::Gap { missing });
        }
        let sizes: Vec<(u64, u64)> = history
            .listing
            .commits
            .range(range)
            .map(|(version, meta)| (*version, meta.size))
            .collect();
        let (mut changes, mut spent, mut files) = (Vec::new(), 0_u64, 0);
        let mut rest = sizes.as_slice();
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(at_once(rest));
            rest = after;
            let reading: Vec<_> = batch
                .iter()
                .map(|(version, _)| self.change(*version, feed))
                .collect();
            for (change, read) in try_join_all(reading).await? {
                spent = spent.saturating_add(read);
                files += change.files.len();
                within("bytes of the log", self.budgets().total_log_bytes, spent)?;
                within(
                    "changed files of the versions asked for",
                    self.budgets().files,
                    count(files),
                )?;
                changes.push(change);
            }
        }
        Ok(changes)
    }

    /// Hands out the actions of one commit in their order. `keep` answers how many it holds, which the budget bounds. Answers
    /// the commit's object, and how many bytes were read.
    pub(crate) async fn actions_of(
        &self,
        version: u64,
        mut keep: impl FnMut(Action) -> usize + Send,
    ) -> Result<(ObjectMeta, u64), LogError> {
        let mut spent = 0;
        let read = read_lines(
            self.objects().as_ref(),
            &commit_path(version),
            version,
            self.budgets(),
            self.homes(),
            &mut spent,
            |at, line| {
                let mut held = 0;
                for action in parse_line(line, at)? {
                    held = keep(action);
                }
                within(
                    "actions of a commit",
                    self.budgets().commit_actions,
                    count(held),
                )?;
                Ok(true)
            },
        )
        .await;
        match read {
            Ok(meta) => Ok((meta, spent)),
            // Cleaned away since the log was listed.
            Err(LogError::Storage(StoreError::NotFound { .. })) => {
                Err(LogError::Gap { missing: version })
            }
            Err(error) => Err(error),
        }
    }

    /// One commit's change, and how many bytes were read for it.
    async fn change(&self, version: u64, feed: Feed) -> Result<(Change, u64), LogError> {
        let (mut files, mut rows) = (Vec::new(), Vec::new());
        let (mut protocol, mut metadata, mut info) = (None, None, None);
        let keep = |action| {
            match action {
                Action::Add(file) if file.data_change => files.push(ChangedFile::Add(file)),
                Action::Remove(file) if file.data_change => files.push(ChangedFile::Remove(file)),
                Action::Cdc(file) if feed == Feed::Rows => {
                    rows.push(ChangedFile::Cdc(Arc::new(file)));
                }
                Action::Protocol(found) => protocol = Some(found),
                Action::Metadata(found) => metadata = Some(found),
                Action::CommitInfo(found) => info = Some(found),
                _ => {}
            }
            files.len() + rows.len()
        };
        let (meta, spent) = self.actions_of(version, keep).await?;
        if !rows.is_empty() {
            files = rows;
        } else if feed == Feed::Rows && info.as_ref().is_some_and(is_idle_merge) {
            files.clear();
        }
        let change = Change {
            version,
            timestamp: commit_time(info.as_ref(), modified(&meta)),
            protocol,
            metadata,
            files,
        };
        Ok((change, spent))
    }
}

fn mark_of(listing: &Listing, range: RangeInclusive<u64>) -> Option<u64> {
    let mut mark = DefaultHasher::new();
    let mut wanted = *range.start();
    for (version, meta) in listing.commits.range(range.clone()) {
        if *version != wanted {
            return None;
        }
        let written = meta.last_modified.timestamp_micros();
        (version, meta.size, written, &meta.e_tag).hash(&mut mark);
        wanted = wanted.checked_add(1)?;
    }
    (wanted.checked_sub(1) == Some(*range.end())).then(|| mark.finish())
}

/// How many of the commits (version, bytes) are read together; at least one.
pub(crate) fn at_once(commits: &[(u64, u64)]) -> usize {
    let mut bytes = 0_u64;
    let fit = commits.iter().take(AT_ONCE).take_while(|(_, size)| {
        bytes = bytes.saturating_add(*size);
        bytes <= BYTES_AT_ONCE
    });
    fit.count().max(1)
}

/// A MERGE that found nothing to change may have rewritten files all the same, and says so by its counts alone. The
/// reference reader leaves its files out too.
fn is_idle_merge(info: &Value) -> bool {
    let counts = info.get("operationMetrics");
    let none = |name: &str| {
        let said = counts.and_then(|counts| counts.get(name));
        said.is_some_and(|said| said.as_str() == Some("0") || said.as_u64() == Some(0))
    };
    info.get("operation").and_then(Value::as_str) == Some("MERGE")
        && none("numTargetRowsInserted")
        && none("numTargetRowsUpdated")
        && none("numTargetRowsDeleted")
}
