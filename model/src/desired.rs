//! Desired: an observation in the store's own ids, with what may be concluded from it.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::administrators::{self, Heard};
use crate::groups::{GroupJoin, JoinedGroups, KnownGroups, Listing};
use crate::identity::{EmailAddress, Facet, GroupId, UserId};
use crate::observation::{AskedUser, Census, Coverage, ErrorClass, Observation, ObservedGroup, Stated};
use crate::path::Paths;
use crate::people::{Joined, PeopleChanges};

/// A membership without its source: (group, user), in the order both stores sort by.
pub type Pair = (GroupId, UserId);

/// What the store knows about the names in an observation.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Who the people of the observation are.
    pub people: Joined,
    pub groups: KnownGroups,
    /// Users who were asked about and are not stored: they are created when the source knows them.
    pub newcomers: BTreeMap<UserId, EmailAddress>,
    /// The resource types whose resources must be provisioned here first, with those of the observation's that are.
    pub provisioned: BTreeMap<String, BTreeSet<String>>,
    /// The administrators of the source's directory.
    pub administrators: administrators::Stored,
    /// Users of whom the source has already said something newer: this observation is silent about them.
    pub superseded: BTreeSet<UserId>,
}

impl Known {
    /// Whether a membership in the group may exist: an entitlement to a resource that is not provisioned is kept as it is
    /// stated, and becomes a membership when the resource is.
    fn is_effective(&self, group: &ObservedGroup) -> bool {
        match group {
            ObservedGroup::System(_) | ObservedGroup::Directory { .. } => true,
            ObservedGroup::Resource { facet, resource_id, .. } => {
                self.provisioned.get(&facet.resource_type).is_none_or(|known| known.contains(resource_id))
            }
        }
    }
}

/// What should be stored for one source, within the scope of one observation.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// Ascending, each once.
    pub pairs: Vec<Pair>,
    /// Of those pairs that are not direct memberships.
    pub paths: Paths,
    pub new_users: Vec<(UserId, EmailAddress)>,
    pub groups: JoinedGroups,
    pub people: PeopleChanges,
    pub administrators: Heard,
    pub stated: BTreeMap<UserId, Stated>,
    pub conclusion: Conclusion,
}

/// What an unlisted membership means.
#[derive(Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// Each user was asked about alone; users who are not here were not asked.
    Users(BTreeMap<UserId, Result<Coverage, ErrorClass>>),
    /// The whole directory was read.
    Everything(Whole),
}

/// What a whole directory's list says of groups.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Whole {
    /// The groups that it lists.
    pub listed: BTreeSet<GroupId>,
    /// The groups of the store that the source manages.
    pub managed: BTreeSet<GroupId>,
    /// Listed groups of which the directory then said that they are not there.
    pub went_away: BTreeSet<GroupId>,
    /// Listed groups whose members could not be read whole.
    pub incomplete: BTreeMap<GroupId, ErrorClass>,
    /// Users about whom it is silent.
    pub superseded: BTreeSet<UserId>,
}

impl Default for Conclusion {
    fn default() -> Self {
        Conclusion::Users(BTreeMap::new())
    }
}

impl Desired {
    /// What a source says that is gone for good: nothing, of its groups, of users it made statements about, of those whom it
    /// had suspended, of its administrators.
    #[must_use]
    pub fn of_nothing(
        managed: BTreeSet<GroupId>,
        stated: impl Iterator<Item = UserId>,
        suspended: BTreeSet<UserId>,
        administrators: &administrators::Stored,
    ) -> Self {
        let nothing = Stated::All { entitlements: BTreeMap::new(), unsaid: BTreeSet::new() };
        Desired {
            people: PeopleChanges { reactivated: suspended, ..PeopleChanges::default() },
            administrators: Heard::nobody(administrators),
            stated: stated.map(|user| (user, nothing.clone())).collect(),
            conclusion: Conclusion::Everything(Whole { managed, ..Whole::default() }),
            ..Desired::default()
        }
    }
}

/// What to do about a stored membership that the observation does not list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlisted {
    Remove,
    /// Not removed, because that part could not be read.
    Keep(ErrorClass),
    /// Its whole group is not listed: once is not enough to believe that.
    GroupUnlisted,
    /// Nothing was said about it.
    Untouched,
}

