//! Delta Shares as storages, against a server in this process that says what a test lets it say: both formats, addresses that end, and
//! what a server might say that means no good.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use futures::TryStreamExt as _;
use http::{HeaderMap, StatusCode};
use object_store::path::Path;
use object_store::{Error, GetOptions, ObjectStore, ObjectStoreExt as _};
use serde_json::{Value, json};

use super::{body, key, meter, spec};
use crate::doctor::{Outcome, examine};
use crate::{Limits, Meter, StorageError, Store, Stores};

const TABLE: &str = "sales/eu/orders";

/// What the server says until it is told to say something else.
#[derive(Default)]
struct Said {
    version: u64,
    /// The lines of the first two kinds, and those of files.
    head: Vec<Value>,
    files: Vec<Value>,
    /// Whether it says that the answer is whole.
    ends: bool,
    /// The status of every answer but of files.
    status: u16,
    objects: HashMap<String, Vec<u8>>,
    /// Addresses with this word in them are open, all others not.
    open: String,
    asked: Vec<(String, Value)>,
}

#[derive(Clone, Default)]
struct Server(Arc<Mutex<Said>>);

impl Server {
    async fn start() -> (Self, SocketAddr) {
        let server = Self::default();
        server.0.lock().unwrap().status = 200;
        let router = Router::new().fallback(answer).with_state(server.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (server, address)
    }

    fn says(&self, change: impl FnOnce(&mut Said)) {
        change(&mut self.0.lock().unwrap());
    }

    /// What was asked since the last time: the end of the path, and what was sent.
    fn asked(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.0.lock().unwrap().asked)
    }
}

async fn answer(State(server): State<Server>, request: Request) -> Response {
    let (parts, sent) = request.into_parts();
    let sent = axum::body::to_bytes(sent, usize::MAX).await.unwrap();
    let sent = serde_json::from_slice(&sent).unwrap_or(Value::Null);
    let path = parts.uri.path().to_owned();
    let mut said = server.0.lock().unwrap();
    said.asked
        .push((path.rsplit('/').next().unwrap_or_default().to_owned(), sent));
    if let Some(name) = path.strip_prefix("/files/") {
        let is_open = parts.uri.query() == Some(said.open.as_str());
        let Some(object) = said.objects.get(name).filter(|_| is_open) else {
            return plain(StatusCode::FORBIDDEN, "Request has expired");
        };
        return part_of(object, &parts.headers);
    }
    assert_eq!(parts.headers["authorization"], "Bearer s3cr3t");
    let list = |names: &[&str]| {
        let items: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
        json!({ "items": items }).to_string()
    };
    let status = StatusCode::from_u16(said.status).unwrap();
    if status != StatusCode::OK {
        let told = json!({ "errorCode": "NOPE", "message": "s3cr3t <script>" }).to_string();
        return plain(status, &told);
    }
    let body = match path.as_str() {
        "/d/shares" => list(&["sales", "../etc", "a/b", "."]),
        "/d/shares/sales/schemas" => list(&["eu"]),
        "/d/shares/sales/schemas/eu/tables" => list(&["orders"]),
        "/d/shares/sales/schemas/eu/tables/orders/metadata" => lines(&said.head),
        "/d/shares/sales/schemas/eu/tables/orders/query" => {
            let mut all = said.head.clone();
            all.extend(said.files.iter().cloned());
            if said.ends {
                all.push(json!({ "endStreamAction": { "refreshToken": "again" } }));
            }
            lines(&all)
        }
        _ => return plain(StatusCode::NOT_FOUND, "{}"),
    };
    Response::builder()
        .header("delta-table-version", said.version)
        .header(
            "delta-sharing-capabilities",
            "responseformat=delta;includeendstreamaction=true",
        )
        .body(Body::from(body))
        .unwrap()
}

fn plain(status: StatusCode, text: &str) -> Response {
    let body = Body::from(text.to_owned());
    Response::builder().status(status).body(body).unwrap()
}

