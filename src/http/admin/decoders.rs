//! What the bodies of administration promise, on any bytes: they say what was read, and nothing beside it. See
//! [`crate::decoders`].

use entitled_model::resource::ResourceType;
use entitled_model::token::Lifetime;
use serde_json::{Value, json};

use super::grants::NewGrantBody;
use super::groups::{GroupPatchBody, NewGroupBody};
use super::members::NewMemberBody;
use super::users::{EraseBody, NewUserBody, StatusWord, UserPatchBody};
use super::{object, resources, tokens};
use crate::decoders::Decoder;
use crate::http::decoders;

pub const DECODERS: [Decoder; 9] = [
    ("admin_erase", erase),
    ("admin_grant", grant),
    ("admin_group", group),
    ("admin_group_patch", group_patch),
    ("admin_member", member),
    ("admin_resource", resource),
    ("admin_token", token),
    ("admin_user", user),
    ("admin_user_patch", user_patch),
];

/// Whether a body says this; what is `null` it may leave out.
fn says(bytes: &[u8], read: &Value) -> bool {
    let Some(body) = decoders::object(bytes) else { return true };
    let (body, read) = (body.as_object().expect("an object"), read.as_object().expect("an object"));
    body.keys().all(|field| read.contains_key(field))
        && read.iter().all(|(field, value)| body.get(field).unwrap_or(&Value::Null) == value)
}

fn grant(bytes: &[u8]) {
    let Ok(NewGrantBody { group_id, permission, resource_type, resource_id }) = object(bytes, "a grant") else {
        return;
    };
    let read = json!({ "group_id": group_id, "permission": permission, "resource_type": resource_type,
        "resource_id": resource_id });
    assert!(says(bytes, &read));
}

fn group(bytes: &[u8]) {
    let Ok(NewGroupBody { name, description }) = object(bytes, "a group") else { return };
    assert!(says(bytes, &json!({ "name": name, "description": description })));
}

fn group_patch(bytes: &[u8]) {
    let Ok(GroupPatchBody { name, description }) = object(bytes, "a change") else { return };
    assert!(says(bytes, &json!({ "name": name, "description": description })));
}

fn member(bytes: &[u8]) {
    let Ok(NewMemberBody { user_id, expires_at }) = object(bytes, "a member") else { return };
    assert!(says(bytes, &json!({ "user_id": user_id, "expires_at": expires_at })));
}

fn user(bytes: &[u8]) {
    let Ok(NewUserBody { email }) = object(bytes, "a user") else { return };
    assert!(says(bytes, &json!({ "email": email })));
}

fn erase(bytes: &[u8]) {
    let Ok(EraseBody { reason }) = object(bytes, "a reason") else { return };
    assert!(says(bytes, &json!({ "reason": reason })));
}

fn user_patch(bytes: &[u8]) {
    let Ok(UserPatchBody { status }) = object(bytes, "a change") else { return };
    let word = match status {
        StatusWord::Active => "active",
        StatusWord::Deactivated => "deactivated",
    };
    assert!(says(bytes, &json!({ "status": word })));
}

/// A token is whose the body says, may no more than it says, and lives no longer.
fn token(bytes: &[u8]) {
    let Ok(new) = tokens::parse(bytes) else { return };
    let Some(body) = decoders::object(bytes) else { return };
    assert_eq!(new.owner.is_some(), body["owner"].is_string());
    assert_eq!(new.name.as_deref(), body["name"].as_str());
    let scopes: Vec<String> = new.scopes.iter().map(ToString::to_string).collect();
    match body["scopes"].as_array() {
        Some(given) => assert!(scopes.iter().all(|scope| given.contains(&json!(scope)))),
        None => assert!(scopes.is_empty() || (scopes == ["read"] && new.owner.is_some())),
    }
    let days = body["expires_in_days"].as_i64();
    assert_eq!(Some(new.lifetime), days.map_or(Some(Lifetime::DEFAULT), Lifetime::days));
}

/// The id is of the type's form; attributes are an object, empty when there are none.
fn resource(bytes: &[u8]) {
    let kind = ResourceType::of_path("maildomains").expect("a type");
    let Ok((id, attributes)) = resources::parse(kind, bytes) else { return };
    let Some(mut body) = decoders::object(bytes) else { return };
    assert_eq!(Ok(id), kind.id(body["id"].as_str().expect("a text")));
    let stated = body.as_object_mut().expect("an object").remove("attributes");
    assert_eq!(attributes.json(), stated.unwrap_or_else(|| json!({})));
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(1), "a field was passed over");
}
