//! Which tables can be shared and cloned here, and why others cannot. Sharing hands a table out as it is, so that it takes
//! what the log's readers know; a clone's log is written anew, and takes what the writer of clones knows, too.

use std::fmt;

use crate::actions::{Metadata, Protocol};
use crate::replay::Snapshot;

/// Whether a table can be shared, and whether it can be cloned. What cannot be shared cannot be cloned either. A table of which
/// neither is possible is still registered and shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Support {
    /// The features that are needed, in the protocol's spelling.
    sharing: Option<String>,
    cloning: Option<String>,
}

impl Support {
    /// By what a table says of itself, without a look at its files.
    pub fn of(protocol: &Protocol, metadata: &Metadata) -> Self {
        let features = protocol.reader_features.iter();
        let mut lacking = features.filter(|name| !SHARED.contains(&name.as_str()));
        let lacking = lacking.next().cloned();
        // Reader version 2 has column mapping as its only feature, and names it nowhere. The setting counts by itself too:
        // a reader that went by the logical names would read nothing but nulls.
        let mode = metadata.configuration.get("delta.columnMapping.mode");
        let is_known = |mode: &str| {
            let known = ["none", "name", "id"];
            known.iter().any(|known| mode.eq_ignore_ascii_case(known))
        };
        let unmapped = mode.is_some_and(|mode| !is_known(mode));
        let unknown = unknown_reader_features(protocol).into_iter().next();
        let sharing = unknown
            .or(lacking)
            .or_else(|| unmapped.then(|| "columnMapping".to_owned()));
        let cloning = sharing.clone().or_else(|| unclonable(protocol));
        Self { sharing, cloning }
    }

    /// The feature because of which the table is neither shared nor cloned.
    pub fn refused_for(&self) -> Option<&str> {
        self.sharing.as_deref()
    }

    /// The feature because of which the table is not cloned, whether it is shared or not.
    pub fn clone_refused_for(&self) -> Option<&str> {
        self.cloning.as_deref()
    }

    /// Whether the table can be shared and cloned.
    pub fn is_full(&self) -> bool {
        self.cloning.is_none()
    }
}

impl fmt::Display for Support {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.sharing, &self.cloning) {
            (Some(feature), _) => write!(
                f,
                "The table is shown but neither shared nor cloned: reading it needs the feature {feature}, which is not \
                 supported here yet. Drop the feature from the table to share it."
            ),
            (None, Some(feature)) => write!(
                f,
                "The table can be shared but not cloned: it uses the feature {feature}, which clones cannot have here yet. \
                 Recipients read it live; drop the feature from the table to clone it."
            ),
            (None, None) => f.write_str("The table can be shared and cloned."),
        }
    }
}

/// Reader features of tables that are shared: what they mean for the files is told to the recipient, whose reader has to know
/// them, and what they mean for the log is read here.
const SHARED: [&str; 11] = [
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
];

/// Reader features that we can go without besides, when all we do is show the table.
const SHOWN: [&str; 6] = [
    "catalogManaged",
    "catalogOwned",
    "catalogOwned-preview",
    "geospatial",
    "geospatial-preview",
    "collations-preview",
];

/// Features whose rules the commits of a clone keep. Rows that are copied already satisfy constraints, expressions and defaults;
/// files keep their row ids, vectors and clustering as the source gave them.
const CLONED: [&str; 21] = [
    "appendOnly",
    "invariants",
    "checkConstraints",
    "changeDataFeed",
    "generatedColumns",
    "identityColumns",
    "allowColumnDefaults",
    "timestampNtz",
    "inCommitTimestamp",
    "domainMetadata",
    "rowTracking",
    "clustering",
    "deletionVectors",
    "columnMapping",
    "typeWidening",
    "typeWidening-preview",
    "variantType",
    "variantType-preview",
    "variantShredding",
    "variantShredding-preview",
    "vacuumProtocolCheck",
];

/// Features that tie a table to a catalog, or that say how its log is kept. A clone has a log of its own, with classic
/// checkpoints.
const LEFT_BEHIND: [&str; 6] = [
    "catalogManaged",
    "catalogOwned",
    "catalogOwned-preview",
    "coordinatedCommits-preview",
    "v2Checkpoint",
    "checkpointProtection",
];

impl Protocol {
    /// Whether a clone of a table with this feature goes without it.
    pub fn is_left_behind(feature: &str) -> bool {
        LEFT_BEHIND.contains(&feature)
    }

    /// Whether a clone can have this feature.
    pub fn is_cloned(feature: &str) -> bool {
        CLONED.contains(&feature)
    }
}

/// The first feature that a clone can neither have nor go without.
fn unclonable(protocol: &Protocol) -> Option<String> {
    if protocol.min_writer > 7 {
        return Some(format!("writer version {}", protocol.min_writer));
    }
    let mut unknown = protocol
        .writer_features
        .iter()
        .filter(|name| !Protocol::is_cloned(name) && !Protocol::is_left_behind(name));
    unknown.next().map(|name| crate::contain::shown(name))
}

/// What a reader would have to know and we have never heard of.
pub(crate) fn unknown_reader_features(protocol: &Protocol) -> Vec<String> {
    if protocol.min_reader > 3 {
        return vec![format!("reader version {}", protocol.min_reader)];
    }
    let unknown = protocol.reader_features.iter().filter(|name| {
        ![&SHARED[..], &SHOWN]
            .iter()
            .any(|known| known.contains(&name.as_str()))
    });
    unknown.map(|name| crate::contain::shown(name)).collect()
}

pub(crate) fn support(snapshot: &Snapshot) -> Support {
    let mut said = Support::of(&snapshot.protocol, &snapshot.metadata);
    // A reader that goes by the protocol would show rows that are deleted. Who reads live is told of them.
    let says_so = snapshot
        .protocol
        .reader_features
        .contains("deletionVectors");
    if said.is_full() && !says_so && snapshot.has_deletion_vectors() {
        said.cloning = Some("deletionVectors".to_owned());
    }
    said
}
