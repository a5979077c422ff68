//! Version, metadata, and the lines of an answer in both formats.

use conformance::fixture::Table;
use md5::{Digest as _, Md5};
use serde_json::{Value, json};
use sha2::Sha256;

use super::ask::Ask;
use super::lists::invalid;
use super::log::{self, State};
use super::reply::{Reply, error};
use super::{CLEANED, Server, files, location};

#[expect(
    clippy::disallowed_methods,
    reason = "signed URLs end by the time of clocks on walls"
)]
pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.unwrap().as_millis()).unwrap()
}

/// An instant as a client writes it; milliseconds.
pub(crate) fn instant(server: &Server, text: &str) -> Result<i64, Reply> {
    let refused = || invalid(server, "Invalid startingTimestamp");
    if server.wrong("C6.zulu") && text.ends_with('Z') {
        return Err(refused());
    }
    if server.wrong("C6.date-alone") && text.len() == 10 {
        return Ok(0);
    }
    let text = if server.wrong("C6.offset") && text.len() > 19 {
        format!("{}Z", &text[..19])
    } else {
        text.to_owned()
    };
    match chrono::DateTime::parse_from_rfc3339(&text) {
        Ok(at) => Ok(at.timestamp_millis()),
        Err(_) => Err(refused()),
    }
}

/// Whether a version may be read. `needs`: the switch for tables without history; `late`: for those where it begins later.
pub(crate) fn check(
    server: &Server,
    table: &Table,
    version: i64,
    needs: &str,
    late: &str,
) -> Result<(), Reply> {
    if version < 0 && server.wrong("Q.version-negative") {
        return Ok(());
    }
    match table.history {
        None if server.wrong(needs) => {}
        None => return Err(invalid(server, "history sharing is not enabled")),
        Some(first) if version < first && !server.wrong(late) => {
            let message = format!("You can only query table data since version {first}.");
            return Err(invalid(server, &message));
        }
        Some(_) => {}
    }
    if table.name == "cleaned" && version < CLEANED {
        if server.wrong("R.cleaned") {
            return Err(error(500, "INTERNAL_ERROR", "a gap in the log"));
        }
        let message = format!("the earliest version that can be read is {CLEANED}");
        return Err(invalid(server, &message));
    }
    if version > log::latest(table) && !server.wrong("Q.version-too-late") {
        return Err(invalid(server, "there is no such version"));
    }
    Ok(())
}

pub(crate) fn version(server: &Server, ask: &Ask, table: &Table) -> Reply {
    let mut found = log::latest(table);
    if let Some(text) = ask.parameter("startingTimestamp") {
        if let Err(reply) = check(server, table, found, "E6.needs-history", "") {
            return reply;
        }
        let at = match instant(server, text) {
            Ok(at) => at,
            Err(reply) => return reply,
        };
        if at < log::timestamp(table, 0) && server.wrong("E6.since-before-all") {
            return invalid(server, "before everything");
        }
        match log::since(table, at) {
            Some(_) if server.wrong("E6.since") => {}
            Some(version) => found = version,
            None if server.wrong("E6.since-after-all") => {}
            None => return invalid(server, "after the latest version"),
        }
    }
    let reply = Reply::new(200).header("delta-table-version", &found.to_string());
    if server.wrong("E6.version") {
        return reply.body("{}");
    }
    reply
}

pub(crate) fn metadata(server: &Server, ask: &Ask, table: &Table) -> Reply {
    match try_metadata(server, ask, table) {
        Ok(reply) | Err(reply) => reply,
    }
}

fn try_metadata(server: &Server, ask: &Ask, table: &Table) -> Result<Reply, Reply> {
    let latest = log::latest(table);
    let (version, time) = (ask.parameter("version"), ask.parameter("timestamp"));
    if version.is_some() && time.is_some() && !server.wrong("E7.exclusive") {
        return Err(invalid(
            server,
            "Please only provide one of: version,timestamp",
        ));
    }
    let mut at = latest;
    if let Some(text) = version {
        at = text
            .parse()
            .map_err(|_| invalid(server, "version is no number"))?;
        check(
            server,
            table,
            at,
            "E7.needs-history",
            "Q.before-shared-metadata",
        )?;
    } else if let Some(text) = time {
        let millis = instant(server, text)?;
        at = log::until(table, millis).unwrap_or(0);
        check(
            server,
            table,
            at,
            "E7.needs-history",
            "Q.before-shared-metadata",
        )?;
        if server.wrong("E7.at-timestamp") {
            at = latest;
        }
    }
    let state = log::state(table, at);
    let format = format(server, ask, table)?;
    let asked = (version.is_some() || time.is_some()) && !server.wrong("E7.at-version");
    let stamp = asked.then_some(at);
    let mut lines = head(server, ask, &state, format, stamp, table);
    if server.wrong("T5.metadata-agrees") {
        lines[1]["metaData"]["description"] = json!("another");
    }
    if server.wrong("E7.two-lines") && ask.can.end {
        lines.push(json!({ "endStreamAction": {} }));
    }
    let reply = answer(server, ask, format, at, lines, false);
    Ok(if server.wrong("E7.version-header") {
        reply.header("delta-table-version", "")
    } else {
        reply
    })
}

