//! A reader of JSON for the browser, a tenth of serde_json's weight there: it reads what our own server wrote, says of
//! anything else only that it cannot be read, and knows no fractions, because nothing of ours has any.

use std::borrow::Cow;
use std::fmt;

use serde::de::DeserializeOwned;
use serde::de::DeserializeSeed;
use serde::de::Deserializer;
use serde::de::EnumAccess;
use serde::de::Error;
use serde::de::Expected;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Unexpected;
use serde::de::VariantAccess;
use serde::de::Visitor;
use serde::de::value::CowStrDeserializer;
use serde::forward_to_deserialize_any;

/// Deeper than any of our types goes.
const DEEPEST: u32 = 64;

/// It is not JSON, or not of the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// The whole text as a value.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Unreadable> {
    let mut reader = Reader {
        rest: text,
        depth: 0,
    };
    let value = T::deserialize(&mut reader)?;
    if reader.next().is_none() {
        Ok(value)
    } else {
        Err(Unreadable)
    }
}

struct Reader<'de> {
    rest: &'de str,
    depth: u32,
}

impl<'de> Reader<'de> {
    /// The next character that means something, left where it is.
    fn next(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_start_matches([' ', '\n', '\r', '\t']);
        self.rest.as_bytes().first().copied()
    }

    /// Takes the text if it comes next.
    fn take(&mut self, text: &str) -> bool {
        self.next();
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, text: &str) -> Result<(), Unreadable> {
        if self.take(text) {
            Ok(())
        } else {
            Err(Unreadable)
        }
    }

    /// The digits of a whole number, with its sign.
    fn digits(&mut self) -> Result<&'de str, Unreadable> {
        self.next();
        let end = self
            .rest
            .bytes()
            .position(|byte| !byte.is_ascii_digit() && byte != b'-')
            .unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        if rest.starts_with(['.', 'e', 'E']) {
            return Err(Unreadable);
        }
        self.rest = rest;
        Ok(digits)
    }

    fn string(&mut self) -> Result<Cow<'de, str>, Unreadable> {
        self.expect("\"")?;
        let end = self.rest.find(['"', '\\']).ok_or(Unreadable)?;
        let (plain, rest) = self.rest.split_at(end);
        if let Some(rest) = rest.strip_prefix('"') {
            self.rest = rest;
            return Ok(Cow::Borrowed(plain));
        }
        self.rest = rest;
        let mut text = plain.to_owned();
        loop {
            let mut characters = self.rest.chars();
            let character = characters.next().ok_or(Unreadable)?;
            self.rest = characters.as_str();
            match character {
                '"' => return Ok(Cow::Owned(text)),
                '\\' => text.push(self.escaped()?),
                other => text.push(other),
            }
        }
    }

    /// What stands behind a backslash.
    fn escaped(&mut self) -> Result<char, Unreadable> {
        let mut characters = self.rest.chars();
        let character = characters.next().ok_or(Unreadable)?;
        self.rest = characters.as_str();
        Ok(match character {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let first = self.hexadecimal()?;
                if !(0xd800..0xdc00).contains(&first) {
                    return char::from_u32(first).ok_or(Unreadable);
                }
                // The first half of a character beyond the first plane.
                self.rest = self.rest.strip_prefix("\\u").ok_or(Unreadable)?;
                let second = self.hexadecimal()?;
                let low = second.checked_sub(0xdc00).ok_or(Unreadable)?;
                return char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + low).ok_or(Unreadable);
            }
            other => other,
        })
    }

    fn hexadecimal(&mut self) -> Result<u32, Unreadable> {
        let digits = self.rest.get(..4).ok_or(Unreadable)?;
        self.rest = &self.rest[4..];
        u32::from_str_radix(digits, 16).map_err(|_| Unreadable)
    }

    fn deeper(&mut self) -> Result<(), Unreadable> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Unreadable);
        }
        Ok(())
    }

    fn list<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Unreadable> {
        self.expect("[")?;
        self.deeper()?;
        let value = visitor.visit_seq(Items {
            reader: self,
            is_first: true,
        })?;
        self.depth -= 1;
        self.expect("]")?;
        Ok(value)
    }

    fn object<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Unreadable> {
        self.expect("{")?;
        self.deeper()?;
        let value = visitor.visit_map(Items {
            reader: self,
            is_first: true,
        })?;
        self.depth -= 1;
        self.expect("}")?;
        Ok(value)
    }
}

