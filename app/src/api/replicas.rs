//! Replicas and the runs that keep them fresh.

use model::dto::Replica;
use model::dto::SyncRun;

use crate::api::Listed;
use crate::error::AppError;

use super::{call, said};

/// All replicas of a product.
pub async fn replicas(product: String) -> Result<Vec<Replica>, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest::all();
    let found = exchange
        .replicas(&principal, Some(&product), &page)
        .await
        .map_err(said)?;
    Ok(found.items)
}

/// The latest runs of a product, newest first.
pub async fn sync_runs(
    product: String,
    after: Option<String>,
) -> Result<Listed<SyncRun>, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest {
        after,
        limit: Some(10),
    };
    let found = exchange
        .sync_runs(&principal, Some(&product), &page)
        .await
        .map_err(said)?;
    Ok(found.into())
}
