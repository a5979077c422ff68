//! Narrowed replicas whose source says in its change feed what became of its rows: they follow by that, what is left out is nowhere, and
//! a run that is broken off ends the same.

use std::sync::Arc;

use delta::write::Writer;
use delta::write::arrow::array::{ArrayRef, AsArray as _, BooleanArray, StringArray};
use delta::write::arrow::compute::{concat_batches, filter_record_batch};
use delta::write::arrow::datatypes::Int64Type;
use delta::write::arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

use super::super::by_rows;
use super::super::probe::Mode;
use super::super::world::World;
use super::{append, at, is_narrowed, narrow, planted, rows, source};
use crate::drive::{Outcome, Run, RunError};
use crate::foresee::{Foreseen, foresee};
use crate::narrow::Narrow;
use crate::prove::{compare, look};
use crate::{PlanSummary, Ways};

const BOTH: Ways = Ways {
    feed: true,
    skip: true,
    beside: true,
    pack: 16,
    purge: None,
};

/// Rows, and what became of each.
type Changes = Vec<(RecordBatch, &'static str)>;

async fn fed(narrow: Narrow, count: i64) -> (World, Writer) {
    let mut world = World::new();
    world.ways = BOTH;
    world.narrow = Some(narrow);
    let mut writer = source(&world).await;
    // The small writer records no changes; they are said for it, see `say`.
    let key = format!("_delta_log/{:020}.json", 0);
    let commit = String::from_utf8(world.source.bytes_now(&key).to_vec()).unwrap();
    let lines = commit.lines().map(|line| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        if let Some(metadata) = line.get_mut("metaData") {
            metadata["configuration"]["delta.enableChangeDataFeed"] = "true".into();
        }
        format!("{line}\n")
    });
    world.source.put_now(&key, lines.collect::<String>());
    append(&mut writer, 1, 0..count, 0).await;
    (world, writer)
}

/// Adds to a commit of the source what its change feed says.
fn say(world: &World, version: i64, changes: &Changes) {
    let key = format!("_delta_log/{version:020}.json");
    let mut commit = world.source.bytes_now(&key).to_vec();
    for country in ["DE", "FR"] {
        let mut parts = Vec::new();
        for (batch, kind) in changes {
            let countries = batch.column_by_name("country").unwrap();
            let here = countries.as_string::<i32>().iter();
            let here: BooleanArray = here.map(|value| Some(value == Some(country))).collect();
            let here = filter_record_batch(batch, &here).unwrap();
            let kinds = StringArray::from_iter_values(std::iter::repeat_n(kind, here.num_rows()));
            let fields = here.schema();
            let fields = fields.fields().iter().zip(here.columns());
            let fields = fields.filter(|(field, _)| field.name() != "country");
            let kinds: ArrayRef = Arc::new(kinds);
            let columns = fields
                .map(|(field, column)| (field.name().clone(), Arc::clone(column), true))
                .chain([("_change_type".to_owned(), kinds, true)]);
            parts.push(RecordBatch::try_from_iter_with_nullable(columns).unwrap());
        }
        let all = concat_batches(&parts[0].schema(), &parts).unwrap();
        if all.num_rows() == 0 {
            continue;
        }
        let mut bytes = Vec::new();
        let mut out = ArrowWriter::try_new(&mut bytes, all.schema(), None).unwrap();
        out.write(&all).unwrap();
        out.close().unwrap();
        let path = format!("_change_data/country={country}/cdc-{version}.parquet");
        let line = json!({ "cdc": {
            "path": path, "partitionValues": { "country": country }, "size": bytes.len(), "dataChange": false,
        } });
        commit.extend(format!("{line}\n").into_bytes());
        world.source.put_now(&path, bytes);
    }
    world.source.put_now(&key, commit);
}

/// Replaces the rows of these ids by what other ids have, or takes them away, and says so in the feed.
async fn change(
    world: &World,
    writer: &mut Writer,
    version: i64,
    is_hit: impl Fn(i64) -> bool + Send + Sync,
    made: Option<&(dyn Fn(&RecordBatch) -> RecordBatch + Send + Sync)>,
) {
    let mut changed = Changes::new();
    let hit = |batch: &RecordBatch| -> BooleanArray {
        let ids = batch.column(0).as_primitive::<Int64Type>();
        ids.iter().map(|id| Some(id.is_some_and(&is_hit))).collect()
    };
    match made {
        None => {
            let delete = |batch: &RecordBatch| {
                let gone = hit(batch);
                changed.push((filter_record_batch(batch, &gone).unwrap(), "delete"));
                Ok(gone.iter().map(|gone| gone.map(|gone| !gone)).collect())
            };
            writer.delete_where(at(version), delete).await.unwrap();
        }
        Some(made) => {
            let update = |batch: &RecordBatch| {
                let gone = hit(batch);
                if gone.true_count() == 0 {
                    return Ok(None);
                }
                let before = filter_record_batch(batch, &gone).unwrap();
                let after = made(&before);
                let stay = gone.iter().map(|gone| gone.map(|gone| !gone)).collect();
                let stay = filter_record_batch(batch, &stay).unwrap();
                changed.push((before, "update_preimage"));
                changed.push((after.clone(), "update_postimage"));
                Ok(Some(
                    concat_batches(&batch.schema(), &[stay, after]).unwrap(),
                ))
            };
            writer.update_where(at(version), update).await.unwrap();
        }
    }
    say(world, version, &changed);
}

