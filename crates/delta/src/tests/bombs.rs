//! C-18 by the clock and by memory: each bomb is met by a process of its own, which says how long it took to refuse it and how
//! much its memory grew meanwhile. The process is this test binary, told by its environment.

use std::path::Path as Folder;
use std::process::Command;
use std::time::{Duration, Instant};

use object_store::local::LocalFileSystem;
use parquet::file::metadata::{FileMetaData, ParquetMetaDataReader, ParquetMetaDataWriter};

use super::checkpoints::checkpoint_name;
use super::forged::forged;
use super::*;

const BOMB: &str = "DELTA_TEST_BOMB";
const LONGEST: Duration = Duration::from_secs(1);
/// Five million rows decoded take 3.5 GB; a line of 200 MB, more than itself.
const MOST: u64 = 64 << 20;

/// The same pages under a footer that owns to ten rows in each row group.
fn lying(file: &[u8]) -> Vec<u8> {
    let mut reader = ParquetMetaDataReader::new();
    reader
        .try_parse(&bytes::Bytes::copy_from_slice(file))
        .unwrap();
    let found = reader.finish().unwrap();
    let groups: Vec<_> = found
        .row_groups()
        .iter()
        .map(|group| group.clone().into_builder().set_num_rows(10).build())
        .collect::<Result<_, _>>()
        .unwrap();
    let told = found.file_metadata();
    let rows = 10 * i64::try_from(groups.len()).unwrap();
    let told = FileMetaData::new(
        told.version(),
        rows,
        None,
        None,
        told.schema_descr_ptr(),
        None,
    );
    let footer = parquet::file::metadata::ParquetMetaData::new(told, groups);
    let tail: [u8; 4] = file[file.len() - 8..file.len() - 4].try_into().unwrap();
    let pages = file.len() - 8 - usize::try_from(u32::from_le_bytes(tail)).unwrap();
    let mut out = file[..pages].to_vec();
    ParquetMetaDataWriter::new(&mut out, &footer)
        .finish()
        .unwrap();
    out
}

fn put(folder: &Folder, name: &str, body: &[u8]) {
    let log = folder.join("_delta_log");
    std::fs::create_dir_all(&log).unwrap();
    std::fs::write(log.join(name), body).unwrap();
}

/// The most memory that this process has held so far.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<u64>().unwrap() << 10
}

/// Reads the table and says what came of it: milliseconds, bytes, words.
async fn meet(folder: &str) {
    let store = LocalFileSystem::new_with_prefix(folder).unwrap();
    let table = Table::new(Arc::new(store), Budgets::default());
    let before = peak();
    let start = Instant::now();
    let found = table.snapshot(None).await;
    let (took, grew) = (start.elapsed(), peak() - before);
    let words = match found {
        Ok(snapshot) => format!("{} files", snapshot.files.len()),
        Err(error) => error.to_string(),
    };
    println!("MET {} {grew} {words}", took.as_millis());
}

#[tokio::test]
async fn bombs_take_neither_time_nor_memory() {
    if let Ok(folder) = std::env::var(BOMB) {
        return meet(&folder).await;
    }
    let rows = forged("part-0.parquet", 100_000, 50);
    assert!(rows.len() < 600_000, "{} bytes", rows.len());
    type Case = (&'static str, fn(&Folder, &[u8]), &'static str);
    let cases: [Case; 4] = [
        (
            "five million rows in half a megabyte",
            |folder, rows| {
                put(folder, &commit_name(7), b"{}");
                put(folder, &checkpoint_name(7), rows);
            },
            "rows of a checkpoint",
        ),
        (
            "the same under a footer that lies",
            |folder, rows| {
                put(folder, &commit_name(7), b"{}");
                put(folder, &checkpoint_name(7), &lying(rows));
            },
            "more rows than its footer says",
        ),
        (
            "one line of 200 MB",
            |folder, _| {
                put(folder, &commit_name(0), b"");
                let path = folder.join("_delta_log").join(commit_name(0));
                let file = std::fs::File::options().write(true).open(path).unwrap();
                file.set_len(200 << 20).unwrap();
            },
            "bytes of a line",
        ),
        (
            "a commit of 300 MB",
            |folder, _| {
                put(folder, &commit_name(0), b"");
                let path = folder.join("_delta_log").join(commit_name(0));
                let file = std::fs::File::options().write(true).open(path).unwrap();
                file.set_len(300 << 20).unwrap();
            },
            "bytes of a commit",
        ),
    ];
    for (what, make, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path(), &rows);
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("tests::bombs::bombs_take_neither_time_nor_memory")
            .env(BOMB, folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout).into_owned();
        let met = said
            .split_once("MET ")
            .unwrap_or_else(|| panic!("{what}: {said}{}", String::from_utf8_lossy(&child.stderr)))
            .1;
        let mut words = met.lines().next().unwrap().splitn(3, ' ');
        let mut number = || words.next().unwrap().parse::<u64>().unwrap();
        let (took, grew) = (Duration::from_millis(number()), number());
        let result = words.next().unwrap();
        assert!(
            result.contains(expected) && !result.ends_with(" files"),
            "{what}: {result}"
        );
        assert!(took < LONGEST, "{what}: {took:?}");
        assert!(grew < MOST, "{what}: {grew} bytes");
    }
    // Memory is seen to grow: what the bomb holds, had it been taken.
    let before = peak();
    let taken = vec![1_u8; usize::try_from(2 * MOST).unwrap()];
    assert!(taken.iter().all(|byte| *byte == 1));
    assert!(peak() - before > MOST, "the measure measures nothing");
}
