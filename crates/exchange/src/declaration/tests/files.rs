//! Files that are wrong: each says what and where, and nothing is stored.

use model::dto::DeclarationProblem;

use super::super::check::check;
use super::super::file::BYTES_MAX;
use super::{CONTRACT, Stage, contract};
use crate::error::Error;

pub(super) fn problems(yaml: &str) -> Vec<DeclarationProblem> {
    check(yaml).err().unwrap_or_default()
}

/// `line:path: message` of each.
pub(super) fn said(yaml: &str) -> Vec<String> {
    problems(yaml)
        .iter()
        .map(|problem| {
            format!(
                "{}:{}: {}",
                problem.line.unwrap_or_default(),
                problem.path,
                problem.message
            )
        })
        .collect()
}

#[test]
fn the_contract_is_valid() {
    assert_eq!(said(CONTRACT), [""; 0]);
}

#[test]
fn an_empty_file_declares_nothing() {
    for yaml in [
        "",
        "\n",
        "# nothing yet\n",
        "{}",
        "---\n",
        "domains: {}",
        "domains:\n",
    ] {
        assert_eq!(said(yaml), [""; 0], "{yaml}");
    }
}

#[test]
fn personal_data_is_not_given_automatically() {
    let yaml = CONTRACT
        .replace("classification: internal", "classification: personal")
        .replace("policy: owner", "policy: auto");
    assert_eq!(said(&yaml).len(), 1);
    assert!(
        said(&yaml)[0]
            .starts_with("13:products.vehicle-workshop-visits.access.policy: people decide")
    );
}

#[test]
fn all_mistakes_are_said_at_once_in_the_order_of_lines() {
    let yaml = CONTRACT
        .replace("    team: aftersales\n", "    team: a\n")
        .replace("    storage: aws_eu\n", "    storage: b\n")
        .replace("recipient: rnd_weu", "recipient: c")
        .replace("to: az_weu", "to: d")
        .replace("{ team: rnd,", "{ team: e,")
        .replace("{ title: Vehicle data }", "{}");
    let lines: Vec<String> = said(&yaml)
        .iter()
        .map(|said| said.split(": ").next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        lines,
        [
            "2:domains.vehicle.title",
            "10:products.vehicle-workshop-visits.team",
            "11:products.vehicle-workshop-visits.storage",
            "15:recipients.rnd_weu.team",
            "16:grants.rnd_visits.recipient",
            "17:sync_jobs.visits_weu.to",
        ]
    );
}

#[test]
fn texts_that_are_too_long_are_refused() {
    for (from, to, path) in [
        (
            "title: Vehicle data",
            format!("title: \"{}\"", "x".repeat(201)),
            "domains.vehicle.title",
        ),
        (
            "\"4711\"",
            format!("\"{}\"", "4".repeat(65)),
            "teams.aftersales.cost_center",
        ),
        (
            "path: workshop/visits",
            format!("path: {}", "p".repeat(1_025)),
            "products.vehicle-workshop-visits.tables[0].path",
        ),
        (
            "text: \"warranty analysis\"",
            format!("text: \"{}\"", "w".repeat(4_001)),
            "grants.rnd_visits.purpose.text",
        ),
        (
            "{ vehicle:",
            format!("{{ {}:", "v".repeat(64)),
            "domains.vvv",
        ),
    ] {
        let said = problems(&contract(from, &to));
        assert!(said[0].path.starts_with(path), "{said:?}");
        assert!(
            said.iter()
                .all(|problem| problem.message.len() < 300 && problem.path.len() < 300)
        );
    }
}

#[test]
fn what_is_too_large_or_too_deep_ends_soon() {
    let laughs = {
        let mut yaml = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            yaml.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        yaml.push_str("domains: *a11\n");
        yaml
    };
    let aliased_names = {
        let mut yaml = String::from("domains:\n  d0: &d { title: D }\n");
        for index in 1..3_000 {
            yaml.push_str(&format!("  d{index}: *d\n"));
        }
        yaml
    };
    let deep = format!("domains: {}{}", "{a: ".repeat(5_000), "}".repeat(5_000));
    let deep_list = format!("domains: {}", "[".repeat(100_000));
    let cyclic = "domains: &d { a: *d }\n".to_owned();
    let many_nodes = format!("rates: [{}]", "{},".repeat(250_000));
    let huge = format!("# {}\n{CONTRACT}", "x".repeat(2 * BYTES_MAX));
    for yaml in [
        laughs,
        aliased_names,
        deep,
        deep_list,
        cyclic,
        many_nodes,
        huge,
    ] {
        let said = said(&yaml);
        assert_eq!(said.len(), 1, "{said:?}");
    }
    // An alias that is used as one may is read.
    let fine = "domains: { a: &d { title: D }, b: *d }";
    assert_eq!(said(fine), [""; 0]);
    let large = format!(
        "# {}\n{CONTRACT}",
        "x".repeat(BYTES_MAX - CONTRACT.len() - 3)
    );
    assert_eq!(said(&large), [""; 0]);
}

#[test]
fn two_entries_for_the_same_are_refused() {
    let twice = contract(
        "grants:     {",
        "grants:     { again: { product: vehicle-workshop-visits, recipient: rnd_weu, mode: replica, until: 2027-01-01, purpose: { code: a, text: abc } },",
    );
    assert_eq!(
        said(&twice),
        ["16:grants.rnd_visits: gives the same as again: product, recipient and mode"]
    );
    let jobs = contract(
        "sync_jobs:  {",
        "sync_jobs:  { again: { product: vehicle-workshop-visits, to: az_weu, every: 1d },",
    );
    assert!(said(&jobs)[0].starts_with("17:sync_jobs.visits_weu: keeps the same replica as again"));
    let rates = contract(
        "rates:      [",
        "rates:      [{ from: \"aws:eu-central-1\", to: \"azure:*\", price: \"1\", unit: GB, currency: USD, valid_from: \"2026-01-01T00:00:00Z\", source: x },",
    );
    assert!(said(&rates)[0].starts_with("18:rates[1].valid_from: another rate"));
}

#[tokio::test]
async fn nothing_of_a_wrong_file_is_stored() {
    for stage in Stage::each().await {
        for yaml in [
            contract("until: 2027-12-31", "until: someday"),
            contract("domains:    {", "domain:    {"),
            "x".repeat(2 * BYTES_MAX),
            "domains: [".to_owned(),
        ] {
            let report = stage
                .exchange()
                .declaration_validate(&stage.operator, &yaml)
                .unwrap();
            assert!(!report.is_valid());
            let planned = stage
                .exchange()
                .declaration_plan(&stage.operator, &yaml)
                .await;
            assert!(matches!(planned, Err(Error::Invalid(_))), "{planned:?}");
            let deployed = stage.deploy(&stage.operator, &yaml).await;
            assert!(matches!(deployed, Err(Error::Invalid(_))), "{deployed:?}");
        }
        let nameless = model::dto::DeploymentNew {
            yaml: CONTRACT.to_owned(),
            file: String::new(),
            commit: "a\u{7}".to_owned(),
            expect_plan_hash: None,
        };
        let Err(Error::Invalid(fields)) = stage
            .exchange()
            .declaration_deploy(&stage.operator, nameless)
            .await
        else {
            panic!("taken");
        };
        let names: Vec<&str> = fields.iter().map(|field| field.field.as_str()).collect();
        assert_eq!(names, ["file", "commit"]);
        assert_eq!(stage.audit_rows().await, 0);
    }
}
