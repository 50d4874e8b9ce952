//! Histories: what each event says about a user, about a group, or about memberships at all, in an order that can be paged.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::event::{Event, MembershipChanged, RemovalBlocked, Stream, UserCreated};
use crate::identity::{GroupId, Position, SourceName, UserId};
use crate::moment;

/// Whose history is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    User(UserId),
    Group(GroupId),
    /// Memberships alone, of everybody.
    Memberships,
}

/// One thing that an event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'e> {
    pub change: Change,
    pub user: Option<UserId>,
    pub group: Option<GroupId>,
    /// The source that the event itself speaks of.
    pub source: Option<&'e SourceName>,
}

/// What kind of thing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A membership began.
    Added,
    /// A membership ended.
    Removed,
    /// Something else: the event's type and payload tell.
    Other,
}

/// What an event says, in the order in which it takes effect: what ended before what began.
#[must_use]
pub fn entries<'e>(event: &'e Event, about: About) -> Vec<Entry<'e>> {
    match event {
        Event::MembershipChanged(changed) => memberships(changed, about),
        _ if about == About::Memberships => Vec::new(),
        Event::UserCreated(UserCreated { users }) => match about {
            About::User(user) if users.contains(&user) => vec![Entry { user: Some(user), ..other(None) }],
            About::User(_) | About::Group(_) | About::Memberships => Vec::new(),
        },
        Event::MembershipRemovalBlocked(RemovalBlocked { group, user, source, reason: _ }) => {
            let told = about == About::Group(*group) || about == About::User(*user);
            let entry = Entry { user: Some(*user), group: Some(*group), ..other(Some(source)) };
            if told { vec![entry] } else { Vec::new() }
        }
        event => of_stream(event, about),
    }
}

fn memberships(changed: &MembershipChanged, about: About) -> Vec<Entry<'_>> {
    let MembershipChanged { group, source, added, removed, expires_at: _ } = changed;
    let removed = removed.iter().map(|user| (Change::Removed, *user));
    let changes = removed.chain(added.iter().map(|user| (Change::Added, *user)));
    let told = changes.filter(|(_, of)| match about {
        About::User(user) => *of == user,
        About::Group(of) => of == *group,
        About::Memberships => true,
    });
    told.map(|(change, user)| Entry { change, user: Some(user), group: Some(*group), source: Some(source) }).collect()
}

/// An event that is about one user or one group alone says so by its stream.
fn of_stream(event: &Event, about: About) -> Vec<Entry<'static>> {
    let Stream(category, id) = event.stream();
    let is = |of: Uuid| id == of.to_string();
    match (category, about) {
        ("user", About::User(user)) if is(user.0) => vec![Entry { user: Some(user), ..other(None) }],
        ("group", About::Group(group)) if is(group.0) => vec![Entry { group: Some(group), ..other(None) }],
        _ => Vec::new(),
    }
}

fn other(source: Option<&SourceName>) -> Entry<'_> {
    Entry { change: Change::Other, user: None, group: None, source }
}

/// A place in a history: so many entries of an event have been told, and all of those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    pub position: Position,
    pub told: usize,
}

impl Place {
    /// Where all is told up to `position`.
    #[must_use]
    pub fn behind(position: Position) -> Self {
        Self { position, told: usize::MAX }
    }

    /// Whether the entry at `index` of the event at `position` is told already.
    #[must_use]
    pub fn has_told(&self, position: Position, index: usize) -> bool {
        position < self.position || (position == self.position && index < self.told)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.told {
            usize::MAX => write!(f, "{}", self.position),
            told => write!(f, "{}.{told}", self.position),
        }
    }
}

/// A text that is no place of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected what `next` was on the page before")]
pub struct InvalidPlace;

impl FromStr for Place {
    type Err = InvalidPlace;

