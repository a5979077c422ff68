//! How a declaration is written: its sections and what stands in each, in canonical order.

use std::collections::BTreeMap;

use model::dto::Federation;
use serde::Serialize;

pub(super) type Section<T> = BTreeMap<String, T>;

#[derive(Default, Serialize)]
pub(super) struct File {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exchange: Option<BTreeMap<&'static str, String>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) domains: Section<DomainOut>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) teams: Section<TeamOut>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) storages: Section<StorageOut>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) products: Section<ProductOut>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) recipients: Section<RecipientOut>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) grants: Section<GrantOut>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) sync_jobs: Section<JobOut>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) rates: Vec<RateOut>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) service_rates: Vec<ServiceRateOut>,
}

#[derive(Serialize)]
pub(super) struct DomainOut {
    pub(super) title: String,
    pub(super) description: String,
}

#[derive(Serialize)]
pub(super) struct TeamOut {
    pub(super) domain: String,
    pub(super) title: String,
    pub(super) cost_center: String,
    pub(super) contact: String,
}

#[derive(Serialize)]
pub(super) struct StorageOut {
    pub(super) cloud: String,
    pub(super) region: String,
    pub(super) url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) credential: Option<String>,
    pub(super) replicas: bool,
}

#[derive(Serialize)]
pub(super) struct ProductOut {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) tags: Vec<String>,
    pub(super) team: String,
    pub(super) storage: String,
    pub(super) classification: String,
    pub(super) access: AccessOut,
    pub(super) payer: String,
    pub(super) baseline_days: i64,
    pub(super) state: String,
    pub(super) tables: Vec<TableOut>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) cuts: Section<CutOut>,
}

#[derive(Serialize)]
pub(super) struct CutOut {
    pub(super) description: String,
    /// By `schema.name`.
    pub(super) tables: Section<CutTableOut>,
}

#[derive(Default, Serialize)]
pub(super) struct CutTableOut {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) drop: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) pseudonymise: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rows: Option<String>,
}

#[derive(Serialize)]
pub(super) struct AccessOut {
    pub(super) policy: String,
}

#[derive(Serialize)]
pub(super) struct TableOut {
    pub(super) name: String,
    pub(super) schema: String,
    pub(super) path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) storage: Option<String>,
    pub(super) format: String,
    pub(super) history: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) history_start: Option<u64>,
    pub(super) change_data_feed: bool,
}

#[derive(Serialize)]
pub(super) struct RecipientOut {
    pub(super) team: String,
    pub(super) cloud: String,
    pub(super) region: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) addresses: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) requests_per_minute: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) federation: Option<FederationsOut>,
}

/// One stands by itself, as most do.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum FederationsOut {
    One(FederationOut),
    Several(Vec<FederationOut>),
}

impl FederationsOut {
    pub(super) fn of(all: &[Federation]) -> Option<Self> {
        let mut out: Vec<FederationOut> = all.iter().map(FederationOut::of).collect();
        match out.len() {
            0 => None,
            1 => out.pop().map(Self::One),
            _ => Some(Self::Several(out)),
        }
    }
}

#[derive(Serialize)]
pub(super) struct FederationOut {
    pub(super) issuer: String,
    pub(super) audience: String,
    pub(super) claim: String,
    pub(super) subject: String,
}

impl FederationOut {
    fn of(there: &Federation) -> Self {
        Self {
            issuer: there.issuer.clone(),
            audience: there.audience.clone(),
            claim: there.claim.clone(),
            subject: there.subject.clone(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct GrantOut {
    pub(super) product: String,
    pub(super) recipient: String,
    pub(super) mode: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cut: Option<String>,
    pub(super) until: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) live_bytes_per_day: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rows: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) directory: bool,
    pub(super) purpose: PurposeOut,
}

#[derive(Serialize)]
pub(super) struct PurposeOut {
    pub(super) code: String,
    pub(super) text: String,
}

#[derive(Serialize)]
pub(super) struct JobOut {
    pub(super) product: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cut: Option<String>,
    pub(super) to: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) every: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cron: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) on_new_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fresh_within: Option<String>,
    pub(super) timezone: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) verify_objects: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) verify_rows: Option<String>,
    pub(super) retention_hours: i64,
    pub(super) keep_hours: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) forget_hours: Option<i64>,
    pub(super) fetches: String,
    pub(super) commits: String,
    pub(super) paused: bool,
}

#[derive(Serialize)]
pub(super) struct RateOut {
    pub(super) from: String,
    pub(super) to: String,
    pub(super) price: String,
    pub(super) unit: String,
    pub(super) currency: String,
    pub(super) valid_from: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) valid_until: Option<String>,
    pub(super) source: String,
}

#[derive(Serialize)]
pub(super) struct ServiceRateOut {
    pub(super) kind: String,
    pub(super) price: String,
    pub(super) currency: String,
    pub(super) valid_from: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) valid_until: Option<String>,
    pub(super) source: String,
}
