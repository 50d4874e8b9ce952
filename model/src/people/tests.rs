use uuid::Uuid;

use super::*;

fn user(n: u128) -> UserId {
    UserId(Uuid::from_u128(n))
}

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).expect("valid")
}

fn key(text: &str) -> EmailKey {
    EmailKey::fold(text)
}

fn account(id: &str, addresses: &[&str]) -> CensusPerson {
    CensusPerson::Account(Box::new(Account {
        external_id: id.to_owned(),
        address: address(addresses[0]),
        aliases: addresses[1..].iter().map(|text| address(text)).collect(),
        standing: Standing::Active,
        is_administrator: None,
    }))
}

fn suspended(id: &str, first: &str) -> CensusPerson {
    let CensusPerson::Account(mut account) = account(id, &[first]) else { unreachable!("an account") };
    account.standing = Standing::Suspended;
    CensusPerson::Account(account)
}

/// Users by address, and the accounts of some.
fn known(addresses: &[(&str, u128)], accounts: &[(&str, u128)]) -> KnownPeople {
    KnownPeople {
        by_address: addresses.iter().map(|(text, n)| (key(text), user(*n))).collect(),
        by_account: accounts.iter().map(|(id, n)| ((*id).to_owned(), user(*n))).collect(),
        ..KnownPeople::default()
    }
}

/// Joins; whoever is not stored becomes user 100 and up.
fn joined(people: &[CensusPerson], known: &KnownPeople) -> Joined {
    join(people, &[], known, &BTreeSet::new(), &mut |at| Some(user(100 + at as u128)))
}

/// The state after the changes, as the store keeps it.
fn after(mut known: KnownPeople, joined: &Joined) -> KnownPeople {
    let PeopleChanges { addresses, accounts, of_accounts, suspended, reactivated } = &joined.changes;
    known.by_address.retain(|_, user| !addresses.contains_key(user));
    for (user, change) in addresses {
        if let Readdress::To(address) = change {
            known.by_address.insert(address.key(), *user);
        }
    }
    known.by_address.extend(joined.created.iter().map(|(user, address)| (address.key(), *user)));
    known.by_account.extend(accounts.iter().map(|(id, user)| (id.clone(), *user)));
    known.of_accounts.extend(of_accounts.iter().map(|(key, user)| (key.clone(), *user)));
    known.suspended.extend(suspended);
    known.suspended.retain(|user| !reactivated.contains(user));
    known
}

/// Joins, and holds that joining again finds the same people and changes nothing.
fn settled(people: &[CensusPerson], known: KnownPeople) -> Joined {
    let first = joined(people, &known);
    let again = joined(people, &after(known, &first));
    assert_eq!(again.users, first.users);
    assert!(again.changes.is_empty() && again.created.is_empty(), "joining again is quiet: {again:?}");
    first
}

#[test]
fn people_are_found_by_address_and_remembered_by_id() {
    // S19
    let found = settled(&[account("x1", &["Ann@Example.org"])], known(&[("ann@example.org", 1)], &[]));
    assert_eq!((found.users, found.created), (vec![Some(user(1))], vec![]));
    assert_eq!(found.changes.accounts, BTreeMap::from([("x1".to_owned(), user(1))]));
    assert!(found.changes.addresses.is_empty(), "the address stays as it was given");
}

#[test]
fn an_account_with_another_address_is_the_same_user() {
    let mut known = known(&[("ann@old.fr", 1)], &[("x1", 1)]);
    known.of_accounts.insert(key("ann@old.fr"), user(1));
    let found = settled(&[account("x1", &["ann@new.fr"])], known);
    assert_eq!(found.users, vec![Some(user(1))]);
    assert_eq!(found.changes.addresses, BTreeMap::from([(user(1), Readdress::To(address("ann@new.fr")))]));
}

#[test]
fn a_user_keeps_the_address_of_the_latest_login_while_it_is_one_of_the_account() {
    let found = settled(&[account("x1", &["ann@a.fr", "a.nn@a.fr"])], known(&[("a.nn@a.fr", 1)], &[]));
    assert_eq!(found.users, vec![Some(user(1))]);
    assert!(found.changes.addresses.is_empty());
    assert_eq!(found.changes.of_accounts.len(), 2, "both find the same user from now on");
}