    fn from_str(text: &str) -> Result<Self, InvalidPlace> {
        let (position, told) = text.split_once('.').map_or((text, None), |(position, told)| (position, Some(told)));
        let position = moment::position(position).ok_or(InvalidPlace)?;
        let Some(told) = told else { return Ok(Place::behind(position)) };
        let told = moment::position(told).and_then(|told| usize::try_from(told.0).ok()).ok_or(InvalidPlace)?;
        Ok(Place { position, told })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{GroupDeleted, StandingChanged};

    const GROUP: GroupId = GroupId::ADMIN;

    fn user(n: u128) -> UserId {
        UserId(Uuid::from_u128(n))
    }

    fn source() -> SourceName {
        SourceName::stored("google_sync".to_owned())
    }

    fn told(event: &Event, about: About) -> Vec<(Change, Option<UserId>, Option<GroupId>)> {
        entries(event, about).into_iter().map(|entry| (entry.change, entry.user, entry.group)).collect()
    }

    #[test]
    fn a_change_of_memberships_tells_each_user_what_is_theirs_and_ends_before_it_begins() {
        let event = Event::memberships_changed(GROUP, &source(), vec![user(1), user(2)], vec![user(3)]);
        let of = |change, n| (change, Some(user(n)), Some(GROUP));
        let all = [of(Change::Removed, 3), of(Change::Added, 1), of(Change::Added, 2)];
        assert_eq!(told(&event, About::Group(GROUP)), all);
        assert_eq!(told(&event, About::Memberships), all);
        assert_eq!(told(&event, About::User(user(2))), [of(Change::Added, 2)]);
        assert_eq!(told(&event, About::User(user(4))), []);
        assert_eq!(told(&event, About::Group(GroupId::EVERYONE)), []);
    }

    #[test]
    fn other_events_are_told_to_whom_their_stream_names() {
        let created = Event::users_created(vec![user(1), user(2)]);
        assert_eq!(told(&created, About::User(user(2))), [(Change::Other, Some(user(2)), None)]);
        assert_eq!(told(&created, About::User(user(3))), []);
        let suspended = Event::UserSuspended(StandingChanged { user: user(1), source: source() });
        assert_eq!(told(&suspended, About::User(user(1))), [(Change::Other, Some(user(1)), None)]);
        assert_eq!(told(&suspended, About::User(user(2))), []);
        let deleted = Event::GroupDeleted(GroupDeleted { group: GROUP });
        assert_eq!(told(&deleted, About::Group(GROUP)), [(Change::Other, None, Some(GROUP))]);
        assert_eq!(told(&deleted, About::User(user(1))), []);
        let blocked = RemovalBlocked { group: GROUP, user: user(1), source: source(), reason: "x".into() };
        let blocked = Event::MembershipRemovalBlocked(blocked);
        for about in [About::User(user(1)), About::Group(GROUP)] {
            assert_eq!(told(&blocked, about), [(Change::Other, Some(user(1)), Some(GROUP))]);
        }
        for event in [created, suspended, deleted, blocked] {
            assert_eq!(told(&event, About::Memberships), []);
        }
    }

    #[test]
    fn a_place_is_written_as_it_is_read_and_knows_what_is_told() {
        for text in ["0", "12", "12.0", "12.57"] {
            let place: Place = text.parse().expect("a place");
            assert_eq!(place.to_string(), text);
        }
        for bad in ["", "-1", "1.", ".1", "1.-1", "1.2.3", "x", "99999999999999999999", "1.99999999999999999999", " 1"]
        {
            assert_eq!(bad.parse::<Place>(), Err(InvalidPlace), "{bad:?}");
        }
        let place = Place { position: Position(5), told: 2 };
        assert!(place.has_told(Position(4), 900) && place.has_told(Position(5), 1));
        assert!(!place.has_told(Position(5), 2) && !place.has_told(Position(6), 0));
        assert!(Place::behind(Position(5)).has_told(Position(5), 900));
    }
}
