//! A request and the retiring of its product at the same time: one of the two comes first, and the other sees it.

use std::time::Duration;

use model::dto::ProductRetire;
use model::{ProductState, RequestState, Stage, Verdict};
use serde_json::json;

use super::World;
use crate::access::RequestFilter;
use crate::audit::Object;
use crate::db::Db;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::PageRequest;
use crate::{Exchange, sql};

/// Waits until somebody waits for a row of this database. SQLite has one writer, and whoever comes second waits before it
/// has begun.
pub(super) async fn somebody_waits(exchange: &Exchange) {
    let Db::Postgres(pool) = exchange.db() else {
        return;
    };
    let text = "select count(*) from pg_stat_activity
                where datname = current_database() and wait_event_type = 'Lock'";
    let waits = async {
        loop {
            let count: i64 = sqlx::query_scalar(text).fetch_one(pool).await.unwrap();
            if count > 0 {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waits)
        .await
        .expect("nobody waits");
}

fn retire() -> ProductRetire {
    ProductRetire {
        reason: "nobody keeps it".into(),
        revision: None,
    }
}

#[tokio::test]
async fn nothing_is_asked_for_while_a_product_retires() {
    for world in World::each().await {
        let exchange = world.exchange();
        let mut retiring = exchange.change(&world.jonas).await.unwrap();
        sql!("update product set state = 'retired', revision = revision + 1 where name = $1")
            .bind("vehicle-parts")
            .execute(retiring.tx())
            .await
            .unwrap();
        retiring.note(
            Operation::ProductRetire,
            Object::new("product", "vehicle-parts"),
            json!({ "reason": "a test" }),
        );
        // The policy of this product says yes by itself: the grant would stand before anybody could look.
        let asking = tokio::spawn({
            let (exchange, mara) = (exchange.clone(), world.mara.clone());
            async move {
                let ask = World::ask("vehicle-parts", "live");
                exchange.request_create(&mara, ask).await
            }
        });
        somebody_waits(exchange).await;
        retiring.commit().await.unwrap();
        let refused = asking.await.unwrap().unwrap_err();
        match exchange.db() {
            Db::Postgres(_) => assert!(matches!(refused, Error::Conflict(_)), "{refused:?}"),
            // Which of the two found the product first is not seen from here.
            Db::Sqlite { .. } => assert!(
                matches!(refused, Error::Conflict(_) | Error::Invalid(_)),
                "{refused:?}"
            ),
        }
        let all = PageRequest::all();
        let every = RequestFilter::default();
        let requests = exchange.requests(&world.mara, &every, &all).await.unwrap();
        assert!(requests.items.is_empty());
        let grants = exchange.grants(&world.mara, None, &all).await.unwrap();
        assert!(grants.items.is_empty());
    }
}

#[tokio::test]
async fn what_was_asked_for_first_is_seen_by_who_retires() {
    for world in World::each().await {
        let exchange = world.exchange();
        for (product, granted) in [("vehicle-visits", false), ("vehicle-parts", true)] {
            let ask = World::ask(product, "live");
            let ready = exchange.request_check(&world.mara, &ask).await.unwrap();
            let mut asking = exchange.change(&world.mara).await.unwrap();
            exchange.request_hold(&mut asking, &ready).await.unwrap();
            let id = exchange
                .request_store(&mut asking, &ready, world.mara.person_id(), None)
                .await
                .unwrap();
            if granted {
                let stage = (Stage::Policy, Verdict::Approve);
                exchange
                    .decision_store(&mut asking, id, stage.0, stage.1, None, "auto", 1)
                    .await
                    .unwrap();
                let (product, recipient) = (&ready.product, &ready.recipient);
                exchange
                    .grant_make(&mut asking, product, recipient, id, ready.mode, ready.until)
                    .await
                    .unwrap();
            }
            let retiring = tokio::spawn({
                let (exchange, jonas) = (exchange.clone(), world.jonas.clone());
                async move { exchange.product_retire(&jonas, product, retire()).await }
            });
            somebody_waits(exchange).await;
            asking.commit().await.unwrap();
            let retired = retiring.await.unwrap();
            let request = exchange.request(&world.mara, id).await.unwrap();
            if granted {
                assert!(matches!(retired, Err(Error::Conflict(_))), "{retired:?}");
                assert_eq!(request.state, RequestState::Approved);
            } else {
                assert_eq!(retired.unwrap().state, ProductState::Retired);
                assert_eq!(request.state, RequestState::Rejected);
            }
        }
    }
}
