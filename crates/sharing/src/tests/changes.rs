//! The change data feed, to the letter, in pages, and what is refused of it. The traps are those of the protocol's checklist,
//! §1.14.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use model::time::MINUTE;
use serde_json::{Value, json};

use super::actions::{SCHEMA, add, metadata, metadata_with, protocol};
use super::gate::Fault;
use super::world::{ALICE, Answer, CAPABILITIES, EXPIRES, World, assert_error, call, visits};
use crate::{Endpoint, Outcome};

const AT: i64 = 1_650_000_000_000;

fn at(version: i64) -> Value {
    json!({"commitInfo": {"timestamp": AT + version * 1_000}})
}

fn recording() -> Value {
    metadata_with(
        SCHEMA,
        &BTreeMap::from([("delta.enableChangeDataFeed", "true")]),
    )
}

fn remove(path: &str) -> Value {
    json!({"remove": {"path": path, "deletionTimestamp": 7, "dataChange": true, "extendedFileMetadata": true,
        "partitionValues": {"date": null}, "size": 99}})
}

fn cdc(path: &str) -> Value {
    json!({"cdc": {"path": path, "partitionValues": {"date": "2021-04-28"}, "size": 11, "dataChange": false}})
}

fn rewritten(mut action: Value, name: &str) -> Value {
    action[name]["dataChange"] = json!(false);
    action
}

/// A table whose feed is shared: an append, a change with rows of its own, a compaction, a delete of a whole file, and new
/// metadata.
pub(super) async fn feed() -> World {
    let world = World::of(&[
        &[protocol(), recording(), at(0)],
        &[add("a.parquet", Some("2021-04-28"), Some(1)), at(1)],
        &[
            remove("a.parquet"),
            add("b.parquet", None, None),
            cdc("_change_data/c.parquet"),
            at(2),
        ],
        &[
            rewritten(remove("b.parquet"), "remove"),
            rewritten(add("d.parquet", None, None), "add"),
            at(3),
        ],
        &[remove("d.parquet"), at(4)],
        &[recording(), add("e.parquet", None, None), at(5)],
    ])
    .await;
    world.shares_past(true, true, false);
    world
}

