//! A copy of an older version that somebody has made by hand becomes the first clone: only what is missing crosses, every row is then
//! compared, and the copy stays as it was, also when the replica goes. Beside it the old way that made the copy: compared, and
//! switched off.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use exchange::Principal;
use exchange::jobs::WorkKind;
use futures::TryStreamExt as _;
use http::{Method, StatusCode};
use model::time::{DAY, HOUR, MINUTE};
use object_store::path::Path as Key;
use object_store::{ObjectStore as _, ObjectStoreExt as _};
use serde_json::{Value, json};

use super::steps::{SOURCE_PATH, VISITS, assert_same_rows};
use super::world::{Copying, On, World};

/// Below the root of the storage that takes replicas.
const OLD: &str = "old/visits 2026";

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

impl World {
    /// Copies what lies in the source's folder now, log and all, into the old copy's: past the server and the proxies.
    async fn copy_by_hand(&self) -> usize {
        let folder = self.s3.file(&format!("aftersales/{SOURCE_PATH}"));
        let store = self.azurite.store();
        let all = files(&folder);
        for path in &all {
            let name = path.strip_prefix(&folder).unwrap().to_str().unwrap();
            let key = Key::parse(format!("replicas/{OLD}/{name}")).unwrap();
            let bytes = std::fs::read(path).unwrap();
            store.put(&key, bytes.into()).await.unwrap();
        }
        all.len()
    }

    /// The old copy as the store tells of it: whatever is written there has another ETag.
    async fn olds(&self) -> BTreeMap<String, (Option<String>, u64)> {
        let store = self.azurite.store();
        let old = Key::from(format!("replicas/{OLD}"));
        let listed: Vec<_> = store.list(Some(&old)).try_collect().await.unwrap();
        let told = listed.into_iter();
        told.map(|object| (object.location.to_string(), (object.e_tag, object.size)))
            .collect()
    }