macro_rules! whole {
    ($($method:ident $visit:ident $type:ty)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
            let number: $type = self.digits()?.parse().map_err(|_| Unreadable)?;
            visitor.$visit(number)
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Unreadable;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self.next() {
            Some(b'"') => self.deserialize_str(visitor),
            Some(b'[') => self.list(visitor),
            Some(b'{') => self.object(visitor),
            Some(b't' | b'f') => self.deserialize_bool(visitor),
            Some(b'n') => self.deserialize_unit(visitor),
            Some(b'-') => self.deserialize_i64(visitor),
            _ => self.deserialize_u64(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        if self.take("true") {
            visitor.visit_bool(true)
        } else {
            self.expect("false")?;
            visitor.visit_bool(false)
        }
    }

    whole! {
        deserialize_i8 visit_i8 i8
        deserialize_i16 visit_i16 i16
        deserialize_i32 visit_i32 i32
        deserialize_i64 visit_i64 i64
        deserialize_u8 visit_u8 u8
        deserialize_u16 visit_u16 u16
        deserialize_u32 visit_u32 u32
        deserialize_u64 visit_u64 u64
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self.string()? {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        if self.take("null") {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.expect("null")?;
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.list(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.list(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.object(visitor)
    }

    /// By names only. serde_json takes lists, too, and so carries every structure twice.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.object(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        if self.next() == Some(b'"') {
            let word = self.string()?;
            return visitor.visit_enum(CowStrDeserializer::<Unreadable>::new(word));
        }
        self.expect("{")?;
        self.deeper()?;
        let value = visitor.visit_enum(Variant(self))?;
        self.depth -= 1;
        self.expect("}")?;
        Ok(value)
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char bytes byte_buf unit_struct tuple_struct ignored_any
    }
}

/// The items of a list, or the entries of an object.
struct Items<'a, 'de> {
    reader: &'a mut Reader<'de>,
    is_first: bool,
}

impl Items<'_, '_> {
    /// Whether there is one more; takes the comma before it.
    fn more(&mut self, end: u8) -> Result<bool, Unreadable> {
        if self.reader.next() == Some(end) {
            return Ok(false);
        }
        if !std::mem::replace(&mut self.is_first, false) {
            self.reader.expect(",")?;
        }
        Ok(true)
    }
}

impl<'de> SeqAccess<'de> for Items<'_, 'de> {
    type Error = Unreadable;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unreadable> {
        if self.more(b']')? {
            seed.deserialize(&mut *self.reader).map(Some)
        } else {
            Ok(None)
        }
    }
}

impl<'de> MapAccess<'de> for Items<'_, 'de> {
    type Error = Unreadable;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unreadable> {
        if self.more(b'}')? {
            seed.deserialize(&mut *self.reader).map(Some)
        } else {
            Ok(None)
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, Unreadable> {
        self.reader.expect(":")?;
        seed.deserialize(&mut *self.reader)
    }
}

/// `"word": value`, inside its braces.
struct Variant<'a, 'de>(&'a mut Reader<'de>);

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Unreadable;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), Unreadable> {
        let word = seed.deserialize(&mut *self.0)?;
        self.0.expect(":")?;
        Ok((word, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Unreadable;

    fn unit_variant(self) -> Result<(), Unreadable> {
        self.0.expect("null")
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, Unreadable> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.0.list(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.0.object(visitor)
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it cannot be read")
    }
}

impl std::error::Error for Unreadable {}

/// None of them says more, so that none of their sentences is in the bundle.
impl Error for Unreadable {
    fn custom<T: fmt::Display>(_message: T) -> Self {
        Self
    }

    fn invalid_type(_found: Unexpected<'_>, _expected: &dyn Expected) -> Self {
        Self
    }

    fn invalid_value(_found: Unexpected<'_>, _expected: &dyn Expected) -> Self {
        Self
    }

    fn invalid_length(_length: usize, _expected: &dyn Expected) -> Self {
        Self
    }

    fn unknown_variant(_word: &str, _expected: &'static [&'static str]) -> Self {
        Self
    }

    fn unknown_field(_field: &str, _expected: &'static [&'static str]) -> Self {
        Self
    }

    fn missing_field(_field: &'static str) -> Self {
        Self
    }

    fn duplicate_field(_field: &'static str) -> Self {
        Self
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde::Serialize;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Kind {
        Plain,
        Number(i64),
        Pair(u8, String),
        Named { at: Option<String> },
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    enum Tagged {
        One { text: String, list: Vec<u32> },
        Two,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Inner {
        text: String,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Everything {
        yes: bool,
        small: u8,
        large: u64,
        negative: i64,
        text: String,
        nothing: Option<u32>,
        something: Option<Inner>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        absent: Option<String>,
        list: Vec<Kind>,
        tagged: Vec<Tagged>,
        pairs: Vec<(String, i64)>,
        map: BTreeMap<String, Vec<u8>>,
        #[serde(flatten)]
        flat: Inner2,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Inner2 {
        beside: String,
    }

    fn everything() -> Everything {
        Everything {
            yes: true,
            small: u8::MAX,
            large: u64::MAX,
            negative: i64::MIN,
            text: "\"\\/\u{8}\u{c}\n\r\t\u{1}ä\u{1f697}</script>".to_owned(),
            nothing: None,
            something: Some(Inner {
                text: String::new(),
            }),
            absent: None,
            list: vec![
                Kind::Plain,
                Kind::Number(-1),
                Kind::Pair(1, "x".to_owned()),
                Kind::Named { at: None },
            ],
            tagged: vec![
                Tagged::One {
                    text: "a".to_owned(),
                    list: vec![],
                },
                Tagged::Two,
            ],
            pairs: vec![("a".to_owned(), 1)],
            map: BTreeMap::from([("k".to_owned(), vec![1, 2])]),
            flat: Inner2 {
                beside: "b".to_owned(),
            },
        }
    }

    #[test]
    fn what_serde_json_writes_is_read() {
        let value = everything();
        for text in [
            serde_json::to_string(&value).unwrap(),
            serde_json::to_string_pretty(&value).unwrap(),
        ] {
            assert_eq!(read::<Everything>(&text).as_ref(), Ok(&value), "{text}");
        }
    }

    #[test]
    fn escapes_are_those_of_json() {
        for text in [
            r#""\ud83d\ude97""#,
            r#""\u00e4\u0041""#,
            r#""\"\\\/\b\f\n\r\t""#,
            r#""""#,
        ] {
            let expected: String = serde_json::from_str(text).unwrap();
            assert_eq!(read::<String>(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn unknown_fields_are_passed_over() {
        let text = r#"{ "more": [1, {"x": [null, true, "]}"]}, -2], "text": "a", "again": {} }"#;
        let expected = Inner {
            text: "a".to_owned(),
        };
        assert_eq!(read(text), Ok(expected));
    }

    #[test]
    fn nonsense_is_no_value_and_no_panic() {
        for text in [
            "",
            "{",
            "{\"text\"",
            "{\"text\":",
            "{\"text\":1}",
            "{\"text\":\"a\"} x",
            "{\"text\":\"a\",}",
            "{}",
            "[]",
            "\"",
            "\"\\",
            "\"\\u12\"",
            "\"\\ud83d\"",
            "\"\\ud83d\\u0041\"",
            "\"\\uä123\"",
            "nul",
            "\u{feff}{}",
        ] {
            assert_eq!(read::<Inner>(text), Err(Unreadable), "{text}");
            let _ = read::<String>(text);
        }
        for text in ["1.5", "1e3", "--1", "256", "-1", "", "1-1"] {
            assert_eq!(read::<u8>(text), Err(Unreadable), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(read::<Vec<Tagged>>(&deep), Err(Unreadable));
        assert!(read::<serde::de::IgnoredAny>(&deep).is_err());
    }
}
