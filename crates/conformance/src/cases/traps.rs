//! T: what only reading the clients shows. The numbers are those of the checklist.

use reqwest::Method;
use serde_json::{Value, json};

use crate::World;
use crate::case::{Checked, cases, ensure, fail, skip};
use crate::client::{Answer, Ask, is_here, shortened};
use crate::world::{before, url};

cases! {
    "T1.recognised-url" "delta-kernel-rs, is_presigned" "A signed URL bears a query key that delta-kernel knows for one" recognised;
    "T2.whole-object" "delta-kernel-rs, default engine" "A signed URL gives the whole object without any header" whole_object;
    "T2.every-table" "delta-kernel-rs, default engine" "A signed URL of every table opens, whichever store it lies in" every_table;
    "T2.parquet" "delta-kernel-rs, default engine" "What it gives is a Parquet file, from its first bytes to its last" parquet;
    "T3.ranges" "fsspec, RandomAccessHttpInputStream.scala" "A signed URL answers a range with 206 and the right bytes" ranges;
    "T3.length" "fsspec" "A signed URL says the object's length, by HEAD or by a range" length;
    "T4.one-stream" "reader.py" "Without maxFiles one answer holds all files: Python asks for no second page" one_stream;
    "T5.metadata-agrees" "delta_sharing.py" "Metadata is what a query begins with: Python asks for it before each read" metadata_agrees;
    "T6.partition-values" "reader.py" "partitionValues is there also where a table has no partitions" partition_values;
    "T7.uuid" "delta-io/delta-sharing#259" "Ids of shares and tables are UUIDs, as Databricks as a recipient wants them" uuids;
    "T8.localhost" "rest_client.py" "The endpoint is https; on this machine it answers to the name localhost, too" localhost;
    "T9.large-page" "DeltaSharingClient.scala" "maxFiles=100000, which Spark sends, is taken" large_page;
    "T10.size" "DeltaSharingFileIndex.scala" "In the delta format metadata says how many bytes the table has: Delta's connector for Spark cannot plan without" size;
}

async fn first_file(world: &World) -> Checked<(String, u64)> {
    let table = world.plain()?;
    let data = before(world.data(table.query(json!({}))).await)?;
    let found = data.files().first().map(|(_, file)| {
        let size = file["size"].as_u64().unwrap_or_default();
        (url(file).to_owned(), size)
    });
    match found {
        Some(found) => Ok(found),
        None => skip("no table here has a file"),
    }
}

async fn recognised(world: &World) -> Checked {
    const KEYS: [&str; 5] = [
        "x-amz-signature",
        "sp",
        "x-goog-credential",
        "x-oss-credential",
        "x-databricks-signature",
    ];
    let (url, _) = first_file(world).await?;
    let Ok(parsed) = url::Url::parse(&url) else {
        return fail("a URL", shortened(&url));
    };
    let names: Vec<String> = parsed
        .query_pairs()
        .map(|(name, _)| name.to_lowercase())
        .collect();
    ensure(
        names.iter().any(|name| KEYS.contains(&name.as_str())),
        "one of X-Amz-Signature, sp, X-Goog-Credential, X-OSS-Credential, X-Databricks-Signature",
        names.join(", "),
    )
}

async fn fetched(world: &World) -> Checked<(Answer, u64)> {
    let (url, size) = first_file(world).await?;
    let answer = world.client.fetch(Method::GET, &url, &[]).await?.ok()?;
    Ok((answer, size))
}

async fn whole_object(world: &World) -> Checked {
    let (answer, size) = fetched(world).await?;
    ensure(
        answer.body.len() as u64 == size,
        format!("{size} bytes"),
        format!("{} bytes", answer.body.len()),
    )
}

async fn every_table(world: &World) -> Checked {
    for table in world.tables.iter().take(16) {
        let ask = table.query(json!({})).can(&table.able());
        let data = before(world.data(ask).await)?;
        let Some((_, file)) = data.files().first().copied() else {
            continue;
        };
        let answer = world.client.fetch(Method::GET, url(file), &[]).await?;
        ensure(
            answer.status == 200,
            format!("200 to a URL of {}", table.shown()),
            answer.status.to_string(),
        )?;
    }
    Ok(())
}

async fn parquet(world: &World) -> Checked {
    let (answer, _) = fetched(world).await?;
    ensure(
        answer.body.starts_with(b"PAR1") && answer.body.ends_with(b"PAR1"),
        "PAR1 at both ends",
        format!("{} other bytes", answer.body.len()),
    )
}

async fn ranges(world: &World) -> Checked {
    let (url, size) = first_file(world).await?;
    let last = format!("bytes=0-{}", size.saturating_sub(1));
    for (range, length) in [("bytes=0-3", 4), (last.as_str(), size)] {
        let answer = world
            .client
            .fetch(Method::GET, &url, &[("range", range)])
            .await?;
        ensure(
            answer.status == 206
                && answer.body.len() as u64 == length
                && answer.body.starts_with(b"PAR1"),
            format!("206 with {length} bytes for {range}"),
            format!("{} with {} bytes", answer.status, answer.body.len()),
        )?;
    }
    Ok(())
}

