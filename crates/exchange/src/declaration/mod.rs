//! The declaration `entrepot.yml`: the world as a file, validated, planned, deployed and exported.
//!
//! Lives here: reading the file, comparing it with what is live, and the order of the steps. What a step does is one of the
//! portal's own operations, asked of the policy in the name of who deploys; only a declared grant has an operation of its
//! own, because nobody asked for it. Nothing is ever pruned: what is live and not in the file is shown as foreign.

mod apply;
mod check;
mod export;
mod file;
mod live;
mod plan;
mod wanted;

#[cfg(test)]
mod tests;

use model::dto::{
    DeclarationAction, DeclarationPlan, DeclarationProblem, DeclarationReport, Deployment,
    DeploymentNew,
};
use model::{DeploymentId, Timestamp};
use serde_json::json;

pub use export::draft;

use apply::{Source, place};
use plan::Step;
use wanted::Wanted;

use crate::audit::Object;
use crate::error::{Check, Error, FieldError};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, sql};

impl Exchange {
    /// All that is wrong with a declaration by itself. What is live is not looked at.
    pub fn declaration_validate(
        &self,
        principal: &Principal,
        yaml: &str,
    ) -> Result<DeclarationReport, Error> {
        can(principal, Operation::DeclarationValidate, &Scope::NONE)?;
        Ok(DeclarationReport {
            problems: check::check(yaml).err().unwrap_or_default(),
        })
    }

    /// What deploying would do for this caller. Nothing is written.
    pub async fn declaration_plan(
        &self,
        principal: &Principal,
        yaml: &str,
    ) -> Result<DeclarationPlan, Error> {
        can(principal, Operation::DeclarationPlan, &Scope::NONE)?;
        let wanted = parse(yaml)?;
        plan::shown(&plan::plan(self, principal, &wanted).await?)
    }

    /// Makes what is live as the file says, or nothing at all where the plan refuses a part. A step that fails later leaves
    /// the steps before it done, and the error names them; deploying again goes on from there. All as declared: nothing is
    /// written.
    ///
    /// Errors: `Invalid` for a file that is wrong, `Conflict` for another plan than expected or a part that cannot be,
    /// `Forbidden` for a part that the caller may not.
    pub async fn declaration_deploy(
        &self,
        principal: &Principal,
        new: DeploymentNew,
    ) -> Result<Deployment, Error> {
        can(principal, Operation::DeclarationDeploy, &Scope::NONE)?;
        let mut check = Check::new();
        let file = check.text("file", &new.file, 1, 200, false);
        let commit = check.text("commit", &new.commit, 1, 100, false);
        check.done()?;
        let wanted = parse(&new.yaml)?;
        let steps = plan::plan(self, principal, &wanted).await?;
        let plan = plan::shown(&steps)?;
        if new
            .expect_plan_hash
            .as_ref()
            .is_some_and(|expected| !expected.eq_ignore_ascii_case(&plan.hash))
        {
            return Err(Error::conflict(
                "the plan is not the one that was looked at: what is live, or the file, has changed; plan again",
            ));
        }
        refuse(&steps)?;
        let at = self.now();
        let source = Source { file, commit };
        let id = if plan.to_do() == 0 {
            None
        } else {
            Some(self.carry_out(principal, &source, steps, &plan).await?)
        };
        Ok(Deployment {
            id,
            file: source.file,
            commit: source.commit,
            at,
            plan,
        })
    }

    /// The deployment is on record before its first step, so that no step goes without one.
    async fn carry_out(
        &self,
        principal: &Principal,
        source: &Source,
        steps: Vec<Step>,
        plan: &DeclarationPlan,
    ) -> Result<DeploymentId, Error> {
        let id = self
            .deployment_begin(principal, source, (&steps, &plan.hash))
            .await?;
        let mut done = Vec::new();
        for step in steps {
            let is_done = is_done(step.change.action);
            let object = place(&step.change.kind, &step.change.name);
            if let Err(error) = self.step_if_any(principal, source, step).await {
                // The step's error is the one to be told; that it could not be recorded is the operator's concern.
                if let Err(second) = self.deployment_end(principal, id, Some(&error)).await {
                    tracing::error!(
                        error = &second as &dyn std::error::Error,
                        deployment = %id,
                        "the end of a failed deployment could not be recorded"
                    );
                }
                return Err(stopped(error, &done));
            }
            if is_done {
                done.push(object);
            }
        }
        self.deployment_end(principal, id, None).await?;
        Ok(id)
    }

