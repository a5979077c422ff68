//! C: what holds for every call: the token, names, content types, errors, numbers, timestamps, and what one may not see.

use reqwest::Method;
use serde_json::{Value, json};

use crate::World;
use crate::case::{Checked, cases, ensure, skip};
use crate::client::{Answer, Ask};
use crate::world::{Table, before};

cases! {
    "C1.token-required" "PROTOCOL.md, REST APIs" "A call without a bearer token is answered 401 in the protocol's shape" token_required;
    "C1.token-wrong" "PROTOCOL.md, REST APIs" "A call with a wrong bearer token is answered 401" token_wrong;
    "C1.every-endpoint" "PROTOCOL.md, REST APIs" "Every endpoint wants the token, also those of tables" every_endpoint;
    "C1.prefix" "PROTOCOL.md, Profile File" "The profile's endpoint, with or without a slash at its end, answers without a redirect" prefix;
    "C2.share-any-case" "PROTOCOL.md, Names" "A share's name is compared without regard to case" share_any_case;
    "C2.schema-any-case" "PROTOCOL.md, Names" "A schema's name is compared without regard to case" schema_any_case;
    "C2.table-any-case" "PROTOCOL.md, Names" "A table's name is compared without regard to case" table_any_case;
    "C2.encoded" "PROTOCOL.md, Names" "Names in a path may come percent-encoded" encoded;
    "C2.no-such-names" "PROTOCOL.md, Names" "A name that none can have is found nowhere: 404 or 400, never 5xx" no_such_names;
    "C2.valid-names" "PROTOCOL.md, Names" "Listed names hold no space, slash or control character, those of schemas and tables no point, and at most 255 characters" valid_names;
    "C2.one-line" "python/delta_sharing/rest_client.py" "A list is one line of JSON: the Python connector reads no further" one_line;
    "C3.list-type" "DeltaSharingServiceSuite" "Lists are application/json; charset=utf-8" list_type;
    "C3.data-type" "DeltaSharingServiceSuite" "Metadata, queries and changes are application/x-ndjson; charset=utf-8" data_type;
    "C4.error-body" "PROTOCOL.md, REST APIs" "An error is {errorCode, message} with Content-Type application/json" error_body;
    "C4.mistakes-are-4xx" "RetryUtils.scala, rest_client.py" "What a user did wrong is never answered 429 or 5xx, which clients repeat" mistakes;
    "C4.head-404" "PROTOCOL.md, REST APIs" "HEAD of a table that is not there is 404 with an empty body" head_404;
    "C5.unknown-fields" "PROTOCOL.md, REST APIs" "Unknown fields of a body are ignored" unknown_fields;
    "C5.unknown-parameters" "PROTOCOL.md, REST APIs" "Unknown query parameters are ignored" unknown_parameters;
    "C5.numbers-as-text" "DeltaSharingServiceSuite" "A number of 64 bits may come as a text, as protobuf writes it" numbers_as_text;
    "C6.offset" "DeltaSharingServiceSuite" "A timestamp may have any offset: one instant gives one version however it is written" offset;
    "C6.zulu" "DeltaSharingServiceSuite" "A timestamp may end in Z" zulu;
    "C6.date-alone" "DeltaSharingServiceSuite" "A date without a time is refused with 400" date_alone;
    "C7.unknown-alike" "OpenSharing server" "Whatever does not exist is 404 RESOURCE_DOES_NOT_EXIST: share, schema or table" unknown_alike;
    "C7.ungranted" "OpenSharing server" "What is not granted answers as what does not exist" ungranted;
    "C7.address" "OpenSharing server" "A token that may not be used from this address is answered 403" address;
}

/// A name that no server will have.
pub(super) const NOBODY: &str = "conformance-no-such-name-7f3a";

async fn token_required(world: &World) -> Checked {
    let answer = world.send(Ask::get(&["shares"]).anonymous()).await?;
    answer.refused(401, "").map(|_| ())
}

async fn token_wrong(world: &World) -> Checked {
    let ask = Ask::get(&["shares"]).token("conformance-wrong-token");
    world.send(ask).await?.refused(401, "").map(|_| ())
}

