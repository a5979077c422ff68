//! The gate behind the protocol: who sees what, where they read, what is written down, and how soon an end is felt.

use http::{Method, StatusCode};
use model::dto::{ProductChange, ProfileNew};
use model::time::{DAY, HOUR, SECOND};
use model::{Cloud, Location, Method as Counted, Purpose};

use super::{Build, PUBLIC_URL, VISITS, VISITS_PATH, World, aws, azure, data_files, rows};
use exchange::Principal;

#[tokio::test]
async fn a_granted_table_is_listed_queried_read_and_counted() {
    for world in World::each().await {
        world.visits().await;
        let grant = world.grant(VISITS, "rnd_weu", "live").await;
        let token = world.token("rnd_weu").await;

        let shares = world.share(Method::GET, "/shares", &token).await.json();
        assert_eq!(shares["items"][0]["name"], VISITS);
        let path = format!("/shares/{VISITS}/all-tables");
        let tables = world.share(Method::GET, &path, &token).await.json();
        assert_eq!(tables["items"].as_array().unwrap().len(), 1);
        assert_eq!(tables["items"][0]["name"], "visits");

        let files = world.files(&token).await;
        let now = world.exchange.now();
        let on_disk = data_files(&world.root("aws_eu").join(VISITS_PATH));
        assert_eq!(files.len(), 3);
        let seen = world.granted(grant).await;
        assert_eq!(seen.urls_until, Some(now.plus(HOUR)));
        assert_eq!(seen.first_read_at, Some(now));

        let mut total = 0;
        for (file, on_disk) in files.iter().zip(&on_disk) {
            assert!(file.url.starts_with(&format!("{PUBLIC_URL}/data/v1/")));
            assert!(
                file.url.contains("?X-Amz-Signature="),
                "clients look for it"
            );
            assert!(file.url.contains(".parquet?"), "{}", file.url);
            assert!(!file.url.contains("workshop"), "{}", file.url);
            assert_eq!(file.expires_millis, now.plus(HOUR).millis());
            let got = world.get(&file.url, None).await;
            assert_eq!(got.status, StatusCode::OK);
            assert_eq!(got.body, std::fs::read(on_disk).unwrap());
            assert_eq!(got.body.len() as u64, file.size);
            total += file.size;
        }
        let events = world.events().await;
        assert_eq!(events.len(), 3, "nothing else is billed: {events:?}");
        assert_eq!(events.iter().map(|event| event.bytes).sum::<u64>(), total);
        let counted = world.granted(grant).await.live_bytes_today;
        assert_eq!(counted, total, "there may be a limit later today");
        for event in &events {
            assert_eq!((&event.from, &event.to), (&aws(), &azure()));
            assert_eq!(
                (event.method, event.purpose),
                (Counted::Measured, Purpose::Gateway)
            );
            assert_eq!(event.product.as_ref().unwrap().as_str(), VISITS);
            assert!(event.query.is_some() && event.run.is_none());
        }
    }
}

#[tokio::test]
async fn shares_bear_the_words_of_their_producers() {
    for world in World::each().await {
        world.visits().await;
        let grant = world.grant(VISITS, "rnd_weu", "live").await;
        let token = world.token("rnd_weu").await;
        let one = format!("/shares/{VISITS}");
        let plain = world.share(Method::GET, &one, &token).await.json();
        assert_eq!(plain["share"]["displayName"], VISITS);
        assert!(plain["share"].get("comment").is_none(), "{plain:#}");

        let change = ProductChange {
            title: Some("Werkstatt \"Besuche\" & more".into()),
            description: Some("One row per visit.\n\nSince 2019.".into()),
            ..ProductChange::default()
        };
        world
            .exchange
            .product_update(&Principal::operator(), VISITS, change)
            .await
            .unwrap();
        let listed = world.share(Method::GET, "/shares", &token).await.json();
        let alone = world.share(Method::GET, &one, &token).await.json();
        assert_eq!(listed["items"][0], alone["share"]);
        assert_eq!(
            alone["share"]["displayName"],
            "Werkstatt \"Besuche\" & more"
        );
        assert_eq!(
            alone["share"]["comment"],
            "One row per visit.\n\nSince 2019."
        );

        world.revoke(grant).await;
        let gone = world.share(Method::GET, "/shares", &token).await;
        assert!(!gone.text().contains("visit"), "{}", gone.text());
    }
}

#[tokio::test]
async fn an_end_is_felt_at_the_next_call() {
    for world in World::each().await {
        world.visits().await;
        world.recipient("other_weu").await;
        let grant = world.grant(VISITS, "rnd_weu", "live").await;
        let token = world.token("rnd_weu").await;
        let other = world.token("other_weu").await;

        let stranger = world.query(VISITS, "visits", &other).await;
        let nowhere = world.query("vehicle-nothing", "visits", &other).await;
        assert_eq!(stranger.status, StatusCode::NOT_FOUND);
        assert_eq!(
            stranger.text().replace(VISITS, "vehicle-nothing"),
            nowhere.text(),
            "what one may not see answers like what is not there"
        );
        for wrong in ["", "x", &token[1..], &format!("{token}0")] {
            let answer = world.query(VISITS, "visits", wrong).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{wrong}");
        }

        let files = world.files(&token).await;
        world.revoke(grant).await;
        let answer = world.query(VISITS, "visits", &token).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text());
        let shares = world.share(Method::GET, "/shares", &token).await.json();
        assert_eq!(shares["items"].as_array().unwrap().len(), 0);
        let answer = world.get(&files[0].url, None).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text());
        assert!(answer.text().contains("ended at"), "{}", answer.text());
        assert!(world.events().await.is_empty());

        // Asked for again, and this time it ends by itself, to the microsecond.
        let again = world.grant(VISITS, "rnd_weu", "live").await;
        let until = world.granted(again).await.until;
        world.clock.set(until.plus(-1));
        let files = world.files(&token).await;
        assert_eq!(world.get(&files[0].url, None).await.status, StatusCode::OK);
        world.clock.set(until);
        assert_eq!(
            world.query(VISITS, "visits", &token).await.status,
            StatusCode::FORBIDDEN
        );
        let late = world.get(&files[0].url, None).await;
        assert_eq!(late.status, StatusCode::FORBIDDEN, "{}", late.text());
    }
}

