//! DeployCenter's side: organisations by siret with their subscription, accounts by exact e-mail. Nothing is folded,
//! trimmed or validated here, because upstream does not (wire notes, captures 16 to 18, 61, 113 to 115).

mod grant;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::change::ChangeError;

pub(crate) use grant::Grant;

/// The operator whose organisations are listed, as in the captures.
pub(crate) const OPERATOR_ID: &str = "4a85e21f-d96e-468f-a6f9-7544df190181";

/// An organisation known to DeployCenter.
#[derive(Debug, Clone)]
pub(crate) struct Organization {
    pub name: String,
    /// Whether its subscription to the service is active.
    pub active: bool,
    /// The identity provider for which `oidc_valid` is true.
    pub idp_id: Option<String>,
    /// The operator whose organisation it is.
    pub operator: String,
    /// Whether the operator's admins administer it (capture 05).
    pub operator_admins_pass: bool,
}

/// An account, over all organisations it belongs to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    pub account_id: Option<String>,
    /// What it may do, by the siret of each organisation that it belongs to.
    pub grants: BTreeMap<String, Grant>,
    /// Keys of `entitlements` that replace the computed ones; null removes.
    pub overrides: Map<String, Value>,
    pub storage: Option<Storage>,
}

/// What DeployCenter knows of an account's storage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storage {
    /// Bytes in use.
    pub used_bytes: u64,
    /// Bytes allowed.
    pub max_bytes: u64,
    /// The level at which the limit was found: `mailbox` or `organization`.
    pub level: String,
}

/// A person as an identity provider would present them at a login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Person {
    /// The e-mail, as DeployCenter has it.
    pub email: String,
    /// The `sub`, which DeployCenter knows as `account_id`.
    pub sub: Option<String>,
    /// The siret of the organisation the person belongs to.
    pub siret: Option<String>,
}

/// Organisations and accounts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Subscriptions {
    organizations: BTreeMap<String, Organization>,
    /// The `metadata` of each organisation's subscription, as it was sent; it outlives the organisation.
    metadata: BTreeMap<String, Map<String, Value>>,
    accounts: BTreeMap<String, Account>,
    emails_by_account_id: BTreeMap<String, String>,
    /// Admins of the operators themselves, whom no list of accounts has.
    operator_admins: BTreeSet<(String, String)>,
}

impl Subscriptions {
    pub(crate) fn organization(&self, siret: &str) -> Option<&Organization> {
        self.organizations.get(siret)
    }

    pub(crate) fn organizations(&self) -> impl Iterator<Item = (&String, &Organization)> {
        self.organizations.iter()
    }

    pub(crate) fn accounts(&self) -> impl Iterator<Item = (&String, &Account)> {
        self.accounts.iter()
    }

    pub(crate) fn organizations_count(&self) -> usize {
        self.organizations.len()
    }

    pub(crate) fn accounts_count(&self) -> usize {
        self.accounts.len()
    }

    /// The accounts that match an id **or** an e-mail, exactly (capture 128).
    pub(crate) fn matching(&self, account_id: Option<&str>, email: Option<&str>) -> Vec<&Account> {
        let by_id = account_id.and_then(|id| self.emails_by_account_id.get(id)).map(String::as_str);
        let by_email = email.filter(|email| Some(*email) != by_id);
        by_id.into_iter().chain(by_email).filter_map(|email| self.accounts.get(email)).collect()
    }

    pub(crate) fn people(&self) -> Vec<Person> {
        let person = |(email, account): (&String, &Account)| Person {
            email: email.clone(),
            sub: account.account_id.clone(),
            siret: account.grants.keys().next().cloned(),
        };
        self.accounts.iter().map(person).collect()
    }

    pub(crate) fn set_organization(&mut self, siret: &str, active: bool, name: Option<&str>, idp_id: Option<&str>) {
        let fresh = || Organization {
            name: format!("Organisation {siret}"),
            active,
            idp_id: None,
            operator: OPERATOR_ID.to_owned(),
            operator_admins_pass: false,
        };
        let organization = self.organizations.entry(siret.to_owned()).or_insert_with(fresh);
        organization.active = active;
        if let Some(name) = name {
            organization.name = name.to_owned();
        }
        if let Some(idp_id) = idp_id {
            organization.idp_id = Some(idp_id.to_owned());
        }
    }

    pub(crate) fn set_operator(&mut self, siret: &str, operator: &str, admins_pass: bool) -> Result<(), ChangeError> {
        let organization = self.organizations.get_mut(siret);
        let organization = organization.ok_or_else(|| ChangeError::UnknownOrganisation(siret.to_owned()))?;
        operator.clone_into(&mut organization.operator);
        organization.operator_admins_pass = admins_pass;
        Ok(())
    }

    pub(crate) fn remove_organization(&mut self, siret: &str) {
        self.organizations.remove(siret);
    }

    pub(crate) fn set_account_id(&mut self, email: &str, account_id: &str) -> Result<(), ChangeError> {
        let holder = self.emails_by_account_id.get(account_id);
        if holder.is_some_and(|holder| holder != email) {
            return Err(ChangeError::Taken(account_id.to_owned()));
        }
        let previous = self.account(email)?.account_id.replace(account_id.to_owned());
        if let Some(previous) = previous {
            self.emails_by_account_id.remove(&previous);
        }
        self.emails_by_account_id.insert(account_id.to_owned(), email.to_owned());
        Ok(())
    }

    pub(crate) fn set_entitlement(&mut self, email: &str, key: &str, value: &Value) -> Result<(), ChangeError> {
        self.account(email)?.overrides.insert(key.to_owned(), value.clone());
        Ok(())
    }

    pub(crate) fn reset_entitlement(&mut self, email: &str, key: &str) -> Result<(), ChangeError> {
        self.account(email)?.overrides.remove(key);
        Ok(())
    }

    pub(crate) fn set_storage(&mut self, email: &str, storage: &Option<Storage>) -> Result<(), ChangeError> {
        self.account(email)?.storage.clone_from(storage);
        Ok(())
    }

    pub(crate) fn remove_account(&mut self, email: &str) -> Result<(), ChangeError> {
        let account = self.accounts.remove(email).ok_or_else(|| ChangeError::UnknownAccount(email.to_owned()))?;
        if let Some(account_id) = account.account_id {
            self.emails_by_account_id.remove(&account_id);
        }
        Ok(())
    }

    /// The account of an e-mail, made when there is none.
    fn account(&mut self, email: &str) -> Result<&mut Account, ChangeError> {
        if !email.contains('@') {
            return Err(ChangeError::NotAnAddress(email.to_owned()));
        }
        Ok(self.accounts.entry(email.to_owned()).or_default())
    }
}
