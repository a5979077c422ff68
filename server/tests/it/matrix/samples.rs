//! A good request of every operation. What it is done to is made anew where a call would use it up.

use exchange::jobs::{Wake, WorkKind};
use exchange::page::PageRequest;
use exchange::{Operation, Principal};
use model::dto::{ActivationNew, FederationNew, FlowNew, IdentityNew, ProfileNew, TokenNew};
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

/// A flow whose old copy lies where replicas are.
fn flow(product: &str) -> Value {
    json!({
        "product": product,
        "kind": "weekly full load",
        "consumers": 2,
        "to": "azure:westeurope",
        "storage": "az_weu",
        "path": "old/visits",
    })
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
            Operation::CutList => named(&["vehicle-visits"]),
            Operation::CutCreate => named(&["vehicle-visits"]).with(json!({
                "name": self.fresh("cut"),
                "tables": [{ "table": "visits", "pseudonymise": ["id"] }],
            })),
            Operation::CutRead => self.cut().await,
            Operation::CutUpdate => self.cut().await.with(json!({
                "description": "for tests",
                "tables": [{ "table": "visits", "pseudonymise": ["id"] }],
            })),
            Operation::CutRotate | Operation::CutRetire => self.cut().await.with(json!({})),
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

    /// A flow of the old way, by its id.
    async fn flow(&self, product: &str) -> String {
        let new: FlowNew = serde_json::from_value(flow(product)).unwrap();
        let operator = Principal::operator();
        let made = self.exchange().flow_register(&operator, new).await;
        made.unwrap().id.to_string()
    }

    /// A new cut of the usual product.
    async fn cut(&mut self) -> Sample {
        let made = self.cut_made().await;
        named(&["vehicle-visits", made.as_str()])
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
                    beside: false,
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
            | Operation::AdoptionList
            | Operation::FlowList
            | Operation::ErasureKeyRead
            | Operation::ErasureKeyRotate
            | Operation::RateList
            | Operation::MeterList
            | Operation::ChargeList
            | Operation::StatementList
            | Operation::SavingRead
            | Operation::AdviceList => none(),
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
            // Taken back: naming one looks at it first, and there is none here.
            Operation::AdoptionSet => none().with(json!({
                "product": "vehicle-visits",
                "storage": "az_weu",
                "path": "",
            })),
            Operation::FlowRegister => none().with(flow("vehicle-visits")),
            Operation::FlowImport => none().with(json!({
                "list": "table,kind,consumers,from,to\nvehicle-visits,FTP,1,,azure:westeurope\n",
            })),
            Operation::FlowSwitch => {
                let flow = self.flow("vehicle-visits").await;
                named(&[&flow]).with(json!({}))
            }
            Operation::FlowRemove => {
                let flow = self.flow("vehicle-visits").await;
                named(&[&flow])
            }
            Operation::FlowCompare => {
                self.replicated().await;
                let flow = self.flow("vehicle-replicated").await;
                named(&[&flow])
            }
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
            Operation::AdviceRead => named(&[&self.advised().await]),
            Operation::AdviceAccept => named(&[&self.advised().await]).with(json!({})),
            Operation::AdviceSnooze => {
                named(&[&self.advised().await]).with(json!({ "until": "2026-12-31" }))
            }
            Operation::AdviceDecline => {
                named(&[&self.advised().await]).with(json!({ "reason": "known already" }))
            }
            Operation::AdviceReckon => named(&["vehicle-visits"]),
            Operation::StatementIssue => {
                self.month_to_bill().await;
                named(&["aftersales", "2026-05"])
            }
            _ => return None,
        })
    }
}
