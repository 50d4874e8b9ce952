//! From a backend's entitlements to the model's answer. Imports the model; pure.

use std::collections::{BTreeMap, BTreeSet};

use entitled_model::observation::{Coverage, Stated, UserAnswer};
use entitled_model::{EntitlementValue, ErrorClass, Failure, MapRule, Said};
use serde_json::Value;

/// The longest key of an entitlement, in bytes: it is a part of the store's keys.
const KEY_BYTES_MAX: usize = 256;

/// Keeps every entitlement verbatim, and makes groups of the mapped ones.
///
/// The answer speaks of a rule's facet only when the rule's entitlement is there; the others still apply.
///
/// # Errors
/// `malformed` when a mapped entitlement is not a list of non-empty strings, or a key can't be kept: then nothing of the
/// answer counts.
pub(super) fn read(stated: &BTreeMap<String, Value>, rules: &[MapRule]) -> Result<UserAnswer, Failure> {
    let mut groups = BTreeSet::new();
    let mut facets = BTreeSet::new();
    let mut unsaid = BTreeSet::new();
    stated.keys().try_for_each(|key| check_key(key))?;
    for rule in rules {
        match rule.groups(stated)? {
            Said::Known(said) => {
                groups.extend(said);
                facets.insert(rule.facet.clone());
            }
            Said::Absent => drop(unsaid.insert(rule.entitlement.clone())),
        }
    }
    let said = stated.iter().filter(|(key, _)| !unsaid.contains(*key));
    let entitlements = said.map(|(key, value)| (key.clone(), EntitlementValue::of(value))).collect();
    let coverage = Coverage::Facets(facets);
    Ok(UserAnswer {
        groups,
        paths: BTreeMap::new(),
        coverage,
        stated: Stated::All { entitlements, unsaid },
        present: true,
        verdict: None,
        account: None,
    })
}

/// The same of an answer that speaks of mapped entitlements alone.
///
/// # Errors
/// `malformed`, as [`read`].
pub(super) fn read_mapped(stated: &BTreeMap<String, Value>, rules: &[MapRule]) -> Result<UserAnswer, Failure> {
    let answer = read(stated, rules)?;
    let entitlements = answer.stated.entitlements().cloned().unwrap_or_default();
    Ok(UserAnswer { stated: Stated::Only(entitlements), ..answer })
}

/// The answer about somebody whom the source does not know: they have nothing there.
pub(super) fn unlisted() -> UserAnswer {
    UserAnswer {
        groups: BTreeSet::new(),
        paths: BTreeMap::new(),
        coverage: Coverage::Everything,
        stated: Stated::All { entitlements: BTreeMap::new(), unsaid: BTreeSet::new() },
        present: false,
        verdict: None,
        account: None,
    }
}

fn check_key(key: &str) -> Result<(), Failure> {
    if key.len() <= KEY_BYTES_MAX && !key.chars().any(char::is_control) {
        return Ok(());
    }
    let message =
        format!("the key of an entitlement is longer than {KEY_BYTES_MAX} bytes, or holds control characters");
    Err(Failure::new(ErrorClass::Malformed, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_no_store_can_keep_is_malformed() {
        // S8
        for bad in ["w\0x".to_owned(), "x".repeat(KEY_BYTES_MAX + 1), "a\nb".to_owned()] {
            let stated = BTreeMap::from([("can_access".to_owned(), Value::Bool(true)), (bad, Value::Null)]);
            assert_eq!(read(&stated, &[]).map_err(|failure| failure.class), Err(ErrorClass::Malformed));
        }
    }
}
