//! The sample world both systems speak about: a Google Workspace directory and DeployCenter's organisations and
//! accounts. Held in memory; changed only through [`Change`], so that the control endpoint and a test in process do
//! the same things.

mod id;
mod membership;
mod subscriptions;
mod workspace;

use crate::change::{
    AccountChange, Change, ChangeError, GroupChange, MembershipChange, OrganisationChange, UserChange,
};
use crate::sample::Sample;

pub use id::DirectoryId;
pub use membership::Role;
pub use subscriptions::{Person, Storage};

pub(crate) use membership::MemberKind;
pub(crate) use subscriptions::{Account, Grant, OPERATOR_ID, Organization, Subscriptions};
pub(crate) use workspace::{Principal, User, UserState, Workspace, folded};

/// Everything the simulated systems know.
#[derive(Debug, Clone, Default)]
pub struct Organisation {
    pub(crate) workspace: Workspace,
    pub(crate) subscriptions: Subscriptions,
}

impl Organisation {
    /// Nobody, nothing: every user is unknown, every list is an empty page.
    pub fn empty() -> Organisation {
        Organisation::default()
    }

    /// A generated organisation, the same for the same sample.
    pub fn sample(sample: &Sample) -> Organisation {
        sample.generate()
    }

    /// People with an account in DeployCenter, as an identity provider would present them, by e-mail.
    pub fn people(&self) -> Vec<Person> {
        self.subscriptions.people()
    }

    /// Applies one change.
    ///
    /// # Errors
    /// When the change names somebody or something unknown, or an address that is taken or none.
    pub fn apply(&mut self, change: &Change) -> Result<(), ChangeError> {
        match change {
            Change::User(change) => self.apply_to_user(change),
            Change::Group(change) => self.apply_to_group(change),
            Change::Membership(change) => self.apply_to_membership(change),
            Change::Organisation(change) => self.apply_to_organisation(change),
            Change::Account(change) => self.apply_to_account(change),
        }
    }

    fn apply_to_user(&mut self, change: &UserChange) -> Result<(), ChangeError> {
        let workspace = &mut self.workspace;
        match change {
            UserChange::Add { email } => workspace.add_user(email).map(drop),
            UserChange::Name { email, given_name, family_name } => workspace.name_user(email, given_name, family_name),
            UserChange::AddAlias { email, alias } => workspace.add_alias(email, alias),
            UserChange::RemoveAlias { email, alias } => workspace.remove_alias(email, alias),
            UserChange::Readdress { email, new_email } => workspace.readdress_user(email, new_email),
            UserChange::Suspend { email } => workspace.set_user_state(email, UserState::Suspended),
            UserChange::MakeAdmin { email, status } => workspace.set_admin(email, *status),
            UserChange::Reactivate { email } => workspace.set_user_state(email, UserState::Active),
            UserChange::Delete { email } => workspace.delete_user(email),
            UserChange::Purge { email } => workspace.purge_user(email),
        }
    }

    fn apply_to_group(&mut self, change: &GroupChange) -> Result<(), ChangeError> {
        let workspace = &mut self.workspace;
        match change {
            GroupChange::Add { email } => workspace.add_group(email).map(drop),
            GroupChange::Describe { email, name, description } => workspace.describe_group(email, name, description),
            GroupChange::Readdress { email, new_email } => workspace.readdress_group(email, new_email),
            GroupChange::Delete { email } => workspace.delete_group(email),
            GroupChange::StateMembersCount { email, count } => workspace.state_members_count(email, *count),
        }
    }

    fn apply_to_membership(&mut self, change: &MembershipChange) -> Result<(), ChangeError> {
        let workspace = &mut self.workspace;
        match change {
            MembershipChange::Add { group, member, role } => workspace.add_member(group, member, *role),
            MembershipChange::AddExternal { group, member } => workspace.add_external(group, member),
            MembershipChange::AddCustomer { group } => workspace.add_customer(group),
            MembershipChange::Remove { group, member } => workspace.remove_member(group, member),
        }
    }

    fn apply_to_organisation(&mut self, change: &OrganisationChange) -> Result<(), ChangeError> {
        let subscriptions = &mut self.subscriptions;
        match change {
            OrganisationChange::Set { siret, active, name, idp_id } => {
                subscriptions.set_organization(siret, *active, name.as_deref(), idp_id.as_deref());
            }
            OrganisationChange::Remove { siret } => subscriptions.remove_organization(siret),
            OrganisationChange::SetMetadata { siret, metadata } => return subscriptions.set_metadata(siret, metadata),
            OrganisationChange::SetOperator { siret, operator, admins_pass } => {
                return subscriptions.set_operator(siret, operator, *admins_pass);
            }
            OrganisationChange::AddOperatorAdmin { operator, email } => {
                subscriptions.add_operator_admin(operator, email);
            }
        }
        Ok(())
    }

    fn apply_to_account(&mut self, change: &AccountChange) -> Result<(), ChangeError> {
        let subscriptions = &mut self.subscriptions;
        match change {
            AccountChange::SetDomains { email, siret, domains } => subscriptions.set_domains(email, siret, domains),
            AccountChange::SetRoles { email, siret, roles } => subscriptions.set_roles(email, siret, roles),
            AccountChange::SetServiceRoles { email, siret, roles } => {
                subscriptions.set_service_roles(email, siret, roles)
            }
            AccountChange::SetAccountId { email, account_id } => subscriptions.set_account_id(email, account_id),
            AccountChange::SetEntitlement { email, key, value } => subscriptions.set_entitlement(email, key, value),
            AccountChange::ResetEntitlement { email, key } => subscriptions.reset_entitlement(email, key),
            AccountChange::SetStorage { email, storage } => subscriptions.set_storage(email, storage),
            AccountChange::Remove { email } => subscriptions.remove_account(email),
        }
    }
}