fn part_of(object: &[u8], headers: &HeaderMap) -> Response {
    let Some(range) = headers.get("range").and_then(|range| range.to_str().ok()) else {
        return plain_bytes(StatusCode::OK, object, None);
    };
    let (from, to) = range
        .strip_prefix("bytes=")
        .unwrap()
        .split_once('-')
        .unwrap();
    let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
    let to = to.min(object.len() - 1);
    let told = format!("bytes {from}-{to}/{}", object.len());
    let is_lie = object.starts_with(b"more");
    let sent = if is_lie { object } else { &object[from..=to] };
    plain_bytes(StatusCode::PARTIAL_CONTENT, sent, Some(told))
}

fn plain_bytes(status: StatusCode, bytes: &[u8], range: Option<String>) -> Response {
    let mut response = Response::builder().status(status).header("etag", "\"1\"");
    if let Some(range) = range {
        response = response.header("content-range", range);
    }
    response.body(Body::from(bytes.to_vec())).unwrap()
}

fn lines(lines: &[Value]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn delta_head() -> Vec<Value> {
    vec![
        json!({ "protocol": { "deltaProtocol": {
            "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"],
            "writerFeatures": ["deletionVectors", "rowTracking", "domainMetadata"],
        } } }),
        json!({ "metaData": { "size": 1, "deltaMetadata": {
            "id": "t-1", "format": { "provider": "parquet", "options": {} }, "schemaString": "{}", "partitionColumns": [],
            "configuration": { "delta.enableRowTracking": "true", "delta.enableDeletionVectors": "true" }, "createdTime": 5,
        } } }),
    ]
}

fn delta_file(address: SocketAddr, id: &str, size: u64, word: &str) -> Value {
    json!({ "file": { "id": id, "deletionVectorFileId": "v", "expirationTimestamp": 1, "deltaSingleAction": { "add": {
        "path": format!("http://{address}/files/{id}?{word}"), "partitionValues": {}, "size": size, "modificationTime": 7_000,
        "dataChange": true, "stats": "{\"numRecords\":2}", "baseRowId": 4, "deletionVector": {
            "storageType": "p", "pathOrInlineDv": format!("http://{address}/files/v?{word}"), "offset": 1, "sizeInBytes": 3,
            "cardinality": 1,
        },
    } } } })
}

fn store(address: SocketAddr) -> (Store, Meter) {
    let meter = meter();
    let profile = json!({
        "shareCredentialsVersion": 1, "endpoint": format!("http://{address}/d/"), "bearerToken": "s3cr3t",
    });
    let spec = spec(&format!("share://{address}/d"), None, &profile.to_string());
    let limits = Limits {
        endpoints: vec![address.to_string()],
        ..Limits::default()
    };
    let store = Stores::new(limits).open(&spec, &meter).unwrap();
    (store, meter)
}

/// The names of the log, and the lines of its checkpoint.
async fn log(objects: &dyn ObjectStore) -> Result<(Vec<String>, Vec<Value>), Error> {
    let found: Vec<_> = objects.list(Some(&key("_delta_log"))).try_collect().await?;
    let names: Vec<String> = found
        .iter()
        .map(|meta| meta.location.filename().unwrap().to_owned())
        .collect();
    let name = names.iter().find(|name| name.contains("checkpoint"));
    let at = Path::from_iter(["_delta_log", name.unwrap()]);
    let text = objects.get(&at).await?.bytes().await?;
    let lines = std::str::from_utf8(&text).unwrap().lines();
    let lines = lines.map(|line| serde_json::from_str(line).unwrap());
    Ok((names, lines.collect()))
}

fn sentence(error: Error) -> String {
    let said = StorageError::from(error).to_string();
    assert!(
        !said.contains("s3cr3t") && !said.contains("first"),
        "{said}"
    );
    said
}

