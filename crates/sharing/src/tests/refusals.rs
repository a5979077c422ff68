//! Everything that is not a 200.

use std::collections::BTreeMap;

use axum::body::Body;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::actions::{SCHEMA, add, metadata, metadata_with, protocol};
use super::gate::Fault;
use super::world::{ALICE, World, assert_error, call, visits, visits_table};
use crate::request::BODY_LIMIT;

#[tokio::test]
async fn what_does_not_exist() {
    let world = visits_table().await;
    let long = "a".repeat(256);
    for path in [
        "/shares/nosuch".to_owned(),
        "/shares/nosuch/schemas".to_owned(),
        "/shares/nosuch/all-tables".to_owned(),
        "/shares/nosuch/schemas/default/tables".to_owned(),
        "/shares/sales/schemas/nosuch/tables".to_owned(),
        "/shares/%FF/schemas".to_owned(),
        "/shares/sales/schemas/%FF/tables".to_owned(),
        "/shares/sales/schemas/default/tables/nosuch/version".to_owned(),
        "/shares/sales/schemas/nosuch/tables/visits/metadata".to_owned(),
        "/shares/nosuch/schemas/default/tables/visits/metadata".to_owned(),
        "/shares/sales/schemas/default/tables/%FF/metadata".to_owned(),
        "/shares/sales/schemas/default/tables/visits%2F..%2Fx/metadata".to_owned(),
        "/shares/sales/schemas/default/tables/visits%00/metadata".to_owned(),
        "/shares/sales/schemas/default/tables/visits.x/metadata".to_owned(),
        "/shares/sales/schemas/default/tables/%20/metadata".to_owned(),
        format!("/shares/sales/schemas/default/tables/{long}/metadata"),
        "/no/such/endpoint".to_owned(),
    ] {
        assert_error(
            &world.get(&path).await,
            404,
            "RESOURCE_DOES_NOT_EXIST",
            &path,
        );
    }
    let answer = world.post(&visits("/queries/1234"), "{}").await;
    assert_error(&answer, 404, "RESOURCE_DOES_NOT_EXIST", "a query id");
    for (method, path) in [
        (Method::DELETE, "/shares".to_owned()),
        (Method::POST, visits("/metadata")),
        (Method::GET, visits("/query")),
    ] {
        let answer = world.send(call(method, &path, &[ALICE], "{}")).await;
        assert_error(&answer, 405, "UNSUPPORTED_OPERATION", &path);
        assert!(!answer.header("allow").is_empty(), "{path}");
    }
}

