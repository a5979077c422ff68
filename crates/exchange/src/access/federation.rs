//! Whose word lets a recipient in besides its own credentials: a token of OpenID Connect that a machine's own platform has made.
//! Issuer, audience, and what one claim says, each to the letter. Checking a token's signature and its times is the caller's, who
//! asks the issuer; here is decided whom it lets in.
//!
//! Which issuers there may be says the operator ([`Options::issuers`](crate::Options)): nobody else makes this server ask an address.

use std::net::IpAddr;

use model::dto::{Federation, FederationNew, Recipient};
use model::{RecipientId, RecipientTokenId, Timestamp};
use serde_json::{Map, Value, json};

use super::reading::{ReaderRecord, ReaderRefused, TurnedAway};
use super::recipients::hold_recipient;
use crate::audit::Object;
use crate::db::FromRow as _;
use crate::error::{Check, Error};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// The longest of what is compared; characters.
const LONGEST: usize = 500;
/// Why an issuer's tokens let nobody in.
pub(crate) const STRANGE_ISSUER: &str = "this is not one of the issuers that this installation takes tokens of; ask its operator to name it in `sharing.issuers`, \
     to the letter as its tokens write it";
/// No token is for more than so many.
const MOST_AUDIENCES: usize = 10;

/// What an issuer says of somebody, checked: the signature is the issuer's, and it is the time for it.
#[derive(Clone, Debug)]
pub struct Word {
    pub issuer: String,
    pub audiences: Vec<String>,
    pub claims: Map<String, Value>,
}

from_row!(Federation {
    issuer,
    audience,
    claim,
    subject,
    created_at
});

struct Policy {
    policy_id: RecipientTokenId,
    claim: String,
    subject: String,
    policy_at: Timestamp,
}
from_row!(Policy {
    policy_id,
    claim,
    subject,
    policy_at
});

impl Exchange {
    pub(super) async fn federation_of(
        &self,
        recipient: RecipientId,
    ) -> Result<Option<Federation>, Error> {
        Ok(sql!(
            "select issuer, audience, claim, subject, created_at from recipient_federation
             where recipient_id = $1 and ended_at is null"
        )
        .bind(recipient)
        .first(self.db())
        .await?)
    }

    /// Whether tokens of this issuer may let recipients in.
    pub(crate) fn takes_tokens_of(&self, issuer: &str) -> bool {
        self.options().issuers.iter().any(|known| known == issuer)
    }

    /// Says whose word lets a recipient in, in the place of what was said before.
    pub async fn federation_set(
        &self,
        principal: &Principal,
        name: &str,
        new: FederationNew,
    ) -> Result<Recipient, Error> {
        let info = self
            .recipient_for(principal, name, Operation::FederationSet)
            .await?;
        let mut check = Check::new();
        let issuer = new.issuer.trim();
        if !self.takes_tokens_of(issuer) {
            check.fail("issuer", STRANGE_ISSUER);
        }
        let audience = check.text("audience", &new.audience, 1, LONGEST, false);
        let claim = new.claim.as_deref().map(str::trim).unwrap_or_default();
        let claim = if claim.is_empty() { "sub" } else { claim };
        let claim = check.text("claim", claim, 1, LONGEST, false);
        // What these say does not tell one machine from another.
        if matches!(
            claim.as_str(),
            "iss" | "aud" | "exp" | "nbf" | "iat" | "jti" | "nonce" | "tid"
        ) {
            check.fail(
                "claim",
                "this says nothing of who somebody is; take `sub`, or what the issuer calls its machines by",
            );
        }
        let subject = check.text("subject", &new.subject, 1, LONGEST, false);
        check.done()?;
        let mut change = self.change(principal).await?;
        hold_recipient(&mut change, &info).await?;
        end(&mut change, info.id).await?;
        let id = RecipientTokenId::new(change.at());
        sql!(
            "insert into recipient_federation (id, recipient_id, issuer, audience, claim, subject, created_at)
             values ($1, $2, $3, $4, $5, $6, $7)"
        )
        .bind(id)
        .bind(info.id)
        .bind(issuer)
        .bind(&audience)
        .bind(&claim)
        .bind(&subject)
        .bind(change.at())
        .execute(change.tx())
        .await
        .map_err(|error| {
            crate::people::taken(
                error,
                "subject",
                "this word lets another recipient in already; a machine is one recipient",
            )
        })?;
        change.note(
            Operation::FederationSet,
            Object::new("recipient", &info.name),
            json!({ "token": id, "issuer": issuer, "audience": audience, "claim": claim, "subject": subject }),
        );
        change.commit().await?;
        self.recipient(principal, name).await
    }

    /// Nobody's word lets the recipient in any more; felt on the next call, on every process.
    pub async fn federation_end(
        &self,
        principal: &Principal,
        name: &str,
    ) -> Result<Recipient, Error> {
        let info = self
            .recipient_for(principal, name, Operation::FederationEnd)
            .await?;
        let mut change = self.change(principal).await?;
        hold_recipient(&mut change, &info).await?;
        if end(&mut change, info.id).await? == 0 {
            return Err(Error::NotFound("federation"));
        }
        change.note(
            Operation::FederationEnd,
            Object::new("recipient", &info.name),
            json!({}),
        );
        change.commit().await?;
        self.recipient(principal, name).await
    }

    /// Whom a word lets in, and by which row. Where several would, the one that was there first: nobody can take another's place
    /// afterwards.
    pub async fn reader_of_word(
        &self,
        principal: &Principal,
        word: &Word,
        from: Option<IpAddr>,
    ) -> Result<Result<(ReaderRecord, RecipientTokenId), TurnedAway>, Error> {
        can(principal, Operation::ShareRead, &Scope::NONE)?;
        let mut found: Option<(Policy, ReaderRecord)> = None;
        for audience in word.audiences.iter().take(MOST_AUDIENCES) {
            let rows = sql!(
                "select recipient.id, recipient.name, team_id, cloud, region, addresses, requests_per_minute,
                     recipient_federation.id as policy_id, recipient_federation.created_at as policy_at, claim, subject
                 from recipient_federation join recipient on recipient.id = recipient_federation.recipient_id
                 where issuer = $1 and audience = $2 and ended_at is null"
            )
            .bind(&word.issuer)
            .bind(audience)
            .rows(self.db())
            .await?;
            for row in &rows {
                let policy = Policy::from_row(row)?;
                let says = word.claims.get(&policy.claim).and_then(Value::as_str);
                let is_first = found
                    .as_ref()
                    .is_none_or(|(first, _)| policy.age() < first.age());
                if says == Some(policy.subject.as_str()) && is_first {
                    found = Some((policy, ReaderRecord::from_row(row)?));
                }
            }
        }
        Ok(match found {
            Some((_, reader)) if !reader.addresses.let_in(from) => {
                Err(TurnedAway::known(reader, ReaderRefused::Elsewhere))
            }
            Some((policy, reader)) => Ok((reader, policy.policy_id)),
            None => Err(TurnedAway::STRANGER),
        })
    }
}

impl Policy {
    fn age(&self) -> (Timestamp, RecipientTokenId) {
        (self.policy_at, self.policy_id)
    }
}

async fn end(change: &mut crate::change::Change, recipient: RecipientId) -> Result<u64, Error> {
    let at = change.at();
    Ok(sql!(
        "update recipient_federation set ended_at = $1 where recipient_id = $2 and ended_at is null"
    )
    .bind(at)
    .bind(recipient)
    .execute(change.tx())
    .await?)
}
