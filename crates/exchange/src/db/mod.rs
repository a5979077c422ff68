//! Two databases, one text: pools, transactions, migrations, and the statements registered by [`sql!`].
//!
//! SQLite for a single process with nothing to install, PostgreSQL for many. One SQL text serves both; where the dialects
//! differ the difference lives in this module. No other crate names sqlx.

mod fresh;
mod query;
mod value;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use model::Timestamp;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{Connection as _, Postgres, Sqlite, Transaction};

pub use fresh::{Ground, Template};
pub use query::{On, Query, Running, Statement, statements};
pub use value::{Column, FromRow, Row, Value};

/// So often it is tried to fold the write-ahead log into the database when all is closed, and how long one try and the pause after
/// it take at most.
const FOLDS: u32 = 25;
const A_FOLD: Duration = Duration::from_millis(20);

/// Connections to a server at once, where nobody says otherwise.
pub const CONNECTIONS: u32 = 16;

/// A connection to a server that was in use so lately is taken to be there still.
const FRESH: Duration = Duration::from_secs(1);

/// Registers a SQL text and makes a [`Query`] of it. A test prepares every registered text on both migrated databases. A
/// text that several statements have in part is put together of pieces, each a literal or a macro that is one.
#[macro_export]
macro_rules! sql {
    ($($piece:expr),+ $(,)?) => {{
        static STATEMENT: $crate::db::Statement = $crate::db::Statement {
            text: concat!($($piece),+),
            file: file!(),
            line: line!(),
        };
        $crate::inventory::submit! { $crate::db::Registered(&STATEMENT) }
        $crate::db::Query::new(&STATEMENT)
    }};
}

