//! Schedules that go by what the source does, checks that come by themselves, and which work goes where and how much of it at a
//! time.

use model::dto::{Inspection, SyncJobChange};
use model::time::{HOUR, MINUTE};
use model::{Location, Timestamp};
use serde_json::json;

use super::{World, inspection};
use crate::error::Error;
use crate::jobs::{Lane, Leased, Wake, WorkKind};
use crate::replicas::is_look;
use crate::{Exchange, Options, sql};

const REPLICA: &str = "vehicle-visits@az_weu";

impl World {
    async fn schedule(&self, change: SyncJobChange) -> Result<model::dto::SyncJob, Error> {
        let changed = self
            .exchange()
            .sync_job_update(&self.jonas, REPLICA, change);
        Ok(changed.await?.job.unwrap())
    }

    async fn late_since(&self) -> Option<Timestamp> {
        let replica = self.exchange().replica(&self.mara, REPLICA).await;
        replica.unwrap().late_since
    }

    /// Work of this kind that is due, once all else is out of the way.
    async fn due(&self, kind: WorkKind) -> Option<Leased> {
        let exchange = self.exchange();
        loop {
            let leased = exchange
                .work_lease(&self.system, "w", None, HOUR, Lane::Data)
                .await
                .unwrap()?;
            if leased.kind == kind {
                return Some(leased);
            }
            exchange.work_done(&leased).await.unwrap();
        }
    }

    /// What a look at the source comes to, as a worker looks; none where nobody is to.
    async fn look_at_source(&self) -> Option<bool> {
        let exchange = self.exchange();
        let leased = self.due(WorkKind::Sync).await?;
        assert!(is_look(&leased));
        let id = leased.key.parse().unwrap();
        let task = exchange.sync_task(&self.system, id).await.unwrap().unwrap();
        let wanted = exchange.sync_wanted(&self.system, &task).await.unwrap();
        exchange.work_done(&leased).await.unwrap();
        Some(wanted)
    }

    /// The table that a worker there would sync.
    async fn sync_for(&self, here: Option<&Location>) -> Option<String> {
        let exchange = self.exchange();
        loop {
            let leased = exchange
                .work_lease(&self.system, "w", here, HOUR, Lane::Data)
                .await
                .unwrap()?;
            if leased.kind == WorkKind::Sync {
                exchange.work_release_all(&self.system).await.unwrap();
                return Some(leased.key);
            }
            exchange.work_done(&leased).await.unwrap();
        }
    }

    async fn places(&self) -> Vec<(Option<Location>, bool)> {
        let found = self.exchange().worker_places().await.unwrap();
        let places = found.into_iter().map(|place| (place.at, place.takes_all));
        places.collect()
    }

    fn source_stands_at(&self, version: u64) {
        let found = Inspection {
            version,
            ..inspection()
        };
        let url = "s3://lake/aftersales";
        self.test.world.put_table(url, "vehicle-visits", Ok(found));
    }
}

