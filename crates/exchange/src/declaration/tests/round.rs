//! Deploying, deploying again, what changed by hand, and exporting.

use model::dto::{DeclarationAction, ProductChange, SyncJobChange, TableNew};
use model::{Commits, Fetches, MemberRole};

use super::{CONTRACT, LAKE, Stage, acts, contract, inspection, line};
use crate::error::Error;
use crate::page::PageRequest;
use crate::ports::Problem;
use crate::principal::Principal;

async fn check_contract(stage: &Stage, principal: &Principal) {
    let exchange = stage.exchange();
    let plan = stage.plan(principal, CONTRACT).await;
    assert_eq!(
        acts(&plan),
        [
            "create exchange aftersales",
            "create domain vehicle",
            "create team aftersales",
            "create team rnd",
            "create storage aws_eu",
            "create storage az_weu",
            "create rate aws:eu-central-1 -> azure:* from 2026-01-01T00:00:00Z",
            "create product vehicle-workshop-visits",
            "create recipient rnd_weu",
            "create grant rnd_visits",
            "create sync_job visits_weu",
        ]
    );
    assert_eq!(plan.exit_status(), 2);
    let deployed = stage
        .deploy_if(principal, CONTRACT, Some(&plan.hash))
        .await
        .unwrap();
    assert!(deployed.id.is_some());

    let product = exchange
        .product(principal, "vehicle-workshop-visits")
        .await
        .unwrap();
    assert_eq!(product.state.as_str(), "published");
    assert!(product.tables[0].history && product.tables[0].change_data_feed);
    let grants = exchange
        .grants(principal, None, &PageRequest::all())
        .await
        .unwrap()
        .items;
    assert_eq!(grants.len(), 1);
    assert_eq!(grants[0].name.as_ref().unwrap().as_str(), "rnd_visits");
    assert_eq!(grants[0].until.to_string(), "2028-01-01T00:00:00Z");
    let request = exchange
        .request(principal, grants[0].request)
        .await
        .unwrap();
    assert_eq!(request.declared.as_deref(), Some("entrepot.yml@4f2a"));
    assert_eq!(request.requester, None);
    assert_eq!(request.state.as_str(), "approved");
    assert_eq!(request.decisions.len(), 1);
    assert_eq!(request.decisions[0].stage.as_str(), "declared");
    assert_eq!(
        request.decisions[0].note,
        format!(
            "declared as rnd_visits in entrepot.yml at commit 4f2a by {}",
            principal.pseudonym()
        )
    );
    assert_eq!(
        request.decisions[0].decider.is_some(),
        principal.person_id().is_some()
    );
    let replica = exchange
        .replica(principal, "vehicle-workshop-visits@az_weu")
        .await
        .unwrap();
    let job = replica.job.unwrap();
    assert_eq!(job.name.unwrap().as_str(), "visits_weu");
    assert_eq!(job.every.as_deref(), Some("2d"));
    assert_eq!(job.at.as_deref(), Some("03:00"));
    assert_eq!(job.timezone, "Europe/Berlin");
    assert_eq!((job.retention_hours, job.keep_hours), (168, 336));

    // Again: nothing to do, nothing written.
    let before = stage.audit_rows().await;
    let again = stage.plan(principal, CONTRACT).await;
    assert_eq!(acts(&again), [""; 0]);
    assert_eq!(again.exit_status(), 0);
    assert_eq!(again.count(DeclarationAction::Unchanged), 11);
    assert_eq!(again.count(DeclarationAction::Foreign), 0);
    let second = stage.deploy(principal, CONTRACT).await.unwrap();
    assert_eq!(second.id, None);
    assert_eq!(stage.audit_rows().await, before);
    assert_eq!(
        stage.deployments().await,
        [(
            principal.pseudonym().to_owned(),
            "entrepot.yml@4f2a".to_owned(),
            11,
            None
        )]
    );
}

#[tokio::test]
async fn the_contract_deploys_on_an_empty_exchange() {
    for stage in Stage::each().await {
        check_contract(&stage, &stage.operator).await;
    }
}

