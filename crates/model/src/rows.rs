//! Which rows of a product a grant opens: conditions on partition columns, all of which must hold. `country = 'DE' and year in (2024,
//! 2025)`, or with what an admin has noted of the recipient: `country = ${recipient.country}`.
//!
//! A value has no type of its own: it is one of the column's type, or else fits no row. So that a filter never opens more than it
//! says, there is no "not", no "or" and no function.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest text of a filter, in bytes, and the most values in it.
const LONGEST: usize = 2_000;
const MOST_VALUES: usize = 200;

/// All of these must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFilter(Vec<Condition>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// As it was written; columns are the same in every case of letters.
    pub column: String,
    pub how: How,
    /// One of these. Only `=` has several.
    pub values: Vec<Operand>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    Value(String),
    /// Of the recipient.
    Property(String),
}

/// A condition in which every value is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub column: String,
    pub how: How,
    pub values: Vec<String>,
}

/// Why a text is no filter: a sentence that goes on after the name of a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RowFilterError(String);

impl RowFilter {
    /// None for an empty text: every row.
    ///
    /// # Errors
    /// A sentence that says how to write it.
    pub fn parse(text: &str) -> Result<Option<Self>, RowFilterError> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        if text.len() > LONGEST {
            return Err(wrong(format!("it is longer than {LONGEST} bytes")));
        }
        let mut reader = Reader { rest: text };
        let mut all = Vec::new();
        loop {
            all.push(reader.condition()?);
            if reader.is_at_end() {
                break;
            }
            if !reader.word("and") {
                return Err(reader.wrong_here("`and` or the end"));
            }
        }
        let values: usize = all.iter().map(|condition| condition.values.len()).sum();
        if values > MOST_VALUES {
            return Err(wrong(format!("it has more than {MOST_VALUES} values")));
        }
        Ok(Some(Self(all)))
    }

    pub fn conditions(&self) -> &[Condition] {
        &self.0
    }

    /// Rows that both open.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for condition in other.0 {
            if !self.0.contains(&condition) {
                self.0.push(condition);
            }
        }
        self
    }

    /// With what is noted of a recipient. None: a property is missing, and no row is opened.
    pub fn known(&self, properties: &BTreeMap<String, String>) -> Option<Vec<Known>> {
        let value = |operand: &Operand| match operand {
            Operand::Value(value) => Some(value.clone()),
            Operand::Property(name) => properties.get(name).cloned(),
        };
        let known = self.0.iter().map(|condition| {
            Some(Known {
                column: condition.column.clone(),
                how: condition.how,
                values: condition.values.iter().map(value).collect::<Option<_>>()?,
            })
        });
        known.collect()
    }
}

impl How {
    /// Whether it holds of a value that stands so to the one it is compared with.
    pub const fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

impl FromStr for RowFilter {
    type Err = RowFilterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)?.ok_or_else(|| wrong("it is empty".to_owned()))
    }
}

impl fmt::Display for RowFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, condition) in self.0.iter().enumerate() {
            if nth > 0 {
                f.write_str(" and ")?;
            }
            write!(f, "{condition}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self
            .column
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let digit_first = self
            .column
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_digit());
        if plain && !digit_first {
            f.write_str(&self.column)?;
        } else {
            write!(f, "`{}`", self.column.replace('`', "``"))?;
        }
        match self.values.as_slice() {
            [one] => write!(f, " {} {one}", self.how.as_str()),
            many => {
                let many: Vec<String> = many.iter().map(ToString::to_string).collect();
                write!(f, " in ({})", many.join(", "))
            }
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(f, "'{}'", value.replace('\'', "''")),
            Self::Property(name) => write!(f, "${{recipient.{name}}}"),
        }
    }
}

impl Serialize for RowFilter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RowFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Whether a property of a recipient may have this name.
pub fn is_property_name(name: &str) -> bool {
    let begins = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    let goes_on = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    begins && name.len() <= 63 && name.bytes().all(goes_on)
}

