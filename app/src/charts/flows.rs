//! What went from where to where: a band for each pair of places, as wide as what it carries. Drawn narrow, so that it is legible
//! on a telephone without being scaled away.

use leptos::prelude::*;

use crate::words;

use super::part::Part;
use super::part::part;
use super::part::readout;

/// One band. `label` stands on it; `value` is what its width says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    pub from: String,
    pub to: String,
    pub value: u64,
    pub label: String,
    /// Where it is shown in parts.
    pub href: Option<String>,
}

/// More bands than this are put together by whoever has the figures: more nobody can follow.
pub const FLOWS_MAX: usize = 12;

const WIDTH: f64 = 400.0;
const EDGE: f64 = 4.0;
/// The bar that stands for a place.
const BAR: f64 = 6.0;
/// All bands of a side together.
const ALL: f64 = 200.0;
const THINNEST: f64 = 2.0;
/// Narrower ones are hard to hit.
const THIN: f64 = 8.0;
/// A label needs so much.
const LINE: f64 = 17.0;
const NAME: f64 = 20.0;
const GAP: f64 = 8.0;

/// Longer names end in dots; the table has them whole.
const NAME_MAX: usize = 25;

/// Top and height of a band's end, by the band's position in what was given.
type Ends = Vec<(f64, f64)>;

#[derive(Clone, Debug, PartialEq)]
struct Node {
    name: String,
    /// Where the name stands.
    name_y: f64,
    top: f64,
    bottom: f64,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Layout {
    left: Vec<Node>,
    right: Vec<Node>,
    starts: Ends,
    ends: Ends,
    height: f64,
    /// Whether a band is drawn wider than what it carries.
    is_widened: bool,
}

fn layout(flows: &[Flow]) -> Layout {
    let all = flows
        .iter()
        .fold(0_u64, |all, flow| all.saturating_add(flow.value))
        .max(1);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a picture's points are coarser than an f64"
    )]
    let widths: Vec<f64> = flows
        .iter()
        .map(|flow| flow.value as f64 / all as f64 * ALL)
        .collect();
    let is_widened = widths.iter().any(|width| *width < THINNEST);
    let widths: Vec<f64> = widths
        .into_iter()
        .map(|width| width.max(THINNEST))
        .collect();
    let lefts = names(flows, |flow| &flow.from);
    let rights = names(flows, |flow| &flow.to);
    let (left, starts, left_end) = side(flows, &widths, &lefts, &rights, LINE, |flow| {
        (&flow.from, &flow.to)
    });
    let (right, ends, right_end) = side(flows, &widths, &rights, &lefts, 0.0, |flow| {
        (&flow.to, &flow.from)
    });
    Layout {
        left,
        right,
        starts,
        ends,
        height: left_end.max(right_end),
        is_widened,
    }
}

/// The places of one side, what carries most first.
fn names(flows: &[Flow], of: impl Fn(&Flow) -> &String) -> Vec<String> {
    let mut sums: Vec<(String, u64)> = Vec::new();
    for flow in flows {
        match sums.iter_mut().find(|(name, _)| name == of(flow)) {
            Some((_, sum)) => *sum = sum.saturating_add(flow.value),
            None => sums.push((of(flow).clone(), flow.value)),
        }
    }
    sums.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    sums.into_iter().map(|(name, _)| name).collect()
}

/// Puts the ends of one side below each other, in the order of the other side, so that bands cross as little as may be. `room` is
/// the least that an end takes. Answers the places, the ends, and where it all ends.
fn side(
    flows: &[Flow],
    widths: &[f64],
    names: &[String],
    others: &[String],
    room: f64,
    of: impl Fn(&Flow) -> (&String, &String),
) -> (Vec<Node>, Ends, f64) {
    let mut ends = vec![(0.0, 0.0); flows.len()];
    let mut nodes = Vec::new();
    let mut y = 0.0;
    for name in names {
        let name_y = y + NAME - 6.0;
        let top = y + NAME;
        y = top;
        for other in others {
            let meant = |flow: &Flow| of(flow) == (name, other);
            for (position, _) in flows.iter().enumerate().filter(|(_, flow)| meant(flow)) {
                let width = widths[position];
                let taken = width.max(room);
                ends[position] = (y + (taken - width) / 2.0, width);
                y += taken;
            }
        }
        nodes.push(Node {
            name: name.clone(),
            name_y,
            top,
            bottom: y,
        });
        y += GAP;
    }
    (nodes, ends, y)
}

