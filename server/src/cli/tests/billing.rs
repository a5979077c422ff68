//! Commands about rates, charges and statements, and the calls that they are.

use serde_json::json;

use super::{Case, none};

pub(super) fn cases() -> Vec<Case> {
    vec![
        ("billing rates", "GET", "rates", none()),
        (
            "billing rate --from aws:* --to *:* --price 0.09 --unit GB --currency USD --valid-from 2026-01-01 --source list",
            "POST",
            "rates",
            json!({ "from": "aws:*", "to": "*:*", "price": "0.09", "unit": "GB", "currency": "USD",
                    "valid_from": "2026-01-01", "source": "list" }),
        ),
        (
            "billing rate --kind compute --price 2 --currency EUR --valid-from 2026-01-01 --source list",
            "POST",
            "rates",
            json!({ "kind": "compute", "price": "2", "currency": "EUR", "valid_from": "2026-01-01", "source": "list" }),
        ),
        ("billing events", "GET", "meter-events", none()),
        ("billing report", "POST", "billing/report", none()),
        (
            "billing charges --product v-a",
            "GET",
            "charges?product=v-a",
            none(),
        ),
        (
            "billing import-access-log s3_eu --lies-in logs --prefix s3/lake",
            "POST",
            "billing/access-log",
            json!({ "storage": "s3_eu", "lies_in": "logs", "prefix": "s3/lake" }),
        ),
        ("billing charges --csv", "GET", "charges?format=csv", none()),
        (
            "billing charges --since 2026-06-01 --until 2026-06-30",
            "GET",
            "charges?since=2026-06-01&until=2026-06-30",
            none(),
        ),
        ("billing statements", "GET", "statements", none()),
        (
            "billing statement rnd 2026-06",
            "GET",
            "statements/rnd/2026-06",
            none(),
        ),
        (
            "billing statement rnd 2026-06 --csv",
            "GET",
            "statements/rnd/2026-06?format=csv",
            none(),
        ),
        (
            "billing line rnd 2026-06 --product v-a --from aws:x --to azure:y --currency USD",
            "GET",
            "statements/rnd/2026-06/line?kind=transfer&product=v-a&from=aws:x&to=azure:y&method=measured&currency=USD",
            none(),
        ),
        (
            "billing issue rnd 2026-06",
            "POST",
            "statements/rnd/2026-06/issue",
            none(),
        ),
        ("billing savings", "GET", "savings", none()),
        ("advice list", "GET", "advice", none()),
        ("advice show 7", "GET", "advice/7", none()),
        ("advice accept 7", "POST", "advice/7/accept", json!({})),
        (
            "advice snooze 7 --until 2027-01-31",
            "POST",
            "advice/7/snooze",
            json!({ "until": "2027-01-31" }),
        ),
        (
            "advice decline 7 --reason known",
            "POST",
            "advice/7/decline",
            json!({ "reason": "known" }),
        ),
        ("advice reckon v-a", "POST", "products/v-a/advice", none()),
    ]
}
