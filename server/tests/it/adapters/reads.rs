//! What a process reads for itself from another location is counted to the byte: an S3 server behind a proxy that counts on one
//! side, the meter events on the other.

use std::time::Duration;

use exchange::Principal;
use exchange::page::PageRequest;
use exchange::ports::StorageAccess;
use http::StatusCode;
use model::dto::{
    CheckOutcome, MeterEvent, RateNew, RecipientNew, StorageDoctor, StorageReport, StorageScan,
    TableInspect,
};
use model::time::{DAY, HOUR};
use model::{
    Cloud, GrantActual, Location, MeterEventId, Method, ProductId, Purpose, StorageId, Timestamp,
};

use super::{Build, VISITS, VISITS_PATH, World, aws, rows};
use crate::support::proxy::Counted;
use crate::support::s3::S3;

fn here() -> Location {
    Location::new(Cloud::Gcp, "europe-west3").unwrap()
}

/// Where the S3 server is said to be that holds replicas.
fn north() -> Location {
    Location::new(Cloud::Azure, "northeurope").unwrap()
}

/// Worlds of a process at [`here`], which may open this server.
async fn worlds(s3: &S3, here: Option<Location>) -> Vec<World> {
    let build = Build {
        here,
        endpoints: vec![s3.proxy.address().to_string()],
        ..Build::default()
    };
    let worlds = World::each_with(&build).await;
    for world in &worlds {
        let keys = s3.credential().to_string();
        world.keys.set("ENTREPOT_CREDENTIAL_LAKE", &keys);
    }
    worlds
}

/// How far both sides had counted.
struct Since {
    passed: Counted,
    event: Option<MeterEventId>,
}

impl World {
    async fn since(&self, s3: &S3) -> Since {
        Since {
            passed: s3.proxy.counted(),
            event: self.newest().await,
        }
    }

    async fn newest(&self) -> Option<MeterEventId> {
        self.all_events().await.first().map(|event| event.id)
    }

    async fn all_events(&self) -> Vec<MeterEvent> {
        let (operator, page) = (Principal::operator(), PageRequest::all());
        let events = self.exchange.meter_events(&operator, None, &page).await;
        events.unwrap().items
    }

    async fn events_since(&self, since: &Since) -> Vec<MeterEvent> {
        let mut events = self.all_events().await;
        events.retain(|event| Some(event.id) > since.event);
        events
    }

    /// The events since then came from there to here and are what the proxy passed on, more than nothing.
    async fn assert_counted(&self, s3: &S3, since: &Since, from: &Location) -> Vec<MeterEvent> {
        let events = self.events_since(since).await;
        for event in &events {
            assert_eq!((&event.from, &event.to), (from, &here()), "{event:?}");
            assert_eq!(event.method, Method::Measured);
        }
        let passed = s3.proxy.counted().since(since.passed).received;
        let counted: u64 = events.iter().map(|event| event.bytes).sum();
        assert!(passed > 0);
        let requests = s3.proxy.passed_since(since.passed);
        assert_eq!(counted, passed, "{events:#?} {requests:#?}");
        events
    }

    /// The same of one event of this product and purpose.
    async fn assert_one(
        &self,
        s3: &S3,
        since: &Since,
        (product, purpose): (Option<&str>, Purpose),
    ) {
        let events = self.assert_counted(s3, since, &aws()).await;
        assert_eq!(events.len(), 1, "{events:#?}");
        let of = events[0].product.as_ref().map(|name| name.as_str());
        assert_eq!((of, events[0].purpose), (product, purpose));
    }

    /// A storage on the server, and what it takes to write tables into it.
    async fn on_s3(
        &self,
        s3: &S3,
        name: &str,
        location: &Location,
        replicas: bool,
    ) -> StorageAccess {
        let (url, endpoint) = (format!("s3://lake/{name}"), s3.proxy.url());
        self.storage(name, location, &url, Some(endpoint.clone()), replicas)
            .await;
        StorageAccess {
            id: StorageId::new(Timestamp::from_micros(0)),
            name: name.parse().unwrap(),
            location: location.clone(),
            url,
            endpoint: Some(endpoint),
            credential: Some(s3.credential().to_string().into()),
            replicas,
        }
    }

    async fn examined(&self, storage: &str, write: bool) -> StorageReport {
        let form = StorageDoctor { write: Some(write) };
        let operator = Principal::operator();
        self.exchange
            .storage_doctor(&operator, storage, form)
            .await
            .unwrap()
    }

    async fn visits_id(&self) -> ProductId {
        let operator = Principal::operator();
        let product = self.exchange.product(&operator, VISITS).await;
        product.unwrap().id
    }
}

