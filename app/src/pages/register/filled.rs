//! What somebody has filled in on the way to a product: it stands in the address, step by step, and becomes a draft of a product. Pure;
//! what is wrong with the draft the declaration's own rules say, and here it is put to the field and the step where it was filled in.

use model::Name;
use model::dto::ProductDraft;
use model::dto::TableDraft;
use model::names::slug;

use crate::components::tick::TICKED;
use crate::error::FieldError;
use crate::next;
use crate::url;
use crate::words;

pub(super) const PATH: &str = "/register";

/// So many tables go this way at once: all of them stand in the address, with their names.
pub(super) const TABLES_MAX: usize = 50;

/// Browsers write some letters longer than we do, and what is chosen last comes on top.
const ROOM: usize = 1_024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Place,
    Tables,
    Describe,
    Access,
    Review,
}

impl Step {
    pub(super) const ALL: [Self; 5] = [
        Self::Place,
        Self::Tables,
        Self::Describe,
        Self::Access,
        Self::Review,
    ];

    /// As the address has it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Place => "place",
            Self::Tables => "tables",
            Self::Describe => "describe",
            Self::Access => "access",
            Self::Review => "review",
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Place => words::register::WHERE_THE_TABLES_ARE,
            Self::Tables => words::register::WHICH_TABLES,
            Self::Describe => words::register::WHAT_THEY_ARE,
            Self::Access => words::register::WHO_GETS_ACCESS,
            Self::Review => words::register::REVIEW_AND_PUBLISH,
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.word() == word)
    }

    /// Where a field is filled in; None for what is no field.
    fn of_field(field: &str) -> Option<Self> {
        match field {
            "storage" | "prefix" | "team" => Some(Self::Place),
            "table" => Some(Self::Tables),
            "name" | "title" | "description" | "tags" | "classification" => Some(Self::Describe),
            "policy" | "payer" | "baseline_days" | "history" | "changes" | "state" => {
                Some(Self::Access)
            }
            _ if field.starts_with(NAME_OF) || field.starts_with(SCHEMA_OF) => Some(Self::Describe),
            _ => None,
        }
    }
}

/// Before a table's path: its name, its schema.
const NAME_OF: &str = "name.";
const SCHEMA_OF: &str = "schema.";

/// The schema of tables for which none is written.
const SCHEMA: &str = "default";

pub(super) fn name_of(path: &str) -> String {
    format!("{NAME_OF}{path}")
}

pub(super) fn schema_of(path: &str) -> String {
    format!("{SCHEMA_OF}{path}")
}

/// Fields and their values in the order in which they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filled(Vec<(String, String)>);

impl Filled {
    /// What the address holds, and the step that it asks for.
    pub(super) fn of_query(query: &str) -> (Self, Step) {
        let mut step = Step::Place;
        let mut filled = Vec::new();
        for (field, value) in url::pairs(query) {
            if field == "step" {
                step = Step::from_word(&value).unwrap_or(Step::Place);
            } else if Step::of_field(&field).is_some()
                && !filled.contains(&(field.clone(), value.clone()))
            {
                filled.push((field, value));
            }
        }
        (Self(filled), step)
    }

