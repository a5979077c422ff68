//! Local accounts: creating, changing, disabling; roles and passwords.

use std::collections::BTreeSet;

use model::dto::{PasswordChange, Person, PersonChange, PersonNew, RolesChange};
use model::{Name, PersonId, Role};
use serde_json::json;

use super::{PersonRecord, roles_of};
use crate::audit::Object;
use crate::error::{Check, Error};
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, secret, sql};

/// NIST SP 800-63B: length is what counts.
const PASSWORD_MIN: usize = 10;
const PASSWORD_MAX: usize = 256;

impl Exchange {
    /// People in the order of their names.
    pub async fn people(
        &self,
        principal: &Principal,
        page: &PageRequest,
    ) -> Result<Page<Person>, Error> {
        can(principal, Operation::PersonList, &Scope::NONE)?;
        let rows: Vec<PersonRecord> = sql!(
            "select id, name, title, email, password_hash, pseudonym, disabled, revision from person
             where name > $1 order by name limit $2"
        )
        .bind(page.after_text())
        .bind(page.fetch())
        .all(self.db())
        .await?;
        let page = page.cut(rows, |row| row.name.to_string());
        let mut items = Vec::with_capacity(page.items.len());
        for record in page.items {
            items.push(self.person_of(record).await?);
        }
        Ok(Page {
            items,
            next: page.next,
        })
    }

    /// One of those that [`Exchange::people`] lists.
    pub async fn person(&self, principal: &Principal, name: &str) -> Result<Person, Error> {
        can(principal, Operation::PersonList, &Scope::NONE)?;
        let record = self.person_by_name(name).await?;
        self.person_of(record.ok_or(Error::NotFound("person"))?)
            .await
    }

    async fn person_of(&self, record: PersonRecord) -> Result<Person, Error> {
        let roles = roles_of(self.db(), record.id).await?.into_iter().collect();
        Ok(Person {
            id: record.id,
            name: record.name,
            title: record.title,
            email: record.email,
            disabled: record.disabled,
            roles,
            revision: record.revision,
        })
    }

