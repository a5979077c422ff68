//! K: temporary credentials for a table's directory.

use serde_json::{Value, json};

use super::lines::now;
use crate::World;
use crate::case::{Checked, cases, ensure, skip};
use crate::client::{Answer, Ask};
use crate::world::Table;

cases! {
    "K.one-kind" "PROTOCOL.md, Generate Temporary Table Credential" "Credentials are of one kind, with all its fields" one_kind;
    "K.location" "PROTOCOL.md, Generate Temporary Table Credential" "Credentials name the table's location" location;
    "K.expiration" "PROTOCOL.md, Generate Temporary Table Credential" "They end, in milliseconds, within 12 hours" expiration;
    "K.type" "DeltaSharingService.scala" "They come as application/json; charset=utf-8" kind;
    "K.other-location" "PROTOCOL.md, Generate Temporary Table Credential" "For a location that is not the table's there are none: 400" other_location;
    "K.sibling" "OpenSharing server" "A location that begins as the table's and is not within it gets none: /t1 does not open /t10" sibling;
    "K.not-allowed" "PROTOCOL.md, Generate Temporary Table Credential" "A table without directory access gives none: 4xx" not_allowed;
    "K.metadata" "PROTOCOL.md, Metadata" "The metadata of a table with directory access says so, and where the directory lies" metadata;
}

fn ask(table: &Table, body: &Value) -> Ask {
    Ask::post(&table.path(&["temporary-table-credentials"]), body)
}

async fn given(world: &World) -> Checked<(&Table, Value, Answer)> {
    let table = world.directory()?;
    let answer = world.send(ask(table, &json!({}))).await?.ok()?;
    let credentials = answer.json()?["credentials"].clone();
    ensure(credentials.is_object(), "credentials", "an answer without")?;
    Ok((table, credentials, answer))
}

/// The names of an object's fields: no credential is shown.
fn names(value: &Value) -> String {
    let fields = value.as_object().into_iter().flat_map(|all| all.keys());
    let fields: Vec<&str> = fields.map(String::as_str).collect();
    fields.join(", ")
}

async fn one_kind(world: &World) -> Checked {
    const KINDS: [(&str, &[&str]); 4] = [
        (
            "awsTempCredentials",
            &["accessKeyId", "secretAccessKey", "sessionToken"],
        ),
        ("azureUserDelegationSas", &["sasToken"]),
        ("gcpOauthToken", &["oauthToken"]),
        (
            "r2Credentials",
            &["accessKeyId", "secretAccessKey", "sessionToken"],
        ),
    ];
    let (_, credentials, _) = given(world).await?;
    let mut whole = Vec::new();
    for (kind, fields) in KINDS {
        let found = &credentials[kind];
        if found.is_null() {
            continue;
        }
        let has = |name: &&str| found[*name].as_str().is_some_and(|text| !text.is_empty());
        whole.push(fields.iter().all(has));
    }
    ensure(
        whole == [true],
        "one of awsTempCredentials, azureUserDelegationSas, gcpOauthToken, with all its fields",
        names(&credentials),
    )
}

async fn location(world: &World) -> Checked {
    let (table, credentials, _) = given(world).await?;
    let found = credentials["location"].as_str().unwrap_or_default();
    let fits = match &table.location {
        Some(location) => found.trim_end_matches('/') == location.trim_end_matches('/'),
        None => found.contains("://"),
    };
    ensure(
        fits,
        format!("the location {:?}", table.location),
        format!("'{found}'"),
    )
}

async fn expiration(world: &World) -> Checked {
    let (_, credentials, _) = given(world).await?;
    let until = credentials["expirationTime"].as_i64().unwrap_or_default();
    ensure(
        until > now() && until < now() + 12 * 3_600_000 + 60_000,
        "an instant to come within 12 hours, in milliseconds",
        credentials["expirationTime"].to_string(),
    )
}

async fn kind(world: &World) -> Checked {
    let (_, _, answer) = given(world).await?;
    let found = answer.header("content-type").to_lowercase();
    ensure(
        found.replace(' ', "") == "application/json;charset=utf-8",
        "Content-Type: application/json; charset=utf-8",
        format!("'{found}'"),
    )
}

async fn refused(world: &World, table: &Table, location: &str) -> Checked {
    let body = json!({ "location": location });
    let answer = world.send(ask(table, &body)).await?;
    answer.refused(400, "").map(|_| ())
}

async fn other_location(world: &World) -> Checked {
    let (table, _, _) = given(world).await?;
    refused(world, table, "s3://conformance-elsewhere/table").await
}

async fn sibling(world: &World) -> Checked {
    let (table, credentials, _) = given(world).await?;
    let location = credentials["location"].as_str().unwrap_or_default();
    let location = location.trim_end_matches('/');
    refused(world, table, &format!("{location}0")).await?;
    refused(world, table, &format!("{location}/../other")).await
}

async fn not_allowed(world: &World) -> Checked {
    let Some(table) = world.tables.iter().find(|table| !table.directory) else {
        return skip("every table here gives access to its directory");
    };
    let answer = world.send(ask(table, &json!({}))).await?;
    answer.refused_for_good()
}

async fn metadata(world: &World) -> Checked {
    let table = world.directory()?;
    let data = world.data(table.get("metadata").can(&table.able())).await?;
    let line = &data.lines[1]["metaData"];
    let modes = line["accessModes"].as_array();
    let has_mode = modes.is_some_and(|modes| modes.iter().any(|mode| mode == "dir"));
    let location = line["location"].as_str().unwrap_or_default();
    let fits = match &table.location {
        Some(listed) => location.trim_end_matches('/') == listed.trim_end_matches('/'),
        None => location.contains("://"),
    };
    ensure(
        has_mode && fits,
        format!(
            "accessModes with dir, and the location {:?}",
            table.location
        ),
        format!("accessModes {}, location '{location}'", line["accessModes"]),
    )
}
