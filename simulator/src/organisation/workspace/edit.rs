//! Every way the directory changes. Each keeps the indexes and both sides of a membership together.

use super::{Group, User, UserState, Workspace, folded};
use crate::change::ChangeError;
use crate::organisation::{DirectoryId, Role};

impl Workspace {
    /// Adds a user, or finds the one with this address. A deleted one stays deleted; its successor gets a new id.
    pub(crate) fn add_user(&mut self, email: &str) -> Result<DirectoryId, ChangeError> {
        if let Some(id) = self.user_id(email) {
            return Ok(id);
        }
        let address = self.free_address(email)?;
        let id = self.next_id();
        let user = User {
            email: email.trim().to_owned(),
            aliases: Vec::new(),
            given_name: capitalised(address.split(['.', '@']).next().unwrap_or_default()),
            family_name: "Sample".to_owned(),
            state: UserState::Active,
            is_admin: false,
            groups: Default::default(),
        };
        self.users.insert(id, user);
        self.listed_users.insert(address.clone(), id);
        self.addresses.insert(address, id);
        Ok(id)
    }

    pub(crate) fn name_user(&mut self, key: &str, given_name: &str, family_name: &str) -> Result<(), ChangeError> {
        let user = self.user_mut(key)?;
        user.given_name = given_name.to_owned();
        user.family_name = family_name.to_owned();
        Ok(())
    }

    pub(crate) fn add_alias(&mut self, key: &str, alias: &str) -> Result<(), ChangeError> {
        let id = self.known_user(key)?;
        let address = self.free_address(alias)?;
        self.addresses.insert(address, id);
        self.user_mut(key)?.aliases.push(alias.trim().to_owned());
        Ok(())
    }

    pub(crate) fn remove_alias(&mut self, key: &str, alias: &str) -> Result<(), ChangeError> {
        let address = folded(alias);
        let user = self.user_mut(key)?;
        let before = user.aliases.len();
        user.aliases.retain(|alias| folded(alias) != address);
        if user.aliases.len() == before {
            return Err(ChangeError::UnknownUser(alias.to_owned()));
        }
        self.addresses.remove(&address);
        Ok(())
    }

    pub(crate) fn readdress_user(&mut self, key: &str, new_email: &str) -> Result<(), ChangeError> {
        let id = self.known_user(key)?;
        let address = folded(new_email);
        if self.addresses.get(&address) != Some(&id) {
            self.free_address(new_email)?;
        }
        let user = self.user_mut(key)?;
        let old_email = std::mem::replace(&mut user.email, new_email.trim().to_owned());
        user.aliases.retain(|alias| folded(alias) != address);
        if folded(&old_email) != address {
            user.aliases.push(old_email.clone());
        }
        self.listed_users.remove(&folded(&old_email));
        self.listed_users.insert(address.clone(), id);
        self.addresses.insert(address, id);
        Ok(())
    }

    pub(crate) fn set_user_state(&mut self, key: &str, state: UserState) -> Result<(), ChangeError> {
        self.user_mut(key)?.state = state;
        Ok(())
    }

    pub(crate) fn set_admin(&mut self, key: &str, is_admin: bool) -> Result<(), ChangeError> {
        self.user_mut(key)?.is_admin = is_admin;
        Ok(())
    }

    /// Takes a user out of every list and group; its addresses still lead to a deleted user.
    pub(crate) fn delete_user(&mut self, key: &str) -> Result<(), ChangeError> {
        let id = self.known_user(key)?;
        self.leave_all(id);
        let user = self.user_mut(key)?;
        user.state = UserState::Deleted;
        let address = folded(&user.email);
        self.listed_users.remove(&address);
        Ok(())
    }

    /// Removes every trace of a user, deleted before or not.
    pub(crate) fn purge_user(&mut self, key: &str) -> Result<(), ChangeError> {
        if self.user_id(key).is_some() {
            self.delete_user(key)?;
        }
        let id = DirectoryId::parse(key).or_else(|| self.addresses.get(&folded(key)).copied());
        let user = id.and_then(|id| self.users.remove(&id)).ok_or_else(|| ChangeError::UnknownUser(key.to_owned()))?;
        for address in user.aliases.iter().chain([&user.email]) {
            let address = folded(address);
            if self.addresses.get(&address) == id.as_ref() {
                self.addresses.remove(&address);
            }
        }
        Ok(())
    }

    /// Adds a group, or finds the one with this address.
    pub(crate) fn add_group(&mut self, email: &str) -> Result<DirectoryId, ChangeError> {
        if let Some(id) = self.group_id(email) {
            return Ok(id);
        }
        let address = self.free_address(email)?;
        let id = self.next_id();
        let group = Group {
            email: email.trim().to_owned(),
            name: capitalised(address.split('@').next().unwrap_or_default()),
            description: String::new(),
            members: Default::default(),
            stated_members_count: None,
            groups: Default::default(),
        };
        self.groups.insert(id, group);
        self.listed_groups.insert(address.clone(), id);
        self.addresses.insert(address, id);
        Ok(id)
    }

    pub(crate) fn describe_group(&mut self, key: &str, name: &str, description: &str) -> Result<(), ChangeError> {
        let group = self.group_mut(key)?;
        group.name = name.to_owned();
        group.description = description.to_owned();
        Ok(())
    }

    pub(crate) fn readdress_group(&mut self, key: &str, new_email: &str) -> Result<(), ChangeError> {
        let id = self.known_group(key)?;
        let address = folded(new_email);
        if self.addresses.get(&address) != Some(&id) {
            self.free_address(new_email)?;
        }
        let old_email = std::mem::replace(&mut self.group_mut(key)?.email, new_email.trim().to_owned());
        let old_address = folded(&old_email);
        self.listed_groups.remove(&old_address);
        self.addresses.remove(&old_address);
        self.listed_groups.insert(address.clone(), id);
        self.addresses.insert(address, id);
        Ok(())
    }

