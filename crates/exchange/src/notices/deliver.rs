//! Doing the outbox's work: one mail to one person, one event to the webhook. A worker that dies after sending and before
//! saying so sends again, with the same id; nothing is lost.

use model::time::DAY;
use model::{NoticeEvent, NoticeId, PersonId, crash_point};
use serde_json::json;

use super::{Facts, NoticeRecord, letter};
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::ports::Undelivered;
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// Of two processes one may be configured and the other not: what was promised to the outbox waits for a person.
const NO_MAIL: &str = "this process has no [mail] in its configuration, and this was put into the queue by one that has; \
                       configure it the same for every process, then try again";
const NO_WEBHOOK: &str = "this process has no [webhook] in its configuration, and this was put into the queue by one that \
                          has; configure it the same for every process, then try again";

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

    /// Sends the mail that `key` names. Who is disabled by now, has lost the address or turned the kind off gets none.
    pub async fn mail_deliver(
        &self,
        principal: &Principal,
        key: &str,
    ) -> Result<Result<(), Undelivered>, Error> {
        can(principal, Operation::NoticeSend, &Scope::NONE)?;
        let Some((notice, person)) = parse(key) else {
            return Ok(Err(Undelivered::permanent("the work's key names no mail")));
        };
        let Some(notice) = self.notice(notice).await? else {
            return Ok(Ok(()));
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
            return Ok(Ok(()));
        };
        let Some(mailer) = &self.ports().post.mailer else {
            return Ok(Err(Undelivered::permanent(NO_MAIL)));
        };
        let mut facts: Facts = serde_json::from_str(&notice.facts).map_err(Error::internal)?;
        // Who was to be told so long ago may not be who may read it now: the page knows.
        if notice.at.plus(DAY) <= self.now() {
            facts.words = None;
            facts.title = None;
        }
        // Sent after the end it would warn of what has come.
        let is_over = facts.until.is_some_and(|until| until <= self.now());
        if is_over && notice.event == NoticeEvent::AccessEnding {
            return Ok(Ok(()));
        }
        let id = format!("{}.{person}", notice.id);
        let letter = letter::of(notice.event, &facts, &self.options().public_url).to(
            id,
            addressee.email,
            notice.at,
        );
        crash_point!("mail.send.before");
        let sent = mailer.send(&letter).await;
        crash_point!("mail.send.after");
        Ok(sent)
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

fn parse(key: &str) -> Option<(NoticeId, PersonId)> {
    let (notice, person) = key.split_once('/')?;
    Some((notice.parse().ok()?, person.parse().ok()?))
}
