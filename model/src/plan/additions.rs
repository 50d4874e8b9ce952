//! The additions of a held plan, where policy lets them through.

use std::collections::{BTreeMap, BTreeSet};

use super::Plan;
use crate::identity::UserId;
use crate::people::PeopleChanges;

impl Plan {
    /// The users of whom these additions write something: of them the observation is applied.
    #[must_use]
    pub fn spoken_of(&self) -> BTreeSet<UserId> {
        let members = self.creates.iter().chain(&self.cancelled).map(|(_, user)| *user);
        let new = self.new_users.iter().map(|(user, _)| *user);
        members.chain(new).chain(self.entitlements.keys().copied()).collect()
    }

    /// Takes out of a held plan what it gives: new users and groups, memberships, and what is stated about users from whom
    /// it takes nothing. What is left has the same hash once the additions are made.
    pub(super) fn take_additions(&mut self) -> Plan {
        let newcomers: BTreeSet<UserId> = self.new_users.iter().map(|(user, _)| *user).collect();
        let scheduled = self.scheduled.iter().map(|(pair, _)| pair);
        let losing: BTreeSet<UserId> = self.removes.iter().chain(scheduled).map(|(_, user)| *user).collect();
        let entitlements = std::mem::take(&mut self.entitlements);
        let (waiting, stated) = entitlements.into_iter().partition(|(user, _)| losing.contains(user));
        self.entitlements = waiting;
        Plan {
            source: self.source.clone(),
            began_at: self.began_at,
            new_users: std::mem::take(&mut self.new_users),
            new_groups: std::mem::take(&mut self.new_groups),
            renamed_groups: Vec::new(),
            deleted_groups: BTreeSet::new(),
            vanished: None,
            administrators: BTreeMap::new(),
            heard: BTreeSet::new(),
            kept_owner: None,
            people: of_newcomers(&mut self.people, &newcomers),
            creates: std::mem::take(&mut self.creates),
            removes: Vec::new(),
            scheduled: Vec::new(),
            cancelled: std::mem::take(&mut self.cancelled),
            kept: Vec::new(),
            newly_blocked: Vec::new(),
            entitlements: stated,
            unchanged: self.unchanged,
            unchanged_of: BTreeMap::new(),
            held: None,
            additions: None,
        }
    }
}

fn of_newcomers(people: &mut PeopleChanges, newcomers: &BTreeSet<UserId>) -> PeopleChanges {
    let PeopleChanges { addresses, accounts, of_accounts, suspended, reactivated } = people;
    PeopleChanges {
        addresses: addresses.extract_if(.., |user, _| newcomers.contains(user)).collect(),
        accounts: accounts.extract_if(.., |_, user| newcomers.contains(user)).collect(),
        of_accounts: of_accounts.extract_if(.., |_, user| newcomers.contains(user)).collect(),
        suspended: suspended.extract_if(.., |user| newcomers.contains(user)).collect(),
        reactivated: reactivated.extract_if(.., |user| newcomers.contains(user)).collect(),
    }
}
