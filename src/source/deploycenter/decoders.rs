//! What the management API's words promise, on any bytes. See [`crate::decoders`].

use std::collections::BTreeSet;

use entitled_model::observation::ObservedGroup;
use entitled_model::{EmailAddress, UserId};
use reqwest::StatusCode;
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use super::Person;
use super::derive::{self, Account, Organization, Subscribed};
use super::lists::{List, Next, Page, Row};
use crate::decoders::{self, Decoder};
use crate::source::client::Reply;
use crate::source::decoders::rules;

pub const DECODERS: [Decoder; 2] = [("deploycenter_organizations", organizations), ("deploycenter_accounts", accounts)];

const SERVICE: u64 = 42;
const SIRET: &str = "21750001600019";
const DOMAINS: [&str; 2] = ["commune-a.fr", "ville-a.fr"];

/// A page has exactly the rows that it lists, and is the last one only when it says so and they are as many as it states.
fn page<R: Row>(bytes: &[u8]) -> Option<(Vec<R>, Vec<Value>)> {
    let page = Reply::of(StatusCode::OK, bytes).ok_json::<Page<R>>().ok()?;
    let first = Url::parse("https://deploycenter.example/api/v1.0/?service=42").expect("an address");
    let mut list = List::new(first.clone());
    let next = list.take(page).ok()?;
    let rows = list.into_rows();
    let json = decoders::json(bytes)?;
    let listed = json["results"].as_array().expect("a list of rows");
    assert_eq!(rows.len(), listed.len(), "rows were lost");
    assert!(rows.iter().zip(listed).all(|(row, json)| json.is_object() && json["id"] == row.id()), "another row");
    match next {
        Next::Done => assert!(json["next"].is_null() && json["count"] == rows.len() as u64, "the list goes on"),
        Next::Ask(url) => assert!(json["next"].is_string() && url.host() == first.host() && url.path() == first.path()),
    }
    Some((rows, listed.clone()))
}

/// An organisation is subscribed only by an active subscription to the service, with the domains that these list.
fn organizations(bytes: &[u8]) {
    for (organization, json) in
        page::<Organization>(bytes).into_iter().flat_map(|(rows, json)| rows.into_iter().zip(json))
    {
        let Ok(subscribed) = organization.subscribed(SERVICE) else { continue };
        let subscriptions = json["service_subscriptions"].as_array().expect("a list of subscriptions");
        let is_active = |one: &&Value| one["is_active"] == true && one["service"]["id"] == SERVICE;
        let active: Vec<_> = subscriptions.iter().filter(is_active).collect();
        let domains: Vec<_> = active.iter().flat_map(|one| named(&one["metadata"]["domains"])).collect();
        assert_eq!(subscribed.map(|subscribed| subscribed.domains), (!active.is_empty()).then_some(domains));
    }
}

/// A list of names; a text is gone through letter by letter.
fn named(names: &Value) -> Vec<Value> {
    match names {
        Value::Null => Vec::new(),
        Value::Array(names) => names.clone(),
        Value::String(text) => text.chars().map(|letter| Value::from(letter.to_string())).collect(),
        other => panic!("{other} was taken for names"),
    }
}

/// Somebody administers exactly what their accounts' roles say.
fn accounts(bytes: &[u8]) {
    let Some((accounts, json)) = page::<Account>(bytes) else { return };
    let users: Vec<_> = json.iter().filter(|account| account["type"] == "user").collect();
    let mut addresses = users.iter().filter_map(|account| EmailAddress::parse(account["email"].as_str()?).ok());
    let Some(email) = addresses.next() else { return };
    let person = Person {
        user: UserId(Uuid::nil()),
        email: Some(email.clone()),
        sub: None,
        external_id: None,
        claims: [("siret".to_owned(), json!(SIRET))].into(),
    };
    let Ok(enumerated) = derive::derive(&[person], &[subscribed()], vec![accounts], SERVICE, &rules()) else { return };
    let answer = enumerated.answers.into_iter().next().flatten().expect("an answer about the one");
    let administered: BTreeSet<String> = answer.groups.into_iter().map(resource).collect();
    let stated =
        users.iter().filter(|account| account["email"] == email.as_given()).flat_map(|account| stated(account));
    assert_eq!(administered, stated.map(str::to_owned).collect(), "somebody administers something else");
}

/// The domains that an account's roles name.
fn stated(account: &Value) -> Vec<&'static str> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    if list(&account["roles"]).iter().any(|role| role == "admin") {
        return DOMAINS.to_vec();
    }
    let links = list(&account["service_links"]);
    let mut links = links.iter().filter(|link| link["service"]["id"] == SERVICE);
    let Some(role) = links.find_map(|link| link["roles"].get("admin")) else { return Vec::new() };
    let named = named(&role["scope"]["domains"]);
    DOMAINS.into_iter().filter(|domain| named.is_empty() || named.iter().any(|name| name == domain)).collect()
}

fn subscribed() -> Subscribed {
    let subscription = json!({ "metadata": { "domains": DOMAINS }, "is_active": true, "service": { "id": SERVICE } });
    let organization = json!({ "id": "o", "siret": SIRET, "service_subscriptions": [subscription] });
    let organization: Organization = serde_json::from_value(organization).expect("an organisation");
    organization.subscribed(SERVICE).ok().flatten().expect("a subscription")
}

fn resource(group: ObservedGroup) -> String {
    match group {
        ObservedGroup::Resource { resource_id, .. } => resource_id,
        ObservedGroup::System(_) | ObservedGroup::Directory { .. } => panic!("a backend covers only what it maps"),
    }
}
