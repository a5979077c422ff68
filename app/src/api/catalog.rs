//! Finding products and looking at one.

use model::dto::ProductDetail;
use model::dto::ProductPage;
use model::dto::ProductQuery;

use crate::error::AppError;

use super::{call, said};

/// Products that the viewer may see, with how many each filter value would leave.
pub async fn products(query: ProductQuery) -> Result<ProductPage, AppError> {
    let (exchange, principal) = call()?;
    exchange.products(&principal, query).await.map_err(said)
}

/// One product with its tables.
pub async fn product(name: String) -> Result<ProductDetail, AppError> {
    let (exchange, principal) = call()?;
    exchange.product(&principal, &name).await.map_err(said)
}
