//! Narrowed replicas: what is left out is nowhere at the target, whatever happens at the source; what is fetched is what was planned; a
//! cut's key and content are kept to.

mod fed;
mod runs;

use std::sync::Arc;

use bytes::Bytes;
use delta::write::arrow::array::{
    ArrayRef, AsArray as _, BooleanArray, Int64Array, StringArray, StructArray,
};
use delta::write::arrow::datatypes::Int64Type;
use delta::write::arrow::record_batch::RecordBatch;
use delta::write::arrow_schema::{DataType, Field, Fields, Schema, SchemaRef};
use delta::write::{NewTable, Writer};
use model::time::HOUR;
use model::{Clock as _, Narrowing, Timestamp};
use parquet::file::reader::FileReader as _;
use parquet::file::serialized_reader::SerializedFileReader;

use super::world::{Holds, START, World};
use crate::drive::{Outcome, drive};
use crate::foresee::{Foreseen, foresee};
use crate::narrow::{self, Narrow};
use crate::prove::{compare, look};
use crate::{ProcessEngine, vacuum};

/// All that is planted begins so, and lies so as a number.
const PLANTED: &str = "zqPLANTED";
const NUMBERS: std::ops::Range<i64> = 7_310_000_000_000_000..7_310_000_001_000_000;

const KEY: [u8; 32] = [42; 32];

fn fields() -> Vec<Field> {
    let customer = Fields::from(vec![
        Field::new("name", DataType::Utf8, true),
        Field::new("city", DataType::Utf8, true),
    ]);
    vec![
        Field::new("id", DataType::Int64, true),
        Field::new("driver", DataType::Utf8, true),
        Field::new("vin", DataType::Utf8, true),
        Field::new("account", DataType::Int64, true),
        Field::new("customer", DataType::Struct(customer), true),
        Field::new("plant", DataType::Utf8, true),
        Field::new("country", DataType::Utf8, true),
    ]
}

fn narrowing(rows: &str) -> Narrowing {
    let all = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    Narrowing {
        drop: all(&["Driver", "customer.name", "account", "plant"]),
        pseudonymise: all(&["vin"]),
        rows: model::RowFilter::parse(rows).unwrap(),
    }
}

fn narrow(rows: &str) -> Narrow {
    Narrow::new(narrowing(rows), KEY)
}

fn at(version: i64) -> Timestamp {
    Timestamp::from_millis(START - 10_000_000 + version)
}

/// Rows of ids; those of odd ones lie elsewhere. With a further column where the table has one.
fn rows(schema: &SchemaRef, ids: std::ops::Range<i64>, round: i64) -> RecordBatch {
    let texts = |what: &str| -> ArrayRef {
        let texts = ids
            .clone()
            .map(|id| Some(format!("{PLANTED}-{what}-{round}-{id}")));
        Arc::new(texts.collect::<StringArray>())
    };
    let plain = |of: &dyn Fn(i64) -> String| -> ArrayRef {
        let texts = ids.clone().map(|id| Some(of(id)));
        Arc::new(texts.collect::<StringArray>())
    };
    let numbers = |base: i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(
            ids.clone().map(|id| base + id),
        ))
    };
    let columns = schema
        .fields()
        .iter()
        .map(|field| match field.name().as_str() {
            "id" => numbers(0),
            "account" => numbers(NUMBERS.start + 100_000 * round),
            "customer" => {
                let DataType::Struct(fields) = field.data_type() else {
                    panic!("no struct")
                };
                let city = plain(&|id| format!("city {}", id % 5));
                let columns = vec![texts("customer"), city];
                Arc::new(StructArray::new(fields.clone(), columns, None))
            }
            "country" => plain(&|id| ["DE", "FR"][usize::from(id % 2 != 0)].to_owned()),
            // Which rows are chosen by.
            "plant" => plain(&|id| match id % 10 {
                9 => format!("{PLANTED}-plant"),
                _ => "Leipzig".to_owned(),
            }),
            name => texts(name),
        });
    RecordBatch::try_new(schema.clone(), columns.collect()).unwrap()
}

async fn source(world: &World) -> Writer {
    let new = NewTable {
        name: Some("visits".into()),
        description: Some(format!("such as {PLANTED}")),
        schema: Arc::new(Schema::new(fields())),
        partition_columns: vec!["country".into()],
        configuration: Default::default(),
    };
    let table = world.pair().source;
    Writer::create(table, 7, at(0), new).await.unwrap()
}

/// Rows of these ids come to the source.
async fn append(writer: &mut Writer, version: i64, ids: std::ops::Range<i64>, round: i64) {
    let batch = rows(writer.schema(), ids, round);
    writer.append(at(version), &[batch]).await.unwrap();
}

