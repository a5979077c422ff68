//! The files of a table at one version, kept for long: columns instead of objects, about as large as their text, and shared
//! with the versions that came before. Made once of a whole log, then carried on from new commits alone.

mod build;
mod columns;

use std::collections::{BTreeMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use futures::StreamExt as _;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use self::build::{Builder, Growing};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::columns::FEW_ROWS;
pub use self::columns::FileView;
use self::columns::{Columns, FULL_ROWS};
use crate::actions::{Action, AddFile, FileKey};
use crate::budgets::{count, within};
use crate::checkpoint::{Row, Wanted};
use crate::listing::{LOG, Listing, commit_path};
use crate::replay::{Replay, Snapshot};
use crate::table::modified;
use crate::{LogError, Table};

/// More commits than these are not carried on from where a checkpoint can be read instead.
const MOST_COMMITS: usize = 100;
/// Of more small parts than these one is made.
const MOST_PARTS: usize = 24;
/// So many rows that no longer count are carried along before the columns are written anew, if they are not half of them.
const IDLE_ROWS: usize = 10_000;

/// Counts the states that were made.
static STATES: AtomicU64 = AtomicU64::new(0);

/// The state of a table at one version. Immutable; clones and later versions share what is large.
#[derive(Clone, Debug)]
pub struct State {
    /// No other state of this process has it, unless it is the same.
    id: u64,
    /// Protocol, metadata and times. Of the files it holds one with a deletion vector, if there is any: what asks whether a table
    /// has some finds it.
    outline: Snapshot,
    parts: Vec<Part>,
    /// The rows that count, ascending.
    rows: Arc<[u32]>,
    /// The same rows in the order of their paths, made when it is asked for.
    sorted: Arc<OnceLock<Arc<[u32]>>>,
    bytes: u64,
    /// Bytes of protocol and metadata, about.
    beside: u64,
    hasher: RandomState,
}

/// Some columns, and the number of their first row.
#[derive(Clone, Debug)]
struct Part {
    first: u32,
    columns: Arc<Columns>,
}

impl Part {
    /// The number after its last row's.
    fn end(&self) -> u32 {
        self.first + u32::try_from(self.columns.len()).unwrap_or(u32::MAX)
    }
}

impl State {
    fn new(mut outline: Snapshot, parts: Vec<Part>, rows: Arc<[u32]>, hasher: RandomState) -> Self {
        outline.files = indexmap::IndexMap::new();
        outline.tombstones = Vec::new();
        // A log may have as much of these as it likes, and nobody asks a state for them.
        outline.txns = BTreeMap::new();
        outline.domain_metadata = BTreeMap::new();
        outline.commit_info = None;
        // Their JSON is held beside what was parsed of it.
        let written = [&outline.protocol.raw, &outline.metadata.raw];
        let written = written.map(|raw| count(raw.to_string().len()));
        let beside = 4 * written.iter().sum::<u64>();
        let mut state = Self {
            id: STATES.fetch_add(1, Ordering::Relaxed),
            outline,
            parts,
            rows,
            sorted: Arc::default(),
            bytes: 0,
            beside,
            hasher,
        };
        state.bytes = state
            .rows
            .iter()
            .map(|row| state.size(*row))
            .fold(0, u64::saturating_add);
        let has_vector = |row: &&u32| {
            let (columns, row) = state.place(**row);
            columns.has_deletion_vector(row)
        };
        let vector = if state.parts.iter().any(|part| part.columns.has_vectors()) {
            state
                .rows
                .iter()
                .find(has_vector)
                .map(|row| state.file(*row))
        } else {
            None
        };
        if let Some(file) = vector {
            state.outline.files.insert(file.file_key(), Arc::new(file));
        }
        state
    }

    /// Which state this is, of all that this process has made: who keeps numbers of its files keeps this with them.
    pub fn id(&self) -> u64 {
        self.id
    }

    pub fn version(&self) -> u64 {
        self.outline.version
    }

    /// Version, times, protocol and metadata. Its files are left out, all but one with a deletion vector if there is any, and so
    /// are applications, domains and what the commit says of itself.
    pub fn outline(&self) -> &Snapshot {
        &self.outline
    }

    /// The numbers of the active files, ascending. Few are in the order the log last added them; many in that of their paths part by
    /// part, and what was added since behind them.
    pub fn rows(&self) -> &Arc<[u32]> {
        &self.rows
    }

    /// The same in the order of their paths, which does not depend on how the log was read. Takes a while the first time.
    pub fn sorted(&self) -> &Arc<[u32]> {
        self.sorted.get_or_init(|| {
            let order = |one: &u32, other: &u32| {
                let (columns, row) = self.place(*one);
                columns.compare(row, self.place(*other))
            };
            // Held once, then.
            if self.rows.is_sorted_by(|one, next| order(one, next).is_le()) {
                return Arc::clone(&self.rows);
            }
            let mut rows = self.rows.to_vec();
            // Runs of what is in order already are taken as they are.
            rows.sort_by(order);
            rows.into()
        })
    }

    /// The same, if that time is over.
    pub fn sorted_already(&self) -> Option<&Arc<[u32]>> {
        self.sorted.get()
    }

    /// Bytes of all active files.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Rows of one file that count, as its statistics say.
    pub fn live_rows(&self, row: u32) -> Option<u64> {
        let (columns, row) = self.place(row);
        columns.live_rows(row)
    }

    /// Bytes of one file.
    pub fn size(&self, row: u32) -> u64 {
        let (columns, row) = self.place(row);
        columns.size(row)
    }

    pub fn partition_values(&self, row: u32) -> &BTreeMap<String, Option<String>> {
        let (columns, row) = self.place(row);
        columns.partition_values(row)
    }

    /// JSON text as the log gives it.
    pub fn stats(&self, row: u32) -> Option<&str> {
        let (columns, row) = self.place(row);
        columns.stats(row)
    }

    /// One file, as a log gives it, with what answers need of it.
    pub fn file(&self, row: u32) -> AddFile {
        let (columns, row) = self.place(row);
        columns.file(row)
    }

    /// The same without copies of what is held.
    pub fn view(&self, row: u32) -> FileView<'_> {
        let (columns, row) = self.place(row);
        columns.view(row)
    }

    /// Bytes that the log says of one file at the most: of path, statistics, partition values and deletion vector together.
    pub fn longest(&self) -> usize {
        let parts = self.parts.iter().map(|part| part.columns.longest());
        parts.max().unwrap_or_default()
    }

    /// The object of one file, contained.
    pub fn object(&self, row: u32) -> Path {
        let (columns, row) = self.place(row);
        columns.object(row)
    }

    /// What is held: each piece by a number of its own, which later versions that share it have in common, and its bytes.
    pub fn weight(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        let parts = self.parts.iter().map(|part| {
            let at = Arc::as_ptr(&part.columns).cast::<u8>() as usize;
            (at, part.columns.weight())
        });
        // The second order of the rows may come.
        let own = (
            Arc::as_ptr(&self.rows).cast::<u8>() as usize,
            count(self.rows.len()) * 8 + 4_096 + self.beside,
        );
        parts.chain(std::iter::once(own))
    }

    fn place(&self, row: u32) -> (&Columns, usize) {
        let after = self.parts.partition_point(|part| part.first <= row);
        let part = &self.parts[after.saturating_sub(1)];
        (&part.columns, (row - part.first) as usize)
    }

    fn end(&self) -> u32 {
        self.parts.last().map_or(0, Part::end)
    }

    /// This state and what commits changed since; `later` holds their files and tombstones alone.
    fn after(&self, later: Snapshot) -> Result<Self, LogError> {
        let mut gone = HashSet::new();
        let tombstones = later.tombstones.iter().map(|file| file.file_key());
        for key in later.files.keys().cloned().chain(tombstones) {
            let hash = self.hash(&key);
            for part in &self.parts {
                let found = part
                    .columns
                    .rows_of(hash, |row| self.hash(&part.columns.key(row)));
                let same = found.filter(|row| part.columns.key(*row) == key);
                gone.extend(same.map(|row| part.first + row as u32));
            }
        }
        let first = self.end();
        let new = number(first as usize + later.files.len())?;
        let mut rows = Vec::with_capacity(self.rows.len() + later.files.len());
        rows.extend(self.rows.iter().copied().filter(|row| !gone.contains(row)));
        rows.extend(first..new);
        let mut growing = Growing::after(self.parts.clone());
        for file in later.files.values() {
            growing.push(|columns| columns.push(file));
        }
        let hasher = self.hasher.clone();
        Ok(Self::new(later, growing.parts(), rows.into(), hasher).packed())
    }

    /// The same without rows that do not count, once these are many, and with one part in place of many small ones.
    fn packed(self) -> Self {
        let idle = self.end() as usize - self.rows.len();
        let is_large = |part: &&Part| part.columns.len() >= FULL_ROWS / 2;
        // Parts shrink when they are read, so that small ones may lie between.
        let last = self.parts.iter().rposition(|part| is_large(&part));
        let large = last.map_or(0, |last| last + 1);
        let kept = if idle > IDLE_ROWS && idle > self.rows.len() {
            0
        } else if self.parts.len() - large > MOST_PARTS {
            large
        } else {
            return self;
        };
        let mut growing = Growing::after(self.parts[..kept].to_vec());
        let first = self.parts.get(kept).map_or(0, |part| part.first);
        // Rows are in the order of their numbers.
        let before = self.rows.partition_point(|row| *row < first);
        for row in &self.rows[before..] {
            let (columns, row) = self.place(*row);
            growing.push(|packed| packed.push_row(columns, row));
        }
        let last = first + u32::try_from(self.rows.len() - before).unwrap_or(u32::MAX);
        let rows = self.rows[..before].iter().copied().chain(first..last);
        let rows: Vec<u32> = rows.collect();
        let mut parts = growing.parts();
        for part in &mut parts[kept..] {
            let all: Vec<u32> = (0..part.end() - part.first).collect();
            if let Some(ordered) = part.columns.in_order(&all) {
                part.columns = Arc::new(ordered);
            }
        }
        Self::new(self.outline, parts, rows.into(), self.hasher)
    }

    fn hash(&self, key: &FileKey) -> u64 {
        self.hasher.hash_one(key)
    }
}

