//! Pseudonyms of values: HMAC-SHA-256, in hexadecimal, of a value that says of what kind it is. The same value has the same pseudonym in
//! every column and table of a key, whatever the width of the column that it stands in, and null stays null.
//!
//! | kind | what is hashed |
//! |---|---|
//! | text | `s:` and its UTF-8 |
//! | whole numbers, decimals | `n:` and the number without needless zeros, such as `-12.5` |
//! | floating point | `f:` and the eight bytes of the double, the highest first; one NaN, one zero |
//! | boolean | `b:true`, `b:false` |
//! | binary | `x:` and the bytes |
//! | date | `d:` and the days since 1970 |
//! | timestamp, timestamp without zone | `t:` or `l:` and the microseconds since 1970 |

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Float64Type, Int64Type, TimestampMicrosecondType,
};
use arrow_schema::{DataType, TimeUnit};
use hmac::digest::common::Key;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::shape::fit;

/// The key of a cut's edition. It is shown nowhere.
#[derive(Clone)]
pub struct Secret([u8; 32]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    fn keyed(&self) -> Hmac<Sha256> {
        // A shorter key is padded with zeros to the block's size: so says RFC 2104, so this needs no fallible call.
        let mut block = Key::<Hmac<Sha256>>::default();
        block[..self.0.len()].copy_from_slice(&self.0);
        Hmac::<Sha256>::new(&block)
    }

    /// A name for something that is no value: no value's pseudonym is ever equal to it.
    pub fn name(&self, of: &str, parts: &[&str]) -> String {
        let mut mac = self.keyed();
        // No kind of value begins so.
        mac.update(&[0]);
        for part in std::iter::once(&of).chain(parts) {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        hex(&mac.finalize().into_bytes()[..16])
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // A text takes all that is written to it.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// How values of a type are told apart, so that a column that becomes wider keeps its pseudonyms. None: it has none.
pub(super) fn kind_of(of: &DataType) -> Option<&'static str> {
    Some(match of {
        DataType::Boolean => "b",
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => "n",
        DataType::Decimal128(_, _) => "n",
        DataType::Float32 | DataType::Float64 => "f",
        DataType::Utf8 => "s",
        DataType::Binary => "x",
        DataType::Date32 => "d",
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => "t",
        DataType::Timestamp(TimeUnit::Microsecond, None) => "l",
        _ => return None,
    })
}

/// The pseudonyms of a column, which is of the table's type `of`. None: it cannot be read as that.
pub(super) fn pseudonyms(column: &ArrayRef, of: &DataType, secret: &Secret) -> Option<ArrayRef> {
    let wide = match of {
        DataType::Int8 | DataType::Int16 | DataType::Int32 => DataType::Int64,
        DataType::Float32 => DataType::Float64,
        other => other.clone(),
    };
    let column = fit(column, of).ok()?;
    let column = fit(&column, &wide).ok()?;
    let prefix = kind_of(of)?;
    let (mut text, mut last) = (String::new(), None::<Vec<u8>>);
    let mut made = StringBuilder::with_capacity(column.len(), column.len() * 64);
    for at in 0..column.len() {
        if column.is_null(at) {
            made.append_null();
            continue;
        }
        let mut message = format!("{prefix}:").into_bytes();
        value(column.as_ref(), at, &mut message)?;
        // Equal values often stand beside each other.
        if last.as_ref() != Some(&message) {
            let mac = secret.keyed().chain_update(&message).finalize();
            text = hex(&mac.into_bytes());
            last = Some(message);
        }
        made.append_value(&text);
    }
    Some(Arc::new(made.finish()))
}

/// A value as it is hashed, behind what says its kind.
fn value(column: &dyn Array, at: usize, out: &mut Vec<u8>) -> Option<()> {
    match column.data_type() {
        DataType::Boolean => {
            let text = match column.as_boolean().value(at) {
                true => "true",
                false => "false",
            };
            out.extend_from_slice(text.as_bytes());
        }
        DataType::Int64 => {
            let number = column.as_primitive::<Int64Type>().value(at);
            out.extend_from_slice(number.to_string().as_bytes());
        }
        DataType::Decimal128(_, scale) => {
            let number = column.as_primitive::<Decimal128Type>().value(at);
            out.extend_from_slice(plain(number, usize::try_from(*scale).ok()?).as_bytes());
        }
        DataType::Float64 => {
            let number = column.as_primitive::<Float64Type>().value(at);
            let one = match number {
                number if number.is_nan() => f64::NAN.to_bits() & !(1 << 63),
                // Below zero, too.
                0.0 => 0,
                number => number.to_bits(),
            };
            out.extend_from_slice(&one.to_be_bytes());
        }
        DataType::Utf8 => {
            out.extend_from_slice(column.as_string::<i32>().value(at).as_bytes());
        }
        DataType::Binary => out.extend_from_slice(column.as_binary::<i32>().value(at)),
        DataType::Date32 => {
            let days = column.as_primitive::<Date32Type>().value(at);
            out.extend_from_slice(days.to_string().as_bytes());
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let micros = column.as_primitive::<TimestampMicrosecondType>().value(at);
            out.extend_from_slice(micros.to_string().as_bytes());
        }
        _ => return None,
    }
    Some(())
}

/// A decimal without needless zeros.
fn plain(number: i128, scale: usize) -> String {
    let sign = if number < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", number.unsigned_abs(), width = scale + 1);
    let (whole, rest) = digits.split_at(digits.len() - scale);
    match rest.trim_end_matches('0') {
        "" if whole.trim_start_matches('0').is_empty() => "0".to_owned(),
        "" => format!("{sign}{whole}"),
        rest => format!("{sign}{whole}.{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        BinaryArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int32Array,
        Int64Array, StringArray,
    };

    use super::*;

    fn texts(column: ArrayRef, of: &DataType) -> Vec<Option<String>> {
        let made = pseudonyms(&column, of, &Secret::new([7; 32])).unwrap();
        let made = made.as_string::<i32>().iter();
        made.map(|text| text.map(str::to_owned)).collect()
    }

    #[test]
    fn pseudonyms_are_the_ones_that_anybody_with_the_key_reckons() {
        let names: ArrayRef = Arc::new(StringArray::from(vec![Some("Müller"), None, Some("")]));
        let made = texts(names, &DataType::Utf8);
        assert_eq!(made[1], None);
        assert_ne!(made[0], made[2]);
        // printf 's:Müller' | openssl dgst -sha256 -mac HMAC -macopt hexkey:0707…07
        let said = "7c1d5bc1d7125e823862f836fc018f4f013e287347ab7b58e4b726c0d398cf62";
        assert_eq!(made[0].as_deref(), Some(said));
        assert!(!format!("{:?}", Secret::new([7; 32])).contains('7'));
    }

    #[test]
    fn a_column_that_becomes_wider_keeps_its_pseudonyms() {
        let narrow: ArrayRef = Arc::new(Int32Array::from(vec![-5, 0, 1200]));
        let numbers = texts(narrow.clone(), &DataType::Int32);
        assert_eq!(texts(narrow.clone(), &DataType::Int64), numbers);
        let wide: ArrayRef = Arc::new(Int64Array::from(vec![-5, 0, 1200]));
        assert_eq!(texts(wide, &DataType::Int64), numbers);
        let decimals = Decimal128Array::from(vec![-500, 0, 120_000]);
        let decimals: ArrayRef = Arc::new(decimals.with_precision_and_scale(10, 2).unwrap());
        assert_eq!(texts(decimals, &DataType::Decimal128(10, 2)), numbers);
        for (number, scale, text) in [
            (0, 0, "0"),
            (7, 0, "7"),
            (-5, 2, "-0.05"),
            (1_250, 2, "12.5"),
            (100, 2, "1"),
            (1_000, 0, "1000"),
        ] {
            assert_eq!(plain(number, scale), text);
        }
        let single: ArrayRef = Arc::new(Float32Array::from(vec![1.5, -0.0]));
        let double: ArrayRef = Arc::new(Float64Array::from(vec![1.5, 0.0]));
        assert_eq!(
            texts(single, &DataType::Float32),
            texts(double, &DataType::Float64)
        );
    }

    #[test]
    fn values_of_different_kinds_have_different_pseudonyms() {
        let columns: [(ArrayRef, DataType); 4] = [
            (Arc::new(StringArray::from(vec!["1"])), DataType::Utf8),
            (Arc::new(Int64Array::from(vec![1])), DataType::Int64),
            (
                Arc::new(BinaryArray::from_vec(vec![b"1".as_slice()])),
                DataType::Binary,
            ),
            (Arc::new(Date32Array::from(vec![1])), DataType::Date32),
        ];
        let mut all: Vec<_> = columns
            .into_iter()
            .flat_map(|(column, of)| texts(column, &of))
            .collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 4);
        let list = DataType::List(Arc::new(arrow_schema::Field::new(
            "element",
            DataType::Utf8,
            true,
        )));
        assert_eq!(kind_of(&list), None);
    }
}
