//! C-08: each key of every body that an operation takes, as it must not be: one that nobody knows, of another type, too long, left
//! out. What an operation takes is asked of the OpenAPI document, so that a new key is walked without a word here.

use exchange::operation::TABLE;
use serde_json::{Value, json};

use super::{World, fill, who_may};
use crate::support::counts::Counts;

/// So many characters fit in a body, and in none of its texts.
pub(super) const LONG: usize = 100_000;
/// A key that nobody knows.
pub(super) const STRANGE: &str = "surprise";

/// Told what was wrong with it, and not refused: whoever finds tokens sends what may be one, and what is wrong with a
/// declaration is the answer of the operation that looks for it.
const TAKEN_LONG: [(&str, &str); 2] = [("TokenReport", "tokens"), ("DeclarationValidate", "yaml")];
/// Goes on after it has answered, and would store while the next operation is walked.
const GOES_ON: &str = "AssessmentStart";

/// A body with one thing wrong.
struct Bad {
    /// For whoever reads that the test failed.
    what: String,
    body: Value,
    /// What the answer must name; None where another check may come first.
    named: Option<String>,
    /// The key of the whole body in which it lies.
    key: String,
}

/// The schema that is meant, of several the one that the sample fits.
fn resolved<'a>(document: &'a Value, schema: &'a Value, good: &Value) -> &'a Value {
    if let Some(name) = schema["$ref"].as_str() {
        return document.pointer(name.trim_start_matches('#')).unwrap();
    }
    let fits = |part: &Value| {
        let properties = &part["properties"];
        let known = |key: &String| properties.get(key).is_some();
        part["type"] == "object" && good.as_object().is_none_or(|good| good.keys().all(known))
    };
    for several in ["oneOf", "anyOf"] {
        for part in schema[several].as_array().into_iter().flatten() {
            let part = resolved(document, part, good);
            if fits(part) {
                return part;
            }
        }
    }
    schema
}

fn kind(schema: &Value) -> &str {
    let first = schema["type"].get(0).unwrap_or(&schema["type"]);
    first.as_str().unwrap_or_default()
}

/// Values that are not of this type.
fn others(kind: &str) -> Vec<Value> {
    match kind {
        "string" => vec![json!({ "a": 1 }), json!(7)],
        "integer" | "number" => vec![json!({ "a": 1 }), json!("seven")],
        "boolean" => vec![json!({ "a": 1 }), json!("yes")],
        "array" | "object" => vec![json!(7), json!("seven")],
        // Free JSON: a credential, which is never a number.
        _ => vec![json!(7)],
    }
}

/// The same value, too long; None where it has no length of its own.
fn longer(schema: &Value) -> Option<Value> {
    let text = || Value::from("x".repeat(LONG));
    match kind(schema) {
        "string" => Some(text()),
        "array" if kind(&schema["items"]) == "string" => Some(json!([text()])),
        _ => None,
    }
}

struct Walk<'a> {
    document: &'a Value,
    good: &'a Value,
    found: Vec<Bad>,
}

