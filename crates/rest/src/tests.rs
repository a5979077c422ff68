//! The table and the routes, compared; the document, checked.

use std::collections::BTreeSet;

use exchange::Operation;
use exchange::operation::TABLE;

use crate::routes;

mod areas;
mod documented;
mod world;

#[test]
fn every_line_of_the_table_has_its_route() {
    let routed: BTreeSet<Operation> = routes::all()
        .0
        .iter()
        .map(|endpoint| endpoint.operation)
        .collect();
    assert_eq!(
        routed.len(),
        routes::all().0.len(),
        "an operation is routed twice"
    );
    let wanted: BTreeSet<Operation> = TABLE
        .iter()
        .filter(|line| line.rest.is_some())
        .map(|line| line.operation)
        .collect();
    assert_eq!(routed, wanted);
}

#[test]
fn every_route_is_in_the_document() {
    let document = crate::openapi();
    for endpoint in routes::all().0 {
        let method = endpoint.method.to_lowercase();
        let found = &document["paths"][endpoint.path][&method];
        assert_eq!(found["operationId"], endpoint.operation.name());
        let has_body = found["requestBody"].is_object();
        let takes_body = matches!(endpoint.method, "PUT" | "PATCH")
            || (endpoint.method == "POST" && endpoint.shape.body.is_some());
        assert_eq!(has_body, takes_body, "{:?}", endpoint.operation);
        for schema in endpoint.shape.body.iter().chain(&endpoint.shape.answer) {
            assert!(!schema().is_empty(), "{:?}", endpoint.operation);
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
    let document = crate::openapi();
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
        let found = crate::body::field_error(path, said);
        assert_eq!(
            (found.field.as_str(), found.message.as_str()),
            (field, message),
            "{said}"
        );
    }
}
