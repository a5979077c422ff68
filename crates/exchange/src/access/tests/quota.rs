//! The bytes that a grant hands out in a day: said with the decision or later, counted, warned of, refused, begun anew.

use model::dto::{DecisionNew, GrantLimit, RevokeNew};
use model::time::{DAY, MINUTE};
use model::{GrantId, Timestamp};

use super::World;
use crate::access::LiveRead;
use crate::error::Error;

impl World {
    async fn granted_with(&self, per_day: u64) -> GrantId {
        let exchange = self.exchange();
        let asked = exchange.request_create(&self.mara, Self::ask("vehicle-visits", "live"));
        let request = asked.await.unwrap();
        let refused = DecisionNew {
            live_bytes_per_day: Some(per_day),
            ..Self::say("reject", request.revision)
        };
        let refused = exchange.request_decide(&self.jonas, request.id, refused);
        assert!(matches!(refused.await, Err(Error::Invalid(_))));
        let yes = DecisionNew {
            live_bytes_per_day: Some(per_day),
            ..Self::say("approve", request.revision)
        };
        let decided = exchange.request_decide(&self.jonas, request.id, yes).await;
        decided.unwrap().grant.unwrap()
    }

    /// Of a product whose rule says yes to everybody, some time after what was before.
    async fn granted_by_rule(&self) -> GrantId {
        self.test.clock.advance(MINUTE);
        let ask = Self::ask("vehicle-parts", "live");
        let asked = self.exchange().request_create(&self.mara, ask).await;
        asked.unwrap().grant.unwrap()
    }

    async fn read(&self, grant: GrantId, bytes: u64) -> LiveRead {
        let read = self.exchange().live_read(&self.system, grant, bytes);
        read.await.unwrap()
    }

    async fn limit(&self, grant: GrantId, per_day: Option<u64>) -> Result<(), Error> {
        let new = GrantLimit {
            live_bytes_per_day: per_day,
            revision: None,
        };
        let limited = self.exchange().grant_limit(&self.jonas, grant, new).await;
        limited.map(|_| ())
    }
}

#[tokio::test]
async fn a_day_has_so_many_bytes_and_begins_anew() {
    for world in World::telling().await {
        let exchange = world.exchange();
        let grant = world.granted_with(1_000).await;
        world.told().await;
        assert_eq!(world.read(grant, 700).await, LiveRead::Taken);
        assert_eq!(world.read(grant, 99).await, LiveRead::Taken);
        world.is_told(&[], &[]).await;
        assert_eq!(world.read(grant, 1).await, LiveRead::Taken);
        let subject = "Nearly used up today: vehicle-visits for rnd";
        let mails = [
            format!("dora@example.org: {subject}"),
            format!("jonas@example.org: {subject}"),
            format!("mara@example.org: {subject}"),
        ];
        let mails: Vec<&str> = mails.iter().map(String::as_str).collect();
        world.is_told(&mails, &["quota.nearing"]).await;
        let tomorrow = Timestamp::from_micros((exchange.now().utc_day() + 1) * DAY);
        let over = LiveRead::Over {
            used: 800,
            per_day: 1_000,
            anew_at: tomorrow,
        };
        assert_eq!(world.read(grant, 201).await, over);
        assert_eq!(world.read(grant, 200).await, LiveRead::Taken);
        let full = LiveRead::Over {
            used: 1_000,
            per_day: 1_000,
            anew_at: tomorrow,
        };
        assert_eq!(world.read(grant, 1).await, full);
        // An answer that came to nothing does not count, and gives no more than it took.
        for (back, again) in [(200, 200), (u64::MAX, 1_000)] {
            let given = exchange.live_read_back(&world.system, grant, back).await;
            given.unwrap();
            assert_eq!(world.read(grant, again).await, LiveRead::Taken);
            assert_eq!(world.read(grant, 1).await, full);
        }
        // Once a day.
        world.is_told(&[], &[]).await;
        let seen = exchange.grant(&world.mara, grant).await.unwrap();
        assert_eq!(
            (seen.live_bytes_per_day, seen.live_bytes_today),
            (Some(1_000), 1_000)
        );
        assert!(!seen.may_limit, "it is the owner's to say");

        // The owner says otherwise, at once; the consumer may not.
        let more = GrantLimit {
            live_bytes_per_day: Some(u64::MAX),
            revision: None,
        };
        let wrong = exchange
            .grant_limit(&world.jonas, grant, more.clone())
            .await;
        assert!(matches!(wrong, Err(Error::Invalid(_))), "{wrong:?}");
        let wrong = exchange.grant_limit(&world.mara, grant, more).await;
        assert!(matches!(wrong, Err(Error::Forbidden(_))), "{wrong:?}");
        world.limit(grant, Some(1_500)).await.unwrap();
        assert_eq!(world.read(grant, 1).await, LiveRead::Taken);
        let left = exchange.live_bytes_left(&world.system, grant).await;
        assert_eq!(left.unwrap(), Some(499));
        world.limit(grant, None).await.unwrap();
        assert_eq!(world.read(grant, 1 << 61).await, LiveRead::Taken);
        assert_eq!(world.read(grant, u64::MAX).await, LiveRead::Taken);
        let left = exchange.live_bytes_left(&world.system, grant).await;
        assert_eq!(left.unwrap(), None);

        world.limit(grant, Some(10)).await.unwrap();
        assert!(matches!(world.read(grant, 1).await, LiveRead::Over { .. }));
        world.test.clock.set(tomorrow.plus(-1));
        assert!(matches!(world.read(grant, 1).await, LiveRead::Over { .. }));
        world.test.clock.set(tomorrow);
        assert_eq!(world.read(grant, 10).await, LiveRead::Taken);
        let seen = exchange.grant(&world.mara, grant).await.unwrap();
        assert_eq!(seen.live_bytes_today, 10);
        world.test.clock.set(tomorrow.plus(91 * DAY));
        let forgotten = exchange.live_reads_sweep(&world.system).await;
        assert_eq!(forgotten.unwrap(), 2);
    }
}

