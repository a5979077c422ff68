//! Tables that Spark and deltalake wrote, followed version by version by narrowed replicas: deletion vectors, renamed and widened columns,
//! other types, changes of every kind. The rows are the source's, narrowed, after each.

use std::collections::BTreeMap;
use std::path::Path;

use model::Narrowing;

use super::parity::{files_below, version_of};
use super::world::World;
use crate::drive::Outcome;
use crate::narrow::{self, Narrow};
use crate::prove::{compare, look};

fn narrowing(drop: &[&str], hash: &[&str], rows: &str) -> Narrowing {
    let all = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    Narrowing {
        drop: all(drop),
        pseudonymise: all(hash),
        rows: model::RowFilter::parse(rows).unwrap(),
    }
}

/// All objects of a table at the source but its commits, which it answers.
fn there(world: &World, table: &str) -> BTreeMap<u64, (String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../end2end");
    let mut objects = BTreeMap::new();
    files_below(&folder.join(table), "", &mut objects);
    let mut commits = BTreeMap::new();
    for (key, bytes) in objects {
        match version_of(&key) {
            Some(version) => {
                commits.insert(version, (key, bytes));
            }
            None => world.source.put_now(&key, bytes),
        }
    }
    commits
}

/// Follows a table. Answers the columns that the replica has in the end, those of hashes in brackets, the rows, and of each version
/// how many sets were not narrowed anew.
async fn follow(table: &str, what: Narrowing) -> (String, u64, Vec<u64>) {
    let mut world = World::new();
    world.ways.skip = true;
    let narrow = Narrow::new(what, [9; 32]);
    world.narrow = Some(narrow.clone());
    let (mut columns, mut rows, mut sets) = (String::new(), 0, Vec::new());
    for (version, (key, bytes)) in there(&world, table) {
        world.source.put_now(&key, bytes);
        let before = world.source.sent();
        let plan = world.sync_done().await;
        assert_eq!(plan.source_version, version, "{table}");
        let sent = world.source.sent() - before;
        assert_eq!(sent, plan.bytes_copy, "{table} {version}");
        sets.push(plan.sets_by_rows);
        let pair = world.pair();
        let replica = (&pair.target, plan.target_version);
        let theirs = narrow::sums(&pair.source, version, &narrow, replica);
        let theirs = theirs.await.unwrap();
        let ours = crate::sums(&pair.target, plan.target_version)
            .await
            .unwrap();
        assert!(ours.unreadable.is_empty(), "{table} {version} {ours:?}");
        rows = compare(&theirs, &ours).unwrap();
        let looked = look(&pair.target, plan.target_version).await.unwrap();
        assert!(looked.wrong.is_empty(), "{table} {version} {looked:?}");
        assert_eq!((looked.rows, plan.rows_full), (rows, Some(rows)), "{table}");
        let held = pair.target.snapshot(None).await.unwrap();
        assert!(!held.has_deletion_vectors());
        let schema: serde_json::Value = serde_json::from_str(&held.metadata.schema_string).unwrap();
        let named = schema["fields"].as_array().unwrap().iter().map(|field| {
            let name = field["name"].as_str().unwrap();
            match field["metadata"]["entrepot.hashed"].is_string() {
                true => format!("[{name}]"),
                false => name.to_owned(),
            }
        });
        columns = named.collect::<Vec<_>>().join(" ");
    }
    (columns, rows, sets)
}

#[tokio::test]
async fn tables_that_others_wrote_are_followed_narrowed() {
    let single = ["small", "price", "day", "flag", "raw"];
    for (table, what, columns, sets) in [
        (
            "tables/deletion_vectors",
            narrowing(&[], &["n"], ""),
            "[n] word",
            0,
        ),
        (
            "tables/inline_vectors",
            narrowing(&["word"], &[], ""),
            "n",
            0,
        ),
        (
            "tables/timestamp_ntz",
            narrowing(&[], &["seen"], ""),
            "n [seen]",
            0,
        ),
        ("tables/variant", narrowing(&["doc"], &[], ""), "n", 0),
        // The number is hashed under its new name, too.
        (
            "tables/mapped_vectors",
            narrowing(&[], &["n"], ""),
            "[m] word day",
            0,
        ),
        // The word that was dropped and added again is another column.
        (
            "tables/mapped_name",
            narrowing(&[], &["n"], ""),
            "[m] day",
            0,
        ),
        (
            "tables/type_widening",
            narrowing(&["word"], &["rate"], ""),
            "n [rate]",
            0,
        ),
        (
            "feeds/vectors",
            narrowing(&["rate"], &["word"], "n >= 3"),
            "n [word]",
            2,
        ),
        (
            "feeds/parts",
            narrowing(&["word"], &["n", "rate"], ""),
            "[n] [rate] seen part",
            11,
        ),
        (
            "feeds/rows",
            narrowing(&["word"], &single, "flag = true"),
            "n [small] rate [price] seen [day] [flag] [raw] inner marks",
            8,
        ),
    ] {
        let (found, rows, changed) = follow(table, what).await;
        assert_eq!(found, columns, "{table}");
        assert_eq!(changed.iter().sum::<u64>(), sets, "{table} {changed:?}");
        assert!(rows > 0, "{table}");
    }
}

#[tokio::test]
async fn what_cannot_be_followed_narrowed_says_so() {
    for (table, said) in [
        ("tables/mapped_id", "by their numbers"),
        ("tables/variant", "leave it out"),
    ] {
        let mut world = World::new();
        world.narrow = Some(Narrow::new(narrowing(&[], &["n"], ""), [9; 32]));
        for (_, (key, bytes)) in there(&world, table) {
            world.source.put_now(&key, bytes);
        }
        let Outcome::Failed { why } = world.sync().await else {
            panic!("not failed")
        };
        assert!(why.contains(said), "{why}");
        assert!(world.target.data().is_empty());
    }
}
