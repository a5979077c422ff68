//! What access would cost and how fresh it would be, before anybody asks. Figures say what they assume; what is not known
//! is said, never guessed.

use model::dto::{ModeOffer, Money, Offer};
use model::{
    Currency, Location, Micro, Mode, Payer, ReplicaId, ReplicaState, Route, Timestamp, Unit,
};

use super::by_cut::LIVE_CUT;
use super::{ProductInfo, RecipientInfo};
use crate::cuts::CutRecord;
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, can, can_see};
use crate::principal::Principal;
use crate::replicas::{ReplicaTableRecord, Schedule};
use crate::{Exchange, from_row, sql};

/// One table as the price needs it.
struct TableSize {
    cloud: model::Cloud,
    region: String,
    byte_count: Option<u64>,
    recent_byte_count: Option<u64>,
    committed_at: Option<Timestamp>,
    refused_for: Option<String>,
    clone_refused_for: Option<String>,
    url: String,
}
from_row!(TableSize {
    cloud,
    region,
    byte_count,
    recent_byte_count,
    committed_at,
    refused_for,
    clone_refused_for,
    url
});

/// The tables that nothing stands against, and, where there is none, why.
fn usable<'a>(
    tables: &'a [TableSize],
    done: &str,
    refused_for: fn(&TableSize) -> &Option<String>,
) -> (Vec<&'a TableSize>, Option<String>) {
    let usable: Vec<&TableSize> = tables
        .iter()
        .filter(|table| refused_for(table).is_none())
        .collect();
    let why_not = usable.is_empty().then(|| {
        let reason = tables
            .first()
            .and_then(|table| refused_for(table).as_deref());
        match reason {
            Some(reason) => format!("none of its tables can be {done} yet: {reason}"),
            None => "it has no tables".to_owned(),
        }
    });
    (usable, why_not)
}

/// Days of a month, for prices by the month.
const MONTH_DAYS: i64 = 30;

impl Exchange {
    /// Both modes, priced and dated; of a cut of the product when `cut` is given, which there is no live access to.
    pub async fn offer(
        &self,
        principal: &Principal,
        product: &str,
        recipient: &str,
        cut: Option<&str>,
    ) -> Result<Offer, Error> {
        can(principal, Operation::OfferRead, &Scope::NONE)?;
        let product = self.visible_product(principal, product).await?;
        let recipient = self
            .recipient_info(recipient)
            .await?
            .ok_or(Error::NotFound("recipient"))?;
        can_see(
            principal,
            Operation::RecipientRead,
            &Scope::consumer(recipient.team_id),
            "recipient",
        )?;
        let cut = match cut.filter(|cut| !cut.is_empty()) {
            Some(cut) => Some(
                self.cut_record(self.db(), product.id, cut)
                    .await?
                    .ok_or(Error::NotFound("cut"))?,
            ),
            None => None,
        };
        let offer = self.offer_for(&product, &recipient, cut.as_ref()).await?;
        let of = (recipient.id, recipient.team_id);
        let what = (product.id, cut.as_ref().map(|cut| cut.id));
        let at = recipient.location()?;
        let already = self.already(principal, what, of, &at).await?;
        Ok(Offer { already, ..offer })
    }

    pub(super) async fn offer_for(
        &self,
        product: &ProductInfo,
        recipient: &RecipientInfo,
        cut: Option<&CutRecord>,
    ) -> Result<Offer, Error> {
        let at = self.now();
        let to = recipient.location()?;
        let tables: Vec<TableSize> = sql!(
            "select cloud, region, byte_count, recent_byte_count, committed_at, refused_for, clone_refused_for, url
             from product_table
             join storage on storage.id = storage_id where product_id = $1 and removed_at is null
                 and (exists (select 1 from cut_table where cut_table.cut_id = $2 and number = $3
                          and cut_table.table_id = product_table.id) or $2 is null)"
        )
        .bind(product.id)
        .bind(cut.map(|cut| cut.id))
        .bind(cut.map(|cut| cut.edition))
        .all(self.db())
        .await?;
        let (shared, not_shared) = usable(&tables, "shared", |table| &table.refused_for);
        // URLs that another hands out are not ours to hand on.
        let not_shared = not_shared.or_else(|| {
            let of_a_share = tables.iter().any(|table| table.url.starts_with("share://"));
            of_a_share.then(|| {
                "it comes from another company's Delta Share, which is read by a replica alone"
                    .to_owned()
            })
        });
        let (cloned, not_cloned) = usable(&tables, "cloned", |table| &table.clone_refused_for);
        let not_shared = match cut {
            Some(_) => Some(LIVE_CUT.to_owned()),
            None => not_shared,
        };
        let live = self
            .live_offer(product, &shared, &to, at, not_shared)
            .await?;
        let replica = self
            .replica_offer(product, &cloned, (&to, at), cut, not_cloned)
            .await?;
        let (payer, cost_center) = match product.payer {
            Payer::Producer => (product.team.clone(), product.cost_center.clone()),
            Payer::Consumer => (recipient.team.clone(), recipient.cost_center.clone()),
        };
        Ok(Offer {
            product: product.name.clone(),
            recipient: recipient.name.clone(),
            cut: cut.map(|cut| cut.name.clone()),
            as_of: at,
            stages: product.stages(),
            payer,
            cost_center,
            modes: vec![live, replica],
            // Whoever decides on a request sees its offer, and is not to learn what else the consumer reads.
            already: Vec::new(),
        })
    }

