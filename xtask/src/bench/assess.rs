//! `entrepot assess` over a thousand tables with a thousand commits each, 28 days of history: how long it takes, and how much memory.
//! The logs are there and the files that they name are not: an assessment reads none of them.

use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::copy::watched;
use super::{Figure, Limit, entrepot};
use crate::process::Folder;
use crate::repo::Repo;

const TABLES: usize = 1_000;
const COMMITS: usize = 1_000;
const SPAN_MILLIS: u64 = 28 * 86_400_000;
/// So many files are there at the beginning, and with so many commits all that came meanwhile is compacted.
const FIRST: usize = 100;
const COMPACTED: usize = 100;

pub(super) fn measure(repo: &Repo) -> Result<Vec<Figure>> {
    let folder = Folder::fleeting("bench-assess")?;
    let lake = folder.path().join("lake");
    #[expect(
        clippy::disallowed_methods,
        reason = "histories end now, as the command looks back from now"
    )]
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let until = u64::try_from(now.as_millis())?;
    lay(&lake, TABLES, COMMITS, until)?;
    let told = folder.path().join("told.json");
    let mut command = repo.command(entrepot(repo));
    command
        .arg("--json")
        .arg("--data")
        .arg(folder.path().join("data"))
        .args(["assess", &format!("file://{}", lake.display())])
        .args(["--location", "aws:eu-central-1", "--to", "azure:westeurope"])
        .stdout(File::create(&told)?);
    let begin = Instant::now();
    let peak = watched(&mut command)?;
    let minutes = begin.elapsed().as_secs_f64() / 60.0;
    let found: Value = serde_json::from_slice(&std::fs::read(&told)?)?;
    complete(&found, TABLES, COMMITS)?;
    Ok(vec![
        Figure::new(
            "1,000 tables of 1,000 commits each",
            minutes,
            "min",
            Limit::AtMost(10.0),
        ),
        Figure::new("peak memory", peak, "MB", Limit::AtMost(1_000.0)),
    ])
}

/// One log, and as many folders that hold it: a reader opens each file by itself, and a disk has to hold it only once.
fn lay(lake: &Path, tables: usize, commits: usize, until: u64) -> Result<()> {
    let first = log_of(lake, 0);
    std::fs::create_dir_all(&first)?;
    let begin = until.saturating_sub(SPAN_MILLIS);
    let step = SPAN_MILLIS / u64::try_from(commits.max(1))?;
    let mut live: Vec<usize> = Vec::new();
    for version in 0..commits {
        let at = begin + step * u64::try_from(version)?;
        let text = commit(version, at, &mut live)?;
        std::fs::write(first.join(name(version)), text)?;
    }
    for table in 1..tables {
        let log = log_of(lake, table);
        std::fs::create_dir_all(&log)?;
        for version in 0..commits {
            std::fs::hard_link(first.join(name(version)), log.join(name(version)))?;
        }
    }
    Ok(())
}

fn log_of(lake: &Path, table: usize) -> std::path::PathBuf {
    lake.join(format!(
        "area-{:02}/table-{table:04}/_delta_log",
        table % 20
    ))
}

fn name(version: usize) -> String {
    format!("{version:020}.json")
}

