//! The 200: organisation, operator, entitlements. An unknown siret, an inactive subscription and an unknown account are
//! answers, not errors (captures 06 to 10).

use serde_json::{Map, Value, json};

use super::row::{operator, organization_id};
use super::{Question, Service, ServiceKind};
use crate::organisation::{Account, Grant, Organization, Subscriptions};

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
    let is_admin = accounts.iter().any(|account| account.grants.get(question.siret).is_some_and(Grant::is_admin));
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
    let administered = subscriptions.administered(question.siret, question.account_email, accounts);
    entitlements["can_admin_maildomains"] = json!(administered);
    entitlements
}

fn describe(organization: &Organization, question: &Question<'_>) -> Value {
    let oidc_valid = question.idp_id.map(|idp_id| organization.idp_id.as_deref() == Some(idp_id));
    json!({ "id": organization_id(question.siret), "type": "commune", "name": organization.name, "oidc_valid": oidc_valid })
}

fn potential_operator(siret: &str, service: &Service) -> Value {
    let mut operator = operator();
    let id = operator["id"].as_str().unwrap_or_default();
    let signup =
        format!("https://suiteterritoriale.example/bienvenue/{siret}/contact?operator={id}&services={}", service.id);
    operator["signupUrl"] = json!(signup);
    operator
}
