//! Predicate hints over HTTP: which files are answered, and what the access log counts.

use serde_json::{Value, json};

use super::actions::{add, metadata, protocol};
use super::world::{World, visits};

/// Five files: two days, none, and a day with statistics of `eventTime`.
async fn days() -> World {
    let mut timed = add("timed.parquet", Some("2021-04-30"), None);
    timed["add"]["stats"] = Value::String(
        json!({
            "numRecords": 4,
            "minValues": { "eventTime": "2021-04-30T08:00:00.000Z" },
            "maxValues": { "eventTime": "2021-04-30T09:00:00.000Z" },
            "nullCount": { "eventTime": 0 },
        })
        .to_string(),
    );
    World::of(&[
        &[protocol(), metadata()],
        &[
            add("a.parquet", Some("2021-04-28"), Some(1)),
            add("b.parquet", Some("2021-04-29"), Some(1)),
            add("c.parquet", Some("2021-04-28"), None),
            add("none.parquet", None, Some(1)),
            timed,
        ],
    ])
    .await
}

async fn answered(body: &Value) -> (Vec<String>, u64) {
    let world = days().await;
    let answer = world.post(&visits("/query"), &body.to_string()).await;
    assert_eq!(answer.status, 200, "{body}: {}", answer.body);
    let lines = answer.lines();
    let files = lines[2..].iter().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        let url = line["file"]["url"].as_str().unwrap();
        let name = url.split('?').next().unwrap();
        let name = name.rsplit('/').next().unwrap();
        name.trim_end_matches(".parquet").to_owned()
    });
    let files: Vec<String> = files.collect();
    let record = world.record();
    assert_eq!(record.files, files.len() as u64);
    (files, record.files_dropped)
}

fn equal(column: &str, value: &str, kind: &str) -> Value {
    json!({ "op": "equal", "children": [
        { "op": "column", "name": column, "valueType": kind },
        { "op": "literal", "value": value, "valueType": kind },
    ] })
}

#[tokio::test]
async fn files_without_a_match_are_left_out_and_counted() {
    let json = |tree: &Value| json!({ "jsonPredicateHints": tree.to_string() });
    let sql = |text: &str| json!({ "predicateHints": [text] });
    let day = equal("date", "2021-04-28", "date");
    for (body, files, dropped) in [
        (json!({}), &["a", "b", "c", "none", "timed"][..], 0),
        (json(&day), &["a", "c"], 3),
        (sql("date = '2021-04-28'"), &["a", "c"], 3),
        (sql("date IS NULL"), &["none"], 4),
        (sql("date > '2021-05-01'"), &[], 5),
        // Only one file says anything of it.
        (
            sql("eventTime > '2021-05-01T00:00:00Z'"),
            &["a", "b", "c", "none"],
            1,
        ),
        // Both must hold.
        (
            json!({ "predicateHints": ["date >= '2021-04-28'"], "jsonPredicateHints": day.to_string() }),
            &["a", "c"],
            3,
        ),
        // What is left out for the limit was not left out for the predicate.
        (
            json!({ "predicateHints": ["date = '2021-04-28'"], "limitHint": 1 }),
            &["a"],
            0,
        ),
        // A failure to understand is no error.
        (
            json!({ "jsonPredicateHints": "{" }),
            &["a", "b", "c", "none", "timed"],
            0,
        ),
        (sql("date ~ 'x'"), &["a", "b", "c", "none", "timed"], 0),
    ] {
        let (found, left_out) = answered(&body).await;
        assert_eq!(found, files, "{body}");
        assert_eq!(left_out, dropped, "{body}");
    }
}

/// §1.14, 6: clients compare column names in lower case.
#[tokio::test]
async fn trap_6_columns_are_found_whatever_their_case() {
    for column in ["date", "DATE", "Date"] {
        let tree = equal(column, "2021-04-29", "date").to_string();
        let (files, _) = answered(&json!({ "jsonPredicateHints": tree })).await;
        assert_eq!(files, ["b"], "{column}");
    }
    let (files, _) =
        answered(&json!({ "predicateHints": ["EVENTTIME < '2021-04-30T00:00:00Z'"] })).await;
    assert_eq!(files, ["a", "b", "c", "none"]);
}
