//! The catalog keeps up with the logs by itself.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use model::dto::{ProductQuery, ProductRetire};
use model::time::{DAY, HOUR, MINUTE};

use super::{Company, LAKE, inspection};
use crate::page::PageRequest;
use crate::ports::Problem;
use crate::principal::Principal;
use crate::sql;

/// Which products are to be refreshed, by key; the queue is empty afterwards.
async fn woken(company: &Company) -> Vec<String> {
    let exchange = company.exchange();
    exchange.refreshes_tick(&Principal::system()).await.unwrap();
    let rows = sql!("select key from work where kind = 'refresh'")
        .rows(exchange.db())
        .await
        .unwrap();
    sql!("delete from work")
        .execute(exchange.db())
        .await
        .unwrap();
    rows.iter().map(|row| row.get("key").unwrap()).collect()
}

#[tokio::test]
async fn products_are_refreshed_in_turn() {
    for company in Company::each().await {
        let exchange = company.exchange();
        company.drafted("vehicle-draft", "Draft").await;
        for n in 0..61 {
            company.published(&format!("vehicle-p{n}"), "P").await;
        }
        // Read when they were registered. That was within one instant, and yet it is two a minute: the round takes the hour.
        let start = exchange.now();
        let mut seen: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        assert_eq!(woken(&company).await, [""; 0]);
        for minute in 60..180 {
            company.test.clock.set(start.plus(minute * MINUTE));
            let woken = woken(&company).await;
            assert!(woken.len() <= 2, "{woken:?} in minute {minute}");
            for key in woken {
                seen.entry(key).or_default().push(minute);
            }
        }
        assert_eq!(seen.len(), 61, "each of them, and no draft");
        for minutes in seen.values() {
            assert_eq!(minutes.len(), 2, "{minutes:?}");
            let between = minutes[1] - minutes[0];
            assert!((60..=62).contains(&between), "{minutes:?}");
        }
    }
}

#[tokio::test]
async fn only_what_moved_is_read_again() {
    for company in Company::each().await {
        let exchange = company.exchange();
        company.published("vehicle-a", "A").await;
        let id = company.product_id("vehicle-a").await;
        let (path, world) = ("tables/vehicle-a", &company.test.world);
        let refresh = async || {
            let before = world.inspected.load(Ordering::Relaxed);
            let audit = exchange.audit_verify(&company.operator, None).await;
            let rows = audit.unwrap().rows;
            exchange
                .product_refresh_for_system(&Principal::system(), id)
                .await
                .unwrap();
            let audit = exchange.audit_verify(&company.operator, None).await;
            let read = world.inspected.load(Ordering::Relaxed) - before;
            (read, audit.unwrap().rows - rows)
        };
        let table = async || {
            let mut seen = exchange.product(&company.mara, "vehicle-a").await.unwrap();
            seen.tables.remove(0)
        };
        // Nothing new: neither read nor written about.
        assert_eq!(refresh().await, (0, 0));
        // A new version, with a column to be found by.
        let mut later = inspection(&["vin", "visit_id", "mileage"]);
        later.version = 8;
        world.put_table(LAKE, path, Ok(later));
        assert_eq!(refresh().await, (1, 1));
        assert_eq!(table().await.version, Some(8));
        // Both versions were the newest at some time, and stay on record.
        let commits = table().await.commits;
        let seen: Vec<u64> = commits.iter().map(|commit| commit.version).collect();
        assert_eq!(seen, [7, 8]);
        let query = ProductQuery {
            q: Some("mileage".to_owned()),
            ..ProductQuery::default()
        };
        let found = exchange.products(&company.otto, query).await.unwrap();
        assert_eq!(found.total, 1);
        // Once a day it is read all the same; seeing the same again is no event.
        company.test.clock.set(exchange.now().plus(DAY));
        assert_eq!(refresh().await, (1, 0));
        assert_eq!(refresh().await, (0, 0));
        assert_eq!(table().await.inspected_at, Some(exchange.now()));
        // What is wrong is said once, and looked at until it is right again.
        company.break_table(path, Problem::new("version 9 is missing"));
        assert_eq!(refresh().await, (1, 1));
        company.test.clock.set(exchange.now().plus(HOUR));
        assert_eq!(refresh().await, (1, 0));
        assert_eq!(
            table().await.problem.as_deref(),
            Some("version 9 is missing")
        );
        company.put(path, &["vin"]);
        assert_eq!(refresh().await, (1, 1));
        assert_eq!(table().await.problem, None);

        let retire = ProductRetire {
            reason: "replaced".to_owned(),
            revision: None,
        };
        exchange
            .product_retire(&company.mara, "vehicle-a", retire)
            .await
            .unwrap();
        assert_eq!(refresh().await, (0, 0), "woken before it was retired");
        assert_eq!(woken(&company).await, [""; 0]);
        let all = PageRequest::all();
        let work = exchange.work_list(&company.operator, &all).await;
        assert!(work.unwrap().items.is_empty());
    }
}
