//! Planning a run of a narrowed replica: which files of the source it lacks and which of its own go, and of which the rows are changed. What
//! writing takes is known from the footers of what is read for it; beside it stands what copying the files whole would.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use delta::{AddFile, Narrowed, Opened, Protocol, Snapshot, Table, Unnarrowed};
use futures::FutureExt as _;
use model::Timestamp;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::sets::{Choosing, Cut, Kept, choose, path_of};
use super::view::{View, digest};
use super::work::{File, Work};
use super::{Narrow, in_order};
use crate::choose::Chosen;
use crate::commit::Draft;
use crate::foresee::Moves;
use crate::intent::{self, Needs};
use crate::mark::Mark;
use crate::plan::{
    Ask, FullReason, Pair, Plan, PlanError, PlanSummary, Planned, can_be_recognised, files_for,
};
use crate::prove::{WHOLE, partition_of};
use crate::say::say;
use crate::verify::{VerifyError, look, looks_of};

/// Footers that are read, and objects that are looked at, at the same time.
const LOOKS: usize = 16;

/// Bytes of footers that are kept from planning to writing. Of more files they are read once more.
const FOOTERS: u64 = 16 << 20;

/// A line of a commit has more bytes.
const LEAST_LINE: u64 = 400;

/// What a run of a narrowed replica moves, for people, and what it would.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanNarrowed {
    /// Bytes of the column chunks, footers and deletion vectors that are fetched, of the change feed's files, too.
    pub bytes_chunks: u64,
    /// Bytes of the files of the source that the replica lacks, whole, whether they are fetched or their rows changed by the feed.
    pub bytes_whole: u64,
    /// Columns of the source that the cut does not know: the replica does not have them.
    pub left_out: Vec<String>,
}

/// What planning knows already.
pub(crate) struct Found {
    pub(crate) standing: Option<(u64, Mark)>,
    pub(crate) version: u64,
    pub(crate) print: String,
    pub(crate) source: Snapshot,
    pub(crate) held: Option<Snapshot>,
    pub(crate) full: Option<FullReason>,
}

/// A file of the source of which the replica may have rows.
struct Wanted {
    /// What it is called here.
    of: String,
    file: Arc<AddFile>,
    /// Which it is in the order of the log, counted from 1.
    nth: usize,
}

/// What a narrowed table needs of its readers: what its columns are called and typed by. Its rows and its log are written here.
fn protocol(source: &Snapshot) -> Protocol {
    let mapped = source
        .metadata
        .configuration
        .get("delta.columnMapping.mode");
    let is_mapped = mapped.is_some_and(|mode| !mode.eq_ignore_ascii_case("none"));
    let kept = ["timestampNtz", "typeWidening", "typeWidening-preview"];
    let features = source.protocol.reader_features.iter();
    let mut features: Vec<String> = features
        .filter(|name| kept.contains(&name.as_str()))
        .cloned()
        .collect();
    features.extend(is_mapped.then(|| "columnMapping".to_owned()));
    let (min_reader, min_writer) = match features.is_empty() {
        true => (1, 2),
        false => (3, 7),
    };
    Protocol {
        min_reader,
        min_writer,
        reader_features: features.iter().cloned().collect(),
        writer_features: features.into_iter().collect(),
        raw: Value::Null,
    }
}

/// A file of the source by a name of which nobody can tell what it is called or how large it is.
pub(super) fn name_of(narrow: &Narrow, recipe: &str, file: &AddFile) -> String {
    let key = file.file_key();
    let dv = key.dv.unwrap_or_default();
    let (size, at) = (file.size.to_string(), file.modification_time.to_string());
    narrow
        .secret
        .name("file", &[recipe, &key.path, &dv, &size, &at])
}

