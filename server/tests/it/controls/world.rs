//! Two tenants in one installation. The matrix's people own what is asked for: `aftersales` produces, `rnd` consumes. The
//! strangers have the same of their own in `sales`, and are nobody to the others.

use exchange::Principal;
use exchange::access::RequestFilter;
use exchange::page::PageRequest;
use http::Method;
use model::dto::{
    ProductNew, ProductPublish, ProfileNew, PurposeNew, RecipientNew, RequestNew, TableNew,
    TokenNew,
};
use serde_json::Value;

use super::rows::{execute, texts};
use crate::matrix::World;
use crate::matrix::samples::REPLICA;
use crate::support::{Answer, Build, TestApp};

/// A draft of `aftersales`.
pub(super) const DRAFT: &str = "vehicle-hidden";
const DRAFT_TITLE: &str = "Not yet for everybody";
/// Where its table lies.
const DRAFT_PATH: &str = "hidden/place";
/// What the run that failed says of the source.
pub(super) const FAILURE: &str = "the object hidden/part-00001.parquet is missing at the source";

pub(super) struct Tenants {
    pub(super) matrix: World,
    /// Who they are, and their tokens: people of `sales`, a token of that team, somebody of no team.
    pub(super) strangers: Vec<(&'static str, String)>,
    /// Names and ids that paths of pages may hold.
    pub(super) things: Vec<String>,
    /// Of the recipient that reads `vehicle-visits`.
    pub(super) reader_token: String,
    /// Of a recipient of `sales`, which reads that product too, by a grant of its own.
    pub(super) stranger_reader_token: String,
}

/// Of a statement.
const MONTH: &str = "2026-05";

/// How a request says who sends it.
#[derive(Clone, Copy)]
pub(super) enum As<'a> {
    Nobody,
    Token(&'a str),
    Cookie(&'a str),
}

/// Sends as a browser or a machine does.
pub(super) async fn send(
    app: &TestApp,
    who: As<'_>,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Answer {
    let mut ask = app.ask(method, path);
    if path.starts_with("/api/") || path.starts_with("/delta-sharing/") {
        if let As::Token(token) = who {
            ask = ask.token(token);
        }
    } else {
        ask = ask.own_origin().header("accept", "text/html");
        if let As::Cookie(cookie) = who {
            ask = ask.cookie(cookie);
        }
    }
    match body {
        Some(body) => ask.json(body).await,
        None => ask.send().await,
    }
}

impl Tenants {
    pub(super) async fn start() -> Self {
        Self::of(World::start_with(false).await).await
    }

    /// On every database there is.
    pub(super) async fn each() -> Vec<Self> {
        let mut all = Vec::new();
        for app in TestApp::each().await {
            all.push(Self::on(app).await);
        }
        all
    }

    /// The same, where mail is configured: whatever may be asked for can be done.
    pub(super) async fn each_with_mail() -> Vec<Self> {
        let build = Build {
            mail: true,
            ..Build::default()
        };
        let mut all = Vec::new();
        for app in TestApp::each_with(build).await {
            all.push(Self::on(app).await);
        }
        all
    }

    async fn on(app: TestApp) -> Self {
        Self::of(World::on(app).await).await
    }

    async fn of(mut matrix: World) -> Self {
        let operator = Principal::operator();
        let app = &matrix.app;
        app.table("aws_eu", "aws", "eu-central-1", DRAFT_PATH).await;
        register(
            app,
            DRAFT,
            DRAFT_TITLE,
            ("aftersales", "aws_eu"),
            DRAFT_PATH,
        )
        .await;
        app.storage("gcp_eu", "gcp", "europe-west3", false).await;
        app.table("gcp_eu", "gcp", "europe-west3", "own/offers")
            .await;
        register(
            app,
            "vehicle-offers",
            "Offers",
            ("sales", "gcp_eu"),
            "own/offers",
        )
        .await;
        app.exchange
            .product_publish(&operator, "vehicle-offers", ProductPublish::default())
            .await
            .unwrap();
        app.person("sally", &[]).await;
        app.member("sales", "sally", "consumer").await;

        let run = matrix.run().await;
        let grant = matrix.granted().await;
        let pending = matrix.request("live").await;
        matrix.month_to_bill().await;
        let exchange = matrix.exchange().clone();
        let system = Principal::system();
        exchange.billing_report(&system).await.unwrap();
        let finance = matrix.principal("finance").await;
        exchange
            .statement_issue(&finance, "aftersales", "2026-05")
            .await
            .unwrap();
        exchange.sync_start(&operator, REPLICA).await.unwrap();
        for table in [
            "sync_run set error",
            "replica_table set reason",
            "work set last_error",
        ] {
            execute(exchange.db(), format!("update {table} = '{FAILURE}'"))
                .await
                .unwrap();
        }

        let consumer = matrix.principal("consumer").await;
        let granted = exchange
            .grant(&operator, grant.parse().unwrap())
            .await
            .unwrap();
        let reader_token = profile(&matrix, &consumer, granted.recipient.as_str()).await;
        let token = team_token("rnd-pipeline", "rnd");
        exchange.token_create(&consumer, None, token).await.unwrap();

        let stranger_reader_token = matrix.own_of_sales().await;
        let index = |column| {
            crate::matrix::COLUMNS
                .iter()
                .position(|name| *name == column)
                .unwrap()
        };
        let held = |column| matrix.tokens[index(column)].clone().unwrap();
        let producer = matrix.principal("other_producer").await;
        let of_team = exchange
            .token_create(&producer, None, team_token("sales-pipeline", "sales"))
            .await
            .unwrap();
        let strangers = vec![
            ("a producer of sales", held("other_producer")),
            ("a consumer of sales", matrix.app.token("sally").await),
            ("a token of sales", of_team.token),
            ("somebody of no team", held("loner")),
        ];
        // One that is over, so that another can be begun.
        let open = exchange.assessment_open(&operator, "aws_eu/").await;
        let (assessment, _) = open.unwrap();
        exchange
            .assessment_cancel(&operator, assessment)
            .await
            .unwrap();
        let things = vec![
            "vehicle-visits".to_owned(),
            DRAFT.to_owned(),
            granted.recipient.to_string(),
            grant,
            pending.id.to_string(),
            run,
            REPLICA.to_owned(),
            "aws_eu".to_owned(),
            "aftersales".to_owned(),
            "vehicle".to_owned(),
            MONTH.to_owned(),
            "consumer".to_owned(),
            matrix.erased().await,
            assessment.to_string(),
            matrix.advised().await,
        ];
        Self {
            matrix,
            strangers,
            things,
            reader_token,
            stranger_reader_token,
        }
    }

    pub(super) fn app(&self) -> &TestApp {
        &self.matrix.app
    }

    /// Everything of `aftersales` and `rnd` that is not for strangers, as it would stand in an answer.
    pub(super) async fn private(&self) -> Vec<String> {
        let (operator, all) = (Principal::operator(), PageRequest::all());
        let exchange = self.matrix.exchange();
        let mut private = vec![
            DRAFT.to_owned(),
            DRAFT_TITLE.to_owned(),
            FAILURE.to_owned(),
            "hidden/".to_owned(),
            "rnd-pipeline".to_owned(),
            "warranty analysis".to_owned(),
        ];
        let mut add = |text: String| private.push(text);
        for recipient in exchange.recipients(&operator, &all).await.unwrap().items {
            if recipient.team.as_str() == "rnd" {
                add(recipient.name.to_string());
                for token in recipient.tokens {
                    add(token.id.to_string());
                }
            }
        }
        for request in exchange
            .requests(&operator, &RequestFilter::default(), &all)
            .await
            .unwrap()
            .items
        {
            if request.team.as_str() == "rnd" {
                add(request.id.to_string());
            }
        }
        for grant in exchange.grants(&operator, None, &all).await.unwrap().items {
            if grant.team.as_str() == "rnd" {
                add(grant.id.to_string());
            }
        }
        for replica in exchange
            .replicas(&operator, None, &all)
            .await
            .unwrap()
            .items
        {
            add(replica.id.to_string());
            for table in replica.tables {
                add(table.id.to_string());
                add(table.path.unwrap());
            }
        }
        for run in exchange
            .sync_runs(&operator, None, &all)
            .await
            .unwrap()
            .items
        {
            add(run.id.to_string());
        }
        for event in exchange
            .meter_events(&operator, None, &all)
            .await
            .unwrap()
            .items
        {
            add(event.id.to_string());
        }
        for charge in exchange.charges(&operator, None, &all).await.unwrap().items {
            add(charge.id.to_string());
        }
        for name in ["producer", "consumer", "auditor", "zoe"] {
            add(format!("{name}@example.org"));
        }
        private.extend(
            texts(
                exchange.db(),
                "select path as text from product_table where path like '%/%' and path not like 'own/%'",
            )
            .await,
        );
        private.sort();
        private.dedup();
        private
    }
}

impl World {
    /// The strangers' own recipient, in the region of the others' replica, with a grant of its own. Answers its token.
    async fn own_of_sales(&self) -> String {
        let operator = Principal::operator();
        let exchange = self.exchange();
        let recipient = RecipientNew {
            name: "sales_weu".to_owned(),
            team: "sales".to_owned(),
            cloud: "azure".to_owned(),
            region: "westeurope".to_owned(),
        };
        exchange
            .recipient_create(&operator, recipient)
            .await
            .unwrap();
        let asking = RequestNew {
            product: "vehicle-visits".to_owned(),
            recipient: "sales_weu".to_owned(),
            mode: "live".to_owned(),
            cut: None,
            until: "2026-12-31".to_owned(),
            purpose: PurposeNew {
                code: "sales".to_owned(),
                text: "our own use".to_owned(),
            },
        };
        let sally = exchange
            .principal_of_token(&self.app.token("sally").await)
            .await
            .unwrap();
        let request = exchange.request_create(&sally, asking).await.unwrap();
        self.approve(&request).await;
        profile(self, &sally, "sales_weu").await
    }
}

fn team_token(name: &str, team: &str) -> TokenNew {
    TokenNew {
        name: name.to_owned(),
        team: Some(team.to_owned()),
        role: None,
        days: None,
    }
}

async fn profile(world: &World, consumer: &Principal, recipient: &str) -> String {
    world
        .exchange()
        .profile_create(consumer, recipient, ProfileNew::default())
        .await
        .unwrap()
        .bearer_token
}

/// A draft with one table.
async fn register(
    app: &TestApp,
    name: &str,
    title: &str,
    (team, storage): (&str, &str),
    path: &str,
) {
    let new = ProductNew {
        name: name.to_owned(),
        team: team.to_owned(),
        title: title.to_owned(),
        description: String::new(),
        tags: Vec::new(),
        storage: storage.to_owned(),
        classification: "internal".to_owned(),
        access_policy: "owner".to_owned(),
        payer: "producer".to_owned(),
        baseline_days: 7,
        tables: vec![TableNew {
            name: "visits".to_owned(),
            schema: "default".to_owned(),
            path: path.to_owned(),
            storage: None,
            format: "delta".to_owned(),
            history: false,
            change_data_feed: false,
            history_start: None,
        }],
    };
    app.exchange
        .product_register(&Principal::operator(), new)
        .await
        .unwrap();
}

/// Pages of the portal with every one of `things` in the place of a parameter, grouped by the page. Behind the first there is what
/// may stand there, and one of the others: each with each would be most of all pages, and say no more.
pub(super) fn pages(things: &[String]) -> Vec<(String, Vec<String>)> {
    let mut pages = Vec::new();
    for listing in leptos_axum::generate_route_list(::app::App) {
        let mut filled = vec![String::new()];
        for part in listing.path().split('/').filter(|part| !part.is_empty()) {
            let values = match part.starts_with(['{', ':', '*']) {
                true if filled.len() > 1 => vec![MONTH.to_owned(), things[0].clone()],
                true => things.to_vec(),
                false => vec![part.to_owned()],
            };
            filled = filled
                .iter()
                .flat_map(|path| values.iter().map(move |value| format!("{path}/{value}")))
                .collect();
        }
        for path in &mut filled {
            if path.is_empty() {
                path.push('/');
            }
        }
        pages.push((listing.path().to_owned(), filled));
    }
    assert!(pages.len() > 1, "the portal has no pages");
    pages
}