#[test]
fn whoever_gets_the_address_of_a_colleague_who_left_is_somebody_else() {
    let stored = || known(&[("ann@a.fr", 1)], &[("x1", 1)]);
    let found = settled(&[account("x2", &["ann@a.fr"])], stored());
    assert_eq!(found.users, vec![Some(user(100))]);
    assert_eq!(found.changes.addresses, BTreeMap::from([(user(1), Readdress::Lost)]));

    let found = settled(&[account("x2", &["ann@a.fr"]), account("x1", &["ann.b@a.fr"])], stored());
    assert_eq!(found.users, vec![Some(user(100)), Some(user(1))]);
    assert_eq!(found.changes.addresses, BTreeMap::from([(user(1), Readdress::To(address("ann.b@a.fr")))]));
}

#[test]
fn a_further_address_that_was_taken_for_a_person_is_theirs_again() {
    let found = settled(&[account("x1", &["ann@a.fr", "a.nn@a.fr"])], known(&[("ann@a.fr", 1), ("a.nn@a.fr", 2)], &[]));
    assert_eq!(found.users, vec![Some(user(1))]);
    assert_eq!(found.changes.addresses, BTreeMap::from([(user(2), Readdress::Absorbed)]));
    assert_eq!(found.changes.of_accounts.get(&key("a.nn@a.fr")), Some(&user(1)));
}

#[test]
fn two_accounts_that_swap_addresses_stay_who_they_are() {
    let stored = known(&[("a@a.fr", 1), ("b@a.fr", 2)], &[("x1", 1), ("x2", 2)]);
    let found = settled(&[account("x1", &["b@a.fr"]), account("x2", &["a@a.fr"])], stored);
    assert_eq!(found.users, vec![Some(user(1)), Some(user(2))]);
    assert_eq!(found.changes.addresses.len(), 2);
}

#[test]
fn a_user_with_an_account_in_two_directories_keeps_their_address() {
    let stored = || KnownPeople { elsewhere: HashSet::from([user(1)]), ..known(&[("ann@b.fr", 1)], &[("x1", 1)]) };
    let found = settled(&[account("x1", &["ann@a.fr"])], stored());
    assert!(found.changes.addresses.is_empty());
    let found = settled(&[account("x9", &["bob@a.fr", "ann@b.fr"])], stored());
    assert!(found.changes.addresses.is_empty(), "{found:?}");
}

#[test]
fn standing_is_told_once_and_taken_back_once() {
    // G5
    let stored = known(&[("ann@a.fr", 1)], &[]);
    let first = settled(&[suspended("x1", "ann@a.fr")], stored);
    assert_eq!(first.changes.suspended, BTreeSet::from([user(1)]));
    let stored = after(known(&[("ann@a.fr", 1)], &[]), &first);
    let back = settled(&[account("x1", &["ann@a.fr"])], stored);
    assert_eq!(back.changes.reactivated, BTreeSet::from([user(1)]));
}

#[test]
fn nothing_is_said_about_users_of_whom_something_newer_is_known() {
    // S11
    let stored = known(&[("ann@old.fr", 1), ("ann@new.fr", 2)], &[("x1", 1)]);
    let silent = BTreeSet::from([user(1), user(2)]);
    let found = join(&[suspended("x1", "ann@new.fr")], &[], &stored, &silent, &mut |_| None);
    assert_eq!(found.users, vec![Some(user(1))]);
    assert_eq!(found.changes.addresses, BTreeMap::new());
    assert_eq!(found.changes.suspended, BTreeSet::new());
}

#[test]
fn somebody_who_is_in_no_group_is_not_created() {
    let found = join(&[account("x1", &["ann@a.fr"])], &[], &known(&[], &[]), &BTreeSet::new(), &mut |_| None);
    assert_eq!((found.users, found.created), (vec![None], vec![]));
    assert!(found.changes.is_empty());
}

