//! Everybody who is a member of anything, each once by folded address, in the spelling seen first.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use entitled_model::EmailAddress;
use entitled_model::observation::CensusPerson;

/// Kept small, for a million people: an address's key is not stored beside it, but found by its hash.
#[derive(Default)]
pub struct People {
    list: Vec<EmailAddress>,
    /// Hash of the folded address → index; the next hash on a collision.
    indices: HashMap<u64, u32>,
    hasher: RandomState,
}

impl People {
    /// The index of the person with this address.
    pub fn intern(&mut self, address: EmailAddress) -> u32 {
        let key = address.key();
        let mut hash = self.hasher.hash_one(&key);
        while let Some(index) = self.indices.get(&hash).copied() {
            if self.list.get(index as usize).is_some_and(|known| known.key() == key) {
                return index;
            }
            hash = hash.wrapping_add(1);
        }
        let index = u32::try_from(self.list.len()).expect("invariant: pages are limited, and people with them");
        self.list.push(address);
        self.indices.insert(hash, index);
        index
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn into_list(self) -> Vec<CensusPerson> {
        self.list.into_iter().map(CensusPerson::Address).collect()
    }
}
