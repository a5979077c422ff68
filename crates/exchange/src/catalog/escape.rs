//! A Delta log that points out of its table is an incident, not a mistake (C-13): whoever finds one writes it into the audit
//! log, with the product, the table and the version of the log.

use model::time::HOUR;
use model::{Name, ProductName, StorageId};
use serde_json::json;

use crate::audit::Object;
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::ports::{Problem, StorageAccess};
use crate::principal::Principal;
use crate::{Exchange, sql};

/// What the audit log calls it.
const WHAT: &str = "delta_log_escape";
/// The same is not written down more often: a recipient may ask for such a table as often as it likes.
const QUIET: i64 = HOUR;
const SENTENCE_MAX: usize = 1_000;

/// Where it was found.
#[derive(Clone, Debug)]
pub struct LogEscape {
    pub storage: StorageId,
    /// The table's folder in the storage.
    pub path: String,
    /// The version whose log points out; None: a link in the store leads out, which no version names.
    pub version: Option<u64>,
    /// For people: what was found.
    pub sentence: String,
}

impl Exchange {
    /// Writes down that a log points out of its table. Nothing was read because of it; what fails here is told to the
    /// operator and changes nothing in the refusal.
    pub async fn log_escaped(&self, principal: &Principal, found: &LogEscape) {
        tracing::warn!(
            storage = %found.storage,
            path = found.path,
            version = found.version,
            problem = found.sentence,
            "a Delta log points outside its table"
        );
        if let Err(error) = self.note_escape(principal, found).await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "that a Delta log points outside its table was not audited"
            );
        }
    }

    /// The same for what an inspector found.
    pub(super) async fn inspected_escape(
        &self,
        principal: &Principal,
        access: &StorageAccess,
        path: &str,
        problem: &Problem,
    ) {
        if problem.escape {
            let found = LogEscape {
                storage: access.id,
                path: path.to_owned(),
                version: problem.version,
                sentence: problem.sentence.clone(),
            };
            self.log_escaped(principal, &found).await;
        }
    }

    async fn note_escape(&self, principal: &Principal, found: &LogEscape) -> Result<(), Error> {
        can(principal, Operation::DeltaLogEscape, &Scope::NONE)?;
        let (object, table) = self.escaped_from(found).await?;
        let sentence: String = found.sentence.chars().take(SENTENCE_MAX).collect();
        let detail =
            json!({ "what": WHAT, "table": table, "version": found.version, "problem": sentence });
        let told = sql!(
            "select seq from audit where object_kind = $1 and object_id = $2 and operation = $3 and detail = $4 and at > $5
             limit 1"
        )
        .bind(object.kind)
        .bind(&object.id)
        .bind(Operation::DeltaLogEscape.name())
        .bind(detail.to_string())
        .bind(self.now().plus(-QUIET))
        .row(self.db())
        .await?
        .is_some();
        if told {
            return Ok(());
        }
        let mut change = self.change(principal).await?;
        change.note(Operation::DeltaLogEscape, object, detail);
        change.commit().await
    }

    /// The product and its table, or the storage and the folder where nothing is registered there.
    async fn escaped_from(&self, found: &LogEscape) -> Result<(Object, String), Error> {
        let row = sql!(
            "select product.name as product, schema_name, product_table.name as table_name
             from product_table join product on product.id = product_table.product_id
                 left join replica_table on replica_table.table_id = product_table.id and replica_table.path = $2
                     and exists (select 1 from replica where replica.id = replica_id and replica.storage_id = $1)
             where (product_table.storage_id = $1 and product_table.path = $2) or replica_table.id is not null
             order by case when product.state = 'retired' then 1 else 0 end, product.name limit 1"
        )
        .bind(found.storage)
        .bind(&found.path)
        .row(self.db())
        .await?;
        if let Some(row) = row {
            let product: ProductName = row.get("product")?;
            let (schema, name): (Name, Name) = (row.get("schema_name")?, row.get("table_name")?);
            return Ok((Object::new("product", product), format!("{schema}.{name}")));
        }
        let name = self
            .storage_by_id(self.db(), found.storage)
            .await?
            .map_or_else(
                || found.storage.to_string(),
                |storage| storage.name.to_string(),
            );
        Ok((Object::new("storage", name), found.path.clone()))
    }
}
