//! Choosing, for sets of files that the source of a narrowed replica has rewritten, whether they are narrowed anew, or their rows are
//! changed by the change feed, or nothing is done for a compaction. The replica does not say which files of the source it is of, only
//! how these are called with its key: so the source is looked at as it was, and each of its files called by its name.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use delta::{AddFile, LogError, Narrowed, Opened, Snapshot, Turn};
use sha2::{Digest as _, Sha256};

use super::Narrow;
use super::plan::name_of;
use super::view::View;
use crate::apply::bare;
use crate::choose::{Base, Choice, Chosen, MOST_FILES, Stood, Way, Work, choose_sets, rows_of};
use crate::foresee::Moves;
use crate::interval::is_too_far;
use crate::plan::{Pair, PlanError};
use crate::stands::{Group, Stand, View as Stands};

/// A file of the source whose rows are taken up, and which is not narrowed itself.
pub(crate) struct Taken {
    pub(crate) turn: Turn,
    pub(crate) file: AddFile,
    /// What was read of it already.
    pub(crate) opened: Option<Opened>,
}

/// A set that is brought up to date without its files.
pub(crate) struct Set {
    pub(crate) id: String,
    /// The replica's files.
    pub(crate) bases: Vec<Base>,
    pub(crate) taken: Vec<Taken>,
    /// What the set is then of.
    pub(crate) ends: Vec<(String, Arc<AddFile>)>,
    /// By how many rows the source has more than before, chosen or not. None: it did not say how many it had.
    pub(crate) more: Option<i64>,
    /// How many rows it is to have; None: only the chosen ones, of which the source's log says nothing.
    pub(crate) rows: Option<u64>,
    /// What narrowing the files anew would take, if they were fetched whole.
    pub(crate) copy: Moves,
}

/// What was chosen.
#[derive(Default)]
pub(super) struct Choosing {
    pub(super) sets: Vec<Set>,
    /// How many there are, how many of them the feed is applied to, and the bytes of its files; and how many are narrowed anew.
    pub(super) by_rows: u64,
    pub(super) fed: (u64, u64),
    pub(super) copied: u64,
    pub(super) why: Option<String>,
    /// One text for all of them; empty for none.
    pub(super) digest: String,
}

/// What a replica is made by.
pub(super) struct Cut<'a> {
    pub(super) narrow: &'a Narrow,
    pub(super) made: &'a Narrowed,
    pub(super) recipe: &'a str,
}

impl Cut<'_> {
    fn name(&self, file: &AddFile) -> String {
        name_of(self.narrow, self.recipe, file)
    }

    fn unfit(&self) -> Option<String> {
        match self.made.metadata.shape() {
            Ok(shape) => shape.unfit().map(str::to_owned),
            Err(_) => Some("its schema cannot be read".to_owned()),
        }
    }
}

/// Chooses for the commits of the source behind version `from`. `names` is all that the replica is to be of.
pub(super) async fn choose(
    pair: &Pair,
    cut: &Cut<'_>,
    source: &Snapshot,
    (view, names, from): (&View, &HashSet<&String>, u64),
) -> Result<Choosing, PlanError> {
    if pair.each || !has_rewritten(view, names) {
        return Ok(Choosing::default());
    }
    let none = |why: Option<&str>| Choosing {
        why: why.map(str::to_owned),
        ..Choosing::default()
    };
    let has_feed = source.metadata.records_changes();
    if !(pair.ways.skip || pair.ways.feed && has_feed) {
        let lacks = pair.ways.feed && !has_feed;
        return Ok(none(lacks.then_some("the source keeps no change feed")));
    }
    // Before the log is read once more for nothing.
    let unfit = cut.unfit();
    if unfit.is_some() || is_too_far(source, from) {
        let far = "there are too many commits since then";
        return Ok(none(unfit.as_deref().or(Some(far))));
    }
    let is_same = |then: &Snapshot| then.metadata.id == source.metadata.id;
    let then = match pair.source.snapshot(Some(from)).await {
        Ok(then) => Some(then).filter(is_same),
        Err(LogError::Storage(error)) => {
            return Err(PlanError::Source(LogError::Storage(error)));
        }
        // Cleaned away.
        Err(_) => None,
    };
    let stands = then.as_ref().and_then(|then| stands(cut, view, then));
    let (Some(then), Some(stands)) = (&then, stands) else {
        return Ok(none(Some(
            "the source's log no longer says what the replica was made of",
        )));
    };
    let stood = Stood {
        held: then,
        view: stands,
        from: Some(from),
        unfit,
    };
    let chosen = choose_sets(pair, source, stood, |set| {
        let mut files = set.ends.iter().chain(&set.held);
        files
            .next()
            .is_none_or(|file| cut.made.admits(&file.partition_values))
    });
    let chosen = chosen.await?;
    Ok(settled(cut, (view, names), chosen))
}