#[tokio::test]
async fn an_admin_deploys_the_same() {
    for stage in Stage::each().await {
        let admin = stage.person("ada", &["admin"], &[]).await;
        check_contract(&stage, &admin).await;
    }
}

#[tokio::test]
async fn what_was_changed_by_hand_is_shown_and_set_back() {
    for stage in Stage::each_deployed().await {
        let exchange = stage.exchange();
        let name = "vehicle-workshop-visits";
        let change = ProductChange {
            title: Some("Visits".to_owned()),
            description: Some("by hand".to_owned()),
            ..ProductChange::default()
        };
        exchange
            .product_update(&stage.operator, name, change)
            .await
            .unwrap();
        let change = SyncJobChange {
            every: Some("1d".to_owned()),
            paused: Some(true),
            ..SyncJobChange::default()
        };
        exchange
            .sync_job_update(&stage.operator, &format!("{name}@az_weu"), change)
            .await
            .unwrap();
        let plan = stage.plan(&stage.operator, CONTRACT).await;
        assert_eq!(
            acts(&plan),
            [
                "update product vehicle-workshop-visits",
                "update sync_job visits_weu"
            ]
        );
        let (_, fields, _) = line(&plan, "product", name);
        // The file says nothing of a description and of pausing, so these stay.
        assert_eq!(fields, ["title: Visits -> Workshop visits"]);
        let (_, fields, _) = line(&plan, "sync_job", "visits_weu");
        assert_eq!(fields, ["every: 1d -> 2d"]);
        stage.deploy(&stage.operator, CONTRACT).await.unwrap();
        let product = exchange.product(&stage.operator, name).await.unwrap();
        assert_eq!(product.title, "Workshop visits");
        assert_eq!(product.description, "by hand");
        assert_eq!(stage.plan(&stage.operator, CONTRACT).await.exit_status(), 0);
    }
}

/// What a job fetches, what a commit of it brings, and its deadline are declared like the rest of it, and stay where the file says
/// nothing.
#[tokio::test]
async fn what_a_job_fetches_and_its_deadline_are_declared() {
    for stage in Stage::each_deployed().await {
        let exchange = stage.exchange();
        let with = |words: &str| {
            CONTRACT.replace(
                "retention_hours: 168",
                &format!("retention_hours: 168, {words}"),
            )
        };
        let job = async || {
            let replica = exchange.replica(&stage.operator, "vehicle-workshop-visits@az_weu");
            let job = replica.await.unwrap().job.unwrap();
            (job.fetches, job.commits, job.forget_hours)
        };
        assert_eq!(job().await, (Fetches::Changes, Commits::Run, None));
        let declared = with("fetches: least, commits: each, forget_hours: 48");
        let plan = stage.plan(&stage.operator, &declared).await;
        let (_, fields, _) = line(&plan, "sync_job", "visits_weu");
        assert_eq!(
            fields,
            [
                "forget_hours: 0 -> 48",
                "fetches: changes -> least",
                "commits: run -> each"
            ]
        );
        stage.deploy(&stage.operator, &declared).await.unwrap();
        assert_eq!(job().await, (Fetches::Least, Commits::Each, Some(48)));
        assert_eq!(stage.plan(&stage.operator, CONTRACT).await.exit_status(), 0);

        let export = exchange.declaration_export(&stage.operator, None).await;
        let yaml = export.unwrap().yaml;
        assert!(yaml.contains("fetches: least"), "{yaml}");
        assert!(yaml.contains("commits: each"), "{yaml}");
        assert!(yaml.contains("forget_hours: 48"), "{yaml}");
        assert_eq!(stage.plan(&stage.operator, &yaml).await.exit_status(), 0);
        let without = with("forget_hours: 0");
        stage.deploy(&stage.operator, &without).await.unwrap();
        assert_eq!(job().await, (Fetches::Least, Commits::Each, None));
    }
}

