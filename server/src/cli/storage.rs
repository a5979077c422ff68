//! `entrepot storage` and `scan`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::call::Act;
use super::columns::{at, facts, given, list};
use super::show::Show;

/// The most bytes that a file with a credential may have.
const CREDENTIAL_LIMIT: u64 = 64 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum Storage {
    /// All storages
    List,
    /// One storage
    Show { storage: String },
    /// Make a storage
    Create {
        name: String,
        /// aws, azure, gcp or onprem
        #[arg(long)]
        cloud: String,
        #[arg(long)]
        region: String,
        /// s3://bucket/prefix, abfss://container@account.dfs.core.windows.net/prefix, gs://bucket/prefix, file:///folder,
        /// share://host/path; a Delta Sharing profile says it itself
        #[arg(long, required_unless_present = "profile")]
        url: Option<String>,
        /// For stores that are not at their cloud's own address; must be on the allow-list of the configuration
        #[arg(long)]
        endpoint: Option<String>,
        #[command(flatten)]
        credential: Credential,
        /// Let replicas be made here
        #[arg(long)]
        replicas: bool,
    },
    /// Change a storage; what is not given stays
    Update {
        name: String,
        #[arg(long)]
        cloud: Option<String>,
        #[arg(long)]
        region: Option<String>,
        #[arg(long)]
        url: Option<String>,
        /// Empty takes it away
        #[arg(long)]
        endpoint: Option<String>,
        #[command(flatten)]
        credential: Credential,
        /// Whether replicas may be made here
        #[arg(long, value_name = "true|false")]
        replicas: Option<bool>,
        /// Only if this is still the revision
        #[arg(long)]
        revision: Option<i64>,
    },
}

/// Where the credential comes from. The secret itself is never an argument: other people of the machine can read those.
#[derive(Debug, Args)]
#[group(id = "credential_from", multiple = false)]
pub(super) struct Credential {
    /// Where the server finds it: env:ENTREPOT_CREDENTIAL_…
    #[arg(long, value_name = "env:NAME")]
    credential: Option<String>,
    /// A file that holds the secret as JSON, to be sealed; - is standard input
    #[arg(long, value_name = "FILE")]
    credential_file: Option<PathBuf>,
    /// The profile that a Delta Sharing provider gave, to be sealed; - is standard input. Its tables are then sources of replicas
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
}

impl Credential {
    pub(super) fn read(self) -> anyhow::Result<Option<Value>> {
        if let Some(reference) = self.credential {
            if !reference.starts_with("env:") {
                bail!(
                    "--credential takes env:NAME; give a secret with --credential-file, so that nobody reads it off the list of processes"
                );
            }
            return Ok(Some(Value::from(reference)));
        }
        let Some(path) = self.credential_file.or(self.profile) else {
            return Ok(None);
        };
        let mut text = String::new();
        if path == Path::new("-") {
            std::io::stdin()
                .take(CREDENTIAL_LIMIT)
                .read_to_string(&mut text)
                .context("standard input cannot be read")?;
        } else {
            std::fs::File::open(&path)
                .and_then(|file| file.take(CREDENTIAL_LIMIT).read_to_string(&mut text))
                .with_context(|| format!("{} cannot be read", path.display()))?;
        }
        Ok(Some(Value::from(text)))
    }
}

/// The storage that a profile opens.
fn url_of(profile: Option<&Value>) -> anyhow::Result<String> {
    let text = profile.and_then(Value::as_str).unwrap_or_default();
    let profile: Value = serde_json::from_str(text).context("the profile is not JSON")?;
    let endpoint = profile.get("endpoint").and_then(Value::as_str);
    let endpoint = endpoint.context("the profile names no endpoint")?;
    let endpoint = url::Url::parse(endpoint).context("the profile's endpoint is not an address")?;
    Ok(storage::StorageUrl::of_profile(&endpoint)?.to_string())
}

