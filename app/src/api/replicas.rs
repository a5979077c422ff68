//! Replicas and the runs that keep them fresh.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use model::dto::Replica;
use model::dto::SyncRun;

use crate::api::Listed;
use crate::error::AppError;

#[cfg(feature = "ssr")]
use super::{call, said};

/// All replicas of a product.
#[server(input = Json)]
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
#[server(input = Json)]
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
