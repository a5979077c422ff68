//! Who reads: whose credential it is that the sharing service was shown, and whether it counts. Decided in the database at each call, so
//! that an end is felt at once on every process.

use std::net::IpAddr;

use model::{Addresses, Cloud, Location, Name, RecipientId, RecipientTokenId, TeamId, Timestamp};

use crate::db::FromRow as _;
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::secret::{self, TokenKind};
use crate::{Exchange, from_row, sql};

/// Who reads.
#[derive(Clone, Debug)]
pub struct ReaderRecord {
    pub id: RecipientId,
    pub name: Name,
    pub team_id: TeamId,
    cloud: Cloud,
    region: String,
    pub(super) addresses: Addresses,
    /// None: as many as the installation lets any.
    pub requests_per_minute: Option<u32>,
}
from_row!(ReaderRecord {
    id,
    name,
    team_id,
    cloud,
    region,
    addresses,
    requests_per_minute
});

impl ReaderRecord {
    pub fn location(&self) -> Result<Location, Error> {
        Location::new(self.cloud, &self.region).map_err(Error::internal)
    }
}

/// Why a credential is not accepted. `urls_until`: until when URLs still work that stores have signed for its holder; None when
/// none does. Those of the gateway ended with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReaderRefused {
    #[error("this is not a valid credential")]
    Unknown,
    #[error("this credential has expired; download a new profile")]
    Expired { urls_until: Option<Timestamp> },
    #[error("this credential was revoked; download a new profile")]
    Revoked { urls_until: Option<Timestamp> },
    #[error(
        "this recipient may not be used from your address; ask its team to put the address on the recipient's list"
    )]
    Elsewhere,
}

/// A credential that is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnedAway {
    pub why: ReaderRefused,
    /// Whose it is; None: nobody's we know.
    pub whose: Option<(RecipientId, Name)>,
}

impl TurnedAway {
    pub(super) const STRANGER: Self = Self {
        why: ReaderRefused::Unknown,
        whose: None,
    };

    pub(super) fn known(reader: ReaderRecord, why: ReaderRefused) -> Self {
        Self {
            why,
            whose: Some((reader.id, reader.name)),
        }
    }
}

/// What decides whether a credential counts.
struct TokenRow {
    expires_at: Timestamp,
    revoked_at: Option<Timestamp>,
    store_urls_until: Option<Timestamp>,
}
from_row!(TokenRow {
    expires_at,
    revoked_at,
    store_urls_until
});

impl TokenRow {
    /// None: it counts.
    fn refused(&self, now: Timestamp) -> Option<ReaderRefused> {
        let urls_until = self.store_urls_until.filter(|until| *until > now);
        if self.revoked_at.is_some() {
            return Some(ReaderRefused::Revoked { urls_until });
        }
        (self.expires_at <= now).then_some(ReaderRefused::Expired { urls_until })
    }
}

impl Exchange {
    /// Whose credential this is, and which of theirs. A token with a wrong checksum is refused without asking the database. `from`
    /// is the address that it is used from, where that is known.
    pub async fn reader_of_token(
        &self,
        principal: &Principal,
        token: &str,
        from: Option<IpAddr>,
    ) -> Result<Result<(ReaderRecord, RecipientTokenId), TurnedAway>, Error> {
        can(principal, Operation::ShareRead, &Scope::NONE)?;
        if !secret::is_well_formed(TokenKind::Recipient, token) {
            return Ok(Err(TurnedAway::STRANGER));
        }
        let row = sql!(
            "select recipient.id, recipient.name, team_id, cloud, region, addresses, requests_per_minute,
                 recipient_token.id as token_id, expires_at, revoked_at, store_urls_until
             from recipient_token join recipient on recipient.id = recipient_id where hash = $1"
        )
        .bind(secret::hash(token))
        .row(self.db())
        .await?;
        let Some(row) = row else {
            return Ok(Err(TurnedAway::STRANGER));
        };
        let reader = ReaderRecord::from_row(&row)?;
        if let Some(why) = TokenRow::from_row(&row)?.refused(self.now()) {
            return Ok(Err(TurnedAway::known(reader, why)));
        }
        if !reader.addresses.let_in(from) {
            return Ok(Err(TurnedAway::known(reader, ReaderRefused::Elsewhere)));
        }
        Ok(Ok((reader, row.get("token_id")?)))
    }

    /// Why a credential that was accepted before is no longer; None while it counts.
    pub async fn token_refused(
        &self,
        principal: &Principal,
        id: RecipientTokenId,
    ) -> Result<Option<ReaderRefused>, Error> {
        can(principal, Operation::ShareRead, &Scope::NONE)?;
        let row: Option<TokenRow> = sql!(
            "select expires_at, revoked_at, store_urls_until from recipient_token where id = $1"
        )
        .bind(id)
        .first(self.db())
        .await?;
        let row = match row {
            Some(row) => Some(row),
            // A word that lets somebody in has no end of its own; its token's is the issuer's to say.
            None => {
                sql!(
                    "select case when ended_at is null then $2 else ended_at end as expires_at, ended_at as revoked_at,
                         store_urls_until
                     from recipient_federation where id = $1"
                )
                .bind(id)
                .bind(Timestamp::from_micros(i64::MAX))
                .first(self.db())
                .await?
            }
        };
        Ok(row.map_or(Some(ReaderRefused::Unknown), |row: TokenRow| {
            row.refused(self.now())
        }))
    }

    /// A recipient by its id: for the reconciler, which looks with the recipient's identity but has no token.
    pub async fn reader(
        &self,
        principal: &Principal,
        id: RecipientId,
    ) -> Result<Option<ReaderRecord>, Error> {
        can(principal, Operation::ShareRead, &Scope::NONE)?;
        Ok(
            sql!("select id, name, team_id, cloud, region, addresses, requests_per_minute from recipient where id = $1")
                .bind(id)
                .first(self.db())
                .await?,
        )
    }
}
