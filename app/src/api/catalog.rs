//! Finding products and looking at one.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use model::dto::ProductDetail;
use model::dto::ProductPage;
use model::dto::ProductQuery;

use crate::error::AppError;

#[cfg(feature = "ssr")]
use super::{call, said};

/// Products that the viewer may see, with how many each filter value would leave.
#[server(input = Json)]
pub async fn products(query: ProductQuery) -> Result<ProductPage, AppError> {
    let (exchange, principal) = call()?;
    exchange.products(&principal, query).await.map_err(said)
}

/// One product with its tables.
#[server(input = Json)]
pub async fn product(name: String) -> Result<ProductDetail, AppError> {
    let (exchange, principal) = call()?;
    exchange.product(&principal, &name).await.map_err(said)
}
