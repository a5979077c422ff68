//! The journey from registering to the bill, with each copy engine on each database.

use exchange::jobs::WorkKind;
use serde_json::{Value, json};

use super::steps::{FOLDER, FOLDER_PATH, SOURCE_PATH, VISITS, assert_same_rows};
use super::world::{Copying, Moved, On, World};
use crate::support::proxy::Counted;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_the_local_engine_on_sqlite() {
    journey(Copying::Local, On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_the_local_engine_on_postgres() {
    journey(Copying::Local, On::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_child_processes_on_sqlite() {
    journey(Copying::Process, On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_child_processes_on_postgres() {
    journey(Copying::Process, On::Postgres).await;
}

/// What the syncs and the reads of one journey moved, by the proxies' count.
#[derive(Default)]
struct Counts {
    synced: u64,
    through_gateway: u64,
}

async fn journey(copying: Copying, on: On) {
    let Some(world) = World::start(copying, on).await else {
        return;
    };
    let mut counts = Counts::default();
    let written: Value = world.python.run("write_table.py", &world.source()).await;
    assert_eq!(written["version"], 5);
    world.storages().await;
    world.rates().await;
    found(&world).await;

    replica_and_live(&world, &mut counts).await;
    gateway(&world, &mut counts).await;
    bill(&world, &counts).await;
}

/// The product is registered with what its log says, and found by whoever looks for it.
async fn found(world: &World) {
    let product = world.publish(VISITS, "aws_eu", SOURCE_PATH).await;
    let source = world.read_source().await;
    let table = &product["tables"][0];
    assert_eq!(table["version"], 5, "{table:#}");
    assert_eq!(table["rows"], json!(source.rows.len()));
    assert_eq!(table["partition_columns"], json!(["country"]));
    assert_eq!(table["refused_for"], Value::Null);
    let columns = table["columns"].as_array().unwrap();
    let last = columns.last().unwrap();
    assert_eq!(
        (columns.len(), &last["name"]),
        (13, &json!("remark")),
        "{table:#}"
    );
    // By the name of a column that came by evolution.
    let found = world.carl.get("/products?q=remark").await;
    assert_eq!(found["total"], 1, "{found:#}");
    assert_eq!(found["items"][0]["name"], VISITS);
}

/// One recipient reads a replica, another the producer's files; both see what the source holds, before and after more
/// commits and a sync.
async fn replica_and_live(world: &World, counts: &mut Counts) {
    world.recipient("rnd_weu").await;
    world.recipient("lab_weu").await;
    let offer = world
        .carl
        .get(&format!("/products/{VISITS}/offer?recipient=rnd_weu"))
        .await;
    for mode in offer["modes"].as_array().unwrap() {
        assert_eq!(mode["why_not"], Value::Null, "{offer:#}");
        assert_eq!(mode["month_transfer"]["currency"], "USD", "{offer:#}");
    }
    let copied = world.approved(VISITS, "rnd_weu", "replica").await;
    // Nothing is promised before it was seen.
    let grant = world.carl.get(&format!("/grants/{copied}")).await;
    assert_eq!(grant["actual"], "pending", "{grant:#}");
    let moved = world.work().await;
    synced(world, &moved, counts, (None, 5)).await;
    world.verified(&copied).await;
    let live = world.approved(VISITS, "lab_weu", "live").await;
    world.verified(&live).await;

    let (rnd, lab) = (
        world.profile("rnd_weu").await,
        world.profile("lab_weu").await,
    );
    let source = world.read_source().await;
    assert_same_rows(
        &world.read_replica_files().await,
        &source,
        "the replica's files",
    );
    for (profile, of_replica) in [(&rnd, true), (&lab, false)] {
        for delta in [Some(false), Some(true), None] {
            let before = (world.s3.proxy.counted(), world.azurite.proxy.counted());
            let read = world.read_share(profile, VISITS, delta).await;
            let whose = format!("{} as {delta:?}", profile.display());
            assert_same_rows(&read, &source, &whose);
            let s3 = world.s3.proxy.counted().since(before.0);
            let azure = world.azurite.proxy.counted().since(before.1);
            // Whoever has a replica costs the source nothing.
            assert_eq!(s3 == Counted::default(), of_replica, "{whose}: {s3:?}");
            assert_eq!(
                azure == Counted::default(),
                !of_replica,
                "{whose}: {azure:?}"
            );
        }
    }
    let grant = world.carl.get(&format!("/grants/{copied}")).await;
    assert_ne!(grant["first_read_at"], Value::Null, "{grant:#}");

    world.clock.advance(model::time::MINUTE);
    let more: Value = world.python.run("more_commits.py", &world.source()).await;
    assert_eq!(more["version"], 9);
    let newer = world.read_source().await;
    assert_ne!(newer.rows, source.rows);
    // Until the sync the replica holds what it held, and the producer's files what they hold.
    assert_same_rows(
        &world.read_share(&rnd, VISITS, None).await,
        &source,
        "the replica before its sync",
    );
    assert_same_rows(
        &world.read_share(&lab, VISITS, None).await,
        &newer,
        "the source",
    );
    world
        .carl
        .post(&format!("/replicas/{VISITS}@az_weu/sync"), &json!({}))
        .await;
    let moved = world.work().await;
    synced(world, &moved, counts, (Some(5), 9)).await;
    assert_same_rows(
        &world.read_replica_files().await,
        &newer,
        "the replica's files after the sync",
    );
    for delta in [Some(false), Some(true)] {
        let read = world.read_share(&rnd, VISITS, delta).await;
        assert_same_rows(
            &read,
            &newer,
            &format!("the replica after its sync as {delta:?}"),
        );
    }
    assert_same_rows(
        &world.read_share(&lab, VISITS, Some(true)).await,
        &newer,
        "the source again",
    );

    // Nothing new: no data file is read, but the look at the log crosses and is billed.
    world.clock.advance(model::time::MINUTE);
    let before = world.s3.proxy.counted();
    world
        .carl
        .post(&format!("/replicas/{VISITS}@az_weu/sync"), &json!({}))
        .await;
    let moved = world.work().await;
    let passed = world.s3.proxy.passed_since(before);
    assert!(
        !passed
            .iter()
            .any(|passed| passed.path.contains(".snappy.parquet")),
        "{passed:#?}"
    );
    let moved = moved[&WorkKind::Sync];
    assert!(moved.s3.received > 0);
    counts.synced += moved.s3.received;
    assert_eq!(world.measured(VISITS, "sync").await, counts.synced);
}

/// What the proxy passed while the sync ran is what the meter holds, to the byte, and what the run shows.
async fn synced(
    world: &World,
    moved: &std::collections::HashMap<WorkKind, Moved>,
    counts: &mut Counts,
    (from, to): (Option<u64>, u64),
) {
    let moved = moved[&WorkKind::Sync];
    assert_eq!(moved.pieces, 1, "one table, one piece of work");
    let run = world.newest_run().await;
    assert_eq!(run["state"], "done", "{run:#}");
    assert_eq!(
        (&run["from_version"], &run["to_version"]),
        (&json!(from), &json!(to)),
        "{run:#}"
    );
    let [copied, full, received] =
        ["bytes_copied", "bytes_full", "bytes_received"].map(|name| run[name].as_u64().unwrap());
    assert_eq!(received, moved.s3.received, "{run:#}");
    assert!(received > copied, "the log was read as well: {run:#}");
    match from {
        None => assert_eq!(copied, full, "{run:#}"),
        Some(_) => assert!(0 < copied && copied < full / 10, "{run:#}"),
    }
    // What was read at the source was written at the target, and little else.
    assert!(moved.azure.sent >= copied, "{moved:?}");
    counts.synced += received;
    assert_eq!(world.measured(VISITS, "sync").await, counts.synced);
    let replica = world.replica().await;
    assert_eq!(replica["state"], "ready", "{replica:#}");
    assert_eq!(replica["tables"][0]["source_version"], to, "{replica:#}");
}

/// A table in a folder is read through the gateway: what the consumer received is what was counted.
async fn gateway(world: &World, counts: &mut Counts) {
    let path = world.lake().join(FOLDER_PATH);
    let folder = json!({ "url": path, "storage_options": {} });
    let _: Value = world.python.run("write_table.py", &folder).await;
    let source = world.python.run("read_table.py", &folder).await;
    world.publish(FOLDER, "folder", FOLDER_PATH).await;
    world.recipient("shed_weu").await;
    let grant = world.approved(FOLDER, "shed_weu", "live").await;
    world.verified(&grant).await;
    assert_eq!(
        world.measured(FOLDER, "gateway").await,
        0,
        "looking is not reading"
    );
    let profile = world.profile("shed_weu").await;
    for delta in [Some(false), Some(true)] {
        let before = world.front.counted();
        let read = world.read_share(&profile, FOLDER, delta).await;
        assert_same_rows(&read, &source, &format!("the folder as {delta:?}"));
        let passed = world.front.passed_since(before);
        let files = passed
            .iter()
            .filter(|passed| passed.path.starts_with("/data/"));
        let received: u64 = files.map(|passed| passed.received).sum();
        assert!(received > 10 << 20, "{passed:#?}");
        counts.through_gateway += received;
        assert_eq!(
            world.measured(FOLDER, "gateway").await,
            counts.through_gateway
        );
    }
}

/// A day later the report prices what was measured: bytes × rate, once, on the producing team's statement.
async fn bill(world: &World, counts: &Counts) {
    let day = world.exchange.now();
    let report = world.ada.post("/billing/report", &json!({})).await;
    assert_eq!(report["charges"], 0, "the day is not over: {report:#}");
    world.clock.advance(model::time::DAY);
    let report = world.ada.post("/billing/report", &json!({})).await;
    assert_eq!(
        (&report["unrated"], &report["charges"]),
        (&json!(0), &json!(2)),
        "{report:#}"
    );
    let month = &day.to_string()[..7];
    let path = format!("/statements/aftersales/{month}");
    let statements = world.ada.get(&path).await;
    let statement = &statements["items"][0];
    assert_eq!(statement["cost_center"], "4711", "{statements:#}");
    let mut total = 0;
    for (product, from, bytes) in [
        (VISITS, "aws:eu-central-1", counts.synced),
        (FOLDER, "aws:eu-west-1", counts.through_gateway),
    ] {
        let expected = micros(bytes);
        total += expected;
        let charges = world.pia.all(&format!("/charges?product={product}")).await;
        let [charge] = &charges[..] else {
            panic!("one charge: {charges:#?}")
        };
        let lines = statement["lines"].as_array().unwrap();
        let [line] = &lines
            .iter()
            .filter(|line| line["product"] == product)
            .collect::<Vec<_>>()[..]
        else {
            panic!("one line: {lines:#?}")
        };
        for priced in [charge, line] {
            assert_eq!(priced["kind"], "transfer", "{priced:#}");
            assert_eq!(priced["method"], "measured", "{priced:#}");
            assert_eq!(
                priced["bytes"],
                bytes,
                "{priced:#} of {:#?}",
                world
                    .pia
                    .all(&format!("/meter-events?product={product}"))
                    .await
            );
            assert_eq!(amount(&priced["amount"]), expected, "{priced:#}");
        }
        assert_eq!(
            (&charge["from"], &charge["to"]),
            (&json!(from), &json!("azure:westeurope")),
            "{charge:#}"
        );
        assert_eq!(charge["team"], "aftersales", "{charge:#}");
        assert_eq!(
            line["route"],
            format!("{from}->azure:westeurope"),
            "{line:#}"
        );
    }
    assert_eq!(amount(&statement["total"]), total, "{statement:#}");
    // Run again it prices nothing twice.
    let again = world.ada.post("/billing/report", &json!({})).await;
    assert_eq!(
        (&again["charges"], &again["events"]),
        (&json!(0), &json!(0)),
        "{again:#}"
    );
    assert_eq!(world.ada.get(&path).await, statements);
}

/// 0.09 USD per 10⁹ bytes in micro-units: bytes × 9 ÷ 100,000, rounded half to even.
fn micros(bytes: u64) -> u64 {
    let exact = bytes * 9;
    let (whole, rest) = (exact / 100_000, exact % 100_000);
    match rest.cmp(&50_000) {
        std::cmp::Ordering::Less => whole,
        std::cmp::Ordering::Greater => whole + 1,
        std::cmp::Ordering::Equal => whole + whole % 2,
    }
}

/// A decimal as amounts are written, in micro-units.
fn amount(value: &Value) -> u64 {
    let (whole, places) = value.as_str().unwrap().split_once('.').unwrap();
    assert!(places.len() <= 6, "{value}");
    format!("{whole}{places:0<6}").parse().unwrap()
}
