use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::desired::{Desired, Known, desired};
use crate::entitlement::EntitlementValue;
use crate::event::Event;
use crate::groups::KnownGroup;
use crate::identity::{EmailKey, GroupName};
use crate::observation::*;
use crate::path::Through;
use crate::people::{KnownPeople, join};

const OPEN: Guard = Guard { max_removal_ratio: 1.0, max_removals: u64::MAX, min_memberships: 0 };

fn user(n: u128) -> UserId {
    UserId(Uuid::from_u128(n))
}

fn source() -> SourceName {
    SourceName::stored("google_sync".into())
}

fn at() -> crate::Instant {
    DateTime::from_timestamp_micros(1).expect("in range")
}

fn group(name: &str) -> ObservedGroup {
    ObservedGroup::Directory { name: GroupName::parse(name).expect("valid"), external_id: None }
}

fn person(address: &str) -> CensusPerson {
    CensusPerson::Member { address: EmailAddress::parse(address).expect("valid"), external_id: None }
}

fn asked(n: u128, groups: &[&str], coverage: Coverage) -> AskedUser {
    let groups = groups.iter().map(|name| group(name)).collect();
    let answer = UserAnswer {
        groups,
        paths: BTreeMap::new(),
        coverage,
        stated: Stated::Nothing,
        present: true,
        verdict: None,
        account: None,
    };
    AskedUser { user: user(n), began_at: at(), completed_at: at(), answer: Ok(answer) }
}

/// Group `gN` has id N.
fn known() -> Known {
    Known { groups: (1..10).map(known_group).collect(), ..Known::default() }
}

fn known_group(n: u128) -> KnownGroup {
    let id = GroupId(Uuid::from_u128(n));
    KnownGroup { id, name: format!("g{n}"), external_id: None, managed: false, of_resource: true }
}

/// The same, with the people of a census: those of `users` are stored, and members who are not are created.
fn known_to(census: &Census, users: &[(&str, u128)]) -> Known {
    let by_address = users.iter().map(|(address, n)| (EmailKey::fold(address), user(*n))).collect();
    let known_people = KnownPeople { by_address, ..KnownPeople::default() };
    let mut ids = new_ids();
    let people = join(&census.people, &[], &known_people, &BTreeSet::new(), &mut |_| Some(UserId(ids())));
    Known { people, ..known() }
}

fn pair(group: u128, member: u128) -> Pair {
    (GroupId(Uuid::from_u128(group)), user(member))
}

fn taken(census: Census) -> Observation {
    Observation::Census { began_at: at(), completed_at: at(), census }
}

fn new_ids() -> impl FnMut() -> Uuid {
    let mut next = 1_000u128;
    move || {
        next += 1;
        Uuid::from_u128(next)
    }
}

fn planned(observation: &Observation, known: &Known, stored: &Stored, guard: &Guard) -> Plan {
    following(observation, known, stored, &Policy::guarded(*guard))
}

fn following(observation: &Observation, known: &Known, stored: &Stored, policy: &Policy) -> Plan {
    plan(&source(), desired(observation, known.clone(), &mut new_ids()), stored, policy, at())
}

#[test]
fn what_is_missing_is_created_and_what_is_unlisted_is_removed() {
    // S2
    let stored = Stored { pairs: vec![pair(1, 1), pair(2, 1)], ..Stored::default() };
    let said = Observation::Users(vec![asked(1, &["g1", "g3"], Coverage::Everything)]);
    let plan = planned(&said, &known(), &stored, &OPEN);
    assert_eq!((plan.creates, plan.removes, plan.unchanged), (vec![pair(3, 1)], vec![pair(2, 1)], 1));
}

#[test]
fn a_user_whose_answer_failed_keeps_everything_with_the_reason() {
    // S15
    let stored = Stored { pairs: vec![pair(1, 1), pair(1, 2)], ..Stored::default() };
    let failed =
        AskedUser { answer: Err(Failure::new(ErrorClass::Timeout, "slow")), ..asked(2, &[], Coverage::Everything) };
    let said = Observation::Users(vec![asked(1, &[], Coverage::Everything), failed]);
    let plan = planned(&said, &known(), &stored, &OPEN);
    assert_eq!(plan.removes, vec![pair(1, 1)]);
    assert_eq!(plan.kept, vec![(pair(1, 2), KeepReason::Unread(ErrorClass::Timeout))]);
}

