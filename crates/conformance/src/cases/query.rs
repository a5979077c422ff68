//! Q: the body of a query.

use serde_json::{Value, json};

use super::calls::{instants, written};
use super::pages::refreshable;
use crate::World;
use crate::case::{Checked, cases, ensure, skip};
use crate::data::stats;
use crate::world::{Table, before};

cases! {
    "Q.empty-body" "DeltaSharingServiceSuite" "A query without a body is 400" empty_body;
    "Q.not-json" "PROTOCOL.md, Read Data from a Table" "A body that is no JSON is 400" not_json;
    "Q.wrong-type" "PROTOCOL.md, Read Data from a Table" "A field of a wrong type is 400" wrong_type;
    "Q.sql-hints-unreadable" "PROTOCOL.md, SQL Expressions for Predicates" "Predicate hints that cannot be read are ignored" sql_unreadable;
    "Q.json-hints-unreadable" "PROTOCOL.md, JSON predicates" "JSON predicate hints that cannot be read are ignored, never an error" json_unreadable;
    "Q.limit-gives-rows" "PROTOCOL.md, Read Data from a Table" "A limitHint never leaves out rows within the limit" limit_gives;
    "Q.limit-large" "PROTOCOL.md, Read Data from a Table" "A limitHint above the table's rows gives all files" limit_large;
    "Q.limit-zero" "PROTOCOL.md, Read Data from a Table" "A limitHint of 0 is taken" limit_zero;
    "Q.limit-deleted-rows" "Delta PROTOCOL.md, Deletion Vectors" "Rows that a deletion vector deletes do not count for a limitHint" limit_deleted;
    "Q.version" "PROTOCOL.md, Read Data from a Table" "A version gives the files of that version" version;
    "Q.timestamp" "PROTOCOL.md, Read Data from a Table" "A timestamp gives the files of the version then" timestamp;
    "Q.one-point-in-time" "DeltaSharingServiceSuite" "Only one of version, timestamp and startingVersion may be given: else 400" one_point;
    "Q.version-negative" "DeltaSharingServiceSuite" "A negative version is 400" version_negative;
    "Q.version-too-late" "DeltaSharingServiceSuite" "A version that is still to come is 400" version_late;
    "Q.needs-history" "DeltaSharingServiceSuite" "Older versions are 400 where history is not shared" needs_history;
    "Q.before-shared-history" "DeltaSharingServiceSuite" "A version before the shared history is 400 and names the first that is shared" before_shared;
    "Q.before-shared-metadata" "DeltaSharingServiceSuite" "The same holds for metadata, whose schema would tell of hidden history" before_shared_metadata;
    "Q.starting-version" "PROTOCOL.md, Read Data from a Table" "startingVersion answers with that version in the header, and add and remove lines, never cdf" starting_version;
    "Q.starting-never-cdf" "PROTOCOL.md, Read Data from a Table" "Also of a version with recorded changes come its added and removed files" starting_never_cdf;
    "Q.starting-advanced" "PROTOCOL.md, Read Data from a Table" "startingVersion is answered for a table with advanced features, too" starting_advanced;
    "Q.starting-metadata" "PROTOCOL.md, Read Data from a Table" "Metadata that later versions have set comes among the lines, with its version" starting_metadata;
    "Q.starting-no-rewrites" "PROTOCOL.md, Read Data from a Table" "Files that were only rewritten are no change" starting_rewrites;
    "Q.starting-after-latest" "DeltaSharingServiceSuite" "A startingVersion that is still to come is 400" starting_after;
    "Q.ending-before-start" "DeltaSharingServiceSuite" "An endingVersion before the startingVersion is 400" ending_before;
    "Q.ending-version" "PROTOCOL.md, Read Data from a Table" "endingVersion ends the range, itself included" ending_version;
    "Q.historical-protocol" "PROTOCOL.md, Read Data from a Table" "includeHistoricalProtocol is taken with startingVersion" historical_protocol;
    "Q.max-files-positive" "protocol.proto" "A maxFiles of 0 is 400" max_files;
    "Q.refresh-of-old-version" "DeltaSharingServiceSuite" "includeRefreshToken with a version is 400" refresh_version;
    "Q.refresh-token-of-old-version" "DeltaSharingServiceSuite" "A refreshToken with a version is 400" refresh_token_version;
    "Q.refresh-of-page" "DeltaSharingServiceSuite" "includeRefreshToken with a pageToken is 400" refresh_page;
    "Q.idempotency-key" "PROTOCOL.md and DeltaSharingClient.scala" "idempotencyKey may be written idempotency_key, too" idempotency;
}

async fn refused(world: &World, table: &Table, body: Value) -> Checked<String> {
    world.send(table.query(body)).await?.refused(400, "")
}

