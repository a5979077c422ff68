//! Changing a product: what it says of itself and its rules; publishing and retiring it, each confirmed by its name.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use model::AccessPolicy;
use model::Classification;
use model::Payer;
use model::ProductState;
use model::dto::ProductDetail;

use super::path;
use crate::api;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::field::Kind;
use crate::components::field::Select;
use crate::components::flash::Notice;
use crate::components::flash::Tone;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Submit;
use crate::components::load::one;
use crate::components::state;
use crate::components::text_area::TextArea;
use crate::ctx;
use crate::wire;
use crate::words;

const EDIT: &str = "product-edit";
const PUBLISH: &str = "product-publish";
const RETIRE: &str = "product-retire";

#[component]
pub fn Edit() -> impl IntoView {
    one(api::catalog::product, |product| whole(product).into_any())
}

fn whole(product: ProductDetail) -> impl IntoView {
    let heading = words::product::change(&product.title);
    let href = path(product.name.as_str());
    let (crumb, title) = (product.title.clone(), product.title.clone());
    view! {
        <Title text=heading/>
        <section class="page">
            <p class="crumbs"><A href="/catalog">{words::catalog::CATALOG}</A><A href=href>{crumb}</A></p>
            <div class="page-head"><h1>{words::product::CHANGE}<bdi>{title}</bdi></h1></div>
            {forms(product)}
        </section>
    }
}

fn forms(product: ProductDetail) -> AnyView {
    if !product.editable {
        return view! {
            <Notice tone=Tone::Plain>
                <p>{words::product::ASK_PRODUCERS_TO_CHANGE_IT}<bdi>{product.team_title}</bdi>"."</p>
            </Notice>
        }
        .into_any();
    }
    if product.state == ProductState::Retired {
        return view! { <Notice tone=Tone::Plain><p>{words::product::RETIRED_STAYS}</p></Notice> }
            .into_any();
    }
    let publish = (product.state == ProductState::Draft).then(|| publish(&product));
    let retire = retire(&product);
    view! {
        {publish}
        {edit(product)}
        {retire}
    }
    .into_any()
}

fn edit(product: ProductDetail) -> impl IntoView {
    let action = wire::form::<api::catalog::UpdateProduct>();
    let is_draft = product.state == ProductState::Draft;
    let name = product.name.to_string();
    let draft_name = is_draft.then(|| name.clone());
    let classifications = Classification::ALL.iter().map(|word| {
        let title = state::classification(*word).0;
        (word.as_str().to_owned(), title.to_owned())
    });
    let policies = [
        (AccessPolicy::Owner, words::product::A_PRODUCER),
        (AccessPolicy::Auto, words::product::NOBODY),
    ];
    let policies = policies.map(|(word, title)| (word.as_str().to_owned(), title.to_owned()));
    let payers = [
        (Payer::Producer, words::product::THE_OWNING_TEAM),
        (Payer::Consumer, words::product::WHOEVER_READS),
    ];
    let payers = payers.map(|(word, title)| (word.as_str().to_owned(), title.to_owned()));
    let yaml = super::Tab::Yaml.href(&name);
    view! {
        <section class="block" aria-labelledby="edit">
            <h2 id="edit">{words::product::WHAT_IT_SAYS_AND_ITS_RULES}</h2>
            <p class="muted">
                {words::product::WHAT_A_CHANGE_DOES}
                <A href=yaml>{words::product::ITS_DECLARATION}</A>{words::product::REPLICAS_ON_THEIR_OWN_PAGES}
            </p>
            <Form id=EDIT action class="form form--wide" revision=product.revision>
                <Hidden name="product" value=name/>
                {draft_name.map(|name| view! {
                    <Field label=words::product::NAME name="name" value=Some(name) hint=words::product::NAME_HINT required=true autocomplete="off"/>
                })}
                <Field label=words::product::TITLE name="title" value=Some(product.title) hint=words::product::TITLE_HINT required=true/>
                <TextArea label=words::product::DESCRIPTION name="description" value=product.description rows=8 hint=words::product::DESCRIPTION_HINT/>
                <Field label=words::product::TAGS name="tags" value=Some(product.tags.join(", ")) hint=words::product::TAGS_HINT autocomplete="off"/>
                <Select label=words::product::CLASSIFICATION name="classification" options=classifications.collect() value=Some(product.classification.as_str().to_owned()) hint=words::product::CLASSIFICATION_HINT/>
                <Select label=words::product::WHO_DECIDES name="access_policy" options=policies.to_vec() value=Some(product.access_policy.as_str().to_owned())/>
                <Select label=words::product::WHO_PAYS name="payer" options=payers.to_vec() value=Some(product.payer.as_str().to_owned())/>
                <Field label=words::product::BASELINE name="baseline_days" kind=Kind::Number value=Some(product.baseline_days.to_string()) min=Some("1".to_owned()) hint=words::product::BASELINE_HINT required=true/>
                <div class="actions"><Submit>{words::product::SAVE}</Submit></div>
            </Form>
        </section>
    }
}

fn publish(product: &ProductDetail) -> impl IntoView + use<> {
    let action = wire::form::<api::catalog::PublishProduct>();
    let revision = product.revision.to_string();
    let name = product.name.to_string();
    let label = words::product::write_to_confirm(&name);
    view! {
        <section class="block" aria-labelledby="publish">
            <h2 id="publish">{words::product::PUBLISH_IT}</h2>
            <p class="muted">{words::product::WHAT_PUBLISHING_DOES}</p>
            <Form id=PUBLISH action class="form">
                <Hidden name="product" value=name/>
                <Hidden name="revision" value=revision/>
                <Field label name="confirm" required=true autocomplete="off"/>
                <div class="actions"><Submit>{words::product::PUBLISH_IT}</Submit></div>
            </Form>
        </section>
    }
}

fn retire(product: &ProductDetail) -> impl IntoView + use<> {
    let action = wire::form::<api::catalog::RetireProduct>();
    let revision = product.revision.to_string();
    let returned = ctx::flash().is_of(RETIRE);
    let name = product.name.to_string();
    let label = words::product::write_to_confirm(&name);
    view! {
        <section class="block" aria-labelledby="retire">
            <h2 id="retire">{words::product::RETIRE_IT}</h2>
            <details class="fold" open=returned>
                <summary>{words::product::CANNOT_BE_UNDONE}</summary>
                <p class="muted">{words::product::WHAT_RETIRING_DOES}</p>
                <Form id=RETIRE action class="form">
                    <Hidden name="product" value=name/>
                    <Hidden name="revision" value=revision/>
                    <TextArea label=words::product::WHY name="reason" hint=words::product::RETIRE_REASON_HINT rows=2 required=true/>
                    <Field label name="confirm" required=true autocomplete="off"/>
                    <div class="actions"><Submit weight=Weight::Danger>{words::product::RETIRE_IT}</Submit></div>
                </Form>
            </details>
        </section>
    }
}