async fn length(world: &World) -> Checked {
    let (url, size) = first_file(world).await?;
    let head = world.client.fetch(Method::HEAD, &url, &[]).await?;
    // A store's URL is signed for GET alone; then a range tells.
    if head.status == 200 {
        return ensure(
            head.header("content-length") == size.to_string(),
            format!("Content-Length: {size}"),
            format!("'{}'", head.header("content-length")),
        );
    }
    let range = [("range", "bytes=0-0")];
    let answer = world.client.fetch(Method::GET, &url, &range).await?;
    let found = answer.header("content-range");
    ensure(
        answer.status == 206 && found.ends_with(&format!("/{size}")),
        format!("HEAD with Content-Length {size}, or Content-Range: bytes 0-0/{size}"),
        format!("{} to HEAD, '{found}'", head.status),
    )
}

async fn one_stream(world: &World) -> Checked {
    let table = world.several()?;
    let ask = table
        .query(json!({}))
        .can("responseformat=parquet;includeendstreamaction=true");
    let data = world.data(ask).await?;
    ensure(
        data.end_text("nextPageToken").is_none() && data.files().len() == table.files,
        format!("{} files and no second page", table.files),
        format!("{} files", data.files().len()),
    )
}

async fn metadata_agrees(world: &World) -> Checked {
    let table = world.plain()?;
    let metadata = before(world.data(table.get("metadata")).await)?;
    let query = world.data(table.query(json!({}))).await?;
    let bare = |line: &Value| {
        let mut line = line["metaData"].clone();
        if let Some(fields) = line.as_object_mut() {
            for volatile in ["size", "numFiles"] {
                fields.remove(volatile);
            }
        }
        line
    };
    ensure(
        metadata.lines[0] == query.lines[0] && bare(&metadata.lines[1]) == bare(&query.lines[1]),
        "the same protocol and metadata",
        shortened(&format!("{} {}", query.lines[0], query.lines[1])),
    )
}

async fn size(world: &World) -> Checked {
    const DELTA: &str = "responseformat=delta";
    let table = world.plain()?;
    let metadata = world.data(table.get("metadata").can(DELTA)).await?;
    let line = &metadata.lines[1]["metaData"];
    if !line["deltaMetadata"].is_object() {
        return skip("the delta format is not served");
    }
    let query = before(world.data(table.query(json!({})).can(DELTA)).await)?;
    let files = query.files();
    let sizes = files
        .iter()
        .filter_map(|(_, file)| file["deltaSingleAction"]["add"]["size"].as_u64());
    let bytes: u64 = sizes.sum();
    ensure(
        line["size"].as_u64() == Some(bytes),
        format!("size {bytes}, which its files have together"),
        format!("size {}", line["size"]),
    )
}

async fn partition_values(world: &World) -> Checked {
    let plain = |table: &&crate::world::Table| {
        table.parquet && table.partitions.is_empty() && table.files > 0
    };
    let Some(table) = world.tables.iter().find(plain) else {
        return skip("every table here is partitioned");
    };
    let data = world.data(table.query(json!({}))).await?;
    for (_, file) in data.files() {
        ensure(
            file["partitionValues"] == json!({}),
            "partitionValues: {}",
            file["partitionValues"].to_string(),
        )?;
    }
    Ok(())
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

async fn uuids(world: &World) -> Checked {
    let shares = world.list(&["shares"]).await?;
    let tables = world
        .list(&["shares", world.share()?, "all-tables"])
        .await?;
    let mut any = false;
    for (item, field) in shares
        .iter()
        .map(|share| (share, "id"))
        .chain(tables.iter().map(|table| (table, "id")))
        .chain(tables.iter().map(|table| (table, "shareId")))
    {
        if let Some(id) = item[field].as_str() {
            any = true;
            ensure(is_uuid(id), format!("{field}: a UUID"), format!("'{id}'"))?;
        }
    }
    if any {
        Ok(())
    } else {
        skip("shares and tables have no ids, which are optional")
    }
}

async fn localhost(world: &World) -> Checked {
    let endpoint = world.client.endpoint();
    let host = endpoint.host_str().unwrap_or_default();
    if !is_here(endpoint) {
        return ensure(
            endpoint.scheme() == "https",
            "an endpoint with https://",
            format!("{}://{host}", endpoint.scheme()),
        );
    }
    let name = match endpoint.port() {
        Some(port) => format!("localhost:{port}"),
        None => "localhost".to_owned(),
    };
    let ask = Ask::get(&["shares"]).header("host", &name);
    world.send(ask).await?.ok().map(|_| ())
}

async fn large_page(world: &World) -> Checked {
    let table = world.plain()?;
    let data = world
        .data(table.query(json!({ "maxFiles": 100_000 })))
        .await?;
    ensure(
        data.files().len() == table.files,
        format!("{} files", table.files),
        format!("{}", data.files().len()),
    )
}
