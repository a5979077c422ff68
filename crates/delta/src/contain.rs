//! Containment: from the text a log gives for a file to the object key that may be touched.
//!
//! A Delta log is hostile input (design, invariant 1). [`contain`] is the one place where a path of a log becomes a
//! key; whatever it refuses is never read, signed, copied or deleted. It works on text alone and does no IO; symlinks
//! are the storage's business.

use std::borrow::Cow;

use object_store::path::Path;
use serde_json::Value;
use uuid::Uuid;

/// Longest object key in bytes; the limit of S3 and Azure.
pub const MAX_KEY_BYTES: usize = 1024;

/// Folders at a table's root that hold no data: the log itself and Entrepôt's own marker and staging. A log that names
/// files in there would have a replica's vacuum delete its own log.
const RESERVED: [&str; 2] = ["_delta_log", "_entrepot"];

/// Why a path of a log was refused. Carries no text of the log: the error that wraps it shows the path, cleaned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Escape {
    #[error("it is empty")]
    Empty,
    #[error("it is longer than {MAX_KEY_BYTES} bytes")]
    TooLong,
    #[error("it is absolute")]
    Absolute,
    #[error("it names a scheme such as file: or s3:")]
    Scheme,
    #[error("it contains a . or .. segment")]
    Dots,
    #[error("it contains an empty segment")]
    EmptySegment,
    #[error("it contains a backslash")]
    Backslash,
    #[error("it contains a control or invisible character")]
    Control,
    #[error("it does not decode to UTF-8")]
    NotText,
    #[error("it points into the table's log or Entrepôt's own folder")]
    Reserved,
    #[error("its deletion vector's file name cannot be decoded")]
    DeletionVector,
}

/// Turns a path as the log gives it (relative to the table's root, percent-encoded) into the object key relative to the
/// table's root. Decodes percent exactly once, as the Delta protocol says.
///
/// # Errors
/// [`Escape`] for everything that is, or after any number of further decodings would be, absolute or outside the root
/// (control C-12), and for keys under `_delta_log` and `_entrepot`.
pub fn contain(raw: &str) -> Result<Path, Escape> {
    let key = contain_text(raw)?;
    let first = key.split('/').next().unwrap_or_default();
    if RESERVED.iter().any(|name| first.eq_ignore_ascii_case(name)) {
        return Err(Escape::Reserved);
    }
    to_key(&key)
}

/// The key of a V2 checkpoint's sidecar: its path is relative to `_delta_log/_sidecars`.
pub(crate) fn contain_sidecar(raw: &str) -> Result<Path, Escape> {
    let name = contain_text(raw)?;
    to_key(&format!("_delta_log/_sidecars/{name}"))
}

/// The key of the file that holds a deletion vector; `None` for an inline one. `homes`: what the table's folder is called by
/// absolute URLs, each with the slash at its end.
///
/// # Errors
/// [`Escape`] when the path leaves the table. A vector of storage type `p` is absolute by definition: it lies inside where it
/// begins with one of the `homes`, and what follows is contained.
pub fn deletion_vector_key(descriptor: &Value, homes: &[String]) -> Result<Option<Path>, Escape> {
    let text = |name: &str| descriptor.get(name).and_then(Value::as_str);
    let place = text("pathOrInlineDv").ok_or(Escape::DeletionVector)?;
    match text("storageType") {
        Some("i") => Ok(None),
        Some("p") => {
            let mut below = homes
                .iter()
                .filter_map(|home| place.strip_prefix(home.as_str()));
            contain(below.next().unwrap_or(place)).map(Some)
        }
        Some("u") => {
            // The last 20 characters are the file's UUID in z85, what stands before is a random folder.
            let split = place
                .len()
                .checked_sub(20)
                .filter(|at| place.is_char_boundary(*at));
            let (prefix, encoded) = place.split_at(split.ok_or(Escape::DeletionVector)?);
            let id = z85_uuid(encoded).ok_or(Escape::DeletionVector)?;
            match prefix {
                "" => contain(&format!("deletion_vector_{id}.bin")),
                _ => contain(&format!("{prefix}/deletion_vector_{id}.bin")),
            }
            .map(Some)
        }
        _ => Err(Escape::DeletionVector),
    }
}

