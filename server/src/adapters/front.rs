//! A gate in front of another: what it has nothing to say to, the one behind answers.

use std::net::IpAddr;

use async_trait::async_trait;
use model::Timestamp;
use object_store::path::Path;
use sharing::{
    Gate, QueryRecord, Readable, Reader, Refused, ShareInfo, Shared, Side, SignedFile, Temporary,
};

/// What is different in front; everything else is as it is behind.
#[async_trait]
pub trait Front: Send + Sync + 'static {
    fn behind(&self) -> &dyn Gate;

    async fn authenticate(&self, bearer: &str, peer: Option<IpAddr>) -> Result<Reader, Refused> {
        self.behind().authenticate(bearer, peer).await
    }

    async fn sign(&self, table: &Readable, keys: &[Path]) -> Result<Vec<SignedFile>, Refused> {
        self.behind().sign(table, keys).await
    }
}

/// The two as one gate.
pub struct InFront<F>(pub F);

#[async_trait]
impl<F: Front> Gate for InFront<F> {
    async fn authenticate(&self, bearer: &str, peer: Option<IpAddr>) -> Result<Reader, Refused> {
        self.0.authenticate(bearer, peer).await
    }

    async fn tables(&self, reader: &Reader) -> Result<Vec<Shared>, Refused> {
        self.0.behind().tables(reader).await
    }

    async fn shares(&self, reader: &Reader) -> Result<Vec<ShareInfo>, Refused> {
        self.0.behind().shares(reader).await
    }

    async fn open(
        &self,
        reader: &Reader,
        share: &str,
        schema: &str,
        table: &str,
    ) -> Result<Readable, Refused> {
        self.0.behind().open(reader, share, schema, table).await
    }

    async fn open_on(
        &self,
        reader: &Reader,
        share: &str,
        schema: &str,
        table: &str,
        side: Side,
    ) -> Result<Readable, Refused> {
        let behind = self.0.behind();
        behind.open_on(reader, share, schema, table, side).await
    }

    async fn allow(&self, table: &Readable, bytes: u64) -> Result<(), Refused> {
        self.0.behind().allow(table, bytes).await
    }

    async fn give_back(&self, table: &Readable, bytes: u64) {
        self.0.behind().give_back(table, bytes).await;
    }

    async fn sign(&self, table: &Readable, keys: &[Path]) -> Result<Vec<SignedFile>, Refused> {
        self.0.sign(table, keys).await
    }

    async fn temporary(&self, table: &Readable) -> Result<Temporary, Refused> {
        self.0.behind().temporary(table).await
    }

    fn now(&self) -> Timestamp {
        self.0.behind().now()
    }

    async fn record(&self, record: QueryRecord) {
        self.0.behind().record(record).await;
    }
}
