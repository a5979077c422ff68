//! The certificate as a document: what it says, hashed link by link, signed, and checked again without a database.
//!
//! The chain goes through the document as it stands: first all that stands outside `replicas`, then of each replica what stands
//! outside its `objects`, then each of these. A link is the JSON of that part without white space, its fields in their order and
//! without `hash`; its hash is SHA-256 over the hash before it (64 zeros at first), a line feed, what it is a link of (`certificate`,
//! `replica` or `object`), a line feed, and the link. The last hash is `head`; signed (Ed25519) is the text `entrepot-erasure/1`, a line
//! feed, and `head`.
//!
//! What is checked has to mean the same to everybody who reads it: a file that names a field twice is none, for of two values one
//! reader takes the first and another the last.

use std::fmt;

use model::{ProductName, Timestamp};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::de::{Deserialize, Deserializer, Error as DeError, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// What stands first in a certificate, and in what is signed.
pub(super) const FORMAT: &str = "entrepot-erasure/1";
pub(super) const ALGORITHM: &str = "Ed25519";

/// Not larger is a certificate that is checked.
const LARGEST: usize = 1 << 30;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CertificateError {
    #[error("the file is no certificate: {0}")]
    Form(String),
    #[error("the file was changed: the hash of {0} is another")]
    Chain(String),
    #[error(
        "the file was changed, or another key signed it: the signature is not one of its chain"
    )]
    Signature,
    #[error("the file is signed with the key {found}, and not with {expected}")]
    Key { found: String, expected: String },
}

/// What a certificate that is in order says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    pub product: String,
    /// `proven` or `not_provable`.
    pub verdict: String,
    pub issued_at: String,
    /// Of the key that signed; whose it is the file cannot say.
    pub public_key: String,
    pub head: String,
    pub replicas: usize,
    pub objects: usize,
}

/// The public half of an installation's key.
pub(super) fn public_key(seed: &[u8; 32]) -> Result<String, String> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|error| error.to_string())?;
    Ok(hex::encode(pair.public_key().as_ref()))
}

/// How a key is called in certificates and where keys are published.
pub(super) fn key_id(public_key: &str) -> String {
    let hash = hex::encode(Sha256::digest(public_key.as_bytes()));
    hash[..16].to_owned()
}

/// Puts key, hashes, head and signature into a document. `document` is an object with `replicas`, each an object with `objects`.
pub(super) fn seal(mut document: Value, seed: &[u8; 32]) -> Result<String, String> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|error| error.to_string())?;
    let public_key = hex::encode(pair.public_key().as_ref());
    document["key"] = json!({
        "id": key_id(&public_key),
        "algorithm": ALGORITHM,
        "public_key": public_key,
    });
    let head = walk(&mut document, |part, hash, _| {
        part.insert("hash".to_owned(), hash.into());
        Ok(())
    })
    .map_err(|error| error.to_string())?;
    let signature = pair.sign(signed(&head).as_bytes());
    document["head"] = head.into();
    document["signature"] = hex::encode(signature.as_ref()).into();
    serde_json::to_string_pretty(&document).map_err(|error| error.to_string())
}

