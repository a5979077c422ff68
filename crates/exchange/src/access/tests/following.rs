//! A replica follows the tables of its product.

use model::ReplicaState;
use model::dto::{Inspection, ProductChange, TableNew};

use super::{World, inspection};
use crate::page::PageRequest;
use crate::sql;

/// The form of a product's tables: each name is its path, too.
fn tables(names: &[&str]) -> ProductChange {
    let tables = names.iter().map(|name| TableNew {
        name: (*name).into(),
        schema: "default".into(),
        path: if *name == "t" { "vehicle-visits" } else { name }.into(),
        storage: None,
        format: "delta".into(),
        history: false,
        change_data_feed: false,
    });
    ProductChange {
        tables: Some(tables.collect()),
        ..ProductChange::default()
    }
}

/// Name and state of a replica's tables, and the replica's own.
async fn states(world: &World) -> (ReplicaState, Vec<(String, ReplicaState)>) {
    let replica = world
        .exchange()
        .replica(&world.jonas, "vehicle-visits@az_weu")
        .await
        .unwrap();
    let tables = replica.tables.iter();
    let tables = tables.map(|table| (table.name.to_string(), table.state));
    (replica.state, tables.collect())
}

fn named(tables: &[(&str, ReplicaState)]) -> Vec<(String, ReplicaState)> {
    let named = tables.iter();
    named
        .map(|(name, state)| ((*name).to_owned(), *state))
        .collect()
}

#[tokio::test]
async fn a_table_that_is_added_is_cloned_too() {
    for world in World::each().await {
        let exchange = world.exchange();
        let (lake, reader) = ("s3://lake/aftersales", world.reader().await);
        let grant = world.granted("vehicle-visits", "replica").await;
        world.sync(3).await;
        world.test.world.put_table(lake, "more", Ok(inspection()));
        exchange
            .product_update(&world.jonas, "vehicle-visits", tables(&["t", "more"]))
            .await
            .unwrap();
        let new = [("more", ReplicaState::Pending), ("t", ReplicaState::Ready)];
        assert_eq!(states(&world).await, (ReplicaState::Pending, named(&new)));
        let work = exchange
            .work_list(&world.operator, &PageRequest::all())
            .await
            .unwrap()
            .items;
        let woken = |kind: &str| work.iter().filter(|work| work.kind == kind).count();
        assert_eq!((woken("sync"), woken("grant")), (1, 1), "{work:?}");
        assert!(work.iter().any(|work| work.key == grant.to_string()));
        // What is there is read on; what is not there yet is not.
        let shared = exchange.shared_tables(&world.system, reader).await.unwrap();
        let there = shared.iter().map(|table| table.place().unwrap().is_some());
        assert_eq!(there.collect::<Vec<_>>(), [false, true]);
        world.sync(1).await;
        let both = [("more", ReplicaState::Ready), ("t", ReplicaState::Ready)];
        assert_eq!(states(&world).await, (ReplicaState::Ready, named(&both)));
        // Nothing changes by saying the same again.
        exchange
            .product_update(&world.jonas, "vehicle-visits", tables(&["t", "more"]))
            .await
            .unwrap();
        exchange.grants_resync(&world.system).await.unwrap();
        assert_eq!(states(&world).await, (ReplicaState::Ready, named(&both)));
    }
}

#[tokio::test]
async fn a_table_that_becomes_usable_is_cloned() {
    for world in World::each().await {
        let exchange = world.exchange();
        let lake = "s3://lake/aftersales";
        let unusable = Inspection {
            refused_for: Some("deletionVectors".into()),
            ..inspection()
        };
        world.test.world.put_table(lake, "more", Ok(unusable));
        exchange
            .product_update(&world.jonas, "vehicle-visits", tables(&["t", "more"]))
            .await
            .unwrap();
        world.granted("vehicle-visits", "replica").await;
        world.sync(3).await;
        let one = named(&[("t", ReplicaState::Ready)]);
        assert_eq!(states(&world).await, (ReplicaState::Ready, one.clone()));
        exchange
            .product_refresh(&world.jonas, "vehicle-visits")
            .await
            .unwrap();
        assert_eq!(states(&world).await, (ReplicaState::Ready, one));
        world.test.world.put_table(lake, "more", Ok(inspection()));
        exchange
            .product_refresh(&world.jonas, "vehicle-visits")
            .await
            .unwrap();
        let new = [("more", ReplicaState::Pending), ("t", ReplicaState::Ready)];
        assert_eq!(states(&world).await, (ReplicaState::Pending, named(&new)));
        world.sync(1).await;
        let both = named(&[("more", ReplicaState::Ready), ("t", ReplicaState::Ready)]);
        assert_eq!(states(&world).await, (ReplicaState::Ready, both));
    }
}

/// As after an approval and a change of the tables that did not see each other.
#[tokio::test]
async fn a_table_that_is_lacking_is_found() {
    for world in World::each().await {
        let exchange = world.exchange();
        let lake = "s3://lake/aftersales";
        world.granted("vehicle-visits", "replica").await;
        world.sync(3).await;
        world.test.world.put_table(lake, "more", Ok(inspection()));
        exchange
            .product_update(&world.jonas, "vehicle-visits", tables(&["t", "more"]))
            .await
            .unwrap();
        for text in [
            sql!("delete from replica_table where state = 'pending'"),
            sql!("delete from work"),
        ] {
            text.execute(exchange.db()).await.unwrap();
        }
        assert_eq!(states(&world).await.1.len(), 1);
        for _ in 0..2 {
            exchange.grants_resync(&world.system).await.unwrap();
        }
        assert_eq!(states(&world).await.1.len(), 2);
        world.sync(1).await;
        let both = named(&[("more", ReplicaState::Ready), ("t", ReplicaState::Ready)]);
        assert_eq!(states(&world).await, (ReplicaState::Ready, both));
    }
}
