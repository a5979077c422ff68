//! A table as its log tells it: versions, snapshots, commits. Reads JSON commits and checkpoints by itself;
//! nothing of a producer's log is handed to a library before it was contained and held against the budgets.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use futures::StreamExt;
use model::Timestamp;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use serde_json::Value;

use crate::actions::{Action, parse_line};
use crate::budgets::{count, within};
use crate::checkpoint::{Checkpoint, Row, Wanted};
use crate::lines::read_lines;
use crate::listing::{LOG, Listing, Plan, commit_path};
use crate::replay::{Replay, Snapshot, commit_time};
use crate::{Budgets, LogError};

/// The most checkpoints that are tried for one snapshot when they turn out to be broken.
const TRIED_CHECKPOINTS: usize = 3;

/// The most bytes of `_last_checkpoint` that are looked at.
const HINT_BYTES: u64 = 1 << 20;

/// A Delta table in a store. Cheap to clone; keeps no state.
#[derive(Clone)]
pub struct Table {
    objects: Arc<dyn ObjectStore>,
    budgets: Budgets,
    homes: Arc<[String]>,
}

/// The newest version of a table.
#[derive(Clone, Debug)]
pub struct Latest {
    pub version: u64,
    /// Its commit; None where only a checkpoint of it is there.
    pub commit: Option<ObjectMeta>,
}

/// Where the rows of a checkpoint and the actions of commits go; all that is not of files belongs to the replay.
pub(crate) type Each<'a> =
    &'a mut (dyn FnMut(Row<'_>, &mut Replay<'_>) -> Result<(), LogError> + Send);

/// What was tried to put a version together.
pub(crate) struct Tries {
    listing: Listing,
    /// Whether the listing begins at a checkpoint.
    partial: bool,
    /// Checkpoints that cannot be read.
    skip: BTreeSet<u64>,
    /// Why the first of them could not.
    first: Option<LogError>,
}

impl Tries {
    pub(crate) fn listing(&self) -> &Listing {
        &self.listing
    }

    pub(crate) fn plan(&self, at: Option<u64>) -> Result<Plan, LogError> {
        self.listing.plan(at, &self.skip)
    }

    pub(crate) fn told(&self, snapshot: Snapshot) -> Snapshot {
        let passed_over = snapshot.passed_over || !self.skip.is_empty();
        Snapshot {
            passed_over,
            ..snapshot
        }
    }
}

/// One commit, its actions in the order of the log.
#[derive(Clone, Debug)]
pub struct Commit {
    pub version: u64,
    /// As [`Snapshot::timestamp`].
    pub timestamp: Timestamp,
    /// Modification time of the commit's object.
    pub modified: Timestamp,
    /// Bytes of the commit's object.
    pub size: u64,
    pub actions: Vec<Action>,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("objects", &self.objects.to_string())
            .finish_non_exhaustive()
    }
}

impl Table {
    /// `objects` is rooted at the table's folder, the one that holds `_delta_log`.
    pub fn new(objects: Arc<dyn ObjectStore>, budgets: Budgets) -> Self {
        Self {
            objects,
            budgets,
            homes: Arc::from([]),
        }
    }

    /// Says by which absolute URLs writers call the table's folder, each with the slash at its end. Deletion vectors may be named
    /// so; what begins with none of these is outside.
    #[must_use]
    pub fn lying_at(self, homes: Vec<String>) -> Self {
        Self {
            homes: homes.into(),
            ..self
        }
    }

    pub(crate) fn homes(&self) -> &[String] {
        &self.homes
    }

    pub fn objects(&self) -> &Arc<dyn ObjectStore> {
        &self.objects
    }

    pub fn budgets(&self) -> &Budgets {
        &self.budgets
    }

    /// The newest version; `None` when there is no log.
    ///
    /// # Errors
    /// [`LogError::Gap`] and its like when the newest version cannot be put together.
    pub async fn latest_version(&self) -> Result<Option<u64>, LogError> {
        Ok(self.latest().await?.map(|latest| latest.version))
    }

