//! What is asked and what is made of the answer, against the simulator.

use std::collections::BTreeSet;

use entitled_model::ErrorClass::{Malformed, MissingClaim};
use entitled_model::observation::Coverage;
use entitled_model::{EntitlementValue, Facet};
use entitled_simulator::{Fault, PostSupport, RecordedRequest, System, Target};
use serde_json::json;

use crate::source::Urgency;
use crate::source::testing::{Bench, SIRET, ann, groups, person, source_name, with_claim};

const SETTINGS: &str = "claims = [\"siret\", \"idp_id\"]\noptional_claims = [\"level\", \"beta\"]";

async fn bench() -> Bench {
    let bench = Bench::deploycenter(SETTINGS).await;
    bench.organisation().add_organisation(SIRET, true).set_domains("ann@commune-a.fr", SIRET, ["commune-a.fr"]);
    bench
}

fn asked(bench: &Bench) -> RecordedRequest {
    bench.organisation().requests(System::Deploycenter).pop().expect("asked")
}

fn maildomain_admin() -> Facet {
    Facet { resource_type: "maildomain".into(), permission: "admin".into() }
}

#[tokio::test]
async fn the_question_carries_the_configured_claims_and_nothing_else() {
    // D1
    let bench = bench().await;
    let mut asker = person("Ann+Été@Commune-A.FR");
    for (claim, value) in [
        ("level", json!(3)),
        ("beta", json!(true)),
        ("phone", json!("0102030405")),
        ("idp_id", json!(["not", "a", "text"])),
    ] {
        asker = with_claim(asker, claim, value);
    }
    bench.ask(&asker).await.expect("answered");
    let request = asked(&bench);
    assert_eq!(request.method, "GET");
    let expected = [
        ("service_id", "42"),
        ("account_type", "user"),
        ("account_email", "Ann+Été@Commune-A.FR"),
        ("siret", SIRET),
        ("level", "3"),
        ("beta", "true"),
    ];
    let sent: Vec<_> = request.query.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(sent, expected);
    assert_eq!(request.header("x-service-auth"), Some("Bearer svc-key-42"));
    assert_eq!(request.header("authorization"), None);
    assert_eq!(request.body, "");
}

#[tokio::test]
async fn listed_domains_become_groups_and_every_key_is_kept() {
    // D7, D10
    let bench = bench().await;
    let organisation = bench.organisation();
    organisation.set_domains("ann@commune-a.fr", SIRET, ["Commune-A.FR ", "ville-a.fr"]);
    organisation.set_entitlement("ann@commune-a.fr", "shiny_new_key", json!({ "a": [1, 2.5, null] }));
    let answer = bench.ask(&ann()).await.expect("answered");
    assert_eq!(groups(&answer), ["maildomain:commune-a.fr:admin", "maildomain:ville-a.fr:admin"]);
    assert_eq!(answer.coverage, Coverage::Facets(BTreeSet::from([maildomain_admin()])));
    assert!(answer.present && answer.verdict.is_none());
    let entitlements = answer.stated.entitlements().expect("stated").clone();
    let kept = |key: &str| entitlements.get(key).map(EntitlementValue::json);
    assert_eq!(kept("shiny_new_key"), Some(json!({ "a": [1, 2.5, null] })));
    assert_eq!(kept("can_admin_maildomains"), Some(json!(["Commune-A.FR ", "ville-a.fr"])));
    assert_eq!(kept("can_access"), Some(json!(true)));
}

#[tokio::test]
async fn an_empty_list_is_an_answer_and_an_absent_one_says_nothing() {
    // S6, S7
    let bench = bench().await;
    bench.organisation().set_entitlement("ann@commune-a.fr", "can_admin_maildomains", json!([]));
    let empty = bench.ask(&ann()).await.expect("answered");
    assert_eq!(empty.coverage, Coverage::Facets(BTreeSet::from([maildomain_admin()])));
    assert!(empty.groups.is_empty());
    for fault in [Fault::omit_key("can_admin_maildomains"), Fault::null_key("can_admin_maildomains")] {
        bench.organisation().clear_faults().fault(Target::system(System::Deploycenter), fault);
        let silent = bench.ask(&ann()).await.expect("answered");
        assert_eq!(silent.coverage, Coverage::Facets(BTreeSet::new()));
        assert!(silent.stated.entitlements().is_some_and(|stated| stated.contains_key("can_access")));
    }
}

