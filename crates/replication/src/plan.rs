//! Planning a sync run: the difference between the source's state at one pinned version and what the replica holds, by
//! raw path and deletion vector. The difference of states needs no history, so a first clone, a source made anew, a
//! restore and a log cleaned up long ago are all the same question. Where history is enough, the same plan is made of it ([`crate::tail`]).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use delta::{AddFile, Latest, LogError, Shape, Table};
use model::{ProductName, ReplicaTableId, SyncRunId, Timestamp};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectMeta, ObjectStoreExt as _};
use serde::{Deserialize, Serialize};

use crate::adopt::{Adopted, Adoption, Wanted, is_sure, look_for, surely};
use crate::choose::{Chosen, Ways, choose};
use crate::commit::Draft;
use crate::diff::{bring_home, copies, draft, keys_digest, reusable, vectors};
use crate::files::CopyItem;
use crate::foresee::{Moves, Weighed};
use crate::intent;
use crate::journal::LogEscape;
use crate::mark::{HEAD_BYTES, Mark, mark_of};
use crate::marker::{Marker, MarkerError};
use crate::mend::Mend;
use crate::narrow::{self, Found, Narrow, PlanNarrowed, misfit};
use crate::say::say;
use crate::tail::{self, Basis, Since, Untailed};

/// Actions below which a commit is surely small enough to be read back.
const MANY: usize = 5_000;

/// Runs that copy files after one that could not change rows as it had planned: it fetched the feed, and then the files all the same,
/// and where values are what keeps rows from being found, each run would.
const REST: u64 = 4;

/// A source table and its replica table, both rooted at their folders.
#[derive(Clone)]
pub struct Pair {
    pub source: Table,
    pub target: Table,
    pub replica_table: ReplicaTableId,
    pub product: ProductName,
    /// How long the sync job keeps files that the source has deleted. The replica's log remembers their tombstones
    /// for longer.
    pub retention_hours: u32,
    /// The replica was found to differ, and the run is to mend it.
    pub mend: Option<Mend>,
    /// What may be done beside copying files.
    pub ways: Ways,
    /// What the replica has less than its source. A replica that was narrowed once is narrowed in every run, with the same key.
    pub narrow: Option<Narrow>,
    /// A copy that lies in the replica's storage already, for a first sync.
    pub adopt: Option<Adoption>,
}

/// Why everything is compared and not only what is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FullReason {
    /// The first sync.
    First,
    /// The source was made anew: another table id, or a version below the last one.
    Recreated,
    /// The replica was found to differ from the source, and what it holds is looked at again.
    Mended,
}

/// What a plan comes down to, without the list of files: small enough for a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanSummary {
    pub run: SyncRunId,
    /// Counts the plans of the run from 1.
    pub ordinal: u32,
    pub planned_at: Timestamp,
    /// The pinned version: commits that arrive meanwhile wait for the next run.
    pub source_version: u64,
    pub source_timestamp: Timestamp,
    pub source_table: String,
    pub source_fingerprint: String,
    /// The source version the replica stands at; None before the first sync.
    pub from_version: Option<u64>,
    /// The version to write on the replica.
    pub target_version: u64,
    pub full: Option<FullReason>,
    /// Objects that have to cross, and their bytes.
    pub files_copy: u64,
    pub bytes_copy: u64,
    /// Files to add whose objects the replica still holds.
    pub files_reused: u64,
    pub files_removed: u64,
    pub bytes_removed: u64,
    /// Files of which the source says something new, without a byte to copy.
    pub files_updated: u64,
    /// The table as the replica will stand: what a full copy would have cost.
    pub files_full: u64,
    pub bytes_full: u64,
    /// None where a file has no statistics.
    pub rows_full: Option<u64>,
    /// What verifying compares.
    pub keys_digest: String,
    pub protocol_digest: String,
    pub metadata_digest: String,
    /// None in plans from before domains were cloned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domains_digest: Option<String>,
    /// Sets of rewritten files that are not copied: their rows are changed by the feed, or stand already.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sets_by_rows: u64,
    /// Of these, such as the feed is applied to, and the bytes that are fetched for them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sets_fed: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes_fed: u64,
    /// Sets of rewritten files that are copied.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sets_copied: u64,
    /// Why nothing but copying was thought of, or of some set the first reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Which, and how; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub choice: String,
    /// What the ways that were thought of would have moved; None in plans from before that was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ways: Option<WaysMoved>,
    /// So many more runs copy files, because rows could not be changed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub files_for: u64,
    /// Files that are written anew, at the replica, for nothing but the rows that a vector hides in them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub files_purged: u64,
    /// When that was last looked for, with this plan or before; milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purged_at: Option<i64>,
    /// What is moved of a narrowed replica's source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub narrowed: Option<PlanNarrowed>,
    /// What of an adopted folder serves; it is not among what has to cross.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<Adopted>,
    /// Of the files that the commit adds, in a plan from the logs' tails; None where one has no statistics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_added: Option<u64>,
    /// What lets the next run be planned from the logs' tails; None: it cannot be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Basis>,
}

