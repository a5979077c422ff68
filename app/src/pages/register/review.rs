//! The last step: the declaration as text, what publishing it does, and publishing it. What was sent and came back is shown in place of
//! what was filled in.

use leptos::prelude::*;

use super::filled::Filled;
use super::filled::Step;
use super::way;
use crate::api;
use crate::api::declaration::REVIEW;
use crate::components::button::Weight;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Submit;
use crate::components::text_area::TextArea;
use crate::ctx;
use crate::wire;
use crate::words;

const PUBLISH: &str = "publish-declaration";

/// A declaration, and what is known of it.
pub(super) struct Sent {
    yaml: String,
    /// What publishing does, one line each.
    plan: Option<String>,
    /// Of the plan, where it can be carried out.
    hash: Option<String>,
}

impl Sent {
    /// Not sent yet.
    pub(super) fn drafted(yaml: String) -> Self {
        Self {
            yaml,
            plan: None,
            hash: None,
        }
    }
}

/// What a form of this step has left behind. Refused when it was to be published, it is to be planned anew.
pub(super) fn sent() -> Option<Sent> {
    let flash = ctx::flash();
    let is_planned = flash.is_of(REVIEW);
    let yaml = flash
        .value("yaml")
        .filter(|_| is_planned || flash.is_of(PUBLISH))?;
    Some(Sent {
        yaml,
        plan: flash.value("plan").filter(|_| is_planned),
        hash: flash
            .value("hash")
            .filter(|hash| is_planned && !hash.is_empty()),
    })
}

/// One declaration, two forms: the second publishes exactly the plan that the first has shown.
pub(super) fn page(filled: &Filled, sent: Sent) -> impl IntoView + use<> {
    let Sent { yaml, plan, hash } = sent;
    let back = filled
        .get("storage")
        .is_some()
        .then(|| filled.href(Step::Access));
    let lines = plan.map(|plan| {
        plan.lines()
            .map(|line| view! { <li>{line.to_owned()}</li> })
            .collect_view()
    });
    let typed = yaml.clone();
    let to_plan = wire::form::<api::declaration::PlanDeclaration>();
    let to_publish = wire::form::<api::declaration::DeployDeclaration>();
    view! {
        {way(Step::Review, filled)}
        <section class="block" aria-labelledby="step-title">
            <h2 id="step-title">{Step::Review.title()}</h2>
            <p class="muted">
                {words::register::ABOUT_THE_DECLARATION}
                <span class="code">"public, internal"</span>{words::register::OR}<span class="code">"personal"</span>
                {words::register::KEEP_IT_IN_GIT}
            </p>
            // Here, where the address holds what was filled in.
            <Form id=REVIEW action=to_plan stay=true class="form form--wide">
                <TextArea label=words::register::DECLARATION name="yaml" value=typed rows=20 required=true/>
                <div class="actions">
                    <Submit weight=Weight::Secondary>{words::register::SHOW_WHAT_PUBLISHING_DOES}</Submit>
                    {back.map(|href| view! { <a class=Weight::Quiet.class() href=href>{words::register::BACK}</a> })}
                </div>
            </Form>
        </section>
        {lines.map(|lines| view! {
            <section class="block" aria-labelledby="publish">
                <h2 id="publish">{words::register::WHAT_PUBLISHING_DOES}</h2>
                <ul class="plan">{lines}</ul>
                {hash.map(|hash| view! {
                    <Form id=PUBLISH action=to_publish>
                        <Hidden name="yaml" value=yaml/>
                        <Hidden name="hash" value=hash/>
                        <div class="actions"><Submit>{words::register::PUBLISH}</Submit></div>
                    </Form>
                })}
            </section>
        })}
    }
}
