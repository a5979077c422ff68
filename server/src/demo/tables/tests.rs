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

#[tokio::test]
async fn a_month_of_commits() {
    let folder = tempfile::tempdir().unwrap();
    let (clouds, histories) = month_in(folder.path()).await;
    let mut total = 0;
    for history in &histories {
        let table = table(&clouds, history);
        let last = history.versions.last().unwrap();
        assert_eq!(table.latest_version().await.unwrap(), Some(last.version));
        for (number, line) in history.versions.iter().enumerate() {
            assert_eq!(
                line.version, number as u64,
                "{}: no version is missing",
                history.table
            );
            // Every version, read anew from the log, is what the writer saw; and it is dated in the month.
            let snapshot = table.snapshot(Some(line.version)).await.unwrap();
            assert_eq!(
                snapshot.timestamp, line.at,
                "{} {}",
                history.table, line.version
            );
            assert_eq!(snapshot.files.len() as u64, line.files);
            assert_eq!(snapshot.bytes(), line.bytes);
            assert_eq!(snapshot.rows(), line.rows);
            let columns: Vec<String> = snapshot
                .metadata
                .schema()
                .unwrap()
                .iter()
                .map(|column| {
                    assert!(column.comment.is_some(), "{} says what it is", column.name);
                    column.name.clone()
                })
                .collect();
            assert_eq!(columns, line.columns);
            assert!(line.at < NOW);
        }
        total += last.bytes;
    }
    let on_disk = size_of(folder.path());
    eprintln!("{total} bytes in the last versions, {on_disk} on disk");
    assert!(on_disk < 25_000_000, "replicas come on top: {on_disk}");
}

/// What the story needs: appends daily, and each of the other changes at least once.
#[tokio::test]
async fn all_kinds_of_changes_happen() {
    let folder = tempfile::tempdir().unwrap();
    let (clouds, histories) = month_in(folder.path()).await;
    let mut operations: BTreeMap<String, u64> = BTreeMap::new();
    let mut removed = 0;
    for history in &histories {
        let table = table(&clouds, history);
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
    // Nobody who was forgotten is left, and compacting changes no row.
    for history in &histories {
        for pair in history.versions.windows(2) {
            if pair[1].what.starts_with("files compacted") {
                assert_eq!(pair[0].rows, pair[1].rows);
                assert!(pair[1].files < pair[0].files);
            }
            if pair[1].what.contains("forgotten") || pair[1].what.contains("deleted") {
                assert!(pair[1].rows < pair[0].rows, "{}", pair[1].what);
            }
        }
    }
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
