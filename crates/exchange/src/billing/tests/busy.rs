//! A busy day: each request of a reader at the gateway is an event.

use std::collections::BTreeMap;

use model::time::{DAY, HOUR};
use model::{Method, Micro, Nano, Purpose, Timestamp, Unit};

use super::Books;
use crate::page::PageRequest;
use crate::sql;

const EVENTS: u64 = 20_000;

#[tokio::test]
async fn a_busy_day_is_charged_to_the_byte() {
    for books in Books::each().await {
        let exchange = books.exchange();
        // From noon on it is cheaper.
        books
            .rate("azure:*", "0.07", "2026-06-15T12:00:00Z")
            .await
            .unwrap();
        let readers = [
            books.recipient("rnd", "rnd_weu").await,
            books.recipient("sales", "sales_weu").await,
        ];
        let start = Timestamp::parse("2026-06-15").unwrap();
        let mut expected: BTreeMap<(&str, bool), i128> = BTreeMap::new();
        let mut tx = exchange.db().begin().await.unwrap();
        for number in 0..EVENTS {
            let which = usize::try_from(number % 2).unwrap();
            let bytes = number * 7_919 + 1;
            let mut event = books.event(
                &format!("gateway/{number}"),
                "azure:westeurope",
                (bytes, 0),
                Method::Measured,
            );
            event.recipient = Some(readers[which]);
            event.purpose = Purpose::Gateway;
            let after = i64::try_from(number).unwrap() * 4_000_000;
            let noon = after >= 12 * HOUR;
            *expected.entry((["rnd", "sales"][which], noon)).or_default() += i128::from(bytes);
            exchange
                .meter_store(&mut tx, &event, start.plus(after))
                .await
                .unwrap();
        }
        tx.commit().await.unwrap();
        books.test.clock.set(start.plus(DAY));

        let started = std::time::Instant::now();
        let report = exchange.billing_report(&books.system).await.unwrap();
        println!(
            "{:?}: {EVENTS} events in {:?}",
            exchange.db().dialect(),
            started.elapsed()
        );
        assert_eq!(
            (report.charges, report.events, report.unrated),
            (4, EVENTS, 0)
        );
        let charges = exchange
            .charges(&books.finance, None, &PageRequest::all())
            .await
            .unwrap()
            .items;
        let mut found: Vec<(String, u64, Micro)> = charges
            .iter()
            .map(|charge| {
                let consumer = charge.consumer.as_ref().unwrap().to_string();
                (consumer, charge.bytes, charge.amount)
            })
            .collect();
        found.sort();
        let mut wanted: Vec<(String, u64, Micro)> = expected
            .into_iter()
            .map(|((team, noon), bytes)| {
                let price = Nano(if noon { 70_000_000 } else { 90_000_000 });
                let amount = Micro::charge(bytes, price, Unit::Gigabyte).unwrap();
                (team.to_owned(), u64::try_from(bytes).unwrap(), amount)
            })
            .collect();
        wanted.sort();
        assert_eq!(found, wanted);
        // Nobody else who writes had to wait for all of it.
        let row =
            sql!("select cast(count(*) as bigint) as batches from audit where object_kind = 'day'")
                .row(exchange.db())
                .await
                .unwrap();
        let batches: u64 = row.unwrap().get("batches").unwrap();
        let batch = u64::try_from(exchange.options().report_batch).unwrap();
        assert!(batches >= EVENTS / batch, "{batches}");
        let left = sql!("select id from charge_draft")
            .rows(exchange.db())
            .await;
        assert!(left.unwrap().is_empty());
        let again = exchange.billing_report(&books.system).await.unwrap();
        assert_eq!((again.charges, again.events), (0, 0));
    }
}
