//! Who is let in, who is not, and what is written down about it.

use std::net::IpAddr;

use http::{Method, StatusCode};

use super::actions::{metadata, protocol};
use super::gate::Fault;
use super::world::{ALICE, assert_error, call, visits, visits_table};
use crate::{Endpoint, Outcome, Peer};

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

/// Who had access is told that and when it ended, by every call on the table; lists leave it out.
#[tokio::test]
async fn ended_access_says_when_it_ended_and_until_when_urls_work() {
    const URLS: &str = "2026-11-20T12:00:00Z";
    for (revoked, urls_until, says) in [
        (
            true,
            Some(URLS),
            "the access of this recipient to the table ended at 2026-11-20T11:00:00Z: it was revoked; URLs already issued work \
             until 2026-11-20T12:00:00Z; ask for access again",
        ),
        (
            false,
            None,
            "the access of this recipient to the table ended at 2026-11-20T11:00:00Z: its time was over; ask for access again",
        ),
    ] {
        let world = visits_table().await;
        world.end("sales", "visits", revoked, urls_until);
        for (method, path) in EVERY_PATH {
            let is_of_the_table = path.contains("/tables/visits");
            let answer = world
                .send(call(method.parse().unwrap(), path, &[ALICE], "{}"))
                .await;
            if is_of_the_table {
                assert_error(&answer, 403, "PERMISSION_DENIED", path);
                assert_eq!(answer.message(), says, "{path}");
                assert_eq!(answer.header("cache-control"), "no-store", "{path}");
            } else {
                assert!(!answer.body.contains("visits"), "{path}: {}", answer.body);
                assert_ne!(answer.status, StatusCode::FORBIDDEN, "{path}");
            }
        }
        let record = world.records().pop().unwrap();
        assert_eq!(
            (record.status, record.error_code, record.outcome),
            (403, Some("PERMISSION_DENIED"), Outcome::Refused)
        );
        let head = visits("");
        let head = world.send(call(Method::HEAD, &head, &[ALICE], "")).await;
        assert_eq!(
            (head.status, head.body.as_str()),
            (StatusCode::FORBIDDEN, "")
        );
    }
    // What ends between opening and signing ends the same way.
    let world = visits_table().await;
    world.ends("sales", "visits", true, Some(URLS));
    world.fault(Fault::EndedBeforeSigning);
    let answer = world
        .send(call(Method::POST, &visits("/query"), &[ALICE], "{}"))
        .await;
    assert_error(&answer, 403, "PERMISSION_DENIED", "query");
    assert!(answer.message().contains(URLS), "{}", answer.message());
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
    world.get("/shares/nowhere/schemas").await;
    let lists = world.records();
    let seen: Vec<_> = lists
        .iter()
        .map(|record| (record.endpoint, record.share.as_str(), record.status))
        .collect();
    assert_eq!(
        seen,
        [
            (Endpoint::List, "", 200),
            (Endpoint::List, "sales", 200),
            (Endpoint::List, "nowhere", 404)
        ]
    );
    // Turned away at the door: whose call it was is written down all the same, where that is known.
    for path in ["/shares".to_owned(), visits("/metadata")] {
        let world = visits_table().await;
        let headers = [("authorization", "Bearer token-busy")];
        world.send(call(Method::GET, &path, &headers, "")).await;
        let record = world.record();
        assert_eq!(record.reader.as_ref().unwrap().name, "bob", "{path}");
        assert_eq!(
            (record.at_the_door, record.status, record.error_code),
            (true, 429, Some("REQUEST_LIMIT_EXCEEDED"))
        );
        assert_eq!((record.query, record.outcome), (None, Outcome::Refused));
    }
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

/// A client that goes away while its entry is being written must not take the entry along.
#[tokio::test]
async fn leaving_early_does_not_save_anybody_from_the_access_log() {
    let world = visits_table().await;
    world.fault(Fault::SlowRecord);
    let path = visits("/metadata");
    let request = world.begin(call(Method::GET, &path, &[ALICE], ""));
    tokio::select! {
        biased;
        _ = request => panic!("answered before the entry was written"),
        () = world.recording() => {}
    }
    assert!(world.records().is_empty());
    world.release();
    world.recorded().await;
    assert_eq!(world.record().outcome, Outcome::Answered);
}

/// Who ends the process waits for them, for those that are being written and those whose request is under way.
#[tokio::test]
async fn the_last_entries_can_be_waited_for() {
    let world = visits_table().await;
    world.fault(Fault::SlowRecord);
    let path = visits("/query");
    let response = world.begin(call(Method::POST, &path, &[ALICE], "{}")).await;
    let under_way = world.gate.under_way.clone();
    under_way.close();
    let written = tokio::spawn(async move { under_way.wait().await });
    tokio::task::yield_now().await;
    assert!(!written.is_finished(), "an answer is under way");
    drop(response);
    world.recording().await;
    assert!(!written.is_finished(), "it is being written");
    world.release();
    written.await.unwrap();
    assert_eq!(world.record().outcome, Outcome::Abandoned);
}

/// C-31: a token that was good a moment ago is asked about again.
#[tokio::test]
async fn every_call_is_authenticated_anew() {
    let world = visits_table().await;
    for _ in 0..3 {
        assert_eq!(world.get(&visits("/metadata")).await.status, StatusCode::OK);
    }
    assert_eq!(world.peers().len(), 3);
}
