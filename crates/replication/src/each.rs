//! A replica that keeps its source's versions: one commit for each of the source's, with the files of its change feed. Lives here:
//! which version a run is for, what the source's commit says beside the difference of the states, what the plan says of it, and which
//! commits the files of change feeds belong to that stand at a replica.
//!
//! The feed of a commit is kept only where it tells all that the commit does. One that brings several versions, mends the replica or
//! writes hidden rows away switches it off for itself, so that whoever reads the changes is told and reads no wrong ones.

use std::collections::{HashMap, HashSet};
use std::pin::pin;

use delta::{Action, CdcFile, Latest, LogError, Snapshot, Table};
use futures::StreamExt as _;
use model::Timestamp;
use object_store::path::Path;

use crate::commit::Draft;
use crate::commits;
use crate::files::CopyItem;
use crate::mark::Mark;
use crate::plan::{Ask, FullReason, Pair, PlanError, fingerprint};
use crate::vacuum::{VacuumError, broken};

/// Where the files of a change feed lie. One that lies elsewhere might stand where a data file is to.
const FOLDER: &str = "_change_data/";

/// Versions that a run leaves to come at most. A run takes some seconds at the least, so that these take an hour and more. Behind a source
/// that commits faster than that a replica would lag further every day, until the source's log forgets the versions before their turn.
const MOST_BEHIND: u64 = 1_000;

/// Whether an object is where change feeds are.
pub(crate) fn is_change_data(key: &str) -> bool {
    key.starts_with(FOLDER)
}

/// The version of the source that the next run is for: the one after that at which the replica stands, or the first one after it that
/// can still be read with all that came later and has no more behind it than may be.
pub(crate) async fn version(
    pair: &Pair,
    ask: Ask,
    latest: &Latest,
    mark: Option<&Mark>,
) -> Result<u64, PlanError> {
    let Some(mark) = mark.filter(|_| !ask.newest && !pair.hurries) else {
        return Ok(latest.version);
    };
    let next = mark.source_version.saturating_add(1);
    if latest.version <= next {
        return Ok(latest.version);
    }
    let print = fingerprint(&pair.source, mark.source_version, latest).await?;
    let known = mark.source_fingerprint.replace('"', "");
    // Another table up to there. Where the commit was cleaned away its id says whether it is.
    if print.is_some_and(|print| print != known) {
        return Ok(latest.version);
    }
    let least = next.max(latest.version.saturating_sub(MOST_BEHIND));
    let first = pair.source.earliest_change(least, latest.version).await;
    let first = first.map_err(PlanError::Source)?;
    Ok(first.unwrap_or(latest.version))
}

/// What a commit of the source says of its files.
pub(crate) struct Told {
    /// By path, whether it changed rows.
    adds: HashMap<String, bool>,
    removes: HashMap<String, bool>,
    feeds: Vec<CdcFile>,
}

impl Told {
    /// Of the commit that the replica's is to be; `None` where it is to bring something else.
    pub(crate) async fn of(
        pair: &Pair,
        mark: Option<&Mark>,
        full: Option<FullReason>,
        version: u64,
    ) -> Result<Option<Self>, PlanError> {
        let next = mark.and_then(|mark| mark.source_version.checked_add(1));
        if !pair.each || full.is_some() || next != Some(version) {
            return Ok(None);
        }
        let commit = match pair.source.commit(version).await {
            Ok(commit) => commit,
            // Cleaned away since the log was listed.
            Err(LogError::NoSuchVersion { .. } | LogError::Gap { .. }) => return Ok(None),
            Err(error) => return Err(PlanError::Source(error)),
        };
        let mut told = Self {
            adds: HashMap::new(),
            removes: HashMap::new(),
            feeds: Vec::new(),
        };
        for action in commit.actions {
            match action {
                Action::Add(file) => {
                    told.adds.insert(file.path.clone(), file.data_change);
                }
                Action::Remove(file) => {
                    told.removes.insert(file.path.clone(), file.data_change);
                }
                Action::Cdc(file) => told.feeds.push(file),
                _ => {}
            }
        }
        Ok(Some(told))
    }

