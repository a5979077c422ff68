//! `entrepot product`: finding, registering and changing data products.

use anyhow::{Context as _, bail};
use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::call::Act;
use super::show::{Show, cell};

#[derive(Debug, Subcommand)]
pub(super) enum Product {
    /// Find products
    List {
        /// Words of name, title, description, tags, tables and columns
        words: Vec<String>,
        #[arg(long)]
        domain: Option<String>,
        #[arg(long)]
        team: Option<String>,
        #[arg(long)]
        cloud: Option<String>,
        #[arg(long)]
        region: Option<String>,
        /// public, internal or personal
        #[arg(long)]
        classification: Option<String>,
        /// draft, published or retired
        #[arg(long)]
        state: Option<String>,
        /// none, pending or active
        #[arg(long)]
        access: Option<String>,
    },
    /// One product and its tables
    Show { product: String },
    /// Look at a table without storing anything
    Inspect {
        storage: String,
        /// The table's folder, relative to the storage
        path: String,
    },
    /// Register a product as a draft
    Register {
        /// domain-name
        name: String,
        #[arg(long)]
        team: String,
        #[arg(long)]
        storage: String,
        #[arg(long)]
        title: String,
        #[arg(long, default_value = "")]
        description: String,
        /// public, internal or personal
        #[arg(long)]
        classification: String,
        /// auto or owner
        #[arg(long)]
        access_policy: Option<String>,
        /// producer or consumer
        #[arg(long)]
        payer: Option<String>,
        #[arg(long = "tag", value_name = "TAG")]
        tags: Vec<String>,
        /// A table and its folder; may be repeated. With history and change data feed: visits=workshop/visits,history,cdf
        #[arg(long = "table", value_name = "[SCHEMA.]NAME=PATH")]
        tables: Vec<String>,
    },
    /// Change a product
    Update {
        product: String,
        #[arg(long)]
        title: Option<String>,
        #[arg(long)]
        description: Option<String>,
        #[arg(long)]
        classification: Option<String>,
        #[arg(long)]
        access_policy: Option<String>,
        #[arg(long)]
        payer: Option<String>,
        /// All tags that it shall have
        #[arg(long = "tag", value_name = "TAG")]
        tags: Option<Vec<String>>,
        /// All tables that it shall have
        #[arg(long = "table", value_name = "[SCHEMA.]NAME=PATH")]
        tables: Option<Vec<String>>,
    },
    /// Show a draft to everybody
    Publish { product: String },
    /// Take a product out of the catalogue
    Retire {
        product: String,
        /// Told to those whose requests are rejected by it
        #[arg(long)]
        reason: String,
    },
    /// Read the tables' logs again
    Refresh { product: String },
    /// What each mode would cost a recipient, before asking
    Offer {
        product: String,
        #[arg(long)]
        recipient: String,
    },
}

impl Product {
    pub(super) fn act(self) -> anyhow::Result<Act> {
        Ok(match self {
            Self::List {
                words,
                domain,
                team,
                cloud,
                region,
                classification,
                state,
                access,
            } => Act::list(&["products"])
                .query("q", (!words.is_empty()).then(|| words.join(" ")))
                .query("domain", domain)
                .query("team", team)
                .query("cloud", cloud)
                .query("region", region)
                .query("classification", classification)
                .query("state", state)
                .query("access", access)
                .show(Show::Table(&[
                    ("NAME", "/name"),
                    ("TITLE", "/title"),
                    ("TEAM", "/team"),
                    ("CLOUD", "/cloud"),
                    ("REGION", "/region"),
                    ("CLASS", "/classification"),
                    ("STATE", "/state"),
                    ("TABLES", "/tables"),
                    ("BYTES", "/bytes"),
                    ("ACCESS", "/access"),
                ])),
            Self::Show { product } => Act::get(&["products", &product]).show(detail()),
            Self::Inspect { storage, path } => Act::post(&["inspections"])
                .body(json!({ "storage": storage, "path": path }))
                .show(Show::words(inspection)),
            Self::Register {
                name,
                team,
                storage,
                title,
                description,
                classification,
                access_policy,
                payer,
                tags,
                tables,
            } => {
                let mut body = json!({
                    "name": name,
                    "team": team,
                    "storage": storage,
                    "title": title,
                    "description": description,
                    "classification": classification,
                    "tags": tags,
                    "tables": read_tables(&tables)?,
                });
                // Absent ones have the exchange's own defaults.
                for (key, value) in [("access_policy", access_policy), ("payer", payer)] {
                    if let Some(value) = value {
                        body[key] = Value::String(value);
                    }
                }
                Act::post(&["products"]).body(body).show(detail())
            }
            Self::Update {
                product,
                title,
                description,
                classification,
                access_policy,
                payer,
                tags,
                tables,
            } => {
                let mut body = Map::new();
                let mut set = |key: &str, value: Option<Value>| {
                    body.extend(value.map(|value| (key.to_owned(), value)));
                };
                set("title", title.map(Value::from));
                set("description", description.map(Value::from));
                set("classification", classification.map(Value::from));
                set("access_policy", access_policy.map(Value::from));
                set("payer", payer.map(Value::from));
                set("tags", tags.map(Value::from));
                set(
                    "tables",
                    tables.map(|tables| read_tables(&tables)).transpose()?,
                );
                if body.is_empty() {
                    bail!("say what to change; entrepot product update --help lists it");
                }
                Act::patch(&["products", &product])
                    .body(body.into())
                    .show(detail())
            }
            Self::Publish { product } => Act::post(&["products", &product, "publish"])
                .body(json!({}))
                .show(Show::said(format!("{product} is published."))),
            Self::Retire { product, reason } => Act::post(&["products", &product, "retire"])
                .body(json!({ "reason": reason }))
                .show(Show::said(format!("{product} is retired."))),
            Self::Refresh { product } => {
                Act::post(&["products", &product, "refresh"]).show(detail())
            }
            Self::Offer { product, recipient } => Act::get(&["products", &product, "offer"])
                .query("recipient", Some(recipient))
                .show(Show::words(offer)),
        })
    }
}

