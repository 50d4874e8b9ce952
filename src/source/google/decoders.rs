//! What Google's words promise, on any bytes. See [`crate::decoders`].

use std::time::Duration;

use entitled_model::observation::Standing;
use reqwest::StatusCode;
use serde_json::Value;

use super::signer::{InstanceToken, Signed};
use super::token;
use super::wire::{self, Answered, Group, GroupCount, GroupsPage, Kinded, Member, MembersPage, Page, User, UsersPage};
use crate::decoders::{Decoder, json};
use crate::source::client::Reply;

pub const DECODERS: [Decoder; 8] = [
    ("google_groups", |bytes| page::<GroupsPage>(bytes, "groups")),
    ("google_members", |bytes| page::<MembersPage>(bytes, "members")),
    ("google_users", |bytes| page::<UsersPage>(bytes, "users")),
    ("google_group", group),
    ("google_user", user),
    ("google_refusal", refusal),
    ("google_token", granted),
    ("google_signed", signed),
];

/// What an entry says, to be compared with the JSON that it was read from.
trait Entry {
    fn says(self, json: &Value) -> bool;
}

impl Entry for Group {
    fn says(self, json: &Value) -> bool {
        json.is_object() && json["id"] == self.id.as_str() && json["email"] == self.email.as_str()
    }
}

impl Entry for Member {
    fn says(self, json: &Value) -> bool {
        json.is_object()
            && json["type"].is_string()
            && json["email"].as_str() == self.email.as_deref()
            && json["id"].as_str() == self.id.as_deref()
    }
}

/// Only whoever is said to be suspended or archived is; no account has an address that is not said to be its own.
impl Entry for User {
    fn says(self, json: &Value) -> bool {
        let (id, address) = (json["id"].as_str(), json["primaryEmail"].as_str());
        let Some(account) = self.account() else { return json.is_object() && id.is_some() && address.is_some() };
        let further = ["aliases", "nonEditableAliases"].map(|list| json[list].as_array());
        let said: Vec<&str> =
            further.into_iter().flatten().flatten().filter_map(Value::as_str).map(str::trim).collect();
        let is_shut = ["suspended", "archived"].iter().any(|flag| json[flag] == true);
        Some(account.external_id.as_str()) == id
            && Some(account.address.as_given()) == address.map(str::trim)
            && account.aliases.iter().all(|alias| said.contains(&alias.as_given()))
            && (account.standing == Standing::Suspended) == is_shut
    }
}

/// What was read as an answer, with its JSON: an object without an error, of its own kind or of none that it states.
fn answered<T: Kinded>(bytes: &[u8]) -> Option<(T, Value)> {
    let Ok(Answered::With(answer)) = wire::read::<T>(&Reply::of(StatusCode::OK, bytes), "g") else { return None };
    let json = json(bytes)?;
    let stated = json.as_object().expect("an answer is an object");
    assert!(stated.get("error").is_none_or(Value::is_null), "an error read as an answer");
    let kind = stated.get("kind");
    assert!(kind.is_none_or(|kind| kind.is_null() || kind == <T as Kinded>::KIND), "another kind of thing");
    Some((answer, json))
}

/// A page has exactly the entries that it lists, and is empty only when it is an object with an empty list, or none.
fn page<P: Page>(bytes: &[u8], list: &str)
where
    P::Entry: Entry,
{
    let Some((page, json)) = answered::<P>(bytes) else { return };
    let (entries, next) = page.into_parts();
    let rows = json.get(list).map_or(&[][..], |rows| rows.as_array().expect("a list, or none"));
    assert_eq!(entries.len(), rows.len(), "entries were lost");
    assert!(entries.into_iter().zip(rows).all(|(entry, json)| entry.says(json)), "an entry says something else");
    assert_eq!(next.as_deref(), json["nextPageToken"].as_str(), "the end of the list was misread");
}

/// A number of members is the one that is stated, as Google's text or as a number.
fn group(bytes: &[u8]) {
    let Some((group, json)) = answered::<GroupCount>(bytes) else { return };
    let stated = json.get("directMembersCount");
    let text = stated.map(|stated| stated.as_str().map_or_else(|| stated.to_string(), str::to_owned));
    assert_eq!(group.direct_members_count, text.map(|text| text.parse().expect("a count")));
}

fn user(bytes: &[u8]) {
    let Some((user, json)) = answered::<User>(bytes) else { return };
    assert!(user.says(&json), "an account says something else");
}

/// The first byte chooses the status. Only Google's own words about the very key are an absence.
fn refusal(bytes: &[u8]) {
    const STATUSES: [u16; 10] = [301, 400, 401, 403, 404, 404, 412, 412, 429, 503];
    let Some((first, body)) = bytes.split_first() else { return };
    let status = STATUSES[usize::from(*first) % STATUSES.len()];
    let reply = Reply::of(StatusCode::from_u16(status).expect("a status"), body);
    match wire::read::<GroupsPage>(&reply, "g") {
        Err(failure) => assert!(!failure.message.is_empty()),
        Ok(Answered::With(_)) => panic!("a refusal read as an answer"),
        Ok(Answered::NoSuchKey) => {
            let Some(json) = json(body) else { return };
            let reason = json["error"]["errors"][0]["reason"].as_str();
            assert!(matches!((status, reason), (404, Some("notFound")) | (412, Some("conditionNotMet"))), "{status}");
        }
    }
}

/// A token is used no longer than it lives, nor for ever, and is no other than the one that was granted.
fn granted(bytes: &[u8]) {
    let asked_at = Duration::from_secs(3600);
    let Ok(token) = token::read(&Reply::of(StatusCode::OK, bytes), asked_at) else { return };
    let Some(json) = json(bytes) else { return };
    assert!(token.usable_until() >= asked_at && token.usable_until() <= asked_at + token::LIFE_MAX);
    assert!(token.usable_until() - asked_at <= Duration::from_secs(json["expires_in"].as_u64().expect("a number")));
    assert!(json["access_token"].is_string());
}

/// What the two answers of keyless delegation hand on is a text that they hold.
fn signed(bytes: &[u8]) {
    let reply = Reply::of(StatusCode::OK, bytes);
    let signed = reply.ok_json::<Signed>().map(|answer| ("signedJwt", answer.signed_jwt));
    let token = reply.ok_json::<InstanceToken>().map(|answer| ("access_token", answer.access_token));
    for (key, text) in signed.into_iter().chain(token) {
        assert!(json(bytes).is_none_or(|json| json.is_object() && json[key] == text.as_str()), "{key}");
    }
}
