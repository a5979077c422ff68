//! C-54 where machines call without a session: guesses of recipients' tokens and of gateway tickets are limited by address, good
//! tokens by recipient, and strangers write nothing.

use http::StatusCode;
use model::dto::ProfileNew;
use serde_json::json;

use crate::matrix::World;
use crate::support::counts::Counts;
use crate::support::{Answer, Build, TestApp};

const TABLE: &str = "/delta-sharing/shares/vehicle-visits/schemas/default/tables/visits";

/// A world with a recipient that reads `vehicle-visits`, and another one; their tokens.
async fn with_readers(app: TestApp) -> (World, [String; 2]) {
    let world = World::on(app).await;
    let operator = exchange::Principal::operator();
    let mut tokens = Vec::new();
    for name in ["rnd_one", "rnd_two"] {
        world.recipient(name, "westeurope").await;
        let request = world.ask("vehicle-visits", name, "live").await;
        world.approve(&request).await;
        let profile = world
            .exchange()
            .profile_create(&operator, name, ProfileNew::default());
        tokens.push(profile.await.unwrap().bearer_token);
    }
    (world, tokens.try_into().unwrap())
}

async fn query(world: &World, token: &str) -> Answer {
    let ask = world.app.post(&format!("{TABLE}/query")).token(token);
    ask.json(&json!({})).await
}

/// The protocol's own shape, with the time to wait.
fn assert_limited(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.json()["errorCode"], "REQUEST_LIMIT_EXCEEDED");
    assert!(answer.json()["message"].is_string(), "{}", answer.text);
    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
}

#[tokio::test]
async fn strangers_are_limited_and_write_nothing() {
    for app in TestApp::each().await {
        let (world, [token, _]) = with_readers(app).await;
        let before = Counts::of(world.exchange().db()).await;
        // Nobody, something that is no token, a token that was never given out.
        let kind = exchange::secret::TokenKind::Recipient;
        let unknown = exchange::secret::new_token(kind).unwrap();
        for path in ["version", "metadata"] {
            let answer = world.app.get(&format!("{TABLE}/{path}")).send().await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            let ask = world.app.get(&format!("{TABLE}/{path}")).token("nonsense");
            assert_eq!(ask.send().await.status, StatusCode::UNAUTHORIZED);
        }
        let mut limited = 0;
        for _ in 0..600 {
            let answer = query(&world, &unknown).await;
            if answer.status == StatusCode::TOO_MANY_REQUESTS {
                assert_limited(&answer);
                limited += 1;
            } else {
                assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            }
        }
        // Thirty at once; a few more while the others are sent.
        assert!((500..=575).contains(&limited), "{limited} of 600");
        let after = Counts::of(world.exchange().db()).await;
        assert_eq!(before, after, "strangers have written something");
        // Whoever calls from there has to wait, whatever the token.
        assert_limited(&query(&world, &token).await);
    }
}

#[tokio::test]
async fn recipients_are_limited_each_by_itself() {
    let build = Build {
        requests_per_second: 1,
        ..Build::default()
    };
    let (world, [one, two]) = with_readers(TestApp::with(build).await).await;
    let mut statuses = Vec::new();
    for _ in 0..12 {
        let answer = query(&world, &one).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            assert_limited(&answer);
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses[..4], [StatusCode::OK; 4], "a burst goes through");
    let limited = statuses.iter().filter(|status| **status != StatusCode::OK);
    assert!(limited.count() >= 1, "{statuses:?}");
    assert_eq!(query(&world, &two).await.status, StatusCode::OK);
    // All of them stand in the access log, also those that were turned away.
    let operator = exchange::Principal::operator();
    let log = world
        .exchange()
        .share_queries(&operator, &Default::default(), &Default::default())
        .await
        .unwrap();
    assert_eq!(log.items.len(), statuses.len() + 1);
    let limited = statuses.iter().filter(|status| **status != StatusCode::OK);
    let away = log.items.iter().filter(|call| call.status == 429);
    assert_eq!(away.count(), limited.count());
}

#[tokio::test]
async fn forged_tickets_are_limited_and_good_ones_served() {
    let (world, [token, _]) = with_readers(TestApp::start().await).await;
    let answer = query(&world, &token).await;
    let (_, url) = answer.text.split_once("\"url\":\"").unwrap();
    let url = url.split('"').next().unwrap();
    let good = url.strip_prefix("https://data.example").unwrap();
    let forged = good.replace("/data/v1/", "/data/v1/x");
    let unsigned = good.split('?').next().unwrap();
    let mut limited = 0;
    for _ in 0..60 {
        for path in [forged.as_str(), unsigned] {
            let answer = world.app.get(path).send().await;
            match answer.status {
                StatusCode::FORBIDDEN => {}
                StatusCode::TOO_MANY_REQUESTS => {
                    assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
                    limited += 1;
                }
                other => panic!("{other}: {}", answer.text),
            }
        }
    }
    assert!((80..=90).contains(&limited), "{limited} of 120");
    // A cluster's readers share an address: what is in order is served.
    assert_eq!(world.app.get(good).send().await.status, StatusCode::OK);
}
