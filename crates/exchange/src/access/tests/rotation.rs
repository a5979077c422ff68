//! Rotating a credential (C-28): the overlap, its bounds, and many at once.

use std::sync::Arc;

use model::Timestamp;
use model::dto::{Profile, ProfileNew, RecipientToken, RotationNew};
use model::time::{DAY, HOUR, SECOND};

use super::World;
use crate::access::ReaderRefused;
use crate::error::Error;
use crate::page::PageRequest;
use crate::sql;

const NAME: &str = "rnd_weu";

const EXPIRED: ReaderRefused = ReaderRefused::Expired { urls_until: None };
const REVOKED: ReaderRefused = ReaderRefused::Revoked { urls_until: None };

fn overlap(hours: u32) -> RotationNew {
    RotationNew {
        days: None,
        overlap_hours: Some(hours),
    }
}

impl World {
    async fn profile(&self, days: u32) -> String {
        let new = ProfileNew { days: Some(days) };
        let made = self.exchange().profile_create(&self.mara, NAME, new).await;
        made.unwrap().bearer_token
    }

    async fn rotate(&self, new: RotationNew) -> Result<Profile, Error> {
        self.exchange()
            .recipient_rotate(&self.mara, NAME, new)
            .await
    }

    async fn rotated(&self, new: RotationNew) -> String {
        self.rotate(new).await.unwrap().bearer_token
    }

    async fn counts(&self, token: &str) -> Result<(), ReaderRefused> {
        let found = self
            .exchange()
            .reader_of_token(&self.system, token, None)
            .await;
        found
            .unwrap()
            .map(|(reader, _)| assert_eq!(reader.name.as_str(), NAME))
            .map_err(|away| away.why)
    }

    /// It counts up to this instant, to the microsecond. The clock stands at that instant afterwards.
    async fn counts_until(&self, token: &str, end: Timestamp) {
        for before in [SECOND, 1] {
            self.test.clock.set(end.plus(-before));
            assert_eq!(self.counts(token).await, Ok(()));
        }
        self.test.clock.set(end);
        assert_eq!(self.counts(token).await, Err(EXPIRED));
    }

    async fn credentials(&self) -> Vec<RecipientToken> {
        let shown = self.exchange().recipient(&self.mara, NAME).await.unwrap();
        shown.tokens
    }

    /// What is shown of this one.
    async fn credential(&self, token: &str) -> RecipientToken {
        let hint = crate::secret::hint(token);
        let found = self.credentials().await;
        found.into_iter().find(|one| one.hint == hint).unwrap()
    }

    async fn living(&self) -> usize {
        let now = self.exchange().now();
        let credentials = self.credentials().await;
        let living = credentials
            .iter()
            .filter(|token| token.revoked_at.is_none() && token.expires_at > now);
        living.count()
    }

