//! What the sharing service asks of a recipient: what it may read right now, and where. Decided in the database at each call, so that
//! an end is felt at once on every process.

use model::{
    Cloud, CutId, GrantId, Location, Mode, Name, ProductId, ProductName, RecipientId, RowFilter,
    StorageId, TableId, Timestamp,
};

use crate::cuts::same_cut;
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// Where a recipient reads a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadFrom {
    /// The producer's own files.
    Producer,
    /// The verified replica in the recipient's region, at this source version.
    Replica { source_version: u64 },
}

/// Storage, path and location to read from, and whose files those are.
pub type Place<'a> = (StorageId, &'a str, Location, ReadFrom);

/// A table that a recipient may read right now.
#[derive(Clone, Debug)]
pub struct SharedTable {
    /// Who reads, and where that is.
    pub recipient: Name,
    recipient_cloud: Cloud,
    recipient_region: String,
    pub grant_id: GrantId,
    pub mode: Mode,
    pub until_at: Timestamp,
    pub product_id: ProductId,
    pub share: ProductName,
    pub schema: Name,
    pub table_name: Name,
    pub table_id: TableId,
    /// Why it is not shared at all, and why it is not cloned.
    refused_for: Option<String>,
    clone_refused_for: Option<String>,
    /// Whether readers may read older versions, and the change data feed, as its producer registered it.
    pub history: bool,
    /// The first version that is shared of its history; None: all.
    pub history_start: Option<u64>,
    pub change_data_feed: bool,
    row_filter: Option<String>,
    directory_access: bool,
    /// The cut that the grant opens, of which nothing but its replica is read; None for the whole product.
    pub cut_id: Option<CutId>,
    source_storage: StorageId,
    source_path: String,
    source_url: String,
    source_cloud: Cloud,
    source_region: String,
    replica_storage: Option<StorageId>,
    replica_path: Option<String>,
    replica_cloud: Option<Cloud>,
    replica_region: Option<String>,
    replica_source_version: Option<u64>,
    /// Since when that replica is later than its schedule promises.
    pub late_since: Option<Timestamp>,
    /// How many bytes of the producer's own the grant hands out in a day; see [`crate::access::LiveRead`].
    pub live_bytes_per_day: Option<u64>,
    /// When something was handed out for the grant for the first time.
    pub first_read_at: Option<Timestamp>,
    /// What the producer's table held when its log was last looked at.
    pub byte_count: Option<u64>,
    source_revision: i64,
    replica_revision: Option<i64>,
}
from_row!(SharedTable {
    recipient,
    recipient_cloud,
    recipient_region,
    grant_id,
    mode,
    until_at,
    product_id,
    share,
    schema,
    table_name,
    table_id,
    refused_for,
    clone_refused_for,
    history,
    history_start,
    change_data_feed,
    row_filter,
    directory_access,
    cut_id,
    source_storage,
    source_path,
    source_url,
    source_cloud,
    source_region,
    replica_storage,
    replica_path,
    replica_cloud,
    replica_region,
    replica_source_version,
    late_since,
    live_bytes_per_day,
    first_read_at,
    byte_count,
    source_revision,
    replica_revision
});

