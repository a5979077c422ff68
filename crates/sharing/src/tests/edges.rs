//! What clients send, and what tables are, at the edges of what there may be.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::json;

use super::actions::{add, metadata, metadata_with, protocol};
use super::world::{CAPABILITIES, World, assert_error, visits, visits_table};

#[tokio::test]
async fn tables_without_files_or_columns_and_with_long_keys() {
    let no_columns = r#"{"type":"struct","fields":[]}"#;
    let mut bare = metadata_with(no_columns, &BTreeMap::new());
    bare["metaData"]["partitionColumns"] = json!([]);
    let world = World::of(&[&[protocol(), bare]]).await;
    for capabilities in ["responseformat=parquet", "responseformat=delta"] {
        let headers = [(CAPABILITIES, capabilities)];
        let answer = world.query_with(&visits("/query"), "{}", &headers).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.lines().len(), 2, "{}", answer.body);
    }
    let long = format!("{}x.parquet", format!("{}/", "a".repeat(200)).repeat(4));
    let world = World::of(&[
        &[protocol(), metadata()],
        &[add(&long, Some("2021-04-28"), Some(1))],
    ])
    .await;
    let answer = world.post(&visits("/query"), "{}").await;
    assert_eq!(answer.lines().len(), 3, "{}", answer.body);
    assert!(answer.body.contains(&long));
    let none = world.post(&visits("/query"), r#"{"limitHint":0}"#).await;
    assert_eq!(none.lines().len(), 2, "{}", none.body);
}

#[tokio::test]
async fn a_body_is_read_as_it_is() {
    let world = visits_table().await;
    for (coding, is_read) in [
        ("identity", true),
        (" Identity ", true),
        ("gzip", false),
        ("br", false),
    ] {
        let headers = [("content-encoding", coding)];
        let answer = world.query_with(&visits("/query"), "{}", &headers).await;
        if is_read {
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        } else {
            assert_error(&answer, 400, "MALFORMED_REQUEST", coding);
        }
    }
}
