//! Doubles of the ports, for this crate's own unit tests. Everything in the server's tests uses the real parts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use model::dto::{Inspection, StorageReport};
use model::{GrantId, ManualClock, NoticeId, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};

use crate::db::{Db, Ground, Template};
use crate::ports::{
    AccessTarget, KeyRing, Letter, Mailer, Observation, Ports, Post, Problem, Sealed,
    StorageAccess, StoreProbe, TableInspector, Undelivered, Webhook,
};
use crate::{Exchange, Options};

/// A world that holds what a test puts into it.
#[derive(Default)]
pub(crate) struct World {
    /// By URL and path what one look after the other finds; the last answer stays.
    tables: Mutex<BTreeMap<(String, String), Answers>>,
    observations: Mutex<BTreeMap<GrantId, Observation>>,
    /// How often a log was read whole.
    pub(crate) inspected: AtomicU32,
    /// The keys there are, the newest last; none said is one, `k1`.
    keys: Mutex<Vec<String>>,
    /// Done once: before a credential is opened, and after one was sealed.
    before_open: Mutex<Option<Hook>>,
    after_seal: Mutex<Option<Hook>>,
    /// What was mailed, and what the webhook was sent, in order.
    letters: Mutex<Vec<Letter>>,
    events: Mutex<Vec<serde_json::Value>>,
}

type Hook = Box<dyn FnOnce() + Send>;
type Answers = VecDeque<Result<Inspection, Problem>>;

fn do_once(hook: &Mutex<Option<Hook>>) {
    let hook = hook.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(hook) = hook {
        hook();
    }
}

impl World {
    /// Puts a table at a storage's URL and path.
    pub(crate) fn put_table(&self, url: &str, path: &str, table: Result<Inspection, Problem>) {
        self.put_looks(url, path, [table]);
    }

    /// The same for a table that is another at each look.
    pub(crate) fn put_looks(
        &self,
        url: &str,
        path: &str,
        looks: impl IntoIterator<Item = Result<Inspection, Problem>>,
    ) {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let looks = looks.into_iter().collect();
        tables.insert((url.to_owned(), path.to_owned()), looks);
    }

    /// Says which keys there are from now on, the newest last.
    pub(crate) fn put_keys(&self, keys: &[&str]) {
        *self.keys.lock().unwrap_or_else(PoisonError::into_inner) =
            keys.iter().map(|key| (*key).to_owned()).collect();
    }

