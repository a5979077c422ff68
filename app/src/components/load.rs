//! What stands where data is to come: while it comes, and when it does not.

use leptos::prelude::*;
use leptos_router::components::A;
use leptos_router::hooks::use_params_map;

use crate::components::flash::Notice;
use crate::components::flash::Tone;
use crate::components::form::here;
use crate::ctx;
use crate::error::AppError;
use crate::pages::not_found::NotFound;
use crate::wire::load;
use crate::words;

/// Stands for what is still on its way. The server waits for everything, so nobody should see it.
#[component]
pub fn Loading() -> impl IntoView {
    view! { <p class="loading muted" role="status">{words::components::LOADING}</p> }
}

/// Why there is nothing to show, and what to do.
#[component]
pub fn Failed(error: AppError) -> impl IntoView {
    match error {
        AppError::NotFound => NotFound().into_any(),
        AppError::Unauthenticated => view! { <SignInFirst/> }.into_any(),
        error => {
            let here = here();
            view! {
                <Notice tone=Tone::Bad>
                    <p>{error.to_string()}</p>
                    <p><a href=here rel="external">{words::components::LOAD_THE_PAGE_AGAIN}</a></p>
                </Notice>
            }
            .into_any()
        }
    }
}

/// Nothing is there, which is no failure: says why, and what to do about it.
#[component]
pub fn Empty(title: &'static str, children: Children) -> impl IntoView {
    view! {
        <div class="empty">
            <p class="empty__title">{title}</p>
            {children()}
        </div>
    }
}

/// The page, for those who are signed in; for others the way to sign in and back here.
#[component]
pub fn Members(children: ChildrenFn) -> impl IntoView {
    if ctx::viewer().is_some() {
        children().into_any()
    } else {
        view! { <SignInFirst/> }.into_any()
    }
}

/// The page of one thing, which the address names, for those who are signed in.
pub fn one<T, F>(
    asked: impl Fn(String) -> F + Copy + Send + Sync + 'static,
    page: impl Fn(T) -> AnyView + Copy + Send + Sync + 'static,
) -> impl IntoView
where
    T: Clone + Send + Sync + 'static,
    F: Future<Output = Result<T, AppError>> + Send + 'static,
{
    let shown = move || {
        let name = use_params_map().with_untracked(|params| params.get("name").unwrap_or_default());
        load(asked(name)).show(page)
    };
    view! { <Members>{shown()}</Members> }
}

#[component]
fn SignInFirst() -> impl IntoView {
    if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
        response.set_status(http::StatusCode::UNAUTHORIZED);
    }
    let href = format!("/sign-in?next={}", crate::url::encode(&here()));
    view! {
        <section class="page page--narrow">
            <h1>{words::components::SIGN_IN_TO_GO_ON}</h1>
            <p class="lead">{words::components::WHY_SIGN_IN}</p>
            <p><A href=href attr:class="button button--primary">{words::components::SIGN_IN}</A></p>
        </section>
    }
}
