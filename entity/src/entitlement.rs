//! Table `entitlement`.

use sea_orm::entity::prelude::*;

/// What a backend states about a user; `value` is JSON text.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "entitlement")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub source: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    pub value: String,
    pub since_position: i64,
    pub since_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
