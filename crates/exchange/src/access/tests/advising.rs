//! The advisor over a history on both databases: what it recommends from reads and syncs, who sees it, and what people make of it.

use model::dto::{AdviceAccept, AdviceDecline, AdviceSnooze, SyncJobChange};
use model::time::DAY;
use model::{AdviceKind, AdviceState, GrantId, Micro, QueryId, RequestState, RunKind, Timestamp};

use super::World;
use crate::access::QueryLogNew;
use crate::error::Error;
use crate::jobs::{Wake, WorkKind};
use crate::page::PageRequest;
use crate::replicas::{Counted, RunProgress, RunWays, SyncCommitted, SyncOutcome};

const PRODUCT: &str = "vehicle-visits";

impl World {
    pub(super) fn on_day(&self, day: &str) {
        let at = Timestamp::parse(&format!("{day}T12:00:00Z")).unwrap();
        self.test.clock.set(at);
    }

    /// The recipient is handed so many bytes, as the log has it.
    pub(super) async fn reads(&self, grant: GrantId, bytes: u64, source: &'static str) {
        let exchange = self.exchange();
        let reader = self.reader().await;
        let tables = exchange.shared_tables(&self.system, reader).await.unwrap();
        let table = tables.iter().find(|table| table.grant_id == grant).unwrap();
        let line = QueryLogNew {
            id: QueryId::new(exchange.now()),
            recipient_id: reader,
            endpoint: "query",
            share: table.share.to_string(),
            schema: table.schema.to_string(),
            table: table.table_name.to_string(),
            table_id: Some(table.table_id),
            grant_id: Some(grant),
            version: Some(3),
            files: 2,
            bytes_signed: bytes,
            files_dropped: 0,
            actions: 1,
            duration: 1,
            source: Some(source),
            stale_since: None,
            outcome: "answered",
            error_code: None,
            reason: None,
            status: 200,
            user_agent: "test".to_owned(),
            live_bytes: 0,
            was_read: table.first_read_at.is_some(),
        };
        exchange
            .query_logged(&self.system, &line, &[])
            .await
            .unwrap();
    }

    /// A whole run, as a worker does it: so many bytes, and half as many replaced.
    async fn syncs(&self, version: u64, bytes: u64) {
        self.syncs_telling(version, bytes, (None, None)).await;
    }

    /// Likewise, and its plan says what the change feed would have moved, and what without compactions.
    pub(super) async fn syncs_telling(
        &self,
        version: u64,
        bytes: u64,
        (feed, skip): (Option<u64>, Option<u64>),
    ) {
        let exchange = self.exchange();
        let table = self.replica_table().await;
        let wake = Wake::new(WorkKind::Sync, table);
        exchange.wake(&self.system, &wake).await.unwrap();
        let key = table.to_string();
        let leased = exchange
            .work_lease_of(&self.system, "w", None, 60_000_000, (WorkKind::Sync, &key))
            .await
            .unwrap()
            .unwrap();
        let task = exchange
            .sync_task(&self.system, table)
            .await
            .unwrap()
            .unwrap();
        let begun = exchange
            .run_begin(&self.system, &task, RunKind::Sync, &leased)
            .await;
        let run = begun.unwrap().run().unwrap();
        let progress = RunProgress {
            from_version: Some(version - 1),
            to_version: Some(version),
            bytes_copied: bytes,
            bytes_replaced: Some(bytes / 2),
            ways: Some(RunWays {
                files: bytes,
                feed,
                skip,
            }),
            ..RunProgress::default()
        };
        assert!(
            exchange
                .run_save(&self.system, &run, &progress)
                .await
                .unwrap()
        );
        let counted = Counted {
            bytes,
            busy: 1_000_000,
        };
        exchange
            .run_counted(&self.system, run.id, ("worker", counted), None)
            .await
            .unwrap();
        let outcome = SyncOutcome {
            source_version: version,
            goes_on: None,
            committed: Some(SyncCommitted {
                source_committed_at: exchange.now(),
                replica_version: version,
                bytes: 4_000_000_000,
            }),
        };
        assert!(
            exchange
                .run_done(&self.system, &task, &run, &outcome)
                .await
                .unwrap()
        );
        exchange.work_done(&leased).await.unwrap();
    }