#[tokio::test]
async fn a_source_is_looked_at_and_its_replica_synced_when_the_promise_needs_it() {
    for world in World::telling().await {
        let exchange = world.exchange();
        world.granted("vehicle-visits", "replica").await;
        world.sync(3).await;
        world.told().await;
        let tick = async |at: &str| {
            world.clock_shows(at);
            exchange.schedules_tick(&world.system).await.unwrap();
        };
        let audited = async || {
            let row = sql!("select count(*) as count from audit").row(exchange.db());
            row.await.unwrap().unwrap().get::<i64>("count").unwrap()
        };

        // What was by the clock goes by the promise now.
        let fresh = SyncJobChange {
            fresh_within: Some("1h".into()),
            ..SyncJobChange::default()
        };
        let job = world.schedule(fresh).await.unwrap();
        assert_eq!((job.every, job.at), (None, None));
        assert_eq!(job.fresh_within.as_deref(), Some("1h"));
        assert_eq!(job.next_due_at, Some(exchange.now().plus(5 * MINUTE)));
        let before = audited().await;
        tick("2026-06-15T12:04:00Z").await;
        assert_eq!(world.look_at_source().await, None, "not due yet");
        tick("2026-06-15T12:06:00Z").await;
        exchange.schedules_tick(&world.system).await.unwrap();
        assert_eq!(world.look_at_source().await, Some(false), "nothing is new");
        assert_eq!(world.look_at_source().await, None, "one look is enough");

        // What is new waits for more, but not longer than half of the hour.
        world.source_stands_at(4);
        tick("2026-06-15T12:12:00Z").await;
        assert_eq!(world.look_at_source().await, Some(false));
        tick("2026-06-15T12:32:00Z").await;
        assert_eq!(world.look_at_source().await, Some(true));
        assert_eq!(audited().await, before, "to look is no event");

        // Nothing comes of it: the promise is broken an hour after it was last known to be kept, and told once.
        tick("2026-06-15T13:05:00Z").await;
        assert_eq!(world.late_since().await, None);
        tick("2026-06-15T13:10:30Z").await;
        tick("2026-06-15T13:16:00Z").await;
        assert_eq!(world.told().await.1, ["freshness.broken"]);
        let promised = Timestamp::parse("2026-06-15T13:06:00Z").unwrap();
        assert_eq!(world.late_since().await, Some(promised));
        world.sync(4).await;
        assert_eq!(world.told().await.1, ["freshness.mended"]);
        assert_eq!(world.late_since().await, None);

        // By new versions: not before the pause is over.
        let hourly = SyncJobChange {
            on_new_version: Some("1h".into()),
            ..SyncJobChange::default()
        };
        let job = world.schedule(hourly).await.unwrap();
        assert_eq!(job.fresh_within, None);
        world.source_stands_at(5);
        tick("2026-06-15T13:30:00Z").await;
        assert_eq!(world.look_at_source().await, Some(false));
        tick("2026-06-15T14:17:00Z").await;
        assert_eq!(world.look_at_source().await, Some(true));
        world.source_stands_at(4);
        tick("2026-06-15T14:30:00Z").await;
        assert_eq!(
            world.look_at_source().await,
            Some(false),
            "it is back where it was"
        );
        // A listing does not see that a table was made anew.
        tick("2026-06-16T14:30:00Z").await;
        assert_eq!(world.look_at_source().await, Some(true));
    }
}

#[tokio::test]
async fn a_schedule_that_cannot_be_is_refused_by_its_field() {
    for world in World::each().await {
        world.granted("vehicle-visits", "replica").await;
        let text = |text: &str| Some(text.to_owned());
        let none = SyncJobChange::default;
        for (change, field, says) in [
            (
                SyncJobChange {
                    every: text("0d"),
                    ..none()
                },
                "every",
                "a period of zero",
            ),
            (
                SyncJobChange {
                    fresh_within: text("1m"),
                    ..none()
                },
                "fresh_within",
                "not a period",
            ),
            (
                SyncJobChange {
                    on_new_version: text("soon"),
                    ..none()
                },
                "on_new_version",
                "not a period",
            ),
            (
                SyncJobChange {
                    cron: text("0 3 31 2 *"),
                    ..none()
                },
                "cron",
                "never fires",
            ),
            (
                SyncJobChange {
                    verify_rows: text("0 3 30 2 *"),
                    ..none()
                },
                "verify_rows",
                "never fires",
            ),
            (
                SyncJobChange {
                    verify_objects: text("61 * * * *"),
                    ..none()
                },
                "verify_objects",
                "not a cron line",
            ),
            (
                SyncJobChange {
                    cron: text("0 3 * * *"),
                    fresh_within: text("6h"),
                    ..none()
                },
                "every",
                "use either",
            ),
        ] {
            let Err(Error::Invalid(problems)) = world.schedule(change.clone()).await else {
                panic!("{change:?} was taken");
            };
            let said = problems
                .iter()
                .any(|problem| problem.field == field && problem.message.contains(says));
            assert!(said, "{problems:?}");
        }
    }
}

