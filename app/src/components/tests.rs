//! Components as the server renders them.

use std::fs;
use std::path::Path;

use leptos::prelude::*;
use leptos::reactive::owner::Owner;

use crate::components::badge::Badge;
use crate::components::field::Field;
use crate::components::field::Kind;
use crate::components::flash::Notice;
use crate::components::flash::Tone;
use crate::components::text_area::TextArea;

fn render<V: IntoView>(component: impl FnOnce() -> V) -> String {
    Owner::new().with(|| component().into_view().to_html())
}

#[test]
fn a_text_area_keeps_its_value_a_text() {
    let html = render(
        || view! { <TextArea label="Why" name="purpose" value="</textarea><script>alert(1)</script>&amp;"/> },
    );
    assert!(!html.contains("<script"), "{html}");
    assert_eq!(html.matches("</textarea>").count(), 1, "{html}");
    assert!(html.contains("&lt;/textarea&gt;&lt;script&gt;"), "{html}");
    assert!(html.contains("&amp;amp;"), "{html}");
}

#[test]
fn an_empty_text_area_is_empty_and_a_leading_line_survives() {
    let empty = render(|| view! { <TextArea label="Why" name="purpose"/> });
    assert!(empty.contains(">\n</textarea>"), "{empty}");
    let line = render(|| view! { <TextArea label="Why" name="purpose" value="\nfirst"/> });
    assert!(line.contains(">\n\nfirst</textarea>"), "{line}");
}

/// The raw tag anywhere else would be a hole.
#[test]
fn only_one_file_writes_the_raw_tag() {
    fn walk(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if fs::read_to_string(&path)
                .unwrap()
                .contains(&["<text", "area"].concat())
            {
                found.push(path.file_name().unwrap().to_string_lossy().into_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut found,
    );
    found.retain(|file| file != "tests.rs");
    assert_eq!(found, ["text_area.rs"]);
}

#[test]
fn a_field_ties_label_hint_and_error_to_the_input() {
    let html = render(|| {
        view! { <Field label="Until" name="until" value=Some("\"><b>".to_owned()) hint="A day." error=Some("Too late.".to_owned())/> }
    });
    for part in [
        "for=\"field-until\"",
        "id=\"field-until\"",
        "id=\"field-until-hint\"",
        "id=\"field-until-error\"",
        "aria-describedby=\"field-until-hint field-until-error\"",
        "aria-invalid=\"true\"",
    ] {
        assert!(html.contains(part), "{part} in {html}");
    }
    assert!(!html.contains("<b>"), "{html}");
}

#[test]
fn a_field_without_hint_or_error_claims_none() {
    let html = render(|| view! { <Field label="Until" name="until"/> });
    assert!(!html.contains("aria-describedby"), "{html}");
    assert!(!html.contains("aria-invalid"), "{html}");
}

/// The browser looks at what is typed: Hebrew is written from the right, beside labels that are not.
#[test]
fn what_is_typed_has_its_own_direction() {
    for (kind, is_text) in [
        (Kind::Text, true),
        (Kind::Search, true),
        (Kind::Password, false),
        (Kind::Date, false),
        (Kind::Number, false),
    ] {
        let html = render(move || view! { <Field label="Title" name="title" kind/> });
        assert_eq!(html.contains("dir=\"auto\""), is_text, "{html}");
    }
    let html = render(|| view! { <TextArea label="Why" name="purpose"/> });
    assert!(html.contains("dir=\"auto\""), "{html}");
}

#[test]
fn a_password_never_comes_back() {
    let html = render(
        || view! { <Field label="Password" name="password" kind=Kind::Password value=Some("hunter2".to_owned())/> },
    );
    assert!(!html.contains("hunter2"), "{html}");
}

#[test]
fn only_what_is_wrong_interrupts() {
    for tone in Tone::ALL {
        let html = render(|| view! { <Notice tone>"text"</Notice> });
        assert_eq!(html.contains("role=\"alert\""), tone == Tone::Bad, "{html}");
    }
    assert!(render(|| view! { <Badge tone=Tone::Good>"active"</Badge> }).contains("badge--good"));
}
