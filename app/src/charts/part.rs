//! What of a picture can be pointed at and gone to with the keys: a link where it leads somewhere. The browser tells what it is in
//! the line below the picture (`browser::pictures`); without script it has a tooltip.

use leptos::prelude::*;

/// One thing that is drawn.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    /// Unique on the page.
    pub id: String,
    /// Which entry of the legend tells of it, from 1; pointing at that one leaves it as it is.
    pub entry: usize,
    /// Its page.
    pub href: Option<String>,
    /// Date, name and figure.
    pub said: String,
    /// How far from the left it stands: the line of its day goes there, and arrows go by it.
    pub at: f64,
    /// One of a row is reached with the tabulator; from there arrows lead to the others.
    pub is_stop: bool,
}

/// `shape` is what is seen of it.
pub(super) fn part(part: Part, shape: AnyView) -> AnyView {
    let class = format!("chart__part chart__part--{}", part.entry);
    let tabindex = if part.is_stop { "0" } else { "-1" };
    let at = format!("{:.1}", part.at);
    let label = part.said.clone();
    let drawn = view! { <g><title>{part.said}</title>{shape}</g> };
    match part.href {
        Some(href) => view! {
            <a id=part.id class=class href=href tabindex=tabindex aria-label=label data-at=at>{drawn}</a>
        }
        .into_any(),
        None => view! {
            <g id=part.id class=class role="img" tabindex=tabindex aria-label=label data-at=at>{drawn}</g>
        }
        .into_any(),
    }
}

/// The line below a picture. It sums the picture up until something of it is pointed at.
pub(super) fn readout(summary: String) -> impl IntoView {
    view! { <p class="chart__readout muted" data-readout="" aria-live="polite">{summary}</p> }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(href: Option<&str>, is_stop: bool) -> String {
        let given = Part {
            id: "x-1".to_owned(),
            entry: 2,
            href: href.map(str::to_owned),
            said: "2026-06-01, \"><script>: 3 B".to_owned(),
            at: 12.34,
            is_stop,
        };
        leptos::reactive::owner::Owner::new().with(|| {
            let shape = view! { <rect width="1" height="1"></rect> }.into_any();
            part(given, shape).to_html()
        })
    }

    #[test]
    fn what_leads_somewhere_is_a_link_and_what_does_not_is_told_all_the_same() {
        let link = drawn(Some("/runs/1"), true);
        assert!(link.starts_with("<a "), "{link}");
        for piece in ["href=\"/runs/1\"", "tabindex=\"0\"", "data-at=\"12.3\""] {
            assert!(link.contains(piece), "{piece} in {link}");
        }
        let plain = drawn(None, false);
        assert!(plain.starts_with("<g "), "{plain}");
        for piece in ["role=\"img\"", "tabindex=\"-1\"", "chart__part--2"] {
            assert!(plain.contains(piece), "{piece} in {plain}");
        }
        for html in [link, plain] {
            assert!(!html.contains("<script>"), "{html}");
            assert!(html.contains("aria-label=\"2026-06-01, "), "{html}");
        }
    }
}