/// Bytes of files that each way would have moved in place of what the run did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaysMoved {
    /// Each object that the replica does not hold, and nothing else.
    pub files: u64,
    /// With the change feed in place of rewritten files wherever it can be. `None`: it was not thought of, or can be nowhere.
    pub feed: Option<u64>,
    /// With compactions left alone wherever they can be; likewise.
    pub skip: Option<u64>,
}

pub(crate) fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A plan with its files.
pub struct Plan {
    pub summary: PlanSummary,
    /// Data files in the order of the source's log, then deletion vectors, then what is mended.
    pub copies: Vec<CopyItem>,
    /// Of these, by where they go, what the replica still holds and nothing crosses for.
    pub(crate) reused: HashSet<String>,
    /// And what is hoped to lie in an adopted folder.
    pub(crate) wanted: HashMap<String, Wanted>,
    /// All data files of the source.
    pub(crate) full: Moves,
    pub(crate) draft: Draft,
    pub(crate) chosen: Chosen,
    /// Of the source, where rows are to be changed.
    pub(crate) shape: Option<Shape>,
    /// What was chosen has been applied, and is in the draft.
    pub(crate) is_settled: bool,
    /// What is written of a narrowed replica.
    pub(crate) narrow: Option<narrow::Work>,
}

pub enum Planned {
    /// The replica stands at the source's version.
    Nothing {
        source_version: u64,
        target_version: u64,
    },
    Work(Box<Plan>),
}

#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error(transparent)]
    Marker(#[from] MarkerError),
    #[error(
        "The replica has diverged: {what}. Delete its folder, all of it, and sync again: it is cloned anew. Or put it back as it was."
    )]
    Diverged { what: String },
    #[error(
        "The source needs the table feature `{feature}`, which cannot be cloned yet. Drop it from the table, or grant live access."
    )]
    Unsupported { feature: String },
    #[error(
        "The source's log names the data file `{path}`, which lies where a replica keeps its own files. It is not copied."
    )]
    Reserved { path: String },
    #[error(
        "The source has too many files for one commit: {bytes} bytes of log, at most {limit}. Compact the table."
    )]
    TooLarge { bytes: u64, limit: u64 },
    #[error(
        "The source says of itself what is {bytes} bytes long, its table id above all; by more than {limit} no commit of the replica could be recognised. Write the table anew."
    )]
    Verbose { bytes: u64, limit: u64 },
    #[error("The replica cannot be narrowed by its cut. {0}")]
    Narrowing(String),
    #[error(
        "The replica cannot go on by this cut: {0}. Nothing was written. Sync it by the cut and key that it was made with, or make another replica."
    )]
    Profile(&'static str),
    /// What was named as a copy of the table cannot be taken for one.
    #[error("{why}.")]
    Adopt { why: String },
    #[error("The source's log no longer has version {version}.")]
    PinGone { version: u64 },
    #[error("Source: {0}")]
    Source(LogError),
    #[error("Replica: {0}")]
    Target(LogError),
    #[error("{0}")]
    Store(String),
}

