//! Tokens and passwords. A token is shown once and kept as SHA-256 only; it is long and random, so a slow hash would add
//! nothing. Passwords are hashed with argon2id.
//!
//! A token is `entrepot_rt_` (recipient), `entrepot_st_` (service) or `entrepot_al_` (a link that gives a profile), 32 base62 digits (190 bits), and six base62 digits of
//! the CRC-32 of what stands before them, so that a mistyped or foreign token is refused without asking the database and
//! scanners can tell a real one.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use sha2::{Digest, Sha256};

use crate::error::Error;

/// What a token is for; none passes for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A recipient's, for the sharing protocol.
    Recipient,
    /// A person's or a team's, for the REST interface.
    Service,
    /// Of a link that gives a recipient's profile once.
    Activation,
}

impl TokenKind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Recipient => "entrepot_rt_",
            Self::Service => "entrepot_st_",
            Self::Activation => "entrepot_al_",
        }
    }
}

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM: usize = 32;
const CHECKSUM: usize = 6;

/// A new token in plain text: show it once, keep [`hash`] of it.
pub fn new_token(kind: TokenKind) -> Result<String, Error> {
    let mut token = kind.prefix().to_owned();
    token.push_str(&random_text(RANDOM)?);
    let checksum = checksum(&token);
    token.push_str(&checksum);
    Ok(token)
}

/// `length` random base62 digits.
pub fn random_text(length: usize) -> Result<String, Error> {
    let mut text = String::with_capacity(length);
    let mut bytes = [0_u8; 64];
    while text.len() < length {
        getrandom::fill(&mut bytes).map_err(|error| Error::internal(error.to_string()))?;
        for byte in bytes {
            // 248 is the largest multiple of 62 below 256: what lies above would favour the first digits.
            if byte < 248 && text.len() < length {
                text.push(char::from(ALPHABET[usize::from(byte % 62)]));
            }
        }
    }
    Ok(text)
}

/// Whether this could be a token of that kind; asks no database.
pub fn is_well_formed(kind: TokenKind, token: &str) -> bool {
    let length = kind.prefix().len() + RANDOM + CHECKSUM;
    token.is_ascii()
        && token.len() == length
        && token.starts_with(kind.prefix())
        && token
            .bytes()
            .skip(kind.prefix().len())
            .all(|b| b.is_ascii_alphanumeric())
        && checksum(&token[..length - CHECKSUM]) == token[length - CHECKSUM..]
}

fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[usize::try_from(rest % 62).unwrap_or(0)];
        rest /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

/// What is kept of a token or a session's id.
pub fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The last four characters, to tell tokens apart in lists.
pub fn hint(token: &str) -> String {
    token
        .chars()
        .rev()
        .take(4)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect()
}

/// Hashes a password with argon2id; slow by intent, so never on an async thread.
pub fn hash_password(password: &str) -> Result<String, Error> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| Error::internal(error.to_string()))
}

/// Whether the password fits; with no hash at all it takes as long and says no.
pub fn verify_password(password: &str, stored: Option<&str>) -> bool {
    // The hash of a password nobody has: whether an account exists must not show in the time an answer takes.
    const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LW5vYm9keQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let Ok(parsed) = PasswordHash::new(stored.unwrap_or(NOBODY)) else {
        return false;
    };
    let fits = Argon2::default()
        .verify_password(password.as_bytes(), &parsed)
        .is_ok();
    // The same whoever was meant, and whatever came out.
    tracing::trace!("a password was hashed and compared");
    fits && stored.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_carry_kind_and_checksum() {
        let token = new_token(TokenKind::Recipient).unwrap();
        assert!(is_well_formed(TokenKind::Recipient, &token));
        assert!(!is_well_formed(TokenKind::Service, &token));
        assert!(!is_well_formed(TokenKind::Activation, &token));
        for at in 0..token.len() {
            let mut broken = token.clone().into_bytes();
            broken[at] = if broken[at] == b'x' { b'y' } else { b'x' };
            assert!(
                !is_well_formed(TokenKind::Recipient, &String::from_utf8(broken).unwrap()),
                "at {at}"
            );
        }
        for text in [
            "",
            "entrepot_rt_",
            "entrepot_rt_ä",
            &token[1..],
            &format!("{token}0"),
        ] {
            assert!(!is_well_formed(TokenKind::Recipient, text), "{text}");
        }
    }

    #[test]
    fn tokens_do_not_repeat() {
        let tokens: std::collections::HashSet<String> = (0..10_000)
            .map(|_| new_token(TokenKind::Service).unwrap())
            .collect();
        assert_eq!(tokens.len(), 10_000);
    }

    #[test]
    fn passwords() {
        let stored = hash_password("correct horse").unwrap();
        assert!(stored.starts_with("$argon2id$"));
        assert!(verify_password("correct horse", Some(&stored)));
        assert!(!verify_password("wrong horse", Some(&stored)));
        assert!(!verify_password("correct horse", None));
        assert!(!verify_password("correct horse", Some("nonsense")));
    }
}
