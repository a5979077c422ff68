//! The audit log and its check.

use exchange::audit::{AuditFilter, AuditRow, Verification};
use exchange::page::Page;
use exchange::{Error, Operation, Period};
use serde::Deserialize;

use crate::answer::{Result, ok};
use crate::body::Body;
use crate::call::{Call, Filter, Paged};
use crate::endpoint::Endpoints;

#[rustfmt::skip]
pub(crate) fn endpoints() -> Endpoints {
    Endpoints::new()
        .on(Operation::AuditList, list).pages::<AuditRow>().query(&["object_kind", "object_id", "actor", "operation", "since", "until"])
        .on(Operation::AuditVerify, verify).takes::<Anchor>().answers::<Verification>()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    object_kind: Option<String>,
    #[serde(default)]
    object_id: Option<String>,
    #[serde(default)]
    actor: Option<String>,
    #[serde(default)]
    operation: Option<String>,
    #[serde(default)]
    since: Option<String>,
    #[serde(default)]
    until: Option<String>,
}

async fn list(
    call: Call,
    Paged(page): Paged,
    Filter(wanted): Filter<Wanted>,
) -> Result<Page<AuditRow>> {
    let object = match (&wanted.object_kind, &wanted.object_id) {
        (Some(kind), Some(id)) => Some((kind.as_str(), id.as_str())),
        (None, None) => None,
        (Some(_), None) => return Err(Error::invalid("object_id", "missing").into()),
        (None, Some(_)) => return Err(Error::invalid("object_kind", "missing").into()),
    };
    let filter = AuditFilter {
        object,
        actor: wanted.actor.as_deref(),
        operation: wanted.operation.as_deref(),
        period: Period::parse(wanted.since.as_deref(), wanted.until.as_deref())?,
    };
    ok(call
        .exchange
        .audit_found(&call.principal, &filter, &page)
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
