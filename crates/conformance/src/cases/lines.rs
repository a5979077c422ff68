//! A: the lines of an answer, in both formats.

use serde_json::{Value, json};

use crate::World;
use crate::case::{Checked, cases, ensure, fail, skip};
use crate::client::{FEATURES, shortened};
use crate::world::{Data, before, url};

cases! {
    "A.protocol-first" "PROTOCOL.md, API Response Format" "The first line is the protocol, the second the metadata" protocol_first;
    "A.one-key" "PROTOCOL.md, API Response Format" "Each line is an object with one key that the protocol knows" one_key;
    "A.parquet-protocol" "PROTOCOL.md, Protocol" "The protocol of the parquet format is minReaderVersion 1" parquet_protocol;
    "A.metadata" "PROTOCOL.md, Metadata" "Metadata has id, format parquet, a schemaString that is a struct, and partitionColumns" metadata;
    "A.metadata-version" "PROTOCOL.md, Metadata" "Metadata has a version only where one was asked for" metadata_unversioned;
    "A.private-configuration" "DeltaSharedTableKernel.scala" "The parquet format tells of the configuration only enableChangeDataFeed, of columns only comments" private_configuration;
    "A.file" "PROTOCOL.md, File" "A file has url, id, partitionValues and size" file;
    "A.partition-columns" "PROTOCOL.md, Partition Value Serialization" "partitionValues name the partition columns, each with a text" partition_columns;
    "A.stats" "PROTOCOL.md, Per-file Statistics" "Statistics are a text that is JSON" stats;
    "A.file-version" "PROTOCOL.md, File" "Files of an older version have version and timestamp, those of the latest have not" file_version;
    "A.expiration" "PROTOCOL.md, File" "expirationTimestamp is in milliseconds and still to come" expiration;
    "A.min-expiration" "PROTOCOL.md, EndStreamAction" "minUrlExpirationTimestamp is when the first of the URLs ends" min_expiration;
    "A.size" "RandomAccessHttpInputStream.scala" "size is the object's length: Spark asks for its last byte" size;
    "A.delta-wrapped" "PROTOCOL.md, API Response Format in Delta" "The delta format wraps: deltaProtocol, deltaMetadata, deltaSingleAction with one action" delta_wrapped;
    "A.delta-path" "PROTOCOL.md, API Response Format in Delta" "In the delta format the path of an action is the signed URL" delta_path;
    "A.deletion-vector" "PROTOCOL.md, API Response Format in Delta" "A stored deletion vector comes as a signed URL (p), an inline one as it is" deletion_vector;
    "A.column-mapping" "Delta PROTOCOL.md, Column Mapping" "Physical names and ids of mapped columns come through untouched" column_mapping;
}

/// The whole latest snapshot of any table.
async fn plain(world: &World) -> Checked<Data> {
    let table = world.plain()?;
    let data = world.data(table.query(json!({}))).await?;
    if data.files().is_empty() {
        return skip("no table here has a file");
    }
    Ok(data)
}

async fn delta(world: &World) -> Checked<Data> {
    let table = world.plain()?;
    let ask = table.query(json!({})).can("responseformat=delta");
    world.data(ask).await
}

async fn protocol_first(world: &World) -> Checked {
    plain(world).await?;
    let table = world.plain()?;
    world.data(table.get("metadata")).await?;
    delta(world).await.map(|_| ())
}

async fn one_key(world: &World) -> Checked {
    const KEYS: [&str; 8] = [
        "protocol",
        "metaData",
        "file",
        "add",
        "remove",
        "cdf",
        "endStreamAction",
        "queryStatus",
    ];
    for data in [plain(world).await?, delta(world).await?] {
        for line in &data.lines {
            let keys: Vec<&String> = line
                .as_object()
                .into_iter()
                .flat_map(|o| o.keys())
                .collect();
            ensure(
                keys.len() == 1 && KEYS.contains(&keys[0].as_str()),
                "one key that the protocol knows",
                format!("{keys:?}"),
            )?;
        }
    }
    Ok(())
}

async fn parquet_protocol(world: &World) -> Checked {
    let data = plain(world).await?;
    let reader = &data.protocol()["minReaderVersion"];
    ensure(
        reader.as_i64() == Some(1),
        "minReaderVersion: 1",
        reader.to_string(),
    )
}

async fn metadata(world: &World) -> Checked {
    for data in [plain(world).await?, delta(world).await?] {
        let metadata = data.metadata();
        let schema = metadata["schemaString"].as_str().unwrap_or_default();
        let schema = serde_json::from_str::<Value>(schema).unwrap_or_default();
        let fits = metadata["id"].as_str().is_some_and(|id| !id.is_empty())
            && metadata["format"]["provider"] == "parquet"
            && schema["type"] == "struct"
            && schema["fields"].is_array()
            && metadata["partitionColumns"].is_array();
        ensure(
            fits,
            "id, format.provider parquet, schemaString of a struct, partitionColumns",
            shortened(&metadata.to_string()),
        )?;
    }
    Ok(())
}

