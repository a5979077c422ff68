//! From what stands in the address to a draft, and from what is wrong with a draft back to a field.

use super::*;

const PLACE: &str = "storage=aws_eu&prefix=workshop&team=aftersales";

fn filled(query: &str) -> Filled {
    Filled::of_query(query).0
}

fn vehicle() -> Option<Name> {
    Some("vehicle".parse().unwrap())
}

fn draft(query: &str) -> ProductDraft {
    filled(query).draft(vehicle().as_ref())
}

fn fields(wrong: &[FieldError]) -> Vec<&str> {
    wrong.iter().map(|error| error.field.as_str()).collect()
}

#[test]
fn one_table_is_proposed_under_the_name_of_its_folder() {
    let draft = draft(&format!("{PLACE}&table=warranty/claims"));
    assert_eq!(draft.name, "vehicle-warranty-claims");
    assert_eq!(draft.title, "Warranty claims");
    assert_eq!(
        (draft.team.as_str(), draft.storage.as_str()),
        ("aftersales", "aws_eu")
    );
    assert_eq!(draft.classification, "", "nobody has chosen one");
    assert_eq!(
        (draft.access_policy.as_str(), draft.payer.as_str()),
        ("owner", "producer")
    );
    assert_eq!(
        (draft.baseline_days, draft.state.as_str()),
        (7, "published")
    );
    assert_eq!(
        draft.tables,
        [TableDraft {
            name: "claims".to_owned(),
            schema: "default".to_owned(),
            path: "warranty/claims".to_owned(),
            history: false,
            change_data_feed: false,
        }]
    );
}

#[test]
fn several_tables_are_one_product_and_have_names_of_their_own() {
    let draft = draft(&format!(
        "{PLACE}&table=lake/workshop/visits&table=lake/workshop/old/visits&table=lake/workshop/2024&table=lake/workshop/visits"
    ));
    assert_eq!(draft.name, "vehicle-workshop");
    assert_eq!(draft.title, "Workshop");
    let names: Vec<&str> = draft
        .tables
        .iter()
        .map(|table| table.name.as_str())
        .collect();
    assert_eq!(names, ["visits", "visits_2", "t_2024"], "once each");
}

#[test]
fn what_nothing_can_be_proposed_for_is_left_to_be_written() {
    let apart = draft(&format!("{PLACE}&table=a/x&table=b/y"));
    assert_eq!(
        (apart.name.as_str(), apart.title.as_str()),
        ("vehicle-", "")
    );
    let nowhere = filled(&format!("{PLACE}&table=--")).draft(None);
    assert_eq!(nowhere.name, "");
    assert_eq!(nowhere.tables[0].name, "");
}

#[test]
fn what_was_written_is_kept_also_where_it_is_empty() {
    let draft = draft(&format!(
        "{PLACE}&table=a/visits&name=vehicle-x&title=&description=One%0D%0A%0D%0A50%2525+%26+more&tags=b,+a,,\
         &classification=personal&name.a%2Fvisits=v&schema.a%2Fvisits=raw&policy=auto&payer=consumer&baseline_days=14&history=yes\
         &changes=yes&state=draft"
    ));
    assert_eq!(
        (draft.name.as_str(), draft.title.as_str()),
        ("vehicle-x", "")
    );
    assert_eq!(draft.description, "One\n\n50%25 & more");
    assert_eq!(draft.tags, ["b", "a"]);
    assert_eq!(draft.classification, "personal");
    assert_eq!(
        (draft.access_policy.as_str(), draft.payer.as_str()),
        ("auto", "consumer")
    );
    assert_eq!((draft.baseline_days, draft.state.as_str()), (14, "draft"));
    let table = &draft.tables[0];
    assert_eq!((table.name.as_str(), table.schema.as_str()), ("v", "raw"));
    assert!(table.history && table.change_data_feed);
    // What is no number is refused by the rules, as 0 is.
    let wrong = filled(&format!("{PLACE}&table=a&baseline_days=soon"));
    assert_eq!(wrong.draft(None).baseline_days, 0);
}

