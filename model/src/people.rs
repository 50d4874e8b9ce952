//! Joining people: which users those are whom a source speaks of. By the directory's immutable id where both sides have
//! it, else by address.
//!
//! An address that moves takes nothing with it: it goes to whoever the directory says has it now, and what the one before
//! was given stays where it was. So somebody who gets the address of a colleague who left does not get their access.
//!
//! Invariant: two people of one observation who have accounts are never one user.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use uuid::Uuid;

use crate::identity::{EmailAddress, EmailKey, UserId};
use crate::observation::{Account, Census, CensusPerson, Standing};

/// What the store knows of people, as far as an observation may speak of them.
#[derive(Debug, Default)]
pub struct KnownPeople {
    /// The address of each profile.
    pub by_address: HashMap<EmailKey, UserId>,
    /// The source's accounts, by their immutable ids.
    pub by_account: HashMap<String, UserId>,
    /// Further addresses of those accounts.
    pub further: BTreeMap<EmailKey, UserId>,
    /// Users whom the source has suspended.
    pub suspended: BTreeSet<UserId>,
    /// Users who have an account in another source too: their addresses are not this one's to move.
    pub elsewhere: HashSet<UserId>,
}

/// Who the people of an observation are, and what that changes about them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// One entry a person, in their order; none for somebody who is not stored and need not be.
    pub users: Vec<Option<UserId>>,
    pub created: Vec<(UserId, EmailAddress)>,
    pub changes: PeopleChanges,
}

/// What a directory's accounts change about users.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeopleChanges {
    pub addresses: BTreeMap<UserId, Readdress>,
    /// Accounts that were not known before, each with its user.
    pub accounts: BTreeMap<String, UserId>,
    pub further: BTreeMap<EmailKey, UserId>,
    pub dropped: BTreeSet<EmailKey>,
    pub suspended: BTreeSet<UserId>,
    pub reactivated: BTreeSet<UserId>,
}

/// What becomes of the address of a user's profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readdress {
    To(EmailAddress),
    /// It is another account's now.
    Lost,
    /// This user was another one's further address, taken for a person: address and `sub` are the other's.
    Absorbed,
}

impl PeopleChanges {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The users of whom an event tells; which account is whose is only remembered.
    pub fn users(&self) -> impl Iterator<Item = UserId> {
        let Self { addresses, accounts: _, further: _, dropped: _, suspended, reactivated } = self;
        addresses.keys().chain(suspended).chain(reactivated).copied()
    }
}

impl KnownPeople {
    fn at(&self, key: &EmailKey) -> Option<UserId> {
        self.by_address.get(key).or_else(|| self.further.get(key)).copied()
    }
}

/// Finds who `people` are. `create` is asked for the id of somebody who is not stored, by their place in the list, and
/// gives none when they need not be. Nothing is changed about the users of `superseded`.
#[must_use]
pub fn join(
    people: &[CensusPerson],
    known: &KnownPeople,
    superseded: &BTreeSet<UserId>,
    create: &mut dyn FnMut(usize) -> Option<UserId>,
) -> Joined {
    let found = found(people, known);
    let mut joined = Joined { users: Vec::with_capacity(people.len()), ..Joined::default() };
    for (index, (person, user)) in people.iter().zip(found).enumerate() {
        let new = if user.is_none() { create(index) } else { None };
        joined.created.extend(new.map(|new| (new, person.address().clone())));
        joined.users.push(user.or(new));
    }
    joined.changes = Changes::of(people, &joined, known, superseded);
    joined
}

/// Finds who the people of a census are. Only members are created; where the accounts could not be read, nothing is
/// concluded from their absence.
#[must_use]
pub fn join_census(
    census: &Census,
    known: &KnownPeople,
    superseded: &BTreeSet<UserId>,
    new_id: &mut dyn FnMut() -> Uuid,
) -> Joined {
    let mut is_member = vec![false; census.people.len()];
    for member in census.groups.iter().flat_map(|group| &group.members) {
        is_member[*member as usize] = true;
    }
    let mut create = |at: usize| is_member[at].then(|| UserId(new_id()));
    let mut joined = join(&census.people, known, superseded, &mut create);
    if census.accounts_unread.is_some() {
        joined.changes = PeopleChanges::default();
    }
    joined
}

/// A way to recognise an account among the users stored.
type Sign<'a> = &'a dyn Fn(&Account) -> Option<UserId>;

