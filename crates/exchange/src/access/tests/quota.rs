//! The bytes that a grant hands out in a day: said with the decision or later, counted, warned of, refused, begun anew.

use model::dto::{DecisionNew, GrantLimit};
use model::time::DAY;
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
