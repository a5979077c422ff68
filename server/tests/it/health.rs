//! Health, readiness, headers, and what nobody is told (C-60).

use http::{Method, StatusCode};
use serde_json::json;

use crate::support::{Build, TestApp};

#[tokio::test]
async fn healthy_and_ready() {
    for app in TestApp::each().await {
        let healthy = app.get("/healthz").send().await;
        assert_eq!(
            (healthy.status, healthy.text.as_str()),
            (StatusCode::OK, "ok")
        );
        let ready = app.get("/readyz").send().await;
        assert_eq!(
            ready.status,
            StatusCode::SERVICE_UNAVAILABLE,
            "nobody works yet"
        );
        assert_eq!(
            ready.json(),
            json!({ "database": true, "migrations": true, "workers": false })
        );
        app.exchange.worker_beat("one").await.unwrap();
        let ready = app.get("/readyz").send().await;
        assert_eq!(
            (ready.status, ready.json()["workers"].clone()),
            (StatusCode::OK, json!(true))
        );
        app.exchange.db().close().await;
        let ready = app.get("/readyz").send().await;
        assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(ready.json()["database"], json!(false));
        assert_eq!(app.get("/healthz").send().await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn nobody_learns_the_version_and_metrics_are_elsewhere() {
    let app = TestApp::start().await;
    app.person("ada", &[]).await;
    let version = env!("CARGO_PKG_VERSION");
    for path in [
        "/",
        "/sign-in",
        "/healthz",
        "/readyz",
        "/metrics",
        "/api/v1/openapi.json",
        "/api/v1/me",
        "/nowhere",
    ] {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE] {
            let answer = app
                .ask(method.clone(), path)
                .header("accept", "text/html")
                .send()
                .await;
            for name in ["server", "x-powered-by", "via"] {
                assert_eq!(answer.header(name), "", "{method} {path}");
            }
            for word in [
                "axum",
                "hyper",
                "leptos/",
                &format!("entrepot/{version}"),
                &format!("entrepot {version}"),
            ] {
                assert!(
                    !answer.text.contains(word),
                    "{word} in {method} {path}: {}",
                    answer.text
                );
            }
            assert_eq!(
                answer.header("x-content-type-options"),
                "nosniff",
                "{method} {path}"
            );
            assert!(
                !answer.header("content-security-policy").is_empty(),
                "{method} {path}"
            );
            assert_eq!(answer.header("x-request-id").len(), 32, "{method} {path}");
        }
    }
    assert_eq!(
        app.get("/metrics").send().await.status,
        StatusCode::NOT_FOUND
    );
    for path in [
        "/debug",
        "/debug/pprof",
        "/.env",
        "/.git/config",
        "/actuator",
        "/server-status",
    ] {
        assert_eq!(
            app.get(path).send().await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

#[tokio::test]
async fn request_ids_are_ours() {
    let app = TestApp::start().await;
    let answer = app
        .get("/healthz")
        .header("x-request-id", "forged\tline")
        .send()
        .await;
    assert_eq!(answer.header("x-request-id").len(), 32);
}

/// C-54: a caller in a hurry is told to wait.
#[tokio::test]
async fn callers_are_limited() {
    let app = TestApp::with(Build {
        requests_per_second: 1,
        ..Build::default()
    })
    .await;
    app.person("ada", &[]).await;
    app.person("otto", &[]).await;
    let (ada, otto) = (app.token("ada").await, app.token("otto").await);
    let mut last = app.get("/api/v1/me").token(&ada).send().await;
    for _ in 0..5 {
        last = app.get("/api/v1/me").token(&ada).send().await;
    }
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(last.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(
        app.get("/api/v1/me").token(&otto).send().await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn wrong_tokens_are_limited_by_address() {
    let app = TestApp::start().await;
    let unknown = exchange::secret::new_token(exchange::secret::TokenKind::Service).unwrap();
    let mut statuses = Vec::new();
    for _ in 0..40 {
        statuses.push(app.get("/api/v1/me").token(&unknown).send().await.status);
    }
    assert_eq!(statuses[0], StatusCode::UNAUTHORIZED);
    assert_eq!(statuses[39], StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn the_document_is_there_for_everybody() {
    let app = TestApp::start().await;
    let answer = app.get("/api/v1/openapi.json").send().await;
    assert_eq!(answer.status, StatusCode::OK);
    let document = answer.json();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/people"]["post"].is_object());
}
