//! Bad input for every operation there is, made from the OpenAPI document of the running server: each field of each body once
//! of the wrong type, too long, with characters that no text has, missing, and beside one that nobody knows; each name of a
//! path forged; each parameter wrong. All of it is refused with a problem that names the field, and nothing is stored.
//!
//! The requests are those of the matrix, which are good: at the end each is sent as it is, and goes through.

use std::collections::BTreeMap;

use exchange::operation::{Line, TABLE};
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::assert_problem;
use crate::matrix::{COLUMNS, Sample, World, fill};
use crate::support::counts::Counts;
use crate::support::{Answer, TestApp};

/// Longer than any text may be, and shorter than a body may be.
const LONG: usize = 60_000;
const NOBODY_KNOWS: &str = "entrepot_unknown";

/// What is taken although it looks bad, and why.
const TAKEN: &[(&str, &str, &str)] = &[];

/// One bad request.
struct Case {
    what: String,
    body: Value,
    /// Must be named, itself or something in it.
    field: String,
}

/// The document's schemas.
struct Document(Value);

impl Document {
    /// The schema itself where it is a reference; of several parts or forms all their fields together.
    fn resolve(&self, schema: &Value) -> Value {
        if let Some(reference) = schema["$ref"].as_str() {
            let pointer = reference.trim_start_matches('#');
            return self.resolve(self.0.pointer(pointer).unwrap());
        }
        for several in ["allOf", "anyOf"] {
            if let Some(parts) = schema[several].as_array() {
                let parts: Vec<Value> = parts.iter().map(|part| self.resolve(part)).collect();
                let mut merged = Map::new();
                for part in &parts {
                    if let Some(fields) = part["properties"].as_object() {
                        merged.extend(fields.clone());
                    }
                }
                if merged.is_empty() {
                    // One of several plain forms, say something or nothing.
                    return parts
                        .into_iter()
                        .find(|part| part["type"] != "null")
                        .unwrap();
                }
                return json!({ "type": "object", "properties": merged });
            }
        }
        schema.clone()
    }

    fn types(&self, schema: &Value) -> Vec<String> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        match &self.resolve(schema)["type"] {
            Value::Array(types) => types.iter().filter_map(text).collect(),
            found => text(found).into_iter().collect(),
        }
    }

    /// Every way to spoil what `sample` holds at `pointer`, which is named `field`.
    fn spoil(
        &self,
        sample: &Value,
        pointer: &str,
        field: &str,
        schema: &Value,
        into: &mut Vec<Case>,
    ) {
        let schema = self.resolve(schema);
        let here = sample.pointer(pointer).unwrap();
        let mut spoiled = |what: &str, field: &str, change: &dyn Fn(&mut Value)| {
            let mut body = sample.clone();
            change(body.pointer_mut(pointer).unwrap());
            into.push(Case {
                what: format!("{field} {what}"),
                body,
                field: field.to_owned(),
            });
        };
        let inside = |name: &str| match field {
            "" => name.to_owned(),
            field => format!("{field}.{name}"),
        };
        if let (Value::Object(_), Some(fields)) = (here, schema["properties"].as_object()) {
            spoiled("beside it", &inside(NOBODY_KNOWS), &|object| {
                object[NOBODY_KNOWS] = json!(1);
            });
            for (name, of) in fields {
                let field = inside(name);
                for value in self.wrong_values(of) {
                    spoiled(&format!("is {}", short(&value)), &field, &|object| {
                        object[name] = value.clone();
                    });
                }
                let required = schema["required"].as_array();
                if required.is_some_and(|all| all.contains(&json!(name))) {
                    spoiled("is missing", &field, &|object| {
                        object.as_object_mut().unwrap().remove(name);
                    });
                    spoiled("is null", &field, &|object| object[name] = Value::Null);
                }
            }
            for (name, of) in fields {
                if here[name].is_object() || here[name].is_array() {
                    let pointer = format!("{pointer}/{name}");
                    self.spoil(sample, &pointer, &inside(name), of, into);
                }
            }
        } else if let (Value::Array(items), of) = (here, &schema["items"]) {
            for (at, _) in items.iter().enumerate() {
                let pointer = format!("{pointer}/{at}");
                self.spoil(sample, &pointer, &format!("{field}[{at}]"), of, into);
            }
        }
    }

    /// Values that cannot be meant.
    fn wrong_values(&self, schema: &Value) -> Vec<Value> {
        let types = self.types(schema);
        // Free JSON takes anything.
        if types.is_empty() {
            return Vec::new();
        }
        let takes = |name: &str| types.iter().any(|known| known == name);
        let of_other_types = [
            ("string", json!("text")),
            ("integer", json!(7)),
            ("boolean", json!(true)),
            ("array", json!([1])),
            ("object", json!({ "x": 1 })),
        ];
        let mut values: Vec<Value> = of_other_types
            .into_iter()
            .filter(|(name, _)| !takes(name) && !(*name == "integer" && takes("number")))
            .map(|(_, value)| value)
            .collect();
        if takes("string") {
            values.push(json!("x".repeat(LONG)));
            values.push(json!("a\u{0}b"));
        }
        if takes("integer") {
            values.push(json!(1.5));
            values.push(json!(u64::MAX));
        }
        values
    }
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(40).collect()
}

