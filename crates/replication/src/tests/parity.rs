//! Tables that Spark wrote, one for each feature, followed version by version: the replica has the rows, the log and the metadata
//! of the source, each object crosses once, and a checkpoint of the replica says the same as its log.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use delta::{AddFile, LogError, Snapshot};
use model::Timestamp;
use serde_json::{Value, json};

use super::tails::agree;
use super::world::{START, World, add, configured, metadata, remove};
use crate::diff::keys_digest;
use crate::drive::Outcome;
use crate::intent::says_the_same;
use crate::plan::{Planned, plan};
use crate::prove::{compare, look, sums};
use crate::stands::represented;

/// Where the tables lie: those that are kept, or what Spark has written just now.
pub(super) fn tables() -> PathBuf {
    match std::env::var_os("TEST_TABLES") {
        Some(written) => PathBuf::from(written),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../end2end/tables"),
    }
}

fn fixture(name: &str) -> PathBuf {
    tables().join(name)
}

pub(super) fn files_below(folder: &Path, prefix: &str, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let key = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            files_below(&entry.path(), &format!("{key}/"), found);
        } else {
            found.insert(key, std::fs::read(entry.path()).unwrap());
        }
    }
}

/// The version of a commit's key.
pub(super) fn version_of(key: &str) -> Option<u64> {
    let name = key.strip_prefix("_delta_log/")?.strip_suffix(".json")?;
    (name.len() == 20).then(|| name.parse().ok()).flatten()
}

/// Of which version a key is a checkpoint, or a part of one.
fn checkpoint_of(key: &str) -> Option<u64> {
    let (version, rest) = key.strip_prefix("_delta_log/")?.split_at_checked(20)?;
    rest.starts_with(".checkpoint")
        .then(|| version.parse().ok())?
}

async fn latest(world: &World) -> (Snapshot, Snapshot) {
    let pair = world.pair();
    let source = pair.source.snapshot(None).await.unwrap();
    (source, pair.target.snapshot(None).await.unwrap())
}

async fn follow(name: &str) -> World {
    let world = followed(name).await;
    stands(&world).await;
    world
}

/// Follows a table of Spark's version by version.
pub(super) async fn followed(name: &str) -> World {
    let world = World::new();
    let mut objects = BTreeMap::new();
    files_below(&fixture(name), "", &mut objects);
    let said = std::fs::read(fixture(&format!("{name}.json"))).unwrap();
    let said: Value = serde_json::from_slice(&said).unwrap();
    let mut commits = BTreeMap::new();
    let mut checkpoints = Vec::new();
    for (key, bytes) in objects {
        match (version_of(&key), checkpoint_of(&key)) {
            (Some(version), _) => {
                commits.insert(version, (key, bytes));
            }
            (None, Some(version)) => checkpoints.push((version, key, bytes)),
            (None, None) => world.source.put_now(&key, bytes),
        }
    }
    let mut crossed: Vec<String> = Vec::new();
    let mut stamps = Vec::new();
    for (version, (key, bytes)) in commits {
        world.source.put_now(&key, bytes);
        let written = checkpoints.extract_if(.., |(of, ..)| *of <= version);
        for (_, key, bytes) in written {
            world.source.put_now(&key, bytes);
        }
        // However the run is planned, it is the same plan.
        agree(&world).await;
        world.source.forget();
        let plan = world.sync_done().await;
        let gets = world.source.asked().into_iter();
        let gets = gets.filter_map(|asked| asked.strip_prefix("get ").map(str::to_owned));
        let gets: Vec<String> = gets.filter(|key| !key.starts_with("_delta_log")).collect();
        assert_eq!(gets.len() as u64, plan.files_copy, "{name} {version}");
        crossed.extend(gets);
        assert_eq!(plan.source_version, version, "{name}");
        let pair = world.pair();
        let theirs = sums(&pair.source, version).await.unwrap();
        let ours = sums(&pair.target, plan.target_version).await.unwrap();
        assert_eq!(compare(&theirs, &ours).unwrap(), ours.rows());
        let looked = look(&pair.target, plan.target_version).await.unwrap();
        assert_eq!(looked.rows, ours.rows(), "{name} {version}");
        assert!(
            looked.wrong.is_empty() && ours.unreadable.is_empty(),
            "{looked:?}"
        );
        if let Some(rows) = said["states"][version.to_string()].as_array() {
            assert_eq!(ours.rows(), rows.len() as u64, "{name} {version}");
        }
        let info = &world.replica_commit(plan.target_version)[0]["commitInfo"];
        assert_eq!(info["sourceVersion"], version);
        let (source, _) = latest(&world).await;
        assert_eq!(info["sourceTimestamp"], source.timestamp.millis());
        stamps.extend(info["inCommitTimestamp"].as_i64());
    }
    let each = crossed.len();
    crossed.sort();
    crossed.dedup();
    assert_eq!(crossed.len(), each, "{name}: an object crossed twice");
    assert!(stamps.is_sorted_by(|a, b| a < b), "{name}: {stamps:?}");
    world
}

