//! One line of an S3 server access log (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html>), read with care:
//! half of it is what a stranger sent.
//!
//! What stands before the request's address is the store's own. A client's words stand in quotes: the address, in which there is no
//! space, so that the first quote with a space ends it; and referrer and agent, which may hold anything. What follows them is the
//! store's again, and is found from the end of the line.

use model::{Timestamp, tags};

/// No line of a store is longer: an address has 2 KiB of a key, and as much of a query.
pub(super) const LONGEST: usize = 16 * 1024;
/// No object is larger: 5 TiB, and room.
const LARGEST: u64 = 1 << 46;

/// What a line says, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) bucket: String,
    pub(super) at: Timestamp,
    /// The store's own name of the request, once in a bucket.
    pub(super) request_id: String,
    /// Whether bytes of an object were sent.
    pub(super) is_read: bool,
    /// The object's key, decoded.
    pub(super) key: String,
    pub(super) bytes: u64,
    /// Whether the request was signed in its address, as those are that we hand out. None: the line is too short to say.
    pub(super) is_presigned: Option<bool>,
    /// The marks of the address.
    pub(super) query: Option<String>,
    pub(super) recipient: Option<String>,
}

/// None: it is no such line.
pub(super) fn parse(line: &str) -> Option<Entry> {
    let line = line.trim_end_matches(['\r', '\n']);
    // In what a client says of itself there may be tabs, and anything beyond ASCII: that hides no read.
    let is_strange = |c: char| c.is_ascii_control() && c != '\t';
    if line.len() > LONGEST || line.contains(is_strange) {
        return None;
    }
    let mut rest = line;
    token(&mut rest)?;
    let bucket = token(&mut rest)?;
    let (time, after) = rest.strip_prefix('[')?.split_once("] ")?;
    rest = after;
    // Whose address, and whose key.
    token(&mut rest)?;
    token(&mut rest)?;
    let request_id = token(&mut rest)?;
    let operation = token(&mut rest)?;
    let key = token(&mut rest)?;
    let address = match rest.strip_prefix('"') {
        Some(quoted) => {
            let (address, after) = quoted.split_once("\" ")?;
            rest = after;
            address
        }
        None => token(&mut rest)?,
    };
    let status: u16 = match token(&mut rest)? {
        // The client went before there was one.
        "-" => 0,
        status => status.parse().ok()?,
    };
    token(&mut rest)?;
    let bytes = match token(&mut rest)? {
        "-" => 0,
        figure => figure.parse().ok()?,
    };
    if bucket.len() > 255
        || request_id.len() > 128
        || request_id.is_empty()
        || !request_id.bytes().all(|byte| byte.is_ascii_alphanumeric())
        || bytes > LARGEST
    {
        return None;
    }
    let (query, recipient) = marks(address)?;
    Some(Entry {
        bucket: bucket.to_owned(),
        at: instant(time)?,
        request_id: request_id.to_owned(),
        is_read: operation == "REST.GET.OBJECT" && matches!(status, 200 | 206),
        key: key_of(key, address)?,
        bytes,
        is_presigned: authentication(rest).map(|kind| kind == "QueryString"),
        query,
        recipient,
    })
}

/// Up to the next space.
fn token<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let text: &'a str = rest;
    let (token, after) = text.split_once(' ').unwrap_or((text, ""));
    *rest = after;
    (!token.is_empty()).then_some(token)
}

/// `06/Feb/2019:00:00:38 +0000`
fn instant(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (date, time) = text.strip_suffix(" +0000")?.split_once(':')?;
    let mut parts = date.split('/');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let month = MONTHS.iter().position(|known| *known == month)? + 1;
    Timestamp::parse(&format!("{year}-{month:02}-{day}T{time}Z")).ok()
}

/// The kind of authentication: the fifth field behind what clients say of themselves.
fn authentication(rest: &str) -> Option<&str> {
    let (_, own) = rest.rsplit_once("\" ")?;
    own.split(' ').nth(4)
}

/// What is asked for with `GET /bucket/key?query HTTP/1.1`: path and query.
fn target(address: &str) -> (&str, &str) {
    let target = address.split(' ').nth(1).unwrap_or("");
    target.split_once('?').unwrap_or((target, ""))
}

