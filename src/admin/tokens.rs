//! Tokens: made and revoked. The secret leaves once, with the answer to whoever made it.

use std::collections::BTreeSet;

use entitled_model::event::{Event, TokenCreated, TokenRevoked};
use entitled_model::token::{LIVE_MAX, Lifetime, TokenSecret};
use entitled_model::{TokenId, UserId};

use super::{Admin, AdminError};
use crate::config::Scope;
use crate::store::TokenRecord;

/// The longest name of a token, in bytes.
pub const NAME_BYTES_MAX: usize = 200;

/// A token to make.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// Whose it is to be; none for a service's.
    pub owner: Option<UserId>,
    pub name: Option<String>,
    pub scopes: BTreeSet<Scope>,
    pub lifetime: Lifetime,
}

impl Admin {
    /// Makes a token, and gives its secret this once.
    ///
    /// # Errors
    /// When the owner is unknown, shut out, or has too many already; when the name or the scopes are unusable.
    pub async fn create_token(&self, new: &NewToken) -> Result<(TokenRecord, TokenSecret), AdminError> {
        let NewToken { owner, name, scopes, lifetime } = new;
        let name = name.as_deref().map(named).transpose()?.flatten();
        suitable(*owner, scopes)?;
        let secret = TokenSecret::of(rand::random());
        let mut unit = self.store.begin().await?;
        if let Some(owner) = owner {
            let user = self.store.user_by_id(unit.reader(), *owner).await?.ok_or(AdminError::NoUser)?;
            if user.status != "active" {
                return Err(AdminError::NotActive(user.status));
            }
            if self.store.live_tokens(unit.reader(), *owner, unit.at()).await? >= LIVE_MAX {
                return Err(AdminError::TooManyTokens);
            }
        }
        let token = TokenId(self.store.clock().new_id());
        let scopes: Vec<String> = scopes.iter().map(ToString::to_string).collect();
        let expires_at = lifetime.ends(unit.at());
        unit.keep_token(token, &secret, name.as_deref()).await?;
        let created = TokenCreated { token, owner: *owner, scopes, expires_at };
        self.record(&mut unit, vec![Event::TokenCreated(created)]).await?;
        let made = self.store.token_by_id(unit.reader(), token).await?.ok_or(AdminError::NoToken)?;
        unit.commit().await?;
        Ok((made, secret))
    }

    /// Revokes a token, of this owner alone if one is named. One that is revoked already stays so.
    ///
    /// # Errors
    /// When there is no such token.
    pub async fn revoke_token(&self, token: TokenId, of: Option<UserId>) -> Result<(), AdminError> {
        let mut unit = self.store.begin().await?;
        let found = self.store.token_by_id(unit.reader(), token).await?;
        let found = found.filter(|found| of.is_none() || found.owner == of).ok_or(AdminError::NoToken)?;
        if found.revoked_at.is_some() {
            return Ok(());
        }
        self.record(&mut unit, vec![Event::TokenRevoked(TokenRevoked { token })]).await?;
        unit.commit().await?;
        Ok(())
    }
}

/// A person's token looks or administers; hooks and provisioning are for services.
fn suitable(owner: Option<UserId>, scopes: &BTreeSet<Scope>) -> Result<(), AdminError> {
    if scopes.is_empty() {
        return Err(AdminError::Scopes("a token needs at least one scope".to_owned()));
    }
    let narrow = scopes.iter().find(|scope| !matches!(scope, Scope::Read | Scope::Admin));
    match narrow.filter(|_| owner.is_some()) {
        Some(scope) => Err(AdminError::Scopes(format!(
            "a person's token has the scopes read and admin: {scope} is for a service's"
        ))),
        None => Ok(()),
    }
}

/// A name as it is kept: none instead of a blank one.
fn named(given: &str) -> Result<Option<String>, AdminError> {
    let text = given.trim();
    if text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(AdminError::TokenName);
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}
