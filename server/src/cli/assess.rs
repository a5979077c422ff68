//! `entrepot assess`: what moving the tables under a URL costs today, and what clones of them would have cost. Needs no
//! installation: the logs are read by this process, with a credential that can only read.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use exchange::ports::StorageAccess;
use model::dto::{AssessedWay, Assessment, AssessmentNew, AssessmentState, Rate};
use model::{Clock as _, Cloud, Location, Purpose, StorageId, Timestamp};
use secrecy::SecretString;
use serde_json::{Value, json};
use storage::{Cause, Meter, MeterKey};
use url::Url;

use super::call::Act;
use super::save::Save;
use super::storage::Credential;
use super::{Globals, columns, show};
use crate::adapters::assess::{self, Asked};
use crate::adapters::clock::SystemClock;
use crate::adapters::stores::Lake;
use crate::config::Settings;

/// The most bytes that a list of flows may have.
const FLOWS_LIMIT: u64 = 1 << 20;
/// How often a server is asked how far it is.
const POLL: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct Assess {
    /// s3://bucket/prefix, abfss://container@account.dfs.core.windows.net/prefix, gs://bucket/prefix, file:///folder; or
    /// storage:NAME/PREFIX for a registered storage
    #[arg(required_unless_present_any = ["list", "show", "cancel"])]
    url: Option<String>,
    #[command(flatten)]
    kept: Kept,
    /// Where the tables lie: aws:eu-central-1; may be left out for file:
    #[arg(long, value_name = "CLOUD:REGION")]
    location: Option<String>,
    /// For stores that are not at their cloud's own address
    #[arg(long)]
    endpoint: Option<String>,
    #[command(flatten)]
    credential: Credential,
    /// Today's flows as CSV with the columns table, kind, consumers, from, to; kinds are weekly full load, daily full load,
    /// direct reads, FTP
    #[arg(long, value_name = "FILE")]
    flows: Option<PathBuf>,
    /// Without --flows: where one consumer of each table is
    #[arg(long, value_name = "CLOUD:REGION")]
    to: Option<String>,
    /// How far to look back
    #[arg(long, default_value_t = 28)]
    days: u32,
    /// From sync to sync: 12h, 1d, 2d
    #[arg(long, default_value = "1d")]
    every: String,
    /// Also write a declaration of the tables and of clones of them
    #[arg(long, value_name = "FILE")]
    yml: Option<PathBuf>,
}

/// What is kept of assessments of registered storages.
#[derive(Debug, Args)]
#[group(multiple = false)]
struct Kept {
    /// The last assessments of registered storages, and how far they are
    #[arg(long, conflicts_with = "url")]
    list: bool,
    /// What came of one of them
    #[arg(long, value_name = "ID", conflicts_with = "url")]
    show: Option<String>,
    /// Ends the one that runs
    #[arg(long, value_name = "ID", conflicts_with = "url")]
    cancel: Option<String>,
}

pub(super) async fn assess(globals: &Globals, command: Assess) -> anyhow::Result<ExitCode> {
    let Some(url) = command.url else {
        return kept(globals, &command.kept).await;
    };
    let flows = command.flows.as_deref().map(read_flows).transpose()?;
    let new = AssessmentNew {
        storage: String::new(),
        prefix: String::new(),
        days: Some(command.days),
        every: Some(command.every),
        to: command.to,
        flows,
    };
    let file = command.yml.map(|path| Save {
        path,
        text: |answer| answer["yaml"].as_str().unwrap_or_default().to_owned(),
    });
    // The file comes first: minutes of reading must not be lost for want of a place.
    let saving = file.as_ref().map(Save::begin).transpose()?;
    let found = match url.strip_prefix("storage:") {
        Some(named) => registered(globals, new, named).await?,
        None => {
            by_url(
                globals,
                new,
                url,
                command.location,
                command.endpoint,
                command.credential,
            )
            .await?
        }
    };
    let mut text = if globals.json {
        show::json(&serde_json::to_value(&found)?)
    } else {
        told(&found)
    };
    if let Some(saving) = saving {
        let path = saving.end(&json!({ "yaml": found.yaml }))?;
        if !globals.json {
            let _ = writeln!(text, "\nSaved in {path}.");
        }
    }
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
    Ok(ExitCode::SUCCESS)
}

