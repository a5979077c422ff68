//! A good request of every operation. What it is done to is made anew where a call would use it up.

use exchange::billing::MeterEventNew;
use exchange::jobs::{Lane, Wake, WorkKind};
use exchange::page::PageRequest;
use exchange::{Operation, Principal};
use model::dto::{
    ActivationNew, DecisionNew, ErasureNew, FederationNew, IdentityNew, ProfileNew, PurposeNew,
    RateNew, RecipientNew, Request, RequestNew, TokenNew,
};
use model::{Clock as _, Method, Purpose, RunKind, Timestamp};
use serde_json::{Value, json};

use super::{Sample, World};
use crate::support::ISSUER;

fn none() -> Sample {
    Sample::default()
}

fn named(names: &[&str]) -> Sample {
    Sample {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Sample::default()
    }
}

impl Sample {
    fn with(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }
}

/// The replica that the sample's grant brought about.
pub(crate) const REPLICA: &str = "vehicle-replicated@az_weu";

impl World {
    /// None: the operation has no sample.
    pub(crate) async fn sample(&mut self, operation: Operation) -> Option<Sample> {
        if let Some(found) = self.of_people(operation).await {
            return Some(found);
        }
        if let Some(found) = self.of_catalog(operation).await {
            return Some(found);
        }
        if let Some(found) = self.of_access(operation).await {
            return Some(found);
        }
        self.of_replicas_and_money(operation).await
    }

    async fn of_people(&mut self, operation: Operation) -> Option<Sample> {
        Some(match operation {
            Operation::PersonRead
            | Operation::PersonList
            | Operation::TokenList
            | Operation::DomainList
            | Operation::TeamList
            | Operation::AuditList
            | Operation::DeliveryRead
            | Operation::AssessmentRead
            | Operation::AssessmentList
            | Operation::WorkList => none(),
            Operation::PersonCreate => {
                none().with(json!({ "name": self.fresh("person"), "title": "P" }))
            }
            Operation::PersonUpdate => named(&["zoe"]).with(json!({ "title": "Zoe" })),
            Operation::RoleSet => named(&["zoe"]).with(json!({ "roles": [] })),
            Operation::PasswordSet => {
                named(&["zoe"]).with(json!({ "password": "another long one" }))
            }
            Operation::NotificationsRead => named(&["zoe"]),
            Operation::NotificationsSet => {
                named(&["zoe"]).with(json!({ "kinds": ["request_decided"] }))
            }
            Operation::DeliveryTest => none().with(json!({ "person": "zoe" })),
            Operation::IdentityList => named(&["zoe"]),
            Operation::IdentityLink => {
                let subject = self.fresh("subject");
                named(&["zoe"]).with(json!({ "issuer": "https://id.example", "subject": subject }))
            }
            Operation::IdentityUnlink => {
                let new = IdentityNew {
                    issuer: "https://id.example".to_owned(),
                    subject: self.fresh("subject"),
                };
                let operator = Principal::operator();
                let made = self.exchange().identity_link(&operator, "zoe", new).await;
                named(&["zoe", &made.unwrap().id.to_string()])
            }
            Operation::TokenCreate => none().with(json!({ "name": "ci" })),
            Operation::TokenRevoke => {
                let new = TokenNew {
                    name: "of zoe".to_owned(),
                    team: None,
                    role: None,
                    days: None,
                };
                let operator = Principal::operator();
                let made = self
                    .exchange()
                    .token_create(&operator, Some("zoe"), new)
                    .await;
                named(&[&made.unwrap().detail.id.to_string()])
            }
            Operation::DomainCreate => {
                none().with(json!({ "name": self.fresh("domain"), "title": "D" }))
            }
            Operation::DomainUpdate => named(&["vehicle"]).with(json!({ "title": "Vehicle" })),
            Operation::TeamRead => named(&["aftersales"]),
            Operation::TeamUpdate => {
                named(&["sales"]).with(json!({ "contact": "sales@example.org" }))
            }
            Operation::TeamCreate => {
                let name = self.fresh("team");
                none().with(
                    json!({ "name": name, "domain": "vehicle", "title": "T", "cost_center": "1" }),
                )
            }
            Operation::MemberSet => {
                named(&["aftersales", "zoe"]).with(json!({ "role": "consumer" }))
            }
            Operation::MemberRemove => {
                self.app.member("aftersales", "zoe", "consumer").await;
                named(&["aftersales", "zoe"])
            }
            Operation::AuditVerify => none().with(json!({})),
            Operation::DeclarationValidate | Operation::DeclarationPlan => {
                let yaml = "domains: { parts: { title: Parts } }";
                none().with(json!({ "yaml": yaml }))
            }
            Operation::DeclarationDeploy => {
                let name = self.fresh("declared");
                let yaml = format!("domains: {{ {name}: {{ title: D }} }}");
                let file = "entrepot.yml";
                none().with(json!({ "yaml": yaml, "file": file, "commit": "c0ffee" }))
            }
            Operation::DeclarationExport => none(),
            Operation::WorkRetryAll => none().with(json!({ "kind": "mail" })),
            Operation::WorkRetry => {
                let wake = Wake::new(WorkKind::Refresh, self.fresh("work"));
                self.exchange()
                    .wake(&Principal::system(), &wake)
                    .await
                    .unwrap();
                let (operator, page) = (Principal::operator(), PageRequest::default());
                let listed = self.exchange().work_list(&operator, &page).await;
                named(&[&listed.unwrap().items[0].id.to_string()])
            }
            _ => return None,
        })
    }

