//! A site for one test: an exchange on a fresh SQLite database, doubles of its ports, and two teams with their people.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use exchange::db::Db;
use exchange::ports::{
    AccessTarget, KeyRing, Observation, Ports, Post, Problem, Sealed, StorageAccess, StoreProbe,
    TableInspector,
};
use exchange::{Exchange, Options, Principal};
use http::{HeaderMap, Request, header};
use model::dto::{
    CheckOutcome, Column, Inspection, MemberChange, PersonNew, StorageCheck, StorageReport,
    TokenNew,
};
use model::{GrantId, ManualClock, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// Every folder holds the same table, every storage is well, every grant works.
struct World;

fn now() -> Timestamp {
    Timestamp::parse("2025-06-15T12:00:00Z").unwrap()
}

#[async_trait]
impl TableInspector for World {
    async fn inspect(&self, _: &StorageAccess, _: &str) -> Result<Inspection, Problem> {
        Ok(Inspection {
            version: 7,
            committed_at: now(),
            columns: vec![Column {
                name: "visit_id".to_owned(),
                type_text: "long".to_owned(),
                nullable: false,
                comment: None,
            }],
            partition_columns: Vec::new(),
            schema_text: None,
            rows: Some(3),
            files: 1,
            bytes: 1_000_000_000,
            recent_bytes: 1_000,
            features: Vec::new(),
            refused_for: None,
            clone_refused_for: None,
            change_data_feed: false,
            lineage: None,
            alike: Vec::new(),
        })
    }

    async fn latest(&self, _: &StorageAccess, _: &str) -> Result<u64, Problem> {
        Ok(7)
    }

    async fn scan(&self, _: &StorageAccess, prefix: &str) -> Result<Vec<String>, Problem> {
        Ok(vec![format!("{prefix}/found")])
    }
}

#[async_trait]
impl StoreProbe for World {
    fn check(&self, storage: &StorageAccess) -> Result<String, Problem> {
        Ok(storage.url.clone())
    }

    fn overlap(&self, one: &str, other: &str) -> bool {
        one == other
    }

    fn is_simulated(&self, url: &str) -> bool {
        url.starts_with("file:")
    }

    async fn examine(&self, _: &StorageAccess, write: bool) -> Result<StorageReport, Problem> {
        Ok(StorageReport {
            checks: vec![StorageCheck {
                name: "write".to_owned(),
                outcome: if write {
                    CheckOutcome::Ok
                } else {
                    CheckOutcome::Skipped
                },
                sentence: "as asked".to_owned(),
            }],
            least_policy: String::new(),
        })
    }
}

impl KeyRing for World {
    fn newest(&self) -> Result<String, Problem> {
        Ok("k1".to_owned())
    }

    fn seal(&self, place: &str, secret: &SecretString) -> Result<Sealed, Problem> {
        Ok(Sealed {
            key_id: place.to_owned(),
            bytes: secret.expose_secret().bytes().rev().collect(),
        })
    }

    fn open(&self, _: &str, sealed: &Sealed) -> Result<SecretString, Problem> {
        let bytes: Vec<u8> = sealed.bytes.iter().rev().copied().collect();
        Ok(SecretString::from(String::from_utf8(bytes).unwrap()))
    }

    fn environment(&self, name: &str) -> Result<SecretString, Problem> {
        Ok(SecretString::from(format!("{{\"from\":\"{name}\"}}")))
    }
}

#[async_trait]
impl AccessTarget for World {
    async fn observe(&self, _: GrantId) -> Observation {
        Observation::Works { seen_at: now() }
    }
}

pub(super) struct Site {
    pub(super) exchange: Exchange,
    pub(super) clock: Arc<ManualClock>,
    pub(super) operator: Principal,
    /// Producer of aftersales.
    pub(super) mara: Principal,
    /// Consumer of rnd.
    pub(super) otto: Principal,
    /// Finance.
    pub(super) fina: Principal,
    router: Router,
    _folder: tempfile::TempDir,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
    /// Null where it is not JSON.
    pub(super) json: Value,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// What a refusal says of a field.
    pub(super) fn wrong(&self, field: &str) -> &str {
        self.json["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|error| error["field"] == field)
            .unwrap_or_else(|| panic!("{field} is not said to be wrong: {}", self.text))["message"]
            .as_str()
            .unwrap()
    }
}

impl Site {
    pub(super) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entrepot.db");
        let db = Db::open(&path.to_string_lossy()).await.unwrap();
        db.migrate().await.unwrap();
        let clock = Arc::new(ManualClock::at(now()));
        let world = Arc::new(World);
        let ports = Ports {
            inspector: world.clone(),
            probe: world.clone(),
            keys: world.clone(),
            access: world,
            assessor: Arc::new(exchange::ports::Unassessed),
            foreseer: Arc::new(exchange::ports::Unforeseen),
            post: Post::default(),
        };
        let exchange = Exchange::new(db, clock.clone(), ports, Options::default());
        let mut site = Self {
            router: rest::router(exchange.clone()),
            exchange,
            clock,
            operator: Principal::operator(),
            mara: Principal::nobody(),
            otto: Principal::nobody(),
            fina: Principal::nobody(),
            _folder: folder,
        };
        let operator = site.operator.clone();
        let domain = json!({ "name": "vehicle", "title": "Vehicle data" });
        site.good(&operator, "POST /domains", domain).await;
        for team in ["aftersales", "rnd"] {
            let team =
                json!({ "name": team, "domain": "vehicle", "title": team, "cost_center": "4711" });
            site.good(&operator, "POST /teams", team).await;
        }
        site.mara = site.person("mara", Some(("aftersales", "producer"))).await;
        site.otto = site.person("otto", Some(("rnd", "consumer"))).await;
        site.fina = site.person("fina", None).await;
        site
    }

    /// A person with a place in a team, or else of finance.
    async fn person(&self, name: &str, member: Option<(&str, &str)>) -> Principal {
        let roles = if member.is_none() {
            vec!["finance"]
        } else {
            vec![]
        };
        let new = PersonNew {
            name: name.to_owned(),
            title: name.to_owned(),
            email: String::new(),
            password: None,
            roles: roles.into_iter().map(str::to_owned).collect(),
        };
        let made = self.exchange.person_create(&self.operator, new).await;
        made.unwrap();
        if let Some((team, role)) = member {
            let role = MemberChange {
                role: role.to_owned(),
            };
            let set = self.exchange.member_set(&self.operator, team, name, role);
            set.await.unwrap();
        }
        let new = TokenNew {
            name: "test".to_owned(),
            team: None,
            role: None,
            days: None,
        };
        let token = self
            .exchange
            .token_create(&self.operator, Some(name), new)
            .await
            .unwrap();
        self.exchange
            .principal_of_token(&token.token)
            .await
            .unwrap()
    }

    /// Two storages of two clouds, and a published product of aftersales in the first.
    pub(super) async fn with_product() -> Self {
        let site = Self::start().await;
        for (name, cloud, region, replicas) in [
            ("aws_eu", "aws", "eu-central-1", false),
            ("az_weu", "azure", "westeurope", true),
        ] {
            let storage = json!({
                "name": name, "cloud": cloud, "region": region, "url": format!("file:///srv/{name}"), "replicas": replicas,
            });
            site.good(&site.operator, "POST /storages", storage).await;
        }
        let product = json!({
            "name": "vehicle-visits", "team": "aftersales", "title": "Workshop visits", "storage": "aws_eu",
            "classification": "internal", "tables": [{ "name": "visits", "path": "workshop/visits" }],
        });
        site.good(&site.mara, "POST /products", product).await;
        let path = "POST /products/vehicle-visits/publish";
        site.good(&site.mara, path, json!({})).await;
        site
    }

    /// The same with a grant of that mode to rnd; answers the request.
    pub(super) async fn with_grant(mode: &str) -> (Self, Value) {
        let site = Self::with_product().await;
        let recipient =
            json!({ "name": "rnd_weu", "team": "rnd", "cloud": "azure", "region": "westeurope" });
        site.good(&site.otto, "POST /recipients", recipient).await;
        let request = json!({
            "product": "vehicle-visits", "recipient": "rnd_weu", "mode": mode, "until": "2026-06-01",
            "purpose": { "code": "warranty", "text": "warranty analysis" },
        });
        let asked = site.good(&site.otto, "POST /requests", request).await.json;
        let path = format!("POST /requests/{}/decisions", asked["id"].as_str().unwrap());
        let verdict = json!({ "verdict": "approve", "revision": asked["revision"] });
        let decided = site.good(&site.mara, &path, verdict).await.json;
        assert_eq!(decided["state"], "approved");
        (site, decided)
    }

    /// `GET /products?state=draft`; Null is no body.
    pub(super) async fn ask(&self, who: &Principal, line: &str, body: Value) -> Answer {
        self.ask_with(who, line, body, &[]).await
    }

    pub(super) async fn ask_with(
        &self,
        who: &Principal,
        line: &str,
        body: Value,
        headers: &[(&str, &str)],
    ) -> Answer {
        let (method, target) = line.split_once(' ').unwrap();
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .extension(who.clone());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = match body {
            Value::Null => request.body(Body::empty()),
            body => request
                .header(header::CONTENT_TYPE, "application/json")
                .body(Body::from(body.to_string())),
        };
        let response = self.router.clone().oneshot(request.unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 16 << 20).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            json: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        }
    }

    /// Asks for what must be done.
    pub(super) async fn good(&self, who: &Principal, line: &str, body: Value) -> Answer {
        let answer = self.ask(who, line, body).await;
        assert!(
            (200..300).contains(&answer.status),
            "{line}: {} {}",
            answer.status,
            answer.text
        );
        answer
    }

    pub(super) async fn get(&self, who: &Principal, path: &str) -> Value {
        self.good(who, &format!("GET {path}"), Value::Null)
            .await
            .json
    }
}
