//! Requests: one ask for access each, append-only; a renewal is a new request.

mod asking;

use model::dto::{Decision, Request};
use model::{
    Cloud, CutId, GrantId, Location, Mode, Name, PersonId, ProductId, ProductName, RecipientId,
    RequestId, RequestState, Stage, TeamId, Timestamp, Verdict,
};

pub(crate) use asking::{LONGEST, RequestReady};

use super::decisions::decidable;
use super::scope::scope_dto;
use crate::db::{DbError, On};
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, allows, can, can_see};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// Requests with the names around them, as [`RequestRecord`] reads them.
macro_rules! request_rows {
    () => {
        "select request.id, request.product_id, product.name as product, product.team_id as owner_id,
         case when classification = 'personal' then true else false end as personal,
         request.recipient_id, recipient.name as recipient, recipient.team_id, team.name as team, recipient.cloud,
         recipient.region, requester_id, person.name as requester, purpose_code, purpose_text, request.mode,
         request.until_at, request.state, request.row_filter, request.directory_access, request.cut_id, cut.name as cut, offer, declared, access_grant.id as grant_id, request.revision,
         request.created_at,
         (select max(earlier.until_at) from access_grant as earlier
          where earlier.product_id = request.product_id and earlier.recipient_id = request.recipient_id
              and (earlier.cut_id = request.cut_id or (earlier.cut_id is null and request.cut_id is null))
              and earlier.request_id <> request.id and earlier.created_at <= request.created_at
              and earlier.until_at > request.created_at
              and (earlier.desired = 'active' or coalesce(earlier.stopped_at, earlier.until_at) > request.created_at)) as renews_until
         from request join product on product.id = request.product_id
         join recipient on recipient.id = request.recipient_id join team on team.id = recipient.team_id
         left join cut on cut.id = request.cut_id left join person on person.id = requester_id left join access_grant on access_grant.request_id = request.id"
    };
}
pub(super) use request_rows;

/// A request's row with the names around it.
#[derive(Clone, Debug)]
pub(super) struct RequestRecord {
    pub id: RequestId,
    pub product_id: ProductId,
    pub product: ProductName,
    pub owner_id: TeamId,
    pub personal: bool,
    pub recipient_id: RecipientId,
    pub recipient: Name,
    pub team_id: TeamId,
    pub team: Name,
    pub cloud: Cloud,
    pub region: String,
    pub requester_id: Option<PersonId>,
    pub requester: Option<Name>,
    pub purpose_code: String,
    pub purpose_text: String,
    pub mode: Mode,
    pub until_at: Timestamp,
    pub state: RequestState,
    pub row_filter: Option<String>,
    pub directory_access: bool,
    pub cut_id: Option<CutId>,
    pub cut: Option<Name>,
    pub offer: String,
    pub declared: Option<String>,
    pub grant_id: Option<GrantId>,
    pub revision: i64,
    pub created_at: Timestamp,
    pub renews_until: Option<Timestamp>,
}
from_row!(RequestRecord {
    id,
    product_id,
    product,
    owner_id,
    personal,
    recipient_id,
    recipient,
    team_id,
    team,
    cloud,
    region,
    requester_id,
    requester,
    purpose_code,
    purpose_text,
    mode,
    until_at,
    state,
    row_filter,
    directory_access,
    cut_id,
    cut,
    offer,
    declared,
    grant_id,
    revision,
    created_at,
    renews_until
});

impl RequestRecord {
    pub(super) fn scope(&self) -> Scope {
        Scope {
            owner: Some(self.owner_id),
            consumer: Some(self.team_id),
            person: self.requester_id,
            personal: self.personal,
        }
    }
}

/// A decision's row.
pub(super) struct DecisionRecord {
    pub stage: Stage,
    pub verdict: Verdict,
    pub decider_id: Option<PersonId>,
    pub decider: Option<Name>,
    pub note: String,
    pub decided_at: Timestamp,
}
from_row!(DecisionRecord {
    stage,
    verdict,
    decider_id,
    decider,
    note,
    decided_at
});

impl Exchange {
    pub(super) async fn request_record<'a>(
        &self,
        on: impl Into<On<'a>>,
        id: RequestId,
    ) -> Result<Option<RequestRecord>, DbError> {
        sql!(request_rows!(), " where request.id = $1")
            .bind(id)
            .first(on)
            .await
    }

    pub(super) async fn decisions_of<'a>(
        &self,
        on: impl Into<On<'a>>,
        id: RequestId,
    ) -> Result<Vec<DecisionRecord>, DbError> {
        sql!(
            "select stage, verdict, decider_id, person.name as decider, note, decided_at
             from decision left join person on person.id = decider_id where request_id = $1 order by decided_at, stage"
        )
        .bind(id)
        .all(on)
        .await
    }

    pub(super) async fn request_dto(
        &self,
        principal: &Principal,
        record: RequestRecord,
    ) -> Result<Request, Error> {
        let decisions = self.decisions_of(self.db(), record.id).await?;
        let is_open = record.state == RequestState::Submitted;
        let product = if is_open {
            self.product_info_by_id(self.db(), record.product_id)
                .await?
        } else {
            None
        };
        let (open_stages, may_decide) = match product {
            Some(product) => {
                let decided: Vec<Stage> = decisions.iter().map(|decision| decision.stage).collect();
                let open = product.open_stages(&decided);
                let mine = decidable(principal, &record, &product, &decisions, &open);
                (open, mine)
            }
            None => (Vec::new(), Vec::new()),
        };
        let gives = match record.cut_id {
            Some(cut) => self.cut_gives(cut).await?,
            None => Vec::new(),
        };
        Ok(Request {
            scope: scope_dto(&record),
            gives,
            may_withdraw: is_open && allows(principal, Operation::RequestWithdraw, &record.scope()),
            may_decide,
            location: Location::new(record.cloud, &record.region).map_err(Error::internal)?,
            id: record.id,
            product: record.product,
            recipient: record.recipient,
            team: record.team,
            requester: record.requester,
            mode: record.mode,
            cut: record.cut,
            purpose_code: record.purpose_code,
            purpose_text: record.purpose_text,
            until: record.until_at,
            renews_until: record.renews_until,
            state: record.state,
            open_stages,
            decisions: decisions
                .into_iter()
                .map(|decision| Decision {
                    stage: decision.stage,
                    verdict: decision.verdict,
                    decider: decision.decider,
                    note: decision.note,
                    decided_at: decision.decided_at,
                })
                .collect(),
            offer: serde_json::from_str(&record.offer).ok(),
            grant: record.grant_id,
            declared: record.declared,
            revision: record.revision,
            created_at: record.created_at,
        })
    }

    pub async fn request(&self, principal: &Principal, id: RequestId) -> Result<Request, Error> {
        let Some(record) = self.request_record(self.db(), id).await? else {
            can(principal, Operation::RequestList, &Scope::NONE)?;
            return Err(Error::NotFound("request"));
        };
        can_see(
            principal,
            Operation::RequestRead,
            &record.scope(),
            "request",
        )?;
        self.request_dto(principal, record).await
    }
}
