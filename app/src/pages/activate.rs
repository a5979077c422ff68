//! Where a link to a profile leads: what it gives, and the button that takes it. Without an account, and without JavaScript. Looking
//! uses nothing up, for mail programs and chats look at links, too.

use leptos::prelude::*;
use leptos_meta::Meta;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use model::dto::ActivationSeen;
use model::dto::ActivationState;

use crate::api;
use crate::api::ways::LinkSeen;
use crate::components::button::Button;
use crate::components::button::Weight;
use crate::components::flash::Notice;
use crate::components::flash::Problems;
use crate::components::flash::Tone;
use crate::components::time::Ago;
use crate::ctx;
use crate::islands::icon::Icon;
use crate::wire::load_if;

/// The page, and where its form is sent to.
pub const PATH: &str = "/activate";

/// Its form, in a flash.
pub const FORM: &str = "activate";

#[component]
pub fn Activate() -> impl IntoView {
    let link = use_query_map().with_untracked(|query| query.get("link"));
    let seen = load_if(link.clone().map(api::ways::activation));
    let missing = link.is_none().then(|| {
        view! {
            <section class="page page--narrow">
                <h1>"Open the link that you were sent"</h1>
                <p class="lead">"It leads here and gives you a profile to read with. Copy all of it: some programs break long links."</p>
            </section>
        }
    });
    let link = link.unwrap_or_default();
    view! {
        <Title text="Your profile"/>
        <Meta name="robots" content="noindex, nofollow"/>
        {missing}
        {seen.show(move |seen| shown(seen, link.clone()).into_any())}
    }
}

fn status(status: http::StatusCode) {
    if let Some(response) = use_context::<leptos_axum::ResponseOptions>() {
        response.set_status(status);
    }
}

fn shown(seen: LinkSeen, link: String) -> impl IntoView {
    let seen = match seen {
        LinkSeen::There(seen) => seen,
        LinkSeen::Refused(why) => {
            status(http::StatusCode::FORBIDDEN);
            return view! {
                <section class="page page--narrow">
                    <h1>"Not from here"</h1>
                    <Notice tone=Tone::Bad><p>{why}</p></Notice>
                </section>
            }
            .into_any();
        }
    };
    let why = match seen.state {
        ActivationState::Open => return open(seen, link).into_any(),
        ActivationState::Used => {
            "The profile was downloaded with this link already. If that was not you, tell whoever sent it at once: they can revoke the credential."
        }
        ActivationState::Ended => "This link was taken back, or another one was made after it.",
        ActivationState::Expired => "The time of this link is over.",
    };
    status(http::StatusCode::GONE);
    view! {
        <section class="page page--narrow">
            <h1>"This link gives nothing any more"</h1>
            <p class="lead">{why}</p>
            <p>"Ask whoever sent it for another one."</p>
        </section>
    }
    .into_any()
}

fn open(seen: ActivationSeen, link: String) -> impl IntoView {
    let flash = ctx::flash();
    let problems = if flash.is_of(FORM) {
        flash.field_errors()
    } else {
        Vec::new()
    };
    view! {
        <section class="page page--narrow">
            <h1>"Your profile for "<span class="code">{seen.recipient.to_string()}</span></h1>
            <p class="lead">{format!("With this file the machines of the team {} read what was granted to them.", seen.team)}</p>
            <Problems problems/>
            // Not looked at again after the download: whoever has just used the link would read that it is used up.
            <form class="form" method="post" action=PATH>
                <input type="hidden" name="link" value=link/>
                <p>"It can be downloaded once. It holds the only copy of a credential: keep it like a password, and put it where the machines find it and nobody else does."</p>
                <div class="actions"><Button weight=Weight::Primary><Icon name="down"/>"Download the profile"</Button></div>
            </form>
            <p class="muted">"The link is good until it is used; it ends "<Ago at=seen.expires_at/>"."</p>
        </section>
    }
}