/// The object's key. Some stores encode it as the client has, some once more: the address says which it is.
fn key_of(field: &str, address: &str) -> Option<String> {
    let once = decoded(field)?;
    let asked = decoded(target(address).0)?;
    let is_asked = |key: &str| {
        asked
            .strip_suffix(key)
            .is_some_and(|before| before.ends_with('/'))
    };
    if is_asked(&once) {
        return Some(once);
    }
    Some(
        decoded(&once)
            .filter(|twice| is_asked(twice))
            .unwrap_or(once),
    )
}

/// Query and recipient of `GET /key?…&x-entrepot-query=… HTTP/1.1`. None: said twice, so that nobody knows which is meant.
fn marks(address: &str) -> Option<(Option<String>, Option<String>)> {
    let (_, query) = target(address);
    let mut found = (None, None);
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let place = match decoded(name)?.as_str() {
            tags::QUERY => &mut found.0,
            tags::RECIPIENT => &mut found.1,
            _ => continue,
        };
        if place.replace(decoded(value)?).is_some() {
            return None;
        }
    }
    Some(found)
}

/// Percent-decoded once. None: no text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let escaped = after
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (first, escaped) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUERY: &str = "01890000-0000-7000-8000-000000000000";

    fn line(address: &str, referrer: &str, kind: &str) -> String {
        format!(
            "79a59df900b949e5 lake [06/Feb/2019:00:00:38 +0000] 192.0.2.3 - 3E57427F3EXAMPLE REST.GET.OBJECT aftersales/t/a%2520b.parquet \
             \"{address}\" 206 - 113 7000 7 6 \"{referrer}\" \"S3Console/0.4\" - s9lzHYrFp76ZVxRcpX9+5cjAnEH2ROuNkd2BHfIa6UkFVdtjf5mKR3/eTPFvsiP/ \
             SigV4 ECDHE-RSA-AES128-GCM-SHA256 {kind} lake.s3.eu-central-1.amazonaws.com TLSV1.2 - -"
        )
    }

    fn marked(query: &str) -> String {
        format!("GET /lake/aftersales/t/a%2520b.parquet?X-Amz-Date=x&{query} HTTP/1.1")
    }

    #[test]
    fn a_line_is_read_as_the_store_writes_it() {
        let address = marked(&format!(
            "x-entrepot-query={QUERY}&x-entrepot-recipient=rnd%5Fweu"
        ));
        let entry = parse(&line(&address, "-", "QueryString")).unwrap();
        assert_eq!(
            entry,
            Entry {
                bucket: "lake".to_owned(),
                at: Timestamp::parse("2019-02-06T00:00:38Z").unwrap(),
                request_id: "3E57427F3EXAMPLE".to_owned(),
                is_read: true,
                key: "aftersales/t/a%20b.parquet".to_owned(),
                bytes: 113,
                is_presigned: Some(true),
                query: Some(QUERY.to_owned()),
                recipient: Some("rnd_weu".to_owned()),
            }
        );
        let plain = parse(&line(&marked("a=b"), "-", "AuthHeader")).unwrap();
        assert_eq!(
            (plain.is_presigned, plain.query, plain.recipient),
            (Some(false), None, None)
        );
        let put = line(&address, "-", "-").replace("REST.GET.OBJECT", "REST.PUT.OBJECT");
        assert!(!parse(&put).unwrap().is_read);
        let refused = line(&address, "-", "-").replace(" 206 ", " 403 ");
        assert!(!parse(&refused).unwrap().is_read);
        // Lines of old stores end earlier.
        let whole = line(&address, "-", "");
        let (old, _) = whole.split_once(" SigV4").unwrap();
        assert_eq!(parse(old).unwrap().is_presigned, None);
    }

    #[test]
    fn a_key_is_the_one_that_was_asked_for_however_often_it_is_encoded() {
        let line = |key: &str, address: &str| {
            let good = line(&format!("GET {address} HTTP/1.1"), "-", "QueryString");
            parse(&good.replace("aftersales/t/a%2520b.parquet", key))
                .unwrap()
                .key
        };
        for (key, address, expected) in [
            // The bucket in the path, and in the host's name.
            ("t%C3%A4/x%20y", "/lake/t%C3%A4/x%20y?a=b", "tä/x y"),
            ("t%25C3%25A4/x%2520y", "/lake/t%C3%A4/x%20y?a=b", "tä/x y"),
            ("t%25C3%25A4/x%2520y", "/t%C3%A4/x%20y", "tä/x y"),
            // As Delta names files of a partition.
            ("t/d=a%252520b", "/lake/t/d=a%2520b", "t/d=a%20b"),
            ("t/d=a%2520b", "/lake/t/d=a%2520b", "t/d=a%20b"),
            ("t/100%25", "/lake/t/100%25", "t/100%"),
            ("t/plain", "/elsewhere", "t/plain"),
        ] {
            assert_eq!(line(key, address), expected, "{key} {address}");
        }
    }

    /// Each as stores write them; so many bytes of an object were sent.
    #[test]
    fn what_was_sent_counts_to_the_byte() {
        let good = line(&marked("a=b"), "-", "QueryString");
        for (from, to, expected) in [
            (" 206 - 113 ", " 206 - 113 ", Some(113)),
            (" 206 - 113 ", " 200 - 7000 ", Some(7_000)),
            // Nothing was sent, or the client went away.
            (" 206 - 113 ", " 200 - - ", Some(0)),
            (" 206 - 113 ", " - - - ", None),
            (" 206 - 113 ", " 304 - - ", None),
            (" 206 - 113 ", " 403 AccessDenied 243 ", None),
            (" 206 - 113 ", " 416 InvalidRange 250 ", None),
            (" 206 - 113 ", " 503 SlowDown 300 ", None),
            ("REST.GET.OBJECT", "REST.HEAD.OBJECT", None),
            ("REST.GET.OBJECT", "REST.GET.BUCKET", None),
            (" 7 6 ", " - - ", Some(113)),
            (
                "192.0.2.3 -",
                "- arn:aws:sts::123456789012:assumed-role/reader/session",
                Some(113),
            ),
            (
                "S3Console/0.4",
                "Mozilla \"quoted\" (x; \"y\" 200 - 5)",
                Some(113),
            ),
            ("S3Console/0.4", "tab\there and \u{85}", Some(113)),
            ("S3Console/0.4", "", Some(113)),
            (
                "TLSV1.2 - -",
                "TLSv1.3 arn:aws:s3:eu-central-1:123456789012:accesspoint/x Yes",
                Some(113),
            ),
        ] {
            assert!(good.contains(from), "{from}");
            let entry = parse(&good.replacen(from, to, 1)).unwrap();
            let sent = entry.is_read.then_some(entry.bytes);
            assert_eq!(sent, expected, "{from} -> {to}");
            assert_eq!(entry.is_presigned, Some(true), "{from} -> {to}");
        }
    }

    /// What a client says of itself is not taken for what the store says of it.
    #[test]
    fn strangers_write_no_line() {
        let forged = "x\" \"y\" - host SigV4 cipher QueryString host TLSV1.2 - -";
        let entry = parse(&line(&marked("a=b"), forged, "AuthHeader")).unwrap();
        assert_eq!((entry.is_presigned, entry.bytes), (Some(false), 113));
        let twice = marked("x-entrepot-query=a&x-entrepot-query=b");
        assert_eq!(parse(&line(&twice, "-", "QueryString")), None);
        let good = line(&marked("a=b"), "-", "QueryString");
        for (from, to) in [
            (" 113 ", " -113 "),
            (" 113 ", " 99999999999999999999 "),
            (" 113 ", " 99999999999999999 "),
            ("06/Feb/2019", "31/Feb/2019"),
            ("+0000", "+0100"),
            ("3E57427F3EXAMPLE", "3E57/../x"),
            ("\"GET", "GET"),
            ("S3Console", "S3\u{0}Console"),
            ("%2520", "%ff"),
        ] {
            assert!(good.contains(from));
            assert_eq!(parse(&good.replace(from, to)), None, "{from} -> {to}");
        }
        for nothing in ["", " ", "\"", "a b c", "[", "x ".repeat(20_000).as_str()] {
            assert_eq!(parse(nothing), None);
        }
        // However it is cut.
        for end in 0..good.len() {
            let _ = parse(&good[..end]);
        }
    }
}
