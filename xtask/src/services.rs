//! The test servers: PostgreSQL with a cluster of its own, Azurite, and a provider of identities. All on free ports of the
//! loopback interface, all gone when dropped.

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::http::free_port;
use crate::process::{Folder, Running, ask, bound};
use crate::repo::Repo;
use crate::setup;

const READY_WITHIN: Duration = Duration::from_secs(60);

/// A cluster in a temporary folder. Fields drop in this order: the server ends, then its files go.
pub(crate) struct Postgres {
    /// Of a superuser, with its password.
    pub(crate) url: String,
    _server: Running,
    _folder: Folder,
}

impl Postgres {
    pub(crate) fn start() -> Result<Self> {
        let programs = setup::postgres()
            .context("the PostgreSQL server is missing: sudo apt-get install postgresql")?;
        let folder = Folder::fleeting("postgres")?;
        let password = random_hex()?;
        let secret = folder.path().join("password");
        std::fs::write(&secret, &password)?;
        if setup::is_root() {
            give_to_postgres(&[folder.path(), &secret])?;
        }
        let data = folder.path().join("data");

        let mut initdb = setup::as_postgres_user(&programs.join("initdb"), "KILL");
        initdb
            .arg("--pgdata")
            .arg(&data)
            .arg("--pwfile")
            .arg(&secret);
        initdb.args([
            "--username=entrepot",
            // Each test connects anew, and SCRAM has both sides hash thousands of times.
            "--auth=md5",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        ]);
        if version(&programs)? >= 15 {
            // A linguistic order, as production clusters have: a query that leaves the order of text to the database fails.
            initdb.args(["--locale-provider=icu", "--icu-locale=en-US"]);
        }
        let made = initdb
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .context("start initdb")?;
        if !made.status.success() {
            bail!(
                "initdb failed: {}",
                String::from_utf8_lossy(&made.stderr).trim()
            );
        }

        let port = free_port()?;
        let log_file = folder.path().join("log");
        let log = std::fs::File::create(&log_file)?;
        let mut postgres = setup::as_postgres_user(&programs.join("postgres"), "INT");
        postgres
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string()])
            .current_dir(folder.path());
        // Nothing of this outlives the run, so nothing is forced to the disk.
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=200",
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "autovacuum=on",
            // The launcher goes through all databases; tests make hundreds.
            "autovacuum_naptime=10min",
            "shared_buffers=128MB",
            // Each test copies a database of its own, and none is ever copied elsewhere.
            "wal_level=minimal",
            "max_wal_senders=0",
            "jit=off",
        ] {
            postgres.args(["-c", setting]);
        }
        // SIGINT is PostgreSQL's fast shutdown.
        let mut server = Running::start(postgres.stdout(log.try_clone()?).stderr(log), "INT")?;
        let asking = programs.join("pg_isready");
        let ready = || {
            ask(Command::new(&asking).args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]))
                .is_some()
        };
        server
            .wait_until("PostgreSQL", READY_WITHIN, ready)
            .with_context(|| tail(&log_file))?;
        Ok(Self {
            url: format!("postgres://entrepot:{password}@127.0.0.1:{port}/postgres"),
            _server: server,
            _folder: folder,
        })
    }
}

/// The major version of the server's programs.
fn version(programs: &Path) -> Result<u32> {
    let text = ask(Command::new(programs.join("postgres")).arg("--version"))
        .context("postgres does not answer")?;
    parse_version(&text).with_context(|| format!("no version in {text:?}"))
}

/// `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)` -> 15.
fn parse_version(text: &str) -> Option<u32> {
    text.split_once(") ")?
        .1
        .split(['.', ' ', 'b', 'r', 'd'])
        .next()?
        .parse()
        .ok()
}

fn give_to_postgres(paths: &[&Path]) -> Result<()> {
    let id = |option| {
        ask(Command::new("id").args([option, "postgres"])).and_then(|id| id.parse::<u32>().ok())
    };
    let (Some(user), Some(group)) = (id("-u"), id("-g")) else {
        bail!(
            "PostgreSQL does not run as root and there is no user postgres: sudo apt-get install postgresql"
        );
    };
    for path in paths {
        std::os::unix::fs::chown(path, Some(user), Some(group))
            .with_context(|| format!("give {} to postgres", path.display()))?;
    }
    Ok(())
}