/// Whether files of the source are gone that the replica has, and others are there that it has not.
fn has_rewritten(view: &View, names: &HashSet<&String>) -> bool {
    let together = view.sets.values().flat_map(|set| &set.of);
    let has: HashSet<&String> = view
        .files
        .keys()
        .chain(&view.none)
        .chain(together)
        .collect();
    let there = names.intersection(&has).count();
    there < has.len() && (there < names.len() || !view.sets.is_empty())
}

/// What the replica has in sets, by the names of the source's files. None: it is not of the source as that was.
fn stands(cut: &Cut<'_>, view: &View, then: &Snapshot) -> Option<Stands> {
    let sets = || view.sets.iter().enumerate();
    let mut groups: Vec<Group> = sets()
        .map(|(_, (id, _))| Group {
            id: id.clone(),
            members: Vec::new(),
            stands: Vec::new(),
        })
        .collect();
    let together = sets().flat_map(|(at, (_, set))| set.of.iter().map(move |of| (of, at)));
    let together: HashMap<&String, usize> = together.collect();
    let files = then.files.values();
    let mut found = 0;
    for file in files.filter(|file| cut.made.admits(&file.partition_values)) {
        let of = cut.name(file);
        found += 1;
        match together.get(&of) {
            Some(at) => {
                let group = groups.get_mut(*at)?;
                group.members.push(Arc::clone(file));
                group.stands.push(Stand::of(file));
            }
            None if view.files.contains_key(&of) || view.none.contains(&of) => {}
            None => return None,
        }
    }
    let all = view.sets.values().map(|set| set.of.len()).sum::<usize>();
    let all = all + view.files.len() + view.none.len();
    (found == all && view.odd.is_empty()).then(|| Stands::of_source(groups))
}

/// Makes of what was chosen for the source's files what is to be done to the replica's.
fn settled(cut: &Cut<'_>, of: (&View, &HashSet<&String>), chosen: Chosen) -> Choosing {
    let digest = chosen.digest();
    let Chosen {
        view: stands,
        works,
        options,
        copied,
        why,
        ..
    } = chosen;
    let mut made = Choosing {
        copied,
        why,
        ..Choosing::default()
    };
    let is_chosen = |option: &&Choice| option.is_chosen;
    made.copied += options.iter().filter(|option| !is_chosen(option)).count() as u64;
    for (work, option) in works.into_iter().zip(options.iter().filter(is_chosen)) {
        let set = match set_of(cut, of, &stands, work, option.copy) {
            Ok(set) => set,
            Err(why) => {
                made.copied += 1;
                made.why.get_or_insert_with(|| why.to_owned());
                continue;
            }
        };
        made.by_rows += 1;
        if option.way == Way::Feed {
            made.fed.0 += 1;
            made.fed.1 += option.other.bytes;
        }
        made.sets.push(set);
    }
    if !made.sets.is_empty() {
        made.digest = with_bases(&digest, &made.sets);
    }
    made
}

/// What was chosen, with the files of the replica and their order: what is done is noted by their numbers.
fn with_bases(digest: &str, sets: &[Set]) -> String {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    part(digest);
    for set in sets {
        part(&set.id);
        for base in &set.bases {
            part(&base.file.path);
        }
    }
    hex::encode(hash.finalize())
}

