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
        ("erasure list", "GET", "erasures", none()),
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
