//! States that are kept: read once, carried on, never taken for another table's.

use std::io::Read as _;

use flate2::bufread::GzDecoder;
use http::{Method, StatusCode};
use model::time::MINUTE;
use serde_json::{Value, json};

use super::actions::{add, metadata, protocol};
use super::gate::Fault;
use super::world::{ALICE, Answer, World, call, visits};
use crate::slots::Patience;

fn remove(path: &str) -> Value {
    json!({"remove": {"path": path, "deletionTimestamp": 7, "dataChange": true}})
}

/// A commit that changes nothing.
fn idle() -> Vec<Value> {
    vec![json!({"commitInfo": {"timestamp": 1}})]
}

fn file(path: &str) -> Value {
    add(path, Some("2021-04-28"), Some(1))
}

/// Four commits; `a`, `b` and `d` are left.
async fn table() -> World {
    World::of(&[
        &[protocol(), metadata()],
        &[file("a"), file("b")],
        &[file("c")],
        &[remove("c"), file("d")],
    ])
    .await
}

fn paths(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let path = |line: &&str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let url = line["file"]["url"].as_str().unwrap_or("the end").to_owned();
        let url = url.trim_start_matches("https://store.example/");
        url.split('?').next().unwrap().to_owned()
    };
    answer.lines()[2..].iter().map(path).collect()
}

fn query() -> http::Request<axum::body::Body> {
    call(Method::POST, &visits("/query"), &[ALICE], "{}")
}

#[tokio::test]
async fn fifty_first_questions_read_the_log_once_and_later_ones_new_commits_alone() {
    let world = table().await;
    let answers = futures::future::join_all((0..50).map(|_| world.send(query()))).await;
    for answer in &answers {
        assert_eq!(paths(answer), ["a", "b", "d"]);
    }
    let (mut read, lists) = world.take_reads();
    read.sort_unstable();
    let commit = |version: u64| format!("{version:020}.json");
    let log: Vec<String> = (0..4)
        .map(commit)
        .chain(["_last_checkpoint".to_owned()])
        .collect();
    assert_eq!(read, log);
    assert!(lists <= 50, "{lists}");

    // Nothing new: one look at the names.
    assert_eq!(paths(&world.send(query()).await), ["a", "b", "d"]);
    assert_eq!(world.take_reads(), (vec![], 1));
    world.get(&visits("/metadata")).await;
    assert_eq!(world.take_reads(), (vec![], 1));
    let version = world.get(&visits("/version")).await;
    assert_eq!(version.header("delta-table-version"), "3");
    assert_eq!(world.take_reads(), (vec![], 1));

    // What was committed since is read, and nothing else: also what is removed, and what is added again.
    world.commit(4, &[remove("a"), file("e")]).await;
    world.commit(5, &[remove("b"), file("b"), file("a")]).await;
    assert_eq!(paths(&world.send(query()).await), ["d", "e", "b", "a"]);
    assert_eq!(world.take_reads(), (vec![commit(4), commit(5)], 1));
    assert_eq!(
        world
            .get(&visits("/version"))
            .await
            .header("delta-table-version"),
        "5"
    );
}

/// E6 is cheap: it never opens a checkpoint, cold or warm.
#[tokio::test]
async fn a_version_is_told_without_reading_a_checkpoint() {
    let world = table().await;
    world.checkpoint(3).await;
    world.take_reads();
    for _ in 0..2 {
        let version = world.get(&visits("/version")).await;
        assert_eq!(version.header("delta-table-version"), "3");
    }
    let (read, _) = world.take_reads();
    assert!(
        read.iter().all(|name| name == "_last_checkpoint"),
        "{read:?}"
    );
    // The state itself is the checkpoint's, which has another order of files, and is carried on all the same.
    world.commit(4, &[remove("d")]).await;
    let mut found = paths(&world.send(query()).await);
    found.sort_unstable();
    assert_eq!(found, ["a", "b"]);
}