pub(crate) async fn plan(
    pair: &Pair,
    narrow: &Narrow,
    ask: Ask,
    at: Timestamp,
    found: Found,
) -> Result<Planned, PlanError> {
    let Found {
        standing,
        version,
        print,
        source,
        held,
        full,
    } = found;
    if narrow.is_whole() {
        return Err(PlanError::Narrowing("It leaves nothing out.".to_owned()));
    }
    let is_another = |mark: &Mark| mark.source_table != source.metadata.id;
    let by_name = standing.as_ref().is_some_and(|(_, mark)| is_another(mark));
    let before = held.as_ref().map(|held| &held.metadata);
    let made = narrow.of(&source.metadata, before, by_name);
    let made = made.map_err(PlanError::Narrowing)?;
    let recipe = made.recipe();
    let view = held.as_ref().map(View::of).unwrap_or_default();
    let files = source.files.values();
    let wanted: Vec<Wanted> = files
        .zip(1..)
        .filter(|(file, _)| made.admits(&file.partition_values))
        .map(|(file, nth)| Wanted {
            of: name_of(narrow, &recipe, file),
            file: Arc::clone(file),
            nth,
        })
        .collect();
    let again = mended(pair, &wanted, &view).await?;
    let names: HashSet<&String> = wanted.iter().map(|wanted| &wanted.of).collect();
    let rest = standing.as_ref().map_or(0, |(_, mark)| mark.files_for);
    let from = standing.as_ref().map(|(_, mark)| mark.source_version);
    let from = from.filter(|_| full.is_none() && !ask.files_only && rest == 0);
    let mut chosen = match from {
        Some(from) => {
            let cut = Cut {
                narrow,
                made: &made,
                recipe: &recipe,
            };
            choose(pair, &cut, &source, (&view, &names, from)).await?
        }
        None => Choosing::default(),
    };
    if rest > 0 && full.is_none() {
        let why = "the change feed could not be applied lately; a later run tries it again";
        chosen.why = Some(why.to_owned());
    }
    let together = Kept::of(&view, &names, &mut chosen, full.is_none());
    let is_lacking = |of: &String| {
        let is_held = view.files.contains_key(of) || view.none.contains(of);
        !(is_held || together.of.contains(of)) || again.contains(of)
    };
    let given_up = together.given_up.iter();
    let given_up: HashMap<&str, &Arc<AddFile>> =
        given_up.map(|file| (file.path.as_str(), file)).collect();
    let lacking: Vec<File> = wanted
        .iter()
        .filter(|wanted| is_lacking(&wanted.of))
        .map(|Wanted { of, file, nth }| {
            let fresh = again.contains(of);
            let held = view.files.get(of).filter(|_| fresh);
            let path = path_of(of);
            // What it was before it was one of a set that is given up.
            let held = held.or_else(|| given_up.get(path.as_str()).copied());
            File {
                of: of.clone(),
                source: Arc::clone(file),
                nth: *nth,
                fresh,
                held: held.cloned(),
                path,
                opened: None,
            }
        })
        .collect();
    let draft = draft(pair, narrow, (&source, &made), held.as_ref(), at)?;
    let is_gone = |of: &String, file: &AddFile| {
        // What is one of a set goes with its rows, or stays with them.
        !names.contains(of) && !together.bases.contains(&file.path)
    };
    let gone = view.files.iter().filter(|(of, file)| is_gone(of, file));
    let mut gone: Vec<Arc<AddFile>> = gone.map(|(_, file)| Arc::clone(file)).collect();
    gone.extend(view.odd.iter().cloned());
    let written: HashSet<&str> = lacking.iter().map(|file| file.path.as_str()).collect();
    let given_up = together.given_up.iter();
    gone.extend(
        given_up
            .filter(|file| !written.contains(file.path.as_str()))
            .cloned(),
    );
    gone.sort_by(|a, b| a.path.cmp(&b.path));
    let forgets = view.none.iter().any(|of| !names.contains(of));
    let draft = Draft {
        removes: gone,
        ..draft
    };
    if let Some((target_version, mark)) = &standing
        && full.is_none()
        && mark.source_version == version
        && draft.is_empty()
        && lacking.is_empty()
        && chosen.sets.is_empty()
        && !forgets
    {
        return Ok(Planned::Nothing {
            source_version: version,
            target_version: *target_version,
        });
    }
    let limit = pair.target.budgets().commit_bytes;
    let bytes = (lacking.len() + draft.removes.len()) as u64 * LEAST_LINE;
    if bytes > limit {
        return Err(PlanError::TooLarge { bytes, limit });
    }
    let reused = reusable(pair, held.as_ref(), &lacking).await?;
    let none = view.none.iter().filter(|of| names.contains(of));
    let none = none.filter(|of| !again.contains(*of)).cloned().collect();
    let stays = wanted.iter().filter(|wanted| !is_lacking(&wanted.of));
    let stays = stays
        .filter_map(|wanted| view.files.get(&wanted.of))
        .chain(&together.stays)
        .cloned();
    let stays = stays.collect();
    let keys_digest = digest(wanted.iter().map(|wanted| &wanted.of)).text();
    let mut work = Work {
        none,
        notes: view.notes,
        files: lacking,
        sets: chosen.sets,
        stays,
        made,
        run: Moves::default(),
        whole: Moves::default(),
    };
    // A plan that is made again has the figures of the first.
    if ask.pin.is_none() {
        open(pair, &mut work, &reused).await?;
    }
    let sizes = || wanted.iter().map(|wanted| wanted.file.size);
    let removed = draft.removes.iter().map(|file| file.size);
    let taken: usize = work.sets.iter().map(|set| set.taken.len()).sum();
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
        files_copy: (work.files.len() - reused.len() + taken) as u64,
        bytes_copy: work.run.bytes,
        files_reused: reused.len() as u64,
        files_removed: draft.removes.len() as u64,
        bytes_removed: removed.fold(0, u64::saturating_add),
        files_updated: 0,
        files_full: wanted.len() as u64,
        // The source's; what is left of them is known when it is written.
        bytes_full: sizes().fold(0, u64::saturating_add),
        rows_full: None,
        keys_digest,
        protocol_digest: draft.needs.digest(),
        metadata_digest: intent::metadata_digest(&work.made.metadata, &draft.configuration),
        domains_digest: Some(intent::domains_digest(&draft.all_domains)),
        sets_by_rows: chosen.by_rows,
        sets_fed: chosen.fed.0,
        bytes_fed: chosen.fed.1,
        sets_copied: chosen.copied,
        why: chosen.why,
        choice: chosen.digest,
        ways: None,
        files_for: files_for(ask, rest),
        files_purged: 0,
        // What a vector hides is never written.
        purged_at: Some(at.millis()),
        narrowed: Some(PlanNarrowed {
            bytes_chunks: work.run.bytes,
            bytes_whole: work.whole.bytes,
            left_out: work.made.left_out.clone(),
        }),
        adopted: None,
        rows_added: None,
        basis: None,
        commits: None,
        more: 0,
        cdc_files: 0,
    };
    can_be_recognised(pair, &draft, &summary, at)?;
    Ok(Planned::Work(Box::new(Plan {
        summary,
        copies: Vec::new(),
        reused: HashSet::new(),
        wanted: HashMap::new(),
        full: Moves::of(sizes()),
        draft,
        chosen: Chosen::default(),
        shape: None,
        is_settled: false,
        narrow: Some(work),
    })))
}

