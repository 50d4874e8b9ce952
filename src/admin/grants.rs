//! Grants: permissions on resources, given to groups and taken back by hand.

use entitled_model::event::{Event, GrantCreated, Granted};
use entitled_model::resource::ResourceType;
use entitled_model::{GrantId, GroupId, Permission};

use super::{Admin, AdminError};
use crate::store::{GrantRecord, Unit};

impl Admin {
    /// Gives a group a permission on a resource. Any group may have grants, one that a source manages too; and a resource
    /// need not be known yet.
    ///
    /// # Errors
    /// When a part is malformed, there is no such type or group, or the group has it already.
    pub async fn create_grant(
        &self,
        group: GroupId,
        permission: &str,
        resource_type: &str,
        resource_id: &str,
    ) -> Result<GrantRecord, AdminError> {
        let permission = Permission::parse(permission).map_err(AdminError::Permission)?.as_str().to_owned();
        let kind = ResourceType::of_key(resource_type).ok_or(AdminError::NoResourceType)?;
        let resource_id = kind.id(resource_id).map_err(AdminError::ResourceId)?;
        self.access_to(kind.key)?;
        let mut unit = self.store.begin().await?;
        self.group(&unit, group).await?;
        if self.store.is_granted(unit.reader(), group, &permission, kind.key, &resource_id).await? {
            return Err(AdminError::AlreadyGranted);
        }
        let grant = GrantId(self.store.clock().new_id());
        let after = Granted { grant, permission, resource_type: kind.key.to_owned(), resource_id };
        self.record(&mut unit, vec![Event::GrantCreated(GrantCreated { group, after })]).await?;
        let made = self.grant(&unit, grant).await?;
        unit.commit().await?;
        Ok(made)
    }

    /// Takes a grant back.
    ///
    /// # Errors
    /// When there is no such grant.
    pub async fn delete_grant(&self, grant: GrantId) -> Result<(), AdminError> {
        let mut unit = self.store.begin().await?;
        let GrantRecord { group, granted, .. } = self.grant(&unit, grant).await?;
        self.access_to(&granted.resource_type)?;
        self.record(&mut unit, vec![Event::grants_deleted(group, vec![granted])]).await?;
        unit.commit().await?;
        Ok(())
    }

    async fn grant(&self, unit: &Unit, grant: GrantId) -> Result<GrantRecord, AdminError> {
        self.store.grant_by_id(unit.reader(), grant).await?.ok_or(AdminError::NoGrant)
    }
}
