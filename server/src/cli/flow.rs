//! `entrepot flow`: how tables are brought to consumers without the exchange, until that is switched off.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::call::Act;
use super::columns::{Column, at, bytes, lines, table, time};
use super::show::Show;

#[derive(Debug, Subcommand)]
pub(super) enum Flow {
    /// All flows, newest first
    List {
        #[arg(long)]
        product: Option<String>,
    },
    /// Register a flow of a product
    Register(Register),
    /// Register the flows of a list, as entrepot assess takes it: CSV with table, kind, consumers, from, to. All of it, or nothing
    Import {
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Say that a flow was switched off: savings count from that day
    Switch {
        flow: String,
        /// The day or instant; now where it is not said
        #[arg(long, value_name = "DAY", conflicts_with = "on")]
        off: Option<String>,
        /// It runs again
        #[arg(long)]
        on: bool,
    },
    /// Compare what the flow brought with the replica, row by row; a worker does it, and the list says what it found
    Compare { flow: String },
    /// Take out a flow that was registered by mistake
    Remove { flow: String },
}

#[derive(Debug, Args)]
pub(super) struct Register {
    product: String,
    /// SCHEMA.NAME; all tables of the product where it is not said
    #[arg(long)]
    table: Option<String>,
    /// weekly full load, daily full load, direct reads or ftp
    #[arg(long)]
    kind: String,
    /// How many fetch it, each for themselves
    #[arg(long, default_value_t = 1)]
    consumers: u32,
    /// aws:eu-central-1; where the table lies, if it is not said
    #[arg(long)]
    from: Option<String>,
    #[arg(long)]
    to: String,
    /// Bytes of one load of one consumer (of direct reads: of a week); what the table holds where it is not said
    #[arg(long, value_name = "BYTES")]
    load_bytes: Option<u64>,
    /// Where the old copy lies, to be compared: a registered storage
    #[arg(long, requires = "path")]
    storage: Option<String>,
    /// And the folder in it
    #[arg(long, requires = "storage")]
    path: Option<String>,
}

const LIST: &[Column] = &[
    ("PRODUCT", |f| at(f, "/product")),
    ("TABLE", |f| at(f, "/table")),
    ("KIND", |f| at(f, "/kind")),
    ("CONSUMERS", |f| at(f, "/consumers")),
    ("FROM", |f| at(f, "/from")),
    ("TO", |f| at(f, "/to")),
    ("A LOAD", |f| bytes(f, "/reckoned_bytes")),
    ("OFF SINCE", |f| time(f, "/off_at")),
    ("ROWS", |f| at(f, "/compared")),
    ("COMPARED", |f| time(f, "/compared_at")),
    ("ID", |f| at(f, "/id")),
];

const ONE: &[Column] = &[
    ("Flow", |f| at(f, "/id")),
    ("Product", |f| at(f, "/product")),
    ("Table", |f| at(f, "/table")),
    ("Kind", |f| at(f, "/kind")),
    ("Consumers", |f| at(f, "/consumers")),
    ("From", |f| at(f, "/from")),
    ("To", |f| at(f, "/to")),
    ("Bytes of a load", |f| bytes(f, "/reckoned_bytes")),
    ("Old copy", |f| match f["path"].as_str() {
        Some(path) => format!("{} in {}", path, at(f, "/storage")),
        None => String::new(),
    }),
    ("Registered", |f| time(f, "/registered_at")),
    ("Off since", |f| time(f, "/off_at")),
    ("Rows", |f| at(f, "/compared")),
    ("Compared", |f| time(f, "/compared_at")),
    ("Found", |f| at(f, "/comparison")),
    ("A comparison waits", |f| at(f, "/comparing")),
];

impl Flow {
    pub(super) fn act(self) -> anyhow::Result<Act> {
        Ok(match self {
            Self::List { product } => Act::list(&["flows"])
                .query("product", product)
                .show(table(LIST)),
            Self::Register(new) => Act::post(&["flows"])
                .body(json!({
                    "product": new.product,
                    "table": new.table,
                    "kind": new.kind,
                    "consumers": new.consumers,
                    "from": new.from,
                    "to": new.to,
                    "load_bytes": new.load_bytes,
                    "storage": new.storage,
                    "path": new.path,
                }))
                .show(lines(ONE)),
            Self::Import { file } => {
                let list = std::fs::read_to_string(&file)
                    .with_context(|| format!("{} cannot be read", file.display()))?;
                Act::post(&["flows", "import"])
                    .body(json!({ "list": list }))
                    .show(table(LIST))
            }
            Self::Switch { flow, off, on } => {
                let off = if on { Some(String::new()) } else { off };
                Act::post(&["flows", &flow, "switch"])
                    .body(json!({ "off": off.map(Value::from) }))
                    .show(lines(ONE))
            }
            Self::Compare { flow } => Act::post(&["flows", &flow, "compare"]).show(lines(ONE)),
            Self::Remove { flow } => Act::delete(&["flows", &flow]).show(Show::said("Taken out.")),
        })
    }
}