    async fn of_catalog(&mut self, operation: Operation) -> Option<Sample> {
        Some(match operation {
            Operation::StorageList | Operation::ProductList => none(),
            Operation::StorageRead => named(&["aws_eu"]),
            Operation::StorageCreate => {
                let name = self.fresh("storage");
                let url = self.app.lake_url(&name);
                none().with(
                    json!({ "name": name, "cloud": "aws", "region": "eu-west-1", "url": url }),
                )
            }
            Operation::StorageUpdate => named(&["az_weu"]).with(json!({ "replicas": true })),
            Operation::StorageDoctor => named(&["aws_eu"]).with(json!({ "write": false })),
            Operation::AssessmentStart => none().with(json!({ "storage": "aws_eu" })),
            Operation::AssessmentShow | Operation::AssessmentCancel => {
                let operator = Principal::operator();
                let open = self.exchange().assessment_open(&operator, "aws_eu/");
                let (id, _) = open.await.unwrap();
                named(&[&id.to_string()])
            }
            Operation::TableInspect => {
                none().with(json!({ "storage": "aws_eu", "path": "vehicle-visits" }))
            }
            Operation::StorageScan => named(&["aws_eu"]).with(json!({ "team": "aftersales" })),
            Operation::ProductRead | Operation::ProductHistory | Operation::ProductRefresh => {
                named(&["vehicle-visits"])
            }
            Operation::ProductRegister => none().with(json!({
                "name": self.fresh("vehicle-draft"),
                "team": "aftersales",
                "title": "T",
                "storage": "aws_eu",
                "classification": "internal",
            })),
            Operation::ProductUpdate => {
                named(&["vehicle-visits"]).with(json!({ "title": "Visits" }))
            }
            Operation::ProductPublish => {
                let name = self.fresh("vehicle-product");
                self.app.draft(&name, "aftersales").await;
                named(&[&name]).with(json!({}))
            }
            Operation::ProductRetire => {
                let name = self.fresh("vehicle-product");
                self.app.product(&name, "aftersales").await;
                named(&[&name]).with(json!({ "reason": "over" }))
            }
            _ => return None,
        })
    }

    /// Makes a credential of a recipient; answers its id.
    async fn credential(&self, recipient: &str) -> String {
        let consumer = self.principal("consumer").await;
        let exchange = self.exchange();
        exchange
            .profile_create(&consumer, recipient, ProfileNew::default())
            .await
            .unwrap();
        let found = exchange.recipient(&consumer, recipient).await.unwrap();
        found.tokens[0].id.to_string()
    }