fn parsed(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let lines = answer.lines();
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// What the lines after the head are: the action, its version, and of a file its name.
fn told(lines: &[Value]) -> Vec<(String, u64, String)> {
    let one = |line: &Value| {
        let (name, line) = line.as_object().unwrap().iter().next().unwrap();
        let (name, path) = match line.get("deltaSingleAction") {
            Some(action) => {
                let (name, action) = action.as_object().unwrap().iter().next().unwrap();
                (name, &action["path"])
            }
            None => (name, &line["url"]),
        };
        let url = path.as_str().unwrap_or_default();
        let url = url.trim_start_matches("https://store.example/");
        let file = url.split('?').next().unwrap().to_owned();
        (name.clone(), line["version"].as_u64().unwrap_or(99), file)
    };
    lines.iter().map(one).collect()
}

fn line(name: &str, version: u64, file: &str) -> (String, u64, String) {
    (name.to_owned(), version, file.to_owned())
}

#[tokio::test]
async fn changes_in_parquet_format_to_the_letter() {
    let world = feed().await;
    let answer = world
        .get(&visits("/changes?startingVersion=1&endingVersion=4"))
        .await;
    let lines = parsed(&answer);
    assert_eq!(
        answer.header("content-type"),
        "application/x-ndjson; charset=utf-8"
    );
    assert_eq!(answer.header(CAPABILITIES), "responseformat=parquet");
    assert_eq!(answer.header("delta-table-version"), "1");
    assert_eq!(lines[0], json!({"protocol": {"minReaderVersion": 1}}));
    assert_eq!(lines[1]["metaData"]["version"], 5, "that of the latest");
    assert_eq!(
        lines[1]["metaData"]["configuration"],
        json!({"enableChangeDataFeed": "true"})
    );
    let id = |path: &str| {
        use sha2::Digest as _;
        hex::encode(md5::Md5::digest(path.as_bytes()))
    };
    assert_eq!(
        answer.lines()[2..],
        [
            format!(
                r#"{{"add":{{"url":"https://store.example/a.parquet?X-Amz-Signature=s&n=0","id":"{}","partitionValues":{{"date":"2021-04-28"}},"size":573,"stats":"{{\"numRecords\":1}}","version":1,"timestamp":{},"expirationTimestamp":{EXPIRES}}}}}"#,
                id("a.parquet"),
                AT + 1_000
            ),
            format!(
                r#"{{"cdf":{{"url":"https://store.example/_change_data/c.parquet?X-Amz-Signature=s&n=1","id":"{}","partitionValues":{{"date":"2021-04-28"}},"size":11,"version":2,"timestamp":{},"expirationTimestamp":{}}}}}"#,
                id("_change_data/c.parquet"),
                AT + 2_000,
                EXPIRES - 1_000
            ),
            format!(
                r#"{{"remove":{{"url":"https://store.example/d.parquet?X-Amz-Signature=s&n=2","id":"{}","partitionValues":{{"date":""}},"size":99,"version":4,"timestamp":{},"expirationTimestamp":{}}}}}"#,
                id("d.parquet"),
                AT + 4_000,
                EXPIRES - 2_000
            ),
        ]
    );
    let record = world.record();
    assert_eq!(
        (
            record.endpoint,
            record.outcome,
            record.status,
            record.version
        ),
        (Endpoint::Changes, Outcome::Answered, 200, Some(1))
    );
    assert_eq!((record.files, record.bytes_signed), (3, 573 + 11 + 99));
}

#[tokio::test]
async fn changes_in_delta_format() {
    let world = feed().await;
    let headers = [(CAPABILITIES, "responseformat=delta")];
    let answer = world
        .get_with(
            &visits("/changes?startingVersion=0&includeHistoricalMetadata=True"),
            &headers,
        )
        .await;
    let lines = parsed(&answer);
    assert_eq!(answer.header(CAPABILITIES), "responseformat=delta");
    assert_eq!(lines[1]["metaData"]["version"], 0, "that of the start");
    assert!(lines[0]["protocol"].get("version").is_none());
    assert_eq!(
        told(&lines[2..]),
        [
            line("add", 1, "a.parquet"),
            line("cdc", 2, "_change_data/c.parquet"),
            line("remove", 4, "d.parquet"),
            line("metaData", 5, ""),
            line("add", 5, "e.parquet"),
        ]
    );
    assert_eq!(
        lines[3]["file"]["deltaSingleAction"]["cdc"]["dataChange"],
        false
    );
    let removed = &lines[4]["file"];
    assert_eq!(removed["timestamp"], AT + 4_000);
    let action = &removed["deltaSingleAction"]["remove"];
    assert_eq!(action["partitionValues"], json!({"date": null}));
    assert_eq!(
        (&action["size"], &action["dataChange"]),
        (&json!(99), &json!(true))
    );

    // Protocols are told to those who ask, and only in this format.
    world.commit(6, &[protocol(), at(6)]).await;
    let asked = visits(
        "/changes?startingVersion=5&includeHistoricalProtocol=true&includeHistoricalMetadata=true",
    );
    let lines = parsed(&world.get_with(&asked, &headers).await);
    assert_eq!(lines[0]["protocol"]["version"], 5);
    assert_eq!(lines.last().unwrap()["protocol"]["version"], 6);
    let lines = parsed(&world.get(&asked).await);
    assert_eq!(lines.len(), 3, "{lines:?}");
}

/// Whoever asks for the headers alone is handed nothing.
#[tokio::test]
async fn a_head_of_changes_signs_nothing() {
    let world = feed().await;
    let path = visits("/changes?startingVersion=5");
    let answer = world.send(call(Method::HEAD, &path, &[ALICE], "")).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, ""));
    assert_eq!(answer.header("delta-table-version"), "5");
    assert_eq!(world.sign_calls(), 0);
    let record = world.record();
    assert_eq!((record.files, record.bytes_signed), (0, 0));
    assert_eq!(record.outcome, Outcome::Answered);
}

#[tokio::test]
async fn a_range_by_time_is_the_versions_between_both_instants() {
    let world = feed().await;
    let iso = |millis: i64| model::Timestamp::from_millis(AT + millis).to_string();
    for (query, versions) in [
        (
            format!("startingTimestamp={}", iso(500)),
            vec![1_u64, 2, 4, 5],
        ),
        (format!("startingTimestamp={}", iso(2_000)), vec![2, 4, 5]),
        (
            format!("startingVersion=0&endingTimestamp={}", iso(4_999)),
            vec![1, 2, 4],
        ),
        (
            format!(
                "startingTimestamp={}&endingTimestamp={}",
                iso(1_000),
                iso(2_000)
            ),
            vec![1, 2],
        ),
        ("startingVersion=3&endingVersion=3".to_owned(), vec![]),
        ("startingVersion=4&endingVersion=99".to_owned(), vec![4, 5]),
    ] {
        let answer = world.get(&visits(&format!("/changes?{query}"))).await;
        let found: Vec<u64> = told(&parsed(&answer)[2..])
            .into_iter()
            .map(|(_, version, _)| version)
            .collect();
        assert_eq!(found, versions, "{query}");
    }
}

