//! Charges: what the daily report has priced.

use model::dto::Charge;
use model::{ChargeId, Currency, Location, Method, Micro, Name, ProductName, Timestamp};

use crate::db::On;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::period::Period;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

struct ChargeRow {
    id: ChargeId,
    day: i64,
    kind: String,
    product: ProductName,
    team: Name,
    consumer: Option<Name>,
    from_location: Location,
    to_location: Location,
    method: Method,
    bytes: u64,
    busy_micros: i64,
    amount_micro: Micro,
    currency: Currency,
}
from_row!(ChargeRow {
    id,
    day,
    kind,
    product,
    team,
    consumer,
    from_location,
    to_location,
    method,
    bytes,
    busy_micros,
    amount_micro,
    currency
});

/// `2026-06-15` of a UTC day.
pub(super) fn day_text(day: i64) -> String {
    Timestamp::from_utc_day(day)
        .date()
        .map_or_else(|| day.to_string(), |date| date.to_string())
}

impl Exchange {
    /// For bytes that cost nothing: the currency of the latest rate, EUR before there is one.
    pub(super) async fn default_currency<'a>(
        &self,
        on: impl Into<On<'a>>,
    ) -> Result<Currency, Error> {
        let row = sql!("select currency from rate order by created_at desc, id desc limit 1")
            .row(on)
            .await?;
        match row {
            Some(row) => Ok(row.get("currency")?),
            None => "EUR".parse().map_err(Error::internal),
        }
    }

    /// All charges that concern the caller's teams, newest first: for files.
    pub async fn all_charges(
        &self,
        principal: &Principal,
        product: Option<&str>,
        period: &Period,
    ) -> Result<Vec<Charge>, Error> {
        let mut all = Vec::new();
        let mut page = PageRequest::all();
        loop {
            let found = self
                .charges_within(principal, product, period, &page)
                .await?;
            all.extend(found.items);
            match found.next {
                Some(next) => page.after = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// Charges that concern the caller's teams, newest first.
    pub async fn charges(
        &self,
        principal: &Principal,
        product: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<Charge>, Error> {
        self.charges_within(principal, product, &Period::default(), page)
            .await
    }

    /// The same of the days of a time.
    pub async fn charges_within(
        &self,
        principal: &Principal,
        product: Option<&str>,
        period: &Period,
        page: &PageRequest,
    ) -> Result<Page<Charge>, Error> {
        can(principal, Operation::ChargeList, &Scope::NONE)?;
        self.filter_by(principal, product).await?;
        let before: Option<ChargeId> = page.parse_after()?;
        let (person, team) = principal.scope();
        let (first, last) = period.days();
        let rows: Vec<ChargeRow> = sql!(
            "select charge.id, day, kind, product.name as product, team.name as team, consumer.name as consumer, from_location,
                    to_location, method, bytes, busy_micros, amount_micro, currency
             from charge join product on product.id = product_id join team on team.id = charge.team_id
                 left join team as consumer on consumer.id = consumer_team_id
             where (charge.id < $1 or $1 is null) and (product.name = $2 or cast($2 as text) is null)
                 and ($3 or charge.team_id = $5 or product.team_id = $5
                      or charge.team_id in (select team_member.team_id from team_member where person_id = $4)
                      or product.team_id in (select team_member.team_id from team_member where person_id = $4))
                 and (day >= $7 or $7 is null) and (day <= $8 or $8 is null)
             order by charge.id desc limit $6"
        )
        .bind(before)
        .bind(product)
        .bind(principal.sees_all() || principal.has(model::Role::Finance))
        .bind(person)
        .bind(team)
        .bind(page.fetch())
        .bind(first)
        .bind(last)
        .all(self.db())
        .await?;
        let page = page.cut(rows, |row| row.id.to_string());
        let items = page
            .items
            .into_iter()
            .map(|row| Charge {
                id: row.id,
                day: day_text(row.day),
                kind: row.kind,
                product: row.product,
                team: row.team,
                consumer: row.consumer,
                from: row.from_location,
                to: row.to_location,
                method: row.method,
                bytes: row.bytes,
                busy_micros: row.busy_micros,
                amount: row.amount_micro,
                currency: row.currency,
            })
            .collect();
        Ok(Page {
            items,
            next: page.next,
        })
    }
}
