//! The journey from registering to the bill, with each copy engine and on each database. A child that copies opens the database
//! itself, so that it travels on both.

use std::collections::HashMap;
use std::path::Path;

use exchange::jobs::WorkKind;
use http::Method;
use model::Clock as _;
use serde_json::{Value, json};

use super::steps::{
    COMPUTE_PRICE, FOLDER, FOLDER_PATH, SOURCE_PATH, Seen, VISITS, assert_same_rows,
};
use super::world::{Copying, Moved, On, World};
use crate::support::proxy::{Counted, Passed};

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

async fn journey(copying: Copying, on: On) {
    let Some(world) = World::start(copying, on).await else {
        return;
    };
    let written: Value = world.python.run("write_table.py", &world.source()).await;
    assert_eq!(written["version"], 5);
    world.storages().await;
    world.rates().await;
    found(&world).await;

    let synced = replica_and_live(&world).await;
    gateway(&world).await;
    bill(&world, synced).await;
    vacuumed(&world).await;
}

/// The product is registered with what its log says, and found by whoever looks for it.
async fn found(world: &World) {
    let product = world.publish(VISITS, "aws_eu", SOURCE_PATH).await;
    let source = world.read_source().await;
    let table = &product["tables"][0];
    assert_eq!(source.version, 5);
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
/// commits and a sync. Answers the bytes that the proxy passed while syncs ran.
async fn replica_and_live(world: &World) -> u64 {
    let mut passed_by_syncs = 0;
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
    synced(world, &moved, &mut passed_by_syncs, (None, 5)).await;
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
        let before = (world.s3.proxy.counted(), world.azurite.proxy.counted());
        let whose = profile.display().to_string();
        reads(
            world,
            profile,
            &[Some(false), Some(true), None],
            &source,
            &whose,
        )
        .await;
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
    let grant = world.carl.get(&format!("/grants/{copied}")).await;
    assert_ne!(grant["first_read_at"], Value::Null, "{grant:#}");

    world.clock.advance(model::time::MINUTE);
    let more: Value = world.python.run("more_commits.py", &world.source()).await;
    assert_eq!(more["version"], 9);
    let newer = world.read_source().await;
    assert_ne!(newer.rows, source.rows);
    // Until the sync the replica holds what it held, and the producer's files what they hold.
    reads(world, &rnd, &[None], &source, "the replica before its sync").await;
    reads(world, &lab, &BOTH, &newer, "the source after more commits").await;
    world
        .carl
        .post(&format!("/replicas/{VISITS}@az_weu/sync"), &json!({}))
        .await;
    // What has to be asked for again has crossed twice, and counts twice.
    world.s3.proxy.be_busy(2);
    let moved = world.work().await;
    synced(world, &moved, &mut passed_by_syncs, (Some(5), 9)).await;
    assert_same_rows(
        &world.read_replica_files().await,
        &newer,
        "the replica's files after the sync",
    );
    reads(world, &rnd, &BOTH, &newer, "the replica after its sync").await;

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
    passed_by_syncs += moved.s3.received;
    assert_eq!(world.synced().await, passed_by_syncs);
    passed_by_syncs
}

/// As Parquet files, and as a Delta table.
const BOTH: [Option<bool>; 2] = [Some(false), Some(true)];

/// Python reads through the profile what `expected` holds, in each form.
async fn reads(
    world: &World,
    profile: &Path,
    forms: &[Option<bool>],
    expected: &Seen,
    whose: &str,
) {
    let read = world.read_share_as(profile, VISITS, forms).await;
    for (read, form) in read.iter().zip(forms) {
        assert_same_rows(read, expected, &format!("{whose} as {form:?}"));
    }
}

/// What the proxy passed while the sync ran is what the meter holds, to the byte, and what the run shows.
async fn synced(
    world: &World,
    moved: &HashMap<WorkKind, Moved>,
    passed_by_syncs: &mut u64,
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
    let passed = world.s3.proxy.passed_since(moved.s3_before.unwrap());
    assert_eq!(received, moved.s3.received, "{run:#} {passed:#?}");
    assert!(received > copied, "the log was read as well: {run:#}");
    match from {
        None => assert_eq!(copied, full, "{run:#}"),
        Some(_) => assert!(0 < copied && copied < full / 10, "{run:#}"),
    }
    // What was read at the source was written at the target, and little else.
    assert!(moved.azure.sent >= copied, "{moved:?}");
    *passed_by_syncs += received;
    assert_eq!(world.synced().await, *passed_by_syncs);
    let replica = world.replica().await;
    assert_eq!(replica["state"], "ready", "{replica:#}");
    assert_eq!(replica["tables"][0]["source_version"], to, "{replica:#}");
}

/// A table in a folder is read through the gateway: what the consumer's machine received is what was counted, answer by
/// answer, also of those that it gave up.
async fn gateway(world: &World) {
    let path = world.lake().join(FOLDER_PATH);
    let folder = json!({ "url": path, "storage_options": {} });
    let _: Value = world.python.run("write_table.py", &folder).await;
    let source = world.python.run("read_table.py", &folder).await;
    world.publish(FOLDER, "folder", FOLDER_PATH).await;
    world.recipient("shed_weu").await;
    let grant = world.approved(FOLDER, "shed_weu", "live").await;
    world.verified(&grant).await;
    assert_eq!(
        world.gateway_events().await,
        [0; 0],
        "looking is not reading"
    );
    let profile = world.profile("shed_weu").await;
    for delta in BOTH {
        world.clock.advance(model::time::MINUTE);
        let before = (world.front.counted(), world.gateway_events().await.len());
        let read = world.read_share(&profile, FOLDER, delta).await;
        assert_same_rows(&read, &source, &format!("the folder as {delta:?}"));
        world.front.until_settled().await;
        let answers: Vec<Passed> = world
            .front
            .passed_since(before.0)
            .into_iter()
            .filter(|passed| passed.path.starts_with("/data/") && passed.method == Method::GET)
            .collect();
        let asked: Vec<u64> = answers.iter().map(|answer| answer.promised).collect();
        assert!(asked.iter().sum::<u64>() > 10 << 20, "{answers:#?}");
        // As Parquet files this client also opens each file only to see that it is one, and leaves.
        let all_whole = answers.iter().all(Passed::is_whole);
        assert_eq!(all_whole, delta == Some(true), "{answers:#?}");
        let mut received: Vec<u64> = answers
            .iter()
            .map(|answer| answer.received)
            .filter(|bytes| *bytes > 0)
            .collect();
        let mut counted = world
            .gateway_events_until(before.1 + received.len())
            .await
            .split_off(before.1);
        received.sort_unstable();
        counted.sort_unstable();
        assert_eq!(counted, received, "{answers:#?}");
    }
}

/// A day later the report prices what was measured: bytes × rate, once, on the producing team's statement.
async fn bill(world: &World, synced: u64) {
    let through_gateway = world.gateway_events().await.iter().sum();
    let day = world.exchange.now();
    let report = world.ada.post("/billing/report", &json!({})).await;
    assert_eq!(report["charges"], 0, "the day is not over: {report:#}");
    world.clock.advance(model::time::DAY);
    let report = world.ada.post("/billing/report", &json!({})).await;
    assert_eq!(
        (&report["unrated"], &report["charges"]),
        (&json!(0), &json!(3)),
        "{report:#}"
    );
    let month = &day.to_string()[..7];
    let path = format!("/statements/aftersales/{month}");
    let statements = world.ada.get(&path).await;
    let statement = &statements["items"][0];
    assert_eq!(statement["cost_center"], "4711", "{statements:#}");
    let mut total = 0;
    for (product, from, bytes) in [
        (VISITS, "aws:eu-central-1", synced),
        (FOLDER, "aws:eu-west-1", through_gateway),
    ] {
        let expected = micros(bytes);
        total += expected;
        let charge = charged(world, product, "transfer").await;
        let line = line_of(statement, product, "transfer");
        for priced in [&charge, line] {
            assert_eq!(priced["method"], "measured", "{priced:#}");
            assert_eq!(priced["bytes"], bytes, "{priced:#}");
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
    total += compute(world, statement).await;
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

/// The time that the syncs took is priced as well, once, and to the micro-unit. Answers the amount.
async fn compute(world: &World, statement: &Value) -> u64 {
    let runs = world.pia.all(&format!("/sync-runs?product={VISITS}")).await;
    let busy: u64 = runs
        .iter()
        .map(|run| run["busy_micros"].as_u64().unwrap())
        .sum();
    assert!(busy > 1_000, "{runs:#?}");
    let price = nanos(COMPUTE_PRICE);
    let expected = half_even(u128::from(busy) * price, 3_600_000_000_000);
    let charge = charged(world, VISITS, "compute").await;
    let line = line_of(statement, VISITS, "compute");
    for priced in [&charge, line] {
        assert_eq!(priced["bytes"], 0, "{priced:#}");
        assert_eq!(priced["busy_micros"], busy, "{priced:#}");
        assert_eq!(amount(&priced["amount"]), expected, "{priced:#}");
    }
    let lines = statement["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 3, "reading takes no compute time: {lines:#?}");
    expected
}

/// The one charge of this kind for a product.
async fn charged(world: &World, product: &str, kind: &str) -> Value {
    let mut charges = world.pia.all(&format!("/charges?product={product}")).await;
    charges.retain(|charge| charge["kind"] == kind);
    let [charge] = <[Value; 1]>::try_from(charges).expect("one charge");
    charge
}

/// The one line of this kind for a product.
fn line_of<'a>(statement: &'a Value, product: &str, kind: &str) -> &'a Value {
    let lines = statement["lines"].as_array().unwrap().iter();
    let of: Vec<_> = lines
        .filter(|line| line["product"] == product && line["kind"] == kind)
        .collect();
    let [line] = of[..] else {
        panic!("one line: {statement:#}")
    };
    line
}

/// When the retention is over, what the source has deleted is gone from the replica's store, and only that.
async fn vacuumed(world: &World) {
    let rows = world.read_source().await;
    let kept = world.replica_keys().await;
    let before = world.azurite.keys().await;
    assert!(
        kept.iter().all(|key| before.contains(key)),
        "{kept:#?} {before:#?}"
    );
    assert!(data_files(&before).len() > kept.len(), "{before:#?}");
    world.clock.advance(169 * model::time::HOUR);
    let path = format!("/replicas/{VISITS}@az_weu/vacuum");
    world.pia.post(&path, &json!({})).await;
    world.work().await;
    let after = world.azurite.keys().await;
    assert_eq!(data_files(&after), kept);
    let runs = world.pia.all(&format!("/sync-runs?product={VISITS}")).await;
    let deleted = runs
        .iter()
        .map(|run| run["files_deleted"].as_u64().unwrap());
    assert_eq!(
        deleted.sum::<u64>() as usize,
        before.len() - after.len(),
        "{runs:#?}"
    );
    assert_same_rows(
        &world.read_replica_files().await,
        &rows,
        "the replica after its vacuum",
    );
    let deleted: Vec<&String> = before.iter().filter(|key| !after.contains(key)).collect();
    erased(world, &deleted).await;
    assert_same_rows(
        &world.read_replica_files().await,
        &rows,
        "the replica after its history ended",
    );
}

/// That it is gone is proven to whoever has the certificate and the key, and needs no server for it.
async fn erased(world: &World, deleted: &[&String]) {
    let since = world.clock.now().plus(-400 * model::time::HOUR);
    let new =
        json!({ "product": VISITS, "since": since.to_string(), "reason": "request 2026-118" });
    let asked = world.pia.post("/erasures", &new).await;
    assert_eq!(asked["state"], "waiting", "{asked:#}");
    let path = format!("/erasures/{}", asked["id"].as_str().unwrap());
    let certificate = format!("{path}/certificate");
    let early = world.pia.ask(Method::GET, &certificate, None).await;
    assert_eq!(early.0, 409, "{:#}", early.1);
    world.work().await;
    let seen = world.pia.get(&path).await;
    assert_eq!(seen["state"], "proven", "{seen:#}");
    assert_eq!(seen["is_sound"], true);
    assert_eq!(world.carl.ask(Method::GET, &path, None).await.0, 404);

    let key = world.carl.get("/erasure-key").await;
    let key = key["public_key"].as_str().unwrap().to_owned();
    let answer = world.pia.get(&certificate).await;
    let text = answer["certificate"].as_str().unwrap();
    let checked = exchange::erasures::check(text, Some(&key)).unwrap();
    assert_eq!(seen["head"], checked.head.as_str());
    let certificate: Value = serde_json::from_str(text).unwrap();
    let replica = &certificate["replicas"][0];
    assert_eq!(replica["store_keeps"], "nothing", "{replica:#}");
    let objects = replica["objects"].as_array().unwrap();
    for gone in deleted {
        let named = objects
            .iter()
            .find(|object| gone.ends_with(object["path"].as_str().unwrap()));
        let named = named.unwrap_or_else(|| panic!("{gone} is not named: {replica:#}"));
        assert_eq!(named["versions_listed"], 0);
        assert_eq!(named["head_status"], 404);
        assert!(named["not_found_at"].is_string() && named["etag"].is_string());
    }
    // The log's older part is gone, too, and named.
    let first = "_delta_log/00000000000000000000.json";
    let first_key = format!("{}/{first}", replica["path"].as_str().unwrap());
    let keys = world.azurite.keys().await;
    assert!(
        !keys.iter().any(|key| key.ends_with(&first_key)),
        "{keys:#?}"
    );
    assert!(objects.iter().any(|object| object["path"] == first));

    let file = world.folder.path().join("erasure.json");
    let check = async |text: &str, key: &str| {
        std::fs::write(&file, text).unwrap();
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_entrepot"));
        command.args(["erasure", "check"]).arg(&file);
        let output = command.args(["--key", key]).output().await.unwrap();
        output.status.code()
    };
    assert_eq!(check(text, &key).await, Some(0));
    assert_eq!(check(text, &"0".repeat(64)).await, Some(1));
    let changed = text.replace("request 2026-118", "request 2026-119");
    assert_eq!(check(&changed, &key).await, Some(1));
}

/// Of all keys of a store, sorted.
fn data_files(keys: &[String]) -> Vec<String> {
    let files = keys
        .iter()
        .filter(|key| key.ends_with(".parquet") && !key.contains("/_delta_log/"));
    let mut files: Vec<String> = files.cloned().collect();
    files.sort();
    files
}

/// 0.09 USD per 10⁹ bytes in micro-units: bytes × 9 ÷ 100,000.
fn micros(bytes: u64) -> u64 {
    half_even(u128::from(bytes) * 9, 100_000)
}

fn half_even(exact: u128, by: u128) -> u64 {
    let (whole, rest) = (exact / by, exact % by);
    let rounded = match (rest * 2).cmp(&by) {
        std::cmp::Ordering::Less => whole,
        std::cmp::Ordering::Greater => whole + 1,
        std::cmp::Ordering::Equal => whole + whole % 2,
    };
    rounded.try_into().unwrap()
}

/// A decimal in billionths.
fn nanos(price: &str) -> u128 {
    let (whole, places) = price.split_once('.').unwrap();
    format!("{whole}{places:0<9}").parse().unwrap()
}

/// A decimal as amounts are written, in micro-units.
fn amount(value: &Value) -> u64 {
    let (whole, places) = value.as_str().unwrap().split_once('.').unwrap();
    assert!(places.len() <= 6, "{value}");
    format!("{whole}{places:0<6}").parse().unwrap()
}
