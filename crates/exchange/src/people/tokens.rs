//! Service tokens: what machines carry. A token acts as its person or as one team's service, with the rights of the
//! moment it is used.

use model::dto::{Token, TokenCreated, TokenNew};
use model::time::DAY;
use model::{MemberRole, Name, PersonId, ServiceTokenId, TeamId, Timestamp};
use serde_json::json;

use crate::audit::Object;
use crate::error::{Check, Error};
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::secret::{self, TokenKind};
use crate::{Exchange, from_row, sql};

struct TokenRow {
    id: ServiceTokenId,
    person_id: PersonId,
    name: String,
    team: Option<Name>,
    team_id: Option<TeamId>,
    member_role: Option<MemberRole>,
    hint: String,
    created_at: Timestamp,
    expires_at: Timestamp,
    revoked_at: Option<Timestamp>,
}
from_row!(TokenRow {
    id,
    person_id,
    name,
    team,
    team_id,
    member_role,
    hint,
    created_at,
    expires_at,
    revoked_at
});

impl From<TokenRow> for Token {
    fn from(row: TokenRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            team: row.team,
            role: row.member_role,
            hint: row.hint,
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
        }
    }
}

impl Exchange {
    /// Makes a token for the caller; `for_person` names another person, which only the operator may.
    pub async fn token_create(
        &self,
        principal: &Principal,
        for_person: Option<&str>,
        new: TokenNew,
    ) -> Result<TokenCreated, Error> {
        can(principal, Operation::TokenCreate, &Scope::NONE)?;
        let person = match for_person {
            Some(name) if principal.is_operator() => {
                self.person_by_name(name)
                    .await?
                    .ok_or(Error::NotFound("person"))?
                    .id
            }
            Some(_) => {
                return Err(Error::forbidden(
                    "a token is made by the person whom it acts for",
                ));
            }
            // What a team's token made would hold all that its person holds.
            None if principal.person_id().is_some() && principal.own_account().is_none() => {
                return Err(Error::forbidden(
                    "a token that serves a team makes no tokens; sign in as the person",
                ));
            }
            None => principal
                .own_account()
                .ok_or_else(|| Error::invalid("person", "say whom the token acts for"))?,
        };
        let mut check = Check::new();
        let name = check.text("name", &new.name, 1, 100, false);
        let days = new.days.unwrap_or(90);
        if !(1..=365).contains(&days) {
            check.fail("days", "from 1 to 365");
        }
        let team = match &new.team {
            Some(team) => Some(
                self.team_by_name(team)
                    .await?
                    .ok_or_else(|| Error::invalid("team", "there is no such team"))?,
            ),
            None => None,
        };
        let role: Option<MemberRole> = new
            .role
            .as_deref()
            .and_then(|role| check.parse("role", role));
        if team.is_none() && new.role.is_some() {
            check.fail("role", "a role belongs to a team; name the team too");
        }
        check.done()?;
        let membership = match team {
            Some(team) => {
                let acting = self
                    .principal_of(person)
                    .await?
                    .ok_or(Error::NotFound("person"))?;
                let held = acting.teams().get(&team.id).copied();
                let wanted = role.unwrap_or(MemberRole::Consumer);
                // Nobody hands on more than they hold.
                if held.is_none()
                    || (wanted == MemberRole::Producer && held != Some(MemberRole::Producer))
                {
                    return Err(Error::forbidden(format!(
                        "this takes the role {wanted} in {}",
                        team.name
                    )));
                }
                Some((team, wanted))
            }
            None => None,
        };
        let token = secret::new_token(TokenKind::Service)?;
        let mut change = self.change(principal).await?;
        let at = change.at();
        let detail = Token {
            id: ServiceTokenId::new(at),
            name,
            team: membership.as_ref().map(|(team, _)| team.name.clone()),
            role: membership.as_ref().map(|(_, role)| *role),
            hint: secret::hint(&token),
            created_at: at,
            expires_at: at.plus(i64::from(days) * DAY),
            revoked_at: None,
        };
        sql!("insert into service_token (id, name, person_id, team_id, member_role, hash, hint, created_at, expires_at)
              values ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
        .bind(detail.id)
        .bind(&detail.name)
        .bind(person)
        .bind(membership.as_ref().map(|(team, _)| team.id))
        .bind(detail.role)
        .bind(secret::hash(&token))
        .bind(&detail.hint)
        .bind(at)
        .bind(detail.expires_at)
        .execute(change.tx())
        .await?;
        change.note(
            Operation::TokenCreate,
            Object::new("service_token", detail.id),
            json!({ "team": detail.team, "role": detail.role, "expires_at": detail.expires_at }),
        );
        change.commit().await?;
        Ok(TokenCreated { token, detail })
    }

    /// The caller's own tokens; an admin's list holds everybody's, that of a team's token only itself.
    pub async fn tokens(
        &self,
        principal: &Principal,
        page: &PageRequest,
    ) -> Result<Page<Token>, Error> {
        self.tokens_listed(principal, principal.sees_all(), page)
            .await
    }

    /// The caller's own tokens alone, also an admin's.
    pub async fn own_tokens(
        &self,
        principal: &Principal,
        page: &PageRequest,
    ) -> Result<Page<Token>, Error> {
        self.tokens_listed(principal, false, page).await
    }

    async fn tokens_listed(
        &self,
        principal: &Principal,
        all: bool,
        page: &PageRequest,
    ) -> Result<Page<Token>, Error> {
        can(principal, Operation::TokenList, &Scope::NONE)?;
        let after: Option<ServiceTokenId> = page.parse_after()?;
        let rows: Vec<TokenRow> = sql!(
            "select service_token.id, person_id, service_token.name, team.name as team, team_id, member_role, hint,
                    service_token.created_at, expires_at, revoked_at
             from service_token left join team on team.id = team_id
             where (service_token.id > $1 or $1 is null) and (person_id = $2 or service_token.id = $5 or $3)
             order by service_token.id limit $4"
        )
        .bind(after)
        .bind(principal.own_account())
        .bind(all)
        .bind(page.fetch())
        .bind(principal.token_id())
        .all(self.db())
        .await?;
        let page = page.cut(rows, |row| row.id.to_string());
        Ok(Page {
            items: page.items.into_iter().map(Token::from).collect(),
            next: page.next,
        })
    }

    /// One token, for those who may end it.
    pub async fn token(&self, principal: &Principal, id: ServiceTokenId) -> Result<Token, Error> {
        let row: Option<TokenRow> = sql!(
            "select service_token.id, person_id, service_token.name, team.name as team, team_id, member_role, hint,
                    service_token.created_at, expires_at, revoked_at
             from service_token left join team on team.id = team_id where service_token.id = $1"
        )
        .bind(id)
        .first(self.db())
        .await?;
        let Some(row) = row else {
            can(principal, Operation::TokenList, &Scope::NONE)?;
            return Err(Error::NotFound("token"));
        };
        let scope = Scope::person(row.person_id);
        crate::policy::can_see(principal, Operation::TokenRevoke, &scope, "token")?;
        Ok(row.into())
    }

    /// Ends a token now; felt on its next use.
    pub async fn token_revoke(
        &self,
        principal: &Principal,
        id: ServiceTokenId,
    ) -> Result<(), Error> {
        let row = sql!("select person_id from service_token where id = $1")
            .bind(id)
            .row(self.db())
            .await?;
        let Some(row) = row else {
            can(principal, Operation::TokenList, &Scope::NONE)?;
            return Err(Error::NotFound("token"));
        };
        let scope = Scope::person(row.get("person_id")?);
        crate::policy::can_see(principal, Operation::TokenRevoke, &scope, "token")?;
        let mut change = self.change(principal).await?;
        sql!("update service_token set revoked_at = $1 where id = $2 and revoked_at is null")
            .bind(change.at())
            .bind(id)
            .execute(change.tx())
            .await?;
        change.note(
            Operation::TokenRevoke,
            Object::new("service_token", id),
            serde_json::Value::Null,
        );
        change.commit().await
    }

    /// Who a bearer token is. Unknown, ended and revoked answer alike.
    pub async fn principal_of_token(&self, token: &str) -> Result<Principal, Error> {
        if !secret::is_well_formed(TokenKind::Service, token) {
            return Err(Error::Unauthenticated);
        }
        let row: Option<TokenRow> = sql!(
            "select service_token.id, person_id, service_token.name, team.name as team, team_id, member_role, hint,
                    service_token.created_at, expires_at, revoked_at
             from service_token left join team on team.id = team_id where hash = $1"
        )
        .bind(secret::hash(token))
        .first(self.db())
        .await?;
        let row = row
            .filter(|row| row.revoked_at.is_none() && row.expires_at > self.now())
            .ok_or(Error::Unauthenticated)?;
        let person = self
            .principal_of(row.person_id)
            .await?
            .ok_or(Error::Unauthenticated)?;
        let team = match (row.team_id, row.member_role) {
            (Some(team), Some(role)) => {
                // The token holds no more than its person holds today.
                let held = person
                    .teams()
                    .get(&team)
                    .copied()
                    .ok_or(Error::Unauthenticated)?;
                Some((team, role.min(held)))
            }
            _ => None,
        };
        Ok(person.service(row.id, team))
    }
}
