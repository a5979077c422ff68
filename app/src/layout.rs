//! What surrounds every page: skip link, header with navigation and account, the flash's notice, footer.

use leptos::prelude::*;
use leptos_router::components::A;

use crate::components::account::Account;
use crate::components::flash::Notice;
use crate::components::flash::Problems;
use crate::components::flash::Tone;
use crate::components::nav::Nav;
use crate::ctx;
use crate::islands::icon::Icon;
use crate::pages::sign_in;
use crate::words;

#[component]
pub fn Layout(children: Children) -> impl IntoView {
    let flash = ctx::flash();
    let tone = if flash.is_alarm {
        Tone::Bad
    } else {
        Tone::Good
    };
    let notice = flash
        .notice
        .clone()
        .map(|text| view! { <Notice tone>{text}</Notice> });
    // Here and not at the form, which may be gone from the page.
    let refused = if flash.is_of(sign_in::FORM) {
        Vec::new()
    } else {
        flash.field_errors()
    };
    view! {
        <a class="skip-link" href="#main" rel="external">{words::frame::SKIP_TO_THE_CONTENT}</a>
        <div class="progress" aria-hidden="true"></div>
        <header class="site-header">
            <div class="site-header__inner">
                <A href="/" exact=true attr:class="brand">
                    <Icon name="mark"/>
                    <span>{words::frame::ENTREPOT}</span>
                </A>
                <Nav/>
                <Account/>
            </div>
        </header>
        <main id="main" tabindex="-1">
            <div class="flash">
                {notice}
                <Problems problems=refused/>
            </div>
            {children()}
        </main>
        <footer class="site-footer">
            <div class="site-footer__inner">
                <p>{words::frame::WHAT_ENTREPOT_IS}</p>
                <p><a href="/api/v1/openapi.json" rel="external">{words::frame::REST_INTERFACE}</a></p>
            </div>
        </footer>
    }
}
