//! People, teams, domains, roles, sessions, service tokens, and whom a provider of identities calls whom.

mod accounts;
mod identities;
mod mapping;
mod organisation;
mod provided;
mod sessions;
mod tokens;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use model::{MemberRole, Name, PersonId, Role, TeamId};

pub(crate) use accounts::taken;
pub use mapping::{GroupRule, ProviderRules};
pub use organisation::TeamRecord;
pub use provided::{Entry, Provided};
pub use sessions::SessionRecord;

use crate::db::{DbError, On};
use crate::error::Error;
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// A person as the exchange knows it.
#[derive(Clone, Debug)]
pub(crate) struct PersonRecord {
    pub id: PersonId,
    pub name: Name,
    pub title: String,
    pub email: String,
    pub password_hash: Option<String>,
    pub pseudonym: String,
    pub disabled: bool,
    pub revision: i64,
}
from_row!(PersonRecord {
    id,
    name,
    title,
    email,
    password_hash,
    pseudonym,
    disabled,
    revision
});

struct RoleRow {
    role: Role,
}
from_row!(RoleRow { role });

struct MembershipRow {
    team_id: TeamId,
    role: MemberRole,
}
from_row!(MembershipRow { team_id, role });

impl Exchange {
    pub(crate) async fn person_by_id(&self, id: PersonId) -> Result<Option<PersonRecord>, DbError> {
        sql!("select id, name, title, email, password_hash, pseudonym, disabled, revision from person where id = $1")
            .bind(id)
            .first(self.db())
            .await
    }

    pub(crate) async fn person_by_name(&self, name: &str) -> Result<Option<PersonRecord>, DbError> {
        sql!("select id, name, title, email, password_hash, pseudonym, disabled, revision from person where name = $1")
            .bind(name)
            .first(self.db())
            .await
    }

    /// A person's principal with the roles and teams of this instant. None: gone or disabled.
    pub(crate) async fn principal_of(&self, id: PersonId) -> Result<Option<Principal>, Error> {
        let Some(person) = self.person_by_id(id).await? else {
            return Ok(None);
        };
        if person.disabled {
            return Ok(None);
        }
        let roles = roles_of(self.db(), id).await?;
        let teams: Vec<MembershipRow> =
            sql!("select team_id, role from team_member where person_id = $1")
                .bind(id)
                .all(self.db())
                .await?;
        let teams: BTreeMap<TeamId, MemberRole> = teams
            .into_iter()
            .map(|row| (row.team_id, row.role))
            .collect();
        Ok(Some(Principal::person(
            person.id,
            person.pseudonym,
            person.title,
            roles,
            teams,
        )))
    }
}

async fn roles_of<'a>(on: impl Into<On<'a>>, person: PersonId) -> Result<BTreeSet<Role>, DbError> {
    let rows: Vec<RoleRow> =
        sql!("select role from person_role where person_id = $1 order by role")
            .bind(person)
            .all(on)
            .await?;
    Ok(rows.into_iter().map(|row| row.role).collect())
}
