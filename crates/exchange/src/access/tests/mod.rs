//! Access, end to end on both databases: ask, decide, reconcile, read, end. Here: the world that the tests play in.

mod accepting;
mod advising;
mod asking;
mod binding;
mod cuts;
mod deciding;
mod ended;
mod erasing;
mod flows;
mod following;
mod history;
mod later;
mod looking;
mod outbox;
mod queries;
mod quota;
mod racing;
mod reading;
mod replicas;
mod rotation;
mod scheduling;
mod scope;
mod telling;
mod turns;
mod versions;
mod waiting;
mod ways;
mod whole;
mod words;

use model::dto::{
    CredentialNew, DecisionNew, DomainNew, Inspection, MemberChange, PersonNew, ProductNew,
    ProductPublish, PurposeNew, RateNew, RecipientNew, RequestNew, StorageNew, TableNew, TeamNew,
};
use model::{GrantId, RunKind, Timestamp};

use crate::access::SharedTable;
use crate::db::Ground;
use crate::jobs::{Lane, WorkKind};
use crate::principal::Principal;
use crate::replicas::{RunStart, SyncCommitted, SyncOutcome, SyncTask};
use crate::testing::TestExchange;
use crate::{Exchange, sql};

/// Jonas, Mara, Dora and Otto.
type People = [Principal; 4];

/// Name, classification and access policy of what there is.
const PRODUCTS: [(&str, &str, &str); 3] = [
    ("vehicle-visits", "internal", "owner"),
    ("vehicle-claims", "personal", "owner"),
    ("vehicle-parts", "public", "auto"),
];

/// Two teams, a product of each classification, a recipient in Azure.
struct World {
    test: TestExchange,
    system: Principal,
    operator: Principal,
    /// Producer of after-sales.
    jonas: Principal,
    /// Consumer of R&D.
    mara: Principal,
    /// Data-protection officer, and a producer of after-sales too.
    dora: Principal,
    /// Belongs to nobody here.
    otto: Principal,
}

impl World {
    async fn each() -> Vec<Self> {
        static GROUND: Ground<People> = Ground::new();
        let lay = |test| async move { Self::on(test).await.apart() };
        let laid = TestExchange::laid_each(&GROUND, lay).await.unwrap();
        laid.into_iter().map(Self::again).collect()
    }

    /// Its people, and what else there is.
    fn apart(self) -> (TestExchange, People) {
        (self.test, [self.jonas, self.mara, self.dora, self.otto])
    }

    /// What `on` made, in a copy of its database.
    fn again((test, [jonas, mara, dora, otto]): (TestExchange, People)) -> Self {
        let world = Self {
            test,
            system: Principal::system(),
            operator: Principal::operator(),
            jonas,
            mara,
            dora,
            otto,
        };
        for (name, _, _) in PRODUCTS {
            world.put_log(name);
        }
        world
    }

    fn exchange(&self) -> &Exchange {
        &self.test.exchange
    }

