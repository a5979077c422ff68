//! What many tests begin with is laid once in a process: its database, lakes and keys. Every test begins with a copy, in a
//! folder of its own.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use exchange::db::{DbError, Ground, Query, Statement, Template};
use model::{Clock as _, Timestamp};

use super::{Build, TestApp};

/// Beside the database.
pub(crate) struct Laid<T> {
    /// Where it was laid: the URLs of its storages begin with it.
    root: String,
    /// What is in its folder, folders before what is in them; those hold nothing themselves.
    files: Vec<(PathBuf, Option<Vec<u8>>)>,
    at: Timestamp,
    /// What whoever laid it knows of it.
    known: T,
}

impl TestApp {
    /// On SQLite, with what `lay` puts there and knows of it.
    pub(crate) async fn laid<T: Clone, F: Future<Output = (Self, T)>>(
        ground: &Ground<Laid<T>>,
        build: Build,
        lay: impl FnOnce(Self) -> F,
    ) -> (Self, T) {
        static MOVE: Statement = Statement {
            text: "update storage set url = replace(url, $1, $2)",
            file: file!(),
            line: line!(),
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entrepot.db");
        let first = || async move {
            let (app, known) = lay(Self::with(build).await).await;
            let template = Template::of(app.exchange.db()).await?;
            let mut files = Vec::new();
            read(app.folder.path(), Path::new(""), &mut files);
            let laid = Laid {
                root: root(app.folder.path()),
                files,
                at: app.clock.now(),
                known,
            };
            Ok::<_, DbError>((template, laid))
        };
        let (db, laid) = ground.sqlite(&path, first).await.unwrap();
        for (name, bytes) in &laid.files {
            let file = folder.path().join(name);
            let Some(bytes) = bytes else {
                fs::create_dir(file).unwrap();
                continue;
            };
            fs::write(&file, bytes).unwrap();
            // There are keys among them.
            fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        }
        Query::new(&MOVE)
            .bind(laid.root.as_str())
            .bind(root(folder.path()))
            .execute(&db)
            .await
            .unwrap();
        let database = path.to_string_lossy().into_owned();
        let app = Self::on(db, folder, build, database).await;
        app.clock.set(laid.at);
        (app, laid.known.clone())
    }
}

fn root(folder: &Path) -> String {
    format!("file://{}/", folder.canonicalize().unwrap().display())
}

/// Everything in a folder but the database.
fn read(folder: &Path, below: &Path, found: &mut Vec<(PathBuf, Option<Vec<u8>>)>) {
    for entry in fs::read_dir(folder.join(below)).unwrap() {
        let entry = entry.unwrap();
        let name = below.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            found.push((name.clone(), None));
            read(folder, &name, found);
        } else if !name.to_string_lossy().starts_with("entrepot.db") {
            let bytes = fs::read(entry.path()).unwrap();
            found.push((name, Some(bytes)));
        }
    }
}