/// A world in which a replica is narrowed so, and a source with so many rows.
async fn started(narrow: Option<Narrow>, count: i64) -> (World, Writer) {
    let mut world = World::new();
    world.narrow = narrow;
    let mut writer = source(&world).await;
    append(&mut writer, 1, 0..count, 0).await;
    (world, writer)
}

/// All that a reader of these bytes finds: as they are, and where they are Parquet the pages without compression.
fn readable(bytes: &Bytes) -> Vec<Bytes> {
    let mut all = vec![bytes.clone()];
    let Ok(reader) = SerializedFileReader::new(bytes.clone()) else {
        return all;
    };
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).unwrap();
        for column in 0..group.num_columns() {
            let mut pages = group.get_column_page_reader(column).unwrap();
            while let Some(page) = pages.get_next_page().unwrap() {
                all.push(page.buffer().clone());
            }
        }
    }
    all
}

/// How often something planted can be read.
fn planted(bytes: &Bytes) -> usize {
    let text = |found: &[u8]| found.starts_with(PLANTED.as_bytes());
    let number = |found: &[u8]| {
        let number = found
            .first_chunk::<8>()
            .map(|eight| i64::from_le_bytes(*eight));
        number.is_some_and(|number| NUMBERS.contains(&number))
    };
    let within = |bytes: &Bytes| {
        let all = (0..bytes.len()).map(|from| &bytes[from..]);
        all.filter(|found| text(found) || number(found)).count()
    };
    readable(bytes).iter().map(within).sum()
}

/// Nothing planted is at the target or among the runs' files, and the rows are the source's, narrowed.
async fn is_narrowed(world: &World) -> u64 {
    for key in world.target.keys() {
        assert!(!key.contains(PLANTED), "{key}");
        assert_eq!(planted(&world.target.bytes_now(&key)), 0, "{key}");
    }
    for file in std::fs::read_dir(world.folder.path()).unwrap() {
        let path = file.unwrap().path();
        let bytes = Bytes::from(std::fs::read(&path).unwrap());
        assert_eq!(planted(&bytes), 0, "{}", path.display());
    }
    let (pair, narrow) = (world.pair(), world.narrow.clone().unwrap());
    let from = pair.source.latest_version().await.unwrap().unwrap();
    let to = pair.target.latest_version().await.unwrap().unwrap();
    let theirs = narrow::sums(&pair.source, from, &narrow, (&pair.target, to));
    let theirs = theirs.await.unwrap();
    let ours = crate::sums(&pair.target, to).await.unwrap();
    assert!(theirs.unreadable.is_empty() && ours.unreadable.is_empty());
    let rows = compare(&theirs, &ours).unwrap();
    let looked = look(&pair.target, to).await.unwrap();
    assert!(looked.wrong.is_empty(), "{looked:?}");
    assert_eq!(looked.rows, rows);
    rows
}

