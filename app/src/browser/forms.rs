//! Forms that are sent without loading the page.

use std::cell::Cell;
use std::time::Duration;

use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::leptos_dom::helpers::set_timeout_with_handle;
use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::wasm_bindgen::JsCast;
use leptos::wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::Element;
use web_sys::Event;
use web_sys::FormData;
use web_sys::Headers;
use web_sys::HtmlElement;
use web_sys::HtmlFormElement;
use web_sys::HtmlInputElement;
use web_sys::HtmlSelectElement;
use web_sys::RequestInit;
use web_sys::Response;
use web_sys::SubmitEvent;
use web_sys::UrlSearchParams;

use crate::words;

use super::draw::Keep;
use super::draw::Step;
use super::draw::WHOLE;
use super::draw::draw;
use super::draw::here;
use super::draw::look_again;
use super::listen;

/// So long after the last letter a search begins.
const PAUSE: Duration = Duration::from_millis(180);

/// When to look whether a download has come, generously.
const DOWNLOADED: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// Asks `server::plain_form` to say where to go on instead of leading there.
const IN_PLACE: &str = "x-in-place";

thread_local! {
    static WAITING: Cell<Option<TimeoutHandle>> = const { Cell::new(None) };
}

pub(super) fn start() {
    listen("submit", submitted);
    listen("input", |event: Event| {
        let is_text = event
            .target()
            .is_some_and(|target| target.has_type::<HtmlInputElement>());
        if let (true, Some(form)) = (is_text, part_form(&event)) {
            stop_waiting();
            WAITING.set(set_timeout_with_handle(move || lead(&form), PAUSE).ok());
        }
    });
    listen("change", |event: Event| {
        let is_choice = event
            .target()
            .is_some_and(|target| target.has_type::<HtmlSelectElement>());
        if let (true, Some(form)) = (is_choice, part_form(&event)) {
            lead(&form);
        }
    });
}

/// The form around what happened, if it draws a part of the page.
fn part_form(event: &Event) -> Option<HtmlFormElement> {
    let element: Element = event.target()?.dyn_into().ok()?;
    let form = element.closest("form[data-part]").ok()??;
    form.dyn_into().ok()
}

fn stop_waiting() {
    if let Some(timer) = WAITING.take() {
        timer.clear();
    }
}

fn submitted(event: SubmitEvent) {
    let form = event
        .target()
        .and_then(|target| target.dyn_into::<HtmlFormElement>().ok());
    let Some(form) = form.filter(|_| !event.default_prevented()) else {
        return;
    };
    if form.has_attribute("data-part") {
        event.prevent_default();
        stop_waiting();
        lead(&form);
    } else if form.has_attribute("data-in-place") {
        event.prevent_default();
        // Twice would be once too often.
        if !form.has_attribute("data-sending") {
            send(form, event.submitter());
        }
    } else if form.has_attribute("data-download") {
        for later in DOWNLOADED {
            set_timeout(look_again, later);
        }
    }
}

/// Goes where a form leads that only asks for another address.
fn lead(form: &HtmlFormElement) {
    let Some(fields) = fields(form, None) else {
        return;
    };
    let part = form.get_attribute("data-part").unwrap_or_default();
    let query = query(&fields);
    let path = form.get_attribute("action").unwrap_or_default();
    let to = if query.is_empty() {
        path
    } else {
        format!("{path}?{query}")
    };
    let now = here();
    if to == now {
        return;
    }
    // One step back leads to where it began, not through each letter.
    let step = if now.contains('?') {
        Step::Instead
    } else {
        Step::Forward
    };
    spawn_local(async move {
        if draw(&to, &part, step, Keep::All).await.is_err() {
            // The browser says better than a page could that there is no network.
            window().location().assign(&to).ok();
        }
    });
}

/// Name and value of what is filled in, as an address writes them.
fn query(fields: &UrlSearchParams) -> String {
    let mut pairs = Vec::new();
    for pair in js_sys::Array::from(fields).iter() {
        let pair = js_sys::Array::from(&pair);
        let (name, value) = (pair.get(0).as_string(), pair.get(1).as_string());
        if let (Some(name), Some(value)) = (name, value)
            && !value.trim().is_empty()
        {
            let value = js_sys::encode_uri_component(value.trim());
            pairs.push(format!("{}={value}", js_sys::encode_uri_component(&name)));
        }
    }
    pairs.join("&")
}

