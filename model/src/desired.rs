//! Desired: an observation in the store's own ids, with what may be concluded from it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use crate::identity::{EmailAddress, EmailKey, Facet, GroupId, UserId};
use crate::observation::{AskedUser, Census, CensusPerson, Coverage, ErrorClass, Observation, ObservedGroup, Stated};

/// A membership without its source: (group, user), in the order both stores sort by.
pub type Pair = (GroupId, UserId);

/// What the store knows about the names in an observation.
#[derive(Debug, Default)]
pub struct Known {
    pub users: HashMap<EmailKey, UserId>,
    pub groups: HashMap<String, GroupId>,
    /// Users who were asked about and are not stored: they are created when the source knows them.
    pub newcomers: BTreeMap<UserId, EmailAddress>,
    /// The resource types whose resources must be provisioned here first, with those of the observation's that are.
    pub provisioned: BTreeMap<String, BTreeSet<String>>,
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
    pub new_users: Vec<(UserId, EmailAddress)>,
    pub new_groups: Vec<(GroupId, ObservedGroup)>,
    pub stated: BTreeMap<UserId, Stated>,
    pub conclusion: Conclusion,
}

/// What an unlisted membership means.
#[derive(Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// Each user was asked about alone; users who are not here were not asked.
    Users(BTreeMap<UserId, Result<Coverage, ErrorClass>>),
    /// The whole directory was read, but for the members of these groups, and is silent about `superseded` users.
    Everything { incomplete: BTreeMap<GroupId, ErrorClass>, superseded: BTreeSet<UserId> },
}

impl Default for Conclusion {
    fn default() -> Self {
        Conclusion::Users(BTreeMap::new())
    }
}

/// What to do about a stored membership that the observation does not list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unlisted {
    Remove,
    /// Not removed, because that part could not be read.
    Keep(ErrorClass),
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
            Conclusion::Everything { superseded, .. } if superseded.contains(&user) => Unlisted::Untouched,
            Conclusion::Everything { incomplete, .. } => {
                incomplete.get(&group).map_or(Unlisted::Remove, |class| Unlisted::Keep(*class))
            }
        }
    }
}

/// Gives the names of an observation their ids, taking new ones from `new_id` for what the store does not know.
#[must_use]
pub fn desired(observation: &Observation, known: &Known, new_id: &mut dyn FnMut() -> Uuid) -> Desired {
    match observation {
        Observation::Users(asked) => of_users(asked, known, new_id),
        Observation::Census { census, .. } => of_census(census, known, new_id),
    }
}

fn of_users(asked: &[AskedUser], known: &Known, new_id: &mut dyn FnMut() -> Uuid) -> Desired {
    let mut groups = GroupIds { known: &known.groups, new: BTreeMap::new(), new_id };
    let mut desired = Desired::default();
    let mut conclusions = BTreeMap::new();
    for asked in asked.iter().filter(|asked| !known.superseded.contains(&asked.user)) {
        let conclusion = match &asked.answer {
            Err(failure) => Err(failure.class),
            Ok(answer) => {
                if let Some(address) = known.newcomers.get(&asked.user) {
                    if !answer.present {
                        continue;
                    }
                    desired.new_users.push((asked.user, address.clone()));
                }
                let effective = answer.groups.iter().filter(|group| known.is_effective(group));
                desired.pairs.extend(effective.map(|group| (groups.id(group), asked.user)));
                desired.stated.insert(asked.user, answer.stated.clone());
                Ok(answer.coverage.clone())
            }
        };
        conclusions.insert(asked.user, conclusion);
    }
    desired.pairs.sort_unstable();
    desired.pairs.dedup();
    desired.new_groups = groups.into_new();
    desired.conclusion = Conclusion::Users(conclusions);
    desired
}

fn of_census(census: &Census, known: &Known, new_id: &mut dyn FnMut() -> Uuid) -> Desired {
    let mut desired = Desired::default();
    let mut people = Vec::with_capacity(census.people.len());
    for address in census.people.iter().map(CensusPerson::address) {
        people.push(known.users.get(&address.key()).copied().unwrap_or_else(|| {
            let id = UserId(new_id());
            desired.new_users.push((id, address.clone()));
            id
        }));
    }
    let mut groups = GroupIds { known: &known.groups, new: BTreeMap::new(), new_id };
    let mut incomplete = BTreeMap::new();
    desired.pairs.reserve_exact(census.groups.iter().map(|group| group.members.len()).sum());
    for observed in &census.groups {
        let group = groups.id(&observed.group);
        if let Some(failure) = &observed.incomplete {
            incomplete.insert(group, failure.class);
        }
        let members = observed.members.iter().map(|&index| people[index as usize]);
        let spoken_of = members.filter(|user| !known.superseded.contains(user));
        desired.pairs.extend(spoken_of.map(|user| (group, user)));
    }
    desired.pairs.sort_unstable();
    desired.pairs.dedup();
    desired.new_groups = groups.into_new();
    desired.conclusion = Conclusion::Everything { incomplete, superseded: known.superseded.clone() };
    desired
}

struct GroupIds<'a> {
    known: &'a HashMap<String, GroupId>,
    new: BTreeMap<&'a str, (GroupId, &'a ObservedGroup)>,
    new_id: &'a mut dyn FnMut() -> Uuid,
}

impl<'a> GroupIds<'a> {
    fn id(&mut self, group: &'a ObservedGroup) -> GroupId {
        if let ObservedGroup::System(group) = group {
            return group.id();
        }
        if let Some(id) = self.known.get(group.name()) {
            return *id;
        }
        self.new.entry(group.name()).or_insert_with(|| (GroupId((self.new_id)()), group)).0
    }

    fn into_new(self) -> Vec<(GroupId, ObservedGroup)> {
        self.new.into_values().map(|(id, group)| (id, group.clone())).collect()
    }
}
