//! What was read: who stands behind each id, and who is a member of what. Pure.
//!
//! Invariant: a group is complete only when each of its members is known to be a person, a group, or neither.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use entitled_model::Failure;
use entitled_model::observation::ObservedGroup;

use crate::config::Nested;
use crate::source::scim::accounts::Holder;
use crate::source::scim::wire::{Group, Id, Member, MemberKind, User};
use crate::source::scim::{incomplete, malformed, scope};

/// Users, groups and members of one directory.
const IDS_MAX: usize = 5_000_000;

/// A place in the list of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeId(pub u32);

/// Everything that was read.
#[derive(Default)]
pub struct Directory {
    by_id: HashMap<Id, u32>,
    /// By the index of the id.
    pub(super) known: Vec<Known>,
    pub(super) groups: Vec<Node>,
    to_read: VecDeque<NodeId>,
}

/// What stands behind an id.
#[derive(Default)]
pub struct Known {
    pub holder: Option<Holder>,
    pub group: Option<NodeId>,
    /// Why it can't be told.
    unknown: Option<Failure>,
}

pub struct Node {
    pub(super) id: Id,
    /// Its folded `displayName`.
    pub(super) name: Arc<str>,
    pub counts_as: Option<ObservedGroup>,
    /// Indices of ids; `None` while nothing was said.
    members: Option<Vec<(u32, MemberKind)>>,
    reached: bool,
    pub incomplete: Option<Failure>,
}

/// What a member is.
pub enum Part {
    /// By the index of their id.
    Person(u32),
    Group(NodeId),
    Neither,
    Unknown(Failure),
}

impl Directory {
    /// # Errors
    /// `incomplete` when the directory is beyond all measure.
    pub fn add_user(&mut self, user: User) -> Result<(), Failure> {
        let holder = Holder::of(&user);
        let index = self.index(user.id)?;
        self.known[index as usize].holder = Some(holder);
        Ok(())
    }

    /// Takes a group of the list. One that counts is read; another one only when it is within one that counts.
    ///
    /// # Errors
    /// See [`Directory::add_user`].
    pub fn add_group(&mut self, group: Group, counts_as: Option<ObservedGroup>) -> Result<(), Failure> {
        let Group { id, display_name, members } = group;
        let name = scope::fold(&display_name).into();
        let index = self.index(id.clone())?;
        let node = NodeId(u32::try_from(self.groups.len()).expect("invariant: IDS_MAX fits"));
        self.known[index as usize].group = Some(node);
        let counts = counts_as.is_some();
        self.groups.push(Node { id, name, counts_as, members: None, reached: false, incomplete: None });
        if let Some(members) = members {
            self.set_members(node, &members)?;
        }
        if counts {
            self.reach(node);
        }
        Ok(())
    }

    /// # Errors
    /// See [`Directory::add_user`].
    pub fn set_members(&mut self, node: NodeId, members: &[Member]) -> Result<(), Failure> {
        let mut indices = Vec::with_capacity(members.len());
        for member in members {
            match (member.kind(), &member.value) {
                (MemberKind::Other, _) => (),
                (kind, Some(id)) => indices.push((self.index(id.clone())?, kind)),
                (_, None) => self.mark(node, malformed("a member has no value")),
            }
        }
        self.groups[node.0 as usize].members = Some(indices);
        // It may have been reached before its members were known.
        if self.groups[node.0 as usize].reached {
            self.to_read.push_back(node);
        }
        Ok(())
    }

    pub fn mark(&mut self, node: NodeId, failure: Failure) {
        let node = &mut self.groups[node.0 as usize];
        node.members.get_or_insert_default();
        node.incomplete = Some(failure);
    }

    pub fn mark_unknown(&mut self, id: &Id, failure: Failure) {
        if let Some(index) = self.by_id.get(id) {
            self.known[*index as usize].unknown = Some(failure);
        }
    }

