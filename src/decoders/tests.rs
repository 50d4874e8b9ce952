//! The decoders on bytes, on JSON, and on real answers that were damaged: none panics, none reads less than was said.

use std::path::{Path, PathBuf};

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{all, check};

/// Words that mean something to some decoder, so that chance finds the way in.
const WORDS: &[&str] = &[
    "kind",
    "error",
    "errors",
    "reason",
    "message",
    "groups",
    "members",
    "users",
    "nextPageToken",
    "id",
    "email",
    "type",
    "directMembersCount",
    "entitlements",
    "can_admin_maildomains",
    "access_token",
    "expires_in",
    "sub",
    "claims",
    "domains",
    "custom_attributes",
    "notFound",
    "USER",
    "admin#directory#groups",
    "primaryEmail",
    "aliases",
    "suspended",
    "archived",
    "schemas",
    "Resources",
    "totalResults",
    "nextCursor",
    "userName",
    "emails",
    "value",
    "primary",
    "active",
    "displayName",
    "$ref",
    "scimType",
    "supported",
    "pagination",
    "cursor",
    "count",
    "next",
    "results",
    "service_subscriptions",
    "metadata",
    "is_active",
    "service",
    "service_links",
    "roles",
    "admin",
    "scope",
    "user",
    "user_id",
    "attributes",
    "name",
    "description",
    "owner",
    "scopes",
    "read",
    "expires_in_days",
    "status",
    "snapshot_version",
    "recorded_at",
    "people",
    "account",
    "address",
    "said",
    "group_id",
    "permission",
    "resource_type",
    "resource_id",
    "resource",
    "checks",
    "subject",
    "action",
    "context",
    "evaluations",
    "options",
    "page",
    "limit",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn corpus(decoder: &str) -> Vec<Vec<u8>> {
    let folder = folder().join("corpus").join(decoder);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).expect("a file")).collect()
}

/// A real answer, with the decoder that it is for.
fn real() -> impl Strategy<Value = (&'static str, Vec<u8>)> {
    let of = |(name, _): (&'static str, _)| corpus(name).into_iter().map(move |bytes| (name, bytes));
    prop::sample::select(all().into_iter().flat_map(of).collect::<Vec<_>>())
}

fn any_decoder() -> impl Strategy<Value = &'static str> {
    prop::sample::select(all().iter().map(|(name, _)| *name).collect::<Vec<_>>())
}

fn word() -> impl Strategy<Value = String> {
    let known = prop::sample::select(WORDS).prop_map(str::to_owned);
    prop_oneof![4 => known, 1 => vec(any::<char>(), 0..6).prop_map(String::from_iter)]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => Just(json!(u64::MAX)),
        1 => Just(json!(1e300)),
        2 => word().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            btree_map(word(), inner, 0..5).prop_map(|fields| Value::Object(Map::from_iter(fields))),
        ]
    })
}

/// Every place in a document, as JSON pointers.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                places(value, &format!("{at}/{name}"), found);
            }
        }
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(index, value)| places(value, &format!("{at}/{index}"), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Replaces one value; an object, unless told otherwise, by the list of its own values, which serde may take for it.
fn damage(document: &mut Value, place: usize, with: Option<Value>) {
    let mut found = Vec::new();
    places(document, "", &mut found);
    let target = document.pointer_mut(&found[place % found.len()]).expect("a place that was found");
    let damaged = with.unwrap_or_else(|| match &*target {
        Value::Object(fields) => fields.values().cloned().collect(),
        value => Value::Array(vec![value.clone()]),
    });
    *target = damaged;
}

#[test]
fn each_decoder_has_a_corpus_and_keeps_its_promises_on_it() {
    // S5
    for (name, _) in all() {
        let answers = corpus(name);
        assert!(!answers.is_empty(), "fuzz/corpus/{name} is empty");
        answers.iter().for_each(|bytes| check(name, bytes));
    }
}

#[test]
fn each_decoder_has_a_target() {
    for (name, _) in all() {
        let target = folder().join("fuzz_targets").join(format!("{name}.rs"));
        let text = std::fs::read_to_string(&target).unwrap_or_else(|error| panic!("{}: {error}", target.display()));
        assert!(text.contains(&format!("check({name:?}, bytes)")), "{}", target.display());
    }
}

#[test]
fn a_list_is_no_page_a_year_is_no_number_and_no_token_lives_for_ever() {
    // S5, G1, G8
    for (name, bytes) in [
        ("google_groups", &br#"[null, null, [], null]"#[..]),
        ("google_members", br#"["admin#directory#members", null, [], null]"#),
        ("google_groups", br#"{"groups": [["1", "a@example.com", null]]}"#),
        ("google_members", br#"{"members": [{"id": "1", "email": "a@example.com", "type": {"USER": null}}]}"#),
        ("google_refusal", b"\x04{\"error\": [\"gone\", [[\"notFound\"]]]}"),
        ("google_token", br#"{"access_token": "t", "expires_in": 18446744073709551615}"#),
        ("headers", b"Fri, 31 Dec 262142 23:59:59 GMT\nFri, 31 Dec 262142 23:59:59 GMT\n1"),
        ("login", br#"["sub-ann", "ann@example.org", {}]"#),
        ("deploycenter", br#"[{"can_admin_maildomains": []}]"#),
        ("google_users", br#"[null, null, [], null]"#),
        ("google_users", br#"{"users": [[null, null, "1", "a@example.com", [], [], false, false]]}"#),
        ("scim_users", br#"[["urn:ietf:params:scim:api:messages:2.0:ListResponse"], 0, [], null]"#),
        ("scim_refusal", b"\x01[[\"urn:ietf:params:scim:api:messages:2.0:Error\"], \"tooMany\"]"),
        ("deploycenter_accounts", br#"[0, null, []]"#),
        ("deploycenter_accounts", br#"{"count": 1, "next": null, "results": [["a", "a@x.fr", null, "user", [], []]]}"#),
        ("admin_group", br#"["night shift", null]"#),
        ("check", br#"["ann@example.org", "admin", ["maildomain", "a.fr"], null, null]"#),
        ("evaluation", br#"{"subject": ["user", "ann", null], "action": ["admin", null], "resource": ["maildomain", "a.fr", null]}"#),
    ] {
        check(name, bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bytes_break_no_promise(name in any_decoder(), bytes in vec(any::<u8>(), 0..200)) {
        // S5
        check(name, &bytes);
    }

    #[test]
    fn json_breaks_no_promise(name in any_decoder(), document in any_json()) {
        // S5, S8
        check(name, document.to_string().as_bytes());
    }

    #[test]
    fn a_real_answer_that_was_damaged_breaks_no_promise(
        (name, real) in real(), at in any::<prop::sample::Index>(), byte in any::<u8>(), whole in any::<bool>()
    ) {
        // S5
        let mut bytes = real;
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if !whole {
            bytes.truncate(at);
        }
        check(name, &bytes);
    }

    #[test]
    fn a_real_answer_with_a_part_of_another_kind_breaks_no_promise(
        (name, real) in real(), damages in vec((any::<usize>(), prop::option::of(any_json())), 1..4)
    ) {
        // S5, S8
        if let Ok(mut document) = serde_json::from_slice::<Value>(&real) {
            for (place, with) in damages {
                damage(&mut document, place, with);
            }
            check(name, document.to_string().as_bytes());
        }
    }
}
