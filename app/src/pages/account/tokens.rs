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

/// The page, and where its form is sent to.
pub const PATH: &str = "/account/tokens";

/// The form of a new token, in a flash.
pub const NEW: &str = "token-new";

#[component]
pub fn Tokens() -> impl IntoView {
    view! {
        <Title text="Your tokens"/>
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
            <Head path=PATH title="Your tokens"/>
            {made.map(|made| view! { <Made made/> })}
            <p class="muted">"A program that calls the REST interface or the command line signs in with a token instead of your password."</p>
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
            <h2 id="made">"Copy it now"</h2>
            <p>"This is the only time that the token is shown. Keep it like a password."</p>
            <div class="code-block">
                <pre class="secret" tabindex="0" role="region" aria-label="The new token"><code>{made.0.to_string()}</code></pre>
            </div>
            <p class="muted">"The command line takes it from "<span class="code">"ENTREPOT_TOKEN"</span>", the REST interface as "<span class="code">"Authorization: Bearer"</span>"."</p>
        </section>
    }
}

fn list(tokens: Listed<Token>, is_first: bool) -> impl IntoView {
    if tokens.items.is_empty() {
        return view! {
            <Empty title="No token yet"><p>"Make one for each program, so that each can be ended alone."</p></Empty>
        }
        .into_any();
    }
    let rows = tokens.items.into_iter().map(row).collect_view();
    let head = vec![
        Column::Text("Token"),
        Column::Text("Acts as"),
        Column::Text("Made"),
        Column::Text("State"),
        Column::Text("What to do"),
    ];
    view! {
        <Table caption="Your tokens" head>{rows}</Table>
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
        (Some(team), Some(role)) => format!("{} of {team}", state::member(role)),
        _ => "you".to_owned(),
    };
    let state = match token.revoked_at {
        Some(at) => {
            view! { <Badge tone=Tone::Plain>"Revoked"</Badge><span class="secondary muted"><Ago at/></span> }
                .into_any()
        }
        None if is_over => {
            view! { <Badge tone=Tone::Plain>"Over"</Badge><span class="secondary muted"><Ago at=token.expires_at/></span> }
                .into_any()
        }
        None => {
            view! { <Badge tone=Tone::Good>"Lives"</Badge><span class="secondary muted">"until "<Day at=token.expires_at/></span> }
                .into_any()
        }
    };
    let name = token.name.clone();
    let end = lives.then(|| revoke(token.id.to_string(), name));
    view! {
        <tr>
            <th scope="row">{token.name}<span class="secondary muted">"ends in "<span class="code">{token.hint}</span></span></th>
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
    let button = format!("Revoke {name}");
    let label = format!("Write {name} to confirm");
    view! {
        <details class="fold" open=returned>
            <summary>"Revoke"<span class="visually-hidden">" "{name}</span></summary>
            <Form id=form action stay=true>
                <Hidden name="token" value=id/>
                <p>"Whatever uses it is refused at once. It cannot be had back; you can make another."</p>
                <Field label name="confirm" required=true autocomplete="off"/>
                <div class="actions"><Submit weight=Weight::Danger>{button}</Submit></div>
            </Form>
        </details>
    }
}

/// Whom a token may act as: word in the form, and what it is called.
fn choices(viewer: Option<Viewer>) -> Vec<(String, String)> {
    let mut choices = vec![(String::new(), "You, with all that you may do".to_owned())];
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
            <summary>"Make a token"</summary>
            <form class="form form--grid" id=NEW method="post" action=PATH>
                // Browsers that fill in what stood here before would send an old one.
                <input type="hidden" name="once" value=once autocomplete="off"/>
                <Field label="What it is for" name="name" value=typed("name") error=wrong("name") hint="For example nightly report." required=true autocomplete="off"/>
                <Select
                    label="Acts as"
                    name="acts_as"
                    options=choices(ctx::viewer())
                    value=typed("acts_as")
                    error=wrong("team").or_else(|| wrong("role"))
                    hint="Give it no more than it needs."
                />
                <Field
                    label="Days until it ends"
                    name="days"
                    kind=Kind::Number
                    value=typed("days").or(Some("90".to_owned()))
                    error=wrong("days")
                    min=Some("1".to_owned())
                    max=Some("365".to_owned())
                    required=true
                />
                <div class="actions"><Button weight=Weight::Primary>"Make the token"</Button></div>
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
