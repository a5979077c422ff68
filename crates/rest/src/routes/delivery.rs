//! Whether people and the webhook can be told anything, and trying it.

use exchange::Operation;
use model::dto::{Delivery, DeliveryTest};

use crate::answer::{Nothing, Result, done, ok};
use crate::body::Body;
use crate::call::Call;
use crate::endpoint::Endpoints;

#[rustfmt::skip]
pub(crate) fn endpoints() -> Endpoints {
    Endpoints::new()
        .on(Operation::DeliveryRead, read).answers::<Delivery>()
        .on(Operation::DeliveryTest, test).takes::<DeliveryTest>()
}

async fn read(call: Call) -> Result<Delivery> {
    ok(call.exchange.delivery(&call.principal).await?)
}

async fn test(call: Call, Body(new): Body<DeliveryTest>) -> Result<Nothing> {
    call.exchange.delivery_test(&call.principal, new).await?;
    done()
}
