//! A gate that is a table of grants, and goes wrong where a test says so.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use model::{GrantId, QueryId, RecipientId, RecipientTokenId, Timestamp};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use object_store::path::Path;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::counting::{Counting, Reads};
use super::kept::KeptQueries;
use super::world::EXPIRES;
use crate::{
    Gate, Narrow, QueryRecord, Readable, Reader, Refused, ShareInfo, Shared, Side, SignedFile,
    Temporary,
};

/// What a test may have go wrong in the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Signing fails from this call on, counted from 0.
    SignFrom(usize),
    /// This call for URLs takes longer than those that follow it.
    SlowSign(usize),
    /// One URL too few comes back.
    ShortSign,
    /// Access ends between opening and signing.
    EndedBeforeSigning,
    /// Opening fails.
    Open,
    /// The grant's day is used up.
    OverQuota,
    /// The access log is written only once the test lets it.
    SlowRecord,
}

pub(super) struct TestGate {
    pub(super) tables: Mutex<Vec<(Shared, Arc<InMemory>)>>,
    pub(super) shares: Mutex<Vec<ShareInfo>>,
    pub(super) records: Mutex<Vec<QueryRecord>>,
    pub(super) recording: Notify,
    pub(super) release: Notify,
    pub(super) recorded: Notify,
    pub(super) fault: Mutex<Option<Fault>>,
    pub(super) signed: AtomicUsize,
    pub(super) sign_calls: AtomicUsize,
    pub(super) under_way: TaskTracker,
    pub(super) given_back: AtomicU64,
    pub(super) peers: Mutex<Vec<Option<IpAddr>>>,
    pub(super) reads: Arc<Reads>,
    pub(super) queries: Arc<KeptQueries>,
    /// Microseconds since the world began.
    pub(super) elapsed: AtomicI64,
    /// Whether history and the change data feed are shared, and whether what is read is a replica.
    pub(super) shares_past: Mutex<(bool, bool, bool)>,
    pub(super) history_start: Mutex<Option<u64>>,
    pub(super) rows: Mutex<Option<Arc<Narrow>>>,
    /// Whether the other side can be read, too, where an answer began there.
    pub(super) both_sides: AtomicBool,
    /// What was granted once, and how that ended: share, name, when, whether it was revoked, until when URLs work.
    pub(super) ended: Mutex<Vec<Ended>>,
}

type Ended = (String, String, Timestamp, bool, Option<Timestamp>);

/// `alice` and `bob` are recipients with the same grants.
fn reader(name: &str) -> Reader {
    Reader {
        recipient: RecipientId(Uuid::from_u128(name.len() as u128)),
        name: name.to_owned(),
        token: Some(RecipientTokenId(Uuid::from_u128(name.len() as u128))),
    }
}

#[async_trait]
impl Gate for TestGate {
    async fn authenticate(&self, bearer: &str, peer: Option<IpAddr>) -> Result<Reader, Refused> {
        self.peers.lock().unwrap().push(peer);
        let urls_until = Some(Timestamp::parse("2026-11-20T12:00:00Z").unwrap());
        match bearer {
            "token-alice" => Ok(reader("alice")),
            "token-bob" => Ok(reader("bob")),
            "token-expired" => Err(Refused::Expired { urls_until: None }),
            "token-revoked" => Err(Refused::Revoked { urls_until }),
            "token-elsewhere" => Err(Refused::Forbidden {
                why: "this address is not on the recipient's list".to_owned(),
            }),
            "token-busy" => Err(Refused::TooMany {
                retry_after_seconds: 7,
            }
            .to_reader(reader("bob"))),
            "token-broken" => Err(Refused::Internal(
                "password=hunter2 in /srv/secret".to_owned(),
            )),
            "token-later" => Err(Refused::Unavailable("database 10.0.0.1".to_owned())),
            _ => Err(Refused::Unknown),
        }
    }

    async fn tables(&self, _: &Reader) -> Result<Vec<Shared>, Refused> {
        Ok(self
            .tables
            .lock()
            .unwrap()
            .iter()
            .map(|(shared, _)| shared.clone())
            .collect())
    }

    async fn shares(&self, _: &Reader) -> Result<Vec<ShareInfo>, Refused> {
        Ok(self.shares.lock().unwrap().clone())
    }

    async fn open(
        &self,
        _: &Reader,
        share: &str,
        schema: &str,
        table: &str,
    ) -> Result<Readable, Refused> {
        let (.., replica) = *self.shares_past.lock().unwrap();
        self.readable((share, schema, table), replica)
    }

    async fn open_on(
        &self,
        _: &Reader,
        share: &str,
        schema: &str,
        table: &str,
        side: Side,
    ) -> Result<Readable, Refused> {
        let (.., replica) = *self.shares_past.lock().unwrap();
        let wanted = side == Side::Replica;
        if wanted != replica && !self.both_sides.load(Ordering::SeqCst) {
            return Err(Refused::ended_side(side));
        }
        self.readable((share, schema, table), wanted)
    }

