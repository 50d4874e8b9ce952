//! Who logged in: found by address, then by `sub`; a newcomer with an address is created.

use std::collections::BTreeSet;

use entitled_model::UserId;
use entitled_model::event::{Cause, Event, ProfileField, UserProfileChanged};

use super::{Login, LoginError, Logins};
use crate::store::{Profile, Reader, Store, StoreError, UserRecord};

/// A user, and their profile with what this login says of it.
#[derive(Debug, Clone)]
pub(super) struct Identified {
    /// As stored.
    pub user: UserRecord,
    /// As it will be.
    pub profile: Profile,
    /// What differs.
    pub changed: BTreeSet<ProfileField>,
}

impl Identified {
    /// Whether a source would now be asked something else than before.
    pub(super) fn changes_question(&self) -> bool {
        self.changed.contains(&ProfileField::Claims)
            || self.user.profile.email.as_ref().map(|e| e.key()) != self.profile.email.as_ref().map(|e| e.key())
    }
}

impl Logins {
    /// Who it is; none for a newcomer who can be made known.
    pub(super) async fn identify(&self, login: &Login) -> Result<Option<Identified>, LoginError> {
        let store = &self.runner.store;
        if login.email.is_none() && login.sub.is_none() {
            return Err(LoginError::Nobody);
        }
        match find(store, store.reader(), login).await? {
            Some(user) => Ok(Some(self.identified(user, login).await?)),
            None if login.email.is_none() => Err(LoginError::Unknown),
            None => Ok(None),
        }
    }

    /// Makes a newcomer known. It waits for the head of the log.
    pub(super) async fn create(&self, login: &Login) -> Result<Identified, LoginError> {
        let user = create(&self.runner.store, login).await?;
        Ok(self.identified(user, login).await?)
    }

    async fn identified(&self, user: UserRecord, login: &Login) -> Result<Identified, StoreError> {
        let store = &self.runner.store;
        let (mut profile, mut changed) = user.profile.with(login);
        if changed.contains(&ProfileField::Sub) && taken(store, &user, &profile).await? {
            tracing::warn!(user = %user.id, "a login's sub is another user's; the address decides and the sub stays there");
            profile.sub.clone_from(&user.profile.sub);
            changed.remove(&ProfileField::Sub);
        }
        if user.profile.sub.is_some() && changed.contains(&ProfileField::Sub) {
            tracing::warn!(user = %user.id, "a login brought another sub for this user's address; it replaces the one before");
        }
        Ok(Identified { user, profile, changed })
    }
}

/// The address is the identity; a `sub` alone, or one whose user has changed address, finds them too.
async fn find(store: &Store, conn: &impl Reader, login: &Login) -> Result<Option<UserRecord>, StoreError> {
    if let Some(email) = &login.email
        && let Some(user) = store.user_by_email(conn, &email.key()).await?
    {
        return Ok(Some(user));
    }
    match &login.sub {
        Some(sub) => store.user_by_sub(conn, sub).await,
        None => Ok(None),
    }
}

async fn taken(store: &Store, user: &UserRecord, profile: &Profile) -> Result<bool, StoreError> {
    let Some(sub) = &profile.sub else { return Ok(false) };
    let holder = store.user_by_sub(store.reader(), sub).await?;
    Ok(holder.is_some_and(|holder| holder.id != user.id))
}

async fn create(store: &Store, login: &Login) -> Result<UserRecord, LoginError> {
    let Some(email) = &login.email else { return Err(LoginError::Unknown) };
    let mut unit = store.begin().await?;
    // Somebody may have created them while this waited for the head.
    if let Some(user) = find(store, unit.reader(), login).await? {
        return Ok(user);
    }
    let id = UserId(store.clock().new_id());
    let at = unit.at();
    unit.create_profiles(&[(id, email.clone())]).await?;
    let mut events = vec![Event::users_created(vec![id])];
    events.extend(unit.seeded(&[id]));
    unit.record(&cause(&login.actor, login.correlation_id.as_deref()), at, events).await?;
    unit.commit().await?;
    let profile = Profile { email: Some(email.clone()), ..Profile::default() };
    Ok(UserRecord { id, status: "active".to_owned(), profile })
}

/// Stores what the login said about the user, with the event that tells which parts changed.
pub(super) async fn remember(store: &Store, identified: &Identified, cause: Cause) -> Result<(), StoreError> {
    let Identified { user, profile, changed } = identified;
    if changed.is_empty() {
        return Ok(());
    }
    let mut unit = store.begin().await?;
    let Some(now) = store.user_by_id(unit.reader(), user.id).await? else { return Ok(()) };
    if now.profile == *profile || now.profile != user.profile {
        // Another login was quicker; what it said is at least as new.
        return Ok(());
    }
    let at = unit.at();
    unit.update_profile(user, profile).await?;
    let event = Event::UserProfileChanged(UserProfileChanged { user: user.id, fields: changed.clone() });
    unit.record(&cause, at, vec![event]).await?;
    unit.commit().await?;
    Ok(())
}

pub(super) fn cause(actor: &str, correlation_id: Option<&str>) -> Cause {
    Cause { actor: actor.to_owned(), correlation_id: correlation_id.map(str::to_owned), ..Cause::default() }
}
