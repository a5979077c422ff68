//! Tables that only the delta format can tell: deletion vectors, column mapping and the like, to the letter. That real readers
//! understand it is seen in the server's tests.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Value, json};

use super::actions::{add, metadata_with, protocol};
use super::world::{Answer, CAPABILITIES, World, assert_error, visits};

const ALL: &str = "responseformat=delta,parquet;readerfeatures=deletionvectors,columnmapping,timestampntz,typewidening,varianttype,variantshredding";

/// `ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin`, as the protocol writes it.
const PLACE: &str = "ab^-aqEH.-t@S}K{vb[*k^";
const OBJECT: &str = "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin";

fn features(reader: &[&str]) -> Value {
    json!({"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": reader, "writerFeatures": reader}})
}

fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert_eq!(answer.header(CAPABILITIES), "responseformat=delta");
    let lines = answer.lines();
    lines
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Adds or removes a file of ten rows, of which a deletion vector takes some away.
fn acts(action: &str, path: &str, vector: Option<Value>) -> Value {
    let mut fields = add(path, Some("2021-04-28"), Some(10))["add"].take();
    if let Some(vector) = vector {
        fields["deletionVector"] = vector;
    }
    if action == "remove" {
        fields["deletionTimestamp"] = json!(7);
    }
    json!({ action: fields })
}

fn object(offset: i64, cardinality: i64) -> Option<Value> {
    Some(
        json!({"storageType": "u", "pathOrInlineDv": PLACE, "offset": offset, "sizeInBytes": 40, "cardinality": cardinality}),
    )
}

fn inline() -> Option<Value> {
    Some(
        json!({"storageType": "i", "pathOrInlineDv": "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L", "sizeInBytes": 40, "cardinality": 6}),
    )
}

/// Two files that lose rows, one of them twice.
async fn shrinking() -> World {
    let on = BTreeMap::from([
        ("delta.enableDeletionVectors", "true"),
        ("delta.enableChangeDataFeed", "true"),
    ]);
    let schema = r#"{"type":"struct","fields":[{"name":"date","type":"date","nullable":true,"metadata":{}}]}"#;
    let world = World::of(&[
        &[
            features(&["deletionVectors"]),
            metadata_with(schema, &on),
            acts("add", "f", None),
            acts("add", "g", None),
        ],
        &[acts("remove", "f", None), acts("add", "f", object(1, 3))],
        &[
            acts("remove", "f", object(1, 3)),
            acts("add", "f", object(41, 5)),
            acts("remove", "g", None),
            acts("add", "g", inline()),
        ],
    ])
    .await;
    world.shares_past(true, true, false);
    world
}