/// `[schema.]name=path[,history][,cdf]`, each as a table.
fn read_tables(texts: &[String]) -> anyhow::Result<Value> {
    let mut tables = Vec::new();
    for text in texts {
        let (name, rest) = text
            .split_once('=')
            .with_context(|| format!("--table {text}: write NAME=PATH"))?;
        let mut parts = rest.split(',');
        let path = parts.next().unwrap_or_default();
        let mut table = Map::from_iter([("path".to_owned(), Value::from(path))]);
        match name.split_once('.') {
            Some((schema, name)) => {
                table.insert("schema".to_owned(), Value::from(schema));
                table.insert("name".to_owned(), Value::from(name));
            }
            None => {
                table.insert("name".to_owned(), Value::from(name));
            }
        }
        for part in parts {
            let key = match part {
                "history" => "history",
                "cdf" => "change_data_feed",
                other => bail!("--table {text}: `{other}` is neither history nor cdf"),
            };
            table.insert(key.to_owned(), Value::Bool(true));
        }
        tables.push(Value::Object(table));
    }
    Ok(Value::Array(tables))
}

fn detail() -> Show {
    Show::words(|product| {
        let mut text = Show::Fields(&[
            ("Name", "/name"),
            ("Title", "/title"),
            ("State", "/state"),
            ("Team", "/team"),
            ("Contact", "/contact"),
            ("Cloud", "/cloud"),
            ("Region", "/region"),
            ("Classification", "/classification"),
            ("Who decides", "/access_policy"),
            ("Who pays", "/payer"),
            ("Tags", "/tags"),
            ("Your access", "/access"),
        ])
        .text(product);
        for table in product["tables"].as_array().into_iter().flatten() {
            text.push_str(&format!(
                "\n{}.{}: version {}, {} rows, {} files, {} bytes\n",
                cell(table.get("schema")),
                cell(table.get("name")),
                cell(table.get("version")),
                cell(table.get("rows")),
                cell(table.get("files")),
                cell(table.get("bytes")),
            ));
            for key in ["problem", "refused_for"] {
                if let Some(why) = table[key].as_str() {
                    text.push_str(&format!("  {}\n", cell(Some(&Value::from(why)))));
                }
            }
            columns(&mut text, table);
        }
        text
    })
}

fn inspection(found: &Value) -> String {
    let mut text = Show::Fields(&[
        ("Version", "/version"),
        ("Committed", "/committed_at"),
        ("Rows", "/rows"),
        ("Files", "/files"),
        ("Bytes", "/bytes"),
        ("Partitioned by", "/partition_columns"),
        ("Features", "/features"),
        ("Neither shared nor cloned", "/refused_for"),
    ])
    .text(found);
    columns(&mut text, found);
    text
}

fn columns(text: &mut String, table: &Value) {
    for column in table["columns"].as_array().into_iter().flatten() {
        let name = cell(column.get("name"));
        text.push_str(&format!("  {name}: {}\n", cell(column.get("type_text"))));
    }
}

fn offer(offer: &Value) -> String {
    let mut text = Show::Fields(&[
        ("As of", "/as_of"),
        ("Who decides", "/stages"),
        ("Who pays", "/payer"),
        ("Cost centre", "/cost_center"),
    ])
    .text(offer);
    for mode in offer["modes"].as_array().into_iter().flatten() {
        text.push_str(&format!("\n{}\n", cell(mode.get("mode"))));
        if let Some(why) = mode["why_not"].as_str() {
            text.push_str(&format!(
                "  not to be had: {}\n",
                cell(Some(&Value::from(why)))
            ));
            continue;
        }
        for (label, key) in [
            ("first copy", "first_copy"),
            ("a month's transfer", "month_transfer"),
            ("a month's storage", "month_storage"),
        ] {
            text.push_str(&format!("  {label}: {}\n", money(&mode[key])));
        }
        text.push_str(&format!("  freshness: {}\n", cell(mode.get("freshness"))));
        text.push_str(&format!("  {}\n", cell(mode.get("basis"))));
    }
    text
}

/// `1.23 USD`, or that no rate is known.
pub(super) fn money(value: &Value) -> String {
    match value {
        Value::Null => "no rate is known".to_owned(),
        value => format!(
            "{} {}",
            cell(value.get("amount")),
            cell(value.get("currency"))
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_as_arguments() {
        let read = |text: &str| read_tables(&[text.to_owned()]);
        assert_eq!(
            read("visits=workshop/visits").unwrap(),
            json!([{ "path": "workshop/visits", "name": "visits" }])
        );
        assert_eq!(
            read("raw.visits=w/v,history,cdf").unwrap(),
            json!([{ "path": "w/v", "schema": "raw", "name": "visits", "history": true, "change_data_feed": true }])
        );
        for bad in ["visits", "visits=w,fast"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