    async fn of_access(&mut self, operation: Operation) -> Option<Sample> {
        Some(match operation {
            Operation::RecipientList
            | Operation::RequestList
            | Operation::GrantList
            | Operation::ShareQueryList => none(),
            Operation::RecipientRead => named(&[&self.recipient("rnd_read", "westeurope").await]),
            Operation::RecipientCreate => none().with(json!({
                "name": self.fresh("recipient"),
                "team": "rnd",
                "cloud": "azure",
                "region": self.fresh("region"),
            })),
            Operation::RecipientUpdate => {
                let name = self.fresh("moved");
                named(&[&self.recipient(&name, &name).await])
                    .with(json!({ "region": self.fresh("region") }))
            }
            Operation::ProfileCreate => {
                let name = self.fresh("profiled");
                named(&[&self.recipient(&name, &name).await]).with(json!({}))
            }
            Operation::RecipientRotate => {
                let name = self.fresh("rotated");
                self.recipient(&name, &name).await;
                self.credential(&name).await;
                named(&[&name]).with(json!({}))
            }
            Operation::RecipientTokenRevoke => {
                let name = self.fresh("credited");
                self.recipient(&name, &name).await;
                let token = self.credential(&name).await;
                named(&[&name, &token])
            }
            Operation::RecipientLimitsSet => {
                let name = self.fresh("limited");
                named(&[&self.recipient(&name, &name).await])
                    .with(json!({ "addresses": ["192.0.2.0/24"], "requests_per_minute": 60 }))
            }
            Operation::RecipientPropertiesRead | Operation::RecipientPropertiesSet => {
                let name = self.fresh("noted");
                let sample = named(&[&self.recipient(&name, &name).await]);
                if operation == Operation::RecipientPropertiesRead {
                    return Some(sample);
                }
                sample.with(json!({ "properties": [{ "name": "country", "value": "DE" }] }))
            }
            Operation::FederationSet => {
                let name = self.fresh("federated");
                named(&[&self.recipient(&name, &name).await])
                    .with(json!({ "issuer": ISSUER, "audience": "entrepot", "subject": name }))
            }
            Operation::FederationEnd => {
                let name = self.fresh("unfederated");
                self.recipient(&name, &name).await;
                let consumer = self.principal("consumer").await;
                let new = FederationNew {
                    issuer: ISSUER.to_owned(),
                    audience: "entrepot".to_owned(),
                    claim: None,
                    subject: name.clone(),
                };
                let set = self.exchange().federation_set(&consumer, &name, new);
                set.await.unwrap();
                named(&[&name])
            }
            Operation::ActivationCreate => {
                let name = self.fresh("activated");
                named(&[&self.recipient(&name, &name).await]).with(json!({}))
            }
            Operation::ActivationEnd => {
                let name = self.fresh("inactivated");
                self.recipient(&name, &name).await;
                let consumer = self.principal("consumer").await;
                let new = ActivationNew::default();
                let made = self.exchange().activation_create(&consumer, &name, new);
                made.await.unwrap();
                named(&[&name])
            }
            Operation::TokenReport => {
                let name = self.fresh("leaked");
                self.recipient(&name, &name).await;
                let consumer = self.principal("consumer").await;
                let new = ProfileNew::default();
                let made = self.exchange().profile_create(&consumer, &name, new);
                let token = made.await.unwrap().bearer_token;
                none().with(json!({ "tokens": [token] }))
            }
            Operation::OfferRead => {
                self.recipient("rnd_read", "westeurope").await;
                Sample {
                    query: "?recipient=rnd_read",
                    ..named(&["vehicle-visits"])
                }
            }
            Operation::RequestRead | Operation::RequestWithdraw => {
                let request = self.request("live").await;
                named(&[&request.id.to_string()])
            }
            Operation::RequestCreate => {
                let name = self.fresh("asking");
                self.recipient(&name, &name).await;
                none().with(json!({
                    "product": "vehicle-visits",
                    "recipient": name,
                    "mode": "live",
                    "until": "2026-12-31",
                    "purpose": { "code": "warranty", "text": "warranty analysis" },
                }))
            }
            Operation::RequestDecide => {
                let request = self.request("live").await;
                named(&[&request.id.to_string()]).with(
                    json!({ "verdict": "reject", "note": "no", "revision": request.revision }),
                )
            }
            Operation::GrantRead => {
                let grant = self.granted().await;
                named(&[&grant])
            }
            Operation::GrantRevoke => {
                let grant = self.granted().await;
                named(&[&grant]).with(json!({ "reason": "over" }))
            }
            Operation::GrantNarrow => {
                let grant = self.granted().await;
                named(&[&grant]).with(json!({ "directory": true }))
            }
            Operation::GrantLimit => {
                let grant = self.granted().await;
                named(&[&grant]).with(json!({ "live_bytes_per_day": 50_000_000_000_u64 }))
            }
            _ => return None,
        })
    }

