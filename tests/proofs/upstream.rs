//! What the two systems would say: the part of the reference model that the walk changes from outside.

use std::collections::{BTreeMap, BTreeSet};

use crate::script::{DEPLOYCENTER, GOOGLE, Name, Step};

/// A group of the directory. Made anew after it was dropped, it is another one.
#[derive(Debug, Clone, Default)]
pub struct Group {
    pub generation: u32,
    pub members: BTreeSet<Name>,
}

/// What the backend has of somebody.
#[derive(Debug, Clone, Default)]
pub struct Account {
    pub domains: BTreeSet<Name>,
    pub plan: Option<u8>,
    /// The answer does not speak of domains.
    pub hushed: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Upstream {
    pub groups: BTreeMap<Name, Group>,
    pub suspended: BTreeSet<Name>,
    pub accounts: BTreeMap<Name, Account>,
    /// Systems that answer nothing usable.
    pub broken: BTreeMap<Name, Name>,
    /// Groups whose members can't be read, and how that shows.
    pub unread: BTreeMap<Name, Name>,
    pub unanswered: BTreeMap<Name, Name>,
    generations: u32,
}

/// What is read of a group's members.
pub enum Reading {
    Whole(BTreeSet<Name>),
    /// There may be more than these.
    Part(BTreeSet<Name>),
}

impl Upstream {
    pub fn change(&mut self, step: &Step) {
        match step {
            Step::Join(person, group) => drop(self.group(group).members.insert(person)),
            Step::Leave(person, group) => {
                self.groups.entry(group).and_modify(|group| _ = group.members.remove(person));
            }
            Step::Make(group) => _ = self.group(group),
            Step::Drop(group) => drop(self.groups.remove(group)),
            Step::Suspend(person) => drop(self.suspended.insert(person)),
            Step::Reactivate(person) => drop(self.suspended.remove(person)),
            Step::Domains(person, domains) => self.account(person).domains = domains.iter().copied().collect(),
            Step::Plan(person, value) => self.account(person).plan = Some(*value),
            Step::Hush(person) => self.account(person).hushed = true,
            Step::Speak(person) => self.account(person).hushed = false,
            Step::Break(source, fault) => drop(self.broken.insert(source, fault)),
            Step::Unread(group, fault) => drop(self.unread.insert(group, fault)),
            Step::Unanswered(person, fault) => drop(self.unanswered.insert(person, fault)),
            Step::Mend => {
                self.broken.clear();
                self.unread.clear();
                self.unanswered.clear();
            }
            _ => {}
        }
    }

    fn group(&mut self, name: Name) -> &mut Group {
        let generations = &mut self.generations;
        self.groups.entry(name).or_insert_with(|| {
            *generations += 1;
            Group { generation: *generations, members: BTreeSet::new() }
        })
    }

    fn account(&mut self, person: Name) -> &mut Account {
        self.accounts.entry(person).or_default()
    }

    pub fn is_well(&self) -> bool {
        self.broken.is_empty() && self.unread.is_empty() && self.unanswered.is_empty()
    }

    /// Whether a whole read of the directory learns nothing: it fails, or most groups do.
    pub fn directory_is_lost(&self) -> bool {
        let failing = |group: &&Name| self.unread.get(**group).is_some_and(|fault| *fault != "short");
        let failed = self.groups.keys().filter(failing).count();
        self.broken.contains_key(GOOGLE) || failed * 2 > self.groups.len()
    }

    /// Of a group, what a whole read of the directory reads.
    pub fn members(&self, name: Name) -> Reading {
        let members = self.groups[name].members.clone();
        match self.unread.get(name) {
            // Half of nobody is everybody.
            None => Reading::Whole(members),
            Some(&"short") if members.is_empty() => Reading::Whole(members),
            Some(&"short") => {
                let half = members.len() / 2;
                Reading::Part(members.into_iter().take(half).collect())
            }
            Some(_) => Reading::Part(BTreeSet::new()),
        }
    }

    pub fn answers_about(&self, person: Name) -> bool {
        !self.broken.contains_key(DEPLOYCENTER) && !self.unanswered.contains_key(person)
    }

    pub fn groups_of(&self, person: Name) -> Vec<(Name, u32)> {
        let joined = self.groups.iter().filter(|(_, group)| group.members.contains(person));
        joined.map(|(name, group)| (*name, group.generation)).collect()
    }
}
