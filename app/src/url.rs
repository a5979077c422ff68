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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::next::local_path;

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
