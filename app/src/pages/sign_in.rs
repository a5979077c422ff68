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

/// What a refused sign-in says, the same for an unknown name and a wrong password (control C-55). The server puts
/// it into the flash as the error of the whole form.
pub const REFUSED: &str = "The name or the password is not right.";

/// What became of a way to the provider of identities and back.
pub const UNREACHABLE: &str = "The company account cannot be asked at the moment. Try again in a minute, or sign in with a name and a password of this exchange.";
pub const STALE: &str = "This sign-in was not begun in this browser, was used already, or took more than ten minutes. Please begin again.";
pub const SENT_BACK: &str = "The company account did not let you through. Please begin again, or ask those who look after company accounts.";
pub const NOT_TRUSTED: &str = "What came back from the company account could not be trusted, so nobody was signed in. Please begin again; should it come back, tell an administrator, who finds the reason in the server's log.";
pub const CLOSED: &str =
    "Your account at this exchange is closed. Please ask an administrator of this exchange.";
/// Before what the provider calls the person.
pub const NOT_YET: &str = "You have no account at this exchange yet. Ask an administrator to make one, and to link it to this identifier of your company account:";

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
                    <p class="muted">"Or with a name and a password of this exchange:"</p>
                }
            })}
        <form class="card form" method="post" action="/sign-in">
            {target.map(|target| view! { <input type="hidden" name="next" value=target/> })}
            <Field
                label="Name"
                name="name"
                value=name
                error=flash.error("name")
                autocomplete="username"
                required=true
                autofocus=focus && !knows_name
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
                <Button weight=weight>"Sign in"</Button>
            </div>
        </form>
        {is_by_name_alone
            .then(|| {
                view! {
                    <p class="muted">"No account yet? An administrator of this exchange makes one for you."</p>
                }
            })}
    }
}

fn already(name: String, target: String) -> impl IntoView {
    view! {
        <p class="lead">"You are signed in as "<strong>{name}</strong>"."</p>
        <p><A href=target attr:class="button button--primary">"Go on"<Icon name="right"/></A></p>
    }
}