    async fn live_offer(
        &self,
        product: &ProductInfo,
        tables: &[&TableSize],
        to: &Location,
        at: Timestamp,
        why_not: Option<String>,
    ) -> Result<ModeOffer, Error> {
        let reads = MONTH_DAYS as u64
            / u64::try_from(product.baseline_days.max(1))
                .unwrap_or(1)
                .max(1);
        let reads = reads.max(1);
        let bytes = |table: &TableSize| table.byte_count.unwrap_or(0).saturating_mul(reads);
        let month_transfer = self.price(tables, bytes, to, at).await?;
        Ok(ModeOffer {
            mode: Mode::Live,
            why_not,
            first_copy_bytes: 0,
            month_bytes: tables.iter().map(|table| bytes(table)).sum(),
            month_storage_bytes: 0,
            first_copy: month_transfer.map(|money| Money {
                amount: Micro(0),
                ..money
            }),
            month_transfer,
            month_storage: month_transfer.map(|money| Money {
                amount: Micro(0),
                ..money
            }),
            basis: format!("{reads} full reads a month; what you really read is counted"),
            committed_at: tables.iter().filter_map(|table| table.committed_at).max(),
            synced_at: None,
            freshness: "at once: you read the producer's files".to_owned(),
        })
    }

    async fn replica_offer(
        &self,
        product: &ProductInfo,
        tables: &[&TableSize],
        (to, at): (&Location, Timestamp),
        cut: Option<&CutRecord>,
        why_not: Option<String>,
    ) -> Result<ModeOffer, Error> {
        let storage = self.replica_storage_at(to).await?;
        let why_not = why_not.or_else(|| {
            storage.is_none().then(|| {
                format!("no storage in {to} takes replicas; ask an admin to add one, or read live")
            })
        });
        let existing = match storage {
            Some(storage) => {
                sql!("select id, state from replica where product_id = $1 and storage_id = $2 and state <> 'deleted'
                          and ((cut_id = $3 and edition = $4) or (cut_id is null and $3 is null))")
                    .bind(product.id)
                    .bind(storage)
                    .bind(cut.map(|cut| cut.id))
                    .bind(cut.map(|cut| cut.edition))
                    .row(self.db())
                    .await?
            }
            None => None,
        };
        let mut synced_at = None;
        let mut copied = false;
        let mut freshness = Schedule::usual().map_err(Error::internal)?.describe();
        if let Some(row) = existing {
            let id: ReplicaId = row.get("id")?;
            let state: ReplicaState = row.get("state")?;
            let mut held = self.replica_tables(self.db(), id).await?;
            held.retain(ReplicaTableRecord::follows);
            synced_at = held.iter().filter_map(|table| table.synced_at).min();
            copied = matches!(state, ReplicaState::Ready | ReplicaState::Draining)
                && held.iter().all(|table| table.replica_version.is_some());
            if let Some(job) = self.job_of(self.db(), id).await? {
                freshness = job
                    .schedule()
                    .map_or(freshness, |schedule| schedule.describe());
            }
        }
        let whole = |table: &TableSize| table.byte_count.unwrap_or(0);
        let recent = |table: &TableSize| table.recent_byte_count.unwrap_or(0);
        let first_copy = if copied {
            self.price(tables, |_| 0, to, at).await?
        } else {
            self.price(tables, whole, to, at).await?
        };
        let stored: u64 = tables.iter().map(|table| whole(table)).sum();
        let month_storage = match self.service_rate_for(self.db(), "storage", at).await? {
            Some(rate) => Some(Money {
                amount: Micro::charge(i128::from(stored), rate.price_nano, Unit::Gigabyte)
                    .map_err(Error::internal)?,
                currency: rate.currency,
            }),
            None => None,
        };
        Ok(ModeOffer {
            mode: Mode::Replica,
            why_not,
            first_copy_bytes: if copied { 0 } else { stored },
            month_bytes: tables.iter().map(|table| recent(table)).sum(),
            month_storage_bytes: stored,
            first_copy,
            month_transfer: self.price(tables, recent, to, at).await?,
            month_storage,
            basis: if cut.is_some() {
                "at most that much: these are the sizes of the whole tables, and the cut leaves something out of them; new bytes as the \
                 files of the last 30 days hold"
                    .to_owned()
            } else {
                "as many new bytes a month as the table's files of the last 30 days hold; storage is told for \
                 comparison and stands on no statement"
                    .to_owned()
            },
            committed_at: tables.iter().filter_map(|table| table.committed_at).max(),
            synced_at,
            freshness,
        })
    }

    /// Σ bytes × rate over tables, which may lie in several places. None where a rate is missing or currencies differ.
    async fn price(
        &self,
        tables: &[&TableSize],
        bytes: impl Fn(&TableSize) -> u64,
        to: &Location,
        at: Timestamp,
    ) -> Result<Option<Money>, Error> {
        let mut total = Micro(0);
        let mut currency: Option<Currency> = None;
        for table in tables {
            let from = Location::new(table.cloud, &table.region).map_err(Error::internal)?;
            let route = Route {
                from,
                to: to.clone(),
            };
            if route.is_local() {
                continue;
            }
            let Some(rate) = self.rate_for(self.db(), &route, at).await? else {
                return Ok(None);
            };
            if currency.is_some_and(|currency| currency != rate.currency) {
                return Ok(None);
            }
            currency = Some(rate.currency);
            let amount = Micro::charge(i128::from(bytes(table)), rate.price_nano, rate.unit)
                .map_err(Error::internal)?;
            total = total
                .checked_add(amount)
                .ok_or_else(|| Error::internal("the price is out of range"))?;
        }
        let currency = match currency {
            Some(currency) => Some(currency),
            // All local: nothing crosses a border, so any currency's zero will do; the latest rate's is what people expect.
            None => sql!("select currency from rate order by valid_from desc limit 1")
                .row(self.db())
                .await?
                .map(|row| row.get("currency"))
                .transpose()?,
        };
        Ok(currency.map(|currency| Money {
            amount: total,
            currency,
        }))
    }
}
