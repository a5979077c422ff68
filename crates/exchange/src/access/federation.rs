//! Whose word lets a recipient in besides its own credentials: a token of OpenID Connect that a machine's own platform has made.
//! Issuer, audience, and what one claim says, each to the letter. Checking a token's signature and its times is the caller's, who
//! asks the issuer; here is decided whom it lets in.
//!
//! Which issuers there may be says the operator ([`Options::issuers`](crate::Options)): nobody else makes this server ask an address.

use std::net::IpAddr;

use model::dto::{Federation, FederationNew, Recipient};
use model::{RecipientId, RecipientTokenId, Timestamp};
use serde_json::{Map, Value, json};

use super::readers::{ReaderRecord, ReaderRefused, TurnedAway};
use super::recipients::hold_recipient;
use crate::audit::Object;
use crate::change::Change;
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

/// The most that let one recipient in.
const MOST: usize = 20;
/// Claims that name one: a list in the place of it names nobody.
const NAMES_ONE: [&str; 5] = ["sub", "azp", "oid", "appid", "client_id"];

from_row!(Federation {
    id,
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

/// Whose word it is to be, looked through.
#[derive(PartialEq, Eq)]
struct Said {
    issuer: String,
    audience: String,
    claim: String,
    subject: String,
}

impl Said {
    fn is(&self, there: &Federation) -> bool {
        (&self.issuer, &self.audience, &self.claim, &self.subject)
            == (&there.issuer, &there.audience, &there.claim, &there.subject)
    }
}

impl Exchange {
    pub(super) async fn federations_of(
        &self,
        recipient: RecipientId,
    ) -> Result<Vec<Federation>, Error> {
        Ok(sql!(
            "select id, issuer, audience, claim, subject, created_at from recipient_federation
             where recipient_id = $1 and ended_at is null order by created_at, id"
        )
        .bind(recipient)
        .all(self.db())
        .await?)
    }

    /// Whether tokens of this issuer may let recipients in.
    pub(crate) fn takes_tokens_of(&self, issuer: &str) -> bool {
        self.options().issuers.iter().any(|known| known == issuer)
    }

    /// Says whose word lets a recipient in: in the place of what was said before, or beside it.
    pub async fn federation_set(
        &self,
        principal: &Principal,
        name: &str,
        new: FederationNew,
    ) -> Result<Recipient, Error> {
        let beside = new.beside;
        self.federations_write(principal, name, &[new], beside)
            .await
    }

    /// The same of several at once: these, and no others.
    pub(crate) async fn federations_set(
        &self,
        principal: &Principal,
        name: &str,
        all: &[FederationNew],
    ) -> Result<Recipient, Error> {
        self.federations_write(principal, name, all, false).await
    }

    async fn federations_write(
        &self,
        principal: &Principal,
        name: &str,
        new: &[FederationNew],
        beside: bool,
    ) -> Result<Recipient, Error> {
        let info = self
            .recipient_for(principal, name, Operation::FederationSet)
            .await?;
        let mut check = Check::new();
        let mut wanted: Vec<Said> = Vec::new();
        for new in new {
            let said = self.looked_through(&mut check, new);
            if !wanted.contains(&said) {
                wanted.push(said);
            }
        }
        check.done()?;
        let mut change = self.change(principal).await?;
        hold_recipient(&mut change, &info).await?;
        let there: Vec<Federation> = sql!(
            "select id, issuer, audience, claim, subject, created_at from recipient_federation
             where recipient_id = $1 and ended_at is null order by created_at, id"
        )
        .bind(info.id)
        .all(change.tx())
        .await?;
        // What stays keeps its row, and with it what was handed out by it.
        let (kept, gone): (Vec<&Federation>, Vec<&Federation>) = there
            .iter()
            .partition(|there| beside || wanted.iter().any(|said| said.is(there)));
        wanted.retain(|said| !kept.iter().any(|there| said.is(there)));
        if kept.len() + wanted.len() > MOST {
            return Err(Error::invalid(
                "subject",
                format!(
                    "at most {MOST} of them let one recipient in; end one that is needed no more"
                ),
            ));
        }
        if wanted.is_empty() && gone.is_empty() {
            // Its connection is given back before another is asked for: many who wait so would wait for each other.
            drop(change);
            return self.recipient(principal, name).await;
        }
        let object = || Object::new("recipient", &info.name);
        for there in gone {
            end(&mut change, info.id, Some(there.id)).await?;
            let ended = json!({ "ended": there.id });
            change.note(Operation::FederationSet, object(), ended);
        }
        for said in &wanted {
            let id = add(&mut change, info.id, said).await?;
            let Said {
                issuer,
                audience,
                claim,
                subject,
            } = said;
            change.note(
                Operation::FederationSet,
                object(),
                json!({ "token": id, "issuer": issuer, "audience": audience, "claim": claim, "subject": subject }),
            );
        }
        change.commit().await?;
        self.recipient(principal, name).await
    }

    fn looked_through(&self, check: &mut Check, new: &FederationNew) -> Said {
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
        Said {
            issuer: issuer.to_owned(),
            audience,
            claim,
            subject,
        }
    }

    /// Nobody's word lets the recipient in any more, or one that does no longer; felt on the next call, on every process.
    pub async fn federation_end(
        &self,
        principal: &Principal,
        name: &str,
        policy: Option<RecipientTokenId>,
    ) -> Result<Recipient, Error> {
        let info = self
            .recipient_for(principal, name, Operation::FederationEnd)
            .await?;
        let mut change = self.change(principal).await?;
        hold_recipient(&mut change, &info).await?;
        if end(&mut change, info.id, policy).await? == 0 {
            return Err(Error::NotFound("federation"));
        }
        change.note(
            Operation::FederationEnd,
            Object::new("recipient", &info.name),
            policy.map_or_else(|| json!({}), |policy| json!({ "token": policy })),
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
                let is_first = found
                    .as_ref()
                    .is_none_or(|(first, _)| policy.age() < first.age());
                if policy.is_said(&word.claims) && is_first {
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

    /// Whether the claim says it. A list, such as that of groups, says what each of its texts does.
    fn is_said(&self, claims: &Map<String, Value>) -> bool {
        match claims.get(&self.claim) {
            Some(Value::String(one)) => *one == self.subject,
            Some(Value::Array(all)) if !NAMES_ONE.contains(&self.claim.as_str()) => all
                .iter()
                .any(|one| one.as_str() == Some(self.subject.as_str())),
            _ => false,
        }
    }
}

async fn add(
    change: &mut Change,
    recipient: RecipientId,
    said: &Said,
) -> Result<RecipientTokenId, Error> {
    let at = change.at();
    let id = RecipientTokenId::new(at);
    sql!(
        "insert into recipient_federation (id, recipient_id, issuer, audience, claim, subject, created_at)
         values ($1, $2, $3, $4, $5, $6, $7)"
    )
    .bind(id)
    .bind(recipient)
    .bind(&said.issuer)
    .bind(&said.audience)
    .bind(&said.claim)
    .bind(&said.subject)
    .bind(at)
    .execute(change.tx())
    .await
    .map_err(|error| {
        crate::people::taken(
            error,
            "subject",
            "this word lets another recipient in already; a machine is one recipient",
        )
    })?;
    Ok(id)
}

/// Ends one, or all of a recipient's.
async fn end(
    change: &mut Change,
    recipient: RecipientId,
    policy: Option<RecipientTokenId>,
) -> Result<u64, Error> {
    let at = change.at();
    let ending = match policy {
        Some(policy) => sql!(
            "update recipient_federation set ended_at = $1 where recipient_id = $2 and id = $3 and ended_at is null"
        )
        .bind(at)
        .bind(recipient)
        .bind(policy),
        None => sql!(
            "update recipient_federation set ended_at = $1 where recipient_id = $2 and ended_at is null"
        )
        .bind(at)
        .bind(recipient),
    };
    Ok(ending.execute(change.tx()).await?)
}
