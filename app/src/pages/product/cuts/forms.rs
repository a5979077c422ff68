//! The forms that make, change, rotate and retire a cut.

use leptos::prelude::*;
use model::dto::Cut;
use model::dto::ProductDetail;

use super::came_later;
use super::fields::Content;
use crate::api;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Submit;
use crate::components::text_area::TextArea;
use crate::components::tick::Tick;
use crate::ctx;
use crate::wire;
use crate::words;

const NEW: &str = "cut-new";

pub(super) fn make(product: &ProductDetail) -> impl IntoView + use<> {
    let action = wire::form::<api::cuts::CreateCut>();
    let is_open = ctx::flash().is_of(NEW);
    let name = product.name.to_string();
    let tables = product.tables.clone();
    view! {
        <details class="fold" open=is_open>
            <summary>{words::cuts::MAKE_A_CUT}</summary>
            <Form id=NEW action class="form form--wide">
                <Hidden name="product" value=name/>
                <Field label=words::cuts::NAME name="name" hint=words::cuts::NAME_HINT required=true autocomplete="off"/>
                <TextArea label=words::cuts::DESCRIPTION name="description" hint=words::cuts::DESCRIPTION_HINT rows=2/>
                <Content form=NEW.to_owned() tables cut=None/>
                <div class="actions"><Submit>{words::cuts::MAKE_A_CUT}</Submit></div>
            </Form>
        </details>
    }
}

/// What its producers may do with a cut.
pub(super) fn forms(product: &ProductDetail, cut: &Cut) -> impl IntoView + use<> {
    let (name, of) = (cut.name.to_string(), product.name.to_string());
    let change = format!("cut-change-{name}");
    let rotate = format!("cut-rotate-{name}");
    let retire = format!("cut-retire-{name}");
    let revision = cut.revision;
    let has_later = !came_later(cut).is_empty();
    let is_changing = ctx::flash().is_of(&change);
    let is_rotating = ctx::flash().is_of(&rotate);
    let (tables, held) = (product.tables.clone(), cut.clone());
    let description = cut.description.clone();
    let update = wire::form::<api::cuts::UpdateCut>();
    let turn = wire::form::<api::cuts::RotateCut>();
    let end = wire::form::<api::cuts::RetireCut>();
    let fields = change.clone();
    let named = move || {
        let (of, name) = (of.clone(), name.clone());
        view! {
            <Hidden name="product" value=of/>
            <Hidden name="cut" value=name/>
        }
    };
    let (first, second, third) = (named.clone(), named.clone(), named);
    view! {
        <details class="fold" open=is_changing>
            <summary>{words::cuts::CHANGE_IT}</summary>
            <p class="muted">{words::cuts::CHANGE_HINT}</p>
            <Form id=change action=update revision class="form form--wide">
                {first()}
                <TextArea label=words::cuts::DESCRIPTION name="description" value=description hint=words::cuts::DESCRIPTION_HINT rows=2/>
                <Content form=fields tables cut=Some(held)/>
                {has_later.then(|| view! {
                    <Tick label=words::cuts::WITH_LATER name="with_later" hint=words::cuts::WITH_LATER_HINT/>
                })}
                <Tick label=words::cuts::AT_ONCE name="at_once" hint=words::cuts::AT_ONCE_HINT/>
                <div class="actions"><Submit>{words::cuts::KEEP_IT}</Submit></div>
            </Form>
        </details>
        <details class="fold" open=is_rotating>
            <summary>{words::cuts::ANOTHER_KEY}</summary>
            <p class="muted">{words::cuts::ANOTHER_KEY_HINT}</p>
            <Form id=rotate action=turn revision>
                {second()}
                <Tick label=words::cuts::AT_ONCE name="at_once" hint=words::cuts::AT_ONCE_HINT/>
                <div class="actions"><Submit>{words::cuts::ROTATE}</Submit></div>
            </Form>
        </details>
        <details class="fold">
            <summary>{words::cuts::RETIRE}</summary>
            <p class="muted">{words::cuts::RETIRE_HINT}</p>
            <Form id=retire action=end revision>
                {third()}
                <div class="actions"><Submit weight=Weight::Danger>{words::cuts::RETIRE}</Submit></div>
            </Form>
        </details>
    }
}
