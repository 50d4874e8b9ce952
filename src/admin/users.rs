//! Users: what is personal about them is erased at a person's word.

use entitled_model::event::{Event, UserErased};
use entitled_model::{GroupId, SourceName, UserId};

use super::{Admin, AdminError, admin, reason};
use crate::store::Unit;

impl Admin {
    /// Erases a user's address, `sub`, claims and accounts. The id stays, deactivated, and with it what the log tells of it.
    ///
    /// What administrators gave goes; what sources gave goes by their next answer, which knows no such person any more.
    ///
    /// # Errors
    /// When there is no such user, the reason is unusable, or it is the last active person in `Admin`.
    pub async fn erase_user(&self, user: UserId, given: &str) -> Result<(), AdminError> {
        let given = reason(given)?;
        let mut unit = self.store.begin().await?;
        self.store.user_by_id(unit.reader(), user).await?.ok_or(AdminError::NoUser)?;
        if self.is_last_administrator(&unit, user).await? {
            return Err(AdminError::LastAdministrator);
        }
        let mut events: Vec<Event> = Vec::new();
        for (group, source) in self.given_by_hand(&unit, user).await? {
            events.push(Event::memberships_changed(group, &source, Vec::new(), vec![user]));
        }
        events.push(Event::UserErased(UserErased { user, reason: given }));
        self.record(&mut unit, events).await?;
        unit.erase_profile(user).await?;
        unit.commit().await?;
        Ok(())
    }

    async fn given_by_hand(&self, unit: &Unit, user: UserId) -> Result<Vec<(GroupId, SourceName)>, AdminError> {
        let admin = admin();
        let groups = self.store.groups_of_user_by(unit.reader(), user, &admin).await?;
        Ok(groups.into_iter().map(|group| (group, admin.clone())).collect())
    }
}
