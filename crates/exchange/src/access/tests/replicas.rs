//! A replica's life, from the grant that makes it to its end.

use model::dto::{RevokeNew, SyncJobChange};
use model::time::DAY;
use model::{Method, Purpose, ReplicaState, SyncRunId, Timestamp};

use super::World;
use crate::billing::MeterEventNew;
use crate::error::Error;
use crate::page::PageRequest;
use crate::replicas::{Counted, ReplicaStep};

#[tokio::test]
async fn a_replica_is_made_joined_drained_and_deleted() {
    for world in World::each().await {
        let exchange = world.exchange();
        let reader = world.reader().await;
        let first = world.granted("vehicle-visits", "replica").await;
        let replica = exchange
            .replica(&world.mara, "vehicle-visits@az_weu")
            .await
            .unwrap();
        assert_eq!(
            (replica.state, replica.tables.len()),
            (ReplicaState::Pending, 1)
        );
        assert_eq!(replica.tables[0].path, None, "readers learn no places");
        // Made at noon, and synced at once; due again in the night that comes, not a day later.
        let job = replica.job.unwrap();
        assert_eq!(
            (job.at.as_deref(), job.timezone.as_str(), job.next_due_at),
            (
                Some("03:00"),
                "UTC",
                Some(Timestamp::parse("2026-06-16T03:00:00Z").unwrap())
            )
        );
        let tables = world.shared_tables(reader).await;
        assert!(
            tables[0].place().unwrap().is_none(),
            "nothing is served before the first copy stands"
        );

        world.sync(3).await;
        let replica = exchange
            .replica(&world.mara, "vehicle-visits@az_weu")
            .await
            .unwrap();
        assert_eq!(
            (replica.state, replica.tables[0].source_version),
            (ReplicaState::Ready, Some(3))
        );
        let tables = world.shared_tables(reader).await;
        let (_, path, location, _) = tables[0].place().unwrap().unwrap();
        assert_eq!(
            (path, location.to_string().as_str()),
            ("vehicle-visits/default/t", "azure:westeurope")
        );

        // Due by its schedule, once, whoever ticks.
        let change = SyncJobChange {
            every: Some("2d".into()),
            timezone: Some("Europe/Berlin".into()),
            ..SyncJobChange::default()
        };
        let denied = exchange
            .sync_job_update(&world.mara, "vehicle-visits@az_weu", change.clone())
            .await;
        assert!(matches!(denied, Err(Error::Forbidden(_))));
        let changed = exchange
            .sync_job_update(&world.jonas, "vehicle-visits@az_weu", change)
            .await
            .unwrap();
        let due = changed.job.unwrap().next_due_at.unwrap();
        assert_eq!(due, Timestamp::parse("2026-06-17T01:00:00Z").unwrap());
        world.test.clock.set(due);
        exchange.schedules_tick(&world.system).await.unwrap();
        exchange.schedules_tick(&world.system).await.unwrap();
        let waiting = exchange
            .work_list(&world.operator, &PageRequest::all())
            .await
            .unwrap();
        assert_eq!(
            waiting
                .items
                .iter()
                .filter(|work| work.kind == "sync")
                .count(),
            1
        );
        world.sync(4).await;

        // A renewal joins; the first grant's end changes nothing for the second.
        let second = world.granted("vehicle-visits", "replica").await;
        exchange
            .grant_revoke(
                &world.mara,
                first,
                RevokeNew {
                    reason: "renewed".into(),
                },
            )
            .await
            .unwrap();
        assert_eq!(
            exchange
                .replica(&world.mara, "vehicle-visits@az_weu")
                .await
                .unwrap()
                .state,
            ReplicaState::Ready
        );
        exchange
            .grant_revoke(
                &world.mara,
                second,
                RevokeNew {
                    reason: "done".into(),
                },
            )
            .await
            .unwrap();
        let draining = exchange
            .replica(&world.jonas, "vehicle-visits@az_weu")
            .await
            .unwrap();
        assert_eq!(draining.state, ReplicaState::Draining);
        assert!(matches!(
            exchange
                .sync_start(&world.jonas, "vehicle-visits@az_weu")
                .await,
            Err(Error::Conflict(_))
        ));

        // Asked for again in time: no first copy.
        let third = world.granted("vehicle-visits", "replica").await;
        let back = exchange
            .replica(&world.jonas, "vehicle-visits@az_weu")
            .await
            .unwrap();
        assert_eq!(
            (back.state, back.tables[0].source_version),
            (ReplicaState::Pending, Some(4))
        );
        world.sync(5).await;
        exchange
            .grant_revoke(
                &world.mara,
                third,
                RevokeNew {
                    reason: "done".into(),
                },
            )
            .await
            .unwrap();
        let until = exchange
            .replica(&world.jonas, "vehicle-visits@az_weu")
            .await
            .unwrap()
            .drain_until
            .unwrap();
        assert_eq!(until.since(exchange.now()), 14 * DAY);
        assert!(
            matches!(exchange.replica_step(&world.system, replica.id).await.unwrap(), ReplicaStep::Wait(at) if at == until)
        );
        world.test.clock.set(until);
        let step = exchange
            .replica_step(&world.system, replica.id)
            .await
            .unwrap();
        let ReplicaStep::Delete { tables, .. } = step else {
            panic!("{step:?}")
        };
        assert_eq!(tables.len(), 1);
        exchange
            .replica_deleted(&world.system, replica.id, &tables, 3, 9)
            .await
            .unwrap();
        assert!(matches!(
            exchange
                .replica(&world.jonas, "vehicle-visits@az_weu")
                .await,
            Err(Error::NotFound(_))
        ));
    }
}

