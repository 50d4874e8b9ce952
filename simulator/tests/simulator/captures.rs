//! The captured questions to the entitlements endpoint: each gets the same status and the same keys. Those to the
//! management API are in `management.rs`; [`NOT_REPLAYED`] says which are in neither, and why.

use std::collections::BTreeSet;

use entitled_simulator::{Organisation, Service, ServiceKind, SimulatorConfig, Storage};
use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::Stage;

const A: &str = "21750001600019";
const B: &str = "21690002900017";
const C: &str = "21130001300013";
const D: &str = "21590001700014";
const E: &str = "21590009900015";
const UNKNOWN: &str = "99999999999999";

const TOP: &str = "organization operator entitlements";
const TOP_METRICS: &str = "organization operator entitlements metrics";
const TOP_POTENTIAL: &str = "organization operator entitlements potentialOperators";
const NO_ACCESS: &str = "can_access can_access_reason";
const USER: &str = "can_access can_store can_store_resolve_level can_admin_maildomains";
const MAILBOX: &str = "can_access can_store max_storage can_store_resolve_level can_admin_maildomains";
const KEY: (&str, &str) = ("X-Service-Auth", "Bearer svc-key-42");

/// Every captured exchange, by number.
const CAPTURED: [u16; 63] = [
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 21, 22, 25, 40, 41, 42, 44, 46, 47, 48, 49, 50,
    51, 52, 53, 54, 55, 60, 61, 70, 71, 72, 80, 81, 83, 84, 85, 86, 89, 91, 92, 93, 94, 96, 97, 110, 112, 113, 114,
    115, 120, 123, 126, 128,
];

/// Captures that are not replayed.
const NOT_REPLAYED: [(u16, &str); 4] = [
    (91, "DeployCenter is the caller: it asks the application for its usage while it answers"),
    (92, "the same, with an application that is down"),
    (93, "how long receivers of webhooks take; `webhooks.rs` tests that their answer is ignored"),
    (94, "what a receiver sees while it is told; `webhooks.rs` tests that it is the old state"),
];

struct Capture {
    number: u16,
    query: String,
    headers: Vec<(&'static str, &'static str)>,
    method: Method,
    status: u16,
    /// Keys of the body.
    top: &'static str,
    /// Keys of `entitlements`.
    entitlements: &'static str,
}

/// A 200.
fn answered(number: u16, query: String, top: &'static str, entitlements: &'static str) -> Capture {
    Capture { number, query, headers: vec![KEY], method: Method::GET, status: 200, top, entitlements }
}

fn refused(number: u16, query: String, status: u16, top: &'static str) -> Capture {
    Capture { status, ..answered(number, query, top, "") }
}

fn user(email: &str, siret: &str) -> String {
    format!("service_id=42&account_type=user&account_email={email}&siret={siret}")
}

fn mailbox(email: &str, siret: &str) -> String {
    format!("service_id=42&account_type=mailbox&account_email={email}&siret={siret}")
}

fn answers() -> Vec<Capture> {
    let bob_by_id = format!("service_id=42&account_type=user&account_id=sub-bob&siret={A}");
    let disagreeing =
        format!("service_id=42&account_type=user&account_id=sub-alice&account_email=bob@commune-a.fr&siret={A}");
    let of_service = |id| format!("service_id={id}&account_type=user&account_email=bob@commune-a.fr&siret={A}");
    let with_key = |key, capture| Capture { headers: vec![("X-Service-Auth", key)], ..capture };
    let drive = "can_access can_upload can_upload_resolve_level is_admin is_admin_resolve_level";
    let other = "can_access is_admin is_admin_resolve_level";
    vec![
        answered(1, user("alice@commune-a.fr", A), TOP, USER),
        answered(2, user("bob@commune-a.fr", A), TOP, USER),
        answered(3, user("carol@commune-a.fr", A), TOP, USER),
        answered(5, user("opadmin@operateur.example", A), TOP, USER),
        answered(4, user("dave@multi.fr", A), TOP, USER),
        answered(6, user("alice@commune-a.fr", UNKNOWN), TOP, NO_ACCESS),
        answered(7, user("bob@commune-a.fr", UNKNOWN), TOP, NO_ACCESS),
        answered(8, user("chief@commune-c.fr", C), TOP_POTENTIAL, NO_ACCESS),
        answered(9, user("dave@multi.fr", C), TOP_POTENTIAL, NO_ACCESS),
        answered(10, user("x@commune-e.fr", E), TOP_POTENTIAL, NO_ACCESS),
        answered(11, mailbox("mailbox@commune-a.fr", A), TOP_METRICS, MAILBOX),
        answered(12, mailbox("full@commune-a.fr", A), TOP_METRICS, MAILBOX),
        answered(13, mailbox("erin@commune-d.fr", D), TOP_METRICS, MAILBOX),
        answered(14, mailbox("nobody@commune-a.fr", A), TOP, USER),
        answered(15, bob_by_id, TOP, USER),
        answered(16, user("bob@COMMUNE-A.FR", A), TOP, USER),
        answered(17, user("Bob@commune-a.fr", A), TOP, USER),
        answered(18, user("mixed.case@commune-a.fr", A), TOP, USER),
        answered(19, format!("{}&idp_id=idp-uuid-1", user("alice@commune-a.fr", A)), TOP, USER),
        with_key("Bearer svc-key-meet", answered(21, of_service(45), TOP, "can_create")),
        with_key("Bearer svc-key-drive", answered(22, of_service(46), TOP, drive)),
        with_key("Bearer svc-key-cal", answered(25, of_service(48), TOP, other)),
        answered(60, format!("{}&siret={A}", user("bob@commune-a.fr", UNKNOWN)), TOP, USER),
        answered(61, user("bob@commune-a.fr", "217%20500%20016%2000019"), TOP, NO_ACCESS),
        answered(126, mailbox("bob@commune-a.fr", A), TOP, USER),
        answered(128, disagreeing, TOP, USER),
    ]
}

