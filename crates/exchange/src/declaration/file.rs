//! The file as it is written: its keys, each with the place where it stands. Nothing is required here and nothing is
//! checked but the shape; `check` says all that is missing or wrong at once.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use model::dto::DeclarationProblem;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::{
    DuplicateKeyPolicy, Error, Location, MergeKeyPolicy, MessageFormatter as _, Spanned,
    UserMessageFormatter,
};

/// The largest file.
pub(super) const BYTES_MAX: usize = 1024 * 1024;
/// The most keys, values, lists and mappings, aliases written out included.
const NODES_MAX: usize = 200_000;
const ALIASES_MAX: usize = 1_000;
const DEPTH_MAX: usize = 12;

pub(super) type Text = Spanned<String>;

/// A key with its place. Two keys are the same when their texts are.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Key(pub(super) Text);

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0.value == other.0.value
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.value.cmp(&other.0.value)
    }
}

/// A section of named things. None: the file does not have it.
pub(super) type Section<T> = Option<BTreeMap<Key, T>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) exchange: Option<Spanned<ExchangeEntry>>,
    pub(super) domains: Section<DomainEntry>,
    pub(super) teams: Section<TeamEntry>,
    pub(super) storages: Section<StorageEntry>,
    pub(super) products: Section<ProductEntry>,
    pub(super) recipients: Section<RecipientEntry>,
    pub(super) grants: Section<GrantEntry>,
    pub(super) sync_jobs: Section<SyncJobEntry>,
    pub(super) rates: Option<Vec<Spanned<RateEntry>>>,
    pub(super) service_rates: Option<Vec<Spanned<ServiceRateEntry>>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ExchangeEntry {
    pub(super) name: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DomainEntry {
    pub(super) title: Option<Text>,
    pub(super) description: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TeamEntry {
    pub(super) domain: Option<Text>,
    pub(super) title: Option<Text>,
    pub(super) cost_center: Option<Text>,
    pub(super) contact: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct StorageEntry {
    pub(super) cloud: Option<Text>,
    pub(super) region: Option<Text>,
    pub(super) url: Option<Text>,
    pub(super) endpoint: Option<Text>,
    pub(super) credential: Option<Text>,
    pub(super) replicas: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ProductEntry {
    pub(super) title: Option<Text>,
    pub(super) description: Option<Text>,
    pub(super) tags: Option<Vec<Text>>,
    pub(super) team: Option<Text>,
    pub(super) storage: Option<Text>,
    pub(super) classification: Option<Text>,
    pub(super) access: Option<AccessEntry>,
    pub(super) payer: Option<Text>,
    pub(super) baseline_days: Option<Spanned<i64>>,
    pub(super) state: Option<Text>,
    pub(super) tables: Option<Vec<Spanned<TableEntry>>>,
    pub(super) cuts: Section<CutEntry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CutEntry {
    pub(super) description: Option<Text>,
    /// By `name` or `schema.name`.
    pub(super) tables: Section<CutTableEntry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CutTableEntry {
    pub(super) drop: Option<Vec<Text>>,
    pub(super) pseudonymise: Option<Vec<Text>>,
    pub(super) rows: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct AccessEntry {
    pub(super) policy: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TableEntry {
    pub(super) name: Option<Text>,
    pub(super) schema: Option<Text>,
    pub(super) path: Option<Text>,
    pub(super) storage: Option<Text>,
    pub(super) format: Option<Text>,
    pub(super) history: Option<bool>,
    pub(super) history_start: Option<u64>,
    pub(super) change_data_feed: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RecipientEntry {
    pub(super) team: Option<Text>,
    pub(super) cloud: Option<Text>,
    pub(super) region: Option<Text>,
    pub(super) addresses: Option<Vec<Text>>,
    pub(super) requests_per_minute: Option<Spanned<i64>>,
    pub(super) federation: Option<Federations>,
}

/// Whose word lets a recipient in: one, or a list of them.
#[derive(Debug)]
pub(super) struct Federations(pub(super) Vec<FederationEntry>);

impl<'de> Deserialize<'de> for Federations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore;

        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Federations;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an issuer with audience and subject, or a list of them")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Federations, A::Error> {
                let one = FederationEntry::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Federations(vec![one]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Federations, A::Error> {
                let mut found = Vec::new();
                while let Some(one) = all.next_element()? {
                    found.push(one);
                }
                Ok(Federations(found))
            }
        }

        deserializer.deserialize_any(OneOrMore)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FederationEntry {
    pub(super) issuer: Option<Text>,
    pub(super) audience: Option<Text>,
    pub(super) claim: Option<Text>,
    pub(super) subject: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct GrantEntry {
    pub(super) product: Option<Text>,
    pub(super) recipient: Option<Text>,
    pub(super) mode: Option<Text>,
    pub(super) cut: Option<Text>,
    pub(super) until: Option<Text>,
    pub(super) live_bytes_per_day: Option<Spanned<i64>>,
    pub(super) rows: Option<Text>,
    pub(super) directory: Option<bool>,
    pub(super) purpose: Option<PurposeEntry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PurposeEntry {
    pub(super) code: Option<Text>,
    pub(super) text: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SyncJobEntry {
    pub(super) product: Option<Text>,
    pub(super) cut: Option<Text>,
    pub(super) to: Option<Text>,
    pub(super) every: Option<Text>,
    pub(super) at: Option<Text>,
    pub(super) timezone: Option<Text>,
    pub(super) cron: Option<Text>,
    pub(super) on_new_version: Option<Text>,
    pub(super) fresh_within: Option<Text>,
    pub(super) verify_objects: Option<Text>,
    pub(super) verify_rows: Option<Text>,
    pub(super) retention_hours: Option<Spanned<i64>>,
    pub(super) keep_hours: Option<Spanned<i64>>,
    pub(super) forget_hours: Option<Spanned<i64>>,
    pub(super) fetches: Option<Text>,
    pub(super) commits: Option<Text>,
    pub(super) paused: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RateEntry {
    pub(super) from: Option<Text>,
    pub(super) to: Option<Text>,
    pub(super) price: Option<Text>,
    pub(super) unit: Option<Text>,
    pub(super) currency: Option<Text>,
    pub(super) valid_from: Option<Text>,
    pub(super) valid_until: Option<Text>,
    pub(super) source: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ServiceRateEntry {
    pub(super) kind: Option<Text>,
    pub(super) price: Option<Text>,
    pub(super) currency: Option<Text>,
    pub(super) valid_from: Option<Text>,
    pub(super) valid_until: Option<Text>,
    pub(super) source: Option<Text>,
}

/// Reads the text within budgets. What is wrong names its line; what the file holds is not repeated beyond the key.
pub(super) fn read(yaml: &str) -> Result<File, DeclarationProblem> {
    if yaml.len() > BYTES_MAX {
        return Err(problem(
            "",
            None,
            format!(
                "at most {BYTES_MAX} bytes; these are {}; use several files",
                yaml.len()
            ),
        ));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: NODES_MAX * 3,
            max_nodes: NODES_MAX,
            max_aliases: ALIASES_MAX,
            max_anchors: ALIASES_MAX,
            max_depth: DEPTH_MAX,
            max_documents: 1,
            flow_nesting_limit: DEPTH_MAX,
            max_recorded_anchor_events: NODES_MAX,
            max_recorded_anchor_bytes: BYTES_MAX * 4,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: NODES_MAX,
            max_replay_stack_depth: 8,
            max_alias_expansions_per_anchor: ALIASES_MAX,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        reject_unsupported_tags: true,
        emit_comments: false,
        with_snippet: false,
    };
    // An empty file declares nothing; the parser calls it a null, and nothing else is as empty.
    let file: Option<File> = serde_saphyr::from_str_with_options(yaml, options)
        .map_err(|error| problem("", error.location(), message(&error)))?;
    Ok(file.unwrap_or_default())
}

pub(super) fn problem(
    path: &str,
    at: Option<Location>,
    message: impl Into<String>,
) -> DeclarationProblem {
    let at = at.filter(|at| at.line() > 0);
    DeclarationProblem {
        path: path.to_owned(),
        line: at.map(|at| at.line()),
        column: at.map(|at| at.column()),
        message: message.into(),
    }
}

fn message(error: &Error) -> String {
    match error.without_snippet() {
        Error::SerdeUnknownField {
            field, expected, ..
        } => format!(
            "unknown key `{}`; here stand {}",
            shortened(field),
            expected.join(", ")
        ),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{}` stands here twice", shortened(key))
        }
        Error::DuplicateMappingKey { .. } => "a key stands here twice".to_owned(),
        Error::MergeKeyNotAllowed { .. } => "`<<` is not read; write the keys out".to_owned(),
        Error::MultipleDocuments { .. } => {
            "one document in one file; leave the second `---` out".to_owned()
        }
        Error::NullIntoString { .. } => "a text is missing here".to_owned(),
        Error::InvalidBooleanStrict { .. } => "use true or false".to_owned(),
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "too large or too deep once its aliases are written out; write it plainly".to_owned()
        }
        // The values of wrong types are left out: one of them might be a secret in the wrong place.
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => {
            format!("wrong type: {}", plainly(expected))
        }
        Error::Unexpected { expected, .. } => format!("wrong type: {}", plainly(expected)),
        Error::AliasError { error, .. } => message(error),
        other => UserMessageFormatter.format_message(other).into_owned(),
    }
}

/// What to write where the parser expected something else than it found, without the parser's words for it.
fn plainly(expected: &str) -> &'static str {
    let says = |words: &[&str]| words.iter().any(|word| expected.contains(word));
    if says(&["map", "struct"]) {
        "write keys with their values here, as `{ key: value }` or in indented lines"
    } else if says(&["sequence", "list", "array"]) {
        "write a list here, as `[a, b]` or in lines that begin with `-`"
    } else if says(&["bool"]) {
        "use true or false"
    } else if says(&["integer", "number", "i64", "u64"]) {
        "write a whole number here"
    } else {
        "write one plain value here, neither a list nor keys"
    }
}

/// Keys come from outside: enough to find them by.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}
