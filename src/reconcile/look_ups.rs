//! What a run's look-ups of a directory's administrators came to: a stored word is stale while a newer look-up failed.

use std::collections::BTreeSet;

use entitled_model::observation::Observation;
use entitled_model::plan::Plan;
use entitled_model::{ErrorClass, Instant, UserId};

use super::{Run, Scope};
use crate::store::{LookUp, LookedUp};

/// The look-ups of a run that learned something.
pub(super) fn of(run: &Run<'_>, observation: &Observation, plan: &Plan) -> Vec<LookUp> {
    if !run.source.administrators_are_owners || plan.held.is_some() {
        return Vec::new();
    }
    let failed = |of, began_at, class| LookUp { of, began_at, failure: Some(class) };
    let one = |user: UserId| LookedUp::Users(BTreeSet::from([user]));
    match observation {
        Observation::Census { began_at, census, .. } => {
            // Of whom a list that was read says nothing all the same.
            let class = census.accounts_unread.as_ref().map_or(ErrorClass::Incomplete, |failure| failure.class);
            let answered = LookUp { of: LookedUp::Users(plan.heard.clone()), began_at: *began_at, failure: None };
            vec![failed(LookedUp::Everybody, *began_at, class), answered]
        }
        Observation::Users(asked) => {
            let look_up = |asked: &entitled_model::observation::AskedUser| match &asked.answer {
                Err(failure) => failed(one(asked.user), asked.began_at, failure.class),
                Ok(_) if plan.heard.contains(&asked.user) => {
                    LookUp { of: one(asked.user), began_at: asked.began_at, failure: None }
                }
                Ok(_) => failed(one(asked.user), asked.began_at, ErrorClass::Incomplete),
            };
            asked.iter().map(look_up).collect()
        }
    }
}

/// The look-up of a run that learned nothing; none where nobody was looked up.
pub(super) fn failed(run: &Run<'_>, began_at: Instant, class: ErrorClass) -> Option<LookUp> {
    let of = match &run.scope {
        Scope::Whole => LookedUp::Everybody,
        Scope::Users(asked) => LookedUp::Users(asked.iter().map(|asked| asked.person.user).collect()),
    };
    run.source.administrators_are_owners.then_some(LookUp { of, began_at, failure: Some(class) })
}
