//! Checking a file by itself: what is missing, what is wrong, and references that lead nowhere, all at once. What is live
//! is not looked at.
//!
//! A section that the file has must hold every name that the file refers to; a section that it does not have is taken
//! from what is live when the file is planned.

mod access;
mod money;
mod products;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use model::dto::DeclarationProblem;
use model::{Cloud, Location, Name};
use serde_saphyr::{Location as At, Spanned};

use super::file::{DomainEntry, File, Key, Section, StorageEntry, TeamEntry, Text, problem, read};
use super::wanted::{Named, Wanted, WantedCredential, WantedDomain, WantedStorage, WantedTeam};
use crate::error::{Check, Error};

/// Enough to mend a file by; a file of nothing but mistakes is not answered with as many sentences.
const PROBLEMS_MAX: usize = 200;

/// What the file wants, or all that is wrong with it in the order of its lines.
pub(super) fn check(yaml: &str) -> Result<Wanted, Vec<DeclarationProblem>> {
    let file = read(yaml).map_err(|problem| vec![problem])?;
    let mut checker = Checker::default();
    let wanted = checker.file(&file);
    let mut problems = checker.problems;
    if problems.is_empty() {
        return Ok(wanted);
    }
    problems.sort_by_key(|problem| (problem.line, problem.column));
    problems.truncate(PROBLEMS_MAX);
    Err(problems)
}

#[derive(Default)]
struct Checker {
    problems: Vec<DeclarationProblem>,
}

/// Where in the file something stands.
#[derive(Clone)]
struct Place {
    path: String,
    at: At,
}

impl Place {
    fn of(section: &str, key: &Key) -> Self {
        Self {
            path: format!(
                "{section}.{}",
                key.0.value.chars().take(128).collect::<String>()
            ),
            at: key.0.referenced,
        }
    }

    fn item(list: &str, index: usize, at: At) -> Self {
        Self {
            path: format!("{list}[{index}]"),
            at,
        }
    }
}

impl Checker {
    fn file(&mut self, file: &File) -> Wanted {
        Wanted {
            exchange: file.exchange.as_ref().and_then(|entry| {
                let place = Place {
                    path: "exchange".to_owned(),
                    at: entry.referenced,
                };
                self.must(&place, "name", &entry.value.name)
            }),
            domains: self.section("domains", &file.domains, |checker, place, entry| {
                checker.domain(place, entry)
            }),
            teams: self.section("teams", &file.teams, |checker, place, entry| {
                checker.team(place, entry, file)
            }),
            storages: self.section("storages", &file.storages, |checker, place, entry| {
                checker.storage(place, entry)
            }),
            products: self.products(file),
            recipients: self.section("recipients", &file.recipients, |checker, place, entry| {
                checker.recipient(place, entry, file)
            }),
            grants: self.grants(file),
            sync_jobs: self.sync_jobs(file),
            rates: self.rates(file),
            service_rates: self.service_rates(file),
        }
    }

    fn domain(&mut self, place: &Place, entry: &DomainEntry) -> Option<WantedDomain> {
        let title = self.must_text(place, "title", &entry.title, 1..=200, false);
        let description = self.text(place, "description", &entry.description, 0..=10_000, true);
        Some(WantedDomain {
            title: title?,
            description,
        })
    }

    fn team(&mut self, place: &Place, entry: &TeamEntry, file: &File) -> Option<WantedTeam> {
        let domain = self.must(place, "domain", &entry.domain);
        self.refer(place, "domain", &entry.domain, &file.domains);
        let title = self.must_text(place, "title", &entry.title, 1..=200, false);
        let cost_center = self.text(place, "cost_center", &entry.cost_center, 0..=64, false);
        let contact = self.text(place, "contact", &entry.contact, 0..=200, false);
        Some(WantedTeam {
            domain: domain?,
            title: title?,
            cost_center,
            contact,
        })
    }

    fn storage(&mut self, place: &Place, entry: &StorageEntry) -> Option<WantedStorage> {
        let location = self.location(place, &entry.cloud, &entry.region);
        let url = self.must_text(place, "url", &entry.url, 1..=1_024, false);
        let endpoint = self.text(place, "endpoint", &entry.endpoint, 0..=1_024, false);
        let credential = entry.credential.as_ref().and_then(|text| {
            match text.value.strip_prefix("env:") {
                _ if text.value == "sealed" => Some(WantedCredential::Sealed),
                Some(name) if is_credential_variable(name) => {
                    Some(WantedCredential::Environment(name.to_owned()))
                }
                // Whatever stands there is not repeated: it might be the secret.
                _ => {
                    self.fail(
                        place,
                        "credential",
                        text.referenced,
                        "use env:ENTREPOT_CREDENTIAL_… (A-Z, 0-9 and _), or sealed for one that the exchange holds \
                         already; a declaration holds no secrets",
                    );
                    None
                }
            }
        });
        Some(WantedStorage {
            location: location?,
            url: url?,
            endpoint,
            credential,
            replicas: entry.replicas,
        })
    }

