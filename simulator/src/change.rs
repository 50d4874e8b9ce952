//! What can change in the sample world, as values: the control endpoint reads them from JSON, a test in process makes
//! them through the handle's methods.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::organisation::{Role, Storage};

/// One change of the organisation.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Of a user in the directory.
    User(UserChange),
    /// Of a group in the directory.
    Group(GroupChange),
    /// Of who is in a group.
    Membership(MembershipChange),
    /// Of an organisation in DeployCenter.
    Organisation(OrganisationChange),
    /// Of an account in DeployCenter.
    Account(AccountChange),
}

/// Why a change was refused. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// An address without `@`, or with blanks in it.
    #[error("not an e-mail address: {0:?}")]
    NotAnAddress(String),
    /// No user has this address, alias or id.
    #[error("no such user: {0:?}")]
    UnknownUser(String),
    /// No group has this address or id.
    #[error("no such group: {0:?}")]
    UnknownGroup(String),
    /// No account has this e-mail.
    #[error("no such account: {0:?}")]
    UnknownAccount(String),
    /// No organisation has this siret.
    #[error("no such organisation: {0:?}")]
    UnknownOrganisation(String),
    /// A subscription's `domains` hold something other than texts.
    #[error("the domains of {0:?} are not texts")]
    NotADomain(String),
    /// The address belongs to somebody else.
    #[error("the address {0:?} is taken")]
    Taken(String),
    /// The membership to remove does not exist.
    #[error("{member:?} is not a direct member of {group:?}")]
    NotAMember {
        /// The group named.
        group: String,
        /// The member named.
        member: String,
    },
}

/// A change of a user in the directory. Users are named by address, alias or id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum UserChange {
    /// Adds an active user; one that exists stays as it is.
    Add { email: String },
    /// Sets the names.
    Name { email: String, given_name: String, family_name: String },
    /// Adds an alias address.
    AddAlias { email: String, alias: String },
    /// Takes an alias address away.
    RemoveAlias { email: String, alias: String },
    /// Changes the primary address; the id stays, the old address becomes an alias, as in Google Workspace.
    Readdress { email: String, new_email: String },
    /// Suspends: memberships stay, `suspended` is true, the member's status `SUSPENDED`.
    Suspend { email: String },
    /// Ends a suspension.
    Reactivate { email: String },
    /// Makes a super administrator of a user, or none: `isAdmin`, as `users.makeAdmin` sets it.
    MakeAdmin { email: String, status: bool },
    /// Deletes: gone from every list and group; as a `userKey` it answers 412.
    Delete { email: String },
    /// Deletes without a trace: as a `userKey` it answers 404.
    Purge { email: String },
}

/// A change of a group in the directory. Groups are named by address or id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum GroupChange {
    /// Adds an empty group; one that exists stays as it is.
    Add { email: String },
    /// Sets name and description.
    Describe { email: String, name: String, description: String },
    /// Changes the address; the id stays.
    Readdress { email: String, new_email: String },
    /// Deletes the group with its memberships.
    Delete { email: String },
    /// States a `directMembersCount`, true or not; null states the true one again.
    StateMembersCount { email: String, count: Option<u64> },
}

/// A change of who is directly in a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum MembershipChange {
    /// Adds a user or a group. A group that does not exist is added first; so is a member, as a user.
    Add {
        group: String,
        member: String,
        #[serde(default)]
        role: Role,
    },
    /// Adds an address outside the directory (type `EXTERNAL`).
    AddExternal { group: String, member: String },
    /// Adds everybody of the customer: an entry of type `CUSTOMER` without an e-mail.
    AddCustomer { group: String },
    /// Removes a direct member: a user, a group, an external address, or `CUSTOMER`.
    Remove { group: String, member: String },
}

/// A change of an organisation in DeployCenter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum OrganisationChange {
    /// Adds an organisation or replaces what is given.
    Set {
        siret: String,
        /// Whether its subscription to the service is active.
        active: bool,
        name: Option<String>,
        /// The `idp_id` for which `oidc_valid` is true.
        idp_id: Option<String>,
    },
    /// Makes the siret unknown.
    Remove { siret: String },
    /// Replaces the whole `metadata` of the subscription.
    SetMetadata { siret: String, metadata: Map<String, Value> },
    /// Sets whose organisation it is, and whether that operator's admins administer it.
    SetOperator { siret: String, operator: String, admins_pass: bool },
    /// Adds an admin of an operator, whom no list of accounts has.
    AddOperatorAdmin { operator: String, email: String },
}

/// A change of an account in DeployCenter. Accounts are named by their exact e-mail, case and all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum AccountChange {
    /// Sets the mail domains the person administers in one organisation; its subscription lists them from then on.
    SetDomains { email: String, siret: String, domains: Vec<String> },
    /// Sets the roles in one organisation; `admin` administers every domain that its subscription lists.
    SetRoles { email: String, siret: String, roles: Vec<String> },
    /// Sets the roles in the service, such as `{"admin": {"scope": {"domains": [...]}}}`.
    SetServiceRoles { email: String, siret: String, roles: Map<String, Value> },
    /// Sets the external id (the `sub`) by which `account_id` finds the account.
    SetAccountId { email: String, account_id: String },
    /// Replaces or adds one key of `entitlements`; null removes the key from the answer.
    SetEntitlement { email: String, key: String, value: Value },
    /// Takes a `set_entitlement` back.
    ResetEntitlement { email: String, key: String },
    /// Sets what is known of the storage; null for nothing.
    SetStorage { email: String, storage: Option<Storage> },
    /// Forgets the account.
    Remove { email: String },
}
