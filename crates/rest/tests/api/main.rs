//! The table and the routes, compared; the document, checked; each area asked through its routes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};

use exchange::operation::TABLE;
use serde_json::Value;

mod areas;
mod documented;
mod world;

/// Each route as the document, which is made of the routes themselves, tells it.
fn routes(document: &Value) -> Vec<(String, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let mut routes = Vec::new();
    for (path, methods) in paths {
        for method in ["get", "put", "post", "patch", "delete"] {
            let Some(told) = methods.get(method) else {
                continue;
            };
            routes.push((method.to_uppercase(), path.clone(), told));
        }
    }
    routes
}

#[test]
fn every_line_of_the_table_has_its_route() {
    let document = rest::openapi();
    let routed: BTreeMap<(String, String), String> = routes(document)
        .into_iter()
        .map(|(method, path, told)| {
            let operation = told["operationId"].as_str().unwrap();
            ((method, path), operation.to_owned())
        })
        .collect();
    let wanted: BTreeMap<(String, String), String> = TABLE
        .iter()
        .filter_map(|line| {
            let (method, path) = line.rest?;
            Some((
                (method.to_owned(), path.to_owned()),
                line.operation.name().to_owned(),
            ))
        })
        .collect();
    assert_eq!(routed, wanted);
    // Two of the same method and path axum does not take.
    let operations: BTreeSet<&String> = routed.values().collect();
    assert_eq!(
        operations.len(),
        routed.len(),
        "an operation is routed twice"
    );
}

#[test]
fn every_route_tells_its_bodies() {
    let document = rest::openapi();
    for (method, path, told) in routes(document) {
        let body = &told["requestBody"];
        match method.as_str() {
            "PUT" | "PATCH" => assert!(body.is_object(), "{method} {path}"),
            "GET" | "DELETE" => assert!(body.is_null(), "{method} {path}"),
            _ => {}
        }
        if body.is_object() {
            assert!(
                !body["content"].as_object().unwrap().is_empty(),
                "{method} {path}"
            );
        }
        let answers = told["responses"].as_object().unwrap().values();
        for content in [body]
            .into_iter()
            .chain(answers)
            .map(|told| &told["content"])
        {
            for kind in content.as_object().into_iter().flatten() {
                assert!(
                    !kind.1["schema"].as_object().unwrap().is_empty(),
                    "{method} {path}"
                );
            }
        }
    }
    // Every reference leads somewhere.
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

#[test]
fn schemas_say_what_the_wire_is() {
    let document = rest::openapi();
    let person = &document["components"]["schemas"]["PersonNew"];
    assert_eq!(person["required"], serde_json::json!(["name", "title"]));
    assert_eq!(
        person["properties"]["password"]["type"],
        serde_json::json!(["string", "null"])
    );
    assert_eq!(person["properties"]["roles"]["type"], "array");
    let token = &document["components"]["schemas"]["Token"];
    assert_eq!(token["properties"]["id"]["format"], "uuid");
    assert_eq!(token["properties"]["expires_at"]["format"], "date-time");
    assert_eq!(
        document["components"]["schemas"]["Person"]["properties"]["roles"]["items"]["enum"],
        serde_json::json!(["data_protection", "finance", "auditor", "admin"])
    );
    let change = &document["paths"]["/people/{person}"]["patch"]["parameters"];
    assert!(
        change
            .as_array()
            .unwrap()
            .iter()
            .any(|parameter| parameter["name"] == "If-Match")
    );
}

#[test]
fn serde_s_words_become_people_s() {
    let cases = [
        (
            ".",
            "unknown field `x`, expected `name` or `title` at line 1 column 4",
            "x",
            "not known here; known are name, title",
        ),
        (
            "x",
            "unknown field `x`, expected one of `a`, `b`, `c`",
            "x",
            "not known here; known are a, b, c",
        ),
        (
            "tables[0]",
            "missing field `path` at line 1 column 2",
            "tables[0].path",
            "missing",
        ),
        (
            ".",
            "missing field `name` at line 3 column 1",
            "name",
            "missing",
        ),
        (
            "days",
            "invalid type: string \"secret\", expected u32 at line 1 column 2",
            "days",
            "must be a whole number, not negative",
        ),
        (
            "name",
            "invalid type: integer `5`, expected a string at line 1 column 2",
            "name",
            "must be a text",
        ),
        (
            ".",
            "invalid type: sequence, expected struct PersonNew at line 1 column 0",
            "body",
            "must be an object",
        ),
        (
            "name",
            "duplicate field `name` at line 1 column 2",
            "name",
            "given twice",
        ),
        (
            "until",
            "not an instant: use 2026-01-31",
            "until",
            "not an instant: use 2026-01-31",
        ),
        (
            "mode",
            "unknown variant `x`, expected `live` or `replica`",
            "mode",
            "must be one of live, replica",
        ),
        (
            "limit",
            "invalid digit found in string",
            "limit",
            "must be a whole number",
        ),
    ];
    for (path, said, field, message) in cases {
        let found = rest::field_error(path, said);
        assert_eq!(
            (found.field.as_str(), found.message.as_str()),
            (field, message),
            "{said}"
        );
    }
}
