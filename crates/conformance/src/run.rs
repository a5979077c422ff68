//! Running the cases against one server, one after the other: a server is not to be brought down by being checked.

use std::time::Duration;

use crate::case::{Case, Stop};
use crate::cases::AREAS;
use crate::report::{CaseReport, Outcome, Report};
use crate::{Target, World};

/// No case takes longer.
const PATIENCE: Duration = Duration::from_secs(120);

/// All cases, in the order in which they are run.
pub fn cases() -> Vec<&'static Case> {
    AREAS.into_iter().flatten().collect()
}

/// Finds out what the server has to check against.
///
/// # Errors
/// When it does not even list its shares.
pub async fn discover(target: Target) -> Result<World, String> {
    World::discover(target).await
}

/// Runs the cases of these ids, or of these rules (`C2`); none: all.
///
/// # Errors
/// When there is no such case, or the server does not even list its shares.
pub async fn run(target: Target, only: &[String]) -> Result<Report, String> {
    let all = cases();
    for name in only {
        if !all.iter().any(|case| wanted(case, name)) {
            return Err(format!("there is no case {name}; --list shows them"));
        }
    }
    let endpoint = target.profile.endpoint.to_string();
    let world = discover(target).await?;
    let mut report = Report {
        endpoint,
        cases: Vec::new(),
    };
    for case in all {
        if only.is_empty() || only.iter().any(|name| wanted(case, name)) {
            report.cases.push(run_case(&world, case).await);
        }
    }
    Ok(report)
}

/// By its id or its rule, in any case.
fn wanted(case: &Case, name: &str) -> bool {
    let (id, name) = (case.id.to_lowercase(), name.to_lowercase());
    id == name || id.split('.').next() == Some(name.as_str())
}

/// Runs one case.
pub async fn run_case(world: &World, case: &Case) -> CaseReport {
    world.client.take_seen();
    let ended = tokio::time::timeout(PATIENCE, (case.run)(world)).await;
    let outcome = match ended {
        Ok(Ok(())) => Outcome::Pass,
        Ok(Err(Stop::Fail { expected, seen })) => Outcome::Fail { expected, seen },
        Ok(Err(Stop::Skip(why))) => Outcome::Skip { why },
        Err(_) => Outcome::Fail {
            expected: "an end of the case".to_owned(),
            seen: format!("none within {} s", PATIENCE.as_secs()),
        },
    };
    CaseReport::new(case, outcome, world.client.take_seen())
}
