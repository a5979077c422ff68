//! Billing on both databases: what is counted once is billed once, to the byte and to the micro-unit.

use model::dto::{
    DomainNew, Inspection, ProductNew, ProductPublish, RateNew, RecipientNew, ServiceRateNew,
    Statement, StorageNew, TableNew, TeamNew,
};
use model::time::DAY;
use model::{Method, ProductId, Purpose, RecipientId, StatementState, Timestamp};

use super::{MeterEventNew, statement_csv};
use crate::db::Ground;
use crate::error::Error;
use crate::page::PageRequest;
use crate::principal::Principal;
use crate::testing::TestExchange;
use crate::{Exchange, sql};

mod busy;
mod compute;
mod months;
mod paying;
mod rates;
mod tracing;

/// One product in Frankfurt, a rate to Azure.
struct Books {
    test: TestExchange,
    system: Principal,
    finance: Principal,
    product: ProductId,
}

/// The product's table, where its storage is.
fn put_table(test: &TestExchange) {
    let inspection = Inspection {
        version: 1,
        committed_at: Timestamp::from_micros(0),
        columns: Vec::new(),
        partition_columns: Vec::new(),
        schema_text: None,
        rows: None,
        files: 1,
        bytes: 1_000,
        recent_bytes: 0,
        features: Vec::new(),
        refused_for: None,
        clone_refused_for: None,
        change_data_feed: false,
        lineage: None,
        alike: Vec::new(),
    };
    test.world
        .put_table("file:///srv/aws_eu", "t", Ok(inspection));
}

impl Books {
    async fn each() -> Vec<Self> {
        static GROUND: Ground<(Principal, ProductId)> = Ground::new();
        let lay = |test| async move {
            let books = Self::on(test).await;
            (books.test, (books.finance, books.product))
        };
        let laid = TestExchange::laid_each(&GROUND, lay).await.unwrap();
        laid.into_iter()
            .map(|(test, (finance, product))| {
                put_table(&test);
                Self {
                    test,
                    system: Principal::system(),
                    finance,
                    product,
                }
            })
            .collect()
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
        let team = TeamNew {
            name: "aftersales".into(),
            domain: "vehicle".into(),
            title: "After-Sales".into(),
            cost_center: "=4711".into(),
            contact: String::new(),
        };
        exchange.team_create(&operator, team).await.unwrap();
        let person = model::dto::PersonNew {
            name: "fina".into(),
            title: "Fina".into(),
            email: String::new(),
            password: None,
            roles: vec!["finance".into()],
        };
        exchange.person_create(&operator, person).await.unwrap();
        let id = exchange.person_by_name("fina").await.unwrap().unwrap().id;
        let finance = exchange.principal_of(id).await.unwrap().unwrap();
        let storage = StorageNew {
            name: "aws_eu".into(),
            cloud: "aws".into(),
            region: "eu-central-1".into(),
            url: "file:///srv/aws_eu".into(),
            endpoint: None,
            credential: None,
            replicas: false,
        };
        exchange.storage_create(&operator, storage).await.unwrap();
        put_table(&test);
        let new = ProductNew {
            name: "vehicle-visits".into(),
            team: "aftersales".into(),
            title: "Visits".into(),
            description: String::new(),
            tags: Vec::new(),
            storage: "aws_eu".into(),
            classification: "internal".into(),
            access_policy: "owner".into(),
            payer: "producer".into(),
            baseline_days: 7,
            tables: vec![TableNew {
                name: "t".into(),
                schema: "default".into(),
                path: "t".into(),
                storage: None,
                format: "delta".into(),
                history: false,
                change_data_feed: false,
                history_start: None,
            }],
        };
        exchange.product_register(&operator, new).await.unwrap();
        exchange
            .product_publish(&operator, "vehicle-visits", ProductPublish::default())
            .await
            .unwrap();
        let row = sql!("select id from product where name = 'vehicle-visits'")
            .row(exchange.db())
            .await
            .unwrap();
        let product = row.unwrap().get("id").unwrap();
        let books = Self {
            test,
            system: Principal::system(),
            finance,
            product,
        };
        books.rate("azure:*", "0.09", "2026-01-01").await.unwrap();
        books
    }

