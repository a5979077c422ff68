//! The files of one version in pages, and once more with new URLs.

use std::collections::BTreeSet;

use http::StatusCode;
use model::time::{DAY, HOUR};
use serde_json::{Value, json};

use super::actions::{add, metadata, protocol};
use super::world::{Answer, CAPABILITIES, World, assert_error, call, visits};

fn remove(path: &str) -> Value {
    json!({"remove": {"path": path, "deletionTimestamp": 7, "dataChange": true}})
}

/// Nine files on three days, not in the order of their names.
pub(super) async fn table() -> World {
    let file = |n: usize| {
        let day = format!("2021-04-{:02}", 10 + n % 3);
        add(&format!("f{}", 7 * n % 9), Some(&day), Some(1))
    };
    let world = World::of(&[
        &[protocol(), metadata()],
        &(0..5).map(file).collect::<Vec<_>>(),
        &(5..9).map(file).collect::<Vec<_>>(),
    ])
    .await;
    world.shares_past(true, true, false);
    world
}

/// The ids of an answer's files, and the line that ends it.
pub(super) fn read(answer: &Answer) -> (Vec<String>, Value) {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let mut ids = Vec::new();
    let mut end = Value::Null;
    for line in &answer.lines()[2..] {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(end.is_null(), "it is the last: {line}");
        match line["file"]["id"].as_str() {
            Some(id) => ids.push(id.to_owned()),
            None => end = line["endStreamAction"].clone(),
        }
    }
    (ids, end)
}

fn with(body: &Value, name: &str, value: impl Into<Value>) -> String {
    let mut body = body.clone();
    body[name] = value.into();
    body.to_string()
}

#[tokio::test]
async fn all_pages_are_the_whole_whatever_is_committed_meanwhile() {
    let mut world = table().await;
    for (mut body, count) in [
        (json!({}), 9),
        (json!({"version": 1}), 5),
        (json!({"predicateHints": ["date = '2021-04-11'"]}), 3),
        (json!({"limitHint": 4}), 4),
        (
            json!({"limitHint": 2, "predicateHints": ["date = '2021-04-11'"]}),
            2,
        ),
    ] {
        let whole = world.post(&visits("/query"), &body.to_string()).await;
        let (all, end) = read(&whole);
        assert!(end.is_null(), "H4: no line that was not asked for");
        body["maxFiles"] = json!(1);
        let (mut found, mut heads, mut token) = (Vec::new(), BTreeSet::new(), None::<String>);
        loop {
            let asked = match &token {
                Some(token) => with(&body, "pageToken", token.clone()),
                None => body.to_string(),
            };
            let page = world.post(&visits("/query"), &asked).await;
            let (ids, end) = read(&page);
            assert_eq!(ids.len(), 1);
            assert!(end["minUrlExpirationTimestamp"].is_i64(), "{end}");
            found.extend(ids);
            let version = page.header("delta-table-version").to_owned();
            heads.insert((page.lines()[..2].join("\n"), version));
            match end.get("nextPageToken") {
                None => break,
                Some(next) => {
                    let next = next.as_str().unwrap().to_owned();
                    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
                    assert!(next.chars().all(plain), "H8: {next}");
                    token = Some(next);
                }
            }
            if found.len() == 1 && count == 9 {
                // Neither a new version nor another process changes what is on the pages.
                world
                    .commit(3, &[remove("f0"), remove("f5"), add("g", None, None)])
                    .await;
                world.restart();
            }
        }
        assert_eq!(found.len(), count);
        assert_eq!(heads.len(), 1, "{heads:?}");
        let (found, all): (BTreeSet<_>, BTreeSet<_>) =
            (found.into_iter().collect(), all.into_iter().collect());
        assert_eq!(found.len(), count, "none twice");
        // Which files a limit leaves is the server's to say, and depends on their order.
        if body.get("limitHint").is_none() {
            assert_eq!(found, all, "{body}");
        }
        if count == 9 {
            world
                .commit(
                    4,
                    &[
                        remove("g"),
                        add("f0", Some("2021-04-10"), Some(1)),
                        add("f5", Some("2021-04-10"), Some(1)),
                    ],
                )
                .await;
        }
    }
}

