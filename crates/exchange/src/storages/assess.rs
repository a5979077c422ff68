//! Assessing what lies in a storage: begun here and reckoned behind [`crate::ports::Assessor`], whose process tells how far it is. What
//! came of the last ones is kept, for every process to show.

use model::dto::{Assessment, AssessmentNew, AssessmentState};
use model::time::MINUTE;
use model::{AssessmentId, Timestamp};
use serde_json::json;

use crate::audit::Object;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::policy::{Scope, can};
use crate::ports::Problem;
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// How many are kept.
const KEPT: i64 = 20;
/// A process that makes one and says nothing for so long is gone; microseconds.
const SILENT: i64 = MINUTE;
const LOST: &str = "The process that made it ended before it was done, so that nothing came of it. Begin it again.";

struct AssessmentRecord {
    id: AssessmentId,
    place: String,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
    seen_at: Timestamp,
    running: bool,
    cancelled: bool,
    tables_done: u64,
    tables_all: Option<u64>,
    problem: Option<String>,
    found: Option<String>,
}
from_row!(AssessmentRecord {
    id,
    place,
    started_at,
    ended_at,
    seen_at,
    running,
    cancelled,
    tables_done,
    tables_all,
    problem,
    found
});

impl AssessmentRecord {
    /// `now` is the database's.
    fn state(self, now: Timestamp) -> Result<AssessmentState, Error> {
        let is_lost = self.running && self.seen_at.plus(SILENT) < now;
        let found = self.found.as_deref().map(serde_json::from_str);
        Ok(AssessmentState {
            id: Some(self.id),
            running: self.running && !is_lost,
            started_at: Some(self.started_at),
            ended_at: self.ended_at,
            cancelled: self.cancelled,
            tables_done: self.tables_done,
            tables: self.tables_all,
            place: Some(self.place),
            found: found.transpose().map_err(Error::internal)?,
            problem: match is_lost {
                true => Some(LOST.to_owned()),
                false => self.problem,
            },
        })
    }
}

/// An assessment with what came of it, or without.
macro_rules! assessment_rows {
    ($found:literal) => {
        concat!(
            "select id, place, started_at, ended_at, seen_at, running, cancelled, tables_done, tables_all, problem, ",
            $found,
            " as found from assessment "
        )
    };
}

