//! Prices of routes and of compute time: which one holds when.

use model::Timestamp;

use super::Books;
use crate::error::Error;

#[tokio::test]
async fn rates_do_not_overlap_and_the_nearest_wins() {
    for books in Books::each().await {
        let exchange = books.exchange();
        // Ends the one before where it begins.
        books.rate("azure:*", "0.08", "2026-06-10").await.unwrap();
        assert!(matches!(
            books.rate("azure:*", "0.07", "2026-06-05").await,
            Err(Error::Conflict(_))
        ));
        books
            .rate("azure:westeurope", "0.05", "2026-01-01")
            .await
            .unwrap();
        books.rate("*", "0.20", "2026-01-01").await.unwrap();
        for (to, at, price) in [
            ("azure:northeurope", "2026-06-01", "0.09"),
            ("azure:northeurope", "2026-06-10", "0.08"),
            ("azure:westeurope", "2026-06-10", "0.05"),
            ("gcp:europe-west3", "2026-06-10", "0.20"),
        ] {
            let route = format!("aws:eu-central-1->{to}").parse().unwrap();
            let rate = exchange
                .rate_for(exchange.db(), &route, Timestamp::parse(at).unwrap())
                .await
                .unwrap()
                .unwrap();
            assert_eq!(rate.price_nano.to_string(), price, "{to} at {at}");
        }
        for (to, price, from) in [
            ("mars", "1", "2026-01-01"),
            ("azure:*", "-1", "2026-01-01"),
            ("azure:*", "1e3", "x"),
        ] {
            assert!(
                matches!(books.rate(to, price, from).await, Err(Error::Invalid(_))),
                "{to} {price} {from}"
            );
        }
    }
}

#[tokio::test]
async fn a_price_with_an_end_interrupts_the_one_without() {
    for books in Books::each().await {
        let exchange = books.exchange();
        let route = "aws:eu-central-1->azure:westeurope".parse().unwrap();
        let rate_at = async |at: &str| {
            let at = Timestamp::parse(at).unwrap();
            let rate = exchange.rate_for(exchange.db(), &route, at).await.unwrap();
            rate.unwrap().price_nano.to_string()
        };
        let compute_at = async |at: &str| {
            let at = Timestamp::parse(at).unwrap();
            let rate = exchange
                .service_rate_for(exchange.db(), "compute", at)
                .await;
            rate.unwrap().unwrap().price_nano.to_string()
        };
        let set = async |price: &str, from: &str, until: Option<&str>| {
            let rate = books.rate_until("azure:*", price, from, until).await;
            let compute = books.compute(price, from, until).await;
            assert_eq!(rate.is_ok(), compute.is_ok(), "{rate:?} {compute:?}");
            match rate {
                Ok(()) => "",
                Err(Error::Conflict(why)) if why.contains("holds in that time") => "refused",
                Err(error) => panic!("{error}"),
            }
        };
        books.compute("0.09", "2026-01-01", None).await.unwrap();
        assert_eq!(set("0.05", "2026-06-10", Some("2026-06-20")).await, "");
        assert_eq!(set("0.06", "2026-12-01", Some("2027-01-01")).await, "");
        // The next one without an end, before an interruption that is still to come.
        assert_eq!(set("0.10", "2026-07-01", None).await, "");
        for (at, price) in [
            ("2026-06-09T23:59:59Z", "0.09"),
            ("2026-06-10", "0.05"),
            ("2026-06-19T23:59:59Z", "0.05"),
            ("2026-06-20", "0.09"),
            ("2026-07-01", "0.10"),
            ("2026-12-24", "0.06"),
            ("2027-01-01", "0.10"),
        ] {
            let found = (rate_at(at).await, compute_at(at).await);
            assert_eq!(found, (price.to_owned(), price.to_owned()), "{at}");
        }
        for (from, until) in [
            // Two interruptions that overlap.
            ("2026-06-15", Some("2026-06-25")),
            ("2026-06-01", Some("2026-06-11")),
            // From the middle of one on.
            ("2026-12-10", None),
            ("2026-12-01", None),
            // Where one without an end begins, or across its beginning.
            ("2026-07-01", None),
            ("2026-07-01", Some("2026-08-01")),
            ("2026-06-25", Some("2026-07-02")),
            // Before all of them, and for ever.
            ("2025-01-01", None),
        ] {
            assert_eq!(set("9", from, until).await, "refused", "{from} {until:?}");
        }
        assert_eq!(set("0.08", "2026-06-20", Some("2026-06-21")).await, "");
        assert_eq!(rate_at("2026-06-20").await, "0.08");
        assert_eq!(rate_at("2026-06-21").await, "0.09");
    }
}