fn refusals() -> Vec<Capture> {
    let alice = || user("alice@commune-a.fr", A);
    let with_headers = |headers, capture| Capture { headers, ..capture };
    let both = vec![KEY, ("Authorization", "Bearer some-oidc-token")];
    vec![
        with_headers(vec![], refused(40, alice(), 401, "detail")),
        with_headers(vec![("X-Service-Auth", "Bearer wrong")], refused(41, alice(), 401, "detail")),
        with_headers(vec![("X-Service-Auth", "ApiKey svc-key-42")], refused(42, alice(), 401, "detail")),
        with_headers(both, refused(44, alice(), 401, "detail")),
        refused(46, alice().replace("service_id=42", "service_id=4242"), 401, "detail"),
        refused(47, alice().replace("service_id=42", "service_id=messages-prod"), 500, ""),
        refused(48, alice().replace("service_id=42&", ""), 401, "detail"),
        refused(49, "service_id=42&account_type=user&account_email=alice@commune-a.fr".to_owned(), 400, "siret"),
        refused(50, format!("service_id=42&account_email=alice@commune-a.fr&siret={A}"), 400, "account_type"),
        refused(51, format!("service_id=42&account_type=user&siret={A}"), 400, "non_field_errors"),
        refused(52, user("not-an-email", A), 400, "account_email"),
        refused(53, "service_id=42".to_owned(), 400, "account_type siret"),
        Capture { method: Method::POST, ..refused(55, alice(), 405, "detail") },
    ]
}

/// The people and organisations of the captures.
async fn captured_world() -> Stage {
    let service = |id, key: &str, kind| Service { id, key: key.to_owned(), kind };
    let services = vec![
        service(42, "svc-key-42", ServiceKind::Messages),
        service(45, "svc-key-meet", ServiceKind::Meet),
        service(46, "svc-key-drive", ServiceKind::Drive),
        service(48, "svc-key-cal", ServiceKind::Other),
    ];
    let stage =
        Stage::with(SimulatorConfig { organisation: Organisation::empty(), services, ..Default::default() }).await;
    stage.add_organisation(A, true).add_organisation(B, true).add_organisation(C, false);
    stage.add_organisation(D, true).add_organisation(E, false);
    let none: [&str; 0] = [];
    stage.set_domains("alice@commune-a.fr", A, none).set_account_id("alice@commune-a.fr", "sub-alice");
    stage
        .set_domains("bob@commune-a.fr", A, ["commune-a.fr", "ville-a.fr"])
        .set_account_id("bob@commune-a.fr", "sub-bob");
    stage.set_domains("Mixed.Case@commune-a.fr", A, ["commune-a.fr"]);
    stage.set_domains("chief@commune-c.fr", C, ["commune-c.fr"]);
    stage.set_domains("carol@commune-a.fr", A, ["ville-a.fr"]);
    stage.set_operator(B, stage.simulator.operator_id(), true);
    stage.add_operator_admin(stage.simulator.operator_id(), "opadmin@operateur.example");
    stage.set_domains("dave@multi.fr", A, ["commune-a.fr", "ville-a.fr"]);
    stage.set_domains("dave@multi.fr", B, ["commune-b.fr"]).set_domains("dave@multi.fr", C, ["commune-c.fr"]);
    let storage = |used_bytes, max_bytes, level: &str| Some(Storage { used_bytes, max_bytes, level: level.to_owned() });
    stage.set_storage("mailbox@commune-a.fr", storage(1_500_000_000, 5_000_000_000, "mailbox"));
    stage.set_storage("full@commune-a.fr", storage(6_000_000_000, 5_000_000_000, "mailbox"));
    stage.set_storage("erin@commune-d.fr", storage(12_000_000_000, 10_000_000_000, "organization"));
    stage
}

fn keys(object: &Value) -> BTreeSet<&str> {
    object.as_object().into_iter().flat_map(|object| object.keys()).map(String::as_str).collect()
}

fn listed(keys: &str) -> BTreeSet<&str> {
    keys.split_whitespace().collect()
}

