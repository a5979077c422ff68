//! Answers that are longer than one piece.

use std::time::Duration;

use futures::StreamExt as _;
use http::{Method, StatusCode};
use serde_json::Value;

use super::actions::{add, metadata, protocol};
use super::gate::Fault;
use super::world::{Answer, CAPABILITIES, World, call, visits};
use crate::Outcome;

/// A table of `count` files.
async fn wide(count: usize) -> World {
    let files: Vec<Value> = (0..count)
        .map(|n| add(&format!("f{n:05}.parquet"), Some("2021-04-28"), Some(1)))
        .collect();
    World::of(&[&[protocol(), metadata()], &files]).await
}

fn query(headers: &[(&str, &str)]) -> http::Request<axum::body::Body> {
    let headers = [&[("authorization", "Bearer token-alice")], headers].concat();
    call(Method::POST, &visits("/query"), &headers, "{}")
}

/// So many of [`wide`], in their order.
fn assert_files(answer: &Answer, files: usize) {
    let lines = answer.lines();
    assert_eq!(lines.len(), 2 + files);
    for (n, line) in lines[2..].iter().enumerate() {
        assert!(line.contains(&format!("/f{n:05}.parquet?")), "{line}");
    }
}

#[tokio::test]
async fn an_answer_is_written_as_it_is_signed() {
    let world = wide(1_201).await;
    let response = world.begin(query(&[])).await;
    assert_eq!(world.sign_calls(), 1, "the rest waits until it is read");
    drop(response);
    world.recorded().await;
    let record = world.record();
    assert_eq!(
        (
            record.outcome,
            record.status,
            record.files,
            record.bytes_signed
        ),
        (Outcome::Abandoned, 200, 500, 500 * 573)
    );

    let world = wide(1_201).await;
    let answer = world.send(query(&[])).await;
    assert!(!answer.broken);
    assert_eq!(world.sign_calls(), 3);
    assert_files(&answer, 1_201);
    let record = world.record();
    assert_eq!(
        (record.outcome, record.files, record.bytes_signed),
        (Outcome::Answered, 1_201, 1_201 * 573)
    );
    assert_eq!(
        (record.actions, record.side),
        (1_201, Some(crate::Side::Producer))
    );
    assert!(!record.duration.is_zero());
    assert_eq!(answer.header("x-entrepot-read-from"), "producer");
}

/// No half answer: what is over the day's quota is refused before the first URL is signed, by a status that no client repeats.
#[tokio::test]
async fn what_is_over_the_quota_is_refused_as_a_whole() {
    let world = wide(1_201).await;
    world.fault(Fault::OverQuota);
    let answer = world.send(query(&[])).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::FORBIDDEN, "RESOURCE_EXHAUSTED")
    );
    let message = answer.message();
    assert!(
        message.starts_with("688173 bytes are too many today"),
        "{message}"
    );
    assert_eq!(world.sign_calls(), 0);
    let record = world.record();
    assert_eq!(
        (
            record.outcome,
            record.status,
            record.files,
            record.error_code
        ),
        (Outcome::Refused, 403, 0, Some("RESOURCE_EXHAUSTED"))
    );
    assert!(record.reason.unwrap().contains("begins anew tomorrow"));
}

/// H5: a client must never take a part for the whole.
#[tokio::test]
async fn an_answer_that_fails_half_way_says_so_or_breaks_off() {
    let world = wide(1_201).await;
    world.fault(Fault::SignFrom(1));
    let answer = world
        .send(query(&[(CAPABILITIES, "includeendstreamaction=true")]))
        .await;
    assert!(!answer.broken);
    let lines = answer.lines();
    assert_eq!(lines.len(), 2 + 500 + 1);
    let last: Value = serde_json::from_str(lines[502]).unwrap();
    let message = last["endStreamAction"]["errorMessage"].as_str().unwrap();
    assert!(
        message.starts_with("internal error (request ") && !message.contains("account"),
        "{message}"
    );
    let record = world.record();
    assert_eq!(
        (
            record.outcome,
            record.status,
            record.error_code,
            record.files
        ),
        (Outcome::Failed, 200, Some("INTERNAL_ERROR"), 500)
    );
    assert_eq!(world.given_back(), 0, "a part of it came");

    for headers in [vec![], vec![(CAPABILITIES, "includeendstreamaction=false")]] {
        let world = wide(1_201).await;
        world.fault(Fault::SignFrom(1));
        let answer = world.send(query(&headers)).await;
        assert!(answer.broken && !answer.body.contains("endStreamAction"));
        assert_eq!(world.record().outcome, Outcome::Failed);
    }

    // What fails at once is an error, not half an answer.
    for fault in [Fault::SignFrom(0), Fault::ShortSign] {
        let world = wide(3).await;
        world.fault(fault);
        let answer = world.send(query(&[])).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
            "{fault:?}"
        );
        let record = world.record();
        assert_eq!(
            (record.outcome, record.status, record.files),
            (Outcome::Refused, 500, 0)
        );
        assert_eq!(world.given_back(), 3 * 573, "nothing of it came");
    }
}

