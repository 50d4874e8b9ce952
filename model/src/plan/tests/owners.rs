//! The last owner, where owners come by a directory's word.

use super::*;
use crate::administrators::{Administration, Heard};

fn says(said: &[(u128, bool)]) -> Desired {
    let said = said.iter().map(|(n, says)| (user(*n), *says)).collect();
    Desired { administrators: Heard { said, whole: None }, ..Desired::default() }
}

fn stored(administrators: &[(u128, Administration)], others: &[(u128, &str)]) -> Stored {
    let administrators: BTreeMap<_, _> = administrators.iter().map(|(n, state)| (user(*n), *state)).collect();
    let own = administrators.keys().map(|of| (*of, source()));
    let others = others.iter().map(|(n, by)| (user(*n), SourceName::stored((*by).to_owned())));
    let directory_owners = own.chain(others).collect();
    Stored { administrators, directory_owners, ..Stored::default() }
}

fn of(desired: Desired, stored: &Stored) -> Plan {
    plan(&source(), desired, stored, &Policy::guarded(OPEN), at())
}

#[test]
fn the_last_owner_by_a_directorys_word_stays_and_that_is_told_once() {
    // R3
    use Administration::{Kept, Named};
    let two = stored(&[(1, Named), (2, Named)], &[]);
    let first = of(says(&[(1, false)]), &two);
    assert_eq!((first.kept_owner, first.changes_anything()), (None, true));
    let both = of(says(&[(1, false), (2, false)]), &two);
    assert_eq!(both.kept_owner, Some(user(1)));
    assert_eq!(both.administrators[&user(1)], (Some(Named), Some(Kept)));
    assert_eq!(both.administrators[&user(2)], (Some(Named), None));
    let last = of(says(&[(1, false)]), &stored(&[(1, Named)], &[]));
    assert_eq!((last.is_quiet(), last.changes_anything(), last.events().count()), (false, false, 1));
    let again = of(says(&[(1, false)]), &stored(&[(1, Kept)], &[]));
    assert_eq!((again.kept_owner, again.is_quiet()), (Some(user(1)), true));
    assert_ne!(first.hash(), last.hash());
}

#[test]
fn anybody_else_who_is_an_owner_lets_the_last_one_go() {
    // R3
    use Administration::{Kept, Named};
    let gone = |plan: &Plan| plan.administrators.get(&user(1)).is_some_and(|(_, after)| after.is_none());
    assert!(gone(&of(says(&[(1, false)]), &stored(&[(1, Kept)], &[(2, "scim")]))), "another directory");
    assert!(gone(&of(says(&[(1, false), (3, true)]), &stored(&[(1, Named)], &[]))), "a new one");
    let mut joining = says(&[(1, false)]);
    joining.pairs = vec![(GroupId::ADMIN, user(3))];
    assert!(gone(&of(joining, &stored(&[(1, Named)], &[]))), "one who joins Admin");
    // Nobody depends on the directory's word where somebody is an owner without it.
    assert!(gone(&of(says(&[(1, false)]), &Stored { directory_owners: vec![], ..stored(&[(1, Named)], &[]) })));
    let suspending = |n: u128| {
        let mut desired = says(&[(1, false), (3, true)]);
        desired.people.suspended.insert(user(n));
        desired
    };
    let plan = of(suspending(3), &stored(&[(1, Named)], &[]));
    assert_eq!(plan.kept_owner, Some(user(1)), "whom it suspends is no owner");
    let inactive = Stored { inactive: BTreeSet::from([user(3)]), ..stored(&[(1, Named)], &[]) };
    assert_eq!(of(says(&[(1, false), (3, true)]), &inactive).kept_owner, Some(user(1)), "nor is who is not active");
}

#[test]
fn owners_by_a_group_and_by_a_directory_are_counted_together() {
    // R3
    let by_group = (pair(1, 2), source());
    let held = Stored { pairs: vec![pair(1, 2)], owners: vec![by_group], ..stored(&[(1, Administration::Named)], &[]) };
    let leaves = |mut desired: Desired| {
        desired.conclusion = Conclusion::Users([(user(2), Ok(Coverage::Everything))].into());
        of(desired, &held)
    };
    let one = leaves(says(&[]));
    assert_eq!((one.removes, one.kept_owner), (vec![pair(1, 2)], None), "the directory's stays");
    let both = leaves(says(&[(1, false)]));
    assert_eq!(both.kept, [(pair(1, 2), KeepReason::LastOwner)]);
    assert_eq!(both.administrators[&user(1)].1, None);
    let other = of(says(&[(1, false)]), &held);
    assert_eq!((other.kept_owner, other.administrators.len()), (None, 1), "the group's stays");
}
