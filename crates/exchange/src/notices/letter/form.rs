//! The words of a mail as text and as simple HTML.

use std::fmt::Write as _;

use super::{CHOICES, Words};
use crate::error::is_unfit;

/// The longest subject, and the longest value in a line; characters.
pub(super) const LONGEST_LINE: usize = 180;
/// How much of what somebody wrote is repeated; the page has all of it.
pub(super) const MOST_LINES: usize = 30;
const MOST_CHARACTERS: usize = 2_000;

/// One line that says no more than it should: nothing that ends a header, turns the direction of reading, or goes on for ever.
pub(super) fn line(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|c| if is_unfit(c) { ' ' } else { c })
        .take(LONGEST_LINE + 1)
        .collect();
    if clean.chars().count() > LONGEST_LINE {
        let mut cut: String = clean.chars().take(LONGEST_LINE - 1).collect();
        cut.push('…');
        return cut;
    }
    clean
}

/// Lines of what somebody wrote.
pub(super) fn lines(words: &str) -> Vec<String> {
    let shown: String = words.chars().take(MOST_CHARACTERS).collect();
    let mut found: Vec<String> = shown.lines().take(MOST_LINES).map(line).collect();
    if shown.len() < words.len() || words.lines().count() > MOST_LINES {
        found.push("[…]".to_owned());
    }
    found
}

pub(super) fn text(words: &Words, link: &str, site: &str) -> String {
    let mut text = format!("{}\n", line_of_any_length(&words.lead));
    if !words.rows.is_empty() {
        text.push('\n');
    }
    for (name, value) in &words.rows {
        let _ = writeln!(text, "  {name}: {}", line(value));
    }
    if let Some((what, quoted)) = words
        .quote
        .as_ref()
        .filter(|(_, quoted)| !quoted.is_empty())
    {
        let _ = writeln!(text, "\n{what}:");
        for quoted in lines(quoted) {
            let _ = writeln!(text, "> {quoted}");
        }
    }
    let _ = write!(
        text,
        "\n{}:\n{link}\n\n-- \nEntrepôt wrote this because {}.\nChoose which mail you get: {site}{CHOICES}\n",
        words.link, words.why
    );
    text
}

/// Our own sentence around names, which have their own lengths.
fn line_of_any_length(text: &str) -> String {
    text.chars()
        .map(|c| if is_unfit(c) { ' ' } else { c })
        .collect()
}

pub(super) fn html(words: &Words, link: &str, site: &str) -> String {
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title></head><body><p>{}</p>",
        escaped(&line(&words.subject)),
        escaped(&line_of_any_length(&words.lead))
    );
    if !words.rows.is_empty() {
        html.push_str("<table>");
        for (name, value) in &words.rows {
            let value = escaped(&line(value));
            let _ = write!(
                html,
                "<tr><th scope=\"row\" align=\"left\">{name}</th><td><bdi>{value}</bdi></td></tr>"
            );
        }
        html.push_str("</table>");
    }
    if let Some((what, quoted)) = words
        .quote
        .as_ref()
        .filter(|(_, quoted)| !quoted.is_empty())
    {
        let quoted: Vec<String> = lines(quoted).iter().map(|line| escaped(line)).collect();
        let _ = write!(
            html,
            "<p>{what}:</p><blockquote dir=\"auto\">{}</blockquote>",
            quoted.join("<br>")
        );
    }
    let _ = write!(
        html,
        "<p><a href=\"{}\">{}</a></p><hr><p><small>Entrepôt wrote this because {}. \
         <a href=\"{}{CHOICES}\">Choose which mail you get</a></small></p></body></html>",
        escaped(link),
        words.link,
        words.why,
        escaped(site)
    );
    html
}

pub(in crate::notices) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}
