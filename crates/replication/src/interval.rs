//! What the source's commits since the last sync did to its files: which were made of which. Files whose rows went into one another
//! are a set; of a set it is known which of its files the replica has, which the source has now, and which files of the change
//! feed tell the difference. Of everything else the difference of states says enough.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;

use delta::{Action, AddFile, CdcFile, Commit, FileKey, LogError, RemoveFile, Snapshot};
use futures::StreamExt as _;
use serde_json::Value;

use crate::commits;
use crate::plan::{Pair, PlanError};
use crate::stands::{Stand, View};

/// More commits, or more actions in all of them, are not followed: the difference of states does without them.
const MOST_COMMITS: u64 = 2_000;
const MOST_ACTIONS: usize = 500_000;
/// Nor are so many bytes of them: the state was put together from them already, so that they cross twice.
const MOST_LOG: u64 = 64 << 20;

/// What rewrites files and leaves their rows as they are. What purges rows, drops a feature or a column, or only says so of itself
/// is none of these.
const COMPACTIONS: [&str; 3] = ["OPTIMIZE", "Z-ORDER", "CLUSTERING"];

/// A set of files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Touched {
    /// Groups of the replica among those that it began with.
    pub(crate) groups: Vec<usize>,
    /// Files that it began with and the replica has as they are.
    pub(crate) held: Vec<Arc<AddFile>>,
    /// What the source has of it now.
    pub(crate) ends: Vec<Arc<AddFile>>,
    pub(crate) feeds: Vec<CdcFile>,
    /// Files that came and went since: their rows are no longer in a file of this name, but among those of others.
    pub(crate) inputs: Vec<Arc<AddFile>>,
    /// Files of which all rows went, though the replica does not have them by themselves: key of the object, and bytes.
    pub(crate) without: Vec<(object_store::path::Path, u64)>,
    /// A compaction is among what became of it.
    pub(crate) compacted: bool,
    /// Why it cannot be followed.
    pub(crate) broken: Option<&'static str>,
}

/// Follows the source from the version at which the replica stands. `None`: it cannot be, and the difference of states has to do.
pub(crate) async fn follow(
    pair: &Pair,
    source: &Snapshot,
    held: &Snapshot,
    view: &View,
    from: u64,
) -> Result<Option<Vec<Touched>>, PlanError> {
    let versions = from.saturating_add(1)..=source.version;
    if is_too_far(source, from) {
        return Ok(None);
    }
    match pair.source.bytes_of_commits(versions.clone()).await {
        Ok(Some(bytes)) if bytes <= MOST_LOG => {}
        Err(LogError::Storage(error)) => {
            return Err(PlanError::Source(LogError::Storage(error)));
        }
        // Cleaned away, or too much.
        _ => return Ok(None),
    }
    let mut reads = pin!(commits::read(&pair.source, versions));
    let mut walk = Walk {
        held,
        view,
        nodes: Vec::new(),
        index: HashMap::new(),
    };
    let mut actions = 0;
    while let Some(commit) = reads.next().await {
        let commit = match commit {
            Ok(commit) => commit,
            Err(LogError::Storage(error)) => {
                return Err(PlanError::Source(LogError::Storage(error)));
            }
            // Cleaned away, or broken where no state needs it any more.
            Err(_) => return Ok(None),
        };
        actions += commit.actions.len();
        if actions > MOST_ACTIONS || !walk.commit(commit) {
            return Ok(None);
        }
    }
    Ok(walk.end(source))
}

/// Whether there are more commits since than are followed.
pub(crate) fn is_too_far(source: &Snapshot, from: u64) -> bool {
    source.version.saturating_sub(from) > MOST_COMMITS
}

/// A file of the source, as far as the commits speak of it.
#[derive(Default)]
struct Node {
    /// None in the place of a file that was taken out.
    key: Option<FileKey>,
    /// In the same set: the way to the set's own number.
    parent: usize,
    partition: String,
    /// The replica stands for it.
    is_start: bool,
    is_live: bool,
    held: Option<Arc<AddFile>>,
    group: Option<usize>,
    stand: Option<Stand>,
    added: Option<Arc<AddFile>>,
    rows: Option<u64>,
    came_whole: bool,
    went_whole: bool,
    compacted: bool,
    broken: Option<&'static str>,
    feeds: Vec<CdcFile>,
}

