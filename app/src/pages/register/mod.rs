//! Registering products, several at once: look for tables in a storage, describe what was found as the declaration that it will be,
//! see what publishing it does, publish it. Each step is a form; what it found comes back in the next.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use model::MemberRole;
use model::Role;

use crate::api;
use crate::api::declaration::REVIEW;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::field::Select;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Submit;
use crate::components::load::Empty;
use crate::components::load::Members;
use crate::components::text_area::TextArea;
use crate::ctx;
use crate::wire;
use crate::wire::load;

const PUBLISH: &str = "publish-declaration";

#[component]
pub fn Register() -> impl IntoView {
    view! {
        <Title text="Register products"/>
        <Members><Shown/></Members>
    }
}

#[component]
fn Shown() -> impl IntoView {
    let storages = load(api::declaration::storages());
    let flash = ctx::flash();
    // Refused when it was to be published, it is to be planned anew.
    let is_planned = flash.is_of(REVIEW);
    let yaml = flash
        .value("yaml")
        .filter(|_| is_planned || flash.is_of(PUBLISH));
    let plan = flash.value("plan").filter(|_| is_planned);
    let hash = flash
        .value("hash")
        .filter(|hash| is_planned && !hash.is_empty());
    view! {
        <section class="page">
            <div class="page-head">
                <h1>"Register products"</h1>
                <p class="lead">"Your tables stay where they are. Say where, describe them, and publish; several at once."</p>
            </div>
            <section class="block" aria-labelledby="where">
                <h2 id="where">"1. Where the tables are"</h2>
                <p class="muted">"Of each "<A href="/admin/storages">"storage"</A>" the doctor says whether it can be read and shared from."</p>
                {storages.show(scan)}
            </section>
            {yaml.map(|yaml| review(yaml, plan, hash))}
        </section>
    }
}

fn scan(storages: Vec<String>) -> AnyView {
    let action = wire::form::<api::declaration::ScanStorage>();
    let storages: Vec<(String, String)> = storages
        .into_iter()
        .map(|name| (name.clone(), name))
        .collect();
    let teams: Vec<(String, String)> = ctx::viewer()
        .map(|viewer| viewer.teams)
        .unwrap_or_default()
        .into_iter()
        .filter(|team| team.role == MemberRole::Producer)
        .map(|team| (team.team, team.title))
        .collect();
    let is_admin = ctx::viewer().is_some_and(|viewer| viewer.is(Role::Admin));
    if teams.is_empty() && !is_admin {
        return view! {
            <Empty title="You are a producer of no team">
                <p>"Producers register their team’s tables. Ask an administrator, or a producer of your team, to make you one."</p>
            </Empty>
        }
        .into_any();
    }
    if storages.is_empty() {
        return view! {
            <Empty title="No storage yet">
                <p>"Tables are registered from storages. Ask an administrator to make one for the place where yours lie."</p>
            </Empty>
        }
        .into_any();
    }
    view! {
        <Form id="scan" action class="form form--grid">
            <Select label="Storage" name="storage" options=storages required=true/>
            <Field label="Folder" name="prefix" hint="Tables below it are found; empty for all of the storage." autocomplete="off"/>
            <Select label="Team that will own them" name="team" options=teams/>
            <div class="actions"><Submit>"Look for tables"</Submit></div>
        </Form>
    }
    .into_any()
}

/// One declaration, two forms: the second publishes exactly the plan that the first has shown.
fn review(yaml: String, plan: Option<String>, hash: Option<String>) -> impl IntoView {
    let lines = plan.map(|plan| {
        plan.lines()
            .map(|line| view! { <li>{line.to_owned()}</li> })
            .collect_view()
    });
    let typed = yaml.clone();
    let to_plan = wire::form::<api::declaration::PlanDeclaration>();
    let to_publish = wire::form::<api::declaration::DeployDeclaration>();
    view! {
        <section class="block" aria-labelledby="describe">
            <h2 id="describe">"2. What they are"</h2>
            <p class="muted">
                "This is the declaration that the products will equal. Give each a title that people search for, a description, a classification ("
                <span class="code">"public, internal"</span>" or "<span class="code">"personal"</span>
                ") and who decides on access. Keep a copy in git and you can deploy changes from there."
            </p>
            <Form id=REVIEW action=to_plan class="form form--wide">
                <TextArea label="Declaration" name="yaml" value=typed rows=20 required=true/>
                <div class="actions"><Submit weight=Weight::Secondary>"Show what publishing does"</Submit></div>
            </Form>
        </section>
        {lines.map(|lines| view! {
            <section class="block" aria-labelledby="publish">
                <h2 id="publish">"3. What publishing does"</h2>
                <ul class="plan">{lines}</ul>
                {hash.map(|hash| view! {
                    <Form id=PUBLISH action=to_publish>
                        <Hidden name="yaml" value=yaml/>
                        <Hidden name="hash" value=hash/>
                        <div class="actions"><Submit>"Publish"</Submit></div>
                    </Form>
                })}
            </section>
        })}
    }
}
