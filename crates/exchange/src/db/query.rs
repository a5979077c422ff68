//! Running a registered text on either database, in a transaction or on a pool.

use std::pin::Pin;

use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Executor, Postgres, Sqlite};

use super::{Db, DbError, FromRow, Registered, Row, Tx, Value};

/// A registered SQL text and where it stands.
#[derive(Debug)]
pub struct Statement {
    pub text: &'static str,
    pub file: &'static str,
    pub line: u32,
}

/// Every text that [`sql!`](crate::sql) registered.
pub fn statements() -> impl Iterator<Item = &'static Statement> {
    inventory::iter::<Registered>().map(|registered| registered.0)
}

/// Where a query runs: on a pool, or in a transaction that is open.
pub enum On<'a> {
    Pool(&'a Db),
    Tx(&'a mut Tx),
}

impl<'a> From<&'a Db> for On<'a> {
    fn from(db: &'a Db) -> Self {
        Self::Pool(db)
    }
}

impl<'a> From<&'a mut Tx> for On<'a> {
    fn from(tx: &'a mut Tx) -> Self {
        Self::Tx(tx)
    }
}

/// A query under way. What it is made of stays here: whoever waits for one would else be made of it, too, and be compiled with it
/// in every crate above this one.
pub type Running<'a, T> = Pin<Box<dyn Future<Output = Result<T, DbError>> + Send + 'a>>;

/// A text with its arguments, `$1` first.
pub struct Query {
    statement: &'static Statement,
    values: Vec<Value>,
}

/// The text with its arguments, for either database.
macro_rules! bound {
    ($query:ident) => {
        $query
            .values
            .into_iter()
            .fold(
                sqlx::query($query.statement.text),
                |query, value| match value {
                    Value::Uuid(v) => query.bind(v),
                    Value::Text(v) => query.bind(v),
                    Value::Int(v) => query.bind(v),
                    Value::Bool(v) => query.bind(v),
                    Value::Bytes(v) => query.bind(v),
                },
            )
    };
}

impl Query {
    pub fn new(statement: &'static Statement) -> Self {
        Self {
            statement,
            values: Vec::new(),
        }
    }

    #[must_use]
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    fn sqlite(self) -> sqlx::query::Query<'static, Sqlite, SqliteArguments> {
        bound!(self)
    }

    fn postgres(self) -> sqlx::query::Query<'static, Postgres, PgArguments> {
        bound!(self)
    }

    async fn sqlite_rows(
        self,
        on: impl Executor<'_, Database = Sqlite>,
    ) -> Result<Vec<Row>, DbError> {
        let rows = self.sqlite().fetch_all(on).await?;
        Ok(rows.into_iter().map(Row::Sqlite).collect())
    }

    async fn postgres_rows(
        self,
        on: impl Executor<'_, Database = Postgres>,
    ) -> Result<Vec<Row>, DbError> {
        let rows = self.postgres().fetch_all(on).await?;
        Ok(rows.into_iter().map(Row::Postgres).collect())
    }

    /// All rows, as they come.
    pub fn rows<'a>(self, on: impl Into<On<'a>>) -> Running<'a, Vec<Row>> {
        let on = on.into();
        Box::pin(async move {
            match on {
                On::Pool(Db::Sqlite { read, .. }) => self.sqlite_rows(read).await,
                On::Pool(Db::Postgres(pool)) => self.postgres_rows(pool).await,
                On::Tx(Tx::Sqlite(tx)) => self.sqlite_rows(&mut **tx).await,
                On::Tx(Tx::Postgres(tx)) => self.postgres_rows(&mut **tx).await,
            }
        })
    }

    /// All rows, each made into a `T`.
    pub async fn all<'a, T: FromRow>(self, on: impl Into<On<'a>>) -> Result<Vec<T>, DbError> {
        self.rows(on).await?.iter().map(T::from_row).collect()
    }

    /// The first row, if there is one.
    pub async fn first<'a, T: FromRow>(self, on: impl Into<On<'a>>) -> Result<Option<T>, DbError> {
        self.rows(on).await?.first().map(T::from_row).transpose()
    }

    /// The first row as it is, if there is one.
    pub async fn row<'a>(self, on: impl Into<On<'a>>) -> Result<Option<Row>, DbError> {
        Ok(self.rows(on).await?.into_iter().next())
    }

    /// The first row of a statement that writes (`… returning`): on SQLite a pool's readers may not write.
    pub fn row_changed(self, db: &Db) -> Running<'_, Option<Row>> {
        Box::pin(async move {
            let rows = match db {
                Db::Sqlite { write, .. } => self.sqlite_rows(write).await?,
                Db::Postgres(pool) => self.postgres_rows(pool).await?,
            };
            Ok(rows.into_iter().next())
        })
    }

    /// Runs the statement and answers how many rows it changed.
    pub fn execute<'a>(self, on: impl Into<On<'a>>) -> Running<'a, u64> {
        let on = on.into();
        Box::pin(async move {
            Ok(match on {
                On::Pool(Db::Sqlite { write, .. }) => {
                    self.sqlite().execute(write).await?.rows_affected()
                }
                On::Pool(Db::Postgres(pool)) => {
                    self.postgres().execute(pool).await?.rows_affected()
                }
                On::Tx(Tx::Sqlite(tx)) => self.sqlite().execute(&mut **tx).await?.rows_affected(),
                On::Tx(Tx::Postgres(tx)) => {
                    self.postgres().execute(&mut **tx).await?.rows_affected()
                }
            })
        })
    }
}
