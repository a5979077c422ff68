//! What the pages of a request say: asking for access, both ways of reading side by side, how far a request is, and deciding on it.

use std::fmt::Display;

use super::bytes;
use super::sentence;

/// `vehicle-visits for rnd_weu`: what a request or an access is called.
pub(crate) fn product_for(product: &dyn Display, recipient: &dyn Display) -> String {
    format!("{product} for {recipient}")
}

// Asking.
pub(crate) const ASK_FOR_ACCESS: &str = "Ask for access";
pub(crate) const ASK_FOR_ACCESS_TO: &str = "Ask for access to ";
pub(crate) const NOT_PUBLISHED: &str =
    "This product is not published, so nobody can ask for it. Its team knows more.";
pub(crate) const YOU_BELONG_TO_NO_TEAM: &str = "Access is given to teams, and you belong to none yet. Ask an administrator to add you to yours.";

// Who reads it.
pub(crate) const WHO_READS_IT: &str = "1. Who reads it";
pub(crate) const RECIPIENT: &str = "Recipient";
pub(crate) const RECIPIENT_HINT: &str =
    "The machines of a team in one cloud region. Prices depend on where they are.";
pub(crate) const SHOW_PRICES: &str = "Show prices";
pub(crate) const NAME_OF_ANOTHER: &str = "Or the name of another";
pub(crate) const NAME_OF_ANOTHER_HINT: &str =
    "Your teams have more recipients than are offered above.";
pub(crate) const TAKE_THIS_ONE: &str = "Take this one";
pub(crate) const MAKE_YOUR_FIRST_RECIPIENT: &str = "Make your first recipient";
pub(crate) const MAKE_ANOTHER_RECIPIENT: &str = "Make another recipient";
pub(crate) const NAME: &str = "Name";
pub(crate) const NAME_HINT: &str = "Lower case, for example rnd_weu.";
pub(crate) const TEAM: &str = "Team";
pub(crate) const CLOUD: &str = "Cloud";
pub(crate) const REGION: &str = "Region";
pub(crate) const REGION_HINT: &str = "As the cloud writes it, for example westeurope.";
pub(crate) const MAKE_THE_RECIPIENT: &str = "Make the recipient";

pub(crate) fn recipient_of(name: &dyn Display, place: &dyn Display, team: &dyn Display) -> String {
    format!("{name} ({place}, of {team})")
}

// How.
pub(crate) const HOW: &str = "2. How";
pub(crate) const IS_THERE_ALREADY: &str =
    "The same table is there already. You may ask all the same.";
pub(crate) const LOOK_AT_IT: &str = "Look at it";
pub(crate) const HOW_TO_READ: &str = "How do you want to read it?";
pub(crate) const LIVE: &str = "Live";
pub(crate) const WHAT_LIVE_MEANS: &str = "You read the producer’s files, where they are.";
pub(crate) const REPLICA: &str = "Replica";
pub(crate) const WHAT_REPLICA_MEANS: &str = "You read a copy near you, which follows the source.";
pub(crate) const A_MONTH: &str = " a month";
pub(crate) const CANNOT_BE_HAD: &str = "Cannot be had: ";
pub(crate) const FRESHNESS: &str = "Freshness";
pub(crate) const LAST_SYNCED: &str = "Last synced";
pub(crate) const FIRST_COPY: &str = "First copy";
pub(crate) const NO_FIRST_COPY: &str = "none";
pub(crate) const COPY_IS_THERE: &str = "none: the copy is there already";
pub(crate) const TRANSFER: &str = "Transfer";
pub(crate) const STORAGE: &str = "Storage";
pub(crate) const RECKONED_ON: &str = "Reckoned on";
pub(crate) const NO_KNOWN_PRICE: &str = "no known price";

pub(crate) fn bytes_for(size: u64, price: &dyn Display) -> String {
    format!("{} for {price}", bytes(size))
}