    async fn allow(&self, _: &Readable, bytes: u64) -> Result<(), Refused> {
        if *self.fault.lock().unwrap() == Some(Fault::OverQuota) {
            return Err(Refused::OverQuota {
                why: format!("{bytes} bytes are too many today; it begins anew tomorrow"),
            });
        }
        Ok(())
    }

    async fn give_back(&self, _: &Readable, bytes: u64) {
        self.given_back.fetch_add(bytes, Ordering::SeqCst);
    }

    async fn sign(&self, table: &Readable, keys: &[Path]) -> Result<Vec<SignedFile>, Refused> {
        assert_eq!(
            table.handle.downcast_ref::<String>().unwrap(),
            "the gate's own"
        );
        let call = self.sign_calls.fetch_add(1, Ordering::SeqCst);
        let fault = *self.fault.lock().unwrap();
        if fault == Some(Fault::EndedBeforeSigning) {
            return Err(self.no_longer(&table.share, &table.name));
        }
        if matches!(fault, Some(Fault::SignFrom(first)) if call >= first) {
            return Err(Refused::Internal("the key of account x is gone".to_owned()));
        }
        if fault == Some(Fault::SlowSign(call)) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let mut signed: Vec<SignedFile> = keys
            .iter()
            .map(|key| {
                let nth = i64::try_from(self.signed.fetch_add(1, Ordering::SeqCst)).unwrap();
                let expires_at = Timestamp::from_millis(EXPIRES - nth * 1_000);
                SignedFile {
                    url: format!("https://store.example/{key}?X-Amz-Signature=s&n={nth}"),
                    expires_at,
                }
            })
            .collect();
        if fault == Some(Fault::ShortSign) {
            signed.pop();
        }
        Ok(signed)
    }

    fn now(&self) -> Timestamp {
        let began = Timestamp::parse("2026-11-20T10:00:00Z").unwrap();
        began.plus(self.elapsed.load(Ordering::SeqCst))
    }

    async fn record(&self, record: QueryRecord) {
        let fault = *self.fault.lock().unwrap();
        if fault == Some(Fault::SlowRecord) {
            self.recording.notify_one();
            self.release.notified().await;
        }
        self.records.lock().unwrap().push(record);
        self.recorded.notify_one();
    }

    async fn temporary(&self, table: &Readable) -> Result<Temporary, Refused> {
        Ok(Temporary {
            location: table.directory.clone().unwrap(),
            key: storage::TemporaryKey::S3 {
                access_key_id: "ASIA".to_owned(),
                secret_access_key: "s3cr3t".to_owned(),
                session_token: "t0k3n".to_owned(),
            },
            expires_at: Timestamp::from_millis(EXPIRES),
        })
    }
}

impl TestGate {
    fn readable(
        &self,
        (share, schema, table): (&str, &str, &str),
        replica: bool,
    ) -> Result<Readable, Refused> {
        if *self.fault.lock().unwrap() == Some(Fault::Open) {
            return Err(Refused::Unsupported {
                feature: "v2Checkpoint".to_owned(),
            });
        }
        let tables = self.tables.lock().unwrap();
        let (shared, objects) = tables
            .iter()
            .find(|(shared, _)| {
                (
                    shared.share.as_str(),
                    shared.schema.as_str(),
                    shared.name.as_str(),
                ) == (share, schema, table)
            })
            .ok_or_else(|| self.no_longer(share, table))?;
        let objects: Arc<dyn ObjectStore> = Arc::new(Counting {
            inner: objects.clone(),
            reads: Arc::clone(&self.reads),
        });
        let (history, changes, _) = *self.shares_past.lock().unwrap();
        let place = shared.table_id.to_string();
        Ok(Readable {
            table: delta::Table::new(objects, delta::Budgets::default()),
            place: if replica {
                format!("{place} copied")
            } else {
                place
            },
            share: shared.share.clone(),
            schema: shared.schema.clone(),
            name: shared.name.clone(),
            share_id: shared.share_id,
            table_id: shared.table_id,
            grant: GrantId(Uuid::from_u128(71)),
            query: QueryId(Uuid::from_u128(72)),
            history,
            history_start: *self.history_start.lock().unwrap(),
            changes,
            rows: self.rows.lock().unwrap().clone(),
            directory: shared.directory.clone(),
            replica,
            stale_since: None,
            handle: Arc::new("the gate's own".to_owned()),
        })
    }

    fn no_longer(&self, share: &str, name: &str) -> Refused {
        let ended = self.ended.lock().unwrap();
        let found = ended
            .iter()
            .find(|end| (end.0.as_str(), end.1.as_str()) == (share, name));
        match found {
            Some((_, _, at, revoked, urls_until)) => Refused::Ended {
                at: *at,
                revoked: *revoked,
                urls_until: *urls_until,
            },
            None => Refused::NotFound,
        }
    }
}
