//! `entrepot cut`: what narrower replicas of a product hold.

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::call::Act;
use super::columns::{Column, at, facts, given, list, rows, table, time};
use super::show::Show;

#[derive(Debug, Subcommand)]
pub(super) enum Cut {
    /// The cuts of a product
    List { product: String },
    /// One cut: what becomes of each column
    Show { product: String, cut: String },
    /// Make a cut; every table that an option names is in it, and no other
    Create {
        product: String,
        /// Requests and declarations name it; it stays
        name: String,
        /// For who asks, and for who decides
        #[arg(long)]
        description: Option<String>,
        #[command(flatten)]
        content: Content,
    },
    /// Change a cut; what is not given stays. Other tables or columns make another edition, with replicas of its own
    Update {
        product: String,
        cut: String,
        #[arg(long)]
        description: Option<String>,
        #[command(flatten)]
        content: Content,
        /// Give columns that came after the edition was made, too
        #[arg(long)]
        with_later: bool,
        #[command(flatten)]
        how: How,
    },
    /// Give a cut another key for what it hashes, which makes its replicas anew
    Rotate {
        product: String,
        cut: String,
        #[command(flatten)]
        how: How,
    },
    /// Give no new access by a cut; what stands goes on
    Retire {
        product: String,
        cut: String,
        /// Only if this is still the revision
        #[arg(long)]
        revision: Option<i64>,
    },
}

/// What it holds; a change names all of it.
#[derive(Debug, Args)]
#[group(id = "cut_content")]
pub(super) struct Content {
    /// A table that is in the cut: [SCHEMA.]NAME; may be repeated
    #[arg(long = "table", value_name = "TABLE")]
    tables: Vec<String>,
    /// A column that is left out: [SCHEMA.]TABLE:COLUMN, with dots into a struct; may be repeated
    #[arg(long = "drop", value_name = "TABLE:COLUMN")]
    drop: Vec<String>,
    /// A column of which there is a keyed hash instead; may be repeated
    #[arg(long = "pseudonymise", value_name = "TABLE:COLUMN")]
    pseudonymise: Vec<String>,
    /// Only the rows that fit: "visits: country = 'DE' and year in (2024, 2025)"; once for each table
    #[arg(long = "rows", value_name = "TABLE:CONDITIONS")]
    rows: Vec<String>,
}

/// How the change is made.
#[derive(Debug, Args)]
#[group(id = "cut_how")]
pub(super) struct How {
    /// Nobody reads the replicas of the edition before any more, from now on; else until the new ones stand
    #[arg(long)]
    at_once: bool,
    /// Only if this is still the revision
    #[arg(long)]
    revision: Option<i64>,
}

const LIST: &[Column] = &[
    ("NAME", |c| at(c, "/name")),
    ("EDITION", |c| at(c, "/edition")),
    ("TABLES", |c| list(c, "tables").len().to_string()),
    ("HASHED", |c| columns(c, "hashed")),
    ("LEFT OUT", |c| columns(c, "left_out")),
    ("CAME LATER", |c| columns(c, "later")),
    ("ACCESSES", |c| at(c, "/grants")),
    ("RETIRED", |c| at(c, "/retired")),
    ("WHAT FOR", |c| at(c, "/description")),
];

const COLUMNS: &[Column] = &[
    ("COLUMN", |c| at(c, "/name")),
    ("TYPE", |c| at(c, "/type_text")),
    ("IN THE CUT", |c| match at(c, "/how").as_str() {
        "later" => "left out: came later".to_owned(),
        how => how.replace('_', " "),
    }),
];

/// How many columns come to this, over all tables.
fn columns(cut: &Value, how: &str) -> String {
    let tables = list(cut, "tables").iter();
    let columns = tables.flat_map(|table| list(table, "columns"));
    columns
        .filter(|column| column["how"] == how)
        .count()
        .to_string()
}

