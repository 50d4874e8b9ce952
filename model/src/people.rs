//! Joining people: which users those are whom a source speaks of. By the directory's immutable id where both sides have
//! it, else by address.
//!
//! An address that moves takes nothing with it: it goes to whoever the directory says has it now, and what the one before
//! was given stays where it was. So somebody who gets the address of a colleague who left does not get their access.
//!
//! Invariant: two people of one observation who have different accounts are never one user, and no address is given to two.

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
    /// Every address that an account of the source is known to have, or to have had before anybody else did.
    pub of_accounts: BTreeMap<EmailKey, UserId>,
    /// Users whom the source has suspended.
    pub suspended: BTreeSet<UserId>,
    /// Users who have an account in another source too: their addresses are not this one's to move.
    pub elsewhere: HashSet<UserId>,
}

/// Who the people of an observation are, and what that changes about them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Joined {
    /// One entry a person, in their order; none for somebody who is not stored and need not or must not be.
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
    /// Addresses of accounts that were not known as theirs.
    pub of_accounts: BTreeMap<EmailKey, UserId>,
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
        let Self { addresses, accounts: _, of_accounts: _, suspended, reactivated } = self;
        addresses.keys().chain(suspended).chain(reactivated).copied()
    }
}

impl KnownPeople {
    fn at(&self, key: &EmailKey) -> Option<UserId> {
        self.by_address.get(key).or_else(|| self.of_accounts.get(key)).copied()
    }
}

