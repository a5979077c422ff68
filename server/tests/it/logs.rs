//! C-39: no secret and nobody's line in the log, at the most talkative level.

use serde_json::json;

use crate::support::{Log, PASSWORD, TestApp};

#[tokio::test]
async fn nothing_secret_is_logged() {
    let app = TestApp::start().await;
    app.person("ada-of-the-log", &["admin"]).await;
    let token = app.token("ada-of-the-log").await;
    let cookie = app.sign_in("ada-of-the-log").await;
    app.get("/")
        .cookie(&cookie)
        .header("accept", "text/html")
        .send()
        .await;
    let wrong = "a wrong and long password";
    app.post("/sign-in")
        .own_origin()
        .form(&[("name", "ada-of-the-log"), ("password", wrong)])
        .await;
    let made = app
        .post("/api/v1/tokens?person=secretinquery")
        .token(&token)
        .header("idempotency-key", "key-of-a-request")
        .json(&json!({ "name": "ci" }))
        .await;
    assert_eq!(made.status.as_u16(), 403);
    let made = app
        .post("/api/v1/tokens")
        .token(&token)
        .json(&json!({ "name": "ci" }))
        .await;
    let second = made.json()["token"].as_str().unwrap().to_owned();
    let broken = app
        .post("/api/v1/people")
        .token(&token)
        .json(&json!({ "name": "zoe", "title": "x\r\nERROR forged line", "password": 12345, "secretfield": 1 }))
        .await;
    assert_eq!(broken.status.as_u16(), 400);
    app.get(
        "/x%0d%0aERROR%20forged/\u{1b}[31m"
            .replace('\u{1b}', "%1b")
            .as_str(),
    )
    .send()
    .await;
    app.post("/sign-out")
        .own_origin()
        .cookie(&cookie)
        .form(&[])
        .await;

    let log = Log::shared().text();
    assert!(log.contains("answered"), "something is logged");
    let session = cookie.split_once('=').unwrap().1;
    let secrets = [
        PASSWORD,
        wrong,
        &token,
        &second,
        session,
        "secretinquery",
        "key-of-a-request",
        "ada-of-the-log@",
    ];
    for secret in secrets {
        let line = log.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret} in {line:?}");
    }
    assert!(
        !log.lines().any(|line| line.starts_with("ERROR forged")),
        "a forged line"
    );
    assert!(!log.contains('\u{1b}') && !log.contains('\r'));
}
