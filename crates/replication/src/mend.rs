//! Mending a replica that was found to differ from its source: what is missing is copied again, and so is all that a check of the
//! rows suspects, whatever stands in its place. Nobody reads a replica that is in quarantine, so that objects may be replaced.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use delta::{AddFile, Snapshot};
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _};
use object_store::path::Path;

use crate::diff::{copies, vectors};
use crate::files::CopyItem;
use crate::plan::{Pair, PlanError};
use crate::prove::{WHOLE, partition_of};
use crate::verify::{VerifyError, look, looks_of};

/// HEAD requests at the same time.
const LOOKS: usize = 16;

/// What is known to be wrong with a replica.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mend {
    /// Partitions whose rows differ, as [`partition_of`] calls them. What is missing is found without.
    pub suspects: BTreeSet<String>,
}

impl Mend {
    fn suspects(&self, file: &AddFile) -> bool {
        self.suspects.contains(WHOLE) || self.suspects.contains(&partition_of(file))
    }

    /// What to copy again of the source's files. Of a file whose vector alone is new, the data file may be what is damaged, so that
    /// all are looked at; what is missing because it is new is found, too.
    pub(crate) async fn copies(
        &self,
        pair: &Pair,
        source: &Snapshot,
        origins: &HashMap<Path, Path>,
    ) -> Result<Vec<CopyItem>, PlanError> {
        let files = source.files.values();
        let looks: Vec<_> = files
            .map(|file| {
                let (file, objects) = (Arc::clone(file), Arc::clone(pair.target.objects()));
                let is_suspect = self.suspects(&file);
                async move {
                    if is_suspect {
                        return Ok(Some(file));
                    }
                    for wanted in looks_of(std::iter::once(file.as_ref())) {
                        match look(objects.as_ref(), &wanted).await {
                            Ok(()) => {}
                            Err(VerifyError::Wrong(_)) => return Ok(Some(file)),
                            Err(error) => return Err(PlanError::Store(error.to_string())),
                        }
                    }
                    Ok(None)
                }
                .boxed()
            })
            .collect();
        let looks: Vec<Result<Option<Arc<AddFile>>, PlanError>> =
            stream::iter(looks).buffered(LOOKS).collect().await;
        let mut bad = Vec::new();
        for look in looks {
            bad.extend(look?);
        }
        let mut again = copies(&bad, None)?;
        again.extend(vectors(pair, &bad, None, origins).await?);
        for item in &mut again {
            item.fresh = true;
        }
        Ok(again)
    }
}
