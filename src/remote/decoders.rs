//! What a server's answers promise, on any bytes. See [`crate::decoders`].

use serde_json::Value;

use super::{Page, answer, error};
use crate::decoders::{Decoder, json};
use crate::http::{
    AccessesView, AdminGroupsView, AdminUsersView, DueRemovalsView, GrantsView, MembersView, RolesView,
    StatedEntitlementsView, TokensView, UserMembershipsView,
};

pub const DECODERS: [Decoder; 1] = [("remote", remote)];

/// A page has as many rows as its list, and is the last only where it says so; a problem's words can't steer a terminal.
fn remote(bytes: &[u8]) {
    paged::<AdminGroupsView>(bytes, "groups");
    paged::<MembersView>(bytes, "members");
    paged::<GrantsView>(bytes, "grants");
    paged::<AdminUsersView>(bytes, "users");
    paged::<RolesView>(bytes, "roles");
    paged::<TokensView>(bytes, "tokens");
    paged::<AccessesView>(bytes, "accesses");
    paged::<UserMembershipsView>(bytes, "memberships");
    paged::<StatedEntitlementsView>(bytes, "entitlements");
    paged::<DueRemovalsView>(bytes, "removals");
    let Some(said) = error::problem(bytes) else { return };
    assert!(!said.chars().any(char::is_control));
    assert!(json(bytes).is_none_or(|json| json["detail"].is_string()));
}

fn paged<P: Page>(bytes: &[u8], list: &str) {
    let Some(page) = answer::<P>(bytes) else { return };
    let Some(json) = json(bytes) else { return };
    let (rows, next) = page.parts();
    assert_eq!(rows.len(), json[list].as_array().expect("a list").len());
    assert!(json.as_object().expect("an object").contains_key("next"), "nothing was said of what follows");
    assert_eq!(next.map(Value::from).unwrap_or_default(), json["next"]);
}
