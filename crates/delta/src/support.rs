//! Which tables can be shared and cloned here, and why others cannot.

use std::fmt;

use crate::actions::{Metadata, Protocol};
use crate::replay::Snapshot;

/// Whether a table can be shared and cloned. A table that cannot is still registered and shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Support {
    Full,
    /// The reader feature that is needed, in the protocol's spelling.
    RefusedFor {
        feature: String,
    },
}

impl Support {
    /// By what a table says of itself, without a look at its files: one of them may still have a deletion vector.
    pub fn of(protocol: &Protocol, metadata: &Metadata) -> Self {
        let refused = |feature: &str| Self::RefusedFor {
            feature: feature.to_owned(),
        };
        if let Some(unknown) = unknown_reader_features(protocol).first() {
            return refused(unknown);
        }
        if let Some(feature) = protocol
            .reader_features
            .iter()
            .find(|name| !READ.contains(&name.as_str()))
        {
            return refused(feature);
        }
        // Reader version 2 has column mapping as its only feature, and names it nowhere. The setting counts by itself too:
        // a reader that went by the logical names would read nothing but nulls.
        let mode = metadata.configuration.get("delta.columnMapping.mode");
        if mode.is_some_and(|mode| !mode.eq_ignore_ascii_case("none")) {
            return refused("columnMapping");
        }
        Self::Full
    }

    pub fn is_full(&self) -> bool {
        *self == Self::Full
    }

    pub fn feature(&self) -> Option<&str> {
        match self {
            Self::Full => None,
            Self::RefusedFor { feature } => Some(feature),
        }
    }
}

impl fmt::Display for Support {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("The table can be shared and cloned."),
            Self::RefusedFor { feature } => write!(
                f,
                "The table is shown but neither shared nor cloned: reading it needs the feature {feature}, which is not \
                 supported here yet. Drop the feature from the table to share it."
            ),
        }
    }
}

/// Reader features we can go without when all we do is show the table.
const KNOWN: [&str; 17] = [
    "timestampNtz",
    "deletionVectors",
    "columnMapping",
    "v2Checkpoint",
    "typeWidening",
    "typeWidening-preview",
    "variantType",
    "variantType-preview",
    "variantShredding",
    "variantShredding-preview",
    "vacuumProtocolCheck",
    "catalogManaged",
    "catalogOwned",
    "catalogOwned-preview",
    "geospatial",
    "geospatial-preview",
    "collations-preview",
];

/// Reader features that also change nothing for those who read the files.
const READ: [&str; 1] = ["timestampNtz"];

/// What a reader would have to know and we have never heard of.
pub(crate) fn unknown_reader_features(protocol: &Protocol) -> Vec<String> {
    if protocol.min_reader > 3 {
        return vec![format!("reader version {}", protocol.min_reader)];
    }
    let unknown = protocol
        .reader_features
        .iter()
        .filter(|name| !KNOWN.contains(&name.as_str()));
    unknown.map(|name| crate::contain::shown(name)).collect()
}

pub(crate) fn support(snapshot: &Snapshot) -> Support {
    let said = Support::of(&snapshot.protocol, &snapshot.metadata);
    let vectors = snapshot
        .files
        .values()
        .any(|file| file.deletion_vector.is_some());
    if said.is_full() && vectors {
        return Support::RefusedFor {
            feature: "deletionVectors".to_owned(),
        };
    }
    said
}
