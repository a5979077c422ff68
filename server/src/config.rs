//! Configuration: `entrepot.toml`, then `ENTREPOT__SECTION__KEY` in the environment, then flags. Read once at start, checked
//! whole, and never looked at again as text.

mod keys;
mod nearest;
mod oidc;
mod post;
mod raw;
mod scanning;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use exchange::db::CONNECTIONS;
use model::Location;
use model::time::{DAY, HOUR, MINUTE};
use serde::Deserialize;
use url::Url;

use keys::{LISTS, check_keys};
pub use oidc::OidcSettings;
pub(crate) use post::is_loopback;
pub use post::{MailSettings, MailTls, WebhookSettings};
use raw::{Raw, RawLocation, RawSharing};
pub use scanning::{Proof, ScanningSettings};

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the configuration cannot be read: {0}")]
    Unreadable(String),
    #[error("unknown key `{key}` in the configuration; did you mean `{nearest}`?")]
    UnknownKey { key: String, nearest: String },
    #[error("{key}: {why}")]
    Wrong { key: &'static str, why: String },
}

fn wrong(key: &'static str, why: impl ToString) -> ConfigError {
    ConfigError::Wrong {
        key,
        why: why.to_string(),
    }
}

/// What flags say; each overrides file and environment.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// The data folder; `data` below the working folder when absent.
    pub data: Option<PathBuf>,
    /// The file to read instead of `entrepot.toml` in the data folder.
    pub config: Option<PathBuf>,
    pub addr: Option<SocketAddr>,
    pub site: Option<PathBuf>,
}

/// The configuration of one process, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    pub data: PathBuf,
    /// The configuration file, where a flag names one.
    pub file: Option<PathBuf>,
    pub addr: SocketAddr,
    /// How the outside reaches this installation; None: as `addr` says once it is bound.
    pub public_url: Option<PublicUrl>,
    pub site: PathBuf,
    pub metrics_addr: Option<SocketAddr>,
    /// Only these peers' `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    pub requests_per_second: u32,
    pub connections: usize,
    /// `sqlite://…` or `postgres://…`.
    pub database_url: String,
    /// To PostgreSQL at once.
    pub database_connections: u32,
    pub location: Option<Location>,
    pub storage: StorageSettings,
    /// Where the keys stand that seal credentials.
    pub keys: PathBuf,
    pub telemetry: TelemetrySettings,
    /// Microseconds.
    pub session_idle: i64,
    pub session_lifetime: i64,
    pub sign_ins_per_minute: u32,
    pub sharing: SharingSettings,
    pub worker: WorkerSettings,
    /// None: nobody is written to.
    pub mail: Option<MailSettings>,
    /// None: no other system is told.
    pub webhook: Option<WebhookSettings>,
    /// The provider of identities that people may sign in by.
    pub oidc: Option<OidcSettings>,
    /// Who may report tokens that were found somewhere; None: nobody.
    pub scanning: Option<ScanningSettings>,
}

#[derive(Clone, Debug)]
pub struct StorageSettings {
    /// Folders that `file:` storages may lie under; none: no `file:` storages.
    pub file_roots: Vec<PathBuf>,
    /// `host:port` or `*.suffix` of stores other than the clouds' own.
    pub endpoints: Vec<String>,
    pub parallel_requests: usize,
    /// Active files of the largest table that is read; what a log may cost beside grows with it.
    pub table_files: u64,
}

/// What recipients may do and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharingSettings {
    /// The longest life of a recipient's token, and its life unless less is asked for; microseconds.
    pub token_lifetime: i64,
    /// The life of a signed URL; microseconds. What the stores sign is 15 minutes to 1 hour.
    pub url_lifetime: i64,
    /// How long the access log is kept; microseconds.
    pub query_log_kept: i64,
    /// Requests of one recipient; a burst of four times as many.
    pub requests_per_second: u32,
    /// Bytes of tables' states that are kept between requests.
    pub states_kept: u64,
    /// Whose tokens may let recipients in, to the letter as they write themselves.
    pub issuers: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct TelemetrySettings {
    pub format: LogFormat,
    /// As the `tracing` crates read it: `info,exchange=debug`.
    pub filter: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Json,
    Text,
}

