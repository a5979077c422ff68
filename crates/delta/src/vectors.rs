//! What a deletion vector is called. Tables are moved and cloned, so that in a clone no vector is named by an absolute path.

use object_store::path::Path;
use serde_json::Value;
use uuid::Uuid;

use crate::contain::ALPHABET;

/// The descriptor of a vector whose object, by whatever name, lies at `key`, as one of storage type `u`, and the key that it
/// means: at the table's root. None: the object is not called as the protocol calls it, and has no such descriptor.
pub fn relative_vector(descriptor: &Value, key: &Path) -> Option<(Value, Path)> {
    let name = key.filename()?;
    let id = name
        .strip_prefix("deletion_vector_")?
        .strip_suffix(".bin")?;
    let id = Uuid::try_parse(id).ok()?;
    let mut relative = descriptor.clone();
    let fields = relative.as_object_mut()?;
    fields.insert("storageType".to_owned(), "u".into());
    fields.insert("pathOrInlineDv".to_owned(), z85(&id).into());
    Some((relative, Path::from(format!("deletion_vector_{id}.bin"))))
}

/// Where a vector ends in its object: its length, its bytes, their sum. Without an offset it is the object's only one, behind the
/// version.
pub fn end_of(descriptor: &Value) -> u64 {
    let number = |name: &str| descriptor.get(name).and_then(Value::as_u64);
    let from = number("offset").unwrap_or(1);
    let size = number("sizeInBytes").unwrap_or(0);
    from.saturating_add(size).saturating_add(8)
}

fn z85(id: &Uuid) -> String {
    let mut text = String::with_capacity(20);
    for group in id.as_bytes().chunks(4) {
        let value = group
            .iter()
            .fold(0u32, |value, byte| (value << 8) | u32::from(*byte));
        for place in (0..5u32).rev() {
            let digit = value / 85u32.pow(place) % 85;
            // Below 85, so that it is always one of the digits.
            let digit = ALPHABET.get(digit as usize).copied().unwrap_or(b'0');
            text.push(char::from(digit));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::deletion_vector_key;

    #[test]
    fn a_vector_by_an_absolute_path_gets_the_relative_name_of_its_object() {
        let there = "deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin";
        let descriptor = json!({
            "storageType": "p", "pathOrInlineDv": format!("s3://lake/t/ab/{there}"), "offset": 4,
            "sizeInBytes": 40, "cardinality": 6,
        });
        let homes = ["s3://lake/t/".to_owned()];
        let key = deletion_vector_key(&descriptor, &homes).unwrap().unwrap();
        let (relative, at) = relative_vector(&descriptor, &key).unwrap();
        assert_eq!(
            relative,
            json!({
                "storageType": "u", "pathOrInlineDv": "^-aqEH.-t@S}K{vb[*k^", "offset": 4,
                "sizeInBytes": 40, "cardinality": 6,
            })
        );
        assert_eq!(at.as_ref(), there);
        assert_eq!(deletion_vector_key(&relative, &[]).unwrap(), Some(at));
        assert_eq!(relative_vector(&descriptor, &Path::from("x.bin")), None);
    }
}
