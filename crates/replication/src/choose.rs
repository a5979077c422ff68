//! Choosing, for each set of files that the source has rewritten, what is fetched for it: the files themselves, or what the change
//! feed says of their rows, or nothing, where they were only compacted. What is chosen is planned before a byte moves, and the same
//! plan is made again after a crash, so that nothing here depends on what was copied meanwhile.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use delta::{AddFile, FileKey, Snapshot};
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt as _};
use sha2::{Digest as _, Sha256};

use crate::diff::{copies, is_reserved, vector_end};
use crate::files::CopyItem;
use crate::foresee::Moves;
use crate::interval::{Touched, follow, is_in_the_way, paths};
use crate::plan::{Pair, PlanError};
use crate::say::say;
use crate::stands::{Group, Stand, View};

/// Where files of the source lie that are read here and belong to no version: files of the change feed above all. A run deletes
/// them when it has ended; what one leaves behind that was broken off is vacuumed like every object that no log knows.
pub(crate) const STAGED: &str = "_entrepot_staged";

/// The feed is not worth its rewriting unless it is this much smaller, in tenths.
const TENTHS: u64 = 8;
/// Files of a set, on either side, and bytes that are fetched for its rows.
const MOST_FILES: usize = 1_000;
const MOST_BYTES: u64 = 256 << 20;
/// Objects of the source that are looked at for one set, and at the same time.
const MOST_LOOKS: usize = 1_000;
const LOOKS: usize = 16;

/// What a replica may do beside copying files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ways {
    /// Change rows by the source's change feed, where that is less than the files.
    pub feed: bool,
    /// Leave the source's compactions alone: the replica keeps its own files.
    pub skip: bool,
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
            pack: usize::MAX,
            purge: None,
            ..self
        }
    }

    /// Files, and nothing else.
    pub const FILES: Self = Self {
        feed: false,
        skip: false,
        pack: usize::MAX,
        purge: None,
    };
}

/// How a set is brought up to date without its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Feed,
    Skip,
}

/// A set of files, and what two ways would take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    pub(crate) way: Way,
    pub(crate) copy: Moves,
    pub(crate) other: Moves,
    pub(crate) is_chosen: bool,
}

/// A file of the replica whose rows are among those of a set.
#[derive(Clone, Debug)]
pub(crate) struct Base {
    pub(crate) file: Arc<AddFile>,
    /// It is copied for that.
    pub(crate) is_new: bool,
}

/// A set that is not copied.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    /// Of the group that it becomes.
    pub(crate) id: String,
    pub(crate) bases: Vec<Base>,
    /// Files of the change feed, and files all of whose rows go: copied to where they are read.
    pub(crate) feeds: Vec<CopyItem>,
    pub(crate) without: Vec<CopyItem>,
    /// What the group stands for.
    pub(crate) ends: Vec<Arc<AddFile>>,
    pub(crate) rows: u64,
    /// Files with rows that a vector hides are written anew, also where the source goes on hiding them.
    pub(crate) purges: bool,
}

/// What was chosen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chosen {
    pub(crate) view: View,
    /// Files of the source that groups stand for.
    pub(crate) stands: HashSet<FileKey>,
    /// Files of the replica that stay for what they stand for.
    pub(crate) keeps: HashSet<FileKey>,
    pub(crate) works: Vec<Work>,
    pub(crate) options: Vec<Choice>,
    /// Sets of rewritten files of which there is nothing to choose.
    pub(crate) copied: u64,
    /// Files that are written anew only for the rows that a vector hides in them.
    pub(crate) purged: u64,
    /// Why nothing but copying was thought of, or of some set the first reason.
    pub(crate) why: Option<String>,
}

impl Chosen {
    /// Files, and nothing else; groups are given up.
    pub(crate) fn of_files(held: &Snapshot) -> Self {
        Self {
            view: View::of(held),
            ..Self::default()
        }
    }

