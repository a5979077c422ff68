//! From where a recipient may be used, and how often (C-33): a list of addresses that holds for its credentials, for whose word lets
//! it in, and for the link that gives its profile; and a limit of its own.

use model::dto::{Recipient, RecipientLimits};
use model::{AddressRange, Addresses};
use serde_json::json;

use super::RecipientInfo;
use super::recipients::hold_recipient;
use crate::audit::Object;
use crate::error::{Check, Error};
use crate::operation::Operation;
use crate::principal::Principal;
use crate::{Exchange, sql};

/// More blocks than that are a network's plan, and no list that somebody looks after.
pub(crate) const MOST_ADDRESSES: usize = 100;
/// Beyond that the installation's own limit comes first.
pub(crate) const MOST_REQUESTS: u32 = 1_000_000;

impl RecipientInfo {
    pub(crate) fn limits(&self) -> RecipientLimits {
        RecipientLimits {
            addresses: self.addresses.iter().map(ToString::to_string).collect(),
            requests_per_minute: self.requests_per_minute,
        }
    }
}

/// What is written of limits, read; what is wrong with it is noted.
pub(crate) fn parse_limits(
    check: &mut Check,
    new: &RecipientLimits,
) -> Option<(Addresses, Option<u32>)> {
    let mut ranges: Vec<AddressRange> = Vec::with_capacity(new.addresses.len());
    if new.addresses.len() > MOST_ADDRESSES {
        check.fail("addresses", format!("at most {MOST_ADDRESSES}"));
        return None;
    }
    for text in &new.addresses {
        ranges.push(check.parse("addresses", text)?);
    }
    if let Some(requests) = new.requests_per_minute
        && !(1..=MOST_REQUESTS).contains(&requests)
    {
        check.fail(
            "requests_per_minute",
            format!("from 1 to {MOST_REQUESTS}; none, to lift the limit"),
        );
        return None;
    }
    Some((ranges.into_iter().collect(), new.requests_per_minute))
}

/// A profile is downloaded from where it may be used, too: else whoever has a person's session takes the credential elsewhere. It holds
/// for who asks over the network; who has the data folder in hand comes from nowhere.
pub(super) fn check_address(principal: &Principal, info: &RecipientInfo) -> Result<(), Error> {
    if !principal.is_signed_in() || info.addresses.let_in(principal.address()) {
        return Ok(());
    }
    let yours = match principal.address() {
        Some(address) => format!("yours, {address}, is none of them"),
        None => "yours is not known".to_owned(),
    };
    Err(Error::forbidden(format!(
        "the profile of {} is downloaded from the recipient's own addresses only, and {yours}; download it from there, make a \
         link and open that there, or put your address on the recipient's list",
        info.name
    )))
}

impl Exchange {
    /// Says anew from where a recipient may be used and how often; felt on its next call.
    pub async fn recipient_limits_set(
        &self,
        principal: &Principal,
        name: &str,
        new: RecipientLimits,
    ) -> Result<Recipient, Error> {
        let info = self
            .recipient_for(principal, name, Operation::RecipientLimitsSet)
            .await?;
        let mut check = Check::new();
        let limits = parse_limits(&mut check, &new);
        check.done()?;
        let Some((addresses, requests_per_minute)) = limits else {
            return Err(Error::invalid("addresses", "missing"));
        };
        let mut change = self.change(principal).await?;
        hold_recipient(&mut change, &info).await?;
        sql!("update recipient set addresses = $1, requests_per_minute = $2 where id = $3")
            .bind(&addresses)
            .bind(requests_per_minute)
            .bind(info.id)
            .execute(change.tx())
            .await?;
        change.note(
            Operation::RecipientLimitsSet,
            Object::new("recipient", &info.name),
            json!({ "addresses": addresses.to_string(), "requests_per_minute": requests_per_minute }),
        );
        change.commit().await?;
        self.recipient(principal, name).await
    }
}
