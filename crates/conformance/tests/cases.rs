//! Every case holds for a right server, and fails for one that is wrong in exactly what it is about.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod wrong_server;

use std::collections::BTreeSet;

use conformance::{Outcome, cases, discover, run, run_case};

use wrong_server::{SECRET, Server, TOKEN};

#[test]
fn ids_are_different_and_cover_every_rule() {
    let ids: Vec<&str> = cases().iter().map(|case| case.id).collect();
    let different: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), different.len());
    let rules: BTreeSet<&str> = ids.iter().filter_map(|id| id.split('.').next()).collect();
    let numbered = |letter: char, last: u32| (1..=last).map(move |n| format!("{letter}{n}"));
    let wanted = numbered('C', 7)
        .chain(numbered('E', 12))
        .chain(numbered('H', 9))
        .chain(numbered('T', 10))
        .chain("LQAFYKJR".chars().map(String::from));
    for rule in wanted {
        assert!(rules.contains(rule.as_str()), "no case of {rule}");
    }
}

#[tokio::test]
async fn a_right_server_passes_every_case() {
    let (_server, target) = Server::start().await;
    let report = run(target, &[]).await.unwrap();
    assert_eq!(report.count("pass"), cases().len(), "{}", report.text());
    let json = report.json();
    assert_eq!(json["cases"].as_array().unwrap().len(), cases().len());
    assert_eq!(json["cases"][0]["result"], "pass");
    assert!(json["cases"][0]["calls"][0].is_string());
}

#[tokio::test]
async fn each_case_fails_where_its_rule_is_broken() {
    let (server, target) = Server::start().await;
    let world = discover(target).await.unwrap();
    let mut unbroken = Vec::new();
    for case in cases() {
        server.set(case.id);
        let report = run_case(&world, case).await;
        server.set("");
        let told = format!("{report:?}");
        for secret in [TOKEN, SECRET, "X-Amz-Signature=1"] {
            assert!(!told.contains(secret), "{} tells {secret}", case.id);
        }
        if !matches!(report.outcome, Outcome::Fail { .. }) {
            unbroken.push(format!("{}: {:?}", case.id, report.outcome));
        }
    }
    assert!(unbroken.is_empty(), "{unbroken:#?}");
}

#[tokio::test]
async fn cases_are_chosen_by_id_or_rule() {
    let (_server, target) = Server::start().await;
    let chosen = ["c2".to_owned(), "T7.uuid".to_owned()];
    let report = run(target, &chosen).await.unwrap();
    let ids = report.cases.iter().map(|case| case.id);
    assert!(
        ids.clone()
            .all(|id| id.starts_with("C2.") || id == "T7.uuid")
    );
    assert!(ids.count() > 5);
    let (_server, target) = Server::start().await;
    assert!(run(target, &["Z9".to_owned()]).await.is_err());
}