    /// The next group whose members are to be read alone. Every group must be in the list by now.
    pub fn next_to_read(&mut self, nested: Nested) -> Option<(NodeId, Id)> {
        loop {
            let node = self.to_read.pop_front()?;
            if self.groups[node.0 as usize].members.is_none() {
                return Some((node, self.groups[node.0 as usize].id.clone()));
            }
            if nested == Nested::Expand {
                self.inner(node).into_iter().for_each(|inner| self.reach(inner));
            }
        }
    }

    /// Groups that wait to be read alone, as far as is known.
    pub fn unread(&self) -> usize {
        self.to_read.iter().filter(|node| self.groups[node.0 as usize].members.is_none()).count()
    }

    /// Groups that count, and those within them.
    pub fn reached(&self) -> usize {
        self.groups.iter().filter(|group| group.reached).count()
    }

    /// Ids of members of groups that matter, who are in no list; in their order.
    pub fn unlisted(&self, nested: Nested) -> BTreeSet<Id> {
        let mut unlisted = vec![false; self.known.len()];
        for (index, kind) in self.groups.iter().filter(|group| group.reached).flat_map(|group| &group.members).flatten()
        {
            let a_user = matches!(kind, MemberKind::User | MemberKind::Unsaid);
            let of_nobody = self.known[*index as usize].holder.is_none();
            let unknown = matches!(self.part(*index, *kind, nested), Part::Unknown(_));
            unlisted[*index as usize] |= a_user && of_nobody && unknown;
        }
        self.by_id.iter().filter(|(_, index)| unlisted[**index as usize]).map(|(id, _)| id.clone()).collect()
    }

    /// What each member of a group is.
    pub fn parts(&self, node: NodeId, nested: Nested) -> impl Iterator<Item = Part> {
        let members = self.groups[node.0 as usize].members.iter().flatten();
        members.map(move |(index, kind)| self.part(*index, *kind, nested))
    }

    /// By what it says it is, or else by the list that holds its id: ids are unique across all resources (RFC 7643, 3.1).
    fn part(&self, index: u32, kind: MemberKind, nested: Nested) -> Part {
        let Known { holder, group, unknown } = &self.known[index as usize];
        match (kind, holder, group) {
            (MemberKind::Other, _, _) => Part::Neither,
            (MemberKind::Unsaid, Some(_), Some(_)) => {
                Part::Unknown(malformed("an id of a member is both a user's and a group's"))
            }
            (MemberKind::User | MemberKind::Unsaid, Some(_), _) => Part::Person(index),
            (MemberKind::Group, _, _) | (MemberKind::Unsaid, _, Some(_)) if nested == Nested::Direct => Part::Neither,
            (MemberKind::Group | MemberKind::Unsaid, _, Some(group)) => Part::Group(*group),
            (MemberKind::User | MemberKind::Group | MemberKind::Unsaid, _, _) => {
                let why = || incomplete("a member is in no list of users or groups");
                Part::Unknown(unknown.clone().unwrap_or_else(why))
            }
        }
    }

    fn inner(&self, node: NodeId) -> Vec<NodeId> {
        let parts = self.parts(node, Nested::Expand);
        parts.filter_map(|part| if let Part::Group(inner) = part { Some(inner) } else { None }).collect()
    }

    fn reach(&mut self, node: NodeId) {
        if !std::mem::replace(&mut self.groups[node.0 as usize].reached, true) {
            self.to_read.push_back(node);
        }
    }

    fn index(&mut self, id: Id) -> Result<u32, Failure> {
        if let Some(index) = self.by_id.get(&id) {
            return Ok(*index);
        }
        if self.known.len() >= IDS_MAX {
            return Err(incomplete(format!("the directory has more than {IDS_MAX} users, groups and members")));
        }
        let index = u32::try_from(self.known.len()).expect("invariant: IDS_MAX fits");
        self.known.push(Known::default());
        self.by_id.insert(id, index);
        Ok(index)
    }
}
