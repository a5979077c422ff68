//! What was read of a product, and what was asked of it.

use exchange::Period;
use exchange::access::{ShareAnswer, ShareQueryFilter};
use exchange::page::PageRequest;
use model::dto::ProductDetail;
use model::dto::ShareQuery;

use crate::api::Listed;
use crate::api::{call, said};
use crate::error::AppError;

/// What was read of a product lately, the newest first; `next` says that there is older.
pub async fn reads(product: String) -> Result<Listed<ShareQuery>, AppError> {
    let (exchange, principal) = call()?;
    let filter = ShareQueryFilter {
        product: Some(product),
        ..ShareQueryFilter::default()
    };
    let page = PageRequest {
        after: None,
        limit: Some(20),
    };
    let found = exchange
        .share_queries(&principal, &filter, &page)
        .await
        .map_err(said)?;
    Ok(found.into())
}

/// What is looked for in the access log of a product. An empty text looks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallsSought {
    pub recipient: String,
    pub table: String,
    /// A word of [`call_answers`].
    pub answer: String,
    pub since: String,
    pub until: String,
}

/// How calls end, as addresses call it.
pub fn call_answers() -> [&'static str; 2] {
    ShareAnswer::ALL.map(ShareAnswer::as_str)
}

/// What was asked of a product, with the product itself; the newest first.
pub async fn calls(
    product: String,
    sought: CallsSought,
    after: Option<String>,
) -> Result<(ProductDetail, Listed<ShareQuery>), AppError> {
    let (exchange, principal) = call()?;
    let product = exchange.product(&principal, &product).await.map_err(said)?;
    let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let filter = ShareQueryFilter {
        product: Some(product.name.to_string()),
        recipient: some(&sought.recipient),
        grant: None,
        table: some(&sought.table),
        answer: ShareAnswer::ALL
            .into_iter()
            .find(|known| known.as_str() == sought.answer),
        period: Period::parse(Some(&sought.since), Some(&sought.until)).map_err(said)?,
    };
    let page = PageRequest {
        after,
        limit: Some(50),
    };
    let found = exchange
        .share_queries(&principal, &filter, &page)
        .await
        .map_err(said)?;
    Ok((product, found.into()))
}
