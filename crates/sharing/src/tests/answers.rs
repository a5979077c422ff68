//! Versions, metadata and files, to the letter.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::actions::{FILES, SCHEMA, add, metadata, metadata_with, protocol};
use super::world::{CAPABILITIES, EXPIRES, World, call, visits};
use crate::{Endpoint, Outcome};

/// The reference's table2: two files, ids known to its client's tests.
async fn table2() -> World {
    World::of(&[
        &[protocol(), metadata()],
        &[
            add(FILES[0].0, Some(FILES[0].1), Some(1)),
            add(FILES[1].0, None, None),
        ],
    ])
    .await
}

const PARQUET_HEAD: [&str; 2] = [
    r#"{"protocol":{"minReaderVersion":1}}"#,
    r#"{"metaData":{"id":"f8d5c169-3d01-4ca3-ad9e-7dc3355aedb2","format":{"provider":"parquet"},"schemaString":"{\"type\":\"struct\",\"fields\":[{\"name\":\"eventTime\",\"type\":\"timestamp\",\"nullable\":true,\"metadata\":{\"comment\":\"when\"}},{\"name\":\"date\",\"type\":\"date\",\"nullable\":true,\"metadata\":{}}]}","partitionColumns":["date"],"configuration":{}}}"#,
];

/// To who asks for that format alone.
const PARQUET_ONLY: [&str; 2] = [
    r#"{"protocol":{"minReaderVersion":1}}"#,
    r#"{"metaData":{"id":"f8d5c169-3d01-4ca3-ad9e-7dc3355aedb2","format":{"provider":"parquet"},"schemaString":"{\"type\":\"struct\",\"fields\":[{\"name\":\"eventTime\",\"type\":\"timestamp\",\"nullable\":true,\"metadata\":{\"comment\":\"when\"}},{\"name\":\"date\",\"type\":\"date\",\"nullable\":true,\"metadata\":{}}]}","partitionColumns":["date"],"configuration":{},"size":1146,"numFiles":2}}"#,
];

const DELTA_HEAD: [&str; 2] = [
    r#"{"protocol":{"deltaProtocol":{"minReaderVersion":1,"minWriterVersion":2}}}"#,
    r#"{"metaData":{"deltaMetadata":{"id":"f8d5c169-3d01-4ca3-ad9e-7dc3355aedb2","format":{"provider":"parquet","options":{}},"schemaString":"{\"type\":\"struct\",\"fields\":[{\"name\":\"eventTime\",\"type\":\"timestamp\",\"nullable\":true,\"metadata\":{\"comment\":\"when\",\"owner\":\"internal\"}},{\"name\":\"date\",\"type\":\"date\",\"nullable\":true,\"metadata\":{}}]}","partitionColumns":["date"],"configuration":{},"createdTime":1619652806000},"size":1146,"numFiles":2}}"#,
];

#[tokio::test]
async fn version_is_a_header_and_nothing_else() {
    let world = table2().await;
    for (method, path) in [
        (Method::GET, visits("/version")),
        (Method::HEAD, visits("")),
        (Method::HEAD, visits("/version")),
    ] {
        let answer = world
            .send(call(
                method,
                &path,
                &[("authorization", "Bearer token-alice")],
                "",
            ))
            .await;
        assert_eq!(
            (
                answer.status,
                answer.header("delta-table-version"),
                answer.body.as_str()
            ),
            (StatusCode::OK, "1", ""),
            "{path}"
        );
    }
    for record in world.records() {
        assert_eq!(
            (record.endpoint, record.version, record.outcome),
            (Endpoint::Version, Some(1), Outcome::Answered)
        );
    }
    assert_eq!(world.records().len(), 3);
}

