//! Reckoning a product and keeping what comes of it. Every product is looked at once a day; what opens and closes is an event, a new
//! figure is none.

use model::dto::{AdviceStanding, AdviceWeek, BreakEven, Money};
use model::time::DAY;
use model::{AdviceId, AdviceKind, AdviceState, Currency, Location, Micro, ProductId, Timestamp};
use serde_json::json;

use super::facts::{Facts, WEEK};
use super::gather::{Gathered, InPlace};
use super::money::Atto;
use super::reckon::{Finding, Reckoned, measured, reckon};
use super::settle::{Standing, Step, settle};
use crate::access::ProductInfo;
use crate::audit::Object;
use crate::change::Change;
use crate::db::On;
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, sql};

/// How often [`Exchange::advice_tick`] is to be called; microseconds. So many products are reckoned each time.
pub const ADVICE_TICK: i64 = model::time::MINUTE;
const AT_ONCE: i64 = 50;

/// How a recommendation stands that is known already.
struct Known {
    id: AdviceId,
    to_location: Location,
    kind: AdviceKind,
    state: AdviceState,
    snoozed_until: Option<Timestamp>,
    accepted_at: Option<Timestamp>,
    saving_mean: Micro,
    cost: Micro,
    currency: Currency,
}
crate::from_row!(Known {
    id,
    to_location,
    kind,
    state,
    snoozed_until,
    accepted_at,
    saving_mean,
    cost,
    currency
});

/// A place, and what was reckoned for it.
struct Place {
    to: Location,
    facts: Facts,
    currency: Currency,
    reckoned: Reckoned,
}

impl Exchange {
    /// Reckons some of the products whose turn it is; each once a day. Of two processes that look at once one finds it taken.
    pub async fn advice_tick(&self, principal: &Principal) -> Result<(), Error> {
        can(principal, Operation::AdviceReckon, &Scope::NONE)?;
        let now = self.now();
        let before = now.plus(-DAY);
        let rows = sql!(
            "select id from product where state = 'published' and (advised_at is null or advised_at <= $1)
             order by case when advised_at is null then 0 else 1 end, advised_at, id limit $2"
        )
        .bind(before)
        .bind(AT_ONCE)
        .rows(self.db())
        .await?;
        for row in rows {
            let id: ProductId = row.get("id")?;
            let taken = sql!(
                "update product set advised_at = $1 where id = $2 and (advised_at is null or advised_at <= $3)"
            )
            .bind(now)
            .bind(id)
            .bind(before)
            .execute(self.db())
            .await?;
            if taken == 0 {
                continue;
            }
            if let Some(product) = self.product_info_by_id(self.db(), id).await? {
                self.advise(principal, &product).await?;
            }
        }
        Ok(())
    }

    /// Reckons a product now, for whoever does not want to wait for the day, and says how it stands in each place.
    pub async fn advice_reckon(
        &self,
        principal: &Principal,
        product: &str,
    ) -> Result<Vec<AdviceStanding>, Error> {
        can(principal, Operation::AdviceList, &Scope::NONE)?;
        let product = self.visible_product(principal, product).await?;
        can(
            principal,
            Operation::AdviceReckon,
            &Scope::owner(product.team_id),
        )?;
        // That somebody asked is an event, whatever comes of it.
        let mut change = self.change(principal).await?;
        sql!("update product set advised_at = $1 where id = $2")
            .bind(change.at())
            .bind(product.id)
            .execute(change.tx())
            .await?;
        change.note(
            Operation::AdviceReckon,
            Object::new("product", &product.name),
            json!({}),
        );
        change.commit().await?;
        self.advise(principal, &product).await
    }

    /// How a product stands in each place as of now; nothing is kept.
    pub async fn advice_standing(
        &self,
        principal: &Principal,
        product: &str,
    ) -> Result<Vec<AdviceStanding>, Error> {
        can(principal, Operation::AdviceList, &Scope::NONE)?;
        let product = self.visible_product(principal, product).await?;
        // Who only reads somewhere sees what concerns that place, which the recommendations tell.
        let scope = Scope::owner(product.team_id);
        if !crate::policy::allows(principal, Operation::AdviceRead, &scope) {
            return Ok(Vec::new());
        }
        let all = self.advice_gather(product.id).await?;
        Ok(self.advice_places(&product, &all).await?.1)
    }

    async fn advice_places(
        &self,
        product: &ProductInfo,
        all: &Gathered,
    ) -> Result<(Vec<Place>, Vec<AdviceStanding>), Error> {
        let (mut places, mut standings) = (Vec::new(), Vec::new());
        for to in &all.places {
            match self.advice_facts(product, all, to).await? {
                InPlace::AtHome => {}
                InPlace::Unknown(why) => standings.push(AdviceStanding {
                    product: product.name.clone(),
                    to: to.clone(),
                    has_replica: false,
                    since: None,
                    weeks: 0,
                    readers: 0,
                    break_even: None,
                    cost: None,
                    unknown: vec![why],
                }),
                InPlace::Known {
                    facts,
                    currency,
                    unpriced,
                } => {
                    let mut reckoned = reckon(&facts);
                    reckoned.unknown.extend(unpriced);
                    standings.push(standing(product, to, &facts, currency, &reckoned));
                    places.push(Place {
                        to: to.clone(),
                        facts: *facts,
                        currency,
                        reckoned,
                    });
                }
            }
        }
        Ok((places, standings))
    }