#[tokio::test]
async fn ranges_that_are_none_are_refused_in_the_words_that_clients_look_for() {
    let world = feed().await;
    for (query, says) in [
        ("", "No startingVersion or startingTimestamp provided"),
        (
            "endingVersion=3",
            "No startingVersion or startingTimestamp provided",
        ),
        (
            "startingVersion=1&startingTimestamp=2022-04-29T00:00:00Z",
            "Multiple starting arguments provided",
        ),
        (
            "startingVersion=1&endingVersion=2&endingTimestamp=2022-04-29T00:00:00Z",
            "Multiple ending arguments provided",
        ),
        (
            "startingVersion=2&endingVersion=1",
            "CDF range from start 2 to end 1 was invalid",
        ),
        (
            "startingVersion=6",
            "Start version cannot be greater than the latest version of the table(5)",
        ),
        ("startingVersion=-1", "startingVersion cannot be negative."),
        ("startingVersion=x", "'startingVersion' must be a number"),
        ("startingTimestamp=2022-04-29", "Invalid startingTimestamp"),
        (
            "startingTimestamp=2000-01-01T00:00:00Z",
            "Please use a timestamp greater",
        ),
        (
            "startingVersion=0&endingTimestamp=2100-01-01T00:00:00Z",
            "Please use a timestamp less",
        ),
        (
            "startingVersion=0&includeHistoricalMetadata=maybe",
            "'includeHistoricalMetadata' must be true or false",
        ),
        ("startingVersion=0&maxFiles=0", "maxFiles must be positive."),
        ("startingVersion=0&pageToken=x", "invalid 'pageToken'"),
    ] {
        let answer = world.get(&visits(&format!("/changes?{query}"))).await;
        assert_error(&answer, 400, "INVALID_PARAMETER_VALUE", query);
        assert!(
            answer.message().contains(says),
            "{query}: {}",
            answer.message()
        );
    }
    assert_eq!(world.sign_calls(), 0);
    let records = world.records();
    assert!(records.iter().all(|record| {
        (record.status, record.outcome, record.files) == (400, Outcome::Refused, 0)
    }));
}

#[tokio::test]
async fn a_feed_that_is_not_shared_or_not_recorded_is_told_alike() {
    let asked = visits("/changes?startingVersion=0");
    let refused = "cdf is not enabled on table sales.default.visits";
    let world = feed().await;
    world.shares_past(true, false, false);
    let answer = world.get(&asked).await;
    assert_error(&answer, 400, "INVALID_PARAMETER_VALUE", "not shared");
    assert_eq!(answer.message(), refused);

    world.shares_past(true, true, true);
    let answer = world.get(&asked).await;
    assert_error(&answer, 400, "INVALID_PARAMETER_VALUE", "a replica");
    assert!(answer.message().starts_with(refused) && answer.message().contains("replica"));

    let world = World::of(&[&[protocol(), metadata()], &[add("a.parquet", None, None)]]).await;
    world.shares_past(true, true, false);
    let answer = world.get(&asked).await;
    assert_error(&answer, 400, "INVALID_PARAMETER_VALUE", "not recorded");
    assert_eq!(answer.message(), refused);
    assert_eq!(world.sign_calls(), 0);
}

#[tokio::test]
async fn versions_without_recorded_changes_are_named() {
    let world = World::of(&[
        &[protocol(), metadata()],
        &[recording(), add("a.parquet", None, None)],
        &[metadata(), add("b.parquet", None, None)],
    ])
    .await;
    world.shares_past(true, true, false);
    for (query, version) in [("0", 0), ("0&endingVersion=1", 0), ("1", 2)] {
        let asked = visits(&format!("/changes?startingVersion={query}"));
        let answer = world.get(&asked).await;
        assert_error(&answer, 400, "INVALID_PARAMETER_VALUE", query);
        let says = format!("change data was not recorded for version [{version}]");
        assert!(answer.message().contains(&says), "{}", answer.message());
    }
    let asked = visits("/changes?startingVersion=1&endingVersion=1");
    assert_eq!(parsed(&world.get(&asked).await).len(), 3);
}

