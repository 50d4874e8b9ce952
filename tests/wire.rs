//! What the daemon's Google client sends, request by request, against Google's own discovery document.

mod support;

#[path = "../simulator/tests/support/discovery.rs"]
mod discovery;

use std::collections::BTreeSet;

use discovery::Discovery;
use entitled_simulator::{RecordedRequest, System};
use support::{Ended, World};

const ANN: &str = "ann@example.org";

/// Lists of several pages, groups within groups, a member who is not a person.
fn fill(world: &World) {
    let org = world.org();
    for number in 0..450 {
        org.add_member("grp_acme_many@example.com", &format!("m{number:03}@example.org"));
    }
    for number in 0..201 {
        org.add_group(&format!("grp_acme_{number:03}@example.com"));
    }
    org.add_member("grp_acme_inner@example.com", ANN)
        .add_member("grp_acme_outer@example.com", "grp_acme_inner@example.com");
    org.add_customer("grp_acme_outer@example.com")
        .add_external("grp_acme_outer@example.com", "guest@elsewhere.example");
    // A number that disagrees is asked for again, by another method.
    org.state_members_count("grp_acme_inner@example.com", Some(2));
}

/// Judges every request, and what the simulator answers to it; returns the methods that were called.
async fn judge(world: &World, requests: &[RecordedRequest]) -> BTreeSet<String> {
    let (discovery, client) = (Discovery::of_directory(), reqwest::Client::new());
    let mut called = BTreeSet::new();
    for request in requests {
        let RecordedRequest { method: verb, path, query, .. } = request;
        let method = discovery.request(verb, path, query).unwrap_or_else(|fault| panic!("{path} {query:?}: {fault}"));
        let again = client.get(format!("{}{path}", world.simulator.base_url())).query(query);
        let again = again.header("authorization", request.header("authorization").expect("a token"));
        let answer = again.send().await.expect("an answer");
        if answer.status() == 200 {
            let body = answer.json().await.expect("JSON");
            discovery.answer(&method, &body).unwrap_or_else(|fault| panic!("{path} {query:?}: {fault}"));
        }
        called.insert(method.id.to_owned());
    }
    called
}

#[track_caller]
fn ended_with(ended: &Ended, code: i32) {
    assert_eq!(ended.code, code, "{ended:?}");
}

on_both_stores! {
    async fn every_request_is_one_that_google_declares(world: World) {
        // G1, G2, G3, G4
        fill(&world);
        ended_with(&world.sync(&["--source", "google_sync"]).await, 3);
        ended_with(&world.sync(&["--source", "google_sync", "--user", ANN]).await, 0);
        ended_with(&world.sync(&["--source", "google_sync", "--user", "m000@example.org"]).await, 0);
        ended_with(&world.run(&["doctor"]).await, 0);
        let requests = world.org().requests(System::Google);
        let called = judge(&world, &requests).await;
        for method in ["groups.list", "groups.get", "members.list", "users.list"] {
            assert!(called.contains(&format!("directory.{method}")), "{method} was never called: {called:?}");
        }
        let pages = requests.iter().filter(|request| request.query("pageToken").is_some()).count();
        assert!(pages >= 3, "the second page of groups, two more of members: {pages}");
    }

    async fn a_domain_is_asked_for_as_google_declares_it(world: World) {
        // G3
        let mut world = world;
        world.configure("customer = \"my_customer\"", "domain = \"example.com\"");
        world.org().add_member("grp_acme_a@example.com", ANN);
        ended_with(&world.sync(&["--source", "google_sync"]).await, 0);
        ended_with(&world.run(&["doctor"]).await, 0);
        let requests = world.org().requests(System::Google);
        judge(&world, &requests).await;
        assert!(requests.iter().any(|request| request.query("domain") == Some("example.com")));
    }
}