    pub(super) async fn all_advice(&self) -> Vec<model::dto::Advice> {
        let page = PageRequest::all();
        self.exchange()
            .advice(&self.jonas, Some(PRODUCT), &page)
            .await
            .unwrap()
            .items
    }
}

#[tokio::test]
async fn reading_live_week_after_week_is_advised_against() {
    for world in World::each().await {
        let exchange = world.exchange();
        world.on_day("2026-06-01");
        let grant = world.granted(PRODUCT, "live").await;
        for day in ["2026-06-08", "2026-06-15", "2026-06-22", "2026-06-29"] {
            world.on_day(day);
            world.reads(grant, 12_000_000_000, "producer").await;
        }
        world.on_day("2026-07-05");
        exchange.advice_tick(&world.system).await.unwrap();
        let advice = world.all_advice().await;
        assert_eq!(advice.len(), 1, "{advice:?}");
        let first = &advice[0];
        assert_eq!(
            (first.kind, first.state),
            (AdviceKind::Replica, AdviceState::Open)
        );
        assert_eq!((first.readers, first.weeks.len()), (1, 4));
        assert_eq!(first.weeks[0].first_day, "2026-06-07");
        assert!(
            first
                .weeks
                .iter()
                .all(|week| (week.reads, week.live_bytes) == (1, 12_000_000_000))
        );
        let even = first.break_even.unwrap();
        assert_eq!((even.from, even.to), (1, 1));
        // 12 GB a week less all 4 GB of it, and less the 7/30 of 0.5 GB that came in a month.
        assert_eq!(first.saving.low.amount, Micro(3_085_714));
        assert_eq!(first.saving.high.amount, Micro(4_583_571));
        let standing = exchange
            .advice_standing(&world.jonas, PRODUCT)
            .await
            .unwrap();
        assert_eq!((standing.len(), standing[0].weeks), (1, 4));
        assert!(
            standing[0]
                .unknown
                .iter()
                .any(|why| why.contains("within bounds"))
        );

        // Its team and who reads there see it; nobody else.
        let page = PageRequest::all();
        for (who, number) in [(&world.mara, 1), (&world.otto, 0)] {
            let seen = exchange.advice(who, None, &page).await.unwrap();
            assert_eq!(seen.items.len(), number);
        }
        let gone = exchange.advice_one(&world.otto, first.id).await;
        assert!(matches!(gone, Err(Error::NotFound(_))), "{gone:?}");

        // Put off, back, declined; and back once there is twice as much to save.
        let until = AdviceSnooze {
            until: "2026-07-05".to_owned(),
            revision: Some(first.revision),
        };
        let snoozed = exchange
            .advice_snooze(&world.jonas, first.id, until)
            .await
            .unwrap();
        assert_eq!(snoozed.state, AdviceState::Snoozed);
        let past = AdviceSnooze {
            until: "2026-07-01".to_owned(),
            revision: None,
        };
        let past = exchange.advice_snooze(&world.jonas, first.id, past).await;
        assert!(matches!(past, Err(Error::Invalid(_))), "{past:?}");
        exchange.advice_reckon(&world.jonas, PRODUCT).await.unwrap();
        assert_eq!(world.all_advice().await[0].state, AdviceState::Snoozed);
        world.on_day("2026-07-06");
        exchange.advice_tick(&world.system).await.unwrap();
        assert_eq!(world.all_advice().await[0].state, AdviceState::Open);
        let decline = AdviceDecline {
            reason: "the product ends soon".to_owned(),
            revision: None,
        };
        let refused = exchange
            .advice_decline(&world.mara, first.id, decline.clone())
            .await;
        assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
        let declined = exchange
            .advice_decline(&world.jonas, first.id, decline)
            .await
            .unwrap();
        assert_eq!(declined.reason, "the product ends soon");
        exchange.advice_reckon(&world.jonas, PRODUCT).await.unwrap();
        assert_eq!(world.all_advice().await[0].state, AdviceState::Declined);
        for day in ["2026-07-07", "2026-07-14"] {
            world.on_day(day);
            world.reads(grant, 100_000_000_000, "producer").await;
        }
        world.on_day("2026-07-20");
        exchange.advice_tick(&world.system).await.unwrap();
        let again = world.all_advice().await;
        assert_eq!((again.len(), again[0].state), (1, AdviceState::Open));

        // A producer may, and cannot: it is the consumer's to ask.
        let accept = AdviceAccept::default;
        let refused = exchange
            .advice_accept(&world.jonas, first.id, accept())
            .await;
        assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
        let accepted = exchange
            .advice_accept(&world.mara, first.id, accept())
            .await
            .unwrap();
        assert_eq!(accepted.state, AdviceState::Accepted);
        let outcome = accepted.outcome.unwrap();
        let request = exchange
            .request(&world.mara, outcome.requests[0])
            .await
            .unwrap();
        assert_eq!(request.state, RequestState::Submitted);
        assert_eq!(request.mode, model::Mode::Replica);
        let twice = exchange
            .advice_accept(&world.mara, first.id, accept())
            .await;
        assert!(matches!(twice, Err(Error::Conflict(_))), "{twice:?}");
        // Nobody is told the same again while its effect is awaited.
        exchange.advice_reckon(&world.jonas, PRODUCT).await.unwrap();
        let after = world.all_advice().await;
        assert_eq!((after.len(), after[0].measured), (1, None));
    }
}

