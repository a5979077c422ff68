//! `entrepot grant`: what approved requests became.

use clap::Subcommand;
use exchange::access::parse_bytes;
use serde_json::{Value, json};

use super::call::Act;
use super::columns::{Column, at, bytes, given, lines, table, time};

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
    /// Say how many bytes of the producer's own files a grant hands out in a day
    Limit {
        grant: String,
        /// "50 GB", or a number of bytes; of a replica: what may be read at the source while it is late
        #[arg(
            long,
            value_name = "BYTES",
            value_parser = some_bytes,
            required_unless_present = "none",
            conflicts_with = "none"
        )]
        live_bytes_per_day: Option<u64>,
        /// No number: live access hands out any, a replica that is late is read all the same
        #[arg(long)]
        none: bool,
        /// Only if this is still the revision
        #[arg(long)]
        revision: Option<i64>,
    },
    /// Say what part of its product a grant opens: some rows, or all, and whether by credentials for whole folders
    Narrow {
        grant: String,
        /// Conditions on partition columns: "country = 'DE' and year in (2024, 2025)", "country = ${recipient.country}"
        #[arg(
            long,
            value_name = "CONDITIONS",
            conflicts_with = "all_rows",
            required_unless_present = "all_rows"
        )]
        rows: Option<String>,
        /// No conditions: every row
        #[arg(long)]
        all_rows: bool,
        /// Give the recipient credentials for the folders of the tables; not together with conditions
        #[arg(long, conflicts_with = "rows")]
        directory: bool,
        /// Only if this is still the revision
        #[arg(long)]
        revision: Option<i64>,
    },
}

/// `50 GB`, for people and machines alike.
pub(super) fn some_bytes(text: &str) -> Result<u64, String> {
    parse_bytes(text)?.ok_or_else(|| "write a number of bytes, such as 50 GB".to_owned())
}

const GRANT: &[Column] = &[
    ("Grant", |g| at(g, "/id")),
    ("Product", |g| at(g, "/product")),
    ("Cut", |g| at(g, "/cut")),
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
    ("Rows where", |g| at(g, "/rows")),
    ("Whole folders", |g| at(g, "/directory")),
    ("Bytes a day", |g| bytes(g, "/live_bytes_per_day")),
    ("Of them today", |g| bytes(g, "/live_bytes_today")),
    ("Late since", |g| time(g, "/stale_since")),
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
                        ("CUT", |g| at(g, "/cut")),
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
            Self::Narrow {
                grant,
                rows,
                all_rows: _,
                directory,
                revision,
            } => {
                let mut body = given([("revision", revision.map(Value::from))]);
                body.insert("rows".to_owned(), json!(rows));
                body.insert("directory".to_owned(), json!(directory));
                Act::put(&["grants", &grant, "scope"])
                    .body(body.into())
                    .show(lines(GRANT))
            }
            Self::Limit {
                grant,
                live_bytes_per_day,
                none: _,
                revision,
            } => {
                let mut body = given([("revision", revision.map(Value::from))]);
                body.insert("live_bytes_per_day".to_owned(), json!(live_bytes_per_day));
                Act::put(&["grants", &grant, "limit"])
                    .body(body.into())
                    .show(lines(GRANT))
            }
        }
    }
}
