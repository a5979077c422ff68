//! One way of keeping a copy of a table: which bytes cross at each sync. Without feed and without skipping it is what
//! `plan` and `diff` do, file by file; the others are what could be saved on top.

use std::collections::{HashMap, HashSet};

use delta::{Logged, LoggedFile};

/// What lies in the table, by [`LoggedFile::id`].
pub(super) type Live = HashMap<u128, LoggedFile>;

/// How a file's rows are on the copy's side.
#[derive(Clone, Copy, Debug)]
enum Held {
    /// The same file was copied; another size or time under the same name is another file.
    File { size: u64, modified: i64 },
    /// The rows are there, in other files: with those of the group's other files.
    Rows(usize),
}

/// An object that the copy has tombstoned and not yet vacuumed.
struct Tombstone {
    size: u64,
    /// When it was copied, and when it was tombstoned, microseconds.
    copied: i64,
    at: i64,
}

pub(super) struct Way {
    /// Changes are taken from the files of changes where those are smaller.
    feed: bool,
    /// What only puts held rows elsewhere is not copied.
    skip: bool,
    held: HashMap<u128, Held>,
    /// When each object was copied, and its size; for what comes back later.
    objects: HashMap<u128, (u64, i64)>,
    tombstones: HashMap<u128, Tombstone>,
    /// Groups of files whose rows are held together: the group that each was joined to, and whether it holds no more.
    groups: Vec<(usize, bool)>,
    /// Bytes of changes since the last sync.
    pending: u64,
}

impl Way {
    pub(super) fn new(feed: bool, skip: bool) -> Self {
        Self {
            feed,
            skip,
            held: HashMap::new(),
            objects: HashMap::new(),
            tombstones: HashMap::new(),
            groups: Vec::new(),
            pending: 0,
        }
    }

    fn root(&self, mut group: usize) -> usize {
        while self.groups[group].0 != group {
            group = self.groups[group].0;
        }
        group
    }

    fn has_rows(&self, file: &LoggedFile) -> bool {
        match self.held.get(&file.id) {
            Some(Held::File { size, modified }) => (*size, *modified) == (file.size, file.modified),
            Some(Held::Rows(group)) => !self.groups[self.root(*group)].1,
            None => false,
        }
    }

    /// Takes up a commit; `live` is the table before it.
    pub(super) fn commit(&mut self, commit: &Logged, live: &Live) {
        if !self.feed && !self.skip {
            return;
        }
        let mut removed: Vec<&LoggedFile> = commit
            .removes
            .iter()
            .filter_map(|id| live.get(id))
            .collect();
        let mut added: Vec<&LoggedFile> = commit.adds.iter().collect();
        if self.skip && is_compaction(commit) {
            let partitions: HashSet<u128> = added.iter().map(|file| file.partition).collect();
            for partition in partitions {
                let in_it = |file: &&LoggedFile| file.partition == partition;
                let before: Vec<_> = removed.iter().copied().filter(in_it).collect();
                let after: Vec<_> = added.iter().copied().filter(in_it).collect();
                let same =
                    rows(&before).is_some_and(|rows_before| Some(rows_before) == rows(&after));
                if same && before.iter().all(|file| self.has_rows(file)) {
                    self.join(&before, &after);
                    removed.retain(|file| file.partition != partition);
                    added.retain(|file| file.partition != partition);
                }
            }
        } else if self.feed && commit.feed_files > 0 {
            let bytes = added
                .iter()
                .fold(0, |sum: u64, file| sum.saturating_add(file.size));
            if commit.feed_bytes < bytes && removed.iter().all(|file| self.has_rows(file)) {
                self.join(&removed, &added);
                self.pending = self.pending.saturating_add(commit.feed_bytes);
                return;
            }
        }
        // Which of a group's rows a removed file had is not known: the rest of the group has to be copied.
        for file in removed {
            if let Some(Held::Rows(group)) = self.held.get(&file.id) {
                let root = self.root(*group);
                self.groups[root].1 = true;
                self.held.remove(&file.id);
            }
        }
    }

