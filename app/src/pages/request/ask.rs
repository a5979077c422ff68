//! The request: for which recipient, how, what for, until when; and beside it what will happen.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_params_map;
use leptos_router::hooks::use_query_map;
use model::Cloud;
use model::Mode;
use model::ProductState;
use model::Stage;
use model::dto::Offer;
use model::dto::ProductDetail;
use model::dto::Recipient;
use model::time::DAY;

use crate::api;
use crate::api::access::Terms;
use crate::components::button::Button;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::field::Kind;
use crate::components::field::Select;
use crate::components::flash::Notice;
use crate::components::flash::Tone;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Submit;
use crate::components::load::Members;
use crate::components::state;
use crate::components::text_area::TextArea;
use crate::ctx;
use crate::pages::request::offer::Modes;
use crate::wire;
use crate::wire::Loaded;
use crate::wire::load;
use crate::words;

/// What others often ask for; any other word will do.
const PURPOSES: [&str; 6] = [
    "analysis",
    "forecast",
    "quality",
    "reporting",
    "training",
    "warranty",
];

/// So long a grant lasts unless asked for otherwise, and at most.
const USUALLY: i64 = 180 * DAY;
const AT_MOST: i64 = 5 * 365 * DAY;

#[component]
pub fn Ask() -> impl IntoView {
    view! { <Members><Shown/></Members> }
}

#[component]
fn Shown() -> impl IntoView {
    let params = use_params_map();
    let query = use_query_map();
    let name = params.with_untracked(|params| params.get("name").unwrap_or_default());
    let (wanted, mode) = query.with_untracked(|query| {
        let mode = query
            .get_str("mode")
            .and_then(|word| word.parse::<Mode>().ok());
        (query.get("recipient"), mode)
    });
    let product = load(api::catalog::product(name.clone()));
    let terms = load(api::access::terms(name, wanted));
    view! {
        <Title text="Ask for access"/>
        {product.show(move |product| page(product, terms, mode).into_any())}
    }
}

fn page(product: ProductDetail, terms: Loaded<Terms>, mode: Option<Mode>) -> impl IntoView {
    let name = product.name.to_string();
    let back = format!("/products/{name}");
    let is_open = product.state == ProductState::Published;
    let title = product.title.clone();
    let is_of_a_team = ctx::viewer().is_some_and(|viewer| !viewer.teams.is_empty());
    view! {
        <section class="page">
            <p class="crumbs"><A href="/catalog">"Catalog"</A><A href=back>{product.title}</A></p>
            <div class="page-head">
                <h1>"Ask for access to "<bdi>{title}</bdi></h1>
            </div>
            {if !is_open {
                view! {
                    <Notice tone=Tone::Warn>
                        <p>"This product is not published, so nobody can ask for it. Its team knows more."</p>
                    </Notice>
                }.into_any()
            } else if !is_of_a_team {
                view! {
                    <Notice tone=Tone::Warn>
                        <p>"Access is given to teams, and you belong to none yet. Ask an administrator to add you to yours."</p>
                    </Notice>
                }.into_any()
            } else {
                terms.show(move |terms| steps(&name, terms, mode).into_any())
            }}
        </section>
    }
}

fn steps(product: &str, terms: Terms, mode: Option<Mode>) -> impl IntoView + use<> {
    let has_none = terms.recipients.is_empty();
    let chosen = terms
        .offer
        .as_ref()
        .map(|offer| offer.recipient.to_string());
    let choice = (!has_none).then(|| choose(product, &terms.recipients, chosen.as_deref()));
    let another = terms.are_more.then(|| by_name(product));
    let form = terms.offer.map(|offer| form(product, offer, mode));
    view! {
        <section class="block" aria-labelledby="who-reads">
            <h2 id="who-reads">"1. Who reads it"</h2>
            {choice}
            {another}
            <Create product=product.to_owned() open=has_none/>
        </section>
        <div id="terms">{form}</div>
    }
}

/// Recipients as a form that only leads to another address: at once, without script by its button.
fn choose(product: &str, recipients: &[Recipient], chosen: Option<&str>) -> impl IntoView + use<> {
    let action = format!("/products/{product}/request");
    let options = recipients
        .iter()
        .map(|recipient| {
            let name = recipient.name.to_string();
            let is_chosen = chosen == Some(name.as_str());
            let title = format!(
                "{name} ({}, of {})",
                state::place(&recipient.location),
                recipient.team
            );
            view! { <option value=name selected=is_chosen>{title}</option> }
        })
        .collect_view();
    view! {
        <form class="pick" method="get" action=action data-part="terms">
            <div class="field">
                <label class="field__label" for="recipient">"Recipient"</label>
                <p class="field__hint" id="recipient-hint">
                    "The machines of a team in one cloud region. Prices depend on where they are."
                </p>
                <select
                    class="input"
                    id="recipient"
                    name="recipient"
                    aria-describedby="recipient-hint"
                >
                    {options}
                </select>
            </div>
            <noscript><button class="button" type="submit">"Show prices"</button></noscript>
        </form>
    }
}

