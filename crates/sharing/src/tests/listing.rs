//! Lists and their pages.

use http::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

use super::world::{World, call};
use crate::ShareInfo;

async fn three_shares(most: usize) -> World {
    let world = World::with_pages_of(most);
    for share in ["carol", "alpha", "beta", "empty"] {
        world.share(share);
    }
    for (share, schema, name) in [
        ("alpha", "s2", "b"),
        ("alpha", "s1", "z"),
        ("alpha", "s1", "a"),
        ("alpha", "s10", "m"),
        ("beta", "s1", "a"),
    ] {
        world.table(share, schema, name, &[]).await;
    }
    world
}

#[tokio::test]
async fn lists_are_one_line_of_json_in_the_order_of_names() {
    let world = three_shares(500).await;
    let shares = world.get("/shares").await;
    assert_eq!(shares.status, StatusCode::OK);
    assert_eq!(
        shares.header("content-type"),
        "application/json; charset=utf-8"
    );
    assert_eq!(shares.header("cache-control"), "no-store");
    assert_eq!(
        shares.body,
        concat!(
            r#"{"items":[{"name":"alpha","id":"00000000-0000-0000-0000-0000000003e9"},{"name":"beta","id":"00000000-0000-0000-0000-0000000003ea"},"#,
            r#"{"name":"carol","id":"00000000-0000-0000-0000-0000000003e8"},{"name":"empty","id":"00000000-0000-0000-0000-0000000003eb"}]}"#
        )
    );
    for (path, expected) in [
        (
            "/shares/ALPHA",
            r#"{"share":{"name":"alpha","id":"00000000-0000-0000-0000-0000000003e9"}}"#,
        ),
        (
            "/shares/alpha/schemas",
            r#"{"items":[{"name":"s1","share":"alpha"},{"name":"s10","share":"alpha"},{"name":"s2","share":"alpha"}]}"#,
        ),
        ("/shares/empty/schemas", r#"{"items":[]}"#),
        ("/shares/empty/all-tables", r#"{"items":[]}"#),
        (
            "/shares/Alpha/schemas/S1/tables",
            concat!(
                r#"{"items":[{"name":"a","schema":"s1","share":"alpha","shareId":"00000000-0000-0000-0000-0000000003e8","id":"00000000-0000-0000-0000-0000000007d2"},"#,
                r#"{"name":"z","schema":"s1","share":"alpha","shareId":"00000000-0000-0000-0000-0000000003e8","id":"00000000-0000-0000-0000-0000000007d1"}]}"#
            ),
        ),
        (
            "/shares/beta/all-tables",
            r#"{"items":[{"name":"a","schema":"s1","share":"beta","shareId":"00000000-0000-0000-0000-0000000003e8","id":"00000000-0000-0000-0000-0000000007d4"}]}"#,
        ),
        (
            "/shares/beta/schemas/s1/tables/A",
            r#"{"name":"a","schema":"s1","share":"beta","shareId":"00000000-0000-0000-0000-0000000003e8","id":"00000000-0000-0000-0000-0000000007d4","format":"delta"}"#,
        ),
    ] {
        let answer = world.get(path).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (StatusCode::OK, expected),
            "{path}"
        );
        assert_eq!(
            answer.header("content-type"),
            "application/json; charset=utf-8",
            "{path}"
        );
    }
    let tables = world.get("/shares/alpha/all-tables").await.json();
    let names: Vec<String> = tables["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| {
            format!(
                "{}.{}",
                t["schema"].as_str().unwrap(),
                t["name"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(names, ["s1.a", "s1.z", "s10.m", "s2.b"]);
}

#[tokio::test]
async fn a_share_says_title_and_description_within_the_protocols_lengths() {
    let world = World::new();
    let long = "ü\u{2028}".repeat(40_000);
    world.share_with(ShareInfo {
        name: "sales".to_owned(),
        id: Uuid::nil(),
        display_name: Some(long.clone()),
        comment: Some(long.clone()),
    });
    let answer = world.get("/shares/sales").await;
    assert!(!answer.body.contains(['\n', '\u{2028}']));
    let share = &answer.json()["share"];
    assert_eq!(share["displayName"].as_str().unwrap().chars().count(), 255);
    assert_eq!(share["comment"].as_str().unwrap().chars().count(), 65_536);
    assert!(long.starts_with(share["displayName"].as_str().unwrap()));
}

/// All names of a list, page by page.
async fn walk(world: &World, list: &str, per_page: &str) -> (Vec<String>, usize) {
    let (mut names, mut pages, mut token) = (Vec::new(), 0, String::new());
    loop {
        let answer = world
            .get(&format!("{list}?{per_page}&pageToken={token}"))
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let page = answer.json();
        pages += 1;
        names.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["name"].as_str().unwrap().to_owned()),
        );
        match page.get("nextPageToken") {
            None => return (names, pages),
            Some(next) => next.as_str().unwrap().clone_into(&mut token),
        }
        assert!(
            !token.is_empty()
                && token
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'),
            "{token}"
        );
        assert!(pages < 100, "the list does not end");
    }
}

#[tokio::test]
async fn pages_hold_every_item_once() {
    let world = three_shares(3).await;
    for (list, expected) in [
        ("/shares", vec!["alpha", "beta", "carol", "empty"]),
        ("/shares/alpha/schemas", vec!["s1", "s10", "s2"]),
        ("/shares/alpha/schemas/s1/tables", vec!["a", "z"]),
        ("/shares/alpha/all-tables", vec!["a", "z", "m", "b"]),
    ] {
        for (per_page, size) in [
            ("maxResults=1", 1),
            ("maxResults=2", 2),
            ("maxResults=3", 3),
            ("maxResults=2147483647", 3),
            ("x=y", 3),
        ] {
            let (names, pages) = walk(&world, list, per_page).await;
            assert_eq!(names, expected, "{list} {per_page}");
            assert_eq!(pages, expected.len().div_ceil(size), "{list} {per_page}");
        }
    }
}

#[tokio::test]
async fn zero_results_are_no_items_and_a_token_that_goes_on_where_it_stood() {
    let world = three_shares(500).await;
    let none = world.get("/shares?maxResults=0").await.json();
    assert_eq!(none["items"], json!([]));
    let token = none["nextPageToken"].as_str().unwrap();
    let all = world
        .get(&format!("/shares?pageToken={token}"))
        .await
        .json();
    assert_eq!(all["items"].as_array().unwrap().len(), 4);

    let first = world.get("/shares?maxResults=1").await.json();
    let token = first["nextPageToken"].as_str().unwrap();
    let none = world
        .get(&format!("/shares?maxResults=0&pageToken={token}"))
        .await
        .json();
    let token = none["nextPageToken"].as_str().unwrap();
    let rest = world
        .get(&format!("/shares?pageToken={token}"))
        .await
        .json();
    assert_eq!(rest["items"][0]["name"], "beta");
    assert_eq!(
        world.get("/shares/empty/schemas?maxResults=0").await.body,
        r#"{"items":[]}"#
    );
}

#[tokio::test]
async fn a_list_that_changes_between_pages_neither_repeats_nor_skips_what_stays() {
    let world = World::new();
    world.share("sales");
    for name in ["b", "d", "f", "h"] {
        world.table("sales", "s", name, &[]).await;
    }
    let first = world
        .get("/shares/sales/all-tables?maxResults=2")
        .await
        .json();
    assert_eq!(first["items"][1]["name"], "d");
    world.ungrant("sales", "d");
    world.ungrant("sales", "b");
    world.table("sales", "s", "a", &[]).await;
    world.table("sales", "s", "e", &[]).await;
    let token = first["nextPageToken"].as_str().unwrap();
    let rest = world
        .get(&format!("/shares/sales/all-tables?pageToken={token}"))
        .await
        .json();
    let names: Vec<&str> = rest["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["e", "f", "h"]);
}

#[tokio::test]
async fn a_page_token_holds_for_its_list_and_its_recipient_only() {
    let world = three_shares(1).await;
    let page = world.get("/shares/alpha/all-tables").await.json();
    let token = page["nextPageToken"].as_str().unwrap().to_owned();
    let again = world
        .get(&format!("/shares/ALPHA/all-tables?pageToken={token}"))
        .await;
    assert_eq!(again.json()["items"][0]["name"], "z");

    let refused = |path: String, bearer: &'static str| {
        let request = call(Method::GET, &path, &[("authorization", bearer)], "");
        let world = &world;
        async move {
            let answer = world.send(request).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
            assert_eq!(
                (answer.code().as_str(), answer.message().as_str()),
                ("INVALID_PARAMETER_VALUE", "invalid 'nextPageToken'"),
                "{path}"
            );
        }
    };
    let alice = "Bearer token-alice";
    for list in [
        "/shares",
        "/shares/beta/all-tables",
        "/shares/alpha/schemas",
        "/shares/alpha/schemas/s1/tables",
    ] {
        refused(format!("{list}?pageToken={token}"), alice).await;
    }
    refused(
        format!("/shares/alpha/all-tables?pageToken={token}"),
        "Bearer token-bob",
    )
    .await;

    // Every single character counts.
    for at in 0..token.len() {
        let mut forged: Vec<u8> = token.bytes().collect();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        refused(
            format!("/shares/alpha/all-tables?pageToken={forged}"),
            alice,
        )
        .await;
    }
    let (shorter, longer) = (token[..token.len() - 4].to_owned(), format!("{token}AAAA"));
    for forged in [
        shorter,
        longer,
        "x".to_owned(),
        "%3D".to_owned(),
        "1".to_owned(),
        "a".repeat(5_000),
    ] {
        refused(
            format!("/shares/alpha/all-tables?pageToken={forged}"),
            alice,
        )
        .await;
    }
}

#[tokio::test]
async fn wrong_numbers_of_results_are_refused() {
    let world = three_shares(500).await;
    for value in ["-1", "abc", "", "1.5", "2147483648", "99999999999999999999"] {
        for list in [
            "/shares",
            "/shares/alpha/schemas",
            "/shares/alpha/schemas/s1/tables",
            "/shares/alpha/all-tables",
        ] {
            let answer = world.get(&format!("{list}?maxResults={value}")).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (StatusCode::BAD_REQUEST, "INVALID_PARAMETER_VALUE"),
                "{list} {value}"
            );
        }
    }
    let twice = world.get("/shares?maxResults=1&maxResults=2").await;
    assert_eq!(twice.code(), "INVALID_PARAMETER_VALUE");
}