#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// How many pieces of work one process does at a time.
    pub parallel: usize,
    /// How long an idle worker waits before it looks again.
    pub poll: std::time::Duration,
    /// What moves the bytes of a sync.
    pub engine: CopyEngine,
    /// How often the catalog is refreshed; microseconds. 0: only when somebody asks.
    pub refresh_every: i64,
    /// So many syncs, vacuums and checks go to one store at a time, of all workers together.
    pub runs_per_store: u32,
    /// Whether work on replicas of other places is taken, too, where no worker stands at either end.
    pub elsewhere: bool,
}

/// `local`: in the worker's process. `process`: in a child process, `entrepot copy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CopyEngine {
    #[default]
    Local,
    Process,
}

/// `https://host[:port]`, or `http` where that is allowed. Without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// What `http` is allowed for: loopback addresses, or everywhere when the configuration says so.
    pub fn parse(text: &str, allow_http: bool) -> Result<Self, ConfigError> {
        const KEY: &str = "server.public_url";
        let url = Url::parse(text).map_err(|error| wrong(KEY, error))?;
        let is_loopback = match url.host() {
            Some(host) => is_loopback(&host.to_owned()),
            None => return Err(wrong(KEY, "names no host")),
        };
        match url.scheme() {
            "https" => {}
            "http" if is_loopback || allow_http => {}
            "http" => {
                return Err(wrong(
                    KEY,
                    "must be https: over http passwords and tokens can be read on the way; \
                     behind something that ends TLS write its https address here, or set server.allow_http = true",
                ));
            }
            other => return Err(wrong(KEY, format!("`{other}` is neither https nor http"))),
        }
        let is_bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !is_bare {
            return Err(wrong(KEY, "give scheme, host and port only"));
        }
        Ok(Self(url.origin().ascii_serialization()))
    }

    /// Where a server that was told nothing else is reached.
    pub fn of_address(addr: SocketAddr) -> Self {
        Self(format!("http://{addr}"))
    }

    /// As browsers send it in `Origin`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_https(&self) -> bool {
        self.0.starts_with("https:")
    }
}

impl Settings {
    /// Reads file, environment and flags.
    pub fn load(flags: &Flags) -> Result<Self, ConfigError> {
        Self::from_parts(flags, texts(std::env::vars_os())?)
    }

    pub(crate) fn from_parts(
        flags: &Flags,
        mut environment: HashMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let secrets = post::Secrets::take(&mut environment);
        let secret = oidc::secret_of(&mut environment);
        let data = flags.data.clone().unwrap_or_else(|| PathBuf::from("data"));
        let mut builder = config::Config::builder();
        match &flags.config {
            Some(file) => builder = builder.add_source(config::File::from(file.as_path())),
            None => {
                let file = data.join("entrepot.toml");
                builder = builder.add_source(config::File::from(file).required(false));
            }
        }
        let mut source = config::Environment::with_prefix("ENTREPOT")
            .prefix_separator("__")
            .separator("__")
            .try_parsing(true)
            .list_separator(",");
        for key in LISTS {
            source = source.with_list_parse_key(key);
        }
        let config = builder
            .add_source(source.source(Some(environment)))
            .build()
            .map_err(unreadable)?;
        let values: serde_json::Value = config.clone().try_deserialize().map_err(unreadable)?;
        check_keys(&values)?;
        let mut raw: Raw = config.try_deserialize().map_err(unreadable)?;
        secrets.into_raw(&mut raw.mail, &mut raw.webhook, &mut raw.scanning);
        raw.oidc.take_secret(secret);
        Self::check(raw, flags, data)
    }

