//! The description of the interface, and that it is true.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::on_both_stores;

/// Every route of this version, and the statuses that it can answer with.
const ROUTES: &[(&str, &str, &[&str])] = &[
    ("/hooks/login", "post", &["200", "400", "401", "403", "404", "413", "422", "429", "500", "503"]),
    ("/hooks/deploycenter", "post", &["202", "400", "401", "403", "404", "413", "429", "500", "503"]),
    ("/api/v1/provisioning/{resource_type}", "post", &["200", "400", "401", "403", "404", "413", "429", "500", "503"]),
    ("/api/v1/resources/{resource_type}", "get", &["200", "400", "401", "403", "404", "429", "500", "503"]),
    ("/api/v1/config", "get", &["200", "401", "403", "429", "500", "503"]),
    (
        "/api/v1/admin/resources/{resource_type}",
        "post",
        &["201", "400", "401", "403", "404", "409", "413", "422", "429", "500", "503"],
    ),
    ("/api/v1/admin/groups", "get", &["200", "400", "401", "403", "429", "500", "503"]),
    ("/api/v1/admin/groups", "post", &["201", "400", "401", "403", "409", "413", "422", "429", "500", "503"]),
    ("/api/v1/admin/groups/{id}", "get", &["200", "401", "403", "404", "429", "500", "503"]),
    (
        "/api/v1/admin/groups/{id}",
        "patch",
        &["200", "400", "401", "403", "404", "409", "412", "413", "429", "500", "503"],
    ),
    ("/api/v1/admin/groups/{id}", "delete", &["204", "400", "401", "403", "404", "409", "412", "429", "500", "503"]),
    ("/api/v1/admin/groups/{id}/members", "get", &["200", "400", "401", "403", "404", "429", "500", "503"]),
    (
        "/api/v1/admin/groups/{id}/members",
        "post",
        &["201", "400", "401", "403", "404", "409", "413", "422", "429", "500", "503"],
    ),
    (
        "/api/v1/admin/groups/{id}/members/{user_id}",
        "delete",
        &["204", "401", "403", "404", "409", "429", "500", "503"],
    ),
    ("/api/v1/plans", "get", &["200", "401", "403", "429", "500", "503"]),
    ("/api/v1/plans/{hash}", "get", &["200", "401", "403", "404", "429", "500", "503"]),
    (
        "/api/v1/plans/{hash}/approve",
        "post",
        &["200", "400", "401", "403", "404", "409", "413", "422", "429", "500", "503"],
    ),
    (
        "/api/v1/plans/{hash}/reject",
        "post",
        &["200", "400", "401", "403", "404", "409", "413", "422", "429", "500", "503"],
    ),
    ("/api/v1/history", "get", &["200", "400", "401", "403", "404", "429", "500", "503"]),
    ("/api/v1/memberships", "get", &["200", "400", "401", "403", "404", "429", "500", "503"]),
    ("/api/v1/diff", "get", &["200", "400", "401", "403", "429", "500", "503"]),
    ("/api/v1/why", "get", &["200", "400", "401", "403", "404", "429", "500", "503"]),
    ("/api/v1/audit", "get", &["200", "400", "401", "403", "429", "500", "503"]),
    ("/api/v1/events", "get", &["200", "400", "401", "403", "429", "500", "503"]),
    ("/api/v1/admin/users", "get", &["200", "400", "401", "403", "429", "500", "503"]),
    ("/api/v1/admin/users", "post", &["201", "400", "401", "403", "409", "413", "422", "429", "500", "503"]),
    ("/api/v1/admin/users/{id}", "get", &["200", "401", "403", "404", "429", "500", "503"]),
    (
        "/api/v1/admin/users/{id}",
        "patch",
        &["200", "400", "401", "403", "404", "409", "412", "413", "429", "500", "503"],
    ),
    (
        "/api/v1/admin/users/{id}/erase",
        "post",
        &["200", "400", "401", "403", "404", "409", "413", "422", "429", "500", "503"],
    ),
    ("/api/v1/admin/tokens", "get", &["200", "400", "401", "403", "429", "500", "503"]),
    ("/api/v1/admin/tokens", "post", &["201", "400", "401", "403", "404", "409", "413", "429", "500", "503"]),
    ("/api/v1/admin/tokens/{id}", "delete", &["204", "401", "403", "404", "429", "500", "503"]),
    ("/api/v1/admin/tokens/{id}/access-log", "get", &["200", "400", "401", "403", "404", "429", "500", "503"]),
    ("/api/v1/admin/refusals", "get", &["200", "400", "401", "403", "429", "500", "503"]),
    ("/api/v1/me/tokens", "get", &["200", "400", "401", "403", "429", "500", "503"]),
    ("/api/v1/me/tokens", "post", &["201", "400", "401", "403", "409", "413", "429", "500", "503"]),
    ("/api/v1/me/tokens/{id}", "delete", &["204", "401", "403", "404", "429", "500", "503"]),
    ("/api/v1/me/tokens/{id}/access-log", "get", &["200", "400", "401", "403", "404", "429", "500", "503"]),
    ("/api/v1/admin/grants", "get", &["200", "400", "401", "403", "429", "500", "503"]),
    ("/api/v1/admin/grants", "post", &["201", "400", "401", "403", "404", "409", "413", "422", "429", "500", "503"]),
    ("/api/v1/admin/grants/{id}", "get", &["200", "401", "403", "404", "429", "500", "503"]),
    ("/api/v1/admin/grants/{id}", "delete", &["204", "401", "403", "404", "429", "500", "503"]),
    ("/api/v1/admin/resource-types", "get", &["200", "401", "403", "429", "500", "503"]),
    ("/api/v1/admin/access-overview", "get", &["200", "400", "401", "403", "429", "500", "503"]),
    ("/api/v1/admin/users/{id}/effective-access", "get", &["200", "400", "401", "403", "404", "429", "500", "503"]),
    ("/api/v1/admin/users/{id}/memberships", "get", &["200", "400", "401", "403", "404", "429", "500", "503"]),
    ("/api/v1/admin/users/{id}/entitlements", "get", &["200", "400", "401", "403", "404", "429", "500", "503"]),
    ("/api/v1/admin/sources", "get", &["200", "401", "403", "429", "500", "503"]),
    ("/api/v1/plans/due", "get", &["200", "400", "401", "403", "429", "500", "503"]),
    ("/api/v1/check", "post", &["200", "400", "401", "403", "413", "429", "500", "503"]),
    ("/api/v1/check/batch", "post", &["200", "400", "401", "403", "413", "429", "500", "503"]),
    ("/access/v1/evaluation", "post", &["200", "400", "401", "403", "413", "429", "500", "503"]),
    ("/access/v1/evaluations", "post", &["200", "400", "401", "403", "413", "429", "500", "503"]),
    ("/access/v1/search/subject", "post", &["200", "400", "401", "403", "413", "429", "500", "503"]),
    ("/access/v1/search/resource", "post", &["200", "400", "401", "403", "413", "429", "500", "503"]),
    ("/access/v1/search/action", "post", &["200", "400", "401", "403", "413", "429", "500", "503"]),
    ("/.well-known/authzen-configuration", "get", &["200", "404"]),
    ("/api/v1/users/me", "get", &["200", "401", "403", "429", "500", "503"]),
    ("/api/v1/me/effective-access", "get", &["200", "400", "401", "403", "429", "500", "503"]),
    ("/api/v1/admin/roles", "get", &["200", "400", "401", "403", "429", "500", "503"]),
    ("/api/v1/admin/roles", "post", &["200", "400", "401", "403", "404", "409", "413", "422", "429", "500", "503"]),
    ("/api/v1/admin/roles/users/{id}", "delete", &["204", "400", "401", "403", "404", "409", "429", "500", "503"]),
    ("/api/v1/admin/roles/groups/{id}", "delete", &["204", "401", "403", "404", "409", "429", "500", "503"]),
    ("/healthz", "get", &["200"]),
    ("/readyz", "get", &["200", "503"]),
    ("/api/v1/health", "get", &["200"]),
    ("/metrics", "get", &["200"]),
];

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