fn fields(form: &HtmlFormElement, pressed: Option<&HtmlElement>) -> Option<UrlSearchParams> {
    let data = FormData::new_with_form(form).ok()?;
    let fields = UrlSearchParams::new_with_str_sequence_sequence(&data).ok()?;
    let named = pressed.and_then(|button| {
        let name = button.get_attribute("name")?;
        Some((name, button.get_attribute("value").unwrap_or_default()))
    });
    if let Some((name, value)) = named {
        fields.append(&name, &value);
    }
    Some(fields)
}

fn send(form: HtmlFormElement, pressed: Option<HtmlElement>) {
    let action = form.get_attribute("action").unwrap_or_default();
    let Some(fields) = fields(&form, pressed.as_ref()) else {
        return;
    };
    let body = String::from(fields.to_string());
    form.set_attribute("data-sending", "").ok();
    spawn_local(async move {
        let said = match post(&action, &body).await {
            Ok(Answer::GoOn(to)) => go_on(&to, &form)
                .await
                .err()
                .map(|_| words::both::SERVER_UNREACHABLE.to_owned()),
            Ok(Answer::Refused(why)) => Some(why),
            Err(_) => Some(words::both::SERVER_UNREACHABLE.to_owned()),
        };
        form.remove_attribute("data-sending").ok();
        if let Some(said) = said {
            tell(&form, &said).ok();
        }
    });
}

enum Answer {
    GoOn(String),
    /// Something between refused it, in words.
    Refused(String),
}

async fn post(action: &str, body: &str) -> Result<Answer, JsValue> {
    let headers = Headers::new()?;
    headers.set("accept", "text/html")?;
    headers.set("content-type", "application/x-www-form-urlencoded")?;
    headers.set(IN_PLACE, "1")?;
    let request = RequestInit::new();
    request.set_method("POST");
    request.set_headers(&headers);
    request.set_body(&JsValue::from_str(body));
    let answer = JsFuture::from(window().fetch_with_str_and_init(action, &request)).await?;
    let answer: Response = answer.dyn_into()?;
    if let Some(to) = answer.headers().get(IN_PLACE)? {
        return Ok(Answer::GoOn(to));
    }
    let text = JsFuture::from(answer.text()?).await?;
    Ok(Answer::Refused(text.as_string().unwrap_or_default()))
}

/// To another page by loading it; on the same one what the server has to say is drawn.
async fn go_on(to: &str, form: &HtmlFormElement) -> Result<(), JsValue> {
    let (to, fragment) = to.split_once('#').unwrap_or((to, ""));
    let now = here();
    let path = |address: &str| address.split('?').next().unwrap_or_default().to_owned();
    if path(to) != path(&now) {
        return window().location().assign(to);
    }
    let step = if to == now { Step::Stay } else { Step::Forward };
    draw(to, WHOLE, step, Keep::AllBut(form)).await?;
    let wrong = document().get_element_by_id(fragment);
    match wrong {
        Some(form) => {
            form.scroll_into_view();
            let first = form.query_selector("[data-meanwhile], [aria-invalid]")?;
            focus(&first.unwrap_or(form));
        }
        None => {
            if let Some(main) = document().get_element_by_id(WHOLE) {
                focus(&main);
            }
        }
    }
    Ok(())
}

fn focus(element: &Element) {
    if let Some(element) = element.dyn_ref::<HtmlElement>() {
        element.focus().ok();
    }
}

/// Says at the form what went wrong with sending it; what was typed stays.
fn tell(form: &HtmlFormElement, what: &str) -> Result<(), JsValue> {
    if let Some(before) = form.query_selector(":scope > [data-told]")? {
        before.remove();
    }
    let notice = document().create_element("div")?;
    notice.set_class_name("notice notice--bad");
    notice.set_attribute("role", "alert")?;
    notice.set_attribute("data-told", "")?;
    notice.set_text_content(Some(what));
    form.insert_before(&notice, form.first_child().as_ref())?;
    form.scroll_into_view();
    Ok(())
}
