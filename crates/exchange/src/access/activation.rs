//! Links that give a recipient's profile once, to whoever opens them first (C-27): for machines that are looked after by somebody
//! without an account. Looking at a link uses nothing up, because mail programs and chats look at links by themselves; what uses it
//! is a second step, and of however many take it at once one wins.

use std::net::IpAddr;

use model::dto::{
    Activation, ActivationNew, ActivationOpen, ActivationSeen, ActivationState, Profile, Recipient,
};
use model::time::HOUR;
use model::{Name, RecipientId, RecipientTokenId, Timestamp};
use serde_json::json;

use super::RecipientInfo;
use super::readers::ReaderRefused;
use super::recipients::{hold_recipient, insert_token, living_tokens};
use crate::audit::Object;
use crate::change::Change;
use crate::error::{Check, Error};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::secret::{self, TokenKind};
use crate::{Exchange, from_row, sql};

/// Hours that a link is good for unless less is asked for, and at most: it travels by mail.
const LONGEST: u32 = 24;

/// What a link that was used, taken back or is over is not.
const SPENT: &str = "link that still gives something";

from_row!(ActivationOpen {
    created_at,
    expires_at
});

struct LinkRecord {
    id: RecipientTokenId,
    recipient_id: RecipientId,
    lifetime: i64,
    expires_at: Timestamp,
    used_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
}
from_row!(LinkRecord {
    id,
    recipient_id,
    lifetime,
    expires_at,
    used_at,
    ended_at
});

impl LinkRecord {
    fn state(&self, now: Timestamp) -> ActivationState {
        if self.used_at.is_some() {
            ActivationState::Used
        } else if self.ended_at.is_some() {
            ActivationState::Ended
        } else if self.expires_at <= now {
            ActivationState::Expired
        } else {
            ActivationState::Open
        }
    }
}

impl Exchange {
    pub(super) async fn activation_of(
        &self,
        recipient: RecipientId,
    ) -> Result<Option<ActivationOpen>, Error> {
        Ok(sql!(
            "select created_at, expires_at from recipient_activation
             where recipient_id = $1 and used_at is null and ended_at is null and expires_at > $2"
        )
        .bind(recipient)
        .bind(self.now())
        .first(self.db())
        .await?)
    }

