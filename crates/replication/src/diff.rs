//! The difference between two states: what to add, to remove and to say anew, which objects that takes, data files and
//! deletion vectors each by themselves, and which of them the replica still holds.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use delta::{AddFile, FileKey, Snapshot, end_of_vector, relative_vector};
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _};
use model::Timestamp;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt as _};
use sha2::{Digest as _, Sha256};

use crate::choose::{Chosen, STAGED};
use crate::commit::Draft;
use crate::copy::is_finished;
use crate::files::CopyItem;
use crate::intent::{self, Needs};
use crate::plan::{Pair, PlanError};
use crate::say::say;
use crate::stands::View;

/// HEAD requests at the same time.
const LOOKS: usize = 16;

/// The actions that turn the replica's state into the source's. `keeps_feed`: what they change is told as the source tells it.
pub(crate) fn draft(
    pair: &Pair,
    source: &Snapshot,
    held: Option<&Snapshot>,
    (chosen, keeps_feed): (&Chosen, bool),
    at: Timestamp,
) -> Result<Draft, PlanError> {
    let needs = Needs::unite(&source.protocol, held.map(|held| &held.protocol))
        .map_err(|feature| PlanError::Unsupported { feature })?;
    let mut configuration =
        intent::configuration(&source.metadata, pair.retention_hours, keeps_feed);
    let wanted = intent::metadata_digest(&source.metadata, &configuration);
    let timestamps = intent::has_commit_timestamps(&configuration);
    let had_timestamps =
        held.map(|held| intent::has_commit_timestamps(&held.metadata.configuration));
    // Where the replica's own commits began to carry timestamps is the replica's to say (rule 19).
    if let (true, Some(true), Some(held)) = (timestamps, had_timestamps, held) {
        for property in [intent::ICT_VERSION, intent::ICT_TIMESTAMP] {
            if let Some(value) = held.metadata.configuration.get(property) {
                configuration.insert(property.to_owned(), value.clone());
            }
        }
    }
    let stands = held.is_some_and(|held| {
        intent::metadata_digest(&held.metadata, &held.metadata.configuration) == wanted
    });
    let protocol_stands = held.is_some_and(|held| Needs::of(&held.protocol) == needs);
    let all_domains = intent::domains(source, &needs);
    let mut draft = Draft {
        protocol: (!protocol_stands).then(|| needs.action()),
        metadata: (!stands).then(|| {
            intent::metadata_action(
                &source.metadata,
                &configuration,
                held.map(|held| &held.metadata),
                pair.replica_table,
                at.millis(),
            )
        }),
        domains: intent::domain_actions(&all_domains, held),
        all_domains,
        timestamps,
        timestamps_begin: timestamps && had_timestamps == Some(false),
        held_millis: held.map(|held| held.timestamp.millis()),
        needs,
        configuration,
        adds: Vec::new(),
        updates: Vec::new(),
        removes: Vec::new(),
        gone: held.map_or_else(HashMap::new, |held| gone(source, held, &chosen.view)),
        own: Vec::new(),
        retold: Vec::new(),
        feeds: Vec::new(),
        quiet_adds: HashSet::new(),
        quiet_removes: HashSet::new(),
        narrowed: None,
    };
    for (key, file) in &source.files {
        if chosen.stands.contains(key) {
            continue;
        }
        match held.and_then(|held| chosen.view.direct(held, key)) {
            // Another size or time under the same name: not the same file.
            Some(there)
                if there.size == file.size && there.modification_time == file.modification_time =>
            {
                if !intent::says_the_same(file, there) {
                    draft.updates.push(Arc::clone(file));
                }
            }
            _ => draft.adds.push(Arc::clone(file)),
        }
    }
    if let Some(held) = held {
        let gone = held.files.iter().filter(|(key, _)| {
            let is_added = source.files.contains_key(*key) && !chosen.stands.contains(*key);
            !is_added && !chosen.keeps.contains(*key)
        });
        draft.removes.extend(gone.map(|(_, file)| Arc::clone(file)));
    }
    Ok(draft)
}

/// When the source removed what the replica still holds, as the source's tombstones say: at least that late as the version that the
/// replica was made from, and not later than the one that it is to be made from.
fn gone(source: &Snapshot, held: &Snapshot, view: &View) -> HashMap<FileKey, i64> {
    let mut gone = HashMap::new();
    let info = held.commit_info.as_ref();
    let Some(since) = info.and_then(|info| info.get("sourceTimestamp")?.as_i64()) else {
        return gone;
    };
    let until = source.timestamp.millis();
    for tombstone in &source.tombstones {
        let Some(said) = tombstone.deletion_timestamp else {
            continue;
        };
        let at = said.max(since).min(until);
        let key = tombstone.file_key();
        let group = view.group_of(&key).and_then(|at| view.groups.get(at));
        let held: Vec<FileKey> = match group {
            Some(group) => group.members.iter().map(|file| file.file_key()).collect(),
            None if view.direct(held, &key).is_some() => vec![key],
            None => Vec::new(),
        };
        // Of a group that stands for several the first that went.
        for key in held {
            let known = gone.entry(key).or_insert(at);
            *known = at.min(*known);
        }
    }
    gone
}

