//! Changing a product: what it says of itself and its rules; publishing and retiring it, each confirmed by its name. What somebody
//! else has changed meanwhile is told field by field, and what was typed stays.

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
use crate::ctx::Flash;
use crate::wire;

const EDIT: &str = "product-edit";
const PUBLISH: &str = "product-publish";
const RETIRE: &str = "product-retire";

/// So much of a long text is told where two are compared.
const TOLD_MAX: usize = 160;

#[component]
pub fn Edit() -> impl IntoView {
    one(api::catalog::product, |product| whole(product).into_any())
}

fn whole(product: ProductDetail) -> impl IntoView {
    let heading = format!("Change {}", product.title);
    let href = path(product.name.as_str());
    let crumb = product.title.clone();
    let title = heading.clone();
    view! {
        <Title text=title/>
        <section class="page">
            <p class="crumbs"><A href="/catalog">"Catalog"</A><A href=href>{crumb}</A></p>
            <div class="page-head"><h1>{heading}</h1></div>
            {forms(product)}
        </section>
    }
}

fn forms(product: ProductDetail) -> AnyView {
    if !product.editable {
        return view! {
            <Notice tone=Tone::Plain>
                <p>"Producers of the owning team change a product. What you would like otherwise, ask them: "{product.team_title}"."</p>
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
        {changed_meanwhile(&product)}
        {publish}
        {edit(product)}
        {retire}
    }
    .into_any()
}

/// A field's title, its name in the form, and its value.
type Said = (&'static str, &'static str, String);

/// What the form shows, in its order; what a draft's name is stands apart.
fn said(product: &ProductDetail) -> [Said; 7] {
    let word = |text: &str| text.to_owned();
    [
        ("Title", "title", product.title.clone()),
        ("Description", "description", product.description.clone()),
        ("Tags", "tags", product.tags.join(", ")),
        (
            "Classification",
            "classification",
            word(product.classification.as_str()),
        ),
        (
            "Who decides",
            "access_policy",
            word(product.access_policy.as_str()),
        ),
        ("Who pays", "payer", word(product.payer.as_str())),
        (
            "Baseline in days",
            "baseline_days",
            product.baseline_days.to_string(),
        ),
    ]
}

/// A sentence for each field that is not what the form was drawn with; one about the rest where it is none of them.
fn differences(flash: &Flash, product: &ProductDetail) -> Vec<String> {
    let seen_revision = flash.value("revision").and_then(|text| text.parse().ok());
    if !flash.is_of(EDIT) || seen_revision.is_none_or(|seen: i64| seen == product.revision) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (title, field, is) in said(product) {
        let Some(seen) = flash.value(&format!("seen.{field}")) else {
            continue;
        };
        if lines(&seen) == lines(&is) {
            continue;
        }
        let mut sentence = format!("{title} was {} and is {} now.", told(&seen), told(&is));
        if let Some(typed) = flash.value(field)
            && lines(&typed) != lines(&seen)
            && lines(&typed) != lines(&is)
        {
            sentence.push_str(&format!(" You wrote {}.", told(&typed)));
        }
        found.push(sentence);
    }
    if found.is_empty() {
        found
            .push("Its tables, its storage or its state changed; none of these fields.".to_owned());
    }
    found
}

/// A browser sends other line ends than it was given.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").trim().to_owned()
}

fn told(text: &str) -> String {
    let text = lines(text);
    if text.is_empty() {
        return "empty".to_owned();
    }
    let mut short: String = text.chars().take(TOLD_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("“{short}”")
}

fn changed_meanwhile(product: &ProductDetail) -> impl IntoView + use<> {
    let found = differences(&ctx::flash(), product);
    (!found.is_empty()).then(|| {
        let items = found
            .into_iter()
            .map(|sentence| view! { <li>{sentence}</li> })
            .collect_view();
        view! {
            <Notice tone=Tone::Warn>
                <p>"Changed meanwhile by somebody else:"</p>
                <ul>{items}</ul>
                <p>"What you wrote stands in the form. Sent again, the form replaces what is there now."</p>
            </Notice>
        }
    })
}

fn edit(product: ProductDetail) -> impl IntoView {
    let action = wire::form::<api::catalog::UpdateProduct>();
    let seen = said(&product)
        .map(|(_, field, value)| {
            view! { <input type="hidden" name=format!("form[seen][{field}]") value=value/> }
        })
        .into_iter()
        .collect_view();
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
            <Form id=EDIT action class="form form--wide">
                <Hidden name="product" value=name/>
                <Hidden name="revision" value=product.revision.to_string()/>
                {seen}
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

#[cfg(test)]
mod tests {
    use model::Cloud;
    use model::Timestamp;
    use model::dto::MyAccess;

    use super::*;

    fn product(title: &str, tags: &[&str]) -> ProductDetail {
        ProductDetail {
            id: "018f3a6e-0000-7000-8000-000000000000".parse().unwrap(),
            name: "vehicle-visits".parse().unwrap(),
            title: title.to_owned(),
            description: "One\n\nTwo".to_owned(),
            domain: "vehicle".parse().unwrap(),
            team: "aftersales".parse().unwrap(),
            team_title: "After-Sales".to_owned(),
            contact: String::new(),
            storage: "aws_eu".parse().unwrap(),
            cloud: Cloud::Aws,
            region: "eu-central-1".to_owned(),
            simulated: false,
            classification: Classification::Internal,
            access_policy: AccessPolicy::Owner,
            payer: Payer::Producer,
            baseline_days: 7,
            state: ProductState::Published,
            access: MyAccess::None,
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            tables: Vec::new(),
            published_at: None,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            editable: true,
            revision: 3,
        }
    }

    /// What a form that was drawn with `seen` sends when only its title was changed.
    fn sent(seen: &ProductDetail, revision: i64, title: &str) -> Flash {
        let mut values = vec![("revision".to_owned(), revision.to_string())];
        for (_, field, value) in said(seen) {
            // As browsers send it.
            let value = value.replace('\n', "\r\n");
            values.push((format!("seen.{field}"), value.clone()));
            let typed = if field == "title" {
                title.to_owned()
            } else {
                value
            };
            values.push((field.to_owned(), typed));
        }
        Flash {
            form: EDIT.to_owned(),
            values,
            ..Flash::default()
        }
    }

    #[test]
    fn what_changed_meanwhile_is_told_field_by_field() {
        let seen = product("Visits", &["a"]);
        let now = product("Workshop visits", &["a", "b"]);
        assert_eq!(
            differences(&sent(&seen, 2, "My visits"), &now),
            [
                "Title was “Visits” and is “Workshop visits” now. You wrote “My visits”.",
                "Tags was “a” and is “a, b” now.",
            ]
        );
        // What was not touched is not put as if it had been.
        assert_eq!(
            differences(&sent(&seen, 2, "Visits"), &product("Other", &["a"])),
            ["Title was “Visits” and is “Other” now."]
        );
    }

    #[test]
    fn a_change_of_something_else_is_told_and_no_change_is_not() {
        let seen = product("Visits", &[]);
        let told = differences(&sent(&seen, 2, "Mine"), &seen);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("Its tables"), "{told:?}");
        assert!(differences(&sent(&seen, 3, "Mine"), &seen).is_empty());
        assert!(differences(&Flash::default(), &seen).is_empty());
    }

    #[test]
    fn long_and_empty_texts_are_told_short() {
        assert_eq!(told(""), "empty");
        assert_eq!(told(&"ä".repeat(500)).chars().count(), TOLD_MAX + 3);
    }
}
