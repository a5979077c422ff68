//! Verifying a replica after its commit by looking: the log's algebra (L0: the live files are the source's, protocol and
//! metadata as intended), the counts (L1: files, bytes, rows), and that each object of the commit stands there with
//! its size. No data byte is read.

use std::collections::HashMap;
use std::sync::Arc;

use delta::{Action, AddFile, LogError, Table};
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _};
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt as _, path::Path};
use serde::{Deserialize, Serialize};

use crate::diff::vector_end;
use crate::files::CopyItem;
use crate::intent::{self, Needs};
use crate::narrow;
use crate::plan::{Plan, PlanSummary, is_passing};
use crate::say::say;
use crate::stands::represented;

const LOOKS: usize = 16;

/// What was found true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// The replica's version.
    pub version: u64,
    pub files: u64,
    pub bytes: u64,
    pub rows: Option<u64>,
    /// Objects whose presence and size were looked at.
    pub objects: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error("The replica is not what it was meant to be: {0}.")]
    Wrong(String),
    #[error("Replica: {0}")]
    Log(LogError),
    #[error("Replica: {0}")]
    Store(String),
}

impl VerifyError {
    /// The version of the replica's log that points out of the replica, if that is what is wrong.
    pub const fn escape_version(&self) -> Option<u64> {
        match self {
            Self::Log(error) => error.escape_version(),
            _ => None,
        }
    }

    /// Whether it may be better next time.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Wrong(_) => false,
            Self::Log(error) => is_passing(error),
            Self::Store(_) => true,
        }
    }
}

/// Compares the replica at the plan's version with what the plan meant it to be.
pub async fn verify(target: &Table, plan: &PlanSummary) -> Result<Verified, VerifyError> {
    let version = plan.target_version;
    let there = target
        .snapshot(Some(version))
        .await
        .map_err(VerifyError::Log)?;
    let wrong = |what: &str| Err(VerifyError::Wrong(format!("{what} of version {version}")));
    // Of the source's files, in whatever files of the replica their rows lie.
    let represented = match plan.narrowed {
        Some(_) => narrow::represented(&there),
        None => represented(&there),
    };
    if represented.text() != plan.keys_digest {
        return wrong("the live files");
    }
    if Needs::of(&there.protocol).digest() != plan.protocol_digest {
        return wrong("the protocol");
    }
    if intent::metadata_digest(&there.metadata, &there.metadata.configuration)
        != plan.metadata_digest
    {
        return wrong("the metadata");
    }
    let domains = intent::domains(&there, &Needs::of(&there.protocol));
    if let Some(wanted) = &plan.domains_digest
        && *wanted != intent::domains_digest(&domains)
    {
        return wrong("the metadata domains");
    }
    let (files, bytes, rows) = (there.files.len() as u64, there.bytes(), there.rows());
    // What is left of them has fewer bytes.
    let is_short = plan.narrowed.is_none() && represented.bytes != plan.bytes_full;
    if represented.files != plan.files_full || is_short {
        return wrong("the number of files or bytes");
    }
    if rows.is_some() && plan.rows_full.is_some() && rows != plan.rows_full {
        return wrong("the number of rows");
    }
    drop(there);
    let commit = target.commit(version).await.map_err(VerifyError::Log)?;
    let added = looks_of(commit.actions.iter().filter_map(|action| match action {
        Action::Add(file) => Some(file.as_ref()),
        _ => None,
    }));
    // Where the rows of the whole table are not known: what was left as it was has the rows that it had.
    let rows_added = commit.actions.iter().try_fold(0_u64, |sum, action| {
        let Action::Add(file) = action else {
            return Some(sum);
        };
        sum.checked_add(file.live_rows()?)
    });
    // Whether they still stand there is no matter of the table: they go when their time is over.
    let is_feed = |action: &&Action| matches!(action, Action::Cdc(_));
    if commit.actions.iter().filter(is_feed).count() as u64 != plan.cdc_files {
        return wrong("the change feed");
    }
    if plan.rows_added.is_some() && rows_added != plan.rows_added {
        return wrong("the number of rows that came");
    }
    let objects = objects(target.objects(), added).await?;
    Ok(Verified {
        version,
        files,
        bytes,
        rows,
        objects,
    })
}

/// An object that has to be there.
pub(crate) struct Look {
    key: Path,
    size: u64,
    /// What is known of the size is only where the last thing of interest ends.
    at_least: bool,
}

/// The objects of files, each once: the files themselves, and what holds their deletion vectors.
pub(crate) fn looks_of<'a>(files: impl Iterator<Item = &'a AddFile>) -> Vec<Look> {
    let mut looks = Vec::new();
    let mut vectors: HashMap<&Path, u64> = HashMap::new();
    for file in files {
        looks.push(Look {
            key: file.key.clone(),
            size: file.size,
            at_least: false,
        });
        if let Some(key) = &file.deletion_vector_key {
            let end = vectors.entry(key).or_default();
            *end = vector_end(file).max(*end);
        }
    }
    looks.extend(vectors.into_iter().map(|(key, size)| Look {
        key: key.clone(),
        size,
        at_least: true,
    }));
    looks
}

/// The object that a copy made.
fn look_at(item: &CopyItem) -> Option<Look> {
    Some(Look {
        key: Path::parse(&item.dst).ok()?,
        size: item.size,
        at_least: false,
    })
}

/// Looks at each object that the plan's commit is to name.
pub(crate) async fn are_there(target: &Table, plan: &Plan) -> Result<(), VerifyError> {
    let new = plan.draft.adds.iter().chain(&plan.draft.own);
    let mut added = looks_of(new.map(AsRef::as_ref));
    let mended = plan.copies.iter().filter(|item| {
        // What was adopted is named by the commit.
        item.fresh && !plan.wanted.contains_key(&item.dst)
    });
    added.extend(mended.filter_map(look_at));
    added.extend(plan.draft.feeds.iter().map(|file| Look {
        key: file.key.clone(),
        size: file.size,
        at_least: false,
    }));
    objects(target.objects(), added).await?;
    Ok(())
}

/// Looks at each object: there, and of this size?
pub(crate) async fn objects(
    store: &Arc<dyn ObjectStore>,
    expected: Vec<Look>,
) -> Result<u64, VerifyError> {
    let looks = expected.into_iter().map(|wanted| {
        let store = Arc::clone(store);
        async move { look(store.as_ref(), &wanted).await }.boxed()
    });
    let mut looks = stream::iter(looks).buffer_unordered(LOOKS);
    let mut count = 0;
    while let Some(look) = looks.next().await {
        look?;
        count += 1;
    }
    Ok(count)
}

pub(crate) async fn look(store: &dyn ObjectStore, wanted: &Look) -> Result<(), VerifyError> {
    let Look {
        key,
        size,
        at_least,
    } = wanted;
    match store.head(key).await {
        Ok(there) if there.size == *size || (*at_least && there.size > *size) => Ok(()),
        Ok(there) => Err(VerifyError::Wrong(format!(
            "the object `{key}` has {} bytes instead of {size}",
            there.size
        ))),
        Err(StoreError::NotFound { .. }) => {
            Err(VerifyError::Wrong(format!("the object `{key}` is missing")))
        }
        Err(error) => Err(VerifyError::Store(say(&error))),
    }
}