impl Walk<'_> {
    /// The good body with `value` as the key of the object at `place`, or without that key.
    fn push(&mut self, what: &str, (place, field): (&str, &str), value: Option<Value>, key: &str) {
        let mut body = self.good.clone();
        let object = body.pointer_mut(place).unwrap().as_object_mut().unwrap();
        match value {
            Some(value) => object.insert(key.to_owned(), value),
            None => object.remove(key),
        };
        let named = format!("{field}{key}");
        let top = named.split(['.', '[']).next().unwrap().to_owned();
        self.found.push(Bad {
            what: format!("{named} {what}"),
            body,
            named: (what != "too long").then_some(named),
            key: top,
        });
    }

    /// `place` is a pointer into the body, `field` what a message calls the same, with a dot behind it.
    fn object(&mut self, schema: &Value, place: &str, field: &str) {
        let (document, good) = (self.document, self.good);
        let good = good.pointer(place).unwrap();
        let schema = resolved(document, schema, good);
        let properties = schema["properties"].as_object();
        let properties = properties.unwrap_or_else(|| panic!("{place} has no schema: {schema}"));
        let at = (place, field);
        self.push("that nobody knows", at, Some(json!("x")), STRANGE);
        let required = schema["required"].as_array().into_iter().flatten();
        for key in required.filter_map(Value::as_str) {
            self.push("left out", at, None, key);
        }
        for (key, property) in properties {
            let of_sample = &good[key.as_str()];
            let inner = resolved(document, property, of_sample);
            for other in others(kind(inner)) {
                self.push(&format!("as {other}"), at, Some(other), key);
            }
            if let Some(long) = longer(inner) {
                self.push("too long", at, Some(long), key);
            }
            let below = format!("{place}/{key}");
            if of_sample.is_object() && inner["properties"].is_object() {
                self.object(inner, &below, &format!("{field}{key}."));
            } else if of_sample.get(0).is_some_and(Value::is_object) {
                let below = format!("{below}/0");
                self.object(&inner["items"], &below, &format!("{field}{key}[0]."));
            }
        }
    }
}

#[tokio::test]
async fn no_body_is_taken_that_is_not_as_it_should_be() {
    let document = rest::openapi();
    let mut world = World::start().await;
    let (mut operations, mut bodies) = (0, 0);
    let mut faults = Vec::new();
    for line in TABLE {
        let Some((method, route)) = line.rest else {
            continue;
        };
        let name = line.operation.name();
        let described = &document["paths"][route][method.to_lowercase()];
        assert_eq!(described["operationId"], name);
        let schema = &described["requestBody"]["content"]["application/json"]["schema"];
        let sample = world.sample(line.operation).await.unwrap();
        assert_eq!(schema.is_null(), sample.body.is_none(), "{name}");
        let Some(good) = &sample.body else { continue };
        let column = who_may(name);
        let path = format!("{}{}", fill(route, &sample.names), sample.query);
        let mut walk = Walk {
            document,
            good,
            found: Vec::new(),
        };
        walk.object(schema, "", "");
        operations += 1;
        bodies += walk.found.len();
        let before = Counts::of(world.exchange().db()).await;
        for bad in &walk.found {
            let (status, text) = world.status(column, method, &path, Some(&bad.body)).await;
            let shown: String = text.chars().take(300).collect();
            let what = format!("{name}, {}: {status} {shown}", bad.what);
            let is_long = bad.named.is_none();
            let is_taken = is_long && TAKEN_LONG.contains(&(name, bad.key.as_str()));
            let is_refused = (400..500).contains(&status) || (is_taken && status == 200);
            let mut is_fault = !is_refused;
            if let Some(named) = &bad.named {
                let answer: Value = serde_json::from_str(&text).unwrap_or_default();
                let errors = answer["errors"].as_array().cloned().unwrap_or_default();
                let is_named = errors.iter().any(|error| error["field"] == named.as_str());
                is_fault |= status != 400 || !is_named;
            }
            // What is refused is not sent back: it may be a secret.
            is_fault |= text.contains(&"x".repeat(1_000));
            is_fault |= Counts::of(world.exchange().db()).await != before;
            if is_fault {
                faults.push(what);
            }
        }
        let whole = world.status(column, method, &path, Some(&json!([]))).await;
        if whole.0 != 400 {
            faults.push(format!("{name} as a list: {} {}", whole.0, whole.1));
        }
        if name != GOES_ON {
            // The same without anything wrong: nothing else was in its way.
            let (status, text) = world.status(column, method, &path, Some(good)).await;
            if !(200..300).contains(&status) {
                faults.push(format!("{name} as it should be: {status} {text}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(
        operations > 50 && bodies > 500,
        "{operations} operations, {bodies} bodies"
    );
}
