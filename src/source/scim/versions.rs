//! Groups that were read alone in this process, with their versions (RFC 7644, 3.14), so that an unchanged one costs no
//! body.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::header::HeaderValue;

use super::wire::{Group, Id};

/// Members of all kept groups together; a group counts as one more. Beyond it, everything is forgotten.
const MEMBERS_KEPT_MAX: usize = 200_000;

#[derive(Default)]
pub struct Versions(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    groups: HashMap<Id, Version>,
    members: usize,
}

/// A group as it was read, and what the server calls that state of it.
#[derive(Clone)]
pub struct Version {
    pub etag: HeaderValue,
    pub group: Arc<Group>,
}

impl Versions {
    pub fn of(&self, id: &Id) -> Option<Version> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).groups.get(id).cloned()
    }

    /// Keeps a group under its version; one without a version is not kept.
    pub fn keep(&self, etag: Option<&HeaderValue>, group: Group) -> Arc<Group> {
        let group = Arc::new(group);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = kept.groups.remove(&group.id) {
            kept.members -= size(&before.group);
        }
        if let Some(etag) = etag
            && size(&group) <= MEMBERS_KEPT_MAX
        {
            if kept.members + size(&group) > MEMBERS_KEPT_MAX {
                *kept = Kept::default();
            }
            kept.members += size(&group);
            kept.groups.insert(group.id.clone(), Version { etag: etag.clone(), group: Arc::clone(&group) });
        }
        group
    }
}

fn size(group: &Group) -> usize {
    group.members.as_ref().map_or(0, Vec::len) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded() {
        let versions = Versions::default();
        let group = |id: &str, members: usize| Group {
            id: Id::try_from(id.to_owned()).expect("an id"),
            display_name: "x".to_owned(),
            members: Some(vec![serde_json::from_str("{}").expect("a member"); members]),
        };
        let etag = HeaderValue::from_static("W/\"1\"");
        let id = |id: &str| Id::try_from(id.to_owned()).expect("an id");
        versions.keep(Some(&etag), group("a", MEMBERS_KEPT_MAX - 10));
        versions.keep(Some(&etag), group("b", 5));
        assert!(versions.of(&id("a")).is_some() && versions.of(&id("b")).is_some());
        versions.keep(Some(&etag), group("c", 5));
        assert!(versions.of(&id("a")).is_none() && versions.of(&id("c")).is_some());
        versions.keep(None, group("c", 5));
        assert!(versions.of(&id("c")).is_none());
        versions.keep(Some(&etag), group("d", MEMBERS_KEPT_MAX));
        assert!(versions.of(&id("d")).is_none());
        assert_eq!(versions.0.lock().expect("whole").members, 0);
    }
}
