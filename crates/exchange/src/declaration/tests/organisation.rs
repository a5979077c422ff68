//! Domains, teams and recipients that are called or placed otherwise than before.

use model::MemberRole;
use model::dto::{
    DeclarationAction, DomainChange, ProfileNew, RecipientChange, RecipientNew, TeamChange,
};

use super::{CONTRACT, Stage, acts, contract, line};
use crate::error::Error;
use crate::testing::ISSUER;

/// The contract with a recipient for which nothing was asked yet.
fn with_lab(place: &str) -> String {
    contract(
        "recipients: {",
        &format!("recipients: {{ lab: {{ {place} }},"),
    )
}

#[tokio::test]
async fn what_domains_and_teams_are_called_is_deployed() {
    for stage in Stage::each_deployed().await {
        let exchange = stage.exchange();
        let renamed = contract(
            "{ title: Vehicle data }",
            "{ title: Data of vehicles, description: \"All that drives\" }",
        )
        .replace(
            "title: After-Sales, cost_center: \"4711\"",
            "title: Sales and after, cost_center: \"0815\", contact: as@example.org",
        );
        let plan = stage.plan(&stage.operator, &renamed).await;
        assert_eq!(
            acts(&plan),
            ["update domain vehicle", "update team aftersales"]
        );
        let (_, fields, _) = line(&plan, "domain", "vehicle");
        assert_eq!(
            fields,
            [
                "title: Vehicle data -> Data of vehicles",
                "description: nothing -> All that drives"
            ]
        );
        let (_, fields, _) = line(&plan, "team", "aftersales");
        assert_eq!(
            fields,
            [
                "title: After-Sales -> Sales and after",
                "cost_center: 4711 -> 0815",
                "contact: nothing -> as@example.org"
            ]
        );
        // Who may not, is told so, and nothing is done.
        let mara = stage
            .person("mara", &[], &[("aftersales", MemberRole::Producer)])
            .await;
        let before = stage.audit_rows().await;
        let refused = stage.deploy(&mara, &renamed).await;
        assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
        assert_eq!(stage.audit_rows().await, before);

        stage.deploy(&stage.operator, &renamed).await.unwrap();
        let team = exchange.team(&stage.operator, "aftersales").await.unwrap();
        assert_eq!(
            (team.team.title.as_str(), team.team.cost_center.as_str()),
            ("Sales and after", "0815")
        );
        assert_eq!(stage.plan(&stage.operator, &renamed).await.exit_status(), 0);
        let export = exchange
            .declaration_export(&stage.operator, None)
            .await
            .unwrap();
        assert!(export.yaml.contains("All that drives"), "{}", export.yaml);
        let plan = stage.plan(&stage.operator, &export.yaml).await;
        assert_eq!(acts(&plan), [""; 0], "{}", export.yaml);

        // By hand, and set back by the file; what the file leaves out stays.
        let by_hand = DomainChange {
            title: Some("Cars".into()),
            ..DomainChange::default()
        };
        exchange
            .domain_update(&stage.operator, "vehicle", by_hand)
            .await
            .unwrap();
        let plan = stage.plan(&stage.operator, CONTRACT).await;
        let (_, fields, _) = line(&plan, "domain", "vehicle");
        assert_eq!(fields, ["title: Cars -> Vehicle data"]);
        stage.deploy(&stage.operator, CONTRACT).await.unwrap();
        let export = exchange
            .declaration_export(&stage.operator, None)
            .await
            .unwrap();
        assert!(export.yaml.contains("All that drives"), "{}", export.yaml);
        let stale = TeamChange {
            title: Some("X".into()),
            revision: Some(1),
            ..TeamChange::default()
        };
        let refused = exchange.team_update(&stage.operator, "aftersales", stale);
        assert!(matches!(refused.await, Err(Error::Conflict(_))));
    }
}

