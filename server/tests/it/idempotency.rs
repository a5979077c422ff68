//! The same POST sent twice is done once.

use http::{Method, StatusCode};
use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn a_repeated_post_is_answered_and_not_done_again() {
    for app in TestApp::each().await {
        app.person("ada", &["admin"]).await;
        app.person("otto", &["admin"]).await;
        let (ada, otto) = (app.token("ada").await, app.token("otto").await);
        let post = async |token: &str, key: &str, name: &str| {
            let body = json!({ "name": name, "title": "T" });
            let ask = app.post("/api/v1/domains").token(token);
            ask.header("idempotency-key", key).json(&body).await
        };
        let first = post(&ada, "k-1", "vehicle").await;
        assert_eq!(
            (first.status, first.header("idempotency-replayed")),
            (StatusCode::CREATED, "")
        );
        let changes = app.changes().await;
        let again = post(&ada, "k-1", "vehicle").await;
        assert_eq!(
            (again.status, again.header("idempotency-replayed")),
            (StatusCode::CREATED, "true")
        );
        assert_eq!(again.json(), first.json());
        assert_eq!(
            post(&ada, "k-1", "other").await.status,
            StatusCode::CONFLICT,
            "another request"
        );
        let other = post(&otto, "k-1", "vehicle").await;
        assert_eq!(
            other.wrong_fields(),
            ["name"],
            "another's key is another key"
        );
        assert_eq!(app.changes().await, changes);

        // What was refused may be tried again under its key.
        assert_eq!(
            post(&ada, "k-2", "vehicle").await.status,
            StatusCode::BAD_REQUEST
        );
        assert_eq!(
            post(&ada, "k-2", "engine").await.status,
            StatusCode::CREATED
        );
        for key in ["", &"k".repeat(256)] {
            assert_eq!(
                post(&ada, key, "x").await.wrong_fields(),
                ["Idempotency-Key"],
                "{key}"
            );
        }
        let nobody = app
            .post("/api/v1/domains")
            .header("idempotency-key", "k")
            .json(&json!({}))
            .await;
        assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
        app.clock.advance(2 * model::time::DAY);
        assert_eq!(
            post(&ada, "k-1", "body").await.status,
            StatusCode::CREATED,
            "kept for a day"
        );
    }
}

#[tokio::test]
async fn a_token_is_shown_once_even_so() {
    let app = TestApp::start().await;
    app.person("ada", &[]).await;
    let ada = app.token("ada").await;
    let post = async || {
        let ask = app
            .post("/api/v1/tokens")
            .token(&ada)
            .header("idempotency-key", "k");
        ask.json(&json!({ "name": "ci" })).await
    };
    let first = post().await;
    assert_eq!(first.status, StatusCode::CREATED);
    let token = first.json()["token"].as_str().unwrap().to_owned();
    let again = post().await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(
        again.text.contains("shown only once") && !again.text.contains(&token),
        "{}",
        again.text
    );
    let listed = app.get("/api/v1/tokens").token(&ada).send().await.json();
    assert_eq!(
        listed["items"].as_array().unwrap().len(),
        2,
        "made once: {listed}"
    );
    app.exchange.db().close().await;
    for entry in std::fs::read_dir(app.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let Ok(bytes) = std::fs::read(&path) else {
            continue;
        };
        let found = bytes
            .windows(token.len())
            .any(|part| part == token.as_bytes());
        assert!(!found, "the token stands in {}", path.display());
    }
}

#[tokio::test]
async fn many_at_once_do_it_once() {
    let app = TestApp::start().await;
    app.person("ada", &["admin"]).await;
    let ada = app.token("ada").await;
    let post = || {
        let ask = app
            .ask(Method::POST, "/api/v1/domains")
            .token(&ada)
            .header("idempotency-key", "k");
        async move {
            ask.json(&json!({ "name": "vehicle", "title": "T" }))
                .await
                .status
        }
    };
    let statuses = futures::future::join_all((0..20).map(|_| post())).await;
    assert!(statuses.contains(&StatusCode::CREATED));
    for status in statuses {
        assert!(
            matches!(status, StatusCode::CREATED | StatusCode::CONFLICT),
            "{status}"
        );
    }
    let listed = app.get("/api/v1/domains").token(&ada).send().await.json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}
