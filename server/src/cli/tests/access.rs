//! Commands about recipients, requests and grants, and the calls that they are.

use serde_json::json;

use super::{Case, none};

pub(super) fn cases() -> Vec<Case> {
    vec![
        ("recipient list", "GET", "recipients", none()),
        (
            "recipient show rnd_weu",
            "GET",
            "recipients/rnd_weu",
            none(),
        ),
        (
            "recipient create rnd_weu --team rnd --cloud azure --region westeurope",
            "POST",
            "recipients",
            json!({ "name": "rnd_weu", "team": "rnd", "cloud": "azure", "region": "westeurope" }),
        ),
        (
            "recipient update rnd_weu --region northeurope --revision 2",
            "PATCH",
            "recipients/rnd_weu",
            json!({ "region": "northeurope", "revision": 2 }),
        ),
        (
            "recipient profile rnd_weu --days 7 -o a.share",
            "POST",
            "recipients/rnd_weu/profile",
            json!({ "days": 7 }),
        ),
        (
            "recipient rotate rnd_weu",
            "POST",
            "recipients/rnd_weu/rotate",
            json!({}),
        ),
        (
            "recipient rotate rnd_weu --days 30 --overlap-hours 0 -o b.share",
            "POST",
            "recipients/rnd_weu/rotate",
            json!({ "days": 30, "overlap_hours": 0 }),
        ),
        (
            "recipient revoke-token rnd_weu ID",
            "DELETE",
            "recipients/rnd_weu/tokens/ID",
            none(),
        ),
        (
            "recipient limits rnd_weu --address 192.0.2.0/24 --address ::1 --requests-per-minute 60",
            "PUT",
            "recipients/rnd_weu/limits",
            json!({ "addresses": ["192.0.2.0/24", "::1"], "requests_per_minute": 60 }),
        ),
        (
            "recipient limits rnd_weu",
            "PUT",
            "recipients/rnd_weu/limits",
            json!({ "addresses": [] }),
        ),
        (
            "recipient federate rnd_weu --issuer https://id.example --audience entrepot --subject machine --claim azp",
            "PUT",
            "recipients/rnd_weu/federation",
            json!({ "issuer": "https://id.example", "audience": "entrepot", "claim": "azp", "subject": "machine" }),
        ),
        (
            "recipient federate rnd_weu --issuer https://id.example --audience entrepot --subject readers --claim groups --beside",
            "PUT",
            "recipients/rnd_weu/federation",
            json!({ "issuer": "https://id.example", "audience": "entrepot", "claim": "groups", "subject": "readers", "beside": true }),
        ),
        (
            "recipient end-federation rnd_weu --policy ID",
            "DELETE",
            "recipients/rnd_weu/federation?policy=ID",
            none(),
        ),
        (
            "recipient end-federation rnd_weu",
            "DELETE",
            "recipients/rnd_weu/federation",
            none(),
        ),
        (
            "recipient activation rnd_weu --days 30 --hours 2",
            "POST",
            "recipients/rnd_weu/activation",
            json!({ "days": 30, "hours": 2 }),
        ),
        (
            "recipient end-activation rnd_weu",
            "DELETE",
            "recipients/rnd_weu/activation",
            none(),
        ),
        ("recipient queries", "GET", "share-queries", none()),
        (
            "recipient queries --recipient rnd_weu --grant ID --product v-a",
            "GET",
            "share-queries?product=v-a&recipient=rnd_weu&grant=ID",
            none(),
        ),
        (
            "recipient queries --table t --answer refused --since 2026-06-01 --until 2026-06-30 --csv",
            "GET",
            "share-queries?table=t&answer=refused&since=2026-06-01&until=2026-06-30&format=csv",
            none(),
        ),
        (
            "request list --state submitted",
            "GET",
            "requests?state=submitted",
            none(),
        ),
        (
            "request list --waiting-for-me",
            "GET",
            "requests?waiting_for_me=true",
            none(),
        ),
        ("request show ID", "GET", "requests/ID", none()),
        (
            "request create v-a --recipient rnd_weu --mode replica --until 2027-12-31 --purpose warranty --text why",
            "POST",
            "requests",
            json!({ "product": "v-a", "recipient": "rnd_weu", "mode": "replica", "until": "2027-12-31",
                    "purpose": { "code": "warranty", "text": "why" } }),
        ),
        (
            "request withdraw ID",
            "POST",
            "requests/ID/withdraw",
            none(),
        ),
        (
            "request decide ID approve --revision 2 --stage owner",
            "POST",
            "requests/ID/decisions",
            json!({ "verdict": "approve", "revision": 2, "note": "", "stage": "owner" }),
        ),
        (
            "grant list --product v-a",
            "GET",
            "grants?product=v-a",
            none(),
        ),
        ("grant show ID", "GET", "grants/ID", none()),
        (
            "grant revoke ID --reason over",
            "POST",
            "grants/ID/revoke",
            json!({ "reason": "over" }),
        ),
        (
            "grant limit ID --live-bytes-per-day 50GB --revision 2",
            "PUT",
            "grants/ID/limit",
            json!({ "live_bytes_per_day": 50_000_000_000_u64, "revision": 2 }),
        ),
        (
            "grant narrow ID --rows country='DE' --revision 2",
            "PUT",
            "grants/ID/scope",
            json!({ "rows": "country='DE'", "directory": false, "revision": 2 }),
        ),
        (
            "grant narrow ID --all-rows --directory",
            "PUT",
            "grants/ID/scope",
            json!({ "rows": null, "directory": true }),
        ),
        (
            "recipient properties rnd_weu",
            "GET",
            "recipients/rnd_weu/properties",
            none(),
        ),
        (
            "recipient set-properties rnd_weu --property country=DE",
            "PUT",
            "recipients/rnd_weu/properties",
            json!({ "properties": [{ "name": "country", "value": "DE" }] }),
        ),
        (
            "grant limit ID --none",
            "PUT",
            "grants/ID/limit",
            json!({ "live_bytes_per_day": null }),
        ),
    ]
}
