//! `entrepot work`: the queue.

use clap::Subcommand;
use serde_json::json;

use super::call::Act;
use super::show::{Show, cell};

#[derive(Debug, Subcommand)]
pub(super) enum Queue {
    /// What waits, runs or is parked
    List {
        /// waiting, running, failing or parked
        #[arg(long)]
        state: Option<String>,
        /// grant, replica, sync, vacuum, verify, refresh, report, mail or webhook
        #[arg(long)]
        kind: Option<String>,
    },
    /// Try parked work again: one piece, or all of a kind
    #[command(group(clap::ArgGroup::new("which").required(true)))]
    Retry {
        /// As `work list` shows it
        #[arg(group = "which")]
        work: Option<String>,
        /// All that is parked of it: grant, replica, sync, vacuum, verify, refresh, report, mail or webhook
        #[arg(long, group = "which")]
        kind: Option<String>,
    },
}

impl Queue {
    pub(super) fn act(self) -> anyhow::Result<Act> {
        Ok(match self {
            Self::List { state, kind } => Act::list(&["work"])
                .query("state", state)
                .query("kind", kind)
                .show(Show::Table(&[
                    ("ID", "/id"),
                    ("KIND", "/kind"),
                    ("KEY", "/key"),
                    ("PARKED", "/parked"),
                    ("FAILURES", "/failures"),
                    ("LAST ERROR", "/last_error"),
                ])),
            Self::Retry {
                work: Some(work), ..
            } => Act::post(&["work", &work, "retry"]).show(Show::said("It will be tried again.")),
            Self::Retry { work: None, kind } => Act::post(&["work", "retry"])
                .body(json!({ "kind": kind }))
                .show(Show::words(|answer| {
                    format!("Tried again: {}.", cell(answer.get("retried")))
                })),
        })
    }
}
