//! Administration: what people decide by hand. One unit of work a decision, with the event that tells it.
//!
//! May import: the store (its API), config's features, the model. Every decision is made under the lock of the log's head,
//! so that two replicas can't both pass.
//!
//! Invariants: only rows of the source `admin` are written (and, for the first administrators, of `system_seed` and
//! `break_glass`); what a source manages is left to it; the last active person in `Admin` stays.

mod expiry;
mod first;
mod grants;
mod plans;
mod roles;
mod sources;
mod texts;
mod tokens;
mod users;

use std::collections::BTreeSet;
use std::sync::Arc;

use entitled_model::event::{Cause, Event, GroupCreated, GroupDeleted, GroupDescriptionChanged, MembershipChanged};
use entitled_model::groups::Rename;
use entitled_model::identity::InvalidName;
use entitled_model::instant::{to_micros, written};
use entitled_model::observation::SystemGroup;
use entitled_model::plan::EVENT_PAIRS_MAX;
use entitled_model::resource::ResourceType;
use entitled_model::token::{LIVE_MAX, Lifetime};
use entitled_model::{GroupId, GroupName, Instant, SourceName, UserId};

use crate::config::FeaturesConfig;
use crate::store::{GroupRecord, Store, StoreError, Unit};
use texts::{described, free_of_resources};

pub use first::Granted;
pub use plans::REASON_BYTES_MAX;
pub use texts::reason;
pub use tokens::{NAME_BYTES_MAX, NewToken};

/// The longest description of a group, in bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 4_096;

