//! Commands about replicas, checks and erasures, and the calls that they are.

use serde_json::json;

use super::{Case, none};

pub(super) fn cases() -> Vec<Case> {
    vec![
        ("replica list", "GET", "replicas", none()),
        ("replica show v-a@az", "GET", "replicas/v-a@az", none()),
        (
            "replica schedule v-a@az --every 2d --at 03:00 --timezone Europe/Berlin --retention-hours 24 --resume",
            "PATCH",
            "replicas/v-a@az/job",
            json!({ "every": "2d", "at": "03:00", "timezone": "Europe/Berlin", "retention_hours": 24, "paused": false }),
        ),
        (
            "replica schedule v-a@az --fresh-within 6h --verify-objects 1d --verify-rows 1w",
            "PATCH",
            "replicas/v-a@az/job",
            json!({ "fresh_within": "6h", "verify_objects": "1d", "verify_rows": "1w" }),
        ),
        (
            "replica schedule v-a@az --on-new-version 1h",
            "PATCH",
            "replicas/v-a@az/job",
            json!({ "on_new_version": "1h" }),
        ),
        (
            "replica runs --product v-a",
            "GET",
            "sync-runs?product=v-a",
            none(),
        ),
        ("replica run ID", "GET", "sync-runs/ID", none()),
        ("sync v-a --to az", "POST", "replicas/v-a@az/sync", none()),
        (
            "verify v-a --to az",
            "POST",
            "replicas/v-a@az/verify",
            none(),
        ),
        (
            "verify v-a@az --level 3",
            "POST",
            "replicas/v-a@az/verify?level=3",
            none(),
        ),
        (
            "replica release v-a@az",
            "POST",
            "replicas/v-a@az/release",
            none(),
        ),
        (
            "vacuum v-a --to az",
            "POST",
            "replicas/v-a@az/vacuum",
            none(),
        ),
        (
            "erasure request v-a --table default.visits --since-version 7 --reason asked",
            "POST",
            "erasures",
            json!({ "product": "v-a", "table": "default.visits", "since_version": 7, "since": null, "at_once": false,
                    "reason": "asked" }),
        ),
        ("cut list v-a", "GET", "products/v-a/cuts", none()),
        ("cut show v-a c", "GET", "products/v-a/cuts/c", none()),
        (
            "cut create v-a c --table raw.t --drop visits:vin --drop visits:customer.name --pseudonymise t:id --rows visits:year=2024",
            "POST",
            "products/v-a/cuts",
            json!({ "name": "c", "tables": [
                { "schema": "raw", "table": "t", "drop": [], "pseudonymise": [], "rows": null },
                { "schema": "default", "table": "visits", "drop": ["vin", "customer.name"], "pseudonymise": [], "rows": "year=2024" },
                { "schema": "default", "table": "t", "drop": [], "pseudonymise": ["id"], "rows": null },
            ] }),
        ),
        (
            "cut update v-a c --description less --at-once --revision 2",
            "PATCH",
            "products/v-a/cuts/c",
            json!({ "description": "less", "at_once": true, "revision": 2 }),
        ),
        (
            "cut update v-a c --with-later",
            "PATCH",
            "products/v-a/cuts/c",
            json!({ "at_once": false, "with_later": true }),
        ),
        (
            "cut rotate v-a c",
            "POST",
            "products/v-a/cuts/c/rotate",
            json!({ "at_once": false }),
        ),
        (
            "cut retire v-a c",
            "POST",
            "products/v-a/cuts/c/retire",
            json!({}),
        ),
        ("erasure list", "GET", "erasures", none()),
        ("replica adoptions", "GET", "adoptions", none()),
        (
            "replica adopt v-a --to az --path old/visits --by-ends",
            "POST",
            "adoptions",
            json!({ "product": "v-a", "storage": "az", "table": null, "path": "old/visits", "by_ends": true }),
        ),
        (
            "replica adopt v-a --to az --none",
            "POST",
            "adoptions",
            json!({ "product": "v-a", "storage": "az", "table": null, "path": "", "by_ends": false }),
        ),
        (
            "flow list --product v-a",
            "GET",
            "flows?product=v-a",
            none(),
        ),
        (
            "flow register v-a --kind ftp --consumers 3 --to azure:westeurope --storage az --path old",
            "POST",
            "flows",
            json!({ "product": "v-a", "table": null, "kind": "ftp", "consumers": 3, "from": null,
                    "to": "azure:westeurope", "load_bytes": null, "storage": "az", "path": "old" }),
        ),
        (
            "flow switch 7",
            "POST",
            "flows/7/switch",
            json!({ "off": null }),
        ),
        (
            "flow switch 7 --on",
            "POST",
            "flows/7/switch",
            json!({ "off": "" }),
        ),
        ("flow compare 7", "POST", "flows/7/compare", none()),
        ("flow remove 7", "DELETE", "flows/7", none()),
        ("erasure show 7", "GET", "erasures/7", none()),
        (
            "erasure certificate 7",
            "GET",
            "erasures/7/certificate",
            none(),
        ),
        ("erasure key", "GET", "erasure-key", none()),
        ("erasure rotate-key", "POST", "erasure-key/rotate", none()),
    ]
}
