//! Signing in. The form posts to the server's own `POST /sign-in` (fields `name`, `password`, `next`), which sends
//! back here with a flash when it refuses.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_query_map;

use crate::components::button::Button;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::field::Kind;
use crate::components::flash::Notice;
use crate::components::flash::Tone;
use crate::ctx;
use crate::islands::icon::Icon;
use crate::next;

/// What a refused sign-in says, the same for an unknown name and a wrong password (control C-55). The server puts
/// it into the flash as the error of the whole form.
pub const REFUSED: &str = "The name or the password is not right.";

/// The form in a flash: this page shows what is wrong with it itself.
pub const FORM: &str = "sign-in";

#[component]
pub fn SignIn() -> impl IntoView {
    let query = use_query_map().get_untracked();
    let target = query
        .get("next")
        .and_then(|next| next::local_path(&next).map(str::to_owned));
    view! {
        <Title text="Sign in"/>
        <section class="page page--narrow">
            <h1>"Sign in"</h1>
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
    view! {
        {flash.error("").map(|text| view! { <Notice tone=Tone::Bad>{text}</Notice> })}
        <form class="card form" method="post" action="/sign-in">
            {target.map(|target| view! { <input type="hidden" name="next" value=target/> })}
            <Field
                label="Name"
                name="name"
                value=name
                error=flash.error("name")
                autocomplete="username"
                required=true
                autofocus=!knows_name
            />
            <Field
                label="Password"
                name="password"
                kind=Kind::Password
                error=flash.error("password")
                autocomplete="current-password"
                required=true
                autofocus=knows_name
            />
            <div class="actions">
                <Button weight=Weight::Primary>"Sign in"</Button>
            </div>
        </form>
        <p class="muted">"No account yet? An administrator of this exchange makes one for you."</p>
    }
}

fn already(name: String, target: String) -> impl IntoView {
    view! {
        <p class="lead">"You are signed in as "<strong>{name}</strong>"."</p>
        <p><A href=target attr:class="button button--primary">"Go on"<Icon name="right"/></A></p>
    }
}
