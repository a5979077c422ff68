//! Looking at recommendations. Who may see what a product costs sees them: its team, finance, auditors, admins, and a team that reads
//! it in that place, all of it and not a cut.

use model::dto::{
    Advice, AdviceActions, AdviceHolder, AdviceOutcome, AdviceSaving, AdviceStill, AdviceWeek,
    BreakEven, Money,
};
use model::{
    AdviceId, AdviceKind, AdviceState, Currency, GrantId, Location, Micro, Name, ProductId,
    ProductName, RequestId, Role, TeamId, Timestamp,
};

use crate::error::Error;
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::policy::{Scope, allows, can, can_see};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// An access to the replica in a place.
struct HolderRow {
    grant_id: GrantId,
    request_id: RequestId,
    recipient: Name,
    team_id: TeamId,
    personal: bool,
}
from_row!(HolderRow {
    grant_id,
    request_id,
    recipient,
    team_id,
    personal
});

/// A recommendation as it stands in the database.
pub(super) struct AdviceRecord {
    pub(super) id: AdviceId,
    pub(super) product_id: ProductId,
    pub(super) product: ProductName,
    pub(super) team_id: TeamId,
    pub(super) to_location: Location,
    pub(super) kind: AdviceKind,
    pub(super) state: AdviceState,
    pub(super) reason: String,
    because: String,
    pub(super) change_to: String,
    saving_low: Micro,
    saving_mean: Micro,
    saving_high: Micro,
    cost: Micro,
    currency: Currency,
    readers: u64,
    break_even_low: Option<u64>,
    break_even_high: Option<u64>,
    evidence: String,
    opened_at: Timestamp,
    reckoned_at: Timestamp,
    snoozed_until: Option<Timestamp>,
    accepted_at: Option<Timestamp>,
    outcome: Option<String>,
    measured: Option<Micro>,
    measured_weeks: u64,
    pub(super) revision: i64,
}
from_row!(AdviceRecord {
    id,
    product_id,
    product,
    team_id,
    to_location,
    kind,
    state,
    reason,
    because,
    change_to,
    saving_low,
    saving_mean,
    saving_high,
    cost,
    currency,
    readers,
    break_even_low,
    break_even_high,
    evidence,
    opened_at,
    reckoned_at,
    snoozed_until,
    accepted_at,
    outcome,
    measured,
    measured_weeks,
    revision
});

macro_rules! advice_rows {
    () => {
        "select advice.id, advice.product_id, product.name as product, product.team_id, to_location, kind, advice.state, advice.reason,
             because, change_to, saving_low, saving_mean, saving_high, cost, currency, readers, break_even_low, break_even_high,
             evidence, opened_at, reckoned_at, snoozed_until, accepted_at, outcome, measured, measured_weeks, advice.revision
         from advice join product on product.id = advice.product_id "
    };
}

/// What every recommendation is reckoned by.
const ASSUMED: [&str; 4] = [
    "Past bytes are priced at today's rates, and what was handed out counts as read.",
    "A first copy is made once and is in no week; what is kept costs storage, and a sync its worker's time.",
    "The interval goes from the worst week to the best one, each as if every week of a month of 30 days were like it; the mean is of all \
     weeks.",
    "The next weeks are like these.",
];

/// What that kind is reckoned by beside.
const fn assumed(kind: AdviceKind) -> &'static str {
    match kind {
        AdviceKind::Replica => {
            "Where no replica of the product was kept anywhere in these weeks, it would have moved the files of the last 30 days at \
             least, and every file at each sync at most; the mean goes halfway."
        }
        AdviceKind::Live => {
            "Everybody who read the replica would have read the same bytes from the producer's files."
        }
        AdviceKind::Cadence => {
            "Of the runs that would fall away it is known only what later ones replaced: at least nothing is saved, at most all of \
             that and the runs' own time and log reads; the mean goes halfway."
        }
        AdviceKind::ChangeFeed | AdviceKind::Compaction => {
            "The figures are those of the runs' own plans, of the replica whose plans say most."
        }
    }
}