    fn check(raw: Raw, flags: &Flags, data: PathBuf) -> Result<Self, ConfigError> {
        let addr = match (flags.addr, &raw.server.addr) {
            (Some(addr), _) => addr,
            (None, Some(text)) => address("server.addr", text)?,
            (None, None) => SocketAddr::from(([127, 0, 0, 1], 3000)),
        };
        let public_url = match &raw.server.public_url {
            Some(text) => Some(PublicUrl::parse(text, raw.server.allow_http)?),
            None if addr.ip().is_loopback() => None,
            // Not even with server.allow_http: nobody reaches `http://0.0.0.0`, and it would stand in profiles and URLs.
            None => {
                return Err(wrong(
                    "server.public_url",
                    "say under which https address the outside reaches this server: it listens on more than loopback",
                ));
            }
        };
        let metrics_addr = raw
            .server
            .metrics_addr
            .as_deref()
            .map(|text| address("server.metrics_addr", text))
            .transpose()?;
        if metrics_addr.is_some_and(|metrics| metrics == addr && metrics.port() != 0) {
            return Err(wrong(
                "server.metrics_addr",
                "must differ from server.addr: metrics are not for everybody",
            ));
        }
        let trusted_proxies = raw
            .server
            .trusted_proxies
            .iter()
            .map(|text| {
                text.trim()
                    .parse()
                    .map_err(|error| wrong("server.trusted_proxies", error))
            })
            .collect::<Result<Vec<IpAddr>, _>>()?;
        let database_url = raw
            .database
            .url
            .unwrap_or_else(|| format!("sqlite://{}", data.join("entrepot.db").display()));
        check_scheme(&database_url)?;
        let keys = match raw.keys.file {
            Some(file) => file,
            None if is_postgres(&database_url) => {
                return Err(wrong(
                    "keys.file",
                    "with PostgreSQL say where the keys stand that seal credentials; every process needs the same file",
                ));
            }
            None => data.join("keys"),
        };
        Ok(Self {
            addr,
            public_url,
            site: flags
                .site
                .clone()
                .or(raw.server.site)
                .unwrap_or_else(|| PathBuf::from("target/site")),
            metrics_addr,
            trusted_proxies,
            requests_per_second: raw.server.requests_per_second.unwrap_or(100).max(1),
            connections: raw.server.connections.unwrap_or(4_096).max(1),
            database_url,
            database_connections: database_connections(raw.database.connections)?,
            location: location(&raw.location)?,
            storage: StorageSettings {
                file_roots: raw.storage.file_roots,
                endpoints: raw.storage.endpoints,
                parallel_requests: raw.storage.parallel_requests.unwrap_or(32).max(1),
                table_files: table_files(raw.storage.table_files)?,
            },
            keys,
            telemetry: TelemetrySettings {
                format: match raw.telemetry.format.as_deref() {
                    None | Some("text") => LogFormat::Text,
                    Some("json") => LogFormat::Json,
                    Some(_) => return Err(wrong("telemetry.format", "json or text")),
                },
                filter: raw.telemetry.filter.unwrap_or_else(|| "info".to_owned()),
            },
            session_idle: i64::from(raw.session.idle_hours.unwrap_or(12)) * HOUR,
            session_lifetime: i64::from(raw.session.lifetime_hours.unwrap_or(168)) * HOUR,
            sign_ins_per_minute: raw.session.sign_ins_per_minute.unwrap_or(10).max(1),
            sharing: sharing(&raw.sharing)?,
            worker: WorkerSettings {
                parallel: raw.worker.parallel.unwrap_or(4).max(1),
                poll: std::time::Duration::from_millis(
                    raw.worker.poll_millis.unwrap_or(500).max(10),
                ),
                engine: raw.worker.engine.unwrap_or_default(),
                refresh_every: i64::from(raw.worker.refresh_minutes.unwrap_or(60)) * MINUTE,
                runs_per_store: raw.worker.runs_per_store.unwrap_or(8).max(1),
                elsewhere: raw.worker.elsewhere,
            },
            mail: post::mail(raw.mail)?,
            webhook: post::webhook(raw.webhook)?,
            oidc: raw.oidc.check()?,
            scanning: scanning::scanning(raw.scanning)?,
            file: flags.config.clone(),
            data,
        })
    }

    pub fn is_embedded(&self) -> bool {
        !is_postgres(&self.database_url)
    }

