//! The audit log: append-only, hash-chained, people by pseudonym.
//!
//! `hash = sha256(prev_hash ‖ seq ‖ id ‖ at ‖ actor ‖ operation ‖ object_kind ‖ object_id ‖ detail)`, each part with its
//! length before it. A chain shows tampering to whoever holds an older head; `entrepot audit verify` prints the head.

use model::{AuditId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::db::{DbError, FromRow as _, Query, Tx};
use crate::error::Error;
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::period::Period;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// Hexadecimal digits of a head.
const HEAD_LENGTH: usize = 64;

/// What a change was done to.
#[derive(Clone, Debug)]
pub struct Object {
    pub kind: &'static str,
    pub id: String,
}

impl Object {
    pub fn new(kind: &'static str, id: impl ToString) -> Self {
        Self {
            kind,
            id: id.to_string(),
        }
    }
}

/// One thing that happened, before it has its place in the chain.
#[derive(Debug)]
pub struct Entry {
    pub operation: Operation,
    pub object: Object,
    pub detail: serde_json::Value,
}

/// One row of the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditRow {
    pub seq: i64,
    pub id: AuditId,
    pub at: Timestamp,
    pub actor: String,
    pub operation: String,
    pub object_kind: String,
    pub object_id: String,
    /// JSON.
    pub detail: String,
    #[serde(skip)]
    prev_hash: Vec<u8>,
    #[serde(skip)]
    hash: Vec<u8>,
}

from_row!(AuditRow {
    seq,
    id,
    at,
    actor,
    operation,
    object_kind,
    object_id,
    detail,
    prev_hash,
    hash
});

impl AuditRow {
    fn expected_hash(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(&self.prev_hash);
        for part in [
            self.seq.to_string().as_bytes(),
            self.id.0.as_bytes(),
            self.at.micros().to_string().as_bytes(),
            self.actor.as_bytes(),
            self.operation.as_bytes(),
            self.object_kind.as_bytes(),
            self.object_id.as_bytes(),
            self.detail.as_bytes(),
        ] {
            hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(part);
        }
        hasher.finalize().into()
    }
}

struct Head {
    seq: i64,
    hash: Vec<u8>,
}
from_row!(Head { seq, hash });

/// Appends rows to the chain inside the caller's transaction. Locks the head: call it last.
pub(crate) async fn append(
    tx: &mut Tx,
    actor: &str,
    at: Timestamp,
    entries: &[Entry],
) -> Result<(), DbError> {
    let head: Option<Head> =
        sql!("update audit_head set seq = seq where id = 1 returning seq, hash")
            .first(&mut *tx)
            .await?;
    let Some(mut head) = head else {
        return Err(DbError::Decode {
            column: "audit_head".to_owned(),
            value: "no row".to_owned(),
        });
    };
    for entry in entries {
        let mut row = AuditRow {
            seq: head.seq + 1,
            id: AuditId::new(at),
            at,
            actor: actor.to_owned(),
            operation: entry.operation.name().to_owned(),
            object_kind: entry.object.kind.to_owned(),
            object_id: entry.object.id.clone(),
            detail: entry.detail.to_string(),
            prev_hash: head.hash,
            hash: Vec::new(),
        };
        row.hash = row.expected_hash().to_vec();
        sql!("insert into audit (seq, id, at, actor, operation, object_kind, object_id, detail, prev_hash, hash)
              values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
        .bind(row.seq)
        .bind(row.id)
        .bind(row.at)
        .bind(&row.actor)
        .bind(&row.operation)
        .bind(&row.object_kind)
        .bind(&row.object_id)
        .bind(&row.detail)
        .bind(row.prev_hash.as_slice())
        .bind(row.hash.as_slice())
        .execute(&mut *tx)
        .await?;
        head = Head {
            seq: row.seq,
            hash: row.hash,
        };
    }
    sql!("update audit_head set seq = $1, hash = $2 where id = 1")
        .bind(head.seq)
        .bind(head.hash)
        .execute(&mut *tx)
        .await?;
    Ok(())
}

/// Which rows are listed; what is not said is not looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct AuditFilter<'a> {
    /// Kind and id of what it was done to.
    pub object: Option<(&'a str, &'a str)>,
    /// A person's pseudonym, `operator` or `system`.
    pub actor: Option<&'a str>,
    /// By its name, as the log has it.
    pub operation: Option<&'a str>,
    pub period: Period,
}