/// Rows are numbered with 32 bits.
fn number(rows: usize) -> Result<u32, LogError> {
    within("active files", u64::from(u32::MAX), count(rows))?;
    Ok(rows as u32)
}

impl Table {
    /// The state at version `at`, or at the newest.
    ///
    /// # Errors
    /// As [`Table::snapshot`].
    pub async fn state(&self, at: Option<u64>) -> Result<State, LogError> {
        let mut tries = self.tries(at).await?;
        loop {
            let error = match tries.plan(at) {
                Ok(plan) => {
                    // Of one that cannot be read half of the files may be in it.
                    let mut files = Builder::new(self.budgets());
                    let mut each = |row: Row<'_>, head: &mut Replay<'_>| files.take(row, head);
                    let built = self.build(tries.listing(), &plan, Wanted::Rows, &mut each);
                    match built.await {
                        Ok(outline) => {
                            let outline = tries.told(outline);
                            return blocking(move || files.finish(outline)).await;
                        }
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            self.try_again(&mut tries, error).await?;
        }
    }

    /// The state at version `at`, or at the newest, without its files: reads nothing of them where a checkpoint holds them.
    ///
    /// # Errors
    /// As [`Table::snapshot`].
    pub async fn outline(&self, at: Option<u64>) -> Result<Snapshot, LogError> {
        let mut tries = self.tries(at).await?;
        let mut each = |row: Row<'_>, head: &mut Replay<'_>| match row {
            Row::Action(Action::Add(_) | Action::Remove(_)) | Row::Plain(_) => Ok(()),
            Row::Action(action) => head.apply(action),
        };
        loop {
            let error = match tries.plan(at) {
                Ok(plan) => {
                    let built = self.build(tries.listing(), &plan, Wanted::Head, &mut each);
                    match built.await {
                        Ok(outline) => return Ok(tries.told(outline)),
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            self.try_again(&mut tries, error).await?;
        }
    }

    /// The newest state, from one of this table that is at hand: reads only commits that came since, and nothing but a listing
    /// where none did. `None`: the log has been written anew, has lost what came between, or is sooner read from a checkpoint:
    /// all of it is to be read.
    ///
    /// # Errors
    /// As [`Table::snapshot`].
    pub async fn state_after(&self, state: &Arc<State>) -> Result<Option<Arc<State>>, LogError> {
        let Some(head) = &state.outline.head else {
            return Ok(None);
        };
        let from = state.version();
        let listing = Listing::read(self.objects().as_ref(), Some(from), self.budgets()).await?;
        if !listing
            .commits
            .get(&from)
            .is_some_and(|found| is_same(found, head))
        {
            return Ok(None);
        }
        let next = from.saturating_add(1);
        let commits: Vec<u64> = listing.commits.range(next..).map(|(v, _)| *v).collect();
        let is_whole = commits
            .iter()
            .zip(next..)
            .all(|(found, wanted)| *found == wanted);
        let version = commits.last().copied().unwrap_or(from);
        if !is_whole || listing.latest() != Some(version) {
            return Ok(None);
        }
        // A checkpoint on the way is the shorter one.
        if commits.len() > MOST_COMMITS && listing.first_checkpoint(next..=version).is_some() {
            return Ok(None);
        }
        if commits.is_empty() {
            return Ok(Some(Arc::clone(state)));
        }
        let base = Snapshot {
            files: indexmap::IndexMap::new(),
            ..state.outline.clone()
        };
        let mut replay = Replay::from_snapshot(&base, self.budgets());
        self.replay_commits(&mut replay, &commits, &mut 0).await?;
        let head = listing.commits.get(&version).cloned();
        let at = head.as_ref().map_or(state.outline.modified, modified);
        let later = Snapshot {
            passed_over: state.outline.passed_over,
            ..replay.finish(version, at, head)?
        };
        let state = Arc::clone(state);
        let next = blocking(move || state.after(later)).await?;
        within("active files", self.budgets().files, count(next.rows.len()))?;
        Ok(Some(Arc::new(next)))
    }

    /// Whether the log still has the commit that `state` was read up to.
    ///
    /// # Errors
    /// [`LogError::Storage`], [`LogError::Budget`].
    pub async fn still_has(&self, state: &State) -> Result<bool, LogError> {
        let Some(head) = &state.outline.head else {
            return Ok(false);
        };
        // A listing tells the same of an object as the one that it was found by, which asking for the object may not; no more
        // of it is taken than its beginning.
        let log = Path::from(LOG);
        let before = Path::from_iter([LOG, &format!("{:020}", state.version())]);
        let wanted = commit_path(state.version());
        let mut found = self.objects().list_with_offset(Some(&log), &before);
        let mut seen = 0;
        while let Some(found) = found.next().await {
            let found = found?;
            seen += 1;
            within("objects in the log", self.budgets().log_objects, seen)?;
            if found.location == wanted {
                return Ok(is_same(&found, head));
            }
        }
        Ok(false)
    }

    /// The newest version where it is known that there is a version `from`: with one listing, or as
    /// [`Table::latest_version`] where the log has been written anew.
    ///
    /// # Errors
    /// As [`Table::latest_version`].
    pub async fn latest_version_from(&self, from: u64) -> Result<Option<u64>, LogError> {
        let listing = Listing::read(self.objects().as_ref(), Some(from), self.budgets()).await?;
        let commits = listing.commits.keys().copied();
        let is_whole = commits.zip(from..).all(|(found, wanted)| found == wanted);
        let last = listing.commits.keys().next_back().copied();
        if last.is_some() && is_whole && listing.latest() == last {
            return Ok(last);
        }
        self.latest_version().await
    }
}

/// A log that was written anew has another object where a commit was.
fn is_same(one: &ObjectMeta, other: &ObjectMeta) -> bool {
    (one.size, one.last_modified, &one.e_tag) == (other.size, other.last_modified, &other.e_tag)
}

/// A million files take a while, in which others want to be answered.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(LogError::Storage(object_store::Error::Generic {
            store: "the table's state",
            source: Box::new(error),
        })),
    }
}