/// The gateway's URLs end with the token, so there is none that still works to speak of.
#[tokio::test]
async fn a_refused_token_takes_its_urls_along() {
    for world in World::each().await {
        world.visits().await;
        world.grant(VISITS, "rnd_weu", "live").await;
        let operator = Principal::operator();
        let refused = async |token: &str, url: &str, why: &str| {
            let answer = world.query(VISITS, "visits", token).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            assert!(answer.text().contains(why), "{}", answer.text());
            assert!(!answer.text().contains("work until"), "{}", answer.text());
            let file = world.get(url, None).await;
            assert_eq!(file.status, StatusCode::FORBIDDEN, "{}", file.text());
        };
        let days = ProfileNew { days: Some(1) };
        let profile = world
            .exchange
            .profile_create(&operator, "rnd_weu", days)
            .await
            .unwrap();
        let token = profile.bearer_token;
        world.clock.advance(DAY - SECOND);
        let file = world.files(&token).await.remove(0);
        world.clock.advance(SECOND);
        refused(&token, &file.url, "expired").await;

        let token = world.token("rnd_weu").await;
        let file = world.files(&token).await.remove(0);
        let recipient = world
            .exchange
            .recipient(&operator, "rnd_weu")
            .await
            .unwrap();
        let id = recipient.tokens[0].id;
        world
            .exchange
            .recipient_token_revoke(&operator, "rnd_weu", id)
            .await
            .unwrap();
        refused(&token, &file.url, "revoked").await;
    }
}

#[tokio::test]
async fn a_table_with_a_feature_that_is_not_served_is_named_and_not_shared() {
    for world in World::each().await {
        world.write(VISITS_PATH, &[&[rows(0, 10)]]).await;
        world.write("workshop/marked", &[&[rows(0, 10)]]).await;
        let log = world.root("aws_eu").join("workshop/marked/_delta_log");
        let protocol = r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["catalogManaged"],"writerFeatures":["catalogManaged"]}}"#;
        std::fs::write(log.join("00000000000000000002.json"), protocol).unwrap();
        world
            .product(
                VISITS,
                "aws_eu",
                &[("visits", VISITS_PATH), ("marked", "workshop/marked")],
            )
            .await;
        let grant = world.grant(VISITS, "rnd_weu", "live").await;
        let token = world.token("rnd_weu").await;
        let path = format!("/shares/{VISITS}/all-tables");
        let tables = world.share(Method::GET, &path, &token).await.json();
        let names: Vec<_> = tables["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["visits"]);
        let answer = world.query(VISITS, "marked", &token).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(
            answer.text().contains("catalogManaged"),
            "{}",
            answer.text()
        );
        assert_eq!(answer.json()["errorCode"], "UNSUPPORTED_OPERATION");
        // What can be shared works, so the grant does.
        world.reconcile(grant).await;
        assert_eq!(
            world.granted(grant).await.actual,
            model::GrantActual::Active
        );
    }
}

/// Where the process is elsewhere than the store, what it reads of the log has crossed, too.
#[tokio::test]
async fn reading_a_log_from_elsewhere_is_counted() {
    let here = Location::new(Cloud::Gcp, "europe-west3").unwrap();
    let build = Build {
        here: Some(here.clone()),
        ..Build::default()
    };
    for world in World::each_with(&build).await {
        world.visits().await;
        let grant = world.grant(VISITS, "rnd_weu", "live").await;
        let token = world.token("rnd_weu").await;
        let folder = world.root("aws_eu").join(VISITS_PATH);
        let log: u64 = std::fs::read_dir(folder.join("_delta_log"))
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum();

        world.files(&token).await;
        let mut events = world.events().await;
        events.retain(|event| event.purpose == Purpose::Query);
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!((&events[0].from, &events[0].to), (&aws(), &here));
        assert_eq!(events[0].bytes, log);
        assert_eq!(
            (events[0].method, events[0].purpose),
            (Counted::Measured, Purpose::Query)
        );

        // A look reads the log as well, and two bytes of each file.
        world.reconcile(grant).await;
        let mut events = world.events().await;
        events.retain(|event| event.purpose == Purpose::Verify);
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!((&events[0].from, &events[0].to), (&aws(), &here));
        assert_eq!(events[0].bytes, log + 6);
    }
}

#[tokio::test]
async fn a_storage_that_cannot_be_opened_tells_strangers_nothing() {
    for world in World::each().await {
        world.visits().await;
        world.grant(VISITS, "rnd_weu", "live").await;
        let token = world.token("rnd_weu").await;
        let root = world.root("aws_eu");
        std::fs::rename(&root, world.folder.path().join("moved")).unwrap();
        let answer = world.query(VISITS, "visits", &token).await;
        assert!(answer.status.is_client_error(), "{}", answer.text());
        let folder = world.folder.path().display().to_string();
        assert!(!answer.text().contains(&folder), "{}", answer.text());
        assert!(!answer.text().contains("workshop"), "{}", answer.text());
    }
}
