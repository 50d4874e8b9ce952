//! Memberships that were given until an instant: ended when it has come, with an event.

use entitled_model::event::{Cause, Event, RemovalBlocked};
use entitled_model::plan::KeepReason;
use entitled_model::{GroupId, Instant};

use super::{Admin, AdminError};
use crate::store::Expired;

/// The most memberships that are ended in one go; the next follow soon.
const EXPIRED_MAX: u32 = 1_000;

impl Admin {
    /// Ends the memberships that were given by hand until now or earlier; how many. The last active person in `Admin` stays
    /// until there is another, and that is told once.
    ///
    /// # Errors
    /// When the database refuses; what was ended before stays so.
    pub async fn end_expired(&self) -> Result<u64, AdminError> {
        let now = self.store.clock().now();
        let mut ended = 0;
        for expired in self.store.expired(self.store.reader(), now, EXPIRED_MAX).await? {
            ended += u64::from(self.end(&expired, now).await?);
        }
        Ok(ended)
    }

    async fn end(&self, expired: &Expired, now: Instant) -> Result<bool, AdminError> {
        let Expired { group, user, source, blocked } = expired;
        let mut unit = self.store.begin().await?;
        // Another replica, or an administrator, may have been here.
        if !self.store.expired(unit.reader(), now, EXPIRED_MAX).await?.contains(expired) {
            return Ok(false);
        }
        let is_only_support = self.supports(&unit, *group, *user).await?.len() == 1;
        let stays = *group == GroupId::ADMIN && is_only_support && self.is_last_administrator(&unit, *user).await?;
        if stays && *blocked {
            return Ok(false);
        }
        let event = if stays {
            let reason = KeepReason::LastAdministrator.as_str().to_owned();
            Event::MembershipRemovalBlocked(RemovalBlocked {
                group: *group,
                user: *user,
                source: source.clone(),
                reason,
            })
        } else {
            Event::memberships_changed(*group, source, Vec::new(), vec![*user])
        };
        let cause = Cause { actor: self.actor.clone(), source: Some(source.clone()), ..Cause::default() };
        let at = unit.at();
        unit.record(&cause, at, vec![event]).await?;
        unit.commit().await?;
        Ok(!stays)
    }
}
