//! How recipients get in besides their profiles, and what limits them: C-27, C-30, C-33.

use std::collections::BTreeSet;
use std::net::IpAddr;

use model::dto::{
    ActivationNew, ActivationState, LeakNew, NotificationsChange, ProfileNew, RecipientLimits,
    TokenNew,
};
use model::time::HOUR;
use serde_json::Value;

use super::World;
use crate::access::ReaderRefused;
use crate::error::Error;
use crate::secret::{self, TokenKind};
use crate::sql;

const NAME: &str = "rnd_weu";

fn address(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

fn limits(addresses: &[&str], requests_per_minute: Option<u32>) -> RecipientLimits {
    RecipientLimits {
        addresses: addresses.iter().map(|one| (*one).to_owned()).collect(),
        requests_per_minute,
    }
}

/// Of a link, what proves that one has it.
fn proof(url: &str) -> String {
    let (before, link) = url.split_once("/activate?link=").unwrap();
    assert_eq!(before, "http://127.0.0.1:3000");
    assert!(
        secret::is_well_formed(TokenKind::Activation, link),
        "{link}"
    );
    link.to_owned()
}

impl World {
    async fn link(&self) -> String {
        let made = self
            .exchange()
            .activation_create(&self.mara, NAME, ActivationNew::default())
            .await;
        proof(&made.unwrap().url)
    }

    async fn state(&self, link: &str) -> ActivationState {
        let seen = self
            .exchange()
            .activation_seen(&crate::Principal::nobody(), link, None)
            .await;
        seen.unwrap().state
    }
}

#[tokio::test]
async fn a_recipient_is_used_from_where_it_may_be() {
    for world in World::each().await {
        let exchange = world.exchange();
        let (token, _) = world.reading_token().await;
        let refused = exchange
            .recipient_limits_set(&world.jonas, NAME, limits(&[], None))
            .await;
        assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
        for (wrong, field) in [
            (limits(&["192.0.2.1/24"], None), "addresses"),
            (limits(&["192.0.2.0/24", "here"], None), "addresses"),
            (limits(&[], Some(0)), "requests_per_minute"),
        ] {
            match exchange
                .recipient_limits_set(&world.mara, NAME, wrong)
                .await
            {
                Err(Error::Invalid(fields)) => assert_eq!(fields[0].field, field),
                other => panic!("{other:?}"),
            }
        }
        let some = limits(&["2001:db8::/32", "192.0.2.0/24"], Some(60));
        let set = exchange
            .recipient_limits_set(&world.mara, NAME, some)
            .await
            .unwrap();
        assert_eq!(set.limits.addresses, ["192.0.2.0/24", "2001:db8::/32"]);
        for (from, expected) in [
            (address("192.0.2.9"), true),
            (address("::ffff:192.0.2.9"), true),
            (address("2001:db8::9"), true),
            (address("198.51.100.9"), false),
            (None, false),
        ] {
            let found = exchange.reader_of_token(&world.system, &token, from).await;
            match found.unwrap() {
                Ok((reader, _)) => {
                    assert!(expected, "{from:?}");
                    assert_eq!(reader.requests_per_minute, Some(60));
                }
                Err(away) => {
                    assert!(!expected, "{from:?}");
                    assert_eq!(away.why, ReaderRefused::Elsewhere);
                    let (_, whose) = away.whose.unwrap();
                    assert_eq!(whose.as_str(), NAME, "it is known who called");
                }
            }
        }
        exchange
            .recipient_limits_set(&world.mara, NAME, RecipientLimits::default())
            .await
            .unwrap();
        world.id_of(&token).await;
    }
}

#[tokio::test]
async fn a_link_gives_the_profile_once_however_many_ask() {
    for world in World::each().await {
        let exchange = world.exchange();
        let new = ActivationNew::default;
        let refused = exchange.activation_create(&world.otto, NAME, new()).await;
        assert!(matches!(refused, Err(Error::NotFound(_))));
        for hours in [0, 25] {
            let new = ActivationNew {
                hours: Some(hours),
                days: None,
            };
            let refused = exchange.activation_create(&world.mara, NAME, new).await;
            assert!(matches!(refused, Err(Error::Invalid(_))), "{hours}");
        }
        // Another link ends the one before; so does its time, to the microsecond.
        let first = world.link().await;
        let second = world.link().await;
        assert_eq!(world.state(&first).await, ActivationState::Ended);
        let made = exchange.now();
        world.test.clock.set(made.plus(24 * HOUR - 1));
        assert_eq!(world.state(&second).await, ActivationState::Open);
        world.test.clock.set(made.plus(24 * HOUR));
        assert_eq!(world.state(&second).await, ActivationState::Expired);
        let nobody = crate::Principal::nobody();
        let late = exchange.activation_use(&nobody, &second, None).await;
        assert!(matches!(late, Err(Error::NotFound(_))), "{late:?}");

        // Looking uses nothing up, whoever looks; the list of addresses holds for looking and for using.
        let link = world.link().await;
        let stored = sql!("select hash from recipient_activation order by id desc")
            .row(exchange.db())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(stored.get::<Vec<u8>>("hash").unwrap(), secret::hash(&link));
        for _ in 0..3 {
            assert_eq!(world.state(&link).await, ActivationState::Open);
        }
        let some = limits(&["192.0.2.0/24"], None);
        exchange
            .recipient_limits_set(&world.mara, NAME, some)
            .await
            .unwrap();
        let (here, there) = (address("192.0.2.9"), address("198.51.100.9"));
        for from in [there, None] {
            let seen = exchange.activation_seen(&nobody, &link, from).await;
            assert!(matches!(seen, Err(Error::Forbidden(_))), "{seen:?}");
            let used = exchange.activation_use(&nobody, &link, from).await;
            assert!(matches!(used, Err(Error::Forbidden(_))), "{used:?}");
        }
        for nonsense in [
            "",
            "entrepot_al_",
            &link[1..],
            &secret::new_token(TokenKind::Activation).unwrap(),
        ] {
            let used = exchange.activation_use(&nobody, nonsense, here).await;
            assert!(matches!(used, Err(Error::NotFound(_))), "{nonsense}");
        }

        // Nor is the profile downloaded from elsewhere, by however good a session.
        for from in [there, None] {
            let elsewhere = world.mara.clone().at(from);
            let refused = exchange
                .profile_create(&elsewhere, NAME, ProfileNew::default())
                .await;
            assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
        }

        // A credential that was made meanwhile is not doubled, and the link outlives it.
        let mara = world.mara.clone().at(here);
        let (_, id) = {
            let profile = exchange
                .profile_create(&mara, NAME, ProfileNew::default())
                .await
                .unwrap();
            let found = exchange
                .reader_of_token(&world.system, &profile.bearer_token, here)
                .await;
            found.unwrap().unwrap()
        };
        let refused = exchange.activation_use(&nobody, &link, here).await;
        assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
        let refused = exchange.activation_create(&world.mara, NAME, new()).await;
        assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
        exchange
            .recipient_token_revoke(&world.mara, NAME, id)
            .await
            .unwrap();

        let mut tasks = Vec::new();
        for _ in 0..50 {
            let (exchange, link) = (exchange.clone(), link.clone());
            tasks.push(tokio::spawn(async move {
                let nobody = crate::Principal::nobody();
                exchange.activation_use(&nobody, &link, here).await
            }));
        }
        let mut won = Vec::new();
        for task in tasks {
            match task.await.unwrap() {
                Ok((recipient, profile)) => won.push((recipient, profile)),
                Err(Error::NotFound(_)) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        let [(recipient, profile)] = won.as_slice() else {
            panic!("{} profiles", won.len())
        };
        assert_eq!(recipient.as_str(), NAME);
        let found = exchange
            .reader_of_token(&world.system, &profile.bearer_token, here)
            .await;
        assert!(found.unwrap().is_ok());
        let shown = exchange.recipient(&world.mara, NAME).await.unwrap();
        assert_eq!(shown.activation, None);
        assert_eq!(shown.tokens.len(), 2, "the one before, and the one");
        let seen = exchange.activation_seen(&nobody, &link, here).await;
        assert_eq!(seen.unwrap().state, ActivationState::Used);
    }
}

#[tokio::test]
async fn a_link_is_taken_back() {
    for world in World::each().await {
        let exchange = world.exchange();
        let none = exchange.activation_end(&world.mara, NAME).await;
        assert!(matches!(none, Err(Error::NotFound(_))));
        let link = world.link().await;
        let shown = exchange.recipient(&world.mara, NAME).await.unwrap();
        assert!(shown.activation.is_some());
        let shown = exchange.activation_end(&world.operator, NAME).await;
        assert_eq!(shown.unwrap().activation, None);
        assert_eq!(world.state(&link).await, ActivationState::Ended);
    }
}

#[tokio::test]
async fn what_is_found_is_revoked_and_told_to_everybody_whose_it_is() {
    for mut world in World::telling().await {
        // One an hour: of two the second is held back, and is told of none the less.
        let options = crate::Options {
            mails_an_hour: 1,
            ..world.exchange().options().clone()
        };
        let (db, ports) = (
            world.exchange().db().clone(),
            world.exchange().ports().clone(),
        );
        world.test.exchange = crate::Exchange::new(db, world.test.clock.clone(), ports, options);
        let exchange = world.exchange();
        // Who wants no such mail gets this one all the same.
        let nothing = NotificationsChange {
            kinds: Vec::new(),
            revision: None,
        };
        exchange
            .notifications_set(&world.operator, "mara", nothing)
            .await
            .unwrap();
        let link = world.link().await;
        let unknown = secret::new_token(TokenKind::Recipient).unwrap();
        let report = |tokens: &[&str]| LeakNew {
            tokens: tokens.iter().map(|token| (*token).to_owned()).collect(),
            found_at: Some("https://wiki.example/page".to_owned()),
        };
        let refused = exchange
            .token_report(&world.mara, report(&[&unknown]))
            .await;
        assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
        let empty = exchange.token_report(&world.operator, report(&[])).await;
        assert!(matches!(empty, Err(Error::Invalid(_))));

        let found = exchange
            .token_report(&world.system, report(&[&link, &unknown, "nonsense"]))
            .await
            .unwrap();
        assert_eq!((found.well_formed, found.revoked.len()), (2, 0));
        assert_eq!(world.state(&link).await, ActivationState::Ended);
        let (token, id) = world.reading_token().await;
        for expected in [1, 0] {
            let padded = format!(" {token} ");
            let found = exchange
                .token_report(&world.operator, report(&[&token, &padded]))
                .await
                .unwrap();
            assert_eq!((found.well_formed, found.revoked.len()), (1, expected));
            assert!(found.revoked.iter().all(|leaked| leaked.token == id));
        }
        let refused = exchange.reader_of_token(&world.system, &token, None).await;
        let away = refused.unwrap().unwrap_err();
        assert!(matches!(away.why, ReaderRefused::Revoked { .. }));
        assert_eq!(away.whose.unwrap().1.as_str(), NAME);
        world.send().await;
        world.test.clock.advance(HOUR);
        world.send().await;
        let letters = world.test.world.letters();
        let to: BTreeSet<&str> = letters.iter().map(|letter| letter.to.as_str()).collect();
        assert_eq!(to, BTreeSet::from(["mara@example.org"]));
        assert_eq!(letters.len(), 2, "of the link and of the credential");
        for letter in &letters {
            assert!(
                letter.subject.contains("Leaked and revoked"),
                "{}",
                letter.subject
            );
            assert!(
                letter.text.contains("> https://wiki.example/page"),
                "{}",
                letter.text
            );
            assert!(!letter.text.contains(&token) && !letter.text.contains(&link));
        }
        let events = world.test.world.events();
        let told: Vec<&Value> = events
            .iter()
            .filter(|event| event["kind"] == "token.leaked")
            .collect();
        assert_eq!(told.len(), 2, "{events:?}");
        assert_eq!(told[0]["data"]["recipient"], NAME);

        // A token of a person is found like any other, and its person is told.
        let new = TokenNew {
            name: "pipeline".to_owned(),
            team: None,
            role: None,
            days: None,
        };
        let made = exchange.token_create(&world.mara, None, new).await.unwrap();
        assert!(exchange.principal_of_token(&made.token).await.is_ok());
        for expected in [1, 0] {
            let found = exchange.token_report(&world.system, report(&[&made.token]));
            let found = found.await.unwrap();
            assert_eq!((found.well_formed, found.service_tokens), (1, expected));
            assert!(found.revoked.is_empty());
        }
        let refused = exchange.principal_of_token(&made.token).await;
        assert!(matches!(refused, Err(Error::Unauthenticated)));
        world.test.clock.advance(HOUR);
        world.send().await;
        let letters = world.test.world.letters();
        assert_eq!(letters.len(), 1);
        assert_eq!(letters[0].to, "mara@example.org");
        assert_eq!(letters[0].subject, "Leaked and revoked: a token of yours");
        assert!(!letters[0].text.contains(&made.token));
    }
}
