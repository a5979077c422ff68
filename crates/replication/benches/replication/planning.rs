//! How long it takes to plan a run over a hundred commits: of a table of a thousand files, and of one of a million, that is otherwise
//! the same. The million stand in checkpoints on both sides and nowhere else. The run before the commits compares both states, as a
//! first run does, and says in its own commit what they come to; the one after them is planned from the logs' tails.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use arrow_json::ReaderBuilder;
use delta::write::arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};
use delta::{Budgets, Table, Written};
use model::SyncRunId;
use model::time::HOUR;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parquet::arrow::ArrowWriter;
use replication::{Planned, plan};
use serde_json::{Value, json};

use crate::actions::{self, File};
use crate::figure::{Figure, Limit, median};
use crate::small::{Small, path_of, time_of};
use crate::stores::Metered;
use crate::sync::{Mode, Replica, pair};
use crate::year::START;

const FEW: u32 = 1_000;
const MANY: u32 = 1_000_000;
const COMMITS: u32 = 100;
const ROUNDS: usize = 25;
/// No further round is begun after so long.
const ENOUGH: Duration = Duration::from_secs(60);
/// What a file that is not there is said to have.
const BYTES: u64 = 134_217_728;
/// Lines of a checkpoint that are turned into columns at once.
const CHUNK: u32 = 100_000;

pub(crate) async fn measure(folder: &Path) -> Result<Vec<Figure>> {
    let few = planned(&folder.join("few"), FEW).await?;
    let many = planned(&folder.join("many"), MANY).await?;
    Ok(vec![
        Figure::new(
            "planning 100 commits, 1 M files against 1 k",
            many / few,
            "x",
            Limit::AtMost(1.2),
        ),
        Figure::new("planning 100 commits, 1 k files", few, "s", Limit::None),
        Figure::new("planning 100 commits, 1 M files", many, "s", Limit::None),
    ])
}

/// Seconds.
async fn planned(folder: &Path, files: u32) -> Result<f64> {
    let source = Metered::folder(&folder.join("source"))?;
    let target = Metered::folder(&folder.join("target"))?;
    let budgets = Budgets::of_files(2 * u64::from(MANY));
    // A real table and a real first run, so that the replica's log is the engine's; then both get their other files.
    let mut table = Small::create(&source.objects).await?;
    table.change(0..1, 10, 0..0).await?;
    let runs = folder.join("runs");
    let mut replica = Replica::new(Mode::Ours, source.clone(), target.clone(), &runs, START)?;
    let first = replica.sync(START.plus(HOUR)).await?;
    let first = first.context("the first run had nothing to do")?;
    fill(&source.objects, &[0, 1], files).await?;
    fill(&target.objects, &[first.target_version], files).await?;
    forget(&target.objects, first.target_version).await?;
    table
        .change(files + COMMITS + 1..files + COMMITS + 2, 10, 0..0)
        .await?;
    replica.pair.source = Table::new(Arc::clone(&source.objects), budgets.clone());
    replica.pair.target = Table::new(Arc::clone(&target.objects), budgets.clone());
    let compared = replica.sync(START.plus(HOUR + HOUR / 2)).await?;
    let compared = compared.context("the second run had nothing to do")?;
    ensure!(
        !compared.is_of_tails() && compared.files_full == u64::from(files) + 1,
        "another run than was meant: {compared:?}"
    );
    change(
        &Table::new(Arc::clone(&source.objects), budgets.clone()),
        files,
    )
    .await?;

    let at = START.plus(2 * HOUR);
    let mut asked = pair(Mode::Ours, &source.objects, &target.objects, &budgets, at)?;
    asked.replica_table = replica.pair.replica_table;
    let (begin, mut rounds) = (Instant::now(), Vec::new());
    while rounds.len() < ROUNDS && (rounds.is_empty() || begin.elapsed() < ENOUGH) {
        let round = Instant::now();
        let planned = plan(&asked, SyncRunId::new(at), at).await?;
        rounds.push(round.elapsed().as_secs_f64());
        let Planned::Work(plan) = planned else {
            bail!("there was nothing to plan");
        };
        let summary = &plan.summary;
        ensure!(
            summary.is_of_tails()
                && summary.files_copy == u64::from(COMMITS)
                && summary.files_removed == u64::from(COMMITS)
                && summary.files_updated == 0,
            "another plan than was to be measured: {summary:?}"
        );
    }
    Ok(median(rounds))
}

