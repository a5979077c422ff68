//! C-39: no secret and nobody's line in the log, at the most talkative level.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use serde_json::json;
use server::config::{LogFormat, TelemetrySettings};

use crate::support::{PASSWORD, TestApp};

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn nothing_secret_is_logged() {
    let kept = Kept::default();
    let writer = kept.clone();
    let settings = TelemetrySettings {
        format: LogFormat::Text,
        filter: "trace".to_owned(),
    };
    let subscriber = server::telemetry::subscriber(&settings, move || writer.clone()).unwrap();
    let _guard = tracing::subscriber::set_default(subscriber);

    let app = TestApp::start().await;
    app.person("ada", &["admin"]).await;
    let token = app.token("ada").await;
    let cookie = app.sign_in("ada").await;
    app.get("/")
        .cookie(&cookie)
        .header("accept", "text/html")
        .send()
        .await;
    let wrong = "a wrong and long password";
    app.post("/sign-in")
        .own_origin()
        .form(&[("name", "ada"), ("password", wrong)])
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

    let log = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
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
        "ada@example.org",
    ];
    for secret in secrets {
        let line = log.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{secret} in {line:?}");
    }
    assert!(
        !log.lines().any(|line| line.starts_with("ERROR")),
        "a forged line"
    );
    assert!(!log.contains('\u{1b}') && !log.contains('\r'));
}