impl Exchange {
    /// Begins an assessment, with the rates as they stand. It goes on by itself; one at a time: where one runs, that one is told of.
    pub async fn assessment_start(
        &self,
        principal: &Principal,
        new: AssessmentNew,
    ) -> Result<AssessmentState, Error> {
        can(principal, Operation::AssessmentStart, &Scope::NONE)?;
        let record = self
            .storage_by_name(&new.storage)
            .await?
            .ok_or_else(|| Error::invalid("storage", "there is no such storage"))?;
        let access = self.storage_open(record)?;
        let mut rates = Vec::new();
        let mut page = PageRequest {
            after: None,
            limit: None,
        };
        loop {
            let found = self.rates(principal, &page).await?;
            rates.extend(found.items);
            match found.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        let assessor = &self.ports().assessor;
        assessor.check(&new).map_err(refused)?;
        let place = format!("{}/{}", access.name, new.prefix.trim_matches('/'));
        let (id, is_new) = self.assessment_open(principal, &place).await?;
        if is_new {
            assessor.start(id, access, new, rates, self.now());
        }
        self.assessment_of(principal, id).await
    }

    /// Writes down that one begins; false: another runs, and this is its id. Those that nobody makes any more are ended, and the
    /// oldest are forgotten.
    pub async fn assessment_open(
        &self,
        principal: &Principal,
        place: &str,
    ) -> Result<(AssessmentId, bool), Error> {
        can(principal, Operation::AssessmentStart, &Scope::NONE)?;
        let seen = self.db().now().await?;
        let mut change = self.change(principal).await?;
        let at = change.at();
        sql!("update assessment set running = false, ended_at = $1, problem = $2 where running and seen_at < $3")
            .bind(at)
            .bind(LOST)
            .bind(seen.plus(-SILENT))
            .execute(change.tx())
            .await?;
        let runs = sql!("select id from assessment where running")
            .row(change.tx())
            .await?;
        if let Some(row) = runs {
            return Ok((row.get("id")?, false));
        }
        let id = AssessmentId::new(at);
        sql!(
            "insert into assessment (id, place, actor, started_at, seen_at, running, cancelled, tables_done)
             values ($1, $2, $3, $4, $5, true, false, 0)"
        )
        .bind(id)
        .bind(place)
        .bind(principal.pseudonym())
        .bind(at)
        .bind(seen)
        .execute(change.tx())
        .await?;
        sql!(
            "delete from assessment where not running and id not in
                 (select id from assessment order by id desc limit $1)"
        )
        .bind(KEPT)
        .execute(change.tx())
        .await?;
        change.note(
            Operation::AssessmentStart,
            Object::new("assessment", id),
            json!({ "place": place }),
        );
        change.commit().await?;
        Ok((id, true))
    }

    /// How far it is, said by the process that makes it; false: it is not wanted any more.
    pub async fn assessment_progress(
        &self,
        principal: &Principal,
        id: AssessmentId,
        done: u64,
        tables: Option<u64>,
    ) -> Result<bool, Error> {
        can(principal, Operation::AssessmentWrite, &Scope::NONE)?;
        let changed = sql!(
            "update assessment set tables_done = $1, tables_all = $2, seen_at = $3 where id = $4 and running"
        )
        .bind(done)
        .bind(tables)
        .bind(self.db().now().await?)
        .bind(id)
        .execute(self.db())
        .await?;
        Ok(changed > 0)
    }

    /// What came of it. Of one that is not wanted any more nothing is kept.
    pub async fn assessment_end(
        &self,
        principal: &Principal,
        id: AssessmentId,
        found: Result<Assessment, String>,
    ) -> Result<(), Error> {
        can(principal, Operation::AssessmentWrite, &Scope::NONE)?;
        let (found, problem) = match found {
            Ok(found) => {
                let text = serde_json::to_string(&found).map_err(Error::internal)?;
                (Some(text), None)
            }
            Err(problem) => (None, Some(problem)),
        };
        sql!(
            "update assessment set running = false, ended_at = $1, found = $2, problem = $3 where id = $4 and running"
        )
        .bind(self.now())
        .bind(found)
        .bind(problem)
        .bind(id)
        .execute(self.db())
        .await?;
        Ok(())
    }

    /// Ends one that runs; the process that makes it stops as soon as it asks. One that has ended stays as it is.
    pub async fn assessment_cancel(
        &self,
        principal: &Principal,
        id: AssessmentId,
    ) -> Result<AssessmentState, Error> {
        can(principal, Operation::AssessmentCancel, &Scope::NONE)?;
        let mut change = self.change(principal).await?;
        let at = change.at();
        let changed = sql!(
            "update assessment set running = false, cancelled = true, ended_at = $1 where id = $2 and running"
        )
        .bind(at)
        .bind(id)
        .execute(change.tx())
        .await?;
        if changed > 0 {
            change.note(
                Operation::AssessmentCancel,
                Object::new("assessment", id),
                json!({}),
            );
            change.commit().await?;
        } else {
            drop(change);
        }
        self.assessment_of(principal, id).await
    }

    /// The last one that was begun, with what came of the last one that came to something.
    pub async fn assessment(&self, principal: &Principal) -> Result<AssessmentState, Error> {
        can(principal, Operation::AssessmentRead, &Scope::NONE)?;
        let now = self.db().now().await?;
        let last: Option<AssessmentRecord> = sql!(
            assessment_rows!("cast(null as text)"),
            "order by id desc limit 1"
        )
        .first(self.db())
        .await?;
        let Some(last) = last else {
            return Ok(AssessmentState::default());
        };
        let found: Option<AssessmentRecord> = sql!(
            assessment_rows!("found"),
            "where found is not null order by id desc limit 1"
        )
        .first(self.db())
        .await?;
        let found = found.map(|record| record.state(now)).transpose()?;
        Ok(AssessmentState {
            found: found.and_then(|state| state.found),
            ..last.state(now)?
        })
    }

    /// One of them, with what came of it.
    pub async fn assessment_of(
        &self,
        principal: &Principal,
        id: AssessmentId,
    ) -> Result<AssessmentState, Error> {
        can(principal, Operation::AssessmentShow, &Scope::NONE)?;
        let record: Option<AssessmentRecord> = sql!(assessment_rows!("found"), "where id = $1")
            .bind(id)
            .first(self.db())
            .await?;
        let record = record.ok_or(Error::NotFound("assessment"))?;
        record.state(self.db().now().await?)
    }

    /// Those that are kept, the newest first, without what came of them.
    pub async fn assessments(
        &self,
        principal: &Principal,
        page: &PageRequest,
    ) -> Result<Page<AssessmentState>, Error> {
        can(principal, Operation::AssessmentList, &Scope::NONE)?;
        let now = self.db().now().await?;
        let after: Option<AssessmentId> = page.parse_after()?;
        let rows: Vec<AssessmentRecord> = sql!(
            assessment_rows!("cast(null as text)"),
            "where (id < $1 or $1 is null) order by id desc limit $2"
        )
        .bind(after)
        .bind(page.fetch())
        .all(self.db())
        .await?;
        let states: Result<Vec<AssessmentState>, Error> =
            rows.into_iter().map(|record| record.state(now)).collect();
        Ok(page.cut(states?, |state| {
            state.id.map(|id| id.to_string()).unwrap_or_default()
        }))
    }
}

fn refused(problem: Problem) -> Error {
    match problem.field {
        Some(field) => Error::invalid(field, problem.sentence),
        None => Error::Unavailable(problem.sentence),
    }
}
