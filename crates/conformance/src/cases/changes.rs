//! F: the change data feed.

use super::calls::written;
use crate::World;
use crate::case::{Checked, cases, ensure, skip};
use crate::client::Ask;
use crate::world::{Data, Table, before};

cases! {
    "F.start-required" "DeltaSharingServiceSuite" "Changes without startingVersion or startingTimestamp are 400" start_required;
    "F.start-once" "DeltaSharingServiceSuite" "startingVersion and startingTimestamp together are 400" start_once;
    "F.end-once" "DeltaSharingServiceSuite" "endingVersion and endingTimestamp together are 400" end_once;
    "F.range" "DeltaSharingServiceSuite" "A range that ends before it starts is 400" inverted;
    "F.start-after-latest" "DeltaSharingServiceSuite" "A startingVersion after the latest is 400" after_latest;
    "F.not-enabled" "DeltaSharingServiceSuite" "Changes of a table that does not share them are 400" not_enabled;
    "F.unrecorded" "DeltaSharingServiceSuite" "A version whose changes were not recorded is 400, and named" unrecorded;
    "F.before-shared" "DeltaSharingServiceSuite" "Changes of versions before the shared history are 400, and the first that is shared is named" before_shared;
    "F.inclusive" "PROTOCOL.md, Read Change Data Feed" "Both ends of a range belong to it" inclusive;
    "F.recorded" "Delta PROTOCOL.md, Change Data Files" "A version with recorded changes comes as cdf lines alone" recorded;
    "F.no-rewrites" "Delta PROTOCOL.md, Change Data Files" "Files that were only rewritten are no change" no_rewrites;
    "F.lines" "PROTOCOL.md, API Response Format" "Each change has url, id, partitionValues, size, version and timestamp" lines;
    "F.timestamps" "PROTOCOL.md, Read Change Data Feed" "startingTimestamp is the first version at or after it, endingTimestamp the last at or before it" timestamps;
    "F.flags-any-case" "rest_client.py" "A flag may be written True, as Python does" flags;
    "F.historical-metadata" "PROTOCOL.md, Read Change Data Feed" "includeHistoricalMetadata gives the metadata of the first version, with its version" historical_metadata;
    "F.latest-metadata" "PROTOCOL.md, Read Change Data Feed" "Without it the metadata is that of the latest version" latest_metadata;
    "F.historical-protocol" "PROTOCOL.md, Read Change Data Feed" "includeHistoricalProtocol is taken in the delta format; a version that the protocol says is the first" historical_protocol;
    "F.advanced" "delta-io/delta-sharing#610" "A table with advanced features tells its changes, too" advanced;
    "F.delta" "reader.py" "In the delta format, too, each change has version and timestamp" delta;
    "F.max-files-positive" "protocol.proto" "A maxFiles of 0 is 400" max_files;
}

async fn refused(world: &World, ask: Ask) -> Checked<String> {
    world.send(ask).await?.refused(400, "")
}

async fn start_required(world: &World) -> Checked {
    let (table, _) = world.changing()?;
    refused(world, table.get("changes")).await.map(|_| ())
}

async fn start_once(world: &World) -> Checked {
    let (table, first) = world.changing()?;
    let ask = table
        .changes_since(first)
        .query("startingTimestamp", "2001-01-01T00:00:00Z");
    refused(world, ask).await.map(|_| ())
}

async fn end_once(world: &World) -> Checked {
    let (table, first) = world.changing()?;
    let ask = table
        .changes_since(first)
        .query("endingVersion", &table.version.to_string())
        .query("endingTimestamp", "2199-01-01T00:00:00Z");
    refused(world, ask).await.map(|_| ())
}

async fn inverted(world: &World) -> Checked {
    let (table, first) = world.changing()?;
    let ask = table
        .changes_since(first + 1)
        .query("endingVersion", &first.to_string());
    refused(world, ask).await.map(|_| ())
}

