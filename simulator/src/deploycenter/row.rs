//! The objects that several answers show, in the shapes of the captures.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value, json};

use super::{Service, ServiceKind};
use crate::organisation::{Account, Grant, OPERATOR_ID, Organization, Subscriptions};

/// Nothing here is read as a time; the captured ones do.
const CREATED_AT: &str = "2026-11-22T01:56:31.119340Z";

pub(super) fn operator() -> Value {
    json!({
        "id": OPERATOR_ID,
        "name": "Operateur Test",
        "siret": "18001234500011",
        "url": "https://operateur.example",
        "config": { "idps": [{ "id": "idp-1", "name": "IdP 1" }], "support_email": "support@operateur.example" }
    })
}

/// Capture 123.
pub(super) fn organization(
    siret: &str,
    organization: &Organization,
    subscriptions: &Subscriptions,
    service: &Service,
) -> Value {
    let mut subscribed = subscription(siret, organization, subscriptions);
    let mut operator = operator();
    operator["is_active"] = json!(true);
    operator["user_role"] = json!("admin");
    subscribed["service"] = described_service(service);
    subscribed["operator"] = operator;
    let domain = subscriptions.domains(siret).into_iter().next();
    json!({
        "id": organization_id(siret), "name": organization.name, "type": "commune", "siret": siret,
        "siren": siret.get(..9), "code_postal": null, "code_insee": "75101", "population": 1200,
        "epci_libelle": null, "epci_siren": null, "epci_population": 9000, "departement_code_insee": "75",
        "region_code_insee": "11", "adresse_messagerie": domain.as_ref().map(|domain| format!("mairie@{domain}")),
        "site_internet": null, "telephone": null, "rpnt": ["1.1", "2.1", "2.2"], "service_public_url": null,
        "service_subscriptions": [subscribed], "mail_domain": domain, "mail_domain_status": "valid",
        "operator_admins_have_admin_role": organization.operator_admins_pass
    })
}

/// Captures 83 to 86.
pub(super) fn subscription(siret: &str, organization: &Organization, subscriptions: &Subscriptions) -> Value {
    json!({
        "metadata": subscriptions.metadata(siret), "created_at": CREATED_AT, "updated_at": CREATED_AT,
        "is_active": organization.active, "entitlements": entitlement_rows(siret)
    })
}

/// Capture 89.
pub(super) fn entitlement_rows(siret: &str) -> Vec<Value> {
    let row = |account_type: &str, max_storage: u64| {
        json!({
            "id": stable_id(&[siret, account_type]), "type": "messages_storage",
            "config": { "max_storage": max_storage }, "account_type": account_type, "account": null
        })
    };
    vec![row("mailbox", 5_000_000_000), row("organization", 10_000_000_000)]
}

/// Captures 80, 81, 96.
pub(super) fn account(siret: &str, email: &str, account: &Account, grant: &Grant, service: &Service) -> Value {
    let links = (!grant.service_roles.is_empty()).then(|| service_link(&grant.service_roles, service));
    json!({
        "id": account_id(siret, email), "email": email, "external_id": account.account_id.as_deref().unwrap_or_default(),
        "type": "user", "roles": grant.roles, "service_links": links.into_iter().collect::<Vec<_>>()
    })
}

/// Capture 97.
pub(super) fn service_link(roles: &Map<String, Value>, service: &Service) -> Value {
    let name = kind_name(service.kind);
    let service = json!({ "id": service.id, "name": name, "instance_name": format!("{name}-prod"), "type": name });
    json!({ "roles": roles, "service": service })
}

fn described_service(service: &Service) -> Value {
    let name = kind_name(service.kind);
    let default = |account_type: &str, max_storage: u64| json!({ "type": "messages_storage", "account_type": account_type, "config": { "max_storage": max_storage } });
    json!({
        "id": service.id, "name": name, "instance_name": format!("{name}-prod"), "type": name,
        "url": format!("https://{name}.example"), "description": null, "maturity": "stable", "launch_date": null,
        "is_active": true, "created_at": CREATED_AT, "logo": null, "config": {},
        "entitlement_defaults": [default("mailbox", 5_000_000_000), default("organization", 10_000_000_000)]
    })
}

pub(super) fn kind_name(kind: ServiceKind) -> &'static str {
    match kind {
        ServiceKind::Messages => "messages",
        ServiceKind::Meet => "meet",
        ServiceKind::Drive => "drive",
        ServiceKind::Other => "other",
    }
}

/// A stable id in the shape of the real ones.
pub(super) fn organization_id(siret: &str) -> String {
    stable_id(&[siret])
}

/// An account is one per organisation; here, the same person's accounts differ in nothing but their grants.
pub(super) fn account_id(siret: &str, email: &str) -> String {
    stable_id(&[siret, email])
}

fn stable_id(parts: &[&str]) -> String {
    let hashed = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, parts).hash(&mut hasher);
        hasher.finish()
    };
    let text = format!("{:016x}{:016x}", hashed(0), hashed(1));
    format!("{}-{}-4{}-8{}-{}", &text[..8], &text[8..12], &text[13..16], &text[17..20], &text[20..])
}
