//! Asking for access, and taking it back: what may be asked, and how it is stored.

use model::dto::{Offer, Request, RequestNew};
use model::time::DAY;
use model::{Mode, Name, PersonId, RequestId, Stage, Timestamp, Until, Verdict};
use serde_json::json;

use super::super::{DeclaredAs, ProductInfo, RecipientInfo};
use crate::audit::Object;
use crate::change::Change;
use crate::cuts::CutRecord;
use crate::db::DbError;
use crate::error::{Check, Error};
use crate::operation::Operation;
use crate::policy::{Scope, allows, can};
use crate::principal::Principal;
use crate::{Exchange, sql};

/// The longest an access may last: everything has an end that somebody can foresee.
pub(crate) const LONGEST: i64 = 5 * 366 * DAY;

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