#[tokio::test]
async fn metadata_is_two_lines_in_the_format_asked_for() {
    let world = table2().await;
    for (capabilities, said, expected) in [
        (None, "responseformat=parquet", PARQUET_HEAD),
        (
            Some("responseformat=parquet"),
            "responseformat=parquet",
            PARQUET_ONLY,
        ),
        (
            Some(
                "responseformat=delta,parquet;readerfeatures=deletionvectors,columnmapping,timestampntz",
            ),
            "responseformat=parquet",
            PARQUET_HEAD,
        ),
        (
            Some("ResponseFormat=Delta;includeEndStreamAction=true"),
            "responseformat=delta",
            DELTA_HEAD,
        ),
    ] {
        let headers: Vec<(&str, &str)> = capabilities
            .into_iter()
            .map(|value| (CAPABILITIES, value))
            .collect();
        let answer = world.get_with(&visits("/metadata"), &headers).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(
            answer.header("content-type"),
            "application/x-ndjson; charset=utf-8"
        );
        assert_eq!(answer.header(CAPABILITIES), said);
        assert_eq!(answer.header("delta-table-version"), "1");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.lines(), expected);
    }
    assert_eq!(world.sign_calls(), 0);
}

#[tokio::test]
async fn configuration_is_trimmed_to_what_a_reader_needs() {
    let configuration = BTreeMap::from([
        ("delta.enableChangeDataFeed", "true"),
        ("delta.minReaderVersion", "1"),
        ("team.secret", "x"),
    ]);
    let world = World::of(&[&[protocol(), metadata_with(SCHEMA, &configuration)]]).await;
    let line =
        |answer: &super::world::Answer| serde_json::from_str::<Value>(answer.lines()[1]).unwrap();
    let parquet = world.get(&visits("/metadata")).await;
    assert_eq!(
        line(&parquet)["metaData"]["configuration"],
        json!({"enableChangeDataFeed": "true"})
    );
    let delta = world
        .get_with(
            &visits("/metadata"),
            &[(CAPABILITIES, "responseformat=delta")],
        )
        .await;
    assert_eq!(
        line(&delta)["metaData"]["deltaMetadata"]["configuration"],
        json!({"delta.enableChangeDataFeed": "true", "delta.minReaderVersion": "1"})
    );
}

