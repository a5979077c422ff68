//! What is told over the outbox: who gets none, what becomes of it when somebody dies in between or it is refused, and what is not
//! even put there.

use model::dto::{DeliveryTest, NotificationsChange};
use model::time::{DAY, MINUTE};

use super::World;
use crate::error::Error;
use crate::jobs::{WorkKind, WorkRow};
use crate::ports::Letter;
use crate::principal::Principal;
use crate::sql;

#[tokio::test]
async fn who_wants_none_is_gone_or_has_no_address_gets_none() {
    for world in World::telling().await {
        let exchange = world.exchange();
        let asked = World::ask("vehicle-visits", "live");
        let request = exchange.request_create(&world.mara, asked).await.unwrap();
        // Also who is disabled while it waits, or turns it off.
        assert_eq!(world.outbox().await.len(), 3);
        world.disable("jonas").await;
        let none = NotificationsChange::default();
        let set = exchange.notifications_set(&world.dora, "dora", none).await;
        assert!(set.unwrap().kinds.iter().all(|choice| !choice.wanted));
        world.is_told(&[], &["request.submitted"]).await;
        assert!(world.outbox().await.is_empty());
        world.address("mara", "").await;
        let say = World::say("approve", request.revision);
        let decided = exchange.request_decide(&world.dora, request.id, say).await;
        decided.unwrap();
        world.is_told(&[], &["request.approved"]).await;
        // And on again.
        let some = NotificationsChange {
            kinds: vec!["request_waiting".into()],
            ..NotificationsChange::default()
        };
        exchange
            .notifications_set(&world.dora, "dora", some)
            .await
            .unwrap();
        let asked = World::ask("vehicle-claims", "live");
        exchange.request_create(&world.mara, asked).await.unwrap();
        let asked = "dora@example.org: To decide: rnd asks for vehicle-claims";
        world.is_told(&[asked], &["request.submitted"]).await;
    }
}

#[tokio::test]
async fn choices_are_ones_own_and_an_admin_s() {
    for world in World::telling().await {
        let exchange = world.exchange();
        let own = exchange.notifications(&world.mara, "mara").await.unwrap();
        assert!(own.mail && own.kinds.iter().all(|choice| choice.wanted));
        for (who, name) in [(&world.mara, "jonas"), (&world.mara, "nobody")] {
            let refused = exchange.notifications(who, name).await;
            assert!(matches!(refused, Err(Error::NotFound("person"))));
            let none = NotificationsChange::default();
            let refused = exchange.notifications_set(who, name, none).await;
            assert!(matches!(refused, Err(Error::NotFound("person"))));
        }
        exchange
            .notifications(&world.operator, "jonas")
            .await
            .unwrap();
        let nobody = exchange.notifications(&Principal::nobody(), "jonas").await;
        assert!(matches!(nobody, Err(Error::Unauthenticated)));
        let wrong = NotificationsChange {
            kinds: vec!["everything".into()],
            ..NotificationsChange::default()
        };
        let refused = exchange.notifications_set(&world.mara, "mara", wrong).await;
        assert!(matches!(refused, Err(Error::Invalid(_))));
    }
}

#[tokio::test]
async fn what_was_sent_and_not_noted_is_sent_again_under_the_same_id() {
    for world in World::telling().await {
        let exchange = world.exchange();
        world.disable("dora").await;
        let asked = World::ask("vehicle-visits", "live");
        exchange.request_create(&world.mara, asked).await.unwrap();
        let outbox = world.outbox().await;
        let mail = outbox.iter().find(|row| row.kind == "mail").unwrap();
        let leased = world.leased(mail).await;
        let sent = exchange.mail_deliver(&world.system, &leased.key).await;
        sent.unwrap().unwrap();
        // The worker dies here; another one takes over.
        exchange.work_release_all(&world.system).await.unwrap();
        world.send().await;
        let [first, second] = <[Letter; 2]>::try_from(world.test.world.letters()).unwrap();
        assert_eq!(first, second);
        exchange.work_done(&leased).await.unwrap();
        assert!(world.outbox().await.is_empty());
    }
}