    async fn of_replicas_and_money(&mut self, operation: Operation) -> Option<Sample> {
        Some(match operation {
            Operation::ReplicaList
            | Operation::SyncRunList
            | Operation::ErasureList
            | Operation::ErasureKeyRead
            | Operation::RateList
            | Operation::MeterList
            | Operation::ChargeList
            | Operation::StatementList
            | Operation::SavingRead => none(),
            Operation::ReplicaRead
            | Operation::SyncStart
            | Operation::SyncPlanRead
            | Operation::VacuumStart
            | Operation::VerifyStart
            | Operation::ReplicaRelease => {
                self.replicated().await;
                named(&[REPLICA])
            }
            Operation::SyncJobUpdate => {
                self.replicated().await;
                named(&[REPLICA]).with(json!({ "paused": true }))
            }
            Operation::SyncRunRead => {
                let run = self.run().await;
                named(&[&run])
            }
            Operation::ErasureRead | Operation::ErasureCertificate => {
                let erasure = self.erased().await;
                named(&[&erasure])
            }
            Operation::ErasureRequest => none().with(json!({
                "product": "vehicle-visits",
                "reason": "a person asked to be forgotten",
            })),
            Operation::RateCreate => none().with(json!({
                "from": format!("aws:{}", self.fresh("region")),
                "to": "azure:*",
                "price": "0.09",
                "unit": "GB",
                "currency": "USD",
                "valid_from": "2026-07-01",
                "source": "list price",
            })),
            Operation::ReportRun => {
                self.day_to_report().await;
                none()
            }
            Operation::AccessLogImport => {
                none().with(json!({ "storage": "aws_eu", "lies_in": "aws_eu", "prefix": "logs" }))
            }
            Operation::StatementRead => named(&["aftersales", "2026-06"]),
            Operation::StatementLineRead => {
                self.month_to_bill().await;
                let system = Principal::system();
                self.exchange().billing_report(&system).await.unwrap();
                Sample {
                    query: "?kind=transfer&product=vehicle-visits&from=aws:eu-central-1&to=azure:westeurope\
                            &method=measured&currency=USD",
                    ..named(&["aftersales", "2026-05"])
                }
            }
            Operation::StatementIssue => {
                self.month_to_bill().await;
                named(&["aftersales", "2026-05"])
            }
            _ => return None,
        })
    }

    /// A recipient of the consumer's team; there already the second time.
    pub(crate) async fn recipient(&self, name: &str, region: &str) -> String {
        let new = RecipientNew {
            name: name.to_owned(),
            team: "rnd".to_owned(),
            cloud: "azure".to_owned(),
            region: region.to_owned(),
        };
        let _ = self
            .exchange()
            .recipient_create(&Principal::operator(), new)
            .await;
        let found = self
            .exchange()
            .recipient(&Principal::operator(), name)
            .await;
        found.unwrap().name.to_string()
    }

    /// A request that waits for the owner, by a recipient of its own.
    pub(crate) async fn request(&mut self, mode: &str) -> Request {
        let name = self.fresh("asking");
        self.recipient(&name, &name).await;
        self.ask("vehicle-visits", &name, mode).await
    }

    pub(crate) async fn ask(&self, product: &str, recipient: &str, mode: &str) -> Request {
        let new = RequestNew {
            product: product.to_owned(),
            recipient: recipient.to_owned(),
            mode: mode.to_owned(),
            until: "2026-12-31".to_owned(),
            purpose: PurposeNew {
                code: "warranty".to_owned(),
                text: "warranty analysis".to_owned(),
            },
        };
        let consumer = self.principal("consumer").await;
        self.exchange()
            .request_create(&consumer, new)
            .await
            .unwrap()
    }

    /// The grant of an approved request.
    pub(crate) async fn approve(&self, request: &Request) -> String {
        let new = DecisionNew {
            verdict: "approve".to_owned(),
            note: String::new(),
            revision: request.revision,
            stage: None,
            live_bytes_per_day: None,
            scope: None,
        };
        let producer = self.principal("producer").await;
        let decided = self
            .exchange()
            .request_decide(&producer, request.id, new)
            .await
            .unwrap();
        decided.grant.unwrap().to_string()
    }

    pub(crate) async fn granted(&mut self) -> String {
        let request = self.request("live").await;
        self.approve(&request).await
    }

