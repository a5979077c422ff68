//! Declarations end to end, on both databases: the contract's file, what changes by hand, and what must not get through.

mod drafts;
mod files;
mod foresee;
mod grants;
mod mistakes;
mod organisation;
mod round;
mod rules;
mod schedules;

use model::dto::{
    Column, DeclarationAction, DeclarationPlan, Deployment, DeploymentNew, Inspection,
    MemberChange, PersonNew,
};
use model::{MemberRole, Timestamp};

use crate::Exchange;
use crate::db::Ground;
use crate::error::Error;
use crate::principal::Principal;
use crate::sql;
use crate::testing::TestExchange;

const LAKE: &str = "s3://lake/aftersales";

/// The file of the design's contract, to the letter.
const CONTRACT: &str = r#"exchange: { name: aftersales }
domains:    { vehicle: { title: Vehicle data } }
teams:      { aftersales: { domain: vehicle, title: After-Sales, cost_center: "4711" }, rnd: { domain: vehicle, title: "Research & Development" } }
storages:
  aws_eu:   { cloud: aws,   region: eu-central-1, url: "s3://lake/aftersales", endpoint: "http://127.0.0.1:9000", credential: "env:ENTREPOT_CREDENTIAL_AWS_EU" }
  az_weu:   { cloud: azure, region: westeurope,   url: "file:///srv/az_weu", replicas: true }
products:
  vehicle-workshop-visits:
    title: Workshop visits
    team: aftersales
    storage: aws_eu
    classification: internal        # public | internal | personal (personal: the owner and a data-protection officer decide)
    access: { policy: owner }       # auto | owner | named policy
    tables: [{ name: visits, schema: default, path: workshop/visits, format: delta, history: true, change_data_feed: true }]
recipients: { rnd_weu: { team: rnd, cloud: azure, region: westeurope } }
grants:     { rnd_visits: { product: vehicle-workshop-visits, recipient: rnd_weu, mode: replica, until: 2027-12-31, purpose: { code: warranty, text: "warranty analysis" } } }
sync_jobs:  { visits_weu: { product: vehicle-workshop-visits, to: az_weu, every: 2d, at: "03:00", timezone: Europe/Berlin, retention_hours: 168 } }
rates:      [{ from: "aws:eu-central-1", to: "azure:*", price: "0.09", unit: GB, currency: USD, valid_from: 2026-01-01, source: "list price, to be confirmed" }]
"#;

/// An empty exchange with the contract's table in its lake.
struct Stage {
    test: TestExchange,
    operator: Principal,
}

impl Stage {
    async fn each() -> Vec<Self> {
        let stages = TestExchange::start_each().await.unwrap();
        stages.into_iter().map(Self::on).collect()
    }

    fn on(test: TestExchange) -> Self {
        for path in ["workshop/visits", "workshop/parts", "ledger/lines"] {
            test.world.put_table(LAKE, path, Ok(inspection()));
        }
        Self {
            test,
            operator: Principal::operator(),
        }
    }

    /// The same with the contract deployed.
    async fn each_deployed() -> Vec<Self> {
        static GROUND: Ground<()> = Ground::new();
        let lay = |test| async move {
            let stage = Self::on(test);
            stage.deploy(&stage.operator, CONTRACT).await.unwrap();
            (stage.test, ())
        };
        let laid = TestExchange::laid_each(&GROUND, lay).await.unwrap();
        laid.into_iter().map(|(test, ())| Self::on(test)).collect()
    }

    fn exchange(&self) -> &Exchange {
        &self.test.exchange
    }

    async fn plan(&self, principal: &Principal, yaml: &str) -> DeclarationPlan {
        self.exchange()
            .declaration_plan(principal, yaml)
            .await
            .unwrap()
    }

    async fn deploy(&self, principal: &Principal, yaml: &str) -> Result<Deployment, Error> {
        self.deploy_if(principal, yaml, None).await
    }

