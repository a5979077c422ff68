//! Decisions: who may say yes or no to what, once per stage, to exactly the request that was shown.

use model::dto::{DecisionNew, Request};
use model::{
    GrantId, Mode, Name, PersonId, RequestId, RequestState, Stage, Timestamp, Verdict, crash_point,
};
use serde_json::json;

use super::requests::{DecisionRecord, RequestRecord};
use super::{Narrowed, ProductInfo, RecipientInfo, check_scope, quota};
use crate::audit::Object;
use crate::change::Change;
use crate::error::{Check, Error};
use crate::jobs::{Wake, WorkKind};
use crate::operation::Operation;
use crate::policy::{Scope, allows, can, can_see};
use crate::principal::Principal;
use crate::{Exchange, sql};

/// Why a grant ended that another one of a declaration followed.
pub(crate) const REPLACED: &str = "a declared grant takes its place";

impl Exchange {
    /// Says yes or no to one stage of a request. The last yes makes the grant.
    pub async fn request_decide(
        &self,
        principal: &Principal,
        id: RequestId,
        new: DecisionNew,
    ) -> Result<Request, Error> {
        let Some(record) = self.request_record(self.db(), id).await? else {
            can(principal, Operation::RequestList, &Scope::NONE)?;
            return Err(Error::NotFound("request"));
        };
        let scope = record.scope();
        can_see(principal, Operation::RequestRead, &scope, "request")?;
        can(principal, Operation::RequestDecide, &scope)?;
        let decider = principal.person_id().ok_or(Error::Unauthenticated)?;
        if record.requester_id == Some(decider) {
            return Err(Error::forbidden(
                "nobody decides on their own request; somebody else has to",
            ));
        }
        let mut check = Check::new();
        let verdict: Option<Verdict> = check.parse("verdict", &new.verdict);
        let wanted: Option<Stage> = new
            .stage
            .as_deref()
            .and_then(|stage| check.parse("stage", stage));
        let note = check.text("note", &new.note, 0, 4_000, true);
        if verdict == Some(Verdict::Reject) && note.is_empty() {
            check.fail("note", "say why; the requester reads it");
        }
        let scope = new.scope.clone().unwrap_or_default();
        let scope = check_scope(&mut check, "scope.", &scope, record.mode);
        if verdict == Some(Verdict::Reject) && scope != Narrowed::default() {
            check.fail("scope", "what is rejected opens nothing");
        }
        self.check_rows(
            &mut check,
            "scope.rows",
            record.product_id,
            scope.rows.as_ref(),
        )
        .await?;
        let per_day = quota::check_field(&mut check, new.live_bytes_per_day);
        if verdict == Some(Verdict::Reject) && per_day.is_some() {
            check.fail("live_bytes_per_day", "what is rejected hands out nothing");
        }
        if record.cut_id.is_some() && per_day.is_some() {
            check.fail("live_bytes_per_day", quota::NONE_OF_A_CUT);
        }
        check.done()?;
        let Some(verdict) = verdict else {
            return Err(Error::invalid("verdict", "missing"));
        };

        let product = self
            .product_info_by_id(self.db(), record.product_id)
            .await?
            .ok_or(Error::NotFound("product"))?;
        let recipient = self
            .recipient_info_by_id(self.db(), record.recipient_id)
            .await?
            .ok_or(Error::NotFound("recipient"))?;
        let mut change = self.change(principal).await?;
        // The row is taken before anything is read again: two deciders wait for each other.
        let taken = sql!(
            "update request set revision = revision + 1, updated_at = $1 where id = $2 and revision = $3 and state = 'submitted'"
        )
        .bind(change.at())
        .bind(id)
        .bind(new.revision)
        .execute(change.tx())
        .await?;
        if taken == 0 {
            return Err(Error::changed("request"));
        }
        let decided = self.decisions_of(change.tx(), id).await?;
        let stages: Vec<Stage> = decided.iter().map(|decision| decision.stage).collect();
        let open = product.open_stages(&stages);
        let stage = choose_stage(principal, &product, &open, wanted)?;
        if decided
            .iter()
            .any(|decision| decision.decider_id == Some(decider))
        {
            return Err(Error::forbidden(
                "you have decided on this request already; the other decision takes another person",
            ));
        }
        if verdict == Verdict::Approve && record.until_at <= change.at() {
            return Err(Error::conflict(
                "the end that was asked for has passed; the request has to be made again",
            ));
        }
        self.decision_store(
            &mut change,
            id,
            stage,
            verdict,
            Some(decider),
            &note,
            new.revision,
        )
        .await?;
        self.request_scope(&mut change, id, scope).await?;
        if let Some(per_day) = per_day {
            self.request_limit(&mut change, id, per_day).await?;
        }
        match verdict {
            Verdict::Reject => {
                self.request_close(&mut change, id, RequestState::Rejected)
                    .await?;
                self.tell_decided(&mut change, &record, verdict, &note)
                    .await?;
            }
            Verdict::Approve if open == [stage] => {
                self.grant_make(
                    &mut change,
                    &product,
                    &recipient,
                    id,
                    record.mode,
                    record.until_at,
                )
                .await?;
                self.tell_decided(&mut change, &record, verdict, &note)
                    .await?;
            }
            Verdict::Approve => {}
        }
        // Asking is a change of its own; dying here is dying in the decision.
        crash_point!("approve.decide.before");
        change.commit().await?;
        crash_point!("approve.decide.after");
        self.request(principal, id).await
    }

