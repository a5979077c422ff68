//! What somebody else has changed while a form stood open. A form that says which revision it was drawn with
//! ([`Form`](crate::components::form::Form)'s `revision`) sends along, as `seen[…]`, what each of its fields showed. Refused, it gets
//! that back beside what was typed (`server::plain_form`), and tells field by field what is otherwise now. What was typed stays, and
//! the form binds what is there now.

use std::sync::Mutex;

use leptos::prelude::*;

use crate::components::flash::Notice;
use crate::components::flash::Tone;
use crate::components::form::Scope;
use crate::ctx::Flash;
use crate::words;

/// So much of a long text is told where two are compared.
const TOLD_MAX: usize = 160;

/// What the fields of one form find out while they are drawn.
#[derive(Debug, Default)]
pub struct Meanwhile {
    /// Whether it comes back, bound to what is not there any more.
    is_stale: bool,
    /// What its fields showed when it was sent.
    seen: Vec<(String, String)>,
    /// A sentence for each that shows something else now.
    found: Mutex<Vec<String>>,
}

impl Meanwhile {
    /// `returned`: what came back to this form, if it was refused. `revision`: of what is there now.
    pub fn of(returned: &Flash, revision: i64) -> Self {
        let bound: Option<i64> = returned
            .value("revision")
            .and_then(|text| text.parse().ok());
        Self {
            is_stale: bound.is_some_and(|bound| bound != revision),
            seen: returned.seen.clone(),
            found: Mutex::default(),
        }
    }

    /// `word`: a value as people are told of it.
    fn compare(
        &self,
        label: &str,
        field: &str,
        is: &str,
        typed: Option<&str>,
        word: impl Fn(&str) -> String,
    ) {
        let seen = self.seen.iter().find(|(name, _)| name == field);
        let Some((_, seen)) = seen else {
            return;
        };
        if !self.is_stale || lines(seen) == lines(is) {
            return;
        }
        let mut sentence = words::components::was_and_is_now(&label, &word(seen), &word(is));
        if let Some(typed) = typed
            && lines(typed) != lines(seen)
            && lines(typed) != lines(is)
        {
            sentence.push_str(&words::components::you_wrote(&word(typed)));
        }
        if let Ok(mut found) = self.found.lock() {
            found.push(sentence);
        }
    }

    /// All that was found; one sentence about the rest where it is none of the fields.
    fn sentences(&self) -> Vec<String> {
        let mut found = match self.found.lock() {
            Ok(found) => found.clone(),
            Err(_) => Vec::new(),
        };
        if self.is_stale && found.is_empty() {
            found.push(words::components::OTHER_FIELDS_CHANGED.to_owned());
        }
        found
    }

    /// For the head of the form, once its fields are drawn.
    pub fn told(&self) -> Option<AnyView> {
        let sentences = self.sentences();
        if sentences.is_empty() {
            return None;
        }
        let items = sentences
            .into_iter()
            .map(|sentence| view! { <li>{sentence}</li> })
            .collect_view();
        let told = view! {
            // Where the browser's program puts the focus.
            <div class="meanwhile" data-meanwhile="" tabindex="-1">
                <Notice tone=Tone::Warn>
                    <p>{words::components::CHANGED_MEANWHILE}</p>
                    <ul>{items}</ul>
                    <p>{words::components::SENDING_AGAIN_REPLACES}</p>
                </Notice>
            </div>
        };
        Some(told.into_any())
    }
}

/// What a field of a form shows, to be sent along; nothing in a form that binds no revision.
pub(super) fn shown(
    label: &str,
    field: &str,
    is: &str,
    word: impl Fn(&str) -> String,
) -> Option<AnyView> {
    let scope = use_context::<Scope>()?;
    let typed = scope.value(field);
    scope
        .meanwhile()?
        .compare(label, field, is, typed.as_deref(), word);
    let (name, value) = (Scope::seen(field), is.to_owned());
    Some(view! { <input type="hidden" name=name value=value/> }.into_any())
}

/// A browser sends other line ends than it was given.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").trim().to_owned()
}

/// A text in few words.
pub(super) fn in_quotes(text: &str) -> String {
    let text = lines(text);
    if text.is_empty() {
        return words::components::EMPTY.to_owned();
    }
    let mut short: String = text.chars().take(TOLD_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    if short.is_ascii() {
        return format!("“{short}”");
    }
    // Isolated (UAX #9): letters that run the other way turn nothing of the sentence around them.
    format!("“\u{2068}{short}\u{2069}”")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes back to a form that was drawn with `seen` at revision 2, and in which `typed` was written.
    fn returned(seen: &[(&str, &str)], typed: &[(&str, &str)]) -> Flash {
        let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        let mut values = owned(typed);
        values.push(("revision".to_owned(), "2".to_owned()));
        Flash {
            values,
            seen: owned(seen),
            ..Flash::default()
        }
    }

    fn compared(flash: &Flash, revision: i64, now: &[(&str, &str, &str)]) -> Vec<String> {
        let meanwhile = Meanwhile::of(flash, revision);
        for (label, field, is) in now {
            let typed = flash.value(field);
            meanwhile.compare(label, field, is, typed.as_deref(), in_quotes);
        }
        meanwhile.sentences()
    }

    #[test]
    fn what_changed_meanwhile_is_told_field_by_field() {
        let seen = [("title", "Visits"), ("tags", "a"), ("about", "One\r\nTwo")];
        let typed = [("title", "Mine"), ("tags", "a"), ("about", "One\r\nTwo")];
        let now = [
            ("Title", "title", "Workshop visits"),
            ("Tags", "tags", "a, b"),
            // A browser sends other line ends than it was given.
            ("About", "about", "One\nTwo"),
            ("Later", "later", "was not there"),
        ];
        assert_eq!(
            compared(&returned(&seen, &typed), 3, &now),
            [
                "Title was “Visits” and is “Workshop visits” now. You wrote “Mine”.",
                "Tags was “a” and is “a, b” now.",
            ]
        );
        // The same revision, or nothing that came back.
        assert!(compared(&returned(&seen, &typed), 2, &now).is_empty());
        assert!(compared(&Flash::default(), 3, &now).is_empty());
    }

    #[test]
    fn a_change_of_something_else_is_told() {
        let seen = [("title", "Visits")];
        let told = compared(
            &returned(&seen, &[("title", "Mine")]),
            3,
            &[("Title", "title", "Visits")],
        );
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("Something else"), "{told:?}");
    }

    #[test]
    fn long_and_empty_texts_are_told_short() {
        assert_eq!(in_quotes(" \r\n"), "empty");
        assert_eq!(in_quotes("עברית"), "“\u{2068}עברית\u{2069}”");
        assert_eq!(in_quotes(&"ä".repeat(500)).chars().count(), TOLD_MAX + 5);
    }
}
