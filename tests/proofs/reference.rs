//! The reference model: the rules of a sync over plain sets, written from the rules and not from the code.

use std::collections::{BTreeMap, BTreeSet};

use crate::script::{BY_HAND, DEPLOYCENTER, GOOGLE, Name, Step};
use crate::stored::{Pair, Place, Stated, Stored};
use crate::upstream::{Reading, Upstream};

/// The guard of both sources: so many removals in one run pass.
pub const REMOVALS_MAX: usize = 1;
const SECOND: i64 = 1_000_000;

/// What a step came to: an outcome of a run, or an administrator's answer.
pub type Came = &'static str;

/// A run whose questions are answered, and which writes later.
#[derive(Debug, Clone)]
pub struct Held {
    asked: Asked,
    said: Upstream,
    began: i64,
}

#[derive(Debug, Clone)]
pub struct Asked {
    pub source: Name,
    pub user: Option<Name>,
    /// Whom a whole read of the backend asks about, and whom it asks about at all.
    pub people: Vec<Name>,
    /// Whether the directory is known to have an account of the user.
    pub has_account: bool,
    /// Of whom a login has just said where they belong.
    pub logs_in: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Reference {
    pub said: Upstream,
    pub stored: Stored,
    /// Microseconds since the walk began, as the wall clock shows them.
    pub now: i64,
    pub held: Option<Held>,
}

impl Reference {
    /// Whether the step means anything here; what does not is left out of the walk.
    pub fn admits(&self, step: &Step) -> bool {
        match step {
            Step::Leave(person, group) => self.said.groups.get(group).is_some_and(|g| g.members.contains(person)),
            Step::Drop(group) => self.said.groups.contains_key(group),
            // Mending would let go of what is held, and a clock that goes back would make two overlapping observations
            // begin in another order than they did: that is left to the clocks.
            Step::Mend | Step::Clock(_) => self.held.is_none(),
            Step::Hold(source, user) => self.held.is_none() && self.said.is_well() && self.can_be_held(source, *user),
            Step::Release => self.held.is_some(),
            Step::Sync(DEPLOYCENTER, Some(person)) | Step::Add(_, person) | Step::Remove(_, person) => {
                self.stored.people.contains_key(person)
            }
            _ => true,
        }
    }

    fn can_be_held(&self, source: Name, user: Option<Name>) -> bool {
        let asked = self.asked(source, user);
        match (source, user) {
            (GOOGLE, None) => !self.said.groups.is_empty(),
            // Then the account is asked for too, and that is what is held.
            (GOOGLE, Some(person)) => {
                self.stored.people.contains_key(person)
                    && (asked.has_account || !self.said.groups_of(person).is_empty())
            }
            _ => !asked.people.is_empty() && asked.people.iter().all(|person| self.stored.people[person].siret),
        }
    }

    pub fn asked(&self, source: Name, user: Option<Name>) -> Asked {
        let askable = self.stored.people.iter().filter(|(_, known)| known.siret && !known.suspended);
        let known = user.filter(|user| self.stored.people.contains_key(user));
        let people = match user {
            None => askable.map(|(person, _)| *person).collect(),
            Some(_) => known.into_iter().collect(),
        };
        let has_account = known.is_some_and(|user| self.stored.people[user].account);
        Asked { source, user, people, has_account, logs_in: false }
    }

    /// Carries a step out. Of several administrators who might be kept, the run says which (`kept`).
    pub fn perform(&mut self, step: &Step, kept: Option<Name>) -> Came {
        self.said.change(step);
        match step {
            Step::Sync(source, None) if self.is_leased(source) => "skipped",
            Step::Sync(source, user) => self.run(self.asked(source, *user), kept),
            Step::Login(person) => self.login(person, kept),
            Step::Hold(source, None) if self.is_leased(source) => "skipped",
            Step::Hold(source, user) => {
                let (asked, said) = (self.asked(source, *user), self.said.clone());
                // Later than anything that was seen before: see `admits`.
                self.now = self.now.max(self.stored.latest(source) + SECOND);
                self.held = Some(Held { asked, said, began: self.now });
                "held"
            }
            Step::Release => {
                let Some(Held { asked, said, began }) = self.held.take() else { return "nothing" };
                self.apply(&asked, &said, began, kept)
            }
            Step::Create => self.create(),
            Step::Delete => self.delete(),
            Step::Add(group, person) => self.add(group, person),
            Step::Remove(group, person) => self.remove(group, person),
            Step::Provision(domain) => self.provision(domain),
            Step::Clock(minutes) => {
                self.now += minutes * 60 * SECOND;
                "done"
            }
            Step::Restart => {
                self.held = None;
                "done"
            }
            _ => "done",
        }
    }