#[tokio::test]
async fn a_shared_table_is_a_log_of_one_version_and_files_that_are_renewed() {
    let (server, address) = Server::start().await;
    server.says(|said| {
        said.version = 7;
        said.head = delta_head();
        said.files = vec![delta_file(address, "f1", 10, "first")];
        said.ends = true;
        said.open = "first".to_owned();
        said.objects = HashMap::from([
            ("f1".to_owned(), b"0123456789".to_vec()),
            ("v".to_owned(), b"vector".to_vec()),
        ]);
    });
    let (store, meter) = store(address);
    let top = store.objects().list_with_delimiter(None).await.unwrap();
    assert_eq!(top.common_prefixes, [Path::from("sales")]);
    let objects = store.at(TABLE).unwrap();
    let (names, lines) = log(objects.as_ref()).await.unwrap();
    assert_eq!(names.len(), 2);
    assert!(
        names.contains(&"00000000000000000007.json".to_owned()),
        "{names:?}"
    );
    assert!(lines[0]["checkpointMetadata"].is_object());
    assert_eq!(
        lines[1]["protocol"]["writerFeatures"],
        json!(["deletionVectors", "domainMetadata"])
    );
    assert_eq!(
        lines[2]["metaData"]["configuration"],
        json!({ "delta.enableDeletionVectors": "true" })
    );
    let add = &lines[3]["add"];
    assert_eq!(add["path"], "part-f1.parquet");
    assert_eq!(
        (&add["dataChange"], &add["baseRowId"]),
        (&json!(false), &Value::Null)
    );
    let vector = add["deletionVector"]["pathOrInlineDv"].as_str().unwrap();
    let home = format!("share://{address}/d/{TABLE}/");
    let vector = vector.strip_prefix(&home).unwrap().to_owned();
    assert!(vector.starts_with("deletion_vector_"), "{vector}");
    server.asked();

    // By the address of the moment, and a part of it; the size of a vector is its store's to say.
    assert_eq!(
        body(objects.as_ref(), "part-f1.parquet").await,
        b"0123456789"
    );
    let part = objects.get_range(&key("part-f1.parquet"), 3..5).await;
    assert_eq!(part.unwrap().as_ref(), b"34");
    assert_eq!(objects.head(&key(&vector)).await.unwrap().size, 6);
    let seen = objects.head(&key("part-f1.parquet")).await.unwrap();
    assert_eq!(
        (seen.size, seen.last_modified.timestamp_millis()),
        (10, 7_000)
    );
    assert_eq!(server.asked().len(), 3);

    // Its time is over: asked for anew, of the same version, and once for all who wait.
    server.says(|said| {
        said.open = "second".to_owned();
        said.files = vec![delta_file(address, "f1", 10, "second")];
    });
    let at = key("part-f1.parquet");
    let (one, two) = tokio::join!(objects.get(&at), objects.get(&at));
    assert_eq!(one.unwrap().bytes().await.unwrap().as_ref(), b"0123456789");
    assert_eq!(two.unwrap().bytes().await.unwrap().as_ref(), b"0123456789");
    let asked = server.asked();
    let queries: Vec<&Value> = asked
        .iter()
        .filter(|(path, _)| path == "query")
        .map(|(_, sent)| sent)
        .collect();
    assert_eq!(queries.len(), 1, "{asked:?}");
    assert_eq!(queries[0]["refreshToken"], "again");
    // With the tag that it had, as the parts of a large file are asked for; and what is nowhere.
    let same = GetOptions::new().with_if_match(Some("\"1\"".to_owned()));
    objects.get_opts(&at, same).await.unwrap();
    let gone = objects.get(&key("part-f2.parquet")).await.unwrap_err();
    assert!(matches!(gone, Error::NotFound { .. }), "{gone:?}");
    let written = objects.put(&key("x"), "x".into()).await.unwrap_err();
    assert!(matches!(written, Error::NotSupported { .. }), "{written:?}");

    let report = examine(&store, true).await;
    assert!(report.healthy(), "{report:?}");
    assert_eq!(report.check("list").unwrap().outcome, Outcome::Ok);
    assert_eq!(
        report.check("read").unwrap().outcome,
        Outcome::Ok,
        "{report:?}"
    );
    let signed = store
        .sign_get(&key("sales/eu/orders/part-f1.parquet"), crate::MIN_TTL)
        .await;
    assert!(matches!(signed, Err(StorageError::NotAllowed { .. })));
    assert!(meter.received() > 0);
}

