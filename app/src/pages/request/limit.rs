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
        let text = words::limit::of_today(
            &words::bytes(grant.live_bytes_today),
            &words::bytes(per_day),
        );
        if is_near(grant) {
            view! { <span class="secondary"><Badge tone=Tone::Warn>{text}</Badge></span> }
                .into_any()
        } else {
            view! { <span class="muted secondary">{text}</span> }.into_any()
        }
    });
    let late = grant.stale_since.map(|at| {
        view! { <span class="secondary"><Badge tone=Tone::Warn>{words::limit::LATE_SINCE}<Ago at/></Badge></span> }
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
        (Mode::Live, Some(per_day)) => words::limit::at_most(&per_day, &today),
        (Mode::Live, None) => words::limit::any_number(&today),
        (Mode::Replica, Some(per_day)) => words::limit::at_the_source_while_late(&per_day, &today),
        (Mode::Replica, None) => words::limit::REPLICA_ONLY.to_owned(),
    };
    let near = is_near(grant).then(|| {
        let text = if grant
            .live_bytes_per_day
            .is_some_and(|per_day| grant.live_bytes_today >= per_day)
        {
            words::limit::USED_UP
        } else {
            words::limit::NEARLY_USED_UP
        };
        view! { <Notice tone=Tone::Warn><p>{text}</p></Notice> }
    });
    let late = grant.stale_since.map(|at| {
        view! {
            <Notice tone=Tone::Warn>
                <p>{words::limit::IS_LATE}<Ago at/>{words::limit::IS_NOT_DONE}</p>
            </Notice>
        }
    });
    let form = grant.may_limit.then(|| {
        let action = wire::form::<api::access::LimitGrant>();
        let id = grant.id.to_string();
        let revision = grant.revision;
        let value = grant.live_bytes_per_day.map(|bytes| bytes.to_string());
        let label = match grant.mode {
            Mode::Live => words::limit::BYTES_A_DAY,
            Mode::Replica => words::limit::BYTES_A_DAY_AT_THE_SOURCE,
        };
        view! {
            <Form id="limit" action revision stay=true>
                <Hidden name="grant" value=id/>
                <Field
                    label
                    name="live_bytes_per_day"
                    value
                    hint=words::limit::BYTES_A_DAY_HINT
                    autocomplete="off"
                />
                <div class="actions"><Submit>{words::limit::KEEP}</Submit></div>
            </Form>
        }
    });
    view! {
        <section class="card" aria-labelledby="bytes">
            <h2 id="bytes">{words::limit::BYTES_A_DAY}</h2>
            {late}
            {near}
            <p>{said}</p>
            {form}
        </section>
    }
}
