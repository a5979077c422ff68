//! What people do with a recommendation: accept it, put it off, decline it. Accepting does what the caller could do by hand, by the same
//! operations and with the caller's own rights; afterwards it is measured what came of it.

use model::dto::{
    Advice, AdviceAccept, AdviceDecline, AdviceOutcome, AdviceSnooze, PurposeNew, RequestNew,
    SyncJobChange,
};
use model::time::DAY;
use model::{
    AdviceId, AdviceKind, AdviceState, Fetches, Mode, Name, RequestId, TeamId, Timestamp, Until,
};
use serde_json::json;

use super::read::AdviceRecord;
use crate::audit::Object;
use crate::error::{Check, Error};
use crate::operation::Operation;
use crate::policy::{Scope, allows, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// It is put off for so long at most.
const LONGEST: i64 = 366 * DAY;

/// Who reads there in another way than is recommended, and what was said when that was asked for.
struct Reader {
    recipient: Name,
    team_id: TeamId,
    until_at: Timestamp,
    purpose_code: String,
    purpose_text: String,
    /// The same wish, which waits already.
    waiting: Option<RequestId>,
}
from_row!(Reader {
    recipient,
    team_id,
    until_at,
    purpose_code,
    purpose_text,
    waiting
});

impl Exchange {
    /// Acts on a recommendation: asks for the other mode in the name of the caller's recipients there, or changes the sync job.
    pub async fn advice_accept(
        &self,
        principal: &Principal,
        id: AdviceId,
        new: AdviceAccept,
    ) -> Result<Advice, Error> {
        let seen = (id, new.revision);
        let record = self
            .advice_to_decide(principal, Operation::AdviceAccept, seen)
            .await?;
        let outcome = match record.kind {
            AdviceKind::Replica => self.advice_ask(principal, &record, Mode::Replica).await?,
            AdviceKind::Live => self.advice_ask(principal, &record, Mode::Live).await?,
            AdviceKind::Cadence => {
                let change = SyncJobChange {
                    every: Some(record.change_to.clone()),
                    ..SyncJobChange::default()
                };
                self.advice_change_job(principal, &record, change).await?
            }
            AdviceKind::ChangeFeed | AdviceKind::Compaction => {
                let fetches: Fetches = record.change_to.parse().map_err(Error::internal)?;
                let change = SyncJobChange {
                    fetches: Some(fetches),
                    ..SyncJobChange::default()
                };
                self.advice_change_job(principal, &record, change).await?
            }
        };
        let text = serde_json::to_string(&outcome).map_err(Error::internal)?;
        let mut change = self.change(principal).await?;
        let at = change.at();
        let changed = sql!(
            "update advice set state = 'accepted', reason = 'it was accepted, and is measured from then on', outcome = $1,
                 accepted_at = $2, snoozed_until = null, updated_at = $2, revision = revision + 1
             where id = $3 and revision = $4 and state in ('open', 'snoozed')"
        )
        .bind(text)
        .bind(at)
        .bind(id)
        .bind(record.revision)
        .execute(change.tx())
        .await?;
        if changed == 0 {
            return Err(Error::changed("recommendation"));
        }
        change.note(
            Operation::AdviceAccept,
            Object::new("advice", id),
            json!({ "product": record.product, "to": record.to_location, "kind": record.kind, "change": record.change_to,
                    "requests": outcome.requests, "replica": outcome.replica }),
        );
        change.commit().await?;
        self.advice_one(principal, id).await
    }

    /// Asks for the other mode for each of the caller's recipients that reads there, as it was asked for the mode that it has. What
    /// waits already is not asked for twice. For who reads a cut nothing is asked: that would be to ask for the whole.
    async fn advice_ask(
        &self,
        principal: &Principal,
        record: &AdviceRecord,
        mode: Mode,
    ) -> Result<AdviceOutcome, Error> {
        let readers: Vec<Reader> = sql!(
            "select recipient.name as recipient, recipient.team_id, access_grant.until_at, purpose_code, purpose_text,
                 (select waiting.id from request as waiting where waiting.product_id = access_grant.product_id
                      and waiting.recipient_id = recipient.id and waiting.mode = $4 and waiting.state = 'submitted'
                      and waiting.cut_id is null) as waiting
             from access_grant join recipient on recipient.id = access_grant.recipient_id
                 join request on request.id = access_grant.request_id
             where access_grant.product_id = $1 and recipient.cloud = $2 and recipient.region = $3 and desired = 'active'
                 and access_grant.until_at > $5 and access_grant.mode <> $4 and access_grant.cut_id is null
                 and not exists (select 1 from access_grant as has where has.product_id = access_grant.product_id
                     and has.recipient_id = recipient.id and has.mode = $4 and has.desired = 'active' and has.cut_id is null)
             order by recipient.name, access_grant.until_at desc"
        )
        .bind(record.product_id)
        .bind(record.to_location.cloud)
        .bind(record.to_location.region())
        .bind(mode)
        .bind(self.now())
        .all(self.db())
        .await?;
        let mut mine: Vec<Reader> = readers
            .into_iter()
            .filter(|reader| {
                let scope = Scope::consumer(reader.team_id);
                allows(principal, Operation::RequestCreate, &scope)
            })
            .collect();
        mine.dedup_by(|next, one| next.recipient == one.recipient);
        if mine.is_empty() {
            return Err(Error::forbidden(format!(
                "mode {mode} is asked for by a team whose recipient reads the product in {}, and none of yours does in another mode; send \
                 them here",
                record.to_location
            )));
        }
        let mut outcome = AdviceOutcome::default();
        for reader in mine {
            if let Some(waiting) = reader.waiting {
                outcome.requests.push(waiting);
                continue;
            }
            let new = RequestNew {
                product: record.product.to_string(),
                recipient: reader.recipient.to_string(),
                mode: mode.to_string(),
                // Advice is of the whole product.
                cut: None,
                until: reader.until_at.to_string(),
                purpose: PurposeNew {
                    code: reader.purpose_code,
                    text: reader.purpose_text,
                },
            };
            let request = self.request_create(principal, new).await?;
            outcome.requests.push(request.id);
        }
        Ok(outcome)
    }

    async fn advice_change_job(
        &self,
        principal: &Principal,
        record: &AdviceRecord,
        change: SyncJobChange,
    ) -> Result<AdviceOutcome, Error> {
        let row = sql!(
            "select storage.name from replica join storage on storage.id = replica.storage_id
             where replica.product_id = $1 and cloud = $2 and region = $3 and replica.state in ('pending', 'ready')
                 and replica.cut_id is null
             order by replica.created_at limit 1"
        )
        .bind(record.product_id)
        .bind(record.to_location.cloud)
        .bind(record.to_location.region())
        .row(self.db())
        .await?;
        let storage: Option<Name> = row.map(|row| row.get("name")).transpose()?;
        let storage = storage.ok_or_else(|| {
            Error::conflict("there is no replica any more whose job could be changed; the recommendation ends when it is reckoned again")
        })?;
        let name = format!("{}@{storage}", record.product);
        self.sync_job_update(principal, &name, change).await?;
        Ok(AdviceOutcome {
            requests: Vec::new(),
            replica: Some(name),
        })
    }

    /// Puts a recommendation off until a day.
    pub async fn advice_snooze(
        &self,
        principal: &Principal,
        id: AdviceId,
        new: AdviceSnooze,
    ) -> Result<Advice, Error> {
        let (operation, seen) = (Operation::AdviceSnooze, (id, new.revision));
        let record = self.advice_to_decide(principal, operation, seen).await?;
        let mut check = Check::new();
        let until: Option<Until> = check.parse("until", new.until.trim());
        let now = self.now();
        if until.is_some_and(|Until(until)| until <= now) {
            check.fail("until", "must be in the future");
        } else if until.is_some_and(|Until(until)| until.since(now) > LONGEST) {
            check.fail("until", "at most a year from now; decline it instead");
        }
        check.done()?;
        let until = until.map(|Until(until)| until);
        let state = (AdviceState::Snoozed, "it was put off", until);
        self.advice_set(principal, operation, &record, state).await
    }

    /// Declines a recommendation with a reason.
    pub async fn advice_decline(
        &self,
        principal: &Principal,
        id: AdviceId,
        new: AdviceDecline,
    ) -> Result<Advice, Error> {
        let (operation, seen) = (Operation::AdviceDecline, (id, new.revision));
        let record = self.advice_to_decide(principal, operation, seen).await?;
        let mut check = Check::new();
        let reason = check.text("reason", &new.reason, 3, 500, true);
        check.done()?;
        let state = (AdviceState::Declined, reason.as_str(), None);
        self.advice_set(principal, operation, &record, state).await
    }

    /// For who may do this with it, while there is still something to do and it is as the caller saw it.
    async fn advice_to_decide(
        &self,
        principal: &Principal,
        operation: Operation,
        (id, seen): (AdviceId, Option<i64>),
    ) -> Result<AdviceRecord, Error> {
        let (record, scope) = self.advice_for(principal, id).await?;
        can(principal, operation, &scope)?;
        if seen.is_some_and(|seen| seen != record.revision) {
            return Err(Error::changed("recommendation"));
        }
        match record.state {
            AdviceState::Open | AdviceState::Snoozed => Ok(record),
            state => Err(Error::conflict(format!(
                "the recommendation is {state}; there is nothing to decide on it"
            ))),
        }
    }

    async fn advice_set(
        &self,
        principal: &Principal,
        operation: Operation,
        record: &AdviceRecord,
        (state, reason, until): (AdviceState, &str, Option<Timestamp>),
    ) -> Result<Advice, Error> {
        let mut change = self.change(principal).await?;
        let changed = sql!(
            "update advice set state = $1, reason = $2, snoozed_until = $3, updated_at = $4, revision = revision + 1
             where id = $5 and revision = $6 and state in ('open', 'snoozed')"
        )
        .bind(state)
        .bind(reason)
        .bind(until)
        .bind(change.at())
        .bind(record.id)
        .bind(record.revision)
        .execute(change.tx())
        .await?;
        if changed == 0 {
            return Err(Error::changed("recommendation"));
        }
        change.note(
            operation,
            Object::new("advice", record.id),
            json!({ "product": record.product, "to": record.to_location, "kind": record.kind, "state": state, "until": until }),
        );
        change.commit().await?;
        self.advice_one(principal, record.id).await
    }
}