/// Checks a certificate: that nothing in it was changed since it was signed with the key that it names, or with `key` where that is
/// given (hexadecimal digits).
pub fn check(text: &str, key: Option<&str>) -> Result<Checked, CertificateError> {
    let form = |what: &str| CertificateError::Form(what.to_owned());
    if text.len() > LARGEST {
        return Err(form("it is too large"));
    }
    let Once(mut document) =
        serde_json::from_str(text).map_err(|error| form(&error.to_string()))?;
    if document["format"] != FORMAT {
        return Err(form("it does not say that it is one of this kind"));
    }
    let said = |document: &Value, pointer: &str| {
        let found = document.pointer(pointer).and_then(Value::as_str);
        found
            .map(str::to_owned)
            .ok_or_else(|| form(&format!("it has no {}", pointer.trim_start_matches('/'))))
    };
    let bytes = |name: &str, text: String| {
        hex::decode(text).map_err(|_| form(&format!("its {name} is not in hexadecimal digits")))
    };
    let signer = bytes("key", said(&document, "/key/public_key")?)?;
    // As we write it: the file's own text is not repeated to whoever checks it.
    let public_key = hex::encode(&signer);
    if let Some(expected) = key
        && !expected.trim().eq_ignore_ascii_case(&public_key)
    {
        return Err(CertificateError::Key {
            found: public_key,
            expected: expected.trim().to_owned(),
        });
    }
    // The first ones do not say it.
    let id = document.pointer("/key/id");
    if id.is_some_and(|id| *id != key_id(&public_key)) {
        return Err(form("it calls its key by another key's name"));
    }
    let (mut replicas, mut objects) = (0, 0);
    let head = walk(&mut document, |part, hash, what| {
        match what {
            What::Head => {}
            What::Replica => replicas += 1,
            What::Object => objects += 1,
        }
        if part.get("hash").and_then(Value::as_str) == Some(hash) {
            return Ok(());
        }
        let name = match what {
            What::Head => "its beginning".to_owned(),
            What::Replica => format!("replica {replicas}"),
            What::Object => format!("object {objects}"),
        };
        Err(CertificateError::Chain(name))
    })?;
    if said(&document, "/head")? != head {
        return Err(CertificateError::Chain("its end".to_owned()));
    }
    let signature = bytes("signature", said(&document, "/signature")?)?;
    UnparsedPublicKey::new(&ED25519, signer)
        .verify(signed(&head).as_bytes(), &signature)
        .map_err(|_| CertificateError::Signature)?;
    // Who signs with a key of his own writes what he likes, but not to somebody's terminal.
    let product: Result<ProductName, _> = said(&document, "/product")?.parse();
    let verdict = said(&document, "/verdict")?;
    if !["proven", "not_provable"].contains(&verdict.as_str()) {
        return Err(form("it has another verdict than there are"));
    }
    let issued_at = Timestamp::parse(&said(&document, "/issued_at")?);
    Ok(Checked {
        product: product
            .map_err(|_| form("its product is no name of one"))?
            .to_string(),
        verdict,
        issued_at: issued_at
            .map_err(|_| form("it does not say when it was issued"))?
            .to_string(),
        public_key,
        head,
        replicas,
        objects,
    })
}

fn signed(head: &str) -> String {
    format!("{FORMAT}\n{head}")
}

/// Which part of the document a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Head,
    Replica,
    Object,
}

impl What {
    /// As it stands in the chain: without it what is said of a replica could be passed off as an object of the one before it.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Head => "certificate",
            Self::Replica => "replica",
            Self::Object => "object",
        }
    }

    /// What of such a part is not in its link: what the chain goes through by itself, and what comes of it.
    const fn without(self) -> &'static [&'static str] {
        match self {
            Self::Head => &["replicas", "head", "signature"],
            Self::Replica => &["objects"],
            Self::Object => &[],
        }
    }
}

/// Goes through the links in their order, hands each part and its hash to `each`, and answers the last hash.
fn walk(
    document: &mut Value,
    mut each: impl FnMut(&mut Map<String, Value>, &str, What) -> Result<(), CertificateError>,
) -> Result<String, CertificateError> {
    let form = |what: &str| CertificateError::Form(what.to_owned());
    let document = document
        .as_object_mut()
        .ok_or_else(|| form("it is not an object"))?;
    let mut hash = "0".repeat(64);
    hash = link(&hash, document, What::Head);
    each(document, &hash, What::Head)?;
    let replicas = document
        .get_mut("replicas")
        .and_then(Value::as_array_mut)
        .ok_or_else(|| form("it has no replicas"))?;
    for replica in replicas {
        let replica = replica
            .as_object_mut()
            .ok_or_else(|| form("one of its replicas is not an object"))?;
        hash = link(&hash, replica, What::Replica);
        each(replica, &hash, What::Replica)?;
        let objects = replica
            .get_mut("objects")
            .and_then(Value::as_array_mut)
            .ok_or_else(|| form("one of its replicas has no objects"))?;
        for object in objects {
            let object = object
                .as_object_mut()
                .ok_or_else(|| form("one of its objects is not one"))?;
            hash = link(&hash, object, What::Object);
            each(object, &hash, What::Object)?;
        }
    }
    Ok(hash)
}

