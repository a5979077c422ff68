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
use crate::words;

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
                <h1>{words::activate::OPEN_THE_LINK}</h1>
                <p class="lead">{words::activate::WHERE_IT_LEADS}</p>
            </section>
        }
    });
    let link = link.unwrap_or_default();
    view! {
        <Title text=words::activate::YOUR_PROFILE/>
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
                    <h1>{words::activate::NOT_FROM_HERE}</h1>
                    <Notice tone=Tone::Bad><p>{why}</p></Notice>
                </section>
            }
            .into_any();
        }
    };
    let why = match seen.state {
        ActivationState::Open => return open(seen, link).into_any(),
        ActivationState::Used => words::activate::WAS_USED,
        ActivationState::Ended => words::activate::WAS_TAKEN_BACK,
        ActivationState::Expired => words::activate::TIME_IS_OVER,
    };
    status(http::StatusCode::GONE);
    view! {
        <section class="page page--narrow">
            <h1>{words::activate::GIVES_NOTHING}</h1>
            <p class="lead">{why}</p>
            <p>{words::activate::ASK_FOR_ANOTHER}</p>
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
            <h1>{words::activate::YOUR_PROFILE_FOR}<span class="code">{seen.recipient.to_string()}</span></h1>
            <p class="lead">{words::activate::what_it_is_for(&seen.team)}</p>
            <Problems problems/>
            // Not looked at again after the download: whoever has just used the link would read that it is used up.
            <form class="form" method="post" action=PATH>
                <input type="hidden" name="link" value=link/>
                <p>{words::activate::KEEP_IT_LIKE_A_PASSWORD}</p>
                <div class="actions"><Button weight=Weight::Primary><Icon name="down"/>{words::activate::DOWNLOAD_THE_PROFILE}</Button></div>
            </form>
            <p class="muted">{words::activate::GOOD_UNTIL_USED}<Ago at=seen.expires_at/>"."</p>
        </section>
    }
}
