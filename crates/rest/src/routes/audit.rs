//! The audit log and its check.

use exchange::audit::{AuditRow, Verification};
use exchange::page::Page;
use exchange::{Error, Operation};
use serde::Deserialize;

use crate::answer::{Result, ok};
use crate::body::Body;
use crate::call::{Call, Filter, Paged};
use crate::endpoint::Endpoints;

#[rustfmt::skip]
pub(crate) fn endpoints() -> Endpoints {
    Endpoints::new()
        .on(Operation::AuditList, list).pages::<AuditRow>().query(&["object_kind", "object_id"])
        .on(Operation::AuditVerify, verify).takes::<Anchor>().answers::<Verification>()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    #[serde(default)]
    object_kind: Option<String>,
    #[serde(default)]
    object_id: Option<String>,
}

async fn list(
    call: Call,
    Paged(page): Paged,
    Filter(object): Filter<Object>,
) -> Result<Page<AuditRow>> {
    let object = match (&object.object_kind, &object.object_id) {
        (Some(kind), Some(id)) => Some((kind.as_str(), id.as_str())),
        (None, None) => None,
        (Some(_), None) => return Err(Error::invalid("object_id", "missing").into()),
        (None, Some(_)) => return Err(Error::invalid("object_kind", "missing").into()),
    };
    ok(call
        .exchange
        .audit_rows(&call.principal, object, &page)
        .await?)
}

/// What the chain is checked against.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename = "AuditVerify")]
struct Anchor {
    /// A head's hash that was kept elsewhere.
    #[serde(default)]
    anchor: Option<String>,
}

async fn verify(call: Call, Body(wanted): Body<Anchor>) -> Result<Verification> {
    ok(call
        .exchange
        .audit_verify(&call.principal, wanted.anchor.as_deref())
        .await?)
}
