//! Finding products, looking at one and changing it.

use exchange::{Exchange, Principal};
use leptos::prelude::*;
use model::dto::ProductChange;
use model::dto::ProductDetail;
use model::dto::ProductEvent;
use model::dto::ProductPage;
use model::dto::ProductPublish;
use model::dto::ProductQuery;
use model::dto::ProductRetire;
use serde::Deserialize;
use serde::Serialize;

use crate::api::Done;
use crate::api::Listed;
use crate::error::AppError;
use crate::url::encode;
use crate::words;

use super::{call, confirmed, said, sent};

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

/// What happened to it, newest first, as far as the viewer may know.
pub async fn history(
    name: String,
    after: Option<String>,
) -> Result<Listed<ProductEvent>, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest { after, limit: None };
    let found = exchange.product_history(&principal, &name, &page).await;
    Ok(found.map_err(said)?.into())
}

/// All that the page lets one change. What is not sent stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductForm {
    pub product: String,
    #[serde(default)]
    pub revision: Option<i64>,
    /// Of drafts.
    #[serde(default, deserialize_with = "sent")]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "sent")]
    pub title: Option<String>,
    #[serde(default, deserialize_with = "sent")]
    pub description: Option<String>,
    /// With commas between them.
    #[serde(default, deserialize_with = "sent")]
    pub tags: Option<String>,
    #[serde(default)]
    pub classification: Option<String>,
    #[serde(default)]
    pub access_policy: Option<String>,
    #[serde(default)]
    pub payer: Option<String>,
    #[serde(default)]
    pub baseline_days: Option<u32>,
}

#[server]
pub async fn update_product(form: ProductForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let tags = form.tags.map(|tags| {
        let tags = tags.split(',').map(str::trim);
        tags.filter(|tag| !tag.is_empty())
            .map(str::to_owned)
            .collect()
    });
    let change = ProductChange {
        name: form.name,
        title: form.title,
        description: form.description,
        tags,
        storage: None,
        classification: form.classification,
        access_policy: form.access_policy,
        payer: form.payer,
        baseline_days: form.baseline_days,
        tables: None,
        revision: form.revision,
    };
    let changed = exchange
        .product_update(&principal, &form.product, change)
        .await
        .map_err(said)?;
    Ok(shown(&changed, words::answers::THE_PRODUCT_IS_CHANGED))
}

/// Its name, written by hand, because it cannot be taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishForm {
    pub product: String,
    #[serde(default)]
    pub revision: Option<i64>,
    #[serde(default)]
    pub confirm: String,
}

#[server]
pub async fn publish_product(form: PublishForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    confirms(&exchange, &principal, &form.product, &form.confirm).await?;
    let new = ProductPublish {
        revision: form.revision,
    };
    let published = exchange
        .product_publish(&principal, &form.product, new)
        .await
        .map_err(said)?;
    Ok(shown(&published, words::answers::THE_PRODUCT_IS_PUBLISHED))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetireForm {
    pub product: String,
    #[serde(default)]
    pub revision: Option<i64>,
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub confirm: String,
}

#[server]
pub async fn retire_product(form: RetireForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    confirms(&exchange, &principal, &form.product, &form.confirm).await?;
    let new = ProductRetire {
        reason: form.reason,
        revision: form.revision,
    };
    let retired = exchange
        .product_retire(&principal, &form.product, new)
        .await
        .map_err(said)?;
    Ok(shown(&retired, words::answers::THE_PRODUCT_IS_RETIRED))
}

/// Whether the product's name was written; whoever may not see it learns that first.
async fn confirms(
    exchange: &Exchange,
    principal: &Principal,
    product: &str,
    confirm: &str,
) -> Result<(), AppError> {
    let found = exchange.product(principal, product).await.map_err(said)?;
    confirmed(confirm, found.name.as_str())
}

fn shown(product: &ProductDetail, notice: &str) -> Done {
    Done::new(
        format!("/products/{}", encode(product.name.as_str())),
        notice,
    )
}