async fn empty_body(world: &World) -> Checked {
    let table = world.plain()?;
    let answer = world.send(table.query(json!({})).body("")).await?;
    answer.refused(400, "").map(|_| ())
}

async fn not_json(world: &World) -> Checked {
    let table = world.plain()?;
    for body in ["{", "no json", "[]"] {
        let answer = world.send(table.query(json!({})).body(body)).await?;
        answer.refused(400, "")?;
    }
    Ok(())
}

async fn wrong_type(world: &World) -> Checked {
    let table = world.plain()?;
    refused(world, table, json!({ "limitHint": "many" })).await?;
    refused(world, table, json!({ "predicateHints": 7 }))
        .await
        .map(|_| ())
}

async fn all_files(world: &World, body: Value) -> Checked {
    let table = world.plain()?;
    let expected = before(world.data(table.query(json!({}))).await)?.ids();
    let shown = body.to_string();
    let seen = world.data(table.query(body)).await?.ids();
    ensure(
        seen == expected,
        format!("all {} files for {shown}", expected.len()),
        format!("{} files", seen.len()),
    )
}

async fn sql_unreadable(world: &World) -> Checked {
    all_files(world, json!({ "predicateHints": ["this is ( no SQL"] })).await
}

async fn json_unreadable(world: &World) -> Checked {
    let unknown = r#"{"op":"like","children":[]}"#;
    let of_null = r#"{"op":"equal","children":[{"op":"column","name":"conformance","valueType":"int"},{"op":"literal","value":null,"valueType":"int"}]}"#;
    for hints in ["{", "7", "null", unknown, of_null, r#"{"op":"equal"}"#] {
        all_files(world, json!({ "jsonPredicateHints": hints })).await?;
    }
    Ok(())
}

/// The rows of a file by its statistics.
fn rows(file: &Value) -> Option<i64> {
    stats(file)["numRecords"].as_i64()
}

/// Those that no deletion vector deletes.
fn rows_left(file: &Value) -> Option<i64> {
    let vector = &file["deltaSingleAction"]["add"]["deletionVector"];
    Some(rows(file)? - vector["cardinality"].as_i64().unwrap_or_default())
}

async fn limit_gives(world: &World) -> Checked {
    let table = world.several()?;
    let all = before(world.data(table.query(json!({}))).await)?;
    let total: Option<i64> = all.files().iter().map(|(_, file)| rows(file)).sum();
    let Some(total) = total else {
        return skip("no table here says how many rows its files have");
    };
    for limit in [1, (total / 2).max(1), total] {
        let data = world
            .data(table.query(json!({ "limitHint": limit })))
            .await?;
        let given: Option<i64> = data.files().iter().map(|(_, file)| rows(file)).sum();
        ensure(
            given.is_some_and(|given| given >= limit.min(total)),
            format!("files with at least {} rows", limit.min(total)),
            format!("{} files with {given:?} rows", data.files().len()),
        )?;
    }
    Ok(())
}

async fn limit_zero(world: &World) -> Checked {
    let table = world.plain()?;
    let body = json!({ "limitHint": 0 });
    world.data(table.query(body)).await.map(|_| ())
}

async fn limit_deleted(world: &World) -> Checked {
    let table = world.vectors()?;
    let ask = |body: Value| table.query(body).can(&table.able());
    let all = before(world.data(ask(json!({}))).await)?;
    let total: Option<i64> = all.files().iter().map(|(_, file)| rows_left(file)).sum();
    let Some(total) = total else {
        return skip("no table here with deletion vectors says how many rows its files have");
    };
    // As many as one file seems to have.
    let mut limits: Vec<i64> = all.files().iter().filter_map(|(_, f)| rows(f)).collect();
    limits.push(total);
    limits.dedup();
    for limit in limits {
        let data = world.data(ask(json!({ "limitHint": limit }))).await?;
        let given: Option<i64> = data.files().iter().map(|(_, file)| rows_left(file)).sum();
        ensure(
            given.is_some_and(|given| given >= limit.min(total)),
            format!(
                "files with at least {} rows that are not deleted",
                limit.min(total)
            ),
            format!("{} files with {given:?} such rows", data.files().len()),
        )?;
    }
    Ok(())
}

async fn limit_large(world: &World) -> Checked {
    all_files(world, json!({ "limitHint": 1_000_000_000 })).await
}