    /// None: it was not asked for yet.
    pub(super) fn get(&self, field: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(name, _)| name == field);
        found.map(|(_, value)| value.as_str())
    }

    fn or(&self, field: &str, proposal: &str) -> String {
        self.get(field).unwrap_or(proposal).to_owned()
    }

    pub(super) fn is_ticked(&self, field: &str) -> bool {
        self.get(field) == Some(TICKED)
    }

    /// The paths that were ticked.
    pub(super) fn tables(&self) -> Vec<&str> {
        let tables = self.0.iter().filter(|(field, _)| field == "table");
        tables.map(|(_, path)| path.as_str()).collect()
    }

    /// What the form of a step carries along: all that is not its own. What is proposed anyhow is left out.
    pub(super) fn carried(&self, step: Step) -> Vec<(String, String)> {
        let carried = self.0.iter().filter(|(field, value)| {
            let is_proposed = field.starts_with(SCHEMA_OF) && value == SCHEMA;
            Step::of_field(field) != Some(step) && !is_proposed
        });
        carried.cloned().collect()
    }

    /// The address of a step with all that was filled in, also with what was left empty.
    pub(super) fn href(&self, step: Step) -> String {
        let mut href = format!("{PATH}?step={}", step.word());
        for (field, value) in &self.0 {
            href.push_str(&format!("&{}={}", url::encode(field), url::encode(value)));
        }
        href
    }

    /// The step that can be shown of those before and at `asked`, and what keeps from the next. What only the declaration's rules
    /// know is not found here.
    pub(super) fn reach(&self, asked: Step) -> (Step, Vec<FieldError>) {
        let wrong = self.wrong();
        let first = wrong
            .iter()
            .filter_map(|error| Step::of_field(&error.field))
            .min();
        match first {
            Some(step) if step < asked => (step, of_step(wrong, step)),
            _ => (asked, Vec::new()),
        }
    }

    fn wrong(&self) -> Vec<FieldError> {
        let mut wrong = Vec::new();
        for (field, why) in [
            ("storage", words::register::CHOOSE_THE_STORAGE),
            ("team", words::register::CHOOSE_THE_TEAM),
        ] {
            if self.get(field).unwrap_or_default().is_empty() {
                wrong.push(error(field, why));
            }
        }
        match self.tables().len() {
            0 => wrong.push(error("table", words::register::TICK_A_TABLE)),
            count if count > TABLES_MAX => wrong.push(error(
                "table",
                words::register::too_many_tables(count, TABLES_MAX),
            )),
            _ => {}
        }
        if self.href(Step::Describe).len() > next::LONGEST - ROOM {
            wrong.push(error(
                "description",
                words::register::MORE_THAN_THE_PAGE_CARRIES,
            ));
        }
        wrong
    }

    /// The product that was filled in, with a proposal for each field that was not asked for yet.
    pub(super) fn draft(&self, domain: Option<&Name>) -> ProductDraft {
        let paths = self.tables();
        let subject = subject(&paths);
        let tags = self.get("tags").unwrap_or_default().split(',');
        let text = |field: &str| self.get(field).unwrap_or_default().trim().to_owned();
        ProductDraft {
            name: self
                .or("name", &propose_name(domain, &subject))
                .trim()
                .to_owned(),
            title: self.or("title", &propose_title(&subject)).trim().to_owned(),
            // Browsers end lines otherwise than files do.
            description: text("description").replace("\r\n", "\n"),
            tags: tags
                .map(str::trim)
                .filter(|tag| !tag.is_empty())
                .map(str::to_owned)
                .collect(),
            team: text("team"),
            storage: text("storage"),
            classification: text("classification"),
            access_policy: self.or("policy", "owner"),
            payer: self.or("payer", "producer"),
            // What is no number is none that the rules allow.
            baseline_days: self.or("baseline_days", "7").trim().parse().unwrap_or(0),
            state: self.or("state", "published"),
            tables: self.table_drafts(&paths),
        }
    }

    fn table_drafts(&self, paths: &[&str]) -> Vec<TableDraft> {
        let mut tables: Vec<TableDraft> = Vec::new();
        for path in paths {
            let proposal = propose_table(path, &tables);
            tables.push(TableDraft {
                name: self.or(&name_of(path), &proposal).trim().to_owned(),
                schema: self.or(&schema_of(path), SCHEMA).trim().to_owned(),
                path: (*path).to_owned(),
                history: self.is_ticked("history"),
                change_data_feed: self.is_ticked("changes"),
            });
        }
        tables
    }
}

