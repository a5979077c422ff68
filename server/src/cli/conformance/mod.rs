//! `entrepot conformance`: checks a server of the Delta Sharing protocol, any one by a recipient's profile, or our own. The
//! cases are the crate `conformance`'s; here is what they are told, and `own` is our own server with tables for them, which `bucket`
//! lends folders of and `broken` breaks.

mod broken;
mod bucket;
mod own;

use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;

use ::conformance::{Advance, Hints, Profile, Report, Target, cases};
use anyhow::{Context as _, anyhow};
use clap::Args;
use serde_json::{Value, json};

use super::{Globals, print, show};

#[derive(Debug, Args)]
pub(super) struct Conformance {
    /// The profile file of a recipient of the server to check
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present_any = ["own", "list"],
        conflicts_with = "own"
    )]
    profile: Option<PathBuf>,
    /// Check this program itself: serve tables made for it from a temporary folder, on a free port of this machine
    #[arg(long = "self")]
    own: bool,
    /// What cannot be found out by asking: which tables, versions and tokens to go by (docs/CONFORMANCE.md)
    #[arg(long, value_name = "FILE", conflicts_with = "own")]
    world: Option<PathBuf>,
    /// A program that commits the next version of the table `moving` of --world
    #[arg(long, value_name = "PROGRAM", conflicts_with = "own")]
    advance: Option<PathBuf>,
    /// Only this case, or the cases of this rule: C2.one-line, C2; may be given more than once
    #[arg(long = "case", value_name = "ID")]
    cases: Vec<String>,
    /// Show the cases, and check nothing
    #[arg(long)]
    list: bool,
}

pub(super) async fn conformance(globals: &Globals, asked: Conformance) -> anyhow::Result<ExitCode> {
    if asked.list {
        print(&listed(globals.json));
        return Ok(ExitCode::SUCCESS);
    }
    let report = match &asked.profile {
        Some(profile) => {
            let target = asked.target(profile)?;
            ::conformance::run(target, &asked.cases)
                .await
                .map_err(|why| anyhow!(why))?
        }
        None => own::check(&asked.cases).await?,
    };
    print(&shown(&report, globals.json));
    Ok(ExitCode::from(u8::from(report.has_failed())))
}

fn shown(report: &Report, is_json: bool) -> String {
    if is_json {
        show::json(&report.json())
    } else {
        report.text()
    }
}

fn listed(is_json: bool) -> String {
    let all = cases();
    if is_json {
        let all: Vec<Value> = all
            .iter()
            .map(|case| json!({ "id": case.id, "title": case.title, "rule": case.rule }))
            .collect();
        return show::json(&json!({ "cases": all }));
    }
    all.iter()
        .map(|case| format!("{:<32}{} ({})\n", case.id, case.title, case.rule))
        .collect()
}

impl Conformance {
    fn target(&self, profile: &std::path::Path) -> anyhow::Result<Target> {
        let read = |file: &std::path::Path| {
            std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
        };
        let profile = Profile::parse(&read(profile)?).map_err(|why| anyhow!(why))?;
        let mut target = Target::new(profile);
        if let Some(world) = &self.world {
            target.hints = Hints::parse(&read(world)?).map_err(|why| anyhow!(why))?;
        }
        target.advance = self.advance.clone().map(by_program);
        Ok(target)
    }
}

/// Runs the program once for each version.
fn by_program(program: PathBuf) -> Advance {
    Arc::new(move || -> own::Done {
        let mut command = tokio::process::Command::new(&program);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let shown = program.display().to_string();
        Box::pin(async move {
            match command.status().await {
                Ok(status) if status.success() => Ok(()),
                Ok(status) => Err(format!("{shown} ended with {status}")),
                Err(error) => Err(format!("{shown} cannot be run: {error}")),
            }
        })
    })
}
