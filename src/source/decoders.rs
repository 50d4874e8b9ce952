//! What every source's words promise, on any bytes. See [`crate::decoders`].

use entitled_model::observation::Coverage;
use entitled_model::{Facet, MapRule};
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::client::{Heard, PAUSE_MAX, Reply, http_date, retry_after};
use super::{Snapshot, answer, deploycenter, google, local, scim};
use crate::decoders::{Decoder, json};

const MAPPED: &str = "can_admin_maildomains";

pub const DECODERS: [&[Decoder]; 4] = [&google::DECODERS, &scim::DECODERS, &deploycenter::DECODERS, &OTHERS];

const OTHERS: [Decoder; 4] =
    [("deploycenter", entitlements), ("local_file", local_file), ("snapshot", snapshot), ("headers", headers)];

pub(super) fn rules() -> Vec<MapRule> {
    let facet = Facet { resource_type: "maildomain".to_owned(), permission: "admin".to_owned() };
    vec![MapRule { entitlement: MAPPED.to_owned(), facet }]
}

/// Groups are known only from a list, and known to be none only from an empty one.
fn entitlements(bytes: &[u8]) {
    let Ok(stated) = deploycenter::stated(&Reply::of(StatusCode::OK, bytes)) else { return };
    let Some(json) = json(bytes) else { return };
    let said = json["entitlements"].as_object().expect("an object");
    assert_eq!(stated.len(), said.len(), "an entitlement was lost");
    let Ok(answer) = answer::read(&stated, &rules()) else { return };
    let Coverage::Facets(known) = &answer.coverage else { panic!("a backend covers only what it maps") };
    match said.get(MAPPED) {
        None | Some(Value::Null) => assert!(known.is_empty() && answer.groups.is_empty(), "absent is not empty"),
        Some(Value::Array(list)) => {
            assert!(list.iter().all(|name| name.as_str().is_some_and(|name| !name.trim().is_empty())));
            assert_eq!(answer.groups.is_empty(), list.is_empty());
        }
        Some(other) => panic!("{other} was taken for a list"),
    }
}

/// A person's groups are known only where the entry lists them.
fn local_file(bytes: &[u8]) {
    local::each_answer(bytes, &rules(), |entry, answer| {
        let groups = entry.get("groups").map(|groups| groups.as_array().expect("a list").len());
        assert_eq!(answer.coverage == Coverage::Everything, groups.is_some());
        assert!(groups.is_none_or(|listed| listed == 0 || !answer.groups.is_empty()));
    });
}

/// Every group and every user of the file is read, a group is empty only where its list is, and what is written is read again.
fn snapshot(bytes: &[u8]) {
    let Ok(read) = Snapshot::read(bytes) else { return };
    assert_eq!(Snapshot::read(read.text().as_bytes()).as_ref(), Ok(&read));
    let Some(json) = json(bytes) else { return };
    let listed = |key: &str| json[key].as_array().expect("a list");
    if let Ok(census) = read.census() {
        assert_eq!(census.groups.len(), listed("groups").len());
        for (group, said) in census.groups.iter().zip(listed("groups")) {
            assert_eq!(group.members.is_empty(), said["members"].as_array().expect("a list").is_empty());
        }
    }
    if let Ok(answers) = read.answers(&rules()) {
        assert_eq!(answers.len(), listed("users").len());
    }
}

/// A line each: `Retry-After`, `Date`, and a limit. No pause is longer than what is believed.
fn headers(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n').map(HeaderValue::from_bytes);
    let mut line = || lines.next().and_then(Result::ok);
    let now = http_date("Sun, 22 Nov 2026 01:56:33 GMT").expect("a date");
    let (pause, date, limit) = (line(), line(), line());
    let said_at = date.as_ref().and_then(|date| http_date(date.to_str().ok()?));
    if let Some(pause) = &pause {
        assert!(retry_after(pause, said_at.unwrap_or(now)).is_none_or(|pause| pause <= PAUSE_MAX));
    }
    let mut headers = HeaderMap::new();
    headers.extend(date.map(|date| (DATE, date)));
    for name in ["ratelimit", "ratelimit-remaining", "x-ratelimit-limit"] {
        headers.extend(limit.clone().map(|limit| (HeaderName::from_static(name), limit)));
    }
    let heard = Heard::default();
    heard.note(&headers, now, now);
    assert_eq!(heard.clock_ahead().is_some(), said_at.is_some());
}
