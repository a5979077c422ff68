//! A replica follows the tables of its product.

use model::dto::{Inspection, ProductChange, RevokeNew, TableNew};
use model::time::DAY;
use model::{GrantDesired, Mode, ReplicaState};

use super::{World, inspection};
use crate::access::NotServed;
use crate::error::Error;
use crate::page::PageRequest;
use crate::replicas::{ReplicaStep, ReplicaTableRecord, SyncOutcome};
use crate::sql;

/// The form of a product's tables: each name is its path, too.
pub(super) fn tables(names: &[&str]) -> ProductChange {
    let tables = names.iter().map(|name| TableNew {
        name: (*name).into(),
        schema: "default".into(),
        path: if *name == "t" { "vehicle-visits" } else { name }.into(),
        storage: None,
        format: "delta".into(),
        history: false,
        change_data_feed: false,
        history_start: None,
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
        let shared = world.shared_tables(reader).await;
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
            clone_refused_for: Some("deletionVectors".into()),
            ..inspection()
        };
        world.test.world.put_table(lake, "more", Ok(unusable));
        exchange
            .product_update(&world.jonas, "vehicle-visits", tables(&["t", "more"]))
            .await
            .unwrap();
        let reader = world.reader().await;
        world.granted("vehicle-visits", "replica").await;
        // It is shared, only not through a replica.
        let shared = world.shared_tables(reader).await;
        let why: Vec<_> = shared.iter().map(|table| table.not_served()).collect();
        assert_eq!(why, [Some(NotServed::Cloned("deletionVectors")), None]);
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

#[tokio::test]
async fn a_product_that_is_shared_and_not_cloned_is_offered_live() {
    for world in World::each().await {
        let (exchange, lake) = (world.exchange(), "s3://lake/aftersales");
        let shared = Inspection {
            clone_refused_for: Some("columnMapping".into()),
            ..inspection()
        };
        world
            .test
            .world
            .put_table(lake, "vehicle-visits", Ok(shared));
        exchange
            .product_refresh(&world.jonas, "vehicle-visits")
            .await
            .unwrap();
        let offer = exchange
            .offer(&world.mara, "vehicle-visits", "rnd_weu", None)
            .await
            .unwrap();
        let why = |mode: Mode| {
            let offer = offer.modes.iter().find(|offer| offer.mode == mode);
            offer.unwrap().why_not.clone()
        };
        assert_eq!(why(Mode::Live), None);
        let says = "none of its tables can be cloned yet: columnMapping";
        assert_eq!(why(Mode::Replica).as_deref(), Some(says));
        world.granted("vehicle-visits", "live").await;
        let reader = world.reader().await;
        let shared = world.shared_tables(reader).await;
        assert_eq!((shared.len(), shared[0].not_served()), (1, None));
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

/// Cloned, then taken out: gone from the catalog and from the shares at once, and from the replica when its time is over.
#[tokio::test]
async fn a_table_that_is_taken_out_drains_and_is_erased() {
    for world in World::each().await {
        let exchange = world.exchange();
        let (lake, reader) = ("s3://lake/aftersales", world.reader().await);
        let update = async |names: &[&str]| {
            let form = tables(names);
            exchange
                .product_update(&world.jonas, "vehicle-visits", form)
                .await
        };
        let revoke = async |grant| {
            let reason = RevokeNew {
                reason: "done".into(),
            };
            let revoked = exchange.grant_revoke(&world.mara, grant, reason).await;
            revoked.unwrap();
        };
        let woken = async |kind: &str| {
            let all = PageRequest::all();
            let work = exchange.work_list(&world.operator, &all).await.unwrap();
            work.items.iter().filter(|work| work.kind == kind).count()
        };
        let [ready, draining] = [ReplicaState::Ready, ReplicaState::Draining];
        world.test.world.put_table(lake, "more", Ok(inspection()));
        update(&["t", "more"]).await.unwrap();
        let grant = world.granted("vehicle-visits", "replica").await;
        world.sync(3).await;
        let refused = update(&["t"]).await;
        assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
        revoke(grant).await;
        let product = update(&["t"]).await.unwrap();
        assert_eq!(product.tables.len(), 1);
        let last = named(&[("more", draining), ("t", ready)]);
        assert_eq!(states(&world).await, (draining, last.clone()));

        // The replica comes back; the table does not.
        let grant = world.granted("vehicle-visits", "replica").await;
        assert_eq!(woken("sync").await, 1);
        world.sync(4).await;
        assert_eq!(states(&world).await, (ready, last));
        let shared = world.shared_tables(reader).await;
        let names = shared.iter().map(|table| table.table_name.as_str());
        assert_eq!(names.collect::<Vec<_>>(), ["t"]);
        let night = exchange.now().plus(DAY);
        world.test.clock.set(night);
        exchange.schedules_tick(&world.system).await.unwrap();
        assert_eq!((woken("sync").await, woken("vacuum").await), (1, 1));
        world.sync(5).await;

        // Taken in again in time, it only has to catch up.
        revoke(grant).await;
        update(&["t", "more"]).await.unwrap();
        let grant = world.granted("vehicle-visits", "replica").await;
        let back = exchange
            .replica(&world.jonas, "vehicle-visits@az_weu")
            .await
            .unwrap();
        assert_eq!(back.tables[0].state, ReplicaState::Pending);
        assert_eq!(back.tables[0].source_version, Some(3));
        assert_eq!(back.tables[0].reason, None);
        world.sync(6).await;
        assert_eq!(
            states(&world).await,
            (ready, named(&[("more", ready), ("t", ready)]))
        );

        // Taken out for good: erased by itself, while the replica stays.
        revoke(grant).await;
        update(&["t"]).await.unwrap();
        world.granted("vehicle-visits", "replica").await;
        world.sync(7).await;
        world.test.clock.set(exchange.now().plus(14 * DAY));
        exchange.grants_resync(&world.system).await.unwrap();
        assert_eq!(woken("replica").await, 1);
        let step = exchange.replica_step(&world.system, back.id).await.unwrap();
        let ReplicaStep::Delete { tables, .. } = step else {
            panic!("{step:?}")
        };
        let names = tables.iter().map(|table| table.name.as_str());
        assert_eq!(names.collect::<Vec<_>>(), ["more"]);
        let erasing = [("more", ReplicaState::Erasing), ("t", ready)];
        assert_eq!(states(&world).await.1, named(&erasing));
        exchange
            .replica_deleted(&world.system, back.id, &tables, 3, 9)
            .await
            .unwrap();
        assert_eq!(states(&world).await, (ready, named(&[("t", ready)])));
        // Its runs are still told.
        let all = PageRequest::all();
        let runs = exchange.sync_runs(&world.mara, None, &all).await;
        let runs = runs.unwrap().items;
        assert!(runs.iter().any(|run| run.table.as_str() == "more"));

        // Its name may be used again; nothing of the old clone is left.
        let grants = exchange.grants(&world.operator, None, &all).await;
        for grant in grants.unwrap().items {
            if grant.desired == GrantDesired::Active {
                revoke(grant.id).await;
            }
        }
        update(&["t", "more"]).await.unwrap();
        world.granted("vehicle-visits", "replica").await;
        let anew = exchange
            .replica(&world.jonas, "vehicle-visits@az_weu")
            .await
            .unwrap();
        let more = &anew.tables[0];
        assert_eq!(
            (more.name.as_str(), more.state),
            ("more", ReplicaState::Pending)
        );
        assert_eq!((more.source_version, more.replica_version), (None, None));
    }
}

/// As after an approval and another grant's end that did not see each other.
#[tokio::test]
async fn a_replica_that_drains_though_it_is_wanted_comes_back() {
    for world in World::each().await {
        let exchange = world.exchange();
        let grant = world.granted("vehicle-visits", "replica").await;
        world.sync(3).await;
        let table = named(&[("t", ReplicaState::Ready)]);
        for (wanted, state) in [(true, ReplicaState::Ready), (false, ReplicaState::Draining)] {
            if !wanted {
                let reason = RevokeNew {
                    reason: "done".into(),
                };
                let revoked = exchange.grant_revoke(&world.mara, grant, reason).await;
                revoked.unwrap();
            }
            sql!("update replica set state = 'draining', drain_until = 0")
                .execute(exchange.db())
                .await
                .unwrap();
            exchange.grants_resync(&world.system).await.unwrap();
            world.sync(3).await;
            assert_eq!(states(&world).await, (state, table.clone()), "{wanted}");
        }
    }
}

/// The replica's own time comes while a table of it that ended earlier is being erased.
#[tokio::test]
async fn a_replica_is_deleted_once_all_its_folders_are_empty() {
    for world in World::each().await {
        let exchange = world.exchange();
        let lake = "s3://lake/aftersales";
        let update = async |names: &[&str]| {
            let form = tables(names);
            let updated = exchange.product_update(&world.jonas, "vehicle-visits", form);
            updated.await.unwrap();
        };
        let revoke = async |grant| {
            let reason = RevokeNew {
                reason: "done".into(),
            };
            let revoked = exchange.grant_revoke(&world.mara, grant, reason).await;
            revoked.unwrap();
        };
        let step = async |id| {
            let step = exchange.replica_step(&world.system, id).await.unwrap();
            let ReplicaStep::Delete { tables, .. } = step else {
                panic!("{step:?}")
            };
            tables
        };
        let deleted = async |id, tables: &[ReplicaTableRecord]| {
            let deleted = exchange.replica_deleted(&world.system, id, tables, 3, 9);
            deleted.await.unwrap();
        };
        let replica = async || {
            exchange
                .replica(&world.jonas, "vehicle-visits@az_weu")
                .await
        };
        world.test.world.put_table(lake, "more", Ok(inspection()));
        update(&["t", "more"]).await;
        let grant = world.granted("vehicle-visits", "replica").await;
        world.sync(3).await;
        revoke(grant).await;
        update(&["t"]).await;
        let grant = world.granted("vehicle-visits", "replica").await;
        world.sync(4).await;
        world.test.clock.set(exchange.now().plus(10 * DAY));
        revoke(grant).await;
        let id = replica().await.unwrap().id;
        world.test.clock.set(exchange.now().plus(4 * DAY));
        let first = step(id).await;
        assert_eq!(first.len(), 1);
        assert_eq!(first[0].name.as_str(), "more");
        world.test.clock.set(exchange.now().plus(10 * DAY));
        sql!("delete from work")
            .execute(exchange.db())
            .await
            .unwrap();
        deleted(id, &first).await;
        let [draining, ready] = [ReplicaState::Draining, ReplicaState::Ready];
        assert_eq!(states(&world).await, (draining, named(&[("t", ready)])));
        let all = PageRequest::all();
        let work = exchange.work_list(&world.operator, &all).await.unwrap();
        let woken = work.items.iter().filter(|work| work.kind == "replica");
        assert_eq!(woken.count(), 1, "the rest is wished for");

        // Nothing was emptied, as where the folder could not be: nothing is over.
        let last = step(id).await;
        deleted(id, &[]).await;
        let erasing = ReplicaState::Erasing;
        assert_eq!(states(&world).await, (draining, named(&[("t", erasing)])));
        deleted(id, &last).await;
        let gone = replica().await;
        assert!(matches!(gone, Err(Error::NotFound(_))), "{gone:?}");
    }
}

/// The catalog shows what a sync has seen, and not only an hour later.
#[tokio::test]
async fn a_sync_that_sees_a_new_version_wakes_the_refresh() {
    for world in World::each().await {
        let exchange = world.exchange();
        world.granted("vehicle-visits", "replica").await;
        for (version, woken) in [(3, 0), (4, 1), (4, 1)] {
            exchange
                .sync_start(&world.jonas, "vehicle-visits@az_weu")
                .await
                .unwrap();
            let (task, run) = world.begin_sync().await;
            let outcome = SyncOutcome {
                source_version: version,
                goes_on: None,
                committed: None,
            };
            let done = exchange.run_done(&world.system, &task, &run, &outcome);
            assert!(done.await.unwrap());
            let all = PageRequest::all();
            let work = exchange.work_list(&world.operator, &all).await.unwrap();
            let refresh = work.items.iter().filter(|work| work.kind == "refresh");
            assert_eq!(refresh.count(), woken, "after version {version}");
            sql!("delete from work")
                .execute(exchange.db())
                .await
                .unwrap();
        }
    }
}
