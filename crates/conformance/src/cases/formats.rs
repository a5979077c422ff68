//! H1 to H6: capabilities, formats, the end of a stream, file ids.

use serde_json::json;

use crate::World;
use crate::case::{Checked, cases, ensure, fail};
use crate::client::{Answer, Ask, CAPABILITIES, FEATURES, shortened};
use crate::world::{Data, Table, before};

cases! {
    "H1.absent" "PROTOCOL.md, delta-sharing-capabilities" "Without the capabilities header the answer is parquet" absent;
    "H1.any-case" "PROTOCOL.md, delta-sharing-capabilities" "Keys and values of the capabilities header may have any case" any_case;
    "H1.unknown" "PROTOCOL.md, delta-sharing-capabilities" "Unknown keys and values of the capabilities header are ignored" unknown;
    "H2.parquet" "PROTOCOL.md, responseformat" "Asked for parquet alone, the answer is parquet" parquet;
    "H2.delta" "PROTOCOL.md, responseformat" "Asked for delta alone, the answer is delta" delta;
    "H2.both-plain" "PROTOCOL.md, responseformat" "Asked for both, a table without advanced features comes as parquet" both_plain;
    "H2.both-advanced" "PROTOCOL.md, responseformat" "Asked for both, a table with advanced features comes as delta" both_advanced;
    "H2.echo" "rest_client.py" "The format is said back in lower case: Python compares it so" echo;
    "H2.parquet-refused" "DeltaSharingServiceSuite" "parquet for a table with advanced features is 400 UNSUPPORTED_OPERATION and names the feature" parquet_refused;
    "H2.leftover-vector" "Delta PROTOCOL.md, Deletion Vectors" "A deletion vector is not left out of a parquet answer because the table's property is off: 400, or deleted rows come back" leftover_vector;
    "H2.feature-refused" "DeltaSharingServiceSuite" "delta without the reader feature that the table needs is 400 UNSUPPORTED_OPERATION" feature_refused;
    "H3.without-features" "DeltaSharedTableKernel.scala" "A client that names no reader features is told minReaderVersion 1, minWriterVersion below 7 and no features" without_features;
    "H3.with-features" "DeltaSharedTableKernel.scala" "A client that names reader features is told the table's own protocol" with_features;
    "H4.end" "PROTOCOL.md, includeendstreamaction" "Asked for endStreamAction, the answer says so and ends in one" end;
    "H4.end-of-changes" "PROTOCOL.md, includeendstreamaction" "The same holds for changes" end_of_changes;
    "H4.never-unprompted" "reader.py" "Not asked for, there is no endStreamAction: Python takes every line for a file" never;
    "H4.for-refresh-token" "DeltaSharingClient.scala" "includeRefreshToken or maxFiles give an endStreamAction also where it was not negotiated" for_refresh;
    "H5.said" "PROTOCOL.md, EndStreamAction" "What fails after the beginning ends in endStreamAction with an errorMessage, where that was negotiated" error_said;
    "H5.broken-off" "PROTOCOL.md, EndStreamAction" "Where it was not, the answer breaks off: a clean end would pass for the whole" broken_off;
    "H6.echo" "DeltaSharingService.scala" "fileidhash is said back in lower case" hash_echo;
    "H6.wrong" "DeltaSharingService.scala" "Another fileidhash, or an empty one, is 400" hash_wrong;
    "H6.stable" "DeltaSharingService.scala" "A file's id is the same in every answer" hash_stable;
    "H6.across-formats" "DeltaSharingService.scala" "One fileidhash gives the same ids in both formats" hash_across;
    "H6.scheme" "test_rest_client.py" "parquet gives 32 hexadecimal digits (MD5), delta 64 (SHA-256); each is its format's default" hash_scheme;
}

/// The format of an answer by its lines.
fn format_of(data: &Data) -> &'static str {
    if data.lines[0]["protocol"]["deltaProtocol"].is_object() {
        "delta"
    } else {
        "parquet"
    }
}

