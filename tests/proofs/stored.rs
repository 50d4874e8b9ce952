//! What the reference model holds to be stored, and what happens to it in every kind of run.

use std::collections::{BTreeMap, BTreeSet};

use crate::script::{GROUPS, Name};

/// A group as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Admin,
    /// Of the directory, with the number of its making.
    Directory(Name, u32),
    ByHand(Name),
    Domain(Name),
}

pub type Pair = (Place, Name);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// A login has said where they belong.
    pub siret: bool,
    /// The directory's account of them is known.
    pub account: bool,
    pub suspended: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stated {
    pub domains: Option<BTreeSet<Name>>,
    pub plan: Option<u8>,
}

#[derive(Debug, Clone, Default)]
pub struct Stored {
    pub people: BTreeMap<Name, Known>,
    /// Group, person, source.
    pub rows: BTreeSet<(Place, Name, Name)>,
    pub groups: BTreeSet<Place>,
    pub stated: BTreeMap<Name, Stated>,
    pub resources: BTreeSet<Name>,
    /// Groups that one whole list of the directory did not have.
    pub vanished: BTreeSet<Place>,
    /// When the newest observation began, of a source as a whole and of each person.
    pub marks: BTreeMap<(Name, Option<Name>), i64>,
}

impl Place {
    pub fn of_directory(name: Name, generation: u32) -> Self {
        if name == GROUPS[2] { Place::Admin } else { Place::Directory(name, generation) }
    }

    pub fn by_hand(name: Name) -> Self {
        if name == "Admin" { Place::Admin } else { Place::ByHand(name) }
    }
}

impl Stored {
    pub fn mark(&self, source: Name, person: Option<Name>) -> i64 {
        self.marks.get(&(source, person)).copied().unwrap_or(i64::MIN)
    }

    pub fn latest(&self, source: Name) -> i64 {
        self.marks.iter().filter(|((of, _), _)| *of == source).map(|(_, began)| *began).max().unwrap_or(i64::MIN / 2)
    }

    pub fn pairs(&self, source: Name) -> BTreeSet<Pair> {
        self.rows.iter().filter(|(_, _, by)| *by == source).map(|(place, person, _)| (place.clone(), *person)).collect()
    }

    /// Groups of the directory that have this name, and are not this one.
    pub fn others_named(&self, name: Name, place: &Place) -> Vec<Place> {
        let is_other = |of: &&Place| matches!(of, Place::Directory(known, _) if *known == name) && *of != place;
        self.groups.iter().filter(is_other).cloned().collect()
    }

    /// Makes a group; `Admin` is always there.
    pub fn make(&mut self, place: &Place) {
        if *place != Place::Admin {
            self.groups.insert(place.clone());
        }
    }

    /// What the directory says of somebody's account.
    pub fn stand(&mut self, person: Name, suspended: bool) {
        let known = self.people.entry(person).or_default();
        known.account = true;
        known.suspended = suspended;
    }

    /// Active people in `Admin`, by whatever source.
    pub fn administrators(&self) -> BTreeSet<Name> {
        let active = |person: &Name| self.people.get(person).is_some_and(|known| !known.suspended);
        self.rows
            .iter()
            .filter(|(place, _, _)| *place == Place::Admin)
            .map(|(_, person, _)| *person)
            .filter(active)
            .collect()
    }

    /// Takes one removal back when it would leave nobody who is active in `Admin`; true when it did.
    pub fn keep_an_administrator(
        &self,
        before: &Stored,
        source: Name,
        removes: &mut BTreeSet<Pair>,
        wanted: &BTreeSet<Pair>,
        kept: Option<Name>,
    ) -> bool {
        // Whoever was active and still is; whoever comes back to activity with this very run counts from the next one on.
        let counts = |person: &Name| {
            !self.people[person].suspended && before.people.get(person).is_none_or(|known| !known.suspended)
        };
        let supports: Vec<(Name, Name)> = before
            .rows
            .iter()
            .filter(|(place, _, _)| *place == Place::Admin)
            .map(|(_, person, by)| (*person, *by))
            .filter(|(person, _)| counts(person))
            .collect();
        let joins = wanted.iter().any(|(place, person)| {
            *place == Place::Admin && counts(person) && !before.rows.contains(&(Place::Admin, person, source))
        });
        let stays = |(person, by): &(Name, Name)| *by != source || !removes.contains(&(Place::Admin, person));
        if joins || supports.is_empty() || supports.iter().any(stays) {
            return false;
        }
        let leaving: BTreeSet<Name> = supports.iter().map(|(person, _)| *person).collect();
        let kept = kept.filter(|kept| leaving.contains(kept)).or(leaving.first().copied());
        kept.is_some_and(|kept| removes.remove(&(Place::Admin, kept)))
    }