/// Vectors that the source names by an absolute path get a relative name in the replica (rule 12). Answers from where each of
/// their objects comes, by where it goes.
pub(crate) fn bring_home(source: &mut Snapshot) -> Result<HashMap<Path, Path>, PlanError> {
    let is_absolute = |file: &AddFile| {
        let vector = file.deletion_vector.as_ref();
        vector.is_some_and(|vector| vector["storageType"] == "p")
    };
    let mut origins = HashMap::new();
    if !source.files.values().any(|file| is_absolute(file)) {
        return Ok(origins);
    }
    let files = std::mem::take(&mut source.files);
    for (key, file) in files {
        let found = file.deletion_vector.as_ref();
        let (true, Some(vector), Some(from)) =
            (is_absolute(&file), found, &file.deletion_vector_key)
        else {
            source.files.insert(key, file);
            continue;
        };
        let Some((vector, to)) = relative_vector(vector, from) else {
            return Err(PlanError::Unsupported {
                feature: "deletion vectors by an absolute path of another name".to_owned(),
            });
        };
        let mut raw = file.raw.clone();
        raw["deletionVector"] = vector.clone();
        origins.insert(to.clone(), from.clone());
        let file = AddFile {
            deletion_vector: Some(vector),
            deletion_vector_key: Some(to),
            raw,
            ..AddFile::clone(&file)
        };
        source.files.insert(file.file_key(), Arc::new(file));
    }
    Ok(origins)
}

/// What to copy for the files to add: each object once, none that the replica's own files hold. Where only the vector of a file
/// is new, the data file is not copied again.
pub(crate) fn copies(
    adds: &[Arc<AddFile>],
    held: Option<&Snapshot>,
) -> Result<Vec<CopyItem>, PlanError> {
    let wanted: HashSet<&str> = adds.iter().map(|file| file.key.as_ref()).collect();
    let mut lives = HashSet::new();
    if let Some(held) = held.filter(|_| !wanted.is_empty()) {
        let there = held
            .files
            .values()
            .map(|file| (file.key.as_ref(), file.size, file.modification_time));
        lives.extend(there.filter(|(key, _, _)| wanted.contains(key)));
    }
    let mut seen = HashSet::new();
    let mut copies = Vec::with_capacity(adds.len());
    for file in adds {
        let key = file.key.as_ref();
        if is_reserved(key) {
            return Err(PlanError::Reserved {
                path: file.path.clone(),
            });
        }
        let is_held = lives.contains(&(key, file.size, file.modification_time));
        if !is_held && seen.insert(key) {
            copies.push(CopyItem {
                src: key.to_owned(),
                dst: key.to_owned(),
                size: file.size,
                modified: Some(file.modification_time),
                fresh: false,
            });
        }
    }
    Ok(copies)
}

/// Whether an object would lie where a replica keeps its own affairs, or what it deletes when it has read it.
pub(crate) fn is_reserved(key: &str) -> bool {
    let first = key.split('/').next().unwrap_or_default();
    // Some file systems do not tell upper from lower case.
    ["_delta_log", "_entrepot", STAGED]
        .iter()
        .any(|own| first.eq_ignore_ascii_case(own))
}

/// The objects of deletion vectors to copy for the files to add: each once, for it may serve many files; none that the
/// replica's own files use already. The log does not say how large they are, so each is looked at.
pub(crate) async fn vectors(
    pair: &Pair,
    adds: &[Arc<AddFile>],
    held: Option<&Snapshot>,
    origins: &HashMap<Path, Path>,
) -> Result<Vec<CopyItem>, PlanError> {
    let mut order = Vec::new();
    let mut least: HashMap<&Path, u64> = HashMap::new();
    for file in adds {
        let Some(key) = &file.deletion_vector_key else {
            continue;
        };
        if is_reserved(key.as_ref()) {
            return Err(PlanError::Reserved {
                path: key.to_string(),
            });
        }
        let bytes = least.entry(key).or_insert_with(|| {
            order.push(key);
            0
        });
        *bytes = vector_end(file).max(*bytes);
    }
    if let Some(held) = held.filter(|_| !order.is_empty()) {
        for file in held.files.values() {
            if let Some(key) = &file.deletion_vector_key {
                least.remove(key);
            }
        }
    }
    let looks: Vec<_> = order
        .into_iter()
        .filter_map(|key| {
            let least = *least.get(key)?;
            let src = origins.get(key).unwrap_or(key).clone();
            let (dst, objects) = (key.to_string(), Arc::clone(pair.source.objects()));
            Some(
                async move {
                    let size = match objects.head(&src).await {
                        Ok(there) if there.size >= least => there.size,
                        // The copier meets the same, and knows what it means.
                        Ok(_) | Err(StoreError::NotFound { .. }) => least,
                        Err(error) => {
                            return Err(PlanError::Store(format!("Source: {}", say(&error))));
                        }
                    };
                    Ok(CopyItem {
                        src: src.to_string(),
                        dst,
                        size,
                        modified: None,
                        fresh: false,
                    })
                }
                .boxed(),
            )
        })
        .collect();
    // In order, so that the same plan is the same list.
    let items: Vec<_> = stream::iter(looks).buffered(LOOKS).collect().await;
    items.into_iter().collect()
}

