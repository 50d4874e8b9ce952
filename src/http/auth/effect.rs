//! What each route does, in one table. What a caller may do is decided by effect, never by verb.

use axum::http::Method;

/// What a route does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Tells anybody; no credential is looked at.
    Open,
    /// Tells whoever has a credential.
    Known,
    /// Takes the report of a login.
    LoginHook,
    /// Takes a hint of DeployCenter's.
    DeployCenterHook,
    /// About a type of resource that the path names: the handler asks for its scope.
    OfResourceType,
    /// Tells a person about themself.
    Own,
    /// Changes what is a person's own.
    OwnChange,
    /// Makes a credential for whoever asks.
    OwnMint,
    /// Tells whether somebody may do something.
    Ask,
    /// Tells.
    Read,
    /// Changes users and their roles.
    Manage,
    /// Changes.
    Change,
    /// Makes a credential.
    Mint,
}

impl Effect {
    /// Whether anything may be another way afterwards.
    pub(super) fn changes(self) -> bool {
        match self {
            Effect::Open | Effect::Known | Effect::Own | Effect::Ask | Effect::Read => false,
            Effect::LoginHook
            | Effect::DeployCenterHook
            | Effect::OfResourceType
            | Effect::OwnChange
            | Effect::OwnMint
            | Effect::Manage
            | Effect::Change
            | Effect::Mint => true,
        }
    }
}

/// What an `Idempotency-Key` is to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyed {
    /// Passed over: what asks, and what may be repeated as it is.
    Never,
    Taken,
    /// A secret would have to be kept, to be told again.
    Refused,
}

/// What an `Idempotency-Key` is to a method of a route: an administrator's POST takes one.
pub fn keyed(method: &Method, route: Option<&str>) -> Keyed {
    match of(method, route) {
        Some(Effect::Manage | Effect::Change) if method == Method::POST => Keyed::Taken,
        Some(Effect::Mint | Effect::OwnMint) => Keyed::Refused,
        _ => Keyed::Never,
    }
}

/// Every route with its effect. One that is missing here fails a test, and is refused.
pub const ROUTES: &[(Method, &str, Effect)] = &[
    (Method::POST, "/hooks/login", Effect::LoginHook),
    (Method::POST, "/hooks/deploycenter", Effect::DeployCenterHook),
    (Method::POST, "/api/v1/provisioning/{resource_type}", Effect::OfResourceType),
    (Method::GET, "/api/v1/resources/{resource_type}", Effect::OfResourceType),
    (Method::GET, "/api/v1/config", Effect::Known),
    (Method::POST, "/api/v1/admin/resources/{resource_type}", Effect::Change),
    (Method::GET, "/api/v1/admin/groups", Effect::Read),
    (Method::POST, "/api/v1/admin/groups", Effect::Change),
    (Method::GET, "/api/v1/admin/groups/{id}", Effect::Read),
    (Method::PATCH, "/api/v1/admin/groups/{id}", Effect::Change),
    (Method::DELETE, "/api/v1/admin/groups/{id}", Effect::Change),
    (Method::GET, "/api/v1/admin/groups/{id}/members", Effect::Read),
    (Method::POST, "/api/v1/admin/groups/{id}/members", Effect::Change),
    (Method::DELETE, "/api/v1/admin/groups/{id}/members/{user_id}", Effect::Change),
    (Method::GET, "/api/v1/plans", Effect::Read),
    (Method::GET, "/api/v1/plans/due", Effect::Read),
    (Method::GET, "/api/v1/plans/{hash}", Effect::Read),
    (Method::POST, "/api/v1/plans/{hash}/approve", Effect::Change),
    (Method::POST, "/api/v1/plans/{hash}/reject", Effect::Change),
    (Method::GET, "/api/v1/me/tokens", Effect::Own),
    (Method::POST, "/api/v1/me/tokens", Effect::OwnMint),
    (Method::DELETE, "/api/v1/me/tokens/{id}", Effect::OwnChange),
    (Method::GET, "/api/v1/me/tokens/{id}/access-log", Effect::Own),
    (Method::GET, "/api/v1/admin/tokens", Effect::Read),
    (Method::POST, "/api/v1/admin/tokens", Effect::Mint),
    (Method::DELETE, "/api/v1/admin/tokens/{id}", Effect::Change),
    (Method::GET, "/api/v1/admin/tokens/{id}/access-log", Effect::Read),
    (Method::GET, "/api/v1/admin/refusals", Effect::Read),
    (Method::GET, "/api/v1/admin/users", Effect::Read),
    (Method::POST, "/api/v1/admin/users", Effect::Manage),
    (Method::GET, "/api/v1/admin/users/{id}", Effect::Read),
    (Method::PATCH, "/api/v1/admin/users/{id}", Effect::Manage),
    (Method::POST, "/api/v1/admin/users/{id}/erase", Effect::Manage),
    (Method::GET, "/api/v1/admin/grants", Effect::Read),
    (Method::POST, "/api/v1/admin/grants", Effect::Change),
    (Method::GET, "/api/v1/admin/grants/{id}", Effect::Read),
    (Method::DELETE, "/api/v1/admin/grants/{id}", Effect::Change),
    (Method::GET, "/api/v1/admin/resource-types", Effect::Read),
    (Method::GET, "/api/v1/admin/access-overview", Effect::Read),
    (Method::GET, "/api/v1/admin/users/{id}/effective-access", Effect::Read),
    (Method::GET, "/api/v1/admin/users/{id}/memberships", Effect::Read),
    (Method::GET, "/api/v1/admin/users/{id}/entitlements", Effect::Read),
    (Method::GET, "/api/v1/admin/sources", Effect::Read),
    (Method::POST, "/api/v1/check", Effect::Ask),
    (Method::POST, "/api/v1/check/batch", Effect::Ask),
    (Method::POST, "/access/v1/evaluation", Effect::Ask),
    (Method::POST, "/access/v1/evaluations", Effect::Ask),
    (Method::POST, "/access/v1/search/subject", Effect::Read),
    (Method::POST, "/access/v1/search/resource", Effect::Read),
    (Method::POST, "/access/v1/search/action", Effect::Read),
    (Method::GET, "/.well-known/authzen-configuration", Effect::Open),
    (Method::GET, "/api/v1/users/me", Effect::Own),
    (Method::GET, "/api/v1/me/effective-access", Effect::Own),
    (Method::GET, "/api/v1/admin/roles", Effect::Read),
    (Method::POST, "/api/v1/admin/roles", Effect::Manage),
    (Method::DELETE, "/api/v1/admin/roles/users/{id}", Effect::Manage),
    (Method::DELETE, "/api/v1/admin/roles/groups/{id}", Effect::Manage),
    (Method::GET, "/api/v1/history", Effect::Read),
    (Method::GET, "/api/v1/memberships", Effect::Read),
    (Method::GET, "/api/v1/diff", Effect::Read),
    (Method::GET, "/api/v1/why", Effect::Read),
    (Method::GET, "/api/v1/audit", Effect::Read),
    (Method::GET, "/api/v1/events", Effect::Read),
    (Method::GET, "/healthz", Effect::Open),
    (Method::GET, "/readyz", Effect::Open),
    (Method::GET, "/api/v1/health", Effect::Open),
    (Method::GET, "/metrics", Effect::Open),
    (Method::GET, "/api/openapi.json", Effect::Open),
];