/// Lost, and no checkpoint has the state: there is no version to name, yet it is the producer's matter and no 5xx.
#[tokio::test]
async fn a_gap_in_the_log_is_no_5xx() {
    let world = feed().await;
    world.cleaned(3).await;
    for query in ["startingVersion=0", "startingVersion=3&endingVersion=4"] {
        let answer = world.get(&visits(&format!("/changes?{query}"))).await;
        assert_error(&answer, 400, "UNSUPPORTED_OPERATION", query);
    }
    // What lies before the gap is whole.
    let asked = "/changes?startingVersion=1&endingVersion=2&includeHistoricalMetadata=true";
    assert_eq!(parsed(&world.get(&visits(asked)).await).len(), 4);
}

#[tokio::test]
async fn a_change_that_cannot_be_told_is_refused_before_the_answer_begins() {
    let vector = |mut action: Value, name: &str| {
        action[name]["deletionVector"] =
            json!({"storageType": "i", "pathOrInlineDv": "x", "sizeInBytes": 1, "cardinality": 1});
        action
    };
    let mapped = metadata_with(
        SCHEMA,
        &BTreeMap::from([
            ("delta.enableChangeDataFeed", "true"),
            ("delta.columnMapping.mode", "name"),
        ]),
    );
    let mut sizeless = remove("a.parquet");
    sizeless["remove"]["size"] = Value::Null;
    for (says, commit) in [
        ("deletionVectors", vector(add("f", None, None), "add")),
        ("deletionVectors", vector(remove("a.parquet"), "remove")),
        ("columnMapping", mapped),
        ("version 6 of the table removes", sizeless),
        ("producer has to repair", add("../../secret", None, None)),
        ("producer has to repair", cdc("/etc/secret")),
        ("producer has to repair", remove("s3://other/secret")),
    ] {
        let world = feed().await;
        world.commit(6, &[commit, at(6)]).await;
        let answer = world.get(&visits("/changes?startingVersion=5")).await;
        assert_error(&answer, 400, "UNSUPPORTED_OPERATION", says);
        assert!(answer.message().contains(says), "{}", answer.message());
        assert!(!answer.body.contains("secret"), "{}", answer.body);
        assert_eq!(world.sign_calls(), 0);
        if says.contains("repair") {
            assert_eq!(world.record().escape.unwrap().version, Some(6));
        }
    }
}

#[tokio::test]
async fn pages_of_changes_are_pinned_and_bound_to_their_request() {
    let world = feed().await;
    let asked = visits("/changes?startingVersion=0&maxFiles=2");
    let whole = parsed(&world.get(&visits("/changes?startingVersion=0")).await);
    let (mut path, mut found, mut heads, mut pages) = (asked.clone(), vec![], vec![], 0);
    let mut first_token = None;
    loop {
        let answer = world.get(&path).await;
        assert_eq!(answer.header("delta-table-version"), "0");
        let lines = parsed(&answer);
        heads.push(answer.lines()[..2].join("\n"));
        let (end, files) = lines[2..].split_last().unwrap();
        assert!(files.len() <= 2, "{files:?}");
        found.extend(told(files));
        pages += 1;
        let Some(token) = end["endStreamAction"]["nextPageToken"].as_str() else {
            break;
        };
        // H8: clients append it as it is.
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        assert!(token.chars().all(plain), "{token}");
        first_token.get_or_insert(token.to_owned());
        path = format!("{asked}&pageToken={token}");
        // What is committed meanwhile is not on the pages.
        if pages == 1 {
            let later = [recording(), add("later.parquet", None, None), at(6)];
            world.commit(6, &later).await;
        }
    }
    assert_eq!(pages, 2);
    assert_eq!(found, told(&whole[2..]));
    assert!(heads.iter().all(|head| *head == heads[0]), "{heads:?}");

    let token = first_token.unwrap();
    for other in [
        format!("/changes?startingVersion=1&maxFiles=2&pageToken={token}"),
        format!("/changes?startingVersion=0&endingVersion=3&maxFiles=2&pageToken={token}"),
        format!("/changes?startingVersion=0&includeHistoricalMetadata=true&pageToken={token}"),
        format!("/changes?startingVersion=0&maxFiles=2&pageToken={token}x"),
    ] {
        let answer = world.get(&visits(&other)).await;
        assert_error(&answer, 400, "INVALID_PARAMETER_VALUE", &other);
    }
    let path = format!("{asked}&pageToken={token}");
    let headers = [("authorization", "Bearer token-bob")];
    let answer = world
        .send(call(http::Method::GET, &path, &headers, ""))
        .await;
    assert_error(&answer, 400, "INVALID_PARAMETER_VALUE", "another recipient");
    // How many files a page has is up to each page.
    let path = visits(&format!("/changes?startingVersion=0&pageToken={token}"));
    assert_eq!(parsed(&world.get(&path).await).len(), 2 + 2);

    // Another table in the same place has the same numbers, and none of the first one's lines.
    let log: Vec<Vec<Value>> = (10..17)
        .map(|n| {
            let file = add(&format!("other-{n}.parquet"), None, None);
            vec![protocol(), recording(), file, at(n)]
        })
        .collect();
    let log: Vec<&[Value]> = log.iter().map(Vec::as_slice).collect();
    world.rewrite(&log).await;
    world.advance(MINUTE);
    let answer = world.get(&path).await;
    assert_error(&answer, 400, "INVALID_PARAMETER_VALUE", "another table");
    let said = answer.message();
    assert!(said.contains("written anew"), "{said}");
}

