//! Accounts: listing, making and changing them, their roles and passwords.

use std::fmt;

use exchange::Operation;
use exchange::policy::{Scope, allows};
use leptos::prelude::*;
use model::Role;
use model::dto::Identity;
use model::dto::Me;
use model::dto::PasswordChange;
use model::dto::Person;
use model::dto::PersonChange;
use model::dto::PersonNew;
use model::dto::RolesChange;
use model::dto::Token;
use serde::Deserialize;
use serde::Serialize;

use crate::api::Done;
use crate::api::Listed;
use crate::components::tick::TICKED;
use crate::error::AppError;
use crate::words;

use super::{call, confirmed, every, parse_id, said, sent};

const PAGE: &str = "/admin/people";

/// A page of accounts.
#[derive(Clone, Debug)]
pub struct People {
    pub people: Listed<Person>,
    pub may_create: bool,
}

/// Accounts in the order of their names.
pub async fn people(after: Option<String>) -> Result<People, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest { after, limit: None };
    let found = exchange.people(&principal, &page).await.map_err(said)?;
    Ok(People {
        people: found.into(),
        may_create: allows(&principal, Operation::PersonCreate, &Scope::NONE),
    })
}

/// An account, and whether the viewer may change it.
#[derive(Clone, Debug)]
pub struct PersonShown {
    pub person: Person,
    pub may_change: bool,
    /// The viewer's own.
    pub is_own: bool,
    /// By which it is signed in to.
    pub identities: Vec<Identity>,
}

pub async fn person(name: String) -> Result<PersonShown, AppError> {
    let (exchange, principal) = call()?;
    let person = exchange.person(&principal, &name).await.map_err(said)?;
    let identities = every!(|page| exchange.identities(&principal, &name, &page));
    Ok(PersonShown {
        identities,
        may_change: allows(&principal, Operation::PersonUpdate, &Scope::NONE),
        is_own: principal.own_account() == Some(person.id),
        person,
    })
}

/// One box for each role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RolesTicked {
    pub admin: String,
    pub auditor: String,
    pub finance: String,
    pub data_protection: String,
}

impl RolesTicked {
    fn roles(&self) -> Vec<String> {
        let boxes = [
            (Role::Admin, &self.admin),
            (Role::Auditor, &self.auditor),
            (Role::Finance, &self.finance),
            (Role::DataProtection, &self.data_protection),
        ];
        let ticked = boxes.into_iter().filter(|(_, word)| *word == TICKED);
        ticked.map(|(role, _)| role.as_str().to_owned()).collect()
    }
}

/// A new account. Prints without its password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonForm {
    pub name: String,
    pub title: String,
    #[serde(default)]
    pub email: String,
    /// Empty: nobody can sign in to it yet.
    #[serde(default)]
    pub password: String,
    #[serde(default)]
    pub roles: RolesTicked,
}

impl fmt::Debug for PersonForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PersonForm({})", self.name)
    }
}

#[server]
pub async fn create_person(form: PersonForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let has_password = !form.password.is_empty();
    let new = PersonNew {
        roles: form.roles.roles(),
        name: form.name,
        title: form.title,
        email: form.email,
        password: has_password.then_some(form.password),
    };
    let made = exchange
        .person_create(&principal, new)
        .await
        .map_err(said)?;
    let notice = if has_password {
        words::answers::account_is_made(&made.name)
    } else {
        words::answers::account_is_made_without_password(&made.name)
    };
    Ok(Done::new(format!("{PAGE}/{}", made.name), notice))
}

/// What is absent stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonChangeForm {
    pub person: String,
    #[serde(default)]
    pub revision: Option<i64>,
    #[serde(default, deserialize_with = "sent")]
    pub title: Option<String>,
    #[serde(default, deserialize_with = "sent")]
    pub email: Option<String>,
    /// What the form showed of the two: with these only another change of them is in its way, and none of the roles.
    #[serde(default, deserialize_with = "sent")]
    pub was_title: Option<String>,
    #[serde(default, deserialize_with = "sent")]
    pub was_email: Option<String>,
    /// `yes` or `no`: whether the person may sign in.
    #[serde(default)]
    pub active: Option<String>,
}

#[server]
pub async fn update_person(form: PersonChangeForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let disabled = form.active.map(|word| word != TICKED);
    let is_told = form.was_title.is_some() || form.was_email.is_some();
    let change = PersonChange {
        title: form.title,
        email: form.email,
        disabled,
        revision: form.revision.filter(|_| !is_told),
        was_title: form.was_title,
        was_email: form.was_email,
    };
    let person = exchange
        .person_update(&principal, &form.person, change)
        .await
        .map_err(said)?;
    let name = &person.name;
    let notice = match disabled {
        Some(true) => words::answers::is_deactivated(&name),
        Some(false) => words::answers::is_active_again(&name),
        None => words::answers::account_is_changed(&name),
    };
    Ok(Done::new(format!("{PAGE}/{name}"), notice))
}

/// Which roles these are, in one figure: what their form binds, so that only another change of roles is in its way, and none of the
/// name.
pub fn figure(held: &[Role]) -> i64 {
    let bits = Role::ALL.iter().zip(0_u32..);
    let bits = bits.filter(|(role, _)| held.contains(role));
    bits.map(|(_, bit)| 1_i64 << bit).sum()
}

