//! By what one commit of a source is told from another of the same version.

use delta::{Latest, Table};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectMeta, ObjectStoreExt as _};

use super::{PlanError, PlanSummary};
use crate::say::say;

/// Tells one commit file from another of the same version, without reading it: what a listing says of it, which some stores
/// write without the quotes that its own answer has.
fn print_of(commit: &ObjectMeta) -> String {
    let tag = match &commit.e_tag {
        Some(tag) => tag.replace('"', ""),
        None => commit.last_modified.timestamp().to_string(),
    };
    format!("{tag}/{}", commit.size)
}

/// The same of any version; None: the log begins after it.
pub(crate) async fn fingerprint(
    source: &Table,
    version: u64,
    latest: &Latest,
) -> Result<Option<String>, PlanError> {
    if version == latest.version {
        return Ok(latest.commit.as_ref().map(print_of));
    }
    match source
        .objects()
        .head(&Path::from(format!("_delta_log/{version:020}.json")))
        .await
    {
        Ok(commit) => Ok(Some(print_of(&commit))),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(PlanError::Store(format!("Source: {}", say(&error)))),
    }
}

/// Whether the source's newest version is another than the one that was planned for.
pub(crate) async fn has_moved_on(source: &Table, plan: &PlanSummary) -> Result<bool, PlanError> {
    let latest = source.latest().await.map_err(PlanError::Source)?;
    let Some(latest) = latest.filter(|latest| latest.version == plan.source_version) else {
        return Ok(true);
    };
    let print = latest.commit.as_ref().map(print_of).unwrap_or_default();
    Ok(print != plan.source_fingerprint)
}