/// Trap 4: the Python connector neither asks for pages nor takes a line that it did not ask for.
#[tokio::test]
async fn trap_4_one_answer_carries_all_changes_and_no_line_more() {
    let world = feed().await;
    let adds: Vec<Value> = (0..1_201)
        .map(|n| add(&format!("f{n:05}.parquet"), None, None))
        .collect();
    world.commit(6, &adds).await;
    let answer = world.get(&visits("/changes?startingVersion=6")).await;
    let lines = parsed(&answer);
    assert_eq!((lines.len(), world.sign_calls()), (2 + 1_201, 3));
    assert!(lines[2..].iter().all(|line| line.get("add").is_some()));

    let asked = "responseformat=parquet;includeendstreamaction=true";
    let answer = world
        .get_with(
            &visits("/changes?startingVersion=5"),
            &[(CAPABILITIES, asked)],
        )
        .await;
    assert_eq!(answer.header(CAPABILITIES), asked);
    assert!(
        parsed(&answer).last().unwrap()["endStreamAction"]["minUrlExpirationTimestamp"].is_i64()
    );
}

/// Trap 6: a client looks for the values of each file, also of a table without partitions.
#[tokio::test]
async fn trap_6_partition_values_are_there_though_there_are_none() {
    let mut plain = recording();
    plain["metaData"]["partitionColumns"] = json!([]);
    let bare = |name: &str| json!({name: {"path": format!("{name}.parquet"), "size": 1, "dataChange": true}});
    let world = World::of(&[
        &[protocol(), plain],
        &[bare("add"), bare("remove")],
        &[bare("cdc")],
    ])
    .await;
    world.shares_past(false, true, false);
    let lines = parsed(&world.get(&visits("/changes?startingVersion=1")).await);
    for (line, name) in lines[2..].iter().zip(["add", "remove", "cdf"]) {
        assert_eq!(line[name]["partitionValues"], json!({}), "{line}");
    }
    assert_eq!(lines.len(), 5);
}

#[tokio::test]
async fn changes_that_fail_half_way_say_so_or_break_off() {
    let adds: Vec<Value> = (0..1_201)
        .map(|n| add(&format!("f{n:05}.parquet"), None, None))
        .collect();
    for (capabilities, broken) in [
        ("responseformat=parquet", true),
        ("responseformat=parquet;includeendstreamaction=true", false),
    ] {
        let world = feed().await;
        world.commit(6, &adds).await;
        world.fault(Fault::SignFrom(1));
        let headers = [ALICE, (CAPABILITIES, capabilities)];
        let path = visits("/changes?startingVersion=6");
        let answer = world
            .send(call(http::Method::GET, &path, &headers, ""))
            .await;
        assert_eq!((answer.status, answer.broken), (StatusCode::OK, broken));
        assert_eq!(answer.body.contains("errorMessage"), !broken);
        let record = world.record();
        assert_eq!((record.outcome, record.files), (Outcome::Failed, 500));
    }
}
