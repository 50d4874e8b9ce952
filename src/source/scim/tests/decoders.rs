//! Every decoder, against anything that a server could send.

use proptest::prelude::*;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::source::client::Reply;
use crate::source::scim::accounts::Holder;
use crate::source::scim::features::Features;
use crate::source::scim::wire::{self, Group, Id, User};

fn reply(status: u16, body: Vec<u8>) -> Reply {
    let status = StatusCode::from_u16(status).expect("a status");
    Reply { status, retry_after: None, etag: None, body }
}

/// Reads a body in every way there is.
fn decode(status: u16, body: &[u8]) {
    let reply = reply(status, body.to_vec());
    let id = Id::try_from("x".to_owned()).expect("an id");
    if let Ok(page) = wire::page::<User>(&reply) {
        page.resources.into_iter().flatten().for_each(|user| drop(Holder::of(&user)));
    }
    if let Ok(page) = wire::page::<Group>(&reply) {
        page.resources.into_iter().flatten().flat_map(|group| group.members.into_iter().flatten()).for_each(|member| {
            member.kind();
        });
    }
    let _ = wire::resource::<User>(&reply, &id).map(|user| Holder::of(&user));
    let _ = wire::resource::<Group>(&reply, &id).map(|_| ());
    let _ = Features::read(&reply, "directory");
    let shown = format!("{:?}", wire::refusal(&reply, "directory"));
    assert!(!shown.contains("secret"), "{shown}");
    wire::refuses_filter(&reply);
}

/// JSON that is likely to go deep into the decoders.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "(secret)?[a-zA-Z@.\"\\\\/é\u{0}]{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "urn:ietf:params:scim:api:messages:2.0:ListResponse",
            "urn:ietf:params:scim:api:messages:2.0:Error",
            "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig",
            "x",
            "a@x.fr",
            "https://x/Users/x",
        ])
        .prop_map(Value::from),
    ];
    let keys = prop::sample::select(vec![
        "schemas",
        "totalResults",
        "Resources",
        "nextCursor",
        "id",
        "userName",
        "emails",
        "value",
        "primary",
        "active",
        "displayName",
        "members",
        "type",
        "$ref",
        "etag",
        "supported",
        "pagination",
        "cursor",
        "filter",
        "scimType",
        "status",
    ]);
    leaf.prop_recursive(5, 64, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(keys.clone().prop_map(str::to_owned), inner, 0..8)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_panic(status in 200..600_u16, body in prop::collection::vec(any::<u8>(), 0..200)) {
        decode(status, &body);
    }

    #[test]
    fn no_json_panics(status in prop::sample::select(vec![200, 400, 403, 404, 500, 501]), body in value()) {
        decode(status, body.to_string().as_bytes());
    }

    #[test]
    fn no_resource_in_a_list_panics(one in value(), total in any::<u64>()) {
        let list = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": total,
            "Resources": [{"id": "x", "displayName": "x", "userName": one, "emails": [one], "members": [one]}, one],
        });
        decode(200, list.to_string().as_bytes());
    }
}
