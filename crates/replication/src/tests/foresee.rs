//! What is foreseen of a run is what it then moves, and foreseeing moves nothing; a run with a budget stops before it is passed.

use model::{RunState, Timestamp};
use serde_json::{Value, json};

use super::world::{START, World, metadata, remove};
use crate::drive::{Outcome, Run};
use crate::foresee::{Foreseen, Foresight, Moves, foresee};
use crate::plan::FullReason;

/// A vector's object at the source, and how a file names it.
const VECTOR: &str = "deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin";
const VECTOR_NAME: &str = "^-aqEH.-t@S}K{vb[*k^";

fn protocol() -> Value {
    let features = ["deletionVectors"];
    json!({ "protocol": {
        "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features,
    } })
}

async fn look(world: &World) -> Foreseen {
    let now = Timestamp::from_millis(START);
    foresee(&world.pair(), None, now).await.unwrap()
}

/// What is foreseen, without a trace at either end.
async fn foreseen(world: &World) -> Foresight {
    let keys = (world.source.keys(), world.target.keys());
    world.source.forget();
    world.target.forget();
    let Foreseen::Work(found) = look(world).await else {
        panic!("nothing to do")
    };
    assert_eq!((world.source.keys(), world.target.keys()), keys);
    assert_eq!(world.source.reads(), 0, "{:?}", world.source.asked());
    let asked = [world.source.asked(), world.target.asked()].concat();
    let is_read = |what: &String| {
        ["get ", "head ", "list "]
            .iter()
            .any(|known| what.starts_with(known))
    };
    assert!(asked.iter().all(is_read), "{asked:?}");
    *found
}

/// Foresees, then runs: to the byte the same.
async fn then_moved(world: &World) -> Foresight {
    let found = foreseen(world).await;
    world.source.forget();
    let run = world.run();
    let Outcome::Done(plan) = world.drive(&run).await.unwrap() else {
        panic!("not done")
    };
    let copied = world.journal.record(run.id).copied;
    assert_eq!(
        (found.files.bytes, found.files.objects),
        (copied.bytes, copied.files)
    );
    assert_eq!(copied.bytes_read, found.files.bytes);
    assert_eq!(world.source.reads() as u64, found.files.requests);
    let told = |plan: &crate::PlanSummary| {
        (
            plan.from_version,
            plan.source_version,
            plan.target_version,
            plan.full,
            plan.bytes_copy,
            plan.bytes_full,
            plan.keys_digest.clone(),
        )
    };
    assert_eq!(told(&found.summary), told(&plan));
    found
}

fn moves(objects: u64, bytes: u64) -> Moves {
    Moves {
        objects,
        bytes,
        requests: objects,
    }
}

#[tokio::test]
async fn what_is_foreseen_is_what_the_run_moves() {
    let world = World::new();
    let actions = [
        protocol(),
        metadata("source-1"),
        world.add("a", 10),
        world.add("b", 20),
    ];
    world.commit(0, &actions);
    let first = then_moved(&world).await;
    assert_eq!((first.full, first.files), (moves(2, 30), moves(2, 30)));
    assert_eq!(first.summary.full, Some(FullReason::First));
    assert!(!first.are_vectors_enough);

    // A new file for an old one.
    world.commit(1, &[world.add("c", 5), remove("a", 1)]);
    let second = then_moved(&world).await;
    assert_eq!((second.full, second.files), (moves(2, 25), moves(1, 5)));
    assert_eq!(
        (second.vectors, second.are_vectors_enough),
        (moves(0, 0), false)
    );
    assert_eq!(
        (second.summary.from_version, second.summary.source_version),
        (Some(0), 1)
    );

    // Rows are deleted by a vector: it crosses alone.
    world.source.put_now(VECTOR, vec![1_u8; 60]);
    let mut file = super::world::add("b", 20);
    file["add"]["deletionVector"] = json!({
        "storageType": "u", "pathOrInlineDv": VECTOR_NAME, "offset": 1, "sizeInBytes": 40, "cardinality": 1,
    });
    world.commit(2, &[remove("b", 1), file]);
    let third = then_moved(&world).await;
    assert_eq!((third.files, third.vectors), (moves(1, 60), moves(1, 60)));
    assert!(third.are_vectors_enough);

    // The file comes back that the replica still has.
    world.commit(3, &[super::world::add("a", 10)]);
    let fourth = foreseen(&world).await;
    assert_eq!(
        (fourth.files, fourth.summary.files_reused),
        (moves(0, 0), 1)
    );
    world.sync_done().await;

    let found = look(&world).await;
    assert!(
        matches!(
            found,
            Foreseen::Nothing {
                source_version: 3,
                ..
            }
        ),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_budget_stops_a_run_before_it_is_passed() {
    let world = World::with_two_files();
    world.sync_done().await;
    world.commit(1, &[world.add("c", 100)]);
    world.source.forget();
    let (data, run) = (
        world.target.data(),
        Run {
            budget: Some(99),
            ..world.run()
        },
    );
    let Outcome::Failed { why } = world.drive(&run).await.unwrap() else {
        panic!("not stopped")
    };
    assert!(
        why.contains("would have moved 100 bytes in 1 object"),
        "{why}"
    );
    assert!(why.contains("its budget is 99 bytes"), "{why}");
    assert_eq!((world.source.reads(), world.target.data()), (0, data));

    // Planned without one, and taken up with one.
    let run = world.run();
    let mut record = crate::RunRecord::new(Timestamp::from_millis(START));
    let summary = foreseen(&world).await.summary;
    (record.state, record.plans, record.plan) = (RunState::Copying, 1, Some(summary));
    crate::RunJournal::save(&world.journal, run.id, 1, &record)
        .await
        .unwrap();
    let stopped = world
        .drive(&Run {
            budget: Some(99),
            ..run
        })
        .await
        .unwrap();
    assert!(matches!(stopped, Outcome::Failed { .. }), "{stopped:?}");
    assert_eq!(world.source.reads(), 0);

    let run = Run {
        budget: Some(100),
        ..world.run()
    };
    let done = world.drive(&run).await.unwrap();
    assert!(matches!(done, Outcome::Done(_)), "{done:?}");
}
