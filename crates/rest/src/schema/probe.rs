//! The source that answers whatever a type asks of it, and writes down what was asked.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, VariantAccess,
    Visitor, value::StrDeserializer,
};
use serde_json::{Map, Value, json};

/// Texts that the model's types read, from the most common: what refuses one is tried with the next. With each the format
/// that it stands for.
const SAMPLES: &[(&str, Option<&str>)] = &[
    ("a", None),
    ("00000000-0000-7000-8000-000000000000", Some("uuid")),
    ("2026-01-31T08:00:00Z", Some("date-time")),
    ("a-b", None),
    ("aws", None),
    ("aws:eu-central-1", None),
    ("aws:eu-central-1->azure:westeurope", None),
    ("EUR", None),
    ("GB", None),
    ("0.09", Some("decimal")),
    ("2026-01", None),
];

/// So deep a type is followed into itself.
const DEPTH: usize = 12;

/// What is known across attempts.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) definitions: BTreeMap<String, Value>,
    /// A struct and the field of it that is left out this time.
    pub(super) left_out: Option<(String, String)>,
    /// Which sample each place wants, found by trying.
    samples: BTreeMap<String, usize>,
    path: Vec<String>,
    last_text: Option<String>,
}

impl Notes {
    pub(super) fn begin(&mut self) {
        self.path.clear();
        self.last_text = None;
    }

    /// Picks another sample for the place that was asked last. False: there is none left, or no text was the reason.
    pub(super) fn next_sample(&mut self) -> bool {
        let Some(place) = self.last_text.take() else {
            return false;
        };
        let at = self.samples.entry(place).or_insert(0);
        *at += 1;
        *at < SAMPLES.len()
    }
}

#[derive(Debug)]
pub(super) struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the type does not read this")
    }
}

impl std::error::Error for Refused {}

impl serde::de::Error for Refused {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

pub(super) struct Probe<'a> {
    notes: &'a mut Notes,
    slot: &'a mut Value,
}

impl<'a> Probe<'a> {
    pub(super) fn new(notes: &'a mut Notes, slot: &'a mut Value) -> Self {
        Self { notes, slot }
    }

    /// Asks `seed` what stands at `step` below here.
    fn below<'de, S: DeserializeSeed<'de>>(
        notes: &mut Notes,
        step: &str,
        slot: &mut Value,
        seed: S,
    ) -> Result<S::Value, Refused> {
        notes.path.push(step.to_owned());
        let value = seed.deserialize(Probe::new(notes, slot))?;
        notes.path.pop();
        Ok(value)
    }
}

