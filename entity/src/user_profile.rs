//! Table `user_profile`.

use sea_orm::entity::prelude::*;

/// What is personal about a user; beside the log, so that it can be erased.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_profile")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    pub email: Option<String>,
    pub email_key: Option<String>,
    pub sub: Option<String>,
    pub claims: String,
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
