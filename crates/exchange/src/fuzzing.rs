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
    let kinds: Vec<TokenKind> = [
        TokenKind::Recipient,
        TokenKind::Service,
        TokenKind::Activation,
    ]
    .into_iter()
    .filter(|kind| is_well_formed(*kind, text))
    .collect();
    assert!(kinds.len() <= 1, "it passes for several kinds");
    let Some(kind) = kinds.first().copied() else {
        return;
    };
    assert!(text.starts_with("entrepot_") && text.is_ascii());
    // The checksum tells every change of one character, and what is cut off or put behind.
    let other = |found: u8| if found == b'x' { b'y' } else { b'x' };
    for at in 0..text.len() {
        let mut bytes = text.as_bytes().to_vec();
        bytes[at] = other(bytes[at]);
        let changed = String::from_utf8_lossy(&bytes);
        assert!(!is_well_formed(kind, &changed), "changed at {at}");
        assert!(!is_well_formed(kind, &text[..at]), "cut off at {at}");
    }
    assert!(!is_well_formed(kind, &format!("{text}x")));
}

#[cfg(test)]
mod tests {
    use super::mutations::run;

    #[test]
    fn profile_token() {
        run("profile_token", 5_000, super::profile_token);
    }
}
