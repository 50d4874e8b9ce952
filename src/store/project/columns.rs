//! The columns that are written of each table, and what replaces a row that is there.

use crate::store::sql::Field;

pub(super) const USER: [(&str, Field); 5] = [
    ("id", Field::Uuid),
    ("kind", Field::Text),
    ("status", Field::Text),
    ("created_position", Field::Int),
    ("created_at", Field::Time),
];

pub(super) const GROUP: [(&str, Field); 10] = [
    ("id", Field::Uuid),
    ("name", Field::Text),
    ("managed_by", Field::Text),
    ("external_id", Field::Text),
    ("resource_type", Field::Text),
    ("permission", Field::Text),
    ("resource_id", Field::Text),
    ("created_position", Field::Int),
    ("created_at", Field::Time),
    ("description", Field::Text),
];

pub(super) const GRANT: [(&str, Field); 7] = [
    ("id", Field::Uuid),
    ("group_id", Field::Uuid),
    ("permission", Field::Text),
    ("resource_type", Field::Text),
    ("resource_id", Field::Text),
    ("since_position", Field::Int),
    ("since_at", Field::Time),
];

pub(super) const ENTITLEMENT: [(&str, Field); 6] = [
    ("user_id", Field::Uuid),
    ("source", Field::Text),
    ("key", Field::Text),
    ("value", Field::Text),
    ("since_position", Field::Int),
    ("since_at", Field::Time),
];

pub(super) const RESOURCE: [(&str, Field); 5] = [
    ("resource_type", Field::Text),
    ("resource_id", Field::Text),
    ("attributes", Field::Text),
    ("since_position", Field::Int),
    ("since_at", Field::Time),
];

pub(super) const SUSPENSION: [(&str, Field); 4] =
    [("user_id", Field::Uuid), ("source", Field::Text), ("since_position", Field::Int), ("since_at", Field::Time)];

pub(super) const REPLACE_SUSPENSION: &str = "ON CONFLICT (user_id, source) DO UPDATE SET
    since_position = excluded.since_position, since_at = excluded.since_at";

pub(super) const REPLACE_RESOURCE: &str = "ON CONFLICT (resource_type, resource_id) DO UPDATE SET
    attributes = excluded.attributes, since_position = excluded.since_position, since_at = excluded.since_at";

pub(super) const REPLACE_ENTITLEMENT: &str = "ON CONFLICT (user_id, source, key) DO UPDATE SET
    value = excluded.value, since_position = excluded.since_position, since_at = excluded.since_at";

pub(super) const APPROVAL: [(&str, Field); 6] = [
    ("source", Field::Text),
    ("hash", Field::Text),
    ("reason", Field::Text),
    ("expires_at", Field::Text),
    ("since_position", Field::Int),
    ("since_at", Field::Time),
];

pub(super) const REPLACE_APPROVAL: &str = "ON CONFLICT (source) DO UPDATE SET hash = excluded.hash,
    reason = excluded.reason, expires_at = excluded.expires_at, since_position = excluded.since_position,
    since_at = excluded.since_at";

pub(super) const TOKEN: [(&str, Field); 6] = [
    ("id", Field::Uuid),
    ("owner_id", Field::Uuid),
    ("scopes", Field::Text),
    ("created_position", Field::Int),
    ("created_at", Field::Time),
    ("expires_at", Field::Time),
];

pub(super) const ADMINISTRATOR: [(&str, Field); 5] = [
    ("user_id", Field::Uuid),
    ("source", Field::Text),
    ("state", Field::Text),
    ("since_position", Field::Int),
    ("since_at", Field::Time),
];

pub(super) const REPLACE_ADMINISTRATOR: &str = "ON CONFLICT (user_id, source) DO UPDATE SET state = excluded.state";

pub(super) const ROLE: [(&str, Field); 5] = [
    ("subject_kind", Field::Text),
    ("subject_id", Field::Uuid),
    ("level", Field::Int),
    ("since_position", Field::Int),
    ("since_at", Field::Time),
];

pub(super) const REPLACE_ROLE: &str = "ON CONFLICT (subject_id, subject_kind) DO UPDATE SET level = excluded.level,
    since_position = excluded.since_position, since_at = excluded.since_at";
