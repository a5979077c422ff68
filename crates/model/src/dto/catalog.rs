//! Products and their tables, and finding them.

use serde::{Deserialize, Serialize};

use crate::{
    AccessPolicy, Classification, Cloud, Mode, Name, Payer, ProductEventKind, ProductId,
    ProductName, ProductState, TableId, Timestamp,
};

/// A column of a table, as its schema has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    /// `long`, `decimal(10,2)`, `struct<a: string, b: array<long>>`.
    pub type_text: String,
    pub nullable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// What stands beside the features of a table whose columns are found by their numbers in its files (column mapping mode `id`).
pub const MAPPED_BY_ID: &str = "columnMapping: id";

/// What a Delta log says of its table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    pub version: u64,
    pub committed_at: Timestamp,
    pub columns: Vec<Column>,
    pub partition_columns: Vec<String>,
    /// The schema as the log writes it, for cuts: what is agreed to is known by the names that columns have in files.
    #[serde(skip)]
    pub schema_text: Option<String>,
    /// None where a file carries no statistics.
    pub rows: Option<u64>,
    pub files: u64,
    pub bytes: u64,
    /// Bytes of those files that were written within 30 days before the last commit: a guess at a month's new bytes.
    #[serde(default)]
    pub recent_bytes: u64,
    /// Reader and writer features, and [`MAPPED_BY_ID`] where it is so, sorted.
    pub features: Vec<String>,
    /// Why the table is shown but neither shared nor cloned; names the feature.
    pub refused_for: Option<String>,
    /// Why the table is not cloned, whether it is shared or not; names the feature.
    #[serde(default)]
    pub clone_refused_for: Option<String>,
    /// Whether `delta.enableChangeDataFeed` is on.
    pub change_data_feed: bool,
    /// The id that the table's log gives it; of a clone that says of what it was made, that of its source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<String>,
    /// The same table, or a copy of it, in products that are there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alike: Vec<Alike>,
}

/// The same table, or a copy of it, under another name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alike {
    /// `schema.name` of the table that was looked at; None where it is not registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// None where the caller may not see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<ProductName>,
    /// `schema.name` there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other: Option<String>,
    /// Its log says so; else it only has the same columns, rows, files and bytes.
    pub is_copy: bool,
    /// For people.
    pub sentence: String,
}

impl Inspection {
    /// Why the table cannot be cloned: what cannot be shared cannot either.
    pub fn not_cloned_for(&self) -> Option<&str> {
        let clone = self.clone_refused_for.as_deref();
        clone.or(self.refused_for.as_deref())
    }
}

/// Which table to look at without storing anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableInspect {
    pub storage: String,
    pub path: String,
}

fn default_schema() -> String {
    "default".to_owned()
}

fn default_format() -> String {
    "delta".to_owned()
}

fn default_policy() -> String {
    AccessPolicy::Owner.to_string()
}

fn default_payer() -> String {
    Payer::Producer.to_string()
}

const fn default_baseline() -> u32 {
    7
}

/// The most tables one product may have, in its form and in a declaration.
pub const PRODUCT_TABLES_MAX: usize = 500;

/// One table of a product that is registered or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableNew {
    pub name: String,
    #[serde(default = "default_schema")]
    pub schema: String,
    /// The table's folder, relative to the storage.
    pub path: String,
    /// The product's storage when absent.
    #[serde(default)]
    pub storage: Option<String>,
    #[serde(default = "default_format")]
    pub format: String,
    /// Whether consumers may read older versions.
    #[serde(default)]
    pub history: bool,
    /// With history, the first version that consumers may read; all that there are when absent.
    #[serde(default)]
    pub history_start: Option<u64>,
    /// Whether consumers may read the change data feed.
    #[serde(default)]
    pub change_data_feed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductNew {
    /// `domain-name`; fixed when the product is published.
    pub name: String,
    pub team: String,
    pub title: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub tags: Vec<String>,
    pub storage: String,
    pub classification: String,
    #[serde(default = "default_policy")]
    pub access_policy: String,
    #[serde(default = "default_payer")]
    pub payer: String,
    /// How often the data would be loaded in full without Entrepôt, in days: what savings are measured against.
    #[serde(default = "default_baseline")]
    pub baseline_days: u32,
    #[serde(default)]
    pub tables: Vec<TableNew>,
}

/// What is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductChange {
    /// Drafts only.
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default)]
    pub title: Option<String>,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub tags: Option<Vec<String>>,
    /// Drafts only: the storage of tables that name none.
    #[serde(default)]
    pub storage: Option<String>,
    #[serde(default)]
    pub classification: Option<String>,
    #[serde(default)]
    pub access_policy: Option<String>,
    #[serde(default)]
    pub payer: Option<String>,
    #[serde(default)]
    pub baseline_days: Option<u32>,
    /// All tables that the product shall have. A table is known by schema and name.
    #[serde(default)]
    pub tables: Option<Vec<TableNew>>,
    /// The revision that was looked at; 409 when it has moved on.
    #[serde(default)]
    pub revision: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductPublish {
    /// The revision that was looked at; 409 when it has moved on.
    #[serde(default)]
    pub revision: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductRetire {
    /// Told to those whose requests are rejected by it.
    pub reason: String,
    /// The revision that was looked at; 409 when it has moved on.
    #[serde(default)]
    pub revision: Option<i64>,
}

/// How far the caller's teams have access to a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MyAccess {
    None,
    /// Asked for, or granted and not yet verified.
    Pending,
    Active,
}

impl MyAccess {
    pub const ALL: [Self; 3] = [Self::None, Self::Pending, Self::Active];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pending => "pending",
            Self::Active => "active",
        }
    }
}

