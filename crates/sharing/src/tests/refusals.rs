//! Everything that is not a 200.

use std::collections::BTreeMap;
use std::net::IpAddr;

use axum::body::Body;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::world::{
    Answer, FILES, Fault, SCHEMA, World, add, call, metadata, metadata_with, protocol, visits,
};
use crate::request::BODY_LIMIT;
use crate::{Endpoint, Outcome, Peer};

async fn visits_table() -> World {
    World::of(&[&[
        protocol(),
        metadata(),
        add(FILES[0].0, Some(FILES[0].1), Some(1)),
    ]])
    .await
}

const ALICE: (&str, &str) = ("authorization", "Bearer token-alice");

fn assert_error(answer: &Answer, status: u16, code: &str, what: &str) {
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (status, code),
        "{what}: {}",
        answer.body
    );
    assert_eq!(answer.header("content-type"), "application/json", "{what}");
    assert_eq!(answer.header("cache-control"), "no-store", "{what}");
    assert!(
        !answer.body.contains('\n') && !answer.message().is_empty(),
        "{what}"
    );
    assert!(!answer.header("x-request-id").is_empty(), "{what}");
    let keys: Vec<String> = answer.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["errorCode", "message"], "{what}");
}

const EVERY_PATH: [(&str, &str); 14] = [
    ("GET", "/shares"),
    ("GET", "/shares/sales"),
    ("GET", "/shares/sales/schemas"),
    ("GET", "/shares/sales/all-tables"),
    ("GET", "/shares/sales/schemas/default/tables"),
    ("GET", "/shares/sales/schemas/default/tables/visits"),
    ("GET", "/shares/sales/schemas/default/tables/visits/version"),
    (
        "GET",
        "/shares/sales/schemas/default/tables/visits/metadata",
    ),
    ("POST", "/shares/sales/schemas/default/tables/visits/query"),
    (
        "GET",
        "/shares/sales/schemas/default/tables/visits/changes?startingVersion=0",
    ),
    (
        "POST",
        "/shares/sales/schemas/default/tables/visits/temporary-table-credentials",
    ),
    (
        "POST",
        "/shares/sales/schemas/default/tables/visits/queries/1",
    ),
    ("GET", "/no/such/endpoint"),
    ("DELETE", "/shares"),
];

