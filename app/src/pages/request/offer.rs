//! Both ways of reading side by side, priced and dated, as a choice.

use leptos::prelude::*;
use model::Mode;
use model::dto::ModeOffer;
use model::dto::Money;
use model::dto::Offer;

use crate::components::form::Scope;
use crate::components::time::Ago;
use crate::words;

/// The mode that is chosen beforehand: what can be had, and of two what costs less by the month.
pub(super) fn better(offer: &Offer) -> Option<Mode> {
    let open: Vec<&ModeOffer> = offer
        .modes
        .iter()
        .filter(|offer| offer.why_not.is_none())
        .collect();
    let priced = open
        .iter()
        .filter_map(|offer| monthly(offer).map(|money| (money.amount, offer.mode)))
        .min_by_key(|(amount, _)| *amount);
    match priced {
        Some((_, mode)) => Some(mode),
        None => open.first().map(|offer| offer.mode),
    }
}

/// What a month is charged: the transfer. Storage is told for comparison and stands on no statement. None where no price is
/// known.
pub(crate) fn monthly(offer: &ModeOffer) -> Option<Money> {
    offer.month_transfer
}

/// Radio buttons of the field `mode`, each with what it means.
#[component]
pub fn Modes(offer: Offer, #[prop(optional_no_strip)] chosen: Option<Mode>) -> impl IntoView {
    let scope = use_context::<Scope>();
    let typed = scope
        .as_ref()
        .and_then(|scope| scope.value("mode"))
        .and_then(|word| word.parse().ok());
    let chosen = typed.or(chosen).or_else(|| better(&offer));
    let error = scope.and_then(|scope| scope.error("mode"));
    let modes = offer
        .modes
        .into_iter()
        .map(|offer| one(offer, chosen))
        .collect_view();
    view! {
        <fieldset class="choice">
            <legend class="field__label">{words::request::HOW_TO_READ}</legend>
            <div class="choice__options">{modes}</div>
            {error.map(|error| view! { <p class="field__error">{error}</p> })}
        </fieldset>
    }
}

fn one(offer: ModeOffer, chosen: Option<Mode>) -> impl IntoView {
    let (title, meaning) = match offer.mode {
        Mode::Live => (words::request::LIVE, words::request::WHAT_LIVE_MEANS),
        Mode::Replica => (words::request::REPLICA, words::request::WHAT_REPLICA_MEANS),
    };
    let is_open = offer.why_not.is_none();
    let is_chosen = is_open && chosen == Some(offer.mode);
    let month = monthly(&offer);
    let synced = offer.synced_at;
    let title_id = format!("mode-{}", offer.mode.as_str());
    let labelled_by = title_id.clone();
    view! {
        <label class="option" class:option--closed=!is_open>
            <span class="option__head">
                <input
                    type="radio"
                    aria-labelledby=labelled_by
                    name=Scope::name("mode")
                    value=offer.mode.as_str()
                    checked=is_chosen
                    disabled=!is_open
                    required=true
                />
                <span class="option__title" id=title_id>{title}</span>
                <span class="option__price">{priced(month)}<span class="muted">{words::request::A_MONTH}</span></span>
            </span>
            <span class="option__meaning">{meaning}</span>
            {offer.why_not.clone().map(|why| view! {
                <span class="reason">{words::request::CANNOT_BE_HAD}{words::sentence(&why)}</span>
            })}
            <span class="option__facts">
                {fact(words::request::FRESHNESS, words::sentence(&offer.freshness))}
                {synced.map(|at| view! {
                    <span class="option__fact"><span class="muted">{words::request::LAST_SYNCED}</span><Ago at/></span>
                })}
                {fact(words::request::FIRST_COPY, first_copy(&offer))}
                {fact(words::request::TRANSFER, words::request::bytes_for(offer.month_bytes, &priced(offer.month_transfer)))}
                {(offer.month_storage_bytes > 0).then(|| {
                    fact(words::request::STORAGE, words::request::bytes_for_not_charged(offer.month_storage_bytes, &priced(offer.month_storage)))
                })}
                {fact(words::request::RECKONED_ON, words::sentence(&offer.basis))}
            </span>
        </label>
    }
}

fn fact(title: &'static str, text: String) -> impl IntoView {
    view! { <span class="option__fact"><span class="muted">{title}</span><span>{text}</span></span> }
}

pub(crate) fn priced(money: Option<Money>) -> String {
    money.map_or_else(|| words::request::NO_KNOWN_PRICE.to_owned(), words::money)
}

pub(crate) fn first_copy(offer: &ModeOffer) -> String {
    match (offer.mode, offer.first_copy_bytes) {
        (Mode::Live, _) => words::request::NO_FIRST_COPY.to_owned(),
        (Mode::Replica, 0) => words::request::COPY_IS_THERE.to_owned(),
        (Mode::Replica, bytes) => words::request::bytes_for_once(bytes, &priced(offer.first_copy)),
    }
}

#[cfg(test)]
mod tests {
    use model::Micro;

    use super::*;

    fn dollars(amount: i64) -> Option<Money> {
        Some(Money {
            amount: Micro(amount * 1_000_000),
            currency: "USD".parse().unwrap(),
        })
    }

    fn mode(mode: Mode, transfer: Option<Money>, storage: Option<Money>) -> ModeOffer {
        ModeOffer {
            mode,
            why_not: None,
            first_copy_bytes: 0,
            month_bytes: 1,
            month_storage_bytes: u64::from(storage.is_some()),
            first_copy: None,
            month_transfer: transfer,
            month_storage: storage,
            basis: String::new(),
            committed_at: None,
            synced_at: None,
            freshness: "at once".to_owned(),
        }
    }

    fn offer(modes: Vec<ModeOffer>) -> Offer {
        Offer {
            product: "vehicle-visits".parse().unwrap(),
            recipient: "rnd_weu".parse().unwrap(),
            cut: None,
            as_of: model::Timestamp::default(),
            stages: vec![],
            payer: "aftersales".parse().unwrap(),
            cost_center: "4711".to_owned(),
            modes,
            already: Vec::new(),
        }
    }

    #[test]
    fn the_cheaper_one_that_can_be_had_is_chosen() {
        let live = mode(Mode::Live, dollars(9), dollars(0));
        let replica = mode(Mode::Replica, dollars(2), dollars(1));
        let both = offer(vec![live.clone(), replica.clone()]);
        assert_eq!(better(&both), Some(Mode::Replica));
        let closed = ModeOffer {
            why_not: Some("no storage there".to_owned()),
            ..replica
        };
        assert_eq!(better(&offer(vec![live, closed.clone()])), Some(Mode::Live));
        assert_eq!(better(&offer(vec![closed])), None);
        let unknown = mode(Mode::Live, None, None);
        assert_eq!(better(&offer(vec![unknown])), Some(Mode::Live));
    }

    #[test]
    fn what_is_not_known_is_not_guessed_and_storage_is_not_charged() {
        assert_eq!(monthly(&mode(Mode::Live, None, dollars(1))), None);
        assert_eq!(
            monthly(&mode(Mode::Replica, dollars(4), dollars(1))),
            dollars(4)
        );
    }
}
