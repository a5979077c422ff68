//! What belongs to the installation as a whole and must be the same on every process: keys that sign what Entrepôt itself
//! hands out. They are made at first use and kept sealed.

use secrecy::{ExposeSecret as _, SecretString};

use crate::change::Change;
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::ports::Sealed;
use crate::principal::Principal;
use crate::storages::unavailable;
use crate::{Exchange, sql};

/// The settings that hold such keys.
pub(crate) const KEYS: &str = "key.";

/// What a sealed setting is bound to.
pub(crate) fn place_of(name: &str) -> String {
    format!("setting|{name}|value")
}

/// A sealed value as a setting holds it.
pub(crate) fn text_of(sealed: &Sealed) -> String {
    format!("{}:{}", sealed.key_id, hex::encode(&sealed.bytes))
}

pub(crate) fn sealed_of(text: &str) -> Result<Sealed, Error> {
    let (key_id, bytes) = text
        .split_once(':')
        .ok_or_else(|| Error::internal("a stored key has no key id"))?;
    Ok(Sealed {
        key_id: key_id.to_owned(),
        bytes: hex::decode(bytes).map_err(Error::internal)?,
    })
}

impl Exchange {
    /// The installation's key for one use (`gateway`, `pages`): 32 random bytes, made by whoever asks first.
    pub async fn installation_key(
        &self,
        principal: &Principal,
        usage: &str,
    ) -> Result<[u8; 32], Error> {
        can(principal, Operation::ShareRead, &Scope::NONE)?;
        let name = format!("{KEYS}{usage}");
        if self.setting(&name).await?.is_none() {
            let (_, sealed) = self.fresh_key(&name)?;
            // Two processes start at once: the first one's key counts.
            sql!("insert into setting (name, value, updated_at) values ($1, $2, $3) on conflict (name) do nothing")
                .bind(&name)
                .bind(sealed)
                .bind(self.now())
                .execute(self.db())
                .await?;
        }
        let stored = self.setting(&name).await?.unwrap_or_default();
        self.opened_key(&name, &stored)
    }

    /// Puts a new key in the place of one that is there, as part of a change. Answers both; of the old one nothing is kept.
    pub(crate) async fn installation_key_replace(
        &self,
        change: &mut Change,
        usage: &str,
    ) -> Result<([u8; 32], [u8; 32]), Error> {
        let name = format!("{KEYS}{usage}");
        // Held, so that it is this one that goes.
        sql!("update setting set updated_at = updated_at where name = $1")
            .bind(&name)
            .execute(change.tx())
            .await?;
        let row = sql!("select value from setting where name = $1")
            .bind(&name)
            .row(change.tx())
            .await?;
        let stored: Option<String> = row.map(|row| row.get("value")).transpose()?;
        let old = self.opened_key(&name, &stored.unwrap_or_default())?;
        let (new, sealed) = self.fresh_key(&name)?;
        let at = change.at();
        sql!("update setting set value = $1, updated_at = $2 where name = $3")
            .bind(sealed)
            .bind(at)
            .bind(&name)
            .execute(change.tx())
            .await?;
        Ok((old, new))
    }

    /// 32 random bytes, and as a setting holds them.
    fn fresh_key(&self, name: &str) -> Result<([u8; 32], String), Error> {
        let mut fresh = [0_u8; 32];
        getrandom::fill(&mut fresh).map_err(|error| Error::internal(error.to_string()))?;
        let keys = &self.ports().keys;
        let sealed = keys
            .seal(&place_of(name), &SecretString::from(hex::encode(fresh)))
            .map_err(unavailable)?;
        Ok((fresh, text_of(&sealed)))
    }

    fn opened_key(&self, name: &str, stored: &str) -> Result<[u8; 32], Error> {
        let keys = &self.ports().keys;
        let opened = keys
            .open(&place_of(name), &sealed_of(stored)?)
            .map_err(unavailable)?;
        let mut key = [0_u8; 32];
        hex::decode_to_slice(opened.expose_secret(), &mut key).map_err(Error::internal)?;
        Ok(key)
    }

    async fn setting(&self, name: &str) -> Result<Option<String>, Error> {
        let row = sql!("select value from setting where name = $1")
            .bind(name)
            .row(self.db())
            .await?;
        Ok(row.map(|row| row.get("value")).transpose()?)
    }
}

#[cfg(test)]
mod tests {
    use crate::principal::Principal;
    use crate::testing::TestExchange;

    #[tokio::test]
    async fn keys_are_made_once_and_differ_by_use() {
        for test in TestExchange::start_each().await.unwrap() {
            let system = Principal::system();
            let first = test
                .exchange
                .installation_key(&system, "gateway")
                .await
                .unwrap();
            assert_eq!(
                test.exchange
                    .installation_key(&system, "gateway")
                    .await
                    .unwrap(),
                first
            );
            assert_ne!(
                test.exchange
                    .installation_key(&system, "pages")
                    .await
                    .unwrap(),
                first
            );
            assert!(
                test.exchange
                    .installation_key(&Principal::operator(), "pages")
                    .await
                    .is_err()
            );
        }
    }
}
