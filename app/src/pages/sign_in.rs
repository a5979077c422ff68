//! Signing in. The form posts to the server's own `POST /sign-in` (fields `name`, `password`, `next`), which sends
//! back here with a flash when it refuses.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_location;

use crate::components::button::Button;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::field::Kind;
use crate::components::flash::Notice;
use crate::components::flash::Tone;
use crate::ctx;
use crate::islands::icon::Icon;
use crate::next;
use crate::url;
use crate::words;

/// The server's own route to the provider.
const PROVIDER: &str = "/sign-in/oidc";

/// The form in a flash: this page shows what is wrong with it itself.
pub const FORM: &str = "sign-in";

#[component]
pub fn SignIn() -> impl IntoView {
    let query = url::pairs(&use_location().search.get_untracked());
    let target = query
        .iter()
        .find(|(name, _)| name == "next")
        .and_then(|(_, next)| next::local_path(next).map(str::to_owned));
    view! {
        <Title text=words::sign_in::SIGN_IN/>
        <section class="page page--narrow">
            <h1>{words::sign_in::SIGN_IN}</h1>
            {match ctx::viewer() {
                Some(viewer) => already(viewer.name, target.unwrap_or_else(|| "/".to_owned())).into_any(),
                None => form(target).into_any(),
            }}
        </section>
    }
}

fn form(target: Option<String>) -> impl IntoView {
    let flash = ctx::flash();
    let name = flash.value("name").filter(|name| !name.is_empty());
    let knows_name = name.is_some();
    let provider = ctx::provider();
    // By a provider a first sign-in makes the account, or says what to ask for.
    let is_by_name_alone = provider.is_none();
    // One button is the main one.
    let (weight, focus) = match provider {
        Some(_) => (Weight::Secondary, false),
        None => (Weight::Primary, true),
    };
    let way = url::with_query(PROVIDER, [("next", target.as_deref().unwrap_or_default())]);
    view! {
        {flash.error("").map(|text| view! { <Notice tone=Tone::Bad>{text}</Notice> })}
        {provider
            .map(|title| {
                view! {
                    <p><a class=Weight::Primary.class() href=way>{title}</a></p>
                    <p class="muted">{words::sign_in::OR_WITH_A_NAME}</p>
                }
            })}
        <form class="card form" method="post" action="/sign-in">
            {target.map(|target| view! { <input type="hidden" name="next" value=target/> })}
            <Field
                label=words::sign_in::NAME
                name="name"
                value=name
                error=flash.error("name")
                autocomplete="username"
                required=true
                autofocus=focus && !knows_name
            />
            <Field
                label=words::sign_in::PASSWORD
                name="password"
                kind=Kind::Password
                error=flash.error("password")
                autocomplete="current-password"
                required=true
                autofocus=knows_name
            />
            <div class="actions">
                <Button weight=weight>{words::sign_in::SIGN_IN}</Button>
            </div>
        </form>
        {is_by_name_alone
            .then(|| {
                view! {
                    <p class="muted">{words::sign_in::NO_ACCOUNT_YET}</p>
                }
            })}
    }
}

fn already(name: String, target: String) -> impl IntoView {
    view! {
        <p class="lead">{words::sign_in::SIGNED_IN_AS}<strong>{name}</strong>"."</p>
        <p><A href=target attr:class="button button--primary">{words::sign_in::GO_ON}<Icon name="right"/></A></p>
    }
}