/// So many come by themselves; the rest comes as one, when the hour lets one through, and nothing is lost or told twice.
#[tokio::test]
async fn what_is_more_than_an_hour_takes_comes_as_one() {
    for mut world in World::telling().await {
        let most = 3;
        let options = crate::Options {
            mails_an_hour: 3,
            ..world.exchange().options().clone()
        };
        let (db, ports) = (
            world.exchange().db().clone(),
            world.exchange().ports().clone(),
        );
        world.test.exchange = crate::Exchange::new(db, world.test.clock.clone(), ports, options);
        let exchange = world.exchange();
        world.disable("dora").await;
        let ask = async |count: usize| {
            for _ in 0..count {
                let asked = World::ask("vehicle-visits", "live");
                let request = exchange.request_create(&world.mara, asked).await.unwrap();
                let taken = exchange.request_withdraw(&world.mara, request.id).await;
                taken.unwrap();
            }
        };
        ask(most + 3).await;
        let (mails, _) = world.told().await;
        assert_eq!(mails.len(), most);
        // The work of telling the rest waits; looked at before its time it goes on waiting.
        let waits = async || {
            let [row] = <[WorkRow; 1]>::try_from(world.outbox().await).unwrap();
            assert!(row.key.starts_with("digest/") && !row.parked, "{row:?}");
        };
        for _ in 0..2 {
            waits().await;
            world.is_told(&[], &[]).await;
        }
        // What comes later does not overtake it.
        world.test.clock.advance(30 * MINUTE);
        ask(1).await;
        world.told().await;
        waits().await;
        world.test.clock.advance(31 * MINUTE);
        world.told_one("jonas@example.org: 4 more for you").await;
        assert!(world.outbox().await.is_empty());
        ask(1).await;
        let asked = "jonas@example.org: To decide: rnd asks for vehicle-visits";
        world.told_one(asked).await;
    }
}

#[tokio::test]
async fn what_is_refused_for_good_waits_for_a_person_with_its_reason() {
    for world in World::telling().await {
        let exchange = world.exchange();
        world.address("jonas", "refused@example.org").await;
        let asked = World::ask("vehicle-visits", "live");
        exchange.request_create(&world.mara, asked).await.unwrap();
        let (mails, _) = world.told().await;
        assert_eq!(mails.len(), 1, "dora's");
        let [row] = <[WorkRow; 1]>::try_from(world.outbox().await).unwrap();
        assert!(row.parked);
        assert_eq!(row.last_error.as_deref(), Some("550 no such mailbox"));
        world.address("jonas", "jonas@example.org").await;
        let all = |kind| exchange.work_retry_all(&world.operator, kind);
        assert_eq!(all(WorkKind::Webhook).await.unwrap().retried, 0);
        assert_eq!(all(WorkKind::Mail).await.unwrap().retried, 1);
        assert_eq!(world.told().await.0.len(), 1);
        assert!(world.outbox().await.is_empty());
    }
}

#[tokio::test]
async fn what_nobody_looks_after_is_given_up_after_a_while() {
    for world in World::telling().await {
        let exchange = world.exchange();
        world.address("jonas", "refused@example.org").await;
        let asked = World::ask("vehicle-visits", "live");
        exchange.request_create(&world.mara, asked).await.unwrap();
        world.told().await;
        exchange.notices_sweep(&world.system).await.unwrap();
        assert_eq!(world.outbox().await.len(), 1);
        world.test.clock.advance(91 * DAY);
        exchange.notices_sweep(&world.system).await.unwrap();
        assert!(world.outbox().await.is_empty());
    }
}