/// Where there are too many to choose from.
fn by_name(product: &str) -> impl IntoView + use<> {
    let action = format!("/products/{product}/request");
    view! {
        <form class="form form--grid" method="get" action=action>
            <Field label="Or the name of another" name="recipient" hint="Your teams have more recipients than are offered above." required=true autocomplete="off"/>
            <div class="actions"><Button>"Take this one"</Button></div>
        </form>
    }
}

#[component]
fn Create(product: String, open: bool) -> impl IntoView {
    let action = wire::form::<api::access::CreateRecipient>();
    let teams: Vec<(String, String)> = ctx::viewer()
        .map(|viewer| viewer.teams)
        .unwrap_or_default()
        .into_iter()
        .map(|team| (team.team, team.title))
        .collect();
    let clouds = Cloud::ALL
        .into_iter()
        .map(|cloud| (cloud.as_str().to_owned(), state::cloud(cloud).to_owned()))
        .collect();
    let returned = ctx::flash().is_of("recipient-new");
    view! {
        <details class="fold" open=open || returned>
            <summary>{if open { "Make your first recipient" } else { "Make another recipient" }}</summary>
            <Form id="recipient-new" action class="form form--grid">
                <Hidden name="product" value=product/>
                <Field label="Name" name="name" hint="Lower case, for example rnd_weu." required=true autocomplete="off"/>
                <Select label="Team" name="team" options=teams/>
                <Select label="Cloud" name="cloud" options=clouds/>
                <Field label="Region" name="region" hint="As the cloud writes it, for example westeurope." required=true autocomplete="off"/>
                <div class="actions"><Submit weight=Weight::Secondary>"Make the recipient"</Submit></div>
            </Form>
        </details>
    }
}

fn form(product: &str, offer: Offer, mode: Option<Mode>) -> impl IntoView + use<> {
    let action = wire::form::<api::access::CreateRequest>();
    let product = product.to_owned();
    let now = ctx::now();
    let recipient = offer.recipient.to_string();
    let aside = next_steps(&offer);
    let can_be_had = offer.modes.iter().any(|mode| mode.why_not.is_none());
    view! {
        <div class="columns columns--form">
            <Form id="request-new" action class="form form--wide">
                <Hidden name="product" value=product/>
                <Hidden name="recipient" value=recipient/>
                <h2>"2. How"</h2>
                <Modes offer chosen=mode/>
                <h2>"3. What for, and until when"</h2>
                <Field
                    label="Purpose, in one word"
                    name="purpose.code"
                    hint="A word of your own or one of those offered; it groups requests."
                    suggestions=&PURPOSES
                    required=true
                    autocomplete="off"
                />
                <TextArea
                    label="Purpose, in a sentence or two"
                    name="purpose.text"
                    hint="Who decides reads this. Say what you want to find out, and for whom."
                    required=true
                />
                <Field
                    label="Until"
                    name="until"
                    kind=Kind::Date
                    hint="Access ends with this day, in UTC. You can renew it before."
                    value=Some(words::day(now.plus(USUALLY)))
                    min=Some(words::day(now.plus(DAY)))
                    max=Some(words::day(now.plus(AT_MOST)))
                    required=true
                />
                <div class="actions">
                    {can_be_had.then(|| view! { <Submit>"Send the request"</Submit> })}
                </div>
            </Form>
            {aside}
        </div>
    }
}

/// What follows, so that nobody has to be told.
fn next_steps(offer: &Offer) -> impl IntoView + use<> {
    let stages = offer
        .stages
        .iter()
        .map(|stage| {
            let text = match stage {
                Stage::Policy => "The product’s policy grants it at once.".to_owned(),
                other => format!("It is decided by {}.", state::stage(*other)),
            };
            view! { <li>{text}</li> }
        })
        .collect_view();
    view! {
        <aside class="aside" aria-labelledby="next">
            <h2 id="next">"What happens next"</h2>
            <ol class="numbered">
                <li>"You send the request; it shows exactly what you see here."</li>
                {stages}
                <li>"It is set up by itself, then checked by reading as you would."</li>
                <li>"You download the profile once, and read with any Delta Sharing client."</li>
            </ol>
            <h3>"Who pays"</h3>
            <p>
                "Team "<strong>{offer.payer.to_string()}</strong>", cost centre "
                <span class="code">{offer.cost_center.clone()}</span>"."
            </p>
        </aside>
    }
}
