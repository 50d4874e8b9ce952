//! Paths: the groups within a group by which somebody is in it.
//!
//! Of several paths the shortest counts, and of several of those the one whose names come first, so that a walk inwards from a
//! group and a walk outwards from a person find the same one.

mod compare;
mod walk;

use std::sync::Arc;

pub use compare::{Comparison, PathChanges};
pub use walk::{Inwards, Outwards, StepId};

use crate::desired::Pair;

/// The most groups of one path; what lies further in is cut off.
pub const PATH_GROUPS_MAX: usize = 64;
/// Stands for what was cut off.
const CUT: &str = "…";

/// The names of the inner groups, from the outside inwards.
pub type Chain = Arc<[Arc<str>]>;

/// How the members of one group who are not direct ones are in it. Many of them share a chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Through {
    pub chains: Vec<Chain>,
    /// Ascending: a member, and the index of their chain.
    pub members: Vec<(u32, u32)>,
}

impl Through {
    /// The chain of a member; none of a direct one.
    #[must_use]
    pub fn of(&self, member: u32) -> Option<&Chain> {
        let at = self.members.binary_search_by_key(&member, |(member, _)| *member).ok()?;
        Some(&self.chains[self.members[at].1 as usize])
    }
}

/// The paths of memberships that are not direct.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paths {
    pub chains: Vec<Chain>,
    /// Ascending, each pair once, with the index of its chain.
    pub of: Vec<(Pair, u32)>,
}

impl Paths {
    /// Takes those of one group; whoever is a direct member by one of their accounts is one.
    pub(crate) fn of_group(&mut self, through: &Through, members: &[u32], pair: impl Fn(u32) -> Option<Pair>) {
        if through.members.is_empty() {
            return;
        }
        let (before, first) =
            (self.of.len(), u32::try_from(self.chains.len()).expect("invariant: fewer than memberships"));
        self.chains.extend(through.chains.iter().cloned());
        self.of.extend(through.members.iter().filter_map(|(member, chain)| Some((pair(*member)?, first + chain))));
        self.of[before..].sort_unstable();
        let mut indirect = through.members.iter().map(|(member, _)| *member).peekable();
        let direct = members.iter().filter(|member| indirect.next_if_eq(*member).is_none());
        let both: Vec<Pair> = direct
            .filter_map(|member| pair(*member))
            .filter(|pair| self.of[before..].binary_search_by_key(pair, |(of, _)| *of).is_ok())
            .collect();
        if !both.is_empty() {
            self.of.retain(|(pair, _)| !both.contains(pair));
        }
    }

    /// Takes one user's.
    pub(crate) fn push(&mut self, pair: Pair, chain: &Chain) {
        self.of.push((pair, u32::try_from(self.chains.len()).expect("invariant: fewer than memberships")));
        self.chains.push(Arc::clone(chain));
    }

    pub(crate) fn sort(&mut self) {
        self.of.sort_unstable();
        self.of.dedup_by_key(|(pair, _)| *pair);
    }
}

/// How a member is in a group, as far as it was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    Direct,
    /// Through these groups, from the outside inwards.
    Through(Vec<String>),
    /// The membership is older than the record of paths, and was not read since.
    Unrecorded,
}

impl Way {
    /// # Errors
    /// When what is stored is not what [`written`] gives.
    pub fn read(stored: &str) -> Result<Self, serde_json::Error> {
        let names: Option<Vec<String>> = serde_json::from_str(stored)?;
        Ok(names.map_or(Way::Unrecorded, Way::Through))
    }
}

/// A chain as it is stored: a JSON list of names.
#[must_use]
pub fn written(chain: &Chain) -> String {
    let names: Vec<&str> = chain.iter().map(AsRef::as_ref).collect();
    serde_json::to_string(&names).expect("invariant: names are plain values")
}

#[cfg(test)]
mod tests;