pub(crate) fn bytes_for_once(size: u64, price: &dyn Display) -> String {
    format!("{} for {price}, once", bytes(size))
}

pub(crate) fn bytes_for_not_charged(size: u64, price: &dyn Display) -> String {
    format!("{} for {price}, not charged", bytes(size))
}

// What for, and until when.
pub(crate) const WHAT_FOR: &str = "3. What for, and until when";
pub(crate) const PURPOSE_IN_ONE_WORD: &str = "Purpose, in one word";
pub(crate) const PURPOSE_IN_ONE_WORD_HINT: &str =
    "A word of your own or one of those offered; it groups requests.";
/// What others often ask for; any other word will do.
pub(crate) const PURPOSES: [&str; 6] = [
    "analysis",
    "forecast",
    "quality",
    "reporting",
    "training",
    "warranty",
];
pub(crate) const PURPOSE_IN_A_SENTENCE: &str = "Purpose, in a sentence or two";
pub(crate) const PURPOSE_IN_A_SENTENCE_HINT: &str =
    "Who decides reads this. Say what you want to find out, and for whom.";
pub(crate) const UNTIL: &str = "Until";
pub(crate) const UNTIL_HINT: &str = "Access ends with this day, in UTC. You can renew it before.";
pub(crate) const SEND_THE_REQUEST: &str = "Send the request";

// What happens next.
pub(crate) const WHAT_HAPPENS_NEXT: &str = "What happens next";
pub(crate) const YOU_SEND_IT: &str = "You send the request; it shows exactly what you see here.";
pub(crate) const POLICY_GRANTS_IT: &str = "The product’s policy grants it at once.";
pub(crate) const SET_UP_AND_CHECKED: &str =
    "It is set up by itself, then checked by reading as you would.";
pub(crate) const YOU_DOWNLOAD_THE_PROFILE: &str =
    "You download the profile once, and read with any Delta Sharing client.";
pub(crate) const WHO_PAYS: &str = "Who pays";
/// Before the team's name; after it comes [`WITH_COST_CENTRE`].
pub(crate) const PAID_BY_TEAM: &str = "Team ";
pub(crate) const WITH_COST_CENTRE: &str = ", cost centre ";

pub(crate) fn decided_by(stage: &dyn Display) -> String {
    format!("It is decided by {stage}.")
}

// One request.
pub(crate) const REQUEST: &str = "Request";
pub(crate) const REQUEST_FOR: &str = "Request for ";
pub(crate) const FOR_RECIPIENT: &str = "for ";
pub(crate) const NO_REFRESH_WITHOUT_SCRIPT: &str =
    "This page does not refresh itself without JavaScript. ";
pub(crate) const LOOK_AGAIN: &str = "Look again";
pub(crate) const WHAT_WAS_ASKED: &str = "What was asked";
pub(crate) const YOUR_DECISION: &str = "Your decision";
pub(crate) const TAKE_THE_REQUEST_BACK: &str = "Take the request back";

// How far it is.
pub(crate) const HOW_FAR_IT_IS: &str = "How far the request is";
pub(crate) const SUBMITTED: &str = "Submitted";
pub(crate) const DECIDED: &str = "Decided";
pub(crate) const TAKEN_BACK: &str = "Taken back by who asked.";
pub(crate) const APPROVED_BY: &str = "Approved by ";
pub(crate) const REJECTED_BY: &str = "Rejected by ";
pub(crate) const SET_UP: &str = "Set up";
pub(crate) const COPY_IS_MADE: &str = "The copy is made near you, and the share is opened.";
pub(crate) const SHARE_IS_OPENED: &str = "The share is opened.";
pub(crate) const VERIFIED: &str = "Verified";
pub(crate) const READ_AS_YOU_WOULD: &str = "Read as you would read it, ";
pub(crate) const ACTIVE_ONCE_SEEN: &str = "It counts as active only when it was seen to work.";
pub(crate) const ENDED_BECAUSE: &str = "Ended: ";
pub(crate) const URLS_WORK_UNTIL: &str =
    "Links to files that were handed out before may work until ";

