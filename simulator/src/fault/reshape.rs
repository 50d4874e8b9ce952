//! Changes a JSON answer: keys left out, nulls, wrong types, short lists, page tokens that lead nowhere. An answer that
//! is not a JSON object passes as it is. Headers are changed here too.

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use super::Fault;
use crate::call::{Call, System};
use crate::directory::{PageToken, Start, list_of};

/// The keys that hold the rows of a page.
const LIST_KEYS: [&str; 4] = ["groups", "members", "results", "users"];

pub(super) fn body(fault: &Fault, body: Bytes, call: &Call, now: i64) -> Bytes {
    let Ok(Value::Object(mut answer)) = serde_json::from_slice(&body) else { return body };
    match fault {
        Fault::OmitKey { key } => each_holder(&mut answer, key, |holder| {
            holder.remove(key);
        }),
        Fault::NullKey { key } => set(&mut answer, key, &Value::Null),
        Fault::ReplaceKey { key, value } => set(&mut answer, key, value),
        Fault::WrongType { key } => change_type(&mut answer, call.system, key.as_deref()),
        Fault::ShortList => halve_lists(&mut answer),
        Fault::RepeatToken => repeat_token(&mut answer, call, now),
        Fault::EndlessPages => continue_pages(&mut answer, call, now),
        _ => return body,
    }
    serde_json::to_vec(&answer).map_or(body, Bytes::from)
}

pub(super) fn headers(fault: &Fault, headers: &mut HeaderMap) {
    let Fault::SetHeader { name, value } = fault else { return };
    if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

/// Runs on every object in which a key belongs: the top when it is there, else `entitlements`, else each row.
fn each_holder(answer: &mut Map<String, Value>, key: &str, mut change: impl FnMut(&mut Map<String, Value>)) {
    if answer.contains_key(key) {
        return change(answer);
    }
    if let Some(entitlements) = answer.get_mut("entitlements").and_then(Value::as_object_mut) {
        return change(entitlements);
    }
    let lists = answer.iter_mut().filter(|(name, _)| LIST_KEYS.contains(&name.as_str()));
    for row in lists.filter_map(|(_, list)| list.as_array_mut()).flatten() {
        if let Some(row) = row.as_object_mut() {
            change(row);
        }
    }
}

fn set(answer: &mut Map<String, Value>, key: &str, value: &Value) {
    each_holder(answer, key, |holder| {
        holder.insert(key.to_owned(), value.clone());
    });
}

fn change_type(answer: &mut Map<String, Value>, system: System, key: Option<&str>) {
    let usual = match system {
        System::Deploycenter if answer.contains_key("results") => "results",
        System::Deploycenter => "can_admin_maildomains",
        System::Google => LIST_KEYS.into_iter().find(|key| answer.contains_key(*key)).unwrap_or("groups"),
        System::Token => "access_token",
    };
    let key = key.unwrap_or(usual);
    each_holder(answer, key, |holder| {
        let wrong = wrongly_typed(holder.get(key), system);
        holder.insert(key.to_owned(), wrong);
    });
}

fn wrongly_typed(value: Option<&Value>, system: System) -> Value {
    match (value, system) {
        (Some(Value::Array(items)), System::Deploycenter) if items.iter().all(Value::is_string) => {
            let names: Vec<_> = items.iter().filter_map(Value::as_str).collect();
            json!(names.join(","))
        }
        (Some(Value::Array(items)), _) => {
            items.iter().enumerate().map(|(index, item)| (index.to_string(), item.clone())).collect()
        }
        (Some(Value::String(_)), _) => json!(42),
        (Some(Value::Bool(_) | Value::Number(_)), _) => json!("yes"),
        (Some(Value::Object(_) | Value::Null) | None, _) => json!("commune-a.fr"),
    }
}

fn halve_lists(answer: &mut Map<String, Value>) {
    let halve = |list: &mut Value| {
        if let Some(list) = list.as_array_mut() {
            list.truncate(list.len() / 2);
        }
    };
    answer.iter_mut().filter(|(name, _)| LIST_KEYS.contains(&name.as_str())).for_each(|(_, list)| halve(list));
    let domains = answer.get_mut("entitlements").and_then(|entitlements| entitlements.get_mut("can_admin_maildomains"));
    domains.into_iter().for_each(halve);
}

/// The first page used no token; it is given one that leads to itself.
fn repeat_token(answer: &mut Map<String, Value>, call: &Call, now: i64) {
    if call.system == System::Deploycenter {
        return next_address(answer, call, call.page());
    }
    let used = call.page_token().map(str::to_owned);
    let token = used.unwrap_or_else(|| page_token(call, Start::First, now));
    answer.insert("nextPageToken".to_owned(), Value::String(token));
}

fn continue_pages(answer: &mut Map<String, Value>, call: &Call, now: i64) {
    if call.system == System::Deploycenter {
        return next_address(answer, call, call.page() + 1);
    }
    if !answer.contains_key("nextPageToken") {
        answer.insert("nextPageToken".to_owned(), Value::String(page_token(call, Start::End, now)));
    }
}

fn next_address(answer: &mut Map<String, Value>, call: &Call, page: u64) {
    answer.insert("next".to_owned(), json!(format!("http://deploycenter.example{}?page={page}", call.path)));
}

fn page_token(call: &Call, start: Start, now: i64) -> String {
    PageToken { list: list_of(&call.path, &call.query), start, page: call.page() + 1, issued_at: now }.encode()
}
