//! Commands about people, teams, the audit log and the work that waits, and the calls that they are.

use serde_json::json;

use super::{Case, none};

pub(super) fn cases() -> Vec<Case> {
    vec![
        (
            "user identities ines",
            "GET",
            "people/ines/identities",
            none(),
        ),
        (
            "user link ines --issuer https://id.example --subject abc",
            "POST",
            "people/ines/identities",
            json!({ "issuer": "https://id.example", "subject": "abc" }),
        ),
        (
            "user unlink ines 1",
            "DELETE",
            "people/ines/identities/1",
            none(),
        ),
        ("work retry 7", "POST", "work/7/retry", none()),
        (
            "work retry --kind mail",
            "POST",
            "work/retry",
            json!({ "kind": "mail" }),
        ),
        (
            "domain update vehicle --title Cars",
            "PATCH",
            "domains/vehicle",
            json!({ "title": "Cars" }),
        ),
        (
            "team update rnd --cost-center 7 --contact rnd@example.org",
            "PATCH",
            "teams/rnd",
            json!({ "cost_center": "7", "contact": "rnd@example.org" }),
        ),
        (
            "user notifications zoe",
            "GET",
            "people/zoe/notifications",
            none(),
        ),
        (
            "user notify zoe --only request_decided access_ending",
            "PUT",
            "people/zoe/notifications",
            json!({ "kinds": ["request_decided", "access_ending"] }),
        ),
        (
            "user notify zoe --none",
            "PUT",
            "people/zoe/notifications",
            json!({ "kinds": [] }),
        ),
        (
            "work list --state parked --kind sync",
            "GET",
            "work?state=parked&kind=sync",
            none(),
        ),
        (
            "audit list --actor system --since 2026-06-01",
            "GET",
            "audit?actor=system&since=2026-06-01",
            none(),
        ),
    ]
}
