//! Replication: a simulated year of the headline's table, and the engine's other targets. What is measured calls the engine itself, so
//! it is a program of `crates/replication` (`benches/replication`), optimised as the release is; here it is given its folder and
//! servers, and its word is taken.

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::{Figure, Limit, Measured};
use crate::process::{Folder, output};
use crate::repo::{Repo, which};
use crate::services::Azurite;
use crate::setup;

pub(super) fn measure(repo: &Repo) -> Result<Measured> {
    // What is forced to a disk for safety is no part of what is measured.
    let folder = Folder::fleeting("bench-replication")?;
    let place = folder.path().to_str().context("a folder's name")?;
    let mut measured = taken(&program(repo, &["headline", place])?)?;
    // Without its opponent there is nothing to measure Azure's server for.
    let azurite = match which(&["rclone"]) {
        Some(_) => {
            setup::npm(repo, "end2end")?;
            Some(Azurite::start(repo)?)
        }
        None => None,
    };
    let mut asked = vec!["targets", place];
    asked.extend(azurite.as_ref().map(|azurite| azurite.url.as_str()));
    let targets = taken(&program(repo, &asked)?)?;
    measured.figures.extend(targets.figures);
    measured.notes.extend(targets.notes);
    measured.object.extend(targets.object);
    Ok(measured)
}

fn program(repo: &Repo, arguments: &[&str]) -> Result<Value> {
    let mut cargo = repo.cargo();
    cargo.args([
        "bench",
        "--quiet",
        "--locked",
        "--package",
        "replication",
        "--bench",
        "replication",
        "--",
    ]);
    let printed = output(cargo.args(arguments))?;
    serde_json::from_str(&printed).context("the benchmark printed no JSON")
}

/// What the program printed.
fn taken(printed: &Value) -> Result<Measured> {
    let list = |name: &str| printed[name].as_array().context("a list is missing");
    let figures = list("figures")?.iter().map(figure);
    let notes = list("notes")?.iter();
    Ok(Measured {
        figures: figures.collect::<Result<_>>()?,
        notes: notes
            .filter_map(|note| note.as_str().map(str::to_owned))
            .collect(),
        object: printed["object"].as_object().cloned().unwrap_or_default(),
    })
}

fn figure(printed: &Value) -> Result<Figure> {
    let text = |name: &str| {
        let text = printed[name].as_str().map(str::to_owned);
        text.with_context(|| format!("a figure without {name}"))
    };
    let limit = match (printed["at_most"].as_f64(), printed["at_least"].as_f64()) {
        (Some(limit), _) => Limit::AtMost(limit),
        (_, Some(limit)) => Limit::AtLeast(limit),
        _ => Limit::None,
    };
    // What could not be measured has no value.
    let value = printed["value"].as_f64().unwrap_or(f64::NAN);
    Ok(Figure::new(text("name")?, value, text("unit")?, limit))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn figures_notes_and_the_object_are_taken_from_the_program() -> Result<()> {
        let printed = json!({
            "figures": [
                { "name": "a", "value": 0.97, "unit": "of 1", "at_most": null, "at_least": 0.95 },
                { "name": "b", "value": null, "unit": "x", "at_most": 0.0, "at_least": null },
                { "name": "c", "value": null, "unit": "x", "at_most": null, "at_least": null },
            ],
            "notes": ["assumed"],
            "object": { "headline": { "ours": { "10": 0.97, "50": 0.994 } } },
        });
        let measured = taken(&printed)?;
        let holds: Vec<bool> = measured.figures.iter().map(Figure::holds).collect();
        assert_eq!(holds, [true, false, true]);
        assert!(measured.figures[0].shown().starts_with("a: 0.970 of 1"));
        assert_eq!(measured.notes, ["assumed"]);
        assert_eq!(measured.object["headline"]["ours"]["50"], 0.994);
        assert!(taken(&json!({ "figures": [] })).is_err());
        Ok(())
    }
}
