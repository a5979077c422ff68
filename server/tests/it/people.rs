//! People, tokens, domains and teams through REST, end to end.

use http::{Method, StatusCode};
use serde_json::json;

use crate::support::{PASSWORD, TestApp};

#[tokio::test]
async fn people_teams_and_tokens_from_first_to_last() {
    for app in TestApp::each().await {
        app.person("ada", &["admin"]).await;
        let ada = app.token("ada").await;

        let domain = json!({ "name": "vehicle", "title": "Vehicle data" });
        let made = app.post("/api/v1/domains").token(&ada).json(&domain).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        assert_eq!(made.header("etag"), "\"1\"");
        assert_eq!(made.header("cache-control"), "no-store");
        let team =
            json!({ "name": "rnd", "domain": "vehicle", "title": "R&D", "cost_center": "4711" });
        let made = app.post("/api/v1/teams").token(&ada).json(&team).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);

        let mara = json!({ "name": "mara", "title": "Mara", "password": PASSWORD });
        let made = app.post("/api/v1/people").token(&ada).json(&mara).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        assert!(!made.text.contains("password"), "{}", made.text);
        let set = app
            .ask(Method::PUT, "/api/v1/teams/rnd/members/mara")
            .token(&ada)
            .json(&json!({ "role": "producer" }))
            .await;
        assert_eq!(
            (set.status, set.text.as_str()),
            (StatusCode::NO_CONTENT, "")
        );
        let shown = app.get("/api/v1/teams/rnd").token(&ada).send().await.json();
        assert_eq!(
            shown["members"][0],
            json!({ "person": "mara", "title": "Mara", "role": "producer" })
        );

        // A token of the team, with less than its person holds.
        let own = app.token("mara").await;
        let new = json!({ "name": "ci", "team": "rnd", "role": "consumer", "days": 7 });
        let made = app.post("/api/v1/tokens").token(&own).json(&new).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let made = made.json();
        let service = made["token"].as_str().unwrap().to_owned();
        let me = app.get("/api/v1/me").token(&service).send().await.json();
        assert_eq!(
            me["teams"],
            json!([{ "team": "rnd", "title": "R&D", "role": "consumer" }])
        );
        let listed = app.get("/api/v1/tokens").token(&own).send().await;
        assert!(
            !listed.text.contains(&service) && !listed.text.contains("\"token\""),
            "{}",
            listed.text
        );

        // Felt on the next request (C-11): taken out of the team, the team's token is nobody's.
        let out = app
            .ask(Method::DELETE, "/api/v1/teams/rnd/members/mara")
            .token(&ada)
            .send()
            .await;
        assert_eq!(out.status, StatusCode::NO_CONTENT);
        let refused = app.get("/api/v1/me").token(&service).send().await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);

        let id = made["id"].as_str().unwrap();
        let gone = app
            .ask(Method::DELETE, &format!("/api/v1/tokens/{id}"))
            .token(&own)
            .send()
            .await;
        assert_eq!(gone.status, StatusCode::NO_CONTENT);

        let audit = app.get("/api/v1/audit?limit=200").token(&ada).send().await;
        assert!(
            audit.text.contains("TokenRevoke") && !audit.text.contains("mara"),
            "by pseudonym: {}",
            audit.text
        );
        let verified = app
            .post("/api/v1/audit/verify")
            .token(&ada)
            .json(&json!({}))
            .await
            .json();
        assert_eq!(verified["broken"], json!(null));
    }
}