/// C-29: whatever else a request carries, without a good `Authorization` header it is nobody's.
#[tokio::test]
async fn every_path_asks_for_the_bearer_token_first_and_in_the_header_only() {
    let world = visits_table().await;
    let headers: [&[(&str, &str)]; 12] = [
        &[],
        &[(
            "cookie",
            "authorization=Bearer token-alice; session=token-alice",
        )],
        &[("x-authorization", "Bearer token-alice")],
        &[("authorization", "token-alice")],
        &[("authorization", "Basic dG9rZW4tYWxpY2U6")],
        &[("authorization", "Bearer")],
        &[("authorization", "Bearer ")],
        &[("authorization", "Bearer token-alice token-alice")],
        &[("authorization", "Bearer wrong")],
        &[("authorization", "Bearer tökén")],
        &[ALICE, ALICE],
        &[("authorization", "Bearer token-expired")],
    ];
    for (method, path) in EVERY_PATH {
        for headers in headers {
            let separator = if path.contains('?') { '&' } else { '?' };
            let path = format!(
                "{path}{separator}access_token=token-alice&token=token-alice&authorization=Bearer+token-alice"
            );
            let answer = world
                .send(call(method.parse().unwrap(), &path, headers, "{}"))
                .await;
            assert_error(
                &answer,
                401,
                "UNAUTHENTICATED",
                &format!("{method} {path} {headers:?}"),
            );
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
    assert_eq!(world.sign_calls(), 0);
    for headers in [
        [("authorization", "bearer token-alice")],
        [("authorization", "BEARER  token-alice ")],
    ] {
        assert_eq!(
            world
                .send(call(Method::GET, "/shares", &headers, ""))
                .await
                .status,
            StatusCode::OK
        );
    }
}

#[tokio::test]
async fn the_answer_says_what_is_wrong_with_a_token_and_nothing_of_the_inside() {
    let world = visits_table().await;
    for (token, status, code, says) in [
        (
            "token-expired",
            401,
            "UNAUTHENTICATED",
            "the bearer token has expired; download a new profile",
        ),
        (
            "token-unknown",
            401,
            "UNAUTHENTICATED",
            "the bearer token is invalid",
        ),
        (
            "token-revoked",
            401,
            "UNAUTHENTICATED",
            "the bearer token is invalid: it was revoked; URLs already issued work until 2026-11-20T12:00:00Z",
        ),
        (
            "token-elsewhere",
            403,
            "PERMISSION_DENIED",
            "this address is not on the recipient's list",
        ),
        (
            "token-busy",
            429,
            "REQUEST_LIMIT_EXCEEDED",
            "too many requests; try again later",
        ),
        (
            "token-later",
            503,
            "TEMPORARILY_UNAVAILABLE",
            "not available at the moment; try again (request r-1)",
        ),
        (
            "token-broken",
            500,
            "INTERNAL_ERROR",
            "internal error (request r-1)",
        ),
    ] {
        for path in ["/shares".to_owned(), visits("/metadata")] {
            let bearer = format!("Bearer {token}");
            let answer = world
                .send(call(
                    Method::GET,
                    &path,
                    &[("authorization", &bearer), ("x-request-id", "r-1")],
                    "",
                ))
                .await;
            assert_error(&answer, status, code, token);
            assert_eq!(answer.message(), says);
            assert_eq!(answer.header("x-request-id"), "r-1");
            assert_eq!(
                answer.header("retry-after"),
                if status == 429 { "7" } else { "" }
            );
        }
    }
}

/// C7: nobody can find out what exists by asking for it.
#[tokio::test]
async fn what_is_not_granted_answers_like_what_does_not_exist() {
    let world = visits_table().await;
    world.share("other");
    world
        .table("other", "default", "hidden", &[&[protocol(), metadata()]])
        .await;
    let paths = |table: &str| {
        let base = format!("/shares/other/schemas/default/tables/{table}");
        [
            (Method::GET, base.clone()),
            (Method::GET, format!("{base}/version")),
            (
                Method::GET,
                format!("{base}/version?startingTimestamp=2022-01-01T00:00:00Z"),
            ),
            (Method::GET, format!("{base}/metadata")),
            (Method::POST, format!("{base}/query")),
            (Method::GET, format!("{base}/changes?startingVersion=0")),
            (Method::POST, format!("{base}/temporary-table-credentials")),
        ]
    };
    for (method, path) in paths("hidden") {
        let granted = world.send(call(method, &path, &[ALICE], "{}")).await;
        assert_ne!(granted.status, StatusCode::NOT_FOUND, "{path}");
    }
    world.ungrant("other", "hidden");
    for ((method, hidden), (_, nowhere)) in paths("hidden").into_iter().zip(paths("nosuch")) {
        let hidden = world
            .send(call(method.clone(), &hidden, &[ALICE], "{}"))
            .await;
        let nowhere = world.send(call(method, &nowhere, &[ALICE], "{}")).await;
        assert_error(&hidden, 404, "RESOURCE_DOES_NOT_EXIST", "hidden");
        assert_eq!(hidden.body.replace("hidden", "nosuch"), nowhere.body);
        assert_eq!(
            hidden.headers.keys().collect::<Vec<_>>(),
            nowhere.headers.keys().collect::<Vec<_>>()
        );
    }
    let head = world
        .send(call(
            Method::HEAD,
            "/shares/other/schemas/default/tables/hidden",
            &[ALICE],
            "",
        ))
        .await;
    assert_eq!(
        (head.status, head.body.as_str()),
        (StatusCode::NOT_FOUND, "")
    );
}

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
            "this server issues no refresh tokens: query the table again without refreshToken",
        ),
        (
            "POST",
            "/query",
            r#"{"pageToken":"abc","maxFiles":3}"#,
            "this server issues no page tokens of queries: query the table again without pageToken",
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
    // Asking for an asynchronous answer is allowed and answered at once.
    let answer = world
        .query_with(
            &visits("/query"),
            r#"{"idempotency_key":"k"}"#,
            &[("delta-sharing-capabilities", "asyncquery=true")],
        )
        .await;
    assert_eq!((answer.status, answer.lines().len()), (StatusCode::OK, 3));
    assert_eq!(
        answer.header("delta-sharing-capabilities"),
        "responseformat=parquet"
    );
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
    for (feature, commit) in [
        (
            "deletionVectors",
            vec![features(&["deletionVectors"]), metadata(), vector("u")],
        ),
        (
            "columnMapping",
            vec![
                json!({"protocol": {"minReaderVersion": 2, "minWriterVersion": 5}}),
                metadata_with(SCHEMA, &mapped),
            ],
        ),
        // Left behind in the log of a table that says it needs nothing: the deleted rows would come back.
        ("deletionVectors", vec![protocol(), metadata(), vector("i")]),
    ] {
        let world = World::of(&[&commit]).await;
        for capabilities in [
            "responseformat=parquet",
            "responseformat=delta",
            "responseformat=delta,parquet;readerfeatures=deletionvectors,columnmapping",
        ] {
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
    }
    let answer = World::of(&[]).await.get(&visits("/version")).await;
    assert_error(&answer, 404, "RESOURCE_DOES_NOT_EXIST", "version of no log");
}

#[tokio::test]
async fn every_request_on_a_table_is_recorded_once_denials_included() {
    for (method, rest, headers, expected) in [
        (
            "GET",
            "/version",
            vec![ALICE],
            (Endpoint::Version, 200, None, Outcome::Answered),
        ),
        (
            "GET",
            "/metadata",
            vec![ALICE],
            (Endpoint::Metadata, 200, None, Outcome::Answered),
        ),
        (
            "POST",
            "/query",
            vec![ALICE],
            (Endpoint::Query, 200, None, Outcome::Answered),
        ),
        (
            "GET",
            "/changes",
            vec![ALICE],
            (
                Endpoint::Changes,
                400,
                Some("INVALID_PARAMETER_VALUE"),
                Outcome::Refused,
            ),
        ),
        (
            "POST",
            "/temporary-table-credentials",
            vec![ALICE],
            (
                Endpoint::TemporaryCredentials,
                400,
                Some("UNSUPPORTED_OPERATION"),
                Outcome::Refused,
            ),
        ),
        (
            "GET",
            "/metadata",
            vec![],
            (
                Endpoint::Metadata,
                401,
                Some("UNAUTHENTICATED"),
                Outcome::Refused,
            ),
        ),
        (
            "POST",
            "/query",
            vec![("authorization", "Bearer x")],
            (
                Endpoint::Query,
                401,
                Some("UNAUTHENTICATED"),
                Outcome::Refused,
            ),
        ),
        (
            "POST",
            "2/query",
            vec![ALICE],
            (
                Endpoint::Query,
                404,
                Some("RESOURCE_DOES_NOT_EXIST"),
                Outcome::Refused,
            ),
        ),
        (
            "GET",
            "/metadata?version=1",
            vec![ALICE],
            (
                Endpoint::Metadata,
                400,
                Some("INVALID_PARAMETER_VALUE"),
                Outcome::Refused,
            ),
        ),
    ] {
        let world = visits_table().await;
        let authorized = headers == [ALICE];
        world
            .send(call(method.parse().unwrap(), &visits(rest), &headers, "{}"))
            .await;
        let record = world.record();
        assert_eq!(
            (
                record.endpoint,
                record.status,
                record.error_code,
                record.outcome
            ),
            expected,
            "{method} {rest}"
        );
        assert_eq!(record.reader.is_some(), authorized, "{method} {rest}");
        assert_eq!(
            record.query.is_some(),
            authorized && record.status != 404,
            "{method} {rest}"
        );
        assert_eq!(
            record.files,
            u64::from(record.endpoint == Endpoint::Query && record.status == 200)
        );
    }
    let world = visits_table().await;
    world.get("/shares").await;
    world.get("/shares/sales/all-tables").await;
    assert!(
        world.records().is_empty(),
        "lists are not requests on a table"
    );
}

#[tokio::test]
async fn records_hold_no_control_characters_and_no_endless_text() {
    let world = visits_table().await;
    let agent = format!("Delta-Sharing-Python/1.0\tx {}", "y".repeat(1_000));
    let path = format!(
        "/shares/%1b%5B31m%0aX/schemas/{}/tables/t/metadata",
        "s".repeat(1_000)
    );
    let mut request = call(
        Method::GET,
        &path,
        &[ALICE, ("user-agent", &agent), ("x-request-id", "bad id\t!")],
        "",
    );
    request
        .extensions_mut()
        .insert(Peer("192.0.2.7".parse().unwrap()));
    world.send(request).await;
    let record = world.record();
    assert_eq!((record.share.as_str(), record.schema.len()), ("[31mx", 255));
    assert!(
        record
            .user_agent
            .starts_with("Delta-Sharing-Python/1.0x yyy")
            && record.user_agent.len() == 256
    );
    assert_eq!(record.peer, Some(IpAddr::from([192, 0, 2, 7])));
    assert_eq!(record.request_id.len(), 36, "{}", record.request_id);
}

#[tokio::test]
async fn the_gate_learns_where_the_call_comes_from() {
    use axum::extract::ConnectInfo;
    use std::net::SocketAddr;

    let world = visits_table().await;
    let request = || {
        call(
            Method::GET,
            "/shares",
            &[ALICE, ("x-forwarded-for", "203.0.113.9")],
            "",
        )
    };
    let connected = ConnectInfo(SocketAddr::from(([198, 51, 100, 1], 4711)));
    let mut with_connection = request();
    with_connection.extensions_mut().insert(connected);
    let mut with_both = request();
    with_both.extensions_mut().insert(connected);
    with_both
        .extensions_mut()
        .insert(Peer(IpAddr::from([192, 0, 2, 7])));
    for request in [request(), with_connection, with_both] {
        world.send(request).await;
    }
    assert_eq!(
        world.peers(),
        [
            None,
            Some(IpAddr::from([198, 51, 100, 1])),
            Some(IpAddr::from([192, 0, 2, 7]))
        ]
    );
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
