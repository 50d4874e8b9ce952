//! What an observation says of paths, compared with what is stored of them.

use std::collections::BTreeSet;

use super::{Paths, written};
use crate::desired::Pair;
use crate::plan::Plan;

/// A comparison under way: it is told what is stored, in ascending order.
pub struct Comparison {
    of: Vec<(Pair, u32)>,
    /// As they are stored.
    texts: Vec<String>,
    at: usize,
    same: Vec<bool>,
    changes: PathChanges,
}

/// What an observation changes about the paths that are stored, if the memberships are what it says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct PathChanges {
    texts: Vec<String>,
    /// Ascending.
    put: Vec<(Pair, u32)>,
    /// Memberships that are direct now.
    direct: Vec<Pair>,
    /// Memberships that are not listed and have a path, whether they go or not; none where nobody looked.
    unlisted: Option<Vec<Pair>>,
}

impl Comparison {
    #[must_use]
    pub fn new(paths: Paths) -> Self {
        let Paths { chains, of } = paths;
        let texts = chains.iter().map(written).collect();
        let changes = PathChanges { unlisted: Some(Vec::new()), ..PathChanges::default() };
        Self { same: vec![false; of.len()], of, texts, at: 0, changes }
    }

    /// Takes what is stored of one membership; `listed` are all that should be stored, ascending.
    pub fn stored(&mut self, listed: &[Pair], pair: Pair, path: &str) {
        while self.of.get(self.at).is_some_and(|(of, _)| *of < pair) {
            self.at += 1;
        }
        match self.of.get(self.at) {
            Some((of, chain)) if *of == pair => self.same[self.at] = self.texts[*chain as usize] == path,
            _ if listed.binary_search(&pair).is_ok() => self.changes.direct.push(pair),
            _ => self.changes.unlisted.get_or_insert_default().push(pair),
        }
    }

    #[must_use]
    pub fn end(self) -> PathChanges {
        let Self { mut of, texts, at: _, same, changes } = self;
        let mut same = same.into_iter();
        of.retain(|_| same.next() == Some(false));
        of.shrink_to_fit();
        PathChanges { texts, put: of, ..changes }
    }
}

impl PathChanges {
    /// All of an observation of a few users, whatever is stored; `listed` is all that should be, ascending.
    #[must_use]
    pub fn of_users(paths: Paths, listed: &[Pair]) -> Self {
        let Paths { chains, of } = paths;
        let has_path = |pair: &&Pair| of.binary_search_by_key(*pair, |(of, _)| *of).is_ok();
        let direct = listed.iter().filter(|pair| !has_path(pair)).copied().collect();
        Self { texts: chains.iter().map(written).collect(), direct, put: of, unlisted: None }
    }

    /// What is to be written with a plan, where it is not there yet: of a held one, the paths of what it lets through.
    pub fn put<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = (Pair, &'a str)> + use<'a> {
        let through = plan.additions.as_ref().map_or(&[][..], |additions| &additions.creates);
        let put = self.put.iter().filter(move |(pair, _)| plan.held.is_none() || through.binary_search(pair).is_ok());
        put.map(|(pair, chain)| (*pair, self.texts[*chain as usize].as_str()))
    }

    /// What is to be taken away with a plan.
    #[must_use]
    pub fn dropped(&self, plan: &Plan) -> BTreeSet<Pair> {
        if plan.held.is_some() {
            return BTreeSet::new();
        }
        let mut dropped: BTreeSet<Pair> = self.direct.iter().copied().collect();
        match &self.unlisted {
            Some(unlisted) => dropped.extend(unlisted.iter().filter(|pair| plan.removes.binary_search(pair).is_ok())),
            None => dropped.extend(&plan.removes),
        }
        dropped
    }
}