/// What is kept of assessments on the server, or in the data folder.
async fn kept(globals: &Globals, kept: &Kept) -> anyhow::Result<ExitCode> {
    let client = globals.client().await?;
    let (call, is_list) = match kept {
        Kept { list: true, .. } => (Act::list(&["assessments"]).call, true),
        Kept { show: Some(id), .. } => (Act::get(&["assessments", id]).call, false),
        Kept {
            cancel: Some(id), ..
        } => (Act::post(&["assessments", id, "cancel"]).call, false),
        Kept { .. } => bail!("say what to assess: a URL, or storage:NAME/PREFIX"),
    };
    let answer = client.perform(&call).await?;
    let text = if globals.json {
        show::json(&answer)
    } else if is_list {
        let mut rows = vec![
            ["ID", "PLACE", "BEGUN", "STATE"]
                .map(str::to_owned)
                .to_vec(),
        ];
        for item in columns::items(&answer) {
            let state: AssessmentState = serde_json::from_value(item.clone())?;
            rows.push(vec![
                state.id.map(|id| id.to_string()).unwrap_or_default(),
                state.place.clone().unwrap_or_default(),
                state
                    .started_at
                    .map(|at| at.to_string())
                    .unwrap_or_default(),
                progress(&state),
            ]);
        }
        show::grid(&rows)
    } else {
        let state: AssessmentState = serde_json::from_value(answer)?;
        match &state.found {
            Some(found) => told(found),
            None => format!("{}\n", progress(&state)),
        }
    };
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
    Ok(ExitCode::SUCCESS)
}

/// How far one is, in a few words.
fn progress(state: &AssessmentState) -> String {
    match (state.running, state.tables, &state.problem) {
        (true, Some(tables), _) => format!("{} of {tables} tables read", state.tables_done),
        (true, None, _) => "looking for tables".to_owned(),
        (false, _, Some(problem)) => problem.clone(),
        (false, _, None) if state.cancelled => "ended before it was done".to_owned(),
        (false, _, None) => "done".to_owned(),
    }
}

/// A storage that is registered, assessed where it is: by the server, or on the data folder.
async fn registered(
    globals: &Globals,
    mut new: AssessmentNew,
    named: &str,
) -> anyhow::Result<Assessment> {
    let (storage, prefix) = named.split_once('/').unwrap_or((named, ""));
    let prefix = prefix.trim_matches('/');
    (new.storage, new.prefix) = (storage.to_owned(), prefix.to_owned());
    let client = globals.client().await?;
    let body = serde_json::to_value(&new)?;
    let begun = Act::post(&["assessment"]).body(body).call;
    let mut state: AssessmentState = serde_json::from_value(client.perform(&begun).await?)?;
    let place = state.place.clone().unwrap_or_default();
    let id = state.id.map(|id| id.to_string()).unwrap_or_default();
    if place != format!("{storage}/{prefix}") {
        bail!(
            "{place} is being assessed; begin again once that is done, or end it with entrepot assess --cancel {id}"
        );
    }
    while state.running {
        tokio::time::sleep(POLL).await;
        let look = Act::get(&["assessments", &id]).call;
        let seen: AssessmentState = serde_json::from_value(client.perform(&look).await?)?;
        if !globals.json && (seen.tables_done, seen.tables) != (state.tables_done, state.tables) {
            let _ = writeln!(std::io::stderr(), "{}", progress(&seen));
        }
        state = seen;
    }
    match (state.problem, state.found) {
        (Some(problem), _) => bail!("{problem}"),
        (None, Some(found)) => Ok(found),
        (None, None) => bail!("somebody ended it before it was done; begin again"),
    }
}

/// A place that nobody has registered, read by this process.
async fn by_url(
    globals: &Globals,
    new: AssessmentNew,
    place: String,
    lies_at: Option<String>,
    endpoint: Option<String>,
    credential: Credential,
) -> anyhow::Result<Assessment> {
    let asked = Asked::of(&new)?;
    let access = StorageAccess {
        id: StorageId::new(Timestamp::from_micros(0)),
        name: "assessed".parse()?,
        location: location(lies_at.as_deref(), &place)?,
        url: place.trim_end_matches('/').to_owned(),
        endpoint,
        credential: secret(credential.read()?)?,
        replicas: false,
    };
    let settings = Settings::load(&globals.flags())?;
    let mut storage = settings.storage.clone();
    // Whoever runs this says where to look, with this machine's own rights and no others.
    if let Ok(url) = Url::parse(&access.url)
        && url.scheme() == "file"
        && let Ok(folder) = url.to_file_path()
    {
        let root = folder.parent().unwrap_or(&folder).to_owned();
        storage.file_roots.push(root);
    }
    if let Some(endpoint) = access
        .endpoint
        .as_deref()
        .and_then(|text| Url::parse(text).ok())
    {
        let host = endpoint.host_str().unwrap_or_default();
        let port = endpoint.port_or_known_default();
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        storage.endpoints.push(format!("{host}{port}"));
    }
    // As many as are read at a time; nobody else is served by this process.
    storage.parallel_requests = storage.parallel_requests.max(64);
    let lake = Lake::of(&storage);
    let meter = Meter::new(MeterKey {
        product: None,
        table: None,
        cause: Cause::Operation("assess"),
        purpose: Purpose::Inspect,
    });
    let rates = rates(globals, settings).await?;
    let progress = Arc::default();
    let now = SystemClock.now();
    let found = assess::assess(&lake, &access, asked, &rates, now, &meter, &progress).await?;
    Ok(found)
}

