//! Storages and tables, opened as the exchange describes them: its row becomes a [`StorageSpec`], what goes wrong becomes a
//! sentence for people. Nothing is kept open: a credential that was changed or taken away counts from the next call on.

use std::sync::Arc;
use std::time::Duration;

use delta::{Budgets, LogError};
use exchange::ports::{Problem, StorageAccess};
use object_store::ObjectStore;
use object_store::path::Path;
use secrecy::ExposeSecret as _;
use storage::{
    Credential, Limits, Meter, Parts, SignedMany, StorageError, StorageSpec, StorageUrl, Store,
    Stores, Tags, check_relative,
};
use url::Url;

/// All storages that this process may open. Clones share connections and limits.
#[derive(Clone)]
pub struct Lake {
    stores: Stores,
    budgets: Budgets,
}

/// A table's folder in an opened storage.
#[derive(Clone)]
pub struct TableAt {
    pub store: Store,
    /// Relative to the storage.
    pub folder: Path,
    /// Rooted at the folder.
    pub objects: Arc<dyn ObjectStore>,
    pub table: delta::Table,
}

impl Lake {
    pub fn new(limits: Limits, budgets: Budgets) -> Self {
        Self {
            stores: Stores::new(limits),
            budgets,
        }
    }

    /// As the configuration allows.
    pub fn of(settings: &crate::config::StorageSettings) -> Self {
        let limits = Limits {
            file_roots: settings.file_roots.clone(),
            endpoints: settings.endpoints.clone(),
            parallel_requests: settings.parallel_requests,
        };
        Self::new(limits, Budgets::of_files(settings.table_files))
    }

    /// The storage as the storage crate knows it, held against the allow-lists. Does no IO.
    pub fn check(&self, access: &StorageAccess) -> Result<StorageSpec, Problem> {
        let spec = spec(access)?;
        self.stores
            .check(&spec)
            .map_err(|error| problem_of_store(error).of_field(at_fault(&spec)))?;
        Ok(spec)
    }

    /// Does no request yet; what is moved later is counted by `meter`.
    pub fn open(&self, access: &StorageAccess, meter: &Meter) -> Result<Store, Problem> {
        self.stores
            .open(&spec(access)?, meter)
            .map_err(problem_of_store)
    }

    /// The same for one table's folder. `path` is relative to the storage, as the exchange keeps it.
    pub fn table(
        &self,
        access: &StorageAccess,
        path: &str,
        meter: &Meter,
    ) -> Result<TableAt, Problem> {
        let store = self.open(access, meter)?;
        let folder = check_relative(path).map_err(problem_of_store)?;
        let objects = store.at(path).map_err(problem_of_store)?;
        let homes = spec(access)?.url.spellings(&folder);
        let table = delta::Table::new(Arc::clone(&objects), self.budgets.clone());
        Ok(TableAt {
            table: table.lying_at(homes),
            store,
            folder,
            objects,
        })
    }
}

impl TableAt {
    /// URLs of the store itself by which objects of the folder are read, where it makes some.
    pub async fn sign_gets_for(
        &self,
        keys: &[Path],
        ttl: Duration,
        tags: &Tags,
    ) -> Result<Option<SignedMany>, StorageError> {
        let store = &self.store;
        store.sign_gets_for(&self.folder, keys, ttl, tags).await
    }

    /// Uploads into the folder that outlive this process.
    pub fn parts(&self) -> Result<Option<Arc<dyn Parts>>, Problem> {
        self.store
            .parts_at(self.folder.as_ref())
            .map_err(problem_of_store)
    }

    /// A key of the table as a key of its storage.
    pub fn key(&self, key: &Path) -> Path {
        self.folder.parts().chain(key.parts()).collect()
    }

    /// Removes what killed processes left half written in the folder and nobody has touched for `age` microseconds.
    pub async fn sweep(&self, age: i64) -> Result<u64, Problem> {
        let age = Duration::from_micros(u64::try_from(age).unwrap_or(0));
        self.store
            .sweep(self.folder.as_ref(), age)
            .await
            .map_err(problem_of_store)
    }
}

fn spec(access: &StorageAccess) -> Result<StorageSpec, Problem> {
    let url = StorageUrl::parse(&access.url)
        .map_err(|error| problem(error.to_string()).of_field("url"))?;
    let endpoint = access
        .endpoint
        .as_deref()
        .map(Url::parse)
        .transpose()
        .map_err(|_| {
            problem("the endpoint is not an address: write https://host or http://host:port")
                .of_field("endpoint")
        })?;
    let json = access
        .credential
        .as_ref()
        .map_or("", |secret| secret.expose_secret());
    let credential = Credential::parse(&url, json)
        .map_err(|error| problem(error.to_string()).of_field("credential"))?;
    Ok(StorageSpec {
        name: access.name.to_string(),
        location: access.location.clone(),
        url,
        endpoint,
        credential,
    })
}

