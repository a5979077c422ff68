//! Products, and looking at tables before they are one's.

use exchange::Operation;
use exchange::page::Page;
use model::dto::{
    Facets, Inspection, Offer, ProductCard, ProductChange, ProductDetail, ProductEvent, ProductNew,
    ProductPage, ProductPublish, ProductQuery, ProductRetire, TableInspect,
};
use serde::Deserialize;

use crate::answer::{Result, created, ok};
use crate::body::Body;
use crate::call::{At, Call, Filter, Paged};
use crate::endpoint::Endpoints;
use crate::schema::{all_of, object, of, page_of};

#[rustfmt::skip]
pub(crate) fn endpoints() -> Endpoints {
    let found = || {
        all_of([
            page_of::<ProductCard>(),
            object([("total", of::<u64>()), ("facets", of::<Facets>())]),
        ])
    };
    Endpoints::new()
        .on(Operation::TableInspect, inspect).takes::<TableInspect>().answers::<Inspection>()
        .on(Operation::ProductList, list).pages::<ProductCard>().shows(found)
            .query(&["q", "domain", "team", "cloud", "region", "classification", "state", "access", "sort"])
        .on(Operation::ProductRead, show).answers::<ProductDetail>()
        .on(Operation::ProductHistory, history).pages::<ProductEvent>()
        .on(Operation::ProductRegister, register).takes::<ProductNew>().answers::<ProductDetail>().created()
        .on(Operation::ProductUpdate, update).takes::<ProductChange>().answers::<ProductDetail>()
        .on(Operation::ProductPublish, publish).takes::<ProductPublish>().answers::<ProductDetail>()
        .on(Operation::ProductRetire, retire).takes::<ProductRetire>().answers::<ProductDetail>()
        .on(Operation::ProductRefresh, refresh).answers::<ProductDetail>()
        .on(Operation::OfferRead, offer).answers::<Offer>().query(&["recipient", "cut"])
}

async fn inspect(call: Call, Body(form): Body<TableInspect>) -> Result<Inspection> {
    ok(call.exchange.table_inspect(&call.principal, form).await?)
}

async fn list(
    call: Call,
    Paged(page): Paged,
    Filter(filter): Filter<ProductQuery>,
) -> Result<ProductPage> {
    let query = ProductQuery {
        after: page.after,
        limit: page.limit,
        ..filter
    };
    ok(call.exchange.products(&call.principal, query).await?)
}

async fn show(call: Call, At(product): At<String>) -> Result<ProductDetail> {
    ok(call.exchange.product(&call.principal, &product).await?)
}

async fn history(
    call: Call,
    At(product): At<String>,
    Paged(page): Paged,
) -> Result<Page<ProductEvent>> {
    ok(call
        .exchange
        .product_history(&call.principal, &product, &page)
        .await?)
}

async fn register(call: Call, Body(new): Body<ProductNew>) -> Result<ProductDetail> {
    created(call.exchange.product_register(&call.principal, new).await?)
}

async fn update(
    call: Call,
    At(product): At<String>,
    Body(new): Body<ProductChange>,
) -> Result<ProductDetail> {
    ok(call
        .exchange
        .product_update(&call.principal, &product, new)
        .await?)
}

async fn publish(
    call: Call,
    At(product): At<String>,
    Body(form): Body<ProductPublish>,
) -> Result<ProductDetail> {
    ok(call
        .exchange
        .product_publish(&call.principal, &product, form)
        .await?)
}

async fn retire(
    call: Call,
    At(product): At<String>,
    Body(form): Body<ProductRetire>,
) -> Result<ProductDetail> {
    ok(call
        .exchange
        .product_retire(&call.principal, &product, form)
        .await?)
}

async fn refresh(call: Call, At(product): At<String>) -> Result<ProductDetail> {
    ok(call
        .exchange
        .product_refresh(&call.principal, &product)
        .await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ForWhom {
    recipient: String,
    #[serde(default)]
    cut: Option<String>,
}

async fn offer(
    call: Call,
    At(product): At<String>,
    Filter(wanted): Filter<ForWhom>,
) -> Result<Offer> {
    ok(call
        .exchange
        .offer(
            &call.principal,
            &product,
            &wanted.recipient,
            wanted.cut.as_deref(),
        )
        .await?)
}
