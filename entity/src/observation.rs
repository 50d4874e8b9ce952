//! Table `observation`.

use sea_orm::entity::prelude::*;

/// When a source was last observed, per user; the nil user stands for the source as a whole.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "observation")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub source: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    pub began_at: DateTimeUtc,
    pub completed_at: DateTimeUtc,
    pub run_id: Uuid,
    pub verdict: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
