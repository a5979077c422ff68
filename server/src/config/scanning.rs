//! `[scanning]`: who may report tokens that were found where they should not be, and how they show that it is them. Absent: nobody may.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

use super::post::{Hidden, secret};
use super::{ConfigError, wrong};

pub(super) const KEYS: &[&str] = &["proof", "secret", "secret_file"];

/// The shortest secret; bytes.
const SHORTEST: usize = 24;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawScanning {
    proof: Option<String>,
    pub(super) secret: Option<Hidden>,
    secret_file: Option<PathBuf>,
}

/// How a scanner shows that it is the one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It sends the secret along.
    Bearer,
    /// It signs what it sends with the secret (Standard Webhooks).
    Signature,
}

#[derive(Clone)]
pub struct ScanningSettings {
    pub proof: Proof,
    pub key: Vec<u8>,
}

impl fmt::Debug for ScanningSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScanningSettings")
            .field("proof", &self.proof)
            .finish_non_exhaustive()
    }
}

pub(super) fn scanning(raw: RawScanning) -> Result<Option<ScanningSettings>, ConfigError> {
    let found = secret(
        ("scanning.secret", raw.secret),
        ("scanning.secret_file", raw.secret_file.as_deref()),
    )?;
    let Some(found) = found else {
        return match raw.proof {
            None => Ok(None),
            Some(_) => Err(wrong(
                "scanning.secret",
                "say what the scanner shows: a secret in scanning.secret_file or ENTREPOT__SCANNING__SECRET",
            )),
        };
    };
    let proof = match raw.proof.as_deref() {
        None | Some("bearer") => Proof::Bearer,
        Some("signature") => Proof::Signature,
        Some(_) => return Err(wrong("scanning.proof", "bearer or signature")),
    };
    if found.len() < SHORTEST {
        return Err(wrong(
            "scanning.secret",
            format!("at least {SHORTEST} bytes; make one with: openssl rand -hex 32"),
        ));
    }
    Ok(Some(ScanningSettings {
        proof,
        key: found.into_bytes(),
    }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;
    use super::*;

    #[test]
    fn a_scanner_shows_a_secret() {
        assert!(load("", &[]).unwrap().scanning.is_none());
        let file = "[scanning]\nsecret = \"0123456789abcdef01234567\"\n";
        let found = load(file, &[]).unwrap().scanning.unwrap();
        assert_eq!(found.proof, Proof::Bearer);
        assert_eq!(found.key, b"0123456789abcdef01234567");
        assert!(!format!("{found:?}").contains("abcdef"));
        let signed = format!("{file}proof = \"signature\"\n");
        let found = load(
            &signed,
            &[("ENTREPOT__SCANNING__SECRET", "987654321098765432109876")],
        );
        let found = found.unwrap().scanning.unwrap();
        assert_eq!(found.proof, Proof::Signature);
        assert_eq!(found.key, b"987654321098765432109876", "no number");
        for (file, expected) in [
            ("[scanning]\nproof = \"bearer\"\n", "scanning.secret: say"),
            (
                "[scanning]\nsecret = \"short\"\n",
                "scanning.secret: at least",
            ),
            (
                "[scanning]\nsecret = \"0123456789abcdef01234567\"\nproof = \"none\"\n",
                "scanning.proof: bearer or signature",
            ),
        ] {
            let error = load(file, &[]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn issuers_are_named_as_they_write_themselves() {
        assert!(load("", &[]).unwrap().sharing.issuers.is_empty());
        let file = "[sharing]\nissuers = [\"https://id.example/tenant\", \"http://127.0.0.1:9\"]\n";
        let found = load(file, &[]).unwrap().sharing.issuers;
        assert_eq!(found, ["https://id.example/tenant", "http://127.0.0.1:9"]);
        for issuer in ["http://id.example", "id.example", "https://id.example/?a=b"] {
            let file = format!("[sharing]\nissuers = [\"{issuer}\"]\n");
            let error = load(&file, &[]).unwrap_err().to_string();
            assert!(error.starts_with("sharing.issuers:"), "{error}");
        }
    }
}