/// Other columns of the same ids: those that are left out alone, or all of them.
fn other(
    only: Option<&'static [&'static str]>,
    round: i64,
) -> impl Fn(&RecordBatch) -> RecordBatch {
    move |before: &RecordBatch| {
        let ids = before.column(0).as_primitive::<Int64Type>();
        let new = ids
            .iter()
            .flatten()
            .map(|id| rows(&before.schema(), id..id + 1, round));
        let new: Vec<_> = new.collect();
        let new = concat_batches(&before.schema(), &new).unwrap();
        let schema = before.schema();
        let columns = schema.fields().iter().enumerate().map(|(at, field)| {
            let is_one = only.is_none_or(|only| only.contains(&field.name().as_str()));
            Arc::clone(if is_one {
                new.column(at)
            } else {
                before.column(at)
            })
        });
        RecordBatch::try_new(schema.clone(), columns.collect()).unwrap()
    }
}

/// Syncs by rows, and holds what crossed against what was foreseen and what the files would have been.
async fn by_feed(world: &World) -> PlanSummary {
    let now = model::Clock::now(&world.clock);
    let Foreseen::Work(found) = foresee(&world.pair(), None, now).await.unwrap() else {
        panic!("nothing to do")
    };
    let (sent, run) = (world.source.sent(), world.run());
    let Outcome::Done(plan) = world.drive(&run).await.unwrap() else {
        panic!("not done")
    };
    let record = world.journal.record(run.id);
    assert!(!record.files_only, "rows could not be applied");
    let sent = world.source.sent() - sent;
    assert_eq!((sent, sent), (plan.bytes_copy, record.copied.bytes_read));
    assert_eq!(found.run.bytes, sent);
    assert_eq!(found.sets_fed, plan.sets_fed);
    *plan
}

#[tokio::test]
async fn what_a_change_feed_says_of_columns_that_are_left_out_is_nowhere() {
    let (world, mut writer) = fed(narrow("plant = 'Leipzig'"), 2_500).await;
    world.sync_done().await;
    let all = is_narrowed(&world).await;
    assert_eq!(all, 2_250);

    // Columns that the replica does not have: nothing of it changes, and yet it stands for other files.
    let unseen = other(Some(&["driver", "account"]), 1);
    change(&world, &mut writer, 2, |id| id % 40 == 0, Some(&unseen)).await;
    let before = world.replica_paths().await;
    let plan = by_feed(&world).await;
    assert_eq!((plan.sets_fed, plan.files_copy), (1, 1));
    assert_eq!(world.replica_paths().await, before);
    assert_eq!(is_narrowed(&world).await, all);

    // Hashed and kept ones, in both partitions.
    let seen = other(None, 2);
    change(&world, &mut writer, 3, |id| id % 50 < 2, Some(&seen)).await;
    let plan = by_feed(&world).await;
    assert_eq!((plan.sets_fed, plan.files_removed), (2, 0));
    let moved = plan.narrowed.unwrap();
    assert!(moved.bytes_chunks * 3 < moved.bytes_whole, "{moved:?}");
    assert_eq!(is_narrowed(&world).await, all);

    // Rows that are chosen no longer, rows that are from now on, and rows that go.
    let leipzig = |before: &RecordBatch| {
        let plants = before.column_by_name("plant").unwrap().as_string::<i32>();
        let swapped = plants.iter().map(|plant| match plant {
            Some("Leipzig") => Some("zqPLANTED-elsewhere"),
            _ => Some("Leipzig"),
        });
        let swapped: ArrayRef = Arc::new(swapped.collect::<StringArray>());
        let schema = before.schema();
        let columns = schema.fields().iter().zip(before.columns());
        let columns = columns.map(|(field, column)| match field.name().as_str() {
            "plant" => Arc::clone(&swapped),
            _ => Arc::clone(column),
        });
        RecordBatch::try_new(schema.clone(), columns.collect()).unwrap()
    };
    // Of each ten the last is not chosen.
    change(&world, &mut writer, 4, |id| id < 20, Some(&leipzig)).await;
    assert_eq!(by_feed(&world).await.sets_fed, 2);
    assert_eq!(is_narrowed(&world).await, all - 18 + 2);
    change(&world, &mut writer, 5, |id| (100..120).contains(&id), None).await;
    assert_eq!(by_feed(&world).await.sets_fed, 2);
    assert_eq!(is_narrowed(&world).await, all - 16 - 18);

    // What came, changed and went between two runs, and a compaction of it all.
    append(&mut writer, 6, 50_000..50_020, 3).await;
    change(&world, &mut writer, 7, |id| id >= 50_010, Some(&seen)).await;
    change(&world, &mut writer, 8, |id| id >= 50_015 || id == 200, None).await;
    assert!(by_feed(&world).await.sets_fed > 0);
    assert_eq!(is_narrowed(&world).await, all - 34 - 1 + 14);
    writer.compact(at(9)).await.unwrap();
    let plan = by_feed(&world).await;
    assert_eq!((plan.sets_by_rows, plan.sets_fed), (2, 0));
    assert_eq!((plan.files_copy, plan.bytes_copy), (0, 0));
    assert_eq!(is_narrowed(&world).await, all - 21);

    // And by the rest of the way to a checkpoint.
    for version in 10..14 {
        change(
            &world,
            &mut writer,
            version,
            |id| id % 97 == version,
            Some(&other(None, version)),
        )
        .await;
        by_feed(&world).await;
    }
    let keys = world.target.keys();
    assert!(keys.iter().any(|key| key.ends_with("checkpoint.parquet")));
    is_narrowed(&world).await;
    let feed = world.source.keys().into_iter();
    let feed = feed.filter(|key| key.starts_with("_change_data"));
    let said = feed.map(|key| planted(&world.source.bytes_now(&key)));
    assert!(said.sum::<usize>() > 500, "the feed says nothing of it");
}

