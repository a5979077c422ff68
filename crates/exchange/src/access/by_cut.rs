//! Access by a cut: asked for by its name, given by its newest edition, and never live.

use model::{CutId, Mode};

use super::ProductInfo;
use crate::Exchange;
use crate::change::Change;
use crate::cuts::{CutRecord, CutRef};
use crate::error::Error;

/// Why live access to a cut is none.
pub(crate) const LIVE_CUT: &str = "a cut is read from its replica only: the producer's own files hold what it leaves out; choose replica";

impl Exchange {
    /// The cut that a request names, if one does: it is read from its replica, and from nothing else.
    pub(super) async fn cut_asked(
        &self,
        product: &ProductInfo,
        name: Option<&str>,
        mode: Mode,
    ) -> Result<Option<CutRecord>, Error> {
        let Some(name) = name.map(str::trim).filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let cut = self
            .cut_record(self.db(), product.id, name)
            .await?
            .ok_or_else(|| {
                Error::invalid(
                    "cut",
                    "the product has no such cut; look at its page for those that it has",
                )
            })?;
        if cut.retired_at.is_some() {
            return Err(Error::invalid(
                "cut",
                "it was retired; no new access is given by it",
            ));
        }
        if mode != Mode::Replica {
            return Err(Error::invalid("mode", LIVE_CUT));
        }
        Ok(Some(cut))
    }

    /// The cut of a request that is approved, by its newest edition. Never live, whatever was stored.
    pub(super) async fn cut_given(
        &self,
        change: &mut Change,
        cut: Option<CutId>,
        mode: Mode,
    ) -> Result<Option<CutRef>, Error> {
        let Some(cut) = cut else { return Ok(None) };
        if mode != Mode::Replica {
            return Err(Error::conflict(LIVE_CUT));
        }
        let cut = self
            .cut_by_id(change.tx(), cut)
            .await?
            .ok_or(Error::NotFound("cut"))?;
        if cut.retired_at.is_some() {
            return Err(Error::conflict(format!(
                "the cut {} was retired, and no new access is given by it; reject the request and say so",
                cut.name
            )));
        }
        Ok(Some(cut.newest()))
    }
}
