use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::desired::Desired;
use crate::identity::{GroupId, SourceName, UserId};
use crate::plan::{Guard, Plan, Policy, Stored, plan};

fn pair(group: u128, user: u128) -> Pair {
    (GroupId(Uuid::from_u128(group)), UserId(Uuid::from_u128(user)))
}

fn chain(names: &[&str]) -> Chain {
    names.iter().map(|name| Arc::from(*name)).collect()
}

/// Walks inwards from group `from` of `inner`, where group `of` holds the only person.
fn inwards(inner: &[BTreeSet<usize>], from: usize, of: &BTreeSet<usize>) -> Option<Option<Chain>> {
    let (mut walk, mut seen, mut met) = (Inwards::default(), BTreeSet::from([from]), false);
    let mut queue = VecDeque::from([(from, Inwards::START)]);
    while let Some((group, step)) = queue.pop_front() {
        if of.contains(&group) && !std::mem::replace(&mut met, true) {
            walk.meet(7, step);
        }
        for next in &inner[group] {
            if seen.insert(*next) {
                queue.push_back((*next, walk.step(step, &name(*next).into())));
            }
        }
    }
    met.then(|| walk.end().of(7).cloned())
}

fn outwards(inner: &[BTreeSet<usize>], of: &BTreeSet<usize>) -> BTreeMap<usize, Option<Chain>> {
    let mut walk = Outwards::default();
    let mut level: Vec<usize> = of.iter().rev().copied().collect();
    for group in &level {
        assert!(walk.meet(*group, &name(*group), None));
    }
    let mut all = level.clone();
    while !level.is_empty() {
        let mut next = Vec::new();
        for held in &level {
            for outer in (0..inner.len()).filter(|outer| inner[*outer].contains(held)) {
                if walk.meet(outer, &name(outer), Some(held)) {
                    next.push(outer);
                }
            }
        }
        all.extend(&next);
        level = next;
    }
    all.into_iter().map(|group| (group, walk.chain(&group))).collect()
}

fn name(group: usize) -> String {
    format!("g{group:03}")
}

proptest! {
    #[test]
    fn both_walks_find_the_same_path_cycles_or_not(
        inner in prop::collection::vec(prop::collection::btree_set(0..8_usize, 0..4), 8),
        of in prop::collection::btree_set(0..8_usize, 1..3),
    ) {
        // E5, G4
        let found = outwards(&inner, &of);
        for from in 0..inner.len() {
            prop_assert_eq!(inwards(&inner, from, &of), found.get(&from).cloned());
        }
        for group in of {
            prop_assert_eq!(&found[&group], &None, "a direct member is one");
        }
    }
}

#[test]
fn a_path_without_measure_is_cut_the_same_from_both_sides() {
    // E5
    for groups in [PATH_GROUPS_MAX + 1, PATH_GROUPS_MAX + 2, PATH_GROUPS_MAX + 9] {
        let inner: Vec<BTreeSet<usize>> = (0..groups).map(|group| (group + 1..groups).take(1).collect()).collect();
        let of = BTreeSet::from([groups - 1]);
        let found = outwards(&inner, &of)[&0].clone().expect("a path");
        assert_eq!(inwards(&inner, 0, &of), Some(Some(found.clone())));
        assert_eq!(found.len(), (groups - 1).min(PATH_GROUPS_MAX + 1));
        assert_eq!(found.last().map(AsRef::as_ref) == Some(CUT), groups - 1 > PATH_GROUPS_MAX);
    }
}

#[test]
fn whoever_is_a_member_by_two_accounts_is_direct_if_by_one_of_them() {
    // E5
    let through = Through { chains: vec![chain(&["a"]), chain(&["b"])], members: vec![(0, 1), (2, 0), (3, 0)] };
    let users = [5, 5, 6, 7, 8];
    let mut paths = Paths::default();
    paths.push(pair(1, 5), &chain(&["before"]));
    paths.of_group(&through, &[0, 1, 2, 3, 4], |index| (index != 3).then(|| pair(2, users[index as usize])));
    let named: Vec<_> = paths.of.iter().map(|(pair, at)| (*pair, written(&paths.chains[*at as usize]))).collect();
    assert_eq!(named, [(pair(1, 5), "[\"before\"]".to_owned()), (pair(2, 6), "[\"a\"]".to_owned())]);
}