#[tokio::test]
async fn a_sync_that_nobody_waits_for_is_made_less_often_and_the_saving_is_measured() {
    for world in World::each().await {
        let exchange = world.exchange();
        world.on_day("2026-06-01");
        let grant = world.granted(PRODUCT, "replica").await;
        world.sync(3).await;
        let every = SyncJobChange {
            every: Some("2d".to_owned()),
            ..SyncJobChange::default()
        };
        let replica = format!("{PRODUCT}@az_weu");
        exchange
            .sync_job_update(&world.jonas, &replica, every)
            .await
            .unwrap();
        let mut day = Timestamp::parse("2026-06-02T12:00:00Z").unwrap();
        let mut version = 3;
        for at in 0..28 {
            world.test.clock.set(day);
            if at % 2 == 0 {
                version += 1;
                world.syncs(version, 1_000_000_000).await;
            }
            if at % 7 == 6 {
                world.reads(grant, 40_000_000_000, "replica").await;
            }
            day = day.plus(DAY);
        }
        world.on_day("2026-06-30");
        exchange.advice_tick(&world.system).await.unwrap();
        let advice = world.all_advice().await;
        let kinds: Vec<_> = advice
            .iter()
            .map(|advice| (advice.kind, &*advice.change))
            .collect();
        assert_eq!(kinds, [(AdviceKind::Cadence, "7d")], "{advice:?}");
        let cadence = &advice[0];
        assert_eq!(cadence.weeks.iter().map(|week| week.runs).sum::<u64>(), 14);
        assert_eq!(cadence.saving.low.amount, Micro(0));
        assert!(cadence.saving.high.amount > Micro(0));
        assert_eq!(cadence.break_even.unwrap().from, 1);

        let refused = exchange
            .advice_accept(&world.mara, cadence.id, AdviceAccept::default())
            .await;
        assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
        let accepted = exchange
            .advice_accept(&world.jonas, cadence.id, AdviceAccept::default())
            .await;
        let outcome = accepted.unwrap().outcome.unwrap();
        assert_eq!(outcome.replica.as_deref(), Some(&*replica));
        let job = exchange
            .replica(&world.jonas, &replica)
            .await
            .unwrap()
            .job
            .unwrap();
        assert!(["7d", "1w"].contains(&job.every.unwrap().as_str()));

        // Three weeks on, with a sync in each.
        for (at, day) in ["2026-07-02", "2026-07-09", "2026-07-16"]
            .iter()
            .enumerate()
        {
            world.on_day(day);
            world.syncs(version + 1 + at as u64, 1_000_000_000).await;
        }
        world.on_day("2026-07-22");
        exchange.advice_tick(&world.system).await.unwrap();
        let after = world.all_advice().await;
        let cadence = after.iter().find(|advice| advice.id == cadence.id).unwrap();
        assert_eq!(
            (cadence.state, cadence.measured_weeks),
            (AdviceState::Accepted, 3)
        );
        // 3.5 GB a week before, 1 GB since, at 0.09 a GB.
        assert_eq!(cadence.measured.unwrap().amount, Micro(964_286));
    }
}