/// The hash of a part that follows `previous`; `hash` is not in it.
fn link(previous: &str, part: &Map<String, Value>, what: What) -> String {
    let fields = part
        .iter()
        .filter(|(name, _)| *name != "hash" && !what.without().contains(&name.as_str()));
    let part: Map<String, Value> = fields
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut hasher = Sha256::new();
    hasher.update(previous.as_bytes());
    hasher.update(b"\n");
    hasher.update(what.as_str().as_bytes());
    hasher.update(b"\n");
    hasher.update(Value::Object(part).to_string().as_bytes());
    hex::encode(hasher.finalize())
}

/// JSON that says one thing only: each object names a field once, and numbers are whole.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OnceVisitor)
    }
}

struct OnceVisitor;

impl<'de> Visitor<'de> for OnceVisitor {
    type Value = Once;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON with whole numbers")
    }

    fn visit_unit<E: DeError>(self) -> Result<Once, E> {
        Ok(Once(Value::Null))
    }

    fn visit_bool<E: DeError>(self, value: bool) -> Result<Once, E> {
        Ok(Once(value.into()))
    }

    fn visit_u64<E: DeError>(self, value: u64) -> Result<Once, E> {
        Ok(Once(value.into()))
    }

    fn visit_i64<E: DeError>(self, value: i64) -> Result<Once, E> {
        Ok(Once(value.into()))
    }

    fn visit_str<E: DeError>(self, value: &str) -> Result<Once, E> {
        Ok(Once(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Once, A::Error> {
        let mut values = Vec::new();
        while let Some(Once(value)) = seq.next_element()? {
            values.push(value);
        }
        Ok(Once(values.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Once, A::Error> {
        let mut fields = Map::new();
        while let Some((name, Once(value))) = map.next_entry::<String, Once>()? {
            if fields.contains_key(&name) {
                return Err(DeError::custom(format_args!(
                    "the field {name:?} stands there twice"
                )));
            }
            fields.insert(name, value);
        }
        Ok(Once(fields.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed() -> String {
        let document = json!({
            "format": FORMAT, "product": "vehicle-visits", "verdict": "proven", "issued_at": "2026-07-01T00:00:00Z",
            "replicas": [
                { "storage": "az_weu", "objects": [
                    { "path": "a", "size": 1, "not_found_at": "2026-07-01T00:00:00Z", "versions_listed": 0 },
                    { "path": "b", "size": 2, "not_found_at": "2026-07-01T00:00:00Z", "versions_listed": 0 },
                ] },
                { "storage": "gcp_euw", "objects": [] },
            ],
        });
        seal(document, &[7; 32]).unwrap()
    }

    #[test]
    fn what_was_signed_is_checked_and_what_was_changed_is_found() {
        let text = sealed();
        let checked = check(&text, None).unwrap();
        assert_eq!((checked.replicas, checked.objects), (2, 2));
        assert_eq!(checked.verdict, "proven");
        assert_eq!(checked.public_key, public_key(&[7; 32]).unwrap());
        // How it is laid out is not part of it.
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(check(&document.to_string(), None).unwrap(), checked);
        assert!(check(&text, Some(&checked.public_key.to_uppercase())).is_ok());
        let other = public_key(&[8; 32]).unwrap();
        let refused = check(&text, Some(&other)).unwrap_err();
        assert!(matches!(refused, CertificateError::Key { .. }), "{refused}");

        for (pointer, new) in [
            ("/product", json!("vehicle-other")),
            ("/replicas/0/storage", json!("x")),
            ("/replicas/0/objects/1/size", json!(3)),
            ("/replicas/0/objects/0/hash", json!("00")),
            ("/head", json!("00")),
            ("/key/public_key", json!(other)),
            ("/key/id", json!(key_id(&other))),
            ("/signature", json!("00")),
        ] {
            let mut changed = document.clone();
            *changed.pointer_mut(pointer).unwrap() = new;
            assert!(check(&changed.to_string(), None).is_err(), "{pointer}");
        }
        // An object less, and one that signs anew with a key of its own.
        let mut fewer = document.clone();
        fewer["replicas"][0]["objects"]
            .as_array_mut()
            .unwrap()
            .pop();
        assert!(check(&fewer.to_string(), None).is_err());
        let forged = seal(fewer, &[9; 32]).unwrap();
        assert!(
            check(&forged, None).is_ok(),
            "whose key it is the file cannot say"
        );
        assert!(check(&forged, Some(&checked.public_key)).is_err());
        // What is said of a replica is not passed off as an object of the one before it, nor an object as a replica.
        let mut one = document.clone();
        let mut replicas = one["replicas"].as_array().unwrap().clone();
        let mut second = replicas.pop().unwrap();
        second.as_object_mut().unwrap().shift_remove("objects");
        replicas[0]["objects"].as_array_mut().unwrap().push(second);
        one["replicas"] = replicas.into();
        let mut three = document.clone();
        let mut replicas = three["replicas"].as_array().unwrap().clone();
        let mut object = replicas[0]["objects"]
            .as_array_mut()
            .unwrap()
            .pop()
            .unwrap();
        object["objects"] = json!([]);
        replicas.insert(1, object);
        three["replicas"] = replicas.into();
        for moved in [one, three] {
            let refused = check(&moved.to_string(), None).unwrap_err();
            assert!(matches!(refused, CertificateError::Chain(_)), "{refused}");
        }
        // What one reader takes for the one thing and another for the other.
        let plain = document.to_string();
        for (there, instead) in [
            (
                r#""verdict":"proven""#,
                r#""verdict":"not_provable","verdict":"proven""#,
            ),
            (r#""size":1"#, r#""size":7,"size":1"#),
            (r#""size":1"#, r#""size":1.0"#),
            (r#""signature":""#, r#""signature":"00","signature":""#),
        ] {
            let twice = plain.replacen(there, instead, 1);
            assert_ne!(twice, plain);
            let refused = check(&twice, None).unwrap_err();
            assert!(matches!(refused, CertificateError::Form(_)), "{refused}");
        }
        // Another spelling of the same says the same.
        let spelled = plain.replacen(r#""proven""#, r#""\u0070roven""#, 1);
        assert_eq!(check(&spelled, None).unwrap(), checked);
        // Who signs with a key of his own does not write to the terminal of whoever checks it.
        for (pointer, new) in [
            ("/product", "\u{1b}[2J"),
            ("/verdict", "all is well"),
            ("/issued_at", "\u{1b}[2J"),
        ] {
            let mut own = document.clone();
            *own.pointer_mut(pointer).unwrap() = new.into();
            let own = seal(own, &[9; 32]).unwrap();
            let refused = check(&own, None).unwrap_err();
            assert!(matches!(refused, CertificateError::Form(_)), "{refused}");
            assert!(!refused.to_string().contains(new));
        }
        for text in ["", "{}", "[]", r#"{"format":"entrepot-erasure/1"}"#] {
            let refused = check(text, None).unwrap_err();
            assert!(matches!(refused, CertificateError::Form(_)), "{text}");
        }
    }
}