/// `id` is unique on the page. `said` writes a value with its unit.
#[component]
pub fn FlowMap(
    id: &'static str,
    title: &'static str,
    flows: Vec<Flow>,
    said: fn(u64) -> String,
) -> impl IntoView {
    let drawn = layout(&flows);
    let (title_id, text_id) = (format!("{id}-title"), format!("{id}-text"));
    let labelled_by = format!("{title_id} {text_id}");
    let text = describe(&flows, said);
    let summary = text.clone();
    let (from, to) = (EDGE + BAR, WIDTH - EDGE - BAR);
    let bands = flows
        .iter()
        .zip(drawn.starts.iter().zip(&drawn.ends))
        .enumerate()
        .map(|(position, (flow, (start, end)))| {
            let outline = band((from, *start), (to, *end));
            // What is seen is thin; what is pointed at is not.
            let reach = (start.1 < THIN)
                .then(|| view! { <path class="flows__reach" d=outline.clone()></path> });
            let shape = view! {
                {reach}
                <path class="flows__band" d=outline></path>
            };
            let drawn = Part {
                id: format!("{id}-{}", position + 1),
                entry: 1,
                href: flow.href.clone(),
                said: format!(
                    "{} → {}: {}, {}",
                    flow.from,
                    flow.to,
                    said(flow.value),
                    flow.label
                ),
                at: 0.0,
                is_stop: true,
            };
            view! { <g data-row="">{part(drawn, shape.into_any())}</g> }
        })
        .collect_view();
    let labels = flows
        .iter()
        .zip(&drawn.starts)
        .map(|(flow, (top, width))| {
            view! {
                <text class="flows__label" x=point(from + 6.0) y=point(top + width / 2.0 + 4.0)>{flow.label.clone()}</text>
            }
        })
        .collect_view();
    let left = places(&drawn.left, EDGE, EDGE, "start");
    let right = places(&drawn.right, WIDTH - EDGE - BAR, WIDTH - EDGE, "end");
    view! {
        <figure class="chart flows" data-picture="">
            <svg viewBox=format!("0 0 {WIDTH} {}", point(drawn.height)) role="group" aria-labelledby=labelled_by>
                <title id=title_id>{title}</title>
                <desc id=text_id>{text}</desc>
                {bands}
                <g aria-hidden="true" class="flows__words">{left}{right}{labels}</g>
            </svg>
            {readout(summary)}
            <figcaption class="muted">
                {words::charts::HOW_TO_READ_BANDS}
                {drawn.is_widened.then_some(words::charts::THIN_BANDS_ARE_WIDENED)}
            </figcaption>
        </figure>
    }
}

fn places(nodes: &[Node], bar: f64, text: f64, anchor: &'static str) -> impl IntoView + use<> {
    nodes
        .iter()
        .map(|node| {
            view! {
                <rect class="flows__place" x=point(bar) y=point(node.top) width=point(BAR) height=point(node.bottom - node.top)></rect>
                <text class="flows__name" x=point(text) y=point(node.name_y) text-anchor=anchor>{short(&node.name)}</text>
            }
        })
        .collect_view()
}

/// The outline of a band between an end on the left and one on the right: where it is, its top, its width.
fn band(
    (from, (start, start_width)): (f64, (f64, f64)),
    (to, (end, end_width)): (f64, (f64, f64)),
) -> String {
    let middle = f64::midpoint(from, to);
    let (below_start, below_end) = (start + start_width, end + end_width);
    let numbers = [from, start, middle, start, middle, end, to, end];
    let [x0, y0, x1, y1, x2, y2, x3, y3] = numbers.map(point);
    let numbers = [
        to,
        below_end,
        middle,
        below_end,
        middle,
        below_start,
        from,
        below_start,
    ];
    let [x4, y4, x5, y5, x6, y6, x7, y7] = numbers.map(point);
    format!("M{x0} {y0}C{x1} {y1} {x2} {y2} {x3} {y3}L{x4} {y4}C{x5} {y5} {x6} {y6} {x7} {y7}Z")
}

fn short(name: &str) -> String {
    if name.chars().count() <= NAME_MAX {
        return name.to_owned();
    }
    let mut text: String = name.chars().take(NAME_MAX - 1).collect();
    text.push('…');
    text
}

/// For who does not see it: how much in all, and the widest band.
fn describe(flows: &[Flow], said: fn(u64) -> String) -> String {
    let all = flows
        .iter()
        .fold(0_u64, |all, flow| all.saturating_add(flow.value));
    match flows.iter().max_by_key(|flow| flow.value) {
        Some(most) => {
            words::charts::sum_and_widest_band(&said(all), &most.from, &most.to, &said(most.value))
        }
        None => words::charts::NOTHING.to_owned(),
    }
}

