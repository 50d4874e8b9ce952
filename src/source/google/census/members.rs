//! One group's direct members.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError};

use entitled_model::{EmailAddress, ErrorClass, Failure};

use super::graph::{NodeId, ToRead};
use super::people::People;
use crate::source::google::directory::{Directory, Listed, incomplete};
use crate::source::google::wire::{Member, MemberKind};

/// What a group's list of members says.
#[derive(Default)]
pub struct Members {
    /// Indices of people, as they came.
    pub people: Vec<u32>,
    pub inner: Vec<Inner>,
    /// Entries of all kinds, each once: what `directMembersCount` is compared with.
    pub entries: u64,
    /// Why someone may be missing although the list was read to its end.
    pub doubt: Option<Failure>,
    /// The directory says that there is no such group, though it listed it.
    pub went_away: bool,
}

/// A group within a group, by at least one of its names.
pub struct Inner {
    pub id: Option<String>,
    pub email: Option<String>,
}

/// Reads the list to its end, and compares it with the number of members that the directory states.
pub async fn read(directory: &Directory, group: ToRead, people: &Mutex<People>) -> (NodeId, Result<Members, Failure>) {
    let ToRead { id, key, members_stated } = group;
    let mut list = List::default();
    let end = directory.members(&key, |page| {
        let mut people = people.lock().unwrap_or_else(PoisonError::into_inner);
        page.into_iter().for_each(|member| list.add(member, &mut people));
    });
    let read = match end.await {
        Ok(Listed::ToTheEnd) => Ok(list.members),
        // Whether it is gone for good, the next list of groups will say.
        Ok(Listed::NoSuchKey) => return (id, Ok(list.gone())),
        Err(failure) => Err(failure),
    };
    match (read, members_stated) {
        (Ok(members), Some(stated)) if stated != members.entries => {
            (id, Ok(compared_again(directory, &key, members).await))
        }
        (read, _) => (id, read),
    }
}

/// The number was stated when the groups were listed, minutes ago perhaps: only a fresh one can disagree.
async fn compared_again(directory: &Directory, key: &str, members: Members) -> Members {
    let why = match directory.members_stated(key).await {
        Ok(Some(stated)) if stated == members.entries => return members,
        Ok(Some(stated)) => {
            incomplete(&format!("the directory states {stated} direct members and listed {}", members.entries))
        }
        Ok(None) => incomplete("the group went away while the directory was read"),
        Err(failure) => incomplete(&format!("the members listed are not the number stated ({})", failure.class)),
    };
    Members { doubt: members.doubt.or(Some(why)), ..members }
}

/// A list while it is read.
#[derive(Default)]
struct List {
    members: Members,
    /// Hashes of the entries seen, so that a page served twice doesn't make up for one never served.
    seen: HashSet<u64>,
    hasher: RandomState,
}

impl List {
    fn add(&mut self, member: Member, people: &mut People) {
        let Member { id, email, kind } = member;
        let email = email.filter(|email| !email.trim().is_empty());
        if let Some(name) = id.as_ref().or(email.as_ref())
            && !self.seen.insert(self.hasher.hash_one(name))
        {
            return;
        }
        self.members.entries += 1;
        match kind {
            MemberKind::User => self.add_person(id.as_deref(), email.as_deref(), people),
            MemberKind::Group if id.is_some() || email.is_some() => self.members.inner.push(Inner { id, email }),
            MemberKind::Group => self.doubt("an inner group has neither id nor address"),
            MemberKind::Other => (),
        }
    }

    fn add_person(&mut self, id: Option<&str>, email: Option<&str>, people: &mut People) {
        match email.map(EmailAddress::parse).transpose() {
            // Somebody without an address can be nobody here.
            Ok(address) => self.members.people.extend(people.member(id, address)),
            Err(_) => self.doubt("a member's address is unusable"),
        }
    }

    fn gone(mut self) -> Members {
        self.members.doubt = Some(incomplete("the group went away while the directory was read"));
        self.members.went_away = true;
        self.members
    }

    fn doubt(&mut self, why: &str) {
        self.members.doubt = Some(Failure::new(ErrorClass::Malformed, why));
    }
}