/// What a commit says of one partition.
#[derive(Default)]
struct Part {
    adds: Vec<Arc<AddFile>>,
    removes: Vec<Arc<RemoveFile>>,
    feeds: Vec<CdcFile>,
}

struct Walk<'a> {
    held: &'a Snapshot,
    view: &'a View,
    nodes: Vec<Node>,
    index: HashMap<FileKey, usize>,
}

type Values = BTreeMap<String, Option<String>>;

/// The protocol has no empty partition value: empty text means null.
fn partition_text(values: &Values) -> String {
    let given = values.iter().filter_map(|(name, value)| {
        let value = value.as_ref().filter(|value| !value.is_empty())?;
        Some((name, value))
    });
    serde_json::json!(given.collect::<Vec<_>>()).to_string()
}

fn is_absolute(vector: Option<&Value>) -> bool {
    vector.is_some_and(|vector| vector["storageType"] == "p")
}

impl Walk<'_> {
    /// Takes up a commit; false where it cannot be followed.
    fn commit(&mut self, commit: Commit) -> bool {
        let mut parts: BTreeMap<String, Part> = BTreeMap::new();
        let mut operation = String::new();
        let mut is_fed = false;
        for action in commit.actions {
            match action {
                Action::Protocol(_) | Action::Metadata(_) => return false,
                Action::Add(file) => {
                    if is_absolute(file.deletion_vector.as_ref()) {
                        return false;
                    }
                    let partition = partition_text(&file.partition_values);
                    parts.entry(partition).or_default().adds.push(file);
                }
                Action::Remove(file) => {
                    if is_absolute(file.deletion_vector.as_ref()) {
                        return false;
                    }
                    let known = self.partition_of(&file.file_key());
                    let said = file
                        .partition_values()
                        .map(|values| partition_text(&values));
                    let Some(partition) = known.or(said) else {
                        return false;
                    };
                    parts.entry(partition).or_default().removes.push(file);
                }
                Action::Cdc(file) => {
                    is_fed = true;
                    let partition = partition_text(&file.partition_values);
                    parts.entry(partition).or_default().feeds.push(file);
                }
                Action::CommitInfo(info) => {
                    let said = info.get("operation").and_then(Value::as_str);
                    said.unwrap_or_default().clone_into(&mut operation);
                }
                _ => {}
            }
        }
        let is_compaction = COMPACTIONS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(&operation));
        parts
            .into_iter()
            .all(|(partition, part)| self.part(&partition, part, is_fed, is_compaction))
    }

    fn part(&mut self, partition: &str, part: Part, is_fed: bool, is_compaction: bool) -> bool {
        let (mut came, mut went) = (Vec::new(), Vec::new());
        let (mut says_changed, mut says_same) = (false, false);
        let mut has_vectors = false;
        for file in &part.removes {
            let Some(at) = self.node_of(&file.file_key()) else {
                return false;
            };
            let Some(node) = self.nodes.get_mut(at).filter(|node| node.is_live) else {
                return false;
            };
            node.is_live = false;
            says_changed |= file.data_change;
            says_same |= !file.data_change;
            went.push(at);
        }
        for file in &part.adds {
            let key = file.file_key();
            match self.there(&key) {
                // It says something new of a file that is there.
                Some(true) => {
                    if !self.is_same(&key, file) {
                        return false;
                    }
                    continue;
                }
                Some(false) => {
                    let Some(at) = self.index.get(&key).copied() else {
                        return false;
                    };
                    if let Some(node) = self.nodes.get_mut(at) {
                        node.is_live = true;
                        node.added = Some(Arc::clone(file));
                        node.broken = Some("a file of it went and came back");
                    }
                    came.push(at);
                }
                None => came.push(self.push(Node {
                    key: Some(key),
                    partition: partition.to_owned(),
                    is_live: true,
                    rows: file.live_rows(),
                    added: Some(Arc::clone(file)),
                    ..Node::default()
                })),
            }
            has_vectors |= file.deletion_vector.is_some();
            says_changed |= file.data_change;
            says_same |= !file.data_change;
        }
        let all: Vec<usize> = went.iter().chain(&came).copied().collect();
        let Some(&first) = all.first() else {
            // Of changes to rows without files that changed nothing can be made.
            return part.feeds.is_empty();
        };
        if !is_fed && !says_same {
            for at in came {
                self.nodes[at].came_whole = true;
            }
            for at in went {
                self.nodes[at].went_whole = true;
            }
            return true;
        }
        for at in all.iter().skip(1) {
            self.unite(first, *at);
        }
        if is_fed && !says_same {
            self.nodes[first].feeds.extend(part.feeds);
            return true;
        }
        let rows = |of: &[usize]| -> Option<u64> {
            of.iter()
                .try_fold(0_u64, |sum, at| sum.checked_add(self.nodes[*at].rows?))
        };
        let (before, after) = (rows(&went), rows(&came));
        let why = if is_fed || says_changed {
            Some("a commit changed rows and rewrote others")
        } else if !is_compaction {
            Some("files were rewritten by what is no compaction")
        } else if went.is_empty() || came.is_empty() || before.is_none() || before != after {
            Some("a compaction says that it changed no row, and its counts of rows do not")
        } else if has_vectors {
            Some("a compaction wrote deletion vectors")
        } else {
            None
        };
        let node = &mut self.nodes[first];
        node.compacted = true;
        node.broken = node.broken.or(why);
        true
    }

    /// Whether a file is live; `None` for one that nobody has spoken of and the replica does not have.
    fn there(&self, key: &FileKey) -> Option<bool> {
        if let Some(at) = self.index.get(key) {
            return Some(self.nodes[*at].is_live);
        }
        let is_start = self.view.group_of(key).is_some() || self.direct(key).is_some();
        is_start.then_some(true)
    }

    fn direct(&self, key: &FileKey) -> Option<&Arc<AddFile>> {
        self.view.direct(self.held, key)
    }

    /// Whether a live file is what an action says that it is.
    fn is_same(&self, key: &FileKey, file: &AddFile) -> bool {
        let same =
            |of: &AddFile| (of.size, of.modification_time) == (file.size, file.modification_time);
        if let Some(at) = self.index.get(key) {
            let node = &self.nodes[*at];
            let stand = node.stand.as_ref().map(|stand| stand.is(file));
            let other = node.held.as_ref().or(node.added.as_ref());
            return stand.or(other.map(|other| same(other))).unwrap_or(false);
        }
        if let Some(group) = self.view.group_of(key) {
            let mut stands = self.view.groups[group].stands.iter();
            return stands.any(|stand| stand.key() == *key && stand.is(file));
        }
        self.direct(key).is_some_and(|held| same(held))
    }

    fn partition_of(&self, key: &FileKey) -> Option<String> {
        if let Some(at) = self.index.get(key) {
            return Some(self.nodes[*at].partition.clone());
        }
        let held = match self.view.group_of(key) {
            Some(group) => self.view.groups[group].members.first(),
            None => self.direct(key),
        };
        held.map(|held| partition_text(&held.partition_values))
    }

    /// The node of a file that was there.
    fn node_of(&mut self, key: &FileKey) -> Option<usize> {
        if let Some(at) = self.index.get(key) {
            return Some(*at);
        }
        let partition = self.partition_of(key)?;
        if let Some(group) = self.view.group_of(key) {
            // Whatever becomes of one of them is to be done to the rows of all.
            let view = self.view;
            let mut first = None;
            for stand in &view.groups[group].stands {
                let at = self.push(Node {
                    key: Some(stand.key()),
                    partition: partition.clone(),
                    is_start: true,
                    is_live: true,
                    group: Some(group),
                    rows: stand.rows,
                    stand: Some(stand.clone()),
                    ..Node::default()
                });
                self.unite(*first.get_or_insert(at), at);
            }
            return self.index.get(key).copied();
        }
        let held = Arc::clone(self.direct(key)?);
        Some(self.push(Node {
            key: Some(key.clone()),
            partition,
            is_start: true,
            is_live: true,
            rows: held.live_rows(),
            held: Some(held),
            ..Node::default()
        }))
    }

    fn push(&mut self, node: Node) -> usize {
        let at = self.nodes.len();
        if let Some(key) = &node.key {
            self.index.insert(key.clone(), at);
        }
        self.nodes.push(Node { parent: at, ..node });
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

    /// The sets, if what the commits say comes to what the source has.
    fn end(mut self, source: &Snapshot) -> Option<Vec<Touched>> {
        let starts = self.nodes.iter().filter(|node| node.is_start).count();
        let live = self.nodes.iter().filter(|node| node.is_live).count();
        let untouched = self.view.represented(self.held).checked_sub(starts)?;
        if untouched + live != source.files.len() {
            return None;
        }
        let mut sets: BTreeMap<usize, (Touched, bool)> = BTreeMap::new();
        for at in 0..self.nodes.len() {
            let root = self.root(at);
            let node = std::mem::take(&mut self.nodes[at]);
            // The way to the root has to stay.
            self.nodes[at].parent = node.parent;
            let (set, is_one) = sets.entry(root).or_default();
            // A file that went and came back is no set by itself: it is there, or it is copied.
            *is_one |= node.group.is_some() || !node.feeds.is_empty() || node.compacted;
            take(set, node, source)?;
        }
        let sets = sets.into_values().filter(|(_, is_one)| *is_one);
        Some(sets.map(|(set, _)| set).collect())
    }
}

