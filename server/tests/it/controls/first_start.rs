//! C-50: a fresh installation has no account and no password. Nobody gets in until the operator has made the first account on
//! the command line.

use exchange::db::Db;
use http::StatusCode;
use serde_json::json;

use super::installation::{Installation, client};
use super::rows::Rows;
use crate::cli::{Served, done, entrepot, json};
use crate::support::PASSWORD;

/// What products of this kind come with.
const USUAL: &[(&str, &str)] = &[
    ("admin", "admin"),
    ("admin", "password"),
    ("admin", ""),
    ("", ""),
    ("root", "root"),
    ("operator", "operator"),
    ("entrepot", "entrepot"),
    ("ada", "entrepot-demo"),
    ("system", "system"),
    ("nobody", "nobody"),
];

async fn tried(http: &reqwest::Client, served: &Served, name: &str, password: &str) -> bool {
    let answer = http
        .post(format!("{}/sign-in", served.address))
        .header("origin", &served.address)
        .form(&[("name", name), ("password", password)])
        .send()
        .await
        .unwrap();
    assert_ne!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    let cookies = answer.headers().get_all("set-cookie").iter();
    let cookie: Vec<&str> = cookies.map(|value| value.to_str().unwrap()).collect();
    let page = http
        .get(&served.address)
        .header("cookie", cookie.join("; "))
        .header("accept", "text/html")
        .send()
        .await
        .unwrap();
    page.text().await.unwrap().contains("/sign-out")
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_in_until_the_operator_makes_the_first_account() {
    let mut installations = vec![Installation::on_sqlite()];
    installations.extend(Installation::on_postgres().await);
    for installation in installations {
        let data = installation.data("one");
        // Nothing that stands in the environment makes an account either.
        let environment = [
            ("ENTREPOT_ADMIN", "admin"),
            ("ENTREPOT_ADMIN_PASSWORD", PASSWORD),
            ("ADMIN_PASSWORD", PASSWORD),
            ("ENTREPOT__SESSION__SIGN_INS_PER_MINUTE", "1000"),
        ];
        let served = Served::start(&data, &environment);
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        drop(client());
        let http = http.build().unwrap();
        for (name, password) in USUAL.iter().chain(&[("admin", PASSWORD)]) {
            assert!(
                !tried(&http, &served, name, password).await,
                "{name} got in"
            );
        }
        let api = |path: &str| format!("{}/api/v1{path}", served.address);
        let new =
            json!({ "name": "eve", "title": "Eve", "password": PASSWORD, "roles": ["admin"] });
        for token in [None, Some(""), Some("admin"), Some("entrepot_st_admin")] {
            let mut asks = vec![
                http.get(api("/me")),
                http.get(api("/people")),
                http.post(api("/people")).json(&new),
                http.post(api("/tokens")).json(&json!({ "name": "x" })),
                http.get(format!("{}/delta-sharing/shares", served.address)),
            ];
            if let Some(token) = token {
                asks = asks.into_iter().map(|ask| ask.bearer_auth(token)).collect();
            }
            for ask in asks {
                let status = ask.send().await.unwrap().status();
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{token:?}");
            }
        }
        // No page offers to make the first account.
        for path in [
            "/",
            "/sign-in",
            "/sign-up",
            "/setup",
            "/register",
            "/install",
        ] {
            let page = http.get(format!("{}{path}", served.address));
            let page = page.header("accept", "text/html").send().await.unwrap();
            let found = page.status().is_success();
            let text = page.text().await.unwrap();
            assert!(!found || !text.contains("type=\"email\""), "{path}");
            assert!(!text.contains(PASSWORD), "{path}");
        }
        assert_eq!(json(&data, &["user", "list"])["items"], json!([]));
        let log = std::fs::read_to_string(data.join("log")).unwrap();
        assert!(log.contains("nobody can sign in yet"), "{log}");

        installation.person(&data, "ada", Some("admin"));
        assert!(tried(&http, &served, "ada", PASSWORD).await);
        assert!(!tried(&http, &served, "ada", "another password").await);
        // Also without a password, by one that is made up and shown once.
        let shown = done(&data, &["user", "create", "otto", "--generate"]);
        let (_, password) = shown.split_once("shown only now: ").unwrap();
        assert!(password.trim().len() >= 16, "{shown}");
        assert!(tried(&http, &served, "otto", password.trim()).await);
        // An account without a password is nobody's.
        let made = entrepot(&data).args(["user", "create", "zoe"]).output();
        assert!(made.unwrap().status.success());
        for password in ["", "zoe", PASSWORD] {
            assert!(!tried(&http, &served, "zoe", password).await);
        }
    }
}

/// What an empty installation holds when it was served once: its own keys, sealed, and nobody.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_installation_holds_nobody() {
    let installation = Installation::on_sqlite();
    let data = installation.data("one");
    drop(Served::start(&data, &[]));
    let db = Db::open(&data.join("entrepot.db").display().to_string())
        .await
        .unwrap();
    let rows = Rows::of(&db).await;
    for table in [
        "person",
        "person_role",
        "team_member",
        "session",
        "service_token",
        "recipient_token",
        "audit",
    ] {
        assert_eq!(rows.count(table), 0, "{table}");
    }
}