fn read_flows(path: &Path) -> anyhow::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FLOWS_LIMIT + 1).read_to_string(&mut text))
        .with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(text)
}

/// Where the tables lie; a folder of this machine lies here.
fn location(given: Option<&str>, url: &str) -> anyhow::Result<Location> {
    match given {
        Some(text) => text.parse::<Location>().context("--location"),
        None if url.starts_with("file:") => Ok(Location::new(Cloud::Onprem, "here")?),
        None => bail!("say where the tables lie with --location, for example aws:eu-central-1"),
    }
}

/// What `--credential` or `--credential-file` comes to. Of the environment only what is meant for this is read.
fn secret(given: Option<Value>) -> anyhow::Result<Option<SecretString>> {
    let Some(given) = given else { return Ok(None) };
    let text = given.as_str().unwrap_or_default();
    let Some(name) = text.strip_prefix("env:") else {
        return Ok(Some(text.to_owned().into()));
    };
    if !name.starts_with("ENTREPOT_CREDENTIAL_") {
        bail!("the variable's name has to begin with ENTREPOT_CREDENTIAL_");
    }
    match std::env::var(name) {
        Ok(secret) => Ok(Some(secret.into())),
        Err(_) => bail!("there is no variable {name} in the environment"),
    }
}

/// The rates at hand: the server's, or the data folder's where there is one. Elsewhere bytes have no price.
async fn rates(globals: &Globals, settings: Settings) -> anyhow::Result<Vec<Rate>> {
    let is_there = settings.database_file().is_none_or(|file| file.exists());
    if globals.server.is_none() && !is_there {
        return Ok(Vec::new());
    }
    let client = globals.client().await?;
    let answer = client.perform(&Act::list(&["rates"]).call).await?;
    let rates = columns::items(&answer).iter().cloned();
    let rates: Result<Vec<Rate>, _> = rates.map(serde_json::from_value).collect();
    rates.context("the rates cannot be read")
}

fn told(found: &Assessment) -> String {
    let mut text = format!(
        "{} in {}, {} days up to {}, a sync every {} hours\n\n",
        found.place, found.location, found.days, found.at, found.every_hours
    );
    let mut rows = vec![
        ["WAY", "BYTES", "FIRST COPY", "MONEY", ""]
            .map(str::to_owned)
            .to_vec(),
    ];
    rows.extend(found.totals.iter().map(row));
    text.push_str(&show::grid(&rows));
    let mut rows = vec![
        [
            "TABLE",
            "SINCE",
            "COMMITS",
            "SIZE",
            "TODAY",
            "CLONE",
            "WITH FEED",
            "SKIPPING",
            "BOTH",
            "",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for table in &found.tables {
        let way = |at: usize| {
            let bytes = table.ways.get(at).and_then(|way| way.bytes);
            bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string())
        };
        let said = table.problem.as_ref().or(table.short.as_ref());
        let number =
            |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        rows.push(vec![
            shown(&table.path),
            table.since.map(|at| at.to_string()).unwrap_or_default(),
            table.commits.to_string(),
            number(table.bytes),
            way(0),
            way(2),
            way(3),
            way(4),
            way(5),
            said.cloned().unwrap_or_default(),
        ]);
    }
    let _ = write!(text, "\n{}", show::grid(&rows));
    for folder in &found.others {
        let _ = writeln!(
            text,
            "\n{} ({}): {}",
            shown(&folder.path),
            folder.format,
            folder.possible
        );
    }
    for sentence in found.left_out.iter().chain(&found.assumptions) {
        let _ = write!(text, "\n- {sentence}");
    }
    text.push('\n');
    text
}

fn shown(path: &str) -> String {
    if path.is_empty() {
        ".".to_owned()
    } else {
        delta::shown(path)
    }
}

fn row(way: &AssessedWay) -> Vec<String> {
    let number =
        |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    let money: Vec<String> = way
        .money
        .iter()
        .map(|money| format!("{} {}", money.amount, money.currency))
        .collect();
    let mut said: Vec<String> = way.note.iter().cloned().collect();
    if way.unpriced > 0 {
        said.push(format!("{} bytes have no rate.", way.unpriced));
    }
    vec![
        way.kind.as_str().to_owned(),
        number(way.bytes),
        number(way.first_copy),
        money.join(", "),
        said.join(" "),
    ]
}