#[tokio::test]
async fn a_query_is_answered_in_parquet_format_to_the_letter() {
    let world = table2().await;
    let answer = world
        .post(
            &visits("/query"),
            r#"{"predicateHints":["date IN ('1999-01-01')"]}"#,
        )
        .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(
        answer.header("content-type"),
        "application/x-ndjson; charset=utf-8"
    );
    assert_eq!(answer.header(CAPABILITIES), "responseformat=parquet");
    assert_eq!(
        (
            answer.header("delta-table-version"),
            answer.header("fileidhash")
        ),
        ("1", "")
    );
    let url = |n: usize| {
        format!(
            "https://store.example/{}?X-Amz-Signature=s&n={n}",
            FILES[n].0
        )
    };
    assert_eq!(
        answer.lines(),
        [
            PARQUET_HEAD[0].to_owned(),
            PARQUET_HEAD[1].to_owned(),
            format!(
                r#"{{"file":{{"url":"{}","id":"9f1a49539c5cffe1ea7f9e055d5c003c","partitionValues":{{"date":"2021-04-28"}},"size":573,"stats":"{{\"numRecords\":1}}","expirationTimestamp":1900000000000}}}}"#,
                url(0)
            ),
            format!(
                r#"{{"file":{{"url":"{}","id":"cd2209b32f5ed5305922dd50f5908a75","partitionValues":{{"date":""}},"size":573,"expirationTimestamp":1899999999000}}}}"#,
                url(1)
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
        (Endpoint::Query, Outcome::Answered, 200, Some(1))
    );
    assert_eq!((record.files, record.bytes_signed), (2, 1_146));
    assert_eq!(
        (
            record.share.as_str(),
            record.schema.as_str(),
            record.table.as_str()
        ),
        ("sales", "default", "visits")
    );
    assert_eq!(record.reader.unwrap().name, "alice");
    assert!(record.query.is_some() && record.grant.is_some() && record.table_id.is_some());
    assert_eq!(
        record.handle.unwrap().downcast_ref::<String>().unwrap(),
        "the gate's own"
    );
}

#[tokio::test]
async fn a_query_is_answered_in_delta_format_to_the_letter() {
    let world = table2().await;
    let answer = world
        .query_with(
            &visits("/query"),
            "{}",
            &[(CAPABILITIES, "responseformat=delta")],
        )
        .await;
    assert_eq!(answer.header(CAPABILITIES), "responseformat=delta");
    let url = |n: usize| {
        format!(
            "https://store.example/{}?X-Amz-Signature=s&n={n}",
            FILES[n].0
        )
    };
    let id = |n: usize| {
        use sha2::Digest as _;
        hex::encode(sha2::Sha256::digest(FILES[n].0.as_bytes()))
    };
    assert_eq!(
        answer.lines(),
        [
            DELTA_HEAD[0].to_owned(),
            DELTA_HEAD[1].to_owned(),
            format!(
                r#"{{"file":{{"id":"{}","expirationTimestamp":1900000000000,"deltaSingleAction":{{"add":{{"path":"{}","partitionValues":{{"date":"2021-04-28"}},"size":573,"modificationTime":1619652807000,"dataChange":true,"stats":"{{\"numRecords\":1}}"}}}}}}}}"#,
                id(0),
                url(0)
            ),
            format!(
                r#"{{"file":{{"id":"{}","expirationTimestamp":1899999999000,"deltaSingleAction":{{"add":{{"path":"{}","partitionValues":{{"date":null}},"size":573,"modificationTime":1619652807000,"dataChange":true}}}}}}}}"#,
                id(1),
                url(1)
            ),
        ]
    );
}

#[tokio::test]
async fn the_client_may_choose_how_file_ids_are_derived() {
    let world = table2().await;
    for (format, hash, said, length) in [
        ("parquet", " Delta", "delta", 64),
        ("delta", "PARQUET", "parquet", 32),
    ] {
        let capabilities = format!("responseformat={format}");
        let answer = world
            .query_with(
                &visits("/query"),
                "{}",
                &[(CAPABILITIES, &capabilities), ("fileidhash", hash)],
            )
            .await;
        assert_eq!(
            (answer.header("fileidhash"), answer.header(CAPABILITIES)),
            (said, capabilities.as_str())
        );
        let file: Value = serde_json::from_str(answer.lines()[2]).unwrap();
        assert_eq!(file["file"]["id"].as_str().unwrap().len(), length);
    }
    for path in [visits("/query"), visits("/metadata")] {
        let method = if path.ends_with("query") {
            Method::POST
        } else {
            Method::GET
        };
        let headers = [
            ("authorization", "Bearer token-alice"),
            ("fileidhash", "sha1"),
        ];
        let answer = world.send(call(method, &path, &headers, "{}")).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::BAD_REQUEST, "INVALID_PARAMETER_VALUE")
        );
    }
}

