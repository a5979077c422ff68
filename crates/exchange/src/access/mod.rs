//! Access: recipients and their credentials, what access would cost, requests, decisions, grants, and what the sharing
//! service asks of them.
//!
//! People write what they want; only [`Exchange::grant_reconcile`](crate::Exchange::grant_reconcile) writes what is.

mod activation;
mod by_cut;
mod decisions;
mod ended;
mod federation;
mod grants;
mod later;
mod leaks;
mod limits;
mod moving;
mod offers;
mod open;
mod queries;
mod quota;
mod readers;
mod reading;
mod recipients;
mod reconcile;
mod requests;
mod rotation;
mod scope;
mod telling;
mod waiting;

#[cfg(test)]
mod tests;

use model::{
    AccessPolicy, Addresses, Classification, Cloud, Location, Name, Payer, ProductId, ProductName,
    ProductState, RecipientId, Stage, TeamId,
};

pub(crate) use by_cut::LIVE_CUT;
pub(crate) use decisions::REPLACED;
pub use ended::EndedAccess;
pub(crate) use federation::STRANGE_ISSUER;
pub use federation::Word;
pub use later::{Later, LaterNew, LaterState};
pub use leaks::could_be_leaked;
pub(crate) use limits::{MOST_ADDRESSES, MOST_REQUESTS};
pub(crate) use moving::STAYS;
pub use open::Opened;
pub use queries::{QueryLogNew, ShareAnswer, ShareQueryFilter};
pub use quota::{LiveRead, parse_bytes};
pub use readers::{ReaderRecord, ReaderRefused, TurnedAway};
pub use reading::{GrantReading, NotServed, Place, ReadFrom, SharedTable, SharedTitle};
pub use reconcile::NextLook;
pub(crate) use requests::LONGEST;
pub(crate) use scope::{Narrowed, check_scope};
pub use waiting::RequestFilter;

use crate::catalog::is_visible;
use crate::db::On;
use crate::error::Error;
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// Products as [`ProductInfo`] reads them.
macro_rules! product_info_rows {
    () => {
        "select product.id, product.name, team_id, team.name as team, cost_center, classification, access_policy, state,
         payer, baseline_days
         from product join team on team.id = team_id"
    };
}

/// What access needs to know of a product.
#[derive(Clone, Debug)]
pub(crate) struct ProductInfo {
    pub id: ProductId,
    pub name: ProductName,
    pub team_id: TeamId,
    pub team: Name,
    pub cost_center: String,
    pub classification: Classification,
    pub access_policy: AccessPolicy,
    pub state: ProductState,
    pub payer: Payer,
    pub baseline_days: i64,
}
from_row!(ProductInfo {
    id,
    name,
    team_id,
    team,
    cost_center,
    classification,
    access_policy,
    state,
    payer,
    baseline_days
});

impl ProductInfo {
    pub(crate) fn is_personal(&self) -> bool {
        self.classification == Classification::Personal
    }

    pub(crate) fn is_visible_to(&self, principal: &Principal) -> bool {
        is_visible(principal, self.team_id, self.state)
    }

    /// Who has to say yes, in order.
    pub(crate) fn stages(&self) -> Vec<Stage> {
        match (self.is_personal(), self.access_policy) {
            (true, _) => vec![Stage::Owner, Stage::DataProtection],
            (false, AccessPolicy::Auto) => vec![Stage::Policy],
            (false, AccessPolicy::Owner) => vec![Stage::Owner],
        }
    }

    /// The stages that still wait. A declaration speaks for the owner, and for nobody else.
    pub(crate) fn open_stages(&self, decided: &[Stage]) -> Vec<Stage> {
        let declared = decided.contains(&Stage::Declared);
        self.stages()
            .into_iter()
            .filter(|stage| !decided.contains(stage))
            .filter(|stage| !(declared && matches!(stage, Stage::Owner | Stage::Policy)))
            .collect()
    }
}

/// Where a declared grant stands: file, commit, and its name there.
#[derive(Clone, Debug)]
pub(crate) struct DeclaredAs {
    /// `file@commit`
    pub source: String,
    pub name: Name,
}

/// Recipients as [`RecipientInfo`] reads them.
macro_rules! recipient_rows {
    () => {
        "select recipient.id, recipient.name, team_id, team.name as team, cost_center, cloud, region, recipient.revision,
             addresses, requests_per_minute
         from recipient join team on team.id = team_id"
    };
}
pub(crate) use recipient_rows;

/// A recipient's row.
#[derive(Clone, Debug)]
pub(crate) struct RecipientInfo {
    pub id: RecipientId,
    pub name: Name,
    pub team_id: TeamId,
    pub team: Name,
    pub cost_center: String,
    pub cloud: Cloud,
    pub region: String,
    pub revision: i64,
    pub addresses: Addresses,
    pub requests_per_minute: Option<u32>,
}
from_row!(RecipientInfo {
    id,
    name,
    team_id,
    team,
    cost_center,
    cloud,
    region,
    revision,
    addresses,
    requests_per_minute
});

impl RecipientInfo {
    pub(crate) fn location(&self) -> Result<Location, Error> {
        Location::new(self.cloud, &self.region).map_err(Error::internal)
    }
}

impl Exchange {
    pub(crate) async fn product_info<'a>(
        &self,
        on: impl Into<On<'a>>,
        name: &str,
    ) -> Result<Option<ProductInfo>, Error> {
        Ok(sql!(product_info_rows!(), " where product.name = $1")
            .bind(name)
            .first(on)
            .await?)
    }

    pub(crate) async fn product_info_by_id<'a>(
        &self,
        on: impl Into<On<'a>>,
        id: ProductId,
    ) -> Result<Option<ProductInfo>, Error> {
        Ok(sql!(product_info_rows!(), " where product.id = $1")
            .bind(id)
            .first(on)
            .await?)
    }

    /// The product, if the caller may know of it.
    pub(crate) async fn visible_product(
        &self,
        principal: &Principal,
        name: &str,
    ) -> Result<ProductInfo, Error> {
        self.product_info(self.db(), name)
            .await?
            .filter(|product| product.is_visible_to(principal))
            .ok_or(Error::NotFound("product"))
    }

    /// For a list of one product's rows: a name that leads nowhere is a mistake, and no empty list.
    pub(crate) async fn filter_by(
        &self,
        principal: &Principal,
        product: Option<&str>,
    ) -> Result<(), Error> {
        if let Some(name) = product {
            self.visible_product(principal, name).await?;
        }
        Ok(())
    }

    pub(crate) async fn recipient_info(&self, name: &str) -> Result<Option<RecipientInfo>, Error> {
        Ok(sql!(recipient_rows!(), " where recipient.name = $1")
            .bind(name)
            .first(self.db())
            .await?)
    }

    pub(crate) async fn recipient_info_by_id<'a>(
        &self,
        on: impl Into<On<'a>>,
        id: RecipientId,
    ) -> Result<Option<RecipientInfo>, Error> {
        Ok(sql!(recipient_rows!(), " where recipient.id = $1")
            .bind(id)
            .first(on)
            .await?)
    }
}
