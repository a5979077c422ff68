//! Runs of narrowed replicas that meet damage, are cut off, or find the source or the replica other than they left it.

use std::collections::HashSet;
use std::sync::Arc;

use delta::write::arrow::array::BooleanArray;
use delta::write::arrow::record_batch::RecordBatch;
use delta::write::arrow_schema::{DataType, Field, Schema};
use delta::write::{NewTable, Writer};
use model::RunState;

use super::super::probe::Mode;
use super::super::world::World;
use super::{PLANTED, append, at, fields, is_narrowed, narrow, started};
use crate::drive::{Outcome, Run, RunError, drive};

#[tokio::test]
async fn a_damaged_file_fails_the_run_and_repeats_no_value() {
    let (world, writer) = started(Some(narrow("")), 100).await;
    let key = writer
        .snapshot()
        .files
        .values()
        .next()
        .unwrap()
        .key
        .to_string();
    let mut bytes = world.source.bytes_now(&key).to_vec();
    for byte in &mut bytes[4..400] {
        *byte ^= 0x5a;
    }
    world.source.put_now(&key, bytes);
    let Outcome::Failed { why } = world.sync().await else {
        panic!("not failed")
    };
    assert!(
        why.contains("cannot be narrowed") && !why.contains(PLANTED),
        "{why}"
    );
    assert!(
        !world
            .target
            .keys()
            .iter()
            .any(|key| key.starts_with("_delta_log"))
    );
    // Gone altogether: it is planned again, and then the source is corrupt.
    world.source.delete_now(&key);
    let Outcome::Failed { why } = world.sync().await else {
        panic!("not failed")
    };
    assert!(why.contains("is not there"), "{why}");
}

/// Of a replica that keeps its source's versions: the newest may do without the file.
#[tokio::test]
async fn a_damaged_file_of_a_version_on_the_way_is_passed_over() {
    let (mut world, mut writer) = started(Some(narrow("")), 40).await;
    world.each = true;
    world.sync_done().await;
    let keys = |writer: &Writer| -> HashSet<String> {
        let files = writer.snapshot().files.values();
        files.map(|file| file.key.to_string()).collect()
    };
    let before = keys(&writer);
    append(&mut writer, 2, 40..50, 0).await;
    let after = keys(&writer);
    let nothing = |batch: &RecordBatch| Ok(BooleanArray::from(vec![false; batch.num_rows()]));
    writer.delete_where(at(3), nothing).await.unwrap();
    append(&mut writer, 4, 60..65, 0).await;
    for key in after.difference(&before) {
        let mut bytes = world.source.bytes_now(key).to_vec();
        let end = bytes.len().min(400);
        for byte in &mut bytes[4..end] {
            *byte ^= 0x5a;
        }
        world.source.put_now(key, bytes);
    }
    let plan = world.sync_done().await;
    assert_eq!((plan.source_version, plan.more), (4, 0));
    assert_eq!(
        plan.commits.as_deref(),
        Some(
            "Versions 2 to 4 of the source come as one, for one of them cannot be copied by itself."
        )
    );
    assert_eq!(is_narrowed(&world).await, 5);
    // What follows comes by itself, and the plan says only what is left.
    append(&mut writer, 5, 70..75, 0).await;
    append(&mut writer, 6, 80..85, 0).await;
    let plan = world.sync_done().await;
    assert_eq!((plan.source_version, plan.more), (5, 1));
    assert_eq!(
        plan.commits.as_deref(),
        Some("One more version follows, by a run of its own.")
    );
    let plan = world.sync_done().await;
    assert_eq!((plan.source_version, plan.commits), (6, None));
}

async fn two_syncs(world: &World, runs: &[Run; 2]) -> Result<(), RunError> {
    world.drive(&runs[0]).await?;
    let table = world.pair().source;
    if table.latest_version().await.unwrap() == Some(1) {
        let mut writer = Writer::open(table, 7).await.unwrap();
        append(&mut writer, 2, 109..110, 0).await;
        append(&mut writer, 3, 120..123, 0).await;
    }
    world.drive(&runs[1]).await?;
    Ok(())
}

