//! What file and environment say, as they say it.

use std::path::PathBuf;

use serde::Deserialize;

use super::{CopyEngine, oidc, post, scanning};

/// What stands in the file and the environment, before it is checked.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) server: RawServer,
    pub(super) database: RawDatabase,
    pub(super) location: RawLocation,
    pub(super) storage: RawStorage,
    pub(super) keys: RawKeys,
    pub(super) telemetry: RawTelemetry,
    pub(super) session: RawSession,
    pub(super) sharing: RawSharing,
    pub(super) worker: RawWorker,
    pub(super) mail: post::RawMail,
    pub(super) webhook: post::RawWebhook,
    pub(super) oidc: oidc::Raw,
    pub(super) scanning: scanning::RawScanning,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawServer {
    pub(super) addr: Option<String>,
    pub(super) public_url: Option<String>,
    pub(super) allow_http: bool,
    pub(super) site: Option<PathBuf>,
    pub(super) metrics_addr: Option<String>,
    pub(super) trusted_proxies: Vec<String>,
    pub(super) requests_per_second: Option<u32>,
    pub(super) connections: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawDatabase {
    pub(super) url: Option<String>,
    pub(super) connections: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawLocation {
    pub(super) cloud: Option<String>,
    pub(super) region: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawStorage {
    pub(super) file_roots: Vec<PathBuf>,
    pub(super) endpoints: Vec<String>,
    pub(super) parallel_requests: Option<usize>,
    pub(super) table_files: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawKeys {
    pub(super) file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawTelemetry {
    pub(super) format: Option<String>,
    pub(super) filter: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawSession {
    pub(super) idle_hours: Option<u32>,
    pub(super) lifetime_hours: Option<u32>,
    pub(super) sign_ins_per_minute: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawSharing {
    pub(super) token_days: Option<u32>,
    pub(super) url_minutes: Option<u32>,
    pub(super) log_days: Option<u32>,
    pub(super) requests_per_second: Option<u32>,
    pub(super) cache_mib: Option<u32>,
    pub(super) issuers: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawWorker {
    pub(super) parallel: Option<usize>,
    pub(super) poll_millis: Option<u64>,
    pub(super) engine: Option<CopyEngine>,
    pub(super) refresh_minutes: Option<u32>,
    pub(super) runs_per_store: Option<u32>,
    pub(super) elsewhere: bool,
}
