//! Rates of routes, and prices of compute and storage.

use std::collections::BTreeSet;

use model::{Nano, Timestamp};
use serde_saphyr::Location as At;

use super::super::file::{File, RateEntry, ServiceRateEntry, Text};
use super::super::wanted::{WantedRate, WantedServiceRate};
use super::{Checker, Place};
use crate::billing::check_side;

impl Checker {
    pub(super) fn rates(&mut self, file: &File) -> Vec<WantedRate> {
        let mut rates = Vec::new();
        let mut known = BTreeSet::new();
        for (index, entry) in file.rates.iter().flatten().enumerate() {
            let place = Place::item("rates", index, entry.referenced);
            if let Some(rate) = self.rate(&place, &entry.value) {
                self.once(&place, &mut known, rate.name());
                rates.push(rate);
            }
        }
        // A later rate ends an open one before it, so they are made in the order of time.
        rates.sort_by(|one, other| {
            (&one.from, &one.to, one.valid_from).cmp(&(&other.from, &other.to, other.valid_from))
        });
        rates
    }

    fn rate(&mut self, place: &Place, entry: &RateEntry) -> Option<WantedRate> {
        let from = self.side(place, "from", &entry.from);
        let to = self.side(place, "to", &entry.to);
        let price = self.price(place, &entry.price);
        let unit = self.must(place, "unit", &entry.unit);
        let currency = self.must(place, "currency", &entry.currency);
        let period = self.period(place, &entry.valid_from, &entry.valid_until);
        let source = self.must_text(place, "source", &entry.source, 1..=500, false);
        let (valid_from, valid_until) = period?;
        Some(WantedRate {
            from: from?,
            to: to?,
            price: price?,
            unit: unit?,
            currency: currency?,
            valid_from,
            valid_until,
            source: source?,
        })
    }

    pub(super) fn service_rates(&mut self, file: &File) -> Vec<WantedServiceRate> {
        let mut rates = Vec::new();
        let mut known = BTreeSet::new();
        for (index, entry) in file.service_rates.iter().flatten().enumerate() {
            let place = Place::item("service_rates", index, entry.referenced);
            if let Some(rate) = self.service_rate(&place, &entry.value) {
                self.once(&place, &mut known, rate.name());
                rates.push(rate);
            }
        }
        rates.sort_by(|one, other| {
            (&one.kind, one.valid_from).cmp(&(&other.kind, other.valid_from))
        });
        rates
    }

    fn service_rate(
        &mut self,
        place: &Place,
        entry: &ServiceRateEntry,
    ) -> Option<WantedServiceRate> {
        let kind = self.must_text(place, "kind", &entry.kind, 1..=64, false);
        let known = kind
            .as_deref()
            .is_none_or(|kind| matches!(kind, "compute" | "storage"));
        if !known {
            let at = entry.kind.as_ref().map_or(place.at, |kind| kind.referenced);
            self.fail(place, "kind", at, "use compute or storage");
        }
        let price = self.price(place, &entry.price);
        let currency = self.must(place, "currency", &entry.currency);
        let period = self.period(place, &entry.valid_from, &entry.valid_until);
        let source = self.must_text(place, "source", &entry.source, 1..=500, false);
        let (valid_from, valid_until) = period?;
        Some(WantedServiceRate {
            kind: kind?,
            price: price?,
            currency: currency?,
            valid_from,
            valid_until,
            source: source?,
        })
    }

    fn once(&mut self, place: &Place, known: &mut BTreeSet<String>, name: String) {
        if !known.insert(name) {
            self.fail(
                place,
                "valid_from",
                place.at,
                "another rate of this file begins at the same instant for the same",
            );
        }
    }

    fn side(&mut self, place: &Place, field: &str, text: &Option<Text>) -> Option<String> {
        let Some(text) = text else {
            self.missing(place, field);
            return None;
        };
        let (cloud, region) = self
            .by_form(place, text.referenced, |check| {
                check_side(check, field, &text.value)
            })
            .flatten()?;
        Some(format!("{cloud}:{region}"))
    }

    fn price(&mut self, place: &Place, text: &Option<Text>) -> Option<Nano> {
        let price: Nano = self.must(place, "price", text)?;
        if price.0 < 0 {
            let at = text.as_ref().map_or(At::UNKNOWN, |text| text.referenced);
            self.fail(place, "price", at, "from 0");
            return None;
        }
        Some(price)
    }

    fn period(
        &mut self,
        place: &Place,
        from: &Option<Text>,
        until: &Option<Text>,
    ) -> Option<(Timestamp, Option<Timestamp>)> {
        let valid_from: Option<Timestamp> = self.must(place, "valid_from", from);
        let valid_until: Option<Timestamp> = self.word(place, "valid_until", until);
        if let (Some(from), Some(until), Some(text)) = (valid_from, valid_until, until)
            && until <= from
        {
            self.fail(
                place,
                "valid_until",
                text.referenced,
                "must be later than valid_from",
            );
        }
        Some((valid_from?, valid_until))
    }
}
