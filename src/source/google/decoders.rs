//! What Google's words promise, on any bytes. See [`crate::decoders`].

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use super::signer::{InstanceToken, Signed};
use super::token;
use super::wire::{self, Answered, Group, GroupCount, GroupsPage, Kinded, Member, MembersPage, Page};
use crate::decoders::{Decoder, json};
use crate::source::client::Reply;

pub const DECODERS: [Decoder; 6] = [
    ("google_groups", |bytes| page::<GroupsPage>(bytes, "groups")),
    ("google_members", |bytes| page::<MembersPage>(bytes, "members")),
    ("google_group", group),
    ("google_refusal", refusal),
    ("google_token", granted),
    ("google_signed", signed),
];

/// What an entry says, to be compared with the JSON that it was read from.
trait Entry {
    fn says(&self, json: &Value) -> bool;
}

impl Entry for Group {
    fn says(&self, json: &Value) -> bool {
        json.is_object() && json["id"] == self.id.as_str() && json["email"] == self.email.as_str()
    }
}

impl Entry for Member {
    fn says(&self, json: &Value) -> bool {
        json.is_object()
            && json["type"].is_string()
            && json["email"].as_str() == self.email.as_deref()
            && json["id"].as_str() == self.id.as_deref()
    }
}

/// A page has exactly the entries that it lists, and is empty only when it is an object with an empty list, or none.
fn page<P: Page>(bytes: &[u8], list: &str)
where
    P::Entry: Entry,
{
    let reply = Reply::of(StatusCode::OK, bytes);
    let Ok(Answered::With(page)) = wire::read::<P>(&reply, "g") else { return };
    let (entries, next) = page.into_parts();
    let Some(json) = json(bytes) else { return };
    let stated = json.as_object().expect("a page is an object");
    assert!(stated.get("error").is_none_or(Value::is_null), "an error read as a page");
    assert!(
        stated.get("kind").is_none_or(|kind| kind.is_null() || kind == <P as Kinded>::KIND),
        "another kind of thing"
    );
    let rows = stated.get(list).map_or(&[][..], |rows| rows.as_array().expect("a list, or none"));
    assert_eq!(entries.len(), rows.len(), "entries were lost");
    assert!(entries.iter().zip(rows).all(|(entry, json)| entry.says(json)), "an entry says something else");
    assert_eq!(next.as_deref(), stated.get("nextPageToken").and_then(Value::as_str), "the end of the list was misread");
}

/// A number of members is the one that is stated, as Google's text or as a number.
fn group(bytes: &[u8]) {
    let Ok(Answered::With(group)) = wire::read::<GroupCount>(&Reply::of(StatusCode::OK, bytes), "g") else { return };
    let Some(json) = json(bytes) else { return };
    let stated = &json.as_object().expect("a group is an object").get("directMembersCount");
    let text = stated.map(|stated| stated.as_str().map_or_else(|| stated.to_string(), str::to_owned));
    assert_eq!(group.direct_members_count, text.map(|text| text.parse().expect("a count")));
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