#[test]
fn each_step_carries_what_is_not_its_own() {
    let filled = filled(&format!(
        "step=access&{PLACE}&table=a/b&name=vehicle-b&schema.a/b=default&policy=auto&foreign=x"
    ));
    let names = |step| -> Vec<String> {
        let carried = filled.carried(step).into_iter();
        carried.map(|(field, _)| field).collect()
    };
    assert_eq!(
        names(Step::Access),
        ["storage", "prefix", "team", "table", "name"]
    );
    assert_eq!(
        names(Step::Describe),
        ["storage", "prefix", "team", "table", "policy"]
    );
    assert_eq!(names(Step::Place), ["table", "name", "policy"]);
}

#[test]
fn an_address_holds_all_of_it() {
    let query = format!("step=describe&{PLACE}&table=a%26b&title=&description=%C3%A4%25+%0A");
    let (filled, step) = Filled::of_query(&query);
    assert_eq!(step, Step::Describe);
    let href = filled.href(Step::Review);
    assert_eq!(next::local_path(&href), Some(href.as_str()));
    let query = href.strip_prefix("/register?").unwrap();
    assert_eq!(Filled::of_query(query), (filled, Step::Review));
    assert_eq!(Filled::of_query("step=nowhere").1, Step::Place);
}

#[test]
fn a_step_is_reached_over_those_before_it() {
    let reach = |query: &str| {
        let (filled, asked) = Filled::of_query(query);
        let (step, wrong) = filled.reach(asked);
        (step, fields(&wrong).join(" "))
    };
    let at = |step, wrong: &str| (step, wrong.to_owned());
    // Nothing was asked for yet, so nothing is wrong.
    assert_eq!(reach(""), at(Step::Place, ""));
    assert_eq!(reach("step=place&storage="), at(Step::Place, ""));
    assert_eq!(reach("step=tables"), at(Step::Place, "storage team"));
    assert_eq!(reach("step=review&storage=a"), at(Step::Place, "team"));
    assert_eq!(reach(&format!("step=tables&{PLACE}")), at(Step::Tables, ""));
    assert_eq!(
        reach(&format!("step=describe&{PLACE}")),
        at(Step::Tables, "table")
    );
    assert_eq!(
        reach(&format!("step=review&{PLACE}&table=a")),
        at(Step::Review, "")
    );
    let many: String = (0..=TABLES_MAX).map(|n| format!("&table=t{n}")).collect();
    assert_eq!(
        reach(&format!("step=describe&{PLACE}{many}")),
        at(Step::Tables, "table")
    );
    let long = "x".repeat(next::LONGEST);
    assert_eq!(
        reach(&format!("step=access&{PLACE}&table=a&description={long}")),
        at(Step::Describe, "description")
    );
}

#[test]
fn what_is_wrong_is_said_at_the_field_and_the_step_where_it_was_written() {
    let draft = draft(&format!("{PLACE}&table=a/b&table=a/c"));
    let problem = |place: &str| error(place, "Wrong.");
    let found = || {
        vec![
            problem("access.policy"),
            problem("tables[1].name"),
            problem("tables[0].schema"),
            problem("tables[0].path"),
            problem("tags[3]"),
            problem("team"),
            problem(""),
            problem("baseline_days"),
        ]
    };
    let (step, wrong) = blame(found(), &draft, Step::Review);
    assert_eq!(step, Step::Describe, "the first comes first");
    assert_eq!(
        fields(&wrong),
        ["name.a/c", "schema.a/b", "name.a/b", "tags", "team", ""]
    );
    let (step, wrong) = blame(
        vec![problem("access.policy"), problem("baseline_days")],
        &draft,
        Step::Review,
    );
    assert_eq!(step, Step::Access);
    assert_eq!(fields(&wrong), ["policy", "baseline_days"]);
    // Whoever has not come that far is not told yet.
    assert_eq!(
        blame(found(), &draft, Step::Describe),
        (Step::Describe, vec![])
    );
    assert_eq!(blame(vec![], &draft, Step::Review), (Step::Review, vec![]));
}
