//! Lists: shares, schemas, tables. Of these a recipient sees what it has a grant for, in the order of names. Each request leaves
//! one entry in the access log, under the names that it was of.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Serialize;

use crate::access_log::Entry;
use crate::error::Failure;
use crate::page::Scope;
use crate::request::{Call, TableNames, fold, is_name, json, not_found};
use crate::routes::App;
use crate::tables::close;
use crate::{Endpoint, Reader, Refused, ShareInfo, Shared};

type OneName = Result<Path<String>, PathRejection>;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct List<T> {
    items: Vec<T>,
    /// Absent on the last page: a client takes an empty one for another page and never ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShareItem {
    name: String,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
}

impl From<ShareInfo> for ShareItem {
    fn from(share: ShareInfo) -> Self {
        let shortened =
            |text: Option<String>, most: usize| text.map(|text| text.chars().take(most).collect());
        Self {
            name: share.name,
            id: share.id.to_string(),
            display_name: shortened(share.display_name, 255),
            comment: shortened(share.comment, 65_536),
        }
    }
}

#[derive(Serialize)]
struct ShareAnswer {
    share: ShareItem,
}

#[derive(Serialize)]
struct SchemaItem {
    name: String,
    share: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TableItem {
    name: String,
    schema: String,
    share: String,
    share_id: String,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'static str>,
    /// Said only where it is more than by URL: clients take URLs where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    access_modes: Option<[&'static str; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
}

impl From<Shared> for TableItem {
    fn from(table: Shared) -> Self {
        Self {
            name: table.name,
            schema: table.schema,
            share: table.share,
            share_id: table.share_id.to_string(),
            id: table.table_id.to_string(),
            format: None,
            access_modes: table.directory.is_some().then_some(["url", "dir"]),
            location: table.directory,
        }
    }
}

/// The entry of a request for a list of what has these names, from the left; empty: of all.
fn begin(app: &App, call: &Call, [share, schema, table]: [&str; 3]) -> Entry {
    let names = TableNames {
        share: fold(share),
        schema: fold(schema),
        table: fold(table),
    };
    Entry::new(app, Endpoint::List, call, &names)
}

/// Who calls, noted in the entry.
async fn who(app: &App, call: &Call, entry: &mut Entry) -> Result<Reader, Failure> {
    let reader = call.reader(&*app.gate).await?;
    entry.read_by(&reader);
    Ok(reader)
}

/// The share of a path, if the recipient has it.
async fn share_of(app: &App, reader: &Reader, name: &str) -> Result<ShareInfo, Failure> {
    find_share(app, reader, name)
        .await?
        .ok_or_else(|| not_found(&format!("share '{name}'")))
}

async fn find_share(app: &App, reader: &Reader, name: &str) -> Result<Option<ShareInfo>, Failure> {
    if !is_name(name) {
        return Ok(None);
    }
    let name = fold(name);
    Ok(app
        .gate
        .shares(reader)
        .await?
        .into_iter()
        .find(|share| fold(&share.name) == name))
}

async fn tables_of(app: &App, reader: &Reader, share: &ShareInfo) -> Result<Vec<Shared>, Failure> {
    let name = fold(&share.name);
    let mut tables = app.gate.tables(reader).await?;
    tables.retain(|table| fold(&table.share) == name);
    Ok(tables)
}

fn by_name(table: &Shared) -> String {
    fold(&table.name)
}

/// No name holds a control character, so that this orders by schema and then by table.
fn by_schema_and_name(table: &Shared) -> String {
    format!("{}\0{}", fold(&table.schema), fold(&table.name))
}

/// E1.
pub(crate) async fn shares(State(app): State<App>, call: Call) -> Response {
    let mut entry = begin(&app, &call, [""; 3]);
    let result = async {
        let reader = who(&app, &call, &mut entry).await?;
        let parameters = call.parameters()?;
        let shares = app.gate.shares(&reader).await?;
        let (page, next_page_token) =
            app.pager
                .page(&reader, Scope::Shares, &parameters, shares, |share| {
                    fold(&share.name)
                })?;
        let items: Vec<ShareItem> = page.into_iter().map(ShareItem::from).collect();
        Ok(json(&List {
            items,
            next_page_token,
        }))
    };
    let result = result.await;
    close(&call, entry, result).await
}

/// E2.
pub(crate) async fn share(State(app): State<App>, call: Call, name: OneName) -> Response {
    let name = name.map(|Path(name)| name).unwrap_or_default();
    let mut entry = begin(&app, &call, [&name, "", ""]);
    let result = async {
        let reader = who(&app, &call, &mut entry).await?;
        let share = share_of(&app, &reader, &name).await?;
        Ok(json(&ShareAnswer {
            share: share.into(),
        }))
    };
    let result = result.await;
    close(&call, entry, result).await
}

/// E3.
pub(crate) async fn schemas(State(app): State<App>, call: Call, name: OneName) -> Response {
    let name = name.map(|Path(name)| name).unwrap_or_default();
    let mut entry = begin(&app, &call, [&name, "", ""]);
    let result = async {
        let reader = who(&app, &call, &mut entry).await?;
        let parameters = call.parameters()?;
        let share = share_of(&app, &reader, &name).await?;
        let mut schemas: Vec<String> = tables_of(&app, &reader, &share)
            .await?
            .into_iter()
            .map(|table| table.schema)
            .collect();
        schemas.sort_by_cached_key(|schema| fold(schema));
        schemas.dedup_by_key(|schema| fold(schema));
        let scope = Scope::Schemas { share: &share.name };
        let (page, next_page_token) =
            app.pager
                .page(&reader, scope, &parameters, schemas, |schema| fold(schema))?;
        let items: Vec<SchemaItem> = page
            .into_iter()
            .map(|name| SchemaItem {
                name,
                share: share.name.clone(),
            })
            .collect();
        Ok(json(&List {
            items,
            next_page_token,
        }))
    };
    let result = result.await;
    close(&call, entry, result).await
}

/// E4.
pub(crate) async fn tables(
    State(app): State<App>,
    call: Call,
    names: Result<Path<(String, String)>, PathRejection>,
) -> Response {
    let (share_name, schema) = names.map(|Path(names)| names).unwrap_or_default();
    let mut entry = begin(&app, &call, [&share_name, &schema, ""]);
    let result = async {
        let reader = who(&app, &call, &mut entry).await?;
        let parameters = call.parameters()?;
        let missing = || not_found(&format!("schema '{share_name}.{schema}'"));
        let share = find_share(&app, &reader, &share_name)
            .await?
            .ok_or_else(missing)?;
        let mut tables = tables_of(&app, &reader, &share).await?;
        let wanted = fold(&schema);
        tables.retain(|table| fold(&table.schema) == wanted);
        if tables.is_empty() {
            return Err(missing());
        }
        let scope = Scope::Tables {
            share: &share.name,
            schema: &schema,
        };
        let (page, next_page_token) =
            app.pager
                .page(&reader, scope, &parameters, tables, by_name)?;
        let items: Vec<TableItem> = page.into_iter().map(TableItem::from).collect();
        Ok(json(&List {
            items,
            next_page_token,
        }))
    };
    let result = result.await;
    close(&call, entry, result).await
}

/// E5.
pub(crate) async fn all_tables(State(app): State<App>, call: Call, name: OneName) -> Response {
    let name = name.map(|Path(name)| name).unwrap_or_default();
    let mut entry = begin(&app, &call, [&name, "", ""]);
    let result = async {
        let reader = who(&app, &call, &mut entry).await?;
        let parameters = call.parameters()?;
        let share = share_of(&app, &reader, &name).await?;
        let tables = tables_of(&app, &reader, &share).await?;
        let scope = Scope::AllTables { share: &share.name };
        let (page, next_page_token) =
            app.pager
                .page(&reader, scope, &parameters, tables, by_schema_and_name)?;
        let items: Vec<TableItem> = page.into_iter().map(TableItem::from).collect();
        Ok(json(&List {
            items,
            next_page_token,
        }))
    };
    let result = result.await;
    close(&call, entry, result).await
}

/// Why a table is not listed: it was once, or it is none.
async fn no_longer(app: &App, reader: &Reader, names: &TableNames) -> Failure {
    if names.are_names()
        && let Err(ended @ Refused::Ended { .. }) = app
            .gate
            .open(reader, &names.share, &names.schema, &names.table)
            .await
    {
        return ended.into();
    }
    names.not_found()
}

/// E12: one table, as listed.
pub(crate) async fn table(
    State(app): State<App>,
    call: Call,
    path: Result<Path<(String, String, String)>, PathRejection>,
) -> Response {
    let names = TableNames::new(path);
    let mut entry = begin(&app, &call, [&names.share, &names.schema, &names.table]);
    let result = async {
        let reader = who(&app, &call, &mut entry).await?;
        let found = app.gate.tables(&reader).await?.into_iter().find(|table| {
            fold(&table.share) == names.share
                && fold(&table.schema) == names.schema
                && fold(&table.name) == names.table
        });
        let Some(item) = found.map(TableItem::from) else {
            return Err(no_longer(&app, &reader, &names).await);
        };
        Ok(json(&TableItem {
            format: Some("delta"),
            ..item
        }))
    };
    let result = result.await;
    close(&call, entry, result).await
}
