//! How many bytes of the producer's own files a grant hands out in a day, and what is told when most of them are gone. A day is one
//! of UTC, as in bills; what counts are the bytes behind the URLs that are handed out.
//!
//! Of live access it is the most of them, of a replica what may be read at the source while the replica is late. Without the number
//! live access has no limit, and a replica that is late is read all the same.

use model::dto::{Grant, GrantLimit};
use model::time::DAY;
use model::{GrantDesired, GrantId, Location, NoticeEvent, Timestamp};
use serde_json::json;

use super::grants::GrantRecord;
use crate::audit::Object;
use crate::db::Tx;
use crate::error::Error;
use crate::notices::{Audience, Facts, NoticeNew};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, sql};

/// From this part of the day's bytes on it is told, in percent.
pub(crate) const WARN_PERCENT: u64 = 80;

/// The most that can be said, so that sums stay within what both databases hold.
const MOST: u64 = 1 << 60;

/// Why a grant on a cut has no such number.
pub(super) const NONE_OF_A_CUT: &str = "access by a cut is read from its replica alone, however late that is; the producer's own files hold what it leaves out";

/// What was handed out of the producer's files today, with what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveRead {
    /// It may be handed out, and is counted.
    Taken,
    /// It would be too much, and is not counted.
    Over {
        used: u64,
        per_day: u64,
        /// When the next day begins.
        anew_at: Timestamp,
    },
}

/// A number of bytes as people write it: `50 GB`, `1.5 TB`, `500000000`; empty or `0` for none. Units are decimal, as prices have
/// them.
///
/// # Errors
/// A sentence that says how to write it.
pub fn parse_bytes(text: &str) -> Result<Option<u64>, String> {
    const HOW: &str =
        "write a number of bytes, such as 50 GB or 500000000; leave it empty for none";
    const UNITS: [(&str, u64); 6] = [
        ("B", 1),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("PB", 1_000_000_000_000_000),
    ];
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = unit.trim();
    let factor = if unit.is_empty() {
        1
    } else {
        let known = UNITS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit));
        known.map(|(_, factor)| *factor).ok_or(HOW)?
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if part.len() > 3 || (whole.is_empty() && part.is_empty()) {
        return Err(HOW.to_owned());
    }
    let figure = |digits: &str| match digits {
        "" => Ok(0_u128),
        digits => digits.parse::<u128>().map_err(|_| HOW),
    };
    let thousandths = figure(whole)?
        .checked_mul(1_000)
        .and_then(|whole| whole.checked_add(figure(&format!("{part:0<3}")).ok()?))
        .ok_or(HOW)?;
    let bytes = thousandths
        .checked_mul(u128::from(factor))
        .map(|bytes| bytes / 1_000)
        .and_then(|bytes| u64::try_from(bytes).ok())
        .ok_or(HOW)?;
    check(Some(bytes).filter(|bytes| *bytes > 0))
}

/// None, or a number that can be kept.
fn check(bytes: Option<u64>) -> Result<Option<u64>, String> {
    match bytes {
        Some(0) => Err("more than nothing; leave it out for none".to_owned()),
        Some(bytes) if bytes > MOST => Err("that many are no limit; leave it out".to_owned()),
        bytes => Ok(bytes),
    }
}

/// The same for a form's field of that name.
pub(super) fn check_field(fields: &mut crate::error::Check, bytes: Option<u64>) -> Option<u64> {
    match check(bytes) {
        Ok(bytes) => bytes,
        Err(why) => {
            fields.fail("live_bytes_per_day", why);
            None
        }
    }
}

/// Counts what a grant without a limit has handed out: it may get one today.
pub(super) async fn live_counted(
    tx: &mut Tx,
    grant: GrantId,
    now: Timestamp,
    bytes: u64,
) -> Result<(), Error> {
    if bytes == 0 {
        return Ok(());
    }
    sql!(
        "insert into live_read (grant_id, day, bytes) values ($1, $2, $3)
         on conflict (grant_id, day) do update
             set bytes = case when live_read.bytes < $4 then live_read.bytes + $3 else live_read.bytes end"
    )
    .bind(grant)
    .bind(now.utc_day())
    .bind(bytes.min(MOST))
    .bind(MOST)
    .execute(tx)
    .await?;
    Ok(())
}

