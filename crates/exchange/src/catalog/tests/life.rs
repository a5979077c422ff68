//! Drafts, publishing, changing, refreshing, retiring.

use model::dto::{MyAccess, ProductChange, ProductPublish, ProductQuery, ProductRetire, TableNew};
use model::{RequestId, RequestState};

use super::{Company, LAKE, fields, inspection, product, said, table};
use crate::error::Error;
use crate::ports::Problem;
use crate::principal::Principal;
use crate::sql;

#[tokio::test]
async fn a_draft_is_not_there_for_others() {
    for company in Company::each().await {
        let exchange = company.exchange();
        company.drafted("vehicle-secret", "Zebra").await;
        for principal in [&company.otto, &company.rita] {
            let name = "vehicle-secret";
            let absent = "vehicle-absent";
            for (found, missing) in [
                (
                    said(exchange.product(principal, name).await),
                    said(exchange.product(principal, absent).await),
                ),
                (
                    said(
                        exchange
                            .product_update(principal, name, ProductChange::default())
                            .await,
                    ),
                    said(
                        exchange
                            .product_update(principal, absent, ProductChange::default())
                            .await,
                    ),
                ),
                (
                    said(
                        exchange
                            .product_publish(principal, name, ProductPublish::default())
                            .await,
                    ),
                    said(
                        exchange
                            .product_publish(principal, absent, ProductPublish::default())
                            .await,
                    ),
                ),
                (
                    said(exchange.product_refresh(principal, name).await),
                    said(exchange.product_refresh(principal, absent).await),
                ),
            ] {
                assert_eq!(found, missing, "the two are told apart by nobody");
            }
            for q in ["", "zebra", "vehicle-secret", "visit_id"] {
                let query = ProductQuery {
                    q: Some(q.to_owned()),
                    ..ProductQuery::default()
                };
                let page = exchange.products(principal, query).await.unwrap();
                assert_eq!(page.total, 0);
                assert!(
                    page.items.is_empty() && page.facets.domain.is_empty(),
                    "{q}"
                );
            }
        }
        for principal in [
            &company.mara,
            &company.nils,
            &company.admin,
            &company.operator,
        ] {
            assert!(exchange.product(principal, "vehicle-secret").await.is_ok());
            let page = exchange
                .products(principal, ProductQuery::default())
                .await
                .unwrap();
            assert_eq!(page.total, 1);
        }
        assert!(matches!(
            exchange
                .product(&Principal::nobody(), "vehicle-secret")
                .await,
            Err(Error::Unauthenticated)
        ));
        // A member who is no producer sees it and may not publish it.
        let refused = exchange
            .product_publish(&company.nils, "vehicle-secret", ProductPublish::default())
            .await;
        assert!(matches!(refused, Err(Error::Forbidden(_))));
    }
}

