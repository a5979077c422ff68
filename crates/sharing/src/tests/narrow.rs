//! Grants that open a part of a table: some of its rows, its history from a version on; and credentials for the whole folder.

use serde_json::{Value, json};

use super::actions::{add, metadata_with, protocol};
use super::changes::feed;
use super::world::{Answer, CAPABILITIES, World, assert_error, visits};

const SCHEMA: &str = r#"{"type":"struct","fields":[{"name":"id","type":"long","nullable":true,"metadata":{}},{"name":"date","type":"string","nullable":true,"metadata":{}}]}"#;

fn recording() -> Value {
    let configuration = [("delta.enableChangeDataFeed", "true")];
    metadata_with(SCHEMA, &configuration.into_iter().collect())
}

fn remove(path: &str, date: Option<&str>) -> Value {
    json!({"remove": {
        "path": path, "size": 573, "partitionValues": {"date": date}, "dataChange": true,
        "deletionTimestamp": 1_619_652_807_000_i64, "extendedFileMetadata": true,
    }})
}

async fn countries() -> World {
    let world = World::of(&[
        &[protocol(), recording()],
        &[
            add("de1.parquet", Some("DE"), Some(100)),
            add("fr1.parquet", Some("FR"), Some(1_000)),
            add("none.parquet", None, Some(10_000)),
            add("empty.parquet", Some(""), Some(20_000)),
        ],
        &[
            add("de2.parquet", Some("DE"), Some(7)),
            add("de-lower.parquet", Some("de"), Some(30_000)),
            remove("fr1.parquet", Some("FR")),
        ],
        &[
            remove("de1.parquet", Some("DE")),
            add("fr2.parquet", Some("FR"), Some(5)),
        ],
    ])
    .await;
    world.shares_past(true, true, false);
    world.narrows("date = 'DE'");
    world
}

