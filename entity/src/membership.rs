//! Table `membership`.

use sea_orm::entity::prelude::*;

/// A membership over time; open while `to_position` is null.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "membership")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub group_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub source: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub from_position: i64,
    pub from_at: DateTimeUtc,
    pub to_position: Option<i64>,
    pub to_at: Option<DateTimeUtc>,
    pub blocked_position: Option<i64>,
    /// The source no longer lists it, and it goes from then on.
    pub due_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}
