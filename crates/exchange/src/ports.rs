//! What the exchange needs of the world outside its database. The server implements these over the other crates;
//! [`crate::testing`] has doubles for unit tests.

use std::sync::Arc;

use async_trait::async_trait;
use model::dto::{AssessmentNew, FlowLine, Inspection, Rate, StorageReport};
use model::{AssessmentId, GrantId, Location, Name, NoticeId, StorageId, Timestamp};
use secrecy::SecretString;

use crate::replicas::SyncTask;

/// A storage with the credential opened: what an adapter needs to reach it.
#[derive(Clone, Debug)]
pub struct StorageAccess {
    pub id: StorageId,
    pub name: Name,
    pub location: Location,
    /// Canonical, without a trailing slash.
    pub url: String,
    pub endpoint: Option<String>,
    /// JSON as the storage crate reads it; None for `file:`.
    pub credential: Option<SecretString>,
    pub replicas: bool,
}

/// Why a table could not be read. `sentence` is for people: what is wrong and what to do.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct Problem {
    pub sentence: String,
    /// Whether the log pointed outside its own folder: an incident, not a mistake.
    pub escape: bool,
    /// With an escape: the version of the log that points out.
    pub version: Option<u64>,
    /// Whether trying again later may help (the store did not answer).
    pub transient: bool,
    /// What of a storage is wrong, by the name of the form's field; None: its address as a whole.
    pub field: Option<&'static str>,
}

impl Problem {
    pub fn new(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            escape: false,
            version: None,
            transient: false,
            field: None,
        }
    }

    #[must_use]
    pub fn of_field(mut self, field: &'static str) -> Self {
        self.field = Some(field);
        self
    }
}

/// Reads a Delta table's log, contained and within budgets.
#[async_trait]
pub trait TableInspector: Send + Sync {
    async fn inspect(&self, storage: &StorageAccess, path: &str) -> Result<Inspection, Problem>;

    /// The newest version of a table, from a listing of its log's end: cheap enough to be asked every hour.
    async fn latest(&self, storage: &StorageAccess, path: &str) -> Result<u64, Problem>;

    /// The paths of all tables under `prefix`, relative to the storage.
    async fn scan(&self, storage: &StorageAccess, prefix: &str) -> Result<Vec<String>, Problem>;
}

/// Looks at a storage as such.
#[async_trait]
pub trait StoreProbe: Send + Sync {
    /// Checks address, endpoint and credential against the allow-lists, without IO. Answers the canonical URL.
    fn check(&self, storage: &StorageAccess) -> Result<String, Problem>;

    /// Whether two canonical URLs are the same place, or one holds the other.
    fn overlap(&self, one: &str, other: &str) -> bool;

    /// Whether the URL is a folder of this machine that stands in for a cloud.
    fn is_simulated(&self, url: &str) -> bool;

    async fn examine(&self, storage: &StorageAccess, write: bool)
    -> Result<StorageReport, Problem>;
}

/// Reckons what moving a storage's tables costs. Reads logs and writes nothing to any storage.
pub trait Assessor: Send + Sync {
    /// Whether this can be reckoned, before anything is read.
    fn check(&self, asked: &AssessmentNew) -> Result<(), Problem>;

    /// Begins what was checked and answers at once. How far it is and what came of it is told to the exchange
    /// ([`crate::Exchange::assessment_progress`], [`crate::Exchange::assessment_end`]), which also says when to stop.
    fn start(
        &self,
        id: AssessmentId,
        storage: StorageAccess,
        asked: AssessmentNew,
        rates: Vec<Rate>,
        at: Timestamp,
    );

    /// Reads a list of flows.
    fn flows(&self, _list: &str) -> Result<Vec<FlowLine>, Problem> {
        Err(Problem::new(
            "This part of Entrepôt reads no lists of flows.",
        ))
    }
}

/// Of an exchange that does not assess.
#[derive(Clone, Copy, Debug)]
pub struct Unassessed;

