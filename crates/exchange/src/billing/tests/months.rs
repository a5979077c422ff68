//! The list of statements, page by page.

use model::Method;

use super::Books;
use crate::error::Error;
use crate::page::PageRequest;

#[tokio::test]
async fn every_month_of_every_team_is_on_some_page() {
    for books in Books::each().await {
        let exchange = books.exchange();
        let rnd = books.recipient("rnd", "rnd_weu").await;
        let change = model::dto::ProductChange {
            payer: Some("consumer".into()),
            ..model::dto::ProductChange::default()
        };
        exchange
            .product_update(&crate::Principal::operator(), "vehicle-visits", change)
            .await
            .unwrap();
        let pounds = model::dto::RateNew {
            from: "aws:eu-central-1".into(),
            to: "azure:uksouth".into(),
            price: "0.07".into(),
            unit: "GB".into(),
            currency: "GBP".into(),
            valid_from: "2010-01-01".into(),
            valid_until: None,
            source: "list price".into(),
        };
        exchange.rate_create(&books.finance, pounds).await.unwrap();
        books.rate("gcp:*", "0.02", "2010-01-01").await.unwrap();
        // Eleven years of one team, more than ever fitted; two teams and two currencies in some months.
        let mut expected = Vec::new();
        for month in 0..132 {
            let (year, month) = (2010 + month / 12, month % 12 + 1);
            books.at(&format!("{year}-{month:02}-07"));
            let key = format!("run/{year}/{month}");
            books
                .count(&key, "gcp:europe-west3", 1_000, Method::Measured)
                .await;
            let mut of_month = vec![("aftersales", "USD")];
            if month == 3 {
                let key = format!("pounds/{year}");
                books
                    .count(&key, "azure:uksouth", 1_000, Method::Measured)
                    .await;
                of_month.insert(0, ("aftersales", "GBP"));
            }
            if month % 5 == 3 {
                let mut event = books.event(
                    &format!("read/{year}/{month}"),
                    "gcp:europe-west3",
                    (1_000, 0),
                    Method::Measured,
                );
                event.recipient = Some(rnd);
                exchange.meter_record(&books.system, &event).await.unwrap();
                of_month.push(("rnd", "USD"));
            }
            let of_month = of_month.into_iter();
            let of_month =
                of_month.map(|(team, money)| format!("{year}-{month:02} {team} {money}"));
            expected.splice(0..0, of_month);
        }
        // The last one is only counted so far.
        exchange.billing_report(&books.system).await.unwrap();
        for limit in [1, 7, 200] {
            let mut page = PageRequest {
                after: None,
                limit: Some(limit),
            };
            let mut found = Vec::new();
            loop {
                let some = exchange.statements(&books.finance, &page).await.unwrap();
                assert!(some.items.len() <= usize::try_from(limit).unwrap());
                let lines = some.items.iter().map(|summary| {
                    format!("{} {} {}", summary.month, summary.team, summary.currency)
                });
                found.extend(lines);
                page.after = some.next;
                if page.after.is_none() {
                    break;
                }
            }
            assert_eq!(found, expected, "pages of {limit}");
        }
        for nonsense in [
            "x",
            "2026-06",
            "2026-06.aftersales",
            "2026-13.aftersales.USD",
        ] {
            let page = PageRequest {
                after: Some(nonsense.into()),
                limit: None,
            };
            let refused = exchange.statements(&books.finance, &page).await;
            assert!(matches!(refused, Err(Error::Invalid(_))), "{nonsense}");
        }
    }
}

#[tokio::test]
async fn a_list_of_a_product_that_is_not_there_is_a_mistake() {
    for books in Books::each().await {
        let (exchange, who) = (books.exchange(), &books.finance);
        let all = PageRequest::all();
        for (product, is_there) in [(Some("vehicle-visits"), true), (Some("nope"), false)] {
            let missing = [
                exchange.charges(who, product, &all).await.err(),
                exchange.meter_events(who, product, &all).await.err(),
                exchange.savings(who, product).await.err(),
                exchange.grants(who, product, &all).await.err(),
                exchange.replicas(who, product, &all).await.err(),
                exchange.sync_runs(who, product, &all).await.err(),
            ];
            for (index, error) in missing.iter().enumerate() {
                match error {
                    None => assert!(is_there, "list {index}"),
                    Some(error) => {
                        assert!(
                            !is_there && matches!(error, Error::NotFound("product")),
                            "{index}"
                        );
                    }
                }
            }
        }
    }
}
