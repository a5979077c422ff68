//! The same table under another name: what tells tables from one another wherever they lie is kept when a log is read, so that one query
//! finds the copies of a product's tables, and what the consumer's side has of them already.
//!
//! Nobody learns of a product that they may not see more than that it is there, and that only who holds a copy of its table.

use model::dto::{Alike, Already, Inspection};
use model::{
    Cloud, Location, Mode, Name, ProductId, ProductName, ProductState, RecipientId, TeamId,
};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::db::{DbError, On};
use crate::error::Error;
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// So many are told at the most.
const MOST: i64 = 20;

/// A table of another product.
struct Twin {
    mine: Option<String>,
    schema_name: Name,
    name: Name,
    product: ProductName,
    team_id: TeamId,
    state: ProductState,
    team_title: String,
    contact: String,
    cloud: Cloud,
    region: String,
    is_copy: bool,
}
from_row!(Twin {
    mine,
    schema_name,
    name,
    product,
    team_id,
    state,
    team_title,
    contact,
    cloud,
    region,
    is_copy
});

/// What the consumer's side has.
struct Had {
    product: ProductName,
    team_title: Option<String>,
    contact: Option<String>,
    is_own: bool,
    mode: Option<Mode>,
    is_same: bool,
}
from_row!(Had {
    product,
    team_title,
    contact,
    is_own,
    mode,
    is_same
});

/// Other products' tables, with what is told of them.
macro_rules! twins {
    ($mine:literal, $is_copy:literal, $from:literal) => {
        concat!(
            "select ",
            $mine,
            " as mine, other.schema_name as schema_name, other.name as name, product.name as product, product.team_id, product.state,
                 team.title as team_title, team.contact, storage.cloud, storage.region, ",
            $is_copy,
            " as is_copy from ",
            $from,
            " join product on product.id = other.product_id join team on team.id = product.team_id
              join storage on storage.id = other.storage_id
              where other.removed_at is null and product.state <> 'retired' "
        )
    };
}

/// A hash by which tables that hold the same are found though nothing says so: of columns, partitions, rows, files and bytes. None
/// where that would say little.
pub(super) fn likeness(found: &Inspection) -> Option<String> {
    let rows = found.rows.filter(|rows| *rows > 0)?;
    if found.columns.is_empty() || found.files == 0 || found.bytes == 0 {
        return None;
    }
    let mut hash = Sha256::new();
    for column in &found.columns {
        hash.update(column.name.as_bytes());
        hash.update([0]);
        hash.update(column.type_text.as_bytes());
        hash.update([0]);
    }
    for column in &found.partition_columns {
        hash.update([1]);
        hash.update(column.as_bytes());
    }
    for number in [rows, found.files, found.bytes] {
        hash.update(number.to_le_bytes());
    }
    Some(hex::encode(&hash.finalize()[..16]))
}

/// By what copies of a table are found: what its log says. Where that is one of our replicas, the table it is made from.
pub(super) async fn lineage<'a>(
    on: impl Into<On<'a>>,
    found: &Inspection,
) -> Result<Option<String>, DbError> {
    let Some(told) = found.lineage.as_deref().filter(|told| !told.is_empty()) else {
        return Ok(None);
    };
    if let Ok(id) = Uuid::try_parse(told) {
        let source = sql!(
            "select lineage from replica_table join product_table on product_table.id = replica_table.table_id
             where replica_table.id = $1"
        )
        .bind(id)
        .row(on)
        .await?;
        if let Some(row) = source
            && let Some(source) = row.get::<Option<String>>("lineage")?
        {
            return Ok(Some(source));
        }
    }
    Ok(Some(told.to_owned()))
}

impl Exchange {
    /// The tables of other products that are the same as this product's, or copies of them.
    pub(super) async fn alike_of(
        &self,
        principal: &Principal,
        product: ProductId,
    ) -> Result<Vec<Alike>, Error> {
        let twins: Vec<Twin> = sql!(
            twins!(
                "mine.schema_name || '.' || mine.name",
                "true",
                "product_table as mine join product_table as other on other.lineage = mine.lineage and other.product_id <> mine.product_id"
            ),
            "and mine.product_id = $1 and mine.removed_at is null union all ",
            twins!(
                "mine.schema_name || '.' || mine.name",
                "false",
                "product_table as mine join product_table as other on other.likeness = mine.likeness and other.product_id <> mine.product_id"
            ),
            "and mine.product_id = $1 and mine.removed_at is null
                 and (other.lineage <> mine.lineage or other.lineage is null or mine.lineage is null)
             order by mine, product, schema_name, name limit $2"
        )
        .bind(product)
        .bind(MOST)
        .all(self.db())
        .await?;
        told(principal, twins)
    }