/// What is to become of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// May be better next time.
    Retry,
    /// Only the source's owner can help, by another version.
    Fail,
    /// A person has to look at the replica.
    Park,
}

impl PlanError {
    /// The log that points out of its table, if that is what is wrong.
    pub(crate) fn escape(&self) -> Option<LogEscape> {
        let (error, of_source) = match self {
            Self::Source(error) => (error, true),
            Self::Target(error) => (error, false),
            _ => return None,
        };
        let version = error.escape_version()?;
        Some(LogEscape { of_source, version })
    }

    pub(crate) fn fate(&self) -> Fate {
        match self {
            Self::Marker(error) if error.is_passing() => Fate::Retry,
            Self::Marker(_) | Self::Diverged { .. } | Self::Profile(_) => Fate::Park,
            Self::Narrowing(_) => Fate::Fail,
            Self::Unsupported { .. }
            | Self::Reserved { .. }
            | Self::TooLarge { .. }
            | Self::Verbose { .. }
            | Self::Adopt { .. } => Fate::Fail,
            Self::Source(error) | Self::Target(error) if is_passing(error) => Fate::Retry,
            Self::Source(_) => Fate::Fail,
            Self::Target(_) => Fate::Park,
            Self::PinGone { .. } | Self::Store(_) => Fate::Retry,
        }
    }
}

/// Whether a log may be readable the next time: the store failed, or a cleaner was faster than the reader.
pub(crate) fn is_passing(error: &LogError) -> bool {
    matches!(error, LogError::Storage(_) | LogError::NoSuchVersion { .. })
}

/// What is asked of the planner.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) run: SyncRunId,
    pub(crate) ordinal: u32,
    /// The source version to plan for; None: the latest.
    pub(crate) pin: Option<u64>,
    /// The replica's version as the exchange last recorded it.
    pub(crate) expected: Option<u64>,
    /// The folder's marker was just seen.
    pub(crate) claimed: bool,
    /// Nothing but copying is left to be done.
    pub(crate) files_only: bool,
    /// The states are compared, though the logs' tails might do.
    pub(crate) whole: bool,
}

/// Plans a run for the source's latest version. Reads logs only, never a data file but, of a narrowed replica's source, footers;
/// with nothing new, the tail of both logs.
pub async fn plan(pair: &Pair, run: SyncRunId, at: Timestamp) -> Result<Planned, PlanError> {
    plan_for(
        pair,
        Ask {
            run,
            ordinal: 1,
            pin: None,
            expected: None,
            claimed: false,
            files_only: false,
            whole: false,
        },
        at,
    )
    .await
}

/// Where the replica stands: its version, and what its latest commit says of itself.
pub(crate) async fn standing(pair: &Pair, ask: Ask) -> Result<Option<(u64, Mark)>, PlanError> {
    let target = &pair.target;
    let is_ours = ask.claimed
        || Marker::read(target.objects().as_ref(), pair.replica_table)
            .await?
            .is_some();
    let latest = target.latest_version().await.map_err(PlanError::Target)?;
    if let Some(expected) = ask.expected
        && latest.is_none_or(|latest| latest < expected)
    {
        let there = latest.map_or("it has no log any more".to_owned(), |latest| {
            format!("its log ends at {latest}")
        });
        return Err(PlanError::Diverged {
            what: format!("version {expected} was written, but {there}"),
        });
    }
    let Some(latest) = latest else {
        return Ok(None);
    };
    if !is_ours {
        return Err(MarkerError::Foreign {
            found: "_delta_log".to_owned(),
        }
        .into());
    }
    match mark_of(target, latest, pair.replica_table).await {
        Ok(Some(mark)) => Ok(Some((latest, mark))),
        Ok(None) => Err(PlanError::Diverged {
            what: format!("somebody else wrote version {latest}"),
        }),
        Err(error) => Err(PlanError::Store(format!("Replica: {}", say(&error)))),
    }
}