    /// The same, with what the listing says of its commit.
    ///
    /// # Errors
    /// As [`Self::latest_version`].
    pub async fn latest(&self) -> Result<Option<Latest>, LogError> {
        let nothing = BTreeSet::new();
        let (mut listing, partial) = self.listing(None).await?;
        let planned = match listing.plan(None, &nothing) {
            Err(_) if partial => {
                listing = self.whole_listing().await?;
                listing.plan(None, &nothing)
            }
            planned => planned,
        };
        match planned {
            Ok(plan) => Ok(Some(Latest {
                version: plan.version,
                commit: listing.commits.remove(&plan.version),
            })),
            Err(LogError::NotATable) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The oldest version that can be put together; `None` when there is no log.
    ///
    /// # Errors
    /// [`LogError::Storage`], [`LogError::Budget`].
    pub async fn earliest_version(&self) -> Result<Option<u64>, LogError> {
        Ok(self.whole_listing().await?.earliest(&BTreeSet::new()))
    }

    /// The state at version `at`, or at the newest.
    ///
    /// # Errors
    /// Every kind of [`LogError`]; of a table that has one, nothing is returned.
    pub async fn snapshot(&self, at: Option<u64>) -> Result<Snapshot, LogError> {
        let mut tries = self.tries(at).await?;
        let mut each = |row: Row<'_>, replay: &mut Replay<'_>| match row {
            Row::Action(action) => replay.apply(action),
            // None are asked for.
            Row::Plain(_) => Ok(()),
        };
        loop {
            let error = match tries.plan(at) {
                Ok(plan) => {
                    let wanted = Wanted::Actions;
                    match self.build(&tries.listing, &plan, wanted, &mut each).await {
                        Ok(snapshot) => return Ok(tries.told(snapshot)),
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            self.try_again(&mut tries, error).await?;
        }
    }

    pub(crate) async fn tries(&self, at: Option<u64>) -> Result<Tries, LogError> {
        let (listing, partial) = self.listing(at).await?;
        Ok(Tries {
            listing,
            partial,
            skip: BTreeSet::new(),
            first: None,
        })
    }

    /// After an error: makes ready for another try where one may do better, else says what is to be said.
    pub(crate) async fn try_again(
        &self,
        tries: &mut Tries,
        error: LogError,
    ) -> Result<(), LogError> {
        match error {
            // A checkpoint only saves reading: without it the log may still reach back far enough.
            LogError::BrokenCheckpoint { version, .. }
                if tries.skip.len() < TRIED_CHECKPOINTS && tries.skip.insert(version) =>
            {
                tracing::warn!(version, "a checkpoint cannot be read, trying without");
                tries.first.get_or_insert(error);
            }
            LogError::Gap { .. } | LogError::NoSuchVersion { .. } | LogError::NotATable
                if tries.partial => {}
            // What was wrong first is why the rest did not do.
            LogError::Gap { .. } | LogError::NoSuchVersion { .. } | LogError::NotATable => {
                return Err(tries.first.take().unwrap_or(error));
            }
            error => return Err(error),
        }
        if tries.partial {
            tries.listing = self.whole_listing().await?;
            tries.partial = false;
        }
        Ok(())
    }

    /// The newest state, from a snapshot of this table that is at hand: reads only commits that came since.
    ///
    /// # Errors
    /// As [`Table::snapshot`].
    pub async fn update(&self, snapshot: &Snapshot) -> Result<Snapshot, LogError> {
        let Some(head) = &snapshot.head else {
            return self.snapshot(None).await;
        };
        let listing =
            Listing::read(self.objects.as_ref(), Some(snapshot.version), &self.budgets).await?;
        // A log that was written anew has another object where our newest commit was.
        let same = listing.commits.get(&snapshot.version).is_some_and(|found| {
            (found.size, found.last_modified, &found.e_tag)
                == (head.size, head.last_modified, &head.e_tag)
        });
        let next = snapshot.version.saturating_add(1);
        let commits: Vec<u64> = listing
            .commits
            .range(next..)
            .map(|(version, _)| *version)
            .collect();
        let whole = commits
            .iter()
            .zip(next..)
            .all(|(found, wanted)| *found == wanted);
        let version = commits.last().copied().unwrap_or(snapshot.version);
        if !same || !whole || listing.latest() != Some(version) {
            return self.snapshot(None).await;
        }
        if commits.is_empty() {
            return Ok(snapshot.clone());
        }
        let mut replay = Replay::from_snapshot(snapshot, &self.budgets);
        let mut spent = 0;
        self.replay_commits(&mut replay, &commits, &mut spent)
            .await?;
        let head = listing.commits.get(&version).cloned();
        let modified = head.as_ref().map_or(snapshot.modified, modified);
        let next = replay.finish(version, modified, head)?;
        Ok(Snapshot {
            passed_over: snapshot.passed_over,
            ..next
        })
    }

    /// One commit, whole.
    ///
    /// # Errors
    /// [`LogError::NoSuchVersion`] or [`LogError::Gap`] when it is not there, else as [`Table::snapshot`].
    pub async fn commit(&self, version: u64) -> Result<Commit, LogError> {
        let mut actions = Vec::new();
        let path = commit_path(version);
        let read = read_lines(
            self.objects.as_ref(),
            &path,
            version,
            &self.budgets,
            &self.homes,
            &mut 0,
            |at, line| {
                actions.extend(parse_line(line, at)?);
                within(
                    "actions of a commit",
                    self.budgets.commit_actions,
                    count(actions.len()),
                )?;
                Ok(true)
            },
        )
        .await;
        let meta = match read {
            Ok(meta) => meta,
            Err(LogError::Storage(object_store::Error::NotFound { .. })) => {
                return Err(self.why_missing(version).await?);
            }
            Err(error) => return Err(error),
        };
        let info = actions.iter().find_map(|action| match action {
            Action::CommitInfo(info) => Some(info),
            _ => None,
        });
        let modified = modified(&meta);
        Ok(Commit {
            version,
            timestamp: commit_time(info, modified),
            modified,
            size: meta.size,
            actions,
        })
    }

    async fn why_missing(&self, version: u64) -> Result<LogError, LogError> {
        let listing = self.whole_listing().await?;
        Ok(match (listing.commits.keys().next(), listing.latest()) {
            (_, None) => LogError::NotATable,
            (Some(earliest), Some(latest)) if *earliest < version && version <= latest => {
                LogError::Gap { missing: version }
            }
            (earliest, Some(latest)) => LogError::NoSuchVersion {
                earliest: earliest.copied().unwrap_or(latest),
                latest,
            },
        })
    }

    pub(crate) async fn whole_listing(&self) -> Result<Listing, LogError> {
        Listing::read(self.objects.as_ref(), None, &self.budgets).await
    }

    /// What is needed for version `at`, and whether the listing begins at a checkpoint. `_last_checkpoint` may be
    /// missing, torn, stale or a lie: it only says where to begin to look, and only if that checkpoint is there.
    async fn listing(&self, at: Option<u64>) -> Result<(Listing, bool), LogError> {
        if let Some(hint) = self
            .hint()
            .await?
            .filter(|hint| at.is_none_or(|at| *hint <= at))
        {
            let listing = Listing::read(self.objects.as_ref(), Some(hint), &self.budgets).await?;
            if listing.checkpoint(hint).is_some() {
                return Ok((listing, true));
            }
        }
        Ok((self.whole_listing().await?, false))
    }

    /// The version `_last_checkpoint` names. Its other fields, paths among them, are not used.
    async fn hint(&self) -> Result<Option<u64>, LogError> {
        #[derive(serde::Deserialize)]
        struct Hint {
            version: u64,
        }
        let found = match self
            .objects
            .get(&Path::from_iter([LOG, "_last_checkpoint"]))
            .await
        {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut text = Vec::new();
        let mut chunks = found.into_stream();
        while let Some(chunk) = chunks.next().await {
            text.extend_from_slice(&chunk?);
            if count(text.len()) > HINT_BYTES {
                return Ok(None);
            }
        }
        let hint = serde_json::from_slice::<Hint>(&text)
            .ok()
            .map(|hint| hint.version);
        Ok(hint.filter(|version| i64::try_from(*version).is_ok()))
    }

    /// What `each` makes of the rows of a checkpoint and the actions of the commits after it, in their order.
    pub(crate) async fn build(
        &self,
        listing: &Listing,
        plan: &Plan,
        wanted: Wanted,
        each: Each<'_>,
    ) -> Result<Snapshot, LogError> {
        let mut replay = Replay::new(&self.budgets);
        let mut spent = 0;
        let mut at = Timestamp::default();
        // The library follows a V2 checkpoint's sidecars wherever they point; see `write_checkpoint`.
        let mut has_v2 = listing.has_v2();
        if let Some((version, files)) = &plan.checkpoint {
            at = files.iter().map(modified).max().unwrap_or_default();
            let mut each = |row: Row<'_>| each(row, &mut replay);
            let checkpoint = Checkpoint {
                version: *version,
                files,
                sidecars: &listing.sidecars,
                homes: &self.homes,
            };
            has_v2 |= checkpoint
                .read_rows(&self.objects, &self.budgets, &mut spent, wanted, &mut each)
                .await?;
        }
        self.read_commits(&mut replay, &plan.commits, &mut spent, each)
            .await?;
        let head = listing.commits.get(&plan.version).cloned();
        if let Some(head) = &head {
            at = modified(head);
            if plan.commits.is_empty() {
                // The checkpoint has the state, but not when it was committed.
                if let Some(info) = self.commit_info(plan.version, &mut spent).await? {
                    replay.apply(Action::CommitInfo(info))?;
                }
            }
        }
        let snapshot = replay.finish(plan.version, at, head)?;
        Ok(Snapshot {
            passed_over: has_v2,
            ..snapshot
        })
    }

    pub(crate) async fn commit_info(
        &self,
        version: u64,
        spent: &mut u64,
    ) -> Result<Option<Value>, LogError> {
        let mut info = None;
        read_lines(
            self.objects.as_ref(),
            &commit_path(version),
            version,
            &self.budgets,
            &self.homes,
            spent,
            |at, line| {
                for action in parse_line(line, at)? {
                    if let Action::CommitInfo(found) = action {
                        info = Some(found);
                    }
                }
                Ok(info.is_none())
            },
        )
        .await?;
        Ok(info)
    }

    pub(crate) async fn replay_commits(
        &self,
        replay: &mut Replay<'_>,
        versions: &[u64],
        spent: &mut u64,
    ) -> Result<(), LogError> {
        let mut each = |row: Row<'_>, replay: &mut Replay<'_>| match row {
            Row::Action(action) => replay.apply(action),
            Row::Plain(_) => Ok(()),
        };
        self.read_commits(replay, versions, spent, &mut each).await
    }

    async fn read_commits(
        &self,
        replay: &mut Replay<'_>,
        versions: &[u64],
        spent: &mut u64,
        each: Each<'_>,
    ) -> Result<(), LogError> {
        for version in versions {
            replay.begin_commit();
            read_lines(
                self.objects.as_ref(),
                &commit_path(*version),
                *version,
                &self.budgets,
                &self.homes,
                spent,
                |at, line| {
                    parse_line(line, at)?
                        .into_iter()
                        .try_for_each(|action| each(Row::Action(action), replay))?;
                    Ok(true)
                },
            )
            .await?;
        }
        Ok(())
    }
}

pub(crate) fn modified(meta: &ObjectMeta) -> Timestamp {
    Timestamp::from_datetime(meta.last_modified)
}
