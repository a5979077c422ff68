//! Databases that tests begin with: new ones, with every migration applied. A process applies them once to each kind of
//! database; after that it copies, for the migrations are most of what many a test does.

use std::path::Path;
use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::sync::OnceCell;

use super::{Db, DbError};

/// The bytes of a migrated SQLite file.
static SQLITE: OnceCell<Vec<u8>> = OnceCell::const_new();
/// The name of a migrated database on the server.
static POSTGRES: OnceCell<String> = OnceCell::const_new();

impl Db {
    /// A new SQLite file.
    pub async fn fresh_sqlite(path: &Path) -> Result<Self, DbError> {
        let migrated = SQLITE
            .get_or_try_init(|| async {
                let db = Self::open_sqlite(path).await?;
                db.migrate().await?;
                db.close().await;
                std::fs::read(path).map_err(unreadable)
            })
            .await?;
        std::fs::write(path, migrated).map_err(unreadable)?;
        Self::open_sqlite(path).await
    }

    /// A new database called `name` on the server of `address`, which is one server for the whole process.
    pub async fn fresh_postgres(address: &str, name: &str) -> Result<Self, DbError> {
        let template = POSTGRES
            .get_or_try_init(|| async {
                let template = format!("migrated_{}", uuid::Uuid::new_v4().simple());
                let db = Self::create_postgres(address, &template).await?;
                db.migrate().await?;
                db.close().await;
                Ok::<_, DbError>(template)
            })
            .await?;
        Self::copy_postgres(address, Some(template), name).await
    }

    /// Makes an empty database called `name` (letters, digits, `_`) on the server of `address`, and opens it.
    pub async fn create_postgres(address: &str, name: &str) -> Result<Self, DbError> {
        Self::copy_postgres(address, None, name).await
    }

    /// The same, holding what the database `template` holds, to which nobody is connected.
    pub async fn copy_postgres(
        address: &str,
        template: Option<&str>,
        name: &str,
    ) -> Result<Self, DbError> {
        let fits = |name: &str| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        let options = PgConnectOptions::from_str(address)
            .map_err(|_| DbError::Address("postgres://…".to_owned()))?;
        if !fits(name) || !template.is_none_or(fits) {
            return Err(DbError::Address(name.to_owned()));
        }
        let server = PgPoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await?;
        // An identifier cannot be bound; what it is made of was checked above.
        let template = template.unwrap_or("template0");
        sqlx::query(sqlx::AssertSqlSafe(format!(
            "create database \"{name}\" template \"{template}\""
        )))
        .execute(&server)
        .await?;
        server.close().await;
        let (base, _) = address
            .rsplit_once('/')
            .ok_or_else(|| DbError::Address("postgres://…".to_owned()))?;
        Self::open(&format!("{base}/{name}")).await
    }
}

fn unreadable(error: std::io::Error) -> DbError {
    DbError::Other(sqlx::Error::Io(error))
}
