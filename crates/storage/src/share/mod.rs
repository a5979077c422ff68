//! A Delta Share as a storage: what another company, or another Entrepôt, shares with one recipient. It is presented as folders
//! `share/schema/table` that hold Delta tables, so that planning, comparing, copying and proving need not know where a table comes
//! from: each has a log of one version, made of the server's answers (`answer`, `table`), and files behind the URLs that the
//! server hands out (`client`). It is only read.

mod answer;
mod client;
mod look;
mod table;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::TryStreamExt as _;
use futures::stream::{self, BoxStream, StreamExt as _};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

pub(crate) use self::client::Client;
use self::table::Table;
use crate::StorageError;

pub(crate) use self::look::{Seen, look};

/// Stands in errors whose source is a sentence of ours, for people.
pub(crate) const NAME: &str = "a Delta Share";
const LOG: &str = "_delta_log";

/// The tables that one recipient may read at one server. Clones share what was answered.
#[derive(Clone)]
pub(crate) struct ShareStore(Arc<Inner>);

struct Inner {
    client: Arc<Client>,
    /// The storage's URL.
    root: String,
    tables: Mutex<HashMap<[String; 3], Arc<Table>>>,
}

impl ShareStore {
    pub(crate) fn new(client: Client, root: String) -> Self {
        Self(Arc::new(Inner {
            client: Arc::new(client),
            root,
            tables: Mutex::default(),
        }))
    }

    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }

    fn table(&self, names: &[String; 3]) -> Arc<Table> {
        let tables = self.0.tables.lock();
        let mut tables = tables.unwrap_or_else(PoisonError::into_inner);
        let table = tables.entry(names.clone()).or_insert_with(|| {
            let client = Arc::clone(&self.0.client);
            Arc::new(Table::new(client, names.clone(), &self.0.root))
        });
        Arc::clone(table)
    }

    async fn listed(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let parts = parts(prefix);
        let folder = prefix.cloned().unwrap_or_default();
        let client = self.client();
        let names = match parts.as_slice() {
            [] => client.names(&["shares"], "the list of shares").await,
            [share] => {
                let what = format!("the share `{share}`");
                let path = ["shares", share.as_str(), "schemas"];
                client.names(&path, &what).await
            }
            [share, schema] => {
                let what = format!("the schema `{schema}` of the share `{share}`");
                let (share, schema) = (share.as_str(), schema.as_str());
                let path = ["shares", share, "schemas", schema, "tables"];
                client.names(&path, &what).await
            }
            [_, _, _] => Ok(vec![LOG.to_owned()]),
            _ => {
                let objects = self.list(prefix).try_collect().await?;
                return Ok(ListResult {
                    common_prefixes: Vec::new(),
                    objects,
                });
            }
        };
        let names = names.map_err(failed)?;
        let inner = names.iter().filter_map(|name| below(&folder, name));
        Ok(ListResult {
            common_prefixes: inner.collect(),
            objects: Vec::new(),
        })
    }
}

/// A name as it is, not encoded, below a folder; None for what keys may not hold.
fn below(folder: &Path, name: &str) -> Option<Path> {
    if folder.is_root() {
        return Path::parse(name).ok();
    }
    Path::parse(format!("{folder}/{name}")).ok()
}

fn parts(path: Option<&Path>) -> Vec<String> {
    let parts = path.into_iter().flat_map(Path::parts);
    parts.map(|part| part.as_ref().to_owned()).collect()
}

/// A sentence on its way through object_store.
fn failed(error: StorageError) -> Error {
    Error::Generic {
        store: NAME,
        source: Box::new(error),
    }
}

fn missing(path: &Path) -> Error {
    Error::NotFound {
        path: path.to_string(),
        source: "the share has no such object".into(),
    }
}

fn unwritten() -> Error {
    Error::NotSupported {
        source: "a Delta Share is only read".into(),
    }
}

impl fmt::Display for ShareStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.root)
    }
}

impl fmt::Debug for ShareStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShareStore({})", self.0.root)
    }
}

#[async_trait]
impl ObjectStore for ShareStore {
    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(unwritten())
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(unwritten())
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let mut parts = parts(Some(location)).into_iter();
        let (Some(share), Some(schema), Some(name)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(missing(location));
        };
        let table = self.table(&[share, schema, name]);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(log), Some(name), None) if log == LOG => {
                table.log_object(location, &name, &options).await
            }
            (Some(name), None, None) => table.object(location, &name, &options).await,
            _ => Err(missing(location)),
        }
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        locations
            .and_then(|_| std::future::ready(Err(unwritten())))
            .boxed()
    }

    /// Of a table its log; what else there is the log says. Above tables folders are listed, not everything in them.
    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let found = parts(prefix);
        let log = match found.as_slice() {
            [share, schema, name] => Some([share, schema, name]),
            [share, schema, name, log] if log == LOG => Some([share, schema, name]),
            _ => None,
        };
        let Some(names) = log.map(|names| names.map(Clone::clone)) else {
            return stream::once(std::future::ready(Err(Error::NotSupported {
                source: "a Delta Share is listed folder by folder".into(),
            })))
            .boxed();
        };
        let table = self.table(&names);
        let listed = async move {
            let log = table.log().await?;
            Ok::<_, Error>(stream::iter(log.into_iter().map(Ok)))
        };
        stream::once(listed).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.listed(prefix).await
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(unwritten())
    }
}