/// When the day after this instant's begins.
fn tomorrow(at: Timestamp) -> Timestamp {
    Timestamp::from_micros((at.utc_day() + 1) * DAY)
}

/// Whether so many of a day's bytes are worth a warning.
pub(crate) fn is_near(used: u64, per_day: u64) -> bool {
    u128::from(used) * 100 >= u128::from(per_day) * u128::from(WARN_PERCENT)
}

impl Exchange {
    /// Asks for `bytes` of the producer's own files by a grant, before the first URL is made: counted at once, or refused as a whole
    /// where that would be more than the grant allows today.
    pub async fn live_read(
        &self,
        principal: &Principal,
        grant: GrantId,
        bytes: u64,
    ) -> Result<LiveRead, Error> {
        can(principal, Operation::ShareRead, &Scope::NONE)?;
        if bytes == 0 {
            return Ok(LiveRead::Taken);
        }
        let now = self.now();
        let day = now.utc_day();
        let mut tx = self.db().begin().await?;
        sql!(
            "insert into live_read (grant_id, day, bytes) values ($1, $2, 0) on conflict (grant_id, day) do nothing"
        )
        .bind(grant)
        .bind(day)
        .execute(&mut tx)
        .await?;
        // One statement that asks and counts: of two calls that would both still fit alone, one is refused.
        let taken = sql!(
            "update live_read set bytes = case when bytes < $4 then bytes + $1 else bytes end
             where grant_id = $2 and day = $3
                 and exists (select 1 from access_grant where access_grant.id = $2
                     and (live_bytes_per_day is null or live_read.bytes + $1 <= live_bytes_per_day))"
        )
        .bind(bytes.min(MOST))
        .bind(grant)
        .bind(day)
        .bind(MOST)
        .execute(&mut tx)
        .await?;
        let row = sql!(
            "select live_read.bytes, live_bytes_per_day from live_read join access_grant on access_grant.id = grant_id
             where grant_id = $1 and day = $2"
        )
        .bind(grant)
        .bind(day)
        .row(&mut tx)
        .await?
        .ok_or(Error::NotFound("grant"))?;
        let used: u64 = row.get("bytes")?;
        let per_day: Option<u64> = row.get("live_bytes_per_day")?;
        if let Some(per_day) = per_day
            && (taken == 0 || is_near(used, per_day))
        {
            self.tell_near(&mut tx, now, grant, (used, per_day)).await?;
        }
        tx.commit().await?;
        Ok(match per_day {
            Some(per_day) if taken == 0 => LiveRead::Over {
                used,
                per_day,
                anew_at: tomorrow(now),
            },
            _ => LiveRead::Taken,
        })
    }

    /// Takes back what was counted today for an answer of which nothing was handed out.
    pub async fn live_read_back(
        &self,
        principal: &Principal,
        grant: GrantId,
        bytes: u64,
    ) -> Result<(), Error> {
        can(principal, Operation::ShareRead, &Scope::NONE)?;
        sql!(
            "update live_read set bytes = case when bytes > $1 then bytes - $1 else 0 end
             where grant_id = $2 and day = $3"
        )
        .bind(bytes.min(MOST))
        .bind(grant)
        .bind(self.now().utc_day())
        .execute(self.db())
        .await?;
        Ok(())
    }

    /// What may still be read today of the producer's own files by a grant that has a number. None: it has none.
    pub async fn live_bytes_left(
        &self,
        principal: &Principal,
        grant: GrantId,
    ) -> Result<Option<u64>, Error> {
        can(principal, Operation::ShareRead, &Scope::NONE)?;
        let row = sql!(
            "select live_bytes_per_day,
                    (select live_read.bytes from live_read where live_read.grant_id = access_grant.id and day = $2) as used
             from access_grant where access_grant.id = $1"
        )
        .bind(grant)
        .bind(self.now().utc_day())
        .row(self.db())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let per_day: Option<u64> = row.get("live_bytes_per_day")?;
        let used: Option<u64> = row.get("used")?;
        Ok(per_day.map(|per_day| per_day.saturating_sub(used.unwrap_or(0))))
    }

