//! Assessing what lies in a storage: begun here and reckoned behind [`crate::ports::Assessor`]. Nothing of it is stored.

use model::dto::{AssessmentNew, AssessmentState};

use crate::Exchange;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::PageRequest;
use crate::policy::{Scope, can};
use crate::ports::Problem;
use crate::principal::Principal;

impl Exchange {
    /// Begins an assessment, with the rates as they stand. It goes on by itself; one at a time.
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
        assessor
            .start(access, new, rates, self.now())
            .map_err(refused)?;
        Ok(assessor.state())
    }

    /// What runs, and what came of the last one, as far as this process knows.
    pub fn assessment(&self, principal: &Principal) -> Result<AssessmentState, Error> {
        can(principal, Operation::AssessmentRead, &Scope::NONE)?;
        Ok(self.ports().assessor.state())
    }
}

fn refused(problem: Problem) -> Error {
    match problem.field {
        Some(field) => Error::invalid(field, problem.sentence),
        None => Error::Unavailable(problem.sentence),
    }
}
