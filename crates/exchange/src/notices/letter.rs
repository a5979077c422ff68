//! How a mail is worded, as text and as simple HTML. Only our own sentences, names, and what people wrote, cleaned and marked
//! as theirs; links are made of the public address alone. No secret, no word of a store, no error.

mod form;

use model::time::DAY;
use model::{NoticeEvent, Timestamp};

pub(super) use self::form::escaped;
use self::form::{html, line, text};
use super::Facts;
use crate::ports::Letter;

/// Where people choose which mail they get.
pub(super) const CHOICES: &str = "/account/notifications";

/// What a mail says, to be put into either form.
struct Words {
    subject: String,
    /// The sentence that says it.
    lead: String,
    rows: Vec<(&'static str, String)>,
    /// What somebody wrote, and what that is.
    quote: Option<(&'static str, String)>,
    /// What the link is for.
    link: &'static str,
    /// Why this person gets it.
    why: &'static str,
}

/// A mail without an addressee.
pub(super) struct Draft {
    subject: String,
    text: String,
    html: String,
}

impl Draft {
    pub(super) fn new(subject: String, text: String, html: String) -> Self {
        Self {
            subject,
            text,
            html,
        }
    }

    pub(super) fn to(self, id: String, to: String, at: Timestamp) -> Letter {
        Letter {
            id,
            to,
            subject: self.subject,
            text: self.text,
            html: self.html,
            at,
        }
    }
}

/// The page that an event leads to.
pub(super) fn path(event: NoticeEvent, facts: &Facts) -> String {
    match (event, facts.request, facts.replica) {
        (
            NoticeEvent::RequestSubmitted
            | NoticeEvent::RequestApproved
            | NoticeEvent::RequestRejected
            // It has the numbers, for both sides.
            | NoticeEvent::QuotaNearing
            // And what was seen.
            | NoticeEvent::AccessBroken,
            Some(request),
            _,
        ) => format!("/requests/{request}"),
        // The page has a heading for each recipient.
        // Of a person or a service.
        (NoticeEvent::TokenLeaked, _, _) if facts.recipient.is_none() => {
            "/account/tokens".to_owned()
        }
        (
            NoticeEvent::AccessVerified | NoticeEvent::AccessEnding | NoticeEvent::TokenLeaked,
            _,
            _,
        ) => match &facts.recipient {
            Some(recipient) => format!("/access#recipient-{recipient}"),
            None => "/access".to_owned(),
        },
        (_, _, Some(replica)) => format!("/replicas/{replica}"),
        _ => "/".to_owned(),
    }
}

/// The mail that tells of an event. `site` is the public address.
pub(super) fn of(event: NoticeEvent, facts: &Facts, site: &str) -> Draft {
    let words = words(event, facts);
    let link = format!("{site}{}", path(event, facts));
    Draft {
        subject: line(&words.subject),
        text: text(&words, &link, site),
        html: html(&words, &link, site),
    }
}

/// The one line of a mail that tells of an event.
pub(super) fn subject(event: NoticeEvent, facts: &Facts) -> String {
    line(&words(event, facts).subject)
}

fn words(event: NoticeEvent, facts: &Facts) -> Words {
    let product = said(facts.product.as_ref());
    let team = said(facts.team.as_ref());
    let place = said(facts.location.as_ref());
    let recipient = said(facts.recipient.as_ref());
    let days = match facts.days {
        Some(1) => "in one day".to_owned(),
        Some(days) => format!("in {days} days"),
        None => "soon".to_owned(),
    };
    let until = facts.until.map(last_day).unwrap_or_default();
    let quote = |what| facts.words.clone().map(|words| (what, words));
    match event {
        NoticeEvent::RequestSubmitted => Words {
            subject: format!("To decide: {team} asks for {product}"),
            lead: format!(
                "The team {team} asks for access to {product}. It waits for you, or for somebody who may decide as you do."
            ),
            rows: rows(facts),
            quote: quote("Its purpose, in the words of who asks"),
            link: "Look at the request and decide",
            why: "you may decide on requests for this product",
        },
        NoticeEvent::RequestApproved => Words {
            subject: format!("Approved: {product} for {team}"),
            lead: format!(
                "Your request for {product} was approved. The access is being set up; you are told once it was seen to work."
            ),
            rows: rows(facts),
            quote: quote("The note of who decided"),
            link: "Look at the request",
            why: "you asked for it",
        },
        NoticeEvent::RequestRejected => Words {
            subject: format!("Rejected: {product} for {team}"),
            lead: format!(
                "Your request for {product} was rejected. You can ask again, with what the note says in mind."
            ),
            rows: rows(facts),
            quote: quote("The note of who decided"),
            link: "Look at the request",
            why: "you asked for it",
        },
        NoticeEvent::AccessVerified => Words {
            subject: format!("Ready: {product} for {team}"),
            lead: format!(
                "The access of {team} to {product} was looked at as its recipient sees it, and it works."
            ),
            rows: rows(facts),
            quote: None,
            link: "See how to read it",
            why: "you are a member of the team that reads it",
        },
        NoticeEvent::AccessEnding => Words {
            subject: format!("Ends {days}: {product} for {team}"),
            lead: format!(
                "The access of {team} to {product} ends {days}; {until} is its last day. Who still needs it asks again before."
            ),
            rows: rows(facts),
            quote: None,
            link: "Renew it, or let it end",
            why: "you are a member of the team that reads it",
        },
        NoticeEvent::TokenLeaked if facts.recipient.is_none() => Words {
            subject: "Leaked and revoked: a token of yours".to_owned(),
            lead: "A token that acts for you, or for a service that you answer for, was found where it should not be, and was revoked. \
                   Make a new one for what still needs it, and look in the audit log for what was not yours."
                .to_owned(),
            rows: rows(facts),
            quote: quote("Where it was found, as it was reported"),
            link: "Look at your tokens",
            why: "it was your token",
        },
        NoticeEvent::TokenLeaked => Words {
            subject: format!("Leaked and revoked: a credential of {recipient}"),
            lead: format!(
                "A credential of the recipient {recipient} was found where it should not be, and was revoked. Whatever read with it \
                 reads no more: download a new profile, and look in the access log for reads that were not yours."
            ),
            rows: rows(facts),
            quote: quote("Where it was found, as it was reported"),
            link: "Download a new profile",
            why: "you are a member of the team whose recipient it is",
        },
        NoticeEvent::SyncFailing => Words {
            subject: format!("Sync failing: {product} in {place}"),
            lead: format!(
                "The replica of {product} in {place} could not be synced. Its page says why, and whether it is tried again by itself."
            ),
            rows: rows(facts),
            quote: None,
            link: "See why it failed",
            why: "you are a producer of the team that owns the product",
        },
        NoticeEvent::SyncMended => Words {
            subject: format!("Sync mended: {product} in {place}"),
            lead: format!("The replica of {product} in {place} is synced again."),
            rows: rows(facts),
            quote: None,
            link: "Look at the replica",
            why: "you are a producer of the team that owns the product",
        },
        NoticeEvent::FreshnessBroken => Words {
            subject: format!("Late: {product} in {place}"),
            lead: format!(
                "The replica of {product} in {place} is later than its schedule promises: what was due is not done, and the time for it is over."
            ),
            rows: rows(facts),
            quote: None,
            link: "Look at the replica",
            why: "your team owns the product or reads this replica",
        },
        NoticeEvent::FreshnessMended => Words {
            subject: format!("In time again: {product} in {place}"),
            lead: format!(
                "The replica of {product} in {place} is as fresh as its schedule promises again."
            ),
            rows: rows(facts),
            quote: None,
            link: "Look at the replica",
            why: "your team owns the product or reads this replica",
        },
        NoticeEvent::QuotaNearing => Words {
            subject: format!("Nearly used up today: {product} for {team}"),
            lead: format!(
                "The access of {team} to {product} has handed out {} of the {} that it may in a day. What would be more is refused until {}.",
                size(facts.used_bytes),
                size(facts.bytes_per_day),
                said(facts.anew_at.as_ref())
            ),
            rows: rows(facts),
            quote: None,
            link: "Look at the access",
            why: "your team owns the product or reads it",
        },
        NoticeEvent::AccessBroken => Words {
            subject: format!("Cannot be read: {product}"),
            lead: format!(
                "{product} was looked at as those see it who read it, and for more than a minute it could not be read: its storage \
                 denies access or does not answer, or its log or its files are not as they were. They cannot mend that. It is looked \
                 at again by itself."
            ),
            rows: rows(facts),
            quote: None,
            link: "See what was seen",
            why: "you are a producer of the team that owns the product",
        },
        NoticeEvent::Test => Words {
            subject: "A test of mail".to_owned(),
            lead: "This is a test. Mail of this Entrepôt reaches you.".to_owned(),
            rows: Vec::new(),
            quote: None,
            link: "Go to the portal",
            why: "an admin wanted to know whether it does",
        },
    }
}

fn said(word: Option<impl ToString>) -> String {
    word.map_or_else(|| "–".to_owned(), |word| word.to_string())
}

/// Bytes in decimal units, as prices have them.
fn size(bytes: Option<u64>) -> String {
    const UNITS: [(&str, u64); 5] = [
        ("PB", 1_000_000_000_000_000),
        ("TB", 1_000_000_000_000),
        ("GB", 1_000_000_000),
        ("MB", 1_000_000),
        ("kB", 1_000),
    ];
    let Some(bytes) = bytes else {
        return "–".to_owned();
    };
    match UNITS.iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} B"),
    }
}

