//! Whether the server's filters can be believed.
//!
//! A filter that finds nothing proves nothing by itself: a server that does not know the attribute, or compares addresses
//! by case, answers an empty list with status 200. So each filter is tried once in a process on something that is known to
//! be there, spelled in the other case. Until there is something to try them on, they are not used.

use entitled_model::Failure;
use tokio::sync::OnceCell;

use super::Scim;
use super::filter::{Attribute, Filter};
use super::service::{Alone, Listed};
use super::wire::{Group, Id, Resource, User};
use crate::source::Urgency;

/// Groups looked at for one that has members.
const GROUPS_TRIED_MAX: usize = 10;

/// The outcome, once there is one.
#[derive(Default)]
pub struct Trials(OnceCell<bool>);

/// Why there is no outcome yet.
enum Untried {
    NothingKnown,
    Failed(Failure),
}

impl From<Failure> for Untried {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Trials {
    /// Whether all filters find what is there.
    ///
    /// # Errors
    /// When the server could not be asked.
    pub async fn passed(&self, source: &Scim, urgency: Urgency) -> Result<bool, Failure> {
        if !source.service.features(urgency).await?.filters {
            return Ok(false);
        }
        match self.0.get_or_try_init(|| tried(source, urgency)).await {
            Ok(passed) => Ok(*passed),
            Err(Untried::NothingKnown) => Ok(false),
            Err(Untried::Failed(failure)) => Err(failure),
        }
    }
}

async fn tried(source: &Scim, urgency: Urgency) -> Result<bool, Untried> {
    let users: Vec<User> = source.service.first_page(urgency).await?;
    let Samples { by_name, by_email } = Samples::of(&users).ok_or(Untried::NothingKnown)?;
    let (group, member) = sample_of_groups(source, urgency).await?;
    let name = other_case(&group.display_name).ok_or(Untried::NothingKnown)?;
    let found = finds::<User>(source, Attribute::UserName, &by_name.0, by_name.1, urgency).await?
        && finds::<User>(source, Attribute::EmailsValue, &by_email.0, by_email.1, urgency).await?
        && finds::<Group>(source, Attribute::MembersValue, member.as_str(), &group.id, urgency).await?
        && finds::<Group>(source, Attribute::DisplayName, &name, &group.id, urgency).await?;
    Ok(found)
}

async fn finds<R: Resource>(
    source: &Scim,
    attribute: Attribute,
    value: &str,
    id: &Id,
    urgency: Urgency,
) -> Result<bool, Failure> {
    let mut found = false;
    let each = |page: Vec<R>, _| found |= page.iter().any(|one| one.id() == id);
    let listed = source.service.list(Some(&Filter::equals(attribute, value)), urgency, each).await?;
    Ok(listed == Listed::ToTheEnd && found)
}

/// Texts to ask by, in another spelling, and the accounts they belong to.
struct Samples<'u> {
    by_name: (String, &'u Id),
    by_email: (String, &'u Id),
}

impl<'u> Samples<'u> {
    fn of(users: &'u [User]) -> Option<Self> {
        let names = users.iter().filter_map(|user| Some((other_case(user.user_name.as_deref()?)?, &user.id)));
        let emails = users.iter().flat_map(|user| user.emails.iter().flatten().map(move |email| (user, email)));
        let mut emails = emails.filter_map(|(user, email)| Some((other_case(email.value.as_deref()?)?, &user.id)));
        Some(Self { by_name: { names }.next()?, by_email: emails.next()? })
    }
}

/// A group, and one of its members.
async fn sample_of_groups(source: &Scim, urgency: Urgency) -> Result<(Group, Id), Untried> {
    let groups: Vec<Group> = source.service.first_page(urgency).await?;
    let member = |group: &Group| group.members.iter().flatten().find_map(|member| member.value.clone());
    if let Some(found) = groups.iter().find_map(|group| Some((group.clone(), member(group)?))) {
        return Ok(found);
    }
    for group in groups.into_iter().filter(|group| group.members.is_none()).take(GROUPS_TRIED_MAX) {
        if let Alone::There(alone) = source.service.group(&group.id, urgency).await?
            && let Some(member) = member(&alone)
        {
            return Ok((group, member));
        }
    }
    Err(Untried::NothingKnown)
}

/// The text with its ASCII letters in the other case; `None` when it has none.
fn other_case(text: &str) -> Option<String> {
    let turned = |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
    let other: String = text.chars().map(turned).collect();
    (other != text).then_some(other)
}