/// A key as a log writes it: what URLs do not allow, and the percent sign, encoded. `contain(&encode(key)) == key`.
pub fn encode(key: &Path) -> String {
    let mut out = String::with_capacity(key.as_ref().len());
    for byte in key.as_ref().bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~=!$&'()*,;@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A path of a log made fit for messages: no control or invisible characters, at most 120 characters.
pub fn shown(raw: &str) -> String {
    let clean = |c: char| if is_hidden(c) { '\u{fffd}' } else { c };
    let mut out: String = raw.chars().take(120).map(clean).collect();
    if raw.chars().nth(120).is_some() {
        out.push('…');
    }
    out
}

fn contain_text(raw: &str) -> Result<Cow<'_, str>, Escape> {
    if raw.is_empty() {
        return Err(Escape::Empty);
    }
    // One byte of a key takes at most three of the log.
    if raw.len() > 3 * MAX_KEY_BYTES {
        return Err(Escape::TooLong);
    }
    check_text(raw)?;
    let key = decode(raw)?;
    check_text(&key)?;
    if key.len() > MAX_KEY_BYTES {
        return Err(Escape::TooLong);
    }
    if key.split('/').any(str::is_empty) {
        return Err(Escape::EmptySegment);
    }
    check_deeper(&key)?;
    Ok(key)
}

/// A partition value may itself hold an encoded character, so a key may still look encoded. It must not turn into a way
/// out when somebody downstream decodes once more than allowed. Each round shortens the text, so this ends.
fn check_deeper(key: &str) -> Result<(), Escape> {
    let mut deeper = Cow::Borrowed(key);
    loop {
        if deeper
            .split(['/', '\\'])
            .any(|segment| matches!(segment, "." | ".."))
        {
            return Err(Escape::Dots);
        }
        if deeper.starts_with(['/', '\\']) {
            return Err(Escape::Absolute);
        }
        if deeper.contains('\0') {
            return Err(Escape::Control);
        }
        check_scheme(&deeper)?;
        match decode(&deeper) {
            Ok(next) if next != deeper => deeper = Cow::Owned(next.into_owned()),
            _ => return Ok(()),
        }
    }
}

/// Whether an object key, one that is not encoded, has no way out in it.
pub(crate) fn is_plain_key(key: &str) -> bool {
    !key.is_empty()
        && check_text(key).is_ok()
        && !key.split('/').any(str::is_empty)
        && check_deeper(key).is_ok()
}

fn check_text(text: &str) -> Result<(), Escape> {
    if text.starts_with('/') {
        return Err(Escape::Absolute);
    }
    if text.contains('\\') {
        return Err(Escape::Backslash);
    }
    if text.chars().any(is_hidden) {
        return Err(Escape::Control);
    }
    check_scheme(text)
}

fn check_scheme(text: &str) -> Result<(), Escape> {
    let first = text.split('/').next().unwrap_or_default();
    match first.split_once(':') {
        Some((scheme, _)) if is_scheme(scheme) => Err(Escape::Scheme),
        _ => Ok(()),
    }
}

/// RFC 3986: a letter, then letters, digits, `+`, `-`, `.`. An empty one (`:x`) is refused too, some parsers accept it.
fn is_scheme(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

fn to_key(text: &str) -> Result<Path, Escape> {
    if text.len() > MAX_KEY_BYTES {
        return Err(Escape::TooLong);
    }
    match Path::parse(text) {
        Ok(path) if path.as_ref() == text => Ok(path),
        _ => Err(Escape::Control),
    }
}

/// Decodes percent once. A percent sign that starts no escape stays, as the other Delta readers have it.
fn decode(text: &str) -> Result<Cow<'_, str>, Escape> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = match &bytes[at..] {
            [b'%', high, low, ..] => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                out.push(high << 4 | low);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out)
        .map(Cow::Owned)
        .map_err(|_| Escape::NotText)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// Control characters (Cc), format characters (Cf: zero width, direction marks, tags) and line separators (Zl, Zp).
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            u32::from(c),
            0xAD | 0x600..=0x605
                | 0x61C
                | 0x6DD
                | 0x70F
                | 0x890..=0x891
                | 0x8E2
                | 0x180E
                | 0x200B..=0x200F
                | 0x2028..=0x202E
                | 0x2060..=0x206F
                | 0xFEFF
                | 0xFFF9..=0xFFFB
                | 0x110BD
                | 0x110CD
                | 0x13430..=0x1343F
                | 0x1BCA0..=0x1BCA3
                | 0x1D173..=0x1D17A
                | 0xE0001
                | 0xE0020..=0xE007F
        )
}

