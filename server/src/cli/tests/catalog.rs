//! Commands about storages and products, and the calls that they are.

use serde_json::json;

use super::{Case, none};

pub(super) fn cases() -> Vec<Case> {
    vec![
        ("storage list", "GET", "storages", none()),
        ("storage show aws_eu", "GET", "storages/aws_eu", none()),
        (
            "storage create az --cloud azure --region westeurope --url file:///srv --credential env:E --replicas",
            "POST",
            "storages",
            json!({ "name": "az", "cloud": "azure", "region": "westeurope", "url": "file:///srv", "endpoint": null,
                    "credential": "env:E", "replicas": true }),
        ),
        (
            "storage update az --replicas false --revision 3",
            "PATCH",
            "storages/az",
            json!({ "replicas": false, "revision": 3 }),
        ),
        ("product history v-a", "GET", "products/v-a/history", none()),
        ("doctor az", "POST", "storages/az/doctor", json!({})),
        (
            "doctor az --write",
            "POST",
            "storages/az/doctor",
            json!({ "write": true }),
        ),
        (
            "scan az",
            "POST",
            "storages/az/scan",
            json!({ "prefix": "" }),
        ),
        (
            "scan az workshop --team rnd",
            "POST",
            "storages/az/scan",
            json!({ "prefix": "workshop", "team": "rnd" }),
        ),
        (
            "product list workshop visits --cloud aws --access active --sort name",
            "GET",
            "products?q=workshop visits&cloud=aws&access=active&sort=name",
            none(),
        ),
        ("product list", "GET", "products", none()),
        (
            "product show vehicle-visits",
            "GET",
            "products/vehicle-visits",
            none(),
        ),
        (
            "product register v-a --team t --title A --storage s --classification internal --tag x --tag y \
             --table visits=w/visits --table raw.parts=w/parts --history",
            "POST",
            "products",
            json!({ "name": "v-a", "team": "t", "title": "A", "storage": "s", "classification": "internal",
                    "tags": ["x", "y"], "tables": [
                { "schema": "default", "name": "visits", "path": "w/visits", "history": true, "change_data_feed": false },
                { "schema": "raw", "name": "parts", "path": "w/parts", "history": true, "change_data_feed": false },
            ] }),
        ),
        (
            "product update v-a --payer consumer --baseline-days 1",
            "PATCH",
            "products/v-a",
            json!({ "payer": "consumer", "baseline_days": 1 }),
        ),
        (
            "product publish v-a",
            "POST",
            "products/v-a/publish",
            json!({}),
        ),
        (
            "product retire v-a --reason old --revision 4",
            "POST",
            "products/v-a/retire",
            json!({ "reason": "old", "revision": 4 }),
        ),
        (
            "product refresh v-a",
            "POST",
            "products/v-a/refresh",
            none(),
        ),
        (
            "product inspect s w/visits",
            "POST",
            "inspections",
            json!({ "storage": "s", "path": "w/visits" }),
        ),
        (
            "product offer v-a --recipient rnd_weu",
            "GET",
            "products/v-a/offer?recipient=rnd_weu",
            none(),
        ),
    ]
}
