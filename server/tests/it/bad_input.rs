//! Bad input: a table of requests, each with the status and the field that it must be answered with, and nothing stored.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::TestApp;

/// Words that no answer to a stranger may hold: our types, our tables, our tools (C-56).
const INTERNALS: &[&str] = &[
    "sqlx",
    "SQL",
    "select ",
    "insert ",
    "serde",
    "struct ",
    "panicked",
    ".rs:",
    "/root",
    "rustc",
    "PersonNew",
    "i64",
    "u32",
];

#[tokio::test]
async fn bad_bodies() {
    let app = TestApp::start().await;
    app.person("ada", &["admin"]).await;
    app.person("mara", &[]).await;
    app.domain("vehicle").await;
    let ada = app.token("ada").await;
    let good = || json!({ "name": "zoe", "title": "Zoe" });
    let with = |key: &str, value: Value| {
        let mut body = good();
        body[key] = value;
        body
    };
    let long = "a".repeat(64);
    let cases: Vec<(Method, &str, Value, u16, &[&str])> = vec![
        (
            Method::POST,
            "/people",
            json!({ "title": "Zoe" }),
            400,
            &["name"],
        ),
        (
            Method::POST,
            "/people",
            with("owner", json!("x")),
            400,
            &["owner"],
        ),
        (
            Method::POST,
            "/people",
            with("disabled", json!(true)),
            400,
            &["disabled"],
        ),
        (
            Method::POST,
            "/people",
            with("pseudonym", json!("p-1")),
            400,
            &["pseudonym"],
        ),
        (
            Method::POST,
            "/people",
            with("name", json!(5)),
            400,
            &["name"],
        ),
        (
            Method::POST,
            "/people",
            with("name", json!(null)),
            400,
            &["name"],
        ),
        (
            Method::POST,
            "/people",
            with("name", json!(long)),
            400,
            &["name"],
        ),
        (
            Method::POST,
            "/people",
            with("name", json!("../etc")),
            400,
            &["name"],
        ),
        (
            Method::POST,
            "/people",
            with("title", json!("")),
            400,
            &["title"],
        ),
        (
            Method::POST,
            "/people",
            with("title", json!("x".repeat(201))),
            400,
            &["title"],
        ),
        (
            Method::POST,
            "/people",
            with("title", json!("a\u{0}b")),
            400,
            &["title"],
        ),
        (
            Method::POST,
            "/people",
            with("title", json!("a\u{202e}b")),
            400,
            &["title"],
        ),
        (
            Method::POST,
            "/people",
            with("email", json!("nowhere")),
            400,
            &["email"],
        ),
        (
            Method::POST,
            "/people",
            with("password", json!("short")),
            400,
            &["password"],
        ),
        (
            Method::POST,
            "/people",
            with("password", json!({ "a": 1 })),
            400,
            &["password"],
        ),
        (
            Method::POST,
            "/people",
            with("roles", json!("admin")),
            400,
            &["roles"],
        ),
        (
            Method::POST,
            "/people",
            with("roles", json!(["king"])),
            400,
            &["roles"],
        ),
        (
            Method::POST,
            "/people",
            with("roles", json!([1])),
            400,
            &["roles[0]"],
        ),
        (
            Method::POST,
            "/people",
            with("name", json!("mara")),
            400,
            &["name"],
        ),
        (
            Method::POST,
            "/people",
            json!({ "name": "A", "title": "" , "email": "x" }),
            400,
            &["name", "title", "email"],
        ),
        (Method::POST, "/people", json!([]), 400, &["body"]),
        (Method::POST, "/people", json!("people"), 400, &["body"]),
        (
            Method::PATCH,
            "/people/mara",
            json!({ "revision": "1" }),
            400,
            &["revision"],
        ),
        (
            Method::PATCH,
            "/people/mara",
            json!({ "revision": 99 }),
            409,
            &[],
        ),
        (Method::PATCH, "/people/nobody", json!({}), 404, &[]),
        (
            Method::PUT,
            "/people/mara/roles",
            json!({}),
            400,
            &["roles"],
        ),
        (
            Method::PUT,
            "/people/ada/roles",
            json!({ "roles": [] }),
            400,
            &["roles"],
        ),
        (
            Method::PATCH,
            "/people/ada",
            json!({ "disabled": true }),
            400,
            &["disabled"],
        ),
        (
            Method::PUT,
            "/people/mara/password",
            json!({ "password": "x" }),
            400,
            &["password"],
        ),
        (
            Method::PUT,
            "/people/ada/password",
            json!({ "password": "long enough now" }),
            400,
            &["current"],
        ),
        (
            Method::POST,
            "/teams",
            json!({ "name": "t", "domain": "gone", "title": "T", "cost_center": "1" }),
            400,
            &["domain"],
        ),
        (
            Method::POST,
            "/teams",
            json!({ "name": "t", "domain": "vehicle", "title": "T" }),
            400,
            &["cost_center"],
        ),
        (
            Method::PUT,
            "/teams/gone/members/mara",
            json!({ "role": "consumer" }),
            404,
            &[],
        ),
        (
            Method::POST,
            "/tokens",
            json!({ "name": "x", "days": 0 }),
            400,
            &["days"],
        ),
        (
            Method::POST,
            "/tokens",
            json!({ "name": "x", "days": -1 }),
            400,
            &["days"],
        ),
        (
            Method::POST,
            "/tokens",
            json!({ "name": "x", "days": 1e30 }),
            400,
            &["days"],
        ),
        (
            Method::POST,
            "/tokens",
            json!({ "name": "x", "role": "producer" }),
            400,
            &["role"],
        ),
        (
            Method::POST,
            "/tokens",
            json!({ "name": "x", "person": "mara" }),
            400,
            &["person"],
        ),
        (
            Method::POST,
            "/tokens?person=mara",
            json!({ "name": "x" }),
            403,
            &[],
        ),
        (
            Method::POST,
            "/audit/verify",
            json!({ "anchors": 1 }),
            400,
            &["anchors"],
        ),
    ];
    let before = app.changes().await;
    for (method, path, body, status, fields) in cases {
        let answer = app
            .ask(method.clone(), &format!("/api/v1{path}"))
            .token(&ada)
            .json(&body)
            .await;
        let what = format!("{method} {path} {body}: {}", answer.text);
        assert_eq!(answer.status.as_u16(), status, "{what}");
        assert_eq!(answer.wrong_fields(), fields, "{what}");
        assert_problem(&answer, &what);
    }
    assert_eq!(app.changes().await, before, "nothing was stored");
}

