//! Queries that are answered later: one per key, taken by one at a time, forgotten in the end.

use model::time::{HOUR, MINUTE};
use model::{RecipientId, TableId};
use uuid::Uuid;

use super::World;
use crate::access::{LaterNew, LaterState};
use crate::sql;

impl World {
    async fn reads_as(&self, name: &str) -> RecipientId {
        let row = sql!("select id from recipient where name = $1")
            .bind(name)
            .row(self.exchange().db())
            .await
            .unwrap();
        row.unwrap().get("id").unwrap()
    }

    /// Moves the ends of all leases into the past.
    async fn leases_end(&self) {
        sql!("update async_query set lease_until = 0")
            .execute(self.exchange().db())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_key_is_a_query_and_a_query_is_worked_on_by_one() {
    for world in World::each().await {
        let (exchange, system) = (world.exchange(), &world.system);
        let recipient = world.reads_as("rnd_weu").await;
        let table = TableId(Uuid::from_u128(1));
        let new = |key: &str, table: TableId, request: &str| LaterNew {
            recipient,
            table,
            key: key.to_owned(),
            request: request.to_owned(),
            version: 3,
        };
        let first = exchange.later_begin(system, &new("k", table, "one")).await;
        let first = first.unwrap().unwrap();
        assert_eq!(
            (first.request.as_str(), first.version, &first.state),
            ("one", 3, &LaterState::Pending)
        );
        let again = exchange.later_begin(system, &new("k", table, "two")).await;
        assert_eq!(again.unwrap().unwrap(), first, "what it was, it is");
        let other = TableId(Uuid::from_u128(2));
        let begun = exchange.later_begin(system, &new("k", other, "one")).await;
        assert_ne!(begun.unwrap().unwrap().id, first.id, "of another table");

        let find = |recipient, table| exchange.later_find(system, recipient, table, first.id);
        assert_eq!(find(recipient, table).await.unwrap(), Some(first.clone()));
        assert_eq!(find(recipient, other).await.unwrap(), None);
        let stranger = RecipientId(Uuid::from_u128(9));
        assert_eq!(find(stranger, table).await.unwrap(), None);

        // One at a time; who comes after another has it for himself.
        let take = || exchange.later_take(system, first.id);
        assert_eq!(take().await.unwrap(), Some(1));
        assert_eq!(take().await.unwrap(), None);
        world.leases_end().await;
        assert_eq!(take().await.unwrap(), Some(2));
        assert!(!exchange.later_renew(system, first.id, 1).await.unwrap());
        assert!(exchange.later_renew(system, first.id, 2).await.unwrap());
        let failed = LaterState::Failed("no".to_owned());
        exchange
            .later_end(system, first.id, 1, &failed)
            .await
            .unwrap();
        let state = |found: Option<crate::access::Later>| found.unwrap().state;
        assert_eq!(
            state(find(recipient, table).await.unwrap()),
            LaterState::Pending
        );
        let done = LaterState::Done(u64::MAX >> 1);
        exchange
            .later_end(system, first.id, 2, &done)
            .await
            .unwrap();
        assert_eq!(state(find(recipient, table).await.unwrap()), done);
        exchange
            .later_end(system, first.id, 2, &failed)
            .await
            .unwrap();
        world.leases_end().await;
        assert_eq!(take().await.unwrap(), None, "it has ended");
        assert_eq!(state(find(recipient, table).await.unwrap()), done);

        // Kept for hours, then its key begins another.
        world.test.clock.advance(6 * HOUR - MINUTE);
        assert_eq!(exchange.later_sweep(system).await.unwrap(), 0);
        assert!(find(recipient, table).await.unwrap().is_some());
        world.test.clock.advance(MINUTE);
        assert_eq!(find(recipient, table).await.unwrap(), None);
        let begun = exchange.later_begin(system, &new("k", table, "new")).await;
        assert_eq!(begun.unwrap().unwrap().request, "new");
        assert_eq!(
            exchange.later_sweep(system).await.unwrap(),
            1,
            "the other table's"
        );

        // So many of one recipient, and no more.
        for n in 1..200 {
            let begun = exchange
                .later_begin(system, &new(&n.to_string(), table, "x"))
                .await;
            assert!(begun.unwrap().is_some(), "{n}");
        }
        let refused = exchange.later_begin(system, &new("200", table, "x")).await;
        assert_eq!(refused.unwrap(), None);
        let known = exchange.later_begin(system, &new("7", table, "x")).await;
        assert!(known.unwrap().is_some());
        assert!(
            exchange
                .later_begin(&world.mara, &new("k", table, "x"))
                .await
                .is_err()
        );
        assert!(exchange.later_sweep(&world.mara).await.is_err());
    }
}