/// A plan over what is stored, held or not.
fn planned(listed: Vec<Pair>, stored: Vec<Pair>, max_removals: u64) -> Plan {
    let guard = Guard { max_removal_ratio: 1.0, max_removals, min_memberships: 0 };
    let desired = Desired {
        pairs: listed,
        conclusion: crate::desired::Conclusion::Users(BTreeMap::from([(
            pair(0, 1).1,
            Ok(crate::observation::Coverage::Everything),
        )])),
        ..Desired::default()
    };
    let stored = Stored { pairs: stored, ..Stored::default() };
    let at = chrono::DateTime::from_timestamp_micros(1).expect("in range");
    plan(&SourceName::stored("google_sync".into()), desired, &stored, &Policy::guarded(guard), at)
}

#[test]
fn only_what_differs_is_written_and_nothing_of_a_held_plan() {
    // E5, S3
    let listed = vec![pair(1, 1), pair(2, 1), pair(3, 1), pair(4, 1)];
    let stored = [(1, "[\"a\"]"), (2, "[\"old\"]"), (4, "[\"a\"]"), (5, "[\"a\"]"), (6, "null")];
    let compared = || {
        let mut paths = Paths::default();
        [1, 2, 3].into_iter().for_each(|group| paths.push(pair(group, 1), &chain(&["a"])));
        let mut comparison = Comparison::new(paths);
        stored.iter().for_each(|(group, path)| comparison.stored(&listed, pair(*group, 1), path));
        comparison.end()
    };
    let held_before = vec![pair(1, 1), pair(2, 1), pair(4, 1), pair(5, 1)];
    let changes = compared();
    let applied = planned(listed.clone(), held_before.clone(), 10);
    let put: Vec<_> = changes.put(&applied).collect();
    assert_eq!(put, [(pair(2, 1), "[\"a\"]"), (pair(3, 1), "[\"a\"]")]);
    // Six was not removed by this plan: it stays as it is.
    assert_eq!(changes.dropped(&applied), BTreeSet::from([pair(4, 1), pair(5, 1)]));

    let mut held = planned(listed.clone(), held_before, 0);
    assert!(held.held.is_some());
    assert_eq!((changes.put(&held).count(), changes.dropped(&held).len()), (0, 0));
    held.additions = Some(Box::new(planned(vec![pair(3, 1)], Vec::new(), 10)));
    assert_eq!(changes.put(&held).collect::<Vec<_>>(), [(pair(3, 1), "[\"a\"]")]);
    assert_eq!(changes.dropped(&held).len(), 0);
}

#[test]
fn of_a_few_users_everything_is_written_that_may_differ() {
    // E5
    let mut paths = Paths::default();
    paths.push(pair(2, 1), &chain(&["a"]));
    let listed = vec![pair(1, 1), pair(2, 1)];
    let changes = PathChanges::of_users(paths, &listed);
    let before = vec![pair(1, 1), pair(5, 1)];
    let applied = planned(listed.clone(), before.clone(), 10);
    assert_eq!(changes.put(&applied).collect::<Vec<_>>(), [(pair(2, 1), "[\"a\"]")]);
    assert_eq!(changes.dropped(&applied), BTreeSet::from([pair(1, 1), pair(5, 1)]));
    let held = planned(listed, before, 0);
    assert_eq!((changes.put(&held).count(), changes.dropped(&held).len()), (0, 0));
}

#[test]
fn what_is_stored_is_read_back() {
    // E5
    let way = Way::read(&written(&chain(&["é\"@x", "b"]))).expect("a list");
    assert_eq!(way, Way::Through(vec!["é\"@x".into(), "b".into()]));
    assert_eq!(Way::read("null").expect("null"), Way::Unrecorded);
    assert!(Way::read("{}").is_err());
}
