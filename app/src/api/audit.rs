//! What happened to things, for those who may read the audit log.

use model::Timestamp;
use serde::Deserialize;
use serde::Serialize;

use crate::api::Listed;
use crate::error::AppError;

use super::{call, said};

/// One row of the audit log, without its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happening {
    pub at: Timestamp,
    /// A person's pseudonym, `operator` or `system`.
    pub actor: String,
    pub operation: String,
    /// JSON.
    pub detail: String,
}

/// What happened to one object, newest first.
pub async fn happenings(
    kind: &'static str,
    id: String,
    after: Option<String>,
) -> Result<Listed<Happening>, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest {
        after,
        limit: Some(50),
    };
    let found = exchange
        .audit_rows(&principal, Some((kind, &id)), &page)
        .await
        .map_err(said)?;
    let items = found.items.into_iter().map(|row| Happening {
        at: row.at,
        actor: row.actor,
        operation: row.operation,
        detail: row.detail,
    });
    Ok(Listed {
        items: items.collect(),
        next: found.next,
    })
}