/// A text on the list of all texts.
pub struct Registered(pub &'static Statement);
inventory::collect!(Registered);

#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// A unique index already holds this value; the text names the columns or the index.
    #[error("already there: {0}")]
    Unique(String),
    #[error("a row that this one names is missing")]
    ForeignKey,
    /// Another writer was in the way for too long; the same call may go through later.
    #[error("the database is busy")]
    Busy(#[source] sqlx::Error),
    #[error("the database holds `{value}` in {column}, which is not what this version writes")]
    Decode { column: String, value: String },
    #[error("the database cannot be reached or refused the statement")]
    Other(#[source] sqlx::Error),
    #[error("the migrations do not fit this database")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    #[error("not a database address: {0}")]
    Address(String),
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        if let sqlx::Error::Database(found) = &error {
            match found.kind() {
                sqlx::error::ErrorKind::UniqueViolation => {
                    return Self::Unique(found.message().to_owned());
                }
                sqlx::error::ErrorKind::ForeignKeyViolation => return Self::ForeignKey,
                _ => {}
            }
            // SQLITE_BUSY and SQLITE_LOCKED with their extended codes; PostgreSQL's serialization failure and deadlock.
            let code = found.code().unwrap_or_default();
            if matches!(code.as_ref(), "5" | "6" | "261" | "517" | "40001" | "40P01") {
                return Self::Busy(error);
            }
        }
        if matches!(error, sqlx::Error::PoolTimedOut) {
            return Self::Busy(error);
        }
        Self::Other(error)
    }
}

/// The pools of one database.
#[derive(Clone, Debug)]
pub enum Db {
    /// One writer and several readers on one file in WAL mode.
    Sqlite {
        write: SqlitePool,
        read: SqlitePool,
    },
    Postgres(PgPool),
}

/// One write transaction. Dropped without [`Tx::commit`], it is rolled back.
pub enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

impl Tx {
    pub async fn commit(self) -> Result<(), DbError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}

/// Which of the two a text is prepared for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

impl Db {
    /// Opens `sqlite://path/to/file`, a bare path, or `postgres://…`.
    pub async fn open(address: &str) -> Result<Self, DbError> {
        Self::open_with(address, CONNECTIONS).await
    }

    /// The same with at most so many connections at once to a server, at least one; a file has its own number.
    pub async fn open_with(address: &str, connections: u32) -> Result<Self, DbError> {
        if address.starts_with("postgres://") || address.starts_with("postgresql://") {
            let options = PgConnectOptions::from_str(address)
                .map_err(|_| DbError::Address("postgres://…".to_owned()))?;
            let pool = PgPoolOptions::new()
                .max_connections(connections.max(1))
                .acquire_timeout(Duration::from_secs(10))
                // Each is looked at once it is given back. Asking again before each statement would double the way there and back.
                .test_before_acquire(false)
                .before_acquire(|connection, meta| {
                    Box::pin(async move {
                        if meta.idle_for >= FRESH {
                            connection.ping().await?;
                        }
                        Ok(true)
                    })
                })
                .connect_with(options)
                .await?;
            return Ok(Self::Postgres(pool));
        }
        let path = address.strip_prefix("sqlite://").unwrap_or(address);
        Self::open_sqlite(Path::new(path)).await
    }

    async fn open_sqlite(path: &Path) -> Result<Self, DbError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(30))
            // A file does not go away as a server does.
            .test_before_acquire(false)
            .connect_with(options.clone())
            .await?;
        let read = SqlitePoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(30))
            .test_before_acquire(false)
            .connect_with(options.read_only(true).create_if_missing(false))
            .await?;
        Ok(Self::Sqlite { write, read })
    }

    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite { .. } => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Brings the schema up to this version. Migrations only ever append.
    pub async fn migrate(&self) -> Result<(), DbError> {
        match self {
            Self::Sqlite { write, .. } => SQLITE_MIGRATIONS.run(write).await,
            Self::Postgres(pool) => POSTGRES_MIGRATIONS.run(pool).await,
        }
        .map_err(DbError::Migrate)
    }

    /// Whether every migration of this version has been applied.
    pub async fn is_migrated(&self) -> Result<bool, DbError> {
        let wanted = match self {
            Self::Sqlite { .. } => SQLITE_MIGRATIONS.iter().count(),
            Self::Postgres(_) => POSTGRES_MIGRATIONS.iter().count(),
        };
        let wanted = i64::try_from(wanted).unwrap_or(i64::MAX);
        // The table is the migrator's own, so this text is not among those that migrations must satisfy.
        let text = "select count(*) from _sqlx_migrations where success";
        let found: Result<i64, sqlx::Error> = match self {
            Self::Sqlite { read, .. } => sqlx::query_scalar(text).fetch_one(read).await,
            Self::Postgres(pool) => sqlx::query_scalar(text).fetch_one(pool).await,
        };
        match found {
            Ok(found) => Ok(found >= wanted),
            Err(sqlx::Error::Database(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Begins a write transaction. On SQLite it takes the write lock at once: a reading transaction that turns to
    /// writing fails without waiting.
    pub async fn begin(&self) -> Result<Tx, DbError> {
        Ok(match self {
            Self::Sqlite { write, .. } => Tx::Sqlite(write.begin_with("begin immediate").await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        })
    }

    /// The database's own clock, which leases are measured with.
    pub async fn now(&self) -> Result<Timestamp, DbError> {
        let micros: i64 = match self {
            Self::Sqlite { read, .. } => {
                sqlx::query_scalar("select cast(unixepoch('subsec') * 1000000 as integer)")
                    .fetch_one(read)
                    .await?
            }
            Self::Postgres(pool) => {
                sqlx::query_scalar(
                    "select cast(extract(epoch from clock_timestamp()) * 1000000 as bigint)",
                )
                .fetch_one(pool)
                .await?
            }
        };
        Ok(Timestamp::from_micros(micros))
    }

    /// Closes every connection; on SQLite this folds the write-ahead log into the file, where the last one may write.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { write, read } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }

    /// The same where no other process has the database open. Who was about to connect when its task was given up still does so
    /// beside the pool, late, and would leave a write-ahead log where the process ends meanwhile: the database is left without one,
    /// so that nobody makes one who only reads. Whoever opens it next has one again.
    pub async fn close_alone(&self) {
        self.close().await;
        let Self::Sqlite { write, .. } = self else {
            return;
        };
        let options = (*write.connect_options()).clone();
        let options = options
            .journal_mode(SqliteJournalMode::Delete)
            .busy_timeout(A_FOLD);
        for _ in 0..FOLDS {
            // It succeeds for who has the database alone.
            if let Ok(last) = SqliteConnection::connect_with(&options).await
                && last.close().await.is_ok()
            {
                return;
            }
            tokio::time::sleep(A_FOLD).await;
        }
        tracing::warn!(
            "the database's write-ahead log stays beside it: something else has it open"
        );
    }

    /// Prepares `text` without running it: what the test of all registered texts calls.
    pub async fn prepare(&self, statement: &'static Statement) -> Result<(), DbError> {
        use sqlx::{Executor as _, SqlSafeStr as _};
        match self {
            Self::Sqlite { write, .. } => {
                write.prepare(statement.text.into_sql_str()).await?;
            }
            Self::Postgres(pool) => {
                pool.prepare(statement.text.into_sql_str()).await?;
            }
        }
        Ok(())
    }
}

static SQLITE_MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/sqlite");
static POSTGRES_MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/postgres");
