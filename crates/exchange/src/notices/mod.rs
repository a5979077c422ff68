//! Telling people and one other system what happened: which events there are, who hears of them, and how they come into the
//! outbox.
//!
//! An event is written in the transaction of the change that causes it: one row of `notice`, by a key that it has once, and one
//! piece of work for each person who is to have a mail and one for the webhook. Workers do that work ([`deliver`]) as they
//! do all other: at least once, with pauses that grow, and what cannot be delivered is parked with its reason. What is not
//! configured is not put into the outbox.
//!
//! A person gets so many mails in an hour; what is more is held back and comes as one ([`turn`]). How a mail is worded is
//! [`letter`]'s, and of one that tells of many [`digest`]'s.

mod audience;
mod deliver;
mod digest;
mod ending;
mod letter;
mod settings;
mod turn;

use model::time::DAY;
use model::{
    GrantId, Location, Mode, Name, NoticeEvent, NoticeId, PersonId, ProductName, ReplicaId,
    RequestId, Timestamp,
};
use serde::{Deserialize, Serialize};

pub(crate) use audience::Audience;
pub use deliver::Sent;

use crate::db::Tx;
use crate::error::Error;
use crate::jobs::{self, Wake, WorkKind};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// So long it is remembered what was told. Longer than any warning comes before what it warns of, and than work is tried.
const REMEMBERED: i64 = 90 * DAY;

/// What there is to say of an event. No people's names: an account can be erased, and what was told stays for a while.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Facts {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product: Option<ProductName>,
    /// The cut of it that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Name>,
    /// The team that consumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<Name>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Name>,
    /// Of the recipient, or of the replica.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How many days are left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica: Option<ReplicaId>,
    /// What an access has handed out of the producer's own files today, how much it may, and when that begins anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_day: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anew_at: Option<Timestamp>,
    /// The due sync that was missed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The product's title, which its team may word as it likes. In mail only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What somebody wrote: a purpose, or the note of a decision. In mail only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
}

/// An event that is to be told.
#[derive(Clone, Debug)]
pub(crate) struct NoticeNew {
    /// What makes it this event and no other: told with the same key again it is not told again.
    pub key: String,
    pub event: NoticeEvent,
    pub facts: Facts,
    pub audience: Audience,
}

/// An event as it stands in the database.
struct NoticeRecord {
    id: NoticeId,
    event: NoticeEvent,
    facts: String,
    at: Timestamp,
}
from_row!(NoticeRecord {
    id,
    event,
    facts,
    at
});

struct TitleRow {
    title: String,
}
from_row!(TitleRow { title });

impl Exchange {
    /// Whether anybody can be told anything.
    pub(crate) fn tells(&self) -> bool {
        let post = &self.ports().post;
        post.mailer.is_some() || post.webhook.is_some()
    }

    /// Puts an event into the outbox, unless it is there or was told already; part of the transaction that causes it.
    pub(crate) async fn tell(
        &self,
        tx: &mut Tx,
        at: Timestamp,
        mut notice: NoticeNew,
    ) -> Result<(), Error> {
        if !self.tells() {
            return Ok(());
        }
        if let Some(product) = &notice.facts.product {
            let found: Option<TitleRow> = sql!("select title from product where name = $1")
                .bind(product)
                .first(&mut *tx)
                .await?;
            notice.facts.title = found.map(|row| row.title);
        }
        let id = NoticeId::new(at);
        let facts = serde_json::to_string(&notice.facts).map_err(Error::internal)?;
        let is_new = sql!(
            "insert into notice (id, key, event, facts, at) values ($1, $2, $3, $4, $5) on conflict (key) do nothing"
        )
        .bind(id)
        .bind(&notice.key)
        .bind(notice.event)
        .bind(facts)
        .bind(at)
        .execute(&mut *tx)
        .await?;
        if is_new == 0 {
            return Ok(());
        }
        if let (Some(kind), true) = (notice.event.kind(), self.ports().post.mailer.is_some()) {
            for person in notice.audience.people(&mut *tx, kind, at).await? {
                let wake = Wake::new(WorkKind::Mail, mail_key(id, person));
                jobs::enqueue(&mut *tx, &wake, at).await?;
            }
        }
        if self.ports().post.webhook.is_some() {
            jobs::enqueue(&mut *tx, &Wake::new(WorkKind::Webhook, id), at).await?;
        }
        Ok(())
    }

    /// Forgets what was told long ago, and gives up what of it is still parked.
    pub async fn notices_sweep(&self, principal: &Principal) -> Result<u64, Error> {
        can(principal, Operation::NoticeSend, &Scope::NONE)?;
        let before = self.now().plus(-REMEMBERED);
        sql!("delete from work where kind in ('mail', 'webhook') and parked and created_at < $1")
            .bind(before)
            .execute(self.db())
            .await?;
        sql!("delete from mail_held where held_at < $1")
            .bind(before)
            .execute(self.db())
            .await?;
        Ok(sql!("delete from notice where at < $1")
            .bind(before)
            .execute(self.db())
            .await?)
    }
}

fn mail_key(notice: NoticeId, person: PersonId) -> String {
    format!("{notice}/{person}")
}