fn rows(facts: &Facts) -> Vec<(&'static str, String)> {
    let product = match (&facts.product, &facts.title) {
        (Some(product), Some(title)) => Some(format!("{product}, “{}”", line(title))),
        (Some(product), None) => Some(product.to_string()),
        (None, _) => None,
    };
    let found = [
        ("Product", product),
        ("Cut of it", facts.cut.as_ref().map(ToString::to_string)),
        (
            "Recipient",
            facts.recipient.as_ref().map(ToString::to_string),
        ),
        ("Place", facts.location.as_ref().map(ToString::to_string)),
        ("Mode", facts.mode.map(|mode| mode.to_string())),
        ("Last day", facts.until.map(last_day)),
        ("Was due", facts.since.map(|since| since.to_string())),
    ];
    found
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

/// An end is the first instant that is no longer part of it: of one at midnight, in UTC, the day before is the last.
fn last_day(until: Timestamp) -> String {
    if until.micros() % DAY != 0 {
        return until.to_string();
    }
    match until.plus(-1).date() {
        Some(date) => format!("{date} (UTC)"),
        None => until.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use model::RequestId;

    use super::form::{LONGEST_LINE, MOST_LINES, lines};
    use super::*;
    use crate::error::is_unfit;

    const SITE: &str = "https://data.example";

    fn facts() -> Facts {
        Facts {
            product: Some("vehicle-visits".parse().unwrap()),
            team: Some("rnd".parse().unwrap()),
            until: Some(Timestamp::parse("2027-01-01").unwrap()),
            ..Facts::default()
        }
    }

    #[test]
    fn hostile_titles_and_purposes_stay_text() {
        let request = RequestId::new(Timestamp::parse("2026-06-15").unwrap());
        let facts = Facts {
            title: Some(
                "</td><script>alert(1)</script>\r\nBcc: all@example.org\u{202e}".to_owned(),
            ),
            words: Some(
                "fine\r\n.\r\nBcc: all@example.org\r\n\u{0}<img src=x onerror=alert(1)>".to_owned(),
            ),
            request: Some(request),
            ..facts()
        };
        let draft = of(NoticeEvent::RequestSubmitted, &facts, SITE);
        for written in [&draft.text, &draft.html] {
            assert!(
                !written.contains('\r') && !written.contains('\0'),
                "{written}"
            );
            assert!(!written.contains('\u{202e}'), "{written}");
            assert!(written.contains(&format!("{SITE}/requests/{request}")));
        }
        assert!(!draft.html.contains("<script") && !draft.html.contains("<img"));
        assert!(draft.html.contains("&lt;script&gt;"));
        // A line of somebody else's is marked as such, also where it looks like a header or the end of the mail.
        assert!(
            draft.text.contains("\n> Bcc: all@example.org\n"),
            "{}",
            draft.text
        );
        assert!(draft.text.contains("\n> .\n"));
        assert!(!draft.text.lines().any(|line| line.starts_with("Bcc")));
    }

    #[test]
    fn subjects_are_one_short_line() {
        let name = "a".repeat(300);
        assert_eq!(line(&name).chars().count(), LONGEST_LINE);
        assert_eq!(line("a\r\nBcc: b\tc\u{2066}"), "a  Bcc: b c ");
        for event in NoticeEvent::ALL {
            let draft = of(*event, &facts(), SITE);
            assert!(!draft.subject.is_empty());
            assert!(!draft.subject.contains(is_unfit), "{}", draft.subject);
            assert!(draft.text.contains(SITE) && draft.html.contains(SITE));
        }
    }

    #[test]
    fn long_words_are_cut_and_the_last_day_is_named() {
        let cut = lines(&"a\n".repeat(10_000));
        assert_eq!(cut.len(), MOST_LINES + 1);
        assert_eq!(cut.last().unwrap(), "[…]");
        let draft = of(
            NoticeEvent::AccessEnding,
            &Facts {
                days: Some(3),
                ..facts()
            },
            SITE,
        );
        assert_eq!(draft.subject, "Ends in 3 days: vehicle-visits for rnd");
        assert!(
            draft.text.contains("2026-12-31 (UTC) is its last day"),
            "{}",
            draft.text
        );
        let noon = Timestamp::parse("2026-12-31T12:00:00Z").unwrap();
        assert_eq!(last_day(noon), "2026-12-31T12:00:00Z");
    }
}
