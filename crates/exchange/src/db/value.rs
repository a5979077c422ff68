//! What goes into a statement and what comes out of a row: the few types that both databases share, and how the model's
//! types are made of them.

use std::str::FromStr;

use model::{Micro, Nano, Timestamp};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::DbError;

/// A bound argument. NULL keeps its type, because PostgreSQL wants to know it.
#[derive(Clone, Debug)]
pub enum Value {
    Uuid(Option<Uuid>),
    Text(Option<String>),
    Int(Option<i64>),
    Bool(bool),
    Bytes(Option<Vec<u8>>),
}

macro_rules! values {
    ($($type:ty => |$v:ident| $variant:ident($inner:expr);)*) => {$(
        impl From<$type> for Value {
            fn from($v: $type) -> Self {
                Self::$variant(Some($inner))
            }
        }
        impl From<Option<$type>> for Value {
            fn from(value: Option<$type>) -> Self {
                Self::$variant(value.map(|$v: $type| $inner))
            }
        }
    )*};
}

/// PostgreSQL's texts hold no NUL, and nothing of ours does: what somebody asks for by such a name is not there, on both
/// databases alike.
fn storable(text: String) -> String {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}")
    } else {
        text
    }
}

values! {
    Uuid => |v| Uuid(v);
    String => |v| Text(storable(v));
    &str => |v| Text(storable(v.to_owned()));
    &String => |v| Text(storable(v.clone()));
    i64 => |v| Int(v);
    i32 => |v| Int(i64::from(v));
    u32 => |v| Int(i64::from(v));
    u64 => |v| Int(i64::try_from(v).unwrap_or(i64::MAX));
    usize => |v| Int(i64::try_from(v).unwrap_or(i64::MAX));
    Timestamp => |v| Int(v.micros());
    Nano => |v| Int(v.0);
    Micro => |v| Int(v.0);
    Vec<u8> => |v| Bytes(v);
    &[u8] => |v| Bytes(v.to_vec());
    [u8; 32] => |v| Bytes(v.to_vec());
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

/// A row of either database; columns are taken by name.
pub enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Row {
    pub fn get<T: Column>(&self, name: &str) -> Result<T, DbError> {
        T::column(self, name)
    }
}

/// A type that one column holds.
pub trait Column: Sized {
    fn column(row: &Row, name: &str) -> Result<Self, DbError>;
}

macro_rules! native {
    ($($type:ty),*) => {$(
        impl Column for $type {
            fn column(row: &Row, name: &str) -> Result<Self, DbError> {
                Ok(match row {
                    Row::Sqlite(row) => row.try_get(name)?,
                    Row::Postgres(row) => row.try_get(name)?,
                })
            }
        }
        impl Column for Option<$type> {
            fn column(row: &Row, name: &str) -> Result<Self, DbError> {
                Ok(match row {
                    Row::Sqlite(row) => row.try_get(name)?,
                    Row::Postgres(row) => row.try_get(name)?,
                })
            }
        }
    )*};
}
native!(Uuid, String, i64, bool, Vec<u8>);

fn decode_error(name: &str, value: impl ToString) -> DbError {
    DbError::Decode {
        column: name.to_owned(),
        value: value.to_string().chars().take(80).collect(),
    }
}

macro_rules! converted {
    ($($type:ty: $raw:ty => |$v:ident, $name:ident| $made:expr;)*) => {$(
        impl Column for $type {
            fn column(row: &Row, $name: &str) -> Result<Self, DbError> {
                let $v: $raw = row.get($name)?;
                $made
            }
        }
        impl Column for Option<$type> {
            fn column(row: &Row, $name: &str) -> Result<Self, DbError> {
                let value: Option<$raw> = row.get($name)?;
                value.map(|$v: $raw| $made).transpose()
            }
        }
    )*};
}

converted! {
    Timestamp: i64 => |v, name| Ok::<_, DbError>(Timestamp::from_micros(v));
    Nano: i64 => |v, name| Ok::<_, DbError>(Nano(v));
    Micro: i64 => |v, name| Ok::<_, DbError>(Micro(v));
    u64: i64 => |v, name| u64::try_from(v).map_err(|_| decode_error(name, v));
    u32: i64 => |v, name| u32::try_from(v).map_err(|_| decode_error(name, v));
    [u8; 32]: Vec<u8> => |v, name| <[u8; 32]>::try_from(v).map_err(|v| decode_error(name, v.len()));
}

macro_rules! ids {
    ($($type:ty),* $(,)?) => {$(
        impl From<$type> for Value {
            fn from(id: $type) -> Self {
                Self::Uuid(Some(id.0))
            }
        }
        impl From<Option<$type>> for Value {
            fn from(id: Option<$type>) -> Self {
                Self::Uuid(id.map(|id| id.0))
            }
        }
        impl Column for $type {
            fn column(row: &Row, name: &str) -> Result<Self, DbError> {
                row.get::<Uuid>(name).map(Self::from)
            }
        }
        impl Column for Option<$type> {
            fn column(row: &Row, name: &str) -> Result<Self, DbError> {
                Ok(row.get::<Option<Uuid>>(name)?.map(<$type>::from))
            }
        }
    )*};
}

ids!(
    model::PersonId,
    model::IdentityId,
    model::DomainId,
    model::TeamId,
    model::ServiceTokenId,
    model::StorageId,
    model::ProductId,
    model::CutId,
    model::TableId,
    model::RecipientId,
    model::RecipientTokenId,
    model::RequestId,
    model::GrantId,
    model::ReplicaId,
    model::ReplicaTableId,
    model::SyncJobId,
    model::SyncRunId,
    model::QueryId,
    model::MeterEventId,
    model::RateId,
    model::ChargeId,
    model::StatementId,
    model::AuditId,
    model::WorkId,
    model::DeploymentId,
    model::NoticeId,
    model::ErasureId,
    model::FlowId,
    model::ErasedObjectId,
    model::AdviceId,
    model::AssessmentId,
);

macro_rules! words {
    ($($type:ty),* $(,)?) => {$(
        impl From<$type> for Value {
            fn from(word: $type) -> Self {
                Self::Text(Some(word.to_string()))
            }
        }
        impl From<&$type> for Value {
            fn from(word: &$type) -> Self {
                Self::Text(Some(word.to_string()))
            }
        }
        impl From<Option<$type>> for Value {
            fn from(word: Option<$type>) -> Self {
                Self::Text(word.map(|word| word.to_string()))
            }
        }
        impl Column for $type {
            fn column(row: &Row, name: &str) -> Result<Self, DbError> {
                let text: String = row.get(name)?;
                <$type>::from_str(&text).map_err(|_| decode_error(name, text))
            }
        }
        impl Column for Option<$type> {
            fn column(row: &Row, name: &str) -> Result<Self, DbError> {
                let text: Option<String> = row.get(name)?;
                text.map(|text| <$type>::from_str(&text).map_err(|_| decode_error(name, text))).transpose()
            }
        }
    )*};
}

words!(
    model::Name,
    model::ProductName,
    model::Cloud,
    model::Location,
    model::Route,
    model::Role,
    model::MemberRole,
    model::Currency,
    model::Classification,
    model::AccessPolicy,
    model::ProductState,
    model::Mode,
    model::RequestState,
    model::Verdict,
    model::Stage,
    model::GrantDesired,
    model::GrantActual,
    model::ReplicaState,
    model::RunState,
    model::RunKind,
    model::Fetches,
    model::Commits,
    model::Method,
    model::Purpose,
    model::Payer,
    model::StatementState,
    model::ErasureState,
    model::AdviceKind,
    model::AdviceState,
    model::NoticeKind,
    model::dto::FlowKind,
    model::dto::Compared,
    model::NoticeEvent,
    model::Addresses,
);

impl From<model::Unit> for Value {
    fn from(unit: model::Unit) -> Self {
        Self::Text(Some(unit.as_str().to_owned()))
    }
}

impl Column for model::Unit {
    fn column(row: &Row, name: &str) -> Result<Self, DbError> {
        let text: String = row.get(name)?;
        text.parse().map_err(|_| decode_error(name, text))
    }
}

/// A struct that a row makes.
pub trait FromRow: Sized {
    fn from_row(row: &Row) -> Result<Self, DbError>;
}

/// Derives [`FromRow`] by naming the fields, each from the column of its name.
#[macro_export]
macro_rules! from_row {
    ($type:ty { $($field:ident),* $(,)? }) => {
        impl $crate::db::FromRow for $type {
            fn from_row(row: &$crate::db::Row) -> Result<Self, $crate::db::DbError> {
                Ok(Self { $($field: row.get(stringify!($field))?),* })
            }
        }
    };
}