/// Why a decision is not carried out. Each says what and where; none names a person.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Name(#[from] InvalidName),
    #[error(transparent)]
    Permission(InvalidName),
    #[error(transparent)]
    ResourceId(InvalidName),
    #[error("there is no such resource type: resource-types lists them")]
    NoResourceType,
    #[error("there is no such grant")]
    NoGrant,
    #[error("the group has this permission on this resource already")]
    AlreadyGranted,
    #[error("the description is longer than {DESCRIPTION_BYTES_MAX} bytes, or holds control characters")]
    Description,
    #[error("it has changed since it was read: read it again")]
    Changed,
    #[error("there is no such group")]
    NoGroup,
    #[error("there is no such user")]
    NoUser,
    #[error("a group of this name is there already")]
    NameTaken,
    #[error("a name of the form <type>:<id>:<permission> is a resource's group: entitlements make it")]
    ReservedName,
    #[error("{0} is a system group: it can be neither renamed nor deleted")]
    SystemGroup(&'static str),
    #[error("the group is managed by source {0}: only that source changes its name and its members")]
    SourceManaged(SourceName),
    #[error("other sources hold memberships in the group: {}", list(.0))]
    HeldByOthers(BTreeSet<SourceName>),
    #[error("the user is in the group already, by an administrator")]
    AlreadyMember,
    #[error("no administrator has put the user into the group{}", held(.0))]
    NotByAdmin(BTreeSet<SourceName>),
    #[error("the last active person in Admin stays")]
    LastAdministrator,
    #[error("the last active person who is an owner stays one")]
    LastOwner,
    #[error("nobody changes a role, or a user, above their own role")]
    AboveOwnRole,
    #[error("nobody changes their own role")]
    OwnRole,
    #[error("there is no held plan of that hash")]
    NoPlan,
    #[error("the source {0} is configured: its rows are its own")]
    SourceConfigured(SourceName),
    #[error("no source of that name is orphaned: one that is no longer configured and still holds something")]
    NoOrphan,
    #[error("the source's plan is another by now: {0}")]
    Superseded(String),
    #[error("a reason is needed: some words, {REASON_BYTES_MAX} bytes at most, without control characters")]
    Reason,
    #[error("the approval would have ended already")]
    Expiry,
    #[error("there is no such token")]
    NoToken,
    #[error("the user is {0}")]
    NotActive(String),
    #[error("the user has {LIVE_MAX} live tokens, which is the most: revoke one first")]
    TooManyTokens,
    #[error("{0}")]
    Scopes(String),
    #[error("a token's name has {NAME_BYTES_MAX} bytes at most, and no control characters")]
    TokenName,
    #[error("a token lives 1 to {} days", Lifetime::DAYS_MAX)]
    Lifetime,
    #[error("a user of this address is there already")]
    AddressTaken,
    #[error("the membership would have ended already: expected an instant in the future")]
    ExpiresAt,
    #[error("the feature {0} is switched off here")]
    FeatureOff(&'static str),
}

fn list(sources: &BTreeSet<SourceName>) -> String {
    sources.iter().map(SourceName::as_str).collect::<Vec<_>>().join(", ")
}

fn held(sources: &BTreeSet<SourceName>) -> String {
    if sources.is_empty() { String::new() } else { format!("; they are in it by source {}", list(sources)) }
}

/// A change of a group; what is not named stays.
#[derive(Debug, Clone, Default)]
pub struct GroupChange {
    pub name: Option<GroupName>,
    /// An empty text takes the description away.
    pub description: Option<String>,
}

/// Whether something still is what the caller has read; asked under the lock of the log's head.
pub type Still<'a, T> = &'a (dyn Fn(&T) -> bool + Sync);

/// Carries out an administrator's decisions.
#[derive(Clone)]
pub struct Admin {
    pub store: Store,
    pub features: Arc<FeaturesConfig>,
    /// Who decides: `key:<name>`, `user:<id>`, `token:<id>`, or `operator` on the command line.
    pub actor: String,
    pub correlation_id: Option<String>,
    /// The person who decides, whose role bounds it; none for programs and operators.
    pub person: Option<UserId>,
}

impl Admin {
    /// Makes a group; its members are put in by hand.
    ///
    /// # Errors
    /// When the name is taken or the description unusable.
    pub async fn create_group(&self, name: GroupName, description: Option<&str>) -> Result<GroupId, AdminError> {
        let description = description.map(described).transpose()?.flatten();
        free_of_resources(&name)?;
        let mut unit = self.store.begin().await?;
        if !self.store.group_ids(unit.reader(), &[name.as_str()]).await?.is_empty() {
            return Err(AdminError::NameTaken);
        }
        let group = GroupId(self.store.clock().new_id());
        let created = GroupCreated {
            group,
            name: name.as_str().to_owned(),
            managed_by: None,
            external_id: None,
            facet: None,
            resource_id: None,
            description,
        };
        self.record(&mut unit, vec![Event::GroupCreated(created)]).await?;
        unit.commit().await?;
        Ok(group)
    }

    /// Renames a group or describes it; what is the same already is no change.
    ///
    /// # Errors
    /// When there is no such group, it is not what was read any more, or not the administrators' to rename.
    pub async fn change_group(
        &self,
        group: GroupId,
        change: &GroupChange,
        still: Still<'_, GroupRecord>,
    ) -> Result<GroupRecord, AdminError> {
        let GroupChange { name, description } = change;
        let description = description.as_deref().map(described).transpose()?;
        let mut unit = self.store.begin().await?;
        let before = self.group(&unit, group).await?;
        if !still(&before) {
            return Err(AdminError::Changed);
        }
        let mut after = before.clone();
        let mut events = Vec::new();
        if let Some(name) = name.as_ref().filter(|name| name.as_str() != before.name) {
            own(&before)?;
            free_of_resources(name)?;
            if !self.store.group_ids(unit.reader(), &[name.as_str()]).await?.is_empty() {
                return Err(AdminError::NameTaken);
            }
            name.as_str().clone_into(&mut after.name);
            events.push(Event::group_renamed(Rename { group, before: before.name.clone(), after: after.name.clone() }));
        }
        if let Some(description) = description.filter(|description| *description != before.description) {
            let changed =
                GroupDescriptionChanged { group, before: before.description.clone(), after: description.clone() };
            events.push(Event::GroupDescriptionChanged(changed));
            after.description = description;
        }
        self.record(&mut unit, events).await?;
        unit.commit().await?;
        Ok(after)
    }

    /// Deletes a group, its memberships and its grants.
    ///
    /// # Errors
    /// When there is no such group, it is not what was read any more, or a source or the system needs it.
    pub async fn delete_group(&self, group: GroupId, still: Still<'_, GroupRecord>) -> Result<(), AdminError> {
        let mut unit = self.store.begin().await?;
        let before = self.group(&unit, group).await?;
        if !still(&before) {
            return Err(AdminError::Changed);
        }
        own(&before)?;
        self.access(&before)?;
        let grants = self.store.grants_of_group(unit.reader(), group).await?;
        grants.iter().try_for_each(|granted| self.access_to(&granted.resource_type))?;
        let (admin, members) = (admin(), self.store.memberships_of_group(unit.reader(), group).await?);
        let others: BTreeSet<SourceName> =
            members.iter().map(|row| row.source.clone()).filter(|source| *source != admin).collect();
        if !others.is_empty() {
            return Err(AdminError::HeldByOthers(others));
        }
        let users: Vec<UserId> = members.iter().map(|row| row.user).collect();
        let ended = users.chunks(EVENT_PAIRS_MAX);
        let mut events: Vec<Event> =
            ended.map(|users| Event::memberships_changed(group, &admin, Vec::new(), users.to_vec())).collect();
        events.extend(grants.chunks(EVENT_PAIRS_MAX).map(|grants| Event::grants_deleted(group, grants.to_vec())));
        events.extend(self.end_role(&unit, group).await?);
        events.push(Event::GroupDeleted(GroupDeleted { group }));
        let owners = self.store.owners(unit.reader()).await?;
        self.record(&mut unit, events).await?;
        self.keeps_an_owner(&unit, owners).await?;
        unit.commit().await?;
        Ok(())
    }

    /// Puts a user into a group by hand, for good or until an instant.
    ///
    /// # Errors
    /// When there is no such group or user, a source manages the group, the user is in it by hand already, or the instant is
    /// over.
    pub async fn add_member(
        &self,
        group: GroupId,
        user: UserId,
        expires_at: Option<Instant>,
    ) -> Result<(), AdminError> {
        let mut unit = self.store.begin().await?;
        let known = self.group(&unit, group).await?;
        self.access(&known)?;
        managed(&known)?;
        self.store.user_by_id(unit.reader(), user).await?.ok_or(AdminError::NoUser)?;
        if self.supports(&unit, group, user).await?.contains(&admin()) {
            return Err(AdminError::AlreadyMember);
        }
        if expires_at.is_some_and(|expires_at| expires_at <= unit.at()) {
            return Err(AdminError::ExpiresAt);
        }
        let added = MembershipChanged {
            group,
            source: admin(),
            added: vec![user],
            removed: Vec::new(),
            expires_at: expires_at.map(|at| written(to_micros(at))),
        };
        self.record(&mut unit, vec![Event::MembershipChanged(added)]).await?;
        unit.commit().await?;
        Ok(())
    }

    /// Takes a user out of a group into which an administrator has put them. Other sources' support stays.
    ///
    /// # Errors
    /// When no administrator has, or it is the last active person in `Admin`.
    pub async fn remove_member(&self, group: GroupId, user: UserId) -> Result<(), AdminError> {
        let mut unit = self.store.begin().await?;
        let known = self.group(&unit, group).await?;
        self.access(&known)?;
        let mut supports = self.supports(&unit, group, user).await?;
        // The deployment put everybody into `Everyone` on the administrators' behalf: they may take them out again.
        if group == GroupId::EVERYONE && !supports.contains(&admin()) && supports.contains(&seed()) {
            let events = vec![Event::memberships_changed(group, &seed(), Vec::new(), vec![user])];
            self.record(&mut unit, events).await?;
            unit.commit().await?;
            return Ok(());
        }
        if !supports.remove(&admin()) {
            managed(&known)?;
            self.store.user_by_id(unit.reader(), user).await?.ok_or(AdminError::NoUser)?;
            return Err(AdminError::NotByAdmin(supports));
        }
        if group == GroupId::ADMIN && supports.is_empty() && self.is_last_administrator(&unit, user).await? {
            return Err(AdminError::LastAdministrator);
        }
        let owners = self.store.owners(unit.reader()).await?;
        self.record(&mut unit, vec![Event::memberships_changed(group, &admin(), Vec::new(), vec![user])]).await?;
        self.keeps_an_owner(&unit, owners).await?;
        unit.commit().await?;
        Ok(())
    }

    /// Whether resources of a type may be created by hand.
    ///
    /// # Errors
    /// When the feature is off.
    pub fn may_create(&self, kind: &ResourceType) -> Result<(), AdminError> {
        self.feature(kind.create_feature)
    }

    /// Whether access to what the group is about may be given and taken by hand.
    fn access(&self, group: &GroupRecord) -> Result<(), AdminError> {
        group.resource_type.as_deref().map_or(Ok(()), |kind| self.access_to(kind))
    }

    /// Whether access to resources of a type may be given and taken by hand.
    fn access_to(&self, resource_type: &str) -> Result<(), AdminError> {
        ResourceType::of_key(resource_type).map_or(Ok(()), |kind| self.feature(kind.access_feature))
    }

    fn feature(&self, feature: &'static str) -> Result<(), AdminError> {
        if self.features.is_on(feature) { Ok(()) } else { Err(AdminError::FeatureOff(feature)) }
    }

    async fn group(&self, unit: &Unit, group: GroupId) -> Result<GroupRecord, AdminError> {
        self.store.group_by_id(unit.reader(), group).await?.ok_or(AdminError::NoGroup)
    }

    /// The sources by which a user is in a group.
    async fn supports(&self, unit: &Unit, group: GroupId, user: UserId) -> Result<BTreeSet<SourceName>, AdminError> {
        let rows = self.store.memberships_of_user_in(unit.reader(), user, group).await?;
        Ok(rows.into_iter().collect())
    }

    async fn is_last_administrator(&self, unit: &Unit, user: UserId) -> Result<bool, AdminError> {
        let people = self.store.administrators(unit.reader()).await?;
        Ok(people.iter().any(|(of, _)| *of == user) && people.iter().all(|(of, _)| *of == user))
    }

    async fn record(&self, unit: &mut Unit, events: Vec<Event>) -> Result<(), StoreError> {
        self.record_as(unit, admin(), events).await
    }

    async fn record_as(&self, unit: &mut Unit, source: SourceName, events: Vec<Event>) -> Result<(), StoreError> {
        let (actor, correlation_id) = (self.actor.clone(), self.correlation_id.clone());
        let cause = Cause { actor, source: Some(source), correlation_id, ..Cause::default() };
        let at = unit.at();
        unit.record(&cause, at, events).await
    }
}

/// The source under which administrators write.
fn admin() -> SourceName {
    SourceName::stored("admin".to_owned())
}

/// The source under which the deployment seeds.
fn seed() -> SourceName {
    SourceName::stored("system_seed".to_owned())
}

/// Whether a group is the administrators' to rename and delete.
fn own(group: &GroupRecord) -> Result<(), AdminError> {
    if let Some(system) = SystemGroup::ALL.into_iter().find(|system| system.id() == group.id) {
        return Err(AdminError::SystemGroup(system.name()));
    }
    managed(group)
}

fn managed(group: &GroupRecord) -> Result<(), AdminError> {
    group.managed_by.clone().map_or(Ok(()), |source| Err(AdminError::SourceManaged(source)))
}
