//! Writing to a log: one commit by put-if-absent, and checkpoints through the library.

use std::sync::Arc;

use buoyant_kernel::Error as KernelError;
use buoyant_kernel::Snapshot as KernelSnapshot;
use bytes::Bytes;
use deltalake::logstore::{StorageConfig, default_logstore};
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutMode};
use serde_json::Value;
use serde_json::value::RawValue;
use url::Url;

use crate::contain::shown;
use crate::contained::ContainedStore;
use crate::listing::commit_path;
use crate::replay::Snapshot;
use crate::{LogError, Table};

/// Whose commit stands at a version after [`Table::write_commit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Ours, written now or by an earlier attempt.
    Ours,
    /// Somebody else's.
    Taken,
}

impl Table {
    /// Writes commit `version` unless there is one. `body` is JSON lines.
    ///
    /// A store may answer with an error although the write landed (a timeout, or a retry that met its own first
    /// attempt). So after any error the version is read back and compared: the same bytes, or the same
    /// `commitInfo.txnId`, are ours.
    ///
    /// # Errors
    /// [`LogError::Storage`] when the write failed and nothing stands there, or reading back failed too;
    /// [`LogError::Budget`] when what stands there is larger than a commit may be.
    pub async fn write_commit(&self, version: u64, body: Bytes) -> Result<Written, LogError> {
        let path = commit_path(version);
        let put = self
            .objects()
            .put_opts(&path, body.clone().into(), PutMode::Create.into())
            .await;
        let Err(failure) = put else {
            return Ok(Written::Ours);
        };
        let there = match self.read_back(&path).await {
            Ok(there) => there,
            // Nothing there, or no answer: the first failure says more.
            Err(LogError::Storage(_)) => return Err(failure.into()),
            Err(error) => return Err(error),
        };
        let same =
            there == body || txn_id(&there).is_some_and(|id| txn_id(&body).as_ref() == Some(&id));
        Ok(if same { Written::Ours } else { Written::Taken })
    }

    async fn read_back(&self, path: &Path) -> Result<Bytes, LogError> {
        let found = self.objects().get(path).await?;
        crate::budgets::within(
            "bytes of a commit",
            self.budgets().commit_bytes,
            found.meta.size,
        )?;
        Ok(found.bytes().await?)
    }

    /// Writes a classic checkpoint of this snapshot's version, and `_last_checkpoint`. Nothing happens when there is one
    /// already. Tombstones older than `delta.deletedFileRetentionDuration` are left out by the library, counted by the
    /// wall clock.
    ///
    /// # Errors
    /// [`LogError::Unsupported`] when the library refuses the table; the table is as good without a checkpoint.
    pub async fn write_checkpoint(&self, snapshot: &Snapshot) -> Result<(), LogError> {
        let refused = |what: &str| LogError::Unsupported {
            what: what.to_owned(),
        };
        // The library follows a V2 checkpoint's sidecars wherever they point; see `contain`.
        if snapshot.passed_over || snapshot.protocol.reader_features.contains("v2Checkpoint") {
            return Err(refused("its log has V2 or broken checkpoints"));
        }
        let store = Arc::new(ContainedStore::new(
            self.objects().clone(),
            Path::default(),
            self.budgets().clone(),
        ));
        let root =
            Url::parse("memory:///").map_err(|_| refused("the library takes no memory URL"))?;
        let log = default_logstore(store.clone(), store, &root, &StorageConfig::default());
        let engine = log.engine(None);
        let version = snapshot.version;
        let span = tracing::Span::current();
        let work = tokio::task::spawn_blocking(move || {
            let _in_span = span.entered();
            let snapshot = KernelSnapshot::builder_for(root)
                .at_version(version)
                .build(engine.as_ref())?;
            snapshot.checkpoint(engine.as_ref(), None).map(|_| ())
        });
        match work.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(from_kernel(error)),
            Err(_) => Err(refused("the library failed on it")),
        }
    }
}

pub(crate) fn from_kernel(error: KernelError) -> LogError {
    match error {
        KernelError::Backtraced { source, .. } => from_kernel(*source),
        KernelError::ObjectStore(object_store::Error::Generic { store, source }) => {
            match source.downcast::<LogError>() {
                Ok(ours) => *ours,
                Err(source) => LogError::Storage(object_store::Error::Generic { store, source }),
            }
        }
        KernelError::ObjectStore(error) => LogError::Storage(error),
        error => LogError::Unsupported {
            what: shown(&error.to_string()),
        },
    }
}

/// `commitInfo.txnId` of a commit.
fn txn_id(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Line<'a> {
        #[serde(borrow, rename = "commitInfo")]
        info: Option<&'a RawValue>,
    }
    body.split(|byte| *byte == b'\n').find_map(|line| {
        let info = serde_json::from_slice::<Line<'_>>(line).ok()?.info?;
        let info: Value = serde_json::from_str(info.get()).ok()?;
        info.get("txnId").and_then(Value::as_str).map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transaction_id_is_found_on_any_line() {
        let body = b"{\"add\":{}}\n{\"commitInfo\":{\"timestamp\":1,\"txnId\":\"t-1\"}}\n";
        assert_eq!(txn_id(body).as_deref(), Some("t-1"));
        for body in [
            &b""[..],
            b"{\"commitInfo\":{}}",
            b"{\"commitInfo\":7}",
            b"{\"x\":{\"txnId\":\"t\"}}",
            b"\xff\n{",
        ] {
            assert_eq!(txn_id(body), None);
        }
    }
}
