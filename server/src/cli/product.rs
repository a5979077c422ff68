//! `entrepot product`: registering, finding, changing.

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::call::Act;
use super::columns::{Column, at, bytes, facts, given, list, money, rows, table, time};
use super::show::Show;
use super::storage::{alike, columns_of, inspection};

#[derive(Debug, Subcommand)]
pub(super) enum Product {
    /// Find products; all that the caller may see when nothing is asked for
    List(Box<Find>),
    /// One product and its tables
    Show { product: String },
    /// What happened to a product, newest first
    History { product: String },
    /// Register a product as a draft; each table's log is read before anything is stored
    Register {
        /// `domain-name`, for example vehicle-workshop-visits
        name: String,
        #[arg(long)]
        team: String,
        #[arg(long)]
        title: String,
        #[arg(long)]
        storage: String,
        /// public, internal or personal
        #[arg(long)]
        classification: String,
        #[command(flatten)]
        terms: Terms,
    },
    /// Change a product; what is not given stays
    Update {
        product: String,
        /// Drafts only
        #[arg(long)]
        name: Option<String>,
        #[arg(long)]
        title: Option<String>,
        /// Drafts only
        #[arg(long)]
        storage: Option<String>,
        /// public, internal or personal
        #[arg(long)]
        classification: Option<String>,
        #[command(flatten)]
        terms: Terms,
        /// Only if this is still the revision
        #[arg(long)]
        revision: Option<i64>,
    },
    /// Show a draft to everybody; its name is fixed from then on
    Publish {
        product: String,
        /// Only if this is still the revision
        #[arg(long)]
        revision: Option<i64>,
    },
    /// Take no more requests for it
    Retire {
        product: String,
        /// Told to those whose requests are rejected by it
        #[arg(long)]
        reason: String,
        /// Only if this is still the revision
        #[arg(long)]
        revision: Option<i64>,
    },
    /// Read the logs of its tables again
    Refresh { product: String },
    /// Look at a table without storing anything
    Inspect { storage: String, path: String },
    /// What access would cost a recipient, in both modes
    Offer {
        product: String,
        /// Who would read
        #[arg(long)]
        recipient: String,
        /// A cut of the product, instead of all of it
        #[arg(long)]
        cut: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Find {
    /// Words that each begin a word of name, title, description, tags, tables or columns
    words: Vec<String>,
    #[arg(long)]
    domain: Option<String>,
    #[arg(long)]
    team: Option<String>,
    #[arg(long)]
    cloud: Option<String>,
    #[arg(long)]
    region: Option<String>,
    #[arg(long)]
    classification: Option<String>,
    #[arg(long)]
    state: Option<String>,
    /// none, pending or active: how far the caller's teams have access
    #[arg(long)]
    access: Option<String>,
    /// name or relevance
    #[arg(long)]
    sort: Option<String>,
}

/// What a product is offered with, and its tables.
#[derive(Debug, Args)]
#[group(id = "product_terms")]
pub(super) struct Terms {
    #[arg(long)]
    description: Option<String>,
    /// May be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Who decides on requests: auto or owner
    #[arg(long)]
    access_policy: Option<String>,
    /// Who pays for what crosses a border: producer or consumer
    #[arg(long)]
    payer: Option<String>,
    /// How often it would be loaded in full without Entrepôt
    #[arg(long, value_name = "DAYS")]
    baseline_days: Option<u32>,
    /// A table, [SCHEMA.]NAME=PATH; may be repeated. A change names all tables that the product shall have
    #[arg(long = "table", value_name = "TABLE")]
    tables: Vec<String>,
    /// Let consumers read older versions of these tables
    #[arg(long, requires = "tables")]
    history: bool,
    /// The first version of these tables that consumers may read; all that there are when absent
    #[arg(long, value_name = "VERSION", requires = "history")]
    history_from: Option<u64>,
    /// Let consumers read the change data feed of these tables
    #[arg(long, requires = "tables")]
    change_data_feed: bool,
}

impl Terms {
    fn fields(self) -> anyhow::Result<Map<String, Value>> {
        let tables = self
            .tables
            .iter()
            .map(|text| {
                table_new(
                    text,
                    (self.history, self.history_from),
                    self.change_data_feed,
                )
            })
            .collect::<anyhow::Result<Vec<Value>>>()?;
        let some = |items: Vec<Value>| (!items.is_empty()).then(|| Value::from(items));
        Ok(given([
            ("description", self.description.map(Value::from)),
            (
                "tags",
                some(self.tags.into_iter().map(Value::from).collect()),
            ),
            ("access_policy", self.access_policy.map(Value::from)),
            ("payer", self.payer.map(Value::from)),
            ("baseline_days", self.baseline_days.map(Value::from)),
            ("tables", some(tables)),
        ]))
    }
}

const EVENTS: &[Column] = &[
    ("WHEN", |event| time(event, "/at")),
    ("WHAT", |event| at(event, "/kind")),
    ("IN DETAIL", |event| of_event(event)),
];

/// What else is known of it, in the order of its fields.
fn of_event(event: &Value) -> String {
    let parts = [
        ("/changed", "changed: "),
        ("/tables_added", "added: "),
        ("/tables_removed", "removed: "),
        ("/reason", ""),
        ("/table", ""),
        ("/version", "version "),
        ("/recipient", ""),
        ("/mode", ""),
    ];
    let told = parts.into_iter().filter_map(|(pointer, before)| {
        let text = at(event, pointer);
        (text != "-").then(|| format!("{before}{text}"))
    });
    told.collect::<Vec<_>>().join("; ")
}

fn table_new(
    text: &str,
    (history, start): (bool, Option<u64>),
    change_data_feed: bool,
) -> anyhow::Result<Value> {
    let (name, path) = text
        .split_once('=')
        .with_context(|| format!("`{text}` is no table: write NAME=PATH or SCHEMA.NAME=PATH"))?;
    let (schema, name) = name.split_once('.').unwrap_or(("default", name));
    let mut table = json!({
        "schema": schema,
        "name": name,
        "path": path,
        "history": history,
        "change_data_feed": change_data_feed,
    });
    if let Some(start) = start {
        table["history_start"] = start.into();
    }
    Ok(table)
}

impl Product {
    pub(super) fn act(self) -> anyhow::Result<Act> {
        Ok(match self {
            Self::List(find) => find.act(),
            Self::Show { product } => Act::get(&["products", &product]).show(Show::words(words)),
            Self::History { product } => {
                Act::list(&["products", &product, "history"]).show(table(EVENTS))
            }
            Self::Register {
                name,
                team,
                title,
                storage,
                classification,
                terms,
            } => {
                let mut body = terms.fields()?;
                body.extend(given([
                    ("name", Some(Value::from(name))),
                    ("team", Some(Value::from(team))),
                    ("title", Some(Value::from(title))),
                    ("storage", Some(Value::from(storage))),
                    ("classification", Some(Value::from(classification))),
                ]));
                Act::post(&["products"])
                    .body(body.into())
                    .show(Show::words(words))
            }
            Self::Update {
                product,
                name,
                title,
                storage,
                classification,
                terms,
                revision,
            } => {
                let mut body = terms.fields()?;
                body.extend(given([
                    ("name", name.map(Value::from)),
                    ("title", title.map(Value::from)),
                    ("storage", storage.map(Value::from)),
                    ("classification", classification.map(Value::from)),
                ]));
                if body.is_empty() {
                    bail!("say what to change; entrepot product update --help lists it");
                }
                body.extend(given([("revision", revision.map(Value::from))]));
                Act::patch(&["products", &product])
                    .body(body.into())
                    .show(Show::words(words))
            }
            Self::Publish { product, revision } => Act::post(&["products", &product, "publish"])
                .body(given([("revision", revision.map(Value::from))]).into())
                .show(Show::said(format!("{product} is published."))),
            Self::Retire {
                product,
                reason,
                revision,
            } => {
                let mut body = given([("revision", revision.map(Value::from))]);
                body.insert("reason".to_owned(), Value::from(reason));
                Act::post(&["products", &product, "retire"])
                    .body(body.into())
                    .show(Show::said(format!("{product} is retired.")))
            }
            Self::Refresh { product } => {
                Act::post(&["products", &product, "refresh"]).show(Show::words(words))
            }
            Self::Inspect { storage, path } => Act::post(&["inspections"])
                .body(json!({ "storage": storage, "path": path }))
                .show(Show::words(inspection)),
            Self::Offer {
                product,
                recipient,
                cut,
            } => Act::get(&["products", &product, "offer"])
                .query("recipient", Some(recipient))
                .query("cut", cut)
                .show(Show::words(offer)),
        })
    }
}

impl Find {
    fn act(self) -> Act {
        let words = self.words.join(" ");
        Act::list(&["products"])
            .query("q", (!words.is_empty()).then_some(words))
            .query("domain", self.domain)
            .query("team", self.team)
            .query("cloud", self.cloud)
            .query("region", self.region)
            .query("classification", self.classification)
            .query("state", self.state)
            .query("access", self.access)
            .query("sort", self.sort)
            .show(table(&[
                ("NAME", |p| at(p, "/name")),
                ("TITLE", |p| at(p, "/title")),
                ("TEAM", |p| at(p, "/team")),
                ("WHERE", |p| place(p)),
                ("CLASS", |p| at(p, "/classification")),
                ("STATE", |p| at(p, "/state")),
                ("ACCESS", |p| at(p, "/access")),
                ("SIZE", |p| bytes(p, "/bytes")),
                ("COMMITTED", |p| time(p, "/committed_at")),
            ]))
    }
}

fn place(thing: &Value) -> String {
    let simulated = if thing["simulated"] == true {
        " (simulated)"
    } else {
        ""
    };
    format!(
        "{}:{}{simulated}",
        at(thing, "/cloud"),
        at(thing, "/region")
    )
}

fn words(product: &Value) -> String {
    let mut text = facts(
        &[
            ("Name", |p| at(p, "/name")),
            ("Title", |p| at(p, "/title")),
            ("Description", |p| at(p, "/description")),
            ("State", |p| at(p, "/state")),
            ("Team", |p| at(p, "/team")),
            ("Contact", |p| at(p, "/contact")),
            ("Where", |p| format!("{}, {}", at(p, "/storage"), place(p))),
            ("Classification", |p| at(p, "/classification")),
            ("Decided by", |p| at(p, "/access_policy")),
            ("Paid by", |p| at(p, "/payer")),
            ("Tags", |p| at(p, "/tags")),
            ("My access", |p| at(p, "/access")),
            ("Published", |p| time(p, "/published_at")),
            ("Changed", |p| time(p, "/updated_at")),
            ("Revision", |p| at(p, "/revision")),
        ],
        product,
    );
    for found in list(product, "tables") {
        text.push('\n');
        text.push_str(&facts(
            &[
                ("Table", |t| {
                    format!("{}.{}", at(t, "/schema"), at(t, "/name"))
                }),
                ("Path", |t| at(t, "/path")),
                ("Version", |t| at(t, "/version")),
                ("Committed", |t| time(t, "/committed_at")),
                ("Rows", |t| at(t, "/rows")),
                ("Files", |t| at(t, "/files")),
                ("Size", |t| bytes(t, "/bytes")),
                ("Partitioned by", |t| at(t, "/partition_columns")),
                ("Features", |t| at(t, "/features")),
                ("Not shared because of", |t| at(t, "/refused_for")),
                ("Not cloned because of", |t| at(t, "/clone_refused_for")),
                ("Problem", |t| at(t, "/problem")),
            ],
            found,
        ));
        text.push_str(&columns_of(found));
    }
    text.push_str(&alike(product));
    text
}

fn offer(offer: &Value) -> String {
    let mut text = facts(
        &[
            ("Product", |o| at(o, "/product")),
            ("Recipient", |o| at(o, "/recipient")),
            ("As of", |o| time(o, "/as_of")),
            ("Decided by", |o| at(o, "/stages")),
            ("Paid by", |o| {
                format!(
                    "{} (cost centre {})",
                    at(o, "/payer"),
                    at(o, "/cost_center")
                )
            }),
        ],
        offer,
    );
    text.push('\n');
    text.push_str(&rows(
        &[
            ("MODE", |m| at(m, "/mode")),
            ("FIRST COPY", |m| {
                priced(m, "/first_copy_bytes", "/first_copy")
            }),
            ("PER MONTH", |m| {
                priced(m, "/month_bytes", "/month_transfer")
            }),
            ("STORAGE PER MONTH, NOT BILLED", |m| {
                priced(m, "/month_storage_bytes", "/month_storage")
            }),
            ("FRESHNESS", |m| at(m, "/freshness")),
            ("COMMITTED", |m| time(m, "/committed_at")),
            ("SYNCED", |m| time(m, "/synced_at")),
            ("NOT TO BE HAD", |m| at(m, "/why_not")),
        ],
        list(offer, "modes"),
    ));
    for mode in list(offer, "modes") {
        text.push_str(&format!("{}: {}\n", at(mode, "/mode"), at(mode, "/basis")));
    }
    for already in list(offer, "already") {
        text.push_str(&format!("\n{}\n", at(already, "/sentence")));
    }
    text
}

fn priced(mode: &Value, size: &str, price: &str) -> String {
    format!("{}, {}", bytes(mode, size), money(mode, price))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_offer_says_what_is_not_billed() {
        let text = offer(&json!({ "modes": [{
            "mode": "replica", "month_storage_bytes": 4_000_000_000_u64,
            "month_storage": { "amount": "0.08", "currency": "USD" }, "basis": "storage stands on no statement",
        }]}));
        assert!(text.contains("STORAGE PER MONTH, NOT BILLED"), "{text}");
        assert!(text.contains("4.0 GB, 0.08 USD"), "{text}");
        assert!(
            text.contains("replica: storage stands on no statement"),
            "{text}"
        );
    }
}