    async fn deploy_if(
        &self,
        principal: &Principal,
        yaml: &str,
        hash: Option<&str>,
    ) -> Result<Deployment, Error> {
        let new = DeploymentNew {
            yaml: yaml.to_owned(),
            file: "entrepot.yml".to_owned(),
            commit: "4f2a".to_owned(),
            expect_plan_hash: hash.map(str::to_owned),
        };
        self.exchange().declaration_deploy(principal, new).await
    }

    /// A person with these roles and memberships.
    async fn person(&self, name: &str, roles: &[&str], teams: &[(&str, MemberRole)]) -> Principal {
        let exchange = self.exchange();
        let person = PersonNew {
            name: name.to_owned(),
            title: name.to_owned(),
            email: String::new(),
            password: None,
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        };
        exchange
            .person_create(&self.operator, person)
            .await
            .unwrap();
        for (team, role) in teams {
            let role = MemberChange {
                role: role.to_string(),
            };
            exchange
                .member_set(&self.operator, team, name, role)
                .await
                .unwrap();
        }
        let record = exchange.person_by_name(name).await.unwrap().unwrap();
        exchange.principal_of(record.id).await.unwrap().unwrap()
    }

    /// A number that a statement counts: `select count(*) as count …`.
    async fn audit_rows(&self) -> i64 {
        let row = sql!("select count(*) as count from audit")
            .row(self.exchange().db())
            .await
            .unwrap();
        row.unwrap().get("count").unwrap()
    }

    async fn deployments(&self) -> Vec<(String, String, i64, Option<String>)> {
        sql!("select actor, file, commit_id, changes, finished_at, failure from deployment order by changes desc")
            .rows(self.exchange().db())
            .await
            .unwrap()
            .iter()
            .map(|row| {
                assert!(row.get::<Option<Timestamp>>("finished_at").unwrap().is_some());
                let file: String = row.get("file").unwrap();
                let commit: String = row.get("commit_id").unwrap();
                (
                    row.get("actor").unwrap(),
                    format!("{file}@{commit}"),
                    row.get("changes").unwrap(),
                    row.get("failure").unwrap(),
                )
            })
            .collect()
    }
}

fn inspection() -> Inspection {
    Inspection {
        version: 7,
        committed_at: Timestamp::parse("2026-06-14T00:00:00Z").unwrap(),
        columns: vec![Column {
            name: "vin".to_owned(),
            type_text: "string".to_owned(),
            nullable: true,
            comment: None,
        }],
        partition_columns: Vec::new(),
        schema_text: None,
        rows: Some(1_000),
        files: 4,
        bytes: 50_000,
        recent_bytes: 5_000,
        features: Vec::new(),
        refused_for: None,
        clone_refused_for: None,
        change_data_feed: true,
        lineage: None,
        alike: Vec::new(),
    }
}

/// `action kind name` of all but the unchanged and the foreign.
fn acts(plan: &DeclarationPlan) -> Vec<String> {
    plan.changes
        .iter()
        .filter(|change| {
            !matches!(
                change.action,
                DeclarationAction::Unchanged | DeclarationAction::Foreign
            )
        })
        .map(|change| format!("{} {} {}", change.action.as_str(), change.kind, change.name))
        .collect()
}

/// The contract with one text for another.
fn contract(from: &str, to: &str) -> String {
    assert!(CONTRACT.contains(from), "{from}");
    CONTRACT.replace(from, to)
}

/// What one object's line of the plan says: action, fields as `field: from -> to`, note.
fn line(
    plan: &DeclarationPlan,
    kind: &str,
    name: &str,
) -> (DeclarationAction, Vec<String>, String) {
    let change = plan
        .changes
        .iter()
        .find(|change| change.kind == kind && change.name == name)
        .unwrap_or_else(|| panic!("no {kind} {name} in {plan:#?}"));
    let fields = change
        .fields
        .iter()
        .map(|field| {
            format!(
                "{}: {} -> {}",
                field.field,
                field.from.as_deref().unwrap_or("nothing"),
                field.to.as_deref().unwrap_or("nothing")
            )
        })
        .collect();
    (
        change.action,
        fields,
        change.note.clone().unwrap_or_default(),
    )
}
