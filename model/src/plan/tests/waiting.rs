//! Removals that wait, limits of a group, and the additions of a held plan.

use chrono::TimeDelta;

use super::*;

const HOUR: TimeDelta = TimeDelta::hours(1);

fn policy() -> Policy {
    Policy::guarded(OPEN)
}

fn graceful() -> Policy {
    Policy { grace: HOUR, ..policy() }
}

fn id(n: u128) -> GroupId {
    GroupId(Uuid::from_u128(n))
}

fn holding(pairs: Vec<Pair>) -> Stored {
    Stored { pairs, ..Stored::default() }
}

/// User 1 is in `groups` and nowhere else.
fn says(groups: &[&str]) -> Observation {
    Observation::Users(vec![asked(1, groups, Coverage::Everything)])
}

#[test]
fn a_removal_with_grace_is_scheduled_once_and_kept_with_its_time() {
    // S2
    let stored = holding(vec![pair(1, 1), pair(2, 1)]);
    let first = following(&says(&["g1"]), &known(), &stored, &graceful());
    let due = at() + HOUR;
    assert_eq!(
        (&first.removes, &first.scheduled, &first.kept),
        (&vec![], &vec![(pair(2, 1), due)], &vec![(pair(2, 1), KeepReason::Grace(due))])
    );
    let scheduled = Stored { due: BTreeMap::from([(pair(2, 1), due)]), ..stored };
    let again = following(&says(&["g1"]), &known(), &scheduled, &graceful());
    assert!(again.is_quiet(), "{again:?}");
    assert_eq!(again.kept, first.kept);
}

#[test]
fn a_scheduled_removal_goes_by_a_later_answer_and_is_cancelled_by_one_that_lists_it() {
    // S2
    let due = |due_at| Stored { due: BTreeMap::from([(pair(2, 1), due_at)]), ..holding(vec![pair(2, 1)]) };
    let removes = |due_at| following(&says(&[]), &known(), &due(due_at), &graceful()).removes;
    let before = at() - TimeDelta::microseconds(1);
    assert_eq!(
        (removes(before), removes(at())),
        (vec![pair(2, 1)], vec![]),
        "this answer began at its time, not later"
    );
    let back = following(&says(&["g2"]), &known(), &due(before), &graceful());
    assert_eq!((back.cancelled, back.removes, back.unchanged), (vec![pair(2, 1)], vec![], 1));
}

#[test]
fn an_answer_that_says_nothing_neither_cancels_nor_executes() {
    // S7
    let stored = Stored {
        due: BTreeMap::from([(pair(2, 1), at() - HOUR)]),
        facets: BTreeMap::from([(id(2), Facet { resource_type: "maildomain".into(), permission: "admin".into() })]),
        ..holding(vec![pair(2, 1)])
    };
    let silent = Observation::Users(vec![asked(1, &[], Coverage::Facets(BTreeSet::new()))]);
    assert!(following(&silent, &known(), &stored, &graceful()).is_quiet());
    let failed =
        AskedUser { answer: Err(Failure::new(ErrorClass::Timeout, "slow")), ..asked(1, &[], Coverage::Everything) };
    let plan = following(&Observation::Users(vec![failed]), &known(), &stored, &graceful());
    assert!(plan.is_quiet());
    assert_eq!(plan.kept, vec![(pair(2, 1), KeepReason::Unread(ErrorClass::Timeout))]);
}

#[test]
fn whoever_is_not_active_and_privileged_groups_wait_for_nothing() {
    let stored = holding(vec![pair(1, 1), pair(2, 1)]);
    let privileged = GroupPolicy { guard: OPEN, grace: TimeDelta::zero() };
    let policy = Policy { groups: BTreeMap::from([(id(2), privileged)]), ..graceful() };
    let plan = following(&says(&[]), &known(), &stored, &policy);
    assert_eq!((plan.removes, plan.scheduled.len()), (vec![pair(2, 1)], 1));
    let suspended = Stored {
        inactive: BTreeSet::from([user(1)]),
        due: BTreeMap::from([(pair(1, 1), at() + HOUR)]),
        ..holding(vec![pair(1, 1), pair(2, 1)])
    };
    assert_eq!(following(&says(&[]), &known(), &suspended, &graceful()).removes.len(), 2);
    let admin = (GroupId::ADMIN, user(1));
    let other = (user(2), SourceName::stored("admin".into()));
    let stored = Stored { admins: vec![(user(1), source()), other], ..holding(vec![admin]) };
    assert_eq!(following(&says(&[]), &known(), &stored, &graceful()).removes, vec![admin]);
}

