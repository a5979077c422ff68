//! JSON schemas of the DTOs, found by asking serde: a type is deserialized from a source that answers whatever is asked for
//! and writes down what was asked. So the schema is what the wire is, without a second description that could differ.
//!
//! What serde cannot be asked about (flattened structs, free JSON) is put together by hand with [`all_of`] and [`object`].

mod probe;

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// A schema and the named ones that it refers to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Schema {
    pub value: Value,
    pub definitions: BTreeMap<String, Value>,
}

impl Schema {
    /// Whether the type has a field `revision`: then If-Match means something.
    pub(crate) fn has_revision(&self) -> bool {
        let name = self.value["$ref"]
            .as_str()
            .and_then(|r| r.rsplit('/').next());
        name.and_then(|name| self.definitions.get(name))
            .is_some_and(|found| found["properties"]["revision"].is_object())
    }
}

/// The schema of `T`; `{}` (anything) where serde cannot be asked.
pub(crate) fn of<T: DeserializeOwned>() -> Schema {
    let mut notes = probe::Notes::default();
    let Some(value) = attempt::<T>(&mut notes) else {
        return Schema {
            value: json!({}),
            definitions: BTreeMap::new(),
        };
    };
    let mut definitions = notes.definitions.clone();
    // A field is required when leaving it out is refused.
    for (name, definition) in &mut definitions {
        let fields: Vec<String> = match &definition["properties"] {
            Value::Object(fields) => fields.keys().cloned().collect(),
            _ => Vec::new(),
        };
        let required: BTreeSet<String> = fields
            .into_iter()
            .filter(|field| {
                notes.left_out = Some((name.clone(), field.clone()));
                attempt::<T>(&mut notes).is_none()
            })
            .collect();
        if !required.is_empty() {
            definition["required"] = json!(required);
        }
    }
    Schema { value, definitions }
}

/// Deserializes a `T` from the probe, with other sample texts for what refused the first.
fn attempt<T: DeserializeOwned>(notes: &mut probe::Notes) -> Option<Value> {
    loop {
        notes.begin();
        let mut value = json!({});
        match T::deserialize(probe::Probe::new(notes, &mut value)) {
            Ok(_) => return Some(value),
            Err(_) if notes.next_sample() => {}
            Err(_) => return None,
        }
    }
}

/// The schema of a page of `T`.
pub(crate) fn page_of<T: DeserializeOwned>() -> Schema {
    let item = of::<T>();
    Schema {
        value: json!({
            "type": "object",
            "required": ["items"],
            "properties": {
                "items": { "type": "array", "items": item.value },
                "next": { "type": "string", "description": "Present when there is more: hand it back as `after`." },
            },
        }),
        definitions: item.definitions,
    }
}

/// A flattened struct: all that the parts say.
pub(crate) fn all_of(parts: impl IntoIterator<Item = Schema>) -> Schema {
    let mut found = Schema::default();
    let mut all = Vec::new();
    for part in parts {
        found.definitions.extend(part.definitions);
        all.push(part.value);
    }
    found.value = json!({ "allOf": all });
    found
}

/// One of several forms.
pub(crate) fn any_of(parts: impl IntoIterator<Item = Schema>) -> Schema {
    let mut found = Schema::default();
    let mut any = Vec::new();
    for part in parts {
        found.definitions.extend(part.definitions);
        any.push(part.value);
    }
    found.value = json!({ "anyOf": any });
    found
}

/// All of a list in one answer: `items`, and never a `next`.
pub(crate) fn list_of(item: Schema) -> Schema {
    Schema {
        value: json!({
            "type": "object",
            "required": ["items"],
            "properties": { "items": { "type": "array", "items": item.value } },
        }),
        definitions: item.definitions,
    }
}

/// An object of these fields, all of them required.
pub(crate) fn object<const N: usize>(fields: [(&str, Schema); N]) -> Schema {
    let mut found = Schema::default();
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, field) in fields {
        found.definitions.extend(field.definitions);
        properties.insert(name.to_owned(), field.value);
        required.push(name);
    }
    found.value = json!({ "type": "object", "required": required, "properties": properties });
    found
}