async fn after_latest(world: &World) -> Checked {
    let (table, _) = world.changing()?;
    let ask = table.changes_since(table.version + 1_000_000);
    refused(world, ask).await.map(|_| ())
}

async fn not_enabled(world: &World) -> Checked {
    let table = world.without_changes()?;
    refused(world, table.changes_since(0)).await.map(|_| ())
}

async fn unrecorded(world: &World) -> Checked {
    let (table, version) = world.hinted_at("unrecorded", world.hints.unrecorded.as_ref())?;
    let ask = table.changes_since(version);
    let message = refused(world, ask).await?;
    ensure(
        message.contains(&version.to_string()),
        format!("a message that names version {version}"),
        message,
    )
}

async fn before_shared(world: &World) -> Checked {
    let (table, first) = world.hinted_at("late", world.hints.late.as_ref())?;
    if table.changes.is_none() {
        return skip("the table `late` of the world file does not share its changes");
    }
    let message = refused(world, table.changes_since(first - 1)).await?;
    ensure(
        message.contains(&first.to_string()),
        format!("a message that names version {first}"),
        message,
    )?;
    world.data(table.changes_since(first)).await.map(|_| ())
}

fn versions(data: &Data) -> Vec<i64> {
    let mut versions: Vec<i64> = data
        .files()
        .into_iter()
        .filter_map(|(_, file)| file["version"].as_i64())
        .collect();
    versions.sort_unstable();
    versions.dedup();
    versions
}

async fn of_range(world: &World, table: &Table, first: i64, last: i64) -> Checked<Data> {
    let ask = table
        .changes_since(first)
        .query("endingVersion", &last.to_string());
    world.data(ask).await
}

async fn inclusive(world: &World) -> Checked {
    let (table, first) = world.changing()?;
    let all = versions(&before(world.data(table.changes_since(first)).await)?);
    let [from, to, ..] = all.as_slice() else {
        return skip("no table here has changes in two versions");
    };
    let seen = versions(&of_range(world, table, *from, *to).await?);
    ensure(
        seen == [*from, *to],
        format!("changes of the versions {from} and {to}"),
        format!("of {seen:?}"),
    )
}

async fn recorded(world: &World) -> Checked {
    let (table, version) = world.hinted_at("recorded", world.hints.recorded.as_ref())?;
    let data = of_range(world, &table, version, version).await?;
    let keys: Vec<&str> = data.files().into_iter().map(|(key, _)| key).collect();
    ensure(
        !keys.is_empty() && keys.iter().all(|key| *key == "cdf"),
        format!("cdf lines alone for version {version}"),
        format!("{keys:?}"),
    )
}

async fn no_rewrites(world: &World) -> Checked {
    let (table, version) = world.hinted_at("rewrite", world.hints.rewrite.as_ref())?;
    let data = of_range(world, &table, version, version).await?;
    ensure(
        data.files().is_empty(),
        format!("no change in version {version}, which only rewrote"),
        format!("{} files", data.files().len()),
    )
}

async fn lines(world: &World) -> Checked {
    let (table, first) = world.changing()?;
    let data = world.data(table.changes_since(first)).await?;
    for (key, file) in data.files() {
        let fits = ["add", "remove", "cdf"].contains(&key)
            && file["url"]
                .as_str()
                .is_some_and(|url| url.starts_with("http"))
            && file["id"].is_string()
            && file["partitionValues"].is_object()
            && file["size"].is_i64()
            && file["version"].is_i64()
            && file["timestamp"].is_i64();
        ensure(
            fits,
            "add, remove or cdf with url, id, partitionValues, size, version, timestamp",
            format!("{key} {}", crate::client::shortened(&file.to_string())),
        )?;
    }
    Ok(())
}