#[tokio::test]
async fn history_is_refused_in_the_words_that_clients_look_for() {
    let world = visits_table().await;
    let no_history = "Reading table by version or timestamp is not supported because history sharing is not enabled on table: sales.default.visits";
    for (method, rest, body, says) in [
        (
            "GET",
            "/version?startingTimestamp=2022-04-29T00:00:00Z",
            "",
            no_history,
        ),
        ("HEAD", "?startingTimestamp=abc", "", ""),
        ("GET", "/metadata?version=0", "", no_history),
        (
            "GET",
            "/metadata?timestamp=2022-04-29T00:00:00Z",
            "",
            no_history,
        ),
        (
            "GET",
            "/metadata?version=0&timestamp=x",
            "",
            "Please only provide one of: version,timestamp",
        ),
        (
            "GET",
            "/metadata?version=-1",
            "",
            "version cannot be negative.",
        ),
        (
            "GET",
            "/metadata?version=x",
            "",
            "'version' must be a number",
        ),
        ("GET", "/metadata?timestamp=random", "", no_history),
        ("POST", "/query", r#"{"timestamp":"random"}"#, no_history),
        ("POST", "/query", r#"{"version":0}"#, no_history),
        (
            "POST",
            "/query",
            r#"{"timestamp":"2022-04-29T00:00:00Z"}"#,
            no_history,
        ),
        (
            "POST",
            "/query",
            r#"{"startingVersion":"0","endingVersion":1}"#,
            no_history,
        ),
        (
            "POST",
            "/query",
            r#"{"version":1,"startingVersion":1}"#,
            "Please only provide one of: version,timestamp,startingVersion",
        ),
        (
            "POST",
            "/query",
            r#"{"refreshToken":"abc"}"#,
            "invalid 'refreshToken': query the table again without it",
        ),
        (
            "POST",
            "/query",
            r#"{"pageToken":"abc","maxFiles":3}"#,
            "invalid 'pageToken': send the parameters of the first page with it, or ask for that again without it",
        ),
        (
            "GET",
            "/changes?startingVersion=0&includeHistoricalMetadata=True",
            "",
            "cdf is not enabled on table sales.default.visits",
        ),
    ] {
        let answer = world
            .send(call(method.parse().unwrap(), &visits(rest), &[ALICE], body))
            .await;
        if method == "HEAD" {
            assert_eq!(
                (answer.status.as_u16(), answer.body.as_str()),
                (400, ""),
                "{rest}"
            );
        } else {
            assert_error(&answer, 400, "INVALID_PARAMETER_VALUE", rest);
            assert_eq!(answer.message(), says, "{rest} {body}");
        }
    }
    let answer = world
        .post(&visits("/temporary-table-credentials"), "{}")
        .await;
    assert_error(&answer, 400, "UNSUPPORTED_OPERATION", "credentials");
}

#[tokio::test]
async fn bodies_that_are_not_queries() {
    let world = visits_table().await;
    for body in [
        "",
        " ",
        "{",
        "[]",
        "\"x\"",
        r#"{"limitHint":{}}"#,
        r#"{"predicateHints":"x"}"#,
        "\u{0}",
    ] {
        assert_error(
            &world.post(&visits("/query"), body).await,
            400,
            "MALFORMED_REQUEST",
            body,
        );
    }
    // One byte more than the limit is refused, with its length declared or not; the limit itself is read.
    let fits = format!("{{\"x\":\"{}\"}}", "a".repeat(BODY_LIMIT - 8));
    assert_eq!(fits.len(), BODY_LIMIT);
    assert_eq!(
        world.post(&visits("/query"), &fits).await.status,
        StatusCode::OK
    );
    let large = format!("{fits} ");
    assert_error(
        &world.post(&visits("/query"), &large).await,
        413,
        "MALFORMED_REQUEST",
        "undeclared",
    );
    let declared = world
        .query_with(&visits("/query"), "{}", &[("content-length", "1048577")])
        .await;
    assert_error(&declared, 413, "MALFORMED_REQUEST", "declared");
    let record = world.records().pop().unwrap();
    assert_eq!(
        (record.status, record.error_code, record.files),
        (413, Some("MALFORMED_REQUEST"), 0)
    );
}

fn features(reader: &[&str]) -> Value {
    json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": reader, "writerFeatures": reader}})
}

#[tokio::test]
async fn a_table_that_needs_more_is_refused_by_the_features_name() {
    let vector = |storage: &str| {
        let mut file = add("f.parquet", Some("2021-04-28"), Some(1));
        file["add"]["deletionVector"] = json!({"storageType": storage, "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^", "offset": 4, "sizeInBytes": 40, "cardinality": 6});
        file
    };
    let mapped = BTreeMap::from([("delta.columnMapping.mode", "name")]);
    let both = ["responseformat=parquet", "responseformat=delta"];
    let all =
        "responseformat=delta,parquet;readerfeatures=deletionvectors,columnmapping,timestampntz";
    for (feature, commit, refused) in [
        (
            "deletionVectors",
            vec![features(&["deletionVectors"]), metadata(), vector("u")],
            [
                &both[..],
                &["responseformat=delta;readerfeatures=columnmapping"],
            ]
            .concat(),
        ),
        (
            "columnMapping",
            vec![
                json!({"protocol": {"minReaderVersion": 2, "minWriterVersion": 5}}),
                metadata_with(SCHEMA, &mapped),
            ],
            both.to_vec(),
        ),
        // Left behind in the log of a table that says it needs nothing: the deleted rows would come back.
        (
            "deletionVectors",
            vec![protocol(), metadata(), vector("i")],
            both.to_vec(),
        ),
        // What nobody can be told here.
        (
            "catalogManaged",
            vec![features(&["catalogManaged"]), metadata()],
            [&both[..], &[all]].concat(),
        ),
        (
            "hologram",
            vec![features(&["hologram"]), metadata()],
            [&both[..], &[all]].concat(),
        ),
    ] {
        let world = World::of(&[&commit]).await;
        for capabilities in refused {
            let headers = [ALICE, ("delta-sharing-capabilities", capabilities)];
            for (method, rest) in [(Method::GET, "/metadata"), (Method::POST, "/query")] {
                let answer = world
                    .send(call(method, &visits(rest), &headers, "{}"))
                    .await;
                assert_error(&answer, 400, "UNSUPPORTED_OPERATION", feature);
                assert!(answer.message().contains(feature), "{}", answer.message());
            }
        }
        assert_eq!(world.sign_calls(), 0);
    }

    let world = visits_table().await;
    world.fault(Fault::Open);
    let answer = world.get(&visits("/metadata")).await;
    assert_error(&answer, 400, "UNSUPPORTED_OPERATION", "said by the gate");
    assert!(answer.message().contains("v2Checkpoint"));

    let answer = visits_table()
        .await
        .get_with(
            &visits("/metadata"),
            &[("delta-sharing-capabilities", "responseformat=iceberg")],
        )
        .await;
    assert_error(
        &answer,
        400,
        "UNSUPPORTED_OPERATION",
        "a format nobody knows",
    );
}

/// A producer's broken table is neither the caller's fault nor cured by calling again.
#[tokio::test]
async fn a_log_that_cannot_be_read_is_no_5xx_and_shows_nothing_of_itself() {
    let escape = add("../../secret/f.parquet", None, None);
    let no_schema = metadata_with("{\"type\":", &BTreeMap::new());
    for (what, status, code, commits) in [
        ("no log", 404, "RESOURCE_DOES_NOT_EXIST", vec![]),
        (
            "a path outside",
            400,
            "UNSUPPORTED_OPERATION",
            vec![vec![protocol(), metadata(), escape]],
        ),
        (
            "no metadata",
            400,
            "UNSUPPORTED_OPERATION",
            vec![vec![protocol()]],
        ),
        (
            "no schema",
            400,
            "UNSUPPORTED_OPERATION",
            vec![vec![protocol(), no_schema]],
        ),
    ] {
        let commits: Vec<&[Value]> = commits.iter().map(Vec::as_slice).collect();
        let world = World::of(&commits).await;
        for (method, rest) in [(Method::GET, "/metadata"), (Method::POST, "/query")] {
            let answer = world
                .send(call(method, &visits(rest), &[ALICE], "{}"))
                .await;
            assert_error(&answer, status, code, what);
            assert!(
                !answer.body.contains("secret") && !answer.body.contains("_delta_log"),
                "{}",
                answer.body
            );
        }
        // What points outside is told to the provider, with the version.
        for record in world.records() {
            let escape = record.escape.map(|escape| {
                assert!(escape.sentence.contains("outside the table"), "{escape:?}");
                escape.version
            });
            let expected = (what == "a path outside").then_some(Some(0));
            assert_eq!(escape, expected, "{what}");
        }
        assert_eq!(world.records().len(), 2);
    }
    let answer = World::of(&[]).await.get(&visits("/version")).await;
    assert_error(&answer, 404, "RESOURCE_DOES_NOT_EXIST", "version of no log");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_refused() {
    let world = visits_table().await;
    let pieces = futures::stream::iter([Ok("{\"limit"), Err(std::io::Error::other("gone"))]);
    let mut request = call(Method::POST, &visits("/query"), &[ALICE], "");
    *request.body_mut() = Body::from_stream(pieces);
    assert_error(
        &world.send(request).await,
        400,
        "MALFORMED_REQUEST",
        "broken body",
    );
}
