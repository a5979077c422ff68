//! Erasures as the exchange keeps them: since when the rows are gone, which sync holds that, and who wakes what was given up.

use model::Timestamp;
use model::dto::ErasureNew;
use model::time::HOUR;

use super::World;
use crate::erasures::check;
use crate::error::Error;
use crate::jobs::{Lane, WorkKind};
use crate::replicas::{SyncGoesOn, SyncOutcome};
use crate::sql;

impl World {
    /// The replica's version that an erasure waits for, of each that waits.
    async fn upto(&self) -> Vec<Option<u64>> {
        let id = self.replica_table().await;
        let tasks = self.exchange().erasure_tasks(&self.system, id).await;
        tasks.unwrap().iter().map(|task| task.upto).collect()
    }
}

#[tokio::test]
async fn rows_that_went_on_a_day_are_gone_with_a_sync_after_it() {
    for world in World::each().await {
        let exchange = world.exchange();
        let clock = |text: &str| {
            let at = Timestamp::parse(text).unwrap();
            world.test.clock.set(at);
            at
        };
        world.granted("vehicle-visits", "replica").await;
        world.sync(3).await;
        let ask = async |since: &str| {
            let new = ErasureNew {
                product: "vehicle-visits".to_owned(),
                since: Some(since.to_owned()),
                reason: "request 2026-118".to_owned(),
                ..ErasureNew::default()
            };
            exchange.erasure_request(&world.operator, new).await
        };

        // What only a vector hides was not written away by a sync that knew of no erasure, however long ago the rows are gone.
        let id = world.replica_table().await;
        let purges = async || {
            let task = exchange.sync_task(&world.system, id).await.unwrap();
            let task = task.unwrap();
            (task.purge_after(), task.hurries)
        };
        assert_eq!(purges().await, (None, false));
        clock("2026-06-15T20:00:00Z");
        ask("2026-06-01").await.unwrap();
        assert_eq!(
            (world.upto().await, purges().await),
            (vec![None], (Some(0), true))
        );
        world.sync(3).await;
        assert_eq!(world.upto().await, [Some(3)]);
        // The retention is waited for, and no sync.
        assert_eq!(purges().await, (Some(0), false));
        sql!("update erasure_part set state = 'proven'")
            .execute(exchange.db())
            .await
            .unwrap();

        // The sync at noon may not hold what was deleted in the evening.
        clock("2026-06-16T09:00:00Z");
        let asked = ask("2026-06-15").await.unwrap();
        let end = Timestamp::parse("2026-06-16T00:00:00Z").unwrap();
        assert_eq!(asked.since, end);
        assert_eq!(world.upto().await, [None]);
        world.sync(4).await;
        assert_eq!(world.upto().await, [Some(4)]);
        // Today is not over.
        let now = clock("2026-06-16T10:00:00Z");
        let today = ask("2026-06-16").await.unwrap();
        assert_eq!(today.since, now);
        assert!(ask("2026-06-17").await.is_err(), "this is to come");
        assert_eq!(world.upto().await, [Some(4), None]);
    }
}

/// Of a replica that keeps its source's versions a sync may bring one from before the rows went.
#[tokio::test]
async fn a_sync_that_leaves_versions_behind_does_not_hold_that_the_rows_are_gone() {
    for world in World::each().await {
        let exchange = world.exchange();
        world.granted("vehicle-visits", "replica").await;
        world.sync(3).await;
        world.test.clock.set(exchange.now().plus(HOUR));
        let new = ErasureNew {
            product: "vehicle-visits".to_owned(),
            reason: "request 2026-118".to_owned(),
            ..ErasureNew::default()
        };
        let asked = exchange.erasure_request(&world.operator, new).await;
        asked.unwrap();
        let goes_on = SyncGoesOn::default();
        for (version, goes_on, upto) in [(4, Some(goes_on), None), (5, None, Some(3))] {
            sql!("delete from work")
                .execute(exchange.db())
                .await
                .unwrap();
            exchange
                .sync_start(&world.jonas, "vehicle-visits@az_weu")
                .await
                .unwrap();
            let (task, run) = world.begin_sync().await;
            let outcome = SyncOutcome {
                source_version: version,
                committed: None,
                goes_on,
            };
            let done = exchange.run_done(&world.system, &task, &run, &outcome);
            assert!(done.await.unwrap());
            assert_eq!(world.upto().await, [upto], "after version {version}");
        }
    }
}

