//! Table `run`.

use sea_orm::entity::prelude::*;

/// The record of one run of one source.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "run")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub run_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub source: String,
    pub trigger: String,
    pub scope: String,
    pub user_id: Option<Uuid>,
    pub began_at: DateTimeUtc,
    pub ended_at: DateTimeUtc,
    pub outcome: String,
    pub error_class: Option<String>,
    pub error_message: Option<String>,
    pub created: i64,
    pub removed: i64,
    pub kept: i64,
    pub unchanged: i64,
    pub users_asked: i64,
    pub users_failed: i64,
    pub plan_hash: Option<String>,
    pub position: Option<i64>,
}

impl ActiveModelBehavior for ActiveModel {}
