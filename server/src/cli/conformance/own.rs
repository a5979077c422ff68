//! Our own server with the suite's tables: a folder that is gone afterwards, the routes that `serve` has, a recipient. One table
//! lies in a store that lends its folders, one in a store that goes away.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ::conformance::fixture::{self, Table};
use ::conformance::{Advance, Hints, Profile, Report, Target};
use anyhow::{Context as _, anyhow};
use delta::Budgets;
use exchange::{Exchange, Principal};
use model::dto::{
    CredentialNew, DeploymentNew, GrantScopeNew, ProfileNew, PurposeNew, RequestNew, StorageNew,
};
use model::time::DAY;
use model::{Clock, Timestamp};
use object_store::local::LocalFileSystem;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::broken::{self, BrokenGate};
use super::bucket;
use crate::adapters::clock::SystemClock;
use crate::cli::run;
use crate::config::{Flags, PublicUrl, Settings};
use crate::node::{Node, Use};
use crate::{folder, listen};

pub(super) type Done = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// The recipient, one whose token is over by the time that it is checked, and one that may be used from somewhere else alone: an
/// address that is nobody's (RFC 5737).
const RECIPIENT: &str = "checker";
const LATE_RECIPIENT: &str = "yesterday";
const FAR_RECIPIENT: &str = "elsewhere";
const FAR_ADDRESS: &str = "192.0.2.1";
/// A suite is no crowd, but it hurries.
const REQUESTS_PER_SECOND: u32 = 10_000;
/// The table whose first versions log cleanup has taken, and the earliest that is left.
const CLEANED: &str = "conformance-cleaned";
const EARLIEST: u64 = 2;
/// The storage that the tables lie in, and the one for those whose folders are lent.
const CHECKED: &str = "checked";
const LENT: &str = "lent";
/// A store that is asked by one server needs no more connections.
const STORE_CONNECTIONS: usize = 256;

/// A folder that goes with its owner.
struct Temporary(PathBuf);

impl Temporary {
    fn create() -> anyhow::Result<Self> {
        let name = format!(
            "entrepot-conformance-{}",
            exchange::secret::random_text(12)?
        );
        let path = std::env::temp_dir().join(name);
        folder::create(&path)?;
        let path = path.canonicalize()?;
        Ok(Self(path))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // What is left is the system's to tidy up: it lies where such things do.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The system's clock, behind it by as much as is said: what is over today must have begun before.
struct Behind(AtomicI64);

impl Clock for Behind {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(-self.0.load(Ordering::SeqCst))
    }
}

/// Checks our own server.
pub(super) async fn check(cases: &[String]) -> anyhow::Result<Report> {
    let folder = Temporary::create()?;
    let world = World {
        tables: tables(),
        root: folder.0.join("tables"),
        store: folder.0.join("store"),
    };
    world.write().await?;

    let (store, store_address) = listen_here().await?;
    let (listener, address) = listen_here().await?;
    let mut settings = settings(&folder.0.join("data"), &folder.0, address)?;
    settings.storage.endpoints = vec![store_address.to_string()];
    let clock = Arc::new(Behind(AtomicI64::new(2 * DAY)));
    let public_url = PublicUrl::of_address(address);
    let node = Node::open_at(settings, Use::Serve, public_url, clock.clone()).await?;

    let stop = CancellationToken::new();
    let bucket = bucket::routes(&world.store)?;
    let lending = listen::serve(store, bucket, STORE_CONNECTIONS, stop.clone());
    let lending = tokio::spawn(lending);
    let endpoint = format!("http://{store_address}");
    let served = serve(&node, listener, &clock, &world, &endpoint, cases).await;
    stop.cancel();
    lending.await?;
    node.exchange().db().close().await;
    served
}

/// A free port of this machine.
async fn listen_here() -> anyhow::Result<(TcpListener, SocketAddr)> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = TcpListener::bind(address)
        .await
        .context("no port of this machine can be listened on")?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn serve(
    node: &Node,
    listener: TcpListener,
    clock: &Behind,
    world: &World,
    endpoint: &str,
    cases: &[String],
) -> anyhow::Result<Report> {
    let exchange = node.exchange();
    let operator = Principal::operator();
    let tables = &world.tables;
    declare(exchange, world, endpoint).await?;
    world.write_outside()?;
    let a_day = ProfileNew { days: Some(1) };
    let over = exchange
        .profile_create(&operator, LATE_RECIPIENT, a_day)
        .await?;
    clock.0.store(0, Ordering::SeqCst);
    ask_for_all(exchange, tables).await?;
    let profile = exchange
        .profile_create(&operator, RECIPIENT, ProfileNew::default())
        .await?;
    let denied = exchange
        .profile_create(&operator, FAR_RECIPIENT, ProfileNew::default())
        .await?;
    let profile = Profile::new(&profile.endpoint, &profile.bearer_token);
    let target = Target {
        profile: profile.map_err(|why| anyhow!(why))?,
        hints: Hints {
            expired_token: Some(over.bearer_token),
            denied_token: Some(denied.bearer_token),
            broken: Some(format!("{}.default.{}", broken::SHARE, broken::TABLE)),
            outside: Some(fixture::outside().full_name()),
            cleaned: Some((format!("{CLEANED}.default.cleaned"), 2)),
            ..fixture::hints()
        },
        advance: advance(tables, &world.root),
    };

    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    let gate = Arc::new(BrokenGate::before(node.connected.gate.clone()));
    let per_second = node.settings.sharing.requests_per_second;
    let routes = run::routes_with(node, node.connected.machines_behind(gate, per_second))?;
    let connections = node.settings.connections;
    running.spawn(listen::serve(listener, routes, connections, stop.clone()));
    running.spawn(run::worker(node, Some(1)).run(stop.clone()));
    let report = ::conformance::run(target, cases).await;
    stop.cancel();
    while running.join_next().await.is_some() {}
    report.map_err(|why| anyhow!(why))
}

/// Whatever the surroundings say, this one is alone with its folder.
fn settings(data: &Path, folder: &Path, addr: SocketAddr) -> anyhow::Result<Settings> {
    folder::create(data)?;
    let mut settings = Settings::load(&Flags {
        data: Some(data.to_owned()),
        addr: Some(addr),
        ..Flags::default()
    })?;
    settings.public_url = None;
    settings.trusted_proxies = Vec::new();
    settings.database_url = format!("sqlite://{}", data.join("entrepot.db").display());
    settings.keys = data.join("keys");
    settings.location = None;
    settings.storage.file_roots = vec![folder.to_owned()];
    settings.requests_per_second = REQUESTS_PER_SECOND;
    settings.sharing.requests_per_second = REQUESTS_PER_SECOND;
    (settings.mail, settings.webhook, settings.oidc) = (None, None, None);
    Ok(settings)
}

/// The tables and where they lie.
struct World {
    tables: Vec<Table>,
    /// Those of the storage `checked`.
    root: PathBuf,
    /// The buckets, with those of the storage `lent`.
    store: PathBuf,
}

impl World {
    /// Before anybody looks at them.
    async fn write(&self) -> anyhow::Result<()> {
        let lent = self.store.join(bucket::FOLDER);
        std::fs::create_dir_all(&lent)
            .with_context(|| format!("{} cannot be made", lent.display()))?;
        for table in &self.tables {
            let root = if table.directory { &lent } else { &self.root };
            fixture::write(root, table)
                .with_context(|| format!("{} cannot be written", root.display()))?;
        }
        clean(&self.root, &self.tables).await
    }