/// What limits a recipient and whose word lets it in is declared with it, also once it is in use.
#[tokio::test]
async fn what_a_file_says_of_ways_in() {
    for stage in Stage::each_deployed().await {
        let exchange = stage.exchange();
        let with = |ways: &str| {
            CONTRACT.replace(
                "rnd_weu: { team: rnd, cloud: azure, region: westeurope }",
                &format!("rnd_weu: {{ team: rnd, cloud: azure, region: westeurope{ways} }}"),
            )
        };
        let full = with(&format!(
            ", addresses: [\"2001:db8::/32\", 192.0.2.0/24], requests_per_minute: 60, federation: {{ issuer: \"{ISSUER}\", \
             audience: entrepot, subject: machine }}"
        ));
        let plan = stage.plan(&stage.operator, &full).await;
        assert_eq!(acts(&plan), ["update recipient rnd_weu"]);
        let (_, fields, _) = line(&plan, "recipient", "rnd_weu");
        assert_eq!(fields.len(), 3, "{fields:?}");
        stage.deploy(&stage.operator, &full).await.unwrap();
        assert_eq!(stage.plan(&stage.operator, &full).await.exit_status(), 0);
        let there = exchange
            .recipient(&stage.operator, "rnd_weu")
            .await
            .unwrap();
        assert_eq!(there.limits.addresses, ["192.0.2.0/24", "2001:db8::/32"]);
        assert_eq!(there.limits.requests_per_minute, Some(60));
        assert_eq!(there.federation[0].claim, "sub");
        let one = format!("{{ issuer: \"{ISSUER}\", audience: entrepot, subject: machine }}");
        let other = format!(
            "{{ issuer: \"{ISSUER}\", audience: entrepot, claim: groups, subject: readers }}"
        );
        let several = full.replace(&one, &format!("[{other}, {one}]"));
        stage.deploy(&stage.operator, &several).await.unwrap();
        let plan = stage.plan(&stage.operator, &several).await;
        assert_eq!(plan.exit_status(), 0);
        let now = exchange
            .recipient(&stage.operator, "rnd_weu")
            .await
            .unwrap();
        // What is said again keeps its row.
        let kept = there.federation[0].id;
        assert!(now.federation.len() == 2 && now.federation.iter().any(|one| one.id == kept));
        // What is left out stays; what is exported is what is there.
        assert_eq!(stage.plan(&stage.operator, CONTRACT).await.exit_status(), 0);
        let export = exchange
            .declaration_export(&stage.operator, None)
            .await
            .unwrap();
        assert!(export.yaml.contains("2001:db8::/32"), "{}", export.yaml);
        let plan = stage.plan(&stage.operator, &export.yaml).await;
        assert_eq!(acts(&plan), [""; 0], "{}", export.yaml);

        let fewer = with(", addresses: []");
        stage.deploy(&stage.operator, &fewer).await.unwrap();
        let there = exchange
            .recipient(&stage.operator, "rnd_weu")
            .await
            .unwrap();
        assert!(there.limits.addresses.is_empty());
        assert_eq!(there.limits.requests_per_minute, Some(60));
        let strange =
            with(", federation: { issuer: \"https://evil.example\", audience: a, subject: b }");
        let plan = stage.plan(&stage.operator, &strange).await;
        let (action, _, note) = line(&plan, "recipient", "rnd_weu");
        assert_eq!(action, DeclarationAction::Refused);
        assert!(note.contains("sharing.issuers"), "{note}");
        // An admin limits it, and lets nobody in.
        let admin = stage.person("ada", &["admin"], &[]).await;
        for (ways, expected) in [
            (", requests_per_minute: 6", DeclarationAction::Update),
            (
                ", federation: { issuer: \"https://id.example\", audience: a, subject: b }",
                DeclarationAction::Refused,
            ),
        ] {
            let plan = stage.plan(&admin, &with(ways)).await;
            assert_eq!(line(&plan, "recipient", "rnd_weu").0, expected, "{ways}");
        }
        let wrong = with(", addresses: [192.0.2.1/24]");
        let refused = stage.deploy(&stage.operator, &wrong).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_recipient_moves_until_something_is_asked_for_it() {
    for stage in Stage::each_deployed().await {
        let exchange = stage.exchange();
        let first = with_lab("team: rnd, cloud: azure, region: northeurope");
        stage.deploy(&stage.operator, &first).await.unwrap();
        let moved = with_lab("team: aftersales, cloud: gcp, region: europe-west3");
        let plan = stage.plan(&stage.operator, &moved).await;
        assert_eq!(acts(&plan), ["update recipient lab"]);
        let (_, fields, _) = line(&plan, "recipient", "lab");
        assert_eq!(
            fields,
            [
                "team: rnd -> aftersales",
                "cloud: azure -> gcp",
                "region: northeurope -> europe-west3"
            ]
        );
        // Giving away what is one's own takes the other team's word, too.
        let otto = stage
            .person("otto", &[], &[("rnd", MemberRole::Consumer)])
            .await;
        let refused = stage.deploy(&otto, &moved).await;
        assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
        stage.deploy(&stage.operator, &moved).await.unwrap();
        assert_eq!(stage.plan(&stage.operator, &moved).await.exit_status(), 0);
        let export = exchange
            .declaration_export(&stage.operator, None)
            .await
            .unwrap();
        let plan = stage.plan(&stage.operator, &export.yaml).await;
        assert_eq!(acts(&plan), [""; 0], "{}", export.yaml);

        // Moved and given something in one file: as the recipient will be.
        let given = with_lab("team: rnd, cloud: azure, region: westeurope").replace(
            "grants:     {",
            "grants:     { lab_visits: { product: vehicle-workshop-visits, recipient: lab, mode: replica, until: 2027-12-31, purpose: { code: warranty, text: \"warranty analysis\" } },",
        );
        let plan = stage.plan(&stage.operator, &given).await;
        assert_eq!(
            acts(&plan),
            ["update recipient lab", "create grant lab_visits"]
        );
        stage.deploy(&stage.operator, &given).await.unwrap();
        assert_eq!(stage.plan(&stage.operator, &given).await.exit_status(), 0);

        // From here on its grants say where it is.
        let plan = stage.plan(&stage.operator, &moved).await;
        let (action, _, note) = line(&plan, "recipient", "lab");
        assert_eq!(action, DeclarationAction::Refused);
        assert!(note.contains("make another one"), "{note}");
        let change = || RecipientChange {
            region: Some("northeurope".into()),
            ..RecipientChange::default()
        };
        for name in ["lab", "rnd_weu"] {
            let refused = exchange.recipient_update(&stage.operator, name, change());
            assert!(matches!(refused.await, Err(Error::Conflict(_))), "{name}");
        }

        // A credential is somebody's who reads from somewhere.
        let new = RecipientNew {
            name: "shed".into(),
            team: "rnd".into(),
            cloud: "azure".into(),
            region: "westeurope".into(),
        };
        exchange
            .recipient_create(&stage.operator, new)
            .await
            .unwrap();
        exchange
            .profile_create(&stage.operator, "shed", ProfileNew::default())
            .await
            .unwrap();
        let refused = exchange.recipient_update(&otto, "shed", change()).await;
        assert!(matches!(refused, Err(Error::Conflict(_))), "{refused:?}");
        let token = exchange.recipient(&otto, "shed").await.unwrap().tokens[0].id;
        exchange
            .recipient_token_revoke(&otto, "shed", token)
            .await
            .unwrap();
        let moved = exchange.recipient_update(&otto, "shed", change()).await;
        assert_eq!(moved.unwrap().location.to_string(), "azure:northeurope");
    }
}
