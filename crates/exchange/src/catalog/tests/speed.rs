//! The catalog with a thousand products: a search must not walk through the words of all of them.

use std::time::{Duration, Instant};

use model::dto::ProductQuery;
use model::{ProductId, TableId};
use serde_json::json;

use super::super::tables::note_inspection;
use super::{Company, inspection};
use crate::audit::Object;
use crate::operation::Operation;
use crate::sql;

const COUNT: usize = 1_000;
const COLUMNS: [&str; 12] = [
    "vin",
    "visit_id",
    "order_line_id",
    "mileage",
    "dealer_no",
    "part_no",
    "price",
    "currency",
    "day",
    "country",
    "campaign",
    "technician",
];
/// In an unoptimised build on a busy machine. One that walks through everything takes seconds.
const ENOUGH: Duration = Duration::from_millis(250);

/// Writes the rows that registering would, in one transaction.
async fn fill(company: &Company) {
    let exchange = company.exchange();
    let team = exchange.team_by_name("aftersales").await.unwrap().unwrap();
    let storage = exchange.storage_by_name("aws_eu").await.unwrap().unwrap();
    let mut change = exchange.change(&company.operator).await.unwrap();
    for number in 0..COUNT {
        let at = change.at();
        let (product, table) = (ProductId::new(at), TableId::new(at));
        sql!("insert into product (id, name, domain_id, team_id, storage_id, title, title_key, description, classification,
                  access_policy, state, payer, baseline_days, revision, created_at, updated_at)
              values ($1, $2, $3, $4, $5, $6, $6, $7, 'internal', 'owner', 'published', 'producer', 7, 1, 0, 0)")
        .bind(product)
        .bind(format!("vehicle-product-{number:04}"))
        .bind(team.domain_id)
        .bind(team.id)
        .bind(storage.id)
        .bind(format!("product number {number:04}"))
        .bind("What the workshops of all markets report about the vehicles that they repair.")
        .execute(change.tx())
        .await
        .unwrap();
        sql!("insert into product_table (id, product_id, storage_id, schema_name, name, path, format, history, change_data_feed,
                  columns, partition_columns, features, created_at, updated_at)
              values ($1, $2, $3, 'default', 'visits', $4, 'delta', true, false, '[]', '[]', '[]', 0, 0)")
        .bind(table)
        .bind(product)
        .bind(storage.id)
        .bind(format!("shelf/{number:04}"))
        .execute(change.tx())
        .await
        .unwrap();
        let found = inspection(&COLUMNS);
        let path = format!("shelf/{number:04}");
        let at = change.at();
        note_inspection(change.tx(), at, table, storage.id, &path, &found)
            .await
            .unwrap();
        exchange.rebuild_terms(&mut change, product).await.unwrap();
    }
    change.note(
        Operation::ProductRegister,
        Object::new("product", "all"),
        json!({ "count": COUNT }),
    );
    change.commit().await.unwrap();
}

#[tokio::test]
async fn a_thousand_products_are_searched_at_once() {
    for company in Company::each().await {
        let exchange = company.exchange();
        fill(&company).await;
        for (q, total) in [
            ("", 1_000),
            ("vehicle-product-0500", 1),
            ("0500", 1),
            ("number 09", 100),
            ("visit_id", 1_000),
            ("v", 1_000),
            ("workshops repair vehicles markets", 1_000),
            ("nothing", 0),
        ] {
            let query = || ProductQuery {
                q: Some(q.to_owned()),
                ..ProductQuery::default()
            };
            let mut best = Duration::MAX;
            for _ in 0..7 {
                let start = Instant::now();
                let page = exchange.products(&company.otto, query()).await.unwrap();
                best = best.min(start.elapsed());
                assert_eq!(page.total, total, "{q}");
            }
            eprintln!("{:?} {q:?}: {best:?}", exchange.db().dialect());
            assert!(best < ENOUGH, "{q}: {best:?}");
        }
    }
}
