//! C-31: what is revoked through one process is refused by another within a second. Two servers on one PostgreSQL; the
//! stopwatch runs on monotonic time from the moment the revocation was answered.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::json;

use super::installation::{Installation, TABLE, client, query, urls};
use crate::cli::{Served, done, json};
use crate::support::PASSWORD;

const BOUND: Duration = Duration::from_secs(1);

/// Asks until it is refused, and answers with what. It must come to that within the bound.
async fn refused(what: &str, ask: impl AsyncFn() -> StatusCode) -> StatusCode {
    let watch = Instant::now();
    loop {
        let status = ask().await;
        let took = watch.elapsed();
        assert!(took < BOUND, "{what}: {status} after {took:?}");
        if status.is_client_error() {
            return status;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_process_ends_the_other_refuses_within_a_second() {
    let Some(installation) = Installation::on_postgres().await else {
        return;
    };
    let (one, two) = (installation.data("one"), installation.data("two"));
    let tokens = installation.share(&one, 1, &["first", "second"]);
    let admin = installation.person(&one, "ada", Some("admin"));
    let mara = installation.person(&one, "mara", None);
    done(
        &one,
        &["team", "member", "rnd", "mara", "--role", "consumer"],
    );
    let (here, there) = (Served::start(&one, &[]), Served::start(&two, &[]));
    let http = client();
    let [first, second] = [tokens[0].as_str(), tokens[1].as_str()];

    let shared = async |served: &Served, token: &str| query(&http, served, token).await;
    for served in [&here, &there] {
        for token in [first, second] {
            let answer = shared(served, token).await;
            assert_eq!(answer.status(), StatusCode::OK);
        }
    }
    let through = |path: &str| format!("{}/api/v1{path}", here.address);
    let of_other = urls(&shared(&there, first).await.text().await.unwrap()).remove(0);
    assert!(of_other.starts_with(&there.address), "{of_other}");
    let fetched = http.get(&of_other).send().await.unwrap();
    assert_eq!(fetched.status(), StatusCode::OK);

    // A grant: queries and URLs that were handed out before.
    let grants = json(&one, &["grant", "list"]);
    let mut grant = grants["items"].as_array().unwrap().iter();
    let grant = grant.find(|grant| grant["recipient"] == "first").unwrap();
    let path = format!("/grants/{}/revoke", grant["id"].as_str().unwrap());
    let revoked = http
        .post(through(&path))
        .bearer_auth(&mara)
        .json(&json!({ "reason": "over" }))
        .send()
        .await
        .unwrap();
    assert_eq!(revoked.status(), StatusCode::OK);
    let status = refused("query", async || shared(&there, first).await.status()).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let status = refused("url", async || {
        http.get(&of_other).send().await.unwrap().status()
    })
    .await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(shared(&there, second).await.status(), StatusCode::OK);

    // A recipient's token: queries, and URLs that were handed out with it, though the grant goes on.
    let of_token = urls(&shared(&there, second).await.text().await.unwrap()).remove(0);
    let fetch = async || http.get(&of_token).send().await.unwrap();
    assert_eq!(fetch().await.status(), StatusCode::OK);
    let recipient = json(&one, &["recipient", "show", "second"]);
    let id = recipient["tokens"][0]["id"].as_str().unwrap();
    let revoked = http
        .delete(through(&format!("/recipients/second/tokens/{id}")))
        .bearer_auth(&mara)
        .send()
        .await
        .unwrap();
    assert_eq!(revoked.status(), StatusCode::OK);
    let status = refused("token", async || shared(&there, second).await.status()).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let status = refused("url of token", async || fetch().await.status()).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let says = fetch().await.text().await.unwrap();
    assert!(
        says.contains("credential that this URL was made with"),
        "{says}"
    );
    let says = shared(&there, second).await.text().await.unwrap();
    assert!(says.contains("it was revoked"), "{says}");
    assert!(!says.contains("URLs already issued"), "{says}");
    let lists = async || {
        let ask = http.get(format!("{}{TABLE}/version", there.address));
        ask.bearer_auth(second).send().await.unwrap().status()
    };
    assert_eq!(refused("version", lists).await, StatusCode::UNAUTHORIZED);

    // A session, begun there and ended here.
    let cookie = signed_in(&there, "mara").await;
    let shows = async || {
        let page = http.get(&there.address).header("cookie", &cookie);
        let page = page.header("accept", "text/html").send().await.unwrap();
        page.text().await.unwrap().contains("/sign-out")
    };
    assert!(shows().await, "signed in");
    let out = http
        .post(format!("{}/sign-out", here.address))
        .header("cookie", &cookie)
        .header("origin", &here.address)
        .form(&[("", ""); 0])
        .send()
        .await
        .unwrap();
    assert!(out.status().is_success() || out.status().is_redirection());
    refused("session", async || match shows().await {
        true => StatusCode::OK,
        false => StatusCode::UNAUTHORIZED,
    })
    .await;

    // A role, then the account that a token acts for.
    let may = async |token: &str| {
        let list = http.get(format!("{}/api/v1/people", there.address));
        list.bearer_auth(token).send().await.unwrap().status()
    };
    let otto = installation.person(&one, "otto", Some("admin"));
    assert_eq!(may(&otto).await, StatusCode::OK);
    let taken = http
        .put(through("/people/otto/roles"))
        .bearer_auth(&admin)
        .json(&json!({ "roles": [] }))
        .send()
        .await
        .unwrap();
    assert_eq!(taken.status(), StatusCode::OK);
    assert_eq!(
        refused("role", async || may(&otto).await).await,
        StatusCode::FORBIDDEN
    );
    let disabled = http
        .patch(through("/people/otto"))
        .bearer_auth(&admin)
        .json(&json!({ "disabled": true }))
        .send()
        .await
        .unwrap();
    assert_eq!(disabled.status(), StatusCode::OK);
    let me = async || {
        let me = http.get(format!("{}/api/v1/me", there.address));
        me.bearer_auth(&otto).send().await.unwrap().status()
    };
    assert_eq!(refused("account", me).await, StatusCode::UNAUTHORIZED);
}

async fn signed_in(served: &Served, name: &str) -> String {
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let answer = client
        .post(format!("{}/sign-in", served.address))
        .header("origin", &served.address)
        .form(&[("name", name), ("password", PASSWORD)])
        .send()
        .await
        .unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}
