//! `entrepot work`: the queue.

use clap::Subcommand;

use super::call::Act;
use super::show::Show;

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
    /// Try parked work again
    Retry { work: String },
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
            Self::Retry { work } => {
                Act::post(&["work", &work, "retry"]).show(Show::said("It will be tried again."))
            }
        })
    }
}