/// 128 bits for a password that lives as long as the run.
fn random_hex() -> Result<String> {
    let mut bytes = [0_u8; 16];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("read /dev/urandom")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The end of a log, for an error message.
pub(crate) fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(20);
    format!(
        "the last lines of its log:\n{}",
        lines.get(from..).unwrap_or_default().join("\n")
    )
}

/// Microsoft's stand-in for Azure's object store, in memory.
pub(crate) struct Azurite {
    /// With the account, as a blob endpoint. Account and key are Azurite's published ones.
    pub(crate) url: String,
    _server: Running,
    _folder: Folder,
}

impl Azurite {
    pub(crate) fn start(repo: &Repo) -> Result<Self> {
        let script = repo
            .root
            .join("end2end/node_modules/azurite/dist/src/blob/main.js");
        if !script.exists() {
            bail!("Azurite is missing: `npm ci` in end2end");
        }
        let node = crate::repo::which(&["node"])
            .context("node is missing: sudo apt-get install nodejs")?;
        let folder = Folder::temporary("azurite")?;
        let port = free_port()?;
        let log_file = folder.path().join("log");
        let log = std::fs::File::create(&log_file)?;
        let mut azurite = bound(&node, None, "KILL");
        azurite.arg(script).current_dir(folder.path());
        azurite.args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()]);
        azurite.args([
            "--inMemoryPersistence",
            "--skipApiVersionCheck",
            "--loose",
            "--disableTelemetry",
            "--silent",
        ]);
        let mut server = Running::start(azurite.stdout(log.try_clone()?).stderr(log), "TERM")?;
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        // Any answer of HTTP will do: without a signature it is a refusal.
        let ready = || {
            crate::http::get(
                address,
                "/devstoreaccount1?comp=list",
                None,
                Duration::from_secs(2),
            )
            .is_ok()
        };
        server
            .wait_until("Azurite", READY_WITHIN, ready)
            .with_context(|| tail(&log_file))?;
        Ok(Self {
            url: format!("http://127.0.0.1:{port}/devstoreaccount1"),
            _server: server,
            _folder: folder,
        })
    }
}

/// Of every client of the provider; nobody else's, so no secret.
pub(crate) const IDENTITIES_SECRET: &str = "a secret of tests, which is nobody's: 0123456789";

/// A provider of OpenID Connect, with clients and people for tests.
pub(crate) struct Identities {
    /// Its issuer.
    pub(crate) url: String,
    _server: Running,
    _folder: Folder,
}

impl Identities {
    pub(crate) fn start(repo: &Repo) -> Result<Self> {
        let modules = repo.root.join("end2end/node_modules/oidc-provider");
        if !modules.exists() {
            bail!("oidc-provider is missing: `npm ci` in end2end");
        }
        let script = repo.root.join("end2end/fixtures/identity-provider.mjs");
        let node = crate::repo::which(&["node"])
            .context("node is missing: sudo apt-get install nodejs")?;
        let folder = Folder::temporary("identities")?;
        let port = free_port()?;
        let log_file = folder.path().join("log");
        let log = std::fs::File::create(&log_file)?;
        let mut provider = bound(&node, None, "KILL");
        provider
            .arg(script)
            .arg(port.to_string())
            .current_dir(folder.path());
        let mut server = Running::start(provider.stdout(log.try_clone()?).stderr(log), "TERM")?;
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let path = "/.well-known/openid-configuration";
        let ready = || {
            crate::http::get(address, path, None, Duration::from_secs(2))
                .is_ok_and(|answer| answer.status == 200)
        };
        server
            .wait_until("the provider of identities", READY_WITHIN, ready)
            .with_context(|| tail(&log_file))?;
        Ok(Self {
            url: format!("http://127.0.0.1:{port}"),
            _server: server,
            _folder: folder,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_debian_and_of_others_are_read() {
        assert_eq!(
            parse_version("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)"),
            Some(15)
        );
        assert_eq!(parse_version("postgres (PostgreSQL) 18beta2"), Some(18));
        assert_eq!(parse_version("postgres (PostgreSQL) 9.6.24"), Some(9));
        assert_eq!(parse_version("something else"), None);
    }

    #[test]
    fn passwords_differ() -> Result<()> {
        assert_eq!(random_hex()?.len(), 32);
        assert_ne!(random_hex()?, random_hex()?);
        Ok(())
    }
}