    async fn rate(&self, to: &str, price: &str, from: &str) -> Result<(), Error> {
        self.rate_until(to, price, from, None).await
    }

    async fn rate_until(
        &self,
        to: &str,
        price: &str,
        from: &str,
        until: Option<&str>,
    ) -> Result<(), Error> {
        let rate = RateNew {
            from: "aws:eu-central-1".into(),
            to: to.into(),
            price: price.into(),
            unit: "GB".into(),
            currency: "USD".into(),
            valid_from: from.into(),
            valid_until: until.map(str::to_owned),
            source: "list price".into(),
        };
        self.exchange()
            .rate_create(&self.finance, rate)
            .await
            .map(|_| ())
    }

    async fn compute(&self, price: &str, from: &str, until: Option<&str>) -> Result<(), Error> {
        let rate = ServiceRateNew {
            kind: "compute".into(),
            price: price.into(),
            currency: "USD".into(),
            valid_from: from.into(),
            valid_until: until.map(str::to_owned),
            source: "own".into(),
        };
        self.exchange()
            .service_rate_create(&self.finance, rate)
            .await
            .map(|_| ())
    }

    /// A sync to westeurope: bytes, and microseconds.
    async fn work(&self, key: &str, counted: (u64, i64)) {
        let event = self.event(key, "azure:westeurope", counted, Method::Measured);
        let written = self.exchange().meter_record(&self.system, &event).await;
        assert!(written.unwrap());
    }

    async fn june(&self) -> Vec<Statement> {
        self.exchange()
            .statement(&self.finance, "aftersales", "2026-06")
            .await
            .unwrap()
    }

    async fn count(&self, key: &str, to: &str, bytes: u64, method: Method) {
        let event = self.event(key, to, (bytes, 0), method);
        self.exchange()
            .meter_record(&self.system, &event)
            .await
            .unwrap();
    }

    fn event(
        &self,
        key: &str,
        to: &str,
        (bytes, busy): (u64, i64),
        method: Method,
    ) -> MeterEventNew {
        MeterEventNew {
            key: key.into(),
            product: Some(self.product),
            table: None,
            grant: None,
            recipient: None,
            run: None,
            query: None,
            from: "aws:eu-central-1".parse().unwrap(),
            to: to.parse().unwrap(),
            bytes,
            busy,
            method,
            purpose: Purpose::Sync,
        }
    }

    /// A recipient in westeurope of a team of its own.
    async fn recipient(&self, team: &str, name: &str) -> RecipientId {
        let operator = Principal::operator();
        let new = TeamNew {
            name: team.into(),
            domain: "vehicle".into(),
            title: team.into(),
            cost_center: String::new(),
            contact: String::new(),
        };
        self.exchange().team_create(&operator, new).await.unwrap();
        let new = RecipientNew {
            name: name.into(),
            team: team.into(),
            cloud: "azure".into(),
            region: "westeurope".into(),
        };
        self.exchange()
            .recipient_create(&operator, new)
            .await
            .unwrap();
        let row = sql!("select id from recipient where name = $1")
            .bind(name)
            .row(self.exchange().db())
            .await
            .unwrap();
        row.unwrap().get("id").unwrap()
    }

    fn at(&self, text: &str) {
        self.test.clock.set(Timestamp::parse(text).unwrap());
    }
}

