//! Doing the outbox's work: one mail to one person, one event to the webhook. A worker that dies after sending and before
//! saying so sends again, with the same id; nothing is lost.

use model::time::DAY;
use model::{NoticeEvent, NoticeId, PersonId, crash_point};
use serde_json::json;

use super::turn::{self, Turn};
use super::{Facts, NoticeRecord, digest, letter};
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::ports::{Letter, Mailer, Undelivered};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// Of two processes one may be configured and the other not: what was promised to the outbox waits for a person.
const NO_MAIL: &str = "this process has no [mail] in its configuration, and this was put into the queue by one that has; \
                       configure it the same for every process, then try again";
const NO_WEBHOOK: &str = "this process has no [webhook] in its configuration, and this was put into the queue by one that \
                          has; configure it the same for every process, then try again";

/// What became of a mail that was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Sent, held back for another mail, or not to be sent any more.
    Done,
    /// To be looked at again after so many microseconds: the person has had as many as they get in an hour.
    Later(i64),
}

struct Addressee {
    email: String,
}
from_row!(Addressee { email });

impl Exchange {
    async fn notice(&self, id: NoticeId) -> Result<Option<NoticeRecord>, Error> {
        Ok(
            sql!("select id, event, facts, at from notice where id = $1")
                .bind(id)
                .first(self.db())
                .await?,
        )
    }