/// What is wrong with a draft (by where it stands in the product's declaration), at the field where it was filled in. The first step
/// before `asked` at which something is wrong, and what is wrong there.
pub(super) fn blame(
    problems: Vec<FieldError>,
    draft: &ProductDraft,
    asked: Step,
) -> (Step, Vec<FieldError>) {
    let wrong: Vec<FieldError> = problems
        .into_iter()
        .map(|problem| FieldError {
            field: field_of(&problem.field, draft),
            message: problem.message,
        })
        .collect();
    // What is no field is told where the product is described: nothing that the fields hold explains it.
    let step_of = |error: &FieldError| {
        Step::of_field(&error.field)
            .unwrap_or(Step::Describe)
            .max(Step::Describe)
    };
    match wrong.iter().map(step_of).min() {
        Some(step) if step < asked => {
            let wrong = wrong.into_iter().filter(|error| step_of(error) == step);
            (step, wrong.collect())
        }
        _ => (asked, Vec::new()),
    }
}

/// `tables[1].schema` of the declaration is `schema.` and the second table's path.
fn field_of(place: &str, draft: &ProductDraft) -> String {
    if let Some((index, rest)) = place
        .strip_prefix("tables[")
        .and_then(|rest| rest.split_once(']'))
        && let Some(table) = index
            .parse()
            .ok()
            .and_then(|index: usize| draft.tables.get(index))
    {
        return match rest {
            ".schema" => schema_of(&table.path),
            _ => name_of(&table.path),
        };
    }
    match place {
        "access.policy" => "policy".to_owned(),
        tag if tag.starts_with("tags") => "tags".to_owned(),
        other => other.to_owned(),
    }
}

fn of_step(wrong: Vec<FieldError>, step: Step) -> Vec<FieldError> {
    let of_step = wrong
        .into_iter()
        .filter(|error| Step::of_field(&error.field) == Some(step));
    of_step.collect()
}

fn error(field: &str, message: impl Into<String>) -> FieldError {
    FieldError {
        field: field.to_owned(),
        message: message.into(),
    }
}

/// What the tables are about by where they lie: of one its folder and itself, of several the folder that holds them all.
fn subject(paths: &[&str]) -> String {
    let split = |path: &str| -> Vec<String> { path.split('/').map(str::to_owned).collect() };
    let last = |segments: &[String], count: usize| {
        segments[segments.len().saturating_sub(count)..].join(" ")
    };
    let Some((first, others)) = paths.split_first() else {
        return String::new();
    };
    let mut common = split(first);
    if others.is_empty() {
        return last(&common, 2);
    }
    for other in others {
        let same = common
            .iter()
            .zip(split(other))
            .take_while(|(one, other)| *one == other)
            .count();
        common.truncate(same);
    }
    last(&common, 1)
}

/// Empty where nothing can be proposed.
fn propose_name(domain: Option<&Name>, subject: &str) -> String {
    match (domain, slug(subject, 60)) {
        (Some(domain), Some(own)) => format!("{domain}-{}", own.replace('_', "-")),
        (Some(domain), None) => format!("{domain}-"),
        (None, _) => String::new(),
    }
}

/// `warranty_claims` as a heading: `Warranty claims`.
fn propose_title(subject: &str) -> String {
    let words = subject.replace(['_', '-'], " ");
    let mut characters = words.trim().chars();
    let first = characters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(characters).take(200).collect()
}

/// The folder's name, with a number where another table of that name is before it.
fn propose_table(path: &str, before: &[TableDraft]) -> String {
    let last = path.rsplit('/').next().unwrap_or(path);
    let base = slug(last, 50).unwrap_or_default();
    let is_taken = |name: &str| before.iter().any(|table| table.name == name);
    let mut name = base.clone();
    let mut number = 1;
    while !base.is_empty() && is_taken(&name) {
        number += 1;
        name = format!("{base}_{number}");
    }
    name
}

#[cfg(test)]
mod tests;
