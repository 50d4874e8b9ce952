//! Groups and the groups within them. Pure.
//!
//! Invariant: every walk ends, cycles or not, and a doubt about a group reaches every group around it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use entitled_model::observation::ObservedGroup;
use entitled_model::path::{Inwards, Through};
use entitled_model::{ErrorClass, Failure};

use super::members::{Inner, Members};
use crate::config::Nested;
use crate::source::google::directory::incomplete;
use crate::source::google::scope;
use crate::source::google::wire::Group;

/// Memberships of all groups together, after expansion; four bytes each.
const MEMBERSHIPS_MAX: usize = 50_000_000;

#[derive(Clone, Copy)]
pub struct NodeId(u32);

#[derive(Default)]
pub struct Graph {
    nodes: Vec<Node>,
    by_id: HashMap<String, NodeId>,
    by_address: HashMap<Arc<str>, NodeId>,
    to_read: VecDeque<NodeId>,
    queued: u64,
}

struct Node {
    /// What the list of members is asked by: the immutable id where it is known.
    key: String,
    /// Its folded address, where that is known.
    name: Arc<str>,
    counts_as: Option<ObservedGroup>,
    members_stated: Option<u64>,
    queued: bool,
    people: Vec<u32>,
    inner: Vec<NodeId>,
    incomplete: Option<Failure>,
    went_away: bool,
}

/// A group whose members are to be read.
pub struct ToRead {
    pub id: NodeId,
    /// What to ask by.
    pub key: String,
    /// How many members the list of groups stated.
    pub members_stated: Option<u64>,
}

/// The members found from one group on.
pub struct Reached {
    /// Ascending, each once.
    pub members: Vec<u32>,
    pub through: Through,
    pub incomplete: Option<Failure>,
}

impl Graph {
    /// Takes a group of the directory's list. One that counts is read; another one only when it is within one that counts.
    ///
    /// # Errors
    /// `malformed` when two groups have one address.
    pub fn add_listed(&mut self, group: Group, counts_as: Option<ObservedGroup>) -> Result<(), Failure> {
        let Group { id, email, direct_members_count } = group;
        if self.by_id.contains_key(&id) {
            return Ok(());
        }
        let counts = counts_as.is_some();
        let name: Arc<str> = scope::fold(&email).into();
        let node = self.add(Node {
            key: id.clone(),
            name: Arc::clone(&name),
            counts_as,
            members_stated: direct_members_count,
            queued: false,
            people: Vec::new(),
            inner: Vec::new(),
            incomplete: None,
            went_away: false,
        })?;
        self.by_id.insert(id, node);
        if self.by_address.insert(name, node).is_some() {
            return Err(Failure::new(ErrorClass::Malformed, "two groups have one address"));
        }
        if counts {
            self.queue(node);
        }
        Ok(())
    }

    /// The next group whose members are to be read.
    pub fn next_to_read(&mut self) -> Option<ToRead> {
        let id = self.to_read.pop_front()?;
        let Node { key, members_stated, .. } = self.node(id);
        Some(ToRead { id, key: key.clone(), members_stated: *members_stated })
    }

    /// Groups that were or will be read, as far as is known.
    pub fn queued(&self) -> u64 {
        self.queued
    }

    pub fn mark(&mut self, node: NodeId, failure: Failure) {
        self.node_mut(node).incomplete = Some(failure);
    }

    pub fn set_members(&mut self, node: NodeId, members: Members, nested: Nested) {
        let Members { mut people, inner, entries: _, doubt, went_away } = members;
        people.sort_unstable();
        people.dedup();
        people.shrink_to_fit();
        let inner = match nested {
            Nested::Direct => Ok(Vec::new()),
            Nested::Expand => inner.into_iter().map(|inner| self.inner(inner)).collect(),
        };
        let known = self.node_mut(node);
        known.people = people;
        known.incomplete = doubt;
        known.went_away = went_away;
        match inner {
            Ok(mut inner) => {
                // A walk inwards takes them in this order.
                inner.sort_by_key(|inner| {
                    let Node { name, key, .. } = self.node(*inner);
                    (name, key)
                });
                self.node_mut(node).inner = inner;
            }
            Err(failure) => known.incomplete = Some(failure),
        }
    }

    /// The groups that count.
    pub fn counting(&self) -> impl Iterator<Item = (NodeId, &ObservedGroup)> {
        let numbered = (0..).map(NodeId).zip(&self.nodes);
        numbered.filter_map(|(id, node)| node.counts_as.as_ref().map(|group| (id, group)))
    }

