//! C-34: `entrepot migrate --reseal`, the binary itself, beside a server that reads and changes storages all the while; killed
//! in the middle, and again, and at last to its end. Then the old key goes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use exchange::db::Db;
use exchange::page::PageRequest;
use exchange::{Exchange, Options, Principal, sql};
use model::StorageId;
use model::dto::{CredentialNew, StorageChange, StorageNew};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use server::adapters::connect::{Wiring, connect};
use server::adapters::keyring::{FileKeyRing, KeyFileError};
use server::adapters::stores::Lake;
use server::config::StorageSettings;

use crate::support::TestApp;

/// Storages before the load begins.
const STORAGES: usize = 24;

fn credential(name: &str, turn: usize) -> CredentialNew {
    CredentialNew(
        json!({ "access_key_id": format!("AKIA{name}"), "secret_access_key": format!("secret-of-{name}-{turn}") }),
    )
}

fn storage(name: &str) -> StorageNew {
    StorageNew {
        name: name.to_owned(),
        cloud: "aws".to_owned(),
        region: "eu-central-1".to_owned(),
        url: format!("s3://lake/{name}"),
        endpoint: None,
        credential: Some(credential(name, 0)),
        replicas: false,
    }
}

fn key(id: &str) -> String {
    // Any 64 digits; different ids have different ones.
    let digits: String = id
        .bytes()
        .cycle()
        .take(32)
        .map(|b| format!("{b:02x}"))
        .collect();
    format!("{id}:{digits}\n")
}

/// A server's exchange, the storages as they were last written, and the key file that both processes read.
struct Site {
    app: TestApp,
    keys: PathBuf,
}

impl Site {
    async fn each() -> Vec<Self> {
        let mut sites = Vec::new();
        for app in TestApp::each().await {
            let keys = app.folder.path().join("keys");
            let site = Self { app, keys };
            for n in 0..STORAGES {
                let new = storage(&format!("s{n:02}"));
                let operator = Principal::operator();
                let made = site.exchange().storage_create(&operator, new);
                made.await.unwrap();
            }
            sites.push(site);
        }
        sites
    }

    fn exchange(&self) -> &Exchange {
        &self.app.exchange
    }

    /// The key that sealed everything so far, as it stands in the file.
    fn first_key(&self) -> String {
        std::fs::read_to_string(&self.keys).unwrap()
    }

    /// As somebody who turns a key should: whole, or not at all.
    fn write_keys(&self, text: &str) {
        let beside = self.keys.with_extension("new");
        std::fs::write(&beside, text).unwrap();
        std::fs::rename(&beside, &self.keys).unwrap();
    }

    /// The command in a process of its own, dying at a crash point if there is one.
    async fn reseal(&self, crash_at: Option<&str>) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_entrepot"));
        command
            .env_clear()
            .arg("--data")
            .arg(self.app.folder.path())
            .env("ENTREPOT__DATABASE__URL", &self.app.database)
            .env("ENTREPOT__KEYS__FILE", &self.keys)
            .args(["migrate", "--reseal", "--json"])
            .stdin(Stdio::null());
        if let Some(point) = crash_at {
            command.env("ENTREPOT_CRASH_AT", point);
        }
        tokio::task::spawn_blocking(move || command.output())
            .await
            .unwrap()
            .unwrap()
    }

    /// To its end: what it said.
    async fn resealed(&self, status: i32) -> Value {
        let output = self.reseal(None).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// How many values each key has sealed.
    async fn sealed_by(&self) -> BTreeMap<String, usize> {
        let db = self.exchange().db();
        let storages = sql!(
            "select credential_key_id as key_id from storage where credential_kind = 'sealed'"
        )
        .rows(db)
        .await
        .unwrap();
        let settings = sql!("select value as key_id from setting where name like 'key.%'")
            .rows(db)
            .await
            .unwrap();
        let mut found = BTreeMap::new();
        for row in storages.iter().chain(&settings) {
            let text: String = row.get("key_id").unwrap();
            let id = text.split(':').next().unwrap().to_owned();
            *found.entry(id).or_default() += 1;
        }
        found
    }

    /// Another process on the same database, with the keys as they are now.
    async fn anew(&self) -> Result<Exchange, String> {
        let keys = FileKeyRing::open(&self.keys, false)
            .map_err(|error: KeyFileError| error.to_string())?;
        let settings = StorageSettings {
            file_roots: Vec::new(),
            endpoints: Vec::new(),
            parallel_requests: 4,
            table_files: delta::Budgets::default().files,
        };
        let wiring = Wiring {
            db: Db::open(&self.app.database).await.unwrap(),
            clock: self.exchange().clock(),
            keys: Arc::new(keys),
            lake: Lake::of(&settings),
            options: Options::default(),
            here: None,
            post: exchange::ports::Post::default(),
        };
        let connected = connect(wiring).await.map_err(|error| error.to_string())?;
        Ok(connected.exchange)
    }
}

