//! The catalog, end to end on both databases: a small company to play in.

mod finding;
mod life;
mod looking;
mod refreshing;
mod registering;
mod speed;
mod sprawl;

use model::dto::{
    Column, CredentialNew, DomainNew, Inspection, MemberChange, PersonNew, ProductNew,
    ProductPublish, StorageNew, TableNew, TeamNew,
};
use model::{
    GrantId, PersonId, ProductId, RecipientId, RequestId, RequestState, TeamId, Timestamp,
};

use crate::db::Ground;
use crate::error::Error;
use crate::ports::Problem;
use crate::principal::Principal;
use crate::testing::TestExchange;
use crate::{Exchange, sql};

pub(super) const LAKE: &str = "s3://lake/aftersales";
pub(super) const FOLDER: &str = "file:///srv/az_weu";

/// Ada, Mara, Nils, Otto and Rita.
type People = [Principal; 5];

/// Two domains, three teams, one storage on S3 and one folder.
pub(super) struct Company {
    pub(super) test: TestExchange,
    pub(super) operator: Principal,
    pub(super) admin: Principal,
    /// Producer of `aftersales` in the domain `vehicle`.
    pub(super) mara: Principal,
    /// Consumer in `aftersales`.
    pub(super) nils: Principal,
    /// Consumer in `rnd`, also in `vehicle`.
    pub(super) otto: Principal,
    /// Producer of `ledger` in the domain `finance`.
    pub(super) rita: Principal,
}

impl Company {
    pub(super) async fn each() -> Vec<Self> {
        static GROUND: Ground<People> = Ground::new();
        let first = |test: TestExchange| async move {
            let people = lay(&test).await;
            (test, people)
        };
        let laid = TestExchange::laid_each(&GROUND, first).await.unwrap();
        laid.into_iter().map(Self::of).collect()
    }

    pub(super) fn exchange(&self) -> &Exchange {
        &self.test.exchange
    }

    fn of((test, [admin, mara, nils, otto, rita]): (TestExchange, People)) -> Self {
        Self {
            test,
            operator: Principal::operator(),
            admin,
            mara,
            nils,
            otto,
            rita,
        }
    }

    /// Puts a readable table with these columns at the lake.
    pub(super) fn put(&self, path: &str, columns: &[&str]) {
        self.test
            .world
            .put_table(LAKE, path, Ok(inspection(columns)));
    }

    pub(super) fn break_table(&self, path: &str, problem: Problem) {
        self.test.world.put_table(LAKE, path, Err(problem));
    }

    /// Registers a product of mara's team with one table of its own, and publishes it.
    pub(super) async fn published(&self, name: &str, title: &str) {
        self.drafted(name, title).await;
        self.exchange()
            .product_publish(&self.mara, name, ProductPublish::default())
            .await
            .unwrap();
    }

    pub(super) async fn drafted(&self, name: &str, title: &str) {
        let path = format!("tables/{name}");
        self.put(&path, &["vin", "visit_id"]);
        let mut form = product(name, &path);
        form.title = title.to_owned();
        self.exchange()
            .product_register(&self.mara, form)
            .await
            .unwrap();
    }

    pub(super) async fn team(&self, name: &str) -> TeamId {
        self.exchange()
            .team_by_name(name)
            .await
            .unwrap()
            .unwrap()
            .id
    }

    pub(super) async fn product_id(&self, name: &str) -> ProductId {
        let exchange = self.exchange();
        let record = exchange.product_record(exchange.db(), name).await.unwrap();
        record.unwrap().id
    }