    /// The table that points out of itself is written on once it is registered: it would not be taken so.
    fn write_outside(&self) -> anyhow::Result<()> {
        fixture::write(&self.root, &fixture::outside())
            .with_context(|| format!("{} cannot be written", self.root.display()))
    }
}

/// The suite's tables, and those that a server has to see to: one whose log was cleaned up, one that breaks, one that is to point
/// out of itself.
fn tables() -> Vec<Table> {
    let mut tables = fixture::tables();
    let visits = tables.iter().find(|table| table.name == "visits").cloned();
    tables.extend(visits.map(|visits| Table {
        share: CLEANED,
        name: "cleaned",
        ..visits
    }));
    tables.push(fixture::wide(broken::SHARE, broken::TABLE, broken::FILES));
    let mut outside = fixture::outside();
    outside.commits.truncate(1);
    tables.push(outside);
    tables
}

/// What log cleanup does: a checkpoint, and the commits before it are gone.
async fn clean(root: &Path, tables: &[Table]) -> anyhow::Result<()> {
    let Some(table) = tables.iter().find(|table| table.share == CLEANED) else {
        return Ok(());
    };
    let path = root.join(table.path());
    let objects = LocalFileSystem::new_with_prefix(&path)?;
    let opened = delta::Table::new(Arc::new(objects), Budgets::default());
    let snapshot = opened.snapshot(Some(EARLIEST)).await?;
    opened.write_checkpoint(&snapshot).await?;
    for version in 0..EARLIEST {
        std::fs::remove_file(path.join(format!("_delta_log/{version:020}.json")))?;
    }
    Ok(())
}

/// Whether the recipient is to have credentials for a share's folders.
fn is_lent(tables: &[Table], share: &str) -> bool {
    let of_share = |table: &&Table| table.share == share;
    tables.iter().filter(of_share).any(|table| table.directory)
}

/// One product per share, open to every team.
fn declaration(tables: &[Table], root: &Path) -> String {
    let mut products: Vec<&str> = tables.iter().map(|table| table.share).collect();
    products.dedup();
    let mut text = format!(
        "exchange: {{ name: conformance }}\n\
         domains: {{ conformance: {{ title: Conformance }} }}\n\
         teams:\n  \
           makers: {{ domain: conformance, title: Makers, cost_center: \"1\" }}\n  \
           readers: {{ domain: conformance, title: Readers, cost_center: \"2\" }}\n\
         storages:\n  \
           {CHECKED}: {{ cloud: aws, region: eu-central-1, url: \"file://{}\" }}\n  \
           {LENT}: {{ cloud: aws, region: eu-central-1, url: \"{}\", credential: sealed }}\n\
         recipients:\n  \
           {RECIPIENT}: {{ team: readers, cloud: aws, region: eu-central-1 }}\n  \
           {LATE_RECIPIENT}: {{ team: readers, cloud: aws, region: eu-central-1 }}\n  \
           {FAR_RECIPIENT}: {{ team: readers, cloud: aws, region: eu-central-1, addresses: [\"{FAR_ADDRESS}\"] }}\n\
         products:\n",
        root.display(),
        bucket::URL
    );
    for product in products {
        let storage = if is_lent(tables, product) {
            LENT
        } else {
            CHECKED
        };
        text.push_str(&format!(
            "  {product}:\n    title: {product}\n    team: makers\n    storage: {storage}\n    \
             classification: internal\n    access: {{ policy: auto }}\n    tables:\n"
        ));
        for table in tables.iter().filter(|table| table.share == product) {
            let start = match table.history {
                Some(first) if first > 0 => format!(", history_start: {first}"),
                _ => String::new(),
            };
            text.push_str(&format!(
                "      - {{ name: {}, schema: {}, path: {}, history: {}{start}, change_data_feed: {} }}\n",
                table.name,
                table.schema,
                table.path(),
                table.history.is_some(),
                table.changes
            ));
        }
    }
    text
}

async fn declare(exchange: &Exchange, world: &World, endpoint: &str) -> anyhow::Result<()> {
    // A declaration holds no secrets: this storage is there before it.
    let lent = StorageNew {
        name: LENT.to_owned(),
        cloud: "aws".to_owned(),
        region: "eu-central-1".to_owned(),
        url: bucket::URL.to_owned(),
        endpoint: Some(endpoint.to_owned()),
        credential: Some(CredentialNew(bucket::credential())),
        replicas: false,
    };
    exchange
        .storage_create(&Principal::operator(), lent)
        .await
        .context("the storage that lends folders cannot be made")?;
    let new = DeploymentNew {
        yaml: declaration(&world.tables, &world.root),
        file: "conformance/entrepot.yml".to_owned(),
        commit: concat!("entrepot-", env!("CARGO_PKG_VERSION")).to_owned(),
        expect_plan_hash: None,
    };
    exchange
        .declaration_deploy(&Principal::operator(), new)
        .await
        .context("the tables of the suite cannot be declared")?;
    Ok(())
}

/// Access to every share that the recipient is to have; the products grant it at once.
async fn ask_for_all(exchange: &Exchange, tables: &[Table]) -> anyhow::Result<()> {
    let mut shares: Vec<&str> = tables
        .iter()
        .filter(|table| table.granted)
        .map(|table| table.share)
        .collect();
    shares.dedup();
    let until = exchange.now().plus(30 * DAY).to_string();
    for share in shares {
        let new = RequestNew {
            product: share.to_owned(),
            recipient: RECIPIENT.to_owned(),
            mode: "live".to_owned(),
            cut: None,
            until: until[..10].to_owned(),
            purpose: PurposeNew {
                code: "conformance".to_owned(),
                text: "Whether the server keeps to the protocol.".to_owned(),
            },
        };
        let refused = || format!("access to {share} is not given");
        let operator = Principal::operator();
        let asked = exchange.request_create(&operator, new).await;
        let grant = asked.with_context(refused)?.grant.with_context(refused)?;
        if is_lent(tables, share) {
            let scope = GrantScopeNew {
                directory: true,
                ..GrantScopeNew::default()
            };
            let lent = exchange.grant_narrow(&operator, grant, scope).await;
            lent.with_context(|| format!("folders of {share} are not lent"))?;
        }
    }
    Ok(())
}

/// Commits to the table that moves.
fn advance(tables: &[Table], root: &Path) -> Option<Advance> {
    let moving = tables.iter().find(|table| table.name == "moving")?;
    let moving = Arc::new(Mutex::new(moving.clone()));
    let root = root.to_owned();
    Some(Arc::new(move || -> Done {
        let (moving, root) = (Arc::clone(&moving), root.clone());
        Box::pin(async move {
            let mut table = moving.lock().unwrap_or_else(PoisonError::into_inner);
            let next = table.next();
            table.commits.push(next);
            fixture::write(&root, &table).map_err(|error| error.to_string())
        })
    }))
}