    /// Whether what the commit does is what the draft does, and nothing else.
    fn is_all_of(&self, draft: &Draft) -> bool {
        let adds = draft.adds.iter().map(|file| file.path.as_str());
        let removes = draft.removes.iter().map(|file| file.path.as_str());
        is_same(&self.adds, adds) && is_same(&self.removes, removes)
    }

    /// Whether the files of the feed lie by themselves, each for itself.
    fn is_apart(&self, source: &Snapshot) -> bool {
        let files = source.files.values();
        let mut objects = files
            .flat_map(|file| [Some(&file.key), file.deletion_vector_key.as_ref()])
            .flatten();
        let keys: HashSet<&str> = self.feeds.iter().map(|file| file.key.as_ref()).collect();
        keys.len() == self.feeds.len()
            && keys.iter().all(|key| is_change_data(key))
            && (keys.is_empty() || !objects.any(|key| is_change_data(key.as_ref())))
    }

    /// What there is to copy of the feed.
    pub(crate) fn items(feeds: &[CdcFile]) -> impl Iterator<Item = CopyItem> {
        feeds.iter().map(|file| CopyItem {
            src: file.key.to_string(),
            dst: file.key.to_string(),
            size: file.size,
            // The log does not say when it was written.
            modified: Some(0),
            fresh: false,
        })
    }
}

/// Whether files are all that a commit names; of those that it says changed no row some may be left out.
fn is_same<'a>(told: &HashMap<String, bool>, files: impl Iterator<Item = &'a str>) -> bool {
    let mut changed = 0;
    for path in files {
        match told.get(path) {
            Some(is_change) => changed += usize::from(*is_change),
            None => return false,
        }
    }
    told.values().filter(|is_change| **is_change).count() == changed
}

/// Why a commit that is not one of the source's is without the feed.
const MORE: &str = "it brings something else than one version";

/// What becomes of the source's change feed in a plan's commit.
pub(crate) enum Feed {
    /// There is none, or nobody asked for it.
    None,
    Kept,
    /// The commit says that its changes were not recorded, and why.
    Lost(&'static str),
}

impl Feed {
    pub(crate) const fn is_kept(&self) -> bool {
        matches!(self, Self::Kept)
    }

    /// Before it is known what the commit does. `stood`: the replica, where it stands at the version.
    pub(crate) fn before(
        pair: &Pair,
        ask: Ask,
        (source, stood): (&Snapshot, Option<&Snapshot>),
        (full, told): (Option<FullReason>, Option<&Told>),
    ) -> Self {
        if !pair.each || !source.metadata.records_changes() {
            return Self::None;
        }
        match (full, told) {
            // Rows that come into an empty table.
            (Some(FullReason::First), _) => Self::Kept,
            (None, Some(_)) if ask.unfed => Self::Lost("one of its files is gone at the source"),
            (None, Some(told)) if !told.is_apart(source) => {
                Self::Lost("its files do not lie under _change_data")
            }
            (None, Some(_)) => Self::Kept,
            (None, None) if stood.is_some_and(|held| held.metadata.records_changes()) => Self::Kept,
            _ => Self::Lost(MORE),
        }
    }