impl Conclusion {
    #[must_use]
    pub fn unlisted(&self, (group, user): Pair, facet: Option<&Facet>) -> Unlisted {
        match self {
            Conclusion::Users(users) => match users.get(&user) {
                None => Unlisted::Untouched,
                Some(Err(class)) => Unlisted::Keep(*class),
                Some(Ok(coverage)) if coverage.covers(facet) => Unlisted::Remove,
                Some(Ok(_)) => Unlisted::Untouched,
            },
            Conclusion::Everything(whole) if whole.superseded.contains(&user) => Unlisted::Untouched,
            Conclusion::Everything(whole) if !whole.listed.contains(&group) => Unlisted::GroupUnlisted,
            Conclusion::Everything(whole) => {
                whole.incomplete.get(&group).map_or(Unlisted::Remove, |class| Unlisted::Keep(*class))
            }
        }
    }
}

/// Gives the names of an observation their ids, taking new ones from `new_id` for what the store does not know.
#[must_use]
pub fn desired(observation: &Observation, known: Known, new_id: &mut dyn FnMut() -> Uuid) -> Desired {
    match observation {
        Observation::Users(asked) => of_users(asked, known, new_id),
        Observation::Census { census, .. } => of_census(census, known, new_id),
    }
}

fn of_users(asked: &[AskedUser], mut known: Known, new_id: &mut dyn FnMut() -> Uuid) -> Desired {
    let people = std::mem::take(&mut known.people.changes);
    let mut groups = GroupJoin::new(&known.groups, Listing::Part, new_id);
    let administrators = Heard::of_users(asked, &known.superseded, &known.administrators);
    let mut desired = Desired { people, administrators, ..Desired::default() };
    let mut conclusions = BTreeMap::new();
    for asked in asked.iter().filter(|asked| !known.superseded.contains(&asked.user)) {
        let conclusion = match &asked.answer {
            Err(failure) => Err(failure.class),
            Ok(answer) => {
                if let Some(address) = known.newcomers.get(&asked.user) {
                    if !answer.present {
                        continue;
                    }
                    // One account may have been asked about under several of its addresses.
                    if !conclusions.contains_key(&asked.user) {
                        desired.new_users.push((asked.user, address.clone()));
                    }
                }
                for group in answer.groups.iter().filter(|group| known.is_effective(group)) {
                    let Some(id) = groups.id(group) else { continue };
                    desired.pairs.push((id, asked.user));
                    let chain = answer.paths.get(group);
                    chain.into_iter().for_each(|chain| desired.paths.push((id, asked.user), chain));
                }
                desired.stated.insert(asked.user, answer.stated.clone());
                Ok(answer.coverage.clone())
            }
        };
        conclusions.insert(asked.user, conclusion);
    }
    desired.pairs.sort_unstable();
    desired.pairs.dedup();
    desired.paths.sort();
    desired.groups = groups.whole();
    desired.conclusion = Conclusion::Users(conclusions);
    desired
}

fn of_census(census: &Census, known: Known, new_id: &mut dyn FnMut() -> Uuid) -> Desired {
    let Known { people, groups: known_groups, superseded, administrators, .. } = known;
    let Joined { users, created, changes } = people;
    let administrators = Heard::of_census(census, &users, &superseded, &administrators);
    let mut desired = Desired { new_users: created, people: changes, administrators, ..Desired::default() };
    let listed =
        census.groups.iter().filter_map(|observed| Some((observed.group.external_id()?, observed.group.name())));
    let mut groups = GroupJoin::new(&known_groups, Listing::Whole(listed.collect()), new_id);
    let mut whole =
        Whole { managed: known_groups.managed().collect(), superseded: superseded.clone(), ..Whole::default() };
    desired.pairs.reserve_exact(census.groups.iter().map(|group| group.members.len()).sum());
    desired.paths.of.reserve_exact(census.groups.iter().map(|group| group.through.members.len()).sum());
    for observed in &census.groups {
        let Some(group) = groups.id(&observed.group) else { continue };
        whole.listed.insert(group);
        if observed.went_away {
            whole.went_away.insert(group);
        }
        if let Some(failure) = &observed.incomplete {
            whole.incomplete.insert(group, failure.class);
        }
        let spoken_of = |index: u32| users[index as usize].filter(|user| !superseded.contains(user));
        let pair = |index: u32| spoken_of(index).map(|user| (group, user));
        desired.pairs.extend(observed.members.iter().filter_map(|&index| pair(index)));
        desired.paths.of_group(&observed.through, &observed.members, pair);
    }
    desired.pairs.sort_unstable();
    desired.pairs.dedup();
    desired.paths.sort();
    desired.groups = groups.whole();
    desired.conclusion = Conclusion::Everything(whole);
    desired
}
