//! What was used and what it cost.

use model::dto::Charge;
use model::dto::Saving;

use crate::api::Listed;
use crate::error::AppError;

use super::{call, said};

/// Charges of a product that concern the viewer's teams, newest first.
pub async fn charges(product: String, after: Option<String>) -> Result<Listed<Charge>, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest {
        after,
        limit: Some(25),
    };
    let found = exchange
        .charges(&principal, Some(&product), &page)
        .await
        .map_err(said)?;
    Ok(found.into())
}

/// What each replica of a product has saved.
pub async fn savings(product: String) -> Result<Vec<Saving>, AppError> {
    let (exchange, principal) = call()?;
    exchange
        .savings(&principal, Some(&product))
        .await
        .map_err(said)
}