#[tokio::test]
async fn a_page_token_is_for_one_request_one_table_and_three_days() {
    let world = table().await;
    world
        .table(
            "sales",
            "default",
            "others",
            &[&[
                protocol(),
                metadata(),
                add("o", None, None),
                add("p", None, None),
            ]],
        )
        .await;
    let asked = json!({"maxFiles": 2, "predicateHints": ["date >= '2021-04-10'"]});
    let (_, end) = read(&world.post(&visits("/query"), &asked.to_string()).await);
    let token = end["nextPageToken"].as_str().unwrap().to_owned();
    let body = with(&asked, "pageToken", token.clone());
    // How many files a page has is up to each page.
    let more = json!({"predicateHints": ["date >= '2021-04-10'"], "pageToken": token});
    assert_eq!(
        read(&world.post(&visits("/query"), &more.to_string()).await)
            .0
            .len(),
        7
    );

    let refused = |answer: Answer, what: &str| {
        assert_error(&answer, 400, "INVALID_PARAMETER_VALUE", what);
        assert!(
            answer.message().contains("pageToken"),
            "{what}: {}",
            answer.message()
        );
    };
    let other = "/shares/sales/schemas/default/tables/others/query";
    refused(world.post(other, &body).await, "another table");
    let predicate = json!({"maxFiles": 2, "predicateHints": ["date >= '2021-04-11'"]});
    let limit = with(&asked, "limitHint", 3);
    let limit: Value = serde_json::from_str(&limit).unwrap();
    let version = json!({"maxFiles": 2, "predicateHints": ["date >= '2021-04-10'"], "version": 2});
    for (asked, what) in [
        (predicate, "another predicate"),
        (limit, "another limit"),
        (version, "another version"),
    ] {
        let body = with(&asked, "pageToken", token.clone());
        refused(world.post(&visits("/query"), &body).await, what);
    }
    let mut bytes: Vec<char> = token.chars().collect();
    for at in [0, bytes.len() / 2, bytes.len() - 2] {
        let before = bytes[at];
        bytes[at] = if before == 'A' { 'B' } else { 'A' };
        let body = with(&asked, "pageToken", bytes.iter().collect::<String>());
        refused(world.post(&visits("/query"), &body).await, "tampered");
        bytes[at] = before;
    }
    let delta = [(CAPABILITIES, "responseformat=delta")];
    refused(
        world.query_with(&visits("/query"), &body, &delta).await,
        "another format",
    );
    let bob = [("authorization", "Bearer token-bob")];
    let answer = world
        .send(call(http::Method::POST, &visits("/query"), &bob, &body))
        .await;
    refused(answer, "another recipient");

    world.advance(3 * DAY - 1);
    assert_eq!(
        world.post(&visits("/query"), &body).await.status,
        StatusCode::OK
    );
    world.advance(1);
    refused(world.post(&visits("/query"), &body).await, "too old");
}