/// Tells one commit file from another of the same version, without reading it: what a listing says of it, which some stores
/// write without the quotes that its own answer has.
fn print_of(commit: &ObjectMeta) -> String {
    let tag = match &commit.e_tag {
        Some(tag) => tag.replace('"', ""),
        None => commit.last_modified.timestamp().to_string(),
    };
    format!("{tag}/{}", commit.size)
}

/// The same of any version; None: the log begins after it.
pub(crate) async fn fingerprint(
    source: &Table,
    version: u64,
    latest: &Latest,
) -> Result<Option<String>, PlanError> {
    if version == latest.version {
        return Ok(latest.commit.as_ref().map(print_of));
    }
    match source
        .objects()
        .head(&Path::from(format!("_delta_log/{version:020}.json")))
        .await
    {
        Ok(commit) => Ok(Some(print_of(&commit))),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(PlanError::Store(format!("Source: {}", say(&error)))),
    }
}

/// Whether the source's newest version is another than the one that was planned for.
pub(crate) async fn has_moved_on(source: &Table, plan: &PlanSummary) -> Result<bool, PlanError> {
    let latest = source.latest().await.map_err(PlanError::Source)?;
    let Some(latest) = latest.filter(|latest| latest.version == plan.source_version) else {
        return Ok(true);
    };
    let print = latest.commit.as_ref().map(print_of).unwrap_or_default();
    Ok(print != plan.source_fingerprint)
}

/// Whether rows that only a vector hides are to go with this plan.
fn is_purging(pair: &Pair, mark: &Mark, at: Timestamp) -> bool {
    let last = mark.purged_at.map(Timestamp::from_millis);
    let is_due = |pause: i64| pause == 0 || last.is_none_or(|last| at.since(last) >= pause);
    pair.ways.purge.is_some_and(is_due)
}