    pub fn move_pairs(&mut self, source: Name, removes: &BTreeSet<Pair>, wanted: BTreeSet<Pair>) {
        for (place, person) in removes {
            self.rows.remove(&(place.clone(), person, source));
        }
        self.rows.extend(wanted.into_iter().map(|(place, person)| (place, person, source)));
    }

    /// Groups of the directory that its list has not: they end when that is believed and nobody stays in them.
    pub fn end_groups(
        &mut self,
        listed: &BTreeSet<Place>,
        replaced: &BTreeSet<Place>,
        have: &BTreeSet<Pair>,
        removes: &BTreeSet<Pair>,
    ) {
        let managed = self.groups.iter().filter(|place| matches!(place, Place::Directory(..)));
        let held = have.iter().map(|(place, _)| place);
        let unlisted: BTreeSet<Place> = managed.chain(held).filter(|place| !listed.contains(place)).cloned().collect();
        let staying: BTreeSet<&Place> = have.difference(removes).map(|(place, _)| place).collect();
        let believed = |place: &&Place| self.vanished.contains(place) || replaced.contains(place);
        let ended: BTreeSet<Place> = unlisted
            .iter()
            .filter(|place| matches!(place, Place::Directory(..)) && !staying.contains(place))
            .filter(believed)
            .cloned()
            .collect();
        self.groups.retain(|place| !ended.contains(place));
        self.vanished = unlisted.difference(&ended).cloned().collect();
    }

    /// Whether anything differs that an event would tell of.
    pub fn shows_other_than(&self, other: &Stored) -> bool {
        let people =
            |of: &Stored| of.people.iter().map(|(person, known)| (*person, known.suspended)).collect::<Vec<_>>();
        people(self) != people(other)
            || self.rows != other.rows
            || self.groups != other.groups
            || self.stated != other.stated
    }

    pub fn outcome(changed: bool, partly: bool, blocked: bool) -> &'static str {
        match () {
            () if changed => "applied",
            () if partly => "unavailable",
            () if blocked => "blocked",
            () => "unchanged",
        }
    }

    /// What can be seen of the store, a line a fact.
    pub fn lines(&self) -> BTreeSet<String> {
        let mut lines = BTreeSet::new();
        for (person, known) in &self.people {
            lines.insert(format!("user {person}{}", if known.suspended { ", suspended" } else { "" }));
        }
        lines.extend(self.rows.iter().map(|(place, person, by)| format!("{person} in {} by {by}", self.name(place))));
        lines.extend(self.groups.iter().map(|place| format!("group {}", self.name(place))));
        lines.extend(self.resources.iter().map(|domain| format!("resource {domain}")));
        for (person, stated) in &self.stated {
            lines.extend(stated.domains.iter().map(|domains| format!("{person} may administer {domains:?}")));
            lines.extend(stated.plan.iter().map(|plan| format!("{person} has plan {plan}")));
        }
        lines
    }

    fn name(&self, place: &Place) -> String {
        match place {
            Place::Admin => "Admin".to_owned(),
            // One that somebody stays in gives its name to the next of that name.
            Place::Directory(name, generation) => {
                let newer =
                    |of: &Place| matches!(of, Place::Directory(other, later) if other == name && later > generation);
                let gone = if self.groups.iter().any(newer) { " (gone)" } else { "" };
                format!("{name}{gone}")
            }
            Place::ByHand(name) => (*name).to_owned(),
            Place::Domain(domain) => format!("domain {domain}"),
        }
    }
}
