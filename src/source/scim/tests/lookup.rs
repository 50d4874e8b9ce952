//! One user, by filters that can be believed, and by the whole where they can't.

use entitled_model::ErrorClass::{Malformed, MissingClaim};
use entitled_model::observation::{Coverage, Standing, Stated, Verdict};
use futures_util::future::join_all;
use serde_json::json;

use super::*;
use fake::Filters;

async fn filled(settings: &str) -> Bench {
    let bench = bench(settings).await;
    bench.server.set(|state| {
        state.users = vec![user("u-1", "Ann@Example.org"), user("u-2", BOB), user("u-3", "cid@example.org")];
        state.groups =
            vec![group("g-1", "Devs", &["u-1", "u-2"]), group("g-2", "Outer", &["g-1"]), group("g-3", "Ops", &["u-2"])];
    });
    bench
}

#[tokio::test]
async fn a_user_is_found_by_filters_and_nothing_else_is_read_for_them() {
    // S19
    let bench = filled("").await;
    bench.ask(ANN).await.expect("the filters are tried");
    bench.server.heal();
    let answer = bench.ask(ANN).await.expect("answered");
    assert_eq!((answer.present, answer.coverage.clone(), answer.verdict), (true, Coverage::Everything, None));
    assert_eq!(answer.stated, Stated::Nothing);
    let account = answer.account.expect("an account");
    assert_eq!((account.external_id.as_str(), account.standing), ("u-1", Standing::Active));
    let asked = bench.server.asked("");
    assert!(asked.iter().all(|asked| asked.target.contains("filter=")), "{asked:?}");
    assert_eq!(asked.len(), 7, "two for the account, three for its groups, two for their names");
    assert_eq!(bench.groups_of(ANN).await, ["devs", "outer"]);
}

#[tokio::test]
async fn whatever_the_filters_are_worth_a_login_says_what_a_census_says() {
    // S6, S14: a filter that finds nothing proves nothing.
    for filters in [
        Filters::Work,
        Filters::Ignored,
        Filters::Exact,
        Filters::Blind,
        Filters::Refused(400, "invalidFilter"),
        Filters::Refused(400, ""),
        Filters::Refused(403, "sensitive"),
        Filters::Refused(501, ""),
    ] {
        for members_told in [true, false] {
            let bench = filled("").await;
            bench.server.state().filters = filters;
            bench.server.state().members_told = members_told;
            assert_eq!(bench.groups_of(ANN).await, ["devs", "outer"]);
            assert_eq!(bench.groups_of(BOB).await, ["devs", "ops", "outer"]);
            assert_eq!(bench.groups_of("cid@example.org").await, [""; 0]);
            let nobody = bench.ask("nobody@example.org").await.expect("authoritative");
            assert_eq!((nobody.present, nobody.groups.len(), nobody.account), (false, 0, None));
        }
    }
}

#[tokio::test]
async fn filters_that_fail_after_their_trial_fall_back_on_the_whole() {
    let bench = filled("").await;
    bench.ask(ANN).await.expect("tried");
    bench.server.state().filters = Filters::Refused(501, "");
    assert_eq!(bench.groups_of(ANN).await, ["devs", "outer"]);
}

#[tokio::test]
async fn a_whole_that_is_not_whole_is_no_answer() {
    let bench = filled("").await;
    bench.server.state().filters = Filters::Blind;
    bench.server.state().groups.push(group("g-4", "Broken", &["u-9"]));
    assert_eq!(class(&bench.ask(ANN).await), Some(entitled_model::ErrorClass::Incomplete));
}

#[tokio::test]
async fn many_logins_at_once_are_two_readings_of_the_whole() {
    // S10
    let bench = filled("").await;
    bench.server.state().filters = Filters::Blind;
    bench.ask(ANN).await.expect("the filters are tried");
    bench.server.heal();
    let answers = join_all((0..50).map(|_| bench.ask(ANN))).await;
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.groups.len() == 2)));
    let readings = bench.server.asked("/Users?").len();
    assert_eq!(readings, 2, "whoever asks while the first one is under way shares the next");
    bench.server.state().groups[0]["members"] = json!([]);
    assert_eq!(bench.ask(ANN).await.expect("answered").groups.len(), 0, "a reading serves nobody who asks later");
}