    /// Once that is known.
    pub(crate) fn after(
        self,
        (full, told): (Option<FullReason>, Option<&Told>),
        draft: &Draft,
        purges: bool,
    ) -> Self {
        let is_still = draft.adds.is_empty() && draft.removes.is_empty();
        match (self, told) {
            (Self::Kept, _) if purges => Self::Lost("rows that a vector hides are written away"),
            (Self::Kept, Some(told)) if !told.is_all_of(draft) => {
                Self::Lost("the replica has other files than the source, and takes up the source's")
            }
            (Self::Kept, None) if full.is_none() && !is_still => Self::Lost(MORE),
            (feed, _) => feed,
        }
    }
}

/// Gives the draft what the commit of the source says beside the difference of the states. Of a draft that does something else, too,
/// nothing it says is true.
pub(crate) fn take(told: Told, feed: &Feed, draft: &mut Draft) {
    if !told.is_all_of(draft) {
        return;
    }
    let quiet = |(path, is_change): (String, bool)| (!is_change).then_some(path);
    draft.quiet_adds = told.adds.into_iter().filter_map(quiet).collect();
    draft.quiet_removes = told.removes.into_iter().filter_map(quiet).collect();
    if feed.is_kept() {
        draft.feeds = told.feeds;
    }
}

/// Why nothing but copying is thought of.
pub(crate) const WHY: &str = "each version of the source is a commit of its own here";

/// What a plan says of the versions that its commit brings, and of their feed. `from` is where the replica stands.
pub(crate) fn said(
    pair: &Pair,
    (from, version, more): (Option<u64>, u64, u64),
    ask: Ask,
    (full, feed): (Option<FullReason>, &Feed),
) -> Option<String> {
    let mut said = Vec::new();
    let first = from.map(|from| from.saturating_add(1));
    if full == Some(FullReason::Recreated) {
        said.push("Of a source that was made anew the newest version comes by itself.".to_owned());
    } else if let Some(first) = first.filter(|first| *first < version) {
        let because = match (pair.hurries, ask.newest) {
            (true, _) => "what is to be forgotten does not wait for each",
            (false, true) => "one of them cannot be copied by itself",
            (false, false) if more >= MOST_BEHIND => {
                "the replica is more than 1,000 versions behind its source"
            }
            (false, false) => "the source's log no longer has them one by one",
        };
        said.push(format!(
            "Versions {first} to {version} of the source come as one, for {because}."
        ));
    }
    if let Feed::Lost(because) = feed {
        said.push(format!(
            "The commit is without the change feed, for {because}."
        ));
    }
    match more {
        0 => {}
        1 => said.push("One more version follows, by a run of its own.".to_owned()),
        more => said.push(format!(
            "{more} more versions follow, each by a run of its own."
        )),
    }
    (!said.is_empty()).then(|| said.join(" "))
}

/// The files of change feeds that stand at the replica, with the time of the commit that they belong to, in milliseconds: from then on
/// their time runs, for what they tell of was over with it. What no commit names is not among them.
pub(crate) async fn change_data(
    target: &Table,
    version: u64,
) -> Result<HashMap<String, i64>, VacuumError> {
    let mut told = HashMap::new();
    let mut sought = HashMap::new();
    let folder = Path::from(FOLDER.trim_end_matches('/'));
    let mut listing = target.objects().list(Some(&folder));
    while let Some(object) = listing.next().await {
        let object = object.map_err(|error| broken(&error))?;
        let at = Timestamp::from_datetime(object.last_modified);
        sought.insert(object.location.to_string(), at);
    }
    drop(listing);
    // An object stands before the commit that names it, so that none of them is named by a commit from before the oldest.
    let Some(oldest) = sought.values().min().copied() else {
        return Ok(told);
    };
    let mut reads = pin!(commits::read(target, (0..=version).rev()));
    while let Some(read) = reads.next().await {
        let commit = match read {
            Ok(commit) => commit,
            // The log begins here.
            Err(LogError::NoSuchVersion { .. } | LogError::Gap { .. }) => break,
            Err(error) => return Err(VacuumError::Log(error)),
        };
        let info = commit.actions.iter().find_map(|action| match action {
            Action::CommitInfo(info) => info.get("timestamp")?.as_i64(),
            _ => None,
        });
        let at = info.unwrap_or(commit.modified.millis());
        for action in &commit.actions {
            if let Action::Cdc(file) = action
                && sought.remove(file.key.as_ref()).is_some()
            {
                told.insert(file.key.to_string(), at);
            }
        }
        if sought.is_empty() || commit.modified < oldest {
            break;
        }
    }
    Ok(told)
}
