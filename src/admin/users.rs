//! Users by hand: made known, shut out, let in again; and erased, at a person's word.

use entitled_model::event::{Event, UserDeactivated, UserErased, UserRestored};
use entitled_model::{EmailAddress, UserId};

use super::{Admin, AdminError, Still, admin, reason};
use crate::store::{Unit, UserRecord};

impl Admin {
    /// Makes a user known.
    ///
    /// # Errors
    /// When somebody has the address.
    pub async fn create_user(&self, email: &EmailAddress) -> Result<UserRecord, AdminError> {
        let mut unit = self.store.begin().await?;
        if self.store.user_by_email(unit.reader(), &email.key()).await?.is_some() {
            return Err(AdminError::AddressTaken);
        }
        let (user, events) = self.newcomer(&mut unit, email).await?;
        self.record(&mut unit, events).await?;
        let made = self.user(&unit, user).await?;
        unit.commit().await?;
        Ok(made)
    }

    /// Shuts a user out, whatever sources say; one who is out already stays so.
    ///
    /// # Errors
    /// When there is no such user, they are not what was read any more, or it is the last active person in `Admin`.
    pub async fn deactivate_user(&self, user: UserId, still: Still<'_, UserRecord>) -> Result<UserRecord, AdminError> {
        let mut unit = self.store.begin().await?;
        let before = self.user(&unit, user).await?;
        if !still(&before) {
            return Err(AdminError::Changed);
        }
        if before.status == "deactivated" {
            return Ok(before);
        }
        self.reaches(&unit, user).await?;
        if self.is_last_administrator(&unit, user).await? {
            return Err(AdminError::LastAdministrator);
        }
        let owners = self.store.owners(unit.reader()).await?;
        self.record(&mut unit, vec![Event::UserDeactivated(UserDeactivated { user })]).await?;
        self.keeps_an_owner(&unit, owners).await?;
        let after = self.user(&unit, user).await?;
        unit.commit().await?;
        Ok(after)
    }

    /// Lets a deactivated user in again; whom a source has suspended stays suspended.
    ///
    /// # Errors
    /// When there is no such user, they are not what was read any more, or they were erased.
    pub async fn reactivate_user(&self, user: UserId, still: Still<'_, UserRecord>) -> Result<UserRecord, AdminError> {
        let mut unit = self.store.begin().await?;
        let before = self.user(&unit, user).await?;
        if !still(&before) {
            return Err(AdminError::Changed);
        }
        if before.status != "deactivated" {
            return Ok(before);
        }
        // Who was erased has no name by which they could come again.
        if before.profile.email.is_none() && before.profile.sub.is_none() {
            return Err(AdminError::NotActive("erased".to_owned()));
        }
        self.reaches(&unit, user).await?;
        self.record(&mut unit, vec![Event::UserRestored(UserRestored { user })]).await?;
        let after = self.user(&unit, user).await?;
        unit.commit().await?;
        Ok(after)
    }

    /// Erases a user's address, `sub`, claims and accounts. The id stays, deactivated, and with it what the log tells of it.
    ///
    /// What administrators gave goes; what a directory gave goes by its next answer, which knows no such person any more. A
    /// backend's rows stay under the id: only the source changes them, and it can't be asked any more.
    ///
    /// # Errors
    /// When there is no such user, the reason is unusable, or it is the last active person in `Admin`.
    pub async fn erase_user(&self, user: UserId, given: &str) -> Result<UserRecord, AdminError> {
        let given = reason(given)?;
        let mut unit = self.store.begin().await?;
        self.user(&unit, user).await?;
        self.reaches(&unit, user).await?;
        if self.is_last_administrator(&unit, user).await? {
            return Err(AdminError::LastAdministrator);
        }
        let mut events: Vec<Event> = Vec::new();
        for group in self.store.groups_of_user_by(unit.reader(), user, &admin()).await? {
            events.push(Event::memberships_changed(group, &admin(), Vec::new(), vec![user]));
        }
        events.push(Event::UserErased(UserErased { user, reason: given }));
        let owners = self.store.owners(unit.reader()).await?;
        self.record(&mut unit, events).await?;
        unit.erase_profile(user).await?;
        self.keeps_an_owner(&unit, owners).await?;
        let after = self.user(&unit, user).await?;
        unit.commit().await?;
        Ok(after)
    }

    async fn user(&self, unit: &Unit, user: UserId) -> Result<UserRecord, AdminError> {
        self.store.user_by_id(unit.reader(), user).await?.ok_or(AdminError::NoUser)
    }

    /// A new user's id and events; their profile is written.
    pub(super) async fn newcomer(
        &self,
        unit: &mut Unit,
        email: &EmailAddress,
    ) -> Result<(UserId, Vec<Event>), AdminError> {
        let user = UserId(self.store.clock().new_id());
        unit.create_profiles(&[(user, email.clone())]).await?;
        let mut events = vec![Event::users_created(vec![user])];
        events.extend(unit.seeded(&[user]));
        Ok((user, events))
    }
}
