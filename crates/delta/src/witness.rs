//! A second reader of tables, for tests: deltalake's way to a log, its kernel's replay, its kernel's rows, with deletion vectors and
//! partition values applied. Nothing of the product reads by it, and it shares no code with what does: what both say is true.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use buoyant_kernel::DeltaResult;
use buoyant_kernel::Snapshot as KernelSnapshot;
use buoyant_kernel::engine::arrow_data::ArrowEngineData;
use deltalake::logstore::{StorageConfig, default_logstore};
use object_store::ObjectStore;
use object_store::path::Path;
use url::Url;

use crate::commit::from_kernel;
use crate::contained::ContainedStore;
use crate::{Budgets, LogError};

/// All rows of a table at a version, or at its newest, with the table's columns, and which version that is. `objects` is rooted at
/// the table's folder.
///
/// # Errors
/// What the library says, as [`LogError::Unsupported`].
pub async fn rows(
    objects: Arc<dyn ObjectStore>,
    version: Option<u64>,
) -> Result<(u64, Vec<RecordBatch>), LogError> {
    let refused = |what: &str| LogError::Unsupported {
        what: what.to_owned(),
    };
    let store = ContainedStore::new(objects, Path::default(), Budgets::default());
    let store: Arc<ContainedStore> = Arc::new(store);
    let root = Url::parse("memory:///").map_err(|_| refused("the library takes no memory URL"))?;
    let log = default_logstore(store.clone(), store, &root, &StorageConfig::default());
    let engine = log.engine(None);
    let work = tokio::task::spawn_blocking(move || -> DeltaResult<(u64, Vec<RecordBatch>)> {
        let mut builder = KernelSnapshot::builder_for(root);
        if let Some(version) = version {
            builder = builder.at_version(version);
        }
        let snapshot = builder.build(engine.as_ref())?;
        let found = snapshot.version();
        let scan = snapshot.scan_builder().build()?;
        let mut batches = Vec::new();
        for data in scan.execute(engine)? {
            let data = ArrowEngineData::try_from_engine_data(data?)?;
            batches.push(data.record_batch().clone());
        }
        Ok((found, batches))
    });
    match work.await {
        Ok(Ok(rows)) => Ok(rows),
        Ok(Err(error)) => Err(from_kernel(error)),
        Err(_) => Err(refused("the library failed on it")),
    }
}
