//! Where to go after signing in. The path comes from the address bar, so it may come from an enemy: only a path of
//! this portal passes (control C-49: no open redirect).

/// Longest path that is followed, with its query: what somebody fills in over several pages travels there. A request's head has
/// room for it twice, for it names the page before, too.
pub const LONGEST: usize = 16 * 1_024;

/// The given text when it is an absolute path of this portal with an optional query, else `None`.
///
/// Deliberately narrower than RFC 3986: no empty or dot segments (plain or percent-encoded), no encoded slash or
/// backslash, no fragment, nothing outside printable ASCII. Whatever a browser would normalise is refused, so
/// there is nothing about which browser and server could disagree.
pub fn local_path(text: &str) -> Option<&str> {
    if text.len() > LONGEST {
        return None;
    }
    let (path, query) = text.split_once('?').unwrap_or((text, ""));
    let segments = path.strip_prefix('/')?;
    let last = segments.split('/').count() - 1;
    let sound = segments
        .split('/')
        .enumerate()
        .all(|(position, segment)| is_sound_segment(segment, position == last));
    (sound && query.bytes().all(is_query_byte)).then_some(text)
}

fn is_sound_segment(segment: &str, is_last: bool) -> bool {
    if segment.is_empty() {
        return is_last;
    }
    let lower = segment.to_ascii_lowercase();
    // `..;` is a dot segment with parameters to some servers.
    let bare = lower.replace("%2e", ".");
    let bare = bare.split(';').next().unwrap_or_default();
    !matches!(bare, "" | "." | "..")
        && !["%2f", "%5c", "%25", "%00"]
            .iter()
            .any(|code| lower.contains(code))
        && segment.bytes().all(is_path_byte)
}

const fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.' | b'_' | b'~' | b'%' | b'!' | b'$' | b'&' | b'\''
        )
        || matches!(
            byte,
            b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@'
        )
}

const fn is_query_byte(byte: u8) -> bool {
    is_path_byte(byte) || matches!(byte, b'/' | b'?')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_paths_of_the_portal() {
        for good in [
            "/",
            "/sign-in",
            "/products/vehicle-workshop-visits",
            "/products/",
            "/requests?state=open&team=rnd",
            "/p?next=/a/b",
            "/with%20space",
            "/a/.well-known",
        ] {
            assert_eq!(local_path(good), Some(good), "{good}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for bad in [
            "",
            "sign-in",
            "//evil",
            "///evil",
            "/\\evil",
            "\\\\evil",
            "/a/../\\evil",
            "/a/../b",
            "/./a",
            "/%2e%2e/a",
            "/.%2E/a",
            "/%2f%2fevil",
            "/a%5cevil",
            "/%252f%252fevil",
            "/a//b",
            "https:evil",
            "https://evil",
            "javascript:alert(1)",
            "..;/",
            "/..;/a",
            "/;//evil",
            "/a#b",
            "/a b",
            "/a\nb",
            "/\t/evil",
            " /a",
            "/ä",
            "/a?b\r\nSet-Cookie: c",
            "/%00",
            "@evil",
        ] {
            assert_eq!(local_path(bad), None, "{bad:?}");
        }
        assert_eq!(local_path(&format!("/{}", "a".repeat(LONGEST))), None);
    }
}
