use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use uuid::Uuid;

use super::*;
use crate::identity::EmailAddress;
use crate::observation::{Account, CensusPerson, ErrorClass, Failure, Standing, Stated};

fn user(n: u128) -> UserId {
    UserId(Uuid::from_u128(n))
}

fn account(says: Option<bool>) -> Account {
    let address = EmailAddress::parse("ann@example.org").expect("valid");
    let (external_id, aliases, standing) = ("1".to_owned(), Vec::new(), Standing::Active);
    Account { external_id, address, aliases, standing, is_administrator: says }
}

fn asked(n: u128, answer: Result<UserAnswer, Failure>) -> AskedUser {
    let at = DateTime::from_timestamp_micros(1).expect("in range");
    AskedUser { user: user(n), began_at: at, completed_at: at, answer }
}

fn answer(present: bool, coverage: Coverage, account: Option<Account>) -> UserAnswer {
    let (groups, paths, stated) = (BTreeSet::new(), BTreeMap::new(), Stated::Nothing);
    UserAnswer { groups, paths, coverage, stated, present, verdict: None, account }
}

fn one(answer: Result<UserAnswer, Failure>, before: Option<Administration>) -> Option<Option<Administration>> {
    let stored = before.map(|state| (user(1), state)).into_iter().collect();
    Heard::of_users(&[asked(1, answer)], &BTreeSet::new(), &stored).changes(&stored).remove(&user(1))
}

#[test]
fn only_a_word_about_the_very_person_begins_or_ends_it() {
    // R1, R6
    use Administration::{Kept, Missed, Named};
    let says = |says| Ok(answer(true, Coverage::Everything, Some(account(says))));
    let failed = || Err(Failure::new(ErrorClass::Timeout, "slow"));
    assert_eq!(one(says(Some(true)), None), Some(Some(Named)));
    assert_eq!(one(says(Some(false)), None), None);
    for before in [Named, Missed, Kept] {
        let stays = if before == Named { None } else { Some(Some(Named)) };
        assert_eq!(one(says(Some(true)), Some(before)), stays, "{before:?}");
        assert_eq!(one(says(Some(false)), Some(before)), Some(None), "{before:?}");
        assert_eq!(one(Ok(answer(false, Coverage::Everything, None)), Some(before)), Some(None), "gone: {before:?}");
        for silent in [
            failed(),
            says(None),
            // The account could not be read, or belongs to another domain.
            Ok(answer(true, Coverage::Everything, None)),
            Ok(answer(false, Coverage::Facets(BTreeSet::new()), None)),
        ] {
            assert_eq!(one(silent.clone(), Some(before)), None, "{before:?} {silent:?}");
        }
    }
    let newer = Heard::of_users(&[asked(1, says(Some(true)))], &BTreeSet::from([user(1)]), &Stored::new());
    assert_eq!(newer, Heard::default(), "something newer is known");
}

#[test]
fn a_complete_list_without_somebody_needs_a_second_one() {
    // R6
    use Administration::{Kept, Missed, Named};
    let census = |says, unread: bool| Census {
        people: vec![CensusPerson::Account(Box::new(account(says)))],
        groups: Vec::new(),
        accounts_unread: unread.then(|| Failure::new(ErrorClass::Timeout, "slow")),
        accounts_unusable: false,
    };
    let stored = BTreeMap::from([(user(1), Named), (user(2), Named), (user(3), Missed), (user(4), Kept)]);
    let listed = [Some(user(1))];
    let none = BTreeSet::new();
    let heard = Heard::of_census(&census(Some(true), false), &listed, &none, &stored);
    let changes = [(user(2), Some(Missed)), (user(3), None), (user(4), None)];
    assert_eq!(heard.changes(&stored), BTreeMap::from(changes));
    let newer = BTreeSet::from([user(2), user(3), user(4)]);
    assert_eq!(
        Heard::of_census(&census(Some(true), false), &listed, &newer, &stored).changes(&stored),
        BTreeMap::new()
    );
    for (says, unread) in [(Some(true), true), (None, false)] {
        let heard = Heard::of_census(&census(says, unread), &listed, &none, &stored);
        assert_eq!(heard.changes(&stored), BTreeMap::new(), "{says:?} {unread}");
    }
    let unusable = Census { accounts_unusable: true, ..census(Some(true), false) };
    assert_eq!(Heard::of_census(&unusable, &listed, &none, &stored).changes(&stored), BTreeMap::new());
}

#[test]
fn an_account_that_leaves_it_open_is_not_missed() {
    // R6
    let people = [Some(false), None].map(|says| CensusPerson::Account(Box::new(account(says))));
    let census = Census { people: people.into(), groups: Vec::new(), accounts_unread: None, accounts_unusable: false };
    let stored = BTreeMap::from([(user(2), Administration::Named), (user(3), Administration::Named)]);
    let heard = Heard::of_census(&census, &[Some(user(1)), Some(user(2))], &BTreeSet::new(), &stored);
    assert_eq!(heard.changes(&stored), BTreeMap::from([(user(3), Some(Administration::Missed))]));
}

#[test]
fn one_of_several_accounts_is_enough() {
    let people = [true, false].map(|says| CensusPerson::Account(Box::new(account(Some(says)))));
    let census = Census { people: people.into(), groups: Vec::new(), accounts_unread: None, accounts_unusable: false };
    let heard = Heard::of_census(&census, &[Some(user(1)), Some(user(1))], &BTreeSet::new(), &Stored::new());
    assert_eq!(heard.said, BTreeMap::from([(user(1), true)]));
}

#[test]
fn states_are_read_as_they_are_written() {
    for state in Administration::ALL {
        assert_eq!(state.as_str().parse(), Ok(state));
    }
    assert_eq!("Named".parse::<Administration>(), Err(InvalidAdministration));
}
