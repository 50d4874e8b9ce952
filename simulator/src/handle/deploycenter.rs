//! DeployCenter's part of the organisation, through the handle.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use serde_json::{Map, Value, json};

use super::Handle;
use crate::change::{AccountChange, Change, OrganisationChange};
use crate::deploycenter::{PostSupport, Webhook};
use crate::organisation::{Person, Storage};

/// DeployCenter.
impl Handle {
    /// Adds an organisation, or sets whether its subscription is active.
    #[track_caller]
    pub fn add_organisation(&self, siret: &str, active: bool) -> &Handle {
        let siret = siret.to_owned();
        self.must(Change::Organisation(OrganisationChange::Set { siret, active, name: None, idp_id: None }))
    }

    /// Makes a siret unknown.
    #[track_caller]
    pub fn remove_organisation(&self, siret: &str) -> &Handle {
        self.must(Change::Organisation(OrganisationChange::Remove { siret: siret.to_owned() }))
    }

    /// Sets the mail domains a person administers in one organisation. What is served for an active siret is the union
    /// over the person's active organisations, in which a domain stands once (captures 04, 113).
    #[track_caller]
    pub fn set_domains<D: Into<String>>(
        &self,
        email: &str,
        siret: &str,
        domains: impl IntoIterator<Item = D>,
    ) -> &Handle {
        let domains = domains.into_iter().map(Into::into).collect();
        let (email, siret) = (email.to_owned(), siret.to_owned());
        self.must(Change::Account(AccountChange::SetDomains { email, siret, domains }))
    }

    /// Sets the `sub` by which `account_id` finds the account.
    #[track_caller]
    pub fn set_account_id(&self, email: &str, account_id: &str) -> &Handle {
        let (email, account_id) = (email.to_owned(), account_id.to_owned());
        self.must(Change::Account(AccountChange::SetAccountId { email, account_id }))
    }

    /// Replaces or adds one key of `entitlements`; null removes the key from the answer.
    #[track_caller]
    pub fn set_entitlement(&self, email: &str, key: &str, value: Value) -> &Handle {
        let (email, key) = (email.to_owned(), key.to_owned());
        self.must(Change::Account(AccountChange::SetEntitlement { email, key, value }))
    }

    /// Takes [`Handle::set_entitlement`] back.
    #[track_caller]
    pub fn reset_entitlement(&self, email: &str, key: &str) -> &Handle {
        let (email, key) = (email.to_owned(), key.to_owned());
        self.must(Change::Account(AccountChange::ResetEntitlement { email, key }))
    }

    /// Sets `can_access` to false with its reason.
    #[track_caller]
    pub fn deny_access(&self, email: &str, reason: &str) -> &Handle {
        self.set_entitlement(email, "can_access", Value::Bool(false));
        self.set_entitlement(email, "can_access_reason", Value::String(reason.to_owned()))
    }

    /// Sets what is known of an account's storage.
    #[track_caller]
    pub fn set_storage(&self, email: &str, storage: Option<Storage>) -> &Handle {
        self.must(Change::Account(AccountChange::SetStorage { email: email.to_owned(), storage }))
    }

    /// Forgets an account.
    #[track_caller]
    pub fn remove_account(&self, email: &str) -> &Handle {
        self.must(Change::Account(AccountChange::Remove { email: email.to_owned() }))
    }

    /// People with an account, as an identity provider would present them, by e-mail.
    pub fn people(&self) -> Vec<Person> {
        self.0.organisation().people()
    }

    /// Switches `POST` on or off.
    pub fn set_post_support(&self, post: PostSupport) -> &Handle {
        self.0.set_post(post);
        self
    }

    /// Sets the roles of a person in one organisation; `admin` administers every domain that its subscription lists.
    #[track_caller]
    pub fn set_roles(&self, email: &str, siret: &str, roles: &[&str]) -> &Handle {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        self.must(Change::Account(AccountChange::SetRoles { email: email.to_owned(), siret: siret.to_owned(), roles }))
    }

    /// Sets the domains that an organisation's subscription lists, as the whole of its metadata.
    #[track_caller]
    pub fn subscribe_domains(&self, siret: &str, domains: &[&str]) -> &Handle {
        let metadata = Map::from_iter([("domains".to_owned(), json!(domains))]);
        self.must(Change::Organisation(OrganisationChange::SetMetadata { siret: siret.to_owned(), metadata }))
    }

    /// Sets whose organisation it is, and whether that operator's admins administer it.
    #[track_caller]
    pub fn set_operator(&self, siret: &str, operator: &str, admins_pass: bool) -> &Handle {
        let (siret, operator) = (siret.to_owned(), operator.to_owned());
        self.must(Change::Organisation(OrganisationChange::SetOperator { siret, operator, admins_pass }))
    }

    /// Adds an admin of an operator, whom no list of accounts has.
    #[track_caller]
    pub fn add_operator_admin(&self, operator: &str, email: &str) -> &Handle {
        let (operator, email) = (operator.to_owned(), email.to_owned());
        self.must(Change::Organisation(OrganisationChange::AddOperatorAdmin { operator, email }))
    }

    /// Sets how many rows a page of the management API has.
    pub fn set_page_rows(&self, rows: usize) -> &Handle {
        self.0.page_rows.store(rows, Ordering::Relaxed);
        self
    }

    /// Sends webhooks to one more receiver.
    pub fn send_webhooks(&self, webhook: Webhook) -> &Handle {
        self.0.webhooks.write().unwrap_or_else(PoisonError::into_inner).push(webhook);
        self
    }
}
