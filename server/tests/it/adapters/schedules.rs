//! Schedules on real tables: a source is looked at, followed when it moves, and its replica is checked row by row.

use exchange::Principal;
use model::dto::SyncJobChange;
use model::time::{DAY, HOUR, MINUTE};
use model::{RunKind, RunState};

use super::{VISITS, VISITS_PATH, World, rows};

#[tokio::test]
async fn a_source_that_moves_is_followed_and_its_replica_checked_by_itself() {
    for world in World::each().await {
        let (system, operator) = (Principal::system(), Principal::operator());
        let (exchange, reference) = (&world.exchange, format!("{VISITS}@az_weu"));
        world.visits().await;
        world.grant(VISITS, "rnd_weu", "replica").await;
        world.work().await;
        let change = SyncJobChange {
            on_new_version: Some("1h".to_owned()),
            verify_rows: Some("1d".to_owned()),
            ..SyncJobChange::default()
        };
        let changed = exchange.sync_job_update(&operator, &reference, change);
        assert!(changed.await.unwrap().job.unwrap().next_rows_at.is_some());
        let due = async |micros: i64| {
            world.clock.advance(micros);
            exchange.schedules_tick(&system).await.unwrap();
            exchange.checks_tick(&system).await.unwrap();
            world.work().await;
            world.runs().await
        };

        // To look is no run.
        let before = world.runs().await.len();
        assert_eq!(due(HOUR + 6 * MINUTE).await.len(), before);
        world.append(VISITS_PATH, &[rows(90_000, 10)]).await;
        let runs = due(6 * MINUTE).await;
        let synced = runs.iter().find(|run| run.kind == RunKind::Sync).unwrap();
        assert_eq!(
            (synced.state, synced.from_version, synced.to_version),
            (RunState::Done, Some(3), Some(4))
        );
        // Not again so soon.
        world.append(VISITS_PATH, &[rows(90_010, 10)]).await;
        let syncs = async || {
            let runs = world.runs().await.into_iter();
            runs.filter(|run| run.kind == RunKind::Sync).count()
        };
        let count = syncs().await;
        due(6 * MINUTE).await;
        assert_eq!(syncs().await, count);

        let runs = due(DAY).await;
        let checked = runs.iter().find(|run| run.kind == RunKind::Verify).unwrap();
        assert_eq!((checked.state, &checked.error), (RunState::Done, &None));
        let table = exchange.replica(&operator, &reference).await;
        let table = table.unwrap().tables.remove(0);
        assert_eq!(table.source_version, Some(5));
        assert_eq!(table.verified_at, Some(exchange.now()));
        assert!(table.work.is_empty(), "{:?}", table.work);
    }
}
