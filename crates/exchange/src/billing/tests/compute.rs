//! Compute time: what it costs, and that it waits for its price.

use model::Method;
use model::dto::ReportResult;
use model::time::{DAY, HOUR};

use super::Books;
use crate::error::Error;
use crate::page::PageRequest;

#[tokio::test]
async fn compute_time_has_a_price() {
    for books in Books::each().await {
        let exchange = books.exchange();
        books.compute("0.50", "2026-01-01", None).await.unwrap();
        books.work("run/1", (1_000, 1_800_000_000)).await;
        books.test.clock.advance(DAY);
        assert_eq!(
            exchange
                .billing_report(&books.system)
                .await
                .unwrap()
                .charges,
            2
        );
        let charges = exchange
            .charges(&books.finance, None, &PageRequest::all())
            .await
            .unwrap()
            .items;
        let compute = charges
            .iter()
            .find(|charge| charge.kind == "compute")
            .unwrap();
        // Half an hour at 0.50 an hour.
        assert_eq!(
            (compute.amount.to_string().as_str(), compute.bytes),
            ("0.25", 0)
        );

        // 3.6 ms are half a millionth, and 10.8 ms one and a half: to the even neighbour, and not down.
        for (key, busy, to) in [
            ("run/2", 3_600, "azure:northeurope"),
            ("run/3", 10_800, "azure:uksouth"),
        ] {
            let event = books.event(key, to, (1, busy), Method::Measured);
            let written = exchange.meter_record(&books.system, &event).await;
            assert!(written.unwrap());
        }
        books.test.clock.advance(DAY);
        exchange.billing_report(&books.system).await.unwrap();
        let [statement] = exchange
            .statement(&books.finance, "aftersales", "2026-06")
            .await
            .unwrap()
            .try_into()
            .unwrap();
        let compute: Vec<_> = statement
            .lines
            .iter()
            .filter(|line| line.kind == "compute")
            .map(|line| {
                let to = line.route.to.to_string();
                (to, line.busy_micros, line.amount.0)
            })
            .collect();
        let expected = [
            ("azure:northeurope", 3_600, 0),
            ("azure:uksouth", 10_800, 2),
            ("azure:westeurope", 1_800_000_000, 250_000),
        ]
        .map(|(to, busy, amount)| (to.to_owned(), busy, amount));
        assert_eq!(compute, expected);
        let sum: i64 = statement.lines.iter().map(|line| line.amount.0).sum();
        assert_eq!(statement.summary.total.0, sum);
    }
}

#[tokio::test]
async fn compute_time_waits_for_its_price_and_has_the_one_of_its_instant() {
    for books in Books::each().await {
        let exchange = books.exchange();
        books.at("2026-06-14T10:00:00Z");
        books.work("run/1", (1_000, HOUR)).await;
        books.at("2026-06-14T14:00:00Z");
        books.work("run/2", (0, HOUR)).await;
        books.work("run/3", (2_000, 0)).await;
        books.at("2026-06-15");
        let report = async || exchange.billing_report(&books.system).await.unwrap();
        let shown = |done: ReportResult| {
            let waits = done.unrated_busy_micros;
            (done.charges, done.events, done.unrated, waits)
        };
        let hours = |count: i64| u64::try_from(count * HOUR).unwrap();
        // The bytes do not wait for it.
        assert_eq!(shown(report().await), (1, 2, 0, hours(2)));
        assert_eq!(shown(report().await), (0, 0, 0, hours(2)));
        let events = exchange
            .meter_events(&books.finance, None, &PageRequest::all())
            .await
            .unwrap()
            .items;
        let charged: Vec<bool> = events.iter().map(|event| event.charged).collect();
        assert_eq!(charged, [true, false, false], "newest first");
        let [open] = books.june().await.try_into().unwrap();
        assert_eq!((open.lines.len(), open.unrated), (1, 0));
        assert_eq!(open.unrated_busy_micros, hours(2));

        // From noon on there is one.
        let noon = "2026-06-14T12:00:00Z";
        books.compute("0.50", noon, None).await.unwrap();
        assert_eq!(shown(report().await), (1, 1, 0, hours(1)));
        books.at("2026-07-01");
        let held = exchange
            .statement_issue(&books.finance, "aftersales", "2026-06")
            .await;
        let Err(Error::Conflict(why)) = held else {
            panic!("{held:?}")
        };
        assert!(why.contains("compute"), "{why}");

        books
            .compute("0.20", "2026-06-01", Some(noon))
            .await
            .unwrap();
        let [issued] = exchange
            .statement_issue(&books.finance, "aftersales", "2026-06")
            .await
            .unwrap()
            .try_into()
            .unwrap();
        let lines: Vec<_> = issued
            .lines
            .iter()
            .map(|line| {
                let amount = line.amount.to_string();
                (line.kind.as_str(), line.bytes, line.busy_micros, amount)
            })
            .collect();
        assert_eq!(
            lines,
            [
                ("transfer", 3_000, 0, "0.00".to_owned()),
                ("compute", 0, 2 * HOUR, "0.70".to_owned()),
            ]
        );
        assert_eq!(issued.unrated_busy_micros, 0);
    }
}