#[tokio::test]
async fn what_was_given_up_is_tried_again_for_an_erasure() {
    for world in World::each().await {
        let exchange = world.exchange();
        world.granted("vehicle-visits", "replica").await;
        world.sync(3).await;
        let new = ErasureNew {
            product: "vehicle-visits".to_owned(),
            reason: "request 2026-118".to_owned(),
            ..ErasureNew::default()
        };
        let asked = exchange.erasure_request(&world.operator, new).await;
        asked.unwrap();
        world.sync(4).await;
        assert_eq!(world.upto().await, [Some(4)]);
        let vacuum = async || {
            let leased = exchange.work_lease(&world.system, "w", None, HOUR, Lane::Data);
            let leased = leased.await.unwrap();
            leased.filter(|leased| leased.kind == WorkKind::Vacuum)
        };
        let tick = async |micros: i64| {
            world.test.clock.set(exchange.now().plus(micros));
            exchange.erasures_tick(&world.system).await.unwrap();
        };
        // While the retention goes on, not at every look.
        tick(HOUR / 2).await;
        assert!(vacuum().await.is_none());
        tick(HOUR).await;
        let leased = vacuum().await.unwrap();
        let failed = exchange.work_failed(&leased, "the store is away", true);
        failed.await.unwrap();
        tick(HOUR).await;
        assert!(vacuum().await.is_none(), "it was given up just now");
        sql!("update work set run_at = 1 where parked")
            .execute(exchange.db())
            .await
            .unwrap();
        tick(HOUR).await;
        assert!(vacuum().await.is_some());
    }
}

/// A key that is replaced goes on vouching for what it signed, and signs nothing more.
#[tokio::test]
async fn certificates_outlive_the_key_that_signed_them() {
    for world in World::each().await {
        let exchange = world.exchange();
        let certified = async || {
            let new = ErasureNew {
                product: "vehicle-visits".to_owned(),
                reason: "request 2026-118".to_owned(),
                ..ErasureNew::default()
            };
            // No replica has to be looked at, so that it is issued at once.
            let asked = exchange
                .erasure_request(&world.operator, new)
                .await
                .unwrap();
            let shown = exchange
                .erasure_certificate(&world.operator, asked.id)
                .await;
            (asked.id, shown.unwrap().certificate)
        };
        let first = exchange.erasure_key(&world.operator).await.unwrap();
        assert!(first.retired.is_empty());
        let (before, old) = certified().await;
        let denied = exchange.erasure_key_rotate(&world.jonas).await;
        assert!(matches!(denied, Err(Error::Forbidden(_))), "{denied:?}");
        let second = exchange.erasure_key_rotate(&world.operator).await.unwrap();
        assert_ne!(second.public_key, first.public_key);
        assert_eq!(second.retired[0].public_key, first.public_key);
        assert_eq!(second.retired[0].id, first.id);
        let (after, new) = certified().await;
        for (id, text, key, other) in [
            (before, &old, &first, &second),
            (after, &new, &second, &first),
        ] {
            let shown = exchange.erasure(&world.operator, id).await.unwrap();
            assert_eq!(shown.is_sound, Some(true));
            assert_eq!(shown.public_key.as_deref(), Some(key.public_key.as_str()));
            assert!(text.contains(&key.id), "{text}");
            assert!(check(text, Some(&key.public_key)).is_ok());
            assert!(check(text, Some(&other.public_key)).is_err());
        }
        let third = exchange.erasure_key_rotate(&world.operator).await.unwrap();
        assert_eq!(third.retired.len(), 2);
        let read = exchange.erasure_key(&world.operator).await.unwrap();
        assert_eq!(read, third);
    }
}

/// Each that waits has syncs and vacuums woken for it: a team may have so many at a time.
#[tokio::test]
async fn a_team_has_so_many_erasures_that_wait() {
    for world in World::each().await {
        let exchange = world.exchange();
        world.granted("vehicle-visits", "replica").await;
        let ask = async || {
            let new = ErasureNew {
                product: "vehicle-visits".to_owned(),
                reason: "request 2026-118".to_owned(),
                ..ErasureNew::default()
            };
            exchange.erasure_request(&world.operator, new).await
        };
        for _ in 0..20 {
            ask().await.unwrap();
        }
        let refused = ask().await;
        assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
        sql!("update erasure set state = 'proven' where requested_at = (select max(requested_at) from erasure)")
            .execute(exchange.db())
            .await
            .unwrap();
        ask().await.unwrap();
    }
}
