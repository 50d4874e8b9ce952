//! Table `event`.

use sea_orm::entity::prelude::*;

/// One event in its place in the log.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    pub event_id: Uuid,
    pub stream_category: String,
    pub stream_id: String,
    pub event_type: String,
    pub schema_version: i32,
    pub payload: String,
    pub actor: String,
    pub source: Option<String>,
    pub run_id: Option<Uuid>,
    pub correlation_id: Option<String>,
    pub causation_id: Option<Uuid>,
    pub occurred_at: DateTimeUtc,
    pub recorded_at: DateTimeUtc,
    pub digest: Vec<u8>,
}

impl ActiveModelBehavior for ActiveModel {}
