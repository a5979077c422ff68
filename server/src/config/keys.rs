//! The keys that the configuration has, and that there is no other.

use super::{ConfigError, nearest, oidc, scanning};

/// Every key there is, by section; a key that is not here is refused with the nearest one that is.
pub(super) const KEYS: &[(&str, &[&str])] = &[
    (
        "server",
        &[
            "addr",
            "public_url",
            "allow_http",
            "site",
            "metrics_addr",
            "trusted_proxies",
            "requests_per_second",
            "connections",
        ],
    ),
    ("database", &["url", "connections"]),
    ("location", &["cloud", "region"]),
    (
        "storage",
        &[
            "file_roots",
            "endpoints",
            "parallel_requests",
            "table_files",
        ],
    ),
    ("keys", &["file"]),
    ("telemetry", &["format", "filter"]),
    (
        "session",
        &["idle_hours", "lifetime_hours", "sign_ins_per_minute"],
    ),
    (
        "sharing",
        &[
            "token_days",
            "url_minutes",
            "log_days",
            "requests_per_second",
            "cache_mib",
            "issuers",
        ],
    ),
    (
        "worker",
        &[
            "parallel",
            "poll_millis",
            "engine",
            "refresh_minutes",
            "runs_per_store",
            "elsewhere",
        ],
    ),
    (
        "mail",
        &[
            "server",
            "port",
            "tls",
            "allow_plain",
            "ca_file",
            "user",
            "password",
            "password_file",
            "from",
            "reply_to",
        ],
    ),
    (
        "webhook",
        &["url", "secret", "secret_file", "allow_private"],
    ),
    ("oidc", oidc::KEYS),
    ("scanning", scanning::KEYS),
];

/// Keys that hold lists: in the environment their items are separated by commas.
pub(super) const LISTS: [&str; 5] = [
    "server.trusted_proxies",
    "storage.file_roots",
    "storage.endpoints",
    "sharing.issuers",
    "oidc.scopes",
];

/// Refuses what is in no section, and names what was probably meant.
pub(super) fn check_keys(values: &serde_json::Value) -> Result<(), ConfigError> {
    let all: Vec<String> = KEYS
        .iter()
        .flat_map(|(section, keys)| keys.iter().map(move |key| format!("{section}.{key}")))
        .collect();
    let unknown = |key: String| ConfigError::UnknownKey {
        nearest: nearest::of(&key, all.iter().map(String::as_str)),
        key,
    };
    let serde_json::Value::Object(sections) = values else {
        return Ok(());
    };
    for (section, values) in sections {
        let known = KEYS.iter().find(|(name, _)| name == section);
        match (known, values) {
            (Some((_, keys)), serde_json::Value::Object(values)) => {
                if let Some(key) = values.keys().find(|key| !keys.contains(&key.as_str())) {
                    return Err(unknown(format!("{section}.{key}")));
                }
            }
            (None, serde_json::Value::Object(values)) => {
                let key = values.keys().next().map_or("", String::as_str);
                return Err(unknown(format!("{section}.{key}")));
            }
            _ => return Err(unknown(section.clone())),
        }
    }
    Ok(())
}
