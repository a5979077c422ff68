//! An installation as an operator makes it: a data folder, a configuration, servers in processes of their own, at wall time.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use exchange::db::Db;
use serde_json::Value;
use server::adapters::keyring::FileKeyRing;
use tempfile::TempDir;

use crate::cli::{Served, done, entrepot, json};
use crate::support::PASSWORD;

static COUNT: AtomicU32 = AtomicU32::new(0);

pub(super) const SHARE: &str = "vehicle-visits";
/// Where the protocol's requests for the table go.
pub(super) const TABLE: &str = "/delta-sharing/shares/vehicle-visits/schemas/default/tables/visits";
/// Bytes of each of the table's files.
const FILE_BYTES: usize = 100;

/// What the servers know of the world. Recipients come apart.
const DECLARATION: &str = r#"
domains: { vehicle: { title: Vehicle } }
teams:
  aftersales: { domain: vehicle, title: After-Sales, cost_center: "1" }
  rnd: { domain: vehicle, title: Research, cost_center: "2" }
storages:
  aws_eu: { cloud: aws, region: eu-central-1, url: "file://LAKE" }
products:
  vehicle-visits:
    title: Visits
    team: aftersales
    storage: aws_eu
    classification: internal
    access: { policy: auto }
    tables: [{ name: visits, schema: default, path: visits, format: delta }]
"#;

pub(super) struct Installation {
    pub(super) folder: TempDir,
    /// `postgres://…`; None: SQLite in the data folder.
    database: Option<String>,
}

impl Installation {
    pub(super) fn on_sqlite() -> Self {
        Self::with(None)
    }

    /// On an empty database of its own, migrated. `None` in a quick run without PostgreSQL.
    pub(super) async fn on_postgres() -> Option<Self> {
        let made = Self::with(Some(new_database("controls").await?));
        done(&made.data("one"), &["migrate"]);
        Some(made)
    }

    /// On a database that is there.
    pub(super) fn on_database(address: String) -> Self {
        Self::with(Some(address))
    }

    fn with(database: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        FileKeyRing::open(&folder.path().join("keys"), true).unwrap();
        Self { folder, database }
    }

    pub(super) fn lake(&self) -> PathBuf {
        let lake = self.folder.path().join("lake");
        std::fs::create_dir_all(&lake).unwrap();
        lake.canonicalize().unwrap()
    }

    /// A folder that may hold replicas, apart from the lake.
    pub(super) fn clones(&self) -> PathBuf {
        let clones = self.folder.path().join("clones");
        std::fs::create_dir_all(&clones).unwrap();
        clones.canonicalize().unwrap()
    }

    /// A data folder with its configuration.
    pub(super) fn data(&self, name: &str) -> PathBuf {
        let data = self.folder.path().join(name);
        std::fs::create_dir_all(&data).unwrap();
        let database = self
            .database
            .as_ref()
            .map_or_else(String::new, |url| format!("[database]\nurl = \"{url}\"\n"));
        let text = format!(
            "{database}[keys]\nfile = \"{}\"\n[storage]\nfile_roots = [\"{}\", \"{}\"]\n",
            self.folder.path().join("keys").display(),
            self.lake().display(),
            self.clones().display()
        );
        std::fs::write(data.join("entrepot.toml"), text).unwrap();
        data
    }

    /// Makes the table of so many files, the product, its readers with a live grant each. Answers their tokens.
    pub(super) fn share(&self, data: &Path, files: usize, readers: &[&str]) -> Vec<String> {
        write_table(&self.lake().join("visits"), files);
        let lake = self.lake().display().to_string();
        let mut text = DECLARATION.replace("LAKE", &lake);
        let (mut recipients, mut grants) = (String::new(), String::new());
        for (at, reader) in readers.iter().enumerate() {
            recipients +=
                &format!("  {reader}: {{ team: rnd, cloud: azure, region: region{at} }}\n");
            grants += &format!(
                "  of_{reader}: {{ product: {SHARE}, recipient: {reader}, mode: live, until: {}, purpose: {{ code: x, text: to see }} }}\n",
                in_a_month()
            );
        }
        text += &format!("recipients:\n{recipients}grants:\n{grants}");
        let file = self.folder.path().join("entrepot.yml");
        std::fs::write(&file, text).unwrap();
        done(data, &["deploy", &file.display().to_string()]);
        readers
            .iter()
            .map(|reader| {
                let profile = json(data, &["recipient", "profile", reader]);
                profile["bearerToken"].as_str().unwrap().to_owned()
            })
            .collect()
    }