/// All that clients can: Python names the formats in the one order, Spark in the other.
fn everything() -> [String; 2] {
    ["delta,parquet", "parquet,delta"]
        .map(|formats| format!("responseformat={formats};readerfeatures={FEATURES}"))
}

async fn comes_as(world: &World, ask: Ask, expected: &str) -> Checked<Data> {
    let data = world.data(ask).await?;
    ensure(
        format_of(&data) == expected,
        format!("the {expected} format"),
        data.answer.shown(),
    )?;
    Ok(data)
}

async fn absent(world: &World) -> Checked {
    let table = world.plain()?;
    comes_as(world, table.query(json!({})), "parquet").await?;
    comes_as(world, table.get("metadata"), "parquet")
        .await
        .map(|_| ())
}

async fn any_case(world: &World) -> Checked {
    let table = world.plain()?;
    let ask = table
        .query(json!({}))
        .can("ResponseFormat=DELTA;IncludeEndStreamAction=TRUE");
    let data = comes_as(world, ask, "delta").await?;
    ensure(
        data.end().is_some(),
        "an endStreamAction, too",
        data.answer.shown(),
    )
}

async fn unknown(world: &World) -> Checked {
    let table = world.plain()?;
    let ask = table
        .query(json!({}))
        .can("conformance=1;responseformat=iceberg,delta;junk;readerfeatures=conformance");
    comes_as(world, ask, "delta").await.map(|_| ())
}

async fn parquet(world: &World) -> Checked {
    let table = world.plain()?;
    for ask in [table.query(json!({})), table.get("metadata")] {
        comes_as(world, ask.can("responseformat=parquet"), "parquet").await?;
    }
    Ok(())
}

async fn delta(world: &World) -> Checked {
    let table = world.plain()?;
    for ask in [table.query(json!({})), table.get("metadata")] {
        comes_as(world, ask.can("responseformat=delta"), "delta").await?;
    }
    Ok(())
}

async fn both_plain(world: &World) -> Checked {
    let table = world.plain()?;
    for can in everything() {
        let ask = table.query(json!({})).can(&can);
        comes_as(world, ask, "parquet").await?;
    }
    Ok(())
}

async fn both_advanced(world: &World) -> Checked {
    let table = world.advanced()?;
    for can in everything() {
        let ask = table.query(json!({})).can(&can);
        comes_as(world, ask, "delta").await?;
    }
    Ok(())
}

async fn echo(world: &World) -> Checked {
    let table = world.plain()?;
    for (asked, expected) in [
        ("responseformat=parquet", "responseformat=parquet"),
        ("responseFormat=Delta", "responseformat=delta"),
    ] {
        for ask in [table.query(json!({})), table.get("metadata")] {
            let answer = world.send(ask.can(asked)).await?.ok()?;
            let found = answer.header(CAPABILITIES);
            ensure(
                found.contains(expected),
                format!("{CAPABILITIES}: {expected}"),
                format!("'{found}'"),
            )?;
        }
    }
    Ok(())
}

/// The features of a table as an error may name them.
fn names_feature(table: &Table, message: &str) -> bool {
    let message = message.to_lowercase();
    (table.vectors && message.contains("deletionvectors"))
        || (table.mapped && message.contains("columnmapping"))
}

async fn parquet_refused(world: &World) -> Checked {
    let table = world.advanced()?;
    let ask = table.query(json!({})).can("responseformat=parquet");
    let message = world
        .send(ask)
        .await?
        .refused(400, "UNSUPPORTED_OPERATION")?;
    ensure(
        names_feature(table, &message),
        "a message that names the feature",
        message,
    )
}

async fn leftover_vector(world: &World) -> Checked {
    let table = world.leftover()?;
    for ask in [
        table.query(json!({})),
        table.query(json!({})).can("responseformat=parquet"),
    ] {
        world.send(ask).await?.refused(400, "")?;
    }
    Ok(())
}