#[tokio::test]
async fn roles_are_those_of_the_moment() {
    let app = TestApp::start().await;
    app.person("ada", &["admin"]).await;
    app.person("otto", &["admin"]).await;
    let (ada, otto) = (app.token("ada").await, app.token("otto").await);
    assert_eq!(
        app.get("/api/v1/people").token(&otto).send().await.status,
        StatusCode::OK
    );
    let taken = app
        .ask(Method::PUT, "/api/v1/people/otto/roles")
        .token(&ada)
        .json(&json!({ "roles": [] }))
        .await;
    assert_eq!(taken.status, StatusCode::OK);
    let refused = app.get("/api/v1/people").token(&otto).send().await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text.contains("an admin"), "{}", refused.text);
    let disabled = app
        .ask(Method::PATCH, "/api/v1/people/otto")
        .token(&ada)
        .json(&json!({ "disabled": true }))
        .await;
    assert_eq!(disabled.status, StatusCode::OK);
    let refused = app.get("/api/v1/me").token(&otto).send().await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn changes_can_be_bound_to_what_was_seen() {
    let app = TestApp::start().await;
    app.person("ada", &["admin"]).await;
    app.person("mara", &[]).await;
    let ada = app.token("ada").await;
    let path = "/api/v1/people/mara";
    let change = async |tag: Option<&str>, body: serde_json::Value| {
        let mut ask = app.ask(Method::PATCH, path).token(&ada);
        if let Some(tag) = tag {
            ask = ask.header("if-match", tag);
        }
        ask.json(&body).await
    };
    let first = change(Some("\"1\""), json!({ "title": "Mara M." })).await;
    assert_eq!(
        (first.status, first.header("etag")),
        (StatusCode::OK, "\"2\"")
    );
    let stale = change(Some("\"1\""), json!({ "title": "Mara N." })).await;
    assert_eq!(stale.status, StatusCode::CONFLICT, "{}", stale.text);
    let stale = change(None, json!({ "title": "Mara N.", "revision": 1 })).await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
    let differ = change(Some("\"2\""), json!({ "revision": 1 })).await;
    assert_eq!(
        (differ.status, differ.wrong_fields()),
        (StatusCode::BAD_REQUEST, vec!["If-Match".to_owned()])
    );
    let junk = change(Some("W/\"2\""), json!({})).await;
    assert_eq!(junk.status, StatusCode::BAD_REQUEST);
    let free = change(Some("*"), json!({ "title": "Mara O." })).await;
    assert_eq!(free.status, StatusCode::OK);
    // Roles are part of the account, and change its revision.
    let roles = async |tag: &str| {
        let ask = app
            .ask(Method::PUT, "/api/v1/people/mara/roles")
            .token(&ada);
        let ask = ask.header("if-match", tag);
        ask.json(&json!({ "roles": ["auditor"] })).await
    };
    let stale = roles("\"1\"").await;
    assert_eq!(stale.status, StatusCode::CONFLICT, "{}", stale.text);
    let set = roles(free.header("etag")).await;
    assert_eq!((set.status, set.header("etag")), (StatusCode::OK, "\"4\""));
    // Where a condition means nothing it is refused rather than passed over.
    let meaningless = app
        .ask(Method::PUT, "/api/v1/teams/rnd/members/mara")
        .token(&ada)
        .header("if-match", "\"1\"")
        .json(&json!({ "role": "consumer" }))
        .await;
    assert_eq!(meaningless.wrong_fields(), ["revision"]);
}

#[tokio::test]
async fn lists_come_in_pages() {
    let app = TestApp::start().await;
    app.person("ada", &["admin"]).await;
    let ada = app.token("ada").await;
    for n in 0..7 {
        app.domain(&format!("d{n}")).await;
    }
    let mut seen = Vec::new();
    let mut path = "/api/v1/domains?limit=3".to_owned();
    let mut pages = 0;
    loop {
        let page = app.get(&path).token(&ada).send().await.json();
        pages += 1;
        for item in page["items"].as_array().unwrap() {
            seen.push(item["name"].as_str().unwrap().to_owned());
        }
        match page["next"].as_str() {
            Some(next) => path = format!("/api/v1/domains?limit=3&after={next}"),
            None => break,
        }
    }
    assert_eq!(
        (pages, seen),
        (3, (0..7).map(|n| format!("d{n}")).collect())
    );
}
