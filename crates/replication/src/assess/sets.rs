//! What the commits between two syncs made of which files: the sets of files whose rows went into one another, as the engine's
//! `interval` follows them, with numbers in place of names. What is fetched for a set is the business of [`super::ways`].

use std::collections::{BTreeMap, HashMap, HashSet};

use delta::{Logged, LoggedFile};

use super::ways::{Held, Holds, Live};

/// As the engine: more than so much between two syncs is not followed.
const MOST_COMMITS: u64 = 2_000;
const MOST_ACTIONS: usize = 500_000;
const MOST_LOG: u64 = 64 << 20;
const COMPACTIONS: [&str; 3] = ["OPTIMIZE", "Z-ORDER", "CLUSTERING"];

/// A set of files.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// Groups of the copy among those that it began with.
    pub(super) groups: Vec<usize>,
    /// Files that it began with and the copy has as they are.
    pub(super) held: Vec<LoggedFile>,
    /// What the table has of it now.
    pub(super) ends: Vec<LoggedFile>,
    /// Files of changes, and their bytes.
    pub(super) feeds: usize,
    pub(super) feed_bytes: u64,
    /// Files that came and went since.
    pub(super) inputs: Vec<LoggedFile>,
    /// Sizes of files all of whose rows went, though the copy does not have them by themselves.
    pub(super) without: Vec<u64>,
    /// It cannot be followed.
    pub(super) is_broken: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    Direct,
    Group(usize),
}

/// A file, as far as the commits speak of it.
struct Node {
    /// In the same set: the way to the set's own number.
    parent: usize,
    file: LoggedFile,
    /// The copy stands for it.
    start: Option<Start>,
    is_live: bool,
    came_whole: bool,
    went_whole: bool,
    is_compacted: bool,
    is_broken: bool,
    feeds: usize,
    feed_bytes: u64,
}

/// What a commit says of one partition.
#[derive(Default)]
struct Part<'a> {
    adds: Vec<&'a LoggedFile>,
    removes: Vec<u128>,
    feeds: usize,
    feed_bytes: u64,
}

/// The commits since the last sync.
#[derive(Default)]
pub(super) struct Walk {
    nodes: Vec<Node>,
    index: HashMap<u128, usize>,
    commits: u64,
    actions: usize,
    bytes: u64,
    /// They cannot be followed.
    is_lost: bool,
}

impl Walk {
    /// Takes up a commit; `live` is the table before it.
    pub(super) fn commit(&mut self, commit: &Logged, live: &Live, holds: &Holds, skip: bool) {
        if self.is_lost {
            return;
        }
        self.commits += 1;
        self.actions += commit.adds.len() + commit.removes.len() + commit.feeds.len();
        self.bytes = self.bytes.saturating_add(commit.bytes);
        let is_much = self.commits > MOST_COMMITS
            || self.actions > MOST_ACTIONS
            || self.bytes > MOST_LOG
            || commit.protocol.is_some()
            || commit.metadata.is_some()
            || commit.has_absolute;
        if is_much || !self.parts(commit, live, holds, skip) {
            *self = Self {
                is_lost: true,
                ..Self::default()
            };
        }
    }

    fn parts(&mut self, commit: &Logged, live: &Live, holds: &Holds, skip: bool) -> bool {
        let mut parts: HashMap<u128, Part<'_>> = HashMap::new();
        for file in &commit.adds {
            parts.entry(file.partition).or_default().adds.push(file);
        }
        for id in &commit.removes {
            let known = self.index.get(id).map(|at| self.nodes[*at].file.partition);
            let Some(partition) = known.or(live.get(id).map(|file| file.partition)) else {
                return false;
            };
            parts.entry(partition).or_default().removes.push(*id);
        }
        for feed in &commit.feeds {
            let part = parts.entry(feed.partition).or_default();
            part.feeds += 1;
            part.feed_bytes = part.feed_bytes.saturating_add(feed.size);
        }
        let same: HashSet<u128> = commit.unchanged.iter().copied().collect();
        let is_fed = !commit.feeds.is_empty();
        let is_compaction = commit.operation.as_deref().is_some_and(|operation| {
            COMPACTIONS
                .iter()
                .any(|known| operation.eq_ignore_ascii_case(known))
        });
        parts.into_values().all(|part| {
            let says_same = |id: &u128| same.contains(id);
            self.part(&part, live, holds, says_same)
                .is_some_and(|said| self.join(&part, said, is_fed, is_compaction, skip))
        })
    }

    /// The files of a part that came and went, and what is said of them; `None` where it cannot be followed.
    fn part(
        &mut self,
        part: &Part<'_>,
        live: &Live,
        holds: &Holds,
        says_same: impl Fn(&u128) -> bool,
    ) -> Option<Said> {
        let mut said = Said::default();
        for id in &part.removes {
            let at = self.node_of(*id, live, holds)?;
            let node = self.nodes.get_mut(at).filter(|node| node.is_live)?;
            node.is_live = false;
            said.changed |= !says_same(id);
            said.same |= says_same(id);
            said.went.push(at);
        }
        let of = |file: &LoggedFile| (file.size, file.modified);
        for file in part.adds.iter().copied() {
            let there = match self.index.get(&file.id) {
                Some(at) => {
                    let node = &self.nodes[*at];
                    Some((*at, node.is_live, of(&node.file)))
                }
                None => live
                    .get(&file.id)
                    .filter(|_| holds.held.contains_key(&file.id))
                    .map(|known| (usize::MAX, true, of(known))),
            };
            match there {
                // It says something new of a file that is there.
                Some((_, true, known)) if known == of(file) => continue,
                Some((_, true, _)) => return None,
                Some((at, false, _)) => {
                    let node = &mut self.nodes[at];
                    node.is_live = true;
                    node.file = file.clone();
                    node.is_broken = true;
                    said.came.push(at);
                }
                None => said.came.push(self.push(file.clone(), None)),
            }
            said.has_vectors |= file.has_vector;
            said.changed |= !says_same(&file.id);
            said.same |= says_same(&file.id);
        }
        // Of changes to rows without files that changed nothing can be made.
        let is_nothing = said.went.is_empty() && said.came.is_empty();
        (!is_nothing || part.feeds == 0).then_some(said)
    }

