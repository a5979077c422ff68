//! `entrepot sync`, `vacuum` and `verify`: done by the command itself where nobody else uses the data folder, waited for where
//! somebody does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use delta::write::arrow::array::{Int64Array, RecordBatch};
use delta::write::arrow_schema::{DataType, Field, Schema};
use delta::write::{NewTable, Writer};
use model::time::DAY;
use model::{Clock as _, Timestamp};
use object_store::local::LocalFileSystem;
use serde_json::Value;
use server::adapters::clock::SystemClock;

use super::cli::{Served, done, entrepot, json};

const DECLARATION: &str = r#"
exchange: { name: by-hand }
domains: { vehicle: { title: Vehicle } }
teams:
  aftersales: { domain: vehicle, title: After-Sales, cost_center: "1" }
  rnd: { domain: vehicle, title: Research, cost_center: "2" }
storages:
  aws_eu: { cloud: aws, region: eu-central-1, url: "file://FOLDER/aws_eu" }
  az_weu: { cloud: azure, region: westeurope, url: "file://FOLDER/az_weu", replicas: true }
products:
  vehicle-visits:
    title: Visits
    team: aftersales
    storage: aws_eu
    classification: internal
    access: { policy: auto }
    tables: [{ name: visits, schema: default, path: visits, format: delta }]
recipients: { rnd_weu: { team: rnd, cloud: azure, region: westeurope } }
"#;

const REPLICA: &[&str] = &["vehicle-visits", "--to", "az_weu"];

pub(super) struct World {
    folder: tempfile::TempDir,
    pub(super) data: PathBuf,
}

impl World {
    /// A product with a table of one file, and a replica of it that is still to be made.
    async fn start() -> Self {
        Self::asking("replica").await
    }

    /// The same where `rnd_weu` asked for it in this mode.
    pub(super) async fn asking(mode: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let world = Self { folder, data };
        for name in ["data", "aws_eu/visits", "az_weu"] {
            std::fs::create_dir_all(world.path(name)).unwrap();
        }
        let roots = format!(
            "[storage]\nfile_roots = [\"{}\"]\n",
            world.folder.path().display()
        );
        std::fs::write(world.data.join("entrepot.toml"), roots).unwrap();
        let at = Timestamp::parse("2026-06-01T07:00:00Z").unwrap();
        let new = NewTable {
            name: None,
            description: None,
            schema: schema(),
            partition_columns: Vec::new(),
            configuration: BTreeMap::new(),
        };
        let mut writer = Writer::create(world.table(), 7, at, new).await.unwrap();
        writer.append(at, &[rows(0)]).await.unwrap();
        let declared = DECLARATION.replace("FOLDER", &world.folder.path().display().to_string());
        let file = world.path("entrepot.yml");
        std::fs::write(&file, declared).unwrap();
        done(&world.data, &["deploy", &file.display().to_string()]);
        // The commands go by the clock of the machine, and nobody is granted anything for more than five years.
        let today = SystemClock.now();
        let until = today.plus(100 * DAY).to_string();
        done(
            &world.data,
            &[
                "request",
                "create",
                "vehicle-visits",
                "--recipient",
                "rnd_weu",
                "--mode",
                mode,
                "--until",
                &until[..10],
                "--purpose",
                "warranty",
                "--text",
                "to see",
            ],
        );
        world
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn replica(&self) -> PathBuf {
        self.path("az_weu/vehicle-visits/default/visits")
    }

    fn table(&self) -> delta::Table {
        let root = self.path("aws_eu/visits");
        let objects = LocalFileSystem::new_with_prefix(root).unwrap();
        delta::Table::new(Arc::new(objects), delta::Budgets::default())
    }

    async fn append(&self, from: i64) {
        let mut writer = Writer::open(self.table(), 11).await.unwrap();
        let at = Timestamp::parse("2026-06-02T07:00:00Z").unwrap();
        writer.append(at, &[rows(from)]).await.unwrap();
    }
}

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]))
}

fn rows(from: i64) -> RecordBatch {
    let ids: Vec<i64> = (from..from + 100).collect();
    RecordBatch::try_new(schema(), vec![Arc::new(Int64Array::from(ids))]).unwrap()
}

fn parquet(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|end| end == "parquet"))
        .collect()
}

/// What a command on the replica answers, and its exit status.
fn asked(data: &Path, what: &str, more: &[&str]) -> (Value, String, Option<i32>) {
    let output = entrepot(data)
        .arg(what)
        .args(REPLICA)
        .args(more)
        .arg("--json")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let answer = serde_json::from_slice(&output.stdout);
    let answer = answer.unwrap_or_else(|error| panic!("{error}: {said}"));
    (answer, said, output.status.code())
}

