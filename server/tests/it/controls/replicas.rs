//! Who sees a replica and its runs, and how much of them: one rule for reading one and for lists (C-06, C-07).

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::rows::execute;
use super::world::{As, FAILURE, Tenants, send};
use crate::matrix::samples::REPLICA;
use crate::matrix::{COLUMNS, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sees {
    Nothing,
    /// As a team that reads it.
    WithoutPlaces,
    All,
}

async fn get(tenants: &Tenants, token: &str, path: &str) -> (StatusCode, Value) {
    let path = format!("/api/v1{path}");
    let answer = send(tenants.app(), As::Token(token), Method::GET, &path, None).await;
    (answer.status, answer.json())
}

async fn check(tenants: &Tenants, who: &str, token: &str, expected: Sees) {
    let run = &tenants.things[5];
    let (status, replica) = get(tenants, token, &format!("/replicas/{REPLICA}")).await;
    let (run_status, run) = get(tenants, token, &format!("/sync-runs/{run}")).await;
    let (_, replicas) = get(tenants, token, "/replicas").await;
    let (_, of_product) = get(tenants, token, "/replicas?product=vehicle-replicated").await;
    let (_, runs) = get(tenants, token, "/sync-runs").await;
    let listed = [&replicas, &of_product, &runs].map(|list| list["items"].as_array().unwrap());
    if expected == Sees::Nothing {
        assert_eq!([status, run_status], [StatusCode::NOT_FOUND; 2], "{who}");
        assert_eq!(listed.map(Vec::len), [0; 3], "{who}");
        return;
    }
    assert_eq!([status, run_status], [StatusCode::OK; 2], "{who}");
    assert_eq!(listed.map(Vec::len), [1; 3], "{who}");
    let all = [&replica, &listed[0][0], &listed[1][0]];
    for replica in all {
        let table = &replica["tables"][0];
        let place = match expected {
            Sees::All => (json!("vehicle-replicated/default/visits"), json!(FAILURE)),
            _ => (Value::Null, table["reason"].clone()),
        };
        assert_eq!(
            (&table["path"], &table["reason"]),
            (&place.0, &place.1),
            "{who}"
        );
        let work = table["work"].as_array().unwrap();
        let told = work.iter().any(|work| work["error"] == FAILURE);
        assert_eq!(told, expected == Sees::All, "{who}");
    }
    for run in [&run, &listed[2][0]] {
        assert_eq!(run["error"] == FAILURE, expected == Sees::All, "{who}");
        assert!(
            run["error"].as_str().unwrap().len() > 20,
            "{who} learns that it failed"
        );
    }
    if expected == Sees::WithoutPlaces {
        let said = format!("{replica} {run} {replicas} {runs}");
        assert!(
            !said.contains("hidden/") && !said.contains("/default/"),
            "{who}: {said}"
        );
        assert!(
            said.contains("the team that owns the product sees why"),
            "{who}: {said}"
        );
    }
}

fn token<'a>(world: &'a World, column: &str) -> &'a str {
    let at = COLUMNS.iter().position(|name| *name == column).unwrap();
    world.tokens[at].as_deref().unwrap()
}

#[tokio::test]
async fn owners_see_all_readers_that_it_is_there_others_nothing() {
    let tenants = Tenants::start().await;
    let world = &tenants.matrix;
    for (column, expected) in [
        ("loner", Sees::Nothing),
        ("consumer", Sees::WithoutPlaces),
        ("other_producer", Sees::Nothing),
        ("producer", Sees::All),
        // Not personal data.
        ("data_protection", Sees::Nothing),
        ("finance", Sees::Nothing),
        ("auditor", Sees::All),
        ("admin", Sees::All),
    ] {
        check(&tenants, column, token(world, column), expected).await;
    }
    // In the replica's own region, with a grant on another product.
    check(&tenants, "sally", &tenants.strangers[1].1, Sees::Nothing).await;

    // Personal data is data protection's, too.
    execute(
        tenants.app().exchange.db(),
        "update product set classification = 'personal' where name = 'vehicle-replicated'",
    )
    .await
    .unwrap();
    check(
        &tenants,
        "data_protection",
        token(world, "data_protection"),
        Sees::All,
    )
    .await;

    // With the grant goes the sight.
    let (_, grants) = get(
        &tenants,
        token(world, "consumer"),
        "/grants?product=vehicle-replicated",
    )
    .await;
    let id = grants["items"][0]["id"].as_str().unwrap();
    let revoked = send(
        tenants.app(),
        As::Token(token(world, "consumer")),
        Method::POST,
        &format!("/api/v1/grants/{id}/revoke"),
        Some(&json!({ "reason": "over" })),
    )
    .await;
    assert_eq!(revoked.status, StatusCode::OK);
    check(
        &tenants,
        "consumer",
        token(world, "consumer"),
        Sees::Nothing,
    )
    .await;
}
