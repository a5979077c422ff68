//! What who asks for a product is told first: that their side has the same table already, that a replica of it is kept, or made, where
//! they read, and that another product has it.

use model::dto::Already;
use model::{
    Cloud, CutId, Location, Mode, ProductId, ProductName, ProductState, RecipientId, TeamId,
};

use super::is_visible;
use crate::db::DbError;
use crate::error::Error;
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// So many of each are told at the most.
const MOST: i64 = 20;

/// What the consumer's side has.
struct Had {
    product: ProductName,
    team_title: Option<String>,
    contact: Option<String>,
    is_own: bool,
    mode: Option<Mode>,
    is_same: bool,
    /// Of a replica: its first copy is still under way.
    is_pending: bool,
}
from_row!(Had {
    product,
    team_title,
    contact,
    is_own,
    mode,
    is_same,
    is_pending
});

/// A published product that has the same table.
struct Other {
    product: ProductName,
    team_id: TeamId,
    team_title: String,
    contact: String,
    cloud: Cloud,
    region: String,
    is_copy: bool,
}
from_row!(Other {
    product,
    team_id,
    team_title,
    contact,
    cloud,
    region,
    is_copy
});

impl Exchange {
    /// What the recipient's team, or another of its domain, has in the recipient's place already of this product or of one with the
    /// same tables, replicas of such tables there, and products that have such a table, those in the recipient's place first.
    ///
    /// Of a cut only who reads the same cut is told: whatever else there is holds more than is asked for.
    pub(crate) async fn already(
        &self,
        principal: &Principal,
        (product, cut): (ProductId, Option<CutId>),
        (recipient, team): (RecipientId, TeamId),
        at: &Location,
    ) -> Result<Vec<Already>, Error> {
        let had: Vec<Had> = sql!(
            "select distinct product.name as product, team.title as team_title, team.contact,
                 case when recipient.team_id = $2 then true else false end as is_own, access_grant.mode,
                 case when product.id = $1 then true else false end as is_same, false as is_pending
             from access_grant join recipient on recipient.id = access_grant.recipient_id
                 join team on team.id = recipient.team_id join product on product.id = access_grant.product_id
             where access_grant.desired = 'active' and access_grant.actual <> 'ended' and access_grant.until_at > $3
                 and (access_grant.cut_id = $8 or (access_grant.cut_id is null and $8 is null))
                 and recipient.cloud = $4 and recipient.region = $5
                 and (recipient.team_id = $2 or team.domain_id = (select domain_id from team where id = $2))
                 and (product.id <> $1 or recipient.id <> $6)
                 and (product.id = $1 or product.id in
                     (select other.product_id from product_table as mine
                          join product_table as other on other.lineage = mine.lineage
                      where mine.product_id = $1 and mine.removed_at is null and other.removed_at is null))
             order by product, team_title limit $7"
        )
        .bind(product)
        .bind(team)
        .bind(self.now())
        .bind(at.cloud)
        .bind(at.region())
        .bind(recipient)
        .bind(MOST)
        .bind(cut)
        .all(self.db())
        .await?;
        let what = match cut {
            Some(_) => "this cut",
            None => "this product",
        };
        let mut already: Vec<Already> = had.into_iter().map(|had| had.said(what, at)).collect();
        if cut.is_some() {
            return Ok(already);
        }
        let replicas = self.replicas_alike(product, at).await?;
        already.extend(replicas.into_iter().map(|had| had.said(what, at)));
        for other in self.others(product, at).await? {
            let is_told = already.iter().any(|told| told.product == other.product);
            let is_seen = is_visible(principal, other.team_id, ProductState::Published);
            if is_seen && !is_told {
                already.push(other.said(at)?);
            }
        }
        Ok(already)
    }

