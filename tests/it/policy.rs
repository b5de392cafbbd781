//! The policy's promises, what keeps each, and what proves it.

use std::{collections::BTreeSet, fs};

use vidintel::policy::{Proof, SECTIONS, clauses, markdown};

use crate::util::{World, assert_kept};

#[test]
fn every_section_of_the_policy_has_its_clauses() {
    let known: BTreeSet<&str> = clauses().map(|it| it.section).collect();
    assert_eq!(known, SECTIONS.iter().copied().collect());
}

#[test]
fn every_test_that_a_clause_names_is_there() {
    let folder = local::workspace().join("tests/it");
    for clause in clauses() {
        assert!(!clause.promise.is_empty() && !clause.control.is_empty(), "{}", clause.section);
        let Proof::Tests(tests) = clause.proof else { continue };
        assert!(!tests.is_empty(), "{}: {}", clause.section, clause.promise);
        for test in tests {
            let (module, function) = test.split_once("::").expect("module::function");
            let file = fs::read_to_string(folder.join(format!("{module}.rs"))).expect("the module");
            let there = file
                .match_indices(&format!("fn {function}("))
                .any(|(at, _)| file[..at].lines().rev().take(4).any(|line| line.contains("test")));
            assert!(there, "{test} does not exist");
        }
    }
}

#[test]
fn the_kept_controls_are_fresh() {
    assert_kept("docs/PRIVACY-CONTROLS.md", &markdown());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_tables_are_the_inventory() {
    let world = World::start().await;
    let client = world.cloud.client();
    let policy = world.send(client.get("/v1/policy")).await.json();
    let kept = |id: &str| {
        let rows = policy["retention"].as_array().expect("rows").iter();
        rows.clone().find(|it| it["category"] == id).expect("the category")["kept"].clone()
    };
    // The figures of the policy, section 3.2.
    for (category, period) in [
        ("accounts", "until deleted"),
        ("api-logs", "30 days"),
        ("usage-statistics", "12 months"),
        ("billing-records", "7 years"),
        ("support-messages", "2 years"),
        ("backups", "30 days"),
        ("video-cache", "1 hour"),
    ] {
        assert_eq!(kept(category), period, "{category}");
    }
    // Section 10.2.
    let ccpa = policy["ccpa"].as_array().expect("rows").iter();
    let names: Vec<_> = ccpa.map(|it| it["category"].as_str().expect("a name")).collect();
    assert_eq!(
        names,
        [
            "Commercial information",
            "Geolocation",
            "Identifiers",
            "Internet activity",
            "Professional information",
        ]
    );
}

/// Who receives what, by name; of what is public of videos and creators the API's customers do.
#[tokio::test(flavor = "multi_thread")]
async fn recipients_are_named_and_customers_are_among_them() {
    let world = World::start().await;
    let client = world.cloud.client();
    let policy = world.send(client.get("/v1/policy")).await.json();
    let rows = policy["recipients"].as_array().expect("rows");
    let data = |name: &str| {
        let row =
            rows.iter().find(|it| it["recipient"] == name).unwrap_or_else(|| panic!("{name}"));
        let ids = row["data"].as_array().expect("categories").iter();
        ids.map(|it| it.as_str().expect("an id").to_owned()).collect::<BTreeSet<_>>()
    };
    let caches = ["video-cache", "creator-cache", "search-cache", "comment-cache"];
    assert_eq!(data("customers of this API"), caches.map(str::to_owned).into());
    assert!(data("Stripe (payment processor)").contains("billing-records"));
    assert!(data("Amazon SES (e-mail service)").contains("accounts"));
    let hosted = data("Amazon Web Services (cloud hosting)");
    assert!(caches.iter().all(|it| hosted.contains(*it)) && hosted.contains("api-logs"));
    assert_eq!(rows.len(), 4, "one more recipient: name it in the policy");
    // Nothing is sold.
    let ccpa = policy["ccpa"].as_array().expect("rows");
    assert!(ccpa.iter().all(|it| it["sold"] == false));
}
