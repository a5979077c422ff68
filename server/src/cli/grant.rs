//! `entrepot grant`: what approved requests became.

use clap::Subcommand;
use serde_json::json;

use super::call::Act;
use super::show::Show;

#[derive(Debug, Subcommand)]
pub(super) enum Grant {
    /// The grants that the caller may see
    List {
        #[arg(long)]
        product: Option<String>,
    },
    /// One grant, as wanted and as seen
    Show { grant: String },
    /// End a grant now
    Revoke {
        grant: String,
        #[arg(long)]
        reason: String,
    },
}

const GRANT: Show = Show::Fields(&[
    ("Id", "/id"),
    ("Product", "/product"),
    ("Recipient", "/recipient"),
    ("Team", "/team"),
    ("Mode", "/mode"),
    ("Until", "/until"),
    ("Wanted", "/desired"),
    ("Seen", "/actual"),
    ("Seen to work", "/verified_at"),
    ("First read", "/first_read_at"),
    ("Why not", "/reason"),
    ("Ended", "/ended_at"),
    ("Because", "/ended_reason"),
    ("Old URLs live until", "/urls_until"),
]);

impl Grant {
    pub(super) fn act(self) -> anyhow::Result<Act> {
        Ok(match self {
            Self::List { product } => {
                Act::list(&["grants"])
                    .query("product", product)
                    .show(Show::Table(&[
                        ("ID", "/id"),
                        ("PRODUCT", "/product"),
                        ("RECIPIENT", "/recipient"),
                        ("MODE", "/mode"),
                        ("WANTED", "/desired"),
                        ("SEEN", "/actual"),
                        ("SEEN TO WORK", "/verified_at"),
                        ("UNTIL", "/until"),
                    ]))
            }
            Self::Show { grant } => Act::get(&["grants", &grant]).show(GRANT),
            Self::Revoke { grant, reason } => Act::post(&["grants", &grant, "revoke"])
                .body(json!({ "reason": reason }))
                .show(GRANT),
        })
    }
}
