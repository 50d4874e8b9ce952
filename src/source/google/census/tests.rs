//! The whole directory, against the simulator.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use entitled_model::ErrorClass::{self, Forbidden, Http5xx, Incomplete, Malformed};
use entitled_model::observation::Census;
use entitled_simulator::{Fault, Handle, System, Target};

use crate::source::testing::{Bench, groups, paths_in, person};
use crate::source::{Asks, Progress};

const PREFIX: &str =
    "prefix = \"grp_acme_\"\nadmin_group = \"bosses@example.org\"\neveryone_group = \"all@example.org\"";

async fn bench(settings: &str) -> Bench {
    let bench = Bench::google(settings).await;
    bench.hands.leap_over_sleeps();
    bench
}

fn every_call() -> Target {
    Target::system(System::Google)
}

fn members_of(group: &str) -> Target {
    every_call().group(group).path_contains("/members")
}

/// Group → members, folded.
fn memberships(census: &Census) -> BTreeMap<String, Vec<String>> {
    let of = |members: &[u32]| {
        let mut of: Vec<_> =
            members.iter().map(|at| census.people[*at as usize].address().key().as_str().to_owned()).collect();
        of.sort();
        of
    };
    census.groups.iter().map(|group| (group.group.name().to_owned(), of(&group.members))).collect()
}

/// Groups that are marked.
fn marked(census: &Census) -> BTreeMap<&str, ErrorClass> {
    let marked = census.groups.iter().filter_map(|group| Some((group.group.name(), group.incomplete.as_ref()?.class)));
    marked.collect()
}

fn class(result: Result<Census, entitled_model::Failure>) -> Option<ErrorClass> {
    result.err().map(|failure| failure.class)
}

fn fill(organisation: &Handle, group: &str, count: usize) {
    for number in 0..count {
        organisation.add_member(group, &format!("user{number:03}@example.org"));
    }
}

#[tokio::test]
async fn all_pages_of_groups_and_members_are_read() {
    // G1
    let bench = bench("").await;
    fill(bench.organisation(), "big@example.org", 450);
    for number in 0..250 {
        bench.organisation().add_group(&format!("group{number:03}@example.org"));
    }
    let census = bench.census().await.expect("whole");
    assert_eq!((census.groups.len(), census.people.len()), (251, 450));
    assert_eq!(memberships(&census)["big@example.org"].len(), 450);
    assert!(marked(&census).is_empty());
    let of_members = bench.organisation().requests(System::Google).into_iter();
    assert_eq!(of_members.filter(|asked| asked.path.contains("/members")).count(), 250 + 3);
}

#[tokio::test]
async fn a_page_of_members_that_fails_marks_its_group_and_the_others_go_on() {
    // G1
    let cases = [
        (Fault::status(503), Http5xx),
        (Fault::Truncate, Incomplete),
        (Fault::RepeatToken, Incomplete),
        (Fault::wrong_type(), Malformed),
        (Fault::wrong_type_of("email"), Malformed),
        (Fault::omit_key("type"), Malformed),
        (Fault::ShortList, Incomplete),
        (Fault::google_error(403, "forbidden"), Forbidden),
        (Fault::google_error(404, "notFound"), Incomplete),
    ];
    for (fault, expected) in cases {
        let bench = bench("retry = { attempts = 2 }").await;
        fill(bench.organisation(), "big@example.org", 250);
        fill(bench.organisation(), "small@example.org", 2);
        fill(bench.organisation(), "other@example.org", 1);
        bench.organisation().fault(members_of("big@example.org").page(2), fault.clone());
        let census = bench.census().await.expect("the rest");
        assert_eq!(marked(&census), BTreeMap::from([("big@example.org", expected)]), "{fault:?}");
        assert_eq!(memberships(&census)["small@example.org"].len(), 2, "{fault:?}");
    }
}

#[tokio::test]
async fn endless_pages_end_at_the_cap() {
    // G1
    let bench = bench("page_cap = 4").await;
    fill(bench.organisation(), "big@example.org", 3);
    fill(bench.organisation(), "small@example.org", 1);
    bench.organisation().fault(members_of("big@example.org"), Fault::EndlessPages);
    let census = bench.census().await.expect("the rest");
    assert_eq!(marked(&census), BTreeMap::from([("big@example.org", Incomplete)]));
    bench.organisation().clear_faults().fault(every_call().path_contains("customer="), Fault::EndlessPages);
    assert_eq!(class(bench.census().await), Some(Incomplete));
}