/// Who each person is among those stored: the surest sign first, so that the order of the list does not matter.
fn found(people: &[CensusPerson], known: &KnownPeople) -> Vec<Option<UserId>> {
    let account_of: HashMap<UserId, &str> = known.by_account.iter().map(|(id, user)| (*user, id.as_str())).collect();
    let may_be = |account: &Account, user: &UserId| account_of.get(user).is_none_or(|id| *id == account.external_id);
    let by_id = |account: &Account| known.by_account.get(&account.external_id).copied();
    let by_first = |account: &Account| known.at(&account.address.key()).filter(|user| may_be(account, user));
    let by_further = |account: &Account| {
        let mut users = account.aliases.iter().filter_map(|alias| known.at(&alias.key()));
        users.find(|user| may_be(account, user))
    };
    let signs: [Sign<'_>; 3] = [&by_id, &by_first, &by_further];
    let mut taken = HashSet::new();
    let mut found: Vec<Option<UserId>> = vec![None; people.len()];
    for sign in signs {
        for (person, found) in people.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
            *found = person.account().and_then(sign).filter(|user| taken.insert(*user));
        }
    }
    for (person, found) in people.iter().zip(&mut found) {
        if let CensusPerson::Address(address) = person {
            *found = known.at(&address.key());
        }
    }
    found
}

/// What the accounts change, while it is found out.
struct Changes<'a> {
    known: &'a KnownPeople,
    superseded: &'a BTreeSet<UserId>,
    bound: HashSet<UserId>,
    changes: PeopleChanges,
    /// Whoever has an address that is another account's.
    giving_up: BTreeSet<UserId>,
    further: BTreeMap<EmailKey, UserId>,
}

impl<'a> Changes<'a> {
    fn of(
        people: &[CensusPerson],
        joined: &Joined,
        known: &'a KnownPeople,
        superseded: &'a BTreeSet<UserId>,
    ) -> PeopleChanges {
        let bound = known.by_account.values().copied().collect();
        let (changes, giving_up, further) = Default::default();
        let mut found = Self { known, superseded, bound, changes, giving_up, further };
        let created: HashSet<UserId> = joined.created.iter().map(|(user, _)| *user).collect();
        for (person, user) in people.iter().zip(&joined.users) {
            let Some(account) = person.account() else { continue };
            found.addresses(account, *user, user.is_some_and(|user| created.contains(&user)));
            if let Some(user) = user.filter(|user| !superseded.contains(user)) {
                found.account(account, user);
            }
        }
        found.whole()
    }

    fn addresses(&mut self, account: &Account, user: Option<UserId>, is_new: bool) {
        let keys: BTreeSet<EmailKey> =
            std::iter::once(&account.address).chain(&account.aliases).map(EmailAddress::key).collect();
        let holders = keys.iter().filter_map(|key| self.known.by_address.get(key)).copied();
        let others: Vec<_> = holders.filter(|holder| Some(*holder) != user && self.may_move(*holder)).collect();
        self.giving_up.extend(others);
        let Some(user) = user else { return };
        let mut held = keys.iter().find(|key| self.known.by_address.get(*key) == Some(&user)).cloned();
        if held.is_none() && (is_new || self.may_move(user)) {
            held = Some(account.address.key());
            if !is_new {
                self.changes.addresses.insert(user, Readdress::To(account.address.clone()));
            }
        }
        self.further.extend(keys.into_iter().filter(|key| Some(key) != held.as_ref()).map(|key| (key, user)));
    }

    fn may_move(&self, user: UserId) -> bool {
        !self.superseded.contains(&user) && !self.known.elsewhere.contains(&user)
    }

    fn account(&mut self, account: &Account, user: UserId) {
        if self.known.by_account.get(&account.external_id) != Some(&user) {
            self.changes.accounts.insert(account.external_id.clone(), user);
        }
        match (account.standing, self.known.suspended.contains(&user)) {
            (Standing::Suspended, false) => drop(self.changes.suspended.insert(user)),
            (Standing::Active, true) => drop(self.changes.reactivated.insert(user)),
            (Standing::Suspended, true) | (Standing::Active, false) => {}
        }
    }

    fn whole(mut self) -> PeopleChanges {
        for user in self.giving_up {
            let loss = if self.bound.contains(&user) { Readdress::Lost } else { Readdress::Absorbed };
            self.changes.addresses.entry(user).or_insert(loss);
        }
        let stale = self
            .known
            .further
            .iter()
            .filter(|(key, user)| !self.further.contains_key(*key) && !self.superseded.contains(*user));
        self.changes.dropped = stale.map(|(key, _)| key.clone()).collect();
        self.changes.further = self.further;
        self.changes.further.retain(|key, user| self.known.further.get(key) != Some(user));
        self.changes
    }
}

#[cfg(test)]
mod tests;