pub(crate) async fn plan_for(pair: &Pair, ask: Ask, at: Timestamp) -> Result<Planned, PlanError> {
    let standing = standing(pair, ask).await?;
    if let Some((_, mark)) = &standing {
        let now = pair.narrow.as_ref().map(Narrow::print);
        if let Some(why) = misfit(mark.narrowed.as_deref(), now.as_deref()) {
            return Err(PlanError::Profile(why));
        }
    }
    let latest = pair.source.latest().await.map_err(PlanError::Source)?;
    let latest = latest.ok_or(PlanError::Source(LogError::NotATable))?;
    let version = match ask.pin {
        Some(pin) if pin > latest.version => return Err(PlanError::PinGone { version: pin }),
        Some(pin) => pin,
        None => latest.version,
    };
    let purges = |mark: &Mark| is_purging(pair, mark, at);
    let print = fingerprint(&pair.source, version, &latest)
        .await?
        .unwrap_or_default();
    if let Some((target_version, mark)) = &standing
        && mark.source_version == version
        && !print.is_empty()
        // Of marks from before, with the quotes.
        && mark.source_fingerprint.replace('"', "") == print
        && pair.mend.is_none()
        && !purges(mark)
    {
        return Ok(Planned::Nothing {
            source_version: version,
            target_version: *target_version,
        });
    }
    if let Some((target_version, mark)) = standing
        .as_ref()
        .filter(|(_, mark)| !ask.whole && pair.narrow.is_none() && !purges(mark))
    {
        let since = Since {
            target_version: *target_version,
            mark,
            latest: &latest,
            version,
            print: &print,
        };
        match tail::plan(pair, ask, at, &since).await {
            Ok(plan) => return Ok(Planned::Work(Box::new(plan))),
            Err(Untailed::Failed(error)) => return Err(error),
            Err(Untailed::Whole(why)) => {
                tracing::debug!(replica_table = %pair.replica_table, why, "both states are compared");
            }
        }
    }
    let mut source = match pair.source.snapshot(Some(version)).await {
        Ok(source) => source,
        Err(LogError::NoSuchVersion { .. }) => return Err(PlanError::PinGone { version }),
        Err(error) => return Err(PlanError::Source(error)),
    };
    if let Some(feature) = source.support().clone_refused_for() {
        let feature = feature.to_owned();
        return Err(PlanError::Unsupported { feature });
    }
    let held = match &standing {
        Some((version, _)) => Some(
            pair.target
                .snapshot(Some(*version))
                .await
                .map_err(PlanError::Target)?,
        ),
        None => None,
    };
    let full = match &standing {
        None => Some(FullReason::First),
        Some((_, mark)) if mark.source_table != source.metadata.id => Some(FullReason::Recreated),
        Some((target_version, mark)) if version < mark.source_version => {
            if ask.pin.is_some() {
                // Another run has meanwhile brought the replica further than this one was to.
                let source_version = mark.source_version;
                return Ok(Planned::Nothing {
                    source_version,
                    target_version: *target_version,
                });
            }
            Some(FullReason::Recreated)
        }
        Some(_) => pair.mend.is_some().then_some(FullReason::Mended),
    };
    if let Some(narrow) = &pair.narrow {
        let found = Found {
            standing,
            version,
            print,
            source,
            held,
            full,
        };
        return narrow::plan(pair, narrow, ask, at, found).await;
    }
    let origins = bring_home(&mut source)?;
    let rest = standing.as_ref().map_or(0, |(_, mark)| mark.files_for);
    let purged_at = standing.as_ref().and_then(|(_, mark)| mark.purged_at);
    let purge = !ask.files_only
        && rest == 0
        && full.is_none()
        && standing.as_ref().is_some_and(|(_, mark)| purges(mark));
    let chosen = match &held {
        Some(held) if full.is_none() => {
            let from = standing.as_ref().map(|(_, mark)| mark.source_version);
            let from = from.filter(|_| !ask.files_only && rest == 0);
            let mut chosen = choose(pair, &source, held, from, purge).await?;
            if rest > 0 {
                let why = "the change feed could not be applied lately; a later run tries it again";
                chosen.why.get_or_insert_with(|| why.to_owned());
            }
            chosen
        }
        // All is looked at again, so that nothing is taken for something else.
        Some(held) => Chosen::of_files(held),
        None => Chosen::default(),
    };
    let mut draft = draft(pair, &source, held.as_ref(), &chosen, at)?;
    if purge && pair.ways.purge > Some(0) {
        // By a deadline: since when they are hidden is known only to lie behind the last time.
        let bases = chosen.works.iter().flat_map(|work| &work.bases);
        for base in bases.filter(|base| base.file.deletion_vector.is_some()) {
            let since = purged_at.unwrap_or_default();
            draft.gone.entry(base.file.file_key()).or_insert(since);
        }
    }
    if let Some((target_version, mark)) = &standing
        && full.is_none()
        && mark.source_version == version
        && draft.is_empty()
        && chosen.works.is_empty()
    {
        return Ok(Planned::Nothing {
            source_version: version,
            target_version: *target_version,
        });
    }
    let mut copies = copies(&draft.adds, held.as_ref())?;
    let mut hiding = draft.adds.clone();
    hiding.extend(chosen.read_with_vectors());
    copies.extend(vectors(pair, &hiding, held.as_ref(), &origins).await?);
    copies.extend(chosen.items(held.as_ref())?);
    let reused = reusable(pair, held.as_ref(), &copies).await?;
    if let Some(mend) = pair.mend.as_ref().filter(|_| held.is_some()) {
        let again = mend.copies(pair, &source, &origins).await?;
        let known: HashSet<String> = copies.iter().map(|item| item.dst.clone()).collect();
        copies.extend(again.into_iter().filter(|item| !known.contains(&item.dst)));
    }
    let fed = chosen.fed();
    let (wanted, adopted) = match &pair.adopt {
        Some(adoption) if held.is_none() => {
            let (wanted, adopted) = look_for(pair, adoption, &mut copies).await?;
            (wanted, Some(adopted))
        }
        _ => (HashMap::new(), None),
    };
    let sum = |files: &[Arc<AddFile>]| files.iter().map(|file| file.size).sum::<u64>();
    let summary = PlanSummary {
        run: ask.run,
        ordinal: ask.ordinal,
        planned_at: at,
        source_version: version,
        source_timestamp: source.timestamp,
        source_table: source.metadata.id.clone(),
        source_fingerprint: print,
        from_version: standing.as_ref().map(|(_, mark)| mark.source_version),
        target_version: standing.as_ref().map_or(0, |(version, _)| version + 1),
        full,
        files_copy: (copies.len() - reused.len() - surely(&wanted)) as u64,
        bytes_copy: copies
            .iter()
            .filter(|item| !reused.contains(item.dst.as_str()) && !is_sure(&wanted, &item.dst))
            .map(|item| item.size)
            .sum(),
        files_reused: reused.len() as u64,
        files_removed: draft.removes.len() as u64,
        bytes_removed: sum(&draft.removes),
        files_updated: draft.updates.len() as u64,
        files_full: source.files.len() as u64,
        bytes_full: source.bytes(),
        rows_full: source.rows(),
        keys_digest: keys_digest(&source),
        protocol_digest: draft.needs.digest(),
        metadata_digest: intent::metadata_digest(&source.metadata, &draft.configuration),
        domains_digest: Some(intent::domains_digest(&draft.all_domains)),
        sets_by_rows: chosen.sets().0,
        sets_fed: fed.0,
        bytes_fed: fed.1,
        sets_copied: chosen.sets().1,
        why: chosen.why.clone(),
        choice: chosen.digest(),
        ways: Some(
            Weighed::of(
                &copies,
                &reused,
                (&wanted, adopted.as_ref()),
                &chosen.options,
            )
            .told(),
        ),
        files_for: files_for(ask, rest),
        rows_added: None,
        files_purged: chosen.purged,
        purged_at: match purge {
            true => Some(at.millis()),
            false => purged_at,
        },
        narrowed: None,
        adopted,
        basis: tail::basis(pair, &source, &draft, &chosen),
    };
    can_be_read_back(pair, &draft, &summary, at)?;
    Ok(Planned::Work(Box::new(Plan {
        summary,
        copies,
        reused,
        wanted,
        full: Moves::of(source.files.values().map(|file| file.size)),
        shape: match chosen.works.is_empty() {
            true => None,
            false => source.metadata.shape().ok(),
        },
        draft,
        chosen,
        is_settled: false,
        narrow: None,
    })))
}

