//! Everybody who has an account or is a member of anything, each once, by folded address or by immutable id.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher, RandomState};

use entitled_model::observation::{Account, CensusPerson};
use entitled_model::{EmailAddress, EmailKey};

/// Kept small and quick, for a million people: a person's names are not stored beside them, and a member is not compared with
/// them, but found by the names' prints.
#[derive(Default)]
pub struct People {
    list: Vec<CensusPerson>,
    indices: HashMap<Print, u32, BuildHasherDefault<Printed>>,
    hashers: [RandomState; 2],
}

/// What somebody is called by.
#[derive(Hash)]
enum Name<'a> {
    Address(EmailKey),
    Id(&'a str),
}

/// A name's 128 bits, of two hashes whose keys nobody knows: of a hundred million names, two share them once in 10^22 times.
#[derive(PartialEq, Eq)]
struct Print(u64, u64);

impl Hash for Print {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

/// The hash of a print, which is one already.
#[derive(Default)]
struct Printed(u64);

impl Hasher for Printed {
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("a print is written as one number");
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl People {
    /// Takes an account of the directory's list; one that comes twice is the first one.
    pub fn add_account(&mut self, account: Account) {
        let id = self.print(&Name::Id(&account.external_id));
        if self.indices.contains_key(&id) {
            return;
        }
        let addresses = std::iter::once(&account.address).chain(&account.aliases);
        let addresses: Vec<Print> = addresses.map(|address| self.print(&Name::Address(address.key()))).collect();
        let index = self.push(CensusPerson::Account(Box::new(account)));
        self.indices.insert(id, index);
        for address in addresses {
            // An address that two accounts claim is the first one's.
            self.indices.entry(address).or_insert(index);
        }
    }

    /// The index of the member with this id and address; none for one that nobody could be known by.
    pub fn member(&mut self, id: Option<&str>, address: Option<EmailAddress>) -> Option<u32> {
        // The id first: the address in a list of members may be one that the account had before.
        if let Some(index) = id.and_then(|id| self.indices.get(&self.print(&Name::Id(id)))) {
            return Some(*index);
        }
        let address = address?;
        let print = self.print(&Name::Address(address.key()));
        if let Some(index) = self.indices.get(&print) {
            return Some(*index);
        }
        let index = self.push(CensusPerson::Member { address, external_id: id.map(str::to_owned) });
        self.indices.insert(print, index);
        Some(index)
    }

    fn print(&self, name: &Name<'_>) -> Print {
        let [one, other] = &self.hashers;
        Print(one.hash_one(name), other.hash_one(name))
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
