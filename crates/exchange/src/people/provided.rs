//! Signing in by a provider of identities: whom issuer and subject are, a first sign-in's account, and what groups give, renewed
//! each time. Does not live here: how the provider is asked and its word is checked (the server does that first).

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use model::dto::Identity;
use model::{IdentityId, MemberRole, Name, PersonId, Role, TeamId};
use serde_json::json;
use unicode_normalization::UnicodeNormalization as _;

use super::accounts::check_email;
use super::mapping::Given;
use super::{PersonRecord, ProviderRules};
use crate::audit::Object;
use crate::change::Change;
use crate::db::DbError;
use crate::error::{Check, Error, is_unfit};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, secret, sql};

/// What a provider has said of somebody, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provided {
    pub issuer: String,
    pub subject: String,
    /// What the person may be called here, the best first: used once, for a first sign-in's account.
    pub names: Vec<String>,
    pub title: Option<String>,
    /// Only where the provider has made sure that it is theirs. Kept for mail; it links nothing.
    pub email: Option<String>,
    pub groups: BTreeSet<String>,
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    In(PersonId, Principal),
    /// The account is there and has been disabled.
    Disabled,
    /// Nobody here is called so, and only who is known may come in.
    Unknown,
}

/// How often a name or an identity that somebody took meanwhile is looked for again.
const TRIES: usize = 5;
/// Names of people who are not, and of machines: an account that is made of itself does not get them.
const RESERVED: [&str; 9] = [
    "admin",
    "administrator",
    "entrepot",
    "nobody",
    "operator",
    "root",
    "support",
    "system",
    "security",
];
/// Room for a number behind it.
const LONGEST: usize = 48;

struct HeldRole {
    role: Role,
    mapped: bool,
}
from_row!(HeldRole { role, mapped });

struct HeldTeam {
    team_id: TeamId,
    team: Name,
    role: MemberRole,
    mapped: bool,
}
from_row!(HeldTeam {
    team_id,
    team,
    role,
    mapped
});

impl Exchange {
    /// Signs in whom the provider names, and renews what their groups give.
    pub async fn sign_in_provided(&self, provided: &Provided) -> Result<Entry, Error> {
        can(&Principal::nobody(), Operation::SignIn, &Scope::NONE)?;
        let Some(rules) = &self.options().provider else {
            return Err(Error::internal("no provider of identities is configured"));
        };
        for _ in 0..TRIES {
            match self.enter(provided, rules).await {
                // Somebody took the name, or the same person came twice at once.
                Err(Failed::Database(DbError::Unique(_))) => {}
                Err(Failed::Database(error)) => return Err(error.into()),
                Err(Failed::Otherwise(error)) => return Err(error),
                Ok(entry) => return Ok(entry),
            }
        }
        Err(Error::Unavailable(
            "the account could not be made; try again in a moment".to_owned(),
        ))
    }

    async fn enter(&self, provided: &Provided, rules: &ProviderRules) -> Result<Entry, Failed> {
        let known: Option<PersonRecord> = sql!(
            "select person.id, name, title, email, password_hash, pseudonym, disabled, revision
             from person join person_identity on person_identity.person_id = person.id
             where issuer = $1 and subject = $2"
        )
        .bind(&provided.issuer)
        .bind(&provided.subject)
        .first(self.db())
        .await?;
        if known.as_ref().is_some_and(|person| person.disabled) {
            return Ok(Entry::Disabled);
        }
        if known.is_none() && rules.known_only {
            return Ok(Entry::Unknown);
        }
        let given = rules.given(&provided.groups);
        let teams = self.given_teams(&given).await?;
        let (person, mut change) = match known {
            Some(person) => {
                let mut change = self.change(&acting(&person)).await?;
                // Also holds up another sign-in of the same person until this one has been written.
                let found = sql!(
                    "update person_identity set used_at = $1 where issuer = $2 and subject = $3 and person_id = $4"
                )
                .bind(change.at())
                .bind(&provided.issuer)
                .bind(&provided.subject)
                .bind(person.id)
                .execute(change.tx())
                .await?;
                if found == 0 {
                    return Ok(Entry::Unknown);
                }
                (person, change)
            }
            None => self.first_sign_in(provided).await?,
        };
        sql!("update person set revision = revision where id = $1")
            .bind(person.id)
            .execute(change.tx())
            .await?;
        renew_roles(&mut change, &person, &given.roles).await?;
        renew_teams(&mut change, &person, &teams).await?;
        change.note(
            Operation::SignIn,
            Object::new("person", &person.pseudonym),
            json!({ "by": "provider", "issuer": provided.issuer }),
        );
        change.commit().await?;
        Ok(match self.principal_of(person.id).await? {
            Some(principal) => Entry::In(person.id, principal),
            None => Entry::Disabled,
        })
    }

