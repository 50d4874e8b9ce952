//! Roles: assigned, changed and taken away. Nobody reaches above their own, nobody changes their own, and an owner stays.

use entitled_model::event::{Event, RoleChanged, RoleSubject};
use entitled_model::role::{Role, may_change};
use entitled_model::{GroupId, UserId};

use super::{Admin, AdminError};
use crate::store::Unit;

impl Admin {
    /// Makes a role that of a user, or of everybody in a group; `None` takes it away. What is the same already is no change.
    ///
    /// # Errors
    /// When there is no such subject, it or the role is above the actor's own, it is the actor, or no owner would be left.
    pub async fn set_role(&self, subject: RoleSubject, role: Option<Role>) -> Result<Option<Role>, AdminError> {
        let mut unit = self.store.begin().await?;
        let own = self.own_role(&unit).await?;
        let before = self.store.role_of(unit.reader(), subject).await?;
        let reached = match subject {
            RoleSubject::User(user) => self.role(&unit, user).await?.max(before),
            RoleSubject::Group(group) => {
                self.group(&unit, group).await?;
                before
            }
        };
        let is_self = matches!((subject, self.person), (RoleSubject::User(user), Some(person)) if user == person);
        if !may_change(own, reached, role) {
            return Err(AdminError::AboveOwnRole);
        }
        let owners = self.store.owners(unit.reader()).await?;
        if before != role {
            self.record(&mut unit, vec![Event::RoleChanged(RoleChanged { subject, before, after: role })]).await?;
        }
        self.keeps_an_owner(&unit, owners).await?;
        if is_self {
            return Err(AdminError::OwnRole);
        }
        if before != role {
            unit.commit().await?;
        }
        Ok(before)
    }

    /// Refuses what would leave nobody who is an owner, where somebody was; `before` is how many there were.
    pub(super) async fn keeps_an_owner(&self, unit: &Unit, before: u64) -> Result<(), AdminError> {
        if before > 0 && self.store.owners(unit.reader()).await? == 0 {
            return Err(AdminError::LastOwner);
        }
        Ok(())
    }

    /// Refuses to touch a user whose role is above the actor's own.
    pub(super) async fn reaches(&self, unit: &Unit, user: UserId) -> Result<(), AdminError> {
        let role = self.role(unit, user).await?;
        if may_change(self.own_role(unit).await?, role, role) { Ok(()) } else { Err(AdminError::AboveOwnRole) }
    }

    /// The actor's role as it is now, under the lock: somebody else may have changed it. Programs and operators are owners.
    async fn own_role(&self, unit: &Unit) -> Result<Option<Role>, AdminError> {
        match self.person {
            None => Ok(Some(Role::Owner)),
            Some(person) => self.role(unit, person).await,
        }
    }

    /// A user's role, active or not.
    async fn role(&self, unit: &Unit, user: UserId) -> Result<Option<Role>, AdminError> {
        let standing = self.store.person(unit.reader(), user).await?.ok_or(AdminError::NoUser)?;
        Ok(standing.role())
    }

    /// The event by which a group's role goes with it.
    pub(super) async fn end_role(&self, unit: &Unit, group: GroupId) -> Result<Option<Event>, AdminError> {
        let subject = RoleSubject::Group(group);
        let before = self.store.role_of(unit.reader(), subject).await?;
        Ok(before.map(|role| Event::RoleChanged(RoleChanged { subject, before: Some(role), after: None })))
    }
}
