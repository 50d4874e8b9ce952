//! What a failing server comes to, alone and in the middle of a reading.

use entitled_model::ErrorClass::{
    Connect, Forbidden, Http5xx, Incomplete, Malformed, RateLimited, Timeout, Unauthorized,
};
use serde_json::json;

use super::*;
use fake::{Edit, Fault};

fn answer(status: u16, body: &str) -> Fault {
    Fault::Answer(status, body.to_owned())
}

const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

fn scim_error(status: u16, kind: &str) -> Fault {
    let body = json!({"schemas": [ERROR], "status": "400", "scimType": kind});
    Fault::Answer(status, body.to_string())
}

async fn filled() -> Bench {
    filled_with("").await
}

async fn filled_with(settings: &str) -> Bench {
    let bench = bench(&format!("page_size = 1\n{settings}")).await;
    bench.server.set(|state| {
        state.users = vec![user("u-1", ANN), user("u-2", BOB)];
        state.groups = vec![group("g-1", "Devs", &["u-1", "u-2"]), group("g-2", "Ops", &["u-1"])];
    });
    bench
}

#[tokio::test]
async fn every_failure_has_its_class_on_the_first_page_and_on_a_later_one() {
    // S5
    let faults = [
        (Fault::Reset, Connect),
        (Fault::Truncate, Incomplete),
        (answer(500, ""), Http5xx),
        (answer(200, "<html>sign in</html>"), Malformed),
        (answer(200, "{\"schemas\":"), Malformed),
        (answer(200, "[]"), Malformed),
        (answer(200, "{}"), Malformed),
        (answer(301, ""), Malformed),
        (answer(404, ""), Malformed),
        (answer(401, ""), Unauthorized),
        (answer(403, ""), Forbidden),
        (scim_error(200, "x"), Malformed),
        (scim_error(400, "tooMany"), Incomplete),
        (scim_error(400, "expiredCursor"), Incomplete),
        (scim_error(400, "invalidValue"), Malformed),
        (scim_error(403, "sensitive"), Forbidden),
        (answer(501, ""), Malformed),
        (Fault::RetryAfter, RateLimited),
        (Fault::Edit(|body| body["schemas"] = json!(["urn:ietf:params:scim:schemas:core:2.0:User"])), Malformed),
        (Fault::Edit(|body| body["Resources"][0]["id"] = json!(7)), Malformed),
        (Fault::Edit(|body| body["Resources"][0]["id"] = json!("")), Malformed),
        (Fault::Edit(|body| body["totalResults"] = json!("2")), Malformed),
        (Fault::Edit(|body| body["schemas"] = json!([body["schemas"][0], ERROR])), Malformed),
    ];
    for (fault, expected) in faults {
        for target in ["/Users?startIndex=1", "/Users?startIndex=2", "/Groups?startIndex=1", "/Groups?startIndex=2"] {
            let bench = filled().await;
            bench.server.fault(target, fault.clone());
            assert_eq!(class(&bench.census().await), Some(expected), "{target}");
            bench.server.heal();
            bench.hands.advance(std::time::Duration::from_secs(3700));
            assert_eq!(memberships(&bench.census().await.expect("whole")).len(), 2, "after {expected} on {target}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_a_timeout_on_the_first_page_and_on_a_later_one() {
    // S5
    for target in ["/Users?startIndex=1", "/Users?startIndex=2", "/Groups?startIndex=2"] {
        let bench = filled_with("timeout = \"200ms\"").await;
        bench.server.fault(target, Fault::Hang);
        assert_eq!(class(&bench.census().await), Some(Timeout), "{target}");
    }
}

#[tokio::test]
async fn fields_of_a_wrong_type_in_a_resource_are_malformed() {
    // S8
    let edits: [(&'static str, Edit); 6] = [
        ("/Users?", |body| body["Resources"][0]["active"] = json!("false")),
        ("/Users?", |body| body["Resources"][0]["emails"] = json!("ann@example.org")),
        ("/Users?", |body| body["Resources"][0]["emails"][0]["value"] = json!(["x"])),
        ("/Groups?", |body| body["Resources"][0]["members"] = json!("u-1")),
        ("/Groups?", |body| body["Resources"][0]["members"][0] = json!("u-1")),
        ("/Groups?", |body| body["Resources"][0]["displayName"] = json!(null)),
    ];
    for (number, (target, edit)) in edits.into_iter().enumerate() {
        let bench = filled().await;
        bench.server.fault(target, Fault::Edit(edit));
        assert_eq!(class(&bench.census().await), Some(Malformed), "{number}");
    }
}

#[tokio::test]
async fn a_list_is_no_object() {
    // S5, S8, G1
    let edits: [(&'static str, Edit); 10] = [
        ("/Users?", |body| *body = json!([body["schemas"], 0, [], null])),
        ("/Groups?", |body| *body = json!([body["schemas"], 0, [], null])),
        ("/Users?", |body| body["Resources"][0] = json!(["u-1", "name-u-1", [], true])),
        ("/Users?", |body| body["Resources"][0]["emails"][0] = json!(["ann@example.org", true])),
        ("/Groups?", |body| body["Resources"][0] = json!(["g-1", "Devs", []])),
        ("/Groups?", |body| body["Resources"][0]["members"][0] = json!(["u-1", "User", null])),
        ("/ServiceProviderConfig", |body| *body = json!([body["schemas"], null, null, null])),
        ("/ServiceProviderConfig", |body| body["etag"] = json!([true])),
        ("/ServiceProviderConfig", |body| body["pagination"] = json!([true])),
        ("/ServiceProviderConfig", |body| body["filter"] = json!([true])),
    ];
    for (number, (target, edit)) in edits.into_iter().enumerate() {
        let bench = filled().await;
        let schema = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
        bench.server.state().provider_config = Some(json!({"schemas": [schema]}));
        bench.server.fault(target, Fault::Edit(edit));
        assert_eq!(class(&bench.census().await), Some(Malformed), "{number}");
        bench.server.heal();
        assert_eq!(memberships(&bench.census().await.expect("whole")).len(), 2, "{number}");
    }
}

#[tokio::test]
async fn a_refusal_names_the_setting_to_look_at() {
    let cases = [
        (401, "sources.directory.token"),
        (403, "sources.directory.token"),
        (404, "sources.directory.base_url"),
        (308, "sources.directory.base_url"),
    ];
    for (status, setting) in cases {
        let bench = filled().await;
        bench.server.fault("/Users", answer(status, ""));
        let failure = bench.census().await.expect_err("refused");
        assert!(failure.message.contains(setting), "{}", failure.message);
    }
}

#[tokio::test]
async fn a_pause_that_is_asked_for_is_kept() {
    // S17
    let bench = filled().await;
    bench.server.fault("/Users", Fault::RetryAfter);
    assert_eq!(class(&bench.census().await), Some(RateLimited));
    bench.server.heal();
    assert_eq!(class(&bench.census().await), Some(RateLimited));
    assert_eq!(bench.server.asked("").len(), 0);
    bench.hands.advance(std::time::Duration::from_secs(3100));
    assert_eq!(class(&bench.census().await), None);
}

#[tokio::test]
async fn a_passing_failure_is_asked_again() {
    let bench = bench("retry = { attempts = 3 }").await;
    bench.server.fault("/Users", answer(503, ""));
    assert_eq!(class(&bench.census().await), Some(Http5xx));
    assert_eq!(bench.server.asked("/Users").len(), 3);
}

#[tokio::test]
async fn a_server_without_a_provider_config_is_read_by_index_and_a_failing_one_fails() {
    for (status, expected) in [(404, None), (403, None), (501, None), (500, Some(Http5xx)), (401, Some(Unauthorized))] {
        let bench = filled().await;
        bench.server.fault("/ServiceProviderConfig", answer(status, ""));
        assert_eq!(class(&bench.census().await), expected, "{status}");
    }
    let bench = filled().await;
    bench.server.fault("/ServiceProviderConfig", answer(200, "<html>sign in</html>"));
    assert_eq!(class(&bench.census().await), Some(Malformed));
}

#[tokio::test]
async fn a_login_fails_as_a_whole_when_any_of_its_questions_fails() {
    // S5
    let questions =
        ["emails.value", "userName+eq", "members.value+eq+%22u-1", "members.value+eq+%22g-1", "displayName+eq+%22Devs"];
    for question in questions {
        let faults = [
            (Fault::Reset, Connect),
            (Fault::Truncate, Incomplete),
            (answer(500, ""), Http5xx),
            (answer(200, "[]"), Malformed),
        ];
        for (fault, expected) in faults {
            let bench = filled().await;
            bench.ask(ANN).await.expect("answered");
            bench.server.fault(question, fault);
            assert_eq!(class(&bench.ask(ANN).await), Some(expected), "{question}");
            bench.server.heal();
            assert_eq!(bench.groups_of(ANN).await, ["devs", "ops"]);
        }
    }
}
