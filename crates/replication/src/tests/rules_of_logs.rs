//! The rules a replica must get right, each a test by its number: what the log says and what its readers go by.

use futures::FutureExt as _;
use model::Timestamp;
use model::time::HOUR;
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use serde_json::{Value, json};

use super::world::{SCHEMA, START, World, add, body, configured, metadata, protocol, remove};
use crate::copy::reads_of;
use crate::drive::Outcome;
use crate::mark::app_id;
use crate::{MARKER, plan_vacuum};

fn failed(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed { why } => why,
        other => panic!("not failed: {other:?}"),
    }
}

/// The same protocol with these reader and writer features.
fn needing(features: &[&str]) -> Value {
    json!({ "protocol": {
        "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features,
    } })
}

#[tokio::test]
async fn rule_14_a_file_without_statistics_stays_without() {
    let world = World::new();
    let mut bare = world.add("a", 10);
    bare["add"].as_object_mut().unwrap().remove("stats");
    let empty = json!({ "add": {
        "path": "b", "partitionValues": { "p": null }, "size": 10, "modificationTime": 1, "dataChange": true,
        "stats": "",
    } });
    world.source.put_now("b", body("b", 10));
    world.commit(0, &[protocol(), metadata("source-1"), bare, empty]);
    let plan = world.sync_done().await;
    // How many rows there are nobody has said.
    assert_eq!((plan.rows_full, plan.files_full), (None, 2));
    let adds = world.replica_actions(0, "add");
    assert_eq!(
        (adds[0].get("stats"), &adds[1]["stats"]),
        (None, &json!(""))
    );
    world.source.forget();
    assert!(matches!(world.sync().await, Outcome::Nothing { .. }));
    assert_eq!(world.source.reads(), 0);
}

#[tokio::test]
async fn rule_17_columns_that_get_other_names_come_in_one_commit_with_the_files_that_have_them() {
    let world = World::with_two_files();
    world.sync_done().await;
    let mapped = |mode: &str| {
        let mapping =
            json!({ "delta.columnMapping.mode": mode, "delta.columnMapping.maxColumnId": "2" });
        configured("source-1", &mapping)
    };
    let newer = json!({ "protocol": { "minReaderVersion": 2, "minWriterVersion": 5 } });
    world.commit(1, &[newer.clone(), mapped("name")]);
    let plan = world.sync_done().await;
    assert_eq!((plan.bytes_copy, plan.files_removed), (0, 0));
    let mode = |version: u64| {
        let said = world.replica_actions(version, "metaData")[0]["configuration"].clone();
        said["delta.columnMapping.mode"].clone()
    };
    assert_eq!(mode(1), "name");
    assert_eq!(world.replica_actions(1, "protocol")[0], newer["protocol"]);
    // Taken away again, all files are written anew.
    let files = [world.add("a2", 11), world.add("b2", 21)];
    let [a, b] = files;
    world.commit(2, &[mapped("none"), remove("a", 1), remove("b", 1), a, b]);
    let plan = world.sync_done().await;
    assert_eq!((plan.files_copy, plan.files_removed), (2, 2));
    assert_eq!(mode(2), "none");
    assert_eq!(world.replica_paths().await, ["a2", "b2"]);
}

#[tokio::test]
async fn rule_22_a_merged_commit_tells_no_wrong_changes() {
    let world = World::new();
    let on = json!({ "delta.enableChangeDataFeed": "true" });
    let file = world.add("a", 10);
    world.commit(0, &[protocol(), configured("source-1", &on), file]);
    world.sync_done().await;
    let feed = "_change_data/cdc-1.parquet";
    world.source.put_now(feed, body(feed, 900));
    let cdc = json!({ "cdc": {
        "path": feed, "partitionValues": { "p": null }, "size": 900, "dataChange": false,
    } });
    world.commit(1, &[remove("a", 1), world.add("c", 5), cdc]);
    world.sync_done().await;
    // Readers of changes are told that there are none, not wrong ones.
    let configuration = &world.replica_actions(0, "metaData")[0]["configuration"];
    assert_eq!(configuration["delta.enableChangeDataFeed"], "false");
    assert!(world.replica_actions(1, "cdc").is_empty());
    assert_eq!(world.target.data(), ["a", "c"]);
}