    /// What has to cross for what was chosen.
    pub(crate) fn items(&self, held: Option<&Snapshot>) -> Result<Vec<CopyItem>, PlanError> {
        let mut items = Vec::new();
        for work in &self.works {
            let inputs = work.bases.iter().filter(|base| base.is_new);
            let inputs: Vec<_> = inputs.map(|base| Arc::clone(&base.file)).collect();
            items.extend(copies(&inputs, held)?);
            items.extend(work.feeds.iter().chain(&work.without).cloned());
        }
        Ok(items)
    }

    /// How many sets of rewritten files are not copied, and how many are.
    pub(crate) fn sets(&self) -> (u64, u64) {
        let chosen = self.options.iter().filter(|option| option.is_chosen);
        let chosen = chosen.count() as u64;
        (chosen, self.copied + self.options.len() as u64 - chosen)
    }

    /// How many sets the feed is applied to, and the bytes that are fetched for them.
    pub(crate) fn fed(&self) -> (u64, u64) {
        let options = self.options.iter();
        let fed = options.filter(|option| option.is_chosen && option.way == Way::Feed);
        fed.fold((0, 0), |(sets, bytes), option| {
            (sets + 1, bytes + option.other.bytes)
        })
    }

    /// One text for all that was chosen; empty for nothing.
    pub(crate) fn digest(&self) -> String {
        if self.works.is_empty() {
            return String::new();
        }
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        for work in &self.works {
            part(&work.id);
            for base in &work.bases {
                part(&base.file.path);
                part(base.file.file_key().dv.as_deref().unwrap_or_default());
            }
            for item in work.feeds.iter().chain(&work.without) {
                part(&item.dst);
            }
            for end in &work.ends {
                part(&end.path);
            }
            if work.purges {
                part("purges");
            }
        }
        hex::encode(hash.finalize())
    }
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
    let mut chosen = choose_sets(pair, source, held, from).await?;
    if purge && from.is_some() && unfit(source).is_none() {
        chosen.purge(source, held);
    }
    Ok(chosen)
}

