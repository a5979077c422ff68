//! What breaks shows: a credential, a data file, a grant. Whatever a page said before, nothing that does not work is
//! called active once it was looked at, and what was mended is active again.

use exchange::Principal;
use exchange::jobs::{Wake, WorkKind};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::steps::{FOLDER, FOLDER_PATH, SOURCE_PATH, VISITS, assert_same_rows};
use super::world::{Copying, On, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_broken_shows_active_where_a_process_copies() {
    break_and_mend(Copying::Process, On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_broken_shows_active_on_postgres() {
    break_and_mend(Copying::Local, On::Postgres).await;
}

/// The child reads the credentials, broken and mended, from the database itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_broken_shows_active_where_a_process_copies_on_postgres() {
    break_and_mend(Copying::Process, On::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_revoked_ends_at_once_and_leaves_nothing() {
    revoke(Copying::Local, On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_revoked_ends_at_once_where_a_process_copies_on_postgres() {
    revoke(Copying::Process, On::Postgres).await;
}

async fn with_visits(copying: Copying, on: On) -> Option<World> {
    let world = World::start(copying, on).await?;
    let _: Value = world.python.run("write_table.py", &world.source()).await;
    world.storages().await;
    world.publish(VISITS, "aws_eu", SOURCE_PATH).await;
    world.recipient("rnd_weu").await;
    world.recipient("lab_weu").await;
    Some(world)
}

impl World {
    /// The time of the next look has come. Answers what the grant is then.
    async fn looked_at(&self, grant: &str) -> Value {
        self.clock.advance(15 * model::time::MINUTE);
        let wake = Wake::new(WorkKind::Grant, grant);
        self.exchange
            .wake(&Principal::system(), &wake)
            .await
            .unwrap();
        self.work().await;
        self.carl.get(&format!("/grants/{grant}")).await
    }

    async fn credential(&self, storage: &str, credential: Value) {
        let change = json!({ "credential": credential });
        let path = format!("/storages/{storage}");
        let (status, answer) = self.ada.ask(Method::PATCH, &path, Some(&change)).await;
        assert!(status.is_success(), "{answer:#}");
    }

    /// How far Carl's team has access, as the list of products shows it.
    async fn access(&self) -> Value {
        let found = self.carl.get(&format!("/products?q={VISITS}")).await;
        found["items"][0]["access"].clone()
    }

    async fn shows_failed(&self, grant: &Value, what: &str) {
        assert_eq!(grant["actual"], "failed", "{what}: {grant:#}");
        let reason = grant["reason"].as_str().unwrap();
        assert!(!reason.is_empty(), "{what}: {grant:#}");
        for secret in [
            "X-Amz-",
            "sig=",
            crate::support::s3::SECRET_KEY,
            crate::support::azurite::KEY,
        ] {
            assert!(!reason.contains(secret), "{what}: {reason}");
        }
    }

    async fn shows_active(&self, grant: &str, what: &str) {
        let grant = self.looked_at(grant).await;
        assert_eq!(grant["actual"], "active", "{what}: {grant:#}");
        assert_eq!(
            grant["verified_at"],
            self.clock_plus_days(0),
            "{what}: {grant:#}"
        );
        assert_eq!(grant["reason"], Value::Null, "{what}: {grant:#}");
    }

    /// The URLs of the files that a query of the shared table answers with.
    async fn file_urls(
        &self,
        profile: &std::path::Path,
        product: &str,
    ) -> (StatusCode, Vec<String>) {
        let profile: Value = serde_json::from_slice(&std::fs::read(profile).unwrap()).unwrap();
        let [endpoint, token] =
            ["endpoint", "bearerToken"].map(|key| profile[key].as_str().unwrap());
        let url = format!("{endpoint}shares/{product}/schemas/default/tables/visits/query");
        let asked = self.http.post(url).bearer_auth(token).json(&json!({}));
        let answer = asked.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let urls = lines.filter_map(|line| Some(line["file"]["url"].as_str()?.to_owned()));
        (status, urls.collect())
    }

    async fn fetch(&self, url: &str) -> StatusCode {
        self.http.get(url).send().await.unwrap().status()
    }
}

async fn break_and_mend(copying: Copying, on: On) {
    let Some(world) = with_visits(copying, on).await else {
        return;
    };
    // A replica cannot be made while its source cannot be read: nothing is promised meanwhile.
    let wrong =
        json!({ "access_key_id": crate::support::s3::ACCESS_KEY, "secret_access_key": "another" });
    world.credential("aws_eu", wrong.clone()).await;
    let copied = world.approved(VISITS, "rnd_weu", "replica").await;
    let live = world.approved(VISITS, "lab_weu", "live").await;
    world.work().await;
    for (grant, what) in [
        (&copied, "a replica never copied"),
        (&live, "files never readable"),
    ] {
        let grant = world.looked_at(grant).await;
        assert_ne!(grant["actual"], "active", "{what}: {grant:#}");
        assert_ne!(grant["reason"], Value::Null, "{what}: {grant:#}");
        assert_eq!(grant["verified_at"], Value::Null, "{what}: {grant:#}");
    }
    assert_eq!(world.access().await, "pending");
    world.credential("aws_eu", world.s3.credential()).await;
    world
        .carl
        .post(&format!("/replicas/{VISITS}@az_weu/sync"), &json!({}))
        .await;
    world.work().await;
    world
        .shows_active(&copied, "the replica once its source could be read")
        .await;
    world
        .shows_active(&live, "the source's files once they could be read")
        .await;
    assert_eq!(world.access().await, "active");

    // The source's credential: live reading is over, the replica goes on.
    world.credential("aws_eu", wrong).await;
    let seen = world.looked_at(&live).await;
    world.shows_failed(&seen, "the source's credential").await;
    world
        .shows_active(&copied, "the replica does not need the source")
        .await;
    let rnd = world.profile("rnd_weu").await;
    let lab = world.profile("lab_weu").await;
    assert!(world.try_read_share(&lab, VISITS, &[None]).await.is_err());
    let read = world.read_share(&rnd, VISITS, None).await;
    world.credential("aws_eu", world.s3.credential()).await;
    assert_same_rows(&read, &world.read_source().await, "the replica");
    world
        .shows_active(&live, "the source's credential mended")
        .await;

    // The target's credential: the other way round.
    let wrong = json!({ "account_key": "d3Jvbmc=" });
    world.credential("az_weu", wrong).await;
    let seen = world.looked_at(&copied).await;
    world.shows_failed(&seen, "the target's credential").await;
    world
        .shows_active(&live, "live reading does not need the target")
        .await;
    world.credential("az_weu", world.azurite.credential()).await;
    world
        .shows_active(&copied, "the target's credential mended")
        .await;

    // One data file of the source. Looks take turns at the files, so that the second finds it at the latest.
    let key = world.a_source_file().await;
    let file = world.s3.file(&key);
    let kept = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    let mut seen = world.looked_at(&live).await;
    if seen["actual"] == "active" {
        seen = world.looked_at(&live).await;
    }
    world.shows_failed(&seen, "a file that is gone").await;
    // Half a file is no file.
    std::fs::write(&file, &kept[..kept.len() / 2]).unwrap();
    let mut seen = world.looked_at(&live).await;
    if seen["actual"] == "active" {
        seen = world.looked_at(&live).await;
    }
    world.shows_failed(&seen, "a file that was cut off").await;
    std::fs::write(&file, &kept).unwrap();
    world.shows_active(&live, "the file restored").await;
    world
        .shows_active(&live, "the file restored, and its neighbours")
        .await;
}

async fn revoke(copying: Copying, on: On) {
    let Some(world) = with_visits(copying, on).await else {
        return;
    };
    let folder = json!({ "url": world.lake().join(FOLDER_PATH), "storage_options": {} });
    let _: Value = world.python.run("write_table.py", &folder).await;
    world.publish(FOLDER, "folder", FOLDER_PATH).await;
    world.recipient("shed_weu").await;
    let mut grants = Vec::new();
    for (product, recipient, mode) in [
        (VISITS, "rnd_weu", "replica"),
        (VISITS, "lab_weu", "live"),
        (FOLDER, "shed_weu", "live"),
    ] {
        let grant = world.approved(product, recipient, mode).await;
        world.verified(&grant).await;
        grants.push((product, recipient, grant));
    }
    for (product, recipient, grant) in &grants {
        let profile = world.profile(recipient).await;
        world.read_share(&profile, product, None).await;
        let (status, urls) = world.file_urls(&profile, product).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(world.fetch(&urls[0]).await, StatusCode::OK, "{}", urls[0]);

        let path = format!("/grants/{grant}");
        let because = json!({ "reason": "the study is over" });
        let revoked = world.pia.post(&format!("{path}/revoke"), &because).await;
        // No worker has run: the refusal does not wait for one.
        let refused = world.try_read_share(&profile, product, &[None]).await;
        let told = refused.unwrap_err();
        // The connector hands on the sentence, which it may break between words.
        assert!(
            told.contains("PERMISSION_DENIED") && told.contains("revoked;"),
            "{told}"
        );
        let (status, urls_now) = world.file_urls(&profile, product).await;
        assert_eq!((status, urls_now), (StatusCode::FORBIDDEN, Vec::new()));
        // The gateway looks at each request; a store's own URL lives to its end, which the answer has told.
        let until = revoked["urls_until"].as_str();
        let expected = if *product == FOLDER {
            assert_eq!(until, None, "{revoked:#}");
            StatusCode::FORBIDDEN
        } else {
            let now = world.clock_plus_days(0);
            assert!(until.is_some_and(|until| *until > *now), "{revoked:#}");
            StatusCode::OK
        };
        assert_eq!(world.fetch(&urls[0]).await, expected, "{}", urls[0]);
        let seen = world
            .work_until(&world.carl, &path, |grant| grant["actual"] == "ended")
            .await;
        assert_eq!(seen["ended_reason"], "the study is over", "{seen:#}");
    }
    assert_eq!(world.access().await, "none");

    // The replica's last grant has ended: nobody reads it, and when its time is over nothing is left of it.
    let replica = world.replica().await;
    assert_eq!(replica["state"], "draining", "{replica:#}");
    assert!(world.read_replica_files().await.rows.len() > 2_000);
    world.clock.advance(337 * model::time::HOUR);
    world
        .exchange
        .grants_resync(&Principal::system())
        .await
        .unwrap();
    world.work().await;
    let replica = world.pia.all(&format!("/replicas?product={VISITS}")).await;
    assert!(
        replica.iter().all(|replica| replica["state"] == "deleted"),
        "{replica:#?}"
    );
    assert_eq!(world.azurite.keys().await, Vec::<String>::new());
    // The source is the producer's, and is as it was.
    assert!(world.s3.file(&world.a_source_file().await).is_file());
}

impl World {
    /// A data file of the source's newest version, as a key of the bucket.
    async fn a_source_file(&self) -> String {
        let files: Vec<String> = self.python.run("list_files.py", &self.source()).await;
        assert!(files.len() > 5, "{files:?}");
        format!("aftersales/{SOURCE_PATH}/{}", files[0])
    }
}