#[tokio::test]
async fn publishing_takes_a_readable_table() {
    for company in Company::each().await {
        let exchange = company.exchange();
        let mut empty = product("vehicle-empty", "x");
        empty.tables.clear();
        exchange
            .product_register(&company.mara, empty)
            .await
            .unwrap();
        let publish = || ProductPublish::default();
        let refused = said(
            exchange
                .product_publish(&company.mara, "vehicle-empty", publish())
                .await,
        );
        assert!(refused.contains("at least one table"), "{refused}");
        let seen = exchange
            .product(&company.mara, "vehicle-empty")
            .await
            .unwrap();
        assert_eq!((seen.state.as_str(), seen.revision), ("draft", 1));

        company.put("x", &["a"]);
        let change = ProductChange {
            tables: Some(vec![table("visits", "x")]),
            revision: Some(1),
            ..ProductChange::default()
        };
        exchange
            .product_update(&company.mara, "vehicle-empty", change)
            .await
            .unwrap();
        company.break_table("x", Problem::new("version 9 is missing"));
        let refreshed = exchange
            .product_refresh(&company.mara, "vehicle-empty")
            .await
            .unwrap();
        assert_eq!(
            refreshed.tables[0].problem.as_deref(),
            Some("version 9 is missing")
        );
        assert_eq!(
            refreshed.tables[0].version,
            Some(7),
            "as it was read before"
        );
        let refused = said(
            exchange
                .product_publish(&company.mara, "vehicle-empty", publish())
                .await,
        );
        assert!(refused.contains("version 9 is missing"), "{refused}");

        let mut later = inspection(&["a", "mileage"]);
        later.version = 8;
        company.test.world.put_table(LAKE, "x", Ok(later));
        let refreshed = exchange
            .product_refresh(&company.mara, "vehicle-empty")
            .await
            .unwrap();
        assert_eq!(refreshed.tables[0].problem, None);
        assert_eq!(refreshed.tables[0].version, Some(8));
        assert_eq!(refreshed.revision, 2, "a refresh makes no form stale");
        let query = ProductQuery {
            q: Some("mileage".to_owned()),
            ..ProductQuery::default()
        };
        let found = exchange.products(&company.mara, query).await.unwrap();
        assert_eq!(found.total, 1, "new columns are found");
        exchange
            .product_publish(&company.mara, "vehicle-empty", publish())
            .await
            .unwrap();
        let again = exchange
            .product_publish(&company.mara, "vehicle-empty", publish())
            .await;
        assert!(matches!(again, Err(Error::Conflict(_))));
        let id = company.product_id("vehicle-empty").await;
        exchange
            .product_refresh_for_system(&Principal::system(), id)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn the_second_of_two_editors_looks_again() {
    for company in Company::each().await {
        let exchange = company.exchange();
        company.drafted("vehicle-visits", "Visits").await;
        let change = |title: &str| ProductChange {
            title: Some(title.to_owned()),
            revision: Some(1),
            ..ProductChange::default()
        };
        let first = exchange
            .product_update(&company.mara, "vehicle-visits", change("Arrivals"))
            .await
            .unwrap();
        assert_eq!((first.title.as_str(), first.revision), ("Arrivals", 2));
        let second = exchange
            .product_update(&company.admin, "vehicle-visits", change("Departures"))
            .await;
        assert!(matches!(second, Err(Error::Conflict(_))));
        for stale in [
            exchange
                .product_publish(
                    &company.mara,
                    "vehicle-visits",
                    ProductPublish { revision: Some(1) },
                )
                .await,
            exchange
                .product_retire(
                    &company.mara,
                    "vehicle-visits",
                    ProductRetire {
                        reason: "old".to_owned(),
                        revision: Some(1),
                    },
                )
                .await,
        ] {
            assert!(matches!(stale, Err(Error::Conflict(_))));
        }
        let seen = exchange
            .product(&company.mara, "vehicle-visits")
            .await
            .unwrap();
        assert_eq!(
            (seen.title.as_str(), seen.state.as_str()),
            ("Arrivals", "draft")
        );
        for (q, count) in [("arrivals", 1), ("departures", 0)] {
            let query = ProductQuery {
                q: Some(q.to_owned()),
                ..ProductQuery::default()
            };
            let page = exchange.products(&company.mara, query).await.unwrap();
            assert_eq!(page.total, count, "{q}");
        }
    }
}

#[tokio::test]
async fn names_and_places_are_fixed_at_publish() {
    for company in Company::each().await {
        let exchange = company.exchange();
        company.drafted("vehicle-a", "A").await;
        company.put("elsewhere", &["x"]);
        let rename = |name: &str| ProductChange {
            name: Some(name.to_owned()),
            ..ProductChange::default()
        };
        let moved = || ProductChange {
            tables: Some(vec![table("visits", "elsewhere")]),
            ..ProductChange::default()
        };
        let refused = exchange
            .product_update(&company.mara, "vehicle-a", rename("finance-a"))
            .await;
        assert_eq!(fields(refused), ["name"]);
        exchange
            .product_update(&company.mara, "vehicle-a", rename("vehicle-b"))
            .await
            .unwrap();
        let seen = exchange
            .product_update(&company.mara, "vehicle-b", moved())
            .await
            .unwrap();
        assert_eq!(seen.tables[0].path.as_deref(), Some("elsewhere"));
        exchange
            .product_publish(&company.mara, "vehicle-b", ProductPublish::default())
            .await
            .unwrap();
        let refused = exchange
            .product_update(&company.mara, "vehicle-b", rename("vehicle-c"))
            .await;
        assert_eq!(fields(refused), ["name"]);
        let back = ProductChange {
            tables: Some(vec![table("visits", "tables/vehicle-a")]),
            storage: Some("az_weu".to_owned()),
            ..ProductChange::default()
        };
        let refused = exchange
            .product_update(&company.mara, "vehicle-b", back)
            .await;
        assert_eq!(fields(refused), ["storage"]);
        let back = ProductChange {
            tables: Some(vec![table("visits", "tables/vehicle-a")]),
            ..ProductChange::default()
        };
        let refused = exchange
            .product_update(&company.mara, "vehicle-b", back)
            .await;
        assert_eq!(fields(refused), ["tables[0].path"]);
        // Saying the same again is no change of place.
        exchange
            .product_update(&company.mara, "vehicle-b", moved())
            .await
            .unwrap();
    }
}

async fn work(company: &Company) -> Vec<(String, String)> {
    sql!("select kind, key from work order by kind, key")
        .rows(company.exchange().db())
        .await
        .unwrap()
        .iter()
        .map(|row| (row.get("kind").unwrap(), row.get("key").unwrap()))
        .collect()
}

#[tokio::test]
async fn a_change_of_tables_reaches_those_who_read() {
    for company in Company::each().await {
        let exchange = company.exchange();
        company.published("vehicle-a", "A").await;
        company.put("second", &["x"]);
        let grant = company.grant("vehicle-a", "active").await;
        let tables = |tables: Vec<TableNew>| ProductChange {
            tables: Some(tables),
            ..ProductChange::default()
        };
        let title = ProductChange {
            title: Some("B".to_owned()),
            ..ProductChange::default()
        };
        exchange
            .product_update(&company.mara, "vehicle-a", title)
            .await
            .unwrap();
        assert_eq!(work(&company).await, []);
        let both = vec![
            table("visits", "tables/vehicle-a"),
            table("second", "second"),
        ];
        exchange
            .product_update(&company.mara, "vehicle-a", tables(both))
            .await
            .unwrap();
        assert_eq!(
            work(&company).await,
            [("grant".to_owned(), grant.to_string())]
        );
        // What was promised stays.
        let one = || vec![table("visits", "tables/vehicle-a")];
        let refused = exchange
            .product_update(&company.mara, "vehicle-a", tables(one()))
            .await;
        assert!(matches!(refused, Err(Error::Conflict(_))));
        let refused = exchange
            .product_update(&company.mara, "vehicle-a", tables(Vec::new()))
            .await;
        assert_eq!(fields(refused), ["tables"]);
        company.end_grant(grant).await;
        let seen = exchange
            .product_update(&company.mara, "vehicle-a", tables(one()))
            .await
            .unwrap();
        assert_eq!(seen.tables.len(), 1);
    }
}

#[tokio::test]
async fn personal_is_not_taken_lightly() {
    for company in Company::each().await {
        let exchange = company.exchange();
        company.published("vehicle-a", "A").await;
        let class = |word: &str| ProductChange {
            classification: Some(word.to_owned()),
            ..ProductChange::default()
        };
        let waiting = company.request("vehicle-a", RequestState::Submitted).await;
        let grant = company.grant("vehicle-a", "active").await;
        let refused = exchange
            .product_update(&company.mara, "vehicle-a", class("personal"))
            .await;
        assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
        assert_eq!(revision(&company, waiting).await, 1, "nothing happened");
        company.end_grant(grant).await;
        exchange
            .product_update(&company.mara, "vehicle-a", class("personal"))
            .await
            .unwrap();
        assert_eq!(revision(&company, waiting).await, 2, "looked at again");
        let auto = ProductChange {
            access_policy: Some("auto".to_owned()),
            ..ProductChange::default()
        };
        assert_eq!(
            fields(
                exchange
                    .product_update(&company.mara, "vehicle-a", auto)
                    .await
            ),
            ["access_policy"]
        );
        let lowered = exchange
            .product_update(&company.mara, "vehicle-a", class("internal"))
            .await;
        assert!(matches!(lowered, Err(Error::Forbidden(_))));
        exchange
            .product_update(&company.admin, "vehicle-a", class("internal"))
            .await
            .unwrap();
    }
}

async fn revision(company: &Company, request: RequestId) -> i64 {
    sql!("select revision from request where id = $1")
        .bind(request)
        .row(company.exchange().db())
        .await
        .unwrap()
        .unwrap()
        .get("revision")
        .unwrap()
}

#[tokio::test]
async fn retiring_rejects_what_waits_and_refuses_while_grants_stand() {
    for company in Company::each().await {
        let exchange = company.exchange();
        company.published("vehicle-a", "A").await;
        let waiting = company.request("vehicle-a", RequestState::Submitted).await;
        let grant = company.grant("vehicle-a", "active").await;
        let retire = || ProductRetire {
            reason: "replaced by vehicle-b".to_owned(),
            revision: None,
        };
        let empty = ProductRetire::default();
        assert_eq!(
            fields(
                exchange
                    .product_retire(&company.mara, "vehicle-a", empty)
                    .await
            ),
            ["reason"]
        );
        let refused = said(
            exchange
                .product_retire(&company.mara, "vehicle-a", retire())
                .await,
        );
        assert!(refused.contains("1 grant stands"), "{refused}");
        assert_eq!(revision(&company, waiting).await, 1, "nothing happened");
        for principal in [&company.nils, &company.otto, &company.rita] {
            let refused = exchange
                .product_retire(principal, "vehicle-a", retire())
                .await;
            assert!(matches!(refused, Err(Error::Forbidden(_))));
        }

        company.end_grant(grant).await;
        let retired = exchange
            .product_retire(&company.mara, "vehicle-a", retire())
            .await
            .unwrap();
        assert_eq!(retired.state.as_str(), "retired");
        let row = sql!(
            "select request.state, decision.note, decision.stage from request join decision on decision.request_id = request.id
             where request.id = $1"
        )
        .bind(waiting)
        .row(exchange.db())
        .await
        .unwrap()
        .unwrap();
        let (state, note): (String, String) = (row.get("state").unwrap(), row.get("note").unwrap());
        assert_eq!(state, "rejected");
        assert!(note.contains("replaced by vehicle-b"), "{note}");

        let seen = exchange.product(&company.otto, "vehicle-a").await.unwrap();
        assert_eq!(seen.access, MyAccess::None);
        for refused in [
            exchange
                .product_retire(&company.mara, "vehicle-a", retire())
                .await,
            exchange
                .product_publish(&company.mara, "vehicle-a", ProductPublish::default())
                .await,
            exchange
                .product_update(&company.mara, "vehicle-a", ProductChange::default())
                .await,
            exchange.product_refresh(&company.mara, "vehicle-a").await,
        ] {
            assert!(matches!(refused, Err(Error::Conflict(_))));
        }
        // Its folder is free for a successor.
        exchange
            .product_register(&company.mara, product("vehicle-b", "tables/vehicle-a"))
            .await
            .unwrap();
        let found = exchange
            .audit_verify(&company.operator, None)
            .await
            .unwrap();
        assert_eq!(found.broken, None);
    }
}