    /// Puts together what went into one another.
    fn join(
        &mut self,
        part: &Part<'_>,
        said: Said,
        is_fed: bool,
        is_compaction: bool,
        skip: bool,
    ) -> bool {
        let all: Vec<usize> = said.went.iter().chain(&said.came).copied().collect();
        let Some(&first) = all.first() else {
            return true;
        };
        if !is_fed && !said.same {
            for at in said.came {
                self.nodes[at].came_whole = true;
            }
            for at in said.went {
                self.nodes[at].went_whole = true;
            }
            return true;
        }
        for at in all.iter().skip(1) {
            self.unite(first, *at);
        }
        if is_fed && !said.same {
            let node = &mut self.nodes[first];
            node.feeds += part.feeds;
            node.feed_bytes = node.feed_bytes.saturating_add(part.feed_bytes);
            return true;
        }
        let rows = |of: &[usize]| -> Option<u64> {
            of.iter()
                .try_fold(0_u64, |sum, at| sum.checked_add(self.nodes[*at].file.rows?))
        };
        let (before, after) = (rows(&said.went), rows(&said.came));
        let is_skipped = !is_fed
            && !said.changed
            && is_compaction
            && skip
            && !said.went.is_empty()
            && !said.came.is_empty()
            && before.is_some()
            && before == after
            && !said.has_vectors;
        let node = &mut self.nodes[first];
        node.is_compacted = true;
        node.is_broken |= !is_skipped;
        true
    }

    /// The node of a file that was there.
    fn node_of(&mut self, id: u128, live: &Live, holds: &Holds) -> Option<usize> {
        if let Some(at) = self.index.get(&id) {
            return Some(*at);
        }
        match holds.held.get(&id)? {
            Held::File { .. } => Some(self.push(live.get(&id)?.clone(), Some(Start::Direct))),
            Held::Rows(group) => {
                // Whatever becomes of one of them is to be done to the rows of all.
                let mut first = None;
                for stand in &holds.groups.get(group)?.stands {
                    let file = live.get(&stand.id)?.clone();
                    let at = self.push(file, Some(Start::Group(*group)));
                    self.unite(*first.get_or_insert(at), at);
                }
                self.index.get(&id).copied()
            }
        }
    }

    fn push(&mut self, file: LoggedFile, start: Option<Start>) -> usize {
        let at = self.nodes.len();
        self.index.insert(file.id, at);
        self.nodes.push(Node {
            parent: at,
            file,
            start,
            is_live: true,
            came_whole: false,
            went_whole: false,
            is_compacted: false,
            is_broken: false,
            feeds: 0,
            feed_bytes: 0,
        });
        at
    }

    fn root(&mut self, mut at: usize) -> usize {
        while self.nodes[at].parent != at {
            let up = self.nodes[self.nodes[at].parent].parent;
            self.nodes[at].parent = up;
            at = up;
        }
        at
    }

    fn unite(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.nodes[b.max(a)].parent = a.min(b);
    }

    /// The sets, if what the commits say comes to what the table has. `held` is how many of its files the copy had.
    pub(super) fn end(mut self, live: &Live, held: usize) -> Option<Vec<Touched>> {
        if self.is_lost {
            return None;
        }
        let starts = self.nodes.iter().filter(|node| node.start.is_some());
        let lives = self.nodes.iter().filter(|node| node.is_live).count();
        if held.checked_sub(starts.count())? + lives != live.len() {
            return None;
        }
        let mut sets: BTreeMap<usize, (Touched, bool)> = BTreeMap::new();
        for at in 0..self.nodes.len() {
            let root = self.root(at);
            let node = &self.nodes[at];
            let (set, is_one) = sets.entry(root).or_default();
            *is_one |= matches!(node.start, Some(Start::Group(_)))
                || node.feeds > 0
                || node.is_compacted
                || node.is_broken;
            take(set, node, live)?;
        }
        let sets = sets.into_values().filter(|(_, is_one)| *is_one);
        Some(sets.map(|(set, _)| set).collect())
    }
}

/// What a commit says of the files of one partition.
#[derive(Default)]
struct Said {
    came: Vec<usize>,
    went: Vec<usize>,
    changed: bool,
    same: bool,
    has_vectors: bool,
}

/// Adds a file to its set.
fn take(set: &mut Touched, node: &Node, live: &Live) -> Option<()> {
    if node.is_live {
        set.ends.push(live.get(&node.file.id)?.clone());
    }
    if let Some(Start::Group(group)) = node.start
        && !set.groups.contains(&group)
    {
        set.groups.push(group);
    }
    set.is_broken |= node.is_broken;
    set.feeds += node.feeds;
    set.feed_bytes = set.feed_bytes.saturating_add(node.feed_bytes);
    let is_direct = node.start == Some(Start::Direct);
    if node.came_whole && !node.is_live {
        match node.file.has_vector {
            true => set.is_broken = true,
            false => set.inputs.push(node.file.clone()),
        }
    }
    // What the copy has by itself just goes.
    if node.went_whole && is_direct {
        set.is_broken = true;
    } else if node.went_whole {
        match node.file.has_vector {
            true => set.is_broken = true,
            false => set.without.push(node.file.size),
        }
    }
    if is_direct {
        set.held.push(node.file.clone());
    }
    Some(())
}