/// The names of the files in an answer, and that nothing of the others stands in it.
fn files(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.body);
    for hidden in [
        "fr1", "fr2", "none.", "empty", "de-lower", ":1000}", ":10000}", ":20000}",
    ] {
        assert!(!answer.body.contains(hidden), "{hidden}: {}", answer.body);
    }
    let names = answer.body.split("https://store.example/").skip(1);
    let mut names: Vec<String> = names
        .map(|rest| rest.split('?').next().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_filtered_grant_opens_its_rows_alone_and_tells_of_no_other() {
    let world = countries().await;
    let query = visits("/query");
    for format in ["parquet", "delta"] {
        let capabilities = format!("responseformat={format}");
        let headers = [(CAPABILITIES, capabilities.as_str())];
        for (body, expected) in [
            ("{}", vec!["de2.parquet"]),
            (r#"{"version":1}"#, vec!["de1.parquet"]),
            (r#"{"version":2}"#, vec!["de1.parquet", "de2.parquet"]),
            // The limit counts what is visible.
            (
                r#"{"version":2,"limitHint":101}"#,
                vec!["de1.parquet", "de2.parquet"],
            ),
            // A predicate narrows further and never widens.
            (r#"{"predicateHints":["date = 'FR'"]}"#, vec![]),
            (r#"{"predicateHints":["date = 'DE'"]}"#, vec!["de2.parquet"]),
            (r#"{"maxFiles":1}"#, vec!["de2.parquet"]),
            (
                r#"{"startingVersion":1}"#,
                vec!["de1.parquet", "de1.parquet", "de2.parquet"],
            ),
        ] {
            let answer = world.query_with(&query, body, &headers).await;
            assert_eq!(files(&answer), expected, "{format} {body}");
        }
        let path = visits("/changes?startingVersion=1");
        let answer = world.get_with(&path, &headers).await;
        assert_eq!(
            files(&answer),
            ["de1.parquet", "de1.parquet", "de2.parquet"],
            "{format}"
        );
        let metadata = world.get_with(&visits("/metadata"), &headers).await;
        files(&metadata);
        let told: Value = serde_json::from_str(metadata.lines()[1]).unwrap();
        let told = ["size", "numFiles"].map(|name| told["metaData"][name].as_u64());
        assert_eq!(told, [Some(573), Some(1)], "{format}");
    }
    // What was held back was not "left out" either.
    world.post(&query, "{}").await;
    assert_eq!(world.records().pop().unwrap().files_dropped, 0);

    // Pages are of what is visible, and end with another filter.
    let first = world.post(&query, r#"{"version":2,"maxFiles":1}"#).await;
    assert_eq!(files(&first).len(), 1);
    let end: Value = serde_json::from_str(first.lines().last().unwrap()).unwrap();
    let token = end["endStreamAction"]["nextPageToken"].as_str().unwrap();
    let next = json!({ "version": 2, "maxFiles": 1, "pageToken": token }).to_string();
    let second = world.post(&query, &next).await;
    assert_eq!(files(&second).len(), 1);
    assert_ne!(files(&first), files(&second));
    world.narrows("date in ('DE', 'FR')");
    let refused = world.post(&query, &next).await;
    assert_error(&refused, 400, "INVALID_PARAMETER_VALUE", "another filter");

    for nothing in [
        "date = ${recipient.country}",
        "id = 1",
        "nosuch = 1",
        "date = 'D'",
    ] {
        world.narrows(nothing);
        for body in ["{}", r#"{"version":1}"#, r#"{"startingVersion":0}"#] {
            let answer = world.post(&query, body).await;
            assert_eq!(files(&answer), Vec::<String>::new(), "{nothing} {body}");
        }
    }
}

#[tokio::test]
async fn history_begins_where_its_owner_says() {
    let world = feed().await;
    world.shares_from(3);
    for path in [
        "/metadata?version=2",
        "/metadata?timestamp=2022-04-15T05:20:02Z",
        "/changes?startingVersion=2",
        "/changes?startingVersion=0&endingVersion=4",
        "/version?startingTimestamp=2022-04-15T05:20:01Z",
    ] {
        let answer = world.get(&visits(path)).await;
        assert_error(&answer, 400, "INVALID_PARAMETER_VALUE", path);
        assert!(
            answer.message().contains("that can be read is 3"),
            "{}",
            answer.body
        );
    }
    for body in [
        r#"{"version":2}"#,
        r#"{"startingVersion":1}"#,
        r#"{"timestamp":"2022-04-15T05:20:02Z"}"#,
    ] {
        let answer = world.post(&visits("/query"), body).await;
        assert_error(&answer, 400, "INVALID_PARAMETER_VALUE", body);
        assert!(
            answer.message().contains("since version 3"),
            "{}",
            answer.body
        );
    }
    for path in [
        "/metadata?version=3",
        "/metadata",
        "/changes?startingVersion=3",
    ] {
        let answer = world.get(&visits(path)).await;
        assert_eq!(answer.status.as_u16(), 200, "{path} {}", answer.body);
    }
}

#[tokio::test]
async fn credentials_are_for_whole_tables_whose_grant_gives_them() {
    let world = countries().await;
    let path = visits("/temporary-table-credentials");
    let list = "/shares/sales/schemas/default/tables";
    world.lends();
    let refused = world.post(&path, "{}").await;
    assert_error(&refused, 400, "UNSUPPORTED_OPERATION", "filtered");

    let world = feed().await;
    let before = world.get(list).await.json();
    assert_eq!(before["items"][0].get("accessModes"), None);
    world.lends();
    let item = &world.get(list).await.json()["items"][0];
    assert_eq!(item["accessModes"], json!(["url", "dir"]));
    assert_eq!(item["location"], "s3://lake/visits");
    for path in [visits("/metadata"), visits("/query")] {
        let answer = if path.ends_with("query") {
            world.post(&path, "{}").await
        } else {
            world.get(&path).await
        };
        let line: Value = serde_json::from_str(answer.lines()[1]).unwrap();
        assert_eq!(line["metaData"]["accessModes"], json!(["url", "dir"]));
        assert_eq!(line["metaData"]["location"], "s3://lake/visits");
    }
    for body in ["{}", "", r#"{"location":"s3://lake/visits/"}"#] {
        let answer = world.post(&path, body).await;
        assert_eq!(answer.status.as_u16(), 200, "{body} {}", answer.body);
        assert_eq!(answer.header("cache-control"), "no-store");
        let said = &answer.json()["credentials"];
        assert_eq!(said["awsTempCredentials"]["sessionToken"], "t0k3n");
        assert_eq!(said["location"], "s3://lake/visits");
        assert!(said["expirationTime"].is_i64());
    }
    assert_eq!(
        world.records().pop().unwrap().endpoint.as_str(),
        "temporary_credentials"
    );
    for body in [
        r#"{"location":"s3://lake/visits2"}"#,
        r#"{"location":"s3://lake"}"#,
    ] {
        let answer = world.post(&path, body).await;
        assert_error(&answer, 400, "INVALID_PARAMETER_VALUE", body);
    }
    world.shares_from(1);
    let refused = world.post(&path, "{}").await;
    assert_error(&refused, 400, "UNSUPPORTED_OPERATION", "from a version on");
}