async fn timestamps(world: &World) -> Checked {
    let (table, first) = world.changing()?;
    let all = before(world.data(table.changes_since(first)).await)?;
    let mut instants: Vec<(i64, i64)> = all
        .files()
        .into_iter()
        .filter_map(|(_, file)| Some((file["version"].as_i64()?, file["timestamp"].as_i64()?)))
        .collect();
    instants.sort_unstable();
    instants.dedup();
    let [from, to, ..] = instants.as_slice() else {
        return skip("no table here has changes in two versions");
    };
    let ask = table
        .get("changes")
        .query("startingTimestamp", &written(from.1, 0))
        .query("endingTimestamp", &written(to.1, 0));
    let data = world.data(ask).await?;
    let expected = versions(&before(of_range(world, table, from.0, to.0).await)?);
    ensure(
        versions(&data) == expected && data.answer.version()? == from.0,
        format!("changes of the versions {} to {}", from.0, to.0),
        format!("of {:?}", versions(&data)),
    )
}

async fn historical(world: &World, flag: &str) -> Checked<(i64, Data)> {
    let (table, first) = world.changing()?;
    let ask = table
        .changes_since(first)
        .query("includeHistoricalMetadata", flag);
    Ok((first, world.data(ask).await?))
}

async fn flags(world: &World) -> Checked {
    let (_, lower) = historical(world, "true").await?;
    let (_, upper) = historical(world, "True").await?;
    ensure(
        lower.lines[1]["metaData"]["version"] == upper.lines[1]["metaData"]["version"]
            && lower.lines.len() == upper.lines.len(),
        "the same for True as for true",
        upper.answer.shown(),
    )
}

async fn historical_metadata(world: &World) -> Checked {
    let (first, data) = historical(world, "true").await?;
    let found = data.lines[1]["metaData"]["version"].as_i64();
    ensure(
        found == Some(first),
        format!("metaData of version {first}"),
        format!("{found:?}"),
    )
}

async fn latest_metadata(world: &World) -> Checked {
    let (table, first) = world.changing()?;
    let latest = before(world.data(table.get("metadata")).await)?;
    let data = world.data(table.changes_since(first)).await?;
    let of = |data: &Data, name: &str| data.metadata()[name].clone();
    ensure(
        ["schemaString", "description", "partitionColumns"]
            .iter()
            .all(|name| of(&data, name) == of(&latest, name)),
        "the latest metadata",
        crate::client::shortened(&data.metadata().to_string()),
    )?;
    let among = data.rest().any(|(key, _)| key == "metaData");
    ensure(
        !among,
        "no older metadata that nobody asked for",
        "a metaData line among the changes",
    )
}

async fn historical_protocol(world: &World) -> Checked {
    let (table, first) = world.changing()?;
    let ask = table
        .changes_since(first)
        .query("includeHistoricalProtocol", "true")
        .can("responseformat=delta");
    let data = world.data(ask).await?;
    let found = &data.lines[0]["protocol"]["version"];
    ensure(
        found.is_null() || found.as_i64() == Some(first),
        format!("the protocol of version {first}"),
        found.to_string(),
    )
}

async fn advanced(world: &World) -> Checked {
    let (table, first) = world.advanced_changing()?;
    let ask = table.changes_since(first).can(&table.able());
    let data = world.data(ask).await?;
    ensure(
        data.answer.version()? == first && !data.files().is_empty(),
        format!("changes since version {first}"),
        data.answer.shown(),
    )?;
    all_told(&data)
}

async fn delta(world: &World) -> Checked {
    let (table, first) = world.changing()?;
    let ask = table.changes_since(first).can("responseformat=delta");
    all_told(&world.data(ask).await?)
}

/// Each change of an answer in the delta format.
fn all_told(data: &Data) -> Checked {
    for (_, file) in data.files() {
        ensure(
            file["version"].is_i64()
                && file["timestamp"].is_i64()
                && file["deltaSingleAction"].is_object(),
            "version, timestamp and deltaSingleAction",
            crate::client::shortened(&file.to_string()),
        )?;
    }
    Ok(())
}

async fn max_files(world: &World) -> Checked {
    let (table, first) = world.changing()?;
    let ask = table.changes_since(first).query("maxFiles", "0");
    refused(world, ask).await.map(|_| ())
}
