//! What fuzzing calls: bytes that nobody has looked at, for what reads tokens. Panics where something that must hold does not. Only
//! built for tests and with the feature `fuzzing`; no part of what this crate offers. See docs/FUZZING.md.

use crate::secret::{TokenKind, hash, hint, is_well_formed};

#[cfg(test)]
#[path = "../../../fuzz/mutations.rs"]
mod mutations;

/// The token of a profile, as somebody sends it.
pub fn profile_token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    // Of any text: it is asked before a token is known to be one.
    assert!(hint(text).chars().count() <= 4);
    let _ = hash(text);
    let recipient = is_well_formed(TokenKind::Recipient, text);
    let service = is_well_formed(TokenKind::Service, text);
    assert!(!(recipient && service), "it passes for two kinds");
    if !recipient {
        return;
    }
    assert!(text.starts_with("entrepot_rt_") && text.is_ascii());
    // The checksum tells every change of one character, and what is cut off or put behind.
    let other = |found: u8| if found == b'x' { b'y' } else { b'x' };
    for at in 0..text.len() {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] = other(bytes[at]);
        let changed = String::from_utf8_lossy(&bytes);
        assert!(!is_well_formed(TokenKind::Recipient, &changed), "{at}");
        assert!(!is_well_formed(TokenKind::Recipient, &text[..at]), "{at}");
    }
    assert!(!is_well_formed(TokenKind::Recipient, &format!("{text}x")));
}

#[cfg(test)]
mod tests {
    use super::mutations::run;

    #[test]
    fn profile_token() {
        run("profile_token", 5_000, super::profile_token);
    }
}