#[tokio::test]
async fn rows_of_which_none_is_chosen_cost_no_file() {
    let (world, mut writer) = fed(narrow("id >= 100000"), 500).await;
    world.sync_done().await;
    assert_eq!(is_narrowed(&world).await, 0);
    change(
        &world,
        &mut writer,
        2,
        |id| id % 50 == 0,
        Some(&other(None, 1)),
    )
    .await;
    let plan = by_feed(&world).await;
    assert_eq!((plan.sets_fed, plan.rows_full), (1, Some(0)));
    assert_eq!(is_narrowed(&world).await, 0);
    // What was noted is noted still: nothing to do, and the next change is followed.
    assert!(matches!(world.sync().await, Outcome::Nothing { .. }));
    change(
        &world,
        &mut writer,
        3,
        |id| id % 70 == 0,
        Some(&other(None, 2)),
    )
    .await;
    assert_eq!(by_feed(&world).await.sets_fed, 1);
    is_narrowed(&world).await;
}

#[tokio::test]
async fn a_feed_that_does_not_agree_with_the_log_is_not_applied() {
    let (world, mut writer) = fed(narrow("plant = 'Leipzig'"), 500).await;
    world.sync_done().await;
    // It forgets a row that went.
    let half = |id: i64| id == 10 || id == 12;
    change(&world, &mut writer, 2, half, None).await;
    let key = format!("_delta_log/{:020}.json", 2);
    let commit = world.source.bytes_now(&key).to_vec();
    let commit = String::from_utf8(commit).unwrap();
    let lines = commit.lines().filter(|line| !line.contains("\"cdc\""));
    let lines: String = lines.map(|line| format!("{line}\n")).collect();
    world.source.put_now(&key, lines);
    let gone = rows(writer.schema(), 10..11, 0);
    say(&world, 2, &vec![(gone, "delete")]);
    let run = world.run();
    assert!(matches!(world.drive(&run).await.unwrap(), Outcome::Done(_)));
    assert!(world.journal.record(run.id).files_only);
    assert_eq!(is_narrowed(&world).await, 448);
    // For some runs it is not tried again.
    change(&world, &mut writer, 3, |id| id == 30, None).await;
    let plan = world.sync_done().await;
    assert_eq!((plan.sets_by_rows, plan.files_for), (0, 3));
    assert!(plan.why.unwrap().contains("lately"));
    is_narrowed(&world).await;
}

/// A world whose source is one that deltalake wrote, with a feed and compactions.
fn of_python(name: &str) -> (World, by_rows::Commits) {
    let (mut world, commits) = by_rows::world(name, BOTH);
    let what = model::Narrowing {
        drop: vec!["word".to_owned()],
        pseudonymise: vec!["day".to_owned()],
        rows: None,
    };
    world.narrow = Some(Narrow::new(what, [5; 32]));
    (world, commits)
}

