//! The declaration that what is live equals.

use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::error::AppError;

#[cfg(feature = "ssr")]
use super::{call, said};

/// One product as `entrepot.yml` has it, for those who may see where its tables lie.
#[server(input = Json)]
pub async fn product_yaml(product: String) -> Result<String, AppError> {
    let (exchange, principal) = call()?;
    let export = exchange
        .declaration_export(&principal, Some(&product))
        .await
        .map_err(said)?;
    Ok(export.yaml)
}