/// However the state of that version was read: carried on from the one before, or as a whole.
#[tokio::test]
async fn a_refresh_token_gives_the_same_few_of_many_files() {
    let many: Vec<Value> = (0..4_100)
        .map(|n| {
            add(
                &format!("f{:04}", n * 7 % 4_100),
                Some("2021-04-10"),
                Some(1),
            )
        })
        .collect();
    let mut world = World::of(&[&[protocol(), metadata()], &many]).await;
    let query = visits("/query");
    let first_ones = |answer: &Answer| {
        let (ids, end) = read(answer);
        (ids, end["refreshToken"].as_str().map(str::to_owned))
    };
    assert_eq!(read(&world.post(&query, "{}").await).0.len(), 4_100);
    world
        .commit(2, &[add("a", Some("2021-04-10"), Some(1))])
        .await;
    let asked = json!({"limitHint": 3, "includeRefreshToken": true}).to_string();
    let (ids, token) = first_ones(&world.post(&query, &asked).await);
    assert_eq!(ids.len(), 3);
    world.restart();
    let again = json!({"limitHint": 3, "refreshToken": token.unwrap()}).to_string();
    assert_eq!(first_ones(&world.post(&query, &again).await).0, ids);
    let (page, _) = read(&world.post(&query, r#"{"maxFiles":3}"#).await);
    assert_eq!(page, ids, "the first ones by their paths");
}

/// H9: the same files, though they are there no longer and history is not shared.
#[tokio::test]
async fn a_refresh_token_gives_the_same_files_new_urls() {
    let mut world = table().await;
    world.shares_past(false, false, false);
    let query = visits("/query");
    let (whole, end) = read(&world.post(&query, r#"{"includeRefreshToken":true}"#).await);
    let token = end["refreshToken"].as_str().unwrap().to_owned();
    assert!(end.get("nextPageToken").is_none());
    world
        .commit(3, &[remove("f0"), remove("f1"), add("g", None, None)])
        .await;
    let refresh = |token: &str| json!({"refreshToken": token, "includeRefreshToken": true});

    let again = world.post(&query, &refresh(&token).to_string()).await;
    assert_eq!(again.header("delta-table-version"), "2");
    let (ids, end) = read(&again);
    assert_eq!(ids, whole);
    // Each answer goes on from there, and another process knows the token, too.
    world.restart();
    world.advance(23 * HOUR);
    let second = end["refreshToken"].as_str().unwrap().to_owned();
    assert_ne!(read(&world.post(&query, "{}").await).0, whole, "the newest");
    let (ids, _) = read(&world.post(&query, &refresh(&second).to_string()).await);
    assert_eq!(ids, whole);
    // In pages as well: the token comes with the first.
    let pages = with(&refresh(&second), "maxFiles", 5);
    let (first, end) = read(&world.post(&query, &pages).await);
    let page = end["nextPageToken"].as_str().unwrap();
    assert!(end["refreshToken"].is_string());
    let (rest, end) = read(
        &world
            .post(&query, &json!({"pageToken": page}).to_string())
            .await,
    );
    assert!(end.is_null());
    let all: BTreeSet<String> = first.into_iter().chain(rest).collect();
    assert_eq!(all, whole.iter().cloned().collect());

    for (token, what) in [
        (page, "a page token"),
        ("x", "nonsense"),
        (&token[1..], "cut"),
    ] {
        let answer = world.post(&query, &refresh(token).to_string()).await;
        assert_error(&answer, 400, "INVALID_PARAMETER_VALUE", what);
        assert!(answer.message().contains("'refreshToken'"), "{what}");
    }
    world.advance(2 * HOUR);
    let answer = world.post(&query, &refresh(&token).to_string()).await;
    assert_error(&answer, 400, "INVALID_PARAMETER_VALUE", "over");
    assert_eq!(
        world
            .post(&query, &refresh(&second).to_string())
            .await
            .status,
        StatusCode::BAD_REQUEST,
        "each token lasts a day from its answer on"
    );

    // However often it is asked anew, seven days after the first answer it is over.
    let (_, end) = read(&world.post(&query, r#"{"includeRefreshToken":true}"#).await);
    let mut token = end["refreshToken"].as_str().unwrap().to_owned();
    for hours in (20..=160).step_by(20) {
        world.advance(20 * HOUR);
        let answer = world.post(&query, &refresh(&token).to_string()).await;
        assert_eq!(answer.status, StatusCode::OK, "after {hours} hours");
        token = read(&answer).1["refreshToken"].as_str().unwrap().to_owned();
    }
    world.advance(9 * HOUR);
    let answer = world.post(&query, &refresh(&token).to_string()).await;
    assert_error(&answer, 400, "INVALID_PARAMETER_VALUE", "after a week");
    assert!(answer.message().contains("has expired"));

    // Of another table in the same place it is no token.
    let (_, end) = read(&world.post(&query, r#"{"includeRefreshToken":true}"#).await);
    let token = end["refreshToken"].as_str().unwrap().to_owned();
    let commit = [protocol(), metadata(), add("new", None, None)];
    let idle = [json!({"commitInfo": {"timestamp": 1}})];
    world.rewrite(&[&commit, &idle, &idle, &idle]).await;
    let answer = world.post(&query, &refresh(&token).to_string()).await;
    assert_error(&answer, 400, "INVALID_PARAMETER_VALUE", "another table");
    assert!(
        answer.message().contains("written anew"),
        "{}",
        answer.message()
    );
}

/// Where a table is read may change between two calls; an answer goes on where it began, as long as that can be read.
#[tokio::test]
async fn an_answer_goes_on_at_the_side_on_which_it_began() {
    let world = table().await;
    let query = visits("/query");
    for (replica, began, other) in [
        (true, "replica", "producer"),
        (false, "producer", "replica"),
    ] {
        world.keeps_both_sides(true);
        world.shares_past(true, true, replica);
        let first = world
            .post(&query, r#"{"maxFiles":4,"includeRefreshToken":true}"#)
            .await;
        assert_eq!(first.header("x-entrepot-read-from"), began);
        let (mut found, end) = read(&first);
        let page = json!({"pageToken": end["nextPageToken"], "maxFiles": 2});
        let refresh = json!({"refreshToken": end["refreshToken"]});

        world.shares_past(true, true, !replica);
        let now = world.post(&query, "{}").await;
        assert_eq!(now.header("x-entrepot-read-from"), other);
        let (whole, _) = read(&now);
        let second = world.post(&query, &page.to_string()).await;
        assert_eq!(second.header("x-entrepot-read-from"), began);
        let (ids, end) = read(&second);
        found.extend(ids);
        // Also the page after, whose token was made on the other call.
        let last = json!({"pageToken": end["nextPageToken"]});
        let third = world.post(&query, &last.to_string()).await;
        assert_eq!(third.header("x-entrepot-read-from"), began);
        found.extend(read(&third).0);
        assert_eq!(found.len(), whole.len());
        assert_eq!(
            found.iter().collect::<BTreeSet<_>>(),
            whole.iter().collect()
        );
        let again = world.post(&query, &refresh.to_string()).await;
        assert_eq!(again.header("x-entrepot-read-from"), began);
        assert_eq!(read(&again).0, whole);

        world.keeps_both_sides(false);
        for body in [&page, &last, &refresh] {
            let answer = world.post(&query, &body.to_string()).await;
            assert_error(&answer, 400, "TEMPORARILY_UNAVAILABLE", began);
            assert_eq!(
                answer.message(),
                format!(
                    "the answer began on the side of the {began} and cannot go on there; ask for it from its beginning"
                )
            );
        }
    }

    // Changes, which a replica has none of.
    world.shares_past(true, true, false);
    let mut asked = json!({"startingVersion": 1, "maxFiles": 4});
    let first = world.post(&query, &asked.to_string()).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    let end: Value = serde_json::from_str(first.lines().last().unwrap()).unwrap();
    asked["pageToken"] = end["endStreamAction"]["nextPageToken"].clone();
    world.shares_past(true, true, true);
    let answer = world.post(&query, &asked.to_string()).await;
    assert_error(&answer, 400, "TEMPORARILY_UNAVAILABLE", "changes");
    world.keeps_both_sides(true);
    let second = world.post(&query, &asked.to_string()).await;
    assert_eq!(second.status, StatusCode::OK, "{}", second.body);
    assert_eq!(second.header("x-entrepot-read-from"), "producer");
}
