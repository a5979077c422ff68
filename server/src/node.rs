//! One process of an installation: its settings, its exchange, and the lock on its data folder.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use exchange::db::Db;
use exchange::ports::Post;
use exchange::{Exchange, Options, Principal};
use model::Clock;

use crate::adapters::clock::SystemClock;
use crate::adapters::connect::{Connected, Wiring, connect};
use crate::adapters::keyring::FileKeyRing;
use crate::adapters::mailer::SmtpMailer;
use crate::adapters::stores::Lake;
use crate::adapters::webhook::SignedWebhook;
use crate::config::{PublicUrl, Settings};
use crate::folder::{self, FolderError, Lock};

/// What the process does with the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Serves or works: on the embedded database it is the only one to do so.
    Serve,
    /// Does one thing and ends; may do so beside a server.
    Command,
}

pub struct Node {
    pub settings: Settings,
    pub connected: Connected,
    pub public_url: PublicUrl,
    lock: Option<Lock>,
}

impl Node {
    /// Opens database and keys. The embedded database is brought up to this version on the way, unless a server is using it.
    pub async fn open(settings: Settings, purpose: Use) -> anyhow::Result<Self> {
        let public_url = public_url(&settings);
        Self::open_as(settings, purpose, public_url).await
    }

    pub fn exchange(&self) -> &Exchange {
        &self.connected.exchange
    }

    /// Whether this process, and no other, has the embedded database to itself.
    pub fn is_alone(&self) -> bool {
        self.lock.is_some()
    }

    /// The same where the public address is known better than the settings say it.
    pub async fn open_as(
        settings: Settings,
        purpose: Use,
        public_url: PublicUrl,
    ) -> anyhow::Result<Self> {
        Self::open_at(settings, purpose, public_url, Arc::new(SystemClock)).await
    }

    /// The same on another clock: the demo world plays its month on one that it moves.
    pub async fn open_at(
        settings: Settings,
        purpose: Use,
        public_url: PublicUrl,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        folder::create(&settings.data)?;
        let lock = match settings.database_file() {
            None => None,
            Some(file) => {
                let lock = take_lock(&settings.data, purpose).await?;
                folder::close_database(file)?;
                lock
            }
        };
        let db = Db::open_with(&settings.database_url, settings.database_connections)
            .await
            .context("the database cannot be opened")?;
        if lock.is_some() {
            db.migrate().await.context("the migrations failed")?;
        } else if !db.is_migrated().await? {
            bail!("the database is not at this version; run `entrepot migrate` first");
        }
        let keys = FileKeyRing::open(&settings.keys, settings.is_embedded())?;
        let options = Options {
            public_url: public_url.as_str().to_owned(),
            session_idle: settings.session_idle,
            session_lifetime: settings.session_lifetime,
            token_lifetime: settings.sharing.token_lifetime,
            url_lifetime: settings.sharing.url_lifetime,
            query_log_kept: settings.sharing.query_log_kept,
            refresh_every: settings.worker.refresh_every,
            runs_per_store: i64::from(settings.worker.runs_per_store),
            elsewhere: settings.worker.elsewhere,
            provider: settings.oidc.as_ref().map(|oidc| oidc.rules.clone()),
            mails_an_hour: match &settings.mail {
                Some(mail) => mail.per_hour,
                None => Options::default().mails_an_hour,
            },
            issuers: settings.sharing.issuers.clone(),
            ..Options::default()
        };
        let connected = connect(Wiring {
            db,
            clock,
            keys: Arc::new(keys),
            lake: Lake::of(&settings.storage),
            options,
            here: settings.location.clone(),
            post: post(&settings)?,
        })
        .await?
        .keeping_states_of(settings.sharing.states_kept);
        if lock.is_some() && purpose == Use::Serve {
            // Nobody else can be alive on this folder: what the process before held is free at once.
            connected
                .exchange
                .work_release_all(&Principal::system())
                .await?;
        }
        Ok(Self {
            settings,
            connected,
            public_url,
            lock,
        })
    }
}

/// What is configured of mail and webhook.
fn post(settings: &Settings) -> anyhow::Result<Post> {
    let mut post = Post::default();
    if let Some(mail) = &settings.mail {
        post.mailer = Some(Arc::new(SmtpMailer::new(mail)?));
    }
    if let Some(webhook) = &settings.webhook {
        post.webhook = Some(Arc::new(SignedWebhook::new(webhook)?));
    }
    Ok(post)
}

/// The data folder's lock; a command does without while a server has it.
async fn take_lock(data: &Path, purpose: Use) -> Result<Option<Lock>, FolderError> {
    match purpose {
        Use::Command => match folder::lock(data) {
            Err(FolderError::InUse { .. }) => Ok(None),
            taken => taken.map(Some),
        },
        Use::Serve => {
            let wait = || {
                tracing::warn!(
                    folder = %data.display(),
                    seconds = folder::PATIENCE.as_secs(),
                    "the data folder is in use; waiting for whoever uses it to end"
                );
            };
            folder::lock_within(data, folder::PATIENCE, wait)
                .await
                .map(Some)
        }
    }
}

/// As the settings say; else where a server on this data folder is reached, which may have been told so on its command line;
/// else where one would be.
pub(crate) fn public_url(settings: &Settings) -> PublicUrl {
    let served = || {
        let noted = folder::served(&settings.data)?;
        PublicUrl::parse(&noted, false).ok()
    };
    settings
        .public_url
        .clone()
        .or_else(served)
        .unwrap_or_else(|| PublicUrl::of_address(settings.addr))
}
