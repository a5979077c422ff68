//! What accepting a recommendation does, for each kind that a single replica's history speaks for, and what is told as long as it is not
//! carried out. On both databases.

use model::dto::{Advice, AdviceAccept, RevokeNew, SyncJobChange};
use model::time::DAY;
use model::{AdviceKind, AdviceState, Fetches, GrantId, Micro, Mode, RequestState, Timestamp};

use super::World;

const PRODUCT: &str = "vehicle-visits";
const REPLICA: &str = "vehicle-visits@az_weu";

impl World {
    /// Four weeks of a replica that is synced each second day, 1 GB each, with what the plans of its runs say; and so many bytes that are
    /// read of it each week.
    async fn four_weeks(
        &self,
        fetches: Fetches,
        told: (Option<u64>, Option<u64>),
        read: u64,
    ) -> GrantId {
        self.on_day("2026-06-01");
        let grant = self.granted(PRODUCT, "replica").await;
        self.sync(3).await;
        let change = SyncJobChange {
            every: Some("2d".to_owned()),
            fetches: Some(fetches),
            ..SyncJobChange::default()
        };
        self.exchange()
            .sync_job_update(&self.jonas, REPLICA, change)
            .await
            .unwrap();
        let mut day = Timestamp::parse("2026-06-02T12:00:00Z").unwrap();
        for at in 0..28 {
            self.test.clock.set(day);
            if at % 2 == 0 {
                self.syncs_telling(4 + at / 2, 1_000_000_000, told).await;
            }
            if at % 7 == 6 {
                self.reads(grant, read, "replica").await;
            }
            day = day.plus(DAY);
        }
        self.on_day("2026-06-30");
        self.exchange().advice_tick(&self.system).await.unwrap();
        grant
    }

    async fn advised(&self, kind: AdviceKind) -> Option<Advice> {
        let all = self.all_advice().await;
        all.into_iter().find(|advice| advice.kind == kind)
    }
}

/// One replica alone, whose plans weigh what is switched off, is enough to tell what its job could fetch less.
#[tokio::test]
async fn a_single_replica_is_told_what_it_could_fetch_less() {
    let less = Some(100_000_000);
    for (has, told, kind, other, fetches) in [
        (
            Fetches::Files,
            (less, None),
            AdviceKind::ChangeFeed,
            AdviceKind::Compaction,
            Fetches::Changes,
        ),
        (
            Fetches::Changes,
            (None, less),
            AdviceKind::Compaction,
            AdviceKind::ChangeFeed,
            Fetches::Least,
        ),
    ] {
        for world in World::each().await {
            let exchange = world.exchange();
            world.four_weeks(has, told, 40_000_000_000).await;
            assert!(world.advised(other).await.is_none());
            let found = world.advised(kind).await.unwrap();
            assert_eq!(found.change, fetches.to_string());
            // 900 MB of each run.
            let (now, then) = found.weeks.iter().fold((0, 0), |(now, then), week| {
                (now + week.bytes_now, then + week.bytes_then_high)
            });
            assert_eq!(now - then, 14 * 900_000_000);
            assert!(found.saving.low.amount > Micro(0));
            let accepted = exchange
                .advice_accept(&world.jonas, found.id, AdviceAccept::default())
                .await
                .unwrap();
            assert_eq!(accepted.state, AdviceState::Accepted);
            assert_eq!(accepted.outcome.unwrap().replica.as_deref(), Some(REPLICA));
            let replica = exchange.replica(&world.jonas, REPLICA).await.unwrap();
            assert_eq!(replica.job.unwrap().fetches, fetches);
        }
    }
}

#[tokio::test]
async fn to_read_live_saves_nothing_as_long_as_the_replica_stands_and_who_holds_it_is_named() {
    for world in World::each().await {
        let exchange = world.exchange();
        let grant = world
            .four_weeks(Fetches::Files, (None, None), 10_000_000)
            .await;
        let found = world.advised(AdviceKind::Live).await.unwrap();
        assert_eq!((found.change.as_str(), &found.still), ("live", &None));
        assert!(found.break_even.unwrap().from > 1);
        let accepted = exchange
            .advice_accept(&world.mara, found.id, AdviceAccept::default())
            .await
            .unwrap();
        let outcome = accepted.outcome.unwrap();
        let request = exchange
            .request(&world.mara, outcome.requests[0])
            .await
            .unwrap();
        assert_eq!(
            (request.mode, request.state),
            (Mode::Live, RequestState::Submitted)
        );
        let held = accepted.still.unwrap();
        let who: Vec<_> = held
            .accesses
            .iter()
            .map(|access| (access.grant, access.recipient.as_str()))
            .collect();
        assert_eq!((who, held.others), (vec![(grant, "rnd_weu")], 0));

        // It is synced less since, and stands: that is not what was promised.
        for (at, day) in ["2026-07-02", "2026-07-09", "2026-07-16"]
            .iter()
            .enumerate()
        {
            world.on_day(day);
            let version = 18 + at as u64;
            let told = (None, None);
            world.syncs_telling(version, 100_000_000, told).await;
        }
        world.on_day("2026-07-22");
        exchange.advice_tick(&world.system).await.unwrap();
        let after = exchange.advice_one(&world.mara, found.id).await.unwrap();
        assert_eq!(after.measured.unwrap().amount, Micro(0));
        assert_eq!((after.measured_weeks, after.still.is_some()), (3, true));

        // The last access that held it ends.
        let reason = RevokeNew {
            reason: "it is read live".into(),
        };
        exchange
            .grant_revoke(&world.mara, grant, reason)
            .await
            .unwrap();
        // Who reads there no more does not see it.
        let after = exchange.advice_one(&world.jonas, found.id).await.unwrap();
        let held = after.still.unwrap_or_default();
        assert_eq!((held.accesses.len(), held.others), (0, 0));
    }
}
