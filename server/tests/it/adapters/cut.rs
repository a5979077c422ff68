//! A grant on a cut, through the real engine, gate and databases: columns are gone, hashes stand there, and no way leads to the full
//! table.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use delta::write::arrow::array::{Array as _, Int64Array, RecordBatch, StringArray};
use delta::write::arrow_schema::{DataType, Field, Schema};
use delta::write::{NewTable, Writer};
use exchange::Principal;
use exchange::ports::Observation;
use http::{Method, StatusCode};
use model::dto::{ColumnCut, CutNew, CutRotate, CutTableNew, PurposeNew, RequestNew};
use model::{GrantId, ReplicaState};
use serde_json::Value;

use super::tables::meter;
use super::{VISITS, VISITS_PATH, World, files_of};

const ROWS: i64 = 400;

fn vin(row: i64) -> String {
    format!("WVWZZZ{row:011}")
}

/// Of every person a name that stands nowhere else.
fn name(row: i64) -> String {
    format!("Planted-Person-{row:06}")
}

fn country(row: i64) -> String {
    match row % 2 {
        0 => "DE".to_owned(),
        _ => "FR".to_owned(),
    }
}

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("vin", DataType::Utf8, true),
        Field::new("name", DataType::Utf8, true),
        Field::new("country", DataType::Utf8, true),
    ]))
}

fn visits(first: i64) -> RecordBatch {
    let ids = first..first + ROWS;
    let texts = |of: fn(i64) -> String| StringArray::from_iter_values(ids.clone().map(of));
    RecordBatch::try_new(
        schema(),
        vec![
            Arc::new(Int64Array::from_iter_values(ids.clone())),
            Arc::new(texts(vin)),
            Arc::new(texts(name)),
            Arc::new(texts(country)),
        ],
    )
    .unwrap()
}

impl World {
    /// The usual product with people in its rows, and a cut of it without their names: of Germany alone.
    async fn people(&self) -> Writer {
        let at = self
            .lake
            .table(&self.access("aws_eu"), VISITS_PATH, &meter());
        let new = NewTable {
            name: None,
            description: None,
            schema: schema(),
            partition_columns: vec!["country".to_owned()],
            configuration: BTreeMap::new(),
        };
        let time = self.exchange.now();
        let mut writer = Writer::create(at.unwrap().table, 1, time, new)
            .await
            .unwrap();
        writer.append(time, &[visits(0)]).await.unwrap();
        self.product_with(VISITS, "aws_eu", &[("visits", VISITS_PATH)], true)
            .await;
        let new = CutNew {
            name: "plain".to_owned(),
            description: "for workshops".to_owned(),
            tables: vec![CutTableNew {
                schema: "default".to_owned(),
                table: "visits".to_owned(),
                drop: vec!["name".to_owned()],
                pseudonymise: vec!["vin".to_owned()],
                // By what the log calls its types, read for real: all rows fit the number.
                rows: Some("country = 'DE' and id >= 0".to_owned()),
            }],
        };
        let operator = Principal::operator();
        let made = self.exchange.cut_create(&operator, VISITS, new).await;
        made.unwrap();
        writer
    }

    /// More people, with a column that was not there before. Nobody has agreed to that.
    async fn more_people(&self, writer: &mut Writer) {
        let time = self.exchange.now();
        let mail = Field::new("mail", DataType::Utf8, true);
        writer.add_column(time, mail).await.unwrap();
        let mut columns = visits(ROWS).columns().to_vec();
        let mails = StringArray::from_iter_values((0..ROWS).map(name));
        columns.push(Arc::new(mails));
        let rows = RecordBatch::try_new(writer.schema().clone(), columns).unwrap();
        writer.append(time, &[rows]).await.unwrap();
        let operator = Principal::operator();
        let read = self.exchange.product_refresh(&operator, VISITS).await;
        read.unwrap();
        let cut = self.exchange.cut(&operator, VISITS, "plain").await.unwrap();
        let mut columns = cut.tables[0].columns.iter();
        let how = columns.find(|column| column.name == "mail").unwrap().how;
        assert_eq!(how, ColumnCut::Later);
    }

