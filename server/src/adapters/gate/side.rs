//! From where a table is read: the producer's files or the replica's, and how many of the producer's in a day.

use exchange::Principal;
use exchange::access::{LiveRead, Place, ReadFrom, SharedTable};
use model::Timestamp;
use sharing::{Refused, Side};

use super::{Look, Reading, ShareGate, refused};

impl ShareGate {
    /// From where a table is read: as the grant says, or on the side on which an answer began. A replica that is later than
    /// promised is read all the same, except where the grant allows reading so much at the source instead, today. None: the replica
    /// is not there yet.
    pub(super) async fn place<'a>(
        &self,
        found: &'a SharedTable,
        look: Look,
        side: Option<Side>,
    ) -> Result<Option<Place<'a>>, Refused> {
        let usual = found.place().map_err(refused)?;
        let usual_side = match &usual {
            Some((.., ReadFrom::Producer)) => Side::Producer,
            Some((.., ReadFrom::Replica { .. })) => Side::Replica,
            None => return Ok(None),
        };
        let at_source = match side {
            Some(side) if side == usual_side => false,
            // It began at the source while the replica was late, and goes on there.
            Some(Side::Producer) if found.live_bytes_per_day.is_some() => true,
            Some(side) => return Err(Refused::ended_side(side)),
            None => {
                usual_side == Side::Replica
                    && found.late_since.is_some()
                    && matches!(look, Look::Consumer(_))
                    && self.source_fits(found).await?
            }
        };
        if at_source {
            return found.source().map(Some).map_err(refused);
        }
        Ok(usual)
    }

    /// Whether all of the table may be read at its source today by a grant of a replica. What it holds is known from when its log was
    /// last looked at.
    async fn source_fits(&self, found: &SharedTable) -> Result<bool, Refused> {
        let (Some(_), Some(bytes)) = (found.live_bytes_per_day, found.byte_count) else {
            return Ok(false);
        };
        let system = Principal::system();
        let left = self.exchange.live_bytes_left(&system, found.grant_id).await;
        Ok(left.map_err(refused)?.is_some_and(|left| bytes <= left))
    }

    /// Counts what is handed out of the producer's own files against what the grant allows in a day. Where it allows any number,
    /// they are counted with the line of the access log.
    pub(super) async fn take_live(&self, reading: &Reading, bytes: u64) -> Result<(), Refused> {
        if !reading.is_limited || !reading.is_live() {
            return Ok(());
        }
        let system = Principal::system();
        let taken = self.exchange.live_read(&system, reading.grant, bytes).await;
        match taken.map_err(refused)? {
            LiveRead::Taken => Ok(()),
            LiveRead::Over {
                used,
                per_day,
                anew_at,
            } => Err(over(bytes, used, per_day, anew_at)),
        }
    }

    /// Takes back what was counted for an answer that came to nothing.
    pub(super) async fn give_live_back(&self, reading: &Reading, bytes: u64) {
        if !reading.is_limited || !reading.is_live() {
            return;
        }
        let system = Principal::system();
        let given = self
            .exchange
            .live_read_back(&system, reading.grant, bytes)
            .await;
        if let Err(error) = given {
            tracing::error!(error = &error as &dyn std::error::Error, query = %reading.query, "bytes that were not handed out stay counted");
        }
    }
}

/// Why an answer is refused as a whole, and when it is not any more.
fn over(bytes: u64, used: u64, per_day: u64, anew_at: Timestamp) -> Refused {
    let why = if bytes > per_day {
        format!(
            "this answer alone has {bytes} bytes, and this access hands out at most {per_day} bytes a day; ask for a part of it, or \
             ask the provider for more"
        )
    } else {
        format!(
            "this access hands out at most {per_day} bytes a day: {used} were handed out today, and this answer has {bytes}; it begins \
             anew at {anew_at}"
        )
    };
    Refused::OverQuota { why }
}
