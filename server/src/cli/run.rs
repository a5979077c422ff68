//! `entrepot serve`, `worker` and `migrate`: what is a process of its own rather than a call.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use clap::Args;
use exchange::Principal;
use exchange::db::Db;
use exchange::storages::Resealed;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Globals, show};
use crate::adapters::reads;
use crate::config::{CopyEngine, PublicUrl, Settings};
use crate::node::{Node, Use};
use crate::oidc::Oidc;
use crate::workers::handlers::Lakehand;
use crate::workers::sync::Engine;
use crate::workers::{self, Worker};
use crate::{folder, listen, metrics, router, site, telemetry};

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Address and port to listen on
    #[arg(long)]
    addr: Option<SocketAddr>,
    /// The folder with the browser bundle
    #[arg(long, value_name = "DIR")]
    site: Option<PathBuf>,
    /// Leave the work to `entrepot worker` processes
    #[arg(long)]
    no_worker: bool,
}

#[derive(Debug, Args)]
pub(super) struct Work {
    /// How much is done at a time
    #[arg(long)]
    parallel: Option<usize>,
}

#[derive(Debug, Args)]
pub(super) struct Migrate {
    /// Instead seal every stored credential anew with the newest key; may run beside servers, and again. Exit status 1 when
    /// something could not be opened
    #[arg(long)]
    reseal: bool,
}

impl Serve {
    /// As by `serve --addr`.
    pub(super) fn at(addr: Option<SocketAddr>) -> Self {
        Self {
            addr,
            site: None,
            no_worker: false,
        }
    }
}