#[tokio::test]
async fn nothing_that_is_left_out_is_anywhere_whatever_happens_at_the_source() {
    // Four planted values a row.
    let (world, mut writer) = started(Some(narrow("plant = 'Leipzig'")), 2_500).await;
    let there = world.source.keys().into_iter();
    let there = there.map(|key| planted(&world.source.bytes_now(&key)));
    assert!(
        there.sum::<usize>() > 10_000,
        "the scan finds nothing at all"
    );
    let plan = world.sync_done().await;
    assert_eq!(is_narrowed(&world).await, 2_250);
    assert_eq!(plan.rows_full, Some(2_250));
    let moved = plan.narrowed.unwrap();
    assert!(moved.bytes_chunks < moved.bytes_whole, "{moved:?}");

    let held = world.pair().target.snapshot(None).await.unwrap();
    assert_eq!(plan.bytes_full, held.bytes());
    let columns = held.metadata.schema().unwrap();
    let columns: Vec<_> = columns
        .iter()
        .map(|c| (c.name.as_str(), c.type_text.as_str()))
        .collect();
    let expected = [
        ("id", "bigint"),
        ("vin", "string"),
        ("customer", "struct<city: string>"),
        ("country", "string"),
    ];
    assert_eq!(columns, expected);
    // Nothing new: nothing to do.
    assert!(matches!(world.sync().await, Outcome::Nothing { .. }));

    let update = |batch: &RecordBatch| {
        let ids = batch.column(0).as_primitive::<Int64Type>();
        let is_hit = ids.iter().flatten().any(|id| id == 17);
        let range = 10_000..10_000 + i64::try_from(batch.num_rows()).unwrap();
        Ok(is_hit.then(|| rows(&batch.schema(), range, 1)))
    };
    writer.update_where(at(2), update).await.unwrap();
    let plan = world.sync_done().await;
    // One file of the two, whose rows lie in both partitions now.
    assert_eq!((plan.files_copy, plan.files_removed), (2, 1));
    is_narrowed(&world).await;

    let delete = |batch: &RecordBatch| {
        let ids = batch.column(0).as_primitive::<Int64Type>();
        Ok(ids
            .iter()
            .map(|id| id.map(|id| id % 3 != 0))
            .collect::<BooleanArray>())
    };
    writer.delete_where(at(3), delete).await.unwrap();
    world.sync_done().await;
    let before = is_narrowed(&world).await;

    let mail = Field::new("mail", DataType::Utf8, true);
    writer.add_column(at(4), mail).await.unwrap();
    append(&mut writer, 5, 20_000..20_100, 2).await;
    let plan = world.sync_done().await;
    assert_eq!(plan.narrowed.unwrap().left_out, ["mail"]);
    assert_eq!(is_narrowed(&world).await, before + 90);
    writer.compact(at(6)).await.unwrap();
    world.sync_done().await;
    assert_eq!(is_narrowed(&world).await, before + 90);

    world.clock.advance(400 * HOUR);
    let (now, fence) = (world.clock.now(), Holds::for_ever());
    let target = world.pair().target;
    let done = vacuum(&target, World::replica_table(), 168, now, &fence).await;
    assert!(done.unwrap().deleted > 3);
    is_narrowed(&world).await;

    // Rows of which none is chosen, and until there is a checkpoint.
    for version in 7..14 {
        let ids = match version {
            7 => 30_009..30_010,
            version => 31_000 + 20 * version..31_000 + 20 * version + 10,
        };
        append(&mut writer, version, ids, 3).await;
        world.sync_done().await;
    }
    let keys = world.target.keys();
    assert!(keys.iter().any(|key| key.ends_with("checkpoint.parquet")));
    is_narrowed(&world).await;
    // What left no row is not read again.
    world.source.forget();
    append(&mut writer, 14, 40_000..40_001, 3).await;
    world.sync_done().await;
    let read = world.source.asked().into_iter();
    let mut read: Vec<_> = read
        .filter(|asked| asked.starts_with("get country"))
        .collect();
    read.dedup();
    assert_eq!(read.len(), 1, "{read:?}");

    let log = world.replica_commit(0);
    assert!(
        log[0]["commitInfo"]["operationMetrics"]
            .get("sourceTableSize")
            .is_none()
    );
}

#[tokio::test]
async fn what_is_fetched_is_what_was_planned_and_less_than_the_files() {
    let (world, _) = started(Some(narrow("")), 5_000).await;
    let now = Timestamp::from_millis(START);
    let Foreseen::Work(found) = foresee(&world.pair(), None, now).await.unwrap() else {
        panic!("nothing to do")
    };
    assert!(found.run.bytes < found.files.bytes, "{found:?}");
    let log = || world.source.sent();
    let before = log();
    let run = world.run();
    // The engine that copies is not asked: it is one that cannot even be started.
    let engine = ProcessEngine::new(Vec::new());
    let pair = world.pair();
    let outcome = drive(&run, &pair, &engine, &world.journal, &world.clock).await;
    let Outcome::Done(plan) = outcome.unwrap() else {
        panic!("not done")
    };
    let sent = log() - before;
    assert_eq!(sent, plan.bytes_copy);
    assert_eq!(plan.bytes_copy, found.run.bytes);
    assert_eq!(world.journal.record(run.id).copied.bytes_read, sent);
    assert_eq!(
        found.files.bytes,
        world.pair().source.snapshot(None).await.unwrap().bytes()
    );
    is_narrowed(&world).await;
}

#[tokio::test]
async fn a_replica_is_made_by_one_key_and_one_cut() {
    let (mut world, mut writer) = started(Some(narrow("")), 10).await;
    world.sync_done().await;
    append(&mut writer, 2, 10..20, 0).await;
    let keys = world.target.keys();
    let other = Narrowing {
        drop: vec!["driver".into()],
        ..narrowing("")
    };
    for (narrow, said) in [
        (Some(Narrow::new(narrowing(""), [7; 32])), "another key"),
        (Some(Narrow::new(other, KEY)), "another cut"),
        (Some(narrow("id > 5")), "another cut"),
        (None, "neither cut nor key"),
    ] {
        world.narrow = narrow;
        let Outcome::Parked { why } = world.sync().await else {
            panic!("not parked")
        };
        assert!(
            why.contains(said) && why.contains("Nothing was written"),
            "{why}"
        );
        assert_eq!(world.target.keys(), keys);
    }
    // The order and the case of letters make no other cut.
    let mut same = narrowing("");
    same.drop.reverse();
    same.drop[0] = same.drop[0].to_uppercase();
    world.narrow = Some(Narrow::new(same, KEY));
    world.sync_done().await;
    is_narrowed(&world).await;
    let said = format!("{:?}", world.pair().narrow);
    assert!(!said.contains("42") && !said.contains("driver"), "{said}");

    // A whole replica is not made a narrowed one.
    let (mut whole, mut writer) = started(None, 10).await;
    whole.sync_done().await;
    whole.narrow = Some(narrow(""));
    append(&mut writer, 2, 10..20, 0).await;
    let Outcome::Parked { why } = whole.sync().await else {
        panic!("not parked")
    };
    assert!(why.contains("has the whole table"), "{why}");
}

