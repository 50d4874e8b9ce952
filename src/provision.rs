//! Provisioning: resources become known here, and the entitlements to them take effect in the same transaction.
//!
//! May import: sources (their rules), the store (its API), the model.

use std::collections::{BTreeMap, BTreeSet};

use entitled_model::event::{Cause, Event, ResourceAttributesChanged, ResourceProvisioned};
use entitled_model::observation::{ObservedGroup, Said};
use entitled_model::resource::{Attributes, ResourceType};
use entitled_model::{GroupId, MapRule, SourceName, UserId};

use crate::source::Registry;
use crate::store::{Store, StoreError, Unit};

/// What came of a request. Each name stands in one of the three.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Provisioned {
    pub created: Vec<String>,
    /// Known before; attributes that differed were overwritten.
    pub existing: Vec<String>,
    /// As given, with what is wrong.
    pub errors: Vec<(String, String)>,
}

/// Makes resources known.
pub struct Provisioner<'a> {
    pub store: &'a Store,
    pub registry: &'a Registry,
    pub kind: &'static ResourceType,
    /// The key that asked, and the request's id.
    pub actor: String,
    pub correlation_id: Option<String>,
}

impl Provisioner<'_> {
    /// Takes names one by one: a bad one stops no other, the good ones are written together.
    ///
    /// # Errors
    /// When the store fails: nothing was written then.
    pub async fn provision(&self, names: &[String], attributes: &Attributes) -> Result<Provisioned, StoreError> {
        let mut outcome = Provisioned::default();
        let mut ids = BTreeSet::new();
        for name in names {
            match self.kind.id(name) {
                Ok(id) => drop(ids.insert(id)),
                Err(error) => outcome.errors.push((name.clone(), error.to_string())),
            }
        }
        let mut unit = self.store.begin().await?;
        let known = self.store.provisioned(unit.reader(), self.kind.key, &ids).await?;
        let mut events = Vec::new();
        for id in ids {
            match known.get(&id) {
                None => {
                    events.push(self.created(&id, attributes));
                    events.extend(self.memberships(&unit, &id).await?);
                    outcome.created.push(id);
                }
                Some(before) => {
                    events.extend((before != attributes).then(|| self.changed(&id, before, attributes)));
                    outcome.existing.push(id);
                }
            }
        }
        let at = unit.at();
        unit.record(&self.cause(), at, events).await?;
        unit.commit().await?;
        Ok(outcome)
    }

    /// Makes one resource known whose id was read already; false when it is, and then nothing is written.
    ///
    /// # Errors
    /// When the store fails: nothing was written then.
    pub async fn create(&self, id: &str, attributes: &Attributes) -> Result<bool, StoreError> {
        let mut unit = self.store.begin().await?;
        let ids = BTreeSet::from([id.to_owned()]);
        if !self.store.provisioned(unit.reader(), self.kind.key, &ids).await?.is_empty() {
            return Ok(false);
        }
        let mut events = vec![self.created(id, attributes)];
        events.extend(self.memberships(&unit, id).await?);
        let at = unit.at();
        unit.record(&self.cause(), at, events).await?;
        unit.commit().await?;
        Ok(true)
    }

    fn cause(&self) -> Cause {
        Cause { actor: self.actor.clone(), correlation_id: self.correlation_id.clone(), ..Cause::default() }
    }

    fn created(&self, id: &str, attributes: &Attributes) -> Event {
        Event::ResourceProvisioned(ResourceProvisioned {
            resource_type: self.kind.key.to_owned(),
            resource_id: id.to_owned(),
            attributes: attributes.clone(),
        })
    }

    fn changed(&self, id: &str, before: &Attributes, after: &Attributes) -> Event {
        Event::ResourceAttributesChanged(ResourceAttributesChanged {
            resource_type: self.kind.key.to_owned(),
            resource_id: id.to_owned(),
            before: before.clone(),
            after: after.clone(),
        })
    }

    /// The memberships of those whom a source states to be entitled to the new resource.
    async fn memberships(&self, unit: &Unit, id: &str) -> Result<Vec<Event>, StoreError> {
        let mut events = Vec::new();
        let mut groups: BTreeMap<String, GroupId> = BTreeMap::new();
        for source in self.registry.iter() {
            for rule in source.map.iter().filter(|rule| rule.facet.resource_type == self.kind.key) {
                let Some((group, users)) = self.entitled(unit, &source.name, rule, id).await? else { continue };
                let name = group.name().to_owned();
                let known = self.store.group_ids(unit.reader(), &[&name]).await?.remove(&name);
                let group_id = known.or_else(|| groups.get(&name).copied()).unwrap_or_else(|| {
                    let new = GroupId(self.store.clock().new_id());
                    events.push(Event::group_created(new, &group, &source.name));
                    new
                });
                groups.insert(name, group_id);
                let already = self.store.users_in(unit.reader(), &source.name, group_id).await?;
                let added: Vec<UserId> = users.difference(&already).copied().collect();
                let chunks = added.chunks(entitled_model::plan::EVENT_PAIRS_MAX);
                events.extend(
                    chunks.map(|added| Event::memberships_changed(group_id, &source.name, added.to_vec(), Vec::new())),
                );
            }
        }
        Ok(events)
    }

    async fn entitled(
        &self,
        unit: &Unit,
        source: &SourceName,
        rule: &MapRule,
        id: &str,
    ) -> Result<Option<(ObservedGroup, BTreeSet<UserId>)>, StoreError> {
        let stated = self.store.entitled_to(unit.reader(), source, &rule.entitlement, id).await?;
        let mut found: Option<(ObservedGroup, BTreeSet<UserId>)> = None;
        for (user, value) in stated {
            let answer = BTreeMap::from([(rule.entitlement.clone(), value)]);
            let Ok(Said::Known(groups)) = rule.groups(&answer) else { continue };
            let listed = groups
                .into_iter()
                .find(|group| matches!(group, ObservedGroup::Resource { resource_id, .. } if resource_id == id));
            if let Some(group) = listed {
                found.get_or_insert_with(|| (group, BTreeSet::new())).1.insert(user);
            }
        }
        Ok(found)
    }
}
