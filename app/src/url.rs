//! Addresses of the portal with a query, written the same on server and browser.

use std::fmt::Write as _;

/// Percent-encodes everything but what needs none.
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// The path with those pairs as its query that hold something.
pub fn with_query<'a, 'b>(
    path: &str,
    pairs: impl IntoIterator<Item = (&'a str, &'b str)>,
) -> String {
    let mut url = path.to_owned();
    let mut joint = '?';
    for (name, value) in pairs {
        if !value.is_empty() {
            let _ = write!(url, "{joint}{}={}", encode(name), encode(value));
            joint = '&';
        }
    }
    url
}

/// Names and values of a query as a form writes one. The router's own map decodes what it has decoded already, so that `50%25` would
/// not come back as it was typed.
pub fn pairs(query: &str) -> Vec<(String, String)> {
    query
        .trim_start_matches('?')
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

/// What is no escape stays as it is.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, escaped(after)) {
            (b'+', _) => bytes.push(b' '),
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (byte, _) => bytes.push(*byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The byte that two digits stand for.
fn escaped(after: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(after.get(..2)?).ok()?;
    if digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        u8::from_str_radix(digits, 16).ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::next::local_path;

    #[test]
    fn a_query_is_read_as_it_was_written() {
        for text in ["", "a b+c", "50%25 %", "ä\r\n\u{1f697}", "a&b=c?#", "%zz%4"] {
            let url = with_query("/register", [("q", text), ("step", "x")]);
            let query = url.split_once('?').unwrap().1;
            let read = pairs(query);
            assert_eq!(read.last().unwrap().1, "x");
            if !text.is_empty() {
                assert_eq!(read[0], ("q".to_owned(), text.to_owned()));
            }
        }
        assert_eq!(
            pairs("?a=1+2&b&=&c=%zz%4&d=%ff"),
            [
                ("a", "1 2"),
                ("b", ""),
                ("", ""),
                ("c", "%zz%4"),
                ("d", "\u{fffd}")
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert!(pairs("").is_empty());
    }

    #[test]
    fn what_is_empty_is_left_out() {
        assert_eq!(
            with_query("/catalog", [("q", ""), ("team", "")]),
            "/catalog"
        );
        assert_eq!(
            with_query("/catalog", [("q", "a b&c"), ("team", ""), ("cloud", "aws")]),
            "/catalog?q=a%20b%26c&cloud=aws"
        );
    }

    #[test]
    fn every_address_is_a_path_of_the_portal() {
        for text in [
            "ä",
            "\"><script>",
            "//evil",
            "a\r\nb",
            "100% <b> ?#",
            "\u{202e}x",
        ] {
            let url = with_query("/catalog", [("q", text)]);
            assert_eq!(local_path(&url), Some(url.as_str()), "{text}");
        }
    }
}
