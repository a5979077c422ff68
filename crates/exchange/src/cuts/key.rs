//! The keys of cuts: 32 random bytes for each edition, sealed like the credentials of storages. Who has the key can find out what
//! a hash stands for by trying, so it is shown to nobody and leaves the process never.

use std::fmt;

use model::{CutId, Narrowing};
use secrecy::{ExposeSecret as _, SecretString};

use crate::error::Error;
use crate::ports::Sealed;
use crate::storages::unavailable;
use crate::{Exchange, sql};

/// What a sealed key is bound to: moved to another edition it does not open.
pub(crate) fn place_of(cut: CutId, edition: i64) -> String {
    format!("cut|{cut}|{edition}|key")
}

/// An opened key.
#[derive(Clone, PartialEq, Eq)]
pub struct CutKey([u8; 32]);

impl CutKey {
    pub const fn bytes(&self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Debug for CutKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CutKey(****)")
    }
}

/// What a replica table of a cut leaves out of its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NarrowTask {
    pub what: Narrowing,
    /// The table's schema as its edition knows it: what it does not hold came later, and is left out, too. None of an edition from
    /// before that was kept.
    pub agreed: Option<String>,
    /// Or why it does not open: then nothing is written.
    pub key: Result<CutKey, String>,
}

impl Exchange {
    /// A new key, sealed for its edition.
    pub(super) fn cut_key_new(&self, cut: CutId, edition: i64) -> Result<Sealed, Error> {
        let mut fresh = [0_u8; 32];
        getrandom::fill(&mut fresh).map_err(|error| Error::internal(error.to_string()))?;
        let secret = SecretString::from(hex::encode(fresh));
        fresh.fill(0);
        self.ports()
            .keys
            .seal(&place_of(cut, edition), &secret)
            .map_err(unavailable)
    }

    /// Why nothing can be written by the newest edition of a cut, where its key does not open.
    pub(crate) async fn cut_keyless(&self, cut: CutId) -> Result<Option<String>, Error> {
        let Some(cut) = self.cut_by_id(self.db(), cut).await? else {
            return Ok(None);
        };
        Ok(self.cut_key(cut.id, cut.edition).await?.err())
    }

    /// The key of an edition, or a sentence that says why it does not open and what to do.
    pub(crate) async fn cut_key(
        &self,
        cut: CutId,
        edition: i64,
    ) -> Result<Result<CutKey, String>, Error> {
        let row =
            sql!("select key_sealed, key_id from cut_edition where cut_id = $1 and number = $2")
                .bind(cut)
                .bind(edition)
                .row(self.db())
                .await?
                .ok_or(Error::NotFound("cut"))?;
        let sealed = Sealed {
            bytes: row.get("key_sealed")?,
            key_id: row.get("key_id")?,
        };
        let opened = match self.ports().keys.open(&place_of(cut, edition), &sealed) {
            Ok(opened) => opened,
            Err(problem) => {
                return Ok(Err(format!(
                    "the cut's key does not open ({}), so nothing is written; put the key `{}` back into the key file, or rotate \
                     the cut's key, which makes its replicas anew",
                    problem.sentence, sealed.key_id
                )));
            }
        };
        let mut key = [0_u8; 32];
        Ok(match hex::decode_to_slice(opened.expose_secret(), &mut key) {
            Ok(()) => Ok(CutKey(key)),
            Err(_) => Err(
                "the cut's key is none, so nothing is written; rotate it, which makes its replicas anew"
                    .to_owned(),
            ),
        })
    }
}
