//! The OpenAPI 3.1 document, made of the endpoints and of what serde says about their types.

use serde_json::{Map, Value, json};

use crate::endpoint::{Endpoint, Endpoints};
use crate::schema::Schema;

pub(crate) fn document(endpoints: &Endpoints) -> Value {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for endpoint in &endpoints.0 {
        let operation = operation(endpoint, &mut schemas);
        let path = paths
            .entry(endpoint.path.to_owned())
            .or_insert_with(|| json!({}));
        if let Value::Object(path) = path {
            path.insert(endpoint.method.to_lowercase(), operation);
        }
    }
    schemas.insert("Problem".to_owned(), problem());
    schemas.sort_keys();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Entrepôt",
            "version": "1",
            "description": "The data exchange's REST interface. Lists are keyset pages: hand `next` back as `after`. \
                A POST with an Idempotency-Key is done once, however often it is sent. What has a `revision` carries it \
                as ETag; If-Match (or `revision` in the body) makes a change conditional, 409 when it has moved on.",
        },
        "servers": [{ "url": "/api/v1" }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": {
                "type": "http", "scheme": "bearer", "description": "A service token: entrepot_st_…",
            } },
        },
    })
}

fn operation(endpoint: &Endpoint, schemas: &mut Map<String, Value>) -> Value {
    let shape = &endpoint.shape;
    let mut found = Map::new();
    let name = endpoint.operation.name();
    let line = endpoint.operation.line();
    found.insert("operationId".to_owned(), json!(name));
    found.insert("summary".to_owned(), json!(words(name)));
    if let Some(command) = line.cli {
        let command = format!("The same on the command line: `entrepot {command}`.");
        found.insert("description".to_owned(), json!(command));
    }
    let area = endpoint.path.split('/').nth(1).unwrap_or_default();
    found.insert("tags".to_owned(), json!([area]));
    let body = shape.body.map(|schema| schema());
    let parameters = parameters(endpoint, body.as_ref());
    if !parameters.is_empty() {
        found.insert("parameters".to_owned(), Value::Array(parameters));
    }
    if let Some(body) = &body {
        let body = json!({ "required": true, "content": json_content(body, schemas) });
        found.insert("requestBody".to_owned(), body);
    }
    found.insert("responses".to_owned(), responses(endpoint, schemas));
    Value::Object(found)
}

fn parameters(endpoint: &Endpoint, body: Option<&Schema>) -> Vec<Value> {
    let text = json!({ "type": "string" });
    let parameter = |place: &str, name: &str, schema: &Value| json!({ "in": place, "name": name, "required": place == "path", "schema": schema });
    let mut found: Vec<Value> = endpoint
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| parameter("path", name, &text))
        .collect();
    for name in &endpoint.shape.query {
        let schema = if *name == "limit" {
            json!({ "type": "integer", "minimum": 1, "maximum": exchange::page::MAX_LIMIT, "default": 50 })
        } else {
            text.clone()
        };
        found.push(parameter("query", name, &schema));
    }
    if endpoint.method == "POST" {
        let schema = json!({ "type": "string", "minLength": 1, "maxLength": 255 });
        found.push(parameter("header", "Idempotency-Key", &schema));
    }
    if body.is_some_and(Schema::has_revision) {
        found.push(parameter("header", "If-Match", &text));
    }
    found
}

fn responses(endpoint: &Endpoint, schemas: &mut Map<String, Value>) -> Value {
    let shape = &endpoint.shape;
    let mut found = Map::new();
    let good = match shape.answer.map(|schema| schema()) {
        None => ("204", json!({ "description": "Done" })),
        Some(answer) => {
            let mut content = json_content(&answer, schemas);
            if shape.has_csv {
                content["text/csv"] = json!({ "schema": { "type": "string" } });
            }
            (
                if shape.creates { "201" } else { "200" },
                json!({ "description": "Done", "content": content }),
            )
        }
    };
    found.insert(good.0.to_owned(), good.1);
    let refused = json!({
        "description": "Refused, with the reason",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    found.insert("default".to_owned(), refused);
    Value::Object(found)
}

fn json_content(schema: &Schema, schemas: &mut Map<String, Value>) -> Value {
    for (name, definition) in &schema.definitions {
        let mut definition = definition.clone();
        if let Some(known) = schemas.get(name) {
            // Within another type a field may seem needed that is not: required is what neither can do without.
            let both =
                required(&definition).filter(|field| required(known).any(|other| other == *field));
            let both: Vec<Value> = both.map(Value::from).collect();
            match both.is_empty() {
                true => definition
                    .as_object_mut()
                    .map(|fields| fields.remove("required")),
                false => definition
                    .as_object_mut()
                    .map(|fields| fields.insert("required".to_owned(), both.into())),
            };
        }
        schemas.insert(name.clone(), definition);
    }
    json!({ "application/json": { "schema": schema.value } })
}

/// The fields that a definition says are required.
fn required(definition: &Value) -> impl Iterator<Item = &str> {
    let fields = definition["required"].as_array().into_iter().flatten();
    fields.filter_map(Value::as_str)
}

/// `PersonCreate` as words.
fn words(name: &str) -> String {
    let mut text = String::new();
    for (at, c) in name.chars().enumerate() {
        if at > 0 && c.is_ascii_uppercase() {
            text.push(' ');
            text.push(c.to_ascii_lowercase());
        } else {
            text.push(c);
        }
    }
    text
}

/// RFC 9457, with the fields that are wrong.
fn problem() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "request_id": { "type": "string" },
            "errors": { "type": "array", "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": { "field": { "type": "string" }, "message": { "type": "string" } },
            } },
        },
    })
}
