//! The directory pages, filters and refuses like the API it plays.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::stage::Stage;

const BIG: &str = "grp_acme_big@example.com";

async fn with_members(count: usize) -> Stage {
    let stage = Stage::empty().await;
    for number in 0..count {
        stage.add_member(BIG, &format!("user{number}@example.org"));
    }
    stage
}

fn emails(rows: &[Value]) -> Vec<&str> {
    rows.iter().filter_map(|row| row["email"].as_str()).collect()
}

/// G1
#[tokio::test]
async fn members_come_in_pages_of_at_most_200() {
    let stage = with_members(450).await;
    let rows = stage.all(&format!("groups/{BIG}/members?maxResults=1000"), "members").await;
    let ids: BTreeSet<_> = rows.iter().map(|row| row["id"].as_str().expect("an id")).collect();
    assert_eq!((rows.len(), ids.len()), (450, 450));
    assert_eq!(stage.count(entitled_simulator::System::Google), 3);
    assert_eq!(rows[0]["type"], "USER");
    let group = stage.page(&format!("groups/{BIG}")).await;
    assert_eq!(group["directMembersCount"], "450");
}

#[tokio::test]
async fn users_come_in_pages_of_100_unless_up_to_500_are_asked_for() {
    let stage = with_members(620).await;
    let page = stage.page("users?customer=my_customer").await;
    assert_eq!(page["users"].as_array().map(Vec::len), Some(100));
    let page = stage.page("users?customer=my_customer&maxResults=9000").await;
    assert_eq!(page["users"].as_array().map(Vec::len), Some(500));
    assert_eq!(stage.all("users?domain=Example.ORG&maxResults=500", "users").await.len(), 620);
    assert_eq!(stage.all("users?domain=example.net", "users").await.len(), 0);
}

#[tokio::test]
async fn an_empty_page_has_no_list() {
    let stage = Stage::empty().await;
    stage.add_group(BIG);
    let page = stage.page(&format!("groups/{BIG}/members")).await;
    assert_eq!(page.get("members"), None);
    assert_eq!(page.get("nextPageToken"), None);
    let page = stage.page("groups?customer=my_customer&query=email:nobody*").await;
    assert_eq!(page.get("groups"), None);
}

#[tokio::test]
async fn a_page_token_is_good_for_its_own_list_and_three_days() {
    let mut stage = with_members(201).await;
    let page = stage.page(&format!("groups/{BIG}/members")).await;
    let token = page["nextPageToken"].as_str().expect("a second page").to_owned();
    assert_eq!(
        stage.refusal(&format!("users?customer=my_customer&pageToken={token}")).await,
        (400, "invalid".to_owned())
    );
    assert_eq!(stage.refusal(&format!("groups/{BIG}/members?pageToken=nonsense")).await, (400, "invalid".to_owned()));
    stage.set_token_lifetime(Duration::from_secs(7 * 24 * 3600));
    stage.renew_token().await;
    stage.advance_clock(Duration::from_secs(3 * 24 * 3600));
    let refusal = stage.refusal(&format!("groups/{BIG}/members?pageToken={token}")).await;
    assert_eq!(refusal, (400, "invalid".to_owned()));
}

#[tokio::test]
async fn a_change_between_two_pages_shifts_nothing() {
    let stage = with_members(401).await;
    let first = stage.page(&format!("groups/{BIG}/members")).await;
    let removed = first["members"][0]["email"].as_str().expect("an address");
    stage.remove_member(BIG, removed);
    let token = first["nextPageToken"].as_str().expect("a second page");
    let second = stage.page(&format!("groups/{BIG}/members?pageToken={token}")).await;
    let seen: BTreeSet<_> =
        [&first, &second].iter().flat_map(|page| emails(page["members"].as_array().expect("rows"))).collect();
    assert_eq!(seen.len(), 400);
}

/// G3
#[tokio::test]
async fn groups_are_listed_by_customer_domain_prefix_and_member() {
    let stage = Stage::empty().await;
    stage.add_user("Ann@Example.org");
    stage.add_alias("ann@example.org", "a.n@example.org");
    stage.add_member("GRP_acme_X@example.com", "ann@example.org").add_member("team_y@example.net", "ann@example.org");
    stage.add_member("outer@example.com", "grp_acme_x@example.com");
    let groups = stage.page("groups?customer=my_customer").await;
    let expected = ["GRP_acme_X@example.com", "outer@example.com", "team_y@example.net"];
    assert_eq!(emails(groups["groups"].as_array().expect("rows")), expected);
    let groups = stage.page("groups?customer=my_customer&query=email:Grp_acme_*").await;
    assert_eq!(emails(groups["groups"].as_array().expect("rows")), ["GRP_acme_X@example.com"]);
    let groups = stage.page("groups?domain=example.net").await;
    assert_eq!(emails(groups["groups"].as_array().expect("rows")), ["team_y@example.net"]);
    let id = stage.directory_id("ann@example.org").expect("ann").to_string();
    for key in ["ANN@example.ORG", "a.n@example.org", id.as_str()] {
        let groups = stage.page(&format!("groups?userKey={key}")).await;
        assert_eq!(
            emails(groups["groups"].as_array().expect("rows")),
            ["GRP_acme_X@example.com", "team_y@example.net"]
        );
    }
    let groups = stage.page("groups?userKey=grp_acme_x%40example.com").await;
    assert_eq!(emails(groups["groups"].as_array().expect("rows")), ["outer@example.com"]);
}