    /// Writes a decision; part of the caller's change.
    #[expect(clippy::too_many_arguments, reason = "the columns of one row")]
    pub(crate) async fn decision_store(
        &self,
        change: &mut Change,
        request: RequestId,
        stage: Stage,
        verdict: Verdict,
        decider: Option<PersonId>,
        note: &str,
        revision: i64,
    ) -> Result<(), Error> {
        let at = change.at();
        sql!("insert into decision (id, request_id, stage, verdict, decider_id, note, request_revision, decided_at)
              values ($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(model::AuditId::new(at))
        .bind(request)
        .bind(stage)
        .bind(verdict)
        .bind(decider)
        .bind(note)
        .bind(revision)
        .bind(at)
        .execute(change.tx())
        .await?;
        change.note(
            Operation::RequestDecide,
            Object::new("request", request),
            json!({ "stage": stage, "verdict": verdict, "revision": revision }),
        );
        Ok(())
    }

    /// Keeps what an approver says the grant may hand out in a day; of two the smaller number. Part of the caller's change.
    pub(crate) async fn request_limit(
        &self,
        change: &mut Change,
        id: RequestId,
        per_day: u64,
    ) -> Result<(), Error> {
        sql!(
            "update request set live_bytes_per_day = $1
             where id = $2 and (live_bytes_per_day is null or live_bytes_per_day > $1)"
        )
        .bind(per_day)
        .bind(id)
        .execute(change.tx())
        .await?;
        change.note(
            Operation::RequestDecide,
            Object::new("request", id),
            json!({ "live_bytes_per_day": per_day }),
        );
        Ok(())
    }

    async fn request_close(
        &self,
        change: &mut Change,
        id: RequestId,
        state: RequestState,
    ) -> Result<(), Error> {
        let at = change.at();
        sql!(
            "update request set state = $1, updated_at = $2 where id = $3 and state = 'submitted'"
        )
        .bind(state)
        .bind(at)
        .bind(id)
        .execute(change.tx())
        .await?;
        Ok(())
    }

    /// Makes the grant of an approved request and, for a replica, the replica; part of the caller's change. A declared
    /// grant takes the place of what has its name and of what gives the same to the same recipient. Where nobody says how many
    /// bytes it hands out in a day, it is as many as the one before it had.
    pub(crate) async fn grant_make(
        &self,
        change: &mut Change,
        product: &ProductInfo,
        recipient: &RecipientInfo,
        request: RequestId,
        mode: Mode,
        until: Timestamp,
    ) -> Result<GrantId, Error> {
        let at = change.at();
        self.request_close(change, request, RequestState::Approved)
            .await?;
        let row = sql!("select grant_name, cut_id from request where id = $1")
            .bind(request)
            .row(change.tx())
            .await?
            .ok_or(Error::NotFound("request"))?;
        let name: Option<Name> = row.get("grant_name")?;
        let cut = self.cut_given(change, row.get("cut_id")?, mode).await?;
        let cut_id = cut.as_ref().map(|cut| cut.id);
        let replaced = sql!(
            "select id, product_id from access_grant where desired = 'active' and cast($1 as text) is not null
                 and (name = $1 or (product_id = $2 and recipient_id = $3 and mode = $4
                     and (cut_id = $5 or (cut_id is null and $5 is null)))) order by id"
        )
        .bind(name.as_ref().map(ToString::to_string))
        .bind(product.id)
        .bind(recipient.id)
        .bind(mode)
        .bind(cut_id)
        .rows(change.tx())
        .await?;
        let id = GrantId::new(at);
        sql!("insert into access_grant (id, name, request_id, product_id, recipient_id, mode, until_at, desired, actual,
                  generation, observed_generation, revision, created_at, updated_at, live_bytes_per_day, cut_id)
              values ($1, $2, $3, $4, $5, $6, $7, 'active', 'pending', 1, 0, 1, $8, $8,
                  case when $9 then null else coalesce((select request.live_bytes_per_day from request where request.id = $3),
                      (select earlier.live_bytes_per_day from access_grant as earlier
                       where earlier.product_id = $4 and earlier.recipient_id = $5 and earlier.mode = $6 and earlier.cut_id is null
                       order by earlier.created_at desc, earlier.id desc limit 1)) end, $10)")
        .bind(id)
        // While another grant has the name it is that one's.
        .bind(name.as_ref().filter(|_| replaced.is_empty()).map(ToString::to_string))
        .bind(request)
        .bind(product.id)
        .bind(recipient.id)
        .bind(mode)
        .bind(until)
        .bind(at)
        .bind(cut_id.is_some())
        .bind(cut_id)
        .execute(change.tx())
        .await?;
        // A renewal is no way around what a day hands out.
        sql!(
            "insert into live_read (grant_id, day, bytes)
             select $1, day, bytes from live_read
             where day = $2 and grant_id = (
                 select earlier.id from access_grant as earlier
                 where earlier.product_id = $3 and earlier.recipient_id = $4 and earlier.mode = $5 and earlier.id <> $1
                     and earlier.cut_id is null
                 order by earlier.created_at desc, earlier.id desc limit 1)"
        )
        .bind(id)
        .bind(at.utc_day())
        .bind(product.id)
        .bind(recipient.id)
        .bind(mode)
        .execute(change.tx())
        .await?;
        self.grant_narrowed(change, id, request, mode).await?;
        if mode == Mode::Replica {
            let location = recipient.location()?;
            let storage = sql!(
                "select id from storage where cloud = $1 and region = $2 and replicas order by name limit 1"
            )
            .bind(location.cloud)
            .bind(location.region())
            .row(change.tx())
            .await?
            .ok_or_else(|| {
                Error::conflict(format!("no storage in {location} takes replicas any more; ask an admin to add one"))
            })?;
            self.replica_ensure(
                change,
                (product.id, &product.name),
                storage.get("id")?,
                cut.as_ref(),
            )
            .await?;
        }
        // The new one is there before the old one goes, so that a replica that both need is not drained in between.
        for row in &replaced {
            self.grant_end(
                change,
                Operation::GrantDeclare,
                row.get("id")?,
                row.get("product_id")?,
                REPLACED,
            )
            .await?;
        }
        if !replaced.is_empty() {
            sql!("update access_grant set name = $1 where id = $2")
                .bind(name.as_ref().map(ToString::to_string))
                .bind(id)
                .execute(change.tx())
                .await?;
        }
        change.wake(Wake::new(WorkKind::Grant, id));
        change.note(
            Operation::RequestDecide,
            Object::new("grant", id),
            json!({ "request": request, "product": product.name, "recipient": recipient.name, "mode": mode, "until": until,
                    "cut": cut.as_ref().map(|cut| &cut.name), "edition": cut.as_ref().map(|cut| cut.edition) }),
        );
        Ok(id)
    }
}

/// Whether this stage of the product's requests is this person's to decide.
fn is_theirs(principal: &Principal, product: &ProductInfo, stage: Stage) -> bool {
    match stage {
        Stage::Owner => principal.is_producer(product.team_id),
        Stage::DataProtection => principal.has(model::Role::DataProtection),
        Stage::Policy | Stage::Declared => false,
    }
}

/// The open stages that the caller may decide now: what [`Exchange::request_decide`] would let pass.
pub(super) fn decidable(
    principal: &Principal,
    record: &RequestRecord,
    product: &ProductInfo,
    decided: &[DecisionRecord],
    open: &[Stage],
) -> Vec<Stage> {
    let Some(person) = principal.person_id() else {
        return Vec::new();
    };
    let has_said = decided
        .iter()
        .any(|decision| decision.decider_id == Some(person));
    if record.requester_id == Some(person)
        || has_said
        || !allows(principal, Operation::RequestDecide, &record.scope())
    {
        return Vec::new();
    }
    open.iter()
        .copied()
        .filter(|stage| is_theirs(principal, product, *stage))
        .collect()
}

/// The stage that this person decides: the one asked for, or the first open one that is theirs.
fn choose_stage(
    principal: &Principal,
    product: &ProductInfo,
    open: &[Stage],
    wanted: Option<Stage>,
) -> Result<Stage, Error> {
    let may = |stage: &Stage| is_theirs(principal, product, *stage);
    match wanted {
        Some(stage) if !open.contains(&stage) => Err(Error::conflict(format!(
            "the stage {stage} is not open; look at the request again"
        ))),
        Some(stage) if !may(&stage) => Err(Error::forbidden(format!(
            "the stage {stage} is decided by somebody else"
        ))),
        Some(stage) => Ok(stage),
        None => open
            .iter()
            .find(|stage| may(stage))
            .copied()
            .ok_or_else(|| Error::forbidden("what is still open is decided by somebody else")),
    }
}
