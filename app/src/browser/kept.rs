//! What somebody was doing in a part of the page that is drawn anew: typed values, the focus, what was folded open.

use leptos::prelude::document;
use leptos::wasm_bindgen::JsCast;
use web_sys::Element;
use web_sys::HtmlDetailsElement;
use web_sys::HtmlElement;
use web_sys::HtmlFormElement;
use web_sys::HtmlInputElement;
use web_sys::HtmlSelectElement;
use web_sys::HtmlTextAreaElement;

/// What a form says that it was drawn with: the revision, and what its fields showed (`components::meanwhile`).
const BOUND: &str =
    "input[name=\"form[revision]\"], input[name^=\"form[was_\"], input[name^=\"seen[\"]";

const TEXTS: &str = "input[id], textarea[id], select[id]";

pub(super) struct Kept {
    /// Id and value of what was changed.
    values: Vec<(String, String)>,
    /// Of each form with such a value, by its id: names and values of what it was drawn with.
    bound: Vec<(String, Vec<(String, String)>)>,
    focus: Option<Focus>,
    /// Of each thing that folds, in order: whether it is open.
    open: Vec<bool>,
}

struct Focus {
    id: String,
    selection: Option<(u32, u32)>,
}

impl Kept {
    /// Not of the form `sent`: what stands in it now, the server says.
    pub(super) fn of(part: &Element, sent: Option<&HtmlFormElement>) -> Self {
        let values = elements::<Element>(part, TEXTS)
            .into_iter()
            .filter(|element| sent.is_none_or(|form| !form.contains(Some(element))))
            .filter_map(|element| changed(&element).map(|value| (element.id(), value)))
            .collect();
        let bound = elements::<HtmlFormElement>(part, "form[id]")
            .into_iter()
            .filter(|form| sent.is_none_or(|sent| own_id(sent) != own_id(form)))
            .filter(|form| {
                elements::<Element>(form, TEXTS)
                    .iter()
                    .any(|element| changed(element).is_some())
            })
            .filter_map(|form| {
                let pairs = elements::<HtmlInputElement>(&form, BOUND)
                    .iter()
                    .map(|input| (input.name(), input.value()))
                    .collect();
                own_id(&form).map(|id| (id, pairs))
            })
            .collect();
        let focus = document()
            .active_element()
            .filter(|element| part.contains(Some(element)) && !element.id().is_empty())
            .map(|element| Focus {
                id: element.id(),
                selection: selection(&element),
            });
        let open = elements::<HtmlDetailsElement>(part, "details")
            .iter()
            .map(HtmlDetailsElement::open)
            .collect();
        Self {
            values,
            bound,
            focus,
            open,
        }
    }

    pub(super) fn give_back(self, part: &Element) {
        for (id, value) in self.values {
            let Some(element) = document().get_element_by_id(&id) else {
                continue;
            };
            if let Some(input) = element.dyn_ref::<HtmlInputElement>() {
                input.set_value(&value);
            } else if let Some(area) = element.dyn_ref::<HtmlTextAreaElement>() {
                area.set_value(&value);
            } else if let Some(select) = element.dyn_ref::<HtmlSelectElement>() {
                select.set_value(&value);
            }
        }
        // What was typed was written over what was seen then: if that is not there any more, the server is to say so.
        for (id, pairs) in self.bound {
            let Some(form) = document().get_element_by_id(&id) else {
                continue;
            };
            for input in elements::<HtmlInputElement>(&form, BOUND) {
                let name = input.name();
                if let Some((_, value)) = pairs.iter().find(|(known, _)| *known == name) {
                    input.set_value(value);
                }
            }
        }
        let folds = elements::<HtmlDetailsElement>(part, "details");
        if folds.len() == self.open.len() {
            for (fold, open) in folds.iter().zip(self.open) {
                fold.set_open(open || fold.open());
            }
        }
        if let Some(focus) = self.focus
            && let Some(element) = document().get_element_by_id(&focus.id)
        {
            // What a picture is made of has the method, too, without being HTML.
            element.unchecked_ref::<HtmlElement>().focus().ok();
            if let Some((from, to)) = focus.selection
                && let Some(input) = element.dyn_ref::<HtmlInputElement>()
            {
                input.set_selection_range(from, to).ok();
            }
        }
    }
}

/// As it is written: a form's property `id` is its field of that name.
fn own_id(form: &HtmlFormElement) -> Option<String> {
    form.get_attribute("id")
}

/// The value of a text that is not what the page came with.
fn changed(element: &Element) -> Option<String> {
    if let Some(input) = element.dyn_ref::<HtmlInputElement>() {
        let is_text = !matches!(
            input.type_().as_str(),
            "hidden" | "radio" | "checkbox" | "file"
        );
        return (is_text && input.value() != input.default_value()).then(|| input.value());
    }
    if let Some(select) = element.dyn_ref::<HtmlSelectElement>() {
        let marked = select.query_selector("option[selected]").ok()?;
        let first = || select.query_selector("option").ok().flatten();
        let came_with = marked.or_else(first)?.get_attribute("value");
        return (Some(select.value()) != came_with).then(|| select.value());
    }
    let area = element.dyn_ref::<HtmlTextAreaElement>()?;
    let came_with = area.default_value().ok()?;
    (area.value() != came_with).then(|| area.value())
}

/// None for what has none: dates, for example.
fn selection(element: &Element) -> Option<(u32, u32)> {
    let input = element.dyn_ref::<HtmlInputElement>()?;
    let from = input.selection_start().ok()??;
    let to = input.selection_end().ok()??;
    Some((from, to))
}

fn elements<E: JsCast>(part: &Element, selector: &str) -> Vec<E> {
    let Ok(found) = part.query_selector_all(selector) else {
        return Vec::new();
    };
    (0..found.length())
        .filter_map(|position| found.item(position)?.dyn_into().ok())
        .collect()
}
