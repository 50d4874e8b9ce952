//! Joining groups: which stored groups those are that a source speaks of. A directory's by its immutable id, so that one
//! that was renamed stays the same group, and one that took the address of another does not become it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use uuid::Uuid;

use crate::identity::GroupId;
use crate::observation::ObservedGroup;

/// A group of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownGroup {
    pub id: GroupId,
    pub name: String,
    /// The directory's own id, of a group that came from one.
    pub external_id: Option<String>,
    /// Whether the source that is being read manages it.
    pub managed: bool,
    /// Whether its members have a permission on a resource.
    pub of_resource: bool,
}

/// The groups of the store that an observation may speak of, each found by its name, and by its id in the directory.
#[derive(Debug, Clone, Default)]
pub struct KnownGroups {
    groups: Vec<KnownGroup>,
    by_name: HashMap<String, usize>,
    by_external_id: HashMap<String, usize>,
}

impl FromIterator<KnownGroup> for KnownGroups {
    fn from_iter<T: IntoIterator<Item = KnownGroup>>(groups: T) -> Self {
        let groups: Vec<KnownGroup> = groups.into_iter().collect();
        let numbered = || groups.iter().enumerate();
        let by_name = numbered().map(|(at, group)| (group.name.clone(), at)).collect();
        let managed = numbered().filter(|(_, group)| group.managed);
        let by_external_id = managed.filter_map(|(at, group)| Some((group.external_id.clone()?, at))).collect();
        Self { groups, by_name, by_external_id }
    }
}

impl KnownGroups {
    fn named(&self, name: &str) -> Option<&KnownGroup> {
        self.by_name.get(name).map(|at| &self.groups[*at])
    }

    fn with_external_id(&self, id: &str) -> Option<&KnownGroup> {
        self.by_external_id.get(id).map(|at| &self.groups[*at])
    }

    /// Those that the source manages.
    pub fn managed(&self) -> impl Iterator<Item = GroupId> {
        self.groups.iter().filter(|group| group.managed).map(|group| group.id)
    }
}

/// A group that the directory calls by another name now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    pub group: GroupId,
    pub before: String,
    pub after: String,
}

/// What of a directory an observation lists.
pub enum Listing<'a> {
    /// All its groups: these immutable ids with their names, and no others, are there.
    Whole(BTreeMap<&'a str, &'a str>),
    /// Some of its groups; what is not listed may be there.
    Part,
}

/// Gives the groups of an observation their ids, and notes what that changes.
pub struct GroupJoin<'a> {
    known: &'a KnownGroups,
    listing: Listing<'a>,
    /// Groups that have another name upstream, and can't have it here.
    stuck: BTreeSet<GroupId>,
    new: BTreeMap<&'a str, (GroupId, &'a ObservedGroup)>,
    renamed: BTreeMap<GroupId, Rename>,
    replaced: BTreeMap<GroupId, Rename>,
    new_id: &'a mut dyn FnMut() -> Uuid,
}

/// What joining the groups came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct JoinedGroups {
    pub new: Vec<(GroupId, ObservedGroup)>,
    pub renamed: Vec<Rename>,
    /// Groups whose name another one has now: the directory has deleted them. Each with the name that it goes by as long as
    /// somebody is in it.
    pub replaced: BTreeMap<GroupId, Rename>,
}

impl<'a> GroupJoin<'a> {
    pub fn new(known: &'a KnownGroups, listing: Listing<'a>, new_id: &'a mut dyn FnMut() -> Uuid) -> Self {
        let stuck = stuck(known, &listing);
        let (new, renamed, replaced) = Default::default();
        Self { known, listing, stuck, new, renamed, replaced, new_id }
    }

    /// The group's id; none while its name is another's, or while only a whole list can tell whether it is the group that
    /// had its name before.
    pub fn id(&mut self, group: &'a ObservedGroup) -> Option<GroupId> {
        match group {
            ObservedGroup::System(group) => Some(group.id()),
            ObservedGroup::Directory { name, external_id: Some(external_id) } => {
                self.in_directory(group, name.as_str(), external_id)
            }
            ObservedGroup::Directory { external_id: None, .. } => {
                Some(self.known.named(group.name()).map_or_else(|| self.create(group), |known| known.id))
            }
            // A group that was made by hand under such a name is not the resource's.
            ObservedGroup::Resource { .. } => match self.known.named(group.name()) {
                Some(known) => known.of_resource.then_some(known.id),
                None => Some(self.create(group)),
            },
        }
    }