/// A row's columns, and where it may stand ($1 to $3), as a beginning that a condition follows.
macro_rules! rows_where {
    () => {
        "select seq, id, at, actor, operation, object_kind, object_id, detail, prev_hash, hash from audit
         where seq < $1 and (at >= $2 or $2 is null) and (at < $3 or $3 is null) "
    };
}

macro_rules! newest_first {
    () => {
        " order by seq desc limit $4"
    };
}

/// A text for each index: one for all of them would use none, for a condition that may not count cannot be looked up.
fn query(filter: &AuditFilter<'_>, before: i64, fetch: i64) -> Query {
    let bound = |query: Query| {
        query
            .bind(before)
            .bind(filter.period.since())
            .bind(filter.period.until())
            .bind(fetch)
    };
    match (filter.object, filter.actor, filter.operation) {
        (Some((kind, id)), actor, operation) => bound(sql!(
            rows_where!(),
            "and object_kind = $5 and object_id = $6 and (cast($7 as text) is null or actor = $7)
                 and (cast($8 as text) is null or operation = $8)",
            newest_first!()
        ))
        .bind(kind)
        .bind(id)
        .bind(actor)
        .bind(operation),
        (None, Some(actor), operation) => bound(sql!(
            rows_where!(),
            "and actor = $5 and (cast($6 as text) is null or operation = $6)",
            newest_first!()
        ))
        .bind(actor)
        .bind(operation),
        (None, None, Some(operation)) => {
            bound(sql!(rows_where!(), "and operation = $5", newest_first!())).bind(operation)
        }
        (None, None, None) => bound(sql!(rows_where!(), newest_first!())),
    }
}

/// What a check of the chain found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    pub rows: i64,
    /// The head's hash in hex: keep it elsewhere, and a later check against it finds a chain that was rewritten whole.
    pub head: String,
    /// The first row that does not fit, and why; None when the chain is whole.
    pub broken: Option<Broken>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    pub seq: i64,
    pub why: String,
}

impl Exchange {
    /// The newest rows first, of one object when `kind` and `id` are given.
    pub async fn audit_rows(
        &self,
        principal: &Principal,
        object: Option<(&str, &str)>,
        page: &PageRequest,
    ) -> Result<Page<AuditRow>, Error> {
        let filter = AuditFilter {
            object,
            ..AuditFilter::default()
        };
        self.audit_found(principal, &filter, page).await
    }

