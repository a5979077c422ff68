//! C-01: what changes something must come from our own pages.

use http::{Method, StatusCode};

use crate::support::TestApp;

const OURS: (&str, &str) = ("origin", "https://data.example");

#[tokio::test]
async fn requests_of_other_sites_are_refused() {
    for app in TestApp::each().await {
        app.person("mara", &[]).await;
        let cookie = app.sign_in("mara").await;
        let before = app.changes().await;
        let cases: &[&[(&str, &str)]] = &[
            &[],
            &[("origin", "https://evil")],
            &[("origin", "null")],
            &[("origin", "http://data.example")],
            &[("origin", "https://data.example.evil")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[OURS, ("sec-fetch-site", "cross-site")],
            &[
                ("origin", "https://evil"),
                ("sec-fetch-site", "same-origin"),
            ],
            &[OURS, ("content-type", "text/plain")],
            &[
                ("sec-fetch-site", "same-origin"),
                ("content-type", "text/plain"),
            ],
        ];
        for path in ["/sign-out", "/sign-in", "/_fn/anything", "/", "/nowhere"] {
            for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                for headers in cases {
                    let mut ask = app
                        .ask(method.clone(), path)
                        .cookie(&cookie)
                        .body("name=mara");
                    for (name, value) in *headers {
                        ask = ask.header(name, value);
                    }
                    let answer = ask.send().await;
                    assert_eq!(
                        answer.status,
                        StatusCode::FORBIDDEN,
                        "{method} {path} {headers:?}"
                    );
                    assert!(answer.cookie().is_none(), "{method} {path} {headers:?}");
                }
            }
        }
        assert_eq!(app.changes().await, before);
        let page = app
            .get("/")
            .cookie(&cookie)
            .header("accept", "text/html")
            .send()
            .await;
        assert!(page.text.contains("/sign-out"), "still signed in");

        for headers in [
            &[OURS][..],
            &[("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
        ] {
            let cookie = app.sign_in("mara").await;
            let mut ask = app.post("/sign-out").cookie(&cookie);
            for (name, value) in headers {
                ask = ask.header(name, value);
            }
            let answer = ask.form(&[]).await;
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{headers:?}");
        }
    }
}

/// `/api/v1` takes tokens only, which no other site can make a browser send.
#[tokio::test]
async fn tokens_need_no_origin() {
    let app = TestApp::start().await;
    app.person("ada", &["admin"]).await;
    let ada = app.token("ada").await;
    let answer = app
        .post("/api/v1/domains")
        .token(&ada)
        .header("origin", "https://elsewhere")
        .json(&serde_json::json!({ "name": "vehicle", "title": "T" }))
        .await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let read = app
        .get("/api/v1/me")
        .token(&ada)
        .header("origin", "https://elsewhere")
        .send()
        .await;
    assert_eq!(
        read.header("access-control-allow-origin"),
        "",
        "no other site's script may read"
    );
}