    /// One process reads a whole source at a time.
    fn is_leased(&self, source: Name) -> bool {
        self.held.as_ref().is_some_and(|held| held.asked.source == source && held.asked.user.is_none())
    }

    fn run(&mut self, asked: Asked, kept: Option<Name>) -> Came {
        let began = self.now.max(self.stored.latest(asked.source) + 1);
        let said = self.said.clone();
        self.apply(&asked, &said, began, kept)
    }

    fn apply(&mut self, asked: &Asked, said: &Upstream, began: i64, kept: Option<Name>) -> Came {
        match (asked.source, asked.user) {
            (GOOGLE, None) => self.whole_directory(said, began, kept),
            (GOOGLE, Some(person)) => self.directory_about(person, asked, said, began, kept),
            _ => self.backend(asked, said, began),
        }
    }

    fn login(&mut self, person: Name, kept: Option<Name>) -> Came {
        self.stored.people.entry(person).or_default();
        for source in [GOOGLE, DEPLOYCENTER] {
            let asked = Asked { logs_in: true, ..self.asked(source, Some(person)) };
            self.run(asked, kept);
        }
        self.stored.people.entry(person).or_default().siret = true;
        "done"
    }

    fn whole_directory(&mut self, said: &Upstream, began: i64, kept: Option<Name>) -> Came {
        if said.directory_is_lost() {
            return "unavailable";
        }
        let readings: BTreeMap<Name, Reading> = said.groups.keys().map(|name| (*name, said.members(name))).collect();
        let partly = readings.values().any(|reading| matches!(reading, Reading::Part(_)));
        if self.stored.mark(GOOGLE, None) > began {
            return Stored::outcome(false, partly, false);
        }
        let silent: BTreeSet<Name> = self
            .stored
            .people
            .keys()
            .copied()
            .filter(|person| self.stored.mark(GOOGLE, Some(person)) > began)
            .collect();
        let mut next = self.stored.clone();
        let (mut wanted, mut incomplete, mut listed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut replaced = BTreeSet::new();
        for (name, reading) in readings {
            let place = Place::of_directory(name, said.groups[name].generation);
            replaced.extend(next.others_named(name, &place));
            next.make(&place);
            listed.insert(place.clone());
            let members = match reading {
                Reading::Whole(members) => members,
                Reading::Part(members) => {
                    incomplete.insert(place.clone());
                    members
                }
            };
            for person in members.into_iter().filter(|person| !silent.contains(person)) {
                next.people.entry(person).or_default();
                wanted.insert((place.clone(), person));
            }
        }
        let have = self.stored.pairs(GOOGLE);
        let gone = |place: &Place| self.stored.vanished.contains(place) || replaced.contains(place);
        let unlisted = have.difference(&wanted).filter(|(_, person)| !silent.contains(person));
        let (lost, missing): (Vec<&Pair>, Vec<&Pair>) = unlisted.partition(|(place, _)| !listed.contains(place));
        let (doubtful, lost): (Vec<&Pair>, Vec<&Pair>) = lost.into_iter().partition(|(place, _)| !gone(place));
        let missing = missing.into_iter().filter(|(place, _)| !incomplete.contains(place));
        let mut removes: BTreeSet<Pair> = missing.chain(lost).cloned().collect();
        if removes.len() + doubtful.len() > REMOVALS_MAX {
            return "held";
        }
        let heard: Vec<Name> = next.people.keys().copied().filter(|person| !silent.contains(person)).collect();
        for person in heard {
            next.stand(person, said.suspended.contains(person));
        }
        let blocked = next.keep_an_administrator(&self.stored, GOOGLE, &mut removes, &wanted, kept);
        next.end_groups(&listed, &replaced, &have, &removes);
        next.move_pairs(GOOGLE, &removes, wanted);
        self.settle(next, &[(GOOGLE, None)], began, partly, blocked)
    }

    fn directory_about(
        &mut self,
        person: Name,
        asked: &Asked,
        said: &Upstream,
        began: i64,
        kept: Option<Name>,
    ) -> Came {
        if said.broken.contains_key(GOOGLE) {
            return "unavailable";
        }
        if self.stored.mark(GOOGLE, None).max(self.stored.mark(GOOGLE, Some(person))) > began {
            return "unchanged";
        }
        let mut next = self.stored.clone();
        next.people.entry(person).or_default();
        let mut wanted = BTreeSet::new();
        let direct = said.groups_of(person);
        let tells_of_account = asked.has_account || !direct.is_empty();
        for (name, generation) in direct {
            let place = Place::of_directory(name, generation);
            // While the name is another group's, only a whole list can tell what became of that one.
            if next.others_named(name, &place).is_empty() {
                next.make(&place);
                wanted.insert((place, person));
            }
        }
        let have = self.stored.pairs(GOOGLE).into_iter().filter(|(_, of)| *of == person);
        let mut removes: BTreeSet<Pair> = have.filter(|pair| !wanted.contains(pair)).collect();
        if removes.len() > REMOVALS_MAX {
            return "held";
        }
        if tells_of_account {
            next.stand(person, said.suspended.contains(person));
        }
        let blocked = next.keep_an_administrator(&self.stored, GOOGLE, &mut removes, &wanted, kept);
        next.move_pairs(GOOGLE, &removes, wanted);
        self.settle(next, &[(GOOGLE, Some(person))], began, false, blocked)
    }

    fn backend(&mut self, asked: &Asked, said: &Upstream, began: i64) -> Came {
        let answered =
            |person: &Name| said.answers_about(person) && (asked.logs_in || self.stored.people[person].siret);
        let (told, failed): (Vec<Name>, Vec<Name>) = asked.people.iter().copied().partition(answered);
        if told.is_empty() && !failed.is_empty() {
            return "unavailable";
        }
        let mut next = self.stored.clone();
        let (mut removes, mut wanted) = (BTreeSet::new(), BTreeSet::new());
        let newest = |person: &&Name| self.stored.mark(DEPLOYCENTER, Some(person)) <= began;
        for person in told.iter().filter(newest) {
            let account = said.accounts.get(person).cloned().unwrap_or_default();
            let stated = next.stated.entry(person).or_default();
            stated.plan = account.plan;
            if account.hushed {
                continue;
            }
            stated.domains = Some(account.domains.clone());
            let effective = account.domains.intersection(&self.stored.resources);
            let mine: BTreeSet<Pair> = effective.map(|domain| (Place::Domain(domain), *person)).collect();
            let have = self.stored.pairs(DEPLOYCENTER).into_iter().filter(|(_, of)| of == person);
            removes.extend(have.filter(|pair| !mine.contains(pair)));
            wanted.extend(mine);
        }
        if removes.len() > REMOVALS_MAX {
            return "held";
        }
        next.groups.extend(wanted.iter().map(|(place, _)| place.clone()));
        next.move_pairs(DEPLOYCENTER, &removes, wanted);
        let marks: Vec<_> = told.iter().map(|person| (DEPLOYCENTER, Some(*person))).collect();
        self.settle(next, &marks, began, !failed.is_empty(), false)
    }

    /// All of a run, together with the marks of what was seen.
    fn settle(
        &mut self,
        mut next: Stored,
        marks: &[(Name, Option<Name>)],
        began: i64,
        partly: bool,
        blocked: bool,
    ) -> Came {
        let changed = next.shows_other_than(&self.stored);
        for mark in marks {
            let newest = next.marks.entry(*mark).or_insert(began);
            *newest = began.max(*newest);
        }
        self.stored = next;
        Stored::outcome(changed, partly, blocked)
    }

    fn create(&mut self) -> Came {
        let is_new = self.stored.groups.insert(Place::ByHand(BY_HAND[0]));
        if is_new { "done" } else { "NameTaken" }
    }

    fn delete(&mut self) -> Came {
        let place = Place::ByHand(BY_HAND[0]);
        self.stored.rows.retain(|(of, _, _)| *of != place);
        if self.stored.groups.remove(&place) { "done" } else { "NoGroup" }
    }

    fn add(&mut self, group: Name, person: Name) -> Came {
        let place = Place::by_hand(group);
        if place != Place::Admin && !self.stored.groups.contains(&place) {
            return "NoGroup";
        }
        if self.stored.rows.insert((place, person, "admin")) { "done" } else { "AlreadyMember" }
    }

    fn remove(&mut self, group: Name, person: Name) -> Came {
        let place = Place::by_hand(group);
        let row = (place.clone(), person, "admin");
        if place != Place::Admin && !self.stored.groups.contains(&place) {
            return "NoGroup";
        }
        if !self.stored.rows.contains(&row) {
            return "NotByAdmin";
        }
        let by_another = self.stored.rows.contains(&(place.clone(), person, GOOGLE));
        let administrators = self.stored.administrators();
        if place == Place::Admin && !by_another && administrators == BTreeSet::from([person]) {
            return "LastAdministrator";
        }
        self.stored.rows.remove(&row);
        "done"
    }

    fn provision(&mut self, domain: Name) -> Came {
        if self.stored.resources.insert(domain) {
            let says = |stated: &Stated| stated.domains.as_ref().is_some_and(|domains| domains.contains(domain));
            let entitled = self.stored.stated.iter().filter(|(_, stated)| says(stated));
            let rows: Vec<_> = entitled.map(|(person, _)| (Place::Domain(domain), *person, DEPLOYCENTER)).collect();
            self.stored.groups.extend(rows.iter().map(|(place, _, _)| place.clone()));
            self.stored.rows.extend(rows);
        }
        "done"
    }
}