async fn metadata_unversioned(world: &World) -> Checked {
    let data = plain(world).await?;
    let found = &data.lines[1]["metaData"]["version"];
    ensure(found.is_null(), "no version", found.to_string())?;
    if let Ok((table, first)) = world.history() {
        let data = world.data(table.query(json!({ "version": first }))).await?;
        let found = &data.lines[1]["metaData"]["version"];
        ensure(
            found.as_i64() == Some(first),
            format!("version {first}"),
            found.to_string(),
        )?;
    }
    Ok(())
}

async fn private_configuration(world: &World) -> Checked {
    for table in world.tables.iter().filter(|table| table.parquet).take(8) {
        let data = world.data(table.get("metadata")).await?;
        let metadata = data.metadata();
        let configuration = metadata["configuration"].as_object();
        for key in configuration.into_iter().flat_map(|all| all.keys()) {
            ensure(
                key.ends_with("enableChangeDataFeed"),
                "no configuration but enableChangeDataFeed",
                key.as_str(),
            )?;
        }
        let schema = metadata["schemaString"].as_str().unwrap_or_default();
        let schema = serde_json::from_str::<Value>(schema).unwrap_or_default();
        for field in schema["fields"].as_array().into_iter().flatten() {
            let noted = field["metadata"].as_object();
            for key in noted.into_iter().flat_map(|all| all.keys()) {
                ensure(
                    key == "comment",
                    "no metadata of a column but its comment",
                    key.as_str(),
                )?;
            }
        }
    }
    Ok(())
}

async fn file(world: &World) -> Checked {
    let data = plain(world).await?;
    for (key, file) in data.files() {
        let fits = key == "file"
            && file["url"]
                .as_str()
                .is_some_and(|url| url.starts_with("http"))
            && file["id"].as_str().is_some_and(|id| !id.is_empty())
            && file["partitionValues"].is_object()
            && file["size"].as_i64().is_some_and(|size| size > 0);
        ensure(
            fits,
            "a file with url, id, partitionValues and size",
            format!("{key} {}", shortened(&file.to_string())),
        )?;
    }
    Ok(())
}

async fn partition_columns(world: &World) -> Checked {
    let table = world.partitioned()?;
    let data = world.data(table.query(json!({}))).await?;
    for (_, file) in data.files() {
        let values = file["partitionValues"].as_object();
        for column in &table.partitions {
            let found = values.and_then(|values| {
                let same = |name: &String| name.eq_ignore_ascii_case(column);
                values.iter().find(|(name, _)| same(name))
            });
            ensure(
                found.is_some_and(|(_, value)| value.is_string()),
                format!("a text for {column}, the empty one where it is null"),
                file["partitionValues"].to_string(),
            )?;
        }
    }
    Ok(())
}

async fn stats(world: &World) -> Checked {
    let data = plain(world).await?;
    let mut any = false;
    for (_, file) in data.files() {
        match &file["stats"] {
            Value::Null => {}
            Value::String(text) => {
                any = true;
                let stats = serde_json::from_str::<Value>(text).unwrap_or_default();
                ensure(
                    stats.is_object(),
                    "a text that is a JSON object",
                    shortened(text),
                )?;
            }
            other => return fail("a text", shortened(&other.to_string())),
        }
    }
    if any {
        Ok(())
    } else {
        skip("no file here has statistics, which are optional")
    }
}

async fn file_version(world: &World) -> Checked {
    let data = plain(world).await?;
    for (_, file) in data.files() {
        ensure(
            file["version"].is_null() && file["timestamp"].is_null(),
            "no version of files of the latest snapshot",
            shortened(&file.to_string()),
        )?;
    }
    let (table, first) = world.history()?;
    let old = world.data(table.query(json!({ "version": first }))).await?;
    for (_, file) in old.files() {
        ensure(
            file["version"].is_i64() && file["timestamp"].is_i64(),
            "version and timestamp of files of an older version",
            shortened(&file.to_string()),
        )?;
    }
    Ok(())
}

/// Wall time, as clients compare it with the ends of URLs; milliseconds.
#[expect(
    clippy::disallowed_methods,
    reason = "signed URLs end by the time of clocks on walls"
)]
pub(super) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

async fn expiration(world: &World) -> Checked {
    let data = plain(world).await?;
    let mut any = false;
    let day = 24 * 3_600_000;
    for (_, file) in data.files() {
        let Some(until) = file["expirationTimestamp"].as_i64() else {
            continue;
        };
        any = true;
        ensure(
            until > now() && until < now() + 60 * day,
            "an instant to come, in milliseconds",
            until.to_string(),
        )?;
    }
    if any {
        Ok(())
    } else {
        skip("the server does not say when its URLs end, which is optional")
    }
}