async fn feature_refused(world: &World) -> Checked {
    let table = world.advanced()?;
    let ask = table.query(json!({})).can("responseformat=delta");
    let answer = world.send(ask).await?;
    answer.refused(400, "UNSUPPORTED_OPERATION").map(|_| ())
}

async fn without_features(world: &World) -> Checked {
    let table = world.plain()?;
    let ask = table.query(json!({})).can("responseformat=delta");
    let data = world.data(ask).await?;
    let protocol = data.protocol();
    let none = |name: &str| protocol[name].as_array().is_none_or(Vec::is_empty);
    let writer = protocol["minWriterVersion"].as_i64();
    ensure(
        protocol["minReaderVersion"].as_i64() == Some(1)
            && writer.is_none_or(|writer| writer < 7)
            && none("readerFeatures")
            && none("writerFeatures"),
        "minReaderVersion 1, minWriterVersion below 7, no features",
        protocol.to_string(),
    )
}

async fn with_features(world: &World) -> Checked {
    let table = world.advanced()?;
    let ask = table.query(json!({})).can(&everything()[0]);
    let data = world.data(ask).await?;
    let protocol = data.protocol();
    let reader = protocol["minReaderVersion"].as_i64().unwrap_or_default();
    let features = protocol["readerFeatures"].as_array();
    let named = |name: &str| {
        features.is_some_and(|features| features.iter().any(|feature| feature == name))
    };
    let fits = if table.vectors {
        reader == 3 && named("deletionVectors")
    } else {
        reader == 2 || (reader == 3 && named("columnMapping"))
    };
    ensure(fits, "the table's own protocol", protocol.to_string())
}

/// The stream ends in one endStreamAction, and says before that it will.
fn ends(data: &Data) -> Checked {
    let header = data.answer.header(CAPABILITIES).to_lowercase();
    ensure(
        header.contains("includeendstreamaction=true"),
        format!("{CAPABILITIES} with includeendstreamaction=true"),
        format!("'{header}'"),
    )?;
    let count = data
        .lines
        .iter()
        .filter(|line| line["endStreamAction"].is_object())
        .count();
    let last = data
        .lines
        .last()
        .is_some_and(|line| line["endStreamAction"].is_object());
    ensure(
        count == 1 && last,
        "one endStreamAction, as the last line",
        format!("{count} of them; last: {last}"),
    )
}

async fn end(world: &World) -> Checked {
    let table = world.plain()?;
    for format in ["parquet", "delta"] {
        let ask = table.query(json!({})).can(&format!(
            "responseformat={format};includeendstreamaction=true"
        ));
        ends(&world.data(ask).await?)?;
    }
    Ok(())
}

async fn end_of_changes(world: &World) -> Checked {
    let (table, first) = world.changing()?;
    let ask = table
        .changes_since(first)
        .can("responseformat=parquet;includeendstreamaction=true");
    ends(&world.data(ask).await?)
}

async fn never(world: &World) -> Checked {
    let table = world.plain()?;
    let mut asks = vec![
        table.query(json!({})),
        table.query(json!({})).can("responseformat=delta"),
        table.query(json!({ "limitHint": 1 })),
        table
            .query(json!({}))
            .can("responseformat=parquet;includeendstreamaction=false"),
    ];
    if let Ok((table, first)) = world.changing() {
        asks.push(table.changes_since(first));
    }
    for ask in asks {
        let data = world.data(ask).await?;
        ensure(
            data.end().is_none(),
            "no endStreamAction that nobody asked for",
            data.answer.shown(),
        )?;
    }
    Ok(())
}

