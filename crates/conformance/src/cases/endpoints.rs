//! E: the endpoints, each with what its answer must hold.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::calls::{NOBODY, instants, written};
use crate::World;
use crate::case::{Checked, cases, ensure, skip};
use crate::client::Ask;
use crate::world::before;

cases! {
    "E1.items" "PROTOCOL.md, List Shares" "Each share has a name; displayName, comment and properties keep to their limits" share_items;
    "E2.wrapped" "PROTOCOL.md, Get Share" "A share is wrapped: {share: {name, …}}" share_wrapped;
    "E2.unknown" "PROTOCOL.md, Get Share" "A share that is not there is 404" share_unknown;
    "E3.items" "PROTOCOL.md, List Schemas in a Share" "Each schema has a name and its share" schema_items;
    "E3.unknown" "PROTOCOL.md, List Schemas in a Share" "Schemas of a share that is not there are 404" schemas_unknown;
    "E4.items" "PROTOCOL.md, List Tables in a Schema" "Each table has a name, its schema and its share" table_items;
    "E4.unknown" "PROTOCOL.md, List Tables in a Schema" "Tables of a schema that is not there are 404" tables_unknown;
    "E5.all-tables" "PROTOCOL.md, List all Tables in a Share" "The tables of a share are those of its schemas: Spark lists by this alone" all_tables;
    "E5.unknown" "PROTOCOL.md, List all Tables in a Share" "All tables of a share that is not there are 404" all_tables_unknown;
    "E6.version" "PROTOCOL.md, Query Table Version" "The version is in the header Delta-Table-Version, and the body is empty" version;
    "E6.head" "PROTOCOL.md, Query Table Version" "HEAD of a table answers with the same version" head;
    "E6.since" "PROTOCOL.md, Query Table Version" "startingTimestamp gives the earliest version at or after it" since;
    "E6.since-before-all" "DeltaSharingServiceSuite" "A startingTimestamp before everything gives the earliest version" since_before_all;
    "E6.since-after-all" "DeltaSharingServiceSuite" "A startingTimestamp after the latest version is 400" since_after_all;
    "E6.needs-history" "DeltaSharingServiceSuite" "startingTimestamp is 400 where history is not shared" since_needs_history;
    "E7.two-lines" "DeltaSharingRestClient.getMetadata" "Metadata is exactly two lines, protocol and metaData" two_lines;
    "E7.version-header" "PROTOCOL.md, Query Table Metadata" "Metadata comes with Delta-Table-Version" metadata_version;
    "E7.at-version" "PROTOCOL.md, Query Table Metadata" "Metadata of an older version is that version's, in header and line" metadata_at_version;
    "E7.at-timestamp" "PROTOCOL.md, Query Table Metadata" "Metadata of a timestamp is that of the version then" metadata_at_timestamp;
    "E7.exclusive" "PROTOCOL.md, Query Table Metadata" "version and timestamp together are 400" metadata_exclusive;
    "E7.needs-history" "PROTOCOL.md, Query Table Metadata" "Metadata of an older version is 400 where history is not shared" metadata_needs_history;
    "E8.snapshot" "PROTOCOL.md, Read Data from a Table" "{} asks for the whole latest snapshot, with its version in the header" snapshot;
    "E9.changes" "PROTOCOL.md, Read Change Data Feed" "Changes since a version answer with that version in the header" changes;
    "E10.unknown" "PROTOCOL.md, asynchronous queries" "A query id that is not there is 404" unknown_query;
    "E11.known" "PROTOCOL.md, Generate Temporary Table Credential" "Credentials are given, or refused with 4xx in the protocol's shape" credentials_known;
    "E12.table" "OpenSharing TABLES.md" "GET of a table describes it: name, schema, share, format" table_described;
}

async fn share_items(world: &World) -> Checked {
    for share in world.list(&["shares"]).await? {
        let text = |name: &str, most: usize| match &share[name] {
            Value::Null => true,
            Value::String(text) => text.chars().count() <= most,
            _ => false,
        };
        let properties = match &share["properties"] {
            Value::Null => true,
            Value::Object(all) => {
                all.len() <= 50
                    && all.iter().all(|(key, value)| {
                        key.chars().count() <= 255
                            && value
                                .as_str()
                                .is_some_and(|text| text.chars().count() <= 1_000)
                    })
            }
            _ => false,
        };
        let fits = share["name"].is_string()
            && text("id", 255)
            && text("displayName", 255)
            && text("comment", 65_536)
            && properties;
        ensure(
            fits,
            "name; id and displayName texts, comment of at most 65536 characters, at most 50 properties",
            crate::client::shortened(&share.to_string()),
        )?;
    }
    Ok(())
}

