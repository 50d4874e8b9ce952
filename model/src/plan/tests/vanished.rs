//! Groups that are no longer listed, and administrators who are suspended meanwhile.

use super::*;

fn whole(groups: &[&str]) -> Census {
    let listed = |name: &&str| CensusGroup {
        group: group(name),
        members: vec![],
        through: Through::default(),
        incomplete: None,
        went_away: false,
    };
    Census {
        people: vec![],
        groups: groups.iter().map(listed).collect(),
        accounts_unread: None,
        accounts_unusable: false,
    }
}

fn gid(n: u128) -> GroupId {
    GroupId(Uuid::from_u128(n))
}

/// As [`known`], with groups that the source manages.
fn managing() -> Known {
    let group = |n| KnownGroup {
        id: gid(n),
        name: format!("g{n}"),
        external_id: Some(format!("x{n}")),
        managed: true,
        of_resource: false,
    };
    Known { groups: (1..3).map(group).collect(), ..Known::default() }
}

#[test]
fn a_group_that_is_not_listed_goes_when_the_next_complete_list_agrees() {
    // G6
    let stored = Stored { pairs: vec![pair(1, 1), pair(2, 1)], ..Stored::default() };
    let known = known();
    let first = planned(&taken(whole(&["g1"])), &known, &stored, &OPEN);
    assert_eq!(first.kept, vec![(pair(2, 1), KeepReason::AwaitingConfirmation)]);
    assert_eq!((&first.removes, &first.vanished), (&vec![pair(1, 1)], &Some(BTreeSet::from([gid(2)]))));

    let stored = Stored { vanished: BTreeSet::from([gid(2)]), ..stored };
    let second = planned(&taken(whole(&["g1"])), &known, &stored, &OPEN);
    assert_eq!((second.removes, second.kept), (vec![pair(1, 1), pair(2, 1)], vec![]));
    let back = planned(&taken(whole(&["g1", "g2"])), &known, &stored, &OPEN);
    assert_eq!(back.vanished, Some(BTreeSet::new()), "a group that is listed again is forgotten");
}

#[test]
fn the_sources_own_group_ends_with_it_and_another_ones_outlives_it() {
    let stored = || Stored { pairs: vec![pair(2, 1)], vanished: BTreeSet::from([gid(1), gid(2)]), ..Stored::default() };
    let plan = planned(&taken(whole(&[])), &managing(), &stored(), &OPEN);
    assert_eq!(plan.deleted_groups, BTreeSet::from([gid(1), gid(2)]));
    let types: Vec<_> = plan.events().map(|event| event.event_type()).collect();
    assert_eq!(types, ["membership.changed", "group.deleted", "group.deleted"], "nobody is in a group that is gone");

    let shared = Stored { shared: BTreeSet::from([gid(2)]), ..stored() };
    let plan = planned(&taken(whole(&[])), &managing(), &shared, &OPEN);
    assert_eq!((plan.deleted_groups, plan.removes), (BTreeSet::from([gid(1)]), vec![pair(2, 1)]));
    let plan = planned(&taken(whole(&[])), &known(), &stored(), &OPEN);
    assert_eq!(plan.deleted_groups, BTreeSet::new(), "a group that the source does not manage is not its to delete");
}

#[test]
fn a_group_that_went_away_while_it_was_read_is_remembered() {
    // G6
    let mut census = whole(&["g1"]);
    census.groups[0].incomplete = Some(Failure::new(ErrorClass::Incomplete, "it went away"));
    census.groups[0].went_away = true;
    let stored = Stored { pairs: vec![pair(1, 1)], ..Stored::default() };
    let plan = planned(&taken(census), &known(), &stored, &OPEN);
    assert_eq!(plan.kept, vec![(pair(1, 1), KeepReason::Unread(ErrorClass::Incomplete))]);
    assert_eq!(plan.vanished, Some(BTreeSet::from([gid(1)])), "the next complete list confirms it");
}

#[test]
fn whom_the_plan_suspends_does_not_count_as_an_administrator() {
    // M6, G5
    let (ann, bob) = ((GroupId::ADMIN, user(1)), (GroupId::ADMIN, user(2)));
    let admins = vec![(user(1), source()), (user(2), source())];
    let stored = Stored { pairs: vec![ann, bob], admins, ..Stored::default() };
    let said = Observation::Users(vec![asked(1, &[], Coverage::Everything)]);
    let mut known = known();
    known.people.changes.suspended.insert(user(2));
    assert_eq!(planned(&said, &known, &stored, &OPEN).kept, [(ann, KeepReason::LastAdministrator)]);
    let joining = Stored { inactive: BTreeSet::from([user(3)]), pairs: vec![ann], ..stored };
    let desired = Desired { pairs: vec![(GroupId::ADMIN, user(3))], ..desired(&said, known.clone(), &mut new_ids()) };
    assert_eq!(
        plan(&source(), desired, &joining, &Policy::guarded(OPEN), at()).removes,
        [],
        "who is not active takes nobody's place"
    );
}

#[test]
fn whoever_is_in_a_group_that_is_not_listed_keeps_the_grace_when_the_plan_is_approved() {
    // S2
    let (hour, stored) = (chrono::TimeDelta::hours(1), Stored { pairs: vec![pair(2, 1)], ..Stored::default() });
    let policy = Policy { grace: hour, ..Policy::guarded(Guard { max_removals: 0, ..OPEN }) };
    let held = following(&taken(whole(&["g1"])), &managing(), &stored, &policy);
    assert!(held.held.is_some());
    assert_eq!((&held.removes, &held.scheduled), (&vec![], &vec![(pair(2, 1), at() + hour)]));
    assert_eq!((&held.deleted_groups, &held.vanished), (&BTreeSet::new(), &Some(BTreeSet::from([gid(2)]))));
    assert_eq!(held.kept_back(), vec![(pair(2, 1), KeepReason::Guard)]);
    let none = Policy { grace: chrono::TimeDelta::zero(), ..policy };
    let held = following(&taken(whole(&["g1"])), &managing(), &stored, &none);
    assert_eq!((held.removes, held.deleted_groups), (vec![pair(2, 1)], BTreeSet::from([gid(2)])));
}

#[test]
fn a_system_groups_own_limits_hold_when_the_group_mapped_to_it_is_gone() {
    let everyone: Vec<Pair> = (1..=4).map(|member| (GroupId::EVERYONE, user(member))).collect();
    let gone = BTreeSet::from([GroupId::EVERYONE]);
    let stored = Stored { pairs: everyone, vanished: gone, ..Stored::default() };
    let rules = GroupPolicy { guard: Guard { max_removals: 1, ..OPEN }, grace: chrono::TimeDelta::zero() };
    let policy = Policy { groups: BTreeMap::from([(GroupId::EVERYONE, rules)]), ..Policy::guarded(OPEN) };
    let plan = following(&taken(whole(&["g1"])), &managing(), &stored, &policy);
    assert_eq!(plan.held.and_then(|held| held.group), Some(GroupId::EVERYONE));
}
