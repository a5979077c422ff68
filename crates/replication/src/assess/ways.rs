//! One way of keeping a copy of a table: which bytes cross at each sync. File by file it is what `plan` and `diff` do; with the feed,
//! and with compactions left alone, what `choose` does on top. It has the log alone to go by: what a run looks up in the source's
//! store is taken to be there.

use std::collections::{HashMap, HashSet};

use delta::{Logged, LoggedFile};

use super::sets::{Touched, Walk};

/// What lies in the table, by [`LoggedFile::id`].
pub(super) type Live = HashMap<u128, LoggedFile>;

/// As the engine: the feed has to be this much smaller, in tenths; and what a set may have at the most.
const TENTHS: u64 = 8;
const MOST_FILES: usize = 1_000;
const MOST_BYTES: u64 = 256 << 20;
const MOST_LOOKS: usize = 1_000;
/// So many small files of a set are put together, so that a set that goes on being changed does not grow with each sync.
const PACK: usize = 16;

/// How a file's rows are on the copy's side.
#[derive(Clone, Copy, Debug)]
pub(super) enum Held {
    /// The same file was copied; another size or time under the same name is another file.
    File { size: u64, modified: i64 },
    /// The rows are there, in files of the copy's own: with those of the group's other files.
    Rows(usize),
}

/// Files of the copy with the rows of files of the table.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) stands: Vec<Stand>,
    /// How many files it has, and which of them are the table's by name.
    members: usize,
    objects: Vec<u128>,
    rows: u64,
}

/// A file that a group stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stand {
    pub(super) id: u128,
    size: u64,
    modified: i64,
}

/// What the copy has of the table.
#[derive(Debug, Default)]
pub(super) struct Holds {
    pub(super) held: HashMap<u128, Held>,
    pub(super) groups: HashMap<usize, Group>,
}

/// An object that the copy has.
#[derive(Clone, Copy, Debug)]
struct Object {
    size: u64,
    /// As the log has it; of what holds vectors it says nothing.
    modified: Option<i64>,
    /// Microseconds.
    copied: i64,
}

/// The table at the instant of a sync.
pub(super) struct Now<'a> {
    pub(super) live: &'a Live,
    /// How long the objects of vectors are at least, as far as the log has told.
    pub(super) vectors: &'a HashMap<u128, u64>,
    /// Microseconds.
    pub(super) at: i64,
    /// Objects of files that went are kept so long, microseconds.
    pub(super) retention: i64,
    /// The change feed is on.
    pub(super) is_recorded: bool,
}

pub(super) struct Way {
    feed: bool,
    skip: bool,
    holds: Holds,
    /// Of files that live, and of members of groups.
    objects: HashMap<u128, Object>,
    /// What was taken out and is not yet vacuumed, and when it was taken out.
    tombstones: HashMap<u128, (Object, i64)>,
    walk: Walk,
    next: usize,
}

/// What is done for a set in place of copying it.
struct Work {
    bytes: u64,
    inputs: Vec<LoggedFile>,
    group: Group,
}

impl Way {
    pub(super) fn new(feed: bool, skip: bool) -> Self {
        Self {
            feed,
            skip,
            holds: Holds::default(),
            objects: HashMap::new(),
            tombstones: HashMap::new(),
            walk: Walk::default(),
            next: 0,
        }
    }

    /// Takes up a commit; `live` is the table before it.
    pub(super) fn commit(&mut self, commit: &Logged, live: &Live) {
        if self.feed || self.skip {
            self.walk.commit(commit, live, &self.holds, self.skip);
        }
    }

