//! Groups within groups. Cycles can be built here though Google refuses them, since a client must survive one.

use std::collections::{BTreeMap, BTreeSet};

use super::Workspace;
use crate::organisation::{DirectoryId, Role};

impl Workspace {
    /// Everybody and every group reachable from a group, itself left out; an indirect member has the role `MEMBER`.
    pub(crate) fn derived_members(&self, group: DirectoryId) -> BTreeMap<DirectoryId, Role> {
        let mut members = BTreeMap::new();
        let mut seen = BTreeSet::from([group]);
        let mut to_visit = vec![group];
        while let Some(visited) = to_visit.pop() {
            for (member, role) in self.group(visited).into_iter().flat_map(|group| &group.members) {
                let role = if visited == group { *role } else { Role::Member };
                members.entry(*member).or_insert(role);
                if self.group(*member).is_some() && seen.insert(*member) {
                    to_visit.push(*member);
                }
            }
        }
        members.remove(&group);
        members
    }

    /// Whether somebody is in a group, directly or through other groups.
    pub(crate) fn is_member(&self, group: DirectoryId, member: DirectoryId) -> bool {
        let mut seen = BTreeSet::from([member]);
        let mut to_visit = vec![member];
        while let Some(visited) = to_visit.pop() {
            for parent in self.parents(visited).into_iter().flatten() {
                if *parent == group {
                    return true;
                }
                if seen.insert(*parent) {
                    to_visit.push(*parent);
                }
            }
        }
        false
    }
}