    /// Says how many bytes a grant hands out in a day from now on. What was handed out today counts.
    pub async fn grant_limit(
        &self,
        principal: &Principal,
        id: GrantId,
        new: GrantLimit,
    ) -> Result<Grant, Error> {
        let record = self.grant_seen(principal, id).await?;
        can(principal, Operation::GrantLimit, &record.scope())?;
        let mut fields = crate::error::Check::new();
        let per_day = check_field(&mut fields, new.live_bytes_per_day);
        if record.cut_id.is_some() && per_day.is_some() {
            fields.fail("live_bytes_per_day", NONE_OF_A_CUT);
        }
        fields.done()?;
        if record.desired == GrantDesired::Ended {
            return Err(Error::conflict(
                "this access has ended; nothing is handed out by it any more",
            ));
        }
        if new.revision.is_some_and(|seen| seen != record.revision) {
            return Err(Error::changed("grant"));
        }
        if record.live_bytes_per_day == per_day {
            return self.grant(principal, id).await;
        }
        let mut change = self.change(principal).await?;
        let at = change.at();
        let changed = sql!(
            "update access_grant set live_bytes_per_day = $1, revision = revision + 1, updated_at = $2
             where id = $3 and revision = $4 and desired = 'active'"
        )
        .bind(per_day)
        .bind(at)
        .bind(id)
        .bind(record.revision)
        .execute(change.tx())
        .await?;
        if changed == 0 {
            return Err(Error::changed("grant"));
        }
        change.note(
            Operation::GrantLimit,
            Object::new("grant", id),
            json!({ "live_bytes_per_day": per_day }),
        );
        change.commit().await?;
        self.grant(principal, id).await
    }

    /// Most of a day's bytes are gone, or what was asked for did not fit any more: told once a day.
    async fn tell_near(
        &self,
        tx: &mut Tx,
        at: Timestamp,
        grant: GrantId,
        (used, per_day): (u64, u64),
    ) -> Result<(), Error> {
        if !self.tells() {
            return Ok(());
        }
        let record: Option<GrantRecord> = self.grant_record(&mut *tx, grant).await?;
        let Some(record) = record else { return Ok(()) };
        let event = NoticeEvent::QuotaNearing;
        let notice = NoticeNew {
            // With the number: who is given more is warned of that, too.
            key: format!("{event}/{grant}/{}/{per_day}", at.utc_day()),
            event,
            facts: Facts {
                product: Some(record.product.clone()),
                team: Some(record.team.clone()),
                recipient: Some(record.recipient.clone()),
                location: Some(
                    Location::new(record.cloud, &record.region).map_err(Error::internal)?,
                ),
                mode: Some(record.mode),
                request: Some(record.request_id),
                grant: Some(grant),
                used_bytes: Some(used),
                bytes_per_day: Some(per_day),
                anew_at: Some(tomorrow(at)),
                ..Facts::default()
            },
            audience: Audience::BothSides(record.product_id, record.team_id),
        };
        self.tell(tx, at, notice).await
    }

    /// Forgets what was handed out on days that are over for long. Called now and then by a worker.
    pub async fn live_reads_sweep(&self, principal: &Principal) -> Result<u64, Error> {
        can(principal, Operation::WorkRun, &Scope::NONE)?;
        let before = self.now().plus(-self.options().query_log_kept).utc_day();
        Ok(sql!("delete from live_read where day < $1")
            .bind(before)
            .execute(self.db())
            .await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_as_people_write_them() {
        for (text, expected) in [
            ("", None),
            ("0", None),
            ("0 GB", None),
            ("500000000", Some(500_000_000)),
            ("50 GB", Some(50_000_000_000)),
            (" 1.5tb ", Some(1_500_000_000_000)),
            ("2kB", Some(2_000)),
            (".5 GB", Some(500_000_000)),
        ] {
            assert_eq!(parse_bytes(text), Ok(expected), "{text}");
        }
        for text in [
            "many",
            "1 GiB",
            "-1",
            "1.2345 GB",
            "1.2.3 GB",
            "GB",
            "99999999999999999999 PB",
            "5000 PB",
        ] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn four_fifths_are_near() {
        assert!(!is_near(799, 1_000));
        assert!(is_near(800, 1_000));
        assert!(is_near(u64::MAX, MOST));
        let at = Timestamp::parse("2026-06-15T23:59:59Z").unwrap();
        assert_eq!(tomorrow(at), Timestamp::parse("2026-06-16").unwrap());
    }
}