async fn min_expiration(world: &World) -> Checked {
    let table = world.plain()?;
    let ask = table
        .query(json!({}))
        .can("responseformat=parquet;includeendstreamaction=true");
    let data = world.data(ask).await?;
    let said = data.end().map(|end| &end["minUrlExpirationTimestamp"]);
    let Some(said) = said.filter(|said| !said.is_null()) else {
        return skip("the server does not say when the first URL ends, which is optional");
    };
    let ends = data.files().into_iter();
    let first = ends
        .filter_map(|(_, file)| file["expirationTimestamp"].as_i64())
        .min();
    ensure(
        said.as_i64().is_some() && (first.is_none() || said.as_i64() == first),
        format!("minUrlExpirationTimestamp: {first:?}"),
        said.to_string(),
    )
}

async fn size(world: &World) -> Checked {
    let data = plain(world).await?;
    for (_, file) in data.files().into_iter().take(3) {
        let size = file["size"].as_u64().unwrap_or_default();
        let answer = world
            .client
            .fetch(reqwest::Method::GET, url(file), &[])
            .await?
            .ok()?;
        ensure(
            answer.body.len() as u64 == size,
            format!("an object of {size} bytes"),
            format!("{} bytes", answer.body.len()),
        )?;
    }
    Ok(())
}

async fn delta_wrapped(world: &World) -> Checked {
    let data = delta(world).await?;
    ensure(
        data.lines[0]["protocol"]["deltaProtocol"].is_object()
            && data.lines[1]["metaData"]["deltaMetadata"].is_object(),
        "protocol.deltaProtocol and metaData.deltaMetadata",
        data.answer.shown(),
    )?;
    for (key, file) in data.files() {
        let action = file["deltaSingleAction"].as_object();
        let keys: Vec<&String> = action.into_iter().flat_map(|o| o.keys()).collect();
        let fits = key == "file"
            && file["id"].is_string()
            && keys.len() == 1
            && ["add", "remove", "cdc"].contains(&keys[0].as_str());
        ensure(
            fits,
            "file with id and a deltaSingleAction of one of add, remove, cdc",
            shortened(&file.to_string()),
        )?;
    }
    Ok(())
}

async fn delta_path(world: &World) -> Checked {
    let data = delta(world).await?;
    let Some((_, file)) = data.files().first().copied() else {
        return skip("no table here has a file");
    };
    let path = file["deltaSingleAction"]["add"]["path"].as_str();
    let Some(path) = path.filter(|path| path.starts_with("http")) else {
        return fail("add.path that is a URL", shortened(&file.to_string()));
    };
    let answer = world.client.fetch(reqwest::Method::GET, path, &[]).await?;
    answer.ok().map(|_| ())
}

async fn deletion_vector(world: &World) -> Checked {
    let table = world.vectors()?;
    let ask = table
        .query(json!({}))
        .can(&format!("responseformat=delta;readerfeatures={FEATURES}"));
    let data = world.data(ask).await?;
    let mut any = false;
    for (_, file) in data.files() {
        let vector = &file["deltaSingleAction"]["add"]["deletionVector"];
        let text = vector["pathOrInlineDv"].as_str().unwrap_or_default();
        match vector["storageType"].as_str() {
            None => continue,
            Some("i") => ensure(
                !text.is_empty() && !text.starts_with("http"),
                "an inline deletion vector as it is",
                shortened(text),
            )?,
            Some("p") => {
                ensure(
                    text.starts_with("http"),
                    "a deletion vector with a signed URL",
                    shortened(text),
                )?;
                let answer = world.client.fetch(reqwest::Method::GET, text, &[]).await?;
                answer.ok()?;
            }
            Some(other) => return fail("storageType p or i", other),
        }
        any = true;
    }
    if any {
        Ok(())
    } else {
        skip("no file of a table with deletion vectors has one")
    }
}

async fn column_mapping(world: &World) -> Checked {
    let table = world.mapped()?;
    let ask = table
        .get("metadata")
        .can(&format!("responseformat=delta;readerfeatures={FEATURES}"));
    let data = before(world.data(ask).await)?;
    let schema = data.metadata()["schemaString"].as_str().unwrap_or_default();
    let schema = serde_json::from_str::<Value>(schema).unwrap_or_default();
    for field in schema["fields"].as_array().into_iter().flatten() {
        let noted = &field["metadata"];
        ensure(
            noted["delta.columnMapping.physicalName"].is_string()
                && noted["delta.columnMapping.id"].is_i64(),
            "delta.columnMapping.physicalName and .id of each column",
            shortened(&field.to_string()),
        )?;
    }
    Ok(())
}
