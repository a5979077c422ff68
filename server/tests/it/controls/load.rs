//! C-54: five hundred share queries at once. So many states of tables are held as there are places (16, and 4 of one
//! recipient), so that memory does not grow with the number of requests, and others are served meanwhile. How quickly is
//! measured where nothing else runs (`cargo xtask bench sharing`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::StatusCode;

use super::installation::{Installation, client, query, urls};
use crate::cli::Served;
use crate::support::environment::quick_without;

/// Files of the table.
const FILES: usize = 400;
const RECIPIENTS: usize = 10;
const EACH: usize = 50;
/// What 500 answers may take beyond what one took. Reckoned generously: of each connection the buffers (64 kB in, 64 kB
/// out) and one unsent piece of the answer (at most 500 lines of 700 bytes), 500 × 0.5 MB; of each of the 16 places the state
/// of the files, 16 × 2 MB at most. What is bounded by the places alone would take 500 states without them.
const MOST: u64 = 320 << 20;

const _: () = assert!(500 * 524_288 + 16 * (2 << 20) <= MOST);

/// Resident memory of a process now and at its most, in bytes.
fn memory(process: u32) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        let kib = line.split_whitespace().nth(1).unwrap();
        kib.parse::<u64>().unwrap() << 10
    };
    (of("VmRSS:"), of("VmHWM:"))
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_queries_at_once() {
    if quick_without("five hundred queries at once") {
        return;
    }
    let installation = Installation::on_sqlite();
    let data = installation.data("one");
    let names: Vec<String> = (0..=RECIPIENTS).map(|n| format!("reader{n}")).collect();
    let readers: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut tokens = installation.share(&data, FILES, &readers);
    let other = tokens.pop().unwrap();
    let person = installation.person(&data, "ada", None);
    let served = Served::start(&data, &[]);
    let http = client();
    // One, so that what is made once is there.
    let warm = query(&http, &served, &other).await;
    assert_eq!(urls(&warm.text().await.unwrap()).len(), FILES);
    let (before, _) = memory(served.id());

    let mut running = tokio::task::JoinSet::new();
    let ended = Arc::new(AtomicUsize::new(0));
    let address = served.address.clone();
    for token in tokens.iter().flat_map(|token| [token; EACH]) {
        let (http, token, ended) = (http.clone(), token.clone(), Arc::clone(&ended));
        let url = format!("{address}{}/query", super::installation::TABLE);
        running.spawn(async move {
            let ask = http
                .post(url)
                .bearer_auth(token)
                .json(&serde_json::json!({}));
            let answer = ask.send().await.unwrap();
            let status = answer.status();
            let waits = answer.headers().contains_key("retry-after");
            let text = answer.text().await.unwrap();
            ended.fetch_add(1, Ordering::Relaxed);
            (status, waits, text)
        });
    }
    // Others, meanwhile.
    let before_all = |what: &str| {
        let ended = ended.load(Ordering::Relaxed);
        assert!(
            ended < RECIPIENTS * EACH,
            "{what} had to wait for all others"
        );
    };
    let a_person_is_served = async || {
        let health = http.get(format!("{address}/healthz")).send().await.unwrap();
        assert_eq!(health.status(), StatusCode::OK);
        let me = http
            .get(format!("{address}/api/v1/me"))
            .bearer_auth(&person);
        assert_eq!(me.send().await.unwrap().status(), StatusCode::OK);
    };
    a_person_is_served().await;
    before_all("a person");
    let theirs = query(&http, &served, &other).await;
    assert_eq!(theirs.status(), StatusCode::OK);
    assert_eq!(urls(&theirs.text().await.unwrap()).len(), FILES);
    before_all("another recipient");
    let (mut answered, mut told_to_wait) = (0, 0);
    while let Some(done) = running.join_next().await {
        let (status, waits, text) = done.unwrap();
        match status {
            StatusCode::OK => {
                assert_eq!(urls(&text).len(), FILES, "a whole answer");
                answered += 1;
            }
            StatusCode::TOO_MANY_REQUESTS => {
                assert!(waits, "and says how long");
                told_to_wait += 1;
            }
            other => panic!("{other}: {text}"),
        }
        // Not so often that the person would be told to wait.
        if (answered + told_to_wait) % EACH == 0 {
            a_person_is_served().await;
        }
    }
    assert_eq!(answered + told_to_wait, RECIPIENTS * EACH);
    assert!(answered >= RECIPIENTS * 4, "{answered} answered");
    let (_, most) = memory(served.id());
    assert!(
        most.saturating_sub(before) < MOST,
        "grew from {before} to {most}"
    );
    println!(
        "{answered} answered, {told_to_wait} told to wait, {} bytes more",
        most.saturating_sub(before)
    );
}