    /// The same of a table that was looked at and is not registered.
    pub(super) async fn alike_inspected(
        &self,
        principal: &Principal,
        found: &Inspection,
    ) -> Result<Vec<Alike>, Error> {
        let lineage = lineage(self.db(), found).await?;
        let twins: Vec<Twin> = sql!(
            twins!(
                "cast(null as text)",
                "case when other.lineage = $1 then true else false end",
                "product_table as other"
            ),
            "and (other.lineage = $1 or other.likeness = $2)
             order by product, schema_name, name limit $3"
        )
        .bind(lineage)
        .bind(likeness(found))
        .bind(MOST)
        .all(self.db())
        .await?;
        told(principal, twins)
    }

    /// What the recipient's team, or another of its domain, has in the recipient's place already of this product or of one with the
    /// same tables, and replicas of such tables there.
    pub(crate) async fn already(
        &self,
        product: ProductId,
        (recipient, team): (RecipientId, TeamId),
        at: &Location,
    ) -> Result<Vec<Already>, Error> {
        let mut had: Vec<Had> = sql!(
            "select distinct product.name as product, team.title as team_title, team.contact,
                 case when recipient.team_id = $2 then true else false end as is_own, access_grant.mode,
                 case when product.id = $1 then true else false end as is_same
             from access_grant join recipient on recipient.id = access_grant.recipient_id
                 join team on team.id = recipient.team_id join product on product.id = access_grant.product_id
             where access_grant.desired = 'active' and access_grant.actual <> 'ended' and access_grant.until_at > $3
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
        .all(self.db())
        .await?;
        let replicas: Vec<Had> = sql!(
            "select distinct product.name as product, cast(null as text) as team_title, cast(null as text) as contact,
                 false as is_own, cast(null as text) as mode,
                 false as is_same
             from replica join storage on storage.id = replica.storage_id join product on product.id = replica.product_id
             where replica.state = 'ready' and replica.cut_id is null and product.state = 'published' and product.id <> $1
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
        .await?;
        had.extend(replicas);
        Ok(had.into_iter().map(|had| had.said(at)).collect())
    }
}

impl Had {
    fn said(self, at: &Location) -> Already {
        let product = &self.product;
        let what = match self.is_same {
            true => "this product".to_owned(),
            false => format!("{product}, which has the same table"),
        };
        let sentence = match (self.mode, self.is_own) {
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

/// As far as the caller may know.
fn told(principal: &Principal, twins: Vec<Twin>) -> Result<Vec<Alike>, Error> {
    let mut told: Vec<Alike> = Vec::new();
    for twin in twins {
        let seen = principal.sees_all()
            || principal.is_member(twin.team_id)
            || twin.state != ProductState::Draft;
        let place = Location::new(twin.cloud, &twin.region).map_err(Error::internal)?;
        let alike = match (seen, twin.is_copy) {
            (true, is_copy) => {
                let other = format!("{}.{}", twin.schema_name, twin.name);
                let contact = match twin.contact.as_str() {
                    "" => String::new(),
                    contact => format!(", {contact}"),
                };
                let (product, team) = (&twin.product, &twin.team_title);
                let what = match is_copy {
                    true => "is the same table, or one is a copy of the other: their logs say so",
                    false => "may be the same table: it has the same columns, rows, files and bytes",
                };
                Alike {
                    table: twin.mine,
                    sentence: format!(
                        "{other} of {product} ({team}{contact}) in {place} {what}. One product for both is fetched and paid for once."
                    ),
                    product: Some(twin.product),
                    other: Some(other),
                    is_copy,
                }
            }
            (false, true) => Alike {
                table: twin.mine,
                product: None,
                other: None,
                is_copy: true,
                sentence: "The same table, or a copy of it, is in a product that is not published yet. Ask an admin which."
                    .to_owned(),
            },
            // That something has as many rows is nobody's business.
            (false, false) => continue,
        };
        if !told.contains(&alike) {
            told.push(alike);
        }
    }
    Ok(told)
}
