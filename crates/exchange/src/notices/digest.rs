//! One mail that tells of many events: a line and a link for each, nothing that somebody wrote.

use std::fmt::Write as _;

use model::NoticeEvent;

use super::Facts;
use super::letter::{CHOICES, Draft, escaped, path, subject};

const LEAD: &str = "More has happened within the hour than you are told of one by one. Here is the rest, the oldest first.";
const WHY: &str = "it is your work, and no more than so many mails come to you in an hour";

/// `site` is the public address.
pub(super) fn of(events: &[(NoticeEvent, &Facts)], site: &str) -> Draft {
    let title = format!("{} more for you", events.len());
    let mut text = format!("{LEAD}\n");
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title></head><body><p>{LEAD}</p><ul>"
    );
    for (event, facts) in events {
        let (line, link) = (
            subject(*event, facts),
            format!("{site}{}", path(*event, facts)),
        );
        let _ = write!(text, "\n{line}\n{link}\n");
        let _ = write!(
            html,
            "<li><a href=\"{}\"><bdi>{}</bdi></a></li>",
            escaped(&link),
            escaped(&line)
        );
    }
    let _ = write!(
        text,
        "\n-- \nEntrepôt wrote this because {WHY}.\nChoose which mail you get: {site}{CHOICES}\n"
    );
    let _ = write!(
        html,
        "</ul><hr><p><small>Entrepôt wrote this because {WHY}. <a href=\"{}{CHOICES}\">Choose which mail you get</a></small></p></body></html>",
        escaped(site)
    );
    Draft::new(title, text, html)
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;

    #[test]
    fn each_has_a_line_and_a_link_and_no_word_of_anybody() {
        let facts = Facts {
            product: Some("vehicle-visits".parse().unwrap()),
            team: Some("rnd".parse().unwrap()),
            words: Some("<b>please</b>".to_owned()),
            title: Some("Visits & more".to_owned()),
            request: Some(model::RequestId::new(
                Timestamp::parse("2026-06-15").unwrap(),
            )),
            ..Facts::default()
        };
        let events = [
            (NoticeEvent::RequestSubmitted, &facts),
            (NoticeEvent::RequestApproved, &facts),
        ];
        let letter = of(&events, "https://data.example").to(
            "1".to_owned(),
            "mara@example.org".to_owned(),
            Timestamp::parse("2026-06-15").unwrap(),
        );
        assert_eq!(letter.subject, "2 more for you");
        let link = format!("https://data.example/requests/{}", facts.request.unwrap());
        for written in [&letter.text, &letter.html] {
            assert_eq!(written.matches(&link).count(), 2, "{written}");
            assert!(written.contains("To decide: rnd asks for vehicle-visits"));
            assert!(written.contains("https://data.example/account/notifications"));
            assert!(!written.contains("please") && !written.contains("Visits"));
        }
    }
}
