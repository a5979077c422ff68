//! `entrepot conformance`: our own server keeps to every rule of the sharing protocol that it serves, and says what it does not.

use serde_json::Value;

use super::cli::entrepot;

/// What the server does not offer yet, or what this machine's world cannot hold: skipped by name, each with its reason. A case
/// that is not here has to pass.
const MAY_BE_SKIPPED: &[&str] = &[
    // A storage that fails in the middle of an answer.
    "H5.said",
    "H5.broken-off",
    // History that is shared from a later version on.
    "Q.before-shared-history",
    "Q.before-shared-metadata",
    // Access to a table's directory.
    "K.one-kind",
    "K.location",
    "K.expiration",
    "K.type",
    "K.other-location",
    "K.sibling",
];

fn report(arguments: &[&str]) -> (Value, Option<i32>) {
    let folder = tempfile::tempdir().unwrap();
    let output = entrepot(folder.path())
        .arg("conformance")
        .args(arguments)
        .arg("--json")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let report = serde_json::from_slice(&output.stdout);
    let report = report.unwrap_or_else(|error| panic!("{error}: {said}"));
    (report, output.status.code())
}

#[test]
fn our_own_server_keeps_to_the_protocol() {
    let (report, status) = report(&["--self"]);
    let cases = report["cases"].as_array().unwrap();
    let of = |result: &str| -> Vec<&Value> {
        let found = cases.iter().filter(|case| case["result"] == result);
        found.collect()
    };
    let failed = of("fail");
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(status, Some(0));
    for case in of("skip") {
        let id = case["id"].as_str().unwrap();
        assert!(MAY_BE_SKIPPED.contains(&id), "{case:#}");
        assert!(case["why"].as_str().is_some_and(|why| !why.is_empty()));
    }
    let (listed, _) = self::report(&["--list"]);
    assert_eq!(listed["cases"].as_array().unwrap().len(), cases.len());
}
