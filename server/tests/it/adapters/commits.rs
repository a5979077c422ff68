//! A replica that keeps its source's versions, on real tables: one run and one commit for each, until none is left.

use exchange::Principal;
use model::dto::SyncJobChange;
use model::{Commits, RunKind, RunState};

use super::{VISITS, VISITS_PATH, World, rows};

#[tokio::test]
async fn each_version_of_the_source_comes_by_a_run_of_its_own() {
    for world in World::each().await {
        let operator = Principal::operator();
        let (exchange, reference) = (&world.exchange, format!("{VISITS}@az_weu"));
        world.visits().await;
        world.grant(VISITS, "rnd_weu", "replica").await;
        world.work().await;
        let change = SyncJobChange {
            commits: Some(Commits::Each),
            ..SyncJobChange::default()
        };
        let changed = exchange.sync_job_update(&operator, &reference, change);
        assert_eq!(changed.await.unwrap().job.unwrap().commits, Commits::Each);
        let first = world.sync().await.tables.remove(0);
        let (source, replica) = (
            first.source_version.unwrap(),
            first.replica_version.unwrap(),
        );
        for at in 0..3 {
            world
                .append(VISITS_PATH, &[rows(90_000 + at * 10, 10)])
                .await;
        }

        let plan = exchange.sync_plan(&operator, &reference).await.unwrap();
        let table = &plan.tables[0];
        assert_eq!(table.to_version, Some(source + 1));
        let said = &table.because;
        assert!(said.contains("2 more versions follow"), "{said}");

        let before = world.runs().await.len();
        let table = world.sync().await.tables.remove(0);
        assert_eq!(
            (table.source_version, table.replica_version),
            (Some(source + 3), Some(replica + 3))
        );
        assert!(table.work.is_empty(), "{:?}", table.work);
        let runs = world.runs().await;
        let runs = runs[..runs.len() - before].iter();
        let mut versions: Vec<_> = runs
            .filter(|run| run.kind == RunKind::Sync)
            .map(|run| (run.to_version, run.state))
            .collect();
        versions.sort();
        let expected = (1..=3).map(|more| (Some(source + more), RunState::Done));
        assert_eq!(versions, expected.collect::<Vec<_>>());
    }
}
