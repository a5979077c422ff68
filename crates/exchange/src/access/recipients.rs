//! Recipients: the machine identity of a consumer team in one cloud region, and its sharing credentials.

use model::dto::{Profile, ProfileNew, Recipient, RecipientLimits, RecipientNew, RecipientToken};
use model::time::DAY;
use model::{Cloud, Location, Name, RecipientId, RecipientTokenId, Timestamp};
use serde_json::json;

use super::limits::check_address;
use super::{RecipientInfo, recipient_rows};
use crate::audit::Object;
use crate::change::Change;
use crate::error::{Check, Error};
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::people::taken;
use crate::policy::{Scope, can, can_see};
use crate::principal::Principal;
use crate::secret::{self, TokenKind};
use crate::{Exchange, from_row, sql};

from_row!(RecipientToken {
    id,
    hint,
    created_at,
    expires_at,
    revoked_at
});

impl Exchange {
    pub(super) async fn recipient_dto(&self, info: RecipientInfo) -> Result<Recipient, Error> {
        let tokens = sql!(
            "select id, hint, created_at, expires_at, revoked_at from recipient_token where recipient_id = $1 order by id desc"
        )
        .bind(info.id)
        .all(self.db())
        .await?;
        let location = info.location()?;
        Ok(Recipient {
            federation: self.federations_of(info.id).await?,
            activation: self.activation_of(info.id).await?,
            limits: info.limits(),
            name: info.name,
            team: info.team,
            location,
            revision: info.revision,
            tokens,
        })
    }

    /// Recipients of the caller's teams; admins and auditors see all.
    pub async fn recipients(
        &self,
        principal: &Principal,
        page: &PageRequest,
    ) -> Result<Page<Recipient>, Error> {
        self.recipients_listed(principal, principal.sees_all(), page)
            .await
    }

    /// Those of the caller's teams alone, also for an admin.
    pub async fn own_recipients(
        &self,
        principal: &Principal,
        page: &PageRequest,
    ) -> Result<Page<Recipient>, Error> {
        self.recipients_listed(principal, false, page).await
    }

    async fn recipients_listed(
        &self,
        principal: &Principal,
        all: bool,
        page: &PageRequest,
    ) -> Result<Page<Recipient>, Error> {
        can(principal, Operation::RecipientList, &Scope::NONE)?;
        let (person, team) = principal.scope();
        let rows: Vec<RecipientInfo> = sql!(
            recipient_rows!(),
            " where recipient.name > $1 and ($2 or team_id = $4
                 or team_id in (select team_member.team_id from team_member where person_id = $3))
                 order by recipient.name limit $5"
        )
        .bind(page.after_text())
        .bind(all)
        .bind(person)
        .bind(team)
        .bind(page.fetch())
        .all(self.db())
        .await?;
        let page = page.cut(rows, |row| row.name.to_string());
        let mut items = Vec::with_capacity(page.items.len());
        for info in page.items {
            items.push(self.recipient_dto(info).await?);
        }
        Ok(Page {
            items,
            next: page.next,
        })
    }

    pub(super) async fn recipient_for(
        &self,
        principal: &Principal,
        name: &str,
        operation: Operation,
    ) -> Result<RecipientInfo, Error> {
        let found = self.recipient_info(name).await?;
        let Some(info) = found else {
            can(principal, Operation::RecipientList, &Scope::NONE)?;
            return Err(Error::NotFound("recipient"));
        };
        let scope = Scope::consumer(info.team_id);
        can_see(principal, Operation::RecipientRead, &scope, "recipient")?;
        can(principal, operation, &scope)?;
        Ok(info)
    }

    pub async fn recipient(&self, principal: &Principal, name: &str) -> Result<Recipient, Error> {
        let info = self
            .recipient_for(principal, name, Operation::RecipientRead)
            .await?;
        self.recipient_dto(info).await
    }

    pub async fn recipient_create(
        &self,
        principal: &Principal,
        new: RecipientNew,
    ) -> Result<Recipient, Error> {
        can(principal, Operation::RecipientList, &Scope::NONE)?;
        let mut check = Check::new();
        let name: Option<Name> = check.parse("name", &new.name);
        let cloud: Option<Cloud> = check.parse("cloud", &new.cloud);
        let location = cloud.and_then(|cloud| match Location::new(cloud, &new.region) {
            Ok(location) => Some(location),
            Err(error) => {
                check.fail("region", error);
                None
            }
        });
        check.done()?;
        let (Some(name), Some(location)) = (name, location) else {
            return Err(Error::invalid("name", "missing"));
        };
        let team = self
            .team_by_name(&new.team)
            .await?
            .ok_or_else(|| Error::invalid("team", "there is no such team"))?;
        can(
            principal,
            Operation::RecipientCreate,
            &Scope::consumer(team.id),
        )?;
        let mut change = self.change(principal).await?;
        sql!("insert into recipient (id, team_id, name, cloud, region, revision, created_at, updated_at)
              values ($1, $2, $3, $4, $5, 1, $6, $6)")
        .bind(RecipientId::new(change.at()))
        .bind(team.id)
        .bind(&name)
        .bind(location.cloud)
        .bind(location.region())
        .bind(change.at())
        .execute(change.tx())
        .await
        .map_err(|error| taken(error, "name", "that name is taken"))?;
        change.note(
            Operation::RecipientCreate,
            Object::new("recipient", &name),
            json!({ "team": team.name, "location": location }),
        );
        change.commit().await?;
        Ok(Recipient {
            name,
            team: team.name,
            location,
            revision: 1,
            tokens: Vec::new(),
            limits: RecipientLimits::default(),
            federation: Vec::new(),
            activation: None,
        })
    }

    /// Makes the recipient's first credential and answers the profile that holds it: once. While one is alive another is
    /// made by [`Exchange::recipient_rotate`] only.
    pub async fn profile_create(
        &self,
        principal: &Principal,
        name: &str,
        new: ProfileNew,
    ) -> Result<Profile, Error> {
        let info = self
            .recipient_for(principal, name, Operation::ProfileCreate)
            .await?;
        check_address(principal, &info)?;
        let mut check = Check::new();
        let lifetime = self.credential_lifetime(&mut check, new.days);
        check.done()?;
        let token = secret::new_token(TokenKind::Recipient)?;
        let mut change = self.change(principal).await?;
        hold_recipient(&mut change, &info).await?;
        let living = living_tokens(&mut change, info.id).await?;
        if !living.is_empty() {
            return Err(Error::conflict(
                "the profile was downloaded already and is shown only once; rotate the credential, or revoke it and download \
                 a new profile",
            ));
        }
        let (id, expires_at) = insert_token(&mut change, info.id, &token, lifetime).await?;
        change.note(
            Operation::ProfileCreate,
            Object::new("recipient", &info.name),
            json!({ "token": id, "expires_at": expires_at }),
        );
        change.commit().await?;
        Ok(self.profile(token, expires_at))
    }

    /// How long a credential lives that was asked for so many `days`; no longer than the installation lets any live.
    pub(super) fn credential_lifetime(&self, check: &mut Check, days: Option<u32>) -> i64 {
        let longest = self.options().token_lifetime;
        let lifetime = days.map_or(longest, |days| i64::from(days).saturating_mul(DAY));
        if lifetime <= 0 || lifetime > longest {
            check.fail("days", format!("from 1 to {}", longest / DAY));
        }
        lifetime
    }

    pub(super) fn profile(&self, token: String, expires_at: Timestamp) -> Profile {
        Profile {
            share_credentials_version: 1,
            endpoint: format!("{}/delta-sharing/", self.options().public_url),
            bearer_token: token,
            expiration_time: expires_at,
        }
    }

    /// Ends a credential now; felt on its next use, on every process.
    pub async fn recipient_token_revoke(
        &self,
        principal: &Principal,
        name: &str,
        token: RecipientTokenId,
    ) -> Result<Recipient, Error> {
        let info = self
            .recipient_for(principal, name, Operation::RecipientTokenRevoke)
            .await?;
        let mut change = self.change(principal).await?;
        let changed = sql!(
            "update recipient_token set revoked_at = coalesce(revoked_at, $1) where id = $2 and recipient_id = $3"
        )
        .bind(change.at())
        .bind(token)
        .bind(info.id)
        .execute(change.tx())
        .await?;
        if changed == 0 {
            return Err(Error::NotFound("token"));
        }
        change.note(
            Operation::RecipientTokenRevoke,
            Object::new("recipient", &info.name),
            json!({ "token": token }),
        );
        change.commit().await?;
        self.recipient(principal, name).await
    }
}

