//! Choosing, for each set of files that the source has rewritten, what is fetched for it: the files themselves, or what the change
//! feed says of their rows, or nothing, where they were only compacted. What is chosen is planned before a byte moves, and the same
//! plan is made again after a crash, so that nothing here depends on what was copied meanwhile.

mod chosen;
mod set;

use std::collections::{HashMap, HashSet};

use delta::{FileKey, Snapshot};

pub(crate) use chosen::{Base, Choice, Chosen, Way, Work};
pub(crate) use set::{MOST_FILES, STAGED, id_of, is_staged, rows_of};

use crate::interval::{Touched, follow, is_in_the_way, paths};
use crate::plan::{Pair, PlanError};
use crate::stands::{Group, Stand, View};
use set::{Found, work};

/// What a replica may do beside copying files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ways {
    /// Change rows by the source's change feed, where that is less than the files.
    pub feed: bool,
    /// Leave the source's compactions alone: the replica keeps its own files.
    pub skip: bool,
    /// Who runs it stands beside the replica, so that rows could be changed there. Where that is switched off, too, it is told what it
    /// would have moved.
    pub beside: bool,
    /// So many small files of a set that is not copied are put together, here.
    pub pack: usize,
    /// Write rows away that only a deletion vector hides, though the source still has them in its files, unless that was done less
    /// than so many microseconds ago.
    pub purge: Option<i64>,
}

impl Default for Ways {
    /// Rows that a feed changed are counted and found one by one; of a compaction there is only the writer's word that it changed
    /// none, so that this is asked for.
    fn default() -> Self {
        Self {
            feed: true,
            skip: false,
            beside: true,
            pack: 16,
            purge: None,
        }
    }
}

impl Ways {
    /// For who does not stand beside the replica. To change rows its files are read and written, and all of that would cross: more
    /// than the files of the source, which cross once.
    #[must_use]
    pub const fn from_elsewhere(self) -> Self {
        Self {
            feed: false,
            beside: false,
            pack: usize::MAX,
            purge: None,
            ..self
        }
    }

    /// Files, and nothing else.
    pub const FILES: Self = Self {
        feed: false,
        skip: false,
        beside: true,
        pack: usize::MAX,
        purge: None,
    };
}

/// Why no set of such a table is anything but copied.
fn unfit(source: &Snapshot) -> Option<String> {
    let is_tracked = source.protocol.writer_features.contains("rowTracking");
    if is_tracked {
        // A row that is written here would have another id.
        return Some("the table tracks its rows".to_owned());
    }
    match source.metadata.shape() {
        Ok(shape) => shape.unfit().map(str::to_owned),
        Err(_) => Some("its schema cannot be read".to_owned()),
    }
}

/// Chooses for the commits of the source behind version `from`. Without it, groups that the source has not touched stay, and
/// everything else is copied. With `purge` rows go that only a vector hides.
pub(crate) async fn choose(
    pair: &Pair,
    source: &Snapshot,
    held: &Snapshot,
    from: Option<u64>,
    purge: bool,
) -> Result<Chosen, PlanError> {
    let unfit = unfit(source);
    let purge = purge && from.is_some() && unfit.is_none();
    let stood = Stood {
        held,
        view: View::of(held),
        from,
        unfit,
    };
    let mut chosen = choose_sets(pair, source, stood, |_| true).await?;
    if purge {
        chosen.purge(source, held);
    }
    Ok(chosen)
}

/// What a replica has of its source, and since when.
pub(crate) struct Stood<'a> {
    pub(crate) held: &'a Snapshot,
    pub(crate) view: View,
    pub(crate) from: Option<u64>,
    /// Why none of its sets is anything but copied.
    pub(crate) unfit: Option<String>,
}