fn wrong(why: String) -> RowFilterError {
    RowFilterError(format!(
        "{why}; write conditions such as country = 'DE' and year in (2024, 2025)"
    ))
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn is_at_end(&mut self) -> bool {
        self.skip();
        self.rest.is_empty()
    }

    fn wrong_here(&self, wanted: &str) -> RowFilterError {
        let here: String = self.rest.chars().take(20).collect();
        if here.is_empty() {
            wrong(format!("it ends where {wanted} should be"))
        } else {
            wrong(format!("{wanted} should stand where `{here}` does"))
        }
    }

    fn take(&mut self, sign: &str) -> bool {
        self.skip();
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn run(&self, fits: impl Fn(char) -> bool) -> &'a str {
        let end = self
            .rest
            .find(|c: char| !fits(c))
            .unwrap_or(self.rest.len());
        self.rest.get(..end).unwrap_or_default()
    }

    fn advance(&mut self, by: usize) {
        self.rest = self.rest.get(by..).unwrap_or_default();
    }

    /// A word in any case of letters, whole.
    fn word(&mut self, wanted: &str) -> bool {
        self.skip();
        let found = self.run(|c| c.is_ascii_alphanumeric() || c == '_');
        let is_it = found.eq_ignore_ascii_case(wanted);
        if is_it {
            self.advance(found.len());
        }
        is_it
    }

    /// What stands between two of these marks, of which two together mean one.
    fn quoted(&mut self, mark: char) -> Option<String> {
        self.rest = self.rest.strip_prefix(mark)?;
        let mut text = String::new();
        let mut chars = self.rest.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if c != mark {
                text.push(c);
            } else if chars.peek().is_some_and(|(_, next)| *next == mark) {
                text.push(mark);
                chars.next();
            } else {
                self.advance(at + mark.len_utf8());
                return Some(text);
            }
        }
        None
    }

    fn condition(&mut self) -> Result<Condition, RowFilterError> {
        let column = self.column()?;
        if self.word("in") {
            if !self.take("(") {
                return Err(self.wrong_here("`(`"));
            }
            let mut values = vec![self.operand()?];
            while self.take(",") {
                values.push(self.operand()?);
            }
            if !self.take(")") {
                return Err(self.wrong_here("`,` or `)`"));
            }
            return Ok(Condition {
                column,
                how: How::Equal,
                values,
            });
        }
        let how = [
            ("<=", How::LessOrEqual),
            (">=", How::GreaterOrEqual),
            ("=", How::Equal),
            ("<", How::Less),
            (">", How::Greater),
        ];
        let Some((_, how)) = how.into_iter().find(|(sign, _)| self.take(sign)) else {
            return Err(self.wrong_here("`=`, `<`, `<=`, `>`, `>=` or `in`"));
        };
        let values = vec![self.operand()?];
        Ok(Condition {
            column,
            how,
            values,
        })
    }

    fn column(&mut self) -> Result<String, RowFilterError> {
        self.skip();
        if self.rest.starts_with('`') {
            let column = self.quoted('`').filter(|column| !column.is_empty());
            return column.ok_or_else(|| wrong("a column's name in ` has no end".to_owned()));
        }
        let name = self.run(|c| c.is_ascii_alphanumeric() || c == '_');
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(self.wrong_here("a column"));
        }
        self.advance(name.len());
        Ok(name.to_owned())
    }

    fn operand(&mut self) -> Result<Operand, RowFilterError> {
        self.skip();
        if self.take("${recipient.") {
            let name = self.run(|c| c.is_ascii_alphanumeric() || c == '_');
            if !is_property_name(name) {
                return Err(self.wrong_here("a property's name in lower case"));
            }
            self.advance(name.len());
            if !self.take("}") {
                return Err(self.wrong_here("`}`"));
            }
            return Ok(Operand::Property(name.to_owned()));
        }
        if self.rest.starts_with('\'') {
            let value = self.quoted('\'');
            let value = value.ok_or_else(|| wrong("a text in ' has no end".to_owned()))?;
            if value.is_empty() {
                return Err(wrong("an empty text is no value of a partition".to_owned()));
            }
            if value.contains("${") {
                return Err(wrong(
                    "a property of the recipient stands without quotation marks".to_owned(),
                ));
            }
            return Ok(Operand::Value(value));
        }
        let word = self.run(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        let number = word.parse::<i64>().is_ok();
        if number || matches!(word, "true" | "false") {
            self.advance(word.len());
            return Ok(Operand::Value(word.to_owned()));
        }
        Err(self.wrong_here("a number, a text in ', or ${recipient.…}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> RowFilter {
        RowFilter::parse(text).unwrap().unwrap()
    }

    #[test]
    fn filters_are_read_and_written() {
        for (text, written) in [
            ("country='DE'", "country = 'DE'"),
            (
                " country IN ('DE' , 'it''s') AND year >= 2024 ",
                "country in ('DE', 'it''s') and year >= '2024'",
            ),
            ("a = -5 and b = true", "a = '-5' and b = 'true'"),
            ("`the day` < '2026-01-31'", "`the day` < '2026-01-31'"),
            (
                "country = ${recipient.country}",
                "country = ${recipient.country}",
            ),
            ("android = 1", "android = '1'"),
            ("in_use in (1)", "in_use = '1'"),
        ] {
            let filter = parsed(text);
            assert_eq!(filter.to_string(), written, "{text}");
            assert_eq!(parsed(written), filter, "{text}");
        }
        assert_eq!(RowFilter::parse(" "), Ok(None));
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for text in [
            "country",
            "country =",
            "country = DE",
            "country = 'DE",
            "country = ''",
            "country = '${recipient.country}'",
            "country = ${recipient.Country}",
            "country = ${team.name}",
            "country = 'DE' or 1 = 1",
            "not country = 'DE'",
            "country <> 'DE'",
            "country in ()",
            "country in ('DE'",
            "country = 'DE' and",
            "country = 'DE'; drop table",
            "year = 2024.5",
            "1 = 1",
            "country like 'D%'",
        ] {
            assert!(RowFilter::parse(text).is_err(), "{text}");
        }
        let long = format!("a in ({}1)", "1, ".repeat(MOST_VALUES));
        assert!(RowFilter::parse(&long).is_err());
        assert!(RowFilter::parse(&format!("a = '{}'", "x".repeat(LONGEST))).is_err());
    }

    #[test]
    fn a_missing_property_opens_nothing() {
        let filter = parsed("country in ('DE', ${recipient.country}) and year = 2024");
        let mut properties = BTreeMap::new();
        assert_eq!(filter.known(&properties), None);
        properties.insert("country".to_owned(), "FR".to_owned());
        let known = filter.known(&properties).unwrap();
        assert_eq!(known[0].values, ["DE", "FR"]);
        assert_eq!(known[1].values, ["2024"]);
        let both = filter.clone().and(parsed("year = 2024 and a = 1"));
        assert_eq!(both.conditions().len(), 3);
    }
}
