//! How many mails a person gets in an hour: so many by themselves, and what is more than that is held back and comes as one. A
//! mail takes its turn before it is sent, so that two workers do not both take the last one.

use model::time::HOUR;
use model::{NoticeId, PersonId, Timestamp};

use super::NoticeRecord;
use crate::db::Tx;
use crate::error::Error;
use crate::jobs::{self, Wake, WorkKind};
use crate::{Exchange, sql};

/// So much time the mails are counted in.
const WINDOW: i64 = HOUR;
/// So many of the mails held back one mail tells of; the rest is told by the next.
pub(super) const MOST: i64 = 200;

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Now,
    /// So many microseconds from now somebody's is over.
    In(i64),
}

impl Exchange {
    /// Takes the turn of one mail by itself. False: it is held back, and comes with others.
    pub(super) async fn take_turn(
        &self,
        person: PersonId,
        notice: NoticeId,
    ) -> Result<bool, Error> {
        let now = self.now();
        let mut tx = self.db().begin().await?;
        let key = notice.to_string();
        let turn = self.turn(&mut tx, person, &key, now).await?;
        // What was begun is not held back when it is tried again; what comes later does not overtake what is held back.
        let goes = turn == Turn::Now
            && (has_turn(&mut tx, person, &key, now).await? || !holds(&mut tx, person).await?);
        if goes {
            note(&mut tx, person, &key, now).await?;
        } else {
            sql!(
                "insert into mail_held (person_id, notice_id, held_at) values ($1, $2, $3)
                 on conflict (person_id, notice_id) do nothing"
            )
            .bind(person)
            .bind(notice)
            .bind(now)
            .execute(&mut tx)
            .await?;
            let wake = Wake::new(WorkKind::Mail, digest_key(person));
            jobs::enqueue(&mut tx, &wake, now).await?;
        }
        tx.commit().await?;
        Ok(goes)
    }

    /// Takes the turn of what was held back, under the name that it has when it is sent again.
    pub(super) async fn take_turn_of_all(
        &self,
        person: PersonId,
        key: &str,
    ) -> Result<Turn, Error> {
        let now = self.now();
        let mut tx = self.db().begin().await?;
        let turn = self.turn(&mut tx, person, key, now).await?;
        if turn == Turn::Now {
            note(&mut tx, person, key, now).await?;
        }
        tx.commit().await?;
        Ok(turn)
    }

    /// Whether there is a turn for the mail `key`, beside the other ones of the hour.
    async fn turn(
        &self,
        tx: &mut Tx,
        person: PersonId,
        key: &str,
        now: Timestamp,
    ) -> Result<Turn, Error> {
        // Another worker waits here until this one has taken its turn.
        sql!("update person set revision = revision where id = $1")
            .bind(person)
            .execute(&mut *tx)
            .await?;
        let since = now.plus(-WINDOW);
        sql!("delete from mail_turn where person_id = $1 and at <= $2")
            .bind(person)
            .bind(since)
            .execute(&mut *tx)
            .await?;
        let row = sql!(
            "select count(*) as count, min(at) as oldest from mail_turn where person_id = $1 and key <> $2"
        )
        .bind(person)
        .bind(key)
        .row(&mut *tx)
        .await?;
        let Some(row) = row else {
            return Ok(Turn::Now);
        };
        let (count, oldest): (i64, Option<Timestamp>) = (row.get("count")?, row.get("oldest")?);
        Ok(match oldest {
            Some(oldest) if count >= self.options().mails_an_hour => {
                Turn::In(oldest.plus(WINDOW).since(now).max(1))
            }
            _ => Turn::Now,
        })
    }

    /// What is held back for a person, the oldest first.
    pub(super) async fn held_back(&self, person: PersonId) -> Result<Vec<NoticeRecord>, Error> {
        Ok(sql!(
            "select notice.id, event, facts, notice.at from mail_held join notice on notice.id = notice_id
             where mail_held.person_id = $1 order by notice.at, notice.id limit $2"
        )
        .bind(person)
        .bind(MOST)
        .all(self.db())
        .await?)
    }

    /// It was told, or is not to be told any more.
    pub(super) async fn let_go(
        &self,
        person: PersonId,
        notices: &[NoticeRecord],
    ) -> Result<(), Error> {
        let mut tx = self.db().begin().await?;
        for notice in notices {
            sql!("delete from mail_held where person_id = $1 and notice_id = $2")
                .bind(person)
                .bind(notice.id)
                .execute(&mut tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// The work of telling a person what was held back.
pub(super) fn digest_key(person: PersonId) -> String {
    format!("{DIGEST}{person}")
}

/// Whom that work is for; None: it is another one.
pub(super) fn of_digest(key: &str) -> Option<PersonId> {
    key.strip_prefix(DIGEST)?.parse().ok()
}

const DIGEST: &str = "digest/";

async fn has_turn(tx: &mut Tx, person: PersonId, key: &str, now: Timestamp) -> Result<bool, Error> {
    let found = sql!("select at from mail_turn where person_id = $1 and key = $2 and at > $3")
        .bind(person)
        .bind(key)
        .bind(now.plus(-WINDOW))
        .row(tx)
        .await?;
    Ok(found.is_some())
}

async fn holds(tx: &mut Tx, person: PersonId) -> Result<bool, Error> {
    let found = sql!("select notice_id from mail_held where person_id = $1 limit 1")
        .bind(person)
        .row(tx)
        .await?;
    Ok(found.is_some())
}

/// The first time counts: tried again, a mail is none more.
async fn note(tx: &mut Tx, person: PersonId, key: &str, now: Timestamp) -> Result<(), Error> {
    sql!(
        "insert into mail_turn (person_id, key, at) values ($1, $2, $3) on conflict (person_id, key) do nothing"
    )
    .bind(person)
    .bind(key)
    .bind(now)
    .execute(tx)
    .await?;
    Ok(())
}
