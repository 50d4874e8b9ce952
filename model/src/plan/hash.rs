//! A plan's content hash: the same as long as the observation and the stored rows are.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::{Plan, hex};
use crate::administrators::Administration;
use crate::desired::Pair;
use crate::groups::Rename;
use crate::identity::UserId;
use crate::instant::Instant;
use crate::people::{PeopleChanges, Readdress};

/// The digest of one thing that a plan does.
type Line = [u8; 32];

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
        let word = |state: &Option<Administration>| state.map_or("", Administration::as_str);
        let administrators = self
            .administrators
            .iter()
            .map(|(user, (before, after))| digest_of(&["administrator", &name(user), word(before), word(after)]));
        let mut digest = Sha256::new();
        // One section at a time stands in memory: a first import's creates are 32 bytes each.
        let sections: [(_, Box<dyn Iterator<Item = Line> + '_>); _] = [
            ("source", Box::new(std::iter::once(digest_of(&[self.source.as_str()])))),
            ("groups", Box::new(groups.values().map(|name| digest_of(&[name])))),
            ("users", Box::new(users.values().map(|key| digest_of(&[key.as_str()])))),
            ("creates", Box::new(self.creates.iter().map(pair))),
            ("removes", Box::new(self.removes.iter().map(pair))),
            ("scheduled", Box::new(self.scheduled.iter().map(waits))),
            ("cancelled", Box::new(self.cancelled.iter().map(pair))),
            ("entitlements", Box::new(changed)),
            ("renamed", Box::new(renamed)),
            ("deleted", Box::new(self.deleted_groups.iter().map(|group| digest_of(&[&group.to_string()])))),
            ("people", Box::new(people_lines(&self.people, &name).chain(administrators))),
        ];
        for (section, lines) in sections {
            let mut lines: Vec<Line> = lines.collect();
            lines.sort_unstable();
            digest.update(section);
            digest.update((lines.len() as u64).to_be_bytes());
            lines.iter().for_each(|line| digest.update(line));
        }
        hex(&digest.finalize())
    }
}

/// What the accounts change, a line each, in terms that last.
fn people_lines(people: &PeopleChanges, name: impl Fn(&UserId) -> String + Copy) -> impl Iterator<Item = Line> {
    let PeopleChanges { addresses, accounts, of_accounts, suspended, reactivated } = people;
    let addresses = addresses.iter().map(move |(user, change)| match change {
        Readdress::To(address) => digest_of(&["to", &name(user), address.as_given()]),
        Readdress::Lost => digest_of(&["lost", &name(user)]),
        Readdress::Absorbed => digest_of(&["absorbed", &name(user)]),
    });
    let accounts = accounts.iter().map(move |(id, user)| digest_of(&["account", id, &name(user)]));
    let of_accounts = of_accounts.iter().map(move |(key, user)| digest_of(&["address", key.as_str(), &name(user)]));
    let suspended = suspended.iter().map(move |user| digest_of(&["suspended", &name(user)]));
    let reactivated = reactivated.iter().map(move |user| digest_of(&["reactivated", &name(user)]));
    addresses.chain(accounts).chain(of_accounts).chain(suspended).chain(reactivated)
}

fn digest_of(fields: &[&str]) -> Line {
    let mut digest = Sha256::new();
    for field in fields {
        digest.update((field.len() as u64).to_be_bytes());
        digest.update(field);
    }
    digest.finalize().into()
}