#[tokio::test]
async fn a_list_of_groups_that_fails_fails_the_census() {
    // S5, G1
    for (fault, expected) in [
        (Fault::status(503), Http5xx),
        (Fault::RepeatToken, Incomplete),
        (Fault::wrong_type(), Malformed),
        (Fault::omit_key("email"), Malformed),
        (Fault::google_error(403, "forbidden"), Forbidden),
        (Fault::google_error(404, "notFound"), Malformed),
    ] {
        let bench = bench("retry = { attempts = 1 }").await;
        for number in 0..250 {
            bench.organisation().add_group(&format!("group{number:03}@example.org"));
        }
        bench.organisation().fault(every_call().path_contains("customer=").page(2), fault.clone());
        // An absence on a later page, or at all, is not an empty directory.
        let expected = if fault == Fault::google_error(404, "notFound") { Incomplete } else { expected };
        assert_eq!(class(bench.census().await), Some(expected), "{fault:?}");
    }
    let bench = bench("").await;
    bench.organisation().fault(every_call(), Fault::google_error(404, "notFound"));
    assert_eq!(class(bench.census().await), Some(Malformed));
}

#[tokio::test]
async fn a_count_that_disagrees_marks_the_group_and_those_around_it() {
    // G2
    let bench = bench("").await;
    fill(bench.organisation(), "inner@example.org", 3);
    fill(bench.organisation(), "apart@example.org", 2);
    bench.organisation().add_member("outer@example.org", "inner@example.org");
    for stated in [2, 4] {
        bench.organisation().state_members_count("inner@example.org", Some(stated));
        let census = bench.census().await.expect("read");
        let expected = BTreeMap::from([("inner@example.org", Incomplete), ("outer@example.org", Incomplete)]);
        assert_eq!(marked(&census), expected);
        assert_eq!(memberships(&census)["outer@example.org"].len(), 3, "additions apply");
    }
}

#[tokio::test]
async fn a_group_that_changed_since_it_was_listed_is_compared_again() {
    // G2
    let bench = bench("").await;
    fill(bench.organisation(), "busy@example.org", 3);
    bench.organisation().fault(every_call().path_contains("/members"), Fault::hold_call("members"));
    let change = async {
        let listed = bench.organisation().wait_for_requests(System::Google, 2, Duration::from_secs(5)).await;
        listed.expect("the list of members");
        bench.organisation().add_member("busy@example.org", "late@example.org").release("members");
    };
    let (census, ()) = tokio::join!(bench.census(), change);
    let census = census.expect("read");
    assert!(marked(&census).is_empty(), "{:?}", marked(&census));
    assert_eq!(memberships(&census)["busy@example.org"].len(), 4);
}

#[tokio::test]
async fn entries_without_a_person_count_but_are_nobody() {
    // G3
    let bench = bench("").await;
    let organisation = bench.organisation();
    organisation.add_member("a@example.org", "Ann@Example.org").add_member("b@example.org", "ann@example.org");
    organisation.add_external("a@example.org", "guest@elsewhere.example").add_customer("a@example.org");
    let census = bench.census().await.expect("read");
    assert_eq!(memberships(&census)["a@example.org"], ["ann@example.org"]);
    assert!(marked(&census).is_empty(), "{:?}", marked(&census));
    assert_eq!(census.people.len(), 1, "one person, however spelled");
    assert_eq!(census.people[0].address().as_given(), "Ann@Example.org");
    // Without its address the entry is known by its id.
    organisation.fault(members_of("b@example.org"), Fault::omit_key("email"));
    let census = bench.census().await.expect("read");
    assert_eq!(memberships(&census)["b@example.org"], ["ann@example.org"]);
    // Without an account too it still counts, and is nobody.
    organisation.fault(every_call().path_contains("/users"), Fault::google_error(403, "forbidden"));
    let census = bench.census().await.expect("read");
    assert!(memberships(&census)["b@example.org"].is_empty());
    assert!(marked(&census).is_empty());
    assert_eq!(census.accounts_unread.map(|failure| failure.class), Some(Forbidden));
}

#[tokio::test]
async fn accounts_say_who_administers_the_directory_where_that_is_wanted() {
    // R1, R6
    for (settings, says) in [("", [None, None]), ("administrators_are_owners = true", [Some(true), Some(false)])] {
        let bench = bench(settings).await;
        let organisation = bench.organisation();
        organisation.add_user("ann@example.org");
        organisation.add_user("ben@example.org");
        organisation.make_admin("ann@example.org", true);
        let census = bench.census().await.expect("read");
        let said: Vec<_> = census.people.iter().filter_map(|person| Some(person.account()?.is_administrator)).collect();
        assert_eq!((&said[..], census.accounts_unusable), (&says[..], false), "{settings}");
        let nobody = Fault::ReplaceKey { key: "primaryEmail".to_owned(), value: "nobody".into() };
        organisation.fault(every_call().path_contains("/users"), nobody);
        let census = bench.census().await.expect("read");
        assert!(census.accounts_unusable && census.accounts_unread.is_none(), "{settings}");
    }
}