/// Finds who `people` are. `hints` says, for some, as whom they were asked about: it counts when nothing surer does.
/// `create` is asked for the id of somebody who is not stored, by their place in the list, and gives none when they need
/// not be. Nothing is changed about the users of `superseded`.
#[must_use]
pub fn join(
    people: &[CensusPerson],
    hints: &[Option<UserId>],
    known: &KnownPeople,
    superseded: &BTreeSet<UserId>,
    create: &mut dyn FnMut(usize) -> Option<UserId>,
) -> Joined {
    let may_move = |user: &UserId| !superseded.contains(user) && !known.elsewhere.contains(user);
    let found = found(people, hints, known);
    let mut joined = Joined { users: Vec::with_capacity(people.len()), ..Joined::default() };
    for (index, (person, found)) in people.iter().zip(found).enumerate() {
        let user = match found {
            Found::User(user) => Some(user),
            Found::Contradicted => None,
            // Whoever has the address may not give it up: then nobody else is given it either.
            Found::Nobody if known.by_address.get(&person.address().key()).is_some_and(|holder| !may_move(holder)) => {
                None
            }
            Found::Nobody => {
                let new = create(index);
                joined.created.extend(new.map(|new| (new, person.address().clone())));
                new
            }
        };
        joined.users.push(user);
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
    join(&census.people, &[], known, superseded, &mut create)
}

/// Who somebody is among those stored.
#[derive(Clone, Copy)]
enum Found {
    User(UserId),
    Nobody,
    /// The address is a user's who is known to have another account: it is not theirs any more.
    Contradicted,
}

/// A way to recognise an account among the users stored.
type Sign<'a> = &'a dyn Fn(usize, &Account) -> Option<UserId>;

/// Who each person is among those stored: the surest sign first, so that the order of the list does not matter.
fn found(people: &[CensusPerson], hints: &[Option<UserId>], known: &KnownPeople) -> Vec<Found> {
    let account_of: HashMap<UserId, &str> = known.by_account.iter().map(|(id, user)| (*user, id.as_str())).collect();
    let is_anothers = |user: &UserId, id: &str| account_of.get(user).is_some_and(|of| *of != id);
    let may_be = |account: &Account, user: &UserId| !is_anothers(user, &account.external_id);
    let by_id = |_, account: &Account| known.by_account.get(&account.external_id).copied();
    let by_first = |_, account: &Account| known.at(&account.address.key()).filter(|user| may_be(account, user));
    let by_further = |_, account: &Account| {
        let mut users = account.aliases.iter().filter_map(|alias| known.at(&alias.key()));
        users.find(|user| may_be(account, user))
    };
    let by_hint = |at: usize, account: &Account| hints.get(at).copied().flatten().filter(|user| may_be(account, user));
    let signs: [Sign<'_>; 4] = [&by_id, &by_first, &by_further, &by_hint];
    let mut taken = HashSet::new();
    let mut found = vec![Found::Nobody; people.len()];
    for sign in signs {
        for (at, (person, found)) in people.iter().zip(&mut found).enumerate() {
            if let (CensusPerson::Account(account), Found::Nobody) = (person, *found)
                && let Some(user) = sign(at, account).filter(|user| taken.insert(*user))
            {
                *found = Found::User(user);
            }
        }
    }
    for (person, found) in people.iter().zip(&mut found) {
        let CensusPerson::Member { address, external_id } = person else { continue };
        let by_id = external_id.as_ref().and_then(|id| known.by_account.get(id)).copied();
        *found = match (by_id, known.at(&address.key()), external_id) {
            (Some(user), _, _) => Found::User(user),
            (None, Some(user), Some(id)) if is_anothers(&user, id) => Found::Contradicted,
            (None, Some(user), _) => Found::User(user),
            (None, None, _) => Found::Nobody,
        };
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
    /// The first address of each user's account, where nobody keeps it from them.
    free: BTreeMap<UserId, EmailAddress>,
}

impl<'a> Changes<'a> {
    fn of(
        people: &[CensusPerson],
        joined: &Joined,
        known: &'a KnownPeople,
        superseded: &'a BTreeSet<UserId>,
    ) -> PeopleChanges {
        let bound = known.by_account.values().copied().collect();
        let (changes, giving_up, free) = Default::default();
        let mut found = Self { known, superseded, bound, changes, giving_up, free };
        let created: HashSet<UserId> = joined.created.iter().map(|(user, _)| *user).collect();
        let profiles: HashMap<UserId, &EmailKey> = known.by_address.iter().map(|(key, user)| (*user, key)).collect();
        for (person, user) in people.iter().zip(&joined.users) {
            let Some(account) = person.account() else { continue };
            let keys: BTreeSet<EmailKey> =
                std::iter::once(&account.address).chain(&account.aliases).map(EmailAddress::key).collect();
            found.give_up(&keys, *user);
            let Some(user) = user.filter(|user| !superseded.contains(user)) else { continue };
            if !created.contains(&user) {
                found.readdress(account, user, &keys, profiles.get(&user).copied());
            }
            found.account(account, user, keys);
        }
        found.whole()
    }

    /// Whoever else has one of an account's addresses no longer has it.
    fn give_up(&mut self, keys: &BTreeSet<EmailKey>, user: Option<UserId>) {
        let holders = keys.iter().filter_map(|key| self.known.by_address.get(key)).copied();
        let others: Vec<_> = holders.filter(|holder| Some(*holder) != user && self.may_move(*holder)).collect();
        self.giving_up.extend(others);
    }

    /// A profile follows its account to another address when it has none, or one that the account had and has no more. An
    /// address that only logins bring stays.
    fn readdress(&mut self, account: &Account, user: UserId, keys: &BTreeSet<EmailKey>, profile: Option<&EmailKey>) {
        let was_the_accounts = |key: &EmailKey| self.known.of_accounts.get(key) == Some(&user);
        let stays = profile.is_some_and(|key| keys.contains(key) || !was_the_accounts(key));
        let holder = self.known.by_address.get(&account.address.key());
        let is_free = holder.is_none_or(|holder| *holder == user || self.may_move(*holder));
        if is_free && self.may_move(user) {
            self.free.insert(user, account.address.clone());
        }
        if !stays {
            self.changes.addresses.extend(self.free.get(&user).map(|address| (user, Readdress::To(address.clone()))));
        }
    }

    fn may_move(&self, user: UserId) -> bool {
        !self.superseded.contains(&user) && !self.known.elsewhere.contains(&user)
    }

    fn account(&mut self, account: &Account, user: UserId, keys: BTreeSet<EmailKey>) {
        if self.known.by_account.get(&account.external_id) != Some(&user) {
            self.changes.accounts.insert(account.external_id.clone(), user);
        }
        let new = keys.into_iter().filter(|key| self.known.of_accounts.get(key) != Some(&user));
        self.changes.of_accounts.extend(new.map(|key| (key, user)));
        match (account.standing, self.known.suspended.contains(&user)) {
            (Standing::Suspended, false) => drop(self.changes.suspended.insert(user)),
            (Standing::Active, true) => drop(self.changes.reactivated.insert(user)),
            (Standing::Suspended, true) | (Standing::Active, false) => {}
        }
    }

    fn whole(mut self) -> PeopleChanges {
        for user in self.giving_up {
            let loss = match self.free.remove(&user) {
                Some(address) => Readdress::To(address),
                None if self.bound.contains(&user) => Readdress::Lost,
                None => Readdress::Absorbed,
            };
            self.changes.addresses.entry(user).or_insert(loss);
        }
        self.changes
    }
}

#[cfg(test)]
mod tests;
