//! The 200: organisation, operator, entitlements. An unknown siret, an inactive subscription and an unknown account are
//! answers, not errors (captures 06 to 10).

use serde_json::{Map, Value, json};

use super::{Question, Service, ServiceKind};
use crate::organisation::{Account, Organization, Subscriptions};

pub(super) fn to(question: &Question<'_>, service: &Service, subscriptions: &Subscriptions) -> Value {
    let Some(organization) = subscriptions.organization(question.siret) else {
        return json!({ "organization": null, "operator": null, "entitlements": no_access("no_organization") });
    };
    let described = describe(organization, question);
    if !organization.active {
        let operators = json!([potential_operator(question.siret, service)]);
        let entitlements = no_access("not_activated");
        return json!({
            "organization": described, "operator": null, "entitlements": entitlements, "potentialOperators": operators
        });
    }
    let accounts = subscriptions.matching(question.account_id, question.account_email);
    let entitlements = entitlements(question, service, subscriptions, &accounts);
    let mut answer = json!({ "organization": described, "operator": operator(), "entitlements": entitlements });
    let storage = accounts.iter().find_map(|account| account.storage.as_ref());
    if let Some(storage) = storage.filter(|_| service.kind == ServiceKind::Messages) {
        answer["metrics"] = json!({ "storage_used": storage.used_bytes as f64 });
    }
    answer
}

/// `can_admin_maildomains` is absent here, not empty: it says nothing (captures 07 to 09).
fn no_access(reason: &str) -> Value {
    json!({ "can_access": false, "can_access_reason": reason })
}

fn entitlements(
    question: &Question<'_>,
    service: &Service,
    subscriptions: &Subscriptions,
    accounts: &[&Account],
) -> Value {
    let is_admin =
        accounts.iter().any(|account| account.domains.get(question.siret).is_some_and(|all| !all.is_empty()));
    let mut entitlements = match service.kind {
        ServiceKind::Messages => messages(question, subscriptions, accounts),
        ServiceKind::Meet => json!({ "can_create": true }),
        ServiceKind::Drive => json!({
            "can_access": true, "can_upload": false, "can_upload_resolve_level": "user",
            "is_admin": is_admin, "is_admin_resolve_level": "organization"
        }),
        ServiceKind::Other => json!({
            "can_access": true, "is_admin": is_admin, "is_admin_resolve_level": "organization"
        }),
    };
    if let Some(entitlements) = entitlements.as_object_mut() {
        for account in accounts {
            apply_overrides(entitlements, &account.overrides);
        }
    }
    entitlements
}

fn apply_overrides(entitlements: &mut Map<String, Value>, overrides: &Map<String, Value>) {
    for (key, value) in overrides {
        if value.is_null() {
            entitlements.remove(key);
        } else {
            entitlements.insert(key.clone(), value.clone());
        }
    }
}

fn messages(question: &Question<'_>, subscriptions: &Subscriptions, accounts: &[&Account]) -> Value {
    let mut entitlements = json!({ "can_access": true, "can_store": false, "can_store_resolve_level": "mailbox" });
    if let Some(storage) = accounts.iter().find_map(|account| account.storage.as_ref()) {
        entitlements["can_store"] = json!(storage.used_bytes < storage.max_bytes);
        entitlements["max_storage"] = json!(storage.max_bytes);
        entitlements["can_store_resolve_level"] = json!(storage.level);
    }
    entitlements["can_admin_maildomains"] = json!(administered_domains(question.siret, subscriptions, accounts));
    entitlements
}

/// The domains of every active organisation the accounts administer, that asked for first, each once (captures 04, 113).
fn administered_domains<'a>(siret: &str, subscriptions: &Subscriptions, accounts: &[&'a Account]) -> Vec<&'a str> {
    let mut domains = Vec::new();
    for account in accounts {
        let here = account.domains.get_key_value(siret);
        let elsewhere = account.domains.iter().filter(|(other, _)| other.as_str() != siret);
        for (siret, administered) in here.into_iter().chain(elsewhere) {
            if subscriptions.organization(siret).is_some_and(|organization| organization.active) {
                domains.extend(administered.iter().map(String::as_str));
            }
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    domains.retain(|domain| seen.insert(*domain));
    domains
}

fn describe(organization: &Organization, question: &Question<'_>) -> Value {
    let oidc_valid = question.idp_id.map(|idp_id| organization.idp_id.as_deref() == Some(idp_id));
    json!({ "id": uuid_of(question.siret), "type": "commune", "name": organization.name, "oidc_valid": oidc_valid })
}

fn operator() -> Value {
    json!({
        "id": "4a85e21f-d96e-468f-a6f9-7544df190181",
        "name": "Operateur Test",
        "siret": "18001234500011",
        "url": "https://operateur.example",
        "config": { "idps": [{ "id": "idp-1", "name": "IdP 1" }], "support_email": "support@operateur.example" }
    })
}

fn potential_operator(siret: &str, service: &Service) -> Value {
    let mut operator = operator();
    let id = operator["id"].as_str().unwrap_or_default();
    let signup =
        format!("https://suiteterritoriale.example/bienvenue/{siret}/contact?operator={id}&services={}", service.id);
    operator["signupUrl"] = json!(signup);
    operator
}

/// A stable id in the shape of the real ones.
fn uuid_of(siret: &str) -> String {
    let digits: String = siret.chars().filter(char::is_ascii_digit).collect();
    format!("1b33971a-10d8-4257-{:0>4.4}-{:0>12.12}", digits, digits.chars().rev().collect::<String>())
}