macro_rules! numbers {
    ($($name:ident $visit:ident $value:expr, $schema:expr;)*) => {$(
        fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            self.notes.last_text = None;
            *self.slot = $schema;
            visitor.$visit($value)
        }
    )*};
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Refused;

    numbers! {
        deserialize_bool visit_bool false, json!({ "type": "boolean" });
        deserialize_i8 visit_i8 1, json!({ "type": "integer" });
        deserialize_i16 visit_i16 1, json!({ "type": "integer" });
        deserialize_i32 visit_i32 1, json!({ "type": "integer", "format": "int32" });
        deserialize_i64 visit_i64 1, json!({ "type": "integer", "format": "int64" });
        deserialize_u8 visit_u8 1, json!({ "type": "integer", "minimum": 0 });
        deserialize_u16 visit_u16 1, json!({ "type": "integer", "minimum": 0 });
        deserialize_u32 visit_u32 1, json!({ "type": "integer", "format": "int32", "minimum": 0 });
        deserialize_u64 visit_u64 1, json!({ "type": "integer", "format": "int64", "minimum": 0 });
        deserialize_f32 visit_f32 1.0, json!({ "type": "number" });
        deserialize_f64 visit_f64 1.0, json!({ "type": "number" });
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let place = self.notes.path.join(".");
        let at = self.notes.samples.get(&place).copied().unwrap_or(0);
        let (text, format) = SAMPLES.get(at).copied().unwrap_or(SAMPLES[0]);
        self.notes.last_text = Some(place);
        *self.slot = match format {
            Some(format) => json!({ "type": "string", "format": format }),
            None => json!({ "type": "string" }),
        };
        visitor.visit_str(text)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        if self.notes.path.len() > DEPTH {
            return visitor.visit_none();
        }
        let mut inner = json!({});
        let value = visitor.visit_some(Probe::new(self.notes, &mut inner))?;
        *self.slot = match inner["type"].as_str() {
            Some(kind) => {
                let kind = json!([kind, "null"]);
                inner["type"] = kind;
                inner
            }
            None if inner["$ref"].is_string() => json!({ "oneOf": [inner, { "type": "null" }] }),
            None => inner,
        };
        Ok(value)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        *self.slot = json!({ "type": "null" });
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let mut item = json!({});
        let left = usize::from(self.notes.path.len() <= DEPTH);
        let value = visitor.visit_seq(Items {
            notes: self.notes,
            slot: &mut item,
            left,
        })?;
        *self.slot = json!({ "type": "array", "items": item });
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let mut item = json!({});
        let value = visitor.visit_seq(Items {
            notes: self.notes,
            slot: &mut item,
            left: len,
        })?;
        *self.slot = json!({ "type": "array", "minItems": len, "maxItems": len });
        Ok(value)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let mut fields = Map::new();
        let value = visitor.visit_map(Fields {
            notes: self.notes,
            found: &mut fields,
            names: vec!["a".to_owned()],
        })?;
        let value_schema = fields.remove("a").unwrap_or_else(|| json!({}));
        *self.slot = json!({ "type": "object", "additionalProperties": value_schema });
        Ok(value)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let left_out = match &self.notes.left_out {
            Some((of, field)) if of == name => Some(field.clone()),
            _ => None,
        };
        let names = names
            .iter()
            .map(|field| (*field).to_owned())
            .filter(|field| Some(field) != left_out.as_ref())
            .rev()
            .collect();
        let mut fields = Map::new();
        let value = visitor.visit_map(Fields {
            notes: self.notes,
            found: &mut fields,
            names,
        })?;
        if left_out.is_none() {
            self.notes
                .definitions
                .entry(name.to_owned())
                .or_insert_with(|| json!({ "type": "object", "properties": fields }));
        }
        *self.slot = json!({ "$ref": format!("#/components/schemas/{name}") });
        Ok(value)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.notes.last_text = None;
        *self.slot = json!({ "type": "string", "enum": variants });
        visitor.visit_enum(First(variants.first().ok_or(Refused)?))
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        // Free JSON: anything goes.
        *self.slot = json!({});
        visitor.visit_unit()
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_str(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_unit()
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
        Err(Refused::custom("bytes"))
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
        Err(Refused::custom("bytes"))
    }
}

struct Items<'a> {
    notes: &'a mut Notes,
    slot: &'a mut Value,
    left: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Refused> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let step = format!("[{}]", self.left);
        Probe::below(self.notes, &step, self.slot, seed).map(Some)
    }
}

struct Fields<'a> {
    notes: &'a mut Notes,
    found: &'a mut Map<String, Value>,
    /// Still to be handed out, the next one last.
    names: Vec<String>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Refused> {
        match self.names.last() {
            None => Ok(None),
            Some(name) => seed
                .deserialize(StrDeserializer::<Refused>::new(name))
                .map(Some),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        let name = self.names.pop().ok_or(Refused)?;
        let mut slot = json!({});
        let value = Probe::below(self.notes, &name, &mut slot, seed)?;
        self.found.insert(name, slot);
        Ok(value)
    }
}

/// The first variant of an enum.
struct First(&'static str);

impl<'de> EnumAccess<'de> for First {
    type Error = Refused;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Refused> {
        let value = seed.deserialize(StrDeserializer::<Refused>::new(self.0))?;
        Ok((value, self))
    }
}

impl<'de> VariantAccess<'de> for First {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Refused> {
        Err(Refused)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Refused> {
        Err(Refused)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Refused> {
        Err(Refused)
    }
}
