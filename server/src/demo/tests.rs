//! The whole journey, in process.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use exchange::Options;
use exchange::db::Db;
use model::time::SECOND;
use model::{ManualClock, Timestamp};

use super::*;
use crate::adapters::connect::{Wiring, connect};
use crate::adapters::keyring::FileKeyRing;
use crate::adapters::stores::Lake;
use crate::config::{Flags, Settings};
use crate::workers::handlers::{self, Lakehand};
use crate::workers::{self, Worker};

/// 15 November 2026, 13:20 UTC.
const NOW: Timestamp = Timestamp::from_micros(1_794_748_800 * SECOND);

async fn stage(data: &Path) -> Stage {
    prepare(data).unwrap();
    let flags = Flags {
        data: Some(data.to_owned()),
        ..Flags::default()
    };
    let settings = Settings::load(&flags).unwrap();
    let db = Db::open(&settings.database_url).await.unwrap();
    db.migrate().await.unwrap();
    let clock = Arc::new(ManualClock::at(NOW));
    let connected = connect(Wiring {
        db,
        clock: clock.clone(),
        keys: Arc::new(FileKeyRing::open(&settings.keys, true).unwrap()),
        lake: Lake::of(&settings.storage),
        options: Options::default(),
        here: None,
        post: exchange::ports::Post::default(),
    })
    .await
    .unwrap();
    let exchange = connected.exchange.clone();
    let hand = Lakehand {
        exchange: exchange.clone(),
        lake: connected.lake.clone(),
        reads: connected.reads.clone(),
        engine: workers::sync::Engine::Local,
        folder: data.to_owned(),
    };
    let worker = Worker {
        exchange: exchange.clone(),
        owner: workers::owner(),
        location: None,
        handlers: handlers::handlers(Arc::new(hand)),
        ticks: handlers::ticks(&exchange),
        parallel: 1,
        poll: settings.worker.poll,
    };
    Stage {
        exchange,
        clock,
        worker,
        machines: connected.machines(),
        data: data.to_owned(),
        now: NOW,
        seed: 1,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_month_is_played() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let stage = stage(&data).await;
    let mut told = Vec::new();
    let begun = std::time::Instant::now();
    let report = play(&stage, &mut Story::told(&mut told)).await.unwrap();
    let told = String::from_utf8(told).unwrap();
    println!("{told}played in {:.1} s", begun.elapsed().as_secs_f64());

    assert_eq!(report.products.len(), 3);
    assert_eq!(report.requests.len(), 6);
    assert_eq!(report.grants.len(), 4);
    for grant in &report.grants {
        assert_eq!(grant.verified_at, Some(NOW), "{grant:?}");
        assert!(grant.first_read_at.is_some(), "{grant:?}");
    }
    syncs_are_small(&report);
    all_bytes_are_billed(&report);
    for saving in &report.savings {
        assert!(saving.saved_bytes > 0, "{saving:?}");
    }
    advised::the_break_even_is_what_a_search_finds(&stage.exchange, &report).await;
    for line in [
        "mara asks for",
        "jonas, the owner, says yes",
        "dora, data protection, says no",
        "vacuum",
    ] {
        assert!(told.contains(line), "{line}");
    }
    assert!(report.profile.is_file() && report.accounts.is_file());
    the_clouds_are_small(&data);
    let again = play(&stage, &mut Story::silent()).await;
    assert!(again.is_err(), "a world is played once");
    check_with_python(&data, &serde_json::to_string(&report).unwrap());
}

/// What a demo may take of a disk. The sources are below 25 MB (`tables::tests::a_month_of_commits`); a replica holds one version and
/// what was removed from it in the last week, not its history.
const CLOUDS_AT_MOST: u64 = 50_000_000;

fn the_clouds_are_small(data: &Path) {
    let mut bytes = BTreeMap::new();
    for folder in clouds::FOLDERS {
        let size = size_of(&world::clouds_folder(data).join(folder.path));
        assert!(size > 0, "{} holds nothing", folder.storage);
        bytes.insert(folder.storage, size);
    }
    // All of it, also what might lie beside the storages.
    let all = size_of(&world::clouds_folder(data));
    println!("{all} bytes in the clouds: {bytes:?}");
    assert!(all >= bytes.values().sum::<u64>());
    assert!(all < CLOUDS_AT_MOST, "{all} bytes: {bytes:?}");
}

/// The bytes of all files below a folder.
fn size_of(folder: &Path) -> u64 {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let found = entry.metadata().unwrap();
            if found.is_dir() {
                size_of(&entry.path())
            } else {
                found.len()
            }
        })
        .sum()
}

/// Every second day, and each a part of what a full copy takes, save the first.
fn syncs_are_small(report: &Report) {
    let visits: Vec<_> = report
        .sync_runs
        .iter()
        .filter(|run| {
            run.product.as_str() == "vehicle-workshop-visits" && run.to.as_str() == "az_weu"
        })
        .collect();
    assert_eq!(visits.len(), 15);
    assert_eq!(visits[0].bytes_copied, visits[0].bytes_full);
    for pair in visits.windows(2) {
        // That after the compaction copies the month once more.
        assert!(
            pair[1].bytes_copied * 3 < pair[1].bytes_full,
            "{:?}",
            pair[1]
        );
        assert!(pair[0].source_version < pair[1].source_version);
    }
    assert!(report.vacuum_runs.iter().any(|run| run.files_deleted > 0));
}

/// What was copied and what was read across a border.
fn all_bytes_are_billed(report: &Report) {
    let mut billed: BTreeMap<(String, String), u64> = BTreeMap::new();
    for line in &report.statement_lines {
        let key = (line.product.to_string(), line.route.to_string());
        *billed.entry(key).or_default() += line.bytes;
    }
    let mut received: BTreeMap<(String, String), u64> = BTreeMap::new();
    for run in &report.sync_runs {
        let route = format!("aws:eu-central-1->{}", run.to_location);
        let key = (run.product.to_string(), route);
        *received.entry(key).or_default() += run.bytes_received;
        assert!(run.bytes_received >= run.bytes_copied);
    }
    assert_eq!(received.len(), 3);
    for (key, bytes) in &received {
        assert!(billed[key] >= *bytes, "{key:?}: {billed:?} {received:?}");
    }
    let read: u64 = report
        .reads
        .iter()
        .filter(|read| read.product == "vehicle-parts-orders")
        .map(|read| read.bytes)
        .sum();
    let live = (
        "vehicle-parts-orders".to_owned(),
        "gcp:europe-west3->azure:westeurope".to_owned(),
    );
    assert!(read > 0 && billed[&live] >= read, "{billed:?}, {read} read");
}

/// Where there is the other reader, it sees the same.
fn check_with_python(data: &Path, journey: &str) {
    let Ok(python) = std::env::var("TEST_PYTHON") else {
        return;
    };
    let file = data.join("journey.json");
    std::fs::write(&file, journey).unwrap();
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../end2end/python/check_demo.py"
    );
    let checked = std::process::Command::new(python)
        .arg(script)
        .arg(data)
        .arg("--journey")
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stdout);
    let problem = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success(), "{said}{problem}");
    assert!(said.contains("the rows of version"), "{said}");
    println!("{said}");
}