/// The digits of [`z85_uuid`].
pub(crate) const ALPHABET: &[u8; 85] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// ZeroMQ's base 85 (RFC 32/Z85), as Delta writes the UUID of a deletion vector's file: 20 characters, 16 bytes.
fn z85_uuid(text: &str) -> Option<Uuid> {
    let mut bytes = [0u8; 16];
    if text.len() != 20 {
        return None;
    }
    for (group, out) in text.as_bytes().chunks(5).zip(bytes.chunks_mut(4)) {
        let mut value = 0u64;
        for c in group {
            let digit = ALPHABET.iter().position(|known| known == c)?;
            value = value * 85 + u64::try_from(digit).ok()?;
        }
        out.copy_from_slice(&u32::try_from(value).ok()?.to_be_bytes());
    }
    Some(Uuid::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn good_paths_are_decoded_once() {
        for (raw, key) in [
            ("part-0.parquet", "part-0.parquet"),
            ("a/b/c.parquet", "a/b/c.parquet"),
            ("p=a%20b/x.parquet", "p=a b/x.parquet"),
            ("p=a%2520b/x.parquet", "p=a%20b/x.parquet"),
            ("p=a%252Fb/x.parquet", "p=a%2Fb/x.parquet"),
            ("p=%C3%A9/x.parquet", "p=é/x.parquet"),
            ("p=é/x.parquet", "p=é/x.parquet"),
            ("p=a+b/x.parquet", "p=a+b/x.parquet"),
            ("t=10:30/x.parquet", "t=10:30/x.parquet"),
            ("p=..a/..b..parquet", "p=..a/..b..parquet"),
            ("...", "..."),
            ("p=a%255Cb%250A/x", "p=a%5Cb%0A/x"),
            ("p=100%/x", "p=100%/x"),
            ("p=%zz/x", "p=%zz/x"),
            ("x%2eparquet", "x.parquet"),
            ("_delta_log2/x", "_delta_log2/x"),
            ("_change_data/cdc-1.parquet", "_change_data/cdc-1.parquet"),
            ("p=a#b?c/x", "p=a#b?c/x"),
        ] {
            assert_eq!(
                contain(raw).map(|p| p.to_string()),
                Ok(key.to_owned()),
                "{raw}"
            );
        }
    }

    #[test]
    fn ways_out_are_refused() {
        let long = "x".repeat(MAX_KEY_BYTES + 1);
        let very_long = "%20".repeat(MAX_KEY_BYTES + 1);
        for (raw, why) in [
            ("", Escape::Empty),
            (long.as_str(), Escape::TooLong),
            (very_long.as_str(), Escape::TooLong),
            ("/etc/passwd", Escape::Absolute),
            ("//host/share", Escape::Absolute),
            ("%2fetc/passwd", Escape::Absolute),
            ("%252fetc", Escape::Absolute),
            ("%25252fetc", Escape::Absolute),
            ("file:///etc/passwd", Escape::Scheme),
            ("FILE:/etc/passwd", Escape::Scheme),
            ("s3://other/x.parquet", Escape::Scheme),
            ("s3%3A//other/x", Escape::Scheme),
            ("abfss://c@a.dfs.core.windows.net/x", Escape::Scheme),
            ("file%253A%252F%252F%252Fetc", Escape::Scheme),
            ("C:/windows", Escape::Scheme),
            (":x", Escape::Scheme),
            ("..", Escape::Dots),
            (".", Escape::Dots),
            ("../x.parquet", Escape::Dots),
            ("a/../../x.parquet", Escape::Dots),
            ("a/./x", Escape::Dots),
            ("a/..", Escape::Dots),
            ("%2e%2e/x", Escape::Dots),
            ("%2E%2E%2Fx", Escape::Dots),
            (".%2e/x", Escape::Dots),
            ("%252e%252e/x", Escape::Dots),
            ("%252e%252e%252fx", Escape::Dots),
            ("%25252e%25252e/x", Escape::Dots),
            ("a%255c..%255cx", Escape::Dots),
            ("a//b", Escape::EmptySegment),
            ("a/", Escape::EmptySegment),
            ("a%2F%2Fb", Escape::EmptySegment),
            ("a\\b", Escape::Backslash),
            ("..\\x", Escape::Backslash),
            ("a%5Cb", Escape::Backslash),
            ("a\0b", Escape::Control),
            ("a%00b", Escape::Control),
            ("a%2500b", Escape::Control),
            ("a%0Ab", Escape::Control),
            ("a\u{202e}b", Escape::Control),
            ("a%E2%80%8Bb", Escape::Control),
            ("a\u{feff}b", Escape::Control),
            ("a%ffb", Escape::NotText),
            ("_delta_log/00000000000000000000.json", Escape::Reserved),
            ("_Delta_Log/x", Escape::Reserved),
            ("%5Fdelta_log/x", Escape::Reserved),
            ("_delta_log", Escape::Reserved),
            ("_entrepot/marker.json", Escape::Reserved),
        ] {
            assert_eq!(contain(raw), Err(why), "{raw:?}");
        }
    }

    #[test]
    fn deletion_vectors() {
        // The example of the protocol: "Deletion Vector Descriptor Schema".
        let dv =
            json!({"storageType": "u", "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^", "offset": 4});
        let key = deletion_vector_key(&dv, &[]).unwrap().unwrap();
        assert_eq!(
            key.as_ref(),
            "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin"
        );
        let uuid = "^-aqEH.-t@S}K{vb[*k^";
        for (kind, place, why) in [
            (
                "p",
                "s3://mytable/deletion_vector_x.bin".to_owned(),
                Escape::Scheme,
            ),
            ("p", "/data/x.bin".to_owned(), Escape::Absolute),
            ("p", "../x.bin".to_owned(), Escape::Dots),
            ("u", format!("../other{uuid}"), Escape::Dots),
            ("u", format!("/abs{uuid}"), Escape::Absolute),
            ("u", format!("%2e%2e{uuid}"), Escape::Dots),
            ("u", format!("_delta_log{uuid}"), Escape::Reserved),
            ("u", "short".to_owned(), Escape::DeletionVector),
            ("u", "é".repeat(10) + "x", Escape::DeletionVector),
            ("u", "~".repeat(20), Escape::DeletionVector),
            ("u", "#".repeat(20), Escape::DeletionVector),
            ("q", "x".to_owned(), Escape::DeletionVector),
        ] {
            let dv = json!({"storageType": kind, "pathOrInlineDv": place});
            assert_eq!(deletion_vector_key(&dv, &[]), Err(why), "{kind} {place}");
        }
        let inline = json!({"storageType": "i", "pathOrInlineDv": "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L"});
        assert_eq!(deletion_vector_key(&inline, &[]), Ok(None));
    }

    #[test]
    fn an_absolute_deletion_vector_lies_in_its_own_table_or_nowhere() {
        let homes = ["s3://lake/t/", "s3a://lake/t/"].map(str::to_owned);
        let key = |place: &str| {
            let dv = json!({"storageType": "p", "pathOrInlineDv": place});
            deletion_vector_key(&dv, &homes).map(|key| key.unwrap().to_string())
        };
        assert_eq!(key("s3a://lake/t/a%20b/x.bin"), Ok("a b/x.bin".to_owned()));
        for (place, why) in [
            ("s3://lake/t2/x.bin", Escape::Scheme),
            ("s3://lake/t", Escape::Scheme),
            ("s3://lake/t/", Escape::Empty),
            ("s3://lake/t//x.bin", Escape::Absolute),
            ("s3://lake/t/../t2/x.bin", Escape::Dots),
            ("s3://lake/t/%2e%2e/t2/x.bin", Escape::Dots),
            ("s3://lake/t/s3://lake/t/x.bin", Escape::Scheme),
            ("s3://lake/t/_delta_log/x.bin", Escape::Reserved),
            ("gs://lake/t/x.bin", Escape::Scheme),
        ] {
            assert_eq!(key(place), Err(why), "{place}");
        }
    }

    #[test]
    fn sidecars() {
        assert_eq!(
            contain_sidecar("x.parquet").unwrap().as_ref(),
            "_delta_log/_sidecars/x.parquet"
        );
        for raw in ["../x.parquet", "/x", "file:///x", "%2e%2e/x"] {
            assert!(contain_sidecar(raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn messages_show_no_control_characters_and_end() {
        assert_eq!(shown("a\u{1b}[31m\u{202e}b"), "a\u{fffd}[31m\u{fffd}b");
        assert_eq!(shown(&"é".repeat(500)).chars().count(), 121);
    }

    fn inside(key: &Path) -> bool {
        let text = key.as_ref();
        !text.is_empty()
            && !text.starts_with('/')
            && text
                .split('/')
                .all(|segment| !matches!(segment, "" | "." | ".."))
            && !text.contains(['\\', '\0'])
    }

    proptest! {
        #[test]
        fn nothing_escapes(raw in "(\\PC|[./%25eEfFcC:\\\\]){0,40}") {
            if let Ok(key) = contain(&raw) {
                prop_assert!(inside(&key), "{raw:?} -> {key}");
                // Encoding what was decoded leads back to the same key.
                prop_assert_eq!(contain(&encode(&key)), Ok(key));
            }
        }

        #[test]
        fn dots_in_any_encoding_are_refused(
            before in "[a-z]{0,3}",
            dots in prop::collection::vec(prop::sample::select(vec![".", "%2e", "%2E", "%252e", "%25252E"]), 1..=2),
            slash in prop::sample::select(vec!["/", "%2f", "%2F", "%252F"]),
        ) {
            let head = if before.is_empty() { String::new() } else { format!("{before}{slash}") };
            let raw = format!("{head}{}{slash}x", dots.concat());
            prop_assert!(contain(&raw).is_err(), "{}", raw);
        }
    }
}