#[tokio::test]
async fn checks_come_by_themselves_and_the_closer_one_is_enough() {
    for world in World::each().await {
        let exchange = world.exchange();
        world.granted("vehicle-visits", "replica").await;
        world.sync(3).await;
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let change = SyncJobChange {
            verify_objects: Some("1d".into()),
            verify_rows: Some("0 4 * * 0".into()),
            timezone: Some("Europe/Berlin".into()),
            ..SyncJobChange::default()
        };
        let job = world.schedule(change).await.unwrap();
        assert_eq!(job.every.as_deref(), Some("1d"), "the syncs go on");
        assert_eq!(job.next_objects_at, Some(at("2026-06-16T12:00:00Z")));
        assert_eq!(job.next_rows_at, Some(at("2026-06-21T02:00:00Z")));
        let checked = async |when: &str| {
            world.test.clock.set(at(when));
            exchange.checks_tick(&world.system).await.unwrap();
            exchange.checks_tick(&world.system).await.unwrap();
            let mut levels = Vec::new();
            while let Some(leased) = world.due(WorkKind::Verify).await {
                levels.push(leased.payload["level"].clone());
                exchange.work_done(&leased).await.unwrap();
            }
            levels
        };
        assert!(checked("2026-06-16T11:59:00Z").await.is_empty());
        assert_eq!(checked("2026-06-16T12:00:20Z").await, [json!(2)]);
        let replica = exchange.replica(&world.mara, REPLICA).await.unwrap();
        let job = replica.job.unwrap();
        assert_eq!(job.next_objects_at, Some(at("2026-06-17T12:00:00Z")));
        // Both are due.
        assert_eq!(checked("2026-06-21T13:00:00Z").await, [json!(3)]);
        let pause = SyncJobChange {
            paused: Some(true),
            ..SyncJobChange::default()
        };
        let job = world.schedule(pause).await.unwrap();
        assert_eq!((job.next_objects_at, job.next_rows_at), (None, None));
        assert!(checked("2026-07-21T13:00:00Z").await.is_empty());
    }
}

#[tokio::test]
async fn work_goes_where_an_end_is_and_no_more_of_it_to_a_store_than_it_takes() {
    for mut world in World::each().await {
        world.granted("vehicle-visits", "replica").await;
        let place = |text: &str| text.parse::<Location>().unwrap();
        let (beside, far) = (place("aws:eu-central-1"), place("gcp:europe-west3"));
        let table = world.sync_for(None).await.unwrap();
        assert_eq!(world.sync_for(Some(&far)).await, None);
        assert_eq!(world.sync_for(Some(&beside)).await.as_ref(), Some(&table));

        // As much as the target takes is under way already.
        let exchange = world.exchange().clone();
        let until = exchange.db().now().await.unwrap().plus(HOUR);
        for at in 0..exchange.options().runs_per_store {
            let wake = Wake::new(WorkKind::Refresh, at);
            exchange.wake(&world.system, &wake).await.unwrap();
        }
        sql!(
            "update work set owner = 'other', lease_until = $1, target_store = (select id from storage where name = 'az_weu')
             where kind = 'refresh'"
        )
        .bind(until)
        .execute(exchange.db())
        .await
        .unwrap();
        let leased = exchange
            .work_lease(&world.system, "w", None, HOUR, Lane::Data)
            .await;
        assert!(leased.unwrap().is_none(), "the store has enough to do");
        sql!("delete from work where kind = 'refresh' and key = '0'")
            .execute(exchange.db())
            .await
            .unwrap();
        assert_eq!(world.sync_for(None).await.as_ref(), Some(&table));

        // What was moved is done there and nowhere else, until somebody wishes for it anew.
        let leased = world.due(WorkKind::Sync).await.unwrap();
        exchange.work_move(&leased, &far).await.unwrap();
        exchange.work_later(&leased, 0).await.unwrap();
        assert_eq!(world.sync_for(Some(&beside)).await, None);
        assert_eq!(world.sync_for(Some(&far)).await.as_ref(), Some(&table));
        let anew = Wake::new(WorkKind::Sync, &table).at(Some(place("azure:westeurope")));
        exchange.wake(&world.system, &anew).await.unwrap();
        assert_eq!(world.sync_for(Some(&far)).await, None);
        assert!(exchange.worker_places().await.unwrap().is_empty());
        assert!(!exchange.worker_stands_at(&beside).await.unwrap());

        // One that takes work of other places does so only where nobody stands nearer.
        let options = Options {
            elsewhere: true,
            ..exchange.options().clone()
        };
        let (db, ports) = (exchange.db().clone(), exchange.ports().clone());
        world.test.exchange = Exchange::new(db, world.test.clock.clone(), ports, options);
        exchange
            .worker_beat_at("near", Some(&beside))
            .await
            .unwrap();
        let elsewhere = world.exchange().clone();
        elsewhere.worker_beat_at("far", Some(&far)).await.unwrap();
        assert_eq!(
            world.places().await,
            [(Some(beside), false), (Some(far.clone()), true)]
        );
        assert_eq!(world.sync_for(Some(&far)).await, None);
        assert!(exchange.worker_stands_at(&far).await.unwrap());
        exchange.worker_gone("near").await.unwrap();
        assert_eq!(world.sync_for(Some(&far)).await, Some(table));
    }
}

