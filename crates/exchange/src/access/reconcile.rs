//! The reconciler's half of a grant: look as the recipient would, and write down what was seen. Nobody else writes actual
//! state.

use model::time::{MINUTE, SECOND};
use model::{CutId, GrantActual, GrantId, crash_point};
use serde_json::json;

use super::grants::GrantRecord;
use crate::audit::Object;
use crate::error::Error;
use crate::jobs::{Wake, WorkKind, pause_of};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::ports::Observation;
use crate::principal::Principal;
use crate::{Exchange, sql};

/// When to look at a grant again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextLook {
    /// Not before somebody wants something else of it.
    Settled,
    /// In so many microseconds.
    In(i64),
}

/// An active grant is looked at again this often: "verified" goes stale.
const LOOK_AGAIN: i64 = 15 * MINUTE;
/// While something is under way or broken: so soon at first, and each time twice as late, for a look reads logs and files.
const LOOK_SOON: i64 = 5 * SECOND;

/// What consumers meet makes us look no more often than that.
const DOUBTED_AGAIN: i64 = MINUTE;

/// Whether it was seen broken, look after look, for more than a minute, and this is the look that comes to it: pauses double, so
/// that there is one.
fn stays_broken(seen: &Observation, next: NextLook) -> bool {
    let is_it = matches!(next, NextLook::In(pause) if (MINUTE..2 * MINUTE).contains(&pause));
    is_it && matches!(seen, Observation::Broken { .. })
}

impl Exchange {
    /// Looks at a grant with its recipient's identity and writes what was seen, if it is still what was asked about. As long
    /// as the same is seen that is not as it should be, the pauses grow; a wake begins them anew.
    pub async fn grant_reconcile(
        &self,
        principal: &Principal,
        id: GrantId,
    ) -> Result<NextLook, Error> {
        can(principal, Operation::GrantObserve, &Scope::NONE)?;
        let Some(grant) = self.grant_record(self.db(), id).await? else {
            return Ok(NextLook::Settled);
        };
        if grant.actual == GrantActual::Ended {
            return Ok(NextLook::Settled);
        }
        crash_point!("grant.observe.before");
        let seen = self.ports().access.observe(id).await;
        crash_point!("grant.observe.after");
        let wanted = grant.is_wanted(self.now());
        let seen = match grant.cut_id.filter(|_| wanted) {
            Some(cut) => self.unless_keyless(cut, seen).await?,
            None => seen,
        };
        let (actual, reason) = match (&seen, wanted) {
            (Observation::Works { .. }, true) => (GrantActual::Active, None),
            (Observation::Waits { reason }, true) => {
                (GrantActual::Provisioning, Some(reason.clone()))
            }
            (Observation::Broken { reason }, true) => (GrantActual::Failed, Some(reason.clone())),
            (Observation::Closed, true) => {
                let reason = "the sharing service refuses it although it should not; this is looked at again".to_owned();
                (GrantActual::Failed, Some(reason))
            }
            (Observation::Works { .. }, false) => {
                let reason =
                    "it should have ended, but the sharing service still answers".to_owned();
                (GrantActual::Failed, Some(reason))
            }
            (_, false) => (GrantActual::Ended, None),
        };
        let next = match actual {
            GrantActual::Ended => NextLook::Settled,
            GrantActual::Active => NextLook::In(LOOK_AGAIN),
            _ if actual != grant.actual => NextLook::In(LOOK_SOON),
            _ => {
                let last = pause_of(self.db(), WorkKind::Grant, id).await?;
                NextLook::In(last.map_or(LOOK_SOON, |last| {
                    last.saturating_mul(2).clamp(LOOK_SOON, LOOK_AGAIN)
                }))
            }
        };
        if stays_broken(&seen, next) {
            self.tell_broken(&grant).await?;
        }
        if self
            .grant_observed(principal, &grant, actual, reason.as_deref(), &seen)
            .await?
        {
            Ok(next)
        } else {
            // Somebody changed the grant while we looked: look again at once.
            Ok(NextLook::In(0))
        }
    }

