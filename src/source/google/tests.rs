//! One user's groups and the way to them, against the simulator. The census has its own tests.

use std::collections::BTreeSet;
use std::time::Duration;

use entitled_model::ErrorClass::{self, Forbidden, Incomplete, Malformed, MissingClaim, RateLimited, Unauthorized};
use entitled_model::observation::{Coverage, ObservedGroup, Standing, SystemGroup, Verdict};
use entitled_simulator::{Fault, System, Target};
use futures_util::future::join_all;
use rstest::rstest;

use crate::source::Person;
use crate::source::testing::{Bench, ann, groups, person};

const ANN: &str = "ann@commune-a.fr";
const PREFIX: &str =
    "prefix = \"grp_acme_\"\nadmin_group = \"Bosses@Example.org\"\neveryone_group = \"all@example.org\"";
const KEYLESS: &str = "credentials = { keyless = true, service_account = \"ACCOUNT\" }";

async fn bench(settings: &str) -> Bench {
    let bench = Bench::google(settings).await;
    bench.hands.leap_over_sleeps();
    bench.organisation().add_user(ANN);
    bench
}

fn every_call() -> Target {
    Target::system(System::Google)
}

async fn class(bench: &Bench) -> Option<ErrorClass> {
    bench.ask(&ann()).await.err().map(|failure| failure.class)
}

#[tokio::test]
async fn direct_groups_are_named_by_their_folded_address() {
    let bench = bench("nested = \"direct\"").await;
    bench.organisation().add_member("Devs@Example.ORG", ANN).add_member("outer@example.org", "devs@example.org");
    let answer = bench.ask(&ann()).await.expect("answered");
    assert_eq!(groups(&answer), ["devs@example.org"]);
    assert_eq!((answer.coverage.clone(), answer.present, answer.verdict), (Coverage::Everything, true, None));
    assert_eq!(answer.stated.entitlements(), None);
    let Some(ObservedGroup::Directory { external_id: Some(_), .. }) = answer.groups.first() else {
        panic!("with the directory's id");
    };
    let asked = bench.organisation().requests(System::Google).into_iter().next().expect("asked");
    assert_eq!((asked.path.as_str(), asked.query("maxResults")), ("/admin/directory/v1/groups", Some("200")));
}

#[tokio::test]
async fn the_prefix_is_applied_after_expansion_and_mapped_groups_count_without_it() {
    // G3
    let bench = bench(PREFIX).await;
    let organisation = bench.organisation();
    organisation.add_member("inner@example.org", ANN).add_member("GRP_Acme_Dev@Example.org", "inner@example.org");
    organisation.add_member("BOSSES@example.org", "grp_acme_dev@example.org");
    let answer = bench.ask(&ann()).await.expect("answered");
    assert_eq!(groups(&answer), ["Admin", "grp_acme_dev@example.org"]);
    assert!(answer.groups.contains(&ObservedGroup::System(SystemGroup::Admin)));
    assert_eq!(answer.verdict, None);
}

#[tokio::test]
async fn groups_but_none_within_the_prefix_ask_to_deny() {
    // G3
    let bench = bench(PREFIX).await;
    let nowhere = bench.ask(&ann()).await.expect("answered");
    assert_eq!((nowhere.verdict, nowhere.groups.len()), (None, 0));
    bench.organisation().add_member("others@example.org", ANN);
    let outside = bench.ask(&ann()).await.expect("answered");
    assert_eq!((outside.verdict, outside.groups.len()), (Some(Verdict::NotInAllowedGroup), 0));
    bench.organisation().add_member("all@example.org", ANN);
    let mapped = bench.ask(&ann()).await.expect("answered");
    assert_eq!((mapped.verdict, groups(&mapped)), (None, vec!["Everyone"]));
}

#[tokio::test]
async fn nested_groups_end_although_they_go_round() {
    // G4
    let bench = bench("").await;
    let organisation = bench.organisation();
    organisation.add_member("a@example.org", ANN).add_member("b@example.org", "a@example.org");
    organisation.add_member("c@example.org", "b@example.org").add_member("a@example.org", "c@example.org");
    let answer = bench.ask(&ann()).await.expect("answered");
    assert_eq!(groups(&answer), ["a@example.org", "b@example.org", "c@example.org"]);
}

#[tokio::test]
async fn a_user_who_is_gone_is_known_to_have_no_groups() {
    // G6
    let bench = bench("").await;
    bench.organisation().add_member("a@example.org", ANN).delete_user(ANN);
    let known = Person { external_id: Some("100000000000000000001".to_owned()), ..person(ANN) };
    for gone in [known, person("nobody@example.org")] {
        let answer = bench.ask(&gone).await.expect("authoritative");
        assert_eq!((answer.present, answer.groups.len(), answer.coverage), (false, 0, Coverage::Everything));
    }
}

