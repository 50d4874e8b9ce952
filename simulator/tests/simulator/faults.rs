//! Every other fault, on the calls it is meant for and on no other.

use std::time::Duration;

use entitled_simulator::{Fault, System, Target};
use serde_json::{Value, json};

use crate::stage::{SIRET_A, Stage};

const GROUP: &str = "grp_acme_x@example.com";
const DEADLINE: Duration = Duration::from_secs(5);

async fn stage() -> Stage {
    let stage = Stage::empty().await;
    stage.add_organisation(SIRET_A, true).set_domains("ann@commune-a.fr", SIRET_A, ["a.fr", "b.fr", "c.fr", "d.fr"]);
    for number in 0..250 {
        stage.add_member(GROUP, &format!("user{number}@example.org"));
    }
    stage
}

fn deploycenter() -> Target {
    Target::system(System::Deploycenter)
}

fn google() -> Target {
    Target::system(System::Google)
}

async fn entitlements_under(stage: &Stage, fault: Fault) -> Value {
    stage.clear_faults().fault(deploycenter(), fault);
    stage.entitlements_of("ann@commune-a.fr", SIRET_A).await
}

async fn members_under(stage: &Stage, fault: Fault) -> Value {
    stage.clear_faults().fault(google(), fault);
    stage.page(&format!("groups/{GROUP}/members")).await
}

#[tokio::test]
async fn a_status_comes_with_its_header_and_body_and_disappears() {
    let stage = stage().await;
    stage.fault(deploycenter().times(1), Fault::too_many_requests(2));
    stage.fault(deploycenter().times(1), Fault::Status { code: 500, body: Some("[]".to_owned()), retry_after: None });
    let ask = || stage.entitlements("ann@commune-a.fr", SIRET_A).send();
    let first = ask().await.expect("an answer");
    assert_eq!((first.status().as_u16(), &first.headers()["retry-after"]), (429, &"2".parse().expect("a header")));
    let second = ask().await.expect("an answer");
    assert_eq!((second.status().as_u16(), second.text().await.expect("text")), (500, "[]".to_owned()));
    assert_eq!(ask().await.expect("an answer").status(), 200);
    assert!(stage.faults().is_empty());
}

#[tokio::test]
async fn answers_that_are_no_answer() {
    let stage = stage().await;
    let ask = || stage.entitlements("ann@commune-a.fr", SIRET_A).send();
    stage.fault(deploycenter().times(1), Fault::Html);
    assert_eq!(ask().await.expect("an answer").headers()["content-type"], "text/html; charset=utf-8");
    stage.fault(deploycenter().times(1), Fault::InvalidJson);
    let answer = ask().await.expect("an answer");
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (200, &"application/json".parse().expect("a header"))
    );
    assert!(answer.json::<Value>().await.is_err());
    stage.fault(deploycenter().times(1), Fault::redirect());
    assert_eq!(ask().await.expect("an answer").headers()["location"], "/redirected");
}

/// S8
#[tokio::test]
async fn deploycenter_answers_are_reshaped() {
    let stage = stage().await;
    let list = "can_admin_maildomains";
    assert_eq!(entitlements_under(&stage, Fault::wrong_type()).await[list], "a.fr,b.fr,c.fr,d.fr");
    assert_eq!(entitlements_under(&stage, Fault::ShortList).await[list], json!(["a.fr", "b.fr"]));
    assert_eq!(entitlements_under(&stage, Fault::omit_key(list)).await.get(list), None);
    assert_eq!(entitlements_under(&stage, Fault::null_key(list)).await.get(list), Some(&Value::Null));
    let odd = json!(["a.fr", "", 42]);
    assert_eq!(entitlements_under(&stage, Fault::replace_key(list, odd.clone())).await[list], odd);
    assert_eq!(entitlements_under(&stage, Fault::omit_key("entitlements")).await, Value::Null);
    assert_eq!(entitlements_under(&stage, Fault::wrong_type_of("can_access")).await["can_access"], "yes");
}

#[tokio::test]
async fn google_answers_are_reshaped() {
    let stage = stage().await;
    assert!(members_under(&stage, Fault::wrong_type()).await["members"].is_object());
    assert_eq!(members_under(&stage, Fault::wrong_type_of("email")).await["members"][0]["email"], 42);
    assert_eq!(members_under(&stage, Fault::omit_key("members")).await.get("members"), None);
    assert_eq!(members_under(&stage, Fault::omit_key("email")).await["members"][7].get("email"), None);
    assert_eq!(members_under(&stage, Fault::omit_key("nextPageToken")).await.get("nextPageToken"), None);
    let short = members_under(&stage, Fault::ShortList).await;
    assert_eq!(short["members"].as_array().map(Vec::len), Some(100));
    assert!(short["nextPageToken"].is_string());
    assert_eq!(stage.page(&format!("groups/{GROUP}")).await["directMembersCount"], "250");
    stage.clear_faults().state_members_count(GROUP, Some(7));
    assert_eq!(stage.page(&format!("groups/{GROUP}")).await["directMembersCount"], "7");
}

/// G7
#[tokio::test]
async fn google_errors_come_in_their_envelope() {
    let stage = stage().await;
    stage.fault(google().times(1), Fault::google_error(403, "userRateLimitExceeded"));
    assert_eq!(stage.refusal("users?customer=my_customer").await, (403, "userRateLimitExceeded".to_owned()));
}

