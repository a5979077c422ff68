//! One mistake in the contract's file each: what is said, and at which line.

use super::contract;
use super::files::{problems, said};

#[test]
fn one_mistake_each() {
    let cases: &[(&str, &str, &str)] = &[
        // From, to, what is said (line, path, message in parts).
        (
            "exchange: { name: aftersales }",
            "exchange: { name: After Sales }",
            "1:exchange.name: not a name",
        ),
        (
            "exchange: { name: aftersales }",
            "exchange: aftersales",
            "1:: wrong type",
        ),
        (
            "exchange: { name: aftersales }",
            "exchange: { nome: aftersales }",
            "1:: unknown key `nome`; here stand name",
        ),
        (
            "exchange: { name: aftersales }",
            "exchanges: { name: aftersales }",
            "1:: unknown key `exchanges`",
        ),
        (
            "{ title: Vehicle data }",
            "{}",
            "2:domains.vehicle.title: missing",
        ),
        (
            "{ title: Vehicle data }",
            "{ title: \"\" }",
            "2:domains.vehicle.title: say something here",
        ),
        (
            "{ title: Vehicle data }",
            "{ title: [a] }",
            "2:: wrong type",
        ),
        (
            "{ title: Vehicle data }",
            "{ title: {a: b} }",
            "2:: wrong type",
        ),
        (
            "{ title: Vehicle data }",
            "{ title: \"a\\u202eb\" }",
            "2:domains.vehicle.title: control characters",
        ),
        ("{ vehicle:", "{ Vehicle:", "2:domains.Vehicle: not a name"),
        (
            "{ domain: vehicle, title: After-Sales",
            "{ domain: moon, title: After-Sales",
            "3:teams.aftersales.domain: `moon` is not in this file",
        ),
        (
            "cloud: aws,",
            "cloud: mars,",
            "5:storages.aws_eu.cloud: unknown cloud `mars`",
        ),
        (
            "region: eu-central-1",
            "region: EU",
            "5:storages.aws_eu.region: not a region",
        ),
        (
            "credential: \"env:ENTREPOT_CREDENTIAL_AWS_EU\"",
            "credential: \"env:PATH\"",
            "5:storages.aws_eu.credential: use env:ENTREPOT_CREDENTIAL_",
        ),
        (
            "credential: \"env:ENTREPOT_CREDENTIAL_AWS_EU\"",
            "credential: '{\"secret\":\"hush\"}'",
            "5:storages.aws_eu.credential: use env:",
        ),
        (
            "credential: \"env:ENTREPOT_CREDENTIAL_AWS_EU\"",
            "credential: { secret: hush }",
            "5:: wrong type",
        ),
        ("replicas: true", "replicas: yes", "6:: use true or false"),
        ("replicas: true", "replicas: 1", "6:: use true or false"),
        (
            "replicas: true",
            "replicas: true, replicas: true",
            "6:: the key `replicas` stands here twice",
        ),
        (
            "    team: aftersales\n",
            "    team: nobody\n",
            "10:products.vehicle-workshop-visits.team: `nobody` is not in this file",
        ),
        (
            "    storage: aws_eu\n",
            "    storage: mars\n",
            "11:products.vehicle-workshop-visits.storage: `mars` is not in this file",
        ),
        (
            "classification: internal ",
            "classification: secret ",
            "12:products.vehicle-workshop-visits.classification: unknown classification",
        ),
        ("classification: internal ", "classification: personal ", ""),
        (
            "access: { policy: owner }",
            "access: { policy: anybody }",
            "13:products.vehicle-workshop-visits.access.policy: unknown access policy",
        ),
        (
            "access: { policy: owner }",
            "access: owner",
            "13:: wrong type",
        ),
        (
            "  vehicle-workshop-visits:",
            "  workshop-visits:",
            "8:products.workshop-visits: its name begins with the domain",
        ),
        (
            "tables: [{ name: visits,",
            "tables: [{ name: \"../visits\",",
            "14:products.vehicle-workshop-visits.tables[0].name: not a name",
        ),
        (
            "path: workshop/visits",
            "path: ../../etc",
            "14:products.vehicle-workshop-visits.tables[0].path: no empty segments",
        ),
        (
            "path: workshop/visits",
            "path: /workshop",
            "14:products.vehicle-workshop-visits.tables[0].path: write it relative",
        ),
        (
            "path: workshop/visits, ",
            "",
            "14:products.vehicle-workshop-visits.tables[0].path: missing",
        ),
        (
            "format: delta",
            "format: iceberg",
            "14:products.vehicle-workshop-visits.tables[0].format: iceberg is reserved",
        ),
        (
            "format: delta",
            "format: csv",
            "14:products.vehicle-workshop-visits.tables[0].format: unknown format",
        ),
        (
            "change_data_feed: true }]",
            "change_data_feed: true }, { name: visits, path: other }]",
            "14:products.vehicle-workshop-visits.tables[1].name: another table",
        ),
        (
            "change_data_feed: true }]",
            "change_data_feed: true }, { name: other, path: workshop }]",
            "14:products.vehicle-workshop-visits.tables[1].path: the same folder as tables[0]",
        ),
        ("history: true", "history: maybe", "14:: use true or false"),
        (
            "mode: replica",
            "mode: copy",
            "16:grants.rnd_visits.mode: unknown mode",
        ),
        (
            "until: 2027-12-31",
            "until: someday",
            "16:grants.rnd_visits.until: not an instant",
        ),
        (
            "until: 2027-12-31",
            "until: 2027-02-30",
            "16:grants.rnd_visits.until: not an instant",
        ),
        (
            "until: 2027-12-31, ",
            "",
            "16:grants.rnd_visits.until: missing",
        ),
        (
            "recipient: rnd_weu",
            "recipient: rnd",
            "16:grants.rnd_visits.recipient: `rnd` is not in this file",
        ),
        (
            "grants:     { rnd_visits: { product: vehicle-workshop-visits",
            "grants:     { rnd_visits: { product: vehicle-other",
            "16:grants.rnd_visits.product: `vehicle-other` is not in this file",
        ),
        (
            ", purpose: { code: warranty, text: \"warranty analysis\" }",
            "",
            "16:grants.rnd_visits.purpose: missing",
        ),
        (
            "code: warranty",
            "code: \"Warranty!\"",
            "16:grants.rnd_visits.purpose.code: not a name",
        ),
        (
            "text: \"warranty analysis\"",
            "text: no",
            "16:grants.rnd_visits.purpose.text: at least 3",
        ),
        (
            "to: az_weu",
            "to: az",
            "17:sync_jobs.visits_weu.to: `az` is not in this file",
        ),
        (
            "every: 2d",
            "every: 2d, fetches: little",
            "17:sync_jobs.visits_weu.fetches: ",
        ),
        (
            "every: 2d",
            "every: 2d, forget_hours: 7",
            "17:sync_jobs.visits_weu.forget_hours: from 8 to 87600",
        ),
        (
            "every: 2d",
            "every: often",
            "17:sync_jobs.visits_weu.every: not a period",
        ),
        (
            "every: 2d, ",
            "",
            "17:sync_jobs.visits_weu.at: a time of day goes with `every`",
        ),
        (
            "every: 2d",
            "every: 2d, cron: \"0 3 * * *\"",
            "17:sync_jobs.visits_weu.every: use either",
        ),
        (
            "every: 2d, at: \"03:00\"",
            "cron: \"0 3 * *\"",
            "17:sync_jobs.visits_weu.cron: not a cron line",
        ),
        (
            "every: 2d, at: \"03:00\"",
            "cron: \"0 3 31 2 *\"",
            "17:sync_jobs.visits_weu.cron: this cron line never fires",
        ),
        (
            "every: 2d, at: \"03:00\"",
            "fresh_within: 0h",
            "17:sync_jobs.visits_weu.fresh_within: a period of zero",
        ),
        (
            "every: 2d, at: \"03:00\"",
            "fresh_within: 6h, on_new_version: 1h",
            "17:sync_jobs.visits_weu.on_new_version: use either",
        ),
        (
            "retention_hours: 168",
            "verify_rows: weekly",
            "17:sync_jobs.visits_weu.verify_rows: not a period",
        ),
        (
            "at: \"03:00\"",
            "at: \"25:00\"",
            "17:sync_jobs.visits_weu.at: not a time of day",
        ),
        (
            "timezone: Europe/Berlin",
            "timezone: Mars/Olympus",
            "17:sync_jobs.visits_weu.timezone: not a time zone",
        ),
        (
            "retention_hours: 168",
            "retention_hours: 0",
            "17:sync_jobs.visits_weu.retention_hours: from 1 to 87600",
        ),
        (
            "retention_hours: 168",
            "retention_hours: long",
            "17:: invalid",
        ),
        (
            "retention_hours: 168",
            "retention_hours: 99999999999999999999",
            "17:: ",
        ),
        (
            "from: \"aws:eu-central-1\"",
            "from: \"mars:olympus\"",
            "18:rates[0].from: unknown cloud",
        ),
        (
            "price: \"0.09\"",
            "price: \"-1\"",
            "18:rates[0].price: from 0",
        ),
        (
            "price: \"0.09\"",
            "price: free",
            "18:rates[0].price: not a price",
        ),
        ("unit: GB", "unit: TB", "18:rates[0].unit: not a unit"),
        (
            "currency: USD",
            "currency: usd",
            "18:rates[0].currency: not a currency",
        ),
        (
            "valid_from: 2026-01-01",
            "valid_from: 2026-01-01, valid_until: 2025-01-01",
            "18:rates[0].valid_until: must be later",
        ),
        ("rates:      [{", "rates:      {", "18:: "),
        ("recipients: {", "\trecipients: {", "15:: "),
        ("recipients: {", "recipients: [", "15:: "),
        ("domains:    {", "domains: &d {", ""),
        (
            "domains:    { vehicle: { title: Vehicle data } }",
            "domains: *nothing",
            "2:: ",
        ),
        ("domains:    {", "domains: !secret {", "2:: "),
        (
            "{ title: Vehicle data }",
            "{ <<: { title: a } }",
            "2:: `<<` is not read",
        ),
        (
            "exchange: { name: aftersales }",
            "---\na: b\n---\nexchange: { name: aftersales }",
            "2:: unknown key `a`",
        ),
    ];
    for (from, to, expected) in cases {
        let yaml = contract(from, to);
        let said = said(&yaml);
        if expected.is_empty() {
            assert_eq!(said, [""; 0], "{to}");
            continue;
        }
        assert!(!said.is_empty(), "{to}: taken as right");
        assert!(said[0].starts_with(expected), "{to}: {said:?}");
        assert!(!said.iter().any(|said| said.contains("hush")), "{said:?}");
        assert!(problems(&yaml)[0].column.is_some(), "{to}");
    }
}