    async fn on(test: TestExchange) -> Self {
        let exchange = test.exchange.clone();
        let operator = Principal::operator();
        let domain = DomainNew {
            name: "vehicle".into(),
            title: "Vehicle".into(),
            description: String::new(),
        };
        exchange.domain_create(&operator, domain).await.unwrap();
        for name in ["aftersales", "rnd"] {
            let team = TeamNew {
                name: name.into(),
                domain: "vehicle".into(),
                title: name.into(),
                cost_center: format!("cc-{name}"),
                contact: String::new(),
            };
            exchange.team_create(&operator, team).await.unwrap();
        }
        let mut people = Vec::new();
        for (name, team, role, roles) in [
            ("jonas", Some("aftersales"), "producer", vec![]),
            ("mara", Some("rnd"), "consumer", vec![]),
            (
                "dora",
                Some("aftersales"),
                "producer",
                vec!["data_protection".to_owned()],
            ),
            ("otto", None, "", vec![]),
        ] {
            let person = PersonNew {
                name: name.into(),
                title: name.into(),
                email: String::new(),
                password: None,
                roles,
            };
            exchange.person_create(&operator, person).await.unwrap();
            if let Some(team) = team {
                exchange
                    .member_set(&operator, team, name, MemberChange { role: role.into() })
                    .await
                    .unwrap();
            }
            let id = exchange.person_by_name(name).await.unwrap().unwrap().id;
            people.push(exchange.principal_of(id).await.unwrap().unwrap());
        }
        for (name, cloud, region, url, replicas) in [
            (
                "aws_eu",
                "aws",
                "eu-central-1",
                "s3://lake/aftersales",
                false,
            ),
            ("az_weu", "azure", "westeurope", "file:///srv/az_weu", true),
        ] {
            let storage = StorageNew {
                name: name.into(),
                cloud: cloud.into(),
                region: region.into(),
                url: url.into(),
                endpoint: None,
                credential: url
                    .starts_with("s3:")
                    .then(|| CredentialNew::from("env:ENTREPOT_CREDENTIAL_LAKE")),
                replicas,
            };
            exchange.storage_create(&operator, storage).await.unwrap();
        }
        let rate = RateNew {
            from: "aws:eu-central-1".into(),
            to: "azure:*".into(),
            price: "0.09".into(),
            unit: "GB".into(),
            currency: "USD".into(),
            valid_from: "2026-01-01".into(),
            valid_until: None,
            source: "list price".into(),
        };
        exchange.rate_create(&operator, rate).await.unwrap();
        let new = RecipientNew {
            name: "rnd_weu".into(),
            team: "rnd".into(),
            cloud: "azure".into(),
            region: "westeurope".into(),
        };
        exchange.recipient_create(&people[1], new).await.unwrap();
        let world = Self::again((test, people.try_into().unwrap()));
        for (name, classification, policy) in PRODUCTS {
            world.product(name, classification, policy).await;
        }
        world
    }

    async fn product(&self, name: &str, classification: &str, policy: &str) {
        self.draft(name, classification, policy).await;
        self.exchange()
            .product_publish(&self.jonas, name, ProductPublish::default())
            .await
            .unwrap();
    }

    /// Puts a table's log into the producer's storage.
    fn put_log(&self, path: &str) {
        self.test
            .world
            .put_table("s3://lake/aftersales", path, Ok(inspection()));
    }

    async fn draft(&self, name: &str, classification: &str, policy: &str) {
        self.put_log(name);
        let new = ProductNew {
            name: name.into(),
            team: "aftersales".into(),
            title: name.into(),
            description: String::new(),
            tags: Vec::new(),
            storage: "aws_eu".into(),
            classification: classification.into(),
            access_policy: policy.into(),
            payer: "producer".into(),
            baseline_days: 7,
            tables: vec![TableNew {
                name: "t".into(),
                schema: "default".into(),
                path: name.into(),
                storage: None,
                format: "delta".into(),
                history: false,
                change_data_feed: false,
                history_start: None,
            }],
        };
        self.exchange()
            .product_register(&self.jonas, new)
            .await
            .unwrap();
    }

    fn ask(product: &str, mode: &str) -> RequestNew {
        RequestNew {
            product: product.into(),
            recipient: "rnd_weu".into(),
            mode: mode.into(),
            cut: None,
            until: "2026-12-31".into(),
            purpose: PurposeNew {
                code: "warranty".into(),
                text: "warranty analysis".into(),
            },
        }
    }

    fn say(verdict: &str, revision: i64) -> DecisionNew {
        DecisionNew {
            verdict: verdict.into(),
            note: "because".into(),
            revision,
            stage: None,
            live_bytes_per_day: None,
            scope: None,
        }
    }

    /// Asked by mara, approved by jonas.
    async fn granted(&self, product: &str, mode: &str) -> GrantId {
        let request = self
            .exchange()
            .request_create(&self.mara, Self::ask(product, mode))
            .await
            .unwrap();
        let say = Self::say("approve", request.revision);
        self.exchange()
            .request_decide(&self.jonas, request.id, say)
            .await
            .unwrap()
            .grant
            .unwrap()
    }

