//! Whose word lets a recipient in besides its own credentials.

use model::dto::{FederationNew, RecipientNew};
use model::time::MINUTE;
use serde_json::{Value, json};

use super::World;
use crate::access::{ReaderRefused, Word};
use crate::error::Error;
use crate::testing::ISSUER;

const NAME: &str = "rnd_weu";

fn federation(subject: &str) -> FederationNew {
    FederationNew {
        issuer: ISSUER.to_owned(),
        audience: "entrepot".to_owned(),
        claim: Some("azp".to_owned()),
        subject: subject.to_owned(),
        beside: false,
    }
}

fn word(audiences: &[&str], azp: Value) -> Word {
    let Value::Object(claims) = json!({ "azp": azp, "sub": "machine" }) else {
        unreachable!()
    };
    Word {
        issuer: ISSUER.to_owned(),
        audiences: audiences.iter().map(|one| (*one).to_owned()).collect(),
        claims,
    }
}

#[tokio::test]
async fn a_word_lets_in_whom_it_names_as_long_as_it_counts() {
    for world in World::each().await {
        let exchange = world.exchange();
        let mut strange = federation("machine");
        strange.issuer = "https://evil.example".to_owned();
        let mut everybody = federation("machine");
        everybody.claim = Some("aud".to_owned());
        for (wrong, field) in [(strange, "issuer"), (everybody, "claim")] {
            match exchange.federation_set(&world.mara, NAME, wrong).await {
                Err(Error::Invalid(fields)) => assert_eq!(fields[0].field, field),
                other => panic!("{other:?}"),
            }
        }
        let refused = exchange
            .federation_set(&world.jonas, NAME, federation("machine"))
            .await;
        assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
        let set = exchange
            .federation_set(&world.mara, NAME, federation("machine"))
            .await
            .unwrap();
        assert_eq!(set.federation[0].subject, "machine");

        let reads = async |word: &Word| {
            let found = exchange.reader_of_word(&world.system, word, None).await;
            found.unwrap().map_err(|away| away.why)
        };
        let good = word(&["other", "entrepot"], json!("machine"));
        let (reader, id) = reads(&good).await.unwrap();
        assert_eq!(reader.name.as_str(), NAME);
        for (what, wrong) in [
            ("another audience", word(&["other"], json!("machine"))),
            ("no audience", word(&[], json!("machine"))),
            ("another machine", word(&["entrepot"], json!("Machine"))),
            ("a list", word(&["entrepot"], json!(["machine"]))),
            ("nothing", word(&["entrepot"], json!(null))),
        ] {
            let refused = reads(&wrong).await.unwrap_err();
            assert_eq!(refused, ReaderRefused::Unknown, "{what}");
        }
        let mut strange = good.clone();
        strange.issuer.push('/');
        assert_eq!(reads(&strange).await.unwrap_err(), ReaderRefused::Unknown);

        // One machine is one recipient.
        let other = RecipientNew {
            name: "other".into(),
            team: "rnd".into(),
            cloud: "azure".into(),
            region: "northeurope".into(),
        };
        exchange.recipient_create(&world.mara, other).await.unwrap();
        let taken = exchange
            .federation_set(&world.mara, "other", federation("machine"))
            .await;
        assert!(matches!(taken, Err(Error::Invalid(_))), "{taken:?}");

        // What is handed out on a word ends with it, as with a credential.
        let grant = world.granted("vehicle-visits", "live").await;
        let open = async || {
            let open = exchange.reading_is_open(&world.system, grant, Some(id));
            open.await.unwrap()
        };
        let until = exchange.now().plus(30 * MINUTE);
        let issue = async || {
            let issued = exchange.urls_issued(&world.system, grant, id, until, Some(until));
            issued.await.unwrap()
        };
        assert!(open().await && issue().await);
        let refused = exchange.token_refused(&world.system, id).await;
        assert_eq!(refused.unwrap(), None);
        let ended = exchange
            .federation_end(&world.mara, NAME, None)
            .await
            .unwrap();
        assert_eq!(ended.federation, []);
        assert!(!open().await && !issue().await);
        assert_eq!(reads(&good).await.unwrap_err(), ReaderRefused::Unknown);
        let refused = exchange.token_refused(&world.system, id).await;
        let urls_until = Some(until);
        assert_eq!(
            refused.unwrap(),
            Some(ReaderRefused::Revoked { urls_until })
        );
        let again = exchange.federation_end(&world.mara, NAME, None).await;
        assert!(matches!(again, Err(Error::NotFound(_))));
        // Now the other may be that machine.
        exchange
            .federation_set(&world.mara, "other", federation("machine"))
            .await
            .unwrap();
        assert_eq!(reads(&good).await.unwrap().0.name.as_str(), "other");
    }
}

#[tokio::test]
async fn several_words_let_a_recipient_in_and_each_ends_by_itself() {
    for world in World::each().await {
        let exchange = world.exchange();
        let set = async |new: FederationNew| {
            let set = exchange.federation_set(&world.mara, NAME, new).await;
            set.map(|recipient| recipient.federation)
        };
        let reads = async |word: &Word| {
            let found = exchange.reader_of_word(&world.system, word, None).await;
            found.unwrap().map(|(_, policy)| policy).ok()
        };
        let of_groups = |groups: Value| {
            let mut word = word(&["entrepot"], json!("somebody"));
            word.claims.insert("groups".to_owned(), groups);
            word
        };
        let machine = word(&["entrepot"], json!("machine"));
        let first = set(federation("machine")).await.unwrap()[0].id;
        let mut readers = federation("readers");
        readers.claim = Some("groups".to_owned());
        readers.beside = true;
        let both = set(readers.clone()).await.unwrap();
        assert!(both.len() == 2 && both.iter().any(|one| one.id == first));
        let group = both.iter().find(|one| one.claim == "groups").unwrap().id;
        // Said once more, nothing is another.
        assert_eq!(set(readers).await.unwrap(), both);
        assert_eq!(reads(&machine).await, Some(first));
        for (groups, expected) in [
            (json!(["writers", 7, "readers"]), Some(group)),
            (json!("readers"), Some(group)),
            (json!(["writers"]), None),
            (json!([]), None),
            (json!({ "readers": true }), None),
        ] {
            assert_eq!(
                reads(&of_groups(groups.clone())).await,
                expected,
                "{groups}"
            );
        }
        let one = exchange
            .federation_end(&world.mara, NAME, Some(first))
            .await;
        assert_eq!(one.unwrap().federation.len(), 1);
        assert_eq!(reads(&machine).await, None);
        assert_eq!(reads(&of_groups(json!(["readers"]))).await, Some(group));
        let again = exchange
            .federation_end(&world.mara, NAME, Some(first))
            .await;
        assert!(matches!(again, Err(Error::NotFound(_))), "{again:?}");
        // In the place of all that is there.
        let left = set(federation("machine")).await.unwrap();
        assert_eq!((left.len(), left[0].subject.as_str()), (1, "machine"));
        for n in 0..19 {
            let mut more = federation(&format!("machine-{n}"));
            more.beside = true;
            set(more).await.unwrap();
        }
        let mut more = federation("one-too-many");
        more.beside = true;
        assert!(matches!(set(more).await, Err(Error::Invalid(_))));
    }
}
