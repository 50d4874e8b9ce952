//! What SCIM's words promise, on any bytes. See [`crate::decoders`].

use entitled_model::observation::Standing;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::accounts::Holder;
use super::features::{By, Features};
use super::list::{Progressed, Then};
use super::wire::{self, Group, Id, Member, MemberKind, Page, Resource, User};
use crate::decoders::{self, Decoder};
use crate::source::client::Reply;

pub const DECODERS: [Decoder; 6] = [
    ("scim_users", page::<User>),
    ("scim_groups", page::<Group>),
    ("scim_user", resource::<User>),
    ("scim_group", resource::<Group>),
    ("scim_config", features),
    ("scim_refusal", refusal),
];

const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
const CONFIG: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";

/// What a resource says, to be compared with the JSON that it was read from.
trait Says {
    fn says(&self, json: &Value) -> bool;
}

/// Only whoever is said to be inactive is suspended; no account has an address that is not said to be its own.
impl Says for User {
    fn says(&self, json: &Value) -> bool {
        let listed = json["emails"].as_array().map_or(&[][..], Vec::as_slice);
        let emails = self.emails.as_deref().unwrap_or_default();
        let same = |(email, json): (&wire::Email, &Value)| {
            json.is_object()
                && email.value.as_deref() == json["value"].as_str()
                && email.primary == json["primary"].as_bool()
        };
        let said = || listed.iter().map(|email| &email["value"]).chain([&json["userName"]]).filter_map(Value::as_str);
        let is_said = |address: &str| said().any(|said| said.trim() == address);
        let held = match Holder::of(self) {
            Holder::Nobody | Holder::Unclear => true,
            Holder::Person(account) => {
                is_said(account.address.as_given())
                    && account.aliases.iter().all(|alias| is_said(alias.as_given()))
                    && (account.standing == Standing::Suspended) == (json["active"] == false)
            }
        };
        held && json.is_object()
            && json["id"] == self.id.as_str()
            && self.user_name.as_deref() == json["userName"].as_str()
            && emails.len() == listed.len()
            && emails.iter().zip(listed).all(same)
    }
}

impl Says for Group {
    fn says(&self, json: &Value) -> bool {
        let listed = json["members"].as_array();
        let members = self.members.as_deref().unwrap_or_default();
        json.is_object()
            && json["id"] == self.id.as_str()
            && json["displayName"] == self.display_name.as_str()
            && self.members.is_some() == listed.is_some()
            && members.len() == listed.map_or(0, Vec::len)
            && members.iter().zip(listed.into_iter().flatten()).all(|(member, json)| member.says(json))
    }
}

impl Says for Member {
    fn says(&self, json: &Value) -> bool {
        let typed = |name: &str| match json["type"].as_str() {
            Some(kind) => kind.eq_ignore_ascii_case(name),
            None => json["$ref"].as_str().is_some_and(|reference| reference.contains(&format!("{name}s/"))),
        };
        let kind = match self.kind() {
            MemberKind::User => typed("User"),
            MemberKind::Group => typed("Group"),
            MemberKind::Unsaid => json["type"].is_null(),
            MemberKind::Other => json["type"].is_string(),
        };
        kind && json.is_object() && self.value.as_ref().map(Id::as_str) == json["value"].as_str()
    }
}

fn names(json: &Value, schema: &str) -> bool {
    let mut named = json["schemas"].as_array().into_iter().flatten().filter_map(Value::as_str);
    named.any(|urn| urn.eq_ignore_ascii_case(schema))
}

/// A page has exactly the resources that it lists, and ends a list of none only when it says so: by a total of none, or by
/// cursor with an empty list.
fn page<R: Resource + Says>(bytes: &[u8]) {
    let read = || wire::page::<R>(&Reply::of(StatusCode::OK, bytes));
    let Ok(page) = read() else { return };
    let Some(json) = decoders::json(bytes) else { return };
    assert!(json.is_object() && names(&json, LIST) && !names(&json, ERROR), "it is no list");
    let Page { total, resources, next_cursor } = &page;
    assert_eq!((*total, next_cursor.as_deref()), (json["totalResults"].as_u64(), json["nextCursor"].as_str()));
    let listed = json["Resources"].as_array();
    assert_eq!(resources.as_ref().map(Vec::len), listed.map(Vec::len), "resources were lost");
    let mut pairs = resources.iter().flatten().zip(listed.into_iter().flatten());
    assert!(pairs.all(|(resource, json)| resource.says(json)), "a resource says something else");
    for by in [By::Index, By::Cursor] {
        let Ok((fresh, Then::End)) = Progressed::new(by).take(read().expect("read once")) else { continue };
        let stated = json["totalResults"].as_u64();
        assert!(stated.map_or(by == By::Cursor, |stated| stated == fresh.len() as u64), "the list has another length");
        assert!(!fresh.is_empty() || stated == Some(0) || json["Resources"].is_array(), "absent is not empty");
    }
}

/// A resource asked for alone is the one that was asked for.
fn resource<R: Resource + Says>(bytes: &[u8]) {
    let reply = Reply::of(StatusCode::OK, bytes);
    let id = |id: &str| Id::try_from(id.to_owned()).ok();
    let Some(json) = decoders::json(bytes) else { return };
    let stated = json["id"].as_str().and_then(id);
    let other = id("another").filter(|other| stated.as_ref() != Some(other)).or_else(|| id("yet-another"));
    assert!(wire::resource::<R>(&reply, &other.expect("an id")).is_err(), "another resource was taken for it");
    if let Some(resource) = stated.and_then(|id| wire::resource::<R>(&reply, &id).ok()) {
        assert!(resource.says(&json), "a resource says something else");
    }
}

/// A server can only what it says in so many words; filters are tried unless it denies them.
fn features(bytes: &[u8]) {
    let Ok(features) = Features::read(&Reply::of(StatusCode::OK, bytes), "directory") else { return };
    let Some(json) = decoders::json(bytes) else { return };
    assert!(json.is_object() && names(&json, CONFIG) && !names(&json, ERROR));
    assert_eq!(features.paging == By::Cursor, json["pagination"]["cursor"] == true);
    assert_eq!(features.etag, json["etag"]["supported"] == true);
    assert_eq!(features.filters, json["filter"]["supported"] != false);
}

/// The first byte chooses the status. Of the body only a plain `scimType` counts and is shown; no refusal is an answer.
fn refusal(bytes: &[u8]) {
    const STATUSES: [u16; 10] = [301, 400, 400, 401, 403, 404, 429, 500, 501, 503];
    let Some((first, body)) = bytes.split_first() else { return };
    let status = STATUSES[usize::from(*first) % STATUSES.len()];
    let status = StatusCode::from_u16(status).expect("a status");
    let reply = Reply::of(status, body);
    let said = decoders::json(body).filter(|json| names(json, ERROR)).unwrap_or_default();
    let is_plain = |text: &&str| text.len() <= 40 && text.bytes().all(|byte| byte.is_ascii_alphabetic());
    let scim_type = said["scimType"].as_str().filter(is_plain);
    let plain = |scim_type| json!({ "schemas": [ERROR], "scimType": scim_type }).to_string();
    let told = [plain(scim_type), plain(None)].map(|body| wire::refusal(&Reply::of(status, body.as_bytes()), "x"));
    assert!(told.contains(&wire::refusal(&reply, "x")), "something else than a scimType is shown");
    assert!(!wire::refuses_filter(&reply) || matches!(status.as_u16(), 400 | 403 | 501));
    let features = Features::read(&reply, "x").ok();
    assert!(features.is_none_or(|features| features.paging == By::Index && !features.etag), "a refusal is no feature");
}