#[tokio::test]
async fn a_guest_without_an_account_is_for_a_full_read_to_tell() {
    // G4
    let bench = bench("").await;
    let answer = bench.ask(&person("guest@elsewhere.example")).await.expect("answered");
    assert_eq!((answer.present, answer.coverage), (false, Coverage::Facets(BTreeSet::new())));
}

#[tokio::test]
async fn whoever_is_in_a_group_is_told_with_their_account() {
    // G5
    let bench = bench("").await;
    let alone = bench.ask(&ann()).await.expect("answered");
    assert_eq!((alone.account, bench.requests()), (None, 1), "nothing would come of it");
    bench.organisation().add_member("a@example.org", ANN).suspend_user(ANN);
    let account = bench.ask(&ann()).await.expect("answered").account.expect("an account");
    assert_eq!((account.address.as_given(), account.standing), (ANN, Standing::Suspended));
    // Where accounts can't be read, the groups still are.
    for fault in [Fault::google_error(403, "forbidden"), Fault::status(404), Fault::Html] {
        bench.organisation().clear_faults().fault(every_call().path_contains("/users/"), fault.clone());
        let answer = bench.ask(&ann()).await.expect("answered");
        assert_eq!((answer.account.is_none(), groups(&answer)), (true, vec!["a@example.org"]), "{fault:?}");
    }
    bench.organisation().clear_faults().fault(every_call().path_contains("/users/"), Fault::status(503));
    assert_eq!(class(&bench).await, Some(ErrorClass::Http5xx), "what may pass is worth another try");
}

#[tokio::test]
async fn an_account_that_moved_to_another_address_is_found_by_its_id() {
    let bench = bench("").await;
    bench.organisation().add_member("a@example.org", ANN);
    let account = bench.ask(&ann()).await.expect("answered").account.expect("an account");
    bench.organisation().readdress_user(ANN, "ann.b@commune-a.fr");
    let known = Person { external_id: Some(account.external_id.clone()), ..ann() };
    let answer = bench.ask(&known).await.expect("answered");
    assert_eq!(groups(&answer), ["a@example.org"]);
    let moved = answer.account.expect("an account");
    assert_eq!((moved.external_id, moved.address.as_given()), (account.external_id, "ann.b@commune-a.fr"));
}

#[tokio::test]
async fn a_404_in_other_words_proves_nothing() {
    // G6: a wrong base address answers 404 too.
    let bench = bench("").await;
    let other =
        |code: u16, body: Option<&str>| Fault::Status { code, body: body.map(str::to_owned), retry_after: None };
    for fault in [
        Fault::status(404),
        Fault::status(412),
        other(404, Some("<html>nothing here</html>")),
        Fault::google_error(404, "domainNotFound"),
        Fault::google_error(412, "other"),
    ] {
        bench.organisation().clear_faults().fault(every_call(), fault.clone());
        assert_eq!(class(&bench).await, Some(Malformed), "{fault:?}");
    }
}

#[rstest]
#[case("userRateLimitExceeded")]
#[case("rateLimitExceeded")]
#[case("quotaExceeded")]
#[tokio::test]
async fn a_rate_limit_in_a_403_is_repeated(#[case] reason: &str) {
    // G7
    let bench = bench("").await;
    bench.organisation().fault(every_call().times(2), Fault::google_error(403, reason));
    assert_eq!(class(&bench).await, None);
    assert_eq!(bench.requests(), 3);
    bench.organisation().fault(every_call(), Fault::google_error(403, reason));
    assert_eq!(class(&bench).await, Some(RateLimited));
}

#[rstest]
#[case("forbidden")]
#[case("insufficientPermissions")]
#[tokio::test]
async fn a_403_of_another_kind_names_the_setting_and_is_asked_once(#[case] reason: &str) {
    // G7
    let bench = bench("").await;
    bench.organisation().fault(every_call(), Fault::google_error(403, reason));
    let failure = bench.ask(&ann()).await.expect_err("forbidden");
    assert_eq!(failure.class, Forbidden);
    for named in [reason, "sources.google_sync.subject", "admin.directory.group.readonly"] {
        assert!(failure.message.contains(named), "{}", failure.message);
    }
    assert_eq!(bench.requests(), 1);
}

#[tokio::test]
async fn fields_of_a_wrong_type_are_malformed() {
    // S8
    let bench = bench("").await;
    bench.organisation().add_member("a@example.org", ANN);
    for fault in [
        Fault::wrong_type(),
        Fault::wrong_type_of("email"),
        Fault::omit_key("email"),
        Fault::omit_key("id"),
        Fault::null_key("groups"),
        Fault::replace_key("kind", "admin#directory#users".into()),
        Fault::replace_key("directMembersCount", "many".into()),
        Fault::Html,
    ] {
        bench.organisation().clear_faults().fault(every_call().times(1), fault.clone());
        assert_eq!(class(&bench).await, Some(Malformed), "{fault:?}");
        assert_eq!(class(&bench).await, None, "after {fault:?}");
    }
}