/// G6
#[tokio::test]
async fn unknown_is_404_and_deleted_is_412() {
    let stage = Stage::empty().await;
    stage.add_member(BIG, "ann@example.org").delete_user("ann@example.org");
    assert_eq!(stage.refusal("groups?userKey=ann@example.org").await, (412, "conditionNotMet".to_owned()));
    assert_eq!(stage.refusal("users/ann@example.org").await, (404, "notFound".to_owned()));
    assert_eq!(stage.page(&format!("groups/{BIG}/members")).await.get("members"), None);
    stage.purge_user("ann@example.org");
    assert_eq!(stage.refusal("groups?userKey=ann@example.org").await, (404, "notFound".to_owned()));
    stage.add_member(BIG, "ann@example.org");
    assert_eq!(stage.all("groups?userKey=ann@example.org", "groups").await.len(), 1);
    let body: Value =
        stage.directory("groups?userKey=x@y.z").send().await.expect("an answer").json().await.expect("JSON");
    let message = "Resource Not Found: userKey";
    let errors = json!([{ "message": message, "domain": "global", "reason": "notFound" }]);
    assert_eq!(body, json!({ "error": { "code": 404, "message": message, "errors": errors } }));
}

/// G5
#[tokio::test]
async fn a_suspended_user_stays_a_member() {
    let stage = with_members(1).await;
    stage.suspend_user("user0@example.org");
    let members = stage.page(&format!("groups/{BIG}/members")).await;
    assert_eq!(members["members"][0]["status"], "SUSPENDED");
    assert_eq!(stage.page("users/user0@example.org").await["suspended"], true);
    stage.reactivate_user("user0@example.org");
    assert_eq!(stage.page("users/user0@example.org").await["suspended"], false);
}

/// G4
#[tokio::test]
async fn nested_groups_and_cycles_are_served_as_they_are() {
    let stage = Stage::empty().await;
    for (group, member) in [("a@x.org", "b@x.org"), ("b@x.org", "c@x.org"), ("c@x.org", "a@x.org")] {
        stage.add_group(member);
        stage.add_member(group, member);
    }
    stage.add_member("c@x.org", "ann@x.org").add_customer("a@x.org").add_external("a@x.org", "guest@elsewhere.org");
    let direct = stage.page("groups/a@x.org/members").await;
    let kinds: Vec<_> = direct["members"].as_array().expect("rows").iter().map(|row| row["type"].as_str()).collect();
    assert_eq!(kinds, [Some("CUSTOMER"), Some("GROUP"), Some("EXTERNAL")]);
    assert_eq!(direct["members"][0].get("email"), None);
    let derived = stage.all("groups/a@x.org/members?includeDerivedMembership=true", "members").await;
    assert!(emails(&derived).contains(&"ann@x.org"));
    assert_eq!(stage.page("groups/a@x.org/hasMember/ann@x.org").await["isMember"], true);
    assert_eq!(stage.page("groups/b@x.org/hasMember/guest@elsewhere.org").await["isMember"], false);
    assert_eq!(stage.refusal("groups/a@x.org/members/ann@x.org").await, (404, "notFound".to_owned()));
    assert_eq!(stage.page("groups/c@x.org/members/ann@x.org").await["role"], "MEMBER");
}

#[tokio::test]
async fn what_the_api_refuses_is_refused() {
    let stage = Stage::empty().await;
    for (path, status) in [
        ("groups", 400),
        ("groups?customer=my_customer&userKey=a@b.c", 400),
        ("groups?customer=somebody_else", 400),
        ("groups?customer=my_customer&query=name:x*", 400),
        ("groups?customer=my_customer&maxResults=0", 400),
        ("users", 400),
        ("groups/nobody@example.org/members", 404),
    ] {
        assert_eq!(stage.refusal(path).await.0, status, "{path}");
    }
}

#[tokio::test]
async fn fields_without_next_page_token_cut_a_list_silently() {
    let stage = with_members(201).await;
    let page = stage.page(&format!("groups/{BIG}/members?fields=members(email)")).await;
    assert_eq!(page.get("nextPageToken"), None);
    assert_eq!(page["members"].as_array().map(Vec::len), Some(200));
    assert_eq!(page["members"][0].as_object().map(serde_json::Map::len), Some(1));
}

#[tokio::test]
async fn an_id_survives_a_new_address() {
    let stage = with_members(1).await;
    let id = stage.directory_id("user0@example.org");
    stage.readdress_user("user0@example.org", "renamed@example.org").readdress_group(BIG, "grp_acme_huge@example.com");
    assert_eq!(stage.directory_id("renamed@example.org"), id);
    let members = stage.page("groups/grp_acme_huge@example.com/members").await;
    assert_eq!(emails(members["members"].as_array().expect("rows")), ["renamed@example.org"]);
    assert_eq!(stage.refusal(&format!("groups/{BIG}")).await.0, 404);
    assert_eq!(stage.page("users/user0@example.org").await["aliases"], json!(["user0@example.org"]));
}