    /// Brings the copy to what the table is now: the bytes that cross.
    pub(super) fn sync(&mut self, now: &Now<'_>) -> u64 {
        self.tombstones
            .retain(|_, (_, gone)| now.at.saturating_sub(*gone) <= now.retention);
        let walk = std::mem::take(&mut self.walk);
        let is_worth_it = self.skip || (self.feed && now.is_recorded);
        let sets = match is_worth_it {
            true => walk.end(now.live, self.holds.held.len()),
            false => None,
        };
        let (mut bytes, mut inputs) = (0_u64, Vec::new());
        for work in self.choose(sets.unwrap_or_default(), now) {
            bytes = bytes.saturating_add(work.bytes);
            let group = self.next;
            self.next += 1;
            for stand in &work.group.stands {
                self.holds.held.insert(stand.id, Held::Rows(group));
            }
            inputs.extend(work.inputs);
            self.holds.groups.insert(group, work.group);
        }
        let groups = &self.holds.groups;
        let copies: Vec<&LoggedFile> = now
            .live
            .values()
            .filter(|file| match self.holds.held.get(&file.id) {
                Some(Held::File { size, modified }) => {
                    (*size, *modified) != (file.size, file.modified)
                }
                Some(Held::Rows(group)) => !groups.contains_key(group),
                None => true,
            })
            .collect();
        bytes = bytes.saturating_add(self.take(&copies, now));
        // What is fetched only to be written anew here is no file of the copy.
        let inputs: Vec<&LoggedFile> = inputs.iter().collect();
        bytes = bytes.saturating_add(self.take(&inputs, now));
        for file in copies {
            let (size, modified) = (file.size, file.modified);
            self.holds
                .held
                .insert(file.id, Held::File { size, modified });
        }
        self.holds.held.retain(|id, _| now.live.contains_key(id));
        self.bury(now);
        bytes
    }

    /// The bytes of what has to be fetched for these files, each object once and none that is there still. They are there then.
    fn take(&mut self, files: &[&LoggedFile], now: &Now<'_>) -> u64 {
        let mut bytes = 0_u64;
        let mut wanted = Vec::new();
        for file in files {
            let is_there = |object: &Object| {
                object.size == file.size && object.modified == Some(file.modified)
            };
            if !self.objects.get(&file.object).is_some_and(is_there) {
                wanted.push((file.object, file.size, Some(file.modified)));
            }
            if let Some(vector) = file.vector
                && !self.objects.contains_key(&vector.object)
            {
                let known = now.vectors.get(&vector.object).copied();
                let size = known.unwrap_or_default().max(vector.end);
                wanted.push((vector.object, size, None));
            }
        }
        let mut seen = HashSet::new();
        for (object, size, modified) in wanted {
            if !seen.insert(object) {
                continue;
            }
            let kept = self.tombstones.get(&object).map(|(object, _)| *object);
            let kept = kept.filter(|kept| {
                let is_later = |at: i64| kept.copied.div_euclid(1_000) >= at;
                kept.size == size && modified.is_none_or(is_later)
            });
            if kept.is_none() {
                bytes = bytes.saturating_add(size);
            }
            let copied = kept.map_or(now.at, |kept| kept.copied);
            let taken = Object {
                size,
                modified,
                copied,
            };
            self.objects.insert(object, taken);
            self.tombstones.remove(&object);
        }
        bytes
    }

    /// Objects that no file of the copy names any more are kept for a while.
    fn bury(&mut self, now: &Now<'_>) {
        let mut there: HashSet<u128> = HashSet::new();
        for file in now.live.values() {
            if let Some(Held::File { .. }) = self.holds.held.get(&file.id) {
                there.insert(file.object);
                there.extend(file.vector.map(|vector| vector.object));
            }
        }
        for group in self.holds.groups.values() {
            there.extend(&group.objects);
        }
        let tombstones = &mut self.tombstones;
        self.objects.retain(|id, object| {
            let stays = there.contains(id);
            if !stays {
                tombstones.insert(*id, (*object, now.at));
            }
            stays
        });
    }

    /// What is done for the sets that are not copied. Groups that the table has touched otherwise are given up.
    fn choose(&mut self, sets: Vec<Touched>, now: &Now<'_>) -> Vec<Work> {
        let mut groups = std::mem::take(&mut self.holds.groups);
        if sets.is_empty() && groups.is_empty() {
            return Vec::new();
        }
        let mut paths: HashMap<u128, usize> = HashMap::new();
        for file in now.live.values() {
            *paths.entry(file.object).or_default() += 1;
        }
        let mut works = Vec::new();
        for set in sets {
            let of_set = set.groups.iter().filter_map(|group| groups.remove(group));
            let of_set: Vec<Group> = of_set.collect();
            works.extend(self.work(set, &of_set, &paths));
        }
        groups.retain(|_, group| {
            let is_there = |stand: &Stand| {
                let file = now.live.get(&stand.id);
                file.is_some_and(|file| (file.size, file.modified) == (stand.size, stand.modified))
            };
            let ends: HashSet<u128> = group.stands.iter().map(|stand| stand.id).collect();
            let ends = ends.iter().filter_map(|id| now.live.get(id));
            group.stands.iter().all(is_there)
                && !is_in_the_way(&paths, &group.objects, &objects_of(ends))
        });
        self.holds.groups = groups;
        works
    }