#[tokio::test]
async fn a_run_cut_off_at_any_effect_ends_the_same_and_fetches_nothing_twice() {
    let made = async || {
        let (world, _) = started(Some(narrow("plant = 'Leipzig'")), 50).await;
        world
    };
    let state = |world: &World| {
        let commits: Vec<_> = (0..2)
            .map(|version| world.replica_commit(version))
            .collect();
        (world.target.keys(), commits)
    };
    let calm = made().await;
    let runs = [calm.run(), calm.run()];
    two_syncs(&calm, &runs).await.unwrap();
    let expected = state(&calm);
    is_narrowed(&calm).await;
    // Parts of two partitions, then of two again, of which one leaves no row; and what that is noted at.
    assert_eq!(calm.target.data().len(), 5);

    for mode in [Mode::DiesAfter, Mode::Fails, Mode::Lost] {
        let mut fired = 0;
        for n in 0.. {
            let world = made().await;
            let runs = [world.run(), world.run()];
            world.faults.arm(n, mode);
            let result = two_syncs_under_faults(&world, &runs).await;
            if !world.faults.fired() {
                result.unwrap();
                break;
            }
            fired += 1;
            world.faults.disarm();
            let written = world.target.data();
            let again = world.taken_over(n, &runs);
            two_syncs(&world, &again).await.unwrap();
            assert_eq!(state(&world), expected, "effect {n}, {mode:?}");
            assert!(written.iter().all(|key| world.target.keys().contains(key)));
            for run in &again {
                assert_eq!(world.journal.record(run.id).state, RunState::Done);
            }
        }
        assert!(fired > 40, "only {fired} effects");
    }
}

/// The source's own commit is no effect of a run.
async fn two_syncs_under_faults(world: &World, runs: &[Run; 2]) -> Result<(), RunError> {
    world.drive(&runs[0]).await?;
    let dies = world.faults.pause();
    let table = world.pair().source;
    let mut writer = Writer::open(table, 7).await.unwrap();
    append(&mut writer, 2, 109..110, 0).await;
    append(&mut writer, 3, 120..123, 0).await;
    world.faults.go_on(dies);
    world.drive(&runs[1]).await?;
    Ok(())
}

#[tokio::test]
async fn a_source_made_anew_a_restored_file_and_a_damaged_replica_are_made_good() {
    let (world, mut writer) = started(Some(narrow("")), 40).await;
    world.sync_done().await;
    let first = writer
        .snapshot()
        .files
        .values()
        .map(|file| file.raw.clone());
    let first: Vec<_> = first.collect();
    let nothing = |batch: &RecordBatch| Ok(BooleanArray::from(vec![false; batch.num_rows()]));
    writer.delete_where(at(2), nothing).await.unwrap();
    world.sync_done().await;
    assert_eq!(is_narrowed(&world).await, 0);

    // Restored: what is still there is used again.
    let adds: Vec<_> = first
        .iter()
        .map(|raw| serde_json::json!({ "add": raw }))
        .collect();
    world.commit(3, &adds);
    world.source.forget();
    let plan = world.sync_done().await;
    assert_eq!((plan.files_reused, plan.bytes_copy), (2, 0));
    assert!(
        !world
            .source
            .asked()
            .iter()
            .any(|asked| asked.starts_with("get country"))
    );
    assert_eq!(is_narrowed(&world).await, 40);

    // Something of it is damaged, and found by its rows.
    let lost = world.replica_paths().await.remove(0);
    world.target.put_now(&lost, "not what it was");
    let mut pair = world.pair();
    pair.mend = Some(crate::Mend::default());
    let run = world.run();
    let mended = drive(&run, &pair, &world.engine(), &world.journal, &world.clock).await;
    assert!(matches!(mended.unwrap(), Outcome::Done(_)));
    assert_eq!(is_narrowed(&world).await, 40);

    // Made anew: another table under the same name, with a column more.
    for key in world.source.keys() {
        world.source.delete_now(&key);
    }
    let mut fields = fields();
    fields.push(Field::new("mail", DataType::Utf8, true));
    let new = NewTable {
        name: None,
        description: None,
        schema: Arc::new(Schema::new(fields)),
        partition_columns: vec!["country".into()],
        configuration: Default::default(),
    };
    let mut writer = Writer::create(world.pair().source, 8, at(4), new)
        .await
        .unwrap();
    append(&mut writer, 5, 100..110, 5).await;
    let plan = world.sync_done().await;
    assert_eq!(plan.full, Some(crate::FullReason::Recreated));
    assert_eq!(plan.narrowed.unwrap().left_out, ["mail"]);
    assert_eq!(is_narrowed(&world).await, 10);
}
