//! Databases that tests begin with: new ones, with every migration applied and, where many tests begin alike, with what
//! they all begin with. A process lays that once for each kind of database; after that it copies, for it is most of what
//! many a test does.

use std::path::Path;
use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::sync::OnceCell;

use super::{Db, DbError};

/// At once to a database of a test, where nobody says otherwise: for one that holds a row, one that waits for it, and who looks at
/// both. The server forks a process for each, which is much of what a short test takes.
const CONNECTIONS: u32 = 3;

/// What a database held when it was left.
#[derive(Debug)]
pub enum Template {
    /// The bytes of the file.
    Sqlite(Vec<u8>),
    /// The name of the database, to which nobody is connected.
    Postgres(String),
}

impl Template {
    /// Closes a database, for others to begin as it.
    pub async fn of(db: &Db) -> Result<Self, DbError> {
        db.close().await;
        match db {
            Db::Sqlite { write, .. } => std::fs::read(write.connect_options().get_filename())
                .map(Self::Sqlite)
                .map_err(unreadable),
            Db::Postgres(pool) => match pool.connect_options().get_database() {
                Some(name) => Ok(Self::Postgres(name.to_owned())),
                None => Err(DbError::Address("postgres://…".to_owned())),
            },
        }
    }
}

/// What many databases of one process begin with, and what is known of it: ids, people. A static of who needs it.
#[derive(Debug)]
pub struct Ground<T> {
    sqlite: OnceCell<(Template, T)>,
    postgres: OnceCell<(Template, T)>,
}

impl<T> Ground<T> {
    /// Nothing is laid yet.
    pub const fn new() -> Self {
        Self {
            sqlite: OnceCell::const_new(),
            postgres: OnceCell::const_new(),
        }
    }

    /// A new SQLite file. `lay` makes the first.
    pub async fn sqlite<E, F>(&self, path: &Path, lay: impl FnOnce() -> F) -> Result<(Db, &T), E>
    where
        E: From<DbError>,
        F: Future<Output = Result<(Template, T), E>>,
    {
        let (template, known) = self.sqlite.get_or_try_init(lay).await?;
        let Template::Sqlite(bytes) = template else {
            return Err(DbError::Address("sqlite://…".to_owned()).into());
        };
        std::fs::write(path, bytes).map_err(unreadable)?;
        Ok((Db::open_sqlite(path).await?, known))
    }

    /// A new database called `name` on the server of `address`, which is one server for the whole process.
    pub async fn postgres<E, F>(
        &self,
        address: &str,
        name: &str,
        lay: impl FnOnce() -> F,
    ) -> Result<(Db, &T), E>
    where
        E: From<DbError>,
        F: Future<Output = Result<(Template, T), E>>,
    {
        let (template, known) = self.postgres.get_or_try_init(lay).await?;
        let Template::Postgres(template) = template else {
            return Err(DbError::Address("postgres://…".to_owned()).into());
        };
        let db = Db::copy_postgres(address, Some(template), name).await?;
        Ok((db, known))
    }
}

impl<T> Default for Ground<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// The migrations alone.
static MIGRATED: Ground<()> = Ground::new();

impl Db {
    /// A new SQLite file.
    pub async fn fresh_sqlite(path: &Path) -> Result<Self, DbError> {
        let lay = || async {
            let db = Self::open_sqlite(path).await?;
            db.migrate().await?;
            Ok::<_, DbError>((Template::of(&db).await?, ()))
        };
        let made = MIGRATED.sqlite(path, lay).await?;
        Ok(made.0)
    }

    /// A new database called `name` on the server of `address`, which is one server for the whole process.
    pub async fn fresh_postgres(address: &str, name: &str) -> Result<Self, DbError> {
        let lay = || async {
            let template = format!("migrated_{}", uuid::Uuid::new_v4().simple());
            let db = Self::create_postgres(address, &template).await?;
            db.migrate().await?;
            Ok::<_, DbError>((Template::of(&db).await?, ()))
        };
        let made = MIGRATED.postgres(address, name, lay).await?;
        Ok(made.0)
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
        // An identifier cannot be bound; what it is made of was checked above. Copied file by file, which takes half the time of
        // copying page by page through the log.
        let template = template.unwrap_or("template0");
        sqlx::query(sqlx::AssertSqlSafe(format!(
            "create database \"{name}\" template \"{template}\" strategy file_copy"
        )))
        .execute(&server)
        .await?;
        server.close().await;
        let (base, _) = address
            .rsplit_once('/')
            .ok_or_else(|| DbError::Address("postgres://…".to_owned()))?;
        Self::open_with(&format!("{base}/{name}"), CONNECTIONS).await
    }
}

fn unreadable(error: std::io::Error) -> DbError {
    DbError::Other(sqlx::Error::Io(error))
}