/// Of calls that would fit each alone, no more are let through than fit together.
#[tokio::test]
async fn calls_at_once_do_not_share_what_is_left() {
    for world in World::each().await {
        let grant = world.granted_with(1_000).await;
        let read = || world.read(grant, 300);
        let (a, b, c, d, e) = tokio::join!(read(), read(), read(), read(), read());
        let calls = [a, b, c, d, e];
        let taken = calls.iter().filter(|read| **read == LiveRead::Taken);
        assert_eq!(taken.count(), 3, "{calls:?}");
        let left = world.exchange().live_bytes_left(&world.system, grant).await;
        assert_eq!(left.unwrap(), Some(100));
    }
}

/// Who renews, or gives up and asks anew, and whom nobody stops, has no more of a day than before.
#[tokio::test]
async fn a_renewal_keeps_the_number_and_the_day() {
    for world in World::each().await {
        let exchange = world.exchange();
        let first = world.granted_by_rule().await;
        let seen = exchange.grant(&world.mara, first).await.unwrap();
        assert_eq!(seen.live_bytes_per_day, None);
        world.limit(first, Some(1_000)).await.unwrap();
        assert_eq!(world.read(first, 700).await, LiveRead::Taken);
        let renewed = world.granted_by_rule().await;
        assert_ne!(renewed, first);
        let seen = exchange.grant(&world.mara, renewed).await.unwrap();
        assert_eq!(
            (seen.live_bytes_per_day, seen.live_bytes_today),
            (Some(1_000), 700)
        );
        let over = world.read(renewed, 301).await;
        assert!(matches!(over, LiveRead::Over { .. }), "{over:?}");
        assert_eq!(world.read(renewed, 300).await, LiveRead::Taken);
        for grant in [first, renewed] {
            let why = RevokeNew {
                reason: "not needed".to_owned(),
            };
            let given_up = exchange.grant_revoke(&world.mara, grant, why).await;
            given_up.unwrap();
        }
        let anew = world.granted_by_rule().await;
        let over = world.read(anew, 1).await;
        assert!(matches!(over, LiveRead::Over { .. }), "{over:?}");
    }
}

/// Where any number is allowed they are counted with the line of the access log: there may be a limit later in the day.
#[tokio::test]
async fn what_was_handed_out_without_a_limit_counts_for_one_that_comes() {
    for world in World::telling().await {
        let exchange = world.exchange();
        let grant = world.granted_by_rule().await;
        let seen = exchange.grant(&world.mara, grant).await.unwrap();
        for bytes in [300, 0, 400] {
            world.handed_out(grant, bytes).await;
        }
        let after = exchange.grant(&world.mara, grant).await.unwrap();
        assert_eq!((seen.live_bytes_today, after.live_bytes_today), (0, 700));
        world.limit(grant, Some(1_000)).await.unwrap();
        assert!(matches!(
            world.read(grant, 301).await,
            LiveRead::Over { used: 700, .. }
        ));
        assert_eq!(world.read(grant, 300).await, LiveRead::Taken);
        // A number that cannot be kept does not end the count.
        world.handed_out(grant, u64::MAX).await;
        assert!(matches!(world.read(grant, 1).await, LiveRead::Over { .. }));
    }
}
