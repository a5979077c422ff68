//! `entrepot audit`: the log and its check.

use clap::Subcommand;
use serde_json::{Value, json};

use super::call::Act;
use super::show::{Show, cell};

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// The newest rows first, of one thing or of all
    List {
        /// The kind of thing, as in the log: person, team, product …
        #[arg(long, requires = "id")]
        kind: Option<String>,
        #[arg(long, requires = "kind")]
        id: Option<String>,
        /// Who did it, as the log has it: a pseudonym, operator or system
        #[arg(long)]
        actor: Option<String>,
        /// What was done, as the log has it
        #[arg(long)]
        operation: Option<String>,
        /// From this day or instant on
        #[arg(long)]
        since: Option<String>,
        /// Up to the end of this day, or to this instant
        #[arg(long)]
        until: Option<String>,
    },
    /// Recompute the chain; exit status 1 when it is broken
    Verify {
        /// A head that was kept elsewhere: the chain must pass through it
        #[arg(long, value_name = "HASH")]
        anchor: Option<String>,
    },
}

impl Audit {
    pub(super) fn act(self) -> anyhow::Result<Act> {
        Ok(match self {
            Self::List {
                kind,
                id,
                actor,
                operation,
                since,
                until,
            } => Act::list(&["audit"])
                .query("object_kind", kind)
                .query("object_id", id)
                .query("actor", actor)
                .query("operation", operation)
                .query("since", since)
                .query("until", until)
                .show(Show::Table(&[
                    ("NO", "/seq"),
                    ("AT", "/at"),
                    ("WHO", "/actor"),
                    ("WHAT", "/operation"),
                    ("KIND", "/object_kind"),
                    ("ID", "/object_id"),
                ])),
            Self::Verify { anchor } => Act::post(&["audit", "verify"])
                .body(json!({ "anchor": anchor }))
                .show(Show::words(verdict))
                .status(|found| u8::from(!found["broken"].is_null())),
        })
    }
}

fn verdict(found: &Value) -> String {
    let rows = cell(found.get("rows"));
    let head = cell(found.get("head"));
    match &found["broken"] {
        Value::Null => {
            format!("The chain of {rows} rows is whole.\nHead, to keep elsewhere: {head}")
        }
        broken => format!(
            "The chain is broken at row {}: {}",
            cell(broken.get("seq")),
            cell(broken.get("why"))
        ),
    }
}