/// A credential that counts at the instant of the change.
#[derive(Clone, Debug)]
pub(super) struct LivingToken {
    pub(super) id: RecipientTokenId,
    pub(super) hint: String,
    pub(super) expires_at: Timestamp,
}
from_row!(LivingToken {
    id,
    hint,
    expires_at
});

/// Takes the recipient's row first, so that two who make credentials at once wait for each other. One that has moved to another
/// team since the caller's rights were looked at is refused.
pub(super) async fn hold_recipient(change: &mut Change, info: &RecipientInfo) -> Result<(), Error> {
    let held = sql!(
        "update recipient set revision = revision + 1, updated_at = $1 where id = $2 and team_id = $3"
    )
    .bind(change.at())
    .bind(info.id)
    .bind(info.team_id)
    .execute(change.tx())
    .await?;
    if held == 0 {
        return Err(Error::changed("recipient"));
    }
    Ok(())
}

/// The credentials that count, in the order of their ends.
pub(super) async fn living_tokens(
    change: &mut Change,
    id: RecipientId,
) -> Result<Vec<LivingToken>, Error> {
    Ok(sql!(
        "select id, hint, expires_at from recipient_token
         where recipient_id = $1 and revoked_at is null and expires_at > $2 order by expires_at, id"
    )
    .bind(id)
    .bind(change.at())
    .all(change.tx())
    .await?)
}

/// Keeps a new credential; answers its id and its end.
pub(super) async fn insert_token(
    change: &mut Change,
    recipient: RecipientId,
    token: &str,
    lifetime: i64,
) -> Result<(RecipientTokenId, Timestamp), Error> {
    let at = change.at();
    let (id, expires_at) = (RecipientTokenId::new(at), at.plus(lifetime));
    sql!(
        "insert into recipient_token (id, recipient_id, hash, hint, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6)"
    )
    .bind(id)
    .bind(recipient)
    .bind(secret::hash(token))
    .bind(secret::hint(token))
    .bind(at)
    .bind(expires_at)
    .execute(change.tx())
    .await?;
    Ok((id, expires_at))
}
