//! Enumeration: many users' answers derived from a few lists, and how far such answers are trusted.
//!
//! What was derived may grant. What it would take away is asked about, user by user; so is a sample, which is compared.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::entitlement::{EntitlementValue, Entitlements};
use crate::identity::UserId;
use crate::instant::Instant;
use crate::mapping::MapRule;
use crate::observation::{Coverage, ObservedGroup, Said, Stated, UserAnswer};

/// One in so many of a sample is of those answered longest ago. The others are drawn, so that users who can't be answered
/// never fill the sample for ever.
const OLDEST_PART: usize = 2;

/// What the lists of a source say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Enumerated {
    /// One for each user, in the order asked; none for one about whom the lists can't be read.
    pub answers: Vec<Option<UserAnswer>>,
    /// Groups that users may also have in ways that the lists don't show.
    pub unseen: BTreeSet<ObservedGroup>,
}

/// Chooses `size` users to be asked one by one: of those given with the instant of their last whole answer.
///
/// They are drawn by the beginning of the `latest` applied observation. A plan that is held moves nothing, so the next run
/// chooses the same users and comes to the same plan.
#[must_use]
pub fn sample(users: &[(UserId, Instant)], latest: Option<Instant>, size: usize) -> BTreeSet<UserId> {
    let mut oldest: Vec<_> = users.iter().map(|(user, answered_at)| (*answered_at, *user)).collect();
    oldest.sort_unstable();
    let mut chosen: BTreeSet<UserId> = oldest.iter().map(|(_, user)| *user).take(size.div_ceil(OLDEST_PART)).collect();
    let drawn_by = latest.map(|latest| latest.timestamp_micros()).unwrap_or_default().to_be_bytes();
    let lot = |user: UserId| Sha256::new().chain_update(drawn_by).chain_update(user.0.as_bytes()).finalize();
    let others = users.iter().map(|(user, _)| *user).filter(|user| !chosen.contains(user));
    let mut drawn: Vec<_> = others.map(|user| (lot(user), user)).collect();
    drawn.sort_unstable();
    let missing = size.saturating_sub(chosen.len());
    chosen.extend(drawn.into_iter().map(|(_, user)| user).take(missing));
    chosen
}

/// Whether a derived answer lists less than what is stored: then it proves nothing.
#[must_use]
pub fn would_take(stored: &Entitlements, derived: &UserAnswer, rules: &[MapRule]) -> bool {
    rules.iter().any(|rule| match stored_groups(stored, rule) {
        Some(groups) => !groups.is_subset(&derived.groups),
        None => false,
    })
}

/// The derived answer, with the stored spelling of every entitlement that means the same: the order and the case of a list
/// are the source's, and no news.
#[must_use]
pub fn in_stored_words(stored: &Entitlements, mut derived: UserAnswer, rules: &[MapRule]) -> UserAnswer {
    let Stated::Only(stated) = &mut derived.stated else { return derived };
    for rule in rules {
        let (Some(said), Some(known)) = (stated.get_mut(&rule.entitlement), stored.get(&rule.entitlement)) else {
            continue;
        };
        if read(rule, said) == stored_groups(stored, rule) {
            said.clone_from(known);
        }
    }
    derived
}

/// Whether a derived answer says what the answer to the question about the user alone does. Where the derived one is
/// silent there is nothing to compare; lacking `unseen` groups is never held against it.
#[must_use]
pub fn agrees(derived: &UserAnswer, asked: &UserAnswer, unseen: &BTreeSet<ObservedGroup>) -> bool {
    let (Coverage::Facets(facets), Coverage::Facets(of_asked)) = (&derived.coverage, &asked.coverage) else {
        return false;
    };
    if !facets.is_subset(of_asked) {
        return false;
    }
    let about = |group: &&ObservedGroup| match group {
        ObservedGroup::Resource { facet, .. } => facets.contains(facet),
        ObservedGroup::System(_) | ObservedGroup::Directory { .. } => false,
    };
    let asked: BTreeSet<&ObservedGroup> = asked.groups.iter().filter(about).collect();
    let derived: BTreeSet<&ObservedGroup> = derived.groups.iter().filter(about).collect();
    let mut lacking = asked.difference(&derived);
    derived.is_subset(&asked) && lacking.all(|group| unseen.contains(*group))
}

fn stored_groups(stored: &Entitlements, rule: &MapRule) -> Option<BTreeSet<ObservedGroup>> {
    stored.get(&rule.entitlement).and_then(|value| read(rule, value))
}