    /// Whether the directory listed the group and then said that there is none.
    pub fn went_away(&self, node: NodeId) -> bool {
        self.node(node).went_away
    }

    /// The direct members of a group.
    pub fn direct(&self, node: NodeId) -> Reached {
        let Node { people, incomplete, .. } = self.node(node);
        Reached { members: people.clone(), through: Through::default(), incomplete: incomplete.clone() }
    }

    /// For walks inwards from one group after the other.
    pub fn walk(&self, people: usize) -> Walk<'_> {
        Walk {
            graph: self,
            turn: 0,
            nodes_seen: vec![0; self.nodes.len()],
            people_seen: vec![0; people],
            memberships_left: MEMBERSHIPS_MAX,
        }
    }

    /// The node of an inner group, which need not be in the directory's list.
    fn inner(&mut self, inner: Inner) -> Result<NodeId, Failure> {
        let Inner { id, email } = inner;
        let address: Option<Arc<str>> = email.as_deref().map(|email| scope::fold(email).into());
        let by_id = id.as_ref().and_then(|id| self.by_id.get(id));
        let by_address = || address.as_ref().and_then(|address| self.by_address.get(address.as_ref()));
        let node = match by_id.or_else(by_address) {
            Some(node) => *node,
            None => self.add_unlisted(id, address)?,
        };
        self.queue(node);
        Ok(node)
    }

    fn add_unlisted(&mut self, id: Option<String>, address: Option<Arc<str>>) -> Result<NodeId, Failure> {
        let key = id.clone().or_else(|| address.as_deref().map(str::to_owned)).unwrap_or_default();
        let name = address.clone().unwrap_or_else(|| key.as_str().into());
        let node = self.add(Node {
            key,
            name,
            counts_as: None,
            members_stated: None,
            queued: false,
            people: Vec::new(),
            inner: Vec::new(),
            incomplete: None,
            went_away: false,
        })?;
        self.by_id.extend(id.map(|id| (id, node)));
        self.by_address.extend(address.map(|address| (address, node)));
        Ok(node)
    }

    fn add(&mut self, node: Node) -> Result<NodeId, Failure> {
        if self.nodes.len() >= super::GROUPS_MAX {
            return Err(incomplete("the directory has too many groups"));
        }
        let id = u32::try_from(self.nodes.len()).expect("invariant: GROUPS_MAX fits");
        self.nodes.push(node);
        Ok(NodeId(id))
    }

    fn queue(&mut self, id: NodeId) {
        let node = self.node_mut(id);
        if !std::mem::replace(&mut node.queued, true) {
            self.to_read.push_back(id);
            self.queued += 1;
        }
    }

    fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.0 as usize]
    }
}

/// Walks inwards; what it has seen is forgotten by counting the turns, not by clearing.
pub struct Walk<'g> {
    graph: &'g Graph,
    turn: u32,
    nodes_seen: Vec<u32>,
    people_seen: Vec<u32>,
    memberships_left: usize,
}

impl Walk<'_> {
    /// Everybody in a group or in a group within it.
    ///
    /// # Errors
    /// `incomplete` when the directory is beyond all measure.
    pub fn from(&mut self, start: NodeId) -> Result<Reached, Failure> {
        self.turn += 1;
        let (mut members, mut doubt, mut walk) = (Vec::new(), None, Inwards::default());
        let mut next = VecDeque::from([(start, Inwards::START)]);
        self.nodes_seen[start.0 as usize] = self.turn;
        while let Some((id, step)) = next.pop_front() {
            let node = self.graph.node(id);
            doubt = doubt.or_else(|| node.incomplete.clone());
            for person in &node.people {
                if std::mem::replace(&mut self.people_seen[*person as usize], self.turn) != self.turn {
                    members.push(*person);
                    walk.meet(*person, step);
                }
            }
            for inner in &node.inner {
                if std::mem::replace(&mut self.nodes_seen[inner.0 as usize], self.turn) != self.turn {
                    next.push_back((*inner, walk.step(step, &self.graph.node(*inner).name)));
                }
            }
        }
        let left = self.memberships_left.checked_sub(members.len());
        self.memberships_left = left.ok_or_else(|| incomplete("the directory has too many memberships"))?;
        members.sort_unstable();
        members.shrink_to_fit();
        Ok(Reached { members, through: walk.end(), incomplete: doubt })
    }
}
