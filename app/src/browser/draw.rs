//! Drawing a part of the page anew from what the server says at an address.

use std::cell::Cell;
use std::cell::RefCell;
use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::wasm_bindgen::JsCast;
use leptos::wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::DomParser;
use web_sys::Event;
use web_sys::Headers;
use web_sys::HtmlFormElement;
use web_sys::RequestInit;
use web_sys::Response;
use web_sys::SupportedType;

use super::kept::Kept;
use super::times;

/// The part that holds all of a page's own.
pub(super) const WHOLE: &str = "main";

/// Looked at again this often while something is under way.
const LOOK_AGAIN: Duration = Duration::from_secs(3);

thread_local! {
    /// Counts what was asked for: an answer that another question has overtaken is not drawn.
    static TURN: Cell<u32> = const { Cell::new(0) };
    /// The address whose page is shown, without its fragment.
    static SHOWN: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What becomes of the browser's own history.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The same page, later.
    Stay,
    /// A step that the back button leads back over.
    Forward,
    /// Instead of the step before.
    Instead,
}

pub(super) fn start() {
    SHOWN.set(here());
    // Back or forward to what was drawn without loading.
    let moved = leptos::wasm_bindgen::closure::Closure::<dyn FnMut(Event)>::new(move |_| {
        let here = here();
        if SHOWN.with_borrow(|shown| shown.as_str() != here.as_str()) {
            spawn_local(async move {
                if draw(&here, WHOLE, Step::Stay, Keep::Nothing).await.is_err() {
                    window().location().reload().ok();
                }
            });
        }
    });
    window()
        .add_event_listener_with_callback("popstate", moved.as_ref().unchecked_ref())
        .ok();
    moved.forget();
    set_interval(look_while_under_way, LOOK_AGAIN);
    // The network came back: the window hears it, the document does not.
    let online = leptos::wasm_bindgen::closure::Closure::<dyn FnMut(Event)>::new(|_| {
        look_while_under_way();
    });
    window()
        .add_event_listener_with_callback("online", online.as_ref().unchecked_ref())
        .ok();
    online.forget();
}

/// Whoever is not looking need not be shown. What a refused form came back with is there once, and is not to be drawn over.
fn look_while_under_way() {
    let has = |selector: &str| matches!(document().query_selector(selector), Ok(Some(_)));
    let is_under_way = has("[data-refresh]");
    if is_under_way && !has("form[data-sending], form[data-returned]") && !document().hidden() {
        look_again();
    }
}

pub(super) fn look_again() {
    spawn_local(async {
        // Failing, it is tried again the next time.
        draw(&here(), WHOLE, Step::Stay, Keep::All).await.ok();
    });
}

/// Path and query of the page.
pub(super) fn here() -> String {
    let at = window().location();
    format!(
        "{}{}",
        at.pathname().unwrap_or_default(),
        at.search().unwrap_or_default()
    )
}

/// What somebody was doing that is to be there afterwards.
#[derive(Clone, Copy)]
pub(super) enum Keep<'a> {
    All,
    /// All but what stands in the form that was sent.
    AllBut(&'a HtmlFormElement),
    Nothing,
}

/// Fails where the server cannot be reached; then nothing has changed.
pub(super) async fn draw(to: &str, part: &str, step: Step, keep: Keep<'_>) -> Result<(), JsValue> {
    let turn = TURN.get().wrapping_add(1);
    TURN.set(turn);
    busy(true);
    let answer = page(to).await;
    if TURN.get() != turn {
        return Ok(());
    }
    busy(false);
    let answer = answer?;
    let fresh = DomParser::new()?.parse_from_string(&answer, SupportedType::TextHtml)?;
    let (Some(old), Some(new)) = (
        document().get_element_by_id(part),
        fresh.get_element_by_id(part),
    ) else {
        // Another page than the one whose part was meant.
        return window().location().assign(to);
    };
    let kept = match keep {
        Keep::All => Some(Kept::of(&old, None)),
        Keep::AllBut(sent) => Some(Kept::of(&old, Some(sent))),
        Keep::Nothing => None,
    };
    let new = document().adopt_node(&new)?;
    old.replace_with_with_node_1(&new)?;
    document().set_title(&fresh.title());
    let history = window().history()?;
    match step {
        Step::Stay => {}
        Step::Forward => history.push_state_with_url(&JsValue::NULL, "", Some(to))?,
        Step::Instead => history.replace_state_with_url(&JsValue::NULL, "", Some(to))?,
    }
    SHOWN.set(here());
    times::write();
    if let (Some(kept), Some(new)) = (kept, document().get_element_by_id(part)) {
        kept.give_back(&new);
    }
    // The page's script wakes the islands.
    document().dispatch_event(&Event::new("portal:drawn")?)?;
    Ok(())
}

async fn page(to: &str) -> Result<String, JsValue> {
    // As a page is asked for: what the last form left behind is for pages.
    let headers = Headers::new()?;
    headers.set("accept", "text/html")?;
    let request = RequestInit::new();
    request.set_headers(&headers);
    let answer = JsFuture::from(window().fetch_with_str_and_init(to, &request)).await?;
    let answer: Response = answer.dyn_into()?;
    let text = JsFuture::from(answer.text()?).await?;
    Ok(text.as_string().unwrap_or_default())
}

fn busy(is_busy: bool) {
    if let Some(body) = document().body() {
        body.toggle_attribute_with_force("data-busy", is_busy).ok();
    }
}