#[tokio::test]
async fn another_table_in_the_same_place_is_told_from_the_one_before() {
    let world = table().await;
    assert_eq!(paths(&world.send(query()).await), ["a", "b", "d"]);
    let (x, y, z) = (file("x"), file("y"), file("z"));
    // Longer than the one before, as long, shorter, and gone.
    for (log, found) in [
        (
            vec![
                vec![protocol(), metadata()],
                vec![x.clone()],
                idle(),
                vec![y],
                vec![z],
            ],
            vec!["x", "y", "z"],
        ),
        (
            vec![
                vec![protocol(), metadata(), x.clone()],
                idle(),
                idle(),
                idle(),
                idle(),
            ],
            vec!["x"],
        ),
        (vec![vec![protocol(), metadata(), x]], vec!["x"]),
    ] {
        let log: Vec<&[Value]> = log.iter().map(Vec::as_slice).collect();
        world.rewrite(&log).await;
        assert_eq!(paths(&world.send(query()).await), found);
        let version = world.get(&visits("/version")).await;
        assert_eq!(
            version.header("delta-table-version"),
            (log.len() - 1).to_string()
        );
    }
    world.rewrite(&[]).await;
    assert!(world.send(query()).await.status.is_client_error());
    // What is kept opens nothing: without the grant there is no table.
    let world = table().await;
    world.send(query()).await;
    world.ungrant("sales", "visits");
    assert_eq!(world.send(query()).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn no_more_is_kept_than_there_is_room_for() {
    let commits: Vec<Vec<Value>> = (0..3)
        .map(|n| (0..200).map(|m| file(&format!("{n}-{m:04}"))).collect())
        .collect();
    let room = 200_000;
    for (bytes, kept) in [(0, false), (room, true)] {
        let world = World::keeping(500, Patience::default(), bytes);
        world.share("sales");
        for name in ["visits", "u", "v", "w", "x", "y", "z"] {
            let head = [protocol(), metadata()];
            let log = [&head[..], &commits[0][..], &commits[1][..], &commits[2][..]];
            world.table("sales", "default", name, &log).await;
            let path = format!("/shares/sales/schemas/default/tables/{name}/query");
            assert_eq!(paths(&world.post(&path, "{}").await).len(), 600);
            assert!(world.states.bytes() <= bytes, "{}", world.states.bytes());
        }
        assert_eq!(world.states.bytes() > 0, kept);
        world.take_reads();
        let again = "/shares/sales/schemas/default/tables/z/query";
        assert_eq!(paths(&world.post(again, "{}").await).len(), 600);
        assert_eq!(
            world.take_reads().0.is_empty(),
            kept,
            "the last one was kept"
        );
    }
}

#[tokio::test]
async fn one_table_does_not_drive_out_the_others() {
    let world = World::keeping(500, Patience::default(), 40_000);
    world.share("sales");
    let small = [protocol(), metadata(), file("a")];
    world.table("sales", "default", "visits", &[&small]).await;
    // More than there is room for.
    let large: Vec<Value> = [protocol(), metadata()]
        .into_iter()
        .chain((0..2_000).map(|n| file(&format!("{n:06}"))))
        .collect();
    world.table("sales", "default", "large", &[&large]).await;
    world.send(query()).await;
    let all = world
        .post("/shares/sales/schemas/default/tables/large/query", "{}")
        .await;
    assert_eq!(paths(&all).len(), 2_000);
    world.take_reads();
    assert_eq!(paths(&world.send(query()).await), ["a"]);
    assert_eq!(world.take_reads(), (vec![], 1), "it is still kept");

    // Nor do old versions take the newest's room, however many are looked at.
    let world = table().await;
    world.shares_past(true, true, false);
    for version in 4..50 {
        world.commit(version, &idle()).await;
    }
    world.send(query()).await;
    for version in 0..49 {
        let body = json!({"version": version}).to_string();
        let answer = world.post(&visits("/query"), &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    }
    world.take_reads();
    assert_eq!(paths(&world.send(query()).await), ["a", "b", "d"]);
    assert_eq!(world.take_reads(), (vec![], 1), "the newest is kept");
    let first = world.post(&visits("/query"), r#"{"version":0}"#).await;
    assert!(paths(&first).is_empty());
    assert!(!world.take_reads().0.is_empty(), "the first is not");
}

/// Answers are compressed for who asks for that: lines are much alike.
#[tokio::test]
async fn an_answer_is_compressed_where_that_is_asked_for() {
    let world = World::of(&[
        &[protocol(), metadata()],
        &(0..1_201)
            .map(|n| file(&format!("f{n:05}.parquet")))
            .collect::<Vec<_>>(),
    ])
    .await;
    let answer = world.send(query()).await.body;
    let plain = answer.len();
    // Each URL is signed anew.
    let unsigned = |body: &str| -> Vec<String> {
        let lines = body.lines();
        lines
            .map(|line| line.split("?X-Amz-Signature").next().unwrap().to_owned())
            .collect()
    };
    assert!(unsigned(&answer).len() > 1_201);
    for (asked, encoding) in [
        ("gzip", "gzip"),
        ("gzip, deflate, br", "gzip"),
        ("GZIP;q=0.5, identity;q=0.4, *;q=0", "gzip"),
        ("br", "br"),
        ("gzip;q=0.2,br;q=0.9", "br"),
        ("gzip;q=0, br", "br"),
        ("gzip;q=no, br", "br"),
        ("gzip;q=5, br;Q=0.1", "br"),
        ("gzip;q=0.1, *;q=1", "br"),
        ("*", "gzip"),
    ] {
        let headers = [ALICE, ("accept-encoding", asked)];
        let request = call(Method::POST, &visits("/query"), &headers, "{}");
        let response = world.begin(request).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-encoding"], encoding, "{asked}");
        assert_eq!(response.headers()["vary"], "accept-encoding");
        assert_eq!(
            response.headers()["content-type"],
            "application/x-ndjson; charset=utf-8"
        );
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
        let body = body.unwrap();
        assert!(body.len() * 4 <= plain, "{encoding}");
        if encoding == "gzip" {
            let mut text = String::new();
            GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
            assert_eq!(unsigned(&text), unsigned(&answer), "{asked}");
        }
    }
    for asked in ["identity", "gzip;q=0", "gzip;q=0.1, identity", "zstd"] {
        let headers = [ALICE, ("accept-encoding", asked)];
        let request = call(Method::POST, &visits("/query"), &headers, "{}");
        let body = world.send(request).await.body;
        assert_eq!(unsigned(&body), unsigned(&answer), "{asked}");
    }
    // H5: one that breaks off has no end, in this coat either.
    world.fault(Fault::SignFrom(world.sign_calls() + 1));
    let headers = [ALICE, ("accept-encoding", "gzip")];
    let request = call(Method::POST, &visits("/query"), &headers, "{}");
    let response = world.begin(request).await;
    assert_eq!(response.status(), StatusCode::OK);
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
    assert!(body.is_err());
}

/// Who asks for the same changes again is told what was told, unless what is said of them may be another by then.
#[tokio::test]
async fn changes_that_are_asked_for_again_are_not_read_again() {
    let world = super::changes::feed().await;
    let whole = visits("/changes?startingVersion=0");
    let first = world.get(&whole).await;
    assert!(world.take_reads().0.len() >= 6, "all commits");
    let again = world.get(&whole).await;
    assert_eq!(world.take_reads(), (vec![], 1), "the names alone");
    assert_eq!(paths_of_changes(&again), paths_of_changes(&first));
    // Nor does their first page.
    let page = world.get(&format!("{whole}&maxFiles=1")).await;
    assert_eq!(world.take_reads(), (vec![], 1));
    assert_eq!(page.lines()[..2], first.lines()[..2]);

    // The metadata is that of the newest version, which lies outside of these.
    let three = visits("/changes?startingVersion=0&endingVersion=3");
    let all_in_these = format!("{three}&includeHistoricalMetadata=true");
    for (path, is_kept) in [(&three, false), (&all_in_these, true)] {
        let first = world.get(path).await;
        world.take_reads();
        let again = world.get(path).await;
        assert_eq!(world.take_reads().0.is_empty(), is_kept, "{path}");
        assert_eq!(paths_of_changes(&again), paths_of_changes(&first));
    }

    // One more version, and a version that was written anew.
    world.commit(6, &idle()).await;
    assert_eq!(
        paths_of_changes(&world.get(&whole).await),
        paths_of_changes(&first)
    );
    assert!(!world.take_reads().0.is_empty());
    world.get(&whole).await;
    assert_eq!(world.take_reads(), (vec![], 1));
    world.advance(MINUTE);
    world
        .commit(6, &[json!({"commitInfo": {"timestamp": 2}})])
        .await;
    world.get(&whole).await;
    assert!(!world.take_reads().0.is_empty(), "it was written anew");
}

fn paths_of_changes(answer: &Answer) -> Vec<(String, String)> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let told = |line: &&str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let (kind, file) = line.as_object().unwrap().iter().next().unwrap();
        (kind.clone(), file["id"].to_string())
    };
    answer.lines().iter().map(told).collect()
}

/// What one page has read those after it need not read again, unless the log is another by then.
#[tokio::test]
async fn pages_of_changes_are_read_once() {
    let world = super::changes::feed().await;
    let asked = visits("/changes?startingVersion=0&maxFiles=1");
    let token = |answer: &Answer| {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let end: Value = serde_json::from_str(answer.lines().last().unwrap()).unwrap();
        let token = end["endStreamAction"]["nextPageToken"].as_str();
        token.map(|token| format!("{asked}&pageToken={token}"))
    };
    world.take_reads();
    let first = world.get(&asked).await;
    assert!(world.take_reads().0.len() >= 6, "all commits");
    let second = token(&first).unwrap();
    let (mut next, mut pages) = (Some(second.clone()), 1);
    while let Some(path) = next {
        let page = world.get(&path).await;
        assert_eq!(world.take_reads(), (vec![], 0), "what was lately seen");
        assert_eq!(page.lines()[..2], first.lines()[..2]);
        world.advance(MINUTE);
        let later = world.get(&path).await;
        assert_eq!(world.take_reads(), (vec![], 1), "the names alone");
        assert_eq!(later.lines()[..2], first.lines()[..2]);
        next = token(&page);
        pages += 1;
    }
    assert!(pages >= 3, "{pages}");
    // Who sees less of the table is told nothing of what others were told.
    let narrow = crate::Narrow::nothing();
    *world.gate.rows.lock().unwrap() = Some(std::sync::Arc::new(narrow));
    let page = world.get(&second).await;
    assert!(page.status.is_client_error(), "{}", page.body);
    *world.gate.rows.lock().unwrap() = None;
    // A commit that was written anew is read anew: it tells the same, so that the page does, too.
    world.advance(MINUTE);
    world.take_reads();
    world.commit(6, &idle()).await;
    assert!(token(&world.get(&second).await).is_some());
    assert!(
        world.take_reads().0.is_empty(),
        "it is not of these versions"
    );
    let again = [json!({"commitInfo": {"timestamp": 1}})];
    world.commit(5, &again).await;
    world.advance(MINUTE);
    let page = world.get(&second).await;
    assert!(page.message().contains("written anew"), "{}", page.body);
    assert!(!world.take_reads().0.is_empty());
}