async fn for_refresh(world: &World) -> Checked {
    let table = world.plain()?;
    for body in [
        json!({ "includeRefreshToken": true }),
        json!({ "maxFiles": 10_000 }),
    ] {
        let shown = body.to_string();
        let data = world.data(table.query(body)).await?;
        ensure(
            data.lines
                .last()
                .is_some_and(|line| line["endStreamAction"].is_object()),
            format!("an endStreamAction at the end for {shown}"),
            format!("{} lines without one", data.lines.len()),
        )?;
    }
    Ok(())
}

async fn broken(world: &World, capabilities: &str) -> Checked<Answer> {
    let table = world.hinted("broken", world.hints.broken.as_ref())?;
    let answer = world.send(table.query(json!({})).can(capabilities)).await?;
    ensure(
        answer.status == 200,
        "200, as the answer began before it failed",
        answer.shown(),
    )?;
    Ok(answer)
}

async fn error_said(world: &World) -> Checked {
    let answer = broken(world, "responseformat=parquet;includeendstreamaction=true").await?;
    if let Some(why) = &answer.broke {
        return fail(
            "an end with an errorMessage",
            format!("it broke off: {why}"),
        );
    }
    let lines = answer.lines()?;
    let message = lines
        .last()
        .and_then(|line| line["endStreamAction"]["errorMessage"].as_str());
    ensure(
        message.is_some_and(|message| !message.is_empty()),
        "endStreamAction.errorMessage in the last line",
        lines
            .last()
            .map(|line| shortened(&line.to_string()))
            .unwrap_or_default(),
    )
}

async fn broken_off(world: &World) -> Checked {
    let answer = broken(world, "responseformat=parquet").await?;
    ensure(
        answer.broke.is_some(),
        "an answer that breaks off",
        "one that ends as if it were whole",
    )
}

async fn hash_echo(world: &World) -> Checked {
    let table = world.plain()?;
    for (asked, expected) in [("parquet", "parquet"), (" Delta ", "delta")] {
        let ask = table.query(json!({})).header("fileidhash", asked);
        let answer = world.send(ask).await?.ok()?;
        let found = answer.header("fileidhash");
        ensure(
            found == expected,
            format!("fileidhash: {expected}"),
            format!("'{found}'"),
        )?;
    }
    Ok(())
}

async fn hash_wrong(world: &World) -> Checked {
    let table = world.plain()?;
    for value in ["md5", "", "parquet,delta"] {
        let ask = table.query(json!({})).header("fileidhash", value);
        world.send(ask).await?.refused(400, "")?;
    }
    Ok(())
}

async fn hash_stable(world: &World) -> Checked {
    let table = world.plain()?;
    let first = before(world.data(table.query(json!({}))).await)?.ids();
    let second = world.data(table.query(json!({}))).await?.ids();
    ensure(
        first == second && first.len() == table.files,
        format!("the same {} ids", table.files),
        format!(
            "{} of {} again",
            second.intersection(&first).count(),
            first.len()
        ),
    )
}

async fn hash_across(world: &World) -> Checked {
    let table = world.plain()?;
    for scheme in ["parquet", "delta"] {
        let ask = |format: &str| {
            table
                .query(json!({}))
                .header("fileidhash", scheme)
                .can(&format!("responseformat={format}"))
        };
        let parquet = world.data(ask("parquet")).await?.ids();
        let delta = world.data(ask("delta")).await?.ids();
        ensure(
            parquet == delta,
            format!("the same ids by {scheme}"),
            "others in the delta format",
        )?;
    }
    Ok(())
}

async fn hash_scheme(world: &World) -> Checked {
    let table = world.plain()?;
    let plain = || table.query(json!({}));
    for (ask, length) in [
        (plain(), 32),
        (plain().can("responseformat=delta"), 64),
        (plain().header("fileidhash", "delta"), 64),
        (
            plain()
                .can("responseformat=delta")
                .header("fileidhash", "parquet"),
            32,
        ),
    ] {
        for id in world.data(ask).await?.ids() {
            ensure(
                id.len() == length && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
                format!("an id of {length} hexadecimal digits"),
                id,
            )?;
        }
    }
    Ok(())
}