on_both_stores! {
    async fn the_document_lists_every_route_with_its_statuses(world: World) {
        let daemon = world.serve().await;
        let document: Value = daemon.get("/api/openapi.json").await.json().await.expect("JSON");
        assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")), "{document}");
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        let described: BTreeSet<&str> =
            document["paths"].as_object().expect("paths").keys().map(String::as_str).collect();
        assert_eq!(described, ROUTES.iter().map(|(path, _, _)| *path).collect::<BTreeSet<_>>());
        for (path, method, statuses) in ROUTES {
            let operation = &document["paths"][path][method];
            let responses = operation["responses"].as_object().unwrap_or_else(|| panic!("{method} {path}: {document}"));
            let told: Vec<&str> = responses.keys().map(String::as_str).collect();
            assert_eq!(told, *statuses, "{method} {path}");
            for (status, response) in responses.iter().filter(|(status, _)| !status.starts_with('2')) {
                assert!(response["content"]["application/problem+json"].is_object(), "{method} {path} {status}");
            }
        }
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            let pointer = reference.strip_prefix('#').expect("within the document");
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        assert_eq!(document["paths"]["/hooks/login"]["post"]["security"], json!([{"bearer": ["hook:login"]}]));
    }

    async fn a_login_s_answer_is_as_described(world: World) {
        let daemon = world.serve().await;
        let document: Value = daemon.get("/api/openapi.json").await.json().await.expect("JSON");
        let answer = crate::answer::login(&daemon, &crate::answer::ann()).await;
        let described = document["components"]["schemas"]["LoginView"]["properties"].as_object().expect("properties");
        let described: BTreeSet<&String> = described.keys().collect();
        assert_eq!(answer.as_object().expect("an object").keys().collect::<BTreeSet<_>>(), described);
    }
}