#[tokio::test]
async fn what_is_not_in_the_file_is_shown_and_stays() {
    for stage in Stage::each_deployed().await {
        let exchange = stage.exchange();
        let name = "vehicle-workshop-visits";
        let table = |name: &str, path: &str| TableNew {
            name: name.to_owned(),
            schema: "default".to_owned(),
            path: path.to_owned(),
            storage: None,
            format: "delta".to_owned(),
            history: true,
            change_data_feed: true,
            history_start: None,
        };
        let change = ProductChange {
            tables: Some(vec![
                table("visits", "workshop/visits"),
                table("parts", "workshop/parts"),
            ]),
            ..ProductChange::default()
        };
        exchange
            .product_update(&stage.operator, name, change)
            .await
            .unwrap();
        let less = "products:\n  vehicle-workshop-visits:\n    title: Visits of workshops\n    team: aftersales\n    storage: aws_eu\n    classification: internal\n    tables: [{ name: visits, path: workshop/visits, history: false }]\n";
        let plan = stage.plan(&stage.operator, less).await;
        assert_eq!(acts(&plan), ["update product vehicle-workshop-visits"]);
        let foreign: Vec<String> = plan
            .changes
            .iter()
            .filter(|change| change.action == DeclarationAction::Foreign)
            .map(|change| format!("{} {}", change.kind, change.name))
            .collect();
        assert_eq!(
            foreign,
            [
                "domain vehicle",
                "team aftersales",
                "team rnd",
                "storage aws_eu",
                "storage az_weu",
                "rate aws:eu-central-1 -> azure:* from 2026-01-01T00:00:00Z",
                "table vehicle-workshop-visits.default.parts",
                "recipient rnd_weu",
                "grant rnd_visits",
                "sync_job visits_weu",
            ]
        );
        stage.deploy(&stage.operator, less).await.unwrap();
        let product = exchange.product(&stage.operator, name).await.unwrap();
        assert_eq!(product.title, "Visits of workshops");
        let tables: Vec<(&str, bool)> = product
            .tables
            .iter()
            .map(|table| (table.name.as_str(), table.history))
            .collect();
        assert_eq!(tables, [("parts", true), ("visits", false)]);
    }
}

#[tokio::test]
async fn a_step_that_fails_is_on_record_and_the_next_deployment_goes_on() {
    for stage in Stage::each().await {
        // The table breaks between plan and registering.
        let broken = Problem::new("the log has a gap at version 3");
        stage
            .test
            .world
            .put_looks(LAKE, "workshop/visits", [Ok(inspection()), Err(broken)]);
        let refused = stage.deploy(&stage.operator, CONTRACT).await.unwrap_err();
        let Error::Invalid(fields) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(
            fields[0].field,
            "products.vehicle-workshop-visits.tables[0].path"
        );
        assert!(fields[0].message.contains("gap at version 3"));
        assert_eq!(
            fields[1].message,
            "before that was done: exchange, domains.vehicle, teams.aftersales, teams.rnd, storages.aws_eu, \
             storages.az_weu, rates.aws:eu-central-1 -> azure:* from 2026-01-01T00:00:00Z; deploy again when it is mended, and \
             the deployment goes on from there"
        );
        stage
            .test
            .world
            .put_table(LAKE, "workshop/visits", Ok(inspection()));
        let plan = stage.plan(&stage.operator, CONTRACT).await;
        assert_eq!(
            acts(&plan),
            [
                "create product vehicle-workshop-visits",
                "create recipient rnd_weu",
                "create grant rnd_visits",
                "create sync_job visits_weu",
            ]
        );
        stage.deploy(&stage.operator, CONTRACT).await.unwrap();
        assert_eq!(stage.plan(&stage.operator, CONTRACT).await.exit_status(), 0);
        let deployments = stage.deployments().await;
        assert_eq!(deployments.len(), 2);
        assert!(deployments[0].3.as_ref().unwrap().contains("gap"));
        assert_eq!((deployments[1].2, &deployments[1].3), (4, &None));
    }
}

