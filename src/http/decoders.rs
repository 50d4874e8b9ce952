//! What the bodies of requests promise, on any bytes. See [`crate::decoders`].

use entitled_model::access::{Question, UserRef};
use entitled_model::resource::{ResourceType, fold_id};
use serde_json::Value;

use super::authzen::{evaluate, search};
use super::{admin, check, hint, login, provisioning};
use crate::decoders::{Decoder, json};

pub const DECODERS: [&[Decoder]; 3] = [&HOOKS, &admin::DECODERS, &QUESTIONS];

const HOOKS: [Decoder; 3] = [("login", reported), ("hint", hinted), ("provisioning", provisioned)];

const QUESTIONS: [Decoder; 7] = [
    ("check", checked),
    ("check_batch", checked_at_once),
    ("evaluation", evaluated),
    ("evaluations", evaluated_at_once),
    ("search_subject", subjects_sought),
    ("search_resource", resources_sought),
    ("search_action", actions_sought),
];

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

/// Whether a question is about what its object says, part by part.
fn asks(question: &Question, user: &Value, permission: &Value, resource: &Value) -> bool {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let read = UserRef::parse(&text(user)).expect("a name");
    let (kind, id) = (text(&resource["type"]), text(&resource["id"]));
    question.user == read
        && question.permission.as_str() == text(permission).trim()
        && question.resource.resource_type == kind
        && question.resource.resource_id == fold_id(&id)
}

/// The one question of the body, and nothing beside it.
fn checked(bytes: &[u8]) {
    let Ok((question, at_least)) = check::parse_one(bytes) else { return };
    let Some(json) = object(bytes) else { return };
    assert!(asks(&question, &json["user"], &json["permission"], &json["resource"]));
    assert_eq!(at_least.position.0, json["min_position"].as_i64().unwrap_or_default());
}

/// As many questions as there are, in their order.
fn checked_at_once(bytes: &[u8]) {
    let Ok((questions, _)) = check::parse_many(bytes) else { return };
    let Some(json) = object(bytes) else { return };
    let checks = json["checks"].as_array().expect("a list");
    assert_eq!(questions.len(), checks.len());
    for (question, json) in questions.iter().zip(checks) {
        assert!(asks(question, &json["user"], &json["permission"], &json["resource"]));
    }
}

/// Whether an evaluation, with the defaults for what it leaves out, was read as it is.
fn evaluates(asked: &Result<Question, &'static str>, json: &Value, defaults: &Value) -> bool {
    let part = |key: &str| if json[key].is_null() { defaults[key].clone() } else { json[key].clone() };
    let (subject, action, resource) = (part("subject"), part("action"), part("resource"));
    let whole = subject["id"].is_string() && action["name"].is_string() && resource["id"].is_string();
    match asked {
        Ok(question) => {
            whole && subject["type"] == "user" && asks(question, &subject["id"], &action["name"], &resource)
        }
        Err(_) => whole,
    }
}

fn evaluated(bytes: &[u8]) {
    let Ok((asked, _)) = evaluate::parse_one(bytes) else { return };
    let Some(json) = object(bytes) else { return };
    assert!(evaluates(&asked, &json, &Value::Null));
}

/// A list that was given is answered one by one, an empty one as if there were none.
fn evaluated_at_once(bytes: &[u8]) {
    let Ok(read) = evaluate::parse_many(bytes) else { return };
    let Some(json) = object(bytes) else { return };
    let list = json["evaluations"].as_array().filter(|list| !list.is_empty());
    assert_eq!(read.listed, list.is_some());
    let list = list.cloned().unwrap_or_else(|| vec![json.clone()]);
    assert_eq!(read.asked.len(), list.len());
    assert!(read.asked.iter().zip(&list).all(|(asked, one)| evaluates(asked, one, &json)));
}

fn subjects_sought(bytes: &[u8]) {
    let Ok(search) = search::parse_subjects(bytes) else { return };
    let Some(json) = object(bytes) else { return };
    assert!(json["subject"]["type"].is_string() && json["resource"]["id"].is_string());
    assert!(search.wanted.is_none() || json["subject"]["type"] == "user");
}

fn resources_sought(bytes: &[u8]) {
    let Ok((kind, search)) = search::parse_resources(bytes) else { return };
    let Some(json) = object(bytes) else { return };
    assert!(json["resource"]["type"] == kind.as_str() && json["subject"]["id"].is_string());
    assert!(search.wanted.is_none() || json["subject"]["type"] == "user");
}

fn actions_sought(bytes: &[u8]) {
    let Ok(search) = search::parse_actions(bytes) else { return };
    let Some(json) = object(bytes) else { return };
    assert!(json["subject"]["id"].is_string() && json["resource"]["id"].is_string());
    assert!(search.wanted.is_none() || json["subject"]["type"] == "user");
}