/// Chooses for the sets that the replica wants anything of.
pub(crate) async fn choose_sets(
    pair: &Pair,
    source: &Snapshot,
    stood: Stood<'_>,
    is_wanted: impl Fn(&Touched) -> bool,
) -> Result<Chosen, PlanError> {
    let Stood {
        held,
        view,
        from,
        unfit,
    } = stood;
    let mut chosen = Chosen {
        view,
        ..Chosen::default()
    };
    // Of a replica that keeps each version the files are the source's.
    let is_worth_it =
        !pair.each && (pair.ways.skip || (pair.ways.feed && source.metadata.records_changes()));
    let is_unfit = unfit.is_some();
    chosen.why = match unfit {
        None if pair.ways.feed && !source.metadata.records_changes() => {
            Some("the source keeps no change feed".to_owned())
        }
        why => why,
    };
    let sets = match from {
        Some(from) if is_worth_it && !is_unfit && has_rewritten(&chosen, source, held) => {
            let followed = follow(pair, source, held, &chosen.view, from).await?;
            if followed.is_none() {
                chosen.why = Some(
                    "the source's commits since then cannot be followed: its schema changed, or its log is not whole".to_owned(),
                );
            }
            followed
        }
        // What is switched off is weighed for the record. A narrowed replica keeps none, and groups that stay are no business of it.
        Some(from)
            if !is_worth_it
                && !pair.each
                && pair.narrow.is_none()
                && !is_unfit
                && chosen.view.groups.is_empty()
                && has_rewritten(&chosen, source, held) =>
        {
            weigh(pair, source, held, &mut chosen, from).await?;
            None
        }
        _ => None,
    };
    if sets.is_none() && chosen.view.groups.is_empty() {
        return Ok(chosen);
    }
    let paths = paths(source);
    let mut sets = sets.unwrap_or_default();
    sets.retain(is_wanted);
    let there = there(&sets, held);
    let mut touched = HashSet::new();
    for mut set in sets {
        touched.extend(set.groups.iter().copied());
        break_at_return(&mut set, &there);
        let found = work(pair, source, &chosen.view.groups, &paths, &set).await?;
        match found {
            Found::Copied(why) => {
                chosen.copied += u64::from(why.is_some());
                if let Some(why) = why {
                    chosen.why.get_or_insert(why);
                }
            }
            Found::Other(option, work, off) => {
                chosen.options.push(option);
                if let Some(why) = off {
                    chosen.why.get_or_insert_with(|| why.to_owned());
                }
                if option.is_chosen {
                    let ends = work.ends.iter().map(|end| end.file_key());
                    chosen.stands.extend(ends);
                    let bases = work.bases.iter().filter(|base| !base.is_new);
                    chosen.keeps.extend(bases.map(|base| base.file.file_key()));
                    chosen.works.push(*work);
                }
            }
        }
    }
    let is_tracked = source.protocol.writer_features.contains("rowTracking");
    for (at, group) in chosen.view.groups.iter().enumerate() {
        if touched.contains(&at) || is_tracked || !is_whole(group, source, &paths) {
            continue;
        }
        chosen.stands.extend(group.stands.iter().map(Stand::key));
        let members = group.members.iter();
        chosen.keeps.extend(members.map(|member| member.file_key()));
    }
    Ok(chosen)
}

/// Tells of each set what it would take if nothing were switched off. Nothing is chosen by it.
async fn weigh(
    pair: &Pair,
    source: &Snapshot,
    held: &Snapshot,
    chosen: &mut Chosen,
    from: u64,
) -> Result<(), PlanError> {
    chosen.is_weighed_only = true;
    // Nothing depends on it: what cannot be read now is not told.
    let sets = match follow(pair, source, held, &chosen.view, from).await {
        Ok(sets) => sets.unwrap_or_default(),
        Err(error) => {
            tracing::debug!(%error, "what is switched off could not be weighed");
            return Ok(());
        }
    };
    let (paths, there) = (paths(source), there(&sets, held));
    for mut set in sets {
        break_at_return(&mut set, &there);
        let found = work(pair, source, &chosen.view.groups, &paths, &set).await?;
        if let Found::Other(option, ..) = found {
            chosen.options.push(option);
        }
    }
    Ok(())
}

/// Paths of the replica's files, where some set has files that came and went.
fn there<'a>(sets: &[Touched], held: &'a Snapshot) -> HashSet<&'a str> {
    match sets.iter().all(|set| set.inputs.is_empty()) {
        true => HashSet::new(),
        false => held.files.keys().map(|key| key.path.as_str()).collect(),
    }
}

/// The source let a file go and took it up again, and here it never went: one entry of the log cannot stand for its rows twice.
fn break_at_return(set: &mut Touched, there: &HashSet<&str>) {
    let mut inputs = set.inputs.iter();
    if inputs.any(|input| there.contains(input.path.as_str())) {
        set.broken = set.broken.or(Some("a file of it went and came back"));
    }
}

/// Whether the source has rewritten files at all: some that the replica has are gone, and some that it has not are there. Of a group
/// something may be gone, too, so that there is something to be done without.
fn has_rewritten(chosen: &Chosen, source: &Snapshot, held: &Snapshot) -> bool {
    let view = &chosen.view;
    let mut files = source.files.keys();
    let is_there = |key: &FileKey| view.group_of(key).is_some() || view.direct(held, key).is_some();
    let there = source.files.keys().filter(|key| is_there(key)).count();
    let is_gone = there < view.represented(held);
    is_gone && (!view.groups.is_empty() || files.any(|key| !is_there(key)))
}

/// Whether the source still has all files that a group stands for.
fn is_whole(group: &Group, source: &Snapshot, paths: &HashMap<&str, usize>) -> bool {
    let is_there = |stand: &Stand| {
        let file = source.files.get(&stand.key());
        file.is_some_and(|file| stand.is(file))
    };
    let ends: HashSet<FileKey> = group.stands.iter().map(Stand::key).collect();
    let bases = group.members.iter().map(|member| member.path.as_str());
    !group.stands.is_empty()
        && group.stands.iter().all(is_there)
        && !is_in_the_way(paths, bases, &ends)
}