async fn every_endpoint(world: &World) -> Checked {
    let table = world.plain()?;
    for ask in [
        Ask::get(&["shares", &table.share]),
        Ask::get(&["shares", &table.share, "schemas"]),
        Ask::get(&["shares", &table.share, "all-tables"]),
        table.get("version"),
        table.get("metadata"),
        table.query(json!({})),
        table.changes_since(0),
        Ask::post(&table.path(&["queries", "1"]), &json!({})),
        Ask::post(&table.path(&["temporary-table-credentials"]), &json!({})),
    ] {
        let answer = world.send(ask.anonymous()).await?;
        ensure(answer.status == 401, "401 without a token", answer.shown())?;
    }
    Ok(())
}

async fn prefix(world: &World) -> Checked {
    let answer = world.send(Ask::get(&["shares"])).await?;
    ensure(
        answer.status == 200,
        "200 below the profile's endpoint, and no redirect",
        answer.shown(),
    )
}

/// The name with its case changed.
fn other_case(name: &str) -> String {
    let upper = name.to_uppercase();
    if upper == name {
        name.to_lowercase()
    } else {
        upper
    }
}

async fn same_table(world: &World, table: &Table, other: &Table) -> Checked {
    let expected = before(before(world.send(table.get("version")).await)?.ok())?;
    let seen = world.send(other.get("version")).await?.ok()?;
    ensure(
        seen.version()? == expected.version()?,
        format!("the version {}", expected.version()?),
        seen.shown(),
    )
}

async fn share_any_case(world: &World) -> Checked {
    let table = world.plain()?;
    let mut other = table.clone();
    other.share = other_case(&table.share);
    same_table(world, table, &other).await?;
    let list = world.send(Ask::get(&["shares", &other.share])).await?;
    list.ok().map(|_| ())
}

async fn schema_any_case(world: &World) -> Checked {
    let table = world.plain()?;
    let mut other = table.clone();
    other.schema = other_case(&table.schema);
    same_table(world, table, &other).await
}

async fn table_any_case(world: &World) -> Checked {
    let table = world.plain()?;
    let mut other = table.clone();
    other.name = other_case(&table.name);
    same_table(world, table, &other).await
}

