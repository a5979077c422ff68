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

const EDIT: &str = "product-edit";
const PUBLISH: &str = "product-publish";
const RETIRE: &str = "product-retire";

#[component]
pub fn Edit() -> impl IntoView {
    one(api::catalog::product, |product| whole(product).into_any())
}

fn whole(product: ProductDetail) -> impl IntoView {
    let heading = format!("Change {}", product.title);
    let href = path(product.name.as_str());
    let (crumb, title) = (product.title.clone(), product.title.clone());
    view! {
        <Title text=heading/>
        <section class="page">
            <p class="crumbs"><A href="/catalog">"Catalog"</A><A href=href>{crumb}</A></p>
            <div class="page-head"><h1>"Change "<bdi>{title}</bdi></h1></div>
            {forms(product)}
        </section>
    }
}

fn forms(product: ProductDetail) -> AnyView {
    if !product.editable {
        return view! {
            <Notice tone=Tone::Plain>
                <p>"Producers of the owning team change a product. What you would like otherwise, ask them: "<bdi>{product.team_title}</bdi>"."</p>
            </Notice>
        }
        .into_any();
    }
    if product.state == ProductState::Retired {
        return view! { <Notice tone=Tone::Plain><p>"A retired product stays as it is."</p></Notice> }
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
        (AccessPolicy::Owner, "A producer of the owning team"),
        (AccessPolicy::Auto, "Nobody: whoever asks gets it at once"),
    ];
    let policies = policies.map(|(word, title)| (word.as_str().to_owned(), title.to_owned()));
    let payers = [
        (Payer::Producer, "The owning team"),
        (Payer::Consumer, "Whoever reads"),
    ];
    let payers = payers.map(|(word, title)| (word.as_str().to_owned(), title.to_owned()));
    let yaml = super::Tab::Yaml.href(&name);
    view! {
        <section class="block" aria-labelledby="edit">
            <h2 id="edit">"What it says and its rules"</h2>
            <p class="muted">
                "Requests that wait are to be looked at again when its rules or its price change. Its tables, and how they may be read, are changed by "
                <A href=yaml>"its declaration"</A>"; how fresh replicas are kept, on their own pages."
            </p>
            <Form id=EDIT action class="form form--wide" revision=product.revision>
                <Hidden name="product" value=name/>
                {draft_name.map(|name| view! {
                    <Field label="Name" name="name" value=Some(name) hint="Begins with the domain’s name; fixed once it is published." required=true autocomplete="off"/>
                })}
                <Field label="Title" name="title" value=Some(product.title) hint="What people search for." required=true/>
                <TextArea label="Description" name="description" value=product.description rows=8 hint="What is in it, what it is good for, and what it is not. An empty line begins a paragraph."/>
                <Field label="Tags" name="tags" value=Some(product.tags.join(", ")) hint="With commas between them." autocomplete="off"/>
                <Select label="Classification" name="classification" options=classifications.collect() value=Some(product.classification.as_str().to_owned()) hint="Of personal data a data-protection officer decides, too."/>
                <Select label="Who decides on requests" name="access_policy" options=policies.to_vec() value=Some(product.access_policy.as_str().to_owned())/>
                <Select label="Who pays for what crosses a border" name="payer" options=payers.to_vec() value=Some(product.payer.as_str().to_owned())/>
                <Field label="Baseline" name="baseline_days" kind=Kind::Number value=Some(product.baseline_days.to_string()) min=Some("1".to_owned()) hint="Days between two full loads that savings are measured against." required=true/>
                <div class="actions"><Submit>"Save"</Submit></div>
            </Form>
        </section>
    }
}

fn publish(product: &ProductDetail) -> impl IntoView + use<> {
    let action = wire::form::<api::catalog::PublishProduct>();
    let revision = product.revision.to_string();
    let name = product.name.to_string();
    let label = format!("Write {name} to confirm");
    view! {
        <section class="block" aria-labelledby="publish">
            <h2 id="publish">"Publish it"</h2>
            <p class="muted">"Everybody finds it then and may ask for it. Its name and where its tables are stay as they are from then on."</p>
            <Form id=PUBLISH action class="form">
                <Hidden name="product" value=name/>
                <Hidden name="revision" value=revision/>
                <Field label name="confirm" required=true autocomplete="off"/>
                <div class="actions"><Submit>"Publish it"</Submit></div>
            </Form>
        </section>
    }
}

fn retire(product: &ProductDetail) -> impl IntoView + use<> {
    let action = wire::form::<api::catalog::RetireProduct>();
    let revision = product.revision.to_string();
    let returned = ctx::flash().is_of(RETIRE);
    let name = product.name.to_string();
    let label = format!("Write {name} to confirm");
    view! {
        <section class="block" aria-labelledby="retire">
            <h2 id="retire">"Retire it"</h2>
            <details class="fold" open=returned>
                <summary>"This cannot be undone"</summary>
                <p class="muted">"Nobody can ask for it any more, and requests that wait are rejected with your reason. Grants are revoked first."</p>
                <Form id=RETIRE action class="form">
                    <Hidden name="product" value=name/>
                    <Hidden name="revision" value=revision/>
                    <TextArea label="Why" name="reason" hint="Those whose requests wait read it." rows=2 required=true/>
                    <Field label name="confirm" required=true autocomplete="off"/>
                    <div class="actions"><Submit weight=Weight::Danger>"Retire it"</Submit></div>
                </Form>
            </details>
        </section>
    }
}