/// G1
#[tokio::test]
async fn a_page_can_fail_repeat_its_token_or_never_end() {
    let stage = stage().await;
    let path = format!("groups/{GROUP}/members");
    let first = stage.page(&path).await;
    let second = format!("{path}?pageToken={}", first["nextPageToken"].as_str().expect("a token"));
    stage.fault(google().page(2).path_contains("/members"), Fault::status(500));
    stage.page(&path).await;
    assert_eq!(stage.directory(&second).send().await.expect("an answer").status(), 500);

    stage.clear_faults().fault(google(), Fault::RepeatToken);
    assert_eq!(stage.page(&second).await["nextPageToken"], first["nextPageToken"]);
    let looping = stage.page(&path).await["nextPageToken"].as_str().expect("a token").to_owned();
    assert_eq!(stage.page(&format!("{path}?pageToken={looping}")).await["nextPageToken"], looping.as_str());

    stage.clear_faults().fault(google(), Fault::EndlessPages);
    let mut tokens = std::collections::BTreeSet::new();
    let mut rows = 0;
    let mut page = first;
    for _ in 0..6 {
        let token = page["nextPageToken"].as_str().expect("always one more").to_owned();
        rows += page["members"].as_array().map_or(0, Vec::len);
        page = stage.page(&format!("{path}?pageToken={token}")).await;
        assert!(tokens.insert(token), "a token came twice");
    }
    assert_eq!(rows, 250);
}

#[tokio::test]
async fn a_fault_befalls_only_its_target() {
    let stage = stage().await;
    stage.add_member("other@example.com", "user1@example.org").add_alias("user1@example.org", "u1@example.org");
    stage.fault(google().group(GROUP), Fault::status(500));
    assert_eq!(
        stage.directory(&format!("groups/{}", GROUP.to_uppercase())).send().await.expect("an answer").status(),
        500
    );
    let id = stage.directory_id(GROUP).expect("the group");
    assert_eq!(stage.directory(&format!("groups/{id}/members")).send().await.expect("an answer").status(), 500);
    stage.page("groups/other@example.com").await;
    stage.clear_faults().fault(google().user("U1@example.org"), Fault::status(500));
    assert_eq!(stage.directory("groups?userKey=user1@example.org").send().await.expect("an answer").status(), 500);
    stage.page("groups?userKey=user2@example.org").await;
    stage.clear_faults().fault(deploycenter().user("ann@commune-a.fr"), Fault::status(500));
    assert_eq!(stage.entitlements("ann@commune-a.fr", SIRET_A).send().await.expect("an answer").status(), 500);
    assert_eq!(stage.entitlements("bob@commune-a.fr", SIRET_A).send().await.expect("an answer").status(), 200);
}

/// S11: the order of events is the test's, without a sleep.
#[tokio::test]
async fn a_held_answer_says_what_was_true_at_its_arrival() {
    let stage = stage().await;
    for (fault, expected) in [(Fault::hold("gate"), json!(["a.fr"])), (Fault::hold_call("gate"), json!(["b.fr"]))] {
        stage.set_domains("ann@commune-a.fr", SIRET_A, ["a.fr"]).clear_requests();
        stage.fault(deploycenter().times(1), fault);
        let held = tokio::spawn(stage.entitlements("ann@commune-a.fr", SIRET_A).send());
        stage.wait_for_requests(System::Deploycenter, 1, DEADLINE).await.expect("arrives");
        assert_eq!(stage.domains_of("ann@commune-a.fr").await, json!(["a.fr"]), "others pass");
        stage.set_domains("ann@commune-a.fr", SIRET_A, ["b.fr"]);
        assert!(!held.is_finished());
        assert!(stage.release("gate"));
        let answer: Value = held.await.expect("ends").expect("an answer").json().await.expect("JSON");
        assert_eq!(answer["entitlements"]["can_admin_maildomains"], expected);
    }
    assert!(!stage.release("nothing"));
}

#[tokio::test]
async fn a_header_can_be_set_even_the_date() {
    let stage = stage().await;
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    stage.fault(deploycenter(), Fault::set_header("Date", date));
    stage.fault(deploycenter(), Fault::set_header("X-RateLimit-Remaining", "7"));
    let answer = stage.entitlements("ann@commune-a.fr", SIRET_A).send().await.expect("an answer");
    let headers = ["date", "x-ratelimit-remaining"].map(|name| answer.headers().get_all(name).iter().count());
    assert_eq!((headers, &answer.headers()["date"]), ([1, 1], &date.parse().expect("a header")));
    assert!(answer.json::<Value>().await.expect("JSON")["entitlements"].is_object());
}

#[tokio::test]
async fn a_delay_delays() {
    let stage = stage().await;
    stage.fault(deploycenter().times(1), Fault::delay(3_600_000));
    stage.fault(deploycenter().times(1), Fault::delay(1));
    let impatient = tokio::time::timeout(Duration::from_millis(50), stage.domains_of("ann@commune-a.fr"));
    assert!(impatient.await.is_err());
    assert!(stage.domains_of("ann@commune-a.fr").await.is_array());
}

#[tokio::test]
async fn the_token_endpoint_fails_too() {
    let stage = stage().await;
    stage.fault(Target::system(System::Token), Fault::status(503));
    assert_eq!(stage.exchange(&stage.signed(&stage.claims())).await.status(), 503);
    stage.clear_faults().fault(Target::system(System::Token), Fault::wrong_type());
    let body: Value = stage.exchange(&stage.signed(&stage.claims())).await.json().await.expect("JSON");
    assert_eq!(body["access_token"], 42);
}
