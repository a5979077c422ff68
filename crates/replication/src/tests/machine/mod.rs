//! Everything that can happen to a source, its replica and the runs between them, in any order: a source that is written, compacted,
//! restored, vacuumed and made anew, replicas that have less than their source, runs that die or are told wrong things at any effect and are taken up again, a source that
//! changes under a copy, and vacuums of the replica. Whatever happened, the replica has the rows of one version of the source, by
//! two readers; once a run is over, those of the newest.
//!
//! `TEST_STEPS` says how many steps are played (`cargo xtask test --nightly`: 10,000), `TEST_SEED` which. Seeds of histories that
//! failed stand in `proptest-regressions` and are played first.

mod look;
mod play;
mod source;
mod state;
mod vectors;

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use self::play::{Machine, Step};
use self::source::Change;
use super::probe::Mode;

/// Steps of one test without `TEST_STEPS`.
const STEPS: usize = 200;

/// The most steps of one history; half as many on average.
const LONGEST: usize = 40;

/// What happens to one table, whether it may have deletion vectors.
#[derive(Clone, Debug)]
struct History {
    has_vectors: bool,
    steps: Vec<Step>,
}

fn change() -> impl Strategy<Value = Change> {
    let any = || 0_u8..64;
    prop_oneof![
        1 => Just(Change::Nothing),
        6 => any().prop_map(Change::Append),
        4 => any().prop_map(Change::Update),
        2 => any().prop_map(Change::Delete),
        4 => any().prop_map(Change::DeleteByVector),
        3 => (any(), any()).prop_map(|(every, count)| Change::Merge(every, count)),
        4 => Just(Change::Compact),
        2 => any().prop_map(Change::Reorder),
        1 => any().prop_map(Change::Overwrite),
        2 => (1_u8..6).prop_map(Change::Restore),
        1 => Just(Change::AddColumn),
        1 => Just(Change::SetProperty),
        1 => Just(Change::Describe),
        2 => Just(Change::CleanLog),
        3 => Just(Change::Vacuum),
        1 => Just(Change::Recreate),
    ]
}

fn fault() -> impl Strategy<Value = Option<(i64, Mode)>> {
    let fault = (0_i64..70, prop::sample::select(Mode::ALL.to_vec()));
    prop::option::weighted(0.5, fault)
}

fn step() -> impl Strategy<Value = Step> {
    let meanwhile = prop::option::weighted(0.2, change());
    prop_oneof![
        12 => change().prop_map(Step::Change),
        1 => Just(Step::Checkpoint),
        9 => (fault(), meanwhile, any::<bool>()).prop_map(|(fault, meanwhile, is_elsewhere)| {
            Step::Sync { fault, meanwhile, is_elsewhere }
        }),
        2 => fault().prop_map(Step::Vacuum),
        2 => (1_i64..400).prop_map(Step::Wait),
    ]
}

fn histories() -> impl Strategy<Value = History> {
    let steps = prop::collection::vec(step(), 1..=LONGEST);
    (any::<bool>(), steps).prop_map(|(has_vectors, steps)| History { has_vectors, steps })
}

/// Half of the steps that are wished for.
fn play(seed: u64) {
    let wished = std::env::var("TEST_STEPS").ok();
    let steps = wished.map_or(STEPS, |steps| steps.parse::<usize>().unwrap() / 2);
    println!("TEST_SEED={seed}, {steps} steps");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let config = Config {
        cases: u32::try_from(steps.div_ceil(LONGEST / 2)).unwrap(),
        rng_seed: RngSeed::Fixed(seed),
        source_file: Some(file!()),
        max_shrink_iters: 300,
        ..Config::default()
    };
    let (played, tails) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let narrowed = AtomicUsize::new(0);
    let result = TestRunner::new(config).run(&histories(), |history| {
        played.fetch_add(history.steps.len(), Ordering::Relaxed);
        runtime.block_on(async {
            // Every other one leaves compactions alone, and two of three sources record their changes.
            let skips = history.steps.len() % 2 == 1;
            let has_feed = history.steps.len() % 3 != 0;
            // One of four keeps each version.
            let each = history.steps.len() % 4 == 1;
            // And one of three has less than its source, half of these some of the rows.
            let is_cut = history.steps.len() % 3 == 1;
            let mut machine = Machine::new(history.has_vectors, has_feed, skips, each);
            if is_cut {
                machine.cut(history.steps.len() % 4 < 2);
            }
            for step in history.steps {
                machine.take(step).await;
            }
            machine.come_to_rest().await;
            tails.fetch_add(machine.tails, Ordering::Relaxed);
            narrowed.fetch_add(machine.narrowed, Ordering::Relaxed);
        });
        Ok(())
    });
    if let Err(error) = result {
        panic!("TEST_SEED={seed}: {error}");
    }
    let (played, tails) = (played.into_inner(), tails.into_inner());
    let narrowed = narrowed.into_inner();
    println!(
        "{played} steps played, {tails} runs planned from the logs' tails, {narrowed} sets of narrowed replicas changed by rows"
    );
    assert!(
        played < STEPS / 2 || tails > 0,
        "no run was planned from the logs' tails"
    );
}

#[test]
fn whatever_happens_the_replica_has_the_rows_of_its_source() {
    play(41);
}

#[test]
fn whatever_else_happens_by_another_seed_each_time() {
    let seed = match std::env::var("TEST_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => RandomState::new().build_hasher().finish(),
    };
    play(seed);
}