    /// Sends the mail that `key` names, or all that was held back of somebody's. Who is disabled by now, has lost the address or
    /// turned the kind off gets none. What is more than a person gets in an hour is held back.
    pub async fn mail_deliver(
        &self,
        principal: &Principal,
        key: &str,
    ) -> Result<Result<Sent, Undelivered>, Error> {
        can(principal, Operation::NoticeSend, &Scope::NONE)?;
        if let Some(person) = turn::of_digest(key) {
            return self.digest_deliver(person).await;
        }
        let Some((notice, person)) = parse(key) else {
            return Ok(Err(Undelivered::permanent("the work's key names no mail")));
        };
        let Some(notice) = self.notice(notice).await? else {
            return Ok(Ok(Sent::Done));
        };
        let addressee: Option<Addressee> = sql!(
            "select email from person where id = $1 and not disabled and email <> '' and not exists (
                 select 1 from muted_notice where person_id = $1 and kind = $2)"
        )
        .bind(person)
        .bind(notice.event.kind().filter(|_| notice.event.can_be_muted()))
        .first(self.db())
        .await?;
        let Some(addressee) = addressee else {
            return Ok(Ok(Sent::Done));
        };
        let Some(mailer) = &self.ports().post.mailer else {
            return Ok(Err(Undelivered::permanent(NO_MAIL)));
        };
        let Some(facts) = self.facts_of(&notice)? else {
            return Ok(Ok(Sent::Done));
        };
        if !self.take_turn(person, notice.id).await? {
            return Ok(Ok(Sent::Done));
        }
        let id = format!("{}.{person}", notice.id);
        let letter = letter::of(notice.event, &facts, &self.options().public_url).to(
            id,
            addressee.email,
            notice.at,
        );
        let sent = send(mailer.as_ref(), &letter).await;
        Ok(sent.map(|()| Sent::Done))
    }

    /// What there still is to say of an event. None: nothing any more.
    fn facts_of(&self, notice: &NoticeRecord) -> Result<Option<Facts>, Error> {
        let mut facts: Facts = serde_json::from_str(&notice.facts).map_err(Error::internal)?;
        // Who was to be told so long ago may not be who may read it now: the page knows.
        if notice.at.plus(DAY) <= self.now() {
            facts.words = None;
            facts.title = None;
        }
        // Sent after the end it would warn of what has come.
        let is_over = facts.until.is_some_and(|until| until <= self.now());
        Ok((!is_over || notice.event != NoticeEvent::AccessEnding).then_some(facts))
    }

    /// One mail of all that was held back for a person; of a single one, that one.
    async fn digest_deliver(&self, person: PersonId) -> Result<Result<Sent, Undelivered>, Error> {
        let held = self.held_back(person).await?;
        let is_all = i64::try_from(held.len()).unwrap_or(i64::MAX) < turn::MOST;
        let done = if is_all { Sent::Done } else { Sent::Later(1) };
        let addressee: Option<Addressee> =
            sql!("select email from person where id = $1 and not disabled and email <> ''")
                .bind(person)
                .first(self.db())
                .await?;
        let muted = self.muted(person).await?;
        let mut told = Vec::new();
        for notice in &held {
            let is_wanted = notice
                .event
                .kind()
                .is_some_and(|kind| !muted.contains(&kind));
            if let (true, Some(facts)) = (is_wanted, self.facts_of(notice)?) {
                told.push((notice, facts));
            }
        }
        let (Some(addressee), Some((first, _)), Some((last, _))) =
            (addressee, told.first(), told.last())
        else {
            self.let_go(person, &held).await?;
            return Ok(Ok(done));
        };
        let Some(mailer) = &self.ports().post.mailer else {
            return Ok(Err(Undelivered::permanent(NO_MAIL)));
        };
        // Named after its first one: sent again it is the same mail, though more was held back meanwhile.
        let key = format!("all.{}", first.id);
        if let Turn::In(pause) = self.take_turn_of_all(person, &key).await? {
            return Ok(Ok(Sent::Later(pause)));
        }
        let site = &self.options().public_url;
        let letter = match told.as_slice() {
            [(only, facts)] => letter::of(only.event, facts, site).to(
                format!("{}.{person}", only.id),
                addressee.email,
                only.at,
            ),
            _ => {
                let events: Vec<(NoticeEvent, &Facts)> = told
                    .iter()
                    .map(|(notice, facts)| (notice.event, facts))
                    .collect();
                digest::of(&events, site).to(format!("{key}.{person}"), addressee.email, last.at)
            }
        };
        let sent = send(mailer.as_ref(), &letter).await;
        if sent.is_ok() {
            self.let_go(person, &held).await?;
        }
        Ok(sent.map(|()| done))
    }

    /// Sends the event that `key` names to the webhook.
    pub async fn webhook_deliver(
        &self,
        principal: &Principal,
        key: &str,
    ) -> Result<Result<(), Undelivered>, Error> {
        can(principal, Operation::NoticeSend, &Scope::NONE)?;
        let Ok(id) = key.parse() else {
            return Ok(Err(Undelivered::permanent("the work's key names no event")));
        };
        let Some(notice) = self.notice(id).await? else {
            return Ok(Ok(()));
        };
        let Some(webhook) = &self.ports().post.webhook else {
            return Ok(Err(Undelivered::permanent(NO_WEBHOOK)));
        };
        let facts: Facts = serde_json::from_str(&notice.facts).map_err(Error::internal)?;
        let path = letter::path(notice.event, &facts);
        // What people wrote stays where it is read with the rights to it.
        let data = Facts {
            title: None,
            words: None,
            ..facts
        };
        let body = json!({
            "id": notice.id,
            "time": notice.at,
            "kind": notice.event,
            "url": format!("{}{path}", self.options().public_url),
            "data": data,
        });
        crash_point!("webhook.send.before");
        let sent = webhook.post(notice.id, &body.to_string()).await;
        crash_point!("webhook.send.after");
        Ok(sent)
    }
}

async fn send(mailer: &dyn Mailer, letter: &Letter) -> Result<(), Undelivered> {
    crash_point!("mail.send.before");
    let sent = mailer.send(letter).await;
    crash_point!("mail.send.after");
    sent
}

fn parse(key: &str) -> Option<(NoticeId, PersonId)> {
    let (notice, person) = key.split_once('/')?;
    Some((notice.parse().ok()?, person.parse().ok()?))
}
