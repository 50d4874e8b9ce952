//! From organisations and accounts to `can_admin_maildomains`, as DeployCenter resolves it for one account. Pure.
//!
//! Wire facts: an account of type `user` matches by the exact address (by the external id where a user has no address).
//! The role `admin` in the organisation administers every domain of its active subscription; the role `admin` in the
//! service those that its scope names, and every one when the scope names none. An organisation asked for that is unknown,
//! or without an active subscription, yields no key at all, whatever else the account administers. Each domain stands once.
//! An operator's own admins administer its organisations too where these say so; no list names them.

use std::collections::{BTreeMap, BTreeSet};

use entitled_model::enumeration::Enumerated;
use entitled_model::observation::{ObservedGroup, Said};
use entitled_model::{ErrorClass, Failure, MapRule};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::lists::Row;
use super::{Person, answer, claim_text};
use crate::json::{self, Object};

const KEY: &str = "can_admin_maildomains";
const ADMIN: &str = "admin";

/// An organisation as it is listed.
#[derive(Deserialize)]
pub struct Organization {
    id: String,
    siret: Option<String>,
    #[serde(deserialize_with = "json::objects")]
    service_subscriptions: Vec<Subscription>,
    #[serde(default)]
    operator_admins_have_admin_role: bool,
}

#[derive(Deserialize)]
struct Subscription {
    metadata: Option<Map<String, Value>>,
    is_active: bool,
    service: Object<Service>,
}

#[derive(Deserialize)]
struct Service {
    id: u64,
}

/// An account as it is listed.
#[derive(Deserialize)]
pub struct Account {
    id: String,
    email: Option<String>,
    external_id: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    roles: Option<Vec<String>>,
    #[serde(deserialize_with = "json::objects")]
    service_links: Vec<ServiceLink>,
}

#[derive(Deserialize)]
struct ServiceLink {
    roles: Map<String, Value>,
    service: Object<Service>,
}

impl Row for Organization {
    fn id(&self) -> &str {
        &self.id
    }
}

impl Row for Account {
    fn id(&self) -> &str {
        &self.id
    }
}

/// An organisation whose subscription is active, with its domains in their order.
pub struct Subscribed {
    pub id: String,
    siret: Option<String>,
    pub domains: Vec<Value>,
    has_unlisted_admins: bool,
}

impl Organization {
    /// The organisation, when its subscription to the service is active.
    ///
    /// # Errors
    /// `malformed` when the domains of the subscription are nothing that can be listed.
    pub fn subscribed(self, service_id: u64) -> Result<Option<Subscribed>, Failure> {
        let Self { id, siret, service_subscriptions, operator_admins_have_admin_role } = self;
        let mut active =
            service_subscriptions.iter().filter(|one| one.is_active && one.service.0.id == service_id).peekable();
        if active.peek().is_none() {
            return Ok(None);
        }
        let mut domains = Vec::new();
        for subscription in active {
            domains.extend(listed(subscription.metadata.as_ref().and_then(|metadata| metadata.get("domains")))?);
        }
        Ok(Some(Subscribed { id, siret, domains, has_unlisted_admins: operator_admins_have_admin_role }))
    }
}

/// What an account administers in one organisation.
enum Reach {
    All,
    Only(BTreeSet<String>),
}

/// Who administers what: by address or external id, the organisation's place in the list and the reach there.
#[derive(Default)]
struct Administrators {
    by_email: BTreeMap<String, Vec<(usize, Reach)>>,
    by_external_id: BTreeMap<String, Vec<(usize, Reach)>>,
}

/// Derives each person's answer from the organisations and, in the same order, their accounts.
///
/// # Errors
/// `malformed` when a role's scope can't be read, or two organisations go by one siret.
pub fn derive(
    people: &[Person],
    organizations: &[Subscribed],
    accounts: Vec<Vec<Account>>,
    service_id: u64,
    rules: &[MapRule],
) -> Result<Enumerated, Failure> {
    let administrators = Administrators::of(accounts, service_id)?;
    let mut homes = BTreeMap::new();
    for (place, organization) in organizations.iter().enumerate() {
        if let Some(siret) = &organization.siret
            && homes.insert(siret.as_str(), place).is_some()
        {
            return Err(malformed("two organisations of the management API have one siret"));
        }
    }
    let answers = people.iter().map(|person| {
        let home = claim_text(person, "siret").and_then(|siret| homes.get(siret.as_str()).copied());
        let stated = home.map(|home| (KEY.to_owned(), administrators.domains(person, home, organizations)));
        answer::read_mapped(&stated.into_iter().collect(), rules).ok()
    });
    Ok(Enumerated { answers: answers.collect(), unseen: unseen(organizations, rules) })
}

impl Administrators {
    fn of(accounts: Vec<Vec<Account>>, service_id: u64) -> Result<Self, Failure> {
        let mut administrators = Self::default();
        for (place, accounts) in accounts.into_iter().enumerate() {
            for account in accounts.into_iter().filter(|account| account.kind == "user") {
                let Account { email, external_id, .. } = &account;
                let entries = [
                    (&mut administrators.by_email, email.as_deref()),
                    (&mut administrators.by_external_id, external_id.as_deref()),
                ];
                for (index, key) in entries {
                    let key = key.filter(|key| !key.is_empty());
                    if let (Some(key), Some(reach)) = (key, account.reach(service_id)?) {
                        index.entry(key.to_owned()).or_default().push((place, reach));
                    }
                }
            }
        }
        Ok(administrators)
    }