    /// An account with [`PASSWORD`], and a service token of it.
    pub(super) fn person(&self, data: &Path, name: &str, role: Option<&str>) -> String {
        let mut arguments = vec!["user", "create", name, "--password-stdin"];
        if let Some(role) = role {
            arguments.extend(["--role", role]);
        }
        let mut child = entrepot(data)
            .args(arguments)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        use std::io::Write as _;
        let mut input = child.stdin.take().unwrap();
        input.write_all(format!("{PASSWORD}\n").as_bytes()).unwrap();
        drop(input);
        assert!(child.wait().unwrap().success());
        let made = json(data, &["token", "create", "test", "--person", name]);
        made["token"].as_str().unwrap().to_owned()
    }
}

/// The address of a new and empty database. `None` in a quick run without PostgreSQL.
pub(super) async fn new_database(prefix: &str) -> Option<String> {
    let server = crate::support::environment::wanted("TEST_POSTGRES_URL")?;
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{prefix}_{}_{count}", std::process::id());
    let db = Db::create_postgres(&server, &name).await.unwrap();
    db.close().await;
    let (base, _) = server.rsplit_once('/').unwrap();
    Some(format!("{base}/{name}"))
}

/// A Delta table of one commit, by hand: a query reads its log only, and the gateway hands out whatever bytes there are.
fn write_table(folder: &Path, files: usize) {
    let log = folder.join("_delta_log");
    std::fs::create_dir_all(&log).unwrap();
    let schema = r#"{\"type\":\"struct\",\"fields\":[{\"name\":\"n\",\"type\":\"long\",\"nullable\":true,\"metadata\":{}}]}"#;
    let mut commit = format!(
        "{{\"protocol\":{{\"minReaderVersion\":1,\"minWriterVersion\":2}}}}\n\
         {{\"metaData\":{{\"id\":\"5fba94ed\",\"format\":{{\"provider\":\"parquet\",\"options\":{{}}}},\"schemaString\":\"{schema}\",\
         \"partitionColumns\":[],\"configuration\":{{}},\"createdTime\":1}}}}\n"
    );
    for n in 0..files {
        commit += &format!(
            "{{\"add\":{{\"path\":\"part-{n:06}.parquet\",\"partitionValues\":{{}},\"size\":{FILE_BYTES},\"modificationTime\":1,\
             \"dataChange\":true,\"stats\":\"{{\\\"numRecords\\\":1,\\\"minValues\\\":{{\\\"n\\\":{n}}},\\\"maxValues\\\":{{\\\"n\\\":{n}}}}}\"}}}}\n"
        );
    }
    std::fs::write(log.join(format!("{:020}.json", 0)), commit).unwrap();
    std::fs::write(folder.join("part-000000.parquet"), [b'x'; FILE_BYTES]).unwrap();
}

#[expect(
    clippy::disallowed_methods,
    reason = "servers in processes of their own are at wall time"
)]
pub(super) fn in_a_month() -> String {
    let day = chrono::Utc::now() + chrono::Days::new(30);
    day.format("%Y-%m-%d").to_string()
}

/// A client of HTTP for servers on loopback.
pub(super) fn client() -> reqwest::Client {
    crate::support::environment::install_crypto();
    storage::trusting_the_system(reqwest::Client::builder())
        .no_proxy()
        .build()
        .unwrap()
}

pub(super) async fn query(
    http: &reqwest::Client,
    served: &Served,
    token: &str,
) -> reqwest::Response {
    http.post(format!("{}{TABLE}/query", served.address))
        .bearer_auth(token)
        .json(&serde_json::json!({}))
        .send()
        .await
        .unwrap()
}

/// The URLs of the files that a query answered with.
pub(super) fn urls(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter_map(|line| Some(line["file"]["url"].as_str()?.to_owned()))
        .collect()
}

/// Runs a program that comes with PostgreSQL.
pub(super) fn postgres_program(name: &str) -> Command {
    let mut places: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .map(|version| version.unwrap().path().join("bin").join(name))
        .filter(|path| path.is_file())
        .collect();
    places.sort();
    places
        .pop()
        .map_or_else(|| Command::new(name), Command::new)
}
