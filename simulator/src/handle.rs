//! The simulator in the hand of a test: change the organisation, install faults, read the tape, wait for requests
//! without sleeping. The control endpoint does the same through the same handle.

mod deploycenter;
mod watch;

use std::sync::Arc;

use serde::Serialize;

use crate::call::System;
use crate::change::{Change, ChangeError, GroupChange, MembershipChange, UserChange};
use crate::organisation::{DirectoryId, Role};
use crate::world::World;

/// A running simulator's world; cheap to clone.
///
/// # Panics
/// The methods that change the organisation panic when a change is refused (an unknown user, an address that is none):
/// a test that misspells a name should stop there. [`Handle::apply`] returns the refusal instead.
#[derive(Debug, Clone)]
pub struct Handle(Arc<World>);

/// Too few requests arrived in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("waited for {wanted} requests to {system:?}, saw {seen}")]
pub struct DeadlinePassed {
    /// The system.
    pub system: System,
    /// Requests waited for.
    pub wanted: u64,
    /// Requests that had arrived.
    pub seen: u64,
}

/// Counts of everything, as `GET /_control/state` prints them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct State {
    /// Users listed in the directory.
    pub users: usize,
    /// Groups in the directory.
    pub groups: usize,
    /// Direct memberships.
    pub memberships: usize,
    /// Organisations in DeployCenter.
    pub organisations: usize,
    /// Accounts in DeployCenter.
    pub accounts: usize,
    /// Faults installed.
    pub faults: usize,
    /// Access tokens issued.
    pub tokens_issued: u64,
    /// Requests and the most at once, by system.
    pub requests: std::collections::BTreeMap<System, Requests>,
}

/// Requests to one system since the last clear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Requests {
    /// How many arrived.
    pub count: u64,
    /// The most that were being answered at once.
    pub peak_concurrency: usize,
}

impl Handle {
    pub(crate) fn new(world: Arc<World>) -> Handle {
        Handle(world)
    }

    /// Applies a change.
    ///
    /// # Errors
    /// When it is refused; then nothing changed.
    pub fn apply(&self, change: &Change) -> Result<(), ChangeError> {
        self.0.organisation_mut().apply(change)
    }

    #[track_caller]
    fn must(&self, change: Change) -> &Handle {
        if let Err(error) = self.apply(&change) {
            panic!("simulator: {error} ({change:?})");
        }
        self
    }
}

/// The directory.
impl Handle {
    /// Adds an active user; one that exists stays as it is. Returns its id.
    #[track_caller]
    pub fn add_user(&self, email: &str) -> DirectoryId {
        self.must(Change::User(UserChange::Add { email: email.to_owned() }));
        self.id_of(email)
    }

    /// Adds an empty group; one that exists stays as it is. Returns its id.
    #[track_caller]
    pub fn add_group(&self, email: &str) -> DirectoryId {
        self.must(Change::Group(GroupChange::Add { email: email.to_owned() }));
        self.id_of(email)
    }

    #[track_caller]
    fn id_of(&self, email: &str) -> DirectoryId {
        let id = self.directory_id(email);
        id.unwrap_or_else(|| panic!("simulator: nobody is called {email:?}"))
    }

    /// Google's id of a user or a group that is alive.
    pub fn directory_id(&self, key: &str) -> Option<DirectoryId> {
        self.0.organisation().workspace.member_id(key)
    }

    /// Adds an alias to a user.
    #[track_caller]
    pub fn add_alias(&self, email: &str, alias: &str) -> &Handle {
        self.must(Change::User(UserChange::AddAlias { email: email.to_owned(), alias: alias.to_owned() }))
    }

    /// Takes an alias away from a user.
    #[track_caller]
    pub fn remove_alias(&self, email: &str, alias: &str) -> &Handle {
        self.must(Change::User(UserChange::RemoveAlias { email: email.to_owned(), alias: alias.to_owned() }))
    }