    /// Replicas of the same tables that are kept in a place for other products, also those whose first copy is under way.
    async fn replicas_alike(&self, product: ProductId, at: &Location) -> Result<Vec<Had>, DbError> {
        sql!(
            "select distinct product.name as product, cast(null as text) as team_title, cast(null as text) as contact,
                 false as is_own, cast(null as text) as mode, false as is_same,
                 case when replica.state = 'pending' then true else false end as is_pending
             from replica join storage on storage.id = replica.storage_id join product on product.id = replica.product_id
             where replica.state in ('pending', 'ready') and replica.cut_id is null and product.state = 'published'
                 and product.id <> $1
                 and storage.cloud = $2 and storage.region = $3
                 and product.id in
                     (select other.product_id from product_table as mine
                          join product_table as other on other.lineage = mine.lineage
                      where mine.product_id = $1 and mine.removed_at is null and other.removed_at is null)
             order by product limit $4"
        )
        .bind(product)
        .bind(at.cloud)
        .bind(at.region())
        .bind(MOST)
        .all(self.db())
        .await
    }

    /// Published products with the same tables, by lineage or likeness; those whose table lies in this place first.
    async fn others(&self, product: ProductId, at: &Location) -> Result<Vec<Other>, DbError> {
        sql!(
            "select product.name as product, product.team_id, team.title as team_title, team.contact, storage.cloud, storage.region,
                 case when max(twin.copied) = 1 then true else false end as is_copy,
                 case when storage.cloud = $2 and storage.region = $3 then 0 else 1 end as away
             from (select other.product_id, other.storage_id, 1 as copied from product_table as mine
                       join product_table as other on other.lineage = mine.lineage and other.product_id <> mine.product_id
                   where mine.product_id = $1 and mine.removed_at is null and other.removed_at is null
                   union all
                   select other.product_id, other.storage_id, 0 as copied from product_table as mine
                       join product_table as other on other.likeness = mine.likeness and other.product_id <> mine.product_id
                   where mine.product_id = $1 and mine.removed_at is null and other.removed_at is null) as twin
                 join product on product.id = twin.product_id join team on team.id = product.team_id
                 join storage on storage.id = twin.storage_id
             where product.state = 'published'
             group by product.name, product.team_id, team.title, team.contact, storage.cloud, storage.region
             order by away, product, storage.cloud, storage.region limit $4"
        )
        .bind(product)
        .bind(at.cloud)
        .bind(at.region())
        .bind(MOST)
        .all(self.db())
        .await
    }
}

impl Other {
    fn said(self, at: &Location) -> Result<Already, Error> {
        let place = Location::new(self.cloud, &self.region).map_err(Error::internal)?;
        let contact = match self.contact.as_str() {
            "" => String::new(),
            contact => format!(", {contact}"),
        };
        let what = match self.is_copy {
            true => "has the same table, or a copy of it,",
            false => "may have the same table, with the same columns, rows, files and bytes,",
        };
        let then = match place == *at {
            true => "Read there, it crosses no region.",
            false => "See what that one costs before you ask.",
        };
        Ok(Already {
            sentence: format!(
                "{} ({}{contact}) {what} in {place}. {then}",
                self.product, self.team_title
            ),
            product: self.product,
            mode: None,
        })
    }
}

impl Had {
    /// `same` is what is asked for.
    fn said(self, same: &str, at: &Location) -> Already {
        let product = &self.product;
        let what = match self.is_same {
            true => same.to_owned(),
            false => format!("{product}, which has the same table"),
        };
        let sentence = match (self.mode, self.is_own) {
            (None, _) if self.is_pending => format!(
                "A replica of the same table is being made in {at}, for {product}: its first copy is under way. Access to that one needs \
                 no second."
            ),
            (None, _) => format!(
                "A replica of the same table is kept in {at} already, for {product}. Access to that one needs no first copy."
            ),
            (Some(_), true) => format!(
                "Your team has access to {what} in {at} already. See whether that is enough before you ask."
            ),
            (Some(_), false) => {
                let team = self.team_title.as_deref().unwrap_or_default();
                let contact = match self.contact.as_deref().unwrap_or_default() {
                    "" => String::new(),
                    contact => format!(" ({contact})"),
                };
                format!(
                    "The team {team}{contact} of your domain has access to {what} in {at} already. Ask it before the same is fetched twice."
                )
            }
        };
        Already {
            product: self.product,
            mode: self.mode,
            sentence,
        }
    }
}
