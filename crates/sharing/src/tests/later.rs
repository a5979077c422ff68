//! Queries that are answered later.

use std::collections::BTreeSet;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::actions::add;
use super::pages::{read, table};
use super::world::{ALICE, Answer, CAPABILITIES, World, assert_error, call, visits};
use crate::{Endpoint, Outcome};

const ASKS: [(&str, &str); 1] = [(CAPABILITIES, "responseformat=parquet;asyncquery=true")];

async fn ask(world: &World, body: &Value) -> Answer {
    world
        .query_with(&visits("/query"), &body.to_string(), &ASKS)
        .await
}

/// Of an answer that says no more than how far a query has come: its id, and how far.
fn status(answer: &Answer) -> (String, Value) {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.header(CAPABILITIES), "asyncquery=true");
    assert_eq!(
        answer.header("content-type"),
        "application/x-ndjson; charset=utf-8"
    );
    let lines = answer.lines();
    assert_eq!(lines.len(), 1, "{}", answer.body);
    let line: Value = serde_json::from_str(lines[0]).unwrap();
    let status = line["queryStatus"].clone();
    (status["queryId"].as_str().unwrap().to_owned(), status)
}

fn pending(answer: &Answer) -> String {
    // What Spark asks of every answer.
    assert!(answer.header("delta-table-version").parse::<u64>().is_ok());
    let (id, status) = status(answer);
    assert_eq!(status, json!({"queryId": id, "status": "pending"}));
    id
}

