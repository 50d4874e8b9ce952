//! Administrators who come without one: the deployment's first, and an operator's in an emergency.

use entitled_model::event::{BreakGlassGranted, Event, SeedFailed, SeedFailure};
use entitled_model::{EmailAddress, GroupId, SourceName, UserId};

use super::{Admin, AdminError, seed};
use crate::store::Unit;

/// Whether there was anything to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granted {
    Now,
    Already,
}

impl Admin {
    /// Makes whoever has this address an administrator on the deployment's behalf, once: what is there is not touched.
    ///
    /// # Errors
    /// When it is no address, or that of somebody who was shut out; an event tells of it.
    pub async fn seed_administrator(&self, given: &str) -> Result<Granted, AdminError> {
        let email = match EmailAddress::parse(given) {
            Ok(email) => email,
            Err(error) => {
                self.seed_failed(SeedFailure::NoAddress).await?;
                return Err(error.into());
            }
        };
        match self.grant_admin(&email, seed(), |_| None).await {
            Err(error @ AdminError::NotActive(_)) => {
                self.seed_failed(SeedFailure::Deactivated).await?;
                Err(error)
            }
            granted => granted,
        }
    }

    /// Makes whoever has this address an administrator in an emergency.
    ///
    /// # Errors
    /// When it is that of somebody who was shut out.
    pub async fn break_glass(&self, email: &EmailAddress) -> Result<Granted, AdminError> {
        let source = SourceName::stored("break_glass".to_owned());
        self.grant_admin(email, source, |user| Some(Event::BreakGlassGranted(BreakGlassGranted { user }))).await
    }

    async fn grant_admin(
        &self,
        email: &EmailAddress,
        source: SourceName,
        tell: impl FnOnce(UserId) -> Option<Event>,
    ) -> Result<Granted, AdminError> {
        let mut unit = self.store.begin().await?;
        let (user, mut events) = self.known_or_new(&mut unit, email).await?;
        if events.is_empty() && self.supports(&unit, GroupId::ADMIN, user).await?.contains(&source) {
            return Ok(Granted::Already);
        }
        events.extend(tell(user));
        events.push(Event::memberships_changed(GroupId::ADMIN, &source, vec![user], Vec::new()));
        self.record_as(&mut unit, source, events).await?;
        unit.commit().await?;
        Ok(Granted::Now)
    }

    async fn known_or_new(&self, unit: &mut Unit, email: &EmailAddress) -> Result<(UserId, Vec<Event>), AdminError> {
        match self.store.user_by_email(unit.reader(), &email.key()).await? {
            Some(user) if user.status == "deactivated" => Err(AdminError::NotActive(user.status)),
            Some(user) => Ok((user.id, Vec::new())),
            None => self.newcomer(unit, email).await,
        }
    }

    async fn seed_failed(&self, reason: SeedFailure) -> Result<(), AdminError> {
        let mut unit = self.store.begin().await?;
        self.record_as(&mut unit, seed(), vec![Event::SeedFailed(SeedFailed { reason })]).await?;
        unit.commit().await?;
        Ok(())
    }
}