    /// Creates an account. Without a password nobody can sign in to it until one is set.
    pub async fn person_create(
        &self,
        principal: &Principal,
        new: PersonNew,
    ) -> Result<Person, Error> {
        can(principal, Operation::PersonCreate, &Scope::NONE)?;
        let mut check = Check::new();
        let name: Option<Name> = check.parse("name", &new.name);
        let title = check.text("title", &new.title, 1, 200, false);
        let email = check_email(&mut check, &new.email);
        let roles = check_roles(&mut check, &new.roles);
        if let Some(password) = &new.password {
            check_password(&mut check, password);
        }
        check.done()?;
        let Some(name) = name else {
            return Err(Error::invalid("name", "missing"));
        };
        let password_hash = match new.password {
            Some(password) => Some(hash_in_background(password).await?),
            None => None,
        };
        let pseudonym = format!("p-{}", secret::random_text(10)?.to_lowercase());
        let mut change = self.change(principal).await?;
        let id = PersonId::new(change.at());
        let at = change.at();
        sql!("insert into person (id, name, title, email, password_hash, pseudonym, disabled, revision, created_at, updated_at)
              values ($1, $2, $3, $4, $5, $6, false, 1, $7, $7)")
        .bind(id)
        .bind(&name)
        .bind(&title)
        .bind(&email)
        .bind(password_hash)
        .bind(&pseudonym)
        .bind(at)
        .execute(change.tx())
        .await
        .map_err(|error| taken(error, "name", "that name is taken"))?;
        for role in &roles {
            sql!("insert into person_role (person_id, role, granted_at) values ($1, $2, $3)")
                .bind(id)
                .bind(*role)
                .bind(at)
                .execute(change.tx())
                .await?;
        }
        change.note(
            Operation::PersonCreate,
            Object::new("person", &pseudonym),
            json!({ "roles": roles }),
        );
        change.commit().await?;
        let roles = roles.into_iter().collect();
        Ok(Person {
            id,
            name,
            title,
            email,
            disabled: false,
            roles,
            revision: 1,
        })
    }

    /// Changes an account; disabling ends all its sessions at once.
    pub async fn person_update(
        &self,
        principal: &Principal,
        name: &str,
        new: PersonChange,
    ) -> Result<Person, Error> {
        can(principal, Operation::PersonUpdate, &Scope::NONE)?;
        let mut record = self
            .person_by_name(name)
            .await?
            .ok_or(Error::NotFound("person"))?;
        let mut check = Check::new();
        // What is sent as it was looked at is not to be changed.
        let title = new
            .title
            .filter(|title| new.was_title.as_ref() != Some(title));
        let title = title.map(|title| check.text("title", &title, 1, 200, false));
        let email = new
            .email
            .filter(|email| new.was_email.as_ref() != Some(email));
        let email = email.map(|email| check_email(&mut check, &email));
        for (field, was, most) in [
            ("was_title", &new.was_title, 200),
            ("was_email", &new.was_email, 254),
        ] {
            if was.as_ref().is_some_and(|was| was.chars().count() > most) {
                check.fail(field, "longer than it can have been");
            }
        }
        if new.disabled == Some(true) && principal.person_id() == Some(record.id) {
            check.fail("disabled", "one cannot disable oneself; ask another admin");
        }
        check.done()?;
        let mut change = self.change(principal).await?;
        // Taken before it is looked at: who changes the person at the same time waits.
        let now = sql!(
            "update person set revision = revision + 1, updated_at = $1
             where id = $2 and (revision = $3 or $3 is null) returning revision, title, email, disabled"
        )
        .bind(change.at())
        .bind(record.id)
        .bind(new.revision)
        .row(change.tx())
        .await?;
        let Some(now) = now else {
            return Err(Error::changed("person"));
        };
        record.revision = now.get("revision")?;
        record.disabled = now.get("disabled")?;
        let fields = [
            (
                &mut record.title,
                now.get::<String>("title")?,
                title,
                new.was_title,
            ),
            (
                &mut record.email,
                now.get::<String>("email")?,
                email,
                new.was_email,
            ),
        ];
        for (field, is, wanted, was) in fields {
            let is_other = was.is_some_and(|was| was != is);
            if is_other && wanted.as_ref().is_some_and(|wanted| *wanted != is) {
                return Err(Error::changed("person"));
            }
            *field = wanted.unwrap_or(is);
        }
        record.disabled = new.disabled.unwrap_or(record.disabled);
        sql!("update person set title = $1, email = $2, disabled = $3 where id = $4")
            .bind(&record.title)
            .bind(&record.email)
            .bind(record.disabled)
            .bind(record.id)
            .execute(change.tx())
            .await?;
        if record.disabled {
            end_sessions(&mut change, record.id).await?;
        }
        change.note(
            Operation::PersonUpdate,
            Object::new("person", &record.pseudonym),
            json!({ "disabled": record.disabled }),
        );
        change.commit().await?;
        self.person_of(record).await
    }

    /// Sets exactly these roles; felt on the person's next request.
    pub async fn roles_set(
        &self,
        principal: &Principal,
        name: &str,
        new: RolesChange,
    ) -> Result<Person, Error> {
        can(principal, Operation::RoleSet, &Scope::NONE)?;
        let mut record = self
            .person_by_name(name)
            .await?
            .ok_or(Error::NotFound("person"))?;
        let mut check = Check::new();
        let roles = check_roles(&mut check, &new.roles);
        let seen = new.held.map(|held| check_roles(&mut check, &held));
        if principal.person_id() == Some(record.id)
            && principal.has(Role::Admin)
            && !roles.contains(&Role::Admin)
        {
            check.fail(
                "roles",
                "one cannot take the admin role from oneself; ask another admin",
            );
        }
        check.done()?;
        let mut change = self.change(principal).await?;
        let at = change.at();
        // Taken before it is looked at: who sets roles at the same time waits.
        let moved = sql!(
            "update person set revision = revision + 1, updated_at = $1
             where id = $2 and (revision = $3 or $3 is null) returning revision"
        )
        .bind(at)
        .bind(record.id)
        .bind(new.revision)
        .row(change.tx())
        .await?;
        let Some(moved) = moved else {
            return Err(Error::changed("person"));
        };
        record.revision = moved.get("revision")?;
        // What stays, stays as it came: by hand, or by the groups of a provider.
        let held = roles_of(change.tx(), record.id).await?;
        if seen.is_some_and(|seen| seen != held) {
            return Err(Error::conflict(
                "the roles were changed meanwhile; look at them again before you go on",
            ));
        }
        for role in held.difference(&roles) {
            sql!("delete from person_role where person_id = $1 and role = $2")
                .bind(record.id)
                .bind(*role)
                .execute(change.tx())
                .await?;
        }
        for role in roles.difference(&held) {
            sql!("insert into person_role (person_id, role, granted_at) values ($1, $2, $3)")
                .bind(record.id)
                .bind(*role)
                .bind(at)
                .execute(change.tx())
                .await?;
        }
        change.note(
            Operation::RoleSet,
            Object::new("person", &record.pseudonym),
            json!({ "roles": roles }),
        );
        change.commit().await?;
        self.person_of(record).await
    }

    /// Sets a password and ends all other sessions. Changing one's own takes the current one.
    pub async fn password_set(
        &self,
        principal: &Principal,
        name: &str,
        new: PasswordChange,
    ) -> Result<(), Error> {
        let record = self
            .person_by_name(name)
            .await?
            .ok_or(Error::NotFound("person"))?;
        can(principal, Operation::PasswordSet, &Scope::person(record.id))?;
        let mut check = Check::new();
        check_password(&mut check, &new.password);
        let current = new.current.as_deref().unwrap_or_default();
        if current.chars().count() > PASSWORD_MAX {
            check.fail("current", "this is not the current password");
        }
        check.done()?;
        if principal.person_id() == Some(record.id) {
            let current = new.current.unwrap_or_default();
            if !verify_in_background(current, record.password_hash.clone()).await? {
                return Err(Error::invalid(
                    "current",
                    "this is not the current password",
                ));
            }
        }
        let hash = hash_in_background(new.password).await?;
        let mut change = self.change(principal).await?;
        sql!("update person set password_hash = $1, revision = revision + 1, updated_at = $2 where id = $3")
            .bind(hash)
            .bind(change.at())
            .bind(record.id)
            .execute(change.tx())
            .await?;
        end_sessions(&mut change, record.id).await?;
        change.note(
            Operation::PasswordSet,
            Object::new("person", &record.pseudonym),
            serde_json::Value::Null,
        );
        change.commit().await
    }

    /// Whether no account exists yet: the first one is made on the command line.
    pub async fn has_people(&self) -> Result<bool, Error> {
        Ok(sql!("select name from person limit 1")
            .row(self.db())
            .await?
            .is_some())
    }
}

pub(super) async fn end_sessions(
    change: &mut crate::change::Change,
    person: PersonId,
) -> Result<(), Error> {
    sql!("delete from session where person_id = $1")
        .bind(person)
        .execute(change.tx())
        .await?;
    Ok(())
}

/// A unique violation on insert, told as the field that it is about.
pub(crate) fn taken(error: crate::db::DbError, field: &str, message: &str) -> Error {
    match error {
        crate::db::DbError::Unique(_) => Error::invalid(field, message),
        other => other.into(),
    }
}

pub(super) fn check_email(check: &mut Check, text: &str) -> String {
    let text = check.text("email", text, 0, 254, false);
    let fits = text.is_empty()
        || text.split_once('@').is_some_and(|(local, host)| {
            !local.is_empty() && !host.is_empty() && !text.contains(char::is_whitespace)
        });
    if !fits {
        check.fail("email", "not an e-mail address");
    }
    text
}

fn check_roles(check: &mut Check, roles: &[String]) -> BTreeSet<Role> {
    roles
        .iter()
        .filter_map(|role| check.parse("roles", role))
        .collect()
}

fn check_password(check: &mut Check, password: &str) {
    let length = password.chars().count();
    if length < PASSWORD_MIN {
        check.fail("password", format!("at least {PASSWORD_MIN} characters"));
    } else if length > PASSWORD_MAX {
        check.fail("password", format!("at most {PASSWORD_MAX} characters"));
    }
}

async fn hash_in_background(password: String) -> Result<String, Error> {
    tokio::task::spawn_blocking(move || secret::hash_password(&password))
        .await
        .map_err(Error::internal)?
}

pub(super) async fn verify_in_background(
    password: String,
    stored: Option<String>,
) -> Result<bool, Error> {
    // The event below lies in the request that it belongs to, though it happens on another thread.
    let span = tracing::Span::current();
    let verify = move || span.in_scope(|| secret::verify_password(&password, stored.as_deref()));
    tokio::task::spawn_blocking(verify)
        .await
        .map_err(Error::internal)
}
