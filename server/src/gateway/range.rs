//! The `Range` header (RFC 9110, 14): one range of bytes. What cannot be understood is ignored, as the RFC wants it; several
//! ranges at once are answered with the whole.

use std::ops::Range;

use http::{HeaderMap, HeaderValue, header};

/// What of a file is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Whole,
    /// Not empty, and within the file.
    Part(Range<u64>),
    /// Nothing of it lies within the file.
    Beyond,
}

/// `tag` is the file's strong entity tag: a range for another one (`If-Range`) is answered with the whole.
pub(super) fn asked(headers: &HeaderMap, tag: &HeaderValue, size: u64) -> Asked {
    if headers
        .get(header::IF_RANGE)
        .is_some_and(|wanted| wanted != tag)
    {
        return Asked::Whole;
    }
    let mut values = headers.get_all(header::RANGE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Asked::Whole;
    };
    value
        .to_str()
        .ok()
        .and_then(|text| parse(text, size))
        .unwrap_or(Asked::Whole)
}

/// None: not understood.
fn parse(text: &str, size: u64) -> Option<Asked> {
    let (unit, set) = text.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") || set.contains(',') {
        return None;
    }
    let (first, last) = set.trim().split_once('-')?;
    let range = match (first, last) {
        ("", suffix) => size.saturating_sub(number(suffix)?)..size,
        (first, "") => number(first)?..size,
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            first..last.saturating_add(1).min(size)
        }
    };
    Some(if range.is_empty() {
        Asked::Beyond
    } else {
        Asked::Part(range)
    })
}

/// Digits alone; more than fit are as many as there can be.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, size: u64) -> Asked {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_str(text).unwrap());
        asked(&headers, &HeaderValue::from_static("\"t\""), size)
    }

    #[test]
    fn one_range_of_bytes() {
        for (text, expected) in [
            ("bytes=0-0", 0..1),
            ("bytes=0-9", 0..10),
            ("bytes=9-9", 9..10),
            ("bytes=9-", 9..10),
            ("bytes=0-", 0..10),
            ("bytes=5-100", 5..10),
            ("bytes=-1", 9..10),
            ("bytes=-10", 0..10),
            ("bytes=-99999999999999999999999", 0..10),
            ("bytes=0-99999999999999999999999", 0..10),
            ("Bytes= 2-3", 2..4),
        ] {
            assert_eq!(of(text, 10), Asked::Part(expected), "{text}");
        }
        for text in [
            "bytes=10-",
            "bytes=10-11",
            "bytes=-0",
            "bytes=99999999999999999999999-",
        ] {
            assert_eq!(of(text, 10), Asked::Beyond, "{text}");
        }
        for text in ["bytes=0-0", "bytes=0-", "bytes=-1"] {
            assert_eq!(of(text, 0), Asked::Beyond, "{text} of nothing");
        }
        for text in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=2-1",
            "bytes=1-2-3",
            "bytes=0-0,2-3",
            "rows=0-1",
            "bytes=0x1-2",
        ] {
            assert_eq!(of(text, 10), Asked::Whole, "{text}");
        }
    }

    #[test]
    fn a_range_of_another_file_is_the_whole() {
        let tag = HeaderValue::from_static("\"t\"");
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_static("bytes=1-2"));
        headers.insert(header::IF_RANGE, tag.clone());
        assert_eq!(asked(&headers, &tag, 10), Asked::Part(1..3));
        for other in ["\"u\"", "W/\"t\"", "Sun, 06 Nov 1994 08:49:37 GMT"] {
            headers.insert(header::IF_RANGE, HeaderValue::from_static(other));
            assert_eq!(asked(&headers, &tag, 10), Asked::Whole, "{other}");
        }
        headers.remove(header::IF_RANGE);
        headers.append(header::RANGE, HeaderValue::from_static("bytes=3-4"));
        assert_eq!(asked(&headers, &tag, 10), Asked::Whole);
    }
}
