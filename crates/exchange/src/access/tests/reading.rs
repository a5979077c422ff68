//! What a recipient may read, and with which credential.

use std::sync::Arc;

use model::dto::{ProfileNew, RevokeNew};
use model::time::HOUR;
use model::{Mode, Timestamp};

use super::World;
use crate::access::ReaderRefused;
use crate::error::Error;
use crate::sql;

#[tokio::test]
async fn a_recipient_reads_what_is_granted_and_nothing_after() {
    for world in World::each().await {
        let exchange = world.exchange();
        let reader = world.reader().await;
        assert!(
            exchange
                .shared_tables(&world.system, reader)
                .await
                .unwrap()
                .is_empty()
        );
        let id = world.granted("vehicle-visits", "live").await;
        let tables = exchange.shared_tables(&world.system, reader).await.unwrap();
        assert_eq!(
            (tables.len(), tables[0].grant_id, tables[0].mode),
            (1, id, Mode::Live)
        );
        assert!(exchange.grant_is_open(&world.system, id).await.unwrap());
        let until = exchange.now().plus(HOUR);
        assert!(
            exchange
                .urls_issued(&world.system, id, until, Some(until))
                .await
                .unwrap()
        );
        assert!(
            exchange
                .urls_issued(&world.system, id, until.plus(-1), Some(until.plus(-1)))
                .await
                .unwrap()
        );
        let ended = exchange
            .grant_revoke(
                &world.jonas,
                id,
                RevokeNew {
                    reason: "over".into(),
                },
            )
            .await
            .unwrap();
        assert_eq!(
            ended.urls_until,
            Some(until),
            "the longest-lived URL counts"
        );
        assert!(
            exchange
                .shared_tables(&world.system, reader)
                .await
                .unwrap()
                .is_empty()
        );
        assert!(!exchange.grant_is_open(&world.system, id).await.unwrap());
        assert!(
            !exchange
                .urls_issued(&world.system, id, until, Some(until))
                .await
                .unwrap()
        );

        let id = world.granted("vehicle-visits", "live").await;
        // Until 2026-12-31 was granted: that day is part of it.
        let end = Timestamp::parse("2027-01-01").unwrap();
        world.test.clock.set(end.plus(-1));
        assert!(exchange.grant_is_open(&world.system, id).await.unwrap());
        world.test.clock.set(end);
        assert!(
            !exchange.grant_is_open(&world.system, id).await.unwrap(),
            "the end is felt without anybody ending it"
        );
        assert_eq!(exchange.grants_expire(&world.system).await.unwrap(), 1);
        assert_eq!(exchange.grants_expire(&world.system).await.unwrap(), 0);
        let grant = exchange.grant(&world.mara, id).await.unwrap();
        assert_eq!(grant.ended_reason.as_deref(), Some("its time is over"));
    }
}

#[tokio::test]
async fn profiles_are_downloaded_once() {
    for world in World::each().await {
        let exchange = world.exchange();
        let name = "rnd_weu";
        let refused = exchange
            .profile_create(&world.otto, name, ProfileNew::default())
            .await;
        assert!(matches!(refused, Err(Error::NotFound(_))));
        assert!(matches!(
            exchange
                .profile_create(&world.mara, name, ProfileNew { days: Some(0) })
                .await,
            Err(Error::Invalid(_))
        ));
        assert!(matches!(
            exchange
                .profile_create(&world.mara, name, ProfileNew { days: Some(91) })
                .await,
            Err(Error::Invalid(_))
        ));
        let exchange_of = Arc::new(exchange.clone());
        let mut tasks = Vec::new();
        for _ in 0..10 {
            let (exchange, mara) = (Arc::clone(&exchange_of), world.mara.clone());
            tasks.push(tokio::spawn(async move {
                exchange
                    .profile_create(&mara, name, ProfileNew { days: Some(30) })
                    .await
            }));
        }
        let mut profiles = Vec::new();
        for task in tasks {
            match task.await.unwrap() {
                Ok(profile) => profiles.push(profile),
                Err(error) => assert!(matches!(error, Error::Conflict(_)), "{error:?}"),
            }
        }
        let [profile] = profiles.as_slice() else {
            panic!("{} profiles", profiles.len())
        };
        assert!(profile.endpoint.ends_with("/delta-sharing/"));
        let who = exchange
            .reader_of_token(&world.system, &profile.bearer_token)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(who.name.as_str(), name);
        let stored = sql!("select hash from recipient_token")
            .row(exchange.db())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            stored.get::<Vec<u8>>("hash").unwrap(),
            crate::secret::hash(&profile.bearer_token)
        );
        world.test.clock.set(profile.expiration_time.plus(-1));
        assert!(
            exchange
                .reader_of_token(&world.system, &profile.bearer_token)
                .await
                .unwrap()
                .is_ok()
        );
        world.test.clock.set(profile.expiration_time);
        let refused = exchange
            .reader_of_token(&world.system, &profile.bearer_token)
            .await
            .unwrap();
        assert_eq!(refused.unwrap_err(), ReaderRefused::Expired);
        let profile = exchange
            .profile_create(&world.mara, name, ProfileNew::default())
            .await
            .unwrap();
        let token = exchange.recipient(&world.mara, name).await.unwrap().tokens[0].id;
        exchange
            .recipient_token_revoke(&world.mara, name, token)
            .await
            .unwrap();
        let refused = exchange
            .reader_of_token(&world.system, &profile.bearer_token)
            .await
            .unwrap();
        assert_eq!(refused.unwrap_err(), ReaderRefused::Revoked);
        let refused = exchange
            .reader_of_token(&world.system, "entrepot_rt_nonsense")
            .await
            .unwrap();
        assert_eq!(refused.unwrap_err(), ReaderRefused::Unknown);
    }
}
