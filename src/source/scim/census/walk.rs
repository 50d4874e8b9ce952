//! From what was read to who is in which group, the inner groups' members included. Pure.
//!
//! Invariant: every walk ends, cycles or not, and a doubt about a group reaches every group around it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use entitled_model::observation::{Census, CensusGroup, CensusPerson, ObservedGroup};
use entitled_model::path::{Inwards, Through};
use entitled_model::{EmailKey, Failure};

use super::directory::{Directory, NodeId, Part};
use crate::config::Nested;
use crate::source::scim::accounts::{Claims, Holder, contested};
use crate::source::scim::{incomplete, malformed};

/// Memberships of all groups together, after expansion; four bytes each.
const MEMBERSHIPS_MAX: usize = 50_000_000;

impl Directory {
    /// # Errors
    /// `incomplete` when the directory is beyond all measure.
    pub fn census(&self, nested: Nested) -> Result<Census, Failure> {
        let People { list, places } = self.people();
        let mut walk = Walk::new(self, &places, list.len(), nested);
        let mut groups: BTreeMap<String, CensusGroup> = BTreeMap::new();
        for (node, group) in self.counting() {
            let Reached { members, through, incomplete } = walk.from(node)?;
            match groups.entry(group.name().to_owned()) {
                Entry::Vacant(free) => {
                    // One that went away while it was read is unlisted from the next list on.
                    let group = group.clone();
                    free.insert(CensusGroup { group, members, through, incomplete, went_away: false });
                }
                // Two groups of one name would be one group here. Neither is taken, and what is stored of it stays: a
                // second group must not let people into the first.
                Entry::Occupied(mut taken) => {
                    let other = taken.get_mut();
                    other.members.clear();
                    other.through = Through::default();
                    other.incomplete = Some(namesakes());
                    other.group = std::cmp::min(&other.group, group).clone();
                }
            }
        }
        let mut groups: Vec<CensusGroup> = groups.into_values().collect();
        groups.sort_by(|one, other| one.group.cmp(&other.group));
        Ok(Census { people: list, groups, accounts_unread: None, accounts_unusable: false })
    }

    /// The accounts that a person known by this address may hold, by the indices of their ids.
    pub fn holders(&self, key: &EmailKey) -> Vec<(u32, &Holder)> {
        let numbered = (0..).zip(&self.known).filter_map(|(index, known)| Some((index, known.holder.as_ref()?)));
        numbered.filter(|(_, holder)| holder.claims(key)).collect()
    }

    /// Whether any group, counting or not, is known to hold the account directly.
    pub fn is_member(&self, holder: u32) -> bool {
        let nodes = (0..).map(NodeId).take(self.groups.len());
        nodes
            .flat_map(|node| self.parts(node, Nested::Direct))
            .any(|part| matches!(part, Part::Person(of) if of == holder))
    }

    fn counting(&self) -> impl Iterator<Item = (NodeId, &ObservedGroup)> {
        let numbered = (0..).map(NodeId).zip(&self.groups);
        numbered.filter_map(|(id, node)| Some((id, node.counts_as.as_ref()?)))
    }

    fn people(&self) -> People {
        let holders = || self.known.iter().filter_map(|known| known.holder.as_ref());
        let claims = Claims::of(holders());
        let mut people = People { list: Vec::new(), places: Vec::with_capacity(self.known.len()) };
        for known in &self.known {
            let place = match &known.holder {
                None | Some(Holder::Nobody) => Place::Nowhere,
                Some(Holder::Unclear) => Place::Unclear(malformed("an account's first address is unusable")),
                Some(Holder::Person(account)) => match claims.settled(account) {
                    Ok(account) => {
                        people.list.push(CensusPerson::Account(Box::new(account)));
                        Place::At(u32::try_from(people.list.len() - 1).expect("invariant: ids are limited"))
                    }
                    Err(_) => Place::Unclear(contested()),
                },
            };
            people.places.push(place);
        }
        people
    }
}

pub fn namesakes() -> Failure {
    malformed("two groups have one displayName")
}

struct People {
    list: Vec<CensusPerson>,
    /// By the index of the account's id.
    places: Vec<Place>,
}

enum Place {
    At(u32),
    Nowhere,
    Unclear(Failure),
}

/// The members found from one group on.
struct Reached {
    /// Ascending, each once.
    members: Vec<u32>,
    through: Through,
    incomplete: Option<Failure>,
}

/// Walks inwards; what it has seen is forgotten by counting the turns, not by clearing.
struct Walk<'d> {
    directory: &'d Directory,
    places: &'d [Place],
    nested: Nested,
    turn: u32,
    nodes_seen: Vec<u32>,
    people_seen: Vec<u32>,
    memberships_left: usize,
}

impl<'d> Walk<'d> {
    fn new(directory: &'d Directory, places: &'d [Place], people: usize, nested: Nested) -> Self {
        Self {
            directory,
            places,
            nested,
            turn: 0,
            nodes_seen: vec![0; directory.groups.len()],
            people_seen: vec![0; people],
            memberships_left: MEMBERSHIPS_MAX,
        }
    }

    fn from(&mut self, start: NodeId) -> Result<Reached, Failure> {
        self.turn += 1;
        let (mut members, mut unsure, mut walk) = (Vec::new(), None, Inwards::default());
        let mut next = VecDeque::from([(start, Inwards::START)]);
        self.nodes_seen[start.0 as usize] = self.turn;
        while let Some((node, step)) = next.pop_front() {
            let mut doubt = self.directory.groups[node.0 as usize].incomplete.clone();
            let mut inner = Vec::new();
            for part in self.directory.parts(node, self.nested) {
                match part {
                    Part::Person(index) => match &self.places[index as usize] {
                        Place::At(person) if self.people_seen[*person as usize] != self.turn => {
                            self.people_seen[*person as usize] = self.turn;
                            members.push(*person);
                            walk.meet(*person, step);
                        }
                        Place::At(_) | Place::Nowhere => (),
                        Place::Unclear(why) => doubt = doubt.or_else(|| Some(why.clone())),
                    },
                    Part::Group(group) => inner.push(group),
                    Part::Neither => (),
                    Part::Unknown(why) => doubt = doubt.or(Some(why)),
                }
            }
            unsure = unsure.or(doubt);
            next.extend(self.fresh(inner).into_iter().map(|(name, inner)| (inner, walk.step(step, name))));
        }
        let left = self.memberships_left.checked_sub(members.len());
        self.memberships_left = left.ok_or_else(|| incomplete("the directory has too many memberships"))?;
        members.sort_unstable();
        members.shrink_to_fit();
        Ok(Reached { members, through: walk.end(), incomplete: unsure })
    }

    /// Those of a group's inner groups that this walk has not seen, in the order in which it takes them.
    fn fresh(&mut self, mut inner: Vec<NodeId>) -> Vec<(&'d Arc<str>, NodeId)> {
        let directory = self.directory;
        let group = |node: NodeId| &directory.groups[node.0 as usize];
        inner.retain(|node| std::mem::replace(&mut self.nodes_seen[node.0 as usize], self.turn) != self.turn);
        inner.sort_by_key(|node| (&group(*node).name, &group(*node).id));
        inner.into_iter().map(|node| (&group(node).name, node)).collect()
    }
}