#[tokio::test]
async fn a_draft_that_was_left_behind_is_published() {
    for stage in Stage::each().await {
        // As after dying between registering and publishing.
        let draft = contract(
            "    team: aftersales\n",
            "    team: aftersales\n    state: draft\n",
        );
        let (draft, _) = draft.split_once("recipients:").unwrap();
        stage.deploy(&stage.operator, draft).await.unwrap();
        let plan = stage.plan(&stage.operator, CONTRACT).await;
        let (action, fields, _) = line(&plan, "product", "vehicle-workshop-visits");
        assert_eq!(action, DeclarationAction::Update);
        assert_eq!(fields, ["state: draft -> published"]);
        stage.deploy(&stage.operator, CONTRACT).await.unwrap();
        assert_eq!(stage.plan(&stage.operator, CONTRACT).await.exit_status(), 0);
        let back = stage.plan(&stage.operator, draft).await;
        let (action, _, note) = line(&back, "product", "vehicle-workshop-visits");
        assert_eq!(action, DeclarationAction::Refused);
        assert!(note.contains("does not become a draft again"));
        assert_eq!(back.exit_status(), 1);
    }
}

#[tokio::test]
async fn a_plan_that_was_looked_at_is_the_one_that_is_deployed() {
    for stage in Stage::each().await {
        let seen = stage.plan(&stage.operator, CONTRACT).await;
        assert_eq!(seen, stage.plan(&stage.operator, CONTRACT).await);
        let other = contract("Vehicle data", "Data of vehicles");
        let refused = stage
            .deploy_if(&stage.operator, &other, Some(&seen.hash))
            .await;
        assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
        assert_eq!(stage.audit_rows().await, 0);
        // What is foreign is not part of it: somebody else's work does not stop a deployment.
        stage.person("ada", &["admin"], &[]).await;
        stage
            .deploy(&stage.operator, "domains: { finance: { title: Finance } }")
            .await
            .unwrap();
        stage
            .deploy_if(&stage.operator, CONTRACT, Some(&seen.hash.to_uppercase()))
            .await
            .unwrap();
    }
}

/// The contract with more of everything, and texts that YAML could take for something else.
fn rich() -> String {
    contract(
        "    access: { policy: owner }",
        "    description: \"a: b # c\\n- not a list\\n\\\"quoted\\\" \\\\ größe\\u2028x\"\n    tags: [yes, '1e3', warranty]\n    payer: producer\n    baseline_days: 14\n    access: { policy: owner }",
    )
    .replace("title: Vehicle data", "title: \"null\"")
    .replace("title: After-Sales,", "title: \"{a}: [b] & *c !d %e\", contact: \"'\",")
    .replace("text: \"warranty analysis\"", "text: \"1e3\\nnull\\n  ~: x\"")
    .replace(
        "currency: USD, valid_from: 2026-01-01,",
        "currency: USD, valid_from: 2026-01-01, valid_until: 2026-07-01,",
    ) + "service_rates: [{ kind: compute, price: \"0.4\", currency: USD, valid_from: 2026-01-01, source: \"0x1F\" }]\n"
}

#[tokio::test]
async fn an_export_changes_nothing_and_builds_the_same_elsewhere() {
    let (stages, others) = (Stage::each().await, Stage::each().await);
    for (stage, other) in stages.into_iter().zip(others) {
        let exchange = stage.exchange();
        stage.deploy(&stage.operator, &rich()).await.unwrap();
        let yaml = exchange
            .declaration_export(&stage.operator, None)
            .await
            .unwrap()
            .yaml;
        let plan = stage.plan(&stage.operator, &yaml).await;
        assert_eq!(acts(&plan), [""; 0], "{yaml}");
        assert_eq!(plan.count(DeclarationAction::Foreign), 0, "{yaml}");
        assert_eq!(stage.deploy(&stage.operator, &yaml).await.unwrap().id, None);

        other.deploy(&other.operator, &yaml).await.unwrap();
        let again = other
            .exchange()
            .declaration_export(&other.operator, None)
            .await
            .unwrap()
            .yaml;
        assert_eq!(again, yaml);
    }
}

