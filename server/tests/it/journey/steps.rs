//! The steps of the journey, each as a person takes it through `/api/v1`, and the looks that Python takes beside it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::world::World;
use crate::support::s3::BUCKET;

/// Where the table lies below the S3 storage; with a space, as people name folders.
pub(super) const SOURCE_PATH: &str = "workshop/visits 2026";
pub(super) const VISITS: &str = "vehicle-workshop-visits";
/// The table of the product in the folder.
pub(super) const FOLDER_PATH: &str = "parts/visits";
pub(super) const FOLDER: &str = "vehicle-parts-visits";

/// What a program of `end2end/python` said of a table.
#[derive(Debug, serde::Deserialize)]
pub(super) struct Seen {
    pub(super) version: u64,
    pub(super) rows: Vec<Value>,
    /// Everything that the profile shows.
    #[serde(default)]
    pub(super) tables: Vec<String>,
}

/// All rows, or the first that differs.
#[track_caller]
pub(super) fn assert_same_rows(found: &Seen, expected: &Seen, whose: &str) {
    let pairs = found.rows.iter().zip(&expected.rows);
    for (at, (found, expected)) in pairs.enumerate() {
        assert_eq!(found, expected, "row {at} of {whose}");
    }
    assert_eq!(found.rows.len(), expected.rows.len(), "rows of {whose}");
    assert!(!found.rows.is_empty(), "rows of {whose}");
}

/// USD per hour of sync runs.
pub(super) const COMPUTE_PRICE: &str = "987.654321";

impl World {
    /// What Python needs to open the source on S3, past the proxy.
    pub(super) fn source(&self) -> Value {
        self.s3
            .python(&format!("s3://{BUCKET}/aftersales/{SOURCE_PATH}"))
    }

    pub(super) async fn storages(&self) {
        for storage in [
            json!({
                "name": "aws_eu", "cloud": "aws", "region": "eu-central-1", "url": format!("s3://{BUCKET}/aftersales"),
                "endpoint": self.s3.proxy.url(), "credential": self.s3.credential(),
            }),
            json!({
                "name": "az_weu", "cloud": "azure", "region": "westeurope", "url": self.azurite.url("replicas"),
                "endpoint": self.azurite.proxy.url(), "credential": self.azurite.credential(), "replicas": true,
            }),
            json!({
                "name": "folder", "cloud": "aws", "region": "eu-west-1",
                "url": format!("file://{}", self.lake().display()),
            }),
        ] {
            self.ada.post("/storages", &storage).await;
        }
        for name in ["aws_eu", "az_weu", "folder"] {
            let report = self
                .ada
                .post(&format!("/storages/{name}/doctor"), &json!({}))
                .await;
            let checks = report["checks"].as_array().unwrap();
            assert!(checks.len() > 1, "{report:#}");
            assert!(
                checks.iter().all(|check| check["outcome"] != "failed"),
                "{report:#}"
            );
            // Where replicas are made a probe is written: it is fetched by its signed URL, and not without the signature.
            if name == "az_weu" {
                for tried in ["sign", "unsigned"] {
                    let check = checks.iter().find(|check| check["name"] == tried);
                    assert_eq!(check.unwrap()["outcome"], "ok", "{report:#}");
                }
            }
        }
    }

    /// 0.09 USD per GB from any region of AWS to any of Azure.
    pub(super) async fn rates(&self) {
        let rate = json!({
            "from": "aws:*", "to": "azure:*", "price": "0.09", "unit": "GB", "currency": "USD",
            "valid_from": "2026-01-01", "source": "a price of the test's own",
        });
        self.ada.post("/rates", &rate).await;
        // So dear that each of a run's milliseconds shows.
        let compute = json!({
            "kind": "compute", "price": COMPUTE_PRICE, "currency": "USD", "valid_from": "2026-01-01",
            "source": "a price of the test's own",
        });
        self.ada.post("/rates", &compute).await;
    }

    /// Registers a table as a product of its own, and publishes it.
    pub(super) async fn publish(&self, product: &str, storage: &str, path: &str) -> Value {
        let new = json!({
            "name": product, "team": "aftersales", "title": "Workshop visits", "storage": storage,
            "classification": "internal", "tables": [{ "name": "visits", "path": path }],
        });
        let registered = self.pia.post("/products", &new).await;
        assert_eq!(registered["state"], "draft", "{registered:#}");
        let published = self
            .pia
            .post(&format!("/products/{product}/publish"), &json!({}))
            .await;
        assert_eq!(published["state"], "published", "{published:#}");
        published
    }

    pub(super) async fn recipient(&self, name: &str) {
        let new = json!({ "name": name, "team": "rnd", "cloud": "azure", "region": "westeurope" });
        self.carl.post("/recipients", &new).await;
    }

    /// Carl asks, Pia says yes. Answers the grant's id.
    pub(super) async fn approved(&self, product: &str, recipient: &str, mode: &str) -> String {
        let until = self.clock_plus_days(300);
        let new = json!({
            "product": product, "recipient": recipient, "mode": mode, "until": until,
            "purpose": { "code": "warranty", "text": "warranty analysis" },
        });
        let request = self.carl.post("/requests", &new).await;
        assert_eq!(request["open_stages"], json!(["owner"]), "{request:#}");
        let path = format!("/requests/{}/decisions", request["id"].as_str().unwrap());
        let yes = json!({ "verdict": "approve", "revision": request["revision"] });
        let (status, _) = self.carl.ask(http::Method::POST, &path, Some(&yes)).await;
        assert_eq!(
            status,
            http::StatusCode::FORBIDDEN,
            "whoever asks does not decide"
        );
        let decided = self.pia.post(&path, &yes).await;
        assert_eq!(decided["state"], "approved", "{decided:#}");
        decided["grant"].as_str().unwrap().to_owned()
    }