fn draft(
    pair: &Pair,
    narrow: &Narrow,
    (source, made): (&Snapshot, &Narrowed),
    held: Option<&Snapshot>,
    at: Timestamp,
) -> Result<Draft, PlanError> {
    let needs = Needs::unite(&protocol(source), held.map(|held| &held.protocol))
        .map_err(|feature| PlanError::Unsupported { feature })?;
    let configuration = intent::configuration(&made.metadata, pair.retention_hours, false);
    let wanted = intent::metadata_digest(&made.metadata, &configuration);
    let stands = held.is_some_and(|held| {
        intent::metadata_digest(&held.metadata, &held.metadata.configuration) == wanted
    });
    let protocol_stands = held.is_some_and(|held| Needs::of(&held.protocol) == needs);
    let all_domains = BTreeMap::new();
    Ok(Draft {
        protocol: (!protocol_stands).then(|| needs.action()),
        metadata: (!stands).then(|| {
            intent::metadata_action(
                &made.metadata,
                &configuration,
                held.map(|held| &held.metadata),
                pair.replica_table,
                at.millis(),
            )
        }),
        domains: intent::domain_actions(&all_domains, held),
        all_domains,
        timestamps: false,
        timestamps_begin: false,
        held_millis: held.map(|held| held.timestamp.millis()),
        gone: HashMap::new(),
        needs,
        configuration,
        adds: Vec::new(),
        updates: Vec::new(),
        removes: Vec::new(),
        own: Vec::new(),
        retold: Vec::new(),
        feeds: Vec::new(),
        quiet_adds: HashSet::new(),
        quiet_removes: HashSet::new(),
        narrowed: Some(narrow.print()),
    })
}

/// The files of which what the replica has is suspect, or not there as its log says.
async fn mended(pair: &Pair, wanted: &[Wanted], view: &View) -> Result<HashSet<String>, PlanError> {
    let Some(mend) = &pair.mend else {
        return Ok(HashSet::new());
    };
    let looks = wanted.iter().map(
        |Wanted {
             of, file: source, ..
         }| {
            let held = view.files.get(of).cloned();
            let objects = Arc::clone(pair.target.objects());
            async move {
                let is_suspect = [WHOLE.to_owned(), partition_of(source)]
                    .iter()
                    .any(|name| mend.suspects.contains(name));
                if is_suspect {
                    return Ok(Some(of.clone()));
                }
                let Some(held) = held else {
                    return Ok(None);
                };
                for wanted in looks_of(std::iter::once(held.as_ref())) {
                    match look(objects.as_ref(), &wanted).await {
                        Ok(()) => {}
                        Err(VerifyError::Wrong(_)) => return Ok(Some(of.clone())),
                        Err(error) => return Err(PlanError::Store(error.to_string())),
                    }
                }
                Ok(None)
            }
            .boxed()
        },
    );
    let looks = in_order(looks.collect(), LOOKS).await;
    looks.into_iter().filter_map(Result::transpose).collect()
}

