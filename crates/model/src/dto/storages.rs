//! Storages: places for tables.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Alike;
use crate::{Cloud, Name};

/// A storage. What lies behind the name is for producers and admins: to others `url`, `endpoint` and `credential` are
/// absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    pub name: Name,
    pub cloud: Cloud,
    pub region: String,
    /// Whether replicas may be made here.
    pub replicas: bool,
    /// Whether this is a folder that stands in for a cloud.
    pub simulated: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// `env:NAME` or `sealed ****`; for admins and auditors only, and never the secret itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    pub revision: i64,
}

/// A credential as it comes in: `"env:ENTREPOT_CREDENTIAL_…"`, or the secret as a JSON object or as text that holds one.
/// It prints as asterisks.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CredentialNew(pub serde_json::Value);

impl fmt::Debug for CredentialNew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

impl From<&str> for CredentialNew {
    fn from(text: &str) -> Self {
        Self(serde_json::Value::String(text.to_owned()))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageNew {
    pub name: String,
    pub cloud: String,
    pub region: String,
    /// `s3://bucket/prefix`, `abfss://container@account.dfs.core.windows.net/prefix`, `gs://bucket/prefix`,
    /// `file:///folder`; `share://host/path` for what a Delta Sharing server shares, with its profile as the credential.
    pub url: String,
    /// For stores that are not at their cloud's own address; must be on the configured allow-list.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Absent for `file:` only.
    #[serde(default)]
    pub credential: Option<CredentialNew>,
    #[serde(default)]
    pub replicas: bool,
}

/// What is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageChange {
    /// Place and address move only while no table and no replica is here.
    #[serde(default)]
    pub cloud: Option<String>,
    #[serde(default)]
    pub region: Option<String>,
    #[serde(default)]
    pub url: Option<String>,
    /// Empty: none.
    #[serde(default)]
    pub endpoint: Option<String>,
    #[serde(default)]
    pub credential: Option<CredentialNew>,
    #[serde(default)]
    pub replicas: Option<bool>,
    /// The revision that was looked at; 409 when it has moved on.
    #[serde(default)]
    pub revision: Option<i64>,
}

/// What `doctor` shall try.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageDoctor {
    /// Whether to write a probe and delete it again; when absent: where replicas may be made.
    #[serde(default)]
    pub write: Option<bool>,
}

/// One thing that `doctor` tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageCheck {
    pub name: String,
    pub outcome: CheckOutcome,
    pub sentence: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    Ok,
    Warned,
    Failed,
    Skipped,
}

/// What `doctor` found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageReport {
    pub checks: Vec<StorageCheck>,
    /// The least policy that would do, as text to paste into the cloud's console.
    pub least_policy: String,
}

impl StorageReport {
    pub fn is_healthy(&self) -> bool {
        self.checks
            .iter()
            .all(|check| check.outcome != CheckOutcome::Failed)
    }
}

/// What to look for with `scan`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageScan {
    /// A folder of the storage; empty for all of it.
    #[serde(default)]
    pub prefix: String,
    /// The team that will own the products; may be left out by a producer of one team only.
    #[serde(default)]
    pub team: Option<String>,
}

/// What a scan found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanReport {
    /// The `products:` of an `entrepot.yml`, ready to be read through, edited and deployed. What cannot be taken stands
    /// in it as a comment.
    pub yaml: String,
    pub tables: Vec<ScannedTable>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScannedTable {
    pub path: String,
    /// The product in the declaration that takes it; None where `problem` says why not.
    pub product: Option<String>,
    pub rows: Option<u64>,
    pub bytes: Option<u64>,
    /// Why it would be shown but neither shared nor cloned.
    pub refused_for: Option<String>,
    /// Why it would not be cloned, whether it is shared or not.
    #[serde(default)]
    pub clone_refused_for: Option<String>,
    pub problem: Option<String>,
    /// The same table, or a copy of it, in products that are there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alike: Vec<Alike>,
}
