//! The two walks over nested groups, as far as paths go: inwards from a group, and outwards from a person.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{CUT, Chain, PATH_GROUPS_MAX, Through};

/// How a group was reached on a walk inwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepId(u32);

/// A walk inwards from one group. Whoever walks goes level by level, and takes the inner groups of one in the order of their
/// names: then whoever is met first is met on their path.
#[derive(Debug)]
pub struct Inwards {
    steps: Vec<Step>,
    through: Through,
}

#[derive(Debug)]
struct Step {
    name: Arc<str>,
    outer: StepId,
    depth: usize,
    /// Made for the first member who is met here.
    chain: Option<u32>,
}

impl Default for Inwards {
    fn default() -> Self {
        let start = Step { name: Arc::from(""), outer: Self::START, depth: 0, chain: None };
        Self { steps: vec![start], through: Through::default() }
    }
}

impl Inwards {
    /// The group that the walk starts from.
    pub const START: StepId = StepId(0);

    /// From a group into one of its inner ones.
    pub fn step(&mut self, outer: StepId, name: &Arc<str>) -> StepId {
        let depth = self.at(outer).depth + 1;
        let name = match depth {
            _ if depth <= PATH_GROUPS_MAX => Arc::clone(name),
            _ if depth == PATH_GROUPS_MAX + 1 => Arc::from(CUT),
            _ => return outer,
        };
        let id = u32::try_from(self.steps.len()).expect("invariant: fewer than groups");
        self.steps.push(Step { name, outer, depth, chain: None });
        StepId(id)
    }

    /// Somebody who is met for the first time, in the group of `step`.
    pub fn meet(&mut self, member: u32, step: StepId) {
        if step == Self::START {
            return;
        }
        let chain = match self.at(step).chain {
            Some(chain) => chain,
            None => self.chain(step),
        };
        self.through.members.push((member, chain));
    }

    #[must_use]
    pub fn end(self) -> Through {
        let Self { steps: _, mut through } = self;
        through.members.sort_unstable();
        through.members.shrink_to_fit();
        through
    }

    fn chain(&mut self, last: StepId) -> u32 {
        let mut names = Vec::with_capacity(self.at(last).depth);
        let mut step = last;
        while step != Self::START {
            names.push(Arc::clone(&self.at(step).name));
            step = self.at(step).outer;
        }
        names.reverse();
        let chain = u32::try_from(self.through.chains.len()).expect("invariant: fewer than groups");
        self.through.chains.push(names.into());
        self.steps[last.0 as usize].chain = Some(chain);
        chain
    }

    fn at(&self, step: StepId) -> &Step {
        &self.steps[step.0 as usize]
    }
}

/// A walk outwards from a person, level by level, over groups known by `K`.
#[derive(Debug)]
pub struct Outwards<K> {
    found: BTreeMap<K, Place<K>>,
}

#[derive(Debug)]
struct Place<K> {
    name: Arc<str>,
    depth: usize,
    /// The inner group by which the person is in it; none of one that holds them directly.
    inner: Option<K>,
}

impl<K> Default for Outwards<K> {
    fn default() -> Self {
        Self { found: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> Outwards<K> {
    /// Takes a group that holds `inner`, or the person directly; whether it is met for the first time.
    pub fn meet(&mut self, group: K, name: &str, inner: Option<&K>) -> bool {
        let depth = inner.and_then(|inner| self.found.get(inner)).map_or(0, |inner| inner.depth + 1);
        match self.found.get(&group) {
            None => {
                self.found.insert(group, Place { name: Arc::from(name), depth, inner: inner.cloned() });
                true
            }
            Some(place) => {
                if place.depth == depth && self.rank(inner) < self.rank(place.inner.as_ref()) {
                    let inner = inner.cloned();
                    self.found.entry(group).and_modify(|place| place.inner = inner);
                }
                false
            }
        }
    }

    /// The way from a group to the person; none where it holds them directly.
    #[must_use]
    pub fn chain(&self, group: &K) -> Option<Chain> {
        let mut names = Vec::new();
        let mut place = self.found.get(group)?;
        while let Some(inner) = place.inner.as_ref().and_then(|inner| self.found.get(inner)) {
            names.push(if names.len() < PATH_GROUPS_MAX { Arc::clone(&inner.name) } else { Arc::from(CUT) });
            if names.len() > PATH_GROUPS_MAX {
                break;
            }
            place = inner;
        }
        (!names.is_empty()).then(|| names.into())
    }

    fn rank<'a>(&'a self, group: Option<&'a K>) -> Option<(&'a str, &'a K)> {
        let group = group?;
        self.found.get(group).map(|place| (place.name.as_ref(), group))
    }
}