#[tokio::test]
async fn a_job_without_a_name_is_exported_too() {
    let (stages, others) = (Stage::each().await, Stage::each().await);
    for (stage, other) in stages.into_iter().zip(others) {
        let lines = CONTRACT.lines();
        let unnamed: Vec<&str> = lines
            .filter(|line| !line.starts_with("sync_jobs"))
            .collect();
        let unnamed = unnamed.join("\n");
        stage.deploy(&stage.operator, &unnamed).await.unwrap();
        let exchange = stage.exchange();
        let weekly = model::dto::SyncJobChange {
            every: Some("1w".to_owned()),
            ..model::dto::SyncJobChange::default()
        };
        let replica = "vehicle-workshop-visits@az_weu";
        exchange
            .sync_job_update(&stage.operator, replica, weekly)
            .await
            .unwrap();
        let export = exchange
            .declaration_export(&stage.operator, None)
            .await
            .unwrap();
        let yaml = export.yaml;
        assert!(yaml.contains("sync_jobs:\n  job-"), "{yaml}");
        let plan = stage.plan(&stage.operator, &yaml).await;
        assert_eq!(plan.exit_status(), 0, "{plan:#?}");
        assert_eq!(plan.count(DeclarationAction::Foreign), 0, "{yaml}");
        let again = exchange
            .declaration_export(&stage.operator, None)
            .await
            .unwrap();
        assert_eq!(again.yaml, yaml, "the same name each time");

        // What is changed under that name is changed, and elsewhere the job is called so.
        let often = yaml.replace("1w", "3d");
        let plan = stage.plan(&stage.operator, &often).await;
        assert_eq!(acts(&plan).len(), 1, "{plan:#?}");
        stage.deploy(&stage.operator, &often).await.unwrap();
        assert_eq!(stage.plan(&stage.operator, &often).await.exit_status(), 0);
        other.deploy(&other.operator, &often).await.unwrap();
        let elsewhere = other.exchange().declaration_export(&other.operator, None);
        assert_eq!(elsewhere.await.unwrap().yaml, often);
    }
}

#[tokio::test]
async fn everybody_exports_what_they_may_see() {
    for stage in Stage::each_deployed().await {
        let exchange = stage.exchange();
        let mara = stage
            .person("mara", &[], &[("aftersales", MemberRole::Producer)])
            .await;
        let otto = stage
            .person("otto", &[], &[("rnd", MemberRole::Consumer)])
            .await;
        let audra = stage.person("audra", &["auditor"], &[]).await;
        let mut texts = Vec::new();
        for principal in [&mara, &otto, &audra] {
            let yaml = exchange
                .declaration_export(principal, None)
                .await
                .unwrap()
                .yaml;
            let plan = stage.plan(principal, &yaml).await;
            assert_eq!(acts(&plan), [""; 0], "{yaml}");
            assert_eq!(stage.deploy(principal, &yaml).await.unwrap().id, None);
            texts.push(yaml);
        }
        let (mara_is, otto_is) = (mara, otto);
        let [mara, otto, audra] = texts.try_into().unwrap();
        // A producer sees addresses, and for whom the own products are; credentials are for admins and auditors.
        assert!(mara.contains("s3://lake/aftersales") && mara.contains("rnd_visits"));
        assert!(!mara.contains("CREDENTIAL") && audra.contains("env:ENTREPOT_CREDENTIAL_AWS_EU"));
        // A consumer sees neither addresses nor where tables lie.
        assert!(otto.contains("rnd_weu") && !otto.contains("s3://"));
        assert!(!otto.contains("workshop/visits"));
        // One product alone, for those whose it is.
        let one = exchange
            .declaration_export(&mara_is, Some("vehicle-workshop-visits"))
            .await
            .unwrap()
            .yaml;
        assert!(
            one.starts_with("products:\n  vehicle-workshop-visits:\n"),
            "{one}"
        );
        assert!(
            one.contains("workshop/visits") && !one.contains("teams:"),
            "{one}"
        );
        for (principal, name) in [(&otto_is, "vehicle-workshop-visits"), (&mara_is, "nowhere")] {
            let missing = exchange.declaration_export(principal, Some(name)).await;
            assert!(matches!(missing, Err(Error::NotFound("product"))), "{name}");
        }
        let nobody = exchange
            .declaration_export(&Principal::nobody(), None)
            .await;
        assert!(matches!(nobody, Err(Error::Unauthenticated)));
    }
}