    /// The recipient's first credential, and its id.
    async fn reading_token(&self) -> (String, model::RecipientTokenId) {
        let profile = self
            .exchange()
            .profile_create(&self.mara, "rnd_weu", model::dto::ProfileNew::default())
            .await
            .unwrap();
        let token = profile.bearer_token;
        let id = self.id_of(&token).await;
        (token, id)
    }

    /// Of a credential that counts.
    async fn id_of(&self, token: &str) -> model::RecipientTokenId {
        let found = self
            .exchange()
            .reader_of_token(&self.system, token, None)
            .await;
        found.unwrap().unwrap().1
    }

    async fn reader(&self) -> model::RecipientId {
        let row = sql!("select id from recipient where name = 'rnd_weu'")
            .row(self.exchange().db())
            .await
            .unwrap();
        row.unwrap().get("id").unwrap()
    }

    /// What it reads, and that each of them, asked for by its names, is the same.
    async fn shared_tables(&self, reader: model::RecipientId) -> Vec<SharedTable> {
        let exchange = self.exchange();
        let all = exchange.shared_tables(&self.system, reader).await.unwrap();
        for row in &all {
            let names = (
                row.share.as_str(),
                row.schema.as_str(),
                row.table_name.as_str(),
            );
            let one = exchange.shared_table(&self.system, reader, None, names);
            let one = one.await.unwrap().unwrap();
            assert_eq!(format!("{one:?}"), format!("{row:?}"));
        }
        all
    }

    /// As a worker would: begins the sync that is due.
    async fn begin_sync(&self) -> (SyncTask, RunStart) {
        let exchange = self.exchange();
        loop {
            let leased = exchange
                .work_lease(&self.system, "w", None, 60_000_000, Lane::Data)
                .await
                .unwrap()
                .unwrap();
            if leased.kind != WorkKind::Sync {
                exchange.work_done(&leased).await.unwrap();
                continue;
            }
            let task = exchange
                .sync_task(&self.system, leased.key.parse().unwrap())
                .await
                .unwrap()
                .unwrap();
            let run = exchange
                .run_begin(&self.system, &task, RunKind::Sync, &leased)
                .await
                .unwrap()
                .run()
                .unwrap();
            return (task, run);
        }
    }

    /// As a worker would: begins and finishes the sync that is due.
    async fn sync(&self, version: u64) {
        let exchange = self.exchange();
        loop {
            let Some(leased) = exchange
                .work_lease(&self.system, "w", None, 60_000_000, Lane::Data)
                .await
                .unwrap()
            else {
                break;
            };
            if leased.kind == WorkKind::Sync {
                let task = exchange
                    .sync_task(&self.system, leased.key.parse().unwrap())
                    .await
                    .unwrap()
                    .unwrap();
                let run = exchange
                    .run_begin(&self.system, &task, RunKind::Sync, &leased)
                    .await
                    .unwrap()
                    .run()
                    .unwrap();
                let committed = SyncCommitted {
                    source_committed_at: exchange.now(),
                    replica_version: version,
                    bytes: 4_000_000_000,
                };
                let outcome = SyncOutcome {
                    source_version: version,
                    goes_on: None,
                    committed: Some(committed),
                };
                assert!(
                    exchange
                        .run_done(&self.system, &task, &run, &outcome)
                        .await
                        .unwrap()
                );
                assert!(
                    !exchange
                        .run_done(&self.system, &task, &run, &outcome)
                        .await
                        .unwrap(),
                    "a run ends once"
                );
            }
            exchange.work_done(&leased).await.unwrap();
        }
    }
}

/// A table of two files that can be shared and cloned.
fn inspection() -> Inspection {
    Inspection {
        version: 3,
        committed_at: Timestamp::parse("2026-06-15T06:00:00Z").unwrap(),
        columns: Vec::new(),
        partition_columns: Vec::new(),
        schema_text: None,
        rows: Some(10),
        files: 2,
        bytes: 4_000_000_000,
        recent_bytes: 500_000_000,
        features: Vec::new(),
        refused_for: None,
        clone_refused_for: None,
        change_data_feed: false,
        lineage: None,
        alike: Vec::new(),
    }
}
