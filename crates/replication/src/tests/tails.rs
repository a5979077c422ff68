//! Planning from the tails of both logs: the same plan as comparing the states gives, or none.

use std::collections::{BTreeMap, HashSet};

use delta::{AddFile, FileKey};
use model::Clock as _;
use serde_json::{Value, json};

use super::world::{World, add, configured, metadata, protocol, remove};
use crate::choose::Ways;
use crate::commit::Draft;
use crate::intent;
use crate::plan::{Ask, Pair, Plan, PlanSummary, Planned, plan_for, standing};
use crate::tail::{self, MOST_TAILS, Since, Untailed};

const COMMIT_0: &str = "_delta_log/00000000000000000000.json";

fn ask(whole: bool) -> Ask {
    Ask {
        run: uuid::Uuid::from_u128(77).into(),
        ordinal: 1,
        pin: None,
        expected: None,
        claimed: true,
        files_only: false,
        whole,
        newest: false,
        unfed: false,
    }
}

/// Plans the next run in both ways and compares, if it can be planned from the tails. Whether it can.
pub(crate) async fn agree(world: &World) -> bool {
    let (pair, at) = (world.pair(), world.clock.now());
    let Ok(Planned::Work(ours)) = plan_for(&pair, ask(false), at).await else {
        return false;
    };
    if !ours.summary.is_of_tails() {
        return false;
    }
    let Planned::Work(whole) = plan_for(&pair, ask(true), at).await.unwrap() else {
        panic!("the states are the same")
    };
    let source = pair.source.snapshot(Some(ours.summary.source_version));
    let source = source.await.unwrap();
    let told = source.tombstones.iter().map(|file| file.file_key());
    same(&ours, &whole, &told.collect());
    true
}

/// `known`: of which files the source's newest state still says that they went. A checkpoint leaves that out after a while, and then
/// the commits alone know since when.
fn same(ours: &Plan, whole: &Plan, known: &HashSet<FileKey>) {
    // Of a file that went a source seldom says how many rows it had.
    let rows = (ours.summary.rows_full, whole.summary.rows_full);
    assert!(rows.0.is_none() || rows.0 == rows.1, "{rows:?}");
    let told = |plan: &Plan| PlanSummary {
        rows_full: None,
        rows_added: None,
        basis: None,
        // Of what is not thought of there is no reason.
        why: None,
        ways: None,
        ..plan.summary.clone()
    };
    assert_eq!(told(ours), told(whole));
    let basis = whole.summary.basis.as_ref().unwrap();
    let ours_basis = ours.summary.basis.as_ref().unwrap();
    assert_eq!(
        (basis.feed, basis.timestamps, basis.retention_hours),
        (
            ours_basis.feed,
            ours_basis.timestamps,
            ours_basis.retention_hours
        )
    );

    let sorted = |plan: &Plan| {
        let mut copies = plan.copies.clone();
        copies.sort_by(|one, other| one.dst.cmp(&other.dst));
        copies
    };
    assert_eq!(sorted(ours), sorted(whole));
    assert!(whole.reused.is_empty() && whole.chosen.works.is_empty());

    let (one, other) = (&ours.draft, &whole.draft);
    let adds = |files: &[std::sync::Arc<AddFile>]| -> BTreeMap<FileKey, Value> {
        let said = files.iter();
        said.map(|file| (file.file_key(), intent::add_action(file, true)))
            .collect()
    };
    assert_eq!(adds(&one.adds), adds(&other.adds));
    assert_eq!(one.adds.len(), other.adds.len());
    // Tags and row ids of a file that went are the source's to repeat, and not every writer does.
    let removes = |draft: &Draft| -> BTreeMap<FileKey, (Value, Option<i64>)> {
        let said = draft.removes.iter().map(|file| {
            let key = file.file_key();
            let gone = draft.gone.get(&key).copied();
            let mut action = intent::remove_action(file, 0, gone);
            let said = action.as_object_mut().unwrap();
            // A vector is part of the key.
            let compared = ["path", "partitionValues", "size", "dataChange"];
            said.retain(|name, _| compared.contains(&name.as_str()));
            (key, (action, gone))
        });
        said.collect()
    };
    let (ours_gone, mut whole_gone) = (removes(one), removes(other));
    for (key, (_, gone)) in &mut whole_gone {
        if gone.is_none() && !known.contains(key) {
            *gone = ours_gone.get(key).and_then(|(_, gone)| *gone);
        }
    }
    assert_eq!(ours_gone, whole_gone);
    for draft in [one, other] {
        assert!(draft.protocol.is_none() && draft.metadata.is_none() && draft.domains.is_empty());
        assert!(draft.updates.is_empty() && draft.own.is_empty() && draft.retold.is_empty());
        assert!(!draft.timestamps_begin);
    }
    assert_eq!(
        (one.timestamps, one.held_millis),
        (other.timestamps, other.held_millis)
    );
}