/// Every byte as `%XX`.
fn percent(name: &str) -> String {
    name.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn encoded(world: &World) -> Checked {
    let table = world.plain()?;
    let path = format!(
        "shares/{}/schemas/{}/tables/{}/version",
        percent(&table.share),
        percent(&table.schema),
        percent(&table.name)
    );
    let answer = world.send(Ask::get(&[]).raw(&path)).await?.ok()?;
    answer.version().map(|_| ())
}

async fn no_such_names(world: &World) -> Checked {
    let long = "x".repeat(300);
    for name in ["a b", "a/b", "a\u{1}b", "a\u{7f}b", &long] {
        let answer = world.send(Ask::get(&["shares", name])).await?;
        ensure(
            [400, 404].contains(&answer.status),
            "404 or 400 for a name that none can have",
            answer.shown(),
        )?;
    }
    Ok(())
}

async fn valid_names(world: &World) -> Checked {
    let of = |items: &[Value], field: &str| -> Vec<String> {
        let names = items.iter().filter_map(|item| item[field].as_str());
        names.map(str::to_owned).collect()
    };
    let shares = world.list(&["shares"]).await?;
    let mut all: Vec<(String, bool)> = Vec::new();
    all.extend(of(&shares, "name").into_iter().map(|name| (name, true)));
    for field in ["schema", "name"] {
        let names = of(&world.listed, field);
        all.extend(names.into_iter().map(|name| (name, false)));
    }
    for (name, is_share) in all {
        let length = name.chars().count();
        let fits = (1..=255).contains(&length)
            && !name
                .chars()
                .any(|c| c == ' ' || c == '/' || c.is_ascii_control())
            && (is_share || !name.contains('.'));
        ensure(fits, "a name that the protocol allows", format!("'{name}'"))?;
    }
    Ok(())
}

async fn one_line(world: &World) -> Checked {
    let share = world.share()?;
    for ask in [
        Ask::get(&["shares"]),
        Ask::get(&["shares", share]),
        Ask::get(&["shares", share, "schemas"]),
        Ask::get(&["shares", share, "all-tables"]),
    ] {
        let answer = world.send(ask).await?.ok()?;
        let text = answer.text();
        ensure(
            text.trim_end_matches('\n').lines().count() == 1,
            "one line of JSON",
            answer.shown(),
        )?;
    }
    Ok(())
}

/// Content types are compared without regard to case and blanks.
fn has_type(answer: &Answer, expected: &str) -> Checked {
    let found: String = answer
        .header("content-type")
        .to_lowercase()
        .split_whitespace()
        .collect();
    let wanted: String = expected.split_whitespace().collect();
    ensure(
        found == wanted,
        format!("Content-Type: {expected}"),
        format!("'{}' of {}", answer.header("content-type"), answer.status),
    )
}

async fn list_type(world: &World) -> Checked {
    let share = world.share()?;
    for ask in [
        Ask::get(&["shares"]),
        Ask::get(&["shares", share]),
        Ask::get(&["shares", share, "schemas"]),
        Ask::get(&["shares", share, "all-tables"]),
    ] {
        let answer = world.send(ask).await?.ok()?;
        has_type(&answer, "application/json; charset=utf-8")?;
    }
    Ok(())
}

async fn data_type(world: &World) -> Checked {
    let table = world.plain()?;
    let mut asks = vec![table.get("metadata"), table.query(json!({}))];
    if let Ok((table, first)) = world.changing() {
        asks.push(table.changes_since(first));
    }
    for ask in asks {
        let answer = world.send(ask).await?.ok()?;
        has_type(&answer, "application/x-ndjson; charset=utf-8")?;
    }
    Ok(())
}

async fn error_body(world: &World) -> Checked {
    for (ask, status) in [
        (Ask::get(&["shares", NOBODY]), 404),
        (Ask::get(&["shares"]).query("maxResults", "-1"), 400),
        (Ask::get(&["shares"]).anonymous(), 401),
    ] {
        let answer = world.send(ask).await?;
        answer.refused(status, "")?;
        let kind = answer.header("content-type").to_lowercase();
        ensure(
            kind.split(';').next().map(str::trim) == Some("application/json"),
            format!("Content-Type: application/json of {status}"),
            format!("'{kind}'"),
        )?;
    }
    Ok(())
}

async fn mistakes(world: &World) -> Checked {
    let table = world.plain()?;
    let nobody = Table {
        share: NOBODY.to_owned(),
        ..table.clone()
    };
    for ask in [
        Ask::get(&["shares"]).query("maxResults", "many"),
        Ask::get(&["shares"]).query("pageToken", "no-token"),
        Ask::get(&["shares", NOBODY]),
        nobody.get("version"),
        nobody.query(json!({})),
        table.query(json!({})).body("{"),
        table.query(json!({})).body("[]"),
        table.query(json!({ "version": -1 })),
        table.query(json!({ "limitHint": "x" })),
        table.query(json!({ "startingVersion": 1_000_000 })),
        table.get("metadata").query("version", "x"),
        table.get("version").query("startingTimestamp", "yesterday"),
        table.get("changes"),
        table.query(json!({})).header("fileidhash", "md4"),
        table.query(json!({})).method(Method::PUT),
        Ask::get(&[NOBODY]),
    ] {
        world.send(ask).await?.refused_for_good()?;
    }
    Ok(())
}

async fn head_404(world: &World) -> Checked {
    let nobody = Table {
        name: NOBODY.to_owned(),
        ..world.plain()?.clone()
    };
    let ask = Ask::new(Method::HEAD, &nobody.path(&[]));
    let answer = world.send(ask).await?;
    ensure(
        answer.status == 404 && answer.body.is_empty(),
        "404 without a body",
        answer.shown(),
    )
}

async fn unknown_fields(world: &World) -> Checked {
    let table = world.plain()?;
    let expected = before(world.data(table.query(json!({}))).await)?.ids();
    let odd = json!({ "conformance": { "deep": [1, null] }, "requested_columns": ["a"], "queryDeltaLog": true });
    let seen = world.data(table.query(odd)).await?.ids();
    ensure(
        seen == expected,
        format!("the same {} files", expected.len()),
        format!("{} files", seen.len()),
    )
}

async fn unknown_parameters(world: &World) -> Checked {
    let ask = Ask::get(&["shares"]).query("conformance", "1");
    world.send(ask).await?.ok().map(|_| ())
}

async fn numbers_as_text(world: &World) -> Checked {
    let table = world.plain()?;
    let hint = table.query(json!({ "limitHint": "1000000" }));
    world.data(hint).await?;
    if let Ok((table, _)) = world.history() {
        let version = table.version.to_string();
        let ask = table.query(json!({ "version": version }));
        let answer = world.data(ask).await?.answer;
        ensure(
            answer.version()? == table.version,
            format!("version {version}"),
            answer.shown(),
        )?;
    }
    Ok(())
}

/// The instants of a table's versions, in milliseconds, as its change lines tell them.
pub(super) async fn instants(world: &World) -> Checked<(&Table, Vec<(i64, i64)>)> {
    let (table, first) = world.history()?;
    let ask = table.query(json!({ "startingVersion": first }));
    let data = before(world.data(ask).await)?;
    let mut found: Vec<(i64, i64)> = data
        .files()
        .iter()
        .filter_map(|(_, file)| Some((file["version"].as_i64()?, file["timestamp"].as_i64()?)))
        .collect();
    found.sort_unstable();
    found.dedup();
    if found.len() < 2 {
        return skip("no table here with history tells the instants of two versions");
    }
    Ok((table, found))
}

/// As `2022-04-29T12:00:00.000Z`, or the same instant by a clock that is so many hours behind.
pub(super) fn written(millis: i64, hours_behind: i32) -> String {
    let offset = chrono::FixedOffset::west_opt(hours_behind * 3600);
    match (chrono::DateTime::from_timestamp_millis(millis), offset) {
        (Some(at), Some(offset)) if hours_behind != 0 => at
            .with_timezone(&offset)
            .to_rfc3339_opts(chrono::SecondsFormat::Millis, false),
        (Some(at), _) => at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        (None, _) => String::new(),
    }
}

async fn version_at(world: &World, text: impl Fn(i64) -> String) -> Checked {
    let (table, instants) = instants(world).await?;
    let (version, at) = instants[1];
    let text = text(at);
    let ask = table.get("version").query("startingTimestamp", &text);
    let answer = world.send(ask).await?.ok()?;
    ensure(
        answer.version()? == version,
        format!("version {version} at {text}"),
        format!("version {}", answer.version()?),
    )
}

async fn offset(world: &World) -> Checked {
    version_at(world, |at| written(at, 8)).await
}

async fn zulu(world: &World) -> Checked {
    version_at(world, |at| written(at, 0)).await
}

async fn date_alone(world: &World) -> Checked {
    let (table, _) = world.history()?;
    let ask = table
        .get("version")
        .query("startingTimestamp", "2022-04-29");
    world.send(ask).await?.refused(400, "").map(|_| ())
}

async fn unknown_alike(world: &World) -> Checked {
    let table = world.plain()?;
    let path = ["shares", table.share.as_str(), "schemas", NOBODY, "tables"];
    let no_table = Table {
        name: NOBODY.to_owned(),
        ..table.clone()
    };
    let no_schema = Table {
        schema: NOBODY.to_owned(),
        ..table.clone()
    };
    let no_share = Table {
        share: NOBODY.to_owned(),
        ..table.clone()
    };
    for ask in [
        Ask::get(&["shares", NOBODY]),
        Ask::get(&path),
        no_table.get("version"),
        no_table.query(json!({})),
        no_schema.get("metadata"),
        no_share.query(json!({})),
    ] {
        world
            .send(ask)
            .await?
            .refused(404, "RESOURCE_DOES_NOT_EXIST")?;
    }
    Ok(())
}

async fn ungranted(world: &World) -> Checked {
    let table = world.hinted("ungranted", world.hints.ungranted.as_ref())?;
    let unknown = Table {
        name: NOBODY.to_owned(),
        schema: NOBODY.to_owned(),
        share: NOBODY.to_owned(),
        ..Table::default()
    };
    for what in ["version", "metadata"] {
        let expected = world.send(unknown.get(what)).await?;
        let seen = world.send(table.get(what)).await?;
        // The names themselves are said back; nothing else may differ.
        let bare = |answer: &Answer, of: &Table| {
            let mut text = answer.text().to_lowercase();
            for name in [&of.share, &of.schema, &of.name] {
                text = text.replace(&name.to_lowercase(), "");
            }
            text
        };
        ensure(
            seen.status == 404 && bare(&seen, &table) == bare(&expected, &unknown),
            format!(
                "the same as of a table that does not exist: {}",
                expected.shown()
            ),
            seen.shown(),
        )?;
    }
    Ok(())
}

async fn address(world: &World) -> Checked {
    let Some(token) = &world.hints.denied_token else {
        return skip(
            "the world file does not name `denied_token`, a token that may not be used from here",
        );
    };
    let answer = world.send(Ask::get(&["shares"]).token(token)).await?;
    answer.refused(403, "").map(|_| ())
}