pub(super) async fn serve(globals: &Globals, serve: Serve) -> anyhow::Result<ExitCode> {
    let mut flags = globals.flags();
    flags.addr = serve.addr;
    flags.site = serve.site;
    let settings = globals.settings(&flags)?;
    telemetry::init(&settings.telemetry)?;
    let stop = stopping()?;
    // The listener comes first: with port 0 only it knows the public address.
    let listener = listen::bind(settings.addr)
        .with_context(|| format!("{} cannot be listened on", settings.addr))?;
    let addr = listener.local_addr()?;
    let public_url = settings
        .public_url
        .clone()
        .unwrap_or_else(|| PublicUrl::of_address(addr));
    let node = Node::open_as(settings, Use::Serve, public_url).await?;
    folder::note_served(&node.settings.data, node.public_url.as_str())?;
    say_where(&node);
    let mut running = JoinSet::new();
    if let Some(metrics_addr) = node.settings.metrics_addr
        && let Some(handle) = metrics::install()
    {
        let listener = listen::bind(metrics_addr)
            .with_context(|| format!("{metrics_addr} cannot be listened on"))?;
        let shown = metrics::router(handle);
        running.spawn(listen::serve(listener, shown, 64, stop.clone()));
    }
    if !serve.no_worker {
        running.spawn(worker(&node, None).run(stop.clone()));
    }
    if node.exchange().db().is_migrated().await? && !node.exchange().has_people().await? {
        tracing::info!(
            "nobody can sign in yet; make the first account: entrepot user create NAME --role admin --generate"
        );
    }
    let router = routes(&node)?;
    let served = format!("http://{addr}");
    let said = if globals.json {
        serde_json::json!({ "serving": served }).to_string()
    } else {
        format!("Entrepôt serves {served}")
    };
    let _ = writeln!(std::io::stdout(), "{said}");
    tracing::info!(%addr, public_url = node.public_url.as_str(), "serving");
    listen::serve(listener, router, node.settings.connections, stop.clone()).await;
    // The listener also ends when it breaks; then everything ends.
    stop.cancel();
    while running.join_next().await.is_some() {}
    node.connected.written().await;
    node.exchange().db().close_alone().await;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn work(globals: &Globals, work: Work) -> anyhow::Result<ExitCode> {
    let settings = globals.settings(&globals.flags())?;
    telemetry::init(&settings.telemetry)?;
    let stop = stopping()?;
    let node = Node::open(settings, Use::Serve).await?;
    say_where(&node);
    tracing::info!("working");
    worker(&node, work.parallel).run(stop).await;
    node.connected.written().await;
    node.exchange().db().close_alone().await;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn migrate(globals: &Globals, migrate: Migrate) -> anyhow::Result<ExitCode> {
    let settings = Settings::load(&globals.flags())?;
    if migrate.reseal {
        return reseal(globals, settings).await;
    }
    folder::create(&settings.data)?;
    let _lock = match settings.database_file() {
        None => None,
        Some(file) => {
            let wait = || {
                let _ = writeln!(std::io::stderr(), "waiting: the data folder is in use");
            };
            let lock = folder::lock_within(&settings.data, folder::PATIENCE, wait).await?;
            folder::close_database(file)?;
            Some(lock)
        }
    };
    let db = Db::open_with(&settings.database_url, settings.database_connections)
        .await
        .context("the database cannot be opened")?;
    db.migrate().await.context("the migrations failed")?;
    db.close().await;
    let text = if globals.json {
        "{\n  \"migrated\": true\n}"
    } else {
        "The database is at this version."
    };
    let _ = writeln!(std::io::stdout(), "{text}");
    Ok(ExitCode::SUCCESS)
}

async fn reseal(globals: &Globals, settings: Settings) -> anyhow::Result<ExitCode> {
    let node = Node::open(settings, Use::Command).await?;
    let exchange = node.exchange();
    let done = exchange.credentials_reseal(&Principal::operator()).await?;
    exchange.db().close().await;
    let text = if globals.json {
        show::json(&serde_json::to_value(&done)?)
    } else {
        resealed(&done)
    };
    let _ = write!(std::io::stdout(), "{text}");
    Ok(ExitCode::from(u8::from(!done.left.is_empty())))
}

fn resealed(done: &Resealed) -> String {
    let key = &done.key;
    let mut text = format!(
        "Sealed anew with the key {key}: {}. Sealed with it before: {}.\n",
        done.resealed, done.already
    );
    if done.left.is_empty() {
        text.push_str("Nothing needs another key: the other lines may leave the key file.\n");
        return text;
    }
    text.push_str("Left as they are, for they could not be opened; their keys have to stay:\n");
    for left in &done.left {
        text.push_str(&format!(
            "  {}, key {}: {}\n",
            left.what, left.key, left.why
        ));
    }
    text
}

/// What this process reads for itself is counted from its own place on; without one that has to be known.
fn say_where(node: &Node) {
    match &node.settings.location {
        Some(location) => tracing::info!(%location, "what is read from elsewhere crosses to here"),
        None => tracing::info!("{}", reads::UNKNOWN),
    }
}

/// Cancelled by SIGTERM or Ctrl-C.
fn stopping() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let signal = listen::on_signal()?;
    let told = stop.clone();
    tokio::spawn(async move {
        signal.await;
        told.cancel();
    });
    Ok(stop)
}

/// All routes of this process.
pub(crate) fn routes(node: &Node) -> anyhow::Result<Router> {
    let per_second = node.settings.sharing.requests_per_second;
    routes_with(node, node.connected.machines_within(per_second))
}

/// The same with other routes of the protocol and the gateway.
pub(super) fn routes_with(node: &Node, machines: Router) -> anyhow::Result<Router> {
    let settings = node.settings.oidc.clone();
    let oidc = settings.map(|oidc| Oidc::new(oidc, node.exchange().clone(), &node.public_url));
    let oidc = oidc.transpose().context("no HTTP client can be made")?;
    Ok(router::build(router::Parts {
        exchange: node.exchange().clone(),
        public_url: node.public_url.clone(),
        trusted_proxies: Arc::from(node.settings.trusted_proxies.as_slice()),
        requests_per_second: node.settings.requests_per_second,
        sign_ins_per_minute: node.settings.sign_ins_per_minute,
        oidc: oidc.map(Arc::new),
        scanning: node.settings.scanning.clone(),
        portal: site::portal(node.exchange().clone(), &node.settings.site),
        machines,
    }))
}

/// The worker of this process.
pub(super) fn worker(node: &Node, parallel: Option<usize>) -> Worker {
    let mut ticks = workers::housekeeping(node.exchange());
    ticks.extend(workers::handlers::ticks(node.exchange()));
    Worker {
        exchange: node.exchange().clone(),
        owner: workers::owner(),
        location: node.settings.location.clone(),
        handlers: workers::handlers::handlers(Arc::new(hand(node))),
        ticks,
        parallel: parallel.unwrap_or(node.settings.worker.parallel).max(1),
        poll: node.settings.worker.poll,
    }
}

/// What this process's workers work with.
pub(crate) fn hand(node: &Node) -> Lakehand {
    Lakehand {
        exchange: node.exchange().clone(),
        lake: node.connected.lake.clone(),
        reads: node.connected.reads.clone(),
        engine: engine(&node.settings),
        folder: node.settings.data.clone(),
    }
}

/// A child of the same binary on the same data and configuration, where the settings ask for one.
fn engine(settings: &Settings) -> Engine {
    match (settings.worker.engine, std::env::current_exe()) {
        (CopyEngine::Process, Ok(program)) => {
            let mut command = vec![program.into_os_string(), "copy".into(), "--data".into()];
            command.push(settings.data.clone().into_os_string());
            if let Some(file) = &settings.file {
                command.extend(["--config".into(), file.clone().into_os_string()]);
            }
            Engine::Process { command }
        }
        _ => Engine::Local,
    }
}