#[tokio::test]
async fn what_is_counted_once_is_billed_once() {
    for books in Books::each().await {
        let exchange = books.exchange();
        for _ in 0..100 {
            books
                .count("run/1", "azure:westeurope", 1_234_567_891, Method::Measured)
                .await;
        }
        books
            .count("run/2", "azure:westeurope", 1, Method::Measured)
            .await;
        books
            .count("run/3", "aws:eu-central-1", 5_000, Method::Measured)
            .await;
        books
            .count("query/1", "azure:westeurope", 9_999, Method::Signed)
            .await;
        assert_eq!(
            exchange
                .billing_report(&books.system)
                .await
                .unwrap()
                .charges,
            0,
            "the day is not over"
        );
        books.test.clock.advance(DAY);
        let first = exchange.billing_report(&books.system).await.unwrap();
        assert_eq!((first.charges, first.events, first.unrated), (2, 3, 0));
        for _ in 0..5 {
            assert_eq!(
                exchange
                    .billing_report(&books.system)
                    .await
                    .unwrap()
                    .charges,
                0
            );
        }
        let charges = exchange
            .charges(&books.finance, None, &PageRequest::all())
            .await
            .unwrap()
            .items;
        let crossed = charges
            .iter()
            .find(|charge| charge.bytes == 1_234_567_892)
            .unwrap();
        // 1 234 567 892 B × 0.09 USD/GB = 0.111 111 110 28, rounded half-even to 0.111111.
        assert_eq!(crossed.amount.to_string(), "0.111111");
        let local = charges.iter().find(|charge| charge.bytes == 5_000).unwrap();
        assert_eq!(local.amount.0, 0);
        let [statement] = exchange
            .statement(&books.finance, "aftersales", "2026-06")
            .await
            .unwrap()
            .try_into()
            .unwrap();
        assert_eq!(
            (statement.summary.total, statement.signed_bytes),
            (crossed.amount, 9_999)
        );
    }
}

#[tokio::test]
async fn what_is_nothing_is_no_event() {
    for books in Books::each().await {
        let exchange = books.exchange();
        let mut told = Vec::new();
        for (key, counted) in [("a", (0, 0)), ("b", (0, 1)), ("c", (1, 0)), ("a", (2, 0))] {
            let event = books.event(key, "azure:westeurope", counted, Method::Measured);
            let written = exchange.meter_record(&books.system, &event).await;
            told.push(written.unwrap());
        }
        assert_eq!(told, [false, true, true, true], "nothing takes no key, too");
        let events = exchange
            .meter_events(&books.finance, None, &PageRequest::all())
            .await
            .unwrap()
            .items;
        let newest_first: Vec<(u64, i64)> = events
            .iter()
            .map(|event| (event.bytes, event.busy_micros))
            .collect();
        assert_eq!(newest_first, [(2, 0), (1, 0), (0, 1)]);
    }
}

#[tokio::test]
async fn a_statement_says_what_waits_and_until_when() {
    for books in Books::each().await {
        let exchange = books.exchange();
        let statement = async || {
            let found = exchange.statement(&books.finance, "aftersales", "2026-06");
            found.await.unwrap()
        };
        let all = PageRequest::all();
        let listed = async || {
            let found = exchange.statements(&books.finance, &all);
            found.await.unwrap().items
        };
        assert!(statement().await.is_empty() && listed().await.is_empty());
        books.at("2026-06-14T23:59:00Z");
        books
            .count("run/1", "azure:westeurope", 1_000, Method::Measured)
            .await;
        books.at("2026-06-15T12:00:00Z");
        books
            .count("run/2", "azure:westeurope", 500, Method::Measured)
            .await;
        books
            .count("run/3", "gcp:europe-west3", 70, Method::Measured)
            .await;
        // Nothing is charged, and that is not all there is to say.
        let [open] = statement().await.try_into().unwrap();
        assert_eq!((open.lines.len(), open.summary.total.0), (0, 0));
        assert_eq!(open.summary.currency.to_string(), "USD");
        let midnight = |day: &str| Some(Timestamp::parse(day).unwrap());
        assert_eq!(
            (open.waiting_bytes, open.waiting_until, open.unrated),
            (1_570, midnight("2026-06-16"), 0)
        );
        assert_eq!(listed().await, [open.summary]);

        // The first of the two days is over.
        exchange.billing_report(&books.system).await.unwrap();
        let [open] = statement().await.try_into().unwrap();
        assert_eq!((open.lines.len(), open.lines[0].bytes), (1, 1_000));
        assert_eq!(
            (open.waiting_bytes, open.waiting_until, open.unrated),
            (570, midnight("2026-06-16"), 0)
        );

        // What has no rate is told when its day is over.
        books.at("2026-06-16");
        let [open] = statement().await.try_into().unwrap();
        assert_eq!((open.waiting_bytes, open.unrated), (500, 1));
        exchange.billing_report(&books.system).await.unwrap();
        let [open] = statement().await.try_into().unwrap();
        assert_eq!(open.lines[0].bytes, 1_500);
        assert_eq!(
            (open.waiting_bytes, open.waiting_until, open.unrated),
            (0, None, 1)
        );
        let other = exchange
            .statement(&books.finance, "aftersales", "2026-05")
            .await;
        assert!(other.unwrap().is_empty());
    }
}

