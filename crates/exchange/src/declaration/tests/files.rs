//! Files that are wrong: each says what and where, and nothing is stored.

use model::dto::DeclarationProblem;

use super::super::check::check;
use super::super::file::BYTES_MAX;
use super::{CONTRACT, Stage, contract};
use crate::error::Error;

fn problems(yaml: &str) -> Vec<DeclarationProblem> {
    check(yaml).err().unwrap_or_default()
}

/// `line:path: message` of each.
fn said(yaml: &str) -> Vec<String> {
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
fn one_mistake_each() {
    let cases: &[(&str, &str, &str)] = &[
        // From, to, what is said (line, path, message in parts).
        (
            "exchange: { name: aftersales }",
            "exchange: { name: After Sales }",
            "1:exchange.name: not a name",
        ),
        (
            "exchange: { name: aftersales }",
            "exchange: aftersales",
            "1:: wrong type",
        ),
        (
            "exchange: { name: aftersales }",
            "exchange: { nome: aftersales }",
            "1:: unknown key `nome`; here stand name",
        ),
        (
            "exchange: { name: aftersales }",
            "exchanges: { name: aftersales }",
            "1:: unknown key `exchanges`",
        ),
        (
            "{ title: Vehicle data }",
            "{}",
            "2:domains.vehicle.title: missing",
        ),
        (
            "{ title: Vehicle data }",
            "{ title: \"\" }",
            "2:domains.vehicle.title: say something here",
        ),
        (
            "{ title: Vehicle data }",
            "{ title: [a] }",
            "2:: wrong type",
        ),
        (
            "{ title: Vehicle data }",
            "{ title: {a: b} }",
            "2:: wrong type",
        ),
        (
            "{ title: Vehicle data }",
            "{ title: \"a\\u202eb\" }",
            "2:domains.vehicle.title: control characters",
        ),
        ("{ vehicle:", "{ Vehicle:", "2:domains.Vehicle: not a name"),
        (
            "{ domain: vehicle, title: After-Sales",
            "{ domain: moon, title: After-Sales",
            "3:teams.aftersales.domain: `moon` is not in this file",
        ),
        (
            "cloud: aws,",
            "cloud: mars,",
            "5:storages.aws_eu.cloud: unknown cloud `mars`",
        ),
        (
            "region: eu-central-1",
            "region: EU",
            "5:storages.aws_eu.region: not a region",
        ),
        (
            "credential: \"env:ENTREPOT_CREDENTIAL_AWS_EU\"",
            "credential: \"env:PATH\"",
            "5:storages.aws_eu.credential: use env:ENTREPOT_CREDENTIAL_",
        ),
        (
            "credential: \"env:ENTREPOT_CREDENTIAL_AWS_EU\"",
            "credential: '{\"secret\":\"hush\"}'",
            "5:storages.aws_eu.credential: use env:",
        ),
        (
            "credential: \"env:ENTREPOT_CREDENTIAL_AWS_EU\"",
            "credential: { secret: hush }",
            "5:: wrong type",
        ),
        ("replicas: true", "replicas: yes", "6:: use true or false"),
        ("replicas: true", "replicas: 1", "6:: use true or false"),
        (
            "replicas: true",
            "replicas: true, replicas: true",
            "6:: the key `replicas` stands here twice",
        ),
        (
            "    team: aftersales\n",
            "    team: nobody\n",
            "10:products.vehicle-workshop-visits.team: `nobody` is not in this file",
        ),
        (
            "    storage: aws_eu\n",
            "    storage: mars\n",
            "11:products.vehicle-workshop-visits.storage: `mars` is not in this file",
        ),
        (
            "classification: internal ",
            "classification: secret ",
            "12:products.vehicle-workshop-visits.classification: unknown classification",
        ),
        ("classification: internal ", "classification: personal ", ""),
        (
            "access: { policy: owner }",
            "access: { policy: anybody }",
            "13:products.vehicle-workshop-visits.access.policy: unknown access policy",
        ),
        (
            "access: { policy: owner }",
            "access: owner",
            "13:: wrong type",
        ),
        (
            "  vehicle-workshop-visits:",
            "  workshop-visits:",
            "8:products.workshop-visits: its name begins with the domain",
        ),
        (
            "tables: [{ name: visits,",
            "tables: [{ name: \"../visits\",",
            "14:products.vehicle-workshop-visits.tables[0].name: not a name",
        ),
        (
            "path: workshop/visits",
            "path: ../../etc",
            "14:products.vehicle-workshop-visits.tables[0].path: no empty segments",
        ),
        (
            "path: workshop/visits",
            "path: /workshop",
            "14:products.vehicle-workshop-visits.tables[0].path: write it relative",
        ),
        (
            "path: workshop/visits, ",
            "",
            "14:products.vehicle-workshop-visits.tables[0].path: missing",
        ),
        (
            "format: delta",
            "format: iceberg",
            "14:products.vehicle-workshop-visits.tables[0].format: iceberg is reserved",
        ),
        (
            "format: delta",
            "format: csv",
            "14:products.vehicle-workshop-visits.tables[0].format: unknown format",
        ),
        (
            "change_data_feed: true }]",
            "change_data_feed: true }, { name: visits, path: other }]",
            "14:products.vehicle-workshop-visits.tables[1].name: another table",
        ),
        (
            "change_data_feed: true }]",
            "change_data_feed: true }, { name: other, path: workshop }]",
            "14:products.vehicle-workshop-visits.tables[1].path: the same folder as tables[0]",
        ),
        ("history: true", "history: maybe", "14:: use true or false"),
        (
            "mode: replica",
            "mode: copy",
            "16:grants.rnd_visits.mode: unknown mode",
        ),
        (
            "until: 2027-12-31",
            "until: someday",
            "16:grants.rnd_visits.until: not an instant",
        ),
        (
            "until: 2027-12-31",
            "until: 2027-02-30",
            "16:grants.rnd_visits.until: not an instant",
        ),
        (
            "until: 2027-12-31, ",
            "",
            "16:grants.rnd_visits.until: missing",
        ),
        (
            "recipient: rnd_weu",
            "recipient: rnd",
            "16:grants.rnd_visits.recipient: `rnd` is not in this file",
        ),
        (
            "grants:     { rnd_visits: { product: vehicle-workshop-visits",
            "grants:     { rnd_visits: { product: vehicle-other",
            "16:grants.rnd_visits.product: `vehicle-other` is not in this file",
        ),
        (
            ", purpose: { code: warranty, text: \"warranty analysis\" }",
            "",
            "16:grants.rnd_visits.purpose: missing",
        ),
        (
            "code: warranty",
            "code: \"Warranty!\"",
            "16:grants.rnd_visits.purpose.code: not a name",
        ),
        (
            "text: \"warranty analysis\"",
            "text: no",
            "16:grants.rnd_visits.purpose.text: at least 3",
        ),
        (
            "to: az_weu",
            "to: az",
            "17:sync_jobs.visits_weu.to: `az` is not in this file",
        ),
        (
            "every: 2d",
            "every: often",
            "17:sync_jobs.visits_weu.every: not a period",
        ),
        (
            "every: 2d, ",
            "",
            "17:sync_jobs.visits_weu.at: a time of day goes with `every`",
        ),
        (
            "every: 2d",
            "every: 2d, cron: \"0 3 * * *\"",
            "17:sync_jobs.visits_weu.every: use either",
        ),
        (
            "every: 2d, at: \"03:00\"",
            "cron: \"0 3 * *\"",
            "17:sync_jobs.visits_weu.cron: not a cron line",
        ),
        (
            "at: \"03:00\"",
            "at: \"25:00\"",
            "17:sync_jobs.visits_weu.at: not a time of day",
        ),
        (
            "timezone: Europe/Berlin",
            "timezone: Mars/Olympus",
            "17:sync_jobs.visits_weu.timezone: not a time zone",
        ),
        (
            "retention_hours: 168",
            "retention_hours: 0",
            "17:sync_jobs.visits_weu.retention_hours: from 1 to 87600",
        ),
        (
            "retention_hours: 168",
            "retention_hours: long",
            "17:: invalid",
        ),
        (
            "retention_hours: 168",
            "retention_hours: 99999999999999999999",
            "17:: ",
        ),
        (
            "from: \"aws:eu-central-1\"",
            "from: \"mars:olympus\"",
            "18:rates[0].from: unknown cloud",
        ),
        (
            "price: \"0.09\"",
            "price: \"-1\"",
            "18:rates[0].price: from 0",
        ),
        (
            "price: \"0.09\"",
            "price: free",
            "18:rates[0].price: not a price",
        ),
        ("unit: GB", "unit: TB", "18:rates[0].unit: not a unit"),
        (
            "currency: USD",
            "currency: usd",
            "18:rates[0].currency: not a currency",
        ),
        (
            "valid_from: 2026-01-01",
            "valid_from: 2026-01-01, valid_until: 2025-01-01",
            "18:rates[0].valid_until: must be later",
        ),
        ("rates:      [{", "rates:      {", "18:: "),
        ("recipients: {", "\trecipients: {", "15:: "),
        ("recipients: {", "recipients: [", "15:: "),
        ("domains:    {", "domains: &d {", ""),
        (
            "domains:    { vehicle: { title: Vehicle data } }",
            "domains: *nothing",
            "2:: ",
        ),
        ("domains:    {", "domains: !secret {", "2:: "),
        (
            "{ title: Vehicle data }",
            "{ <<: { title: a } }",
            "2:: `<<` is not read",
        ),
        (
            "exchange: { name: aftersales }",
            "---\na: b\n---\nexchange: { name: aftersales }",
            "2:: unknown key `a`",
        ),
    ];
    for (from, to, expected) in cases {
        let yaml = contract(from, to);
        let said = said(&yaml);
        if expected.is_empty() {
            assert_eq!(said, [""; 0], "{to}");
            continue;
        }
        assert!(!said.is_empty(), "{to}: taken as right");
        assert!(said[0].starts_with(expected), "{to}: {said:?}");
        assert!(!said.iter().any(|said| said.contains("hush")), "{said:?}");
        assert!(problems(&yaml)[0].column.is_some(), "{to}");
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