/// Nobody asks for what follows the last lines before they are taken: that they were handed out does not wait for it.
#[tokio::test]
async fn what_was_handed_out_is_written_down_though_its_end_is_never_taken() {
    for files in [3, 1_201] {
        let world = wide(files).await;
        let response = world.begin(query(&[])).await;
        let mut pieces = response.into_body().into_data_stream();
        let mut lines = 0;
        while lines < 2 + files {
            let piece = pieces.next().await.unwrap().unwrap();
            lines += piece.iter().filter(|byte| **byte == b'\n').count();
        }
        let recorded = tokio::time::timeout(Duration::from_secs(20), world.recorded());
        assert!(recorded.await.is_ok(), "it waits for the client");
        let record = world.record();
        assert_eq!(
            (record.outcome, record.status, record.files),
            (Outcome::Answered, 200, files as u64)
        );
        assert!(pieces.next().await.is_none());
    }
}

/// Access may have ended since: of what was signed a second ago nothing is handed out before it is asked about again.
#[tokio::test]
async fn what_lay_for_a_second_is_signed_again() {
    for (files, ahead, ended) in [
        (501, 1, false),
        (501, 1, true),
        (1_201, 2, false),
        (1_201, 2, true),
    ] {
        let world = wide(files).await;
        let response = world.begin(query(&[])).await;
        let mut pieces = response.into_body().into_data_stream();
        let first = pieces.next().await.unwrap().unwrap();
        let mut lines = first.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(lines, 2 + 500);
        while world.sign_calls() < 1 + ahead {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if ended {
            world.fault(Fault::EndedBeforeSigning);
        }
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        let mut broken = false;
        while let Some(piece) = pieces.next().await {
            match piece {
                Ok(piece) => lines += piece.iter().filter(|byte| **byte == b'\n').count(),
                Err(_) => broken = true,
            }
        }
        let (outcome, given) = match ended {
            true => (Outcome::Failed, 500),
            false => (Outcome::Answered, files),
        };
        assert_eq!((broken, lines), (ended, 2 + given), "{files}");
        let record = world.record();
        assert_eq!((record.outcome, record.files), (outcome, given as u64));
        if !ended {
            assert_eq!(world.sign_calls(), 1 + 2 * ahead);
        }
    }
}

/// The statistics of a file may have megabytes; a piece has no more of them than one that is too many.
#[tokio::test]
async fn pieces_are_short_where_a_log_says_much_of_its_files() {
    let files = ["a", "b", "c", "d", "e", "f", "g"].map(|name| {
        let mut file = add(&format!("{name}.parquet"), Some("2021-04-28"), None);
        file["add"]["stats"] = Value::String(format!("{{\"much\":\"{}\"}}", "x".repeat(6 << 20)));
        file
    });
    let world = World::of(&[&[protocol(), metadata()], &files]).await;
    let response = world.begin(query(&[])).await;
    let mut lines = Vec::new();
    let mut pieces = response.into_body().into_data_stream();
    while let Some(piece) = pieces.next().await {
        lines.push(piece.unwrap().iter().filter(|byte| **byte == b'\n').count());
    }
    assert_eq!(lines.iter().sum::<usize>(), 2 + 7, "{lines:?}");
    assert!(
        lines[0] == 3 && lines.iter().all(|lines| *lines <= 3),
        "{lines:?}"
    );
    world.recorded().await;
    assert_eq!(world.record().files, 7);
}

/// The others are ready before it, and come after it.
#[tokio::test]
async fn files_stand_in_their_order_however_long_a_signature_takes() {
    for slow in 0..4 {
        let world = wide(3_201).await;
        world.fault(Fault::SlowSign(slow));
        let answer = world.send(query(&[])).await;
        assert!(!answer.broken);
        assert_eq!(world.sign_calls(), 7);
        assert_files(&answer, 3_201);
        assert_eq!(world.record().files, 3_201);
    }
}

/// What is ready goes out before a failure is told, and what is counted is what went out.
#[tokio::test]
async fn a_failure_further_on_takes_nothing_back() {
    for (capabilities, end) in [("", 0), ("includeendstreamaction=true", 1)] {
        let world = wide(3_201).await;
        world.fault(Fault::SignFrom(3));
        let answer = world.send(query(&[(CAPABILITIES, capabilities)])).await;
        assert_eq!(answer.broken, end == 0);
        assert_eq!(answer.body.lines().count(), 2 + 1_500 + end);
        let record = world.record();
        assert_eq!(
            (record.outcome, record.files, record.bytes_signed),
            (Outcome::Failed, 1_500, 1_500 * 573)
        );
    }
}