fn assert_problem(answer: &crate::support::Answer, what: &str) {
    assert_eq!(
        answer.header("content-type"),
        "application/problem+json",
        "{what}"
    );
    assert_eq!(answer.header("cache-control"), "no-store", "{what}");
    let problem = answer.json();
    assert_eq!(problem["status"], answer.status.as_u16(), "{what}");
    assert_eq!(
        problem["request_id"].as_str().unwrap(),
        answer.header("x-request-id"),
        "{what}"
    );
    for word in INTERNALS {
        assert!(!answer.text.contains(word), "{word} in {what}");
    }
}

#[tokio::test]
async fn bad_requests() {
    let app = TestApp::start().await;
    app.person("ada", &["admin"]).await;
    let ada = app.token("ada").await;
    let people = "/api/v1/people";
    let body = r#"{"name":"zoe","title":"Zoe"}"#;
    let before = app.changes().await;
    let ask = |method: Method, path: &str| app.ask(method, path).token(&ada);

    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "",
    ] {
        let answer = ask(Method::POST, people)
            .header("content-type", kind)
            .body(body)
            .send()
            .await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind}");
        assert_problem(&answer, kind);
    }
    let answer = ask(Method::POST, people).body(body).send().await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);

    let json = |text: String| {
        ask(Method::POST, people)
            .header("content-type", "application/json")
            .body(text)
            .send()
    };
    for text in [
        "",
        "{",
        "nonsense",
        "{} {}",
        "\u{feff}{}",
        "{\"name\":\"a\",\"name\":\"b\",\"title\":\"x\"}",
    ] {
        let answer = json(text.to_owned()).await;
        assert_eq!(
            answer.status,
            StatusCode::BAD_REQUEST,
            "{text}: {}",
            answer.text
        );
        assert_eq!(answer.wrong_fields().len(), 1, "{text}");
        assert_problem(&answer, text);
    }
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(json(deep).await.status, StatusCode::BAD_REQUEST);
    let latin = app
        .post(people)
        .token(&ada)
        .header("content-type", "application/json")
        .body(b"{\"name\":\"zoe\",\"title\":\"\xff\"}".to_vec())
        .send()
        .await;
    assert_eq!(latin.status, StatusCode::BAD_REQUEST);

    // One byte more than a body may have, and one that just fits (C-54).
    let padded = |length: usize| format!("{body}{}", " ".repeat(length - body.len()));
    let answer = json(padded(rest::BODY_LIMIT + 1)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_problem(&answer, "too large");
    assert_eq!(app.changes().await, before, "nothing was stored");
    assert_eq!(
        json(padded(rest::BODY_LIMIT)).await.status,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn bad_paths_methods_and_queries() {
    let app = TestApp::start().await;
    app.person("ada", &["admin"]).await;
    let ada = app.token("ada").await;
    let cases = [
        (Method::GET, "/api/v1/nowhere", 404, ""),
        (Method::GET, "/api/v1/", 404, ""),
        (Method::GET, "/api/v1", 404, ""),
        (Method::GET, "/api/v1/people/", 404, ""),
        (Method::GET, "/api/v2/people", 404, ""),
        (Method::DELETE, "/api/v1/people", 405, ""),
        (Method::PUT, "/api/v1/domains", 405, ""),
        (Method::GET, "/api/v1/people/ada/roles", 405, ""),
        (Method::GET, "/api/v1/teams/..%2fpeople", 404, ""),
        (Method::GET, "/api/v1/teams/%ff", 404, ""),
        (Method::DELETE, "/api/v1/tokens/not-an-id", 404, ""),
        (
            Method::DELETE,
            "/api/v1/tokens/00000000-0000-7000-8000-000000000000",
            404,
            "",
        ),
        (
            Method::POST,
            "/api/v1/work/00000000-0000-7000-8000-000000000000/retry",
            404,
            "",
        ),
        (Method::GET, "/api/v1/people?limt=3", 400, "limt"),
        (Method::GET, "/api/v1/people?limit=0", 400, "limit"),
        (Method::GET, "/api/v1/people?limit=201", 400, "limit"),
        (Method::GET, "/api/v1/people?limit=-1", 400, "limit"),
        (Method::GET, "/api/v1/people?limit=many", 400, "limit"),
        (Method::GET, "/api/v1/people?limit=1&limit=2", 400, "limit"),
        (Method::GET, "/api/v1/me?x=1", 400, "x"),
        (Method::GET, "/api/v1/tokens?after=junk", 400, "after"),
        (Method::GET, "/api/v1/audit?after=junk", 400, "after"),
        (
            Method::GET,
            "/api/v1/audit?object_kind=person",
            400,
            "object_id",
        ),
        (
            Method::GET,
            "/api/v1/me?access_token=entrepot_st_x",
            400,
            "access_token",
        ),
    ];
    for (method, path, status, field) in cases {
        let answer = app.ask(method.clone(), path).token(&ada).send().await;
        assert_eq!(
            answer.status.as_u16(),
            status,
            "{method} {path}: {}",
            answer.text
        );
        if path.starts_with("/api/v1/") {
            assert_problem(&answer, path);
            if !field.is_empty() {
                assert_eq!(answer.wrong_fields(), [field], "{path}");
            }
        }
        if status == 405 {
            assert!(!answer.header("allow").is_empty(), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn bad_callers() {
    let app = TestApp::start().await;
    app.person("ada", &["admin"]).await;
    let ada = app.token("ada").await;
    let mut mistyped = ada.clone();
    mistyped.replace_range(20..21, if &ada[20..21] == "x" { "y" } else { "x" });
    let recipient = exchange::secret::new_token(exchange::secret::TokenKind::Recipient).unwrap();
    let unknown = exchange::secret::new_token(exchange::secret::TokenKind::Service).unwrap();
    for value in [
        format!("Bearer {mistyped}"),
        format!("Bearer {unknown}"),
        format!("Bearer {recipient}"),
        format!("Basic {ada}"),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        ada.clone(),
    ] {
        let answer = app
            .get("/api/v1/me")
            .header("authorization", &value)
            .send()
            .await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{value}");
        assert!(
            answer.header("www-authenticate").starts_with("Bearer"),
            "{value}"
        );
        assert_problem(&answer, &value);
    }
    let twice = app.get("/api/v1/me").token(&ada).token(&ada).send().await;
    assert_eq!(twice.status, StatusCode::UNAUTHORIZED);
    let nobody = app.get("/api/v1/me").send().await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        app.get("/api/v1/me").token(&ada).send().await.status,
        StatusCode::OK
    );
}

/// PostgreSQL holds no text with a NUL in it: what is asked for by such a name is not there, on either database.
#[tokio::test]
async fn a_name_that_cannot_be_stored_is_not_there() {
    for app in TestApp::each().await {
        app.person("ada", &["admin"]).await;
        let ada = app.token("ada").await;
        for path in ["teams", "storages", "products", "recipients"] {
            let path = format!("/api/v1/{path}/a%00b");
            let answer = app.get(&path).token(&ada).send().await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.text);
            assert_problem(&answer, &path);
        }
        let cookie = app.sign_in("ada").await;
        for path in [
            "/products/a%00b",
            "/admin/people/a%00b",
            "/admin/teams/a%00b",
        ] {
            let page = app.get(path).cookie(&cookie);
            let page = page.header("accept", "text/html").send().await;
            assert_eq!(page.status, StatusCode::NOT_FOUND, "{path}");
        }
    }
}
