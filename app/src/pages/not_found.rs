//! What does not exist, and what one may not see: both look like this.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;

use crate::islands::icon::Icon;
use crate::words;

#[component]
pub fn NotFound() -> impl IntoView {
    if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
        response.set_status(http::StatusCode::NOT_FOUND);
    }
    view! {
        <Title text=words::not_found::NOT_FOUND/>
        <section class="page page--narrow">
            <p class="stencil">"404"</p>
            <h1>{words::not_found::NOTHING_IS_LANDED_HERE}</h1>
            <p class="lead">
                {words::not_found::WHY_NOTHING_IS_HERE}
            </p>
            <p><A href="/" attr:class="button button--primary">{words::not_found::GO_TO_THE_HOME_PAGE}<Icon name="right"/></A></p>
        </section>
    }
}
