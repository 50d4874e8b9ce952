//! Groups: known, renamed, described, gone.

use serde::{Deserialize, Serialize};

use super::{Event, Payload, Stream};
use crate::groups::Rename;
use crate::identity::{Facet, GroupId, SourceName};
use crate::observation::ObservedGroup;

/// A group became known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupCreated {
    pub group: GroupId,
    pub name: String,
    /// The source that manages it; none for the system groups.
    pub managed_by: Option<SourceName>,
    /// The directory's own immutable id.
    pub external_id: Option<String>,
    pub facet: Option<Facet>,
    pub resource_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl Payload for GroupCreated {
    fn stream(&self) -> Stream {
        Stream("group", self.group.to_string())
    }
}

/// A group is called by another name, and stays the same group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRenamed {
    pub group: GroupId,
    pub before: String,
    pub after: String,
}

impl Payload for GroupRenamed {
    fn stream(&self) -> Stream {
        Stream("group", self.group.to_string())
    }
}

/// What a group is for was said in other words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupDescriptionChanged {
    pub group: GroupId,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl Payload for GroupDescriptionChanged {
    fn stream(&self) -> Stream {
        Stream("group", self.group.to_string())
    }
}

/// A group is gone; its memberships ended before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupDeleted {
    pub group: GroupId,
}

impl Payload for GroupDeleted {
    fn stream(&self) -> Stream {
        Stream("group", self.group.to_string())
    }
}

impl Event {
    #[must_use]
    pub fn group_created(group: GroupId, observed: &ObservedGroup, source: &SourceName) -> Self {
        let (managed_by, external_id, facet, resource_id) = match observed {
            ObservedGroup::System(_) => (None, None, None, None),
            ObservedGroup::Directory { external_id, .. } => (Some(source.clone()), external_id.clone(), None, None),
            ObservedGroup::Resource { facet, resource_id, .. } => {
                (Some(source.clone()), None, Some(facet.clone()), Some(resource_id.clone()))
            }
        };
        let name = observed.name().to_owned();
        Event::GroupCreated(GroupCreated {
            group,
            name,
            managed_by,
            external_id,
            facet,
            resource_id,
            description: None,
        })
    }

    #[must_use]
    pub fn group_renamed(Rename { group, before, after }: Rename) -> Self {
        Event::GroupRenamed(GroupRenamed { group, before, after })
    }
}
