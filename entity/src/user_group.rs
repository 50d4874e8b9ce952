//! Table `user_group`.

use sea_orm::entity::prelude::*;

/// A group.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_group")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub managed_by: Option<String>,
    pub external_id: Option<String>,
    pub resource_type: Option<String>,
    pub permission: Option<String>,
    pub resource_id: Option<String>,
    pub created_position: i64,
    pub created_at: DateTimeUtc,
    pub description: Option<String>,
    pub ended_position: Option<i64>,
    pub ended_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
