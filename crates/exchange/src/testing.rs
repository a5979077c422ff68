//! Doubles of the ports, for this crate's own unit tests. Everything in the server's tests uses the real parts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use model::dto::{Inspection, StorageReport};
use model::{GrantId, ManualClock, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};

use crate::db::Db;
use crate::ports::{
    AccessTarget, KeyRing, Observation, Ports, Problem, Sealed, StorageAccess, StoreProbe,
    TableInspector,
};
use crate::{Exchange, Options};

/// A world that holds what a test puts into it.
#[derive(Default)]
pub(crate) struct World {
    tables: Mutex<BTreeMap<(String, String), Result<Inspection, Problem>>>,
    observations: Mutex<BTreeMap<GrantId, Observation>>,
    /// How often a log was read whole.
    pub(crate) inspected: AtomicU32,
}

impl World {
    /// Puts a table at a storage's URL and path.
    pub(crate) fn put_table(&self, url: &str, path: &str, table: Result<Inspection, Problem>) {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.insert((url.to_owned(), path.to_owned()), table);
    }

    /// Says what will be seen when the grant is looked at.
    pub(crate) fn put_observation(&self, grant: GrantId, observation: Observation) {
        self.observations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(grant, observation);
    }
}

#[async_trait]
impl TableInspector for World {
    async fn inspect(&self, storage: &StorageAccess, path: &str) -> Result<Inspection, Problem> {
        self.inspected.fetch_add(1, Ordering::Relaxed);
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables
            .get(&(storage.url.clone(), path.to_owned()))
            .cloned()
            .unwrap_or_else(|| {
                Err(Problem::new(
                    "there is no Delta log in this folder; check the path",
                ))
            })
    }

    async fn latest(&self, storage: &StorageAccess, path: &str) -> Result<u64, Problem> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        match tables.get(&(storage.url.clone(), path.to_owned())) {
            Some(found) => found.clone().map(|found| found.version),
            None => Err(Problem::new("there is no Delta log in this folder")),
        }
    }

    async fn scan(&self, storage: &StorageAccess, prefix: &str) -> Result<Vec<String>, Problem> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(tables
            .keys()
            .filter(|(url, path)| *url == storage.url && path.starts_with(prefix))
            .map(|(_, path)| path.clone())
            .collect())
    }
}

#[async_trait]
impl StoreProbe for World {
    fn check(&self, storage: &StorageAccess) -> Result<String, Problem> {
        let known = ["s3://", "abfss://", "gs://", "file:///"]
            .iter()
            .any(|scheme| storage.url.starts_with(scheme));
        if known {
            Ok(storage.url.trim_end_matches('/').to_owned())
        } else {
            Err(Problem::new("use s3, abfss, gs or file"))
        }
    }

    fn overlap(&self, one: &str, other: &str) -> bool {
        let (one, other) = (format!("{one}/"), format!("{other}/"));
        one.starts_with(&other) || other.starts_with(&one)
    }

    fn is_simulated(&self, url: &str) -> bool {
        url.starts_with("file:")
    }

    async fn examine(&self, _: &StorageAccess, _: bool) -> Result<StorageReport, Problem> {
        Ok(StorageReport {
            checks: Vec::new(),
            least_policy: String::new(),
        })
    }
}

impl KeyRing for World {
    fn seal(&self, place: &str, secret: &SecretString) -> Result<Sealed, Problem> {
        Ok(Sealed {
            key_id: place.to_owned(),
            bytes: secret.expose_secret().bytes().rev().collect(),
        })
    }

    fn open(&self, place: &str, sealed: &Sealed) -> Result<SecretString, Problem> {
        if sealed.key_id != place {
            return Err(Problem::new("sealed for another place"));
        }
        let bytes: Vec<u8> = sealed.bytes.iter().rev().copied().collect();
        String::from_utf8(bytes)
            .map(SecretString::from)
            .map_err(|_| Problem::new("not sealed by this key"))
    }

    fn environment(&self, name: &str) -> Result<SecretString, Problem> {
        Ok(SecretString::from(format!("{{\"from\":\"{name}\"}}")))
    }
}

#[async_trait]
impl AccessTarget for World {
    async fn observe(&self, grant: GrantId) -> Observation {
        let observations = self
            .observations
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        observations
            .get(&grant)
            .cloned()
            .unwrap_or(Observation::Waits {
                reason: "nothing was seen yet".to_owned(),
            })
    }
}

static COUNT: AtomicU32 = AtomicU32::new(0);

/// An exchange on a fresh database with a clock that stands still.
pub(crate) struct TestExchange {
    pub(crate) exchange: Exchange,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) world: Arc<World>,
    /// Removed when the test ends.
    _folder: tempfile::TempDir,
}

impl TestExchange {
    /// On SQLite. 2026-06-15 12:00 UTC.
    pub(crate) async fn start() -> Result<Self, Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("entrepot.db");
        let db = Db::open(&path.to_string_lossy()).await?;
        Self::on(db, folder).await
    }

    /// On every database there is: SQLite always, PostgreSQL where `TEST_POSTGRES_URL` names a server.
    pub(crate) async fn start_each() -> Result<Vec<Self>, Box<dyn std::error::Error>> {
        let mut all = vec![Self::start().await?];
        if let Ok(server) = std::env::var("TEST_POSTGRES_URL") {
            let name = format!(
                "exchange_{}_{}",
                std::process::id(),
                COUNT.fetch_add(1, Ordering::Relaxed)
            );
            let db = Db::create_postgres(&server, &name).await?;
            all.push(Self::on(db, tempfile::tempdir()?).await?);
        }
        Ok(all)
    }

    async fn on(db: Db, folder: tempfile::TempDir) -> Result<Self, Box<dyn std::error::Error>> {
        db.migrate().await?;
        let clock = Arc::new(ManualClock::at(Timestamp::parse("2026-06-15T12:00:00Z")?));
        let world = Arc::new(World::default());
        let ports = Ports {
            inspector: world.clone(),
            probe: world.clone(),
            keys: world.clone(),
            access: world.clone(),
        };
        let exchange = Exchange::new(db, clock.clone(), ports, Options::default());
        Ok(Self {
            exchange,
            clock,
            world,
            _folder: folder,
        })
    }
}
