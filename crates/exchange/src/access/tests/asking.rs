//! What may be asked and what it would cost.

use model::Stage;
use model::dto::{PurposeNew, RequestNew, RevokeNew};
use model::time::DAY;

use super::World;
use crate::access::RequestFilter;
use crate::error::Error;
use crate::page::PageRequest;
use crate::principal::Principal;

#[tokio::test]
async fn offers_are_priced_and_dated() {
    for world in World::each().await {
        let exchange = world.exchange();
        let offer = exchange
            .offer(&world.mara, "vehicle-visits", "rnd_weu", None)
            .await
            .unwrap();
        assert_eq!(
            (offer.payer.as_str(), offer.cost_center.as_str()),
            ("aftersales", "cc-aftersales")
        );
        assert_eq!(offer.stages, [Stage::Owner]);
        let [live, replica] = offer.modes.as_slice() else {
            panic!("two modes")
        };
        // 4 GB × 4 full reads × 0.09, and 4 GB × 0.09.
        assert_eq!(
            (
                live.month_bytes,
                live.month_transfer.unwrap().amount.to_string()
            ),
            (16_000_000_000, "1.44".into())
        );
        assert_eq!(
            (
                replica.first_copy_bytes,
                replica.first_copy.unwrap().amount.to_string()
            ),
            (4_000_000_000, "0.36".into())
        );
        assert_eq!(replica.month_transfer.unwrap().amount.to_string(), "0.045");
        assert!(replica.why_not.is_none() && replica.month_storage.is_none());
        let storage = model::dto::ServiceRateNew {
            kind: "storage".into(),
            price: "0.02".into(),
            currency: "USD".into(),
            valid_from: "2026-01-01".into(),
            valid_until: None,
            source: "list price".into(),
        };
        exchange
            .service_rate_create(&world.operator, storage)
            .await
            .unwrap();
        let offer = exchange
            .offer(&world.mara, "vehicle-visits", "rnd_weu", None)
            .await;
        let replica = offer.unwrap().modes.pop().unwrap();
        assert_eq!(replica.month_storage.unwrap().amount.to_string(), "0.08");
        assert!(replica.basis.contains("no statement"), "{}", replica.basis);
        assert!(matches!(
            exchange
                .offer(&world.otto, "vehicle-visits", "rnd_weu", None)
                .await,
            Err(Error::NotFound(_))
        ));
    }
}

#[tokio::test]
async fn bad_requests_say_what_is_wrong_and_store_nothing() {
    for world in World::each().await {
        let exchange = world.exchange();
        let good = || World::ask("vehicle-visits", "live");
        let cases: Vec<(&str, RequestNew)> = vec![
            (
                "mode",
                RequestNew {
                    mode: "borrow".into(),
                    ..good()
                },
            ),
            (
                "until",
                RequestNew {
                    until: "soon".into(),
                    ..good()
                },
            ),
            (
                "until",
                RequestNew {
                    until: "2026-06-14".into(),
                    ..good()
                },
            ),
            (
                "until",
                RequestNew {
                    until: "2099-01-01".into(),
                    ..good()
                },
            ),
            (
                "product",
                RequestNew {
                    product: "vehicle-nothing".into(),
                    ..good()
                },
            ),
            (
                "recipient",
                RequestNew {
                    recipient: "nobody".into(),
                    ..good()
                },
            ),
            (
                "purpose.code",
                RequestNew {
                    purpose: PurposeNew {
                        code: "A B".into(),
                        text: "text".into(),
                    },
                    ..good()
                },
            ),
            (
                "purpose.text",
                RequestNew {
                    purpose: PurposeNew {
                        code: "a".into(),
                        text: "x".repeat(5_000),
                    },
                    ..good()
                },
            ),
            (
                "purpose.text",
                RequestNew {
                    purpose: PurposeNew {
                        code: "a".into(),
                        text: "abc\u{202e}def".into(),
                    },
                    ..good()
                },
            ),
        ];
        for (field, new) in cases {
            match exchange.request_create(&world.mara, new).await {
                Err(Error::Invalid(fields)) => assert_eq!(fields[0].field, field),
                other => panic!("{field}: {other:?}"),
            }
        }
        // A recipient of another team is not there for otto.
        assert!(matches!(
            exchange.request_create(&world.otto, good()).await,
            Err(Error::Invalid(_))
        ));
        assert!(
            exchange
                .requests(
                    &world.operator,
                    &RequestFilter::default(),
                    &PageRequest::all()
                )
                .await
                .unwrap()
                .items
                .is_empty()
        );
    }
}

/// One rule says who knows of a product, whatever one does with it.
#[tokio::test]
async fn who_sees_a_product_may_ask_for_it_and_nobody_else_learns_of_it() {
    for world in World::each().await {
        let exchange = world.exchange();
        world.draft("vehicle-drafted", "internal", "owner").await;
        let everybody = [
            &world.operator,
            &world.jonas,
            &world.dora,
            &world.mara,
            &world.otto,
        ];
        let mut seen = Vec::new();
        for product in ["vehicle-drafted", "vehicle-visits"] {
            for who in everybody {
                let sees = exchange.product(who, product).await.is_ok();
                // In a mode that does not exist, so that nothing is stored whoever asks.
                let asked = exchange
                    .request_create(who, World::ask(product, "borrow"))
                    .await;
                let Err(Error::Invalid(fields)) = asked else {
                    panic!("{asked:?}");
                };
                let hidden = fields.iter().any(|field| field.field == "product");
                assert_eq!(sees, !hidden, "{} and {product}", who.title());
                seen.push(sees);
            }
            let stranger = exchange.product(&Principal::nobody(), product).await;
            assert!(matches!(stranger, Err(Error::Unauthenticated)));
        }
        let (draft, published) = seen.split_at(everybody.len());
        assert_eq!(draft, [true, true, true, false, false]);
        assert_eq!(published, [true; 5]);
    }
}

/// Who decides sees whether somebody asks to go on reading, and how long they may already.
#[tokio::test]
async fn a_renewal_says_of_what_end() {
    for world in World::each().await {
        let exchange = world.exchange();
        let ask = async || {
            let new = World::ask("vehicle-visits", "live");
            exchange.request_create(&world.mara, new).await.unwrap()
        };
        let grant = world.granted("vehicle-visits", "live").await;
        let held = exchange.grant(&world.mara, grant).await.unwrap();
        let first = exchange.request(&world.jonas, held.request).await.unwrap();
        assert_eq!(first.renews_until, None, "its own grant is none before it");

        world.test.clock.advance(DAY);
        let renewal = ask().await;
        assert_eq!(renewal.renews_until, Some(held.until));
        let filter = RequestFilter::waiting_for_me();
        let all = PageRequest::all();
        let waiting = exchange
            .requests(&world.jonas, &filter, &all)
            .await
            .unwrap();
        assert_eq!(waiting.items[0].renews_until, Some(held.until));
        exchange
            .request_withdraw(&world.mara, renewal.id)
            .await
            .unwrap();

        // It is told as it was when it was asked, and of what was ended before nothing is renewed.
        let reason = RevokeNew {
            reason: "over".into(),
        };
        world.test.clock.advance(DAY);
        exchange
            .grant_revoke(&world.mara, grant, reason)
            .await
            .unwrap();
        let shown = exchange.request(&world.jonas, renewal.id).await.unwrap();
        assert_eq!(shown.renews_until, Some(held.until));
        world.test.clock.advance(DAY);
        assert_eq!(ask().await.renews_until, None);
    }
}
