//! `entrepot replica`, `sync`, `vacuum` and `verify`. A replica is named by its id or as product@storage.

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::call::Act;
use super::show::{Show, cell};

#[derive(Debug, Subcommand)]
pub(super) enum Replica {
    /// The replicas that the caller may see
    List {
        #[arg(long)]
        product: Option<String>,
    },
    /// One replica, its tables and its job
    Show { replica: String },
    /// Change when a replica is brought up to date, and how long it keeps what was removed
    Schedule {
        replica: String,
        /// 2d, 6h, 30m; empty: by hand
        #[arg(long)]
        every: Option<String>,
        /// Time of day, 03:00
        #[arg(long)]
        at: Option<String>,
        #[arg(long)]
        cron: Option<String>,
        /// Europe/Berlin
        #[arg(long)]
        timezone: Option<String>,
        #[arg(long)]
        retention_hours: Option<i64>,
        #[arg(long)]
        keep_hours: Option<i64>,
        #[arg(long, value_name = "BOOL")]
        paused: Option<bool>,
    },
    /// Sync runs, the newest first
    Runs {
        #[arg(long)]
        product: Option<String>,
    },
    /// One sync run
    Run { run: String },
}

/// What `sync`, `vacuum` and `verify` take.
#[derive(Debug, Args)]
pub(super) struct One {
    /// The replica's id, or product@storage
    replica: String,
}

impl One {
    pub(super) fn act(self, verb: &'static str) -> Act {
        let said = format!("The {verb} of {} is on its way.", self.replica);
        Act::post(&["replicas", &self.replica, verb]).show(Show::said(said))
    }
}

impl Replica {
    pub(super) fn act(self) -> anyhow::Result<Act> {
        Ok(match self {
            Self::List { product } => {
                Act::list(&["replicas"])
                    .query("product", product)
                    .show(Show::Table(&[
                        ("ID", "/id"),
                        ("PRODUCT", "/product"),
                        ("STORAGE", "/storage"),
                        ("LOCATION", "/location"),
                        ("STATE", "/state"),
                        ("NEXT SYNC", "/job/next_due_at"),
                    ]))
            }
            Self::Show { replica } => Act::get(&["replicas", &replica]).show(Show::words(detail)),
            Self::Schedule {
                replica,
                every,
                at,
                cron,
                timezone,
                retention_hours,
                keep_hours,
                paused,
            } => {
                let mut body = Map::new();
                let mut set = |key: &str, value: Option<Value>| {
                    body.extend(value.map(|value| (key.to_owned(), value)));
                };
                set("every", every.map(Value::from));
                set("at", at.map(Value::from));
                set("cron", cron.map(Value::from));
                set("timezone", timezone.map(Value::from));
                set("retention_hours", retention_hours.map(Value::from));
                set("keep_hours", keep_hours.map(Value::from));
                set("paused", paused.map(Value::from));
                if body.is_empty() {
                    bail!("say what to change; entrepot replica schedule --help lists it");
                }
                Act::patch(&["replicas", &replica, "job"])
                    .body(body.into())
                    .show(Show::words(detail))
            }
            Self::Runs { product } => {
                Act::list(&["sync-runs"])
                    .query("product", product)
                    .show(Show::Table(&[
                        ("ID", "/id"),
                        ("KIND", "/kind"),
                        ("PRODUCT", "/product"),
                        ("TABLE", "/table"),
                        ("TO", "/to"),
                        ("STATE", "/state"),
                        ("VERSION", "/to_version"),
                        ("COPIED", "/bytes_copied"),
                        ("IN FULL", "/bytes_full"),
                        ("STARTED", "/started_at"),
                    ]))
            }
            Self::Run { run } => Act::get(&["sync-runs", &run]).show(Show::Fields(&[
                ("Id", "/id"),
                ("Kind", "/kind"),
                ("Product", "/product"),
                ("Table", "/table"),
                ("To", "/to"),
                ("State", "/state"),
                ("From version", "/from_version"),
                ("To version", "/to_version"),
                ("Files copied", "/files_copied"),
                ("Of", "/files_planned"),
                ("Bytes copied", "/bytes_copied"),
                ("In full", "/bytes_full"),
                ("Bytes received", "/bytes_received"),
                ("Files deleted", "/files_deleted"),
                ("Error", "/error"),
                ("Started", "/started_at"),
                ("Finished", "/finished_at"),
            ])),
        })
    }
}

fn detail(replica: &Value) -> String {
    let mut text = Show::Fields(&[
        ("Id", "/id"),
        ("Product", "/product"),
        ("Storage", "/storage"),
        ("Location", "/location"),
        ("State", "/state"),
        ("Reason", "/reason"),
        ("Deleted at", "/drain_until"),
        ("Every", "/job/every"),
        ("At", "/job/at"),
        ("Cron", "/job/cron"),
        ("Time zone", "/job/timezone"),
        ("Paused", "/job/paused"),
        ("Next sync", "/job/next_due_at"),
        ("Keeps removed files, hours", "/job/retention_hours"),
    ])
    .text(replica);
    for table in replica["tables"].as_array().into_iter().flatten() {
        text.push_str(&format!(
            "\n{}.{}: {}, source version {}, synced {}\n",
            cell(table.get("schema")),
            cell(table.get("name")),
            cell(table.get("state")),
            cell(table.get("source_version")),
            cell(table.get("synced_at")),
        ));
        if let Some(why) = table["reason"].as_str() {
            text.push_str(&format!("  {}\n", cell(Some(&Value::from(why)))));
        }
    }
    text
}
