//! What the bodies of requests promise, on any bytes. See [`crate::decoders`].

use entitled_model::resource::ResourceType;
use serde_json::Value;

use super::{admin, hint, login, provisioning};
use crate::decoders::{Decoder, json};

pub const DECODERS: [&[Decoder]; 2] = [&HOOKS, &admin::DECODERS];

const HOOKS: [Decoder; 3] = [("login", reported), ("hint", hinted), ("provisioning", provisioned)];

pub(super) fn object(bytes: &[u8]) -> Option<Value> {
    let json = json(bytes)?;
    assert!(json.is_object(), "something else was taken for an object");
    Some(json)
}

/// A login names who the body names, and carries the claims that it carries.
fn reported(bytes: &[u8]) {
    let Ok(login) = login::parse(bytes) else { return };
    let Some(json) = object(bytes) else { return };
    assert_eq!(login.email.is_some(), json["email"].is_string());
    assert_eq!(login.sub.is_some(), json["sub"].is_string());
    assert_eq!(login.claims.len(), json["claims"].as_object().map_or(0, serde_json::Map::len));
}

/// A hint names only what stands in its body.
fn hinted(bytes: &[u8]) {
    let Ok(names) = hint::read(bytes) else { return };
    let Some(json) = object(bytes) else { return };
    let text = json.to_string();
    assert!(names.iter().all(|name| text.contains(&Value::from(name.as_str()).to_string())));
}

/// Something is named, and nothing that is only blanks.
fn provisioned(bytes: &[u8]) {
    let kind = ResourceType::of_path("maildomains").expect("a type");
    let Ok((names, _)) = provisioning::parse(kind, bytes) else { return };
    let Some(json) = object(bytes) else { return };
    assert!(json["domains"].is_array() || json["domains"].is_string());
    assert!(!names.is_empty() && names.iter().all(|name| !name.trim().is_empty()));
}
