//! Tokens that were found where they should not be (C-30): what still counts of them is revoked at once, written down, and told to
//! the team whose it is.
//!
//! Whoever reports is an admin or a scanner that has shown who it is. A scanner learns only what it can reckon by itself, whether
//! something could be a token at all; that is the caller's to keep.

use std::collections::BTreeSet;

use model::dto::{LeakNew, LeakReport, LeakedToken};
use model::{NoticeEvent, PersonId, RecipientId, RecipientTokenId, ServiceTokenId};
use serde_json::json;

use super::{RecipientInfo, activation};
use crate::audit::Object;
use crate::change::Change;
use crate::error::{Check, Error};
use crate::notices::{Audience, Facts, NoticeNew};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::secret::{self, TokenKind};
use crate::{Exchange, from_row, sql};

/// So many tokens in one report.
const MOST: usize = 1_000;
/// The longest word on where they were found; characters.
const LONGEST: usize = 500;

/// Whether a text could be a recipient's token, that of a link to one, or one of a person or a service: prefix, length and checksum
/// say so, and nothing else.
pub fn could_be_leaked(text: &str) -> bool {
    [
        TokenKind::Recipient,
        TokenKind::Activation,
        TokenKind::Service,
    ]
    .into_iter()
    .any(|kind| secret::is_well_formed(kind, text))
}

struct LeakRow {
    id: RecipientTokenId,
    recipient_id: RecipientId,
    hint: String,
}
from_row!(LeakRow {
    id,
    recipient_id,
    hint
});

impl Exchange {
    /// Revokes what still counts of these tokens, and the links that still give something. What is none of ours is left out.
    pub async fn token_report(
        &self,
        principal: &Principal,
        new: LeakNew,
    ) -> Result<LeakReport, Error> {
        can(principal, Operation::TokenReport, &Scope::NONE)?;
        let mut check = Check::new();
        if new.tokens.is_empty() || new.tokens.len() > MOST {
            check.fail("tokens", format!("from 1 to {MOST} of them"));
        }
        let found_at = new.found_at.as_deref().unwrap_or_default();
        let found_at = check.text("found_at", found_at, 0, LONGEST, false);
        check.done()?;
        let tokens: BTreeSet<&str> = new
            .tokens
            .iter()
            .map(|token| token.trim())
            .filter(|token| could_be_leaked(token))
            .collect();
        let (mut revoked, mut service_tokens) = (Vec::new(), 0);
        for token in &tokens {
            let hash = secret::hash(token);
            if secret::is_well_formed(TokenKind::Activation, token) {
                self.link_leaked(principal, hash, &found_at).await?;
            } else if secret::is_well_formed(TokenKind::Service, token) {
                let ended = self.service_leaked(principal, hash, &found_at).await?;
                service_tokens += u32::from(ended);
            } else if let Some(found) = self.credential_leaked(principal, hash, &found_at).await? {
                revoked.push(found);
            }
        }
        Ok(LeakReport {
            well_formed: u32::try_from(tokens.len()).unwrap_or(u32::MAX),
            revoked,
            service_tokens,
        })
    }

    async fn credential_leaked(
        &self,
        principal: &Principal,
        hash: [u8; 32],
        found_at: &str,
    ) -> Result<Option<LeakedToken>, Error> {
        let row: Option<LeakRow> = sql!(
            "select id, recipient_id, hint from recipient_token
             where hash = $1 and revoked_at is null and expires_at > $2"
        )
        .bind(hash)
        .bind(self.now())
        .first(self.db())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let Some(info) = self
            .recipient_info_by_id(self.db(), row.recipient_id)
            .await?
        else {
            return Ok(None);
        };
        let mut change = self.change(principal).await?;
        let at = change.at();
        let ended =
            sql!("update recipient_token set revoked_at = $1 where id = $2 and revoked_at is null")
                .bind(at)
                .bind(row.id)
                .execute(change.tx())
                .await?;
        // Somebody was faster; what they did is done.
        if ended == 0 {
            return Ok(None);
        }
        self.leak_noted(&mut change, &info, row.id, found_at)
            .await?;
        change.commit().await?;
        Ok(Some(LeakedToken {
            recipient: info.name,
            token: row.id,
            hint: row.hint,
        }))
    }

    /// Whether it counted until now. Told to the person whom it acts for, or who answers for it.
    async fn service_leaked(
        &self,
        principal: &Principal,
        hash: [u8; 32],
        found_at: &str,
    ) -> Result<bool, Error> {
        let row = sql!(
            "select id, person_id from service_token where hash = $1 and revoked_at is null and expires_at > $2"
        )
        .bind(hash)
        .bind(self.now())
        .row(self.db())
        .await?;
        let Some(row) = row else { return Ok(false) };
        let (id, person): (ServiceTokenId, PersonId) = (row.get("id")?, row.get("person_id")?);
        let mut change = self.change(principal).await?;
        let at = change.at();
        let ended =
            sql!("update service_token set revoked_at = $1 where id = $2 and revoked_at is null")
                .bind(at)
                .bind(id)
                .execute(change.tx())
                .await?;
        if ended == 0 {
            return Ok(false);
        }
        change.note(
            Operation::TokenReport,
            Object::new("service_token", id),
            json!({ "found_at": found_at }),
        );
        let event = NoticeEvent::TokenLeaked;
        let notice = NoticeNew {
            key: format!("{event}/{id}"),
            event,
            facts: Facts {
                words: (!found_at.is_empty()).then(|| found_at.to_owned()),
                ..Facts::default()
            },
            audience: Audience::Holder(person),
        };
        self.tell(change.tx(), at, notice).await?;
        change.commit().await?;
        Ok(true)
    }

    async fn link_leaked(
        &self,
        principal: &Principal,
        hash: [u8; 32],
        found_at: &str,
    ) -> Result<(), Error> {
        let row = sql!(
            "select id, recipient_id from recipient_activation
             where hash = $1 and used_at is null and ended_at is null and expires_at > $2"
        )
        .bind(hash)
        .bind(self.now())
        .row(self.db())
        .await?;
        let Some(row) = row else { return Ok(()) };
        let (id, recipient): (RecipientTokenId, RecipientId) =
            (row.get("id")?, row.get("recipient_id")?);
        let Some(info) = self.recipient_info_by_id(self.db(), recipient).await? else {
            return Ok(());
        };
        let mut change = self.change(principal).await?;
        // A recipient has one that waits.
        if activation::end(&mut change, recipient).await? == 0 {
            return Ok(());
        }
        self.leak_noted(&mut change, &info, id, found_at).await?;
        change.commit().await
    }

    /// Written down, and told to everybody of the team.
    async fn leak_noted(
        &self,
        change: &mut Change,
        info: &RecipientInfo,
        token: RecipientTokenId,
        found_at: &str,
    ) -> Result<(), Error> {
        change.note(
            Operation::TokenReport,
            Object::new("recipient", &info.name),
            json!({ "token": token, "found_at": found_at }),
        );
        let event = NoticeEvent::TokenLeaked;
        let at = change.at();
        let notice = NoticeNew {
            key: format!("{event}/{token}"),
            event,
            facts: Facts {
                team: Some(info.team.clone()),
                recipient: Some(info.name.clone()),
                location: Some(info.location()?),
                words: (!found_at.is_empty()).then(|| found_at.to_owned()),
                ..Facts::default()
            },
            audience: Audience::Everybody(info.team_id),
        };
        self.tell(change.tx(), at, notice).await
    }
}
