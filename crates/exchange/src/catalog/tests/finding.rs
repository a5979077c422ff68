//! Finding: the golden set, filters and their counts, pages, and that nothing leaks.

use model::dto::{FacetCount, ProductChange, ProductNew, ProductPublish, ProductQuery};
use model::{ProductName, RequestState};

use super::{Company, fields, product, table};
use crate::error::Error;
use crate::principal::Principal;

fn query(q: &str) -> ProductQuery {
    ProductQuery {
        q: Some(q.to_owned()),
        ..ProductQuery::default()
    }
}

async fn found(company: &Company, query: ProductQuery) -> Vec<String> {
    let page = company
        .exchange()
        .products(&company.otto, query)
        .await
        .unwrap();
    assert_eq!(page.total, page.items.len() as u64, "all on one page");
    page.items
        .into_iter()
        .map(|card| card.name.to_string())
        .collect()
}

/// Name, title, description, tags, columns.
type Shelved<'a> = (&'a str, &'a str, &'a str, &'a [&'a str], &'a [&'a str]);

/// Published products of mara's team.
async fn shelf(company: &Company) {
    let rows: [Shelved<'_>; 6] = [
        (
            "vehicle-visits",
            "Visits",
            "Who came when.",
            &["warranty"],
            &["vin", "visit_id"],
        ),
        (
            "vehicle-visits-daily",
            "Daily visits",
            "Visits per day.",
            &[],
            &["day", "visitCount"],
        ),
        (
            "vehicle-workshop-visits",
            "Workshop visits",
            "What was done.",
            &["repair"],
            &["vin", "order_line_id"],
        ),
        (
            "vehicle-parts",
            "Spare parts",
            "Parts with their prices; 100% of them.",
            &["Gewährleistung"],
            &["part_no", "orderlineid"],
        ),
        (
            "vehicle-recalls",
            "Vehicle visits in recalls",
            "",
            &[],
            &["campaign"],
        ),
        (
            "vehicle-zeta",
            "Zeta",
            "Mentions a visit in passing.",
            &[],
            &["z"],
        ),
    ];
    for (name, title, description, tags, columns) in rows {
        let path = format!("shelf/{name}");
        company.put(&path, columns);
        let form = ProductNew {
            title: title.to_owned(),
            description: description.to_owned(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            tables: vec![table("rows", &path)],
            ..product(name, &path)
        };
        let exchange = company.exchange();
        exchange
            .product_register(&company.mara, form)
            .await
            .unwrap();
        exchange
            .product_publish(&company.mara, name, ProductPublish::default())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn the_golden_set() {
    for company in Company::each().await {
        shelf(&company).await;
        let cases: &[(&str, &[&str])] = &[
            // The exact name first, then what begins with it, then the rest.
            (
                "vehicle-visits",
                &[
                    "vehicle-visits",
                    "vehicle-visits-daily",
                    "vehicle-recalls",
                    "vehicle-workshop-visits",
                ],
            ),
            // The exact title first, whatever its case.
            ("WORKSHOP VISITS", &["vehicle-workshop-visits"]),
            ("spare parts", &["vehicle-parts"]),
            // Beginnings of words, in any order.
            ("par spa", &["vehicle-parts"]),
            ("vis work", &["vehicle-workshop-visits"]),
            // Columns, with and without their underscores and capitals.
            ("visit_id", &["vehicle-visits", "vehicle-workshop-visits"]),
            ("visitid", &["vehicle-visits"]),
            ("VISIT-ID", &["vehicle-visits", "vehicle-workshop-visits"]),
            ("visit_count", &["vehicle-visits-daily"]),
            ("count", &["vehicle-visits-daily"]),
            ("part_no", &["vehicle-parts"]),
            ("order_line", &["vehicle-workshop-visits"]),
            ("orderline", &["vehicle-parts", "vehicle-workshop-visits"]),
            // Tags and descriptions; decomposed letters.
            ("gewa\u{308}hr", &["vehicle-parts"]),
            ("prices", &["vehicle-parts"]),
            ("repair vin", &["vehicle-workshop-visits"]),
            // All words must be there.
            ("repair campaign", &[]),
            // Not in the middle of a word.
            ("isits", &[]),
            // What SQL would take for more than text is text.
            ("%", &[]),
            ("_", &[]),
            ("'", &[]),
            ("\"", &[]),
            ("v%", &[]),
            ("' union select --", &[]),
            ("100%", &["vehicle-parts"]),
            ("\u{10ffff}", &[]),
        ];
        for (q, expected) in cases {
            let names = found(&company, query(q)).await;
            if *q == "v%" {
                // A letter and a sign: the letter is what is asked for.
                assert_eq!(names.len(), 6, "{q}");
                continue;
            }
            if *q == "vehicle-visits" {
                assert_eq!(names[..2], expected[..2], "{q}: {names:?}");
                let mut rest = names;
                rest.sort();
                let mut expected: Vec<&str> = expected.to_vec();
                expected.sort_unstable();
                assert_eq!(rest, expected, "{q}");
                continue;
            }
            assert_eq!(names, *expected, "{q}");
        }
    }
}

/// Who has the column comes before who has its words apart in weightier places.
#[tokio::test]
async fn a_whole_column_name_comes_first() {
    for company in Company::each().await {
        let exchange = company.exchange();
        for (name, title, column) in [
            ("vehicle-a", "Order line id", "x"),
            ("vehicle-b", "Something else", "order_line_id"),
        ] {
            company.put(name, &[column]);
            let form = ProductNew {
                title: title.to_owned(),
                ..product(name, name)
            };
            exchange
                .product_register(&company.mara, form)
                .await
                .unwrap();
            exchange
                .product_publish(&company.mara, name, ProductPublish::default())
                .await
                .unwrap();
        }
        for (q, expected) in [
            ("order_line_id", ["vehicle-b", "vehicle-a"]),
            ("order line id", ["vehicle-a", "vehicle-b"]),
        ] {
            assert_eq!(found(&company, query(q)).await, expected, "{q}");
        }
    }
}

#[tokio::test]
async fn relevance_puts_the_name_before_the_description() {
    for company in Company::each().await {
        shelf(&company).await;
        let names = found(&company, query("visits")).await;
        assert_eq!(
            names[0], "vehicle-visits",
            "its title is the word: {names:?}"
        );
        let names = found(&company, query("visit")).await;
        assert_eq!(names.last().unwrap(), "vehicle-zeta", "{names:?}");
        let by_name = ProductQuery {
            sort: Some("name".to_owned()),
            ..query("visits")
        };
        let names = found(&company, by_name).await;
        assert!(names.is_sorted(), "{names:?}");
        assert!(
            found(&company, ProductQuery::default()).await.is_sorted(),
            "A to Z without words"
        );
    }
}

fn counts(facet: &[FacetCount]) -> Vec<(&str, u64)> {
    facet
        .iter()
        .map(|count| (count.value.as_str(), count.count))
        .collect()
}

#[tokio::test]
async fn filters_count_what_they_would_leave() {
    for company in Company::each().await {
        let exchange = company.exchange();
        shelf(&company).await;
        company.drafted("vehicle-hidden", "Visits, hidden").await;
        company
            .test
            .world
            .put_table(super::FOLDER, "ledger", Ok(super::inspection(&["vin"])));
        let form = ProductNew {
            team: "ledger".to_owned(),
            storage: "az_weu".to_owned(),
            classification: "public".to_owned(),
            ..product("finance-ledger", "ledger")
        };
        exchange
            .product_register(&company.rita, form)
            .await
            .unwrap();
        exchange
            .product_publish(&company.rita, "finance-ledger", ProductPublish::default())
            .await
            .unwrap();
        company.grant("vehicle-visits", "active").await;
        company.grant("vehicle-parts", "provisioning").await;
        company
            .request("vehicle-zeta", RequestState::Submitted)
            .await;

        let page = exchange
            .products(&company.otto, ProductQuery::default())
            .await
            .unwrap();
        assert_eq!(page.total, 7);
        assert_eq!(
            counts(&page.facets.domain),
            [("finance", 1), ("vehicle", 6)]
        );
        assert_eq!(page.facets.domain[1].title, "The vehicle");
        assert_eq!(
            counts(&page.facets.team),
            [("aftersales", 6), ("ledger", 1)]
        );
        assert_eq!(counts(&page.facets.cloud), [("aws", 6), ("azure", 1)]);
        assert_eq!(
            counts(&page.facets.region),
            [("eu-central-1", 6), ("westeurope", 1)]
        );
        assert_eq!(
            counts(&page.facets.classification),
            [("internal", 6), ("public", 1)]
        );
        assert_eq!(counts(&page.facets.state), [("published", 7)]);
        assert_eq!(
            counts(&page.facets.access),
            [("active", 1), ("none", 4), ("pending", 2)]
        );

        // Each filter with each value leaves exactly what its count said, and the counts of its own facet stay.
        let facets = page.facets;
        let with = |field: &str, value: &str| {
            let mut query = ProductQuery::default();
            let value = Some(value.to_owned());
            match field {
                "domain" => query.domain = value,
                "team" => query.team = value,
                "cloud" => query.cloud = value,
                "region" => query.region = value,
                "classification" => query.classification = value,
                "state" => query.state = value,
                _ => query.access = value,
            }
            query
        };
        for (field, values) in [
            ("domain", &facets.domain),
            ("team", &facets.team),
            ("cloud", &facets.cloud),
            ("region", &facets.region),
            ("classification", &facets.classification),
            ("state", &facets.state),
            ("access", &facets.access),
        ] {
            for value in values {
                let page = exchange
                    .products(&company.otto, with(field, &value.value))
                    .await
                    .unwrap();
                assert_eq!(page.total, value.count, "{field}={}", value.value);
                assert_eq!(page.items.len() as u64, value.count);
                let own = match field {
                    "domain" => &page.facets.domain,
                    "team" => &page.facets.team,
                    "cloud" => &page.facets.cloud,
                    "region" => &page.facets.region,
                    "classification" => &page.facets.classification,
                    "state" => &page.facets.state,
                    _ => &page.facets.access,
                };
                assert_eq!(own, values, "{field}");
            }
        }
        // Two filters and a word.
        let both = ProductQuery {
            cloud: Some("aws".to_owned()),
            access: Some("pending".to_owned()),
            ..query("v")
        };
        assert_eq!(
            found(&company, both).await,
            ["vehicle-parts", "vehicle-zeta"]
        );
        // The other team's access is the other team's.
        let page = exchange
            .products(&company.rita, ProductQuery::default())
            .await
            .unwrap();
        assert_eq!(counts(&page.facets.access), [("none", 7)]);
        let simulated: Vec<bool> = page.items.iter().map(|card| card.simulated).collect();
        assert!(simulated[0] && !simulated[1]);

        // C-07: a draft of another team changes no count; to its own it counts.
        let page = exchange
            .products(&company.otto, query("hidden"))
            .await
            .unwrap();
        assert_eq!(page.total, 0);
        let page = exchange
            .products(&company.nils, ProductQuery::default())
            .await
            .unwrap();
        assert_eq!(counts(&page.facets.state), [("draft", 1), ("published", 7)]);
    }
}

#[tokio::test]
async fn pages_hold_everything_once_whatever_comes_between() {
    for company in Company::each().await {
        let exchange = company.exchange();
        shelf(&company).await;
        for (q, sort) in [
            (None, "name"),
            (Some("visits"), "relevance"),
            (Some("v"), "relevance"),
            (Some("v"), "name"),
        ] {
            let first = ProductQuery {
                q: q.map(str::to_owned),
                sort: Some(sort.to_owned()),
                ..ProductQuery::default()
            };
            let whole: Vec<ProductName> = exchange
                .products(&company.otto, first.clone())
                .await
                .unwrap()
                .items
                .into_iter()
                .map(|card| card.name)
                .collect();
            let mut walked = Vec::new();
            let mut after = None;
            loop {
                let query = ProductQuery {
                    limit: Some(2),
                    after: after.clone(),
                    ..first.clone()
                };
                let page = exchange.products(&company.otto, query).await.unwrap();
                assert_eq!(page.total, whole.len() as u64);
                assert!(page.items.len() <= 2);
                walked.extend(page.items.into_iter().map(|card| card.name));
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
            assert_eq!(walked, whole, "{q:?} {sort}");
        }
        // A product that comes before the place where one stands moves nothing.
        let two = ProductQuery {
            limit: Some(2),
            ..ProductQuery::default()
        };
        let page = exchange.products(&company.otto, two.clone()).await.unwrap();
        company.published("vehicle-aaa", "First of all").await;
        let second = exchange
            .products(
                &company.otto,
                ProductQuery {
                    after: page.next,
                    ..two
                },
            )
            .await
            .unwrap();
        let names: Vec<&str> = second.items.iter().map(|card| card.name.as_str()).collect();
        assert_eq!(names, ["vehicle-visits", "vehicle-visits-daily"]);
    }
}

#[tokio::test]
async fn nonsense_is_refused_by_field() {
    for company in Company::each().await {
        let exchange = company.exchange();
        let set = |change: fn(&mut ProductQuery)| {
            let mut query = ProductQuery::default();
            change(&mut query);
            query
        };
        for (query, field) in [
            (set(|q| q.cloud = Some("mars".into())), "cloud"),
            (
                set(|q| q.classification = Some("x".into())),
                "classification",
            ),
            (set(|q| q.state = Some("x".into())), "state"),
            (set(|q| q.access = Some("x".into())), "access"),
            (set(|q| q.sort = Some("price".into())), "sort"),
            (set(|q| q.after = Some("x".into())), "after"),
            (
                set(|q| q.after = Some("0.'; drop table product".into())),
                "after",
            ),
            (set(|q| q.q = Some("x".repeat(201))), "q"),
            (set(|q| q.q = Some("a\0b".into())), "q"),
            (set(|q| q.q = Some("a b c d e f g h i j k l m".into())), "q"),
            (set(|q| q.region = Some("x".repeat(65))), "region"),
        ] {
            let refused = exchange.products(&company.otto, query).await;
            assert_eq!(fields(refused), [field]);
        }
        let nobody = exchange
            .products(&Principal::nobody(), ProductQuery::default())
            .await;
        assert!(matches!(nobody, Err(Error::Unauthenticated)));
        // A form sends empty fields; they filter nothing.
        let empty = set(|q| {
            q.domain = Some(String::new());
            q.cloud = Some(" ".into());
            q.access = Some(String::new());
            q.sort = Some(String::new());
            q.after = Some(String::new());
        });
        assert_eq!(
            exchange.products(&company.otto, empty).await.unwrap().total,
            0
        );
    }
}

#[tokio::test]
async fn a_search_follows_its_product() {
    for company in Company::each().await {
        let exchange = company.exchange();
        company.published("vehicle-a", "Antelope").await;
        assert_eq!(found(&company, query("antelope")).await, ["vehicle-a"]);
        let change = ProductChange {
            title: Some("Buffalo".to_owned()),
            tags: Some(vec!["Savanna".to_owned()]),
            ..ProductChange::default()
        };
        exchange
            .product_update(&company.mara, "vehicle-a", change)
            .await
            .unwrap();
        for (q, count) in [
            ("antelope", 0),
            ("buffalo", 1),
            ("savanna", 1),
            ("warranty", 0),
        ] {
            assert_eq!(found(&company, query(q)).await.len(), count, "{q}");
        }
    }
}
