//! An assessment of tables that Python wrote: its bytes are those that Python counts by itself, and on the way nothing is written
//! and no data is read. Then the clones that were reckoned are made, sync by sync, and move what was told.

mod clones;
mod declared;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use exchange::ports::StorageAccess;
use exchange::{Error, Principal};
use http::Method;
use model::dto::{Assessment, AssessmentNew, DeploymentNew, Rate};
use model::time::DAY;
use model::{Purpose, RateId, StorageId, Timestamp, Unit};
use replication::Ways;
use serde_json::{Value, json};
use server::adapters::assess::{Asked, assess};
use server::adapters::stores::Lake;
use server::config::StorageSettings;
use storage::{Cause, Meter, MeterKey};

use crate::support::TestApp;
use crate::support::environment::install_crypto;
use crate::support::python::Python;
use crate::support::s3::S3;

const FIRST: &str = concat!(
    r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#,
    "\n",
    r#"{"metaData":{"id":"t","schemaString":"{}","partitionColumns":[],"configuration":{}}}"#,
    "\n",
    r#"{"add":{"path":"../../secret.parquet","size":10,"modificationTime":1,"dataChange":true}}"#,
);

const SKIP: Ways = Ways {
    feed: false,
    ..clones::LEAST
};

fn files(folder: &Path) -> usize {
    let inner = std::fs::read_dir(folder).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path) } else { 1 }
    });
    inner.sum()
}

