use std::collections::BTreeMap;

use delta::{Action, Budgets, Table};

use super::*;

/// 15 November 2026, 13:20 UTC.
const NOW: Timestamp = Timestamp::from_micros(1_794_748_800_000_000);

async fn month_in(folder: &Path) -> (Clouds, Vec<History>) {
    let clouds = Clouds::create(folder).unwrap();
    let mut tables = Tables::create(&clouds, 1, Calendar::ending(NOW))
        .await
        .unwrap();
    for day in 1..DAYS {
        tables.play(day).await.unwrap();
    }
    (clouds, tables.histories())
}

fn table(clouds: &Clouds, history: &History) -> Table {
    let place = [
        super::super::clouds::VISITS,
        super::super::clouds::CLAIMS,
        super::super::clouds::ORDERS,
        super::super::clouds::PARTS,
    ]
    .into_iter()
    .find(|place| place.relative() == history.path)
    .unwrap();
    let written = clouds.table(&place).unwrap();
    Table::new(Arc::clone(written.objects()), Budgets::default())
}

#[test]
fn the_loads_before_the_month_bring_every_day_once() {
    let calendar = Calendar::ending(NOW);
    let loads = calendar.loads();
    let mut next = calendar.day(0) - HISTORY_DAYS;
    for pair in loads.windows(2) {
        // What is still unfinished comes with the last load alone.
        assert!(pair[0].days.end + WEEK <= pair[0].day);
        assert!(pair[0].at() < pair[1].at());
    }
    for load in &loads {
        assert_eq!(load.days.start, next);
        assert!(load.days.end <= load.day);
        next = load.days.end;
    }
    assert_eq!(next, calendar.day(0));
}

#[tokio::test]
async fn a_month_of_commits() {
    let folder = tempfile::tempdir().unwrap();
    let clouds_folder = folder.path().join("clouds");
    let (clouds, histories) = month_in(&clouds_folder).await;
    for history in &histories {
        every_version_reads_back(&table(&clouds, history), history).await;
        changes_are_what_they_are_called(history);
    }
    all_kinds_of_changes_happen(&clouds, &histories).await;
    let on_disk = size_of(&clouds_folder);
    assert!(
        (5_000_000..25_000_000).contains(&on_disk),
        "replicas come on top: {on_disk}"
    );
    if let Ok(python) = std::env::var("TEST_PYTHON") {
        std::fs::write(
            folder.path().join(super::super::MANIFEST),
            serde_json::to_vec(&histories).unwrap(),
        )
        .unwrap();
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../end2end/python/check_demo.py"
        );
        let checked = std::process::Command::new(python)
            .arg(script)
            .arg(folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&checked.stdout);
        let problem = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{said}{problem}");
        let versions: usize = histories.iter().map(|history| history.versions.len()).sum();
        assert!(
            said.contains(&format!("{versions} versions of 4 tables")),
            "{said}"
        );
    }
}

/// Every version, read anew from the log, is what the writer saw; and it is dated in the month.
async fn every_version_reads_back(table: &Table, history: &History) {
    let last = history.versions.last().unwrap();
    assert_eq!(table.latest_version().await.unwrap(), Some(last.version));
    for (number, line) in history.versions.iter().enumerate() {
        assert_eq!(
            line.version, number as u64,
            "{}: no version is missing",
            history.table
        );
        let snapshot = table.snapshot(Some(line.version)).await.unwrap();
        assert_eq!(
            snapshot.timestamp, line.at,
            "{} {}",
            history.table, line.version
        );
        assert_eq!(
            &Version::of(&snapshot, line.at, line.what.clone()).unwrap(),
            line
        );
        assert!(line.columns.iter().all(|column| column.comment.is_some()));
        assert!(line.at < NOW);
    }
}

fn changes_are_what_they_are_called(history: &History) {
    for pair in history.versions.windows(2) {
        let (before, after) = (&pair[0], &pair[1]);
        if after.what.starts_with("files compacted") {
            assert_eq!(before.rows, after.rows);
            assert!(after.files < before.files);
        }
        if after.what.contains("forgotten") || after.what.contains("deleted") {
            assert!(after.rows < before.rows, "{}", after.what);
        }
        if after.what.starts_with("new column") {
            assert_eq!(after.columns.len(), before.columns.len() + 1);
            assert_eq!(after.digest, before.digest);
        }
    }
}

/// What the story needs: appends daily, and each of the other changes at least once.
async fn all_kinds_of_changes_happen(clouds: &Clouds, histories: &[History]) {
    let mut operations: BTreeMap<String, u64> = BTreeMap::new();
    let mut removed = 0;
    for history in histories {
        let table = table(clouds, history);
        for line in &history.versions {
            let commit = table.commit(line.version).await.unwrap();
            for action in &commit.actions {
                match action {
                    Action::CommitInfo(info) => {
                        let name = info["operation"].as_str().unwrap().to_owned();
                        *operations.entry(name).or_default() += 1;
                    }
                    Action::Remove(_) => removed += 1,
                    _ => {}
                }
            }
        }
    }
    assert_eq!(operations["CREATE TABLE"], 4);
    assert!(operations["WRITE"] >= 3 * 29, "{operations:?}");
    assert!(operations["UPDATE"] >= 12, "{operations:?}");
    assert!(operations["DELETE"] >= 8, "{operations:?}");
    assert_eq!(operations["OPTIMIZE"], 2, "{operations:?}");
    assert_eq!(operations["ADD COLUMNS"], 1, "{operations:?}");
    assert!(removed > 50);
}

#[tokio::test]
async fn the_same_seed_writes_the_same_bytes() {
    let mut worlds = Vec::new();
    for _ in 0..2 {
        let folder = tempfile::tempdir().unwrap();
        let clouds = Clouds::create(folder.path()).unwrap();
        let mut tables = Tables::create(&clouds, 1, Calendar::ending(NOW))
            .await
            .unwrap();
        tables.play(1).await.unwrap();
        let mut files = BTreeMap::new();
        collect(folder.path(), folder.path(), &mut files);
        worlds.push(files);
    }
    assert!(worlds[0].len() > 20);
    assert!(worlds[0] == worlds[1]);
}

fn collect(root: &Path, folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let key = path.strip_prefix(root).unwrap().to_owned();
            files.insert(key, std::fs::read(&path).unwrap());
        }
    }
}

fn size_of(folder: &Path) -> u64 {
    let mut files = BTreeMap::new();
    collect(folder, folder, &mut files);
    files.values().map(|bytes| bytes.len() as u64).sum()
}
