//! The list of statements: every month of every team in which something was charged or counted, page by page.

use std::str::FromStr;

use model::dto::StatementSummary;
use model::{Currency, Name, Timestamp};

use super::statements::Month;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, sql};

/// Where a page ends: `2026-06.aftersales.USD`. Months go back, teams and currencies in the order of their names.
struct Place {
    month: Month,
    team: Name,
    currency: Currency,
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(3, '.');
        let mut part = || parts.next().ok_or(());
        Ok(Self {
            month: Month::parse(part()?).map_err(|_| ())?,
            team: part()?.parse().map_err(|_| ())?,
            currency: part()?.parse().map_err(|_| ())?,
        })
    }
}

fn place_of(summary: &StatementSummary) -> String {
    format!("{}.{}.{}", summary.month, summary.team, summary.currency)
}

impl Exchange {
    /// Statements of the caller's teams, newest month first: those issued, and the open one of each month in which something
    /// was charged or counted.
    pub async fn statements(
        &self,
        principal: &Principal,
        page: &PageRequest,
    ) -> Result<Page<StatementSummary>, Error> {
        can(principal, Operation::StatementList, &Scope::NONE)?;
        let after: Option<Place> = page.parse_after()?;
        let mut found: Vec<StatementSummary> = Vec::new();
        let mut at = match &after {
            Some(place) => Some(place.month),
            None => self.month_before(principal, None).await?,
        };
        while let Some(month) = at
            && found.len() <= page.limit()
        {
            let seen = after.as_ref().filter(|place| place.month == month);
            let mut last = None;
            if let Some(place) = seen {
                let of_team = self.summaries(principal, &place.team, month).await?;
                let rest = of_team.into_iter();
                found.extend(rest.filter(|summary| summary.currency > place.currency));
                last = Some(place.team.clone());
            }
            while found.len() <= page.limit() {
                let teams = self.teams_of(principal, month, last.as_ref(), page.fetch());
                let teams = teams.await?;
                if teams.is_empty() {
                    break;
                }
                for team in &teams {
                    if found.len() <= page.limit() {
                        found.extend(self.summaries(principal, team, month).await?);
                    }
                }
                last = teams.into_iter().last();
            }
            at = self.month_before(principal, Some(month)).await?;
        }
        Ok(page.cut(found, place_of))
    }

    /// One for each currency, in order.
    async fn summaries(
        &self,
        principal: &Principal,
        team: &Name,
        month: Month,
    ) -> Result<Vec<StatementSummary>, Error> {
        let statements = self
            .statement(principal, team.as_str(), &month.text())
            .await?;
        let mut summaries: Vec<StatementSummary> = statements
            .into_iter()
            .map(|statement| statement.summary)
            .collect();
        summaries.sort_by_key(|summary| summary.currency);
        Ok(summaries)
    }

    /// The last month before this one, or of all, that has a statement.
    async fn month_before(
        &self,
        principal: &Principal,
        month: Option<Month>,
    ) -> Result<Option<Month>, Error> {
        let (person, team) = principal.scope();
        let row = sql!(
            "select cast(max(day) as bigint) as day from statement_day
             where (day < $4 or cast($4 as bigint) is null)
                 and ($1 or team_id = $3 or team_id in (select team_member.team_id from team_member where person_id = $2))"
        )
        .bind(principal.sees_all() || principal.has(model::Role::Finance))
        .bind(person)
        .bind(team)
        .bind(month.map(Month::first_day))
        .row(self.db())
        .await?;
        let day: Option<i64> = row.map(|row| row.get("day")).transpose()?.flatten();
        day.map(|day| Month::of(Timestamp::from_utc_day(day)))
            .transpose()
    }

    /// Teams that have statements of this month, after the one named.
    async fn teams_of(
        &self,
        principal: &Principal,
        month: Month,
        after: Option<&Name>,
        limit: i64,
    ) -> Result<Vec<Name>, Error> {
        let (person, team) = principal.scope();
        let rows = sql!(
            "select distinct team.name from statement_day join team on team.id = team_id
             where day >= $4 and day < $5 and (team.name > $6 or cast($6 as text) is null)
                 and ($1 or team_id = $3 or team_id in (select team_member.team_id from team_member where person_id = $2))
             order by team.name limit $7"
        )
        .bind(principal.sees_all() || principal.has(model::Role::Finance))
        .bind(person)
        .bind(team)
        .bind(month.first_day())
        .bind(month.next().first_day())
        .bind(after.map(Name::as_str))
        .bind(limit)
        .rows(self.db())
        .await?;
        rows.iter()
            .map(|row| row.get("name").map_err(Error::from))
            .collect()
    }
}
