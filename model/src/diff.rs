//! The difference of two sorted lists of memberships, in one pass.

use std::cmp::Ordering;

use crate::desired::Pair;

/// What would turn the stored memberships into the desired ones.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Desired and not stored, ascending.
    pub missing: Vec<Pair>,
    /// Stored and not desired, ascending.
    pub unlisted: Vec<Pair>,
}

/// Compares two ascending lists without repeats.
#[must_use]
pub fn diff(desired: &[Pair], stored: &[Pair]) -> Diff {
    let mut found = Diff::default();
    let (mut want, mut have) = (desired.iter().peekable(), stored.iter().peekable());
    loop {
        let order = match (want.peek(), have.peek()) {
            (None, None) => return found,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(wanted), Some(stored)) => wanted.cmp(stored),
        };
        match order {
            Ordering::Less => found.missing.extend(want.next()),
            Ordering::Greater => found.unlisted.extend(have.next()),
            Ordering::Equal => {
                want.next();
                have.next();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::identity::{GroupId, UserId};

    fn pairs() -> impl Strategy<Value = BTreeSet<Pair>> {
        let pair = (0u128..6, 0u128..12).prop_map(|(g, u)| (GroupId(Uuid::from_u128(g)), UserId(Uuid::from_u128(u))));
        proptest::collection::btree_set(pair, 0..40)
    }

    proptest! {
        #[test]
        fn diff_is_set_difference_both_ways(want in pairs(), have in pairs()) {
            // S2
            let (wanted, stored): (Vec<_>, Vec<_>) = (want.iter().copied().collect(), have.iter().copied().collect());
            let found = diff(&wanted, &stored);
            prop_assert_eq!(&found.missing, &want.difference(&have).copied().collect::<Vec<_>>());
            prop_assert_eq!(&found.unlisted, &have.difference(&want).copied().collect::<Vec<_>>());
        }
    }
}