#[test]
fn an_absent_facet_leaves_its_groups_alone() {
    // S7
    let facet = |permission: &str| Facet { resource_type: "maildomain".into(), permission: permission.into() };
    let stored = Stored {
        pairs: vec![pair(1, 1), pair(2, 1), pair(3, 1)],
        facets: BTreeMap::from([
            (GroupId(Uuid::from_u128(1)), facet("admin")),
            (GroupId(Uuid::from_u128(2)), facet("read")),
        ]),
        ..Stored::default()
    };
    let said = Observation::Users(vec![asked(1, &[], Coverage::Facets(BTreeSet::from([facet("admin")])))]);
    let plan = planned(&said, &known(), &stored, &OPEN);
    assert_eq!((plan.removes, plan.unchanged), (vec![pair(1, 1)], 2));
}

#[test]
fn an_unsaid_mapped_entitlement_stays_as_it_is_stored() {
    // S7
    let value = |json: serde_json::Value| EntitlementValue::of(&json);
    let have = [("can_admin_maildomains", value(serde_json::json!(["a.fr"]))), ("can_store", value(true.into()))];
    let have = Entitlements::from(have.map(|(key, value)| (key.to_owned(), value)));
    let stored = Stored { entitlements: BTreeMap::from([(user(1), have)]), ..Stored::default() };
    let mut asked = asked(1, &[], Coverage::Facets(BTreeSet::new()));
    let answer = asked.answer.as_mut().expect("answered");
    answer.stated = Stated::All {
        entitlements: Entitlements::from([("can_store".to_owned(), value(false.into()))]),
        unsaid: BTreeSet::from(["can_admin_maildomains".to_owned()]),
    };
    let plan = planned(&Observation::Users(vec![asked]), &known(), &stored, &OPEN);
    assert_eq!(plan.entitlements[&user(1)].keys().collect::<Vec<_>>(), ["can_store"]);
}

#[test]
fn an_answer_about_some_entitlements_leaves_the_others_as_they_are_stored() {
    let value = |json: serde_json::Value| EntitlementValue::of(&json);
    let have = [("can_admin_maildomains", value(serde_json::json!(["a.fr"]))), ("can_store", value(true.into()))];
    let have = Entitlements::from(have.map(|(key, value)| (key.to_owned(), value)));
    let stored = Stored { entitlements: BTreeMap::from([(user(1), have)]), ..Stored::default() };
    let planned_with = |said: Entitlements| {
        let mut asked = asked(1, &[], Coverage::Facets(BTreeSet::new()));
        asked.answer.as_mut().expect("answered").stated = Stated::Only(said);
        planned(&Observation::Users(vec![asked]), &known(), &stored, &OPEN)
    };
    let said = Entitlements::from([("can_admin_maildomains".to_owned(), value(serde_json::json!([])))]);
    assert_eq!(planned_with(said).entitlements[&user(1)].keys().collect::<Vec<_>>(), ["can_admin_maildomains"]);
    assert!(planned_with(Entitlements::new()).is_quiet(), "an answer that speaks of nothing changes nothing");
}

#[test]
fn an_entitlement_to_a_resource_that_is_not_provisioned_gives_no_membership() {
    // D6
    let facet = Facet { resource_type: "maildomain".into(), permission: "admin".into() };
    let resource = |id: &str| {
        let name = GroupName::of_resource(&facet, id).expect("valid");
        ObservedGroup::Resource { name, facet: facet.clone(), resource_id: id.into() }
    };
    let mut asked = asked(1, &[], Coverage::Facets(BTreeSet::from([facet.clone()])));
    asked.answer.as_mut().expect("answered").groups = BTreeSet::from([resource("a.fr"), resource("b.fr")]);
    let said = Observation::Users(vec![asked]);
    let gated = |ids: &[&str]| {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        Known { provisioned: BTreeMap::from([("maildomain".to_owned(), ids)]), ..known() }
    };
    assert_eq!(planned(&said, &gated(&["a.fr"]), &Stored::default(), &OPEN).new_groups.len(), 1);
    assert!(planned(&said, &gated(&[]), &Stored::default(), &OPEN).creates.is_empty());
    assert_eq!(planned(&said, &known(), &Stored::default(), &OPEN).creates.len(), 2, "an ungated type is open");
}