#[tokio::test]
async fn only_groups_that_matter_are_read() {
    // G3, G9
    let bench = bench(PREFIX).await;
    let organisation = bench.organisation();
    organisation.add_member("inner@example.org", "ann@example.org");
    organisation
        .add_member("GRP_acme_dev@example.org", "inner@example.org")
        .add_member("bosses@example.org", "ben@example.org");
    organisation
        .add_member("all@example.org", "cleo@example.org")
        .add_member("unrelated@example.org", "dan@example.org");
    let census = bench.census().await.expect("read");
    let expected = [
        ("Admin", "ben@example.org"),
        ("Everyone", "cleo@example.org"),
        ("grp_acme_dev@example.org", "ann@example.org"),
    ];
    let read: Vec<_> = memberships(&census).into_iter().map(|(group, members)| (group, members.concat())).collect();
    assert_eq!(read, expected.map(|(group, member)| (group.to_owned(), member.to_owned())));
    let asked = organisation.requests(System::Google);
    assert_eq!(asked.iter().filter(|asked| asked.path.contains("/members")).count(), 4);
}

#[tokio::test]
async fn a_login_and_a_full_read_agree() {
    // G4, E5
    for nested in ["expand", "direct"] {
        for scope in ["", "prefix = \"grp_\"", "admin_group = \"top@example.org\"\ndomain = \"example.org\""] {
            let bench = bench(&format!("nested = \"{nested}\"\n{scope}")).await;
            let organisation = bench.organisation();
            // Three deep, with a cycle, and a group of another domain in between.
            organisation.add_member("grp_a@example.org", "ann@example.org");
            organisation.add_member("grp_b@example.org", "grp_a@example.org");
            organisation.add_member("mid@other.example", "grp_b@example.org");
            organisation.add_member("top@example.org", "mid@other.example");
            organisation.add_member("grp_a@example.org", "top@example.org");
            organisation.add_member("grp_b@example.org", "Ben@Example.org");
            organisation.add_member("mid@other.example", "cleo@example.org");
            // Another way that is as short, and a longer one.
            for group in ["also@example.org", "grp_c@example.org", "grp_d@example.org"] {
                organisation.add_group(group);
            }
            organisation.add_member("top@example.org", "also@example.org");
            organisation.add_member("also@example.org", "grp_b@example.org");
            organisation.add_member("top@example.org", "grp_c@example.org");
            organisation.add_member("grp_c@example.org", "grp_d@example.org");
            organisation.add_member("grp_d@example.org", "grp_a@example.org");
            let whole = bench.census().await.expect("read");
            let census = memberships(&whole);
            for email in ["ann@example.org", "ben@example.org", "cleo@example.org"] {
                let answer = bench.ask(&person(email)).await.expect("answered");
                let read = census.iter().filter(|(_, members)| members.iter().any(|member| member == email));
                let read: Vec<_> = read.map(|(group, _)| group.as_str()).collect();
                assert_eq!(groups(&answer), read, "{email} {nested} {scope}");
                assert_eq!(answer.paths, paths_in(&whole, email), "{email} {nested} {scope}");
                let ways: usize = answer.paths.values().map(|chain| chain.len()).sum();
                assert_eq!(ways > 0, nested == "expand", "{email} {scope}");
            }
        }
    }
}

#[tokio::test]
async fn a_source_that_fails_for_most_groups_fails_the_census() {
    // S5, S18
    let bench = bench("retry = { attempts = 1 }\nconcurrency = 1").await;
    for number in 0..20 {
        fill(bench.organisation(), &format!("group{number:03}@example.org"), 1);
    }
    bench.organisation().fault(every_call().path_contains("/members"), Fault::status(500));
    assert_eq!(class(bench.census().await), Some(Http5xx));
    assert_eq!(bench.requests(), 2 + 5, "the circuit opened");
}

#[tokio::test]
async fn so_many_lists_are_read_at_once_and_no_more() {
    let bench = bench("concurrency = 3").await;
    for number in 0..12 {
        fill(bench.organisation(), &format!("group{number:03}@example.org"), 1);
    }
    bench.organisation().fault(every_call().path_contains("/members"), Fault::delay(5));
    bench.census().await.expect("read");
    assert_eq!(bench.organisation().peak_concurrency(System::Google), 3);
}

#[derive(Default)]
struct Told(Mutex<Vec<(String, u64, Option<u64>)>>);

impl Progress for Told {
    fn pages(&self, what: &str, done: u64, expected: Option<u64>) {
        self.0.lock().expect("whole").push((what.to_owned(), done, expected));
    }
}

#[tokio::test]
async fn a_reading_says_how_far_it_is() {
    // G9
    let bench = bench("rate = { per_second = 20, burst = 1 }").await;
    for number in 0..30 {
        bench.organisation().add_group(&format!("group{number:03}@example.org"));
    }
    let source = bench.source();
    let Asks::Groups(google) = &source.asks else { panic!("a group source") };
    let told = Told::default();
    google.census(&told).await.expect("read");
    let told = told.0.into_inner().expect("whole");
    assert_eq!(told.first(), Some(&("pages of groups".to_owned(), 1, None)));
    assert_eq!(told.last(), Some(&("groups".to_owned(), 30, Some(30))));
    assert!(bench.clock.monotonic().as_millis() >= 1499, "within the rate: {:?}", bench.clock.monotonic());
}