impl Assessor for Unassessed {
    fn check(&self, _: &AssessmentNew) -> Result<(), Problem> {
        Err(Problem::new("This part of Entrepôt does not assess."))
    }

    fn start(
        &self,
        _: AssessmentId,
        _: StorageAccess,
        _: AssessmentNew,
        _: Vec<Rate>,
        _: Timestamp,
    ) {
    }
}

/// What one way of syncing a table would move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moves {
    pub objects: u64,
    pub bytes: u64,
    /// How often the source would be asked for these bytes.
    pub requests: u64,
}

/// Why a sync compares everything, and not only what is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anew {
    First,
    Recreated,
    Mended,
}

/// What the next run of a replica table would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foresight {
    /// The source's versions: the one that the replica holds, and the newest.
    pub from_version: Option<u64>,
    pub to_version: u64,
    pub anew: Option<Anew>,
    /// Every data file of the source.
    pub full: Moves,
    /// What the replica does not hold, as the files that it is.
    pub files: Moves,
    /// With the source's change feed in place of rewritten files, wherever it can be. `None`: nowhere.
    pub feed: Option<Moves>,
    /// With compactions of the source left alone, wherever they can be. `None`: nowhere.
    pub skip: Option<Moves>,
    /// What the run moves.
    pub run: Moves,
    /// Sets of rewritten files of which the run takes the feed, and sets that it leaves alone.
    pub sets_fed: u64,
    pub sets_skipped: u64,
    /// Why others are copied: the first reason.
    pub why: Option<String>,
    /// What is to be said of the versions that the run's commit brings, in sentences.
    pub commits: Option<String>,
    /// The deletion vectors among what the run moves.
    pub vectors: Moves,
    pub are_vectors_enough: bool,
    /// Files that come back and that the replica still has.
    pub reused: u64,
    /// What of a copy that lies in the replica's storage is taken over, where one was named.
    pub adopted: Option<Adoptable>,
}

/// What of a named copy serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adoptable {
    pub folder: String,
    pub files: u64,
    pub bytes: u64,
    /// Of these, what is read beside the replica first.
    pub to_read_bytes: u64,
    /// Other files of the right size, under other names, that may turn out to be the source's.
    pub perhaps_files: u64,
    /// What is fetched to compare ends of files.
    pub compared_bytes: u64,
    /// Why others of the right size are not taken: the first reason.
    pub why: Option<String>,
}

