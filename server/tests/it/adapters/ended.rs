//! Access that has ended, over the protocol and the gateway: who had it is told when it ended and until when URLs live, by every
//! process and at once; whoever never had it meets what is not there.

use std::time::{Duration, Instant};

use exchange::Principal;
use http::{Method, StatusCode};
use model::dto::{Profile, RotationNew};
use model::time::{HOUR, MINUTE};

use super::{Answer, VISITS, World};

/// Every call on one table, below the protocol's prefix.
fn calls(product: &str, table: &str) -> Vec<(Method, String)> {
    let base = format!("/shares/{product}/schemas/default/tables/{table}");
    vec![
        (Method::GET, base.clone()),
        (Method::GET, format!("{base}/version")),
        (Method::GET, format!("{base}/metadata")),
        (Method::POST, format!("{base}/query")),
        (Method::GET, format!("{base}/changes?startingVersion=0")),
        (Method::POST, format!("{base}/temporary-table-credentials")),
    ]
}

/// Status, headers and body, without what differs from request to request.
fn seen(answer: &Answer) -> (StatusCode, Vec<(String, String)>, String) {
    let headers = answer
        .headers
        .iter()
        .filter(|(name, _)| *name != "x-request-id")
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    (answer.status, headers, answer.text().to_owned())
}

impl World {
    /// Every call on the usual product's table says the same.
    async fn assert_ended(&self, token: &str, says: &str) {
        for (method, path) in calls(VISITS, "visits") {
            let answer = self.share(method, &path, token).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
            let json = answer.json();
            assert_eq!(json["errorCode"], "PERMISSION_DENIED", "{path}");
            assert_eq!(json["message"], says, "{path}");
        }
        let head = format!("/shares/{VISITS}/schemas/default/tables/visits");
        let head = self.share(Method::HEAD, &head, token).await;
        assert_eq!((head.status, head.text()), (StatusCode::FORBIDDEN, ""));
        // Lists leave it out, without a word.
        let shares = self.share(Method::GET, "/shares", token).await;
        assert_eq!(shares.json()["items"].as_array().unwrap().len(), 0);
        for path in ["", "/schemas", "/all-tables", "/schemas/default/tables"] {
            let path = format!("/shares/{VISITS}{path}");
            let answer = self.share(Method::GET, &path, token).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        }
    }

    /// What a stranger sees of the usual product's table is what it sees of one that is nowhere.
    async fn assert_unknown(&self, token: &str) {
        for ((method, there), (_, nowhere)) in calls(VISITS, "visits")
            .into_iter()
            .zip(calls("vehicle-nothng", "visits"))
        {
            let there = self.share(method.clone(), &there, token).await;
            let nowhere = self.share(method, &nowhere, token).await;
            let (status, headers, text) = seen(&there);
            assert_eq!(status, StatusCode::NOT_FOUND);
            let text = text.replace(VISITS, "vehicle-nothng");
            assert_eq!((status, headers, text), seen(&nowhere));
        }
    }

    async fn rotate(&self, hours: u32) -> Profile {
        let new = RotationNew {
            days: None,
            overlap_hours: Some(hours),
        };
        let operator = Principal::operator();
        let rotated = self.exchange.recipient_rotate(&operator, "rnd_weu", new);
        rotated.await.unwrap()
    }
}

#[tokio::test]
async fn a_revoked_grant_says_since_when_on_every_process_and_to_nobody_else() {
    for world in World::each().await {
        world.visits().await;
        let other_process = world.beside().await;
        for name in ["never_weu", "asked_weu"] {
            world.recipient(name).await;
        }
        let grant = world.grant(VISITS, "rnd_weu", "live").await;
        let token = world.token("rnd_weu").await;
        let strangers = [
            world.token("never_weu").await,
            world.token("asked_weu").await,
        ];
        for stranger in &strangers {
            world.assert_unknown(stranger).await;
        }
        let file = world.files(&token).await.remove(0);
        assert_eq!(other_process.files(&token).await.len(), 3);
        world.clock.advance(MINUTE);
        let at = world.exchange.now();

        let started = Instant::now();
        world.revoke(grant).await;
        // The URLs were the gateway's, which refuses them: there is none that still works.
        let says = format!(
            "the access of this recipient to the table ended at {at}: it was revoked; ask for access again"
        );
        let first = other_process.query(VISITS, "visits", &token).await;
        assert_eq!(first.json()["message"], says.as_str());
        assert!(started.elapsed() < Duration::from_secs(1));
        for process in [&world, &other_process] {
            process.assert_ended(&token, &says).await;
            let refused = process.get(&file.url, None).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN);
            assert_eq!(
                refused.text(),
                format!(
                    "The access that this URL was made for ended at {at}: it was revoked. The URL is refused since then; ask \
                     for access again.\n"
                )
            );
            for stranger in &strangers {
                process.assert_unknown(stranger).await;
            }
            // Nor is anything said of tables that the product does not have.
            let answer = process.query(VISITS, "other", &token).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.text());
        }
        // It keeps being said after the reconciler has seen the end, and after the URLs would have died by themselves.
        world.reconcile(grant).await;
        world.clock.advance(2 * HOUR);
        world.assert_ended(&token, &says).await;
        let refused = world.get(&file.url, None).await;
        assert!(
            refused.text().contains(&at.to_string()),
            "{}",
            refused.text()
        );

        // Granted anew it is read as if nothing had been.
        world.grant(VISITS, "rnd_weu", "live").await;
        assert_eq!(world.files(&token).await.len(), 3);
    }
}