    /// The file of the embedded database.
    pub fn database_file(&self) -> Option<&Path> {
        self.is_embedded().then(|| {
            let url = self.database_url.as_str();
            Path::new(url.strip_prefix(SQLITE).unwrap_or(url))
        })
    }
}

const SQLITE: &str = "sqlite://";

/// A variable of somebody else may hold anything. One of ours that is no text was meant to say something.
fn texts(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<HashMap<String, String>, ConfigError> {
    let mut found = HashMap::new();
    for (key, value) in variables {
        let Ok(key) = key.into_string() else { continue };
        match value.into_string() {
            Ok(value) => {
                found.insert(key, value);
            }
            Err(_) if key.to_ascii_uppercase().starts_with("ENTREPOT__") => {
                return Err(unreadable(format!("the variable {key} is not UTF-8")));
            }
            Err(_) => {}
        }
    }
    Ok(found)
}

fn check_scheme(url: &str) -> Result<(), ConfigError> {
    match url.split_once("://") {
        Some(("sqlite" | "postgres" | "postgresql", _)) | None => Ok(()),
        // Not the rest of it, which may hold a password.
        Some((scheme, _)) => Err(wrong(
            "database.url",
            format!(
                "`{scheme}` is no database that Entrepôt knows: write sqlite://FILE or postgres://USER@HOST/NAME"
            ),
        )),
    }
}

fn database_connections(given: Option<u32>) -> Result<u32, ConfigError> {
    let connections = given.unwrap_or(CONNECTIONS);
    if (2..=1_000).contains(&connections) {
        Ok(connections)
    } else {
        Err(wrong("database.connections", "from 2 to 1000"))
    }
}

fn table_files(given: Option<u64>) -> Result<u64, ConfigError> {
    let files = given.unwrap_or_else(|| delta::Budgets::default().files);
    if (1_000..=50_000_000).contains(&files) {
        Ok(files)
    } else {
        Err(wrong("storage.table_files", "from 1000 to 50000000"))
    }
}

fn sharing(raw: &RawSharing) -> Result<SharingSettings, ConfigError> {
    let within = |key, given: Option<u32>, default, least, most| {
        let value = given.unwrap_or(default);
        if (least..=most).contains(&value) {
            Ok(value)
        } else {
            Err(wrong(key, format!("from {least} to {most}")))
        }
    };
    let token_days = within("sharing.token_days", raw.token_days, 90, 1, 365)?;
    let url_minutes = within("sharing.url_minutes", raw.url_minutes, 60, 15, 60)?;
    let log_days = within("sharing.log_days", raw.log_days, 90, 1, 3_650)?;
    let requests_per_second = within(
        "sharing.requests_per_second",
        raw.requests_per_second,
        100,
        1,
        100_000,
    )?;
    let cache_mib = within("sharing.cache_mib", raw.cache_mib, 256, 0, 1 << 20)?;
    for issuer in &raw.issuers {
        oidc::check_issuer("sharing.issuers", issuer)?;
    }
    Ok(SharingSettings {
        issuers: raw.issuers.clone(),
        token_lifetime: i64::from(token_days) * DAY,
        url_lifetime: i64::from(url_minutes) * MINUTE,
        query_log_kept: i64::from(log_days) * DAY,
        requests_per_second,
        states_kept: u64::from(cache_mib) << 20,
    })
}

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

fn unreadable(error: impl ToString) -> ConfigError {
    ConfigError::Unreadable(error.to_string())
}

fn address(key: &'static str, text: &str) -> Result<SocketAddr, ConfigError> {
    text.parse()
        .map_err(|_| wrong(key, "give address and port, for example 127.0.0.1:3000"))
}

fn location(raw: &RawLocation) -> Result<Option<Location>, ConfigError> {
    match (&raw.cloud, &raw.region) {
        (None, None) => Ok(None),
        (Some(cloud), Some(region)) => format!("{cloud}:{region}")
            .parse()
            .map(Some)
            .map_err(|error| wrong("location", error)),
        _ => Err(wrong("location", "give both cloud and region, or neither")),
    }
}

/// Where the configuration file would be, for messages.
pub fn file_of(data: &Path) -> PathBuf {
    data.join("entrepot.toml")
}
