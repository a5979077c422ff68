//! Registering tables that cannot be registered, over the interface and on real stores: the answer says of which table it is, what is
//! wrong and what to do, and nothing is stored.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::counts::Counts;
use crate::support::environment::install_crypto;
use crate::support::{Build, TestApp};

/// A commit of a table's log.
fn commit(table: &Path, version: u64) -> PathBuf {
    table.join(format!("_delta_log/{version:020}.json"))
}

/// Makes the table need what no reader knows.
fn needs(table: &Path, feature: &str) {
    let path = commit(table, 0);
    let said = fs::read_to_string(&path).unwrap();
    let mut changed = 0;
    let lines = said.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        if let Some(protocol) = line.get_mut("protocol") {
            *protocol = json!({
                "minReaderVersion": 3,
                "minWriterVersion": 7,
                "readerFeatures": [feature],
                "writerFeatures": [feature],
            });
            changed += 1;
        }
        line.to_string()
    });
    let lines: Vec<String> = lines.collect();
    assert_eq!(changed, 1, "{said}");
    fs::write(path, lines.join("\n")).unwrap();
}

#[tokio::test]
async fn what_cannot_be_registered_is_said_with_what_to_do() {
    install_crypto();
    // A port on which nobody listens any more.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody: &'static str = listener.local_addr().unwrap().to_string().leak();
    drop(listener);
    let app = TestApp::with(Build {
        endpoints: vec![nobody].leak(),
        ..Build::default()
    })
    .await;
    app.domain("vehicle").await;
    app.team("aftersales", "vehicle").await;
    app.person("ada", &["admin"]).await;
    let ada = app.token("ada").await;
    app.storage("aws_eu", "aws", "eu-central-1", false).await;
    let far = json!({
        "name": "far",
        "cloud": "aws",
        "region": "eu-central-1",
        "url": "s3://lake/a",
        "endpoint": format!("http://{nobody}"),
        "credential": { "access_key_id": "AKIATEST", "secret_access_key": "a-secret-of-the-store" },
    });
    let made = app.post("/api/v1/storages").token(&ada).json(&far).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);

    let lake = app.folder.path().join("lakes/aws_eu");
    fs::create_dir_all(lake.join("plain")).unwrap();
    fs::write(lake.join("plain/visits.parquet"), "PAR1").unwrap();
    for table in ["good", "strange", "torn"] {
        app.table("aws_eu", "aws", "eu-central-1", table).await;
    }
    needs(&lake.join("strange"), "hologram");
    let torn = lake.join("torn");
    fs::rename(commit(&torn, 1), commit(&torn, 2)).unwrap();

    let register = async |storage: &str, path: &str| {
        let body = json!({
            "name": "vehicle-visits",
            "team": "aftersales",
            "title": "Workshop visits",
            "storage": "aws_eu",
            "classification": "internal",
            // The second is at fault: the first is not to be left behind.
            "tables": [
                { "name": "good", "path": "good" },
                { "name": "visits", "path": path, "storage": storage },
            ],
        });
        app.post("/api/v1/products").token(&ada).json(&body).await
    };
    let before = Counts::of(app.exchange.db()).await;
    let cases: [(&str, &str, [&str; 2]); 8] = [
        ("aws_eu", "plain", ["no Delta table here", "Check the path"]),
        (
            "aws_eu",
            "nowhere",
            ["no Delta table here", "Check the path"],
        ),
        (
            "aws_eu",
            "strange",
            ["not known here: hologram", "Drop the feature"],
        ),
        (
            "aws_eu",
            "torn",
            [
                "version 1 is missing",
                "Restore _delta_log/00000000000000000001.json",
            ],
        ),
        (
            "aws_eu",
            "../far/visits",
            ["no empty segments", "no `.` and no `..`"],
        ),
        (
            "aws_eu",
            "/etc",
            ["relative to the storage", "no leading `/`"],
        ),
        (
            "aws_eu",
            "file:///etc",
            ["relative to the storage", "and no address"],
        ),
        ("far", "visits", ["cannot be reached", "then try again"]),
    ];
    for (storage, path, said) in cases {
        let answer = register(storage, path).await;
        let what = format!("{storage}/{path}: {}", answer.text);
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{what}");
        assert_eq!(answer.wrong_fields(), ["tables[1].path"], "{what}");
        let errors = answer.json()["errors"].clone();
        let message = errors[0]["message"].as_str().unwrap();
        for part in said {
            assert!(message.contains(part), "{part} in {what}");
        }
        let folder = app.folder.path().to_string_lossy().into_owned();
        for secret in [folder.as_str(), "a-secret-of-the-store", "AKIATEST"] {
            assert!(!answer.text.contains(secret), "{what}");
        }
        assert_eq!(Counts::of(app.exchange.db()).await, before, "{what}");
    }
    // The same product from a table that can be read.
    app.table("aws_eu", "aws", "eu-central-1", "sound").await;
    let answer = register("aws_eu", "sound").await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    assert_ne!(Counts::of(app.exchange.db()).await, before);
}
