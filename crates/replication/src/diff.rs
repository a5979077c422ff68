//! The difference between two states: what to add, to remove and to say anew, which objects that takes, and which of
//! them the replica still holds.

use std::collections::HashSet;
use std::sync::Arc;

use delta::{AddFile, Snapshot};
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _};
use model::Timestamp;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt as _};
use sha2::{Digest as _, Sha256};

use crate::commit::Draft;
use crate::copy::is_finished;
use crate::files::CopyItem;
use crate::intent::{self, Needs};
use crate::plan::{Pair, PlanError};
use crate::say::say;

/// HEAD requests at the same time.
const LOOKS: usize = 16;

/// The actions that turn the replica's state into the source's.
pub(crate) fn draft(
    pair: &Pair,
    source: &Snapshot,
    held: Option<&Snapshot>,
    at: Timestamp,
) -> Result<Draft, PlanError> {
    let needs = Needs::unite(&source.protocol, held.map(|held| &held.protocol))
        .map_err(|feature| PlanError::Unsupported { feature })?;
    let mut configuration = intent::configuration(&source.metadata, pair.retention_hours);
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
        timestamps,
        timestamps_begin: timestamps && had_timestamps == Some(false),
        held_millis: held.map(|held| held.timestamp.millis()),
        needs,
        configuration,
        adds: Vec::new(),
        updates: Vec::new(),
        removes: Vec::new(),
    };
    for (key, file) in &source.files {
        if key.dv.is_some() {
            return Err(PlanError::Unsupported {
                feature: "deletionVectors".to_owned(),
            });
        }
        match held.and_then(|held| held.files.get(key)) {
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
        let gone = held
            .files
            .iter()
            .filter(|(key, _)| !source.files.contains_key(*key));
        draft.removes.extend(gone.map(|(_, file)| Arc::clone(file)));
    }
    Ok(draft)
}

/// What to copy for the files to add: each object once, none where the replica keeps its own.
pub(crate) fn copies(adds: &[Arc<AddFile>]) -> Result<Vec<CopyItem>, PlanError> {
    let mut seen = HashSet::new();
    let mut copies = Vec::with_capacity(adds.len());
    for file in adds {
        let key = file.key.as_ref();
        let first = key.split('/').next().unwrap_or_default();
        // Some file systems do not tell upper from lower case.
        if ["_delta_log", "_entrepot"]
            .iter()
            .any(|own| first.eq_ignore_ascii_case(own))
        {
            return Err(PlanError::Reserved {
                path: file.path.clone(),
            });
        }
        if seen.insert(key) {
            copies.push(CopyItem {
                src: key.to_owned(),
                dst: key.to_owned(),
                size: file.size,
                modified: Some(file.modification_time),
            });
        }
    }
    Ok(copies)
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
        .map(|file| file.key.as_ref())
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

/// One number for a set of files, whatever their order: the sum of the hashes of path, vector and size.
pub(crate) fn keys_digest(snapshot: &Snapshot) -> String {
    let mut sum = 0_u128;
    for (key, file) in &snapshot.files {
        let mut hash = Sha256::new();
        hash.update(key.path.as_bytes());
        hash.update([0]);
        hash.update(key.dv.as_deref().unwrap_or_default().as_bytes());
        hash.update([0]);
        hash.update(file.size.to_le_bytes());
        let hash: [u8; 32] = hash.finalize().into();
        let mut half = [0; 16];
        half.copy_from_slice(&hash[..16]);
        sum = sum.wrapping_add(u128::from_le_bytes(half));
    }
    format!("{}-{sum:032x}", snapshot.files.len())
}