    /// The teams that there are of those that the groups give.
    async fn given_teams(
        &self,
        given: &Given,
    ) -> Result<BTreeMap<TeamId, (Name, MemberRole)>, Failed> {
        let mut teams = BTreeMap::new();
        for (name, role) in &given.teams {
            match self.team_by_name(name.as_str()).await? {
                Some(team) => {
                    teams.insert(team.id, (team.name, *role));
                }
                None => tracing::warn!(
                    team = name.as_str(),
                    "oidc.groups names a team that is not there, which nobody gets"
                ),
            }
        }
        Ok(teams)
    }

    /// An account with a name of its own: that one like it is there already says nothing about whose it is.
    async fn first_sign_in(&self, provided: &Provided) -> Result<(PersonRecord, Change), Failed> {
        let name = self.free_name(&provided.names).await?;
        let title = provided
            .title
            .as_deref()
            .and_then(fit_title)
            .unwrap_or_else(|| name.to_string());
        let pseudonym = format!("p-{}", secret::random_text(10)?.to_lowercase());
        let at = self.now();
        let person = PersonRecord {
            id: PersonId::new(at),
            name,
            title,
            email: fit_email(provided.email.as_deref().unwrap_or_default()),
            password_hash: None,
            pseudonym,
            disabled: false,
            revision: 1,
        };
        let mut change = self.change(&acting(&person)).await?;
        sql!("insert into person (id, name, title, email, password_hash, pseudonym, disabled, revision, created_at, updated_at)
              values ($1, $2, $3, $4, null, $5, false, 1, $6, $6)")
        .bind(person.id)
        .bind(&person.name)
        .bind(&person.title)
        .bind(&person.email)
        .bind(&person.pseudonym)
        .bind(at)
        .execute(change.tx())
        .await?;
        let identity = Identity {
            id: IdentityId::new(at),
            issuer: provided.issuer.clone(),
            subject: provided.subject.clone(),
            linked_at: at,
            used_at: Some(at),
            removable: false,
        };
        link(&mut change, person.id, &identity).await?;
        change.note(
            Operation::PersonCreate,
            Object::new("person", &person.pseudonym),
            json!({ "by": "provider", "issuer": identity.issuer, "identity": identity.id }),
        );
        Ok((person, change))
    }

    async fn free_name(&self, wishes: &[String]) -> Result<Name, Failed> {
        let wish = wishes
            .iter()
            .find_map(|wish| plain_name(wish))
            .unwrap_or_else(|| "person".to_owned());
        for number in 1..=20 {
            let name = match number {
                1 if RESERVED.contains(&wish.as_str()) => continue,
                1 => wish.clone(),
                number => format!("{wish}-{number}"),
            };
            if self.person_by_name(&name).await?.is_none() {
                return name.parse().map_err(|error| Error::internal(error).into());
            }
        }
        let name = format!("{wish}-{}", secret::random_text(8)?.to_lowercase());
        name.parse().map_err(|error| Error::internal(error).into())
    }
}

/// What a try came to grief of: a unique value that is taken is worth another one.
enum Failed {
    Database(DbError),
    Otherwise(Error),
}

impl From<DbError> for Failed {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Otherwise(error)
    }
}

/// The person, as the audit log is to name them: they sign in themselves.
fn acting(person: &PersonRecord) -> Principal {
    Principal::person(
        person.id,
        person.pseudonym.clone(),
        person.title.clone(),
        BTreeSet::new(),
        BTreeMap::new(),
    )
}

pub(super) async fn link(
    change: &mut Change,
    person: PersonId,
    identity: &Identity,
) -> Result<(), DbError> {
    sql!("insert into person_identity (id, person_id, issuer, subject, linked_at, used_at) values ($1, $2, $3, $4, $5, $6)")
        .bind(identity.id)
        .bind(person)
        .bind(&identity.issuer)
        .bind(&identity.subject)
        .bind(identity.linked_at)
        .bind(identity.used_at)
        .execute(change.tx())
        .await?;
    Ok(())
}

