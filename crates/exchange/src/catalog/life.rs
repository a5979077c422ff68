//! Publishing and retiring a product.

use model::dto::{ProductDetail, ProductPublish, ProductRetire};
use model::{ProductId, ProductState, RequestId, RequestState, Stage, Verdict};
use serde_json::json;

use super::{ProductRecord, TableRecord};
use crate::audit::Object;
use crate::change::Change;
use crate::error::{Check, Error};
use crate::operation::Operation;
use crate::principal::Principal;
use crate::{Exchange, sql};

impl Exchange {
    /// Shows a draft to everybody and opens it for requests. From here on its name stays.
    pub async fn product_publish(
        &self,
        principal: &Principal,
        name: &str,
        form: ProductPublish,
    ) -> Result<ProductDetail, Error> {
        let record = self
            .product_for(principal, Operation::ProductPublish, name)
            .await?;
        if record.state != ProductState::Draft {
            return Err(Error::conflict(format!(
                "only a draft is published; this product is {}",
                record.state
            )));
        }
        let mut change = self.change(principal).await?;
        set_state(
            &mut change,
            &record,
            ProductState::Published,
            form.revision.unwrap_or(record.revision),
        )
        .await?;
        sql!("update product set published_at = $1 where id = $2")
            .bind(change.at())
            .bind(record.id)
            .execute(change.tx())
            .await?;
        let tables = self.tables_of(change.tx(), record.id).await?;
        check_publishable(&tables)?;
        let unusable: Vec<String> = tables
            .iter()
            .filter(|table| !table.is_usable())
            .map(|table| format!("{}.{}", table.schema, table.name))
            .collect();
        change.note(
            Operation::ProductPublish,
            Object::new("product", &record.name),
            json!({ "tables": tables.len(), "neither_shared_nor_cloned": unusable }),
        );
        change.commit().await?;
        self.product_shown(principal, record.name.as_str()).await
    }

    /// Takes a product out of service. Requests that wait are rejected with the reason; grants that stand must be revoked
    /// first.
    pub async fn product_retire(
        &self,
        principal: &Principal,
        name: &str,
        form: ProductRetire,
    ) -> Result<ProductDetail, Error> {
        let record = self
            .product_for(principal, Operation::ProductRetire, name)
            .await?;
        let mut check = Check::new();
        let reason = check.text("reason", &form.reason, 1, 1_000, true);
        check.done()?;
        if record.state == ProductState::Retired {
            return Err(Error::conflict("the product is retired already"));
        }
        let mut change = self.change(principal).await?;
        set_state(
            &mut change,
            &record,
            ProductState::Retired,
            form.revision.unwrap_or(record.revision),
        )
        .await?;
        // First the requests, then the grants: an approval that runs at the same time holds its request's row, so that
        // its grant is there to be counted once we come by.
        let rejected = reject_open(&mut change, record.id, &reason).await?;
        let grants = live_grants(&mut change, record.id).await?;
        if grants > 0 {
            return Err(Error::conflict(format!(
                "{grants} {} on this product; revoke {} first, then retire it",
                if grants == 1 {
                    "grant stands"
                } else {
                    "grants stand"
                },
                if grants == 1 { "it" } else { "them" },
            )));
        }
        for request in &rejected {
            change.note(
                Operation::ProductRetire,
                Object::new("request", request),
                json!({ "state": RequestState::Rejected }),
            );
        }
        change.note(
            Operation::ProductRetire,
            Object::new("product", &record.name),
            json!({ "reason": reason, "requests_rejected": rejected.len() }),
        );
        change.commit().await?;
        self.product_shown(principal, record.name.as_str()).await
    }
}

/// Something to read, and all of it readable when last looked at.
fn check_publishable(tables: &[TableRecord]) -> Result<(), Error> {
    if tables.is_empty() {
        return Err(Error::conflict(
            "a product is published with at least one table; add one",
        ));
    }
    match tables
        .iter()
        .find_map(|table| Some((table, table.problem.as_deref()?)))
    {
        Some((table, problem)) => Err(Error::conflict(format!(
            "the table {}.{} could not be read: {problem}; mend it and refresh the product",
            table.schema, table.name
        ))),
        None => Ok(()),
    }
}

async fn set_state(
    change: &mut Change,
    record: &ProductRecord,
    state: ProductState,
    seen: i64,
) -> Result<(), Error> {
    let changed = sql!(
        "update product set state = $1, revision = revision + 1, updated_at = $2
         where id = $3 and revision = $4 and state = $5"
    )
    .bind(state)
    .bind(change.at())
    .bind(record.id)
    .bind(seen)
    .bind(record.state)
    .execute(change.tx())
    .await?;
    if changed == 0 {
        return Err(Error::changed("product"));
    }
    Ok(())
}

/// How many grants people still want on a product.
pub(super) async fn live_grants(change: &mut Change, product: ProductId) -> Result<i64, Error> {
    let row = sql!(
        "select count(*) as count from access_grant where product_id = $1 and desired = 'active'"
    )
    .bind(product)
    .row(change.tx())
    .await?;
    Ok(match row {
        Some(row) => row.get("count")?,
        None => 0,
    })
}

/// Rejects the requests that wait. It is the product's end that decides, not a person, so that nobody decides on what they
/// asked for themselves.
async fn reject_open(
    change: &mut Change,
    product: ProductId,
    reason: &str,
) -> Result<Vec<RequestId>, Error> {
    let rows = sql!(
        "update request set state = $1, revision = revision + 1, updated_at = $2
         where product_id = $3 and state = $4 returning id, revision"
    )
    .bind(RequestState::Rejected)
    .bind(change.at())
    .bind(product)
    .bind(RequestState::Submitted)
    .rows(change.tx())
    .await?;
    let mut rejected = Vec::with_capacity(rows.len());
    for row in rows {
        let id: RequestId = row.get("id")?;
        let revision: i64 = row.get("revision")?;
        sql!("insert into decision (id, request_id, stage, verdict, decider_id, note, request_revision, decided_at)
              values ($1, $2, $3, $4, null, $5, $6, $7)")
        // A decision is known by its request and stage; its own id only has to be new.
        .bind(uuid::Uuid::from(RequestId::new(change.at())))
        .bind(id)
        .bind(Stage::Policy)
        .bind(Verdict::Reject)
        .bind(format!("the product was retired: {reason}"))
        .bind(revision - 1)
        .bind(change.at())
        .execute(change.tx())
        .await?;
        rejected.push(id);
    }
    Ok(rejected)
}
