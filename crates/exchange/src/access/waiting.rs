//! Which requests somebody sees, and which of them wait for their decision.

use model::dto::Request;
use model::{RequestId, RequestState, Role};

use super::requests::{RequestRecord, request_rows};
use crate::error::Error;
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, sql};

/// Which requests; what is absent is no condition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestFilter {
    pub state: Option<RequestState>,
    /// Whether the caller may decide on it now.
    pub waiting_for_me: Option<bool>,
}

impl RequestFilter {
    pub fn in_state(state: Option<RequestState>) -> Self {
        Self {
            state,
            waiting_for_me: None,
        }
    }

    /// What the caller may decide on now.
    pub fn waiting_for_me() -> Self {
        Self {
            state: None,
            waiting_for_me: Some(true),
        }
    }

    /// What others have to decide on.
    pub fn waiting_for_others() -> Self {
        Self {
            state: Some(RequestState::Submitted),
            waiting_for_me: Some(false),
        }
    }
}

/// What every list of requests asks: the state, whom it concerns, and whether the caller may decide on it, as
/// `decisions::decidable` says it of one request. That the two agree, `tests::waiting` checks.
macro_rules! wanted {
    () => {
        " and (request.state = $2 or cast($2 as text) is null)
          and ($3 or recipient.team_id = $5 or product.team_id = $5 or (classification = 'personal' and $6)
              or recipient.team_id in (select team_member.team_id from team_member where person_id = $4)
              or product.team_id in (select team_member.team_id from team_member where person_id = $4))
          and (not $8 or case when request.state = 'submitted' and (requester_id is null or requester_id <> $10)
              and not exists (select 1 from decision where decision.request_id = request.id and decider_id = $10)
              and ((classification = 'personal' and $6 and not exists (
                      select 1 from decision where decision.request_id = request.id and stage = 'data_protection'))
                  or ((classification = 'personal' or access_policy <> 'auto')
                      and (product.team_id = $11 or product.team_id in (
                          select team_member.team_id from team_member where person_id = $4 and role = 'producer'))
                      and not exists (
                          select 1 from decision where decision.request_id = request.id and stage in ('owner', 'declared'))))
              then true else false end = $9)"
    };
}

impl Exchange {
    /// Requests that concern the caller: of their teams, for their products, and personal ones for data protection. The
    /// newest first; what waits for the caller the oldest first, because it has waited longest.
    pub async fn requests(
        &self,
        principal: &Principal,
        filter: &RequestFilter,
        page: &PageRequest,
    ) -> Result<Page<Request>, Error> {
        can(principal, Operation::RequestList, &Scope::NONE)?;
        let after: Option<RequestId> = page.parse_after()?;
        let (person, team) = principal.scope();
        let is_mine = filter.waiting_for_me == Some(true);
        let found = if is_mine {
            // The index of what is open is found by its own words.
            sql!(
                request_rows!(),
                " where request.state = 'submitted' and (request.id > $1 or $1 is null)",
                wanted!(),
                " order by request.id limit $7"
            )
        } else {
            sql!(
                request_rows!(),
                " where (request.id < $1 or $1 is null)",
                wanted!(),
                " order by request.id desc limit $7"
            )
        };
        let rows: Vec<RequestRecord> = found
            .bind(after)
            .bind(filter.state)
            .bind(principal.sees_all())
            .bind(person)
            .bind(team)
            .bind(principal.has(Role::DataProtection))
            .bind(page.fetch())
            .bind(filter.waiting_for_me.is_some())
            .bind(is_mine)
            // Whoever answers for a token has asked and decided with it.
            .bind(principal.person_id())
            .bind(team.filter(|team| principal.is_producer(*team)))
            .all(self.db())
            .await?;
        let page = page.cut(rows, |row| row.id.to_string());
        let mut items = Vec::with_capacity(page.items.len());
        for record in page.items {
            items.push(self.request_dto(principal, record).await?);
        }
        Ok(Page {
            items,
            next: page.next,
        })
    }
}
