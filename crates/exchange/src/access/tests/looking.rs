//! When the reconciler looks again: soon at what has just changed, ever more rarely at what stays broken, at once when it is
//! woken.

use model::dto::{CredentialNew, StorageChange};
use model::time::{DAY, MINUTE, SECOND};
use model::{GrantActual, GrantId};

use super::World;
use crate::access::NextLook;
use crate::jobs::{Lane, Leased, Wake, WorkKind};
use crate::ports::Observation;
use crate::sql;

impl World {
    /// The grant's work, once it is due; what else is due is let go.
    async fn grant_is_due(&self, id: GrantId) -> Option<Leased> {
        let exchange = self.exchange();
        let mut found = None;
        while let Some(leased) = exchange
            .work_lease(&self.system, "w", None, MINUTE, Lane::Data)
            .await
            .unwrap()
        {
            if leased.kind == WorkKind::Grant && leased.key == id.to_string() {
                found = Some(leased);
            } else {
                exchange.work_done(&leased).await.unwrap();
            }
        }
        found
    }

    /// Looks as a worker does. Answers the pause until the next look; the clock has moved on by it.
    async fn look(&self, id: GrantId) -> i64 {
        let exchange = self.exchange();
        let leased = self.grant_is_due(id).await.expect("a look is due");
        let next = exchange.grant_reconcile(&self.system, id).await.unwrap();
        let NextLook::In(pause) = next else {
            panic!("it is not settled")
        };
        let before = exchange.db().now().await.unwrap();
        exchange.work_later(&leased, pause).await.unwrap();
        let after = exchange.db().now().await.unwrap();
        assert!(self.grant_is_due(id).await.is_none(), "not before its time");
        let due: i64 = sql!("select run_at from work where kind = 'grant' and key = $1")
            .bind(id.to_string())
            .row(exchange.db())
            .await
            .unwrap()
            .unwrap()
            .get("run_at")
            .unwrap();
        assert!((before.micros()..=after.micros()).contains(&(due - pause)));
        self.test.clock.advance(pause);
        // Leases go by the database's clock, which stands by comparison: its time comes too.
        sql!("update work set run_at = 0 where kind = 'grant'")
            .execute(exchange.db())
            .await
            .unwrap();
        pause
    }

    fn sees(&self, id: GrantId, observation: Observation) {
        self.test.world.put_observation(id, observation);
    }

    async fn actual(&self, id: GrantId) -> GrantActual {
        self.exchange().grant(&self.mara, id).await.unwrap().actual
    }
}

fn broken() -> Observation {
    Observation::Broken {
        reason: "the file is gone".into(),
    }
}

#[tokio::test]
async fn what_stays_broken_is_looked_at_ever_more_rarely() {
    const DOUBLING: [i64; 10] = [5, 10, 20, 40, 80, 160, 320, 640, 900, 900];
    for world in World::each().await {
        let exchange = world.exchange();
        let id = world.granted("vehicle-visits", "live").await;
        for observation in [
            Observation::Waits {
                reason: "soon".into(),
            },
            broken(),
        ] {
            world.sees(id, observation);
            for expected in DOUBLING {
                assert_eq!(world.look(id).await, expected * SECOND);
            }
        }
        assert_eq!(world.actual(id).await, GrantActual::Failed);
        // A lost wake-up is made good, which hurries nothing.
        exchange.grants_resync(&world.system).await.unwrap();
        assert_eq!(world.look(id).await, 15 * MINUTE);

        // Somebody wants something: the pauses begin anew.
        let wake = Wake::new(WorkKind::Grant, id);
        exchange.wake(&world.system, &wake).await.unwrap();
        assert_eq!(world.look(id).await, 5 * SECOND);
        assert_eq!(world.look(id).await, 10 * SECOND);
        // Also while it is being looked at.
        let leased = world.grant_is_due(id).await.unwrap();
        exchange.wake(&world.system, &wake).await.unwrap();
        exchange.work_later(&leased, 900 * SECOND).await.unwrap();
        assert_eq!(world.look(id).await, 5 * SECOND);

        // A day of it: a hundred looks, not seventeen thousand.
        let (mut looks, morning) = (0, exchange.now());
        while exchange.now().since(morning) < DAY {
            world.look(id).await;
            looks += 1;
        }
        assert!((96..=110).contains(&looks), "{looks} looks");

        // Mended: active, and what breaks then is felt at the next look at an active grant.
        let seen_at = exchange.now();
        world.sees(id, Observation::Works { seen_at });
        assert_eq!(world.look(id).await, 15 * MINUTE);
        assert_eq!(world.actual(id).await, GrantActual::Active);
        world.sees(id, broken());
        assert_eq!(world.look(id).await, 5 * SECOND);
        assert_eq!(world.actual(id).await, GrantActual::Failed);
        assert_eq!(world.look(id).await, 10 * SECOND);
    }
}

