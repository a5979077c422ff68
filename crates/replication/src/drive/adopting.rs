//! The part of a run that takes over what lies in an adopted folder, before anything is fetched. What is taken has a receipt, and the
//! copy engine passes it over; what is not is copied like everything else.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _};
use model::RunState;
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::time::Instant;

use super::{Driver, PROGRESS, RunError};
use crate::adopt::{Adopted, Taken, take};
use crate::files::{Receipt, Receipts};
use crate::plan::{Plan, PlanSummary};

/// Objects that are compared and copied at the same time.
const TAKES: usize = 4;

impl Driver<'_> {
    /// False: what is left to be fetched would pass the run's budget, and the run is over.
    pub(super) async fn taken_over(&mut self, plan: &mut Plan) -> Result<bool, RunError> {
        let pair = self.pair;
        let (Some(adoption), Some(planned)) = (&pair.adopt, &plan.summary.adopted) else {
            return Ok(true);
        };
        let mut found = Adopted {
            taken_files: 0,
            taken_bytes: 0,
            differing: 0,
            changed: 0,
            refused: 0,
            ..planned.clone()
        };
        let path = self.file("receipts");
        let receipts = Receipts::open(&path).await?;
        before(&path, plan, &mut found).await?;
        let mut standing: HashSet<String> = HashSet::new();
        let mut takes = Vec::new();
        for item in &plan.copies {
            if receipts.finished.size_of(&item.dst) == Some(item.size) {
                standing.insert(item.dst.clone());
                continue;
            }
            let Some(wanted) = plan.wanted.get(&item.dst) else {
                continue;
            };
            let (adoption, source) = (adoption.clone(), Arc::clone(pair.source.objects()));
            let (item, wanted) = (item.clone(), wanted.clone());
            takes.push(
                async move {
                    let taken = take(source.as_ref(), &adoption, &item, &wanted).await;
                    (item, taken)
                }
                .boxed(),
            );
        }
        let mut takes = stream::iter(takes).buffer_unordered(TAKES);
        let mut saved = Instant::now();
        while let Some((item, taken)) = takes.next().await {
            match taken {
                Taken::Yes { etag } => {
                    let receipt = Receipt {
                        dst: item.dst.clone(),
                        size: item.size,
                        etag,
                        bytes_read: 0,
                        attempt: self.run.attempt,
                        failure: None,
                    };
                    receipts.append(&receipt).await?;
                    found.taken_files += 1;
                    found.taken_bytes = found.taken_bytes.saturating_add(item.size);
                    standing.insert(item.dst);
                }
                Taken::Differs => found.differing += 1,
                Taken::Changed => found.changed += 1,
                Taken::Refused => found.refused += 1,
            }
            // How soon a driver notices that it was fenced.
            if saved.elapsed() > PROGRESS {
                self.note_adopted(&found);
                self.save(RunState::Copying).await?;
                saved = Instant::now();
            }
        }
        drop(takes);
        drop(receipts);
        self.note_adopted(&found);
        plan.summary.adopted = Some(found);
        let left = plan.copies.iter().filter(|item| {
            !standing.contains(&item.dst) && !plan.reused.contains(item.dst.as_str())
        });
        let (files, bytes) = left.fold((0_u64, 0_u64), |(files, bytes), item| {
            (files + 1, bytes.saturating_add(item.size))
        });
        // More than planned, where something turned out not to be what it was hoped to be.
        let left = PlanSummary {
            files_copy: files,
            bytes_copy: bytes,
            ..plan.summary.clone()
        };
        if bytes > plan.summary.bytes_copy
            && let Some(why) = self.over_budget(&left, 0)
        {
            self.end(RunState::Failed, why).await?;
            return Ok(false);
        }
        Ok(true)
    }

    fn note_adopted(&mut self, found: &Adopted) {
        if let Some(plan) = &mut self.record.plan {
            plan.adopted = Some(found.clone());
        }
    }
}

/// What an earlier attempt had taken over: its receipts are those of objects that lie in the folder and for which nothing was read
/// of the source.
async fn before(path: &Path, plan: &Plan, found: &mut Adopted) -> std::io::Result<()> {
    let mut lines = BufReader::new(File::open(path).await?).lines();
    let mut seen = HashSet::new();
    while let Some(line) = lines.next_line().await? {
        let Ok(receipt) = serde_json::from_str::<Receipt>(&line) else {
            continue;
        };
        let is_taken = receipt.failure.is_none() && receipt.bytes_read == 0;
        if is_taken && plan.wanted.contains_key(&receipt.dst) && seen.insert(receipt.dst) {
            found.taken_files += 1;
            found.taken_bytes = found.taken_bytes.saturating_add(receipt.size);
        }
    }
    Ok(())
}