/// A tombstone as most writers write them.
fn gone(path: &str, size: u64) -> Value {
    json!({ "remove": {
        "path": path, "deletionTimestamp": 1, "dataChange": true, "extendedFileMetadata": true,
        "partitionValues": { "p": null }, "size": size,
    } })
}

fn quiet(mut action: Value) -> Value {
    for (_, said) in action.as_object_mut().unwrap().iter_mut() {
        said["dataChange"] = json!(false);
    }
    action
}

#[tokio::test]
async fn what_the_tails_say_is_what_the_states_come_to() {
    type Case = (&'static str, fn(&World), &'static [&'static str]);
    let cases: [Case; 6] = [
        (
            "an append",
            |world| world.commit(1, &[world.add("c", 5)]),
            &["a", "b", "c"],
        ),
        (
            "a file for another",
            |world| world.commit(1, &[gone("a", 10), world.add("c", 5)]),
            &["b", "c"],
        ),
        ("nothing at all", |world| world.commit(1, &[]), &["a", "b"]),
        (
            "what came and went",
            |world| {
                world.commit(1, &[world.add("brief", 5)]);
                world.commit(2, &[remove("brief", 1), world.add("c", 6)]);
                world.commit(3, &[gone("b", 20)]);
            },
            &["a", "c"],
        ),
        (
            "something new about a new file",
            |world| {
                world.commit(1, &[world.add("c", 5)]);
                let mut better = add("c", 5);
                better["add"]["tags"] = json!({ "ZCUBE_ID": "1" });
                world.commit(2, &[quiet(better)]);
            },
            &["a", "b", "c"],
        ),
        (
            "an object that is two files of the log",
            |world| world.commit(1, &[world.add("x y", 7), add("x%20y", 7)]),
            &["a", "b", "x y", "x%20y"],
        ),
    ];
    for (what, change, paths) in cases {
        let world = World::with_two_files();
        world.sync_done().await;
        change(&world);
        assert!(agree(&world).await, "{what}");
        let plan = world.sync_done().await;
        assert!(plan.is_of_tails(), "{what}");
        assert_eq!(world.replica_paths().await, paths, "{what}");
        // What is found by looking is known after that.
        let rows = 3 * u64::try_from(paths.len()).unwrap();
        assert_eq!(plan.rows_full, Some(rows), "{what}");

        // And so on from there.
        let next = plan.source_version + 1;
        world.commit(next, &[world.add("later", 8)]);
        assert!(agree(&world).await, "{what}");
        let plan = world.sync_done().await;
        assert_eq!(plan.basis.unwrap().tails, 2, "{what}");
    }
}

/// What is said instead of a plan; empty for a plan.
async fn why(world: &World, pair: &Pair) -> String {
    let (mark, latest) = (standing(pair, ask(false)), pair.source.latest());
    let (target_version, mark) = mark.await.unwrap().unwrap();
    let latest = latest.await.unwrap().unwrap();
    let since = Since {
        target_version,
        mark: &mark,
        latest: &latest,
        version: latest.version,
        print: "1/1",
    };
    match tail::plan(pair, ask(false), world.clock.now(), &since).await {
        Ok(_) => String::new(),
        Err(Untailed::Whole(why)) => why.to_owned(),
        Err(Untailed::Failed(error)) => panic!("{error}"),
    }
}

/// Changes what the replica's first commit says of itself.
fn marked(world: &World, change: impl FnOnce(&mut Value)) {
    let commit = world.target.bytes_now(COMMIT_0);
    let text = std::str::from_utf8(&commit).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    let mut info: Value = serde_json::from_str(first).unwrap();
    change(&mut info["commitInfo"]["entrepot"]);
    world.target.put_now(COMMIT_0, format!("{info}\n{rest}"));
}

#[tokio::test]
async fn what_the_tails_leave_open_is_asked_of_the_states() {
    type Case = (&'static str, fn(&World));
    let append = |world: &World| world.commit(1, &[world.add("c", 5)]);
    let cases: [Case; 20] = [
        ("does not say what the source came to", |world| {
            marked(world, |mark| {
                mark.as_object_mut().unwrap().remove("totals");
            });
        }),
        ("is unclear", |world| {
            marked(world, |mark| mark["totals"] = json!({ "keys": 7 }));
        }),
        ("is unclear", |world| {
            marked(world, |mark| mark["totals"]["keys"] = json!("many"));
        }),
        ("another release", |world| {
            marked(world, |mark| {
                mark["totals"]["basis"]["release"] = json!("0.0.0");
            });
        }),
        ("not been compared for long", |world| {
            marked(world, |mark| {
                mark["totals"]["basis"]["tails"] = json!(MOST_TAILS);
            });
        }),
        ("no longer has the commit", |world| {
            let again = [metadata("source-2"), world.add("a", 10)];
            world.commit(0, &again);
        }),
        ("or very many", |world| {
            let key = "_delta_log/00000000000000005000.checkpoint.parquet";
            world.source.put_now(key, "x");
        }),
        ("cleaned away", |world| {
            let key = "_delta_log/00000000000000000002.checkpoint.parquet";
            world.source.put_now(key, "x");
        }),
        ("cannot be read", |world| {
            world.commit(2, &[json!({ "add": { "path": "c" } })]);
        }),
        ("protocol, metadata or domains", |world| {
            world.commit(2, &[protocol()]);
        }),
        ("protocol, metadata or domains", |world| {
            world.commit(2, &[metadata("source-1")]);
        }),
        ("protocol, metadata or domains", |world| {
            let domain = json!({ "domain": "d", "configuration": "c", "removed": false });
            world.commit(2, &[json!({ "domainMetadata": domain })]);
        }),
        ("came with a deletion vector", |world| {
            let mut file = world.add("d", 5);
            file["add"]["deletionVector"] = json!({
                "storageType": "i", "pathOrInlineDv": "abc", "sizeInBytes": 3, "cardinality": 1,
            });
            world.commit(2, &[file]);
        }),
        ("went and came back", |world| {
            world.commit(2, &[gone("a", 10)]);
            world.commit(3, &[world.add("a", 10)]);
        }),
        ("how large it was", |world| {
            world.commit(2, &[remove("a", 1)]);
        }),
        ("more went than there was", |world| {
            world.commit(2, &[gone("a", 1_000)]);
        }),
        ("very many files are new", |world| {
            let files: Vec<Value> = (0..1_001).map(|n| add(&format!("f{n}"), 1)).collect();
            world.commit(2, &files);
        }),
        // Left behind by a run that was broken off; or said anew of a file that is held, and taken out then.
        ("stands at the replica", |world| {
            world.target.put_now("c", "x");
        }),
        ("stands at the replica", |world| {
            world.commit(2, &[world.add("a", 10)]);
        }),
        ("stands at the replica", |world| {
            world.commit(2, &[world.add("a", 10)]);
            world.commit(3, &[gone("a", 10)]);
        }),
    ];
    for (says, change) in cases {
        let world = World::with_two_files();
        world.sync_done().await;
        append(&world);
        assert_eq!(why(&world, &world.pair()).await, "", "{says}");
        change(&world);
        let said = why(&world, &world.pair()).await;
        assert!(said.contains(says), "{says}: {said}");
    }

    let world = World::with_two_files();
    world.sync_done().await;
    append(&world);
    let pair = Pair {
        retention_hours: 24,
        ..world.pair()
    };
    assert!(why(&world, &pair).await.contains("another time"));
    let pair = Pair {
        mend: Some(crate::Mend::default()),
        ..world.pair()
    };
    assert!(why(&world, &pair).await.contains("mended"));
    // The next run makes good what the last one could not say.
    marked(&world, |mark| {
        mark.as_object_mut().unwrap().remove("totals");
    });
    assert!(!world.sync_done().await.is_of_tails());
    world.commit(2, &[world.add("d", 5)]);
    assert!(world.sync_done().await.is_of_tails());
}

/// Whether rows are changed by the feed, or a compaction is left alone, depends on what the replica holds; and so does what that would
/// have moved where it is switched off.
#[tokio::test]
async fn what_may_be_done_by_rows_is_a_matter_of_states() {
    let cdc = json!({ "cdc": {
        "path": "_change_data/x", "partitionValues": { "p": null }, "size": 3, "dataChange": false,
    } });
    for (skip, has_feed, rewrites) in [
        (false, true, true),
        (false, true, false),
        (false, false, true),
        (true, false, true),
        (true, false, false),
    ] {
        let mut world = World::new();
        world.ways = Ways {
            skip,
            ..Ways::default()
        };
        let on = json!({ "delta.enableChangeDataFeed": has_feed.to_string() });
        let file = world.add("a", 10);
        world.commit(0, &[protocol(), configured("source-1", &on), file]);
        world.sync_done().await;
        let mut actions = vec![gone("a", 10), world.add("c", 5)];
        match (rewrites, has_feed) {
            (true, true) => actions.push(cdc.clone()),
            (true, false) => actions = actions.into_iter().map(quiet).collect(),
            (false, _) => {}
        }
        world.commit(1, &actions);
        assert_eq!(
            agree(&world).await,
            !rewrites,
            "{skip} {has_feed} {rewrites}"
        );
        world.sync_done().await;
        assert_eq!(world.replica_paths().await, ["c"]);
    }
}

/// A writer whose tombstones lie about its files: the replica has the right ones, and is not taken for a wrong one.
#[tokio::test]
async fn a_tombstone_that_lies_costs_a_look_at_the_state_and_no_quarantine() {
    let world = World::with_two_files();
    world.sync_done().await;
    world.commit(1, &[gone("a", 11)]);
    let plan = world.sync_done().await;
    assert_eq!((plan.is_of_tails(), plan.bytes_full), (true, 20));
    assert_eq!((plan.files_full, plan.rows_full), (1, Some(3)));
    assert_eq!(world.replica_paths().await, ["b"]);
    // One that was never there.
    world.commit(2, &[gone("never", 1), world.add("c", 5)]);
    let plan = world.sync_done().await;
    assert_eq!((plan.files_full, plan.bytes_full), (2, 25));
    assert_eq!(world.replica_paths().await, ["b", "c"]);
}

/// What is wrong with the replica itself is found as ever.
#[tokio::test]
async fn a_replica_that_differs_is_found_after_a_plan_from_tails() {
    let world = World::with_two_files();
    world.sync_done().await;
    // Somebody wrote the replica's first commit anew, without a file and without a trace.
    let commit = world.target.bytes_now(COMMIT_0);
    let text = std::str::from_utf8(&commit).unwrap();
    let lines = text.lines().filter(|line| !line.contains("\"path\":\"b\""));
    let without: String = lines.map(|line| format!("{line}\n")).collect();
    assert_ne!(without.len(), text.len());
    world.target.put_now(COMMIT_0, without);
    world.commit(1, &[world.add("c", 5)]);
    let outcome = world.sync().await;
    let crate::Outcome::Differs { why } = outcome else {
        panic!("{outcome:?}")
    };
    assert!(why.contains("the live files"), "{why}");
}

#[tokio::test]
async fn no_checkpoint_is_read_where_the_tails_do() {
    let world = World::with_two_files();
    world.commit(1, &[world.add("c", 5)]);
    world.sync_done().await;
    for (store, version) in [(&world.source, 1), (&world.target, 0)] {
        let key = format!("_delta_log/{version:020}.checkpoint.parquet");
        store.put_now(&key, "no parquet at all, but long enough for a footer");
        store.put_now(
            "_delta_log/_last_checkpoint",
            format!("{{\"version\":{version}}}"),
        );
    }
    world.commit(2, &[world.add("d", 6), gone("a", 10)]);
    world.source.forget();
    world.target.forget();
    assert_eq!(why(&world, &world.pair()).await, "");
    for asked in [world.source.asked(), world.target.asked()] {
        let is_read = |what: &String| what.contains("checkpoint.parquet");
        assert!(!asked.iter().any(is_read), "{asked:?}");
    }
    // Only what is new is looked for.
    let looks: Vec<String> = world.target.asked();
    let looks = looks.iter().filter(|asked| asked.starts_with("head "));
    assert_eq!(looks.collect::<Vec<_>>(), ["head d"]);
}