#[test]
fn an_incomplete_group_may_grow_and_not_shrink() {
    // G2
    let stored = Stored { pairs: vec![pair(1, 1), pair(2, 1)], ..Stored::default() };
    let census = Census {
        people: vec![person("B@x.fr")],
        groups: vec![
            CensusGroup {
                group: group("g1"),
                members: vec![0],
                through: Through::default(),
                incomplete: Some(Failure::new(ErrorClass::Incomplete, "2 of 3")),
                went_away: false,
            },
            CensusGroup {
                group: group("g2"),
                members: vec![0],
                through: Through::default(),
                incomplete: None,
                went_away: false,
            },
        ],
        accounts_unread: None,
        accounts_unusable: false,
    };
    let known = known_to(&census, &[("b@x.fr", 2)]);
    let plan = planned(&taken(census), &known, &stored, &OPEN);
    assert_eq!(plan.creates, vec![pair(1, 2), pair(2, 2)]);
    assert_eq!(plan.removes, vec![pair(2, 1)]);
    assert_eq!(plan.kept, vec![(pair(1, 1), KeepReason::Unread(ErrorClass::Incomplete))]);
}

#[test]
fn a_census_is_silent_about_users_refreshed_since_it_began() {
    // S11
    let stored = Stored { pairs: vec![pair(1, 1), pair(1, 2)], ..Stored::default() };
    let groups = vec![CensusGroup {
        group: group("g1"),
        members: vec![],
        through: Through::default(),
        incomplete: None,
        went_away: false,
    }];
    let census = Census { people: vec![], groups, accounts_unread: None, accounts_unusable: false };
    let known = Known { superseded: BTreeSet::from([user(1)]), ..known() };
    assert_eq!(planned(&taken(census), &known, &stored, &OPEN).removes, vec![pair(1, 2)]);
}

#[test]
fn the_absolute_limit_lets_five_go_and_holds_six() {
    let guard = Guard { max_removal_ratio: 0.25, max_removals: 5, min_memberships: 20 };
    for (removals, held) in [(5, false), (6, true)] {
        let stored = Stored { pairs: (1..=removals).map(|n| pair(1, n)).collect(), ..Stored::default() };
        let said = (1..=removals).map(|n| asked(n, &[], Coverage::Everything)).collect();
        let plan = planned(&Observation::Users(said), &known(), &stored, &guard);
        assert_eq!(plan.held.is_some(), held, "{removals}");
    }
}

#[test]
fn the_ratio_counts_from_min_memberships_on() {
    let guard = Guard { max_removal_ratio: 0.25, max_removals: 100, min_memberships: 20 };
    for (of, removals, held) in [(19, 19, false), (20, 5, false), (20, 6, true), (40, 10, false), (40, 11, true)] {
        let stored = Stored { pairs: (1..=of).map(|n| pair(1, n)).collect(), ..Stored::default() };
        let answer = |n| asked(n, if n <= removals { &[] } else { &["g1"] }, Coverage::Everything);
        let plan = planned(&Observation::Users((1..=of).map(answer).collect()), &known(), &stored, &guard);
        assert_eq!(plan.held.is_some(), held, "{removals} of {of}");
    }
}

#[test]
fn the_last_person_in_admin_is_kept_and_told_once() {
    // M6
    let admin = (GroupId::ADMIN, user(1));
    let admins = vec![(user(1), source()), (user(2), source())];
    let stored = Stored { pairs: vec![admin, (GroupId::ADMIN, user(2))], admins, ..Stored::default() };
    let said = || Observation::Users(vec![asked(1, &[], Coverage::Everything), asked(2, &[], Coverage::Everything)]);
    let plan = planned(&said(), &known(), &stored, &OPEN);
    assert_eq!(plan.removes, vec![(GroupId::ADMIN, user(2))]);
    assert_eq!(plan.kept, vec![(admin, KeepReason::LastAdministrator)]);
    assert_eq!(plan.newly_blocked, vec![admin]);

    let told = Stored { told_blocked: BTreeSet::from([admin]), ..stored };
    assert!(planned(&said(), &known(), &told, &OPEN).newly_blocked.is_empty());
}