impl AdviceRecord {
    pub(super) fn shown(self, principal: &Principal, consumer: Option<TeamId>) -> Advice {
        let scope = self.scope(consumer);
        let money = |amount: Micro| Money {
            amount,
            currency: self.currency,
        };
        let is_alive = matches!(self.state, AdviceState::Open | AdviceState::Snoozed);
        let may = |operation| is_alive && allows(principal, operation, &scope);
        let weeks: Vec<AdviceWeek> = serde_json::from_str(&self.evidence).unwrap_or_default();
        let outcome = self.outcome.as_deref();
        let outcome: Option<AdviceOutcome> =
            outcome.and_then(|text| serde_json::from_str(text).ok());
        let assumptions = ASSUMED.into_iter().chain([assumed(self.kind)]);
        Advice {
            saving: AdviceSaving {
                low: money(self.saving_low),
                mean: money(self.saving_mean),
                high: money(self.saving_high),
            },
            cost: money(self.cost),
            measured: self.measured.map(money),
            break_even: self
                .break_even_low
                .zip(self.break_even_high)
                .map(|(from, to)| BreakEven { from, to }),
            may: AdviceActions {
                accept: may(Operation::AdviceAccept),
                set_aside: may(Operation::AdviceDecline),
            },
            id: self.id,
            product: self.product,
            to: self.to_location,
            kind: self.kind,
            state: self.state,
            reason: self.reason,
            because: self.because,
            change: self.change_to,
            readers: self.readers,
            weeks,
            assumptions: assumptions.map(str::to_owned).collect(),
            opened_at: self.opened_at,
            reckoned_at: self.reckoned_at,
            snoozed_until: self.snoozed_until,
            accepted_at: self.accepted_at,
            outcome,
            measured_weeks: self.measured_weeks,
            still: None,
            revision: self.revision,
        }
    }

    pub(super) fn scope(&self, consumer: Option<TeamId>) -> Scope {
        Scope {
            consumer,
            ..Scope::owner(self.team_id)
        }
    }
}

impl Exchange {
    /// Recommendations that the caller may see, the newest first; of one product where `product` is given.
    pub async fn advice(
        &self,
        principal: &Principal,
        product: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<Advice>, Error> {
        can(principal, Operation::AdviceList, &Scope::NONE)?;
        self.filter_by(principal, product).await?;
        let before: Option<AdviceId> = page.parse_after()?;
        let (person, team) = principal.scope();
        let rows: Vec<AdviceRecord> = sql!(
            advice_rows!(),
            "where ($1 or product.team_id = $3
                    or product.team_id in (select team_member.team_id from team_member where person_id = $2)
                    or exists (select 1 from access_grant join recipient on recipient.id = access_grant.recipient_id
                               where access_grant.product_id = product.id and desired = 'active' and until_at > $4
                                   and access_grant.cut_id is null
                                   and recipient.cloud || ':' || recipient.region = to_location
                                   and (recipient.team_id = $3
                                        or recipient.team_id in (select team_member.team_id from team_member where person_id = $2))))
                 and (advice.id < $5 or $5 is null) and (product.name = $6 or cast($6 as text) is null)
             order by advice.id desc limit $7"
        )
        .bind(principal.sees_all() || principal.has(Role::Finance))
        .bind(person)
        .bind(team)
        .bind(self.now())
        .bind(before)
        .bind(product)
        .bind(page.fetch())
        .all(self.db())
        .await?;
        let page = page.cut(rows, |row| row.id.to_string());
        let mut items = Vec::with_capacity(page.items.len());
        for record in page.items {
            let consumer = self.advice_consumer(principal, &record).await?;
            let still = self.advice_still(principal, &record).await?;
            items.push(Advice {
                still,
                ..record.shown(principal, consumer)
            });
        }
        Ok(Page {
            items,
            next: page.next,
        })
    }

