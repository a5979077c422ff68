//! Planning a run from the tails of both logs. Comparing the two states takes as long as the tables are large; where the source's
//! commits since the last run say enough, the plan of their difference is the same and takes as long as there are commits.
//!
//! The replica's last commit says what the whole source came to at its version ([`Basis`] and what its mark keeps beside it).
//! What the commits since then add and remove is taken from that and added to it. Whatever they leave open is no matter of guessing:
//! then the states are compared. Beside these commits only the places are looked at where new files are to lie, for the replica's
//! log holds no file whose object is not there.

mod news;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use delta::{AddFile, FileKey, Latest, LogError, Snapshot};
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _};
use model::Timestamp;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::news::{Difference, read};
use crate::choose::{Chosen, rows_of};
use crate::commit::Draft;
use crate::diff::{Digest, bring_home, copies, keys_digest};
use crate::foresee::{Moves, Weighed};
use crate::intent::Needs;
use crate::mark::Mark;
use crate::plan::{
    Ask, Pair, Plan, PlanError, PlanSummary, can_be_read_back, files_for, fingerprint,
};
use crate::say::say;
use crate::verify::{Verified, VerifyError, verify};

/// After so many commits in a row that were planned from tails the states are compared again, so that nothing that was taken for
/// granted is so for long.
pub(crate) const MOST_TAILS: u32 = 50;

/// More commits are not read: comparing the states costs no more.
const MOST_COMMITS: u64 = 1_000;

/// Places of the replica that are looked at, and at the same time.
const MOST_LOOKS: usize = 1_000;
const LOOKS: usize = 16;

/// What a release makes of a table may be something else than what the one before made of it.
const RELEASE: &str = env!("CARGO_PKG_VERSION");

/// What has to be known beside a plan's figures for the next run to be planned from tails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Basis {
    /// The release that compared the states.
    pub release: String,
    /// So many commits were planned from tails since.
    pub tails: u32,
    /// The source records its changes row by row.
    pub feed: bool,
    /// Commits of the replica carry `inCommitTimestamp`.
    pub timestamps: bool,
    pub retention_hours: u32,
}

/// What a mark says of the whole source at its version.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Totals {
    /// As [`Digest::text`], with the number of files.
    keys: String,
    bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    protocol: String,
    metadata: String,
    domains: String,
    basis: Basis,
}

/// Where a run stands that is to be planned.
pub(crate) struct Since<'a> {
    pub(crate) target_version: u64,
    /// Of that version.
    pub(crate) mark: &'a Mark,
    pub(crate) latest: &'a Latest,
    /// The source's version to plan for, and its fingerprint.
    pub(crate) version: u64,
    pub(crate) print: &'a str,
}