#[tokio::test]
async fn every_look_at_a_store_elsewhere_is_counted_to_the_byte() {
    let s3 = S3::start().await;
    for (at, world) in worlds(&s3, Some(here())).await.into_iter().enumerate() {
        let (operator, exchange) = (Principal::operator(), &world.exchange);
        let storage = format!("s3_{at}");
        let access = world.on_s3(&s3, &storage, &aws(), false).await;
        let files = [&[rows(0, 10)][..], &[rows(10, 3_000)]];
        world.write_at(&access, VISITS_PATH, &files).await;
        let inspect = async |path: &str| {
            let (storage, path) = (storage.clone(), path.to_owned());
            let form = TableInspect { storage, path };
            exchange.table_inspect(&operator, form).await
        };

        // Before there is a product: it is seen, and on nobody's bill.
        let since = world.since(&s3).await;
        inspect(VISITS_PATH).await.unwrap();
        world
            .assert_one(&s3, &since, (None, Purpose::Inspect))
            .await;
        // What comes to nothing has crossed all the same.
        let since = world.since(&s3).await;
        inspect("workshop").await.unwrap_err();
        world
            .assert_one(&s3, &since, (None, Purpose::Inspect))
            .await;
        let since = world.since(&s3).await;
        let form = StorageScan {
            prefix: String::new(),
            team: Some("aftersales".into()),
        };
        let found = exchange.storage_scan(&operator, &storage, form).await;
        assert!(found.unwrap().yaml.contains(VISITS_PATH));
        // It lists, and then inspects what it has found.
        let events = world.assert_counted(&s3, &since, &aws()).await;
        assert_eq!(events.len(), 2, "{events:#?}");
        for write in [false, true] {
            let since = world.since(&s3).await;
            let report = world.examined(&storage, write).await;
            assert!(report.is_healthy(), "{report:?}");
            let said = report.checks.iter().find(|check| check.name == "counting");
            let said = said.unwrap();
            assert_eq!(said.outcome, CheckOutcome::Ok);
            assert!(
                said.sentence
                    .contains("from aws:eu-central-1 to gcp:europe-west3"),
                "{said:?}"
            );
            world
                .assert_one(&s3, &since, (None, Purpose::Inspect))
                .await;
        }

        // As a product: whoever reads its log, it is the product's.
        let since = world.since(&s3).await;
        world
            .product(VISITS, &storage, &[("visits", VISITS_PATH)])
            .await;
        world.assert_counted(&s3, &since, &aws()).await;
        let since = world.since(&s3).await;
        exchange.product_refresh(&operator, VISITS).await.unwrap();
        let of_product = (Some(VISITS), Purpose::Inspect);
        world.assert_one(&s3, &since, of_product).await;
        let id = world.visits_id().await;
        let since = world.since(&s3).await;
        let system = Principal::system();
        // Only the newest version is looked for.
        let refreshed = exchange.product_refresh_for_system(&system, id).await;
        refreshed.unwrap();
        world.assert_one(&s3, &since, of_product).await;

        let grant = world.grant(VISITS, "rnd_weu", "live").await;
        let token = world.token("rnd_weu").await;
        let since = world.since(&s3).await;
        let answer = world.query(VISITS, "visits", &token).await;
        assert_eq!(answer.status, StatusCode::OK);
        let mut events = world.events_since(&since).await;
        // Its files are signed by the store: that is no read of ours.
        events.retain(|event| event.method == Method::Measured);
        let passed = s3.proxy.counted().since(since.passed).received;
        assert_eq!(events.len(), 1);
        assert_eq!(
            (events[0].bytes, events[0].purpose),
            (passed, Purpose::Query)
        );
        let since = world.since(&s3).await;
        world.reconcile(grant).await;
        assert_eq!(world.granted(grant).await.actual, GrantActual::Active);
        world
            .assert_one(&s3, &since, (Some(VISITS), Purpose::Verify))
            .await;

        // Billed like everything else that was measured, each byte once.
        let rate = RateNew {
            from: "aws:*".into(),
            to: "gcp:*".into(),
            price: "0.09".into(),
            unit: "GB".into(),
            currency: "USD".into(),
            valid_from: "2026-01-01".into(),
            valid_until: None,
            source: "a price of the test's own".into(),
        };
        exchange.rate_create(&operator, rate).await.unwrap();
        let events = world.all_events().await;
        let of_product = events.iter().filter(|event| {
            event.product.is_some() && event.to == here() && event.method == Method::Measured
        });
        let counted: u64 = of_product.map(|event| event.bytes).sum();
        world.clock.advance(DAY);
        for _ in 0..2 {
            exchange.billing_report(&system).await.unwrap();
            let page = PageRequest::all();
            let charges = exchange.charges(&operator, None, &page).await;
            let charges = charges.unwrap().items;
            let billed = charges.iter().filter(|charge| charge.to == here());
            let billed: u64 = billed.map(|charge| charge.bytes).sum();
            assert_eq!(billed, counted, "{charges:#?}");
        }
    }
}