#[test]
fn an_administrator_by_another_source_lets_this_one_go() {
    // S4
    let other = SourceName::stored("admin".into());
    let admins = vec![(user(1), source()), (user(1), other)];
    let stored = Stored { pairs: vec![(GroupId::ADMIN, user(1))], admins, ..Stored::default() };
    let said = Observation::Users(vec![asked(1, &[], Coverage::Everything)]);
    assert_eq!(planned(&said, &known(), &stored, &OPEN).removes.len(), 1);
}

#[test]
fn the_hash_does_not_depend_on_the_ids_of_what_is_new() {
    let census = || Census {
        people: ["a@x.fr", "b@x.fr"].map(person).to_vec(),
        groups: vec![CensusGroup {
            group: group("new"),
            members: vec![0, 1],
            through: Through::default(),
            incomplete: None,
            went_away: false,
        }],
        accounts_unread: None,
        accounts_unusable: false,
    };
    let hash_from = |first: u128| {
        let mut next = first;
        let mut ids = || {
            next = next.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            Uuid::from_u128(next)
        };
        let joined =
            join(&census().people, &[], &KnownPeople::default(), &BTreeSet::new(), &mut |_| Some(UserId(ids())));
        let desired = desired(&taken(census()), Known { people: joined, ..known() }, &mut ids);
        plan(&source(), desired, &Stored::default(), &Policy::guarded(OPEN), at()).hash()
    };
    assert_eq!(hash_from(1), hash_from(77));
    let other = taken(Census { people: vec![], groups: vec![], accounts_unread: None, accounts_unusable: false });
    assert_ne!(hash_from(1), planned(&other, &known(), &Stored::default(), &OPEN).hash());
}

#[test]
fn a_million_memberships_are_a_thousand_events() {
    let members: Vec<u32> = (0..2_500).collect();
    let people = members.iter().map(|n| person(&format!("u{n}@x.fr"))).collect();
    let groups = vec![CensusGroup {
        group: group("g1"),
        members,
        through: Through::default(),
        incomplete: None,
        went_away: false,
    }];
    let census = Census { people, groups, accounts_unread: None, accounts_unusable: false };
    let known = known_to(&census, &[]);
    let events = planned(&taken(census), &known, &Stored::default(), &OPEN);
    let events: Vec<Event> = events.events().collect();
    let types: Vec<_> = events.iter().map(Event::event_type).collect();
    assert_eq!(
        types,
        [
            "user.created",
            "user.created",
            "user.created",
            "membership.changed",
            "membership.changed",
            "membership.changed"
        ]
    );
}

fn pairs() -> impl Strategy<Value = BTreeSet<(u128, u128)>> {
    proptest::collection::btree_set((1u128..6, 1u128..6), 0..20)
}

proptest! {
    #[test]
    fn applying_a_plan_and_planning_again_is_quiet(want in pairs(), have in pairs()) {
        // S3
        let said = || {
            let answer = |n| {
                let names: Vec<String> = want.iter().filter(|(_, u)| *u == n).map(|(g, _)| format!("g{g}")).collect();
                asked(n, &names.iter().map(String::as_str).collect::<Vec<_>>(), Coverage::Everything)
            };
            Observation::Users((1..6).map(answer).collect())
        };
        let mut rows: BTreeSet<Pair> = have.iter().map(|(g, u)| pair(*g, *u)).collect();
        let stored = Stored { pairs: rows.iter().copied().collect(), ..Stored::default() };
        let plan = planned(&said(), &known(), &stored, &OPEN);
        rows.extend(&plan.creates);
        rows.retain(|pair| !plan.removes.contains(pair));
        let stored = Stored { pairs: rows.into_iter().collect(), ..Stored::default() };
        prop_assert!(planned(&said(), &known(), &stored, &OPEN).is_quiet());
    }
}

mod owners;
mod vanished;
mod waiting;