/// Why a granted table cannot be served; the feature in the Delta protocol's spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotServed<'a> {
    /// The table is not shared with anybody.
    Shared(&'a str),
    /// The grant is for a replica, and the table is not cloned.
    Cloned(&'a str),
}

impl SharedTable {
    /// None: it can be served.
    pub fn not_served(&self) -> Option<NotServed<'_>> {
        let shared = self.refused_for.as_deref().map(NotServed::Shared);
        let cloned = self.clone_refused_for.as_deref().map(NotServed::Cloned);
        shared.or(cloned.filter(|_| self.mode == Mode::Replica))
    }

    /// Where its recipient is.
    pub fn to(&self) -> Result<Location, Error> {
        Location::new(self.recipient_cloud, &self.recipient_region).map_err(Error::internal)
    }

    /// The rows that the grant opens; None: all.
    pub fn rows(&self) -> Result<Option<RowFilter>, Error> {
        super::scope::parsed(self.row_filter.as_deref())
    }

    /// Where the table's folder lies, if the grant gives a credential for it: never for a part of a table, nor for a replica, nor
    /// where the bytes of a day are counted, which nobody could then.
    pub fn directory(&self) -> Option<String> {
        let is_lent = self.directory_access
            && self.row_filter.is_none()
            && self.history_start.is_none()
            && self.cut_id.is_none()
            && self.live_bytes_per_day.is_none()
            && self.mode == Mode::Live
            && !self.source_url.starts_with("file:")
            && !self.source_url.starts_with("share:");
        is_lent.then(|| {
            let root = self.source_url.trim_end_matches('/');
            if self.source_path.is_empty() {
                root.to_owned()
            } else {
                format!("{root}/{}", self.source_path)
            }
        })
    }

    /// The revision of the storage that a place of this table is in.
    pub fn revision_of(&self, storage: StorageId) -> Option<i64> {
        match storage == self.source_storage {
            true => Some(self.source_revision),
            false => self.replica_revision,
        }
    }

    /// The producer's own table, which a grant on a cut never leads to.
    pub fn source(&self) -> Result<Place<'_>, Error> {
        if self.cut_id.is_some() {
            return Err(Error::internal(
                "a grant on a cut was about to be read at the source",
            ));
        }
        let location =
            Location::new(self.source_cloud, &self.source_region).map_err(Error::internal)?;
        Ok((
            self.source_storage,
            &self.source_path,
            location,
            ReadFrom::Producer,
        ))
    }

    /// Storage, path and location to read from. None: the replica is not there yet.
    pub fn place(&self) -> Result<Option<Place<'_>>, Error> {
        match self.mode {
            Mode::Live => self.source().map(Some),
            Mode::Replica => {
                match (
                    self.replica_storage,
                    &self.replica_path,
                    self.replica_cloud,
                    &self.replica_region,
                    self.replica_source_version,
                ) {
                    (
                        Some(storage),
                        Some(path),
                        Some(cloud),
                        Some(region),
                        Some(source_version),
                    ) => {
                        let location = Location::new(cloud, region).map_err(Error::internal)?;
                        Ok(Some((
                            storage,
                            path,
                            location,
                            ReadFrom::Replica { source_version },
                        )))
                    }
                    _ => Ok(None),
                }
            }
        }
    }
}

/// What a recipient is told of a product that it may read.
#[derive(Clone, Debug)]
pub struct SharedTitle {
    pub product_id: ProductId,
    pub title: String,
    pub description: String,
}
from_row!(SharedTitle {
    product_id,
    title,
    description
});

/// A grant as the reconciler looks at it.
#[derive(Clone, Debug)]
pub struct GrantReading {
    pub id: GrantId,
    pub recipient_id: RecipientId,
    pub recipient: Name,
    pub product_id: ProductId,
    pub product: ProductName,
    pub mode: Mode,
    pub cut_id: Option<CutId>,
    /// The name of that cut.
    pub cut: Option<Name>,
    /// Whether people want it and its time is not over.
    pub wanted: bool,
}

/// What a recipient reads right now, by the grant $3 alone where there is one; the last condition says by which names. Of one name
/// it is a text of its own: beside an `or` no index of names is used.
macro_rules! shared {
    ($named:literal) => {
        sql!(
            "select recipient.name as recipient, recipient.cloud as recipient_cloud, recipient.region as recipient_region,
                    access_grant.id as grant_id, access_grant.mode, until_at, product.id as product_id, product.name as share,
                    schema_name as schema, product_table.name as table_name, product_table.id as table_id, refused_for,
                    clone_refused_for,
                    product_table.history, product_table.history_start, product_table.change_data_feed,
                    access_grant.row_filter, access_grant.directory_access, access_grant.cut_id,
                    product_table.storage_id as source_storage, product_table.path as source_path, source.url as source_url, source.cloud as source_cloud,
                    source.region as source_region, target.id as replica_storage, replica_table.path as replica_path,
                    target.cloud as replica_cloud, target.region as replica_region,
                    replica_table.source_version as replica_source_version, replica.late_since,
                    access_grant.live_bytes_per_day, access_grant.first_read_at, product_table.byte_count,
                    source.revision as source_revision, target.revision as replica_revision
             from access_grant join product on product.id = access_grant.product_id
                 join recipient on recipient.id = access_grant.recipient_id
                 left join cut on cut.id = access_grant.cut_id
                 join product_table on product_table.product_id = product.id and removed_at is null
                     and (access_grant.cut_id is null or exists (select 1 from cut_table where cut_table.cut_id = cut.id
                              and cut_table.number = cut.edition and cut_table.table_id = product_table.id))
                 join storage as source on source.id = product_table.storage_id
                 left join storage as target on target.cloud = recipient.cloud and target.region = recipient.region
                     and exists (select 1 from replica where replica.product_id = product.id and replica.storage_id = target.id
                                     and replica.state in ('pending', 'ready') and ",
            same_cut!("replica", "access_grant"),
            ")
                 left join replica on replica.product_id = product.id and replica.storage_id = target.id
                     and replica.state in ('pending', 'ready') and ",
            same_cut!("replica", "access_grant"),
            " and not exists (select 1 from replica as earlier where earlier.cut_id = replica.cut_id
                              and earlier.storage_id = replica.storage_id and earlier.edition < replica.edition
                              and earlier.state in ('pending', 'ready'))
                 left join replica_table on replica_table.replica_id = replica.id and replica_table.table_id = product_table.id
                     and replica_table.state = 'ready'
             where access_grant.recipient_id = $1 and access_grant.desired = 'active' and access_grant.until_at > $2
                 and product.state <> 'draft' and (access_grant.id = $3 or $3 is null)",
            $named,
            "
             order by product.name, schema_name, product_table.name,
                 case when access_grant.mode = 'replica' and replica_table.source_version is null then 1 else 0 end,
                 case when access_grant.cut_id is null then 0 else 1 end,
                 case when access_grant.mode = 'replica' and replica_table.source_version is not null then 0
                     when access_grant.mode = 'live' then 1 else 2 end,
                 case when access_grant.row_filter is null then 0 else 1 end,
                 case when access_grant.directory_access then 0 else 1 end, until_at desc, access_grant.id"
        )
    };
}