const STORAGE: Show = Show::Fields(&[
    ("Name", "/name"),
    ("Cloud", "/cloud"),
    ("Region", "/region"),
    ("URL", "/url"),
    ("Endpoint", "/endpoint"),
    ("Credential", "/credential"),
    ("Takes replicas", "/replicas"),
    ("Simulated", "/simulated"),
    ("Revision", "/revision"),
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
                credential,
                replicas,
            } => {
                let credential = credential.read()?;
                let url = match url {
                    Some(url) => url,
                    None => url_of(credential.as_ref())?,
                };
                Act::post(&["storages"])
                    .body(json!({
                        "name": name,
                        "cloud": cloud,
                        "region": region,
                        "url": url,
                        "endpoint": endpoint,
                        "credential": credential,
                        "replicas": replicas,
                    }))
                    .show(Show::said(format!(
                        "The storage {name} is made. Try it with: entrepot doctor {name}"
                    )))
            }
            Self::Update {
                name,
                cloud,
                region,
                url,
                endpoint,
                credential,
                replicas,
                revision,
            } => {
                let mut body = given([
                    ("cloud", cloud.map(Value::from)),
                    ("region", region.map(Value::from)),
                    ("url", url.map(Value::from)),
                    ("endpoint", endpoint.map(Value::from)),
                    ("credential", credential.read()?),
                    ("replicas", replicas.map(Value::from)),
                ]);
                if body.is_empty() {
                    bail!("say what to change; entrepot storage update --help lists it");
                }
                body.extend(given([("revision", revision.map(Value::from))]));
                Act::patch(&["storages", &name])
                    .body(body.into())
                    .show(STORAGE)
            }
        })
    }
}

#[derive(Debug, Args)]
pub(super) struct Scan {
    storage: String,
    /// A folder of the storage; all of it when absent
    #[arg(default_value = "")]
    prefix: String,
    /// The team that will own the products; can be left out by whoever produces for one team and no other
    #[arg(long)]
    team: Option<String>,
}

impl Scan {
    pub(super) fn act(self) -> Act {
        let mut body = given([("team", self.team.map(Value::from))]);
        body.insert("prefix".to_owned(), Value::from(self.prefix));
        Act::post(&["storages", &self.storage, "scan"])
            .body(body.into())
            .show(Show::words(|found| {
                found["yaml"].as_str().unwrap_or("").to_owned()
            }))
    }
}

/// What an inspection of a table found; of `product inspect`.
pub(super) fn inspection(found: &Value) -> String {
    use super::columns::{bytes, time};
    let mut text = facts(
        &[
            ("Version", |t| at(t, "/version")),
            ("Committed", |t| time(t, "/committed_at")),
            ("Rows", |t| at(t, "/rows")),
            ("Files", |t| at(t, "/files")),
            ("Size", |t| bytes(t, "/bytes")),
            ("Partitioned by", |t| at(t, "/partition_columns")),
            ("Features", |t| at(t, "/features")),
            ("Not shared because of", |t| at(t, "/refused_for")),
            ("Not cloned because of", |t| at(t, "/clone_refused_for")),
        ],
        found,
    );
    text.push('\n');
    text.push_str(&columns_of(found));
    text.push_str(&alike(found));
    text
}

/// The same tables under other names.
pub(super) fn alike(found: &Value) -> String {
    let mut text = String::new();
    for alike in list(found, "alike") {
        text.push_str(&format!("\nNote: {}\n", at(alike, "/sentence")));
    }
    text
}

/// A table's columns.
pub(super) fn columns_of(table: &Value) -> String {
    super::columns::rows(
        &[
            ("COLUMN", |c| at(c, "/name")),
            ("TYPE", |c| at(c, "/type_text")),
            ("NULLABLE", |c| at(c, "/nullable")),
            ("COMMENT", |c| at(c, "/comment")),
        ],
        list(table, "columns"),
    )
}
