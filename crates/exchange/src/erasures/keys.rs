//! The key that signs certificates. Its public half is published, and so are those of keys that were replaced: what they signed stays
//! good. Of a replaced key nothing else is kept, so that nobody signs with it again.

use model::Timestamp;
use model::dto::{ErasureKey, RetiredKey};
use serde_json::json;

use super::certificate::{self, key_id};
use crate::audit::Object;
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// The usage of the installation's key that signs certificates.
pub const KEY: &str = "erasure";

struct Retired {
    public_key: String,
    retired_at: Timestamp,
}
from_row!(Retired {
    public_key,
    retired_at
});

impl Exchange {
    /// The key that signs certificates.
    pub(super) async fn erasure_seed(&self) -> Result<[u8; 32], Error> {
        self.installation_key(&Principal::system(), KEY).await
    }

    /// What certificates of this installation are checked with.
    pub async fn erasure_key(&self, principal: &Principal) -> Result<ErasureKey, Error> {
        can(principal, Operation::ErasureKeyRead, &Scope::NONE)?;
        self.erasure_keys().await
    }

    /// Makes a new key that signs from now on, and publishes the old one's public half.
    pub async fn erasure_key_rotate(&self, principal: &Principal) -> Result<ErasureKey, Error> {
        can(principal, Operation::ErasureKeyRotate, &Scope::NONE)?;
        // Before the change begins, for it may have to write.
        self.erasure_seed().await?;
        let mut change = self.change(principal).await?;
        let at = change.at();
        let (old, new) = self.installation_key_replace(&mut change, KEY).await?;
        let old = certificate::public_key(&old).map_err(Error::internal)?;
        let new = certificate::public_key(&new).map_err(Error::internal)?;
        sql!("insert into erasure_key_retired (public_key, retired_at) values ($1, $2)")
            .bind(&old)
            .bind(at)
            .execute(change.tx())
            .await?;
        change.note(
            Operation::ErasureKeyRotate,
            Object::new("erasure_key", key_id(&new)),
            json!({ "retired": key_id(&old) }),
        );
        change.commit().await?;
        self.erasure_keys().await
    }

    /// The key that signs, and those that did.
    pub(super) async fn erasure_keys(&self) -> Result<ErasureKey, Error> {
        let seed = self.erasure_seed().await?;
        let public_key = certificate::public_key(&seed).map_err(Error::internal)?;
        let retired: Vec<Retired> = sql!(
            "select public_key, retired_at from erasure_key_retired order by retired_at desc, public_key"
        )
        .all(self.db())
        .await?;
        Ok(ErasureKey {
            id: key_id(&public_key),
            algorithm: certificate::ALGORITHM.to_owned(),
            public_key,
            retired: retired
                .into_iter()
                .map(|key| RetiredKey {
                    id: key_id(&key.public_key),
                    public_key: key.public_key,
                    retired_at: key.retired_at,
                })
                .collect(),
        })
    }
}