/// Of the files to write, by what they are of, those that the replica still holds though it had removed them: the source restored
/// what they are of. Who writes looks again; this look is for the plan's figures.
async fn reusable(
    pair: &Pair,
    held: Option<&Snapshot>,
    files: &[File],
) -> Result<HashSet<String>, PlanError> {
    let Some(held) = held else {
        return Ok(HashSet::new());
    };
    let tombstones: HashSet<&str> = held
        .tombstones
        .iter()
        .map(|file| file.key.as_ref())
        .collect();
    // One of a set that is given up is there, too.
    let is_there = |file: &&File| file.held.is_some() || tombstones.contains(file.path.as_str());
    let again = files.iter().filter(|file| !file.fresh && is_there(file));
    let looks = again.map(|file| {
        let (objects, of) = (Arc::clone(pair.target.objects()), file.of.clone());
        let key = Path::from(file.path.as_str());
        async move {
            match objects.head(&key).await {
                Ok(_) => Ok(Some(of)),
                Err(StoreError::NotFound { .. }) => Ok(None),
                Err(error) => Err(PlanError::Store(format!("Replica: {}", say(&error)))),
            }
        }
        .boxed()
    });
    let looks = in_order(looks.collect(), LOOKS).await;
    looks.into_iter().filter_map(Result::transpose).collect()
}

/// Reads the footers of the files to write, and reckons what writing them takes.
async fn open(pair: &Pair, work: &mut Work, reused: &HashSet<String>) -> Result<(), PlanError> {
    let made = &work.made;
    let files = work.files.iter().filter(|file| !reused.contains(&file.of));
    let looks = files.map(|file| opened(&pair.source, made, file).boxed());
    let looks: Vec<(String, Result<Opened, Unnarrowed>)> = in_order(looks.collect(), LOOKS).await;
    let mut kept = 0_u64;
    let mut all = HashMap::with_capacity(looks.len());
    for (of, look) in looks {
        match look {
            Ok(opened) => {
                all.insert(of, opened);
            }
            Err(Unnarrowed::Source(error)) => return Err(PlanError::Source(error)),
            Err(Unnarrowed::Target(error)) => return Err(PlanError::Target(error)),
            // Who writes meets the same, and knows what it means.
            Err(Unnarrowed::Missing | Unnarrowed::Damaged(_)) => {}
        }
    }
    for file in &mut work.files {
        if reused.contains(&file.of) {
            continue;
        }
        let size = file.source.size;
        let whole = Moves::of(std::iter::once(size));
        work.whole = work.whole.plus(whole);
        let Some(opened) = all.remove(&file.of) else {
            work.run = work.run.plus(whole);
            continue;
        };
        let (takes, is_kept) = taking(&opened, &mut kept);
        file.opened = is_kept.then_some(opened);
        work.run = work.run.plus(takes);
    }
    let sets = work.sets.iter();
    work.whole = sets.fold(work.whole, |whole, set| whole.plus(set.copy));
    let looks = work.sets.iter().flat_map(|set| &set.taken);
    let looks = looks.map(|taken| made.open_for(taken.turn, &pair.source, &taken.file).boxed());
    let looks = in_order(looks.collect(), LOOKS).await;
    let taken = work.sets.iter_mut().flat_map(|set| &mut set.taken);
    for (taken, look) in taken.zip(looks) {
        let takes = match look {
            Ok(opened) => {
                let (takes, is_kept) = taking(&opened, &mut kept);
                taken.opened = is_kept.then_some(opened);
                takes
            }
            Err(Unnarrowed::Source(error)) => return Err(PlanError::Source(error)),
            Err(Unnarrowed::Target(error)) => return Err(PlanError::Target(error)),
            Err(Unnarrowed::Missing | Unnarrowed::Damaged(_)) => {
                Moves::of(std::iter::once(taken.file.size))
            }
        };
        work.run = work.run.plus(takes);
    }
    Ok(())
}

/// What reading a file takes whose footer was read already, and whether the footer is kept: else it is read once more.
fn taking(opened: &Opened, kept: &mut u64) -> (Moves, bool) {
    *kept = kept.saturating_add(opened.footer_bytes);
    let is_kept = *kept <= FOOTERS;
    let times = if is_kept { 1 } else { 2 };
    let takes = Moves {
        objects: 1,
        bytes: opened.bytes + times * opened.footer_bytes,
        requests: opened.requests + times * FOOTER_REQUESTS,
    };
    (takes, is_kept)
}

/// How often a footer is asked for: how long it is, and what it says.
const FOOTER_REQUESTS: u64 = 2;

async fn opened(
    source: &Table,
    made: &Narrowed,
    file: &File,
) -> (String, Result<Opened, Unnarrowed>) {
    (file.of.clone(), made.open(source, &file.source).await)
}
