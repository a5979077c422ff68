//! Signing in, and the sessions that come of it. The store keeps a hash of the session's id, never the id.

use model::{PersonId, Timestamp};
use serde_json::json;

use super::accounts::verify_in_background;
use crate::audit::Object;
use crate::error::Error;
use crate::operation::Operation;
use crate::principal::Principal;
use crate::{Exchange, from_row, secret, sql};

/// A session as stored: the data is the session layer's JSON.
#[derive(Clone, Debug)]
pub struct SessionRecord {
    pub person_id: Option<PersonId>,
    pub data: String,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
    pub expires_at: Timestamp,
}
from_row!(SessionRecord {
    person_id,
    data,
    created_at,
    last_seen_at,
    expires_at
});

impl Exchange {
    /// Checks name and password. Unknown, wrong, disabled and without password answer alike and as slowly.
    pub async fn sign_in(
        &self,
        name: &str,
        password: String,
    ) -> Result<(PersonId, Principal), Error> {
        let person = self.person_by_name(name).await?;
        let stored = person
            .as_ref()
            .filter(|person| !person.disabled)
            .and_then(|person| person.password_hash.clone());
        let fits = verify_in_background(password, stored).await?;
        let principal = match &person {
            Some(person) if fits => self.principal_of(person.id).await?,
            _ => None,
        };
        let (Some(person), Some(principal)) = (person, principal) else {
            return Err(Error::Unauthenticated);
        };
        let mut change = self.change(&principal).await?;
        change.note(
            Operation::SignIn,
            Object::new("person", &person.pseudonym),
            json!({ "by": "password" }),
        );
        change.commit().await?;
        Ok((person.id, principal))
    }

    /// Whether the way to a provider that was begun with `state` is gone for the first time. `ends_at`: when it is over anyway.
    pub async fn sign_in_state_use(&self, state: &str, ends_at: Timestamp) -> Result<bool, Error> {
        let changed = sql!(
            "insert into sign_in_used (state_hash, ends_at) values ($1, $2) on conflict (state_hash) do nothing"
        )
        .bind(secret::hash(state))
        .bind(ends_at)
        .execute(self.db())
        .await?;
        Ok(changed == 1)
    }

    /// The principal of a session's person, with the roles of this instant; nobody when the account is gone.
    pub async fn principal_of_session(&self, person: PersonId) -> Result<Principal, Error> {
        Ok(self
            .principal_of(person)
            .await?
            .unwrap_or_else(Principal::nobody))
    }

    /// Reads a session that has not ended, by idleness or by age.
    pub async fn session_load(&self, id: &str) -> Result<Option<SessionRecord>, Error> {
        let now = self.now();
        let options = self.options();
        let record: Option<SessionRecord> = sql!(
            "select person_id, data, created_at, last_seen_at, expires_at from session
             where id_hash = $1 and expires_at > $2 and last_seen_at > $3"
        )
        .bind(secret::hash(id))
        .bind(now)
        .bind(now.plus(-options.session_idle))
        .first(self.db())
        .await?;
        // Written at most once a minute: a page view is no reason to write.
        if let Some(record) = &record
            && now.since(record.last_seen_at) > model::time::MINUTE
        {
            sql!("update session set last_seen_at = $1 where id_hash = $2")
                .bind(now)
                .bind(secret::hash(id))
                .execute(self.db())
                .await?;
        }
        Ok(record)
    }

    /// Writes a session. `fresh`: a new one, and false when that id is taken. Else one that is there, and false when it has
    /// been ended meanwhile: a request that was under way does not bring it back.
    pub async fn session_save(
        &self,
        id: &str,
        person: Option<PersonId>,
        data: &str,
        fresh: bool,
    ) -> Result<bool, Error> {
        let now = self.now();
        let ends = now.plus(self.options().session_lifetime);
        let changed = if fresh {
            sql!("insert into session (id_hash, person_id, data, created_at, last_seen_at, expires_at)
                  values ($1, $2, $3, $4, $4, $5) on conflict (id_hash) do nothing")
            .bind(secret::hash(id))
            .bind(person)
            .bind(data)
            .bind(now)
            .bind(ends)
            .execute(self.db())
            .await?
        } else {
            sql!(
                "update session set person_id = $1, data = $2, last_seen_at = $3 where id_hash = $4"
            )
            .bind(person)
            .bind(data)
            .bind(now)
            .bind(secret::hash(id))
            .execute(self.db())
            .await?
        };
        Ok(changed == 1)
    }

    pub async fn session_delete(&self, id: &str) -> Result<(), Error> {
        sql!("delete from session where id_hash = $1")
            .bind(secret::hash(id))
            .execute(self.db())
            .await?;
        Ok(())
    }

    /// Removes what has ended; called now and then by a worker.
    pub async fn sessions_sweep(&self) -> Result<u64, Error> {
        let now = self.now();
        sql!("delete from sign_in_used where ends_at <= $1")
            .bind(now)
            .execute(self.db())
            .await?;
        Ok(
            sql!("delete from session where expires_at <= $1 or last_seen_at <= $2")
                .bind(now)
                .bind(now.plus(-self.options().session_idle))
                .execute(self.db())
                .await?,
        )
    }
}