/// H4: the Python connector dies of a line it did not ask for, Spark of one that is missing.
#[tokio::test]
async fn the_line_that_ends_an_answer_comes_only_to_those_who_know_it() {
    let asked = "responseformat=parquet;includeendstreamaction=true";
    for (capabilities, body, comes, said) in [
        (
            "responseformat=parquet",
            "{}",
            false,
            "responseformat=parquet",
        ),
        (
            "includeendstreamaction=false",
            r#"{"includeRefreshToken":false}"#,
            false,
            "responseformat=parquet",
        ),
        (asked, "{}", true, asked),
        (
            "responseformat=parquet",
            r#"{"includeRefreshToken":true}"#,
            true,
            "responseformat=parquet",
        ),
        (
            "responseformat=parquet",
            r#"{"maxFiles":2}"#,
            true,
            "responseformat=parquet",
        ),
        (asked, r#"{"includeRefreshToken":true}"#, true, asked),
    ] {
        let world = table2().await;
        let answer = world
            .query_with(&visits("/query"), body, &[(CAPABILITIES, capabilities)])
            .await;
        assert_eq!(answer.header(CAPABILITIES), said, "{capabilities} {body}");
        let lines = answer.lines();
        assert_eq!(
            lines.len(),
            if comes { 5 } else { 4 },
            "{capabilities} {body}"
        );
        let last: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
        let mut end = json!({"minUrlExpirationTimestamp": EXPIRES - 1_000});
        if body.contains("true") {
            end["refreshToken"] = last["endStreamAction"]["refreshToken"].clone();
            assert!(end["refreshToken"].is_string(), "{capabilities} {body}");
        }
        assert_eq!(
            last == json!({ "endStreamAction": end }),
            comes,
            "{capabilities} {body}: {last}"
        );
    }
}

#[tokio::test]
async fn a_table_without_files_has_no_file_lines() {
    let world = World::of(&[&[protocol(), metadata()]]).await;
    assert_eq!(
        world.post(&visits("/query"), "{}").await.lines(),
        PARQUET_HEAD
    );
    let answer = world
        .post(&visits("/query"), r#"{"includeRefreshToken":true}"#)
        .await;
    let end = r#"{"endStreamAction":{"refreshToken":""#;
    assert!(answer.lines()[2].starts_with(end), "{}", answer.body);
    assert_eq!(world.sign_calls(), 0);
}

#[tokio::test]
async fn enough_files_are_enough() {
    let files: Vec<Value> = [Some(10), None, Some(0), Some(5), Some(7)]
        .iter()
        .enumerate()
        .map(|(n, rows)| add(&format!("f{n}.parquet"), Some("2021-04-28"), *rows))
        .collect();
    for (body, expected) in [
        ("{}", 5),
        (r#"{"limitHint":0}"#, 0),
        (r#"{"limitHint":1}"#, 1),
        (r#"{"limitHint":10}"#, 1),
        (r#"{"limitHint":11}"#, 4),
        (r#"{"limitHint":"15"}"#, 4),
        (r#"{"limitHint":16}"#, 5),
        (r#"{"limitHint":9223372036854775807}"#, 5),
        // Behind the predicates: rows of which it is not certain that they match do not count.
        (
            r#"{"limitHint":1,"predicateHints":["date = '1999-01-01'"]}"#,
            0,
        ),
        (
            r#"{"limitHint":11,"predicateHints":["date = '2021-04-28'"]}"#,
            4,
        ),
        (
            r#"{"limitHint":1,"predicateHints":["eventTime IS NOT NULL"]}"#,
            5,
        ),
        (
            r#"{"limitHint":1,"jsonPredicateHints":"{\"op\":\"not\"}"}"#,
            5,
        ),
    ] {
        let world = World::of(&[&[protocol(), metadata()], &files]).await;
        let answer = world.post(&visits("/query"), body).await;
        let ids: Vec<bool> = answer.lines()[2..]
            .iter()
            .map(|line| line.starts_with(r#"{"file":{"url":"https://store.example/f"#))
            .collect();
        assert_eq!(ids, vec![true; expected], "{body}");
        assert_eq!(world.record().files, expected as u64);
    }
}

#[tokio::test]
async fn names_are_decoded_and_compared_without_regard_to_case() {
    let world = table2().await;
    for path in [
        "/shares/SALES/schemas/Default/tables/VISITS",
        "/shares/sale%73/schemas/%64efault/tables/vis%49ts",
        "//shares/sales/schemas/default/tables/visits",
    ] {
        assert_eq!(
            world.get(&format!("{path}/metadata")).await.lines(),
            PARQUET_HEAD,
            "{path}"
        );
    }
}

#[tokio::test]
async fn what_unicode_takes_for_a_line_is_none() {
    let mut file = add("f.parquet", Some("a\u{2028}b\u{85}c"), None);
    file["add"]["stats"] =
        Value::String("{\"numRecords\":1,\"maxValues\":{\"s\":\"x\u{2029}y\"}}".to_owned());
    let world = World::of(&[&[protocol(), metadata()], &[file]]).await;
    let answer = world.post(&visits("/query"), "{}").await;
    assert!(!answer.body.contains(['\u{85}', '\u{2028}', '\u{2029}']));
    let line: Value = serde_json::from_str(answer.lines()[2]).unwrap();
    assert_eq!(line["file"]["partitionValues"]["date"], "a\u{2028}b\u{85}c");
    assert!(
        line["file"]["stats"]
            .as_str()
            .unwrap()
            .contains("x\u{2029}y")
    );
}

const NTZ_SCHEMA: &str = r#"{"type":"struct","fields":[{"name":"at","type":"timestamp_ntz","nullable":true,"metadata":{}}]}"#;

fn features(reader: &[&str]) -> Value {
    json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": reader, "writerFeatures": reader}})
}

/// H2, H3: what a client cannot read it is not given; what a table does not use nobody needs to know.
#[tokio::test]
async fn timestamps_without_zone_go_to_clients_that_know_them() {
    let in_use = World::of(&[&[
        features(&["timestampNtz"]),
        metadata_with(NTZ_SCHEMA, &BTreeMap::new()),
    ]])
    .await;
    let listed = World::of(&[&[features(&["timestampNtz"]), metadata()]]).await;
    let unsorted =
        World::of(&[&[features(&["timestampNtz", "deletionVectors"]), metadata()]]).await;
    let parquet = r#"{"protocol":{"minReaderVersion":1}}"#;
    let plain = r#"{"protocol":{"deltaProtocol":{"minReaderVersion":1,"minWriterVersion":2}}}"#;
    let full = r#"{"protocol":{"deltaProtocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["timestampNtz"],"writerFeatures":["timestampNtz"]}}}"#;
    // The order is the log's.
    let both = full.replace(
        r#"["timestampNtz"]"#,
        r#"["timestampNtz","deletionVectors"]"#,
    );
    for (world, capabilities, expected) in [
        (&in_use, "responseformat=parquet", Some(parquet)),
        (&in_use, "responseformat=delta,parquet", Some(parquet)),
        (
            &in_use,
            "responseformat=delta,parquet;readerfeatures=deletionvectors,timestampNtz",
            Some(full),
        ),
        (
            &in_use,
            "responseformat=delta;readerfeatures=timestampntz",
            Some(full),
        ),
        (&in_use, "responseformat=delta", None),
        (
            &in_use,
            "responseformat=delta;readerfeatures=deletionvectors",
            None,
        ),
        (&listed, "responseformat=delta", Some(plain)),
        (
            &listed,
            "responseformat=delta;readerfeatures=deletionvectors",
            Some(full),
        ),
        (
            &listed,
            "responseformat=delta,parquet;readerfeatures=timestampntz",
            Some(parquet),
        ),
        (
            &unsorted,
            "responseformat=delta;readerfeatures=deletionvectors",
            Some(both.as_str()),
        ),
    ] {
        let answer = world
            .get_with(&visits("/metadata"), &[(CAPABILITIES, capabilities)])
            .await;
        match expected {
            Some(line) => assert_eq!(answer.lines()[0], line, "{capabilities}"),
            None => {
                assert_eq!(
                    (answer.status, answer.code().as_str()),
                    (StatusCode::BAD_REQUEST, "UNSUPPORTED_OPERATION"),
                    "{capabilities}"
                );
                assert!(
                    answer.message().contains("timestampNtz")
                        && answer.message().contains("readerfeatures="),
                    "{}",
                    answer.message()
                );
            }
        }
    }
}