#[tokio::test]
async fn a_warning_that_waited_until_the_end_is_not_sent() {
    for world in World::telling().await {
        let exchange = world.exchange();
        world.granted("vehicle-visits", "live").await;
        world.told().await;
        world.clock_shows("2026-12-29");
        exchange.endings_tick(&world.system).await.unwrap();
        world.clock_shows("2027-01-01");
        world.is_told(&[], &["access.ending"]).await;
        assert!(world.outbox().await.is_empty());
    }
}

#[tokio::test]
async fn nothing_waits_for_what_is_not_configured() {
    for world in World::each().await {
        let exchange = world.exchange();
        for name in ["jonas", "mara", "dora"] {
            world.address(name, &format!("{name}@example.org")).await;
        }
        let grant = world.granted("vehicle-visits", "live").await;
        world.verified(grant).await;
        world.clock_shows("2026-12-20");
        exchange.endings_tick(&world.system).await.unwrap();
        assert!(world.outbox().await.is_empty());
        let row = sql!("select count(*) as notices from notice")
            .row(exchange.db())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(row.get::<i64>("notices").unwrap(), 0);
        let delivery = exchange.delivery(&world.mara).await.unwrap();
        assert!(!delivery.mail && !delivery.webhook);
    }
}

#[tokio::test]
async fn a_process_without_mail_parks_what_another_one_queued() {
    for world in World::telling().await {
        let asked = World::ask("vehicle-visits", "live");
        world
            .exchange()
            .request_create(&world.mara, asked)
            .await
            .unwrap();
        let mut ports = world.exchange().ports().clone();
        ports.post = crate::ports::Post::default();
        let options = world.exchange().options().clone();
        let (db, clock) = (world.exchange().db().clone(), world.test.clock.clone());
        let other = crate::Exchange::new(db, clock, ports, options);
        for row in world.outbox().await {
            let came = match row.kind.as_str() {
                "mail" => {
                    let came = other.mail_deliver(&world.system, &row.key).await;
                    came.map(|came| came.map(|_| ()))
                }
                _ => other.webhook_deliver(&world.system, &row.key).await,
            };
            let failed = came.unwrap().unwrap_err();
            assert!(failed.permanent && failed.sentence.contains(&row.kind));
        }
    }
}

#[tokio::test]
async fn a_test_goes_to_a_person_that_there_is() {
    for world in World::telling().await {
        let exchange = world.exchange();
        let both = |person: &str| DeliveryTest {
            person: Some(person.to_owned()),
            webhook: true,
        };
        let tested = exchange.delivery_test(&world.operator, both("mara")).await;
        tested.unwrap();
        world
            .is_told(&["mara@example.org: A test of mail"], &["test"])
            .await;
        world.disable("jonas").await;
        for person in ["otto", "nobody", "all@example.org", "jonas"] {
            let refused = exchange.delivery_test(&world.operator, both(person)).await;
            assert!(matches!(refused, Err(Error::Invalid(_))), "{person}");
        }
        let nothing = DeliveryTest::default();
        let refused = exchange.delivery_test(&world.operator, nothing).await;
        assert!(matches!(refused, Err(Error::Invalid(_))));
        let refused = exchange.delivery_test(&world.mara, both("mara")).await;
        assert!(matches!(refused, Err(Error::Forbidden(_))));
        world.is_told(&[], &[]).await;
    }
}

#[tokio::test]
async fn what_was_told_is_forgotten_after_a_while_and_not_told_again() {
    for world in World::telling().await {
        let exchange = world.exchange();
        let grant = world.granted("vehicle-visits", "live").await;
        world.verified(grant).await;
        world.told().await;
        assert_eq!(exchange.notices_sweep(&world.system).await.unwrap(), 0);
        world.test.clock.advance(91 * DAY);
        assert_eq!(exchange.notices_sweep(&world.system).await.unwrap(), 3);
        world.verified(grant).await;
        world.is_told(&[], &[]).await;
        assert!(exchange.notices_sweep(&world.mara).await.is_err());
    }
}
