//! Planning a sync run: the difference between the source's state at one pinned version and what the replica holds, by
//! raw path and deletion vector. The difference of states needs no history, so a first clone, a source made anew, a
//! restore and a log cleaned up long ago are all the same question. Where history is enough, the same plan is made of it ([`crate::tail`]).

mod error;
mod print;
mod size;
mod summary;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use delta::{AddFile, LogError, Shape, Table};
use model::{ProductName, ReplicaTableId, SyncRunId, Timestamp};

pub use self::error::PlanError;
pub(crate) use self::error::{Fate, is_passing};
pub(crate) use self::print::{fingerprint, has_moved_on};
pub(crate) use self::size::{can_be_read_back, can_be_recognised};
pub(crate) use self::summary::is_zero;
pub use self::summary::{FullReason, PlanSummary, WaysMoved};
use crate::adopt::{Adoption, Wanted, is_sure, look_for, surely};
use crate::choose::{Chosen, Ways, choose};
use crate::commit::Draft;
use crate::diff::{bring_home, copies, draft, keys_digest, reusable, vectors};
use crate::each::{self, Feed, Told};
use crate::files::CopyItem;
use crate::foresee::{Moves, Weighed};
use crate::intent;
use crate::mark::{Mark, mark_of};
use crate::marker::{Marker, MarkerError};
use crate::mend::Mend;
use crate::narrow::{self, Found, Narrow, misfit};
use crate::say::say;
use crate::tail::{self, Since, Untailed};

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
    /// The replica has a commit for each version of the source, with its change feed, as long as the source still has them. Then its
    /// files are the source's, whatever the ways allow.
    pub each: bool,
    /// All up to the newest comes as one all the same, for something is to be forgotten: what came between may hold it.
    pub hurries: bool,
    /// What the replica has less than its source. A replica that was narrowed once is narrowed in every run, with the same key.
    pub narrow: Option<Narrow>,
    /// A copy that lies in the replica's storage already, for a first sync.
    pub adopt: Option<Adoption>,
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
    /// Where each version is a commit of its own: all up to the newest as one, for one of them could not be copied.
    pub(crate) newest: bool,
    /// Likewise: the version without its change feed, of which a file is gone.
    pub(crate) unfed: bool,
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
            newest: false,
            unfed: false,
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

/// Whether rows that only a vector hides are to go with this plan.
fn is_purging(pair: &Pair, mark: &Mark, at: Timestamp) -> bool {
    let last = mark.purged_at.map(Timestamp::from_millis);
    let is_due = |pause: i64| pause == 0 || last.is_none_or(|last| at.since(last) >= pause);
    pair.ways.purge.is_some_and(is_due)
}

pub(crate) async fn plan_for(pair: &Pair, ask: Ask, at: Timestamp) -> Result<Planned, PlanError> {
    let planned = Box::pin(plan_version(pair, ask, at)).await;
    if !pair.each || ask.newest || ask.pin.is_some() {
        return planned;
    }
    // What one version does not allow a later one may; and of a table that was made anew there are no versions to keep.
    let is_stuck = match &planned {
        Ok(Planned::Work(plan)) => {
            plan.summary.full == Some(FullReason::Recreated) && plan.summary.more > 0
        }
        Ok(Planned::Nothing { .. }) => false,
        Err(error) => error.fate() == Fate::Fail,
    };
    if !is_stuck {
        return planned;
    }
    let newest = Ask {
        newest: true,
        ..ask
    };
    Box::pin(plan_version(pair, newest, at)).await
}

async fn plan_version(pair: &Pair, ask: Ask, at: Timestamp) -> Result<Planned, PlanError> {
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
        None if pair.each => {
            let mark = standing.as_ref().map(|(_, mark)| mark);
            each::version(pair, ask, &latest, mark).await?
        }
        None => latest.version,
    };
    let more = match pair.each {
        true => latest.version.saturating_sub(version),
        false => 0,
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
        .filter(|(_, mark)| !ask.whole && !pair.each && pair.narrow.is_none() && !purges(mark))
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
        // A log is cleaned up from a checkpoint back, and an older one may stay: without the commits after it. If the newest version
        // cannot be read either, planning for that says so.
        Err(LogError::Gap { .. }) if ask.pin.is_some() => {
            return Err(PlanError::PinGone { version });
        }
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
        let mut planned = narrow::plan(pair, narrow, ask, at, found).await?;
        if let Planned::Work(plan) = &mut planned {
            plan.summary.more = more;
            if pair.each {
                let versions = (plan.summary.from_version, version, more);
                plan.summary.commits = each::said(pair, versions, ask, (full, &Feed::None));
            }
        }
        return Ok(planned);
    }
    let mark = standing.as_ref().map(|(_, mark)| mark);
    let told = Told::of(pair, mark, full, version).await?;
    let origins = bring_home(&mut source)?;
    let rest = standing.as_ref().map_or(0, |(_, mark)| mark.files_for);
    let purged_at = standing.as_ref().and_then(|(_, mark)| mark.purged_at);
    let purge = !ask.files_only
        && rest == 0
        && full.is_none()
        // On the way to the newest version it would cost every version its change feed.
        && more == 0
        && standing.as_ref().is_some_and(|(_, mark)| purges(mark));
    let mut chosen = match &held {
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
    let of_source = (full, told.as_ref());
    // With no later version it is as it was, unless something is to be done to the replica's own files.
    let stays = mark.is_some_and(|mark| mark.source_version == version);
    let stood = held.as_ref().filter(|_| stays);
    let before = Feed::before(pair, ask, (&source, stood), of_source);
    let make = |feed: &Feed| draft(pair, &source, held.as_ref(), (&chosen, feed.is_kept()), at);
    let mut draft = make(&before)?;
    let was_kept = before.is_kept();
    let feed = before.after(of_source, &draft, !chosen.works.is_empty());
    if was_kept && !feed.is_kept() {
        draft = make(&feed)?;
    }
    if let Some(told) = told {
        each::take(told, &feed, &mut draft);
    }
    let from_version = mark.map(|mark| mark.source_version);
    let mut commits = None;
    if pair.each {
        chosen.why = full.is_none().then(|| each::WHY.to_owned());
        commits = each::said(pair, (from_version, version, more), ask, (full, &feed));
    }
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
    copies.extend(Told::items(&draft.feeds));
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
        from_version,
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
        basis: match pair.each {
            // What the next run is to make of it is another question.
            true => None,
            false => tail::basis(pair, &source, &draft, &chosen),
        },
        commits,
        more,
        cdc_files: draft.feeds.len() as u64,
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