/// A search. Every filter that is given must hold; an empty text is no filter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductQuery {
    /// Words that must all begin a word of the product's name, title, description, tags, tables or columns.
    #[serde(default)]
    pub q: Option<String>,
    #[serde(default)]
    pub domain: Option<String>,
    #[serde(default)]
    pub team: Option<String>,
    #[serde(default)]
    pub cloud: Option<String>,
    #[serde(default)]
    pub region: Option<String>,
    #[serde(default)]
    pub classification: Option<String>,
    #[serde(default)]
    pub state: Option<String>,
    /// `none`, `pending` or `active`: how far the caller's teams have access.
    #[serde(default)]
    pub access: Option<String>,
    /// `name`, or `relevance` (when absent and there are words).
    #[serde(default)]
    pub sort: Option<String>,
    /// What the page before gave as `next`.
    #[serde(default)]
    pub after: Option<String>,
    /// 1 to 200; 50 when absent.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// A product in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductCard {
    pub name: ProductName,
    pub title: String,
    /// The beginning of the description.
    pub summary: String,
    pub domain: Name,
    pub team: Name,
    pub team_title: String,
    pub cloud: Cloud,
    pub region: String,
    pub simulated: bool,
    pub classification: Classification,
    pub state: ProductState,
    pub access: MyAccess,
    pub tags: Vec<String>,
    pub tables: u64,
    /// None where a table carries no statistics.
    pub rows: Option<u64>,
    pub bytes: u64,
    /// The newest commit of any table.
    pub committed_at: Option<Timestamp>,
}

/// How many products a filter value would leave, with all other filters as they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FacetCount {
    pub value: String,
    /// How pages call it; the value itself where it has no title.
    pub title: String,
    pub count: u64,
}

/// The filters' values that occur, each list in the order of the values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facets {
    pub domain: Vec<FacetCount>,
    pub team: Vec<FacetCount>,
    pub cloud: Vec<FacetCount>,
    pub region: Vec<FacetCount>,
    pub classification: Vec<FacetCount>,
    pub state: Vec<FacetCount>,
    pub access: Vec<FacetCount>,
}

/// One page of a search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductPage {
    pub items: Vec<ProductCard>,
    /// Present when there is more: hand it back as `after`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Of all pages.
    pub total: u64,
    pub facets: Facets,
}

/// A product with all that the caller may see of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductDetail {
    pub id: ProductId,
    pub name: ProductName,
    pub title: String,
    pub description: String,
    pub domain: Name,
    pub team: Name,
    pub team_title: String,
    /// Where to ask the owning team.
    pub contact: String,
    pub storage: Name,
    pub cloud: Cloud,
    pub region: String,
    pub simulated: bool,
    pub classification: Classification,
    pub access_policy: AccessPolicy,
    pub payer: Payer,
    pub baseline_days: u32,
    pub state: ProductState,
    pub access: MyAccess,
    pub tags: Vec<String>,
    pub tables: Vec<TableDetail>,
    pub published_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Whether the caller may change, publish and retire it.
    pub editable: bool,
    /// The same tables, or copies of them, in other products; for those who may change it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alike: Vec<Alike>,
    pub revision: i64,
}

/// A table of a product, with what its log said when it was last read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDetail {
    pub id: TableId,
    pub schema: Name,
    pub name: Name,
    pub storage: Name,
    pub cloud: Cloud,
    pub region: String,
    /// For the owning team, admins and auditors only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    pub format: String,
    pub history: bool,
    /// The first version whose history is shared; None: all.
    #[serde(default)]
    pub history_start: Option<u64>,
    pub change_data_feed: bool,
    pub columns: Vec<Column>,
    pub partition_columns: Vec<String>,
    pub version: Option<u64>,
    pub committed_at: Option<Timestamp>,
    /// None where a file carries no statistics.
    pub rows: Option<u64>,
    pub files: Option<u64>,
    pub bytes: Option<u64>,
    /// Reader and writer features, and [`MAPPED_BY_ID`] where it is so, sorted.
    pub features: Vec<String>,
    /// Why the table is shown but neither shared nor cloned; names the feature.
    pub refused_for: Option<String>,
    /// Why the table is not cloned, whether it is shared or not; names the feature.
    #[serde(default)]
    pub clone_refused_for: Option<String>,
    /// What went wrong when the log was last read; the rest stands as it was read before.
    pub problem: Option<String>,
    pub inspected_at: Option<Timestamp>,
    /// Versions that were the newest when the log was looked at, of the last month, the oldest first. What was committed and
    /// followed by another between two looks is not among them.
    #[serde(default)]
    pub commits: Vec<TableCommit>,
}

/// A version of a table, and when it was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableCommit {
    pub version: u64,
    pub committed_at: Timestamp,
}

/// One thing that happened to a product, as whoever sees the product may know of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductEvent {
    pub at: Timestamp,
    pub kind: ProductEventKind,
    /// What of it was changed, by the names of the fields: `title`, `description`, `payer`, …
    pub changed: Vec<String>,
    /// `schema.name` of tables that came.
    pub tables_added: Vec<String>,
    /// The same of those that were taken out.
    pub tables_removed: Vec<String>,
    /// Why it was retired; for the owning team.
    pub reason: Option<String>,
    /// Of a version: the table that came to it, `schema.name`.
    pub table: Option<String>,
    /// The newest that was seen on that day.
    pub version: Option<u64>,
    /// How many commits were seen on that day.
    pub commits: Option<u64>,
    /// Of an access: whose, and which.
    pub recipient: Option<Name>,
    pub mode: Option<Mode>,
}