    async fn step_if_any(
        &self,
        principal: &Principal,
        source: &Source,
        step: Step,
    ) -> Result<(), Error> {
        if matches!(step.act, plan::Act::Nothing) || !is_done(step.change.action) {
            return Ok(());
        }
        self.deploy_step(principal, source, step).await
    }

    async fn deployment_begin(
        &self,
        principal: &Principal,
        source: &Source,
        (steps, hash): (&[Step], &str),
    ) -> Result<DeploymentId, Error> {
        // Without what was told beside the plan: that is of the moment, and of others' products as far as this person knows them.
        let done: Vec<_> = steps
            .iter()
            .map(|step| &step.change)
            .filter(|change| is_done(change.action))
            .collect();
        let text = serde_json::to_string(&done).map_err(Error::internal)?;
        let mut change = self.change(principal).await?;
        let at: Timestamp = change.at();
        let id = DeploymentId::new(at);
        sql!("insert into deployment (id, actor, file, commit_id, plan, changes, at) values ($1, $2, $3, $4, $5, $6, $7)")
            .bind(id)
            .bind(principal.pseudonym())
            .bind(&source.file)
            .bind(&source.commit)
            .bind(text)
            .bind(done.len())
            .bind(at)
            .execute(change.tx())
            .await?;
        change.note(
            Operation::DeclarationDeploy,
            Object::new("deployment", id),
            json!({ "file": source.file, "commit": source.commit, "plan": hash, "changes": done.len() }),
        );
        change.commit().await?;
        Ok(id)
    }

    async fn deployment_end(
        &self,
        principal: &Principal,
        id: DeploymentId,
        error: Option<&Error>,
    ) -> Result<(), Error> {
        let failure = error.map(ToString::to_string);
        let mut change = self.change(principal).await?;
        let at = change.at();
        sql!("update deployment set finished_at = $1, failure = $2 where id = $3")
            .bind(at)
            .bind(failure.as_deref())
            .bind(id)
            .execute(change.tx())
            .await?;
        change.note(
            Operation::DeclarationDeploy,
            Object::new("deployment", id),
            json!({ "finished": failure.is_none() }),
        );
        change.commit().await
    }
}

const fn is_done(action: DeclarationAction) -> bool {
    matches!(
        action,
        DeclarationAction::Create | DeclarationAction::Update
    )
}

fn parse(yaml: &str) -> Result<Wanted, Error> {
    check::check(yaml).map_err(|problems| {
        Error::Invalid(
            problems
                .iter()
                .map(|problem| FieldError {
                    field: if problem.path.is_empty() {
                        "yaml".to_owned()
                    } else {
                        problem.path.clone()
                    },
                    message: place_of(problem),
                })
                .collect(),
        )
    })
}

/// The message with line and column, but without the path that the field is.
fn place_of(problem: &DeclarationProblem) -> String {
    DeclarationProblem {
        path: String::new(),
        ..problem.clone()
    }
    .to_string()
}

/// How many of the steps before an error are named.
const DONE_MAX: usize = 20;

/// The error of a step, with what was done before it and what to do now.
fn stopped(error: Error, done: &[String]) -> Error {
    let named = done.iter().take(DONE_MAX).cloned().collect::<Vec<_>>();
    let more = match done.len().saturating_sub(DONE_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let before = if named.is_empty() {
        "nothing was done before that".to_owned()
    } else {
        format!("before that was done: {}{more}", named.join(", "))
    };
    let tail =
        format!("{before}; deploy again when it is mended, and the deployment goes on from there");
    match error {
        Error::Invalid(mut fields) => {
            fields.push(FieldError {
                field: "yaml".to_owned(),
                message: tail,
            });
            Error::Invalid(fields)
        }
        Error::Conflict(why) => Error::Conflict(format!("{why}; {tail}")),
        Error::Forbidden(why) => Error::Forbidden(format!("{why}; {tail}")),
        Error::Unavailable(why) => Error::Unavailable(format!("{why}; {tail}")),
        other => other,
    }
}

/// All or nothing: a file of which a part is refused is not deployed.
fn refuse(steps: &[Step]) -> Result<(), Error> {
    let refused: Vec<&Step> = steps
        .iter()
        .filter(|step| step.change.action == DeclarationAction::Refused)
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    let sentence = refused
        .iter()
        .map(|step| {
            format!(
                "{}: {}",
                place(&step.change.kind, &step.change.name),
                step.change.note.as_deref().unwrap_or("refused")
            )
        })
        .collect::<Vec<_>>()
        .join("; ");
    Err(if refused.iter().any(|step| step.forbidden) {
        Error::Forbidden(sentence)
    } else {
        Error::Conflict(sentence)
    })
}
