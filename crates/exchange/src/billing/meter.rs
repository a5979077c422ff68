//! Meter events: bytes of a leg, counted once. The key makes an event idempotent.

use model::dto::MeterEvent;
use model::{
    GrantId, Location, MeterEventId, Method, ProductId, ProductName, Purpose, QueryId, RecipientId,
    StorageId, SyncRunId, TableId, Timestamp,
};

use crate::db::On;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// What was counted.
#[derive(Clone, Debug)]
pub struct MeterEventNew {
    /// The same bytes have the same key: `run/<id>/<attempt>`, `gateway/<request>`, `query/<id>`, `read/<operation>`,
    /// `logged/<query>/<event>`.
    pub key: String,
    pub product: Option<ProductId>,
    pub table: Option<TableId>,
    pub grant: Option<GrantId>,
    pub recipient: Option<RecipientId>,
    pub run: Option<SyncRunId>,
    pub query: Option<QueryId>,
    pub from: Location,
    pub to: Location,
    pub bytes: u64,
    /// Time a worker was busy; microseconds.
    pub busy: i64,
    pub method: Method,
    pub purpose: Purpose,
}

struct EventRow {
    id: MeterEventId,
    product: Option<ProductName>,
    from_location: Location,
    to_location: Location,
    bytes: u64,
    busy_micros: i64,
    method: Method,
    purpose: Purpose,
    run_id: Option<SyncRunId>,
    query_id: Option<QueryId>,
    at: Timestamp,
    charged: bool,
    replaced_at: Option<Timestamp>,
}
from_row!(EventRow {
    id,
    product,
    from_location,
    to_location,
    bytes,
    busy_micros,
    method,
    purpose,
    run_id,
    query_id,
    at,
    charged,
    replaced_at
});

impl Exchange {
    /// Writes a meter event, and answers whether it did: the same key a second time changes nothing, and neither bytes nor
    /// time are no event. What a run receives is told by [`Exchange::run_counted`] instead.
    pub async fn meter_record(
        &self,
        principal: &Principal,
        new: &MeterEventNew,
    ) -> Result<bool, Error> {
        can(principal, Operation::MeterRecord, &Scope::NONE)?;
        let now = self.now();
        self.meter_store(self.db(), new, now).await
    }

    /// The same, asking no policy; part of the caller's transaction.
    pub(crate) async fn meter_store<'a>(
        &self,
        on: impl Into<On<'a>>,
        new: &MeterEventNew,
        at: Timestamp,
    ) -> Result<bool, Error> {
        if new.bytes == 0 && new.busy == 0 {
            return Ok(false);
        }
        let written = sql!("insert into meter_event (id, key, product_id, table_id, grant_id, recipient_id, run_id, query_id, from_location,
                  to_location, bytes, busy_micros, method, purpose, at, day, payer)
              values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
                  (select payer from product where product.id = $3)) on conflict (key) do nothing")
        .bind(MeterEventId::new(at))
        .bind(&new.key)
        .bind(new.product)
        .bind(new.table)
        .bind(new.grant)
        .bind(new.recipient)
        .bind(new.run)
        .bind(new.query)
        .bind(&new.from)
        .bind(&new.to)
        .bind(new.bytes)
        .bind(new.busy)
        .bind(new.method)
        .bind(new.purpose)
        .bind(at)
        .bind(at.utc_day())
        .execute(on)
        .await?;
        Ok(written == 1)
    }

    /// Of which product's table this folder is; None: of none that is registered.
    pub async fn table_in(
        &self,
        principal: &Principal,
        storage: StorageId,
        path: &str,
    ) -> Result<Option<(ProductId, TableId)>, Error> {
        can(principal, Operation::MeterRecord, &Scope::NONE)?;
        let row = sql!(
            "select product_id, id from product_table where storage_id = $1 and path = $2 and removed_at is null"
        )
        .bind(storage)
        .bind(path)
        .row(self.db())
        .await?;
        row.map(|row| Ok((row.get("product_id")?, row.get("id")?)))
            .transpose()
    }

    /// Events that concern the caller's products, newest first; finance, auditors and admins see all.
    pub async fn meter_events(
        &self,
        principal: &Principal,
        product: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<MeterEvent>, Error> {
        can(principal, Operation::MeterList, &Scope::NONE)?;
        self.filter_by(principal, product).await?;
        let before: Option<MeterEventId> = page.parse_after()?;
        let (person, team) = principal.scope();
        let rows: Vec<EventRow> = sql!(
            "select meter_event.id, product.name as product, from_location, to_location, bytes, busy_micros, method, purpose,
                    run_id, query_id, at, replaced_at,
                    case when (bytes = 0 or charge_id is not null) and (busy_micros = 0 or compute_charge_id is not null)
                         then true else false end as charged
             from meter_event left join product on product.id = product_id
             where (meter_event.id < $1 or $1 is null) and (product.name = $2 or cast($2 as text) is null)
                 and ($3 or product.team_id = $5
                      or product.team_id in (select team_member.team_id from team_member where person_id = $4))
             order by meter_event.id desc limit $6"
        )
        .bind(before)
        .bind(product)
        .bind(principal.sees_all() || principal.has(model::Role::Finance))
        .bind(person)
        .bind(team)
        .bind(page.fetch())
        .all(self.db())
        .await?;
        let page = page.cut(rows, |row| row.id.to_string());
        let items = page
            .items
            .into_iter()
            .map(|row| MeterEvent {
                id: row.id,
                product: row.product,
                from: row.from_location,
                to: row.to_location,
                bytes: row.bytes,
                busy_micros: row.busy_micros,
                method: row.method,
                purpose: row.purpose,
                run: row.run_id,
                query: row.query_id,
                at: row.at,
                charged: row.charged,
                replaced_at: row.replaced_at,
            })
            .collect();
        Ok(Page {
            items,
            next: page.next,
        })
    }
}
