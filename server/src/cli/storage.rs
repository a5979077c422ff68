//! `entrepot storage`, `doctor` and `scan`: places for tables.

use std::io::Read as _;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::call::Act;
use super::show::{Show, cell};

#[derive(Debug, Subcommand)]
pub(super) enum Storage {
    /// All storages
    List,
    /// One storage
    Show { storage: String },
    /// Make a storage
    Create {
        name: String,
        #[arg(long)]
        cloud: String,
        #[arg(long)]
        region: String,
        /// s3://, abfss://, gs:// or file:///
        #[arg(long)]
        url: String,
        /// For stores that are not at their cloud's own address
        #[arg(long)]
        endpoint: Option<String>,
        /// Whether replicas may be made here
        #[arg(long)]
        replicas: bool,
        #[command(flatten)]
        credential: Credential,
    },
    /// Change a storage
    Update {
        storage: String,
        #[arg(long)]
        cloud: Option<String>,
        #[arg(long)]
        region: Option<String>,
        #[arg(long)]
        url: Option<String>,
        /// Empty: none
        #[arg(long)]
        endpoint: Option<String>,
        #[arg(long, value_name = "BOOL")]
        replicas: Option<bool>,
        #[command(flatten)]
        credential: Credential,
    },
}

/// Where the credential comes from. The secret itself is never an argument.
#[derive(Debug, Args)]
#[group(id = "credential_from", multiple = false)]
pub(super) struct Credential {
    /// The name of a variable of the server's environment, ENTREPOT_CREDENTIAL_…
    #[arg(long, value_name = "NAME")]
    credential_env: Option<String>,
    /// Read the credential, a JSON object, from standard input
    #[arg(long)]
    credential_stdin: bool,
}

impl Credential {
    fn read(&self) -> anyhow::Result<Option<Value>> {
        if let Some(name) = &self.credential_env {
            return Ok(Some(Value::String(format!("env:{name}"))));
        }
        if !self.credential_stdin {
            return Ok(None);
        }
        let mut text = String::new();
        std::io::stdin()
            .lock()
            .read_to_string(&mut text)
            .context("standard input cannot be read")?;
        match serde_json::from_str(&text) {
            Ok(value @ Value::Object(_)) => Ok(Some(value)),
            _ => bail!("standard input does not hold a JSON object"),
        }
    }
}

const STORAGE: Show = Show::Fields(&[
    ("Name", "/name"),
    ("Cloud", "/cloud"),
    ("Region", "/region"),
    ("Takes replicas", "/replicas"),
    ("Simulated", "/simulated"),
    ("URL", "/url"),
    ("Endpoint", "/endpoint"),
    ("Credential", "/credential"),
]);

impl Storage {
    pub(super) fn act(self) -> anyhow::Result<Act> {
        Ok(match self {
            Self::List => Act::list(&["storages"]).show(Show::Table(&[
                ("NAME", "/name"),
                ("CLOUD", "/cloud"),
                ("REGION", "/region"),
                ("REPLICAS", "/replicas"),
                ("SIMULATED", "/simulated"),
                ("URL", "/url"),
            ])),
            Self::Show { storage } => Act::get(&["storages", &storage]).show(STORAGE),
            Self::Create {
                name,
                cloud,
                region,
                url,
                endpoint,
                replicas,
                credential,
            } => Act::post(&["storages"])
                .body(json!({
                    "name": name,
                    "cloud": cloud,
                    "region": region,
                    "url": url,
                    "endpoint": endpoint,
                    "replicas": replicas,
                    "credential": credential.read()?,
                }))
                .show(STORAGE),
            Self::Update {
                storage,
                cloud,
                region,
                url,
                endpoint,
                replicas,
                credential,
            } => {
                let mut body = Map::new();
                let mut set = |key: &str, value: Option<Value>| {
                    body.extend(value.map(|value| (key.to_owned(), value)));
                };
                set("cloud", cloud.map(Value::from));
                set("region", region.map(Value::from));
                set("url", url.map(Value::from));
                set("endpoint", endpoint.map(Value::from));
                set("replicas", replicas.map(Value::from));
                set("credential", credential.read()?);
                if body.is_empty() {
                    bail!("say what to change; entrepot storage update --help lists it");
                }
                Act::patch(&["storages", &storage])
                    .body(body.into())
                    .show(STORAGE)
            }
        })
    }
}

/// What `entrepot doctor` takes.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    storage: String,
    /// Write a probe and delete it again; when absent: where replicas may be made
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    write: Option<bool>,
}

impl Doctor {
    pub(super) fn act(self) -> anyhow::Result<Act> {
        Ok(Act::post(&["storages", &self.storage, "doctor"])
            .body(json!({ "write": self.write }))
            .show(Show::words(report))
            .status(|report| {
                let checks = report["checks"].as_array().map_or(&[][..], Vec::as_slice);
                u8::from(checks.iter().any(|check| check["outcome"] == "failed"))
            }))
    }
}

fn report(report: &Value) -> String {
    let mut text = String::new();
    for check in report["checks"].as_array().into_iter().flatten() {
        let outcome = cell(check.get("outcome"));
        let name = cell(check.get("name"));
        text.push_str(&format!(
            "{outcome:8} {name}: {}\n",
            cell(check.get("sentence"))
        ));
    }
    text.push_str("\nThe least policy that would do:\n");
    text.push_str(report["least_policy"].as_str().unwrap_or("-"));
    text
}

/// What `entrepot scan` takes.
#[derive(Debug, Args)]
pub(super) struct Scan {
    storage: String,
    /// A folder of the storage; all of it when absent
    #[arg(default_value = "")]
    prefix: String,
    /// The team that will own the products
    #[arg(long)]
    team: Option<String>,
}

impl Scan {
    pub(super) fn act(self) -> anyhow::Result<Act> {
        Ok(Act::post(&["storages", &self.storage, "scan"])
            .body(json!({ "prefix": self.prefix, "team": self.team }))
            .show(Show::words(|found| {
                found["yaml"].as_str().unwrap_or("").to_owned()
            })))
    }
}
