//! `entrepot validate`, `plan`, `deploy` and `export`: the world as a file.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use super::call::Act;
use super::columns::{at, given, list, time};
use super::save::Save;
use super::show::{Show, grid};

/// A declaration on this machine.
#[derive(Debug, Args)]
pub(super) struct Declared {
    /// The declaration, entrepot.yml; - is standard input
    file: PathBuf,
}

impl Declared {
    fn read(&self) -> anyhow::Result<String> {
        if self.file == Path::new("-") {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .context("standard input cannot be read")?;
            return Ok(text);
        }
        std::fs::read_to_string(&self.file)
            .with_context(|| format!("{} cannot be read", self.file.display()))
    }

    /// The file as its repository calls it, as far as that can be known.
    fn name(&self) -> String {
        if self.file == Path::new("-") {
            return "standard input".to_owned();
        }
        let is_below = self.file.is_relative() && !self.file.starts_with("..");
        let name = if is_below {
            Some(self.file.as_os_str())
        } else {
            self.file.file_name()
        };
        name.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    pub(super) fn validate(self) -> anyhow::Result<Act> {
        Ok(Act::post(&["declaration", "validate"])
            .body(json!({ "yaml": self.read()? }))
            .show(Show::words(report))
            .status(|report| u8::from(!list(report, "problems").is_empty())))
    }

    pub(super) fn plan(self) -> anyhow::Result<Act> {
        Ok(Act::post(&["declaration", "plan"])
            .body(json!({ "yaml": self.read()? }))
            .show(Show::words(plan))
            .status(plan_status))
    }
}

#[derive(Debug, Args)]
pub(super) struct Deploy {
    #[command(flatten)]
    declared: Declared,
    /// The commit that the file was taken from
    #[arg(long, default_value = "uncommitted")]
    commit: String,
    /// Only if the plan is still the one with this hash, as `entrepot plan` prints it
    #[arg(long, value_name = "HASH")]
    plan: Option<String>,
}

impl Deploy {
    pub(super) fn act(self) -> anyhow::Result<Act> {
        let mut body = given([("expect_plan_hash", self.plan.map(Value::from))]);
        body.insert("yaml".to_owned(), Value::from(self.declared.read()?));
        body.insert("file".to_owned(), Value::from(self.declared.name()));
        body.insert("commit".to_owned(), Value::from(self.commit));
        Ok(Act::post(&["declaration", "deploy"])
            .body(body.into())
            .show(Show::words(deployment)))
    }
}

#[derive(Debug, Args)]
pub(super) struct Export {
    /// This product alone
    #[arg(long)]
    product: Option<String>,
    /// Save it in this file instead of printing it
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Export {
    pub(super) fn act(self) -> Act {
        Act::get(&["declaration"])
            .query("product", self.product)
            .save(self.output.map(|path| Save { path, text: yaml }))
            .show(Show::words(yaml))
    }
}

fn yaml(export: &Value) -> String {
    export["yaml"].as_str().unwrap_or("").to_owned()
}

fn report(report: &Value) -> String {
    let problems = list(report, "problems");
    if problems.is_empty() {
        return "The declaration is sound.".to_owned();
    }
    let mut text = String::new();
    for problem in problems {
        if problem["line"].is_u64() {
            let (line, column) = (at(problem, "/line"), at(problem, "/column"));
            text.push_str(&format!("line {line}, column {column}: "));
        }
        if problem["path"] != "" {
            text.push_str(&format!("{}: ", at(problem, "/path")));
        }
        text.push_str(&format!("{}\n", at(problem, "/message")));
    }
    text
}

fn count(plan: &Value, action: &str) -> usize {
    list(plan, "changes")
        .iter()
        .filter(|change| change["action"] == action)
        .count()
}

/// 0 no changes, 1 it cannot be deployed, 2 changes.
fn plan_status(plan: &Value) -> u8 {
    if count(plan, "refused") > 0 {
        1
    } else if count(plan, "create") + count(plan, "update") > 0 {
        2
    } else {
        0
    }
}

fn plan(plan: &Value) -> String {
    let mut text = changes(plan);
    let of = |action| count(plan, action);
    text.push_str(&format!(
        "{} to create, {} to update, {} as declared, {} not in the file, {} refused.\n",
        of("create"),
        of("update"),
        of("unchanged"),
        of("foreign"),
        of("refused")
    ));
    text.push_str(&format!("Plan {}\n", at(plan, "/hash")));
    text
}

/// What is as declared is not listed.
fn changes(plan: &Value) -> String {
    let mut text = String::new();
    for change in list(plan, "changes") {
        if change["action"] == "unchanged" {
            continue;
        }
        let part = |pointer| at(change, pointer);
        text.push_str(&format!(
            "{:8} {} {}",
            part("/action"),
            part("/kind"),
            part("/name")
        ));
        if change["note"].is_string() {
            text.push_str(&format!(": {}", part("/note")));
        }
        text.push('\n');
        let fields: Vec<Vec<String>> = list(change, "fields")
            .iter()
            .map(|field| {
                let to = at(field, "/to");
                vec![
                    format!("           {}", at(field, "/field")),
                    match field["from"].is_null() {
                        true => to,
                        false => format!("{} -> {to}", at(field, "/from")),
                    },
                ]
            })
            .collect();
        text.push_str(&grid(&fields));
    }
    text
}

fn deployment(done: &Value) -> String {
    if done["id"].is_null() {
        return "All is as declared; nothing was done.".to_owned();
    }
    format!(
        "{}Deployed {} of {} at {}.",
        changes(&done["plan"]),
        at(done, "/file"),
        at(done, "/commit"),
        time(done, "/at")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_have_words_and_a_status() {
        let change = |action: &str| {
            json!({ "action": action, "kind": "team", "name": "rnd", "fields": [
                { "field": "title", "from": null, "to": "R&D" },
                { "field": "contact", "from": "a", "to": "b" },
            ] })
        };
        let of = |actions: &[&str]| {
            let changes: Vec<Value> = actions.iter().copied().map(change).collect();
            json!({ "changes": changes, "hash": "00" })
        };
        for (actions, status) in [
            (&[][..], 0),
            (&["unchanged", "foreign"], 0),
            (&["unchanged", "create"], 2),
            (&["update"], 2),
            (&["create", "refused"], 1),
        ] {
            assert_eq!(plan_status(&of(actions)), status, "{actions:?}");
        }
        assert_eq!(
            plan(&of(&["update", "unchanged"])),
            "update   team rnd\n           title    R&D\n           contact  a -> b\n\
             0 to create, 1 to update, 1 as declared, 0 not in the file, 0 refused.\nPlan 00\n"
        );
        assert_eq!(
            deployment(&json!({ "id": null })),
            "All is as declared; nothing was done."
        );
    }

    #[test]
    fn problems_say_where() {
        let found = json!({ "problems": [
            { "path": "teams.rnd", "line": 4, "column": 7, "message": "missing" },
            { "path": "", "line": null, "column": null, "message": "not YAML" },
        ] });
        assert_eq!(
            report(&found),
            "line 4, column 7: teams.rnd: missing\nnot YAML\n"
        );
        assert_eq!(
            report(&json!({ "problems": [] })),
            "The declaration is sound."
        );
    }

    #[test]
    fn files_are_called_as_in_their_repository() {
        for (path, name) in [
            ("entrepot.yml", "entrepot.yml"),
            ("world/entrepot.yml", "world/entrepot.yml"),
            ("/srv/world/entrepot.yml", "entrepot.yml"),
            ("../world/entrepot.yml", "entrepot.yml"),
            ("-", "standard input"),
        ] {
            let file = PathBuf::from(path);
            assert_eq!(Declared { file }.name(), name);
        }
    }
}
