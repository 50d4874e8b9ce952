//! The decision: allow, unless a recent answer says no. A source that is slow or down never denies anybody.

use std::collections::BTreeMap;

use entitled_model::SourceName;
use entitled_model::entitlement::Entitlements;
use serde_json::Value;

use super::{Freshness, SourcePart};
use crate::store::{Observed, Standing};

/// Whether the user may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Allow,
    Deny { reason: String },
}

impl Decision {
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Decision::Allow => "allow",
            Decision::Deny { .. } => "deny",
        }
    }

    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Decision::Allow => None,
            Decision::Deny { reason } => Some(reason),
        }
    }
}

pub(super) fn decide(
    sources: &[SourcePart],
    entitlements: &BTreeMap<SourceName, Entitlements>,
    observed: &BTreeMap<SourceName, Observed>,
    standing: &Standing,
    enforce_can_access: bool,
) -> Decision {
    let recent = sources.iter().filter(|part| matches!(part.freshness, Freshness::Fresh | Freshness::Cached));
    let denial = recent.into_iter().find_map(|part| {
        let refused = entitlements.get(&part.source).filter(|_| enforce_can_access).and_then(refused);
        let verdict = observed.get(&part.source).and_then(|observed| observed.user.as_ref()?.verdict.clone());
        let suspended = standing.suspended_by.contains(&part.source).then(|| "suspended".to_owned());
        suspended.or(verdict).or(refused)
    });
    denial.map_or(Decision::Allow, |reason| Decision::Deny { reason })
}

/// The reason that a backend gives with `can_access: false`, or that it did.
fn refused(stated: &Entitlements) -> Option<String> {
    let says = |key: &str| stated.get(key).map(entitled_model::EntitlementValue::json);
    (says("can_access") == Some(Value::Bool(false))).then(|| match says("can_access_reason") {
        Some(Value::String(reason)) => reason,
        _ => "can_access".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use entitled_model::EntitlementValue;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(Freshness::Fresh, true, Some("not_activated"))]
    #[case(Freshness::Cached, true, Some("not_activated"))]
    #[case(Freshness::Stale, true, None)]
    #[case(Freshness::Unavailable, true, None)]
    #[case(Freshness::Fresh, false, None)]
    fn only_a_recent_refusal_that_is_enforced_denies(
        #[case] freshness: Freshness,
        #[case] enforce: bool,
        #[case] reason: Option<&str>,
    ) {
        // D4
        let source = SourceName::stored("deploycenter".into());
        let stated = [("can_access", json!(false)), ("can_access_reason", json!("not_activated"))];
        let stated = stated.map(|(key, value)| (key.to_owned(), EntitlementValue::of(&value)));
        let entitlements = BTreeMap::from([(source.clone(), Entitlements::from(stated))]);
        let part = SourcePart { source, freshness, age: None, error: None };
        let decided = decide(&[part], &entitlements, &BTreeMap::new(), &Standing::default(), enforce);
        assert_eq!(decided.reason(), reason);
    }

    #[rstest]
    #[case(Freshness::Fresh, Some("suspended"))]
    #[case(Freshness::Cached, Some("suspended"))]
    #[case(Freshness::Stale, None)]
    fn only_a_recent_word_of_the_source_that_suspended_denies(
        #[case] freshness: Freshness,
        #[case] reason: Option<&str>,
    ) {
        // G5
        let source = SourceName::stored("google_sync".into());
        let suspended_by = std::iter::once(source.clone()).collect();
        let standing = Standing { status: "suspended".to_owned(), suspended_by };
        let part = |source| SourcePart { source, freshness, age: None, error: None };
        let decide = |source| decide(&[part(source)], &BTreeMap::new(), &BTreeMap::new(), &standing, false);
        assert_eq!(decide(source).reason(), reason);
        assert_eq!(decide(SourceName::stored("other".into())).reason(), None);
    }
}