#[tokio::test]
async fn a_deletion_vector_is_inline_or_behind_a_url() {
    let world = shrinking().await;
    let answer = world
        .query_with(&visits("/query"), "{}", &[(CAPABILITIES, ALL)])
        .await;
    let lines = lines(&answer);
    assert_eq!(
        lines[0]["protocol"]["deltaProtocol"],
        features(&["deletionVectors"])["protocol"]
    );
    assert_eq!(lines.len(), 4);
    let (f, g) = (&lines[2]["file"], &lines[3]["file"]);
    let signed =
        |n: u32, name: &str| format!("https://store.example/{name}?X-Amz-Signature=s&n={n}");
    let action = &f["deltaSingleAction"]["add"];
    assert_eq!(action["path"], signed(0, "f"));
    assert_eq!(
        action["deletionVector"],
        json!({"storageType": "p", "pathOrInlineDv": signed(1, OBJECT), "offset": 41, "sizeInBytes": 40, "cardinality": 5})
    );
    // The line is good for as long as the first of its URLs.
    assert_eq!(f["expirationTimestamp"], super::world::EXPIRES - 1_000);
    let id = {
        use sha2::Digest as _;
        hex::encode(sha2::Sha256::digest(OBJECT.as_bytes()))
    };
    assert_eq!(f["deletionVectorFileId"], id);
    let action = &g["deltaSingleAction"]["add"];
    assert_eq!(action["path"], signed(2, "g"));
    assert_eq!(action["deletionVector"], inline().unwrap());
    assert!(g.get("deletionVectorFileId").is_none());
    let record = world.record();
    assert_eq!((record.files, record.bytes_signed), (2, 2 * 573 + 40));

    // Who can read it without must not be given it.
    for (capabilities, says) in [
        ("responseformat=parquet", "deletionvectors"),
        (
            "responseformat=delta;readerfeatures=columnmapping",
            "deletionvectors",
        ),
    ] {
        let headers = [(CAPABILITIES, capabilities)];
        let answer = world.query_with(&visits("/query"), "{}", &headers).await;
        assert_error(&answer, 400, "UNSUPPORTED_OPERATION", capabilities);
        assert!(answer.message().contains(says), "{}", answer.message());
    }

    // Five and four rows are left.
    for (limit, files) in [(5, 1), (6, 2)] {
        let body = format!(r#"{{"limitHint":{limit}}}"#);
        let headers = [(CAPABILITIES, ALL)];
        let answer = world.query_with(&visits("/query"), &body, &headers).await;
        assert_eq!(self::lines(&answer).len() - 2, files, "{limit}");
    }
    let body = r#"{"version":0}"#;
    let headers = [(CAPABILITIES, ALL)];
    let then = self::lines(&world.query_with(&visits("/query"), body, &headers).await);
    let action = &then[2]["file"]["deltaSingleAction"]["add"];
    assert!(action.get("deletionVector").is_none());
}

/// A reader finds out which rows a commit deleted by comparing what it removed with what it added under the same URL.
#[tokio::test]
async fn changes_have_the_vectors_of_both_sides_and_one_url_for_a_file() {
    let world = shrinking().await;
    for (method, path) in [("GET", "/changes?startingVersion=1"), ("POST", "/query")] {
        let headers = [(CAPABILITIES, ALL)];
        let answer = match method {
            "GET" => world.get_with(&visits(path), &headers).await,
            _ => {
                let body = r#"{"startingVersion":1}"#;
                world.query_with(&visits(path), body, &headers).await
            }
        };
        let found: Vec<(u64, String, String, Option<i64>)> = lines(&answer)[2..]
            .iter()
            .map(|line| {
                let file = &line["file"];
                let actions = file["deltaSingleAction"].as_object().unwrap();
                let (name, action) = actions.iter().next().unwrap();
                let url = action["path"].as_str().unwrap().to_owned();
                let vector = &action["deletionVector"];
                let version = file["version"].as_u64().unwrap();
                (version, name.clone(), url, vector["cardinality"].as_i64())
            })
            .collect();
        let (f, g) = (found[0].2.clone(), found[4].2.clone());
        assert!(f != g && f.contains("/f?") && g.contains("/g?"));
        let one = |version: u64, name: &str, url: &String, rows: Option<i64>| {
            (version, name.to_owned(), url.clone(), rows)
        };
        assert_eq!(
            found,
            [
                one(1, "remove", &f, None),
                one(1, "add", &f, Some(3)),
                one(2, "remove", &f, Some(3)),
                one(2, "add", &f, Some(5)),
                one(2, "remove", &g, None),
                one(2, "add", &g, Some(6)),
            ]
        );
        let asked = visits("/changes?startingVersion=1");
        let parquet = world.get(&asked).await;
        assert_error(&parquet, 400, "UNSUPPORTED_OPERATION", "in parquet");
    }
}

#[tokio::test]
async fn mapped_columns_keep_their_physical_names_and_are_found_by_their_logical_ones() {
    let schema = r#"{"type":"struct","fields":[{"name":"n","type":"long","nullable":true,"metadata":{"delta.columnMapping.id":1,"delta.columnMapping.physicalName":"col-a"}},{"name":"date","type":"date","nullable":true,"metadata":{"delta.columnMapping.id":2,"delta.columnMapping.physicalName":"col-b"}}]}"#;
    for mode in ["name", "id"] {
        let mapped = BTreeMap::from([
            ("delta.columnMapping.mode", mode),
            ("delta.columnMapping.maxColumnId", "2"),
        ]);
        let file = |path: &str, date: &str, low: u64| {
            let stats = json!({"numRecords": 1, "minValues": {"col-a": low}, "maxValues": {"col-a": low + 9}, "nullCount": {"col-a": 0}});
            json!({"add": {"path": path, "partitionValues": {"col-b": date}, "size": 1, "modificationTime": 1,
                "dataChange": true, "stats": stats.to_string()}})
        };
        let world = World::of(&[&[
            json!({"protocol": {"minReaderVersion": 2, "minWriterVersion": 5}}),
            metadata_with(schema, &mapped),
            file("x/a", "2026-01-01", 0),
            file("x/b", "2026-01-01", 10),
            file("y/c", "2026-01-02", 10),
        ]])
        .await;
        let headers = [(CAPABILITIES, ALL)];
        let json = r#"{\"op\":\"equal\",\"children\":[{\"op\":\"column\",\"name\":\"date\",\"valueType\":\"date\"},{\"op\":\"literal\",\"value\":\"2026-01-02\",\"valueType\":\"date\"}]}"#;
        for (body, files) in [
            ("{}".to_owned(), 3),
            (
                r#"{"predicateHints":["date = '2026-01-01'"]}"#.to_owned(),
                2,
            ),
            (r#"{"predicateHints":["n >= 10"]}"#.to_owned(), 2),
            (
                r#"{"predicateHints":["date = '2026-01-01'","n < 10"]}"#.to_owned(),
                1,
            ),
            (format!(r#"{{"jsonPredicateHints":"{json}"}}"#), 1),
        ] {
            let answer = world.query_with(&visits("/query"), &body, &headers).await;
            let lines = lines(&answer);
            assert_eq!(lines.len() - 2, files, "{mode} {body}");
            let told = &lines[1]["metaData"]["deltaMetadata"];
            assert_eq!(told["schemaString"], schema);
            assert_eq!(told["configuration"]["delta.columnMapping.mode"], mode);
            assert_eq!(
                lines[0]["protocol"]["deltaProtocol"],
                json!({"minReaderVersion": 2, "minWriterVersion": 5})
            );
            let values = &lines[2]["file"]["deltaSingleAction"]["add"]["partitionValues"];
            assert!(values["col-b"].is_string(), "{values}");
        }
    }
}

/// H2: what counts is what is in use.
#[tokio::test]
async fn a_client_must_know_what_a_table_uses_and_no_more() {
    let schema = |kind: &str, notes: &str| {
        format!(
            r#"{{"type":"struct","fields":[{{"name":"a","type":"{kind}","nullable":true,"metadata":{notes}}}]}}"#
        )
    };
    let plain = || schema("long", "{}");
    let widened = r#"{"delta.typeChanges":[{"fromType":"integer","toType":"long"}]}"#;
    let none = BTreeMap::new;
    let shredded = || BTreeMap::from([("delta.enableVariantShredding", "true")]);
    for (feature, schema, settings, needed) in [
        (
            "typeWidening",
            schema("long", widened),
            none(),
            "typewidening",
        ),
        (
            "typeWidening-preview",
            schema("long", widened),
            none(),
            "typewidening-preview",
        ),
        (
            "variantType",
            schema("variant", "{}"),
            none(),
            "varianttype",
        ),
        (
            "variantType-preview",
            schema("variant", "{}"),
            none(),
            "varianttype",
        ),
        (
            "variantShredding",
            schema("variant", "{}"),
            shredded(),
            "varianttype,variantshredding",
        ),
        ("typeWidening", plain(), none(), ""),
        ("variantType", plain(), none(), ""),
        ("deletionVectors", plain(), none(), ""),
        ("v2Checkpoint", plain(), none(), ""),
        ("vacuumProtocolCheck", plain(), none(), ""),
    ] {
        let table = [features(&[feature]), metadata_with(&schema, &settings)];
        let world = World::of(&[&table]).await;
        let asked = format!("responseformat=delta;readerfeatures={needed}");
        let answer = world
            .get_with(&visits("/metadata"), &[(CAPABILITIES, &asked)])
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{feature}: {}", answer.body);
        let answer = world.get(&visits("/metadata")).await;
        if needed.is_empty() {
            assert_eq!(answer.header(CAPABILITIES), "responseformat=parquet");
            continue;
        }
        assert_error(&answer, 400, "UNSUPPORTED_OPERATION", feature);
        let lacking = "responseformat=delta,parquet;readerfeatures=deletionvectors,columnmapping";
        let answer = world
            .get_with(&visits("/metadata"), &[(CAPABILITIES, lacking)])
            .await;
        assert_error(&answer, 400, "UNSUPPORTED_OPERATION", feature);
        let name = feature.trim_end_matches("-preview");
        assert!(answer.message().contains(name), "{}", answer.message());
    }
    let world = World::of(&[&[
        protocol(),
        metadata_with(&plain(), &BTreeMap::new()),
        acts("add", "../secret", object(1, 1)),
    ]])
    .await;
    let answer = world
        .query_with(&visits("/query"), "{}", &[(CAPABILITIES, ALL)])
        .await;
    assert_error(&answer, 400, "UNSUPPORTED_OPERATION", "a shallow clone");
    assert_eq!(world.sign_calls(), 0);
}
