//! The one account that a person holds.

use std::collections::BTreeMap;

use entitled_model::observation::Account;
use entitled_model::{EmailAddress, Failure};
use futures_util::future::try_join;

use super::Filtered;
use crate::source::Urgency;
use crate::source::scim::accounts::{Holder, contested};
use crate::source::scim::filter::{Attribute, Filter};
use crate::source::scim::service::Listed;
use crate::source::scim::wire::{Id, User};
use crate::source::scim::{Scim, malformed};

pub enum Found {
    One((Id, Account)),
    /// On the directory's own word.
    None,
}

/// Finds the account by any of its addresses. One that is found by an alias must own its first address too: a census
/// would not take it otherwise.
///
/// # Errors
/// `malformed` when two accounts claim the address.
pub async fn find(source: &Scim, email: &EmailAddress, urgency: Urgency) -> Result<Filtered<Found>, Failure> {
    let (id, account) = match claiming(source, email, urgency).await? {
        Filtered::Is(Found::One(found)) => found,
        other => return Ok(other),
    };
    if account.address.key() != email.key() {
        match claiming(source, &account.address, urgency).await? {
            Filtered::Is(Found::One((same, _))) if same == id => (),
            Filtered::Is(_) => return Err(malformed("an account is not found by its first address")),
            Filtered::Unusable => return Ok(Filtered::Unusable),
        }
    }
    Ok(Filtered::Is(Found::One((id, account))))
}

async fn claiming(source: &Scim, email: &EmailAddress, urgency: Urgency) -> Result<Filtered<Found>, Failure> {
    let by = |attribute| users(source, attribute, email, urgency);
    let (by_email, by_name) = try_join(by(Attribute::EmailsValue), by(Attribute::UserName)).await?;
    let (Filtered::Is(by_email), Filtered::Is(by_name)) = (by_email, by_name) else { return Ok(Filtered::Unusable) };
    let users: BTreeMap<Id, User> = by_email.into_iter().chain(by_name).map(|user| (user.id.clone(), user)).collect();
    let mut claiming = Vec::new();
    for (id, user) in users {
        match Holder::of(&user) {
            Holder::Unclear => return Err(malformed("an account's first address is unusable")),
            // A filter may find more than was asked for.
            holder if !holder.claims(&email.key()) => (),
            Holder::Person(account) => claiming.push((id, account)),
            Holder::Nobody => (),
        }
    }
    match (claiming.pop(), claiming.is_empty()) {
        (None, _) => Ok(Filtered::Is(Found::None)),
        (Some(one), true) => Ok(Filtered::Is(Found::One(one))),
        (Some(_), false) => Err(contested()),
    }
}

async fn users(
    source: &Scim,
    attribute: Attribute,
    email: &EmailAddress,
    urgency: Urgency,
) -> Result<Filtered<Vec<User>>, Failure> {
    let filter = Filter::equals(attribute, email.as_given());
    let mut users = Vec::new();
    let listed = source.service.list(Some(&filter), urgency, |page, _| users.extend(page)).await?;
    Ok(match listed {
        Listed::ToTheEnd => Filtered::Is(users),
        Listed::FilterRefused => Filtered::Unusable,
    })
}