async fn version(world: &World) -> Checked {
    let (table, first) = world.history()?;
    let data = world.data(table.query(json!({ "version": first }))).await?;
    let latest = before(world.data(table.query(json!({}))).await)?;
    ensure(
        data.answer.version()? == first,
        format!("version {first}"),
        format!("version {}", data.answer.version()?),
    )?;
    let now = world
        .data(table.query(json!({ "version": table.version })))
        .await?;
    ensure(
        now.ids() == latest.ids(),
        "the files of the latest version for its number",
        format!("{} of {} files", now.ids().len(), latest.ids().len()),
    )
}

async fn timestamp(world: &World) -> Checked {
    let (table, instants) = instants(world).await?;
    let (version, at) = instants[0];
    let expected = before(world.data(table.query(json!({ "version": version }))).await)?;
    let text = written(at, 0);
    let data = world
        .data(table.query(json!({ "timestamp": text })))
        .await?;
    ensure(
        data.answer.version()? == version && data.ids() == expected.ids(),
        format!("the files of version {version}"),
        format!(
            "{} files of version {}",
            data.ids().len(),
            data.answer.version()?
        ),
    )
}

async fn one_point(world: &World) -> Checked {
    let (table, first) = world.history()?;
    for body in [
        json!({ "version": first, "timestamp": "2022-04-29T00:00:00Z" }),
        json!({ "version": first, "startingVersion": first }),
        json!({ "timestamp": "2022-04-29T00:00:00Z", "startingVersion": first }),
    ] {
        refused(world, table, body).await?;
    }
    Ok(())
}

async fn version_negative(world: &World) -> Checked {
    let (table, _) = world.history()?;
    refused(world, table, json!({ "version": -1 })).await?;
    let starting = json!({ "startingVersion": -1 });
    refused(world, table, starting).await.map(|_| ())
}

async fn version_late(world: &World) -> Checked {
    let (table, _) = world.history()?;
    let body = json!({ "version": table.version + 1_000_000 });
    refused(world, table, body).await.map(|_| ())
}

async fn needs_history(world: &World) -> Checked {
    let table = world.without_history()?;
    for body in [
        json!({ "version": 0 }),
        json!({ "timestamp": "2022-04-29T00:00:00Z" }),
        json!({ "startingVersion": 0 }),
    ] {
        refused(world, table, body).await?;
    }
    Ok(())
}

async fn before_shared(world: &World) -> Checked {
    let (table, first) = world.hinted_at("late", world.hints.late.as_ref())?;
    for body in [
        json!({ "version": first - 1 }),
        json!({ "startingVersion": first - 1 }),
    ] {
        let message = refused(world, &table, body).await?;
        ensure(
            message.contains(&first.to_string()),
            format!("a message that names version {first}"),
            message,
        )?;
    }
    let shared = world.data(table.query(json!({ "version": first }))).await?;
    ensure(
        shared.answer.version()? == first,
        format!("version {first}"),
        shared.answer.shown(),
    )
}

async fn before_shared_metadata(world: &World) -> Checked {
    let (table, first) = world.hinted_at("late", world.hints.late.as_ref())?;
    let ask = table
        .get("metadata")
        .query("version", &(first - 1).to_string());
    world.send(ask).await?.refused(400, "").map(|_| ())
}

async fn starting_version(world: &World) -> Checked {
    let (table, first) = world.history()?;
    let data = world
        .data(table.query(json!({ "startingVersion": first })))
        .await?;
    ensure(
        data.answer.version()? == first,
        format!("version {first}"),
        format!("version {}", data.answer.version()?),
    )?;
    for (key, line) in data.rest() {
        let at = line["version"].as_i64();
        let fits = match key {
            "add" | "remove" => at.is_some_and(|at| at >= first) && line["timestamp"].is_i64(),
            "metaData" => true,
            _ => false,
        };
        ensure(
            fits,
            "add, remove and metaData lines, those of files with version and timestamp",
            format!("{key} of version {at:?}"),
        )?;
    }
    Ok(())
}

async fn starting_never_cdf(world: &World) -> Checked {
    let (table, version) = world.hinted_at("recorded", world.hints.recorded.as_ref())?;
    let body = json!({ "startingVersion": version, "endingVersion": version });
    let data = world.data(table.query(body)).await?;
    let keys: Vec<&str> = data.files().into_iter().map(|(key, _)| key).collect();
    ensure(
        !keys.is_empty() && keys.iter().all(|key| ["add", "remove"].contains(key)),
        format!("the add and remove lines of version {version}"),
        format!("{keys:?}"),
    )
}

async fn starting_advanced(world: &World) -> Checked {
    let (table, _) = world.advanced_changing()?;
    let first = table.history.unwrap_or_default();
    let body = json!({ "startingVersion": first });
    let data = world.data(table.query(body).can(&table.able())).await?;
    let told = |(_, file): &(&str, &Value)| {
        file["deltaSingleAction"].is_object() && file["version"].is_i64()
    };
    ensure(
        data.answer.version()? == first && data.files().iter().all(told),
        format!("files in the delta format with their versions, since version {first}"),
        data.answer.shown(),
    )?;
    ensure(
        !data.files().is_empty(),
        "a file that was added",
        data.answer.shown(),
    )
}

