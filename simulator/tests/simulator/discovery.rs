//! The simulator's answers, field by field, against Google's discovery document; and the judge itself, on what it must
//! refuse.

use serde_json::{Value, json};

use crate::discovery_document::Discovery;
use crate::stage::Stage;

async fn world() -> Stage {
    let stage = Stage::empty().await;
    for number in 0..201 {
        stage.add_member("grp_acme_big@example.com", &format!("user{number}@example.org"));
    }
    stage.add_member("outer@example.com", "grp_acme_big@example.com").add_customer("outer@example.com");
    stage.add_external("outer@example.com", "guest@elsewhere.example").add_group("grp_acme_empty@example.com");
    stage.describe_group("outer@example.com", "Outer", "All of them");
    stage.add_alias("user1@example.org", "one@example.org").suspend_user("user2@example.org");
    stage
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[tokio::test]
async fn every_answer_has_the_fields_and_types_that_google_declares() {
    // G1, G2, G3, G5
    let discovery = Discovery::of_directory();
    let stage = world().await;
    for path in [
        "groups?customer=my_customer",
        "groups?domain=example.com&maxResults=1",
        "groups?userKey=user1@example.org",
        "groups?userKey=grp_acme_big@example.com",
        "groups/outer@example.com",
        "groups/grp_acme_big@example.com/members",
        "groups/outer@example.com/members?includeDerivedMembership=true",
        "groups/grp_acme_empty@example.com/members?roles=OWNER",
        "groups/grp_acme_big@example.com/members/user2@example.org",
        "groups/outer@example.com/hasMember/user2@example.org",
        "users?customer=my_customer&maxResults=500&projection=basic",
        "users?domain=example.org&query=email:user1*",
        "users/user1@example.org",
        "users/user2@example.org",
    ] {
        let (plain, query) = path.split_once('?').unwrap_or((path, ""));
        let method = discovery.request("GET", &format!("/admin/directory/v1/{plain}"), &pairs(query));
        let method = method.unwrap_or_else(|fault| panic!("{path}: {fault}"));
        let body = stage.page(path).await;
        discovery.answer(&method, &body).unwrap_or_else(|fault| panic!("{path}: {fault}"));
    }
}

#[test]
fn a_request_that_google_does_not_declare_is_refused() {
    let discovery = Discovery::of_directory();
    for (verb, path, query, fault) in [
        ("POST", "groups", "customer=my_customer", "no method"),
        ("GET", "groups/", "", "no method"),
        ("GET", "group", "customer=my_customer", "no method"),
        ("GET", "groups/a/members/b/c", "", "no method"),
        ("GET", "groups", "customer=my_customer&includeDerivedMembership=true", "takes no parameter"),
        ("GET", "groups/a", "groupKey=a", "takes no parameter"),
        ("GET", "groups", "customer=my_customer&maxResults=201", "beyond"),
        ("GET", "groups/a/members", "maxResults=201", "beyond"),
        ("GET", "users", "customer=my_customer&maxResults=501", "beyond"),
        ("GET", "users", "customer=my_customer&maxResults=0", "beyond"),
        ("GET", "users", "customer=my_customer&maxResults=many", "no number"),
        ("GET", "users", "customer=my_customer&projection=all", "none of its words"),
        ("GET", "groups/a/members", "includeDerivedMembership=yes", "true or false"),
        ("GET", "groups/a/members", "fields=members(id)", "cuts the list"),
        ("GET", "groups/a/members", "pageToken=a&pageToken=b", "2 times"),
        ("GET", "groups", "", "names 0 of"),
        ("GET", "groups", "customer=my_customer&userKey=a", "names 2 of"),
    ] {
        let judged = discovery.request(verb, &format!("/admin/directory/v1/{path}"), &pairs(query));
        let said = judged.err().unwrap_or_default();
        assert!(said.contains(fault) && !said.is_empty(), "{verb} {path}?{query}: {said:?}");
    }
    let whole = pairs("fields=nextPageToken,members(id)&maxResults=200&alt=json");
    assert!(discovery.request("GET", "/admin/directory/v1/groups/a/members", &whole).is_ok());
}

#[test]
fn an_answer_that_google_does_not_declare_is_refused() {
    let discovery = Discovery::of_directory();
    let judged = |path: &str, body: Value| {
        let scope = if path.contains('/') { Vec::new() } else { pairs("customer=my_customer") };
        let method = discovery.request("GET", &format!("/admin/directory/v1/{path}"), &scope).expect("a method");
        discovery.answer(&method, &body)
    };
    assert_eq!(judged("groups/a", json!({ "directMembersCount": "7", "adminCreated": true })), Ok(()));
    for (path, body) in [
        ("groups/a", json!({ "directMembersCount": 7 })),
        ("groups/a", json!({ "directMembersCount": "seven" })),
        ("groups/a", json!({ "adminCreated": "yes" })),
        ("groups/a", json!({ "membersCount": "7" })),
        ("groups/a", json!({ "kind": "admin#directory#groups" })),
        ("groups/a", json!([])),
        ("groups", json!({ "groups": {} })),
        ("groups", json!({ "groups": [{ "id": 7 }] })),
        ("groups", json!({ "groups": [{ "mail": "a@example.com" }] })),
        ("users", json!({ "users": [{ "suspended": "false" }] })),
        ("users", json!({ "users": [{ "creationTime": "yesterday" }] })),
        ("users", json!({ "users": [{ "name": { "first": "Ann" } }] })),
        ("groups/a/members", json!({ "members": [{ "email": null }] })),
    ] {
        assert!(judged(path, body.clone()).is_err(), "{path}: {body}");
    }
}