impl Adoptable {
    /// For people.
    pub(crate) fn sentence(&self) -> String {
        let files = |count: u64| match count {
            1 => "1 object".to_owned(),
            many => format!("{many} objects"),
        };
        let folder = match self.folder.as_str() {
            "" => String::new(),
            folder => format!(" in {folder}"),
        };
        let mut text = format!(
            "It is the first sync, and {} of {} bytes are taken over from the copy{folder}, within the storage: they do not cross.",
            files(self.files),
            self.bytes
        );
        if self.to_read_bytes > 0 {
            text.push_str(&format!(
                " Of these, {} bytes are read beside the replica first; what turns out to be something else is fetched.",
                self.to_read_bytes
            ));
        }
        if self.perhaps_files > 0 {
            text.push_str(&format!(
                " {} of the right size under another name may be saved, too.",
                files(self.perhaps_files)
            ));
        }
        if self.compared_bytes > 0 {
            text.push_str(&format!(
                " {} bytes are fetched to compare the ends of files.",
                self.compared_bytes
            ));
        }
        if let Some(why) = &self.why {
            text.push_str(&format!(" Some of the right size are not taken: {why}."));
        }
        text
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Foreseen {
    /// The replica stands at this version, the source's newest.
    Nothing {
        version: u64,
    },
    Work(Box<Foresight>),
}

/// Plans the next run of a replica table as the run itself would. Reads logs and writes nothing. `beside`: the worker that will do it
/// stands where the replica lies.
#[async_trait]
pub trait Foreseer: Send + Sync {
    async fn foresee(
        &self,
        task: &SyncTask,
        source: &StorageAccess,
        target: &StorageAccess,
        beside: bool,
        at: Timestamp,
    ) -> Result<Foreseen, Problem>;
}

/// Of an exchange that does not plan.
#[derive(Clone, Copy, Debug)]
pub struct Unforeseen;

#[async_trait]
impl Foreseer for Unforeseen {
    async fn foresee(
        &self,
        _: &SyncTask,
        _: &StorageAccess,
        _: &StorageAccess,
        _: bool,
        _: Timestamp,
    ) -> Result<Foreseen, Problem> {
        Err(Problem::new("This part of Entrepôt does not plan syncs."))
    }
}

/// Seals and opens storage credentials. `place` is bound to the ciphertext: moved to another row it does not open.
pub trait KeyRing: Send + Sync {
    /// The id of the key that seals now.
    fn newest(&self) -> Result<String, Problem>;
    /// With the newest key, as of this call: who has made a key the newest may count on it.
    fn seal(&self, place: &str, secret: &SecretString) -> Result<Sealed, Problem>;
    fn open(&self, place: &str, sealed: &Sealed) -> Result<SecretString, Problem>;
    /// What `env:NAME` holds; only names that begin with ENTREPOT_CREDENTIAL_ are read.
    fn environment(&self, name: &str) -> Result<SecretString, Problem>;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    pub key_id: String,
    pub bytes: Vec<u8>,
}

/// What was seen when a grant was looked at as its recipient would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// Listed, answered and fetched; for a replica it stands at this source version.
    Works { seen_at: Timestamp },
    /// Not yet: something that Entrepôt itself is still doing, in words for people.
    Waits { reason: String },
    /// Should work and does not: what is wrong and what to do.
    Broken { reason: String },
    /// Should not work (any more) and does not.
    Closed,
}

/// The service through which a recipient reads.
#[async_trait]
pub trait AccessTarget: Send + Sync {
    /// Looks with the recipient's identity: list, query, first and last byte of one file.
    async fn observe(&self, grant: GrantId) -> Observation;
}

/// A mail to one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The same each time this mail is sent to this person, so that one that comes twice is known for the same.
    pub id: String,
    pub to: String,
    /// One line without control characters.
    pub subject: String,
    pub text: String,
    /// The same, for readers of HTML.
    pub html: String,
    /// When happened what it tells of.
    pub at: Timestamp,
}

/// Why something was not delivered, in words for whoever looks after the installation; it holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Undelivered {
    pub sentence: String,
    /// Trying again is no use.
    pub permanent: bool,
}

impl Undelivered {
    pub fn passing(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            permanent: false,
        }
    }

    pub fn permanent(sentence: impl Into<String>) -> Self {
        Self {
            sentence: sentence.into(),
            permanent: true,
        }
    }
}

/// Hands mail to a server that delivers it.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Ok once the server has taken it.
    async fn send(&self, letter: &Letter) -> Result<(), Undelivered>;
}

/// The one system that is told every event.
#[async_trait]
pub trait Webhook: Send + Sync {
    /// `id` is the event's, the same each time it is sent; `body` is JSON. Ok once it was taken.
    async fn post(&self, id: NoticeId, body: &str) -> Result<(), Undelivered>;
}

/// How people and one other system are told what happened. What is not configured is None, and then nothing is put into the
/// outbox for it.
#[derive(Clone, Default)]
pub struct Post {
    pub mailer: Option<Arc<dyn Mailer>>,
    pub webhook: Option<Arc<dyn Webhook>>,
}

/// All ports of one installation.
#[derive(Clone)]
pub struct Ports {
    pub inspector: Arc<dyn TableInspector>,
    pub probe: Arc<dyn StoreProbe>,
    pub keys: Arc<dyn KeyRing>,
    pub access: Arc<dyn AccessTarget>,
    pub assessor: Arc<dyn Assessor>,
    pub foreseer: Arc<dyn Foreseer>,
    pub post: Post,
}