    /// Makes a link in the place of those that wait, and answers it: once.
    pub async fn activation_create(
        &self,
        principal: &Principal,
        name: &str,
        new: ActivationNew,
    ) -> Result<Activation, Error> {
        let info = self
            .recipient_for(principal, name, Operation::ActivationCreate)
            .await?;
        let mut check = Check::new();
        let lifetime = self.credential_lifetime(&mut check, new.days);
        let hours = new.hours.unwrap_or(LONGEST);
        if !(1..=LONGEST).contains(&hours) {
            check.fail("hours", format!("from 1 to {LONGEST}"));
        }
        check.done()?;
        let link = secret::new_token(TokenKind::Activation)?;
        let mut change = self.change(principal).await?;
        hold_recipient(&mut change, &info).await?;
        if !living_tokens(&mut change, info.id).await?.is_empty() {
            return Err(Error::conflict(
                "there is a credential that still counts, so a link would give nothing; revoke it first, or rotate it and hand \
                 the new profile over yourself",
            ));
        }
        end(&mut change, info.id).await?;
        let at = change.at();
        let expires_at = at.plus(i64::from(hours) * HOUR);
        let id = RecipientTokenId::new(at);
        sql!("insert into recipient_activation (id, recipient_id, hash, lifetime, created_at, expires_at)
              values ($1, $2, $3, $4, $5, $6)")
        .bind(id)
        .bind(info.id)
        .bind(secret::hash(&link))
        .bind(lifetime)
        .bind(at)
        .bind(expires_at)
        .execute(change.tx())
        .await?;
        change.note(
            Operation::ActivationCreate,
            Object::new("recipient", &info.name),
            json!({ "link": id, "expires_at": expires_at }),
        );
        change.commit().await?;
        Ok(Activation {
            recipient: info.name,
            url: format!("{}/activate?link={link}", self.options().public_url),
            expires_at,
        })
    }

    /// Takes back the link that waits.
    pub async fn activation_end(
        &self,
        principal: &Principal,
        name: &str,
    ) -> Result<Recipient, Error> {
        let info = self
            .recipient_for(principal, name, Operation::ActivationEnd)
            .await?;
        let mut change = self.change(principal).await?;
        hold_recipient(&mut change, &info).await?;
        if end(&mut change, info.id).await? == 0 {
            return Err(Error::NotFound("link"));
        }
        change.note(
            Operation::ActivationEnd,
            Object::new("recipient", &info.name),
            json!({}),
        );
        change.commit().await?;
        self.recipient(principal, name).await
    }

    /// What a link gives, for whoever has it; changes nothing. `from` is the address that asks.
    pub async fn activation_seen(
        &self,
        principal: &Principal,
        link: &str,
        from: Option<IpAddr>,
    ) -> Result<ActivationSeen, Error> {
        let (link, info) = self.link(principal, link, from).await?;
        Ok(ActivationSeen {
            recipient: info.name,
            team: info.team,
            expires_at: link.expires_at,
            state: link.state(self.now()),
        })
    }

    /// Uses a link up and answers the profile that it gives, with the recipient's name: to one, however many ask at once. For the
    /// others it is not there; [`Exchange::activation_seen`] says why.
    pub async fn activation_use(
        &self,
        principal: &Principal,
        link: &str,
        from: Option<IpAddr>,
    ) -> Result<(Name, Profile), Error> {
        let (link, info) = self.link(principal, link, from).await?;
        let token = secret::new_token(TokenKind::Recipient)?;
        let mut change = self.change(principal).await?;
        hold_recipient(&mut change, &info).await?;
        let at = change.at();
        let used = sql!(
            "update recipient_activation set used_at = $1
             where id = $2 and used_at is null and ended_at is null and expires_at > $1"
        )
        .bind(at)
        .bind(link.id)
        .execute(change.tx())
        .await?;
        if used == 0 {
            return Err(Error::NotFound(SPENT));
        }
        // The link is not used up by that: who made it can mend it.
        if !living_tokens(&mut change, info.id).await?.is_empty() {
            return Err(Error::conflict(
                "this recipient has a credential already, made after this link; ask whoever sent the link to revoke it, and \
                 come back",
            ));
        }
        let lifetime = link.lifetime.min(self.options().token_lifetime);
        let (id, expires_at) = insert_token(&mut change, info.id, &token, lifetime).await?;
        change.note(
            Operation::ActivationUse,
            Object::new("recipient", &info.name),
            json!({ "link": link.id, "token": id, "expires_at": expires_at }),
        );
        change.commit().await?;
        Ok((info.name, self.profile(token, expires_at)))
    }

    /// The link and whose it is. What is no link is not there, and is not looked for.
    async fn link(
        &self,
        principal: &Principal,
        link: &str,
        from: Option<IpAddr>,
    ) -> Result<(LinkRecord, RecipientInfo), Error> {
        let missing = || Error::NotFound("link");
        can(principal, Operation::ActivationUse, &Scope::NONE)?;
        if !secret::is_well_formed(TokenKind::Activation, link) {
            return Err(missing());
        }
        let found: Option<LinkRecord> = sql!(
            "select id, recipient_id, lifetime, expires_at, used_at, ended_at from recipient_activation where hash = $1"
        )
        .bind(secret::hash(link))
        .first(self.db())
        .await?;
        let found = found.ok_or_else(missing)?;
        let info = self
            .recipient_info_by_id(self.db(), found.recipient_id)
            .await?
            .ok_or_else(missing)?;
        if !info.addresses.let_in(from) {
            return Err(Error::forbidden(ReaderRefused::Elsewhere.to_string()));
        }
        Ok((found, info))
    }
}

/// Ends what waits; answers how many did.
pub(super) async fn end(change: &mut Change, recipient: RecipientId) -> Result<u64, Error> {
    let at = change.at();
    Ok(sql!(
        "update recipient_activation set ended_at = $1
         where recipient_id = $2 and used_at is null and ended_at is null and expires_at > $1"
    )
    .bind(at)
    .bind(recipient)
    .execute(change.tx())
    .await?)
}
