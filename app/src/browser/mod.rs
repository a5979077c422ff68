//! What the browser adds to pages that are whole without it. It knows no page: it goes by attributes, so that a page asks for
//! something by writing a word.
//!
//! | attribute | what it asks for |
//! |---|---|
//! | `form data-in-place` | is sent without loading the page; nothing is sent twice ([`forms`]) |
//! | `form data-returned` | was refused: the page does not look again while what it came back with is on it |
//! | `data-meanwhile` | has the focus once its form comes back with it ([`forms`]) |
//! | `form data-part="ID"` | leads to its own address as somebody types or chooses, and only that part of the page is drawn anew |
//! | `form data-download` | answers with a file; then the page looks again |
//! | `data-refresh` | the page looks again every few seconds while this is on it |
//! | `ul data-keys` | j, k, a and r go through its items and open their decisions ([`keys`]); `data-keys-help` explains them |
//! | `figure data-picture` | a line below the picture tells what is pointed at, and arrows lead through it ([`pictures`]) |
//! | `time data-shown` | an instant in the reader's own zone, or how long ago it was ([`times`]) |
//!
//! Does not live here: what has a state of its own ([`crate::islands`]).

mod draw;
mod forms;
mod kept;
mod keys;
mod pictures;
mod times;

use leptos::prelude::document;
use leptos::wasm_bindgen::JsCast;
use leptos::wasm_bindgen::closure::Closure;
use web_sys::Event;

/// Called once by the page's script.
pub fn start() {
    times::start();
    forms::start();
    draw::start();
    keys::start();
    pictures::start();
}

/// Calls `run` for every such event of the page; what is drawn later is heard, too.
fn listen<E: JsCast>(kind: &str, mut run: impl FnMut(E) + 'static) {
    let heard = Closure::<dyn FnMut(Event)>::new(move |event: Event| run(event.unchecked_into()));
    document()
        .add_event_listener_with_callback(kind, heard.as_ref().unchecked_ref())
        .ok();
    // It lives as long as the page.
    heard.forget();
}