#[tokio::test]
async fn the_older_format_is_read_too() {
    let (server, address) = Server::start().await;
    server.says(|said| {
        said.head = vec![
            json!({ "protocol": { "minReaderVersion": 1 } }),
            json!({ "metaData": {
                "id": "t-2", "format": { "provider": "parquet" }, "schemaString": "{}", "partitionColumns": ["day"],
                "configuration": { "enableChangeDataFeed": "true" },
            } }),
        ];
        said.files = vec![json!({ "file": {
            "url": format!("http://{address}/files/a%20b?first"), "id": "not plain/../", "partitionValues": { "day": "1" },
            "size": "4", "stats": "{}",
        } })];
        said.ends = true;
    });
    let (store, _) = store(address);
    let (_, lines) = log(store.at(TABLE).unwrap().as_ref()).await.unwrap();
    assert_eq!(lines[1]["protocol"]["minWriterVersion"], 2);
    assert_eq!(lines[2]["metaData"]["configuration"], json!({}));
    let add = &lines[3]["add"];
    assert_eq!(
        (&add["size"], &add["partitionValues"]["day"]),
        (&json!(4), &json!("1"))
    );
    let name = add["path"].as_str().unwrap();
    assert!(
        name.starts_with("part-") && name.ends_with(".parquet"),
        "{name}"
    );
    assert!(!name.contains("..") && !name.contains('/'), "{name}");
}

#[tokio::test]
async fn what_a_server_says_that_means_no_good_is_refused_in_our_words() {
    let (server, address) = Server::start().await;
    let good = || vec![delta_file(address, "f1", 10, "first")];
    server.says(|said| {
        said.head = delta_head();
        said.ends = true;
    });
    // Addresses: of this machine's neighbours, of the cloud's own services, in plain text, and such as two readers read differently.
    for url in [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:1/x",
        "https://evil.example/x",
        "http://b.s3.eu-central-1.amazonaws.com/x",
        "file:///etc/passwd",
        "not an address",
    ] {
        server.says(|said| {
            said.files = good();
            said.files[0]["file"]["deltaSingleAction"]["add"]["path"] = url.into();
        });
        let (store, _) = store(address);
        let objects = store.at(TABLE).unwrap();
        let error = objects.get(&key("part-f1.parquet")).await.unwrap_err();
        let said = sentence(error);
        assert!(said.contains("hands out"), "{url}: {said}");
    }
    // More than the store says that it sends.
    server.says(|said| {
        said.files = good();
        said.open = "first".to_owned();
        said.objects = HashMap::from([("f1".to_owned(), b"more789012".to_vec())]);
    });
    let (opened, _) = store(address);
    let objects = opened.at(TABLE).unwrap();
    let part = objects.get_range(&key("part-f1.parquet"), 3..5).await;
    let said = sentence(part.unwrap_err());
    assert!(said.contains("more than it says"), "{said}");
    // Answers: cut off, with an error at the end, with a file twice, with a relative vector, without a size.
    type Change = fn(&mut Said);
    let changes: [(Change, &str); 6] = [
        (|said| said.ends = false, "broke off"),
        (
            |said| {
                said.files
                    .push(json!({ "endStreamAction": { "errorMessage": "s3cr3t" } }))
            },
            "ends with an error",
        ),
        (
            |said| {
                let again = said.files[0].clone();
                said.files.push(again);
            },
            "two files have one id",
        ),
        (
            |said| {
                let add = &mut said.files[0]["file"]["deltaSingleAction"]["add"];
                add["deletionVector"]["storageType"] = "u".into();
            },
            "only its owner",
        ),
        (
            |said| said.files[0]["file"]["deltaSingleAction"]["add"]["size"] = Value::Null,
            "no size",
        ),
        (
            |said| said.head.truncate(0),
            "does not begin with a protocol",
        ),
    ];
    for (change, expected) in changes {
        server.says(|said| {
            said.head = delta_head();
            said.ends = true;
            said.files = good();
            change(said);
        });
        let (store, _) = store(address);
        let objects = store.at(TABLE).unwrap();
        let error = objects.get(&key("part-f1.parquet")).await.unwrap_err();
        let said = sentence(error);
        assert!(said.contains(expected), "{expected}: {said}");
    }
    // Refusals.
    server.says(|said| said.head = delta_head());
    for (status, expected) in [
        (401, "new profile"),
        (403, "the access has ended"),
        (404, "shares it with this recipient no longer"),
        (400, "older versions"),
        (302, "redirect"),
    ] {
        server.says(|said| said.status = status);
        let (store, _) = store(address);
        let objects = store.at(TABLE).unwrap();
        let said = sentence(log(objects.as_ref()).await.unwrap_err());
        assert!(said.contains(expected) && said.contains(TABLE), "{said}");
        assert!(!said.contains("script"), "{said}");
    }
}