impl Cut {
    pub(super) fn act(self) -> anyhow::Result<Act> {
        Ok(match self {
            Self::List { product } => Act::get(&["products", &product, "cuts"]).show(table(LIST)),
            Self::Show { product, cut } => {
                Act::get(&["products", &product, "cuts", &cut]).show(Show::words(words))
            }
            Self::Create {
                product,
                name,
                description,
                content,
            } => {
                let mut body = given([("description", description.map(Value::from))]);
                body.insert("name".to_owned(), name.into());
                body.insert("tables".to_owned(), content.tables()?.into());
                Act::post(&["products", &product, "cuts"])
                    .body(body.into())
                    .show(Show::words(words))
            }
            Self::Update {
                product,
                cut,
                description,
                content,
                with_later,
                how,
            } => {
                let tables = content.tables()?;
                let tables = (!tables.is_empty()).then(|| Value::from(tables));
                if tables.is_none() && description.is_none() && !with_later {
                    bail!("say what to change; entrepot cut update --help lists it");
                }
                let mut body = how.body();
                body.extend(given([
                    ("description", description.map(Value::from)),
                    ("tables", tables),
                    ("with_later", with_later.then_some(Value::Bool(true))),
                ]));
                Act::patch(&["products", &product, "cuts", &cut])
                    .body(body.into())
                    .show(Show::words(words))
            }
            Self::Rotate { product, cut, how } => {
                Act::post(&["products", &product, "cuts", &cut, "rotate"])
                    .body(how.body().into())
                    .show(Show::words(words))
            }
            Self::Retire {
                product,
                cut,
                revision,
            } => Act::post(&["products", &product, "cuts", &cut, "retire"])
                .body(given([("revision", revision.map(Value::from))]).into())
                .show(Show::said(format!(
                    "No new access is given by {cut} of {product}; what stands goes on."
                ))),
        })
    }
}

impl How {
    fn body(&self) -> serde_json::Map<String, Value> {
        let mut body = given([("revision", self.revision.map(Value::from))]);
        body.insert("at_once".to_owned(), self.at_once.into());
        body
    }
}

impl Content {
    fn tables(&self) -> anyhow::Result<Vec<Value>> {
        let mut tables: Vec<Value> = Vec::new();
        for name in &self.tables {
            named(&mut tables, name);
        }
        for (field, texts) in [("drop", &self.drop), ("pseudonymise", &self.pseudonymise)] {
            for text in texts {
                let (name, column) = split(text, "COLUMN")?;
                let table = named(&mut tables, name);
                if let Some(columns) = table[field].as_array_mut() {
                    columns.push(column.into());
                }
            }
        }
        for text in &self.rows {
            let (name, conditions) = split(text, "CONDITIONS")?;
            let table = named(&mut tables, name);
            if !table["rows"].is_null() {
                bail!("--rows stands there twice for {name}; join the conditions with `and`");
            }
            table["rows"] = conditions.into();
        }
        Ok(tables)
    }
}

fn split<'a>(text: &'a str, what: &str) -> anyhow::Result<(&'a str, &'a str)> {
    let (name, rest) = text
        .split_once(':')
        .with_context(|| format!("`{text}` names no table: write [SCHEMA.]TABLE:{what}"))?;
    Ok((name.trim(), rest.trim()))
}

/// The entry of that table, made where there is none yet.
fn named<'a>(tables: &'a mut Vec<Value>, name: &str) -> &'a mut Value {
    let (schema, name) = name.split_once('.').unwrap_or(("default", name));
    let found = tables
        .iter()
        .position(|table| table["schema"] == schema && table["table"] == name);
    let place = found.unwrap_or(tables.len());
    if found.is_none() {
        tables.push(
            json!({ "schema": schema, "table": name, "drop": [], "pseudonymise": [], "rows": null }),
        );
    }
    &mut tables[place]
}

fn words(cut: &Value) -> String {
    let mut text = facts(
        &[
            ("Cut", |c| at(c, "/name")),
            ("Of", |c| at(c, "/product")),
            ("What for", |c| at(c, "/description")),
            ("Edition", |c| at(c, "/edition")),
            ("Made", |c| time(c, "/editions/0/made_at")),
            ("Accesses by it", |c| at(c, "/grants")),
            ("Retired", |c| at(c, "/retired")),
            ("Tables that are not in it", |c| at(c, "/left_out")),
            ("Its key", |c| at(c, "/problem")),
            ("Revision", |c| at(c, "/revision")),
        ],
        cut,
    );
    for table in list(cut, "tables") {
        text.push('\n');
        text.push_str(&table_words(table));
    }
    text
}

/// A table of a cut, column by column.
pub(super) fn table_words(table: &Value) -> String {
    let which = match table["rows"].as_str() {
        Some(rows) => format!("rows where {rows}"),
        None => "every row".to_owned(),
    };
    format!(
        "{}.{}, {which}\n{}",
        at(table, "/schema"),
        at(table, "/table"),
        rows(COLUMNS, list(table, "columns"))
    )
}
