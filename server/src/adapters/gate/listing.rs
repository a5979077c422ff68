//! What lists show of what was granted.

use std::collections::HashMap;

use exchange::access::{SharedTable, SharedTitle};
use sharing::{ShareInfo, Shared};
use uuid::Uuid;

/// The tables that can be served, as lists show them. What needs a feature that is not served is not shared; asked for by
/// name it says which.
pub(crate) fn listed(granted: &[SharedTable]) -> Vec<Shared> {
    let served = granted.iter().filter(|row| row.not_served().is_none());
    let listed = served.map(|row| Shared {
        share: row.share.to_string(),
        share_id: row.product_id.into(),
        schema: row.schema.to_string(),
        name: row.table_name.to_string(),
        table_id: row.table_id,
        directory: row.directory(),
    });
    listed.collect()
}

/// The shares of what was granted, by their names alone.
pub(crate) fn shares_of(granted: &[SharedTable]) -> Vec<ShareInfo> {
    // In the order of shares, so that equal ones are neighbours.
    let shares = granted.chunk_by(|one, other| one.product_id == other.product_id);
    let shares = shares.filter_map(|rows| rows.first()).map(|row| ShareInfo {
        name: row.share.to_string(),
        id: row.product_id.into(),
        display_name: None,
        comment: None,
    });
    shares.collect()
}

/// The same with the words of their producers. A share that has ended since is not among them any more.
pub(super) fn entitled(mut shares: Vec<ShareInfo>, titles: Vec<SharedTitle>) -> Vec<ShareInfo> {
    let some = |text: String| (!text.is_empty()).then_some(text);
    let mut titles: HashMap<Uuid, SharedTitle> = titles
        .into_iter()
        .map(|title| (title.product_id.into(), title))
        .collect();
    for share in &mut shares {
        if let Some(found) = titles.remove(&share.id) {
            share.display_name = some(found.title);
            share.comment = some(found.description);
        }
    }
    shares
}
