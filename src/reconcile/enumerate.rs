//! A whole run of a backend that can be enumerated: the lists, those who are asked one by one all the same, and what is
//! believed in the end (ADR 0011).
//!
//! Invariant: an answer derived from lists takes nothing away and is nobody's first; where it is not trusted, everybody is
//! asked, as if there were no lists.

use std::collections::{BTreeMap, BTreeSet};

use entitled_model::entitlement::Entitlements;
use entitled_model::enumeration::{self, Enumerated};
use entitled_model::observation::{AskedUser, Observation, UserAnswer};
use entitled_model::{ErrorClass, Failure, Instant, UserId};

use super::observe::{Asking, concluded, one_by_one};
use crate::source::{Enumerator, Person, Urgency};

/// Users whose derived answer may be wrong while the others' are still believed: one may have changed meanwhile.
const DISAGREEING_MAX: usize = 1;

/// What the store knows of those who are asked about.
#[derive(Debug, Default)]
pub struct Past {
    pub stored: BTreeMap<UserId, Entitlements>,
    /// When the last whole answer about each was complete; users who never had one are not here.
    pub answered_at: BTreeMap<UserId, Instant>,
    /// When the latest applied observation of the source began.
    pub latest: Option<Instant>,
}

/// What came of reading many users from lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enumeration {
    /// The lists were used, except for these users, whose own answers said otherwise.
    Used { disagreeing: BTreeSet<UserId> },
    /// Too many of those asked one by one disagreed, so everybody was.
    Distrusted { disagreeing: BTreeSet<UserId> },
    /// The lists could not be read, so everybody was asked one by one.
    Failed(Failure),
}

/// Observes everybody by way of the lists.
///
/// # Errors
/// When nothing could be learned.
pub(super) async fn observe(
    asking: &Asking<'_>,
    enumerator: &dyn Enumerator,
    people: Vec<Person>,
    past: &Past,
) -> (Result<Observation, Failure>, Enumeration) {
    // Nothing in the lists is older than this.
    let began_at = asking.clock.now().max(asking.began_at);
    let enumerated = match enumerator.enumerate(&people).await {
        Ok(enumerated) => enumerated,
        Err(failure) => {
            let asked = one_by_one(asking, people, Urgency::Background).await;
            return (concluded(asked), Enumeration::Failed(failure));
        }
    };
    let Enumerated { answers, unseen } = enumerated;
    let derived: BTreeMap<UserId, UserAnswer> =
        people.iter().zip(answers).filter_map(|(person, answer)| Some((person.user, answer?))).collect();
    let order: Vec<UserId> = people.iter().map(|person| person.user).collect();
    let to_ask = to_ask(asking, &people, &derived, past, enumerator.sample());
    let (checked, others): (Vec<Person>, Vec<Person>) =
        people.into_iter().partition(|person| to_ask.contains(&person.user));
    let mut asked = one_by_one(asking, checked, Urgency::Background).await;
    let disagrees = |asked: &&AskedUser| match (derived.get(&asked.user), &asked.answer) {
        (Some(derived), Ok(answer)) => !enumeration::agrees(derived, answer, &unseen),
        (None, _) | (_, Err(_)) => false,
    };
    let disagreeing: BTreeSet<UserId> = asked.iter().filter(disagrees).map(|asked| asked.user).collect();
    if source_failed(&asked) {
        return (concluded(asked), Enumeration::Used { disagreeing });
    }
    if disagreeing.len() > DISAGREEING_MAX {
        asked.extend(one_by_one(asking, others, Urgency::Background).await);
        return (concluded(in_order(asked, &order)), Enumeration::Distrusted { disagreeing });
    }
    let rules = &asking.source.map;
    let nothing = Entitlements::new();
    asked.extend(others.into_iter().filter_map(|person| {
        let stored = past.stored.get(&person.user).unwrap_or(&nothing);
        let answer = enumeration::in_stored_words(stored, derived.get(&person.user)?.clone(), rules);
        // The age of an answer is that of its oldest part.
        let completed_at = *past.answered_at.get(&person.user)?;
        Some(AskedUser { user: person.user, began_at, completed_at, answer: Ok(answer) })
    }));
    (concluded(in_order(asked, &order)), Enumeration::Used { disagreeing })
}

/// Whether nobody was answered, and not for a reason that is one user's own: then there is nothing to hold the lists
/// against.
fn source_failed(asked: &[AskedUser]) -> bool {
    let of_the_source = |failure: &Failure| !matches!(failure.class, ErrorClass::Malformed | ErrorClass::MissingClaim);
    asked.iter().all(|asked| asked.answer.is_err())
        && asked.iter().any(|asked| asked.answer.as_ref().is_err_and(of_the_source))
}

/// Those about whom the lists don't suffice: nothing is derived, nothing was ever answered, something would be taken away;
/// and the sample.
fn to_ask(
    asking: &Asking<'_>,
    people: &[Person],
    derived: &BTreeMap<UserId, UserAnswer>,
    past: &Past,
    sample: usize,
) -> BTreeSet<UserId> {
    let rules = &asking.source.map;
    let nothing = Entitlements::new();
    let (mut to_ask, mut covered) = (BTreeSet::new(), Vec::new());
    for Person { user, .. } in people {
        let stored = past.stored.get(user).unwrap_or(&nothing);
        match (derived.get(user), past.answered_at.get(user)) {
            (Some(derived), Some(answered_at)) if !enumeration::would_take(stored, derived, rules) => {
                covered.push((*user, *answered_at));
            }
            _ => drop(to_ask.insert(*user)),
        }
    }
    to_ask.extend(enumeration::sample(&covered, past.latest, sample));
    to_ask
}

/// In the order in which they would have been asked, so that two runs print the same.
fn in_order(mut asked: Vec<AskedUser>, order: &[UserId]) -> Vec<AskedUser> {
    let places: BTreeMap<UserId, usize> = order.iter().enumerate().map(|(place, user)| (*user, place)).collect();
    asked.sort_by_key(|asked| places.get(&asked.user).copied());
    asked
}
