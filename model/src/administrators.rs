//! A directory's administrators: who is one by its word, and when that ends.
//!
//! Only a word about the very person begins or ends it. A complete list that does not have them is none: lists have been
//! short before, so that a second one has to agree. A failing look-up says nothing at all.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::identity::UserId;
use crate::observation::{AskedUser, Census, Coverage, UserAnswer};

/// How somebody stands who is an administrator of a directory. In each case they are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Administration {
    /// By its newest word.
    Named,
    /// The newest complete list did not have them; the next one has to agree.
    Missed,
    /// It says no longer, and nobody else would be an owner.
    Kept,
}

/// A word that names no state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no state of a directory's administrator")]
pub struct InvalidAdministration;

impl Administration {
    pub const ALL: [Administration; 3] = [Administration::Named, Administration::Missed, Administration::Kept];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Administration::Named => "named",
            Administration::Missed => "missed",
            Administration::Kept => "kept",
        }
    }
}

impl std::str::FromStr for Administration {
    type Err = InvalidAdministration;

    fn from_str(text: &str) -> Result<Self, InvalidAdministration> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(InvalidAdministration)
    }
}

/// The administrators of a directory that are stored.
pub type Stored = BTreeMap<UserId, Administration>;

/// What an observation says of a directory's administrators.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// Whether somebody is one, of those about whom it has a word; of whoever is none and was none, nothing is kept.
    pub said: BTreeMap<UserId, bool>,
    /// Where it lists every account: the users of whom it is silent all the same.
    pub whole: Option<BTreeSet<UserId>>,
}

impl Heard {
    /// What the answers about some users say, but of those of `superseded`.
    #[must_use]
    pub fn of_users(asked: &[AskedUser], superseded: &BTreeSet<UserId>, stored: &Stored) -> Self {
        let mut heard = Self::default();
        for asked in asked.iter().filter(|asked| !superseded.contains(&asked.user)) {
            let said = asked.answer.as_ref().ok().and_then(word);
            said.into_iter().for_each(|said| heard.take(asked.user, said, stored));
        }
        heard
    }

    /// What a whole directory says; `users` are its people, in their order.
    #[must_use]
    pub fn of_census(
        census: &Census,
        users: &[Option<UserId>],
        superseded: &BTreeSet<UserId>,
        stored: &Stored,
    ) -> Self {
        let (mut heard, mut silent, mut says) = (Self::default(), superseded.clone(), false);
        for (person, user) in census.people.iter().zip(users) {
            let Some(account) = person.account() else { continue };
            says |= account.is_administrator.is_some();
            let Some(user) = user.filter(|user| !superseded.contains(user)) else { continue };
            match account.is_administrator {
                Some(said) => heard.take(user, said, stored),
                // It is listed, and that is left open.
                None => drop(stored.contains_key(&user).then(|| silent.insert(user))),
            }
        }
        let is_whole = says && census.accounts_unread.is_none() && !census.accounts_unusable;
        heard.whole = is_whole.then_some(silent);
        heard
    }

    /// That none of those stored is one any more, whatever the directory says.
    #[must_use]
    pub fn nobody(stored: &Stored) -> Self {
        Self { said: stored.keys().map(|user| (*user, false)).collect(), whole: None }
    }

    fn take(&mut self, user: UserId, said: bool, stored: &Stored) {
        if said || stored.contains_key(&user) {
            // One user may have several accounts there.
            *self.said.entry(user).or_default() |= said;
        }
    }

    /// What becomes of the stored ones, and who is new among them; none: no longer one.
    #[must_use]
    pub fn changes(&self, stored: &Stored) -> BTreeMap<UserId, Option<Administration>> {
        let said = self.said.iter().filter_map(|(user, said)| match (said, stored.get(user)) {
            (true, Some(Administration::Named)) | (false, None) => None,
            (true, _) => Some((*user, Some(Administration::Named))),
            (false, Some(_)) => Some((*user, None)),
        });
        let mut changes: BTreeMap<_, _> = said.collect();
        let Some(silent) = &self.whole else { return changes };
        for (user, state) in stored {
            if !self.said.contains_key(user) && !silent.contains(user) {
                changes.insert(*user, (*state == Administration::Named).then_some(Administration::Missed));
            }
        }
        changes
    }
}

/// What one answer says: nobody who has no account is an administrator, and an account that could not be read says nothing.
fn word(answer: &UserAnswer) -> Option<bool> {
    match &answer.account {
        Some(account) => account.is_administrator,
        None => (!answer.present && answer.coverage == Coverage::Everything).then_some(false),
    }
}

#[cfg(test)]
mod tests;