#[test]
fn every_capture_is_replayed_or_named_with_a_reason() {
    let questions = answers().into_iter().chain(refusals()).map(|capture| capture.number);
    // 54 has a test of its own.
    let replayed = questions.chain([54]).chain(crate::management::REPLAYED);
    let named = replayed.chain(NOT_REPLAYED.map(|(number, _)| number));
    assert_eq!(named.collect::<BTreeSet<_>>(), BTreeSet::from(CAPTURED));
}

#[tokio::test]
async fn every_captured_question_gets_the_captured_answer() {
    let stage = captured_world().await;
    for capture in answers().into_iter().chain(refusals()) {
        let Capture { number, query, headers, method, status, top, entitlements } = capture;
        let url = format!("{}?{query}", stage.simulator.deploycenter_url());
        let request = headers
            .into_iter()
            .fold(stage.client.request(method, url), |request, (name, value)| request.header(name, value));
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{number}");
        assert_eq!(answer.headers().contains_key("www-authenticate"), status == 401, "{number}");
        if status == 500 {
            assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8", "{number}");
            continue;
        }
        assert_eq!(answer.headers()["content-type"], "application/json", "{number}");
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(keys(&body), listed(top), "{number}");
        assert_eq!(keys(&body["entitlements"]), listed(entitlements), "{number}");
    }
}

#[tokio::test]
async fn captured_values_agree() {
    let stage = captured_world().await;
    assert_eq!(stage.domains_of("bob@commune-a.fr").await, json!(["commune-a.fr", "ville-a.fr"]));
    assert_eq!(stage.domains_of("dave@multi.fr").await, json!(["commune-a.fr", "ville-a.fr", "commune-b.fr"]));
    assert_eq!(stage.domains_of("carol@commune-a.fr").await, json!(["ville-a.fr"]));
    assert_eq!(stage.domains_of("opadmin@operateur.example").await, json!(["commune-b.fr"]));
    for other_case in ["bob@COMMUNE-A.FR", "Bob@commune-a.fr", "mixed.case@commune-a.fr"] {
        assert_eq!(stage.domains_of(other_case).await, json!([]), "{other_case}");
    }
    let inactive = stage.entitlements_of("dave@multi.fr", C).await;
    assert_eq!(inactive, json!({ "can_access": false, "can_access_reason": "not_activated" }));
    let unknown = stage.entitlements_of("bob@commune-a.fr", UNKNOWN).await;
    assert_eq!(unknown, json!({ "can_access": false, "can_access_reason": "no_organization" }));
    let refusal: Value =
        stage.entitlements("not-an-email", A).send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(refusal, json!({ "account_email": ["Saisissez une adresse e-mail valide."] }));
}

/// Capture 113: a string stored as domains is served as its characters, each once.
#[tokio::test]
async fn domains_are_served_as_stored_each_once() {
    let stage = captured_world().await;
    stage.set_domains("bob@commune-a.fr", A, ["c", "o", "m", "m", "Commune-A.FR", " spaced.fr "]);
    let expected = json!(["c", "o", "m", "Commune-A.FR", " spaced.fr "]);
    assert_eq!(stage.domains_of("bob@commune-a.fr").await, expected);
}

/// Capture 54.
#[tokio::test]
async fn without_the_last_slash_the_answer_is_a_redirect() {
    let stage = captured_world().await;
    let query = user("alice@commune-a.fr", A);
    let url = format!("{}?{query}", stage.simulator.deploycenter_url().trim_end_matches('/'));
    let answer = stage.client.get(url).send().await.expect("an answer");
    assert_eq!(answer.status(), 301);
    assert_eq!(answer.headers()["location"], format!("/api/v1.0/entitlements/?{query}"));
}

/// D11, and the newer version that answers POST.
#[tokio::test]
async fn post_is_answered_when_it_is_switched_on() {
    let stage = captured_world().await;
    stage.set_post_support(entitled_simulator::PostSupport::Accepted);
    let post = |body: Value| {
        let url = format!("{}?{}", stage.simulator.deploycenter_url(), user("bob@commune-a.fr", A));
        stage.client.post(url).header(KEY.0, KEY.1).json(&body)
    };
    let answer = post(json!({ "usage_metrics": [] })).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(body["entitlements"]["can_admin_maildomains"], json!(["commune-a.fr", "ville-a.fr"]));
    assert_eq!(post(json!({})).send().await.expect("an answer").status(), 400);
}

#[tokio::test]
async fn entitlements_can_be_replaced_added_and_removed() {
    let stage = captured_world().await;
    stage.set_entitlement("bob@commune-a.fr", "max_storage", json!(5)).set_entitlement(
        "bob@commune-a.fr",
        "can_store",
        Value::Null,
    );
    stage.deny_access("bob@commune-a.fr", "not_activated");
    let entitlements = stage.entitlements_of("bob@commune-a.fr", A).await;
    assert_eq!(entitlements["max_storage"], 5);
    assert_eq!(entitlements.get("can_store"), None);
    assert_eq!(entitlements["can_access_reason"], "not_activated");
    stage.reset_entitlement("bob@commune-a.fr", "can_store");
    assert_eq!(stage.entitlements_of("bob@commune-a.fr", A).await["can_store"], false);
}