/// Or why it is narrowed anew.
fn set_of(
    cut: &Cut<'_>,
    (view, names): (&View, &HashSet<&String>),
    stands: &Stands,
    work: Work,
    copy: Moves,
) -> Result<Set, &'static str> {
    let (came, stood): (Vec<Base>, Vec<Base>) =
        work.bases.into_iter().partition(|base| base.is_new);
    let before = rows_of(stood.iter().map(|base| &base.file));
    let number = |rows: u64| i64::try_from(rows).ok();
    let more = before.and_then(|before| number(work.rows)?.checked_sub(number(before)?));
    let chooses = cut.made.chooses_rows();
    if more.is_none() && chooses {
        return Err("the source did not say how many rows its files had");
    }
    let mut sets: BTreeSet<&str> = BTreeSet::new();
    let mut bases = Vec::new();
    for base in &stood {
        let group = stands.group_of(&base.file.file_key());
        match group.and_then(|at| stands.groups.get(at)) {
            Some(group) => {
                sets.insert(&group.id);
            }
            // Or there is none, for no row of it is left.
            None => bases.extend(view.files.get(&cut.name(&base.file)).cloned()),
        }
    }
    for id in &sets {
        let set = view.sets.get(*id).into_iter();
        bases.extend(set.flat_map(|set| set.members.iter().cloned()));
    }
    if bases.len() > MOST_FILES {
        return Err("too many files went into one another");
    }
    // Always the same, however the log was put together.
    bases.sort_by(|a, b| a.path.cmp(&b.path));
    let ends = work.ends.into_iter();
    let ends: Vec<(String, Arc<AddFile>)> = ends.map(|end| (cut.name(&end), end)).collect();
    if !ends.iter().all(|(of, _)| names.contains(of)) {
        return Err("some of its files are of partitions that are not chosen");
    }
    let id = match sets.contains(work.id.as_str()) {
        true => work.id,
        false => cut.narrow.secret.name("set", &[&work.id]),
    };
    let feeds = work.feeds.into_iter().map(|item| (Turn::Change, item));
    let without = work.without.into_iter().map(|item| (Turn::Go, item));
    let mut taken = Vec::new();
    for (turn, item) in feeds.chain(without) {
        let file = bare(&item.src, item.size).map_err(|_| "the path of a file cannot be read")?;
        taken.push((turn, file));
    }
    let came = came.iter();
    taken.extend(came.map(|base| (Turn::Come, AddFile::clone(&base.file))));
    let taken = taken.into_iter().map(|(turn, file)| Taken {
        turn,
        file,
        opened: None,
    });
    let bases = bases.into_iter().map(|file| Base {
        file,
        is_new: false,
    });
    Ok(Set {
        id,
        bases: bases.collect(),
        taken: taken.collect(),
        ends,
        more,
        rows: (!chooses).then_some(work.rows),
        copy,
    })
}

/// Where what is left of a file goes.
pub(super) fn path_of(of: &str) -> String {
    format!("part-{of}.snappy.parquet")
}

/// The file of the source that a path is the place of.
fn of_path(path: &str) -> Option<&str> {
    path.strip_prefix("part-")?.strip_suffix(".snappy.parquet")
}

/// What becomes of the files that have rows together.
#[derive(Default)]
pub(super) struct Kept {
    /// The files of the source that they are of then.
    pub(super) of: HashSet<String>,
    /// Of sets that stay as they are.
    pub(super) stays: Vec<Arc<AddFile>>,
    /// The paths of those whose rows are changed.
    pub(super) bases: HashSet<String>,
    /// What is of no use any more.
    pub(super) given_up: Vec<Arc<AddFile>>,
}

impl Kept {
    /// A set that is not chosen stays if the source still has all that it is of. One that has a file where another is to be written is
    /// given up, and is not chosen either.
    pub(super) fn of(
        view: &View,
        names: &HashSet<&String>,
        chosen: &mut Choosing,
        stay: bool,
    ) -> Self {
        let is_in_the_way = |path: &str, of: &HashSet<&String>| {
            let wanted = of_path(path).map(str::to_owned);
            wanted.is_some_and(|wanted| names.contains(&wanted) && !of.contains(&wanted))
        };
        let is_free = |set: &Set| {
            let of: HashSet<&String> = set.ends.iter().map(|(of, _)| of).collect();
            let mut bases = set.bases.iter();
            !bases.any(|base| is_in_the_way(&base.file.path, &of))
        };
        if !chosen.sets.iter().all(is_free) {
            // Rare enough to do without all of them.
            let copied = chosen.copied + chosen.by_rows;
            *chosen = Choosing {
                copied,
                why: Some("a file that went came back".to_owned()),
                ..Choosing::default()
            };
        }
        let mut kept = Self::default();
        for set in &chosen.sets {
            kept.of.extend(set.ends.iter().map(|(of, _)| of.clone()));
            let bases = set.bases.iter().map(|base| base.file.path.clone());
            kept.bases.extend(bases);
        }
        for set in view.sets.values() {
            if set
                .members
                .iter()
                .any(|file| kept.bases.contains(&file.path))
            {
                continue;
            }
            let of: HashSet<&String> = set.of.iter().collect();
            let mut members = set.members.iter();
            let stays = stay
                && !of.is_empty()
                && of.iter().all(|of| names.contains(*of))
                && !members.any(|file| is_in_the_way(&file.path, &of));
            if stays {
                kept.of.extend(set.of.iter().cloned());
                kept.stays.extend(set.members.iter().cloned());
            } else {
                kept.given_up.extend(set.members.iter().cloned());
            }
        }
        kept
    }
}
