//! Which Delta features a reader of a table's files must know, so that only the delta format can tell the table, and only to a
//! client that says it knows them. By what is in use (H2), not by what the protocol lists; features that concern the log alone
//! are our business.

use std::collections::BTreeSet;

use delta::{ChangedFile, Metadata, Snapshot};

use crate::error::Failure;
use crate::schema;

/// All that a client may have to name, as it stands in the capabilities header.
pub const READER_FEATURES: &str =
    "deletionvectors,columnmapping,timestampntz,typewidening,varianttype,variantshredding";

/// A feature that readers of files must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Feature {
    DeletionVectors,
    ColumnMapping,
    TimestampNtz,
    TypeWidening,
    VariantType,
    VariantShredding,
}

impl Feature {
    /// In the protocol's spelling.
    const fn name(self) -> &'static str {
        match self {
            Self::DeletionVectors => "deletionVectors",
            Self::ColumnMapping => "columnMapping",
            Self::TimestampNtz => "timestampNtz",
            Self::TypeWidening => "typeWidening",
            Self::VariantType => "variantType",
            Self::VariantShredding => "variantShredding",
        }
    }

    /// Whether a client that names these, in lower case, knows it; under its earlier name, too.
    fn is_known(self, named: &BTreeSet<String>) -> bool {
        let name = self.name().to_lowercase();
        named.contains(&format!("{name}-preview")) || named.contains(&name)
    }
}

/// The features in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs(BTreeSet<Feature>);

impl Needs {
    /// By the settings and the schema alone.
    pub(crate) fn of(metadata: &Metadata) -> Result<Self, Failure> {
        let setting = |key: &str| metadata.configuration.get(key).map(String::as_str);
        let is_on =
            |key: &str| setting(key).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let is_mapped = setting("delta.columnMapping.mode")
            .is_some_and(|mode| !mode.eq_ignore_ascii_case("none"));
        let used = schema::used(&metadata.schema_string)?;
        let all = [
            (
                Feature::DeletionVectors,
                is_on("delta.enableDeletionVectors"),
            ),
            (Feature::ColumnMapping, is_mapped),
            (Feature::TimestampNtz, used.timestamp_ntz),
            (Feature::TypeWidening, used.widened),
            (Feature::VariantType, used.variant),
            (
                Feature::VariantShredding,
                used.variant && is_on("delta.enableVariantShredding"),
            ),
        ];
        let needed = all.into_iter().filter(|(_, needed)| *needed);
        Ok(Self(needed.map(|(feature, _)| feature).collect()))
    }

    /// Also by a look at each file: a deletion vector left behind when the property was switched off still deletes rows.
    pub(crate) fn of_state(snapshot: &Snapshot) -> Result<Self, Failure> {
        let mut needs = Self::of(&snapshot.metadata)?;
        if snapshot.has_deletion_vectors() {
            needs.0.insert(Feature::DeletionVectors);
        }
        Ok(needs)
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn add_file(&mut self, file: &ChangedFile) {
        if file.has_deletion_vector() {
            self.0.insert(Feature::DeletionVectors);
        }
    }

    /// Whether the parquet format tells all of it. A timestamp without a zone is one that its readers take for another.
    pub(crate) fn is_plain(&self) -> bool {
        self.0
            .iter()
            .all(|feature| *feature == Feature::TimestampNtz)
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a client knows them all.
    pub(crate) fn are_known(&self, named: &BTreeSet<String>) -> bool {
        self.0.iter().all(|feature| feature.is_known(named))
    }

    /// What to tell a client that lacks some: the features, and the header that says one has them.
    pub(crate) fn lacking(&self, named: &BTreeSet<String>) -> Failure {
        let lacking: Vec<&str> = self
            .0
            .iter()
            .filter(|feature| !feature.is_known(named))
            .map(|feature| feature.name())
            .collect();
        // All are known, only not in the format asked for.
        let all = || self.0.iter().map(|feature| feature.name());
        let told: Vec<&str> = if lacking.is_empty() {
            all().collect()
        } else {
            lacking
        };
        let features = if told.len() == 1 {
            "feature"
        } else {
            "features"
        };
        let header: Vec<String> = all().map(str::to_lowercase).collect();
        // It begins in the reference server's words, which client tests look for.
        Failure::unsupported(format!(
            "Unsupported Delta Table Properties: the table uses the Delta {features} `{}`: send delta-sharing-capabilities: responseformat=delta;readerfeatures={} if the client can read it",
            told.join("`, `"),
            header.join(",")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(all: &[Feature]) -> Needs {
        Needs(all.iter().copied().collect())
    }

    #[test]
    fn a_client_is_told_what_it_lacks_and_how_to_say_that_it_does_not() {
        let named = |names: &[&str]| -> BTreeSet<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        let both = needs(&[Feature::DeletionVectors, Feature::TypeWidening]);
        assert!(both.are_known(&named(&["typewidening-preview", "deletionvectors"])));
        let some = named(&["deletionvectors", "columnmapping"]);
        assert!(!both.are_known(&some));
        let said = format!("{:?}", both.lacking(&some));
        assert!(
            said.contains("Unsupported Delta Table Properties: "),
            "{said}"
        );
        assert!(said.contains("feature `typeWidening`"), "{said}");
        assert!(
            said.contains("readerfeatures=deletionvectors,typewidening "),
            "{said}"
        );
        let said = format!("{:?}", both.lacking(&BTreeSet::new()));
        assert!(
            said.contains("features `deletionVectors`, `typeWidening`"),
            "{said}"
        );
        assert!(needs(&[Feature::TimestampNtz]).is_plain() && !both.is_plain());
        let all = needs(&[
            Feature::DeletionVectors,
            Feature::ColumnMapping,
            Feature::TimestampNtz,
            Feature::TypeWidening,
            Feature::VariantType,
            Feature::VariantShredding,
        ]);
        let names: Vec<&str> = READER_FEATURES.split(',').collect();
        assert!(all.are_known(&named(&names)));
    }
}
