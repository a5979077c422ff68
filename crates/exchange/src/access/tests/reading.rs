//! What a recipient may read, and with which credential.

use std::sync::Arc;

use model::dto::{ProfileNew, RecipientNew, RevokeNew, RotationNew};
use model::time::{HOUR, MINUTE};
use model::{GrantId, Mode, RecipientTokenId, Timestamp};

use super::following::tables as tables_of;
use super::{World, inspection};
use crate::access::ReaderRefused;
use crate::error::Error;
use crate::page::PageRequest;
use crate::secret::{self, TokenKind};
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
        let (_, token) = world.reading_token().await;
        let id = world.granted("vehicle-visits", "live").await;
        let tables = world.shared_tables(reader).await;
        assert_eq!(
            (tables.len(), tables[0].grant_id, tables[0].mode),
            (1, id, Mode::Live)
        );
        // What is granted is the product: a table that comes later is read, too, and none goes while it is read.
        let lake = "s3://lake/aftersales";
        world.test.world.put_table(lake, "more", Ok(inspection()));
        let shared_schema = tables[0].schema.to_string();
        for names in [&["more", "t"][..], &["t"]] {
            let updated = exchange
                .product_update(&world.jonas, "vehicle-visits", tables_of(names))
                .await;
            assert_eq!(updated.is_ok(), names.len() == 2, "{updated:?}");
            let shared = world.shared_tables(reader).await;
            let found: Vec<&str> = shared.iter().map(|row| row.table_name.as_str()).collect();
            assert_eq!(found, ["more", "t"]);
        }
        let one = async |table, only| {
            let names = ("vehicle-visits", shared_schema.as_str(), table);
            let found = exchange.shared_table(&world.system, reader, only, names);
            found.await.unwrap().map(|row| row.table_name.to_string())
        };
        for only in [None, Some(id)] {
            assert_eq!(one("t", only).await.as_deref(), Some("t"));
            assert_eq!(one("more", only).await.as_deref(), Some("more"));
            assert_eq!(one("mor", only).await, None);
        }
        let another = GrantId::new(exchange.now());
        assert_eq!(one("t", Some(another)).await, None);
        for names in [
            ("another", shared_schema.as_str(), "t"),
            ("vehicle-visits", "another", "t"),
        ] {
            let found = exchange.shared_table(&world.system, reader, None, names);
            assert!(found.await.unwrap().is_none(), "{names:?}");
        }
        assert!(
            exchange
                .reading_is_open(&world.system, id, None)
                .await
                .unwrap()
        );
        let until = exchange.now().plus(HOUR);
        assert!(
            exchange
                .urls_issued(&world.system, id, token, until, Some(until))
                .await
                .unwrap()
        );
        assert!(
            exchange
                .urls_issued(
                    &world.system,
                    id,
                    token,
                    until.plus(-1),
                    Some(until.plus(-1))
                )
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
        assert!(
            !exchange
                .reading_is_open(&world.system, id, None)
                .await
                .unwrap()
        );
        assert!(
            !exchange
                .urls_issued(&world.system, id, token, until, Some(until))
                .await
                .unwrap()
        );

        let id = world.granted("vehicle-visits", "live").await;
        // Until 2026-12-31 was granted: that day is part of it.
        let end = Timestamp::parse("2027-01-01").unwrap();
        world.test.clock.set(end.plus(-1));
        assert!(
            exchange
                .reading_is_open(&world.system, id, None)
                .await
                .unwrap()
        );
        world.test.clock.set(end);
        assert!(
            !exchange
                .reading_is_open(&world.system, id, None)
                .await
                .unwrap(),
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
            .reader_of_token(&world.system, &profile.bearer_token, None)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(who.0.name.as_str(), name);
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
                .reader_of_token(&world.system, &profile.bearer_token, None)
                .await
                .unwrap()
                .is_ok()
        );
        world.test.clock.set(profile.expiration_time);
        let refused = exchange
            .reader_of_token(&world.system, &profile.bearer_token, None)
            .await
            .unwrap();
        let urls_until = None;
        assert_eq!(
            refused.unwrap_err().why,
            ReaderRefused::Expired { urls_until }
        );
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
            .reader_of_token(&world.system, &profile.bearer_token, None)
            .await
            .unwrap();
        assert_eq!(
            refused.unwrap_err().why,
            ReaderRefused::Revoked { urls_until }
        );
        let refused = exchange
            .reader_of_token(&world.system, "entrepot_rt_nonsense", None)
            .await
            .unwrap();
        assert_eq!(refused.unwrap_err().why, ReaderRefused::Unknown);
    }
}