/// The lines of a commit: appends, each tenth an update that says how rows changed, each hundredth a compaction.
fn commit(version: usize, at: u64, live: &mut Vec<usize>) -> Result<String> {
    let mut text = String::new();
    let mut line = |value: Value| writeln!(text, "{value}");
    let info =
        |operation: &str| json!({ "commitInfo": { "timestamp": at, "operation": operation } });
    let fresh = version * 1_000;
    if version == 0 {
        let configuration = json!({ "delta.enableChangeDataFeed": "true" });
        let fields: Vec<Value> = (0..10)
            .map(|column| json!({ "name": format!("c{column}"), "type": "long", "nullable": true, "metadata": {} }))
            .collect();
        let schema = json!({ "type": "struct", "fields": fields }).to_string();
        line(info("WRITE"))?;
        line(json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 4 } }))?;
        line(
            json!({ "metaData": { "id": "bench", "format": { "provider": "parquet", "options": {} }, "schemaString": schema,
                "partitionColumns": [], "configuration": configuration, "createdTime": at } }),
        )?;
        for file in 0..FIRST {
            line(add(file, at, true, 1))?;
            live.push(file);
        }
    } else if version.is_multiple_of(COMPACTED) && live.len() > FIRST {
        line(info("OPTIMIZE"))?;
        let gone = live.split_off(FIRST);
        for file in &gone {
            line(remove(*file, at, false))?;
        }
        line(add(fresh, at, false, gone.len()))?;
        live.push(fresh);
    } else if version.is_multiple_of(10) {
        line(info("UPDATE"))?;
        let gone = live.remove(version / 10 % FIRST);
        line(remove(gone, at, true))?;
        line(add(fresh, at, true, 1))?;
        line(
            json!({ "cdc": { "path": format!("_change_data/cdc-{fresh}.parquet"), "partitionValues": {}, "size": 20_000,
                "dataChange": false } }),
        )?;
        live.push(fresh);
    } else {
        line(info("WRITE"))?;
        line(add(fresh, at, true, 1))?;
        live.push(fresh);
    }
    Ok(text)
}

/// With statistics of ten columns, which are most of a log's bytes.
fn add(file: usize, at: u64, data_change: bool, of: usize) -> Value {
    let columns = |value: u64| -> Value {
        let columns = (0..10).map(|column| (format!("c{column}"), json!(value)));
        Value::Object(columns.collect())
    };
    let stats = json!({ "numRecords": 1_000 * of, "minValues": columns(1), "maxValues": columns(1_000_000), "nullCount": columns(0) });
    json!({ "add": { "path": format!("part-{file:08}.snappy.parquet"), "partitionValues": {}, "size": 1_000_000 * of,
        "modificationTime": at, "dataChange": data_change, "stats": stats.to_string() } })
}

fn remove(file: usize, at: u64, data_change: bool) -> Value {
    json!({ "remove": { "path": format!("part-{file:08}.snappy.parquet"), "deletionTimestamp": at, "dataChange": data_change,
        "extendedFileMetadata": true, "partitionValues": {}, "size": 1_000_000 } })
}

/// Whether all was read.
fn complete(found: &Value, tables: usize, commits: usize) -> Result<()> {
    let told = found["tables"].as_array().context("no tables are told")?;
    if told.len() != tables {
        bail!("{} of {tables} tables are told", told.len());
    }
    for table in told {
        if !table["problem"].is_null() {
            bail!("{} was not read: {}", table["path"], table["problem"]);
        }
        // All but what its history begins with.
        if table["commits"].as_u64() < u64::try_from(commits - 2).ok() {
            bail!("{} has {} commits", table["path"], table["commits"]);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_laid_with_appends_updates_and_compactions() -> Result<()> {
        let folder = Folder::temporary("bench-assess-test")?;
        lay(folder.path(), 2, 201, SPAN_MILLIS)?;
        let log = log_of(folder.path(), 1);
        assert_eq!(std::fs::read_dir(&log)?.count(), 201);
        let packed = std::fs::read_to_string(log.join(name(200)))?;
        assert!(packed.contains("OPTIMIZE") && packed.contains(r#""dataChange":false"#));
        let changed = std::fs::read_to_string(log.join(name(10)))?;
        assert!(changed.contains("_change_data/") && changed.contains(r#""remove""#));
        let told = |commits: u64| json!({ "tables": [{ "path": "a", "problem": null, "commits": commits }] });
        assert!(complete(&told(9), 1, 10).is_ok());
        assert!(complete(&told(3), 1, 10).is_err());
        assert!(complete(&told(9), 2, 10).is_err());
        Ok(())
    }
}