    /// Each entry of a section under its parsed name; an entry that is wrong is left out, and said.
    fn section<N: FromStr<Err: Display> + Ord, T, W>(
        &mut self,
        name: &str,
        section: &Section<T>,
        mut check: impl FnMut(&mut Self, &Place, &T) -> Option<W>,
    ) -> Named<N, W> {
        let section = section.as_ref()?;
        let mut checked = BTreeMap::new();
        for (key, entry) in section {
            let place = Place::of(name, key);
            let name: Option<N> = self.parsed(&place.path, key.0.referenced, &key.0.value);
            if let (Some(wanted), Some(name)) = (check(self, &place, entry), name) {
                checked.insert(name, wanted);
            }
        }
        Some(checked)
    }

    /// A reference into a section of the same file.
    fn refer<T>(&mut self, place: &Place, field: &str, text: &Option<Text>, section: &Section<T>) {
        let (Some(text), Some(section)) = (text, section) else {
            return;
        };
        if !section.contains_key(&Key(text.clone())) {
            self.fail(
                place,
                field,
                text.referenced,
                format!(
                    "`{}` is not in this file's section; add it there, or leave the section out to mean what is live",
                    text.value.chars().take(128).collect::<String>()
                ),
            );
        }
    }

    fn fail(&mut self, place: &Place, field: &str, at: At, message: impl Into<String>) {
        self.problems.push(problem(
            &format!("{}.{field}", place.path),
            Some(at),
            message,
        ));
    }

    fn missing(&mut self, place: &Place, field: &str) {
        self.fail(place, field, place.at, "missing");
    }

    fn parsed<T: FromStr<Err: Display>>(&mut self, path: &str, at: At, text: &str) -> Option<T> {
        text.parse()
            .map_err(|error: T::Err| {
                self.problems
                    .push(problem(path, Some(at), error.to_string()));
            })
            .ok()
    }

    /// An optional word.
    fn word<T: FromStr<Err: Display>>(
        &mut self,
        place: &Place,
        field: &str,
        text: &Option<Text>,
    ) -> Option<T> {
        let text = text.as_ref()?;
        self.parsed(
            &format!("{}.{field}", place.path),
            text.referenced,
            &text.value,
        )
    }

    fn must<T: FromStr<Err: Display>>(
        &mut self,
        place: &Place,
        field: &str,
        text: &Option<Text>,
    ) -> Option<T> {
        if text.is_none() {
            self.missing(place, field);
        }
        self.word(place, field, text)
    }

    /// An optional text, by the same rule as in forms.
    fn text(
        &mut self,
        place: &Place,
        field: &str,
        text: &Option<Text>,
        length: RangeInclusive<usize>,
        lines: bool,
    ) -> Option<String> {
        let text = text.as_ref()?;
        let (min, max) = length.into_inner();
        self.by_form(place, text.referenced, |check| {
            check.text(field, &text.value, min, max, lines)
        })
    }

    fn must_text(
        &mut self,
        place: &Place,
        field: &str,
        text: &Option<Text>,
        length: RangeInclusive<usize>,
        lines: bool,
    ) -> Option<String> {
        if text.is_none() {
            self.missing(place, field);
        }
        self.text(place, field, text, length, lines)
    }

    /// Runs a rule that forms have; its field names go on from the place's.
    fn by_form<T>(
        &mut self,
        place: &Place,
        at: At,
        rule: impl FnOnce(&mut Check) -> T,
    ) -> Option<T> {
        let mut check = Check::new();
        let value = rule(&mut check);
        match check.done() {
            Ok(()) => Some(value),
            Err(Error::Invalid(fields)) => {
                for field in fields {
                    self.fail(place, &field.field, at, field.message);
                }
                None
            }
            Err(other) => {
                self.fail(place, "", at, other.to_string());
                None
            }
        }
    }

    fn number(
        &mut self,
        place: &Place,
        field: &str,
        number: &Option<Spanned<i64>>,
        range: RangeInclusive<i64>,
    ) -> Option<i64> {
        let number = number.as_ref()?;
        if range.contains(&number.value) {
            return Some(number.value);
        }
        let (from, to) = range.into_inner();
        self.fail(
            place,
            field,
            number.referenced,
            format!("from {from} to {to}"),
        );
        None
    }

    fn location(
        &mut self,
        place: &Place,
        cloud: &Option<Text>,
        region: &Option<Text>,
    ) -> Option<Location> {
        let parsed: Option<Cloud> = self.must(place, "cloud", cloud);
        let Some(region) = region else {
            self.missing(place, "region");
            return None;
        };
        // The region's rule is the same in every cloud, so both mistakes are said at once.
        match Location::new(parsed.unwrap_or(Cloud::Onprem), &region.value) {
            Ok(location) => parsed.map(|_| location),
            Err(error) => {
                self.fail(place, "region", region.referenced, error.to_string());
                None
            }
        }
    }
}

/// Nothing else of the process's environment is ever read for a storage (C-23).
fn is_credential_variable(name: &str) -> bool {
    name.strip_prefix("ENTREPOT_CREDENTIAL_")
        .is_some_and(|rest| {
            (1..=64).contains(&rest.len())
                && rest
                    .bytes()
                    .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        })
}

/// The text of a reference, as a name, without saying again what is wrong with it.
fn name_of(text: &Option<Text>) -> Option<Name> {
    text.as_ref()?.value.parse().ok()
}