async fn is_equal(world: &World) {
    let (pair, narrow) = (world.pair(), world.narrow.clone().unwrap());
    let from = pair.source.latest_version().await.unwrap().unwrap();
    let to = pair.target.latest_version().await.unwrap().unwrap();
    let theirs = narrow::sums(&pair.source, from, &narrow, (&pair.target, to)).await;
    let ours = crate::sums(&pair.target, to).await.unwrap();
    compare(&theirs.unwrap(), &ours).unwrap();
    let looked = look(&pair.target, to).await.unwrap();
    assert!(looked.wrong.is_empty(), "{looked:?}");
}

#[tokio::test]
async fn a_table_that_deltalake_wrote_is_followed_by_its_feed() {
    let (world, commits) = of_python("rows");
    let (mut sets, mut bytes) = (Vec::new(), 0);
    for version in 0..=11 {
        by_rows::commit(&world, &commits, version);
        let plan = by_feed(&world).await;
        sets.push(plan.sets_by_rows);
        bytes += plan.bytes_copy;
        is_equal(&world).await;
    }
    // As whole replicas follow it, compactions left alone.
    assert_eq!(sets, [0, 0, 1, 1, 1, 1, 0, 1, 1, 0, 1, 1]);
    let (mut files, commits) = of_python("rows");
    files.ways = Ways::FILES;
    let mut all = 0;
    for version in 0..=11 {
        by_rows::commit(&files, &commits, version);
        all += files.sync_done().await.bytes_copy;
    }
    assert!(bytes * 2 < all, "{bytes} of {all}");

    // A set is given up for what the source restores, and followed again.
    let (world, mut commits) = of_python("rows");
    (0..=4).for_each(|version| by_rows::commit(&world, &commits, version));
    world.sync_done().await;
    by_rows::commit(&world, &commits, 5);
    assert_eq!(by_feed(&world).await.sets_by_rows, 1);
    let pair = world.pair();
    let (was, now) = (
        pair.source.snapshot(Some(4)).await,
        pair.source.snapshot(Some(5)).await,
    );
    let (was, now) = (was.unwrap(), now.unwrap());
    let removes = now
        .files
        .values()
        .filter(|file| !was.files.contains_key(&file.file_key()));
    let removes = removes.map(|file| {
        json!({ "remove": {
        "path": file.path, "dataChange": true, "deletionTimestamp": 5, "partitionValues": {},
    } })
    });
    let adds = was
        .files
        .values()
        .filter(|file| !now.files.contains_key(&file.file_key()));
    let adds = adds.map(|file| json!({ "add": file.raw }));
    let said = json!({ "commitInfo": { "operation": "RESTORE" } });
    let lines: Vec<Value> = std::iter::once(said).chain(removes).chain(adds).collect();
    commits.insert(6, lines);
    by_rows::commit(&world, &commits, 6);
    let plan = world.sync_done().await;
    assert_eq!(plan.sets_by_rows, 0);
    is_equal(&world).await;
}

async fn two_syncs(
    world: &World,
    commits: &by_rows::Commits,
    runs: &[Run; 2],
) -> Result<(), RunError> {
    (0..=5).for_each(|version| by_rows::commit(world, commits, version));
    world.drive(&runs[0]).await?;
    (6..=8).for_each(|version| by_rows::commit(world, commits, version));
    world.drive(&runs[1]).await?;
    Ok(())
}

#[tokio::test]
async fn a_narrowed_run_cut_off_at_any_effect_ends_the_same() {
    let state = async |world: &World| {
        let commits = (0..2).map(|version| world.replica_commit(version));
        let commits: Vec<_> = commits.collect();
        (world.target.keys(), world.replica_paths().await, commits)
    };
    let (calm, commits) = of_python("rows");
    let runs = [calm.run(), calm.run()];
    two_syncs(&calm, &commits, &runs).await.unwrap();
    let expected = state(&calm).await;
    assert_eq!(calm.journal.record(runs[1].id).plan.unwrap().sets_fed, 1);
    for mode in [Mode::Dies, Mode::DiesAfter] {
        let mut fired = 0;
        for n in 0.. {
            let (world, commits) = of_python("rows");
            let runs = [world.run(), world.run()];
            // The first run is another test's.
            (0..=5).for_each(|version| by_rows::commit(&world, &commits, version));
            world.drive(&runs[0]).await.unwrap();
            world.faults.arm(n, mode);
            let result = two_syncs(&world, &commits, &runs).await;
            if !world.faults.fired() {
                result.unwrap();
                break;
            }
            fired += 1;
            world.faults.disarm();
            let again = world.taken_over(n, &runs);
            two_syncs(&world, &commits, &again).await.unwrap();
            assert_eq!(state(&world).await, expected, "effect {n}, {mode:?}");
            is_equal(&world).await;
        }
        assert!(fired > 15, "only {fired} effects");
    }
}