    fn asking(&self, mode: &str) -> RequestNew {
        let until = self.exchange.now().plus(10 * model::time::DAY);
        RequestNew {
            product: VISITS.into(),
            recipient: "rnd_weu".into(),
            mode: mode.into(),
            cut: Some("plain".into()),
            until: until.to_string(),
            purpose: PurposeNew {
                code: "warranty".into(),
                text: "to see what breaks".into(),
            },
        }
    }

    async fn granted_cut(&self) -> GrantId {
        let operator = Principal::operator();
        let asked = self.asking("replica");
        let request = self.exchange.request_create(&operator, asked).await;
        request.unwrap().grant.unwrap()
    }

    fn cut_folder(&self, edition: u32) -> PathBuf {
        self.root("az_weu")
            .join(format!("{VISITS}/plain.{edition}/default/visits"))
    }

    /// The rows of a replica of the cut: ids with what stands for their vin.
    async fn read_cut(&self, edition: u32) -> BTreeMap<i64, String> {
        let path = format!("{VISITS}/plain.{edition}/default/visits");
        let at = self
            .lake
            .table(&self.access("az_weu"), &path, &meter())
            .unwrap();
        let (_, batches) = delta::witness::rows(at.objects.clone(), None)
            .await
            .unwrap();
        let mut rows = BTreeMap::new();
        for batch in batches {
            let names: BTreeSet<String> = batch
                .schema()
                .fields()
                .iter()
                .map(|field| field.name().clone())
                .collect();
            assert_eq!(
                names,
                BTreeSet::from(["country", "id", "vin"].map(str::to_owned))
            );
            let ids = batch.column_by_name("id").unwrap();
            let ids = ids.as_any().downcast_ref::<Int64Array>().unwrap();
            let hashes = batch.column_by_name("vin").unwrap();
            let hashes = hashes.as_any().downcast_ref::<StringArray>().unwrap();
            for row in 0..batch.num_rows() {
                rows.insert(ids.value(row), hashes.value(row).to_owned());
            }
        }
        rows
    }
}

