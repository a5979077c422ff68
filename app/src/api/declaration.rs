//! The declaration that what is live equals.

use crate::error::AppError;

use super::{call, said};

/// One product as `entrepot.yml` has it, for those who may see where its tables lie.
pub async fn product_yaml(product: String) -> Result<String, AppError> {
    let (exchange, principal) = call()?;
    let export = exchange
        .declaration_export(&principal, Some(&product))
        .await
        .map_err(said)?;
    Ok(export.yaml)
}