/// Which field of a storage's form the allow-lists do not take.
fn at_fault(spec: &StorageSpec) -> &'static str {
    if spec.url.is_share() && !spec.credential.is_none() {
        return if spec.endpoint.is_some() {
            "endpoint"
        } else {
            "url"
        };
    }
    let is_file = matches!(spec.url, StorageUrl::File { .. });
    if spec.credential.is_none() != is_file {
        "credential"
    } else if !is_file || spec.endpoint.is_some() {
        "endpoint"
    } else {
        "url"
    }
}

fn problem(sentence: impl AsRef<str>) -> Problem {
    Problem::new(sentence_of(sentence.as_ref()))
}

/// What a store could not do, for people.
pub(crate) fn problem_of_store(error: StorageError) -> Problem {
    Problem {
        escape: matches!(error, StorageError::Escape { .. }),
        transient: error.is_transient(),
        ..problem(error.to_string())
    }
}

/// What is wrong with a log, for people.
pub(crate) fn problem_of_log(error: LogError) -> Problem {
    match error {
        LogError::Storage(error) => problem_of_store(error.into()),
        error => Problem {
            escape: error.escape_version().is_some(),
            version: error.escape_version(),
            ..problem(error.to_string())
        },
    }
}

/// With a capital and a full stop.
fn sentence_of(text: &str) -> String {
    let mut chars = text.chars();
    let mut sentence: String = chars
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    sentence.push_str(chars.as_str());
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}

#[cfg(test)]
mod tests {
    use model::{Cloud, Location, StorageId, Timestamp};
    use storage::{Cause, MeterKey};

    use super::*;

    fn access(url: &str, endpoint: Option<&str>, credential: Option<&str>) -> StorageAccess {
        StorageAccess {
            id: StorageId::new(Timestamp::from_micros(0)),
            name: "lake".parse().unwrap(),
            location: Location::new(Cloud::Aws, "eu-central-1").unwrap(),
            url: url.to_owned(),
            endpoint: endpoint.map(str::to_owned),
            credential: credential.map(|text| text.to_owned().into()),
            replicas: false,
        }
    }

    fn meter() -> Meter {
        Meter::new(MeterKey {
            product: None,
            table: None,
            cause: Cause::Operation("test"),
            purpose: model::Purpose::Inspect,
        })
    }

    /// Every mistake in a row is a sentence, and repeats no secret.
    #[test]
    fn mistakes_are_sentences() {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::new(
            Limits {
                file_roots: vec![folder.path().to_owned()],
                ..Limits::default()
            },
            Budgets::default(),
        );
        let keys = r#"{"access_key_id":"AKIA","secret_access_key":"s3cr3t"}"#;
        let profile = r#"{"shareCredentialsVersion":1,"endpoint":"https://sharing.example/x/","bearerToken":"s3cr3t"}"#;
        let elsewhere = StorageAccess {
            location: Location::new(Cloud::Gcp, "europe-west3").unwrap(),
            ..access("s3://lake/x", None, Some(keys))
        };
        let inside = format!("file://{}/lake", folder.path().display());
        for (row, field, expected) in [
            (access("ftp://x/y", None, None), "url", "Not a storage"),
            (
                access("s3://lake/x", None, None),
                "credential",
                "needs a credential",
            ),
            (
                access("s3://lake/x", None, Some(r#"{"s3cr3t":1}"#)),
                "credential",
                "credential",
            ),
            (
                access("s3://lake/x", Some("not an address"), Some(keys)),
                "endpoint",
                "endpoint",
            ),
            (
                access("s3://lake/x", Some("http://127.0.0.1:9"), Some(keys)),
                "endpoint",
                "not allowed",
            ),
            (
                access("s3://lake/x", Some("https://store.example/x"), Some(keys)),
                "endpoint",
                "not allowed",
            ),
            (elsewhere, "endpoint", "needs an endpoint"),
            (access("file:///etc/x", None, None), "url", "not allowed"),
            (
                access("share://sharing.example/x", None, None),
                "credential",
                "needs a credential",
            ),
            (
                access("share://sharing.example/x", None, Some(profile)),
                "url",
                "not allowed",
            ),
            (
                access("share://other.example/x", None, Some(profile)),
                "credential",
                "endpoint",
            ),
            (
                access(&inside, Some("https://store.example"), None),
                "endpoint",
                "no endpoint",
            ),
        ] {
            let problem = lake.check(&row).unwrap_err();
            assert!(problem.sentence.contains(expected), "{problem}");
            assert_eq!(problem.field, Some(field), "{problem}");
            assert!(problem.sentence.ends_with('.'), "{problem}");
            assert!(!problem.sentence.contains("s3cr3t"), "{problem}");
            assert!(!problem.escape && !problem.transient);
            assert!(lake.open(&row, &meter()).is_err());
        }
        let url = format!("file://{}/lake", folder.path().display());
        let good = access(&url, None, None);
        assert_eq!(lake.check(&good).unwrap().url.to_string(), url);
        let at = lake.table(&good, "a/b", &meter()).unwrap();
        assert_eq!(
            at.key(&Path::from("x=1/part.parquet")).as_ref(),
            "a/b/x=1/part.parquet"
        );
        for path in ["../b", "/a", "a//b", "a/%2e%2e/b"] {
            assert!(lake.table(&good, path, &meter()).is_err(), "{path}");
        }
    }
}