/// Whoever asked has gone before the answer was there: what came until then is counted all the same.
#[tokio::test]
async fn a_look_that_is_given_up_is_counted_as_far_as_it_came() {
    let s3 = S3::start().await;
    for (at, world) in worlds(&s3, Some(here())).await.into_iter().enumerate() {
        let storage = format!("s3_{at}");
        let access = world.on_s3(&s3, &storage, &aws(), false).await;
        let files = [&[rows(0, 10)][..], &[rows(10, 3_000)]];
        world.write_at(&access, VISITS_PATH, &files).await;
        let since = world.since(&s3).await;
        let held = "00000000000000000001.json";
        s3.proxy.hold(held);
        let exchange = world.exchange.clone();
        let asking = tokio::spawn(async move {
            let path = VISITS_PATH.to_owned();
            let form = TableInspect { storage, path };
            exchange.table_inspect(&Principal::operator(), form).await
        });
        // All that is not held has come through.
        let rest_is_there = || {
            let passed = s3.proxy.passed_since(since.passed);
            let (waits, came): (Vec<_>, Vec<_>) = passed
                .into_iter()
                .partition(|passed| passed.path.ends_with(held));
            waits.len() == 1 && came.len() > 1 && came.iter().all(|passed| passed.is_whole())
        };
        let wait = async {
            while !rest_is_there() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait)
            .await
            .unwrap();
        asking.abort();
        assert!(asking.await.unwrap_err().is_cancelled());
        s3.proxy.until_none_waits().await;
        let events = world.events_come(1).await;
        s3.proxy.release();
        assert_eq!(events.len(), 1);
        world
            .assert_one(&s3, &since, (None, Purpose::Inspect))
            .await;
    }
}

/// Vacuum, check and end of a replica by a process that is elsewhere.
#[tokio::test]
async fn upkeep_of_a_replica_elsewhere_is_counted_to_the_byte() {
    let s3 = S3::start().await;
    for (at, world) in worlds(&s3, Some(here())).await.into_iter().enumerate() {
        let (operator, exchange) = (Principal::operator(), &world.exchange);
        let storage = format!("s3_{at}");
        world.on_s3(&s3, &storage, &north(), true).await;
        let new = RecipientNew {
            name: "rnd_neu".into(),
            team: "rnd".into(),
            cloud: north().cloud.to_string(),
            region: north().region().to_owned(),
        };
        exchange.recipient_create(&operator, new).await.unwrap();
        world.visits().await;
        let grant = world.grant(VISITS, "rnd_neu", "replica").await;
        world.work().await;
        assert_eq!(world.granted(grant).await.actual, GrantActual::Active);

        let replica = format!("{VISITS}@{storage}");
        let since = world.since(&s3).await;
        exchange.verify_start(&operator, &replica).await.unwrap();
        world.work().await;
        let events = world.assert_counted(&s3, &since, &north()).await;
        assert!(
            events.iter().any(|event| event.purpose == Purpose::Verify),
            "{events:#?}"
        );
        let since = world.since(&s3).await;
        exchange.vacuum_start(&operator, &replica).await.unwrap();
        world.work().await;
        let events = world.assert_counted(&s3, &since, &north()).await;
        let of_vacuum = |event: &&MeterEvent| event.purpose == Purpose::Vacuum;
        assert_eq!(events.iter().filter(of_vacuum).count(), 1, "{events:#?}");

        // The last grant ends, and later the replica.
        world.revoke(grant).await;
        world.work().await;
        world.clock.advance(337 * HOUR);
        let since = world.since(&s3).await;
        exchange.grants_resync(&Principal::system()).await.unwrap();
        world.work().await;
        let page = PageRequest::all();
        let ended = exchange.replicas(&operator, Some(VISITS), &page).await;
        assert_eq!(ended.unwrap().items, Vec::new());
        let events = world.assert_counted(&s3, &since, &north()).await;
        assert!(events.iter().any(|event| of_vacuum(&event)), "{events:#?}");
        for event in &events {
            assert_eq!(event.product.as_ref().unwrap().as_str(), VISITS);
        }
    }
}

/// At home nothing crosses. Without a place nothing can be said, and that is told.
#[tokio::test]
async fn at_home_nothing_is_counted_and_without_a_place_that_is_said() {
    let s3 = S3::start().await;
    for (place, outcome, says) in [
        (Some(aws()), CheckOutcome::Ok, "crosses nothing"),
        (None, CheckOutcome::Warned, "[location]"),
    ] {
        for world in worlds(&s3, place.clone()).await {
            world.visits().await;
            let operator = Principal::operator();
            let refreshed = world.exchange.product_refresh(&operator, VISITS).await;
            refreshed.unwrap();
            let report = world.examined("aws_eu", false).await;
            let said = report.checks.iter().find(|check| check.name == "counting");
            let said = said.unwrap();
            assert_eq!(said.outcome, outcome);
            assert!(said.sentence.contains(says), "{said:?}");
            assert!(report.is_healthy(), "{report:?}");
            assert_eq!(world.events().await, Vec::new());
        }
    }
}