    pub(crate) fn state_members_count(&mut self, key: &str, count: Option<u64>) -> Result<(), ChangeError> {
        self.group_mut(key)?.stated_members_count = count;
        Ok(())
    }

    pub(crate) fn delete_group(&mut self, key: &str) -> Result<(), ChangeError> {
        let id = self.known_group(key)?;
        self.leave_all(id);
        let Some(group) = self.groups.remove(&id) else { return Ok(()) };
        let address = folded(&group.email);
        self.listed_groups.remove(&address);
        self.addresses.remove(&address);
        self.memberships_count -= group.members.len();
        for member in group.members.keys() {
            self.forget_parent(*member, id);
        }
        Ok(())
    }

    /// Adds a user or a group to a group; what does not exist is added first.
    pub(crate) fn add_member(&mut self, group: &str, member: &str, role: Role) -> Result<(), ChangeError> {
        let member_id = match self.member_id(member) {
            Some(id) => id,
            None => self.add_user(member)?,
        };
        let group_id = self.add_group(group)?;
        self.link(group_id, member_id, role);
        Ok(())
    }

    pub(crate) fn add_external(&mut self, group: &str, member: &str) -> Result<(), ChangeError> {
        let address = self.free_address(member)?;
        let group_id = self.add_group(group)?;
        let member_id = match self.external_addresses.get(&address) {
            Some(id) => *id,
            None => self.next_id(),
        };
        self.external_addresses.insert(address, member_id);
        self.externals.insert(member_id, member.trim().to_owned());
        self.link(group_id, member_id, Role::Member);
        Ok(())
    }

    pub(crate) fn add_customer(&mut self, group: &str) -> Result<(), ChangeError> {
        let group_id = self.add_group(group)?;
        self.link(group_id, DirectoryId::CUSTOMER, Role::Member);
        Ok(())
    }

    pub(crate) fn remove_member(&mut self, group: &str, member: &str) -> Result<(), ChangeError> {
        let group_id = self.known_group(group)?;
        let not_a_member = || ChangeError::NotAMember { group: group.to_owned(), member: member.to_owned() };
        let member_id = self.member_id(member).ok_or_else(not_a_member)?;
        if self.unlink(group_id, member_id) { Ok(()) } else { Err(not_a_member()) }
    }

    /// Makes somebody a direct member; both sides at once. True when it was not one before.
    pub(crate) fn link(&mut self, group: DirectoryId, member: DirectoryId, role: Role) -> bool {
        let Some(entry) = self.groups.get_mut(&group) else { return false };
        let added = entry.members.insert(member, role).is_none();
        if added {
            self.memberships_count += 1;
        }
        if let Some(user) = self.users.get_mut(&member) {
            user.groups.insert(group);
        } else if let Some(inner) = self.groups.get_mut(&member) {
            inner.groups.insert(group);
        }
        added
    }

    fn unlink(&mut self, group: DirectoryId, member: DirectoryId) -> bool {
        let removed = self.groups.get_mut(&group).and_then(|group| group.members.remove(&member)).is_some();
        if removed {
            self.memberships_count -= 1;
            self.forget_parent(member, group);
        }
        removed
    }

    fn forget_parent(&mut self, member: DirectoryId, group: DirectoryId) {
        if let Some(user) = self.users.get_mut(&member) {
            user.groups.remove(&group);
        } else if let Some(inner) = self.groups.get_mut(&member) {
            inner.groups.remove(&group);
        }
    }

    fn leave_all(&mut self, member: DirectoryId) {
        let groups: Vec<_> = self.parents(member).into_iter().flatten().copied().collect();
        for group in groups {
            self.unlink(group, member);
        }
    }

    /// The folded address, when it is one and nobody alive has it. A deleted user gives its address up.
    fn free_address(&self, email: &str) -> Result<String, ChangeError> {
        let address = folded(email);
        if !address.contains('@') || address.contains(char::is_whitespace) {
            return Err(ChangeError::NotAnAddress(email.to_owned()));
        }
        let holder = self.addresses.get(&address).and_then(|id| self.principal(&id.to_string()));
        match holder {
            None | Some(super::Principal::DeletedUser(_)) => Ok(address),
            Some(super::Principal::User(_) | super::Principal::Group(_)) => Err(ChangeError::Taken(email.to_owned())),
        }
    }

    fn known_user(&self, key: &str) -> Result<DirectoryId, ChangeError> {
        self.user_id(key).ok_or_else(|| ChangeError::UnknownUser(key.to_owned()))
    }

    fn known_group(&self, key: &str) -> Result<DirectoryId, ChangeError> {
        self.group_id(key).ok_or_else(|| ChangeError::UnknownGroup(key.to_owned()))
    }

    fn user_mut(&mut self, key: &str) -> Result<&mut User, ChangeError> {
        let id = self.known_user(key)?;
        self.users.get_mut(&id).ok_or_else(|| ChangeError::UnknownUser(key.to_owned()))
    }

    fn group_mut(&mut self, key: &str) -> Result<&mut Group, ChangeError> {
        let id = self.known_group(key)?;
        self.groups.get_mut(&id).ok_or_else(|| ChangeError::UnknownGroup(key.to_owned()))
    }

    fn next_id(&mut self) -> DirectoryId {
        self.last_id = self.last_id.next();
        self.last_id
    }
}

/// A name made from an address: `ann` becomes `Ann`.
fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