#[tokio::test]
async fn what_cannot_be_narrowed_is_refused_before_anything_is_written() {
    let (mut world, mut writer) = started(None, 10).await;
    let metadata = writer.snapshot().metadata.clone();
    let columns = narrow::check(&narrowing("plant = 'Leipzig'"), &metadata).unwrap();
    let kept: Vec<_> = columns
        .kept
        .iter()
        .map(|c| (c.name.as_str(), c.hashed))
        .collect();
    let expected = [
        ("id", false),
        ("vin", true),
        ("customer", false),
        ("country", false),
    ];
    assert_eq!(kept, expected);
    assert_eq!(
        columns.dropped,
        ["driver", "account", "customer.name", "plant"]
    );
    assert!(narrow::check(&Narrowing::default(), &metadata).is_err());

    for (what, said) in [
        (narrowing("nobody = 1"), "none of that name"),
        (
            Narrowing {
                drop: vec!["country".into()],
                ..Narrowing::default()
            },
            "partitioned by the column `country`",
        ),
    ] {
        assert!(narrow::check(&what, &metadata).unwrap_err().contains(said));
        world.narrow = Some(Narrow::new(what, KEY));
        let Outcome::Failed { why } = world.sync().await else {
            panic!("not failed")
        };
        assert!(why.contains(said), "{why}");
        assert!(world.target.data().is_empty());
    }

    // What was agreed to is all that comes, though the source has more by the first run.
    let mail = Field::new("mail", DataType::Utf8, true);
    writer.add_column(at(2), mail).await.unwrap();
    append(&mut writer, 3, 10..20, 0).await;
    world.narrow = Some(narrow("plant = 'Leipzig'").agreed(columns.schema));
    let plan = world.sync_done().await;
    assert_eq!(plan.narrowed.unwrap().left_out, ["mail"]);
    is_narrowed(&world).await;

    // The same by the source's own schema of then, also where nothing else is left out.
    let source = world.pair().source;
    let now = source.snapshot(None).await.unwrap().metadata;
    let whole = || Narrow::new(Narrowing::default(), KEY);
    assert!(whole().is_whole());
    let whole = whole().agreed_at(metadata.schema_string.clone());
    assert!(!whole.is_whole());
    let made = whole.of(&now, None, false).unwrap();
    assert_eq!(made.left_out, ["mail"]);

    // What is called otherwise by now stays left out, or hashed.
    let table = |columns: [(&str, &str); 3]| {
        let columns = columns.map(|(name, physical)| {
            serde_json::json!({"name": name, "type": "string", "nullable": true,
                "metadata": {"delta.columnMapping.id": 1, "delta.columnMapping.physicalName": physical}})
        });
        let mode = ("delta.columnMapping.mode".to_owned(), "name".to_owned());
        delta::Metadata {
            schema_string: serde_json::json!({"type": "struct", "fields": columns}).to_string(),
            partition_columns: Vec::new(),
            configuration: [mode].into(),
            ..now.clone()
        }
    };
    let then = table([("id", "c1"), ("driver", "c2"), ("vin", "c3")]);
    let now = table([("id", "c1"), ("person", "c2"), ("fin", "c3")]);
    let agreed = narrow("").agreed_at(then.schema_string);
    let made = agreed.of(&now, None, false).unwrap();
    let columns: Vec<(&str, bool)> = made
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.hashed))
        .collect();
    assert_eq!(columns, [("id", false), ("fin", true)]);
    assert_eq!(made.left_out, ["person"]);

    // A table that was made anew is known by what its columns are called.
    let anew = table([("id", "d1"), ("mail", "d2"), ("vin", "d3")]);
    let made = agreed.of(&anew, None, false).unwrap();
    assert_eq!(made.left_out, ["mail"]);
    assert!(made.columns[1].hashed && made.columns.len() == 2);
}