    /// What is read by a cut goes stale for good where nothing can be written by its key any more: that is to be mended now.
    async fn unless_keyless(&self, cut: CutId, seen: Observation) -> Result<Observation, Error> {
        Ok(match self.cut_keyless(cut).await? {
            Some(reason) => Observation::Broken { reason },
            None => seen,
        })
    }

    /// A recipient met what its producer has to mend. A grant that counts as working is looked at now rather than in its turn; one
    /// that was looked at a moment ago is not, or whoever reads would keep us looking.
    pub async fn grant_doubted(&self, principal: &Principal, id: GrantId) -> Result<(), Error> {
        can(principal, Operation::GrantObserve, &Scope::NONE)?;
        let now = self.now();
        let found = sql!(
            "select id from access_grant where id = $1 and desired = 'active' and actual = 'active' and verified_at < $2"
        )
        .bind(id)
        .bind(now.plus(-DOUBTED_AGAIN))
        .row(self.db())
        .await?;
        if found.is_some() {
            let wake = Wake::new(WorkKind::Grant, id);
            crate::jobs::enqueue(self.db(), &wake, now).await?;
        }
        Ok(())
    }

    async fn grant_observed(
        &self,
        principal: &Principal,
        grant: &GrantRecord,
        actual: GrantActual,
        reason: Option<&str>,
        seen: &Observation,
    ) -> Result<bool, Error> {
        let verified = match (actual, seen) {
            (GrantActual::Active, Observation::Works { seen_at }) => Some(*seen_at),
            _ => None,
        };
        let unchanged = actual == grant.actual && reason == grant.reason.as_deref();
        if unchanged {
            // Seeing the same again is no event: only the time moves.
            let changed = sql!(
                "update access_grant set verified_at = coalesce($1, verified_at), observed_generation = generation
                 where id = $2 and generation = $3"
            )
            .bind(verified)
            .bind(grant.id)
            .bind(grant.generation)
            .execute(self.db())
            .await?;
            return Ok(changed == 1);
        }
        let mut change = self.change(principal).await?;
        let at = change.at();
        let changed = sql!(
            "update access_grant set actual = $1, reason = $2, verified_at = coalesce($3, verified_at),
                 ended_at = case when $1 = 'ended' then $4 else ended_at end, observed_generation = generation,
                 revision = revision + 1, updated_at = $4
             where id = $5 and generation = $6"
        )
        .bind(actual)
        .bind(reason)
        .bind(verified)
        .bind(at)
        .bind(grant.id)
        .bind(grant.generation)
        .execute(change.tx())
        .await?;
        if changed == 0 {
            return Ok(false);
        }
        change.note(
            Operation::GrantObserve,
            Object::new("grant", grant.id),
            json!({ "actual": actual, "reason": reason, "verified_at": verified }),
        );
        if verified.is_some() && grant.verified_at.is_none() {
            self.tell_verified(&mut change, grant).await?;
        }
        change.commit().await?;
        Ok(true)
    }

    /// Wakes every grant and replica that is not settled: what makes a lost wake-up harmless. Called now and then by a worker.
    pub async fn grants_resync(&self, principal: &Principal) -> Result<(), Error> {
        can(principal, Operation::GrantObserve, &Scope::NONE)?;
        let rows = sql!(
            "select id from access_grant where actual <> 'ended' and (desired = 'ended' or actual <> 'active'
                 or verified_at is null or verified_at < $1) limit 1000"
        )
        .bind(self.now().plus(-2 * LOOK_AGAIN))
        .rows(self.db())
        .await?;
        for row in rows {
            let wake = Wake::new(WorkKind::Grant, row.get::<GrantId>("id")?);
            crate::jobs::ensure(self.db(), &wake, self.now()).await?;
        }
        self.replicas_resync(principal).await
    }
}
