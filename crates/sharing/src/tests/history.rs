//! Older versions: of metadata and files, and what was added and removed since one.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::actions::{add, metadata, protocol};
use super::changes::feed;
use super::world::{ALICE, Answer, CAPABILITIES, World, assert_error, call, visits};

fn files(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let lines = answer.lines();
    lines[2..]
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn an_older_version_is_read_by_number_or_by_time() {
    let world = feed().await;
    for (body, version, name) in [
        (r#"{"version":1}"#, "1", "a.parquet"),
        (r#"{"version":"2"}"#, "2", "b.parquet"),
        (
            r#"{"timestamp":"2022-04-15T05:20:02.500Z"}"#,
            "2",
            "b.parquet",
        ),
        (
            r#"{"timestamp":"2022-04-15T07:20:02+02:00"}"#,
            "2",
            "b.parquet",
        ),
    ] {
        for format in ["parquet", "delta"] {
            let capabilities = format!("responseformat={format}");
            let headers = [(CAPABILITIES, capabilities.as_str())];
            let answer = world.query_with(&visits("/query"), body, &headers).await;
            assert_eq!(answer.header("delta-table-version"), version, "{body}");
            let found = files(&answer);
            assert_eq!(found.len(), 1, "{body}");
            let file = &found[0]["file"];
            assert_eq!(file["version"].to_string(), version);
            assert!(file["timestamp"].is_i64(), "{file}");
            assert!(file.to_string().contains(&format!("/{name}?")), "{file}");
            let head: Value = serde_json::from_str(answer.lines()[1]).unwrap();
            assert_eq!(head["metaData"]["version"].to_string(), version);
        }
    }
    let answer = world.get(&visits("/metadata?version=3")).await;
    assert_eq!(answer.header("delta-table-version"), "3");
    assert_eq!(answer.lines().len(), 2);
    for (at, version) in [
        ("2000-01-01T00:00:00Z", "0"),
        ("2022-04-15T05:20:02Z", "2"),
        ("2022-04-15T05:20:02.001Z", "3"),
    ] {
        let path = visits(&format!("/version?startingTimestamp={at}"));
        let answer = world.get(&path).await;
        assert_eq!(answer.header("delta-table-version"), version, "{at}");
    }
}

#[tokio::test]
async fn versions_that_are_not_there_are_refused_with_those_that_are() {
    let world = feed().await;
    for (method, rest, body, says) in [
        (
            "POST",
            "/query",
            r#"{"version":6}"#,
            "Available versions: [0, 5]",
        ),
        (
            "GET",
            "/metadata?version=6",
            "",
            "Available versions: [0, 5]",
        ),
        (
            "POST",
            "/query",
            r#"{"timestamp":"2000-01-01T00:00:00Z"}"#,
            "2000-01-01T00:00:00Z is before the earliest available version (0). Please use a timestamp greater than or equal to 2",
        ),
        (
            "POST",
            "/query",
            r#"{"timestamp":"2100-01-01T00:00:00Z"}"#,
            "2100-01-01T00:00:00Z is after the latest available version (5). Please use a timestamp less than or equal to 2",
        ),
        (
            "POST",
            "/query",
            r#"{"timestamp":"random"}"#,
            "Invalid startingTimestamp: 'random' as 'timestamp' is not an instant",
        ),
        (
            "GET",
            "/version?startingTimestamp=2100-01-01T00:00:00Z",
            "",
            "Please use a timestamp less",
        ),
        (
            "POST",
            "/query",
            r#"{"startingVersion":6}"#,
            "cannot be greater than the latest version of the table(5)",
        ),
        (
            "POST",
            "/query",
            r#"{"startingVersion":1,"endingVersion":6}"#,
            "cannot be greater than the latest version of the table(5)",
        ),
    ] {
        let request = call(method.parse().unwrap(), &visits(rest), &[ALICE], body);
        let answer = world.send(request).await;
        assert_error(&answer, 400, "INVALID_PARAMETER_VALUE", rest);
        assert!(
            answer.message().contains(says),
            "{rest} {body}: {}",
            answer.message()
        );
    }
}

/// Once log cleanup has taken the first commits, the state is in a checkpoint.
#[tokio::test(flavor = "multi_thread")]
async fn below_what_log_cleanup_left_the_earliest_version_is_named() {
    let one = |name: &str| [add(name, Some("2021-04-28"), Some(1))];
    let (a, b, c) = (one("a.parquet"), one("b.parquet"), one("c.parquet"));
    let world = World::of(&[&[protocol(), metadata()], &a, &b, &c]).await;
    world.shares_past(true, true, false);
    world.checkpoint(2).await;
    for version in 0..2 {
        world.cleaned(version).await;
    }
    for (method, rest, body, says) in [
        (
            "POST",
            "/query",
            r#"{"version":1}"#,
            "Available versions: [2, 3]",
        ),
        (
            "GET",
            "/metadata?version=0",
            "",
            "Available versions: [2, 3]",
        ),
        (
            "POST",
            "/query",
            r#"{"startingVersion":1}"#,
            "The earliest version that can be read is 2.",
        ),
        (
            "POST",
            "/query",
            r#"{"startingVersion":0,"endingVersion":1}"#,
            "The earliest version that can be read is 2.",
        ),
        (
            "GET",
            "/changes?startingVersion=1",
            "",
            "The earliest version that can be read is 2.",
        ),
    ] {
        let request = call(method.parse().unwrap(), &visits(rest), &[ALICE], body);
        let answer = world.send(request).await;
        assert_error(&answer, 400, "INVALID_PARAMETER_VALUE", rest);
        assert!(
            answer.message().contains(says),
            "{rest} {body}: {}",
            answer.message()
        );
    }
    let answer = world
        .post(&visits("/query"), r#"{"startingVersion":2}"#)
        .await;
    assert_eq!(files(&answer).len(), 2);
    let answer = world.post(&visits("/query"), r#"{"version":2}"#).await;
    assert_eq!(files(&answer).len(), 2);
}

/// The switch of the table's history, and a replica's, whose versions are others.
#[tokio::test]
async fn history_is_read_only_where_it_is_shared() {
    let world = feed().await;
    for (history, replica) in [(false, false), (true, true)] {
        world.shares_past(history, true, replica);
        for (method, rest, body) in [
            ("POST", "/query", r#"{"version":1}"#),
            ("POST", "/query", r#"{"startingVersion":1}"#),
            ("GET", "/metadata?version=1", ""),
            ("GET", "/version?startingTimestamp=2022-04-15T05:20:02Z", ""),
        ] {
            let request = call(method.parse().unwrap(), &visits(rest), &[ALICE], body);
            let answer = world.send(request).await;
            assert_error(&answer, 400, "INVALID_PARAMETER_VALUE", rest);
            assert!(answer.message().contains("history sharing is not enabled"));
            assert_eq!(answer.message().contains("replica"), replica);
        }
        let latest = world.post(&visits("/query"), "{}").await;
        assert_eq!(latest.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_stream_since_a_version_holds_files_and_new_metadata_and_no_rewrites() {
    let world = feed().await;
    let answer = world
        .post(&visits("/query"), r#"{"startingVersion":1}"#)
        .await;
    assert_eq!(answer.header("delta-table-version"), "1");
    let found: Vec<(String, Value)> = files(&answer)
        .iter()
        .flat_map(|line| line.as_object().unwrap().clone())
        .map(|(name, line)| (name, line["version"].clone()))
        .collect();
    let expected = [
        ("add", 1),
        ("remove", 2),
        ("add", 2),
        ("remove", 4),
        ("metaData", 5),
        ("add", 5),
    ]
    .map(|(name, version)| (name.to_owned(), json!(version)));
    assert_eq!(found, expected);

    let body = r#"{"startingVersion":1,"endingVersion":2,"maxFiles":2}"#;
    let first = world.post(&visits("/query"), body).await;
    let lines = files(&first);
    let token = lines[2]["endStreamAction"]["nextPageToken"].clone();
    assert_eq!(lines.len(), 3);
    let body = json!({"startingVersion": 1, "endingVersion": 2, "maxFiles": 2, "pageToken": token});
    let second = world.post(&visits("/query"), &body.to_string()).await;
    let lines = files(&second);
    assert_eq!(lines[0]["add"]["version"], 2);
    assert_eq!(lines.len(), 2);
    assert!(lines[1]["endStreamAction"].get("nextPageToken").is_none());
    assert_eq!(first.lines()[..2], second.lines()[..2]);

    // A token of one endpoint is none of the other.
    let token = token.as_str().unwrap();
    let path = visits(&format!(
        "/changes?startingVersion=1&endingVersion=2&pageToken={token}"
    ));
    let answer = world.send(call(Method::GET, &path, &[ALICE], "")).await;
    assert_error(&answer, 400, "INVALID_PARAMETER_VALUE", "another endpoint");
}

/// Below what VACUUM has left the earliest version is named that can be read; what is there is never refused.
#[tokio::test]
async fn what_vacuum_has_deleted_is_named() {
    const AT: i64 = 1_650_000_000_000;
    let at = |millis: i64| json!({"commitInfo": {"timestamp": AT + millis}});
    let remove = |path: &str, millis: i64| {
        json!({"remove": {"path": path, "deletionTimestamp": AT + millis, "dataChange": true,
            "extendedFileMetadata": true, "partitionValues": {"date": null}, "size": 573}})
    };
    let file = |path: &str| add(path, None, None);
    let begins = json!({"commitInfo": {"timestamp": AT + 10_000, "operation": "VACUUM START",
        "operationParameters": {"retentionCheckEnabled": "false", "specifiedRetentionMillis": "5000",
            "defaultRetentionMillis": "604800000"}}});
    let ends = |status: &str| {
        json!({"commitInfo": {"timestamp": AT + 11_000, "operation": "VACUUM END",
            "operationParameters": {"status": status}}})
    };
    let world_of = async |status: &str| {
        let world = World::of(&[
            &[protocol(), metadata(), file("a"), at(0)],
            &[file("b"), file("c"), at(1_000)],
            &[remove("a", 2_000), at(2_000)],
            // Later than the VACUUM keeps, and after it.
            &[remove("b", 6_000), at(6_000)],
            std::slice::from_ref(&begins),
            &[ends(status)],
            &[remove("c", 12_000), at(12_000)],
        ])
        .await;
        world.shares_past(true, true, false);
        world
    };
    let ask = async |world: &World, version: u64| {
        let body = json!({"version": version}).to_string();
        world.post(&visits("/query"), &body).await
    };
    let world = world_of("COMPLETED").await;
    for version in 0..2 {
        let answer = ask(&world, version).await;
        assert_error(&answer, 400, "INVALID_PARAMETER_VALUE", "vacuumed");
        let says = "The earliest version that can be read is 2.";
        assert!(answer.message().contains(says), "{}", answer.message());
    }
    for version in 2..7 {
        let answer = ask(&world, version).await;
        assert_eq!(answer.status, StatusCode::OK, "{version}: {}", answer.body);
    }
    let answer = world.get(&visits("/metadata?version=0")).await;
    assert_eq!(answer.status, StatusCode::OK, "no file is needed for it");
    // The store has the last word.
    world.put("a").await;
    assert_eq!(ask(&world, 1).await.status, StatusCode::OK);
    // One that has failed may have deleted anything or nothing.
    let world = world_of("FAILED").await;
    assert_eq!(ask(&world, 0).await.status, StatusCode::OK);
}
