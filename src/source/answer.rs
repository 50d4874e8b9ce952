//! From a backend's entitlements to the model's answer. Imports the model; pure.

use std::collections::{BTreeMap, BTreeSet};

use entitled_model::observation::{Coverage, UserAnswer};
use entitled_model::{EntitlementValue, Failure, MapRule, Said};
use serde_json::Value;

/// Keeps every entitlement verbatim, and makes groups of the mapped ones.
///
/// The answer speaks of a rule's facet only when the rule's entitlement is there; the others still apply.
///
/// # Errors
/// `malformed` when a mapped entitlement is not a list of non-empty strings: then nothing of the answer counts.
pub(super) fn read(stated: &BTreeMap<String, Value>, rules: &[MapRule]) -> Result<UserAnswer, Failure> {
    let mut groups = BTreeSet::new();
    let mut facets = BTreeSet::new();
    for rule in rules {
        if let Said::Known(said) = rule.groups(stated)? {
            groups.extend(said);
            facets.insert(rule.facet.clone());
        }
    }
    let entitlements = stated.iter().map(|(key, value)| (key.clone(), EntitlementValue::of(value))).collect();
    let coverage = Coverage::Facets(facets);
    Ok(UserAnswer { groups, coverage, entitlements: Some(entitlements), present: true, verdict: None })
}
