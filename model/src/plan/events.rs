//! The events that say what applying a plan does.

use std::iter::Peekable;

use super::{EVENT_PAIRS_MAX, KeepReason, Plan};
use crate::desired::Pair;
use crate::event::{
    DirectoryAdministratorChanged, Event, GroupDeleted, ProfileField, RemovalBlocked, RemovalCancelled,
    RemovalScheduled, StandingChanged, UserProfileChanged,
};
use crate::identity::{GroupId, UserId};
use crate::instant::written;
use crate::people::{PeopleChanges, Readdress};

impl Plan {
    /// The events that say what applying this plan does, each made when it is asked for: there may be a million users in them.
    pub fn events(&self) -> impl Iterator<Item = Event> + Send + '_ {
        let users = self.new_users.chunks(EVENT_PAIRS_MAX);
        let users = users.map(|chunk| Event::users_created(chunk.iter().map(|(id, _)| *id).collect()));
        let groups = self.new_groups.iter().map(|(id, group)| Event::group_created(*id, group, &self.source));
        let deleted = self.deleted_groups.iter().map(|group| Event::GroupDeleted(GroupDeleted { group: *group }));
        let renamed = self.renamed_groups.iter().cloned().map(Event::group_renamed);
        let entitlements = self.entitlements.iter();
        let entitlements =
            entitlements.map(|(user, changes)| Event::entitlements_changed(*user, &self.source, changes.clone()));
        // Whoever has a name gives it up before another takes it.
        users
            .chain(self.people_events())
            .chain(self.membership_events(&[], true))
            .chain(deleted)
            .chain(renamed)
            .chain(groups)
            .chain(self.membership_events(&self.creates, false))
            .chain(self.waiting_events())
            .chain(self.blocked_events())
            .chain(self.administrator_events())
            .chain(entitlements)
    }

    /// One event per group (or per thousand pairs of it), creates and removes of a group together; of the removes, those in
    /// groups that are deleted, or the others.
    fn membership_events<'a>(&'a self, creates: &'a [Pair], in_deleted: bool) -> impl Iterator<Item = Event> + 'a {
        let mut creates = creates.iter().copied().peekable();
        let removes = self.removes.iter().copied();
        let mut removes =
            removes.filter(move |(group, _)| self.deleted_groups.contains(group) == in_deleted).peekable();
        std::iter::from_fn(move || {
            let next = creates.peek().into_iter().chain(removes.peek());
            let group = next.map(|(group, _)| *group).min()?;
            let removed = take_group(&mut removes, group, EVENT_PAIRS_MAX);
            let added = take_group(&mut creates, group, EVENT_PAIRS_MAX - removed.len());
            Some(Event::memberships_changed(group, &self.source, added, removed))
        })
    }

    fn blocked_events(&self) -> impl Iterator<Item = Event> {
        self.newly_blocked.iter().map(|(group, user)| {
            Event::MembershipRemovalBlocked(RemovalBlocked {
                group: *group,
                user: *user,
                source: self.source.clone(),
                reason: if *group == GroupId::ADMIN { KeepReason::LastAdministrator } else { KeepReason::LastOwner }
                    .as_str()
                    .to_owned(),
            })
        })
    }

    fn administrator_events(&self) -> impl Iterator<Item = Event> {
        self.administrators.iter().map(|(user, (before, after))| {
            let (user, source, before, after) = (*user, self.source.clone(), *before, *after);
            Event::DirectoryAdministratorChanged(DirectoryAdministratorChanged { user, source, before, after })
        })
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

fn take_group(pairs: &mut Peekable<impl Iterator<Item = Pair>>, group: GroupId, max: usize) -> Vec<UserId> {
    let taken = std::iter::from_fn(|| pairs.next_if(|(of, _)| *of == group));
    taken.take(max).map(|(_, user)| user).collect()
}

fn users_of(pairs: impl Iterator<Item = Pair>) -> Vec<UserId> {
    pairs.map(|(_, user)| user).collect()
}