    async fn advise(
        &self,
        principal: &Principal,
        product: &ProductInfo,
    ) -> Result<Vec<AdviceStanding>, Error> {
        let all = self.advice_gather(product.id).await?;
        let (places, standings) = self.advice_places(product, &all).await?;
        let known: Vec<Known> = sql!(
            "select id, to_location, kind, state, snoozed_until, accepted_at, saving_mean, cost, currency from advice
             where product_id = $1 order by id"
        )
        .bind(product.id)
        .all(self.db())
        .await?;
        for place in &places {
            for kind in AdviceKind::ALL {
                self.advise_one(principal, product, place, *kind, &known)
                    .await?;
            }
        }
        // Nobody reads there any more.
        for known in &known {
            let is_gone = !places.iter().any(|place| place.to == known.to_location);
            if is_gone && matches!(known.state, AdviceState::Open | AdviceState::Snoozed) {
                let why = "nobody reads it there any more, or its price is not known";
                self.advice_close(principal, known.id, why).await?;
            }
        }
        Ok(standings)
    }

    async fn advise_one(
        &self,
        principal: &Principal,
        product: &ProductInfo,
        place: &Place,
        kind: AdviceKind,
        known: &[Known],
    ) -> Result<(), Error> {
        let now = self.now();
        let same = || {
            let known = known.iter();
            known.filter(move |known| known.kind == kind && known.to_location == place.to)
        };
        let accepted = same().filter(|known| known.state == AdviceState::Accepted);
        for known in accepted.clone() {
            self.advice_measured(known, place).await?;
        }
        let accepted = accepted.filter_map(|known| known.accepted_at).max();
        let found = place
            .reckoned
            .findings
            .iter()
            .find(|found| found.kind == kind);
        let known = same().find(|known| known.state != AdviceState::Accepted);
        // What was promised in another currency is not compared.
        let standing = known.map(|known| Standing {
            state: known.state,
            snoozed_until: known.snoozed_until,
            saving: if known.currency == place.currency {
                known.saving_mean
            } else {
                Micro(0)
            },
        });
        match (settle(standing.as_ref(), accepted, found, now), found) {
            (Step::Open(why), Some(found)) => {
                let mut change = self.change(principal).await?;
                let known = known.map(|known| known.id);
                let id = known.unwrap_or_else(|| AdviceId::new(now));
                if open(&mut change, product.id, place, found, (known, id), &why).await? {
                    change.note(
                        Operation::AdviceReckon,
                        Object::new("advice", id),
                        json!({ "product": product.name, "to": place.to, "kind": kind, "state": AdviceState::Open }),
                    );
                    change.commit().await?;
                }
            }
            (Step::Keep, Some(found)) => {
                // The same with other figures is no event.
                if let Some(known) = known {
                    figures(self.db(), now, known.id, place, found).await?;
                }
            }
            (Step::Close(why), _) => {
                if let Some(known) = known {
                    self.advice_close(principal, known.id, &why).await?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn advice_close(
        &self,
        principal: &Principal,
        id: AdviceId,
        why: &str,
    ) -> Result<(), Error> {
        let mut change = self.change(principal).await?;
        let at = change.at();
        let closed = sql!(
            "update advice set state = 'over', reason = $1, snoozed_until = null, reckoned_at = $2, updated_at = $2,
                 revision = revision + 1
             where id = $3 and state in ('open', 'snoozed')"
        )
        .bind(why)
        .bind(at)
        .bind(id)
        .execute(change.tx())
        .await?;
        if closed == 0 {
            return Ok(());
        }
        change.note(
            Operation::AdviceReckon,
            Object::new("advice", id),
            json!({ "state": AdviceState::Over }),
        );
        change.commit().await
    }

    /// What came of one that was accepted, so far: no event.
    async fn advice_measured(&self, known: &Known, place: &Place) -> Result<(), Error> {
        let Some(accepted) = known.accepted_at else {
            return Ok(());
        };
        if known.currency != place.currency {
            return Ok(());
        }
        let before = Atto(i128::from(known.cost.0) * 1_000_000_000_000);
        let found = measured(known.kind, before, &place.facts, accepted.utc_day());
        if let Some((saved, weeks)) = found {
            sql!("update advice set measured = $1, measured_weeks = $2, reckoned_at = $3 where id = $4")
                .bind(saved.micro())
                .bind(weeks)
                .bind(self.now())
                .bind(known.id)
                .execute(self.db())
                .await?;
        }
        Ok(())
    }
}

/// Opens a recommendation: one that is known anew, else a new one. False: somebody else was faster.
async fn open(
    change: &mut Change,
    product: ProductId,
    place: &Place,
    found: &Finding,
    (known, id): (Option<AdviceId>, AdviceId),
    why: &str,
) -> Result<bool, Error> {
    let at = change.at();
    let query = match known {
        Some(_) => sql!(
            "update advice set state = 'open', reason = $2, opened_at = $3, snoozed_until = null, revision = revision + 1,
                 updated_at = $3
             where id = $1 and state in ('over', 'snoozed', 'declined')"
        )
        .bind(id)
        .bind(why)
        .bind(at),
        None => sql!(
            "insert into advice (id, product_id, to_location, kind, state, reason, because, change_to, saving_low, saving_mean,
                 saving_high, cost, currency, readers, evidence, opened_at, reckoned_at, measured_weeks, revision, created_at, updated_at)
             values ($1, $4, $5, $6, 'open', $2, '', '', 0, 0, 0, 0, $7, 0, '[]', $3, $3, 0, 1, $3, $3)
             on conflict (product_id, to_location, kind) where state <> 'accepted' do nothing"
        )
        .bind(id)
        .bind(why)
        .bind(at)
        .bind(product)
        .bind(&place.to)
        .bind(found.kind)
        .bind(place.currency),
    };
    if query.execute(change.tx()).await? == 0 {
        return Ok(false);
    }
    figures(change.tx(), at, id, place, found).await?;
    Ok(true)
}

/// Writes the figures of one that is open.
async fn figures<'a>(
    on: impl Into<On<'a>>,
    at: Timestamp,
    id: AdviceId,
    place: &Place,
    found: &Finding,
) -> Result<(), Error> {
    let weeks = serde_json::to_string(&evidence(place, found)).map_err(Error::internal)?;
    let break_even = place.reckoned.break_even;
    sql!(
        "update advice set because = $1, change_to = $2, saving_low = $3, saving_mean = $4, saving_high = $5, cost = $6,
             currency = $7, readers = $8, break_even_low = $9, break_even_high = $10, evidence = $11, reckoned_at = $12
         where id = $13 and state = 'open'"
    )
    .bind(&found.because)
    .bind(found.change.to_string())
    .bind(found.saving.low.micro())
    .bind(found.saving.mean.micro())
    .bind(found.saving.high.micro())
    .bind(found.cost.micro())
    .bind(place.currency)
    .bind(place.reckoned.readers)
    .bind(break_even.map(|(low, _)| low))
    .bind(break_even.map(|(_, high)| high))
    .bind(weeks)
    .bind(at)
    .bind(id)
    .execute(on)
    .await?;
    Ok(())
}

fn standing(
    product: &ProductInfo,
    to: &Location,
    facts: &Facts,
    currency: Currency,
    reckoned: &Reckoned,
) -> AdviceStanding {
    AdviceStanding {
        product: product.name.clone(),
        to: to.clone(),
        has_replica: facts.held.is_some(),
        since: (facts.weeks > 0).then(|| day(facts.first_day)),
        weeks: facts.weeks as u64,
        readers: reckoned.readers,
        break_even: reckoned.break_even.map(|(from, to)| BreakEven { from, to }),
        cost: (facts.weeks > 0).then(|| Money {
            amount: reckoned.cost.micro(),
            currency,
        }),
        unknown: reckoned.unknown.clone(),
    }
}

/// The weeks behind a finding, as people look at them.
fn evidence(place: &Place, found: &Finding) -> Vec<AdviceWeek> {
    let facts = &place.facts;
    let money = |amount: Atto| Money {
        amount: amount.micro(),
        currency: place.currency,
    };
    let read = |from_replica: bool| {
        let reads = facts.reads.iter();
        facts.by_week(
            reads
                .filter(move |read| read.from_replica == from_replica)
                .map(|read| (read.day, read.bytes)),
        )
    };
    let (live, fed) = (read(false), read(true));
    let calls: Vec<u64> = facts.by_week(facts.reads.iter().map(|read| (read.day, read.calls)));
    let runs = || facts.runs.iter().filter(|run| !run.is_first);
    let count: Vec<u64> = facts.by_week(runs().map(|run| (run.day, 1)));
    let synced: Vec<u64> = facts.by_week(runs().map(|run| (run.day, run.received)));
    let weeks = found.weeks.iter().enumerate();
    weeks
        .map(|(at, week)| AdviceWeek {
            first_day: day(facts.first_day + WEEK * i64::try_from(at).unwrap_or(0)),
            reads: calls[at],
            readers: facts.readers(Some(at)),
            live_bytes: live[at],
            replica_bytes: fed[at],
            runs: count[at],
            synced_bytes: synced[at],
            bytes_now: week.now.bytes,
            bytes_then_low: week.low.bytes,
            bytes_then_high: week.high.bytes,
            cost_now: money(week.now.cost),
            cost_then_low: money(week.low.cost),
            cost_then_high: money(week.high.cost),
        })
        .collect()
}

/// `2026-06-15`.
fn day(day: i64) -> String {
    let at = Timestamp::from_utc_day(day);
    at.date().map_or_else(String::new, |date| date.to_string())
}