#[tokio::test]
async fn what_a_scan_writes_is_deployed_once_the_data_is_classified() {
    for stage in Stage::each().await {
        let (organisation, _) = CONTRACT.split_once("products:").unwrap();
        stage.deploy(&stage.operator, organisation).await.unwrap();
        let mara = stage
            .person("mara", &[], &[("aftersales", MemberRole::Producer)])
            .await;
        let form = model::dto::StorageScan {
            prefix: "workshop".to_owned(),
            team: None,
        };
        let scan = stage
            .exchange()
            .storage_scan(&mara, "aws_eu", form)
            .await
            .unwrap();
        // Published as harmless by nobody's word, personal data would be open to the whole company.
        let refused = stage.deploy(&mara, &scan.yaml).await;
        let Err(Error::Invalid(fields)) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(fields.len(), 1, "{fields:?}");
        assert_eq!(fields[0].field, "products.vehicle-workshop.classification");
        assert!(
            fields[0].message.contains("a scan cannot know"),
            "{fields:?}"
        );
        let yaml = scan
            .yaml
            .replace("classification: choose", "classification: personal");
        let plan = stage.plan(&mara, &yaml).await;
        assert_eq!(acts(&plan), ["create product vehicle-workshop"]);
        stage.deploy(&mara, &yaml).await.unwrap();
        assert_eq!(stage.plan(&mara, &yaml).await.exit_status(), 0);
    }
}

#[tokio::test]
async fn a_sealed_credential_stays_where_it_is() {
    for stage in Stage::each_deployed().await {
        let exchange = stage.exchange();
        let sealed = model::dto::StorageChange {
            credential: Some(model::dto::CredentialNew::from(
                "{\"access_key_id\":\"AKIA\",\"secret_access_key\":\"hush-hush\"}",
            )),
            ..model::dto::StorageChange::default()
        };
        exchange
            .storage_update(&stage.operator, "aws_eu", sealed)
            .await
            .unwrap();
        let yaml = exchange
            .declaration_export(&stage.operator, None)
            .await
            .unwrap()
            .yaml;
        assert!(yaml.contains("sealed") && !yaml.contains("hush-hush") && !yaml.contains("AKIA"));
        assert_eq!(stage.plan(&stage.operator, &yaml).await.exit_status(), 0);
        // The contract names the environment's: that is a change, and it is made.
        let plan = stage.plan(&stage.operator, CONTRACT).await;
        let (_, fields, _) = line(&plan, "storage", "aws_eu");
        assert_eq!(
            fields,
            ["credential: sealed -> env:ENTREPOT_CREDENTIAL_AWS_EU"]
        );
        stage.deploy(&stage.operator, CONTRACT).await.unwrap();
        let refused = stage.plan(&stage.operator, &yaml).await;
        let (action, _, note) = line(&refused, "storage", "aws_eu");
        assert_eq!(action, DeclarationAction::Refused);
        assert!(note.contains("not sealed"), "{note}");
        // And nowhere else does "sealed" make a storage.
        let other = yaml
            .replace("aws_eu:", "aws_us:")
            .replace("lake/aftersales", "lake/other");
        let (action, _, note) = line(
            &stage
                .plan(
                    &stage.operator,
                    &other.replace("storage: aws_eu", "storage: aws_us"),
                )
                .await,
            "storage",
            "aws_us",
        );
        assert_eq!(action, DeclarationAction::Refused);
        assert!(note.contains("no such storage"), "{note}");
    }
}
