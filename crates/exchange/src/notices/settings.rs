//! Which kinds of mail a person wants, and whether mail and webhook work at all.

use std::collections::BTreeSet;

use model::dto::{Delivery, DeliveryTest, NotificationChoice, Notifications, NotificationsChange};
use model::{NoticeEvent, NoticeId, NoticeKind, PersonId};
use serde_json::json;

use super::{Facts, letter};
use crate::audit::Object;
use crate::error::{Check, Error};
use crate::operation::Operation;
use crate::people::PersonRecord;
use crate::policy::{Scope, can, can_see};
use crate::ports::Undelivered;
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

struct Muted {
    kind: NoticeKind,
}
from_row!(Muted { kind });

impl Exchange {
    /// What a person is told by mail.
    pub async fn notifications(
        &self,
        principal: &Principal,
        name: &str,
    ) -> Result<Notifications, Error> {
        let person = self.notified(principal, name).await?;
        self.notifications_of(person).await
    }

    /// Whose notifications these are, for those who may see them; for others there is nobody.
    async fn notified(&self, principal: &Principal, name: &str) -> Result<PersonRecord, Error> {
        let person = self.person_by_name(name).await?;
        let scope = person
            .as_ref()
            .map_or(Scope::NONE, |person| Scope::person(person.id));
        can_see(principal, Operation::NotificationsRead, &scope, "person")?;
        person.ok_or(Error::NotFound("person"))
    }

    async fn notifications_of(&self, person: PersonRecord) -> Result<Notifications, Error> {
        let muted = self.muted(person.id).await?;
        let revision = sql!("select notices_revision from person where id = $1")
            .bind(person.id)
            .row(self.db())
            .await?
            .ok_or(Error::NotFound("person"))?
            .get("notices_revision")?;
        let choice = |kind: &NoticeKind| NotificationChoice {
            kind: *kind,
            wanted: !muted.contains(kind),
        };
        Ok(Notifications {
            person: person.name,
            email: person.email,
            kinds: NoticeKind::ALL.iter().map(choice).collect(),
            mail: self.ports().post.mailer.is_some(),
            revision,
        })
    }

    /// The kinds of mail that a person has turned off.
    pub(super) async fn muted(&self, person: PersonId) -> Result<BTreeSet<NoticeKind>, Error> {
        let rows: Vec<Muted> = sql!("select kind from muted_notice where person_id = $1")
            .bind(person)
            .all(self.db())
            .await?;
        Ok(rows.into_iter().map(|row| row.kind).collect())
    }

    /// Turns on exactly these kinds of mail and off the others; felt also by what waits to be sent.
    pub async fn notifications_set(
        &self,
        principal: &Principal,
        name: &str,
        new: NotificationsChange,
    ) -> Result<Notifications, Error> {
        let person = self.notified(principal, name).await?;
        can(
            principal,
            Operation::NotificationsSet,
            &Scope::person(person.id),
        )?;
        let mut check = Check::new();
        let wanted: BTreeSet<NoticeKind> = new
            .kinds
            .iter()
            .filter_map(|kind| check.parse("kinds", kind))
            .collect();
        check.done()?;
        let mut change = self.change(principal).await?;
        let at = change.at();
        let moved = sql!(
            "update person set notices_revision = notices_revision + 1
             where id = $1 and (notices_revision = $2 or $2 is null)"
        )
        .bind(person.id)
        .bind(new.revision)
        .execute(change.tx())
        .await?;
        if moved == 0 {
            return Err(Error::changed("choice of mail"));
        }
        sql!("delete from muted_notice where person_id = $1")
            .bind(person.id)
            .execute(change.tx())
            .await?;
        for kind in NoticeKind::ALL.iter().filter(|kind| !wanted.contains(kind)) {
            sql!(
                "insert into muted_notice (person_id, kind, muted_at) values ($1, $2, $3)
                 on conflict (person_id, kind) do nothing"
            )
            .bind(person.id)
            .bind(*kind)
            .bind(at)
            .execute(change.tx())
            .await?;
        }
        change.note(
            Operation::NotificationsSet,
            Object::new("person", &person.pseudonym),
            json!({ "kinds": wanted }),
        );
        change.commit().await?;
        self.notifications_of(person).await
    }

    /// Whether mail and webhook are configured.
    pub async fn delivery(&self, principal: &Principal) -> Result<Delivery, Error> {
        can(principal, Operation::DeliveryRead, &Scope::NONE)?;
        let post = &self.ports().post;
        Ok(Delivery {
            mail: post.mailer.is_some(),
            webhook: post.webhook.is_some(),
        })
    }

    /// Sends a test mail to a person's own address, an event of the kind `test` to the webhook, or both, and says at once what
    /// came of it. Nothing of it goes through the outbox.
    pub async fn delivery_test(
        &self,
        principal: &Principal,
        new: DeliveryTest,
    ) -> Result<(), Error> {
        can(principal, Operation::DeliveryTest, &Scope::NONE)?;
        let post = &self.ports().post;
        let mut check = Check::new();
        if new.person.is_none() && !new.webhook {
            check.fail("person", "name whom to write to, or ask for the webhook");
        }
        let person = match &new.person {
            Some(name) => self.person_by_name(name).await?,
            None => None,
        };
        if new.person.is_some() {
            match &person {
                None => check.fail("person", "there is no such person"),
                Some(person) if person.disabled => check.fail("person", "is disabled"),
                Some(person) if person.email.is_empty() => {
                    check.fail("person", "has no e-mail address; give them one first");
                }
                Some(_) if post.mailer.is_none() => {
                    check.fail(
                        "person",
                        "mail is not configured; see [mail] in docs/OPERATING.md",
                    );
                }
                Some(_) => {}
            }
        }
        if new.webhook && post.webhook.is_none() {
            check.fail(
                "webhook",
                "it is not configured; see [webhook] in docs/OPERATING.md",
            );
        }
        check.done()?;
        let mut change = self.change(principal).await?;
        let at = change.at();
        let object = person
            .as_ref()
            .map_or("webhook", |person| person.pseudonym.as_str());
        change.note(
            Operation::DeliveryTest,
            Object::new("delivery", object),
            json!({ "mail": person.is_some(), "webhook": new.webhook }),
        );
        change.commit().await?;
        let (id, facts) = (NoticeId::new(at), Facts::default());
        if let (Some(person), Some(mailer)) = (person, &post.mailer) {
            let letter = letter::of(NoticeEvent::Test, &facts, &self.options().public_url).to(
                format!("{id}.{}", person.id),
                person.email,
                at,
            );
            mailer.send(&letter).await.map_err(said)?;
        }
        if let (true, Some(webhook)) = (new.webhook, &post.webhook) {
            let url = &self.options().public_url;
            let body =
                json!({ "id": id, "time": at, "kind": NoticeEvent::Test, "url": url, "data": {} });
            webhook.post(id, &body.to_string()).await.map_err(said)?;
        }
        Ok(())
    }
}

fn said(undelivered: Undelivered) -> Error {
    Error::Unavailable(undelivered.sentence)
}