#[tokio::test]
async fn a_mapped_value_of_a_wrong_type_makes_the_whole_answer_malformed() {
    // S8
    let bench = bench().await;
    for wrong in [json!("commune-a.fr"), json!([42]), json!([""]), json!({}), json!(["a.fr", null])] {
        let fault = Fault::replace_key("can_admin_maildomains", wrong.clone());
        bench.organisation().clear_faults().fault(Target::system(System::Deploycenter), fault);
        let failure = bench.ask(&ann()).await.expect_err("malformed");
        assert_eq!(failure.class, Malformed, "{wrong}");
    }
}

#[tokio::test]
async fn a_body_without_an_object_of_entitlements_is_malformed() {
    let bench = bench().await;
    let all = Target::system(System::Deploycenter);
    for fault in [
        Fault::omit_key("entitlements"),
        Fault::null_key("entitlements"),
        Fault::replace_key("entitlements", json!([])),
        Fault::Status { code: 200, body: Some("[]".to_owned()), retry_after: None },
        Fault::Status { code: 200, body: Some("{}".to_owned()), retry_after: None },
    ] {
        bench.organisation().clear_faults().fault(all.clone().times(1), fault.clone());
        let failure = bench.ask(&ann()).await.expect_err("malformed");
        assert_eq!(failure.class, Malformed, "{fault:?}");
        bench.organisation().clear_faults();
        bench.ask(&ann()).await.expect("answered");
    }
}

#[tokio::test]
async fn a_missing_claim_is_said_and_nothing_is_asked() {
    // D12
    let bench = bench().await;
    let mut nameless = ann();
    nameless.claims.clear();
    for asker in [nameless, with_claim(ann(), "siret", json!("")), with_claim(ann(), "siret", json!(null))] {
        let failure = bench.ask(&asker).await.expect_err("no siret");
        assert_eq!((failure.class, failure.message.contains("siret")), (MissingClaim, true));
    }
    let mut unknown = ann();
    (unknown.email, unknown.sub) = (None, None);
    let failure = bench.ask(&unknown).await.expect_err("nothing to ask by");
    assert_eq!((failure.class, failure.message.contains("email")), (MissingClaim, true));
    assert_eq!(bench.requests(), 0);
    assert_eq!(bench.source().required_claims, ["siret"]);
    assert_eq!(bench.source().claims, ["siret", "idp_id", "level", "beta"]);
}

#[tokio::test]
async fn without_an_address_the_sub_is_asked_by() {
    let bench = bench().await;
    bench.organisation().set_account_id("ann@commune-a.fr", "sub-1");
    let mut asker = ann();
    asker.email = None;
    let answer = bench.ask(&asker).await.expect("answered");
    assert_eq!(groups(&answer), ["maildomain:commune-a.fr:admin"]);
    assert_eq!((asked(&bench).query("account_id"), asked(&bench).query("account_email")), (Some("sub-1"), None));
}

#[tokio::test]
async fn post_sends_no_metrics_and_a_405_names_the_setting() {
    // D11
    let bench = Bench::deploycenter("claims = [\"siret\"]\nmethod = \"POST\"").await;
    bench.organisation().add_organisation(SIRET, true).set_domains("ann@commune-a.fr", SIRET, ["commune-a.fr"]);
    let failure = bench.ask(&ann()).await.expect_err("405");
    assert_eq!((failure.class, failure.message.contains("sources.deploycenter.method")), (Malformed, true));
    bench.organisation().set_post_support(PostSupport::Accepted);
    let answer = bench.ask(&ann()).await.expect("answered");
    assert_eq!(groups(&answer), ["maildomain:commune-a.fr:admin"]);
    assert_eq!((asked(&bench).body.as_str(), asked(&bench).query("siret")), ("{\"usage_metrics\":[]}", Some(SIRET)));
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_names_the_slash() {
    let bench = bench().await;
    bench.organisation().fault(Target::system(System::Deploycenter), Fault::redirect());
    let failure = bench.ask(&ann()).await.expect_err("redirected");
    assert_eq!((failure.class, failure.message.contains("trailing slash")), (Malformed, true));
    assert_eq!(bench.requests(), 1);
}

#[tokio::test]
async fn the_local_fallback_lets_everybody_in_and_says_nothing_else() {
    // D5
    let bench = Bench::deploycenter("fallback = \"local\"").await;
    let source = bench.registry().get(&source_name("deploycenter")).expect("configured");
    let answer =
        source.fallback.as_ref().expect("configured").answer(&ann(), Urgency::Awaited).await.expect("answered");
    assert_eq!(answer.coverage, Coverage::Facets(BTreeSet::new()));
    let stated: Vec<_> = answer.stated.entitlements().expect("stated").clone().into_iter().collect();
    assert_eq!(stated, [("can_access".to_owned(), EntitlementValue::of(&json!(true)))]);
}