fn add(number: u32) -> Value {
    let path = path_of(number);
    let file = File {
        path: &path,
        partition: None,
        size: BYTES,
    };
    let stats = json!({ "numRecords": 1000, "minValues": { "id": number }, "maxValues": { "id": number },
                        "nullCount": { "id": 0 } });
    file.add(&stats.to_string(), START, false)
}

/// Takes out of a commit of the replica what it says of its source as a whole: it was not this one.
async fn forget(objects: &Arc<dyn ObjectStore>, version: u64) -> Result<()> {
    let key = Key::from(format!("_delta_log/{version:020}.json"));
    let body = objects.get(&key).await?.bytes().await?;
    let mut actions = Vec::new();
    for line in body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let mut action: Value = serde_json::from_slice(line)?;
        if let Some(mark) = action.pointer_mut("/commitInfo/entrepot") {
            mark["totals"] = Value::Null;
        }
        actions.push(action);
    }
    objects.put(&key, actions::body(&actions).into()).await?;
    Ok(())
}

/// One file comes and one goes, in each commit.
async fn change(source: &Table, files: u32) -> Result<()> {
    for number in 1..=COMMITS {
        let version = u64::from(number) + 2;
        let (gone, at) = (path_of(number), time_of(version));
        let gone = File {
            path: &gone,
            partition: None,
            size: BYTES,
        };
        let mut came = add(files + number);
        came["add"]["dataChange"] = true.into();
        let lines = [
            actions::info("WRITE", &json!({}), at),
            gone.remove(at, true),
            came,
        ];
        let body = actions::body(&lines).into();
        let written = source.write_commit(version, body).await?;
        ensure!(written == Written::Ours, "somebody else wrote it");
    }
    Ok(())
}

/// Writes a checkpoint of the last of these commits, which are all there are, with more files than they have.
async fn fill(objects: &Arc<dyn ObjectStore>, commits: &[u64], files: u32) -> Result<()> {
    let mut head = Vec::new();
    for version in commits {
        let key = Key::from(format!("_delta_log/{version:020}.json"));
        let body = objects.get(&key).await?.bytes().await?;
        for line in body
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            let mut action: Value = serde_json::from_slice(line)?;
            if let Some(add) = action.get_mut("add") {
                add["dataChange"] = false.into();
            }
            head.push(action);
        }
    }
    head.retain(|action| action.get("commitInfo").is_none());
    let version = commits.last().context("no commits")?;
    let schema = schema();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, Arc::clone(&schema), None)?;
    let mut next = 1;
    while next < files || !head.is_empty() {
        let end = files.min(next + CHUNK);
        let lines: Vec<Value> = head.drain(..).chain((next..end).map(add)).collect();
        let lines = actions::body(&lines);
        for batch in ReaderBuilder::new(Arc::clone(&schema)).build(lines.as_slice())? {
            writer.write(&batch?)?;
        }
        writer.flush()?;
        next = end;
    }
    writer.close()?;
    let key = Key::from(format!("_delta_log/{version:020}.checkpoint.parquet"));
    objects.put(&key, bytes.into()).await?;
    let hint = json!({ "version": version, "size": u64::from(files) + 2 }).to_string();
    objects
        .put(&Key::from("_delta_log/_last_checkpoint"), hint.into())
        .await?;
    Ok(())
}

fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let number = |name: &str| Field::new(name, DataType::Int64, true);
    let small = |name: &str| Field::new(name, DataType::Int32, true);
    let of = |name: &str, fields: Vec<Field>| {
        Field::new(name, DataType::Struct(Fields::from(fields)), true)
    };
    let texts = |name: &str| {
        let entry = Fields::from(vec![
            Field::new("key", DataType::Utf8, false),
            text("value"),
        ]);
        let entries = Field::new("key_value", DataType::Struct(entry), false);
        Field::new(name, DataType::Map(Arc::new(entries), false), true)
    };
    let columns = DataType::List(Arc::new(text("element")));
    Arc::new(Schema::new(vec![
        of(
            "protocol",
            vec![small("minReaderVersion"), small("minWriterVersion")],
        ),
        of(
            "metaData",
            vec![
                text("id"),
                of("format", vec![text("provider"), texts("options")]),
                text("schemaString"),
                Field::new("partitionColumns", columns, true),
                texts("configuration"),
                number("createdTime"),
            ],
        ),
        of(
            "txn",
            vec![text("appId"), number("version"), number("lastUpdated")],
        ),
        of(
            "add",
            vec![
                text("path"),
                texts("partitionValues"),
                number("size"),
                number("modificationTime"),
                Field::new("dataChange", DataType::Boolean, true),
                text("stats"),
            ],
        ),
    ]))
}