async fn share_wrapped(world: &World) -> Checked {
    let name = world.share()?;
    let answer = world.send(Ask::get(&["shares", name])).await?.ok()?;
    let found = answer.json()?["share"]["name"].as_str().map(str::to_owned);
    ensure(
        found.as_deref() == Some(name),
        format!("{{\"share\": {{\"name\": \"{name}\"}}}}"),
        answer.shown(),
    )
}

async fn unknown(world: &World, path: &[&str]) -> Checked {
    let answer = world.send(Ask::get(path)).await?;
    answer.refused(404, "").map(|_| ())
}

async fn share_unknown(world: &World) -> Checked {
    unknown(world, &["shares", NOBODY]).await
}

async fn schemas_unknown(world: &World) -> Checked {
    unknown(world, &["shares", NOBODY, "schemas"]).await
}

async fn tables_unknown(world: &World) -> Checked {
    let share = world.share()?;
    unknown(world, &["shares", share, "schemas", NOBODY, "tables"]).await
}

async fn all_tables_unknown(world: &World) -> Checked {
    unknown(world, &["shares", NOBODY, "all-tables"]).await
}

fn has(item: &Value, fields: &[(&str, Option<&str>)]) -> Checked {
    for (field, expected) in fields {
        let found = item[*field].as_str();
        let fits = match expected {
            Some(expected) => found.is_some_and(|found| found.eq_ignore_ascii_case(expected)),
            None => found.is_some_and(|found| !found.is_empty()),
        };
        ensure(
            fits,
            match expected {
                Some(expected) => format!("{field}: {expected}"),
                None => format!("a {field}"),
            },
            crate::client::shortened(&item.to_string()),
        )?;
    }
    Ok(())
}

async fn schema_items(world: &World) -> Checked {
    let share = world.plain()?.share.as_str();
    let schemas = world.list(&["shares", share, "schemas"]).await?;
    ensure(!schemas.is_empty(), "a schema", "an empty list")?;
    for schema in &schemas {
        has(schema, &[("name", None), ("share", Some(share))])?;
    }
    Ok(())
}

async fn table_items(world: &World) -> Checked {
    let table = world.plain()?;
    let path = ["shares", &table.share, "schemas", &table.schema, "tables"];
    let tables = world.list(&path).await?;
    ensure(!tables.is_empty(), "a table", "an empty list")?;
    for item in &tables {
        let fields = [
            ("name", None),
            ("schema", Some(table.schema.as_str())),
            ("share", Some(table.share.as_str())),
        ];
        has(item, &fields)?;
    }
    Ok(())
}

async fn all_tables(world: &World) -> Checked {
    let named = |items: Vec<Value>| -> BTreeSet<(String, String)> {
        let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let names = items.iter();
        names
            .map(|item| (text(item, "schema"), text(item, "name")))
            .collect()
    };
    for share in &world.shares {
        let share = share["name"].as_str().unwrap_or_default();
        let expected = named(before(world.by_schema(share).await)?);
        let seen = named(world.list(&["shares", share, "all-tables"]).await?);
        ensure(
            seen == expected,
            format!("the {} tables of the schemas of {share}", expected.len()),
            format!("{} tables: {seen:?}", seen.len()),
        )?;
    }
    Ok(())
}

async fn version(world: &World) -> Checked {
    let table = world.plain()?;
    let answer = world.send(table.get("version")).await?.ok()?;
    answer.version()?;
    ensure(answer.body.is_empty(), "an empty body", answer.shown())
}

async fn head(world: &World) -> Checked {
    let table = world.plain()?;
    let expected = before(before(world.send(table.get("version")).await)?.version())?;
    let ask = Ask::new(Method::HEAD, &table.path(&[]));
    let answer = world.send(ask).await?.ok()?;
    ensure(
        answer.version()? == expected,
        format!("version {expected}"),
        answer.shown(),
    )
}

async fn since(world: &World) -> Checked {
    let (table, instants) = instants(world).await?;
    let (version, at) = instants[1];
    // Just behind the version before: the next one is the first at or after it.
    let (_, earlier) = instants[0];
    for millis in [at, (earlier + 1).min(at)] {
        let text = written(millis, 0);
        let ask = table.get("version").query("startingTimestamp", &text);
        let answer = world.send(ask).await?.ok()?;
        let found = answer.version()?;
        // A version without files has no line that tells its instant; it may lie between the two.
        let fits = found == version || (instants[0].0 < found && found < version && millis != at);
        ensure(
            fits,
            format!("version {version} since {text}"),
            format!("version {found}"),
        )?;
    }
    Ok(())
}

async fn since_before_all(world: &World) -> Checked {
    let (table, first) = world.history()?;
    let ask = table
        .get("version")
        .query("startingTimestamp", "2001-01-01T00:00:00Z");
    let answer = world.send(ask).await?.ok()?;
    ensure(
        answer.version()? == first,
        format!("version {first}"),
        format!("version {}", answer.version()?),
    )
}