    fn in_directory(&mut self, group: &'a ObservedGroup, name: &'a str, external_id: &str) -> Option<GroupId> {
        if let Some(known) = self.known.with_external_id(external_id) {
            if known.name != name && !self.stuck.contains(&known.id) && self.is_free(name) {
                let rename = Rename { group: known.id, before: known.name.clone(), after: name.to_owned() };
                self.renamed.insert(known.id, rename);
            }
            return Some(known.id);
        }
        match self.known.named(name) {
            Some(other) if !is_anothers(other) => Some(other.id),
            _ if self.is_free(name) => Some(self.create(group)),
            _ => None,
        }
    }

    /// Whether a group of the directory may have this name: nobody has it, or whoever had it has another now or is gone.
    fn is_free(&mut self, name: &str) -> bool {
        let Some(holder) = self.known.named(name) else { return true };
        let (Listing::Whole(listed), Some(external_id)) = (&self.listing, &holder.external_id) else { return false };
        if !is_anothers(holder) || self.stuck.contains(&holder.id) {
            return false;
        }
        if !listed.contains_key(external_id.as_str()) {
            let after = format!("{} (gone {external_id})", holder.name);
            self.replaced.insert(holder.id, Rename { group: holder.id, before: holder.name.clone(), after });
        }
        true
    }

    fn create(&mut self, group: &'a ObservedGroup) -> GroupId {
        self.new.entry(group.name()).or_insert_with(|| (GroupId((self.new_id)()), group)).0
    }

    #[must_use]
    pub fn whole(self) -> JoinedGroups {
        JoinedGroups {
            new: self.new.into_values().map(|(id, group)| (id, group.clone())).collect(),
            renamed: self.renamed.into_values().collect(),
            replaced: self.replaced,
        }
    }
}

/// Groups whose name upstream is kept from them here, by a group from elsewhere or by another that is stuck itself.
fn stuck(known: &KnownGroups, listing: &Listing<'_>) -> BTreeSet<GroupId> {
    let Listing::Whole(listed) = listing else { return BTreeSet::new() };
    let moving = listed.iter().filter_map(|(id, name)| {
        let group = known.with_external_id(id).filter(|group| group.name != **name)?;
        Some((group.id, known.named(name)?))
    });
    let moving: Vec<(GroupId, &KnownGroup)> = moving.collect();
    let mut stuck = BTreeSet::new();
    loop {
        let kept = |holder: &KnownGroup| !is_anothers(holder) || stuck.contains(&holder.id);
        let more: Vec<GroupId> =
            moving.iter().filter(|(group, holder)| !stuck.contains(group) && kept(holder)).map(|(id, _)| *id).collect();
        if more.is_empty() {
            return stuck;
        }
        stuck.extend(more);
    }
}

