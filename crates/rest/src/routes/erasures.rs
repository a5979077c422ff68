//! Erasures: what is to be forgotten, how far that came, and the certificates.

use exchange::Operation;
use exchange::page::Page;
use model::ErasureId;
use model::dto::{Erasure, ErasureCertificate, ErasureKey, ErasureNew};

use crate::answer::{Result, created, ok};
use crate::body::Body;
use crate::call::{At, Call, Filter, OfProduct, Paged};
use crate::endpoint::Endpoints;

#[rustfmt::skip]
pub(crate) fn endpoints() -> Endpoints {
    Endpoints::new()
        .on(Operation::ErasureList, list).pages::<Erasure>().query(&["product"])
        .on(Operation::ErasureRead, show).answers::<Erasure>()
        .on(Operation::ErasureRequest, request).takes::<ErasureNew>().answers::<Erasure>().created()
        .on(Operation::ErasureCertificate, certificate).answers::<ErasureCertificate>()
        .on(Operation::ErasureKeyRead, key).answers::<ErasureKey>()
        .on(Operation::ErasureKeyRotate, rotate_key).answers::<ErasureKey>()
}

async fn list(
    call: Call,
    Paged(page): Paged,
    Filter(filter): Filter<OfProduct>,
) -> Result<Page<Erasure>> {
    ok(call
        .exchange
        .erasures(&call.principal, filter.product.as_deref(), &page)
        .await?)
}

async fn show(call: Call, At(erasure): At<ErasureId>) -> Result<Erasure> {
    ok(call.exchange.erasure(&call.principal, erasure).await?)
}

async fn request(call: Call, Body(new): Body<ErasureNew>) -> Result<Erasure> {
    created(call.exchange.erasure_request(&call.principal, new).await?)
}

async fn certificate(call: Call, At(erasure): At<ErasureId>) -> Result<ErasureCertificate> {
    ok(call
        .exchange
        .erasure_certificate(&call.principal, erasure)
        .await?)
}

async fn key(call: Call) -> Result<ErasureKey> {
    ok(call.exchange.erasure_key(&call.principal).await?)
}

async fn rotate_key(call: Call) -> Result<ErasureKey> {
    ok(call.exchange.erasure_key_rotate(&call.principal).await?)
}