#[tokio::test]
async fn rule_23_how_far_streams_of_the_source_have_come_is_not_copied() {
    let world = World::with_two_files();
    let stream = |version: i64| json!({ "txn": { "appId": "nightly-load", "version": version } });
    world.commit(1, &[world.add("c", 5), stream(7)]);
    world.sync_done().await;
    world.commit(2, &[stream(8)]);
    world.sync_done().await;
    for version in 0..2 {
        let txns = world.replica_actions(version, "txn");
        assert_eq!(txns.len(), 1, "{txns:?}");
        assert_eq!(txns[0]["appId"], app_id(World::replica_table()).as_str());
    }
    // Neither does a snapshot know of it: a stream that is moved here begins where it was told to.
    let replica = world.pair().target.snapshot(None).await.unwrap();
    assert_eq!(replica.txns.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_24_of_a_log_that_was_cleaned_up_only_what_is_new_is_copied() {
    let world = World::with_two_files();
    world.sync_done().await;
    world.commit(1, &[world.add("c", 5), remove("a", 1)]);
    world.commit(2, &[world.add("d", 6)]);
    world.commit(3, &[world.add("e", 7), remove("d", 1)]);
    let source = world.pair().source;
    let newest = source.snapshot(None).await.unwrap();
    source.write_checkpoint(&newest).await.unwrap();
    for version in 0..3 {
        let key = format!("_delta_log/{version:020}.json");
        world.source.delete_now(&key);
    }
    world.source.forget();
    let plan = world.sync_done().await;
    let found = (plan.from_version, plan.source_version, plan.bytes_copy);
    assert_eq!(found, (Some(0), 3, 12));
    assert_eq!(world.source.reads(), 2);
    assert_eq!(world.replica_paths().await, ["b", "c", "e"]);
}

#[tokio::test]
async fn rules_16_26_39_what_cannot_be_followed_is_refused_by_name_before_a_byte() {
    for features in [
        &["deletionVectors", "catalogManaged"][..],
        &["catalogOwned-preview"],
        &["hologram"],
        &["geospatial"],
    ] {
        let world = World::new();
        let file = world.add("a", 10);
        let said = [needing(features), metadata("source-1"), file];
        world.commit(0, &said);
        let named = features.last().unwrap();
        let why = failed(world.sync().await);
        assert!(why.contains(*named), "{named}: {why}");
        assert_eq!(world.source.reads(), 0, "{named}");
        assert_eq!(world.target.keys(), [MARKER], "{named}");
    }
    // The same on a replica that stands: it stays as it was, and goes on once the source can be followed again.
    let world = World::with_two_files();
    world.sync_done().await;
    let before = world.target.keys();
    let file = world.add("c", 5);
    world.commit(1, &[needing(&["hologram"]), file]);
    assert!(failed(world.sync().await).contains("hologram"));
    assert_eq!(world.target.keys(), before);
    world.commit(2, &[needing(&[])]);
    world.sync_done().await;
    assert_eq!(world.replica_paths().await, ["a", "b", "c"]);
}

#[tokio::test]
async fn rule_39_actions_nobody_knows_are_passed_over() {
    let world = World::with_two_files();
    let strange = json!({ "hologram": { "path": "../../etc/passwd", "depth": [[[]]] } });
    world.commit(1, &[strange, world.add("c", 5)]);
    let plan = world.sync_done().await;
    assert_eq!(plan.files_copy, 3);
    assert!(world.replica_actions(0, "hologram").is_empty());
}

#[tokio::test]
async fn rule_32_tables_without_files_and_files_without_rows() {
    let world = World::new();
    world.commit(0, &[protocol(), metadata("source-1")]);
    let plan = world.sync_done().await;
    assert_eq!((plan.files_full, plan.rows_full), (0, Some(0)));
    assert_eq!(plan.bytes_copy, 0);
    assert!(world.replica_paths().await.is_empty());
    let mut hollow = world.add("hollow", 12);
    hollow["add"]["stats"] = json!("{\"numRecords\":0}");
    world.commit(1, &[hollow, world.add("none", 0)]);
    let plan = world.sync_done().await;
    assert_eq!((plan.files_copy, plan.bytes_copy), (2, 12));
    assert_eq!(world.target.bytes_now("none").len(), 0);
    world.commit(2, &[remove("hollow", 1), remove("none", 1)]);
    assert_eq!(world.sync_done().await.files_removed, 2);
    assert!(world.replica_paths().await.is_empty());
}

#[test]
fn rule_32_the_largest_object_a_store_holds_has_no_more_parts_than_it_takes() {
    // S3 takes 10,000 parts, of 5 GiB at most.
    let largest: u64 = 5 << 40;
    let parts = reads_of(largest);
    assert!(parts <= 10_000 && largest.div_ceil(parts) <= 5 << 30);
}

#[tokio::test]
async fn rule_33_a_partition_column_of_another_type_comes_with_the_files_that_have_it() {
    let world = World::new();
    let (was, is) = (
        SCHEMA,
        SCHEMA.replace("\"p\",\"type\":\"string\"", "\"p\",\"type\":\"integer\""),
    );
    assert_ne!(was, is);
    let of = |schema: &str| {
        let mut said = metadata("source-1");
        said["metaData"]["schemaString"] = json!(schema);
        said
    };
    let file = |path: &str, value: &str| {
        let mut file = world.add(path, 10);
        file["add"]["partitionValues"] = json!({ "p": value });
        file
    };
    world.commit(
        0,
        &[
            protocol(),
            of(was),
            file("p=07/a", "07"),
            file("p=8/b", "8"),
        ],
    );
    world.sync_done().await;
    // All of it is written anew, for a value's text depends on its type.
    let files = [file("p=7/c", "7"), file("p=8/d", "8")];
    let [c, d] = files;
    world.commit(1, &[of(&is), remove("p=07/a", 1), remove("p=8/b", 1), c, d]);
    let plan = world.sync_done().await;
    assert_eq!((plan.files_copy, plan.files_removed), (2, 2));
    let before = world.pair().target.snapshot(Some(0)).await.unwrap();
    let after = world.pair().target.snapshot(Some(1)).await.unwrap();
    for (replica, schema, values) in [(before, was, ["07", "8"]), (after, is.as_str(), ["7", "8"])]
    {
        assert_eq!(replica.metadata.schema_string, schema);
        let told = replica.files.values();
        let told: Vec<_> = told
            .map(|file| file.partition_values["p"].clone())
            .collect();
        assert_eq!(told, values.map(|value| Some(value.to_owned())));
    }
}

#[tokio::test]
async fn rule_36_orphans_are_as_old_as_the_store_says_whatever_the_clock_here() {
    let world = World::with_two_files();
    world.sync_done().await;
    world.target.put_now("left/behind", "x");
    let key = Path::from("left/behind");
    let there = world.target.inner.head(&key).now_or_never();
    let at = Timestamp::from_datetime(there.unwrap().unwrap().last_modified);
    let (target, table) = (world.pair().target, World::replica_table());
    // A clock that is behind deletes nothing, however long it has been running.
    for now in [at.plus(-10_000 * HOUR), at.plus(168 * HOUR - 1)] {
        let plan = plan_vacuum(&target, table, 168, now).await.unwrap();
        assert!(plan.delete.is_empty(), "{plan:?}");
    }
    let plan = plan_vacuum(&target, table, 168, at.plus(168 * HOUR));
    assert_eq!(plan.await.unwrap().delete.len(), 1);
}

#[tokio::test]
async fn rule_37_every_commit_says_which_version_of_the_source_it_is_and_of_when() {
    let world = World::with_two_files();
    for version in 1..4 {
        let name = format!("f{version}");
        world.commit(version, &[world.add(&name, 5)]);
        // The replica has times of its own; two of the source's versions may come at once.
        world.clock.advance(HOUR);
        if version != 2 {
            world.sync_done().await;
        }
    }
    let of = |version: u64| world.replica_commit(version)[0]["commitInfo"].clone();
    let said = [of(0), of(1)].map(|info| {
        let number = |name: &str| info[name].as_i64().unwrap();
        (
            number("sourceVersion"),
            number("sourceTimestamp"),
            number("timestamp"),
        )
    });
    let hour = HOUR / 1000;
    let expected = [
        (1, START - 1_000_000 + 1, START + hour),
        (3, START - 1_000_000 + 3, START + 3 * hour),
    ];
    assert_eq!(said, expected);
    let replica = world.pair().target.snapshot(Some(0)).await.unwrap();
    assert_eq!(replica.timestamp.millis(), START + hour);
}

#[tokio::test]
async fn rule_38_keys_that_some_stores_hold_in_their_own_way() {
    // As long as a key may be, at the ends of names what Windows would cut off, and names that differ by case alone.
    let longest = format!("{}/x", "d".repeat(1022));
    let keys = [
        longest.as_str(),
        "dots../x...",
        "Case/x",
        "case/x",
        "trailing /x",
    ];
    let world = World::new();
    let mut actions = vec![protocol(), metadata("source-1")];
    for key in keys {
        world.source.put_now(key, body(key, 20));
        actions.push(add(&key.replace(' ', "%20"), 20));
    }
    world.commit(0, &actions);
    assert_eq!(world.sync_done().await.files_copy, 5);
    for key in keys {
        assert_eq!(world.target.bytes_now(key), body(key, 20), "{key}");
    }
    // One more byte no store would take.
    let world = World::new();
    let longer = format!("{longest}x");
    world.commit(0, &[protocol(), metadata("source-1"), add(&longer, 20)]);
    let why = failed(world.sync().await);
    assert!(why.contains("longer than 1024 bytes"), "{why}");
    assert_eq!(world.target.keys(), [MARKER]);
}

#[tokio::test]
async fn rule_40_a_path_in_another_encoding_is_another_file_of_the_log_and_the_same_object() {
    let world = World::new();
    world.source.put_now("p=ü/x", body("p=ü/x", 9));
    let names = ["p=ü/x", "p=%C3%BC/x", "p=%c3%bc/x"];
    let mut actions = vec![protocol(), metadata("source-1")];
    actions.extend(names.map(|name| add(name, 9)));
    world.commit(0, &actions);
    let plan = world.sync_done().await;
    assert_eq!((plan.files_copy, plan.files_full), (1, 3));
    // A remove meets the add that was spelled as it is, and takes no object that another one needs.
    world.commit(1, &[remove(names[1], 1)]);
    world.sync_done().await;
    let mut left = [names[0], names[2]];
    left.sort_unstable();
    assert_eq!(world.replica_paths().await, left);
    let late = Timestamp::from_millis(START).plus(100_000 * HOUR);
    let (target, table) = (world.pair().target, World::replica_table());
    let plan = plan_vacuum(&target, table, 168, late).await.unwrap();
    assert!(plan.delete.is_empty(), "{plan:?}");
}

#[tokio::test]
async fn rule_41_what_statistics_say_of_a_file_goes_no_further_than_the_commit_that_added_it() {
    let world = World::new();
    let mut personal = world.add("a", 10);
    personal["add"]["stats"] = json!("{\"numRecords\":3,\"maxValues\":{\"x\":\"Erika\"}}");
    personal["add"]["tags"] = json!({ "owner": "Max" });
    let said = [protocol(), metadata("source-1"), personal];
    world.commit(0, &said);
    world.sync_done().await;
    world.commit(1, &[remove("a", 1)]);
    world.sync_done().await;
    let tells = |version: u64, word: &str| {
        let commit = world.replica_commit(version);
        commit
            .iter()
            .any(|action| action.to_string().contains(word))
    };
    // This residue is what an erasure has to count: the commit stands as long as the replica's log does.
    assert!(tells(0, "Erika") && tells(0, "Max"));
    assert!(!tells(1, "Erika"), "a tombstone needs no statistics");
    assert!(!tells(1, "Max"), "nor tags");
    let replica = world.pair().target.snapshot(None).await.unwrap();
    let tombstone = replica.tombstones[0].raw.to_string();
    let is_told = ["Erika", "Max"].iter().any(|word| tombstone.contains(word));
    assert!(!is_told, "{tombstone}");
}
