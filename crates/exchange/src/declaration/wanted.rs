//! What a declaration wants, parsed: each name is a name, each instant an instant, each reference leads somewhere or to
//! what is live. What is None stays as it is.

use std::collections::BTreeMap;

use model::dto::{CutTableNew, FederationNew};
use model::{
    AccessPolicy, Addresses, Classification, Commits, Currency, Fetches, Location, Mode, Name,
    Nano, Payer, ProductName, Timestamp, Unit,
};

/// A section. None: the file does not have it, and references lead to what is live.
pub(super) type Named<N, T> = Option<BTreeMap<N, T>>;

#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) exchange: Option<Name>,
    pub(super) domains: Named<Name, WantedDomain>,
    pub(super) teams: Named<Name, WantedTeam>,
    pub(super) storages: Named<Name, WantedStorage>,
    pub(super) products: Named<ProductName, WantedProduct>,
    pub(super) recipients: Named<Name, WantedRecipient>,
    pub(super) grants: Named<Name, WantedGrant>,
    pub(super) sync_jobs: Named<Name, WantedJob>,
    /// By place and by begin.
    pub(super) rates: Vec<WantedRate>,
    pub(super) service_rates: Vec<WantedServiceRate>,
}

#[derive(Clone, Debug)]
pub(super) struct WantedDomain {
    pub(super) title: String,
    pub(super) description: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct WantedTeam {
    pub(super) domain: Name,
    pub(super) title: String,
    pub(super) cost_center: Option<String>,
    pub(super) contact: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct WantedStorage {
    pub(super) location: Location,
    pub(super) url: String,
    pub(super) endpoint: Option<String>,
    pub(super) credential: Option<WantedCredential>,
    pub(super) replicas: Option<bool>,
}

/// A declaration holds no secrets: it names where one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WantedCredential {
    /// `env:ENTREPOT_CREDENTIAL_…`
    Environment(String),
    /// The one that is sealed in the exchange already.
    Sealed,
}

#[derive(Clone, Debug)]
pub(super) struct WantedProduct {
    pub(super) title: String,
    pub(super) description: Option<String>,
    /// Folded and sorted.
    pub(super) tags: Option<Vec<String>>,
    pub(super) team: Name,
    pub(super) storage: Name,
    pub(super) classification: Classification,
    pub(super) access_policy: Option<AccessPolicy>,
    pub(super) payer: Option<Payer>,
    pub(super) baseline_days: Option<u32>,
    /// False: `state: draft`.
    pub(super) published: bool,
    /// By schema and name.
    pub(super) tables: BTreeMap<(Name, Name), WantedTable>,
    /// None: not said, and left as they are.
    pub(super) cuts: Named<Name, WantedCut>,
}

#[derive(Clone, Debug)]
pub(super) struct WantedCut {
    pub(super) description: Option<String>,
    pub(super) tables: Vec<CutTableNew>,
}

#[derive(Clone, Debug)]
pub(super) struct WantedTable {
    pub(super) path: String,
    /// The product's when None.
    pub(super) storage: Option<Name>,
    pub(super) format: String,
    pub(super) history: Option<bool>,
    pub(super) history_start: Option<u64>,
    pub(super) change_data_feed: Option<bool>,
}

#[derive(Clone, Debug)]
pub(super) struct WantedRecipient {
    pub(super) team: Name,
    pub(super) location: Location,
    pub(super) addresses: Option<Addresses>,
    pub(super) requests_per_minute: Option<u32>,
    pub(super) federation: Option<Vec<FederationNew>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WantedGrant {
    pub(super) product: ProductName,
    pub(super) recipient: Name,
    pub(super) mode: Mode,
    /// None: the whole product.
    pub(super) cut: Option<Name>,
    pub(super) until: Timestamp,
    pub(super) purpose_code: Name,
    pub(super) purpose_text: String,
    /// None: not said, and left as it is.
    pub(super) live_bytes_per_day: Option<u64>,
    /// The same; empty for every row.
    pub(super) rows: Option<String>,
    pub(super) directory: Option<bool>,
}

#[derive(Clone, Debug)]
pub(super) struct WantedJob {
    pub(super) product: ProductName,
    /// None: of the whole product.
    pub(super) cut: Option<Name>,
    pub(super) to: Name,
    /// None: nothing says when.
    pub(super) schedule: Option<WantedSchedule>,
    pub(super) timezone: Option<String>,
    /// A period or a cron line; empty takes it away.
    pub(super) verify_objects: Option<String>,
    pub(super) verify_rows: Option<String>,
    pub(super) retention_hours: Option<i64>,
    pub(super) keep_hours: Option<i64>,
    /// 0 takes the deadline away.
    pub(super) forget_hours: Option<i64>,
    pub(super) fetches: Option<Fetches>,
    pub(super) commits: Option<Commits>,
    pub(super) paused: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum WantedSchedule {
    /// Seconds, and the time of day.
    Every(i64, Option<String>),
    Cron(String),
    /// Seconds.
    NewVersion(i64),
    Fresh(i64),
}

#[derive(Clone, Debug)]
pub(super) struct WantedRate {
    /// `cloud:region`, `cloud:*` or `*:*`.
    pub(super) from: String,
    pub(super) to: String,
    pub(super) price: Nano,
    pub(super) unit: Unit,
    pub(super) currency: Currency,
    pub(super) valid_from: Timestamp,
    pub(super) valid_until: Option<Timestamp>,
    pub(super) source: String,
}

#[derive(Clone, Debug)]
pub(super) struct WantedServiceRate {
    pub(super) kind: String,
    pub(super) price: Nano,
    pub(super) currency: Currency,
    pub(super) valid_from: Timestamp,
    pub(super) valid_until: Option<Timestamp>,
    pub(super) source: String,
}

impl WantedRate {
    /// How a rate is known: its places and its begin.
    pub(super) fn name(&self) -> String {
        format!("{} -> {} from {}", self.from, self.to, self.valid_from)
    }
}

impl WantedServiceRate {
    pub(super) fn name(&self) -> String {
        format!("{} from {}", self.kind, self.valid_from)
    }
}