    /// The newest rows first, of those that are looked for.
    pub async fn audit_found(
        &self,
        principal: &Principal,
        filter: &AuditFilter<'_>,
        page: &PageRequest,
    ) -> Result<Page<AuditRow>, Error> {
        can(principal, Operation::AuditList, &Scope::NONE)?;
        let before = page.after_number()?.unwrap_or(i64::MAX);
        let rows = query(filter, before, page.fetch()).rows(self.db()).await?;
        let mut read = Vec::with_capacity(rows.len());
        for row in &rows {
            let found = AuditRow::from_row(row).map_err(|error| {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the audit log was changed from outside"
                );
                Error::conflict(format!(
                    "row {} of the audit log cannot be read: somebody changed it from outside; check the log with \
                     `entrepot audit verify`",
                    row.get::<i64>("seq").map_or_else(|_| "?".to_owned(), |seq| seq.to_string())
                ))
            })?;
            read.push(found);
        }
        Ok(page.cut(read, |row| row.seq.to_string()))
    }

    /// The number and the hash of the newest row: what a worker writes to the log of the process now and then, so that the
    /// head is kept in another place too. None while nothing has happened.
    pub async fn audit_head(&self, principal: &Principal) -> Result<Option<(i64, String)>, Error> {
        can(principal, Operation::WorkRun, &Scope::NONE)?;
        let head: Option<Head> = sql!("select seq, hash from audit_head where id = 1")
            .first(self.db())
            .await?;
        Ok(head
            .filter(|head| head.seq > 0)
            .map(|head| (head.seq, hex::encode(head.hash))))
    }

    /// Walks the chain from the first row and recomputes every hash. With `anchor`, a head hash kept elsewhere, also
    /// checks that the chain still passes through it. A row that cannot even be read is the first that does not fit.
    pub async fn audit_verify(
        &self,
        principal: &Principal,
        anchor: Option<&str>,
    ) -> Result<Verification, Error> {
        can(principal, Operation::AuditVerify, &Scope::NONE)?;
        if anchor.is_some_and(|anchor| anchor.len() > HEAD_LENGTH) {
            return Err(Error::invalid(
                "anchor",
                format!("a head is a hash of {HEAD_LENGTH} digits; this is longer"),
            ));
        }
        let mut prev = vec![0_u8; 32];
        let mut seq = 0_i64;
        let mut anchored = anchor.is_none();
        let verification = |rows, head: &[u8], broken| Verification {
            rows,
            head: hex::encode(head),
            broken,
        };
        if let Some(broken) = self.rows_before_the_first().await? {
            return Ok(verification(0, &prev, Some(broken)));
        }
        loop {
            let rows = sql!(
                "select seq, id, at, actor, operation, object_kind, object_id, detail, prev_hash, hash from audit
                 where seq > $1 order by seq limit 1000"
            )
            .bind(seq)
            .rows(self.db())
            .await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let row = match AuditRow::from_row(&row) {
                    Ok(row) => row,
                    Err(error) => {
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "a row of the audit log cannot be read"
                        );
                        let broken = Broken {
                            seq: row.get("seq").unwrap_or(seq + 1),
                            why: "one of its columns holds what Entrepôt never writes".to_owned(),
                        };
                        return Ok(verification(seq, &prev, Some(broken)));
                    }
                };
                let why = if row.seq != seq + 1 {
                    Some(format!("row {} is missing", seq + 1))
                } else if row.prev_hash != prev {
                    Some("it does not follow from the row before it".to_owned())
                } else if row.hash != row.expected_hash() {
                    Some("its content is not what its hash was made of".to_owned())
                } else {
                    None
                };
                if let Some(why) = why {
                    return Ok(verification(seq, &prev, Some(Broken { seq: row.seq, why })));
                }
                seq = row.seq;
                prev = row.hash;
                anchored |=
                    anchor.is_some_and(|anchor| hex::encode(&prev).eq_ignore_ascii_case(anchor));
            }
        }
        let head: Option<Head> = sql!("select seq, hash from audit_head where id = 1")
            .first(self.db())
            .await?;
        let broken = match head {
            // A row that was appended while we walked moves the head on; a head behind the rows cannot be.
            Some(head) if head.seq < seq || (head.seq == seq && head.hash != prev) => {
                Some(Broken {
                    seq,
                    why: "the chain's head does not match the last row".to_owned(),
                })
            }
            Some(head) if head.seq > seq => {
                let found: Option<Head> = sql!("select seq, hash from audit where seq = $1")
                    .bind(head.seq)
                    .first(self.db())
                    .await?;
                found.is_none().then(|| Broken {
                    seq: head.seq,
                    why: "rows at the end are missing".to_owned(),
                })
            }
            Some(_) => None,
            None => Some(Broken {
                seq,
                why: "the chain's head is missing".to_owned(),
            }),
        };
        let broken = broken.or_else(|| {
            (!anchored).then(|| Broken {
                seq,
                why: "the chain does not pass through the head that was kept elsewhere".to_owned(),
            })
        });
        Ok(verification(seq, &prev, broken))
    }

    /// The chain begins at 1. A list shows what stands before that too, so the check must know of it.
    async fn rows_before_the_first(&self) -> Result<Option<Broken>, Error> {
        let row = sql!("select count(*) as count, min(seq) as least from audit where seq < 1")
            .row(self.db())
            .await?;
        let Some(row) = row else { return Ok(None) };
        let (count, least): (i64, Option<i64>) = (row.get("count")?, row.get("least")?);
        Ok(least.map(|seq| Broken {
            seq,
            why: format!("the chain begins at row 1, and {count} stand before it"),
        }))
    }
}
