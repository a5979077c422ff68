//! Where a redirect may lead: a path of this site and nothing else (C-49).

const LONGEST: usize = 1_024;

/// The given text when it is an absolute path of this site, perhaps with a query; else None.
///
/// Narrower than RFC 3986: no empty or dot segments, no backslash, no percent-encoded slash, dot or control character, no
/// fragment, nothing outside printable ASCII. What a browser would normalise is refused, so there is nothing about which
/// browser and server could disagree.
pub fn local_path(text: &str) -> Option<&str> {
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let (last, before) = segments.split_last()?;
    let fits = text.len() <= LONGEST
        && before.iter().all(|segment| is_sound(segment))
        && (last.is_empty() || is_sound(last))
        && query.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'\\' | b'#' | b'<' | b'>' | b'"'));
    fits.then_some(text)
}

fn is_sound(segment: &str) -> bool {
    let lower = segment.to_ascii_lowercase();
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+,=:@".contains(&b);
    !segment.is_empty()
        && segment.bytes().all(is_plain)
        && segment != "."
        && segment != ".."
        && !["%2f", "%5c", "%2e", "%25", "%0", "%1"].iter().any(|code| lower.contains(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_this_site_only() {
        for good in ["/", "/a", "/a/", "/products/vehicle-visits?tab=tables&next=/x", "/a%20b", "/.well-known/x"] {
            assert_eq!(local_path(good), Some(good), "{good}");
        }
        for bad in [
            "", "a", "//evil", "///evil", "/\\evil", "\\evil", "/a/../\\evil", "/a/../b", "/./a", "/%2e%2e/a",
            "/%2f%2fevil", "/a%5cb", "/%252f", "/a//b", "https:evil", "https://evil", "javascript:alert(1)",
            "..;/", "/..;/a", "/a#b", "/a b", "/a\nb", "/\t/evil", " /a", "/ä", "/a?b\r\nSet-Cookie: c", "/%00",
            "/%0d%0a", "@evil",
        ] {
            assert_eq!(local_path(bad), None, "{bad:?}");
        }
        assert_eq!(local_path(&format!("/{}", "a".repeat(LONGEST))), None);
    }
}