/// Tenths are fine enough for a screen.
fn point(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(from: &str, to: &str, value: u64) -> Flow {
        Flow {
            from: from.to_owned(),
            to: to.to_owned(),
            value,
            label: format!("{value} USD"),
            href: None,
        }
    }

    fn drawn(flows: Vec<Flow>) -> String {
        leptos::reactive::owner::Owner::new().with(|| {
            view! { <FlowMap id="x" title="Flows" flows said=|value| format!("{value} B")/> }
                .into_view()
                .to_html()
        })
    }

    #[test]
    fn bands_are_as_wide_as_what_they_carry() {
        let layout = layout(&[
            flow("AWS", "Azure", 75),
            flow("AWS", "Google Cloud", 25),
            flow("Azure", "Azure", 100),
        ]);
        let widths: Vec<String> = layout
            .starts
            .iter()
            .map(|(_, width)| point(*width))
            .collect();
        assert_eq!(widths, ["75.0", "25.0", "100.0"]);
        assert!(!layout.is_widened);
        for (start, end) in layout.starts.iter().zip(&layout.ends) {
            assert!((start.1 - end.1).abs() < f64::EPSILON, "{layout:?}");
        }
        // A place is as high as its bands, and bands of one place do not lie on each other.
        let names: Vec<&str> = layout.left.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["AWS", "Azure"]);
        assert_eq!(point(layout.left[0].bottom - layout.left[0].top), "100.0");
        assert_eq!(layout.right[0].name, "Azure");
        assert_eq!(point(layout.right[0].bottom - layout.right[0].top), "175.0");
    }

    #[test]
    fn thirty_bands_neither_overlap_nor_leave_the_picture() {
        let mut flows = vec![flow("a", "z", 1_000_000)];
        flows
            .extend((0..29).map(|n| flow(&format!("from {}", n % 7), &format!("to {}", n % 5), n)));
        let layout = layout(&flows);
        assert!(layout.is_widened);
        for ends in [&layout.starts, &layout.ends] {
            let mut sorted = ends.clone();
            sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
            for pair in sorted.windows(2) {
                assert!(pair[0].0 + pair[0].1 <= pair[1].0 + 0.01, "{pair:?}");
            }
            for (top, width) in ends {
                assert!(*top >= 0.0 && top + width <= layout.height);
            }
        }
        // Labels need their line.
        let mut tops: Vec<f64> = layout
            .starts
            .iter()
            .map(|(top, width)| top + width / 2.0)
            .collect();
        tops.sort_by(f64::total_cmp);
        for pair in tops.windows(2) {
            assert!(pair[1] - pair[0] >= LINE - 0.01, "{pair:?}");
        }
    }

    #[test]
    fn one_none_and_nothing_carried() {
        for flows in [
            vec![],
            vec![flow("AWS", "Azure", 5)],
            vec![flow("AWS", "Azure", 0)],
            vec![flow("AWS", "Azure", u64::MAX), flow("AWS", "AWS", u64::MAX)],
        ] {
            let html = drawn(flows);
            assert!(!html.contains("NaN") && !html.contains("inf"), "{html}");
        }
        assert!(drawn(vec![flow("AWS", "Azure", 5)]).contains("most from AWS to Azure: 5 B"));
    }

    #[test]
    fn a_band_leads_to_its_parts_and_says_what_it_carries() {
        let opened = Flow {
            href: Some("/costs?from=aws&to=azure#flows".to_owned()),
            ..flow("AWS", "Azure", 5)
        };
        let html = drawn(vec![opened, flow("AWS", "AWS", 1)]);
        for part in [
            "<a id=\"x-1\"",
            "from=aws&amp;to=azure#flows",
            "aria-label=\"AWS → Azure: 5 B, 5 USD\"",
            "<g id=\"x-2\"",
            "aria-label=\"AWS → AWS: 1 B, 1 USD\"",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert_eq!(html.matches("tabindex=\"0\"").count(), 2, "{html}");
        assert!(!html.contains("style="), "{html}");
    }

    #[test]
    fn names_are_text_and_long_ones_are_cut() {
        let long = format!("</title><script>{}", "x".repeat(60));
        let html = drawn(vec![flow(&long, "Azure", 9)]);
        assert!(!html.contains("<script>"), "{html}");
        assert_eq!(
            short("Azure germanywestcentral"),
            "Azure germanywestcentral"
        );
        assert_eq!(short(&long).chars().count(), NAME_MAX);
    }
}