async fn choose_sets(
    pair: &Pair,
    source: &Snapshot,
    held: &Snapshot,
    from: Option<u64>,
) -> Result<Chosen, PlanError> {
    let mut chosen = Chosen {
        view: View::of(held),
        ..Chosen::default()
    };
    let is_worth_it = pair.ways.skip || (pair.ways.feed && source.metadata.records_changes());
    chosen.why = match unfit(source) {
        None if pair.ways.feed && !source.metadata.records_changes() => {
            Some("the source keeps no change feed".to_owned())
        }
        why => why,
    };
    let sets = match from {
        Some(from)
            if is_worth_it && unfit(source).is_none() && has_rewritten(&chosen, source, held) =>
        {
            let followed = follow(pair, source, held, &chosen.view, from).await?;
            if followed.is_none() {
                chosen.why = Some(
                    "the source's commits since then cannot be followed: its schema changed, or its log is not whole".to_owned(),
                );
            }
            followed
        }
        _ => None,
    };
    if sets.is_none() && chosen.view.groups.is_empty() {
        return Ok(chosen);
    }
    let paths = paths(source);
    let sets = sets.unwrap_or_default();
    let there: HashSet<&str> = match sets.iter().all(|set| set.inputs.is_empty()) {
        true => HashSet::new(),
        false => held.files.keys().map(|key| key.path.as_str()).collect(),
    };
    let mut touched = HashSet::new();
    for mut set in sets {
        touched.extend(set.groups.iter().copied());
        // The source let it go and took it up again, and here it never went: one entry of the log cannot stand for its rows twice.
        let mut inputs = set.inputs.iter();
        if inputs.any(|input| there.contains(input.path.as_str())) {
            set.broken = set.broken.or(Some("a file of it went and came back"));
        }
        let found = work(pair, source, &chosen.view.groups, &paths, &set).await?;
        match found {
            Found::Copied(why) => {
                chosen.copied += u64::from(why.is_some());
                if let Some(why) = why {
                    chosen.why.get_or_insert(why);
                }
            }
            Found::Other(option, work) => {
                chosen.options.push(option);
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

enum Found {
    /// There is nothing else, and why.
    Copied(Option<String>),
    Other(Choice, Box<Work>),
}

fn copied(why: &str) -> Result<Found, PlanError> {
    Ok(Found::Copied(Some(why.to_owned())))
}

/// What could be done for a set beside copying it.
async fn work(
    pair: &Pair,
    source: &Snapshot,
    groups: &[Group],
    paths: &HashMap<&str, usize>,
    set: &Touched,
) -> Result<Found, PlanError> {
    if set.ends.is_empty() {
        return Ok(Found::Copied(None));
    }
    if let Some(why) = set.broken {
        return copied(why);
    }
    // A file of the replica's own is written beside the first of them. Copying refuses it by name.
    if set.ends.iter().any(|end| is_reserved(end.key.as_ref())) {
        return copied("the source has files where a replica keeps its own");
    }
    let groups: Vec<&Group> = set.groups.iter().filter_map(|at| groups.get(*at)).collect();
    if groups.iter().any(|group| group.stands.is_empty()) {
        return copied("the replica does not say what some of its files stand for");
    }
    let mut members: Vec<Arc<AddFile>> = Vec::new();
    for group in &groups {
        members.extend(group.members.iter().cloned());
    }
    let bases = set.held.iter().chain(&members).map(|file| Base {
        file: Arc::clone(file),
        is_new: false,
    });
    let mut bases: Vec<Base> = bases.collect();
    bases.extend(set.inputs.iter().map(|file| Base {
        file: Arc::clone(file),
        is_new: true,
    }));
    let way = match set.feeds.is_empty() && set.without.is_empty() {
        true => Way::Skip,
        false => Way::Feed,
    };
    if (way == Way::Feed && !pair.ways.feed) || (way == Way::Skip && !pair.ways.skip) {
        return copied("it is switched off");
    }
    if bases.is_empty() || bases.len().max(set.ends.len()) > MOST_FILES {
        return copied("too many files went into one another");
    }
    let rows = rows_of(set.ends.iter());
    let Some(rows) = rows.filter(|rows| *rows > 0) else {
        return copied("the source does not say how many rows its files have");
    };
    let ends: HashSet<FileKey> = set.ends.iter().map(|end| end.file_key()).collect();
    if is_in_the_way(
        paths,
        bases.iter().map(|base| base.file.path.as_str()),
        &ends,
    ) {
        return copied("a file that went came back");
    }
    if way == Way::Skip && rows_of(bases.iter().map(|base| &base.file)) != Some(rows) {
        return copied("the counts of rows of a compaction do not agree");
    }
    let copy = copy_of(set, &members);
    let feeds: Vec<CopyItem> = set
        .feeds
        .iter()
        .map(|feed| staged(source, feed.key.as_ref(), feed.size))
        .collect();
    let without: Vec<CopyItem> = set
        .without
        .iter()
        .map(|(key, size)| staged(source, key.as_ref(), *size))
        .collect();
    let fetched = feeds.iter().chain(&without).map(|item| item.size);
    let inputs = set.inputs.iter().map(|input| input.size);
    let other = Moves::of(fetched.clone().chain(inputs));
    if fetched.fold(0, u64::saturating_add) > MOST_BYTES {
        return copied("the change feed is too large to be applied at once");
    }
    let is_less = match way {
        Way::Feed => other.bytes.saturating_mul(10) < copy.bytes.saturating_mul(TENTHS),
        Way::Skip => other.bytes < copy.bytes,
    };
    let is_chosen = is_less && are_there(pair, set).await?;
    // The larger keeps its name, so that less has to be said anew.
    let id = match groups.iter().max_by_key(|group| group.members.len()) {
        Some(group) => group.id.clone(),
        None => id_of(&set.ends),
    };
    let option = Choice {
        way,
        copy,
        other,
        is_chosen,
    };
    let work = Work {
        id,
        bases,
        feeds,
        without,
        ends: set.ends.clone(),
        rows,
        purges: false,
    };
    Ok(Found::Other(option, Box::new(work)))
}

/// The rows of all of them; `None` where one does not say.
pub(crate) fn rows_of<'a>(mut files: impl Iterator<Item = &'a Arc<AddFile>>) -> Option<u64> {
    files.try_fold(0_u64, |sum, file| sum.checked_add(file.live_rows()?))
}

/// What the files themselves would take, as the plan of a copy has it; of what holds vectors only how long it is at least.
fn copy_of(set: &Touched, members: &[Arc<AddFile>]) -> Moves {
    let has: HashSet<(&str, u64, i64)> = set
        .held
        .iter()
        .chain(members)
        .map(|file| (file.key.as_ref(), file.size, file.modification_time))
        .collect();
    let mut seen: HashSet<&str> = set
        .held
        .iter()
        .filter_map(|file| file.deletion_vector_key.as_ref())
        .map(|key| key.as_ref())
        .collect();
    let mut sizes = Vec::new();
    for end in &set.ends {
        let is_held = has.contains(&(end.key.as_ref(), end.size, end.modification_time));
        if !is_held && seen.insert(end.key.as_ref()) {
            sizes.push(end.size);
        }
        if let Some(key) = &end.deletion_vector_key
            && seen.insert(key.as_ref())
        {
            sizes.push(vector_end(end));
        }
    }
    Moves::of(sizes.into_iter())
}

/// Whether the source still has what is wanted though no version of it needs it any more.
async fn are_there(pair: &Pair, set: &Touched) -> Result<bool, PlanError> {
    let inputs = set.inputs.iter().map(|file| (file.key.clone(), file.size));
    let feeds = set.feeds.iter().map(|feed| (feed.key.clone(), feed.size));
    let wanted: Vec<(Path, u64)> = inputs
        .chain(feeds)
        .chain(set.without.iter().cloned())
        .collect();
    if wanted.len() > MOST_LOOKS {
        return Ok(false);
    }
    let looks = wanted.into_iter().map(|(key, size)| {
        let objects = Arc::clone(pair.source.objects());
        async move {
            match objects.head(&key).await {
                Ok(there) => Ok(there.size == size),
                Err(StoreError::NotFound { .. }) => Ok(false),
                Err(error) => Err(PlanError::Store(format!("Source: {}", say(&error)))),
            }
        }
        .boxed()
    });
    let looks: Vec<Result<bool, PlanError>> = stream::iter(looks).buffered(LOOKS).collect().await;
    for look in looks {
        if !look? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The way of a file of the source to where it is read. Its name is that of this file of this table alone, so that what an earlier
/// run left there can be taken up.
fn staged(source: &Snapshot, key: &str, size: u64) -> CopyItem {
    let name = format!("{}\n{key}\n{size}", source.metadata.id);
    let name = hex::encode(Sha256::digest(name.as_bytes()));
    CopyItem {
        src: key.to_owned(),
        dst: format!("{STAGED}/{}.parquet", &name[..32]),
        size,
        modified: None,
        fresh: false,
    }
}

pub(crate) fn is_staged(item: &CopyItem) -> bool {
    let rest = item.dst.strip_prefix(STAGED);
    rest.is_some_and(|rest| rest.starts_with('/'))
}

pub(crate) fn id_of(ends: &[Arc<AddFile>]) -> String {
    let keys: BTreeSet<FileKey> = ends.iter().map(|end| end.file_key()).collect();
    let mut hash = Sha256::new();
    for key in keys {
        hash.update(key.path.as_bytes());
        hash.update([0]);
        hash.update(key.dv.unwrap_or_default().as_bytes());
        hash.update([0]);
    }
    hex::encode(&hash.finalize()[..8])
}
