//! Domains, teams and who belongs to them.

use model::dto::{
    Domain, DomainChange, DomainNew, Me, Member, MemberChange, Membership, Team, TeamChange,
    TeamDetail, TeamNew,
};
use model::{DomainId, MemberRole, Name, TeamId};
use serde_json::json;

use super::accounts::taken;
use crate::audit::Object;
use crate::db::{DbError, On};
use crate::error::{Check, Error};
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// A team as other areas need it.
#[derive(Clone, Debug)]
pub struct TeamRecord {
    pub id: TeamId,
    pub name: Name,
    pub domain_id: DomainId,
    pub domain: Name,
    pub title: String,
    pub cost_center: String,
    pub contact: String,
    pub revision: i64,
}
from_row!(TeamRecord {
    id,
    name,
    domain_id,
    domain,
    title,
    cost_center,
    contact,
    revision
});

impl From<TeamRecord> for Team {
    fn from(record: TeamRecord) -> Self {
        Self {
            name: record.name,
            domain: record.domain,
            title: record.title,
            cost_center: record.cost_center,
            contact: record.contact,
            revision: record.revision,
        }
    }
}

from_row!(Domain {
    name,
    title,
    description,
    revision
});
from_row!(Member {
    person,
    title,
    role
});
from_row!(Membership { team, title, role });