    /// One recommendation.
    pub async fn advice_one(&self, principal: &Principal, id: AdviceId) -> Result<Advice, Error> {
        let (record, scope) = self.advice_for(principal, id).await?;
        let still = self.advice_still(principal, &record).await?;
        Ok(Advice {
            still,
            ..record.shown(principal, scope.consumer)
        })
    }

    /// What holds the replica that was to go by an accepted recommendation. None: it is gone, or there was none to go.
    async fn advice_still(
        &self,
        principal: &Principal,
        record: &AdviceRecord,
    ) -> Result<Option<AdviceStill>, Error> {
        if (record.kind, record.state) != (AdviceKind::Live, AdviceState::Accepted) {
            return Ok(None);
        }
        let replica = sql!(
            "select replica.id from replica join storage on storage.id = replica.storage_id
             where replica.product_id = $1 and cloud = $2 and region = $3 and replica.state in ('pending', 'ready')
                 and replica.cut_id is null
             limit 1"
        )
        .bind(record.product_id)
        .bind(record.to_location.cloud)
        .bind(record.to_location.region())
        .row(self.db())
        .await?;
        if replica.is_none() {
            return Ok(None);
        }
        let holders: Vec<HolderRow> = sql!(
            "select access_grant.id as grant_id, access_grant.request_id, recipient.name as recipient, recipient.team_id,
                 case when classification = 'personal' then true else false end as personal
             from access_grant join recipient on recipient.id = access_grant.recipient_id
                 join product on product.id = access_grant.product_id
             where access_grant.product_id = $1 and recipient.cloud = $2 and recipient.region = $3
                 and access_grant.mode = 'replica' and desired = 'active' and access_grant.until_at > $4
                 and access_grant.cut_id is null
             order by recipient.name, access_grant.id"
        )
        .bind(record.product_id)
        .bind(record.to_location.cloud)
        .bind(record.to_location.region())
        .bind(self.now())
        .all(self.db())
        .await?;
        let mut still = AdviceStill::default();
        for holder in holders {
            let scope = Scope {
                personal: holder.personal,
                ..record.scope(Some(holder.team_id))
            };
            if !allows(principal, Operation::GrantRead, &scope) {
                still.others += 1;
                continue;
            }
            still.accesses.push(AdviceHolder {
                grant: holder.grant_id,
                request: holder.request_id,
                recipient: holder.recipient,
            });
        }
        Ok(Some(still))
    }

    /// The recommendation and what rules about it look at. Not there, too, for those who may not see it.
    pub(super) async fn advice_for(
        &self,
        principal: &Principal,
        id: AdviceId,
    ) -> Result<(AdviceRecord, Scope), Error> {
        can(principal, Operation::AdviceList, &Scope::NONE)?;
        let record: Option<AdviceRecord> = sql!(advice_rows!(), "where advice.id = $1")
            .bind(id)
            .first(self.db())
            .await?;
        let record = record.ok_or(Error::NotFound("recommendation"))?;
        let scope = record.scope(self.advice_consumer(principal, &record).await?);
        can_see(principal, Operation::AdviceRead, &scope, "recommendation")?;
        Ok((record, scope))
    }

    /// Any of the caller's teams that reads the product in that place.
    async fn advice_consumer(
        &self,
        principal: &Principal,
        record: &AdviceRecord,
    ) -> Result<Option<TeamId>, Error> {
        let rows = sql!(
            "select distinct recipient.team_id from access_grant join recipient on recipient.id = recipient_id
             where product_id = $1 and desired = 'active' and until_at > $2 and cloud = $3 and region = $4
                 and access_grant.cut_id is null"
        )
        .bind(record.product_id)
        .bind(self.now())
        .bind(record.to_location.cloud)
        .bind(record.to_location.region())
        .rows(self.db())
        .await?;
        for row in rows {
            let team: TeamId = row.get("team_id")?;
            if principal.is_member(team) {
                return Ok(Some(team));
            }
        }
        Ok(None)
    }
}