fn of_figure(figure: i64) -> Vec<String> {
    let bits = Role::ALL.iter().zip(0_u32..);
    let held = bits.filter(|(_, bit)| figure & (1_i64 << bit) != 0);
    held.map(|(role, _)| role.as_str().to_owned()).collect()
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolesForm {
    pub person: String,
    /// The [`figure`] of the roles that were shown.
    #[serde(default)]
    pub revision: Option<i64>,
    #[serde(default)]
    pub roles: RolesTicked,
}

#[server]
pub async fn set_roles(form: RolesForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let change = RolesChange {
        roles: form.roles.roles(),
        revision: None,
        held: form.revision.map(of_figure),
    };
    let person = exchange
        .roles_set(&principal, &form.person, change)
        .await
        .map_err(said)?;
    Ok(Done::new(
        format!("{PAGE}/{}", person.name),
        words::answers::roles_are_set(&person.name),
    ))
}

/// A password for somebody else; one's own is changed by a route of the server, because that changes the session. Prints without
/// it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordForm {
    pub person: String,
    pub password: String,
}

impl fmt::Debug for PasswordForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PasswordForm({})", self.person)
    }
}

#[server]
pub async fn set_password(form: PasswordForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let change = PasswordChange {
        current: None,
        password: form.password,
    };
    exchange
        .password_set(&principal, &form.person, change)
        .await
        .map_err(said)?;
    Ok(Done::new(
        format!("{PAGE}/{}", crate::url::encode(&form.person)),
        words::answers::has_a_new_password(&form.person),
    ))
}

/// Who the viewer is here.
pub async fn me() -> Result<Me, AppError> {
    let (exchange, principal) = call()?;
    exchange.me(&principal).await.map_err(said)
}

/// By which identities of a provider the viewer signs in.
pub async fn own_identities() -> Result<Vec<Identity>, AppError> {
    let (exchange, principal) = call()?;
    let Some(name) = exchange.me(&principal).await.map_err(said)?.name else {
        return Ok(Vec::new());
    };
    Ok(every!(|page| exchange.identities(
        &principal,
        name.as_str(),
        &page
    )))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityGoneForm {
    /// Whose it is.
    pub person: String,
    /// Its id.
    pub identity: String,
    /// The person's name, written by hand, because a way in is shut.
    #[serde(default)]
    pub confirm: String,
}

#[server]
pub async fn unlink_identity(form: IdentityGoneForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let id = parse_id(&form.identity)?;
    // Written twice by the same hand: it tells nothing of who there is.
    confirmed(&form.confirm, &form.person)?;
    exchange
        .identity_unlink(&principal, &form.person, id)
        .await
        .map_err(said)?;
    Ok(Done::new(
        "/account",
        words::identities::unlinked(&form.person),
    ))
}

/// The viewer's own tokens, in the order in which they were made.
pub async fn tokens(after: Option<String>) -> Result<Listed<Token>, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest { after, limit: None };
    let found = exchange.own_tokens(&principal, &page).await.map_err(said)?;
    Ok(found.into())
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenGoneForm {
    /// Its id.
    pub token: String,
    /// Its name, written by hand, because whatever uses it is shut out.
    #[serde(default)]
    pub confirm: String,
}

#[server]
pub async fn revoke_token(form: TokenGoneForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let id = parse_id(&form.token)?;
    let token = exchange.token(&principal, id).await.map_err(said)?;
    confirmed(&form.confirm, &token.name)?;
    exchange.token_revoke(&principal, id).await.map_err(said)?;
    Ok(Done::new(
        "/account/tokens",
        words::answers::TOKEN_IS_REVOKED,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ticked_boxes_are_roles() {
        let ticked = RolesTicked {
            admin: TICKED.to_owned(),
            finance: "no".to_owned(),
            ..RolesTicked::default()
        };
        assert_eq!(ticked.roles(), ["admin"]);
        assert!(RolesTicked::default().roles().is_empty());
    }

    #[test]
    fn a_figure_says_which_roles_and_nothing_else() {
        let some: [&[Role]; 4] = [
            &[],
            &[Role::Admin],
            &[Role::Finance, Role::Auditor],
            Role::ALL,
        ];
        for held in some {
            let mut words: Vec<&str> = held.iter().map(|role| role.as_str()).collect();
            let mut told = of_figure(figure(held));
            words.sort_unstable();
            told.sort_unstable();
            assert_eq!(told, words);
        }
        assert!(of_figure(-1).len() == Role::ALL.len() && of_figure(1 << 40).is_empty());
    }

    #[test]
    fn passwords_are_not_printed() {
        let form = PersonForm {
            name: "mara".to_owned(),
            title: "Mara".to_owned(),
            email: String::new(),
            password: "hunter2".to_owned(),
            roles: RolesTicked::default(),
        };
        let other = PasswordForm {
            person: "mara".to_owned(),
            password: "hunter2".to_owned(),
        };
        assert!(!format!("{form:?} {other:?}").contains("hunter2"));
    }
}