    /// What is done for a set; `None`: its files are copied.
    fn work(&self, set: Touched, groups: &[Group], paths: &HashMap<u128, usize>) -> Option<Work> {
        let came_back = set
            .inputs
            .iter()
            .any(|input| self.objects.contains_key(&input.object));
        if set.ends.is_empty() || set.is_broken || came_back {
            return None;
        }
        let is_feed = set.feeds > 0 || !set.without.is_empty();
        let is_allowed = match is_feed {
            true => self.feed,
            false => self.skip,
        };
        if !is_allowed {
            return None;
        }
        let members = groups.iter().map(|group| group.members).sum::<usize>();
        let bases = set.held.len() + members + set.inputs.len();
        if bases == 0 || bases.max(set.ends.len()) > MOST_FILES {
            return None;
        }
        let rows = rows(&set.ends).filter(|rows| *rows > 0)?;
        let own = groups.iter().flat_map(|group| &group.objects).copied();
        let named = set.held.iter().chain(&set.inputs).map(|file| file.object);
        let objects: Vec<u128> = named.chain(own).collect();
        if is_in_the_way(paths, &objects, &objects_of(set.ends.iter())) {
            return None;
        }
        let of_groups = groups.iter().map(|group| group.rows).sum::<u64>();
        let there = rows_of_bases(&set).map(|rows| rows.saturating_add(of_groups));
        if !is_feed && there != Some(rows) {
            return None;
        }
        let without = set.without.iter().sum::<u64>();
        let fetched = set.feed_bytes.saturating_add(without);
        if fetched > MOST_BYTES || set.feeds + set.without.len() + set.inputs.len() > MOST_LOOKS {
            return None;
        }
        let inputs = set.inputs.iter().map(|input| input.size).sum::<u64>();
        let other = fetched.saturating_add(inputs);
        let copy = copy_of(&set);
        let is_less = match is_feed {
            true => other.saturating_mul(10) < copy.saturating_mul(TENTHS),
            false => other < copy,
        };
        let stands = set.ends.iter().map(|end| Stand {
            id: end.id,
            size: end.size,
            modified: end.modified,
        });
        is_less.then(|| Work {
            bytes: fetched,
            group: Group {
                stands: stands.collect(),
                members: if bases < PACK { bases + 1 } else { 1 },
                // Rows that were changed are in files of the copy's own.
                objects: if is_feed { Vec::new() } else { objects },
                rows,
            },
            inputs: set.inputs,
        })
    }
}

/// What the files themselves would take.
fn copy_of(set: &Touched) -> u64 {
    let has: HashSet<(u128, u64, i64)> = set
        .held
        .iter()
        .map(|file| (file.object, file.size, file.modified))
        .collect();
    let vectors = set.held.iter().filter_map(|file| file.vector);
    let mut seen: HashSet<u128> = vectors.map(|vector| vector.object).collect();
    let mut bytes = 0_u64;
    for end in &set.ends {
        let is_held = has.contains(&(end.object, end.size, end.modified));
        if !is_held && seen.insert(end.object) {
            bytes = bytes.saturating_add(end.size);
        }
        if let Some(vector) = end.vector
            && seen.insert(vector.object)
        {
            bytes = bytes.saturating_add(vector.end);
        }
    }
    bytes
}

fn objects_of<'a>(files: impl Iterator<Item = &'a LoggedFile>) -> HashMap<u128, usize> {
    let mut objects = HashMap::new();
    for file in files {
        *objects.entry(file.object).or_default() += 1;
    }
    objects
}

/// Whether a file that is to stay for others has the name of one of the table's that it does not stand for.
fn is_in_the_way(
    paths: &HashMap<u128, usize>,
    bases: &[u128],
    ends: &HashMap<u128, usize>,
) -> bool {
    let count = |of: &HashMap<u128, usize>, base: &u128| of.get(base).copied().unwrap_or(0);
    bases
        .iter()
        .any(|base| count(paths, base) > count(ends, base))
}

/// Rows of all files; None where one does not say.
fn rows(files: &[LoggedFile]) -> Option<u64> {
    files
        .iter()
        .try_fold(0_u64, |sum, file| sum.checked_add(file.rows?))
}

fn rows_of_bases(set: &Touched) -> Option<u64> {
    rows(&set.held)?.checked_add(rows(&set.inputs)?)
}