/// What a request would do; none when no route takes it. HEAD does what GET does.
pub(super) fn of(method: &Method, route: Option<&str>) -> Option<Effect> {
    let method = if method == Method::HEAD { &Method::GET } else { method };
    let found = ROUTES.iter().find(|(of, path, _)| of == method && Some(*path) == route);
    found.map(|(_, _, effect)| *effect)
}

/// The methods that a route takes, as `Allow` lists them.
pub(super) fn methods(route: &str) -> String {
    let taken = ROUTES.iter().filter(|(_, path, _)| *path == route);
    let names = taken.map(|(method, _, _)| if method == Method::GET { "GET,HEAD" } else { method.as_str() });
    names.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_has_an_effect_and_every_effect_a_route() {
        // T7
        let document = serde_json::to_value(crate::http::openapi()).expect("JSON");
        let paths = document["paths"].as_object().expect("paths");
        let operations = paths.iter().flat_map(|(path, methods)| {
            methods.as_object().expect("methods").keys().map(move |method| (method.to_uppercase(), path.clone()))
        });
        let documented: BTreeSet<(String, String)> = operations.collect();
        let classed = ROUTES.iter().map(|(method, path, _)| (method.to_string(), (*path).to_owned()));
        let classed: BTreeSet<(String, String)> = classed.filter(|(_, path)| path != "/api/openapi.json").collect();
        assert_eq!(documented, classed);
    }

    #[test]
    fn an_administrator_s_post_takes_a_key_and_one_that_makes_a_secret_refuses_it() {
        // M12
        let of = |wanted: Keyed| -> Vec<&str> {
            let paths = ROUTES.iter().filter(|(method, path, _)| keyed(method, Some(path)) == wanted);
            paths.map(|(method, path, _)| (method == Method::POST).then_some(*path).expect("a POST")).collect()
        };
        assert_eq!(
            of(Keyed::Taken),
            [
                "/api/v1/admin/resources/{resource_type}",
                "/api/v1/admin/groups",
                "/api/v1/admin/groups/{id}/members",
                "/api/v1/plans/{hash}/approve",
                "/api/v1/plans/{hash}/reject",
                "/api/v1/admin/users",
                "/api/v1/admin/users/{id}/erase",
                "/api/v1/admin/grants",
                "/api/v1/admin/roles",
            ]
        );
        assert_eq!(of(Keyed::Refused), ["/api/v1/me/tokens", "/api/v1/admin/tokens"]);
    }

    #[test]
    fn looking_by_head_is_looking_and_another_method_is_nothing() {
        assert_eq!(of(&Method::HEAD, Some("/api/v1/plans")), Some(Effect::Read));
        assert_eq!(of(&Method::PUT, Some("/api/v1/plans")), None);
        assert_eq!(of(&Method::GET, None), None);
    }
}
