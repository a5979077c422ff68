//! A sample of what each server function takes.

use super::PRODUCT;
use super::world::request;
use crate::support::PASSWORD;

const ID: &str = "018f3a6e-0000-7000-8000-000000000000";

/// Fields that each function can read. To grow it: a function that is not here fails.
pub(super) fn sample(function: &str) -> Vec<(&'static str, &'static str)> {
    match function {
        "access/create_recipient" => vec![
            ("form[product]", PRODUCT),
            ("form[name]", "rnd_weu"),
            ("form[team]", "rnd"),
            ("form[cloud]", "azure"),
            ("form[region]", "westeurope"),
        ],
        "access/create_request" => request(&[]),
        "notices/set_notifications" => vec![("form[person]", "mara")],
        "access/withdraw_request" => vec![("form[request]", ID)],
        "access/decide_request" => vec![
            ("form[request]", ID),
            ("form[revision]", "1"),
            ("form[verdict]", "approve"),
        ],
        "access/revoke_grant" => vec![
            ("form[grant]", ID),
            ("form[reason]", "over"),
            ("form[confirm]", PRODUCT),
        ],
        "access/narrow_grant" => vec![
            ("form[grant]", ID),
            ("form[revision]", "1"),
            ("form[directory]", "yes"),
        ],
        "access/limit_grant" => vec![
            ("form[grant]", ID),
            ("form[revision]", "1"),
            ("form[live_bytes_per_day]", "50 GB"),
        ],
        "access/revoke_recipient_token" => vec![
            ("form[recipient]", "rnd_weu"),
            ("form[token]", ID),
            ("form[confirm]", "rnd_weu"),
        ],
        "ways/set_recipient_limits" => vec![
            ("form[recipient]", "rnd_weu"),
            ("form[addresses]", "192.0.2.0/24"),
        ],
        "ways/set_federation" => vec![
            ("form[recipient]", "rnd_weu"),
            ("form[issuer]", "https://id.example"),
            ("form[audience]", "entrepot"),
            ("form[subject]", "machine"),
        ],
        "ways/end_federation" => vec![("form[recipient]", "rnd_weu"), ("form[confirm]", "rnd_weu")],
        "ways/end_activation" => vec![("form[recipient]", "rnd_weu")],
        "catalog/update_product" => vec![("form[product]", PRODUCT), ("form[title]", "Visits")],
        "catalog/publish_product" => vec![("form[product]", PRODUCT), ("form[confirm]", PRODUCT)],
        "catalog/retire_product" => vec![
            ("form[product]", PRODUCT),
            ("form[reason]", "over"),
            ("form[confirm]", PRODUCT),
        ],
        "replicas/start_sync"
        | "replicas/start_verify"
        | "replicas/start_vacuum"
        | "replicas/release_replica" => {
            vec![("form[replica]", ID)]
        }
        "replicas/change_sync_job" => vec![
            ("form[replica]", ID),
            ("form[revision]", "1"),
            ("form[timezone]", "UTC"),
            ("form[retention_hours]", "168"),
            ("form[keep_hours]", "336"),
            ("form[paused]", "no"),
        ],
        "cuts/create_cut" => vec![
            ("form[product]", PRODUCT),
            ("form[name]", "without-ids"),
            ("form[content][within][default:visits]", "yes"),
            ("form[content][columns][default:visits:id]", "hashed"),
            ("form[content][rows][default:visits]", "id > 1"),
        ],
        "cuts/update_cut" => vec![
            ("form[product]", PRODUCT),
            ("form[cut]", "without-ids"),
            ("form[revision]", "1"),
            ("form[description]", "for tests"),
            ("form[content][within][default:visits]", "yes"),
            (
                "form[content][drop][default:visits]",
                "customer.name, customer.id",
            ),
            ("form[at_once]", "yes"),
        ],
        "cuts/rotate_cut" | "cuts/retire_cut" => vec![
            ("form[product]", PRODUCT),
            ("form[cut]", "without-ids"),
            ("form[revision]", "1"),
        ],
        "replicas/adopt_copy" => vec![
            ("form[product]", PRODUCT),
            ("form[storage]", "az_weu"),
            ("form[path]", "old/visits"),
        ],
        "flows/register_flow" => vec![
            ("form[product]", PRODUCT),
            ("form[kind]", "ftp"),
            ("form[consumers]", "1"),
            ("form[to]", "azure:westeurope"),
        ],
        "flows/import_flows" => vec![(
            "form[list]",
            "table,kind,consumers,from,to\nvisits,FTP,1,,azure:westeurope",
        )],
        "flows/switch_flow" | "flows/compare_flow" | "flows/remove_flow" => {
            vec![("form[flow]", ID)]
        }
        "erasures/request_erasure" => vec![
            ("form[product]", PRODUCT),
            ("form[reason]", "a person asked to be forgotten"),
        ],
        "billing/create_rate" => vec![
            ("form[from]", "aws:*"),
            ("form[to]", "azure:*"),
            ("form[price]", "0.09"),
            ("form[unit]", "GB"),
            ("form[currency]", "USD"),
            ("form[valid_from]", "2026-01-01"),
            ("form[source]", "list price"),
        ],
        "advice/accept_advice" => vec![("form[advice]", ID)],
        "advice/snooze_advice" => vec![("form[advice]", ID), ("form[until]", "2027-01-31")],
        "advice/decline_advice" => vec![("form[advice]", ID), ("form[reason]", "known already")],
        "billing/issue_statement" => vec![
            ("form[team]", "rnd"),
            ("form[month]", "2026-05"),
            ("form[confirm]", "2026-05"),
        ],
        "audit/verify_chain" => vec![("form[anchor]", "")],
        "audit/retry_work" => vec![("form[work]", ID)],
        "audit/retry_all" => vec![("form[kind]", "mail")],
        "people/create_person" => vec![("form[name]", "zoe"), ("form[title]", "Zoe")],
        "people/update_person" | "people/set_roles" => vec![("form[person]", "mara")],
        "people/set_password" => vec![("form[person]", "mara"), ("form[password]", PASSWORD)],
        "people/revoke_token" => vec![("form[token]", ID), ("form[confirm]", "ci")],
        "people/unlink_identity" => vec![
            ("form[person]", "mara"),
            ("form[identity]", ID),
            ("form[confirm]", "mara"),
        ],
        "organisation/create_domain" => vec![("form[name]", "parts"), ("form[title]", "Parts")],
        "organisation/update_domain" => vec![("form[domain]", "vehicle")],
        "organisation/create_team" => vec![
            ("form[name]", "sales"),
            ("form[domain]", "vehicle"),
            ("form[title]", "Sales"),
            ("form[cost_center]", "1"),
        ],
        "organisation/update_team" => vec![("form[team]", "rnd")],
        "organisation/set_member" => vec![
            ("form[team]", "rnd"),
            ("form[person]", "mara"),
            ("form[role]", "consumer"),
        ],
        "organisation/remove_member" => vec![("form[team]", "rnd"), ("form[person]", "mara")],
        "storages/create_storage" => vec![
            ("form[name]", "az_weu"),
            ("form[cloud]", "azure"),
            ("form[region]", "westeurope"),
            ("form[url]", "file:///srv/az_weu"),
        ],
        "storages/update_storage" | "storages/examine_storage" | "storages/start_assessment" => {
            vec![("form[storage]", "aws_eu")]
        }
        "storages/cancel_assessment" => vec![("form[assessment]", ID)],
        "declaration/scan_storage" => vec![("form[storage]", "aws_eu")],
        "declaration/plan_declaration" | "declaration/deploy_declaration" => {
            vec![("form[yaml]", "products: {}")]
        }
        other => panic!("{other} has no sample"),
    }
}
