//! `entrepot grant`: what approved requests became.

use clap::Subcommand;
use serde_json::json;

use super::call::Act;
use super::columns::{Column, at, lines, table, time};

#[derive(Debug, Subcommand)]
pub(super) enum Grant {
    /// The grants that the caller may see, newest first
    List {
        #[arg(long)]
        product: Option<String>,
    },
    /// One grant: what is wanted, and what was seen
    Show { grant: String },
    /// End a grant now
    Revoke {
        grant: String,
        /// Told to the other side
        #[arg(long)]
        reason: String,
    },
}

const GRANT: &[Column] = &[
    ("Grant", |g| at(g, "/id")),
    ("Product", |g| at(g, "/product")),
    ("Recipient", |g| at(g, "/recipient")),
    ("Team", |g| at(g, "/team")),
    ("Location", |g| at(g, "/location")),
    ("Mode", |g| at(g, "/mode")),
    ("Until", |g| time(g, "/until")),
    ("Wanted", |g| at(g, "/desired")),
    ("Seen", |g| at(g, "/actual")),
    ("Because", |g| at(g, "/reason")),
    ("Verified", |g| time(g, "/verified_at")),
    ("First read", |g| time(g, "/first_read_at")),
    ("URLs live until", |g| time(g, "/urls_until")),
    ("Ended", |g| time(g, "/ended_at")),
    ("Ended because", |g| at(g, "/ended_reason")),
    ("Request", |g| at(g, "/request")),
];

impl Grant {
    pub(super) fn act(self) -> Act {
        match self {
            Self::List { product } => {
                Act::list(&["grants"])
                    .query("product", product)
                    .show(table(&[
                        ("ID", |g| at(g, "/id")),
                        ("PRODUCT", |g| at(g, "/product")),
                        ("RECIPIENT", |g| at(g, "/recipient")),
                        ("MODE", |g| at(g, "/mode")),
                        ("WANTED", |g| at(g, "/desired")),
                        ("SEEN", |g| at(g, "/actual")),
                        ("VERIFIED", |g| time(g, "/verified_at")),
                        ("UNTIL", |g| time(g, "/until")),
                    ]))
            }
            Self::Show { grant } => Act::get(&["grants", &grant]).show(lines(GRANT)),
            Self::Revoke { grant, reason } => Act::post(&["grants", &grant, "revoke"])
                .body(json!({ "reason": reason }))
                .show(lines(GRANT)),
        }
    }
}
