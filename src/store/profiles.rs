//! Profiles: what is personal about a user. They stand beside the log, so that they can be erased while it stays whole.

use std::collections::{BTreeMap, BTreeSet};

use entitled_entity::user_profile;
use entitled_model::event::ProfileField;
use entitled_model::{EmailAddress, Subject, UserId};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ConnectionTrait};
use serde_json::{Value, json};

use super::error::{Doing, StoreError};
use super::idempotency::leave_nothing_behind;
use super::sql::{Field, STATEMENT_ROWS_MAX, rows, time};
use super::{Unit, UserRecord};

/// What is personal about a user. `claims` are those of the logins so far, the latest word of each.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Profile {
    pub email: Option<EmailAddress>,
    pub sub: Option<Subject>,
    pub claims: BTreeMap<String, Value>,
}

/// What a login says about a user; a claim that is null is forgotten, one that is not named is kept.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProfileChange {
    pub email: Option<EmailAddress>,
    pub sub: Option<Subject>,
    pub claims: BTreeMap<String, Value>,
}

impl Profile {
    /// The profile after a change, and which parts of it differ.
    #[must_use]
    pub fn after(&self, change: &ProfileChange) -> (Profile, BTreeSet<ProfileField>) {
        let ProfileChange { email, sub, claims } = change;
        let mut after = self.clone();
        after.email = email.clone().or(after.email);
        after.sub = sub.clone().or(after.sub);
        for (name, value) in claims {
            match value {
                Value::Null => after.claims.remove(name),
                value => after.claims.insert(name.clone(), value.clone()),
            };
        }
        let differs = [
            (ProfileField::Email, after.email != self.email),
            (ProfileField::Sub, after.sub != self.sub),
            (ProfileField::Claims, after.claims != self.claims),
        ];
        let fields = differs.into_iter().filter_map(|(field, differs)| differs.then_some(field)).collect();
        (after, fields)
    }
}

impl Unit {
    /// Writes the profiles of users who are being created and of whom only the address is known.
    ///
    /// # Errors
    /// When the database refuses, as it does for an address that somebody has.
    pub async fn create_profiles(&mut self, users: &[(UserId, EmailAddress)]) -> Result<(), StoreError> {
        let d = self.dialect();
        let at = time(self.at());
        let columns = [
            ("user_id", Field::Uuid),
            ("email", Field::Text),
            ("email_key", Field::Text),
            ("claims", Field::Text),
            ("updated_at", Field::Time),
        ];
        let sql = d.insert("user_profile", &columns, "");
        for chunk in users.chunks(STATEMENT_ROWS_MAX) {
            let chunk: Vec<Value> = chunk
                .iter()
                .map(|(user, email)| json!([user, email.as_given(), email.key().as_str(), "{}", at]))
                .collect();
            self.reader().execute_raw(d.statement(&sql, [rows(&chunk)])).await.doing("writing profiles")?;
        }
        Ok(())
    }

    /// Writes a user's profile as it is after a login.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn update_profile(&mut self, user: &UserRecord, profile: &Profile) -> Result<(), StoreError> {
        let row = user_profile::ActiveModel {
            user_id: Set(user.id.0),
            email: Set(profile.email.as_ref().map(|email| email.as_given().to_owned())),
            email_key: Set(profile.email.as_ref().map(|email| email.key().as_str().to_owned())),
            sub: Set(profile.sub.as_ref().map(|sub| sub.as_str().to_owned())),
            claims: Set(json!(profile.claims).to_string()),
            updated_at: Set(self.at()),
        };
        row.update(self.reader()).await.doing("updating a profile")?;
        Ok(())
    }
}

impl Unit {
    /// Erases what is personal about a user: profile, accounts, addresses, paths, what they called their tokens, and
    /// every answer that is kept under an idempotency key.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn erase_profile(&mut self, user: UserId) -> Result<(), StoreError> {
        const DOING: &str = "erasing a profile";
        leave_nothing_behind(self.reader()).await?;
        for erase in [
            "UPDATE user_profile SET email = NULL, email_key = NULL, sub = NULL, claims = '{}' WHERE user_id = $1",
            "DELETE FROM directory_account WHERE user_id = $1",
            "DELETE FROM directory_address WHERE user_id = $1",
            "DELETE FROM membership_path WHERE user_id = $1",
            "DELETE FROM token_name WHERE token_id IN (SELECT id FROM token WHERE owner_id = $1)",
        ] {
            let erase = self.dialect().statement(erase, [user.0.into()]);
            self.reader().execute_raw(erase).await.doing(DOING)?;
        }
        self.forget_answers().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_adds_to_the_claims_and_null_forgets_one() {
        // D2
        let before = Profile {
            claims: BTreeMap::from([("siret".into(), json!("1")), ("org".into(), json!("x"))]),
            ..Profile::default()
        };
        let claims = BTreeMap::from([("siret".into(), json!("2")), ("org".into(), Value::Null)]);
        let (after, fields) = before.after(&ProfileChange { claims, ..ProfileChange::default() });
        assert_eq!(after.claims, BTreeMap::from([("siret".into(), json!("2"))]));
        assert_eq!(fields, BTreeSet::from([ProfileField::Claims]));
        assert!(after.after(&ProfileChange::default()).1.is_empty());
    }
}