    /// Works until a grant was seen to work.
    pub(super) async fn verified(&self, grant: &str) -> Value {
        let active = |grant: &Value| grant["actual"] == "active";
        let grant = self
            .work_until(&self.carl, &format!("/grants/{grant}"), active)
            .await;
        assert_eq!(
            grant["verified_at"],
            json!(self.clock_plus_days(0)),
            "{grant:#}"
        );
        assert_eq!(
            grant["first_read_at"],
            Value::Null,
            "looking is not reading: {grant:#}"
        );
        grant
    }

    /// Downloads a recipient's profile, as a file.
    pub(super) async fn profile(&self, recipient: &str) -> PathBuf {
        let profile = self
            .carl
            .post(&format!("/recipients/{recipient}/profile"), &json!({}))
            .await;
        assert_eq!(
            profile["endpoint"],
            format!("{}/delta-sharing/", self.front.url())
        );
        let path = self.folder.path().join(format!("{recipient}.share"));
        std::fs::write(&path, profile.to_string()).unwrap();
        path
    }

    /// Reads the product's table through a profile, once in each of the forms that the connector can be told to ask for.
    pub(super) async fn read_share_as(
        &self,
        profile: &Path,
        product: &str,
        delta: &[Option<bool>],
    ) -> Vec<Seen> {
        let seen = self.try_read_share(profile, product, delta).await;
        let seen = seen.unwrap_or_else(|said| panic!("{said}"));
        assert_eq!(seen.len(), delta.len());
        for seen in &seen {
            let table = format!("{product}.default.visits");
            assert_eq!(seen.tables, [table], "what the profile shows");
        }
        seen
    }

    /// The same in one form.
    pub(super) async fn read_share(
        &self,
        profile: &Path,
        product: &str,
        delta: Option<bool>,
    ) -> Seen {
        let mut seen = self.read_share_as(profile, product, &[delta]).await;
        seen.remove(0)
    }

    /// The same where it may fail: what Python said.
    pub(super) async fn try_read_share(
        &self,
        profile: &Path,
        product: &str,
        delta: &[Option<bool>],
    ) -> Result<Vec<Seen>, String> {
        let table = format!("{product}.default.visits");
        let asked = json!({ "profile": profile, "table": table, "delta": delta });
        self.python.try_run("read_share.py", &asked).await
    }

    pub(super) async fn read_source(&self) -> Seen {
        self.python.run("read_table.py", &self.source()).await
    }

    /// The replica as files of Azurite, without the sharing server.
    pub(super) async fn read_replica_files(&self) -> Seen {
        let path = format!("replicas/{VISITS}/default/visits");
        self.python
            .run("read_table.py", &self.azurite.python(&path))
            .await
    }

    /// The data files of the replica's newest version, as keys of the container, sorted.
    pub(super) async fn replica_keys(&self) -> Vec<String> {
        let folder = format!("replicas/{VISITS}/default/visits");
        let replica = self.azurite.python(&folder);
        let files: Vec<String> = self.python.run("list_files.py", &replica).await;
        let mut keys: Vec<String> = files
            .into_iter()
            .map(|file| format!("{folder}/{file}"))
            .collect();
        keys.sort();
        keys
    }

    /// The replica of the visits, as its owners see it.
    pub(super) async fn replica(&self) -> Value {
        self.pia.get(&format!("/replicas/{VISITS}@az_weu")).await
    }

    /// The one newest run, as the replica's owners see it.
    pub(super) async fn newest_run(&self) -> Value {
        let runs = self.pia.all(&format!("/sync-runs?product={VISITS}")).await;
        runs.into_iter().find(|run| run["kind"] == "sync").unwrap()
    }

    /// The bytes of a product's meter events of one purpose that are `measured`, oldest first.
    async fn events(&self, product: &str, purpose: &str) -> Vec<u64> {
        let events = self
            .pia
            .all(&format!("/meter-events?product={product}"))
            .await;
        let events = events
            .iter()
            .rev()
            .filter(|event| event["method"] == "measured" && event["purpose"] == purpose);
        events
            .map(|event| event["bytes"].as_u64().unwrap())
            .collect()
    }

    /// Σ bytes of the syncs of the visits.
    pub(super) async fn synced(&self) -> u64 {
        self.events(VISITS, "sync").await.iter().sum()
    }

    /// What was counted of the gateway's answers to consumers.
    pub(super) async fn gateway_events(&self) -> Vec<u64> {
        self.events(FOLDER, "gateway").await
    }

    /// The same once there are at least so many: an answer is counted when the server has heard how much of it came.
    pub(super) async fn gateway_events_until(&self, wanted: usize) -> Vec<u64> {
        let start = tokio::time::Instant::now();
        let mut again = tokio::time::interval(std::time::Duration::from_millis(50));
        loop {
            let events = self.gateway_events().await;
            if events.len() >= wanted {
                return events;
            }
            assert!(
                start.elapsed().as_secs() < 30,
                "{wanted} answers, but {events:?}"
            );
            again.tick().await;
        }
    }

    pub(super) fn clock_plus_days(&self, days: i64) -> String {
        self.exchange
            .now()
            .plus(days * model::time::DAY)
            .to_string()
    }
}