impl Exchange {
    /// Every table that a recipient may read right now, in the order of share, schema and name; where several grants give
    /// the same table, the one that ends last counts, a replica that is there before live, and live before a replica that is not;
    /// the whole table before a cut of it. By a cut only the tables are given that its newest edition has, from the replica of the
    /// oldest edition that stands: where another one follows it, it ends as soon as that one does.
    pub async fn shared_tables(
        &self,
        principal: &Principal,
        recipient: RecipientId,
    ) -> Result<Vec<SharedTable>, Error> {
        self.shared_tables_by(principal, recipient, None).await
    }

    /// The same of one grant alone, as if the recipient had no other; of all when `only` is None.
    pub async fn shared_tables_by(
        &self,
        principal: &Principal,
        recipient: RecipientId,
        only: Option<GrantId>,
    ) -> Result<Vec<SharedTable>, Error> {
        self.shared(principal, recipient, only, None).await
    }

    /// One of [`Exchange::shared_tables_by`], by the names of share, schema and table in lower case: what each request for a table
    /// asks, however many others its reader has.
    pub async fn shared_table(
        &self,
        principal: &Principal,
        recipient: RecipientId,
        only: Option<GrantId>,
        names: (&str, &str, &str),
    ) -> Result<Option<SharedTable>, Error> {
        let rows = self.shared(principal, recipient, only, Some(names)).await?;
        Ok(rows.into_iter().next())
    }

    async fn shared(
        &self,
        principal: &Principal,
        recipient: RecipientId,
        only: Option<GrantId>,
        names: Option<(&str, &str, &str)>,
    ) -> Result<Vec<SharedTable>, Error> {
        can(principal, Operation::ShareRead, &Scope::NONE)?;
        let query = match names {
            None => shared!(""),
            Some(_) => {
                shared!(" and product.name = $4 and schema_name = $5 and product_table.name = $6")
            }
        };
        let query = query.bind(recipient).bind(self.now()).bind(only);
        let query = match names {
            None => query,
            Some((share, schema, table)) => query.bind(share).bind(schema).bind(table),
        };
        let mut rows: Vec<SharedTable> = query.all(self.db()).await?;
        rows.dedup_by_key(|row| row.table_id);
        Ok(rows)
    }

    /// How the products are called for people, each once, that a recipient may read right now: apart from their tables,
    /// because a description may be long and only lists show it.
    pub async fn shared_titles(
        &self,
        principal: &Principal,
        recipient: RecipientId,
    ) -> Result<Vec<SharedTitle>, Error> {
        can(principal, Operation::ShareRead, &Scope::NONE)?;
        Ok(sql!(
            "select product.id as product_id, title, description from product
             where state <> 'draft' and exists (
                 select 1 from access_grant where access_grant.product_id = product.id and recipient_id = $1
                     and desired = 'active' and until_at > $2)
             order by product.name"
        )
        .bind(recipient)
        .bind(self.now())
        .all(self.db())
        .await?)
    }

    /// A grant as the reconciler looks at it; None when it is gone.
    pub async fn grant_reading(
        &self,
        principal: &Principal,
        id: GrantId,
    ) -> Result<Option<GrantReading>, Error> {
        can(principal, Operation::GrantObserve, &Scope::NONE)?;
        let row = sql!("select recipient_id from access_grant where id = $1")
            .bind(id)
            .row(self.db())
            .await?;
        let (Some(row), Some(record)) = (row, self.grant_record(self.db(), id).await?) else {
            return Ok(None);
        };
        Ok(Some(GrantReading {
            cut_id: record.cut_id,
            cut: record.cut.clone(),
            id,
            recipient_id: row.get("recipient_id")?,
            recipient: record.recipient.clone(),
            product_id: record.product_id,
            product: record.product.clone(),
            mode: record.mode,
            wanted: record.is_wanted(self.now()),
        }))
    }
}