    /// Changes a user's primary address; the id stays and the old address becomes an alias.
    #[track_caller]
    pub fn readdress_user(&self, email: &str, new_email: &str) -> &Handle {
        self.must(Change::User(UserChange::Readdress { email: email.to_owned(), new_email: new_email.to_owned() }))
    }

    /// Suspends a user; the memberships stay.
    #[track_caller]
    pub fn suspend_user(&self, email: &str) -> &Handle {
        self.must(Change::User(UserChange::Suspend { email: email.to_owned() }))
    }

    /// Ends a suspension.
    #[track_caller]
    pub fn reactivate_user(&self, email: &str) -> &Handle {
        self.must(Change::User(UserChange::Reactivate { email: email.to_owned() }))
    }

    /// Makes a super administrator of a user, or none.
    #[track_caller]
    pub fn make_admin(&self, email: &str, status: bool) -> &Handle {
        self.must(Change::User(UserChange::MakeAdmin { email: email.to_owned(), status }))
    }

    /// Deletes a user: as a `userKey` it answers 412 from now on.
    #[track_caller]
    pub fn delete_user(&self, email: &str) -> &Handle {
        self.must(Change::User(UserChange::Delete { email: email.to_owned() }))
    }

    /// Deletes a user without a trace: as a `userKey` it answers 404 from now on.
    #[track_caller]
    pub fn purge_user(&self, email: &str) -> &Handle {
        self.must(Change::User(UserChange::Purge { email: email.to_owned() }))
    }

    /// Changes a group's address; the id stays.
    #[track_caller]
    pub fn readdress_group(&self, email: &str, new_email: &str) -> &Handle {
        self.must(Change::Group(GroupChange::Readdress { email: email.to_owned(), new_email: new_email.to_owned() }))
    }

    /// Sets a group's name and description.
    #[track_caller]
    pub fn describe_group(&self, email: &str, name: &str, description: &str) -> &Handle {
        let (email, name, description) = (email.to_owned(), name.to_owned(), description.to_owned());
        self.must(Change::Group(GroupChange::Describe { email, name, description }))
    }

    /// Deletes a group with its memberships.
    #[track_caller]
    pub fn delete_group(&self, email: &str) -> &Handle {
        self.must(Change::Group(GroupChange::Delete { email: email.to_owned() }))
    }

    /// States a `directMembersCount`, true or not; `None` states the true one again.
    #[track_caller]
    pub fn state_members_count(&self, group: &str, count: Option<u64>) -> &Handle {
        self.must(Change::Group(GroupChange::StateMembersCount { email: group.to_owned(), count }))
    }

    /// Adds a user or a group to a group. A group that does not exist is added first; so is a member, as a user.
    #[track_caller]
    pub fn add_member(&self, group: &str, member: &str) -> &Handle {
        self.add_member_as(group, member, Role::Member)
    }

    /// The same, with a role.
    #[track_caller]
    pub fn add_member_as(&self, group: &str, member: &str, role: Role) -> &Handle {
        let (group, member) = (group.to_owned(), member.to_owned());
        self.must(Change::Membership(MembershipChange::Add { group, member, role }))
    }

    /// Adds an address outside the directory (type `EXTERNAL`).
    #[track_caller]
    pub fn add_external(&self, group: &str, member: &str) -> &Handle {
        let (group, member) = (group.to_owned(), member.to_owned());
        self.must(Change::Membership(MembershipChange::AddExternal { group, member }))
    }

    /// Adds everybody of the customer: an entry without an e-mail (type `CUSTOMER`).
    #[track_caller]
    pub fn add_customer(&self, group: &str) -> &Handle {
        self.must(Change::Membership(MembershipChange::AddCustomer { group: group.to_owned() }))
    }

    /// Removes a direct member.
    #[track_caller]
    pub fn remove_member(&self, group: &str, member: &str) -> &Handle {
        let (group, member) = (group.to_owned(), member.to_owned());
        self.must(Change::Membership(MembershipChange::Remove { group, member }))
    }
}
