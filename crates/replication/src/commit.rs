//! The replica's commit as raw JSON lines: `commitInfo` first, then `txn`, protocol, metadata, domains, removes, adds and change files. The
//! same plan and the same time give the same bytes, so that a run that is driven again recognises its own commit.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use delta::{AddFile, CdcFile, FileKey};
use model::{ReplicaTableId, Timestamp};
use serde_json::{Value, json};

use crate::intent::{self, Needs};
use crate::mark::{Mark, OPERATION, app_id};
use crate::plan::{FullReason, PlanSummary};
use crate::tail;

/// The actions of a plan, before their time is known.
pub(crate) struct Draft {
    pub(crate) needs: Needs,
    pub(crate) configuration: BTreeMap<String, String>,
    pub(crate) protocol: Option<Value>,
    pub(crate) metadata: Option<Value>,
    /// Metadata domains that are new, changed or removed.
    pub(crate) domains: Vec<Value>,
    /// All that the table is to have.
    pub(crate) all_domains: BTreeMap<String, String>,
    /// Commits of the table carry `inCommitTimestamp`.
    pub(crate) timestamps: bool,
    /// They begin to with this commit, and earlier ones do not.
    pub(crate) timestamps_begin: bool,
    /// Time of the replica's latest commit, milliseconds.
    pub(crate) held_millis: Option<i64>,
    pub(crate) adds: Vec<Arc<AddFile>>,
    /// Files the replica holds, of which the source says something new.
    pub(crate) updates: Vec<Arc<AddFile>>,
    pub(crate) removes: Vec<Arc<AddFile>>,
    /// When the source removed what the replica holds, in milliseconds.
    pub(crate) gone: HashMap<FileKey, i64>,
    /// Files in groups that are new to the replica: its own, and the source's that the source has rewritten since.
    pub(crate) own: Vec<Arc<AddFile>>,
    /// Files the replica holds, of whose group it says something new.
    pub(crate) retold: Vec<Arc<AddFile>>,
    /// The source's change feed of the one commit that this is to be.
    pub(crate) feeds: Vec<CdcFile>,
    /// Paths of files of which the source says that they came, or went, without a row that changed.
    pub(crate) quiet_adds: HashSet<String>,
    pub(crate) quiet_removes: HashSet<String>,
    /// By which profile and key the replica is narrowed.
    pub(crate) narrowed: Option<String>,
}

impl Draft {
    pub(crate) fn is_empty(&self) -> bool {
        self.protocol.is_none()
            && self.metadata.is_none()
            && self.domains.is_empty()
            && self.adds.is_empty()
            && self.updates.is_empty()
            && self.removes.is_empty()
            && self.own.is_empty()
            && self.retold.is_empty()
            && self.feeds.is_empty()
    }

    /// The commit's bytes. `at` is the replica's time, for the commit and for tombstones.
    pub(crate) fn body(
        &self,
        summary: &PlanSummary,
        replica_table: ReplicaTableId,
        at: Timestamp,
    ) -> Bytes {
        let mut lines = self.head(summary, replica_table, at);
        let mut line = |kind: &str, action: &Value| push(&mut lines, kind, action);
        if let Some(protocol) = &self.protocol {
            line("protocol", protocol);
        }
        if let Some(metadata) = &self.metadata {
            let mut metadata = metadata.clone();
            if self.timestamps_begin {
                metadata["configuration"][intent::ICT_VERSION] =
                    summary.target_version.to_string().into();
                metadata["configuration"][intent::ICT_TIMESTAMP] =
                    self.stamp(at).to_string().into();
            }
            line("metaData", &metadata);
        }
        for domain in &self.domains {
            line("domainMetadata", domain);
        }
        for file in &self.removes {
            let gone = self.gone.get(&file.file_key()).copied();
            let mut remove = intent::remove_action(file, at.millis(), gone);
            if self.quiet_removes.contains(&file.path) {
                remove["dataChange"] = false.into();
            }
            line("remove", &remove);
        }
        for file in &self.adds {
            let is_change = !self.quiet_adds.contains(&file.path);
            line("add", &intent::add_action(file, is_change));
        }
        for file in &self.own {
            line("add", &intent::own_action(file, true));
        }
        // The rows were there before: whoever reads the replica as a stream must not see them again (rule 8).
        for file in &self.updates {
            line("add", &intent::add_action(file, false));
        }
        for file in &self.retold {
            line("add", &intent::own_action(file, false));
        }
        for file in &self.feeds {
            line("cdc", &intent::cdc_action(file));
        }
        lines.into()
    }

    /// The commit's first two lines, by which it is recognised as ours.
    pub(crate) fn head(
        &self,
        summary: &PlanSummary,
        replica_table: ReplicaTableId,
        at: Timestamp,
    ) -> Vec<u8> {
        let mut lines = Vec::new();
        let info = self.commit_info(summary, replica_table, at);
        push(&mut lines, "commitInfo", &info);
        push(
            &mut lines,
            "txn",
            &json!({
                "appId": app_id(replica_table),
                "version": summary.source_version,
                "lastUpdated": at.millis(),
            }),
        );
        lines
    }

    /// When the commit says that it was made, where commits carry that: later than the one before.
    fn stamp(&self, at: Timestamp) -> i64 {
        self.held_millis
            .map_or(at.millis(), |held| at.millis().max(held.saturating_add(1)))
    }

    fn commit_info(
        &self,
        summary: &PlanSummary,
        replica_table: ReplicaTableId,
        at: Timestamp,
    ) -> Value {
        let mark = Mark {
            replica_table,
            run: summary.run,
            source_version: summary.source_version,
            source_table: summary.source_table.clone(),
            source_fingerprint: summary.source_fingerprint.clone(),
            files_for: summary.files_for,
            purged_at: summary.purged_at,
            narrowed: self.narrowed.clone(),
            totals: tail::totals(summary),
            committed_at: None,
            version_millis: None,
            source_millis: None,
        };
        let mode = match summary.full {
            Some(FullReason::First) => "first",
            Some(FullReason::Recreated) => "recreated",
            Some(FullReason::Mended) => "mended",
            None => "incremental",
        };
        let mut info = json!({
            "timestamp": at.millis(),
            "operation": OPERATION,
            "operationParameters": { "mode": mode, "sourceVersion": summary.source_version.to_string() },
            "operationMetrics": {
                "sourceTableSize": summary.bytes_full.to_string(),
                "sourceNumOfFiles": summary.files_full.to_string(),
                "numRemovedFiles": summary.files_removed.to_string(),
                "removedFilesSize": summary.bytes_removed.to_string(),
                "numCopiedFiles": summary.files_copy.to_string(),
                "copiedFilesSize": summary.bytes_copy.to_string(),
            },
            "isBlindAppend": false,
            "engineInfo": concat!("Entrepot/", env!("CARGO_PKG_VERSION")),
            "txnId": format!("{}.{}", summary.run, summary.ordinal),
            "sourceVersion": summary.source_version,
            "sourceTimestamp": summary.source_timestamp.millis(),
            "entrepot": mark,
        });
        if self.narrowed.is_some() {
            // How much the source has is not for who has less of it.
            info["operationMetrics"] = json!({
                "numRemovedFiles": self.removes.len().to_string(),
                "numAddedFiles": self.own.len().to_string(),
            });
        }
        if self.timestamps {
            info["inCommitTimestamp"] = self.stamp(at).into();
        }
        info
    }
}

fn push(lines: &mut Vec<u8>, kind: &str, action: &Value) {
    lines.extend_from_slice(json!({ kind: action }).to_string().as_bytes());
    lines.push(b'\n');
}