/// What a credential opened ends with it, while the grant and other credentials go on; each says the end of its own URLs only.
#[tokio::test]
async fn what_was_handed_out_ends_with_its_credential() {
    for world in World::each().await {
        let exchange = world.exchange();
        let grant = world.granted("vehicle-visits", "live").await;
        let (old_text, old) = world.reading_token().await;
        let is_open = async |token: RecipientTokenId| {
            let open = exchange.reading_is_open(&world.system, grant, Some(token));
            open.await.unwrap()
        };
        let issue =
            async |token: RecipientTokenId, until: Timestamp, by_store: Option<Timestamp>| {
                let issued = exchange.urls_issued(&world.system, grant, token, until, by_store);
                issued.await.unwrap()
            };
        let refused = async |token: RecipientTokenId| {
            let refused = exchange.token_refused(&world.system, token);
            refused.await.unwrap()
        };
        assert!(is_open(old).await);
        assert_eq!(refused(old).await, None);
        let unknown = RecipientTokenId::new(exchange.now());
        assert!(!is_open(unknown).await);
        assert_eq!(refused(unknown).await, Some(ReaderRefused::Unknown));

        // The credential of another recipient, which has no grant, opens nothing of this one's.
        let other = RecipientNew {
            name: "rnd_other".into(),
            team: "rnd".into(),
            cloud: "azure".into(),
            region: "westeurope".into(),
        };
        exchange.recipient_create(&world.mara, other).await.unwrap();
        let other = exchange
            .profile_create(&world.mara, "rnd_other", ProfileNew::default())
            .await
            .unwrap();
        let other = world.id_of(&other.bearer_token).await;
        assert!(!is_open(other).await);
        let until = exchange.now().plus(HOUR);
        assert!(!issue(other, until, None).await);

        // Rotated: both open to the end of the overlap, to the microsecond, and the new one from there on.
        let rotation = RotationNew {
            days: None,
            overlap_hours: Some(1),
        };
        let end = exchange.now().plus(HOUR);
        let new_text = exchange
            .recipient_rotate(&world.mara, "rnd_weu", rotation)
            .await
            .unwrap()
            .bearer_token;
        let new = world.id_of(&new_text).await;
        world.test.clock.set(end.plus(-1));
        assert!(is_open(old).await && is_open(new).await);
        let (of_store, of_gateway) = (end.plus(20 * MINUTE), end.plus(40 * MINUTE));
        assert!(issue(old, of_store, Some(of_store)).await);
        assert!(issue(old, of_gateway, None).await);
        assert!(issue(new, of_gateway, Some(of_gateway)).await);
        world.test.clock.set(end);
        assert!(!is_open(old).await && is_open(new).await);
        assert!(!issue(old, end.plus(HOUR), Some(end.plus(HOUR))).await);
        let mut urls_until = Some(of_store);
        let expired = ReaderRefused::Expired { urls_until };
        assert_eq!(refused(old).await, Some(expired), "not the gateway's URLs");
        let by_text = exchange
            .reader_of_token(&world.system, &old_text, None)
            .await;
        assert_eq!(by_text.unwrap().unwrap_err().why, expired);
        let shown = exchange.grant(&world.mara, grant).await.unwrap();
        assert_eq!(
            shown.urls_until,
            Some(of_gateway),
            "a refusal notes nothing"
        );
        world.test.clock.set(of_store);
        urls_until = None;
        let expired = ReaderRefused::Expired { urls_until };
        assert_eq!(refused(old).await, Some(expired), "nothing lives any more");

        // Revoked: at once.
        exchange
            .recipient_token_revoke(&world.mara, "rnd_weu", new)
            .await
            .unwrap();
        assert!(!is_open(new).await);
        assert!(!issue(new, end.plus(HOUR), None).await);
        urls_until = Some(of_gateway);
        let revoked = ReaderRefused::Revoked { urls_until };
        assert_eq!(refused(new).await, Some(revoked));
        let by_text = exchange
            .reader_of_token(&world.system, &new_text, None)
            .await;
        assert_eq!(by_text.unwrap().unwrap_err().why, revoked);
        // The grant is open, for whoever needs no credential and for the next one.
        let open = exchange.reading_is_open(&world.system, grant, None).await;
        assert!(open.unwrap());
        let (_, next) = world.reading_token().await;
        assert!(is_open(next).await);
        assert!(!is_open(new).await);
    }
}

/// By recipient as without: both sides see their grants, and nobody else sees any.
#[tokio::test]
async fn grants_of_one_recipient_are_seen_as_all_grants_are() {
    for world in World::each().await {
        let exchange = world.exchange();
        let visits = world.granted("vehicle-visits", "live").await;
        let new = RecipientNew {
            name: "rnd_other".into(),
            team: "rnd".into(),
            cloud: "azure".into(),
            region: "northeurope".into(),
        };
        exchange.recipient_create(&world.mara, new).await.unwrap();
        let page = PageRequest::default();
        for (who, sees) in [
            (&world.mara, true),
            (&world.jonas, true),
            (&world.operator, true),
            (&world.otto, false),
        ] {
            let found = exchange.grants_of_recipient(who, "rnd_weu", &page).await;
            let ids: Vec<_> = found.unwrap().items.iter().map(|grant| grant.id).collect();
            assert_eq!(ids, if sees { vec![visits] } else { vec![] });
            for name in ["rnd_other", "nowhere"] {
                let found = exchange.grants_of_recipient(who, name, &page).await;
                assert!(found.unwrap().items.is_empty(), "{name}");
            }
        }
        let nobody = crate::principal::Principal::nobody();
        let refused = exchange
            .grants_of_recipient(&nobody, "rnd_weu", &page)
            .await;
        assert!(matches!(refused, Err(Error::Unauthenticated)));
    }
}

/// C-25: what cannot be a token is refused without asking the database.
#[tokio::test]
async fn a_wrong_checksum_asks_nobody() {
    for world in World::each().await {
        let exchange = world.exchange();
        let good = secret::new_token(TokenKind::Recipient).unwrap();
        exchange.db().close().await;
        let asked = exchange.reader_of_token(&world.system, &good, None).await;
        assert!(
            asked.is_err(),
            "the database is asked for what could be one"
        );
        let (before, last) = good.split_at(good.len() - 1);
        let other = if last == "0" { "1" } else { "0" };
        let changed = format!("{before}{other}");
        for wrong in [changed.as_str(), before, ""] {
            let asked = exchange.reader_of_token(&world.system, wrong, None).await;
            let why = asked.unwrap().unwrap_err().why;
            assert_eq!(why, ReaderRefused::Unknown, "{wrong}");
        }
    }
}
