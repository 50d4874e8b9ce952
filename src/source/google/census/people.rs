//! Everybody who has an account or is a member of anything, each once, by folded address or by immutable id.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use entitled_model::observation::{Account, CensusPerson};
use entitled_model::{EmailAddress, EmailKey};

/// Kept small, for a million people: a person's names are not stored beside them, but found by their hashes.
#[derive(Default)]
pub struct People {
    list: Vec<CensusPerson>,
    /// Hash of a name → index; the next hash on a collision.
    indices: HashMap<u64, u32>,
    hasher: RandomState,
}

/// What somebody is called by.
#[derive(Hash)]
enum Name<'a> {
    Address(EmailKey),
    Id(&'a str),
}

impl Name<'_> {
    fn is_of(&self, person: &CensusPerson) -> bool {
        match self {
            Name::Address(key) => {
                let aliases = person.account().into_iter().flat_map(|account| &account.aliases);
                std::iter::once(person.address()).chain(aliases).any(|address| address.key() == *key)
            }
            Name::Id(id) => person.account().is_some_and(|account| account.external_id == *id),
        }
    }
}

impl People {
    /// Takes an account of the directory's list; one that comes twice is the first one.
    pub fn add_account(&mut self, account: Account) {
        let id = account.external_id.clone();
        if self.find(&Name::Id(&id)).is_ok() {
            return;
        }
        let addresses: Vec<EmailKey> =
            std::iter::once(&account.address).chain(&account.aliases).map(EmailAddress::key).collect();
        let index = self.push(CensusPerson::Account(Box::new(account)));
        for name in addresses.into_iter().map(Name::Address).chain([Name::Id(&id)]) {
            // An address that two accounts claim is the first one's.
            if let Err(free) = self.find(&name) {
                self.indices.insert(free, index);
            }
        }
    }

    /// The index of the member with this id and address; none for one that nobody could be known by.
    pub fn member(&mut self, id: Option<&str>, address: Option<EmailAddress>) -> Option<u32> {
        // The id first: the address in a list of members may be one that the account had before.
        if let Some(Ok(index)) = id.map(|id| self.find(&Name::Id(id))) {
            return Some(index);
        }
        let address = address?;
        match self.find(&Name::Address(address.key())) {
            Ok(index) => Some(index),
            Err(free) => {
                let index = self.push(CensusPerson::Member { address, external_id: id.map(str::to_owned) });
                self.indices.insert(free, index);
                Some(index)
            }
        }
    }

    /// The index of whoever is called so, or the place where it would stand.
    fn find(&self, name: &Name<'_>) -> Result<u32, u64> {
        let mut hash = self.hasher.hash_one(name);
        while let Some(index) = self.indices.get(&hash).copied() {
            if self.list.get(index as usize).is_some_and(|known| name.is_of(known)) {
                return Ok(index);
            }
            hash = hash.wrapping_add(1);
        }
        Err(hash)
    }

    fn push(&mut self, person: CensusPerson) -> u32 {
        let index = u32::try_from(self.list.len()).expect("invariant: pages are limited, and people with them");
        self.list.push(person);
        index
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn into_list(self) -> Vec<CensusPerson> {
        self.list
    }
}

#[cfg(test)]
mod tests {
    use entitled_model::observation::Standing;

    use super::*;

    #[test]
    fn the_immutable_id_tells_who_a_member_is() {
        let address = |text: &str| EmailAddress::parse(text).expect("an address");
        let account = |id: &str, at: &str| Account {
            external_id: id.to_owned(),
            address: address(at),
            aliases: Vec::new(),
            standing: Standing::Active,
            is_administrator: None,
        };
        let mut people = People::default();
        people.add_account(account("x1", "ann.b@a.fr"));
        people.add_account(account("x2", "ann@a.fr"));
        // The list of members still has the old address of x1.
        assert_eq!(people.member(Some("x1"), Some(address("ann@a.fr"))), Some(0));
    }
}
