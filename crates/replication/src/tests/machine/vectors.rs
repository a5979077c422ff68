//! Deletion vectors as the protocol has them ("Deletion Vector Format"), of rows below 65,536: inline, and each in an object of its
//! own.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// The vectors' objects all have this name, each in a folder of its own.
const NAME: &str = "deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin";
const ENCODED_NAME: &str = "^-aqEH.-t@S}K{vb[*k^";

const DIGITS: &[u8; 85] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

#[derive(Clone, Debug)]
pub(super) struct Vector {
    pub(super) descriptor: Value,
    /// What the log tells it by.
    pub(super) place: String,
    /// Its object, if it has one, and how many bytes that has.
    pub(super) object: Option<(String, u64)>,
}

/// The vector of these rows, and the object to put. Every second one is inline.
pub(super) fn of(rows: &BTreeSet<u16>, n: u32) -> (Vector, Option<(String, Vec<u8>)>) {
    let mut data = bitmap(rows);
    if n.is_multiple_of(2) {
        data.resize(data.len().next_multiple_of(4), 0);
        let place = z85(&data);
        let descriptor = json!({
            "storageType": "i", "pathOrInlineDv": place, "sizeInBytes": data.len(), "cardinality": rows.len(),
        });
        let vector = Vector {
            descriptor,
            place,
            object: None,
        };
        return (vector, None);
    }
    let mut bytes = vec![1];
    bytes.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
    bytes.extend(&data);
    bytes.extend(crc(&data).to_be_bytes());
    let place = format!("v{n}{ENCODED_NAME}");
    let descriptor = json!({
        "storageType": "u", "pathOrInlineDv": place, "offset": 1, "sizeInBytes": data.len(),
        "cardinality": rows.len(),
    });
    let key = format!("v{n}/{NAME}");
    let vector = Vector {
        descriptor,
        place,
        object: Some((key.clone(), bytes.len() as u64)),
    };
    (vector, Some((key, bytes)))
}

/// A `RoaringBitmapArray` of one bitmap with one container.
fn bitmap(rows: &BTreeSet<u16>) -> Vec<u8> {
    let last = u16::try_from(rows.len() - 1).unwrap();
    let mut bytes = Vec::new();
    bytes.extend(1_681_511_377_u32.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    // Without runs: how many containers, the key of each with its cardinality less one, where each begins.
    bytes.extend(12_346_u32.to_le_bytes());
    bytes.extend(1_u32.to_le_bytes());
    bytes.extend(0_u16.to_le_bytes());
    bytes.extend(last.to_le_bytes());
    bytes.extend(16_u32.to_le_bytes());
    bytes.extend(rows.iter().flat_map(|row| row.to_le_bytes()));
    bytes
}

fn z85(data: &[u8]) -> String {
    let digits = data.chunks(4).flat_map(|group| {
        let value = group
            .iter()
            .fold(0_u32, |value, byte| (value << 8) | u32::from(*byte));
        (0..5_u32)
            .rev()
            .map(move |place| char::from(DIGITS[(value / 85_u32.pow(place) % 85) as usize]))
    });
    digits.collect()
}

/// CRC-32 as of zip.
fn crc(data: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let carry = crc & 1;
            crc = (crc >> 1) ^ (carry * 0xedb8_8320);
        }
    }
    !crc
}

#[test]
fn the_crc_is_that_of_zip() {
    assert_eq!(crc(b"123456789"), 0xcbf4_3926);
}