/// No plan was made of the tails.
#[derive(Debug)]
pub(crate) enum Untailed {
    /// The states have to be compared, and why.
    Whole(&'static str),
    /// Comparing them would fail in the same way.
    Failed(PlanError),
}

impl From<PlanError> for Untailed {
    fn from(error: PlanError) -> Self {
        Self::Failed(error)
    }
}

fn whole_unless(holds: bool, why: &'static str) -> Result<(), Untailed> {
    if holds {
        Ok(())
    } else {
        Err(Untailed::Whole(why))
    }
}

impl PlanSummary {
    /// Whether the plan was made from the tails of both logs.
    pub fn is_of_tails(&self) -> bool {
        self.basis.as_ref().is_some_and(|basis| basis.tails > 0)
    }
}

/// Of a plan that compared the states. `None` where the replica will not hold the source's files and no others: what its own files
/// stand for is known from its state alone.
pub(crate) fn basis(
    pair: &Pair,
    source: &Snapshot,
    draft: &Draft,
    chosen: &Chosen,
) -> Option<Basis> {
    let is_plain = chosen.works.is_empty() && chosen.stands.is_empty() && chosen.keeps.is_empty();
    is_plain.then(|| Basis {
        release: RELEASE.to_owned(),
        tails: 0,
        feed: source.metadata.records_changes(),
        timestamps: draft.timestamps,
        retention_hours: pair.retention_hours,
    })
}

/// What the mark of a plan's commit is to say.
pub(crate) fn totals(summary: &PlanSummary) -> Option<Value> {
    let totals = Totals {
        keys: summary.keys_digest.clone(),
        bytes: summary.bytes_full,
        rows: summary.rows_full,
        protocol: summary.protocol_digest.clone(),
        metadata: summary.metadata_digest.clone(),
        domains: summary.domains_digest.clone()?,
        basis: summary.basis.clone()?,
    };
    serde_json::to_value(totals).ok()
}

/// Plans a run from the tails of both logs, if that is the plan that comparing the states would give.
pub(crate) async fn plan(
    pair: &Pair,
    ask: Ask,
    at: Timestamp,
    since: &Since<'_>,
) -> Result<Plan, Untailed> {
    let mark = since.mark;
    let (totals, millis) = begin(pair, since)?;
    let print = fingerprint(&pair.source, mark.source_version, since.latest).await?;
    // Of marks from before, with the quotes.
    let known = mark.source_fingerprint.replace('"', "");
    whole_unless(
        print.is_some_and(|print| print == known),
        "the source's log no longer has the commit that the replica stands at",
    )?;

    let mut news = read(pair, mark.source_version, since.version).await?;
    let timestamp = news.timestamp;
    let Difference {
        adds,
        removes,
        gone,
        passing,
    } = news.end()?;
    // As comparing the states has it: not before the version that the replica stands at, and not after the one that is planned for.
    let gone = gone.into_iter().filter_map(|(key, said)| {
        let since = mark.source_millis?;
        Some((key, said.max(since).min(timestamp.millis())))
    });
    let gone = gone.collect();
    // Where nothing went, or no commit rewrote rows that stayed, there is nothing but copying. Else the states say what can be done, and
    // of what is switched off what it would have moved; of the feed not where the worker stands elsewhere, for there it never is.
    let by_files = ask.files_only || mark.files_for > 0;
    let is_open = news.rewrites || news.tells && pair.ways.beside;
    whole_unless(
        removes.is_empty() || !is_open || by_files,
        "rows may be changed by the change feed, or a compaction left alone, or it is told what that would have moved",
    )?;
    let came = adds.iter().map(|file| &file.key);
    let places: BTreeSet<Path> = came.chain(&passing).cloned().collect();
    whole_unless(places.len() <= MOST_LOOKS, "very many files are new")?;
    whole_unless(
        !is_any_there(pair, places).await?,
        "an object that is to be copied stands at the replica, or is a file's that it holds",
    )?;

    let mut digest = Digest::parse(&totals.keys, totals.bytes)
        .ok_or(Untailed::Whole("the replica's last commit is unclear"))?;
    for file in &removes {
        let FileKey { path, dv } = file.file_key();
        let left = digest.exclude(&path, dv.as_deref(), file.size);
        left.ok_or(Untailed::Whole("more went than there was"))?;
    }
    for file in &adds {
        let FileKey { path, dv } = file.file_key();
        digest.include(&path, dv.as_deref(), file.size);
    }
    let most = [&pair.source, &pair.target].map(|table| table.budgets().files);
    whole_unless(
        most.iter().all(|most| digest.files <= *most),
        "the table has more files than a log may have",
    )?;

    let rows_added = rows_of(adds.iter());
    let rows_full = carried(totals.rows, rows_of(removes.iter()), rows_added);
    let copies = copies(&adds, None)?;
    let sum = |files: &[Arc<AddFile>]| files.iter().map(|file| file.size).sum::<u64>();
    let summary = PlanSummary {
        run: ask.run,
        ordinal: ask.ordinal,
        planned_at: at,
        source_version: since.version,
        source_timestamp: timestamp,
        source_table: mark.source_table.clone(),
        source_fingerprint: since.print.to_owned(),
        from_version: Some(mark.source_version),
        target_version: since.target_version + 1,
        full: None,
        files_copy: copies.len() as u64,
        bytes_copy: copies.iter().map(|item| item.size).sum(),
        files_reused: 0,
        files_removed: removes.len() as u64,
        bytes_removed: sum(&removes),
        files_updated: 0,
        files_full: digest.files,
        bytes_full: digest.bytes,
        rows_full,
        rows_added,
        keys_digest: digest.text(),
        protocol_digest: totals.protocol,
        metadata_digest: totals.metadata,
        domains_digest: Some(totals.domains),
        sets_by_rows: 0,
        sets_fed: 0,
        bytes_fed: 0,
        sets_copied: 0,
        why: None,
        choice: String::new(),
        ways: Some(Weighed::of(&copies, &HashSet::new(), (&HashMap::new(), None), &[]).told()),
        files_for: files_for(ask, mark.files_for),
        files_purged: 0,
        purged_at: mark.purged_at,
        narrowed: None,
        adopted: None,
        basis: Some(Basis {
            tails: totals.basis.tails + 1,
            ..totals.basis
        }),
        commits: None,
        more: 0,
        cdc_files: 0,
    };
    let draft = Draft {
        // Protocol, metadata and domains stand as they are, and are not read.
        needs: Needs::default(),
        configuration: BTreeMap::new(),
        all_domains: BTreeMap::new(),
        protocol: None,
        metadata: None,
        domains: Vec::new(),
        timestamps: summary.basis.as_ref().is_some_and(|basis| basis.timestamps),
        timestamps_begin: false,
        held_millis: Some(millis),
        adds,
        updates: Vec::new(),
        removes,
        gone,
        own: Vec::new(),
        retold: Vec::new(),
        feeds: Vec::new(),
        quiet_adds: HashSet::new(),
        quiet_removes: HashSet::new(),
        narrowed: None,
    };
    can_be_read_back(pair, &draft, &summary, at)?;
    Ok(Plan {
        summary,
        copies,
        reused: HashSet::new(),
        wanted: HashMap::new(),
        // What is foreseen is told by comparing the states.
        full: Moves::default(),
        draft,
        chosen: Chosen::default(),
        shape: None,
        is_settled: false,
        narrow: None,
    })
}

/// What the replica's last commit says of the whole source, and when it was made, if a run can go on from there.
fn begin(pair: &Pair, since: &Since<'_>) -> Result<(Totals, i64), Untailed> {
    let mark = since.mark;
    whole_unless(pair.mend.is_none(), "the replica is to be mended")?;
    let told = mark.totals.clone().ok_or(Untailed::Whole(
        "the replica's last commit does not say what the source came to",
    ))?;
    let totals: Totals = serde_json::from_value(told)
        .map_err(|_| Untailed::Whole("the replica's last commit is unclear"))?;
    let basis = &totals.basis;
    whole_unless(
        basis.release == RELEASE,
        "another release made the replica's last commit",
    )?;
    whole_unless(
        basis.retention_hours == pair.retention_hours,
        "files are to be kept for another time than until now",
    )?;
    whole_unless(
        basis.tails < MOST_TAILS,
        "the states have not been compared for long",
    )?;
    // A Delta Share has no commits.
    whole_unless(
        !since.print.is_empty() && !mark.source_fingerprint.is_empty(),
        "a version of the source is there without its commit",
    )?;
    let behind = since.version.checked_sub(mark.source_version);
    whole_unless(
        behind.is_some_and(|behind| (1..=MOST_COMMITS).contains(&behind)),
        "the source has no later version, or very many",
    )?;
    let millis = mark.version_millis.ok_or(Untailed::Whole(
        "the replica's last commit does not say when it was made",
    ))?;
    Ok((totals, millis))
}

/// Rows after what went and came; `None` where that is not known of one of them.
fn carried(before: Option<u64>, went: Option<u64>, came: Option<u64>) -> Option<u64> {
    before?.checked_sub(went?)?.checked_add(came?)
}

/// Whether something stands at one of these places of the replica.
async fn is_any_there(pair: &Pair, places: BTreeSet<Path>) -> Result<bool, PlanError> {
    let looks = places.into_iter().map(|key| {
        let objects = Arc::clone(pair.target.objects());
        async move {
            match objects.head(&key).await {
                Ok(_) => Ok(true),
                Err(StoreError::NotFound { .. }) => Ok(false),
                Err(error) => Err(PlanError::Store(format!("Replica: {}", say(&error)))),
            }
        }
        .boxed()
    });
    let mut looks = stream::iter(looks).buffer_unordered(LOOKS);
    while let Some(is_there) = looks.next().await {
        if is_there? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Verifies what a plan's commit has made of the replica. A writer may have said of a file that went what was not true; then the
/// figures of a plan from tails are wrong though the replica is right, and what the source's state comes to decides. What was found
/// stands in the plan after that.
pub(crate) async fn verified(pair: &Pair, plan: &mut PlanSummary) -> Result<Verified, VerifyError> {
    let mut found = verify(&pair.target, plan).await;
    if plan.is_of_tails()
        && matches!(found, Err(VerifyError::Wrong(_)))
        && let Some(told) = compared(pair, plan).await?
    {
        tracing::info!(
            replica_table = %pair.replica_table, version = plan.target_version,
            "the source's tombstones do not say what its files were; its state was read to verify the replica"
        );
        found = verify(&pair.target, &told).await;
        *plan = told;
    }
    if let (Ok(found), true) = (&found, plan.is_of_tails()) {
        plan.rows_full = plan.rows_full.or(found.rows);
    }
    found
}

/// The same plan with what the source's state itself comes to. `None`: there is no such state any more.
async fn compared(pair: &Pair, plan: &PlanSummary) -> Result<Option<PlanSummary>, VerifyError> {
    let mut source = match pair.source.snapshot(Some(plan.source_version)).await {
        Ok(source) => source,
        Err(LogError::Storage(error)) => {
            return Err(VerifyError::Store(format!("Source: {}", say(&error))));
        }
        Err(_) => return Ok(None),
    };
    if source.metadata.id != plan.source_table || bring_home(&mut source).is_err() {
        return Ok(None);
    }
    Ok(Some(PlanSummary {
        files_full: source.files.len() as u64,
        bytes_full: source.bytes(),
        rows_full: source.rows(),
        keys_digest: keys_digest(&source),
        rows_added: None,
        ..plan.clone()
    }))
}