#[tokio::test]
async fn nobody_escapes_from_a_filter() {
    let bench = filled("").await;
    bench.server.state().users.push(json!({"id": "u-4", "userName": "x", "emails": [{"value": "q\"x\\@example.org"}]}));
    assert_eq!(bench.groups_of("q\"x\\@example.org").await, [""; 0]);
    let asked = bench.server.asked("emails.value+eq+%22q%5C%22x%5C%5C%40example.org%22&");
    assert_eq!(asked.len(), 1, "{:?}", bench.server.asked("filter"));
    let nobody = bench.ask("\"or(userName)pr)or\"@example.org").await.expect("authoritative");
    assert!(!nobody.present);
}

#[tokio::test]
async fn a_user_is_found_by_an_alias_and_by_a_user_name_that_is_an_address() {
    let bench = filled("").await;
    let emails = json!([{"value": "dee@example.org", "primary": true}, {"value": "d@example.org"}]);
    bench
        .server
        .state()
        .users
        .push(json!({"id": "u-4", "userName": "upn@corp.example", "emails": emails, "active": false}));
    bench.server.state().groups.push(group("g-4", "Late", &["u-4"]));
    for email in ["dee@example.org", "D@example.org", "UPN@corp.example"] {
        let answer = bench.ask(email).await.expect("answered");
        let account = answer.account.expect("an account");
        assert_eq!((account.external_id.as_str(), account.standing), ("u-4", Standing::Suspended), "{email}");
        assert_eq!(answer.groups.iter().map(|group| group.name()).collect::<Vec<_>>(), ["late"], "G5: rows are kept");
    }
    bench.groups_of("dee@example.org").await;
}

#[tokio::test]
async fn two_accounts_for_one_address_are_malformed_and_a_first_address_must_be_ones_own() {
    for filters in [Filters::Work, Filters::Blind] {
        let bench = filled("").await;
        bench.server.state().filters = filters;
        let emails = json!([{"value": "bob@example.org"}, {"value": "b@example.org"}]);
        bench.server.state().users.push(json!({"id": "u-4", "userName": "x", "emails": emails}));
        for email in [BOB, "b@example.org"] {
            assert_eq!(class(&bench.ask(email).await), Some(Malformed), "{email}");
        }
        bench.server.state().users.last_mut().expect("one")["emails"][0]["value"] = json!("not an address");
        assert_eq!(
            class(&bench.ask("b@example.org").await),
            if filters == Filters::Work { Some(Malformed) } else { None }
        );
    }
}

#[tokio::test]
async fn groups_but_none_within_the_prefix_ask_to_deny() {
    // G3
    for filters in [Filters::Work, Filters::Blind] {
        let bench = filled("prefix = \"acme-\"").await;
        bench.server.state().filters = filters;
        let outside = bench.ask(ANN).await.expect("answered");
        assert_eq!((outside.verdict, outside.groups.len()), (Some(Verdict::NotInAllowedGroup), 0));
        assert_eq!(bench.ask("cid@example.org").await.expect("answered").verdict, None);
        bench.server.state().groups.push(group("g-4", "Acme-Team", &["g-2"]));
        assert_eq!(bench.ask(ANN).await.expect("answered").verdict, None);
    }
}

#[tokio::test]
async fn a_person_without_an_address_is_not_asked_about() {
    let bench = filled("").await;
    let mut nameless = person(ANN);
    nameless.email = None;
    let failure = bench.source.groups_of(&nameless, Urgency::Awaited).await.expect_err("nothing to ask by");
    assert_eq!((failure.class, bench.server.asked("").len()), (MissingClaim, 0));
}
