//! Who administers which mail domains: the roles of accounts, and the domains that a subscription's metadata lists.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Account, Organization, Subscriptions};
use crate::change::ChangeError;

/// What an account may do in one organisation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grant {
    /// Roles in the organisation; `admin` is admin of all its domains (capture 02).
    pub roles: Vec<String>,
    /// Roles in the service, each with its scope, as they were sent (captures 03, 97); empty for no link to it.
    pub service_roles: Map<String, Value>,
}

/// The domains of a subscription that somebody administers.
enum Reach {
    All,
    Only(BTreeSet<String>),
}

impl Grant {
    /// Whether it administers anything.
    pub(crate) fn is_admin(&self) -> bool {
        self.reach().is_some()
    }

    fn reach(&self) -> Option<Reach> {
        if self.roles.iter().any(|role| role == "admin") {
            return Some(Reach::All);
        }
        let scope = self.service_roles.get("admin")?.pointer("/scope/domains").and_then(Value::as_array);
        let named = scope.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect::<BTreeSet<_>>();
        // A scope that names nothing restricts nothing.
        Some(if named.is_empty() { Reach::All } else { Reach::Only(named) })
    }
}

impl Subscriptions {
    pub(crate) fn metadata(&self, siret: &str) -> Map<String, Value> {
        self.metadata.get(siret).cloned().unwrap_or_default()
    }

    /// Replaces the whole metadata (capture 110).
    ///
    /// # Errors
    /// When `domains` holds something other than texts, on which the captured version falls (capture 114).
    pub(crate) fn set_metadata(&mut self, siret: &str, metadata: &Map<String, Value>) -> Result<(), ChangeError> {
        let listed = metadata.get("domains").and_then(Value::as_array);
        if listed.into_iter().flatten().any(|domain| !domain.is_string()) {
            return Err(ChangeError::NotADomain(siret.to_owned()));
        }
        self.metadata.insert(siret.to_owned(), metadata.clone());
        Ok(())
    }

    /// The domains that a subscription lists; a text is read as a list of its characters (capture 113).
    pub(crate) fn domains(&self, siret: &str) -> Vec<String> {
        match self.metadata.get(siret).and_then(|metadata| metadata.get("domains")) {
            Some(Value::Array(listed)) => listed.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Some(Value::String(text)) => text.chars().map(String::from).collect(),
            _ => Vec::new(),
        }
    }

    /// The domains of every active organisation that the accounts administer, that asked for first, each once
    /// (captures 04, 05, 113).
    pub(crate) fn administered(&self, siret: &str, email: Option<&str>, accounts: &[&Account]) -> Vec<String> {
        let here = self.organizations.get_key_value(siret);
        let elsewhere = self.organizations.iter().filter(|(other, _)| other.as_str() != siret);
        let active = here.into_iter().chain(elsewhere).filter(|(_, organization)| organization.active);
        let mut seen = BTreeSet::new();
        let domains = active.flat_map(|(siret, organization)| self.reached(siret, organization, email, accounts));
        domains.filter(|domain| seen.insert(domain.clone())).collect()
    }

    fn reached(
        &self,
        siret: &str,
        organization: &Organization,
        email: Option<&str>,
        accounts: &[&Account],
    ) -> Vec<String> {
        let granted = accounts.iter().filter_map(|account| account.grants.get(siret)?.reach());
        let passing = organization.operator_admins_pass
            && email.is_some_and(|email| self.is_operator_admin(&organization.operator, email));
        let reaches: Vec<Reach> = granted.chain(passing.then_some(Reach::All)).collect();
        let mut domains = self.domains(siret);
        domains.retain(|domain| {
            reaches.iter().any(|reach| match reach {
                Reach::All => true,
                Reach::Only(named) => named.contains(domain),
            })
        });
        domains
    }

    fn is_operator_admin(&self, operator: &str, email: &str) -> bool {
        self.operator_admins.contains(&(operator.to_owned(), email.to_owned()))
    }

    /// Makes `domains` exactly those that the account administers in an organisation; its subscription lists them then.
    pub(crate) fn set_domains(&mut self, email: &str, siret: &str, domains: &[String]) -> Result<(), ChangeError> {
        let mut service_roles = Map::new();
        if !domains.is_empty() {
            service_roles.insert("admin".to_owned(), json!({ "scope": { "domains": domains } }));
        }
        let grant = Grant { roles: Vec::new(), service_roles };
        self.account(email)?.grants.insert(siret.to_owned(), grant);
        let mut listed = self.domains(siret);
        let mut known: BTreeSet<String> = listed.iter().cloned().collect();
        listed.extend(domains.iter().filter(|domain| known.insert((*domain).clone())).cloned());
        self.metadata.entry(siret.to_owned()).or_default().insert("domains".to_owned(), json!(listed));
        Ok(())
    }

    pub(crate) fn set_roles(&mut self, email: &str, siret: &str, roles: &[String]) -> Result<(), ChangeError> {
        self.grant(email, siret)?.roles = roles.to_vec();
        Ok(())
    }

    pub(crate) fn set_service_roles(
        &mut self,
        email: &str,
        siret: &str,
        roles: &Map<String, Value>,
    ) -> Result<(), ChangeError> {
        self.grant(email, siret)?.service_roles = roles.clone();
        Ok(())
    }

    pub(crate) fn add_operator_admin(&mut self, operator: &str, email: &str) {
        self.operator_admins.insert((operator.to_owned(), email.to_owned()));
    }

    fn grant(&mut self, email: &str, siret: &str) -> Result<&mut Grant, ChangeError> {
        Ok(self.account(email)?.grants.entry(siret.to_owned()).or_default())
    }
}