pub(crate) fn by_person_for_team(person: &dyn Display, team: &dyn Display) -> String {
    format!("by {person}, for the team {team}")
}

pub(crate) fn by_declaration(source: &dyn Display) -> String {
    format!("by the declaration {source}")
}

pub(crate) fn for_team(team: &dyn Display) -> String {
    format!("for the team {team}")
}

pub(crate) fn waits_for(stage: &dyn Display) -> String {
    format!("Waits for {stage}.")
}

pub(crate) fn person_as(person: &dyn Display, stage: &dyn Display) -> String {
    format!("{person}, as {stage}")
}

// Once it works.
pub(crate) const READ_IT: &str = "Read it";
pub(crate) const FIRST_READ: &str = "First read ";
pub(crate) const NOBODY_HAS_READ_IT: &str = "Nobody has read it yet.";
pub(crate) const PROFILE_AND_LINES: &str = "Profile and ready-made lines";

// All that who decides has to know.
pub(crate) const PRODUCT: &str = "Product";
pub(crate) const WHO_ELSE_READS_IT: &str = "who else reads it";
pub(crate) const FOR: &str = "For";
pub(crate) const ASKED_BY: &str = "Asked by";
pub(crate) const THE_DECLARATION: &str = "the declaration";
pub(crate) const PURPOSE: &str = "Purpose";
pub(crate) const RENEWS: &str = "Renews";
pub(crate) const AN_ACCESS_UNTIL: &str = "an access until ";
pub(crate) const MODE: &str = "Mode";
pub(crate) const COST: &str = "Cost";
/// Before what the first copy moves.
pub(crate) const FIRST_COPY_IS: &str = "First copy: ";
/// Before what the price was reckoned on.
pub(crate) const IT_IS_RECKONED_ON: &str = "Reckoned on ";
pub(crate) const PAID_BY: &str = "Paid by";
pub(crate) const AS_IT_WAS_SHOWN: &str = "as it was shown ";

pub(crate) fn team_at(team: &dyn Display, place: &dyn Display) -> String {
    format!("team {team}, {place}")
}

pub(crate) fn team_and_cost_centre(team: &dyn Display, cost_centre: &dyn Display) -> String {
    format!("{team}{WITH_COST_CENTRE}{cost_centre}")
}

// Deciding.
/// Around the note of a decision.
pub(crate) const NOTE_BEGINS: &str = ": “";
pub(crate) const NOTE_ENDS: &str = "”";
pub(crate) const NOTE: &str = "Note";
pub(crate) const NOTE_HINT: &str = "Who asked reads it. A rejection needs one.";
pub(crate) const APPROVE: &str = "Approve";
pub(crate) const REJECT: &str = "Reject";

/// `Approved by mara, as the owning team`.
pub(crate) fn decision(
    verdict: &dyn Display,
    person: Option<&dyn Display>,
    stage: &dyn Display,
) -> String {
    let by = person
        .map(|person| format!(" by {person}"))
        .unwrap_or_default();
    format!("{verdict}{by}, as {stage}")
}

pub(crate) fn decide_too(stages: &[&str]) -> String {
    sentence(&format!("{} decides too", stages.join(" and ")))
}

pub(crate) fn cut_with_summary(name: &str, summary: &str) -> String {
    format!("{name}: {summary}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_names_who_decided_if_somebody_did() {
        for (person, expected) in [
            (Some("mara"), "Approved by mara, as the owning team"),
            (None, "Approved, as the owning team"),
        ] {
            let person = person.as_ref().map(|person| person as &dyn Display);
            let said = decision(&"Approved", person, &"the owning team");
            assert_eq!(said, expected);
        }
        let stages = ["the owning team", "a data-protection officer"];
        assert_eq!(
            decide_too(&stages),
            "The owning team and a data-protection officer decides too."
        );
    }
}