    /// A replica in the consumer's region, made by the reconciler for a grant; once.
    pub(crate) async fn replicated(&self) {
        let operator = Principal::operator();
        if self.exchange().replica(&operator, REPLICA).await.is_ok() {
            return;
        }
        self.app.product("vehicle-replicated", "aftersales").await;
        self.recipient("rnd_replica", "westeurope").await;
        let request = self
            .ask("vehicle-replicated", "rnd_replica", "replica")
            .await;
        let grant = self.approve(&request).await;
        let system = Principal::system();
        self.exchange()
            .grant_reconcile(&system, grant.parse().unwrap())
            .await
            .unwrap();
        self.exchange().replica(&operator, REPLICA).await.unwrap();
    }

    /// A run of the replica's table, as a worker begins it; once.
    pub(crate) async fn run(&self) -> String {
        self.replicated().await;
        let (operator, system) = (Principal::operator(), Principal::system());
        let exchange = self.exchange();
        let runs = exchange
            .sync_runs(&operator, None, &PageRequest::default())
            .await
            .unwrap();
        if let Some(run) = runs.items.first() {
            return run.id.to_string();
        }
        let replica = exchange.replica(&operator, REPLICA).await.unwrap();
        let table = replica.tables[0].id;
        let task = exchange.sync_task(&system, table).await.unwrap().unwrap();
        exchange
            .wake(&system, &Wake::new(WorkKind::Sync, table))
            .await
            .unwrap();
        let hour = model::time::HOUR;
        let leased = loop {
            let next = exchange
                .work_lease(&system, "matrix", None, hour, Lane::Data)
                .await
                .unwrap();
            let next = next.expect("the work that was woken");
            if next.key == table.to_string() {
                break next;
            }
        };
        let run = exchange
            .run_begin(&system, &task, RunKind::Sync, &leased)
            .await;
        run.unwrap().run().unwrap().id.to_string()
    }

    /// An erasure in a product without replicas, which is certified at once; once.
    pub(crate) async fn erased(&self) -> String {
        let (operator, exchange) = (Principal::operator(), self.exchange());
        let page = PageRequest::default();
        let found = exchange.erasures(&operator, None, &page).await.unwrap();
        if let Some(erasure) = found.items.first() {
            return erasure.id.to_string();
        }
        let new = ErasureNew {
            product: "vehicle-visits".to_owned(),
            reason: "a person asked to be forgotten".to_owned(),
            ..ErasureNew::default()
        };
        let made = exchange.erasure_request(&operator, new).await;
        made.unwrap().id.to_string()
    }

    /// Bytes of a day that is over and was not reported.
    async fn day_to_report(&mut self) {
        let key = self.fresh("day");
        self.bytes_in_may(&key).await;
    }

    /// Something to bill in May, once.
    pub(crate) async fn month_to_bill(&self) {
        self.bytes_in_may("may").await;
    }

    async fn bytes_in_may(&self, key: &str) {
        let (operator, system) = (Principal::operator(), Principal::system());
        let product = self
            .exchange()
            .product(&operator, "vehicle-visits")
            .await
            .unwrap()
            .id;
        let event = MeterEventNew {
            key: key.to_owned(),
            product: Some(product),
            table: None,
            grant: None,
            recipient: None,
            run: None,
            query: None,
            from: "aws:eu-central-1".parse().unwrap(),
            to: "azure:westeurope".parse().unwrap(),
            bytes: 1_000_000_000,
            busy: 0,
            method: Method::Measured,
            purpose: Purpose::Sync,
        };
        let rate = RateNew {
            from: "aws:eu-central-1".to_owned(),
            to: "azure:westeurope".to_owned(),
            price: "0.09".to_owned(),
            unit: "GB".to_owned(),
            currency: "USD".to_owned(),
            valid_from: "2026-05-01".to_owned(),
            valid_until: None,
            source: "list price".to_owned(),
        };
        let today = self.app.clock.now();
        self.app.clock.set(Timestamp::parse("2026-05-01").unwrap());
        // There already the second time.
        let _ = self.exchange().rate_create(&operator, rate).await;
        self.app.clock.set(Timestamp::parse("2026-05-15").unwrap());
        self.exchange().meter_record(&system, &event).await.unwrap();
        self.app.clock.set(today);
    }
}
