//! What samples are of, made anew: recipients, requests, grants, replicas, runs, erasures, bills.

use exchange::Principal;
use exchange::billing::MeterEventNew;
use exchange::jobs::{Lane, Wake, WorkKind};
use exchange::page::PageRequest;
use model::dto::{
    CutNew, CutTableNew, DecisionNew, ErasureNew, PurposeNew, RateNew, RecipientNew, Request,
    RequestNew,
};
use model::{Clock as _, Method, Purpose, RunKind, Timestamp};

use super::World;
use super::samples::REPLICA;

impl World {
    /// A new cut of the usual product; its name.
    pub(crate) async fn cut_made(&mut self) -> String {
        let new = CutNew {
            name: self.fresh("cut"),
            description: String::new(),
            tables: vec![CutTableNew {
                schema: "default".to_owned(),
                table: "visits".to_owned(),
                pseudonymise: vec!["id".to_owned()],
                ..CutTableNew::default()
            }],
        };
        let operator = Principal::operator();
        let made = self.exchange().cut_create(&operator, "vehicle-visits", new);
        made.await.unwrap().name.to_string()
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
            cut: None,
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
    pub(crate) async fn day_to_report(&mut self) {
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