/// What the source deletes is to be gone in time: a sync and a vacuum come each quarter of the deadline, whatever the schedule says, and
/// of a replica that is not followed its readers are told.
#[tokio::test]
async fn a_deadline_for_forgetting_brings_syncs_and_vacuums_in_time() {
    for world in World::each().await {
        let exchange = world.exchange();
        world.granted("vehicle-visits", "replica").await;
        world.sync(3).await;
        let deadline = |hours| SyncJobChange {
            every: Some(String::new()),
            forget_hours: Some(hours),
            ..SyncJobChange::default()
        };
        let refused = world.schedule(deadline(7)).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
        let job = world.schedule(deadline(40)).await.unwrap();
        assert_eq!(job.forget_hours, Some(40));
        let id = world.replica_table().await;
        let retention = async || {
            let task = exchange.sync_task(&world.system, id).await.unwrap();
            task.unwrap().retention()
        };
        assert_eq!(retention().await, 20 * HOUR);
        let hurries = async || {
            let task = exchange.sync_task(&world.system, id).await.unwrap();
            task.unwrap().hurries
        };
        let begun = exchange.now();
        let woken = async |after: i64, kind: &str| {
            world.test.clock.set(begun.plus(after));
            exchange.vacuums_tick(&world.system).await.unwrap();
            exchange.deadlines_tick(&world.system).await.unwrap();
            let all = crate::page::PageRequest::all();
            let work = exchange.work_list(&world.operator, &all).await.unwrap();
            work.items.iter().any(|work| work.kind == kind)
        };
        assert!(!woken(10 * HOUR - 1, "sync").await);
        assert!(!woken(10 * HOUR - 1, "vacuum").await);
        assert!(woken(10 * HOUR, "sync").await);
        assert!(woken(10 * HOUR, "vacuum").await);
        assert_eq!(world.late_since().await, None);
        assert!(!hurries().await);
        assert!(woken(20 * HOUR + 1, "sync").await);
        assert_eq!(world.late_since().await, Some(begun.plus(20 * HOUR)));
        assert!(hurries().await);
        world.sync(4).await;
        assert_eq!(world.late_since().await, None);
        assert!(!hurries().await);

        world.schedule(deadline(0)).await.unwrap();
        assert_eq!(retention().await, 168 * HOUR);
    }
}
