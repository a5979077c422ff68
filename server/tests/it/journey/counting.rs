//! What crossed is billed also where the process that moved it is not there any more to say so.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use super::steps::{SOURCE_PATH, VISITS, assert_same_rows};
use super::world::{Copying, On, World};
use crate::support::proxy::{Counted, Passed};

/// A child that copies is killed while it waits for the last file. The next one copies that file alone, and the bytes of
/// both are billed, each once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_child_is_counted_and_nothing_is_copied_twice() {
    let Some(copying) = Held::start(Copying::ProcessById, On::Sqlite).await else {
        return;
    };
    let world = &copying.world;
    tokio::join!(world.work(), async {
        copying
            .noted(|| counted_by("receipts", &world.runs()) == Some(copying.small))
            .await;
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
    assert_eq!(world.synced().await, copying.received(), "{run:#}");
    copying.ends().await;
}

/// The same of a worker that copies in its own process: what it had counted and not yet written down is on its disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_worker_is_counted_and_nothing_is_copied_twice() {
    let Some(copying) = Held::start(Copying::Local, On::Postgres).await else {
        return;
    };
    let world = &copying.world;
    let mut worker = tokio::process::Command::new(env!("CARGO_BIN_EXE_entrepot"))
        .args(["worker", "--parallel", "1", "--data"])
        .arg(world.data())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    copying
        .noted(|| {
            let received = copying.received();
            received > copying.small
                && copying.all_but_the_largest_passed()
                && counted_by("worker", &world.runs()) == Some(received)
        })
        .await;
    worker.kill().await.unwrap();
    world.s3.proxy.until_none_waits().await;
    world.s3.proxy.release();
    let left = counted_by("worker", &world.runs());
    assert_eq!(left, Some(copying.received()));
    // As time would: the dead worker's lease is over.
    let system = exchange::Principal::system();
    world.exchange.work_release_all(&system).await.unwrap();
    copying.ends().await;
}

/// A world in which a replica is to be copied, and the source's largest file does not come.
struct Held {
    world: World,
    files: Vec<String>,
    largest: String,
    /// Bytes of all other files.
    small: u64,
    grant: String,
    before: Counted,
}

impl Held {
    async fn start(copying: Copying, on: On) -> Option<Self> {
        let world = World::start(copying, on).await?;
        let _: Value = world.python.run("write_table.py", &world.source()).await;
        world.storages().await;
        world.publish(VISITS, "aws_eu", SOURCE_PATH).await;
        world.recipient("rnd_weu").await;
        let files: Vec<String> = world.python.run("list_files.py", &world.source()).await;
        let largest = files.iter().max_by_key(|file| size(&world, file)).unwrap();
        let largest = largest.clone();
        let small = files.iter().filter(|file| **file != largest);
        let small = small.map(|file| size(&world, file)).sum();
        let before = world.s3.proxy.counted();
        let grant = world.approved(VISITS, "rnd_weu", "replica").await;
        world.s3.proxy.hold(name_of(&largest));
        Some(Self {
            world,
            files,
            largest,
            small,
            grant,
            before,
        })
    }

    /// What has left the source since the grant.
    fn received(&self) -> u64 {
        self.world.s3.proxy.counted().since(self.before).received
    }

    fn all_but_the_largest_passed(&self) -> bool {
        let passed = self.world.s3.proxy.passed_since(self.before);
        let others = self.files.iter().filter(|file| **file != self.largest);
        others.into_iter().all(|file| {
            let of_file = |passed: &&Passed| passed.path.ends_with(name_of(file));
            let whole = passed.iter().filter(of_file).filter(|one| one.is_whole());
            whole.map(|passed| passed.received).sum::<u64>() == size(&self.world, file)
        })
    }

    async fn noted(&self, holds: impl Fn() -> bool) {
        let start = tokio::time::Instant::now();
        let mut again = tokio::time::interval(Duration::from_millis(20));
        while !holds() {
            let counted = ["receipts", "worker"].map(|who| counted_by(who, &self.world.runs()));
            assert!(start.elapsed().as_secs() < 60, "{counted:?}");
            again.tick().await;
        }
    }

    /// Another takes the run up, and it ends: every file came once, and what came is counted once.
    async fn ends(&self) {
        let world = &self.world;
        world.verified(&self.grant).await;
        let passed = world.s3.proxy.passed_since(self.before);
        for file in &self.files {
            let got: Vec<&Passed> = passed
                .iter()
                .filter(|passed| passed.path.ends_with(name_of(file)) && passed.received > 0)
                .collect();
            let received: u64 = got.iter().map(|passed| passed.received).sum();
            assert_eq!(received, size(world, file), "{got:#?}");
        }
        let run = world.newest_run().await;
        assert_eq!(run["state"], "done", "{run:#}");
        assert_eq!(run["bytes_received"], self.received(), "{run:#}");
        assert_eq!(world.synced().await, self.received());
        assert_same_rows(
            &world.read_replica_files().await,
            &world.read_source().await,
            "the replica's files",
        );
        // What was counted on the way has done its duty.
        let left: Vec<_> = std::fs::read_dir(world.runs()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

impl World {
    /// Where manifests, receipts and counts lie.
    fn runs(&self) -> PathBuf {
        self.data().join("runs")
    }
}

fn name_of(file: &str) -> &str {
    file.rsplit_once('/').map_or(file, |(_, name)| name)
}

fn size(world: &World, file: &str) -> u64 {
    let file = world.s3.file(&format!("aftersales/{SOURCE_PATH}/{file}"));
    std::fs::metadata(file).unwrap().len()
}

/// The one number of bytes in a folder's `.meter` files of children (`receipts`) or of workers (`worker`).
fn counted_by(who: &str, folder: &Path) -> Option<u64> {
    let entries = std::fs::read_dir(folder).ok()?;
    let paths = entries.map(|entry| entry.unwrap().path());
    let meters: Vec<_> = paths
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.ends_with(".meter") && name.contains(&format!(".{who}."))
        })
        .collect();
    let [meter] = &meters[..] else { return None };
    let text = std::fs::read_to_string(meter).ok()?;
    text.split_whitespace().next()?.parse().ok()
}
