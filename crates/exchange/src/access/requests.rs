//! Requests: one ask for access each, append-only; a renewal is a new request.

use model::dto::{Decision, Offer, Request, RequestNew};
use model::time::DAY;
use model::{
    Cloud, CutId, GrantId, Location, Mode, Name, PersonId, ProductId, ProductName, RecipientId,
    RequestId, RequestState, Stage, TeamId, Timestamp, Until, Verdict,
};
use serde_json::json;

use super::decisions::decidable;
use super::scope::scope_dto;
use super::{DeclaredAs, ProductInfo, RecipientInfo};
use crate::audit::Object;
use crate::change::Change;
use crate::cuts::CutRecord;
use crate::db::{DbError, On};
use crate::error::{Check, Error};
use crate::operation::Operation;
use crate::policy::{Scope, allows, can, can_see};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// The longest an access may last: everything has an end that somebody can foresee.
pub(crate) const LONGEST: i64 = 5 * 366 * DAY;

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

/// A request that was checked and may be stored.
pub(crate) struct RequestReady {
    pub product: ProductInfo,
    pub recipient: RecipientInfo,
    pub mode: Mode,
    /// None: the whole product.
    pub cut: Option<CutRecord>,
    pub until: Timestamp,
    pub purpose_code: String,
    pub purpose_text: String,
    pub offer: Offer,
}

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

    /// Checks a request against what may be asked, and prices it as it will be shown to who decides.
    pub(crate) async fn request_check(
        &self,
        principal: &Principal,
        new: &RequestNew,
    ) -> Result<RequestReady, Error> {
        let mut check = Check::new();
        let mode: Option<Mode> = check.parse("mode", &new.mode);
        let until: Option<Until> = check.parse("until", &new.until);
        let until = until.map(|Until(at)| at);
        let code: Option<Name> = check.parse("purpose.code", &new.purpose.code);
        let purpose_text = check.text("purpose.text", &new.purpose.text, 3, 4_000, true);
        let now = self.now();
        if until.is_some_and(|until| until <= now) {
            check.fail("until", "must be in the future");
        } else if until.is_some_and(|until| until.since(now) > LONGEST) {
            check.fail(
                "until",
                "at most five years from now; ask again before it ends",
            );
        }
        let product = self
            .product_info(self.db(), &new.product)
            .await?
            .filter(|product| product.is_visible_to(principal));
        let recipient = self
            .recipient_info(&new.recipient)
            .await?
            .filter(|recipient| {
                allows(
                    principal,
                    Operation::RecipientRead,
                    &Scope::consumer(recipient.team_id),
                )
            });
        if product.is_none() {
            check.fail("product", "there is no such product, or you may not see it");
        }
        if recipient.is_none() {
            check.fail(
                "recipient",
                "there is no such recipient of one of your teams",
            );
        }
        check.done()?;
        let (Some(product), Some(recipient), Some(mode), Some(until), Some(code)) =
            (product, recipient, mode, until, code)
        else {
            return Err(Error::invalid("request", "incomplete"));
        };
        match product.state {
            model::ProductState::Published => {}
            model::ProductState::Draft => {
                return Err(Error::invalid(
                    "product",
                    "it is not published yet; ask its team",
                ));
            }
            model::ProductState::Retired => {
                return Err(Error::invalid(
                    "product",
                    "it was retired; no new access is given",
                ));
            }
        }
        let cut = self.cut_asked(&product, new.cut.as_deref(), mode).await?;
        let offer = self.offer_for(&product, &recipient, cut.as_ref()).await?;
        if let Some(why_not) = offer
            .modes
            .iter()
            .find(|offer| offer.mode == mode)
            .and_then(|offer| offer.why_not.clone())
        {
            return Err(Error::invalid("mode", why_not));
        }
        let purpose_code = code.to_string();
        Ok(RequestReady {
            product,
            recipient,
            mode,
            cut,
            until,
            purpose_code,
            purpose_text,
            offer,
        })
    }

    /// Holds the rows of product and recipient until the change ends, so that neither a retiring nor a move comes between
    /// what was checked and what is stored: an access that nobody asked about would be left on a product out of service.
    /// Who would have to say yes has to be who was found before.
    pub(crate) async fn request_hold(
        &self,
        change: &mut Change,
        ready: &RequestReady,
    ) -> Result<(), Error> {
        let (product, recipient) = (&ready.product, &ready.recipient);
        let held =
            sql!("update product set revision = revision where id = $1 and state = 'published'")
                .bind(product.id)
                .execute(change.tx())
                .await?;
        let is = self
            .product_info_by_id(change.tx(), product.id)
            .await?
            .filter(|_| held == 1);
        if !is.is_some_and(|is| {
            is.classification == product.classification
                && is.access_policy == product.access_policy
                && is.team_id == product.team_id
        }) {
            return Err(Error::changed("product"));
        }
        let held = sql!(
            "update recipient set revision = revision where id = $1 and team_id = $2 and cloud = $3 and region = $4"
        )
        .bind(recipient.id)
        .bind(recipient.team_id)
        .bind(recipient.cloud)
        .bind(&recipient.region)
        .execute(change.tx())
        .await?;
        if held == 0 {
            return Err(Error::changed("recipient"));
        }
        // Its product is held, so that it stays as it is.
        if let Some(cut) = &ready.cut {
            let is = self.cut_by_id(change.tx(), cut.id).await?;
            if !is.is_some_and(|is| is.edition == cut.edition && is.retired_at.is_none()) {
                return Err(Error::changed("cut"));
            }
        }
        Ok(())
    }

    /// Asks for access in the name of the recipient's team. With the policy `auto` it is granted at once.
    pub async fn request_create(
        &self,
        principal: &Principal,
        new: RequestNew,
    ) -> Result<Request, Error> {
        can(principal, Operation::RequestList, &Scope::NONE)?;
        let ready = self.request_check(principal, &new).await?;
        can(
            principal,
            Operation::RequestCreate,
            &Scope::consumer(ready.recipient.team_id),
        )?;
        let mut change = self.change(principal).await?;
        self.request_hold(&mut change, &ready).await?;
        let id = self
            .request_store(&mut change, &ready, principal.person_id(), None)
            .await?;
        if ready.product.stages() == [Stage::Policy] {
            let note = "by the product's policy: auto";
            self.decision_store(
                &mut change,
                id,
                Stage::Policy,
                Verdict::Approve,
                None,
                note,
                1,
            )
            .await?;
            self.grant_make(
                &mut change,
                &ready.product,
                &ready.recipient,
                id,
                ready.mode,
                ready.until,
            )
            .await?;
        } else {
            let stages = ready.product.stages();
            self.tell_deciders(&mut change, (id, &ready), &stages, principal.person_id())
                .await?;
        }
        change.commit().await?;
        self.request(principal, id).await
    }

    /// Writes the request; part of the caller's change.
    pub(crate) async fn request_store(
        &self,
        change: &mut Change,
        ready: &RequestReady,
        requester: Option<PersonId>,
        declared: Option<&DeclaredAs>,
    ) -> Result<RequestId, Error> {
        let at = change.at();
        let id = RequestId::new(at);
        sql!("insert into request (id, product_id, recipient_id, requester_id, purpose_code, purpose_text, mode, until_at,
                  state, offer, declared, grant_name, revision, created_at, updated_at, cut_id)
              values ($1, $2, $3, $4, $5, $6, $7, $8, 'submitted', $9, $10, $11, 1, $12, $12, $13)")
        .bind(id)
        .bind(ready.product.id)
        .bind(ready.recipient.id)
        .bind(requester)
        .bind(&ready.purpose_code)
        .bind(&ready.purpose_text)
        .bind(ready.mode)
        .bind(ready.until)
        .bind(serde_json::to_string(&ready.offer).map_err(Error::internal)?)
        .bind(declared.map(|declared| declared.source.as_str()))
        .bind(declared.map(|declared| declared.name.as_str()))
        .bind(at)
        .bind(ready.cut.as_ref().map(|cut| cut.id))
        .execute(change.tx())
        .await
        .map_err(|error| match error {
            DbError::Unique(_) => Error::conflict("the same request is waiting already; withdraw it to change it"),
            other => other.into(),
        })?;
        change.note(
            Operation::RequestCreate,
            Object::new("request", id),
            json!({ "product": ready.product.name, "recipient": ready.recipient.name, "mode": ready.mode,
                    "cut": ready.cut.as_ref().map(|cut| &cut.name), "edition": ready.cut.as_ref().map(|cut| cut.edition),
                    "until": ready.until, "purpose": ready.purpose_code, "declared": declared.map(|declared| &declared.source) }),
        );
        Ok(id)
    }

    /// Takes back a request that nobody has finished deciding.
    pub async fn request_withdraw(
        &self,
        principal: &Principal,
        id: RequestId,
    ) -> Result<Request, Error> {
        let request = self.request(principal, id).await?;
        let record = self
            .request_record(self.db(), id)
            .await?
            .ok_or(Error::NotFound("request"))?;
        can(principal, Operation::RequestWithdraw, &record.scope())?;
        let mut change = self.change(principal).await?;
        let changed = sql!(
            "update request set state = 'withdrawn', revision = revision + 1, updated_at = $1
             where id = $2 and state = 'submitted'"
        )
        .bind(change.at())
        .bind(request.id)
        .execute(change.tx())
        .await?;
        if changed == 0 {
            return Err(Error::conflict(
                "it is decided already; to give up an access, end its grant",
            ));
        }
        change.note(
            Operation::RequestWithdraw,
            Object::new("request", id),
            serde_json::Value::Null,
        );
        change.commit().await?;
        self.request(principal, id).await
    }
}
