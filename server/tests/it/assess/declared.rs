//! What an assessment declares of many and of odd tables is sound, and what it does not declare it names.

use exchange::Principal;
use model::Timestamp;
use model::time::DAY;
use replication::assess::{Read, Reckoner, Surveyed, Window, report};

use crate::support::TestApp;

#[tokio::test]
async fn many_and_odd_tables_are_declared_soundly() {
    let app = TestApp::start().await;
    let at = Timestamp::parse("2026-06-15").unwrap();
    let window = Window {
        from: at.plus(-DAY),
        until: at,
        every: DAY,
        retention_hours: 168,
    };
    let read = Read {
        version: 1,
        short: None,
        change_feed: false,
        not_cloned: None,
        files_only: None,
        figures: Reckoner::new(window, Vec::new()).finish(),
    };
    let mut paths: Vec<String> = (0..501).map(|number| format!("many/t{number}")).collect();
    let long = format!("{}/deep", "long".repeat(60));
    // The first two would be one folder in the other if they came into one product.
    let odd = [
        "tables",
        "tables/x",
        "Many/t0",
        "表/客户",
        "表/顾客",
        "顾/客户",
    ];
    paths.extend(odd.map(str::to_owned));
    paths.push(long);
    let declared = paths.len();
    let mut tables: Vec<(String, Result<Read, String>)> = paths
        .into_iter()
        .map(|path| (path, Ok(read.clone())))
        .collect();
    tables.push((
        "odd/bro\nken".to_owned(),
        Err("it is:\n- broken".to_owned()),
    ));
    tables.push(("odd/\u{202e}x".to_owned(), Ok(read)));
    let surveyed = Surveyed {
        place: "lake".to_owned(),
        location: "aws:eu-central-1".parse().unwrap(),
        at,
        days: 1,
        every: DAY,
        to: Some("azure:westeurope".parse().unwrap()),
        url: app.lake_url("lake"),
        endpoint: None,
        others: Vec::new(),
        left_out: Vec::new(),
        log_bytes: 0,
    };
    let yaml = report(surveyed, tables, None, &[]).yaml;

    assert_eq!(yaml.matches("format: delta").count(), declared);
    for name in [
        "assessed-many:",
        "assessed-many_2:",
        "assessed-many_3:",
        "assessed-folder_1:",
        "assessed-folder_2:",
    ] {
        assert!(yaml.contains(&format!("\n  {name}\n")), "{name}");
    }
    let left_out: Vec<&str> = yaml
        .lines()
        .filter(|line| line.starts_with("# left out: "))
        .collect();
    assert_eq!(left_out.len(), 2, "{left_out:?}");
    assert_eq!(left_out[0], "# left out: odd/bro ken: it is: - broken");
    assert!(left_out[1].contains("is not allowed"), "{left_out:?}");

    let validate = |yaml: &str| {
        let found = app
            .exchange
            .declaration_validate(&Principal::operator(), yaml);
        found.unwrap().problems
    };
    assert!(!validate(&yaml).is_empty(), "somebody has to choose");
    let chosen = yaml
        .replace(
            "url: choose",
            &format!("url: \"{}\"", app.lake_url("clones")),
        )
        .replace("classification: choose", "classification: internal")
        .replace("until: choose", "until: 2027-06-30");
    let problems = validate(&chosen);
    assert!(problems.is_empty(), "{problems:?}");
}