    /// What happens in the world while somebody has read a credential and not opened it yet.
    pub(crate) fn before_next_open(&self, hook: impl FnOnce() + Send + 'static) {
        *self
            .before_open
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Box::new(hook));
    }

    /// What happens while somebody has sealed a credential and not written it yet.
    pub(crate) fn after_next_seal(&self, hook: impl FnOnce() + Send + 'static) {
        *self
            .after_seal
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Box::new(hook));
    }

    /// What was mailed since the last call.
    pub(crate) fn letters(&self) -> Vec<Letter> {
        std::mem::take(&mut self.letters.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the webhook was sent since the last call.
    pub(crate) fn events(&self) -> Vec<serde_json::Value> {
        std::mem::take(&mut self.events.lock().unwrap_or_else(PoisonError::into_inner))
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
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let looks = tables.get_mut(&(storage.url.clone(), path.to_owned()));
        looks
            .and_then(|looks| {
                let last = looks.back().cloned();
                let next = looks.pop_front();
                if looks.is_empty() {
                    looks.extend(last);
                }
                next
            })
            .unwrap_or_else(|| {
                Err(Problem::new(
                    "there is no Delta log in this folder; check the path",
                ))
            })
    }

    async fn latest(&self, storage: &StorageAccess, path: &str) -> Result<u64, Problem> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let looks = tables.get(&(storage.url.clone(), path.to_owned()));
        match looks.and_then(|looks| looks.front()) {
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
    fn newest(&self) -> Result<String, Problem> {
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(keys.last().cloned().unwrap_or_else(|| "k1".to_owned()))
    }

    /// Nothing is hidden, but key and place are there to be checked.
    fn seal(&self, place: &str, secret: &SecretString) -> Result<Sealed, Problem> {
        let key_id = self.newest()?;
        let text = format!("{key_id}|{place}|{}", secret.expose_secret());
        do_once(&self.after_seal);
        Ok(Sealed {
            bytes: text.bytes().rev().collect(),
            key_id,
        })
    }

    fn open(&self, place: &str, sealed: &Sealed) -> Result<SecretString, Problem> {
        do_once(&self.before_open);
        let keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if !keys.is_empty() && !keys.contains(&sealed.key_id) {
            return Err(Problem::new("there is no such key"));
        }
        let bytes: Vec<u8> = sealed.bytes.iter().rev().copied().collect();
        let text = String::from_utf8(bytes).unwrap_or_default();
        text.strip_prefix(&format!("{}|{place}|", sealed.key_id))
            .map(|secret| SecretString::from(secret.to_owned()))
            .ok_or_else(|| Problem::new("not sealed by this key for this place"))
    }

    fn environment(&self, name: &str) -> Result<SecretString, Problem> {
        if name.ends_with("_UNSET") {
            return Err(Problem::new(format!("the variable {name} is not set")));
        }
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

#[async_trait]
impl Mailer for World {
    async fn send(&self, letter: &Letter) -> Result<(), Undelivered> {
        if letter.to.starts_with("refused") {
            return Err(Undelivered::permanent("550 no such mailbox"));
        }
        let mut letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
        letters.push(letter.clone());
        Ok(())
    }
}

#[async_trait]
impl Webhook for World {
    async fn post(&self, _: NoticeId, body: &str) -> Result<(), Undelivered> {
        let event = serde_json::from_str(body)
            .map_err(|error| Undelivered::permanent(error.to_string()))?;
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.push(event);
        Ok(())
    }
}

/// Whose tokens may let recipients in.
pub(crate) const ISSUER: &str = "https://id.example";

fn options() -> Options {
    Options {
        issuers: vec![ISSUER.to_owned()],
        ..Options::default()
    }
}

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Of a database that no other test of any process has.
fn new_name() -> String {
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("exchange_{}_{count}", std::process::id())
}

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
        let db = Db::fresh_sqlite(&path).await?;
        Self::on(db, folder).await
    }

    /// The same, where mail and webhook are configured.
    pub(crate) fn telling(mut self) -> Self {
        let ports = Ports {
            post: Post {
                mailer: Some(self.world.clone()),
                webhook: Some(self.world.clone()),
            },
            ..self.exchange.ports().clone()
        };
        let db = self.exchange.db().clone();
        self.exchange = Exchange::new(db, self.clock.clone(), ports, options());
        self
    }

    /// On every database there is: SQLite always, PostgreSQL where `TEST_POSTGRES_URL` names a server.
    pub(crate) async fn start_each() -> Result<Vec<Self>, Box<dyn std::error::Error>> {
        let mut all = vec![Self::start().await?];
        if let Ok(server) = std::env::var("TEST_POSTGRES_URL") {
            all.push(Self::start_on(&server).await?);
        }
        Ok(all)
    }

    /// On every database there is, with what `lay` puts there and what it knows of it. That is done once for each kind of
    /// database; every test begins with a copy, at the instant when `lay` began. What `lay` puts into the world outside
    /// is not in the copies.
    pub(crate) async fn laid_each<T: Clone, F: Future<Output = (Self, T)>>(
        ground: &Ground<T>,
        lay: impl Fn(Self) -> F,
    ) -> Result<Vec<(Self, T)>, Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("entrepot.db");
        let first = || async { Self::left(lay(Self::start().await?).await).await };
        let (db, known) = ground.sqlite(&path, first).await?;
        let mut all = vec![(Self::on(db, folder).await?, known.clone())];
        if let Ok(server) = std::env::var("TEST_POSTGRES_URL") {
            let first = || async { Self::left(lay(Self::start_on(&server).await?).await).await };
            let (db, known) = ground.postgres(&server, &new_name(), first).await?;
            let test = Self::on(db, tempfile::tempdir()?).await?;
            all.push((test, known.clone()));
        }
        Ok(all)
    }

    /// Its folder is there until the database has been closed and kept.
    async fn left<T>(
        (test, known): (Self, T),
    ) -> Result<(Template, T), Box<dyn std::error::Error>> {
        Ok((Template::of(test.exchange.db()).await?, known))
    }

    /// On a server of PostgreSQL.
    async fn start_on(server: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let db = Db::fresh_postgres(server, &new_name()).await?;
        Self::on(db, tempfile::tempdir()?).await
    }

    async fn on(db: Db, folder: tempfile::TempDir) -> Result<Self, Box<dyn std::error::Error>> {
        let clock = Arc::new(ManualClock::at(Timestamp::parse("2026-06-15T12:00:00Z")?));
        let world = Arc::new(World::default());
        let ports = Ports {
            inspector: world.clone(),
            probe: world.clone(),
            keys: world.clone(),
            access: world.clone(),
            assessor: Arc::new(crate::ports::Unassessed),
            foreseer: Arc::new(crate::ports::Unforeseen),
            post: Post::default(),
        };
        let exchange = Exchange::new(db, clock.clone(), ports, options());
        Ok(Self {
            exchange,
            clock,
            world,
            _folder: folder,
        })
    }
}