#[test]
fn every_field_of_a_schedule_is_looked_at() {
    let yaml = contract(
        "every: 2d, at: \"03:00\", timezone: Europe/Berlin",
        "every: often, at: \"25:00\", timezone: Mars/Olympus, cron: \"0 3\"",
    );
    let said = said(&yaml);
    for (field, what) in [
        ("every", "not a period"),
        ("at", "not a time of day"),
        ("timezone", "not a time zone"),
        ("cron", "not a cron line"),
        ("every", "use either"),
    ] {
        let expected = format!("17:sync_jobs.visits_weu.{field}: {what}");
        assert!(
            said.iter().any(|said| said.starts_with(&expected)),
            "{field}: {said:?}"
        );
    }
    assert_eq!(said.len(), 5, "{said:?}");
}

#[test]
fn a_wrong_shape_is_told_in_plain_words() {
    for (from, to) in [
        ("exchange: { name: aftersales }", "exchange: aftersales"),
        ("{ title: Vehicle data }", "{ title: [a] }"),
        ("access: { policy: owner }", "access: owner"),
    ] {
        for said in said(&contract(from, to)) {
            for word in ["start", "struct", "scalar", "mapping", "sequence", "Entry"] {
                assert!(!said.contains(word), "{to}: {said}");
            }
        }
    }
}
