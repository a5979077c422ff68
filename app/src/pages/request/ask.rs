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
use model::dto::Already;
use model::dto::Cut;
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
use crate::pages::product::cuts::content;
use crate::pages::request::offer::Modes;
use crate::wire;
use crate::wire::Loaded;
use crate::wire::load;
use crate::words;

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
    let (wanted, cut, mode) = query.with_untracked(|query| {
        let mode = query
            .get_str("mode")
            .and_then(|word| word.parse::<Mode>().ok());
        (query.get("recipient"), query.get("cut"), mode)
    });
    let product = load(api::catalog::product(name.clone()));
    let terms = load(api::access::terms(name, wanted, cut));
    view! {
        <Title text=words::request::ASK_FOR_ACCESS/>
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
            <p class="crumbs"><A href="/catalog">{words::catalog::CATALOG}</A><A href=back>{product.title}</A></p>
            <div class="page-head">
                <h1>{words::request::ASK_FOR_ACCESS_TO}<bdi>{title}</bdi></h1>
            </div>
            {if !is_open {
                view! {
                    <Notice tone=Tone::Warn>
                        <p>{words::request::NOT_PUBLISHED}</p>
                    </Notice>
                }.into_any()
            } else if !is_of_a_team {
                view! {
                    <Notice tone=Tone::Warn>
                        <p>{words::request::YOU_BELONG_TO_NO_TEAM}</p>
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
    let cut = terms.cut;
    let named = cut.as_ref().map(|cut| cut.name.to_string());
    let choice = (!has_none).then(|| {
        let cuts = cuts(&terms.cuts, named.as_deref());
        choose(product, &terms.recipients, chosen.as_deref(), cuts)
    });
    let another = terms.are_more.then(|| by_name(product, named));
    let already = terms.offer.as_ref().map(|offer| already(&offer.already));
    let form = terms.offer.map(|offer| form(product, offer, cut, mode));
    view! {
        <section class="block" aria-labelledby="who-reads">
            <h2 id="who-reads">{words::request::WHO_READS_IT}</h2>
            {choice}
            {another}
            <Create product=product.to_owned() open=has_none/>
        </section>
        <div id="terms">{already}{form}</div>
    }
}

/// What the recipient's side has of the same tables, so that nobody asks for it twice.
fn already(already: &[Already]) -> impl IntoView + use<> {
    let items = already
        .iter()
        .map(|already| {
            let href = format!("/products/{}", already.product);
            view! {
                <li>{already.sentence.clone()}" "<A href=href>{words::request::LOOK_AT_IT}</A></li>
            }
        })
        .collect_view();
    (!already.is_empty()).then(|| {
        view! {
            <Notice tone=Tone::Warn>
                <p>{words::request::IS_THERE_ALREADY}</p>
                <ul>{items}</ul>
            </Notice>
        }
    })
}

/// Recipients as a form that only leads to another address: at once, without script by its button.
fn choose<C: IntoView + 'static>(
    product: &str,
    recipients: &[Recipient],
    chosen: Option<&str>,
    cuts: C,
) -> impl IntoView + use<C> {
    let action = format!("/products/{product}/request");
    let options = recipients
        .iter()
        .map(|recipient| {
            let name = recipient.name.to_string();
            let is_chosen = chosen == Some(name.as_str());
            let title = words::request::recipient_of(
                &name,
                &state::place(&recipient.location),
                &recipient.team,
            );
            view! { <option value=name selected=is_chosen>{title}</option> }
        })
        .collect_view();
    view! {
        <form class="pick" method="get" action=action data-part="terms">
            <div class="field">
                <label class="field__label" for="recipient">{words::request::RECIPIENT}</label>
                <p class="field__hint" id="recipient-hint">
                    {words::request::RECIPIENT_HINT}
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
            {cuts}
            <noscript><button class="button" type="submit">{words::request::SHOW_PRICES}</button></noscript>
        </form>
    }
}

/// The whole product, or which cut of it; nothing where it has none.
fn cuts(cuts: &[Cut], chosen: Option<&str>) -> Option<impl IntoView + use<>> {
    if cuts.is_empty() {
        return None;
    }
    let options = cuts
        .iter()
        .map(|cut| {
            let name = cut.name.to_string();
            let is_chosen = chosen == Some(name.as_str());
            let title = words::request::cut_with_summary(&name, &cut.summary());
            view! { <option value=name selected=is_chosen>{title}</option> }
        })
        .collect_view();
    let is_whole = chosen.is_none();
    Some(view! {
        <div class="field">
            <label class="field__label" for="cut">{words::cuts::HOW_MUCH}</label>
            <p class="field__hint" id="cut-hint">{words::cuts::HOW_MUCH_HINT}</p>
            <select class="input" id="cut" name="cut" aria-describedby="cut-hint">
                <option value="" selected=is_whole>{words::cuts::WHOLE_PRODUCT}</option>
                {options}
            </select>
        </div>
    })
}

/// Where there are too many to choose from.
fn by_name(product: &str, cut: Option<String>) -> impl IntoView + use<> {
    let action = format!("/products/{product}/request");
    view! {
        <form class="form form--grid" method="get" action=action>
            {cut.map(|cut| view! { <input type="hidden" name="cut" value=cut/> })}
            <Field label=words::request::NAME_OF_ANOTHER name="recipient" hint=words::request::NAME_OF_ANOTHER_HINT required=true autocomplete="off"/>
            <div class="actions"><Button>{words::request::TAKE_THIS_ONE}</Button></div>
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
            <summary>{if open { words::request::MAKE_YOUR_FIRST_RECIPIENT } else { words::request::MAKE_ANOTHER_RECIPIENT }}</summary>
            <Form id="recipient-new" action class="form form--grid">
                <Hidden name="product" value=product/>
                <Field label=words::request::NAME name="name" hint=words::request::NAME_HINT required=true autocomplete="off"/>
                <Select label=words::request::TEAM name="team" options=teams/>
                <Select label=words::request::CLOUD name="cloud" options=clouds/>
                <Field label=words::request::REGION name="region" hint=words::request::REGION_HINT required=true autocomplete="off"/>
                <div class="actions"><Submit weight=Weight::Secondary>{words::request::MAKE_THE_RECIPIENT}</Submit></div>
            </Form>
        </details>
    }
}

fn form(
    product: &str,
    offer: Offer,
    cut: Option<Cut>,
    mode: Option<Mode>,
) -> impl IntoView + use<> {
    let given = cut.map(|cut| {
        let name = cut.name.to_string();
        let content = content(&name, &cut.tables);
        view! {
            <Hidden name="cut" value=name/>
            <h2>{words::cuts::WHAT_IT_GIVES}</h2>
            <p>{words::cuts::BY_REPLICA_ALONE}</p>
            {content}
        }
    });
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
                {given}
                <h2>{words::request::HOW}</h2>
                <Modes offer chosen=mode/>
                <h2>{words::request::WHAT_FOR}</h2>
                <Field
                    label=words::request::PURPOSE_IN_ONE_WORD
                    name="purpose.code"
                    hint=words::request::PURPOSE_IN_ONE_WORD_HINT
                    suggestions=&words::request::PURPOSES
                    required=true
                    autocomplete="off"
                />
                <TextArea
                    label=words::request::PURPOSE_IN_A_SENTENCE
                    name="purpose.text"
                    hint=words::request::PURPOSE_IN_A_SENTENCE_HINT
                    required=true
                />
                <Field
                    label=words::request::UNTIL
                    name="until"
                    kind=Kind::Date
                    hint=words::request::UNTIL_HINT
                    value=Some(words::day(now.plus(USUALLY)))
                    min=Some(words::day(now.plus(DAY)))
                    max=Some(words::day(now.plus(AT_MOST)))
                    required=true
                />
                <div class="actions">
                    {can_be_had.then(|| view! { <Submit>{words::request::SEND_THE_REQUEST}</Submit> })}
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
                Stage::Policy => words::request::POLICY_GRANTS_IT.to_owned(),
                other => words::request::decided_by(&state::stage(*other)),
            };
            view! { <li>{text}</li> }
        })
        .collect_view();
    view! {
        <aside class="aside" aria-labelledby="next">
            <h2 id="next">{words::request::WHAT_HAPPENS_NEXT}</h2>
            <ol class="numbered">
                <li>{words::request::YOU_SEND_IT}</li>
                {stages}
                <li>{words::request::SET_UP_AND_CHECKED}</li>
                <li>{words::request::YOU_DOWNLOAD_THE_PROFILE}</li>
            </ol>
            <h3>{words::request::WHO_PAYS}</h3>
            <p>
                {words::request::PAID_BY_TEAM}<strong>{offer.payer.to_string()}</strong>{words::request::WITH_COST_CENTRE}
                <span class="code">{offer.cost_center.clone()}</span>"."
            </p>
        </aside>
    }
}