#[tokio::test]
async fn a_command_that_is_alone_does_it_itself() {
    let world = World::start().await;
    let data = &world.data;
    let (first, said, code) = asked(data, "sync", &[]);
    assert_eq!(code, Some(0), "{said}");
    let run = &first["runs"][0];
    assert_eq!(
        (&run["state"], &run["to_version"]),
        (&"done".into(), &1.into())
    );
    assert_eq!(run["bytes_copied"], run["bytes_full"]);
    assert_eq!(first["replica"]["tables"][0]["state"], "ready");
    assert_eq!(parquet(&world.replica()).len(), 1);
    // The new version and no more, shown as people see it.
    world.append(500).await;
    let text = done(data, &["sync", REPLICA[0], REPLICA[1], REPLICA[2]]);
    assert!(text.contains("done") && text.contains("1 to 2"), "{text}");
    assert_eq!(parquet(&world.replica()).len(), 2);
    let (verified, _, code) = asked(data, "verify", &[]);
    assert_eq!(code, Some(0), "{verified:#}");
    // Left is the vacuum that follows each sync: a worker's, or of whoever asks for it.
    let left = verified["replica"]["tables"][0]["work"].as_array().unwrap();
    let left: Vec<&Value> = left.iter().map(|work| &work["kind"]).collect();
    assert_eq!(left, ["vacuum"]);
    let (vacuumed, _, code) = asked(data, "vacuum", &[]);
    assert_eq!((code, &vacuumed["runs"]), (Some(0), &Value::Array(vec![])));
    assert!(vacuumed["replica"]["tables"][0]["vacuumed_at"].is_string());

    // The source is away: told at once.
    world.append(900).await;
    let (source, hidden) = (world.path("aws_eu/visits"), world.path("hidden"));
    std::fs::rename(&source, &hidden).unwrap();
    let (failed, _, code) = asked(data, "sync", &[]);
    assert_eq!(code, Some(1), "{failed:#}");
    std::fs::rename(&hidden, &source).unwrap();
    let (again, said, code) = asked(data, "sync", &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(again["runs"][0]["to_version"], 3);
    // What is missing is found, and said by the exit status.
    for file in parquet(&world.replica()) {
        std::fs::remove_file(file).unwrap();
    }
    let (wrong, _, code) = asked(data, "verify", &[]);
    assert_eq!(code, Some(1), "{wrong:#}");
    let table = &wrong["replica"]["tables"][0];
    assert_eq!(table["state"], "diverged");
    assert!(
        table["reason"].as_str().unwrap().contains("missing"),
        "{table:#}"
    );
}

#[tokio::test]
async fn beside_a_server_it_is_asked_for_or_waited_for() {
    let world = World::start().await;
    let data = &world.data;
    done(
        data,
        &["user", "create", "ada", "--role", "admin", "--generate"],
    );
    let token = json(data, &["token", "create", "ci", "--person", "ada"]);
    let token = token["token"].as_str().unwrap().to_owned();
    let served = Served::start(data, &[]);
    let text = done(data, &["sync", REPLICA[0], REPLICA[1], REPLICA[2]]);
    assert!(text.contains("a worker does it"), "{text}");
    let (first, said, code) = asked(data, "sync", &["--wait"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(first["replica"]["tables"][0]["state"], "ready");
    world.append(500).await;
    let over_http = ["--wait", "--server", &served.address, "--token", &token];
    let (second, said, code) = asked(data, "sync", &over_http);
    assert_eq!(code, Some(0), "{said}");
    let run = &second["runs"][0];
    assert_eq!(
        (&run["state"], &run["to_version"]),
        (&"done".into(), &2.into())
    );
    let (verified, said, code) = asked(data, "verify", &over_http);
    assert_eq!(code, Some(0), "{said}");
    assert!(verified["replica"]["tables"][0]["verified_at"].is_string());
    // What failed is told after the first try, though the worker has eleven more.
    world.append(900).await;
    let (target, hidden) = (world.path("az_weu/vehicle-visits"), world.path("hidden"));
    std::fs::rename(&target, &hidden).unwrap();
    std::fs::write(&target, "no folder").unwrap();
    let (failed, said, code) = asked(data, "sync", &over_http);
    assert_eq!(code, Some(1), "{said}\n{failed:#}");
    let work = &failed["replica"]["tables"][0]["work"][0];
    assert_eq!(
        (&work["kind"], &work["parked"]),
        (&"sync".into(), &false.into())
    );
    std::fs::remove_file(&target).unwrap();
    std::fs::rename(&hidden, &target).unwrap();
    let (third, said, code) = asked(data, "sync", &over_http);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(third["replica"]["tables"][0]["source_version"], 3);
    for file in parquet(&world.replica()) {
        std::fs::remove_file(file).unwrap();
    }
    let (wrong, _, code) = asked(data, "verify", &over_http);
    assert_eq!(code, Some(1), "{wrong:#}");
}

/// A configuration that places this process elsewhere than replica and source: nobody here does it, and the command says so.
#[tokio::test]
async fn work_of_another_place_is_not_done_here() {
    let world = World::start().await;
    let output = entrepot(&world.data)
        .env("ENTREPOT__LOCATION__CLOUD", "aws")
        .env("ENTREPOT__LOCATION__REGION", "us-east-1")
        .arg("sync")
        .args(REPLICA)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("a process in azure:westeurope"), "{said}");
    assert!(said.contains("runs in aws:us-east-1"), "{said}");
}
