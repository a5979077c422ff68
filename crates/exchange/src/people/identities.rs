//! What providers of identities call a person: issuer and subject are the identity (C-48). An e-mail address is none, so nothing
//! links an account by itself; an admin may.

use model::dto::{Identity, IdentityNew};
use model::{IdentityId, PersonId, Timestamp};
use serde_json::json;

use super::accounts::{end_sessions, taken};
use super::provided;
use crate::audit::Object;
use crate::error::{Check, Error};
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::policy::{Scope, can, can_see};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

struct IdentityRow {
    id: IdentityId,
    issuer: String,
    subject: String,
    linked_at: Timestamp,
    used_at: Option<Timestamp>,
}
from_row!(IdentityRow {
    id,
    issuer,
    subject,
    linked_at,
    used_at
});

/// Nobody is to be shut out by a mistake: for that an account is disabled.
const ONLY_WAY: &str = "nothing else lets this person in; have an admin set a password for them first, or disable the account";

impl Exchange {
    /// By which identities a person signs in.
    pub async fn identities(
        &self,
        principal: &Principal,
        person: &str,
        page: &PageRequest,
    ) -> Result<Page<Identity>, Error> {
        let Some(person) = self.person_by_name(person).await? else {
            can(principal, Operation::PersonRead, &Scope::NONE)?;
            return Err(Error::NotFound("person"));
        };
        let scope = Scope::person(person.id);
        can_see(principal, Operation::IdentityList, &scope, "person")?;
        let after: Option<IdentityId> = page.parse_after()?;
        let rows: Vec<IdentityRow> = sql!(
            "select id, issuer, subject, linked_at, used_at from person_identity
             where person_id = $1 and (id > $2 or $2 is null) order by id limit $3"
        )
        .bind(person.id)
        .bind(after)
        .bind(page.fetch())
        .all(self.db())
        .await?;
        let removable = person.password_hash.is_some() || self.count_of(person.id).await? > 1;
        let found = page.cut(rows, |row| row.id.to_string());
        let items = found.items.into_iter().map(|row| Identity {
            id: row.id,
            issuer: row.issuer,
            subject: row.subject,
            linked_at: row.linked_at,
            used_at: row.used_at,
            removable,
        });
        Ok(Page {
            items: items.collect(),
            next: found.next,
        })
    }

    async fn count_of(&self, person: PersonId) -> Result<i64, Error> {
        let row = sql!("select count(*) as count from person_identity where person_id = $1")
            .bind(person)
            .row(self.db())
            .await?;
        Ok(match row {
            Some(row) => row.get("count")?,
            None => 0,
        })
    }

    /// Lets whoever the provider calls so sign in as this person.
    pub async fn identity_link(
        &self,
        principal: &Principal,
        person: &str,
        new: IdentityNew,
    ) -> Result<Identity, Error> {
        can(principal, Operation::IdentityLink, &Scope::NONE)?;
        let person = self
            .person_by_name(person)
            .await?
            .ok_or(Error::NotFound("person"))?;
        let mut check = Check::new();
        let issuer = check.text("issuer", &new.issuer, 1, 500, false);
        let subject = check.text("subject", &new.subject, 1, 255, false);
        check.done()?;
        let mut change = self.change(principal).await?;
        let identity = Identity {
            id: IdentityId::new(change.at()),
            issuer,
            subject,
            linked_at: change.at(),
            used_at: None,
            removable: person.password_hash.is_some()
                || has_identity(&mut change, person.id).await?,
        };
        provided::link(&mut change, person.id, &identity)
            .await
            .map_err(|error| {
                let message = "this identity is somebody's already; unlink it there first";
                taken(error, "subject", message)
            })?;
        change.note(
            Operation::IdentityLink,
            Object::new("person", &person.pseudonym),
            json!({ "identity": identity.id, "issuer": identity.issuer }),
        );
        change.commit().await?;
        Ok(identity)
    }

    /// Ends an identity's way in, and the person's sessions. With the last one goes what groups had given. The last way in at all
    /// stays.
    pub async fn identity_unlink(
        &self,
        principal: &Principal,
        person: &str,
        id: IdentityId,
    ) -> Result<(), Error> {
        let person = self.person_by_name(person).await?;
        // To who may not, one that is not there is like one that is somebody else.
        let scope = person
            .as_ref()
            .map_or(Scope::NONE, |person| Scope::person(person.id));
        can(principal, Operation::IdentityUnlink, &scope)?;
        let person = person.ok_or(Error::NotFound("person"))?;
        let mut change = self.change(principal).await?;
        // Who takes away another one at the same time waits: not both can be the last but one.
        sql!("update person set revision = revision where id = $1")
            .bind(person.id)
            .execute(change.tx())
            .await?;
        let removed = sql!("delete from person_identity where id = $1 and person_id = $2")
            .bind(id)
            .bind(person.id)
            .execute(change.tx())
            .await?;
        if removed == 0 {
            return Err(Error::NotFound("identity"));
        }
        if !has_identity(&mut change, person.id).await? {
            if person.password_hash.is_none() {
                return Err(Error::conflict(ONLY_WAY));
            }
            let taken = sql!("delete from person_role where person_id = $1 and mapped")
                .bind(person.id)
                .execute(change.tx())
                .await?;
            if taken > 0 {
                sql!("update person set revision = revision + 1 where id = $1")
                    .bind(person.id)
                    .execute(change.tx())
                    .await?;
            }
            sql!("delete from team_member where person_id = $1 and mapped")
                .bind(person.id)
                .execute(change.tx())
                .await?;
        }
        end_sessions(&mut change, person.id).await?;
        change.note(
            Operation::IdentityUnlink,
            Object::new("person", &person.pseudonym),
            json!({ "identity": id }),
        );
        change.commit().await
    }
}

async fn has_identity(change: &mut crate::change::Change, person: PersonId) -> Result<bool, Error> {
    Ok(
        sql!("select id from person_identity where person_id = $1 limit 1")
            .bind(person)
            .row(change.tx())
            .await?
            .is_some(),
    )
}
