//! Mapping: the rules by which set-valued entitlements become memberships.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::entitlement::EntitlementKey;
use crate::identity::{Facet, GroupName};
use crate::observation::{ErrorClass, Failure, ObservedGroup, Said};
use crate::resource::fold_id;

/// A rule of the configuration: the resources listed under `entitlement` become memberships.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapRule {
    pub entitlement: EntitlementKey,
    pub facet: Facet,
}

impl MapRule {
    /// Reads the groups that this rule makes of an answer.
    ///
    /// A missing key and `null` say nothing ([`Said::Absent`]); an empty list is an answer. Resource ids are trimmed and
    /// lower-cased, because upstream neither normalises nor de-duplicates them.
    ///
    /// # Errors
    /// `malformed` when the value is not a list of non-empty strings.
    pub fn groups(&self, answer: &BTreeMap<String, Value>) -> Result<Said<BTreeSet<ObservedGroup>>, Failure> {
        let listed = match answer.get(&self.entitlement) {
            None | Some(Value::Null) => return Ok(Said::Absent),
            Some(Value::Array(listed)) => listed,
            Some(_) => return Err(self.malformed("is not a list")),
        };
        let groups = listed.iter().map(|entry| self.group(entry)).collect::<Result<_, _>>()?;
        Ok(Said::Known(groups))
    }

    fn group(&self, entry: &Value) -> Result<ObservedGroup, Failure> {
        let resource_id = entry.as_str().map(fold_id);
        let resource_id = resource_id.ok_or_else(|| self.malformed("holds something other than a string"))?;
        let name = GroupName::of_resource(&self.facet, &resource_id);
        let name = name.map_err(|error| self.malformed(&format!("holds a bad name: {error}")))?;
        Ok(ObservedGroup::Resource { name, facet: self.facet.clone(), resource_id })
    }

    fn malformed(&self, what: &str) -> Failure {
        Failure::new(ErrorClass::Malformed, format!("entitlement {} {what}", self.entitlement))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn groups_of(value: Value) -> Result<Said<BTreeSet<ObservedGroup>>, Failure> {
        let facet = Facet { resource_type: "maildomain".into(), permission: "admin".into() };
        let rule = MapRule { entitlement: "can_admin_maildomains".into(), facet };
        rule.groups(&BTreeMap::from([("can_admin_maildomains".to_owned(), value)]))
    }

    #[test]
    fn listed_domains_become_groups_named_by_the_folded_domain() {
        // D7
        let Ok(Said::Known(said)) = groups_of(json!(["Commune-A.FR ", "commune-a.fr", "ville-a.fr"])) else {
            panic!("well-formed");
        };
        let names: Vec<_> = said.iter().map(|group| group.name().to_string()).collect();
        assert_eq!(names, ["maildomain:commune-a.fr:admin", "maildomain:ville-a.fr:admin"]);
    }

    #[test]
    fn null_says_nothing_and_an_empty_list_says_none() {
        // S6, S7
        assert_eq!(groups_of(Value::Null), Ok(Said::Absent));
        assert_eq!(groups_of(json!([])), Ok(Said::Known(BTreeSet::new())));
    }

    #[test]
    fn a_list_of_anything_but_non_empty_strings_is_malformed() {
        // S8
        for bad in [
            json!("commune-a.fr"),
            json!([42]),
            json!([""]),
            json!(["  "]),
            json!(["a.fr", null]),
            json!({}),
            json!(["a\u{0}"]),
        ] {
            assert_eq!(groups_of(bad.clone()).map_err(|f| f.class), Err(ErrorClass::Malformed), "{bad}");
        }
    }
}