    async fn refused(&self, path: &str) -> String {
        let new = json!({ "product": VISITS, "storage": "az_weu", "path": path });
        let (status, said) = self.pia.ask(Method::POST, "/adoptions", Some(&new)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {said:#}");
        said["errors"][0]["message"].as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_made_by_hand_becomes_the_first_clone() {
    let Some(world) = World::start(Copying::Local, On::Sqlite).await else {
        return;
    };
    let written: Value = world.python.run("write_table.py", &world.source()).await;
    let copied = world.copy_by_hand().await;
    let olds = world.olds().await;
    assert_eq!(olds.len(), copied);
    let newer: Value = world.python.run("append_large.py", &world.source()).await;
    assert_ne!(written["version"], newer["version"]);
    world.storages().await;
    world.rates().await;
    world.publish(VISITS, "aws_eu", SOURCE_PATH).await;
    world.recipient("rnd_weu").await;

    // What cannot be adopted is said, and nothing is written.
    let before = world.azurite.keys().await;
    let own = format!("{VISITS}/default/visits");
    for (path, said) in [
        ("../replicas", "no `.` and no `..`"),
        ("nowhere", "no copy of the table"),
        (own.as_str(), "the replica itself lies in"),
        (VISITS, "the replica itself lies in"),
    ] {
        let found = world.refused(path).await;
        assert!(found.contains(said), "{path}: {found}");
    }
    assert_eq!(world.azurite.keys().await, before);

    let new = json!({ "product": VISITS, "storage": "az_weu", "path": OLD });
    let named = world.pia.post("/adoptions", &new).await;
    let named = &named["items"][0];
    let (files, fetch) = (
        named["files"].as_u64().unwrap(),
        named["fetch_bytes"].as_u64().unwrap(),
    );
    assert!(files > 5 && fetch > 25_000_000, "{named:#}");
    let grant = world.approved(VISITS, "rnd_weu", "replica").await;
    let plan = world
        .pia
        .get(&format!("/replicas/{VISITS}@az_weu/plan"))
        .await;
    assert_eq!(plan["bytes"], json!(fetch), "{plan:#}");
    let because = plan["tables"][0]["because"].as_str().unwrap();
    assert!(because.contains("taken over from the copy"), "{because}");

    let moved = world.work().await;
    let crossed = moved[&WorkKind::Sync].s3.received;
    assert!(
        crossed >= fetch && (crossed - fetch) * 100 <= fetch,
        "{crossed} crossed, {fetch} were planned"
    );
    let run = world.newest_run().await;
    assert_eq!(run["state"], "done", "{run:#}");
    assert_eq!(run["bytes_copied"], json!(fetch), "{run:#}");
    assert_eq!(run["adopted_files"], json!(files), "{run:#}");
    let adoptions = world.pia.get("/adoptions").await;
    let done = &adoptions["items"][0];
    assert_eq!(done["taken_bytes"], done["bytes"], "{done:#}");
    assert_eq!(done["run"], run["id"], "{done:#}");
    // Every row of both sides.
    let runs = world.pia.all(&format!("/sync-runs?product={VISITS}")).await;
    let check = runs.iter().find(|run| run["kind"] == "verify").unwrap();
    assert_eq!(check["state"], "done", "{check:#}");
    assert!(moved[&WorkKind::Verify].s3.received > fetch, "{moved:?}");
    assert_same_rows(
        &world.read_replica_files().await,
        &world.read_source().await,
        "the replica that began with a copy",
    );
    assert_eq!(world.olds().await, olds);
    // Once is enough.
    let (status, said) = world.pia.ask(Method::POST, "/adoptions", Some(&new)).await;
    assert_eq!(status, StatusCode::CONFLICT, "{said:#}");

    switched_off(&world).await;

    world
        .pia
        .post(
            &format!("/grants/{grant}/revoke"),
            &json!({ "reason": "over" }),
        )
        .await;
    world.work().await;
    world.clock.advance(400 * HOUR);
    let system = Principal::system();
    world.exchange.grants_resync(&system).await.unwrap();
    world.work().await;
    let left = world.azurite.keys().await;
    let own = format!("replicas/{VISITS}/");
    assert!(!left.iter().any(|key| key.starts_with(&own)), "{left:#?}");
    assert_eq!(world.olds().await, olds);
}

/// The weekly load that made the copy is compared with the replica, switched off, and saves from then on.
async fn switched_off(world: &World) {
    let new = json!({
        "product": VISITS, "table": "default.visits", "kind": "weekly full load", "consumers": 3,
        "to": "azure:westeurope", "load_bytes": 1_000_000, "storage": "az_weu", "path": OLD,
    });
    let flow = world.pia.post("/flows", &new).await;
    let path = format!("/flows/{}", flow["id"].as_str().unwrap());
    world.pia.post(&format!("{path}/compare"), &json!({})).await;
    world.work().await;
    let flows = world.pia.get("/flows").await;
    let found = &flows["items"][0];
    assert_eq!(found["compared"], "differs", "{found:#}");
    assert_eq!(found["comparing"], false, "{found:#}");
    let said = found["comparison"].as_str().unwrap();
    assert!(said.contains("country=DE differ"), "{said}");

    world.clock.advance(MINUTE);
    let off = world.pia.post(&format!("{path}/switch"), &json!({})).await;
    assert_ne!(off["off_at"], Value::Null, "{off:#}");
    world.clock.advance(15 * DAY);
    let savings = world.pia.get(&format!("/savings?product={VISITS}")).await;
    let saving = &savings["items"][0];
    // Two weeks have passed, for three who loaded it.
    assert_eq!(saving["baseline_bytes"], 6_000_000, "{saving:#}");
    assert_eq!(saving["actual_bytes"], 0, "{saving:#}");
    assert_eq!(saving["saved_bytes"], 6_000_000, "{saving:#}");
    let baseline = saving["baseline"].as_str().unwrap();
    assert!(baseline.contains("1 flow of the old way"), "{baseline}");
}
