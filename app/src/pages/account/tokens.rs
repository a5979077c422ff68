//! The tokens of one's own machines: what there is, another one, and the end of one. A token is shown on the page that answers its
//! making, and never again.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use model::MemberRole;
use model::ServiceTokenId;
use model::dto::Token;

use super::Head;
use crate::api;
use crate::api::Listed;
use crate::components::badge::Badge;
use crate::components::button::Button;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::field::Kind;
use crate::components::field::Select;
use crate::components::flash::Tone;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Submit;
use crate::components::load::Empty;
use crate::components::load::Members;
use crate::components::pager::Pager;
use crate::components::state;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::time::Ago;
use crate::components::time::Day;
use crate::ctx;
use crate::ctx::MadeToken;
use crate::ctx::Viewer;
use crate::url;
use crate::wire;
use crate::wire::load;
use crate::words;

/// The page, and where its form is sent to.
pub const PATH: &str = "/account/tokens";

/// The form of a new token, in a flash.
pub const NEW: &str = "token-new";

#[component]
pub fn Tokens() -> impl IntoView {
    view! {
        <Title text=words::account::YOUR_TOKENS/>
        <Members><Shown/></Members>
    }
}

#[component]
fn Shown() -> impl IntoView {
    let after = use_query_map().with_untracked(|query| query.get("after"));
    let is_first = after.is_none();
    let tokens = load(api::people::tokens(after));
    let made = use_context::<MadeToken>();
    view! {
        <section class="page">
            <Head path=PATH title=words::account::YOUR_TOKENS/>
            {made.map(|made| view! { <Made made/> })}
            <p class="muted">{words::account::WHAT_TOKENS_ARE_FOR}</p>
            {tokens.show(move |tokens| list(tokens, is_first).into_any())}
            <Add/>
        </section>
    }
}

/// No island: its properties would stand in the page a second time.
#[component]
fn Made(made: MadeToken) -> impl IntoView {
    view! {
        <section class="card read" aria-labelledby="made">
            <h2 id="made">{words::account::COPY_IT_NOW}</h2>
            <p>{words::account::TOKEN_IS_SHOWN_ONCE}</p>
            <div class="code-block">
                <pre class="secret" tabindex="0" role="region" aria-label=words::account::THE_NEW_TOKEN><code>{made.0.to_string()}</code></pre>
            </div>
            <p class="muted">{words::account::COMMAND_LINE_TAKES_IT_FROM}<span class="code">"ENTREPOT_TOKEN"</span>{words::account::REST_INTERFACE_TAKES_IT_AS}<span class="code">"Authorization: Bearer"</span>"."</p>
        </section>
    }
}

fn list(tokens: Listed<Token>, is_first: bool) -> impl IntoView {
    if tokens.items.is_empty() {
        return view! {
            <Empty title=words::account::NO_TOKEN_YET><p>{words::account::ONE_TOKEN_FOR_EACH_PROGRAM}</p></Empty>
        }
        .into_any();
    }
    let rows = tokens.items.into_iter().map(row).collect_view();
    let head = vec![
        Column::Text(words::account::TOKEN),
        Column::Text(words::account::ACTS_AS),
        Column::Text(words::account::MADE),
        Column::Text(words::account::STATE),
        Column::Text(words::account::WHAT_TO_DO),
    ];
    view! {
        <Table caption=words::account::YOUR_TOKENS head>{rows}</Table>
        <Pager
            first=(!is_first).then(|| PATH.to_owned())
            next=tokens.next.map(|after| url::with_query(PATH, [("after", after.as_str())]))
        />
    }
    .into_any()
}

fn row(token: Token) -> impl IntoView {
    let now = ctx::now();
    let is_over = token.expires_at <= now;
    let lives = token.revoked_at.is_none() && !is_over;
    let acts = match (&token.team, token.role) {
        (Some(team), Some(role)) => words::account::role_in_team(&state::member(role), &team),
        _ => words::account::YOU.to_owned(),
    };
    let state = match token.revoked_at {
        Some(at) => {
            view! { <Badge tone=Tone::Plain>{words::account::REVOKED}</Badge><span class="secondary muted"><Ago at/></span> }
                .into_any()
        }
        None if is_over => {
            view! { <Badge tone=Tone::Plain>{words::account::OVER}</Badge><span class="secondary muted"><Ago at=token.expires_at/></span> }
                .into_any()
        }
        None => {
            view! { <Badge tone=Tone::Good>{words::account::LIVES}</Badge><span class="secondary muted">{words::account::UNTIL}<Day at=token.expires_at/></span> }
                .into_any()
        }
    };
    let name = token.name.clone();
    let end = lives.then(|| revoke(token.id.to_string(), name));
    view! {
        <tr>
            <th scope="row">{token.name}<span class="secondary muted">{words::account::ENDS_IN}<span class="code">{token.hint}</span></span></th>
            <td>{acts}</td>
            <td><Day at=token.created_at/></td>
            <td>{state}</td>
            <td>{end}</td>
        </tr>
    }
}