/// Asks about the query until it is there.
async fn poll(world: &World, id: &str, body: &str) -> Answer {
    let path = visits(&format!("/queries/{id}"));
    for _ in 0..1_000 {
        let answer = world.query_with(&path, body, &ASKS).await;
        if !answer.body.contains("\"pending\"") {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the query does not come to its end");
}

#[tokio::test]
async fn a_query_is_answered_later_and_the_same_key_is_the_same_query() {
    let mut world = table().await;
    let hints = json!(["date = '2021-04-11'"]);
    let (whole, _) = read(
        &world
            .post(
                &visits("/query"),
                &json!({"predicateHints": hints}).to_string(),
            )
            .await,
    );
    let body =
        json!({"predicateHints": hints, "idempotencyKey": "k1", "includeRefreshToken": true});
    let id = pending(&ask(&world, &body).await);
    // Both names of the key, and what belongs to one call only.
    let again = json!({"predicateHints": hints, "idempotency_key": "k1", "includeRefreshToken": true, "maxFiles": 1});
    assert_eq!(pending(&ask(&world, &again).await), id);
    // What is committed later is not in it.
    world
        .commit(3, &[add("late", Some("2021-04-11"), Some(1))])
        .await;

    let answer = poll(&world, &id, "{}").await;
    assert_eq!(answer.header("delta-table-version"), "2");
    assert_eq!(
        answer.header(CAPABILITIES),
        "responseformat=parquet;asyncquery=true"
    );
    let (ids, end) = read(&answer);
    assert_eq!(ids, whole);
    assert!(end["refreshToken"].is_string() && end.get("nextPageToken").is_none());
    assert_eq!(world.queries().attempts(), [1], "one job");

    // In pages, also by a process that knows nothing of it.
    world.restart();
    let (mut found, mut page, mut heads) = (
        BTreeSet::new(),
        json!({"queryId": id, "maxFiles": 2}),
        BTreeSet::new(),
    );
    for of in [2, 1] {
        let answer = poll(&world, &id, &page.to_string()).await;
        heads.insert(answer.lines()[..2].join("\n"));
        let (ids, end) = read(&answer);
        assert_eq!(ids.len(), of);
        found.extend(ids);
        assert_eq!(end.get("refreshToken").is_some(), of == 2, "on the first");
        page["pageToken"] = end.get("nextPageToken").cloned().unwrap_or_default();
    }
    assert!(page["pageToken"].is_null() && heads.len() == 1);
    assert_eq!(found, whole.iter().cloned().collect());
    assert_eq!(
        pending(&ask(&world, &body).await),
        id,
        "its id is told, not its answer"
    );
    assert_eq!(world.queries().attempts(), [1]);

    // What is not this query.
    for (body, what) in [
        (json!({"idempotencyKey": "k1"}), "another query"),
        (json!({"predicateHints": hints}), "no key"),
        (
            json!({"idempotencyKey": "a", "idempotency_key": "b"}),
            "two keys",
        ),
        (json!({"idempotencyKey": "k".repeat(256)}), "a long key"),
    ] {
        let answer = ask(&world, &body).await;
        assert_error(&answer, 400, "INVALID_PARAMETER_VALUE", what);
    }
    let path = visits(&format!("/queries/{id}"));
    let bob = [("authorization", "Bearer token-bob"), ASKS[0]];
    let answer = world.send(call(Method::POST, &path, &bob, "{}")).await;
    assert_error(&answer, 404, "RESOURCE_DOES_NOT_EXIST", "another recipient");
    world.queries().forget();
    let answer = world.post(&path, "{}").await;
    assert_error(&answer, 404, "RESOURCE_DOES_NOT_EXIST", "forgotten");

    let records = world.records();
    let later = records
        .iter()
        .filter(|record| record.endpoint == Endpoint::AsyncQuery);
    assert!(
        later
            .clone()
            .all(|record| record.files == 0 && record.outcome != Outcome::Abandoned)
    );
    assert!(later.count() >= 3, "asked twice, and the job");
}

#[tokio::test]
async fn what_a_query_cannot_answer_and_who_takes_it_up() {
    let mut world = table().await;
    // Of a version that there is none of.
    let id = pending(&ask(&world, &json!({"version": 77, "idempotencyKey": "k"})).await);
    let (same, failed) = status(&poll(&world, &id, "").await);
    assert_eq!(
        (same.as_str(), &failed["status"]),
        (id.as_str(), &json!("failed"))
    );
    assert!(
        failed["message"].as_str().unwrap().contains("77"),
        "{failed}"
    );

    // Its process has ended: whoever is asked next takes it up once nobody has it.
    let new = crate::QueryNew {
        recipient: world.records()[0].reader.clone().unwrap().recipient,
        table: world.records()[0].table_id.unwrap(),
        key: "lost".to_owned(),
        request: json!({
            "body": {},
            "capabilities": ASKS[0].1,
            "file_ids": null,
            "place": hex::encode(<sha2::Sha256 as sha2::Digest>::digest(
                world.records()[0].table_id.unwrap().to_string().as_bytes()
            )),
        })
        .to_string(),
        version: 2,
    };
    let queries: &dyn crate::Queries = world.queries();
    let lost = queries.begin(new).await.unwrap();
    assert_eq!(queries.take(lost.id).await.unwrap(), Some(1));
    let path = visits(&format!("/queries/{}", lost.id));
    let answer = world.query_with(&path, "{}", &ASKS).await;
    assert_eq!(pending(&answer), lost.id.to_string());
    world.restart();
    world.queries().release();
    let (ids, _) = read(&poll(&world, &lost.id.to_string(), "{}").await);
    assert_eq!(ids.len(), 9);
    assert_eq!(world.queries().attempts(), [1, 2]);
    // With the grant its answer ends, as any.
    world.end("sales", "visits", true, None);
    let answer = world.send(call(Method::POST, &path, &[ALICE], "{}")).await;
    assert_error(&answer, 403, "PERMISSION_DENIED", "revoked");
}

/// Its answer is one of where it began; the same key finds it from the other side, too.
#[tokio::test]
async fn a_query_is_answered_on_the_side_on_which_it_began() {
    let world = table().await;
    world.keeps_both_sides(true);
    world.shares_past(false, false, true);
    let body = json!({"idempotencyKey": "k"});
    let id = pending(&ask(&world, &body).await);
    world.shares_past(false, false, false);
    assert_eq!(pending(&ask(&world, &body).await), id);
    let answer = poll(&world, &id, r#"{"maxFiles":5}"#).await;
    assert_eq!(answer.header("x-entrepot-read-from"), "replica");
    let (first, end) = read(&answer);
    let page = json!({"maxFiles": 5, "pageToken": end["nextPageToken"]}).to_string();
    let answer = poll(&world, &id, &page).await;
    assert_eq!(answer.header("x-entrepot-read-from"), "replica");
    assert_eq!(first.len() + read(&answer).0.len(), 9);
    assert_eq!(world.queries().attempts(), [1]);

    world.keeps_both_sides(false);
    let (_, failed) = status(&poll(&world, &id, &page).await);
    assert_eq!(failed["status"], "failed");
    let message = failed["message"].as_str().unwrap();
    assert!(message.contains("a new idempotencyKey"), "{message}");
}

/// A client that asks for more than is to be answered later is answered at once.
#[tokio::test]
async fn pages_new_urls_and_changes_are_there_at_once() {
    let world = table().await;
    let whole = r#"{"includeRefreshToken":true,"maxFiles":3}"#;
    let (_, end) = read(&world.post(&visits("/query"), whole).await);
    let refresh = json!({"refreshToken": end["refreshToken"], "idempotencyKey": "k"});
    let (ids, _) = read(&ask(&world, &refresh).await);
    assert_eq!(ids.len(), 9);
    let changes = json!({"startingVersion": 1, "idempotencyKey": "k"});
    let answer = ask(&world, &changes).await;
    assert_eq!(answer.lines().len(), 2 + 9);
    let long = json!({"predicateHints": ["x".repeat(70_000)], "idempotencyKey": "k"});
    assert_eq!(read(&ask(&world, &long).await).0.len(), 9);
    assert!(world.queries().attempts().is_empty());
}