/// Whether a group has an id in the directory that is being read: then it is another than one with another id.
fn is_anothers(group: &KnownGroup) -> bool {
    group.managed && group.external_id.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::GroupName;

    fn gid(n: u128) -> GroupId {
        GroupId(Uuid::from_u128(n))
    }

    fn stored(n: u128, name: &str, external_id: Option<&str>) -> KnownGroup {
        let external_id = external_id.map(str::to_owned);
        KnownGroup {
            id: gid(n),
            name: name.to_owned(),
            managed: external_id.is_some(),
            of_resource: false,
            external_id,
        }
    }

    fn listed(id: &str, name: &str) -> ObservedGroup {
        let name = GroupName::parse(name).expect("valid");
        ObservedGroup::Directory { name, external_id: Some(id.to_owned()) }
    }

    /// The ids given, in the order of the list, and what joining came to.
    fn joined(known: &[KnownGroup], groups: &[ObservedGroup], whole: bool) -> (Vec<Option<GroupId>>, JoinedGroups) {
        let known: KnownGroups = known.iter().cloned().collect();
        let ids = groups.iter().filter_map(|group| Some((group.external_id()?, group.name())));
        let listing = if whole { Listing::Whole(ids.collect()) } else { Listing::Part };
        let mut next = 100;
        let mut new_id = || {
            next += 1;
            Uuid::from_u128(next)
        };
        let mut join = GroupJoin::new(&known, listing, &mut new_id);
        let ids = groups.iter().map(|group| join.id(group)).collect();
        (ids, join.whole())
    }

    fn rename(n: u128, before: &str, after: &str) -> Rename {
        Rename { group: gid(n), before: before.to_owned(), after: after.to_owned() }
    }

    #[test]
    fn a_group_that_was_renamed_is_the_same_group() {
        for whole in [true, false] {
            let (ids, came) = joined(&[stored(1, "a", Some("x1"))], &[listed("x1", "b")], whole);
            assert_eq!((ids, came.renamed), (vec![Some(gid(1))], vec![rename(1, "a", "b")]));
        }
    }

    #[test]
    fn groups_that_swap_names_keep_who_they_are() {
        let known = [stored(1, "a", Some("x1")), stored(2, "b", Some("x2"))];
        let (ids, came) = joined(&known, &[listed("x1", "b"), listed("x2", "a")], true);
        assert_eq!(ids, [Some(gid(1)), Some(gid(2))]);
        assert_eq!(came.renamed, [rename(1, "a", "b"), rename(2, "b", "a")]);
        assert_eq!(came.replaced, BTreeMap::new());
    }

    #[test]
    fn a_group_that_took_the_name_of_a_deleted_one_is_another_group() {
        let (ids, came) = joined(&[stored(1, "a", Some("x1"))], &[listed("x2", "a")], true);
        assert_eq!((ids, came.new.len()), (vec![Some(gid(101))], 1));
        assert_eq!(came.replaced, BTreeMap::from([(gid(1), rename(1, "a", "a (gone x1)"))]));
        let (ids, came) = joined(&[stored(1, "a", Some("x1"))], &[listed("x2", "a")], false);
        assert_eq!((ids, came), (vec![None], JoinedGroups::default()), "a part of the list can't tell");
    }

    #[test]
    fn a_renamed_group_takes_the_name_of_one_that_is_gone() {
        let known = [stored(1, "a", Some("x1")), stored(2, "b", Some("x2"))];
        let (ids, came) = joined(&known, &[listed("x1", "b")], true);
        assert_eq!((ids, came.renamed), (vec![Some(gid(1))], vec![rename(1, "a", "b")]));
        assert_eq!(came.replaced.keys().collect::<Vec<_>>(), [&gid(2)]);
        let (_, came) = joined(&known, &[listed("x1", "b")], false);
        assert_eq!(came, JoinedGroups::default(), "a part of the list can't tell: the name waits");
    }

    #[test]
    fn the_name_of_a_group_from_elsewhere_is_not_taken() {
        let known = [stored(1, "a", Some("x1")), stored(2, "b", None)];
        let (ids, came) = joined(&known, &[listed("x1", "b")], true);
        assert_eq!((ids, came), (vec![Some(gid(1))], JoinedGroups::default()), "it keeps its old name");
        let (ids, came) = joined(&known, &[listed("x9", "b")], true);
        assert_eq!((ids, came), (vec![Some(gid(2))], JoinedGroups::default()), "a new one joins it, as by name");
    }

    #[test]
    fn a_name_that_its_holder_may_not_give_up_is_not_free() {
        let known = [stored(1, "a", Some("x1")), stored(2, "b", Some("x2")), stored(3, "c", None)];
        let groups = [listed("x1", "b"), listed("x2", "c"), listed("x9", "a")];
        let (ids, came) = joined(&known, &groups, true);
        assert_eq!(ids, [Some(gid(1)), Some(gid(2)), None], "the new one waits for its name");
        assert_eq!(came, JoinedGroups::default());
    }

    #[test]
    fn a_group_made_by_hand_under_the_name_of_a_resources_is_not_the_resources() {
        let facet = crate::Facet { resource_type: "maildomain".into(), permission: "admin".into() };
        let name = GroupName::of_resource(&facet, "a.fr").expect("valid");
        let group = ObservedGroup::Resource { name: name.clone(), facet, resource_id: "a.fr".into() };
        let by_hand = stored(1, name.as_str(), None);
        let (ids, _) = joined(std::slice::from_ref(&by_hand), std::slice::from_ref(&group), false);
        assert_eq!(ids, [None]);
        let (ids, _) = joined(&[KnownGroup { of_resource: true, ..by_hand }], &[group], false);
        assert_eq!(ids, [Some(gid(1))]);
    }
}
