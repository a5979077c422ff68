//! What is to be forgotten, and how it was.

use serde::{Deserialize, Serialize};

use crate::{ErasureId, ErasureState, Location, Name, ProductName, Timestamp};

/// Somebody's word that rows are gone from the source: then they are to be gone from every replica, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    pub id: ErasureId,
    pub product: ProductName,
    /// `schema.name` of the one table that it is about; None: all of the product's.
    pub table: Option<String>,
    /// The source's version that the rows are gone since; None: see `since`.
    pub since_version: Option<u64>,
    pub since: Timestamp,
    /// Whether the objects go at once, and not when the retention is over.
    pub at_once: bool,
    pub reason: String,
    pub state: ErasureState,
    pub requested_at: Timestamp,
    /// When the certificate was issued.
    pub issued_at: Option<Timestamp>,
    /// The end of the certificate's chain of hashes, which the audit log keeps, too.
    pub head: Option<String>,
    /// Whether chain and signature of the certificate, as it is kept, are in order; None before there is one.
    pub is_sound: Option<bool>,
    /// Of the key that signed the certificate; told where one erasure is asked for.
    #[serde(default)]
    pub public_key: Option<String>,
    pub parts: Vec<ErasurePart>,
}

/// What it came to on one table of one replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasurePart {
    pub storage: Name,
    pub location: Location,
    /// The cut that the replica is of; None for the whole product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Name>,
    pub schema: Name,
    pub table: Name,
    pub state: ErasureState,
    /// What it waits for, or why it cannot be proven.
    pub reason: Option<String>,
    /// Objects that the certificate names.
    pub objects: u64,
    pub updated_at: Timestamp,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErasureNew {
    pub product: String,
    /// `schema.name`; absent: all tables of the product.
    #[serde(default)]
    pub table: Option<String>,
    /// The source's version without the rows; takes `table`.
    #[serde(default)]
    pub since_version: Option<u64>,
    /// A day, which counts to its end, or an instant since which they are gone; now where neither is said.
    #[serde(default)]
    pub since: Option<String>,
    /// Do not wait for the retention: who reads an older version of the replica gets an error.
    #[serde(default)]
    pub at_once: bool,
    pub reason: String,
}

/// The certificate, as text that is to be kept as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureCertificate {
    /// A JSON document.
    pub certificate: String,
}

/// What certificates of this installation are checked with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasureKey {
    /// As certificates say it: the first 16 digits of the SHA-256 of the public key's digits.
    pub id: String,
    /// `Ed25519`.
    pub algorithm: String,
    /// In hexadecimal digits.
    pub public_key: String,
    /// Keys that were replaced, newest first.
    #[serde(default)]
    pub retired: Vec<RetiredKey>,
}

/// A key that was replaced. What it signed before is checked with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetiredKey {
    pub id: String,
    pub public_key: String,
    pub retired_at: Timestamp,
}