/// Gives what is missing and takes what had come by groups. What was given by hand stays as it is.
async fn renew_roles(
    change: &mut Change,
    person: &PersonRecord,
    given: &BTreeSet<Role>,
) -> Result<(), DbError> {
    let held: Vec<HeldRole> =
        sql!("select role, mapped from person_role where person_id = $1 order by role")
            .bind(person.id)
            .all(change.tx())
            .await?;
    let had: BTreeSet<Role> = held.iter().map(|held| held.role).collect();
    let mapped: BTreeSet<Role> = held
        .iter()
        .filter(|held| held.mapped)
        .map(|held| held.role)
        .collect();
    let new: Vec<Role> = given.difference(&had).copied().collect();
    let gone: Vec<Role> = mapped.difference(given).copied().collect();
    if new.is_empty() && gone.is_empty() {
        return Ok(());
    }
    let at = change.at();
    // Who has a form of the roles open is told.
    sql!("update person set revision = revision + 1, updated_at = $1 where id = $2")
        .bind(at)
        .bind(person.id)
        .execute(change.tx())
        .await?;
    for role in &new {
        sql!("insert into person_role (person_id, role, granted_at, mapped) values ($1, $2, $3, true)")
            .bind(person.id)
            .bind(*role)
            .bind(at)
            .execute(change.tx())
            .await?;
    }
    for role in &gone {
        sql!("delete from person_role where person_id = $1 and role = $2 and mapped")
            .bind(person.id)
            .bind(*role)
            .execute(change.tx())
            .await?;
    }
    change.note(
        Operation::RoleSet,
        Object::new("person", &person.pseudonym),
        json!({ "by": "groups", "given": new, "taken": gone }),
    );
    Ok(())
}

/// The same of memberships. In a team that somebody was put into by hand groups change nothing.
async fn renew_teams(
    change: &mut Change,
    person: &PersonRecord,
    given: &BTreeMap<TeamId, (Name, MemberRole)>,
) -> Result<(), DbError> {
    let held: Vec<HeldTeam> = sql!(
        "select team_id, team.name as team, role, mapped from team_member join team on team.id = team_id
         where person_id = $1 order by team.name"
    )
    .bind(person.id)
    .all(change.tx())
    .await?;
    let at = change.at();
    for (team, (name, role)) in given {
        let found = held.iter().find(|held| held.team_id == *team);
        if found.is_some_and(|held| !held.mapped || held.role == *role) {
            continue;
        }
        sql!(
            "insert into team_member (team_id, person_id, role, added_at, mapped) values ($1, $2, $3, $4, true)
             on conflict (team_id, person_id) do update set role = excluded.role where team_member.mapped"
        )
        .bind(*team)
        .bind(person.id)
        .bind(*role)
        .bind(at)
        .execute(change.tx())
        .await?;
        change.note(
            Operation::MemberSet,
            Object::new("team", name),
            json!({ "person": person.pseudonym, "role": role, "by": "groups" }),
        );
    }
    for gone in held
        .iter()
        .filter(|held| held.mapped && !given.contains_key(&held.team_id))
    {
        sql!("delete from team_member where team_id = $1 and person_id = $2 and mapped")
            .bind(gone.team_id)
            .bind(person.id)
            .execute(change.tx())
            .await?;
        change.note(
            Operation::MemberRemove,
            Object::new("team", &gone.team),
            json!({ "person": person.pseudonym, "by": "groups" }),
        );
    }
    Ok(())
}

/// What of a wish can be a name: of `Zoë.Müller@example.org` it is `zoe-muller`. None: nothing of it.
fn plain_name(wish: &str) -> Option<String> {
    let wish = wish.split('@').next().unwrap_or_default();
    let mut name = String::new();
    for letter in wish.nfkd().flat_map(char::to_lowercase) {
        if name.len() >= LONGEST {
            break;
        }
        match letter {
            'a'..='z' => name.push(letter),
            '0'..='9' | '_' if !name.is_empty() => name.push(letter),
            // What stands above or below a letter.
            '\u{300}'..='\u{36f}' => {}
            _ if !name.is_empty() && !name.ends_with('-') => name.push('-'),
            _ => {}
        }
    }
    let name = name.trim_end_matches(['-', '_']);
    (!name.is_empty()).then(|| name.to_owned())
}

fn fit_title(text: &str) -> Option<String> {
    let fit: String = text.chars().filter(|c| !is_unfit(*c)).take(200).collect();
    let fit = fit.trim();
    (!fit.is_empty()).then(|| fit.to_owned())
}

/// The address where it is one, else none.
fn fit_email(text: &str) -> String {
    let mut check = Check::new();
    let email = check_email(&mut check, text);
    if check.is_clean() {
        email
    } else {
        String::new()
    }
}