/// What who reads cannot mend is looked at when they meet it, and told to those who can.
#[tokio::test]
async fn what_cannot_be_read_is_told_to_its_producers() {
    for world in World::telling().await {
        let exchange = world.exchange();
        let id = world.granted("vehicle-visits", "live").await;
        world.sees(
            id,
            Observation::Works {
                seen_at: exchange.now(),
            },
        );
        assert_eq!(world.look(id).await, 15 * MINUTE);
        world.told().await;
        world.sees(id, broken());
        // Its turn would come later.
        let later = exchange.db().now().await.unwrap().plus(DAY);
        sql!("update work set run_at = $1 where kind = 'grant'")
            .bind(later)
            .execute(exchange.db())
            .await
            .unwrap();
        exchange.grant_doubted(&world.system, id).await.unwrap();
        for expected in [5, 10, 20, 40] {
            assert_eq!(world.look(id).await, expected * SECOND);
            // One that is known to be broken is not hurried.
            exchange.grant_doubted(&world.system, id).await.unwrap();
        }
        world.is_told(&[], &[]).await;
        assert_eq!(world.look(id).await, 80 * SECOND);
        let subject = "Cannot be read: vehicle-visits";
        let mails = [
            format!("dora@example.org: {subject}"),
            format!("jonas@example.org: {subject}"),
        ];
        world
            .is_told(&[&mails[0], &mails[1]], &["access.broken"])
            .await;
        for _ in 0..3 {
            world.look(id).await;
        }
        // Mended and broken again within the day: it is known. What was seen a moment ago is not doubted.
        let seen_at = exchange.now();
        world.sees(id, Observation::Works { seen_at });
        world.look(id).await;
        world.test.clock.set(seen_at);
        sql!("update work set run_at = $1 where kind = 'grant'")
            .bind(later)
            .execute(exchange.db())
            .await
            .unwrap();
        exchange.grant_doubted(&world.system, id).await.unwrap();
        assert!(world.grant_is_due(id).await.is_none());
        world.sees(id, broken());
        world.test.clock.advance(MINUTE + 1);
        exchange.grant_doubted(&world.system, id).await.unwrap();
        for _ in 0..6 {
            world.look(id).await;
        }
        world.is_told(&[], &[]).await;
    }
}

#[tokio::test]
async fn another_credential_is_tried_at_once() {
    for world in World::each().await {
        let exchange = world.exchange();
        let live = world.granted("vehicle-visits", "live").await;
        world.sees(live, broken());
        for _ in 0..5 {
            world.look(live).await;
        }
        // Its pause is on.
        sql!("update work set run_at = $1 where kind = 'grant'")
            .bind(exchange.db().now().await.unwrap().plus(DAY))
            .execute(exchange.db())
            .await
            .unwrap();
        assert!(world.grant_is_due(live).await.is_none());
        // A storage that it is not read from is nothing to it.
        for (storage, is_read) in [("az_weu", false), ("aws_eu", true)] {
            let change = StorageChange {
                credential: is_read.then(|| CredentialNew::from("env:ENTREPOT_CREDENTIAL_OTHER")),
                replicas: (!is_read).then_some(true),
                ..StorageChange::default()
            };
            exchange
                .storage_update(&world.operator, storage, change)
                .await
                .unwrap();
            let due = world.grant_is_due(live).await;
            assert_eq!(due.is_some(), is_read, "{storage}");
        }
    }
}
