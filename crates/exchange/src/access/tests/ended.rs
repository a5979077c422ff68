//! What is said of access that has ended, and to whom.

use model::dto::{RecipientNew, RevokeNew};
use model::time::{HOUR, MINUTE};
use model::{GrantDesired, GrantId, RecipientId, RecipientTokenId, Timestamp};

use super::World;
use crate::access::EndedAccess;
use crate::principal::Principal;
use crate::{Error, sql};

const VISITS: (&str, &str, &str) = ("vehicle-visits", "default", "t");

impl World {
    async fn end(&self, grant: GrantId) {
        let reason = RevokeNew {
            reason: "the study is over".into(),
        };
        self.exchange()
            .grant_revoke(&self.jonas, grant, reason)
            .await
            .unwrap();
    }

    async fn ended(&self, reader: RecipientId, table: (&str, &str, &str)) -> Option<EndedAccess> {
        let found = self.exchange().ended_access(&self.system, reader, table);
        found.await.unwrap()
    }

    async fn issue(
        &self,
        (grant, token): (GrantId, RecipientTokenId),
        until: Timestamp,
        by_store: Option<Timestamp>,
    ) {
        let open = self
            .exchange()
            .urls_issued(&self.system, grant, token, until, by_store)
            .await;
        assert!(open.unwrap());
    }
}

#[tokio::test]
async fn who_had_access_is_told_when_it_ended() {
    for world in World::each().await {
        let exchange = world.exchange();
        let reader = world.reader().await;
        assert_eq!(world.ended(reader, VISITS).await, None);
        let grant = world.granted("vehicle-visits", "live").await;
        assert_eq!(world.ended(reader, VISITS).await, None, "it is open");
        let issued = exchange.now();
        // By the gateway, which will refuse them, and by a store, which will not.
        let (_, token) = world.reading_token().await;
        world.issue((grant, token), issued.plus(HOUR), None).await;
        for minutes in [30, 20] {
            let until = issued.plus(minutes * MINUTE);
            world.issue((grant, token), until, Some(until)).await;
        }
        let open = exchange.grant(&world.mara, grant).await.unwrap();
        assert_eq!(open.urls_until, Some(issued.plus(HOUR)));
        world.test.clock.advance(MINUTE);
        world.end(grant).await;
        let mut end = EndedAccess {
            at: issued.plus(MINUTE),
            revoked: true,
            urls_until: Some(issued.plus(30 * MINUTE)),
        };
        assert_eq!(world.ended(reader, VISITS).await, Some(end));
        let one = exchange.ended_grant(&world.system, grant).await.unwrap();
        assert_eq!(one, Some(end));
        let shown = exchange.grant(&world.mara, grant).await.unwrap();
        assert_eq!(
            (shown.desired, shown.urls_until),
            (GrantDesired::Ended, end.urls_until)
        );
        // Later it is still told, but not of URLs that are dead.
        world.test.clock.advance(HOUR);
        end.urls_until = None;
        assert_eq!(world.ended(reader, VISITS).await, Some(end));

        // Granted anew it is open, and ends by itself: from that instant on, whether or not somebody has marked it.
        let again = world.granted("vehicle-visits", "live").await;
        assert_eq!(
            exchange.ended_grant(&world.system, again).await.unwrap(),
            None
        );
        let until = exchange.grant(&world.mara, again).await.unwrap().until;
        world.test.clock.set(until.plus(-1));
        assert_eq!(
            exchange.ended_grant(&world.system, again).await.unwrap(),
            None
        );
        world.test.clock.set(until.plus(MINUTE));
        let end = EndedAccess {
            at: until,
            revoked: false,
            urls_until: None,
        };
        assert_eq!(world.ended(reader, VISITS).await, Some(end), "the last end");
        assert_eq!(exchange.grants_expire(&world.system).await.unwrap(), 1);
        assert_eq!(world.ended(reader, VISITS).await, Some(end));
    }
}

/// Who revokes what is over already has not ended it.
#[tokio::test]
async fn time_comes_before_people() {
    for world in World::each().await {
        let reader = world.reader().await;
        let grant = world.granted("vehicle-visits", "live").await;
        let until = world
            .exchange()
            .grant(&world.mara, grant)
            .await
            .unwrap()
            .until;
        world.test.clock.set(until.plus(MINUTE));
        world.end(grant).await;
        let end = world.ended(reader, VISITS).await.unwrap();
        assert_eq!((end.at, end.revoked), (until, false));
    }
}

#[tokio::test]
async fn nobody_else_is_told_and_of_nothing_else() {
    for world in World::each().await {
        let exchange = world.exchange();
        let reader = world.reader().await;
        let new = RecipientNew {
            name: "rnd_other".into(),
            team: "rnd".into(),
            cloud: "azure".into(),
            region: "westeurope".into(),
        };
        exchange.recipient_create(&world.mara, new).await.unwrap();
        let other = sql!("select id from recipient where name = 'rnd_other'")
            .row(exchange.db())
            .await
            .unwrap();
        let other: RecipientId = other.unwrap().get("id").unwrap();
        // Asked for and refused is not granted.
        let asked = exchange
            .request_create(&world.mara, World::ask("vehicle-claims", "live"))
            .await
            .unwrap();
        let no = World::say("reject", asked.revision);
        exchange
            .request_decide(&world.jonas, asked.id, no)
            .await
            .unwrap();
        for mode in ["live", "replica"] {
            let grant = world.granted("vehicle-visits", mode).await;
            world.end(grant).await;
            assert!(world.ended(reader, VISITS).await.is_some(), "{mode}");
        }
        assert_eq!(world.ended(other, VISITS).await, None, "the same team's");
        for table in [
            ("vehicle-visits", "default", "nothing"),
            ("vehicle-visits", "nothing", "t"),
            ("vehicle-claims", "default", "t"),
            ("vehicle-nothing", "default", "t"),
            ("", "", ""),
        ] {
            assert_eq!(world.ended(reader, table).await, None, "{table:?}");
        }
        for who in [&world.operator, &world.mara, &Principal::nobody()] {
            let refused = exchange.ended_access(who, reader, VISITS).await;
            assert!(matches!(
                refused,
                Err(Error::Forbidden(_) | Error::Unauthenticated)
            ));
        }

        // A table that came after the end was never theirs, and is not given away.
        let mut tx = exchange.db().begin().await.unwrap();
        sql!("update product_table set created_at = $1 where id = (select product_table.id from product_table
                  join product on product.id = product_id where product.name = 'vehicle-visits')")
        .bind(exchange.now().plus(1))
        .execute(&mut tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
        assert_eq!(world.ended(reader, VISITS).await, None);
    }
}
