//! What does not exist, and what one may not see: both look like this.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;

use crate::islands::icon::Icon;

#[component]
pub fn NotFound() -> impl IntoView {
    if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
        response.set_status(http::StatusCode::NOT_FOUND);
    }
    view! {
        <Title text="Not found"/>
        <section class="page page--narrow">
            <p class="stencil">"404"</p>
            <h1>"Nothing is landed here"</h1>
            <p class="lead">
                "There is no page at this address, or you may not see it. The link may be old, or a letter may be missing."
            </p>
            <p><A href="/" attr:class="button button--primary">"Go to the home page"<Icon name="right"/></A></p>
        </section>
    }
}