/// What the replica says of itself is what the source says, also when only a checkpoint is left to say it.
pub(super) async fn stands(world: &World) {
    let (source, replica) = latest(world).await;
    assert_eq!(represented(&replica).text(), keys_digest(&source));
    for (key, file) in &source.files {
        // Where rows were changed here, files of the replica's own stand for it.
        let there = replica.files.get(key);
        assert!(
            there.is_none_or(|there| says_the_same(file, there)),
            "{}",
            file.path
        );
    }
    assert_eq!(
        replica.metadata.schema_string,
        source.metadata.schema_string
    );
    assert_eq!(
        replica.metadata.partition_columns,
        source.metadata.partition_columns
    );
    for (property, value) in &source.metadata.configuration {
        let own = property.starts_with("delta.inCommitTimestampEnablement")
            || [
                "delta.checkpointPolicy",
                "delta.enableChangeDataFeed",
                "delta.deletedFileRetentionDuration",
            ]
            .contains(&property.as_str());
        let there = replica.metadata.configuration.get(property);
        assert!(own || there == Some(value), "{property}");
    }
    let lost = |of: &BTreeSet<String>, there: &BTreeSet<String>| {
        of.difference(there)
            .filter(|name| *name != "v2Checkpoint")
            .count()
    };
    let (theirs, ours) = (&source.protocol, &replica.protocol);
    assert_eq!(lost(&theirs.reader_features, &ours.reader_features), 0);
    assert_eq!(lost(&theirs.writer_features, &ours.writer_features), 0);
    assert_eq!(ours.min_reader, theirs.min_reader);

    let target = world.pair().target;
    match target.write_checkpoint(&replica).await {
        Ok(()) => {}
        // As good without.
        Err(LogError::Unsupported { .. }) => return,
        Err(error) => panic!("{error}"),
    }
    for key in world.target.keys() {
        if version_of(&key).is_some_and(|version| version < replica.version) {
            world.target.delete_now(&key);
        }
    }
    let again = target.snapshot(None).await.unwrap();
    assert_eq!(keys_digest(&again), keys_digest(&replica));
    assert_eq!(again.metadata.configuration, replica.metadata.configuration);
    let domains = |of: &Snapshot| -> BTreeMap<String, String> {
        let all = of.domain_metadata.values();
        all.map(|one| (one.domain.clone(), one.configuration.clone()))
            .collect()
    };
    assert_eq!(domains(&again), domains(&replica));
    for (key, file) in &replica.files {
        assert!(says_the_same(file, &again.files[key]), "{}", file.path);
    }
    assert!(matches!(world.sync().await, Outcome::Nothing { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_07_12_13_deletion_vectors_cross_alone() {
    let world = follow("deletion_vectors").await;
    // A deletion copied the vector and nothing else, and took the file's older self away.
    let adds = world.replica_actions(5, "add");
    let vectors = adds.iter().filter(|add| add["deletionVector"].is_object());
    assert!(vectors.count() > 0, "{adds:?}");
    let (source, replica) = latest(&world).await;
    let held = world.target.data();
    let mut hiding = 0;
    for (key, file) in &replica.files {
        if file.deletion_vector.is_some() {
            hiding += 1;
            let told = |file: &AddFile| -> Value {
                serde_json::from_str(file.stats.as_deref().unwrap()).unwrap()
            };
            let (ours, theirs) = (told(file), told(&source.files[key]));
            assert_eq!(ours, theirs);
            assert!(ours["numRecords"].is_u64() && ours["tightBounds"].is_boolean());
        }
        let vector = file.deletion_vector_key.as_ref();
        assert!(vector.is_none_or(|key| held.contains(&key.to_string())));
    }
    assert!(hiding > 0);
    assert!(!held.iter().any(|key| key.starts_with("_change_data")));
    let inline = follow("inline_vectors").await;
    assert!(!inline.target.data().iter().any(|key| key.ends_with(".bin")));
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_09_17_33_mapped_columns_keep_their_ids_and_names() {
    for name in ["mapped_name", "mapped_id", "mapped_vectors"] {
        let world = follow(name).await;
        let (source, replica) = latest(&world).await;
        let most = "delta.columnMapping.maxColumnId";
        let of = |snapshot: &Snapshot| snapshot.metadata.configuration.get(most).cloned();
        assert!(of(&replica).is_some() && of(&replica) == of(&source));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_19_24_25_every_form_of_log_and_type_is_followed() {
    for name in [
        "timestamp_ntz",
        "type_widening",
        "variant",
        "in_commit_timestamps",
        "log_compaction",
        "multi_part_checkpoint",
        "v2_checkpoint_json",
        "v2_checkpoint_parquet",
    ] {
        let world = follow(name).await;
        let (_, replica) = latest(&world).await;
        // How the source keeps its log is its own business.
        assert!(!replica.protocol.writer_features.contains("v2Checkpoint"));
    }
}

fn features(readers: &[&str], writers: &[&str]) -> Value {
    json!({ "protocol": {
        "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": readers, "writerFeatures": writers
    } })
}

fn domain(name: &str, configuration: &str, removed: bool) -> Value {
    json!({ "domainMetadata": { "domain": name, "configuration": configuration, "removed": removed } })
}

#[tokio::test]
async fn rules_08_18_20_row_ids_clustering_and_domains_are_the_sources() {
    let world = World::new();
    let tracked = |path: &str, size: usize, id: i64| {
        let mut file = world.add(path, size);
        file["add"]["baseRowId"] = json!(id);
        file["add"]["defaultRowCommitVersion"] = json!(7);
        file["add"]["clusteringProvider"] = json!("liquid");
        file
    };
    let properties = json!({
        "delta.enableRowTracking": "true",
        "delta.rowTracking.materializedRowIdColumnName": "_row-id-col-1",
    });
    let names = ["clustering", "domainMetadata", "rowTracking"];
    world.commit(
        0,
        &[
            features(&[], &names),
            configured("source-1", &properties),
            domain("delta.rowTracking", r#"{"rowIdHighWaterMark":5}"#, false),
            domain(
                "delta.clustering",
                r#"{"clusteringColumns":[["x"]]}"#,
                false,
            ),
            tracked("a", 10, 0),
        ],
    );
    world.sync_done().await;
    let file = &world.replica_actions(0, "add")[0];
    assert_eq!(
        (&file["baseRowId"], &file["defaultRowCommitVersion"]),
        (&json!(0), &json!(7))
    );
    assert_eq!(file["clusteringProvider"], "liquid");
    assert_eq!(world.replica_actions(0, "domainMetadata").len(), 2);
    let there = &world.replica_actions(0, "metaData")[0]["configuration"];
    for (name, value) in properties.as_object().unwrap() {
        assert_eq!(&there[name], value);
    }
    // Ids that are given to a file afterwards cost no byte; a domain that is taken away is said to be.
    world.commit(
        1,
        &[
            tracked("a", 10, 40),
            domain("delta.rowTracking", r#"{"rowIdHighWaterMark":50}"#, false),
            domain("delta.clustering", "", true),
        ],
    );
    let plan = world.sync_done().await;
    assert_eq!((plan.files_updated, plan.bytes_copy), (1, 0));
    assert_eq!(world.replica_actions(1, "add")[0]["baseRowId"], 40);
    let mut domains = world.replica_actions(1, "domainMetadata");
    domains.sort_by_key(|one| one["domain"].to_string());
    assert_eq!(
        (&domains[0]["removed"], &domains[1]["configuration"]),
        (&json!(true), &json!(r#"{"rowIdHighWaterMark":50}"#))
    );
    world.commit(2, &[remove("a", 1)]);
    world.sync_done().await;
    assert_eq!(world.replica_actions(2, "remove")[0]["baseRowId"], 40);
    // What is given up at the source is given up here, never by halves.
    world.commit(
        3,
        &[
            features(&[], &["clustering", "domainMetadata"]),
            metadata("source-1"),
            domain("delta.rowTracking", "", true),
            world.add("b", 5),
        ],
    );
    world.sync_done().await;
    let (_, replica) = latest(&world).await;
    assert!(!replica.protocol.writer_features.contains("rowTracking"));
    assert!(replica.domain_metadata.is_empty());
    assert!(matches!(world.sync().await, Outcome::Nothing { .. }));
}

#[tokio::test]
async fn rules_15_16_21_33_constraints_defaults_and_another_partitioning_follow() {
    let world = World::new();
    let properties = json!({
        "delta.constraints.positive": "x > 0", "delta.appendOnly": "true",
        "delta.checkpointPolicy": "v2", "delta.requireCheckpointProtectionBeforeVersion": "3",
    });
    let names = [
        "allowColumnDefaults",
        "checkConstraints",
        "checkpointProtection",
        "generatedColumns",
        "identityColumns",
        "v2Checkpoint",
    ];
    world.commit(
        0,
        &[
            features(&["v2Checkpoint"], &names),
            configured("source-1", &properties),
            world.add("a", 10),
        ],
    );
    world.sync_done().await;
    assert_eq!(
        world.replica_actions(0, "protocol")[0],
        json!({
            "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": [],
            "writerFeatures": ["allowColumnDefaults", "checkConstraints", "generatedColumns", "identityColumns"],
        })
    );
    // Replaced by a table that is partitioned in another way, in one commit.
    let mut replaced = metadata("source-1");
    replaced["metaData"]["partitionColumns"] = json!(["x"]);
    let mut file = world.add("x=1/a", 10);
    file["add"]["partitionValues"] = json!({ "x": "1" });
    world.commit(1, &[replaced, remove("a", 1), file]);
    let plan = world.sync_done().await;
    assert_eq!((plan.files_copy, plan.files_removed), (1, 1));
    let said = world.replica_commit(1);
    let at = |kind: &str| said.iter().position(|action| action.get(kind).is_some());
    assert!(at("metaData").unwrap() < at("remove").unwrap());
    let (_, replica) = latest(&world).await;
    assert_eq!(replica.metadata.partition_columns, ["x"]);
    assert!(
        !replica
            .metadata
            .configuration
            .contains_key("delta.appendOnly")
    );
}

#[tokio::test]
async fn rule_12_an_absolute_vector_of_the_table_itself_gets_a_relative_name() {
    let world = World::new();
    let name = "deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin";
    world.source.put_now(&format!("ab/{name}"), vec![1_u8; 60]);
    let mut file = world.add("a", 10);
    file["add"]["deletionVector"] = json!({
        "storageType": "p", "pathOrInlineDv": format!("s3://lake/t/ab/{name}"), "offset": 1,
        "sizeInBytes": 40, "cardinality": 1,
    });
    let vectors = ["deletionVectors"];
    world.commit(
        0,
        &[features(&vectors, &vectors), metadata("source-1"), file],
    );
    let mut pair = world.pair();
    pair.source = pair.source.lying_at(vec!["s3://lake/t/".to_owned()]);
    let now = Timestamp::from_millis(START);
    let Planned::Work(planned) = plan(&pair, world.run().id, now).await.unwrap() else {
        panic!("nothing")
    };
    let vector = &planned.copies[1];
    assert_eq!(
        (vector.src.as_str(), vector.dst.as_str(), vector.size),
        (format!("ab/{name}").as_str(), name, 60)
    );
    let said = &planned.draft.adds[0].raw["deletionVector"];
    assert_eq!(
        (&said["storageType"], &said["pathOrInlineDv"]),
        (&json!("u"), &json!("^-aqEH.-t@S}K{vb[*k^"))
    );
    // The same vector for another file crosses no second time.
    let rows = planned.summary.rows_full;
    assert_eq!((rows, planned.summary.files_copy), (Some(2), 2));
}

#[tokio::test]
async fn a_vector_that_is_gone_or_too_short_is_the_sources_damage() {
    for bytes in [None, Some(20)] {
        let world = World::new();
        if let Some(bytes) = bytes {
            let key = "deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin";
            world.source.put_now(key, vec![1_u8; bytes]);
        }
        world.source.put_now("a", super::world::body("a", 10));
        let mut file = add("a", 10);
        file["add"]["deletionVector"] = json!({
            "storageType": "u", "pathOrInlineDv": "^-aqEH.-t@S}K{vb[*k^", "offset": 1, "sizeInBytes": 40,
            "cardinality": 1,
        });
        let vectors = ["deletionVectors"];
        let actions = [features(&vectors, &vectors), metadata("source-1"), file];
        world.commit(0, &actions);
        match world.sync().await {
            Outcome::Failed { why } => assert!(why.contains("source is corrupt"), "{why}"),
            other => panic!("not failed: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_is_named_and_a_run_that_mends_copies_it_anew() {
    let world = follow("mapped_vectors").await;
    let (source, replica) = latest(&world).await;
    let mut pair = world.pair();
    let theirs = sums(&pair.source, source.version).await.unwrap();
    let damaged = &replica.files[0];
    let name = crate::partition_of(damaged);
    // Another file of the table in its place, of the same length: only its rows tell.
    let whole = world.target.bytes_now(damaged.key.as_ref());
    let mut bytes = whole.to_vec();
    let words: Vec<usize> = (0..bytes.len())
        .filter(|at| bytes[*at..].starts_with(b"word"))
        .collect();
    assert!(!words.is_empty());
    for at in words {
        bytes[at] = b'W';
    }
    world.target.put_now(damaged.key.as_ref(), bytes);
    let ours = sums(&pair.target, replica.version).await.unwrap();
    assert_eq!(theirs.differing(&ours), std::slice::from_ref(&name));
    let found = compare(&theirs, &ours).unwrap_err().to_string();
    assert!(found.contains(&name), "{found}");
    // One more is missing altogether.
    let lost = &replica.files[replica.files.len() - 1];
    world.target.delete_now(lost.key.as_ref());
    let looked = look(&pair.target, replica.version).await.unwrap();
    assert!(looked.wrong.values().any(|why| why.contains("not there")));

    assert!(matches!(world.sync().await, Outcome::Nothing { .. }));
    pair.mend = Some(crate::Mend {
        suspects: [name].into(),
    });
    let run = world.run();
    let engine = world.engine();
    let driven = crate::drive(&run, &pair, &engine, &world.journal, &world.clock);
    let Outcome::Done(plan) = driven.await.unwrap() else {
        panic!("not mended")
    };
    assert_eq!(plan.full, Some(crate::FullReason::Mended));
    assert!(plan.files_copy >= 2);
    assert_eq!(world.target.bytes_now(damaged.key.as_ref()), whole);
    let ours = sums(&pair.target, plan.target_version).await.unwrap();
    assert_eq!(compare(&theirs, &ours).unwrap(), ours.rows());
    // Once mended, nothing is to be done.
    assert!(matches!(world.sync().await, Outcome::Nothing { .. }));
}
