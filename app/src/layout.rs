//! What surrounds every page: skip link, header with navigation and account, the flash's notice, footer.

use leptos::prelude::*;
use leptos::wasm_bindgen::JsCast;
use leptos::web_sys::HtmlElement;
use leptos_router::components::A;
use leptos_router::hooks::use_location;

use crate::components::account::Account;
use crate::components::flash::Notice;
use crate::components::flash::Problems;
use crate::components::flash::Tone;
use crate::components::icon::Icon;
use crate::components::nav::Nav;
use crate::ctx;

#[component]
pub fn Layout(
    /// Whether the next page is on its way.
    #[prop(optional, into)]
    is_routing: Signal<bool>,
    children: Children,
) -> impl IntoView {
    let flash = ctx::flash();
    let path = use_location().pathname;
    // Only in the browser, and only when the router changed the page in place: what a page load would have done.
    Effect::new(move |before: Option<String>| {
        let now = path.get();
        if before.is_some_and(|before| before != now) {
            flash.set(ctx::flash_ahead());
            focus_main();
        }
        now
    });
    // Of a form that names itself, sent without script. The sign-in page shows its own.
    let refused = Signal::derive(move || {
        flash.with(|flash| {
            let errors = flash.field_errors();
            if flash.is_of("") { Vec::new() } else { errors }
        })
    });
    view! {
        // `external`: the browser itself moves the focus, the router would only scroll.
        <a class="skip-link" href="#main" rel="external">"Skip to the content"</a>
        <div class="progress" class:progress--on=is_routing aria-hidden="true"></div>
        <header class="site-header">
            <div class="site-header__inner">
                <A href="/" exact=true attr:class="brand">
                    <Icon name="mark"/>
                    <span>"Entrepôt"</span>
                </A>
                <Nav/>
                <Account/>
            </div>
        </header>
        <main id="main" tabindex="-1">
            <div class="flash">
                {move || flash.with(|flash| flash.notice.clone()).map(|text| view! {
                    <Notice tone=Tone::Good>{text}</Notice>
                })}
                <Problems problems=refused/>
            </div>
            {children()}
        </main>
        <footer class="site-footer">
            <div class="site-footer__inner">
                <p>"Entrepôt, a data exchange. Landed once, read by everybody."</p>
                <p><a href="/api/v1/openapi.json" rel="external">"REST interface"</a></p>
            </div>
        </footer>
    }
}

/// Moves keyboard and screen reader to the new page's beginning.
fn focus_main() {
    let main = document()
        .get_element_by_id("main")
        .and_then(|main| main.dyn_into::<HtmlElement>().ok());
    if let Some(main) = main {
        // Focus fails only where there is no window; then nobody reads either.
        main.focus().ok();
    }
}
