//! The whole directory: who is in what, and what can't be told.

use std::sync::Mutex;

use entitled_model::ErrorClass::{Forbidden, Http5xx, Incomplete, Malformed};
use entitled_model::observation::{CensusPerson, ObservedGroup, Standing, SystemGroup};
use serde_json::json;

use super::*;
use crate::source::Progress;
use fake::Fault;

const MAPPED: &str = "prefix = \"acme-\"\nadmin_group = \"Acme Bosses\"\neveryone_group = \"all\"";

#[tokio::test]
async fn accounts_are_told_with_their_ids_addresses_and_standing() {
    // G5
    let bench = bench("").await;
    bench.server.state().users = vec![
        json!({"id": "u-1", "userName": "Ann@Example.org", "emails": [
            {"value": "a@example.org"}, {"value": "ANN@example.org", "primary": true}], "active": false}),
        json!({"id": "u-2", "userName": "bob@example.org"}),
        json!({"id": "u-3", "userName": "robot"}),
    ];
    bench.server.state().groups = vec![group("g-1", "Devs", &["u-1", "u-2", "u-3"])];
    let census = bench.census().await.expect("whole");
    let people: Vec<_> = census.people.iter().filter_map(CensusPerson::account).collect();
    let told =
        people.iter().map(|account| (account.external_id.as_str(), account.address.as_given(), account.standing));
    let expected = [("u-1", "ANN@example.org", Standing::Suspended), ("u-2", "bob@example.org", Standing::Active)];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    assert_eq!(people[0].aliases.iter().map(|alias| alias.as_given()).collect::<Vec<_>>(), ["a@example.org"]);
    assert_eq!(memberships(&census)["devs"], members(&[ANN, BOB]), "the suspended one keeps their rows");
    assert!(marked(&census).is_empty(), "an account without an address is nobody");
    let Some(ObservedGroup::Directory { external_id: Some(id), .. }) = census.groups.first().map(|one| &one.group)
    else {
        panic!("with the directory's id");
    };
    assert_eq!(id, "g-1");
}

#[tokio::test]
async fn only_groups_that_count_come_through_and_inner_ones_are_a_way_in() {
    // G3
    let bench = bench(MAPPED).await;
    bench.server.set(|state| {
        state.users = vec![user("u-1", ANN), user("u-2", BOB)];
        state.groups = vec![
            group("g-1", " ACME-Devs ", &["g-2"]),
            group("g-2", "Others", &["u-1"]),
            group("g-3", "acme bosses", &["u-2"]),
            group("g-4", "ALL", &["g-1", "u-2"]),
        ];
    });
    assert_eq!(bench.groups_of(ANN).await, ["Everyone", "acme-devs"]);
    assert_eq!(bench.groups_of(BOB).await, ["Admin", "Everyone"]);
    let census = bench.census().await.expect("whole");
    assert_eq!(census.groups[0].group, ObservedGroup::System(SystemGroup::Admin));
}

#[tokio::test]
async fn nested_groups_end_although_they_go_round_and_are_the_same_for_one_and_for_all() {
    // G4
    for (nested, expected) in [("expand", vec!["a", "b", "c"]), ("direct", vec!["a"])] {
        let bench = bench(&format!("nested = \"{nested}\"")).await;
        bench.server.set(|state| {
        state.users = vec![user("u-1", ANN), user("u-2", BOB)];
        state.groups = vec![
            json!({"id": "g-1", "displayName": "A", "members": [
                {"value": "u-1", "type": "User"}, {"value": "g-3", "$ref": "https://x/v2/Groups/g-3"}]}),
            json!({"id": "g-2", "displayName": "B", "members": [{"value": "g-1", "type": "Group"}, {"value": "g-1"}]}),
            group("g-3", "C", &["g-2"]),
            json!({"id": "g-4", "displayName": "D", "members": [{"value": "u-2", "$ref": "../Users/u-2"}]}),
        ];
        });
        assert_eq!(bench.groups_of(ANN).await, expected, "{nested}");
        assert_eq!(bench.groups_of(BOB).await, ["d"]);
        assert!(marked(&bench.census().await.expect("whole")).is_empty());
    }
}