fn revoke(id: String, name: String) -> impl IntoView {
    let action = wire::form::<api::people::RevokeToken>();
    let form = format!("revoke-{id}");
    let returned = ctx::flash().is_of(&form);
    let button = words::account::revoke_by_name(&name);
    let label = words::account::write_to_confirm(&name);
    view! {
        <details class="fold" open=returned>
            <summary>{words::account::REVOKE}<span class="visually-hidden">" "{name}</span></summary>
            <Form id=form action stay=true>
                <Hidden name="token" value=id/>
                <p>{words::account::WHAT_REVOKING_DOES}</p>
                <Field label name="confirm" required=true autocomplete="off"/>
                <div class="actions"><Submit weight=Weight::Danger>{button}</Submit></div>
            </Form>
        </details>
    }
}

/// Whom a token may act as: word in the form, and what it is called.
fn choices(viewer: Option<Viewer>) -> Vec<(String, String)> {
    let mut choices = vec![(
        String::new(),
        words::account::YOU_WITH_ALL_YOU_MAY_DO.to_owned(),
    )];
    for team in viewer.map(|viewer| viewer.teams).unwrap_or_default() {
        let held = MemberRole::ALL.iter().filter(|role| **role <= team.role);
        choices.extend(held.map(|role| {
            let word = format!("{}:{role}", team.team);
            (word, format!("{}, {}", team.title, state::member(*role)))
        }));
    }
    choices
}

#[component]
fn Add() -> impl IntoView {
    let flash = ctx::flash();
    let returned = flash.is_of(NEW);
    let typed = |field: &str| flash.value(field).filter(|_| returned);
    let wrong = |field: &str| flash.error(field).filter(|_| returned);
    let once = ServiceTokenId::new(ctx::now()).to_string();
    view! {
        <details class="fold" open=returned>
            <summary>{words::account::MAKE_A_TOKEN}</summary>
            <form class="form form--grid" id=NEW method="post" action=PATH>
                // Browsers that fill in what stood here before would send an old one.
                <input type="hidden" name="once" value=once autocomplete="off"/>
                <Field label=words::account::WHAT_IT_IS_FOR name="name" value=typed("name") error=wrong("name") hint=words::account::PURPOSE_HINT required=true autocomplete="off"/>
                <Select
                    label=words::account::ACTS_AS
                    name="acts_as"
                    options=choices(ctx::viewer())
                    value=typed("acts_as")
                    error=wrong("team").or_else(|| wrong("role"))
                    hint=words::account::ACTS_AS_HINT
                />
                <Field
                    label=words::account::DAYS_UNTIL_IT_ENDS
                    name="days"
                    kind=Kind::Number
                    value=typed("days").or(Some("90".to_owned()))
                    error=wrong("days")
                    min=Some("1".to_owned())
                    max=Some("365".to_owned())
                    required=true
                />
                <div class="actions"><Button weight=Weight::Primary>{words::account::MAKE_THE_TOKEN}</Button></div>
            </form>
        </details>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ctx::Membership;

    #[test]
    fn a_token_is_offered_no_more_than_its_person_holds() {
        let of = |team: &str, role| Membership {
            team: team.to_owned(),
            title: team.to_uppercase(),
            role,
        };
        let viewer = Viewer {
            name: "mara".to_owned(),
            teams: vec![
                of("rnd", MemberRole::Consumer),
                of("parts", MemberRole::Producer),
            ],
            roles: Vec::new(),
        };
        let words: Vec<String> = choices(Some(viewer))
            .into_iter()
            .map(|(word, _)| word)
            .collect();
        assert_eq!(
            words,
            ["", "rnd:consumer", "parts:consumer", "parts:producer"]
        );
    }

    #[test]
    fn a_made_token_is_not_printed() {
        assert_eq!(format!("{:?}", MadeToken("entrepot_st_x".into())), "****");
    }
}