    /// The rows of a request by otto's team, as the access area writes them.
    pub(super) async fn request(&self, product: &str, state: RequestState) -> RequestId {
        let at = self.exchange().now();
        let (recipient, id) = (RecipientId::new(at), RequestId::new(at));
        let (team, product) = (self.team("rnd").await, self.product_id(product).await);
        let mut tx = self.exchange().db().begin().await.unwrap();
        sql!("insert into recipient (id, team_id, name, cloud, region, revision, created_at, updated_at)
              values ($1, $2, $3, 'azure', 'westeurope', 1, 0, 0)")
        .bind(recipient)
        .bind(team)
        .bind(format!("r-{recipient}"))
        .execute(&mut tx)
        .await
        .unwrap();
        sql!("insert into request (id, product_id, recipient_id, requester_id, purpose_code, purpose_text, mode, until_at, state,
                  offer, revision, created_at, updated_at)
              values ($1, $2, $3, $4, 'warranty', '', 'live', $5, $6, '{}', 1, 0, 0)")
        .bind(id)
        .bind(product)
        .bind(recipient)
        .bind(self.otto.person_id().map(|PersonId(id)| id))
        .bind(at.plus(model::time::DAY))
        .bind(state)
        .execute(&mut tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// The rows of a grant to otto's team.
    pub(super) async fn grant(&self, product: &str, actual: &str) -> GrantId {
        let request = self.request(product, RequestState::Approved).await;
        let at = self.exchange().now();
        let id = GrantId::new(at);
        let mut tx = self.exchange().db().begin().await.unwrap();
        sql!("insert into access_grant (id, request_id, product_id, recipient_id, mode, until_at, desired, actual, generation,
                  observed_generation, revision, created_at, updated_at)
              select $1, id, product_id, recipient_id, mode, until_at, 'active', $2, 1, 1, 1, 0, 0 from request where id = $3")
        .bind(id)
        .bind(actual)
        .bind(request)
        .execute(&mut tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
        id
    }

    pub(super) async fn end_grant(&self, grant: GrantId) {
        sql!("update access_grant set desired = 'ended' where id = $1")
            .bind(grant)
            .execute(self.exchange().db())
            .await
            .unwrap();
    }
}

/// Makes the company.
async fn lay(test: &TestExchange) -> People {
    let exchange = &test.exchange;
    let operator = Principal::operator();
    for name in ["vehicle", "finance"] {
        let domain = DomainNew {
            name: name.to_owned(),
            title: format!("The {name}"),
            description: String::new(),
        };
        exchange.domain_create(&operator, domain).await.unwrap();
    }
    for (name, domain) in [
        ("aftersales", "vehicle"),
        ("rnd", "vehicle"),
        ("ledger", "finance"),
    ] {
        let team = TeamNew {
            name: name.to_owned(),
            domain: domain.to_owned(),
            title: name.to_uppercase(),
            cost_center: "4711".to_owned(),
            contact: format!("{name}@example.org"),
        };
        exchange.team_create(&operator, team).await.unwrap();
    }
    let people = [
        ("ada", None, &["admin"][..]),
        ("mara", Some(("aftersales", "producer")), &[]),
        ("nils", Some(("aftersales", "consumer")), &[]),
        ("otto", Some(("rnd", "consumer")), &[]),
        ("rita", Some(("ledger", "producer")), &[]),
    ];
    for (name, membership, roles) in people {
        let person = PersonNew {
            name: name.to_owned(),
            title: name.to_owned(),
            email: String::new(),
            password: None,
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        };
        exchange.person_create(&operator, person).await.unwrap();
        if let Some((team, role)) = membership {
            let role = MemberChange {
                role: role.to_owned(),
            };
            exchange
                .member_set(&operator, team, name, role)
                .await
                .unwrap();
        }
    }
    for (name, cloud, region, url) in [
        ("aws_eu", "aws", "eu-central-1", LAKE),
        ("az_weu", "azure", "westeurope", FOLDER),
    ] {
        let storage = StorageNew {
            name: name.to_owned(),
            cloud: cloud.to_owned(),
            region: region.to_owned(),
            url: url.to_owned(),
            endpoint: None,
            credential: url
                .starts_with("s3:")
                .then(|| CredentialNew::from("env:ENTREPOT_CREDENTIAL_LAKE")),
            replicas: true,
        };
        exchange.storage_create(&operator, storage).await.unwrap();
    }
    [
        principal(exchange, "ada").await,
        principal(exchange, "mara").await,
        principal(exchange, "nils").await,
        principal(exchange, "otto").await,
        principal(exchange, "rita").await,
    ]
}

async fn principal(exchange: &Exchange, name: &str) -> Principal {
    let person = exchange.person_by_name(name).await.unwrap().unwrap();
    exchange.principal_of(person.id).await.unwrap().unwrap()
}

pub(super) fn inspection(columns: &[&str]) -> Inspection {
    Inspection {
        version: 7,
        committed_at: Timestamp::parse("2026-06-14T00:00:00Z").unwrap(),
        columns: columns
            .iter()
            .map(|name| Column {
                name: (*name).to_owned(),
                type_text: "string".to_owned(),
                nullable: true,
                comment: None,
            })
            .collect(),
        partition_columns: Vec::new(),
        schema_text: None,
        rows: Some(1_000),
        files: 4,
        bytes: 50_000,
        recent_bytes: 0,
        features: Vec::new(),
        refused_for: None,
        clone_refused_for: None,
        change_data_feed: false,
        lineage: None,
        alike: Vec::new(),
    }
}

pub(super) fn table(name: &str, path: &str) -> TableNew {
    TableNew {
        name: name.to_owned(),
        schema: "default".to_owned(),
        path: path.to_owned(),
        storage: None,
        format: "delta".to_owned(),
        history: true,
        change_data_feed: false,
        history_start: None,
    }
}

/// A form for mara's team with one table called `visits`.
pub(super) fn product(name: &str, path: &str) -> ProductNew {
    ProductNew {
        name: name.to_owned(),
        team: "aftersales".to_owned(),
        title: "Workshop visits".to_owned(),
        description: "What was done to which vehicle.".to_owned(),
        tags: vec!["Warranty".to_owned()],
        storage: "aws_eu".to_owned(),
        classification: "internal".to_owned(),
        access_policy: "owner".to_owned(),
        payer: "producer".to_owned(),
        baseline_days: 7,
        tables: vec![table("visits", path)],
    }
}

/// The fields that were refused.
pub(super) fn fields<T: std::fmt::Debug>(answer: Result<T, Error>) -> Vec<String> {
    match answer {
        Err(Error::Invalid(fields)) => fields.into_iter().map(|field| field.field).collect(),
        other => panic!("{other:?}"),
    }
}

/// All that was refused, as one text.
pub(super) fn said<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    answer.unwrap_err().to_string()
}