fn put(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn way(found: &Assessment, table: &str, kind: &str) -> Value {
    let table = found
        .tables
        .iter()
        .find(|found| found.path == table)
        .unwrap();
    let way = table
        .ways
        .iter()
        .find(|way| way.kind.as_str() == kind)
        .unwrap();
    serde_json::to_value(way).unwrap()
}

#[tokio::test]
async fn an_assessment_tells_what_python_counts_and_only_reads_logs() {
    let Some(python) = Python::find() else {
        return;
    };
    install_crypto();
    let s3 = S3::start().await;
    let start = Timestamp::parse("2026-06-01").unwrap();
    let asked =
        json!({ "folder": s3.file("hist"), "start_millis": start.millis(), "every_days": 2 });
    std::fs::create_dir_all(s3.file("hist")).unwrap();
    let counted: Value = python.run("write_history.py", &asked).await;
    put(
        &s3.file("hist/evil/_delta_log/00000000000000000000.json"),
        FIRST,
    );
    for version in [0, 2] {
        let name = format!("hist/holes/_delta_log/{version:020}.json");
        put(&s3.file(&name), "{}\n");
    }
    put(&s3.file("hist/drops/a.csv"), "a,b\n");
    put(&s3.file("hist/ice/metadata/v1.metadata.json"), "{}");

    let access = StorageAccess {
        id: StorageId::new(start),
        name: "lake".parse().unwrap(),
        location: "aws:eu-central-1".parse().unwrap(),
        url: "s3://lake".to_owned(),
        endpoint: Some(s3.proxy.url()),
        credential: Some(s3.credential().to_string().into()),
        replicas: false,
    };
    let lake = Lake::of(&StorageSettings {
        file_roots: Vec::new(),
        endpoints: vec![s3.proxy.address().to_string()],
        parallel_requests: 32,
        table_files: 400_000,
    });
    let meter = Meter::new(MeterKey {
        product: None,
        table: None,
        cause: Cause::Operation("test"),
        purpose: Purpose::Inspect,
    });
    let rates = [Rate {
        id: RateId::new(start),
        from: "aws:*".to_owned(),
        to: "azure:*".to_owned(),
        price: "90000".parse().unwrap(),
        unit: Unit::Gigabyte,
        currency: "USD".parse().unwrap(),
        valid_from: start,
        valid_until: None,
        source: "list".to_owned(),
    }];
    let ask = |flows: &str| {
        Asked::of(&AssessmentNew {
            storage: "lake".to_owned(),
            prefix: "hist/".to_owned(),
            every: Some("2d".to_owned()),
            flows: Some(format!("table,kind,consumers,from,to\n{flows}")),
            ..AssessmentNew::default()
        })
    };
    let at = start.plus(28 * DAY);
    let there = files(&s3.file(""));
    let before = s3.proxy.counted();
    let flows = "feed,weekly full load,2,,azure:westeurope\nfeed,direct reads,1,,azure:westeurope\n\
        plain,FTP,1,,azure:westeurope\nplain,daily full load,3,,azure:westeurope\n";
    let found = assess(
        &lake,
        &access,
        ask(flows).unwrap(),
        &rates,
        at,
        &meter,
        &Arc::default(),
    )
    .await
    .unwrap();

    // Consumers by the week, by the day, and as often as there are syncs.
    for (table, weekly, daily, live) in [("feed", 2, 0, 1), ("plain", 1, 3, 0)] {
        let counted = &counted[table];
        let told = found
            .tables
            .iter()
            .find(|found| found.path == table)
            .unwrap();
        assert_eq!(told.problem, None);
        assert_eq!(told.short, None);
        assert_eq!(
            json!(told.commits + 1),
            counted["commits"],
            "{table}: all but the one it begins with"
        );
        assert_eq!(json!(told.bytes), counted["bytes"], "{table}");
        assert_eq!(told.syncs, 14);
        let of = |what: &str| counted[what].as_u64().unwrap();
        let today = of("weekly") * weekly + of("daily") * daily + of("live") * live;
        assert_eq!(way(&found, table, "today")["bytes"], today, "{table}");
        let all = of("live") * (weekly + daily + live);
        assert_eq!(way(&found, table, "live")["bytes"], all, "{table}");
        let clone = way(&found, table, "clone");
        assert_eq!(clone["first_copy"], counted["first_copy"], "{table}");
        for kind in ["clone", "clone_skip"] {
            assert_eq!(
                way(&found, table, kind)["bytes"],
                counted[kind],
                "{table} {kind}"
            );
        }
        for kind in ["clone_feed", "clone_both"] {
            let told = way(&found, table, kind);
            if table == "feed" {
                assert_eq!(told["bytes"], counted[kind], "{kind}");
                assert!(told["bytes"].as_u64() < clone["bytes"].as_u64());
            } else {
                assert_eq!(told["bytes"], Value::Null);
                assert_eq!(told["note"], "Not available: change feed is off.");
            }
        }
    }
    // 90,000 a gigabyte are 90 millionths a byte.
    let clone = &found.totals[2];
    let bytes = i64::try_from(clone.bytes.unwrap()).unwrap();
    assert_eq!(clone.money[0].amount.0, bytes * 90);
    let evil = found
        .tables
        .iter()
        .find(|table| table.path == "evil")
        .unwrap();
    let problem = evil.problem.as_deref().unwrap();
    assert!(
        problem.contains("names a file outside the table"),
        "{problem}"
    );
    let holes = found.tables.iter().find(|table| table.path == "holes");
    let problem = holes.unwrap().problem.as_deref().unwrap();
    assert!(problem.contains("assess it again"), "{problem}");
    let others: Vec<&str> = found
        .others
        .iter()
        .map(|other| other.format.as_str())
        .collect();
    assert_eq!(others, ["csv", "iceberg"]);
    assert!(found.yaml.contains("path: \"feed\""), "{}", found.yaml);

    let unknown = assess(
        &lake,
        &access,
        ask("nothing,FTP,1,,azure:westeurope\n").unwrap(),
        &rates,
        at,
        &meter,
        &Arc::default(),
    )
    .await
    .unwrap_err();
    assert!(
        unknown
            .sentence
            .contains("`nothing` is not under the prefix"),
        "{unknown}"
    );
    assert_eq!(unknown.field, Some("flows"));
    assert!(ask("feed,FTP,-1,,azure:westeurope\n").is_err());

    for passed in s3.proxy.passed_since(before) {
        assert!(
            [Method::GET, Method::HEAD].contains(&passed.method),
            "{passed:?}"
        );
        let is_log = passed.path.contains("/_delta_log/") || passed.path.contains("list-type=2");
        assert!(is_log, "{passed:?}");
    }
    assert_eq!(s3.proxy.counted().since(before).sent, 0);
    assert_eq!(files(&s3.file("")), there);

    for (table, kind, ways) in [
        ("feed", "clone", Ways::FILES),
        ("feed", "clone_feed", Ways::default()),
        ("feed", "clone_both", clones::LEAST),
        ("plain", "clone", Ways::FILES),
        ("plain", "clone_skip", SKIP),
    ] {
        let told = way(&found, table, kind)["bytes"].as_u64().unwrap();
        let versions: Vec<u64> =
            serde_json::from_value(counted[table]["versions"].clone()).unwrap();
        let moved = clones::moved(&s3, &access, (table, kind), ways, &versions, start).await;
        let off = moved.abs_diff(told);
        assert!(
            off * 100 <= told,
            "{table} {kind}: {moved} moved, {told} told"
        );
    }
}

/// Begun over the exchange and kept there, and its declaration deploys once somebody has chosen.
#[tokio::test]
async fn what_comes_of_an_assessment_is_kept_and_deploys() {
    let app = TestApp::start().await;
    let operator = Principal::operator();
    app.storage("aws_eu", "aws", "eu-central-1", false).await;
    app.table("aws_eu", "aws", "eu-central-1", "sales/visits")
        .await;
    let new = AssessmentNew {
        storage: "aws_eu".to_owned(),
        prefix: "sales".to_owned(),
        to: Some("azure:westeurope".to_owned()),
        ..AssessmentNew::default()
    };
    let mut state = app.exchange.assessment_start(&operator, new).await.unwrap();
    let mut turn = tokio::time::interval(Duration::from_millis(20));
    while state.running {
        turn.tick().await;
        let id = state.id.unwrap();
        state = app.exchange.assessment_of(&operator, id).await.unwrap();
    }
    assert_eq!((state.tables_done, state.tables), (1, Some(1)), "{state:?}");
    let found = state.found.unwrap();
    assert_eq!(
        (found.place.as_str(), found.tables.len()),
        ("aws_eu/sales", 1)
    );
    // Two commits, the first of which holds no file: the rows came within the span.
    assert_eq!(found.tables[0].problem, None);
    let same = app.exchange.assessment(&operator).await.unwrap();
    assert_eq!(same.found, Some(found));

    // The same of a folder that nobody has registered, as the command reads it.
    app.table("lone", "aws", "eu-central-1", "sales/visits")
        .await;
    let at = Timestamp::parse("2026-06-15T12:00:00Z").unwrap();
    let access = StorageAccess {
        id: StorageId::new(at),
        name: "assessed".parse().unwrap(),
        location: "aws:eu-central-1".parse().unwrap(),
        url: app.lake_url("lone"),
        endpoint: None,
        credential: None,
        replicas: false,
    };
    let lake = Lake::of(&StorageSettings {
        file_roots: vec![app.folder.path().to_owned()],
        endpoints: Vec::new(),
        parallel_requests: 8,
        table_files: 1_000,
    });
    let meter = Meter::new(MeterKey {
        product: None,
        table: None,
        cause: Cause::Operation("test"),
        purpose: Purpose::Inspect,
    });
    let asked = Asked::of(&AssessmentNew {
        to: Some("azure:westeurope".to_owned()),
        every: Some("2d".to_owned()),
        ..AssessmentNew::default()
    });
    let asked = asked.unwrap();
    let found = assess(&lake, &access, asked, &[], at, &meter, &Arc::default()).await;
    let yaml = found.unwrap().yaml;
    let deploy = async |yaml: String| {
        let new = DeploymentNew {
            yaml,
            file: "entrepot.yml".to_owned(),
            commit: "abc".to_owned(),
            expect_plan_hash: None,
        };
        app.exchange.declaration_deploy(&operator, new).await
    };
    let unchosen = deploy(yaml.clone()).await;
    assert!(matches!(unchosen, Err(Error::Invalid(_))), "{unchosen:?}");
    let chosen = yaml
        .replace(
            "url: choose",
            &format!("url: \"{}\"", app.lake_url("clones")),
        )
        .replace("classification: choose", "classification: internal")
        .replace("until: choose", "until: 2027-06-30");
    deploy(chosen).await.unwrap();
    let product = app.exchange.product(&operator, "assessed-sales").await;
    assert_eq!(product.unwrap().tables.len(), 1);
    let replicas = exchange::page::PageRequest::all();
    let replicas = app.exchange.replicas(&operator, None, &replicas).await;
    assert_eq!(replicas.unwrap().items.len(), 1);
}
