//! What a file says, and what it fails to say.

use std::fs;

use entitled_model::EntitlementValue;
use entitled_model::ErrorClass::Malformed;
use entitled_model::observation::{Coverage, ObservedGroup, SystemGroup};
use serde_json::json;

use crate::source::testing::{Bench, groups, person};

const FILE: &str = r#"
[users."Ann@Example.ORG"]
can_access = true
max_storage = 5
groups = ["editors", " Admin "]

[users."bob@example.org"]
can_access = false
"#;

#[tokio::test]
async fn an_entry_is_found_by_its_folded_address() {
    let bench = Bench::local(FILE).await;
    let answer = bench.ask(&person(" ann@example.org")).await.expect("answered");
    assert_eq!(groups(&answer), ["Admin", "editors"]);
    assert!(answer.groups.contains(&ObservedGroup::System(SystemGroup::Admin)));
    assert_eq!(answer.coverage, Coverage::Everything);
    let stated = answer.stated.entitlements().expect("stated").clone();
    assert_eq!(stated.get("max_storage"), Some(&EntitlementValue::of(&json!(5))));
    assert!(!stated.contains_key("groups"));
}

#[tokio::test]
async fn an_entry_without_groups_says_nothing_about_them() {
    // S7
    let bench = Bench::local(FILE).await;
    let answer = bench.ask(&person("bob@example.org")).await.expect("answered");
    assert_eq!(answer.coverage, Coverage::Facets(Default::default()));
    assert!(answer.present);
}

#[tokio::test]
async fn a_person_who_is_not_in_the_file_has_nothing_there() {
    // S6
    let bench = Bench::local(FILE).await;
    let answer = bench.ask(&person("eve@example.org")).await.expect("answered");
    assert_eq!((answer.coverage, answer.present, answer.groups.len()), (Coverage::Everything, false, 0));
}

#[tokio::test]
async fn a_change_counts_at_the_next_question() {
    let bench = Bench::local(FILE).await;
    bench.ask(&person("ann@example.org")).await.expect("answered");
    fs::write(bench.folder.path().join("users.toml"), "[users.\"ann@example.org\"]\ngroups = []\n").expect("written");
    let answer = bench.ask(&person("ann@example.org")).await.expect("answered");
    assert_eq!((groups(&answer).len(), answer.coverage), (0, Coverage::Everything));
}

#[tokio::test]
async fn a_file_that_is_wrong_removes_nothing() {
    // S8
    let bench = Bench::local(FILE).await;
    let file = bench.folder.path().join("users.toml");
    for wrong in [
        "",
        "[users",
        "users = 3",
        "[users]\n\"ann@example.org\" = true",
        "[users.\"ann@example.org\"]\ngroups = \"editors\"",
        "[users.\"ann@example.org\"]\ngroups = [1]",
        "[users.\"ann@example.org\"]\nquota = nan",
        "[users.\"ann@example.org\"]\n[users.\"ANN@example.org\"]",
    ] {
        fs::write(&file, wrong).expect("written");
        let failure = bench.ask(&person("ann@example.org")).await.expect_err(wrong);
        assert_eq!(failure.class, Malformed, "{wrong}");
    }
    fs::remove_file(&file).expect("removed");
    assert_eq!(bench.ask(&person("ann@example.org")).await.map_err(|failure| failure.class), Err(Malformed));
}