pub(crate) fn is_advanced(table: &Table) -> Option<&'static str> {
    match table.name {
        "vectors" | "leftover" => Some("deletionVectors"),
        "mapped" => Some("columnMapping"),
        _ => None,
    }
}

/// `parquet` or `delta`.
pub(crate) fn format(server: &Server, ask: &Ask, table: &Table) -> Result<&'static str, Reply> {
    if ask.can.unknown && server.wrong("H1.unknown") {
        return Err(invalid(server, "unknown capability"));
    }
    let formats = &ask.can.formats;
    let has = |format: &str| formats.iter().any(|found| found == format);
    let (parquet, delta) = (formats.is_empty() || has("parquet"), has("delta"));
    if formats.is_empty() && server.wrong("H1.absent") {
        return Ok("delta");
    }
    let refused = |feature: &str| {
        let more = if server.wrong("R.unsupported") {
            "something"
        } else {
            "delta-sharing-capabilities: responseformat=delta"
        };
        let feature = if server.wrong("H2.parquet-refused") {
            "something"
        } else {
            feature
        };
        let message = format!("the table uses {feature}: send {more}");
        error(400, "UNSUPPORTED_OPERATION", &message)
    };
    let Some(feature) = is_advanced(table) else {
        return Ok(match (parquet, delta) {
            (true, true) if server.wrong("H2.both-plain") => "delta",
            (true, false) if server.wrong("H2.parquet") && !formats.is_empty() => "delta",
            (false, true) if server.wrong("H2.delta") => "parquet",
            (false, true) => "delta",
            _ => "parquet",
        });
    };
    if delta && parquet && server.wrong("H2.both-advanced") {
        return Ok("parquet");
    }
    if parquet && table.name == "leftover" && server.wrong("H2.leftover-vector") {
        return Ok("parquet");
    }
    let knows = ask
        .can
        .features
        .iter()
        .any(|found| *found == feature.to_lowercase());
    if delta && (knows || server.wrong("H2.feature-refused")) {
        return Ok("delta");
    }
    Err(refused(feature))
}

fn protocol(server: &Server, ask: &Ask, state: &State, format: &str) -> Value {
    if format == "parquet" {
        let reader = if server.wrong("A.parquet-protocol") {
            3
        } else {
            1
        };
        return json!({ "protocol": { "minReaderVersion": reader } });
    }
    let mut protocol = state.protocol.clone();
    if ask.can.features.is_empty() {
        protocol = if server.wrong("H3.without-features") {
            json!({ "minReaderVersion": 3, "minWriterVersion": 7 })
        } else {
            json!({ "minReaderVersion": 1, "minWriterVersion": 2 })
        };
    } else if server.wrong("H3.with-features") {
        protocol = json!({ "minReaderVersion": 1, "minWriterVersion": 2 });
    }
    json!({ "protocol": { "deltaProtocol": protocol } })
}

pub(crate) fn metadata_line(
    server: &Server,
    metadata: &Value,
    format: &str,
    version: Option<i64>,
) -> Value {
    let mut found = metadata.clone();
    if server.wrong("A.metadata") {
        found["partitionColumns"] = Value::Null;
    }
    let schema = found["schemaString"].as_str().unwrap_or_default();
    let mut schema: Value = serde_json::from_str(schema).unwrap();
    if format == "parquet" && !server.wrong("A.private-configuration") {
        let feeds = found["configuration"]["delta.enableChangeDataFeed"] == "true";
        found["configuration"] = if feeds {
            json!({ "enableChangeDataFeed": "true" })
        } else {
            json!({})
        };
        found["createdTime"] = Value::Null;
        for field in schema["fields"].as_array_mut().into_iter().flatten() {
            let comment = field["metadata"]["comment"].clone();
            field["metadata"] = json!({});
            if comment.is_string() {
                field["metadata"]["comment"] = comment;
            }
        }
    }
    if format == "delta" && server.wrong("A.column-mapping") {
        for field in schema["fields"].as_array_mut().into_iter().flatten() {
            field["metadata"] = json!({});
        }
    }
    found["schemaString"] = json!(schema.to_string());
    let mut line = if format == "parquet" || server.wrong("A.delta-wrapped") {
        found
    } else {
        json!({ "deltaMetadata": found })
    };
    if let Some(version) = version {
        line["version"] = json!(version);
    }
    json!({ "metaData": line })
}

