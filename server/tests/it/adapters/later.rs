//! Pages, new URLs and queries that are answered later, on real databases: what one process has begun another one goes on with.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode, header};
use serde_json::{Value, json};

use super::{Answer, VISITS, World};

async fn post(world: &World, token: &str, rest: &str, body: &Value) -> Answer {
    let request = Request::post(format!(
        "/delta-sharing/shares/{VISITS}/schemas/default/tables/visits/{rest}"
    ))
    .header(header::AUTHORIZATION, format!("Bearer {token}"))
    .header("delta-sharing-capabilities", "asyncquery=true")
    .body(Body::from(body.to_string()))
    .unwrap();
    world.ask(request).await
}

/// The ids of an answer's files, and the line that ends it.
fn read(answer: &Answer) -> (BTreeSet<String>, Value) {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let lines = answer.text().lines().skip(2);
    let lines = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    let (mut ids, mut end) = (BTreeSet::new(), Value::Null);
    for line in lines {
        match line["file"]["id"].as_str() {
            Some(id) => assert!(ids.insert(id.to_owned()), "twice: {line}"),
            None => end = line["endStreamAction"].clone(),
        }
    }
    (ids, end)
}

fn pending(answer: &Answer) -> Option<String> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let line: Value = serde_json::from_str(answer.text().lines().next().unwrap()).unwrap();
    let status = &line["queryStatus"];
    if status.is_null() {
        return None;
    }
    assert_eq!(status["status"], "pending", "{status}");
    Some(status["queryId"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn what_one_process_begins_another_goes_on_with() {
    for world in World::each().await {
        world.visits().await;
        let grant = world.grant(VISITS, "rnd_weu", "live").await;
        let token = world.token("rnd_weu").await;
        let beside = world.beside().await;
        let body = json!({"idempotencyKey": "k", "includeRefreshToken": true});

        // Asked of one, told by the other, once however often it is asked for.
        let id = pending(&post(&world, &token, "query", &body).await).unwrap();
        let again = post(&beside, &token, "query", &body).await;
        assert_eq!(pending(&again), Some(id.clone()));
        let path = format!("queries/{id}");
        let mut told = post(&beside, &token, &path, &json!({})).await;
        for _ in 0..500 {
            if pending(&told).is_none() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            told = post(&beside, &token, &path, &json!({})).await;
        }
        let (all, end) = read(&told);
        assert_eq!(all.len(), 3);
        assert_eq!(told.header("delta-table-version"), "3");
        let files = world.files(&token).await;
        assert_eq!(files.len(), 3, "what is asked at once is answered at once");

        // New URLs and pages from whoever is asked.
        let refresh = json!({"refreshToken": end["refreshToken"], "maxFiles": 2});
        let (first, end) = read(&post(&world, &token, "query", &refresh).await);
        let next = json!({"pageToken": end["nextPageToken"]});
        let (second, _) = read(&post(&beside, &token, "query", &next).await);
        assert_eq!((first.len(), second.len()), (2, 1));
        assert_eq!(first.union(&second).cloned().collect::<BTreeSet<_>>(), all);

        // Nothing of it outlives the grant.
        world.revoke(grant).await;
        for (rest, body) in [(path.as_str(), json!({})), ("query", next)] {
            let refused = post(&beside, &token, rest, &body).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text());
        }
    }
}