#[test]
fn more_removals_than_a_number_wait_for_a_second_reading() {
    let policy = Policy { second_reading_above: Some(1), ..policy() };
    let one = following(&says(&["g1"]), &known(), &holding(vec![pair(1, 1), pair(2, 1)]), &policy);
    assert_eq!(one.removes, vec![pair(2, 1)]);
    let stored = holding(vec![pair(1, 1), pair(2, 1)]);
    let two = following(&says(&[]), &known(), &stored, &policy);
    assert_eq!((two.removes.len(), two.scheduled.len()), (0, 2));
    assert!(two.kept.iter().all(|(_, reason)| *reason == KeepReason::SecondReading), "{:?}", two.kept);
    let earlier = at() - TimeDelta::microseconds(1);
    let due = stored.pairs.iter().map(|pair| (*pair, earlier)).collect();
    let second = following(&says(&[]), &known(), &Stored { due, ..stored }, &policy);
    assert_eq!(second.removes.len(), 2);
}

#[test]
fn the_guard_counts_a_removal_when_it_is_first_asked_and_not_when_it_is_due() {
    let guard = Guard { max_removals: 1, ..OPEN };
    let policy = Policy { grace: HOUR, ..Policy::guarded(guard) };
    let stored = holding(vec![pair(1, 1), pair(2, 1)]);
    let asked = following(&says(&[]), &known(), &stored, &policy);
    assert_eq!(asked.held.map(|held| held.limit), Some(Limit::Removals { asked: 2, max: 1 }));
    assert!(asked.kept_back().iter().all(|(_, reason)| *reason == KeepReason::Guard), "{:?}", asked.kept_back());
    assert_eq!(asked.kept_back().len(), 2);
    let due = stored.pairs.iter().map(|pair| (*pair, at() - HOUR)).collect();
    let plan = following(&says(&[]), &known(), &Stored { due, ..stored }, &policy);
    assert_eq!((plan.held, plan.removes.len()), (None, 2));
}

#[test]
fn a_group_has_limits_of_its_own() {
    let pairs: Vec<Pair> = (1..=4).map(|member| pair(1, member)).chain((1..=9).map(|member| pair(2, member))).collect();
    let everyone = |groups: &dyn Fn(u128) -> Vec<&'static str>| {
        Observation::Users((1..=9).map(|member| asked(member, &groups(member), Coverage::Everything)).collect())
    };
    let half = Guard { max_removal_ratio: 0.5, max_removals: 100, min_memberships: 4 };
    let policy = Policy { group_guard: half, ..policy() };
    let three_gone = everyone(&|member| if member == 1 { vec!["g1", "g2"] } else { vec!["g2"] });
    let held = following(&three_gone, &known(), &holding(pairs.clone()), &policy).held.expect("held");
    assert_eq!((held.group, held.limit), (Some(id(1)), Limit::Ratio { asked: 3, of: 4, max: 0.5 }));
    let raised = GroupPolicy { guard: OPEN, grace: TimeDelta::zero() };
    let raised = Policy { groups: BTreeMap::from([(id(1), raised)]), ..policy.clone() };
    assert_eq!(following(&three_gone, &known(), &holding(pairs.clone()), &raised).held, None);
    let two_gone = everyone(&|member| if member <= 2 { vec!["g1", "g2"] } else { vec!["g2"] });
    assert_eq!(following(&two_gone, &known(), &holding(pairs), &policy).held, None);
}