    /// The domains that a person administers, those of the organisation at `home` first.
    fn domains(&self, person: &Person, home: usize, organizations: &[Subscribed]) -> Value {
        let held = match (&person.email, &person.sub) {
            (Some(email), _) => self.by_email.get(email.as_given()),
            (None, Some(sub)) => self.by_external_id.get(sub.as_str()),
            (None, None) => None,
        };
        let mut by_place: BTreeMap<(bool, usize), Vec<&Reach>> = BTreeMap::new();
        for (place, reach) in held.into_iter().flatten() {
            by_place.entry((*place != home, *place)).or_default().push(reach);
        }
        let mut domains: Vec<Value> = Vec::new();
        for ((_, place), reaches) in by_place {
            let within =
                organizations[place].domains.iter().filter(|domain| reaches.iter().any(|reach| reach.holds(domain)));
            domains.extend(within.cloned());
        }
        let mut seen = BTreeSet::new();
        domains.retain(|domain| seen.insert(domain.to_string()));
        Value::Array(domains)
    }
}

impl Account {
    fn reach(&self, service_id: u64) -> Result<Option<Reach>, Failure> {
        if self.roles.iter().flatten().any(|role| role == ADMIN) {
            return Ok(Some(Reach::All));
        }
        let mut links = self.service_links.iter().filter(|link| link.service.0.id == service_id);
        let Some(role) = links.find_map(|link| link.roles.get(ADMIN)) else { return Ok(None) };
        let named = listed(scope(role)?.and_then(|scope| scope.get("domains")))?;
        let named = named.iter().map(|domain| domain.as_str().map(str::to_owned)).collect::<Option<BTreeSet<_>>>();
        match named.ok_or_else(|| malformed("a scope of the management API names something other than domains"))? {
            named if named.is_empty() => Ok(Some(Reach::All)),
            named => Ok(Some(Reach::Only(named))),
        }
    }
}

impl Reach {
    fn holds(&self, domain: &Value) -> bool {
        match self {
            Reach::All => true,
            Reach::Only(named) => domain.as_str().is_some_and(|domain| named.contains(domain)),
        }
    }
}

/// What a role is limited to; none when it is not. What can't be read must not widen it.
fn scope(role: &Value) -> Result<Option<&Map<String, Value>>, Failure> {
    match object_or_none(Some(role))? {
        Some(role) => object_or_none(role.get("scope")),
        None => Ok(None),
    }
}

fn object_or_none(value: Option<&Value>) -> Result<Option<&Map<String, Value>>, Failure> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(fields)) => Ok(Some(fields)),
        Some(_) => Err(malformed("a role of the management API, or its scope, is not an object")),
    }
}

/// A list as DeployCenter goes through it: a text is a list of its characters.
fn listed(domains: Option<&Value>) -> Result<Vec<Value>, Failure> {
    match domains {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(domains)) => Ok(domains.clone()),
        Some(Value::String(text)) => Ok(text.chars().map(|character| Value::String(character.into())).collect()),
        Some(_) => Err(malformed("domains of the management API are not a list")),
    }
}

/// The groups of organisations that have administrators whom no list names.
fn unseen(organizations: &[Subscribed], rules: &[MapRule]) -> BTreeSet<ObservedGroup> {
    let domains = organizations.iter().filter(|one| one.has_unlisted_admins).flat_map(|one| one.domains.clone());
    let stated = BTreeMap::from([(KEY.to_owned(), Value::Array(domains.collect()))]);
    let groups = rules.iter().filter_map(|rule| match rule.groups(&stated) {
        Ok(Said::Known(groups)) => Some(groups),
        Ok(Said::Absent) | Err(_) => None,
    });
    groups.flatten().collect()
}

fn malformed(message: &'static str) -> Failure {
    Failure::new(ErrorClass::Malformed, message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_is_no_subscription_no_link_and_no_service() {
        // S8
        let organization = |subscription: Value| {
            serde_json::from_value::<Organization>(json!({ "id": "o", "service_subscriptions": [subscription] }))
                .is_ok()
        };
        assert!(organization(json!({ "is_active": true, "service": { "id": 42 } })));
        assert!(!organization(json!([null, true, { "id": 42 }])));
        assert!(!organization(json!({ "is_active": true, "service": [42] })));
        let account = |link: Value| {
            serde_json::from_value::<Account>(json!({ "id": "a", "type": "user", "service_links": [link] })).is_ok()
        };
        assert!(account(json!({ "roles": {}, "service": { "id": 42 } })));
        assert!(!account(json!([{}, { "id": 42 }])));
        assert!(!account(json!({ "roles": {}, "service": [42] })));
    }

    #[test]
    fn a_role_that_cannot_be_read_is_not_taken_for_one_without_a_scope() {
        // S8
        let reach = |role: Value| {
            let link = json!({ "roles": { "admin": role }, "service": { "id": 42 } });
            let account = json!({ "id": "a", "type": "user", "service_links": [link] });
            serde_json::from_value::<Account>(account).expect("an account").reach(42)
        };
        for whole in [json!({}), json!({ "scope": null }), json!({ "scope": { "domains": [] } })] {
            assert!(matches!(reach(whole), Ok(Some(Reach::All))));
        }
        for unread in [json!(["scope"]), json!({ "scope": ["a.fr"] }), json!({ "scope": { "domains": [42] } })] {
            assert_eq!(
                reach(unread.clone()).err().map(|failure| failure.class),
                Some(ErrorClass::Malformed),
                "{unread}"
            );
        }
    }
}