#[tokio::test]
async fn a_grant_whose_time_is_over_says_so_before_anybody_has_marked_it() {
    for world in World::each().await {
        world.visits().await;
        world.recipient("never_weu").await;
        let grant = world.grant(VISITS, "rnd_weu", "live").await;
        let token = world.token("rnd_weu").await;
        let stranger = world.token("never_weu").await;
        let until = world.granted(grant).await.until;
        world.clock.set(until.plus(-1));
        let file = world.files(&token).await.remove(0);
        world.clock.set(until);
        let says = format!(
            "the access of this recipient to the table ended at {until}: its time was over; ask for access again"
        );
        let system = Principal::system();
        for marked in [false, true] {
            world.assert_ended(&token, &says).await;
            world.assert_unknown(&stranger).await;
            // This one was signed for a quarter of an hour, which is the least: the grant comes first.
            let refused = world.get(&file.url, None).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN);
            assert!(
                refused
                    .text()
                    .contains(&format!("ended at {until}: its time was over")),
                "{}",
                refused.text()
            );
            let ended = world.exchange.grants_expire(&system).await.unwrap();
            assert_eq!(ended, u64::from(!marked));
            world.clock.advance(MINUTE);
        }
    }
}

/// C-28 over the protocol: both credentials read while the overlap runs, on every process.
#[tokio::test]
async fn a_rotated_credential_reads_to_the_end_of_its_overlap() {
    for world in World::each().await {
        world.visits().await;
        let other_process = world.beside().await;
        world.grant(VISITS, "rnd_weu", "live").await;
        let old = world.token("rnd_weu").await;
        let new = world.rotate(2).await.bearer_token;
        let end = world.exchange.now().plus(2 * HOUR);
        world.clock.set(end.plus(-1));
        let mut urls = Vec::new();
        for process in [&world, &other_process] {
            for token in [&old, &new] {
                let mut files = process.files(token).await;
                assert_eq!(files.len(), 3);
                let url = files.remove(0).url;
                assert_eq!(process.get(&url, None).await.status, StatusCode::OK);
                urls.push((token == &old, url));
            }
        }
        world.clock.set(end);
        // The old one's last URLs were the gateway's, and are over with it; those of the new one go on.
        for (is_old, url) in &urls {
            for process in [&world, &other_process] {
                let expected = match is_old {
                    true => StatusCode::FORBIDDEN,
                    false => StatusCode::OK,
                };
                assert_eq!(process.get(url, None).await.status, expected);
            }
        }
        for minutes in [0, 59, 60, 90] {
            world.clock.set(end.plus(minutes * MINUTE));
            assert_eq!(other_process.files(&new).await.len(), 3);
            for process in [&world, &other_process] {
                let refused = process.query(VISITS, "visits", &old).await;
                assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
                let text = refused.text();
                assert!(text.contains("expired"), "{text}");
                assert!(!text.contains("URLs already issued"), "{text}");
            }
        }
        // Without an overlap the old one is out at once, everywhere.
        let newest = world.rotate(0).await.bearer_token;
        for process in [&other_process, &world] {
            let refused = process.query(VISITS, "visits", &new).await;
            assert_eq!(
                refused.status,
                StatusCode::UNAUTHORIZED,
                "{}",
                refused.text()
            );
            assert_eq!(process.files(&newest).await.len(), 3);
        }
    }
}
