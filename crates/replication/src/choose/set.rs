//! One set of rewritten files: what could be done for it beside copying it, and what that would take.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use delta::{AddFile, FileKey, Snapshot};
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt as _};
use sha2::{Digest as _, Sha256};

use super::{Base, Choice, Way, Work};
use crate::diff::{is_reserved, vector_end};
use crate::files::CopyItem;
use crate::foresee::Moves;
use crate::interval::{Touched, is_in_the_way};
use crate::plan::{Pair, PlanError};
use crate::say::say;
use crate::stands::Group;

/// Where files of the source lie that are read here and belong to no version: files of the change feed above all. A run deletes
/// them when it has ended; what one leaves behind that was broken off is vacuumed like every object that no log knows.
pub(crate) const STAGED: &str = "_entrepot_staged";

/// The feed is not worth its rewriting unless it is this much smaller, in tenths.
const TENTHS: u64 = 8;
/// Files of a set, on either side, and bytes that are fetched for its rows.
pub(crate) const MOST_FILES: usize = 1_000;
const MOST_BYTES: u64 = 256 << 20;
/// Objects of the source that are looked at for one set, and at the same time.
const MOST_LOOKS: usize = 1_000;
const LOOKS: usize = 16;

pub(super) enum Found {
    /// There is nothing else, and why.
    Copied(Option<String>),
    /// There is, and why it is not done though it is less, if that is switched off.
    Other(Choice, Box<Work>, Option<&'static str>),
}

fn copied(why: &str) -> Result<Found, PlanError> {
    Ok(Found::Copied(Some(why.to_owned())))
}

/// What could be done for a set beside copying it, also where that is switched off: what it would take is told all the same.
pub(super) async fn work(
    pair: &Pair,
    source: &Snapshot,
    groups: &[Group],
    paths: &HashMap<&str, usize>,
    set: &Touched,
) -> Result<Found, PlanError> {
    if set.ends.is_empty() {
        return Ok(Found::Copied(None));
    }
    // What went came back as it was, and the replica has it.
    let has: HashSet<FileKey> = set.held.iter().map(|file| file.file_key()).collect();
    let mut ends = set.ends.iter();
    if set.groups.is_empty() && ends.all(|end| has.contains(&end.file_key())) {
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
    let is_fed = !set.feeds.is_empty() || !set.without.is_empty();
    if is_fed && !pair.ways.beside {
        return copied("it is switched off");
    }
    let off = if set.compacted && !pair.ways.skip {
        Some("compactions are copied")
    } else if is_fed && !pair.ways.feed {
        Some("it is switched off")
    } else {
        None
    };
    // Of what was changed and compacted it is the compaction that keeps it from being done.
    let way = match is_fed && (pair.ways.skip || !set.compacted) {
        true => Way::Feed,
        false => Way::Skip,
    };
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
    if !is_fed && rows_of(bases.iter().map(|base| &base.file)) != Some(rows) {
        return copied("the counts of rows of a compaction do not agree");
    }
    // Of a narrowed replica's none is the source's own, and giving a group up takes all that it stands for.
    let theirs = if pair.narrow.is_some() {
        &[]
    } else {
        members.as_slice()
    };
    let copy = copy_of(set, theirs);
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
    // The rows of a narrowed replica's are held like those of the feed.
    let held = pair.narrow.as_ref().map_or(0, |_| other.bytes);
    if fetched.fold(0, u64::saturating_add).max(held) > MOST_BYTES {
        return copied("the change feed is too large to be applied at once");
    }
    let is_less = match is_fed {
        true => other.bytes.saturating_mul(10) < copy.bytes.saturating_mul(TENTHS),
        false => other.bytes < copy.bytes,
    };
    let is_chosen = off.is_none() && is_less && are_there(pair, set).await?;
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
    Ok(Found::Other(option, Box::new(work), off))
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