proptest::proptest! {
    #[test]
    fn joining_settles_at_once_and_never_makes_two_accounts_one_user(
        accounts in proptest::collection::btree_map(0u8..6, proptest::collection::btree_set(0u8..8, 1..3), 0..6),
        stored in proptest::collection::btree_map(0u8..8, 1u128..6, 0..6),
        bound in proptest::collection::btree_map(0u8..6, 1u128..6, 0..4),
    ) {
        // As in any directory: an address belongs to one account.
        let mut free: BTreeSet<u8> = (0..8).collect();
        let people: Vec<CensusPerson> = accounts.iter().filter_map(|(id, addresses)| {
            let own: Vec<String> = addresses.iter().filter(|n| free.remove(n)).map(|n| format!("a{n}@x.fr")).collect();
            let own: Vec<&str> = own.iter().map(String::as_str).collect();
            (!own.is_empty()).then(|| account(&format!("x{id}"), &own))
        }).collect();
        // As in any store: a user has one address and one account.
        let mut users = HashSet::new();
        let by_address = stored.iter().filter(|(_, n)| users.insert(**n));
        let by_address = by_address.map(|(at, n)| (key(&format!("a{at}@x.fr")), user(*n))).collect();
        let mut users = HashSet::new();
        let by_account = bound.iter().filter(|(_, n)| users.insert(**n));
        let by_account = by_account.map(|(id, n)| (format!("x{id}"), user(*n))).collect();
        let known = KnownPeople { by_address, by_account, ..KnownPeople::default() };
        let found = settled(&people, known);
        let distinct: BTreeSet<_> = found.users.iter().flatten().collect();
        proptest::prop_assert_eq!(distinct.len(), people.len());
    }
}

#[test]
fn an_address_that_may_not_move_is_not_given_to_a_second_user() {
    let stored = KnownPeople { elsewhere: HashSet::from([user(1)]), ..known(&[("ann@a.fr", 1)], &[("x1", 1)]) };
    let found = joined(&[account("x2", &["ann@a.fr"])], &stored);
    let given_up = found.changes.addresses.contains_key(&user(1));
    let taken: Vec<_> =
        found.created.iter().map(|(_, a)| a.key()).filter(|k| stored.by_address.contains_key(k)).collect();
    assert!(taken.is_empty() || given_up, "address taken twice: {:?}", found.created);
}

#[test]
fn a_user_of_whom_something_newer_is_known_gets_no_further_address() {
    // S11
    let stored = known(&[("ann@new.fr", 1)], &[("x1", 1)]);
    let silent = BTreeSet::from([user(1)]);
    let found = join(&[account("x1", &["ann@old.fr"])], &[], &stored, &silent, &mut |_| None);
    assert!(found.changes.is_empty(), "{:?}", found.changes);
}

#[test]
fn an_address_that_only_logins_bring_stays_and_says_who_was_asked_about() {
    let asked = |known: &KnownPeople| {
        let people = [account("x1", &["ann@a.fr"])];
        join(&people, &[Some(user(1))], known, &BTreeSet::new(), &mut |_| Some(user(100)))
    };
    let stored = known(&[("ann@idp.example", 1)], &[]);
    let found = asked(&stored);
    assert_eq!((&found.users, found.changes.addresses.len()), (&vec![Some(user(1))], 0));
    // Somebody else's account is not to be had by asking for it.
    let stored = known(&[("ann@idp.example", 1)], &[("x9", 1)]);
    assert_eq!(asked(&stored).users, [Some(user(100))]);
}

#[test]
fn a_member_is_known_by_the_id_where_accounts_cannot_be_read() {
    // S5
    let member = |id: &str, at: &str| CensusPerson::Member { address: address(at), external_id: Some(id.to_owned()) };
    let stored = known(&[("ann@a.fr", 1)], &[("x1", 1)]);
    let found = joined(&[member("x1", "ann.b@a.fr"), member("x2", "ann@a.fr"), member("x3", "new@a.fr")], &stored);
    assert_eq!(found.users, [Some(user(1)), None, Some(user(102))], "the address of another account is nobody's");
    assert!(found.changes.is_empty());
}
