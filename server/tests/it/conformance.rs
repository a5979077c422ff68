//! `entrepot conformance`: our own server keeps to every rule of the sharing protocol, and leaves none out.

use serde_json::Value;

use super::cli::entrepot;

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
    let others: Vec<&Value> = cases
        .iter()
        .filter(|case| case["result"] != "pass")
        .collect();
    assert!(others.is_empty(), "{others:#?}");
    assert_eq!(report["passed"], cases.len());
    assert_eq!(status, Some(0));
    let (listed, _) = self::report(&["--list"]);
    assert_eq!(listed["cases"].as_array().unwrap().len(), cases.len());
}
