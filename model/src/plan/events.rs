//! The events that say what applying a plan does.

use super::{EVENT_PAIRS_MAX, KeepReason, Plan};
use crate::desired::Pair;
use crate::event::{
    Event, GroupDeleted, ProfileField, RemovalBlocked, RemovalCancelled, RemovalScheduled, StandingChanged,
    UserProfileChanged,
};
use crate::identity::{GroupId, SourceName, UserId};
use crate::instant::written;
use crate::people::{PeopleChanges, Readdress};

impl Plan {
    /// The events that say what applying this plan does.
    #[must_use]
    pub fn events(&self) -> Vec<Event> {
        let users = self.new_users.chunks(EVENT_PAIRS_MAX);
        let users = users.map(|chunk| Event::users_created(chunk.iter().map(|(id, _)| *id).collect()));
        let groups = self.new_groups.iter().map(|(id, group)| Event::group_created(*id, group, &self.source));
        let gone = |(group, _): &&Pair| self.deleted_groups.contains(group);
        let (ended, removes): (Vec<Pair>, Vec<Pair>) = self.removes.iter().partition(gone);
        let mut events: Vec<Event> = users.collect();
        events.extend(self.people_events());
        // Whoever has a name gives it up before another takes it.
        events.extend(MembershipEvents { source: &self.source, creates: &[], removes: &ended });
        events.extend(self.deleted_groups.iter().map(|group| Event::GroupDeleted(GroupDeleted { group: *group })));
        events.extend(self.renamed_groups.iter().cloned().map(Event::group_renamed));
        events.extend(groups);
        events.extend(MembershipEvents { source: &self.source, creates: &self.creates, removes: &removes });
        events.extend(self.waiting_events());
        events.extend(self.newly_blocked.iter().map(|(group, user)| {
            Event::MembershipRemovalBlocked(RemovalBlocked {
                group: *group,
                user: *user,
                source: self.source.clone(),
                reason: if *group == GroupId::ADMIN { KeepReason::LastAdministrator } else { KeepReason::LastOwner }
                    .as_str()
                    .to_owned(),
            })
        }));
        let entitlements = self.entitlements.iter();
        events.extend(
            entitlements.map(|(user, changes)| Event::entitlements_changed(*user, &self.source, changes.clone())),
        );
        events
    }

    /// Removals that wait from now on, and those that no longer do: one event per group and time, or per thousand pairs of it.
    fn waiting_events(&self) -> impl Iterator<Item = Event> {
        let cancelled = self.cancelled.chunk_by(|one, other| one.0 == other.0);
        let cancelled = cancelled.flat_map(|pairs| pairs.chunks(EVENT_PAIRS_MAX)).map(|pairs| {
            let (group, source) = (pairs[0].0, self.source.clone());
            Event::MembershipRemovalCancelled(RemovalCancelled {
                group,
                source,
                users: users_of(pairs.iter().copied()),
            })
        });
        let scheduled = self.scheduled.chunk_by(|(one, at), (other, then)| (one.0, at) == (other.0, then));
        let scheduled = scheduled.flat_map(|pairs| pairs.chunks(EVENT_PAIRS_MAX)).map(|pairs| {
            let ((group, _), due_at) = pairs[0];
            let (users, source) = (users_of(pairs.iter().map(|(pair, _)| *pair)), self.source.clone());
            Event::MembershipRemovalScheduled(RemovalScheduled { group, source, users, due_at: written(due_at) })
        });
        cancelled.chain(scheduled)
    }

    fn people_events(&self) -> impl Iterator<Item = Event> {
        let PeopleChanges { addresses, accounts: _, of_accounts: _, suspended, reactivated } = &self.people;
        let profiles = addresses.iter().map(|(user, change)| {
            let fields: &[ProfileField] = match change {
                Readdress::To(_) | Readdress::Lost => &[ProfileField::Email],
                Readdress::Absorbed => &[ProfileField::Email, ProfileField::Sub],
            };
            Event::UserProfileChanged(UserProfileChanged { user: *user, fields: fields.iter().copied().collect() })
        });
        let standing = |user: &UserId| StandingChanged { user: *user, source: self.source.clone() };
        let suspended = suspended.iter().map(move |user| Event::UserSuspended(standing(user)));
        profiles.chain(suspended).chain(reactivated.iter().map(move |user| Event::UserReactivated(standing(user))))
    }
}

/// One event per group (or per thousand pairs of it), creates and removes of a group together.
struct MembershipEvents<'a> {
    source: &'a SourceName,
    creates: &'a [Pair],
    removes: &'a [Pair],
}

impl Iterator for MembershipEvents<'_> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let group = match (self.creates.first(), self.removes.first()) {
            (None, None) => return None,
            (Some((group, _)), None) | (None, Some((group, _))) => *group,
            (Some((created, _)), Some((removed, _))) => *created.min(removed),
        };
        let removed = take_group(&mut self.removes, group, EVENT_PAIRS_MAX);
        let added = take_group(&mut self.creates, group, EVENT_PAIRS_MAX - removed.len());
        Some(Event::memberships_changed(group, self.source, added, removed))
    }
}

fn take_group(pairs: &mut &[Pair], group: GroupId, max: usize) -> Vec<UserId> {
    let count = pairs.iter().take(max).take_while(|(of, _)| *of == group).count();
    let (taken, rest) = pairs.split_at(count);
    *pairs = rest;
    taken.iter().map(|(_, user)| *user).collect()
}

fn users_of(pairs: impl Iterator<Item = Pair>) -> Vec<UserId> {
    pairs.map(|(_, user)| user).collect()
}