#[tokio::test]
async fn bytes_without_a_rate_wait_and_hold_the_statement() {
    for books in Books::each().await {
        let exchange = books.exchange();
        books
            .count("run/1", "gcp:europe-west3", 1_000_000_000, Method::Measured)
            .await;
        books.at("2026-07-02");
        let result = exchange.billing_report(&books.system).await.unwrap();
        assert_eq!((result.charges, result.unrated), (0, 1));
        let held = exchange
            .statement_issue(&books.finance, "aftersales", "2026-06")
            .await;
        assert!(matches!(held, Err(Error::Conflict(_))));
        books.rate("gcp:*", "0.02", "2026-06-01").await.unwrap();
        let [issued] = exchange
            .statement_issue(&books.finance, "aftersales", "2026-06")
            .await
            .unwrap()
            .try_into()
            .unwrap();
        assert_eq!(issued.summary.total.to_string(), "0.02");
    }
}

#[tokio::test]
async fn an_issued_statement_never_changes_and_late_bytes_go_to_the_month_they_came_in() {
    for books in Books::each().await {
        let exchange = books.exchange();
        books
            .count("run/1", "azure:westeurope", 1_000_000_000, Method::Measured)
            .await;
        let early = exchange
            .statement_issue(&books.finance, "aftersales", "2026-06")
            .await;
        assert!(
            matches!(early, Err(Error::Conflict(_))),
            "the month is not over"
        );
        books.at("2026-07-03T12:00:00Z");
        exchange
            .statement_issue(&books.finance, "aftersales", "2026-06")
            .await
            .unwrap();
        let again = exchange
            .statement_issue(&books.finance, "aftersales", "2026-06")
            .await;
        assert!(matches!(again, Err(Error::Conflict(_))), "issued once");
        let before = exchange
            .statement(&books.finance, "aftersales", "2026-06")
            .await
            .unwrap();
        assert_eq!(before[0].summary.state, StatementState::Issued);
        // An event of June that is written down late, as a log import would.
        books.at("2026-06-20T12:00:00Z");
        books
            .count("late/1", "azure:westeurope", 2_000_000_000, Method::Logged)
            .await;
        books.at("2026-07-04T12:00:00Z");
        assert_eq!(
            exchange
                .billing_report(&books.system)
                .await
                .unwrap()
                .charges,
            1
        );
        assert_eq!(
            exchange
                .statement(&books.finance, "aftersales", "2026-06")
                .await
                .unwrap()[0]
                .lines,
            before[0].lines
        );
        let july = exchange
            .statement(&books.finance, "aftersales", "2026-07")
            .await
            .unwrap();
        assert_eq!(
            (july[0].summary.state, july[0].summary.total.to_string()),
            (StatementState::Open, "0.18".to_owned())
        );
        let csv = statement_csv(&july).unwrap();
        assert!(
            csv.lines()
                .nth(1)
                .unwrap()
                .starts_with("aftersales,'=4711,2026-07,open,transfer,vehicle-visits,")
        );
    }
}