async fn ids(exchange: &Exchange) -> Vec<(StorageId, String)> {
    let rows = sql!("select id, name from storage order by name")
        .rows(exchange.db())
        .await
        .unwrap();
    rows.iter()
        .map(|row| (row.get("id").unwrap(), row.get("name").unwrap()))
        .collect()
}

/// The secret that a worker would open the storage with.
async fn secret(exchange: &Exchange, id: StorageId) -> Result<String, exchange::Error> {
    let access = exchange
        .storage_access_for_system(&Principal::system(), id)
        .await?;
    Ok(access.credential.unwrap().expose_secret().to_owned())
}

/// What a server does until it is told to stop: it opens every storage, again and again, and changes some: their credentials,
/// other things of them, and new ones. Each thing that fails fails the test.
async fn busy(exchange: Exchange, stop: Arc<AtomicBool>, rounds: Arc<AtomicUsize>) -> usize {
    let operator = Principal::operator();
    let mut round = 0;
    while !stop.load(Ordering::SeqCst) {
        round += 1;
        let all = ids(&exchange).await;
        for (id, name) in &all {
            let opened = secret(&exchange, *id).await.unwrap();
            assert!(opened.contains(&format!("secret-of-{name}-")), "{opened}");
        }
        let (_, renamed) = &all[round % STORAGES];
        let (other, recredited) = &all[(round * 7 + 3) % STORAGES];
        let change = StorageChange {
            replicas: Some(round % 2 == 0),
            ..StorageChange::default()
        };
        exchange
            .storage_update(&operator, renamed, change)
            .await
            .unwrap();
        let change = StorageChange {
            credential: Some(credential(recredited, round)),
            ..StorageChange::default()
        };
        exchange
            .storage_update(&operator, recredited, change)
            .await
            .unwrap();
        let opened = secret(&exchange, *other).await.unwrap();
        let expected = format!("secret-of-{recredited}-{round}");
        assert!(opened.contains(&expected), "{opened}");
        if round <= 20 {
            let new = storage(&format!("t{round:02}"));
            exchange.storage_create(&operator, new).await.unwrap();
        }
        rounds.store(round, Ordering::SeqCst);
    }
    round
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_turned_under_load_and_through_kills() {
    for site in Site::each().await {
        let first = site.first_key();
        let before = site.anew().await.unwrap();
        let everything = STORAGES + 3;
        assert_eq!(
            site.sealed_by().await,
            BTreeMap::from([("k1".to_owned(), everything)])
        );
        site.write_keys(&format!("{}{first}", key("k2")));

        let (stop, rounds) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let server = tokio::spawn(busy(
            site.exchange().clone(),
            Arc::clone(&stop),
            Arc::clone(&rounds),
        ));
        let came = async |more: usize| {
            let wanted = rounds.load(Ordering::SeqCst) + more;
            while rounds.load(Ordering::SeqCst) < wanted && !server.is_finished() {
                tokio::task::yield_now().await;
            }
        };
        came(2).await;
        // Killed after a value was written, and before one is.
        for point in ["change.commit.after#4", "change.commit.before#4"] {
            let killed = site.reseal(Some(point)).await;
            assert_eq!(
                killed.status.code(),
                None,
                "{point}: {}",
                String::from_utf8_lossy(&killed.stderr)
            );
            let found = site.sealed_by().await;
            assert!(found.contains_key("k1"), "{point}: {found:?}");
            assert!(found["k2"] >= 4, "{point}: {found:?}");
            came(1).await;
        }
        let done = site.resealed(0).await;
        assert_eq!(done["key"], "k2", "{done}");
        assert!(done["resealed"].as_u64() > Some(0), "{done}");
        assert_eq!(done["left"], json!([]), "{done}");
        let found = site.sealed_by().await;
        assert_eq!(found.keys().collect::<Vec<_>>(), ["k2"], "{found:?}");
        came(2).await;
        let again = site.resealed(0).await;
        assert_eq!(again["resealed"], 0, "{again}");
        stop.store(true, Ordering::SeqCst);
        let rounds = server.await.unwrap();
        assert!(rounds >= 6, "{rounds} rounds");

        // The old key goes, and nobody misses it: neither who has been running nor who starts now.
        site.write_keys(&key("k2"));
        let after = site.anew().await.unwrap();
        let all = ids(site.exchange()).await;
        assert!(all.len() > STORAGES);
        for (id, name) in &all {
            let expected = secret(site.exchange(), *id).await.unwrap();
            assert!(expected.contains(&format!("secret-of-{name}-")));
            assert_eq!(secret(&after, *id).await.unwrap(), expected);
        }
        // The keys that it seals are the same ones: URLs and page tokens that are out stay good.
        for usage in ["erasure", "gateway", "pages"] {
            let system = Principal::system();
            assert_eq!(
                before.installation_key(&system, usage).await.unwrap(),
                after.installation_key(&system, usage).await.unwrap()
            );
        }
        let verified = site
            .exchange()
            .audit_verify(&Principal::operator(), None)
            .await;
        assert_eq!(verified.unwrap().broken, None);
        let rows = site
            .exchange()
            .audit_rows(&Principal::operator(), None, &PageRequest::all())
            .await
            .unwrap();
        assert!(
            rows.items
                .iter()
                .any(|row| row.operation == "CredentialReseal")
        );
        assert!(
            !serde_json::to_string(&rows.items)
                .unwrap()
                .contains("secret-of")
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_opened_keeps_its_key_and_is_named() {
    for site in Site::each().await {
        let first = site.first_key();
        let mut tx = site.exchange().db().begin().await.unwrap();
        sql!("update storage set credential_sealed = (select other.credential_sealed from storage as other where other.name = 's00')
              where name = 's01'")
        .execute(&mut tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
        site.write_keys(&format!("{}{first}", key("k2")));
        let done = site.resealed(1).await;
        assert_eq!(done["resealed"], STORAGES + 2, "{done}");
        assert_eq!(done["left"][0]["what"], "storage s01");
        assert_eq!(done["left"][0]["key"], "k1");
        assert!(
            done["left"][0]["why"]
                .as_str()
                .unwrap()
                .contains("changed or moved")
        );
        assert_eq!(site.sealed_by().await["k1"], 1);

        // Taken away too early: the sentence says which key is missing, and nothing is changed.
        site.write_keys(&key("k3"));
        let output = site.reseal(None).await;
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{said}");
        let missing = "the key `k2`, which is not in the key file";
        assert_eq!(said.matches(missing).count(), 1, "{said}");
        assert!(
            !said.contains(&site.app.folder.path().display().to_string()),
            "{said}"
        );
        assert!(!site.sealed_by().await.contains_key("k3"));
    }
}