#[tokio::test]
async fn members_that_the_lists_leave_out_are_read_group_by_group() {
    // G1
    let bench = bench(MAPPED).await;
    bench.server.set(|state| {
        state.members_told = false;
        state.users = vec![user("u-1", ANN), user("u-2", BOB)];
        state.groups = vec![
            group("g-1", "acme-devs", &["g-2", "u-2"]),
            group("g-2", "inner", &["u-1"]),
            group("g-3", "unrelated", &["u-1"]),
            group("g-4", "acme-none", &[]),
        ];
    });
    let census = bench.census().await.expect("whole");
    assert_eq!(memberships(&census)["acme-devs"], members(&[ANN, BOB]));
    assert_eq!(memberships(&census)["acme-none"], members(&[]));
    assert_eq!(bench.server.asked("/Groups/g-3").len(), 0, "what does not count is not read");
    assert_eq!(bench.groups_of(ANN).await, ["acme-devs"]);
}

#[tokio::test]
async fn a_group_that_is_unchanged_costs_no_body() {
    let bench = bench("").await;
    bench.server.set(|state| {
        state.members_told = false;
        state.provider_config = Some(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"], "etag": {"supported": true}}));
        state.users = vec![user("u-1", ANN), user("u-2", BOB)];
        state.groups = vec![group("g-1", "Devs", &["u-1"]), group("g-2", "Ops", &["u-1"])];
    });
    let first = bench.census().await.expect("whole");
    let statuses = |bench: &Bench| bench.server.asked("/Groups/").iter().map(|asked| asked.status).collect::<Vec<_>>();
    assert_eq!(statuses(&bench), [200, 200]);
    bench.server.heal();
    assert_eq!(bench.census().await.expect("whole"), first);
    assert_eq!(statuses(&bench), [304, 304]);
    bench.server.heal();
    bench.server.state().groups[0] = group("g-1", "Devs", &["u-1", "u-2"]);
    let changed = bench.census().await.expect("whole");
    assert_eq!(memberships(&changed)["devs"], members(&[ANN, BOB]));
    let mut told = statuses(&bench);
    told.sort_unstable();
    assert_eq!(told, [200, 304]);
}

#[tokio::test]
async fn a_member_that_no_list_holds_is_read_alone_and_one_that_is_nowhere_keeps_its_group() {
    // S5
    let bench = bench("").await;
    bench.server.set(|state| {
        state.users = vec![user("u-1", ANN), user("u-2", BOB)];
        state.groups = vec![
            group("g-1", "Devs", &["u-1", "u-2"]),
            group("g-2", "Ops", &["u-1", "u-9"]),
            json!({"id": "g-3", "displayName": "Deep", "members": [{"value": "g-9", "type": "Group"}]}),
            group("g-4", "Outer", &["g-2"]),
            group("g-5", "Fine", &["u-1"]),
            json!({"id": "g-6", "displayName": "Odd", "members": [{"display": "x"}]}),
            json!({"id": "g-7", "displayName": "Things", "members": [{"value": "d-1", "type": "Device"}]}),
        ];
    });
    bench.server.fault(
        "/Users?",
        Fault::Edit(|body| {
            body["totalResults"] = json!(1);
            body["Resources"].as_array_mut().expect("a list").truncate(1);
        }),
    );
    let census = bench.census().await.expect("whole");
    assert_eq!(memberships(&census)["devs"], members(&[ANN, BOB]), "found alone");
    assert_eq!(memberships(&census)["ops"], members(&[ANN]), "additions apply");
    let expected = [("deep", Incomplete), ("odd", Malformed), ("ops", Incomplete), ("outer", Incomplete)];
    assert_eq!(marked(&census), BTreeMap::from(expected));
}

#[tokio::test]
async fn a_group_that_could_not_be_read_is_marked_and_so_is_the_one_around_it() {
    // G1, S15
    for (fault, expected) in [
        (Fault::Answer(500, String::new()), Http5xx),
        (Fault::Answer(403, String::new()), Forbidden),
        (Fault::Answer(200, "{}".to_owned()), Malformed),
        (Fault::Truncate, Incomplete),
        (Fault::Edit(|body| body["id"] = json!("g-2")), Malformed),
    ] {
        let bench = bench("").await;
        bench.server.set(|state| {
            state.members_told = false;
            state.users = vec![user("u-1", ANN)];
            let all = [("g-1", "Devs", "u-1"), ("g-2", "Outer", "g-1"), ("g-3", "Fine", "u-1"), ("g-4", "Too", "u-1")];
            state.groups = all.map(|(id, name, member)| group(id, name, &[member])).to_vec();
        });
        bench.server.fault("/Groups/g-1", fault);
        let census = bench.census().await.expect("most were read");
        assert_eq!(marked(&census), BTreeMap::from([("devs", expected), ("outer", expected)]));
        assert_eq!(memberships(&census)["fine"], members(&[ANN]));
    }
}

#[tokio::test]
async fn a_group_that_goes_away_meanwhile_is_incomplete_and_most_groups_failing_fail_the_whole() {
    // S5
    let bench = bench("").await;
    bench.server.set(|state| {
        state.members_told = false;
        state.groups = vec![group("g-1", "Devs", &[]), group("g-2", "Ops", &[])];
    });
    bench.server.fault("/Groups/g-1", Fault::Answer(404, String::new()));
    assert_eq!(marked(&bench.census().await.expect("whole")), BTreeMap::from([("devs", Incomplete)]));
    bench.server.heal();
    bench.server.fault("/Groups/", Fault::Answer(500, String::new()));
    assert_eq!(class(&bench.census().await), Some(Http5xx));
}

#[tokio::test]
async fn the_only_resource_read_alone_may_fail_without_failing_the_whole() {
    // S15
    let bench = bench("").await;
    bench.server.set(|state| {
        state.users = vec![user("u-1", ANN)];
        state.groups = vec![
            group("g-1", "Devs", &["u-1"]),
            json!({"id": "g-2", "displayName": "Untold"}),
            group("g-3", "Odd", &["u-9"]),
        ];
    });
    bench.server.fault("/Groups/g-2", Fault::Answer(500, String::new()));
    bench.server.fault("/Users/u-9", Fault::Answer(503, String::new()));
    let census = bench.census().await.expect("most is there");
    assert_eq!(marked(&census), BTreeMap::from([("odd", Http5xx), ("untold", Http5xx)]));
    assert_eq!(memberships(&census)["devs"], members(&[ANN]));
}

#[tokio::test]
async fn groups_of_one_name_are_neither_taken_nor_emptied_and_others_are_untouched() {
    let bench = bench("admin_group = \"bosses\"").await;
    bench.server.set(|state| {
        state.users = vec![user("u-1", ANN), user("u-2", BOB)];
        state.groups = vec![
            group("g-1", "Devs", &["u-1"]),
            group("g-2", "DEVS ", &["u-2"]),
            group("g-3", "Bosses", &["u-1"]),
            group("g-4", "bosses", &["u-2"]),
            group("g-5", "Ops", &["u-2"]),
        ];
    });
    let census = bench.census().await.expect("whole");
    assert_eq!(marked(&census), BTreeMap::from([("Admin", Malformed), ("devs", Malformed)]));
    assert_eq!((memberships(&census)["devs"].len(), memberships(&census)["ops"].len()), (0, 1));
    assert_eq!(class(&bench.ask(ANN).await), Some(Malformed), "and a login fails");
}

#[tokio::test]
async fn an_address_of_two_accounts_keeps_their_groups_and_an_id_of_two_resources_its_own() {
    let bench = bench("").await;
    bench.server.set(|state| {
        state.users =
            vec![user("u-1", ANN), user("u-2", "ANN@example.org"), user("u-3", BOB), user("g-2", "c@example.org")];
        state.groups =
            vec![group("g-1", "Devs", &["u-1", "u-3"]), group("g-2", "Ops", &["u-3"]), group("g-3", "Outer", &["g-2"])];
    });
    let census = bench.census().await.expect("whole");
    assert_eq!(marked(&census), BTreeMap::from([("devs", Malformed), ("outer", Malformed)]));
    assert_eq!(memberships(&census)["devs"], members(&[BOB]));
    assert_eq!(class(&bench.ask(ANN).await), Some(Malformed));
}

/// Remembers what it was told.
#[derive(Default)]
struct Told(Mutex<Vec<(String, u64, Option<u64>)>>);

impl Progress for Told {
    fn pages(&self, what: &str, done: u64, expected: Option<u64>) {
        self.0.lock().expect("told").push((what.to_owned(), done, expected));
    }
}

#[tokio::test]
async fn it_says_how_far_it_is() {
    // G9
    let bench = bench("page_size = 2").await;
    bench.server.set(|state| {
        state.members_told = false;
        state.users = (0..3).map(|number| user(&format!("u-{number}"), &format!("u{number}@example.org"))).collect();
        state.groups = vec![group("g-1", "Devs", &["u-1"]), group("g-2", "Ops", &["u-1"])];
    });
    let told = Told::default();
    bench.source.census(&told).await.expect("whole");
    let told = told.0.into_inner().expect("told");
    let told: Vec<_> = told.iter().map(|(what, done, expected)| (what.as_str(), *done, *expected)).collect();
    let pages = |what, done, expected| (what, done, Some(expected));
    let expected = [
        pages("pages of users", 1, 2),
        pages("pages of users", 2, 2),
        pages("pages of groups", 1, 1),
        pages("groups", 1, 2),
        pages("groups", 2, 2),
    ];
    assert_eq!(told, expected);
}