async fn starting_metadata(world: &World) -> Checked {
    let (table, first) = world.history()?;
    let data = world
        .data(table.query(json!({ "startingVersion": first })))
        .await?;
    let old = before(
        world
            .data(table.get("metadata").query("version", &first.to_string()))
            .await,
    )?;
    let latest = before(world.data(table.get("metadata")).await)?;
    let bare = |metadata: &Value| {
        let mut metadata = metadata.clone();
        if let Some(fields) = metadata.as_object_mut() {
            for volatile in ["version", "size", "numFiles"] {
                fields.remove(volatile);
            }
        }
        metadata
    };
    if bare(latest.metadata()) == bare(old.metadata()) {
        return skip("no table here with history has changed its metadata");
    }
    let later = data
        .rest()
        .filter(|(key, _)| *key == "metaData")
        .any(|(_, line)| line["version"].as_i64().is_some_and(|at| at > first));
    ensure(
        later,
        format!("a metaData line of a version after {first}"),
        "none",
    )
}

async fn starting_rewrites(world: &World) -> Checked {
    let (table, rewrite) = world.hinted_at("rewrite", world.hints.rewrite.as_ref())?;
    let body = json!({ "startingVersion": rewrite, "endingVersion": rewrite });
    let data = world.data(table.query(body)).await?;
    ensure(
        data.files().is_empty(),
        format!("no file of version {rewrite}, which only rewrote"),
        format!("{} files", data.files().len()),
    )
}

async fn starting_after(world: &World) -> Checked {
    let (table, _) = world.history()?;
    let body = json!({ "startingVersion": table.version + 1_000_000 });
    refused(world, table, body).await.map(|_| ())
}

async fn ending_before(world: &World) -> Checked {
    let (table, first) = world.history()?;
    let body = json!({ "startingVersion": first + 1, "endingVersion": first });
    refused(world, table, body).await.map(|_| ())
}

async fn ending_version(world: &World) -> Checked {
    let (table, first) = world.history()?;
    let end = first + 1;
    let body = json!({ "startingVersion": first, "endingVersion": end });
    let data = world.data(table.query(body)).await?;
    let all = before(
        world
            .data(table.query(json!({ "startingVersion": first })))
            .await,
    )?;
    let until = |data: &crate::world::Data| -> Vec<i64> {
        let versions = data
            .files()
            .into_iter()
            .map(|(_, file)| file["version"].as_i64());
        let mut versions: Vec<i64> = versions.flatten().collect();
        versions.sort_unstable();
        versions
    };
    let mut expected = until(&all);
    expected.retain(|at| *at <= end);
    ensure(
        until(&data) == expected,
        format!("{} files of versions {first} to {end}", expected.len()),
        format!("files of versions {:?}", until(&data)),
    )
}

async fn historical_protocol(world: &World) -> Checked {
    let (table, first) = world.history()?;
    let body = json!({ "startingVersion": first, "includeHistoricalProtocol": true });
    let ask = table.query(body).can("responseformat=delta");
    let data = world.data(ask).await?;
    ensure(
        data.answer.version()? == first,
        format!("version {first}"),
        data.answer.shown(),
    )
}

async fn max_files(world: &World) -> Checked {
    let table = world.plain()?;
    refused(world, table, json!({ "maxFiles": 0 })).await?;
    refused(world, table, json!({ "maxFiles": -1 }))
        .await
        .map(|_| ())
}

async fn refresh_version(world: &World) -> Checked {
    let (table, first) = world.history()?;
    let body = json!({ "version": first, "includeRefreshToken": true });
    refused(world, table, body).await.map(|_| ())
}

async fn refresh_token_version(world: &World) -> Checked {
    let (table, first) = world.history()?;
    // One that counts: another would be refused for itself.
    let (_, token) = refreshable(world, table).await?;
    let body = json!({ "version": first, "refreshToken": token });
    refused(world, table, body).await.map(|_| ())
}

async fn refresh_page(world: &World) -> Checked {
    let table = world.plain()?;
    let body = json!({ "pageToken": "x", "includeRefreshToken": true });
    refused(world, table, body).await.map(|_| ())
}

async fn idempotency(world: &World) -> Checked {
    let table = world.plain()?;
    for name in ["idempotencyKey", "idempotency_key"] {
        let mut body = json!({});
        body[name] = json!("conformance-key");
        world.data(table.query(body)).await?;
    }
    Ok(())
}