/// How many bytes the object of a file's vector has at least.
pub(crate) fn vector_end(file: &AddFile) -> u64 {
    file.deletion_vector.as_ref().map_or(0, end_of_vector)
}

/// Of the objects to copy, those that the replica still holds though it had removed their files: the source restored
/// them (rule 6). The copier looks again; this look is for the plan's figures.
pub(crate) async fn reusable(
    pair: &Pair,
    held: Option<&Snapshot>,
    copies: &[CopyItem],
) -> Result<HashSet<String>, PlanError> {
    let Some(held) = held else {
        return Ok(HashSet::new());
    };
    let tombstones: HashSet<&str> = held
        .tombstones
        .iter()
        .flat_map(|file| [Some(&file.key), file.deletion_vector_key.as_ref()])
        .flatten()
        .map(Path::as_ref)
        .collect();
    let again: Vec<CopyItem> = copies
        .iter()
        .filter(|item| tombstones.contains(item.dst.as_str()))
        .cloned()
        .collect();
    let looks = again.into_iter().map(|item| {
        let objects = Arc::clone(pair.target.objects());
        async move {
            let Ok(key) = Path::parse(&item.dst) else {
                return Ok(None);
            };
            match objects.head(&key).await {
                Ok(there) => Ok(is_finished(&there, &item).then_some(item.dst)),
                Err(StoreError::NotFound { .. }) => Ok(None),
                Err(error) => Err(PlanError::Store(format!("Replica: {}", say(&error)))),
            }
        }
        .boxed()
    });
    let looks: Vec<_> = stream::iter(looks).buffer_unordered(LOOKS).collect().await;
    looks.into_iter().filter_map(Result::transpose).collect()
}

/// A set of files, whatever their order: how many, their bytes, and the sum of the hashes of path, vector and size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Digest {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    sum: u128,
}

impl Digest {
    /// What [`Self::text`] said of files of so many bytes.
    pub(crate) fn parse(text: &str, bytes: u64) -> Option<Self> {
        let (files, sum) = text.split_once('-')?;
        Some(Self {
            files: files.parse().ok()?,
            bytes,
            sum: u128::from_str_radix(sum, 16).ok()?,
        })
    }

    fn hash(path: &str, dv: Option<&str>, size: u64) -> u128 {
        let mut hash = Sha256::new();
        hash.update(path.as_bytes());
        hash.update([0]);
        hash.update(dv.unwrap_or_default().as_bytes());
        hash.update([0]);
        hash.update(size.to_le_bytes());
        let hash: [u8; 32] = hash.finalize().into();
        let mut half = [0; 16];
        half.copy_from_slice(&hash[..16]);
        u128::from_le_bytes(half)
    }

    pub(crate) fn include(&mut self, path: &str, dv: Option<&str>, size: u64) {
        self.sum = self.sum.wrapping_add(Self::hash(path, dv, size));
        self.files += 1;
        self.bytes = self.bytes.saturating_add(size);
    }

    /// Takes out what was included. `None`: there is less than that.
    pub(crate) fn exclude(&mut self, path: &str, dv: Option<&str>, size: u64) -> Option<()> {
        self.files = self.files.checked_sub(1)?;
        self.bytes = self.bytes.checked_sub(size)?;
        self.sum = self.sum.wrapping_sub(Self::hash(path, dv, size));
        Some(())
    }

    pub(crate) fn text(&self) -> String {
        format!("{}-{:032x}", self.files, self.sum)
    }
}

/// One text for the files of a table.
pub(crate) fn keys_digest(snapshot: &Snapshot) -> String {
    let mut digest = Digest::default();
    for (key, file) in &snapshot.files {
        digest.include(&key.path, key.dv.as_deref(), file.size);
    }
    digest.text()
}
