//! What crossed is billed also where the process that moved it is not there any more to say so.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::steps::{SOURCE_PATH, VISITS, assert_same_rows};
use super::world::{Copying, On, World};
use crate::support::proxy::{Counted, Passed};

/// A child that copies is killed while it waits for the last file. The next one copies that file alone, and the bytes of
/// both are billed, each once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_child_is_counted_and_nothing_is_copied_twice() {
    let Some(world) = World::start(Copying::ProcessById, On::Sqlite).await else {
        return;
    };
    let _: Value = world.python.run("write_table.py", &world.source()).await;
    world.storages().await;
    world.publish(VISITS, "aws_eu", SOURCE_PATH).await;
    world.recipient("rnd_weu").await;
    let files: Vec<String> = world.python.run("list_files.py", &world.source()).await;
    let size = |file: &String| {
        let file = world.s3.file(&format!("aftersales/{SOURCE_PATH}/{file}"));
        std::fs::metadata(file).unwrap().len()
    };
    let largest = files.iter().max_by_key(|file| size(file)).unwrap();
    let (_, name) = largest.rsplit_once('/').unwrap();

    let before = world.s3.proxy.counted();
    let grant = world.approved(VISITS, "rnd_weu", "replica").await;
    world.s3.proxy.hold(name);
    let small: u64 = files.iter().filter(|file| *file != largest).map(size).sum();
    tokio::join!(world.work(), async {
        world.child_has_counted(small).await;
        let child = std::fs::read_to_string(world.data().join("child")).unwrap();
        let kill = tokio::process::Command::new("kill")
            .args(["-9", child.trim()])
            .status();
        assert!(kill.await.unwrap().success());
    });
    // Only now: what waited was the dead child's, and nothing of it is to pass.
    world.s3.proxy.until_none_waits().await;
    world.s3.proxy.release();
    let run = world.newest_run().await;
    assert_ne!(run["state"], "done", "{run:#}");
    assert_eq!(
        world.synced().await,
        since(&world, before).received,
        "{run:#}"
    );

    world.verified(&grant).await;
    let passed = world.s3.proxy.passed_since(before);
    for file in &files {
        let (_, name) = file.rsplit_once('/').unwrap();
        let got: Vec<&Passed> = passed
            .iter()
            .filter(|passed| passed.path.ends_with(name) && passed.received > 0)
            .collect();
        let received: u64 = got.iter().map(|passed| passed.received).sum();
        assert_eq!(received, size(file), "{got:#?}");
    }
    let run = world.newest_run().await;
    assert_eq!(run["state"], "done", "{run:#}");
    assert_eq!(
        run["bytes_received"],
        since(&world, before).received,
        "{run:#}"
    );
    assert_eq!(world.synced().await, since(&world, before).received);
    assert_same_rows(
        &world.read_replica_files().await,
        &world.read_source().await,
        "the replica's files",
    );
    // What was counted on the way has done its duty.
    let left: Vec<_> = std::fs::read_dir(world.data().join("runs"))
        .unwrap()
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

fn since(world: &World, earlier: Counted) -> Counted {
    world.s3.proxy.counted().since(earlier)
}

impl World {
    /// Waits until a child that copies has noted so many bytes.
    async fn child_has_counted(&self, bytes: u64) {
        let start = tokio::time::Instant::now();
        let mut again = tokio::time::interval(Duration::from_millis(20));
        loop {
            let counted = counted_in(&self.data().join("runs"));
            if counted == Some(bytes) {
                return;
            }
            assert!(start.elapsed().as_secs() < 60, "{counted:?} of {bytes}");
            again.tick().await;
        }
    }
}

/// The one number of a folder's `.meter` files.
fn counted_in(folder: &Path) -> Option<u64> {
    let entries = std::fs::read_dir(folder).ok()?;
    let paths = entries.map(|entry| entry.unwrap().path());
    let meters: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "meter"))
        .collect();
    let [meter] = &meters[..] else { return None };
    std::fs::read_to_string(meter).ok()?.trim().parse().ok()
}
