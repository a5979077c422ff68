//! Who says yes, and what a reconciler then sees.

use model::dto::{DecisionNew, MemberChange, RevokeNew};
use model::{GrantActual, RequestState, Stage, Timestamp};

use super::World;
use crate::access::NextLook;
use crate::error::Error;
use crate::ports::Observation;

#[tokio::test]
async fn an_owner_decides_and_nobody_decides_for_themselves() {
    for world in World::each().await {
        let exchange = world.exchange();
        let request = exchange
            .request_create(&world.mara, World::ask("vehicle-visits", "live"))
            .await
            .unwrap();
        assert_eq!(
            (request.state, request.open_stages.as_slice()),
            (RequestState::Submitted, &[Stage::Owner][..])
        );
        let twice = exchange
            .request_create(&world.mara, World::ask("vehicle-visits", "live"))
            .await;
        assert!(matches!(twice, Err(Error::Conflict(_))));
        for (who, expected) in [
            (&world.mara, "forbidden"),
            (&world.otto, "hidden"),
            (&world.operator, "forbidden"),
        ] {
            let said = exchange
                .request_decide(who, request.id, World::say("approve", request.revision))
                .await;
            match expected {
                "hidden" => assert!(matches!(said, Err(Error::NotFound(_)))),
                _ => assert!(matches!(said, Err(Error::Forbidden(_)))),
            }
        }
        let stale = exchange
            .request_decide(&world.jonas, request.id, World::say("approve", 7))
            .await;
        assert!(matches!(stale, Err(Error::Conflict(_))));
        let mute = DecisionNew {
            note: String::new(),
            ..World::say("reject", request.revision)
        };
        assert!(matches!(
            exchange
                .request_decide(&world.jonas, request.id, mute)
                .await,
            Err(Error::Invalid(_))
        ));
        let done = exchange
            .request_decide(
                &world.jonas,
                request.id,
                World::say("approve", request.revision),
            )
            .await
            .unwrap();
        assert_eq!(
            (done.state, done.open_stages.len()),
            (RequestState::Approved, 0)
        );
        let grant = exchange
            .grant(&world.mara, done.grant.unwrap())
            .await
            .unwrap();
        assert_eq!(
            (grant.actual, grant.verified_at),
            (GrantActual::Pending, None)
        );
        assert!(matches!(
            exchange.grant(&world.otto, grant.id).await,
            Err(Error::NotFound(_))
        ));
        assert!(
            exchange
                .audit_verify(&world.operator, None)
                .await
                .unwrap()
                .broken
                .is_none()
        );
    }
}

#[tokio::test]
async fn somebody_of_the_owning_team_does_not_approve_what_they_asked_for() {
    for world in World::each().await {
        let exchange = world.exchange();
        exchange
            .member_set(
                &world.operator,
                "rnd",
                "jonas",
                MemberChange {
                    role: "consumer".into(),
                },
            )
            .await
            .unwrap();
        let jonas = exchange
            .principal_of(world.jonas.person_id().unwrap())
            .await
            .unwrap()
            .unwrap();
        let request = exchange
            .request_create(&jonas, World::ask("vehicle-visits", "live"))
            .await
            .unwrap();
        let said = exchange
            .request_decide(&jonas, request.id, World::say("approve", request.revision))
            .await;
        assert!(matches!(said, Err(Error::Forbidden(_))));
        let done = exchange
            .request_decide(
                &world.dora,
                request.id,
                World::say("approve", request.revision),
            )
            .await
            .unwrap();
        assert_eq!(done.state, RequestState::Approved);
    }
}

#[tokio::test]
async fn personal_data_takes_two_people() {
    for world in World::each().await {
        let exchange = world.exchange();
        let request = exchange
            .request_create(&world.mara, World::ask("vehicle-claims", "live"))
            .await
            .unwrap();
        assert_eq!(request.open_stages, [Stage::Owner, Stage::DataProtection]);
        // Dora could be both, but is one person.
        let half = exchange
            .request_decide(
                &world.dora,
                request.id,
                World::say("approve", request.revision),
            )
            .await
            .unwrap();
        assert_eq!(
            (half.state, half.open_stages.as_slice()),
            (RequestState::Submitted, &[Stage::DataProtection][..])
        );
        let again = exchange
            .request_decide(
                &world.dora,
                request.id,
                World::say("approve", half.revision),
            )
            .await;
        assert!(matches!(again, Err(Error::Forbidden(_))));
        let other = exchange
            .request_decide(
                &world.jonas,
                request.id,
                World::say("approve", half.revision),
            )
            .await;
        assert!(
            matches!(other, Err(Error::Forbidden(_))),
            "the owner's word is given; jonas is no officer"
        );

        let request = exchange
            .request_create(&world.mara, World::ask("vehicle-claims", "replica"))
            .await
            .unwrap();
        let first = exchange
            .request_decide(
                &world.jonas,
                request.id,
                World::say("approve", request.revision),
            )
            .await
            .unwrap();
        assert!(first.grant.is_none());
        let done = exchange
            .request_decide(
                &world.dora,
                request.id,
                World::say("approve", first.revision),
            )
            .await
            .unwrap();
        assert!(done.grant.is_some());
    }
}

#[tokio::test]
async fn the_auto_policy_grants_at_once_and_a_reconciler_says_what_it_saw() {
    for world in World::each().await {
        let exchange = world.exchange();
        let request = exchange
            .request_create(&world.mara, World::ask("vehicle-parts", "live"))
            .await
            .unwrap();
        assert_eq!(request.decisions[0].stage, Stage::Policy);
        let id = request.grant.unwrap();
        let seen_at = Timestamp::parse("2026-06-15T12:00:01Z").unwrap();
        for (observation, actual) in [
            (
                Observation::Waits {
                    reason: "soon".into(),
                },
                GrantActual::Provisioning,
            ),
            (
                Observation::Broken {
                    reason: "the file is gone".into(),
                },
                GrantActual::Failed,
            ),
            (Observation::Works { seen_at }, GrantActual::Active),
            (Observation::Closed, GrantActual::Failed),
            (Observation::Works { seen_at }, GrantActual::Active),
        ] {
            world.test.world.put_observation(id, observation);
            exchange.grant_reconcile(&world.system, id).await.unwrap();
            assert_eq!(
                exchange.grant(&world.mara, id).await.unwrap().actual,
                actual
            );
        }
        assert_eq!(
            exchange.grant(&world.mara, id).await.unwrap().verified_at,
            Some(seen_at)
        );
        let reason = RevokeNew {
            reason: "done".into(),
        };
        assert!(matches!(
            exchange.grant_revoke(&world.otto, id, reason.clone()).await,
            Err(Error::NotFound(_))
        ));
        exchange
            .grant_revoke(&world.mara, id, reason.clone())
            .await
            .unwrap();
        exchange
            .grant_revoke(&world.mara, id, reason)
            .await
            .unwrap();
        // It still answers: not ended before it is seen to be.
        exchange.grant_reconcile(&world.system, id).await.unwrap();
        assert_eq!(
            exchange.grant(&world.mara, id).await.unwrap().actual,
            GrantActual::Failed
        );
        world.test.world.put_observation(id, Observation::Closed);
        let next = exchange.grant_reconcile(&world.system, id).await.unwrap();
        let ended = exchange.grant(&world.mara, id).await.unwrap();
        assert_eq!(
            (next, ended.actual),
            (NextLook::Settled, GrantActual::Ended)
        );
        assert!(ended.ended_at.is_some());
    }
}
