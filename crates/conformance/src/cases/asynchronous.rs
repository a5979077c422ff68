//! Y: queries whose answer is asked for later. A server that does not know them answers at once, which is allowed.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::World;
use crate::case::{Checked, cases, ensure, fail, skip};
use crate::client::{Ask, CAPABILITIES, shortened};
use crate::world::{Data, Table, before};

cases! {
    "Y.answer" "PROTOCOL.md, asynchronous queries" "asyncquery=true is answered with a queryStatus and said back, or at once" answer;
    "Y.key-required" "DeltaSharingService.scala" "A server that queries asynchronously wants an idempotency key: 400 without" key_required;
    "Y.polled" "PROTOCOL.md, asynchronous queries" "Asked for its id, the query comes to the files that a query at once gives" polled;
    "Y.pages" "PROTOCOL.md, asynchronous queries" "Its files come in pages where maxFiles asks for them: together they are all, each once" pages;
    "Y.same-key" "PROTOCOL.md, asynchronous queries" "The same key, table and parameters give the same query" same_key;
    "Y.other-key" "PROTOCOL.md, asynchronous queries" "Another key gives another query" other_key;
    "Y.id-of-other-table" "PROTOCOL.md, asynchronous queries" "A query id is found below its own table only: 404 elsewhere" other_table;
}

const ASKED: &str = "responseformat=parquet;includeendstreamaction=true;asyncquery=true";
/// So often it is looked whether a query has ended.
const POLLS: usize = 60;

/// A key that this run alone uses.
fn key(name: &str) -> String {
    format!("conformance-{name}-{}", super::lines::now())
}

fn ask(table: &Table, key: &str) -> Ask {
    let body = json!({ "idempotencyKey": key, "idempotency_key": key });
    table.query(body).can(ASKED)
}

/// The query's id; skipped where the server answers at once.
async fn begun(world: &World, table: &Table, key: &str) -> Checked<String> {
    let answer = world.send(ask(table, key)).await?.ok()?;
    let lines = answer.lines()?;
    let status = lines.first().map(|line| &line["queryStatus"]);
    match status.and_then(|status| status["queryId"].as_str()) {
        Some(id) => Ok(id.to_owned()),
        None => skip("the server answers at once, as it may"),
    }
}

async fn answer(world: &World) -> Checked {
    let table = world.plain()?;
    let answer = world.send(ask(table, &key("answer"))).await?.ok()?;
    let lines = answer.lines()?;
    let status = lines.first().map(|line| line["queryStatus"].clone());
    let status = status.unwrap_or_default();
    if status.is_null() {
        let data = Data::of(answer)?;
        return ensure(
            data.files().len() == table.files,
            "the whole answer at once",
            format!("{} of {} files", data.files().len(), table.files),
        );
    }
    let said = answer.header(CAPABILITIES).to_lowercase();
    ensure(
        lines.len() == 1
            && status["queryId"].as_str().is_some_and(|id| !id.is_empty())
            && status["status"] == "pending"
            && said.contains("asyncquery=true"),
        "one line queryStatus with queryId and status pending, and asyncquery=true said back",
        format!("'{said}' {}", shortened(&status.to_string())),
    )
}

async fn key_required(world: &World) -> Checked {
    let table = world.plain()?;
    begun(world, table, &key("required")).await?;
    let answer = world.send(table.query(json!({})).can(ASKED)).await?;
    answer.refused(400, "").map(|_| ())
}

async fn polled(world: &World) -> Checked {
    let table = world.plain()?;
    let id = begun(world, table, &key("polled")).await?;
    let expected = before(world.data(table.query(json!({}))).await)?.ids();
    let data = ended(world, table, &id, &json!({})).await?;
    ensure(
        data.ids() == expected && data.end().is_some(),
        format!("{} files and an endStreamAction", expected.len()),
        format!("{} files", data.ids().len()),
    )
}

/// Asks for a query's files until they are there.
async fn ended(world: &World, table: &Table, id: &str, body: &Value) -> Checked<Data> {
    for _ in 0..POLLS {
        let poll = Ask::post(&table.path(&["queries", id]), body).can(ASKED);
        let answer = world.send(poll).await?.ok()?;
        let lines = answer.lines()?;
        let first: &Value = lines.first().unwrap_or(&Value::Null);
        if first["queryStatus"]["status"] == "pending" {
            ensure(
                first["queryStatus"]["queryId"] == json!(id),
                "the id that was asked for",
                shortened(&first.to_string()),
            )?;
            tokio::time::sleep(Duration::from_millis(500)).await;
            continue;
        }
        return Data::of(answer);
    }
    fail("an end of the query", "pending for half a minute")
}

async fn pages(world: &World) -> Checked {
    let table = world.several()?;
    let id = begun(world, table, &key("pages")).await?;
    let expected = before(world.data(table.query(json!({}))).await)?.ids();
    let (mut seen, mut count) = (BTreeSet::new(), 0);
    let mut body = json!({ "maxFiles": 1 });
    // One more than there are, so that pages without end are seen.
    for _ in 0..=expected.len() {
        let page = ended(world, table, &id, &body).await?;
        count += page.files().len();
        seen.extend(page.ids());
        match page.end_text("nextPageToken") {
            Some(next) => body["pageToken"] = json!(next),
            None => break,
        }
    }
    ensure(
        seen == expected && count == expected.len(),
        format!("{} files, each once", expected.len()),
        format!("{count} files, {} of them different", seen.len()),
    )
}

async fn same_key(world: &World) -> Checked {
    let table = world.plain()?;
    let key = key("same");
    let first = begun(world, table, &key).await?;
    let second = begun(world, table, &key).await?;
    ensure(first == second, format!("the query {first}"), second)
}

async fn other_key(world: &World) -> Checked {
    let table = world.plain()?;
    let first = begun(world, table, &key("one")).await?;
    let second = begun(world, table, &key("two")).await?;
    ensure(first != second, "another query id", second)
}

async fn other_table(world: &World) -> Checked {
    let table = world.plain()?;
    let id = begun(world, table, &key("table")).await?;
    let other = world
        .tables
        .iter()
        .find(|other| other.shown() != table.shown());
    let Some(other) = other else {
        return skip("there is one table only");
    };
    let poll = Ask::post(&other.path(&["queries", &id]), &json!({}));
    world.send(poll).await?.refused(404, "").map(|_| ())
}