/// Somebody who may: the first column of the matrix whose call goes through.
fn column(line: &Line) -> usize {
    let matrix = include_str!("../matrix.txt");
    let name = line.operation.name();
    let row = matrix
        .lines()
        .find(|row| row.split_whitespace().next() == Some(name))
        .unwrap_or_else(|| panic!("{name} is not in the matrix"));
    let statuses: Vec<&str> = row.split_whitespace().skip(1).collect();
    let may = |at: &usize| statuses[*at].starts_with('2');
    let admin = COLUMNS.iter().position(|name| *name == "admin").unwrap();
    std::iter::once(admin)
        .chain(0..statuses.len())
        .find(may)
        .unwrap()
}

/// An installation, and what was sent to it.
struct Sender {
    world: World,
    refused: usize,
    wrong: Vec<String>,
}

impl Sender {
    async fn send(
        &self,
        line: &Line,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Answer {
        let (method, _) = line.rest.unwrap();
        let method: Method = method.parse().unwrap();
        let token = self.world.tokens[column(line)].as_ref().unwrap();
        let mut ask = self.world.app.ask(method, path).token(token);
        for (name, value) in headers {
            ask = ask.header(name, value);
        }
        match body {
            Some(body) => ask.body(body).send().await,
            None => ask.send().await,
        }
    }

    /// Notes what is not as it must be; all of it is told at the end.
    fn judge(&mut self, line: &Line, what: &str, answer: &Answer, field: Option<&str>) {
        self.refused += 1;
        let name = line.operation.name();
        let known = TAKEN
            .iter()
            .any(|(operation, bad, _)| *operation == name && *bad == what);
        if known {
            assert!(!answer.status.is_server_error(), "{name}, {what}");
            return;
        }
        let mut complain = |why: &str| {
            let text: String = answer.text.chars().take(200).collect();
            self.wrong
                .push(format!("{name}, {what}: {why}: {} {text}", answer.status));
        };
        if !answer.status.is_client_error() {
            return complain("it was not refused");
        }
        assert_problem(answer, &format!("{name}, {what}"));
        if let Some(field) = field {
            let named = answer.wrong_fields().iter().any(|found| {
                found.strip_prefix(field).is_some_and(|rest| {
                    rest.is_empty() || rest.starts_with('.') || rest.starts_with('[')
                })
            });
            if answer.status != StatusCode::BAD_REQUEST || !named {
                complain(&format!("`{field}` is not named"));
            }
        }
    }

    async fn bodies(&mut self, document: &Document, line: &Line, path: &str, sample: &Value) {
        let (method, pattern) = line.rest.unwrap();
        let described = &document.0["paths"][pattern][method.to_lowercase()];
        let schema = &described["requestBody"]["content"]["application/json"]["schema"];
        assert!(!schema.is_null(), "{pattern} takes a body");
        let mut cases = Vec::new();
        document.spoil(sample, "", "", schema, &mut cases);
        assert!(!cases.is_empty(), "{pattern}");
        let json = [("content-type", "application/json")];
        for case in cases {
            let body = case.body.to_string().into_bytes();
            let answer = self.send(line, path, &json, Some(body)).await;
            self.judge(line, &case.what, &answer, Some(&case.field));
        }
        for raw in ["", "{", "[]", "5", "null", "\"text\"", "{} {}"] {
            let answer = self.send(line, path, &json, Some(raw.into())).await;
            self.judge(line, &format!("the body {raw}"), &answer, None);
        }
        let text = sample.to_string().into_bytes();
        for kind in ["text/plain", "application/x-www-form-urlencoded"] {
            let headers = [("content-type", kind)];
            let answer = self.send(line, path, &headers, Some(text.clone())).await;
            assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{path}");
        }
        for (name, value) in [("if-match", "7"), ("idempotency-key", "\u{7f}")] {
            let known = described["parameters"].as_array().is_some_and(|all| {
                all.iter().any(|parameter| {
                    parameter["name"]
                        .as_str()
                        .is_some_and(|found| found.eq_ignore_ascii_case(name))
                })
            });
            if known && http::HeaderValue::from_str(value).is_ok() {
                let headers = [json[0], (name, value)];
                let answer = self.send(line, path, &headers, Some(text.clone())).await;
                let field = if name == "if-match" {
                    "If-Match"
                } else {
                    "Idempotency-Key"
                };
                self.judge(line, &format!("{name}: {value}"), &answer, Some(field));
            }
        }
    }

    /// Each name of the path as somebody would guess it.
    async fn names(&mut self, line: &Line, sample: &Sample) {
        let (_, pattern) = line.rest.unwrap();
        let long = "x".repeat(5_000);
        for at in 0..sample.names.len() {
            for forged in [
                "nobody-knows-this",
                "01890000-0000-7000-8000-000000000000",
                "..%2f..%2fetc",
                "%00",
                "%ff",
                "%27%20or%201%3d1--",
                &long,
            ] {
                let mut names = sample.names.clone();
                names[at] = forged.to_owned();
                let path = format!("{}{}", fill(pattern, &names), sample.query);
                let body = sample.body.as_ref().map(|body| body.to_string().into());
                let headers: &[_] = match body {
                    Some(_) => &[("content-type", "application/json")],
                    None => &[],
                };
                let answer = self.send(line, &path, headers, body).await;
                let shown: String = forged.chars().take(40).collect();
                self.judge(line, &format!("name {at} is {shown}"), &answer, None);
            }
        }
    }

    async fn queries(&mut self, document: &Document, line: &Line, sample: &Sample) {
        let (method, pattern) = line.rest.unwrap();
        let path = fill(pattern, &sample.names);
        let body = sample
            .body
            .as_ref()
            .map(|body| body.to_string().into_bytes());
        let headers: &[_] = match body {
            Some(_) => &[("content-type", "application/json")],
            None => &[],
        };
        let separator = if sample.query.is_empty() { "?" } else { "&" };
        let with =
            |name: &str, value: &str| format!("{path}{}{separator}{name}={value}", sample.query);
        let unknown = with(NOBODY_KNOWS, "1");
        let answer = self.send(line, &unknown, headers, body.clone()).await;
        self.judge(line, "an unknown parameter", &answer, Some(NOBODY_KNOWS));
        let described = &document.0["paths"][pattern][method.to_lowercase()]["parameters"];
        let parameters = described.as_array().cloned().unwrap_or_default();
        let long = "x".repeat(5_000);
        for parameter in parameters.iter().filter(|found| found["in"] == "query") {
            let name = parameter["name"].as_str().unwrap();
            if parameter["schema"]["type"] == "integer" {
                for value in ["0", "-1", "201", "many", "", "1.5"] {
                    let answer = self
                        .send(line, &with(name, value), headers, body.clone())
                        .await;
                    self.judge(line, &format!("{name}={value}"), &answer, Some(name));
                }
                continue;
            }
            // A filter may well find nothing; what is refused names the parameter, and nothing breaks.
            for value in ["%00", "%ff", "..%2f", "%27%20or%201%3d1--", &long] {
                let answer = self
                    .send(line, &with(name, value), headers, body.clone())
                    .await;
                let shown: String = value.chars().take(40).collect();
                let what = format!("{name}={shown}");
                assert!(
                    !answer.status.is_server_error(),
                    "{path} {what}: {}",
                    answer.text
                );
                if answer.status == StatusCode::BAD_REQUEST {
                    self.judge(line, &what, &answer, Some(name));
                }
            }
            if !sample.query.contains(name) {
                let twice = format!("{}&{name}=b", with(name, "a"));
                let answer = self.send(line, &twice, headers, body.clone()).await;
                self.judge(line, &format!("{name} twice"), &answer, Some(name));
            }
        }
    }

    async fn operation(&mut self, document: &Document, line: &Line) {
        let name = line.operation.name();
        let (_, pattern) = line.rest.unwrap();
        let sample = self.world.sample(line.operation).await;
        let sample = sample.unwrap_or_else(|| panic!("{name} has no sample"));
        let path = format!("{}{}", fill(pattern, &sample.names), sample.query);
        let before = Counts::of(self.world.app.exchange.db()).await;
        if let Some(body) = &sample.body {
            self.bodies(document, line, &path, body).await;
        }
        self.names(line, &sample).await;
        self.queries(document, line, &sample).await;
        let after = Counts::of(self.world.app.exchange.db()).await;
        assert_eq!(before, after, "{name}: something was stored");
        // The request was good but for what was bad in it.
        let body = sample.body.as_ref().map(|body| body.to_string().into());
        let headers: &[_] = match body {
            Some(_) => &[("content-type", "application/json")],
            None => &[],
        };
        let answer = self.send(line, &path, headers, body).await;
        assert!(answer.status.is_success(), "{name}: {}", answer.text);
    }
}

#[tokio::test]
async fn every_operation_refuses_what_it_cannot_mean() {
    for app in TestApp::each().await {
        let document = app.get("/api/v1/openapi.json").send().await.json();
        let document = Document(document);
        let mut sender = Sender {
            world: World::on(app).await,
            refused: 0,
            wrong: Vec::new(),
        };
        let lines: BTreeMap<&str, &Line> = TABLE
            .iter()
            .filter(|line| line.rest.is_some())
            .map(|line| (line.operation.name(), line))
            .collect();
        for line in lines.values() {
            sender.operation(&document, line).await;
        }
        assert!(
            sender.wrong.is_empty(),
            "{} of {}:\n{}",
            sender.wrong.len(),
            sender.refused,
            sender.wrong.join("\n")
        );
        assert!(sender.refused > 1_500, "only {} cases", sender.refused);
    }
}
