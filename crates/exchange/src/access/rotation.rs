//! Rotating a recipient's credential: a new one is made while the old one still counts for a while, so that readers can change
//! over without a gap (C-28).
//!
//! Two rules hold whatever is asked, in whatever order and at once: an end once set only ever comes nearer, and no more than
//! two credentials count at a time.

use model::dto::{Profile, RotationNew};
use model::time::HOUR;
use serde_json::json;

use super::limits::check_address;
use super::recipients::{LivingToken, hold_recipient, insert_token, living_tokens};
use crate::audit::Object;
use crate::error::{Check, Error};
use crate::operation::Operation;
use crate::principal::Principal;
use crate::secret::{self, TokenKind};
use crate::{Exchange, sql};

/// Hours for which the old credential goes on unless the caller says otherwise: long enough for jobs that run once a day.
const OVERLAP: u32 = 24;
/// And at most.
const LONGEST_OVERLAP: u32 = 168;

impl Exchange {
    /// Makes a new credential in the place of the one that counts, and answers its profile: once. The old one ends with the
    /// overlap, or by itself before that. While an overlap runs there is no second one; without an overlap everything else
    /// ends at once, which is what to do about a leak.
    pub async fn recipient_rotate(
        &self,
        principal: &Principal,
        name: &str,
        new: RotationNew,
    ) -> Result<Profile, Error> {
        let info = self
            .recipient_for(principal, name, Operation::RecipientRotate)
            .await?;
        check_address(principal, &info)?;
        let mut check = Check::new();
        let lifetime = self.credential_lifetime(&mut check, new.days);
        let overlap = new.overlap_hours.unwrap_or(OVERLAP);
        if overlap > LONGEST_OVERLAP {
            check.fail("overlap_hours", format!("from 0 to {LONGEST_OVERLAP}"));
        } else if (1..i64::from(overlap) * HOUR).contains(&lifetime) {
            check.fail(
                "overlap_hours",
                "no longer than the new credential counts; ask for more days",
            );
        }
        check.done()?;
        let token = secret::new_token(TokenKind::Recipient)?;
        let mut change = self.change(principal).await?;
        hold_recipient(&mut change, &info).await?;
        let living = living_tokens(&mut change, info.id).await?;
        match living.as_slice() {
            [] => {
                return Err(Error::conflict(
                    "there is no credential that still counts, so there is nothing to rotate; download a profile instead",
                ));
            }
            [sooner, later, ..] if overlap > 0 => return Err(under_way(sooner, later)),
            _ => {}
        }
        let ends = change.at().plus(i64::from(overlap) * HOUR);
        sql!("update recipient_token set expires_at = $1 where recipient_id = $2 and revoked_at is null and expires_at > $1")
            .bind(ends)
            .bind(info.id)
            .execute(change.tx())
            .await?;
        let (id, expires_at) = insert_token(&mut change, info.id, &token, lifetime).await?;
        let replaced: Vec<serde_json::Value> = living
            .iter()
            .map(|old| json!({ "token": old.id, "expires_at": old.expires_at.min(ends) }))
            .collect();
        change.note(
            Operation::RecipientRotate,
            Object::new("recipient", &info.name),
            json!({ "token": id, "expires_at": expires_at, "replaces": replaced }),
        );
        change.commit().await?;
        Ok(self.profile(token, expires_at))
    }
}

/// Also what somebody meets whose first answer was lost: so it says how to go on.
fn under_way(sooner: &LivingToken, later: &LivingToken) -> Error {
    Error::conflict(format!(
        "a rotation is under way: two credentials count, ****{} until {} and ****{} until {}; wait until the first is over, \
         revoke the one that nobody uses, or rotate with overlap_hours 0, which ends both at once",
        sooner.hint, sooner.expires_at, later.hint, later.expires_at
    ))
}