/// Adds a file to its set.
fn take(set: &mut Touched, node: Node, source: &Snapshot) -> Option<()> {
    let key = node.key?;
    if node.is_live {
        set.ends.push(Arc::clone(source.files.get(&key)?));
    }
    if let Some(group) = node.group
        && !set.groups.contains(&group)
    {
        set.groups.push(group);
    }
    set.broken = set.broken.or(node.broken);
    set.compacted |= node.compacted;
    set.feeds.extend(node.feeds);
    let has_vector = key.dv.is_some();
    if node.came_whole {
        match &node.added {
            _ if node.is_live => {}
            Some(file) if !has_vector => set.inputs.push(Arc::clone(file)),
            _ => {
                set.broken = set
                    .broken
                    .or(Some("a file of it came with a deletion vector"))
            }
        }
    }
    if node.went_whole {
        let known = node
            .added
            .as_ref()
            .map(|file| (file.key.clone(), file.size));
        let stood = node.stand.as_ref().and_then(|stand| {
            let key = delta::contain(&stand.path).ok()?;
            Some((key, stand.size))
        });
        match known.or(stood) {
            Some(_) if has_vector => {
                set.broken = set
                    .broken
                    .or(Some("a file of it went with a deletion vector"));
            }
            Some(found) => set.without.push(found),
            None if node.stand.is_some() => {
                set.broken = set
                    .broken
                    .or(Some("a file of it went that cannot be read here"));
            }
            // By itself: it just goes.
            None => {}
        }
    }
    if node.held.is_some() && node.went_whole {
        set.broken = set.broken.or(Some("a file of it went and came back"));
    }
    set.held.extend(node.held);
    Some(())
}

/// The paths of a source's files, and how many of its files have each: a path is not to be in the replica's log for two reasons.
pub(crate) fn paths(source: &Snapshot) -> HashMap<&str, usize> {
    let mut paths = HashMap::new();
    for key in source.files.keys() {
        *paths.entry(key.path.as_str()).or_insert(0) += 1;
    }
    paths
}

/// Whether some file of the replica that is to stay for others has the path of a file of the source that it does not stand for.
pub(crate) fn is_in_the_way<'a>(
    paths: &HashMap<&str, usize>,
    mut bases: impl Iterator<Item = &'a str>,
    ends: &HashSet<FileKey>,
) -> bool {
    bases.any(|base| {
        let all = paths.get(base).copied().unwrap_or(0);
        all > 0 && all > ends.iter().filter(|end| end.path == base).count()
    })
}