fn read(rule: &MapRule, value: &EntitlementValue) -> Option<BTreeSet<ObservedGroup>> {
    match rule.groups(&BTreeMap::from([(rule.entitlement.clone(), value.json())])) {
        Ok(Said::Known(groups)) => Some(groups),
        Ok(Said::Absent) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;
    use crate::identity::Facet;

    const KEY: &str = "can_admin_maildomains";

    fn rule() -> MapRule {
        let facet = Facet { resource_type: "maildomain".into(), permission: "admin".into() };
        MapRule { entitlement: KEY.into(), facet }
    }

    fn entitlements(domains: &Value) -> Entitlements {
        Entitlements::from([(KEY.to_owned(), EntitlementValue::of(domains))])
    }

    /// An answer that lists `domains`; null for one that says nothing.
    fn answer(domains: &Value) -> UserAnswer {
        let stated = BTreeMap::from([(KEY.to_owned(), domains.clone())]);
        let (groups, facets, only) = match rule().groups(&stated).expect("well-formed") {
            Said::Known(groups) => (groups, BTreeSet::from([rule().facet]), entitlements(domains)),
            Said::Absent => (BTreeSet::new(), BTreeSet::new(), Entitlements::new()),
        };
        let (coverage, stated) = (Coverage::Facets(facets), Stated::Only(only));
        UserAnswer { groups, paths: BTreeMap::new(), coverage, stated, present: true, verdict: None, account: None }
    }

    fn user(n: usize) -> UserId {
        UserId(Uuid::from_u128(n as u128))
    }

    fn at(seconds: usize) -> Instant {
        DateTime::from_timestamp(seconds as i64, 0).expect("in range")
    }

    #[test]
    fn a_derived_answer_takes_only_what_is_stored_and_not_listed() {
        let stored = entitlements(&json!(["a.fr", "B.fr "]));
        let takes = |domains| would_take(&stored, &answer(&domains), &[rule()]);
        assert!(!takes(json!(["b.fr", "a.fr", "c.fr"])));
        assert!(takes(json!(["a.fr"])));
        assert!(takes(Value::Null), "silence proves as little as a shorter list");
        assert!(!would_take(&Entitlements::new(), &answer(&json!([])), &[rule()]));
        assert!(!would_take(&entitlements(&json!([])), &answer(&Value::Null), &[rule()]));
    }

    #[test]
    fn the_order_and_the_case_of_a_list_are_no_news() {
        let stored = entitlements(&json!(["a.fr", "B.fr "]));
        let said = |domains| in_stored_words(&stored, answer(&domains), &[rule()]).stated;
        assert_eq!(said(json!(["b.fr", "a.fr"])), Stated::Only(stored.clone()));
        assert_eq!(said(json!(["c.fr", "b.fr", "a.fr"])), answer(&json!(["c.fr", "b.fr", "a.fr"])).stated);
        assert_eq!(said(Value::Null), Stated::Only(Entitlements::new()));
    }

    #[test]
    fn answers_are_compared_where_the_derived_one_speaks() {
        let none = BTreeSet::new();
        let cases = [
            (json!(["a.fr"]), json!(["A.fr"]), true),
            (json!(["a.fr", "b.fr"]), json!(["a.fr"]), false),
            (json!(["a.fr"]), json!(["a.fr", "b.fr"]), false),
            (json!(["c.fr"]), json!(["b.fr"]), false),
            (json!(["a.fr"]), Value::Null, false),
            (json!([]), Value::Null, false),
            (Value::Null, json!(["a.fr"]), true),
        ];
        for (derived, asked, expected) in cases {
            assert_eq!(agrees(&answer(&derived), &answer(&asked), &none), expected, "{derived} {asked}");
        }
        let unseen = answer(&json!(["b.fr"])).groups;
        assert!(agrees(&answer(&json!([])), &answer(&json!(["b.fr"])), &unseen));
        assert!(!agrees(&answer(&json!(["b.fr"])), &answer(&json!([])), &unseen));
    }

    #[test]
    fn a_sample_has_its_size_and_comes_round_to_everybody() {
        let run = |n: usize| Some(at(1000 + n));
        let mut users: Vec<_> = (0..50).map(|n| (user(n), at(0))).collect();
        assert!(sample(&users, run(0), 0).is_empty());
        assert_eq!(sample(&users, run(0), 80).len(), 50);
        assert_eq!(sample(&users, run(0), 7), sample(&users, run(0), 7), "by the latest observation and nothing else");
        let mut seen = BTreeSet::new();
        for n in 1..=13 {
            let chosen = sample(&users, run(n), 7);
            assert_eq!(chosen.len(), 7);
            for (user, answered_at) in &mut users {
                if chosen.contains(user) {
                    *answered_at = at(n);
                }
            }
            seen.extend(chosen);
        }
        assert_eq!(seen.len(), 50, "the oldest part alone comes round in 13 runs");
    }

    #[test]
    fn users_who_are_never_answered_do_not_keep_the_others_out() {
        let users: Vec<_> = (0..50).map(|n| (user(n), at(n))).collect();
        let runs = (0..400).map(|n| sample(&users, Some(at(n)), 10));
        let seen: BTreeSet<UserId> = runs.flatten().collect();
        assert_eq!(seen.len(), 50);
    }
}