    /// The rows of `before` are those of `after`, wherever they lie.
    fn join(&mut self, before: &[&LoggedFile], after: &[&LoggedFile]) {
        let group = self.groups.len();
        self.groups.push((group, false));
        for file in before {
            if let Some(Held::Rows(old)) = self.held.remove(&file.id) {
                let root = self.root(old);
                self.groups[root].0 = group;
            }
        }
        for file in after {
            self.held.insert(file.id, Held::Rows(group));
        }
    }

    /// Brings the copy to what the table is at this instant (microseconds): the bytes that cross. Tombstones younger than
    /// `retention` (microseconds) have their objects still.
    pub(super) fn sync(&mut self, live: &Live, at: i64, retention: i64) -> u64 {
        // Later groups are behind earlier ones: from the last on, each finds the end of its chain in one step.
        for group in (0..self.groups.len()).rev() {
            let next = self.groups[group].0;
            self.groups[group].0 = self.groups[next].0;
        }
        let (mut copies, mut rows_only) = (Vec::new(), Vec::new());
        for file in live.values() {
            match self.held.get(&file.id) {
                Some(Held::File { size, modified })
                    if (*size, *modified) == (file.size, file.modified) => {}
                Some(Held::Rows(group)) if !self.groups[self.root(*group)].1 => {
                    rows_only.push(file);
                }
                _ => copies.push(file),
            }
        }
        self.tombstones
            .retain(|_, tombstone| at.saturating_sub(tombstone.at) <= retention);
        let mut seen = HashSet::new();
        let mut bytes = self.price(&copies, &mut seen);
        let files_too = bytes.saturating_add(self.price(&rows_only, &mut seen));
        // Where the changes are larger than the files, the files are copied.
        if self.feed && self.pending > 0 && files_too <= bytes.saturating_add(self.pending) {
            copies.append(&mut rows_only);
            bytes = files_too;
        } else {
            bytes = bytes.saturating_add(self.pending);
        }
        self.pending = 0;
        for file in copies {
            let (size, modified) = (file.size, file.modified);
            self.held.insert(file.id, Held::File { size, modified });
            let copied = self.reused(file).unwrap_or(at);
            self.objects.insert(file.object, (size, copied));
            self.tombstones.remove(&file.object);
        }
        let there: HashSet<u128> = live.values().map(|file| file.object).collect();
        self.held.retain(|id, _| live.contains_key(id));
        let tombstones = &mut self.tombstones;
        self.objects.retain(|object, (size, copied)| {
            if there.contains(object) {
                return true;
            }
            let (size, copied) = (*size, *copied);
            tombstones.insert(*object, Tombstone { size, copied, at });
            false
        });
        bytes
    }

    /// Each object once, none that is still there.
    fn price(&self, files: &[&LoggedFile], seen: &mut HashSet<u128>) -> u64 {
        files
            .iter()
            .filter(|file| seen.insert(file.object) && self.reused(file).is_none())
            .fold(0, |sum, file| sum.saturating_add(file.size))
    }

    /// When the object was copied that the copy still holds for this file.
    fn reused(&self, file: &LoggedFile) -> Option<i64> {
        let tombstone = self.tombstones.get(&file.object)?;
        let fits =
            tombstone.size == file.size && tombstone.copied.div_euclid(1_000) >= file.modified;
        fits.then_some(tombstone.copied)
    }
}

/// Rows of all files; None where one does not say, and where there is no file.
fn rows(files: &[&LoggedFile]) -> Option<u64> {
    if files.is_empty() {
        return None;
    }
    files
        .iter()
        .try_fold(0_u64, |sum, file| sum.checked_add(file.rows?))
}

/// Whether a commit says of itself that it only puts rows elsewhere, and nothing in it speaks against that.
fn is_compaction(commit: &Logged) -> bool {
    let named = commit.operation.as_deref().is_some_and(|operation| {
        ["OPTIMIZE", "ZORDER", "CLUSTERING", "AUTO COMPACTION"]
            .iter()
            .any(|known| operation.eq_ignore_ascii_case(known))
    });
    named && !commit.data_change && commit.protocol.is_none() && commit.metadata.is_none()
}
