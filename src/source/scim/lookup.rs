//! One user's groups: their account, the groups that hold it, and with `nested = "expand"` the groups that those are in.
//!
//! Invariant: the answer is the one a census would give for this user, or a failure.

mod account;
mod groups;

use std::collections::{BTreeMap, BTreeSet};

use entitled_model::observation::{Account, Coverage, ObservedGroup, Stated, UserAnswer, Verdict};
use entitled_model::path::Chain;
use entitled_model::{EmailAddress, ErrorClass, Failure};

use super::accounts::Holder;
use super::service::Alone;
use super::wire::Id;
use super::{Scim, malformed};
use crate::source::{Person, Urgency};
use account::Found;
use groups::Groups;

/// Either a value, or the word that the server's filters don't serve: the whole is then read instead.
pub enum Filtered<T> {
    Is(T),
    Unusable,
}

pub async fn groups_of(source: &Scim, person: &Person, urgency: Urgency) -> Result<UserAnswer, Failure> {
    let Some(email) = &person.email else {
        let message = "the user has no email, so the source was not asked";
        return Err(Failure::new(ErrorClass::MissingClaim, message));
    };
    let answer = by_address(source, email, urgency).await?;
    match &person.external_id {
        Some(id) if !answer.present => moved(source, id, answer, urgency).await,
        _ => Ok(answer),
    }
}

async fn by_address(source: &Scim, email: &EmailAddress, urgency: Urgency) -> Result<UserAnswer, Failure> {
    if source.trials.passed(source, urgency).await?
        && let Filtered::Is(answer) = by_filters(source, email, urgency).await?
    {
        return Ok(answer);
    }
    source.wholes.answer(source, email, urgency).await
}

/// The account that is known of somebody whose address nobody has there any more: it may have another by now.
async fn moved(source: &Scim, id: &str, absent: UserAnswer, urgency: Urgency) -> Result<UserAnswer, Failure> {
    let Ok(id) = Id::try_from(id.to_owned()) else { return Ok(absent) };
    match source.service.user(&id, urgency).await? {
        Alone::Gone => Ok(absent),
        Alone::There(user) => match Holder::of(&user) {
            Holder::Person(account) => by_address(source, &account.address, urgency).await,
            Holder::Nobody => Ok(absent),
            Holder::Unclear => Err(malformed("an account's first address is unusable")),
        },
    }
}

async fn by_filters(source: &Scim, email: &EmailAddress, urgency: Urgency) -> Result<Filtered<UserAnswer>, Failure> {
    let account = match account::find(source, email, urgency).await? {
        Filtered::Is(Found::One(account)) => account,
        Filtered::Is(Found::None) => return Ok(Filtered::Is(Answer::absent())),
        Filtered::Unusable => return Ok(Filtered::Unusable),
    };
    Ok(match groups::of(source, &account.0, urgency).await? {
        Filtered::Is(Groups { found, groups, paths }) => {
            let shut_out = source.scope.has_prefix() && found > 0 && groups.is_empty();
            Filtered::Is(Answer { groups, paths, shut_out, account: Some(account.1) }.into_user_answer())
        }
        Filtered::Unusable => Filtered::Unusable,
    })
}

/// What a user's answer says.
pub struct Answer {
    pub groups: BTreeSet<ObservedGroup>,
    /// Through which inner groups, where there are any.
    pub paths: BTreeMap<ObservedGroup, Chain>,
    /// The user has groups, and none within the prefix.
    pub shut_out: bool,
    pub account: Option<Account>,
}

impl Answer {
    /// The directory has no such account.
    pub fn absent() -> UserAnswer {
        Self { groups: BTreeSet::new(), paths: BTreeMap::new(), shut_out: false, account: None }.into_user_answer()
    }

    pub fn into_user_answer(self) -> UserAnswer {
        let Self { groups, paths, shut_out, account } = self;
        UserAnswer {
            groups,
            paths,
            coverage: Coverage::Everything,
            stated: Stated::Nothing,
            present: account.is_some(),
            verdict: shut_out.then_some(Verdict::NotInAllowedGroup),
            account,
        }
    }
}
