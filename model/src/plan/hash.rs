//! A plan's content hash: the same as long as the observation and the stored rows are.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::{Plan, hex};
use crate::desired::Pair;
use crate::groups::Rename;
use crate::identity::UserId;
use crate::instant::Instant;
use crate::people::{PeopleChanges, Readdress};

impl Plan {
    /// The content hash (lower-case hex of SHA-256): the same as long as the observation and the stored rows are.
    ///
    /// What is not stored yet has no lasting id, so it goes in by name. When a scheduled removal is due depends on when it was
    /// first asked, so that how long it waits goes in instead.
    #[must_use]
    pub fn hash(&self) -> String {
        let users: BTreeMap<_, _> = self.new_users.iter().map(|(id, address)| (id, address.key())).collect();
        let groups: BTreeMap<_, _> = self.new_groups.iter().map(|(id, group)| (id, group.name())).collect();
        let name = |user: &UserId| users.get(user).map_or_else(|| user.to_string(), |key| format!("+{}", key.as_str()));
        let pair = |(group, user): &Pair| {
            let group = groups.get(group).map_or_else(|| group.to_string(), |name| format!("+{name}"));
            digest_of(&[&group, &name(user)])
        };
        let waits =
            |(of, due_at): &(Pair, Instant)| digest_of(&[&hex(&pair(of)), &(*due_at - self.began_at).to_string()]);
        let changed = self.entitlements.iter().flat_map(|(user, changes)| {
            let text = |value: &Option<_>| value.as_ref().map_or("", crate::EntitlementValue::text).to_owned();
            changes.iter().map(move |(key, change)| {
                digest_of(&[&user.to_string(), key, &text(&change.before), &text(&change.after)])
            })
        });
        let renamed = self
            .renamed_groups
            .iter()
            .map(|Rename { group, before, after }| digest_of(&[&group.to_string(), before, after]));
        let mut digest = Sha256::new();
        for (section, mut lines) in [
            ("source", vec![digest_of(&[self.source.as_str()])]),
            ("groups", groups.values().map(|name| digest_of(&[name])).collect()),
            ("users", users.values().map(|key| digest_of(&[key.as_str()])).collect()),
            ("creates", self.creates.iter().map(pair).collect::<Vec<_>>()),
            ("removes", self.removes.iter().map(pair).collect()),
            ("scheduled", self.scheduled.iter().map(waits).collect()),
            ("cancelled", self.cancelled.iter().map(pair).collect()),
            ("entitlements", changed.collect()),
            ("renamed", renamed.collect()),
            ("deleted", self.deleted_groups.iter().map(|group| digest_of(&[&group.to_string()])).collect()),
            ("people", people_lines(&self.people, &name)),
        ] {
            lines.sort_unstable();
            digest.update(section);
            digest.update((lines.len() as u64).to_be_bytes());
            lines.iter().for_each(|line| digest.update(line));
        }
        hex(&digest.finalize())
    }
}

/// What the accounts change, a line each, in terms that last.
fn people_lines(people: &PeopleChanges, name: &dyn Fn(&UserId) -> String) -> Vec<[u8; 32]> {
    let PeopleChanges { addresses, accounts, of_accounts, suspended, reactivated } = people;
    let mut lines = Vec::new();
    lines.extend(addresses.iter().map(|(user, change)| match change {
        Readdress::To(address) => digest_of(&["to", &name(user), address.as_given()]),
        Readdress::Lost => digest_of(&["lost", &name(user)]),
        Readdress::Absorbed => digest_of(&["absorbed", &name(user)]),
    }));
    lines.extend(accounts.iter().map(|(id, user)| digest_of(&["account", id, &name(user)])));
    lines.extend(of_accounts.iter().map(|(key, user)| digest_of(&["address", key.as_str(), &name(user)])));
    lines.extend(suspended.iter().map(|user| digest_of(&["suspended", &name(user)])));
    lines.extend(reactivated.iter().map(|user| digest_of(&["reactivated", &name(user)])));
    lines
}

fn digest_of(fields: &[&str]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for field in fields {
        digest.update((field.len() as u64).to_be_bytes());
        digest.update(field);
    }
    digest.finalize().into()
}
