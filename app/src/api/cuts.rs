//! Cuts: what narrower replicas of a product hold.

use std::collections::BTreeMap;

use leptos::prelude::*;
use model::dto::ColumnCut;
use model::dto::Cut;
use model::dto::CutChange;
use model::dto::CutNew;
use model::dto::CutRetire;
use model::dto::CutRotate;
use model::dto::CutTableNew;
use model::dto::ProductDetail;
use serde::Deserialize;
use serde::Serialize;

use crate::api::Done;
use crate::components::tick::TICKED;
use crate::error::AppError;
use crate::url::encode;
use crate::words;

use super::{call, said};

/// The cuts of a product, and the product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutsShown {
    pub product: ProductDetail,
    pub cuts: Vec<Cut>,
}

pub async fn cuts(product: String) -> Result<CutsShown, AppError> {
    let (exchange, principal) = call()?;
    let shown = exchange.product(&principal, &product).await.map_err(said)?;
    let cuts = exchange.cuts(&principal, &product).await.map_err(said)?;
    Ok(CutsShown {
        product: shown,
        cuts,
    })
}

/// How a form calls a table.
pub fn key_of(schema: &str, table: &str) -> String {
    format!("{schema}:{table}")
}

/// What a form says of the tables. Tables are called `schema:table`, and their columns `schema:table:column`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContentForm {
    /// The tables that are in it.
    #[serde(default)]
    pub within: BTreeMap<String, String>,
    /// `kept`, `hashed`, `left_out`, or `later` for what stays as it is.
    #[serde(default)]
    pub columns: BTreeMap<String, ColumnCut>,
    /// More columns, in structs, with commas between them.
    #[serde(default)]
    pub drop: BTreeMap<String, String>,
    #[serde(default)]
    pub hash: BTreeMap<String, String>,
    /// Conditions.
    #[serde(default)]
    pub rows: BTreeMap<String, String>,
}

impl ContentForm {
    /// By the names of the tables, with what a form calls each.
    fn tables(&self) -> (Vec<String>, Vec<CutTableNew>) {
        let ticked = self.within.iter().filter(|(_, word)| *word == TICKED);
        let named = ticked.filter_map(|(key, _)| {
            let (schema, table) = key.split_once(':')?;
            Some((key.clone(), self.table(key, schema, table)))
        });
        named.unzip()
    }

    fn table(&self, key: &str, schema: &str, table: &str) -> CutTableNew {
        let begin = format!("{key}:");
        let chosen = |how: ColumnCut| {
            let of_table = self.columns.iter().filter_map(|(column, said)| {
                let name = column.strip_prefix(&begin)?;
                (*said == how).then(|| name.to_owned())
            });
            of_table.collect::<Vec<String>>()
        };
        let written = |texts: &BTreeMap<String, String>| {
            let text = texts.get(key).map_or("", String::as_str);
            let names = text.split([',', '\n']).map(str::trim);
            let names = names.filter(|name| !name.is_empty()).map(str::to_owned);
            names.collect::<Vec<String>>()
        };
        let rows = self.rows.get(key).map(|rows| rows.trim().to_owned());
        CutTableNew {
            schema: schema.to_owned(),
            table: table.to_owned(),
            drop: [chosen(ColumnCut::LeftOut), written(&self.drop)].concat(),
            pseudonymise: [chosen(ColumnCut::Hashed), written(&self.hash)].concat(),
            rows: rows.filter(|rows| !rows.is_empty()),
        }
    }
}

/// The fields of tables are called in the form by the table, and not by its place in a list.
fn by_table(error: exchange::Error, keys: &[String]) -> exchange::Error {
    match error {
        exchange::Error::Invalid(mut fields) => {
            for field in &mut fields {
                if let Some(found) = called(&field.field, keys) {
                    field.field = found;
                }
            }
            exchange::Error::Invalid(fields)
        }
        other => other,
    }
}

/// `content.rows.default:visits` for `tables[0].rows`; what is wrong with all of them is of the whole form.
fn called(field: &str, keys: &[String]) -> Option<String> {
    if field == "tables" {
        return Some(String::new());
    }
    let (index, name) = field.strip_prefix("tables[")?.split_once("].")?;
    let key = keys.get(index.parse::<usize>().ok()?)?;
    let name = match name {
        "pseudonymise" => "hash",
        "table" => "within",
        other => other,
    };
    Some(format!("content.{name}.{key}"))
}

fn page_of(product: &str) -> String {
    format!("/products/{}/cuts", encode(product))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutForm {
    pub product: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub content: ContentForm,
}

#[server]
pub async fn create_cut(form: CutForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let (keys, tables) = form.content.tables();
    let new = CutNew {
        name: form.name,
        description: form.description,
        tables,
    };
    let made = exchange
        .cut_create(&principal, &form.product, new)
        .await
        .map_err(|error| said(by_table(error, &keys)))?;
    Ok(Done::new(
        page_of(made.product.as_str()),
        words::cuts::is_made(&made.name),
    ))
}

/// All that a cut shall hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutChangeForm {
    pub product: String,
    pub cut: String,
    #[serde(default)]
    pub revision: Option<i64>,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub content: ContentForm,
    /// `yes`: nobody reads what was before.
    #[serde(default)]
    pub at_once: String,
    /// `yes`: columns that came later are given, too.
    #[serde(default)]
    pub with_later: String,
}

#[server]
pub async fn update_cut(form: CutChangeForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let (keys, tables) = form.content.tables();
    let change = CutChange {
        description: Some(form.description),
        tables: Some(tables),
        at_once: form.at_once == TICKED,
        with_later: form.with_later == TICKED,
        revision: form.revision,
    };
    let changed = exchange
        .cut_update(&principal, &form.product, &form.cut, change)
        .await
        .map_err(|error| said(by_table(error, &keys)))?;
    Ok(Done::new(
        page_of(changed.product.as_str()),
        words::cuts::is_changed(&changed.name, changed.edition),
    ))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutKeyForm {
    pub product: String,
    pub cut: String,
    #[serde(default)]
    pub revision: Option<i64>,
    /// `yes`: nobody reads what was before.
    #[serde(default)]
    pub at_once: String,
}

#[server]
pub async fn rotate_cut(form: CutKeyForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let rotate = CutRotate {
        at_once: form.at_once == TICKED,
        revision: form.revision,
    };
    let rotated = exchange
        .cut_rotate(&principal, &form.product, &form.cut, rotate)
        .await
        .map_err(said)?;
    Ok(Done::new(
        page_of(rotated.product.as_str()),
        words::cuts::is_rotated(&rotated.name, rotated.edition),
    ))
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutRetireForm {
    pub product: String,
    pub cut: String,
    #[serde(default)]
    pub revision: Option<i64>,
}

#[server]
pub async fn retire_cut(form: CutRetireForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let retire = CutRetire {
        revision: form.revision,
    };
    let retired = exchange
        .cut_retire(&principal, &form.product, &form.cut, retire)
        .await
        .map_err(said)?;
    Ok(Done::new(
        page_of(retired.product.as_str()),
        words::cuts::is_retired(&retired.name),
    ))
}
