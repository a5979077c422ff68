//! The tables of `end2end/tables`, which Spark wrote, one for each feature, through the router: versions, files, deletion vectors
//! and changes are those that Spark has written and read. What readers make of them is seen in the server's tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::world::{Answer, CAPABILITIES, World, assert_error, visits};

/// What stands beside a table.
#[derive(Deserialize)]
struct Expected {
    needs: String,
    version: u64,
    states: BTreeMap<u64, Vec<Value>>,
    changes: Option<Feed>,
}

#[derive(Deserialize)]
struct Feed {
    start: u64,
    rows: Vec<Value>,
}

/// Names, folders and what is expected of all tables.
fn written() -> Vec<(String, PathBuf, Expected)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../end2end/tables");
    let mut all = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let said = std::fs::read_to_string(&path).unwrap();
            all.push((
                name,
                path.with_extension(""),
                serde_json::from_str(&said).unwrap(),
            ));
        }
    }
    assert!(all.len() >= 16, "{}", all.len());
    all
}

/// The lines after the first two.
fn files(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let lines = answer.lines().into_iter().skip(2);
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The action of a line, in either format: its name, and its fields.
fn action(line: &Value) -> (String, Value) {
    let actions = match line["file"].get("deltaSingleAction") {
        Some(actions) => actions,
        None => line,
    };
    let (name, fields) = actions.as_object().unwrap().iter().next().unwrap();
    (name.clone(), fields.clone())
}

/// Looks at what the URLs of a line lead to; gives the file's URL and how many rows its deletion vector takes.
async fn look(world: &World, line: &Value) -> (String, u64) {
    let (_, fields) = action(line);
    let url = fields.get("path").unwrap_or(&fields["url"]);
    let url = url.as_str().unwrap().to_owned();
    let object = world.object(&url).await.unwrap();
    assert_eq!(fields["size"].as_u64(), Some(object.len() as u64), "{url}");
    let vector = &fields["deletionVector"];
    if vector.is_null() {
        return (url, 0);
    }
    match vector["storageType"].as_str().unwrap() {
        "p" => {
            let place = vector["pathOrInlineDv"].as_str().unwrap();
            let object = world.object(place).await.unwrap();
            let at = usize::try_from(vector["offset"].as_u64().unwrap()).unwrap();
            // The size stands before the vector.
            let size = u32::from_be_bytes(object[at..at + 4].try_into().unwrap());
            assert_eq!(vector["sizeInBytes"], size);
            assert!(line["file"]["deletionVectorFileId"].is_string());
        }
        "i" => assert!(vector.get("offset").is_none() && !vector["pathOrInlineDv"].is_null()),
        other => panic!("{other}"),
    }
    (url, vector["cardinality"].as_u64().unwrap())
}

#[tokio::test]
async fn every_state_that_spark_reads_is_told() {
    for (name, folder, expected) in written() {
        let world = World::of_folder(&folder).await;
        world.shares_past(true, true, false);
        let capabilities = format!(
            "responseformat=parquet,delta;readerfeatures={}",
            expected.needs
        );
        let headers = [(CAPABILITIES, capabilities.as_str())];
        let answer = world.get(&visits("/version")).await;
        let version = expected.version.to_string();
        assert_eq!(answer.header("delta-table-version"), version, "{name}");

        for (version, rows) in &expected.states {
            let body = format!(r#"{{"version":{version}}}"#);
            let answer = world.query_with(&visits("/query"), &body, &headers).await;
            let mut told = 0;
            for line in files(&answer) {
                let (_, deleted) = look(&world, &line).await;
                let (_, fields) = action(&line);
                let stats = fields["stats"].as_str().unwrap_or("{}");
                let stats: Value = serde_json::from_str(stats).unwrap();
                told += stats["numRecords"].as_u64().unwrap() - deleted;
            }
            assert_eq!(told, rows.len() as u64, "{name} {version}");
        }
        let answer = world.query_with(&visits("/query"), "{}", &headers).await;
        let latest = files(&answer).len();
        let format = if expected.needs.is_empty() {
            "parquet"
        } else {
            "delta"
        };
        let says = format!("responseformat={format}");
        assert_eq!(answer.header(CAPABILITIES), says, "{name}");
        assert_eq!(answer.header("delta-table-version"), version, "{name}");

        // One row is enough, and one file has it.
        let body = r#"{"limitHint":1}"#;
        let limited = world.query_with(&visits("/query"), body, &headers).await;
        assert_eq!(files(&limited).len(), latest.min(1), "{name}");

        let plain = ["", "timestampntz"].contains(&expected.needs.as_str());
        let answer = world.post(&visits("/query"), "{}").await;
        if plain {
            assert_eq!(files(&answer).len(), latest, "{name}");
        } else {
            assert_error(&answer, 400, "UNSUPPORTED_OPERATION", &name);
        }
    }
}

#[tokio::test]
async fn the_changes_that_spark_reads_are_told_in_pages_too() {
    let mut fed = 0;
    for (name, folder, expected) in written() {
        let Some(feed) = &expected.changes else {
            continue;
        };
        fed += 1;
        let world = World::of_folder(&folder).await;
        world.shares_past(true, true, false);
        let capabilities = format!("responseformat=delta;readerfeatures={}", expected.needs);
        let headers = [(CAPABILITIES, capabilities.as_str())];
        let asked = format!("/changes?startingVersion={}", feed.start);
        let answer = world.get_with(&visits(&asked), &headers).await;
        let whole = files(&answer);
        let versions: BTreeSet<u64> = whole
            .iter()
            .map(|line| line["file"]["version"].as_u64().unwrap())
            .collect();
        let read: BTreeSet<u64> = feed
            .rows
            .iter()
            .map(|row| row["_commit_version"].as_u64().unwrap())
            .collect();
        assert_eq!(versions, read, "{name}");

        // What was removed and added under the same name has one URL.
        let mut urls: BTreeMap<String, String> = BTreeMap::new();
        for line in &whole {
            let (url, _) = look(&world, line).await;
            let key = url.split('?').next().unwrap().to_owned();
            assert_eq!(
                urls.entry(key).or_insert_with(|| url.clone()),
                &url,
                "{name}"
            );
        }

        let (mut paged, mut path) = (Vec::new(), format!("{asked}&maxFiles=2"));
        loop {
            let answer = world.get_with(&visits(&path), &headers).await;
            let mut lines = files(&answer);
            let end = lines.pop().unwrap();
            paged.extend(lines.iter().map(|line| action(line).0));
            let Some(token) = end["endStreamAction"]["nextPageToken"].as_str() else {
                break;
            };
            path = format!("{asked}&maxFiles=2&pageToken={token}");
        }
        let once: Vec<String> = whole.iter().map(|line| action(line).0).collect();
        assert_eq!(paged, once, "{name}");

        let body = json!({ "startingVersion": feed.start }).to_string();
        let streamed = world.query_with(&visits("/query"), &body, &headers).await;
        let streamed = files(&streamed);
        assert!(!streamed.is_empty(), "{name}");
        for line in &streamed {
            if line.get("file").is_some() {
                look(&world, line).await;
                assert!(action(line).0 != "cdc", "{name}");
            }
        }
    }
    assert!(fed >= 6, "{fed}");
}

/// A commit's own time counts, where the table says so; before it was switched on, what the writer noted.
#[tokio::test]
async fn versions_are_found_by_their_in_commit_timestamps() {
    let (_, folder, _) = written()
        .into_iter()
        .find(|(name, ..)| name == "in_commit_timestamps")
        .unwrap();
    let world = World::of_folder(&folder).await;
    world.shares_past(true, true, false);
    for (millis, version) in [
        (1_800_000_000_000, "2"),
        (1_800_000_059_999, "2"),
        (1_800_000_060_000, "3"),
        (1_799_999_999_999, "1"),
    ] {
        let time = model::Timestamp::from_millis(millis).to_string();
        let answer = world
            .get(&visits(&format!("/metadata?timestamp={time}")))
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(answer.header("delta-table-version"), version, "{time}");
    }
}
