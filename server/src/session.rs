//! Sessions of browsers: the store over the exchange's table, which keeps a hash of the id only, and what a session holds: a
//! person, and a flash.

use std::fmt;

use app::ctx::Flash;
use async_trait::async_trait;
use exchange::{Error, Exchange};
use model::PersonId;
use tower_sessions::cookie::SameSite;
use tower_sessions::cookie::time::{Duration, OffsetDateTime};
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{self, SessionStore};
use tower_sessions::{Expiry, Session, SessionManagerLayer};

use crate::config::PublicUrl;

const PERSON: &str = "person";
const FLASH: &str = "flash";
/// Of the sign-in page: being refused there loses nothing that waits for another page.
const FLASH_OF_SIGN_IN: &str = "flash_of_sign_in";

/// The cookie's name. With `__Host-` browsers take it over https only, for this host only.
pub fn cookie_name(url: &PublicUrl) -> &'static str {
    if url.is_https() {
        "__Host-entrepot"
    } else {
        "entrepot"
    }
}

/// The layer that reads the cookie and writes it where a session was changed.
pub fn layer(exchange: Exchange, url: &PublicUrl) -> SessionManagerLayer<Store> {
    let lifetime = Duration::microseconds(exchange.options().session_lifetime);
    SessionManagerLayer::new(Store { exchange })
        .with_name(cookie_name(url))
        .with_http_only(true)
        .with_secure(url.is_https())
        .with_same_site(SameSite::Lax)
        .with_path("/")
        .with_expiry(Expiry::OnInactivity(lifetime))
}

/// Whose session it is.
pub async fn person(session: &Session) -> Result<Option<PersonId>, Error> {
    session.get(PERSON).await.map_err(Error::internal)
}

/// Makes the session a person's, under a new id: whoever knew the old one has nothing.
pub async fn sign_in(session: &Session, person: PersonId) -> Result<(), Error> {
    session.cycle_id().await.map_err(Error::internal)?;
    session
        .insert(PERSON, person)
        .await
        .map_err(Error::internal)
}

/// Ends the session, in the database too.
pub async fn sign_out(session: &Session) -> Result<(), Error> {
    session.flush().await.map_err(Error::internal)
}

/// Keeps the flash for the page `at`: whoever has to sign in on the way there finds it all the same. One at a time.
pub async fn put_flash(session: &Session, at: &str, flash: &Flash) -> Result<(), Error> {
    let path = at.split('?').next().unwrap_or_default();
    session
        .insert(key_of(path), (path, flash))
        .await
        .map_err(Error::internal)
}

/// The flash for the page with this path, which is gone with this.
pub async fn take_flash(session: &Session, path: &str) -> Result<Flash, Error> {
    let key = key_of(path);
    let found: Option<(String, Flash)> = session.get(key).await.map_err(Error::internal)?;
    match found {
        Some((at, flash)) if at == path => {
            session.remove_value(key).await.map_err(Error::internal)?;
            Ok(flash)
        }
        _ => Ok(Flash::default()),
    }
}

fn key_of(path: &str) -> &'static str {
    if path == "/sign-in" {
        FLASH_OF_SIGN_IN
    } else {
        FLASH
    }
}

/// Keeps sessions in the exchange's database. How long they live is the exchange's to say, by its clock.
#[derive(Clone)]
pub struct Store {
    exchange: Exchange,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Store")
    }
}

fn backend(error: Error) -> session_store::Error {
    session_store::Error::Backend(match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    })
}

/// Which person a record is of, and the record as text.
fn encode(record: &Record) -> session_store::Result<(Option<PersonId>, String)> {
    let person = record
        .data
        .get(PERSON)
        .map(|person| serde_json::from_value(person.clone()))
        .transpose()
        .map_err(|error| session_store::Error::Encode(error.to_string()))?;
    let data = serde_json::to_string(&record.data)
        .map_err(|error| session_store::Error::Encode(error.to_string()))?;
    Ok((person, data))
}

#[async_trait]
impl SessionStore for Store {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        let (person, data) = encode(record)?;
        loop {
            let id = record.id.to_string();
            let saved = self.exchange.session_save(&id, person, &data, true).await;
            if saved.map_err(backend)? {
                return Ok(());
            }
            record.id = Id::default();
        }
    }

    /// A session that was ended meanwhile stays ended.
    async fn save(&self, record: &Record) -> session_store::Result<()> {
        let (person, data) = encode(record)?;
        let id = record.id.to_string();
        let saved = self.exchange.session_save(&id, person, &data, false).await;
        saved.map(|_| ()).map_err(backend)
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let found = self.exchange.session_load(&id.to_string()).await;
        let Some(found) = found.map_err(backend)? else {
            return Ok(None);
        };
        let data = serde_json::from_str(&found.data)
            .map_err(|error| session_store::Error::Decode(error.to_string()))?;
        let seconds = found.expires_at.millis().div_euclid(1_000);
        let expiry_date = OffsetDateTime::from_unix_timestamp(seconds)
            .map_err(|error| session_store::Error::Decode(error.to_string()))?;
        Ok(Some(Record {
            id: *id,
            data,
            expiry_date,
        }))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        let deleted = self.exchange.session_delete(&id.to_string()).await;
        deleted.map_err(backend)
    }
}