/// How many runs after this one copy files, where so many were to.
pub(crate) fn files_for(ask: Ask, rest: u64) -> u64 {
    match ask.files_only {
        true => REST,
        false => rest.saturating_sub(1),
    }
}

/// What could not be read back must not be written, and that is to be known before the first byte crosses.
pub(crate) fn can_be_read_back(
    pair: &Pair,
    draft: &Draft,
    summary: &PlanSummary,
    at: Timestamp,
) -> Result<(), PlanError> {
    can_be_recognised(pair, draft, summary, at)?;
    let limit = pair.target.budgets().commit_bytes;
    if draft.adds.len() + draft.updates.len() + draft.removes.len() > MANY {
        let bytes = draft.body(summary, pair.replica_table, at).len() as u64;
        if bytes > limit {
            return Err(PlanError::TooLarge { bytes, limit });
        }
    }
    Ok(())
}

/// Nor must what would be taken for a stranger's: the source's own words stand in the lines that say whose a commit is.
pub(crate) fn can_be_recognised(
    pair: &Pair,
    draft: &Draft,
    summary: &PlanSummary,
    at: Timestamp,
) -> Result<(), PlanError> {
    // Half of what is read of it: the figures may still gain some digits.
    let limit = HEAD_BYTES / 2;
    let bytes = draft.head(summary, pair.replica_table, at).len() as u64;
    if bytes > limit {
        return Err(PlanError::Verbose { bytes, limit });
    }
    Ok(())
}
