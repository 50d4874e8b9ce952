//! The difference of two sorted lists of memberships, in one pass.

use crate::desired::Pair;

/// What would turn the stored memberships into the desired ones.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Desired and not stored, ascending.
    pub missing: Vec<Pair>,
    /// Stored and not desired, ascending.
    pub unlisted: Vec<Pair>,
}

/// Compares two ascending lists without repeats. What is missing is left over of `desired`, where it stands: of a first
/// import that is all of it, and it would not do to have a million twice.
#[must_use]
pub fn diff(mut desired: Vec<Pair>, stored: &[Pair]) -> Diff {
    let mut unlisted = Vec::new();
    let mut have = stored.iter().copied().peekable();
    desired.retain(|wanted| {
        while let Some(passed) = have.next_if(|stored| stored < wanted) {
            unlisted.push(passed);
        }
        have.next_if_eq(wanted).is_none()
    });
    unlisted.extend(have);
    Diff { missing: desired, unlisted }
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
            let found = diff(wanted, &stored);
            prop_assert_eq!(&found.missing, &want.difference(&have).copied().collect::<Vec<_>>());
            prop_assert_eq!(&found.unlisted, &have.difference(&want).copied().collect::<Vec<_>>());
        }
    }
}