pub(crate) fn head(
    server: &Server,
    ask: &Ask,
    state: &State,
    format: &str,
    version: Option<i64>,
    table: &Table,
) -> Vec<Value> {
    let always = server
        .wrong("A.metadata-version")
        .then(|| log::latest(table));
    let mut metadata = metadata_line(server, &state.metadata, format, version.or(always));
    let line = &mut metadata["metaData"];
    if format == "delta" && !server.wrong("T10.size") {
        let sizes = state.files.iter().filter_map(|add| add["size"].as_u64());
        line["size"] = json!(sizes.sum::<u64>());
        line["numFiles"] = json!(state.files.len());
    }
    if table.directory && !server.wrong("K.metadata") {
        line["location"] = json!(location(table));
        line["accessModes"] = json!(["url", "dir"]);
    }
    let mut lines = vec![protocol(server, ask, state, format), metadata];
    if server.wrong("A.protocol-first") {
        lines.reverse();
    }
    lines
}

/// The id of a file.
fn file_id(server: &Server, ask: &Ask, format: &str, path: &str) -> String {
    if server.wrong("H6.stable") {
        return format!("{:032x}", server.next());
    }
    let asked = ask.header("fileidhash").trim().to_lowercase();
    let scheme = if asked.is_empty() || server.wrong("H6.across-formats") {
        format
    } else {
        asked.as_str()
    };
    let id = if scheme == "delta" {
        hex::encode(Sha256::digest(path))
    } else {
        hex::encode(Md5::digest(path))
    };
    if server.wrong("H6.scheme") {
        id[..8].to_owned()
    } else {
        id
    }
}

/// When the URLs end, in milliseconds.
fn expiry(server: &Server) -> i64 {
    let minutes = if server.wrong("H9.url-life") { 5 } else { 60 };
    let until = now() + minutes * 60_000;
    if server.wrong("A.expiration") {
        until / 1_000
    } else {
        until
    }
}

/// The line of a file. `kind`: `add`, `remove` or `cdc`, as the log calls it; `key`: the line's, in the parquet format.
pub(crate) fn file_line(
    server: &Server,
    ask: &Ask,
    table: &Table,
    format: &str,
    (key, kind, action): (&str, &str, &Value),
    at: Option<(i64, i64)>,
) -> Value {
    let path = action["path"].as_str().unwrap();
    let url = files::signed(server, table, path);
    let mut file =
        json!({ "id": file_id(server, ask, format, path), "expirationTimestamp": expiry(server) });
    let at = match at {
        None if server.wrong("A.file-version") => Some((0, 0)),
        at => at,
    };
    if let Some((version, timestamp)) = at {
        file["version"] = json!(version);
        file["timestamp"] = json!(timestamp);
    }
    if format == "delta" {
        let mut action = action.clone();
        action["path"] = json!(if server.wrong("A.delta-path") {
            path
        } else {
            url.as_str()
        });
        let vector = &mut action["deletionVector"];
        if vector["storageType"] == "u" && !server.wrong("A.deletion-vector") {
            vector["storageType"] = json!("p");
            let stored = "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin";
            vector["pathOrInlineDv"] = json!(files::signed(server, table, stored));
        } else if vector.is_null() {
            action.as_object_mut().unwrap().remove("deletionVector");
        }
        file["deltaSingleAction"] = json!({ kind: action });
        return json!({ "file": file });
    }
    file["url"] = json!(url);
    let mut values = action["partitionValues"].clone();
    for value in values.as_object_mut().unwrap().values_mut() {
        if value.is_null() && !server.wrong("A.partition-columns") {
            *value = json!("");
        }
    }
    let is_empty = values.as_object().is_some_and(serde_json::Map::is_empty);
    if !(is_empty && server.wrong("T6.partition-values")) {
        file["partitionValues"] = values;
    }
    file["size"] = action["size"].clone();
    if server.wrong("A.file") {
        file["size"] = Value::Null;
    }
    if let Some(stats) = action["stats"].as_str() {
        file["stats"] = if server.wrong("A.stats") {
            serde_json::from_str(stats).unwrap()
        } else {
            json!(stats)
        };
    }
    json!({ key: file })
}

/// The answer of these lines.
pub(crate) fn answer(
    server: &Server,
    ask: &Ask,
    format: &str,
    version: i64,
    mut lines: Vec<Value>,
    ends: bool,
) -> Reply {
    if server.wrong("A.one-key") {
        lines[0]["more"] = json!(1);
    }
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let kind = if server.wrong("C3.data-type") {
        "application/json; charset=utf-8"
    } else {
        "application/x-ndjson; charset=utf-8"
    };
    let mut said = format!("responseformat={format}");
    if server.wrong("H2.echo") {
        said = said.to_uppercase();
    }
    if ends {
        said.push_str(";includeendstreamaction=true");
    }
    let mut reply = Reply::new(200)
        .header("content-type", kind)
        .header("delta-table-version", &version.to_string())
        .header("delta-sharing-capabilities", &said)
        .body(text);
    if ask.has("fileidhash") && !server.wrong("H6.echo") {
        let scheme = ask.header("fileidhash").trim().to_lowercase();
        reply = reply.header("fileidhash", &scheme);
    }
    reply
}