#[test]
fn the_additions_of_a_held_plan_are_let_through_and_its_hash_stays_once_they_are_made() {
    let guard = Guard { max_removals: 0, ..OPEN };
    let policy = Policy { on_hold: OnHold::ApplyAdditions, ..Policy::guarded(guard) };
    let said = says(&["g3", "g10"]);
    let plan = following(&said, &known(), &holding(vec![pair(1, 1)]), &policy);
    let additions = plan.additions.as_deref().expect("additions");
    assert_eq!((additions.creates.len(), additions.new_groups.len(), &additions.removes), (2, 1, &vec![]));
    assert_eq!((&plan.creates, &plan.removes), (&vec![], &vec![pair(1, 1)]));
    let group = KnownGroup { id: additions.new_groups[0].0, ..known_group(10) };
    let groups = (1..10).map(known_group).chain([group.clone()]).collect();
    let known = Known { groups, ..Known::default() };
    let mut pairs = vec![pair(1, 1), pair(3, 1), (group.id, user(1))];
    pairs.sort_unstable();
    let again = following(&said, &known, &holding(pairs), &policy);
    assert_eq!(again.hash(), plan.hash());
    assert!(again.additions.is_some_and(|additions| additions.is_quiet()));
    let whole = following(&said, &super::known(), &holding(vec![pair(1, 1)]), &Policy::guarded(guard));
    assert_eq!(whole.additions, None);
    assert_ne!(whole.hash(), plan.hash());
}

#[test]
fn additions_wait_while_an_address_moves_that_a_newcomer_may_need() {
    // Rule 4: the newcomer's profile can't be written while another holds the address.
    let account = |id: &str, address: &str| {
        CensusPerson::Account(Box::new(Account {
            external_id: id.into(),
            address: EmailAddress::parse(address).expect("valid"),
            aliases: vec![],
            standing: Standing::Active,
            is_administrator: None,
        }))
    };
    let listed = CensusGroup {
        group: group("g1"),
        members: vec![0, 1],
        incomplete: None,
        went_away: false,
        through: crate::path::Through::default(),
    };
    let people = vec![account("one", "new@x.fr"), account("two", "old@x.fr")];
    let census = Census { people, groups: vec![listed], accounts_unread: None, accounts_unusable: false };
    let known_people = KnownPeople {
        by_address: [(EmailKey::fold("old@x.fr"), user(1))].into(),
        by_account: [("one".to_owned(), user(1))].into(),
        of_accounts: BTreeMap::from([(EmailKey::fold("old@x.fr"), user(1))]),
        ..KnownPeople::default()
    };
    let mut ids = new_ids();
    let people = join(&census.people, &[], &known_people, &BTreeSet::new(), &mut |_| Some(UserId(ids())));
    assert_eq!((people.created.len(), people.changes.addresses.len()), (1, 1));
    let guard = Guard { max_removals: 0, ..OPEN };
    let policy = Policy { on_hold: OnHold::ApplyAdditions, ..Policy::guarded(guard) };
    let known = Known { people, ..known() };
    let plan = following(&taken(census), &known, &holding(vec![pair(1, 1), pair(1, 9)]), &policy);
    assert!(plan.held.is_some());
    assert_eq!((plan.additions, plan.creates.len()), (None, 1));
}

#[test]
fn an_approval_is_of_the_grace_that_was_shown() {
    let guard = Guard { max_removals: 0, ..OPEN };
    let held = |grace| {
        let policy = Policy { grace, ..Policy::guarded(guard) };
        following(&says(&[]), &known(), &holding(vec![pair(1, 1)]), &policy)
    };
    let (first, shorter) = (held(HOUR), held(TimeDelta::minutes(1)));
    assert_ne!(first.hash(), shorter.hash());
    let later = at() + HOUR;
    let policy = Policy { grace: HOUR, ..Policy::guarded(guard) };
    let desired = desired(&says(&[]), known(), &mut new_ids());
    let again = plan(&source(), desired, &holding(vec![pair(1, 1)]), &policy, later);
    assert_eq!(again.hash(), first.hash(), "the same wait from another beginning is the same plan");
}
