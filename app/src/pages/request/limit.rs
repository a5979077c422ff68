//! How many bytes of the producer's own files an access hands out in a day, how many it has today, and the form to say otherwise.

use leptos::prelude::*;
use model::Mode;
use model::dto::Grant;

use crate::api;
use crate::components::badge::Badge;
use crate::components::field::Field;
use crate::components::flash::Notice;
use crate::components::flash::Tone;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Submit;
use crate::components::time::Ago;
use crate::wire;
use crate::words;

/// From this part of the day's bytes on it is warned, in percent, as in mail.
const WARN_PERCENT: u128 = 80;

fn is_near(grant: &Grant) -> bool {
    grant.live_bytes_per_day.is_some_and(|per_day| {
        u128::from(grant.live_bytes_today) * 100 >= u128::from(per_day) * WARN_PERCENT
    })
}

/// In one line beside a grant, where it has a number or is late.
pub fn brief(grant: &Grant) -> impl IntoView + use<> {
    let today = grant.live_bytes_per_day.map(|per_day| {
        let text = format!(
            "{} of {} today",
            words::bytes(grant.live_bytes_today),
            words::bytes(per_day)
        );
        if is_near(grant) {
            view! { <span class="secondary"><Badge tone=Tone::Warn>{text}</Badge></span> }
                .into_any()
        } else {
            view! { <span class="muted secondary">{text}</span> }.into_any()
        }
    });
    let late = grant.stale_since.map(|at| {
        view! { <span class="secondary"><Badge tone=Tone::Warn>"late since "<Ago at/></Badge></span> }
    });
    view! {
        {today}
        {late}
    }
}

/// The whole of it, on the page of the access.
pub(super) fn limit(grant: &Grant) -> impl IntoView + use<> {
    let today = words::bytes(grant.live_bytes_today);
    let said = match (grant.mode, grant.live_bytes_per_day.map(words::bytes)) {
        (Mode::Live, Some(per_day)) => {
            format!("At most {per_day} are handed out in a day, in UTC; {today} were today.")
        }
        (Mode::Live, None) => format!("Any number may be handed out in a day; {today} were today."),
        (Mode::Replica, Some(per_day)) => format!(
            "The replica is read. While it is late, up to {per_day} a day may be read at the source instead; {today} were today."
        ),
        (Mode::Replica, None) => {
            "The replica is read, also while it is late; nothing is read at the source.".to_owned()
        }
    };
    let near = is_near(grant).then(|| {
        let text = if grant
            .live_bytes_per_day
            .is_some_and(|per_day| grant.live_bytes_today >= per_day)
        {
            "The bytes of today are used up. It begins anew at midnight, in UTC."
        } else {
            "Most of the bytes of today are used up. It begins anew at midnight, in UTC."
        };
        view! { <Notice tone=Tone::Warn><p>{text}</p></Notice> }
    });
    let late = grant.stale_since.map(|at| {
        view! {
            <Notice tone=Tone::Warn>
                <p>"The replica is later than its schedule promises: what was due "<Ago at/>" is not done. Answers of it are marked so."</p>
            </Notice>
        }
    });
    let form = grant.may_limit.then(|| {
        let action = wire::form::<api::access::LimitGrant>();
        let id = grant.id.to_string();
        let revision = grant.revision;
        let value = grant.live_bytes_per_day.map(|bytes| bytes.to_string());
        let label = match grant.mode {
            Mode::Live => "Bytes a day",
            Mode::Replica => "Bytes a day at the source while the replica is late",
        };
        view! {
            <Form id="limit" action revision stay=true>
                <Hidden name="grant" value=id/>
                <Field
                    label
                    name="live_bytes_per_day"
                    value
                    hint="Such as 50 GB. Empty: live access has no limit, and a replica is read as it is."
                    autocomplete="off"
                />
                <div class="actions"><Submit>"Keep"</Submit></div>
            </Form>
        }
    });
    view! {
        <section class="card" aria-labelledby="bytes">
            <h2 id="bytes">"Bytes a day"</h2>
            {late}
            {near}
            <p>{said}</p>
            {form}
        </section>
    }
}