async fn since_after_all(world: &World) -> Checked {
    let (table, _) = world.history()?;
    let ask = table
        .get("version")
        .query("startingTimestamp", "2199-01-01T00:00:00Z");
    world.send(ask).await?.refused(400, "").map(|_| ())
}

async fn since_needs_history(world: &World) -> Checked {
    let table = world.without_history()?;
    let ask = table
        .get("version")
        .query("startingTimestamp", "2001-01-01T00:00:00Z");
    world.send(ask).await?.refused(400, "").map(|_| ())
}

async fn two_lines(world: &World) -> Checked {
    let table = world.plain()?;
    for capabilities in [
        "responseformat=parquet",
        "responseformat=parquet;includeendstreamaction=true",
        "responseformat=delta;includeendstreamaction=true",
    ] {
        let ask = table.get("metadata").can(capabilities);
        let data = world.data(ask).await?;
        ensure(
            data.lines.len() == 2,
            format!("two lines with {capabilities}"),
            format!("{} lines", data.lines.len()),
        )?;
    }
    Ok(())
}

async fn metadata_version(world: &World) -> Checked {
    let table = world.plain()?;
    let expected = before(before(world.send(table.get("version")).await)?.version())?;
    let answer = world.send(table.get("metadata")).await?.ok()?;
    ensure(
        answer.version()? == expected,
        format!("version {expected}"),
        answer.shown(),
    )
}

async fn metadata_at_version(world: &World) -> Checked {
    let (table, first) = world.history()?;
    let ask = table.get("metadata").query("version", &first.to_string());
    let data = world.data(ask).await?;
    let (header, line) = (
        data.answer.version()?,
        data.lines[1]["metaData"]["version"].as_i64(),
    );
    ensure(
        header == first && line == Some(first),
        format!("version {first} in the header and in metaData"),
        format!("{header} and {line:?}"),
    )
}

async fn metadata_at_timestamp(world: &World) -> Checked {
    let (table, instants) = instants(world).await?;
    let (version, at) = instants[0];
    let ask = table.get("metadata").query("timestamp", &written(at, 0));
    let data = world.data(ask).await?;
    ensure(
        data.answer.version()? == version,
        format!("version {version}"),
        format!("version {}", data.answer.version()?),
    )
}

async fn metadata_exclusive(world: &World) -> Checked {
    let (table, first) = world.history()?;
    let ask = table
        .get("metadata")
        .query("version", &first.to_string())
        .query("timestamp", "2022-04-29T00:00:00Z");
    world.send(ask).await?.refused(400, "").map(|_| ())
}

async fn metadata_needs_history(world: &World) -> Checked {
    let table = world.without_history()?;
    let ask = table.get("metadata").query("version", "0");
    world.send(ask).await?.refused(400, "").map(|_| ())
}

async fn snapshot(world: &World) -> Checked {
    let table = world.plain()?;
    let expected = before(before(world.send(table.get("version")).await)?.version())?;
    let data = world.data(table.query(json!({}))).await?;
    let (version, files) = (data.answer.version()?, data.ids().len());
    ensure(
        version == expected && files == table.files,
        format!("version {expected} with {} files", table.files),
        format!("version {version} with {files} files"),
    )
}

async fn changes(world: &World) -> Checked {
    let (table, first) = world.changing()?;
    let data = world.data(table.changes_since(first)).await?;
    ensure(
        data.answer.version()? == first,
        format!("version {first}"),
        format!("version {}", data.answer.version()?),
    )
}

async fn unknown_query(world: &World) -> Checked {
    let table = world.plain()?;
    let path = table.path(&["queries", NOBODY]);
    let answer = world.send(Ask::post(&path, &json!({}))).await?;
    answer.refused(404, "").map(|_| ())
}

async fn credentials_known(world: &World) -> Checked {
    let table = world.plain()?;
    let path = table.path(&["temporary-table-credentials"]);
    let answer = world.send(Ask::post(&path, &json!({}))).await?;
    if answer.status == 200 {
        return ensure(
            answer.json()?["credentials"].is_object(),
            "credentials",
            "an answer without them",
        );
    }
    answer.refused_for_good()?;
    answer.refused(answer.status, "").map(|_| ())
}

async fn table_described(world: &World) -> Checked {
    let table = world.plain()?;
    let answer = world.send(Ask::get(&table.path(&[]))).await?;
    if [404, 405].contains(&answer.status) {
        return skip("the server does not describe single tables, which OpenSharing adds");
    }
    let item = answer.ok()?.json()?;
    let fields = [
        ("name", Some(table.name.as_str())),
        ("schema", Some(table.schema.as_str())),
        ("share", Some(table.share.as_str())),
    ];
    has(&item, &fields)?;
    let format = &item["format"];
    ensure(
        format.is_string() || format.is_array(),
        "format: delta, iceberg or a list of them",
        format.to_string(),
    )
}