#[tokio::test]
async fn a_run_shows_what_its_meter_events_say_and_every_byte_counts_once() {
    for world in World::each().await {
        let exchange = world.exchange();
        world.granted("vehicle-visits", "replica").await;
        let (task, run) = world.begin_sync().await;
        let count = async |counter: &str, bytes, busy| {
            let counted = Counted { bytes, busy };
            exchange
                .run_counted(&world.system, run.id, (counter, counted), None)
                .await
        };
        let shown = async || {
            let shown = exchange.sync_run(&world.mara, run.id).await.unwrap();
            let all = PageRequest::all();
            let events = exchange.meter_events(&world.jonas, None, &all).await;
            let events = events.unwrap().items;
            let sums = events.iter().fold((0, 0), |(bytes, busy), event| {
                (bytes + event.bytes, busy + event.busy_micros)
            });
            assert_eq!((shown.bytes_received, shown.busy_micros), sums);
            (sums, events.len())
        };
        count("1", 100, 5_000).await.unwrap();
        assert_eq!(shown().await, ((100, 5_000), 1));
        // Told again, as after an answer that was lost; then with what came since.
        count("1", 100, 5_000).await.unwrap();
        count("1", 250, 9_000).await.unwrap();
        assert_eq!(shown().await, ((250, 9_000), 2));
        // A number from before is late news.
        count("1", 120, 6_000).await.unwrap();
        // Two find the same number of a process that has ended, at the same time.
        let (one, other) = tokio::join!(count("child/a", 40, 0), count("child/a", 40, 0));
        one.and(other).unwrap();
        // One counter's name is the beginning of another's.
        count("11", 7, 0).await.unwrap();
        assert_eq!(shown().await, ((297, 9_000), 4));
        // Without the event the run's sums stay, too: somebody else has the key that comes next.
        let taken = MeterEventNew {
            key: format!("run/{}/1/2", run.id),
            product: None,
            table: None,
            grant: None,
            recipient: None,
            run: None,
            query: None,
            from: task.from_location().unwrap(),
            to: task.to_location().unwrap(),
            bytes: 1,
            busy: 0,
            method: Method::Measured,
            purpose: Purpose::Sync,
        };
        exchange.meter_record(&world.system, &taken).await.unwrap();
        let failed = count("1", 1_000, 0).await;
        assert!(matches!(failed, Err(Error::Conflict(_))), "{failed:?}");
        assert_eq!(shown().await, ((297, 9_000), 4));
        // A process that stands at neither end: the bytes go two legs, and the run's sums are of the first.
        let via: model::Location = "gcp:europe-west3".parse().unwrap();
        for _ in 0..2 {
            let counted = Counted { bytes: 50, busy: 0 };
            let twice = exchange.run_counted(&world.system, run.id, ("via", counted), Some(&via));
            twice.await.unwrap();
        }
        let all = PageRequest::all();
        let events = exchange.meter_events(&world.jonas, None, &all).await;
        let mut legs: Vec<(String, String, u64)> = events
            .unwrap()
            .items
            .into_iter()
            .filter(|event| event.from == via || event.to == via)
            .map(|event| (event.from.to_string(), event.to.to_string(), event.bytes))
            .collect();
        legs.sort();
        let (from, here, to) = (
            "aws:eu-central-1".to_owned(),
            via.to_string(),
            "azure:westeurope".to_owned(),
        );
        assert_eq!(legs, [(from, here.clone(), 50), (here, to, 50)]);
        let shown = exchange.sync_run(&world.mara, run.id).await.unwrap();
        assert_eq!(shown.bytes_received, 347);
        let unknown = SyncRunId::new(exchange.now());
        let nowhere = exchange.run_counted(&world.system, unknown, ("1", Counted::default()), None);
        assert!(matches!(nowhere.await, Err(Error::NotFound(_))));
    }
}
