//! The tables of `end2end/tables`, which Spark wrote, one for each feature: the Python connector reads through the share what
//! Spark reads from the table itself, older versions and changes too.

use std::collections::BTreeMap;
use std::path::Path;

use model::GrantActual;
use serde::Deserialize;
use serde_json::{Value, json};

use super::VISITS;
use super::wire::serve;
use crate::support::python::Python;

/// Of these the connector says that it can read them; for changes it leaves out the last.
const KNOWN: [&str; 3] = ["deletionvectors", "columnmapping", "timestampntz"];

/// What stands beside a table.
#[derive(Deserialize)]
struct Expected {
    needs: String,
    states: BTreeMap<u64, Vec<Value>>,
    changes: Option<Feed>,
}

impl Expected {
    /// The connector knows no type for timestamps without zone in the Parquet format, and does not name them as a feature it
    /// knows when it asks for changes in the Delta format.
    fn read_by_connector(&self) -> Option<&Feed> {
        let feed = self.changes.as_ref();
        feed.filter(|_| !self.needs.contains("timestampntz"))
    }
}

#[derive(Deserialize)]
struct Feed {
    start: u64,
    rows: Vec<Value>,
}

/// What `read_features.py` says of a table.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Told {
    states: BTreeMap<u64, Vec<Value>>,
    changes: Option<Vec<Value>>,
    refused: Option<String>,
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Deletion vectors by the absolute URLs of their objects, in place of their names.
fn absolute(log: &Path, home: &str) {
    for entry in std::fs::read_dir(log).unwrap() {
        let path = entry.unwrap().path();
        let said = std::fs::read_to_string(&path).unwrap();
        let mut lines = Vec::new();
        for line in said.lines() {
            let mut line: Value = serde_json::from_str(line).unwrap();
            for name in ["add", "remove"] {
                if let Some(vector) = line.pointer_mut(&format!("/{name}/deletionVector")) {
                    let key = delta::deletion_vector_key(vector, &[]).unwrap().unwrap();
                    vector["storageType"] = json!("p");
                    vector["pathOrInlineDv"] = json!(format!("{home}{key}"));
                }
            }
            lines.push(line.to_string());
        }
        std::fs::write(path, lines.join("\n")).unwrap();
    }
}

#[tokio::test]
async fn the_python_connector_reads_of_every_table_what_spark_reads() {
    let Some(python) = Python::find() else { return };
    let (world, address, stop, serving) = serve().await;

    let written = Path::new(env!("CARGO_MANIFEST_DIR")).join("../end2end/tables");
    let mut tables: Vec<(String, String, Expected)> = Vec::new();
    for entry in std::fs::read_dir(&written).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let said = std::fs::read_to_string(&path).unwrap();
        let below = format!("features/{name}");
        copy(&written.join(&name), &world.root("aws_eu").join(&below));
        tables.push((name, below, serde_json::from_str(&said).unwrap()));
    }
    assert!(tables.len() >= 16, "{}", tables.len());
    let below = "features/absolute_vectors";
    let folder = world.root("aws_eu").join(below);
    copy(&written.join("deletion_vectors"), &folder);
    absolute(
        &folder.join("_delta_log"),
        &format!("file://{}/", folder.display()),
    );
    let said = std::fs::read_to_string(written.join("deletion_vectors.json")).unwrap();
    let said = serde_json::from_str(&said).unwrap();
    tables.push(("absolute_vectors".to_owned(), below.to_owned(), said));
    let of: Vec<(&str, &str)> = tables
        .iter()
        .map(|(name, path, _)| (name.as_str(), path.as_str()))
        .collect();
    world.product_with(VISITS, "aws_eu", &of, true).await;
    let grant = world.grant(VISITS, "rnd_weu", "live").await;
    world.reconcile(grant).await;
    assert_eq!(world.granted(grant).await.actual, GrantActual::Active);

    let profile = world.folder.path().join("profile.share");
    let credentials = json!({
        "shareCredentialsVersion": 1,
        "endpoint": format!("http://{address}/delta-sharing/"),
        "bearerToken": world.token("rnd_weu").await,
    });
    std::fs::write(&profile, credentials.to_string()).unwrap();
    let asked: Vec<Value> = tables
        .iter()
        .map(|(name, _, expected)| {
            let versions: Vec<u64> = expected.states.keys().copied().collect();
            let mut asked =
                json!({ "table": format!("{VISITS}.default.{name}"), "versions": versions });
            if let Some(feed) = expected.read_by_connector() {
                asked["changes"] = json!({ "start": feed.start });
            }
            asked
        })
        .collect();
    let asked = json!({ "profile": profile, "tables": asked });
    let told: Vec<Told> = python.run("read_features.py", &asked).await;

    assert_eq!(told.len(), tables.len());
    for ((name, _, expected), told) in tables.iter().zip(told) {
        let needed = expected
            .needs
            .split(',')
            .filter(|needed| !needed.is_empty());
        let lacking: Vec<&str> = needed.filter(|needed| !KNOWN.contains(needed)).collect();
        if let Some(lacking) = lacking.first() {
            let refused = told.refused.unwrap_or_default();
            let says = refused.to_lowercase().contains(lacking);
            assert!(
                says && refused.contains("UNSUPPORTED_OPERATION"),
                "{name}: {refused}"
            );
            continue;
        }
        assert_eq!(told.refused, None, "{name}");
        assert_eq!(told.states, expected.states, "{name}");
        let changes = expected.read_by_connector().map(|feed| &feed.rows);
        assert_eq!(told.changes.as_ref(), changes, "{name}");
    }
    stop.cancel();
    serving.abort();
}