impl Exchange {
    pub async fn team_by_name(&self, name: &str) -> Result<Option<TeamRecord>, DbError> {
        sql!("select team.id, team.name, domain_id, domain.name as domain, team.title, cost_center, contact, team.revision
              from team join domain on domain.id = domain_id where team.name = $1")
        .bind(name)
        .first(self.db())
        .await
    }

    pub async fn team_by_id<'a>(
        &self,
        on: impl Into<On<'a>>,
        id: TeamId,
    ) -> Result<Option<TeamRecord>, DbError> {
        sql!("select team.id, team.name, domain_id, domain.name as domain, team.title, cost_center, contact, team.revision
              from team join domain on domain.id = domain_id where team.id = $1")
        .bind(id)
        .first(on)
        .await
    }

    pub(crate) async fn domain_id(&self, name: &str) -> Result<Option<DomainId>, DbError> {
        match sql!("select id from domain where name = $1")
            .bind(name)
            .row(self.db())
            .await?
        {
            Some(row) => row.get("id").map(Some),
            None => Ok(None),
        }
    }

    pub async fn domains(
        &self,
        principal: &Principal,
        page: &PageRequest,
    ) -> Result<Page<Domain>, Error> {
        can(principal, Operation::DomainList, &Scope::NONE)?;
        let rows = sql!("select name, title, description, revision from domain where name > $1 order by name limit $2")
            .bind(page.after_text())
            .bind(page.fetch())
            .all(self.db())
            .await?;
        Ok(page.cut(rows, |row: &Domain| row.name.to_string()))
    }

    /// One of those that [`Exchange::domains`] lists.
    pub async fn domain(&self, principal: &Principal, name: &str) -> Result<Domain, Error> {
        can(principal, Operation::DomainList, &Scope::NONE)?;
        self.domain_by_name(name)
            .await?
            .ok_or(Error::NotFound("domain"))
    }

    async fn domain_by_name(&self, name: &str) -> Result<Option<Domain>, DbError> {
        sql!("select name, title, description, revision from domain where name = $1")
            .bind(name)
            .first(self.db())
            .await
    }

    pub async fn domain_create(
        &self,
        principal: &Principal,
        new: DomainNew,
    ) -> Result<Domain, Error> {
        can(principal, Operation::DomainCreate, &Scope::NONE)?;
        let mut check = Check::new();
        let name: Option<Name> = check.parse("name", &new.name);
        let title = check.text("title", &new.title, 1, 200, false);
        let description = check.text("description", &new.description, 0, 10_000, true);
        check.done()?;
        let Some(name) = name else {
            return Err(Error::invalid("name", "missing"));
        };
        let mut change = self.change(principal).await?;
        sql!(
            "insert into domain (id, name, title, description, revision, created_at, updated_at)
              values ($1, $2, $3, $4, 1, $5, $5)"
        )
        .bind(DomainId::new(change.at()))
        .bind(&name)
        .bind(&title)
        .bind(&description)
        .bind(change.at())
        .execute(change.tx())
        .await
        .map_err(|error| taken(error, "name", "that name is taken"))?;
        change.note(
            Operation::DomainCreate,
            Object::new("domain", &name),
            json!({ "title": title }),
        );
        change.commit().await?;
        Ok(Domain {
            name,
            title,
            description,
            revision: 1,
        })
    }

    /// Changes what a domain is called and said to be. Its name stays: products are named after it.
    pub async fn domain_update(
        &self,
        principal: &Principal,
        name: &str,
        new: DomainChange,
    ) -> Result<Domain, Error> {
        can(principal, Operation::DomainUpdate, &Scope::NONE)?;
        let mut record = self
            .domain_by_name(name)
            .await?
            .ok_or(Error::NotFound("domain"))?;
        let mut check = Check::new();
        if let Some(title) = &new.title {
            record.title = check.text("title", title, 1, 200, false);
        }
        if let Some(description) = &new.description {
            record.description = check.text("description", description, 0, 10_000, true);
        }
        check.done()?;
        let seen = new.revision.unwrap_or(record.revision);
        let mut change = self.change(principal).await?;
        let changed = sql!(
            "update domain set title = $1, description = $2, revision = revision + 1, updated_at = $3
             where name = $4 and revision = $5"
        )
        .bind(&record.title)
        .bind(&record.description)
        .bind(change.at())
        .bind(&record.name)
        .bind(seen)
        .execute(change.tx())
        .await?;
        if changed == 0 {
            return Err(Error::changed("domain"));
        }
        change.note(
            Operation::DomainUpdate,
            Object::new("domain", &record.name),
            json!({ "title": record.title }),
        );
        change.commit().await?;
        record.revision = seen + 1;
        Ok(record)
    }

    pub async fn teams(
        &self,
        principal: &Principal,
        page: &PageRequest,
    ) -> Result<Page<Team>, Error> {
        can(principal, Operation::TeamList, &Scope::NONE)?;
        let rows: Vec<TeamRecord> = sql!(
            "select team.id, team.name, domain_id, domain.name as domain, team.title, cost_center, contact, team.revision
             from team join domain on domain.id = domain_id where team.name > $1 order by team.name limit $2"
        )
        .bind(page.after_text())
        .bind(page.fetch())
        .all(self.db())
        .await?;
        let page = page.cut(rows, |row| row.name.to_string());
        Ok(Page {
            items: page.items.into_iter().map(Team::from).collect(),
            next: page.next,
        })
    }

    pub async fn team(&self, principal: &Principal, name: &str) -> Result<TeamDetail, Error> {
        can(principal, Operation::TeamRead, &Scope::NONE)?;
        let team = self
            .team_by_name(name)
            .await?
            .ok_or(Error::NotFound("team"))?;
        let members = sql!(
            "select person.name as person, person.title, team_member.role from team_member
             join person on person.id = person_id where team_id = $1 order by person.name"
        )
        .bind(team.id)
        .all(self.db())
        .await?;
        Ok(TeamDetail {
            team: team.into(),
            members,
        })
    }

    pub async fn team_create(&self, principal: &Principal, new: TeamNew) -> Result<Team, Error> {
        can(principal, Operation::TeamCreate, &Scope::NONE)?;
        let mut check = Check::new();
        let name: Option<Name> = check.parse("name", &new.name);
        let domain: Option<Name> = check.parse("domain", &new.domain);
        let title = check.text("title", &new.title, 1, 200, false);
        let cost_center = check.text("cost_center", &new.cost_center, 0, 64, false);
        let contact = check.text("contact", &new.contact, 0, 200, false);
        check.done()?;
        let (Some(name), Some(domain)) = (name, domain) else {
            return Err(Error::invalid("name", "missing"));
        };
        let domain_id = self
            .domain_id(domain.as_str())
            .await?
            .ok_or_else(|| Error::invalid("domain", "there is no such domain"))?;
        let mut change = self.change(principal).await?;
        sql!("insert into team (id, domain_id, name, title, cost_center, contact, revision, created_at, updated_at)
              values ($1, $2, $3, $4, $5, $6, 1, $7, $7)")
        .bind(TeamId::new(change.at()))
        .bind(domain_id)
        .bind(&name)
        .bind(&title)
        .bind(&cost_center)
        .bind(&contact)
        .bind(change.at())
        .execute(change.tx())
        .await
        .map_err(|error| taken(error, "name", "that name is taken"))?;
        change.note(
            Operation::TeamCreate,
            Object::new("team", &name),
            json!({ "domain": domain, "cost_center": cost_center }),
        );
        change.commit().await?;
        Ok(Team {
            name,
            domain,
            title,
            cost_center,
            contact,
            revision: 1,
        })
    }

    /// Changes what a team is called, who pays for it and how it is reached. Its domain stays.
    pub async fn team_update(
        &self,
        principal: &Principal,
        name: &str,
        new: TeamChange,
    ) -> Result<Team, Error> {
        can(principal, Operation::TeamUpdate, &Scope::NONE)?;
        let mut record = self
            .team_by_name(name)
            .await?
            .ok_or(Error::NotFound("team"))?;
        let mut check = Check::new();
        if let Some(title) = &new.title {
            record.title = check.text("title", title, 1, 200, false);
        }
        if let Some(cost_center) = &new.cost_center {
            record.cost_center = check.text("cost_center", cost_center, 0, 64, false);
        }
        if let Some(contact) = &new.contact {
            record.contact = check.text("contact", contact, 0, 200, false);
        }
        check.done()?;
        let seen = new.revision.unwrap_or(record.revision);
        let mut change = self.change(principal).await?;
        let changed = sql!(
            "update team set title = $1, cost_center = $2, contact = $3, revision = revision + 1, updated_at = $4
             where id = $5 and revision = $6"
        )
        .bind(&record.title)
        .bind(&record.cost_center)
        .bind(&record.contact)
        .bind(change.at())
        .bind(record.id)
        .bind(seen)
        .execute(change.tx())
        .await?;
        if changed == 0 {
            return Err(Error::changed("team"));
        }
        change.note(
            Operation::TeamUpdate,
            Object::new("team", &record.name),
            json!({ "cost_center": record.cost_center }),
        );
        change.commit().await?;
        record.revision = seen + 1;
        Ok(record.into())
    }

    /// Adds a member or changes the member's role.
    pub async fn member_set(
        &self,
        principal: &Principal,
        team: &str,
        person: &str,
        new: MemberChange,
    ) -> Result<(), Error> {
        let team = self
            .team_by_name(team)
            .await?
            .ok_or(Error::NotFound("team"))?;
        can(principal, Operation::MemberSet, &Scope::owner(team.id))?;
        let role: MemberRole = new
            .role
            .parse()
            .map_err(|error| Error::invalid("role", error))?;
        let person = self
            .person_by_name(person)
            .await?
            .ok_or(Error::NotFound("person"))?;
        let mut change = self.change(principal).await?;
        sql!(
            "insert into team_member (team_id, person_id, role, added_at) values ($1, $2, $3, $4)
              on conflict (team_id, person_id) do update set role = excluded.role, mapped = false"
        )
        .bind(team.id)
        .bind(person.id)
        .bind(role)
        .bind(change.at())
        .execute(change.tx())
        .await?;
        let detail = json!({ "person": person.pseudonym, "role": role });
        change.note(
            Operation::MemberSet,
            Object::new("team", &team.name),
            detail,
        );
        change.commit().await
    }

    pub async fn member_remove(
        &self,
        principal: &Principal,
        team: &str,
        person: &str,
    ) -> Result<(), Error> {
        let team = self
            .team_by_name(team)
            .await?
            .ok_or(Error::NotFound("team"))?;
        can(principal, Operation::MemberRemove, &Scope::owner(team.id))?;
        let person = self
            .person_by_name(person)
            .await?
            .ok_or(Error::NotFound("person"))?;
        let mut change = self.change(principal).await?;
        let removed = sql!("delete from team_member where team_id = $1 and person_id = $2")
            .bind(team.id)
            .bind(person.id)
            .execute(change.tx())
            .await?;
        if removed == 0 {
            return Err(Error::NotFound("member"));
        }
        let detail = json!({ "person": person.pseudonym });
        change.note(
            Operation::MemberRemove,
            Object::new("team", &team.name),
            detail,
        );
        change.commit().await
    }

    /// Who is asking, and what they are here.
    pub async fn me(&self, principal: &Principal) -> Result<Me, Error> {
        can(principal, Operation::PersonRead, &Scope::NONE)?;
        let name = match principal.person_id() {
            Some(id) => self.person_by_id(id).await?.map(|person| person.name),
            None => None,
        };
        let mut teams = Vec::new();
        for (id, role) in principal.teams() {
            if let Some(team) = self.team_by_id(self.db(), *id).await? {
                teams.push(Membership {
                    team: team.name,
                    title: team.title,
                    role: *role,
                });
            }
        }
        teams.sort_by(|one, other| one.team.cmp(&other.team));
        Ok(Me {
            name,
            title: principal.title().to_owned(),
            roles: principal.roles().collect(),
            teams,
        })
    }
}