#[tokio::test]
async fn lists_that_do_not_end_are_incomplete() {
    // G1
    for fault in [Fault::RepeatToken, Fault::EndlessPages] {
        let bench = bench("page_cap = 5").await;
        bench.organisation().add_member("a@example.org", ANN).fault(every_call(), fault.clone());
        assert_eq!(class(&bench).await, Some(Incomplete), "{fault:?}");
        assert!(bench.requests() <= 5, "{fault:?}");
    }
}

#[tokio::test]
async fn a_failing_outer_group_fails_the_whole_answer() {
    // G4: what could not be walked to the end is not the answer of a census.
    let bench = bench("").await;
    bench.organisation().add_member("a@example.org", ANN);
    bench.organisation().fault(every_call().group("a@example.org"), Fault::status(503));
    assert_eq!(class(&bench).await, Some(ErrorClass::Http5xx));
    bench.organisation().clear_faults();
    bench.organisation().fault(every_call().group("a@example.org"), Fault::google_error(404, "notFound"));
    assert_eq!(class(&bench).await, Some(Incomplete));
}

#[tokio::test]
async fn a_person_without_an_address_is_not_asked_about() {
    let bench = bench("").await;
    let mut nameless = ann();
    nameless.email = None;
    let failure = bench.ask(&nameless).await.expect_err("nothing to ask by");
    assert_eq!((failure.class, bench.requests()), (MissingClaim, 0));
}

#[rstest]
#[case("credentials = { file = \"FOLDER/key.json\" }", 1)]
#[case(KEYLESS, 2)]
#[tokio::test]
async fn one_token_serves_many_calls_and_is_renewed_before_it_expires(#[case] credentials: &str, #[case] each: u64) {
    // G8
    let bench = Bench::google_with(credentials, "").await;
    bench.hands.leap_over_sleeps();
    bench.organisation().add_member("a@example.org", ANN);
    let answers = join_all((0..20).map(|_| class(&bench))).await;
    assert!(answers.iter().all(Option::is_none), "{answers:?}");
    assert_eq!(bench.organisation().tokens_issued(), each);
    bench.advance(3539);
    assert_eq!((class(&bench).await, bench.organisation().tokens_issued()), (None, each));
    bench.advance(2);
    assert_eq!((class(&bench).await, bench.organisation().tokens_issued()), (None, 2 * each));
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    // G8
    let bench = bench("").await;
    assert_eq!(class(&bench).await, None);
    bench.organisation().revoke_tokens();
    assert_eq!(class(&bench).await, None);
    assert_eq!(bench.organisation().tokens_issued(), 2);
    bench.organisation().clear_requests().fault(every_call(), Fault::google_error(401, "authError"));
    let failure = bench.ask(&ann()).await.expect_err("refused");
    assert_eq!((failure.class, bench.requests()), (Unauthorized, 2));
    assert!(failure.message.contains("sources.google_sync.credentials"), "{}", failure.message);
    class(&bench).await;
    assert_eq!(bench.requests(), 2, "asked again at most once a minute");
}

#[tokio::test]
async fn a_failing_token_endpoint_is_the_source_failing() {
    // S5
    let cases = [
        (Fault::status(400), Unauthorized),
        (Fault::status(401), Unauthorized),
        (Fault::status(503), ErrorClass::Http5xx),
        (Fault::Reset, ErrorClass::Connect),
        (Fault::Html, Malformed),
        (Fault::wrong_type(), Malformed),
    ];
    for (fault, expected) in cases {
        let bench = bench("retry = { attempts = 1 }").await;
        bench.organisation().fault(Target::system(System::Token), fault.clone());
        let classes = join_all((0..10).map(|_| class(&bench))).await;
        assert!(classes.iter().all(|class| *class == Some(expected)), "{fault:?}: {classes:?}");
        assert_eq!(bench.requests(), 0);
        bench.organisation().clear_faults();
        bench.hands.advance(Duration::from_secs(61));
        assert_eq!(class(&bench).await, None, "after {fault:?}");
    }
}

#[tokio::test]
async fn an_instance_that_may_not_sign_is_told_what_to_look_at() {
    // G8
    let other = "credentials = { keyless = true, service_account = \"other@example.org\" }";
    let bench = Bench::google_with(other, "").await;
    let failure = bench.ask(&ann()).await.expect_err("forbidden");
    assert_eq!(failure.class, Forbidden);
    assert!(failure.message.contains("sources.google_sync.credentials.service_account"), "{}", failure.message);
}