/// All files below a folder.
fn below(folder: &FilePath, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            below(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// No planted value stands in what lies below the folder, as it is.
fn assert_clean(folder: &FilePath) {
    let mut files = Vec::new();
    below(folder, &mut files);
    assert!(files.len() > 1, "{files:?}");
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        for planted in ["Planted-Person", "WVWZZZ"] {
            let is_there = bytes
                .windows(planted.len())
                .any(|part| part == planted.as_bytes());
            assert!(!is_there, "{planted} in {}", file.display());
        }
    }
}

#[tokio::test]
async fn by_a_cut_nothing_but_its_replica_is_read() {
    for world in World::each().await {
        let mut writer = world.people().await;
        let operator = Principal::operator();
        let live = world
            .exchange
            .request_create(&operator, world.asking("live"))
            .await;
        assert!(
            live.unwrap_err()
                .to_string()
                .contains("read from its replica only")
        );
        let grant = world.granted_cut().await;
        let token = world.token("rnd_weu").await;
        // Before its replica stands nothing is read: not the producer's files either.
        let early = world.query(VISITS, "visits", &token).await;
        assert_ne!(early.status, StatusCode::OK, "{}", early.text());
        assert!(files_of_any(early.text()).is_empty());
        world.work().await;
        let seen = world.observe(grant).await;
        assert!(matches!(seen, Observation::Works { .. }), "{seen:?}");

        let first = world.read_cut(1).await;
        assert_eq!(first.len(), usize::try_from(ROWS / 2).unwrap());
        assert!(first.keys().all(|id| id % 2 == 0), "Germany alone");
        let hashes: BTreeSet<&String> = first.values().collect();
        assert_eq!(hashes.len(), first.len(), "a hash for each vin");
        assert!(!first.values().any(|hash| hash.contains("WVWZZZ")));
        assert_clean(&world.root("az_weu").join(VISITS));

        // What the protocol says and gives is the replica's.
        let answer = world.query(VISITS, "visits", &token).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        assert!(answer.text().contains("\\\"vin\\\""), "{}", answer.text());
        for planted in [
            "\\\"name\\\":\\\"name\\\"",
            "Planted-Person",
            "WVWZZZ",
            "\"FR\"",
        ] {
            assert!(
                !answer.text().contains(planted),
                "{planted}: {}",
                answer.text()
            );
        }
        let files = files_of(&answer);
        assert!(!files.is_empty());
        for file in &files {
            let got = world.get(&file.url, None).await;
            assert_eq!(got.status, StatusCode::OK);
            let here = data_names(&world.cut_folder(1));
            assert!(
                here.values()
                    .any(|bytes| bytes.as_slice() == got.body.as_ref()),
                "a file of the cut's replica"
            );
        }

        refuse_every_way(&world, &token, &files[0].url).await;

        // Another key: other hashes, in another folder; the one before is read no more. What came meanwhile is in neither.
        world.more_people(&mut writer).await;
        let rotated = world
            .exchange
            .cut_rotate(&operator, VISITS, "plain", CutRotate::default())
            .await;
        assert_eq!(rotated.unwrap().edition, 2);
        world.work().await;
        let second = world.read_cut(2).await;
        assert_eq!(second.len(), 2 * first.len());
        assert!(first.iter().all(|(id, hash)| second[id] != *hash));
        assert_clean(&world.root("az_weu").join(VISITS));
        let replicas = world
            .exchange
            .replicas(&operator, Some(VISITS), &exchange::page::PageRequest::all())
            .await;
        let states: BTreeMap<Option<i64>, ReplicaState> = replicas
            .unwrap()
            .items
            .into_iter()
            .map(|replica| (replica.edition, replica.state))
            .collect();
        assert_eq!(
            states,
            BTreeMap::from([
                (Some(1), ReplicaState::Draining),
                (Some(2), ReplicaState::Ready)
            ])
        );
        let seen = world.observe(grant).await;
        assert!(matches!(seen, Observation::Works { .. }), "{seen:?}");

        // Ended, all of it ends.
        world.revoke(grant).await;
        let over = world.query(VISITS, "visits", &token).await;
        assert_eq!(over.status, StatusCode::FORBIDDEN, "{}", over.text());
    }
}

/// Older versions, the change feed, folders, other tables and shares, URLs that are made up: none gives what the cut leaves out.
async fn refuse_every_way(world: &World, token: &str, url: &str) {
    let table = format!("/shares/{VISITS}/schemas/default/tables/visits");
    for version in 0..3 {
        let older = world
            .ask_with(&table, token, serde_json::json!({ "version": version }))
            .await;
        assert!(
            !older.contains("Planted-Person") && !older.contains("\\\"name\\\":\\\"name\\\""),
            "{older}"
        );
        for url in files_of_any(&older) {
            let got = world.get(&url, None).await;
            let here = data_names(&world.cut_folder(1));
            let is_of_cut = here
                .values()
                .any(|bytes| bytes.as_slice() == got.body.as_ref());
            assert!(got.status != StatusCode::OK || is_of_cut);
        }
    }
    for what in [
        "changes?startingVersion=0",
        "changes?startingVersion=0&endingVersion=1",
    ] {
        let feed = world
            .share(Method::GET, &format!("{table}/{what}"), token)
            .await;
        for url in files_of_any(feed.text()) {
            let got = world.get(&url, None).await;
            let here = data_names(&world.cut_folder(1));
            let is_of_cut = here
                .values()
                .any(|bytes| bytes.as_slice() == got.body.as_ref());
            assert!(got.status != StatusCode::OK || is_of_cut, "{what}");
        }
        assert!(
            !feed.text().contains("\\\"name\\\":\\\"name\\\""),
            "{what}: {}",
            feed.text()
        );
    }
    let path = format!("{table}/temporary-table-credentials");
    let lent = world.share(Method::POST, &path, token).await;
    assert_ne!(lent.status, StatusCode::OK, "{}", lent.text());
    let metadata = world
        .share(Method::GET, &format!("{table}/metadata"), token)
        .await;
    assert_eq!(metadata.status, StatusCode::OK, "{}", metadata.text());
    assert!(!metadata.text().contains("\\\"name\\\":\\\"name\\\""));

    // One share, one table, and nothing under a name that leads into the lake.
    let shares = world.share(Method::GET, "/shares", token).await.json();
    assert_eq!(shares["items"].as_array().unwrap().len(), 1);
    let all = world
        .share(Method::GET, &format!("/shares/{VISITS}/all-tables"), token)
        .await;
    assert_eq!(all.json()["items"].as_array().unwrap().len(), 1);
    for (share, schema, name) in [
        ("vehicle-visits:plain", "default", "visits"),
        (VISITS, "plain.1", "visits"),
        (VISITS, "default", "visits2"),
        (VISITS, "..", "visits"),
    ] {
        let path = format!("/shares/{share}/schemas/{schema}/tables/{name}/query");
        let status = world.share(Method::POST, &path, token).await.status;
        assert!(status.is_client_error(), "{path}: {status}");
    }

    // A URL of the gateway is for one file of one folder; changed anywhere it is none.
    let producers = data_names(&world.root("aws_eu").join(VISITS_PATH));
    let (begin, end) = url.rsplit_once('/').unwrap();
    let tail = end
        .split_once('?')
        .map(|(_, query)| format!("?{query}"))
        .unwrap_or_default();
    for name in producers.keys() {
        let status = world
            .get(&format!("{begin}/{name}{tail}"), None)
            .await
            .status;
        assert_ne!(status, StatusCode::OK, "{name}");
    }

    // Nobody opens more of it afterwards.
    let operator = Principal::operator();
    let page = exchange::page::PageRequest::all();
    let grants = world.exchange.grants(&operator, None, &page).await.unwrap();
    let grant = grants.items[0].id;
    let scope = model::dto::GrantScopeNew {
        directory: true,
        ..Default::default()
    };
    assert!(
        world
            .exchange
            .grant_narrow(&operator, grant, scope)
            .await
            .is_err()
    );
    let limit = model::dto::GrantLimit {
        live_bytes_per_day: Some(1 << 40),
        revision: None,
    };
    assert!(
        world
            .exchange
            .grant_limit(&operator, grant, limit)
            .await
            .is_err()
    );
}

impl World {
    async fn ask_with(&self, table: &str, token: &str, body: Value) -> String {
        let request = http::Request::builder()
            .method(Method::POST)
            .uri(format!("/delta-sharing{table}/query"))
            .header(http::header::AUTHORIZATION, format!("Bearer {token}"))
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(axum::body::Body::from(body.to_string()))
            .unwrap();
        self.ask(request).await.text().to_owned()
    }
}

/// Every URL that a line of an answer names, whatever action it is of.
fn files_of_any(text: &str) -> Vec<String> {
    let mut urls = Vec::new();
    for line in text.lines() {
        let Ok(Value::Object(line)) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let found = line.values().filter_map(|action| action["url"].as_str());
        urls.extend(found.map(str::to_owned));
    }
    urls
}

/// The data files below a table's folder, by their names.
fn data_names(folder: &FilePath) -> BTreeMap<String, Vec<u8>> {
    let mut files = Vec::new();
    below(folder, &mut files);
    files
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "parquet"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(&path).unwrap())
        })
        .collect()
}
