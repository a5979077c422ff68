//! C-54: so many tables' states at once, and nobody takes the places of others.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use futures::StreamExt as _;
use http::{Method, Request, StatusCode};
use serde_json::Value;

use super::actions::{add, metadata, protocol};
use super::world::{CAPABILITIES, World, assert_error, call, visits};
use crate::Outcome;
use crate::slots::{ALL, EACH, Patience};

const SHORT: Duration = Duration::from_millis(50);
/// Longer than any test.
const LONG: Duration = Duration::from_secs(600);

/// A table whose answer has several pieces.
async fn wide(place: Duration, client: Duration) -> World {
    let world = World::with(500, Patience { place, client });
    world.share("sales");
    let files: Vec<Value> = (0..2_501)
        .map(|n| add(&format!("f{n:05}.parquet"), Some("2021-04-28"), Some(1)))
        .collect();
    world
        .table(
            "sales",
            "default",
            "visits",
            &[&[protocol(), metadata()], &files],
        )
        .await;
    world
}

fn query(token: &str) -> Request<Body> {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    call(Method::POST, &visits("/query"), &headers, "{}")
}

/// Begins an answer and leaves the rest of it unread.
async fn hold(world: &World) -> Response {
    let response = world.begin(query("token-alice")).await;
    assert_eq!(response.status(), StatusCode::OK);
    response
}

#[tokio::test]
async fn one_recipient_takes_no_more_than_its_places() {
    let world = wide(SHORT, LONG).await;
    let unknown = [protocol(), metadata()];
    world.table("sales", "default", "other", &[&unknown]).await;
    let mut held = Vec::new();
    for _ in 0..EACH {
        held.push(hold(&world).await);
    }
    let refused = world.send(query("token-alice")).await;
    assert_error(&refused, 429, "REQUEST_LIMIT_EXCEEDED", "one too many");
    assert_eq!(refused.header("retry-after"), "5");
    world.recorded().await;
    assert_eq!(world.record().status, 429);
    // Metadata reads the same state; lists and versions do not.
    let metadata = world.get(&visits("/metadata")).await;
    assert_eq!(metadata.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(world.get(&visits("/version")).await.status, StatusCode::OK);
    // But the version of a table that is not known yet: its whole log may be listed.
    let other_version = "/shares/sales/schemas/default/tables/other/version";
    let unknown = world.get(other_version).await;
    assert_eq!(unknown.status, StatusCode::TOO_MANY_REQUESTS);
    let bob = [("authorization", "Bearer token-bob")];
    let known = world.send(call(Method::GET, other_version, &bob, "")).await;
    assert_eq!(known.header("delta-table-version"), "0");
    assert_eq!(world.get(other_version).await.status, StatusCode::OK);
    assert_eq!(world.get("/shares").await.status, StatusCode::OK);
    // Nor is an instant looked up without a place, also where the files are to come later.
    world.shares_past(true, false, false);
    let body = r#"{"timestamp":"2026-01-01T00:00:00Z","idempotencyKey":"k"}"#;
    let asks = [(CAPABILITIES, "asyncquery=true")];
    let later = world.query_with(&visits("/query"), body, &asks).await;
    assert_eq!(later.status, StatusCode::TOO_MANY_REQUESTS);
    let other = world.send(query("token-bob")).await;
    assert_eq!(other.status, StatusCode::OK, "others are not held up");
    drop(held.pop());
    assert_eq!(
        world.send(query("token-alice")).await.status,
        StatusCode::OK
    );
    const {
        assert!(
            2 * EACH <= ALL,
            "one recipient's places are not all of them"
        )
    };
}

/// Who waits is served in turn, and never more at a time than there are places.
#[tokio::test]
async fn who_waits_is_served() {
    let world = wide(LONG, LONG).await;
    let answers = (0..10 * EACH).map(|_| world.send(query("token-alice")));
    for answer in futures::future::join_all(answers).await {
        assert_eq!((answer.status, answer.broken), (StatusCode::OK, false));
        assert_eq!(answer.lines().len(), 2 + 2_501);
    }
}

/// A client that takes nothing gives its place back, and what it takes later is not the whole.
#[tokio::test]
async fn a_client_that_takes_nothing_loses_its_place() {
    let world = wide(LONG, SHORT).await;
    let mut held = Vec::new();
    for _ in 0..EACH {
        let mut body = hold(&world).await.into_body().into_data_stream();
        assert!(body.next().await.unwrap().is_ok(), "the first piece");
        held.push(body);
    }
    // It comes to its turn because the others are let go of.
    let next = world.send(query("token-alice")).await;
    assert_eq!(next.status, StatusCode::OK);
    // One of them is enough for that; the time of the last is over a little later.
    tokio::time::sleep(2 * SHORT).await;
    for mut body in held {
        let mut broken = false;
        while let Some(piece) = body.next().await {
            broken = piece.is_err();
        }
        assert!(broken, "a part is never taken for the whole");
    }
    let ended = |record: &crate::QueryRecord| record.outcome == Outcome::Abandoned;
    while world
        .records()
        .iter()
        .filter(|record| ended(record))
        .count()
        < EACH
    {
        world.recorded().await;
    }
}
