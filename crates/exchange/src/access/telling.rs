//! What is told of requests and grants, and whom: part of the changes that it tells of.

use model::{Location, NoticeEvent, PersonId, RequestId, Stage, Verdict};

use super::grants::GrantRecord;
use super::requests::{RequestReady, RequestRecord};
use crate::Exchange;
use crate::change::Change;
use crate::error::Error;
use crate::notices::{Audience, Facts, NoticeNew};

impl Exchange {
    /// A request waits for these stages.
    pub(crate) async fn tell_deciders(
        &self,
        change: &mut Change,
        (request, ready): (RequestId, &RequestReady),
        open: &[Stage],
        asker: Option<PersonId>,
    ) -> Result<(), Error> {
        let at = change.at();
        let event = NoticeEvent::RequestSubmitted;
        let owner = open
            .contains(&Stage::Owner)
            .then_some(ready.product.team_id);
        let notice = NoticeNew {
            key: format!("{event}/{request}"),
            event,
            facts: Facts {
                product: Some(ready.product.name.clone()),
                team: Some(ready.recipient.team.clone()),
                recipient: Some(ready.recipient.name.clone()),
                location: Some(ready.recipient.location()?),
                mode: Some(ready.mode),
                cut: ready.cut.as_ref().map(|cut| cut.name.clone()),
                until: Some(ready.until),
                request: Some(request),
                words: Some(ready.purpose_text.clone()),
                ..Facts::default()
            },
            audience: Audience::Deciders {
                owner,
                data_protection: open.contains(&Stage::DataProtection),
                asker,
            },
        };
        self.tell(change.tx(), at, notice).await
    }

    /// A request was decided for good.
    pub(super) async fn tell_decided(
        &self,
        change: &mut Change,
        record: &RequestRecord,
        verdict: Verdict,
        note: &str,
    ) -> Result<(), Error> {
        let at = change.at();
        let event = match verdict {
            Verdict::Approve => NoticeEvent::RequestApproved,
            Verdict::Reject => NoticeEvent::RequestRejected,
        };
        let notice = NoticeNew {
            key: format!("{event}/{}", record.id),
            event,
            facts: Facts {
                product: Some(record.product.clone()),
                team: Some(record.team.clone()),
                recipient: Some(record.recipient.clone()),
                location: Some(
                    Location::new(record.cloud, &record.region).map_err(Error::internal)?,
                ),
                mode: Some(record.mode),
                cut: record.cut.clone(),
                until: Some(record.until_at),
                request: Some(record.id),
                words: (!note.is_empty()).then(|| note.to_owned()),
                ..Facts::default()
            },
            audience: Audience::Person(record.requester_id),
        };
        self.tell(change.tx(), at, notice).await
    }

    /// What a grant opens stays broken: the product's to mend, so told to its producers, once a day for all who read it.
    pub(super) async fn tell_broken(&self, grant: &GrantRecord) -> Result<(), Error> {
        if !self.tells() {
            return Ok(());
        }
        let (at, mut tx) = (self.now(), self.db().begin().await?);
        let event = NoticeEvent::AccessBroken;
        let notice = NoticeNew {
            key: format!("{event}/{}/{}", grant.product_id, at.utc_day()),
            event,
            facts: Facts {
                product: Some(grant.product.clone()),
                mode: Some(grant.mode),
                cut: grant.cut.clone(),
                request: Some(grant.request_id),
                grant: Some(grant.id),
                ..Facts::default()
            },
            audience: Audience::Producers(grant.product_id),
        };
        self.tell(&mut tx, at, notice).await?;
        tx.commit().await?;
        Ok(())
    }

    /// A grant was seen to work for the first time.
    pub(super) async fn tell_verified(
        &self,
        change: &mut Change,
        grant: &GrantRecord,
    ) -> Result<(), Error> {
        let at = change.at();
        let event = NoticeEvent::AccessVerified;
        let notice = NoticeNew {
            key: format!("{event}/{}", grant.id),
            event,
            facts: Facts {
                product: Some(grant.product.clone()),
                team: Some(grant.team.clone()),
                recipient: Some(grant.recipient.clone()),
                location: Some(Location::new(grant.cloud, &grant.region).map_err(Error::internal)?),
                mode: Some(grant.mode),
                cut: grant.cut.clone(),
                until: Some(grant.until_at),
                request: Some(grant.request_id),
                grant: Some(grant.id),
                ..Facts::default()
            },
            audience: Audience::Members(grant.team_id),
        };
        self.tell(change.tx(), at, notice).await
    }
}
