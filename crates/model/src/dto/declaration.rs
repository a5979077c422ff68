//! The declaration `entrepot.yml`: what is wrong with it, what deploying it would change, and what a deployment did.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{DeploymentId, Timestamp};

/// A declaration to validate or to plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclarationText {
    pub yaml: String,
}

/// A declaration to deploy, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentNew {
    pub yaml: String,
    /// The file as its repository calls it: `entrepot.yml`.
    pub file: String,
    /// The commit it was taken from; `uncommitted` where there is none.
    pub commit: String,
    /// The hash of the plan that was looked at; 409 when the plan is another by now.
    #[serde(default)]
    pub expect_plan_hash: Option<String>,
}

/// One thing that is wrong with a declaration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclarationProblem {
    /// `products.vehicle-visits.tables[0].path`; empty where the text is not YAML.
    pub path: String,
    /// From 1.
    pub line: Option<u64>,
    pub column: Option<u64>,
    pub message: String,
}

impl fmt::Display for DeclarationProblem {
    /// `line 4, column 7: products.x.title: missing`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(f, "line {line}, column {column}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// What `validate` found: all that can be said without looking at what is live.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclarationReport {
    /// In the order of the file's lines.
    pub problems: Vec<DeclarationProblem>,
}

impl DeclarationReport {
    pub fn is_valid(&self) -> bool {
        self.problems.is_empty()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclarationAction {
    Create,
    Update,
    Unchanged,
    /// Live and not in the file: shown, never touched.
    Foreign,
    /// Cannot be done, or not by the caller; `note` says why. Nothing is deployed while there is one.
    Refused,
}

impl DeclarationAction {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Unchanged => "unchanged",
            Self::Foreign => "foreign",
            Self::Refused => "refused",
        }
    }
}

/// One value that a deployment sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    pub field: String,
    /// None: there was none.
    pub from: Option<String>,
    pub to: Option<String>,
}

/// One object of the declaration or of what is live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclarationChange {
    pub action: DeclarationAction,
    /// `domain`, `team`, `storage`, `product`, `recipient`, `grant`, `sync_job`, `rate`, `service_rate`, `exchange`.
    pub kind: String,
    pub name: String,
    pub fields: Vec<FieldChange>,
    /// Why it is refused, or what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What deploying would do, in the order in which it would be done; then what is foreign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclarationPlan {
    pub changes: Vec<DeclarationChange>,
    /// SHA-256 over what would be created, updated or refused, in hexadecimal.
    pub hash: String,
}

impl DeclarationPlan {
    pub fn count(&self, action: DeclarationAction) -> usize {
        self.changes
            .iter()
            .filter(|change| change.action == action)
            .count()
    }

    /// How many objects deploying would create or update.
    pub fn to_do(&self) -> usize {
        self.count(DeclarationAction::Create) + self.count(DeclarationAction::Update)
    }

    /// The exit status of `entrepot plan`: 0 no changes, 1 it cannot be deployed, 2 changes.
    pub fn exit_status(&self) -> u8 {
        if self.count(DeclarationAction::Refused) > 0 {
            1
        } else if self.to_do() > 0 {
            2
        } else {
            0
        }
    }
}

/// What a deployment did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// None: all was as declared, so nothing was done and nothing recorded.
    pub id: Option<DeploymentId>,
    pub file: String,
    pub commit: String,
    pub at: Timestamp,
    /// As it was carried out.
    pub plan: DeclarationPlan,
}

/// A product with its tables as somebody fills it in, to be written as a declaration. Nothing of it is checked yet: what is wrong
/// with it, the declaration's own rules say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductDraft {
    pub name: String,
    pub title: String,
    pub description: String,
    pub tags: Vec<String>,
    pub team: String,
    pub storage: String,
    pub classification: String,
    pub access_policy: String,
    pub payer: String,
    pub baseline_days: i64,
    /// `published` or `draft`.
    pub state: String,
    pub tables: Vec<TableDraft>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDraft {
    pub name: String,
    pub schema: String,
    /// Relative to the product's storage.
    pub path: String,
    pub history: bool,
    pub change_data_feed: bool,
}

/// What is live, as a declaration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclarationExport {
    pub yaml: String,
}