    async fn revoke_token(&self, token: &str) {
        let id = self.credential(token).await.id;
        self.exchange()
            .recipient_token_revoke(&self.mara, NAME, id)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn the_old_credential_counts_to_the_end_of_the_overlap() {
    for world in World::each().await {
        for hours in [None, Some(1), Some(168)] {
            let old = world.profile(90).await;
            let at = world.exchange().now();
            let new = RotationNew {
                days: Some(30),
                overlap_hours: hours,
            };
            let profile = world.rotate(new).await.unwrap();
            assert_eq!(profile.expiration_time, at.plus(30 * DAY));
            assert!(profile.endpoint.ends_with("/delta-sharing/"));
            assert_eq!(world.counts(&profile.bearer_token).await, Ok(()));
            assert_eq!(world.living().await, 2);
            let end = at.plus(i64::from(hours.unwrap_or(24)) * HOUR);
            world.counts_until(&old, end).await;
            assert_eq!(world.living().await, 1);
            world
                .counts_until(&profile.bearer_token, profile.expiration_time)
                .await;
        }
        // Without an overlap it is over at once.
        let old = world.profile(90).await;
        let new = world.rotated(overlap(0)).await;
        assert_eq!(world.counts(&old).await, Err(EXPIRED));
        assert_eq!(world.counts(&new).await, Ok(()));
    }
}

#[tokio::test]
async fn an_end_only_comes_nearer() {
    for world in World::each().await {
        // It ends by itself before the overlap does.
        let start = world.exchange().now();
        let old = world.profile(1).await;
        world.test.clock.advance(12 * HOUR);
        let new = world.rotated(overlap(168)).await;
        world.counts_until(&old, start.plus(DAY)).await;

        // The next rotation is undone; the one after it leaves the first end as it was.
        let turned = world.exchange().now();
        let unwanted = world.rotated(overlap(2)).await;
        world.revoke_token(&unwanted).await;
        world.test.clock.advance(HOUR);
        let newer = world.rotated(overlap(168)).await;
        world.counts_until(&new, turned.plus(2 * HOUR)).await;

        // Shorter than what was set before is shorter.
        let turned = world.exchange().now();
        let unwanted = world.rotated(overlap(100)).await;
        let end = world.credential(&newer).await.expires_at;
        assert_eq!(end, turned.plus(100 * HOUR));
        world.revoke_token(&unwanted).await;
        world.rotated(overlap(3)).await;
        world.counts_until(&newer, turned.plus(3 * HOUR)).await;
    }
}

#[tokio::test]
async fn no_more_than_two_count_at_a_time() {
    for world in World::each().await {
        let nothing = world.rotate(RotationNew::default()).await;
        assert!(
            matches!(&nothing, Err(Error::Conflict(why)) if why.contains("download a profile")),
            "{nothing:?}"
        );
        let first = world.profile(90).await;
        let second = world.rotated(overlap(24)).await;
        let before = world.credentials().await;
        let third = world.rotate(overlap(24)).await;
        let Err(Error::Conflict(why)) = third else {
            panic!("{third:?}")
        };
        for token in [&first, &second] {
            assert!(why.contains(&token[token.len() - 4..]), "{why}");
            assert_eq!(world.counts(token).await, Ok(()));
        }
        assert_eq!(
            world.credentials().await,
            before,
            "a refusal changes nothing"
        );
        let another = world
            .exchange()
            .profile_create(&world.mara, NAME, ProfileNew::default())
            .await;
        assert!(
            matches!(&another, Err(Error::Conflict(why)) if why.contains("rotate")),
            "{another:?}"
        );

        // When the overlap is over, the next rotation may come.
        world.test.clock.advance(24 * HOUR);
        let third = world.rotated(overlap(24)).await;
        assert_eq!(world.living().await, 2);
        // A leak cannot wait for that: without an overlap all others end.
        let fourth = world.rotated(overlap(0)).await;
        for token in [&first, &second, &third] {
            assert_eq!(world.counts(token).await, Err(EXPIRED));
        }
        assert_eq!(
            (world.counts(&fourth).await, world.living().await),
            (Ok(()), 1)
        );
        // And what was revoked counts for nothing.
        world.revoke_token(&fourth).await;
        assert_eq!(world.counts(&fourth).await, Err(REVOKED));
        assert!(matches!(
            world.rotate(overlap(0)).await,
            Err(Error::Conflict(_))
        ));
    }
}

#[tokio::test]
async fn bounds_and_rights() {
    for world in World::each().await {
        world.profile(90).await;
        for (new, fields) in [
            (
                RotationNew {
                    days: Some(0),
                    overlap_hours: None,
                },
                vec!["days"],
            ),
            (
                RotationNew {
                    days: Some(91),
                    overlap_hours: Some(169),
                },
                vec!["days", "overlap_hours"],
            ),
            (overlap(u32::MAX), vec!["overlap_hours"]),
            // The new one would end before the old one.
            (
                RotationNew {
                    days: Some(1),
                    overlap_hours: Some(25),
                },
                vec!["overlap_hours"],
            ),
        ] {
            match world.rotate(new).await {
                Err(Error::Invalid(wrong)) => {
                    let wrong: Vec<&str> = wrong.iter().map(|one| one.field.as_str()).collect();
                    assert_eq!(wrong, fields);
                }
                other => panic!("{other:?}"),
            }
        }
        for who in [&world.otto, &world.jonas] {
            let refused = world
                .exchange()
                .recipient_rotate(who, NAME, RotationNew::default())
                .await;
            assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
        }
        assert_eq!(world.credentials().await.len(), 1);
        let unknown = serde_json::from_str::<RotationNew>(r#"{"overlap_minutes":1}"#);
        assert!(unknown.is_err());
    }
}

/// How many of fifty at once succeed; the others are refused by their state.
async fn fifty(world: &World, new: RotationNew) -> Vec<String> {
    let (exchange, mara) = (Arc::new(world.exchange().clone()), world.mara.clone());
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (exchange, mara, new) = (Arc::clone(&exchange), mara.clone(), new.clone());
            tokio::spawn(async move { exchange.recipient_rotate(&mara, NAME, new).await })
        })
        .collect();
    let mut tokens = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            Ok(profile) => tokens.push(profile.bearer_token),
            Err(Error::Conflict(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    tokens
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_at_once_leave_a_state_that_one_could_have_left() {
    for world in World::each().await {
        let first = world.profile(90).await;
        let at = world.exchange().now();
        let made = fifty(&world, overlap(24)).await;
        let [second] = made.as_slice() else {
            panic!("{} of 50", made.len())
        };
        assert_eq!(world.living().await, 2);
        assert_eq!(world.counts(second).await, Ok(()));
        assert_eq!(world.counts(&first).await, Ok(()));
        for (token, end) in [(&first, 24 * HOUR), (second, 90 * DAY)] {
            assert_eq!(world.credential(token).await.expires_at, at.plus(end));
        }

        // Each of these ends the one before it, so that all succeed and one is left.
        let made = fifty(&world, overlap(0)).await;
        assert_eq!(made.len(), 50);
        let mut counting = 0;
        for token in made.iter().chain([&first, second]) {
            counting += usize::from(world.counts(token).await.is_ok());
        }
        assert_eq!((counting, world.living().await), (1, 1));

        // Every one that succeeded is in the audit log, and no secret is.
        let rows = world
            .exchange()
            .audit_rows(&world.operator, None, &PageRequest::all())
            .await
            .unwrap();
        let rotations: Vec<_> = rows
            .items
            .iter()
            .filter(|row| row.operation == "RecipientRotate")
            .collect();
        assert_eq!(rotations.len(), 51);
        let text = serde_json::to_string(&rows.items).unwrap();
        for token in made.iter().chain([&first, second]) {
            assert!(!text.contains(token.as_str()));
            assert!(!text.contains(&hex::encode(crate::secret::hash(token))));
        }
        let verified = world.exchange().audit_verify(&world.operator, None).await;
        assert_eq!(verified.unwrap().broken, None);
        let kept =
            sql!("select count(*) as count from recipient_token where expires_at < created_at")
                .row(world.exchange().db())
                .await
                .unwrap();
        assert_eq!(kept.unwrap().get::<i64>("count").unwrap(), 0);
    }
}
